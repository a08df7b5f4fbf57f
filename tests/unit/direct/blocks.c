// SPDX-License-Identifier: MIT
/* blocks.c: the direct layer: where a block's memory comes from, how it grows, shrinks and moves, and what is found
 * wrong with one. A request of N * SLICE_BYTES - CANARY fills N slices. */
#include "direct/direct_pool.h"
#include "guard/fault.h"
#include "guard/freed_lately.h"

#include "direct/direct.h"
#include "heap/heap.h"
#include "options/options.h"
#include "os/os.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "region/region.h"
#include "support/memory_use.h"
#include "support/pattern.h"
#include "unit/support/expect_abort.h"
#include "unit/support/fake_os.h"

#define CANARY DIRECT_CANARY_BYTES

static size_t page;

static struct layer_figures layer_figures(void) {
    struct layer_figures figures;
    dam_pool_read_figures(LAYER_DIRECT, &figures);
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

static int start(void **state) {
    (void)state;
    dam_start();
    page = dam_os_page_bytes();
    fake_os_reset();
    assert_int_equal(dam_options_set("dirty_max", "1G"), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", "3600000"), 0);
    assert_int_equal(dam_options_set("direct_shrink_percent", "75"), 0);
    purge();
    fake_os_reset();
    return 0;
}

static int end(void **state) {
    (void)state;
    assert_int_equal(layer_figures().pool_count, 0);
    assert_int_equal(layer_figures().bytes, 0);
    assert_int_equal(region_figures().used_bytes, 0);
    return 0;
}

static struct pool *create(size_t size) {
    struct pool *pool = dam_direct_create(size, GRANULE_BYTES);
    assert_non_null(pool);
    return pool;
}

static struct pool *create_filled(size_t size) {
    struct pool *pool = create(size);
    pattern_fill(pool_start(pool), size, pattern_key(8, size));
    return pool;
}

static void release(struct pool *pool) {
    assert_true(dam_direct_begin_free(pool));
    dam_direct_retire(pool);
}

static bool holds(const struct pool *pool, size_t bytes, size_t old_size) {
    return pattern_holds(pool_start(pool), bytes, pattern_key(8, old_size));
}

static const void *at(uintptr_t address) {
    return (const void *)address; // NOLINT(performance-no-int-to-ptr)
}

/* P1, D1 to D3. */
static void assert_whole(const struct pool *pool) {
    for (size_t offset = 0; offset < pool->bytes; offset += SLICE_BYTES)
        assert_ptr_equal(pool_of(pool_start(pool) + offset), pool);
    assert_ptr_equal(pool_of(pool_start(pool) + pool->bytes - 1), pool);
    assert_true(dam_direct_requested_bytes(pool) + CANARY <= pool->bytes);
    assert_int_equal(dam_direct_verify(pool), 0);
    assert_true(dam_direct_check_live(pool, pool_start(pool), "free"));
}

/* ---- Where the memory comes from --------------------------------------------------------------------------------- */

TEST(up_to_one_mebibyte_a_block_has_slices_and_above_a_mapping) {
    static const struct {
        size_t size;
        bool as_mapping;
    } CASES[] = {{65537, false},       {131072, false}, {131073, false},    {MIB - 1, false},
                 {MIB, false},         {MIB + 1, true}, {MIB + 4096, true}, {3 * MIB + 5, true},
                 {64 * MIB + 1, true}, {200000, false}, {GIB, true}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        size_t size = CASES[i].size;
        struct pool *pool = create(size);
        assert_int_equal(pool->is_mapping, CASES[i].as_mapping);
        assert_int_equal(pool->bytes, round_up(size + CANARY, CASES[i].as_mapping ? page : SLICE_BYTES));
        assert_int_equal(dam_direct_requested_bytes(pool), size);
        assert_true(is_aligned(pool_start(pool), SLICE_BYTES));
        assert_true(remote_is_owned(atomic_load(&pool->remote)));
        assert_whole(pool);
        release(pool);
    }
}

TEST(an_alignment_above_a_slice_has_a_mapping_whatever_the_size) {
    for (size_t alignment = 2 * SLICE_BYTES; alignment <= GIB; alignment *= 2) {
        for (size_t size = 0; size <= 2 * MIB; size += 500000) {
            struct pool *pool = dam_direct_create(size, alignment);
            assert_non_null(pool);
            assert_true(pool->is_mapping);
            assert_true(is_aligned(pool_start(pool), alignment));
            assert_int_equal(pool->bytes, round_up(size + CANARY, page));
            assert_whole(pool);
            release(pool);
            purge();
        }
    }
}

TEST(what_may_be_written_is_the_request_to_its_last_byte) {
    for (size_t size = 65537; size < 3 * MIB; size += 99999) {
        struct pool *pool = create(size);
        assert_int_equal(dam_direct_requested_bytes(pool), size);
        memset(pool_start(pool), 0x3E, size);
        assert_whole(pool);
        release(pool);
    }
}

TEST(a_request_that_would_fill_its_slices_or_pages_takes_one_more) {
    static const struct {
        size_t slices;
        size_t short_by;
        size_t slices_taken;
    } CASES[] = {{2, 0, 3},          {2, 1, 3},   {2, CANARY - 1, 3}, {2, CANARY, 2},
                 {2, CANARY + 1, 2}, {16, 0, 17}, {16, CANARY, 16}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        struct pool *pool = create_filled(CASES[i].slices * SLICE_BYTES - CASES[i].short_by);
        assert_int_equal(pool->bytes, CASES[i].slices_taken * SLICE_BYTES);
        assert_whole(pool);
        release(pool);
    }
    for (size_t short_by = 0; short_by <= CANARY; short_by++) {
        purge(); /* a mapping from the stock may be larger */
        struct pool *pool = create_filled(3 * MIB - short_by);
        assert_int_equal(pool->bytes, short_by < CANARY ? 3 * MIB + page : 3 * MIB);
        assert_whole(pool);
        release(pool);
    }
}

TEST(a_freed_blocks_memory_serves_the_next_one_with_its_pages) {
    static const size_t SIZES[] = {100000, MIB, 5 * MIB};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        purge();
        struct pool *pool = create_filled(SIZES[i]);
        uintptr_t place = pool->start;
        assert_true(pool->read_as_zero);
        release(pool);
        assert_true(pool_is_none(pool_of(at(place))));
        pool = create(SIZES[i]);
        assert_int_equal(pool->start, place);
        assert_false(pool->read_as_zero);
        assert_true(holds(pool, SIZES[i], SIZES[i]));
        release(pool);
    }
}

TEST(a_refusing_system_gives_null_and_nothing_is_lost) {
    fake_os.map_bytes_max = 0;
    assert_null(dam_direct_create(5 * MIB, GRANULE_BYTES));
    assert_null(dam_direct_create(PTRDIFF_MAX, GRANULE_BYTES));
    fake_os_reset();
    assert_null(dam_direct_create(PTRDIFF_MAX, GRANULE_BYTES));
    assert_int_equal(layer_figures().pool_count, 0);
}

/* ---- Shrinking --------------------------------------------------------------------------------------------------- */

TEST(memory_goes_back_below_the_set_share_of_it_and_stays_above) {
    static const struct {
        const char *percent;
        size_t size;
        bool shrinks;
    } CASES[] = {
        {"0", 1, false},
        {"0", 65537, false},
        {"75", 75 * 40960 - 1, true},
        {"75", 75 * 40960, false},
        {"75", 75 * 40960 + 1, false},
        {"50", 50 * 40960 - 1, true},
        {"50", 50 * 40960, false},
        {"100", 100 * 40960 - 1, true},
        {"1", 40959, true},
        {"1", 40960, false},
    };
    struct pool *pool = create(100 * (size_t)40960 - CANARY);
    assert_int_equal(pool->bytes, 100 * 40960);
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        assert_int_equal(dam_options_set("direct_shrink_percent", CASES[i].percent), 0);
        assert_int_equal(dam_direct_should_shrink(pool, CASES[i].size), CASES[i].shrinks);
    }
    release(pool);
}

