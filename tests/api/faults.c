// SPDX-License-Identifier: MIT
/* faults.c: what follows a fault is the program's choice: on_fault, dam_set_fault_handler, and what a faulty call does
 * when the program goes on: nothing.
 *
 *     every misuse  x  every call that comes upon it  x  by the block's thread, by another  x  every choice
 *
 * each in a child of its own: make the damage, call, look at what the call answered, mend the damage, verify the heap,
 * and go on in all layers. Not here: what a report says (unit/guard/fault.c), which misuse is found by default
 * (tests/faults). */
#include "dam/dam.h"
#include "inspect/verify.h"
#include "support/child.h"
#include "support/layers.h"
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define PATIENCE_SECONDS 120

/* ---- Misuses ----------------------------------------------------------------------------------------------------- */

struct scene {
    const struct misuse *misuse;
    unsigned char *block;   /* as dam_malloc gave it */
    unsigned char *address; /* as the faulty call is given it */
    size_t told_size;       /* as dam_free_sized is told it */
};

struct misuse {
    const char *words; /* of the report */
    enum dam_fault_kind kind;
    enum dam_layer layer;
    size_t size;
    bool names_block;   /* the handler is told the block ... */
    bool names_request; /* ... and its request */
    void (*make)(struct scene *scene);
    void (*mend)(struct scene *scene);
};

/* So much of a block is written, at its beginning. */
#define FILLED_MAX ((size_t)4096)

static unsigned char *allocate(size_t size) {
    unsigned char *block = opaque_pointer(dam_malloc(opaque_size(size)));
    CHECK(block != NULL);
    memset(block, 0x11, smaller_of(size, FILLED_MAX));
    return block;
}

static void mend_nothing(struct scene *scene) {
    (void)scene;
}

static void release_block(struct scene *scene) {
    dam_free(scene->block);
}

static void make_double_free(struct scene *scene) {
    dam_free(scene->block);
}

static unsigned char foreign[64];

static void make_foreign(struct scene *scene) {
    scene->address = foreign;
}

static void make_inside(struct scene *scene) {
    scene->address = scene->block + 48;
}

static void flip_one_byte_behind(struct scene *scene) {
    scene->block[scene->misuse->size] ^= 0x42;
}

static void mend_one_byte_behind(struct scene *scene) {
    flip_one_byte_behind(scene);
    dam_free(scene->block);
}

static void flip_one_byte_in_front(struct scene *scene) {
    scene->block[-1] ^= 0x42;
}

static void mend_one_byte_in_front(struct scene *scene) {
    flip_one_byte_in_front(scene);
    dam_free(scene->block);
}

static void tell_wrong_size(struct scene *scene) {
    scene->told_size = scene->misuse->size + 1000;
}

#define IN_EVERY_LAYER(words, kind, names_block, make, mend)                                                           \
    {words, kind, DAM_LAYER_SMALL, 100, names_block, false, make, mend},                                               \
        {words, kind, DAM_LAYER_GENERAL, 3000, names_block, names_block, make, mend},                                  \
        {words, kind, DAM_LAYER_DIRECT, 200000, names_block, names_block, make, mend},                                 \
        {words, kind, DAM_LAYER_DIRECT, 131072, names_block, names_block, make, mend}, {                               \
        words, kind, DAM_LAYER_DIRECT, 5000000, names_block, names_block, make, mend                                   \
    }

#define OVERFLOW "write past the end of a block"

