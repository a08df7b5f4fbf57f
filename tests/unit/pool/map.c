// SPDX-License-Identifier: MIT
/* map.c: from any address to its pool, or to the sentinel (P1).
 *
 * Most entries here are made for addresses where nothing is mapped at all: the map asks nothing of the memory. */
#include "pool/pool_map.h"

#include "region/metadata.h"
#include "support/random.h"
#include "support/watchdog.h"
#include "unit/support/fake_os.h"
#include "unit/support/threads.h"

#define ZONE_BYTES ((uintptr_t)1 << ZONE_SHIFT)

/* Far from anything that the system maps by itself, and the last slices of an aligned zone of 4 GiB. */
#define HIGH_PLACE ((uintptr_t)0x300000000000)

static struct pool pools[4];

static const void *at(uintptr_t address) {
    return (const void *)address; // NOLINT(performance-no-int-to-ptr)
}

static void assert_leads_to(uintptr_t address, const struct pool *pool) {
    assert_ptr_equal(pool_of(at(address)), pool);
}

static void enter(uintptr_t start, size_t bytes, struct pool *pool) {
    assert_true(dam_pool_map_prepare(start, bytes));
    dam_pool_map_set(start, bytes, pool);
}

static int start_allowed(void **state) {
    (void)state;
    fake_os_reset();
    return 0;
}

TEST(every_address_leads_to_the_sentinel_while_there_is_no_pool) {
    struct random random = random_start(test_seed("unit.pool.map"), 0);
    static int data;
    int local = 0;
    assert_true(pool_is_none(pool_of(NULL)));
    assert_true(pool_is_none(pool_of(&data)));
    assert_true(pool_is_none(pool_of(&local)));
    assert_true(pool_is_none(pool_of(&dam_pool_map)));
    for (int i = 0; i < 100000; i++)
        assert_true(pool_is_none(pool_of(at(random_next(&random) >> random_below(&random, 64)))));
}

TEST(addresses_that_no_program_can_have_lead_to_the_sentinel) {
    static const uintptr_t NON_CANONICAL[] = {
        (uintptr_t)1 << 48, ((uintptr_t)1 << 48) + 12345, (uintptr_t)1 << 63, (uintptr_t)0xffff800000000000,
        UINTPTR_MAX,        UINTPTR_MAX - 65535,          PTRDIFF_MAX,
    };
    for (size_t i = 0; i < COUNT_OF(NON_CANONICAL); i++)
        assert_true(pool_is_none(pool_of(at(NON_CANONICAL[i]))));
    /* Nor do they lead to the pool whose address they share the lower 48 bits with. */
    enter(HIGH_PLACE, SLICE_BYTES, &pools[0]);
    for (uint32_t bit = 48; bit < 64; bit++)
        assert_true(pool_is_none(pool_of(at(HIGH_PLACE | (uintptr_t)1 << bit))));
    dam_pool_map_clear(HIGH_PLACE, SLICE_BYTES);
}

TEST(the_sentinel_is_a_pool_of_no_layer_that_nobody_owns) {
    const struct pool *none = pool_of(NULL);
    assert_int_equal(pool_layer(none), LAYER_NONE);
    assert_null(none->small_owner);
    assert_null(none->general_owner);
    assert_int_equal(none->carved, 0);
}

TEST(every_address_of_a_pool_leads_to_it_and_none_beside_it) { /* P1 */
    size_t bytes = 3 * SLICE_BYTES;
    enter(HIGH_PLACE, bytes, &pools[0]);
    for (uintptr_t offset = 0; offset < bytes; offset++)
        assert_leads_to(HIGH_PLACE + offset, &pools[0]);
    assert_true(pool_is_none(pool_of(at(HIGH_PLACE - 1))));
    assert_true(pool_is_none(pool_of(at(HIGH_PLACE + bytes))));
    dam_pool_map_clear(HIGH_PLACE, bytes);
    for (uintptr_t offset = 0; offset < bytes; offset += 4096)
        assert_true(pool_is_none(pool_of(at(HIGH_PLACE + offset))));
}

