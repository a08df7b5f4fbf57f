// SPDX-License-Identifier: MIT
/* mapping_limit.c: when the process has as many mappings as vm.max_map_count allows, mmap is refused, and so is munmap
 * of the middle of a mapping. Allocation may then fail, with ENOMEM; release may not fail, nor touch errno, nor lose
 * the memory for ever.
 *
 * Each test runs in a child. The pressure is made with mappings of the test's own. */
#include "support/child.h"
#include "support/layers.h"
#include "support/memory_use.h"
#include "support/on_dam.h"
#include "support/pattern.h"
#include "support/test.h"

#include <malloc.h>
#include <sys/mman.h>

enum { LARGE_COUNT = 70000 };

#define LARGE_SIZE (MIB + 64 * KIB)

static void *blocks[LARGE_COUNT];

static void free_keeping_errno(void *block) {
    errno = ERRNO_MARK;
    free(block);
    CHECK(errno == ERRNO_MARK);
}

static void use_every_layer(void) {
    for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        unsigned char *block = malloc(size);
        CHECK(block != NULL);
        memset(block, 0x2F, size);
        block = realloc(block, size * 3);
        CHECK(block != NULL && all_bytes_are(block, size, 0x2F));
        free_keeping_errno(block);
    }
}

/* ---- As many large blocks as there may be mappings, and more ----------------------------------------------------- */

static void allocate_more_large_blocks_than_mappings(void *unused) {
    (void)unused;
    size_t count = 0;
    for (; count < LARGE_COUNT; count++) {
        errno = 0;
        unsigned char *block = malloc(LARGE_SIZE);
        if (block == NULL) {
            CHECK(errno == ENOMEM);
            break;
        }
        block[0] = (unsigned char)count;
        blocks[count] = block;
    }
    CHECK(count > 1000);
    for (size_t start = 0; start < 2; start++) {
        for (size_t i = start; i < count; i += 2) {
            CHECK(*(unsigned char *)blocks[i] == (unsigned char)i);
            free_keeping_errno(blocks[i]);
        }
    }
    use_every_layer();
    CHECK(memory_mapping_count() < 1000);
}

TEST(seventy_thousand_large_blocks_are_served_or_refused_and_all_released) {
    struct child_result result = child_run(allocate_more_large_blocks_than_mappings, NULL, CHILD_STDERR, 280);
    assert_true(child_exited_with(&result, 0));
}

/* ---- Work under pressure ----------------------------------------------------------------------------------------- */

struct pressure {
    unsigned char *start;
    size_t page_bytes;
    size_t page_count;
};

/* Every other page gets another protection, which splits the mapping, until the kernel has no more. `spare` mappings
 * are then given back. */
static struct pressure exert_pressure(size_t spare) {
    struct pressure pressure = {NULL, (size_t)sysconf(_SC_PAGESIZE), 2 * memory_mapping_count_max()};
    void *start = mmap(NULL, pressure.page_count * pressure.page_bytes, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(start != MAP_FAILED);
    pressure.start = start;
    size_t page = 1;
    while (mprotect(pressure.start + page * pressure.page_bytes, pressure.page_bytes, PROT_READ) == 0)
        page += 2;
    CHECK(errno == ENOMEM);
    for (size_t i = 0; i < spare / 2; i++) {
        page -= 2;
        CHECK(mprotect(pressure.start + page * pressure.page_bytes, pressure.page_bytes, PROT_NONE) == 0);
    }
    return pressure;
}

static void relieve_pressure(struct pressure pressure) {
    CHECK(munmap(pressure.start, pressure.page_count * pressure.page_bytes) == 0);
}

/* Allocates and fills up to `count` blocks; stops when refused. */
static size_t allocate_filled(size_t size, size_t count) {
    for (size_t i = 0; i < count; i++) {
        errno = 0;
        blocks[i] = malloc(size);
        if (blocks[i] == NULL) {
            CHECK(errno == ENOMEM);
            return i;
        }
        pattern_fill(blocks[i], size, pattern_key(12, i));
    }
    return count;
}

/* From the inside out, so that what is released first lies between blocks that are still there. */
static void check_and_free_every_other_first(size_t size, size_t count) {
    for (size_t start = 0; start < 2; start++) {
        for (size_t i = 1 - start; i < count; i += 2) {
            CHECK(pattern_holds(blocks[i], size, pattern_key(12, i)));
            free_keeping_errno(blocks[i]);
        }
    }
}

/* The blocks exist before the pressure does: their release is what the kernel refuses. */
static void release_under_pressure(void *unused) {
    (void)unused;
    use_every_layer();
    malloc_trim(0);
    size_t resident_before = memory_resident_bytes();
    for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        size_t count = allocate_filled(size, smaller_of(64 * MIB / size + 2, 20000));
        struct pressure pressure = exert_pressure(0);
        check_and_free_every_other_first(size, count);
        relieve_pressure(pressure);
        use_every_layer();
    }
    malloc_trim(0);
    CHECK(memory_resident_bytes() < resident_before + 16 * MIB);
}

