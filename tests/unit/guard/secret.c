// SPDX-License-Identifier: MIT
/* secret.c: what every seal in the heap relies on: secret words are odd, differ, and start anew in every process. */
#include "guard/secret.h"

#include "support/random.h"
#include "support/test.h"

#define WORD_COUNT 100000

static uint64_t words[2 * WORD_COUNT];

static int compare_words(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void draw(uint64_t *out) {
    for (size_t i = 0; i < WORD_COUNT; i++)
        out[i] = dam_secret_odd_word();
}

TEST(every_secret_word_is_odd) {
    draw(words);
    for (size_t i = 0; i < WORD_COUNT; i++)
        assert_int_equal(words[i] & 1, 1);
}

TEST(secret_words_differ_also_after_a_fresh_seed) {
    draw(words);
    dam_secret_init();
    draw(words + WORD_COUNT);
    qsort(words, COUNT_OF(words), sizeof words[0], compare_words);
    for (size_t i = 1; i < COUNT_OF(words); i++)
        assert_true(words[i - 1] != words[i]);
}

TEST(every_bit_above_the_lowest_takes_both_values_half_of_the_time) {
    draw(words);
    for (uint32_t bit = 1; bit < 64; bit++) {
        size_t set = 0;
        for (size_t i = 0; i < WORD_COUNT; i++)
            set += words[i] >> bit & 1;
        assert_in_range(set, WORD_COUNT * 48 / 100, WORD_COUNT * 52 / 100); /* twelve standard deviations each way */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_secret_word_is_odd),
        cmocka_unit_test(secret_words_differ_also_after_a_fresh_seed),
        cmocka_unit_test(every_bit_above_the_lowest_takes_both_values_half_of_the_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
