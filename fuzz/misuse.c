// SPDX-License-Identifier: MIT
/* misuse.c: faults on purpose, and the handler that waits for their reports. */
#include "fuzz/misuse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/world.h"
#include "general/block.h"
#include "heap/heap.h"
#include "os/os.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "small/small_fast.h"

#define KINDS(kind) (1u << DAM_FAULT_##kind)
#define KIND_COUNT (DAM_FAULT_WRONG_SIZE + 1u) /* those that can be committed here */

/* ---- What is demanded -------------------------------------------------------------------------------------------- */

struct demand {
    bool active;
    bool met;
    bool ends_process;      /* with WRITE_AFTER_FREE_FOUND */
    unsigned kinds;         /* one of these; 0: no fault */
    const void *address;    /* as the report must name it; NULL: any */
    const void *block;      /* likewise, if it names one; NULL: any */
    size_t requested_bytes; /* likewise; 0: any */
    const char *operation;  /* NULL: any */
};

static struct demand demand;
static size_t met_by_kind[KIND_COUNT];
static size_t silent_calls;

static void require(bool holds, const char *what) {
    if (!holds)
        finding(what);
}

static void hear_fault(const struct dam_fault_info *fault, void *context) {
    require(context == &demand, "the fault handler got another context");
    require(demand.active, "a fault was reported, and none was committed");
    require(fault->struct_bytes == sizeof *fault, "dam_fault_info has another size");
    require((unsigned)fault->kind < KIND_COUNT && (demand.kinds >> fault->kind & 1) != 0,
            "a fault was reported as one of another kind");
    require(demand.address == NULL || fault->address == demand.address, "a fault was reported at another address");
    require(fault->can_continue || demand.ends_process, "a call that can be left undone ends the process");
    require(fault->block == NULL || demand.block == NULL || fault->block == demand.block,
            "a fault was reported of another block");
    require(demand.requested_bytes == 0 || fault->requested_bytes == 0 ||
                fault->requested_bytes == demand.requested_bytes,
            "a fault was reported with another request");
    require(fault->operation != NULL, "a fault was reported without its operation");
    require(demand.operation == NULL || strcmp(fault->operation, demand.operation) == 0,
            "a fault was reported by another operation");
    require(fault->report_bytes == said.bytes && memcmp(fault->report, said.text, said.bytes) == 0,
            "the handler's report is not the one that was written");
    require(!demand.met, "a fault was reported twice");
    demand.met = true;
    met_by_kind[fault->kind]++;
    if (demand.ends_process)
        _exit(WRITE_AFTER_FREE_FOUND);
}

void misuse_begin(void) {
    static const char *const MODES[FAULT_MODE_COUNT] = {"abort", "report", "report", "ignore"};
    bool handled = world.fault_mode == FAULTS_HANDLED || world.fault_mode == FAULTS_HANDLED_AND_REPORTED;
    dam_set_fault_handler(handled ? hear_fault : NULL, handled ? &demand : NULL);
    require(dam_option_set("on_fault", MODES[world.fault_mode]) == 0, "on_fault was refused");
    demand = (struct demand){.active = false};
}

/* ---- Faulty calls ------------------------------------------------------------------------------------------------ */

enum faulty_call {
    BY_FREE,
    BY_REALLOC,
    BY_REALLOCARRAY,
    BY_REALLOC_TO_NOTHING,
    BY_HEAP_REALLOC,
    BY_EXPAND,
    BY_USABLE_SIZE,
    BY_FREE_SIZED,
    BY_FREE_ALIGNED_SIZED,
    FAULTY_CALL_COUNT
};

struct call {
    enum faulty_call by;
    void *address;
    size_t size;      /* new size, or what free_sized is told */
    size_t alignment; /* for free_aligned_sized */
};

static const char *const OPERATIONS[FAULTY_CALL_COUNT] = {
    [BY_FREE] = "free",
    [BY_REALLOC] = "realloc",
    [BY_REALLOCARRAY] = "realloc",
    [BY_REALLOC_TO_NOTHING] = "free",
    [BY_HEAP_REALLOC] = "realloc",
    [BY_EXPAND] = "expand",
    [BY_USABLE_SIZE] = "malloc_usable_size",
    [BY_FREE_SIZED] = "free_sized",
    [BY_FREE_ALIGNED_SIZED] = "free_aligned_sized",
};

