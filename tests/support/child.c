// SPDX-License-Identifier: MIT
/* child.c: fork, a pipe, and waitpid. */
#include "support/child.h"

#include "support/test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* cmocka catches these to report them as failed tests; in a child they must simply end it. */
static void restore_default_signals(void) {
    static const int SIGNALS[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGALRM};
    for (size_t i = 0; i < COUNT_OF(SIGNALS); i++)
        CHECK(signal(SIGNALS[i], SIG_DFL) != SIG_ERR);
    struct rlimit no_core = {0, 0};
    CHECK(setrlimit(RLIMIT_CORE, &no_core) == 0);
}

static void collect(int from, struct child_result *result) {
    char rest[1024];
    size_t kept = 0;
    for (;;) {
        size_t room = sizeof result->output - 1 - kept;
        ssize_t bytes = room > 0 ? read(from, result->output + kept, room) : read(from, rest, sizeof rest);
        if (bytes < 0 && errno == EINTR)
            continue;
        CHECK(bytes >= 0);
        if (bytes == 0)
            break;
        result->output_bytes += (size_t)bytes;
        kept += room > 0 ? (size_t)bytes : 0;
    }
    result->output[kept] = '\0';
}

static void run_in_child(void (*body)(void *), void *argument, enum child_stream collected, unsigned patience_seconds,
                         int to) {
    restore_default_signals();
    if (collected & CHILD_STDOUT)
        CHECK(dup2(to, STDOUT_FILENO) == STDOUT_FILENO);
    if (collected & CHILD_STDERR)
        CHECK(dup2(to, STDERR_FILENO) == STDERR_FILENO);
    alarm(patience_seconds);
    body(argument);
    fflush(stdout);
    _exit(0);
}

struct child_result child_run(void (*body)(void *), void *argument, enum child_stream collected,
                              unsigned patience_seconds) {
    struct child_result result = {.status = 0};
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        run_in_child(body, argument, collected, patience_seconds, ends[1]);
    result.process = child;
    CHECK(close(ends[1]) == 0);
    collect(ends[0], &result);
    CHECK(close(ends[0]) == 0);
    while (waitpid(child, &result.status, 0) < 0)
        CHECK(errno == EINTR);
    return result;
}

struct self_call {
    const char *const *arguments;
    const char *const *environment;
    enum child_stream collected;
};

/* What nobody collects would only stand between the lines of the test. */
static void silence(int stream) {
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    CHECK(nowhere >= 0);
    CHECK(dup2(nowhere, stream) == stream);
}

static void execute_self(void *argument) {
    const struct self_call *call = argument;
    char name[] = "/proc/self/exe";
    char *argv[16] = {name};
    if (!(call->collected & CHILD_STDOUT))
        silence(STDOUT_FILENO);
    if (!(call->collected & CHILD_STDERR))
        silence(STDERR_FILENO);
    for (size_t i = 0; call->arguments[i] != NULL; i++) {
        CHECK(i + 2 < COUNT_OF(argv));
        argv[i + 1] = strdup(call->arguments[i]);
    }
    for (size_t i = 0; call->environment != NULL && call->environment[i] != NULL; i++)
        CHECK(putenv(strdup(call->environment[i])) == 0);
    CHECK(execv(name, argv) == 0);
}

struct child_result child_run_self(const char *const *arguments, const char *const *environment,
                                   enum child_stream collected, unsigned patience_seconds) {
    struct self_call call = {arguments, environment, collected};
    return child_run(execute_self, &call, collected, patience_seconds);
}

static void tell(const struct child_result *result) {
    if (WIFSIGNALED(result->status)) {
        fprintf(stderr, "child was ended by signal %d (%s)", WTERMSIG(result->status),
                strsignal(WTERMSIG(result->status)));
    } else {
        fprintf(stderr, "child exited with %d", WEXITSTATUS(result->status));
    }
    fprintf(stderr, ", having written:\n%s\n", result->output);
}

bool child_exited_with(const struct child_result *result, int code) {
    if (WIFEXITED(result->status) && WEXITSTATUS(result->status) == code)
        return true;
    tell(result);
    return false;
}

bool child_was_killed_by(const struct child_result *result, int signal_number) {
    if (WIFSIGNALED(result->status) && WTERMSIG(result->status) == signal_number)
        return true;
    tell(result);
    return false;
}
