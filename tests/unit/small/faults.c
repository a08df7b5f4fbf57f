// SPDX-License-Identifier: MIT
/* faults.c: each misuse of a small block, and the report it gets. Blocks are made before the fork, so that the report's
 * addresses are known here; the misuse happens in the child. */
#include "dam/dam.h"

#include "unit/small/small_layer.h"
#include "unit/support/expect_abort.h"
#include "unit/support/threads.h"

#define SIZE ((size_t)96)

static char *block;
static char *other_block;
static struct pool *pool;

/* Two blocks, the first in front of the second, fresh in every test. */
static int start(void **state) {
    (void)state;
    block = dam_malloc(SIZE);
    other_block = dam_malloc(SIZE);
    assert_non_null(block);
    assert_non_null(other_block);
    pool = pool_of(block);
    return 0;
}

static int end(void **state) {
    (void)state;
    dam_free(other_block);
    dam_free(block);
    return dam_small_verify_pool(pool) == 0 ? 0 : -1;
}

static void report_this_pool(struct text *text) {
    report_pool(text, SLICE_BYTES, pool_start(pool), "small");
}

static struct text double_free_report(const char *operation) {
    struct text text = report_of("double free", operation, block);
    report_this_pool(&text);
    report_block(&text, block, "%u bytes, free", pool->block_bytes);
    report_hint(&text, HINT_DOUBLE_FREE);
    return text;
}

static struct text not_a_block_report(const char *operation, const char *address, const char *around,
                                      const char *state) {
    struct text text = report_of("not the start of a block", operation, address);
    report_this_pool(&text);
    report_block(&text, around, "%u bytes, %s", pool->block_bytes, state);
    report_hint(&text, HINT_NOT_A_BLOCK);
    return text;
}

/* ---- Double free ------------------------------------------------------------------------------------------------- */

static void free_twice(void *argument) {
    dam_free(argument);
    dam_free(argument);
}

TEST(freeing_a_block_twice_is_a_double_free) {
    struct text expected = double_free_report("free");
    expect_abort_saying(free_twice, block, &expected);
}

static void free_twice_with_one_between(void *argument) {
    dam_free(argument);
    dam_free(other_block);
    dam_free(argument);
}

TEST(freeing_a_block_twice_with_another_freed_between_is_a_double_free) {
    struct text expected = double_free_report("free");
    expect_abort_saying(free_twice_with_one_between, block, &expected);
}

static void *free_in_thread(void *argument) {
    dam_free(argument);
    return NULL;
}

static void free_here_after_another_thread(void *argument) {
    thread_join(thread_start(free_in_thread, argument));
    dam_free(argument);
}

static void free_there_after_this_thread(void *argument) {
    dam_free(argument);
    thread_join(thread_start(free_in_thread, argument));
}

static void free_there_twice(void *argument) {
    thread_join(thread_start(free_in_thread, argument));
    thread_join(thread_start(free_in_thread, argument));
}

TEST(a_double_free_is_seen_whichever_thread_comes_first_or_second) {
    struct text expected = double_free_report("free");
    expect_abort_saying(free_here_after_another_thread, block, &expected);
    expect_abort_saying(free_there_after_this_thread, block, &expected);
    expect_abort_saying(free_there_twice, block, &expected);
}

static void realloc_freed(void *argument) {
    dam_free(argument);
    opaque_pointer(dam_realloc(argument, 2000));
}

static void ask_size_of_freed(void *argument) {
    dam_free(argument);
    (void)opaque_size(dam_malloc_usable_size(argument));
}

static void expand_freed(void *argument) {
    dam_free(argument);
    (void)opaque_size(dam_expand(argument, SIZE));
}

TEST(resizing_a_freed_block_or_asking_its_size_is_reported_by_the_operations_name) {
    struct text expected = double_free_report("realloc");
    expect_abort_saying(realloc_freed, block, &expected);
    expected = double_free_report("malloc_usable_size");
    expect_abort_saying(ask_size_of_freed, block, &expected);
    expected = double_free_report("expand");
    expect_abort_saying(expand_freed, block, &expected);
}

/* Two threads that free the same block at the same moment both find it live; the owner notices when it counts. */
static void write_link(struct pool *of, void *at, void *next) {
    *(uint64_t *)at = small_tag(of, at) ^ (next == NULL ? SMALL_LIST_END : pool_offset(of, next));
}

