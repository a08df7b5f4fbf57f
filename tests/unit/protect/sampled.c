// SPDX-License-Identifier: MIT
/* sampled.c: blocks alone between guard pages: which allocations they are, where on their page they stand, what can be touched
 * and what cannot, and what is found when they are checked and released. Accesses that are caught in the act: trap.c. */
#include "protect/sampled.h"

#include "guard/stack_trace.h"
#include "heap/heap.h"
#include "os/os.h"
#include "support/child.h"
#include "support/pattern.h"
#include "unit/protect/caught.h"
#include "unit/protect/probe.h"
#include "unit/support/fake_os.h"
#include "unit/support/threads.h"

#include <math.h>

/* As sampled.c has it. */
#define SLOT_COUNT ((size_t)256)
#define FILLING 0xa5

static size_t page;

/* The first guard page, the pages of the slots and the guards behind them: found from any block. */
static char *area_start;

static void *alloc(size_t size, size_t alignment) {
    void *block = dam_sampled_alloc(size, alignment);
    assert_non_null(block);
    return block;
}

static char *page_of(const void *address) {
    return (char *)((uintptr_t)address & ~(page - 1)); // NOLINT(performance-no-int-to-ptr)
}

/* Before anything else: a system that refuses the pages, and then the guards. */
static void assert_init_copes_with_refusals(void) {
    size_t unmapped_before = fake_os.unmap_count;
    fake_os.map_bytes_max = 0;
    assert_false(dam_sampled_init());
    fake_os_reset();
    fake_os.refuses_protect = true;
    assert_false(dam_sampled_init());
    assert_int_equal(fake_os.unmap_count, unmapped_before + 1);
    fake_os_reset();
    assert_false(dam_sampled_owns(&page));
    assert_false(dam_sampled_owns(NULL));
}

static int start(void **state) {
    (void)state;
    dam_start();
    page = dam_os_page_bytes();
    fake_os_reset();
    assert_init_copes_with_refusals();
    assert_true(dam_sampled_init());
    char *block = alloc(1, 16);
    for (area_start = page_of(block); dam_sampled_owns(area_start - page); area_start -= page)
        continue;
    dam_sampled_free(block);
    return 0;
}

static int begin(void **state) {
    (void)state;
    caught_reset();
    fake_os_reset();
    return 0;
}

static char *page_of_slot(size_t slot) {
    return area_start + (2 * slot + 1) * page;
}

/* A1, with no block live. */
static int end(void **state) {
    (void)state;
    fake_os_reset();
    for (size_t i = 0; i < 2 * SLOT_COUNT + 1; i++)
        if (is_accessible(area_start + i * page))
            return -1;
    return caught_count() == 0 ? 0 : -1;
}

#define sampled_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* ---- Which allocations ------------------------------------------------------------------------------------------- */

static size_t draw_distance(struct heap *heap, uint64_t sample_every) {
    size_t distance = 1;
    while (!dam_sampled_is_due(heap, sample_every))
        distance++;
    return distance;
}

static const uint64_t MEANS[] = {2, 3, 10, 100, 1000};

enum { DISTANCE_COUNT = 20000 };

TEST(distances_lie_between_one_and_twice_the_mean) {
    for (size_t i = 0; i < COUNT_OF(MEANS); i++) {
        static struct heap heap;
        heap = (struct heap){0};
        for (size_t j = 0; j < DISTANCE_COUNT; j++) {
            size_t distance = draw_distance(&heap, MEANS[i]);
            assert_true(distance >= 1 && distance <= 2 * MEANS[i] - 1);
        }
    }
}

/* An even spread from 1 to 2N-1 has a standard deviation of N/sqrt(3) at most, and the mean of twenty thousand one of N/245: a
 * twentieth of N is twelve of these. */
TEST(one_allocation_in_so_many_is_sampled_on_average) {
    for (size_t i = 0; i < COUNT_OF(MEANS); i++) {
        static struct heap heap;
        heap = (struct heap){0};
        double sum = 0;
        for (size_t j = 0; j < DISTANCE_COUNT; j++)
            sum += (double)draw_distance(&heap, MEANS[i]);
        double mean = sum / DISTANCE_COUNT;
        assert_true(fabs(mean - (double)MEANS[i]) < (double)MEANS[i] / 20);
    }
}

