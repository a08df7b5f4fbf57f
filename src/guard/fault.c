// SPDX-License-Identifier: MIT
/* fault.c: writes a fault's report into a buffer on the stack, then to stderr in one piece, and aborts.
 *
 * Nothing here allocates, locks, or trusts what the fault may have damaged: it prints what it is handed. */
#include "guard/fault.h"

#include <stdlib.h>
#include <string.h>

#include "os/os.h"

struct message {
    size_t length;
    char text[1024];
};

static void add_text(struct message *message, const char *text) {
    size_t room = sizeof message->text - message->length;
    size_t length = strlen(text);
    if (length > room)
        length = room;
    memcpy(message->text + message->length, text, length);
    message->length += length;
}

static void add_number(struct message *message, uint64_t value, unsigned base, unsigned digits_min) {
    char digits[24];
    size_t place = sizeof digits - 1;
    digits[place] = '\0';
    unsigned written = 0;
    do {
        digits[--place] = "0123456789abcdef"[value % base];
        value /= base;
        written++;
    } while (value != 0 || written < digits_min);
    add_text(message, digits + place);
}

static void add_address(struct message *message, const void *address) {
    add_text(message, "0x");
    add_number(message, (uintptr_t)address, 16, 1);
}

static void add_size(struct message *message, size_t bytes) {
    add_number(message, bytes, 10, 1);
    add_text(message, " bytes");
}

static void add_word(struct message *message, const char *title, uint64_t word) {
    add_text(message, title);
    add_number(message, word, 16, 16);
}

static const char *fault_words(enum fault_kind kind) {
    switch (kind) {
#define FAULT_WORDS(name, words, hint)                                                                                \
    case name:                                                                                                        \
        return words;
        DAM_FAULT_TABLE(FAULT_WORDS)
#undef FAULT_WORDS
    }
    return "unknown fault";
}

static const char *fault_hint(enum fault_kind kind) {
    switch (kind) {
#define FAULT_HINT(name, words, hint)                                                                                 \
    case name:                                                                                                        \
        return hint;
        DAM_FAULT_TABLE(FAULT_HINT)
#undef FAULT_HINT
    }
    return "";
}

static void describe_pool(struct message *message, const struct dam_fault *fault) {
    add_text(message, "dam:   pool of ");
    add_size(message, fault->pool_bytes);
    add_text(message, " at ");
    add_address(message, fault->pool_start);
    add_text(message, " (");
    add_text(message, fault->layer);
    add_text(message, " layer)\n");
}

static void describe_block(struct message *message, const struct dam_fault *fault) {
    add_text(message, "dam:   block at ");
    add_address(message, fault->block);
    add_text(message, " of ");
    add_size(message, fault->block_bytes);
    if (fault->requested_bytes != 0) {
        add_text(message, ", requested ");
        add_size(message, fault->requested_bytes);
    }
    if (fault->state != NULL) {
        add_text(message, ", ");
        add_text(message, fault->state);
    }
    add_text(message, "\n");
}

void dam_fault_report(const struct dam_fault *fault) {
    struct message message = {0};
    add_text(&message, "dam: fault: ");
    add_text(&message, fault_words(fault->kind));
    add_text(&message, ": ");
    if (fault->operation != NULL) {
        add_text(&message, fault->operation);
        add_text(&message, " of ");
    }
    add_address(&message, fault->address);
    add_text(&message, "\n");
    if (fault->pool_start != NULL)
        describe_pool(&message, fault);
    if (fault->block != NULL)
        describe_block(&message, fault);
    if (fault->has_words) {
        add_word(&message, "dam:   expected ", fault->expected);
        add_word(&message, ", found ", fault->found);
        add_text(&message, "\n");
    }
    add_text(&message, "dam:   ");
    add_text(&message, fault_hint(fault->kind));
    add_text(&message, "\n");
    dam_os_write_stderr(message.text, message.length);
    abort();
}

void dam_assertion_failed(const char *condition, const char *file, int line) {
    struct message message = {0};
    add_text(&message, "dam: assertion failed (a bug in DAM itself): ");
    add_text(&message, condition);
    add_text(&message, " at ");
    add_text(&message, file);
    add_text(&message, ":");
    add_number(&message, (uint64_t)line, 10, 1);
    add_text(&message, "\n");
    dam_os_write_stderr(message.text, message.length);
    abort();
}
