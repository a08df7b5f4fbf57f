// SPDX-License-Identifier: MIT
/* general_words.c: the words of the general layer, in each state that their block can have. What they mean is in
 * general/block.h, and in general/free_index.h for the links of a free block.
 *
 *   pool   | start | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | rest: one free block | fence |
 *                            *       *       *              2, 4 and 6 are freed, in this order
 *
 *   block  | header: fields 4, check 4 | links: next 8, check 8; or next 4, previous 4, check 8 | ... | tail 8 |
 *
 * Freed blocks stay quick; or another thread frees them, and they are remote; or they are merged, and are free. Live
 * blocks lie between them, so each stays by itself. Then quick and remote: 6 -> 4 -> 2, index: 2 <-> 4 <-> 6. */
#include "attack/attack.h"

#include "attack/ground.h"
#include "general/block.h"
#include "pool/pool_map.h"

#define BLOCKS ((size_t)9)
#define GUARD (BLOCKS - 1) /* stays live, so that nothing merges with the rest */

enum state {
    LIVE,
    QUICK,
    REMOTE,
    FREE,
    LIVE_IN_NOBODYS, /* in a pool that its thread left behind, with free blocks beside it */
    FREE_IN_NOBODYS,
    LIVE_IN_HEAP, /* in a first-class heap, with remote blocks beside it */
    REMOTE_IN_HEAP,
};

/* Blocks that are none of the nine. */
#define FIRST ((size_t)0) /* for the word in front of it, the pool's first */
#define REST ((size_t)20) /* the free block behind all others */
#define LAST ((size_t)21) /* a live block in front of the fence; the word is the fence's */

enum spot { HEADER, CHECK, START, START_CHECK, PREVIOUS, TAIL, CANARY, TAIL_IN_FRONT };

static char *blocks[BLOCKS];

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static uint32_t class_granules_of(size_t size) {
    return class_granules(class_holding((uint32_t)((size + GRANULE_BYTES - 1) >> GRANULE_SHIFT)));
}

static void lay_blocks(struct scene *scene) {
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = scene_malloc(scene, scene->size);
    for (size_t i = 1; i < BLOCKS; i++)
        SCENE_CHECK(blocks[i] == block_behind(blocks[i - 1], class_granules_of(scene->size)));
    scene->pool = pool_of(blocks[0]);
    scene->pool_start = pool_start(scene->pool);
    scene->pool_end = scene->pool_start + scene->pool->bytes;
}

static uint32_t granules_of_free(const char *block) {
    SCENE_CHECK(block_has_state(block, BLOCK_FREE));
    return block_header(block)->fields;
}

static char *spot_of(char *block, enum spot spot, size_t size, uint32_t granules) {
    switch (spot) {
    case HEADER:
        return block - BLOCK_HEADER_BYTES;
    case CHECK:
        return block - sizeof(uint32_t);
    case START:
        return block;
    case PREVIOUS:
        return block + sizeof(uint32_t);
    case START_CHECK:
        return block + sizeof(uint64_t);
    case TAIL:
        return (char *)block_tail(block, granules);
    case CANARY:
        return block + size;
    case TAIL_IN_FRONT:
        return (char *)block_tail_in_front(block);
    }
    return NULL;
}

static void aim(struct scene *scene, size_t block, enum spot spot) {
    uint32_t granules = class_granules_of(scene->size);
    scene->block = blocks[block];
    scene->place = spot_of(blocks[block], spot, scene->size, granules);
    scene->in_front = block > 0 ? blocks[block - 1] : NULL;
    scene->behind = blocks[block + 1];
    scene->own = blocks[7];
    scene->same_of_neighbour = spot_of(blocks[block == 4 ? 2 : 4], spot, scene->size, granules);
}

static void aim_at_rest(struct scene *scene, enum spot spot) {
    scene->block = block_behind(blocks[GUARD], class_granules_of(scene->size));
    scene->place = spot_of(scene->block, spot, scene->size, granules_of_free(scene->block));
    scene->in_front = blocks[GUARD];
    scene->behind = NULL;
    scene->own = blocks[7];
    scene->same_of_neighbour = spot_of(blocks[4], spot, scene->size, class_granules_of(scene->size));
}