TEST(every_distance_occurs) {
    static struct heap heap;
    heap = (struct heap){0};
    size_t seen[20] = {0};
    for (size_t i = 0; i < DISTANCE_COUNT; i++)
        seen[draw_distance(&heap, 10)]++;
    for (size_t distance = 1; distance <= 19; distance++)
        assert_true(seen[distance] > 0);
}

TEST(with_every_one_each_allocation_is_sampled) {
    static struct heap heap;
    heap = (struct heap){0};
    for (size_t i = 0; i < 1000; i++)
        assert_true(dam_sampled_is_due(&heap, 1));
}

TEST(the_largest_distances_fit_their_counter) {
    size_t above_mean = 0;
    for (size_t i = 0; i < 1000; i++) {
        static struct heap heap;
        heap = (struct heap){0};
        (void)dam_sampled_is_due(&heap, 1000000000);
        assert_true(heap.sample_countdown < 2000000000);
        above_mean += heap.sample_countdown > 1000000000;
    }
    assert_true(above_mean > 0);
}

/* Heaps begin at different distances, even in the memory of one before them: a program whose threads are many and allocate
 * little is sampled as often as any other. */
TEST(threads_of_few_allocations_are_sampled_too) {
    enum { HEAPS = 5000, EACH = 10, EVERY = 100 };
    size_t due = 0;
    for (size_t i = 0; i < HEAPS; i++) {
        static struct heap heap;
        heap = (struct heap){0};
        for (size_t j = 0; j < EACH; j++)
            due += dam_sampled_is_due(&heap, EVERY);
    }
    assert_true(due > HEAPS * EACH / EVERY / 4);
    assert_true(due < HEAPS * EACH / EVERY * 4);
}

TEST(heaps_that_begin_together_are_sampled_apart) {
    static struct heap heaps[64];
    size_t firsts[64];
    size_t equal = 0;
    for (size_t i = 0; i < COUNT_OF(heaps); i++) {
        heaps[i] = (struct heap){0};
        firsts[i] = draw_distance(&heaps[i], 100000);
        for (size_t j = 0; j < i; j++)
            equal += firsts[i] == firsts[j];
    }
    assert_true(equal < 8);
}

/* ---- Places ------------------------------------------------------------------------------------------------------ */

TEST(a_block_is_alone_on_its_page_between_two_that_cannot_be_touched) {
    for (size_t size = 0; size <= page; size += size < 300 ? 1 : 77) {
        char *block = alloc(size, 16);
        assert_true(dam_sampled_owns(block));
        assert_ptr_equal(page_of(block), page_of(block + (size == 0 ? 0 : size - 1)));
        assert_true(is_accessible(page_of(block)));
        assert_true(is_accessible(page_of(block) + page - 1));
        assert_false(is_accessible(page_of(block) - 1));
        assert_false(is_accessible(page_of(block) + page));
        dam_sampled_free(block);
    }
}

/* Chance of a wrong alarm: 2^-199 for each size. */
TEST(some_blocks_are_flush_with_the_start_of_their_page_and_some_with_its_end) {
    static const size_t SIZES[] = {0, 1, 15, 16, 17, 100, 256, 1000, 2048};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        size_t at_start = 0;
        size_t at_end = 0;
        for (size_t j = 0; j < 200; j++) {
            char *block = alloc(SIZES[i], 16);
            size_t behind = (size_t)(page_of(block) + page - block) - SIZES[i];
            if (block == page_of(block))
                at_start++;
            else if (behind <= 16)
                at_end++;
            dam_sampled_free(block);
        }
        assert_int_equal(at_start + at_end, 200);
        assert_true(at_start > 0 && at_end > 0);
    }
}

TEST(a_size_that_the_alignment_divides_ends_where_the_guard_begins) {
    size_t at_end = 0;
    for (size_t j = 0; j < 200; j++) {
        char *block = alloc(128, 16);
        if (block != page_of(block)) {
            assert_ptr_equal(block + 128, page_of(block) + page);
            at_end++;
        }
        dam_sampled_free(block);
    }
    assert_true(at_end > 0);
}

