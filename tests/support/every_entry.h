// SPDX-License-Identifier: MIT
/* every_entry.h: one table of all the ways to ask libc's family for a block, so that a test can try each. */
#ifndef DAM_TESTS_SUPPORT_EVERY_ENTRY_H
#define DAM_TESTS_SUPPORT_EVERY_ENTRY_H

#include "support/test.h"

#include <malloc.h>

/* Returns the block, or NULL with errno as the call left it (posix_memalign: as it returned). */
typedef void *entry_function(size_t size);

static inline void *enter_malloc(size_t size) {
    return malloc(size);
}

static inline void *enter_calloc(size_t size) {
    return calloc(1, size);
}

static inline void *enter_realloc(size_t size) {
    return realloc(NULL, size);
}

/* By way of a small block, which must stay whole when its growth is refused. */
static inline void *enter_realloc_growth(size_t size) {
    unsigned char *block = malloc(8);
    if (block == NULL)
        return NULL;
    memset(block, 0x6E, 8);
    void *grown = realloc(block, size);
    if (grown == NULL) {
        int reason = errno;
        block = opaque_pointer(block);
        CHECK(all_bytes_are(block, 8, 0x6E));
        free(block);
        errno = reason;
    }
    return grown;
}

static inline void *enter_reallocarray(size_t size) {
    return reallocarray(NULL, size, 1);
}

static inline void *enter_aligned_alloc(size_t size) {
    return aligned_alloc(64, size);
}

static inline void *enter_posix_memalign(size_t size) {
    char here = 0;
    void *block = &here;
    errno = ERRNO_MARK;
    int answer = posix_memalign(&block, 256, size);
    CHECK(errno == ERRNO_MARK);
    if (answer == 0)
        return block;
    CHECK(block == &here);
    errno = answer;
    return NULL;
}

static inline void *enter_memalign(size_t size) {
    return memalign(1024, size);
}

static inline void *enter_valloc(size_t size) {
    return valloc(size);
}

static inline void *enter_pvalloc(size_t size) {
    return pvalloc(size);
}

static const struct {
    const char *name;
    entry_function *allocate;
    size_t alignment; /* of its blocks, so that small ones lie no closer than this */
} EVERY_ENTRY[] = {
    {"malloc", enter_malloc, 16},
    {"calloc", enter_calloc, 16},
    {"realloc of NULL", enter_realloc, 16},
    {"realloc of a block", enter_realloc_growth, 16},
    {"reallocarray", enter_reallocarray, 16},
    {"aligned_alloc", enter_aligned_alloc, 64},
    {"posix_memalign", enter_posix_memalign, 256},
    {"memalign", enter_memalign, 1024},
    {"valloc", enter_valloc, 4096},
    {"pvalloc", enter_pvalloc, 4096},
};

#endif
