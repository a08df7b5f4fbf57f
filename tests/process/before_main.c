// SPDX-License-Identifier: MIT
/* before_main.c: allocation before main, at each of the stages a program passes on its way there.
 *
 *   resolver       an indirect function's resolver runs while the dynamic linker still relocates: no constructor of
 *                  any library has run, and the thread's variables get their initial values once more afterwards
 *   preinit_array  before the constructors of all libraries, DAM's own among them
 *   library        the constructor of a library, which may run before DAM's
 *   priority 101   the first constructor of the program
 *   constructor    the program's ordinary ones
 *
 * main then finds every block of every stage whole, resizes it and releases it, from this thread and from another. */
#include "process/before_main_library.h"
#include "process/stages.h"
#include "support/on_dam.h"

#include <pthread.h>

static struct stage resolver_stage, preinit_stage, first_stage, ordinary_stage;

/* ---- The stages, in their order ---------------------------------------------------------------------------------- */

static int answer(void) {
    return 42;
}

__attribute__((used)) static int (*resolve_answer(void))(void) {
    stage_use(&resolver_stage, 1);
    return answer;
}

int indirect_answer(void) __attribute__((ifunc("resolve_answer")));

static void use_in_preinit(int argc, char **argv, char **environment) {
    (void)argc;
    (void)argv;
    (void)environment;
    stage_use(&preinit_stage, 2);
}

__attribute__((section(".preinit_array"), used)) static void (*preinit_entry)(int, char **, char **) = use_in_preinit;

__attribute__((constructor(101))) static void use_in_first_constructor(void) {
    stage_use(&first_stage, 3);
}

__attribute__((constructor)) static void use_in_ordinary_constructor(void) {
    stage_use(&ordinary_stage, 4);
}

/* ---- What main finds --------------------------------------------------------------------------------------------- */

TEST(every_stage_before_main_could_allocate) {
    assert_int_equal(indirect_answer(), 42);
    assert_true(resolver_stage.uses >= 1);
    assert_int_equal(preinit_stage.uses, 1);
    assert_int_equal(before_main_library_stage()->uses, 1);
    assert_int_equal(first_stage.uses, 1);
    assert_int_equal(ordinary_stage.uses, 1);
}

TEST(blocks_from_before_main_keep_their_contents_and_can_be_resized) {
    struct {
        struct stage *stage;
        uint64_t id;
    } stages[] = {{&resolver_stage, 1}, {&preinit_stage, 2}, {&first_stage, 3}, {&ordinary_stage, 4}};
    for (size_t i = 0; i < COUNT_OF(stages); i++) {
        stage_check(stages[i].stage, stages[i].id);
        for (size_t j = 0; j < STAGE_BLOCK_COUNT; j += 2) {
            size_t size = SIZES_OF_EVERY_LAYER[j];
            unsigned char *larger = realloc(stages[i].stage->blocks[j], size * 2);
            assert_non_null(larger);
            assert_true(pattern_holds(larger, size, pattern_key(stages[i].id, j)));
            memset(larger, 0x3C, size * 2);
            stages[i].stage->blocks[j] = NULL;
            free(larger);
        }
    }
}

static void *release_stages(void *unused) {
    (void)unused;
    stage_release(&resolver_stage, 1);
    stage_release(&preinit_stage, 2);
    return NULL;
}

TEST(blocks_from_before_main_can_be_released_by_any_thread) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, release_stages, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    stage_release(&first_stage, 3);
    stage_release(&ordinary_stage, 4);
    stage_release(before_main_library_stage(), BEFORE_MAIN_LIBRARY_ID);
}

int main(void) {
    require_malloc_to_be_dam();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_stage_before_main_could_allocate),
        cmocka_unit_test(blocks_from_before_main_keep_their_contents_and_can_be_resized),
        cmocka_unit_test(blocks_from_before_main_can_be_released_by_any_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
