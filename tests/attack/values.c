// SPDX-License-Identifier: MIT
/* values.c: what is written over a word.
 *
 *   by itself           0, all ones, text, random bytes; what is there, with a little changed
 *   seen before         what the same place held in earlier states, what the same word of a neighbour holds
 *   an address          of the stack, of the test's data, of forgeries in a block of the attacker's, of blocks
 *   a link, bent        the part of the word that leads somewhere leads somewhere else; what vouches for it stays
 *   a neighbour's word, moved here    changed by the distance of the two places, for seals that only know a sum
 *
 * Bending and moving undo what the formats do in plain sight; the formats are in small_fast.h, block.h and
 * free_index.h. */
#include "attack/attack.h"

#include "base/config.h"
#include "small/small_fast.h"

char attack_bait[BAIT_BYTES] __attribute__((aligned(16))) = "bait";
char *attack_stack_bait;

/* ---- By itself --------------------------------------------------------------------------------------------------- */

static bool as_it_was(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)scene, (void)random, (void)parameter, (void)bytes;
    return true;
}

static bool filled_with(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)random;
    memset(bytes, (int)parameter, scene->bytes);
    return true;
}

static bool random_bytes(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)parameter;
    for (size_t i = 0; i < scene->bytes; i++)
        bytes[i] = (unsigned char)random_next(random);
    return true;
}

/* All but a few of its bytes, from a random place on: what a write that starts or ends inside the word leaves. */
static bool random_part(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)parameter;
    size_t from = random_below(random, scene->bytes);
    size_t count = 1 + random_below(random, scene->bytes - from);
    for (size_t i = from; i < from + count; i++)
        bytes[i] = (unsigned char)random_next(random);
    return true;
}

static uint64_t first_number(const struct scene *scene, const unsigned char *bytes) {
    uint64_t number = 0;
    memcpy(&number, bytes, smaller_of(scene->bytes, sizeof number)); /* on machines whose low byte comes first */
    return number;
}

static void set_first_number(const struct scene *scene, unsigned char *bytes, uint64_t number) {
    memcpy(bytes, &number, smaller_of(scene->bytes, sizeof number));
}

static bool plus(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)random;
    set_first_number(scene, bytes, first_number(scene, bytes) + parameter);
    return true;
}

static bool with_bit_flipped(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)parameter;
    size_t bit = random_below(random, scene->bytes * 8);
    bytes[bit / 8] ^= (unsigned char)(1u << (bit % 8));
    return true;
}

/* A string that is one byte too long. */
static bool with_first_byte_zero(const struct scene *scene, struct random *random, size_t parameter,
                                 unsigned char *bytes) {
    (void)scene, (void)random, (void)parameter;
    bytes[0] = 0;
    return true;
}

/* ---- Seen before ------------------------------------------------------------------------------------------------- */

static bool old_value(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)random;
    if (parameter >= scene->old_count)
        return false;
    memcpy(bytes, scene->old[parameter], scene->bytes);
    return true;
}

static bool same_of_neighbour(const struct scene *scene, struct random *random, size_t parameter,
                              unsigned char *bytes) {
    (void)random, (void)parameter;
    if (scene->same_of_neighbour == NULL)
        return false;
    memcpy(bytes, scene->same_of_neighbour, scene->bytes);
    return true;
}

/* ---- Addresses and links ----------------------------------------------------------------------------------------- */

enum target {
    THE_BLOCK,
    INSIDE_THE_BLOCK,
    LIVE_NEIGHBOUR,
    INSIDE_LIVE_NEIGHBOUR,
    FORGERY,
    FREE_ELSEWHERE, /* a free block that is on another list */
    POOL_START,
    POOL_LAST,
    POOL_END,
    BEYOND_THE_POOL,
    ON_THE_STACK,
    IN_DATA,
    UNMAPPED,
    NOWHERE,
};

#define FORGERY_OFFSET ((uintptr_t)64)

static uintptr_t offset_or_none(const char *base, uintptr_t offset) {
    return base == NULL ? 0 : (uintptr_t)base + offset;
}

/* 0: there is no such place in this scene. */
static uintptr_t address_of(const struct scene *scene, enum target target) {
    switch (target) {
    case THE_BLOCK:
        return (uintptr_t)scene->block;
    case INSIDE_THE_BLOCK:
        return (uintptr_t)scene->block + GRANULE_BYTES / 2;
    case LIVE_NEIGHBOUR:
        return (uintptr_t)scene->behind;
    case INSIDE_LIVE_NEIGHBOUR:
        return offset_or_none(scene->behind, GRANULE_BYTES);
    case FORGERY:
        return offset_or_none(scene->own, scene->size > 2 * FORGERY_OFFSET ? FORGERY_OFFSET : 0);
    case FREE_ELSEWHERE:
        return (uintptr_t)scene->on_stack;
    case POOL_START:
        return (uintptr_t)scene->pool_start;
    case POOL_LAST:
        return (uintptr_t)scene->pool_end - GRANULE_BYTES;
    case POOL_END:
        return (uintptr_t)scene->pool_end;
    case BEYOND_THE_POOL:
        return (uintptr_t)scene->pool_end + 16 * MIB;
    case ON_THE_STACK:
        return (uintptr_t)attack_stack_bait;
    case IN_DATA:
        return (uintptr_t)attack_bait;
    case UNMAPPED:
        return 0x1000;
    case NOWHERE:
        return (uintptr_t)0x4141414141414140;
    }
    return 0;
}

