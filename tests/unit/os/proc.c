// SPDX-License-Identifier: MIT
/* proc.c: what a process learns of itself: its numbers, its command line, which file lies where.
 *
 * What a command line quoted for a shell is worth, a shell decides: this program runs itself again with odd arguments;
 * the child prints its command line, and a shell is given that to read. */
#include "os/os.h"

#include "support/child.h"
#include "support/test.h"
#include "unit/support/threads.h"

#include <signal.h>
#include <sys/syscall.h>

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static void *ask_for_numbers(void *thread) {
    CHECK(dam_os_process_id() == (uint32_t)getpid());
    CHECK(dam_os_thread_id() == (uint32_t)syscall(SYS_gettid));
    *(uint32_t *)thread = dam_os_thread_id();
    return NULL;
}

static void ask_for_numbers_in_child(void *parent) {
    CHECK(dam_os_process_id() != *(uint32_t *)parent);
    uint32_t thread;
    ask_for_numbers(&thread);
    CHECK(thread == dam_os_process_id());
}

TEST(the_process_and_each_thread_have_the_numbers_that_the_kernel_gives_them) {
    uint32_t main_thread, other_thread;
    ask_for_numbers(&main_thread);
    thread_join(thread_start(ask_for_numbers, &other_thread));
    assert_int_equal(main_thread, dam_os_process_id());
    assert_int_not_equal(other_thread, main_thread);
    uint32_t parent = dam_os_process_id();
    struct child_result result = child_run(ask_for_numbers_in_child, &parent, CHILD_STDERR, 60);
    assert_true(child_exited_with(&result, 0));
}

/* ---- The command line -------------------------------------------------------------------------------------------- */

/* As the first argument: print the command line and end. */
#define SAY "say-command-line"

static int say_command_line(void) {
    char line[4096];
    errno = ERRNO_MARK;
    size_t length = dam_os_command_line(line, sizeof line);
    CHECK(errno == ERRNO_MARK);
    CHECK(fwrite(line, 1, length, stdout) == length);
    return 0;
}

static struct child_result say_with(const char *const *arguments) {
    struct child_result result = child_run_self(arguments, NULL, CHILD_STDOUT, 60);
    assert_true(child_exited_with(&result, 0));
    assert_int_equal(result.output_bytes, strlen(result.output));
    return result;
}

TEST(plain_words_are_given_as_they_are) {
    static const char *const ARGUMENTS[] = {SAY, "--name=value", "/a/path_to-some.file", "a:b,c@d%e+f", "0", NULL};
    struct child_result result = say_with(ARGUMENTS);
    assert_string_equal(result.output, "/proc/self/exe " SAY " --name=value /a/path_to-some.file a:b,c@d%e+f 0");
}

TEST(other_characters_are_quoted_and_the_line_stays_one) {
    static const char *const ARGUMENTS[] = {SAY,        "two words",          "it's", "", "line\nbreak",
                                            "\x1b\x7f", "gr\xc3\xbc\xc3\x9f", NULL};
    struct child_result result = say_with(ARGUMENTS);
    assert_string_equal(result.output,
                        "/proc/self/exe " SAY " two\\ words it\\'s '' line$'\\012'break $'\\033'$'\\177' "
                        "gr\xc3\xbc\xc3\x9f");
}

/* What bash makes of the line: the words, each ended by a zero. */
static void read_by_bash(void *line) {
    char *const arguments[] = {(char[]){"bash"}, (char[]){"-c"}, line, NULL};
    CHECK(setenv("LC_ALL", "C", 1) == 0);
    execvp("bash", arguments);
    _exit(127);
}

static void assert_reads_back(const char *const *arguments) {
    struct child_result said = say_with(arguments);
    char command[sizeof said.output + 40];
    assert_true(snprintf(command, sizeof command, "printf '%%s\\0' %s", said.output) < (int)sizeof command);
    struct child_result read = child_run(read_by_bash, command, CHILD_STDOUT, 60);
    assert_true(child_exited_with(&read, 0));
    const char *word = read.output;
    assert_string_equal(word, "/proc/self/exe");
    for (size_t i = 0; arguments[i] != NULL; i++) {
        word += strlen(word) + 1;
        assert_true((size_t)(word - read.output) < read.output_bytes);
        assert_string_equal(word, arguments[i]);
    }
    assert_ptr_equal(word + strlen(word) + 1, read.output + read.output_bytes);
}

