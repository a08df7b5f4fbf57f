// SPDX-License-Identifier: MIT
/* region.c: finding, taking and giving back slices; purging. The picture and the rules are in region.h.
 *
 * Not here: mappings of their own (mapping.c), which share the dirty account. */
#include "region/region.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/describe.h"
#include "base/config.h"
#include "base/options_table.h"
#include "os/os.h"
#include "region/central.h"
#include "region/dirty.h"
#include "region/metadata.h"

struct dam_lock dam_central_lock;

#define REGION_SLICES_MAX 1024u
#define REGION_SLICES_FIRST 256u
#define REGION_SLICES_MIN 16u /* no smaller, even under pressure: splinters could not serve anything larger later */
#define BITS_PER_WORD 64u
#define REGION_WORDS (REGION_SLICES_MAX / BITS_PER_WORD)

struct region {
    char *start;
    char *reserved_start; /* as the system gave it: the slices are what is aligned of it */
    uint32_t slice_count;
    uint32_t free_count; /* an upper bound on the longest free run, to pass over full regions quickly */
    struct region *next; /* in order of creation */
    uint64_t free_bits[REGION_WORDS];
    uint64_t dirty_bits[REGION_WORDS];       /* a subset of free_bits */
    uint32_t freed_ms[REGION_SLICES_MAX];    /* when a dirty slice became free; low bits of the clock */
};

static struct {
    struct region *first;
    struct region *last;
    uint32_t next_slice_count; /* size of the region to reserve next */
    size_t reserved_bytes;
    size_t free_slices;
} regions = {.next_slice_count = REGION_SLICES_FIRST};

struct dirty_account dam_dirty;

static struct metadata_kind region_kind = {.bytes = sizeof(struct region)};

/* ---- Bit runs ---------------------------------------------------------------------------------------------------- */

static void set_run(uint64_t *bits, uint32_t from, uint32_t count) {
    for (uint32_t i = from; i < from + count; i++)
        bits[i / BITS_PER_WORD] |= (uint64_t)1 << (i % BITS_PER_WORD);
}

static void clear_run(uint64_t *bits, uint32_t from, uint32_t count) {
    for (uint32_t i = from; i < from + count; i++)
        bits[i / BITS_PER_WORD] &= ~((uint64_t)1 << (i % BITS_PER_WORD));
}

static uint32_t count_run(const uint64_t *bits, uint32_t from, uint32_t count) {
    uint32_t set = 0;
    for (uint32_t i = from; i < from + count; i++)
        set += bits[i / BITS_PER_WORD] >> (i % BITS_PER_WORD) & 1;
    return set;
}

/* The first position at or after `from` whose bit is `value`, or `limit`. */
static uint32_t next_bit(const uint64_t *bits, uint32_t from, uint32_t limit, bool value) {
    while (from < limit) {
        uint64_t word = bits[from / BITS_PER_WORD];
        uint64_t rest = (value ? word : ~word) >> (from % BITS_PER_WORD);
        if (rest != 0) {
            uint32_t found = from + lowest_bit(rest);
            return found < limit ? found : limit;
        }
        from = (from / BITS_PER_WORD + 1) * BITS_PER_WORD;
    }
    return limit;
}

/* The first run of at least `count` set bits, or `limit`. */
static uint32_t find_run(const uint64_t *bits, uint32_t limit, uint32_t count) {
    uint32_t start = next_bit(bits, 0, limit, true);
    while (start < limit) {
        uint32_t end = next_bit(bits, start, limit, false);
        if (end - start >= count)
            return start;
        start = next_bit(bits, end, limit, true);
    }
    return limit;
}

/* ---- Taking ------------------------------------------------------------------------------------------------------ */

static char *slice_address(const struct region *region, uint32_t index) {
    return region->start + (size_t)index * SLICE_BYTES;
}

static uint32_t slice_index(const struct region *region, const void *address) {
    return (uint32_t)((size_t)((const char *)address - region->start) / SLICE_BYTES);
}

/* One slice more than asked, so that an aligned run is in it wherever the system puts it: one call, and at most a slice of
 * address space unused. */
static size_t reserved_bytes(uint32_t slice_count) {
    return (slice_count + 1) * SLICE_BYTES;
}

static char *reserve(uint32_t slice_count) {
    return dam_os_map(reserved_bytes(slice_count), dam_os_page_bytes());
}

/* Reserves a region of the next size, or, where the system refuses that (RLIMIT_AS), of half, a quarter ... down to
 * what is needed, but not below the smallest that makes sense. */