/* What any call that is given an address comes upon. */
static const struct misuse MISUSES[] = {
    IN_EVERY_LAYER("double free", DAM_FAULT_DOUBLE_FREE, true, make_double_free, mend_nothing),
    IN_EVERY_LAYER("not the start of a block", DAM_FAULT_NOT_A_BLOCK, true, make_inside, release_block),
    {"not a DAM pointer", DAM_FAULT_FOREIGN_POINTER, DAM_LAYER_NONE, 100, false, false, make_foreign, release_block},
    {OVERFLOW, DAM_FAULT_OVERFLOW, DAM_LAYER_GENERAL, 3000, true, true, flip_one_byte_behind, mend_one_byte_behind},
    {OVERFLOW, DAM_FAULT_OVERFLOW, DAM_LAYER_GENERAL, 65536, true, true, flip_one_byte_behind, mend_one_byte_behind},
    {OVERFLOW, DAM_FAULT_OVERFLOW, DAM_LAYER_DIRECT, 200000, true, true, flip_one_byte_behind, mend_one_byte_behind},
    {OVERFLOW, DAM_FAULT_OVERFLOW, DAM_LAYER_DIRECT, 131072, true, true, flip_one_byte_behind, mend_one_byte_behind},
    {OVERFLOW, DAM_FAULT_OVERFLOW, DAM_LAYER_DIRECT, 5242880, true, true, flip_one_byte_behind, mend_one_byte_behind},
    {"damaged block header", DAM_FAULT_HEADER, DAM_LAYER_GENERAL, 3000, true, false, flip_one_byte_in_front,
     mend_one_byte_in_front},
};

/* What only dam_free_sized can come upon. */
static const struct misuse WRONG_SIZES[] = {
    {"wrong size", DAM_FAULT_WRONG_SIZE, DAM_LAYER_SMALL, 100, true, false, tell_wrong_size, release_block},
    {"wrong size", DAM_FAULT_WRONG_SIZE, DAM_LAYER_GENERAL, 3000, true, true, tell_wrong_size, release_block},
    {"wrong size", DAM_FAULT_WRONG_SIZE, DAM_LAYER_DIRECT, 200000, true, true, tell_wrong_size, release_block},
    {"wrong size", DAM_FAULT_WRONG_SIZE, DAM_LAYER_DIRECT, 5000000, true, true, tell_wrong_size, release_block},
};

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static void call_free(const struct scene *scene) {
    dam_free(opaque_pointer(scene->address));
    CHECK(errno == ERRNO_MARK);
}

static void call_realloc_to_nothing(const struct scene *scene) {
    CHECK(dam_realloc(opaque_pointer(scene->address), opaque_size(0)) == NULL);
    CHECK(errno == ERRNO_MARK);
}

static void call_free_sized(const struct scene *scene) {
    dam_free_sized(opaque_pointer(scene->address), scene->told_size);
    CHECK(errno == ERRNO_MARK);
}

static void call_free_aligned_sized(const struct scene *scene) {
    dam_free_aligned_sized(opaque_pointer(scene->address), 16, scene->told_size);
    CHECK(errno == ERRNO_MARK);
}

static void check_refused(const void *answer) {
    CHECK(answer == NULL);
    CHECK(errno == EINVAL);
    errno = ERRNO_MARK;
}

static void call_realloc(const struct scene *scene) {
    check_refused(dam_realloc(opaque_pointer(scene->address), scene->misuse->size * 2));
    check_refused(dam_realloc(opaque_pointer(scene->address), scene->misuse->size));
    check_refused(dam_realloc(opaque_pointer(scene->address), 1));
    check_refused(dam_realloc(opaque_pointer(scene->address), opaque_size(SIZE_MAX)));
}

static void call_reallocarray(const struct scene *scene) {
    check_refused(dam_reallocarray(opaque_pointer(scene->address), 3, scene->misuse->size));
}

static void call_heap_realloc(const struct scene *scene) {
    dam_heap *heap = dam_heap_create();
    CHECK(heap != NULL);
    errno = ERRNO_MARK;
    check_refused(dam_heap_realloc(heap, opaque_pointer(scene->address), scene->misuse->size * 2));
    dam_heap_destroy(heap);
}

