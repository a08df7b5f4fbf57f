// SPDX-License-Identifier: MIT
/* faults.c: each misuse of a general block, and the report it gets. Blocks are made before the fork, so that the
 * report's addresses are known here; the misuse happens in the child. */
#include "dam/dam.h"

#include "support/memory_use.h"
#include "unit/general/general_layer.h"
#include "unit/support/expect_abort.h"
#include "unit/support/threads.h"

#define REQUEST ((size_t)1000)
#define BLOCK_BYTES ((size_t)1024)

/* Five blocks of one class side by side, fresh in every test. */
static char *blocks[5];
static char *block; /* the middle one */
static struct pool *pool;

static int start(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        blocks[i] = dam_malloc(REQUEST);
        assert_non_null(blocks[i]);
        assert_true(i == 0 || blocks[i] == blocks[i - 1] + BLOCK_BYTES + BLOCK_OVERHEAD_BYTES);
    }
    block = blocks[2];
    pool = pool_of(block);
    return 0;
}

static int end(void **state) {
    (void)state;
    assert_int_equal(dam_general_verify_pool(pool), 0);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        dam_free(blocks[i]);
    dam_general_flush(&dam_thread_heap_or_make()->general);
    return dam_general_verify_pool(pool) == 0 ? 0 : -1;
}

static struct text report_in_pool(const char *words, const char *operation, const void *address) {
    struct text text = report_of(words, operation, address);
    report_pool(&text, pool->bytes, pool_start(pool), "general");
    return text;
}

static void report_whole_block(struct text *text, const char *at, const char *state) {
    report_block(text, at, "%zu bytes, requested %zu bytes, %s", BLOCK_BYTES, REQUEST, state);
}

static void flush_own(void) {
    dam_general_flush(&dam_thread_heap_or_make()->general);
}

static void *free_in_thread(void *argument) {
    dam_free(argument);
    return NULL;
}

static void free_it(void *argument) {
    dam_free(argument);
}

static void free_it_in_thread(void *argument) {
    thread_join(thread_start(free_in_thread, argument));
}

/* ---- Overflow ---------------------------------------------------------------------------------------------------- */

/* A write of one byte, `offset` bytes behind the request, and what then comes upon it. */
struct overflow {
    size_t offset;
    unsigned char value;
    void (*then)(void *block);
};

static void run_overflow(void *argument) {
    const struct overflow *overflow = argument;
    *(volatile unsigned char *)(block + REQUEST + overflow->offset) = overflow->value;
    overflow->then(block);
}

static void realloc_it(void *argument) {
    opaque_pointer(dam_realloc(argument, 5000));
}

static void realloc_a_little(void *argument) {
    opaque_pointer(dam_realloc(argument, REQUEST + 1));
}

static void expand_it(void *argument) {
    (void)opaque_size(dam_expand(argument, REQUEST + 1));
}

static void ask_its_size(void *argument) {
    (void)opaque_size(dam_malloc_usable_size(argument));
}

static void free_sized_it(void *argument) {
    dam_free_sized(argument, REQUEST);
}

static struct text overflow_report(const char *operation, size_t offset, unsigned char value) {
    uint64_t canary = block_seal(block, block_header(block)->fields);
    unsigned char should_be[8];
    unsigned char found[8];
    memcpy(should_be, &canary, sizeof should_be);
    memcpy(found, &canary, sizeof found);
    found[offset] = value;
    struct text text = report_in_pool("write past the end of a block", operation, block);
    report_whole_block(&text, block, "live");
    report_bytes(&text, block + REQUEST, should_be, found, sizeof found);
    report_hint(&text, HINT_OVERFLOW);
    return text;
}

static unsigned char different_byte(size_t offset) {
    return (unsigned char)~(unsigned char)block[REQUEST + offset];
}

TEST(a_write_to_any_of_the_eight_bytes_behind_the_request_is_seen_by_free) {
    for (size_t offset = 0; offset < 8; offset++) {
        struct overflow overflow = {offset, different_byte(offset), free_it};
        struct text expected = overflow_report("free", offset, overflow.value);
        expect_abort_saying(run_overflow, &overflow, &expected);
        overflow.then = free_it_in_thread;
        expect_abort_saying(run_overflow, &overflow, &expected);
    }
}

