// SPDX-License-Identifier: MIT
/* first_class.c: heaps of the program's own: which pools they have, and that destroying one leaves nothing. */
#include "unit/heap/figures.h"

#include "direct/direct.h"
#include "region/metadata.h"
#include "support/pattern.h"
#include "support/watchdog.h"
#include "unit/support/threads.h"

static dam_heap *heap;
static struct pool_counts before;

static int start(void **state) {
    (void)state;
    dam_trim();
    before = count_pools();
    heap = dam_heap_create();
    return heap == NULL ? -1 : 0;
}

static int end(void **state) {
    (void)state;
    assert_int_equal(dam_verify_all(), 0);
    dam_heap_destroy(heap);
    dam_trim();
    struct pool_counts after = count_pools();
    ASSERT_SAME_COUNTS(after, before);
    return 0;
}

static struct heap *as_heap(void) {
    return (struct heap *)heap;
}

static void *alloc(size_t size) {
    void *block = dam_heap_malloc(heap, size);
    assert_non_null(block);
    return block;
}

static bool belongs(const void *block) { /* H1 */
    const struct pool *pool = pool_of(block);
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        return pool->small_owner == as_heap() && as_heap()->small.keeps_pools;
    case LAYER_GENERAL:
        return pool->general_owner == as_heap() && as_heap()->general.keeps_pools;
    case LAYER_DIRECT:
        return dam_direct_heap(pool) == as_heap();
    case LAYER_NONE:
        break;
    }
    return false;
}

TEST(every_block_belongs_to_a_pool_of_its_heap) { /* H1 */
    for (size_t size = 0; size < 4 * MIB; size += 1 + size / 3) {
        char *block = alloc(size);
        assert_true(belongs(block));
        memset(block, 0x55, size);
        void *aligned = dam_heap_aligned_alloc(heap, 4096, size);
        assert_true(belongs(aligned));
        assert_true(is_aligned(aligned, 4096));
    }
}

TEST(destroying_a_heap_with_blocks_of_every_kind_leaves_no_pool) {
    for (int i = 0; i < 3000; i++) {
        alloc(100);
        alloc(256);
        alloc(1000);
        if (i % 100 == 0)
            alloc(100000);
        if (i % 500 == 0)
            alloc(3 * MIB);
    }
    assert_true(pools_of(LAYER_SMALL) > before.small + 10);
    assert_true(pools_of(LAYER_GENERAL) > before.general + 3);
    assert_int_equal(pools_of(LAYER_DIRECT), before.direct + 36);
} /* end() destroys and counts */

TEST(a_heap_that_only_grows_has_no_more_small_pools_than_its_blocks_fill) {
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        size_t pools = pools_of(LAYER_SMALL);
        size_t per_pool = dam_small_classes.of[class_index].block_count - 1;
        for (size_t i = 0; i < 12 * per_pool; i++)
            alloc(dam_small_classes.of[class_index].block_bytes);
        assert_int_equal(pools_of(LAYER_SMALL), pools + 12);
    }
}

static void *free_it(void *block) {
    dam_free(block);
    return NULL;
}

TEST(its_full_pools_stay_its_own_and_what_others_free_there_comes_back_to_it) { /* S5 */
    void *blocks[3 * BLOCKS_OF_256];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = alloc(256);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        assert_true(belongs(blocks[i]));
    size_t pools = pools_of(LAYER_SMALL);
    for (size_t i = 0; i < COUNT_OF(blocks); i += 2)
        thread_join(thread_start(free_it, blocks[i]));
    assert_int_equal(pools_of(LAYER_SMALL), pools);
    for (size_t i = 0; i < COUNT_OF(blocks); i += 2)
        assert_true(belongs(alloc(256)));
    assert_int_equal(pools_of(LAYER_SMALL), pools);
}