/* Part of a free block: all of it if that is a class's size; else no more than leaves enough for the general layer. */
static uint32_t part_of(uint32_t granules) {
    uint32_t smallest = (uint32_t)(SMALL_SIZE_MAX >> GRANULE_SHIFT) + 1;
    if (granules > 600)
        return 512;
    if (class_granules(class_of_block(granules)) == granules)
        return granules;
    return class_granules(class_of_block(granules - smallest - 1));
}

/* Allocates what is left of the pool; the last block borders on the fence. */
static void fill_rest(struct scene *scene) {
    char *block = block_behind(blocks[GUARD], class_granules_of(scene->size));
    while (block < scene->pool_end) {
        uint32_t taken = part_of(granules_of_free(block));
        scene->block = scene_malloc(scene, block_bytes_of_granules(taken));
        SCENE_CHECK(scene->block == block);
        block = block_behind(block, taken);
    }
    SCENE_CHECK(block_has_state(block, BLOCK_FENCE));
    scene->in_front = NULL;
    scene->behind = NULL;
    scene->own = blocks[7];
    scene->place = (char *)block_header(block);
    scene->same_of_neighbour = (char *)block_header(blocks[4]);
}

/* In a block of the attacker's own: what looks like a block in front of one, and like one. Every word is right
 * elsewhere. */
static void forge(struct scene *scene) {
    char *own = scene->own;
    memcpy(own + 64, blocks[4], 2 * sizeof(uint64_t));
    memcpy(own + 56, block_header(blocks[4]), sizeof(uint64_t));
    memcpy(own + 48, block_tail(blocks[4], class_granules_of(scene->size)), sizeof(uint64_t));
    ground_accept(own);
}

static void merge_quick(struct scene *scene) {
    SCENE_CHECK(scene->heap == NULL);
    dam_trim();
}

static void free_three(void) {
    ground_free(blocks[2]);
    ground_free(blocks[4]);
    ground_free(blocks[6]);
}

static void *free_three_body(void *unused) {
    (void)unused;
    free_three();
    return NULL;
}

static void take_back(struct scene *scene, size_t block) {
    SCENE_CHECK(scene_malloc(scene, scene->size) == blocks[block]);
}

/* Merged, given out whole at twice the size, and two blocks again: a header, links and tags of other sizes. */
static void live_as_part(struct scene *scene, size_t first) {
    ground_free(blocks[first]);
    ground_free(blocks[first + 1]);
    merge_quick(scene);
    scene_note(scene);
    void *whole = scene_malloc(scene, 2 * scene->size);
    SCENE_CHECK(whole == blocks[first]);
    scene_note(scene);
    ground_free(whole);
    merge_quick(scene);
    take_back(scene, first);
    take_back(scene, first + 1);
}

/* Lets the word be what it is in other states, and notes each; the block is live again in the end. */
static void live_through(struct scene *scene, size_t block) {
    scene_note(scene);
    ground_free(blocks[block]);
    scene_note(scene);
    merge_quick(scene);
    scene_note(scene);
    take_back(scene, block);
    free_elsewhere(blocks[block]);
    scene_note(scene);
    void *other = scene_malloc(scene, 3 * scene->size); /* takes the remote stack in */
    take_back(scene, block);
    ground_free(other);
    merge_quick(scene);
    live_as_part(scene, block);
    if (block > 0)
        live_as_part(scene, block - 1);
}

/* The word in front of a block is a boundary tag while the block in front is free. */
static void let_front_live_through(struct scene *scene, size_t block) {
    if (block > 0)
        live_through(scene, block - 1);
}

static void free_as(struct scene *scene, enum state state) {
    if (state == REMOTE || state == LIVE_IN_HEAP || state == REMOTE_IN_HEAP)
        elsewhere(free_three_body, NULL);
    else
        free_three();
    if (state == FREE)
        merge_quick(scene);
}

static void *leave_behind_body(void *argument) {
    struct scene *scene = argument;
    lay_blocks(scene);
    free_three();
    return NULL;
}

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

