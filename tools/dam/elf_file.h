// SPDX-License-Identifier: MIT
/* elf_file.h: the few facts of an ELF file that decide whether a library can be preloaded into it. */
#ifndef DAM_COMMAND_ELF_FILE_H
#define DAM_COMMAND_ELF_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct elf_facts {
    unsigned char class;        /* ELFCLASS32 or ELFCLASS64 */
    unsigned char data;         /* ELFDATA2LSB or ELFDATA2MSB */
    uint16_t machine;           /* EM_... */
    uint16_t type;              /* ET_... */
    bool has_interpreter;       /* PT_INTERP: a dynamic loader is to start it */
    bool has_dynamic;           /* PT_DYNAMIC: something for a dynamic loader to read */
    char interpreter[PATH_MAX]; /* that loader's path, or "" */
};

enum elf_answer {
    ELF_READ,    /* the facts are filled in */
    ELF_NOT,     /* not an ELF file at all */
    ELF_FOREIGN, /* of the other byte order: class, data, machine and type are filled in, the rest is not */
    ELF_DAMAGED, /* begins like one, and then does not hold what it says */
};

/* Reads from an open file. */
enum elf_answer elf_facts_read(int descriptor, struct elf_facts *facts);

/* "x86-64", "ARM" ..., for people to read. NULL if it has no name here. */
const char *elf_machine_name(uint16_t machine);

#endif
