// SPDX-License-Identifier: MIT
/* libc_blocks.c: blocks that libc allocates and the program releases: they are DAM's, whole, and free takes them. */
#include "support/on_dam.h"
#include "support/test.h"

#include <dirent.h>
#include <limits.h>
#include <wchar.h>

static void expect_dam_block_and_free(void *block, size_t size) {
    assert_non_null(block);
    assert_true(usable_size_by_dam(block) >= size);
    free(block);
}

TEST(strdup_and_its_kin_copy_whole_strings) {
    for (size_t length = 0; length < 300000; length = length * 3 + 1) {
        char *text = malloc(length + 1);
        assert_non_null(text);
        memset(text, 's', length);
        text[length] = '\0';
        char *copy = strdup(text);
        assert_non_null(copy);
        assert_string_equal(copy, text);
        expect_dam_block_and_free(copy, length + 1);
        copy = strndup(text, length / 2);
        assert_non_null(copy);
        assert_int_equal(strlen(copy), length / 2);
        expect_dam_block_and_free(copy, length / 2 + 1);
        free(text);
    }
    wchar_t *wide = wcsdup(L"wide");
    assert_non_null(wide);
    assert_true(wcscmp(wide, L"wide") == 0);
    expect_dam_block_and_free(wide, 5 * sizeof(wchar_t));
}

TEST(asprintf_in_all_lengths) {
    for (int width = 1; width < 1000000; width = width * 3 + 1) {
        char *text = NULL;
        assert_int_equal(asprintf(&text, "%0*d", width, 7), width);
        assert_int_equal(text[width - 1], '7');
        expect_dam_block_and_free(text, (size_t)width + 1);
    }
}

TEST(getline_and_getdelim_grow_the_programs_block) {
    FILE *file = tmpfile();
    assert_non_null(file);
    for (int width = 1; width < 400000; width = width * 3 + 1)
        assert_int_equal(fprintf(file, "%0*d\n", width, 7), width + 1);
    rewind(file);
    size_t room = 1;
    char *line = malloc(room);
    for (int width = 1; width < 400000; width = width * 3 + 1) {
        assert_int_equal(getline(&line, &room, file), width + 1);
        assert_int_equal(line[width - 1], '7');
        assert_true(room > (size_t)width);
    }
    expect_dam_block_and_free(line, room);
    rewind(file);
    char *all = NULL;
    room = 0;
    assert_true(getdelim(&all, &room, EOF, file) > 300000);
    expect_dam_block_and_free(all, room);
    assert_int_equal(fclose(file), 0);
}

TEST(open_memstream_gives_the_program_its_buffer) {
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    for (int i = 0; i < 50000; i++)
        assert_true(fputs("a few words ", stream) >= 0);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(length, 50000 * strlen("a few words "));
    expect_dam_block_and_free(text, length + 1);
}

TEST(scanf_allocates_the_words_it_reads) {
    char *word = NULL;
    assert_int_equal(sscanf("one two", "%ms", &word), 1);
    assert_string_equal(word, "one");
    expect_dam_block_and_free(word, 4);
}

TEST(getcwd_and_realpath_allocate_paths) {
    char *directory = getcwd(NULL, 0);
    assert_non_null(directory);
    expect_dam_block_and_free(directory, strlen(directory) + 1);
    char *real = realpath("/proc/self/exe", NULL);
    assert_non_null(real);
    expect_dam_block_and_free(real, strlen(real) + 1);
}

TEST(scandir_allocates_entries_and_their_table) {
    struct dirent **entries = NULL;
    int count = scandir("/", &entries, NULL, alphasort);
    assert_true(count > 2);
    for (int i = 0; i < count; i++)
        expect_dam_block_and_free(entries[i], 1);
    expect_dam_block_and_free(entries, (size_t)count * sizeof(*entries)); // NOLINT(bugprone-sizeof-expression): a table of pointers
}

int main(void) {
    require_malloc_to_be_dam();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strdup_and_its_kin_copy_whole_strings),
        cmocka_unit_test(asprintf_in_all_lengths),
        cmocka_unit_test(getline_and_getdelim_grow_the_programs_block),
        cmocka_unit_test(open_memstream_gives_the_program_its_buffer),
        cmocka_unit_test(scanf_allocates_the_words_it_reads),
        cmocka_unit_test(getcwd_and_realpath_allocate_paths),
        cmocka_unit_test(scandir_allocates_entries_and_their_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
