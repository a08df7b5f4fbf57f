// SPDX-License-Identifier: MIT
/* block.h: what a block of the general layer looks like, and how its damage is noticed.
 *
 *                 user (16-aligned)
 *     | header 8  | payload: a multiple of 16                   | tail 8 | header 8 | ...
 *
 *     live        | program's bytes ...  | canary 8 | slack ...             the canary starts right behind the request
 *     quick       | next | check |                                          on a quick list of its heap
 *     remote      | next | check |                                          on its pool's remote stack
 *     free        | next, previous | check | ...                   | tag |  in the index; boundary tag: the size
 *     fence       a header without a payload that closes the pool
 *
 * The header is 32 bits of plain fields, readable in a debugger, and 32 bits of check. Check and canary are two views of
 * one seal, the product of a secret odd number with the block's address and fields:
 *
 *     seal = (address + 2 * fields + 1) * secret                check = its upper half XOR the code of the block's state
 *                                                               canary = all of it
 *
 * One comparison with the check of the state the block should be in says that the header is intact and the state is right.
 * The canary differs from block to block and from request to request. Both factors are odd, so its first byte is, too: the
 * commonest overflow of all, a string's terminating zero, is always seen.
 *
 * G1  Blocks lie back to back from the pool's start to its fence.
 * G2  Two free neighbours never exist: freeing always merges.
 * G3  A live, quick or remote block is exactly as large as its class.
 * G4  The last word of a block is a boundary tag if and only if the block is free. */
#ifndef DAM_GENERAL_BLOCK_H
#define DAM_GENERAL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "base/config.h"
#include "general/general_classes.h"

struct link_secrets {
    uint64_t of_place;
    uint64_t of_both;
};

/* What is the same for every heap; first what the common way reads. */
struct general_globals {
    uint64_t header_secret;
    struct link_secrets quick_secrets;
    uint32_t size_fields_of_class[GENERAL_LIVE_CLASS_COUNT]; /* a header's fields without a request */
    uint8_t class_holding[(GENERAL_SIZE_MAX >> GRANULE_SHIFT) + 1]; /* by granules */
    struct link_secrets remote_secrets;
    struct link_secrets index_secrets;
    struct link_secrets tag_secrets;
};

extern struct general_globals dam_general;

#define BLOCK_HEADER_BYTES ((size_t)8)
#define BLOCK_TAIL_BYTES ((size_t)8)
#define BLOCK_OVERHEAD_BYTES (BLOCK_HEADER_BYTES + BLOCK_TAIL_BYTES)

_Static_assert(BLOCK_OVERHEAD_BYTES == GRANULE_BYTES, "a block is its payload's granules and one more");

/* A block is named by its first user byte, as the program knows it; its header lies in front. */
struct block_header {
    uint32_t fields; /* live, quick, remote: granules << 16 | request - 1; free: granules; fence: 0 */
    uint32_t check;
};

/* Requests are 1 to 65,536 bytes (0 counts as 1), so one less fits 16 bits. */
#define REQUEST_BITS 16u
#define REQUEST_MASK ((1u << REQUEST_BITS) - 1)

_Static_assert(GENERAL_SIZE_MAX - 1 <= REQUEST_MASK, "a request fits its field");
_Static_assert((GENERAL_SIZE_MAX >> GRANULE_SHIFT) < 1u << (32 - REQUEST_BITS), "a live size fits its field");

/* Where the fields' upper half lies, which is the size. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define GRANULES_OFFSET sizeof(uint16_t)
#else
#define GRANULES_OFFSET 0
#endif

/* Codes are far apart, so that damage to a check does not turn one into another. */
enum block_state {
    BLOCK_LIVE = 0x00000000,
    BLOCK_QUICK = 0x3c96a5f0,
    BLOCK_REMOTE = 0x5aa5c33c,
    BLOCK_FREE = 0x69f00f96,
    BLOCK_FENCE = 0x0f5a9669,
};

/* ---- Places ------------------------------------------------------------------------------------------------------ */

static inline struct block_header *block_header(const void *block) {
    return (struct block_header *)(uintptr_t)((const char *)block - BLOCK_HEADER_BYTES); // NOLINT(performance-no-int-to-ptr)
}

static inline size_t block_bytes_of_granules(uint32_t granules) {
    return (size_t)granules << GRANULE_SHIFT;
}

/* The last word, and the block behind. */
static inline uint64_t *block_tail(void *block, uint32_t granules) {
    return (uint64_t *)(void *)((char *)block + block_bytes_of_granules(granules));
}

static inline void *block_behind(void *block, uint32_t granules) {
    return (char *)block + block_bytes_of_granules(granules + 1);
}

/* The word in front of the header: the last word of the block in front. */
static inline uint64_t *block_tail_in_front(void *block) {
    return (uint64_t *)(void *)((char *)block - BLOCK_OVERHEAD_BYTES);
}

static inline void *block_in_front(void *block, uint32_t granules_in_front) {
    return (char *)block - block_bytes_of_granules(granules_in_front + 1);
}

/* ---- Header and canary ------------------------------------------------------------------------------------------- */

static inline uint32_t size_fields(uint32_t granules) {
    return granules << REQUEST_BITS;
}

