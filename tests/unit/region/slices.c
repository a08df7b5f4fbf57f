// SPDX-License-Identifier: MIT
/* slices.c: which slices are taken, what is in them, and when free ones go back to the system.
 *
 * Every test starts with all slices free and clean, with bounds so wide that nothing is purged unless the test says so, and
 * with a clock that stands still. All of them together stay within the first region, so addresses can be foretold. */
#include "region/region.h"

#include "base/config.h"
#include "options/options.h"
#include "os/os.h"
#include "region/central.h"
#include "support/test.h"
#include "unit/support/fake_os.h"

#define TAKEN_MAX 64
#define CLOCK_START 1000000
#define HOUR_MS 3600000

static struct region *region;
static bool zeroed;
static char *taken[TAKEN_MAX];

static void set_bounds(const char *dirty_max, const char *purge_delay_ms) {
    assert_int_equal(dam_options_set("dirty_max", dirty_max), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", purge_delay_ms), 0);
}

static struct region_figures figures(void) {
    struct region_figures figures;
    dam_region_read_figures(&figures);
    return figures;
}

static char *take(size_t count) {
    region = NULL;
    char *start = dam_region_take(count, &region, &zeroed);
    assert_non_null(start);
    assert_non_null(region);
    return start;
}

static void give(char *start, size_t count) {
    dam_region_give(region, start, count);
}

/* taken[0], taken[1] ...: single slices at ascending, adjacent addresses. */
static void take_singles(size_t count) {
    for (size_t i = 0; i < count; i++) {
        taken[i] = take(1);
        taken[i][0] = 'd';
        assert_true(i == 0 || taken[i] == taken[i - 1] + SLICE_BYTES);
    }
}

static int start_clean(void **state) {
    (void)state;
    fake_os_reset();
    set_bounds("1024G", "3600000");
    fake_os.now_ms = CLOCK_START;
    dam_region_purge_all();
    assert_int_equal(figures().used_bytes, 0);
    assert_int_equal(figures().dirty_bytes, 0);
    return 0;
}

/* Every test gives back what it took. Checks R1 to R3. */
static int end_sound(void **state) {
    (void)state;
    assert_int_equal(dam_region_verify(), 0);
    assert_int_equal(figures().used_bytes, 0);
    return 0;
}

/* ---- Taking and giving ------------------------------------------------------------------------------------------- */

TEST(fresh_slices_are_aligned_and_read_as_zero) { /* R2 */
    char *one = take(1);
    assert_true(zeroed);
    char *three = take(3);
    assert_true(zeroed);
    assert_true(is_aligned(one, SLICE_BYTES));
    assert_true(is_aligned(three, SLICE_BYTES));
    assert_true(all_bytes_are(one, SLICE_BYTES, 0));
    assert_true(all_bytes_are(three, 3 * SLICE_BYTES, 0));
    give(one, 1);
    give(three, 3);
}

TEST(no_slice_is_taken_twice) { /* R1 */
    char *starts[20];
    size_t counts[20];
    for (size_t i = 0; i < 20; i++) {
        counts[i] = 1 + i % 5;
        starts[i] = take(counts[i]);
        for (size_t j = 0; j < i; j++)
            assert_true(starts[i] + counts[i] * SLICE_BYTES <= starts[j] ||
                        starts[j] + counts[j] * SLICE_BYTES <= starts[i]);
    }
    for (size_t i = 0; i < 20; i++)
        give(starts[i], counts[i]);
}

TEST(figures_tell_used_and_dirty_bytes) { /* R3 */
    size_t reserved = figures().reserved_bytes;
    char *start = take(5);
    assert_int_equal(figures().used_bytes, 5 * SLICE_BYTES);
    assert_int_equal(figures().dirty_bytes, 0);
    give(start + 3 * SLICE_BYTES, 2);
    assert_int_equal(figures().used_bytes, 3 * SLICE_BYTES);
    assert_int_equal(figures().dirty_bytes, 2 * SLICE_BYTES);
    give(start, 3);
    assert_int_equal(figures().used_bytes, 0);
    assert_int_equal(figures().dirty_bytes, 5 * SLICE_BYTES);
    assert_true(figures().reserved_bytes >= reserved);
}

TEST(a_slice_that_was_given_comes_back_with_its_bytes_and_is_not_called_zeroed) {
    char *start = take(2);
    memset(start, 0x4D, 2 * SLICE_BYTES);
    give(start, 2);
    assert_ptr_equal(take(2), start);
    assert_false(zeroed);
    assert_true(all_bytes_are(start, 2 * SLICE_BYTES, 0x4D));
    assert_int_equal(figures().dirty_bytes, 0);
    give(start, 2);
}

TEST(dirty_slices_are_taken_before_clean_ones_and_the_lowest_address_first) {
    take_singles(8);
    give(taken[6], 1);
    give(taken[2], 1);
    give(taken[4], 1);
    assert_ptr_equal(take(1), taken[2]);
    assert_ptr_equal(take(1), taken[4]);
    assert_ptr_equal(take(1), taken[6]);
    assert_false(zeroed);
    char *clean = take(1);
    assert_true(zeroed);
    assert_ptr_equal(clean, taken[7] + SLICE_BYTES);
    give(clean, 1);
    for (size_t i = 0; i < 8; i++)
        give(taken[i], 1);
}

/* Even where clean ones lie lower. */
TEST(dirty_slices_are_preferred_to_clean_ones_at_lower_addresses) {
    take_singles(6);
    give(taken[0], 1);
    dam_region_purge_all();
    give(taken[4], 1);
    assert_ptr_equal(take(1), taken[4]);
    assert_false(zeroed);
    assert_ptr_equal(take(1), taken[0]);
    assert_true(zeroed);
    for (size_t i = 0; i < 6; i++)
        give(taken[i], 1);
}

TEST(a_run_is_only_taken_where_all_its_slices_are_free) {
    take_singles(7);
    give(taken[1], 1);
    give(taken[3], 1);
    give(taken[4], 1);
    assert_ptr_equal(take(2), taken[3]);
    assert_false(zeroed);
    assert_ptr_equal(take(2), taken[6] + SLICE_BYTES);
    assert_true(zeroed);
    give(taken[6] + SLICE_BYTES, 2);
    give(taken[0], 1);
    give(taken[2], 5);
}

TEST(a_run_with_one_dirty_slice_among_clean_ones_is_not_called_zeroed) {
    take_singles(3);
    give(taken[2], 1); /* dirty; behind it everything is clean */
    assert_ptr_equal(take(4), taken[2]);
    assert_false(zeroed);
    assert_int_equal(figures().dirty_bytes, 0);
    assert_true(all_bytes_are(taken[2] + SLICE_BYTES, 3 * SLICE_BYTES, 0));
    give(taken[0], 2);
    give(taken[2], 4);
}

/* ---- Extending --------------------------------------------------------------------------------------------------- */

TEST(slices_are_extended_into_free_ones_behind_them_clean_or_dirty) {
    take_singles(4);
    give(taken[2], 2);
    assert_int_equal(figures().dirty_bytes, 2 * SLICE_BYTES);
    assert_true(dam_region_extend(region, taken[1], 1, 2));
    assert_int_equal(figures().dirty_bytes, SLICE_BYTES);
    assert_true(dam_region_extend(region, taken[1], 2, 5));
    assert_int_equal(figures().dirty_bytes, 0);
    assert_int_equal(figures().used_bytes, 6 * SLICE_BYTES);
    assert_ptr_equal(take(1), taken[0] + 6 * SLICE_BYTES);
    give(taken[0], 7);
}

TEST(slices_are_not_extended_over_used_ones_or_beyond_the_region) {
    take_singles(5);
    give(taken[2], 1);
    give(taken[4], 1);
    assert_false(dam_region_extend(region, taken[1], 1, 3)); /* taken[3] is in the way */
    assert_int_equal(figures().used_bytes, 3 * SLICE_BYTES);
    assert_int_equal(figures().dirty_bytes, 2 * SLICE_BYTES);
    size_t behind = (figures().reserved_bytes >> SLICE_SHIFT) - 4;
    assert_false(dam_region_extend(region, taken[3], 1, 1 + behind + 1));
    assert_int_equal(figures().used_bytes, 3 * SLICE_BYTES);
    assert_true(dam_region_extend(region, taken[3], 1, 1 + behind));
    give(taken[3], 1 + behind);
    give(taken[0], 2);
}

/* ---- Purging ----------------------------------------------------------------------------------------------------- */

TEST(purging_gives_every_dirty_slice_back_and_they_read_as_zero) { /* R2 */
    take_singles(6);
    for (size_t i = 0; i < 6; i++)
        memset(taken[i], 0x66, SLICE_BYTES);
    give(taken[0], 2);
    give(taken[4], 1);
    size_t given_back = figures().given_back_bytes;
    assert_int_equal(dam_region_purge_all(), 3 * SLICE_BYTES);
    assert_int_equal(figures().given_back_bytes, given_back + 3 * SLICE_BYTES);
    assert_int_equal(figures().dirty_bytes, 0);
    assert_int_equal(dam_region_purge_all(), 0);
    assert_true(all_bytes_are(taken[2], 2 * SLICE_BYTES, 0x66));
    assert_true(all_bytes_are(taken[5], SLICE_BYTES, 0x66));
    assert_ptr_equal(take(2), taken[0]);
    assert_true(zeroed);
    assert_true(all_bytes_are(taken[0], 2 * SLICE_BYTES, 0));
    give(taken[0], 4);
    give(taken[5], 1);
}

TEST(each_dirty_run_is_purged_by_one_call) {
    take_singles(9);
    give(taken[1], 3);
    give(taken[5], 2);
    give(taken[8], 1);
    fake_os.purge_count = fake_os.purged_bytes = 0;
    assert_int_equal(dam_region_purge_all(), 6 * SLICE_BYTES);
    assert_int_equal(fake_os.purge_count, 3);
    assert_int_equal(fake_os.purged_bytes, 6 * SLICE_BYTES);
    give(taken[0], 1);
    give(taken[4], 1);
    give(taken[7], 1);
}

TEST(slices_that_the_system_will_not_purge_stay_dirty_and_are_tried_again) {
    take_singles(3);
    memset(taken[1], 0x55, SLICE_BYTES);
    give(taken[1], 1);
    fake_os.refuses_purge = true;
    size_t given_back = figures().given_back_bytes;
    assert_int_equal(dam_region_purge_all(), 0);
    assert_int_equal(figures().dirty_bytes, SLICE_BYTES);
    assert_int_equal(figures().given_back_bytes, given_back);
    assert_int_equal(dam_region_verify(), 0);
    assert_ptr_equal(take(1), taken[1]);
    assert_false(zeroed);
    give(taken[1], 1);
    fake_os.refuses_purge = false;
    assert_int_equal(dam_region_purge_all(), SLICE_BYTES);
    assert_ptr_equal(take(1), taken[1]);
    assert_true(zeroed);
    assert_true(all_bytes_are(taken[1], SLICE_BYTES, 0));
    give(taken[0], 3);
}

/* ---- Bounds ------------------------------------------------------------------------------------------------------ */

TEST(dirty_bytes_never_exceed_dirty_max_and_reuse_is_not_lost_to_it) {
    set_bounds("1M", "3600000");
    take_singles(TAKEN_MAX);
    size_t given_back = figures().given_back_bytes;
    for (size_t i = 0; i < TAKEN_MAX; i++) {
        fake_os.now_ms += 100;
        give(taken[i], 1);
        assert_true(figures().dirty_bytes <= MIB);
        assert_true(figures().dirty_bytes > 0);
        assert_int_equal(figures().dirty_bytes + figures().given_back_bytes - given_back, (i + 1) * SLICE_BYTES);
        if (i < MIB / SLICE_BYTES)
            assert_int_equal(figures().dirty_bytes, (i + 1) * SLICE_BYTES); /* not before it must */
    }
}

TEST(with_dirty_max_zero_nothing_stays_dirty) {
    set_bounds("0", "3600000");
    take_singles(3);
    for (size_t i = 0; i < 3; i++) {
        give(taken[i], 1);
        assert_int_equal(figures().dirty_bytes, 0);
    }
}

TEST(beyond_dirty_max_the_oldest_goes_first) {
    set_bounds("1M", "100000");
    take_singles(18);
    for (size_t i = 0; i < 16; i++) {
        fake_os.now_ms += 100;
        give(taken[17 - i], 1); /* the highest is the oldest */
    }
    assert_int_equal(figures().dirty_bytes, MIB);
    fake_os.now_ms += 60000;
    give(taken[1], 1);
    assert_true(figures().dirty_bytes < MIB);
    assert_true(figures().dirty_bytes > 0);
    assert_ptr_equal(take(1), taken[1]); /* the one that has just come is still there */
    assert_false(zeroed);
    give(taken[0], 2);
}

TEST(a_dirty_slice_is_purged_when_its_delay_is_over_and_not_before) {
    set_bounds("1G", "1000");
    take_singles(2);
    give(taken[0], 1);
    for (fake_os.now_ms = CLOCK_START; fake_os.now_ms < CLOCK_START + 1000; fake_os.now_ms += 111) {
        dam_region_purge_due();
        assert_int_equal(figures().dirty_bytes, SLICE_BYTES);
    }
    fake_os.now_ms = CLOCK_START + 1250; /* at most a quarter late, since it is not looked for at every call */
    dam_region_purge_due();
    assert_int_equal(figures().dirty_bytes, 0);
    give(taken[1], 1);
}

TEST(old_slices_go_and_young_ones_stay_even_side_by_side) {
    set_bounds("1G", "1000");
    take_singles(7);
    give(taken[1], 1);
    give(taken[4], 2);
    fake_os.now_ms += 900;
    give(taken[2], 1);
    give(taken[3], 1);
    fake_os.now_ms += 400;
    dam_region_purge_due();
    assert_int_equal(figures().dirty_bytes, 2 * SLICE_BYTES);
    assert_ptr_equal(take(2), taken[2]);
    assert_false(zeroed);
    assert_ptr_equal(take(1), taken[1]);
    assert_true(zeroed);
    assert_ptr_equal(take(2), taken[4]);
    assert_true(zeroed);
    give(taken[0], 7);
}

TEST(a_slice_that_is_used_again_starts_its_delay_anew) {
    set_bounds("1G", "1000");
    take_singles(2);
    give(taken[0], 1);
    fake_os.now_ms += 800;
    assert_ptr_equal(take(1), taken[0]);
    give(taken[0], 1);
    fake_os.now_ms += 800;
    dam_region_purge_due();
    assert_int_equal(figures().dirty_bytes, SLICE_BYTES);
    fake_os.now_ms += 500;
    dam_region_purge_due();
    assert_int_equal(figures().dirty_bytes, 0);
    give(taken[1], 1);
}

/* The low half of the clock's milliseconds, which is what a slice remembers, goes round every 49 days. */
TEST(ages_are_right_across_the_wrap_of_the_short_clock) {
    set_bounds("1G", "1000");
    take_singles(2);
    fake_os.now_ms = ((uint64_t)1 << 32) - 100;
    give(taken[0], 1);
    fake_os.now_ms += 700;
    dam_region_purge_due();
    assert_int_equal(figures().dirty_bytes, SLICE_BYTES);
    fake_os.now_ms += 550;
    dam_region_purge_due();
    assert_int_equal(figures().dirty_bytes, 0);
    give(taken[1], 1);
}

TEST(taking_and_giving_look_for_what_is_due_themselves) {
    set_bounds("1G", "1000");
    take_singles(4);
    give(taken[0], 1);
    fake_os.now_ms += 2000;
    give(taken[2], 1);
    assert_int_equal(figures().dirty_bytes, SLICE_BYTES); /* taken[2] alone */
    fake_os.now_ms += 2000;
    assert_ptr_equal(take(1), taken[0]);
    assert_true(zeroed);
    assert_int_equal(figures().dirty_bytes, 0);
    give(taken[0], 2);
    give(taken[3], 1);
}

/* With the system's own clock: it must happen some time, and not too early. */
TEST(the_delay_is_measured_by_the_systems_clock) {
    fake_os.now_ms = 0;
    set_bounds("1G", "40");
    take_singles(2);
    uint64_t before_ms = dam_os_now_ms();
    give(taken[0], 1);
    while (figures().dirty_bytes > 0) {
        usleep(1000);
        dam_region_purge_due();
    }
    assert_true(dam_os_now_ms() - before_ms >= 40);
    give(taken[1], 1);
}

static int enter_central(void **state) {
    (void)state;
    dam_central_enter(); /* as every caller of the region does */
    return 0;
}

int main(void) {
#define WITH_CLEAN_SLICES(test) cmocka_unit_test_setup_teardown(test, start_clean, end_sound)
    const struct CMUnitTest tests[] = {
        WITH_CLEAN_SLICES(fresh_slices_are_aligned_and_read_as_zero),
        WITH_CLEAN_SLICES(no_slice_is_taken_twice),
        WITH_CLEAN_SLICES(figures_tell_used_and_dirty_bytes),
        WITH_CLEAN_SLICES(a_slice_that_was_given_comes_back_with_its_bytes_and_is_not_called_zeroed),
        WITH_CLEAN_SLICES(dirty_slices_are_taken_before_clean_ones_and_the_lowest_address_first),
        WITH_CLEAN_SLICES(dirty_slices_are_preferred_to_clean_ones_at_lower_addresses),
        WITH_CLEAN_SLICES(a_run_is_only_taken_where_all_its_slices_are_free),
        WITH_CLEAN_SLICES(a_run_with_one_dirty_slice_among_clean_ones_is_not_called_zeroed),
        WITH_CLEAN_SLICES(slices_are_extended_into_free_ones_behind_them_clean_or_dirty),
        WITH_CLEAN_SLICES(slices_are_not_extended_over_used_ones_or_beyond_the_region),
        WITH_CLEAN_SLICES(purging_gives_every_dirty_slice_back_and_they_read_as_zero),
        WITH_CLEAN_SLICES(each_dirty_run_is_purged_by_one_call),
        WITH_CLEAN_SLICES(slices_that_the_system_will_not_purge_stay_dirty_and_are_tried_again),
        WITH_CLEAN_SLICES(dirty_bytes_never_exceed_dirty_max_and_reuse_is_not_lost_to_it),
        WITH_CLEAN_SLICES(with_dirty_max_zero_nothing_stays_dirty),
        WITH_CLEAN_SLICES(beyond_dirty_max_the_oldest_goes_first),
        WITH_CLEAN_SLICES(a_dirty_slice_is_purged_when_its_delay_is_over_and_not_before),
        WITH_CLEAN_SLICES(old_slices_go_and_young_ones_stay_even_side_by_side),
        WITH_CLEAN_SLICES(a_slice_that_is_used_again_starts_its_delay_anew),
        WITH_CLEAN_SLICES(ages_are_right_across_the_wrap_of_the_short_clock),
        WITH_CLEAN_SLICES(taking_and_giving_look_for_what_is_due_themselves),
        WITH_CLEAN_SLICES(the_delay_is_measured_by_the_systems_clock),
    };
    return cmocka_run_group_tests(tests, enter_central, NULL);
}
