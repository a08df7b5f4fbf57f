// SPDX-License-Identifier: MIT
/* demangle.c: asks the C++ runtime, if there is one: whoever has C++ programs has it, and this command needs it for
 * nothing else. Without it names stay as the linker has them. */
#include "demangle.h"

#include "report.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* __cxa_demangle of the C++ ABI. */
typedef char *demangler(const char *symbol, char *buffer, size_t *buffer_bytes, int *status);

static demangler *find_demangler(void) {
    static const char *const libraries[] = {"libstdc++.so.6", "libc++abi.so.1"};
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_LOCAL);
        void *found = library == NULL ? NULL : dlsym(library, "__cxa_demangle");
        demangler *function;
        memcpy(&function, &found, sizeof function); /* ISO C has no conversion from one to the other */
        if (function != NULL)
            return function;
    }
    return NULL;
}

char *demangle(const char *symbol) {
    static demangler *function;
    static bool has_looked;
    if (strncmp(symbol, "_Z", 2) != 0)
        return format_text("%s", symbol);
    if (!has_looked)
        function = find_demangler();
    has_looked = true;
    int status;
    char *name = function == NULL ? NULL : function(symbol, NULL, NULL, &status);
    return name == NULL ? format_text("%s", symbol) : name;
}
