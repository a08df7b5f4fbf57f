// SPDX-License-Identifier: MIT
/* pattern.h: contents for blocks, so that a byte which is lost, moved or written by another block is noticed.
 *
 * The pattern is an endless sequence of bytes made from a key; a block holds its first `size` bytes. So a prefix of a
 * block can be checked after a resize, and blocks with different keys differ nearly everywhere. */
#ifndef DAM_TESTS_SUPPORT_PATTERN_H
#define DAM_TESTS_SUPPORT_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The key of block number `id` in the run that started from `seed`. */
uint64_t pattern_key(uint64_t seed, uint64_t id);

void pattern_fill(void *block, size_t size, uint64_t key);

/* The index of the first byte that is not the pattern's, or `size` when all of them are. */
size_t pattern_first_difference(const void *block, size_t size, uint64_t key);

static inline bool pattern_holds(const void *block, size_t size, uint64_t key) {
    return pattern_first_difference(block, size, key) == size;
}

#endif