static void push_same_block_from_two(void *argument) {
    for (uint32_t i = pool->live + 1; i > 0; i--)
        CHECK(!dam_pool_push_remote(pool, argument, write_link));
    dam_small_take_remote(pool);
}

TEST(more_blocks_coming_back_than_ever_went_out_is_a_double_free) {
    struct text expected = double_free_report("free");
    expect_abort_saying(push_same_block_from_two, block, &expected);
}

static void free_carved_block_that_was_never_given_out(void *argument) {
    dam_free((char *)argument + pool->free_head);
}

TEST(a_block_that_was_carved_but_never_given_out_counts_as_free) {
    uint32_t head = pool->free_head;
    assert_true(head != SMALL_LIST_END);
    const char *fresh = pool_start(pool) + head;
    struct text expected = report_of("double free", "free", fresh);
    report_this_pool(&expected);
    report_block(&expected, fresh, "%u bytes, free", pool->block_bytes);
    report_hint(&expected, HINT_DOUBLE_FREE);
    expect_abort_saying(free_carved_block_that_was_never_given_out, pool_start(pool), &expected);
}

/* ---- Not a block ------------------------------------------------------------------------------------------------- */

static void free_it(void *argument) {
    dam_free(argument);
}

static void free_it_in_thread(void *argument) {
    thread_join(thread_start(free_in_thread, argument));
}

TEST(an_address_inside_a_block_is_not_its_start) {
    static const size_t OFFSETS[] = {1, 7, 8, 16, 32, 48, SIZE - 1};
    for (size_t i = 0; i < COUNT_OF(OFFSETS); i++) {
        char *inside = block + OFFSETS[i];
        struct text expected = not_a_block_report("free", inside, block, "the block it lies in");
        expect_abort_saying(free_it, inside, &expected);
        expect_abort_saying(free_it_in_thread, inside, &expected);
    }
}

TEST(a_place_that_no_block_has_reached_yet_was_never_given_out) {
    assert_true(pool->carved < dam_small_classes.of[pool->class_index].block_count);
    char *beyond = pool_start(pool) + pool->carved * pool->block_bytes;
    struct text expected = not_a_block_report("free", beyond, beyond, "never given out");
    expect_abort_saying(free_it, beyond, &expected);
    expect_abort_saying(free_it_in_thread, beyond, &expected);
    expected = not_a_block_report("free", beyond + 5, beyond, "never given out");
    expect_abort_saying(free_it, beyond + 5, &expected);
}

TEST(the_pools_own_start_is_no_block) {
    struct text expected = not_a_block_report("free", pool_start(pool), pool_start(pool), "the block it lies in");
    expect_abort_saying(free_it, pool_start(pool), &expected);
    expect_abort_saying(free_it_in_thread, pool_start(pool), &expected);
}

static void realloc_it(void *argument) {
    opaque_pointer(dam_realloc(argument, 10));
}

TEST(resizing_at_an_address_inside_a_block_is_reported) {
    struct text expected = not_a_block_report("realloc", block + 16, block, "the block it lies in");
    expect_abort_saying(realloc_it, block + 16, &expected);
}

/* ---- Writes to free blocks --------------------------------------------------------------------------------------- */

#define STALE_WORD ((uint64_t)0x4141414141414141)
#define DETAIL "the upper 48 bits of its first word should be as expected; the lower 16 lead to the next free block"

static struct text write_after_free_report(const void *at, uint64_t found) {
    struct text text = report_of("write to a free block", "reuse", at);
    report_this_pool(&text);
    report_block(&text, at, "%u bytes, free", pool->block_bytes);
    report_words(&text, small_tag(pool, at), found);
    report_hint(&text, DETAIL);
    report_hint(&text, HINT_WRITE_AFTER_FREE);
    return text;
}

static void write_after_free(void *argument) {
    dam_free(argument);
    *(uint64_t *)opaque_pointer(argument) = STALE_WORD;
    opaque_pointer(dam_malloc(SIZE));
}

TEST(a_write_to_the_first_word_of_a_freed_block_is_seen_before_it_is_given_out_again) {
    struct text expected = write_after_free_report(block, STALE_WORD);
    expect_abort_saying(write_after_free, block, &expected);
}

/* Whatever it is that was written, down to a single bit of the tag. */
struct flip {
    char *at;
    uint64_t bits;
};

static void flip_after_free(void *argument) {
    const struct flip *flip = argument;
    dam_free(flip->at);
    *(uint64_t *)opaque_pointer(flip->at) ^= flip->bits;
    opaque_pointer(dam_malloc(SIZE));
}