TEST(a_block_of_slices_shrinks_by_whole_slices_and_keeps_its_place) {
    struct pool *pool = create_filled(10 * SLICE_BYTES - CANARY);
    uintptr_t place = pool->start;
    assert_true(dam_direct_resize(pool, 9 * SLICE_BYTES)); /* 90 %: it stays as it is */
    assert_int_equal(pool->bytes, 10 * SLICE_BYTES);
    assert_int_equal(dam_direct_requested_bytes(pool), 9 * SLICE_BYTES);
    assert_true(dam_direct_resize(pool, 4 * SLICE_BYTES + 1));
    assert_int_equal(pool->bytes, 5 * SLICE_BYTES);
    assert_int_equal(dam_direct_requested_bytes(pool), 4 * SLICE_BYTES + 1);
    assert_int_equal(pool->start, place);
    assert_int_equal(region_figures().used_bytes, 5 * SLICE_BYTES);
    assert_true(pool_is_none(pool_of(at(place + 5 * SLICE_BYTES))));
    assert_whole(pool);
    assert_true(holds(pool, 4 * SLICE_BYTES + 1, 10 * SLICE_BYTES - CANARY));
    release(pool);
}

TEST(a_mapping_shrinks_by_whole_pages_and_keeps_its_place) {
    struct pool *pool = create_filled(10 * MIB);
    uintptr_t place = pool->start;
    assert_true(dam_direct_resize(pool, 2 * MIB + 5));
    assert_int_equal(pool->bytes, round_up(2 * MIB + 5 + CANARY, page));
    assert_int_equal(pool->start, place);
    assert_int_equal(layer_figures().bytes, pool->bytes);
    assert_true(pool_is_none(pool_of(at(place + 3 * MIB))));
    assert_whole(pool);
    assert_true(holds(pool, 2 * MIB + 5, 10 * MIB));
    release(pool);
}

