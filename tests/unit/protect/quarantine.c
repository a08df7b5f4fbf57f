// SPDX-License-Identifier: MIT
/* quarantine.c: blocks on their way through the quarantine: how they wait, how many, in which order they leave, and what is
 * found when they were touched meanwhile. The blocks come from the layers as protect.c takes them: a request and a tail. */
#include "protect/quarantine.h"

#include "direct/direct.h"
#include "direct/direct_pool.h"
#include "heap/heap_fast.h"
#include "inspect/verify.h"
#include "os/os.h"
#include "pool/pool_map.h"
#include "protect/tail.h"
#include "support/child.h"
#include "unit/protect/caught.h"
#include "unit/protect/probe.h"
#include "unit/support/fake_os.h"
#include "unit/support/threads.h"

/* Q1, as quarantine.c has it. */
#define BLOCK_COUNT_MAX ((size_t)8192)
#define KEPT_BYTES_MAX (16 * MIB)

#define SMALL_SIZE ((size_t)40)
#define GENERAL_SIZE ((size_t)3000)
#define SLICED_SIZE ((size_t)100000)
#define MAPPED_SIZE (3 * MIB)

static const size_t SIZES[] = {0, 1, 8, 9, SMALL_SIZE, 200, 248, 249, GENERAL_SIZE, 65528};

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

static struct quarantined entry_for(void *block, size_t size) {
    struct quarantined entry = {.block = block, .pool = pool_of(block), .size = size};
    size_t room = 0;
    assert_true(dam_check_usable_bytes(entry.pool, block, "test", &room));
    dam_tail_write(block, size, room, TAIL_LIVE);
    memset(block, 0xC3, size);
    if (pool_layer(entry.pool) != LAYER_DIRECT)
        entry.room = room;
    return entry;
}

/* A block as a program would be about to release it. */
static struct quarantined make(size_t size) {
    bool zeroed;
    void *block = dam_thread_alloc(size + TAIL_BYTES_MIN, GRANULE_BYTES, &zeroed);
    assert_non_null(block);
    return entry_for(block, size);
}

static void put(const struct quarantined *entry) {
    assert_int_equal(dam_quarantine_put(entry), QUARANTINE_TAKEN);
}

static void give_back(const struct quarantined *entry) {
    if (!heap_free_own(dam_own_heap(), entry->block, entry->pool))
        dam_free_of_others(entry->block, entry->pool);
}

static bool is_marked(const struct quarantined *entry) {
    size_t size;
    return dam_tail_read_size(entry->block, entry->room, TAIL_QUARANTINED, &size) && size == entry->size;
}

static struct quarantined take(void) {
    struct quarantined entry = {0};
    assert_true(dam_quarantine_take_due(&entry, true));
    return entry;
}

static size_t empty_the_quarantine(void) {
    struct quarantined entry;
    size_t count = 0;
    for (; dam_quarantine_take_due(&entry, true); count++)
        give_back(&entry);
    return count;
}

static int start(void **state) {
    (void)state;
    dam_start();
    dam_tail_init();
    return 0;
}

static int begin(void **state) {
    (void)state;
    caught_reset();
    fake_os_reset();
    return 0;
}

/* Whatever a test did, nothing of it waits any longer. */
static int end(void **state) {
    (void)state;
    fake_os_reset();
    caught_reset();
    return empty_the_quarantine() == 0 ? 0 : -1;
}

#define quarantine_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* ---- Waiting ----------------------------------------------------------------------------------------------------- */

TEST(a_block_waits_wiped_and_marked) { /* L1 */
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct quarantined entry = make(SIZES[i]);
        put(&entry);
        assert_true(all_bytes_are(entry.block, entry.size, 0));
        assert_true(is_marked(&entry));
        assert_true(dam_tail_filling_is_intact(entry.block, entry.size, entry.room, TAIL_QUARANTINED));
        struct quarantined taken = take();
        assert_ptr_equal(taken.block, entry.block);
        assert_ptr_equal(taken.pool, entry.pool);
        assert_int_equal(taken.size, entry.size);
        assert_int_equal(taken.room, entry.room);
        give_back(&taken);
    }
    assert_nothing_caught();
}

