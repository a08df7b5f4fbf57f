// SPDX-License-Identifier: MIT
/* preload_check.c: can this library be preloaded into this program?
 *
 * A dynamic loader that cannot obey LD_PRELOAD says a line on stderr at best and runs the program without; a program
 * without a loader, or with privileges of its own, ignores it silently. Whoever typed `dam run` would believe that the
 * program ran on DAM. So each such case is found here, before the program starts:
 *
 *     program_path --#!--> interpreter --#!--> ... --> ELF file: of the library's machine? with a dynamic loader? of
 * the library's C library? without additional privileges?
 *
 * What cannot be read or recognised is let through: the kernel, which knows more kinds of programs, will judge it. */
#include "preload_check.h"

#include "elf_file.h"
#include "elf_symbols.h"
#include "program_path.h"
#include "report.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

enum {
    SCRIPT_DEPTH_MAX = 5,        /* the kernel follows so many `#!` lines and then gives up with ELOOP */
    SCRIPT_LINE_BYTES_MAX = 256, /* and reads this much of each */
};

/* What is preloaded, and what it was built for. */
struct preload {
    const char *library_path;
    struct elf_facts library;
    struct elf_facts own; /* of this executable, which was built with the library: it names their dynamic loader */
};

/* ---- Machine ----------------------------------------------------------------------------------------------------- */

static char *machine_text(const struct elf_facts *facts) {
    const char *bits = facts->class == ELFCLASS32 ? "32-bit" : "64-bit";
    const char *name = elf_machine_name(facts->machine);
    if (name == NULL)
        return format_text("%s machine number %u", bits, (unsigned)facts->machine);
    return format_text("%s %s", bits, name);
}

static bool is_same_machine(const struct elf_facts *file, const struct elf_facts *other) {
    return file->class == other->class && file->data == other->data && file->machine == other->machine;
}

static void check_machine(const char *path, const struct elf_facts *program, const struct preload *preload) {
    if (is_same_machine(program, &preload->library))
        return;
    char *program_machine = machine_text(program);
    char *library_machine = machine_text(&preload->library);
    report_failure(EXIT_COMMAND_FAILED,
                   "'%s' is a program for %s, and '%s' is a library for %s: it needs a DAM built for %s (name its "
                   "library with --library)",
                   path, program_machine, preload->library_path, library_machine, program_machine);
}

/* ---- Loader ------------------------------------------------------------------------------------------------------ */

static bool is_same_file(const char *path, const char *other_path) {
    struct stat file, other;
    return stat(path, &file) == 0 && stat(other_path, &other) == 0 && file.st_dev == other.st_dev &&
           file.st_ino == other.st_ino;
}

static const char *base_name(const char *path) {
    const char *last_slash = strrchr(path, '/');
    return last_slash == NULL ? path : last_slash + 1;
}

/* Another name for the loader of the same machine means another C library (glibc, musl). The directories may differ. */
static bool is_same_loader(const struct elf_facts *program, const struct elf_facts *own) {
    if (!own->has_interpreter || !is_same_machine(program, own))
        return true; /* nothing to compare with */
    return strcmp(base_name(program->interpreter), base_name(own->interpreter)) == 0;
}

static void check_loader(const char *path, const struct elf_facts *program, const struct elf_facts *own) {
    /* `dam run /lib64/ld-linux-x86-64.so.2 program`: the loader has no loader of its own, and obeys LD_PRELOAD. */
    if (!program->has_interpreter && own->has_interpreter && is_same_file(path, own->interpreter))
        return;
    if (!program->has_interpreter || !program->has_dynamic)
        report_failure(
            EXIT_COMMAND_FAILED,
            "'%s' is a static program: no dynamic loader starts it, so LD_PRELOAD has no effect and it cannot "
            "be run on DAM from outside; link it with libdam-malloc.a instead",
            path);
    if (!is_same_loader(program, own))
        report_failure(EXIT_COMMAND_FAILED,
                       "'%s' is a program for another C library than this DAM: its dynamic loader is %s, not %s; it "
                       "needs a DAM built for that one",
                       path, program->interpreter, own->interpreter);
}

/* ---- Privileges -------------------------------------------------------------------------------------------------- */

/* The kernel gives no privileges by exec on a file system mounted nosuid, or once a process has given them up. */
static bool exec_never_gives_privileges(const char *path) {
    struct statvfs file_system;
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
           (statvfs(path, &file_system) == 0 && (file_system.f_flag & ST_NOSUID) != 0);
}

