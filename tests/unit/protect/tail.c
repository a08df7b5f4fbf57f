// SPDX-License-Identifier: MIT
/* tail.c: what stands behind the request. Every bit of it is flipped, at every slack, and must be missed. */
#include "protect/tail.h"

#include "guard/fault.h"
#include "heap/heap.h"
#include "support/random.h"
#include "support/test.h"

/* Largest slack that is tried bit by bit; the small classes leave 135 at most. */
#define SLACK_TRIED_MAX 160

/* The bytes in front of and behind the block, which no tail touches. */
#define MARGIN 64

static struct {
    unsigned char in_front[MARGIN];
    _Alignas(16) unsigned char block[256 + MARGIN];
} place;

#define BLOCK (place.block)

static int start(void **state) {
    (void)state;
    dam_start();
    dam_tail_init();
    return 0;
}

static bool is_live(const void *block, size_t room, size_t size) {
    size_t read;
    return dam_tail_read_size(block, room, TAIL_LIVE, &read) && read == size &&
           dam_tail_filling_is_intact(block, size, room, TAIL_LIVE);
}

/* As the release of a block looks: whether anything behind the request is wrong. */
static bool is_seen(const void *block, size_t room) {
    size_t read;
    return !dam_tail_read_size(block, room, TAIL_LIVE, &read) ||
           !dam_tail_filling_is_intact(block, read, room, TAIL_LIVE);
}

TEST(the_request_is_read_back_at_every_slack_and_room) {
    for (size_t room = TAIL_BYTES_MIN; room <= 256; room++) {
        for (size_t size = 0; size + TAIL_BYTES_MIN <= room; size++) {
            dam_tail_write(BLOCK, size, room, TAIL_LIVE);
            assert_true(is_live(BLOCK, room, size));
        }
    }
}

TEST(the_largest_slack_is_read_back_and_watched_to_its_last_byte) {
    static unsigned char wide[2 * TAIL_SLACK_MAX];
    size_t room = TAIL_SLACK_MAX + 1000;
    dam_tail_write(wide, 1000, room, TAIL_LIVE);
    assert_true(is_live(wide, room, 1000));
    for (size_t i = 1000; i < room; i++) {
        wide[i] ^= 0x10;
        assert_true(is_seen(wide, room));
        wide[i] ^= 0x10;
    }
    assert_true(is_live(wide, room, 1000));
}

TEST(a_tail_is_written_behind_the_request_and_within_the_room_only) {
    for (size_t size = 0; size <= 248; size += 31) {
        for (size_t room = size + TAIL_BYTES_MIN; room <= 256; room += 5) {
            memset(&place, 0x77, sizeof place);
            dam_tail_write(BLOCK, size, room, TAIL_LIVE);
            assert_true(all_bytes_are(place.in_front, MARGIN, 0x77));
            assert_true(all_bytes_are(BLOCK, size, 0x77));
            assert_true(all_bytes_are(BLOCK + room, sizeof place.block - room, 0x77));
        }
    }
}

