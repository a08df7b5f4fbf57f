// SPDX-License-Identifier: MIT
/* player.c: the operations of player.h.
 *
 * The shadow lives in memory of libc's malloc, and the tests link the plain library, so that the allocator under test
 * cannot damage its own judge. */
#include "torture/player.h"

#include "base/options_table.h"
#include "support/pattern.h"
#include "support/test.h"

#include <inttypes.h>

static _Noreturn void failed(const struct player *player, const struct record *record, const char *what) {
    fprintf(stderr, "%s: operation %" PRIu64 ": %s\n", player->test, player->operation, what);
    fprintf(stderr, "  block %p id %" PRIx64 " size %zu alignment %zu heap %d; errno %d\n", (void *)record->block,
            record->id, record->size, record->alignment, record->heap, errno);
    fprintf(stderr, "  run again with DAM_TEST_SEED=%" PRIu64 "\n", player->seed);
    fflush(NULL);
    abort();
}

#define REQUIRE(condition, what)                                                                                       \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            failed(player, record, what);                                                                              \
    } while (0)

void player_start(struct player *player, const char *test, uint64_t seed, uint64_t number) {
    memset(player, 0, sizeof *player);
    player->test = test;
    player->seed = seed;
    player->random = random_start(seed, number);
    player->next_id = number << 40;
    player->size_max = 16 * MIB;
    player->live_bytes_max = 128 * MIB;
}

static bool chance(struct player *player, size_t one_in) {
    return random_below(&player->random, one_in) == 0;
}

static uint64_t key_of(const struct player *player, const struct record *record) {
    return pattern_key(player->seed, record->id);
}

/* ---- Contents ---------------------------------------------------------------------------------------------------- */

static void check_prefix(const struct player *player, const struct record *record, size_t size) {
    size_t at = pattern_first_difference(record->block, size, key_of(player, record));
    if (at != size) {
        fprintf(stderr, "%s: byte %zu of the first %zu is 0x%02x\n", player->test, at, size, record->block[at]);
        failed(player, record, "the block's contents changed");
    }
}

/* A block that is made or resized gets a new id, so that its old contents cannot pass for new ones. Now and then the
 * bytes between the request and the usable size are written too, which is the program's right. */
static void fill(struct player *player, struct record *record) {
    record->id = player->next_id++;
    pattern_fill(record->block, record->size, key_of(player, record));
    if (chance(player, 16)) {
        size_t usable = dam_malloc_usable_size(record->block);
        REQUIRE(usable >= record->size, "the usable size is less than the request");
        memset(record->block + record->size, 0xA5, usable - record->size);
    }
}

void player_check(const struct player *player, const struct record *record) {
    REQUIRE(is_aligned(record->block, record->alignment), "the block is not aligned");
    REQUIRE(dam_malloc_usable_size(record->block) >= record->size, "the usable size is less than the request");
    check_prefix(player, record, record->size);
}

/* ---- Making blocks ----------------------------------------------------------------------------------------------- */

/* Mostly what programs ask for; now and then a few MiB. */
static size_t choose_size(struct player *player) {
    if (player->live_bytes > player->live_bytes_max)
        return random_below(&player->random, 257);
    size_t size = random_size(&player->random, player->size_max);
    if (chance(player, 20000))
        size = random_below(&player->random, player->size_max) + 1;
    return size;
}

static size_t choose_alignment(struct player *player) {
    return (size_t)1 << random_below(&player->random, chance(player, 64) ? 23 : 14);
}

static int choose_heap(struct player *player) {
    int heap = chance(player, 6) ? (int)random_below(&player->random, HEAP_COUNT) : HEAP_OF_THREAD;
    return player->heaps[heap] != NULL ? heap : HEAP_OF_THREAD;
}

static void *posix_aligned(size_t alignment, size_t size) {
    void *block = NULL;
    int answer = dam_posix_memalign(&block, alignment, size);
    if (answer != 0)
        errno = answer;
    return block;
}

static void check_zero(const struct player *player, const struct record *record) {
    if (record->block != NULL)
        REQUIRE(all_bytes_are(record->block, record->size, 0), "calloc gave a block that is not zero");
}

