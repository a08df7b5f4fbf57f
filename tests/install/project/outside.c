// SPDX-License-Identifier: MIT
/* outside.c: a C program of somebody else's that uses DAM. Prints the version of the library and the file that the
 * process's malloc comes from; exit status 1 if DAM does not do its work. */
#include <dam/dam.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(void) {
    char *block = dam_malloc(100);
    if (block == NULL || dam_malloc_usable_size(block) < 100) {
        return 1;
    }
    memset(block, 'x', 100);
    char *larger = dam_realloc(block, 100000);
    if (larger == NULL || larger[0] != 'x' || larger[99] != 'x') {
        return 1;
    }
    dam_free(larger);

    Dl_info info;
    if (dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) == 0) {
        return 1;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    printf("dam %s, malloc of %s\n", dam_version(), slash != NULL ? slash + 1 : info.dli_fname);
    return 0;
}
