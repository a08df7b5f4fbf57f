// SPDX-License-Identifier: MIT
/* os.h: everything DAM asks of the operating system, and the only rung that does.
 *
 * Every function keeps errno. Sizes are multiples of the page size unless said otherwise. A refusal is an ordinary
 * answer (NULL or false), whatever its cause: RLIMIT_AS, vm.max_map_count, no memory. The test suite wraps these
 * functions to refuse any call, so each caller must cope. */
#ifndef DAM_OS_OS_H
#define DAM_OS_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The page size; read from the system on first use. */
size_t dam_os_page_bytes(void);

/* Fresh zeroed memory, readable and writable, aligned to `alignment` (a power of two, at least a page). NULL if refused. */
void *dam_os_map(size_t bytes, size_t alignment);

/* Gives the range back. False if refused (the kernel may have to split a mapping and have no room for another);
 * the range is then still mapped. */
bool dam_os_unmap(void *start, size_t bytes);

/* Gives the pages back and keeps the range: it reads as zeroes when touched next. False if refused. */
bool dam_os_purge(void *start, size_t bytes);

/* Lengthens a mapping in place. False if the addresses behind it are taken. */
bool dam_os_grow_in_place(void *start, size_t old_bytes, size_t new_bytes);

/* A place for dam_os_move_onto. NULL if refused, as it is where the system would refuse so much memory. */
void *dam_os_reserve(size_t bytes, size_t alignment);

/* Moves a mapping with its pages, which are not touched, onto a reserved place of new_bytes; what lies behind the old bytes
 * reads as zero. False if refused: the old range is as it was. The reservation is used up either way. */
bool dam_os_move_onto(void *place, void *start, size_t old_bytes, size_t new_bytes);

/* Unpredictable bytes, for secrets. */
void dam_os_random(void *buffer, size_t bytes);

/* Milliseconds on a clock that never goes back; coarse and cheap. */
uint64_t dam_os_now_ms(void);

/* Whether the range may be read and written; when not, touching it is a SIGSEGV. False if refused. */
bool dam_os_protect(void *start, size_t bytes, bool accessible);

enum access_kind { ACCESS_UNKNOWN, ACCESS_READ, ACCESS_WRITE };

/* Is shown the address of an access that the kernel refused, in a signal handler. True: the access may be tried again. */
typedef bool bad_access_watcher(const void *address, enum access_kind kind);

/* From now on bad accesses (SIGSEGV, SIGBUS) are shown to the watcher first, and to whoever handled them so far when it
 * returns false. Once. */
void dam_os_watch_bad_accesses(bad_access_watcher *watcher);

/* As the kernel numbers them. */
uint32_t dam_os_thread_id(void);
uint32_t dam_os_process_id(void);

/* The command line of the process, quoted for a shell, as far as it fits. Returns its length; 0 if it is not to be had. */
size_t dam_os_command_line(char *buffer, size_t bytes);

/* The file that is mapped where the address lies: its path (as far as it fits), and the address's offset in the file. False
 * if there is none. Reads /proc; for reports only. */
bool dam_os_find_mapped_file(const void *address, char *path, size_t path_bytes, uint64_t *offset);

/* Writes the text to stderr, past stdio. */
void dam_os_write_stderr(const char *text, size_t bytes);

/* Makes sure that dam_os_write_summary reaches what is stderr now, even if the program closes it or puts another file in its
 * place. */
void dam_os_keep_stderr(void);

/* Writes the text to the stderr that was kept, or else to stderr. */
void dam_os_write_summary(const char *text, size_t bytes);

/* Sleeps while *word == expected, until somebody wakes it; may return early. */
void dam_os_wait(_Atomic(uint32_t) *word, uint32_t expected);

/* Wakes up to count sleepers. */
void dam_os_wake(_Atomic(uint32_t) *word, int count);

#endif
