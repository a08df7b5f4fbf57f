// SPDX-License-Identifier: MIT
/* double_free.c: a block that was released is released again, or given to another function of the family. */
#include "faults/specimen.h"

#include <pthread.h>

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

/* The twin gives another block. */
static void twice(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    release(block);
    if (!act->is_misuse)
        block = obtain(act->size);
    give(act, block);
}

static void twice_after_another_thread(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    perform_elsewhere(release, block);
    if (!act->is_misuse)
        block = obtain(act->size);
    give(act, block);
}

/* Others beside it are released, too: many enough that DAM's quick lists overflow and merge. */
static void after_others(const struct act *act) {
    unsigned char *blocks[60];
    size_t count = act->size <= MIB ? COUNT_OF(blocks) : 6;
    for (size_t i = 0; i < count; i++)
        blocks[i] = obtain(act->size);
    unsigned char *block = blocks[count / 2];
    tell_block(block, act->size);
    for (size_t i = 1; i < count - 1; i++)
        release(blocks[i]);
    give(act, act->is_misuse ? block : blocks[0]);
}

/* All blocks are released; whatever held them may be gone. */
static void after_all(const struct act *act) {
    unsigned char *blocks[1200];
    size_t count = act->size <= 4096 ? COUNT_OF(blocks) : 10;
    for (size_t i = 0; i < count; i++)
        blocks[i] = obtain(act->size);
    tell_block(blocks[0], act->size);
    for (size_t i = 0; i < count; i++)
        release(blocks[i]);
    give(act, act->is_misuse ? blocks[0] : obtain(act->size));
}

/* Two threads, neither of which has the block, release it in the same instant, as near as threads come to that. It is
 * tried with many blocks: once one is a little faster than the other, the report is due. */
#define RACES 200

static struct {
    unsigned char *blocks[RACES];
    pthread_barrier_t start;
} race;

static void *release_in_step(void *argument) {
    const bool *takes_part = argument;
    for (size_t i = 0; i < RACES; i++) {
        (void)pthread_barrier_wait(&race.start);
        if (*takes_part)
            release(race.blocks[i]);
    }
    return NULL;
}

