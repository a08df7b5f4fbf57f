// SPDX-License-Identifier: MIT
/* protect.c: a program under a profile. The runner starts it under guard=tail, guard=full, sample_every=1 and two of them
 * together (DAM_OPTIONS); what a test expects where they differ is asked of the options.
 *
 * Everything that dam.h promises holds here, too, and more exactly: a protected block's usable size is its request. */
#include "protect/protect.h"

#include "base/bits.h"
#include "base/options_table.h"
#include "dam/dam.h"
#include "heap/heap.h"
#include "inspect/verify.h"
#include "pool/pool_map.h"
#include "protect/quarantine.h"
#include "protect/sampled.h"
#include "protect/tail.h"
#include "support/child.h"
#include "support/pattern.h"
#include "support/random.h"
#include "unit/protect/caught.h"
#include "unit/protect/probe.h"
#include "unit/support/no_memory.h"
#include "unit/support/threads.h"

#define KEY(i) pattern_key(31, i)

static bool has_tails(void) {
    return DAM_SETTING(guard) >= GUARD_TAIL;
}

static bool is_full(void) {
    return DAM_SETTING(guard) == GUARD_FULL;
}

static bool is_sampling(void) {
    return DAM_SETTING(sample_every) > 0;
}

static bool is_protected(const void *block) {
    return has_tails() || dam_sampled_owns(block);
}

static enum layer layer_of(const void *block) {
    return pool_layer(pool_of(block));
}

/* One size of each layer, as it is with a tail and without. */
static const size_t LAYER_SIZES[] = {100, 5000, 200000, 3 * MIB};

/* Where with or without a tail one class, layer, slice or page ends and the next begins, give or take a byte. */
static const size_t EDGES[] = {256 - 8, 256,       1000,    4096 - 8, 4096,          8192,    20000,
                               65536 - 8, 65536,   131072 - 16, 131072 - 8, 131072, 200000,
                               MIB - 16,  MIB - 8, MIB,     3 * MIB,  9 * MIB};

/* Calls body for every small size and those of EDGES. */
static void for_every_size(void (*body)(size_t size)) {
    for (size_t size = 0; size <= 300; size++)
        body(size);
    for (size_t i = 0; i < COUNT_OF(EDGES); i++)
        for (size_t size = EDGES[i] - 1; size <= EDGES[i] + 1; size++)
            body(size);
}

static dam_heap *heap;
static struct hoard hoard;

static int start(void **state) {
    (void)state;
    heap = dam_heap_create();
    return dam_protect_on && heap != NULL && has_tails() == dam_protect_has_tails ? 0 : -1;
}

static int begin(void **state) {
    (void)state;
    caught_reset();
    fake_os_reset();
    return 0;
}

static int end(void **state) {
    (void)state;
    fake_os_reset();
    return caught_count() == 0 && dam_verify_all() == 0 ? 0 : -1;
}

#define protect_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

/* ---- Every entry point ------------------------------------------------------------------------------------------- */

static void *enter_malloc(size_t size) {
    return dam_malloc(size);
}

static void *enter_calloc(size_t size) {
    return dam_calloc(size, 1);
}

static void *enter_realloc_of_nothing(size_t size) {
    return dam_realloc(NULL, size);
}

static void *resize_or_release(void *block, void *resized) {
    if (resized == NULL)
        dam_free(block);
    return resized;
}

static void *enter_realloc_upwards(size_t size) {
    void *block = dam_malloc(size / 3);
    return block == NULL || size == 0 ? block : resize_or_release(block, dam_realloc(block, size));
}

static void *enter_realloc_downwards(size_t size) {
    void *block = dam_malloc(size == 0 ? 0 : size + size / 3 + 50);
    return block == NULL || size == 0 ? block : resize_or_release(block, dam_realloc(block, size));
}

static void *enter_reallocarray(size_t size) {
    return dam_reallocarray(NULL, 1, size);
}

static void *enter_aligned_alloc_64(size_t size) {
    return dam_aligned_alloc(64, size);
}

static void *enter_aligned_alloc_4096(size_t size) {
    return dam_aligned_alloc(4096, size);
}

static void *enter_aligned_alloc_128_kib(size_t size) {
    return dam_aligned_alloc(128 * KIB, size);
}

static void *enter_posix_memalign(size_t size) {
    char here = 0;
    void *block = &here;
    errno = ERRNO_MARK;
    int answer = dam_posix_memalign(&block, 256, size);
    CHECK(errno == ERRNO_MARK);
    if (answer == 0)
        return block;
    CHECK(block == &here);
    errno = answer;
    return NULL;
}

static void *enter_heap_malloc(size_t size) {
    return dam_heap_malloc(heap, size);
}

static void *enter_heap_calloc(size_t size) {
    return dam_heap_calloc(heap, 1, size);
}

static void *enter_heap_realloc_of_nothing(size_t size) {
    return dam_heap_realloc(heap, NULL, size);
}

static void *enter_heap_realloc_upwards(size_t size) {
    void *block = dam_heap_malloc(heap, size / 3);
    return block == NULL || size == 0 ? block : resize_or_release(block, dam_heap_realloc(heap, block, size));
}

static void *enter_heap_aligned_alloc(size_t size) {
    return dam_heap_aligned_alloc(heap, 512, size);
}

enum owner { OF_THREAD, OF_HEAP };

