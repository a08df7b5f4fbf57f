// SPDX-License-Identifier: MIT
/* fake_os.c: see fake_os.h. */
#include "unit/support/fake_os.h"

#include "os/os.h"
#include "region/metadata.h"

void *__real_dam_os_map(size_t bytes, size_t alignment);
bool __real_dam_os_unmap(void *start, size_t bytes);
bool __real_dam_os_purge(void *start, size_t bytes);
bool __real_dam_os_grow_in_place(void *start, size_t old_bytes, size_t new_bytes);
void *__real_dam_os_reserve(size_t bytes, size_t alignment);
bool __real_dam_os_move_onto(void *place, void *start, size_t old_bytes, size_t new_bytes);
bool __real_dam_os_protect(void *start, size_t bytes, bool accessible);
uint64_t __real_dam_os_now_ms(void);
void *__real_dam_metadata_take(struct metadata_kind *kind);

void *__wrap_dam_os_map(size_t bytes, size_t alignment);
bool __wrap_dam_os_unmap(void *start, size_t bytes);
bool __wrap_dam_os_purge(void *start, size_t bytes);
bool __wrap_dam_os_grow_in_place(void *start, size_t old_bytes, size_t new_bytes);
void *__wrap_dam_os_reserve(size_t bytes, size_t alignment);
bool __wrap_dam_os_move_onto(void *place, void *start, size_t old_bytes, size_t new_bytes);
bool __wrap_dam_os_protect(void *start, size_t bytes, bool accessible);
uint64_t __wrap_dam_os_now_ms(void);
void *__wrap_dam_metadata_take(struct metadata_kind *kind);

#define ALL_ALLOWED                                                                                                    \
    { .map_bytes_max = SIZE_MAX, .map_refused_from = SIZE_MAX }

struct fake_os fake_os = ALL_ALLOWED;

void fake_os_reset(void) {
    fake_os = (struct fake_os)ALL_ALLOWED;
}

void *__wrap_dam_os_map(size_t bytes, size_t alignment) {
    size_t call = fake_os.map_count++;
    if (call < ASKED_MAX)
        fake_os.map_asked[call] = bytes;
    if (bytes > fake_os.map_bytes_max ||
        (call >= fake_os.map_refused_from && call - fake_os.map_refused_from < fake_os.map_refused_count))
        return NULL;
    return __real_dam_os_map(bytes, alignment);
}

bool __wrap_dam_os_unmap(void *start, size_t bytes) {
    if (fake_os.refuses_unmap || !__real_dam_os_unmap(start, bytes))
        return false;
    size_t call = fake_os.unmap_count++;
    if (call < ASKED_MAX)
        fake_os.unmapped[call] = start;
    return true;
}

bool __wrap_dam_os_purge(void *start, size_t bytes) {
    fake_os.purge_count++;
    if (fake_os.refuses_purge || !__real_dam_os_purge(start, bytes))
        return false;
    fake_os.purged_bytes += bytes;
    return true;
}

bool __wrap_dam_os_grow_in_place(void *start, size_t old_bytes, size_t new_bytes) {
    return !fake_os.refuses_grow && __real_dam_os_grow_in_place(start, old_bytes, new_bytes);
}

void *__wrap_dam_os_reserve(size_t bytes, size_t alignment) {
    return fake_os.refuses_reserve ? NULL : __real_dam_os_reserve(bytes, alignment);
}

bool __wrap_dam_os_move_onto(void *place, void *start, size_t old_bytes, size_t new_bytes) {
    if (!fake_os.refuses_move)
        return __real_dam_os_move_onto(place, start, old_bytes, new_bytes);
    (void)__real_dam_os_unmap(place, new_bytes); /* the reservation is used up either way */
    return false;
}

bool __wrap_dam_os_protect(void *start, size_t bytes, bool accessible) {
    return !fake_os.refuses_protect && __real_dam_os_protect(start, bytes, accessible);
}

uint64_t __wrap_dam_os_now_ms(void) {
    return fake_os.now_ms != 0 ? fake_os.now_ms : __real_dam_os_now_ms();
}

void *__wrap_dam_metadata_take(struct metadata_kind *kind) {
    return fake_os.refuses_metadata ? NULL : __real_dam_metadata_take(kind);
}