static void stage_in_thread(struct scene *scene, enum state state, size_t block, enum spot spot) {
    lay_blocks(scene);
    if (block < BLOCKS) {
        aim(scene, block, spot);
        live_through(scene, block);
        if (spot == TAIL_IN_FRONT)
            let_front_live_through(scene, block);
    }
    if (block == LAST) {
        fill_rest(scene);
        return;
    }
    if (state == LIVE) {
        ground_free(blocks[2]);
        ground_free(blocks[6]);
        merge_quick(scene);
    } else {
        free_as(scene, state);
    }
    if (block == REST)
        aim_at_rest(scene, spot);
}

static void stage(struct scene *scene, size_t variant, size_t block, size_t spot) {
    enum state state = (enum state)variant;
    switch (state) {
    case LIVE:
    case QUICK:
    case REMOTE:
    case FREE:
        stage_in_thread(scene, state, block, (enum spot)spot);
        break;
    case LIVE_IN_NOBODYS:
    case FREE_IN_NOBODYS:
        elsewhere(leave_behind_body, scene);
        aim(scene, block, (enum spot)spot);
        break;
    case LIVE_IN_HEAP:
    case REMOTE_IN_HEAP:
        scene->heap = dam_heap_create();
        SCENE_CHECK(scene->heap != NULL);
        lay_blocks(scene);
        aim(scene, block, (enum spot)spot);
        scene_note(scene);
        free_as(scene, state);
        break;
    }
    forge(scene);
}

/* A change of a live block's header or canary must be seen when it is freed; and a block with an intact header must not
 * be freed twice, whatever became of its links. */
#define WORD(name, form, bytes, is_live, must_see, state, block, spot)                                                 \
    { name, form, bytes, is_live, must_see, false, stage, state, block, spot, 0 }
#define LIVE_WORD(name, form, bytes, state, block, spot) WORD(name, form, bytes, true, WHEN_FREED, state, block, spot)
#define DEAD_WORD(name, form, bytes, state, block, spot) WORD(name, form, bytes, false, NEVER, state, block, spot)