static void allocate_from_thread_heap(struct player *player, struct record *record) {
    size_t size = record->size;
    switch (random_below(&player->random, 10)) {
    case 0:
    case 1:
        record->block = dam_calloc(1, size);
        check_zero(player, record);
        break;
    case 2:
        record->block = size % 8 == 0 ? dam_calloc(size / 8, 8) : dam_calloc(size, 1);
        check_zero(player, record);
        break;
    case 3:
        record->alignment = choose_alignment(player);
        record->block = dam_aligned_alloc(record->alignment, size);
        record->release = RELEASE_ALIGNED_SIZED;
        break;
    case 4:
        record->alignment = smaller_of(8 * choose_alignment(player), GIB);
        record->block = posix_aligned(record->alignment, size);
        record->release = RELEASE_PLAIN;
        break;
    case 5:
        record->block = dam_realloc(NULL, size);
        break;
    case 6:
        record->block = dam_reallocarray(NULL, size, 1);
        break;
    default:
        record->block = dam_malloc(size);
        break;
    }
}

static void allocate_from_heap(struct player *player, struct record *record, dam_heap *heap) {
    switch (random_below(&player->random, 5)) {
    case 0:
        record->block = dam_heap_calloc(heap, 1, record->size);
        check_zero(player, record);
        break;
    case 1:
        record->alignment = choose_alignment(player);
        record->block = dam_heap_aligned_alloc(heap, record->alignment, record->size);
        record->release = RELEASE_ALIGNED_SIZED;
        break;
    case 2:
        record->block = dam_heap_realloc(heap, NULL, record->size);
        break;
    default:
        record->block = dam_heap_malloc(heap, record->size);
        break;
    }
}

static void note_refusal(struct player *player, const struct record *record) {
    REQUIRE(player->refusals_allowed, "an allocation was refused");
    REQUIRE(errno == ENOMEM, "an allocation was refused without ENOMEM");
    player->refused++;
}

static void allocate(struct player *player, struct record *record) {
    record->size = choose_size(player);
    record->alignment = 16;
    record->release = RELEASE_SIZED;
    record->heap = choose_heap(player);
    errno = ERRNO_MARK;
    if (record->heap == HEAP_OF_THREAD)
        allocate_from_thread_heap(player, record);
    else
        allocate_from_heap(player, record, player->heaps[record->heap]);
    if (record->block == NULL) {
        note_refusal(player, record);
        return;
    }
    REQUIRE(errno == ERRNO_MARK, "an allocation that succeeded changed errno");
    REQUIRE(is_aligned(record->block, record->alignment) && is_aligned(record->block, 16), "the block is not aligned");
    player->live_bytes += record->size;
    fill(player, record);
}

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

/* As programs resize: mostly growth by half to double, some shrinking, now and then to anything. */
static size_t choose_new_size(struct player *player, size_t size) {
    size_t dice = random_below(&player->random, 100);
    size_t new_size;
    if (dice < 60 && player->live_bytes <= player->live_bytes_max)
        new_size = size + size / 2 + random_below(&player->random, size / 2 + 16);
    else if (dice < 80)
        new_size = random_below(&player->random, size + 1);
    else
        new_size = choose_size(player);
    return smaller_of(new_size < 1 ? 1 : new_size, player->size_max);
}

static void account_resize(struct player *player, size_t old_size, size_t new_size) {
    player->live_bytes -= smaller_of(player->live_bytes, old_size);
    player->live_bytes += new_size;
}

/* The record now describes a block of new_size bytes at `block`, whose first bytes are still the old pattern's. */
static void settle_resized(struct player *player, struct record *record, unsigned char *block, size_t new_size) {
    size_t kept = smaller_of(record->size, new_size);
    account_resize(player, record->size, new_size);
    record->block = block;
    record->size = new_size;
    record->alignment = 16;
    REQUIRE(is_aligned(block, 16), "the resized block is not aligned");
    REQUIRE(dam_malloc_usable_size(block) >= new_size, "the usable size is less than the new request");
    check_prefix(player, record, kept);
    fill(player, record);
}

/* dam_heap_realloc keeps a heap's block in its heap; where dam_realloc moved one, it is now the thread's. */
static void resize(struct player *player, struct record *record) {
    size_t new_size = choose_new_size(player, record->size);
    bool keeps_heap = record->heap != HEAP_OF_THREAD && !chance(player, 4);
    uintptr_t old_place = (uintptr_t)record->block;
    unsigned char *block;
    errno = ERRNO_MARK;
    if (keeps_heap)
        block = dam_heap_realloc(player->heaps[record->heap], record->block, new_size);
    else if (chance(player, 8))
        block = dam_reallocarray(record->block, new_size, 1);
    else
        block = dam_realloc(record->block, new_size);
    if (block == NULL) {
        note_refusal(player, record);
        player_check(player, record);
        return;
    }
    REQUIRE(errno == ERRNO_MARK, "a resize that succeeded changed errno");
    if (!keeps_heap && (uintptr_t)block != old_place)
        record->heap = HEAP_OF_THREAD;
    record->release = RELEASE_SIZED;
    settle_resized(player, record, block, new_size);
}

