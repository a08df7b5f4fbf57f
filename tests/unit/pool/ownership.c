// SPDX-License-Identifier: MIT
/* ownership.c: the one word by which others speak to a pool: its exact value after every step (pool/ownership.h).
 *
 *     | head: granule + 1, 32 bits | count: 31 bits | OWNED: 1 bit | */
#include "pool/ownership.h"

#include "support/test.h"

#define MEMORY_BYTES ((size_t)4 << 20) /* the largest pool that has blocks on its remote stack */

static struct pool pool;
static char *memory;

/* A link as this test writes it: the next block's address. */
static void write_link(struct pool *of, void *block, void *next) {
    assert_ptr_equal(of, &pool);
    *(void **)block = next;
}

static char *block(size_t granule) {
    return memory + granule * GRANULE_BYTES;
}

static void *next_of(size_t granule) {
    return *(void **)(void *)block(granule);
}

static uint64_t word(void) {
    return atomic_load(&pool.remote);
}

static uint64_t expected_word(uint64_t head_granule, uint64_t count) {
    return (head_granule + 1) << 32 | count << 1 | 1;
}

static bool push(size_t granule) {
    return dam_pool_push_remote(&pool, block(granule), write_link);
}

static int start_unowned(void **state) {
    (void)state;
    pool = (struct pool){.start = (uintptr_t)memory, .bytes = MEMORY_BYTES};
    assert_int_equal(word(), 0);
    return 0;
}

TEST(a_new_pool_is_nobodys_until_it_is_owned) {
    assert_false(remote_is_owned(word()));
    dam_pool_own_new(&pool);
    assert_int_equal(word(), 1);
    assert_true(remote_is_owned(word()));
    assert_int_equal(dam_pool_remote_count(&pool), 0);
}

TEST(a_block_pushed_on_an_owned_pool_is_counted_and_the_pool_keeps_its_owner) { /* T1 */
    dam_pool_own_new(&pool);
    assert_false(push(10));
    assert_int_equal(word(), expected_word(10, 1));
    assert_null(next_of(10));
    assert_false(push(500));
    assert_int_equal(word(), expected_word(500, 2));
    assert_ptr_equal(next_of(500), block(10));
    assert_false(push(3));
    assert_int_equal(word(), expected_word(3, 3));
    assert_ptr_equal(next_of(3), block(500));
    assert_int_equal(dam_pool_remote_count(&pool), 3);
}

TEST(taking_empties_the_stack_newest_first_and_the_pool_stays_owned) {
    dam_pool_own_new(&pool);
    push(10);
    push(20);
    struct remote_stack stack = dam_pool_take_remote(&pool);
    assert_int_equal(word(), 1);
    assert_int_equal(stack.count, 2);
    assert_ptr_equal(stack.head, block(20));
    assert_ptr_equal(next_of(20), block(10));
    assert_null(next_of(10));
}

TEST(taking_from_an_empty_stack_gives_none) {
    dam_pool_own_new(&pool);
    struct remote_stack stack = dam_pool_take_remote(&pool);
    assert_int_equal(stack.count, 0);
    assert_null(stack.head);
    assert_int_equal(word(), 1);
}

TEST(a_pool_is_let_go_only_from_an_empty_stack) { /* T2 */
    dam_pool_own_new(&pool);
    push(7);
    assert_false(dam_pool_let_go(&pool));
    assert_int_equal(word(), expected_word(7, 1));
    dam_pool_take_remote(&pool);
    assert_true(dam_pool_let_go(&pool));
    assert_int_equal(word(), 0);
}

TEST(a_pool_that_is_nobodys_cannot_be_let_go_again) {
    dam_pool_own_new(&pool);
    assert_true(dam_pool_let_go(&pool));
    assert_false(dam_pool_let_go(&pool));
    assert_int_equal(word(), 0);
}

TEST(pushing_on_a_pool_that_is_nobodys_makes_the_pusher_its_owner) { /* T2 */
    assert_true(push(42));
    assert_int_equal(word(), expected_word(42, 1));
    assert_null(next_of(42));
    assert_false(push(43));
    assert_int_equal(word(), expected_word(43, 2));
}

TEST(only_one_claim_succeeds_and_none_on_an_owned_pool) { /* T1 */
    assert_true(dam_pool_try_claim(&pool));
    assert_int_equal(word(), 1);
    assert_false(dam_pool_try_claim(&pool));
    assert_false(push(1));
    assert_false(dam_pool_try_claim(&pool));
    assert_int_equal(word(), expected_word(1, 1));
    dam_pool_take_remote(&pool);
    assert_true(dam_pool_let_go(&pool));
    assert_true(dam_pool_try_claim(&pool));
}

TEST(the_first_and_the_last_granule_of_the_largest_pool_can_be_pushed) {
    size_t last = MEMORY_BYTES / GRANULE_BYTES - 1;
    dam_pool_own_new(&pool);
    push(0); /* whose offset is 0, which must not look like an empty stack */
    struct remote_stack stack = dam_pool_take_remote(&pool);
    assert_int_equal(stack.count, 1);
    assert_ptr_equal(stack.head, block(0));
    push(last);
    assert_int_equal(word(), expected_word(last, 1));
    stack = dam_pool_take_remote(&pool);
    assert_ptr_equal(stack.head, block(last));
}

TEST(as_many_blocks_as_a_pool_can_have_are_counted) {
    size_t count = MEMORY_BYTES / GRANULE_BYTES;
    dam_pool_own_new(&pool);
    for (size_t i = 0; i < count; i++)
        push(i);
    assert_int_equal(word(), expected_word(count - 1, count));
    struct remote_stack stack = dam_pool_take_remote(&pool);
    assert_int_equal(stack.count, count);
    const void *at = stack.head;
    for (size_t i = count; i-- > 0; at = *(void *const *)at)
        assert_ptr_equal(at, block(i));
    assert_null(at);
}

static int map_memory(void **state) {
    (void)state;
    memory = aligned_alloc(SLICE_BYTES, MEMORY_BYTES);
    return memory == NULL ? -1 : 0;
}

static int free_memory(void **state) {
    (void)state;
    free(memory);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_new_pool_is_nobodys_until_it_is_owned, start_unowned),
        cmocka_unit_test_setup(a_block_pushed_on_an_owned_pool_is_counted_and_the_pool_keeps_its_owner, start_unowned),
        cmocka_unit_test_setup(taking_empties_the_stack_newest_first_and_the_pool_stays_owned, start_unowned),
        cmocka_unit_test_setup(taking_from_an_empty_stack_gives_none, start_unowned),
        cmocka_unit_test_setup(a_pool_is_let_go_only_from_an_empty_stack, start_unowned),
        cmocka_unit_test_setup(a_pool_that_is_nobodys_cannot_be_let_go_again, start_unowned),
        cmocka_unit_test_setup(pushing_on_a_pool_that_is_nobodys_makes_the_pusher_its_owner, start_unowned),
        cmocka_unit_test_setup(only_one_claim_succeeds_and_none_on_an_owned_pool, start_unowned),
        cmocka_unit_test_setup(the_first_and_the_last_granule_of_the_largest_pool_can_be_pushed, start_unowned),
        cmocka_unit_test_setup(as_many_blocks_as_a_pool_can_have_are_counted, start_unowned),
    };
    return cmocka_run_group_tests(tests, map_memory, free_memory);
}
