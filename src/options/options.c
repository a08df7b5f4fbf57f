// SPDX-License-Identifier: MIT
/* options.c: the table of base/options_table.h as data, and text to value and back. */
#define _GNU_SOURCE
#include "options/options.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/options_table.h"
#include "os/os.h"

struct dam_settings dam_settings = {
#define OPTION_INITIAL(name, kind, initial, min, max, when, help) .name = (initial),
    DAM_OPTION_TABLE(OPTION_INITIAL)
#undef OPTION_INITIAL
};

struct option {
    const char *name;
    enum option_kind kind;
    enum option_when when;
    uint64_t min;
    uint64_t max;
    _Atomic(uint64_t) *value;
};

static const struct option options[] = {
#define OPTION_ROW(name, kind, initial, min, max, when, help) {#name, kind, when, min, max, &dam_settings.name},
    DAM_OPTION_TABLE(OPTION_ROW)
#undef OPTION_ROW
};

#define OPTION_COUNT (sizeof options / sizeof options[0])
#define DIGITS_MAX 20

/* Text that is part of a longer one, as in DAM_OPTIONS. */
struct span {
    const char *text;
    size_t length;
};

static struct span span_of(const char *text) {
    return (struct span){text, strlen(text)};
}

static bool span_is(struct span span, const char *word) {
    return strlen(word) == span.length && memcmp(span.text, word, span.length) == 0;
}

static const struct option *find_option(struct span name) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (span_is(name, options[i].name))
            return &options[i];
    }
    return NULL;
}

/* ---- Text to value ----------------------------------------------------------------------------------------------- */

static uint32_t unit_shift(char letter) {
    switch (letter) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    default:
        return 0;
    }
}

/* Digits, and for OPTION_BYTES perhaps one letter. Returns 0, EINVAL or ERANGE. */
static int parse_number(struct span text, bool allow_unit, uint64_t *value) {
    uint32_t shift = allow_unit && text.length > 1 ? unit_shift(text.text[text.length - 1]) : 0;
    size_t digits = text.length - (shift != 0);
    if (digits == 0)
        return EINVAL;
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return EINVAL;
        if (*value > (UINT64_MAX - 9) / 10)
            return ERANGE;
        *value = *value * 10 + (uint64_t)(text.text[i] - '0');
    }
    if (*value > UINT64_MAX >> shift)
        return ERANGE;
    *value <<= shift;
    return 0;
}

static int parse_word(const char *const *words, struct span text, uint64_t *value) {
    for (*value = 0; words[*value] != NULL; (*value)++) {
        if (span_is(text, words[*value]))
            return 0;
    }
    return EINVAL;
}

static int parse_value(const struct option *option, struct span text, uint64_t *value) {
    const char *const *words = dam_option_words(option->kind);
    int error = words != NULL ? parse_word(words, text, value)
                              : parse_number(text, option->kind == OPTION_BYTES, value);
    if (error == 0 && (*value < option->min || *value > option->max))
        error = ERANGE;
    return error;
}

static int set_option(struct span name, struct span text, bool at_start) {
    const struct option *option = find_option(name);
    uint64_t value;
    if (option == NULL)
        return EINVAL;
    int error = parse_value(option, text, &value);
    if (error != 0)
        return error;
    if (option->when == OPTION_AT_START && !at_start)
        return EPERM;
    atomic_store_explicit(option->value, value, memory_order_relaxed);
    return 0;
}

/* ---- Value to text ----------------------------------------------------------------------------------------------- */

static const char *format_number(uint64_t value, char digits[DIGITS_MAX + 1]) {
    char *place = digits + DIGITS_MAX;
    *place = '\0';
    do {
        *--place = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    return place;
}

/* The value's text, written into digits if it is a number. */
static const char *format_value(const struct option *option, char digits[DIGITS_MAX + 1]) {
    uint64_t value = atomic_load_explicit(option->value, memory_order_relaxed);
    const char *const *words = dam_option_words(option->kind);
    return words != NULL ? words[value] : format_number(value, digits);
}

int dam_options_get(const char *name, char *buffer, size_t buffer_bytes) {
    const struct option *option = find_option(span_of(name));
    if (option == NULL)
        return EINVAL;
    char digits[DIGITS_MAX + 1];
    const char *text = format_value(option, digits);
    size_t length = strlen(text);
    if (buffer_bytes == 0)
        return ERANGE;
    size_t copied = length < buffer_bytes ? length : buffer_bytes - 1;
    memcpy(buffer, text, copied);
    buffer[copied] = '\0';
    return copied == length ? 0 : ERANGE;
}

int dam_options_set(const char *name, const char *value) {
    return set_option(span_of(name), span_of(value), false);
}

/* ---- The environment --------------------------------------------------------------------------------------------- */

static void write_text(const char *text) {
    dam_os_write_stderr(text, strlen(text));
}

/* What comes from the environment may hold anything; a terminal gets to see printable characters only. */
static void write_printable(struct span span) {
    for (size_t i = 0; i < span.length; i++)
        dam_os_write_stderr(span.text[i] >= ' ' && span.text[i] <= '~' ? &span.text[i] : "?", 1);
}

static void write_number(uint64_t value) {
    char digits[DIGITS_MAX + 1];
    write_text(format_number(value, digits));
}

static void write_values(const struct option *option) {
    const char *const *words = dam_option_words(option->kind);
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        write_text(i == 0 ? "" : ", ");
        write_text(words[i]);
    }
    if (words != NULL)
        return;
    write_number(option->min);
    write_text(" to ");
    write_number(option->max);
    if (option->kind == OPTION_BYTES)
        write_text(" (bytes; K, M or G may follow)");
}

static void write_names(void) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        write_text(i == 0 ? "" : ", ");
        write_text(options[i].name);
    }
}

static void warn(struct span item, const struct option *option) {
    write_text("dam: DAM_OPTIONS: ignored \"");
    write_printable(item);
    if (option != NULL) {
        write_text("\": ");
        write_text(option->name);
        write_text(" takes ");
        write_values(option);
    } else {
        write_text("\": no such option; the options are ");
        write_names();
    }
    write_text("\n");
}

static void set_from_item(struct span item) {
    const char *equals = memchr(item.text, '=', item.length);
    struct span name = {item.text, equals != NULL ? (size_t)(equals - item.text) : item.length};
    struct span value = {equals != NULL ? equals + 1 : "", equals != NULL ? item.length - name.length - 1 : 0};
    if (set_option(name, value, true) != 0)
        warn(item, find_option(name));
}

void dam_options_init(void) {
    const char *text = secure_getenv("DAM_OPTIONS");
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, ",");
        if (length > 0)
            set_from_item((struct span){text, length});
        text += length;
        if (*text == ',')
            text++;
    }
}