/* free_aligned_sized with an alignment of 1 is free_sized. */
static const char *operation_of(const struct call *call) {
    return call->by == BY_FREE_ALIGNED_SIZED && call->alignment == 1 ? "free_sized" : OPERATIONS[call->by];
}

/* What a call that was left undone answers. */
static void call_and_look(const struct call *call) {
    void *block = &block;
    int error = EINVAL;
    errno = ERRNO_MARK;
    switch (call->by) {
    case BY_REALLOC:
        block = dam_realloc(call->address, call->size);
        break;
    case BY_REALLOCARRAY:
        block = dam_reallocarray(call->address, call->size, 1);
        break;
    case BY_HEAP_REALLOC:
        if (world.heaps[0] != NULL)
            block = dam_heap_realloc(world.heaps[0], call->address, call->size);
        else
            block = dam_realloc(call->address, call->size);
        break;
    case BY_REALLOC_TO_NOTHING:
        block = dam_realloc(call->address, 0);
        error = ERRNO_MARK;
        break;
    case BY_EXPAND:
        require(!dam_expand(call->address, call->size), "a faulty dam_expand succeeded");
        error = errno;
        break;
    case BY_USABLE_SIZE:
        require(dam_malloc_usable_size(call->address) == 0, "what is no block has a usable size");
        error = errno;
        break;
    case BY_FREE_SIZED:
        dam_free_sized(call->address, call->size);
        error = ERRNO_MARK;
        break;
    case BY_FREE_ALIGNED_SIZED:
        dam_free_aligned_sized(call->address, call->alignment, call->size);
        error = ERRNO_MARK;
        break;
    case BY_FREE:
    case FAULTY_CALL_COUNT:
        dam_free(call->address);
        error = ERRNO_MARK;
        break;
    }
    if (call->by == BY_REALLOC || call->by == BY_REALLOCARRAY || call->by == BY_HEAP_REALLOC)
        require(block == NULL, "a faulty realloc gave a block");
    require(errno == error, "a faulty call left the wrong errno");
}

static void tell_call(const struct call *call) {
    fprintf(stderr, "  the call: %s of %p, size %zu, alignment %zu\n", operation_of(call), call->address, call->size,
            call->alignment);
}

/* Makes the call, which must be reported. */
static void commit(const struct call *call, struct demand wanted) {
    size_t reports_before = said.reports;
    demand = wanted;
    demand.active = true;
    demand.address = call->address;
    demand.operation = operation_of(call);
    call_and_look(call);
    demand.active = false;
    size_t reports = said.reports - reports_before;
    bool reported = world.fault_mode == FAULTS_REPORTED ? reports == 1 : demand.met && reports == 1;
    if (world.fault_mode == FAULTS_IGNORED) {
        silent_calls++;
        reported = reports == 0;
    }
    if (!reported) {
        tell_call(call);
        finding(world.fault_mode == FAULTS_IGNORED ? "a fault was reported that was to be ignored"
                                                   : "a fault was committed and not reported");
    }
}

static enum faulty_call faulty_call_of(const struct step *step) {
    return step->choice % FAULTY_CALL_COUNT;
}

static struct call call_of(const struct step *step, void *address) {
    size_t size = 1 + (step->size & 0x3fff);
    return (struct call){.by = faulty_call_of(step), .address = address, .size = size, .alignment = 16};
}

/* ---- Pointers that are no blocks --------------------------------------------------------------------------------- */

static void *pointer_to(uintptr_t address) {
    return (void *)address; // NOLINT(performance-no-int-to-ptr)
}

static const struct slot *slot_around(const void *address) {
    uintptr_t at = (uintptr_t)address;
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        const struct slot *slot = &shadow.slots[i];
        if (slot->state == SLOT_PRESENT && at >= (uintptr_t)slot->start && at - (uintptr_t)slot->start < slot->size)
            return slot;
    }
    return NULL;
}

