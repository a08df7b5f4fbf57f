/* dam.h: the public interface of DAM, a memory allocator.
 *
 * Conventions that hold for every function here unless its comment says otherwise:
 *
 *   Sizes       are in bytes.
 *   Alignment   a block of at least 16 bytes is aligned to 16; a smaller one too, in fact.
 *   Errors      a function that returns a pointer returns NULL with errno == ENOMEM when memory cannot be had, when a
 *               product overflows, or when the size is above PTRDIFF_MAX. On success errno keeps its value.
 *   Threads     every function may be called from any thread at any time; a block may be resized or released by any
 *               thread. Using one block from two threads at once is the program's own business, as in C.
 *   fork        a child may use everything here, whatever the other threads of its parent were doing.
 *   Signals     nothing here is async-signal-safe, as in POSIX.
 *   Misuse      releasing or resizing what is not a live DAM block, or finding that a block was written past its end,
 *               is undefined in C; DAM reports it on stderr and calls abort(), unless told otherwise ("Faults" below).
 *
 * Contracts are those of ISO C11/C23 (section 7.22.3 / 7.24.3) and POSIX.1-2017 where a function of that name exists. */
#ifndef DAM_DAM_H
#define DAM_DAM_H

#include <stdbool.h>
#include <stddef.h>

#define DAM_VERSION_MAJOR 0
#define DAM_VERSION_MINOR 1
#define DAM_VERSION_PATCH 0

#if defined(__GNUC__)
#define DAM_API __attribute__((visibility("default")))
#define DAM_MUST_USE __attribute__((warn_unused_result))
#define DAM_MALLOC_LIKE __attribute__((malloc, warn_unused_result))
#define DAM_SIZED_BY(argument) __attribute__((alloc_size(argument)))
#define DAM_SIZED_BY_PRODUCT(a, b) __attribute__((alloc_size(a, b)))
#else
#define DAM_API
#define DAM_MUST_USE
#define DAM_MALLOC_LIKE
#define DAM_SIZED_BY(argument)
#define DAM_SIZED_BY_PRODUCT(a, b)
#endif

