// SPDX-License-Identifier: MIT
/* verifying.c: the small layer's verifier is content with sound pools, and finds each thing that can be broken in one. */
#include "unit/small/small_layer.h"

static struct small_heap heap;
static struct pool *pool;
static void *freed[3]; /* the free list begins with freed[2], freed[1], freed[0] */

static int start(void **state) {
    (void)state;
    layer_start(&heap);
    void *blocks[10];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = layer_alloc(&heap, 200);
    pool = pool_of(blocks[0]);
    for (size_t i = 0; i < COUNT_OF(freed); i++) {
        freed[i] = blocks[3 * i + 1];
        layer_free(&heap, freed[i]);
    }
    assert_int_equal(dam_small_verify_pool(pool), 0);
    return 0;
}

/* What was broken is mended by then. */
static int end(void **state) {
    (void)state;
    assert_int_equal(dam_small_verify_pool(pool), 0);
    layer_end(&heap);
    return 0;
}

#define ASSERT_FOUND(break_it, mend_it)                                                                                \
    do {                                                                                                               \
        break_it;                                                                                                      \
        assert_true(dam_small_verify_pool(pool) > 0);                                                                  \
        mend_it;                                                                                                       \
        assert_int_equal(dam_small_verify_pool(pool), 0);                                                              \
    } while (0)

static uint64_t *word_of(void *block) {
    return block;
}

TEST(a_damaged_tag_is_found_wherever_it_is_on_the_list) { /* S1 */
    for (size_t i = 0; i < COUNT_OF(freed); i++) {
        for (uint32_t bit = 16; bit < 64; bit += 5) {
            uint64_t flip = (uint64_t)1 << bit;
            ASSERT_FOUND(*word_of(freed[i]) ^= flip, *word_of(freed[i]) ^= flip);
        }
    }
}

TEST(a_link_that_leads_to_no_block_or_an_uncarved_one_is_found) { /* S2 */
    uint64_t good = *word_of(freed[2]);
    ASSERT_FOUND(*word_of(freed[2]) = small_tag(pool, freed[2]) ^ (pool_offset(pool, freed[1]) + 16),
                 *word_of(freed[2]) = good);
    ASSERT_FOUND(*word_of(freed[2]) = small_tag(pool, freed[2]) ^ (pool->carved * pool->block_bytes),
                 *word_of(freed[2]) = good);
}

TEST(a_list_that_leaves_blocks_out_is_found) { /* S3 */
    uint64_t good = *word_of(freed[2]);
    ASSERT_FOUND(*word_of(freed[2]) = small_tag(pool, freed[2]) ^ (uint64_t)pool_offset(pool, freed[0]),
                 *word_of(freed[2]) = good);
    uint32_t head = pool->free_head;
    ASSERT_FOUND(pool->free_head = SMALL_LIST_END, pool->free_head = head);
}

TEST(a_list_that_goes_round_in_circles_is_found) {
    uint64_t good = *word_of(freed[0]);
    ASSERT_FOUND(*word_of(freed[0]) = small_tag(pool, freed[0]) ^ (uint64_t)pool_offset(pool, freed[2]),
                 *word_of(freed[0]) = good);
}

TEST(wrong_counts_are_found) { /* S3 */
    ASSERT_FOUND(pool->live++, pool->live--);
    ASSERT_FOUND(pool->live--, pool->live++);
    ASSERT_FOUND(pool->carved++, pool->carved--);
    uint64_t carved = pool->carved;
    ASSERT_FOUND(pool->carved = 5000, pool->carved = carved);
}

TEST(pools_of_every_class_full_empty_and_between_are_sound) {
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        const struct pool *of_class = NULL;
        for (uint32_t i = 0; i < blocks_per_pool(class_index); i++) {
            void *block = layer_alloc(&heap, size_of_class(class_index));
            of_class = of_class == NULL ? pool_of(block) : of_class;
            if (i % 97 == 0)
                assert_int_equal(dam_small_verify_pool(of_class), 0);
        }
        assert_non_null(of_class);
        assert_int_equal(dam_small_verify_pool(of_class), 0);
    }
    struct pool *fresh = dam_small_create_pool(0);
    assert_non_null(fresh);
    assert_int_equal(dam_small_verify_pool(fresh), 0); /* nothing carved yet */
    dam_pool_own_new(fresh);
    dam_pool_retire(fresh);
}

int main(void) {
#define WITH_FREED_BLOCKS(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_FREED_BLOCKS(a_damaged_tag_is_found_wherever_it_is_on_the_list),
        WITH_FREED_BLOCKS(a_link_that_leads_to_no_block_or_an_uncarved_one_is_found),
        WITH_FREED_BLOCKS(a_list_that_leaves_blocks_out_is_found),
        WITH_FREED_BLOCKS(a_list_that_goes_round_in_circles_is_found),
        WITH_FREED_BLOCKS(wrong_counts_are_found),
        WITH_FREED_BLOCKS(pools_of_every_class_full_empty_and_between_are_sound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