TEST(blocks_are_aligned_as_asked_up_to_a_page) {
    for (size_t alignment = 1; alignment <= page; alignment *= 2) {
        for (size_t size = 0; size <= page; size += size < 70 ? 1 : 331) {
            char *block = alloc(size, alignment);
            assert_true(is_aligned(block, alignment));
            assert_true(is_aligned(block, 16));
            assert_true(block + size <= page_of(block) + page);
            dam_sampled_free(block);
        }
    }
}

TEST(what_does_not_fit_a_page_is_not_sampled) {
    assert_null(dam_sampled_alloc(page + 1, 16));
    assert_null(dam_sampled_alloc(SIZE_MAX, 16));
    assert_null(dam_sampled_alloc(1, 2 * page));
    char *whole = alloc(page, page);
    assert_ptr_equal(whole, page_of(whole));
    memset(whole, 0x42, page);
    dam_sampled_free(whole);
    assert_nothing_caught();
}

TEST(a_block_reads_as_zero_whatever_was_on_its_page) {
    for (size_t i = 0; i < 3 * SLOT_COUNT; i++) {
        size_t size = i * 31 % (page + 1);
        char *block = alloc(size, 16);
        assert_true(all_bytes_are(block, size, 0));
        memset(block, 0xEE, size);
        dam_sampled_free(block);
    }
    assert_nothing_caught();
}

TEST(the_addresses_of_other_memory_are_not_among_the_slots) {
    char here = 0;
    assert_false(dam_sampled_owns(&here));
    assert_false(dam_sampled_owns(NULL));
    assert_false(dam_sampled_owns(area_start - 1));
    assert_true(dam_sampled_owns(area_start));
    assert_true(dam_sampled_owns(area_start + (2 * SLOT_COUNT + 1) * page - 1));
    assert_false(dam_sampled_owns(area_start + (2 * SLOT_COUNT + 1) * page));
}

/* ---- A1, and the slots ------------------------------------------------------------------------------------------- */

static void *blocks[SLOT_COUNT];

static void alloc_all_slots(void) {
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        blocks[i] = alloc(i, 16);
        pattern_fill(blocks[i], i, pattern_key(21, i));
    }
}

static bool slot_is_live(size_t slot) {
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (blocks[i] != NULL && page_of(blocks[i]) == page_of_slot(slot))
            return true;
    return false;
}

static void assert_only_live_slots_are_accessible(void) {
    for (size_t slot = 0; slot < SLOT_COUNT; slot++) {
        assert_false(is_accessible(page_of_slot(slot) - page));
        assert_int_equal(is_accessible(page_of_slot(slot)), slot_is_live(slot));
        assert_false(is_accessible(page_of_slot(slot) + page));
    }
}

static void release(size_t i) {
    assert_true(pattern_holds(blocks[i], i, pattern_key(21, i)));
    dam_sampled_free(blocks[i]);
    blocks[i] = NULL;
}

TEST(a_page_is_accessible_if_and_only_if_it_holds_a_live_block) {
    alloc_all_slots();
    assert_only_live_slots_are_accessible();
    for (size_t i = 0; i < SLOT_COUNT; i += 3)
        release(i);
    assert_only_live_slots_are_accessible();
    for (size_t i = 0; i < SLOT_COUNT; i++)
        if (blocks[i] != NULL)
            release(i);
    assert_only_live_slots_are_accessible();
    assert_nothing_caught();
}

TEST(when_every_slot_is_taken_nothing_more_is_sampled_until_one_is_released) {
    alloc_all_slots();
    assert_null(dam_sampled_alloc(1, 16));
    assert_null(dam_sampled_alloc(1, 16));
    char *place = page_of(blocks[77]);
    release(77);
    blocks[77] = alloc(77, 16);
    assert_ptr_equal(page_of(blocks[77]), place);
    pattern_fill(blocks[77], 77, pattern_key(21, 77));
    assert_null(dam_sampled_alloc(1, 16));
    for (size_t i = 0; i < SLOT_COUNT; i++)
        release(i);
    assert_nothing_caught();
}

