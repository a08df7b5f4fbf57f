// SPDX-License-Identifier: MIT
/* on_dam.c: asks where malloc comes from.
 *
 * The tests' programs know nothing of DAM and define no malloc. So malloc and free are DAM's if they come from the
 * object that has dam_version too (libdam-malloc.so, preloaded), or from the program itself (libdam-malloc.a, linked;
 * what nobody outside asks for is not exported then, so dam_version is not seen). */
#include "support/on_dam.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *object_of(void *address) {
    Dl_info info;
    return address != NULL && dladdr(address, &info) != 0 ? info.dli_fbase : NULL;
}

/* Any variable of the program's will do. */
static void *object_of_program(void) {
    static int here;
    return object_of(&here);
}

bool dam_is_linked(void) {
    return object_of(dlsym(RTLD_DEFAULT, "malloc")) == object_of_program();
}

void require_malloc_to_be_dam(void) {
    void *object = dam_is_linked() ? object_of_program() : object_of(dlsym(RTLD_DEFAULT, "dam_version"));
    if (object == NULL || object_of(dlsym(RTLD_DEFAULT, "malloc")) != object ||
        object_of(dlsym(RTLD_DEFAULT, "free")) != object) {
        fprintf(stderr, "this program must run on DAM: with libdam-malloc preloaded or linked\n");
        exit(98);
    }
}

/* Linked, malloc_usable_size is DAM's own as malloc is. */
size_t usable_size_by_dam(void *block) {
    size_t (*usable_size)(void *) = malloc_usable_size;
    void *preloaded = dlsym(RTLD_DEFAULT, "dam_malloc_usable_size");
    if (preloaded != NULL)
        memcpy(&usable_size, &preloaded, sizeof usable_size);
    return usable_size(block);
}
