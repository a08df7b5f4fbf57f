// SPDX-License-Identifier: MIT
/* verifying.c: the general layer's verifier is content with sound pools, and finds each thing that can be broken in one. What
 * it finds in the free index is tested in index.c. */
#include "unit/general/general_layer.h"

static struct general_heap heap;
static struct pool *pool;

/*   | live[0] | quick | live[1] | free | live[2] | remote | rest, free |     */
static char *live[3];
static char *quick;
static char *remote;
static char *freed;

static char *alloc_granules(uint32_t granules) {
    return layer_alloc(&heap, block_bytes_of_granules(granules) - 3);
}

static int start(void **state) {
    (void)state;
    layer_start(&heap);
    live[0] = alloc_granules(20);
    quick = alloc_granules(21);
    live[1] = alloc_granules(22);
    freed = alloc_granules(23);
    live[2] = alloc_granules(24);
    remote = alloc_granules(25);
    pool = pool_of(live[0]);
    layer_free_merged(&heap, freed);
    layer_free(&heap, quick);
    layer_free_remote(remote);
    assert_int_equal(dam_general_verify_pool(pool), 0);
    return 0;
}

/* What was broken is mended by then. */
static int end(void **state) {
    (void)state;
    assert_sound(&heap);
    layer_end(&heap);
    return 0;
}

#define ASSERT_FOUND(break_it, mend_it)                                                                                \
    do {                                                                                                               \
        break_it;                                                                                                      \
        assert_true(dam_general_verify_pool(pool) > 0);                                                                \
        mend_it;                                                                                                       \
        assert_int_equal(dam_general_verify_pool(pool), 0);                                                            \
    } while (0)

TEST(a_damaged_header_of_a_block_in_any_state_is_found) { /* G1 */
    char *const blocks[] = {live[0], quick, live[1], freed, live[2], remote, pool_start(pool) + pool->bytes};
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        struct block_header *header = block_header(blocks[i]);
        ASSERT_FOUND(header->check ^= 0x10, header->check ^= 0x10);
        ASSERT_FOUND(header->fields ^= 0x10000, header->fields ^= 0x10000);
        ASSERT_FOUND(header->fields ^= 1, header->fields ^= 1);
    }
}

TEST(a_damaged_canary_is_found) {
    for (size_t i = 0; i < COUNT_OF(live); i++) {
        char *byte = live[i] + request_in(block_header(live[i])->fields);
        ASSERT_FOUND(*byte ^= 1, *byte ^= 1);
        ASSERT_FOUND(byte[7] ^= 1, byte[7] ^= 1);
    }
}

TEST(two_free_neighbours_are_found) { /* G2 */
    /* live[1] declared free beside the free block, with tag and place in the index, as if merging had been forgotten. */
    dam_index_insert(&general_of(pool)->index, pool, live[1], 22);
    pool->live--;
    assert_true(dam_general_verify_pool(pool) > 0);
    dam_index_remove(&general_of(pool)->index, pool, live[1], 22);
    pool->live++;
    *block_tail(live[1], 22) = 0;
    block_make_live(live[1], size_fields(22), 100);
    assert_int_equal(dam_general_verify_pool(pool), 0);
}

TEST(a_block_in_use_that_is_not_as_large_as_its_class_is_found) { /* G3 */
    char *large = alloc_granules(64);
    char *behind = block_behind(large, 64);
    struct seen_block rest = {0};
    assert_true(read_block(behind, &rest));
    assert_int_equal(rest.state, BLOCK_FREE);
    /* A granule is taken from the free rest: 65 granules, which no request gets. */
    dam_index_remove(&general_of(pool)->index, pool, behind, rest.granules);
    dam_index_insert(&general_of(pool)->index, pool, behind + GRANULE_BYTES, rest.granules - 1);
    *block_tail(large, 65) = 0;
    block_make_live(large, size_fields(65), 1000);
    assert_true(dam_general_verify_pool(pool) > 0);
    dam_index_remove(&general_of(pool)->index, pool, behind + GRANULE_BYTES, rest.granules - 1);
    *block_tail(large, 64) = 0;
    block_make_live(large, size_fields(64), 1000);
    dam_index_insert(&general_of(pool)->index, pool, behind, rest.granules);
    assert_int_equal(dam_general_verify_pool(pool), 0);
}

TEST(a_free_block_without_its_boundary_tag_is_found) { /* G4 */
    uint64_t *tail = block_tail(freed, 23);
    uint64_t good = *tail;
    ASSERT_FOUND(*tail = 0, *tail = good);
    ASSERT_FOUND(*tail = boundary_tag(tail, 22), *tail = good);
    ASSERT_FOUND(*tail ^= (uint64_t)1 << 63, *tail = good);
}

TEST(a_block_in_use_with_a_boundary_tag_is_found) { /* G4 */
    char *const blocks[] = {quick, remote};
    static const uint32_t GRANULES[] = {21, 25};
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        uint64_t *tail = block_tail(blocks[i], GRANULES[i]);
        uint64_t good = *tail;
        ASSERT_FOUND(*tail = boundary_tag(tail, GRANULES[i]), *tail = good);
    }
}

TEST(wrong_counts_are_found) { /* I3, G7 */
    ASSERT_FOUND(pool->live++, pool->live--);
    ASSERT_FOUND(pool->live--, pool->live++);
    ASSERT_FOUND(general_of(pool)->index.free_granules++, general_of(pool)->index.free_granules--);
}

TEST(a_free_block_that_is_not_in_the_index_is_found) { /* I1 */
    struct general_pool *general = general_of(pool);
    dam_index_remove(&general->index, pool, freed, 23);
    assert_true(dam_general_verify_pool(pool) > 0);
    dam_index_insert(&general->index, pool, freed, 23);
    assert_int_equal(dam_general_verify_pool(pool), 0);
}

TEST(figures_count_blocks_and_bytes_by_state) {
    struct general_block_figures figures = {0};
    dam_general_read_figures(pool, &figures);
    assert_int_equal(figures.live_blocks, 3);
    assert_int_equal(figures.live_bytes, (20 + 22 + 24) * GRANULE_BYTES - 9);
    assert_int_equal(figures.quick_bytes, (21 + 25) * GRANULE_BYTES);
    assert_int_equal(figures.free_bytes, block_bytes_of_granules(general_of(pool)->index.free_granules));
}

int main(void) {
#define WITH_BLOCKS(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_BLOCKS(a_damaged_header_of_a_block_in_any_state_is_found),
        WITH_BLOCKS(a_damaged_canary_is_found),
        WITH_BLOCKS(two_free_neighbours_are_found),
        WITH_BLOCKS(a_block_in_use_that_is_not_as_large_as_its_class_is_found),
        WITH_BLOCKS(a_free_block_without_its_boundary_tag_is_found),
        WITH_BLOCKS(a_block_in_use_with_a_boundary_tag_is_found),
        WITH_BLOCKS(wrong_counts_are_found),
        WITH_BLOCKS(a_free_block_that_is_not_in_the_index_is_found),
        WITH_BLOCKS(figures_count_blocks_and_bytes_by_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
