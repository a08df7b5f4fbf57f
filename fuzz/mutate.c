// SPDX-License-Identifier: MIT
/* mutate.c: how libFuzzer makes new inputs of old ones: by whole records (input.h).
 *
 * A quarter of the mutations are libFuzzer's own, on one record or on all bytes; it knows what DAM compares with what.
 * The others do to sequences of steps what a tester does: leave some out, do some twice, do them elsewhere, the same
 * with another block, the same with the block of another step. */
#include "fuzz/input.h"

/* libFuzzer's; there is no header for them. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t bytes, size_t bytes_max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t bytes_max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes, uint8_t *out,
                                 size_t out_bytes_max, unsigned seed);

struct dice {
    uint64_t state;
};

static size_t below(struct dice *dice, size_t bound) {
    dice->state = dice->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)(dice->state >> 33) % bound;
}

static uint8_t *record_at(uint8_t *data, size_t index) {
    return data + index * RECORD_BYTES;
}

/* Runs are mostly short. */
static size_t choose_run(struct dice *dice, size_t records_max) {
    size_t run = 1 + below(dice, below(dice, 8) == 0 ? 32 : 4);
    return run < records_max ? run : records_max;
}

/* Makes room for `run` records at `at`. Returns how many there was room for. */
static size_t open_gap(uint8_t *data, size_t *records, size_t records_max, size_t at, size_t run) {
    if (run > records_max - *records)
        run = records_max - *records;
    memmove(record_at(data, at + run), record_at(data, at), (*records - at) * RECORD_BYTES);
    *records += run;
    return run;
}

static void make_random(uint8_t *record, struct dice *dice) {
    for (size_t i = 0; i < RECORD_BYTES; i++)
        record[i] = (uint8_t)below(dice, 256);
    if (below(dice, 4) != 0)
        record[offsetof(struct step, pause)] = 0;
}

/* An input that is empty becomes one that does something. */
static void insert_random(uint8_t *data, size_t *records, size_t records_max, struct dice *dice) {
    size_t at = below(dice, *records + 1);
    size_t run = open_gap(data, records, records_max, at, *records == 0 ? 40 : choose_run(dice, 32));
    for (size_t i = 0; i < run; i++)
        make_random(record_at(data, at + i), dice);
}

/* The same steps once more, right behind themselves or elsewhere. */
static void repeat(uint8_t *data, size_t *records, size_t records_max, struct dice *dice) {
    uint8_t copy[32 * RECORD_BYTES];
    size_t from = below(dice, *records);
    size_t run = choose_run(dice, *records - from);
    size_t at = below(dice, 2) == 0 ? from + run : below(dice, *records + 1);
    memcpy(copy, record_at(data, from), run * RECORD_BYTES);
    run = open_gap(data, records, records_max, at, run);
    memcpy(record_at(data, at), copy, run * RECORD_BYTES);
}

/* A step stands still half-way, and another actor does the same with the next block, or with the same one. */
static void interleave(uint8_t *data, size_t *records, size_t records_max, struct dice *dice) {
    size_t at = below(dice, *records);
    uint8_t copy[RECORD_BYTES];
    uint8_t *step = record_at(data, at);
    memcpy(copy, step, RECORD_BYTES);
    step[offsetof(struct step, pause)] = (uint8_t)(1 + below(dice, below(dice, 4) == 0 ? 255 : 60));
    copy[offsetof(struct step, actor)] = (uint8_t)(copy[offsetof(struct step, actor)] + 1 + below(dice, 3));
    copy[offsetof(struct step, slot)] = (uint8_t)(copy[offsetof(struct step, slot)] + below(dice, 3));
    if (open_gap(data, records, records_max, at + 1, 1) == 1)
        memcpy(record_at(data, at + 1), copy, RECORD_BYTES);
}

static void leave_out(uint8_t *data, size_t *records, struct dice *dice) {
    size_t from = below(dice, *records);
    size_t run = choose_run(dice, *records - from);
    memmove(record_at(data, from), record_at(data, from + run), (*records - from - run) * RECORD_BYTES);
    *records -= run;
}

static void exchange(uint8_t *data, size_t records, struct dice *dice) {
    uint8_t *one = record_at(data, below(dice, records));
    uint8_t *other = record_at(data, below(dice, records));
    for (size_t i = 0; i < RECORD_BYTES; i++) {
        uint8_t byte = one[i];
        one[i] = other[i];
        other[i] = byte;
    }
}

/* One field of one step becomes any other, its neighbour, or that of another step. */
static void change_field(uint8_t *data, size_t records, struct dice *dice) {
    size_t field = below(dice, RECORD_BYTES);
    uint8_t *byte = &record_at(data, below(dice, records))[field];
    switch (below(dice, 4)) {
    case 0:
        *byte = (uint8_t)below(dice, 256);
        break;
    case 1:
        *byte = (uint8_t)(*byte + 1);
        break;
    case 2:
        *byte = (uint8_t)(*byte - 1);
        break;
    default:
        *byte = record_at(data, below(dice, records))[field];
        break;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t bytes, size_t bytes_max, unsigned seed) {
    struct dice dice = {seed};
    size_t records = bytes / RECORD_BYTES;
    size_t records_max = bytes_max / RECORD_BYTES;
    if (records_max == 0)
        return 0;
    if (records == 0) {
        insert_random(data, &records, records_max, &dice);
        return records * RECORD_BYTES;
    }
    if (records > records_max) { /* a finding is being minimised */
        while (records > records_max)
            leave_out(data, &records, &dice);
        return records * RECORD_BYTES;
    }
    switch (below(&dice, 13)) {
    case 0:
        return LLVMFuzzerMutate(data, bytes, bytes_max);
    case 1:
    case 2:
        LLVMFuzzerMutate(record_at(data, below(&dice, records)), RECORD_BYTES, RECORD_BYTES);
        break;
    case 3:
    case 4:
        insert_random(data, &records, records_max, &dice);
        break;
    case 5:
    case 6:
        repeat(data, &records, records_max, &dice);
        break;
    case 9:
        interleave(data, &records, records_max, &dice);
        break;
    case 7:
        leave_out(data, &records, &dice);
        break;
    case 8:
        exchange(data, records, &dice);
        break;
    default:
        change_field(data, records, &dice);
        break;
    }
    return records * RECORD_BYTES;
}

/* The beginning of one input and the end of another; the scene is the first one's. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes, uint8_t *out,
                                 size_t out_bytes_max, unsigned seed) {
    struct dice dice = {seed};
    size_t records_max = out_bytes_max / RECORD_BYTES;
    size_t from_a = below(&dice, a_bytes / RECORD_BYTES + 1);
    size_t skipped_of_b = below(&dice, b_bytes / RECORD_BYTES + 1);
    size_t from_b = b_bytes / RECORD_BYTES - skipped_of_b;
    if (from_a > records_max)
        from_a = records_max;
    if (from_b > records_max - from_a)
        from_b = records_max - from_a;
    memcpy(out, a, from_a * RECORD_BYTES);
    memcpy(out + from_a * RECORD_BYTES, b + skipped_of_b * RECORD_BYTES, from_b * RECORD_BYTES);
    return (from_a + from_b) * RECORD_BYTES;
}