static void expand(struct player *player, struct record *record) {
    size_t new_size = choose_new_size(player, record->size);
    size_t usable = dam_malloc_usable_size(record->block);
    errno = ERRNO_MARK;
    bool done = dam_expand(record->block, new_size);
    REQUIRE(errno == ERRNO_MARK, "dam_expand changed errno");
    if (!done) {
        REQUIRE(dam_malloc_usable_size(record->block) == usable, "dam_expand said no and changed the block");
        player_check(player, record);
        return;
    }
    if (record->release == RELEASE_ALIGNED_SIZED)
        record->release = RELEASE_PLAIN;
    settle_resized(player, record, record->block, new_size);
}

/* ---- Releasing --------------------------------------------------------------------------------------------------- */

static void call_release(struct player *player, struct record *record) {
    bool sized = chance(player, 3);
    if (chance(player, 32)) {
        void *nothing = dam_realloc(record->block, opaque_size(0));
        REQUIRE(nothing == NULL, "realloc to zero bytes gave a block");
    } else if (sized && record->release == RELEASE_SIZED) {
        dam_free_sized(record->block, record->size);
    } else if (sized && record->release == RELEASE_ALIGNED_SIZED) {
        dam_free_aligned_sized(record->block, record->alignment, record->size);
    } else {
        dam_free(record->block);
    }
}

void player_release(struct player *player, struct record *record) {
    if (record->block == NULL)
        return;
    player_check(player, record);
    errno = ERRNO_MARK;
    call_release(player, record);
    REQUIRE(errno == ERRNO_MARK, "a release changed errno");
    player->live_bytes -= smaller_of(player->live_bytes, record->size);
    record->block = NULL;
}

void player_step(struct player *player, struct record *record) {
    player->operation++;
    if (record->block == NULL) {
        allocate(player, record);
        return;
    }
    size_t dice = random_below(&player->random, 100);
    if (dice < 20)
        resize(player, record);
    else if (dice < 25)
        expand(player, record);
    else if (dice < 35)
        player_check(player, record);
    else
        player_release(player, record);
}

void player_destroy_heap(struct player *player, int heap, struct record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (records[i].block == NULL || records[i].heap != heap)
            continue;
        player_check(player, &records[i]);
        player->live_bytes -= smaller_of(player->live_bytes, records[i].size);
        records[i].block = NULL;
    }
    dam_heap_destroy(player->heaps[heap]);
    player->heaps[heap] = NULL;
}

/* ---- Audit ------------------------------------------------------------------------------------------------------- */

struct interval {
    uintptr_t start;
    uintptr_t end;
    const struct record *record;
};

static int compare_intervals(const void *a, const void *b) {
    const struct interval *left = a;
    const struct interval *right = b;
    return (left->start > right->start) - (left->start < right->start);
}

/* A block of no bytes still takes one: its address is its own. */
static struct interval interval_of(const struct record *record) {
    size_t usable = dam_malloc_usable_size(record->block);
    uintptr_t start = (uintptr_t)record->block;
    struct interval interval = {start, start + (usable == 0 ? 1 : usable), record};
    return interval;
}

void player_audit(const struct player *player, const struct record *records, size_t count) {
    struct interval *intervals = malloc(count * sizeof *intervals);
    CHECK(intervals != NULL);
    size_t live = 0;
    for (size_t i = 0; i < count; i++) {
        if (records[i].block == NULL)
            continue;
        player_check(player, &records[i]);
        intervals[live++] = interval_of(&records[i]);
    }
    qsort(intervals, live, sizeof *intervals, compare_intervals);
    for (size_t i = 1; i < live; i++) {
        const struct record *record = intervals[i].record;
        REQUIRE(intervals[i - 1].end <= intervals[i].start, "two live blocks overlap");
    }
    free(intervals);
}

size_t player_left_behind_max(void) {
    return DAM_SETTING(guard) == GUARD_FULL ? 36 * MIB : 12 * MIB;
}
