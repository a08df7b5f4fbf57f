// SPDX-License-Identifier: MIT
/* elf_symbols.h: is a file one of DAM's libraries? By what it defines, since a file can have any name. */
#ifndef DAM_COMMAND_ELF_SYMBOLS_H
#define DAM_COMMAND_ELF_SYMBOLS_H

#include <libelf.h>
#include <stdbool.h>

/* A shared library with the dam_* functions. */
bool elf_is_dam_library(Elf *elf);

/* The same with malloc: something to preload. The file is open, and not moved. */
bool elf_is_dam_malloc_library(int descriptor);

#endif
