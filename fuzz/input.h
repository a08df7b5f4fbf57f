// SPDX-License-Identifier: MIT
/* input.h: how a fuzzer's bytes are read: as records of eight bytes, of which the first sets the scene.
 *
 *     | setup | step | step | step | ...            a rest of fewer than eight bytes is ignored
 *
 * Every byte means something whatever its value, so no input is refused. Records of one length survive mutation: what
 * is changed, cut out or put in changes one step and leaves the others what they were (mutate.c). */
#ifndef DAM_FUZZ_INPUT_H
#define DAM_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct step {
    uint8_t code;   /* which operation, modulo their number */
    uint8_t actor;  /* who does it */
    uint8_t slot;   /* with which block */
    uint8_t choice; /* which way */
    uint16_t size;
    uint8_t extra; /* a second block, a count, a mask */
    uint8_t pause; /* how far into DAM's code the actor goes before others have their turn; 0: all the way */
};

#define RECORD_BYTES sizeof(struct step)

_Static_assert(RECORD_BYTES == 8, "a record is eight bytes, and a step all of them");

struct input {
    const uint8_t *data;
    size_t records;
    size_t next;
};

static inline struct input input_of(const uint8_t *data, size_t bytes) {
    return (struct input){.data = data, .records = bytes / RECORD_BYTES};
}

/* The next record; false when there is none. */
static inline bool input_next(struct input *input, struct step *step) {
    if (input->next == input->records)
        return false;
    memcpy(step, input->data + input->next++ * RECORD_BYTES, RECORD_BYTES);
    return true;
}

#endif
