// SPDX-License-Identifier: MIT
/* os_refusals.c: a system that refuses any call at any time.
 *
 * A workload over all entry points and layers is run again and again; each time another of its calls to the system is
 * refused: the first, the second, ... until a run makes fewer calls than that. Then every call from a certain one on,
 * and then calls at random under the torture game. Whatever is refused:
 *
 *   an allocation succeeds, or gives NULL with ENOMEM and leaves what it should have resized whole
 *   a release succeeds and keeps errno
 *   the heap's invariants hold
 *   the same workload succeeds afterwards, and what was mapped comes back
 *
 * Once in children that have never allocated before (the very first calls are refused too), once in one long-lived
 * process (what is lost each time adds up). */
#include "dam/dam.h"
#include "inspect/verify.h"
#include "support/child.h"
#include "support/layers.h"
#include "support/os_faulty.h"
#include "support/pattern.h"
#include "support/random.h"
#include "support/test.h"
#include "torture/player.h"

static const size_t SIZES[] = {1, 100, 256, 257, 5000, 65536, 65537, 400000, 1100000, 2000000};

enum { SIZE_COUNT = COUNT_OF(SIZES), WAY_COUNT = 8, CALLS_MAX = 100000 };

/* ---- The workload ------------------------------------------------------------------------------------------------ */

/* How many allocations of the run were refused. */
static size_t refusals;

static void *note(void *block) {
    if (block == NULL) {
        CHECK(errno == ENOMEM);
        refusals++;
    } else {
        CHECK(errno == ERRNO_MARK);
    }
    return block;
}

static void *posix_aligned(size_t size) {
    char here = 0;
    void *block = &here;
    int answer = dam_posix_memalign(&block, 4096, size);
    CHECK(errno == ERRNO_MARK);
    if (answer == 0)
        return block;
    CHECK(answer == ENOMEM && block == &here);
    errno = answer;
    return NULL;
}

static void *allocate(size_t way, dam_heap *heap, size_t size) {
    errno = ERRNO_MARK;
    switch (way) {
    case 0:
        return note(dam_malloc(size));
    case 1:
        return note(dam_calloc(1, size));
    case 2:
        return note(dam_realloc(NULL, size));
    case 3:
        return note(dam_aligned_alloc(65536, size));
    case 4:
        return note(dam_aligned_alloc(2 * MIB, size));
    case 5:
        return note(posix_aligned(size));
    case 6:
        return heap == NULL ? NULL : note(dam_heap_malloc(heap, size));
    default:
        return heap == NULL ? NULL : note(dam_heap_aligned_alloc(heap, 1024, size));
    }
}

static void release(void *block) {
    errno = ERRNO_MARK;
    dam_free(block);
    CHECK(errno == ERRNO_MARK);
}

struct held {
    unsigned char *block;
    size_t size;
    uint64_t key;
};

static void hold(struct held *held, unsigned char *block, size_t size, uint64_t id) {
    held->block = block;
    held->size = size;
    held->key = pattern_key(14, id);
    if (block != NULL)
        pattern_fill(block, size, held->key);
}

static void check(const struct held *held) {
    if (held->block != NULL)
        CHECK(pattern_holds(held->block, held->size, held->key));
}

static void resize(struct held *held, dam_heap *heap, size_t new_size) {
    if (held->block == NULL)
        return;
    errno = ERRNO_MARK;
    unsigned char *block =
        note(heap == NULL ? dam_realloc(held->block, new_size) : dam_heap_realloc(heap, held->block, new_size));
    if (block == NULL) {
        check(held);
        return;
    }
    CHECK(pattern_holds(block, smaller_of(held->size, new_size), held->key));
    hold(held, block, new_size, new_size);
}

static void expand(struct held *held, size_t new_size) {
    if (held->block == NULL)
        return;
    errno = ERRNO_MARK;
    if (dam_expand(held->block, new_size)) {
        CHECK(pattern_holds(held->block, smaller_of(held->size, new_size), held->key));
        hold(held, held->block, new_size, new_size);
    }
    CHECK(errno == ERRNO_MARK);
    check(held);
}

static struct held blocks[WAY_COUNT][SIZE_COUNT];

/* Most of a run's time is the touching of large blocks, and the ways differ little in how they reach those. */
static bool is_worth_trying(size_t way, size_t size) {
    return size <= MIB || way % 3 == 0;
}

