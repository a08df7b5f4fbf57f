// SPDX-License-Identifier: MIT
/* statistics.c: on a heap that stands still every figure is exact. */
#include "inspect/statistics.h"

#include "dam/dam.h"

#include "general/general.h"
#include "heap/heap.h"
#include "options/options.h"
#include "os/os.h"
#include "pool/pool_map.h"
#include "region/metadata.h"
#include "support/child.h"
#include "support/random.h"
#include "unit/support/threads.h"

static struct heap_statistics read_now(void) {
    struct heap_statistics statistics;
    dam_statistics_read(&statistics);
    return statistics;
}

static int start_empty(void **state) {
    (void)state;
    assert_int_equal(dam_options_set("dirty_max", "1G"), 0);
    assert_int_equal(dam_options_set("purge_delay_ms", "3600000"), 0);
    dam_trim();
    struct heap_statistics statistics = read_now();
    assert_int_equal(statistics.small.live_blocks, 0);
    assert_int_equal(statistics.general.live_blocks, 0);
    assert_int_equal(statistics.direct.live_blocks, 0);
    assert_int_equal(statistics.small.pools.pool_count, 0);
    assert_int_equal(statistics.regions.dirty_bytes, 0);
    return 0;
}

static void *must_malloc(size_t size) {
    void *block = dam_malloc(size);
    assert_non_null(block);
    return block;
}

TEST(an_empty_heap_has_nothing) {
    struct heap_statistics statistics = read_now();
    const struct layer_statistics *const layers[] = {&statistics.small, &statistics.general, &statistics.direct};
    for (size_t i = 0; i < COUNT_OF(layers); i++) {
        assert_int_equal(layers[i]->pools.pool_count, 0);
        assert_int_equal(layers[i]->pools.bytes, 0);
        assert_int_equal(layers[i]->live_bytes, 0);
        assert_int_equal(layers[i]->free_bytes, 0);
        assert_int_equal(layers[i]->touched_bytes, 0);
    }
    assert_int_equal(statistics.regions.used_bytes, 0);
}

TEST(small_blocks_are_counted_by_their_classes_size) {
    enum { COUNT = 700 };
    void *blocks[COUNT];
    size_t bytes = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = must_malloc(i % 257);
        bytes += dam_malloc_usable_size(blocks[i]);
    }
    struct heap_statistics statistics = read_now();
    assert_int_equal(statistics.small.live_blocks, COUNT);
    assert_int_equal(statistics.small.live_bytes, bytes);
    assert_int_equal(statistics.small.pools.bytes, statistics.small.pools.pool_count * SLICE_BYTES);
    assert_int_equal(statistics.small.free_bytes, statistics.small.pools.bytes - bytes);
    assert_true(statistics.small.touched_bytes >= bytes);
    assert_true(statistics.small.touched_bytes <= statistics.small.pools.bytes);
    assert_int_equal(statistics.regions.used_bytes, statistics.small.pools.bytes);
    for (size_t i = 0; i < COUNT; i += 2) {
        bytes -= dam_malloc_usable_size(blocks[i]);
        dam_free(blocks[i]);
    }
    statistics = read_now();
    assert_int_equal(statistics.small.live_blocks, COUNT / 2);
    assert_int_equal(statistics.small.live_bytes, bytes);
    for (size_t i = 1; i < COUNT; i += 2)
        dam_free(blocks[i]);
}

TEST(general_blocks_are_counted_by_their_requests) {
    enum { COUNT = 300 };
    void *blocks[COUNT];
    size_t bytes = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = must_malloc(257 + i * 11);
        bytes += 257 + i * 11;
    }
    struct heap_statistics statistics = read_now();
    assert_int_equal(statistics.general.live_blocks, COUNT);
    assert_int_equal(statistics.general.live_bytes, bytes);
    assert_true(statistics.general.touched_bytes >= bytes);
    assert_true(statistics.general.touched_bytes <= statistics.general.pools.bytes);
    assert_true(statistics.general.free_bytes + bytes <= statistics.general.pools.bytes);
    size_t free_before = statistics.general.free_bytes;
    dam_free(blocks[7]); /* quick: free to the program all the same */
    statistics = read_now();
    assert_int_equal(statistics.general.live_blocks, COUNT - 1);
    assert_int_equal(statistics.general.live_bytes, bytes - (257 + 77));
    assert_int_equal(statistics.general.free_bytes, free_before + 336);
    for (size_t i = 0; i < COUNT; i++) {
        if (i != 7)
            dam_free(blocks[i]);
    }
}

