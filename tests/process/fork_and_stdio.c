// SPDX-License-Identifier: MIT
/* fork_and_stdio.c: fork never waits for a thread inside stdio that waits for malloc.
 *
 * The deadlock that must not be, seen with allocators that hold their locks across fork:
 *
 *   forker     fork's handlers have taken the allocator's locks; fork itself waits for the list of open files
 *   flusher    fflush(NULL) holds the list of open files; waits for one file's lock
 *   writers    hold the locks of files; wait inside malloc for the allocator's locks
 *
 * The writers here allocate while they hold a file's lock, each in another way. The watchdog speaks up when nothing
 * moves any more. */
#include "support/on_dam.h"
#include "support/random.h"
#include "support/test.h"
#include "support/watchdog.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { CHILD_SECONDS = 120 };

static atomic_bool stop;

static bool stopped(void) {
    return atomic_load_explicit(&stop, memory_order_relaxed);
}

/* The buffer of the stream grows by malloc and free inside fwrite. */
static void *write_to_memory_streams(void *unused) {
    char chunk[700];
    memset(chunk, 'm', sizeof chunk);
    while (!stopped()) {
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);
        CHECK(stream != NULL);
        for (int i = 0; i < 200; i++)
            CHECK(fwrite(chunk, 1, sizeof chunk, stream) == sizeof chunk);
        CHECK(fclose(stream) == 0);
        CHECK(length == 200 * sizeof chunk && text[length - 1] == 'm');
        free(text);
    }
    return unused;
}

/* Lines longer and longer: getline calls realloc with the file locked. */
static void *read_long_lines(void *unused) {
    FILE *file = tmpfile();
    CHECK(file != NULL);
    for (int length = 1; length < 60000; length *= 3)
        CHECK(fprintf(file, "%0*d\n", length, 7) == length + 1);
    while (!stopped()) {
        char *line = NULL;
        size_t room = 0;
        rewind(file);
        while (getline(&line, &room, file) > 0)
            CHECK(line[0] == '0' || line[0] == '7');
        CHECK(ferror(file) == 0);
        free(line);
    }
    CHECK(fclose(file) == 0);
    return unused;
}

/* A stream and its buffer are malloc blocks; opening and closing changes the list of open files. */
static void *open_and_close_files(void *unused) {
    while (!stopped()) {
        FILE *file = fopen("/dev/null", "w");
        CHECK(file != NULL);
        CHECK(fputs("one line", file) >= 0);
        CHECK(fclose(file) == 0);
    }
    return unused;
}

/* The locks of libc are not fair: without a pause between two calls, the next to get a lock is who just had it. */
static void let_others_have_the_lock(void) {
    CHECK(usleep(100) == 0);
}

/* So many digits need a work area from malloc, taken while the shared file is locked. */
static void *print_wide_numbers(void *argument) {
    FILE *shared = argument;
    while (!stopped()) {
        CHECK(fprintf(shared, "%.*f|%0*d\n", 3000, 1.0 / 3, 9000, 1) > 0);
        let_others_have_the_lock();
    }
    return NULL;
}

static void *flush_all_files(void *unused) {
    while (!stopped()) {
        CHECK(fflush(NULL) == 0);
        let_others_have_the_lock();
    }
    return unused;
}

/* ---- The forking thread ------------------------------------------------------------------------------------------ */

static _Noreturn void live_as_child(void) {
    signal(SIGALRM, SIG_DFL);
    alarm(CHILD_SECONDS);
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    CHECK(stream != NULL);
    CHECK(fprintf(stream, "%.*f", 5000, 2.0 / 3) > 5000);
    CHECK(fclose(stream) == 0);
    free(text);
    void *block = malloc(100000);
    CHECK(block != NULL);
    free(block);
    _exit(0);
}

static void fork_once(void) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        live_as_child();
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        CHECK(errno == EINTR);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(fork_does_not_deadlock_with_threads_that_allocate_inside_stdio) {
    FILE *shared = fopen("/dev/null", "w");
    assert_non_null(shared);
    struct {
        void *(*body)(void *);
        void *argument;
    } kinds[] = {
        {write_to_memory_streams, NULL}, {read_long_lines, NULL},      {open_and_close_files, NULL},
        {print_wide_numbers, shared},    {print_wide_numbers, shared}, {flush_all_files, NULL},
    };
    pthread_t threads[COUNT_OF(kinds)];
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, kinds[i].body, kinds[i].argument), 0);
    size_t rounds = test_count("DAM_TEST_FORKS", 600);
    for (size_t round = 0; round < rounds; round++)
        fork_once();
    atomic_store(&stop, true);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(fclose(shared), 0);
}

int main(void) {
    require_malloc_to_be_dam();
    watchdog_start("fork beside threads inside stdio");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fork_does_not_deadlock_with_threads_that_allocate_inside_stdio),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
