// SPDX-License-Identifier: MIT
/* options.h: the options of the allocator as the command knows them: from the same table as the library
 * (src/base/options_table.h). */
#ifndef DAM_COMMAND_OPTIONS_H
#define DAM_COMMAND_OPTIONS_H

/* NULL if the library will take this "name=value"; otherwise what is wrong with it, in a text of the caller's. */
char *options_find_fault(const char *assignment);

/* All options with their meaning, values and defaults, a few lines for each, in a text of the caller's. */
char *options_describe(void);

/* `dam options`. */
int options_main(int argc, char **argv);

#endif
