// SPDX-License-Identifier: MIT
/* libc_figures.c: glibc's functions about the heap as a whole, filled from DAM's own figures.
 *
 *   arena     bytes of pools cut from regions          hblks, hblkhd   direct pools and their bytes
 *   ordblks   live blocks                              uordblks        bytes in use by the program
 *   fordblks  arena - uordblks: free inside the pools  keepcost        free and dirty: what malloc_trim can give back */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <malloc.h>

#include "front/front.h"
#include "inspect/statistics.h"
#include "shim/export.h"


EXPORT struct mallinfo2 mallinfo2(void) {
    struct heap_statistics statistics;
    dam_statistics_read(&statistics);
    const struct layer_statistics *small = &statistics.small;
    const struct layer_statistics *general = &statistics.general;
    size_t arena = small->pools.bytes + general->pools.bytes;
    size_t used = small->live_bytes + general->live_bytes;
    return (struct mallinfo2){
        .arena = arena,
        .ordblks = small->live_blocks + general->live_blocks,
        .hblks = statistics.direct.pools.pool_count,
        .hblkhd = statistics.direct.pools.bytes,
        .uordblks = used,
        .fordblks = arena > used ? arena - used : 0,
        .keepcost = statistics.regions.dirty_bytes,
    };
}

/* The old interface has ints: what does not fit is as large as fits, not what is left after wrapping around. */
static int as_int(size_t value) {
    return value > INT_MAX ? INT_MAX : (int)value;
}

EXPORT struct mallinfo mallinfo(void) {
    struct mallinfo2 figures = mallinfo2();
    return (struct mallinfo){
        .arena = as_int(figures.arena),
        .ordblks = as_int(figures.ordblks),
        .hblks = as_int(figures.hblks),
        .hblkhd = as_int(figures.hblkhd),
        .uordblks = as_int(figures.uordblks),
        .fordblks = as_int(figures.fordblks),
        .keepcost = as_int(figures.keepcost),
    };
}

EXPORT void malloc_stats(void) {
    dam_statistics_print();
}

static int write_layer(FILE *stream, const char *name, const struct layer_statistics *layer) {
    return fprintf(stream,
                   "<layer name=\"%s\" pools=\"%zu\" pool_bytes=\"%zu\" pool_bytes_peak=\"%zu\" live_blocks=\"%zu\" "
                   "live_bytes=\"%zu\" free_bytes=\"%zu\"/>\n",
                   name, layer->pools.pool_count, layer->pools.bytes, layer->pools.bytes_peak, layer->live_blocks,
                   layer->live_bytes, layer->free_bytes);
}

/* options must be 0, as in glibc. */
EXPORT int malloc_info(int options, FILE *stream) {
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    struct heap_statistics statistics;
    dam_statistics_read(&statistics);
    int written = fprintf(stream, "<malloc version=\"dam-1\">\n");
    if (written >= 0)
        written = write_layer(stream, "small", &statistics.small);
    if (written >= 0)
        written = write_layer(stream, "general", &statistics.general);
    if (written >= 0)
        written = write_layer(stream, "direct", &statistics.direct);
    if (written >= 0)
        written = fprintf(stream, "<system reserved=\"%zu\" dirty=\"%zu\" given_back=\"%zu\"/>\n</malloc>\n",
                          statistics.regions.reserved_bytes, statistics.regions.dirty_bytes,
                          statistics.regions.given_back_bytes);
    return written < 0 ? -1 : 0;
}

/* pad is what glibc would leave at the top of its heap; DAM has no top. 1 if anything was given back. */
EXPORT int malloc_trim(size_t pad) {
    (void)pad;
    return dam_front_trim() > 0;
}

/* glibc's parameters describe glibc's heap. 0 says that the parameter was not set, which is true; programs go on. */
EXPORT int mallopt(int parameter, int value) {
    (void)parameter;
    (void)value;
    return 0;
}