/* A mapping of its own may end within a slice; the whole slice is then its. */
TEST(a_pool_that_ends_within_a_slice_has_that_slice) {
    enter(HIGH_PLACE, SLICE_BYTES + 4096, &pools[0]);
    assert_leads_to(HIGH_PLACE + SLICE_BYTES + 4095, &pools[0]);
    assert_leads_to(HIGH_PLACE + 2 * SLICE_BYTES - 1, &pools[0]);
    assert_true(pool_is_none(pool_of(at(HIGH_PLACE + 2 * SLICE_BYTES))));
    dam_pool_map_clear(HIGH_PLACE, SLICE_BYTES + 4096);
    assert_true(pool_is_none(pool_of(at(HIGH_PLACE + SLICE_BYTES))));
}

TEST(a_pool_may_lie_across_zones) {
    uintptr_t start = HIGH_PLACE + ZONE_BYTES - 2 * SLICE_BYTES;
    size_t bytes = ZONE_BYTES + 5 * SLICE_BYTES;
    enter(start, bytes, &pools[0]);
    for (uintptr_t offset = 0; offset < bytes; offset += SLICE_BYTES) {
        assert_leads_to(start + offset, &pools[0]);
        assert_leads_to(start + offset + SLICE_BYTES - 1, &pools[0]);
    }
    assert_true(pool_is_none(pool_of(at(start - 1))));
    assert_true(pool_is_none(pool_of(at(start + bytes))));
    dam_pool_map_clear(start, bytes);
    for (uintptr_t offset = 0; offset < bytes; offset += SLICE_BYTES)
        assert_true(pool_is_none(pool_of(at(start + offset))));
}

TEST(the_first_and_the_last_slice_of_all_can_hold_a_pool) {
    uintptr_t last = ((uintptr_t)1 << ADDRESS_BITS) - SLICE_BYTES;
    enter(0, SLICE_BYTES, &pools[0]);
    enter(last, SLICE_BYTES, &pools[1]);
    assert_leads_to(SLICE_BYTES - 1, &pools[0]);
    assert_leads_to(last, &pools[1]);
    assert_leads_to(last + SLICE_BYTES - 1, &pools[1]);
    dam_pool_map_clear(0, SLICE_BYTES);
    dam_pool_map_clear(last, SLICE_BYTES);
}

TEST(entries_beyond_the_address_space_are_refused) {
    uintptr_t end = (uintptr_t)1 << ADDRESS_BITS;
    assert_false(dam_pool_map_prepare(end, SLICE_BYTES));
    assert_false(dam_pool_map_prepare(end - SLICE_BYTES, 2 * SLICE_BYTES));
    assert_true(dam_pool_map_prepare(end - SLICE_BYTES, SLICE_BYTES));
}

TEST(a_zone_that_the_system_grants_no_table_for_is_refused_and_still_leads_to_the_sentinel) {
    uintptr_t start = HIGH_PLACE + 100 * ZONE_BYTES;
    fake_os.map_bytes_max = 0;
    assert_false(dam_pool_map_prepare(start, SLICE_BYTES));
    assert_true(pool_is_none(pool_of(at(start))));
    fake_os.map_bytes_max = SIZE_MAX;
    assert_true(dam_pool_map_prepare(start, SLICE_BYTES));
    size_t maps = fake_os.map_count;
    assert_true(dam_pool_map_prepare(start + SLICE_BYTES, ZONE_BYTES - SLICE_BYTES));
    assert_int_equal(fake_os.map_count, maps); /* one table is enough for a zone */
}

/* ---- Visiting ---------------------------------------------------------------------------------------------------- */

struct visits {
    size_t count;
    const struct pool *seen[8];
};

static void note_visit(struct pool *pool, void *context) {
    struct visits *visits = context;
    assert_true(visits->count < COUNT_OF(visits->seen));
    visits->seen[visits->count++] = pool;
}

