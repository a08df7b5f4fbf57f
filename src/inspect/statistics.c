// SPDX-License-Identifier: MIT
/* statistics.c: visits every pool and adds up; prints the summary of `dam run --stats` and malloc_stats. */
#include "inspect/statistics.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bits.h"
#include "base/describe.h"
#include "base/options_table.h"
#include "direct/direct.h"
#include "general/general.h"
#include "heap/heap.h"
#include "os/os.h"
#include "pool/ownership.h"
#include "pool/pool_map.h"
#include "region/central.h"
#include "region/metadata.h"

static READS_RACY_COUNTERS void add_small(struct layer_statistics *layer, struct pool *pool) {
    size_t carved = RELAXED_LOAD(&pool->carved);
    /* What others have freed is still in the owner's live count; a moment between the two reads may make it look larger. */
    size_t remote = dam_pool_remote_count(pool);
    size_t not_free = pool->live - RELAXED_LOAD(&pool->is_current);
    size_t live = not_free > remote ? not_free - remote : 0;
    layer->live_blocks += live;
    layer->live_bytes += live * pool->block_bytes;
    layer->free_bytes += pool->bytes - live * pool->block_bytes;
    layer->touched_bytes += round_up(carved * pool->block_bytes, dam_os_page_bytes());
}

static READS_RACY_COUNTERS void add_general(struct layer_statistics *layer, struct pool *pool) {
    const struct general_pool *general = container_of(pool, struct general_pool, pool);
    struct general_block_figures figures = {0};
    dam_general_read_figures(pool, &figures);
    layer->live_blocks += figures.live_blocks;
    layer->live_bytes += figures.live_bytes;
    layer->free_bytes += figures.free_bytes + figures.quick_bytes;
    layer->touched_bytes += round_up(general->touched_bytes, dam_os_page_bytes());
}

static READS_RACY_COUNTERS void add_direct(struct layer_statistics *layer, struct pool *pool) {
    layer->live_blocks++;
    layer->live_bytes += dam_direct_requested_bytes(pool);
    layer->touched_bytes += round_up(dam_direct_requested_bytes(pool), dam_os_page_bytes());
}

static void add_pool(struct pool *pool, void *context) {
    struct heap_statistics *statistics = context;
    switch (pool_layer(pool)) {
    case LAYER_SMALL:
        add_small(&statistics->small, pool);
        break;
    case LAYER_GENERAL:
        add_general(&statistics->general, pool);
        break;
    case LAYER_DIRECT:
        add_direct(&statistics->direct, pool);
        break;
    case LAYER_NONE:
        break;
    }
}

void dam_statistics_read(struct heap_statistics *statistics) {
    *statistics = (struct heap_statistics){.metadata_bytes = dam_metadata_mapped_bytes()};
    dam_pool_read_figures(LAYER_SMALL, &statistics->small.pools);
    dam_pool_read_figures(LAYER_GENERAL, &statistics->general.pools);
    dam_pool_read_figures(LAYER_DIRECT, &statistics->direct.pools);
    if (!dam_central_try_enter())
        return; /* a fork is under way, and pools may go while we look: what the pools hold is left at 0 */
    describe_enter();
    dam_pool_map_visit(add_pool, statistics);
    describe_leave();
    dam_region_read_figures(&statistics->regions);
    dam_central_leave();
}

/* ---- The summary ------------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static void print_line(const char *format, ...) {
    char line[160];
    va_list arguments;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the checker does not see va_start here */
    int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (length > 0)
        dam_os_write_summary(line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* A size in at most eight characters. */
struct size_text {
    char text[16];
};

static struct size_text size_text(size_t bytes) {
    static const char units[] = {'B', 'K', 'M', 'G', 'T', 'P', 'E'};
    struct size_text size;
    uint32_t unit = 0;
    double value = (double)bytes;
    while (value >= 9999.5) {
        value /= 1024;
        unit++;
    }
    (void)snprintf(size.text, sizeof size.text, unit == 0 ? "%.0f %c" : "%.1f %c", value, units[unit]);
    return size;
}

static void print_layer(const char *name, const struct layer_statistics *layer) {
    print_line("dam: %-8s %8zu %8s %8zu %8s %8s %8s %8s\n", name, layer->live_blocks,
               size_text(layer->live_bytes).text, layer->pools.pool_count, size_text(layer->pools.bytes).text,
               size_text(layer->pools.bytes_peak).text, size_text(layer->touched_bytes).text,
               size_text(layer->free_bytes).text);
}

void dam_statistics_print(void) {
    struct heap_statistics statistics;
    dam_statistics_read(&statistics);
    print_line("dam: %-8s %8s %8s %8s %8s %8s %8s %8s\n", "layer", "blocks", "live", "pools", "pool mem", "peak",
               "touched", "free");
    print_layer("small", &statistics.small);
    print_layer("general", &statistics.general);
    print_layer("direct", &statistics.direct);
    print_line("dam: kept for reuse %s, given back to the system %s\n",
               size_text(statistics.regions.dirty_bytes).text, size_text(statistics.regions.given_back_bytes).text);
    print_line("dam: address space reserved %s, for metadata %s\n",
               size_text(statistics.regions.reserved_bytes).text, size_text(statistics.metadata_bytes).text);
}

__attribute__((constructor)) static void prepare_to_print(void) {
    dam_start();
    if (DAM_SETTING(stats_at_exit))
        dam_os_keep_stderr();
}

__attribute__((destructor)) static void print_at_exit(void) {
    if (DAM_SETTING(stats_at_exit))
        dam_statistics_print();
}
