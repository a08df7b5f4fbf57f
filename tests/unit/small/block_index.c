// SPDX-License-Identifier: MIT
/* block_index.c: the one multiplication that tells a block's start from every other address, for every class of both tables
 * and every offset there is. No memory is touched: the descriptors here stand for pools that do not exist. */
#include "small/small_fast.h"

#include "support/random.h"
#include "support/test.h"

static const uintptr_t PLACES[] = {
    SLICE_BYTES, (uintptr_t)0x7f3a12340000, ((uintptr_t)1 << ADDRESS_BITS) - SLICE_BYTES, (uintptr_t)0x555500000000,
};

static uint64_t index_at(const struct pool *pool, uintptr_t address) {
    return small_block_index(pool, (const void *)address); // NOLINT(performance-no-int-to-ptr)
}

static void for_every_class(void (*check)(const struct pool *pool, const struct small_class *class)) {
    static const uint32_t STEPS[] = {4, 1};
    for (size_t i = 0; i < COUNT_OF(STEPS); i++) {
        dam_small_classes_init(STEPS[i]);
        for (uint32_t j = 0; j < dam_small_classes.count; j++) {
            const struct small_class *class = &dam_small_classes.of[j];
            for (size_t k = 0; k < COUNT_OF(PLACES); k++) {
                struct pool pool = {
                    .start = PLACES[k],
                    .bytes = SLICE_BYTES,
                    .block_bytes = class->block_bytes,
                    .block_shift = (uint8_t)class->block_shift,
                    .block_inverse = class->block_inverse,
                };
                check(&pool, class);
            }
        }
    }
}

static void check_every_offset(const struct pool *pool, const struct small_class *class) {
    for (uint32_t offset = 0; offset < SLICE_BYTES; offset++) {
        uint64_t index = index_at(pool, pool->start + offset);
        if (offset % class->block_bytes == 0)
            assert_int_equal(index, offset / class->block_bytes);
        else
            assert_true(index >= SLICE_BYTES); /* more than any pool's carved blocks */
    }
}

TEST(every_block_start_has_its_index_and_no_other_offset_has_one) {
    for_every_class(check_every_offset);
}

static void assert_no_block(const struct pool *pool, const struct small_class *class, uintptr_t address) {
    assert_true(index_at(pool, address) >= class->block_count);
}

static void check_outside(const struct pool *pool, const struct small_class *class) {
    for (uintptr_t i = 0; i < 3 * SLICE_BYTES; i++) {
        assert_no_block(pool, class, pool->start + SLICE_BYTES + i);
        assert_no_block(pool, class, pool->start - 1 - i);
    }
    /* A block's offset in another slice, as a pointer into the wrong pool has, near and far. */
    for (uintptr_t distance = SLICE_BYTES; distance != 0; distance <<= 1) {
        for (uintptr_t offset = 0; offset < SLICE_BYTES; offset += class->block_bytes) {
            assert_no_block(pool, class, pool->start + distance + offset);
            assert_no_block(pool, class, pool->start - distance + offset);
        }
    }
}

TEST(no_address_outside_the_pool_has_the_index_of_a_block) {
    for_every_class(check_outside);
}

static struct random random_source;

static void check_anywhere(const struct pool *pool, const struct small_class *class) {
    for (int i = 0; i < 20000; i++) {
        uintptr_t address = random_next(&random_source) >> random_below(&random_source, 64);
        if (address - pool->start >= SLICE_BYTES)
            assert_no_block(pool, class, address);
    }
    assert_no_block(pool, class, 0);
    assert_no_block(pool, class, UINTPTR_MAX);
}

TEST(no_random_address_has_the_index_of_a_block) {
    random_source = random_start(test_seed("unit.small.block_index"), 0);
    for_every_class(check_anywhere);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_start_has_its_index_and_no_other_offset_has_one),
        cmocka_unit_test(no_address_outside_the_pool_has_the_index_of_a_block),
        cmocka_unit_test(no_random_address_has_the_index_of_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