static const struct {
    void *(*allocate)(size_t size);
    size_t alignment;
    bool is_zeroed;
    enum owner owner;
} ENTRIES[] = {
    {enter_malloc, 16, false, OF_THREAD},
    {enter_calloc, 16, true, OF_THREAD},
    {enter_realloc_of_nothing, 16, false, OF_THREAD},
    {enter_realloc_upwards, 16, false, OF_THREAD},
    {enter_realloc_downwards, 16, false, OF_THREAD},
    {enter_reallocarray, 16, false, OF_THREAD},
    {enter_aligned_alloc_64, 64, false, OF_THREAD},
    {enter_aligned_alloc_4096, 4096, false, OF_THREAD},
    {enter_aligned_alloc_128_kib, 128 * KIB, false, OF_THREAD},
    {enter_posix_memalign, 256, false, OF_THREAD},
    {enter_heap_malloc, 16, false, OF_HEAP},
    {enter_heap_calloc, 16, true, OF_HEAP},
    {enter_heap_realloc_of_nothing, 16, false, OF_HEAP},
    {enter_heap_realloc_upwards, 16, false, OF_HEAP},
    {enter_heap_aligned_alloc, 512, false, OF_HEAP},
};

static unsigned char *enter(size_t entry, size_t size) {
    errno = ERRNO_MARK;
    unsigned char *block = ENTRIES[entry].allocate(size);
    assert_non_null(block);
    assert_int_equal(errno, ERRNO_MARK);
    assert_true(is_aligned(block, ENTRIES[entry].alignment));
    return block;
}

static void release(void *block) {
    errno = ERRNO_MARK;
    dam_free(block);
    assert_int_equal(errno, ERRNO_MARK);
}

static void use_block_of(size_t size) {
    for (size_t i = 0; i < COUNT_OF(ENTRIES); i++) {
        unsigned char *block = enter(i, size);
        size_t usable = dam_malloc_usable_size(block);
        if (is_protected(block))
            assert_int_equal(usable, size);
        else
            assert_true(usable >= size);
        if (ENTRIES[i].is_zeroed)
            assert_true(all_bytes_are(block, size, 0));
        memset(block, 0xDB, usable);
        release(block);
    }
}

TEST(every_entry_point_gives_a_block_whose_usable_size_is_the_request) {
    for_every_size(use_block_of);
}

/* Before and behind: that what is looked at is this profile at all. */
TEST(blocks_come_from_where_the_profile_has_them) {
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++) {
        void *block = dam_malloc(LAYER_SIZES[i]);
        if (DAM_SETTING(sample_every) == 1 && LAYER_SIZES[i] < 4096)
            assert_true(dam_sampled_owns(block));
        else if (!is_sampling())
            assert_false(dam_sampled_owns(block));
        if (!dam_sampled_owns(block))
            assert_int_equal(layer_of(block), dam_layer_for_size(LAYER_SIZES[i]));
        release(block);
    }
}

/* L1: the first bytes behind the request, whichever layer has the block: none may change unseen. */
static void overrun_block_of(size_t size) {
    for (size_t i = 0; i < COUNT_OF(ENTRIES); i++) {
        unsigned char *block = enter(i, size);
        if (!is_protected(block)) {
            release(block);
            continue;
        }
        memset(block, 0xDB, size);
        for (size_t j = size; j < size + TAIL_BYTES_MIN && is_accessible(block + j); j++) {
            block[j] ^= 0x21;
            release(block);
            assert_ptr_equal(caught_fault()->block, block);
            assert_caught(DAM_FAULT_OVERFLOW);
            assert_int_equal(dam_malloc_usable_size(block), 0);
            assert_caught(DAM_FAULT_OVERFLOW);
            errno = 0;
            assert_null(dam_realloc(block, size + 1));
            assert_int_equal(errno, EINVAL);
            assert_caught(DAM_FAULT_OVERFLOW);
            block[j] ^= 0x21;
        }
        release(block);
    }
}

TEST(a_change_of_any_of_the_first_bytes_behind_the_request_is_found_by_every_call) {
    for_every_size(overrun_block_of);
}

/* A block that does not wait may be part of a larger one by now, or have taken its pool along: then less is known of it. */
static void assert_caught_after_release(const void *block, bool waits) {
    enum dam_fault_kind kind = caught_fault()->kind;
    assert_ptr_equal(caught_fault()->address, block);
    if (waits)
        assert_int_equal(kind, DAM_FAULT_DOUBLE_FREE);
    else
        assert_true(kind == DAM_FAULT_DOUBLE_FREE || kind == DAM_FAULT_NOT_A_BLOCK || kind == DAM_FAULT_FOREIGN_POINTER);
    assert_caught(kind);
}

static void release_twice_block_of(size_t size) {
    for (size_t i = 0; i < COUNT_OF(ENTRIES); i++) {
        unsigned char *block = enter(i, size);
        bool waits = dam_sampled_owns(block) || (is_full() && ENTRIES[i].owner == OF_THREAD);
        release(block);
        release(block);
        assert_caught_after_release(block, waits);
        errno = 0;
        assert_null(dam_realloc(block, size + 1));
        assert_int_equal(errno, EINVAL);
        assert_caught_after_release(block, waits);
        assert_int_equal(dam_malloc_usable_size(block), 0);
        assert_caught_after_release(block, waits);
    }
}

TEST(a_released_block_is_none_to_any_call) {
    for_every_size(release_twice_block_of);
}