TEST(every_pool_is_visited_once_in_order_of_address) {
    uintptr_t across = HIGH_PLACE + 2 * ZONE_BYTES - SLICE_BYTES;
    enter(across, 4 * SLICE_BYTES, &pools[2]);
    enter(HIGH_PLACE + 7 * ZONE_BYTES, 2 * SLICE_BYTES, &pools[3]);
    enter(HIGH_PLACE, 2 * SLICE_BYTES, &pools[0]);
    enter(HIGH_PLACE + 2 * SLICE_BYTES, 3 * SLICE_BYTES, &pools[1]); /* right behind */
    struct visits visits = {.count = 0};
    dam_pool_map_visit(note_visit, &visits);
    assert_int_equal(visits.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(visits.seen[i], &pools[i]);
    dam_pool_map_clear(HIGH_PLACE, 5 * SLICE_BYTES);
    dam_pool_map_clear(across, 4 * SLICE_BYTES);
    dam_pool_map_clear(HIGH_PLACE + 7 * ZONE_BYTES, 2 * SLICE_BYTES);
    visits.count = 0;
    dam_pool_map_visit(note_visit, &visits);
    assert_int_equal(visits.count, 0);
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

#define THREAD_COUNT 4
#define ROUND_COUNT 200

static pthread_barrier_t barrier;

/* All threads make the same zone ready at once, each for a slice of its own: no entry may get lost with a table that did
 * not come to be the zone's. */
static void *enter_with_others(void *argument) {
    uintptr_t number = (uintptr_t)((struct pool *)argument - pools);
    for (uintptr_t round = 0; round < ROUND_COUNT; round++) {
        uintptr_t start = HIGH_PLACE + (1000 + round) * ZONE_BYTES + number * SLICE_BYTES;
        pthread_barrier_wait(&barrier);
        CHECK(dam_pool_map_prepare(start, SLICE_BYTES));
        dam_pool_map_set(start, SLICE_BYTES, argument);
    }
    return NULL;
}

TEST(threads_that_make_the_same_zone_ready_at_once_all_find_their_entries) {
    pthread_t threads[THREAD_COUNT];
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREAD_COUNT), 0);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        threads[i] = thread_start(enter_with_others, &pools[i]);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
    for (uintptr_t round = 0; round < ROUND_COUNT; round++) {
        uintptr_t start = HIGH_PLACE + (1000 + round) * ZONE_BYTES;
        for (uintptr_t i = 0; i < THREAD_COUNT; i++)
            assert_leads_to(start + i * SLICE_BYTES, &pools[i]);
        dam_pool_map_clear(start, THREAD_COUNT * SLICE_BYTES);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_address_leads_to_the_sentinel_while_there_is_no_pool, start_allowed),
        cmocka_unit_test_setup(addresses_that_no_program_can_have_lead_to_the_sentinel, start_allowed),
        cmocka_unit_test_setup(the_sentinel_is_a_pool_of_no_layer_that_nobody_owns, start_allowed),
        cmocka_unit_test_setup(every_address_of_a_pool_leads_to_it_and_none_beside_it, start_allowed),
        cmocka_unit_test_setup(a_pool_that_ends_within_a_slice_has_that_slice, start_allowed),
        cmocka_unit_test_setup(a_pool_may_lie_across_zones, start_allowed),
        cmocka_unit_test_setup(the_first_and_the_last_slice_of_all_can_hold_a_pool, start_allowed),
        cmocka_unit_test_setup(entries_beyond_the_address_space_are_refused, start_allowed),
        cmocka_unit_test_setup(a_zone_that_the_system_grants_no_table_for_is_refused_and_still_leads_to_the_sentinel,
                               start_allowed),
        cmocka_unit_test_setup(every_pool_is_visited_once_in_order_of_address, start_allowed),
        cmocka_unit_test_setup(threads_that_make_the_same_zone_ready_at_once_all_find_their_entries, start_allowed),
    };
    watchdog_start("unit.pool.map");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