TEST(a_strings_terminating_zero_one_byte_too_far_is_seen) {
    struct overflow overflow = {0, 0, free_it};
    struct text expected = overflow_report("free", 0, 0);
    expect_abort_saying(run_overflow, &overflow, &expected);
}

TEST(whatever_looks_at_the_block_reports_the_overflow_by_its_own_name) {
    static const struct {
        void (*then)(void *block);
        const char *operation;
    } CASES[] = {
        {realloc_it, "realloc"},       {realloc_a_little, "realloc"},
        {expand_it, "expand"},         {ask_its_size, "malloc_usable_size"},
        {free_sized_it, "free_sized"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct overflow overflow = {0, different_byte(0), CASES[i].then};
        struct text expected = overflow_report(CASES[i].operation, 0, overflow.value);
        expect_abort_saying(run_overflow, &overflow, &expected);
    }
}

/* The bytes between canary and header are nobody's: 16 of them here. Then comes the next block's header. */
static void overflow_into_next_header(void *argument) {
    memset(argument, 'A', BLOCK_BYTES + BLOCK_OVERHEAD_BYTES);
    dam_free((char *)argument + BLOCK_BYTES + BLOCK_OVERHEAD_BYTES);
}

TEST(an_overflow_into_the_next_header_is_reported_when_the_next_block_is_freed_and_its_author_is_named) {
    char *next = blocks[3];
    struct text expected = report_in_pool("damaged block header", "free", next);
    report_block(&expected, next, "0 bytes, header damaged");
    report_words(&expected, block_check_for(next, 0x41414141, BLOCK_LIVE), 0x41414141);
    report_neighbour(&expected, block, REQUEST, "live");
    report_hint(&expected, HINT_HEADER);
    expect_abort_saying(overflow_into_next_header, block, &expected);
}

/* ---- Headers ----------------------------------------------------------------------------------------------------- */

/* One word XORed into a header's half. The pool's first block: no other is in front of it. */
struct header_damage {
    uint32_t fields;
    uint32_t check;
};

static void damage_header_and_free(void *argument) {
    const struct header_damage *damage = argument;
    block_header(blocks[0])->fields ^= damage->fields;
    block_header(blocks[0])->check ^= damage->check;
    dam_free(blocks[0]);
}

TEST(a_damaged_header_is_seen_when_its_block_is_freed_and_nothing_in_it_is_believed) {
    static const struct header_damage CASES[] = {{1, 0},          {0x10000, 0}, {0x80000000, 0},
                                                 {0xffffffff, 0}, {0, 1},       {0, 0x80000000}};
    char *first = blocks[0];
    assert_ptr_equal(first, pool_start(pool) + BLOCK_OVERHEAD_BYTES);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct header_damage damage = CASES[i];
        uint32_t fields = block_header(first)->fields ^ damage.fields;
        struct text expected = report_in_pool("damaged block header", "free", first);
        report_block(&expected, first, "0 bytes, header damaged");
        report_words(&expected, block_check_for(first, fields, BLOCK_LIVE), block_header(first)->check ^ damage.check);
        report_hint(&expected, HINT_HEADER);
        expect_abort_saying(damage_header_and_free, &damage, &expected);
    }
}

static void damage_neighbour_and_merge(void *argument) {
    block_header(argument)->check ^= 0x40;
    dam_free(block);
    flush_own();
}

TEST(a_damaged_header_is_seen_when_the_block_in_front_of_it_is_merged) {
    char *behind = blocks[3];
    struct text expected = report_in_pool("damaged block header", "merge with", behind);
    report_block(&expected, behind, "0 bytes, header damaged");
    report_words(&expected, block_check_for(behind, block_header(behind)->fields, BLOCK_LIVE),
                 block_header(behind)->check ^ 0x40);
    report_neighbour(&expected, block, REQUEST, "free");
    report_hint(&expected, HINT_HEADER);
    expect_abort_saying(damage_neighbour_and_merge, behind, &expected);
}

