// SPDX-License-Identifier: MIT
/* pools.h: pools without a layer: one descriptor for all, made and retired by the tests themselves; what must be as
 * before when a test is over; and a central lock that is frozen, as during a fork. */
#ifndef DAM_TESTS_UNIT_POOL_POOLS_H
#define DAM_TESTS_UNIT_POOL_POOLS_H

#include "options/options.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "region/metadata.h"
#include "region/region.h"
#include "support/watchdog.h"
#include "unit/support/fake_os.h"
#include "unit/support/threads.h"

static struct metadata_kind kind = {.bytes = sizeof(struct pool)};
static struct layer_figures before[LAYER_DIRECT + 1];

static inline struct pool_request request_for(enum layer layer, size_t bytes, bool as_mapping) {
    return (struct pool_request){
        .layer = layer,
        .descriptor_kind = &kind,
        .bytes = bytes,
        .alignment = SLICE_BYTES,
        .as_mapping = as_mapping,
    };
}

static inline struct pool *try_create(enum layer layer, size_t bytes, bool as_mapping) {
    struct pool_request request = request_for(layer, bytes, as_mapping);
    return dam_pool_create(&request);
}

static inline struct pool *create(enum layer layer, size_t bytes, bool as_mapping) {
    struct pool *pool = try_create(layer, bytes, as_mapping);
    assert_non_null(pool);
    return pool;
}

static inline struct layer_figures figures(enum layer layer) {
    struct layer_figures figures;
    dam_pool_read_figures(layer, &figures);
    return figures;
}

static inline struct region_figures region_figures(void) {
    struct region_figures figures;
    dam_region_read_figures(&figures);
    return figures;
}

static inline void purge(void) {
    dam_central_enter();
    dam_region_purge_all();
    dam_central_leave();
}

static inline size_t verify_regions(void) {
    dam_central_enter();
    size_t broken = dam_region_verify();
    dam_central_leave();
    return broken;
}

/* Every slice leads to the pool, or to the sentinel (P1). */
static inline void assert_mapped_to(uintptr_t start, size_t bytes, const struct pool *pool) {
    for (uintptr_t offset = 0; offset < bytes; offset += SLICE_BYTES)
        assert_ptr_equal(pool_of((const void *)(start + offset)), pool); // NOLINT(performance-no-int-to-ptr)
}

static inline const struct pool *nobody(void) {
    return &dam_pool_map.sentinel;
}

static inline int start_quiet(void **state) {
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
static inline int end_quiet(void **state) {
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

/* ---- While a fork has frozen the central lock -------------------------------------------------------------------- */

struct freeze {
    struct event frozen;
    struct event thaw;
};

static inline void *freeze_central(void *argument) {
    struct freeze *freeze = argument;
    dam_lock_freeze(&dam_central_lock);
    event_raise(&freeze->frozen);
    event_wait(&freeze->thaw);
    dam_lock_thaw(&dam_central_lock);
    return NULL;
}

#define QUIET(test) cmocka_unit_test_setup_teardown(test, start_quiet, end_quiet)

#endif
