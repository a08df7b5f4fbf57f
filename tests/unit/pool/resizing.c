// SPDX-License-Identifier: MIT
/* resizing.c: pools of one block change their size: extended and shortened in place, moved with their pages; also when
 * the system refuses, and while a fork has frozen the central lock. */
#include "pool/pool.h"

#include "support/memory_use.h"
#include "support/pattern.h"
#include "unit/pool/pools.h"

static struct pool *create_filled(size_t bytes, bool as_mapping) {
    struct pool *pool = create(LAYER_DIRECT, bytes, as_mapping);
    dam_pool_own_new(pool);
    pattern_fill(pool_start(pool), bytes, pattern_key(3, bytes));
    return pool;
}

static void assert_holds(const struct pool *pool, size_t bytes, size_t old_bytes) {
    assert_true(pattern_holds(pool_start(pool), bytes, pattern_key(3, old_bytes)));
}

TEST(slices_are_extended_in_place_with_entries_and_totals) {
    struct pool *pool = create_filled(2 * SLICE_BYTES, false);
    assert_true(dam_pool_extend(pool, 5 * SLICE_BYTES));
    assert_int_equal(pool->bytes, 5 * SLICE_BYTES);
    assert_mapped_to(pool->start, 5 * SLICE_BYTES, pool);
    assert_int_equal(figures(LAYER_DIRECT).bytes, before[LAYER_DIRECT].bytes + 5 * SLICE_BYTES);
    assert_holds(pool, 2 * SLICE_BYTES, 2 * SLICE_BYTES);
    struct pool *behind = create(LAYER_DIRECT, SLICE_BYTES, false);
    assert_int_equal(behind->start, pool->start + 5 * SLICE_BYTES);
    assert_false(dam_pool_extend(pool, 6 * SLICE_BYTES));
    assert_int_equal(pool->bytes, 5 * SLICE_BYTES);
    assert_mapped_to(behind->start, SLICE_BYTES, behind);
    dam_pool_retire(behind);
    dam_pool_retire(pool);
}

TEST(a_mapping_is_extended_where_the_addresses_behind_it_are_free) {
    struct pool *pool = create_filled(8 * MIB, true);
    assert_true(dam_pool_shorten(pool, 3 * MIB + 4096)); /* now they are */
    assert_true(dam_pool_extend(pool, 5 * MIB));
    assert_mapped_to(pool->start, 5 * MIB, pool);
    assert_mapped_to(pool->start + 5 * MIB, SLICE_BYTES, nobody());
    assert_holds(pool, 3 * MIB + 4096, 8 * MIB);
    assert_true(all_bytes_are(pool_start(pool) + 3 * MIB + 4096, 2 * MIB - 4096, 0));
    fake_os.refuses_grow = true;
    assert_false(dam_pool_extend(pool, 7 * MIB));
    assert_int_equal(pool->bytes, 5 * MIB);
    assert_mapped_to(pool->start + 5 * MIB, 2 * MIB, nobody());
    dam_pool_retire(pool);
}

TEST(shortening_gives_the_end_back_and_keeps_the_slice_that_both_parts_share) {
    struct pool *pool = create_filled(4 * MIB, true);
    uintptr_t start = pool->start;
    size_t mapped = memory_mapped_bytes();
    assert_true(dam_pool_shorten(pool, 10 * SLICE_BYTES + 4096));
    assert_int_equal(pool->bytes, 10 * SLICE_BYTES + 4096);
    assert_int_equal(memory_mapped_bytes(), mapped - (4 * MIB - 10 * SLICE_BYTES - 4096));
    assert_mapped_to(start, 11 * SLICE_BYTES, pool);
    assert_mapped_to(start + 11 * SLICE_BYTES, 4 * MIB - 11 * SLICE_BYTES, nobody());
    assert_int_equal(figures(LAYER_DIRECT).bytes, before[LAYER_DIRECT].bytes + 10 * SLICE_BYTES + 4096);
    assert_holds(pool, 10 * SLICE_BYTES + 4096, 4 * MIB);
    dam_pool_retire(pool);
}

TEST(shortened_slices_are_dirty_and_somebody_elses_next) {
    struct pool *pool = create_filled(8 * SLICE_BYTES, false);
    assert_true(dam_pool_shorten(pool, 3 * SLICE_BYTES));
    assert_int_equal(region_figures().used_bytes, 3 * SLICE_BYTES);
    assert_int_equal(region_figures().dirty_bytes, 5 * SLICE_BYTES);
    assert_mapped_to(pool->start + 3 * SLICE_BYTES, 5 * SLICE_BYTES, nobody());
    struct pool *next = create(LAYER_DIRECT, 5 * SLICE_BYTES, false);
    assert_int_equal(next->start, pool->start + 3 * SLICE_BYTES);
    assert_holds(pool, 3 * SLICE_BYTES, 8 * SLICE_BYTES);
    dam_pool_retire(next);
    dam_pool_retire(pool);
}

