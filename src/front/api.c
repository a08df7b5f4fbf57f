// SPDX-License-Identifier: MIT
/* api.c: the names of dam.h. What they mean is in front.h and front_fast.h. */
#include "dam/dam.h"

#include <errno.h>

#include "base/bits.h"
#include "base/config.h"
#include "front/front.h"
#include "front/front_fast.h"
#include "guard/fault.h"
#include "options/options.h"

_Static_assert((int)DAM_LAYER_SMALL == LAYER_SMALL && (int)DAM_LAYER_GENERAL == LAYER_GENERAL &&
                   (int)DAM_LAYER_DIRECT == LAYER_DIRECT && (int)DAM_LAYER_NONE == LAYER_NONE,
               "the public layers are the layers");

void *dam_malloc(size_t size) {
    return front_malloc(size);
}

void dam_free(void *block) {
    front_free(block);
}

void *dam_calloc(size_t count, size_t size) {
    return dam_front_calloc(count, size);
}

void *dam_realloc(void *block, size_t size) {
    return dam_front_realloc(block, size);
}

void *dam_reallocarray(void *block, size_t count, size_t size) {
    return dam_front_realloc(block, dam_front_product(count, size));
}

bool dam_expand(void *block, size_t size) {
    return dam_front_expand(block, size);
}

void dam_free_sized(void *block, size_t size) {
    dam_front_free_sized(block, size, 1);
}

void dam_free_aligned_sized(void *block, size_t alignment, size_t size) {
    dam_front_free_sized(block, size, alignment);
}

void *dam_aligned_alloc(size_t alignment, size_t size) {
    return dam_front_aligned_alloc(alignment, size);
}

int dam_posix_memalign(void **block, size_t alignment, size_t size) {
    return dam_front_posix_memalign(block, alignment, size);
}

size_t dam_malloc_usable_size(const void *block) {
    return dam_front_usable_size(block);
}

enum dam_layer dam_layer_for_size(size_t size) {
    return size > PTRDIFF_MAX ? DAM_LAYER_NONE : (enum dam_layer)dam_layer_of_request(size, GRANULE_BYTES);
}

/* ---- First-class heaps: a dam_heap is a struct heap -------------------------------------------------------------- */

static struct heap *heap_of(dam_heap *heap) {
    return (struct heap *)heap;
}

dam_heap *dam_heap_create(void) {
    struct heap *heap = dam_first_class_create();
    if (heap == NULL)
        errno = ENOMEM;
    return (dam_heap *)heap;
}

void *dam_heap_malloc(dam_heap *heap, size_t size) {
    return dam_front_heap_alloc(heap_of(heap), size, GRANULE_BYTES, false);
}

void *dam_heap_calloc(dam_heap *heap, size_t count, size_t size) {
    return dam_front_heap_alloc(heap_of(heap), dam_front_product(count, size), GRANULE_BYTES, true);
}

void *dam_heap_realloc(dam_heap *heap, void *block, size_t size) {
    return dam_front_heap_realloc(heap_of(heap), block, size);
}

void *dam_heap_aligned_alloc(dam_heap *heap, size_t alignment, size_t size) {
    if (!is_power_of_two(alignment) || alignment > ALIGNMENT_MAX) {
        errno = EINVAL;
        return NULL;
    }
    return dam_front_heap_alloc(heap_of(heap), size, alignment, false);
}

void dam_heap_destroy(dam_heap *heap) {
    if (heap != NULL)
        dam_first_class_destroy(heap_of(heap));
}

void dam_set_fault_handler(dam_fault_handler *handler, void *context) {
    dam_fault_set_handler(handler, context);
}

/* ---- The allocator as a whole ------------------------------------------------------------------------------------ */

size_t dam_trim(void) {
    return dam_front_trim();
}

int dam_option_get(const char *name, char *buffer, size_t buffer_bytes) {
    dam_start();
    return dam_options_get(name, buffer, buffer_bytes);
}

int dam_option_set(const char *name, const char *value) {
    dam_start();
    return dam_options_set(name, value);
}

#define TEXT_OF(number) #number
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *dam_version(void) {
    return VERSION_TEXT(DAM_VERSION_MAJOR, DAM_VERSION_MINOR, DAM_VERSION_PATCH);
}