static void call_expand(const struct scene *scene) {
    CHECK(!dam_expand(opaque_pointer(scene->address), scene->misuse->size));
    CHECK(!dam_expand(opaque_pointer(scene->address), scene->misuse->size + 1));
    CHECK(errno == ERRNO_MARK);
}

static void call_usable_size(const struct scene *scene) {
    CHECK(dam_malloc_usable_size(opaque_pointer(scene->address)) == 0);
    CHECK(errno == ERRNO_MARK);
}

struct call {
    const char *operation; /* as the report names it */
    size_t faults;         /* how often it comes upon the misuse */
    void (*make)(const struct scene *scene);
};

static const struct call CALLS[] = {
    {"free", 1, call_free},
    {"free", 1, call_realloc_to_nothing},
    {"free_sized", 1, call_free_sized},
    {"free_aligned_sized", 1, call_free_aligned_sized},
    {"realloc", 4, call_realloc},
    {"realloc", 1, call_reallocarray},
    {"realloc", 1, call_heap_realloc},
    {"expand", 2, call_expand},
    {"malloc_usable_size", 1, call_usable_size},
};

static const struct call SIZED_CALLS[] = {
    {"free_sized", 1, call_free_sized},
    {"free_aligned_sized", 1, call_free_aligned_sized},
};

/* ---- Choices ----------------------------------------------------------------------------------------------------- */

struct trial {
    const struct misuse *misuse;
    const struct call *call;
    bool by_other_thread;
    const char *on_fault;
    bool has_handler;
};

/* What the handler saw. */
static struct {
    const struct trial *trial;
    const struct scene *scene;
    size_t calls;
} seen;

static void look_at_fault(const struct dam_fault_info *info, void *context) {
    const struct scene *scene = seen.scene;
    const struct misuse *misuse = scene->misuse;
    CHECK(context == &seen);
    CHECK(info->struct_bytes == sizeof *info);
    CHECK(info->kind == misuse->kind);
    CHECK(info->layer == misuse->layer);
    CHECK(strcmp(info->operation, seen.trial->call->operation) == 0);
    CHECK(info->address == scene->address);
    CHECK(info->block == (misuse->names_block ? scene->block : NULL));
    CHECK(info->requested_bytes == (misuse->names_request ? misuse->size : 0));
    CHECK(info->can_continue);
    char first_line[200];
    int length = snprintf(first_line, sizeof first_line, "dam: fault: %s: %s of 0x%zx\n", misuse->words,
                          info->operation, (uintptr_t)info->address);
    CHECK(length > 0 && info->report_bytes > (size_t)length);
    CHECK(memcmp(info->report, first_line, (size_t)length) == 0);
    CHECK(info->report[info->report_bytes - 1] == '\n');
    char on_fault[16]; /* the one thing of DAM that may be called from here */
    CHECK(dam_option_get("on_fault", on_fault, sizeof on_fault) == 0);
    CHECK(strcmp(on_fault, seen.trial->on_fault) == 0);
    seen.calls++;
    errno = 999; /* is nobody's but ours */
}

/* The heap is as good as before: everywhere in it blocks come, keep what they hold, and go. */
static void go_on_in_all_layers(void) {
    enum { COUNT = 4 };
    static unsigned char *blocks[COUNT][COUNT_OF(SIZES_OF_EVERY_LAYER)];
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT_OF(SIZES_OF_EVERY_LAYER); j++) {
            blocks[i][j] = allocate(SIZES_OF_EVERY_LAYER[j]);
            memset(blocks[i][j], (int)(i + j), smaller_of(SIZES_OF_EVERY_LAYER[j], FILLED_MAX));
        }
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < COUNT_OF(SIZES_OF_EVERY_LAYER); j++) {
            size_t filled = smaller_of(SIZES_OF_EVERY_LAYER[j], FILLED_MAX);
            CHECK(all_bytes_are(blocks[i][j], filled, (unsigned char)(i + j)));
            dam_free(blocks[i][j]);
        }
    }
    CHECK(dam_verify_all() == 0);
}

