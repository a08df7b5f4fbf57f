// SPDX-License-Identifier: MIT
/* general_fault.c: turns what the general layer found into a fault report. Reads damaged memory with suspicion: only
 * within the pool, and no field is followed. */
#include "general/general_fault.h"

#include "general/block.h"
#include "guard/fault.h"
#include "pool/pool_map.h"

static bool lies_inside(const struct pool *pool, const void *block) {
    size_t offset = pool_offset(pool, block);
    return offset >= GRANULE_BYTES && offset < pool->bytes && offset % GRANULE_BYTES == 0;
}

static const char *state_words(const void *block) {
    if (block_has_state(block, BLOCK_LIVE))
        return "live";
    if (block_has_state(block, BLOCK_QUICK) || block_has_state(block, BLOCK_FREE))
        return "free";
    if (block_has_state(block, BLOCK_REMOTE))
        return "free, by another thread";
    if (block_has_state(block, BLOCK_FENCE))
        return "the end of the pool";
    return NULL;
}

/* Not so if the fields are those of a free block, whose header was left behind inside a larger one, or of the fence. */
static bool holds_its_request(uint32_t fields) {
    return request_in(fields) <= block_bytes_of_granules(granules_in(fields));
}

/* Fills in what an intact header says. */
static void describe(struct dam_fault *fault, const void *block) {
    fault->block = block;
    fault->state = state_words(block);
    uint32_t fields = block_header(block)->fields;
    if (fault->state == NULL) {
        fault->state = "header damaged";
        fault->block_bytes = 0; /* what stands there may be of the block it was taken to lie in */
        fault->requested_bytes = 0;
        fault->has_words = true;
        fault->expected = block_check_for(block, fields, BLOCK_LIVE);
        fault->found = block_header(block)->check;
    } else if (block_has_state(block, BLOCK_FREE) || !holds_its_request(fields)) {
        fault->block_bytes = block_bytes_of_granules(fields);
    } else {
        fault->block_bytes = block_bytes_of_granules(granules_in(fields));
        fault->requested_bytes = dam_fault_request(request_in(fields));
    }
}

static struct dam_fault fault_in(const struct pool *pool, const void *address, const char *operation) {
    return (struct dam_fault){
        .address = address,
        .operation = operation,
        .layer = DAM_LAYER_GENERAL,
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
    };
}

void dam_general_report_overflow(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = DAM_FAULT_OVERFLOW;
    describe(&fault, block);
    uint32_t fields = block_header(block)->fields;
    uint64_t canary = block_seal(block, fields);
    dam_fault_show_bytes(&fault, (const char *)block + request_in(fields), &canary, sizeof canary);
    dam_fault_report(&fault);
}

void dam_general_report_slack(const struct pool *pool, const void *block, const char *operation, const void *place,
                              const void *should_be, size_t bytes) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = DAM_FAULT_OVERFLOW;
    describe(&fault, block);
    dam_fault_show_bytes(&fault, place, should_be, bytes);
    dam_fault_report(&fault);
}

/* Where the blocks of a pool lead up to an address, from the front: only real blocks are met that way, and none of the headers
 * that merging left behind. */
struct walk {
    const char *last; /* the last block that starts at or before the address, NULL if there is none */
    const char *end;  /* where the next one starts, or a damaged header stands */
};

static struct walk walk_to(const struct pool *pool, const void *address) {
    struct walk walk = {.end = pool_start(pool) + BLOCK_OVERHEAD_BYTES};
    while (walk.end <= (const char *)address && state_words(walk.end) != NULL &&
           !block_has_state(walk.end, BLOCK_FENCE)) {
        walk.last = walk.end;
        uint32_t fields = block_header(walk.end)->fields;
        uint32_t granules = block_has_state(walk.end, BLOCK_FREE) ? fields : granules_in(fields);
        walk.end += block_bytes_of_granules(granules + 1);
    }
    return walk;
}

/* The block that ends where this one's header begins. */
static void name_neighbour(struct dam_fault *fault, const struct pool *pool, const void *block) {
    struct walk walk = walk_to(pool, (const char *)block - 1);
    if (walk.last == NULL || walk.end != (const char *)block)
        return;
    uint32_t fields = block_header(walk.last)->fields;
    fault->in_front = (struct fault_neighbour){
        .block = walk.last,
        .requested_bytes = block_has_state(walk.last, BLOCK_FREE) ? 0 : dam_fault_request(request_in(fields)),
        .state = state_words(walk.last),
    };
}

/* No block starts at the address: says in which it lies, or that a header is gone. */
static void describe_no_block(struct dam_fault *fault, const struct pool *pool, const void *address) {
    struct walk walk = walk_to(pool, address);
    if (walk.last != NULL)
        describe(fault, walk.last);
    bool is_covered = (const char *)address < walk.end;
    if (is_covered || !lies_inside(pool, walk.end))
        return;
    fault->kind = DAM_FAULT_HEADER; /* that of the block in which the walk ended, be it this one or one in front */
    describe(fault, walk.end);
    name_neighbour(fault, pool, walk.end);
}

void dam_general_report_not_live(const struct pool *pool, const void *address, const char *operation) {
    struct dam_fault fault = fault_in(pool, address, operation);
    fault.kind = DAM_FAULT_NOT_A_BLOCK;
    if (lies_inside(pool, address) && state_words(address) != NULL) {
        describe(&fault, address);
        if (!block_has_state(address, BLOCK_FENCE))
            fault.kind = DAM_FAULT_DOUBLE_FREE;
    } else if (pool_offset(pool, address) < pool->bytes) {
        describe_no_block(&fault, pool, address);
    }
    dam_fault_report(&fault);
}

static struct dam_fault damaged_header(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = DAM_FAULT_HEADER;
    describe(&fault, block);
    name_neighbour(&fault, pool, block);
    return fault;
}

void dam_general_report_damaged_header(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = damaged_header(pool, block, operation);
    dam_fault_report(&fault);
}

void dam_general_report_lost_header(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = damaged_header(pool, block, operation);
    dam_fault_report_damage(&fault);
}

static struct dam_fault damaged_free_block(const void *block) {
    struct dam_fault fault = fault_in(pool_of(block), block, "reuse");
    fault.kind = DAM_FAULT_WRITE_AFTER_FREE;
    describe(&fault, block);
    return fault;
}

void dam_general_report_damaged_free_block(const void *block) {
    struct dam_fault fault = damaged_free_block(block);
    dam_fault_report(&fault);
}

void dam_general_report_lost_free_block(const void *block) {
    struct dam_fault fault = damaged_free_block(block);
    dam_fault_report_damage(&fault);
}