static struct region *add_region(uint32_t needed_count) {
    struct region *region = dam_metadata_take(&region_kind);
    if (region == NULL)
        return NULL;
    uint32_t count_min = needed_count > REGION_SLICES_MIN ? needed_count : REGION_SLICES_MIN;
    uint32_t count = regions.next_slice_count > count_min ? regions.next_slice_count : count_min;
    char *reserved = reserve(count);
    while (reserved == NULL && count > count_min) {
        count = count / 2 > count_min ? count / 2 : count_min;
        reserved = reserve(count);
    }
    if (reserved == NULL) {
        dam_metadata_give(&region_kind, region);
        return NULL;
    }
    *region = (struct region){
        /* Never the reservation's first byte: free looks for a header in front of any address, the first slice's, too. */
        .start = (char *)round_up((uintptr_t)reserved + 1, SLICE_BYTES), // NOLINT(performance-no-int-to-ptr)
        .reserved_start = reserved,
        .slice_count = count,
        .free_count = count,
    };
    describe_nobodys(region->start, count * SLICE_BYTES);
    describe_hidden(&region->start, sizeof region->start);
    set_run(region->free_bits, 0, count);
    if (regions.last != NULL)
        regions.last->next = region;
    else
        regions.first = region;
    regions.last = region;
    regions.reserved_bytes += count * SLICE_BYTES;
    regions.free_slices += count;
    if (regions.next_slice_count < REGION_SLICES_MAX)
        regions.next_slice_count *= 2;
    return region;
}

static void *take_run(struct region *region, uint32_t index, uint32_t count, bool *zeroed) {
    uint32_t dirty = count_run(region->dirty_bits, index, count);
    clear_run(region->free_bits, index, count);
    clear_run(region->dirty_bits, index, count);
    region->free_count -= count;
    regions.free_slices -= count;
    dam_dirty.bytes -= dirty * SLICE_BYTES;
    *zeroed = dirty == 0;
    return slice_address(region, index);
}

void *dam_region_take(size_t count, struct region **region_out, bool *zeroed) {
    DAM_ASSERT(count > 0 && count <= REGION_SLICES_MAX);
    uint32_t needed = (uint32_t)count;
    dam_region_purge_due();
    if (dam_dirty.bytes >= count * SLICE_BYTES) {
        for (struct region *region = regions.first; region != NULL; region = region->next) {
            if (region->free_count < needed)
                continue;
            uint32_t index = find_run(region->dirty_bits, region->slice_count, needed);
            if (index < region->slice_count) {
                *region_out = region;
                return take_run(region, index, needed, zeroed);
            }
        }
    }
    for (struct region *region = regions.free_slices >= count ? regions.first : NULL; region != NULL;
         region = region->next) {
        if (region->free_count < needed)
            continue;
        uint32_t index = find_run(region->free_bits, region->slice_count, needed);
        if (index < region->slice_count) {
            *region_out = region;
            return take_run(region, index, needed, zeroed);
        }
    }
    struct region *region = add_region(needed);
    if (region == NULL) {
        (void)dam_region_release_unused();
        region = add_region(needed);
    }
    *region_out = region;
    return region == NULL ? NULL : take_run(region, 0, needed, zeroed);
}

bool dam_region_extend(struct region *region, const void *start, size_t old_count, size_t new_count) {
    if (new_count > region->slice_count)
        return false;
    uint32_t index = slice_index(region, start) + (uint32_t)old_count;
    uint32_t added = (uint32_t)(new_count - old_count);
    if (index + added > region->slice_count || count_run(region->free_bits, index, added) != added)
        return false;
    bool zeroed;
    take_run(region, index, added, &zeroed);
    return true;
}

void dam_region_give(struct region *region, void *start, size_t count) {
    uint32_t index = slice_index(region, start);
    uint32_t added = (uint32_t)count;
    DAM_ASSERT(index + added <= region->slice_count);
    DAM_ASSERT(count_run(region->free_bits, index, added) == 0);
    uint32_t now_ms = (uint32_t)dam_os_now_ms();
    set_run(region->free_bits, index, added);
    set_run(region->dirty_bits, index, added);
    for (uint32_t i = index; i < index + added; i++)
        region->freed_ms[i] = now_ms;
    region->free_count += added;
    regions.free_slices += added;
    dam_dirty.bytes += count * SLICE_BYTES;
    dam_region_purge_due();
}

/* ---- Purging ----------------------------------------------------------------------------------------------------- */

static void purge_run(struct region *region, uint32_t from, uint32_t count) {
    if (!dam_os_purge(slice_address(region, from), count * SLICE_BYTES))
        return; /* still dirty, still free: tried again next time */
    clear_run(region->dirty_bits, from, count);
    dam_dirty.bytes -= count * SLICE_BYTES;
    dam_dirty.given_back_bytes += count * SLICE_BYTES;
}

