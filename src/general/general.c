// SPDX-License-Identifier: MIT
/* general.c: which pool a block comes from and goes back to; quick lists; pools coming, changing hands, going. The picture and
 * the rules are in general.h.
 *
 * Not here: the common way (general_fast.h), splitting and merging inside a pool (general_blocks.c), its index
 * (free_index.c), which pools several heaps share (heap/). */
#include "general/general.h"

#include "base/bits.h"
#include "base/options_table.h"
#include "general/block.h"
#include "general/general_blocks.h"
#include "general/general_fast.h"
#include "general/general_fault.h"
#include "guard/secret.h"
#include "os/os.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "region/metadata.h"

#define POOL_BYTES_FIRST ((size_t)256 << 10)

/* The quick lists may hold this much, and this share of the heap's pools. */
#define QUICK_BYTES_MIN ((size_t)64 << 10)
#define QUICK_SHARE_OF_POOLS 4

/* A pool with less than this share free is let go when the heap must grow. */
#define NEARLY_FULL_SHARE 8

struct general_globals dam_general;

/* Until the secrets are drawn every link check is 0. */
struct block_link dam_quick_end = {.next = NULL, .check = 1};

static struct metadata_kind general_descriptor = {.bytes = sizeof(struct general_pool)};

static struct general_pool *general_of(struct pool *pool) {
    return container_of(pool, struct general_pool, pool);
}

static struct general_pool *general_of_link(struct list *link) {
    return general_of(container_of(link, struct pool, link));
}

static struct link_secrets draw_link_secrets(void) {
    return (struct link_secrets){.of_place = dam_secret_odd_word(), .of_both = dam_secret_odd_word()};
}

/* Classes hold runs of sizes, so the table is filled run by run. */
void dam_general_init(void) {
    dam_general.header_secret = dam_secret_odd_word();
    dam_general.quick_secrets = draw_link_secrets();
    dam_general.remote_secrets = draw_link_secrets();
    dam_general.index_secrets = draw_link_secrets();
    dam_general.tag_secrets = draw_link_secrets();
    uint32_t smaller = 0;
    for (uint32_t i = 1; i < GENERAL_LIVE_CLASS_COUNT; i++) {
        uint32_t granules = class_granules(i);
        dam_general.size_fields_of_class[i] = size_fields(granules);
        memset(&dam_general.class_holding[smaller + 1], (int)i, granules - smaller);
        smaller = granules;
    }
    dam_general.class_holding[0] = 1;
    dam_quick_end.check = ~link_check(&dam_quick_end, 0, &dam_general.quick_secrets);
}

/* ---- The heap's pools -------------------------------------------------------------------------------------------- */

static void update_quick_limit(struct general_heap *heap) {
    size_t bytes = QUICK_BYTES_MIN + heap->pool_bytes / QUICK_SHARE_OF_POOLS;
    int64_t limit = (int64_t)(bytes >> GRANULE_SHIFT << REQUEST_BITS);
    heap->quick_room += limit - heap->quick_limit;
    heap->quick_limit = limit;
}

void dam_general_heap_init(struct general_heap *heap, struct heap *owner, bool keeps_pools) {
    *heap = (struct general_heap){
        .next_pool_bytes = POOL_BYTES_FIRST,
        .owner = owner,
        .keeps_pools = keeps_pools,
    };
    for (uint32_t i = 0; i < GENERAL_CLASS_COUNT; i++)
        list_init(&heap->by_largest[i]);
    for (uint32_t i = 0; i < GENERAL_LIVE_CLASS_COUNT; i++)
        heap->quick[i] = &dam_quick_end;
    update_quick_limit(heap);
}

static void put_on_list(struct general_heap *heap, struct general_pool *general) {
    uint32_t class_index = dam_index_largest_class(&general->index);
    general->listed_class = class_index;
    list_push_first(&heap->by_largest[class_index], &general->pool.link);
    heap->class_bits[class_index / 64] |= (uint64_t)1 << (class_index % 64);
}

static void take_off_list(struct general_heap *heap, struct general_pool *general) {
    uint32_t class_index = general->listed_class;
    list_unlink(&general->pool.link);
    if (list_is_empty(&heap->by_largest[class_index]))
        heap->class_bits[class_index / 64] &= ~((uint64_t)1 << (class_index % 64));
}

/* Keeps G5 after the pool's index has changed. */
static void relist(struct general_heap *heap, struct general_pool *general) {
    if (dam_index_largest_class(&general->index) == general->listed_class)
        return;
    take_off_list(heap, general);
    put_on_list(heap, general);
}

