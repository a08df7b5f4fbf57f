// SPDX-License-Identifier: MIT
/* errors.c: one error of a program on DAM, chosen by its first argument, with a block of the size that is its second.
 * DAM itself would notice few of them, and those later; the tool that DAM's memory is described to notices them in the
 * act.
 *
 * Not here: what the tool must say (errors.sh); programs without errors (clean.c). */
#include "dam/dam.h"
#include "support/test.h"

struct error {
    const char *name;
    void (*commit)(size_t size);
};

/* Whatever is read is looked at, and what is written may be. */
static volatile unsigned char seen;

static unsigned char *block_of(size_t size) {
    unsigned char *block = opaque_pointer(dam_malloc(opaque_size(size)));
    CHECK(block != NULL);
    return block;
}

static unsigned char *filled_block_of(size_t size) {
    unsigned char *block = block_of(size);
    memset(block, 1, size);
    return opaque_pointer(block);
}

static void read_past_end(size_t size) {
    unsigned char *block = filled_block_of(size);
    seen = block[size];
    dam_free(block);
}

/* DAM finds this one, too, when the block is freed: so it is not. */
static void write_past_end(size_t size) {
    unsigned char *block = filled_block_of(size);
    block[size] = 1;
    seen = *(unsigned char *)opaque_pointer(block);
}

/* Not of the first block, which may have somebody else's memory before it. */
static void read_before_start(size_t size) {
    unsigned char *first = filled_block_of(size);
    unsigned char *block = filled_block_of(size);
    if (block < first) {
        unsigned char *lower = block;
        block = first;
        first = lower;
    }
    seen = block[-1];
    dam_free(block);
    dam_free(first);
}

static void read_after_free(size_t size) {
    unsigned char *block = filled_block_of(size);
    dam_free(block);
    block = opaque_pointer(block);
    seen = block[size / 2];
}

static void read_old_place_after_realloc(size_t size) {
    unsigned char *block = filled_block_of(size);
    unsigned char *moved = dam_realloc(block, size * 3 + 100000);
    CHECK(moved != NULL && moved != block);
    block = opaque_pointer(block);
    seen = block[size / 2];
    dam_free(moved);
}

static void read_after_heap_is_destroyed(size_t size) {
    dam_heap *heap = dam_heap_create();
    CHECK(heap != NULL);
    unsigned char *block = opaque_pointer(dam_heap_malloc(heap, size));
    CHECK(block != NULL);
    memset(block, 1, size);
    dam_heap_destroy(heap);
    block = opaque_pointer(block);
    seen = block[size / 2];
}

static void read_past_end_of_aligned(size_t size) {
    unsigned char *block = opaque_pointer(dam_aligned_alloc(512, size));
    CHECK(block != NULL);
    memset(block, 1, size);
    seen = block[size];
    dam_free(block);
}

static void decide_on_what_was_never_written(size_t size) {
    unsigned char *block = block_of(size);
    if (block[size / 2] != 0)
        seen = 1;
    dam_free(block);
}

static void lose(size_t size) {
    unsigned char *block = filled_block_of(size);
    seen = block[0];
}

static const struct error errors[] = {
    {"read_past_end", read_past_end},
    {"write_past_end", write_past_end},
    {"read_before_start", read_before_start},
    {"read_after_free", read_after_free},
    {"read_old_place_after_realloc", read_old_place_after_realloc},
    {"read_after_heap_is_destroyed", read_after_heap_is_destroyed},
    {"read_past_end_of_aligned", read_past_end_of_aligned},
    {"decide_on_what_was_never_written", decide_on_what_was_never_written},
    {"lose", lose},
};

int main(int argc, char **argv) {
    CHECK(argc == 3);
    for (size_t i = 0; i < COUNT_OF(errors); i++) {
        if (strcmp(errors[i].name, argv[1]) == 0) {
            errors[i].commit(strtoul(argv[2], NULL, 10));
            return 0;
        }
    }
    check_failed(__FILE__, __LINE__, "there is an error of that name");
}
