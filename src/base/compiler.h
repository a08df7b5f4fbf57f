// SPDX-License-Identifier: MIT
/* compiler.h: the words we need from the compiler, named once. */
#ifndef DAM_BASE_COMPILER_H
#define DAM_BASE_COMPILER_H

#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* The common way is inlined whole into its entry points; everything else stays out of it. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))

/* For readers that look at counters of other threads' heaps while those run: a figure may be a moment old, and that
 * is all that can go wrong. Each use says so. */
#define READS_RACY_COUNTERS __attribute__((no_sanitize("thread")))

/* Keeps the compiler from folding the pointer's making into its uses: where one base serves several loads, that saves it from
 * computing the sum anew, each time in its own way. */
#define KEEP_IN_REGISTER(pointer) __asm__("" : "+r"(pointer))

/* Makes the compiler forget what it knows of words in memory, where changing a word there is cheaper than keeping it in a
 * register since it was last looked at. */
#define FORGET_VALUES_IN_MEMORY() __asm__("" ::: "memory")

/* A relaxed atomic load of a plain field that others may store to with RELAXED_STORE. An aligned word is loaded in one piece
 * on every machine we run on, so a plain load is one; gcc folds a plain load into the instruction that uses it and an
 * atomic one never, which costs the common way two to four instructions. ThreadSanitizer is told the truth. */
#if defined(__SANITIZE_THREAD__)
#define RELAXED_LOAD(place) __atomic_load_n(place, __ATOMIC_RELAXED)
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RELAXED_LOAD(place) __atomic_load_n(place, __ATOMIC_RELAXED)
#endif
#endif
#ifndef RELAXED_LOAD
#define RELAXED_LOAD(place) (*(place))
#endif
#define RELAXED_STORE(place, value) __atomic_store_n(place, value, __ATOMIC_RELAXED)

#define CACHE_LINE_BYTES 64

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
