// SPDX-License-Identifier: MIT
/* life.c: a pool from its creation to its end: memory, descriptor, map and totals, also when the system refuses at any
 * step, and while a fork has frozen the central lock. */
#include "pool/pool.h"

#include "pool/shared_pools.h"
#include "support/child.h"
#include "support/memory_use.h"
#include "unit/pool/pools.h"

/* ---- Creation and end -------------------------------------------------------------------------------------------- */

TEST(a_new_pool_has_memory_entries_a_key_and_no_owner) { /* P1 */
    struct pool *pool = create(LAYER_GENERAL, 4 * SLICE_BYTES, false);
    assert_int_equal(pool_layer(pool), LAYER_GENERAL);
    assert_true(is_aligned(pool_start(pool), SLICE_BYTES));
    assert_int_equal(pool->bytes, 4 * SLICE_BYTES);
    assert_false(pool->is_mapping);
    assert_true(pool->read_as_zero);
    assert_int_equal(pool->key & 1, 1);
    assert_int_equal(atomic_load(&pool->remote), 0);
    assert_null(pool->small_owner);
    assert_null(pool->general_owner);
    assert_int_equal(pool->live, 0);
    assert_int_equal(pool->carved, 0);
    assert_false(pool->shared);
    assert_true(list_is_empty(&pool->link));
    assert_true(list_is_empty(&pool->shared_link));
    assert_mapped_to(pool->start, pool->bytes, pool);
    memset(pool_start(pool), 0x1F, pool->bytes);
    dam_pool_retire(pool);
}

TEST(a_retired_pool_leaves_no_entry_and_its_slices_are_free_and_dirty) {
    struct pool *pool = create(LAYER_SMALL, SLICE_BYTES, false);
    uintptr_t start = pool->start;
    dam_pool_own_new(pool);
    dam_pool_retire(pool);
    assert_mapped_to(start, SLICE_BYTES, nobody());
    assert_int_equal(region_figures().used_bytes, 0);
    assert_int_equal(region_figures().dirty_bytes, SLICE_BYTES);
    struct pool *again = create(LAYER_DIRECT, SLICE_BYTES, false);
    assert_int_equal(again->start, start); /* touched memory first, whatever layer wants it */
    assert_false(again->read_as_zero);
    dam_pool_retire(again);
}

TEST(a_descriptor_starts_anew_in_each_life_with_another_key) { /* P3 */
    struct pool *pool = create(LAYER_SMALL, SLICE_BYTES, false);
    uint64_t key = pool->key;
    pool->live = 5;
    pool->carved = 6;
    pool->free_head = 7;
    pool->class_index = 8;
    pool->block_bytes = 9;
    dam_pool_own_new(pool);
    dam_pool_retire(pool);
    struct pool *again = create(LAYER_GENERAL, SLICE_BYTES, false);
    assert_ptr_equal(again, pool);
    assert_int_equal(pool_layer(again), LAYER_GENERAL);
    assert_true(again->key != key);
    assert_int_equal(again->live, 0);
    assert_int_equal(again->carved, 0);
    assert_int_equal(again->free_head, 0);
    assert_int_equal(again->class_index, 0);
    assert_int_equal(again->block_bytes, 0);
    assert_int_equal(atomic_load(&again->remote), 0);
    dam_pool_retire(again);
}

TEST(totals_follow_pools_of_each_layer_and_remember_the_peak) {
    struct pool *small = create(LAYER_SMALL, SLICE_BYTES, false);
    struct pool *general = create(LAYER_GENERAL, 4 * SLICE_BYTES, false);
    struct pool *direct = create(LAYER_DIRECT, 40 * SLICE_BYTES + 4096, true);
    assert_int_equal(figures(LAYER_SMALL).pool_count, before[LAYER_SMALL].pool_count + 1);
    assert_int_equal(figures(LAYER_SMALL).bytes, before[LAYER_SMALL].bytes + SLICE_BYTES);
    assert_int_equal(figures(LAYER_GENERAL).bytes, before[LAYER_GENERAL].bytes + 4 * SLICE_BYTES);
    assert_int_equal(figures(LAYER_DIRECT).pool_count, before[LAYER_DIRECT].pool_count + 1);
    assert_int_equal(figures(LAYER_DIRECT).bytes, before[LAYER_DIRECT].bytes + 40 * SLICE_BYTES + 4096);
    size_t peak = figures(LAYER_DIRECT).bytes_peak;
    assert_true(peak >= figures(LAYER_DIRECT).bytes);
    struct pool *more = create(LAYER_DIRECT, peak + SLICE_BYTES - peak % SLICE_BYTES, true);
    size_t new_peak = figures(LAYER_DIRECT).bytes;
    assert_int_equal(figures(LAYER_DIRECT).bytes_peak, new_peak);
    dam_pool_retire(more);
    dam_pool_retire(direct);
    dam_pool_retire(general);
    dam_pool_retire(small);
    assert_int_equal(figures(LAYER_DIRECT).bytes_peak, new_peak);
}

