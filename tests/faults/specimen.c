// SPDX-License-Identifier: MIT
/* specimen.c: see specimen.h. The one place that knows which family of functions the specimens are on. */
#include "faults/specimen.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "faults/aftermath.h"

/* ---- The two families -------------------------------------------------------------------------------------------- */

#ifdef SPECIMEN_ON_LIBC

#include <malloc.h>

static void *on_malloc(size_t size) {
    return malloc(size);
}

static void on_free(void *block) {
    free(block);
}

static void *on_realloc(void *block, size_t size) {
    return realloc(block, size);
}

static void *on_calloc(size_t size) {
    return calloc(1, size);
}

static void *on_aligned_alloc(size_t alignment, size_t size) {
    return aligned_alloc(alignment, size);
}

static size_t on_usable_size(void *block) {
    return malloc_usable_size(block);
}

static void *find_call(const char *name) {
    void *found = dlsym(RTLD_DEFAULT, name);
    if (found == NULL)
        _exit(WITNESS_HAS_NO_SUCH_CALL);
    return found;
}

static void on_free_sized(void *block, size_t size) {
    void (*function)(void *, size_t);
    memcpy(&function, &(void *){find_call("free_sized")}, sizeof function);
    function(block, size);
}

static void on_free_aligned_sized(void *block, size_t alignment, size_t size) {
    void (*function)(void *, size_t, size_t);
    memcpy(&function, &(void *){find_call("free_aligned_sized")}, sizeof function);
    function(block, alignment, size);
}

static void on_expand(void *block, size_t size) {
    (void)block;
    (void)size;
    _exit(WITNESS_HAS_NO_SUCH_CALL);
}

static void *on_heap_realloc(void *block, size_t size) {
    (void)block;
    (void)size;
    _exit(WITNESS_HAS_NO_SUCH_CALL);
}

#else

static void *on_malloc(size_t size) {
    return dam_malloc(size);
}

static void on_free(void *block) {
    dam_free(block);
}

static void *on_realloc(void *block, size_t size) {
    return dam_realloc(block, size);
}

static void *on_calloc(size_t size) {
    return dam_calloc(1, size);
}

static void *on_aligned_alloc(size_t alignment, size_t size) {
    return dam_aligned_alloc(alignment, size);
}

static size_t on_usable_size(void *block) {
    return dam_malloc_usable_size(block);
}

static void on_free_sized(void *block, size_t size) {
    dam_free_sized(block, size);
}

static void on_free_aligned_sized(void *block, size_t alignment, size_t size) {
    dam_free_aligned_sized(block, alignment, size);
}

static void on_expand(void *block, size_t size) {
    (void)dam_expand(block, size);
}

static void *on_heap_realloc(void *block, size_t size) {
    static dam_heap *heap;
    if (heap == NULL)
        heap = dam_heap_create();
    return dam_heap_realloc(heap, block, size);
}

#endif

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

static unsigned char *checked(void *block) {
    CHECK(block != NULL);
    return opaque_pointer(block);
}

unsigned char *obtain(size_t size) {
    unsigned char *block = checked(on_malloc(opaque_size(size)));
    memset(block, 0x11, size);
    return block;
}

unsigned char *obtain_zeroed(size_t size) {
    return checked(on_calloc(opaque_size(size)));
}

unsigned char *obtain_aligned(size_t alignment, size_t size) {
    return checked(on_aligned_alloc(alignment, opaque_size(size)));
}

unsigned char *obtain_resized(unsigned char *block, size_t size) {
    return checked(on_realloc(block, opaque_size(size)));
}

void release(void *block) {
    on_free(opaque_pointer(block));
}

void release_sized(void *block, size_t size) {
    on_free_sized(opaque_pointer(block), size);
}

void release_aligned_sized(void *block, size_t alignment, size_t size) {
    on_free_aligned_sized(opaque_pointer(block), alignment, size);
}

static void give_to(enum call call, void *pointer, size_t size) {
    switch (call) {
    case FREE:
        on_free(pointer);
        break;
    case REALLOC:
        release(on_realloc(pointer, size * 2));
        break;
    case SHRINK:
        release(on_realloc(pointer, size / 4));
        break;
    case FREE_SIZED:
        on_free_sized(pointer, size);
        break;
    case USABLE_SIZE:
        (void)on_usable_size(pointer);
        break;
    case EXPAND:
        on_expand(pointer, size + 1);
        break;
    case HEAP_REALLOC:
        release(on_heap_realloc(pointer, size * 2));
        break;
    }
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

struct task {
    void (*step)(void *);
    void *argument;
};

static void *run_task(void *argument) {
    const struct task *task = argument;
    task->step(task->argument);
    return NULL;
}

void perform_elsewhere(void (*step)(void *), void *argument) {
    struct task task = {step, argument};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, run_task, &task) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

void perform(const struct act *act, void (*step)(void *), void *argument) {
    switch (act->actor) {
    case OWNER:
        step(argument);
        break;
    case OTHER:
        perform_elsewhere(step, argument);
        break;
    }
}

struct gift {
    const struct act *act;
    void *pointer;
};

static void make_gift(void *argument) {
    const struct gift *gift = argument;
    tell_thread("doer");
    give_to(gift->act->call, opaque_pointer(gift->pointer), gift->act->size);
}

void give(const struct act *act, void *pointer) {
    struct gift gift = {act, pointer};
    perform(act, make_gift, &gift);
}

/* ---- What the judge must know ------------------------------------------------------------------------------------ */

static const struct act *act_that_tells;

void specimen_let_tell(const struct act *act) {
    act_that_tells = act;
}

/* Past stdio, which may allocate; the witness is told nothing. */
static void tell(const char *name, const char *text) {
    char line[64];
    if (act_that_tells == NULL || !act_that_tells->is_misuse)
        return;
    int length = snprintf(line, sizeof line, "specimen: @%s %s\n", name, text);
    CHECK(length > 0 && write(STDERR_FILENO, line, (size_t)length) == length);
}

void tell_place(const char *name, const void *place) {
    char text[32];
    snprintf(text, sizeof text, "0x%lx", (unsigned long)(uintptr_t)place);
    tell(name, text);
}

void tell_thread(const char *name) {
    char text[32];
    snprintf(text, sizeof text, "%ld", (long)syscall(SYS_gettid));
    tell(name, text);
}

void tell_block(const unsigned char *block, size_t size) {
    tell_place("block", block);
    tell_place("end", block + size);
    tell_thread("owner");
}