TEST(a_block_that_leaves_is_wiped_to_its_last_byte_and_bears_no_mark) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct quarantined entry = make(SIZES[i]);
        put(&entry);
        entry = take();
        assert_true(all_bytes_are(entry.block, entry.room, 0));
        assert_false(is_marked(&entry));
        give_back(&entry);
    }
    assert_nothing_caught();
}

TEST(a_direct_block_waits_inaccessible_and_without_pages) {
    static const size_t DIRECT_SIZES[] = {SLICED_SIZE, MAPPED_SIZE};
    for (size_t i = 0; i < COUNT_OF(DIRECT_SIZES); i++) {
        struct quarantined entry = make(DIRECT_SIZES[i]);
        size_t purged_before = fake_os.purged_bytes;
        put(&entry);
        assert_int_equal(fake_os.purged_bytes - purged_before, entry.pool->bytes);
        for (size_t offset = 0; offset < entry.pool->bytes; offset += dam_os_page_bytes())
            assert_false(is_accessible((char *)entry.block + offset));
        assert_int_equal(dam_direct_verify(entry.pool), 0);
        entry = take();
        for (size_t offset = 0; offset < entry.pool->bytes; offset += dam_os_page_bytes())
            assert_true(is_accessible((char *)entry.block + offset));
        assert_true(all_bytes_are(entry.block, entry.size, 0));
        assert_true(direct_canary_is_intact(entry.pool)); /* D3 */
        give_back(&entry);
    }
    assert_nothing_caught();
}

TEST(a_second_release_of_a_waiting_direct_block_is_a_double_free) {
    struct quarantined entry = make(SLICED_SIZE);
    put(&entry);
    assert_int_equal(dam_quarantine_put(&entry), QUARANTINE_REFUSED);
    give_back(&entry);
    assert_caught(DAM_FAULT_DOUBLE_FREE);
    assert_string_equal(caught_fault()->state, "released, in quarantine");
    entry = take();
    give_back(&entry);
    assert_nothing_caught();
}

/* ---- Q2 ---------------------------------------------------------------------------------------------------------- */

TEST(a_block_that_is_in_does_not_get_in_again) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct quarantined entry = make(SIZES[i]);
        put(&entry);
        assert_int_equal(dam_quarantine_put(&entry), QUARANTINE_TWICE);
        assert_true(is_marked(&entry));
        assert_int_equal(empty_the_quarantine(), 1);
    }
    assert_nothing_caught();
}

TEST(a_block_without_a_live_tail_does_not_get_in) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct quarantined entry = make(SIZES[i]);
        memset((char *)entry.block + entry.size, 0, entry.room - entry.size);
        assert_int_equal(dam_quarantine_put(&entry), QUARANTINE_TWICE);
        give_back(&entry);
    }
}

struct race {
    struct quarantined entry;
    pthread_barrier_t barrier;
    _Atomic(size_t) taken;
    _Atomic(size_t) twice;
};

static void *put_at_once(void *argument) {
    struct race *race = argument;
    (void)pthread_barrier_wait(&race->barrier);
    switch (dam_quarantine_put(&race->entry)) {
    case QUARANTINE_TAKEN:
        atomic_fetch_add(&race->taken, 1);
        break;
    case QUARANTINE_TWICE:
        atomic_fetch_add(&race->twice, 1);
        break;
    case QUARANTINE_REFUSED:
        break;
    }
    return NULL;
}

enum { RACE_COUNT = 200, RACER_COUNT = 3 };

TEST(of_threads_that_release_one_block_at_once_one_is_first_and_the_others_are_told) {
    for (size_t i = 0; i < RACE_COUNT; i++) {
        struct race race = {.entry = make(i % 2 == 0 ? SMALL_SIZE : GENERAL_SIZE)};
        pthread_t threads[RACER_COUNT];
        assert_int_equal(pthread_barrier_init(&race.barrier, NULL, RACER_COUNT), 0);
        for (size_t j = 0; j < RACER_COUNT; j++)
            threads[j] = thread_start(put_at_once, &race);
        for (size_t j = 0; j < RACER_COUNT; j++)
            thread_join(threads[j]);
        assert_int_equal(race.taken, 1);
        assert_int_equal(race.twice, RACER_COUNT - 1);
        assert_int_equal(empty_the_quarantine(), 1);
        assert_int_equal(pthread_barrier_destroy(&race.barrier), 0);
    }
    assert_nothing_caught();
}

