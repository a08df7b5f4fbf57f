// SPDX-License-Identifier: MIT
/* describe.h: tells valgrind or AddressSanitizer which of DAM's memory is whose, in builds that ask for it (the CMake variable
 * DAM_DESCRIBE_TO); in all others these functions are empty. Then those tools find in a program on DAM what they find in one
 * on the libc's malloc: what was never given out, what lies behind the request, what was released.
 *
 *   region mapped, pool created, retired   nobody's
 *   block allocated                        its room is DAM's, to write the tail; then its request is the program's
 *   block released                         nobody's, and remembered as released
 *   memory unmapped                        not ours to describe any more
 *
 * Every call is behind a door in such builds (heap/heap.h), at guard=tail or more, so that each block's request is known. DAM
 * itself goes on using what is nobody's: AddressSanitizer does not look at it, since it is not compiled for that; valgrind is
 * asked to look away between describe_enter and describe_leave. */
#ifndef DAM_BASE_DESCRIBE_H
#define DAM_BASE_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>

#define DAM_DESCRIBE_TO_VALGRIND 1
#define DAM_DESCRIBE_TO_ASAN 2

#ifndef DAM_DESCRIBE
#define DAM_DESCRIBE 0
#endif

#define DESCRIBES (DAM_DESCRIBE != 0)

#if DAM_DESCRIBE == DAM_DESCRIBE_TO_VALGRIND

#include <valgrind/memcheck.h>

static inline void describe_enter(void) {
    VALGRIND_DISABLE_ERROR_REPORTING;
}

static inline void describe_leave(void) {
    VALGRIND_ENABLE_ERROR_REPORTING;
}

static inline void describe_nobodys(void *start, size_t bytes) {
    (void)VALGRIND_MAKE_MEM_NOACCESS(start, bytes);
}

/* A pointer of ours that must not make a block look reachable that the program has lost. */
static inline void describe_hidden(void *place, size_t bytes) {
    (void)VALGRIND_MAKE_MEM_NOACCESS(place, bytes);
}

static inline void describe_unmapped(void *start, size_t bytes) { /* valgrind sees for itself */
    (void)start;
    (void)bytes;
}

static inline void describe_room(void *block, size_t room) {
    (void)block;
    (void)room;
}

static inline void describe_allocated(void *block, size_t size, size_t room) {
    (void)room;
    VALGRIND_MALLOCLIKE_BLOCK(block, size, 0, false);
}

static inline void describe_released(void *block, size_t size) {
    (void)size;
    VALGRIND_FREELIKE_BLOCK(block, 0);
}

#elif DAM_DESCRIBE == DAM_DESCRIBE_TO_ASAN

#include <sanitizer/asan_interface.h>

static inline void describe_enter(void) {
}

static inline void describe_leave(void) {
}

static inline void describe_nobodys(void *start, size_t bytes) {
    __asan_poison_memory_region(start, bytes);
}

static inline void describe_hidden(void *place, size_t bytes) {
    (void)place;
    (void)bytes;
}

static inline void describe_unmapped(void *start, size_t bytes) {
    __asan_unpoison_memory_region(start, bytes);
}

static inline void describe_room(void *block, size_t room) {
    __asan_unpoison_memory_region(block, room);
}

static inline void describe_allocated(void *block, size_t size, size_t room) {
    __asan_poison_memory_region((char *)block + size, room - size);
}

static inline void describe_released(void *block, size_t size) {
    __asan_poison_memory_region(block, size);
}

#else

static inline void describe_enter(void) {
}

static inline void describe_leave(void) {
}

static inline void describe_nobodys(void *start, size_t bytes) {
    (void)start;
    (void)bytes;
}

static inline void describe_hidden(void *place, size_t bytes) {
    (void)place;
    (void)bytes;
}

static inline void describe_unmapped(void *start, size_t bytes) {
    (void)start;
    (void)bytes;
}

static inline void describe_room(void *block, size_t room) {
    (void)block;
    (void)room;
}

static inline void describe_allocated(void *block, size_t size, size_t room) {
    (void)block;
    (void)size;
    (void)room;
}

static inline void describe_released(void *block, size_t size) {
    (void)block;
    (void)size;
}

#endif

#endif