/* The block in front is free; its header no longer says so, while its boundary tag still does. */
static void damage_free_front_and_merge(void *argument) {
    dam_free(argument);
    flush_own();
    block_header(argument)->fields ^= 8;
    dam_free(block);
    flush_own();
}

TEST(a_boundary_tag_that_its_header_does_not_confirm_is_seen) {
    char *front = blocks[1];
    uint32_t granules = (uint32_t)(BLOCK_BYTES >> GRANULE_SHIFT);
    struct text expected = report_in_pool("damaged block header", "merge with", front);
    report_block(&expected, front, "0 bytes, header damaged");
    report_words(&expected, block_check_for(front, granules ^ 8, BLOCK_LIVE),
                 block_check_for(front, granules, BLOCK_FREE));
    report_neighbour(&expected, blocks[0], REQUEST, "live");
    report_hint(&expected, HINT_HEADER);
    expect_abort_saying(damage_free_front_and_merge, front, &expected);
}

/* ---- Double free ------------------------------------------------------------------------------------------------- */

static struct text double_free_report(const char *operation, const char *state) {
    struct text text = report_in_pool("double free", operation, block);
    report_whole_block(&text, block, state);
    report_hint(&text, HINT_DOUBLE_FREE);
    return text;
}

static void free_twice(void *argument) {
    dam_free(argument);
    dam_free(argument);
}

TEST(freeing_a_quick_block_is_a_double_free) {
    struct text expected = double_free_report("free", "free");
    expect_abort_saying(free_twice, block, &expected);
}

static void free_merge_free(void *argument) {
    dam_free(argument);
    flush_own();
    dam_free(argument);
}

TEST(freeing_a_free_block_is_a_double_free_of_a_block_without_a_request) {
    struct text expected = report_in_pool("double free", "free", block);
    report_block(&expected, block, "%zu bytes, free", BLOCK_BYTES);
    report_hint(&expected, HINT_DOUBLE_FREE);
    expect_abort_saying(free_merge_free, block, &expected);
}

/* The block in front is free, and the quick lists are full: the block is merged at once, and its header stays behind in
 * the middle of a free block. */
static void free_merge_into_front_free(void *argument) {
    dam_free(blocks[1]);
    flush_own();
    dam_thread_heap_or_make()->general.quick_room = 0;
    dam_free(argument);
    CHECK(block_has_state(blocks[1], BLOCK_FREE));
    CHECK(block_header(blocks[1])->fields > 2 * (BLOCK_BYTES >> GRANULE_SHIFT));
    dam_free(argument);
}

TEST(freeing_a_block_that_was_merged_into_the_one_in_front_is_a_double_free) {
    struct text expected = double_free_report("free", "free");
    expect_abort_saying(free_merge_into_front_free, block, &expected);
}

/* The block in front is freed later, and takes the free block in. */
static void free_merge_into_later_front_free(void *argument) {
    dam_free(argument);
    flush_own();
    dam_free(blocks[1]);
    flush_own();
    CHECK(block_has_state(blocks[1], BLOCK_FREE));
    CHECK(block_header(blocks[1])->fields == 2 * (BLOCK_BYTES >> GRANULE_SHIFT) + 1);
    dam_free(argument);
}

TEST(freeing_a_block_that_the_one_in_front_took_in_later_is_a_double_free_of_a_block_without_a_request) {
    struct text expected = report_in_pool("double free", "free", block);
    report_block(&expected, block, "%zu bytes, free", BLOCK_BYTES);
    report_hint(&expected, HINT_DOUBLE_FREE);
    expect_abort_saying(free_merge_into_later_front_free, block, &expected);
}

static void free_here_after_another_thread(void *argument) {
    thread_join(thread_start(free_in_thread, argument));
    dam_free(argument);
}

static void free_there_after_this_thread(void *argument) {
    dam_free(argument);
    thread_join(thread_start(free_in_thread, argument));
}