TEST(foreign_pointers_are_told_and_null_is_nothing) {
    static _Alignas(16) char foreign[64];
    release(NULL);
    assert_int_equal(dam_malloc_usable_size(NULL), 0);
    assert_false(dam_expand(NULL, 10));
    release(foreign + 16);
    assert_caught(DAM_FAULT_FOREIGN_POINTER);
    assert_null(dam_realloc(foreign + 16, opaque_size(100)));
    assert_caught(DAM_FAULT_FOREIGN_POINTER);
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++) {
        char *block = dam_malloc(LAYER_SIZES[i]);
        release(block + 16);
        assert_caught(DAM_FAULT_NOT_A_BLOCK);
        release(block);
    }
}

/* ---- Sized release ----------------------------------------------------------------------------------------------- */

static void release_sized_block_of(size_t size) {
    for (size_t i = 0; i < COUNT_OF(ENTRIES); i++) {
        unsigned char *block = enter(i, size);
        if (is_protected(block)) {
            dam_free_sized(block, size + 1);
            assert_caught(DAM_FAULT_WRONG_SIZE);
            dam_free_aligned_sized(block, ENTRIES[i].alignment, size == 0 ? SIZE_MAX : size - 1);
            assert_caught(DAM_FAULT_WRONG_SIZE);
            if (i % 2 == 0)
                dam_free_sized(block, size);
            else
                dam_free_aligned_sized(block, ENTRIES[i].alignment, size);
            assert_nothing_caught();
        } else {
            release(block);
        }
    }
}

TEST(a_size_that_is_not_the_request_is_told_in_every_layer) {
    for_every_size(release_sized_block_of);
}

/* ---- Alignment --------------------------------------------------------------------------------------------------- */

TEST(blocks_are_aligned_up_to_a_gibibyte) {
    static const size_t SIZES[] = {0, 1, 8, 17, 120, 248, 249, 1000, 4096, 65528, 65529, 70000, 2 * MIB + 3};
    for (size_t alignment = 1; alignment <= GIB; alignment *= 2) {
        for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
            unsigned char *block = dam_aligned_alloc(alignment, SIZES[i]);
            unsigned char *of_heap = dam_heap_aligned_alloc(heap, alignment, SIZES[i]);
            assert_non_null(block);
            assert_non_null(of_heap);
            assert_true(is_aligned(block, alignment) && is_aligned(of_heap, alignment));
            assert_true(dam_malloc_usable_size(block) >= SIZES[i]);
            if (has_tails())
                assert_int_equal(dam_malloc_usable_size(of_heap), SIZES[i]);
            memset(block, 0x91, SIZES[i]);
            memset(of_heap, 0x92, SIZES[i]);
            dam_free_aligned_sized(block, alignment, SIZES[i]);
            dam_free_aligned_sized(of_heap, alignment, SIZES[i]);
        }
        (void)dam_trim(); /* much address space waits otherwise */
    }
    errno = 0;
    assert_null(dam_aligned_alloc(opaque_size(2 * GIB), 1));
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_null(dam_aligned_alloc(opaque_size(48), 1));
    assert_int_equal(errno, EINVAL);
}

/* ---- Zeroed blocks ----------------------------------------------------------------------------------------------- */

static void reuse_zeroed_block_of(size_t size) {
    for (int i = 0; i < 3; i++) {
        unsigned char *block = dam_calloc(1, size);
        unsigned char *of_heap = dam_heap_calloc(heap, size, 1);
        assert_true(all_bytes_are(block, size, 0) && all_bytes_are(of_heap, size, 0));
        memset(block, 0xEE, size);
        memset(of_heap, 0xEE, size);
        release(block);
        release(of_heap);
        if (i == 1 && size % 7 == 0)
            (void)dam_trim(); /* what waited is used again */
    }
}

TEST(calloc_gives_zeroes_whatever_was_there_before) {
    for_every_size(reuse_zeroed_block_of);
}

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

static void assert_resized(unsigned char *block, size_t old_size, size_t size) {
    assert_non_null(block);
    assert_true(pattern_holds(block, smaller_of(old_size, size), KEY(old_size)));
    assert_true(dam_malloc_usable_size(block) >= size);
    if (is_protected(block))
        assert_int_equal(dam_malloc_usable_size(block), size);
    memset(block, 0x2E, size);
}

TEST(a_block_keeps_the_smaller_of_both_sizes_from_each_layer_to_each_other) {
    for (size_t i = 0; i < 2 * COUNT_OF(EDGES); i++) {
        for (size_t j = 0; j < COUNT_OF(EDGES); j++) {
            size_t from = i < COUNT_OF(EDGES) ? EDGES[i] : 1 + 7 * i;
            size_t to = EDGES[j];
            unsigned char *block = dam_malloc(from);
            unsigned char *of_heap = dam_heap_malloc(heap, from);
            pattern_fill(block, from, KEY(from));
            pattern_fill(of_heap, from, KEY(from));
            errno = ERRNO_MARK;
            block = dam_realloc(block, to);
            of_heap = j % 2 == 0 ? dam_heap_realloc(heap, of_heap, to) : dam_realloc(of_heap, to);
            assert_int_equal(errno, ERRNO_MARK);
            assert_resized(block, from, to);
            assert_resized(of_heap, from, to);
            dam_free_sized(block, to);
            release(of_heap);
        }
    }
}