static void allocate_in_every_way(dam_heap *heap) {
    for (size_t way = 0; way < WAY_COUNT; way++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            unsigned char *block = is_worth_trying(way, SIZES[i]) ? allocate(way, heap, SIZES[i]) : NULL;
            if (way == 1 && block != NULL)
                CHECK(all_bytes_are(block, SIZES[i], 0));
            hold(&blocks[way][i], block, SIZES[i], way * SIZE_COUNT + i);
        }
    }
}

/* Every size grows and shrinks, within its layer and to others. */
static void resize_all(dam_heap *heap) {
    for (size_t way = 0; way < WAY_COUNT; way++) {
        dam_heap *of_heap = way >= 6 ? heap : NULL;
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            size_t other = SIZES[(i * 3 + way) % SIZE_COUNT];
            resize(&blocks[way][i], of_heap, SIZES[i] * 2);
            expand(&blocks[way][i], SIZES[i] / 2 + 1);
            expand(&blocks[way][i], SIZES[i] + SIZES[i] / 3);
            if (is_worth_trying(way, other))
                resize(&blocks[way][i], of_heap, other);
            check(&blocks[way][i]);
        }
    }
}

/* Leaves the blocks of the heap to its end. */
static void release_all_but_the_heaps(void) {
    for (size_t way = 0; way < WAY_COUNT; way++) {
        for (size_t i = 0; i < SIZE_COUNT; i++) {
            check(&blocks[way][i]);
            if (way < 6)
                release(blocks[way][i].block);
        }
    }
}

static void run_workload(void) {
    refusals = 0;
    errno = ERRNO_MARK;
    dam_heap *heap = note(dam_heap_create());
    allocate_in_every_way(heap);
    errno = ERRNO_MARK;
    (void)dam_trim();
    CHECK(errno == ERRNO_MARK);
    resize_all(heap);
    release_all_but_the_heaps();
    errno = ERRNO_MARK;
    dam_heap_destroy(heap);
    (void)dam_trim();
    CHECK(errno == ERRNO_MARK);
}

/* With a system that refuses nothing, nothing may fail, and the heap must be sound. */
static void run_workload_undisturbed(void) {
    os_faulty_refuse_nothing();
    run_workload();
    CHECK(refusals == 0);
    CHECK(dam_verify_all() == 0);
}

static void look_for_functions_never_called(void *unused) {
    (void)unused;
    run_workload_undisturbed();
    const char *name = os_faulty_never_called();
    if (name != NULL)
        fprintf(stderr, "%s is never called\n", name);
    CHECK(name == NULL);
}

TEST(the_workload_asks_the_system_for_everything_it_can_refuse) {
    struct child_result result = child_run(look_for_functions_never_called, NULL, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 0));
}

/* ---- One call refused, in a process that has never allocated before -----------------------------------------------
 */

#define EXIT_RUN_MADE_FEWER_CALLS 3

static void refuse_one_call(void *argument) {
    size_t nth = *(const size_t *)argument;
    os_faulty_refuse_call(nth);
    run_workload();
    size_t calls = os_faulty_calls();
    os_faulty_refuse_nothing();
    CHECK(dam_verify_all() == 0);
    run_workload_undisturbed();
    if (calls < nth)
        _exit(EXIT_RUN_MADE_FEWER_CALLS);
}

static void refuse_from_a_call_on(void *argument) {
    size_t nth = *(const size_t *)argument;
    os_faulty_refuse_from(nth);
    run_workload();
    size_t calls = os_faulty_calls();
    os_faulty_refuse_nothing();
    CHECK(dam_verify_all() == 0);
    run_workload_undisturbed();
    if (calls < nth)
        _exit(EXIT_RUN_MADE_FEWER_CALLS);
}

static void refuse_each_call_in_turn(void (*body)(void *)) {
    size_t nth = 1;
    for (;; nth++) {
        assert_true(nth < CALLS_MAX);
        struct child_result result = child_run(body, &nth, CHILD_STDERR, 120);
        if (result.status == EXIT_RUN_MADE_FEWER_CALLS << 8)
            break;
        if (!child_exited_with(&result, 0))
            fail_msg("with call number %zu refused", nth);
    }
    printf("the workload makes %zu calls to the system\n", nth - 1);
    assert_true(nth > 50);
}

