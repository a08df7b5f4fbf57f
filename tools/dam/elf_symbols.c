// SPDX-License-Identifier: MIT
/* elf_symbols.c: looks a name up among the symbols that a library offers to the dynamic linker. Nothing of the library
 * is loaded or run: it may be for another machine. */
#include "elf_symbols.h"

#include <gelf.h>
#include <stddef.h>
#include <string.h>

static Elf_Scn *find_section(Elf *elf, uint32_t type, GElf_Shdr *header) {
    Elf_Scn *section = NULL;
    while ((section = elf_nextscn(elf, section)) != NULL) {
        if (gelf_getshdr(section, header) != NULL && header->sh_type == type)
            return section;
    }
    return NULL;
}

/* A library, rather than a program that has DAM linked in. */
static bool has_soname(Elf *elf) {
    GElf_Shdr header;
    Elf_Scn *section = find_section(elf, SHT_DYNAMIC, &header);
    Elf_Data *data = section == NULL ? NULL : elf_getdata(section, NULL);
    GElf_Dyn entry;
    for (int i = 0; data != NULL && gelf_getdyn(data, i, &entry) != NULL && entry.d_tag != DT_NULL; i++) {
        if (entry.d_tag == DT_SONAME)
            return true;
    }
    return false;
}

static bool offers(Elf *elf, const char *name) {
    GElf_Shdr header;
    Elf_Scn *section = find_section(elf, SHT_DYNSYM, &header);
    Elf_Data *data = section == NULL ? NULL : elf_getdata(section, NULL);
    GElf_Sym symbol;
    for (int i = 0; data != NULL && gelf_getsym(data, i, &symbol) != NULL; i++) {
        const char *found = elf_strptr(elf, header.sh_link, symbol.st_name);
        if (symbol.st_shndx != SHN_UNDEF && found != NULL && strcmp(found, name) == 0)
            return true;
    }
    return false;
}

bool elf_is_dam_library(Elf *elf) {
    return has_soname(elf) && offers(elf, "dam_version");
}

bool elf_is_dam_malloc_library(int descriptor) {
    elf_version(EV_CURRENT);
    Elf *elf = elf_begin(descriptor, ELF_C_READ, NULL);
    if (elf == NULL)
        return false;
    bool is = elf_is_dam_library(elf) && offers(elf, "malloc");
    elf_end(elf);
    return is;
}