TEST(realloc_to_nothing_releases) {
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++) {
        void *block = dam_malloc(LAYER_SIZES[i]);
        void *of_heap = dam_heap_malloc(heap, LAYER_SIZES[i]);
        errno = ERRNO_MARK;
        assert_null(dam_realloc(block, opaque_size(0)));
        assert_null(dam_heap_realloc(heap, of_heap, opaque_size(0)));
        assert_int_equal(errno, ERRNO_MARK);
    }
}

TEST(a_block_that_grows_a_byte_at_a_time_keeps_its_content) {
    size_t size = 1;
    unsigned char *block = dam_malloc(size);
    for (block[0] = 0; size < 2000; size++) {
        block = dam_realloc(block, size + 1);
        assert_non_null(block);
        block[size] = (unsigned char)size;
        if (is_protected(block))
            assert_int_equal(dam_malloc_usable_size(block), size + 1);
    }
    for (size_t i = 0; i < size; i++)
        assert_int_equal(block[i], (unsigned char)i);
    release(block);
}

/* dam_expand may always say no; when it says yes the block has that very size, where it is. */
TEST(what_is_expanded_or_shrunk_in_place_has_its_new_size) {
    for (size_t i = 0; i < COUNT_OF(EDGES); i++) {
        static const size_t PERCENT[] = {100, 99, 60, 30, 10, 1, 101, 150};
        for (size_t j = 0; j < COUNT_OF(PERCENT); j++) {
            size_t size = EDGES[i] / 100 * PERCENT[j] + 1;
            unsigned char *block = dam_malloc(EDGES[i]);
            pattern_fill(block, EDGES[i], KEY(EDGES[i]));
            bool done = dam_expand(block, size);
            if (is_protected(block) && size <= EDGES[i] && EDGES[i] - size < 60000)
                assert_true(done);
            if (done)
                assert_resized(block, EDGES[i], size);
            else
                assert_true(pattern_holds(block, EDGES[i], KEY(EDGES[i])));
            if (is_protected(block))
                assert_int_equal(dam_malloc_usable_size(block), done ? size : EDGES[i]);
            dam_free_sized(block, done ? size : EDGES[i]);
        }
    }
}

TEST(a_change_behind_a_block_that_was_shrunk_in_place_is_found_up_to_its_old_end) {
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++) {
        size_t size = LAYER_SIZES[i];
        unsigned char *block = dam_malloc(size);
        if (!is_protected(block)) {
            release(block);
            continue;
        }
        assert_true(dam_expand(block, size - 50));
        for (size_t j = size - 50; j < size; j++) {
            block[j] ^= 0x80;
            release(block);
            assert_caught(DAM_FAULT_OVERFLOW);
            block[j] ^= 0x80;
        }
        release(block);
    }
}

/* ---- First-class heaps ------------------------------------------------------------------------------------------- */

TEST(a_first_class_heap_goes_with_all_its_blocks_whatever_was_released_of_them) {
    for (int round = 0; round < 20; round++) {
        dam_heap *own = dam_heap_create();
        assert_non_null(own);
        void *blocks[200];
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            size_t size = i % 10 == 9 ? LAYER_SIZES[2 + i / 10 % 2] : 1 + i * 13;
            blocks[i] = dam_heap_malloc(own, size);
            assert_non_null(blocks[i]);
            memset(blocks[i], 0x66, size);
        }
        for (size_t i = 0; i < COUNT_OF(blocks); i += 2)
            release(blocks[i]);
        errno = ERRNO_MARK;
        dam_heap_destroy(own);
        assert_int_equal(errno, ERRNO_MARK);
        assert_int_equal(dam_verify_all(), 0);
        (void)dam_trim(); /* nothing of the heap waits any more: it would be looked at here */
        assert_nothing_caught();
    }
}

static void *release_half(void *blocks) {
    for (size_t i = 0; i < 100; i += 2)
        dam_free(((void **)blocks)[i]);
    return NULL;
}

TEST(a_first_class_heap_may_be_destroyed_after_other_threads_released_its_blocks) {
    dam_heap *own = dam_heap_create();
    void *blocks[100];
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = dam_heap_malloc(own, i % 10 == 8 ? 200000 : 50 * i);
    thread_join(thread_start(release_half, blocks));
    dam_heap_destroy(own);
    (void)dam_trim();
    assert_nothing_caught();
}

/* ---- Threads ----------------------------------------------------------------------------------------------------- */

enum { HANDED_COUNT = 400 };

static struct layer_figures figures_of(enum layer layer) {
    struct layer_figures figures;
    dam_pool_read_figures(layer, &figures);
    return figures;
}

static size_t pools_now(void) {
    return figures_of(LAYER_SMALL).pool_count + figures_of(LAYER_GENERAL).pool_count +
           figures_of(LAYER_DIRECT).pool_count;
}

/* Releases what it was handed, and hands out as much. */
static void *exchange_and_end(void *argument) {
    void **blocks = argument;
    for (size_t i = 0; i < HANDED_COUNT; i++) {
        dam_free(blocks[i]);
        size_t size = i % 40 == 39 ? 100000 : 3 * i;
        unsigned char *block = dam_malloc(size);
        CHECK(block != NULL);
        memset(block, 0x77, size);
        blocks[i] = block;
        void *temporary = dam_malloc(size);
        CHECK(temporary != NULL);
        dam_free(temporary); /* waits when the thread ends */
    }
    return NULL;
}