TEST(direct_blocks_are_counted_by_their_requests) {
    size_t page = dam_os_page_bytes();
    void *sliced = must_malloc(100000);
    void *mapped = must_malloc(3 * MIB + 1);
    struct heap_statistics statistics = read_now();
    assert_int_equal(statistics.direct.live_blocks, 2);
    assert_int_equal(statistics.direct.live_bytes, 100000 + 3 * MIB + 1);
    assert_int_equal(statistics.direct.pools.pool_count, 2);
    assert_int_equal(statistics.direct.pools.bytes, 2 * SLICE_BYTES + 3 * MIB + page);
    assert_int_equal(statistics.direct.touched_bytes, (100000 + page - 1) / page * page + 3 * MIB + page);
    assert_int_equal(statistics.regions.used_bytes, 2 * SLICE_BYTES);
    dam_free(sliced);
    dam_free(mapped);
    statistics = read_now();
    assert_int_equal(statistics.direct.live_blocks, 0);
    assert_int_equal(statistics.direct.pools.bytes, 0);
    assert_int_equal(statistics.regions.dirty_bytes, 2 * SLICE_BYTES + 3 * MIB + page);
    assert_true(statistics.direct.pools.bytes_peak >= 2 * SLICE_BYTES + 3 * MIB + page);
}

static void *free_in_thread(void *block) {
    dam_free(block);
    return NULL;
}

TEST(what_other_threads_have_freed_is_no_longer_live) {
    void *small = must_malloc(100);
    void *small_kept = must_malloc(100);
    void *general = must_malloc(1000);
    void *general_kept = must_malloc(1000);
    thread_join(thread_start(free_in_thread, small));
    thread_join(thread_start(free_in_thread, general));
    struct heap_statistics statistics = read_now();
    assert_int_equal(statistics.small.live_blocks, 1);
    assert_int_equal(statistics.small.live_bytes, dam_malloc_usable_size(small_kept));
    assert_int_equal(statistics.general.live_blocks, 1);
    assert_int_equal(statistics.general.live_bytes, 1000);
    dam_free(small_kept);
    dam_free(general_kept);
}

TEST(blocks_of_first_class_heaps_are_counted_with_the_others) {
    dam_heap *heap = dam_heap_create();
    assert_non_null(heap);
    assert_non_null(opaque_pointer(dam_heap_malloc(heap, 100)));
    assert_non_null(opaque_pointer(dam_heap_malloc(heap, 1000)));
    assert_non_null(opaque_pointer(dam_heap_malloc(heap, 100000)));
    struct heap_statistics statistics = read_now();
    assert_int_equal(statistics.small.live_blocks, 1);
    assert_int_equal(statistics.general.live_bytes, 1000);
    assert_int_equal(statistics.direct.live_bytes, 100000);
    dam_heap_destroy(heap);
}

TEST(what_is_given_back_and_what_is_kept_add_up) {
    size_t given_back = read_now().regions.given_back_bytes;
    dam_free(must_malloc(500000)); /* eight slices */
    assert_int_equal(read_now().regions.dirty_bytes, 8 * SLICE_BYTES);
    assert_int_equal(dam_trim(), 8 * SLICE_BYTES);
    struct heap_statistics statistics = read_now();
    assert_int_equal(statistics.regions.dirty_bytes, 0);
    assert_int_equal(statistics.regions.given_back_bytes, given_back + 8 * SLICE_BYTES);
    assert_int_equal(statistics.metadata_bytes, dam_metadata_mapped_bytes());
}

