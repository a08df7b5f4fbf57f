// SPDX-License-Identifier: MIT
/* fault.h: what is wrong with a program's use of its heap, and the one place that says so.
 *
 * A fault is the program's misdeed, or damage whose author we cannot know. It is reported with everything DAM knows, in one
 * message on stderr. The reporter allocates nothing and takes no lock. What follows is the program's choice (the option
 * on_fault, dam_set_fault_handler):
 *
 *   a faulty call     the call can be left undone and the program go on
 *   damage            to what DAM itself must rely on: the process ends, whatever was chosen
 *
 * Whoever finds a fault fills in a struct dam_fault with what it knows; nothing in it is looked up here. */
#ifndef DAM_GUARD_FAULT_H
#define DAM_GUARD_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/compiler.h"
#include "dam/dam.h"

/* X(name, words of the report, what to look for) */
#define DAM_FAULT_TABLE(X)                                                                                            \
    X(DAM_FAULT_DOUBLE_FREE, "double free", "the block was already released; look for a second owner of the pointer") \
    X(DAM_FAULT_FOREIGN_POINTER, "not a DAM pointer", "no block is there: none ever was, or its pool is gone")                 \
    X(DAM_FAULT_NOT_A_BLOCK, "not the start of a block",                                                              \
      "the address lies inside a DAM pool, but no block starts there")                                                \
    X(DAM_FAULT_OVERFLOW, "write past the end of a block", "the bytes behind the requested size were changed")        \
    X(DAM_FAULT_HEADER, "damaged block header",                                                                       \
      "something wrote just before this block: it, or the block in front of it")                                      \
    X(DAM_FAULT_WRITE_AFTER_FREE, "write to a free block", "a released block was written through a stale pointer")    \
    X(DAM_FAULT_WRONG_SIZE, "wrong size",                                                                             \
      "the size or alignment given at release is not what the block was requested with")                              \
    X(DAM_FAULT_ACCESS_PAST_END, "access past the end of a block", "no byte behind the requested size is the program's") \
    X(DAM_FAULT_ACCESS_BEFORE_START, "access before the start of a block", "no byte in front of a block is its holder's") \
    X(DAM_FAULT_ACCESS_AFTER_FREE, "access to a released block", "the block was used through a stale pointer")

/* How many bytes of a damaged place a report can show. */
#define FAULT_SHOWN_BYTES_MAX 64

struct fault_neighbour {
    const void *block; /* NULL: none is known */
    size_t requested_bytes;
    const char *state;
};

struct stack_trace;

/* What is known about a fault. Only kind and address are always there; the rest is 0 or NULL where unknown. */
struct dam_fault {
    enum dam_fault_kind kind;
    const void *address;       /* as the program gave it */
    const char *operation;     /* "free", "realloc", ... */
    enum dam_layer layer;
    const void *pool_start;    /* first byte of its pool */
    size_t pool_bytes;
    const void *block;         /* start of the block concerned */
    size_t block_bytes;        /* what it may hold */
    size_t requested_bytes;    /* what was asked for */
    const char *state;         /* "live", "free", ... */
    bool has_words;            /* expected and found are meaningful */
    uint64_t expected;
    uint64_t found;
    const unsigned char *damaged; /* where bytes were changed, and what should stand there */
    size_t damaged_bytes;         /* at most FAULT_SHOWN_BYTES_MAX */
    unsigned char should_be[FAULT_SHOWN_BYTES_MAX];
    struct fault_neighbour in_front; /* the block that ends where this one begins */
    size_t distance_bytes;           /* of an access: how far past the end, before the start, or into the block */
    const char *detail;              /* a sentence more */
    const struct stack_trace *allocated_by;
    const struct stack_trace *released_by;
};

/* Reports a faulty call. Returns if it is to be left undone and the program to go on. */
NEVER_INLINE __attribute__((cold)) void dam_fault_report(const struct dam_fault *fault);

/* Reports damage that DAM cannot go on with, and ends the process. */
_Noreturn NEVER_INLINE __attribute__((cold)) void dam_fault_report_damage(const struct dam_fault *fault);

/* What the program asked for, of what a layer was asked for: in guard=tail and guard=full that is the tail's least bytes more. */
size_t dam_fault_request(size_t layer_request_bytes);

/* Says what stands at the place and should: the bytes that a report shows. */
void dam_fault_show_bytes(struct dam_fault *fault, const void *place, const void *should_be, size_t bytes);

/* Whoever records stacks is asked for those of the block that a fault concerns, when the fault brings none. */
typedef void fault_stack_finder(const void *block, const struct stack_trace **allocated_by,
                                const struct stack_trace **released_by);
void dam_fault_set_stack_finder(fault_stack_finder *finder);

/* The contract of dam_set_fault_handler. */
void dam_fault_set_handler(dam_fault_handler *handler, void *context);

#endif