TEST(blocks_outlive_the_threads_that_made_them_and_wait_after_those_that_released_them) {
    void *blocks[HANDED_COUNT] = {NULL};
    (void)dam_trim();
    size_t pools_before = pools_now();
    for (int i = 0; i < 20; i++)
        thread_join(thread_start(exchange_and_end, blocks));
    for (size_t i = 0; i < HANDED_COUNT; i++)
        release(blocks[i]);
    (void)dam_trim();
    (void)dam_trim();
    assert_true(pools_now() <= pools_before + 1); /* one that this thread keeps current */
}

enum { MAILBOX_COUNT = 100, STEP_COUNT = 8000, THREAD_COUNT = 4 };

static _Atomic(uintptr_t) mailboxes[MAILBOX_COUNT];

struct letter {
    size_t size;
    uint64_t key;
};

static void open_letter(struct letter *letter) {
    if (letter == NULL)
        return;
    CHECK(pattern_holds(letter + 1, letter->size - sizeof *letter, letter->key));
    dam_free(letter);
}

static void *exchange_letters(void *number) {
    struct random random = random_start(41, (uintptr_t)number);
    for (size_t i = 0; i < STEP_COUNT; i++) {
        size_t size = sizeof(struct letter) + random_size(&random, i % 200 == 0 ? 200000 : 5000);
        struct letter *letter = dam_malloc(size);
        CHECK(letter != NULL);
        *letter = (struct letter){size, random_next(&random)};
        pattern_fill(letter + 1, size - sizeof *letter, letter->key);
        open_letter((void *)atomic_exchange(&mailboxes[random_below(&random, MAILBOX_COUNT)], (uintptr_t)letter));
    }
    return NULL;
}

TEST(threads_that_release_each_others_blocks_lose_no_byte) {
    pthread_t threads[THREAD_COUNT];
    for (uintptr_t i = 0; i < THREAD_COUNT; i++)
        threads[i] = thread_start(exchange_letters, (void *)(i + 1)); // NOLINT(performance-no-int-to-ptr)
    for (size_t i = 0; i < THREAD_COUNT; i++)
        thread_join(threads[i]);
    for (size_t i = 0; i < MAILBOX_COUNT; i++)
        open_letter((void *)atomic_exchange(&mailboxes[i], 0));
}

static pthread_key_t late_key;

static void live_on(void *unused) {
    (void)unused;
    CHECK(dam_thread_heap_is_gone());
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++) {
        unsigned char *block = dam_malloc(LAYER_SIZES[i]);
        CHECK(block != NULL && dam_malloc_usable_size(block) >= LAYER_SIZES[i]);
        CHECK(!has_tails() || dam_malloc_usable_size(block) == LAYER_SIZES[i]);
        memset(block, 0x44, LAYER_SIZES[i]);
        block = dam_realloc(block, LAYER_SIZES[i] / 2);
        CHECK(block != NULL && all_bytes_are(block, LAYER_SIZES[i] / 2, 0x44));
        dam_free(block);
    }
}

static void *end_late(void *unused) {
    (void)unused;
    dam_free(dam_malloc(10));
    CHECK(pthread_setspecific(late_key, &late_key) == 0);
    return NULL;
}

TEST(a_thread_whose_heap_is_gone_is_served_all_the_same) {
    assert_int_equal(pthread_key_create(&late_key, live_on), 0);
    for (int i = 0; i < 5; i++)
        thread_join(thread_start(end_late, NULL));
    assert_int_equal(pthread_key_delete(late_key), 0);
}

/* ---- fork -------------------------------------------------------------------------------------------------------- */

static void live_as_child(void *argument) {
    void **blocks = argument;
    (void)exchange_and_end(blocks);
    thread_join(thread_start(exchange_and_end, blocks));
    for (size_t i = 0; i < HANDED_COUNT; i++)
        dam_free(blocks[i]);
    (void)dam_trim();
    CHECK(caught_count() == 0 && dam_verify_all() == 0);
    void *block = dam_malloc(5000);
    dam_free(block);
    dam_free(block);
    CHECK(caught_count() == 1);
}

TEST(a_child_releases_what_it_inherited_and_lives_on_as_any_process) {
    void *blocks[HANDED_COUNT] = {NULL};
    thread_join(thread_start(exchange_and_end, blocks));
    for (int i = 0; i < 5; i++) {
        struct child_result result = child_run(live_as_child, blocks, CHILD_STDERR, 120);
        assert_true(child_exited_with(&result, 0));
    }
    for (size_t i = 0; i < HANDED_COUNT; i++)
        release(blocks[i]);
}

static atomic_bool stop_allocating;

static void *allocate_until_told_to_stop(void *unused) {
    (void)unused;
    for (size_t i = 0; !atomic_load(&stop_allocating); i++) {
        size_t size = i % 50 == 0 ? 100000 : 1 + i % 3000;
        unsigned char *block = dam_malloc(size);
        CHECK(block != NULL);
        memset(block, 0x13, size);
        dam_free(block);
    }
    return NULL;
}

static void use_every_layer(void *unused) {
    (void)unused;
    for (size_t i = 0; i < 300; i++) {
        size_t size = LAYER_SIZES[i % COUNT_OF(LAYER_SIZES)];
        unsigned char *block = dam_malloc(size);
        CHECK(block != NULL);
        memset(block, 0x31, 100);
        dam_free(block);
    }
    (void)dam_trim();
    CHECK(caught_count() == 0);
}