TEST(a_double_free_is_seen_whichever_thread_comes_first) {
    struct text expected = double_free_report("free", "free, by another thread");
    expect_abort_saying(free_here_after_another_thread, block, &expected);
    expected = double_free_report("free", "free");
    expect_abort_saying(free_there_after_this_thread, block, &expected);
}

static void realloc_freed(void *argument) {
    dam_free(argument);
    opaque_pointer(dam_realloc(argument, 5000));
}

static void ask_size_of_freed(void *argument) {
    dam_free(argument);
    (void)opaque_size(dam_malloc_usable_size(argument));
}

TEST(resizing_a_freed_block_or_asking_its_size_is_reported_by_the_operations_name) {
    struct text expected = double_free_report("realloc", "free");
    expect_abort_saying(realloc_freed, block, &expected);
    expected = double_free_report("malloc_usable_size", "free");
    expect_abort_saying(ask_size_of_freed, block, &expected);
}

/* ---- Not a block ------------------------------------------------------------------------------------------------- */

TEST(an_address_inside_a_block_is_not_its_start_and_the_block_is_named) {
    static const size_t OFFSETS[] = {8, 16, 64, 512, 1008, REQUEST - 1};
    for (size_t i = 0; i < COUNT_OF(OFFSETS); i++) {
        if (OFFSETS[i] % 8 != 0 && !memory_use_is_the_programs_own())
            continue; /* a sanitizer objects to the look at where the header would be, before we can */
        struct text expected = report_in_pool("not the start of a block", "free", block + OFFSETS[i]);
        report_whole_block(&expected, block, "live");
        report_hint(&expected, HINT_NOT_A_BLOCK);
        expect_abort_saying(free_it, block + OFFSETS[i], &expected);
        expect_abort_saying(free_it_in_thread, block + OFFSETS[i], &expected);
    }
}

TEST(an_address_inside_free_memory_is_not_a_block_either) {
    const struct seen_pool *seen = read_pool(pool);
    const struct seen_block *last = &seen->blocks[seen->count - 1];
    assert_int_equal(last->state, BLOCK_FREE);
    char *address = last->block + 160;
    struct text expected = report_in_pool("not the start of a block", "free", address);
    report_block(&expected, last->block, "%zu bytes, free", block_bytes_of_granules(last->granules));
    report_hint(&expected, HINT_NOT_A_BLOCK);
    expect_abort_saying(free_it, address, &expected);
}

/* Deep in what a program wrote, where a header of the block's own might seem to lie. */
static void free_inside_own_bytes(void *argument) {
    memset(argument, 'B', REQUEST);
    dam_free((char *)argument + 496);
}

TEST(what_the_program_wrote_is_not_taken_for_a_header) {
    struct text expected = report_in_pool("not the start of a block", "free", block + 496);
    report_whole_block(&expected, block, "live");
    report_hint(&expected, HINT_NOT_A_BLOCK);
    expect_abort_saying(free_inside_own_bytes, block, &expected);
}

/* ---- Writes to free blocks --------------------------------------------------------------------------------------- */

#define STALE_WORD ((uint64_t)0x4242424242424242)

static struct text write_after_free_report(const char *at, const char *state) {
    struct text text = report_in_pool("write to a free block", "reuse", at);
    report_whole_block(&text, at, state);
    report_hint(&text, HINT_WRITE_AFTER_FREE);
    return text;
}

static void free_write_reuse(void *argument) {
    dam_free(argument);
    *(uint64_t *)opaque_pointer(argument) = STALE_WORD;
    opaque_pointer(dam_malloc(REQUEST));
}

static void free_write_check_reuse(void *argument) {
    dam_free(argument);
    ((uint64_t *)opaque_pointer(argument))[1] ^= 1;
    opaque_pointer(dam_malloc(REQUEST));
}

static void free_write_flush(void *argument) {
    dam_free(argument);
    *(uint64_t *)opaque_pointer(argument) = STALE_WORD;
    flush_own();
}

TEST(a_write_to_a_quick_block_is_seen_when_it_is_reused_or_merged) {
    struct text expected = write_after_free_report(block, "free");
    expect_abort_saying(free_write_reuse, block, &expected);
    expect_abort_saying(free_write_check_reuse, block, &expected);
    expect_abort_saying(free_write_flush, block, &expected);
}