/* So that stale pointers to it are caught for as long as possible. */
TEST(a_released_slot_is_used_again_when_every_other_free_one_has_been) {
    for (size_t held = 0; held < SLOT_COUNT; held += 51) {
        for (size_t i = 0; i < held; i++)
            blocks[i] = alloc(i, 16);
        size_t free_slots = SLOT_COUNT - held;
        char *places[SLOT_COUNT];
        for (size_t i = 0; i < 3 * free_slots; i++) {
            char *block = alloc(40, 16);
            if (i >= free_slots) {
                assert_ptr_equal(page_of(block), places[i % free_slots]);
            } else {
                for (size_t j = 0; j < i; j++)
                    assert_ptr_not_equal(page_of(block), places[j]);
                places[i] = page_of(block);
            }
            dam_sampled_free(block);
        }
        for (size_t i = 0; i < held; i++) {
            dam_sampled_free(blocks[i]);
            blocks[i] = NULL;
        }
    }
    assert_nothing_caught();
}

TEST(a_released_page_is_given_back_to_the_system) {
    char *block = alloc(100, 16);
    size_t purged_before = fake_os.purged_bytes;
    dam_sampled_free(block);
    assert_int_equal(fake_os.purged_bytes, purged_before + page);
}

/* ---- Checking and releasing -------------------------------------------------------------------------------------- */

TEST(a_live_block_is_whole_and_knows_its_request) {
    for (size_t size = 0; size <= page; size += 13) {
        size_t requested_bytes = SIZE_MAX;
        char *block = alloc(size, 16);
        memset(block, 0xFF, size);
        assert_true(dam_sampled_check(block, "test", &requested_bytes));
        assert_int_equal(requested_bytes, size);
        dam_sampled_free(block);
    }
    assert_nothing_caught();
}

static void assert_change_is_found(char *block, char *place, enum dam_fault_kind kind) {
    size_t requested_bytes;
    unsigned char before = (unsigned char)*place;
    assert_int_equal(before, FILLING);
    *place ^= 0x04;
    assert_false(dam_sampled_check(block, "test", &requested_bytes));
    assert_ptr_equal(caught_fault()->damaged, place);
    assert_int_equal(caught_fault()->should_be[0], FILLING);
    assert_ptr_equal(caught_fault()->block, block);
    assert_int_equal(caught_fault()->requested_bytes, 100);
    assert_caught(kind);
    dam_sampled_free(block);
    assert_caught(kind);
    assert_true(is_accessible(block)); /* what is wrong is not released */
    *place = (char)before;
}

TEST(a_change_of_any_byte_around_a_block_is_found_by_a_check_and_by_its_release) {
    for (int i = 0; i < 8; i++) { /* at the start of its page, and at the end */
        char *block = alloc(100, 16);
        for (char *place = page_of(block); place < block; place++)
            assert_change_is_found(block, place, DAM_FAULT_HEADER);
        for (char *place = block + 100; place < page_of(block) + page; place++)
            assert_change_is_found(block, place, DAM_FAULT_OVERFLOW);
        dam_sampled_free(block);
        assert_nothing_caught();
    }
}

TEST(what_is_shown_of_a_change_ends_where_its_side_of_the_page_ends) {
    char *block = alloc(100, 16);
    while (block == page_of(block)) {
        dam_sampled_free(block);
        block = alloc(100, 16);
    }
    block[-5] ^= 1;
    dam_sampled_free(block);
    assert_int_equal(caught_fault()->damaged_bytes, 5);
    assert_caught(DAM_FAULT_HEADER);
    block[-5] ^= 1;
    block[110] ^= 1;
    dam_sampled_free(block);
    assert_int_equal(caught_fault()->damaged_bytes, 2);
    assert_caught(DAM_FAULT_OVERFLOW);
    block[110] ^= 1;
    dam_sampled_free(block);
}

TEST(a_released_block_is_no_block_to_any_call) {
    size_t requested_bytes;
    char *block = alloc(100, 16);
    dam_sampled_free(block);
    dam_sampled_free(block);
    assert_ptr_equal(caught_fault()->block, block);
    assert_int_equal(caught_fault()->requested_bytes, 100);
    assert_string_equal(caught_fault()->operation, "free");
    assert_caught(DAM_FAULT_DOUBLE_FREE);
    assert_false(dam_sampled_check(block, "realloc", &requested_bytes));
    assert_string_equal(caught_fault()->operation, "realloc");
    assert_caught(DAM_FAULT_DOUBLE_FREE);
}