/* What the program gets by being executed, or NULL; after the kernel's own rule for AT_SECURE, under which the loader
 * ignores LD_PRELOAD: the effective user or group is not the real one, or somebody not root gets capabilities. */
static const char *additional_privilege(const char *path) {
    struct stat file;
    if (exec_never_gives_privileges(path) || stat(path, &file) != 0)
        return NULL;
    if ((file.st_mode & S_ISUID) != 0 && file.st_uid != getuid())
        return "setuid";
    if ((file.st_mode & S_ISGID) != 0 && (file.st_mode & S_IXGRP) != 0 && file.st_gid != getgid())
        return "setgid";
    if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
        return "file capabilities";
    return NULL;
}

static void check_privileges(const char *path) {
    const char *privilege = additional_privilege(path);
    if (privilege != NULL)
        report_failure(
            EXIT_COMMAND_FAILED,
            "'%s' runs with privileges of its own (%s): the dynamic loader ignores LD_PRELOAD for it; run it "
            "as the user whose privileges it has, or run a copy without them",
            path, privilege);
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

/* Reads what is to be preloaded, or ends the process when it is no library, or another one than ours. */
static void read_preload(const char *library_path, struct preload *preload) {
    preload->library_path = library_path;
    int descriptor = open(library_path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        report_failure(EXIT_COMMAND_FAILED, "cannot use the library '%s': %s", library_path, strerror(errno));
    enum elf_answer answer = elf_facts_read(descriptor, &preload->library);
    bool is_elf = answer == ELF_READ || answer == ELF_FOREIGN;
    if (!is_elf || preload->library.type != ET_DYN || (answer == ELF_READ && !preload->library.has_dynamic))
        report_failure(EXIT_COMMAND_FAILED, "cannot use the library '%s': it is not a shared library", library_path);
    if (!elf_is_dam_malloc_library(descriptor))
        report_failure(EXIT_COMMAND_FAILED,
                       "cannot use the library '%s': it is not a libdam-malloc.so (it does not define both malloc and "
                       "dam_version)",
                       library_path);
    close(descriptor);
}

/* Without /proc there is nothing to compare with, and the two checks that would compare pass. */
static void read_own(struct elf_facts *own) {
    *own = (struct elf_facts){0};
    int descriptor = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    elf_facts_read(descriptor, own);
    close(descriptor);
}

static void check_elf_program(const char *path, const struct elf_facts *program, const struct preload *preload) {
    if (program->type != ET_EXEC && program->type != ET_DYN)
        report_failure(EXIT_CANNOT_RUN, "'%s' is an ELF file, but not a program", path);
    check_machine(path, program, preload);
    check_loader(path, program, &preload->own);
    check_privileges(path);
}

/* The interpreter in the `#!` line, or NULL if there is no such line. The text is the caller's. */
static char *read_script_interpreter(int descriptor) {
    char line[SCRIPT_LINE_BYTES_MAX + 1];
    ssize_t length = pread(descriptor, line, SCRIPT_LINE_BYTES_MAX, 0);
    if (length < 2 || line[0] != '#' || line[1] != '!')
        return NULL;
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    const char *start = line + 2 + strspn(line + 2, " \t");
    size_t path_length = strcspn(start, " \t");
    return path_length == 0 ? NULL : format_text("%.*s", (int)path_length, start);
}

/* Checks one file. Returns the file that will be run in its place, if it is a script, or NULL. */
static char *check_file(const char *path, const struct preload *preload) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        /* Executable but not readable: no script then, since an interpreter has to read it, and no way to look into it.
         */
        check_privileges(path);
        return NULL;
    }
    struct elf_facts program;
    char *interpreter = NULL;
    switch (elf_facts_read(descriptor, &program)) {
    case ELF_NOT:
        interpreter = read_script_interpreter(descriptor);
        break;
    case ELF_READ:
    case ELF_FOREIGN:
        check_elf_program(path, &program, preload);
        break;
    case ELF_DAMAGED:
        report_failure(EXIT_CANNOT_RUN, "'%s' is a damaged ELF file", path);
    }
    close(descriptor);
    return interpreter;
}

void preload_check(const char *program_path, const char *library_path) {
    struct preload preload;
    read_preload(library_path, &preload);
    read_own(&preload.own);
    char *path = format_text("%s", program_path);
    for (int depth = 0; path != NULL && depth < SCRIPT_DEPTH_MAX; depth++) {
        char *interpreter = check_file(path, &preload);
        if (interpreter != NULL)
            program_path_check_interpreter(path, interpreter);
        free(path);
        path = interpreter;
    }
    free(path);
}