TEST(a_child_forked_in_the_middle_of_others_allocations_allocates_and_releases) {
    pthread_t threads[3];
    atomic_store(&stop_allocating, false);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        threads[i] = thread_start(allocate_until_told_to_stop, NULL);
    for (int i = 0; i < 8; i++) {
        struct child_result result = child_run(use_every_layer, NULL, CHILD_STDERR, 120);
        assert_true(child_exited_with(&result, 0));
    }
    atomic_store(&stop_allocating, true);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        thread_join(threads[i]);
}

/* ---- Quarantine, as a program meets it --------------------------------------------------------------------------- */

/* A block that is not sampled. */
static unsigned char *malloc_in_layer(size_t size) {
    for (;;) {
        unsigned char *block = dam_malloc(size);
        assert_non_null(block);
        if (!dam_sampled_owns(block))
            return block;
        release(block);
    }
}

TEST(a_released_block_is_wiped_and_not_used_again_soon) {
    for (size_t i = 0; i < 2; i++) {
        unsigned char *block = malloc_in_layer(LAYER_SIZES[i]);
        memset(block, 0x99, LAYER_SIZES[i]);
        release(block);
        assert_true(all_bytes_are(block, LAYER_SIZES[i], 0));
        for (int j = 0; j < 1000; j++) {
            void *next = dam_malloc(LAYER_SIZES[i]);
            assert_ptr_not_equal(next, block);
            release(next);
        }
    }
}

TEST(a_released_large_block_cannot_be_touched) {
    for (size_t i = 2; i < COUNT_OF(LAYER_SIZES); i++) {
        unsigned char *block = malloc_in_layer(LAYER_SIZES[i]);
        assert_true(is_accessible(block) && is_accessible(block + LAYER_SIZES[i] - 1));
        assert_false(is_accessible(block + round_up(LAYER_SIZES[i] + 2 * TAIL_BYTES_MIN, 4096)));
        release(block);
        assert_false(is_accessible(block) || is_accessible(block + LAYER_SIZES[i] - 1));
    }
}

TEST(a_trim_lets_all_that_waits_go) {
    (void)dam_trim();
    struct layer_figures before = figures_of(LAYER_DIRECT);
    for (int i = 0; i < 50; i++)
        release(malloc_in_layer(200000));
    assert_int_equal(figures_of(LAYER_DIRECT).pool_count, before.pool_count + 50);
    errno = ERRNO_MARK;
    (void)dam_trim();
    assert_int_equal(errno, ERRNO_MARK);
    assert_int_equal(figures_of(LAYER_DIRECT).pool_count, before.pool_count);
    assert_int_equal(figures_of(LAYER_DIRECT).bytes, before.bytes);
    assert_false(dam_protect_trim());
}

TEST(a_write_to_a_block_that_waits_is_found_by_a_trim) {
    (void)dam_trim();
    for (size_t i = 0; i < 2; i++) {
        unsigned char *block = malloc_in_layer(LAYER_SIZES[i]);
        release(block);
        block[LAYER_SIZES[i] - 1] = 1;
        (void)dam_trim();
        assert_ptr_equal(caught_fault()->block, block);
        assert_ptr_equal(caught_fault()->address, block + LAYER_SIZES[i] - 1);
        assert_int_equal(caught_fault()->requested_bytes, LAYER_SIZES[i]);
        assert_caught(DAM_FAULT_WRITE_AFTER_FREE);
    }
}

static void leave_a_written_block(void *argument) {
    unsigned char *block = argument;
    dam_free(block);
    block[50] ^= 1;
    exit(caught_count() == 0 ? 0 : 1);
}

/* Priority 101 is the last of all destructors: DAM's own has run. */
__attribute__((destructor(101))) static void tell_at_exit(void) {
    if (caught_count() == 1 && caught_fault()->kind == DAM_FAULT_WRITE_AFTER_FREE)
        _exit(9);
}

TEST(what_still_waits_when_the_process_ends_is_looked_at) {
    (void)dam_trim();
    unsigned char *block = malloc_in_layer(100);
    struct child_result result = child_run(leave_a_written_block, block, CHILD_STDERR, 120);
    assert_true(child_exited_with(&result, 9));
    release(block);
}

static struct quarantined entry_for(void *block, size_t size) {
    return (struct quarantined){
        .block = block,
        .pool = pool_of(block),
        .size = size,
        .room = pool_of(block)->block_bytes,
    };
}

/* A fork may keep the thread that filled it from taking out what is due. */
TEST(a_quarantine_that_was_left_full_is_taken_up_again_by_the_next_release) {
    struct quarantined one_more;
    do
        one_more = entry_for(malloc_in_layer(100), 100);
    while (dam_quarantine_put(&one_more) == QUARANTINE_TAKEN);
    release(malloc_in_layer(100));
    assert_int_equal(dam_quarantine_put(&one_more), QUARANTINE_TAKEN);
}

TEST(fresh_small_blocks_come_in_no_order) {
    enum { COUNT = 200 };
    unsigned char *blocks[COUNT];
    size_t ascending = 0;
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = malloc_in_layer(40);
        ascending += i > 0 && (uintptr_t)blocks[i] > (uintptr_t)blocks[i - 1];
    }
    assert_true(ascending > COUNT / 4 && ascending < COUNT - COUNT / 4);
    for (size_t i = 0; i < COUNT; i++)
        release(blocks[i]);
}

/* ---- No memory --------------------------------------------------------------------------------------------------- */