TEST(any_single_bit_of_the_tag_is_enough) {
    /* The word ends in the offset of the block that was first before, and that is the free list's head now. */
    for (uint32_t bit = 16; bit < 64; bit++) {
        struct flip flip = {block, (uint64_t)1 << bit};
        struct text expected = write_after_free_report(block, (small_tag(pool, block) ^ pool->free_head) ^ flip.bits);
        expect_abort_saying(flip_after_free, &flip, &expected);
    }
}

static void damage_the_stack_of_others(void *argument) {
    thread_join(thread_start(free_in_thread, other_block));
    thread_join(thread_start(free_in_thread, argument)); /* on top */
    *(uint64_t *)opaque_pointer(argument) = STALE_WORD;
    dam_small_take_remote(pool); /* the owner has free blocks, so the stack is walked to its end */
}

TEST(a_write_to_a_block_that_another_thread_freed_is_seen_when_it_is_taken_in) {
    struct text expected = write_after_free_report(block, STALE_WORD);
    expect_abort_saying(damage_the_stack_of_others, block, &expected);
}

/* The block in front, which is the likelier culprit if it is still in use. */
TEST(a_live_block_in_front_of_the_one_written_to_is_named) {
    assert_ptr_equal(other_block, block + pool->block_bytes);
    struct text expected = report_of("write to a free block", "reuse", other_block);
    report_this_pool(&expected);
    report_block(&expected, other_block, "%u bytes, free", pool->block_bytes);
    report_words(&expected, small_tag(pool, other_block), STALE_WORD);
    report_neighbour(&expected, block, 0, "live");
    report_hint(&expected, DETAIL);
    report_hint(&expected, HINT_WRITE_AFTER_FREE);
    expect_abort_saying(write_after_free, other_block, &expected);
}

static void write_after_free_of_both(void *argument) {
    dam_free(block);
    write_after_free(argument);
}

