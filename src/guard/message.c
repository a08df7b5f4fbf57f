// SPDX-License-Identifier: MIT
/* message.c: see message.h. */
#include "guard/message.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "os/os.h"

void dam_message_add_text(struct message *message, const char *text, size_t length) {
    size_t room = sizeof message->text - message->length;
    if (length > room)
        length = room;
    memcpy(message->text + message->length, text, length);
    message->length += length;
}

void dam_message_add(struct message *message, const char *text) {
    dam_message_add_text(message, text, strlen(text));
}

static void add_number(struct message *message, uint64_t value, unsigned base, unsigned digits_min) {
    char digits[24];
    size_t place = sizeof digits;
    unsigned written = 0;
    do {
        digits[--place] = "0123456789abcdef"[value % base];
        value /= base;
        written++;
    } while (value != 0 || written < digits_min);
    dam_message_add_text(message, digits + place, sizeof digits - place);
}

void dam_message_add_decimal(struct message *message, uint64_t value) {
    add_number(message, value, 10, 1);
}

void dam_message_add_hex(struct message *message, uint64_t value, unsigned digits_min) {
    add_number(message, value, 16, digits_min);
}

void dam_message_add_address(struct message *message, const void *address) {
    dam_message_add(message, "0x");
    add_number(message, (uintptr_t)address, 16, 1);
}

void dam_message_add_size(struct message *message, size_t bytes) {
    add_number(message, bytes, 10, 1);
    dam_message_add(message, bytes == 1 ? " byte" : " bytes");
}

void dam_message_write(const struct message *message) {
    dam_os_write_stderr(message->text, message->length);
}

void dam_assertion_failed(const char *condition, const char *file, int line) {
    struct message message = {.length = 0};
    dam_message_add(&message, "dam: assertion failed (a bug in DAM itself): ");
    dam_message_add(&message, condition);
    dam_message_add(&message, " at ");
    dam_message_add(&message, file);
    dam_message_add(&message, ":");
    dam_message_add_decimal(&message, (uint64_t)line);
    dam_message_add(&message, "\n");
    dam_message_write(&message);
    abort();
}