/* The pool with the tightest sufficient largest block, or NULL: the fullest one that can serve. */
static struct general_pool *find_pool(struct general_heap *heap, uint32_t class_index) {
    uint64_t from = ~(uint64_t)0 << (class_index % 64);
    for (uint32_t word = class_index / 64; word < GENERAL_CLASS_COUNT / 64; word++, from = ~(uint64_t)0) {
        uint64_t bits = heap->class_bits[word] & from;
        if (bits != 0)
            return general_of_link(heap->by_largest[word * 64 + lowest_bit(bits)].next);
    }
    return NULL;
}

static void set_owner(struct pool *pool, struct heap *owner) {
    RELAXED_STORE(&pool->general_owner, owner); /* relaxed: T3 */
}

static void enlist(struct general_heap *heap, struct general_pool *general) {
    put_on_list(heap, general);
    heap->pool_count++;
    heap->pool_bytes += general->pool.bytes;
    update_quick_limit(heap);
}

static void delist(struct general_heap *heap, struct general_pool *general) {
    take_off_list(heap, general);
    heap->pool_count--;
    heap->pool_bytes -= general->pool.bytes;
    update_quick_limit(heap);
}

/* An empty pool goes back, unless it is the heap's last. */
static void retire_if_empty(struct general_heap *heap, struct general_pool *general) {
    if (general->pool.live > 0 || heap->pool_count == 1)
        return;
    delist(heap, general);
    dam_pool_retire(&general->pool);
}

/* ---- Freeing and resizing ---------------------------------------------------------------------------------------- */

static void free_block(struct general_heap *heap, struct general_pool *general, void *block) {
    dam_blocks_free(general, block);
    relist(heap, general);
}

void dam_general_free(struct general_heap *heap, struct pool *pool, void *block) {
    heap->quick_room += block_header(block)->fields; /* what the common way charged */
    if (dam_general_check_live(pool, block, "free") == 0)
        return;
    struct general_pool *general = general_of(pool);
    /* If the block merges with one in front, this header stays behind inside: it must not say live to a second free. */
    block_change_state(block, BLOCK_LIVE, BLOCK_QUICK);
    free_block(heap, general, block);
    retire_if_empty(heap, general);
    dam_general_flush(heap); /* the quick lists are full, or this would not be the way taken */
}

bool dam_general_resize(struct general_heap *heap, struct pool *pool, void *block, size_t size) {
    struct general_pool *general = general_of(pool);
    uint32_t wanted = class_granules(general_class_for(size));
    if (wanted != granules_in(block_header(block)->fields)) {
        if (!dam_blocks_resize(general, block, wanted))
            return false;
        relist(heap, general);
    }
    block_make_live(block, size_fields(wanted), size == 0 ? 1 : size);
    return true;
}

/* ---- Remote frees ------------------------------------------------------------------------------------------------ */

static void write_remote_link(struct pool *pool, void *block, void *next) {
    (void)pool;
    block_write_remote_link(block, next);
}

/* Relaxed: the state only decides between two threads that free the same block at once. What the free publishes, it
 * publishes with the swap of the remote word. */
bool dam_general_free_remote(struct pool *pool, void *block) {
    if (dam_general_check_live(pool, block, "free") == 0)
        return false;
    uint32_t live = block_check_for(block, block_header(block)->fields, BLOCK_LIVE);
    if (UNLIKELY(!__atomic_compare_exchange_n(&block_header(block)->check, &live, live ^ (uint32_t)BLOCK_REMOTE, false,
                                              __ATOMIC_RELAXED, __ATOMIC_RELAXED))) {
        dam_general_report_not_live(pool, block, "free");
        return false;
    }
    return dam_pool_push_remote(pool, block, write_remote_link);
}

/* The block on top of a stack that was taken, NULL if there is none. What lies under a damaged block is left alone: it counts
 * as live for ever (G7 holds). */
static void *pop_remote(struct pool *pool, struct remote_stack *stack) {
    if (stack->count == 0)
        return NULL;
    void *block = stack->head;
    if (UNLIKELY(!block_has_state(block, BLOCK_REMOTE))) {
        dam_general_report_damaged_header(pool, block, "take back");
        return NULL;
    }
    void *next = ((struct block_link *)block)->next;
    bool is_last = stack->count == 1;
    if (UNLIKELY(!block_remote_link_is_intact(block) || is_last != (next == NULL))) {
        dam_general_report_damaged_free_block(block);
        return NULL;
    }
    stack->head = next;
    stack->count--;
    return block;
}

