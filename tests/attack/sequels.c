// SPDX-License-Identifier: MIT
/* sequels.c: what the program does after a word was overwritten. None of it is misuse, but freeing the word's own block
 * where that is free already. */
#include "attack/attack.h"

#include "attack/ground.h"
#include "base/config.h"

/* More than one pool of either layer holds, with what surrounds it. */
#define USE_UP_BYTES_SMALL ((size_t)72 * KIB)
#define USE_UP_BYTES_GENERAL ((size_t)320 * KIB)

static const size_t SIZES_SMALL[] = {16, 32, 48, 80, 128, 192, 256};
static const size_t SIZES_GENERAL[] = {300, 520, 1500, 2040, 4000, 9000, 30000, 65000};

static bool is_small(const struct scene *scene) {
    return scene->size <= SMALL_SIZE_MAX;
}

/* Some more of the same, looking at everything after the first: what was harmed must not be hidden by a later report.
 */
static void allocate(struct scene *scene, int count) {
    ground_check_all();
    for (int i = 0; i < count; i++) {
        scene_malloc(scene, scene->size);
        if (i == 0)
            ground_check_all();
    }
}

/* ---- Freeing ----------------------------------------------------------------------------------------------------- */

static void free_block(void *block) {
    if (ground_stands(block))
        ground_free(block);
    else
        dam_free(block);
}

static void free_it(struct scene *scene, struct random *random) {
    (void)random;
    free_block(scene->block);
    allocate(scene, 4);
}

static void *free_block_body(void *block) {
    free_block(block);
    return NULL;
}

static void free_it_elsewhere(struct scene *scene, struct random *random) {
    (void)random;
    elsewhere(free_block_body, scene->block);
    allocate(scene, 4);
}

static void free_neighbours(struct scene *scene, struct random *random) {
    (void)random;
    if (ground_stands(scene->in_front))
        ground_free(scene->in_front);
    if (ground_stands(scene->behind))
        ground_free(scene->behind);
    allocate(scene, 4);
}

static void free_neighbours_elsewhere(struct scene *scene, struct random *random) {
    (void)random;
    if (ground_stands(scene->in_front))
        free_elsewhere(scene->in_front);
    if (ground_stands(scene->behind))
        free_elsewhere(scene->behind);
    for (int i = 0; i < 4; i++)
        scene_malloc(scene, scene->size + scene->size / 2);
    allocate(scene, 4);
}

static void use_up_others(struct scene *scene, struct random *random) {
    (void)random;
    for (size_t i = 0; i < COUNT_OF(SIZES_SMALL); i++) {
        for (int j = 0; j < 16; j++)
            scene_malloc(scene, SIZES_SMALL[i]);
    }
    for (size_t used = 0; used < USE_UP_BYTES_GENERAL;) {
        for (size_t i = 0; i < COUNT_OF(SIZES_GENERAL); i++) {
            scene_malloc(scene, SIZES_GENERAL[i]);
            used += SIZES_GENERAL[i];
        }
    }
}

static void free_unless_first(void *block, void *context) {
    void **kept = context;
    if (*kept == NULL)
        *kept = block;
    else if (block != *kept)
        ground_free(block);
}

/* A pool whose count of live blocks was wrong by one would be given back with a live block in it. */
static void free_all_but_one(struct scene *scene, struct random *random) {
    void *kept = NULL;
    ground_visit(scene->pool_start, scene->pool_end, free_unless_first, &kept);
    use_up_others(scene, random);
}

static void free_it_and_all_but_one(struct scene *scene, struct random *random) {
    free_block(scene->block);
    free_all_but_one(scene, random);
}

static void free_it_elsewhere_and_all_but_one(struct scene *scene, struct random *random) {
    elsewhere(free_block_body, scene->block);
    free_all_but_one(scene, random);
}

/* ---- Allocating -------------------------------------------------------------------------------------------------- */

static void allocate_some(struct scene *scene, struct random *random) {
    (void)random;
    allocate(scene, 3);
}