/* The address itself, whatever the word's own form is: what has worked on other allocators. */
static bool address(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)random;
    uintptr_t at = address_of(scene, (enum target)parameter);
    if (at == 0 || scene->bytes < sizeof at)
        return false;
    set_first_number(scene, bytes, at);
    return true;
}

/* In the word's own form, with all that the attacker cannot make left as it is. */
static bool bent_to(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)random;
    uintptr_t at = address_of(scene, (enum target)parameter);
    uint64_t offset = at - (uintptr_t)scene->pool_start;
    uint64_t word = first_number(scene, bytes);
    if (at == 0)
        return false;
    switch (scene->form) {
    case FORM_SMALL_LINK: /* whoever knows where it leads can make it lead elsewhere in the pool */
        if (offset > 0xffff)
            return false;
        set_first_number(scene, bytes, word ^ (small_next_if_free(scene->pool, scene->place) & 0xffff) ^ offset);
        return true;
    case FORM_OFFSETS:
        if (scene->bytes > sizeof(uint32_t))
            return false;
        set_first_number(scene, bytes, offset >> GRANULE_SHIFT);
        return true;
    case FORM_LINK: /* is an address */
    case FORM_PLAIN:
    case FORM_HEADER:
    case FORM_TAG:
        return false;
    }
    return false;
}

/* ---- Moved ------------------------------------------------------------------------------------------------------- */

#define TAG_SIZE_MASK ((uint64_t)0xffffff)

/* The neighbour's word, such that the sum of the word and the place stays the same. */
static bool moved_here(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes) {
    (void)random, (void)parameter;
    if (scene->same_of_neighbour == NULL)
        return false;
    uint64_t distance = (uint64_t)(scene->same_of_neighbour - scene->place);
    uint32_t fields;
    memcpy(bytes, scene->same_of_neighbour, scene->bytes);
    uint64_t word = first_number(scene, bytes);
    switch (scene->form) {
    case FORM_LINK:
    case FORM_OFFSETS:
        if (scene->bytes < WORD_BYTES_MAX)
            return false;
        set_first_number(scene, bytes, word + distance);
        return true;
    case FORM_HEADER:
        if (scene->bytes < sizeof word)
            return false;
        memcpy(&fields, bytes, sizeof fields);
        fields += (uint32_t)(distance / 2);
        memcpy(bytes, &fields, sizeof fields);
        return true;
    case FORM_TAG:
        set_first_number(scene, bytes, (word & ~TAG_SIZE_MASK) | ((word + distance) & TAG_SIZE_MASK));
        return true;
    case FORM_SMALL_LINK:
    case FORM_PLAIN:
        return false;
    }
    return false;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static const struct value VALUES[] = {
    {"what was there", as_it_was, 0, 1, 1}, /* must be the first: shows that the sequels are innocent */
    {"0", filled_with, 0, 1, 1},
    {"all ones", filled_with, 0xff, 1, 3},
    {"AAAA", filled_with, 'A', 1, 3},
    {"itself + 1", plus, 1, 1, 1},
    {"itself + 16", plus, 16, 1, 1},
    {"itself - 16", plus, (size_t)-16, 1, 1},
    {"itself + 65536", plus, 65536, 1, 3},
    {"itself, first byte 0", with_first_byte_zero, 0, 1, 1},
    {"itself, one bit flipped", with_bit_flipped, 0, 2, 1},
    {"old value 1", old_value, 0, 1, 1},
    {"old value 2", old_value, 1, 1, 1},
    {"old value 3", old_value, 2, 1, 1},
    {"old value 4", old_value, 3, 1, 1},
    {"old value 5", old_value, 4, 1, 1},
    {"old value 6", old_value, 5, 1, 1},
    {"old value 7", old_value, 6, 1, 1},
    {"old value 8", old_value, 7, 1, 1},
    {"old value 9", old_value, 8, 1, 1},
    {"old value 10", old_value, 9, 1, 1},
    {"the neighbour's", same_of_neighbour, 0, 1, 1},
    {"the neighbour's, moved here", moved_here, 0, 1, 1},
    {"its block's address", address, THE_BLOCK, 1, 3},
    {"a live block's address", address, LIVE_NEIGHBOUR, 1, 3},
    {"an address inside a live block", address, INSIDE_LIVE_NEIGHBOUR, 1, 3},
    {"a forgery's address", address, FORGERY, 1, 3},
    {"an address on the stack", address, ON_THE_STACK, 1, 3},
    {"an address in data", address, IN_DATA, 1, 3},
    {"an unmapped address", address, UNMAPPED, 1, 3},
    {"no address", address, NOWHERE, 1, 3},
    {"bent to its own block", bent_to, THE_BLOCK, 1, 1},
    {"bent into its own block", bent_to, INSIDE_THE_BLOCK, 1, 1},
    {"bent to a live block", bent_to, LIVE_NEIGHBOUR, 1, 1},
    {"bent into a live block", bent_to, INSIDE_LIVE_NEIGHBOUR, 1, 1},
    {"bent to a forgery", bent_to, FORGERY, 1, 1},
    {"bent to a block on another list", bent_to, FREE_ELSEWHERE, 1, 1},
    {"bent to the pool's start", bent_to, POOL_START, 1, 1},
    {"bent to the pool's last granule", bent_to, POOL_LAST, 1, 1},
    {"bent to the pool's end", bent_to, POOL_END, 1, 1},
    {"bent beyond the pool", bent_to, BEYOND_THE_POOL, 1, 1},
    {"random", random_bytes, 0, 4, 3},
    {"random in part", random_part, 0, 3, 3},
};

struct values attack_values(void) {
    return (struct values){VALUES, COUNT_OF(VALUES)};
}