void dam_general_take_remote_into_index(struct pool *pool) {
    struct general_pool *general = general_of(pool);
    struct remote_stack stack = dam_pool_take_remote(pool);
    void *block;
    while ((block = pop_remote(pool, &stack)) != NULL)
        dam_blocks_free(general, block);
}

/* A block that was checked when it was freed (its canary need not be there any more: the link may lie over it) goes onto its
 * quick list, or into the index if the lists are full. */
static void put_away(struct general_heap *heap, struct general_pool *general, void *block) {
    uint32_t fields = block_header(block)->fields;
    if (heap->quick_room < fields) {
        free_block(heap, general, block);
        return;
    }
    heap->quick_room -= fields;
    block_change_state(block, BLOCK_REMOTE, BLOCK_QUICK);
    uint32_t class_index = dam_general.class_holding[granules_in(fields)];
    block_write_quick_link(block, heap->quick[class_index]);
    heap->quick[class_index] = block;
}

/* The owner takes what others freed as if it had freed it itself. False if there was nothing. */
static bool take_remote(struct general_heap *heap, struct general_pool *general) {
    struct remote_stack stack = dam_pool_take_remote(&general->pool);
    bool any = stack.count > 0;
    void *block;
    while ((block = pop_remote(&general->pool, &stack)) != NULL)
        put_away(heap, general, block);
    return any;
}

static bool take_remote_of_all_pools(struct general_heap *heap) {
    bool any = false;
    for (uint32_t i = 0; i < GENERAL_CLASS_COUNT; i++) {
        struct list *link = heap->by_largest[i].next;
        while (link != &heap->by_largest[i]) {
            struct general_pool *general = general_of_link(link);
            link = link->next; /* the pool may move to another list, even one still to come: it is then empty of news */
            if (dam_pool_remote_count(&general->pool) > 0)
                any |= take_remote(heap, general);
        }
    }
    return any;
}

/* ---- Quick lists ------------------------------------------------------------------------------------------------- */

/* A block off the quick list of a class goes back to its pool; one whose header is damaged stays out of use. */
static void give_back_quick(struct general_heap *heap, void *block, uint32_t class_index) {
    struct pool *pool = pool_of(block);
    bool is_of_class = granules_in(block_header(block)->fields) == class_granules(class_index); /* G3 */
    if (UNLIKELY(!block_has_state(block, BLOCK_QUICK) || !is_of_class)) {
        dam_general_report_damaged_header(pool, block, "merge");
        return;
    }
    struct general_pool *general = general_of(pool);
    free_block(heap, general, block);
    retire_if_empty(heap, general);
}

void dam_general_flush(struct general_heap *heap) {
    for (uint32_t i = 0; i < GENERAL_LIVE_CLASS_COUNT; i++) {
        struct block_link *block = heap->quick[i];
        heap->quick[i] = &dam_quick_end;
        while (block != &dam_quick_end) {
            if (UNLIKELY(!block_quick_link_is_intact(block))) {
                dam_general_report_damaged_free_block(block);
                break; /* what hangs on it stays out of use */
            }
            struct block_link *next = block->next;
            give_back_quick(heap, block, i);
            block = next;
        }
    }
    heap->quick_room = heap->quick_limit; /* exact again (G6) */
    heap->flushed_ms = dam_os_now_ms();
}

void dam_general_flush_if_old(struct general_heap *heap) {
    bool holds_any = heap->quick_room < heap->quick_limit;
    if (holds_any && dam_os_now_ms() - heap->flushed_ms > DAM_SETTING(purge_delay_ms))
        dam_general_flush(heap);
}

/* ---- Allocating -------------------------------------------------------------------------------------------------- */

/* A pool the heap owns that can serve the class: as it stands; else with what others have freed; else with what the
 * quick lists hold merged back. */
static struct general_pool *find_pool_trying_hard(struct general_heap *heap, uint32_t class_index) {
    struct general_pool *general = find_pool(heap, class_index);
    if (general == NULL && take_remote_of_all_pools(heap))
        general = find_pool(heap, class_index);
    if (general == NULL) {
        dam_general_flush(heap);
        general = find_pool(heap, class_index);
    }
    return general;
}