TEST(a_fresh_process_copes_with_the_refusal_of_any_one_call) {
    refuse_each_call_in_turn(refuse_one_call);
}

TEST(a_fresh_process_copes_with_the_refusal_of_all_calls_from_any_one_on) {
    refuse_each_call_in_turn(refuse_from_a_call_on);
}

/* ---- One call refused, again and again in one process -------------------------------------------------------------
 */

/* What may stay mapped beyond what an undisturbed run leaves: the system refused to take it back, and only a later run
 * will offer it again. */
#define LEFT_MAPPED_MAX (32 * MIB)

static void refuse_each_call_in_turn_here(void *unused) {
    (void)unused;
    run_workload_undisturbed();
    run_workload_undisturbed();
    size_t mapped_before = os_faulty_mapped_bytes();
    for (size_t nth = 1;; nth++) {
        CHECK(nth < CALLS_MAX);
        os_faulty_refuse_call(nth);
        run_workload();
        size_t calls = os_faulty_calls();
        os_faulty_refuse_nothing();
        CHECK(dam_verify_all() == 0);
        if (calls < nth)
            break;
    }
    run_workload_undisturbed();
    CHECK(os_faulty_mapped_bytes() <= mapped_before + LEFT_MAPPED_MAX);
}

TEST(a_long_lived_process_loses_nothing_to_refusals) {
    struct child_result result = child_run(refuse_each_call_in_turn_here, NULL, CHILD_STDERR, 1000);
    assert_true(child_exited_with(&result, 0));
}

/* ---- Calls refused at random, under the torture game --------------------------------------------------------------
 */

enum { RECORD_COUNT = 2000 };

static struct record records[RECORD_COUNT];

static void play_against_a_moody_system(struct player *player, size_t one_in, size_t operations) {
    os_faulty_refuse_randomly(player->seed, one_in);
    for (size_t i = 0; i < operations; i++)
        player_step(player, &records[random_below(&player->random, RECORD_COUNT)]);
    os_faulty_refuse_nothing();
    player_audit(player, records, RECORD_COUNT);
    CHECK(dam_verify_all() == 0);
}

static void play_and_release(void *argument) {
    uint64_t seed = *(const uint64_t *)argument;
    struct player player;
    size_t operations = test_count("DAM_TEST_OPERATIONS", 60000);
    run_workload_undisturbed();
    size_t mapped_before = os_faulty_mapped_bytes();
    player_start(&player, "os_refusals", seed, 0);
    player.refusals_allowed = true;
    for (int heap = HEAP_SHARED; heap < HEAP_COUNT; heap++)
        player.heaps[heap] = dam_heap_create();
    static const size_t ONE_IN[] = {1, 2, 5, 20, 200};
    for (size_t i = 0; i < COUNT_OF(ONE_IN); i++)
        play_against_a_moody_system(&player, ONE_IN[i], operations);
    CHECK(player.refused > 0);
    os_faulty_refuse_randomly(seed, 2);
    for (int heap = HEAP_SHARED; heap < HEAP_COUNT; heap++)
        player_destroy_heap(&player, heap, records, RECORD_COUNT);
    for (size_t i = 0; i < RECORD_COUNT; i++)
        player_release(&player, &records[i]);
    os_faulty_refuse_nothing();
    (void)dam_trim();
    CHECK(dam_verify_all() == 0);
    run_workload_undisturbed();
    CHECK(os_faulty_mapped_bytes() <= mapped_before + 2 * player.live_bytes_max + LEFT_MAPPED_MAX);
}

TEST(a_random_game_against_a_system_that_refuses_at_random_keeps_every_byte) {
    uint64_t seed = test_seed("os_refusals");
    struct child_result result = child_run(play_and_release, &seed, CHILD_STDERR, 1000);
    assert_true(child_exited_with(&result, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_workload_asks_the_system_for_everything_it_can_refuse),
        cmocka_unit_test(a_fresh_process_copes_with_the_refusal_of_any_one_call),
        cmocka_unit_test(a_fresh_process_copes_with_the_refusal_of_all_calls_from_any_one_on),
        cmocka_unit_test(a_long_lived_process_loses_nothing_to_refusals),
        cmocka_unit_test(a_random_game_against_a_system_that_refuses_at_random_keeps_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
