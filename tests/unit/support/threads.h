// SPDX-License-Identifier: MIT
/* threads.h: threads of a test, and events by which they wait for each other without measuring time. */
#ifndef DAM_TESTS_UNIT_SUPPORT_THREADS_H
#define DAM_TESTS_UNIT_SUPPORT_THREADS_H

#include "support/test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

static inline pthread_t thread_start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, body, argument) == 0);
    return thread;
}

static inline void thread_join(pthread_t thread) {
    CHECK(pthread_join(thread, NULL) == 0);
}

static inline void sleep_ms(long ms) {
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&time, &time) != 0)
        CHECK(errno == EINTR);
}

/* Something that happens once. Whoever waits sees all that was done before it was raised. */
struct event {
    atomic_bool happened;
};

static inline void event_raise(struct event *event) {
    atomic_store_explicit(&event->happened, true, memory_order_release);
}

static inline bool event_has_happened(struct event *event) {
    return atomic_load_explicit(&event->happened, memory_order_acquire);
}

/* A test that waits in vain is ended by its runner's time limit. */
static inline void event_wait(struct event *event) {
    while (!event_has_happened(event))
        sleep_ms(1);
}

#endif
