// SPDX-License-Identifier: MIT
/* single.c: millions of random operations in one thread, over every entry point and every layer.
 *
 * Every block is compared in full when it is resized or released, all of them at audits, and the heap's own verifier
 * runs as the game goes. DAM_TEST_OPERATIONS sets how many operations, DAM_TEST_SEED which. */
#include "inspect/verify.h"
#include "support/memory_use.h"
#include "support/random.h"
#include "support/test.h"
#include "torture/player.h"

enum { RECORD_COUNT = 20000, AUDIT_COUNT = 25 };

static struct record records[RECORD_COUNT];
static struct player player;
static size_t resident_at_start;

static void create_missing_heaps(void) {
    for (int heap = HEAP_SHARED; heap < HEAP_COUNT; heap++) {
        if (player.heaps[heap] == NULL)
            player.heaps[heap] = dam_heap_create();
        assert_non_null(player.heaps[heap]);
    }
}

static void destroy_all_heaps(void) {
    for (int heap = HEAP_SHARED; heap < HEAP_COUNT; heap++)
        player_destroy_heap(&player, heap, records, RECORD_COUNT);
}

static void release_all(void) {
    for (size_t i = 0; i < RECORD_COUNT; i++)
        player_release(&player, &records[i]);
}

static void audit(void) {
    player_audit(&player, records, RECORD_COUNT);
    assert_int_equal(dam_verify_all(), 0);
}

/* Between audits one heap goes with all its blocks, and a new one takes its place. */
static void play(size_t operations) {
    size_t per_audit = operations / AUDIT_COUNT + 1;
    for (size_t i = 1; i <= operations; i++) {
        player_step(&player, &records[random_below(&player.random, RECORD_COUNT)]);
        if (i % per_audit == 0) {
            audit();
            int heap = HEAP_SHARED + (int)random_below(&player.random, HEAP_COUNT - HEAP_SHARED);
            player_destroy_heap(&player, heap, records, RECORD_COUNT);
            create_missing_heaps();
        }
    }
}

TEST(random_operations_over_all_layers_lose_no_byte_and_keep_the_heap_sound) {
    player_start(&player, "torture.single", test_seed("torture.single"), 0);
    create_missing_heaps();
    play(test_count("DAM_TEST_OPERATIONS", 2000000));
    audit();
    release_all();
    destroy_all_heaps();
    assert_int_equal(dam_verify_all(), 0);
}

/* Few blocks, so that pools fill and empty all the time and memory wanders between the layers. */
TEST(random_operations_on_few_blocks_empty_the_heap_again_and_again) {
    enum { FEW = 60 };
    player_start(&player, "torture.single.few", test_seed("torture.single.few"), 0);
    size_t operations = test_count("DAM_TEST_OPERATIONS", 2000000) / 10;
    for (size_t i = 0; i < operations; i++) {
        player_step(&player, &records[random_below(&player.random, FEW)]);
        if (i % 5000 == 4999) {
            player_audit(&player, records, FEW);
            release_all();
            if (random_below(&player.random, 2) == 0)
                dam_trim();
            assert_int_equal(dam_verify_all(), 0);
        }
    }
    release_all();
}

/* What the game held is free, so all of it can be given back: what remains is what the program began with, and the
 * bookkeeping. */
TEST(after_the_game_nothing_is_left_behind) {
    if (!memory_use_is_the_programs_own())
        skip();
    dam_trim();
    assert_true(memory_resident_bytes() < resident_at_start + player_left_behind_max());
}

int main(void) {
    resident_at_start = memory_resident_bytes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_operations_over_all_layers_lose_no_byte_and_keep_the_heap_sound),
        cmocka_unit_test(random_operations_on_few_blocks_empty_the_heap_again_and_again),
        cmocka_unit_test(after_the_game_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
