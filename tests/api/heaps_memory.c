// SPDX-License-Identifier: MIT
/* heaps_memory.c: a destroyed heap leaves nothing behind: neither memory nor addresses grow with the number of heaps
 * that came and went. */
#include "dam/dam.h"
#include "support/heap_check.h"
#include "support/layers.h"
#include "support/memory_use.h"
#include "support/test.h"

#include <pthread.h>

#define SIZE_COUNT COUNT_OF(SIZES_OF_EVERY_LAYER)

/* What measurement noise and stocks kept for reuse may add once the first rounds are over. */
#define GROWTH_MAX (48 * MIB)

struct usage {
    size_t resident;
    size_t mapped;
};

static struct usage usage_now(void) {
    struct usage usage = {memory_resident_bytes(), memory_mapped_bytes()};
    return usage;
}

static void assert_no_growth_since(struct usage before) {
    struct usage now = usage_now();
    assert_true(now.resident < before.resident + GROWTH_MAX);
    assert_true(now.mapped < before.mapped + 10 * GROWTH_MAX);
}

static void allocate_touched(dam_heap *heap, size_t size, size_t total) {
    for (size_t done = 0; done < total; done += size) {
        unsigned char *block = dam_heap_malloc(heap, size);
        assert_non_null(block);
        memset(block, 0x6B, size);
    }
}

/* 256 MiB go through each size, 16 MiB at a time. */
TEST(destroying_a_heap_frees_all_its_blocks_in_every_layer) {
    for (size_t i = 0; i < SIZE_COUNT; i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        if (size < 64)
            continue;
        struct usage before = {0, 0};
        for (int round = 0; round < 16; round++) {
            dam_heap *heap = dam_heap_create();
            assert_non_null(heap);
            allocate_touched(heap, size, 16 * MIB);
            dam_heap_destroy(heap);
            if (round == 3)
                before = usage_now();
        }
        assert_no_growth_since(before);
    }
}

/* ---- Heaps whose blocks others have released in part ---------------------------------------------------------------
 */

struct sharing {
    unsigned char **blocks;
    size_t count;
};

/* One block in a hundred: something of nearly every pool. */
static void *free_some(void *argument) {
    const struct sharing *sharing = argument;
    for (size_t i = 0; i < sharing->count; i += 100)
        dam_free(sharing->blocks[i]);
    return NULL;
}

/* Whoever releases a block of a full pool may become the pool's owner; it must stay the heap's all the same. */
TEST(destroying_a_heap_frees_the_pools_that_another_thread_has_released_a_block_of) {
    enum { COUNT_MAX = 16 * 1024 * 1024 / 64 };
    static unsigned char *blocks[COUNT_MAX];
    static const size_t SIZES[] = {64, 200, 1000, 20000};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct usage before = {0, 0};
        struct sharing sharing = {blocks, 16 * MIB / SIZES[i]};
        for (int round = 0; round < 16; round++) {
            dam_heap *heap = dam_heap_create();
            assert_non_null(heap);
            for (size_t j = 0; j < sharing.count; j++) {
                blocks[j] = dam_heap_malloc(heap, SIZES[i]);
                assert_non_null(blocks[j]);
                memset(blocks[j], 0x6C, SIZES[i]);
            }
            pthread_t thread;
            assert_int_equal(pthread_create(&thread, NULL, free_some, &sharing), 0);
            assert_int_equal(pthread_join(thread, NULL), 0);
            (void)free_some(&(struct sharing){blocks + 1, sharing.count - 1});
            dam_heap_destroy(heap);
            if (round == 3)
                before = usage_now();
        }
        assert_no_growth_since(before);
    }
}

/* ---- Many heaps ---------------------------------------------------------------------------------------------------
 */

TEST(thousands_of_empty_heaps_come_and_go_without_growth) {
    struct usage before = {0, 0};
    for (int round = 0; round < 20000; round++) {
        dam_heap *heap = dam_heap_create();
        assert_non_null(heap);
        dam_heap_destroy(heap);
        if (round == 1000)
            before = usage_now();
    }
    assert_no_growth_since(before);
}

TEST(thousands_of_heaps_with_a_block_of_every_layer_come_and_go_without_growth) {
    static const size_t SIZES[] = {24, 200, 700, 20000, 70000, 300000};
    struct usage before = {0, 0};
    for (int round = 0; round < 5000; round++) {
        dam_heap *heap = dam_heap_create();
        assert_non_null(heap);
        for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
            unsigned char *block = dam_heap_malloc(heap, SIZES[i]);
            assert_non_null(block);
            block[0] = block[SIZES[i] - 1] = 1;
            if ((size_t)round % COUNT_OF(SIZES) == i)
                dam_free(block);
        }
        dam_heap_destroy(heap);
        if (round == 500)
            before = usage_now();
    }
    assert_no_growth_since(before);
}

TEST(a_thousand_heaps_may_live_at_once) {
    enum { HEAP_COUNT = 1000 };
    static dam_heap *heaps[HEAP_COUNT];
    static unsigned char *blocks[HEAP_COUNT];
    struct usage before = {0, 0};
    for (int round = 0; round < 6; round++) {
        for (size_t i = 0; i < HEAP_COUNT; i++) {
            heaps[i] = dam_heap_create();
            assert_non_null(heaps[i]);
            blocks[i] = dam_heap_malloc(heaps[i], 100);
            assert_non_null(blocks[i]);
            memset(blocks[i], (int)(i % 251), 100);
        }
        for (size_t i = 0; i < HEAP_COUNT; i++) {
            size_t which = (i * 7) % HEAP_COUNT;
            assert_true(all_bytes_are(blocks[which], 100, (unsigned char)(which % 251)));
            dam_heap_destroy(heaps[which]);
        }
        if (round == 1)
            before = usage_now();
    }
    assert_no_growth_since(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destroying_a_heap_frees_all_its_blocks_in_every_layer),
        cmocka_unit_test(destroying_a_heap_frees_the_pools_that_another_thread_has_released_a_block_of),
        cmocka_unit_test(thousands_of_empty_heaps_come_and_go_without_growth),
        cmocka_unit_test(thousands_of_heaps_with_a_block_of_every_layer_come_and_go_without_growth),
        cmocka_unit_test(a_thousand_heaps_may_live_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, heap_is_sound);
}