/* All sizes, so that what the heap itself still has is used up by the way. */
static size_t use_up(size_t size, void **blocks, size_t count_max) {
    size_t count = 0;
    while (count < count_max && (blocks[count] = dam_malloc(size)) != NULL)
        count++;
    assert_true(count < count_max);
    return count;
}

enum { USED_UP_MAX = 100000 };

TEST(without_memory_every_entry_point_says_so_and_nothing_is_lost) {
    static void *blocks[USED_UP_MAX];
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++) {
        size_t size = LAYER_SIZES[i];
        unsigned char *kept = dam_malloc(size);
        unsigned char *kept_of_heap = dam_heap_malloc(heap, size);
        pattern_fill(kept, size, KEY(1));
        pattern_fill(kept_of_heap, size, KEY(2));
        (void)dam_trim();
        no_memory_begin(&hoard);
        fake_os.refuses_grow = true;
        fake_os.refuses_reserve = true;
        size_t used_up = use_up(size, blocks, USED_UP_MAX);
        void *of_heap[2000];
        size_t of_heap_count = 0;
        while (of_heap_count < COUNT_OF(of_heap) && (of_heap[of_heap_count] = dam_heap_malloc(heap, size)) != NULL)
            of_heap_count++;
        for (size_t j = 0; j < COUNT_OF(ENTRIES); j++) {
            errno = 0;
            void *block = ENTRIES[j].allocate(size + 20 * MIB); /* larger than what is left anywhere */
            assert_null(block);
            assert_int_equal(errno, ENOMEM);
        }
        errno = 0;
        void *one_more = dam_malloc(size); /* a sampled one has a page that is there already */
        assert_true(one_more != NULL ? dam_sampled_owns(one_more) : errno == ENOMEM);
        release(one_more);
        errno = 0;
        assert_null(dam_realloc(kept, size + 20 * MIB));
        assert_int_equal(errno, ENOMEM);
        errno = 0;
        assert_null(dam_heap_realloc(heap, kept_of_heap, size + 20 * MIB));
        assert_int_equal(errno, ENOMEM);
        fake_os.refuses_metadata = true;
        errno = 0;
        assert_null(dam_heap_create());
        assert_int_equal(errno, ENOMEM);
        no_memory_end(&hoard);
        assert_true(pattern_holds(kept, size, KEY(1)) && pattern_holds(kept_of_heap, size, KEY(2)));
        for (size_t j = 0; j < used_up; j++)
            release(blocks[j]);
        for (size_t j = 0; j < of_heap_count; j++)
            release(of_heap[j]);
        release(kept);
        release(kept_of_heap);
        for (size_t j = 0; j < COUNT_OF(ENTRIES); j++)
            release(enter(j, size));
    }
}

TEST(where_memory_is_refused_a_block_can_still_be_made_smaller) {
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++) {
        size_t size = LAYER_SIZES[i];
        unsigned char *block = dam_malloc(size);
        pattern_fill(block, size, KEY(3));
        (void)dam_trim();
        no_memory_begin(&hoard);
        fake_os.refuses_protect = true;
        errno = ERRNO_MARK;
        unsigned char *smaller = dam_realloc(block, size - 40);
        int reason = errno;
        no_memory_end(&hoard);
        assert_non_null(smaller);
        assert_int_equal(reason, ERRNO_MARK);
        assert_true(pattern_holds(smaller, size - 40, KEY(3)));
        if (is_protected(smaller))
            assert_int_equal(dam_malloc_usable_size(smaller), size - 40);
        release(smaller);
    }
}

/* A program that releases memory when there is none finds it again. */
TEST(where_memory_is_refused_what_waits_makes_way) {
    for (size_t i = 2; i < COUNT_OF(LAYER_SIZES); i++) {
        for (int of_heap = 0; of_heap <= 1; of_heap++) {
            size_t size = LAYER_SIZES[i];
            (void)dam_trim();
            unsigned char *block = malloc_in_layer(size);
            no_memory_begin(&hoard);
            assert_null(dam_malloc(size));
            release(block);
            errno = ERRNO_MARK;
            unsigned char *next = of_heap ? dam_heap_malloc(heap, size) : dam_malloc(size);
            int reason = errno;
            no_memory_end(&hoard);
            assert_non_null(next);
            assert_int_equal(reason, ERRNO_MARK);
            assert_int_equal(dam_malloc_usable_size(next), size);
            memset(next, 1, size);
            release(next);
        }
    }
}

static void use_every_layer_with_refused_guards(size_t size) {
    for (size_t i = 0; i < COUNT_OF(ENTRIES); i++) {
        unsigned char *block = enter(i, size);
        memset(block, 0xDB, size);
        assert_true(dam_malloc_usable_size(block) >= size);
        block = dam_realloc(block, size + 100);
        assert_non_null(block);
        assert_true(all_bytes_are(block, size, 0xDB));
        release(block);
    }
}

/* vm.max_map_count: no page can be made inaccessible, or accessible again. Blocks stand without guards then. */
TEST(where_guards_are_refused_blocks_do_without) {
    fake_os.refuses_protect = true;
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++)
        for (int round = 0; round < 4; round++)
            use_every_layer_with_refused_guards(LAYER_SIZES[i]);
    (void)dam_trim();
    assert_nothing_caught();
    assert_int_equal(dam_verify_all(), 0);
    fake_os_reset();
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++)
        use_every_layer_with_refused_guards(LAYER_SIZES[i]);
}