/* ---- Q1, and the order ------------------------------------------------------------------------------------------- */

TEST(below_its_bounds_nothing_leaves) {
    struct quarantined entry;
    for (size_t i = 0; i < 100; i++) {
        struct quarantined one = make(SIZES[i % COUNT_OF(SIZES)]);
        put(&one);
        assert_false(dam_quarantine_take_due(&entry, false));
    }
    assert_int_equal(empty_the_quarantine(), 100);
}

TEST(blocks_leave_in_the_order_in_which_they_came) {
    static void *blocks[3 * BLOCK_COUNT_MAX];
    size_t left = 0;
    struct quarantined entry;
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        struct quarantined one = make(SMALL_SIZE);
        blocks[i] = one.block;
        put(&one);
        while (dam_quarantine_take_due(&entry, false)) {
            assert_ptr_equal(entry.block, blocks[left++]);
            give_back(&entry);
        }
        assert_true(i + 1 - left < BLOCK_COUNT_MAX);
    }
    assert_int_equal(COUNT_OF(blocks) - left, BLOCK_COUNT_MAX - 1);
    while (dam_quarantine_take_due(&entry, true)) {
        assert_ptr_equal(entry.block, blocks[left++]);
        give_back(&entry);
    }
    assert_int_equal(left, COUNT_OF(blocks));
}

TEST(no_more_bytes_are_kept_than_it_may_keep) {
    size_t kept = 0;
    size_t count = 0;
    struct quarantined entry;
    for (size_t i = 0; i < 2000; i++) {
        struct quarantined one = make(60000);
        put(&one);
        kept += one.room;
        count++;
        while (dam_quarantine_take_due(&entry, false)) {
            kept -= entry.room;
            count--;
            give_back(&entry);
        }
        assert_true(kept <= KEPT_BYTES_MAX);
    }
    assert_true(kept + 60000 + TAIL_BYTES_MIN > KEPT_BYTES_MAX);
    assert_int_equal(empty_the_quarantine(), count);
}

/* Nobody takes out what is due: that happens when a thread is stopped between the two. */
TEST(a_full_queue_refuses_and_leaves_the_block_as_it_is) {
    for (size_t i = 0; i < BLOCK_COUNT_MAX; i++) {
        struct quarantined one = make(SMALL_SIZE);
        put(&one);
    }
    struct quarantined one_more = make(SMALL_SIZE);
    assert_int_equal(dam_quarantine_put(&one_more), QUARANTINE_REFUSED);
    assert_true(all_bytes_are(one_more.block, one_more.size, 0xC3));
    size_t size;
    assert_true(dam_tail_read_size(one_more.block, one_more.room, TAIL_LIVE, &size));
    give_back(&one_more);
    struct quarantined direct = make(SLICED_SIZE);
    assert_int_equal(dam_quarantine_put(&direct), QUARANTINE_REFUSED);
    assert_true(is_accessible(direct.block));
    give_back(&direct);
    assert_int_equal(empty_the_quarantine(), BLOCK_COUNT_MAX);
    assert_nothing_caught();
}

TEST(a_direct_block_counts_as_a_block_and_keeps_no_bytes) {
    struct quarantined entry;
    for (size_t i = 0; i < 20; i++) {
        struct quarantined one = make(MAPPED_SIZE);
        put(&one);
    }
    assert_false(dam_quarantine_take_due(&entry, false));
    assert_int_equal(empty_the_quarantine(), 20);
}

/* ---- What is found ----------------------------------------------------------------------------------------------- */

/* A block at whose offset a byte was changed while it waited. */
static struct quarantined make_written(size_t size, size_t offset) {
    struct quarantined entry = make(size);
    put(&entry);
    ((unsigned char *)entry.block)[offset] ^= 0x40;
    return entry;
}

/* Its life is over: the byte as it was lets the memory go. */
static void repair(const struct quarantined *entry) {
    memset(entry->block, 0, entry->room);
    give_back(entry);
}