static bool has_state_of_the_dead(const void *block) {
    return block_has_state(block, BLOCK_QUICK) || block_has_state(block, BLOCK_FREE) ||
           block_has_state(block, BLOCK_REMOTE);
}

/* What is in quarantine is known to have been released; so is, for a while, where a large block was, whatever is there
 * now. */
static unsigned kinds_of_the_remembered(const void *address) {
    bool may_be_remembered = world_has_quarantine() || (uintptr_t)address % SLICE_BYTES == 0;
    return may_be_remembered ? KINDS(DOUBLE_FREE) : 0;
}

/* What an address at which no live block starts is to be reported as. A general block that is gone is known by its
 * header, as long as that lies in memory that nobody has written to since. */
static unsigned kinds_at(const void *address) {
    struct pool *pool = pool_of(address);
    unsigned remembered = kinds_of_the_remembered(address);
    uint64_t index;
    switch (pool_layer(pool)) {
    case LAYER_NONE:
        return KINDS(FOREIGN_POINTER) | remembered;
    case LAYER_SMALL:
        index = small_block_index(pool, address);
        return index > 0 && index < pool->carved ? KINDS(DOUBLE_FREE) : KINDS(NOT_A_BLOCK) | remembered;
    case LAYER_GENERAL:
        if ((uintptr_t)address % GRANULE_BYTES == 0 && pool_offset(pool, address) >= GRANULE_BYTES &&
            has_state_of_the_dead(address))
            return KINDS(DOUBLE_FREE);
        return KINDS(NOT_A_BLOCK) | remembered;
    case LAYER_DIRECT:
        return KINDS(NOT_A_BLOCK) | remembered;
    }
    return 0;
}

static bool any_ghost(const struct ghost *ghost) {
    (void)ghost;
    return true;
}

/* The next ghost from there on, of those that are fit and that no block has taken the place of. */
static const struct ghost *choose_ghost(const struct step *step, bool (*is_fit)(const struct ghost *ghost)) {
    for (unsigned i = 0; i < GHOST_COUNT; i++) {
        const struct ghost *ghost = &shadow.ghosts[(step->slot + i) % GHOST_COUNT];
        if (ghost->start != NULL && shadow_at(ghost->start) == NULL && is_fit(ghost))
            return ghost;
    }
    return NULL;
}

void double_free(const struct step *step) {
    const struct ghost *ghost = choose_ghost(step, any_ghost);
    if (ghost == NULL)
        return;
    struct call call = call_of(step, ghost->start);
    if ((step->extra & 1) != 0 && ghost->size > 0)
        call.size = ghost->size;
    commit(&call, (struct demand){.kinds = kinds_at(ghost->start)});
}

/* The stack, static memory, libc's, DAM's own memory that is no pool, and numbers. */
static void *choose_foreign(const struct step *step, void *on_stack, void *of_libc) {
    static uint64_t fixed[64];
    switch (step->extra % 8) {
    case 0:
        return on_stack;
    case 1:
        return &fixed[step->slot % 64];
    case 2:
        return of_libc;
    case 3:
        return &dam_central_lock;
    case 4: {
        const struct slot *slot = shadow_find_present(step->slot);
        return slot == NULL ? on_stack : (void *)pool_of(slot->start);
    }
    case 5:
        return pointer_to(UINTPTR_MAX - step->size);
    case 6:
        return pointer_to((uintptr_t)step->size << (step->slot % 48));
    default: { /* behind the pool, in memory that is reserved, or nobody's */
        const struct slot *slot = shadow_find_present(step->slot);
        const struct pool *pool = pool_of(slot == NULL ? NULL : slot->start);
        return pointer_to(pool->start + pool->bytes + step->size * 16u);
    }
    }
}

void foreign_pointer(const struct step *step) {
    uint64_t on_stack[8] = {0};
    void *of_libc = malloc(40);
    void *address = choose_foreign(step, on_stack, of_libc);
    struct call call = call_of(step, address);
    bool is_foreign = address != NULL && pool_is_none(pool_of(address));
    if (is_foreign)
        commit(&call, (struct demand){.kinds = KINDS(FOREIGN_POINTER) | kinds_of_the_remembered(address)});
    free(of_libc);
}

