// SPDX-License-Identifier: MIT
/* system.c: the system as DAM sees it in the target: a clock that an input sets, and a stderr that is listened to. The
 * linker puts these functions in front of src/os's (--wrap). */
#include <stdio.h>
#include <string.h>

#include "fuzz/world.h"
#include "os/os.h"

struct world world = {.now_ms = 1000000};
struct said said;

static const char FAULT_BEGINNING[] = "dam: fault: ";

/* The linker's names have no other declaration. */
uint64_t __wrap_dam_os_now_ms(void);
void __real_dam_os_write_stderr(const char *text, size_t bytes);
void __wrap_dam_os_write_stderr(const char *text, size_t bytes);

uint64_t __wrap_dam_os_now_ms(void) {
    return world.now_ms;
}

void __wrap_dam_os_write_stderr(const char *text, size_t bytes) {
    if (bytes < sizeof FAULT_BEGINNING - 1 || memcmp(text, FAULT_BEGINNING, sizeof FAULT_BEGINNING - 1) != 0) {
        __real_dam_os_write_stderr(text, bytes);
        return;
    }
    said.reports++;
    said.bytes = bytes < SAID_BYTES_MAX ? bytes : SAID_BYTES_MAX;
    memcpy(said.text, text, said.bytes);
}

void said_show(void) {
    __real_dam_os_write_stderr(said.text, said.bytes);
}