static void assert_write_is_found(size_t size, size_t offset) {
    struct quarantined entry = make_written(size, offset);
    struct quarantined next;
    assert_false(dam_quarantine_take_due(&next, true));
    const struct dam_fault *fault = caught_fault();
    assert_ptr_equal(fault->block, entry.block);
    assert_int_equal(fault->requested_bytes, size);
    assert_ptr_equal(fault->pool_start, pool_start(entry.pool));
    const unsigned char *place = (unsigned char *)entry.block + offset;
    if (offset < size)
        assert_ptr_equal(fault->address, place);
    assert_true(fault->damaged <= place && place < fault->damaged + fault->damaged_bytes);
    assert_caught(DAM_FAULT_WRITE_AFTER_FREE);
    repair(&entry);
}

TEST(a_write_to_any_byte_of_a_waiting_block_is_found_when_it_leaves) {
    for (size_t i = 0; i < COUNT_OF(SIZES) && SIZES[i] <= 256; i++) {
        struct quarantined one = make(SIZES[i]);
        size_t room = one.room;
        give_back(&one);
        for (size_t offset = 0; offset < smaller_of(room, SIZES[i] + FAULT_SHOWN_BYTES_MAX); offset++)
            assert_write_is_found(SIZES[i], offset);
    }
    for (size_t offset = 0; offset < GENERAL_SIZE + TAIL_BYTES_MIN; offset++)
        assert_write_is_found(GENERAL_SIZE, offset);
}

TEST(what_was_written_is_shown_from_its_first_byte_on) {
    struct quarantined entry = make(GENERAL_SIZE);
    put(&entry);
    memset((char *)entry.block + 1000, 0x41, 5);
    struct quarantined next;
    assert_false(dam_quarantine_take_due(&next, true));
    assert_ptr_equal(caught_fault()->damaged, (unsigned char *)entry.block + 1000);
    assert_int_equal(caught_fault()->damaged_bytes, FAULT_SHOWN_BYTES_MAX);
    assert_true(all_bytes_are(caught_fault()->should_be, FAULT_SHOWN_BYTES_MAX, 0));
    assert_caught(DAM_FAULT_WRITE_AFTER_FREE);
    repair(&entry);
    entry = make_written(GENERAL_SIZE, GENERAL_SIZE - 3);
    assert_false(dam_quarantine_take_due(&next, true));
    assert_int_equal(caught_fault()->damaged_bytes, 3);
    assert_caught(DAM_FAULT_WRITE_AFTER_FREE);
    repair(&entry);
}

TEST(a_block_that_was_written_to_stays_out_of_use_and_the_next_one_leaves) {
    struct quarantined first = make(SMALL_SIZE);
    put(&first);
    struct quarantined written = make_written(SMALL_SIZE, 7);
    struct quarantined last = make(SMALL_SIZE);
    put(&last);
    struct quarantined taken = take();
    assert_ptr_equal(taken.block, first.block);
    assert_nothing_caught();
    give_back(&taken);
    taken = take();
    assert_ptr_equal(taken.block, last.block);
    assert_caught(DAM_FAULT_WRITE_AFTER_FREE);
    give_back(&taken);
    struct quarantined none;
    assert_false(dam_quarantine_take_due(&none, true));
    repair(&written);
}

TEST(a_look_at_all_finds_what_was_written_and_takes_nothing_out) {
    struct quarantined entries[20];
    for (size_t i = 0; i < COUNT_OF(entries); i++) {
        entries[i] = make(i % 3 == 2 ? SLICED_SIZE : i % 3 == 1 ? GENERAL_SIZE : SMALL_SIZE);
        put(&entries[i]);
    }
    dam_quarantine_check_all();
    assert_nothing_caught();
    unsigned char *byte = (unsigned char *)entries[4].block + 2999;
    unsigned char *other = (unsigned char *)entries[15].block;
    *byte = 1;
    *other = 1;
    dam_quarantine_check_all();
    assert_int_equal(caught_count(), 2);
    *byte = 0;
    *other = 0;
    caught_reset();
    assert_int_equal(empty_the_quarantine(), COUNT_OF(entries));
    assert_nothing_caught();
}

/* ---- A system that refuses --------------------------------------------------------------------------------------- */