TEST(a_mapping_from_the_stock_may_be_larger_than_asked_and_the_pool_is_as_large_as_it) {
    struct pool *pool = create(LAYER_DIRECT, 5 * MIB, true);
    assert_true(pool->is_mapping);
    assert_true(pool->read_as_zero);
    uintptr_t start = pool->start;
    dam_pool_retire(pool);
    assert_mapped_to(start, 5 * MIB, nobody());
    pool = create(LAYER_DIRECT, 4 * MIB, true);
    assert_int_equal(pool->start, start);
    assert_int_equal(pool->bytes, 5 * MIB);
    assert_false(pool->read_as_zero);
    assert_mapped_to(start, 5 * MIB, pool);
    dam_pool_retire(pool);
}

TEST(a_retiring_pool_is_on_no_shared_list_any_more) {
    struct list shared = {&shared, &shared};
    struct pool *pool = create(LAYER_GENERAL, 4 * SLICE_BYTES, false);
    dam_pool_own_new(pool);
    assert_true(dam_pool_share(&shared, pool));
    assert_true(dam_pool_try_claim(pool)); /* as one who frees into it does: the entry stays */
    assert_false(list_is_empty(&shared));
    dam_pool_retire(pool);
    assert_true(list_is_empty(&shared));
}

/* ---- A system that refuses --------------------------------------------------------------------------------------- */

/* First no descriptor, then no address space at all. */
static void assert_survives_refusals(enum layer layer, size_t bytes, bool as_mapping) {
    size_t mapped = memory_mapped_bytes();
    fake_os.refuses_metadata = true;
    assert_null(try_create(layer, bytes, as_mapping));
    fake_os.refuses_metadata = false;
    fake_os.map_count = 0;
    fake_os.map_refused_from = 0;
    fake_os.map_refused_count = 1000;
    if (as_mapping)
        assert_null(try_create(layer, bytes, as_mapping));
    assert_int_equal(verify_regions(), 0);
    assert_int_equal(figures(layer).pool_count, before[layer].pool_count);
    assert_int_equal(figures(layer).bytes, before[layer].bytes);
    assert_int_equal(region_figures().used_bytes, 0);
    assert_true(memory_mapped_bytes() <= mapped); /* less when regions were given up for it */
    fake_os_reset();
    dam_pool_retire(create(layer, bytes, as_mapping));
    purge();
}

TEST(a_pool_that_cannot_be_made_leaves_nothing_behind) {
    dam_pool_retire(create(LAYER_GENERAL, 4 * SLICE_BYTES, false)); /* the first region is there from now on */
    dam_pool_retire(create(LAYER_DIRECT, 4 * MIB, true));           /* and tables for where mappings lie */
    purge();
    assert_survives_refusals(LAYER_DIRECT, 4 * MIB, true);
    assert_survives_refusals(LAYER_GENERAL, 4 * SLICE_BYTES, false);
}

/* The tables there are, are hidden for a moment, so that the pool needs a new one. The mapping is granted, the table is
 * not, so often as said. */
static struct pool *try_create_while_tables_are_refused(size_t refused_count) {
    static intptr_t hidden[ZONE_COUNT];
    memcpy(hidden, dam_pool_map.leaf_offset, sizeof hidden);
    memset(dam_pool_map.leaf_offset, 0, sizeof hidden);
    fake_os.map_refused_from = fake_os.map_count + 1;
    fake_os.map_refused_count = refused_count;
    struct pool *pool = try_create(LAYER_DIRECT, 4 * MIB, true);
    if (pool == NULL)
        memcpy(dam_pool_map.leaf_offset, hidden, sizeof hidden);
    return pool;
}

TEST(memory_goes_back_when_its_entries_cannot_be_made) {
    size_t given = region_figures().given_back_bytes;
    dam_pool_retire(create(LAYER_DIRECT, MIB, true)); /* descriptors are there from now on */
    purge();
    size_t mapped = memory_mapped_bytes();
    assert_null(try_create_while_tables_are_refused(1000));
    purge();
    assert_true(memory_mapped_bytes() <= mapped); /* less when regions were given up for it */
    assert_int_equal(region_figures().dirty_bytes, 0);
    assert_int_equal(region_figures().given_back_bytes, given + 5 * MIB);
}

