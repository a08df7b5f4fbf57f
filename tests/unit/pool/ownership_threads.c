// SPDX-License-Identifier: MIT
/* ownership_threads.c: the ownership protocol among threads that hammer a few small pools: no block is lost, none is given
 * out twice, no pool ever has two owners.
 *
 * The pools here are the plainest that can follow the protocol: blocks of one granule, a plain free list that only the owner
 * touches, a list of left-behind pools in front of which a thread looks when it has none. What a layer would do, this file
 * does in the fewest words, so what is tested is pool/ownership.h and pool/shared_pools.h alone. */
#include "pool/ownership.h"

#include "pool/shared_pools.h"
#include "support/random.h"
#include "support/watchdog.h"
#include "unit/support/threads.h"

#define POOL_COUNT 6
#define BLOCKS_PER_POOL 24
#define THREAD_COUNT 4
#define STEPS_PER_THREAD 1000000
#define MAILBOX_COUNT 32

struct block {
    struct block *next;
    _Atomic(int) in_use; /* 1 from being given out to being freed */
    int padding;
};

_Static_assert(sizeof(struct block) == GRANULE_BYTES, "blocks lie at granules");

/* Pools as this test has them. `free` and `live` are plain: only T1 keeps two threads from touching them at once, so a second
 * owner would show here, and ThreadSanitizer would see it, too. */
struct test_pool {
    struct pool pool;
    struct block *free;
    size_t free_count;
    _Atomic(int) owners;
    struct test_pool *next_owned; /* on its owner's list */
};

static struct test_pool pools[POOL_COUNT];
static struct list shared = {&shared, &shared};

/* Blocks on their way from one thread to whichever looks next. */
static _Atomic(struct block *) mailboxes[MAILBOX_COUNT];

static struct test_pool *test_pool_of(struct pool *pool) {
    return container_of(pool, struct test_pool, pool);
}

static struct test_pool *pool_of_block(const struct block *block) {
    for (size_t i = 0; i < POOL_COUNT; i++) {
        if (pool_offset(&pools[i].pool, block) < pools[i].pool.bytes)
            return &pools[i];
    }
    check_failed(__FILE__, __LINE__, "the block lies in a pool");
}

/* ---- What an owner does ------------------------------------------------------------------------------------------ */

struct player {
    struct random random;
    struct test_pool *owned;
    size_t allocated;
    size_t taken_over; /* pools that came by freeing a block into them */
    size_t claimed;    /* pools that came from the shared list */
};

static void begin_owning(struct player *player, struct test_pool *pool) {
    CHECK(atomic_fetch_add(&pool->owners, 1) == 0); /* T1 */
    pool->next_owned = player->owned;
    player->owned = pool;
}

static void stop_owning(struct player *player, struct test_pool *pool) {
    struct test_pool **at = &player->owned;
    while (*at != pool)
        at = &(*at)->next_owned;
    *at = pool->next_owned;
    CHECK(atomic_fetch_sub(&pool->owners, 1) == 1); /* T1 */
}

static bool owns(const struct player *player, const struct test_pool *pool) {
    for (const struct test_pool *owned = player->owned; owned != NULL; owned = owned->next_owned) {
        if (owned == pool)
            return true;
    }
    return false;
}

static void push_free(struct test_pool *pool, struct block *block) {
    block->next = pool->free;
    pool->free = block;
    pool->free_count++;
    CHECK(pool->free_count <= BLOCKS_PER_POOL);
}

static void take_in(struct test_pool *pool) {
    struct remote_stack stack = dam_pool_take_remote(&pool->pool);
    struct block *block = (void *)stack.head;
    for (uint32_t i = 0; i < stack.count; i++) {
        CHECK(block != NULL);
        struct block *next = block->next;
        push_free(pool, block);
        block = next;
    }
    CHECK(block == NULL); /* the count and the links agree */
}

/* The owner's name comes off before the pool is let go; if blocks have arrived it is put back. */
static void try_to_leave(struct player *player, struct test_pool *pool) {
    stop_owning(player, pool);
    bool gone = pool->free_count == 0 ? dam_pool_let_go(&pool->pool) : dam_pool_share(&shared, &pool->pool);
    if (gone)
        return;
    begin_owning(player, pool);
    take_in(pool);
}

static struct block *allocate(struct player *player) {
    struct test_pool *pool = player->owned;
    if (pool == NULL) {
        struct pool *claimed = dam_pool_claim_shared(&shared);
        if (claimed == NULL)
            return NULL;
        pool = test_pool_of(claimed);
        begin_owning(player, pool);
        take_in(pool);
        player->claimed++;
    }
    if (pool->free == NULL)
        take_in(pool);
    if (pool->free == NULL) {
        try_to_leave(player, pool);
        return NULL;
    }
    struct block *block = pool->free;
    pool->free = block->next;
    pool->free_count--;
    CHECK(atomic_exchange(&block->in_use, 1) == 0); /* none twice */
    player->allocated++;
    return block;
}

