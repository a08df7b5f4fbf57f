// SPDX-License-Identifier: MIT
/* pools.c: the small pools of a heap: which is current, when they empty, fill up, change class and change hands. */
#include "unit/small/small_layer.h"

#define POOLS_MAX 20
#define BLOCKS_MAX (POOLS_MAX * (SLICE_BYTES / GRANULE_BYTES))

static struct small_heap heap;
static struct small_heap other;
static void *blocks[BLOCKS_MAX];

static int start(void **state) {
    (void)state;
    dam_small_heap_init(&other, name_of(&other), false);
    return layer_start(&heap);
}

static int end(void **state) {
    (void)state;
    assert_sound(&heap);
    assert_sound(&other);
    layer_end(&heap);
    layer_end(&other);
    assert_int_equal(pool_count(), 0);
    return 0;
}

static uint32_t last_class(void) {
    return dam_small_classes.count - 1;
}

/* Fills so many pools of the class to the last block; returns the number of blocks, all in `blocks`. */
static size_t fill_pools(struct small_heap *of, uint32_t class_index, size_t count) {
    size_t total = count * blocks_per_pool(class_index);
    assert_true(total <= BLOCKS_MAX);
    for (size_t i = 0; i < total; i++)
        blocks[i] = layer_alloc(of, size_of_class(class_index));
    return total;
}

/* What another thread does that frees a block: true if the pool is now its own. */
static bool free_as_stranger(void *block) {
    return dam_small_free_remote(pool_of(block), block);
}

/* ---- Empty pools ------------------------------------------------------------------------------------------------- */

TEST(the_current_pool_stays_when_it_empties) {
    void *block = layer_alloc(&heap, 64);
    struct pool *pool = pool_of(block);
    layer_free(&heap, block);
    assert_int_equal(pool_count(), 1);
    assert_int_equal(live_of(pool), 0);
    assert_ptr_equal(layer_alloc(&heap, 64), block);
}

/* Full pools leave the heap, so three with a hole each are made one by one. */
TEST(a_pool_that_is_not_current_retires_when_it_empties) {
    uint32_t class_index = last_class();
    size_t per_pool = blocks_per_pool(class_index);
    fill_pools(&heap, class_index, 3);
    struct pool *first = pool_of(blocks[0]);
    assert_null(first->small_owner);
    assert_true(free_as_stranger(blocks[0])); /* the full one comes back to whoever frees into it */
    dam_small_adopt(&heap, first);
    assert_true(is_listed(&heap, first));
    for (size_t i = 1; i < per_pool - 1; i++)
        layer_free(&heap, blocks[i]);
    assert_int_equal(pool_count(), 3);
    uintptr_t slice = first->start;
    layer_free(&heap, blocks[per_pool - 1]);
    assert_int_equal(pool_count(), 2);
    assert_true(pool_is_none(pool_of((const void *)slice))); // NOLINT(performance-no-int-to-ptr)
}

TEST(the_slice_of_a_retired_pool_serves_another_class) {
    for (uint32_t from = 0; from < dam_small_classes.count; from++) {
        for (uint32_t to = 0; to < dam_small_classes.count; to++) {
            uintptr_t slice = pool_of(layer_alloc(&heap, size_of_class(from)))->start;
            layer_end(&heap);
            dam_small_heap_init(&heap, name_of(&heap), false);
            const struct pool *pool = pool_of(layer_alloc(&heap, size_of_class(to)));
            assert_int_equal(pool->start, slice);
            assert_int_equal(pool->block_bytes, size_of_class(to));
            layer_end(&heap);
            dam_small_heap_init(&heap, name_of(&heap), false);
        }
    }
}

TEST(retiring_what_is_empty_leaves_pools_with_live_blocks_alone) {
    void *lone = layer_alloc(&heap, size_of_class(0));
    void *gone = layer_alloc(&heap, size_of_class(1));
    layer_free(&heap, gone);
    assert_int_equal(pool_count(), 2);
    dam_small_retire_empty(&heap);
    assert_int_equal(pool_count(), 1);
    assert_ptr_equal(current_of(&heap, 1), &dam_small_no_pool);
    assert_int_equal(live_of(pool_of(lone)), 1);
    layer_free(&heap, lone);
    dam_small_retire_empty(&heap);
    assert_int_equal(pool_count(), 0);
    assert_null(dam_small_any_pool(&heap));
}

TEST(retiring_what_is_empty_takes_in_first_what_others_have_freed) {
    void *block = layer_alloc(&heap, 16);
    assert_false(free_as_stranger(block));
    dam_small_retire_empty(&heap);
    assert_int_equal(pool_count(), 0);
}

/* ---- Full pools -------------------------------------------------------------------------------------------------- */

