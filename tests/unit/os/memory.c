// SPDX-License-Identifier: MIT
/* memory.c: what os.h promises of mappings: alignment, zeroes, contents kept when they move, and a plain "no" that changes
 * nothing, errno included. */
#include "os/os.h"

#include "support/memory_use.h"
#include "support/pattern.h"
#include "support/test.h"

#include <sys/mman.h>

#define KEY pattern_key(7, 7)

static size_t page;

/* mincore answers ENOMEM for addresses that are not mapped. */
static bool is_mapped(const void *start) {
    unsigned char residency;
    if (mincore((void *)(uintptr_t)start, page, &residency) == 0)
        return true;
    assert_int_equal(errno, ENOMEM);
    return false;
}

static void assert_mapped(const char *start, size_t bytes, bool mapped) {
    for (size_t offset = 0; offset < bytes; offset += page)
        assert_int_equal(is_mapped(start + offset), mapped);
}

TEST(the_page_size_is_the_systems) {
    assert_int_equal(dam_os_page_bytes(), sysconf(_SC_PAGESIZE));
    assert_int_equal(dam_os_page_bytes(), page);
}

TEST(a_mapping_is_aligned_zeroed_and_writable_from_a_page_to_one_gibibyte) {
    for (size_t alignment = page; alignment <= GIB; alignment *= 2) {
        size_t bytes = 5 * page;
        char *first = dam_os_map(bytes, alignment);
        char *second = dam_os_map(bytes, alignment);
        assert_non_null(first);
        assert_non_null(second);
        assert_true(is_aligned(first, alignment));
        assert_true(is_aligned(second, alignment));
        assert_true(first + bytes <= second || second + bytes <= first);
        assert_true(all_bytes_are(first, bytes, 0));
        memset(first, 0x33, bytes);
        assert_true(all_bytes_are(second, bytes, 0));
        assert_true(dam_os_unmap(first, bytes));
        assert_true(dam_os_unmap(second, bytes));
    }
}

TEST(an_aligned_mapping_takes_no_more_addresses_than_it_has_bytes) {
    for (size_t alignment = page; alignment <= GIB; alignment *= 2) {
        size_t before = memory_mapped_bytes();
        char *start = dam_os_map(3 * page, alignment);
        assert_non_null(start);
        assert_int_equal(memory_mapped_bytes(), before + 3 * page);
        assert_mapped(start, 3 * page, true);
        assert_true(dam_os_unmap(start, 3 * page));
        assert_int_equal(memory_mapped_bytes(), before);
        assert_mapped(start, 3 * page, false);
    }
}

TEST(a_size_beyond_the_address_space_is_refused_and_errno_kept) {
    static const size_t IMPOSSIBLE[] = {(size_t)1 << 47, (size_t)1 << 62, SIZE_MAX - 65535};
    for (size_t i = 0; i < COUNT_OF(IMPOSSIBLE); i++) {
        for (size_t alignment = page; alignment <= GIB; alignment *= 64) {
            errno = ERRNO_MARK;
            assert_null(dam_os_map(IMPOSSIBLE[i], alignment));
            assert_null(dam_os_reserve(IMPOSSIBLE[i], alignment));
            assert_int_equal(errno, ERRNO_MARK);
        }
    }
}

TEST(unmapping_what_cannot_be_unmapped_is_refused_and_errno_kept) {
    char *start = dam_os_map(2 * page, page);
    assert_non_null(start);
    start[0] = 'x';
    errno = ERRNO_MARK;
    assert_false(dam_os_unmap(start + 1, page));
    assert_int_equal(errno, ERRNO_MARK);
    assert_int_equal(start[0], 'x');
    assert_true(dam_os_unmap(start, 2 * page));
}

TEST(part_of_a_mapping_can_be_unmapped) {
    char *start = dam_os_map(4 * page, page);
    assert_non_null(start);
    pattern_fill(start, 4 * page, KEY);
    assert_true(dam_os_unmap(start + 2 * page, 2 * page));
    assert_mapped(start, 2 * page, true);
    assert_mapped(start + 2 * page, 2 * page, false);
    assert_true(pattern_holds(start, 2 * page, KEY));
    assert_true(dam_os_unmap(start, 2 * page));
}

TEST(purged_pages_stay_mapped_and_read_as_zero_while_the_others_keep_their_bytes) {
    char *start = dam_os_map(4 * page, page);
    assert_non_null(start);
    memset(start, 0x77, 4 * page);
    assert_true(dam_os_purge(start + page, 2 * page));
    assert_mapped(start, 4 * page, true);
    assert_true(all_bytes_are(start, page, 0x77));
    assert_true(all_bytes_are(start + page, 2 * page, 0));
    assert_true(all_bytes_are(start + 3 * page, page, 0x77));
    assert_true(dam_os_unmap(start, 4 * page));
    errno = ERRNO_MARK;
    assert_false(dam_os_purge(start, 4 * page)); /* nothing is there any more */
    assert_int_equal(errno, ERRNO_MARK);
}

TEST(growing_in_place_keeps_the_bytes_and_adds_zeroes_where_the_addresses_are_free) {
    char *start = dam_os_map(8 * page, page);
    assert_non_null(start);
    assert_true(dam_os_unmap(start + 4 * page, 4 * page));
    pattern_fill(start, 4 * page, KEY);
    assert_true(dam_os_grow_in_place(start, 4 * page, 8 * page));
    assert_true(pattern_holds(start, 4 * page, KEY));
    assert_true(all_bytes_are(start + 4 * page, 4 * page, 0));
    assert_true(dam_os_unmap(start, 8 * page));
}

