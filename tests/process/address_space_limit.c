// SPDX-License-Identifier: MIT
/* address_space_limit.c: under RLIMIT_AS, allocation ends in NULL with ENOMEM, and release makes it possible again.
 *
 * Every entry point, in every layer: allocate until refused, release all, allocate again. Each in a child of its own,
 * since the limit is a process's and cannot be trusted to be lifted. Once with 64 MiB more than the program has when it
 * is limited, once with 64 MiB in all from the program's first instruction on. */
#include "support/every_entry.h"
#include "support/child.h"
#include "support/memory_use.h"
#include "support/on_dam.h"
#include "support/test.h"

#include <sys/resource.h>

#define ROOM (64 * MIB)

static const size_t SIZES[] = {16, 100, 256, 300, 1000, 40000, 65536, 65537, 200000, 1100000, 5000000};

/* The blocks hold their own list: there is no memory for another. */
struct link {
    struct link *next;
};

static void limit_address_space(size_t bytes) {
    struct rlimit limit = {bytes, bytes};
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* Allocates until NULL, which must come with ENOMEM. Returns how many blocks there were. */
static size_t allocate_until_refused(entry_function *allocate, size_t size, struct link **list) {
    size_t count = 0;
    for (;;) {
        errno = 0;
        struct link *block = allocate(size);
        if (block == NULL) {
            CHECK(errno == ENOMEM);
            return count;
        }
        CHECK(errno == 0 || errno == ERRNO_MARK);
        block->next = *list;
        *list = block;
        count++;
    }
}

static void free_all(struct link **list) {
    while (*list != NULL) {
        struct link *block = *list;
        *list = block->next;
        errno = ERRNO_MARK;
        free(block);
        CHECK(errno == ERRNO_MARK);
    }
}

/* ---- Every entry point, every size ------------------------------------------------------------------------------- */

struct attempt {
    size_t entry;
    size_t size;
};

/* A refusal must be stable, and not cost anything: asking again and again changes nothing. */
static void keep_asking(entry_function *allocate, size_t size) {
    for (int i = 0; i < 100; i++) {
        struct link *list = NULL;
        size_t count = allocate_until_refused(allocate, size, &list);
        CHECK(count <= 1000);
        free_all(&list);
    }
}

static void exhaust_twice(void *argument) {
    const struct attempt *attempt = argument;
    entry_function *allocate = EVERY_ENTRY[attempt->entry].allocate;
    struct link *list = NULL;
    limit_address_space(memory_mapped_bytes() + ROOM);
    size_t first = allocate_until_refused(allocate, attempt->size, &list);
    size_t distance = attempt->size;
    if (distance < EVERY_ENTRY[attempt->entry].alignment)
        distance = EVERY_ENTRY[attempt->entry].alignment;
    CHECK(first * distance >= ROOM / 4);
    keep_asking(allocate, attempt->size);
    free_all(&list);
    size_t second = allocate_until_refused(allocate, attempt->size, &list);
    CHECK(second >= first - first / 8);
    free_all(&list);
}

TEST(every_entry_point_refuses_with_enomem_and_serves_again_after_release) {
    for (size_t entry = 0; entry < COUNT_OF(EVERY_ENTRY); entry++) {
        for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
            struct attempt attempt = {entry, SIZES[i]};
            struct child_result result = child_run(exhaust_twice, &attempt, CHILD_STDERR, 120);
            if (!child_exited_with(&result, 0))
                fail_msg("%s of %zu bytes", EVERY_ENTRY[entry].name, SIZES[i]);
        }
    }
}

/* ---- From one layer to the others -------------------------------------------------------------------------------- */

/* Memory that one size had eaten up serves every other size once it is free. */
static void exhaust_with_one_size_then_use_the_others(void *argument) {
    const size_t *size = argument;
    struct link *list = NULL;
    limit_address_space(memory_mapped_bytes() + ROOM);
    CHECK(allocate_until_refused(enter_malloc, *size, &list) > 0);
    free_all(&list);
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        void *block = malloc(SIZES[i]);
        if (block == NULL)
            fprintf(stderr, "after blocks of %zu bytes, one of %zu is refused\n", *size, SIZES[i]);
        CHECK(block != NULL);
        memset(block, 1, SIZES[i]);
        free(block);
    }
}

TEST(what_blocks_of_one_size_had_taken_serves_every_other_size) {
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        size_t size = SIZES[i];
        struct child_result result = child_run(exhaust_with_one_size_then_use_the_others, &size, CHILD_STDERR, 120);
        assert_true(child_exited_with(&result, 0));
    }
}