TEST(an_address_at_which_no_block_starts_is_none) {
    size_t requested_bytes;
    char *block = alloc(100, 16);
    char *const PLACES[] = {block + 1, block + 16, block + 99, page_of(block) - 1, page_of(block) + page,
                            page_of(block) - page, block == page_of(block) ? block + 112 : block - 16};
    for (size_t i = 0; i < COUNT_OF(PLACES); i++) {
        assert_false(dam_sampled_check(PLACES[i], "test", &requested_bytes));
        assert_ptr_equal(caught_fault()->address, PLACES[i]);
        assert_caught(DAM_FAULT_NOT_A_BLOCK);
        dam_sampled_free(PLACES[i]);
        assert_caught(DAM_FAULT_NOT_A_BLOCK);
    }
    assert_true(dam_sampled_check(block, "test", &requested_bytes));
    dam_sampled_free(block);
    assert_nothing_caught();
}

TEST(a_block_that_shrinks_keeps_its_place_and_is_watched_from_its_new_end_on) {
    for (int i = 0; i < 8; i++) {
        size_t requested_bytes;
        char *block = alloc(200, 16);
        memset(block, 0x31, 200);
        assert_false(dam_sampled_shrink(block, 201));
        assert_true(dam_sampled_shrink(block, 200));
        assert_true(dam_sampled_shrink(block, 100));
        assert_false(dam_sampled_shrink(block, 200));
        assert_true(all_bytes_are(block, 100, 0x31));
        assert_true(dam_sampled_check(block, "test", &requested_bytes));
        assert_int_equal(requested_bytes, 100);
        for (size_t j = 100; j < 200; j++)
            assert_change_is_found(block, block + j, DAM_FAULT_OVERFLOW);
        dam_sampled_free(block);
        assert_false(dam_sampled_shrink(block, 50));
        assert_nothing_caught();
    }
}

struct allocation {
    void *block;
    size_t thread_id;
    bool shrank;
};

static void *allocate_elsewhere(void *argument) {
    struct allocation *allocation = argument;
    allocation->block = dam_sampled_alloc(64, 16);
    allocation->thread_id = dam_os_thread_id();
    return NULL;
}

static void *release_elsewhere(void *argument) {
    struct allocation *allocation = argument;
    allocation->shrank = dam_sampled_shrink(allocation->block, 1);
    dam_sampled_free(allocation->block);
    allocation->thread_id = dam_os_thread_id();
    return NULL;
}

TEST(a_fault_knows_who_allocated_the_block_and_who_released_it) {
    struct allocation allocated;
    thread_join(thread_start(allocate_elsewhere, &allocated));
    struct allocation released = allocated;
    dam_sampled_free((char *)allocated.block + 1);
    assert_int_equal(caught_fault()->allocated_by->thread_id, allocated.thread_id);
    assert_true(caught_fault()->allocated_by->depth > 0);
    assert_int_equal(caught_fault()->released_by->depth, 0);
    assert_caught(DAM_FAULT_NOT_A_BLOCK);
    thread_join(thread_start(release_elsewhere, &released));
    dam_sampled_free(allocated.block);
    assert_int_equal(caught_fault()->allocated_by->thread_id, allocated.thread_id);
    assert_int_equal(caught_fault()->released_by->thread_id, released.thread_id);
    assert_true(caught_fault()->released_by->depth > 0);
    assert_caught(DAM_FAULT_DOUBLE_FREE);
}

/* ---- What an access means ---------------------------------------------------------------------------------------- */

static struct dam_fault explain(const void *address) {
    struct dam_fault fault = {.operation = "read", .address = address};
    dam_sampled_explain(address, &fault);
    assert_string_equal(fault.operation, "read");
    assert_ptr_equal(fault.address, address);
    return fault;
}

static void assert_explained(const char *address, const char *block, enum dam_fault_kind kind, size_t distance_bytes) {
    struct dam_fault fault = explain(address);
    assert_int_equal(fault.kind, kind);
    assert_ptr_equal(fault.block, block);
    assert_int_equal(fault.requested_bytes, 100);
    assert_int_equal(fault.distance_bytes, distance_bytes);
}

