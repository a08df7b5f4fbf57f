// SPDX-License-Identifier: MIT
/* code_file.c: from an offset in a file to functions and lines, by elfutils.
 *
 *     offset in the file --program headers--> address --+--> unit of DWARF --> line; scopes, from the inside:
 *                                                       |                        inlined in ... inlined in function
 *                                                       +--> symbol table     where there is no DWARF
 *
 * libdwfl finds DWARF in the file itself or beside it: by the file's debug link or build ID, under /usr/lib/debug, and
 * (only if the environment names servers) through debuginfod. It gives each file addresses of its own, which differ
 * from those in the file by a bias; DWARF and unwind tables have a bias each, too.
 *
 * Not here: reports (symbolize.c). */
#include "code_file.h"

#include "elf_symbols.h"
#include "report.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct code_file {
    struct code_file *next;
    char *path;
    Dwfl_Module *module; /* NULL if there is nothing to look into */
    bool is_dam;
};

static struct code_file *files;

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static const Dwfl_Callbacks callbacks = {
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

/* A report may name anything; reading a pipe or a device could take forever. */
static int open_regular(const char *path) {
    struct stat file;
    if (stat(path, &file) != 0) {
        report_note("'%s': %s", path, strerror(errno));
        return -1;
    }
    if (!S_ISREG(file.st_mode)) {
        report_note("'%s' is not a regular file", path);
        return -1;
    }
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        report_note("'%s': %s", path, strerror(errno));
    return descriptor;
}

static Dwfl_Module *read_module(const char *path) {
    int descriptor = open_regular(path);
    if (descriptor < 0)
        return NULL;
    Dwfl *session = dwfl_begin(&callbacks);
    if (session == NULL)
        report_failure(EXIT_COMMAND_FAILED, "elfutils: %s", dwfl_errmsg(-1));
    Dwfl_Module *module = dwfl_report_offline(session, path, path, descriptor);
    if (module == NULL) {
        report_note("'%s' is neither a program nor a shared library: %s", path, dwfl_errmsg(-1));
        close(descriptor); /* on success it is the session's */
        dwfl_end(session);
        return NULL;
    }
    dwfl_report_end(session, NULL, NULL);
    return module;
}

static void note_what_is_missing(const char *path, Dwfl_Module *module) {
    Dwarf_Addr bias;
    if (dwfl_module_getdwarf(module, &bias) == NULL)
        report_note("'%s' has no debugging information (compile with -g, or install its debugging symbols)", path);
}

static struct code_file *read_file(const char *path) {
    struct code_file *file = malloc(sizeof *file);
    if (file == NULL)
        report_failure(EXIT_COMMAND_FAILED, "out of memory");
    *file = (struct code_file){.path = format_text("%s", path), .module = read_module(path)};
    if (file->module == NULL)
        return file;
    GElf_Addr bias;
    Elf *elf = dwfl_module_getelf(file->module, &bias);
    file->is_dam = elf != NULL && elf_is_dam_library(elf);
    if (!file->is_dam)
        note_what_is_missing(path, file->module);
    return file;
}

struct code_file *code_file_find(const char *path) {
    for (struct code_file *file = files; file != NULL; file = file->next) {
        if (strcmp(file->path, path) == 0)
            return file;
    }
    struct code_file *file = read_file(path);
    file->next = files;
    files = file;
    return file;
}

bool code_file_is_dam(const struct code_file *file) {
    return file->is_dam;
}

/* ---- Addresses --------------------------------------------------------------------------------------------------- */

static bool offset_to_address(const struct code_file *file, uint64_t offset, GElf_Addr *address) {
    GElf_Addr bias;
    Elf *elf = file->module == NULL ? NULL : dwfl_module_getelf(file->module, &bias);
    size_t count;
    if (elf == NULL || elf_getphdrnum(elf, &count) != 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        GElf_Phdr segment;
        if (gelf_getphdr(elf, (int)i, &segment) != NULL && segment.p_type == PT_LOAD && offset >= segment.p_offset &&
            offset - segment.p_offset < segment.p_filesz) {
            *address = segment.p_vaddr + (offset - segment.p_offset) + bias;
            return true;
        }
    }
    return false;
}

bool code_file_is_signal_return(const struct code_file *file, uint64_t offset) {
    GElf_Addr address, bias;
    if (!offset_to_address(file, offset, &address))
        return false;
    Dwarf_CFI *table = dwfl_module_eh_cfi(file->module, &bias);
    Dwarf_Frame *frame;
    if (table == NULL || dwarf_cfi_addrframe(table, address - bias, &frame) != 0)
        return false;
    bool is_signal_frame = false;
    Dwarf_Addr start, end;
    (void)dwarf_frame_info(frame, &start, &end, &is_signal_frame);
    free(frame);
    return is_signal_frame;
}

/* ---- By DWARF ---------------------------------------------------------------------------------------------------- */

/* The unit that the code at the address was compiled in. Compilers may leave out the index of addresses that libdwfl
 * goes by (clang does); then all units are asked. */
static Dwarf_Die *find_unit(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias) {
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);
    if (unit != NULL)
        return unit;
    while ((unit = dwfl_module_nextcu(module, unit, bias)) != NULL) {
        if (dwarf_haspc(unit, address - *bias) > 0)
            return unit;
    }
    return NULL;
}

