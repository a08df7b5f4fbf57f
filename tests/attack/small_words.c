// SPDX-License-Identifier: MIT
/* small_words.c: the words of the small layer. A free block's first word is the only one that lies in the program's
 * memory; what it means depends on the list that the block is on. The format is in small/small_fast.h.
 *
 *   pool   | cornerstone | 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | never used ...
 *                                  *       *       *              2, 4 and 6 are freed, in this order */
#include "attack/attack.h"

#include "attack/ground.h"
#include "pool/pool_map.h"
#include "small/small_fast.h"

#define BLOCKS ((size_t)9)
#define ON_STACK ((size_t)1) /* which block another thread frees, so that the pool's remote stack is not empty */
#define NEVER_USED BLOCKS    /* the first of the blocks behind the nine */

enum lies {
    LIVE,
    ON_LIST,               /* of the thread's current pool */
    ON_USABLE_LIST,        /* of a pool that is not the current one */
    ON_REMOTE_STACK,       /* while the list has blocks: the stack will be put in front of them */
    ON_REMOTE_STACK_ALONE, /* while it has none: the stack will be the list */
    ON_NOBODYS_LIST,       /* of a pool that its thread left behind */
    ON_HEAPS_LIST,         /* of a first-class heap */
    ON_HEAPS_STACK,
    CORNERSTONE,
};

static char *blocks[BLOCKS];

/* ---- Steps ------------------------------------------------------------------------------------------------------- */

static void lay_blocks(struct scene *scene) {
    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = scene_malloc(scene, scene->size);
    scene->pool = pool_of(blocks[0]);
    for (size_t i = 0; i < BLOCKS; i++)
        SCENE_CHECK(blocks[i] == pool_start(scene->pool) + (i + 1) * scene->pool->block_bytes);
    scene->pool_start = pool_start(scene->pool);
    scene->pool_end = scene->pool_start + scene->pool->bytes;
}

static char *block_number(const struct scene *scene, size_t number) {
    return number < BLOCKS ? blocks[number] : blocks[BLOCKS - 1] + scene->pool->block_bytes;
}

static void aim(struct scene *scene, size_t block) {
    scene->block = block_number(scene, block);
    scene->place = scene->block;
    scene->in_front = blocks[block - 1];
    scene->behind = block < BLOCKS - 1 ? blocks[block + 1] : NULL;
    scene->own = blocks[0];
    scene->same_of_neighbour = blocks[block == 4 ? 2 : 4];
}

