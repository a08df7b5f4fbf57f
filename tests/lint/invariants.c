// SPDX-License-Identifier: MIT
/* invariants.c: the invariants that dam_verify_all cannot see, since they are not inside one pool: they speak of a heap's lists,
 * of two pools, of a pool's past, or of blocks that the program holds.
 *
 *     a random game, by threads that free each other's blocks and end in between
 *        |
 *        +-- after each round, while everything stands still: every pool there is, and the heap of this thread
 *
 * RULE(name, condition) holds the heap to the rule of that name in docs/invariants.md. Not here: what the verifier checks, and
 * the rules of the ownership word, which the model checks. */
#include <pthread.h>

#include "dam/dam.h"
#include "direct/direct.h"
#include "general/block.h"
#include "general/general_fast.h"
#include "heap/heap.h"
#include "inspect/verify.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "small/small_fast.h"
#include "support/random.h"
#include "support/test.h"

enum { ROUND_COUNT = 40, STEP_COUNT = 20000, THREAD_COUNT = 3, SLOT_COUNT = 4000, POOL_COUNT_MAX = 20000, FILL = 0xdb };

#define RULE(name, condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            check_failed(__FILE__, __LINE__, #name ": " #condition);                                                   \
    } while (0)

/* ---- What the heap hands out ------------------------------------------------------------------------------------- */

struct slot {
    unsigned char *block;
    size_t size;
};

static bool is_of_heap(const struct pool *pool, const struct heap *heap) {
    return RELAXED_LOAD(&pool->small_owner) == heap || RELAXED_LOAD(&pool->general_owner) == heap;
}

/* A block that was just handed out, before anybody else can know of it. */
static void look_at_new_block(const struct slot *slot, const struct heap *heap) {
    const struct pool *pool = pool_of(slot->block);
    if (pool_layer(pool) != LAYER_DIRECT) {
        RULE(H1, is_of_heap(pool, heap));
        return;
    }
    RULE(D1, pool_start(pool) == (char *)slot->block && pool_of(slot->block + slot->size - 1) == pool);
    RULE(D2, dam_direct_requested_bytes(pool) == slot->size && slot->size + sizeof(uint64_t) <= pool->bytes);
}

static void fill(struct slot *slot) {
    memset(slot->block, FILL, slot->size);
}

/* All sizes, or, that whole pools of one class fill up and empty again, one small size. */
static size_t choose_size(struct random *random, size_t only_size) {
    if (only_size != 0)
        return only_size;
    return random_size(random, random_below(random, 50) == 0 ? 3 * MIB : 80 * KIB) + 1;
}

static void allocate(struct slot *slot, struct random *random, size_t only_size) {
    slot->size = choose_size(random, only_size);
    bool zeroed = random_below(random, 4) == 0;
    if (zeroed)
        slot->block = dam_calloc(1, slot->size);
    else if (random_below(random, 8) == 0)
        slot->block = dam_aligned_alloc((size_t)1 << random_below(random, 15), slot->size);
    else
        slot->block = dam_malloc(slot->size);
    CHECK(slot->block != NULL);
    look_at_new_block(slot, dam_thread_heap);
    if (zeroed) /* direct memory that the region calls clean is not cleared: R2 */
        RULE(R2, all_bytes_are(slot->block, slot->size, 0));
    fill(slot);
}

static void release(struct slot *slot) {
    dam_free(slot->block);
    slot->block = NULL;
}

static void resize(struct slot *slot, struct random *random) {
    size_t size = choose_size(random, 0);
    slot->block = dam_realloc(slot->block, size);
    CHECK(slot->block != NULL);
    slot->size = size;
    fill(slot);
}

static void play(struct slot *slots, struct random *random, size_t steps) {
    size_t only_size = random_below(random, 3) == 0 ? 1 + random_below(random, SMALL_SIZE_MAX) : 0;
    for (size_t i = 0; i < steps; i++) {
        struct slot *slot = &slots[random_below(random, SLOT_COUNT)];
        if (slot->block == NULL)
            allocate(slot, random, only_size);
        else if (random_below(random, 4) == 0)
            resize(slot, random);
        else
            release(slot);
    }
}

/* ---- Every pool there is ----------------------------------------------------------------------------------------- */

static struct pool *pools[POOL_COUNT_MAX];
static size_t pool_count;

static void note_pool(struct pool *pool, void *context) {
    (void)context;
    CHECK(pool_count < POOL_COUNT_MAX);
    pools[pool_count++] = pool;
}

/* The pool map visits in order of address. */
static void look_at_places(void) {
    for (size_t i = 1; i < pool_count; i++)
        RULE(R1, pools[i - 1]->start + pools[i - 1]->bytes <= pools[i]->start);
}

/* Each descriptor ever seen, and its layer. */
static void look_at_descriptor(const struct pool *pool) {
    static struct {
        const struct pool *descriptor;
        enum layer layer;
    } seen[4 * POOL_COUNT_MAX];
    size_t place = (uintptr_t)pool / CACHE_LINE_BYTES % COUNT_OF(seen);
    while (seen[place].descriptor != NULL && seen[place].descriptor != pool)
        place = (place + 1) % COUNT_OF(seen);
    RULE(P3, seen[place].descriptor == NULL || seen[place].layer == pool_layer(pool));
    seen[place].descriptor = pool;
    seen[place].layer = pool_layer(pool);
}