void *dam_general_alloc(struct general_heap *heap, size_t size, size_t alignment) {
    uint32_t class_index = general_class_for(size);
    if (UNLIKELY(alignment <= GRANULE_BYTES && heap->quick[class_index] != &dam_quick_end)) {
        if (block_quick_link_is_intact(heap->quick[class_index]))
            return general_alloc_fast(heap, size);
        dam_general_report_damaged_free_block(heap->quick[class_index]);
        heap->quick[class_index] = &dam_quick_end; /* what hangs on it stays out of use */
    }
    struct general_pool *general =
        find_pool_trying_hard(heap, dam_blocks_class_with_alignment(class_index, alignment));
    if (general == NULL)
        return NULL;
    void *block = alignment <= GRANULE_BYTES ? dam_blocks_take(general, class_index)
                                             : dam_blocks_take_aligned(general, class_index, alignment);
    relist(heap, general);
    block_make_live(block, dam_general.size_fields_of_class[class_index], size == 0 ? 1 : size);
    if (dam_pool_remote_count(&general->pool) > 0) /* what others freed here serves the next request */
        take_remote(heap, general);
    return block;
}

/* ---- Pools come, change hands, and go ---------------------------------------------------------------------------- */

struct pool *dam_general_create_pool(struct general_heap *heap, size_t size, size_t alignment) {
    uint32_t granules = class_granules(dam_blocks_class_with_alignment(general_class_for(size), alignment));
    size_t needed = round_up(block_bytes_of_granules(granules) + BLOCK_OVERHEAD_BYTES * 2, SLICE_BYTES);
    size_t bytes = heap->next_pool_bytes;
    struct pool_request request = {
        .layer = LAYER_GENERAL,
        .descriptor_kind = &general_descriptor,
        .bytes = bytes > needed ? bytes : needed,
        .alignment = SLICE_BYTES,
    };
    struct pool *pool = dam_pool_create(&request);
    while (pool == NULL && request.bytes > needed) { /* the system refuses: be modest */
        request.bytes = request.bytes / 2 > needed ? request.bytes / 2 : needed;
        pool = dam_pool_create(&request);
    }
    if (pool == NULL)
        return NULL;
    dam_blocks_lay_out(general_of(pool));
    if (heap->next_pool_bytes < GENERAL_POOL_BYTES_MAX)
        heap->next_pool_bytes *= 2;
    return pool;
}

bool dam_general_is_nearly_full(struct pool *pool) {
    const struct general_pool *general = general_of(pool);
    return general->index.free_granules < general->capacity_granules / NEARLY_FULL_SHARE;
}

void dam_general_let_go_nearly_full(struct general_heap *heap) {
    dam_general_flush(heap); /* G8 */
    if (heap->keeps_pools)
        return;
    for (uint32_t i = 0; i < GENERAL_CLASS_COUNT; i++) {
        struct list *link = heap->by_largest[i].next;
        while (link != &heap->by_largest[i]) {
            struct general_pool *general = general_of_link(link);
            link = link->next;
            struct pool *pool = &general->pool;
            if (!dam_general_is_nearly_full(pool))
                continue;
            set_owner(pool, NULL);
            delist(heap, general);
            if (!dam_pool_let_go(pool))
                dam_general_adopt(heap, pool);
        }
    }
}

void dam_general_adopt(struct general_heap *heap, struct pool *pool) {
    struct general_pool *general = general_of(pool);
    set_owner(pool, heap->owner);
    dam_general_take_remote_into_index(pool);
    enlist(heap, general);
    retire_if_empty(heap, general);
}

void dam_general_enlist_new(struct general_heap *heap, struct pool *pool) {
    set_owner(pool, heap->owner);
    enlist(heap, general_of(pool));
}

void dam_general_disown(struct general_heap *heap, struct pool *pool) {
    set_owner(pool, NULL);
    delist(heap, general_of(pool));
}

struct pool *dam_general_any_pool(struct general_heap *heap) {
    for (uint32_t word = 0; word < GENERAL_CLASS_COUNT / 64; word++) {
        if (heap->class_bits[word] != 0)
            return &general_of_link(heap->by_largest[word * 64 + lowest_bit(heap->class_bits[word])].next)->pool;
    }
    return NULL;
}

void dam_general_retire_empty(struct general_heap *heap) {
    struct pool *pool = heap->pool_count == 1 ? dam_general_any_pool(heap) : NULL;
    if (pool == NULL || pool->live > 0)
        return;
    delist(heap, general_of(pool));
    dam_pool_retire(pool);
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

size_t dam_general_check_live(const struct pool *pool, const void *address, const char *operation) {
    bool can_be_block = pool_offset(pool, address) - BLOCK_OVERHEAD_BYTES < pool->bytes - BLOCK_OVERHEAD_BYTES;
    if (UNLIKELY(!can_be_block || !block_has_state(address, BLOCK_LIVE))) {
        dam_general_report_not_live(pool, address, operation);
        return 0;
    }
    if (UNLIKELY(!block_canary_is_intact(address))) {
        dam_general_report_overflow(pool, address, operation);
        return 0;
    }
    return request_in(block_header(address)->fields);
}
