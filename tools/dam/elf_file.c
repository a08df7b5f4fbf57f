// SPDX-License-Identifier: MIT
/* elf_file.c: the few facts of an ELF file that decide whether a library can be preloaded into it.
 *
 *     +------------------+   the ELF header: which machine, and where the program headers are
 *     | e_ident ...      |
 *     +------------------+   the program headers: PT_INTERP gives the loader's path, PT_DYNAMIC says that there is
 *     | PT_... | PT_...  |   something to link
 *     +------------------+
 *
 * 32-bit and 64-bit files differ in the layout of both: that difference ends in the two readers below. The file is not
 * to be trusted: any read may come up short, and any offset may be nonsense, with which pread() copes.
 *
 * Not here: what the facts mean for running a program (preload_check.c). */
#include "elf_file.h"

#include <byteswap.h>
#include <elf.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define DATA_OF_THIS_MACHINE ELFDATA2LSB
#else
#define DATA_OF_THIS_MACHINE ELFDATA2MSB
#endif

static bool read_at(int descriptor, void *buffer, size_t bytes, uint64_t offset) {
    return offset <= INT64_MAX && pread(descriptor, buffer, bytes, (off_t)offset) == (ssize_t)bytes;
}

/* Where the program headers are. */
struct segment_table {
    uint64_t offset;
    unsigned entry_bytes, count;
};

/* One program header, as far as it matters here. */
struct segment {
    uint32_t type;
    uint64_t offset, bytes;
};

static bool read_segment_table(int descriptor, unsigned char class, struct segment_table *table) {
    if (class == ELFCLASS32) {
        Elf32_Ehdr header;
        if (!read_at(descriptor, &header, sizeof header, 0))
            return false;
        *table = (struct segment_table){header.e_phoff, header.e_phentsize, header.e_phnum};
    } else {
        Elf64_Ehdr header;
        if (!read_at(descriptor, &header, sizeof header, 0))
            return false;
        *table = (struct segment_table){header.e_phoff, header.e_phentsize, header.e_phnum};
    }
    return true;
}

static bool read_segment(int descriptor, unsigned char class, uint64_t offset, struct segment *segment) {
    if (class == ELFCLASS32) {
        Elf32_Phdr header;
        if (!read_at(descriptor, &header, sizeof header, offset))
            return false;
        *segment = (struct segment){header.p_type, header.p_offset, header.p_filesz};
    } else {
        Elf64_Phdr header;
        if (!read_at(descriptor, &header, sizeof header, offset))
            return false;
        *segment = (struct segment){header.p_type, header.p_offset, header.p_filesz};
    }
    return true;
}

/* The path in a PT_INTERP segment, which ends with a zero byte. */
static bool read_interpreter(int descriptor, const struct segment *segment, struct elf_facts *facts) {
    if (segment->bytes == 0 || segment->bytes > sizeof facts->interpreter ||
        !read_at(descriptor, facts->interpreter, segment->bytes, segment->offset))
        return false;
    facts->has_interpreter = true;
    return facts->interpreter[segment->bytes - 1] == '\0';
}

static bool read_segments(int descriptor, struct elf_facts *facts) {
    struct segment_table table;
    if (!read_segment_table(descriptor, facts->class, &table))
        return false;
    for (unsigned i = 0; i < table.count; i++) {
        struct segment segment;
        if (!read_segment(descriptor, facts->class, table.offset + (uint64_t)i * table.entry_bytes, &segment))
            return false;
        if (segment.type == PT_DYNAMIC)
            facts->has_dynamic = true;
        if (segment.type == PT_INTERP && !read_interpreter(descriptor, &segment, facts))
            return false;
    }
    return true;
}

/* e_type and e_machine stand at the same place in both classes. */
_Static_assert(offsetof(Elf32_Ehdr, e_machine) == offsetof(Elf64_Ehdr, e_machine), "read before the class is known");

enum elf_answer elf_facts_read(int descriptor, struct elf_facts *facts) {
    Elf32_Ehdr start;
    *facts = (struct elf_facts){0};
    if (!read_at(descriptor, &start, SELFMAG, 0) || memcmp(start.e_ident, ELFMAG, SELFMAG) != 0)
        return ELF_NOT;
    if (!read_at(descriptor, &start, offsetof(Elf32_Ehdr, e_version), 0))
        return ELF_DAMAGED;
    facts->class = start.e_ident[EI_CLASS];
    facts->data = start.e_ident[EI_DATA];
    facts->machine = start.e_machine;
    facts->type = start.e_type;
    if (facts->data != DATA_OF_THIS_MACHINE) {
        facts->machine = bswap_16(facts->machine);
        facts->type = bswap_16(facts->type);
        return ELF_FOREIGN;
    }
    if (facts->class != ELFCLASS32 && facts->class != ELFCLASS64)
        return ELF_DAMAGED;
    return read_segments(descriptor, facts) ? ELF_READ : ELF_DAMAGED;
}

const char *elf_machine_name(uint16_t machine) {
    switch (machine) {
    case EM_386:
        return "i386";
    case EM_X86_64:
        return "x86-64";
    case EM_ARM:
        return "ARM";
    case EM_AARCH64:
        return "AArch64";
    case EM_RISCV:
        return "RISC-V";
    case EM_PPC64:
        return "PowerPC64";
    case EM_S390:
        return "S/390";
    default:
        return NULL;
    }
}