/* Purges the dirty slices of the region that were freed at least age_ms ago, run by run. */
static void purge_old(struct region *region, uint32_t now_ms, uint32_t age_ms) {
    uint32_t limit = region->slice_count;
    uint32_t from = next_bit(region->dirty_bits, 0, limit, true);
    while (from < limit) {
        uint32_t end = from;
        uint32_t dirty_end = next_bit(region->dirty_bits, from, limit, false);
        while (end < dirty_end && now_ms - region->freed_ms[end] >= age_ms)
            end++;
        if (end > from)
            purge_run(region, from, end - from);
        from = next_bit(region->dirty_bits, end + 1, limit, true);
    }
}

static void purge_regions_older_than(uint32_t age_ms) {
    uint32_t now_ms = (uint32_t)dam_os_now_ms();
    for (struct region *region = regions.first; region != NULL; region = region->next)
        purge_old(region, now_ms, age_ms);
}

/* Oldest first, approximately: each round halves the age that is allowed to stay. */
static void purge_regions_down_to(size_t bytes_max) {
    for (uint32_t age_ms = (uint32_t)DAM_SETTING(purge_delay_ms); dam_dirty.bytes > bytes_max; age_ms /= 2) {
        purge_regions_older_than(age_ms);
        if (age_ms == 0)
            break;
    }
}

void dam_region_purge_due(void) {
    size_t dirty_max = DAM_SETTING(dirty_max);
    if (UNLIKELY(dam_dirty.bytes > dirty_max)) {
        dam_mapping_purge_down_to(dirty_max);
        if (dam_dirty.bytes > dirty_max)
            purge_regions_down_to(dirty_max - dirty_max / 4); /* more than needed, so that it is not needed again at once */
    }
    uint64_t delay_ms = DAM_SETTING(purge_delay_ms);
    uint64_t now_ms = dam_os_now_ms();
    /* Looking often enough that nothing stays more than a quarter longer than it should. */
    if (dam_dirty.bytes == 0 || now_ms - dam_dirty.looked_ms < delay_ms / 4)
        return;
    dam_dirty.looked_ms = now_ms;
    dam_mapping_purge_older_than(delay_ms);
    purge_regions_older_than((uint32_t)delay_ms);
}

size_t dam_region_purge_all(void) {
    size_t before = dam_dirty.given_back_bytes;
    dam_mapping_purge_down_to(0);
    purge_regions_older_than(0);
    return dam_dirty.given_back_bytes - before;
}

/* ---- Giving up address space ------------------------------------------------------------------------------------- */

static void release(struct region *region) {
    size_t dirty_bytes = count_run(region->dirty_bits, 0, region->slice_count) * SLICE_BYTES;
    dam_dirty.bytes -= dirty_bytes;
    dam_dirty.given_back_bytes += dirty_bytes;
    regions.reserved_bytes -= region->slice_count * SLICE_BYTES;
    regions.free_slices -= region->slice_count;
    dam_metadata_give(&region_kind, region);
}

size_t dam_region_release_unused(void) {
    size_t before = regions.reserved_bytes + dam_mapping_stock_bytes();
    dam_mapping_purge_down_to(0);
    struct region *kept = NULL;
    struct region *region = regions.first;
    regions.first = NULL;
    while (region != NULL) {
        struct region *next = region->next;
        if (region->free_count == region->slice_count &&
            dam_os_unmap(region->reserved_start, reserved_bytes(region->slice_count))) {
            release(region);
        } else {
            region->next = NULL;
            if (kept == NULL)
                regions.first = region;
            else
                kept->next = region;
            kept = region;
        }
        region = next;
    }
    regions.last = kept;
    return before - regions.reserved_bytes - dam_mapping_stock_bytes();
}

/* ---- Looking ----------------------------------------------------------------------------------------------------- */

void dam_region_read_figures(struct region_figures *figures) {
    *figures = (struct region_figures){
        .reserved_bytes = regions.reserved_bytes,
        .used_bytes = regions.reserved_bytes - regions.free_slices * SLICE_BYTES,
        .dirty_bytes = dam_dirty.bytes,
        .given_back_bytes = dam_dirty.given_back_bytes,
    };
}

size_t dam_region_verify(void) {
    size_t broken = 0;
    size_t dirty_bytes = dam_mapping_stock_bytes();
    size_t free_slices = 0;
    for (struct region *region = regions.first; region != NULL; region = region->next) {
        uint32_t free_count = count_run(region->free_bits, 0, region->slice_count);
        broken += free_count != region->free_count;
        for (uint32_t word = 0; word < REGION_WORDS; word++)
            broken += (region->dirty_bits[word] & ~region->free_bits[word]) != 0;
        dirty_bytes += count_run(region->dirty_bits, 0, region->slice_count) * SLICE_BYTES;
        free_slices += free_count;
    }
    broken += dirty_bytes != dam_dirty.bytes;
    broken += free_slices != regions.free_slices;
    return broken;
}