TEST(a_full_pool_is_let_go_when_another_takes_its_place) { /* S5 */
    for (uint32_t class_index = 0; class_index < dam_small_classes.count; class_index++) {
        fill_pools(&heap, class_index, 1);
        struct pool *pool = pool_of(blocks[0]);
        assert_ptr_equal(pool->small_owner, name_of(&heap));
        layer_alloc(&heap, size_of_class(class_index));
        assert_null(pool->small_owner); /* T3 */
        assert_int_equal(atomic_load(&pool->remote), 0); /* T2 */
        assert_false(is_listed(&heap, pool));
        assert_ptr_not_equal(current_of(&heap, class_index), pool);
    }
}

TEST(a_full_pool_that_was_let_go_belongs_to_whoever_frees_into_it) {
    uint32_t class_index = last_class();
    size_t total = fill_pools(&heap, class_index, 1);
    layer_alloc(&heap, size_of_class(class_index));
    struct pool *pool = pool_of(blocks[0]);
    assert_true(free_as_stranger(blocks[7]));
    dam_small_adopt(&other, pool);
    assert_ptr_equal(pool->small_owner, name_of(&other));
    assert_ptr_equal(layer_alloc(&other, size_of_class(class_index)), blocks[7]);
    assert_int_equal(live_of(pool), total);
}

TEST(blocks_that_arrive_on_a_full_pool_before_it_is_let_go_keep_it_with_its_owner) {
    uint32_t class_index = last_class();
    fill_pools(&heap, class_index, 1);
    struct pool *pool = pool_of(blocks[0]);
    assert_false(free_as_stranger(blocks[5]));
    assert_false(free_as_stranger(blocks[6]));
    assert_ptr_equal(layer_alloc(&heap, size_of_class(class_index)), blocks[6]); /* newest first */
    assert_ptr_equal(layer_alloc(&heap, size_of_class(class_index)), blocks[5]);
    assert_int_equal(pool_count(), 1);
    assert_ptr_equal(pool->small_owner, name_of(&heap));
}

TEST(a_full_pool_of_a_heap_that_keeps_its_pools_is_kept) { /* S5 */
    uint32_t class_index = last_class();
    struct pool *pool = layer_add_pool(&heap, class_index);
    heap.keeps_pools = true;
    fill_pools(&heap, class_index, 1);
    assert_ptr_equal(pool_of(blocks[0]), pool);
    layer_alloc(&heap, size_of_class(class_index));
    assert_ptr_equal(pool->small_owner, name_of(&heap));
    assert_true(is_listed(&heap, pool));
    assert_true(remote_is_owned(atomic_load(&pool->remote)));
}

/* ---- What others free -------------------------------------------------------------------------------------------- */

TEST(what_others_have_freed_comes_in_before_anything_is_carved) {
    uint32_t class_index = last_class();
    void *first = layer_alloc(&heap, 256);
    void *second = layer_alloc(&heap, 256);
    struct pool *pool = pool_of(first);
    assert_false(free_as_stranger(first));
    assert_false(free_as_stranger(second));
    assert_int_equal(dam_pool_remote_count(pool), 2);
    assert_int_equal(live_of(pool), 2); /* still live to the owner */
    while (pool->free_head != SMALL_LIST_END)
        layer_alloc(&heap, 256);
    uint64_t carved = pool->carved;
    assert_true(carved <= blocks_per_pool(class_index));
    assert_ptr_equal(layer_alloc(&heap, 256), second);
    assert_ptr_equal(layer_alloc(&heap, 256), first);
    assert_int_equal(pool->carved, carved);
    assert_int_equal(dam_pool_remote_count(pool), 0);
}

