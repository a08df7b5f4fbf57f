// SPDX-License-Identifier: MIT
/* options.c: the options of the allocator, checked and described from the table that the library itself is made of.
 *
 * A wrong option would only make the library warn and go on without it; somebody who types `dam run --option` wants to
 * hear of it before the program starts.
 *
 * Not here: what an option does, and taking it over (src/front). */
#include "options.h"
#include "report.h"

#include "base/options_table.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option_row {
    const char *name;
    enum option_kind kind;
    enum option_when when;
    uint64_t initial, min, max;
    const char *help;
};

#define OPTION_ROW(name, kind, initial, min, max, when, help) {#name, kind, when, initial, min, max, help},
static const struct option_row options[] = {DAM_OPTION_TABLE(OPTION_ROW)};
#undef OPTION_ROW

#define OPTION_COUNT (sizeof options / sizeof options[0])

static const struct option_row *find_option(const char *name, size_t name_length) {
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strlen(options[i].name) == name_length && memcmp(options[i].name, name, name_length) == 0)
            return &options[i];
    return NULL;
}

/* ---- Values ------------------------------------------------------------------------------------------------------ */

/* Bytes as they would be typed: with the largest of K, M and G that divides them. */
static char *bytes_text(uint64_t bytes) {
    static const char suffixes[] = "KMG";
    const char *suffix = "";
    for (size_t i = 0; suffixes[i] != '\0' && bytes != 0 && bytes % 1024 == 0; i++) {
        bytes /= 1024;
        suffix = &suffixes[i];
    }
    return format_text("%" PRIu64 "%.1s", bytes, suffix);
}

static char *value_text(const struct option_row *option, uint64_t value) {
    const char *const *words = dam_option_words(option->kind);
    if (words != NULL)
        return format_text("%s", words[value]);
    return option->kind == OPTION_BYTES ? bytes_text(value) : format_text("%" PRIu64, value);
}

/* "abort, report or ignore" */
static char *words_text(const char *const *words) {
    char *text = format_text("%s", words[0]);
    for (size_t i = 1; words[i] != NULL; i++) {
        char *longer = format_text("%s%s%s", text, words[i + 1] == NULL ? " or " : ", ", words[i]);
        free(text);
        text = longer;
    }
    return text;
}

/* "0 to 100", "0 or 1", "steps4 or pow2" ... */
static char *values_text(const struct option_row *option) {
    const char *const *words = dam_option_words(option->kind);
    if (words != NULL)
        return words_text(words);
    char *min = value_text(option, option->min);
    char *max = value_text(option, option->max);
    char *text = format_text(option->kind == OPTION_SWITCH ? "%s or %s" : "%s to %s", min, max);
    free(min);
    free(max);
    return text;
}

/* Digits, and K, M or G behind them where may_have_suffix. False when it is not that, or does not fit. */
static bool parse_count(const char *text, bool may_have_suffix, uint64_t *value) {
    if (text[0] < '0' || text[0] > '9')
        return false; /* strtoull would take signs and spaces */
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    unsigned shift = 0;
    if (may_have_suffix && *end != '\0') {
        switch (*end++) {
        case 'K':
            shift = 10;
            break;
        case 'M':
            shift = 20;
            break;
        case 'G':
            shift = 30;
            break;
        default:
            return false;
        }
    }
    if (*end != '\0' || *value > UINT64_MAX >> shift)
        return false;
    *value <<= shift;
    return true;
}

static bool parse_word(const char *const *words, const char *text, uint64_t *value) {
    for (*value = 0; words[*value] != NULL; (*value)++)
        if (strcmp(text, words[*value]) == 0)
            return true;
    return false;
}

static bool parse_value(const struct option_row *option, const char *text, uint64_t *value) {
    const char *const *words = dam_option_words(option->kind);
    return words != NULL ? parse_word(words, text, value) : parse_count(text, option->kind == OPTION_BYTES, value);
}

/* ---- Checking ---------------------------------------------------------------------------------------------------- */

static char *unknown_name_fault(const char *name, size_t name_length) {
    char *text = format_text("there is no option '%.*s'; the options are", (int)name_length, name);
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char *longer = format_text("%s%s %s", text, i == 0 ? "" : ",", options[i].name);
        free(text);
        text = longer;
    }
    return text;
}

char *options_find_fault(const char *assignment) {
    const char *equals = strchr(assignment, '=');
    if (equals == NULL)
        return format_text("'%s' is not of the form NAME=VALUE", assignment);
    size_t name_length = (size_t)(equals - assignment);
    const struct option_row *option = find_option(assignment, name_length);
    if (option == NULL)
        return unknown_name_fault(assignment, name_length);
    uint64_t value;
    if (parse_value(option, equals + 1, &value) && value >= option->min && value <= option->max)
        return NULL;
    char *values = values_text(option);
    char *fault = format_text("'%s' is not a value of %s; it takes %s", equals + 1, option->name, values);
    free(values);
    return fault;
}

/* ---- Describing -------------------------------------------------------------------------------------------------- */

enum {
    LINE_WIDTH = 78, /* as argp fills: it would break a longer line again, and not indent the rest */
    INDENT_WIDTH = 6,
};

/* Prints the words of the text in indented lines. */
static void print_filled(FILE *stream, const char *text) {
    size_t column = 0;
    for (const char *word = text; *word != '\0';) {
        size_t length = strcspn(word, " ");
        if (column != 0 && column + 1 + length > LINE_WIDTH) {
            fputc('\n', stream);
            column = 0;
        }
        int gap = column == 0 ? INDENT_WIDTH : 1;
        fprintf(stream, "%*s%.*s", gap, "", (int)length, word);
        column += (size_t)gap + length;
        word += length;
        word += strspn(word, " ");
    }
    fputc('\n', stream);
}

static void describe(FILE *stream, const struct option_row *option) {
    char *values = values_text(option);
    char *initial = value_text(option, option->initial);
    fprintf(stream, "  %s=VALUE\n", option->name);
    print_filled(stream, option->help);
    fprintf(stream, "%*svalues: %s; default: %s%s\n", INDENT_WIDTH, "", values, initial,
            option->when == OPTION_AT_START ? "; only at start" : "");
    free(values);
    free(initial);
}

char *options_describe(void) {
    char *text;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (stream == NULL)
        report_failure(EXIT_COMMAND_FAILED, "out of memory");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        describe(stream, &options[i]);
    if (fclose(stream) != 0)
        report_failure(EXIT_COMMAND_FAILED, "out of memory");
    return text;
}

static const struct argp options_argp = {
    .doc = "List the options of the allocator, for 'dam run --option', for the environment variable DAM_OPTIONS "
           "(\"name=value,...\") and, where they may change while a program runs, for dam_option_set.",
};

int options_main(int argc, char **argv) {
    argp_parse(&options_argp, argc, argv, 0, NULL, NULL);
    char *text = options_describe();
    fputs(text, stdout);
    free(text);
    return EXIT_SUCCESS;
}
