// SPDX-License-Identifier: MIT
/* caught.c: see caught.h. */
#include "unit/protect/caught.h"

#include <pthread.h>

void __wrap_dam_fault_report(const struct dam_fault *fault);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t count;
static struct dam_fault latest;

void __wrap_dam_fault_report(const struct dam_fault *fault) {
    CHECK(pthread_mutex_lock(&lock) == 0);
    count++;
    latest = *fault;
    CHECK(pthread_mutex_unlock(&lock) == 0);
}

size_t caught_count(void) {
    return count;
}

const struct dam_fault *caught_fault(void) {
    return &latest;
}

void caught_reset(void) {
    count = 0;
}
