// SPDX-License-Identifier: MIT
/* mappings.c: mappings of their own, the stock that keeps them, and husks: what is left of a mapping when the system will
 * not take its addresses back.
 *
 * Every test starts with an empty stock, wide bounds and a clock that stands still. */
#include "region/region.h"

#include "base/config.h"
#include "options/options.h"
#include "region/central.h"
#include "region/dirty.h"
#include "support/memory_use.h"
#include "support/test.h"
#include "unit/support/fake_os.h"

#define CLOCK_START 1000000

static size_t true_bytes;
static bool zeroed;
static size_t mapped_before;

static void set_bounds(const char *dirty_max, const char *purge_delay_ms) {
    assert_int_equal(dam_options_set("dirty_max", dirty_max), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", purge_delay_ms), 0);
}

static char *take_aligned(size_t bytes, size_t alignment) {
    char *start = dam_mapping_take(bytes, alignment, &true_bytes, &zeroed);
    assert_non_null(start);
    assert_true(true_bytes >= bytes);
    assert_true(is_aligned(start, alignment));
    return start;
}

static char *take(size_t bytes) {
    return take_aligned(bytes, SLICE_BYTES);
}

/* A mapping with something in it, given to the stock. */
static char *stock_one(size_t bytes) {
    char *start = take(bytes);
    memset(start, 0x4B, bytes);
    dam_mapping_give(start, true_bytes);
    return start;
}

static size_t dirty_bytes(void) {
    struct region_figures figures;
    dam_region_read_figures(&figures);
    return figures.dirty_bytes;
}

static size_t given_back_bytes(void) {
    struct region_figures figures;
    dam_region_read_figures(&figures);
    return figures.given_back_bytes;
}

static int start_empty(void **state) {
    (void)state;
    fake_os_reset();
    set_bounds("1024G", "3600000");
    dam_region_purge_all();
    fake_os_reset();
    fake_os.now_ms = CLOCK_START;
    assert_int_equal(dirty_bytes(), 0);
    assert_int_equal(dam_mapping_stock_bytes(), 0);
    mapped_before = memory_mapped_bytes();
    return 0;
}

/* Nothing of a test's mappings is left once the stock is emptied: no byte, no address. Checks R3. */
static int end_empty(void **state) {
    (void)state;
    fake_os_reset();
    dam_region_purge_all();
    assert_int_equal(dam_region_verify(), 0);
    assert_int_equal(dirty_bytes(), 0);
    assert_int_equal(memory_mapped_bytes(), mapped_before);
    return 0;
}

/* ---- The stock --------------------------------------------------------------------------------------------------- */

TEST(a_fresh_mapping_is_exactly_as_large_as_asked_aligned_and_zeroed) {
    for (size_t alignment = SLICE_BYTES; alignment <= GIB; alignment *= 16) {
        char *start = take_aligned(3 * MIB + 4096, alignment);
        assert_int_equal(true_bytes, 3 * MIB + 4096);
        assert_true(zeroed);
        assert_true(all_bytes_are(start, true_bytes, 0));
        assert_int_equal(memory_mapped_bytes(), mapped_before + true_bytes);
        dam_mapping_give(start, true_bytes);
        dam_region_purge_all();
    }
}

TEST(a_mapping_that_was_given_is_taken_again_with_its_pages_and_without_the_system) {
    char *start = stock_one(2 * MIB);
    assert_int_equal(dirty_bytes(), 2 * MIB);
    assert_int_equal(dam_mapping_stock_bytes(), 2 * MIB);
    fake_os.map_count = 0;
    assert_ptr_equal(take(2 * MIB), start);
    assert_int_equal(fake_os.map_count, 0);
    assert_int_equal(fake_os.unmap_count, 0);
    assert_false(zeroed);
    assert_true(all_bytes_are(start, 2 * MIB, 0x4B));
    assert_int_equal(dirty_bytes(), 0);
    dam_mapping_give(start, true_bytes);
}

TEST(a_stocked_mapping_serves_a_request_of_four_fifths_of_it_and_no_less) {
    char *start = stock_one(5 * MIB);
    assert_ptr_equal(take(4 * MIB), start);
    assert_int_equal(true_bytes, 5 * MIB);
    dam_mapping_give(start, true_bytes);
    char *other = take(4 * MIB - 4096);
    assert_ptr_not_equal(other, start);
    assert_int_equal(true_bytes, 4 * MIB - 4096);
    char *larger = take(9 * MIB + 4096);
    assert_ptr_not_equal(larger, start);
    assert_int_equal(dirty_bytes(), 5 * MIB);
    dam_mapping_give(larger, true_bytes);
    dam_mapping_give(other, 4 * MIB - 4096);
}

TEST(of_several_that_would_do_the_tightest_is_taken) {
    char *loose = take(12 * MIB);
    char *tight = take(11 * MIB);
    char *middle = take(11 * MIB + 4096);
    dam_mapping_give(loose, 12 * MIB);
    dam_mapping_give(tight, 11 * MIB);
    dam_mapping_give(middle, 11 * MIB + 4096);
    assert_ptr_equal(take(10 * MIB), tight);
    assert_int_equal(true_bytes, 11 * MIB);
    assert_ptr_equal(take(10 * MIB), middle);
    assert_int_equal(true_bytes, 11 * MIB + 4096);
    assert_ptr_equal(take(10 * MIB), loose);
    assert_int_equal(true_bytes, 12 * MIB);
    dam_mapping_give(loose, 12 * MIB);
    dam_mapping_give(tight, 11 * MIB);
    dam_mapping_give(middle, 11 * MIB + 4096);
}

TEST(a_stocked_mapping_is_not_taken_for_an_alignment_it_has_not) {
    char *start = take_aligned(2 * MIB + SLICE_BYTES, 2 * MIB);
    dam_mapping_give(start, SLICE_BYTES); /* two parts: both of them large enough, the second not aligned to 2 MiB */
    dam_mapping_give(start + SLICE_BYTES, 2 * MIB);
    char *aligned = take_aligned(2 * MIB, 2 * MIB);
    assert_ptr_not_equal(aligned, start + SLICE_BYTES);
    assert_ptr_equal(take(2 * MIB), start + SLICE_BYTES);
    dam_mapping_give(start + SLICE_BYTES, 2 * MIB);
    dam_mapping_give(aligned, 2 * MIB);
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

TEST(a_mapping_above_dirty_max_goes_straight_to_the_system) {
    set_bounds("8M", "3600000");
    size_t given_back = given_back_bytes();
    char *start = stock_one(4 * MIB);
    assert_int_equal(dirty_bytes(), 4 * MIB);
    char *larger = take(9 * MIB + 4096);
    dam_mapping_give(larger, true_bytes);
    assert_int_equal(dirty_bytes(), 4 * MIB); /* and does not push the other out */
    assert_int_equal(given_back_bytes(), given_back + 9 * MIB + 4096);
    assert_ptr_equal(take(4 * MIB), start);
    dam_mapping_give(start, true_bytes);
}

TEST(beyond_dirty_max_the_oldest_mappings_go_first) {
    set_bounds("8M", "3600000");
    char *starts[5];
    for (size_t i = 0; i < 5; i++)
        starts[i] = take(2 * MIB);
    for (size_t i = 0; i < 4; i++)
        dam_mapping_give(starts[i], 2 * MIB);
    assert_int_equal(dirty_bytes(), 8 * MIB);
    assert_int_equal(fake_os.unmap_count, 0);
    dam_mapping_give(starts[4], 2 * MIB);
    assert_int_equal(dirty_bytes(), 8 * MIB);
    assert_int_equal(fake_os.unmap_count, 1);
    assert_ptr_equal(fake_os.unmapped[0], starts[0]);
}

TEST(the_stock_holds_64_mappings_and_then_the_oldest_goes) {
    enum { STOCK_MAX = 64, COUNT = STOCK_MAX + 3 };
    char *starts[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        starts[i] = take(2 * SLICE_BYTES);
    for (size_t i = 0; i < STOCK_MAX; i++)
        dam_mapping_give(starts[i], 2 * SLICE_BYTES);
    assert_int_equal(fake_os.unmap_count, 0);
    for (size_t i = STOCK_MAX; i < COUNT; i++) {
        dam_mapping_give(starts[i], 2 * SLICE_BYTES);
        assert_int_equal(fake_os.unmap_count, i - STOCK_MAX + 1);
        assert_ptr_equal(fake_os.unmapped[i - STOCK_MAX], starts[i - STOCK_MAX]);
        assert_int_equal(dam_mapping_stock_bytes(), STOCK_MAX * 2 * SLICE_BYTES);
    }
}

TEST(a_stocked_mapping_goes_when_its_delay_is_over_and_not_before) {
    set_bounds("1G", "1000");
    stock_one(2 * MIB);
    fake_os.now_ms += 900;
    stock_one(3 * MIB);
    fake_os.now_ms += 99;
    dam_region_purge_due();
    assert_int_equal(dirty_bytes(), 5 * MIB);
    fake_os.now_ms += 251;
    dam_region_purge_due();
    assert_int_equal(dirty_bytes(), 3 * MIB);
    fake_os.now_ms += 1000;
    dam_region_purge_due();
    assert_int_equal(dirty_bytes(), 0);
    assert_int_equal(memory_mapped_bytes(), mapped_before);
}

TEST(taking_does_not_hand_out_what_is_overdue) {
    set_bounds("1G", "1000");
    stock_one(2 * MIB);
    fake_os.now_ms += 5000;
    char *start = take(2 * MIB);
    assert_true(zeroed);
    assert_true(all_bytes_are(start, 2 * MIB, 0));
    dam_mapping_give(start, true_bytes);
}

/* ---- A system that refuses --------------------------------------------------------------------------------------- */

TEST(a_mapping_whose_addresses_are_not_taken_back_is_purged_and_kept_as_a_husk) {
    size_t given_back = given_back_bytes();
    char *start = stock_one(2 * MIB);
    fake_os.refuses_unmap = true;
    assert_int_equal(dam_region_purge_all(), 2 * MIB);
    assert_int_equal(dirty_bytes(), 0);
    assert_int_equal(given_back_bytes(), given_back + 2 * MIB);
    assert_int_equal(dam_region_purge_all(), 0); /* what is given back is counted once */
    assert_int_equal(dam_region_verify(), 0);
    assert_ptr_equal(take(2 * MIB), start);
    assert_true(zeroed);
    assert_true(all_bytes_are(start, 2 * MIB, 0));
    assert_int_equal(dirty_bytes(), 0);
    dam_mapping_give(start, true_bytes);
}

TEST(a_husks_addresses_go_back_as_soon_as_the_system_takes_them) {
    stock_one(2 * MIB);
    fake_os.refuses_unmap = true;
    dam_region_purge_all();
    assert_int_equal(memory_mapped_bytes(), mapped_before + 2 * MIB);
    fake_os.refuses_unmap = false;
    assert_int_equal(dam_region_purge_all(), 0);
    assert_int_equal(memory_mapped_bytes(), mapped_before);
}

TEST(a_large_mapping_that_cannot_be_returned_becomes_a_husk_at_once) {
    set_bounds("2M", "3600000");
    fake_os.refuses_unmap = true;
    char *start = stock_one(9 * MIB);
    assert_int_equal(dirty_bytes(), 0);
    assert_ptr_equal(take(9 * MIB), start);
    assert_true(zeroed);
    assert_true(all_bytes_are(start, 9 * MIB, 0));
    dam_mapping_give(start, true_bytes);
}

TEST(a_mapping_that_is_neither_unmapped_nor_purged_stays_dirty_with_its_bytes) {
    size_t given_back = given_back_bytes();
    char *start = stock_one(2 * MIB);
    fake_os.refuses_unmap = fake_os.refuses_purge = true;
    assert_int_equal(dam_region_purge_all(), 0);
    assert_int_equal(dirty_bytes(), 2 * MIB);
    assert_int_equal(given_back_bytes(), given_back);
    assert_ptr_equal(take(2 * MIB), start);
    assert_false(zeroed);
    assert_true(all_bytes_are(start, 2 * MIB, 0x4B));
    dam_mapping_give(start, true_bytes);
    fake_os.refuses_unmap = fake_os.refuses_purge = false;
    assert_int_equal(dam_region_purge_all(), 2 * MIB);
}

TEST(when_no_mapping_is_granted_the_stock_is_given_up_for_it) {
    stock_one(2 * MIB);
    stock_one(7 * MIB);
    fake_os.map_count = 0;
    fake_os.map_refused_from = 0;
    fake_os.map_refused_count = 1;
    char *start = take(20 * MIB);
    assert_int_equal(fake_os.map_count, 2);
    assert_int_equal(dirty_bytes(), 0);
    assert_true(zeroed);
    assert_int_equal(memory_mapped_bytes(), mapped_before + 20 * MIB);
    dam_mapping_give(start, true_bytes);
}

TEST(when_no_mapping_is_granted_even_so_the_answer_is_null) {
    stock_one(2 * MIB);
    fake_os.map_bytes_max = MIB;
    for (int i = 0; i < 3; i++)
        assert_null(dam_mapping_take(20 * MIB, SLICE_BYTES, &true_bytes, &zeroed));
    assert_int_equal(dam_mapping_stock_bytes(), 0);
}

TEST(without_a_descriptor_a_mapping_goes_back_at_once) {
    size_t given_back = given_back_bytes();
    char *start = take(2 * MIB);
    fake_os.refuses_metadata = true;
    dam_mapping_give(start, true_bytes);
    assert_int_equal(memory_mapped_bytes(), mapped_before);
    assert_int_equal(given_back_bytes(), given_back + 2 * MIB);
    assert_int_equal(dirty_bytes(), 0);
}

static int enter_central(void **state) {
    (void)state;
    dam_central_enter(); /* as every caller of the region does */
    fake_os_reset();
    stock_one(2 * MIB); /* so that the chunk of descriptors is there before addresses are counted */
    return 0;
}

int main(void) {
#define WITH_EMPTY_STOCK(test) cmocka_unit_test_setup_teardown(test, start_empty, end_empty)
    const struct CMUnitTest tests[] = {
        WITH_EMPTY_STOCK(a_fresh_mapping_is_exactly_as_large_as_asked_aligned_and_zeroed),
        WITH_EMPTY_STOCK(a_mapping_that_was_given_is_taken_again_with_its_pages_and_without_the_system),
        WITH_EMPTY_STOCK(a_stocked_mapping_serves_a_request_of_four_fifths_of_it_and_no_less),
        WITH_EMPTY_STOCK(of_several_that_would_do_the_tightest_is_taken),
        WITH_EMPTY_STOCK(a_stocked_mapping_is_not_taken_for_an_alignment_it_has_not),
        WITH_EMPTY_STOCK(a_mapping_above_dirty_max_goes_straight_to_the_system),
        WITH_EMPTY_STOCK(beyond_dirty_max_the_oldest_mappings_go_first),
        WITH_EMPTY_STOCK(the_stock_holds_64_mappings_and_then_the_oldest_goes),
        WITH_EMPTY_STOCK(a_stocked_mapping_goes_when_its_delay_is_over_and_not_before),
        WITH_EMPTY_STOCK(taking_does_not_hand_out_what_is_overdue),
        WITH_EMPTY_STOCK(a_mapping_whose_addresses_are_not_taken_back_is_purged_and_kept_as_a_husk),
        WITH_EMPTY_STOCK(a_husks_addresses_go_back_as_soon_as_the_system_takes_them),
        WITH_EMPTY_STOCK(a_large_mapping_that_cannot_be_returned_becomes_a_husk_at_once),
        WITH_EMPTY_STOCK(a_mapping_that_is_neither_unmapped_nor_purged_stays_dirty_with_its_bytes),
        WITH_EMPTY_STOCK(when_no_mapping_is_granted_the_stock_is_given_up_for_it),
        WITH_EMPTY_STOCK(when_no_mapping_is_granted_even_so_the_answer_is_null),
        WITH_EMPTY_STOCK(without_a_descriptor_a_mapping_goes_back_at_once),
    };
    return cmocka_run_group_tests(tests, enter_central, NULL);
}