TEST(growing_in_place_is_refused_where_the_addresses_are_taken_and_nothing_changes) {
    char *start = dam_os_map(8 * page, page);
    assert_non_null(start);
    pattern_fill(start, 8 * page, KEY);
    errno = ERRNO_MARK;
    assert_false(dam_os_grow_in_place(start, 4 * page, 8 * page));
    assert_int_equal(errno, ERRNO_MARK);
    assert_true(pattern_holds(start, 8 * page, KEY));
    assert_true(dam_os_unmap(start, 8 * page));
}

TEST(a_reserved_place_is_aligned_and_takes_its_addresses) {
    for (size_t alignment = page; alignment <= GIB; alignment *= 8) {
        size_t before = memory_mapped_bytes();
        char *place = dam_os_reserve(3 * page, alignment);
        assert_non_null(place);
        assert_true(is_aligned(place, alignment));
        assert_mapped(place, 3 * page, true);
        assert_int_equal(memory_mapped_bytes(), before + 3 * page);
        assert_true(dam_os_unmap(place, 3 * page));
    }
}

TEST(moving_onto_a_reserved_place_takes_the_bytes_along_and_adds_zeroes) {
    char *start = dam_os_map(4 * page, page);
    char *place = dam_os_reserve(9 * page, 64 * KIB);
    assert_non_null(start);
    assert_non_null(place);
    pattern_fill(start, 4 * page, KEY);
    assert_true(dam_os_move_onto(place, start, 4 * page, 9 * page));
    assert_true(pattern_holds(place, 4 * page, KEY));
    assert_true(all_bytes_are(place + 4 * page, 5 * page, 0));
    memset(place, 0x21, 9 * page);
    assert_mapped(start, 4 * page, false);
    assert_true(dam_os_unmap(place, 9 * page));
    assert_mapped(place, 9 * page, false);
}

/* Pages that were never touched are not touched by the move: it moves what is there. */
TEST(moving_does_not_touch_the_pages) {
    size_t bytes = 64 * page;
    unsigned char residency[128];
    char *start = dam_os_map(bytes, page);
    char *place = dam_os_reserve(2 * bytes, 64 * KIB);
    assert_non_null(start);
    assert_non_null(place);
    start[5 * page] = 1;
    assert_true(dam_os_move_onto(place, start, bytes, 2 * bytes));
    assert_int_equal(mincore(place, 2 * bytes, residency), 0);
    for (size_t i = 0; i < 128; i++)
        assert_int_equal(residency[i] & 1, i == 5);
    assert_true(dam_os_unmap(place, 2 * bytes));
}

static void assert_move_refused(char *start, size_t old_bytes) {
    char *place = dam_os_reserve(8 * page, page);
    assert_non_null(place);
    errno = ERRNO_MARK;
    assert_false(dam_os_move_onto(place, start, old_bytes, 8 * page));
    assert_int_equal(errno, ERRNO_MARK);
    assert_mapped(place, 8 * page, false);
}

TEST(a_refused_move_leaves_the_old_range_as_it_was_and_uses_the_reservation_up) {
    char *start = dam_os_map(4 * page, page);
    assert_non_null(start);
    pattern_fill(start, 4 * page, KEY);
    assert_move_refused(start + 1, 3 * page);
    assert_int_equal(madvise(start + page, page, MADV_DONTFORK), 0); /* now it is no longer one mapping to the kernel */
    assert_move_refused(start, 4 * page);
    assert_true(pattern_holds(start, 4 * page, KEY));
    assert_true(dam_os_unmap(start, 4 * page));
}

static int find_page_size(void **state) {
    (void)state;
    page = (size_t)sysconf(_SC_PAGESIZE);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_size_is_the_systems),
        cmocka_unit_test(a_mapping_is_aligned_zeroed_and_writable_from_a_page_to_one_gibibyte),
        cmocka_unit_test(an_aligned_mapping_takes_no_more_addresses_than_it_has_bytes),
        cmocka_unit_test(a_size_beyond_the_address_space_is_refused_and_errno_kept),
        cmocka_unit_test(unmapping_what_cannot_be_unmapped_is_refused_and_errno_kept),
        cmocka_unit_test(part_of_a_mapping_can_be_unmapped),
        cmocka_unit_test(purged_pages_stay_mapped_and_read_as_zero_while_the_others_keep_their_bytes),
        cmocka_unit_test(growing_in_place_keeps_the_bytes_and_adds_zeroes_where_the_addresses_are_free),
        cmocka_unit_test(growing_in_place_is_refused_where_the_addresses_are_taken_and_nothing_changes),
        cmocka_unit_test(a_reserved_place_is_aligned_and_takes_its_addresses),
        cmocka_unit_test(moving_onto_a_reserved_place_takes_the_bytes_along_and_adds_zeroes),
        cmocka_unit_test(moving_does_not_touch_the_pages),
        cmocka_unit_test(a_refused_move_leaves_the_old_range_as_it_was_and_uses_the_reservation_up),
    };
    return cmocka_run_group_tests(tests, find_page_size, NULL);
}
