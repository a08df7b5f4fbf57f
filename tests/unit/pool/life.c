// SPDX-License-Identifier: MIT
/* life.c: a pool from its creation to its end: memory, descriptor, map and totals, also when the system refuses at any step,
 * and while a fork has frozen the central lock. */
#include "pool/pool.h"

#include "options/options.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "pool/shared_pools.h"
#include "region/central.h"
#include "region/metadata.h"
#include "region/region.h"
#include "support/memory_use.h"
#include "support/pattern.h"
#include "support/watchdog.h"
#include "unit/support/fake_os.h"
#include "unit/support/threads.h"

static struct metadata_kind kind = {.bytes = sizeof(struct pool)};
static struct layer_figures before[LAYER_DIRECT + 1];

static struct pool_request request_for(enum layer layer, size_t bytes, bool as_mapping) {
    return (struct pool_request){
        .layer = layer,
        .descriptor_kind = &kind,
        .bytes = bytes,
        .alignment = SLICE_BYTES,
        .as_mapping = as_mapping,
    };
}

static struct pool *try_create(enum layer layer, size_t bytes, bool as_mapping) {
    struct pool_request request = request_for(layer, bytes, as_mapping);
    return dam_pool_create(&request);
}

static struct pool *create(enum layer layer, size_t bytes, bool as_mapping) {
    struct pool *pool = try_create(layer, bytes, as_mapping);
    assert_non_null(pool);
    return pool;
}

static struct layer_figures figures(enum layer layer) {
    struct layer_figures figures;
    dam_pool_read_figures(layer, &figures);
    return figures;
}

static struct region_figures region_figures(void) {
    struct region_figures figures;
    dam_region_read_figures(&figures);
    return figures;
}

static void purge(void) {
    dam_central_enter();
    dam_region_purge_all();
    dam_central_leave();
}

static size_t verify_regions(void) {
    dam_central_enter();
    size_t broken = dam_region_verify();
    dam_central_leave();
    return broken;
}

/* Every slice leads to the pool, or to the sentinel (P1). */
static void assert_mapped_to(uintptr_t start, size_t bytes, const struct pool *pool) {
    for (uintptr_t offset = 0; offset < bytes; offset += SLICE_BYTES)
        assert_ptr_equal(pool_of((const void *)(start + offset)), pool); // NOLINT(performance-no-int-to-ptr)
}

static const struct pool *nobody(void) {
    return &dam_pool_map.sentinel;
}

static int start_quiet(void **state) {
    (void)state;
    fake_os_reset();
    assert_int_equal(dam_options_set("dirty_max", "1G"), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", "3600000"), 0);
    purge();
    fake_os_reset();
    for (size_t i = 0; i <= LAYER_DIRECT; i++)
        before[i] = figures((enum layer)i);
    return 0;
}

/* Every test retires what it makes: totals are back where they were, no slice is used. */
static int end_quiet(void **state) {
    (void)state;
    fake_os_reset();
    for (size_t i = 0; i <= LAYER_DIRECT; i++) {
        assert_int_equal(figures((enum layer)i).pool_count, before[i].pool_count);
        assert_int_equal(figures((enum layer)i).bytes, before[i].bytes);
    }
    assert_int_equal(region_figures().used_bytes, 0);
    assert_int_equal(verify_regions(), 0);
    return 0;
}

/* ---- Creation and end -------------------------------------------------------------------------------------------- */

TEST(a_new_pool_has_memory_entries_a_key_and_no_owner) {
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
    pool->belongs_to_first_class_heap = true;
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
    assert_false(again->belongs_to_first_class_heap);
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

/* The tables there are, are hidden for a moment, so that the pool needs a new one. */
TEST(memory_goes_back_when_its_entries_cannot_be_made) {
    static intptr_t hidden[ZONE_COUNT];
    size_t given = region_figures().given_back_bytes;
    dam_pool_retire(create(LAYER_DIRECT, MIB, true)); /* descriptors are there from now on */
    purge();
    size_t mapped = memory_mapped_bytes();
    memcpy(hidden, dam_pool_map.leaf_offset, sizeof hidden);
    memset(dam_pool_map.leaf_offset, 0, sizeof hidden);
    fake_os.map_refused_from = fake_os.map_count + 1; /* the mapping is granted, the table is not */
    fake_os.map_refused_count = 1;
    const struct pool *pool = try_create(LAYER_DIRECT, 4 * MIB, true);
    memcpy(dam_pool_map.leaf_offset, hidden, sizeof hidden);
    assert_null(pool);
    assert_int_equal(region_figures().dirty_bytes, 4 * MIB); /* in the stock, not lost */
    purge();
    assert_int_equal(memory_mapped_bytes(), mapped);
    assert_int_equal(region_figures().given_back_bytes, given + 5 * MIB);
}

/* ---- Direct pools change their size ------------------------------------------------------------------------------ */

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

/* ---- While a fork has frozen the central lock -------------------------------------------------------------------- */

struct freeze {
    struct event frozen;
    struct event thaw;
};

static void *freeze_central(void *argument) {
    struct freeze *freeze = argument;
    dam_lock_freeze(&dam_central_lock);
    event_raise(&freeze->frozen);
    event_wait(&freeze->thaw);
    dam_lock_thaw(&dam_central_lock);
    return NULL;
}

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
                        pool_is_none(pool_of((const void *)second_start)); // NOLINT(performance-no-int-to-ptr)
    size_t used = region_figures().used_bytes;
    event_raise(&freeze.thaw);
    thread_join(freezer);
    assert_true(gone_at_once);
    assert_int_equal(used, 5 * SLICE_BYTES);
    dam_pool_retire(create(LAYER_SMALL, SLICE_BYTES, false));
    assert_int_equal(region_figures().used_bytes, 0);
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
#define QUIET(test) cmocka_unit_test_setup_teardown(test, start_quiet, end_quiet)
    const struct CMUnitTest tests[] = {
        QUIET(a_new_pool_has_memory_entries_a_key_and_no_owner),
        QUIET(a_retired_pool_leaves_no_entry_and_its_slices_are_free_and_dirty),
        QUIET(a_descriptor_starts_anew_in_each_life_with_another_key),
        QUIET(totals_follow_pools_of_each_layer_and_remember_the_peak),
        QUIET(a_mapping_from_the_stock_may_be_larger_than_asked_and_the_pool_is_as_large_as_it),
        QUIET(a_retiring_pool_is_on_no_shared_list_any_more),
        QUIET(a_pool_that_cannot_be_made_leaves_nothing_behind),
        QUIET(memory_goes_back_when_its_entries_cannot_be_made),
        QUIET(slices_are_extended_in_place_with_entries_and_totals),
        QUIET(a_mapping_is_extended_where_the_addresses_behind_it_are_free),
        QUIET(shortening_gives_the_end_back_and_keeps_the_slice_that_both_parts_share),
        QUIET(shortened_slices_are_dirty_and_somebody_elses_next),
        QUIET(a_refused_shortening_changes_nothing),
        QUIET(moving_takes_pages_and_entries_to_the_new_place),
        QUIET(a_refused_move_changes_nothing),
        QUIET(while_the_lock_is_frozen_a_pool_is_made_straight_from_the_system),
        QUIET(a_pool_retired_while_the_lock_is_frozen_gives_its_memory_at_the_next_chance),
        QUIET(while_the_lock_is_frozen_slices_are_neither_extended_nor_shortened),
        QUIET(a_frozen_lock_and_a_refusing_system_together_give_null),
    };
    watchdog_start("unit.pool.life");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