static void *call_it(void *trial) {
    const struct call *call = ((const struct trial *)trial)->call;
    errno = ERRNO_MARK;
    call->make(seen.scene);
    return NULL;
}

static void run_trial(void *argument) {
    struct trial *trial = argument;
    struct scene scene = {.misuse = trial->misuse, .told_size = trial->misuse->size};
    scene.block = allocate(trial->misuse->size);
    scene.address = scene.block;
    unsigned char *beside = allocate(trial->misuse->size); /* so that its pool has other blocks */
    trial->misuse->make(&scene);
    CHECK(dam_option_set("on_fault", trial->on_fault) == 0);
    if (trial->has_handler)
        dam_set_fault_handler(look_at_fault, &seen);
    seen.trial = trial;
    seen.scene = &scene;
    if (trial->by_other_thread) {
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, call_it, trial) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
    } else {
        call_it(trial);
    }
    bool is_told = trial->has_handler && strcmp(trial->on_fault, "ignore") != 0;
    CHECK(seen.calls == (is_told ? trial->call->faults : 0));
    dam_set_fault_handler(NULL, NULL);
    CHECK(dam_option_set("on_fault", "abort") == 0);
    trial->misuse->mend(&scene);
    CHECK(dam_verify_all() == 0);
    CHECK(all_bytes_are(beside, smaller_of(trial->misuse->size, FILLED_MAX), 0x11));
    dam_free(beside);
    CHECK(dam_verify_all() == 0);
    go_on_in_all_layers();
}

static size_t count_of(const char *text, const char *word) {
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word))
        count++;
    return count;
}

/* ---- Going on ---------------------------------------------------------------------------------------------------- */

static void expect_going_on(struct trial *trial) {
    struct child_result result = child_run(run_trial, trial, CHILD_STDERR, PATIENCE_SECONDS);
    bool went_on = child_exited_with(&result, 0);
    char first_line[200];
    assert_true(snprintf(first_line, sizeof first_line, "dam: fault: %s: %s of 0x", trial->misuse->words,
                         trial->call->operation) > 0);
    bool is_silent = strcmp(trial->on_fault, "ignore") == 0;
    size_t reports = count_of(result.output, first_line);
    bool said_right = reports == (is_silent ? 0 : trial->call->faults) &&
                      count_of(result.output, "dam: fault: ") == reports && (!is_silent || result.output_bytes == 0);
    if (!went_on || !said_right)
        fail_msg("%s of %zu bytes, found by %s, by %s thread, on_fault=%s, with%s handler:\n%s", trial->misuse->words,
                 trial->misuse->size, trial->call->operation, trial->by_other_thread ? "another" : "the same",
                 trial->on_fault, trial->has_handler ? "" : "out", result.output);
}

static void expect_going_on_after_each(const struct misuse *misuses, size_t misuse_count, const struct call *calls,
                                       size_t call_count, const char *on_fault, bool has_handler) {
    for (size_t i = 0; i < misuse_count; i++) {
        for (size_t j = 0; j < call_count; j++) {
            for (int by_other_thread = 0; by_other_thread <= 1; by_other_thread++) {
                struct trial trial = {&misuses[i], &calls[j], by_other_thread, on_fault, has_handler};
                expect_going_on(&trial);
            }
        }
    }
}

static void expect_going_on_after_all(const char *on_fault, bool has_handler) {
    expect_going_on_after_each(MISUSES, COUNT_OF(MISUSES), CALLS, COUNT_OF(CALLS), on_fault, has_handler);
    expect_going_on_after_each(WRONG_SIZES, COUNT_OF(WRONG_SIZES), SIZED_CALLS, COUNT_OF(SIZED_CALLS), on_fault,
                               has_handler);
}

TEST(with_on_fault_report_every_faulty_call_is_reported_and_does_nothing) {
    expect_going_on_after_all("report", false);
}