static void write_link(struct pool *pool, void *block, void *next) {
    (void)pool;
    ((struct block *)block)->next = next;
}

static void release(struct player *player, struct block *block) {
    struct test_pool *pool = pool_of_block(block);
    CHECK(atomic_exchange(&block->in_use, 0) == 1); /* freed once */
    if (owns(player, pool)) {
        push_free(pool, block);
        return;
    }
    if (!dam_pool_push_remote(&pool->pool, block, write_link))
        return;
    begin_owning(player, pool);
    take_in(pool);
    player->taken_over++;
}

/* ---- The game ---------------------------------------------------------------------------------------------------- */

static void step(struct player *player) {
    size_t dice = random_below(&player->random, 16);
    struct block *block = NULL;
    if (dice < 8)
        block = allocate(player);
    if (dice == 15 && player->owned != NULL)
        try_to_leave(player, player->owned);
    /* Whatever we have goes into a mailbox, whatever lay there is freed: mostly somebody else's. */
    block = atomic_exchange(&mailboxes[random_below(&player->random, MAILBOX_COUNT)], block);
    if (block != NULL)
        release(player, block);
}

static void *play(void *argument) {
    struct player *player = argument;
    for (size_t i = 0; i < STEPS_PER_THREAD; i++)
        step(player);
    while (player->owned != NULL)
        try_to_leave(player, player->owned);
    return NULL;
}

static void make_pool(struct test_pool *pool) {
    size_t bytes = BLOCKS_PER_POOL * sizeof(struct block);
    struct block *blocks = aligned_alloc(CACHE_LINE_BYTES, bytes);
    CHECK(blocks != NULL);
    memset(blocks, 0, bytes);
    *pool = (struct test_pool){.pool = {.start = (uintptr_t)blocks, .bytes = bytes}};
    list_init(&pool->pool.shared_link);
    for (size_t i = 0; i < BLOCKS_PER_POOL; i++)
        push_free(pool, &blocks[i]);
    dam_pool_own_new(&pool->pool);
    CHECK(dam_pool_share(&shared, &pool->pool));
}

/* After all threads have left every pool, a last player frees what is still under way and counts. */
static void assert_every_block_is_free_once(void) {
    struct player last = {.owned = NULL};
    for (size_t i = 0; i < MAILBOX_COUNT; i++) {
        struct block *block = atomic_load(&mailboxes[i]);
        if (block != NULL)
            release(&last, block);
    }
    for (size_t i = 0; i < POOL_COUNT; i++) {
        if (!owns(&last, &pools[i])) {
            assert_true(dam_pool_try_claim(&pools[i].pool)); /* T2: it is nobody's and its stack is empty */
            begin_owning(&last, &pools[i]);
        }
        assert_int_equal(pools[i].free_count, BLOCKS_PER_POOL); /* no block lost */
        const struct block *blocks = (const void *)pool_start(&pools[i].pool);
        bool seen[BLOCKS_PER_POOL] = {false};
        size_t count = 0;
        for (const struct block *block = pools[i].free; block != NULL; block = block->next) {
            assert_false(seen[block - blocks]); /* none twice */
            seen[block - blocks] = true;
            count++;
        }
        assert_int_equal(count, BLOCKS_PER_POOL);
        free((void *)pool_start(&pools[i].pool));
    }
}

TEST(no_block_is_lost_or_doubled_and_no_pool_has_two_owners_however_threads_meet) {
    uint64_t seed = test_seed("unit.pool.ownership_threads");
    struct player players[THREAD_COUNT];
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < POOL_COUNT; i++)
        make_pool(&pools[i]);
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        players[i] = (struct player){.random = random_start(seed, i)};
        threads[i] = thread_start(play, &players[i]);
    }
    size_t allocated = 0;
    size_t changes_of_owner = 0;
    for (size_t i = 0; i < THREAD_COUNT; i++) {
        thread_join(threads[i]);
        allocated += players[i].allocated;
        changes_of_owner += players[i].taken_over + players[i].claimed;
    }
    assert_true(allocated > STEPS_PER_THREAD / 10); /* it was no idle game */
    assert_true(changes_of_owner > POOL_COUNT);
    assert_every_block_is_free_once();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_block_is_lost_or_doubled_and_no_pool_has_two_owners_however_threads_meet),
    };
    watchdog_start("unit.pool.ownership_threads");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
