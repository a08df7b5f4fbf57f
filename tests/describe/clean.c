// SPDX-License-Identifier: MIT
/* clean.c: a program on DAM without errors, for tools to find nothing in: threads that come and go, blocks that other
 * threads release, calls of every kind in every layer, realloc from each to each, heaps of its own, dam_trim, and fork
 * in the middle of it all. What it takes is released in the end, or still in its hands, so there is nothing lost to be
 * found, either.
 *
 * Blocks that wait for another thread stand in the market: places for one block each, which whoever comes by fills,
 * empties or resizes. */
#include "dam/dam.h"
#include "support/layers.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/test.h"
#include "support/watchdog.h"

#include <pthread.h>
#include <sys/wait.h>

enum { THREAD_COUNT = 4, ROUND_COUNT = 3, STEP_COUNT = 600, STALL_COUNT = 64, SIZE_MAX_HERE = 400000 };

struct stall {
    pthread_mutex_t lock;
    unsigned char *block;
    size_t size;
    uint64_t key;
};

static struct stall market[STALL_COUNT];

/* Blocks of every layer that live until the end, for the summary at exit to see. */
static unsigned char *kept[COUNT_OF(SIZES_OF_EVERY_LAYER)];
static uint64_t seed;

/* ---- One block --------------------------------------------------------------------------------------------------- */

static size_t any_size(struct random *random) {
    size_t size = random_size(random, SIZE_MAX_HERE);
    return size == 0 ? 1 : size;
}

static unsigned char *allocate(struct random *random, size_t size) {
    size_t alignment = (size_t)16 << random_below(random, 9);
    unsigned char *block;
    switch (random_below(random, 4)) {
    case 0:
        block = dam_calloc(1, size);
        CHECK(block != NULL && all_bytes_are(block, size, 0));
        return block;
    case 1:
        block = dam_aligned_alloc(alignment, size);
        CHECK(block != NULL && is_aligned(block, alignment));
        return block;
    default:
        block = dam_malloc(size);
        CHECK(block != NULL);
        return block;
    }
}

static void fill(struct stall *stall, struct random *random) {
    stall->size = any_size(random);
    stall->key = random_next(random);
    stall->block = allocate(random, stall->size);
    CHECK(dam_malloc_usable_size(stall->block) >= stall->size);
    pattern_fill(stall->block, stall->size, stall->key);
}

static void empty(struct stall *stall) {
    CHECK(pattern_holds(stall->block, stall->size, stall->key));
    if (stall->size % 2 == 0)
        dam_free_sized(stall->block, stall->size);
    else
        dam_free(stall->block);
    stall->block = NULL;
}

static void resize(struct stall *stall, struct random *random) {
    size_t size = any_size(random);
    stall->block = dam_realloc(stall->block, size);
    CHECK(stall->block != NULL);
    CHECK(pattern_holds(stall->block, smaller_of(size, stall->size), stall->key));
    pattern_fill(stall->block, size, stall->key);
    stall->size = size;
}

/* Resizing in place may be refused; what it gives is the program's. */
static void expand(struct stall *stall) {
    if (!dam_expand(stall->block, stall->size + 8))
        return;
    stall->size += 8;
    pattern_fill(stall->block, stall->size, stall->key);
}

static void visit(struct stall *stall, struct random *random) {
    if (stall->block == NULL)
        fill(stall, random);
    else if (random_below(random, 4) == 0)
        expand(stall);
    else if (random_below(random, 2) == 0)
        resize(stall, random);
    else
        empty(stall);
}

/* ---- Heaps ------------------------------------------------------------------------------------------------------- */

/* Half of its blocks are released one by one, the others with the heap. */
static void use_heap(void) {
    dam_heap *heap = dam_heap_create();
    CHECK(heap != NULL);
    for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = dam_heap_malloc(heap, size);
        CHECK(block != NULL);
        pattern_fill(block, size, i);
        block = dam_heap_realloc(heap, block, size + size / 2 + 1);
        CHECK(block != NULL && pattern_holds(block, size, i));
        unsigned char *zeroed = dam_heap_calloc(heap, 1, size);
        CHECK(zeroed != NULL && all_bytes_are(zeroed, size, 0));
        dam_free(i % 2 == 0 ? block : zeroed);
    }
    dam_heap_destroy(heap);
}

/* ---- Threads and children ---------------------------------------------------------------------------------------- */

static void trade(struct random *random, int steps) {
    for (int i = 0; i < steps; i++) {
        struct stall *stall = &market[random_below(random, STALL_COUNT)];
        pthread_mutex_lock(&stall->lock);
        visit(stall, random);
        pthread_mutex_unlock(&stall->lock);
    }
}

static void *live(void *number) {
    struct random random = random_start(seed, (uintptr_t)number);
    trade(&random, STEP_COUNT / 2);
    use_heap();
    dam_trim();
    trade(&random, STEP_COUNT / 2);
    return NULL;
}

/* Only this thread goes on in the child, so only what is locked by nobody is sure to be whole. In the end the child
 * becomes another program: if it exited, the tools would look for what the other threads held in their hands. What they
 * find before, they say at once. */
static _Noreturn void live_as_child(uint64_t number) {
    watchdog_start("the child");
    struct random random = random_start(seed, 1000 + number);
    for (size_t i = 0; i < STALL_COUNT; i++) {
        if (pthread_mutex_trylock(&market[i].lock) == 0)
            visit(&market[i], &random);
    }
    use_heap();
    dam_trim();
    execl("/bin/true", "true", (char *)NULL);
    check_failed(__FILE__, __LINE__, "there is a /bin/true");
}

static void fork_a_child(uint64_t number) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        live_as_child(number);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void live_one_round(uint64_t round) {
    pthread_t threads[THREAD_COUNT];
    for (uint64_t i = 0; i < THREAD_COUNT; i++)
        CHECK(pthread_create(&threads[i], NULL, live, (void *)(uintptr_t)(round * THREAD_COUNT + i)) == 0);
    fork_a_child(round);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

int main(void) {
    seed = test_seed("clean");
    for (size_t i = 0; i < STALL_COUNT; i++)
        CHECK(pthread_mutex_init(&market[i].lock, NULL) == 0);
    watchdog_start("the whole");
    for (uint64_t round = 0; round < ROUND_COUNT; round++)
        live_one_round(round);
    for (size_t i = 0; i < STALL_COUNT; i++) {
        if (market[i].block != NULL)
            empty(&market[i]);
    }
    dam_trim();
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        CHECK((kept[i] = dam_malloc(SIZES_OF_EVERY_LAYER[i])) != NULL);
    CHECK(opaque_pointer(kept) == kept); /* or the compiler would see that nobody reads it */
    return 0;
}