/* Somewhere in a live block, or in a pool. */
void interior_pointer(const struct step *step) {
    const struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL)
        return;
    const struct pool *pool = pool_of(slot->start);
    size_t offset = step->size % (slot->size + 1) + 1;
    uintptr_t address = (uintptr_t)slot->start + ((step->extra & 1) != 0 ? offset : (offset + 15) / 16 * 16);
    if ((step->extra & 2) != 0)
        address = pool->start + ((step->extra & 1) != 0 ? step->size : step->size % 8 * 8);
    if (pool_of(pointer_to(address)) != pool || shadow_at(pointer_to(address)) != NULL)
        return;
    struct call call = call_of(step, pointer_to(address));
    const struct slot *around = slot_around(call.address);
    unsigned kinds = kinds_at(call.address);
    bool is_inside = around != NULL && kinds == KINDS(NOT_A_BLOCK);
    commit(&call, (struct demand){.kinds = kinds, .block = is_inside ? around->start : NULL});
}

/* ---- Damage to a block that is mended again ---------------------------------------------------------------------- */

#define DAMAGE_BYTES_MAX 96

struct damage {
    unsigned char *place;
    size_t bytes;
    unsigned char was[DAMAGE_BYTES_MAX];
};

/* Changes every byte. */
static struct damage damage_at(unsigned char *place, size_t bytes, uint8_t mask) {
    struct damage damage = {.place = place, .bytes = bytes};
    memcpy(damage.was, place, bytes);
    for (size_t i = 0; i < bytes; i++)
        place[i] = (unsigned char)(place[i] ^ (mask == 0 ? 0xff : mask));
    return damage;
}

static void mend(const struct damage *damage) {
    memcpy(damage->place, damage->was, damage->bytes);
}

#define CANARY_BYTES ((size_t)8)

static bool has_canary(const struct slot *slot) {
    return world_has_tails() || pool_layer(pool_of(slot->start)) != LAYER_SMALL;
}

/* free_sized and its kin are told the truth: this is another fault's turn. */
static struct call honest_call(const struct step *step, const struct slot *slot) {
    struct call call = call_of(step, slot->start);
    if (call.by == BY_FREE_SIZED || call.by == BY_FREE_ALIGNED_SIZED) {
        call.by = slot->release == RELEASE_PLAIN   ? BY_FREE
                  : slot->release == RELEASE_SIZED ? BY_FREE_SIZED
                                                   : BY_FREE_ALIGNED_SIZED;
        call.size = slot->size;
        call.alignment = slot->alignment;
    }
    return call;
}

static size_t smaller_of(size_t a, size_t b) {
    return a < b ? a : b;
}

/* How far it may be written: to the pool's end, or in guard=full, where guard pages follow a large block, to its
 * page's. */
static size_t room_behind(const struct pool *pool, const struct slot *slot, const unsigned char *place) {
    uintptr_t end = pool->start + pool->bytes;
    if (world_has_quarantine() && pool_layer(pool) == LAYER_DIRECT)
        end = round_up((uintptr_t)slot->start + slot->size + CANARY_BYTES, dam_os_page_bytes());
    return end - (uintptr_t)place;
}

/* From some byte of the canary on, as far as the pool goes. What is written and put back before DAM looks is nobody's
 * business. A request of no bytes counts as one. */
void overflow(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL || !has_canary(slot))
        return;
    const struct pool *pool = pool_of(slot->start);
    size_t request = slot->size == 0 && pool_layer(pool) == LAYER_GENERAL && !world_has_tails() ? 1 : slot->size;
    unsigned char *place = slot->start + request + step->size % CANARY_BYTES;
    size_t room = room_behind(pool, slot, place);
    struct damage damage =
        damage_at(place, smaller_of(1 + step->extra % DAMAGE_BYTES_MAX, room), (uint8_t)(step->size >> 8));
    struct call call = honest_call(step, slot);
    size_t named = world_has_tails() ? 0 : request; /* who ran over the tail has made the request unknown */
    if ((step->choice & 128) == 0)
        commit(&call, (struct demand){.kinds = KINDS(OVERFLOW), .block = slot->start, .requested_bytes = named});
    mend(&damage);
    shadow_check(slot, slot->size);
    require(dam_malloc_usable_size(slot->start) >= slot->size, "a block that was mended has another size");
}

