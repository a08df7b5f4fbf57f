// SPDX-License-Identifier: MIT
/* symbolize.h: `dam symbolize`: names for the frames of a report. */
#ifndef DAM_COMMAND_SYMBOLIZE_H
#define DAM_COMMAND_SYMBOLIZE_H

int symbolize_main(int argc, char **argv);

#endif
