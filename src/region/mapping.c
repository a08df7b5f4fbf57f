// SPDX-License-Identifier: MIT
/* mapping.c: mappings for pools too large for slices, and a stock of them, since their touched pages are precious.
 *
 *   stock   | newest | ... | oldest |    released mappings, pages still there; counted as dirty
 *   husks   ranges that the system refused to take back; their pages are purged, their addresses are kept for reuse
 *
 * A program that releases a 20 MiB buffer and asks for another gets the first one again, without a single page fault.
 * The stock is bounded by dirty_max in bytes, by purge_delay_ms in age and by STOCK_COUNT_MAX in number. */
#include "base/compiler.h"
#include "base/config.h"
#include "base/list.h"
#include "base/options_table.h"
#include "os/os.h"
#include "region/dirty.h"
#include "region/metadata.h"
#include "region/region.h"

#define STOCK_COUNT_MAX 64u

struct mapping {
    struct list link;
    char *start;
    size_t bytes;
    uint64_t freed_ms;
    bool purged; /* a husk: reads as zero, costs nothing */
};

static struct {
    struct list newest_first;
    size_t touched_bytes; /* of the entries that are not purged */
    uint32_t count;
} stock = {.newest_first = {&stock.newest_first, &stock.newest_first}};

static struct metadata_kind mapping_kind = {.bytes = sizeof(struct mapping)};

static struct mapping *mapping_of(struct list *link) {
    return container_of(link, struct mapping, link);
}

static void forget(struct mapping *mapping) {
    list_unlink(&mapping->link);
    stock.count--;
    if (!mapping->purged) {
        stock.touched_bytes -= mapping->bytes;
        dam_dirty.bytes -= mapping->bytes;
    }
    dam_metadata_give(&mapping_kind, mapping);
}

/* What the system will not unmap (vm.max_map_count) it will still purge; what it will not purge either stays in the
 * stock as it is, and is tried again. */
static void return_to_system(struct mapping *mapping) {
    size_t touched = mapping->purged ? 0 : mapping->bytes;
    if (dam_os_unmap(mapping->start, mapping->bytes)) {
        dam_dirty.given_back_bytes += touched;
        forget(mapping);
    } else if (!mapping->purged && dam_os_purge(mapping->start, mapping->bytes)) {
        dam_dirty.given_back_bytes += touched;
        dam_dirty.bytes -= touched;
        stock.touched_bytes -= touched;
        mapping->purged = true;
    }
}

/* Walks from the oldest; each entry is tried once. */
static void return_while(bool (*is_due)(const struct mapping *mapping, uint64_t bound), uint64_t bound) {
    struct list *link = stock.newest_first.previous;
    while (link != &stock.newest_first) {
        struct list *newer = link->previous;
        struct mapping *mapping = mapping_of(link);
        if (is_due(mapping, bound))
            return_to_system(mapping);
        link = newer;
    }
}

static bool is_beyond(const struct mapping *mapping, uint64_t bytes_max) {
    return mapping->purged || dam_dirty.bytes > bytes_max || stock.count > STOCK_COUNT_MAX;
}

static bool is_before(const struct mapping *mapping, uint64_t freed_ms_max) {
    return mapping->purged || mapping->freed_ms <= freed_ms_max;
}

void dam_mapping_purge_down_to(size_t bytes_max) {
    return_while(is_beyond, bytes_max);
}

void dam_mapping_purge_older_than(uint64_t age_ms) {
    uint64_t now_ms = dam_os_now_ms();
    return_while(is_before, now_ms > age_ms ? now_ms - age_ms : 0);
}

size_t dam_mapping_stock_bytes(void) {
    return stock.touched_bytes;
}

/* The tightest entry that is large enough, aligned, and wastes at most a quarter. */
static struct mapping *find_in_stock(size_t bytes, size_t alignment) {
    struct mapping *best = NULL;
    for (struct list *link = stock.newest_first.next; link != &stock.newest_first; link = link->next) {
        struct mapping *mapping = mapping_of(link);
        if (mapping->bytes >= bytes && mapping->bytes - bytes <= bytes / 4 &&
            ((uintptr_t)mapping->start & (alignment - 1)) == 0 && (best == NULL || mapping->bytes < best->bytes))
            best = mapping;
    }
    return best;
}

void *dam_mapping_take(size_t bytes, size_t alignment, size_t *true_bytes, bool *zeroed) {
    dam_region_purge_due();
    struct mapping *mapping = find_in_stock(bytes, alignment);
    if (mapping != NULL) {
        void *start = mapping->start;
        *true_bytes = mapping->bytes;
        *zeroed = mapping->purged;
        forget(mapping);
        return start;
    }
    *true_bytes = bytes;
    *zeroed = true;
    void *start = dam_os_map(bytes, alignment);
    if (start == NULL) { /* what we keep may be what stands in the way (RLIMIT_AS) */
        (void)dam_region_release_unused();
        start = dam_os_map(bytes, alignment);
    }
    return start;
}

void dam_mapping_give(void *start, size_t bytes) {
    struct mapping *mapping = dam_metadata_take(&mapping_kind);
    if (mapping == NULL) {
        /* Nothing to remember it by: it must go now. If the system takes neither addresses nor pages, only address
         * space and the untouched promise of memory are lost, and only while it refuses everything else too. */
        if (dam_os_unmap(start, bytes) || dam_os_purge(start, bytes))
            dam_dirty.given_back_bytes += bytes;
        return;
    }
    *mapping = (struct mapping){.start = start, .bytes = bytes, .freed_ms = dam_os_now_ms()};
    list_push_first(&stock.newest_first, &mapping->link);
    stock.count++;
    stock.touched_bytes += bytes;
    dam_dirty.bytes += bytes;
    if (bytes > DAM_SETTING(dirty_max))
        return_to_system(mapping); /* it would only push everything else out, and then go itself */
    else if (stock.count > STOCK_COUNT_MAX)
        dam_mapping_purge_down_to(DAM_SETTING(dirty_max));
    dam_region_purge_due();
}
