// SPDX-License-Identifier: MIT
/* specimen.h: kinds of misuse, preserved for study, each with the report it must produce.
 *
 * A file in kinds/ is one kind of misuse: a program of its own. It holds scenes and a table of cases.
 *
 *   scene   a function that does the wrong thing, or, told so, nearly the same and nothing wrong: the clean twin
 *   case    a scene with a size, a thread, a call and a profile of DAM, and what must come of it
 *
 *       scene's name     profile  scene    size  who misuses  by what    what must be said, from the first line on
 *     CASE("small.twice", full,   twice,    120, OWNER,       FREE,      "double free: free of @block", ...)
 *
 * A program of kinds/ is built in two forms, by the file with its main:
 *
 *   judge.c      on dam_malloc and its kin: plays a case and its twin in children and judges what they said; one
 *                test for each case, named after it: faults.double_free.small.twice.full
 *   witness.c    on malloc and its kin, whoever provides them: plays a scene and tells what became of the heap;
 *                scripts/protection-table runs it on several allocators
 *
 * After every scene the program goes on: aftermath.h.
 *
 * Not here: damage to DAM's own words, systematically (tests/attack). */
#ifndef DAM_TESTS_SPECIMEN_H
#define DAM_TESTS_SPECIMEN_H

#include "support/test.h"

#ifndef SPECIMEN_ON_LIBC
#include "dam/dam.h"
#endif

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

/* Whose thread does the wrong thing: the one that has the block, or another. */
enum actor { OWNER, OTHER };

/* The function that a pointer is given to. */
enum call { FREE, REALLOC, SHRINK, FREE_SIZED, USABLE_SIZE, EXPAND, HEAP_REALLOC };

/* What a scene is told. */
struct act {
    size_t size;
    enum actor actor;
    enum call call;
    bool is_misuse; /* false: the clean twin */
};

typedef void scene(const struct act *act);

enum ending {
    ENDS_IN_ABORT, /* with the report */
    GOES_ON,       /* with the report, and nothing comes of it */
    IS_SILENT,     /* not noticed, and nothing comes of it */
};

#define REPORT_LINES_MAX 12

struct specimen {
    const char *scene_name; /* layer.way */
    const char *profile;
    const char *options; /* DAM_OPTIONS of the profile */
    scene *play;
    const size_t *sizes; /* the sizes to play it with, 0 behind the last; or NULL: act.size */
    struct act act;
    enum ending ending;
    const char *report[REPORT_LINES_MAX]; /* lines of the report in this order, the first one first; judge.c */
};

#define PROFILE_default ""
#define PROFILE_tail "guard=tail"
#define PROFILE_full "guard=full,stack_every=1"
#define PROFILE_sampled "sample_every=1"
#define PROFILE_off "guard=off"
#define PROFILE_report "on_fault=report"
#define PROFILE_ignore "on_fault=ignore"
#define PROFILE_tail_report "guard=tail,on_fault=report"
#define PROFILE_full_report "guard=full,stack_every=1,on_fault=report"
#define PROFILE_sampled_report "sample_every=1,on_fault=report"
#define PROFILE_sampled_ignore "sample_every=1,on_fault=ignore"
#define PROFILE_full_sampled "guard=full,stack_every=1,sample_every=1"

#define SPECIMEN(name, profile, play, size, actor, call, ending, ...)                                                  \
    {                                                                                                                  \
        name, #profile, PROFILE_##profile, play, NULL, {size, actor, call, true}, ending, {                            \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* The three endings. CMakeLists.txt reads name and profile from these lines of a kind's file. */
#define CASE(name, profile, play, size, actor, call, ...)                                                              \
    SPECIMEN(name, profile, play, size, actor, call, ENDS_IN_ABORT, __VA_ARGS__)
#define CASE_GOES_ON(name, profile, play, size, actor, call, ...)                                                      \
    SPECIMEN(name, profile, play, size, actor, call, GOES_ON, __VA_ARGS__)
#define CASE_SILENT(name, profile, play, size, actor, call)                                                            \
    SPECIMEN(name, profile, play, size, actor, call, IS_SILENT, NULL)

/* A case for many sizes. */
#define CASE_FOR_EACH(name, profile, play, sizes, actor, call, ...)                                                    \
    {                                                                                                                  \
        name, #profile, PROFILE_##profile, play, sizes, {0, actor, call, true}, ENDS_IN_ABORT, {                       \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }

/* What a kind defines. The last one has no name. */
extern const struct specimen specimens[];

/* The sizes most cases use. The small one is of the same class (128 bytes) in both sets of classes, and with a tail,
 * too. */
#define SMALL ((size_t)120)
#define GENERAL ((size_t)3000)
#define SLICES ((size_t)200000)
#define MAPPING ((size_t)5000000)

/* ---- What scenes are made with ----------------------------------------------------------------------------------- */

/* A block, hidden from the compiler's own eyes for misuse, and filled. */
unsigned char *obtain(size_t size);

/* From calloc, from aligned_alloc, from realloc. */
unsigned char *obtain_zeroed(size_t size);
unsigned char *obtain_aligned(size_t alignment, size_t size);
unsigned char *obtain_resized(unsigned char *block, size_t size);

void release(void *block);

/* By free_sized and free_aligned_sized. A witness on an allocator without them ends here. */
void release_sized(void *block, size_t size);
void release_aligned_sized(void *block, size_t alignment, size_t size);

/* Gives the pointer to the act's call, on the act's thread. What realloc returns is released. */
void give(const struct act *act, void *pointer);

/* Runs the step on the act's thread, or on a thread of its own. */
void perform(const struct act *act, void (*step)(void *), void *argument);
void perform_elsewhere(void (*step)(void *), void *argument);

/* Says that the memory is in use, and fills it: whoever gets a part of it, or changes a byte of it, does harm. */
void hold(void *start, size_t size);

/* The same without the filling: for what the scene's own code writes to. */
void hold_unfilled(void *start, size_t size);

/* An address that the report must name, as @name; likewise the calling thread, as @name. */
void tell_place(const char *name, const void *place);
void tell_thread(const char *name);

/* tell_place of its start as @block and of what lies behind it as @end. */
void tell_block(const unsigned char *block, size_t size);

/* A byte of memory, read and written past the compiler's eyes. */
static inline unsigned char peek(const unsigned char *place) {
    return *(const volatile unsigned char *)place;
}

static inline void poke(unsigned char *place, unsigned char value) {
    *(volatile unsigned char *)place = value;
}

/* Changes the byte, whatever it was, in one step: where it is refused, it is refused as a write. */
static inline void flip(unsigned char *place) {
    __atomic_fetch_xor(place, 0x42, __ATOMIC_RELAXED);
}

#endif
