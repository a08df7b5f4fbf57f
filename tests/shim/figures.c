// SPDX-License-Identifier: MIT
/* figures.c: glibc's functions about the heap as a whole: mallinfo, mallinfo2, malloc_stats, malloc_info, malloc_trim,
 * mallopt. Their figures follow what the program does. */
#include "shim/xml_check.h"
#include "support/child.h"
#include "support/memory_use.h"
#include "support/on_dam.h"
#include "support/test.h"

#include <malloc.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* mallinfo, which programs still call */

enum { BLOCK_COUNT = 4000 };

static void *blocks[BLOCK_COUNT];

static void allocate_all(size_t size, size_t count) {
    for (size_t i = 0; i < count; i++) {
        blocks[i] = malloc(size);
        assert_non_null(blocks[i]);
        memset(blocks[i], 0x31, size);
    }
}

static void free_all(size_t count) {
    for (size_t i = 0; i < count; i++)
        free(blocks[i]);
}

static size_t bytes_in_use(void) {
    struct mallinfo2 figures = mallinfo2();
    return figures.uordblks + figures.hblkhd;
}

TEST(the_xml_check_knows_good_from_bad) {
    assert_true(xml_is_well_formed("<a/>"));
    assert_true(xml_is_well_formed("<?xml version=\"1.0\"?>\n<a b=\"1\" c='2'>text<d><e/></d></a>\n"));
    assert_false(xml_is_well_formed(""));
    assert_false(xml_is_well_formed("<a>"));
    assert_false(xml_is_well_formed("<a></b>"));
    assert_false(xml_is_well_formed("<a><b></a></b>"));
    assert_false(xml_is_well_formed("<a/><b/>"));
    assert_false(xml_is_well_formed("<a b=1/>"));
    assert_false(xml_is_well_formed("<a b=\"1/>"));
    assert_false(xml_is_well_formed("<a>&</a>"));
    assert_false(xml_is_well_formed("<a/>x"));
}

TEST(mallinfo2_follows_what_the_program_allocates_and_frees) {
    static const struct {
        size_t size, count;
    } KINDS[] = {{100, 4000}, {3000, 2000}, {60000, 200}, {200000, 50}, {3000000, 5}};
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        size_t total = KINDS[i].size * KINDS[i].count;
        size_t before = bytes_in_use();
        allocate_all(KINDS[i].size, KINDS[i].count);
        size_t with_blocks = bytes_in_use();
        free_all(KINDS[i].count);
        size_t after = bytes_in_use();
        assert_true(with_blocks >= before + total);
        assert_true(with_blocks < before + 2 * total);
        assert_true(after < before + total / 10);
    }
}

TEST(mallinfo2_counts_the_space_it_speaks_of) {
    allocate_all(100, BLOCK_COUNT);
    struct mallinfo2 figures = mallinfo2();
    free_all(BLOCK_COUNT);
    assert_true(figures.arena >= figures.uordblks);
    assert_int_equal(figures.arena, figures.uordblks + figures.fordblks);
}

TEST(mallinfo_says_what_mallinfo2_says_where_it_fits) {
    allocate_all(100, BLOCK_COUNT);
    struct mallinfo2 wide = mallinfo2();
    struct mallinfo narrow = mallinfo();
    free_all(BLOCK_COUNT);
    assert_int_equal(narrow.arena, wide.arena);
    assert_int_equal(narrow.uordblks, wide.uordblks);
    assert_int_equal(narrow.fordblks, wide.fordblks);
    assert_int_equal(narrow.hblkhd, wide.hblkhd);
}

/* Its fields are ints: 4 GiB must not come out as 0 or less. Address space alone is enough for that. */
TEST(mallinfo_does_not_wrap_around) {
    void *huge = malloc(opaque_size(4 * GIB + 4096));
    assert_non_null(huge);
    struct mallinfo figures = mallinfo();
    free(huge);
    assert_true(figures.hblkhd > (int)GIB);
}

TEST(malloc_info_writes_well_formed_xml) {
    for (int round = 0; round < 2; round++) {
        char *text = NULL;
        size_t length = 0;
        FILE *stream = open_memstream(&text, &length);
        assert_non_null(stream);
        if (round == 1)
            allocate_all(1000, BLOCK_COUNT);
        assert_int_equal(malloc_info(0, stream), 0);
        if (round == 1)
            free_all(BLOCK_COUNT);
        assert_int_equal(fclose(stream), 0);
        assert_true(length > 0);
        if (!xml_is_well_formed(text))
            fail_msg("not well-formed: %s", text);
        free(text);
    }
}

TEST(malloc_info_refuses_options_it_does_not_know) {
    errno = 0;
    assert_true(malloc_info(1, stdout) != 0);
    assert_int_equal(errno, EINVAL);
}

/* A stream that cannot be written is an error, not a crash. */
TEST(malloc_info_says_when_it_cannot_write) {
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    assert_int_equal(setvbuf(full, NULL, _IONBF, 0), 0);
    assert_int_equal(malloc_info(0, full), -1);
    (void)fclose(full);
}

static void print_stats(void *unused) {
    (void)unused;
    allocate_all(500, BLOCK_COUNT);
    malloc_stats();
    free_all(BLOCK_COUNT);
}

TEST(malloc_stats_writes_to_stderr_and_not_to_stdout) {
    struct child_result on_stderr = child_run(print_stats, NULL, CHILD_STDERR, 60);
    assert_true(child_exited_with(&on_stderr, 0));
    assert_true(on_stderr.output_bytes > 100);
    assert_non_null(strchr(on_stderr.output, '\n'));
    struct child_result on_stdout = child_run(print_stats, NULL, CHILD_STDOUT, 60);
    assert_true(child_exited_with(&on_stdout, 0));
    assert_int_equal(on_stdout.output_bytes, 0);
}

TEST(malloc_trim_says_whether_anything_was_given_back) {
    allocate_all(4000, BLOCK_COUNT);
    size_t with_blocks = memory_resident_bytes();
    free_all(BLOCK_COUNT);
    errno = ERRNO_MARK;
    int first = malloc_trim(0);
    int second = malloc_trim(0);
    assert_int_equal(errno, ERRNO_MARK);
    assert_true(first == 0 || first == 1);
    assert_int_equal(second, 0);
    assert_true(memory_resident_bytes() < with_blocks - 8 * MIB);
}

TEST(mallopt_never_claims_to_have_done_what_it_did_not) {
    assert_int_equal(mallopt(M_ARENA_MAX, 1), 0);
    assert_int_equal(mallopt(M_MMAP_THRESHOLD, 65536), 0);
    assert_int_equal(mallopt(-12345, 0), 0);
    void *block = malloc(100000);
    assert_non_null(block);
    free(block);
}

int main(void) {
    require_malloc_to_be_dam();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_xml_check_knows_good_from_bad),
        cmocka_unit_test(mallinfo2_follows_what_the_program_allocates_and_frees),
        cmocka_unit_test(mallinfo2_counts_the_space_it_speaks_of),
        cmocka_unit_test(mallinfo_says_what_mallinfo2_says_where_it_fits),
        cmocka_unit_test(mallinfo_does_not_wrap_around),
        cmocka_unit_test(malloc_info_writes_well_formed_xml),
        cmocka_unit_test(malloc_info_refuses_options_it_does_not_know),
        cmocka_unit_test(malloc_info_says_when_it_cannot_write),
        cmocka_unit_test(malloc_stats_writes_to_stderr_and_not_to_stdout),
        cmocka_unit_test(malloc_trim_says_whether_anything_was_given_back),
        cmocka_unit_test(mallopt_never_claims_to_have_done_what_it_did_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
