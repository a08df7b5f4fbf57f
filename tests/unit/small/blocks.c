// SPDX-License-Identifier: MIT
/* blocks.c: giving out and taking back the blocks of one small pool: which block, what is in it, which pages are touched. */
#include "unit/small/small_layer.h"

#include "os/os.h"
#include "support/random.h"

#include <sys/mman.h>
#include <sys/prctl.h>

static struct small_heap heap;

static int start(void **state) {
    (void)state;
    return layer_start(&heap);
}

static int end(void **state) {
    (void)state;
    assert_sound(&heap);
    layer_end(&heap);
    assert_int_equal(pool_count(), 0);
    return 0;
}

static uint64_t first_word(const void *block) {
    return *(const uint64_t *)block;
}

/* ---- Which block ------------------------------------------------------------------------------------------------- */

TEST(every_size_gets_a_block_of_its_class_that_is_not_the_cornerstone) {
    for (size_t size = 0; size <= SMALL_SIZE_MAX; size++) {
        void *block = layer_alloc(&heap, size);
        struct pool *pool = pool_of(block);
        assert_int_equal(pool_layer(pool), LAYER_SMALL);
        assert_int_equal(pool->class_index, small_class_index(size));
        assert_true(pool->block_bytes >= size);
        uint64_t index = small_block_index(pool, block);
        assert_in_range(index, 1, pool->carved - 1);
        assert_ptr_equal(current_of(&heap, pool->class_index), pool);
    }
}

TEST(fresh_blocks_of_a_pool_come_in_order_of_address_and_each_once) {
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        size_t size = size_of_class(class_index);
        const char *last = NULL;
        for (uint32_t i = 0; i < blocks_per_pool(class_index); i++) {
            char *block = layer_alloc(&heap, size);
            if (last == NULL)
                last = pool_start(pool_of(block)); /* the cornerstone, where the first block would be */
            assert_ptr_equal(block, last + size);
            memset(block, 0xEB, size);
            last = block;
        }
        struct pool *pool = pool_of(last);
        assert_true(dam_small_is_full(pool));
        assert_int_equal(live_of(pool), blocks_per_pool(class_index));
        assert_true((uintptr_t)last + 2 * size > pool->start + SLICE_BYTES); /* no room is left at the end */
        const void *next = layer_alloc(&heap, size);
        assert_ptr_not_equal(pool_of(next), pool);
    }
}

TEST(the_block_freed_last_is_given_out_first) {
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        enum { COUNT = 40 };
        void *blocks[COUNT];
        for (size_t i = 0; i < COUNT; i++)
            blocks[i] = layer_alloc(&heap, size_of_class(class_index));
        static const size_t FREED[] = {3, 17, 0, 39, 20, 21};
        for (size_t i = 0; i < COUNT_OF(FREED); i++)
            layer_free(&heap, blocks[FREED[i]]);
        for (size_t i = COUNT_OF(FREED); i-- > 0;)
            assert_ptr_equal(layer_alloc(&heap, size_of_class(class_index)), blocks[FREED[i]]);
    }
}

TEST(freed_blocks_are_used_before_fresh_ones_are_carved) {
    void *first = layer_alloc(&heap, 256);
    struct pool *pool = pool_of(first);
    while (pool->free_head != SMALL_LIST_END)
        layer_alloc(&heap, 256);
    uint64_t carved = pool->carved;
    layer_free(&heap, first);
    assert_ptr_equal(layer_alloc(&heap, 256), first);
    assert_int_equal(pool->carved, carved);
    const void *fresh = layer_alloc(&heap, 256);
    assert_int_equal(small_block_index(pool, fresh), carved);
    assert_true(pool->carved > carved);
}

/* ---- What is in it ----------------------------------------------------------------------------------------------- */

TEST(a_free_block_bears_its_tag_and_a_live_one_does_not) { /* S1 */
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        size_t size = size_of_class(class_index);
        void *lower = layer_alloc(&heap, size);
        void *upper = layer_alloc(&heap, size);
        struct pool *pool = pool_of(lower);
        assert_int_equal(first_word(lower), 0);
        assert_true(small_is_live(pool, lower));
        uint32_t rest = pool->free_head;
        layer_free(&heap, upper);
        assert_int_equal(first_word(upper), small_tag(pool, upper) ^ rest);
        layer_free(&heap, lower);
        assert_int_equal(first_word(lower), small_tag(pool, lower) ^ (uint64_t)pool_offset(pool, upper));
        assert_int_equal(small_next_if_free(pool, lower), pool_offset(pool, upper));
        assert_false(small_is_live(pool, lower));
        assert_ptr_equal(layer_alloc(&heap, size), lower);
        assert_int_equal(first_word(lower), 0);
    }
}

TEST(only_the_first_word_of_a_block_is_ever_written) {
    unsigned char *block = layer_alloc(&heap, 128);
    memset(block, 0xC7, 128);
    layer_free(&heap, block);
    assert_true(all_bytes_are(block + 8, 120, 0xC7));
    assert_ptr_equal(layer_alloc(&heap, 128), block);
    assert_true(all_bytes_are(block + 8, 120, 0xC7));
    assert_int_equal(first_word(block), 0);
}