/* What is hidden or guarded when that begins is lost, and nothing else. */
TEST(where_guards_cannot_be_taken_away_blocks_are_lost_and_never_given_out_again) {
    void *blocks[COUNT_OF(LAYER_SIZES)][20];
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++)
        for (size_t j = 0; j < 20; j++)
            blocks[i][j] = dam_malloc(LAYER_SIZES[i]);
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++)
        for (size_t j = 0; j < 20; j += 2)
            release(blocks[i][j]);
    fake_os.refuses_protect = true;
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++)
        for (size_t j = 1; j < 20; j += 2)
            release(blocks[i][j]);
    (void)dam_trim();
    assert_nothing_caught();
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++)
        use_every_layer_with_refused_guards(LAYER_SIZES[i]);
    fake_os_reset();
    for (size_t i = 0; i < COUNT_OF(LAYER_SIZES); i++)
        use_every_layer_with_refused_guards(LAYER_SIZES[i]);
}

TEST(sizes_that_cannot_be_are_refused) {
    static const size_t IMPOSSIBLE[] = {PTRDIFF_MAX - 65536, PTRDIFF_MAX - 15, PTRDIFF_MAX - 8, PTRDIFF_MAX - 7,
                                        PTRDIFF_MAX,         (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 65536, SIZE_MAX - 15,
                                        SIZE_MAX - 8,        SIZE_MAX - 7,            SIZE_MAX};
    unsigned char *kept = dam_malloc(100);
    memset(kept, 0x5F, 100);
    for (size_t i = 0; i < COUNT_OF(IMPOSSIBLE); i++) {
        size_t size = opaque_size(IMPOSSIBLE[i]);
        for (size_t j = 0; j < COUNT_OF(ENTRIES); j++) {
            if (ENTRIES[j].allocate == enter_realloc_upwards || ENTRIES[j].allocate == enter_heap_realloc_upwards ||
                ENTRIES[j].allocate == enter_realloc_downwards)
                continue; /* their first blocks would be possible, in theory */
            errno = 0;
            assert_null(ENTRIES[j].allocate(size));
            assert_int_equal(errno, ENOMEM);
        }
        errno = 0;
        assert_null(dam_realloc(kept, size));
        assert_int_equal(errno, ENOMEM);
        assert_false(dam_expand(kept, size));
    }
    assert_true(all_bytes_are(kept, 100, 0x5F));
    release(kept);
}

int main(void) {
    const struct CMUnitTest under_any_profile[] = {
        protect_test(every_entry_point_gives_a_block_whose_usable_size_is_the_request),
        protect_test(blocks_come_from_where_the_profile_has_them),
        protect_test(a_change_of_any_of_the_first_bytes_behind_the_request_is_found_by_every_call),
        protect_test(a_released_block_is_none_to_any_call),
        protect_test(foreign_pointers_are_told_and_null_is_nothing),
        protect_test(a_size_that_is_not_the_request_is_told_in_every_layer),
        protect_test(blocks_are_aligned_up_to_a_gibibyte),
        protect_test(calloc_gives_zeroes_whatever_was_there_before),
        protect_test(a_block_keeps_the_smaller_of_both_sizes_from_each_layer_to_each_other),
        protect_test(realloc_to_nothing_releases),
        protect_test(a_block_that_grows_a_byte_at_a_time_keeps_its_content),
        protect_test(what_is_expanded_or_shrunk_in_place_has_its_new_size),
        protect_test(a_first_class_heap_goes_with_all_its_blocks_whatever_was_released_of_them),
        protect_test(a_first_class_heap_may_be_destroyed_after_other_threads_released_its_blocks),
        protect_test(blocks_outlive_the_threads_that_made_them_and_wait_after_those_that_released_them),
        protect_test(threads_that_release_each_others_blocks_lose_no_byte),
        protect_test(a_thread_whose_heap_is_gone_is_served_all_the_same),
        protect_test(a_child_releases_what_it_inherited_and_lives_on_as_any_process),
        protect_test(a_child_forked_in_the_middle_of_others_allocations_allocates_and_releases),
        protect_test(without_memory_every_entry_point_says_so_and_nothing_is_lost),
        protect_test(where_guards_are_refused_blocks_do_without),
        protect_test(where_guards_cannot_be_taken_away_blocks_are_lost_and_never_given_out_again),
        protect_test(a_change_behind_a_block_that_was_shrunk_in_place_is_found_up_to_its_old_end),
        protect_test(where_memory_is_refused_a_block_can_still_be_made_smaller),
        protect_test(sizes_that_cannot_be_are_refused),
    };
    const struct CMUnitTest in_full_guard[] = {
        protect_test(a_released_block_is_wiped_and_not_used_again_soon),
        protect_test(a_released_large_block_cannot_be_touched),
        protect_test(a_trim_lets_all_that_waits_go),
        protect_test(a_write_to_a_block_that_waits_is_found_by_a_trim),
        protect_test(what_still_waits_when_the_process_ends_is_looked_at),
        protect_test(a_quarantine_that_was_left_full_is_taken_up_again_by_the_next_release),
        protect_test(fresh_small_blocks_come_in_no_order),
        protect_test(where_memory_is_refused_what_waits_makes_way),
    };
    dam_start();
    int failed = cmocka_run_group_tests(under_any_profile, start, NULL);
    if (is_full())
        failed += cmocka_run_group_tests(in_full_guard, start, NULL);
    return failed;
}
