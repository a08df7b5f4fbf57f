// SPDX-License-Identifier: MIT
/* run.h: `dam run`: a program, with DAM as its malloc. */
#ifndef DAM_COMMAND_RUN_H
#define DAM_COMMAND_RUN_H

/* argv[0] is "dam run". Does not come back when all goes well: the process becomes the program. */
int run_main(int argc, char **argv);

#endif
