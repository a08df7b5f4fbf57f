// SPDX-License-Identifier: MIT
/* read_after_free.c: a block is read through a pointer that outlived it. Only memory that is inaccessible shows it;
 * where it is not, guard=full leaves nothing to be read. */
#include "faults/specimen.h"

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

static void read_place(void *place) {
    tell_thread("doer");
    (void)peek(place);
}

static void read_at(const struct act *act, size_t offset) {
    unsigned char *block = obtain(act->size);
    hold(obtain(act->size), act->size);
    tell_block(block, act->size);
    tell_place("place", block + offset);
    if (!act->is_misuse)
        perform(act, read_place, block + offset);
    release(block);
    if (act->is_misuse)
        perform(act, read_place, block + offset);
}

static void first_byte(const struct act *act) {
    read_at(act, 0);
}

static void hundredth_byte(const struct act *act) {
    read_at(act, 99);
}

static void last_byte(const struct act *act) {
    read_at(act, act->size - 1);
}

static void released_by_another_thread(const struct act *act) {
    unsigned char *block = obtain(act->size);
    hold(obtain(act->size), act->size);
    tell_block(block, act->size);
    tell_place("place", block);
    if (!act->is_misuse)
        read_place(block);
    perform_elsewhere(release, block);
    if (act->is_misuse)
        read_place(block);
}

/* Some other blocks came and went since. */
static void some_time_later(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    tell_place("place", block + 99);
    if (!act->is_misuse)
        read_place(block + 99);
    release(block);
    for (int i = 0; i < 100; i++)
        release(obtain(act->size));
    if (act->is_misuse)
        read_place(block + 99);
}

#ifndef SPECIMEN_ON_LIBC
/* What the program left in the block is not there any more. */
static void finds_nothing(const struct act *act) {
    unsigned char *block = obtain(act->size);
    release(block);
    for (size_t i = 0; act->is_misuse && i < act->size; i++)
        CHECK(peek(block + i) == 0);
}
#endif

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define IN_THE_ACT "access to a released block: read of @place"
#define ALONE "block at @block of @size bytes, requested @size bytes, released, alone between guard pages"
#define IN_QUARANTINE "block at @block of * bytes, requested @size bytes, released, in quarantine"
#define HINT "the block was used through a stale pointer"
#define BOTH_STACKS                                                                                                    \
    "allocated by thread @owner:", "  #* (@program+0x*)", "released by thread @owner:", "  #* (@program+0x*)"

const struct specimen specimens[] = {
    CASE_SILENT("small.first_byte", default, first_byte, SMALL, OWNER, FREE),
    CASE_SILENT("general.first_byte", default, first_byte, GENERAL, OWNER, FREE),
    CASE_SILENT("slices.first_byte", default, first_byte, SLICES, OWNER, FREE),
    CASE_SILENT("mapping.first_byte", default, first_byte, MAPPING, OWNER, FREE),
    CASE("slices.first_byte", full, first_byte, SLICES, OWNER, FREE, IN_THE_ACT, "in thread @doer of process *",
         "pool of * bytes at * (direct layer)", IN_QUARANTINE, "0 bytes into it", "found in thread @doer:", BOTH_STACKS,
         HINT),
    CASE("slices.last_byte", full, last_byte, SLICES, OWNER, FREE, IN_THE_ACT, IN_QUARANTINE, "199999 bytes into it",
         BOTH_STACKS, HINT),
    CASE("slices.by_another_thread", full, hundredth_byte, SLICES, OTHER, FREE, IN_THE_ACT,
         "in thread @doer of process *", IN_QUARANTINE, "99 bytes into it", BOTH_STACKS),
    CASE("slices.released_by_another_thread", full, released_by_another_thread, SLICES, OWNER, FREE, IN_THE_ACT,
         IN_QUARANTINE, "allocated by thread @owner:", "released by thread *:"),
    CASE("slices.some_time_later", full, some_time_later, SLICES, OWNER, FREE, IN_THE_ACT, IN_QUARANTINE,
         "99 bytes into it", BOTH_STACKS),
    CASE("mapping.first_byte", full, first_byte, MAPPING, OWNER, FREE, IN_THE_ACT, IN_QUARANTINE, "0 bytes into it",
         BOTH_STACKS, HINT),
    CASE("mapping.last_byte", full, last_byte, MAPPING, OWNER, FREE, IN_THE_ACT, IN_QUARANTINE, "4999999 bytes into it",
         BOTH_STACKS, HINT),
    CASE("small.first_byte", sampled, first_byte, SMALL, OWNER, FREE, IN_THE_ACT, "in thread @doer of process *", ALONE,
         "0 bytes into it", "found in thread @doer:", BOTH_STACKS, HINT),
    CASE("small.last_byte", sampled, last_byte, SMALL, OWNER, FREE, IN_THE_ACT, ALONE, "119 bytes into it",
         BOTH_STACKS),
    CASE("small.by_another_thread", sampled, hundredth_byte, SMALL, OTHER, FREE, IN_THE_ACT,
         "in thread @doer of process *", ALONE, "99 bytes into it", BOTH_STACKS),
    CASE("small.released_by_another_thread", sampled, released_by_another_thread, SMALL, OWNER, FREE, IN_THE_ACT, ALONE,
         "allocated by thread @owner:", "released by thread *:"),
    CASE("small.some_time_later", sampled, some_time_later, SMALL, OWNER, FREE, IN_THE_ACT, ALONE, "99 bytes into it",
         BOTH_STACKS),
    CASE("general.first_byte", sampled, first_byte, GENERAL, OWNER, FREE, IN_THE_ACT, ALONE, "0 bytes into it",
         BOTH_STACKS),
    CASE("general.last_byte", sampled, last_byte, GENERAL, OWNER, FREE, IN_THE_ACT, ALONE, "2999 bytes into it",
         BOTH_STACKS),
    CASE("general.whole_page", sampled, last_byte, 4096, OWNER, FREE, IN_THE_ACT, ALONE, "4095 bytes into it",
         BOTH_STACKS),
    CASE("small.first_byte", full_sampled, first_byte, SMALL, OWNER, FREE, IN_THE_ACT, ALONE, "0 bytes into it",
         BOTH_STACKS),
#ifndef SPECIMEN_ON_LIBC
    CASE_SILENT("small.finds_nothing", full, finds_nothing, SMALL, OWNER, FREE),
    CASE_SILENT("general.finds_nothing", full, finds_nothing, GENERAL, OWNER, FREE),
#endif
    {.scene_name = NULL},
};
