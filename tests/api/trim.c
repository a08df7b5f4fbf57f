// SPDX-License-Identifier: MIT
/* trim.c: dam_trim gives back what is kept for reuse, says how much that was, and leaves the heap as usable as before.
 *
 * Run with purge_delay_ms and dirty_max so high that nothing is given back before it is asked for. */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/memory_use.h"
#include "support/pattern.h"
#include "support/test.h"

#define STOCK_BYTES (64 * MIB)
#define BLOCK_COUNT_MAX (STOCK_BYTES / 1000)

static unsigned char *blocks[BLOCK_COUNT_MAX];

static size_t fill_stock(size_t size) {
    size_t count = smaller_of(STOCK_BYTES / size, BLOCK_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = dam_malloc(size);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0x5C, size);
    }
    return count;
}

static void free_every(size_t step, size_t count) {
    for (size_t i = 0; i < count; i += step) {
        dam_free(blocks[i]);
        blocks[i] = NULL;
    }
}

TEST(trim_gives_back_what_freed_blocks_left_and_says_how_much) {
    static const size_t SIZES[] = {1000, 30000, 70000, 400000};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        dam_trim();
        size_t before = memory_resident_bytes();
        size_t count = fill_stock(SIZES[i]);
        size_t stock = count * SIZES[i];
        assert_true(memory_resident_bytes() > before + stock / 2);
        free_every(1, count);
        size_t given_back = dam_trim();
        assert_true(given_back > stock / 2);
        assert_true(memory_resident_bytes() < before + 4 * MIB);
    }
}

TEST(a_second_trim_finds_nothing) {
    size_t count = fill_stock(5000);
    free_every(1, count);
    assert_true(dam_trim() > 0);
    assert_int_equal(dam_trim(), 0);
}

TEST(live_blocks_keep_their_contents_through_a_trim) {
    for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        size_t count = smaller_of(8 * MIB / size + 4, 4000);
        for (size_t j = 0; j < count; j++) {
            blocks[j] = dam_malloc(size);
            assert_non_null(blocks[j]);
            pattern_fill(blocks[j], size, pattern_key(9, j));
        }
        free_every(2, count);
        dam_trim();
        for (size_t j = 1; j < count; j += 2) {
            assert_true(pattern_holds(blocks[j], size, pattern_key(9, j)));
            blocks[j - 1] = dam_malloc(size);
            assert_non_null(blocks[j - 1]);
            pattern_fill(blocks[j - 1], size, pattern_key(9, j - 1));
        }
        for (size_t j = 0; j < count - count % 2; j++) {
            assert_true(pattern_holds(blocks[j], size, pattern_key(9, j)));
            dam_free(blocks[j]);
        }
        if (count % 2 == 1)
            dam_free(blocks[count - 1]);
    }
}

TEST(trim_keeps_errno) {
    size_t count = fill_stock(3000);
    free_every(1, count);
    errno = ERRNO_MARK;
    size_t first = dam_trim();
    size_t second = dam_trim();
    assert_int_equal(errno, ERRNO_MARK);
    assert_true(first > second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trim_gives_back_what_freed_blocks_left_and_says_how_much),
        cmocka_unit_test(a_second_trim_finds_nothing),
        cmocka_unit_test(live_blocks_keep_their_contents_through_a_trim),
        cmocka_unit_test(trim_keeps_errno),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
