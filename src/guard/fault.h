// SPDX-License-Identifier: MIT
/* fault.h: what is wrong with a program's use of its heap, and the one place that says so.
 *
 * A fault is the program's misdeed, or damage whose author we cannot know. It is reported with everything DAM knows,
 * in one message on stderr, and ends the process by abort(). The reporter allocates nothing and takes no lock. */
#ifndef DAM_GUARD_FAULT_H
#define DAM_GUARD_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/compiler.h"

/* X(name, words of the report, what to look for) */
#define DAM_FAULT_TABLE(X)                                                                                            \
    X(FAULT_DOUBLE_FREE, "double free", "the block was already released; look for a second owner of the pointer")      \
    X(FAULT_FOREIGN_POINTER, "not a DAM pointer", "no block is there: it was never given out by DAM, or was a large block and is gone")                 \
    X(FAULT_NOT_A_BLOCK, "not the start of a block", "the address lies inside a DAM pool, but no block starts there")  \
    X(FAULT_OVERFLOW, "write past the end of a block", "the bytes behind the requested size were changed")             \
    X(FAULT_HEADER, "damaged block header", "something wrote just before this block: it, or the block in front of it") \
    X(FAULT_WRITE_AFTER_FREE, "write to a free block", "a released block was written through a stale pointer")         \
    X(FAULT_WRONG_SIZE, "wrong size", "the size given at release is not the size the block was requested with")

enum fault_kind {
#define FAULT_NAME(name, words, hint) name,
    DAM_FAULT_TABLE(FAULT_NAME)
#undef FAULT_NAME
};

/* What is known about a fault. Only kind and address are always there; the rest is 0 or NULL where unknown. */
struct dam_fault {
    enum fault_kind kind;
    const void *address;       /* as the program gave it */
    const char *operation;     /* "free", "realloc", ... */
    const char *layer;         /* "small", "general", "direct" */
    const void *pool_start;    /* first byte of its pool */
    size_t pool_bytes;
    const void *block;         /* start of the block concerned */
    size_t block_bytes;        /* what it may hold */
    size_t requested_bytes;    /* what was asked for */
    const char *state;         /* "live", "free", ... */
    bool has_words;            /* expected and found are meaningful */
    uint64_t expected;
    uint64_t found;
};

/* Reports the fault and aborts. */
_Noreturn NEVER_INLINE __attribute__((cold)) void dam_fault_report(const struct dam_fault *fault);

#endif