static inline uint32_t granules_in(uint32_t fields) {
    return fields >> REQUEST_BITS;
}

/* The granules of a block that is in use, read from its header in one instruction. */
ALWAYS_INLINE uint32_t block_granules(const void *block) {
    uint16_t granules;
    memcpy(&granules, (const char *)block - BLOCK_HEADER_BYTES + GRANULES_OFFSET, sizeof granules);
    return granules;
}

static inline size_t request_in(uint32_t fields) {
    return (size_t)(fields & REQUEST_MASK) + 1;
}

ALWAYS_INLINE uint64_t block_seal(const void *block, uint64_t fields) {
    return ((uintptr_t)block + 2 * fields + 1) * dam_general.header_secret;
}

ALWAYS_INLINE uint32_t seal_check(uint64_t seal) {
    return (uint32_t)(seal >> 32);
}

ALWAYS_INLINE uint32_t block_check_for(const void *block, uint32_t fields, enum block_state state) {
    return seal_check(block_seal(block, fields)) ^ (uint32_t)state;
}

ALWAYS_INLINE void block_write_header(void *block, uint32_t fields, enum block_state state) {
    struct block_header *header = block_header(block);
    header->fields = fields;
    header->check = block_check_for(block, fields, state);
}

/* Relaxed: a block in use may be freed by another thread while its pool's owner asks about it; then the check changes from
 * that of one state to that of another, and either answer is right. */
static inline bool block_has_state(const void *block, enum block_state state) {
    const struct block_header *header = block_header(block);
    return __atomic_load_n(&header->check, __ATOMIC_RELAXED) == block_check_for(block, header->fields, state);
}

/* A block changes from one state to another; the fields stay. */
ALWAYS_INLINE void block_change_state(void *block, enum block_state from, enum block_state to) {
    struct block_header *header = block_header(block);
    FORGET_VALUES_IN_MEMORY();
    header->check ^= (uint32_t)from ^ (uint32_t)to;
}

ALWAYS_INLINE void block_write_canary(void *block, size_t request_bytes, uint64_t canary) {
    memcpy((char *)block + request_bytes, &canary, sizeof canary);
}

ALWAYS_INLINE uint64_t block_read_canary(const void *block, size_t request_bytes) {
    uint64_t canary;
    memcpy(&canary, (const char *)block + request_bytes, sizeof canary);
    return canary;
}

static inline bool block_canary_is_intact(const void *block) {
    uint32_t fields = block_header(block)->fields;
    return block_read_canary(block, request_in(fields)) == block_seal(block, fields);
}

/* Header and canary of a block that is given out; request_bytes is at least 1. Returns the header's fields. */
ALWAYS_INLINE uint64_t block_make_live(void *block, uint32_t size_fields, size_t request_bytes) {
    struct block_header *header = block_header(block);
    uint64_t fields = size_fields + request_bytes - 1;
    uint64_t seal = block_seal(block, fields);
    header->fields = (uint32_t)fields;
    block_write_canary(block, request_bytes, seal);
    header->check = seal_check(seal) ^ (uint32_t)BLOCK_LIVE;
    return fields;
}

/* ---- Links inside free memory ------------------------------------------------------------------------------------ */

/* What a quick or remote block holds. */
struct block_link {
    void *next;
    uint64_t check;
};

/* Vouches for a link and the place it is kept at. Two products: with one, of a sum, link and place could be changed together.
 * Each kind of link has secrets of its own, so that one is never taken for another. */
ALWAYS_INLINE uint64_t link_check(const void *place, uint64_t link, const struct link_secrets *secrets) {
    return ((uintptr_t)place * secrets->of_place + link) * secrets->of_both;
}

ALWAYS_INLINE void block_write_quick_link(void *block, void *next) {
    struct block_link *link = block;
    link->next = next;
    link->check = link_check(block, (uintptr_t)next, &dam_general.quick_secrets);
}

ALWAYS_INLINE bool block_quick_link_is_intact(const void *block) {
    const struct block_link *link = block;
    return link->check == link_check(block, (uintptr_t)link->next, &dam_general.quick_secrets);
}

static inline void block_write_remote_link(void *block, void *next) {
    struct block_link *link = block;
    link->next = next;
    link->check = link_check(block, (uintptr_t)next, &dam_general.remote_secrets);
}

static inline bool block_remote_link_is_intact(const void *block) {
    const struct block_link *link = block;
    return link->check == link_check(block, (uintptr_t)link->next, &dam_general.remote_secrets);
}

/* ---- Boundary tags: the size of a free block in its last word, recognisable as such ------------------------------ */

#define BOUNDARY_SIZE_BITS 24

static inline uint64_t boundary_tag(const uint64_t *tail, uint32_t granules) {
    uint64_t proof = link_check(tail, granules, &dam_general.tag_secrets);
    return proof >> BOUNDARY_SIZE_BITS << BOUNDARY_SIZE_BITS | granules;
}

/* Whether the word is a boundary tag; stores the size of the free block that it closes. */
static inline bool boundary_tag_read(const uint64_t *tail, uint32_t *granules) {
    *granules = (uint32_t)(*tail & ((1u << BOUNDARY_SIZE_BITS) - 1));
    return boundary_tag(tail, *granules) == *tail;
}

#endif
