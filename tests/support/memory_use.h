// SPDX-License-Identifier: MIT
/* memory_use.h: what the system thinks this process uses. Nothing here allocates, so that asking changes nothing and
 * works when there is no memory left. */
#ifndef DAM_TESTS_SUPPORT_MEMORY_USE_H
#define DAM_TESTS_SUPPORT_MEMORY_USE_H

#include <stdbool.h>
#include <stddef.h>

/* Physical memory in use. The kernel's figure may lag by some hundred KiB. */
size_t memory_resident_bytes(void);

/* False in a build whose sanitizer adds memory of its own for each byte the program touches. */
bool memory_use_is_the_programs_own(void);

/* Address space in use: what RLIMIT_AS limits. */
size_t memory_mapped_bytes(void);

/* Number of mappings: what vm.max_map_count limits. */
size_t memory_mapping_count(void);

/* vm.max_map_count. */
size_t memory_mapping_count_max(void);

#endif