static const struct word WORDS[] = {
    LIVE_WORD("live: header", FORM_HEADER, 8, LIVE, 4, HEADER),
    LIVE_WORD("live: header's fields", FORM_PLAIN, 4, LIVE, 4, HEADER),
    LIVE_WORD("live: header's check", FORM_PLAIN, 4, LIVE, 4, CHECK),
    LIVE_WORD("live: canary", FORM_PLAIN, 8, LIVE, 4, CANARY),
    {"live: canary in the last word", FORM_PLAIN, 8, true, WHEN_FREED, false, stage, LIVE, 4, CANARY, 1024},
    WORD("live: last word of the block in front", FORM_TAG, 8, true, NEVER, LIVE, 4, TAIL_IN_FRONT),
    {"live: canary of the block in front, its last word", FORM_TAG, 8, true, NEVER, false, stage, LIVE, 4,
     TAIL_IN_FRONT, 1024},
    LIVE_WORD("live, first of the pool: header", FORM_HEADER, 8, LIVE, FIRST, HEADER),
    {"live, first of the pool: pool's first word", FORM_TAG, 8, true, NEVER, true, stage, LIVE, FIRST, TAIL_IN_FRONT,
     0},

    DEAD_WORD("quick, first: header", FORM_HEADER, 8, QUICK, 6, HEADER),
    DEAD_WORD("quick, first: header's fields", FORM_PLAIN, 4, QUICK, 6, HEADER),
    DEAD_WORD("quick, first: header's check", FORM_PLAIN, 4, QUICK, 6, CHECK),
    WORD("quick, first: next", FORM_LINK, 8, false, WHEN_FREED, QUICK, 6, START),
    WORD("quick, first: link's check", FORM_PLAIN, 8, false, WHEN_FREED, QUICK, 6, START_CHECK),
    WORD("quick, first: next and check", FORM_LINK, 16, false, WHEN_FREED, QUICK, 6, START),
    DEAD_WORD("quick, second: header", FORM_HEADER, 8, QUICK, 4, HEADER),
    WORD("quick, second: next", FORM_LINK, 8, false, WHEN_FREED, QUICK, 4, START),
    WORD("quick, second: next and check", FORM_LINK, 16, false, WHEN_FREED, QUICK, 4, START),
    WORD("quick, last: next and check", FORM_LINK, 16, false, WHEN_FREED, QUICK, 2, START),

    DEAD_WORD("remote, top: header", FORM_HEADER, 8, REMOTE, 6, HEADER),
    WORD("remote, top: next", FORM_LINK, 8, false, WHEN_FREED, REMOTE, 6, START),
    WORD("remote, top: link's check", FORM_PLAIN, 8, false, WHEN_FREED, REMOTE, 6, START_CHECK),
    WORD("remote, top: next and check", FORM_LINK, 16, false, WHEN_FREED, REMOTE, 6, START),
    DEAD_WORD("remote, bottom: header", FORM_HEADER, 8, REMOTE, 2, HEADER),
    WORD("remote, bottom: next and check", FORM_LINK, 16, false, WHEN_FREED, REMOTE, 2, START),

    DEAD_WORD("free, first: header", FORM_HEADER, 8, FREE, 2, HEADER),
    DEAD_WORD("free, first: header's fields", FORM_PLAIN, 4, FREE, 2, HEADER),
    WORD("free, first: next", FORM_OFFSETS, 4, false, WHEN_FREED, FREE, 2, START),
    WORD("free, first: previous", FORM_OFFSETS, 4, false, WHEN_FREED, FREE, 2, PREVIOUS),
    WORD("free, first: links' check", FORM_PLAIN, 8, false, WHEN_FREED, FREE, 2, START_CHECK),
    WORD("free, first: links and check", FORM_OFFSETS, 16, false, WHEN_FREED, FREE, 2, START),
    WORD("free, first: boundary tag", FORM_TAG, 8, false, WHEN_FREED, FREE, 2, TAIL),
    DEAD_WORD("free, middle: header", FORM_HEADER, 8, FREE, 4, HEADER),
    WORD("free, middle: links and check", FORM_OFFSETS, 16, false, WHEN_FREED, FREE, 4, START),
    WORD("free, middle: boundary tag", FORM_TAG, 8, false, WHEN_FREED, FREE, 4, TAIL),
    WORD("free, last: links and check", FORM_OFFSETS, 16, false, WHEN_FREED, FREE, 6, START),
    DEAD_WORD("free, largest: header", FORM_HEADER, 8, FREE, REST, HEADER),
    WORD("free, largest: links and check", FORM_OFFSETS, 16, false, WHEN_FREED, FREE, REST, START),
    WORD("free, largest: boundary tag", FORM_TAG, 8, false, WHEN_FREED, FREE, REST, TAIL),
    WORD("fence: header", FORM_HEADER, 8, true, NEVER, LIVE, LAST, HEADER),

    LIVE_WORD("live in a pool left behind: header", FORM_HEADER, 8, LIVE_IN_NOBODYS, 3, HEADER),
    DEAD_WORD("free in a pool left behind: header", FORM_HEADER, 8, FREE_IN_NOBODYS, 4, HEADER),
    WORD("free in a pool left behind: links and check", FORM_OFFSETS, 16, false, WHEN_FREED, FREE_IN_NOBODYS, 4, START),
    WORD("free in a pool left behind: boundary tag", FORM_TAG, 8, false, WHEN_FREED, FREE_IN_NOBODYS, 4, TAIL),
    LIVE_WORD("live in a heap: header", FORM_HEADER, 8, LIVE_IN_HEAP, 3, HEADER),
    DEAD_WORD("remote in a heap, middle: header", FORM_HEADER, 8, REMOTE_IN_HEAP, 4, HEADER),
    WORD("remote in a heap, middle: next and check", FORM_LINK, 16, false, WHEN_FREED, REMOTE_IN_HEAP, 4, START),
};

static const size_t SIZES[] = {1000};

int main(int argc, char **argv) {
    static const struct word_table TABLE = {"general words", WORDS, COUNT_OF(WORDS), SIZES, COUNT_OF(SIZES)};
    return attack_words(&TABLE, argc, argv);
}