/* At every slack, each bit behind the request. In all places and states at once, there is no luck in it: no flip is missed. */
TEST(every_flipped_bit_behind_the_request_is_seen) {
    for (size_t slack = TAIL_BYTES_MIN; slack <= SLACK_TRIED_MAX; slack++) {
        size_t room = 192;
        size_t size = room - slack;
        dam_tail_write(BLOCK, size, room, TAIL_LIVE);
        for (size_t bit = 8 * size; bit < 8 * room; bit++) {
            BLOCK[bit / 8] ^= (unsigned char)(1u << bit % 8);
            assert_true(is_seen(BLOCK, room));
            BLOCK[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        assert_true(is_live(BLOCK, room, size));
    }
}

/* As programs do it: strcpy of a string that just fits, but for its end. */
TEST(a_zero_byte_right_behind_the_request_is_seen) {
    for (size_t slack = TAIL_BYTES_MIN + 1; slack <= SLACK_TRIED_MAX; slack++) {
        dam_tail_write(BLOCK, 192 - slack, 192, TAIL_LIVE);
        BLOCK[192 - slack] = 0;
        assert_true(is_seen(BLOCK, 192));
    }
}

TEST(a_run_of_one_value_over_the_whole_tail_is_seen) {
    for (size_t slack = TAIL_BYTES_MIN; slack <= SLACK_TRIED_MAX; slack++) {
        for (int value = 0; value <= 0xff; value++) {
            dam_tail_write(BLOCK, 192 - slack, 192, TAIL_LIVE);
            memset(BLOCK + 192 - slack, value, slack);
            assert_true(is_seen(BLOCK, 192));
        }
    }
}

/* L1: which of the two a tail is can be told, and neither passes for the other. */
TEST(a_live_tail_is_no_quarantined_one_and_the_other_way_round) {
    for (size_t room = TAIL_BYTES_MIN; room <= 256; room += 3) {
        for (size_t size = 0; size + TAIL_BYTES_MIN <= room; size += 7) {
            size_t read;
            dam_tail_write(BLOCK, size, room, TAIL_LIVE);
            assert_false(dam_tail_read_size(BLOCK, room, TAIL_QUARANTINED, &read));
            dam_tail_write(BLOCK, size, room, TAIL_QUARANTINED);
            assert_false(dam_tail_read_size(BLOCK, room, TAIL_LIVE, &read));
            assert_true(dam_tail_read_size(BLOCK, room, TAIL_QUARANTINED, &read));
            assert_int_equal(read, size);
            assert_true(dam_tail_filling_is_intact(BLOCK, size, room, TAIL_QUARANTINED));
        }
    }
}

/* Chance of a wrong alarm: 2^-48 for each copy. */
TEST(a_tail_that_was_copied_to_another_place_is_no_tail_there) {
    unsigned char copy[256];
    dam_tail_write(BLOCK, 100, 128, TAIL_LIVE);
    memcpy(copy, BLOCK, 128);
    assert_true(is_seen(copy, 128));
    for (size_t room = TAIL_BYTES_MIN; room <= 240; room++) {
        memset(BLOCK, 0, sizeof place.block);
        dam_tail_write(BLOCK, 0, room, TAIL_LIVE);
        memcpy(BLOCK + 256 - TAIL_BYTES_MIN, BLOCK + room - TAIL_BYTES_MIN, TAIL_BYTES_MIN);
        assert_true(is_seen(BLOCK, 256));
    }
}

TEST(random_bytes_are_no_tail) {
    struct random random = random_start(test_seed("unit.protect.tail"), 0);
    for (int i = 0; i < 200000; i++) {
        uint64_t word = random_next(&random);
        memcpy(BLOCK + 24, &word, sizeof word);
        assert_true(is_seen(BLOCK, 32));
    }
}

/* The length that a tail tells is never one that leads out of the block. */
TEST(a_slack_that_would_not_fit_the_room_is_no_tail) {
    size_t read;
    for (size_t slack = 0; slack <= TAIL_SLACK_MAX; slack++) {
        uint64_t trailer;
        dam_tail_write(BLOCK, 24 - TAIL_BYTES_MIN, 24, TAIL_LIVE);
        memcpy(&trailer, BLOCK + 24 - sizeof trailer, sizeof trailer);
        trailer = trailer >> 16 << 16 | slack;
        memcpy(BLOCK + 24 - sizeof trailer, &trailer, sizeof trailer);
        assert_int_equal(dam_tail_read_size(BLOCK, 24, TAIL_LIVE, &read), slack == TAIL_BYTES_MIN);
    }
}

/* ---- What a report shows ----------------------------------------------------------------------------------------- */

TEST(a_report_shows_what_should_stand_behind_the_request) {
    for (size_t slack = TAIL_BYTES_MIN; slack <= FAULT_SHOWN_BYTES_MAX; slack++) {
        size_t size = 192 - slack;
        unsigned char written[FAULT_SHOWN_BYTES_MAX];
        struct dam_fault fault = {0};
        dam_tail_write(BLOCK, size, 192, TAIL_LIVE);
        memcpy(written, BLOCK + size, slack);
        memset(BLOCK + size, 0, slack);
        dam_tail_show(&fault, BLOCK, size, 192, TAIL_LIVE);
        assert_ptr_equal(fault.damaged, BLOCK + size);
        assert_int_equal(fault.damaged_bytes, slack);
        assert_memory_equal(fault.should_be, written, slack);
    }
}

TEST(a_report_shows_as_much_of_a_long_tail_as_it_has_room_for) {
    unsigned char written[FAULT_SHOWN_BYTES_MAX];
    struct dam_fault fault = {0};
    dam_tail_write(BLOCK, 30, 192, TAIL_QUARANTINED);
    memcpy(written, BLOCK + 30, sizeof written);
    dam_tail_show(&fault, BLOCK, 30, 192, TAIL_QUARANTINED);
    assert_ptr_equal(fault.damaged, BLOCK + 30);
    assert_int_equal(fault.damaged_bytes, FAULT_SHOWN_BYTES_MAX);
    assert_memory_equal(fault.should_be, written, sizeof written);
}

/* The trailer is damaged, and with it the knowledge of the request: it is shown alone. */
TEST(where_the_request_is_lost_a_report_shows_the_trailers_place) {
    unsigned char written[TAIL_BYTES_MIN];
    struct dam_fault fault = {0};
    dam_tail_write(BLOCK, 192 - TAIL_BYTES_MIN, 192, TAIL_LIVE);
    memcpy(written, BLOCK + 192 - sizeof written, sizeof written);
    BLOCK[190] ^= 1;
    dam_tail_show(&fault, BLOCK, SIZE_MAX, 192, TAIL_LIVE);
    assert_ptr_equal(fault.damaged, BLOCK + 192 - TAIL_BYTES_MIN);
    assert_int_equal(fault.damaged_bytes, TAIL_BYTES_MIN);
    assert_memory_equal(fault.should_be, written, sizeof written);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_is_read_back_at_every_slack_and_room),
        cmocka_unit_test(the_largest_slack_is_read_back_and_watched_to_its_last_byte),
        cmocka_unit_test(a_tail_is_written_behind_the_request_and_within_the_room_only),
        cmocka_unit_test(every_flipped_bit_behind_the_request_is_seen),
        cmocka_unit_test(a_zero_byte_right_behind_the_request_is_seen),
        cmocka_unit_test(a_run_of_one_value_over_the_whole_tail_is_seen),
        cmocka_unit_test(a_live_tail_is_no_quarantined_one_and_the_other_way_round),
        cmocka_unit_test(a_tail_that_was_copied_to_another_place_is_no_tail_there),
        cmocka_unit_test(random_bytes_are_no_tail),
        cmocka_unit_test(a_slack_that_would_not_fit_the_room_is_no_tail),
        cmocka_unit_test(a_report_shows_what_should_stand_behind_the_request),
        cmocka_unit_test(a_report_shows_as_much_of_a_long_tail_as_it_has_room_for),
        cmocka_unit_test(where_the_request_is_lost_a_report_shows_the_trailers_place),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