TEST(a_free_block_in_front_is_not_suspected) {
    struct child_result result = child_run(write_after_free_of_both, other_block, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_non_null(strstr(result.output, "dam: fault: write to a free block: reuse of 0x"));
    assert_null(strstr(result.output, "in front of it: "));
}

TEST(nothing_in_front_of_a_pools_first_block_is_suspected) {
    char *first = pool_start(pool) + pool->block_bytes; /* the cornerstone is no block of anyone's */
    assert_ptr_equal(block, first);
    struct child_result result = child_run(write_after_free, first, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_null(strstr(result.output, "in front of it: "));
}

/* ---- Going on ---------------------------------------------------------------------------------------------------- */

static void go_on(void) {
    CHECK(dam_options_set("on_fault", "report") == 0);
}

/* A list that is given up: none of its blocks is ever given out again, and all the others are as good as before. */
static void go_on_after_a_damaged_list(void *argument) {
    go_on();
    write_after_free(argument);
    CHECK(dam_small_verify_pool(pool) == 0);
    for (int i = 0; i < 3000; i++) {
        char *fresh = dam_malloc(SIZE);
        CHECK(fresh != NULL && fresh != argument && fresh != block + pool->block_bytes);
        memset(fresh, 0x77, SIZE);
    }
    CHECK(dam_small_verify_pool(pool) == 0);
}

TEST(a_damaged_free_list_is_given_up_if_the_program_goes_on) {
    struct text expected = write_after_free_report(block, STALE_WORD);
    struct child_result result = child_run(go_on_after_a_damaged_list, block, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    expect_report(&result, &expected);
}

/* Two blocks that others freed: the damage is on top, so neither is ever taken in. */
static void go_on_after_a_damaged_stack(void *argument) {
    go_on();
    uint32_t live = pool->live;
    damage_the_stack_of_others(argument);
    CHECK(pool->live == live);
    CHECK(dam_small_verify_pool(pool) == 0);
    for (int i = 0; i < 3000; i++) {
        const char *fresh = dam_malloc(SIZE);
        CHECK(fresh != NULL && fresh != block && fresh != other_block);
    }
    CHECK(dam_small_verify_pool(pool) == 0);
}

TEST(a_damaged_stack_of_others_is_given_up_if_the_program_goes_on) {
    struct text expected = write_after_free_report(block, STALE_WORD);
    struct child_result result = child_run(go_on_after_a_damaged_stack, block, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    expect_report(&result, &expected);
}

static void go_on_after_too_many_came_back(void *argument) {
    go_on();
    uint32_t live = pool->live;
    push_same_block_from_two(argument);
    CHECK(pool->live == live);
    CHECK(dam_small_verify_pool(pool) == 0);
}

TEST(more_blocks_coming_back_than_ever_went_out_are_left_alone_if_the_program_goes_on) {
    struct text expected = double_free_report("free");
    struct child_result result = child_run(go_on_after_too_many_came_back, block, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    expect_report(&result, &expected);
}

/* A stale write over the tag makes the block look live, and it is released once more: the pool counts one block less
 * than there are, and looks empty while other_block is in use. */
static void free_twice_over_a_write_and_trim(void *argument) {
    dam_free(argument);
    *(uint64_t *)opaque_pointer(argument) = STALE_WORD;
    dam_free(argument);
    dam_trim();
}

static struct text empty_pool_report(void) {
    struct text text = report_of("double free", "retire", pool_start(pool));
    report_this_pool(&text);
    report_hint(&text, "a block of this pool was written to after its release, and released again");
    report_hint(&text, HINT_DOUBLE_FREE);
    return text;
}

TEST(a_pool_that_looks_empty_but_is_not_is_not_given_away) {
    struct text expected = empty_pool_report();
    expect_abort_saying(free_twice_over_a_write_and_trim, block, &expected);
}

static void go_on_with_a_pool_that_looks_empty(void *argument) {
    go_on();
    memset(other_block, 0x3F, SIZE);
    free_twice_over_a_write_and_trim(argument);
    CHECK(pool_of(other_block) == pool);
    CHECK(dam_small_verify_pool(pool) == 0);
    for (int i = 0; i < 3000; i++) {
        char *fresh = dam_malloc(SIZE);
        CHECK(fresh != NULL && fresh != argument && fresh != other_block);
        memset(fresh, 0x77, SIZE);
    }
    CHECK(all_bytes_are(other_block, SIZE, 0x3F));
    dam_free(other_block);
    CHECK(dam_small_verify_pool(pool) == 0);
}

TEST(a_pool_that_looks_empty_but_is_not_keeps_what_lives_in_it_if_the_program_goes_on) {
    struct text expected = empty_pool_report();
    struct child_result result = child_run(go_on_with_a_pool_that_looks_empty, block, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    expect_report(&result, &expected);
}

int main(void) {
#define WITH_BLOCKS(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_BLOCKS(freeing_a_block_twice_is_a_double_free),
        WITH_BLOCKS(freeing_a_block_twice_with_another_freed_between_is_a_double_free),
        WITH_BLOCKS(a_double_free_is_seen_whichever_thread_comes_first_or_second),
        WITH_BLOCKS(resizing_a_freed_block_or_asking_its_size_is_reported_by_the_operations_name),
        WITH_BLOCKS(more_blocks_coming_back_than_ever_went_out_is_a_double_free),
        WITH_BLOCKS(a_block_that_was_carved_but_never_given_out_counts_as_free),
        WITH_BLOCKS(an_address_inside_a_block_is_not_its_start),
        WITH_BLOCKS(a_place_that_no_block_has_reached_yet_was_never_given_out),
        WITH_BLOCKS(the_pools_own_start_is_no_block),
        WITH_BLOCKS(resizing_at_an_address_inside_a_block_is_reported),
        WITH_BLOCKS(a_write_to_the_first_word_of_a_freed_block_is_seen_before_it_is_given_out_again),
        WITH_BLOCKS(any_single_bit_of_the_tag_is_enough),
        WITH_BLOCKS(a_write_to_a_block_that_another_thread_freed_is_seen_when_it_is_taken_in),
        WITH_BLOCKS(a_live_block_in_front_of_the_one_written_to_is_named),
        WITH_BLOCKS(a_free_block_in_front_is_not_suspected),
        WITH_BLOCKS(nothing_in_front_of_a_pools_first_block_is_suspected),
        WITH_BLOCKS(a_damaged_free_list_is_given_up_if_the_program_goes_on),
        WITH_BLOCKS(a_damaged_stack_of_others_is_given_up_if_the_program_goes_on),
        WITH_BLOCKS(a_pool_that_looks_empty_but_is_not_is_not_given_away),
        WITH_BLOCKS(a_pool_that_looks_empty_but_is_not_keeps_what_lives_in_it_if_the_program_goes_on),
        WITH_BLOCKS(more_blocks_coming_back_than_ever_went_out_are_left_alone_if_the_program_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