/* A guard page belongs half to the slot in front of it and half to the one behind. */
TEST(an_access_beside_a_live_block_is_past_its_end_or_before_its_start) {
    for (int i = 0; i < 20; i++) {
        char *block = alloc(100, 16);
        char *guard = page_of(block) + page;
        assert_explained(guard, block, DAM_FAULT_ACCESS_PAST_END, (size_t)(guard - block) - 100);
        assert_explained(guard + page / 2 - 1, block, DAM_FAULT_ACCESS_PAST_END,
                         (size_t)(guard - block) - 100 + page / 2 - 1);
        guard = page_of(block) - page;
        assert_explained(guard + page - 1, block, DAM_FAULT_ACCESS_BEFORE_START, (size_t)(block - guard) - page + 1);
        assert_explained(guard + page / 2, block, DAM_FAULT_ACCESS_BEFORE_START, (size_t)(block - guard) - page / 2);
        dam_sampled_free(block);
    }
}

/* Comes first: only the first two slots have been used when it is done. */
TEST(a_guard_beside_a_slot_that_was_never_used_belongs_to_the_one_that_was) {
    char *block = alloc(100, 16);
    char *guard = page_of(block) + page;
    assert_ptr_equal(page_of(block), page_of_slot(1));
    assert_explained(guard + page - 1, block, DAM_FAULT_ACCESS_PAST_END, (size_t)(guard - block) - 100 + page - 1);
    struct dam_fault fault = explain(page_of_slot(7));
    assert_int_equal(fault.kind, DAM_FAULT_FOREIGN_POINTER);
    assert_null(fault.block);
    fault = explain(page_of_slot(7) + page + 8);
    assert_int_equal(fault.kind, DAM_FAULT_FOREIGN_POINTER);
    dam_sampled_free(block);
    assert_nothing_caught();
}

TEST(an_access_to_a_released_block_is_one_after_its_release) {
    for (int i = 0; i < 20; i++) {
        char *block = alloc(100, 16);
        dam_sampled_free(block);
        assert_explained(block, block, DAM_FAULT_ACCESS_AFTER_FREE, 0);
        assert_explained(block + 99, block, DAM_FAULT_ACCESS_AFTER_FREE, 99);
        assert_explained(block + 100, block, DAM_FAULT_ACCESS_PAST_END, 0);
        assert_explained(block - 1, block, DAM_FAULT_ACCESS_BEFORE_START, 1);
    }
}

TEST(the_outermost_guards_belong_to_the_outermost_slots) {
    alloc_all_slots();
    struct dam_fault first = explain(area_start);
    struct dam_fault last = explain(area_start + (2 * SLOT_COUNT + 1) * page - 1);
    assert_ptr_equal(page_of(first.block), page_of_slot(0));
    assert_int_equal(first.kind, DAM_FAULT_ACCESS_BEFORE_START);
    assert_ptr_equal(page_of(last.block), page_of_slot(SLOT_COUNT - 1));
    assert_int_equal(last.kind, DAM_FAULT_ACCESS_PAST_END);
    for (size_t i = 0; i < SLOT_COUNT; i++)
        release(i);
}

TEST(a_page_that_is_opened_can_be_touched_and_closes_with_its_slots_next_block) {
    char *block = alloc(100, 16);
    dam_sampled_free(block);
    assert_false(is_accessible(block));
    dam_sampled_open(block + 50);
    assert_true(is_accessible(page_of(block)));
    assert_true(is_accessible(page_of(block) + page - 1));
    assert_false(is_accessible(page_of(block) + page));
    memset(page_of(block), 0x55, page); /* the program goes on, and writes there */
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        char *later = alloc(300, 16);
        assert_true(all_bytes_are(later, 300, 0));
        dam_sampled_free(later);
    }
    assert_false(is_accessible(block));
    assert_nothing_caught();
}

/* ---- A system that refuses --------------------------------------------------------------------------------------- */

