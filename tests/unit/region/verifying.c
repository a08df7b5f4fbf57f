// SPDX-License-Identifier: MIT
/* verifying.c: the region's verifier finds each thing it is there to find, and the search for runs finds what a plain search
 * would.
 *
 * This program is made with region.c inside it, so that it can reach the bits; the library's own copy is then not linked. */
#include "region/region.c" // NOLINT(bugprone-suspicious-include)

#include "options/options.h"
#include "support/random.h"
#include "support/test.h"

static struct region *region;
static char *start;

static int start_with_used_dirty_and_clean(void **state) {
    (void)state;
    bool zeroed;
    assert_int_equal(dam_options_set("dirty_max", "1G"), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", "3600000"), 0);
    dam_central_enter();
    start = dam_region_take(10, &region, &zeroed);
    assert_non_null(start);
    dam_region_give(region, start + 4 * SLICE_BYTES, 3);
    assert_int_equal(dam_region_verify(), 0);
    return 0;
}

/* A broken thing is found, and once it is mended nothing is. */
#define ASSERT_FOUND(break_it, mend_it)                                                                                \
    do {                                                                                                               \
        break_it;                                                                                                      \
        assert_true(dam_region_verify() > 0);                                                                          \
        mend_it;                                                                                                       \
        assert_int_equal(dam_region_verify(), 0);                                                                      \
    } while (0)

static uint64_t bit(uint32_t slice) {
    return (uint64_t)1 << (slice % BITS_PER_WORD);
}

TEST(a_used_slice_whose_free_bit_is_set_is_found) { /* R1 */
    uint32_t slice = slice_index(region, start) + 1;
    uint64_t *word = &region->free_bits[slice / BITS_PER_WORD];
    ASSERT_FOUND(*word |= bit(slice), *word &= ~bit(slice));
}

TEST(a_free_slice_whose_free_bit_is_clear_is_found) {
    uint32_t slice = slice_index(region, start) + 20;
    uint64_t *word = &region->free_bits[slice / BITS_PER_WORD];
    ASSERT_FOUND(*word &= ~bit(slice), *word |= bit(slice));
}

TEST(a_dirty_bit_on_a_used_slice_is_found) {
    uint32_t slice = slice_index(region, start) + 2;
    uint64_t *word = &region->dirty_bits[slice / BITS_PER_WORD];
    ASSERT_FOUND(*word |= bit(slice), *word &= ~bit(slice));
}

TEST(a_dirty_bit_that_is_lost_or_won_is_found) { /* R3 */
    uint32_t slice = slice_index(region, start) + 5;
    uint64_t *word = &region->dirty_bits[slice / BITS_PER_WORD];
    ASSERT_FOUND(*word &= ~bit(slice), *word |= bit(slice));
    slice += 20;
    word = &region->dirty_bits[slice / BITS_PER_WORD];
    ASSERT_FOUND(*word |= bit(slice), *word &= ~bit(slice));
}

TEST(wrong_counts_are_found) { /* R3 */
    ASSERT_FOUND(region->free_count++, region->free_count--);
    ASSERT_FOUND(regions.free_slices--, regions.free_slices++);
    ASSERT_FOUND(dam_dirty.bytes += SLICE_BYTES, dam_dirty.bytes -= SLICE_BYTES);
    ASSERT_FOUND(dam_dirty.bytes -= 1, dam_dirty.bytes += 1);
}

/* ---- Runs of bits ------------------------------------------------------------------------------------------------ */

static bool plain_bit(const uint64_t *bits, uint32_t index) {
    return bits[index / 64] >> (index % 64) & 1;
}

static uint32_t plain_find_run(const uint64_t *bits, uint32_t limit, uint32_t count) {
    uint32_t run = 0;
    for (uint32_t i = 0; i < limit; i++) {
        run = plain_bit(bits, i) ? run + 1 : 0;
        if (run == count)
            return i + 1 - count;
    }
    return limit;
}

/* Words of all densities: full, empty, and everything between. */
static void fill_bits(struct random *random, uint64_t *bits) {
    for (size_t i = 0; i < REGION_WORDS; i++) {
        uint64_t word = random_next(random);
        switch (random_below(random, 6)) {
        case 0:
            word = 0;
            break;
        case 1:
            word = ~(uint64_t)0;
            break;
        case 2:
            word |= random_next(random);
            word |= random_next(random);
            break;
        case 3:
            word &= random_next(random);
            word &= random_next(random);
            break;
        default:
            break;
        }
        bits[i] = word;
    }
}

TEST(runs_are_found_where_a_plain_search_finds_them) {
    struct random random = random_start(test_seed("unit.region.verifying"), 0);
    for (int round = 0; round < 2000; round++) {
        uint64_t bits[REGION_WORDS];
        fill_bits(&random, bits);
        uint32_t limit = (uint32_t)random_below(&random, REGION_SLICES_MAX) + 1;
        for (uint32_t count = 1; count <= 130; count += 1 + count / 3)
            assert_int_equal(find_run(bits, limit, count), plain_find_run(bits, limit, count));
    }
}

TEST(setting_clearing_and_counting_a_run_touch_exactly_its_bits) {
    struct random random = random_start(test_seed("unit.region.verifying"), 1);
    for (int round = 0; round < 300; round++) {
        uint64_t bits[REGION_WORDS];
        uint64_t set[REGION_WORDS];
        uint64_t cleared[REGION_WORDS];
        fill_bits(&random, bits);
        memcpy(set, bits, sizeof bits);
        memcpy(cleared, bits, sizeof bits);
        uint32_t from = (uint32_t)random_below(&random, REGION_SLICES_MAX);
        uint32_t count = (uint32_t)random_below(&random, REGION_SLICES_MAX - from + 1);
        set_run(set, from, count);
        clear_run(cleared, from, count);
        uint32_t counted = 0;
        for (uint32_t i = 0; i < REGION_SLICES_MAX; i++) {
            bool inside = i >= from && i < from + count;
            assert_int_equal(plain_bit(set, i), inside || plain_bit(bits, i));
            assert_int_equal(plain_bit(cleared, i), !inside && plain_bit(bits, i));
            counted += inside && plain_bit(bits, i);
        }
        assert_int_equal(count_run(bits, from, count), counted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_used_slice_whose_free_bit_is_set_is_found),
        cmocka_unit_test(a_free_slice_whose_free_bit_is_clear_is_found),
        cmocka_unit_test(a_dirty_bit_on_a_used_slice_is_found),
        cmocka_unit_test(a_dirty_bit_that_is_lost_or_won_is_found),
        cmocka_unit_test(wrong_counts_are_found),
        cmocka_unit_test(runs_are_found_where_a_plain_search_finds_them),
        cmocka_unit_test(setting_clearing_and_counting_a_run_touch_exactly_its_bits),
    };
    return cmocka_run_group_tests(tests, start_with_used_dirty_and_clean, NULL);
}