static void free_there_write_take(void *argument) {
    thread_join(thread_start(free_in_thread, argument));
    *(uint64_t *)opaque_pointer(argument) = STALE_WORD;
    opaque_pointer(dam_malloc(3000));
}

TEST(a_write_to_a_block_that_another_thread_freed_is_seen_when_it_is_taken_back) {
    struct text expected = write_after_free_report(block, "free, by another thread");
    expect_abort_saying(free_there_write_take, block, &expected);
}

static void free_there_damage_header_take(void *argument) {
    thread_join(thread_start(free_in_thread, argument));
    block_header(argument)->check ^= 2;
    opaque_pointer(dam_malloc(3000));
}

TEST(a_header_damaged_after_another_thread_freed_the_block_is_seen_when_it_is_taken_back) {
    struct text expected = report_in_pool("damaged block header", "take back", block);
    uint32_t fields = block_header(block)->fields;
    report_block(&expected, block, "0 bytes, header damaged");
    report_words(&expected, block_check_for(block, fields, BLOCK_LIVE),
                 block_check_for(block, fields, BLOCK_REMOTE) ^ 2);
    report_neighbour(&expected, blocks[1], REQUEST, "live");
    report_hint(&expected, HINT_HEADER);
    expect_abort_saying(free_there_damage_header_take, block, &expected);
}

static void free_merge_write_reuse(void *argument) {
    dam_free(argument);
    flush_own();
    *(uint64_t *)opaque_pointer(argument) = STALE_WORD;
    opaque_pointer(dam_malloc(REQUEST));
}

TEST(a_write_to_a_merged_block_is_seen_when_it_is_taken_from_the_index) {
    struct text expected = report_in_pool("write to a free block", "reuse", block);
    report_block(&expected, block, "%zu bytes, free", BLOCK_BYTES);
    report_hint(&expected, HINT_WRITE_AFTER_FREE);
    expect_abort_saying(free_merge_write_reuse, block, &expected);
}

/* The last word of a free block is its boundary tag. */
struct tag_damage {
    uint64_t bits;
    char *then_freed; /* and merged; NULL: the damaged block is asked for again */
};

static void damage_tag_and_come_upon_it(void *argument) {
    const struct tag_damage *damage = argument;
    dam_free(block);
    flush_own();
    CHECK(block_has_state(block, BLOCK_FREE));
    *block_tail(block, (uint32_t)(BLOCK_BYTES >> GRANULE_SHIFT)) ^= damage->bits;
    if (damage->then_freed == NULL)
        opaque_pointer(dam_malloc(REQUEST));
    dam_free(damage->then_freed);
    flush_own();
}

TEST(a_write_to_the_last_word_of_a_merged_block_is_seen_when_it_is_taken_or_merged_with_the_one_in_front) {
    struct text expected = report_in_pool("write to a free block", "reuse", block);
    report_block(&expected, block, "%zu bytes, free", BLOCK_BYTES);
    report_hint(&expected, HINT_WRITE_AFTER_FREE);
    for (uint32_t bit = 0; bit < 64; bit += 7) {
        struct tag_damage damage = {(uint64_t)1 << bit, NULL};
        expect_abort_saying(damage_tag_and_come_upon_it, &damage, &expected);
        damage.then_freed = blocks[1];
        expect_abort_saying(damage_tag_and_come_upon_it, &damage, &expected);
    }
}

/* Freed from behind, the damaged block is not known for free any more; but the next one who takes it finds out. */
static void damage_tag_free_behind_and_take(void *argument) {
    struct tag_damage damage = {STALE_WORD, argument};
    damage_tag_and_come_upon_it(&damage);
    CHECK(block_has_state(argument, BLOCK_FREE));
    opaque_pointer(dam_malloc(REQUEST));
    opaque_pointer(dam_malloc(REQUEST));
}