void underflow(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL || pool_layer(pool_of(slot->start)) != LAYER_GENERAL)
        return;
    size_t bytes = 1 + step->extra % BLOCK_HEADER_BYTES;
    size_t in_front = bytes + step->extra / BLOCK_HEADER_BYTES % (BLOCK_HEADER_BYTES - bytes + 1);
    struct damage damage = damage_at(slot->start - in_front, bytes, (uint8_t)(step->size >> 8));
    struct call call = honest_call(step, slot);
    if ((step->choice & 128) == 0)
        commit(&call, (struct demand){.kinds = KINDS(HEADER), .block = slot->start});
    mend(&damage);
    shadow_check(slot, slot->size);
    require(dam_malloc_usable_size(slot->start) >= slot->size, "a block that was mended has another size");
}

/* ---- Wrong sizes ------------------------------------------------------------------------------------------------- */

/* A small block knows its class and no more; what it was aligned to, it was rounded up to. */
static bool is_same_class(const struct pool *pool, size_t size, size_t alignment) {
    size_t asked = alignment > 16 ? (size + (size == 0) + alignment - 1) / alignment * alignment : size;
    return asked <= SMALL_SIZE_MAX && alignment <= SMALL_SIZE_MAX && small_class_index(asked) == pool->class_index;
}

static bool is_taken_for_right(const struct slot *slot, size_t size, size_t alignment) {
    const struct pool *pool = pool_of(slot->start);
    if ((uintptr_t)slot->start % alignment != 0)
        return false;
    if (world_has_tails())
        return size == slot->size;
    if (pool_layer(pool) == LAYER_SMALL)
        return is_same_class(pool, size, alignment);
    return size == slot->size || (pool_layer(pool) == LAYER_GENERAL && size + slot->size == 1);
}

void wrong_size(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL || slot->release == RELEASE_PLAIN)
        return;
    struct call call = {.by = BY_FREE_SIZED, .address = slot->start, .alignment = 1};
    call.size = (step->choice & 1) != 0 ? slot->size + step->extra - 128u : shadow_size(step->size);
    if (slot->release == RELEASE_ALIGNED_SIZED) {
        call.by = BY_FREE_ALIGNED_SIZED;
        call.alignment = (step->choice & 2) != 0 ? slot->alignment : (size_t)1 << step->choice / 4 % 16;
        if ((step->choice & 1) != 0)
            call.size = slot->size;
    }
    if (is_taken_for_right(slot, call.size, call.alignment))
        return;
    commit(&call, (struct demand){.kinds = KINDS(WRONG_SIZE), .block = slot->start});
    shadow_check(slot, slot->size);
}

/* ---- Write after free -------------------------------------------------------------------------------------------- */

static size_t general_block_bytes(const void *block) {
    return block_bytes_of_granules(granules_in(block_header(block)->fields));
}

/* A block that has left the lists and was merged may still have the header of one that is on them. */
static bool is_on_quick_list(const void *block) {
    const struct heap *heap = dam_own_heap();
    uint32_t class_index = dam_general.class_holding[granules_in(block_header(block)->fields)];
    const struct block_link *listed = heap->general.quick[class_index];
    while (listed != block && listed != &dam_quick_end)
        listed = listed->next;
    return listed == block;
}

/* On the list that the caller's next allocations come from. */
static bool is_free_of_mine(const struct ghost *ghost) {
    const void *block = ghost->start;
    struct pool *pool = pool_of(block);
    if ((uintptr_t)block % GRANULE_BYTES != 0 || dam_pool_remote_count(pool) != 0)
        return false;
    if (pool_layer(pool) == LAYER_SMALL)
        return RELAXED_LOAD(&pool->small_owner) == dam_own_heap() &&
               small_block_index(pool, block) - 1 < pool->carved - 1 &&
               small_next_if_free(pool, block) <= SMALL_NEXT_MAX;
    return pool_layer(pool) == LAYER_GENERAL && RELAXED_LOAD(&pool->general_owner) == dam_own_heap() &&
           pool_offset(pool, block) >= GRANULE_BYTES && block_has_state(block, BLOCK_QUICK) &&
           general_block_bytes(block) > SMALL_SIZE_MAX && /* a smaller one was asked for with an alignment */
           is_on_quick_list(block);
}

