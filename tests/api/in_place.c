// SPDX-License-Identifier: MIT
/* in_place.c: dam_expand: exactly that size in the same place, or no and nothing changed.
 *
 * Where the answer is the allocator's own affair, the test looks at what must hold after a yes and after a no. Where
 * there is no excuse for a no, it asks for the yes. */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/test.h"

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

static unsigned char *filled_block(size_t size, uint64_t id) {
    unsigned char *block = dam_malloc(size);
    assert_non_null(block);
    pattern_fill(block, size, pattern_key(2, id));
    return block;
}

static bool holds(const void *block, size_t size, uint64_t id) {
    return pattern_holds(block, size, pattern_key(2, id));
}

TEST(expand_of_null_or_to_zero_is_refused_and_changes_nothing) {
    errno = ERRNO_MARK;
    assert_false(dam_expand(NULL, 100));
    assert_false(dam_expand(NULL, 0));
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = filled_block(size, i);
        assert_false(dam_expand(block, 0));
        assert_true(dam_malloc_usable_size(block) >= size);
        assert_true(holds(block, size, i));
        dam_free(block);
    }
    assert_int_equal(errno, ERRNO_MARK);
}

TEST(expand_to_an_impossible_size_is_refused_and_changes_nothing) {
    static const size_t IMPOSSIBLE[] = {PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 65535, SIZE_MAX - 15,
                                        SIZE_MAX};
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = filled_block(size, i);
        errno = ERRNO_MARK;
        for (size_t j = 0; j < COUNT_OF(IMPOSSIBLE); j++)
            assert_false(dam_expand(block, IMPOSSIBLE[j]));
        assert_int_equal(errno, ERRNO_MARK);
        assert_true(holds(block, size, i));
        dam_free(block);
    }
}

/* Every old size with every new one, between two neighbours which must not notice. */
TEST(expand_keeps_its_word_whether_it_says_yes_or_no) {
    for (size_t from = 0; from < SIZE_COUNT; from++) {
        for (size_t to = 0; to < SIZE_COUNT; to++) {
            size_t old_size = SIZES_OF_EVERY_LAYER[from];
            size_t new_size = SIZES_OF_EVERY_LAYER[to];
            unsigned char *before = filled_block(old_size, 100);
            unsigned char *block = filled_block(old_size, 101);
            unsigned char *after = filled_block(old_size, 102);
            size_t usable = dam_malloc_usable_size(block);
            errno = ERRNO_MARK;
            bool done = dam_expand(block, new_size);
            assert_int_equal(errno, ERRNO_MARK);
            if (done) {
                assert_true(dam_malloc_usable_size(block) >= new_size);
                assert_true(holds(block, smaller_of(old_size, new_size), 101));
                memset(block, 0xEE, dam_malloc_usable_size(block));
            } else {
                assert_int_equal(dam_malloc_usable_size(block), usable);
                assert_true(holds(block, old_size, 101));
            }
            assert_true(holds(before, old_size, 100));
            assert_true(holds(after, old_size, 102));
            dam_free(before);
            if (done)
                dam_free_sized(block, new_size);
            else
                dam_free_sized(block, old_size);
            dam_free(after);
        }
    }
}

TEST(expand_to_the_usable_size_always_succeeds) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = filled_block(size, i);
        assert_true(dam_expand(block, size));
        assert_true(dam_expand(block, dam_malloc_usable_size(block)));
        assert_true(holds(block, size, i));
        memset(block, 0x11, dam_malloc_usable_size(block));
        dam_free(block);
    }
}

TEST(a_general_block_shrunk_in_place_can_grow_back_in_place) {
    unsigned char *block = filled_block(60000, 5);
    assert_true(dam_expand(block, 1000));
    assert_true(holds(block, 1000, 5));
    assert_true(dam_expand(block, 59000));
    assert_true(holds(block, 1000, 5));
    pattern_fill(block, 59000, pattern_key(2, 6));
    assert_true(holds(block, 59000, 6));
    dam_free_sized(block, 59000);
}

TEST(a_direct_block_can_be_shrunk_in_place_and_stays_sound) {
    for (size_t size = 200000; size <= 16 * MIB; size *= 3) {
        unsigned char *block = filled_block(size, 6);
        size_t smaller = size / 2;
        assert_true(dam_expand(block, smaller));
        assert_true(holds(block, smaller, 6));
        assert_true(dam_malloc_usable_size(block) >= smaller);
        unsigned char *other = filled_block(size, 7);
        assert_true(holds(block, smaller, 6));
        dam_free_sized(block, smaller);
        assert_true(holds(other, size, 7));
        dam_free(other);
    }
}

/* The tail that a shrinking block gives away is used by others, and the block behaves as one of its new size. */
TEST(a_shrunk_block_can_be_reallocated_and_shares_no_byte_with_new_blocks) {
    enum { COUNT = 64 };
    unsigned char *kept[COUNT];
    unsigned char *fresh[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        kept[i] = filled_block(8000 + i * 500, i);
        assert_true(dam_expand(kept[i], 300 + i));
        fresh[i] = filled_block(5000, 1000 + i);
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(holds(kept[i], 300 + i, i));
        assert_true(holds(fresh[i], 5000, 1000 + i));
        kept[i] = dam_realloc(kept[i], 9000);
        assert_non_null(kept[i]);
        assert_true(holds(kept[i], 300 + i, i));
    }
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(holds(fresh[i], 5000, 1000 + i));
        dam_free(kept[i]);
        dam_free(fresh[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expand_of_null_or_to_zero_is_refused_and_changes_nothing),
        cmocka_unit_test(expand_to_an_impossible_size_is_refused_and_changes_nothing),
        cmocka_unit_test(expand_keeps_its_word_whether_it_says_yes_or_no),
        cmocka_unit_test(expand_to_the_usable_size_always_succeeds),
        cmocka_unit_test(a_general_block_shrunk_in_place_can_grow_back_in_place),
        cmocka_unit_test(a_direct_block_can_be_shrunk_in_place_and_stays_sound),
        cmocka_unit_test(a_shrunk_block_can_be_reallocated_and_shares_no_byte_with_new_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
