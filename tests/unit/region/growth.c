// SPDX-License-Identifier: MIT
/* growth.c: where slices come from: regions that grow, and shrink to what the system grants.
 *
 * Each test runs in a child of its own, since a region once reserved is there for good; failures say so by CHECK. */
#include "region/region.h"

#include "base/config.h"
#include "options/options.h"
#include "region/central.h"
#include "region/metadata.h"
#include "support/child.h"
#include "support/test.h"
#include "unit/support/fake_os.h"

static struct region *region;
static bool zeroed;

static char *take(size_t count) {
    return dam_region_take(count, &region, &zeroed);
}

static size_t reserved_slices(void) {
    struct region_figures figures;
    dam_region_read_figures(&figures);
    return figures.reserved_bytes >> SLICE_SHIFT;
}

static void in_fresh_process(void *body) {
    fake_os_reset();
    dam_central_enter();
    CHECK(dam_options_set("dirty_max", "1024G") == 0);
    CHECK(dam_options_set("purge_delay_ms", "3600000") == 0);
    CHECK(reserved_slices() == 0);
    (*(void (**)(void))body)();
    CHECK(dam_region_verify() == 0);
}

static void run_fresh(void (*body)(void)) {
    struct child_result result = child_run(in_fresh_process, &body, CHILD_STDOUT, 120);
    assert_true(child_exited_with(&result, 0));
}

/* What was asked of the system for regions, in slices: one more than each region has, since it is aligned within. Descriptors
 * come in chunks that are smaller than any region here. */
static void check_asked(const size_t *slices, size_t count) {
    size_t seen = 0;
    CHECK(fake_os.map_count <= ASKED_MAX);
    for (size_t i = 0; i < fake_os.map_count; i++) {
        if (fake_os.map_asked[i] <= 4 * SLICE_BYTES)
            continue;
        CHECK(seen < count && fake_os.map_asked[i] == (slices[seen] + 1) * SLICE_BYTES);
        seen++;
    }
    CHECK(seen == count);
}

static void grow_by_doubling(void) {
    static const size_t EXPECTED[] = {256, 512, 1024, 1024};
    for (size_t i = 0; i < (256 + 512 + 1024 + 1) / 64 + 1; i++)
        CHECK(take(64) != NULL && zeroed);
    check_asked(EXPECTED, COUNT_OF(EXPECTED));
    CHECK(reserved_slices() == 256 + 512 + 1024 + 1024);
}

TEST(each_region_is_twice_the_last_from_16_to_64_mebibytes) {
    run_fresh(grow_by_doubling);
}

static void halve_on_refusal(void) {
    static const size_t EXPECTED[] = {256, 128, 64, 32};
    fake_os.map_bytes_max = 40 * SLICE_BYTES;
    CHECK(take(3) != NULL);
    check_asked(EXPECTED, COUNT_OF(EXPECTED));
    CHECK(reserved_slices() == 32);
}

TEST(a_region_that_is_refused_is_asked_for_at_half_the_size_until_granted) {
    run_fresh(halve_on_refusal);
}

static void ask_for_no_less_than_needed(void) {
    static const size_t EXPECTED[] = {256, 128, 64, 32, 20};
    fake_os.map_bytes_max = 21 * SLICE_BYTES;
    CHECK(take(20) != NULL);
    check_asked(EXPECTED, COUNT_OF(EXPECTED));
    CHECK(reserved_slices() == 20);
    CHECK(take(1) != NULL);
    CHECK(reserved_slices() > 20);
}

TEST(halving_ends_at_what_is_needed) {
    run_fresh(ask_for_no_less_than_needed);
}

static void fail_and_recover(void) {
    fake_os.map_bytes_max = 4 * SLICE_BYTES; /* descriptors are granted, regions are not */
    for (int i = 0; i < 300; i++)
        CHECK(take(5) == NULL);
    CHECK(reserved_slices() == 0);
    CHECK(dam_metadata_mapped_bytes() <= 4 * SLICE_BYTES); /* a descriptor lost each time would have taken many chunks */
    CHECK(dam_region_verify() == 0);
    fake_os.map_bytes_max = SIZE_MAX;
    CHECK(take(5) != NULL && zeroed);
    CHECK(reserved_slices() == 256);
}