#ifdef __cplusplus
extern "C" {
#define DAM_NOEXCEPT noexcept
#else
#define DAM_NOEXCEPT
#endif

/* ---- Blocks ------------------------------------------------------------------------------------------------------ */

/* malloc. The bytes are indeterminate. dam_malloc(0) returns a unique pointer that may be released but not written. */
DAM_API void *dam_malloc(size_t size) DAM_NOEXCEPT DAM_MALLOC_LIKE DAM_SIZED_BY(1);

/* calloc: room for count objects of size bytes each, all bytes zero. */
DAM_API void *dam_calloc(size_t count, size_t size) DAM_NOEXCEPT DAM_MALLOC_LIKE DAM_SIZED_BY_PRODUCT(1, 2);

/* realloc: the block's first min(old, new) bytes, now in a block of `size` bytes, possibly elsewhere. On failure the
 * old block is untouched and still the caller's. dam_realloc(NULL, size) is dam_malloc(size). dam_realloc(block, 0)
 * releases the block and returns NULL with errno unchanged, as glibc does (C23 leaves it undefined). */
DAM_API void *dam_realloc(void *block, size_t size) DAM_NOEXCEPT DAM_MUST_USE DAM_SIZED_BY(2);

/* realloc of count * size bytes; NULL with ENOMEM and the block untouched when the product overflows (POSIX.1-2024). */
DAM_API void *dam_reallocarray(void *block, size_t count, size_t size) DAM_NOEXCEPT DAM_MUST_USE
DAM_SIZED_BY_PRODUCT(2, 3);

/* Resizes the block in place to exactly `size` bytes and returns true, or returns false and changes nothing. Growing
 * and shrinking alike; never moves. errno keeps its value. A NULL block or a size of 0 gives false. */
DAM_API bool dam_expand(void *block, size_t size) DAM_NOEXCEPT;

/* free. NULL does nothing. errno keeps its value (POSIX.1-2024). */
DAM_API void dam_free(void *block) DAM_NOEXCEPT;

/* C23 free_sized: `size` must be what the block was requested with (malloc, calloc's product or realloc). */
DAM_API void dam_free_sized(void *block, size_t size) DAM_NOEXCEPT;

/* C23 free_aligned_sized: `alignment` and `size` must be what dam_aligned_alloc was given. */
DAM_API void dam_free_aligned_sized(void *block, size_t alignment, size_t size) DAM_NOEXCEPT;

/* C17 aligned_alloc: alignment must be a power of two, at most 1 GiB; otherwise NULL with errno == EINVAL. Size need
 * not be a multiple of it. */
DAM_API void *dam_aligned_alloc(size_t alignment, size_t size) DAM_NOEXCEPT DAM_MALLOC_LIKE DAM_SIZED_BY(2);

/* POSIX posix_memalign: alignment must be a power of two, a multiple of sizeof(void *), at most 1 GiB. Returns 0,
 * EINVAL or ENOMEM; errno is never touched; on failure *block is left as it was. */
DAM_API int dam_posix_memalign(void **block, size_t alignment, size_t size) DAM_NOEXCEPT;

/* The bytes of the block that may be written: at least its requested size. 0 for NULL. */
DAM_API size_t dam_malloc_usable_size(const void *block) DAM_NOEXCEPT;

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

enum dam_layer {
    DAM_LAYER_NONE = 0,    /* not a size DAM can serve */
    DAM_LAYER_SMALL = 1,   /* fixed-size blocks, up to 256 bytes */
    DAM_LAYER_GENERAL = 2, /* variable-size blocks, up to 65,536 bytes */
    DAM_LAYER_DIRECT = 3   /* one pool for each block */
};

/* The layer that serves dam_malloc(size). */
DAM_API enum dam_layer dam_layer_for_size(size_t size) DAM_NOEXCEPT;

/* ---- First-class heaps ------------------------------------------------------------------------------------------- */

/* A heap whose blocks can all be released at once. Its functions may be called by any thread (they take the heap's
 * own lock); its blocks may be released one by one with dam_free, by any thread, and resized with dam_realloc (which
 * moves them, if it must, to the calling thread's heap) or dam_heap_realloc (which keeps them in this heap). */
typedef struct dam_heap dam_heap;

/* NULL with ENOMEM when memory cannot be had. */
DAM_API dam_heap *dam_heap_create(void) DAM_NOEXCEPT DAM_MUST_USE;

/* As their namesakes above; the block belongs to `heap`. heap must not be NULL. */
DAM_API void *dam_heap_malloc(dam_heap *heap, size_t size) DAM_NOEXCEPT DAM_MALLOC_LIKE DAM_SIZED_BY(2);
DAM_API void *dam_heap_calloc(dam_heap *heap, size_t count, size_t size) DAM_NOEXCEPT DAM_MALLOC_LIKE
DAM_SIZED_BY_PRODUCT(2, 3);
DAM_API void *dam_heap_realloc(dam_heap *heap, void *block, size_t size) DAM_NOEXCEPT
    DAM_MUST_USE DAM_SIZED_BY(3);
DAM_API void *dam_heap_aligned_alloc(dam_heap *heap, size_t alignment, size_t size) DAM_NOEXCEPT DAM_MALLOC_LIKE
DAM_SIZED_BY(3);

/* Releases every block of the heap and the heap itself. No other thread may be using the heap or a block of it.
 * NULL does nothing. errno keeps its value. */
DAM_API void dam_heap_destroy(dam_heap *heap) DAM_NOEXCEPT;

/* ---- Faults ------------------------------------------------------------------------------------------------------ */

enum dam_fault_kind {
    DAM_FAULT_DOUBLE_FREE = 1,   /* the block was already released */
    DAM_FAULT_FOREIGN_POINTER,   /* no DAM block is anywhere near */
    DAM_FAULT_NOT_A_BLOCK,       /* an address in DAM's memory at which no block starts */
    DAM_FAULT_OVERFLOW,          /* a block was written past its end */
    DAM_FAULT_HEADER,            /* what DAM keeps in front of a block was overwritten */
    DAM_FAULT_WRITE_AFTER_FREE,  /* a released block was written to */
    DAM_FAULT_WRONG_SIZE,        /* size or alignment given at release are not the block's */
    /* A guarded place was read or written (guard=full, sample_every). */
    DAM_FAULT_ACCESS_PAST_END,
    DAM_FAULT_ACCESS_BEFORE_START,
    DAM_FAULT_ACCESS_AFTER_FREE
};

/* What a fault handler is told. Later versions may add fields at the end; struct_bytes says how many bytes there are. */
struct dam_fault_info {
    size_t struct_bytes;
    enum dam_fault_kind kind;
    enum dam_layer layer;     /* DAM_LAYER_NONE where it does not apply */
    const char *operation;    /* the function that found it: "free", "realloc" ... */
    const void *address;      /* what it was given, or where the damage was found */
    const void *block;        /* the block concerned; NULL if there is none */
    size_t requested_bytes;   /* its requested size; 0 if not known */
    bool can_continue;        /* false: the process ends whatever the handler does, unless it does not return */
    const char *report;       /* the whole report, as written to stderr; not terminated */
    size_t report_bytes;
};

/* Called in the thread that met the fault, after the report was written, instead of abort(). It must be safe in a signal
 * handler and must not call DAM, except dam_option_get. It may leave by longjmp where operation is the function of dam.h
 * that was called; elsewhere DAM may be in the middle of something, or hold a lock. When it returns and can_continue is true, the faulty call does
 * nothing: a release leaves everything as it is, a realloc returns NULL with errno == EINVAL, dam_malloc_usable_size
 * returns 0. The option on_fault=report does the same without a handler, on_fault=ignore without a word. */
typedef void dam_fault_handler(const struct dam_fault_info *fault, void *context);

/* NULL (as at the start): no handler. Not to be called by two threads at once. */
DAM_API void dam_set_fault_handler(dam_fault_handler *handler, void *context) DAM_NOEXCEPT;

/* ---- The allocator as a whole ------------------------------------------------------------------------------------ */

/* Gives every free page that DAM keeps for reuse, and what the calling thread's heap keeps empty, back to the system.
 * Returns how many bytes were given back. errno keeps its value. */
DAM_API size_t dam_trim(void) DAM_NOEXCEPT;

/* Writes the option's present value, as text, into buffer (always terminated when buffer_bytes > 0).
 * Returns 0, EINVAL (no such option) or ERANGE (the buffer is too small; what fits was written). */
DAM_API int dam_option_get(const char *name, char *buffer, size_t buffer_bytes) DAM_NOEXCEPT;

/* Sets an option from text, as DAM_OPTIONS="name=value,..." does at start. Returns 0, EINVAL (no such option, or not a
 * value of its kind), ERANGE (out of its bounds) or EPERM (this option can only be set at start). */
DAM_API int dam_option_set(const char *name, const char *value) DAM_NOEXCEPT;

/* "major.minor.patch" of the library that runs, which may differ from the DAM_VERSION_* of the header. */
DAM_API const char *dam_version(void) DAM_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif
