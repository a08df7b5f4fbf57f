// SPDX-License-Identifier: MIT
/* merging.c: how blocks are cut from free ones and become part of them again: every combination of neighbours. */
#include "unit/general/general_layer.h"

static struct general_heap heap;
static struct pool *pool;

static int start(void **state) {
    (void)state;
    layer_start(&heap);
    pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
    assert_empty(pool);
    return 0;
}

static int end(void **state) {
    (void)state;
    assert_sound(&heap);
    layer_end(&heap);
    assert_int_equal(pool_count(), 0);
    return 0;
}

/* A block of exactly so many granules, which must be a class. */
static char *alloc_granules(uint32_t granules) {
    assert_int_equal(class_granules(class_of_block(granules)), granules);
    char *block = layer_alloc(&heap, block_bytes_of_granules(granules));
    assert_ptr_equal(pool_of(block), pool);
    return block;
}

/* The pool's blocks are exactly these, in order; the last is the rest of the pool and may have any size. */
static void assert_blocks(size_t count, const struct seen_block *expected) {
    const struct seen_pool *seen = read_pool(pool);
    assert_int_equal(seen->count, count);
    for (size_t i = 0; i < count; i++) {
        if (expected[i].block != NULL)
            assert_ptr_equal(seen->blocks[i].block, expected[i].block);
        assert_int_equal(seen->blocks[i].state, expected[i].state);
        if (expected[i].granules != 0 || i + 1 < count)
            assert_int_equal(seen->blocks[i].granules, expected[i].granules);
    }
}

#define ASSERT_BLOCKS(...)                                                                                             \
    do {                                                                                                               \
        const struct seen_block expected[] = {__VA_ARGS__};                                                            \
        assert_blocks(COUNT_OF(expected), expected);                                                                   \
    } while (0)

/* ---- Splitting --------------------------------------------------------------------------------------------------- */

TEST(a_block_is_cut_from_the_front_of_a_free_one_and_the_rest_stays_free) {
    uint32_t capacity = general_of(pool)->capacity_granules;
    char *first = alloc_granules(20);
    ASSERT_BLOCKS({first, 20, BLOCK_LIVE}, {block_behind(first, 20), capacity - 21, BLOCK_FREE});
    assert_int_equal(general_of(pool)->index.free_granules, capacity - 21);
    char *second = alloc_granules(64);
    assert_ptr_equal(second, block_behind(first, 20));
    ASSERT_BLOCKS({first, 20, BLOCK_LIVE}, {second, 64, BLOCK_LIVE}, {NULL, capacity - 21 - 65, BLOCK_FREE});
}

TEST(every_request_gets_a_block_exactly_as_large_as_its_class) { /* G3 */
    for (size_t size = 1; size <= GENERAL_SIZE_MAX; size += 1 + size / 7) {
        char *block = layer_alloc(&heap, size);
        assert_int_equal(granules_in(block_header(block)->fields), class_granules(general_class_for(size)));
        assert_int_equal(request_in(block_header(block)->fields), size);
        assert_true(is_aligned(block, GRANULE_BYTES));
        assert_true(block_canary_is_intact(block));
        layer_free(&heap, block);
        dam_general_flush(&heap);
    }
}

/* Zero bytes come to this layer only with an alignment that the small one has not. */
TEST(a_request_of_zero_bytes_gets_a_block_of_one_granule_and_a_request_of_one) {
    char *block = layer_alloc_aligned(&heap, 0, 512);
    assert_int_equal(granules_in(block_header(block)->fields), 1);
    assert_int_equal(request_in(block_header(block)->fields), 1);
}

TEST(a_free_block_of_exactly_the_size_is_taken_whole) {
    char *block = alloc_granules(24);
    char *behind = alloc_granules(3);
    layer_free_merged(&heap, block);
    ASSERT_BLOCKS({block, 24, BLOCK_FREE}, {behind, 3, BLOCK_LIVE}, {NULL, 0, BLOCK_FREE});
    assert_ptr_equal(alloc_granules(24), block);
    ASSERT_BLOCKS({block, 24, BLOCK_LIVE}, {behind, 3, BLOCK_LIVE}, {NULL, 0, BLOCK_FREE});
}

TEST(a_rest_too_small_for_a_payload_is_a_free_block_all_the_same) {
    char *block = alloc_granules(24);
    char *behind = alloc_granules(3);
    layer_free_merged(&heap, block);
    assert_ptr_equal(alloc_granules(23), block);
    ASSERT_BLOCKS({block, 23, BLOCK_LIVE}, {block_behind(block, 23), 0, BLOCK_FREE}, {behind, 3, BLOCK_LIVE},
                  {NULL, 0, BLOCK_FREE});
    assert_sound(&heap);
    layer_free_merged(&heap, block); /* and becomes part of the next one that is freed beside it */
    ASSERT_BLOCKS({block, 24, BLOCK_FREE}, {behind, 3, BLOCK_LIVE}, {NULL, 0, BLOCK_FREE});
}

