// SPDX-License-Identifier: MIT
/* thread.c: a thread's heap from its first allocation to its end; what is set up before anything else.
 *
 *   no heap --first allocation--> thread heap --thread ends--> gone heap
 *                                      |
 *                                      +--> emptied, its memory for the next thread
 *
 * The thread's pointer leads to the heap, or to a door before it (heap.h).
 *
 * A thread's end is noticed by the destructor of a thread-specific key. Other destructors may run later and still allocate
 * and free: that is what the gone heap is for. */
#include <errno.h>
#include <pthread.h>

#include "base/describe.h"
#include "base/options_table.h"
#include "guard/secret.h"
#include "heap/fork.h"
#include "heap/heap.h"
#include "options/options.h"
#include "region/central.h"
#include "region/metadata.h"

/* All of these are only ever read: their pools have no free block, and no pool names them as its owner. */
#define HEAP_WITHOUT_POOLS(heap_behind)                                                                               \
    {                                                                                                                 \
        .small.current = {[0 ... SMALL_GRANULE_COUNT - 1] = &dam_small_no_pool},                                      \
        .general.quick = {[0 ... GENERAL_LIVE_CLASS_COUNT - 1] = &dam_quick_end},                                     \
        .behind = (heap_behind),                                                                                      \
    }
static struct heap no_heap = HEAP_WITHOUT_POOLS(&no_heap);
static struct heap gone_heap = HEAP_WITHOUT_POOLS(&gone_heap);

_Thread_local struct heap *dam_thread_heap __attribute__((tls_model("initial-exec"))) = &no_heap;

static struct metadata_kind heap_kind = {.bytes = sizeof(struct heap)};

static pthread_key_t thread_end_key;
static bool has_thread_end_key;

/* Whether threads get a door before their heap. */
static bool has_doors;

/* The heap (or its door) of allocations that came before on_load, if any. */
static struct heap *early_heap;
static bool loaded;

/* ---- Before there are thread variables --------------------------------------------------------------------------- */

/* glibc relocates, and in doing so runs resolvers of indirect functions, which may allocate, before it gives thread
 * variables their initial values; until then they read as zero, and dam_thread_heap must not. So we have a resolver, too: it
 * runs when this library is relocated, which is before anything that uses it. The sanitizers cannot stand such early code. */
#if defined(__GLIBC__) && !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
static void do_nothing(void) {
}

/* Defined when a shared library is linked (cmake/DamFlags.cmake). A static program resolves its functions before there is any
 * thread-local memory to write to. */
extern const char dam_is_shared_library __attribute__((weak, visibility("hidden")));

__attribute__((used)) static void (*resolve_early(void))(void) {
    if (&dam_is_shared_library != NULL)
        dam_thread_heap = &no_heap;
    return do_nothing;
}

void dam_run_early(void) __attribute__((ifunc("resolve_early"), visibility("hidden")));
#else
static void dam_run_early(void) {
}
#endif

/* ---- Start ------------------------------------------------------------------------------------------------------- */

static struct dam_lock start_lock;
static atomic_bool started;

static void thread_ends(void *heap_or_door);

/* The order is that of need. pthread_key_create does not allocate; if it fails, all keys are taken, and a thread's heap stays
 * owned after its end: its blocks can still be freed, but what it held free is not used again. */
static void start_all(void) {
    dam_secret_init();
    dam_options_init();
    dam_small_classes_init(DAM_SETTING(size_classes) == SIZE_CLASSES_POW2 ? 1 : 4);
    dam_general_init();
    has_doors = dam_protect_init();
    has_thread_end_key = pthread_key_create(&thread_end_key, thread_ends) == 0;
}

/* Acquire pairs with the release below: whoever finds it started sees everything set up. */
void dam_start(void) {
    if (LIKELY(atomic_load_explicit(&started, memory_order_acquire)))
        return;
    dam_lock_enter(&start_lock);
    if (!atomic_load_explicit(&started, memory_order_relaxed)) {
        start_all();
        atomic_store_explicit(&started, true, memory_order_release);
    }
    dam_lock_leave(&start_lock);
}

/* ---- A thread's heap --------------------------------------------------------------------------------------------- */

static struct heap *take_heap_memory(void) {
    if (!dam_central_try_enter())
        return dam_metadata_take_unlocked(&heap_kind);
    struct heap *heap = dam_metadata_take(&heap_kind);
    dam_central_leave();
    return heap;
}

/* A heap, or the door before it. */
static struct heap *make_heap(void) {
    struct heap *heap = take_heap_memory();
    if (heap == NULL)
        return NULL;
    dam_heap_init(heap, false);
    if (!has_doors)
        return heap;
    struct heap *door = take_heap_memory();
    if (door == NULL) {
        dam_metadata_give(&heap_kind, heap);
        return NULL;
    }
    *door = (struct heap)HEAP_WITHOUT_POOLS(heap);
    return door;
}

/* May allocate, and then errno may change; on success of the allocation that brought us here it must not. */
static void set_thread_end_key(struct heap *heap_or_door) {
    int saved_errno = errno;
    if (has_thread_end_key)
        (void)pthread_setspecific(thread_end_key, heap_or_door);
    errno = saved_errno;
}

/* The heap is the thread's before the key is set, since setting it may allocate. */
NEVER_INLINE static struct heap *begin_heap(void) {
    dam_start();
    struct heap *heap = make_heap();
    if (heap == NULL)
        return NULL;
    dam_thread_heap = heap;
    if (!loaded && early_heap == NULL)
        early_heap = heap;
    set_thread_end_key(heap);
    return heap->behind;
}

bool dam_thread_heap_is_gone(void) {
    return dam_thread_heap == &gone_heap;
}

struct heap *dam_thread_heap_or_make(void) {
    if (UNLIKELY(dam_thread_heap == &no_heap))
        return begin_heap();
    return dam_thread_heap_is_gone() ? NULL : dam_own_heap();
}

/* Waits for nothing, not even for a fork to be over: fork may be waiting for this thread, in some library's handler. */
static void retire_heap(struct heap *heap_or_door) {
    struct heap *heap = heap_or_door->behind;
    describe_enter();
    dam_heap_give_up(heap);
    describe_leave();
    dam_metadata_give(&heap_kind, heap);
    if (heap_or_door != heap)
        dam_metadata_give(&heap_kind, heap_or_door);
}

static void thread_ends(void *heap_or_door) {
    retire_heap(heap_or_door);
    dam_thread_heap = &gone_heap;
}

/* Giving the thread variables their initial values made the main thread forget its early heap. */
static void give_up_forgotten_heap(void) {
    if (early_heap != NULL && early_heap != dam_thread_heap)
        retire_heap(early_heap);
}

/* Before main, or when the library is loaded; an allocation may have come first. Registering the fork handlers may
 * allocate, so it cannot be part of dam_start. */
__attribute__((constructor)) static void on_load(void) {
    dam_run_early(); /* it has: the call is what makes the dynamic linker resolve it */
    dam_start();
    dam_fork_register();
    loaded = true;
    give_up_forgotten_heap();
}