TEST(a_slot_that_cannot_be_opened_is_not_used_and_serves_later) {
    fake_os.refuses_protect = true;
    for (size_t i = 0; i < 2 * SLOT_COUNT; i++)
        assert_null(dam_sampled_alloc(100, 16));
    fake_os.refuses_protect = false;
    alloc_all_slots();
    for (size_t i = 0; i < SLOT_COUNT; i++)
        release(i);
    assert_nothing_caught();
}

/* The page stays accessible then, and what is in it stays, or not; but the block is released. */
TEST(a_slot_that_cannot_be_closed_is_released_all_the_same) {
    for (int purges = 0; purges <= 1; purges++) {
        char *block = alloc(100, 16);
        memset(block, 0x5A, 100);
        fake_os.refuses_protect = true;
        fake_os.refuses_purge = purges == 0;
        dam_sampled_free(block);
        dam_sampled_free(block);
        assert_caught(DAM_FAULT_DOUBLE_FREE);
        fake_os_reset();
        for (size_t i = 0; i < SLOT_COUNT; i++) {
            char *later = alloc(100, 16);
            assert_true(all_bytes_are(later, 100, 0));
            dam_sampled_free(later);
        }
        assert_nothing_caught();
    }
}

/* ---- fork and threads -------------------------------------------------------------------------------------------- */

TEST(while_a_fork_has_frozen_the_slots_other_threads_get_none_and_give_none_back) {
    char *block = alloc(100, 16);
    struct allocation allocated = {0};
    struct allocation released = {.block = block};
    dam_sampled_freeze();
    thread_join(thread_start(allocate_elsewhere, &allocated));
    thread_join(thread_start(release_elsewhere, &released));
    char *own = alloc(100, 16); /* the thread that forks passes freely */
    dam_sampled_free(own);
    dam_sampled_thaw();
    assert_null(allocated.block);
    assert_false(released.shrank);
    assert_nothing_caught();
    assert_true(is_accessible(block));
    dam_sampled_free(block);
    assert_nothing_caught();
    thread_join(thread_start(allocate_elsewhere, &allocated));
    assert_non_null(allocated.block);
    dam_sampled_free(allocated.block);
}

static void use_in_child(void *unused) {
    (void)unused;
    for (size_t i = 0; i < SLOT_COUNT; i += 2) {
        CHECK(pattern_holds(blocks[i], i, pattern_key(21, i)));
        dam_sampled_free(blocks[i]);
    }
    for (size_t i = 0; i < SLOT_COUNT; i += 2)
        CHECK(dam_sampled_alloc(i, 16) != NULL);
    CHECK(dam_sampled_alloc(1, 16) == NULL);
    CHECK(caught_count() == 0);
    dam_sampled_free(blocks[1]);
    dam_sampled_free(blocks[1]);
    CHECK(caught_count() == 1);
}

TEST(a_child_has_its_parents_slots) {
    alloc_all_slots();
    struct child_result result = child_run(use_in_child, NULL, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 0));
    for (size_t i = 0; i < SLOT_COUNT; i++)
        release(i);
    assert_nothing_caught();
}

enum { THREAD_COUNT = 4, ROUNDS = 3000, HELD = 70 };

static void *use_slots(void *argument) {
    uint64_t seed = (uintptr_t)argument;
    void *held[HELD] = {NULL};
    for (uint64_t i = 0; i < ROUNDS; i++) {
        size_t place = i % HELD;
        size_t size = (i * 37 + seed) % page;
        if (held[place] != NULL) {
            uint64_t made = i - HELD;
            CHECK(pattern_holds(held[place], (made * 37 + seed) % page, pattern_key(seed, made)));
            dam_sampled_free(held[place]);
        }
        held[place] = dam_sampled_alloc(size, 16);
        if (held[place] == NULL)
            continue;
        CHECK(all_bytes_are(held[place], size, 0));
        pattern_fill(held[place], size, pattern_key(seed, i));
    }
    for (size_t i = 0; i < HELD; i++)
        if (held[i] != NULL)
            dam_sampled_free(held[i]);
    return NULL;
}

TEST(threads_share_the_slots_and_never_a_page) {
    pthread_t threads[THREAD_COUNT];
    for (uintptr_t i = 0; i < THREAD_COUNT; i++)
        threads[i] = thread_start(use_slots, (void *)(i + 1)); // NOLINT(performance-no-int-to-ptr)
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
    assert_nothing_caught();
}

