// SPDX-License-Identifier: MIT
/* double_free_general_by_two_threads.c: a block is released by another thread, and then by the one that allocated it.
 */
#include "faults/specimen.h"

#include <pthread.h>

const char expected_report[] = "dam: fault: double free: free of 0x";

static void *free_it(void *block) {
    dam_free(block);
    return NULL;
}

static void free_on_another_thread(void *block) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, free_it, block) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
}

void commit_misuse(void) {
    unsigned char *block = specimen_block(3000);
    free_on_another_thread(block);
    dam_free(opaque_pointer(block));
}

void behave(void) {
    free_on_another_thread(specimen_block(3000));
    dam_free(specimen_block(3000));
}
