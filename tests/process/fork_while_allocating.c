// SPDX-License-Identifier: MIT
/* fork_while_allocating.c: threads fork while others are in the middle of malloc and free.
 *
 * The child has one thread and a copy of everything, including blocks of threads that do not exist in it. It must be
 * able to allocate in every layer, to check, resize and release what it inherited, to start threads of its own, and to
 * fork again. */
#include "support/child.h"
#include "support/layers.h"
#include "support/on_dam.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/test.h"
#include "support/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { ALLOCATOR_COUNT = 3, FORKER_COUNT = 2, SHELF_COUNT = 300, CHILD_SECONDS = 120 };

/* The blocks that all threads exchange, each beginning with this. A block on the shelf is complete. */
struct header {
    size_t size;
    uint64_t key;
};

static _Atomic(struct header *) shelf[SHELF_COUNT];
static atomic_bool stop;

static struct header *new_block(struct random *random) {
    size_t size = sizeof(struct header) + random_size(random, 300000);
    struct header *block = malloc(size);
    CHECK(block != NULL);
    block->size = size;
    block->key = random_next(random);
    pattern_fill(block + 1, size - sizeof *block, block->key);
    return block;
}

static void check_and_free(struct header *block) {
    if (block == NULL)
        return;
    CHECK(pattern_holds(block + 1, block->size - sizeof *block, block->key));
    free(block);
}

/* Release and acquire: the block's contents travel with its address. */
static struct header *exchange(size_t place, struct header *block) {
    return atomic_exchange_explicit(&shelf[place], block, memory_order_acq_rel);
}

static void *allocate_until_told_to_stop(void *argument) {
    struct random random = random_start(1, (uintptr_t)argument);
    while (!atomic_load_explicit(&stop, memory_order_relaxed))
        check_and_free(exchange(random_below(&random, SHELF_COUNT), new_block(&random)));
    return NULL;
}

/* ---- The child --------------------------------------------------------------------------------------------------- */

static void use_every_layer(void) {
    for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = malloc(size);
        CHECK(block != NULL);
        block[0] = block[size - 1] = 1;
        block = realloc(block, size * 2);
        CHECK(block != NULL && block[0] == 1 && block[size - 1] == 1);
        free(block);
    }
}

static void release_inherited_blocks(struct random *random) {
    for (size_t i = 0; i < SHELF_COUNT; i++) {
        struct header *block = exchange(i, NULL);
        if (block != NULL && random_below(random, 3) == 0) {
            size_t size = block->size;
            block = realloc(block, size + 1000);
            CHECK(block != NULL && block->size == size);
        }
        check_and_free(block);
    }
}

static void *play_for_a_while(void *argument) {
    struct random random = random_start(2, (uintptr_t)argument);
    for (int i = 0; i < 100; i++)
        check_and_free(exchange(random_below(&random, SHELF_COUNT), new_block(&random)));
    return NULL;
}

static void run_threads_of_its_own(void) {
    pthread_t threads[2];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, play_for_a_while, (void *)(i + 1)) == 0);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

static void wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static _Noreturn void live_as_child(uint64_t round) {
    signal(SIGALRM, SIG_DFL);
    alarm(CHILD_SECONDS);
    struct random random = random_start(3, round);
    use_every_layer();
    release_inherited_blocks(&random);
    if (round % 8 == 0)
        run_threads_of_its_own();
    use_every_layer();
    if (round % 8 == 1) {
        pid_t grandchild = fork();
        CHECK(grandchild >= 0);
        if (grandchild != 0)
            wait_for(grandchild);
        use_every_layer();
    }
    _exit(0);
}

/* ---- The parent -------------------------------------------------------------------------------------------------- */

struct forker {
    pthread_t thread;
    uint64_t number;
    size_t rounds;
};

static void *fork_again_and_again(void *argument) {
    const struct forker *forker = argument;
    struct random random = random_start(4, forker->number);
    for (uint64_t round = 0; round < forker->rounds; round++) {
        check_and_free(exchange(random_below(&random, SHELF_COUNT), new_block(&random)));
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            live_as_child(round);
        check_and_free(exchange(random_below(&random, SHELF_COUNT), new_block(&random)));
        wait_for(child);
    }
    return NULL;
}

TEST(a_child_forked_in_the_middle_of_allocations_allocates_and_frees_freely) {
    pthread_t allocators[ALLOCATOR_COUNT];
    struct forker forkers[FORKER_COUNT];
    size_t rounds = test_count("DAM_TEST_FORKS", 300) / FORKER_COUNT + 1;
    for (size_t i = 0; i < ALLOCATOR_COUNT; i++)
        assert_int_equal(pthread_create(&allocators[i], NULL, allocate_until_told_to_stop, (void *)(i + 1)), 0);
    for (size_t i = 0; i < FORKER_COUNT; i++) {
        forkers[i].number = i;
        forkers[i].rounds = rounds;
        assert_int_equal(pthread_create(&forkers[i].thread, NULL, fork_again_and_again, &forkers[i]), 0);
    }
    for (size_t i = 0; i < FORKER_COUNT; i++)
        assert_int_equal(pthread_join(forkers[i].thread, NULL), 0);
    atomic_store(&stop, true);
    for (size_t i = 0; i < ALLOCATOR_COUNT; i++)
        assert_int_equal(pthread_join(allocators[i], NULL), 0);
    for (size_t i = 0; i < SHELF_COUNT; i++)
        check_and_free(exchange(i, NULL));
}

int main(void) {
    require_malloc_to_be_dam();
    watchdog_start("fork while other threads allocate");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_forked_in_the_middle_of_allocations_allocates_and_frees_freely),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
