// SPDX-License-Identifier: MIT
/* os_signal.c: bad accesses to memory, shown to a watcher of ours before they go where they would have gone. */
#define _GNU_SOURCE
#include "os/os.h"

#include <errno.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

static bad_access_watcher *watcher_in_use;
static struct sigaction segv_before;
static struct sigaction bus_before;

/* What the processor says of the access, where we know how to read it. */
#if defined(__x86_64__)
#define PAGE_FAULT_WRITE 2
static enum access_kind kind_of_access(const ucontext_t *context) {
    return (context->uc_mcontext.gregs[REG_ERR] & PAGE_FAULT_WRITE) != 0 ? ACCESS_WRITE : ACCESS_READ;
}
#else
static enum access_kind kind_of_access(const ucontext_t *context) {
    (void)context;
    return ACCESS_UNKNOWN;
}
#endif

/* A code above 0 says that the kernel found it, and only then is there an address. */
static bool was_sent(const siginfo_t *info) {
    return info->si_code <= 0;
}

/* The default is restored rather than imitated: the access is tried again and ends the process as it would have without us. A
 * signal that somebody sent comes but once, and is sent again. */
static void restore_default(int number, const siginfo_t *info) {
    struct sigaction by_default = {.sa_handler = SIG_DFL};
    sigaction(number, &by_default, NULL);
    if (was_sent(info))
        raise(number);
}

/* A bad access cannot be ignored, whatever was asked for: the kernel ends the process. */
static void pass_on(int number, siginfo_t *info, void *context) {
    const struct sigaction *before = number == SIGSEGV ? &segv_before : &bus_before;
    if (before->sa_handler == SIG_IGN && was_sent(info))
        return;
    if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN)
        restore_default(number, info);
    else if ((before->sa_flags & SA_SIGINFO) != 0)
        before->sa_sigaction(number, info, context);
    else
        before->sa_handler(number);
}

static void on_signal(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    if (was_sent(info) || !watcher_in_use(info->si_addr, kind_of_access(context)))
        pass_on(number, info, context);
    errno = saved_errno;
}

/* On the alternate stack, if the thread has one: the access may have overrun its own. SA_NODEFER: the watcher's report may be
 * left by longjmp, and a bad access of its own must not hang. */
void dam_os_watch_bad_accesses(bad_access_watcher *watcher) {
    int saved_errno = errno;
    watcher_in_use = watcher;
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaction(SIGSEGV, &action, &segv_before);
    sigaction(SIGBUS, &action, &bus_before);
    errno = saved_errno;
}