TEST(threads_get_nothing_from_its_partly_used_pools_nor_it_from_theirs) {
    void *of_heap = alloc(256);
    void *general_of_heap = alloc(5000);
    void *of_thread = must_malloc(256);
    void *general_of_thread = must_malloc(5000);
    assert_ptr_not_equal(pool_of(of_thread), pool_of(of_heap));
    assert_ptr_not_equal(pool_of(general_of_thread), pool_of(general_of_heap));
    dam_free(of_thread);
    dam_free(general_of_thread);
}

static void *leave_one_block(void *argument) {
    *(void **)argument = must_malloc(256);
    return NULL;
}

TEST(it_claims_no_pool_that_a_thread_left_behind) {
    void *left = NULL;
    thread_join(thread_start(leave_one_block, &left));
    struct pool *pool = pool_of(left);
    assert_true(is_nobodys(pool));
    const void *block = alloc(256);
    assert_ptr_not_equal(pool_of(block), pool);
    assert_true(is_nobodys(pool));
    dam_free(left);
}

/* ---- Direct blocks ----------------------------------------------------------------------------------------------- */

static size_t direct_count(void) {
    size_t count = 0;
    const struct list *head = &as_heap()->direct_pools;
    for (const struct list *link = head->next; link != head; link = link->next)
        count++;
    return count;
}

TEST(a_direct_block_is_listed_until_it_is_freed) {
    void *blocks[5];
    for (size_t i = 0; i < 5; i++)
        blocks[i] = alloc(200000);
    assert_int_equal(direct_count(), 5);
    dam_free(blocks[2]);
    thread_join(thread_start(free_it, blocks[4]));
    assert_int_equal(direct_count(), 3);
    assert_int_equal(pools_of(LAYER_DIRECT), before.direct + 3);
}

TEST(a_direct_block_that_moves_by_dam_realloc_leaves_the_heap_and_by_dam_heap_realloc_stays) {
    char *block = alloc(2 * MIB);
    pattern_fill(block, 2 * MIB, pattern_key(12, 0));
    char *stays = dam_heap_realloc(heap, block, 40 * MIB);
    assert_non_null(stays);
    assert_true(belongs(stays));
    assert_int_equal(direct_count(), 1);
    assert_true(pattern_holds(stays, 2 * MIB, pattern_key(12, 0)));
    char *moved = dam_realloc(stays, 500 * MIB);
    assert_non_null(moved);
    assert_true(pattern_holds(moved, 2 * MIB, pattern_key(12, 0)));
    if (moved == stays) { /* it grew where it was: then it is the heap's still */
        assert_true(belongs(moved));
        return;
    }
    assert_false(belongs(moved));
    assert_int_equal(direct_count(), 0);
    dam_free(moved);
}

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

TEST(a_general_block_is_resized_in_place_by_its_own_heap_alone) {
    char *block = alloc(3000);
    struct pool *pool = pool_of(block);
    pattern_fill(block, 3000, pattern_key(12, 1));
    assert_true(dam_first_class_resize(as_heap(), pool, block, 9000));
    assert_int_equal(dam_malloc_usable_size(block), 9000);
    dam_heap *other = dam_heap_create();
    assert_non_null(other);
    assert_false(dam_first_class_resize((struct heap *)other, pool, block, 5000));
    assert_int_equal(dam_malloc_usable_size(block), 9000);
    assert_true(pattern_holds(block, 3000, pattern_key(12, 1)));
    dam_heap_destroy(other);
}

TEST(by_dam_realloc_a_block_moves_to_the_calling_threads_heap) {
    static const size_t SIZES[] = {50, 3000};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        char *block = alloc(SIZES[i]);
        pattern_fill(block, SIZES[i], pattern_key(12, 2));
        char *moved = dam_realloc(block, SIZES[i] * 3);
        assert_non_null(moved);
        assert_ptr_not_equal(moved, block);
        assert_true(is_of_thread(pool_of(moved)));
        assert_true(pattern_holds(moved, SIZES[i], pattern_key(12, 2)));
        dam_free(moved);
    }
}