TEST(a_system_that_grants_nothing_gives_null_and_loses_nothing) {
    run_fresh(fail_and_recover);
}

static void fail_without_descriptor(void) {
    fake_os.refuses_metadata = true;
    CHECK(take(1) == NULL);
    CHECK(reserved_slices() == 0);
    CHECK(fake_os.map_count == 0);
}

TEST(without_a_descriptor_nothing_is_reserved) {
    run_fresh(fail_without_descriptor);
}

static void need_more_than_planned(void) {
    CHECK(take(1000) != NULL);
    CHECK(reserved_slices() == 1000);
    CHECK(take(1024) != NULL);
    CHECK(reserved_slices() == 2024);
}

TEST(a_region_is_as_large_as_the_request_that_needs_it) {
    run_fresh(need_more_than_planned);
}

static void prefer_the_older_region(void) {
    char *first = take(256);
    struct region *first_region = region;
    char *second = take(100);
    struct region *second_region = region;
    CHECK(first_region != second_region);
    CHECK(second + 100 * SLICE_BYTES <= first || first + 256 * SLICE_BYTES <= second);
    dam_region_give(second_region, second, 1);
    dam_region_give(first_region, first + 7 * SLICE_BYTES, 1);
    CHECK(take(1) == first + 7 * SLICE_BYTES && region == first_region);
    CHECK(take(1) == second && region == second_region);
    dam_region_give(first_region, first + 255 * SLICE_BYTES, 1);
    dam_region_purge_all();
    CHECK(take(1) == first + 255 * SLICE_BYTES && region == first_region && zeroed);
}

TEST(slices_of_the_older_region_are_used_first) {
    run_fresh(prefer_the_older_region);
}

static void stay_within_a_region(void) {
    char *first = take(250);
    struct region *first_region = region;
    char *second = take(10);
    CHECK(region != first_region);
    CHECK(take(6) == first + 250 * SLICE_BYTES);
    CHECK(region == first_region);
    CHECK(take(1) == second + 10 * SLICE_BYTES);
}

TEST(a_run_that_does_not_fit_a_regions_rest_comes_whole_from_another) {
    run_fresh(stay_within_a_region);
}

static void release_what_is_unused(void) {
    char *first = take(256);
    struct region *first_region = region;
    char *second = take(20);
    dam_region_give(region, second, 20);
    CHECK(reserved_slices() == 256 + 512);
    dam_region_give(first_region, first + SLICE_BYTES, 255);
    fake_os.map_refused_from = fake_os.map_count;
    fake_os.map_refused_count = 1;
    CHECK(take(1024) != NULL && zeroed);
    CHECK(fake_os.unmap_count == 1);
    CHECK((uintptr_t)second - (uintptr_t)fake_os.unmapped[0] <= SLICE_BYTES);
    CHECK(reserved_slices() == 256 + 1024); /* the one with a slice in use stays, with its dirty slices */
    CHECK(dam_region_verify() == 0);
    CHECK(take(255) == first + SLICE_BYTES && !zeroed);
}

TEST(when_the_system_refuses_regions_without_a_used_slice_make_room) {
    run_fresh(release_what_is_unused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_region_is_twice_the_last_from_16_to_64_mebibytes),
        cmocka_unit_test(a_region_that_is_refused_is_asked_for_at_half_the_size_until_granted),
        cmocka_unit_test(halving_ends_at_what_is_needed),
        cmocka_unit_test(a_system_that_grants_nothing_gives_null_and_loses_nothing),
        cmocka_unit_test(without_a_descriptor_nothing_is_reserved),
        cmocka_unit_test(a_region_is_as_large_as_the_request_that_needs_it),
        cmocka_unit_test(slices_of_the_older_region_are_used_first),
        cmocka_unit_test(a_run_that_does_not_fit_a_regions_rest_comes_whole_from_another),
        cmocka_unit_test(when_the_system_refuses_regions_without_a_used_slice_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