/* In the twin, the second thread looks on. */
static void at_once(const struct act *act) {
    bool takes_part[2] = {true, act->is_misuse};
    pthread_t threads[COUNT_OF(takes_part)];
    for (size_t i = 0; i < RACES; i++)
        race.blocks[i] = obtain(act->size);
    CHECK(pthread_barrier_init(&race.start, NULL, COUNT_OF(threads)) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, release_in_step, &takes_part[i]) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define OF_SMALL "pool of 65536 bytes at * (small layer)"
#define OF_GENERAL "pool of * bytes at * (general layer)"
#define OF_DIRECT "pool of * bytes at * (direct layer)"
#define SMALL_FREE "block at @block of 128 bytes, free"
#define GENERAL_FREE "block at @block of 3072 bytes, requested 3000 bytes, free*"
#define HINT "the block was already released; look for a second owner of the pointer"
#define STACK_OF_OWNER "allocated by thread @owner:", "  #* (@program+0x*)"
#define RELEASED_BY_OWNER "released by thread @owner:", "  #* (@program+0x*)"

const struct specimen specimens[] = {
    /* In a row. */
    CASE("small.twice", default, twice, SMALL, OWNER, FREE, "double free: free of @block",
         "in thread @doer of process *", OF_SMALL, SMALL_FREE, HINT, "to see more, run it again: *guard=full *"),
    CASE("general.twice", default, twice, GENERAL, OWNER, FREE, "double free: free of @block",
         "in thread @doer of process *", OF_GENERAL, GENERAL_FREE, HINT, "to see more, run it again: *guard=full *"),
    CASE("slices.twice", default, twice, SLICES, OWNER, FREE, "double free: free of @block",
         "in thread @doer of process *", "block at @block of 200000 bytes, requested 200000 bytes, released, *", HINT),
    CASE("mapping.twice", default, twice, MAPPING, OWNER, FREE, "double free: free of @block",
         "in thread @doer of process *", "block at @block of 5000000 bytes, requested 5000000 bytes, released, *",
         HINT),
    CASE("small.twice", tail, twice, SMALL, OWNER, FREE, "double free: free of @block", OF_SMALL, SMALL_FREE),
    CASE("general.twice", tail, twice, GENERAL, OWNER, FREE, "double free: free of @block", OF_GENERAL,
         "block at @block of 3072 bytes, requested *, free"),
    CASE("slices.twice", tail, twice, SLICES, OWNER, FREE, "double free: free of @block",
         "block at @block of * bytes, requested *, released, *"),
    CASE("mapping.twice", tail, twice, MAPPING, OWNER, FREE, "double free: free of @block",
         "block at @block of * bytes, requested *, released, *"),
    CASE("small.twice", full, twice, SMALL, OWNER, FREE, "double free: free of @block", OF_SMALL,
         "block at @block of 120 bytes, requested 120 bytes, released, in quarantine",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("general.twice", full, twice, GENERAL, OWNER, FREE, "double free: free of @block", OF_GENERAL,
         "block at @block of 3000 bytes, requested 3000 bytes, released, in quarantine",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("slices.twice", full, twice, SLICES, OWNER, FREE, "double free: free of @block", OF_DIRECT,
         "block at @block of * bytes, requested *, released, in quarantine", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("mapping.twice", full, twice, MAPPING, OWNER, FREE, "double free: free of @block", OF_DIRECT,
         "block at @block of * bytes, requested *, released, in quarantine", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("small.twice", sampled, twice, SMALL, OWNER, FREE, "double free: free of @block",
         "block at @block of 120 bytes, requested 120 bytes, released, alone between guard pages",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("general.twice", sampled, twice, GENERAL, OWNER, FREE, "double free: free of @block",
         "block at @block of 3000 bytes, requested 3000 bytes, released, alone between guard pages",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),

    /* Once on each of two threads. */
    CASE("small.then_by_another_thread", default, twice, SMALL, OTHER, FREE, "double free: free of @block",
         "in thread @doer of process *", OF_SMALL, SMALL_FREE),
    CASE("general.then_by_another_thread", default, twice, GENERAL, OTHER, FREE, "double free: free of @block",
         "in thread @doer of process *", OF_GENERAL, GENERAL_FREE),
    CASE("slices.then_by_another_thread", default, twice, SLICES, OTHER, FREE, "double free: free of @block",
         "in thread @doer of process *", "block at @block of 200000 bytes, requested 200000 bytes, released, *"),
    CASE("mapping.then_by_another_thread", default, twice, MAPPING, OTHER, FREE, "double free: free of @block",
         "in thread @doer of process *", "block at @block of 5000000 bytes, requested 5000000 bytes, released, *"),
    CASE("small.then_by_another_thread", tail, twice, SMALL, OTHER, FREE, "double free: free of @block"),
    CASE("general.then_by_another_thread", tail, twice, GENERAL, OTHER, FREE, "double free: free of @block"),
    CASE("small.then_by_another_thread", full, twice, SMALL, OTHER, FREE, "double free: free of @block",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("general.then_by_another_thread", full, twice, GENERAL, OTHER, FREE, "double free: free of @block",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("slices.then_by_another_thread", full, twice, SLICES, OTHER, FREE, "double free: free of @block",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("small.then_by_another_thread", sampled, twice, SMALL, OTHER, FREE, "double free: free of @block",
         "found in thread @doer:", STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("small.first_by_another_thread", default, twice_after_another_thread, SMALL, OWNER, FREE,
         "double free: free of @block", OF_SMALL, SMALL_FREE),
    CASE("general.first_by_another_thread", default, twice_after_another_thread, GENERAL, OWNER, FREE,
         "double free: free of @block", OF_GENERAL,
         "block at @block of 3072 bytes, requested 3000 bytes, free, by another thread"),
    CASE("slices.first_by_another_thread", default, twice_after_another_thread, SLICES, OWNER, FREE,
         "double free: free of @block"),
    CASE("mapping.first_by_another_thread", default, twice_after_another_thread, MAPPING, OWNER, FREE,
         "double free: free of @block"),
    CASE("small.first_by_another_thread", full, twice_after_another_thread, SMALL, OWNER, FREE,
         "double free: free of @block", STACK_OF_OWNER, "released by thread *:"),
    CASE("general.first_by_another_thread", full, twice_after_another_thread, GENERAL, OWNER, FREE,
         "double free: free of @block", STACK_OF_OWNER, "released by thread *:"),
    CASE("small.first_by_another_thread", sampled, twice_after_another_thread, SMALL, OWNER, FREE,
         "double free: free of @block", STACK_OF_OWNER, "released by thread *:"),
    CASE("small.by_two_other_threads", default, twice_after_another_thread, SMALL, OTHER, FREE,
         "double free: free of @block", OF_SMALL, SMALL_FREE),
    CASE("general.by_two_other_threads", default, twice_after_another_thread, GENERAL, OTHER, FREE,
         "double free: free of @block", OF_GENERAL,
         "block at @block of 3072 bytes, requested 3000 bytes, free, by another thread"),
    CASE("slices.by_two_other_threads", default, twice_after_another_thread, SLICES, OTHER, FREE,
         "double free: free of @block"),

    /* In the same instant. */
    CASE("small.at_once", default, at_once, SMALL, OTHER, FREE, "double free: free of *", OF_SMALL),
    CASE("general.at_once", default, at_once, GENERAL, OTHER, FREE, "double free: free of *", OF_GENERAL),
    CASE("slices.at_once", default, at_once, SLICES, OTHER, FREE, "double free: free of *"),
    CASE("small.at_once", full, at_once, SMALL, OTHER, FREE, "double free: free of *", OF_SMALL),
    CASE("general.at_once", full, at_once, GENERAL, OTHER, FREE, "double free: free of *", OF_GENERAL),
    CASE("slices.at_once", full, at_once, SLICES, OTHER, FREE, "double free: free of *", OF_DIRECT),
    CASE("small.at_once", sampled, at_once, SMALL, OTHER, FREE, "double free: free of *",
         "block at * of 120 bytes, requested 120 bytes, released, alone between guard pages"),

    /* With other releases between. */
    CASE("small.after_others", default, after_others, SMALL, OWNER, FREE, "double free: free of @block", SMALL_FREE),
    CASE("general.after_others", default, after_others, GENERAL, OWNER, FREE, "double free: free of @block"),
    CASE("slices.after_others", default, after_others, SLICES, OWNER, FREE, "double free: free of @block"),
    CASE("mapping.after_others", default, after_others, MAPPING, OWNER, FREE, "double free: free of @block"),
    CASE("small.after_others", tail, after_others, SMALL, OWNER, FREE, "double free: free of @block", SMALL_FREE),
    CASE("general.after_others", tail, after_others, GENERAL, OWNER, FREE, "double free: free of @block"),
    CASE("small.after_others", full, after_others, SMALL, OWNER, FREE, "double free: free of @block", STACK_OF_OWNER,
         RELEASED_BY_OWNER),
    CASE("general.after_others", full, after_others, GENERAL, OWNER, FREE, "double free: free of @block",
         STACK_OF_OWNER, RELEASED_BY_OWNER),
    CASE("small.after_others", sampled, after_others, SMALL, OWNER, FREE, "double free: free of @block", STACK_OF_OWNER,
         RELEASED_BY_OWNER),
    CASE("small.after_others_by_another_thread", default, after_others, SMALL, OTHER, FREE,
         "double free: free of @block", SMALL_FREE),
    CASE("general.after_others_by_another_thread", default, after_others, GENERAL, OTHER, FREE,
         "double free: free of @block"),

    /* With its pool gone, a small or general block cannot be told from an address that never was one. */
    CASE("small.after_all", default, after_all, SMALL, OWNER, FREE, "not a DAM pointer: free of @block"),
    CASE("general.after_all", default, after_all, GENERAL, OWNER, FREE, "not a DAM pointer: free of @block"),
    CASE("slices.after_all", default, after_all, SLICES, OWNER, FREE, "double free: free of @block"),
    CASE("mapping.after_all", default, after_all, MAPPING, OWNER, FREE, "double free: free of @block"),
    CASE("small.after_all", full, after_all, SMALL, OWNER, FREE, "double free: free of @block", STACK_OF_OWNER,
         RELEASED_BY_OWNER),

    /* Other functions. */
    CASE("small.realloc", default, twice, SMALL, OWNER, REALLOC, "double free: realloc of @block", SMALL_FREE),
    CASE("general.realloc", default, twice, GENERAL, OWNER, REALLOC, "double free: realloc of @block", GENERAL_FREE),
    CASE("slices.realloc", default, twice, SLICES, OWNER, REALLOC, "double free: realloc of @block"),
    CASE("mapping.realloc", default, twice, MAPPING, OWNER, REALLOC, "double free: realloc of @block"),
    CASE("small.realloc", tail, twice, SMALL, OWNER, REALLOC, "double free: realloc of @block"),
    CASE("general.realloc", tail, twice, GENERAL, OWNER, REALLOC, "double free: realloc of @block"),
    CASE("small.realloc", full, twice, SMALL, OWNER, REALLOC, "double free: realloc of @block", STACK_OF_OWNER,
         RELEASED_BY_OWNER),
    CASE("general.realloc", full, twice, GENERAL, OWNER, REALLOC, "double free: realloc of @block", STACK_OF_OWNER,
         RELEASED_BY_OWNER),
    CASE("slices.realloc", full, twice, SLICES, OWNER, REALLOC, "double free: realloc of @block", STACK_OF_OWNER,
         RELEASED_BY_OWNER),
    CASE("small.realloc", sampled, twice, SMALL, OWNER, REALLOC, "double free: realloc of @block", STACK_OF_OWNER,
         RELEASED_BY_OWNER),
    CASE("small.realloc_by_another_thread", default, twice, SMALL, OTHER, REALLOC, "double free: realloc of @block"),
    CASE("general.realloc_by_another_thread", default, twice, GENERAL, OTHER, REALLOC,
         "double free: realloc of @block"),
    CASE("small.free_sized", default, twice, SMALL, OWNER, FREE_SIZED, "double free: free_sized of @block"),
    CASE("general.free_sized", default, twice, GENERAL, OWNER, FREE_SIZED, "double free: free_sized of @block"),
    CASE("slices.free_sized", default, twice, SLICES, OWNER, FREE_SIZED, "double free: free_sized of @block"),
    CASE("small.usable_size", default, twice, SMALL, OWNER, USABLE_SIZE, "double free: malloc_usable_size of @block"),
    CASE("general.usable_size", default, twice, GENERAL, OWNER, USABLE_SIZE,
         "double free: malloc_usable_size of @block"),
    CASE("slices.usable_size", default, twice, SLICES, OWNER, USABLE_SIZE, "double free: malloc_usable_size of @block"),
#ifndef SPECIMEN_ON_LIBC
    CASE("small.expand", default, twice, SMALL, OWNER, EXPAND, "double free: expand of @block"),
    CASE("general.expand", default, twice, GENERAL, OWNER, EXPAND, "double free: expand of @block"),
    CASE("slices.expand", default, twice, SLICES, OWNER, EXPAND, "double free: expand of @block"),
    CASE("small.heap_realloc", default, twice, SMALL, OWNER, HEAP_REALLOC, "double free: realloc of @block"),
    CASE("general.heap_realloc", default, twice, GENERAL, OWNER, HEAP_REALLOC, "double free: realloc of @block"),
#endif

    /* The program goes on, and nothing comes of it. */
    CASE_GOES_ON("small.twice", report, twice, SMALL, OWNER, FREE, "double free: free of @block"),
    CASE_GOES_ON("general.twice", report, twice, GENERAL, OWNER, FREE, "double free: free of @block"),
    CASE_GOES_ON("slices.twice", report, twice, SLICES, OWNER, FREE, "double free: free of @block"),
    CASE_GOES_ON("mapping.twice", report, twice, MAPPING, OWNER, FREE, "double free: free of @block"),
    CASE_GOES_ON("small.twice", full_report, twice, SMALL, OWNER, FREE, "double free: free of @block"),
    CASE_GOES_ON("slices.twice", full_report, twice, SLICES, OWNER, FREE, "double free: free of @block"),
    CASE_GOES_ON("small.twice", sampled_report, twice, SMALL, OWNER, FREE, "double free: free of @block"),
    CASE_SILENT("small.twice", ignore, twice, SMALL, OWNER, FREE),
    CASE_SILENT("general.twice", ignore, twice, GENERAL, OWNER, FREE),
    CASE_SILENT("slices.twice", ignore, twice, SLICES, OWNER, FREE),
    CASE_SILENT("mapping.twice", ignore, twice, MAPPING, OWNER, FREE),
    CASE_SILENT("small.twice", sampled_ignore, twice, SMALL, OWNER, FREE),
    CASE_SILENT("small.twice", off, twice, SMALL, OWNER, FREE),
    CASE_SILENT("general.twice", off, twice, GENERAL, OWNER, FREE),
    CASE_SILENT("slices.twice", off, twice, SLICES, OWNER, FREE),
    CASE_GOES_ON("small.first_by_another_thread", report, twice_after_another_thread, SMALL, OWNER, FREE,
                 "double free: free of @block"),
    CASE_GOES_ON("general.first_by_another_thread", report, twice_after_another_thread, GENERAL, OWNER, FREE,
                 "double free: free of @block"),
    CASE_SILENT("small.at_once", ignore, at_once, SMALL, OTHER, FREE),
    CASE_SILENT("slices.at_once", ignore, at_once, SLICES, OTHER, FREE),
    {.scene_name = NULL},
};
