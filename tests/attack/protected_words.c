// SPDX-License-Identifier: MIT
/* protected_words.c: what guard=tail and guard=full add to a block: the trailer at its end, with the filling between it
 * and the request; and in quarantine (full) all of the block, which must stay as it was wiped. The formats are in
 * protect/tail.h and protect/quarantine.h. The words of the layers themselves are the same as without these profiles.
 *
 *   | program's bytes ... | filling ... | trailer |
 *   0                     request                 room
 *
 * In guard=full released blocks lie in quarantine until there are too many, or until a trim; every case ends with one.
 */
#include "attack/attack.h"

#include "attack/ground.h"
#include "direct/direct.h"
#include "general/block.h"
#include "pool/pool_map.h"

#define BLOCKS ((size_t)5)
#define MIDDLE ((size_t)2)

enum state { LIVE, IN_QUARANTINE };
enum spot { START, REQUEST_END, TRAILER };

static char *blocks[BLOCKS];

/* What the block's layer lets the protection have. */
static size_t room_of(const char *block) {
    const struct pool *pool = pool_of(block);
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        return pool->block_bytes;
    case LAYER_GENERAL:
        return request_in(block_header(block)->fields);
    case LAYER_DIRECT:
        return dam_direct_requested_bytes(pool);
    case LAYER_NONE:
        break;
    }
    return 0;
}

static char *spot_of(char *block, enum spot spot, size_t size, size_t room) {
    switch (spot) {
    case START:
        return block;
    case REQUEST_END:
        return block + size;
    case TRAILER:
        return block + room - sizeof(uint64_t);
    }
    return NULL;
}

static int compare_addresses(const void *a, const void *b) {
    const char *first = *(char *const *)a;
    const char *second = *(char *const *)b;
    return (first > second) - (first < second);
}

/* guard=full gives out fresh blocks in an order of its own. */
static void lay_blocks(struct scene *scene) {
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = scene_malloc(scene, scene->size);
    qsort(blocks, BLOCKS, sizeof blocks[0], compare_addresses);
    scene->pool = pool_of(blocks[MIDDLE]);
    scene->pool_start = pool_start(scene->pool);
    scene->pool_end = scene->pool_start + scene->pool->bytes;
}

static void stage(struct scene *scene, size_t variant, size_t block, size_t spot) {
    lay_blocks(scene);
    size_t room = room_of(blocks[block]);
    scene->block = blocks[block];
    scene->place = spot_of(scene->block, (enum spot)spot, scene->size, room);
    scene->in_front = blocks[block - 1];
    scene->behind = blocks[block + 1];
    scene->same_of_neighbour = spot_of(scene->in_front, (enum spot)spot, scene->size, room);
    SCENE_CHECK(scene->place + scene->bytes <= scene->block + room);
    if (variant == IN_QUARANTINE) {
        scene_note(scene);
        ground_free(scene->block);
    }
}

#define LIVE_WORD(name, bytes, spot, size)                                                                             \
    { name, FORM_PLAIN, bytes, true, WHEN_FREED, false, stage, LIVE, MIDDLE, spot, size }
#define DEAD_WORD(name, spot, size)                                                                                    \
    { name, FORM_PLAIN, 8, false, ALWAYS, false, stage, IN_QUARANTINE, MIDDLE, spot, size }

static const struct word TAIL_WORDS[] = {
    LIVE_WORD("small: trailer", 8, TRAILER, 88),
    LIVE_WORD("small: trailer right behind the request", 8, REQUEST_END, 24),
    LIVE_WORD("small: filling", 4, REQUEST_END, 84),
    LIVE_WORD("general: trailer", 8, TRAILER, 1000),
    LIVE_WORD("direct: trailer", 8, TRAILER, 70000),
};

static const struct word FULL_WORDS[] = {
    LIVE_WORD("small: trailer", 8, TRAILER, 88),
    LIVE_WORD("general: trailer", 8, TRAILER, 1000),
    DEAD_WORD("small, in quarantine: first word", START, 88),
    DEAD_WORD("small, in quarantine: trailer", TRAILER, 88),
    DEAD_WORD("general, in quarantine: first word", START, 1000),
    DEAD_WORD("general, in quarantine: trailer", TRAILER, 1000),
};

int main(int argc, char **argv) {
    static const struct word_table TAIL = {"words of guard=tail", TAIL_WORDS, COUNT_OF(TAIL_WORDS), NULL, 0};
    static const struct word_table FULL = {"words of guard=full", FULL_WORDS, COUNT_OF(FULL_WORDS), NULL, 0};
    char profile[16];
    CHECK(dam_option_get("guard", profile, sizeof profile) == 0);
    CHECK(strcmp(profile, "tail") == 0 || strcmp(profile, "full") == 0);
    return attack_words(strcmp(profile, "full") == 0 ? &FULL : &TAIL, argc, argv);
}
