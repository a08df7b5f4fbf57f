// SPDX-License-Identifier: MIT
/* demangle.h: names of C++ functions as their authors wrote them. */
#ifndef DAM_COMMAND_DEMANGLE_H
#define DAM_COMMAND_DEMANGLE_H

/* "Stack::push(int)" for "_ZN5Stack4pushEi"; a copy of any other name. The text is the caller's. */
char *demangle(const char *symbol);

#endif
