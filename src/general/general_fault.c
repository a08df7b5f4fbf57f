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

/* Fills in what an intact header says. */
static void describe(struct dam_fault *fault, const void *block) {
    fault->block = block;
    fault->state = state_words(block);
    uint32_t fields = block_header(block)->fields;
    if (fault->state == NULL) {
        fault->state = "header damaged";
        fault->has_words = true;
        fault->expected = block_check_for(block, fields, BLOCK_LIVE);
        fault->found = block_header(block)->check;
    } else if (block_has_state(block, BLOCK_FREE)) {
        fault->block_bytes = block_bytes_of_granules(fields);
    } else {
        fault->block_bytes = block_bytes_of_granules(granules_in(fields));
        fault->requested_bytes = request_in(fields);
    }
}

static struct dam_fault fault_in(const struct pool *pool, const void *address, const char *operation) {
    return (struct dam_fault){
        .address = address,
        .operation = operation,
        .layer = "general",
        .pool_start = pool_start(pool),
        .pool_bytes = pool->bytes,
    };
}

void dam_general_report_overflow(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = FAULT_OVERFLOW;
    describe(&fault, block);
    fault.has_words = true;
    fault.expected = block_seal(block, block_header(block)->fields);
    fault.found = block_read_canary(block, fault.requested_bytes);
    dam_fault_report(&fault);
}

/* The header of the block that the address lies in, looked for backwards: an intact header whose block covers it. */
static const void *block_around(const struct pool *pool, const void *address) {
    uintptr_t first = pool->start + GRANULE_BYTES;
    for (uintptr_t at = (uintptr_t)address & ~(GRANULE_BYTES - 1); at >= first; at -= GRANULE_BYTES) {
        const void *block = (const void *)at; // NOLINT(performance-no-int-to-ptr)
        if (state_words(block) != NULL)
            return block;
    }
    return NULL;
}

void dam_general_report_not_live(const struct pool *pool, const void *address, const char *operation) {
    struct dam_fault fault = fault_in(pool, address, operation);
    fault.kind = FAULT_NOT_A_BLOCK;
    if (pool_offset(pool, address) >= pool->bytes)
        dam_fault_report(&fault);
    if (!lies_inside(pool, address) || state_words(address) == NULL) {
        const void *around = block_around(pool, address);
        if (around != NULL)
            describe(&fault, around);
        /* Nothing covers it up to here, so a header is gone: this one. */
        bool covered = around != NULL && (size_t)((const char *)address - (const char *)around) <= fault.block_bytes;
        if (!covered && lies_inside(pool, address)) {
            fault.kind = FAULT_HEADER;
            describe(&fault, address);
        }
        dam_fault_report(&fault);
    }
    describe(&fault, address);
    if (!block_has_state(address, BLOCK_FENCE))
        fault.kind = FAULT_DOUBLE_FREE;
    dam_fault_report(&fault);
}

void dam_general_report_damaged_header(const struct pool *pool, const void *block, const char *operation) {
    struct dam_fault fault = fault_in(pool, block, operation);
    fault.kind = FAULT_HEADER;
    describe(&fault, block);
    dam_fault_report(&fault);
}

void dam_general_report_damaged_free_block(const void *block) {
    struct dam_fault fault = fault_in(pool_of(block), block, "reuse");
    fault.kind = FAULT_WRITE_AFTER_FREE;
    describe(&fault, block);
    dam_fault_report(&fault);
}