TEST(a_block_that_could_not_be_merged_because_of_a_damaged_tag_does_no_harm_and_the_damage_is_still_seen) {
    struct text expected = report_in_pool("write to a free block", "reuse", block);
    report_block(&expected, block, "%zu bytes, free", BLOCK_BYTES);
    report_hint(&expected, HINT_WRITE_AFTER_FREE);
    expect_abort_saying(damage_tag_free_behind_and_take, blocks[3], &expected);
}

/* ---- The block in front ------------------------------------------------------------------------------------------ */

static void free_front_damage_header_free(void *argument) {
    dam_free(block);
    flush_own();
    block_header(argument)->check ^= 4;
    dam_free(argument);
}

TEST(a_free_block_in_front_of_a_damaged_header_is_named_without_a_request) {
    char *behind = blocks[3];
    uint32_t fields = block_header(behind)->fields;
    struct text expected = report_in_pool("damaged block header", "free", behind);
    report_block(&expected, behind, "0 bytes, header damaged");
    report_words(&expected, block_check_for(behind, fields, BLOCK_LIVE), block_header(behind)->check ^ 4);
    report_neighbour(&expected, block, 0, "free");
    report_hint(&expected, HINT_HEADER);
    expect_abort_saying(free_front_damage_header_free, behind, &expected);
}

static void damage_two_headers_and_free(void *argument) {
    block_header(blocks[1])->check ^= 4;
    block_header(argument)->check ^= 4;
    dam_free(argument);
}

/* Behind it nothing can be told: where its block ends is not known. */
TEST(of_two_damaged_headers_the_first_in_the_pool_is_named) {
    char *first = blocks[1];
    struct text expected = report_in_pool("damaged block header", "free", blocks[3]);
    report_block(&expected, first, "0 bytes, header damaged");
    report_words(&expected, block_check_for(first, block_header(first)->fields, BLOCK_LIVE),
                 block_header(first)->check ^ 4);
    report_neighbour(&expected, blocks[0], REQUEST, "live");
    report_hint(&expected, HINT_HEADER);
    expect_abort_saying(damage_two_headers_and_free, blocks[3], &expected);
}

/* ---- Going on ---------------------------------------------------------------------------------------------------- */

static void go_on(void) {
    CHECK(dam_options_set("on_fault", "report") == 0);
}

static void expect_report_and_going_on(void (*body)(void *), void *argument, const struct text *expected) {
    struct child_result result = child_run(body, argument, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    expect_report(&result, expected);
}

/* A block that waits on a quick list, or what hangs on it, never comes back. */
static void check_out_of_use(const char *first, const char *second) {
    for (int i = 0; i < 500; i++) {
        char *fresh = dam_malloc(REQUEST);
        CHECK(fresh != NULL && fresh != first && fresh != second);
        memset(fresh, 0x77, REQUEST);
    }
    CHECK(dam_general_verify_pool(pool) == 0);
}

static void go_on_after_write_and_reuse(void *argument) {
    go_on();
    dam_free(blocks[1]);
    free_write_reuse(argument);
    check_out_of_use(argument, blocks[1]);
}

static void go_on_after_write_and_flush(void *argument) {
    go_on();
    dam_free(blocks[1]);
    free_write_flush(argument);
    check_out_of_use(argument, blocks[1]);
}

TEST(a_damaged_quick_list_is_given_up_if_the_program_goes_on) {
    struct text expected = write_after_free_report(block, "free");
    expect_report_and_going_on(go_on_after_write_and_reuse, block, &expected);
    expect_report_and_going_on(go_on_after_write_and_flush, block, &expected);
}

static void go_on_after_write_and_take(void *argument) {
    go_on();
    thread_join(thread_start(free_in_thread, blocks[1]));
    free_there_write_take(argument);
    check_out_of_use(argument, blocks[1]);
}

TEST(a_damaged_stack_of_others_is_given_up_if_the_program_goes_on) {
    struct text expected = write_after_free_report(block, "free, by another thread");
    expect_report_and_going_on(go_on_after_write_and_take, block, &expected);
}

/* A header that the pool needs: the options are asked in vain. */
static void try_to_go_on_after_merging_with_damage(void *argument) {
    go_on();
    damage_neighbour_and_merge(argument);
}

static void try_to_go_on_after_taking_damage(void *argument) {
    go_on();
    free_merge_write_reuse(argument);
}

TEST(damage_to_what_the_index_needs_ends_the_program_whatever_it_chose) {
    static const char LAST[] = "dam:   DAM cannot go on with this, whatever on_fault says\n";
    static const struct {
        void (*body)(void *argument);
        size_t block;
        const char *first;
    } CASES[] = {
        {try_to_go_on_after_merging_with_damage, 3, "dam: fault: damaged block header: merge with of 0x"},
        {try_to_go_on_after_taking_damage, 2, "dam: fault: write to a free block: reuse of 0x"},
    };
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct child_result result = child_run(CASES[i].body, blocks[CASES[i].block], CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_was_killed_by(&result, SIGABRT));
        assert_memory_equal(result.output, CASES[i].first, strlen(CASES[i].first));
        assert_string_equal(result.output + result.output_bytes - strlen(LAST), LAST);
    }
}