struct race {
    void *block;
    pthread_barrier_t barrier;
};

static void *release_at_once(void *argument) {
    struct race *race = argument;
    (void)pthread_barrier_wait(&race->barrier);
    dam_sampled_free(race->block);
    return NULL;
}

TEST(of_threads_that_release_one_block_at_once_all_but_one_are_told) {
    for (size_t i = 0; i < 200; i++) {
        struct race race = {.block = alloc(100, 16)};
        pthread_t threads[3];
        assert_int_equal(pthread_barrier_init(&race.barrier, NULL, COUNT_OF(threads)), 0);
        for (size_t j = 0; j < COUNT_OF(threads); j++)
            threads[j] = thread_start(release_at_once, &race);
        for (size_t j = 0; j < COUNT_OF(threads); j++)
            thread_join(threads[j]);
        assert_int_equal(caught_count(), COUNT_OF(threads) - 1);
        assert_int_equal(caught_fault()->kind, DAM_FAULT_DOUBLE_FREE);
        caught_reset();
        assert_int_equal(pthread_barrier_destroy(&race.barrier), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        sampled_test(a_guard_beside_a_slot_that_was_never_used_belongs_to_the_one_that_was),
        sampled_test(distances_lie_between_one_and_twice_the_mean),
        sampled_test(one_allocation_in_so_many_is_sampled_on_average),
        sampled_test(every_distance_occurs),
        sampled_test(with_every_one_each_allocation_is_sampled),
        sampled_test(the_largest_distances_fit_their_counter),
        sampled_test(threads_of_few_allocations_are_sampled_too),
        sampled_test(heaps_that_begin_together_are_sampled_apart),
        sampled_test(a_block_is_alone_on_its_page_between_two_that_cannot_be_touched),
        sampled_test(some_blocks_are_flush_with_the_start_of_their_page_and_some_with_its_end),
        sampled_test(a_size_that_the_alignment_divides_ends_where_the_guard_begins),
        sampled_test(blocks_are_aligned_as_asked_up_to_a_page),
        sampled_test(what_does_not_fit_a_page_is_not_sampled),
        sampled_test(a_block_reads_as_zero_whatever_was_on_its_page),
        sampled_test(the_addresses_of_other_memory_are_not_among_the_slots),
        sampled_test(a_page_is_accessible_if_and_only_if_it_holds_a_live_block),
        sampled_test(when_every_slot_is_taken_nothing_more_is_sampled_until_one_is_released),
        sampled_test(a_released_slot_is_used_again_when_every_other_free_one_has_been),
        sampled_test(a_released_page_is_given_back_to_the_system),
        sampled_test(a_live_block_is_whole_and_knows_its_request),
        sampled_test(a_change_of_any_byte_around_a_block_is_found_by_a_check_and_by_its_release),
        sampled_test(what_is_shown_of_a_change_ends_where_its_side_of_the_page_ends),
        sampled_test(a_released_block_is_no_block_to_any_call),
        sampled_test(an_address_at_which_no_block_starts_is_none),
        sampled_test(a_block_that_shrinks_keeps_its_place_and_is_watched_from_its_new_end_on),
        sampled_test(a_fault_knows_who_allocated_the_block_and_who_released_it),
        sampled_test(an_access_beside_a_live_block_is_past_its_end_or_before_its_start),
        sampled_test(an_access_to_a_released_block_is_one_after_its_release),
        sampled_test(the_outermost_guards_belong_to_the_outermost_slots),
        sampled_test(a_page_that_is_opened_can_be_touched_and_closes_with_its_slots_next_block),
        sampled_test(a_slot_that_cannot_be_opened_is_not_used_and_serves_later),
        sampled_test(a_slot_that_cannot_be_closed_is_released_all_the_same),
        sampled_test(while_a_fork_has_frozen_the_slots_other_threads_get_none_and_give_none_back),
        sampled_test(a_child_has_its_parents_slots),
        sampled_test(threads_share_the_slots_and_never_a_page),
        sampled_test(of_threads_that_release_one_block_at_once_all_but_one_are_told),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
