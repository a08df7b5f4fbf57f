// SPDX-License-Identifier: MIT
/* probe.h: whether memory can be read, asked of the kernel: nothing is trapped, and the page stays as it is. */
#ifndef DAM_TESTS_UNIT_PROTECT_PROBE_H
#define DAM_TESTS_UNIT_PROTECT_PROBE_H

#include "support/test.h"

#include <fcntl.h>
#include <sys/syscall.h>

static inline bool is_accessible(const void *address) {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    long written = syscall(SYS_write, ends[1], address, (size_t)1);
    CHECK(written == 1 || errno == EFAULT);
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
    return written == 1;
}

#endif