/* Blocks that bear a tag are free: on the list, or on the remote stack. Verifying has counted the list (S3). */
static void look_at_tags(struct pool *pool) {
    size_t tagged = 0;
    for (uint32_t i = 1; i < pool->carved; i++)
        tagged += small_next_if_free(pool, small_block_at(pool, i * pool->block_bytes)) <= SMALL_NEXT_MAX;
    RULE(S1, tagged == pool->carved - 1 - (pool->live - pool->is_current) + dam_pool_remote_count(pool));
}

static size_t length_of_index_list(const struct pool *pool, uint32_t granule_offset) {
    size_t length = 0;
    while (granule_offset != 0) {
        length++;
        memcpy(&granule_offset, pool_start(pool) + ((size_t)granule_offset << GRANULE_SHIFT), sizeof granule_offset);
    }
    return length;
}

/* Verifying has shown that what is on the lists is free, of the list's class, and on no other list. Here: nothing is missing. */
static void look_at_free_index(struct pool *pool) {
    const struct general_pool *general = container_of(pool, struct general_pool, pool);
    size_t listed = 0, free_blocks = 0;
    for (uint32_t i = 0; i < GENERAL_CLASS_COUNT; i++)
        listed += length_of_index_list(pool, general->index.first[i]);
    for (char *block = pool_start(pool) + BLOCK_OVERHEAD_BYTES; !block_has_state(block, BLOCK_FENCE);) {
        bool is_free = block_has_state(block, BLOCK_FREE);
        uint32_t granules = is_free ? block_header(block)->fields : granules_in(block_header(block)->fields);
        free_blocks += is_free && granules > 0;
        block = block_behind(block, granules);
    }
    RULE(I1, listed == free_blocks);
}

static bool waits_for_the_next_free(struct pool *pool) {
    return pool_layer(pool) == LAYER_SMALL ? dam_small_is_full(pool) : dam_general_is_nearly_full(pool);
}

static void look_at_pool(struct pool *pool) {
    look_at_descriptor(pool);
    if (pool_layer(pool) == LAYER_DIRECT)
        return;
    bool owned = remote_is_owned(atomic_load_explicit(&pool->remote, memory_order_relaxed));
    RULE(T1, owned == (pool->small_owner != NULL || pool->general_owner != NULL));
    RULE(T2, owned || dam_pool_remote_count(pool) == 0);
    RULE(H2, owned || pool->shared || waits_for_the_next_free(pool));
    if (pool_layer(pool) == LAYER_SMALL)
        look_at_tags(pool);
    else
        look_at_free_index(pool);
}

/* ---- A heap's lists ---------------------------------------------------------------------------------------------- */

static struct pool *pool_of_link(struct list *link) {
    return container_of(link, struct pool, link);
}

static size_t pools_of_heap(const struct heap *heap, enum layer layer) {
    size_t count = 0;
    for (size_t i = 0; i < pool_count; i++)
        count += pool_layer(pools[i]) == layer && is_of_heap(pools[i], heap);
    return count;
}

/* As many pools on the lists as the heap owns, each of them the heap's, and no current pool on a list: none is there twice. */
static void look_at_small_lists(const struct heap *heap) {
    size_t listed = 0;
    for (uint32_t i = 0; i < dam_small_classes.count; i++) {
        const struct pool *current = heap->small.current[dam_small_classes.of[i].granule_first];
        if (current != &dam_small_no_pool) {
            RULE(S4, current->small_owner == heap && current->class_index == i);
            listed++;
        }
        for (struct list *link = heap->small.usable[i].next; link != &heap->small.usable[i]; link = link->next) {
            struct pool *pool = pool_of_link(link);
            RULE(S4, pool->small_owner == heap && pool->class_index == i && pool != current);
            RULE(S5, heap->is_first_class || !dam_small_is_full(pool) || dam_pool_remote_count(pool) > 0);
            listed++;
        }
    }
    RULE(S4, listed == pools_of_heap(heap, LAYER_SMALL));
}

static void look_at_general_lists(struct heap *heap) {
    size_t listed = 0;
    for (uint32_t i = 0; i < GENERAL_CLASS_COUNT; i++) {
        struct list *list = &heap->general.by_largest[i];
        RULE(G5, (heap->general.class_bits[i / 64] >> (i % 64) & 1) != list_is_empty(list));
        for (struct list *link = list->next; link != list; link = link->next) {
            struct pool *pool = pool_of_link(link);
            const struct general_pool *general = container_of(pool, struct general_pool, pool);
            RULE(G5, pool->general_owner == heap && dam_index_largest_class(&general->index) == i);
            listed++;
        }
    }
    RULE(G5, listed == heap->general.pool_count && listed == pools_of_heap(heap, LAYER_GENERAL));
}

