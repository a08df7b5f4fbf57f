// SPDX-License-Identifier: MIT
/* ground.c: see ground.h. */
#include "attack/ground.h"

#include "base/config.h"
#include "pool/pool_map.h"
#include "support/pattern.h"
#include "support/test.h"

#define GRANULES_PER_SLICE (SLICE_BYTES / GRANULE_BYTES)
#define SLICES_MAX ((size_t)2048)
#define STANDING_MAX ((size_t)32768)
#define COPIES_MAX ((size_t)16)
#define COPY_BYTES ((size_t)2048)
#define BAITS_MAX ((size_t)4)

struct standing {
    char *block; /* NULL: the entry is not in use */
    size_t size;
    uint64_t key;     /* of the pattern it was filled with; without meaning if there is a copy */
    const char *copy; /* what it must hold, or NULL: the pattern */
    const dam_heap *heap;
    bool untouched; /* never filled: nothing is known of its content */
};

struct slice {
    uintptr_t number;                /* address >> SLICE_SHIFT; 0: not in use */
    uint16_t on[GRANULES_PER_SLICE]; /* index of the entry + 1 */
};

static struct {
    struct standing of[STANDING_MAX];
    size_t used; /* entries at and beyond this were never in use */
    uint16_t unused[STANDING_MAX];
    size_t unused_count;
    uint64_t next_key;
    struct slice slices[SLICES_MAX];
    char copies[COPIES_MAX][COPY_BYTES];
    size_t copy_count;
    struct {
        const char *from;
        size_t bytes;
        char copy[COPY_BYTES];
    } baits[BAITS_MAX];
    size_t bait_count;
} ground;

void ground_violated(const char *what, const void *address) {
    char line[200];
    int length = snprintf(line, sizeof line, "violation: %s: %p\n", what, address);
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written;
    _exit(VIOLATION_EXIT);
}

/* ---- Which block stands where ------------------------------------------------------------------------------------ */

/* The slice's entry, made if need be. Slots are probed one after the other; none is ever taken back. */
static struct slice *slice_of(uintptr_t address) {
    uintptr_t number = address >> SLICE_SHIFT;
    for (size_t i = 0; i < SLICES_MAX; i++) {
        struct slice *slice = &ground.slices[(number + i) % SLICES_MAX];
        if (slice->number == 0)
            slice->number = number;
        if (slice->number == number)
            return slice;
    }
    check_failed(__FILE__, __LINE__, "there is room for one slice more");
}

static size_t granule_in_slice(uintptr_t address) {
    return (address & (SLICE_BYTES - 1)) >> GRANULE_SHIFT;
}

/* The granules from `from` on that lie in one slice and below `to`; stores how many. */
static uint16_t *granules_at(uintptr_t from, uintptr_t to, size_t *count) {
    size_t first = granule_in_slice(from);
    *count = smaller_of(GRANULES_PER_SLICE - first, (to - from + GRANULE_BYTES - 1) >> GRANULE_SHIFT);
    return slice_of(from)->on + first;
}

static struct standing *standing_at(const void *address) {
    uint16_t number = slice_of((uintptr_t)address)->on[granule_in_slice((uintptr_t)address)];
    return number == 0 ? NULL : &ground.of[number - 1];
}

static void set_granules(const struct standing *standing, uint16_t number) {
    uintptr_t to = (uintptr_t)standing->block + standing->size;
    size_t count = 0;
    for (uintptr_t from = (uintptr_t)standing->block; from < to; from += count << GRANULE_SHIFT) {
        uint16_t *on = granules_at(from, to, &count);
        for (size_t i = 0; i < count; i++)
            on[i] = number;
    }
}

static void check_nothing_stands(const char *block, size_t size) {
    uintptr_t to = (uintptr_t)block + size;
    size_t count = 0;
    for (uintptr_t from = (uintptr_t)block; from < to; from += count << GRANULE_SHIFT) {
        const uint16_t *on = granules_at(from, to, &count);
        if (!all_bytes_are(on, count * sizeof *on, 0))
            ground_violated("malloc returned what overlaps a live block", block);
    }
}

static void check_place(const char *block, size_t size) {
    if (block == NULL)
        ground_violated("no memory", block);
    const struct pool *pool = pool_of(block);
    if (pool_is_none(pool))
        ground_violated("malloc returned what is not DAM's", block);
    if (!is_aligned(block, GRANULE_BYTES) || pool_offset(pool, block) + size > pool->bytes)
        ground_violated("malloc returned what is no block", block);
    check_nothing_stands(block, size);
}

static struct standing *add(char *block, size_t size) {
    check_place(block, size);
    size_t index = ground.unused_count > 0 ? ground.unused[--ground.unused_count] : ground.used++;
    CHECK(index < STANDING_MAX);
    struct standing *standing = &ground.of[index];
    *standing = (struct standing){.block = block, .size = size, .key = pattern_key(1, ground.next_key++)};
    set_granules(standing, (uint16_t)(index + 1));
    return standing;
}

