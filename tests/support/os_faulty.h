// SPDX-License-Identifier: MIT
/* os_faulty.h: an operating system that refuses, on request, and counts what it has given.
 *
 * os_faulty.c stands in front of the functions of src/os/os.h that may refuse (the linker's --wrap puts it there; list
 * the functions of OS_FAULTY_WRAPPED in tests/process/CMakeLists.txt). A refusal is what os.h promises: NULL or false,
 * nothing changed. Counting is exact with one thread. */
#ifndef DAM_TESTS_SUPPORT_OS_FAULTY_H
#define DAM_TESTS_SUPPORT_OS_FAULTY_H

#include <stddef.h>
#include <stdint.h>

/* Starts counting calls at 0 and refuses none. */
void os_faulty_refuse_nothing(void);

/* Starts counting and refuses call number `nth` (1 is the next one) and no other. */
void os_faulty_refuse_call(size_t nth);

/* Starts counting and refuses every call from number `nth` on. */
void os_faulty_refuse_from(size_t nth);

/* Starts counting and refuses calls at random, one in `one_in` of them. */
void os_faulty_refuse_randomly(uint64_t seed, size_t one_in);

/* Calls since one of the above. */
size_t os_faulty_calls(void);

/* How many of them were refused. */
size_t os_faulty_refused(void);

/* The name of a function that the profile (guard, sample_every) has a use for and that has not been called since the program
 * began, or NULL: what a test never reaches it cannot refuse. */
const char *os_faulty_never_called(void);

/* What the system has given and not got back, in bytes of address space, since the program began. */
size_t os_faulty_mapped_bytes(void);

#endif