/* ---- Merging ----------------------------------------------------------------------------------------------------- */

TEST(freeing_the_middle_of_three_blocks_merges_with_both_free_neighbours) { /* G2 */
    char *guard = alloc_granules(5);
    char *front = alloc_granules(12);
    char *middle = alloc_granules(25);
    char *behind = alloc_granules(17);
    char *last = alloc_granules(5);
    layer_free_merged(&heap, front);
    layer_free_merged(&heap, behind);
    ASSERT_BLOCKS({guard, 5, BLOCK_LIVE}, {front, 12, BLOCK_FREE}, {middle, 25, BLOCK_LIVE}, {behind, 17, BLOCK_FREE},
                  {last, 5, BLOCK_LIVE}, {NULL, 0, BLOCK_FREE});
    layer_free_merged(&heap, middle);
    ASSERT_BLOCKS({guard, 5, BLOCK_LIVE}, {front, 12 + 25 + 17 + 2, BLOCK_FREE}, {last, 5, BLOCK_LIVE},
                  {NULL, 0, BLOCK_FREE});
}

/* What lies on one side of the block that is freed. */
enum neighbour { LIVE, QUICK, REMOTE, FREE, FREE_WITHOUT_PAYLOAD, NOTHING, NEIGHBOUR_COUNT };

#define FRONT_GRANULES 12u
#define MIDDLE_GRANULES 25u
#define BEHIND_GRANULES 17u

struct neighbourhood {
    char *front;
    char *middle;
    char *behind;
};

/* Cuts live blocks until exactly so much of the pool is left free. */
static void fill_up_to(uint32_t granules_left) {
    for (;;) {
        uint32_t rest = general_of(pool)->index.free_granules;
        if (rest == granules_left)
            return;
        uint32_t class_index = class_of_block(rest - granules_left - 1);
        class_index = class_index < GENERAL_LIVE_CLASS_COUNT ? class_index : GENERAL_LIVE_CLASS_COUNT - 1;
        if (rest - granules_left - 1 - class_granules(class_index) == 1) /* that one would be a block without payload */
            class_index--;
        alloc_granules(class_granules(class_index));
    }
}

/* Frees a live block one granule larger and takes it again one smaller: it is followed by a free block without payload. */
static char *cut_by_one(char *block, uint32_t granules) {
    layer_free_merged(&heap, block);
    assert_ptr_equal(alloc_granules(granules), block);
    return block;
}

static void make(char *block, enum neighbour kind) {
    if (kind == QUICK)
        layer_free(&heap, block);
    if (kind == REMOTE)
        layer_free_remote(block);
    if (kind == FREE)
        layer_free_merged(&heap, block);
}

/*   ... live | front | middle | behind | live ...     where front or behind may be the end of the pool */
static struct neighbourhood build(enum neighbour front, enum neighbour behind) {
    struct neighbourhood around = {.front = NULL};
    uint32_t front_granules = FRONT_GRANULES + (front == FREE_WITHOUT_PAYLOAD);
    if (behind == NOTHING)
        fill_up_to(MIDDLE_GRANULES + 5 + 1 + front_granules + 1);
    if (front != NOTHING) {
        alloc_granules(5);
        around.front = alloc_granules(front_granules);
    }
    around.middle = alloc_granules(MIDDLE_GRANULES + (behind == FREE_WITHOUT_PAYLOAD));
    if (behind != NOTHING && behind != FREE_WITHOUT_PAYLOAD)
        around.behind = alloc_granules(BEHIND_GRANULES);
    if (behind != NOTHING)
        alloc_granules(5);
    if (behind == FREE_WITHOUT_PAYLOAD)
        cut_by_one(around.middle, MIDDLE_GRANULES);
    if (front == FREE_WITHOUT_PAYLOAD)
        around.front = block_behind(cut_by_one(around.front, FRONT_GRANULES), FRONT_GRANULES);
    make(around.front, front == REMOTE ? LIVE : front);
    make(around.behind, behind);
    make(around.front, front == REMOTE ? REMOTE : LIVE); /* last, since layer_free_merged takes in what is remote */
    return around;
}

static bool merges(enum neighbour kind) {
    return kind == FREE || kind == FREE_WITHOUT_PAYLOAD;
}

