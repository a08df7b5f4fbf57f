// SPDX-License-Identifier: MIT
/* write_after_free.c: a block is written through a pointer that outlived it. Found when the memory is used again, at
 * the latest; at once where it is inaccessible. */
#include "faults/specimen.h"

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

struct place {
    unsigned char *at;
    size_t bytes;
};

static void change_place(void *argument) {
    struct place *place = argument;
    tell_thread("doer");
    for (size_t i = 0; i < place->bytes; i++)
        flip(place->at + i);
}

/* Written at the offset, after the release; in the twin, before it. Neighbours keep what holds the block from going. */
static void write_at(const struct act *act, size_t offset, size_t bytes) {
    hold(obtain(act->size), act->size);
    unsigned char *block = obtain(act->size);
    hold(obtain(act->size), act->size);
    struct place place = {block + offset, bytes};
    tell_block(block, act->size);
    tell_place("place", place.at);
    if (!act->is_misuse)
        perform(act, change_place, &place);
    release(block);
    if (act->is_misuse)
        perform(act, change_place, &place);
}

static void first_eight_bytes(const struct act *act) {
    write_at(act, 0, 8);
}

static void fourth_byte(const struct act *act) {
    write_at(act, 3, 1);
}

static void first_byte(const struct act *act) {
    write_at(act, 0, 1);
}

static void ninth_byte(const struct act *act) {
    write_at(act, 8, 1);
}

static void seventeenth_byte(const struct act *act) {
    write_at(act, 16, 1);
}

static void last_byte(const struct act *act) {
    write_at(act, act->size - 1, 1);
}

/* Another thread released it. */
static void released_by_another_thread(const struct act *act) {
    unsigned char *block = obtain(act->size);
    hold(obtain(act->size), act->size);
    struct place place = {block, 16};
    tell_block(block, act->size);
    if (!act->is_misuse)
        change_place(&place);
    perform_elsewhere(release, block);
    if (act->is_misuse)
        change_place(&place);
}

/* The block was merged with its neighbours, which were released, too. */
static void of_a_merged_block(const struct act *act) {
    unsigned char *blocks[60];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = obtain(act->size);
    struct place place = {blocks[1], 16};
    tell_block(place.at, act->size);
    if (!act->is_misuse)
        change_place(&place);
    for (size_t i = 1; i < COUNT_OF(blocks) - 1; i++)
        release(blocks[i]);
    if (act->is_misuse)
        change_place(&place);
}

/* Behind the request, where there is room that nobody may use. */
static void behind_the_request(const struct act *act) {
    unsigned char *block = obtain(act->size);
    hold(obtain(act->size), act->size);
    struct place place = {block + act->size - (act->is_misuse ? 0 : 1), 1};
    tell_block(block, act->size);
    if (!act->is_misuse)
        change_place(&place);
    release(block);
    if (act->is_misuse)
        change_place(&place);
}