static void take_away(struct standing *standing) {
    set_granules(standing, 0);
    standing->block = NULL;
    ground.unused[ground.unused_count++] = (uint16_t)(standing - ground.of);
}

void *ground_at(const void *address) {
    const struct standing *standing = standing_at(address);
    return standing == NULL ? NULL : standing->block;
}

/* ---- Content ----------------------------------------------------------------------------------------------------- */

static void check_prefix(const struct standing *standing, const char *block, size_t bytes) {
    if (standing->untouched)
        return;
    bool holds =
        standing->copy != NULL ? memcmp(block, standing->copy, bytes) == 0 : pattern_holds(block, bytes, standing->key);
    if (!holds)
        ground_violated("a live block was changed", standing->block);
}

static void check_content(const struct standing *standing) {
    check_prefix(standing, standing->block, standing->size);
}

void ground_accept(void *block) {
    struct standing *standing = standing_at(block);
    CHECK(standing != NULL && standing->block == block && standing->size <= COPY_BYTES);
    CHECK(ground.copy_count < COPIES_MAX);
    char *copy = ground.copies[ground.copy_count++];
    memcpy(copy, block, standing->size);
    standing->copy = copy;
    standing->untouched = false;
}

void ground_add_bait(const void *bait, size_t bytes) {
    CHECK(ground.bait_count < BAITS_MAX && bytes <= COPY_BYTES);
    ground.baits[ground.bait_count].from = bait;
    ground.baits[ground.bait_count].bytes = bytes;
    memcpy(ground.baits[ground.bait_count].copy, bait, bytes);
    ground.bait_count++;
}

void ground_forget_baits(void) {
    ground.bait_count = 0;
}

void ground_check_all(void) {
    for (size_t i = 0; i < ground.used; i++) {
        if (ground.of[i].block != NULL)
            check_content(&ground.of[i]);
    }
    for (size_t i = 0; i < ground.bait_count; i++) {
        if (memcmp(ground.baits[i].from, ground.baits[i].copy, ground.baits[i].bytes) != 0)
            ground_violated("memory that is not DAM's was changed", ground.baits[i].from);
    }
}

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

static void *add_filled(void *block, size_t size, const dam_heap *heap) {
    struct standing *standing = add(block, size);
    standing->heap = heap;
    pattern_fill(block, size, standing->key);
    return block;
}

void *ground_malloc(size_t size) {
    return add_filled(opaque_pointer(dam_malloc(opaque_size(size))), size, NULL);
}

void *ground_malloc_untouched(size_t size) {
    void *block = opaque_pointer(dam_malloc(opaque_size(size)));
    add(block, size)->untouched = true;
    return block;
}

void *ground_heap_malloc(dam_heap *heap, size_t size) {
    return add_filled(opaque_pointer(dam_heap_malloc(heap, opaque_size(size))), size, heap);
}

void *ground_aligned_alloc(size_t alignment, size_t size) {
    void *block = opaque_pointer(dam_aligned_alloc(alignment, opaque_size(size)));
    if (!is_aligned(block, alignment))
        ground_violated("not aligned as asked", block);
    return add_filled(block, size, NULL);
}

/* The old block's content is what its entry says, wherever it is now. */
void *ground_realloc(void *block, size_t size) {
    struct standing *standing = standing_at(block);
    CHECK(standing != NULL && standing->block == block);
    check_content(standing);
    struct standing old = *standing;
    take_away(standing);
    char *moved = opaque_pointer(dam_realloc(block, opaque_size(size)));
    standing = add(moved, size);
    check_prefix(&old, moved, smaller_of(old.size, size));
    standing->heap = moved == block ? old.heap : NULL;
    pattern_fill(moved, size, standing->key);
    return moved;
}

void ground_free(void *block) {
    struct standing *standing = standing_at(block);
    CHECK(standing != NULL && standing->block == block);
    check_content(standing);
    take_away(standing);
    dam_free(block);
}

void ground_heap_destroy(dam_heap *heap) {
    for (size_t i = 0; i < ground.used; i++) {
        if (ground.of[i].block != NULL && ground.of[i].heap == heap) {
            check_content(&ground.of[i]);
            take_away(&ground.of[i]);
        }
    }
    dam_heap_destroy(heap);
}

void ground_visit(const char *from, const char *to, void (*visit)(void *block, void *context), void *context) {
    for (size_t i = 0; i < ground.used; i++) {
        char *block = ground.of[i].block;
        if (block != NULL && block >= from && block < to)
            visit(block, context);
    }
}

static void free_one(void *block, void *context) {
    (void)context;
    ground_free(block);
}

void ground_free_all(void) {
    ground_visit(NULL, (const char *)UINTPTR_MAX, free_one, NULL); // NOLINT(performance-no-int-to-ptr)
}

void *ground_pick(size_t number) {
    for (size_t i = 0; i < ground.used; i++) {
        char *block = ground.of[(number + i) % ground.used].block;
        if (block != NULL)
            return block;
    }
    return NULL;
}
