// SPDX-License-Identifier: MIT
/* play.c: random games of the general layer alone, with every invariant checked as they go. */
#include "unit/general/general_layer.h"

#define SLOT_COUNT 400
#define STEP_COUNT 30000

static struct general_heap heap;

struct slot {
    char *block;
    size_t size;
};

static struct slot slots[SLOT_COUNT];

static uint64_t key_of(const struct slot *slot) {
    return pattern_key(6, (uint64_t)(slot - slots));
}

static void check_content(const struct slot *slot) {
    assert_true(pattern_holds(slot->block, slot->size, key_of(slot)));
    assert_int_equal(dam_general_check_live(pool_of(slot->block), slot->block, "check"), slot->size == 0 ? 1 : slot->size);
}

static size_t any_size(struct random *random) {
    return random_below(random, 4) != 0 ? random_below(random, 1500) : random_below(random, GENERAL_SIZE_MAX + 1);
}

static void allocate(struct random *random, struct slot *slot) {
    size_t alignment = random_below(random, 4) != 0 ? GRANULE_BYTES : (size_t)16 << random_below(random, 13);
    slot->size = any_size(random);
    if (slot->size == 0 && alignment <= SMALL_SIZE_MAX)
        slot->size = 1; /* without such an alignment 0 bytes are small */
    slot->block = layer_alloc_aligned(&heap, slot->size, alignment);
    assert_true(is_aligned(slot->block, alignment));
    pattern_fill(slot->block, slot->size, key_of(slot));
}

static void resize(struct random *random, struct slot *slot) {
    size_t size = random_below(random, 2) == 0 ? any_size(random) : slot->size + random_below(random, 300);
    size = smaller_of(size, GENERAL_SIZE_MAX);
    if (size == 0 || !dam_general_resize(&heap, pool_of(slot->block), slot->block, size))
        return;
    assert_true(pattern_holds(slot->block, smaller_of(slot->size, size), key_of(slot)));
    slot->size = size;
    pattern_fill(slot->block, size, key_of(slot));
}

static void release(struct random *random, struct slot *slot) {
    if (random_below(random, 3) == 0)
        layer_free_remote(slot->block);
    else
        layer_free(&heap, slot->block);
    slot->block = NULL;
}

static void step(struct random *random) {
    struct slot *slot = &slots[random_below(random, SLOT_COUNT)];
    if (slot->block == NULL) {
        allocate(random, slot);
        return;
    }
    check_content(slot);
    if (random_below(random, 3) == 0)
        resize(random, slot);
    else
        release(random, slot);
}

TEST(whatever_is_done_in_whatever_order_every_invariant_holds_and_every_byte_stays) {
    struct random random = random_start(test_seed("unit.general.play"), 0);
    layer_start(&heap);
    for (int i = 0; i < STEP_COUNT; i++) {
        step(&random);
        assert_true(heap.quick_room >= 0); /* G6 */
        if (i % 50 == 0)
            assert_sound(&heap);
        if (random_below(&random, 5000) == 0)
            dam_general_flush(&heap);
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (slots[i].block == NULL)
            continue;
        check_content(&slots[i]);
        layer_free(&heap, slots[i].block);
    }
    struct pool *pool;
    while ((pool = dam_general_any_pool(&heap)) != NULL) {
        dam_general_flush(&heap);
        if (dam_general_any_pool(&heap) != pool)
            continue; /* it has become empty, and has gone */
        dam_general_disown(&heap, pool);
        dam_general_take_remote_into_index(pool);
        assert_empty(pool);
        dam_pool_retire(pool);
    }
    assert_int_equal(pool_count(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_done_in_whatever_order_every_invariant_holds_and_every_byte_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