static void use_up_its_class(struct scene *scene, struct random *random) {
    (void)random;
    size_t bytes = is_small(scene) ? USE_UP_BYTES_SMALL : USE_UP_BYTES_GENERAL;
    for (size_t used = 0; used < bytes; used += scene->size)
        scene_malloc(scene, scene->size);
}

static void allocate_aligned(struct scene *scene, struct random *random) {
    (void)random;
    for (int i = 0; i < 8; i++) {
        ground_aligned_alloc(64, scene->size);
        ground_aligned_alloc(512, scene->size * 2);
        ground_aligned_alloc(4096, 3000);
    }
}

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

static void resize(void *block, size_t size) {
    if (ground_stands(block))
        ground_realloc(block, size);
}

static void grow(struct scene *scene, struct random *random) {
    (void)random;
    resize(scene->in_front, scene->size * 2);
    resize(scene->block, scene->size * 3);
    resize(scene->behind, scene->size * 2);
    allocate(scene, 4);
}

static void shrink(struct scene *scene, struct random *random) {
    (void)random;
    resize(scene->in_front, scene->size / 3);
    resize(scene->block, scene->size / 2);
    resize(scene->behind, scene->size / 3);
    allocate(scene, 4);
}

static void ask_and_free(struct scene *scene, struct random *random) {
    (void)random;
    (void)opaque_size(dam_malloc_usable_size(scene->block));
    (void)dam_expand(scene->block, scene->size);
    free_block(scene->block);
}

/* ---- The heap as a whole ----------------------------------------------------------------------------------------- */

static void end_thread(struct scene *scene, struct random *random) {
    (void)scene, (void)random; /* it ends anyway, and here nothing comes before that */
}

static void trim(struct scene *scene, struct random *random) {
    dam_trim();
    use_up_its_class(scene, random);
}

static void destroy_heap(struct scene *scene, struct random *random) {
    if (scene->heap == NULL)
        sequel_not_applicable();
    ground_heap_destroy(scene->heap);
    scene->heap = NULL;
    use_up_others(scene, random);
}

static size_t any_size(struct scene *scene, struct random *random) {
    if (random_below(random, 2) == 0)
        return scene->size;
    return 1 + random_below(random, random_below(random, 4) == 0 ? 70000 : 2000);
}

static void anything(struct scene *scene, struct random *random) {
    for (int i = 0; i < 80; i++) {
        void *block = ground_pick((size_t)random_next(random));
        switch (random_below(random, 8)) {
        case 0:
        case 1:
        case 2:
            scene_malloc(scene, any_size(scene, random));
            break;
        case 3:
        case 4:
            if (block != NULL)
                ground_free(block);
            break;
        case 5:
            if (block != NULL)
                ground_realloc(block, any_size(scene, random));
            break;
        case 6:
            if (block != NULL && random_below(random, 4) == 0)
                free_elsewhere(block);
            break;
        default:
            if (random_below(random, 8) == 0)
                dam_trim();
        }
    }
}

static const struct sequel SEQUELS[] = {
    {"free it", free_it, true},
    {"another thread frees it", free_it_elsewhere, true},
    {"free it and all but one of its pool", free_it_and_all_but_one, true},
    {"another thread frees it, then all but one of its pool", free_it_elsewhere_and_all_but_one, true},
    {"ask for its size and free it", ask_and_free, true},
    {"free its neighbours", free_neighbours, false},
    {"another thread frees its neighbours", free_neighbours_elsewhere, false},
    {"free all but one of its pool", free_all_but_one, false},
    {"allocate some of its size", allocate_some, false},
    {"use up its class", use_up_its_class, false},
    {"use up other classes", use_up_others, false},
    {"allocate aligned", allocate_aligned, false},
    {"grow it and its neighbours", grow, false},
    {"shrink it and its neighbours", shrink, false},
    {"end the thread", end_thread, false},
    {"trim, use up its class", trim, false},
    {"destroy its heap", destroy_heap, false},
    {"anything", anything, false},
};

struct sequels attack_sequels(void) {
    return (struct sequels){SEQUELS, COUNT_OF(SEQUELS)};
}
