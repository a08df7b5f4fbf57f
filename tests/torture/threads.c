// SPDX-License-Identifier: MIT
/* threads.c: the random game with several threads that hand blocks to each other.
 *
 * Each thread has its own records, and all share a row of mailboxes. Now and then a thread exchanges one of its
 * records with what lies in a mailbox (one atomic exchange; the record and the block's contents travel with it), so a
 * block is checked, resized and released by threads that did not make it. After each generation all threads end, with
 * blocks of theirs still alive, the heap is verified at rest, and new threads take over the records.
 *
 * DAM_TEST_OPERATIONS sets the operations of each thread, DAM_TEST_SEED their choice (the interleaving stays free). */
#include "inspect/verify.h"
#include "support/memory_use.h"
#include "support/random.h"
#include "support/test.h"
#include "torture/player.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREAD_COUNT = 4, GENERATION_COUNT = 8, RECORDS_EACH = 2500, MAILBOX_COUNT = 200 };
enum { RECORD_COUNT = THREAD_COUNT * RECORDS_EACH + MAILBOX_COUNT };

static struct record records[RECORD_COUNT];
static _Atomic(struct record *) mailboxes[MAILBOX_COUNT];

struct seat {
    pthread_t thread;
    struct player player;
    struct record *mine[RECORDS_EACH];
    size_t operations;
};

static struct seat seats[THREAD_COUNT];
static size_t resident_at_start;

static bool may_travel(const struct record *record) {
    return record->block == NULL || record->heap < HEAP_PRIVATE_FIRST;
}

/* Release publishes the record and the block's contents to whoever takes them; acquire receives what the taker gets. */
static void exchange_one(struct seat *seat) {
    struct record **slot = &seat->mine[random_below(&seat->player.random, RECORDS_EACH)];
    size_t mailbox = random_below(&seat->player.random, MAILBOX_COUNT);
    if (may_travel(*slot))
        *slot = atomic_exchange_explicit(&mailboxes[mailbox], *slot, memory_order_acq_rel);
}

/* The private heap goes with the blocks in it, which only this thread knows. */
static void destroy_private_heap(struct seat *seat) {
    for (size_t i = 0; i < RECORDS_EACH; i++) {
        struct record *record = seat->mine[i];
        if (record->block != NULL && record->heap == HEAP_PRIVATE_FIRST) {
            player_check(&seat->player, record);
            record->block = NULL;
        }
    }
    dam_heap_destroy(seat->player.heaps[HEAP_PRIVATE_FIRST]);
    seat->player.heaps[HEAP_PRIVATE_FIRST] = NULL;
}

static void *play(void *argument) {
    struct seat *seat = argument;
    seat->player.heaps[HEAP_PRIVATE_FIRST] = dam_heap_create();
    CHECK(seat->player.heaps[HEAP_PRIVATE_FIRST] != NULL);
    for (size_t i = 0; i < seat->operations; i++) {
        if (random_below(&seat->player.random, 6) == 0)
            exchange_one(seat);
        player_step(&seat->player, seat->mine[random_below(&seat->player.random, RECORDS_EACH)]);
    }
    destroy_private_heap(seat);
    return NULL;
}

static void deal_records(void) {
    size_t next = 0;
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        for (size_t j = 0; j < RECORDS_EACH; j++)
            seats[i].mine[j] = &records[next++];
    }
    for (size_t i = 0; i < MAILBOX_COUNT; i++)
        atomic_store_explicit(&mailboxes[i], &records[next++], memory_order_relaxed);
}

static void run_generation(void) {
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&seats[i].thread, NULL, play, &seats[i]), 0);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(seats[i].thread, NULL), 0);
}

TEST(blocks_handed_between_threads_lose_no_byte_and_keep_the_heap_sound) {
    uint64_t seed = test_seed("torture.threads");
    size_t operations = test_count("DAM_TEST_OPERATIONS", 500000);
    dam_heap *shared = dam_heap_create();
    assert_non_null(shared);
    deal_records();
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        player_start(&seats[i].player, "torture.threads", seed, i + 1);
        seats[i].player.heaps[HEAP_SHARED] = shared;
        seats[i].player.size_max = 4 * MIB;
        seats[i].player.live_bytes_max = 32 * MIB;
        seats[i].operations = operations / GENERATION_COUNT + 1;
    }
    for (int generation = 0; generation < GENERATION_COUNT; generation++) {
        run_generation();
        player_audit(&seats[0].player, records, RECORD_COUNT);
        assert_int_equal(dam_verify_all(), 0);
    }
    for (size_t i = 0; i < RECORD_COUNT; i++)
        player_release(&seats[0].player, &records[i]);
    dam_heap_destroy(shared);
    assert_int_equal(dam_verify_all(), 0);
}

/* The threads are gone and every block is free: their memory must have found its way back. */
TEST(after_the_game_nothing_is_left_behind) {
    if (!memory_use_is_the_programs_own())
        skip();
    dam_trim();
    assert_true(memory_resident_bytes() < resident_at_start + player_left_behind_max());
}

int main(void) {
    resident_at_start = memory_resident_bytes();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_handed_between_threads_lose_no_byte_and_keep_the_heap_sound),
        cmocka_unit_test(after_the_game_nothing_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