TEST(with_percent_zero_nothing_is_ever_given_back) {
    assert_int_equal(dam_options_set("direct_shrink_percent", "0"), 0);
    struct pool *pool = create(10 * MIB);
    assert_true(dam_direct_resize(pool, 70000));
    assert_int_equal(pool->bytes, 10 * MIB + page);
    assert_int_equal(dam_direct_requested_bytes(pool), 70000);
    release(pool);
}

TEST(a_system_that_will_not_take_the_end_back_is_no_error) {
    struct pool *pool = create_filled(10 * MIB);
    fake_os.refuses_unmap = true;
    assert_true(dam_direct_resize(pool, 2 * MIB));
    assert_int_equal(pool->bytes, 10 * MIB + page);
    assert_int_equal(dam_direct_requested_bytes(pool), 2 * MIB);
    assert_whole(pool);
    assert_true(holds(pool, 2 * MIB, 10 * MIB));
    fake_os_reset();
    release(pool);
}

/* ---- Growing in place -------------------------------------------------------------------------------------------- */

TEST(growing_within_what_the_block_has_changes_only_the_request) {
    struct pool *pool = create_filled(3 * SLICE_BYTES - 100);
    assert_true(dam_direct_resize(pool, 3 * SLICE_BYTES - CANARY));
    assert_int_equal(pool->bytes, 3 * SLICE_BYTES);
    assert_int_equal(dam_direct_requested_bytes(pool), 3 * SLICE_BYTES - CANARY);
    assert_whole(pool);
    release(pool);
}

TEST(a_block_of_slices_grows_into_free_slices_behind_it_and_no_further) {
    struct pool *pool = create_filled(2 * SLICE_BYTES - CANARY);
    struct pool *middle = create(3 * SLICE_BYTES - CANARY);
    struct pool *behind = create(2 * SLICE_BYTES - CANARY);
    assert_int_equal(middle->start, pool->start + 2 * SLICE_BYTES);
    assert_int_equal(behind->start, middle->start + 3 * SLICE_BYTES);
    assert_false(dam_direct_resize(pool, 2 * SLICE_BYTES - CANARY + 1));
    assert_int_equal(dam_direct_requested_bytes(pool), 2 * SLICE_BYTES - CANARY);
    assert_whole(pool);
    release(middle);
    assert_true(dam_direct_resize(pool, 4 * SLICE_BYTES + 1));
    assert_int_equal(pool->bytes, 5 * SLICE_BYTES);
    assert_whole(pool);
    assert_false(dam_direct_resize(pool, 5 * SLICE_BYTES - CANARY + 1));
    assert_int_equal(pool->bytes, 5 * SLICE_BYTES);
    assert_int_equal(dam_direct_requested_bytes(pool), 4 * SLICE_BYTES + 1);
    assert_whole(pool);
    assert_whole(behind);
    assert_true(holds(pool, 2 * SLICE_BYTES - CANARY, 2 * SLICE_BYTES - CANARY));
    release(behind);
    release(pool);
}