TEST(a_shell_reads_the_same_words_whatever_characters_are_in_them) {
    char every_character[256];
    for (int i = 1; i < 256; i++)
        every_character[i - 1] = (char)i;
    every_character[255] = '\0';
    const char *const lists[][8] = {
        {SAY, NULL},
        {SAY, "", NULL},
        {SAY, "", "", "x", "", NULL},
        {SAY, " ", "  ", "ends in a space ", NULL},
        {SAY, "\n", "a\nb\n", "\t", "\r\n", NULL},
        {SAY, "*", "?", "[a]", "~", "$HOME", "`id`", NULL},
        {SAY, "\\", "\\\\", "'", "\"", "a\\ b", "'a b'", NULL},
        {SAY, "#", "!", "{a,b}", "(a)", "<a>", ";&|", NULL},
        {SAY, every_character, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        assert_reads_back(lists[i]);
}

TEST(a_command_line_that_does_not_fit_is_cut_off_between_two_characters) {
    char whole[4096];
    size_t whole_length = dam_os_command_line(whole, sizeof whole);
    assert_true(whole_length > 10 && whole_length < 4000);
    for (size_t bytes = 0; bytes <= whole_length + 10; bytes++) {
        char line[4096];
        memset(line, '#', sizeof line);
        size_t length = dam_os_command_line(line, bytes);
        assert_true(length <= bytes);
        assert_true(length == whole_length || length + 7 > bytes); /* no character needs more */
        assert_memory_equal(line, whole, length);
        assert_true(all_bytes_are(line + bytes, sizeof line - bytes, '#'));
    }
}

/* ---- Mapped files ------------------------------------------------------------------------------------------------ */

static const char CONSTANT[] = "a constant of this test";

/* The bytes at the place in the file are those at the address. */
static void assert_found_in_own_file(const void *address, size_t bytes) {
    char path[4096], own_path[4096];
    uint64_t offset = 0;
    errno = ERRNO_MARK;
    assert_true(dam_os_find_mapped_file(address, path, sizeof path, &offset));
    assert_int_equal(errno, ERRNO_MARK);
    ssize_t length = readlink("/proc/self/exe", own_path, sizeof own_path - 1);
    assert_true(length > 0);
    own_path[length] = '\0';
    assert_string_equal(path, own_path);
    unsigned char found[64];
    assert_true(bytes <= sizeof found);
    FILE *file = fopen("/proc/self/exe", "r");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    assert_int_equal(fread(found, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(found, address, bytes);
}

TEST(a_function_of_this_test_is_found_in_its_file_at_its_place) {
    const unsigned char *function =
        (const unsigned char *)(uintptr_t)say_command_line; // NOLINT(performance-no-int-to-ptr)
    assert_found_in_own_file(function, 32);
    assert_found_in_own_file(function + 5, 32);
    assert_found_in_own_file(CONSTANT, sizeof CONSTANT);
}

TEST(a_function_of_another_library_is_found_in_that) {
    char path[4096];
    uint64_t offset;
    assert_true(dam_os_find_mapped_file((const void *)(uintptr_t)puts, path, sizeof path,
                                        &offset)); // NOLINT(performance-no-int-to-ptr)
    assert_int_equal(path[0], '/');
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    unsigned char found[16];
    assert_int_equal(fseek(file, (long)offset, SEEK_SET), 0);
    assert_int_equal(fread(found, 1, sizeof found, file), sizeof found);
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(found, (const void *)(uintptr_t)puts, sizeof found); // NOLINT(performance-no-int-to-ptr)
}

TEST(where_no_file_is_mapped_none_is_found) {
    static const uintptr_t NOWHERE[] = {0, 8, UINTPTR_MAX, (uintptr_t)1 << 63};
    int on_the_stack = 0;
    char path[64];
    uint64_t offset;
    assert_false(dam_os_find_mapped_file(&on_the_stack, path, sizeof path, &offset));
    void *anonymous = dam_os_map(dam_os_page_bytes(), dam_os_page_bytes());
    assert_non_null(anonymous);
    assert_false(dam_os_find_mapped_file(anonymous, path, sizeof path, &offset));
    assert_true(dam_os_unmap(anonymous, dam_os_page_bytes()));
    for (size_t i = 0; i < COUNT_OF(NOWHERE); i++)
        assert_false(dam_os_find_mapped_file((const void *)NOWHERE[i], path, sizeof path,
                                             &offset)); // NOLINT(performance-no-int-to-ptr)
}

TEST(a_path_that_does_not_fit_is_cut_off_and_terminated) {
    char whole[4096];
    uint64_t whole_offset;
    assert_true(dam_os_find_mapped_file(CONSTANT, whole, sizeof whole, &whole_offset));
    for (size_t bytes = 1; bytes <= strlen(whole) + 1; bytes++) {
        char path[4096];
        uint64_t offset;
        memset(path, '#', sizeof path);
        assert_true(dam_os_find_mapped_file(CONSTANT, path, bytes, &offset));
        assert_int_equal(strlen(path), bytes - 1);
        assert_memory_equal(path, whole, bytes - 1);
        assert_true(all_bytes_are(path + bytes, sizeof path - bytes, '#'));
        assert_int_equal(offset, whole_offset);
    }
}

/* ---- Protection -------------------------------------------------------------------------------------------------- */

static void touch(void *place) {
    *(volatile char *)place = 1;
}

TEST(what_is_made_inaccessible_cannot_be_touched_until_it_is_accessible_again) {
    size_t page = dam_os_page_bytes();
    char *place = dam_os_map(3 * page, page);
    assert_non_null(place);
    memset(place, 0x5D, 3 * page);
    errno = ERRNO_MARK;
    assert_true(dam_os_protect(place + page, page, false));
    assert_int_equal(errno, ERRNO_MARK);
    struct child_result inside = child_run(touch, place + page, CHILD_STDERR, 60);
    assert_true(child_was_killed_by(&inside, SIGSEGV));
    struct child_result in_front = child_run(touch, place + page - 1, CHILD_STDERR, 60);
    assert_true(child_exited_with(&in_front, 0));
    struct child_result behind = child_run(touch, place + 2 * page, CHILD_STDERR, 60);
    assert_true(child_exited_with(&behind, 0));
    assert_true(dam_os_protect(place + page, page, true));
    assert_true(all_bytes_are(place, 3 * page, 0x5D));
    assert_true(dam_os_unmap(place, 3 * page));
    errno = ERRNO_MARK;
    assert_false(dam_os_protect(place, page, false)); /* nothing is there */
    assert_int_equal(errno, ERRNO_MARK);
}

int main(int argument_count, char **arguments) {
    if (argument_count > 1 && strcmp(arguments[1], SAY) == 0)
        return say_command_line();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_process_and_each_thread_have_the_numbers_that_the_kernel_gives_them),
        cmocka_unit_test(plain_words_are_given_as_they_are),
        cmocka_unit_test(other_characters_are_quoted_and_the_line_stays_one),
        cmocka_unit_test(a_shell_reads_the_same_words_whatever_characters_are_in_them),
        cmocka_unit_test(a_command_line_that_does_not_fit_is_cut_off_between_two_characters),
        cmocka_unit_test(a_function_of_this_test_is_found_in_its_file_at_its_place),
        cmocka_unit_test(a_function_of_another_library_is_found_in_that),
        cmocka_unit_test(where_no_file_is_mapped_none_is_found),
        cmocka_unit_test(a_path_that_does_not_fit_is_cut_off_and_terminated),
        cmocka_unit_test(what_is_made_inaccessible_cannot_be_touched_until_it_is_accessible_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
