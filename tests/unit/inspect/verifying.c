// SPDX-License-Identifier: MIT
/* verifying.c: the verifier of the whole heap finds a break wherever it is planted, says where on stderr, and is content again
 * once it is mended. */
#include "dam/dam.h"

#include "direct/direct_pool.h"
#include "general/block.h"
#include "heap/heap.h"
#include "inspect/verify.h"
#include "pool/pool_map.h"
#include "region/dirty.h"
#include "support/child.h"
#include "support/random.h"
#include "support/test.h"

static char *small;
static char *general;
static char *direct;
static dam_heap *heap;
static char *of_heap;

static int start(void **state) {
    (void)state;
    small = dam_malloc(100);
    general = dam_malloc(5000);
    direct = dam_malloc(200000);
    heap = dam_heap_create();
    of_heap = heap == NULL ? NULL : dam_heap_malloc(heap, 100);
    return small == NULL || general == NULL || direct == NULL || of_heap == NULL || dam_verify_all() != 0 ? -1 : 0;
}

static int end(void **state) {
    (void)state;
    dam_free(small);
    dam_free(general);
    dam_free(direct);
    dam_heap_destroy(heap);
    return dam_verify_all() == 0 ? 0 : -1;
}

static void verify_and_exit(void *argument) {
    (void)argument;
    _exit(dam_verify_all() == 0 ? 0 : 1);
}

/* What is broken is found, and stderr says in what. */
static void assert_says(const char *what, const void *pool_start) {
    char line[200];
    struct child_result result = child_run(verify_and_exit, NULL, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 1));
    assert_true(snprintf(line, sizeof line, " broken in the %s at 0x%zx\n", what, (uintptr_t)pool_start) > 0);
    assert_int_equal(strncmp(result.output, "dam: verify: ", 13), 0);
    assert_non_null(strstr(result.output, line));
    assert_ptr_equal(strchr(result.output, '\n'), result.output + result.output_bytes - 1); /* and of nothing else */
}

TEST(a_sound_heap_is_passed_in_silence) {
    struct child_result result = child_run(verify_and_exit, NULL, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 0));
    assert_int_equal(result.output_bytes, 0);
}

TEST(a_break_in_a_small_pool_is_found) { /* S3 */
    struct pool *pool = pool_of(small);
    pool->live++;
    assert_says("small pool", pool_start(pool));
    pool->live--;
    assert_int_equal(dam_verify_all(), 0);
}

TEST(a_break_in_a_first_class_heaps_pool_is_found) { /* S3 */
    struct pool *pool = pool_of(of_heap);
    pool->live++;
    assert_says("small pool", pool_start(pool));
    pool->live--;
    assert_int_equal(dam_verify_all(), 0);
}

TEST(a_break_in_a_general_pool_is_found) { /* G1 */
    struct pool *pool = pool_of(general);
    block_header(general)->check ^= 1;
    assert_says("general pool", pool_start(pool));
    block_header(general)->check ^= 1;
    general[5000] ^= 1; /* the canary */
    assert_says("general pool", pool_start(pool));
    general[5000] ^= 1;
    assert_int_equal(dam_verify_all(), 0);
}

TEST(a_break_in_a_direct_pool_is_found) { /* D2 */
    struct pool *pool = pool_of(direct);
    size_t good = direct_of(pool)->requested_bytes;
    direct_of(pool)->requested_bytes = pool->bytes - DIRECT_CANARY_BYTES + 1;
    assert_says("direct pool", pool_start(pool));
    direct_of(pool)->requested_bytes = good;
    assert_int_equal(dam_verify_all(), 0);
}

TEST(a_write_behind_a_direct_block_is_found) { /* D3 */
    struct pool *pool = pool_of(direct);
    char *canary = pool_start(pool) + direct_of(pool)->requested_bytes;
    for (size_t i = 0; i < DIRECT_CANARY_BYTES; i++) {
        canary[i] ^= 1;
        assert_says("direct pool", pool_start(pool));
        canary[i] ^= 1;
    }
    assert_int_equal(dam_verify_all(), 0);
}

TEST(a_slice_that_does_not_lead_to_its_pool_is_found) { /* P1 */
    struct pool *pool = pool_of(direct);
    uintptr_t last_slice = pool->start + pool->bytes - SLICE_BYTES;
    dam_pool_map_clear(last_slice, SLICE_BYTES);
    assert_says("direct pool", pool_start(pool));
    dam_pool_map_set(last_slice, SLICE_BYTES, pool);
    assert_int_equal(dam_verify_all(), 0);
}

TEST(a_pool_of_no_layer_is_found) { /* P1 */
    struct pool *pool = pool_of(direct);
    pool->layer = LAYER_NONE;
    assert_says("pool of no layer", pool_start(pool));
    pool->layer = LAYER_DIRECT;
    assert_int_equal(dam_verify_all(), 0);
}

TEST(a_wrong_count_of_dirty_bytes_is_found) { /* R3 */
    dam_dirty.bytes += SLICE_BYTES;
    assert_says("regions", NULL);
    dam_dirty.bytes -= SLICE_BYTES;
    assert_int_equal(dam_verify_all(), 0);
}

TEST(the_heap_is_sound_after_every_hundredth_step_of_random_use) {
    struct random random = random_start(test_seed("unit.inspect.verifying"), 0);
    void *blocks[300] = {NULL};
    for (int i = 0; i < 20000; i++) {
        size_t slot = random_below(&random, COUNT_OF(blocks));
        size_t size = random_size(&random, 4 * MIB);
        if (random_below(&random, 3) == 0) {
            blocks[slot] = dam_realloc(blocks[slot], size + 1);
        } else {
            dam_free(blocks[slot]);
            blocks[slot] = dam_malloc(size);
        }
        assert_non_null(blocks[slot]);
        if (i % 100 == 0)
            assert_int_equal(dam_verify_all(), 0);
    }
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        dam_free(blocks[i]);
}

int main(void) {
#define WITH_BLOCKS(test) cmocka_unit_test_setup_teardown(test, start, end)
    const struct CMUnitTest tests[] = {
        WITH_BLOCKS(a_sound_heap_is_passed_in_silence),
        WITH_BLOCKS(a_break_in_a_small_pool_is_found),
        WITH_BLOCKS(a_break_in_a_first_class_heaps_pool_is_found),
        WITH_BLOCKS(a_break_in_a_general_pool_is_found),
        WITH_BLOCKS(a_break_in_a_direct_pool_is_found),
        WITH_BLOCKS(a_write_behind_a_direct_block_is_found),
        WITH_BLOCKS(a_slice_that_does_not_lead_to_its_pool_is_found),
        WITH_BLOCKS(a_pool_of_no_layer_is_found),
        WITH_BLOCKS(a_wrong_count_of_dirty_bytes_is_found),
        WITH_BLOCKS(the_heap_is_sound_after_every_hundredth_step_of_random_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