/* ---- When nothing more can be mapped, not even for DAM itself ---------------------------------------------------- */

#define FREED_SIZE ((size_t)65536)
#define FREED_BYTES (300 * MIB)
#define USED_AGAIN_BYTES (200 * MIB)

/* DAM's own structures and the leaves of its pool map need address space, too: free memory makes way for them. */
static void use_again_what_was_freed(void *argument) {
    const size_t *size = argument;
    struct link *list = NULL;
    for (size_t bytes = 0; bytes < FREED_BYTES; bytes += FREED_SIZE) {
        struct link *block = malloc(FREED_SIZE);
        CHECK(block != NULL);
        block->next = list;
        list = block;
    }
    size_t mapped = memory_mapped_bytes();
    free_all(&list);
    limit_address_space(mapped);
    size_t count = allocate_until_refused(enter_malloc, *size, &list);
    if (count * *size < USED_AGAIN_BYTES)
        fprintf(stderr, "blocks of %zu bytes: only %zu KiB of %zu KiB\n", *size, count * *size / KIB,
                FREED_BYTES / KIB);
    CHECK(count * *size >= USED_AGAIN_BYTES);
    free_all(&list);
}

TEST(what_was_freed_can_be_used_again_where_nothing_more_can_be_mapped) {
    static size_t sizes[] = {100, 100000};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct child_result result = child_run(use_again_what_was_freed, &sizes[i], CHILD_STDERR, 120);
        assert_true(child_exited_with(&result, 0));
    }
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

static void grow_until_refused(void *unused) {
    (void)unused;
    limit_address_space(memory_mapped_bytes() + ROOM);
    size_t size = 1;
    unsigned char *block = malloc(size);
    CHECK(block != NULL);
    block[0] = 0x19;
    for (;;) {
        size_t larger = size + size / 2 + 1;
        errno = 0;
        unsigned char *grown = realloc(opaque_pointer(block), larger);
        if (grown == NULL)
            break;
        block = grown;
        CHECK(all_bytes_are(block, size, 0x19));
        memset(block, 0x19, larger);
        size = larger;
    }
    CHECK(errno == ENOMEM);
    CHECK(size > ROOM / 8);
    CHECK(all_bytes_are(opaque_pointer(block), size, 0x19));
    block = realloc(opaque_pointer(block), 100);
    CHECK(block != NULL && all_bytes_are(block, 100, 0x19));
    free(block);
}

TEST(a_block_that_cannot_grow_any_more_keeps_its_contents_and_can_shrink) {
    struct child_result result = child_run(grow_until_refused, NULL, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 0));
}

/* ---- From the first instruction on ------------------------------------------------------------------------------- */

/* The program itself, its libraries and the allocator's own bookkeeping have to share the 64 MiB. At least a quarter
 * of what is free when main begins must be there for blocks of every size. */
static int run_limited_program(void) {
    size_t free_bytes = ROOM - memory_mapped_bytes();
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        struct link *list = NULL;
        size_t count = allocate_until_refused(enter_malloc, SIZES[i], &list);
        free_all(&list);
        if (count * SIZES[i] < free_bytes / 4) {
            fprintf(stderr, "blocks of %zu: only %zu of %zu free bytes\n", SIZES[i], count * SIZES[i], free_bytes);
            return 1;
        }
    }
    return 0;
}

static void limit_and_start_again(void *unused) {
    (void)unused;
    char self[] = "/proc/self/exe", argument[] = "limited";
    char *arguments[] = {self, argument, NULL};
    limit_address_space(ROOM);
    execv(self, arguments);
    CHECK(errno == 0);
}

TEST(a_program_that_starts_under_the_limit_works_within_it) {
    struct child_result result = child_run(limit_and_start_again, NULL, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 0));
}

int main(int argc, char **argv) {
    require_malloc_to_be_dam();
    if (argc > 1 && strcmp(argv[1], "limited") == 0)
        return run_limited_program();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_point_refuses_with_enomem_and_serves_again_after_release),
        cmocka_unit_test(what_blocks_of_one_size_had_taken_serves_every_other_size),
        cmocka_unit_test(what_was_freed_can_be_used_again_where_nothing_more_can_be_mapped),
        cmocka_unit_test(a_block_that_cannot_grow_any_more_keeps_its_contents_and_can_shrink),
        cmocka_unit_test(a_program_that_starts_under_the_limit_works_within_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