TEST(release_under_pressure_keeps_errno_and_loses_no_memory) {
    struct child_result result = child_run(release_under_pressure, NULL, CHILD_STDERR, 280);
    assert_true(child_exited_with(&result, 0));
}

/* Only a few mappings are left: allocation goes on as far as it can, and release makes room again. */
static void allocate_under_pressure(void *argument) {
    size_t spare = *(const size_t *)argument;
    use_every_layer();
    struct pressure pressure = exert_pressure(spare);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
            size_t size = SIZES_OF_EVERY_LAYER[i];
            size_t count = allocate_filled(size, smaller_of(32 * MIB / size + 2, 5000));
            check_and_free_every_other_first(size, count);
        }
    }
    relieve_pressure(pressure);
    use_every_layer();
}

TEST(allocation_under_pressure_is_served_or_refused_with_enomem) {
    static const size_t SPARES[] = {0, 2, 10, 100, 1000};
    for (size_t i = 0; i < COUNT_OF(SPARES); i++) {
        size_t spare = SPARES[i];
        struct child_result result = child_run(allocate_under_pressure, &spare, CHILD_STDERR, 280);
        assert_true(child_exited_with(&result, 0));
    }
}

static void resize_under_pressure(void *unused) {
    (void)unused;
    for (size_t i = 0; i < COUNT_OF(SIZES_OF_EVERY_LAYER); i++) {
        size_t size = SIZES_OF_EVERY_LAYER[i];
        size_t count = allocate_filled(size, 20);
        struct pressure pressure = exert_pressure(0);
        for (size_t j = 0; j < count; j++) {
            size_t new_size = j % 2 == 0 ? size / 2 + 1 : size * 3;
            errno = 0;
            void *resized = realloc(opaque_pointer(blocks[j]), new_size);
            CHECK(resized != NULL || errno == ENOMEM);
            if (resized != NULL)
                blocks[j] = resized;
            size_t kept = resized == NULL ? size : smaller_of(size, new_size);
            CHECK(pattern_holds(blocks[j], kept, pattern_key(12, j)));
        }
        for (size_t j = 0; j < count; j++)
            free_keeping_errno(blocks[j]);
        relieve_pressure(pressure);
    }
    use_every_layer();
}

TEST(resizing_under_pressure_succeeds_or_leaves_the_block_whole) {
    struct child_result result = child_run(resize_under_pressure, NULL, CHILD_STDERR, 280);
    assert_true(child_exited_with(&result, 0));
}

int main(void) {
    require_malloc_to_be_dam();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seventy_thousand_large_blocks_are_served_or_refused_and_all_released),
        cmocka_unit_test(release_under_pressure_keeps_errno_and_loses_no_memory),
        cmocka_unit_test(allocation_under_pressure_is_served_or_refused_with_enomem),
        cmocka_unit_test(resizing_under_pressure_succeeds_or_leaves_the_block_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
