// SPDX-License-Identifier: MIT
/* stacks.c: whose stacks are recorded, what becomes of a record, and that no block is shown another's. */
#include "protect/stacks.h"

#include "base/options_table.h"
#include "guard/fault.h"
#include "guard/stack_trace.h"
#include "heap/heap.h"
#include "options/options.h"
#include "os/os.h"
#include "support/test.h"
#include "unit/support/fake_os.h"
#include "unit/support/threads.h"

/* As stacks.c has it: more blocks than this cannot all be recorded. */
#define RECORD_COUNT ((size_t)1 << 16)

static fault_stack_finder *finder;

void __wrap_dam_fault_set_stack_finder(fault_stack_finder *new_finder);

void __wrap_dam_fault_set_stack_finder(fault_stack_finder *new_finder) {
    finder = new_finder;
}

struct stacks {
    const struct stack_trace *allocated_by;
    const struct stack_trace *released_by;
};

static struct stacks stacks_of(const void *block) {
    struct stacks stacks = {NULL, NULL};
    finder(block, &stacks.allocated_by, &stacks.released_by);
    return stacks;
}

static bool is_recorded(const void *block) {
    return stacks_of(block).allocated_by != NULL;
}

/* Blocks are only ever their addresses here. */
static const void *block_at(size_t index) {
    return (const void *)(uintptr_t)(0x10000000 + 16 * index); // NOLINT(performance-no-int-to-ptr)
}

/* Without a heap every allocation is recorded. */
static void note(const void *block) {
    dam_stacks_note_allocated(block, NULL);
}

static int start(void **state) {
    (void)state;
    dam_start();
    fake_os.map_bytes_max = 0;
    assert_false(dam_stacks_init());
    assert_null(finder);
    note(block_at(0)); /* nothing comes of it */
    dam_stacks_note_released(block_at(0));
    fake_os_reset();
    assert_true(dam_stacks_init());
    assert_non_null(finder);
    return 0;
}

/* ---- Recording --------------------------------------------------------------------------------------------------- */

TEST(a_block_that_was_never_noted_has_no_stacks) {
    for (size_t i = 0; i < 1000; i++)
        assert_false(is_recorded(block_at(i)));
    dam_stacks_note_released(block_at(5));
    assert_false(is_recorded(block_at(5)));
}

TEST(an_allocations_stack_is_its_threads_and_leads_here) {
    note(block_at(1));
    struct stacks stacks = stacks_of(block_at(1));
    assert_int_equal(stacks.allocated_by->thread_id, dam_os_thread_id());
    assert_true(stacks.allocated_by->depth > 0);
    assert_int_equal(stacks.released_by->depth, 0);
}

TEST(a_release_is_recorded_beside_the_allocation) {
    note(block_at(2));
    dam_stacks_note_released(block_at(2));
    struct stacks stacks = stacks_of(block_at(2));
    assert_true(stacks.allocated_by->depth > 0);
    assert_true(stacks.released_by->depth > 0);
    assert_int_equal(stacks.released_by->thread_id, dam_os_thread_id());
}

TEST(the_next_block_in_a_place_has_not_been_released) {
    note(block_at(3));
    dam_stacks_note_released(block_at(3));
    note(block_at(3));
    assert_int_equal(stacks_of(block_at(3)).released_by->depth, 0);
}

/* What is known of an earlier block is not said of this one. */
TEST(a_block_that_is_not_recorded_takes_the_record_of_an_earlier_one_in_its_place_away) {
    static struct heap heap;
    heap = (struct heap){0};
    note(block_at(4));
    dam_stacks_note_allocated(block_at(40), &heap); /* due: the first */
    assert_true(is_recorded(block_at(40)));
    dam_stacks_note_allocated(block_at(4), &heap); /* not due */
    assert_false(is_recorded(block_at(4)));
    dam_stacks_note_released(block_at(4));
    assert_false(is_recorded(block_at(4)));
}

TEST(one_allocation_in_so_many_is_recorded_beginning_with_a_heaps_first) {
    static struct heap heap;
    heap = (struct heap){0};
    size_t every = DAM_SETTING(stack_every);
    assert_true(every > 1);
    for (size_t i = 0; i < 10 * every; i++) {
        dam_stacks_note_allocated(block_at(1000 + i), &heap);
        assert_int_equal(is_recorded(block_at(1000 + i)), i % every == 0);
    }
}

/* ---- A full table ------------------------------------------------------------------------------------------------ */

struct noting {
    size_t first;
    uint32_t thread_id;
};

/* Every second block. */
static void *note_half(void *argument) {
    struct noting *noting = argument;
    noting->thread_id = dam_os_thread_id();
    for (size_t i = noting->first; i < 4 * RECORD_COUNT; i += 2)
        note(block_at(i));
    return NULL;
}

TEST(more_blocks_than_there_are_records_lose_some_and_confuse_none) {
    struct noting even = {.first = 0};
    struct noting odd = {.first = 1};
    thread_join(thread_start(note_half, &even));
    thread_join(thread_start(note_half, &odd));
    size_t recorded = 0;
    for (size_t i = 0; i < 4 * RECORD_COUNT; i++) {
        const struct stack_trace *allocated_by = stacks_of(block_at(i)).allocated_by;
        if (allocated_by == NULL)
            continue;
        recorded++;
        assert_int_equal(allocated_by->thread_id, i % 2 == 0 ? even.thread_id : odd.thread_id);
    }
    assert_true(recorded <= RECORD_COUNT);
    assert_true(recorded > RECORD_COUNT / 2);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

enum { THREAD_COUNT = 4, NOTES_EACH = 5000, PLACES = 50 };

static void *note_the_same_places(void *unused) {
    (void)unused;
    for (size_t i = 0; i < NOTES_EACH; i++) {
        note(block_at(i % PLACES));
        dam_stacks_note_released(block_at(i % PLACES));
    }
    return NULL;
}

TEST(threads_that_meet_at_a_record_leave_it_whole) {
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++)
        threads[i] = thread_start(note_the_same_places, NULL);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
    for (size_t i = 0; i < PLACES; i++) {
        struct stacks stacks = stacks_of(block_at(i));
        assert_true(stacks.allocated_by->depth > 0 && stacks.allocated_by->depth <= STACK_DEPTH_MAX);
        note(block_at(i)); /* no latch was left closed */
        dam_stacks_note_released(block_at(i));
        stacks = stacks_of(block_at(i));
        assert_int_equal(stacks.allocated_by->thread_id, dam_os_thread_id());
        assert_int_equal(stacks.released_by->thread_id, dam_os_thread_id());
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_that_was_never_noted_has_no_stacks),
        cmocka_unit_test(an_allocations_stack_is_its_threads_and_leads_here),
        cmocka_unit_test(a_release_is_recorded_beside_the_allocation),
        cmocka_unit_test(the_next_block_in_a_place_has_not_been_released),
        cmocka_unit_test(a_block_that_is_not_recorded_takes_the_record_of_an_earlier_one_in_its_place_away),
        cmocka_unit_test(one_allocation_in_so_many_is_recorded_beginning_with_a_heaps_first),
        cmocka_unit_test(more_blocks_than_there_are_records_lose_some_and_confuse_none),
        cmocka_unit_test(threads_that_meet_at_a_record_leave_it_whole),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
