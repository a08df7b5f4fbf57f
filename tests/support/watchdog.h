// SPDX-License-Identifier: MIT
/* watchdog.h: ends a test that hangs, with a word about what it was doing. For deadlocks only: the time is far above
 * what the work needs on any machine, and says nothing about speed. */
#ifndef DAM_TESTS_SUPPORT_WATCHDOG_H
#define DAM_TESTS_SUPPORT_WATCHDOG_H

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define WATCHDOG_SECONDS 300

static const char *watchdog_work = "";

static inline void watchdog_bark(int signal_number) {
    (void)signal_number;
    static const char SAYS[] = "hangs: ";
    ssize_t written = write(STDERR_FILENO, SAYS, sizeof SAYS - 1);
    written += write(STDERR_FILENO, watchdog_work, strlen(watchdog_work));
    written += write(STDERR_FILENO, "\n", 1);
    (void)written;
    _exit(99);
}

/* `work` must live on. A forked child inherits no alarm: it starts its own. */
static inline void watchdog_start(const char *work) {
    watchdog_work = work;
    signal(SIGALRM, watchdog_bark);
    alarm(WATCHDOG_SECONDS);
}

static inline void watchdog_stop(void) {
    alarm(0);
}

#endif