/* Taken in while the owner still has free blocks of its own: all of them are on one list afterwards. */
TEST(a_taken_stack_goes_in_front_of_the_free_list) {
    enum { COUNT = 6 };
    void *own[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        own[i] = layer_alloc(&heap, 32);
    struct pool *pool = pool_of(own[0]);
    layer_free(&heap, own[0]);
    for (size_t i = 1; i < 4; i++)
        assert_false(free_as_stranger(own[i]));
    uint32_t live = live_of(pool);
    dam_small_take_remote(pool);
    assert_int_equal(live_of(pool), live - 3);
    assert_int_equal(dam_small_verify_pool(pool), 0);
    for (size_t i = 3; i > 0; i--)
        assert_ptr_equal(layer_alloc(&heap, 32), own[i]);
    assert_ptr_equal(layer_alloc(&heap, 32), own[0]);
}

TEST(taking_an_empty_stack_changes_nothing) {
    struct pool *pool = pool_of(layer_alloc(&heap, 32));
    uint32_t head = pool->free_head;
    dam_small_take_remote(pool);
    assert_int_equal(pool->free_head, head);
    assert_int_equal(live_of(pool), 1);
}

/* ---- Which pool comes next --------------------------------------------------------------------------------------- */

TEST(another_pool_with_free_blocks_is_used_before_the_current_one_is_carved) {
    uint32_t class_index = last_class();
    fill_pools(&heap, class_index, 1);
    struct pool *old = pool_of(blocks[0]);
    void *fresh = layer_alloc(&heap, 256);
    struct pool *current = pool_of(fresh);
    assert_true(free_as_stranger(blocks[3]));
    dam_small_adopt(&heap, old);
    while (current->free_head != SMALL_LIST_END)
        layer_alloc(&heap, 256);
    assert_ptr_equal(layer_alloc(&heap, 256), blocks[3]);
    assert_ptr_equal(current_of(&heap, class_index), old);
    assert_true(is_listed(&heap, current)); /* it has room to carve yet */
    const void *next = layer_alloc(&heap, 256);
    assert_ptr_equal(pool_of(next), current);
    assert_null(old->small_owner); /* full again */
}

TEST(an_empty_pool_on_the_list_is_retired_while_others_are_partly_used) {
    uint32_t class_index = last_class();
    size_t per_pool = blocks_per_pool(class_index);
    fill_pools(&heap, class_index, 3); /* the third is current, the others are let go */
    struct pool *first = pool_of(blocks[0]);
    struct pool *second = pool_of(blocks[per_pool]);
    for (size_t i = 0; i < per_pool - 1; i++)
        (void)free_as_stranger(blocks[i]);
    (void)free_as_stranger(blocks[per_pool]);
    dam_small_adopt(&heap, second);
    dam_small_adopt(&heap, first);
    assert_false(free_as_stranger(blocks[per_pool - 1])); /* the first is empty, but its owner has yet to notice */
    assert_int_equal(pool_count(), 3);
    dam_small_take_remote(first);
    assert_ptr_equal(layer_alloc(&heap, 256), blocks[per_pool]);
    assert_int_equal(pool_count(), 2);
}

TEST(a_pool_adopted_empty_is_retired_at_once) {
    uint32_t class_index = last_class();
    size_t total = fill_pools(&heap, class_index, 1);
    struct pool *pool = pool_of(blocks[0]);
    dam_small_disown(&heap, pool);
    assert_true(dam_pool_let_go(pool));
    assert_true(free_as_stranger(blocks[0]));
    for (size_t i = 1; i < total; i++)
        assert_false(free_as_stranger(blocks[i]));
    dam_small_adopt(&other, pool);
    assert_int_equal(pool_count(), 0);
    assert_null(dam_small_any_pool(&other));
}

TEST(a_disowned_pool_is_on_no_list_and_bears_no_name) {
    void *block = layer_alloc(&heap, 80);
    struct pool *pool = pool_of(block);
    assert_ptr_equal(dam_small_any_pool(&heap), pool);
    dam_small_disown(&heap, pool);
    assert_null(pool->small_owner);
    assert_ptr_equal(current_of(&heap, pool->class_index), &dam_small_no_pool);
    assert_null(dam_small_any_pool(&heap));
    dam_small_adopt(&heap, pool);
    assert_ptr_equal(dam_small_any_pool(&heap), pool);
    assert_true(is_listed(&heap, pool));
    dam_small_disown(&heap, pool);
    assert_false(is_listed(&heap, pool));
    dam_pool_retire(pool);
}

TEST(each_class_has_pools_of_its_own) {
    for (uint32_t i = 0; i < dam_small_classes.count; i++) {
        layer_alloc(&heap, size_of_class(i));
        assert_int_equal(pool_count(), i + 1);
    }
    for (uint32_t i = 0; i < dam_small_classes.count; i++) {
        for (uint32_t granule = dam_small_classes.of[i].granule_first; granule <= dam_small_classes.of[i].granule_last;
             granule++)
            assert_int_equal(heap.current[granule]->class_index, i);
    }
}

int main(void) {
#define WITH_HEAP(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_HEAP(the_current_pool_stays_when_it_empties),
        WITH_HEAP(a_pool_that_is_not_current_retires_when_it_empties),
        WITH_HEAP(the_slice_of_a_retired_pool_serves_another_class),
        WITH_HEAP(retiring_what_is_empty_leaves_pools_with_live_blocks_alone),
        WITH_HEAP(retiring_what_is_empty_takes_in_first_what_others_have_freed),
        WITH_HEAP(a_full_pool_is_let_go_when_another_takes_its_place),
        WITH_HEAP(a_full_pool_that_was_let_go_belongs_to_whoever_frees_into_it),
        WITH_HEAP(blocks_that_arrive_on_a_full_pool_before_it_is_let_go_keep_it_with_its_owner),
        WITH_HEAP(a_full_pool_of_a_heap_that_keeps_its_pools_is_kept),
        WITH_HEAP(what_others_have_freed_comes_in_before_anything_is_carved),
        WITH_HEAP(a_taken_stack_goes_in_front_of_the_free_list),
        WITH_HEAP(taking_an_empty_stack_changes_nothing),
        WITH_HEAP(another_pool_with_free_blocks_is_used_before_the_current_one_is_carved),
        WITH_HEAP(an_empty_pool_on_the_list_is_retired_while_others_are_partly_used),
        WITH_HEAP(a_pool_adopted_empty_is_retired_at_once),
        WITH_HEAP(a_disowned_pool_is_on_no_list_and_bears_no_name),
        WITH_HEAP(each_class_has_pools_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