TEST(a_refused_shortening_changes_nothing) {
    struct pool *pool = create_filled(4 * MIB, true);
    fake_os.refuses_unmap = true;
    assert_false(dam_pool_shorten(pool, MIB));
    assert_int_equal(pool->bytes, 4 * MIB);
    assert_mapped_to(pool->start, 4 * MIB, pool);
    assert_int_equal(figures(LAYER_DIRECT).bytes, before[LAYER_DIRECT].bytes + 4 * MIB);
    assert_holds(pool, 4 * MIB, 4 * MIB);
    dam_pool_retire(pool);
}

TEST(moving_takes_pages_and_entries_to_the_new_place) {
    struct pool *pool = create_filled(2 * MIB + 4096, true);
    uintptr_t old_start = pool->start;
    size_t mapped = memory_mapped_bytes();
    assert_true(dam_pool_move(pool, 9 * MIB));
    assert_int_not_equal(pool->start, old_start);
    assert_true(is_aligned(pool_start(pool), SLICE_BYTES));
    assert_int_equal(pool->bytes, 9 * MIB);
    assert_mapped_to(pool->start, 9 * MIB, pool);
    bool apart = pool->start + 9 * MIB <= old_start || old_start + 3 * MIB <= pool->start;
    assert_true(apart);
    assert_mapped_to(old_start, 2 * MIB + 4096, nobody());
    assert_holds(pool, 2 * MIB + 4096, 2 * MIB + 4096);
    assert_true(all_bytes_are(pool_start(pool) + 2 * MIB + 4096, 7 * MIB - 4096, 0));
    assert_int_equal(memory_mapped_bytes(), mapped + 7 * MIB - 4096);
    assert_int_equal(figures(LAYER_DIRECT).bytes, before[LAYER_DIRECT].bytes + 9 * MIB);
    dam_pool_retire(pool);
}

TEST(a_refused_move_changes_nothing) {
    struct pool *pool = create_filled(2 * MIB, true);
    uintptr_t start = pool->start;
    size_t mapped = memory_mapped_bytes();
    fake_os.refuses_reserve = true;
    assert_false(dam_pool_move(pool, 9 * MIB));
    fake_os.refuses_reserve = false;
    fake_os.refuses_move = true;
    assert_false(dam_pool_move(pool, 9 * MIB));
    assert_int_equal(pool->start, start);
    assert_int_equal(pool->bytes, 2 * MIB);
    assert_mapped_to(start, 2 * MIB, pool);
    assert_holds(pool, 2 * MIB, 2 * MIB);
    assert_int_equal(memory_mapped_bytes(), mapped);
    dam_pool_retire(pool);
}

TEST(while_the_lock_is_frozen_slices_are_neither_extended_nor_shortened) {
    struct freeze freeze = {0};
    struct pool *pool = create_filled(4 * SLICE_BYTES, false);
    pthread_t freezer = thread_start(freeze_central, &freeze);
    event_wait(&freeze.frozen);
    bool extended = dam_pool_extend(pool, 5 * SLICE_BYTES);
    bool shortened = dam_pool_shorten(pool, SLICE_BYTES);
    event_raise(&freeze.thaw);
    thread_join(freezer);
    assert_false(extended);
    assert_false(shortened);
    assert_int_equal(pool->bytes, 4 * SLICE_BYTES);
    assert_mapped_to(pool->start, 4 * SLICE_BYTES, pool);
    dam_pool_retire(pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        QUIET(slices_are_extended_in_place_with_entries_and_totals),
        QUIET(a_mapping_is_extended_where_the_addresses_behind_it_are_free),
        QUIET(shortening_gives_the_end_back_and_keeps_the_slice_that_both_parts_share),
        QUIET(shortened_slices_are_dirty_and_somebody_elses_next),
        QUIET(a_refused_shortening_changes_nothing),
        QUIET(moving_takes_pages_and_entries_to_the_new_place),
        QUIET(a_refused_move_changes_nothing),
        QUIET(while_the_lock_is_frozen_slices_are_neither_extended_nor_shortened),
    };
    watchdog_start("unit.pool.resizing");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
