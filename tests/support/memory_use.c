// SPDX-License-Identifier: MIT
/* memory_use.c: reads /proc/self with plain read(2). */
#include "support/memory_use.h"

#include "support/test.h"

#include <fcntl.h>

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

/* One read is enough: these files are one line each. */
static void read_line(const char *path, char *line, size_t line_bytes) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    ssize_t bytes = read(file, line, line_bytes - 1);
    CHECK(bytes > 0);
    line[bytes] = '\0';
    CHECK(close(file) == 0);
}

static size_t statm_field(int field) {
    char line[256];
    read_line("/proc/self/statm", line, sizeof line);
    char *at = line;
    unsigned long pages = 0;
    for (int i = 0; i <= field; i++)
        pages = strtoul(at, &at, 10);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

bool memory_use_is_the_programs_own(void) {
    return !SANITIZED;
}

size_t memory_mapped_bytes(void) {
    return statm_field(0);
}

size_t memory_resident_bytes(void) {
    return statm_field(1);
}

size_t memory_mapping_count(void) {
    char chunk[4096];
    size_t lines = 0;
    int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    CHECK(file >= 0);
    ssize_t bytes;
    while ((bytes = read(file, chunk, sizeof chunk)) > 0)
        for (ssize_t i = 0; i < bytes; i++)
            lines += chunk[i] == '\n';
    CHECK(bytes == 0);
    CHECK(close(file) == 0);
    return lines;
}

size_t memory_mapping_count_max(void) {
    char line[64];
    read_line("/proc/sys/vm/max_map_count", line, sizeof line);
    return (size_t)strtoul(line, NULL, 10);
}