TEST(a_mapping_grows_where_the_addresses_behind_it_are_free) {
    struct pool *pool = create_filled(8 * MIB);
    assert_true(dam_direct_resize(pool, 2 * MIB));
    assert_int_equal(pool->bytes, 2 * MIB + page);
    assert_true(dam_direct_resize(pool, 6 * MIB));
    assert_int_equal(pool->bytes, 6 * MIB + page);
    assert_whole(pool);
    assert_true(holds(pool, 2 * MIB, 8 * MIB));
    fake_os.refuses_grow = true;
    assert_false(dam_direct_resize(pool, 7 * MIB));
    assert_int_equal(pool->bytes, 6 * MIB + page);
    assert_int_equal(dam_direct_requested_bytes(pool), 6 * MIB);
    assert_whole(pool);
    release(pool);
}

/* ---- Moving ------------------------------------------------------------------------------------------------------ */

TEST(a_mapping_moves_with_its_pages_to_a_larger_place) {
    struct pool *pool = create_filled(3 * MIB);
    uintptr_t place = pool->start;
    char *moved = dam_direct_move(pool, 50 * MIB);
    assert_non_null(moved);
    assert_ptr_equal(moved, pool_start(pool));
    assert_int_equal(pool->bytes, 50 * MIB + page);
    assert_int_equal(dam_direct_requested_bytes(pool), 50 * MIB);
    assert_whole(pool);
    assert_true(holds(pool, 3 * MIB, 3 * MIB));
    assert_true(all_bytes_are(moved + 3 * MIB + CANARY, 47 * MIB - CANARY, 0)); /* behind the canary that stood there */
    bool overlaps = pool->start < place + 3 * MIB && place < pool->start + 50 * MIB;
    assert_true(overlaps || pool_is_none(pool_of(at(place))));
    release(pool);
}

TEST(a_block_of_slices_does_not_move_with_its_pages) {
    struct pool *pool = create(MIB);
    assert_null(dam_direct_move(pool, 5 * MIB));
    assert_int_equal(pool->bytes, MIB + SLICE_BYTES);
    release(pool);
    pool =
        dam_direct_create(100000, 2 * SLICE_BYTES); /* a mapping, for its alignment, but one that slices will serve */
    assert_non_null(pool);
    assert_null(dam_direct_move(pool, 500000));
    release(pool);
}

TEST(a_refused_move_leaves_block_and_bytes_as_they_were) {
    struct pool *pool = create_filled(3 * MIB);
    uintptr_t place = pool->start;
    fake_os.refuses_reserve = true;
    assert_null(dam_direct_move(pool, 50 * MIB));
    fake_os.refuses_reserve = false;
    fake_os.refuses_move = true;
    assert_null(dam_direct_move(pool, 50 * MIB));
    assert_int_equal(pool->start, place);
    assert_int_equal(dam_direct_requested_bytes(pool), 3 * MIB);
    assert_whole(pool);
    assert_true(holds(pool, 3 * MIB, 3 * MIB));
    release(pool);
}

/* ---- The canary -------------------------------------------------------------------------------------------------- */

static unsigned char *canary_of(const struct pool *pool) {
    return (unsigned char *)pool_start(pool) + dam_direct_requested_bytes(pool);
}

TEST(a_canary_stands_right_behind_every_request_and_its_first_byte_is_never_zero) { /* D3 */
    for (size_t size = 65537; size < 2 * MIB; size += 10007) {
        struct pool *pool = create(size);
        assert_int_equal(canary_of(pool)[0] & 1, 1);
        assert_whole(pool);
        release(pool);
    }
}