/* In a child: the hidden tables stay hidden, since there is a new one. */
static void create_although_refused_once(void *unused) {
    (void)unused;
    struct pool *pool = try_create_while_tables_are_refused(1);
    CHECK(pool != NULL && pool->bytes == 4 * MIB);
    CHECK(pool_of(pool_start(pool)) == pool && pool_of(pool_start(pool) + 4 * MIB - 1) == pool);
    memset(pool_start(pool), 0x2D, pool->bytes);
}

TEST(what_is_unused_makes_way_when_the_system_refuses) {
    struct child_result result = child_run(create_although_refused_once, NULL, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 0));
}

/* ---- While a fork has frozen the central lock -------------------------------------------------------------------- */

TEST(while_the_lock_is_frozen_a_pool_is_made_straight_from_the_system) {
    struct freeze freeze = {0};
    pthread_t freezer = thread_start(freeze_central, &freeze);
    event_wait(&freeze.frozen);
    struct pool *small = try_create(LAYER_SMALL, SLICE_BYTES, false);
    struct pool *direct = try_create(LAYER_DIRECT, 3 * MIB, true);
    event_raise(&freeze.thaw);
    thread_join(freezer);
    assert_non_null(small);
    assert_non_null(direct);
    assert_true(small->is_mapping);
    assert_true(small->read_as_zero);
    assert_true(is_aligned(pool_start(small), SLICE_BYTES));
    assert_int_equal(small->key & 1, 1);
    assert_mapped_to(small->start, SLICE_BYTES, small);
    assert_mapped_to(direct->start, 3 * MIB, direct);
    assert_int_equal(region_figures().used_bytes, 0);
    memset(pool_start(small), 1, SLICE_BYTES);
    memset(pool_start(direct), 1, 3 * MIB);
    dam_pool_retire(small);
    dam_pool_retire(direct);
}

TEST(a_pool_retired_while_the_lock_is_frozen_gives_its_memory_at_the_next_chance) {
    struct freeze freeze = {0};
    struct pool *first = create(LAYER_GENERAL, 4 * SLICE_BYTES, false);
    struct pool *second = create(LAYER_SMALL, SLICE_BYTES, false);
    uintptr_t first_start = first->start;
    uintptr_t second_start = second->start;
    pthread_t freezer = thread_start(freeze_central, &freeze);
    event_wait(&freeze.frozen);
    dam_pool_retire(first);
    dam_pool_retire(second);
    bool gone_at_once = pool_is_none(pool_of((const void *)first_start)) && // NOLINT(performance-no-int-to-ptr)
                        pool_is_none(pool_of((const void *)second_start));  // NOLINT(performance-no-int-to-ptr)
    size_t used = region_figures().used_bytes;
    event_raise(&freeze.thaw);
    thread_join(freezer);
    assert_true(gone_at_once);
    assert_int_equal(used, 5 * SLICE_BYTES);
    dam_pool_retire(create(LAYER_SMALL, SLICE_BYTES, false));
    assert_int_equal(region_figures().used_bytes, 0);
}

TEST(a_frozen_lock_and_a_refusing_system_together_give_null) {
    struct freeze freeze = {0};
    pthread_t freezer = thread_start(freeze_central, &freeze);
    event_wait(&freeze.frozen);
    fake_os.map_bytes_max = SLICE_BYTES;
    const struct pool *pool = try_create(LAYER_DIRECT, 3 * MIB, true);
    fake_os.map_bytes_max = 0;
    const struct pool *other = try_create(LAYER_SMALL, SLICE_BYTES, false);
    event_raise(&freeze.thaw);
    thread_join(freezer);
    assert_null(pool);
    assert_null(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        QUIET(a_new_pool_has_memory_entries_a_key_and_no_owner),
        QUIET(a_retired_pool_leaves_no_entry_and_its_slices_are_free_and_dirty),
        QUIET(a_descriptor_starts_anew_in_each_life_with_another_key),
        QUIET(totals_follow_pools_of_each_layer_and_remember_the_peak),
        QUIET(a_mapping_from_the_stock_may_be_larger_than_asked_and_the_pool_is_as_large_as_it),
        QUIET(a_retiring_pool_is_on_no_shared_list_any_more),
        QUIET(a_pool_that_cannot_be_made_leaves_nothing_behind),
        QUIET(memory_goes_back_when_its_entries_cannot_be_made),
        QUIET(what_is_unused_makes_way_when_the_system_refuses),
        QUIET(while_the_lock_is_frozen_a_pool_is_made_straight_from_the_system),
        QUIET(a_pool_retired_while_the_lock_is_frozen_gives_its_memory_at_the_next_chance),
        QUIET(a_frozen_lock_and_a_refusing_system_together_give_null),
    };
    watchdog_start("unit.pool.life");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