TEST(with_on_fault_ignore_every_faulty_call_does_nothing_without_a_word) {
    expect_going_on_after_all("ignore", false);
}

TEST(a_handler_is_told_of_every_faulty_call_and_when_it_returns_the_call_does_nothing) {
    expect_going_on_after_all("abort", true);
}

/* The handler matters as little to these as they to it. */
TEST(report_calls_the_handler_too_and_ignore_does_not) {
    expect_going_on_after_each(MISUSES, COUNT_OF(MISUSES), CALLS, 1, "report", true);
    expect_going_on_after_each(MISUSES, COUNT_OF(MISUSES), CALLS, 1, "ignore", true);
}

static void expect_abort(struct trial *trial) {
    struct child_result result = child_run(run_trial, trial, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_int_equal(count_of(result.output, "dam: fault: "), 1);
}

TEST(without_a_choice_every_faulty_call_ends_the_program) {
    for (size_t i = 0; i < COUNT_OF(MISUSES); i++) {
        for (size_t j = 0; j < COUNT_OF(CALLS); j++) {
            struct trial trial = {&MISUSES[i], &CALLS[j], false, "abort", false};
            expect_abort(&trial);
        }
    }
    for (size_t i = 0; i < COUNT_OF(WRONG_SIZES); i++) {
        struct trial trial = {&WRONG_SIZES[i], &SIZED_CALLS[0], false, "abort", false};
        expect_abort(&trial);
    }
}

/* ---- Direct blocks, to the byte ---------------------------------------------------------------------------------- */

static size_t overflows_seen;

static void count_overflow(const struct dam_fault_info *info, void *context) {
    (void)context;
    CHECK(info->kind == DAM_FAULT_OVERFLOW && info->layer == DAM_LAYER_DIRECT);
    overflows_seen++;
}

static const size_t DIRECT_SIZES[] = {65537,   65544,       25 * 4096,      25 * 4096 - 8, 131064,
                                      131072,  131080,      1048576 - 8,    1048576,       1048577,
                                      2097152, 2097152 - 8, 2097152 + 4096, 3000000,       16777216};

static void check_found_by_every_call(unsigned char *block, size_t size) {
    overflows_seen = 0;
    dam_free(block);
    CHECK(overflows_seen == 1);
    CHECK(dam_realloc(block, size + 100000) == NULL);
    CHECK(dam_realloc(block, size - 60000) == NULL);
    CHECK(overflows_seen == 3);
    CHECK(dam_malloc_usable_size(block) == 0);
    CHECK(!dam_expand(block, size - 1));
    CHECK(overflows_seen == 5);
}

static void overflow_direct_blocks(void *unused) {
    (void)unused;
    dam_set_fault_handler(count_overflow, NULL);
    for (size_t i = 0; i < COUNT_OF(DIRECT_SIZES); i++) {
        size_t size = DIRECT_SIZES[i];
        unsigned char *block = allocate(size);
        CHECK(dam_malloc_usable_size(block) == size);
        unsigned char behind[8];
        memcpy(behind, opaque_pointer(block + size), sizeof behind);
        CHECK(behind[0] != 0);
        for (size_t j = 0; j < sizeof behind; j++) { /* one byte */
            block[size + j] ^= 0x80;
            check_found_by_every_call(block, size);
            block[size + j] ^= 0x80;
        }
        block[size] = 0; /* a string's end */
        check_found_by_every_call(block, size);
        memset(block + size, 'A', sizeof behind);
        check_found_by_every_call(block, size);
        memcpy(block + size, behind, sizeof behind);
        CHECK(dam_malloc_usable_size(block) == size);
        dam_free(block);
        CHECK(dam_verify_all() == 0);
    }
}

/* Resized blocks have their canary where they end now, wherever they end. */
static void overflow_resized_direct_blocks(void *unused) {
    (void)unused;
    dam_set_fault_handler(count_overflow, NULL);
    unsigned char *block = allocate(100000);
    for (size_t i = 0; i < COUNT_OF(DIRECT_SIZES); i++) {
        size_t size = DIRECT_SIZES[COUNT_OF(DIRECT_SIZES) - 1 - i * 7 % COUNT_OF(DIRECT_SIZES)];
        block = opaque_pointer(dam_realloc(block, size));
        CHECK(block != NULL);
        memset(block, 0x22, size);
        CHECK(dam_malloc_usable_size(block) == size);
        block[size] ^= 1;
        check_found_by_every_call(block, size);
        block[size] ^= 1;
    }
    overflows_seen = 0;
    dam_free(block);
    CHECK(overflows_seen == 0);
    CHECK(dam_verify_all() == 0);
}

TEST(a_direct_block_may_be_written_to_its_last_byte_and_not_one_further) {
    struct child_result result = child_run(overflow_direct_blocks, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
}

TEST(a_resized_direct_block_may_be_written_to_its_new_last_byte_and_not_one_further) {
    struct child_result result = child_run(overflow_resized_direct_blocks, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
}

/* ---- Found when memory is asked for ------------------------------------------------------------------------------ */

static void note_write_after_free(const struct dam_fault_info *info, void *context) {
    CHECK(info->kind == DAM_FAULT_WRITE_AFTER_FREE);
    CHECK(info->address == context && info->block == context);
    CHECK(strcmp(info->operation, "reuse") == 0);
    CHECK(info->can_continue);
    seen.calls++;
}

static void write_after_free_and_ask_again(void *argument) {
    size_t size = *(const size_t *)argument;
    unsigned char *block = allocate(size);
    unsigned char *beside = allocate(size);
    dam_set_fault_handler(note_write_after_free, block);
    dam_free(block);
    memset(block, 'A', 8);
    for (int i = 0; i < 3000; i++) {
        errno = ERRNO_MARK;
        unsigned char *fresh = opaque_pointer(dam_malloc(size));
        CHECK(fresh != NULL && fresh != block && errno == ERRNO_MARK);
        memset(fresh, 0x33, size);
    }
    CHECK(seen.calls == 1);
    CHECK(all_bytes_are(beside, size, 0x11));
    CHECK(dam_verify_all() == 0);
    go_on_in_all_layers();
}

TEST(a_free_block_that_was_written_to_is_reported_once_and_never_given_out_again) {
    static const size_t SIZES[] = {16, 100, 256, 300, 3000};
    for (size_t i = 0; i < COUNT_OF(SIZES); i++) {
        size_t size = SIZES[i];
        struct child_result result = child_run(write_after_free_and_ask_again, &size, CHILD_STDERR, PATIENCE_SECONDS);
        assert_true(child_exited_with(&result, 0));
        assert_int_equal(count_of(result.output, "dam: fault: write to a free block: reuse of 0x"), 1);
    }
}

/* ---- What cannot be gone on with --------------------------------------------------------------------------------- */

#define LAST_WORDS "dam:   DAM cannot go on with this, whatever on_fault says\n"

static void say_that_it_ends(const struct dam_fault_info *info, void *context) {
    CHECK(context == foreign);
    CHECK(info->kind == DAM_FAULT_HEADER && info->layer == DAM_LAYER_GENERAL && !info->can_continue);
    CHECK(strcmp(info->operation, "merge with") == 0);
    printf("told\n");
    fflush(stdout);
}

/* The header behind a block that is merged: the pool cannot be walked any further. */
static void damage_header_and_merge_in_front(void *argument) {
    const struct trial *trial = argument;
    unsigned char *block = allocate(3000);
    unsigned char *behind = allocate(3000);
    CHECK(behind > block);
    CHECK(dam_option_set("on_fault", trial->on_fault) == 0);
    if (trial->has_handler)
        dam_set_fault_handler(say_that_it_ends, foreign);
    behind[-1] ^= 0x42;
    dam_free(block);
    dam_trim();
}

TEST(damage_that_dam_cannot_go_on_with_ends_the_program_whatever_it_chose) {
    static const char *const CHOICES[] = {"abort", "report", "ignore"};
    for (size_t i = 0; i < COUNT_OF(CHOICES); i++) {
        for (int has_handler = 0; has_handler <= 1; has_handler++) {
            struct trial trial = {.on_fault = CHOICES[i], .has_handler = has_handler};
            struct child_result result =
                child_run(damage_header_and_merge_in_front, &trial, CHILD_BOTH, PATIENCE_SECONDS);
            assert_true(child_was_killed_by(&result, SIGABRT));
            assert_int_equal(count_of(result.output, "dam: fault: damaged block header: merge with of 0x"), 1);
            assert_int_equal(count_of(result.output, "dam: fault: "), 1);
            const char *last =
                i == 0 ? (has_handler ? "told\n" : "\n") : (has_handler ? LAST_WORDS "told\n" : LAST_WORDS);
            assert_string_equal(result.output + result.output_bytes - strlen(last), last);
            assert_int_equal(count_of(result.output, LAST_WORDS), i > 0);
            assert_int_equal(count_of(result.output, "told\n"), has_handler);
        }
    }
}

/* ---- Handlers ---------------------------------------------------------------------------------------------------- */

static void repeat_report(const struct dam_fault_info *info, void *context) {
    (void)context;
    CHECK(write(STDERR_FILENO, info->report, info->report_bytes) == (ssize_t)info->report_bytes);
}

static void free_foreign_with_handler_that_repeats(void *unused) {
    (void)unused;
    dam_set_fault_handler(repeat_report, NULL);
    dam_free(opaque_pointer(foreign));
}

TEST(the_handler_gets_the_whole_report_as_it_was_written) {
    struct child_result result =
        child_run(free_foreign_with_handler_that_repeats, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
    assert_int_equal(result.output_bytes % 2, 0);
    size_t half = result.output_bytes / 2;
    assert_true(half > 0);
    assert_memory_equal(result.output, result.output + half, half);
    assert_int_equal(result.output[half - 1], '\n');
}

static sigjmp_buf before_the_call;

static void jump_away(const struct dam_fault_info *info, void *context) {
    (void)info;
    seen.calls++;
    siglongjmp(*(sigjmp_buf *)context, 1);
}

static void leave_each_fault_by_a_jump(void *unused) {
    (void)unused;
    static volatile size_t faults;
    dam_set_fault_handler(jump_away, &before_the_call);
    for (volatile size_t i = 0; i < COUNT_OF(MISUSES); i++) {
        for (volatile size_t j = 0; j < COUNT_OF(CALLS); j++) {
            static struct scene scene;
            scene = (struct scene){.misuse = &MISUSES[i], .told_size = MISUSES[i].size};
            scene.block = scene.address = allocate(MISUSES[i].size);
            scene.misuse->make(&scene);
            if (sigsetjmp(before_the_call, 0) == 0) {
                CALLS[j].make(&scene);
                CHECK(false); /* the call does not return */
            }
            faults++;
            CHECK(seen.calls == faults);
            scene.misuse->mend(&scene);
            CHECK(dam_verify_all() == 0);
        }
    }
    go_on_in_all_layers();
}

TEST(a_handler_may_leave_a_faulty_call_by_a_jump) {
    struct child_result result = child_run(leave_each_fault_by_a_jump, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
}

static void leave_damage_by_a_jump(void *unused) {
    (void)unused;
    unsigned char *block = allocate(3000);
    unsigned char *behind = allocate(3000);
    CHECK(behind > block);
    dam_set_fault_handler(jump_away, &before_the_call);
    behind[-1] ^= 0x42;
    dam_free(block);
    if (sigsetjmp(before_the_call, 0) == 0) {
        dam_trim();
        CHECK(false);
    }
    _exit(33);
}

TEST(a_handler_that_does_not_return_keeps_the_program_from_ending) {
    struct child_result result = child_run(leave_damage_by_a_jump, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 33));
}

static void take_handler_away(void *unused) {
    (void)unused;
    dam_set_fault_handler(repeat_report, NULL);
    dam_set_fault_handler(jump_away, &before_the_call);
    dam_set_fault_handler(NULL, NULL);
    dam_free(opaque_pointer(foreign));
}

TEST(without_its_handler_the_program_ends_again) {
    struct child_result result = child_run(take_handler_away, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_was_killed_by(&result, SIGABRT));
    assert_int_equal(count_of(result.output, "dam: fault: not a DAM pointer: free of 0x"), 1);
}

/* ---- Several threads --------------------------------------------------------------------------------------------- */

enum { THREADS = 4, FAULTS_EACH = 200 };

static atomic_size_t faults_of_all;

static void count_fault(const struct dam_fault_info *info, void *context) {
    CHECK(info->kind == DAM_FAULT_DOUBLE_FREE);
    CHECK(context == &faults_of_all);
    atomic_fetch_add(&faults_of_all, 1);
}

static void *free_twice_many_times(void *argument) {
    static const size_t SIZES[] = {100, 3000, 200000};
    for (size_t i = 0; i < FAULTS_EACH; i++) {
        unsigned char *block = allocate(SIZES[i % COUNT_OF(SIZES)]);
        dam_free(block);
        if (i % COUNT_OF(SIZES) != 2) /* a direct block's place may be another thread's by now */
            dam_free(opaque_pointer(block));
        else
            atomic_fetch_add(&faults_of_all, 1);
    }
    return argument;
}

static void free_twice_in_all_threads(void *unused) {
    (void)unused;
    pthread_t threads[THREADS];
    dam_set_fault_handler(count_fault, &faults_of_all);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, free_twice_many_times, NULL) == 0);
    for (size_t i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(atomic_load(&faults_of_all) == THREADS * FAULTS_EACH);
    CHECK(dam_verify_all() == 0);
    go_on_in_all_layers();
}

TEST(threads_that_meet_faults_at_once_each_have_theirs_handled) {
    struct child_result result = child_run(free_twice_in_all_threads, NULL, CHILD_STDERR, PATIENCE_SECONDS);
    assert_true(child_exited_with(&result, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_on_fault_report_every_faulty_call_is_reported_and_does_nothing),
        cmocka_unit_test(with_on_fault_ignore_every_faulty_call_does_nothing_without_a_word),
        cmocka_unit_test(a_handler_is_told_of_every_faulty_call_and_when_it_returns_the_call_does_nothing),
        cmocka_unit_test(report_calls_the_handler_too_and_ignore_does_not),
        cmocka_unit_test(without_a_choice_every_faulty_call_ends_the_program),
        cmocka_unit_test(a_direct_block_may_be_written_to_its_last_byte_and_not_one_further),
        cmocka_unit_test(a_resized_direct_block_may_be_written_to_its_new_last_byte_and_not_one_further),
        cmocka_unit_test(a_free_block_that_was_written_to_is_reported_once_and_never_given_out_again),
        cmocka_unit_test(damage_that_dam_cannot_go_on_with_ends_the_program_whatever_it_chose),
        cmocka_unit_test(the_handler_gets_the_whole_report_as_it_was_written),
        cmocka_unit_test(a_handler_may_leave_a_faulty_call_by_a_jump),
        cmocka_unit_test(a_handler_that_does_not_return_keeps_the_program_from_ending),
        cmocka_unit_test(without_its_handler_the_program_ends_again),
        cmocka_unit_test(threads_that_meet_faults_at_once_each_have_theirs_handled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
