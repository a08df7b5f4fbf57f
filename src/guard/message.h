// SPDX-License-Identifier: MIT
/* message.h: text put together in a buffer of fixed size, without allocating, for what must be said when nothing else can be
 * relied on. What does not fit is cut off. */
#ifndef DAM_GUARD_MESSAGE_H
#define DAM_GUARD_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define MESSAGE_BYTES_MAX 4096

struct message {
    size_t length;
    char text[MESSAGE_BYTES_MAX];
};

void dam_message_add(struct message *message, const char *text);
void dam_message_add_text(struct message *message, const char *text, size_t length);
void dam_message_add_decimal(struct message *message, uint64_t value);

/* Digits to base 16, at least so many. */
void dam_message_add_hex(struct message *message, uint64_t value, unsigned digits_min);

/* 0x... */
void dam_message_add_address(struct message *message, const void *address);

/* "100 bytes" */
void dam_message_add_size(struct message *message, size_t bytes);

/* To stderr, past stdio. */
void dam_message_write(const struct message *message);

#endif