TEST(the_canary_moves_with_every_resize) { /* D3 */
    static const size_t SIZES[] = {MIB + 1,     9 * MIB,          9 * MIB - 1, 4 * MIB,
                                   4 * MIB + 1, 4 * MIB - CANARY, 20 * MIB,    2 * MIB};
    struct pool *pool = create(3 * MIB);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        if (!dam_direct_resize(pool, SIZES[i]))
            assert_non_null(dam_direct_move(pool, SIZES[i]));
        assert_int_equal(dam_direct_requested_bytes(pool), SIZES[i]);
        memset(pool_start(pool), 0xC3, SIZES[i]);
        assert_whole(pool);
    }
    release(pool);
}

TEST(a_canary_is_another_for_another_request_and_in_another_life_of_the_place) {
    struct pool *pool = create(100000);
    uintptr_t place = pool->start;
    uint64_t first = direct_canary(pool);
    assert_true(dam_direct_resize(pool, 100001));
    assert_true(direct_canary(pool) != first);
    release(pool);
    pool = create(100000);
    assert_int_equal(pool->start, place);
    assert_true(direct_canary(pool) != first);
    release(pool);
}

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

static void check_inside(void *argument) {
    dam_direct_check_live(pool_of(argument), argument, "free");
}

TEST(any_address_but_the_start_is_not_the_start_of_a_block) {
    struct pool *pool = create(100000);
    static const size_t OFFSETS[] = {1, 16, 4096, SLICE_BYTES, 99999, 2 * SLICE_BYTES - 1};
    assert_true(dam_direct_check_live(pool, pool_start(pool), "free"));
    for (size_t i = 0; i < COUNT_OF(OFFSETS); i++) {
        char *inside = pool_start(pool) + OFFSETS[i];
        struct text expected = report_of("not the start of a block", "free", inside);
        report_pool(&expected, 2 * SLICE_BYTES, pool_start(pool), "direct");
        report_block(&expected, pool_start(pool), "100000 bytes, requested 100000 bytes, the block it lies in");
        report_hint(&expected, HINT_NOT_A_BLOCK);
        expect_abort_saying(check_inside, inside, &expected);
    }
    release(pool);
}

/* What is written over the canary, and who comes upon it. */
struct overflow {
    struct pool *pool;
    unsigned char found[CANARY];
};

static void overflow_and_check(void *argument) {
    const struct overflow *overflow = argument;
    memcpy(canary_of(overflow->pool), overflow->found, CANARY);
    dam_direct_check_live(overflow->pool, pool_start(overflow->pool), "realloc");
}

static void assert_overflow_reported(struct overflow *overflow) {
    const struct pool *pool = overflow->pool;
    size_t size = dam_direct_requested_bytes(pool);
    struct text expected = report_of("write past the end of a block", "realloc", pool_start(pool));
    report_pool(&expected, pool->bytes, pool_start(pool), "direct");
    report_block(&expected, pool_start(pool), "%zu bytes, requested %zu bytes, live", size, size);
    report_bytes(&expected, canary_of(pool), canary_of(pool), overflow->found, CANARY);
    report_hint(&expected, HINT_OVERFLOW);
    expect_abort_saying(overflow_and_check, overflow, &expected);
}

TEST(one_byte_eight_bytes_or_a_terminating_zero_too_far_is_an_overflow_whatever_the_size) {
    static const size_t SIZES[] = {65537,   2 * SLICE_BYTES, 2 * SLICE_BYTES - CANARY, 25 * (size_t)4096, MIB,
                                   3 * MIB, 3 * MIB + 5};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct overflow overflow = {.pool = create(SIZES[i])};
        for (size_t offset = 0; offset < CANARY; offset++) {
            memcpy(overflow.found, canary_of(overflow.pool), CANARY);
            overflow.found[offset] ^= 0x10;
            assert_overflow_reported(&overflow);
        }
        memcpy(overflow.found, canary_of(overflow.pool), CANARY);
        overflow.found[0] = 0;
        assert_overflow_reported(&overflow);
        memset(overflow.found, 'A', CANARY);
        assert_overflow_reported(&overflow);
        release(overflow.pool);
    }
}