TEST(a_direct_block_that_cannot_be_hidden_is_refused_and_stays_live) {
    static const size_t DIRECT_SIZES[] = {SLICED_SIZE, MAPPED_SIZE};
    for (size_t i = 0; i < COUNT_OF(DIRECT_SIZES); i++) {
        struct quarantined entry = make(DIRECT_SIZES[i]);
        fake_os.refuses_protect = true;
        assert_int_equal(dam_quarantine_put(&entry), QUARANTINE_REFUSED);
        fake_os.refuses_protect = false;
        assert_true(dam_direct_check_live(entry.pool, entry.block, "test"));
        assert_int_equal(dam_direct_verify(entry.pool), 0);
        give_back(&entry);
    }
    assert_nothing_caught();
}

TEST(a_direct_block_whose_pages_are_not_taken_back_is_wiped_all_the_same_before_it_is_used_again) {
    struct quarantined entry = make(MAPPED_SIZE);
    fake_os.refuses_purge = true;
    put(&entry);
    fake_os.refuses_purge = false;
    assert_false(is_accessible(entry.block));
    entry = take();
    assert_int_equal(dam_direct_verify(entry.pool), 0);
    give_back(&entry);
    assert_nothing_caught();
}

/* And nobody takes it for a block that was released twice. */
TEST(a_direct_block_that_cannot_be_shown_stays_out_of_use_and_the_next_one_leaves) {
    struct quarantined hidden = make(SLICED_SIZE);
    struct quarantined next = make(SMALL_SIZE);
    put(&hidden);
    put(&next);
    fake_os.refuses_protect = true;
    struct quarantined taken = take();
    fake_os.refuses_protect = false;
    assert_ptr_equal(taken.block, next.block);
    give_back(&taken);
    assert_nothing_caught();
    assert_int_equal(dam_direct_verify(hidden.pool), 0);
    assert_false(is_accessible(hidden.block));
    assert_true(dam_direct_show(hidden.pool));
    give_back(&hidden);
    assert_nothing_caught();
}

/* ---- fork -------------------------------------------------------------------------------------------------------- */

struct elsewhere {
    struct quarantined entry;
    enum quarantine_outcome outcome;
    bool took;
};

static void *use_elsewhere(void *argument) {
    struct elsewhere *elsewhere = argument;
    struct quarantined entry;
    elsewhere->outcome = dam_quarantine_put(&elsewhere->entry);
    elsewhere->took = dam_quarantine_take_due(&entry, true);
    if (elsewhere->took)
        give_back(&entry);
    dam_quarantine_check_all();
    return NULL;
}

TEST(while_a_fork_has_frozen_it_other_threads_are_refused_without_waiting) {
    static const size_t ALL_SIZES[] = {SMALL_SIZE, GENERAL_SIZE, SLICED_SIZE};
    for (size_t i = 0; i < COUNT_OF(ALL_SIZES); i++) {
        struct quarantined waiting = make(SMALL_SIZE);
        struct elsewhere elsewhere = {.entry = make(ALL_SIZES[i])};
        put(&waiting);
        dam_quarantine_freeze();
        thread_join(thread_start(use_elsewhere, &elsewhere));
        assert_int_equal(elsewhere.outcome, QUARANTINE_REFUSED);
        assert_false(elsewhere.took);
        assert_true(is_accessible(elsewhere.entry.block));
        assert_true(all_bytes_are(elsewhere.entry.block, ALL_SIZES[i], 0xC3));
        dam_quarantine_thaw();
        thread_join(thread_start(use_elsewhere, &elsewhere));
        assert_int_equal(elsewhere.outcome, QUARANTINE_TAKEN);
        assert_true(elsewhere.took);
        assert_int_equal(empty_the_quarantine(), 1);
    }
    assert_nothing_caught();
}

TEST(the_thread_that_forks_may_use_it_while_it_is_frozen) {
    struct quarantined entry = make(SMALL_SIZE);
    dam_quarantine_freeze();
    put(&entry);
    assert_int_equal(empty_the_quarantine(), 1);
    dam_quarantine_thaw();
}

static void empty_what_was_inherited(void *expected) {
    CHECK(empty_the_quarantine() == *(const size_t *)expected);
    CHECK(caught_count() == 0);
    struct quarantined entry = make(GENERAL_SIZE);
    CHECK(dam_quarantine_put(&entry) == QUARANTINE_TAKEN);
    CHECK(empty_the_quarantine() == 1);
}

