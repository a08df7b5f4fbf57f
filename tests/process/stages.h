// SPDX-License-Identifier: MIT
/* stages.h: allocation at a stage of the process's life when little of it is there yet.
 *
 * Each stage calls stage_use(): it allocates in every layer, resizes and releases some, and leaves the rest for later
 * stages to check, resize and release. Nothing here needs a constructor, stdio or the thread's own variables. */
#ifndef DAM_TESTS_PROCESS_STAGES_H
#define DAM_TESTS_PROCESS_STAGES_H

#include "support/layers.h"
#include "support/pattern.h"
#include "support/test.h"

#define STAGE_BLOCK_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

struct stage {
    int uses; /* how often stage_use was called */
    unsigned char *blocks[STAGE_BLOCK_COUNT];
};

static inline void stage_check(const struct stage *stage, uint64_t id) {
    for (size_t i = 0; i < STAGE_BLOCK_COUNT; i++) {
        if (stage->blocks[i] != NULL)
            CHECK(pattern_holds(stage->blocks[i], SIZES_OF_EVERY_LAYER[i], pattern_key(id, i)));
    }
}

static inline void stage_release(struct stage *stage, uint64_t id) {
    stage_check(stage, id);
    for (size_t i = 0; i < STAGE_BLOCK_COUNT; i++) {
        free(stage->blocks[i]);
        stage->blocks[i] = NULL;
    }
}

static inline void stage_use(struct stage *stage, uint64_t id) {
    stage_release(stage, id);
    for (size_t i = 0; i < STAGE_BLOCK_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *passing = malloc(size);
        unsigned char *zeroed = calloc(1, size);
        unsigned char *resized = realloc(malloc(size / 2 + 1), size);
        CHECK(passing != NULL && zeroed != NULL && resized != NULL);
        CHECK(all_bytes_are(zeroed, size, 0));
        pattern_fill(resized, size, pattern_key(id, i));
        memset(passing, 0xFF, size);
        free(passing);
        free(zeroed);
        stage->blocks[i] = resized;
    }
    stage->uses++;
}

#endif
