// SPDX-License-Identifier: MIT
/* pattern.c: word number i of the pattern is key + i * STEP, in the machine's byte order. */
#include "support/pattern.h"

#include "support/random.h"

#include <string.h>

#define STEP UINT64_C(0x9E3779B97F4A7C15)
#define WORD_BYTES sizeof(uint64_t)

uint64_t pattern_key(uint64_t seed, uint64_t id) {
    return random_mix(seed ^ random_mix(id));
}

void pattern_fill(void *block, size_t size, uint64_t key) {
    unsigned char *at = block;
    uint64_t word = key;
    for (; size >= WORD_BYTES; size -= WORD_BYTES, at += WORD_BYTES, word += STEP)
        memcpy(at, &word, WORD_BYTES);
    memcpy(at, &word, size);
}

static size_t first_difference_in_word(const unsigned char *at, size_t size, uint64_t word) {
    unsigned char expected[WORD_BYTES];
    memcpy(expected, &word, WORD_BYTES);
    size_t i = 0;
    while (i < size && at[i] == expected[i])
        i++;
    return i;
}

size_t pattern_first_difference(const void *block, size_t size, uint64_t key) {
    const unsigned char *at = block;
    uint64_t word = key;
    size_t done = 0;
    for (; size - done >= WORD_BYTES; done += WORD_BYTES, word += STEP)
        if (memcmp(at + done, &word, WORD_BYTES) != 0)
            return done + first_difference_in_word(at + done, WORD_BYTES, word);
    return done + first_difference_in_word(at + done, size - done, word);
}
