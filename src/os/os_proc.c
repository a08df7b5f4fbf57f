// SPDX-License-Identifier: MIT
/* os_proc.c: what Linux tells a process about itself in /proc, read piece by piece into small buffers on the stack. */
#include "os/os.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A file that is read character by character. */
struct reader {
    int file;
    size_t place;
    size_t have;
    char buffer[512];
};

#define END_OF_FILE (-1)

static bool reader_open(struct reader *reader, const char *path) {
    reader->place = 0;
    reader->have = 0;
    reader->file = open(path, O_RDONLY | O_CLOEXEC);
    return reader->file >= 0;
}

static int next_character(struct reader *reader) {
    if (reader->place == reader->have) {
        ssize_t got = read(reader->file, reader->buffer, sizeof reader->buffer);
        if (got <= 0)
            return END_OF_FILE;
        reader->have = (size_t)got;
        reader->place = 0;
    }
    return (unsigned char)reader->buffer[reader->place++];
}

/* ---- The command line -------------------------------------------------------------------------------------------- */

#define QUOTED_BYTES_MAX 7

/* Means nothing to a shell. Bytes of other alphabets do not, either. */
static bool is_plain(int character) {
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character >= 0x80 || strchr("/._-+=:,@%", character) != NULL;
}

/* Plain characters as they are, others behind a backslash; control characters, which would break the line, as $'\012'. */
static size_t quote_character(int character, char *quoted) {
    if (is_plain(character)) {
        quoted[0] = (char)character;
        return 1;
    }
    if (character >= ' ' && character != 0x7f) {
        quoted[0] = '\\';
        quoted[1] = (char)character;
        return 2;
    }
    quoted[0] = '$';
    quoted[1] = '\'';
    quoted[2] = '\\';
    quoted[3] = (char)('0' + (character >> 6));
    quoted[4] = (char)('0' + (character >> 3 & 7));
    quoted[5] = (char)('0' + (character & 7));
    quoted[6] = '\'';
    return QUOTED_BYTES_MAX;
}

/* The words, each ended by a zero, with a space between; an empty one as ''. */
static size_t quote_words(struct reader *reader, char *buffer, size_t bytes) {
    size_t length = 0;
    size_t word_start = 0;
    int character;
    while ((character = next_character(reader)) != END_OF_FILE && length + QUOTED_BYTES_MAX <= bytes) {
        if (character != '\0') {
            length += quote_character(character, buffer + length);
            continue;
        }
        if (length == word_start) {
            memset(buffer + length, '\'', 2);
            length += 2;
        }
        buffer[length++] = ' ';
        word_start = length;
    }
    return length > 0 && length == word_start ? length - 1 : length;
}

size_t dam_os_command_line(char *buffer, size_t bytes) {
    int saved_errno = errno;
    struct reader reader;
    size_t length = 0;
    if (reader_open(&reader, "/proc/self/cmdline")) {
        length = quote_words(&reader, buffer, bytes);
        close(reader.file);
    }
    errno = saved_errno;
    return length;
}

/* ---- Mapped files ------------------------------------------------------------------------------------------------ */

/* A number to base 16, and the character behind it, which ends it. */
static uint64_t read_hex(struct reader *reader, int *end) {
    uint64_t value = 0;
    for (;;) {
        *end = next_character(reader);
        if (*end >= '0' && *end <= '9')
            value = value << 4 | (uint64_t)(*end - '0');
        else if (*end >= 'a' && *end <= 'f')
            value = value << 4 | (uint64_t)(*end - 'a' + 10);
        else
            return value;
    }
}

/* Skips words and the spaces behind them; returns the first character of what follows. */
static int skip_words(struct reader *reader, int words) {
    int character = next_character(reader);
    for (; words > 0; words--) {
        while (character != ' ' && character != '\n' && character != END_OF_FILE)
            character = next_character(reader);
        while (character == ' ')
            character = next_character(reader);
    }
    return character;
}

/* Reads one line "start-end permissions offset device inode   path". Returns whether there was one. */
static bool read_mapping(struct reader *reader, uintptr_t address, char *path, size_t path_bytes, uint64_t *offset,
                         bool *found) {
    int character;
    uintptr_t start = read_hex(reader, &character);
    if (character == END_OF_FILE)
        return false;
    uintptr_t end = read_hex(reader, &character);
    next_character(reader); /* r */
    next_character(reader); /* w */
    next_character(reader); /* x */
    next_character(reader); /* p */
    next_character(reader);
    uint64_t file_offset = read_hex(reader, &character);
    character = skip_words(reader, 2);
    bool wanted = address >= start && address < end && character == '/';
    size_t length = 0;
    for (; character != '\n' && character != END_OF_FILE; character = next_character(reader)) {
        if (wanted && length + 1 < path_bytes)
            path[length++] = (char)character;
    }
    if (wanted) {
        path[length] = '\0';
        *offset = address - start + file_offset;
        *found = true;
    }
    return true;
}

bool dam_os_find_mapped_file(const void *address, char *path, size_t path_bytes, uint64_t *offset) {
    int saved_errno = errno;
    struct reader reader;
    bool found = false;
    if (reader_open(&reader, "/proc/self/maps")) {
        while (!found && read_mapping(&reader, (uintptr_t)address, path, path_bytes, offset, &found))
            continue;
        close(reader.file);
    }
    errno = saved_errno;
    return found;
}
