// SPDX-License-Identifier: MIT
/* options.h: reading and changing the options of base/options_table.h. Allocates nothing. */
#ifndef DAM_OPTIONS_OPTIONS_H
#define DAM_OPTIONS_OPTIONS_H

#include <stddef.h>

/* Reads DAM_OPTIONS="name=value,..." from the environment, not in setuid programs. What is unknown or bad is warned about
 * on stderr and ignored. Once, at start. */
void dam_options_init(void);

/* The contracts of dam_option_get and dam_option_set. */
int dam_options_get(const char *name, char *buffer, size_t buffer_bytes);
int dam_options_set(const char *name, const char *value);

#endif