TEST(random_use_and_a_plain_count_agree) {
    struct random random = random_start(test_seed("unit.inspect.statistics"), 0);
    enum { COUNT = 400 };
    void *blocks[COUNT] = {NULL};
    size_t sizes[COUNT] = {0};
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 500; i++) {
            size_t slot = random_below(&random, COUNT);
            dam_free(blocks[slot]);
            sizes[slot] = random_size(&random, 2 * MIB);
            blocks[slot] = must_malloc(sizes[slot]);
        }
        size_t count[4] = {0};
        size_t bytes[4] = {0};
        for (size_t i = 0; i < COUNT; i++) {
            enum layer layer = pool_layer(pool_of(blocks[i]));
            count[layer] += blocks[i] != NULL;
            bytes[layer] += layer == LAYER_SMALL ? dam_malloc_usable_size(blocks[i]) : sizes[i];
        }
        struct heap_statistics statistics = read_now();
        assert_int_equal(statistics.small.live_blocks, count[LAYER_SMALL]);
        assert_int_equal(statistics.small.live_bytes, bytes[LAYER_SMALL]);
        assert_int_equal(statistics.general.live_blocks, count[LAYER_GENERAL]);
        assert_int_equal(statistics.general.live_bytes, bytes[LAYER_GENERAL]);
        assert_int_equal(statistics.direct.live_blocks, count[LAYER_DIRECT]);
        assert_int_equal(statistics.direct.live_bytes, bytes[LAYER_DIRECT]);
    }
    for (size_t i = 0; i < COUNT; i++)
        dam_free(blocks[i]);
}

/* ---- The summary ------------------------------------------------------------------------------------------------- */

static void print_summary(void *argument) {
    (void)argument;
    dam_statistics_print();
    fflush(NULL);
}

/* The words of line number `line`, without what is between them. */
__attribute__((format(printf, 3, 4))) static void assert_line(const char *text, size_t line, const char *format, ...) {
    char expected[200];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(expected, sizeof expected, format, arguments);
    va_end(arguments);
    assert_in_range(length, 1, sizeof expected - 1);
    while (line-- > 0)
        text = strchr(text, '\n') + 1;
    const char *word = expected;
    while (*word != '\0') {
        while (*text == ' ')
            text++;
        while (*word == ' ')
            word++;
        while (*word != ' ' && *word != '\0') {
            assert_int_equal(*text, *word);
            text++;
            word++;
        }
    }
}

TEST(the_summary_is_one_line_for_each_layer_and_some_about_the_whole) {
    void *small = must_malloc(32);
    void *direct = must_malloc(20 * MIB);
    struct child_result result = child_run(print_summary, NULL, CHILD_STDERR, 60);
    assert_true(child_exited_with(&result, 0));
    size_t lines = 0;
    for (const char *at = result.output; *at != '\0'; at++)
        lines += *at == '\n';
    assert_int_equal(lines, 6);
    assert_line(result.output, 0, "dam: layer blocks live pools pool mem peak touched free");
    assert_line(result.output, 1, "dam: small 1 %zu B 1 64.0 K", dam_malloc_usable_size(small));
    assert_line(result.output, 2, "dam: general 0 0 B 0 0 B");
    assert_line(result.output, 3, "dam: direct 1 20.0 M 1 20.0 M");
    assert_line(result.output, 4, "dam: kept for reuse 0 B, given back to the system");
    assert_line(result.output, 5, "dam: address space reserved");
    dam_free(small);
    dam_free(direct);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_heap_has_nothing, start_empty),
        cmocka_unit_test_setup(small_blocks_are_counted_by_their_classes_size, start_empty),
        cmocka_unit_test_setup(general_blocks_are_counted_by_their_requests, start_empty),
        cmocka_unit_test_setup(direct_blocks_are_counted_by_their_requests, start_empty),
        cmocka_unit_test_setup(what_other_threads_have_freed_is_no_longer_live, start_empty),
        cmocka_unit_test_setup(blocks_of_first_class_heaps_are_counted_with_the_others, start_empty),
        cmocka_unit_test_setup(what_is_given_back_and_what_is_kept_add_up, start_empty),
        cmocka_unit_test_setup(random_use_and_a_plain_count_agree, start_empty),
        cmocka_unit_test_setup(the_summary_is_one_line_for_each_layer_and_some_about_the_whole, start_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
