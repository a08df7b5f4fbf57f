// SPDX-License-Identifier: MIT
/* pairs.c: the loops whose instructions bench/instructions.sh counts.
 *
 *   pairs one   SIZE STEPS       STEPS times: malloc(SIZE), free; a few other blocks of that size stay alive
 *   pairs alone SIZE STEPS       the same with no other block alive: every free leaves nothing behind it
 *   pairs set   SIZE_MAX STEPS   STEPS times: take a random slot of a full working set, free its block, put a new one
 * of random size 1 .. SIZE_MAX there pairs where                  print the file that this process's malloc comes from
 *
 *      the working set:
 *        slots   0       1       2                 4,095
 *              +-------+-------+-------+--       -+-------+
 *              | block | block | block |   ...    | block |     each step replaces one
 *              +-------+-------+-------+--       -+-------+
 *
 * Rules:
 *   - One step is one malloc, one free, one byte written to the new block, and about a dozen instructions of loop.
 *   - The slots and sizes follow one fixed sequence, the same in every run and for every allocator.
 *   - What happens before the counted steps (start-up, filling the set, warming up) does not depend on STEPS, so the
 *     difference between two runs is what the additional steps cost, and nothing else.
 *
 * Not here: counting (instructions.sh runs this program under callgrind), time, and threads. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOT_BITS = 12,
    SLOT_COUNT = 1 << SLOT_BITS,
    WARM_UP_STEPS = 16 * SLOT_COUNT, /* each slot has been replaced some sixteen times before the counted steps */
    NEIGHBOUR_COUNT = 64,            /* the blocks that stay alive beside the one of `pairs one` */
    USAGE_EXIT_STATUS = 2,
};

/* The byte is written through a volatile pointer: a compiler may drop a malloc whose block is only ever freed. */
static inline void *allocate(size_t size_bytes) {
    void *block = malloc(size_bytes);
    *(volatile char *)block =
        1; /* ends the program here if there is no memory: no allocator under test gets that far */
    return block;
}

static void replace_one(size_t size_bytes, uint64_t steps) {
    while (steps-- != 0)
        free(allocate(size_bytes));
}

/* A linear congruential generator (the multiplier is Knuth's, of MMIX) costs two instructions. The top bits choose the
 * slot; bits 31 and down choose the size by multiply and shift, which only looks at the better, upper ones of them. */
static uint64_t replace_random(void **slots, uint64_t state, uint32_t size_max, uint64_t steps) {
    while (steps-- != 0) {
        state = state * 6364136223846793005u + 1;
        void **slot = &slots[state >> (64 - SLOT_BITS)];
        size_t size_bytes = ((uint64_t)(uint32_t)state * size_max >> 32) + 1;
        free(*slot);
        *slot = allocate(size_bytes);
    }
    return state;
}

static void run_one(size_t size_bytes, size_t neighbour_count, uint64_t steps) {
    void *neighbours[NEIGHBOUR_COUNT];
    for (size_t i = 0; i < neighbour_count; i++)
        neighbours[i] = allocate(size_bytes);
    replace_one(size_bytes, WARM_UP_STEPS);
    replace_one(size_bytes, steps);
    for (size_t i = 0; i < neighbour_count; i++)
        free(neighbours[i]);
}

static void run_set(uint32_t size_max, uint64_t steps) {
    static void *slots[SLOT_COUNT];
    uint64_t state = replace_random(slots, 88172645463325252u, size_max, WARM_UP_STEPS);
    replace_random(slots, state, size_max, steps);
    for (size_t i = 0; i < SLOT_COUNT; i++)
        free(slots[i]);
}

static int print_where_malloc_is(void) {
    Dl_info found;
    if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &found) == 0)
        return EXIT_FAILURE;
    return puts(found.dli_fname) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A whole decimal number in 1 .. max (0 .. max when zero_allowed), or the end of the program with a message. */
static uint64_t parse_number(const char *text, uint64_t max, int zero_allowed) {
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number > max ||
        (number == 0 && !zero_allowed)) {
        fprintf(stderr, "pairs: not a usable number: %s\n", text);
        exit(USAGE_EXIT_STATUS);
    }
    return number;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "where") == 0)
        return print_where_malloc_is();
    if (argc != 4) {
        fputs("usage: pairs one|alone|set SIZE STEPS\n       pairs where\n", stderr);
        return USAGE_EXIT_STATUS;
    }
    uint32_t size = (uint32_t)parse_number(argv[2], UINT32_MAX, 0);
    uint64_t steps = parse_number(argv[3], UINT64_MAX, 1);
    if (strcmp(argv[1], "one") == 0)
        run_one(size, NEIGHBOUR_COUNT, steps);
    else if (strcmp(argv[1], "alone") == 0)
        run_one(size, 0, steps);
    else if (strcmp(argv[1], "set") == 0)
        run_set(size, steps);
    else {
        fprintf(stderr, "pairs: no such pattern: %s\n", argv[1]);
        return USAGE_EXIT_STATUS;
    }
    return EXIT_SUCCESS;
}