/* A free small block's first two bytes lead to the next one: whoever changes only these leads the list to where the
 * next allocation finds another fault, or to another free block, which harms nobody. So one byte of the tag is changed
 * too. */
static size_t damage_bytes(const struct pool *pool, const struct step *step) {
    size_t bytes = 1 + step->extra % 8;
    return pool_layer(pool) == LAYER_SMALL && bytes < 3 ? 3 : bytes;
}

static void demand_write_found(const void *address, const void *block) {
    world.fault_mode = FAULTS_HANDLED;
    misuse_begin();
    demand = (struct demand){
        .active = true,
        .ends_process = true,
        .kinds = KINDS(WRITE_AFTER_FREE),
        .address = address,
        .block = block,
    };
}

#define REUSES_MAX 5000

/* The block is asked for again until it comes, or what was written to it is found. */
static void write_to_free_block(const struct step *step, const struct ghost *ghost) {
    const struct pool *pool = pool_of(ghost->start);
    uint64_t key = pool->key;
    size_t size = pool_layer(pool) == LAYER_SMALL ? pool->block_bytes : general_block_bytes(ghost->start);
    (void)damage_at(ghost->start, damage_bytes(pool, step), (uint8_t)step->size);
    demand_write_found(ghost->start, ghost->start);
    for (unsigned i = 0; i < REUSES_MAX; i++) {
        const void *block = dam_malloc(size);
        if (pool_of(ghost->start) != pool || pool->key != key)
            _exit(0); /* the pool went as a whole, with nothing in it, and came again; the block was not reused */
        require(block != ghost->start, "a block that was written to after it was released was given out");
        require(slot_around(block) == NULL, "a write after free led to a live block");
    }
    fprintf(stderr, "  the block: %p, asked for again as %zu bytes\n", (void *)ghost->start, size);
    finding("a write after free was not found on reuse");
}

/* Any byte of a block in quarantine, which is looked at when it leaves. The pages of large ones are not there
 * meanwhile. */
static void write_to_quarantined_block(const struct step *step) {
    size_t size = 1 + step->size % GENERAL_SIZE_MAX / 2;
    unsigned char *block = dam_malloc(size);
    require(block != NULL, "an allocation was refused");
    dam_free(block);
    unsigned char *place = block + step->extra * size / 256;
    (void)damage_at(place, 1, step->slot);
    demand_write_found(NULL, block);
    (void)dam_trim();
    fprintf(stderr, "  the block: %p of %zu bytes, written at %p\n", (void *)block, size, (void *)place);
    finding("a write after free was not found when the block left the quarantine");
}

void write_after_free(const struct step *step) {
    if (world_has_quarantine())
        write_to_quarantined_block(step);
    const struct ghost *ghost = choose_ghost(step, is_free_of_mine);
    if (ghost != NULL)
        write_to_free_block(step, ghost);
    _exit(0);
}

/* ---- Figures ----------------------------------------------------------------------------------------------------- */

void misuse_print_counts(void) {
    static const char *const NAMES[KIND_COUNT] = {
        [DAM_FAULT_DOUBLE_FREE] = "double free", [DAM_FAULT_FOREIGN_POINTER] = "foreign pointer",
        [DAM_FAULT_NOT_A_BLOCK] = "not a block", [DAM_FAULT_OVERFLOW] = "overflow",
        [DAM_FAULT_HEADER] = "damaged header",   [DAM_FAULT_WRONG_SIZE] = "wrong size",
    };
    fprintf(stderr, "faults that were demanded and came, as the handler was told (%zu more were to be ignored):\n",
            silent_calls);
    for (size_t i = 1; i < KIND_COUNT; i++) {
        if (NAMES[i] != NULL)
            fprintf(stderr, "%12zu %s\n", met_by_kind[i], NAMES[i]);
    }
}
