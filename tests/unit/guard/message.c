// SPDX-License-Identifier: MIT
/* message.c: text put together without allocating: each kind of piece, and what happens at the end of the buffer. */
#include "guard/message.h"

#include "support/child.h"
#include "support/test.h"

/* A message with room for nothing around it to be written on unnoticed. */
static struct {
    char in_front[16];
    struct message message;
    char behind[16];
} held;

#define MESSAGE (&held.message)

static int start_empty(void **state) {
    (void)state;
    memset(&held, '#', sizeof held);
    held.message.length = 0;
    return 0;
}

static int end_with_nothing_beside_it_written(void **state) {
    (void)state;
    bool untouched =
        all_bytes_are(held.in_front, sizeof held.in_front, '#') && all_bytes_are(held.behind, sizeof held.behind, '#');
    return untouched ? 0 : -1;
}

/* The message so far; it starts anew. */
static void assert_says(const char *expected) {
    assert_int_equal(held.message.length, strlen(expected));
    assert_memory_equal(held.message.text, expected, strlen(expected));
    held.message.length = 0;
}

TEST(text_is_added_to_what_is_there_and_text_of_a_length_may_hold_anything) {
    dam_message_add(MESSAGE, "one, ");
    dam_message_add(MESSAGE, "");
    dam_message_add_text(MESSAGE, "two, three", 3);
    dam_message_add_text(MESSAGE, "never read", 0);
    assert_says("one, two");
    dam_message_add_text(MESSAGE, "a\0b", 3);
    assert_int_equal(held.message.length, 3);
    assert_memory_equal(held.message.text, "a\0b", 3);
}

TEST(decimal_numbers_are_written_without_leading_zeroes) {
    static const struct {
        uint64_t value;
        const char *text;
    } CASES[] = {{0, "0"},
                 {7, "7"},
                 {10, "10"},
                 {99, "99"},
                 {1000, "1000"},
                 {UINT64_MAX, "18446744073709551615"},
                 {(uint64_t)1 << 63, "9223372036854775808"}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        dam_message_add_decimal(MESSAGE, CASES[i].value);
        assert_says(CASES[i].text);
    }
}

TEST(numbers_to_base_sixteen_have_at_least_so_many_digits) {
    static const struct {
        uint64_t value;
        unsigned digits_min;
        const char *text;
    } CASES[] = {{0, 1, "0"},
                 {0, 2, "00"},
                 {0, 16, "0000000000000000"},
                 {0xabc, 1, "abc"},
                 {0xabc, 3, "abc"},
                 {0xabc, 5, "00abc"},
                 {0x0123456789abcdef, 2, "123456789abcdef"},
                 {UINT64_MAX, 16, "ffffffffffffffff"},
                 {UINT64_MAX, 1, "ffffffffffffffff"},
                 {9, 0, "9"}};
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        dam_message_add_hex(MESSAGE, CASES[i].value, CASES[i].digits_min);
        assert_says(CASES[i].text);
    }
}

TEST(addresses_begin_with_0x) {
    dam_message_add_address(MESSAGE, NULL);
    assert_says("0x0");
    dam_message_add_address(MESSAGE, (const void *)(uintptr_t)0x7f00deadbee0);
    assert_says("0x7f00deadbee0");
    dam_message_add_address(MESSAGE, (const void *)UINTPTR_MAX); // NOLINT(performance-no-int-to-ptr)
    assert_says("0xffffffffffffffff");
}

TEST(sizes_say_bytes_and_one_says_byte) {
    dam_message_add_size(MESSAGE, 0);
    assert_says("0 bytes");
    dam_message_add_size(MESSAGE, 1);
    assert_says("1 byte");
    dam_message_add_size(MESSAGE, 2);
    assert_says("2 bytes");
    dam_message_add_size(MESSAGE, SIZE_MAX);
    assert_says("18446744073709551615 bytes");
}

static void fill_to(size_t length) {
    memset(held.message.text, 'f', length);
    held.message.length = length;
}

TEST(what_does_not_fit_is_cut_off) {
    static char long_text[2 * MESSAGE_BYTES_MAX];
    memset(long_text, 'l', sizeof long_text - 1);
    dam_message_add(MESSAGE, long_text);
    assert_int_equal(held.message.length, MESSAGE_BYTES_MAX);
    assert_true(all_bytes_are(held.message.text, MESSAGE_BYTES_MAX, 'l'));

    fill_to(MESSAGE_BYTES_MAX - 3);
    dam_message_add_decimal(MESSAGE, 123456);
    assert_int_equal(held.message.length, MESSAGE_BYTES_MAX);
    assert_memory_equal(held.message.text + MESSAGE_BYTES_MAX - 4, "f123", 4);

    fill_to(MESSAGE_BYTES_MAX - 1);
    dam_message_add_address(MESSAGE, held.message.text);
    assert_int_equal(held.message.length, MESSAGE_BYTES_MAX);
    assert_int_equal(held.message.text[MESSAGE_BYTES_MAX - 1], '0');

    fill_to(MESSAGE_BYTES_MAX);
    dam_message_add_size(MESSAGE, 1);
    dam_message_add(MESSAGE, "more");
    assert_int_equal(held.message.length, MESSAGE_BYTES_MAX);
    assert_true(all_bytes_are(held.message.text, MESSAGE_BYTES_MAX, 'f'));
}

TEST(text_that_fits_to_the_last_byte_is_whole) {
    fill_to(MESSAGE_BYTES_MAX - 4);
    dam_message_add(MESSAGE, "last");
    assert_int_equal(held.message.length, MESSAGE_BYTES_MAX);
    assert_memory_equal(held.message.text + MESSAGE_BYTES_MAX - 5, "flast", 5);
}

static void write_message(void *unused) {
    (void)unused;
    printf("stdio still holds this\n");
    dam_message_write(MESSAGE);
}

TEST(the_message_goes_to_stderr_with_nothing_added) {
    dam_message_add(MESSAGE, "first line\nno end of line");
    struct child_result result = child_run(write_message, NULL, CHILD_STDERR, 60);
    assert_true(child_exited_with(&result, 0));
    assert_string_equal(result.output, "first line\nno end of line");
    assert_int_equal(result.output_bytes, held.message.length);
}

int main(void) {
#define FROM_EMPTY(test) cmocka_unit_test_setup_teardown(test, start_empty, end_with_nothing_beside_it_written)
    const struct CMUnitTest tests[] = {
        FROM_EMPTY(text_is_added_to_what_is_there_and_text_of_a_length_may_hold_anything),
        FROM_EMPTY(decimal_numbers_are_written_without_leading_zeroes),
        FROM_EMPTY(numbers_to_base_sixteen_have_at_least_so_many_digits),
        FROM_EMPTY(addresses_begin_with_0x),
        FROM_EMPTY(sizes_say_bytes_and_one_says_byte),
        FROM_EMPTY(what_does_not_fit_is_cut_off),
        FROM_EMPTY(text_that_fits_to_the_last_byte_is_whole),
        FROM_EMPTY(the_message_goes_to_stderr_with_nothing_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
