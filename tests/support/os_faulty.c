// SPDX-License-Identifier: MIT
/* os_faulty.c: wrappers of os.h's functions; __real_* are the true ones, a name given by the linker. */
#include "support/os_faulty.h"

#include "base/options_table.h"
#include "os/os.h"
#include "support/random.h"
#include "support/test.h"

enum function { MAP, UNMAP, PURGE, GROW_IN_PLACE, RESERVE, MOVE_ONTO, PROTECT, FUNCTION_COUNT };

static const char *const FUNCTION_NAMES[FUNCTION_COUNT] = {
    [MAP] = "dam_os_map",         [UNMAP] = "dam_os_unmap",
    [PURGE] = "dam_os_purge",     [GROW_IN_PLACE] = "dam_os_grow_in_place",
    [RESERVE] = "dam_os_reserve", [MOVE_ONTO] = "dam_os_move_onto",
    [PROTECT] = "dam_os_protect",
};

enum policy { REFUSE_NOTHING, REFUSE_ONE, REFUSE_FROM, REFUSE_RANDOMLY };

static struct {
    enum policy policy;
    size_t nth;
    struct random random;
    size_t one_in;
    size_t calls;
    size_t refused;
    size_t mapped_bytes;
    size_t calls_of[FUNCTION_COUNT]; /* since the program began */
} faulty;

static void start(enum policy policy) {
    faulty.policy = policy;
    faulty.calls = 0;
    faulty.refused = 0;
}

void os_faulty_refuse_nothing(void) {
    start(REFUSE_NOTHING);
}

void os_faulty_refuse_call(size_t nth) {
    start(REFUSE_ONE);
    faulty.nth = nth;
}

void os_faulty_refuse_from(size_t nth) {
    start(REFUSE_FROM);
    faulty.nth = nth;
}

void os_faulty_refuse_randomly(uint64_t seed, size_t one_in) {
    start(REFUSE_RANDOMLY);
    faulty.random = random_start(seed, 77);
    faulty.one_in = one_in;
}

size_t os_faulty_calls(void) {
    return faulty.calls;
}

size_t os_faulty_refused(void) {
    return faulty.refused;
}

size_t os_faulty_mapped_bytes(void) {
    return faulty.mapped_bytes;
}

/* Guards are the profiles' business; a block between guards is not resized where it is. */
static bool is_of_profile(enum function function) {
    bool is_full = DAM_SETTING(guard) == GUARD_FULL;
    switch (function) {
    case PROTECT:
        return is_full || DAM_SETTING(sample_every) > 0;
    case GROW_IN_PLACE:
    case RESERVE:
    case MOVE_ONTO:
        return !is_full;
    case MAP:
    case UNMAP:
    case PURGE:
    case FUNCTION_COUNT:
        break;
    }
    return true;
}

const char *os_faulty_never_called(void) {
    for (enum function i = 0; i < FUNCTION_COUNT; i++)
        if (faulty.calls_of[i] == 0 && is_of_profile(i))
            return FUNCTION_NAMES[i];
    return NULL;
}

static bool must_refuse(void) {
    faulty.calls++;
    switch (faulty.policy) {
    case REFUSE_NOTHING:
        return false;
    case REFUSE_ONE:
        return faulty.calls == faulty.nth;
    case REFUSE_FROM:
        return faulty.calls >= faulty.nth;
    case REFUSE_RANDOMLY:
        return random_below(&faulty.random, faulty.one_in) == 0;
    }
    return false;
}

static bool refuse(enum function function) {
    bool refused = must_refuse();
    faulty.calls_of[function]++;
    faulty.refused += refused;
    return refused;
}

/* ---- The wrappers ------------------------------------------------------------------------------------------------ */

/* The linker's names have no other declaration. */
void *__real_dam_os_map(size_t bytes, size_t alignment);
bool __real_dam_os_unmap(void *from, size_t bytes);
bool __real_dam_os_purge(void *from, size_t bytes);
bool __real_dam_os_grow_in_place(void *from, size_t old_bytes, size_t new_bytes);
void *__real_dam_os_reserve(size_t bytes, size_t alignment);
bool __real_dam_os_move_onto(void *place, void *from, size_t old_bytes, size_t new_bytes);
bool __real_dam_os_protect(void *from, size_t bytes, bool accessible);

void *__wrap_dam_os_map(size_t bytes, size_t alignment);
bool __wrap_dam_os_unmap(void *from, size_t bytes);
bool __wrap_dam_os_purge(void *from, size_t bytes);
bool __wrap_dam_os_grow_in_place(void *from, size_t old_bytes, size_t new_bytes);
void *__wrap_dam_os_reserve(size_t bytes, size_t alignment);
bool __wrap_dam_os_move_onto(void *place, void *from, size_t old_bytes, size_t new_bytes);
bool __wrap_dam_os_protect(void *from, size_t bytes, bool accessible);

void *__wrap_dam_os_map(size_t bytes, size_t alignment) {
    if (refuse(MAP))
        return NULL;
    void *mapped = __real_dam_os_map(bytes, alignment);
    if (mapped != NULL)
        faulty.mapped_bytes += bytes;
    return mapped;
}

bool __wrap_dam_os_unmap(void *from, size_t bytes) {
    if (refuse(UNMAP))
        return false;
    bool done = __real_dam_os_unmap(from, bytes);
    if (done) {
        CHECK(faulty.mapped_bytes >= bytes);
        faulty.mapped_bytes -= bytes;
    }
    return done;
}

bool __wrap_dam_os_purge(void *from, size_t bytes) {
    return !refuse(PURGE) && __real_dam_os_purge(from, bytes);
}

bool __wrap_dam_os_protect(void *from, size_t bytes, bool accessible) {
    return !refuse(PROTECT) && __real_dam_os_protect(from, bytes, accessible);
}

bool __wrap_dam_os_grow_in_place(void *from, size_t old_bytes, size_t new_bytes) {
    if (refuse(GROW_IN_PLACE))
        return false;
    bool done = __real_dam_os_grow_in_place(from, old_bytes, new_bytes);
    if (done)
        faulty.mapped_bytes += new_bytes - old_bytes;
    return done;
}

void *__wrap_dam_os_reserve(size_t bytes, size_t alignment) {
    if (refuse(RESERVE))
        return NULL;
    void *reserved = __real_dam_os_reserve(bytes, alignment);
    if (reserved != NULL)
        faulty.mapped_bytes += bytes;
    return reserved;
}

/* The reservation was counted when it was made. It is used up either way: by the pages that move in, or by going. */
bool __wrap_dam_os_move_onto(void *place, void *from, size_t old_bytes, size_t new_bytes) {
    if (refuse(MOVE_ONTO)) {
        CHECK(__real_dam_os_unmap(place, new_bytes));
        faulty.mapped_bytes -= new_bytes;
        return false;
    }
    bool done = __real_dam_os_move_onto(place, from, old_bytes, new_bytes);
    faulty.mapped_bytes -= done ? old_bytes : new_bytes;
    return done;
}
