// SPDX-License-Identifier: MIT
/* bits.h: small arithmetic on sizes and words. */
#ifndef DAM_BASE_BITS_H
#define DAM_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Index of the highest set bit; value must not be 0. */
static inline uint32_t highest_bit(uint64_t value) {
    return 63u - (uint32_t)__builtin_clzll(value);
}

/* Index of the lowest set bit; value must not be 0. */
static inline uint32_t lowest_bit(uint64_t value) {
    return (uint32_t)__builtin_ctzll(value);
}

static inline bool is_power_of_two(size_t value) {
    return value != 0 && (value & (value - 1)) == 0;
}

/* alignment is a power of two. The sum must not overflow: callers bound their sizes by PTRDIFF_MAX first. */
static inline size_t round_up(size_t value, size_t alignment) {
    return (value + alignment - 1) & ~(alignment - 1);
}

static inline uint64_t rotate_right(uint64_t value, uint32_t count) {
    return value >> (count & 63) | value << (-count & 63);
}

/* The inverse of an odd number modulo 2^64. Each step of Newton's iteration doubles the correct low bits; an odd
 * number is its own inverse modulo 8, which gives the first three. */
static inline uint64_t inverse_of_odd(uint64_t odd) {
    uint64_t inverse = odd;
    for (int correct_bits = 3; correct_bits < 64; correct_bits *= 2)
        inverse *= 2 - odd * inverse;
    return inverse;
}

#endif
