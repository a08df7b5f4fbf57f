// SPDX-License-Identifier: MIT
/* os_linux.c: os.h on Linux, for glibc and musl.
 *
 * The contracts are in os.h. Not here: any policy of when to map, purge or wait. */
#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/random.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/describe.h"

size_t dam_os_page_bytes(void) {
    static _Atomic(size_t) page_bytes; /* every thread that finds 0 stores the same value */
    size_t bytes = atomic_load_explicit(&page_bytes, memory_order_relaxed);
    if (bytes == 0) {
        bytes = (size_t)getauxval(AT_PAGESZ);
        atomic_store_explicit(&page_bytes, bytes, memory_order_relaxed);
    }
    return bytes;
}

static void *map_anywhere(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

static bool is_aligned(const void *start, size_t alignment) {
    return ((uintptr_t)start & (alignment - 1)) == 0;
}

/* Maps `alignment` more than asked and gives back what lies before and behind the aligned range. Refused, if giving back is:
 * the excess would stay mapped for ever, and it is when mappings run out (vm.max_map_count) that it is refused. */
static void *map_and_trim(size_t bytes, size_t alignment) {
    if (bytes > SIZE_MAX - alignment)
        return NULL;
    char *wide = map_anywhere(bytes + alignment);
    if (wide == NULL)
        return NULL;
    char *start = (char *)round_up((uintptr_t)wide, alignment); // NOLINT(performance-no-int-to-ptr)
    size_t before = (size_t)(start - wide);
    size_t behind = alignment - before;
    if (before > 0 && munmap(wide, before) != 0) {
        munmap(wide, bytes + alignment);
        return NULL;
    }
    if (behind > 0 && munmap(start + bytes, behind) != 0) {
        munmap(start, bytes + behind);
        return NULL;
    }
    return start;
}

/* Where the kernel puts it is aligned often enough to look before paying for the trimming. No hint of ours: the kernel fills
 * the gaps that released mappings leave, which keeps the pool map small. */
static void *map_aligned(size_t bytes, size_t alignment) {
    void *start = map_anywhere(bytes);
    if (start == NULL || is_aligned(start, alignment))
        return start;
    munmap(start, bytes);
    return map_and_trim(bytes, alignment);
}

void *dam_os_map(size_t bytes, size_t alignment) {
    int saved_errno = errno;
    void *start = map_aligned(bytes, alignment);
    errno = saved_errno;
    return start;
}

bool dam_os_unmap(void *start, size_t bytes) {
    int saved_errno = errno;
    bool done = munmap(start, bytes) == 0;
    if (done)
        describe_unmapped(start, bytes);
    errno = saved_errno;
    return done;
}

bool dam_os_purge(void *start, size_t bytes) {
    int saved_errno = errno;
    bool done = madvise(start, bytes, MADV_DONTNEED) == 0;
    errno = saved_errno;
    return done;
}

bool dam_os_grow_in_place(void *start, size_t old_bytes, size_t new_bytes) {
    int saved_errno = errno;
    bool done = mremap(start, old_bytes, new_bytes, 0) != MAP_FAILED;
    errno = saved_errno;
    return done;
}

void *dam_os_reserve(size_t bytes, size_t alignment) {
    int saved_errno = errno;
    void *start = map_aligned(bytes, alignment);
    errno = saved_errno;
    return start;
}

/* Whether the range is one mapping to the kernel, which is what mremap moves. Advice that the program gave on a part of it may
 * have split it. Asks for growth in place, and takes that back should it succeed. */
static bool is_one_mapping(void *start, size_t old_bytes, size_t new_bytes) {
    if (mremap(start, old_bytes, new_bytes, 0) == MAP_FAILED)
        return errno == ENOMEM;
    munmap((char *)start + old_bytes, new_bytes - old_bytes);
    return true;
}

/* When mremap fails, older kernels have unmapped the place already, and another thread may have got it: it must not be
 * unmapped again. So what usually makes it fail is found out first, while the place is surely still ours. */
bool dam_os_move_onto(void *place, void *start, size_t old_bytes, size_t new_bytes) {
    int saved_errno = errno;
    bool done = false;
    if (is_one_mapping(start, old_bytes, new_bytes))
        done = mremap(start, old_bytes, new_bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place) != MAP_FAILED;
    else
        munmap(place, new_bytes);
    if (done)
        describe_unmapped(start, old_bytes);
    errno = saved_errno;
    return done;
}

/* Falls back on what the kernel gave the process at start (AT_RANDOM) and the clock, on kernels without getrandom and
 * in sandboxes that forbid it. */
void dam_os_random(void *buffer, size_t bytes) {
    int saved_errno = errno;
    unsigned char *out = buffer;
    size_t have = 0;
    while (have < bytes) {
        ssize_t got = getrandom(out + have, bytes - have, GRND_NONBLOCK);
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    const unsigned char *start_bytes = (const unsigned char *)getauxval(AT_RANDOM); // NOLINT(performance-no-int-to-ptr)
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    for (size_t i = have; i < bytes; i++) {
        uint64_t mixed = ((uint64_t)now.tv_nsec + i) * 0x9e3779b97f4a7c15u;
        unsigned char given = start_bytes != NULL ? start_bytes[i % 16] : 0;
        out[i] = (unsigned char)(given ^ (unsigned char)(mixed >> 56));
    }
    errno = saved_errno;
}

uint64_t dam_os_now_ms(void) {
    int saved_errno = errno;
    struct timespec now = {0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    errno = saved_errno;
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

bool dam_os_protect(void *start, size_t bytes, bool accessible) {
    int saved_errno = errno;
    bool done = mprotect(start, bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE) == 0;
    errno = saved_errno;
    return done;
}

uint32_t dam_os_thread_id(void) {
    return (uint32_t)syscall(SYS_gettid);
}

uint32_t dam_os_process_id(void) {
    return (uint32_t)getpid();
}

static void write_all(int file, const char *text, size_t bytes) {
    int saved_errno = errno;
    while (bytes > 0) {
        ssize_t written = write(file, text, bytes);
        if (written < 0 && errno != EINTR)
            break;
        if (written > 0) {
            text += written;
            bytes -= (size_t)written;
        }
    }
    errno = saved_errno;
}

void dam_os_write_stderr(const char *text, size_t bytes) {
    write_all(STDERR_FILENO, text, bytes);
}

/* High, out of the way of programs that count on small numbers. */
#define KEPT_FILE_MIN 200

/* Stderr as it was at start. The program may close it, or have other files under both numbers by now: the file decides. */
static struct {
    bool is_asked_for;
    int number;
    struct stat file;
} kept_stderr = {.number = -1};

void dam_os_keep_stderr(void) {
    int saved_errno = errno;
    kept_stderr.is_asked_for = true;
    if (fstat(STDERR_FILENO, &kept_stderr.file) == 0) {
        kept_stderr.number = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, KEPT_FILE_MIN);
        if (kept_stderr.number < 0)
            kept_stderr.number = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
    errno = saved_errno;
}

static bool is_kept_stderr(int number) {
    struct stat file;
    return fstat(number, &file) == 0 && file.st_dev == kept_stderr.file.st_dev && file.st_ino == kept_stderr.file.st_ino;
}

void dam_os_write_summary(const char *text, size_t bytes) {
    int saved_errno = errno;
    if (!kept_stderr.is_asked_for || is_kept_stderr(STDERR_FILENO))
        write_all(STDERR_FILENO, text, bytes);
    else if (is_kept_stderr(kept_stderr.number))
        write_all(kept_stderr.number, text, bytes);
    errno = saved_errno;
}

void dam_os_wait(_Atomic(uint32_t) *word, uint32_t expected) {
    int saved_errno = errno;
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
    errno = saved_errno;
}

void dam_os_wake(_Atomic(uint32_t) *word, int count) {
    int saved_errno = errno;
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
    errno = saved_errno;
}
