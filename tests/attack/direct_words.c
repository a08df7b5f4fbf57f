// SPDX-License-Identifier: MIT
/* direct_words.c: the one word that a direct block has in the program's memory, the canary right behind the request.
 * All else that DAM knows of it is in its descriptor, which lies in a mapping of its own, apart from every block
 * (region/metadata.h); so are all structures of DAM's that are not in the tables of the other two layers. */
#include "attack/attack.h"

#include "attack/ground.h"
#include "pool/pool_map.h"

enum owner { THREAD, HEAP };

/* The pool that is there when the block is given out is not the one of the old canary: it has another key. */
static void live_through(struct scene *scene) {
    scene_note(scene);
    ground_free(scene->block);
    char *again = scene_malloc(scene, scene->size);
    SCENE_CHECK(again == scene->block);
}

static void stage(struct scene *scene, size_t variant, size_t block, size_t spot) {
    (void)block, (void)spot;
    if (variant == HEAP) {
        scene->heap = dam_heap_create();
        SCENE_CHECK(scene->heap != NULL);
    }
    scene->in_front = scene_malloc(scene, scene->size);
    scene->block = scene_malloc(scene, scene->size);
    scene->behind = scene_malloc(scene, scene->size);
    scene->place = scene->block + scene->size;
    scene->same_of_neighbour = scene->behind + scene->size;
    live_through(scene);
    scene->pool = pool_of(scene->block);
    scene->pool_start = pool_start(scene->pool);
    scene->pool_end = scene->pool_start + scene->pool->bytes;
}

static const struct word WORDS[] = {
    {"canary, in slices of a region", FORM_PLAIN, 8, true, WHEN_FREED, false, stage, THREAD, 0, 0, 70000},
    {"canary, in a mapping of its own", FORM_PLAIN, 8, true, WHEN_FREED, false, stage, THREAD, 0, 0, 1100000},
    {"canary, in a first-class heap", FORM_PLAIN, 8, true, WHEN_FREED, false, stage, HEAP, 0, 0, 70000},
};

int main(int argc, char **argv) {
    static const struct word_table TABLE = {"direct words", WORDS, COUNT_OF(WORDS), NULL, 0};
    return attack_words(&TABLE, argc, argv);
}