static void free_middle(const struct neighbourhood *around, bool beside_remote) {
    if (beside_remote) { /* which layer_free_merged would take in, too */
        layer_free(&heap, around->middle);
        dam_general_flush(&heap);
    } else {
        layer_free_merged(&heap, around->middle);
    }
}

static void assert_merged(enum neighbour front, enum neighbour behind) {
    struct neighbourhood around = build(front, behind);
    assert_int_equal(dam_general_verify_pool(pool), 0);
    size_t count = read_pool(pool)->count;
    uint32_t free_granules = general_of(pool)->index.free_granules;
    uint32_t live = pool->live;
    free_middle(&around, front == REMOTE || behind == REMOTE);

    char *start = merges(front) ? around.front : around.middle;
    uint32_t granules = MIDDLE_GRANULES;
    if (merges(front))
        granules += 1 + (front == FREE ? FRONT_GRANULES : 0);
    if (merges(behind))
        granules += 1 + (behind == FREE ? BEHIND_GRANULES : 0);
    struct seen_block merged;
    assert_true(read_block(start, &merged));
    assert_int_equal(merged.state, BLOCK_FREE);
    assert_int_equal(merged.granules, granules);
    uint32_t merged_count = (uint32_t)merges(front) + merges(behind);
    assert_int_equal(read_pool(pool)->count, count - merged_count);
    assert_int_equal(general_of(pool)->index.free_granules, free_granules + MIDDLE_GRANULES + merged_count);
    assert_int_equal(pool->live, live - 1); /* G7 */
    assert_sound(&heap);
}

TEST(freeing_merges_with_free_neighbours_and_with_no_others_whatever_stands_on_either_side) {
    size_t combinations = 0;
    for (int front = 0; front < NEIGHBOUR_COUNT; front++) {
        for (int behind = 0; behind < NEIGHBOUR_COUNT; behind++) {
            /* Beside a remote block the middle one is freed by emptying the quick lists: then none is quick any more. And no
             * block is as large as a pool. */
            if ((front == REMOTE && behind == QUICK) || (front == QUICK && behind == REMOTE) ||
                (front == NOTHING && behind == NOTHING))
                continue;
            assert_merged((enum neighbour)front, (enum neighbour)behind);
            layer_end(&heap);
            dam_general_heap_init(&heap, name_of(&heap), false);
            pool = layer_add_pool(&heap, 300, GRANULE_BYTES);
            combinations++;
        }
    }
    assert_int_equal(combinations, NEIGHBOUR_COUNT * NEIGHBOUR_COUNT - 3);
}

TEST(when_all_blocks_are_freed_in_whatever_order_one_free_block_is_left) {
    struct random random = random_start(test_seed("unit.general.merging"), 0);
    for (int round = 0; round < 40; round++) {
        char *blocks[100];
        for (size_t i = 0; i < COUNT_OF(blocks); i++)
            blocks[i] = layer_alloc(&heap, 1 + random_below(&random, 2000));
        for (size_t left = COUNT_OF(blocks); left > 0; left--) {
            size_t i = random_below(&random, left);
            layer_free_merged(&heap, blocks[i]);
            blocks[i] = blocks[left - 1];
        }
        assert_empty(pool);
    }
}

TEST(freed_memory_leaves_no_boundary_tag_behind_in_the_block_that_takes_its_place) { /* G4 */
    for (uint32_t granules = 1; granules <= 32; granules++) {
        char *small = alloc_granules(granules);
        layer_free_merged(&heap, small); /* its tag would lie where a larger block has its payload */
        char *large = alloc_granules(32);
        assert_ptr_equal(large, small);
        char *behind = alloc_granules(4);
        layer_free_merged(&heap, behind);
        assert_sound(&heap);
        layer_free_merged(&heap, large);
        assert_empty(pool);
    }
}

int main(void) {
#define WITH_POOL(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_POOL(a_block_is_cut_from_the_front_of_a_free_one_and_the_rest_stays_free),
        WITH_POOL(every_request_gets_a_block_exactly_as_large_as_its_class),
        WITH_POOL(a_request_of_zero_bytes_gets_a_block_of_one_granule_and_a_request_of_one),
        WITH_POOL(a_free_block_of_exactly_the_size_is_taken_whole),
        WITH_POOL(a_rest_too_small_for_a_payload_is_a_free_block_all_the_same),
        WITH_POOL(freeing_the_middle_of_three_blocks_merges_with_both_free_neighbours),
        WITH_POOL(freeing_merges_with_free_neighbours_and_with_no_others_whatever_stands_on_either_side),
        WITH_POOL(when_all_blocks_are_freed_in_whatever_order_one_free_block_is_left),
        WITH_POOL(freed_memory_leaves_no_boundary_tag_behind_in_the_block_that_takes_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