TEST(the_cornerstone_bears_its_tag_with_an_offset_at_which_no_block_starts) {
    struct pool *pool = pool_of(layer_alloc(&heap, 48));
    const void *cornerstone = pool_start(pool);
    assert_int_equal(small_next_if_free(pool, cornerstone), SMALL_CORNERSTONE_NEXT);
    assert_int_equal(small_block_index(pool, cornerstone), 0);
    assert_false(small_is_live(pool, cornerstone));
}

TEST(a_tag_of_one_pool_is_none_in_its_next_life) {
    void *keeps_current = layer_alloc(&heap, 64);
    const void *block = keeps_current;
    struct pool *pool = pool_of(block);
    uint64_t tag = small_tag(pool, block);
    uintptr_t start = pool->start;
    layer_end(&heap);
    dam_small_heap_init(&heap, name_of(&heap), false);
    pool = pool_of(layer_alloc(&heap, 64));
    assert_int_equal(pool->start, start); /* the same slice */
    assert_true(small_tag(pool, block) >> 16 != tag >> 16);
}

TEST(live_is_carved_without_cornerstone_and_free_blocks) { /* S3 */
    struct random random = random_start(test_seed("unit.small.blocks"), 0);
    static void *blocks[300];
    for (int i = 0; i < 20000; i++) {
        size_t slot = random_below(&random, COUNT_OF(blocks));
        if (blocks[slot] != NULL)
            layer_free(&heap, blocks[slot]);
        blocks[slot] = blocks[slot] == NULL ? layer_alloc(&heap, random_below(&random, SMALL_SIZE_MAX + 1)) : NULL;
        if (i % 500 == 0)
            assert_sound(&heap);
    }
}

/* ---- Which pages are touched ------------------------------------------------------------------------------------- */

static size_t resident_pages(const struct pool *pool) {
    unsigned char residency[SLICE_BYTES / 4096];
    size_t page = dam_os_page_bytes();
    assert_int_equal(mincore(pool_start(pool), SLICE_BYTES, residency), 0);
    size_t resident = 0;
    for (size_t i = 0; i < SLICE_BYTES / page; i++)
        resident += residency[i] & 1;
    return resident;
}

/* Blocks are not written to here, so a page is resident only if the layer itself has touched it. */
TEST(a_pool_is_touched_page_by_page_as_blocks_are_given_out) {
    size_t page = dam_os_page_bytes();
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        size_t size = size_of_class(class_index);
        const struct pool *pool = pool_of(layer_alloc(&heap, size));
        assert_int_equal(resident_pages(pool), 1);
        for (uint32_t i = 1; i < blocks_per_pool(class_index); i++) {
            const void *block = layer_alloc(&heap, size);
            size_t page_of_block = pool_offset(pool, block) / page;
            assert_int_equal(resident_pages(pool), page_of_block + 1);
        }
    }
}

TEST(only_whole_pages_worth_of_blocks_are_carved_at_a_time) {
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        size_t size = size_of_class(class_index);
        const struct pool *pool = pool_of(layer_alloc(&heap, size));
        for (uint32_t i = 1; i < blocks_per_pool(class_index); i++) {
            size_t page_of_block = pool_offset(pool, layer_alloc(&heap, size)) / 4096;
            size_t last_carved = (pool->carved - 1) * size;
            assert_int_equal(last_carved / 4096, page_of_block); /* none carved that starts on a later page ... */
            if (pool->carved <= blocks_per_pool(class_index))
                assert_int_equal((last_carved + size) / 4096, page_of_block + 1); /* ... and all that start on this one */
        }
    }
}

int main(void) {
#define WITH_HEAP(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        /* first, while every slice is untouched */
        WITH_HEAP(a_pool_is_touched_page_by_page_as_blocks_are_given_out),
        WITH_HEAP(only_whole_pages_worth_of_blocks_are_carved_at_a_time),
        WITH_HEAP(every_size_gets_a_block_of_its_class_that_is_not_the_cornerstone),
        WITH_HEAP(fresh_blocks_of_a_pool_come_in_order_of_address_and_each_once),
        WITH_HEAP(the_block_freed_last_is_given_out_first),
        WITH_HEAP(freed_blocks_are_used_before_fresh_ones_are_carved),
        WITH_HEAP(a_free_block_bears_its_tag_and_a_live_one_does_not),
        WITH_HEAP(only_the_first_word_of_a_block_is_ever_written),
        WITH_HEAP(the_cornerstone_bears_its_tag_with_an_offset_at_which_no_block_starts),
        WITH_HEAP(a_tag_of_one_pool_is_none_in_its_next_life),
        WITH_HEAP(live_is_carved_without_cornerstone_and_free_blocks),
    };
    /* A huge page would be resident as a whole at the first touch. */
    if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
        perror("PR_SET_THP_DISABLE");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