int main(void) {
#define WITH_BLOCKS(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_BLOCKS(a_write_to_any_of_the_eight_bytes_behind_the_request_is_seen_by_free),
        WITH_BLOCKS(a_strings_terminating_zero_one_byte_too_far_is_seen),
        WITH_BLOCKS(whatever_looks_at_the_block_reports_the_overflow_by_its_own_name),
        WITH_BLOCKS(an_overflow_into_the_next_header_is_reported_when_the_next_block_is_freed_and_its_author_is_named),
        WITH_BLOCKS(a_damaged_header_is_seen_when_its_block_is_freed_and_nothing_in_it_is_believed),
        WITH_BLOCKS(a_damaged_header_is_seen_when_the_block_in_front_of_it_is_merged),
        WITH_BLOCKS(a_boundary_tag_that_its_header_does_not_confirm_is_seen),
        WITH_BLOCKS(freeing_a_quick_block_is_a_double_free),
        WITH_BLOCKS(freeing_a_free_block_is_a_double_free_of_a_block_without_a_request),
        WITH_BLOCKS(freeing_a_block_that_was_merged_into_the_one_in_front_is_a_double_free),
        WITH_BLOCKS(freeing_a_block_that_the_one_in_front_took_in_later_is_a_double_free_of_a_block_without_a_request),
        WITH_BLOCKS(a_double_free_is_seen_whichever_thread_comes_first),
        WITH_BLOCKS(resizing_a_freed_block_or_asking_its_size_is_reported_by_the_operations_name),
        WITH_BLOCKS(an_address_inside_a_block_is_not_its_start_and_the_block_is_named),
        WITH_BLOCKS(an_address_inside_free_memory_is_not_a_block_either),
        WITH_BLOCKS(what_the_program_wrote_is_not_taken_for_a_header),
        WITH_BLOCKS(a_write_to_a_quick_block_is_seen_when_it_is_reused_or_merged),
        WITH_BLOCKS(a_write_to_a_block_that_another_thread_freed_is_seen_when_it_is_taken_back),
        WITH_BLOCKS(a_header_damaged_after_another_thread_freed_the_block_is_seen_when_it_is_taken_back),
        WITH_BLOCKS(a_write_to_a_merged_block_is_seen_when_it_is_taken_from_the_index),
        WITH_BLOCKS(
            a_write_to_the_last_word_of_a_merged_block_is_seen_when_it_is_taken_or_merged_with_the_one_in_front),
        WITH_BLOCKS(
            a_block_that_could_not_be_merged_because_of_a_damaged_tag_does_no_harm_and_the_damage_is_still_seen),
        WITH_BLOCKS(a_free_block_in_front_of_a_damaged_header_is_named_without_a_request),
        WITH_BLOCKS(of_two_damaged_headers_the_first_in_the_pool_is_named),
        WITH_BLOCKS(a_damaged_quick_list_is_given_up_if_the_program_goes_on),
        WITH_BLOCKS(a_damaged_stack_of_others_is_given_up_if_the_program_goes_on),
        WITH_BLOCKS(damage_to_what_the_index_needs_ends_the_program_whatever_it_chose),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