/* ---- Many -------------------------------------------------------------------------------------------------------- */

TEST(heaps_made_and_destroyed_over_and_over_need_no_more_structures) {
    size_t metadata = 0;
    for (int i = 0; i < 500; i++) {
        dam_heap *heaps[4];
        for (size_t j = 0; j < 4; j++) {
            heaps[j] = dam_heap_create();
            assert_non_null(heaps[j]);
            assert_non_null(opaque_pointer(dam_heap_malloc(heaps[j], 100)));
            assert_non_null(opaque_pointer(dam_heap_malloc(heaps[j], 1000)));
            assert_non_null(opaque_pointer(dam_heap_malloc(heaps[j], 100000)));
        }
        for (size_t j = 0; j < 4; j++)
            dam_heap_destroy(heaps[(j + (size_t)i) % 4]);
        metadata = i == 0 ? dam_metadata_mapped_bytes() : metadata;
    }
    assert_int_equal(dam_metadata_mapped_bytes(), metadata);
}

#define THREAD_COUNT 4

struct visitor {
    uint64_t number;
    void *kept[200];
};

static void *use_the_heap(void *argument) {
    struct visitor *visitor = argument;
    for (size_t i = 0; i < 20000; i++) {
        size_t slot = (i * 7 + visitor->number) % COUNT_OF(visitor->kept);
        size_t size = 16 + (i * 37 + visitor->number * 1001) % 2000;
        if (visitor->kept[slot] != NULL) {
            CHECK(*(uint64_t *)visitor->kept[slot] == (visitor->number << 32 | slot));
            dam_free(visitor->kept[slot]);
        }
        visitor->kept[slot] = dam_heap_malloc(heap, size);
        CHECK(visitor->kept[slot] != NULL);
        *(uint64_t *)visitor->kept[slot] = visitor->number << 32 | slot;
    }
    return NULL;
}

TEST(threads_that_share_a_heap_never_share_a_block) {
    static struct visitor visitors[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        visitors[i] = (struct visitor){.number = i + 1};
        threads[i] = thread_start(use_the_heap, &visitors[i]);
    }
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        for (size_t j = 0; j < COUNT_OF(visitors[i].kept); j++) {
            assert_true(belongs(visitors[i].kept[j]));
            assert_int_equal(*(uint64_t *)visitors[i].kept[j], (i + 1) << 32 | j);
        }
    }
}

int main(void) {
#define WITH_HEAP(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_HEAP(every_block_belongs_to_a_pool_of_its_heap),
        WITH_HEAP(destroying_a_heap_with_blocks_of_every_kind_leaves_no_pool),
        WITH_HEAP(a_heap_that_only_grows_has_no_more_small_pools_than_its_blocks_fill),
        WITH_HEAP(its_full_pools_stay_its_own_and_what_others_free_there_comes_back_to_it),
        WITH_HEAP(threads_get_nothing_from_its_partly_used_pools_nor_it_from_theirs),
        WITH_HEAP(it_claims_no_pool_that_a_thread_left_behind),
        WITH_HEAP(a_direct_block_is_listed_until_it_is_freed),
        WITH_HEAP(a_direct_block_that_moves_by_dam_realloc_leaves_the_heap_and_by_dam_heap_realloc_stays),
        WITH_HEAP(a_general_block_is_resized_in_place_by_its_own_heap_alone),
        WITH_HEAP(by_dam_realloc_a_block_moves_to_the_calling_threads_heap),
        WITH_HEAP(heaps_made_and_destroyed_over_and_over_need_no_more_structures),
        WITH_HEAP(threads_that_share_a_heap_never_share_a_block),
    };
    watchdog_start("unit.heap.first_class");
    return cmocka_run_group_tests(tests, start_with_a_pool, end_sound);
}