/* What the quick lists hold. */
static int64_t look_at_quick_lists(const struct heap *heap) {
    int64_t granules_held = 0;
    for (uint32_t i = 0; i < GENERAL_LIVE_CLASS_COUNT; i++) {
        for (const struct block_link *block = heap->general.quick[i]; block != &dam_quick_end; block = block->next) {
            RULE(G8, pool_of(block)->general_owner == heap && block_has_state(block, BLOCK_QUICK));
            RULE(G3, granules_in(block_header(block)->fields) == class_granules(i));
            granules_held += class_granules(i);
        }
    }
    return granules_held;
}

/* The room is counted in 1/65536 granule, and inexact by less than a granule for each block. */
static void look_at_quick_room(const struct heap *heap) {
    int64_t blocks = 0;
    for (size_t i = 0; i < pool_count; i++)
        blocks += pools[i]->general_owner == heap ? pools[i]->live : 0;
    int64_t held = heap->general.quick_limit - heap->general.quick_room;
    int64_t error = held - look_at_quick_lists(heap) * 65536;
    RULE(G6, heap->general.quick_room >= 0);
    RULE(G6, error <= blocks * 65536 && error >= -blocks * 65536);
}

static void look_at_everything(struct heap *first_class) {
    assert_int_equal(dam_verify_all(), 0);
    pool_count = 0;
    dam_pool_map_visit(note_pool, NULL);
    look_at_places();
    for (size_t i = 0; i < pool_count; i++)
        look_at_pool(pools[i]);
    struct heap *heaps[] = {dam_thread_heap, first_class};
    for (size_t i = 0; i < COUNT_OF(heaps); i++) {
        look_at_small_lists(heaps[i]);
        look_at_general_lists(heaps[i]);
        look_at_quick_room(heaps[i]);
    }
}

/* ---- The game ---------------------------------------------------------------------------------------------------- */

static struct slot slots[THREAD_COUNT + 1][SLOT_COUNT]; /* the last are of this thread */
static uint64_t seed;
static size_t round_number;

/* Plays with what another thread, which has ended, left behind. */
static void *play_as_thread(void *argument) {
    size_t number = (size_t)(uintptr_t)argument;
    struct random random = random_start(seed, round_number * THREAD_COUNT + number);
    play(slots[(number + round_number) % THREAD_COUNT], &random, STEP_COUNT);
    return NULL;
}

static void play_in_threads(void) {
    pthread_t threads[THREAD_COUNT];
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, play_as_thread, (void *)(uintptr_t)i), 0);
    for (size_t i = 0; i < THREAD_COUNT; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void play_in_first_class_heap(dam_heap *heap, struct random *random) {
    for (int i = 0; i < 300; i++) {
        struct slot slot = {.size = random_size(random, 200 * KIB) + 1};
        slot.block = dam_heap_malloc(heap, slot.size);
        assert_non_null(slot.block);
        look_at_new_block(&slot, (struct heap *)heap);
        if (random_below(random, 3) != 0)
            dam_free(slot.block);
    }
}

TEST(threads_that_free_each_others_blocks_and_end_break_no_rule) {
    seed = test_seed("lint.heap_invariants");
    struct random random = random_start(seed, UINT64_MAX);
    dam_heap *first_class = dam_heap_create();
    assert_non_null(first_class);
    for (round_number = 0; round_number < ROUND_COUNT; round_number++) {
        play_in_threads();
        play(slots[THREAD_COUNT], &random, STEP_COUNT);
        play(slots[round_number % THREAD_COUNT], &random, STEP_COUNT / 4);
        play_in_first_class_heap(first_class, &random);
        if (round_number % 8 == 7)
            dam_trim();
        look_at_everything((struct heap *)first_class);
    }
    dam_heap_destroy(first_class);
}

/* Blocks of one class, requested by different sizes, again and again. First, while there are few blocks: their number bounds
 * what is inexact. */
TEST(the_room_of_the_quick_lists_does_not_wander_off) {
    static const size_t sizes[][2] = {{65536, 63489}, {63489, 65536}};
    for (size_t pair = 0; pair < COUNT_OF(sizes); pair++) {
        for (int i = 0; i < 3000; i++) {
            dam_free(opaque_pointer(dam_malloc(sizes[pair][0])));
            dam_free(opaque_pointer(dam_malloc(sizes[pair][1])));
            dam_trim();
        }
        pool_count = 0;
        dam_pool_map_visit(note_pool, NULL);
        look_at_quick_room(dam_thread_heap);
    }
}

/* P1: an address that was in a pool is in none when that has gone. */
TEST(what_was_a_pool_is_none_any_more) {
    for (size_t size = GENERAL_SIZE_MAX + 1; size < 8 * MIB; size *= 2) {
        char *block = dam_malloc(size);
        assert_non_null(block);
        RULE(P1, pool_of(block) == pool_of(block + size - 1) && !pool_is_none(pool_of(block)));
        dam_free(opaque_pointer(block));
        RULE(P1, pool_is_none(pool_of(block)) && pool_is_none(pool_of(block + size - 1)));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_a_pool_is_none_any_more),
        cmocka_unit_test(the_room_of_the_quick_lists_does_not_wander_off),
        cmocka_unit_test(threads_that_free_each_others_blocks_and_end_break_no_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
