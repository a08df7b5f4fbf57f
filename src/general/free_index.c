// SPDX-License-Identifier: MIT
/* free_index.c: see free_index.h for the picture and the rules. */
#include "general/free_index.h"

#include "base/assert.h"
#include "general/block.h"
#include "general/general_fault.h"

/* What a free block holds at its start. */
struct index_links {
    uint32_t next;     /* granule offsets from the pool's start; 0: none */
    uint32_t previous; /* 0: this is the list's first */
    uint64_t check;
};

_Static_assert(sizeof(struct index_links) == GRANULE_BYTES, "the smallest indexed block holds its links");

static uint32_t offset_of(const struct pool *pool, const void *block) {
    return (uint32_t)(pool_offset(pool, block) >> GRANULE_SHIFT);
}

static void *block_at(const struct pool *pool, uint32_t offset) {
    return pool_start(pool) + ((size_t)offset << GRANULE_SHIFT);
}

static uint64_t links_word(uint32_t next, uint32_t previous) {
    return (uint64_t)previous << 32 | next;
}

static void write_links(void *block, uint32_t next, uint32_t previous) {
    struct index_links *links = block;
    links->next = next;
    links->previous = previous;
    links->check = link_check(block, links_word(next, previous), &dam_general.index_secrets);
}

static bool links_are_intact(const struct index_links *links) {
    return links->check == link_check(links, links_word(links->next, links->previous), &dam_general.index_secrets);
}

/* The links of a free block, once they are known to be undamaged. */
static struct index_links *checked_links(void *block) {
    struct index_links *links = block;
    if (UNLIKELY(!links_are_intact(links)))
        dam_general_report_lost_free_block(block);
    return links;
}

static void set_first(struct free_index *index, uint32_t class_index, uint32_t offset) {
    uint32_t row = class_index >> CLASS_STEP_BITS;
    uint32_t bit = 1u << (class_index & (CLASS_STEPS - 1));
    index->first[class_index] = offset;
    if (offset != 0)
        index->class_bits[row] = (uint16_t)(index->class_bits[row] | bit);
    else
        index->class_bits[row] = (uint16_t)(index->class_bits[row] & ~bit);
    if (index->class_bits[row] != 0)
        index->row_bits |= 1u << row;
    else
        index->row_bits &= ~(1u << row);
}

void dam_index_insert(struct free_index *index, const struct pool *pool, void *block, uint32_t granules) {
    block_write_header(block, granules, BLOCK_FREE);
    *block_tail(block, granules) = boundary_tag(block_tail(block, granules), granules);
    index->free_granules += granules;
    if (granules == 0)
        return; /* too small to hold links: it waits for a neighbour to merge with (I1) */
    uint32_t class_index = class_of_block(granules);
    uint32_t offset = offset_of(pool, block);
    uint32_t next = index->first[class_index];
    write_links(block, next, 0);
    if (next != 0) {
        struct index_links *next_links = checked_links(block_at(pool, next));
        write_links(next_links, next_links->next, offset);
    }
    set_first(index, class_index, offset);
}

/* A free block's size is believed if its header and its tag say the same. The tag is read where it is about to be rewritten: the
 * block will be split, or merged, or its last word cleared. */
static bool size_is_confirmed(const struct pool *pool, void *block, uint32_t granules) {
    bool lies_inside = (uint64_t)offset_of(pool, block) + granules < pool->bytes >> GRANULE_SHIFT;
    return lies_inside && *block_tail(block, granules) == boundary_tag(block_tail(block, granules), granules);
}

void dam_index_remove(struct free_index *index, const struct pool *pool, void *block, uint32_t granules) {
    if (UNLIKELY(!size_is_confirmed(pool, block, granules)))
        dam_general_report_lost_free_block(block);
    index->free_granules -= granules;
    if (granules == 0)
        return;
    struct index_links *links = checked_links(block);
    uint32_t next = links->next;
    uint32_t previous = links->previous;
    links->check = 0; /* nobody shall find them intact where no index leads */
    if (previous != 0) {
        struct index_links *previous_links = checked_links(block_at(pool, previous));
        write_links(previous_links, next, previous_links->previous);
    } else {
        set_first(index, class_of_block(granules), next);
    }
    if (next != 0) {
        struct index_links *next_links = checked_links(block_at(pool, next));
        write_links(next_links, next_links->next, previous);
    }
}

/* The first class at or above class_index that has a block, or 0. */
static uint32_t find_class(const struct free_index *index, uint32_t class_index) {
    uint32_t row = class_index >> CLASS_STEP_BITS;
    uint32_t in_row = index->class_bits[row] & (~0u << (class_index & (CLASS_STEPS - 1)));
    if (in_row != 0)
        return (row << CLASS_STEP_BITS) + lowest_bit(in_row);
    uint32_t rows = row + 1 < INDEX_ROWS ? index->row_bits & (~0u << (row + 1)) : 0;
    if (rows == 0)
        return 0;
    row = lowest_bit(rows);
    return (row << CLASS_STEP_BITS) + lowest_bit(index->class_bits[row]);
}

void *dam_index_take(struct free_index *index, const struct pool *pool, uint32_t class_index, uint32_t *granules) {
    uint32_t found = find_class(index, class_index);
    if (found == 0)
        return NULL;
    void *block = block_at(pool, index->first[found]);
    if (UNLIKELY(!block_has_state(block, BLOCK_FREE)))
        dam_general_report_lost_header(pool, block, "reuse");
    *granules = block_header(block)->fields;
    DAM_ASSERT(*granules >= class_granules(class_index));
    dam_index_remove(index, pool, block, *granules);
    return block;
}

uint32_t dam_index_largest_class(const struct free_index *index) {
    if (index->row_bits == 0)
        return 0;
    uint32_t row = highest_bit(index->row_bits);
    return (row << CLASS_STEP_BITS) + highest_bit(index->class_bits[row]);
}

size_t dam_index_verify(const struct free_index *index, const struct pool *pool) {
    size_t broken = 0;
    for (uint32_t row = 0; row < INDEX_ROWS; row++)
        broken += (index->row_bits >> row & 1) != (index->class_bits[row] != 0); /* I2 */
    for (uint32_t class_index = 1; class_index < GENERAL_CLASS_COUNT; class_index++) {
        uint32_t offset = index->first[class_index];
        uint32_t row_bits = index->class_bits[class_index >> CLASS_STEP_BITS];
        broken += (row_bits >> (class_index & (CLASS_STEPS - 1)) & 1) != (offset != 0);
        uint32_t previous = 0;
        while (offset != 0) {
            if (offset >= pool->bytes >> GRANULE_SHIFT)
                return broken + 1;
            const struct index_links *links = block_at(pool, offset);
            if (!links_are_intact(links) || links->previous != previous || !block_has_state(links, BLOCK_FREE) ||
                class_of_block(block_header(links)->fields) != class_index)
                return broken + 1; /* I1 */
            previous = offset;
            offset = links->next;
        }
    }
    return broken;
}