TEST(a_child_has_what_waited_in_its_parent) {
    size_t count = 300;
    for (size_t i = 0; i < count; i++) {
        struct quarantined one = make(i % 3 == 0 ? SLICED_SIZE : SIZES[i % COUNT_OF(SIZES)]);
        put(&one);
    }
    struct child_result result = child_run(empty_what_was_inherited, &count, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 0));
    assert_int_equal(empty_the_quarantine(), count);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

enum { THREAD_COUNT = 4, RELEASES_EACH = 6000 };

static _Atomic(size_t) puts_of_all;
static _Atomic(size_t) takes_of_all;

/* As protect.c does it: a release, and then whatever is due, whoever released it. */
static void *release_many(void *unused) {
    (void)unused;
    for (size_t i = 0; i < RELEASES_EACH; i++) {
        bool zeroed;
        size_t size = i % 100 == 0 ? SLICED_SIZE : SIZES[i % COUNT_OF(SIZES)];
        unsigned char *block = dam_thread_alloc(size + TAIL_BYTES_MIN, GRANULE_BYTES, &zeroed);
        CHECK(block != NULL);
        struct quarantined entry = {.block = block, .pool = pool_of(block), .size = size};
        size_t room;
        CHECK(dam_check_usable_bytes(entry.pool, block, "test", &room));
        entry.room = pool_layer(entry.pool) == LAYER_DIRECT ? 0 : room;
        memset(block, 0xC3, size);
        dam_tail_write(block, size, room, TAIL_LIVE);
        CHECK(dam_quarantine_put(&entry) == QUARANTINE_TAKEN);
        atomic_fetch_add(&puts_of_all, 1);
        for (; dam_quarantine_take_due(&entry, i % 1000 == 999); atomic_fetch_add(&takes_of_all, 1)) {
            CHECK(pool_layer(entry.pool) == LAYER_DIRECT || all_bytes_are(entry.block, entry.room, 0));
            give_back(&entry);
        }
    }
    return NULL;
}

TEST(threads_that_release_at_once_lose_no_block) {
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++)
        threads[i] = thread_start(release_many, NULL);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
    assert_int_equal(puts_of_all, THREAD_COUNT * RELEASES_EACH);
    assert_int_equal(takes_of_all + empty_the_quarantine(), puts_of_all);
    assert_nothing_caught();
    assert_int_equal(dam_verify_all(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        quarantine_test(a_block_waits_wiped_and_marked),
        quarantine_test(a_block_that_leaves_is_wiped_to_its_last_byte_and_bears_no_mark),
        quarantine_test(a_direct_block_waits_inaccessible_and_without_pages),
        quarantine_test(a_second_release_of_a_waiting_direct_block_is_a_double_free),
        quarantine_test(a_block_that_is_in_does_not_get_in_again),
        quarantine_test(a_block_without_a_live_tail_does_not_get_in),
        quarantine_test(of_threads_that_release_one_block_at_once_one_is_first_and_the_others_are_told),
        quarantine_test(below_its_bounds_nothing_leaves),
        quarantine_test(blocks_leave_in_the_order_in_which_they_came),
        quarantine_test(no_more_bytes_are_kept_than_it_may_keep),
        quarantine_test(a_full_queue_refuses_and_leaves_the_block_as_it_is),
        quarantine_test(a_direct_block_counts_as_a_block_and_keeps_no_bytes),
        quarantine_test(a_write_to_any_byte_of_a_waiting_block_is_found_when_it_leaves),
        quarantine_test(what_was_written_is_shown_from_its_first_byte_on),
        quarantine_test(a_block_that_was_written_to_stays_out_of_use_and_the_next_one_leaves),
        quarantine_test(a_look_at_all_finds_what_was_written_and_takes_nothing_out),
        quarantine_test(a_direct_block_that_cannot_be_hidden_is_refused_and_stays_live),
        quarantine_test(a_direct_block_whose_pages_are_not_taken_back_is_wiped_all_the_same_before_it_is_used_again),
        quarantine_test(a_direct_block_that_cannot_be_shown_stays_out_of_use_and_the_next_one_leaves),
        quarantine_test(while_a_fork_has_frozen_it_other_threads_are_refused_without_waiting),
        quarantine_test(the_thread_that_forks_may_use_it_while_it_is_frozen),
        quarantine_test(a_child_has_what_waited_in_its_parent),
        quarantine_test(threads_that_release_at_once_lose_no_block),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
