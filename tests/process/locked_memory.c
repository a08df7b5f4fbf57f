// SPDX-License-Identifier: MIT
/* locked_memory.c: in a process whose memory is locked (mlockall), madvise(MADV_DONTNEED) fails. free keeps errno all
 * the same, and memory that could not be given back is not taken for zeroed: calloc still is zero. */
#include "support/child.h"
#include "support/layers.h"
#include "support/on_dam.h"
#include "support/test.h"

#include <malloc.h>
#include <sys/mman.h>

enum { BLOCK_COUNT_MAX = 20000 };

/* The child could not lock memory: it lacks the privilege. */
#define EXIT_NOT_PERMITTED 77

static unsigned char *blocks[BLOCK_COUNT_MAX];

static size_t count_for(size_t size) {
    return smaller_of(16 * MIB / size + 2, BLOCK_COUNT_MAX);
}

static void make_dirty_and_free(size_t size) {
    for (size_t i = 0; i < count_for(size); i++) {
        blocks[i] = malloc(size);
        CHECK(blocks[i] != NULL);
        memset(blocks[i], 0xFF, size);
    }
    for (size_t i = 0; i < count_for(size); i++) {
        errno = ERRNO_MARK;
        free(blocks[i]);
        CHECK(errno == ERRNO_MARK);
    }
    errno = ERRNO_MARK;
    malloc_trim(0);
    CHECK(errno == ERRNO_MARK);
}

static void expect_zero(size_t size) {
    for (size_t i = 0; i < count_for(size); i++) {
        blocks[i] = calloc(1, size);
        CHECK(blocks[i] != NULL);
        CHECK(all_bytes_are(blocks[i], size, 0));
    }
    for (size_t i = 0; i < count_for(size); i++)
        free(blocks[i]);
}

/* Pages are locked as they are touched, so a large reservation costs nothing. */
static void live_locked(void *unused) {
    (void)unused;
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0)
        _exit(EXIT_NOT_PERMITTED);
    for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
        size_t other = SIZES_OF_EVERY_LAYER[(i * 7 + 5) % COUNT_OF(SIZES_OF_EVERY_LAYER)];
        make_dirty_and_free(SIZES_OF_EVERY_LAYER[i]);
        expect_zero(SIZES_OF_EVERY_LAYER[i]);
        make_dirty_and_free(SIZES_OF_EVERY_LAYER[i]);
        expect_zero(other);
    }
}

TEST(in_locked_memory_free_keeps_errno_and_calloc_is_zero) {
    struct child_result result = child_run(live_locked, NULL, CHILD_STDERR, 120);
    if (result.status == EXIT_NOT_PERMITTED << 8) {
        printf("this user may not lock memory (RLIMIT_MEMLOCK)\n");
        skip();
    }
    assert_true(child_exited_with(&result, 0));
}

int main(void) {
    require_malloc_to_be_dam();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_locked_memory_free_keeps_errno_and_calloc_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
