// SPDX-License-Identifier: MIT
/* layers.h: sizes that between them reach every layer, and every edge between two of them. */
#ifndef DAM_TESTS_SUPPORT_LAYERS_H
#define DAM_TESTS_SUPPORT_LAYERS_H

#include <stddef.h>

/* The largest size of the small and of the general layer: part of the contract, so not taken from src/. */
#define SMALL_MAX ((size_t)256)
#define GENERAL_MAX ((size_t)65536)

/* Where direct pools stop being recycled slices and become mappings of their own, more or less. */
#define SLICED_MAX ((size_t)1024 * 1024)

static const size_t SIZES_OF_EVERY_LAYER[] = {
    1,           15,
    16,          17,
    64,          SMALL_MAX - 1,
    SMALL_MAX,   SMALL_MAX + 1,
    1000,        4096,
    20000,       GENERAL_MAX - 1,
    GENERAL_MAX, GENERAL_MAX + 1,
    200000,      SLICED_MAX - 1,
    SLICED_MAX,  SLICED_MAX + 1,
    3000000,     9000001,
};

#endif