/* So many others are released that the block must leave DAM's quarantine. */
static void before_it_leaves_quarantine(const struct act *act) {
    write_at(act, act->size / 2, 1);
    for (int i = 0; i < 20000; i++)
        release(obtain(act->size));
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define REUSE "write to a free block: reuse of @block"
#define FOUND_THERE "write to a free block: quarantine of @place"
#define IN_THE_ACT "access to a released block: write of @place"
#define ALONE "block at @block of @size bytes, requested @size bytes, released, alone between guard pages"
#define RELEASED_DIRECT "block at @block of * bytes, requested @size bytes, released, in quarantine"
#define HINT "a released block was written through a stale pointer"
#define AT_PLACE "at @place:"
#define ONE_BYTE AT_PLACE, "  expected  00*", "  found     42*", "  changed   ^^*"
#define IN_QUARANTINE "block at @block of * bytes, requested @size bytes, released, in quarantine"
#define BOTH_STACKS                                                                                                    \
    "allocated by thread @owner:", "  #* (@program+0x*)", "released by thread @owner:", "  #* (@program+0x*)"

const struct specimen specimens[] = {
    /* By default: the first 8 bytes of small blocks, the first 16 of general ones. */
    CASE("small.first_eight_bytes", default, first_eight_bytes, SMALL, OWNER, FREE, REUSE,
         "block at @block of 128 bytes, free", "expected *, found *",
         "in front of it: block at *, live; it most likely ran over", HINT),
    CASE("small.fourth_byte", default, fourth_byte, SMALL, OWNER, FREE, REUSE, HINT),
    CASE("small.first_byte", default, first_byte, SMALL, OWNER, FREE, "write to a free block: reuse of *",
         "no block is there: the first two bytes of a free block of this pool were overwritten, and led here", HINT),
    CASE("small.first_eight_bytes_by_another_thread", default, first_eight_bytes, SMALL, OTHER, FREE, REUSE, HINT),
    CASE("small.released_by_another_thread", default, released_by_another_thread, SMALL, OWNER, FREE, REUSE, HINT),
    CASE("general.first_eight_bytes", default, first_eight_bytes, GENERAL, OWNER, FREE, REUSE,
         "block at @block of 3072 bytes, requested 3000 bytes, free", HINT),
    CASE("general.fourth_byte", default, fourth_byte, GENERAL, OWNER, FREE, REUSE, HINT),
    CASE("general.first_byte", default, first_byte, GENERAL, OWNER, FREE, REUSE, HINT),
    CASE("general.ninth_byte", default, ninth_byte, GENERAL, OWNER, FREE, REUSE, HINT),
    CASE("general.first_eight_bytes_by_another_thread", default, first_eight_bytes, GENERAL, OTHER, FREE, REUSE, HINT),
    CASE("general.released_by_another_thread", default, released_by_another_thread, GENERAL, OWNER, FREE, REUSE, HINT),
    CASE("general.of_a_merged_block", default, of_a_merged_block, GENERAL, OWNER, FREE, REUSE, HINT),

    /* The rest of a free block is nobody's, by default: what is written there does no harm and is not noticed. */
    CASE_SILENT("small.ninth_byte", default, ninth_byte, SMALL, OWNER, FREE),
    CASE_SILENT("small.last_byte", default, last_byte, SMALL, OWNER, FREE),
    CASE_SILENT("general.seventeenth_byte", default, seventeenth_byte, GENERAL, OWNER, FREE),
    CASE_SILENT("general.last_byte", default, last_byte, GENERAL, OWNER, FREE),
    CASE_SILENT("slices.first_eight_bytes", default, first_eight_bytes, SLICES, OWNER, FREE),
    CASE_SILENT("mapping.first_eight_bytes", default, first_eight_bytes, MAPPING, OWNER, FREE),
    CASE("small.first_eight_bytes", tail, first_eight_bytes, SMALL, OWNER, FREE, REUSE, HINT),
    CASE("general.first_eight_bytes", tail, first_eight_bytes, GENERAL, OWNER, FREE, REUSE, HINT),

    /* In quarantine: every byte, and those behind the request. */
    CASE("small.first_eight_bytes", full, first_eight_bytes, SMALL, OWNER, FREE, FOUND_THERE, IN_QUARANTINE, AT_PLACE,
         BOTH_STACKS),
    CASE("small.ninth_byte", full, ninth_byte, SMALL, OWNER, FREE, FOUND_THERE, IN_QUARANTINE, ONE_BYTE, HINT),
    CASE("small.last_byte", full, last_byte, SMALL, OWNER, FREE, FOUND_THERE, IN_QUARANTINE, ONE_BYTE, HINT),
    CASE("small.last_byte_by_another_thread", full, last_byte, SMALL, OTHER, FREE, FOUND_THERE, IN_QUARANTINE,
         ONE_BYTE),
    CASE("small.released_by_another_thread", full, released_by_another_thread, SMALL, OWNER, FREE,
         "write to a free block: quarantine of @block", IN_QUARANTINE, "released by thread *:"),
    CASE("small.behind_the_request", full, behind_the_request, SMALL, OWNER, FREE,
         "write to a free block: quarantine of @block", IN_QUARANTINE, "at @end:", "  expected *", "  found *",
         "  changed   ^^ *", HINT),
    CASE("small.before_it_leaves_quarantine", full, before_it_leaves_quarantine, SMALL, OWNER, FREE, FOUND_THERE,
         IN_QUARANTINE, ONE_BYTE, HINT),
    CASE("general.first_eight_bytes", full, first_eight_bytes, GENERAL, OWNER, FREE, FOUND_THERE, IN_QUARANTINE,
         AT_PLACE, BOTH_STACKS),
    CASE("general.seventeenth_byte", full, seventeenth_byte, GENERAL, OWNER, FREE, FOUND_THERE, IN_QUARANTINE, ONE_BYTE,
         HINT),
    CASE("general.last_byte", full, last_byte, GENERAL, OWNER, FREE, FOUND_THERE, IN_QUARANTINE, ONE_BYTE, HINT),
    CASE("general.before_it_leaves_quarantine", full, before_it_leaves_quarantine, GENERAL, OWNER, FREE, FOUND_THERE,
         IN_QUARANTINE, ONE_BYTE, HINT),

    /* Inaccessible: in the act. */
    CASE("slices.first_eight_bytes", full, first_eight_bytes, SLICES, OWNER, FREE, IN_THE_ACT,
         "in thread @doer of process *", RELEASED_DIRECT, "0 bytes into it", BOTH_STACKS),
    CASE("slices.last_byte", full, last_byte, SLICES, OWNER, FREE, IN_THE_ACT, "199999 bytes into it", BOTH_STACKS),
    CASE("slices.last_byte_by_another_thread", full, last_byte, SLICES, OTHER, FREE, IN_THE_ACT,
         "in thread @doer of process *", "199999 bytes into it", "found in thread @doer:", BOTH_STACKS),
    CASE("mapping.seventeenth_byte", full, seventeenth_byte, MAPPING, OWNER, FREE, IN_THE_ACT, RELEASED_DIRECT,
         "16 bytes into it", BOTH_STACKS),
    CASE("small.first_eight_bytes", sampled, first_eight_bytes, SMALL, OWNER, FREE, IN_THE_ACT, ALONE,
         "0 bytes into it", "found in thread @doer:", BOTH_STACKS),
    CASE("small.last_byte", sampled, last_byte, SMALL, OWNER, FREE, IN_THE_ACT, ALONE, "119 bytes into it",
         BOTH_STACKS),
    CASE("general.seventeenth_byte", sampled, seventeenth_byte, GENERAL, OWNER, FREE, IN_THE_ACT, ALONE,
         "16 bytes into it", BOTH_STACKS),
    CASE("general.last_byte_by_another_thread", sampled, last_byte, GENERAL, OTHER, FREE, IN_THE_ACT,
         "in thread @doer of process *", ALONE, "2999 bytes into it", "found in thread @doer:", BOTH_STACKS),
    CASE("small.released_by_another_thread", sampled, released_by_another_thread, SMALL, OWNER, FREE,
         "access to a released block: write of @block", ALONE, "allocated by thread @owner:", "released by thread *:"),

    /* The program goes on, and nothing comes of it: what was written to is not used again. */
    CASE_GOES_ON("small.first_eight_bytes", report, first_eight_bytes, SMALL, OWNER, FREE, REUSE),
    CASE_GOES_ON("small.first_byte", report, first_byte, SMALL, OWNER, FREE, "write to a free block: reuse of *"),
    CASE_GOES_ON("general.first_eight_bytes", report, first_eight_bytes, GENERAL, OWNER, FREE, REUSE),
    CASE_GOES_ON("small.released_by_another_thread", report, released_by_another_thread, SMALL, OWNER, FREE, REUSE),
    CASE_GOES_ON("general.released_by_another_thread", report, released_by_another_thread, GENERAL, OWNER, FREE, REUSE),
    CASE_GOES_ON("small.last_byte", full_report, last_byte, SMALL, OWNER, FREE, FOUND_THERE),
    CASE_GOES_ON("small.first_eight_bytes", sampled_report, fourth_byte, SMALL, OWNER, FREE, IN_THE_ACT),
    CASE_SILENT("small.first_eight_bytes", ignore, first_eight_bytes, SMALL, OWNER, FREE),
    CASE_SILENT("general.first_eight_bytes", ignore, first_eight_bytes, GENERAL, OWNER, FREE),
    CASE_SILENT("small.first_eight_bytes", off, first_eight_bytes, SMALL, OWNER, FREE),
    CASE_SILENT("general.first_eight_bytes", off, first_eight_bytes, GENERAL, OWNER, FREE),
    {.scene_name = NULL},
};