static void read_line(Dwarf_Die *unit, Dwarf_Addr address, struct code_place *place) {
    Dwarf_Line *line = dwarf_getsrc_die(unit, address);
    if (line == NULL)
        return;
    place->source = dwarf_linesrc(line, NULL, NULL);
    (void)dwarf_lineno(line, &place->line);
}

static bool read_number(Dwarf_Die *scope, unsigned name, Dwarf_Word *number) {
    Dwarf_Attribute attribute;
    return dwarf_attr(scope, name, &attribute) != NULL && dwarf_formudata(&attribute, number) == 0;
}

/* Where the function inlined as this scope was called. */
static void read_call(Dwarf_Die *unit, Dwarf_Die *scope, struct code_place *place) {
    Dwarf_Files *sources;
    size_t count;
    Dwarf_Word file, line;
    place->source = NULL;
    place->line = 0;
    if (!read_number(scope, DW_AT_call_file, &file) || dwarf_getsrcfiles(unit, &sources, &count) != 0)
        return;
    place->source = dwarf_filesrc(sources, file, NULL, NULL);
    if (read_number(scope, DW_AT_call_line, &line))
        place->line = (int)line;
}

/* The name for the linker, which holds a C++ function's classes and parameters, if there is one. */
static const char *function_name(Dwarf_Die *function) {
    Dwarf_Attribute attribute;
    const char *name = NULL;
    if (dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute) != NULL)
        name = dwarf_formstring(&attribute);
    if (name == NULL)
        name = dwarf_diename(function);
    return name == NULL ? "(a function without a name)" : name;
}

/* All scopes around the address, the innermost first, as the code is laid out. (What dwarf_getscopes gives for inlined
 * functions is as the sources are.) */
static int read_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes) {
    int count = dwarf_getscopes(unit, address, scopes);
    if (count <= 0)
        return 0;
    Dwarf_Die innermost = (*scopes)[0];
    free(*scopes);
    return dwarf_getscopes_die(&innermost, scopes);
}

static unsigned visit_scopes(Dwarf_Die *unit, Dwarf_Addr address, struct code_place place, code_place_visitor *visit,
                             void *context) {
    Dwarf_Die *scopes;
    int count = read_scopes(unit, address, &scopes);
    if (count <= 0)
        return 0;
    unsigned visited = 0;
    for (int i = 0; i < count; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        place.function = function_name(&scopes[i]);
        visit(&place, context);
        visited++;
        if (tag == DW_TAG_subprogram)
            break;
        read_call(unit, &scopes[i], &place);
    }
    free(scopes);
    return visited;
}

/* ---- By symbols -------------------------------------------------------------------------------------------------- */

/* The symbol that the address lies in. One that merely comes before it would be wrong: the functions of a stripped
 * library lie between those that it exports. */
static unsigned visit_symbol(Dwfl_Module *module, GElf_Addr address, struct code_place place, code_place_visitor *visit,
                             void *context) {
    place.function = dwfl_module_addrname(module, address);
    if (place.function == NULL)
        return 0;
    visit(&place, context);
    return 1;
}

/* ---- Either ------------------------------------------------------------------------------------------------------ */

unsigned code_file_visit_places(const struct code_file *file, uint64_t offset, code_place_visitor *visit,
                                void *context) {
    GElf_Addr address;
    if (!offset_to_address(file, offset, &address))
        return 0;
    struct code_place place = {0};
    Dwarf_Addr bias;
    Dwarf_Die *unit = find_unit(file->module, address, &bias);
    unsigned count = 0;
    if (unit != NULL) {
        read_line(unit, address - bias, &place);
        count = visit_scopes(unit, address - bias, place, visit, context);
    }
    return count > 0 ? count : visit_symbol(file->module, address, place, visit, context);
}