/* A block of the attacker's own, full of a word that is right elsewhere. */
static void forge(struct scene *scene) {
    for (size_t at = 0; at + sizeof(uint64_t) <= scene->size; at += sizeof(uint64_t))
        memcpy(scene->own + at, scene->same_of_neighbour, sizeof(uint64_t));
    ground_accept(scene->own);
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

/* Lets the block's word be what it is in other states, and notes each; it is live again in the end. */
static void live_through(struct scene *scene, size_t block) {
    ground_free(blocks[block]);
    scene_note(scene);
    take_back(scene, block);
    ground_free(blocks[block + 1]);
    ground_free(blocks[block]);
    scene_note(scene);
    take_back(scene, block);
    take_back(scene, block + 1);
    free_elsewhere(blocks[block]);
    scene_note(scene);
    dam_small_take_remote(scene->pool);
    take_back(scene, block);
    ground_free(blocks[block]);
    ground_free(blocks[block + 1]);
    take_back(scene, block + 1);
    scene_note(scene);
    take_back(scene, block);
}

static void put_on_stack(struct scene *scene) {
    free_elsewhere(blocks[ON_STACK]);
    scene->on_stack = blocks[ON_STACK];
}

static void use_up_list(struct scene *scene) {
    while (scene->pool->free_head != SMALL_LIST_END)
        scene_malloc(scene, scene->size);
}

static void use_up_pool(struct scene *scene) {
    while (pool_of(scene_malloc(scene, scene->size)) == scene->pool)
        continue;
}

static void *leave_behind_body(void *argument) {
    struct scene *scene = argument;
    lay_blocks(scene);
    free_three();
    return NULL;
}

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

static void stage_in_thread(struct scene *scene, enum lies lies, size_t block) {
    lay_blocks(scene);
    aim(scene, block);
    if (block != NEVER_USED)
        live_through(scene, block);
    if (lies == ON_USABLE_LIST)
        use_up_pool(scene);
    if (lies == ON_REMOTE_STACK_ALONE)
        use_up_list(scene);
    if (lies == ON_REMOTE_STACK || lies == ON_REMOTE_STACK_ALONE) {
        elsewhere(free_three_body, NULL);
        return;
    }
    if (lies == LIVE) {
        ground_free(blocks[2]);
        ground_free(blocks[6]);
    } else {
        free_three();
    }
    put_on_stack(scene);
}

/* What is freed in a heap waits on its stacks until a list is used up. */
static void stage_in_heap(struct scene *scene, enum lies lies, size_t block) {
    scene->heap = dam_heap_create();
    SCENE_CHECK(scene->heap != NULL);
    lay_blocks(scene);
    aim(scene, block);
    free_three();
    scene_note(scene);
    if (lies == ON_HEAPS_STACK)
        return;
    use_up_list(scene);
    take_back(scene, 6);
    put_on_stack(scene);
}

static void stage_cornerstone(struct scene *scene) {
    const void *of_another_class = ground_malloc(SMALL_SIZE_MAX);
    lay_blocks(scene);
    aim(scene, 4);
    free_three();
    put_on_stack(scene);
    scene->block = scene->place = scene->pool_start;
    scene->in_front = NULL;
    scene->behind = blocks[0];
    scene->same_of_neighbour = pool_start(pool_of(of_another_class));
}

static void stage(struct scene *scene, size_t variant, size_t block, size_t spot) {
    (void)spot;
    enum lies lies = (enum lies)variant;
    switch (lies) {
    case LIVE:
    case ON_LIST:
    case ON_USABLE_LIST:
    case ON_REMOTE_STACK:
    case ON_REMOTE_STACK_ALONE:
        stage_in_thread(scene, lies, block);
        break;
    case ON_NOBODYS_LIST:
        elsewhere(leave_behind_body, scene);
        aim(scene, block);
        break;
    case ON_HEAPS_LIST:
    case ON_HEAPS_STACK:
        stage_in_heap(scene, lies, block);
        break;
    case CORNERSTONE:
        stage_cornerstone(scene);
        break;
    }
    forge(scene);
}

#define FREE_WORD(name, lies, block)                                                                                   \
    { name, FORM_SMALL_LINK, 8, false, NEVER, false, stage, lies, block, 0, 0 }

static const struct word WORDS[] = {
    FREE_WORD("free block, first on the list", ON_LIST, 6),
    FREE_WORD("free block, on the list", ON_LIST, 4),
    FREE_WORD("free block, on the list in front of unused ones", ON_LIST, 2),
    FREE_WORD("block that was never used", ON_LIST, NEVER_USED),
    FREE_WORD("free block, first on a usable pool's list", ON_USABLE_LIST, 6),
    FREE_WORD("free block, last on a usable pool's list", ON_USABLE_LIST, 2),
    FREE_WORD("free block, top of the remote stack", ON_REMOTE_STACK, 6),
    FREE_WORD("free block, on the remote stack", ON_REMOTE_STACK, 4),
    FREE_WORD("free block, bottom of the remote stack", ON_REMOTE_STACK, 2),
    FREE_WORD("free block, top of the remote stack, list used up", ON_REMOTE_STACK_ALONE, 6),
    FREE_WORD("free block, bottom of the remote stack, list used up", ON_REMOTE_STACK_ALONE, 2),
    FREE_WORD("free block, first on the list of a pool left behind", ON_NOBODYS_LIST, 6),
    FREE_WORD("free block, on the list of a pool left behind", ON_NOBODYS_LIST, 4),
    FREE_WORD("free block, first on a heap's list", ON_HEAPS_LIST, 4),
    FREE_WORD("free block, last on a heap's list", ON_HEAPS_LIST, 2),
    FREE_WORD("free block, top of a heap's remote stack", ON_HEAPS_STACK, 6),
    FREE_WORD("free block, bottom of a heap's remote stack", ON_HEAPS_STACK, 2),
    {"live block's first word", FORM_PLAIN, 8, true, NEVER, false, stage, LIVE, 4, 0, 0},
    {"cornerstone", FORM_SMALL_LINK, 8, false, NEVER, false, stage, CORNERSTONE, 0, 0, 0},
};

/* The smallest class, where an offset changed by 16 may be another block's, and one that is no power of two. */
static const size_t SIZES[] = {16, 96};

int main(int argc, char **argv) {
    static const struct word_table TABLE = {"small words", WORDS, COUNT_OF(WORDS), SIZES, COUNT_OF(SIZES)};
    return attack_words(&TABLE, argc, argv);
}