/* Two threads that free the block at the same moment both find its pool in the map. */
static void free_after_another(void *argument) {
    CHECK(dam_pool_let_go(argument));
    CHECK(!dam_direct_begin_free(argument));
}

TEST(two_threads_that_free_a_block_at_once_are_a_double_free) {
    struct pool *pool = create(100000);
    struct text expected = report_of("double free", "free", pool_start(pool));
    report_pool(&expected, 2 * SLICE_BYTES, pool_start(pool), "direct");
    report_block(&expected, pool_start(pool), "100000 bytes, requested 100000 bytes, being released by another thread");
    report_hint(&expected, HINT_DOUBLE_FREE);
    expect_abort_saying(free_after_another, pool, &expected);
    release(pool);
}

/* As the heap does when it finds that no pool is there. */
static void report_foreign(void *argument) {
    struct dam_fault fault = {.kind = DAM_FAULT_FOREIGN_POINTER, .operation = "realloc", .address = argument};
    dam_fault_report(&fault);
}

TEST(a_block_that_was_freed_lately_is_remembered_with_its_request) {
    static const size_t SIZES[] = {65537, 5 * MIB};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct pool *pool = create(SIZES[i]);
        const char *block = pool_start(pool);
        release(pool);
        struct text expected = report_of("double free", "realloc", block);
        report_block(&expected, block, "%zu bytes, requested %zu bytes, released, its memory given back", SIZES[i],
                     SIZES[i]);
        report_hint(&expected, HINT_DOUBLE_FREE);
        expect_abort_saying(report_foreign, (void *)(uintptr_t)block, &expected); // NOLINT(performance-no-int-to-ptr)
        size_t request;
        assert_false(dam_freed_lately_find(block + 16, &request));
        assert_false(dam_freed_lately_find(block + SLICE_BYTES, &request));
        assert_true(dam_freed_lately_find(block, &request));
        assert_int_equal(request, SIZES[i]);
    }
    size_t request;
    assert_false(dam_freed_lately_find(NULL, &request));
}

int main(void) {
#define QUIET(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        QUIET(up_to_one_mebibyte_a_block_has_slices_and_above_a_mapping),
        QUIET(an_alignment_above_a_slice_has_a_mapping_whatever_the_size),
        QUIET(what_may_be_written_is_the_request_to_its_last_byte),
        QUIET(a_request_that_would_fill_its_slices_or_pages_takes_one_more),
        QUIET(a_freed_blocks_memory_serves_the_next_one_with_its_pages),
        QUIET(a_refusing_system_gives_null_and_nothing_is_lost),
        QUIET(memory_goes_back_below_the_set_share_of_it_and_stays_above),
        QUIET(a_block_of_slices_shrinks_by_whole_slices_and_keeps_its_place),
        QUIET(a_mapping_shrinks_by_whole_pages_and_keeps_its_place),
        QUIET(with_percent_zero_nothing_is_ever_given_back),
        QUIET(a_system_that_will_not_take_the_end_back_is_no_error),
        QUIET(growing_within_what_the_block_has_changes_only_the_request),
        QUIET(a_block_of_slices_grows_into_free_slices_behind_it_and_no_further),
        QUIET(a_mapping_grows_where_the_addresses_behind_it_are_free),
        QUIET(a_mapping_moves_with_its_pages_to_a_larger_place),
        QUIET(a_block_of_slices_does_not_move_with_its_pages),
        QUIET(a_refused_move_leaves_block_and_bytes_as_they_were),
        QUIET(a_canary_stands_right_behind_every_request_and_its_first_byte_is_never_zero),
        QUIET(the_canary_moves_with_every_resize),
        QUIET(a_canary_is_another_for_another_request_and_in_another_life_of_the_place),
        QUIET(any_address_but_the_start_is_not_the_start_of_a_block),
        QUIET(one_byte_eight_bytes_or_a_terminating_zero_too_far_is_an_overflow_whatever_the_size),
        QUIET(two_threads_that_free_a_block_at_once_are_a_double_free),
        QUIET(a_block_that_was_freed_lately_is_remembered_with_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
