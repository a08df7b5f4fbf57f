// SPDX-License-Identifier: MIT
/* core_alone.c: linked with the core's objects and nothing else of DAM, which shows that the core needs neither inspect
 * nor the libc shim; run, it shows that it works so. */
#include <dam/dam.h>

#include <stdio.h>
#include <string.h>

int main(void) {
    static const size_t sizes[] = {1, 256, 257, 65536, 65537, (size_t)3 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *block = dam_malloc(sizes[i]);
        if (block == NULL) {
            fprintf(stderr, "dam_malloc(%zu) gave NULL\n", sizes[i]);
            return 1;
        }
        memset(block, 0x5a, sizes[i]);
        char *larger = dam_realloc(block, sizes[i] * 2);
        if (larger == NULL || larger[0] != 0x5a || larger[sizes[i] - 1] != 0x5a) {
            fprintf(stderr, "dam_realloc from %zu bytes failed or lost bytes\n", sizes[i]);
            return 1;
        }
        dam_free(larger);
    }
    return 0;
}
