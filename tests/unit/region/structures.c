// SPDX-License-Identifier: MIT
/* structures.c: memory for DAM's own structures (region/metadata.h): apart, aligned, and reused by kind alone. */
#include "region/metadata.h"

#include "base/compiler.h"
#include "os/os.h"
#include "region/central.h"
#include "unit/support/fake_os.h"
#include "unit/support/threads.h"

#define COUNT 5000

static unsigned char *structures[COUNT];

static int start_allowed(void **state) {
    (void)state;
    fake_os_reset();
    return 0;
}

static int compare_addresses(const void *a, const void *b) {
    uintptr_t left = (uintptr_t) * (unsigned char *const *)a;
    uintptr_t right = (uintptr_t) * (unsigned char *const *)b;
    return (left > right) - (left < right);
}

TEST(structures_are_aligned_to_cache_lines_and_apart) {
    struct metadata_kind kind = {.bytes = 200};
    for (size_t i = 0; i < COUNT; i++) {
        structures[i] = dam_metadata_take(&kind);
        assert_non_null(structures[i]);
        assert_true(is_aligned(structures[i], CACHE_LINE_BYTES));
        memset(structures[i], 0xFF, 200);
    }
    qsort(structures, COUNT, sizeof structures[0], compare_addresses);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(structures[i] >= structures[i - 1] + 200);
}

TEST(what_was_given_comes_back_first_the_latest_before_the_others) {
    struct metadata_kind kind = {.bytes = 64};
    void *first = dam_metadata_take(&kind);
    void *second = dam_metadata_take(&kind);
    void *third = dam_metadata_take(&kind);
    dam_metadata_give(&kind, second);
    dam_metadata_give(&kind, first);
    assert_ptr_equal(dam_metadata_take(&kind), first);
    assert_ptr_equal(dam_metadata_take(&kind), second);
    void *fourth = dam_metadata_take(&kind);
    assert_ptr_not_equal(fourth, first);
    assert_ptr_not_equal(fourth, second);
    assert_ptr_not_equal(fourth, third);
}

/* So a stale pointer to a descriptor still leads to a descriptor (P3). */
TEST(memory_of_one_kind_is_never_reused_for_another) {
    struct metadata_kind kind = {.bytes = 128};
    struct metadata_kind other = {.bytes = 128};
    void *given[100];
    for (size_t i = 0; i < 100; i++)
        given[i] = dam_metadata_take(&kind);
    for (size_t i = 0; i < 100; i++)
        dam_metadata_give(&kind, given[i]);
    for (size_t i = 0; i < 200; i++) {
        const void *taken = dam_metadata_take(&other);
        for (size_t j = 0; j < 100; j++)
            assert_ptr_not_equal(taken, given[j]);
    }
}

TEST(address_space_for_structures_is_taken_a_chunk_at_a_time_and_counted) {
    struct metadata_kind kind = {.bytes = 1024};
    size_t before = dam_metadata_mapped_bytes();
    for (size_t i = 0; i < 1024; i++)
        assert_non_null(dam_metadata_take(&kind));
    size_t grown = dam_metadata_mapped_bytes() - before;
    assert_in_range(grown, MIB - 256 * KIB, MIB);
    assert_in_range(fake_os.map_count, 3, 4);
    for (size_t i = 0; i < fake_os.map_count; i++)
        assert_int_equal(fake_os.map_asked[i], 256 * KIB);
}

TEST(a_refused_chunk_gives_null_and_a_granted_one_later_serves_again) {
    struct metadata_kind kind = {.bytes = 1000};
    fake_os.map_bytes_max = 0;
    size_t served = 0;
    while (dam_metadata_take(&kind) != NULL) /* what is left of the last chunk */
        assert_true(++served <= 256);
    size_t mapped = dam_metadata_mapped_bytes();
    assert_null(dam_metadata_take(&kind));
    assert_int_equal(dam_metadata_mapped_bytes(), mapped);
    fake_os.map_bytes_max = SIZE_MAX;
    assert_non_null(dam_metadata_take(&kind));
}

TEST(without_the_lock_a_structure_has_pages_of_its_own_and_can_be_given_like_any_other) {
    struct metadata_kind kind = {.bytes = 300};
    size_t page = dam_os_page_bytes();
    size_t before = dam_metadata_mapped_bytes();
    void *structure = dam_metadata_take_unlocked(&kind);
    assert_non_null(structure);
    assert_true(is_aligned(structure, page));
    assert_int_equal(dam_metadata_mapped_bytes(), before + page);
    dam_metadata_give(&kind, structure);
    assert_ptr_equal(dam_metadata_take_unlocked(&kind), structure);
    assert_int_equal(dam_metadata_mapped_bytes(), before + page);
    dam_metadata_give(&kind, structure);
    assert_ptr_equal(dam_metadata_take(&kind), structure);
    fake_os.map_bytes_max = 0;
    assert_null(dam_metadata_take_unlocked(&kind));
    assert_int_equal(dam_metadata_mapped_bytes(), before + page);
}

/* ---- Without the lock, many at once ------------------------------------------------------------------------------- */

#define THREAD_COUNT 4
#define ROUND_COUNT 20000
#define HELD_MAX 5

static struct metadata_kind contended = {.bytes = 64};

/* A structure that is out bears its holder's mark from end to end; one that two hold at once does not for long. */
static void *take_and_give(void *mark) {
    unsigned char byte = *(unsigned char *)mark;
    unsigned char *held[HELD_MAX];
    for (int round = 0; round < ROUND_COUNT; round++) {
        size_t count = 1 + (size_t)(round + byte) % HELD_MAX;
        for (size_t i = 0; i < count; i++) {
            held[i] = dam_metadata_take_unlocked(&contended);
            CHECK(held[i] != NULL);
            memset(held[i], byte, 64);
        }
        for (size_t i = 0; i < count; i++) {
            CHECK(all_bytes_are(held[i], 64, byte));
            dam_metadata_give(&contended, held[i]);
        }
    }
    return NULL;
}

TEST(threads_that_take_and_give_without_the_lock_never_hold_the_same_structure) {
    static unsigned char marks[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        marks[i] = (unsigned char)(0xA0 + i);
        threads[i] = thread_start(take_and_give, &marks[i]);
    }
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
}

static int enter_central(void **state) {
    (void)state;
    dam_central_enter();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(structures_are_aligned_to_cache_lines_and_apart, start_allowed),
        cmocka_unit_test_setup(what_was_given_comes_back_first_the_latest_before_the_others, start_allowed),
        cmocka_unit_test_setup(memory_of_one_kind_is_never_reused_for_another, start_allowed),
        cmocka_unit_test_setup(address_space_for_structures_is_taken_a_chunk_at_a_time_and_counted, start_allowed),
        cmocka_unit_test_setup(a_refused_chunk_gives_null_and_a_granted_one_later_serves_again, start_allowed),
        cmocka_unit_test_setup(without_the_lock_a_structure_has_pages_of_its_own_and_can_be_given_like_any_other,
                               start_allowed),
        cmocka_unit_test_setup(threads_that_take_and_give_without_the_lock_never_hold_the_same_structure, start_allowed),
    };
    return cmocka_run_group_tests(tests, enter_central, NULL);
}
