// SPDX-License-Identifier: MIT
/* going_on.c: a program that is to go on after a fault (on_fault=report, on_fault=ignore, a handler that returns): the
 * faulty call has done nothing, and says so as far as its contract lets it. The scenes look at that themselves.
 *
 * Not here: that nothing comes of each kind of misuse later, if the program goes on; that is in the kind's own file. */
#include "faults/specimen.h"

#ifndef SPECIMEN_ON_LIBC

#include <pthread.h>

/* ---- Scenes: what the calls return ------------------------------------------------------------------------------- */

static void realloc_returns_null_and_einval(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    if (act->is_misuse)
        release(block);
    errno = 0;
    void *resized = dam_realloc(opaque_pointer(block), 2 * act->size);
    CHECK((resized == NULL) == act->is_misuse);
    CHECK(errno == (act->is_misuse ? EINVAL : 0));
}

static void usable_size_is_0(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    if (act->is_misuse)
        release(block);
    CHECK((dam_malloc_usable_size(opaque_pointer(block)) == 0) == act->is_misuse);
}

static void expand_is_refused(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    if (act->is_misuse)
        release(block);
    CHECK(dam_expand(opaque_pointer(block), act->size) == !act->is_misuse);
}

/* ---- Scenes: what becomes of the block --------------------------------------------------------------------------- */

/* Its owner can still use and release it. */
static void release_of_its_middle_leaves_it(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_place("given", block + 16);
    memset(block, 0x33, act->size);
    if (act->is_misuse)
        dam_free(opaque_pointer(block + 16));
    CHECK(all_bytes_are(block, act->size, 0x33));
    dam_free(block);
}

static void wrong_size_leaves_it(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    memset(block, 0x33, act->size);
    if (act->is_misuse)
        dam_free_sized(opaque_pointer(block), act->size / 2);
    CHECK(all_bytes_are(block, act->size, 0x33));
    dam_free_sized(block, act->size);
}

/* Not given out again, and not written to by DAM: whoever ran over it may be using it still. */
static void overrun_block_stays(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    hold(block, act->size);
    if (!act->is_misuse)
        return;
    block[act->size] ^= 0x42;
    dam_free(block);
}

/* ---- Scenes: what the handler does ------------------------------------------------------------------------------- */

static struct {
    const struct act *act;
    const void *block;
    int calls;
    jmp_buf back;
} handled;

/* Everything the handler is told is what the report says. */
static void handler_that_returns(const struct dam_fault_info *fault, void *context) {
    CHECK(context == &handled);
    CHECK(fault->struct_bytes >= sizeof *fault);
    CHECK(fault->kind == DAM_FAULT_DOUBLE_FREE);
    CHECK(fault->address == handled.block);
    CHECK(fault->layer == dam_layer_for_size(handled.act->size));
    CHECK(strcmp(fault->operation, "free") == 0);
    CHECK(fault->can_continue);
    static const char start[] = "dam: fault: double free: free of 0x";
    CHECK(fault->report_bytes > sizeof start && memcmp(fault->report, start, sizeof start - 1) == 0);
    handled.calls++;
}

static void handler_that_jumps(const struct dam_fault_info *fault, void *context) {
    (void)fault;
    (void)context;
    handled.calls++;
    longjmp(handled.back, 1); // NOLINT(cert-err52-cpp)
}

static void handler_that_exits(const struct dam_fault_info *fault, void *context) {
    (void)fault;
    (void)context;
    _exit(0);
}

/* For faults after which the process ends whatever it does. */
static void handler_that_says_so(const struct dam_fault_info *fault, void *context) {
    static const char text[] = "dam:   the handler was told\n";
    (void)context;
    CHECK(!fault->can_continue);
    CHECK(write(STDERR_FILENO, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
}

static void release_twice(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    handled.act = act;
    handled.block = block;
    release(block);
    give(act, act->is_misuse ? block : obtain(act->size));
}

static void handler_returns(const struct act *act) {
    dam_set_fault_handler(handler_that_returns, &handled);
    release_twice(act);
    CHECK(handled.calls == act->is_misuse);
}

static void handler_jumps(const struct act *act) {
    dam_set_fault_handler(handler_that_jumps, NULL);
    if (setjmp(handled.back) == 0)
        release_twice(act);
    CHECK(handled.calls == act->is_misuse);
}

static void handler_exits(const struct act *act) {
    dam_set_fault_handler(handler_that_exits, NULL);
    release_twice(act);
    CHECK(!act->is_misuse);
}

static void handler_was_taken_away(const struct act *act) {
    dam_set_fault_handler(handler_that_exits, NULL);
    dam_set_fault_handler(NULL, NULL);
    release_twice(act);
}

/* The header of a live block is destroyed, and the block behind it merges with its neighbours: DAM cannot go on. */
static void handler_of_lost_header(const struct act *act) {
    unsigned char *blocks[60];
    dam_set_fault_handler(handler_that_says_so, NULL);
    for (size_t i = 0; i < COUNT_OF(blocks); i++)
        blocks[i] = obtain(act->size);
    if (act->is_misuse)
        memset(opaque_pointer(blocks[30] - 8), 0x42, 8);
    for (size_t i = 0; i < COUNT_OF(blocks); i++) {
        if (i != 30)
            dam_free(blocks[i]);
    }
    (void)dam_trim();
}

/* The option can be changed at any time. */
static void told_to_report_at_run_time(const struct act *act) {
    CHECK(dam_option_set("on_fault", "report") == 0);
    release_twice(act);
    CHECK(dam_option_set("on_fault", "ignore") == 0);
    release_twice(act);
}

/* A read past the end, on a page that is inaccessible: the report is made in the signal's handler, and the program then
 * goes on with the page as it is. */
static void reads_behind_a_sampled_block(const struct act *act) {
    unsigned char *block = obtain(act->size);
    size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *page_end = block + page_bytes - (uintptr_t)block % page_bytes;
    tell_block(block, act->size);
    tell_place("place", page_end);
    tell_thread("doer");
    if (act->is_misuse)
        CHECK(peek(page_end) == 0);
    release(block);
}

static void reads_a_released_sampled_block(const struct act *act) {
    unsigned char *block = obtain(act->size);
    tell_block(block, act->size);
    tell_thread("doer");
    release(block);
    if (act->is_misuse)
        CHECK(peek(block) == 0);
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define DOUBLE_FREE "double free: free of @block"

const struct specimen specimens[] = {
    CASE_GOES_ON("small.realloc_returns_null", report, realloc_returns_null_and_einval, SMALL, OWNER, REALLOC,
                 "double free: realloc of @block"),
    CASE_GOES_ON("general.realloc_returns_null", report, realloc_returns_null_and_einval, GENERAL, OWNER, REALLOC,
                 "double free: realloc of @block"),
    CASE_GOES_ON("slices.realloc_returns_null", report, realloc_returns_null_and_einval, SLICES, OWNER, REALLOC,
                 "double free: realloc of @block"),
    CASE_SILENT("small.realloc_returns_null", ignore, realloc_returns_null_and_einval, SMALL, OWNER, REALLOC),
    CASE_SILENT("general.realloc_returns_null", ignore, realloc_returns_null_and_einval, GENERAL, OWNER, REALLOC),
    CASE_SILENT("slices.realloc_returns_null", ignore, realloc_returns_null_and_einval, SLICES, OWNER, REALLOC),
    CASE_SILENT("small.realloc_returns_null", off, realloc_returns_null_and_einval, SMALL, OWNER, REALLOC),
    CASE_GOES_ON("small.usable_size_is_0", report, usable_size_is_0, SMALL, OWNER, USABLE_SIZE,
                 "double free: malloc_usable_size of @block"),
    CASE_GOES_ON("general.usable_size_is_0", report, usable_size_is_0, GENERAL, OWNER, USABLE_SIZE,
                 "double free: malloc_usable_size of @block"),
    CASE_GOES_ON("slices.usable_size_is_0", report, usable_size_is_0, SLICES, OWNER, USABLE_SIZE,
                 "double free: malloc_usable_size of @block"),
    CASE_SILENT("small.usable_size_is_0", ignore, usable_size_is_0, SMALL, OWNER, USABLE_SIZE),
    CASE_GOES_ON("small.usable_size_is_0", full_report, usable_size_is_0, SMALL, OWNER, USABLE_SIZE,
                 "double free: malloc_usable_size of @block"),
    CASE_GOES_ON("small.usable_size_is_0", sampled_report, usable_size_is_0, SMALL, OWNER, USABLE_SIZE,
                 "double free: malloc_usable_size of @block"),
    CASE_GOES_ON("small.expand_is_refused", report, expand_is_refused, SMALL, OWNER, EXPAND,
                 "double free: expand of @block"),
    CASE_GOES_ON("general.expand_is_refused", report, expand_is_refused, GENERAL, OWNER, EXPAND,
                 "double free: expand of @block"),

    CASE_GOES_ON("small.release_of_its_middle_leaves_it", report, release_of_its_middle_leaves_it, SMALL, OWNER, FREE,
                 "not the start of a block: free of @given"),
    CASE_GOES_ON("general.release_of_its_middle_leaves_it", report, release_of_its_middle_leaves_it, GENERAL, OWNER,
                 FREE, "not the start of a block: free of @given"),
    CASE_GOES_ON("slices.release_of_its_middle_leaves_it", report, release_of_its_middle_leaves_it, SLICES, OWNER, FREE,
                 "not the start of a block: free of @given"),
    CASE_SILENT("small.release_of_its_middle_leaves_it", ignore, release_of_its_middle_leaves_it, SMALL, OWNER, FREE),
    CASE_SILENT("general.release_of_its_middle_leaves_it", ignore, release_of_its_middle_leaves_it, GENERAL, OWNER,
                FREE),
    CASE_SILENT("slices.release_of_its_middle_leaves_it", ignore, release_of_its_middle_leaves_it, SLICES, OWNER, FREE),
    CASE_GOES_ON("small.wrong_size_leaves_it", report, wrong_size_leaves_it, SMALL, OWNER, FREE,
                 "wrong size: free_sized of @block"),
    CASE_GOES_ON("general.wrong_size_leaves_it", report, wrong_size_leaves_it, GENERAL, OWNER, FREE,
                 "wrong size: free_sized of @block"),
    CASE_GOES_ON("slices.wrong_size_leaves_it", report, wrong_size_leaves_it, SLICES, OWNER, FREE,
                 "wrong size: free_sized of @block"),
    CASE_SILENT("general.wrong_size_leaves_it", ignore, wrong_size_leaves_it, GENERAL, OWNER, FREE),
    CASE_GOES_ON("general.overrun_block_stays", report, overrun_block_stays, GENERAL, OWNER, FREE,
                 "write past the end of a block: free of @block"),
    CASE_GOES_ON("slices.overrun_block_stays", report, overrun_block_stays, SLICES, OWNER, FREE,
                 "write past the end of a block: free of @block"),
    CASE_GOES_ON("small.overrun_block_stays", tail_report, overrun_block_stays, SMALL, OWNER, FREE,
                 "write past the end of a block: free of @block"),
    CASE_SILENT("general.overrun_block_stays", ignore, overrun_block_stays, GENERAL, OWNER, FREE),

    CASE_GOES_ON("small.handler_returns", default, handler_returns, SMALL, OWNER, FREE, DOUBLE_FREE),
    CASE_GOES_ON("general.handler_returns", default, handler_returns, GENERAL, OWNER, FREE, DOUBLE_FREE),
    CASE_GOES_ON("slices.handler_returns", default, handler_returns, SLICES, OWNER, FREE, DOUBLE_FREE),
    CASE_GOES_ON("small.handler_returns_by_another_thread", default, handler_returns, SMALL, OTHER, FREE, DOUBLE_FREE),
    CASE_GOES_ON("small.handler_jumps", default, handler_jumps, SMALL, OWNER, FREE, DOUBLE_FREE),
    CASE_GOES_ON("small.handler_exits", default, handler_exits, SMALL, OWNER, FREE, DOUBLE_FREE),
    CASE("small.handler_was_taken_away", default, handler_was_taken_away, SMALL, OWNER, FREE, DOUBLE_FREE),
    CASE_GOES_ON("small.told_to_report_at_run_time", default, told_to_report_at_run_time, SMALL, OWNER, FREE,
                 "double free: free of *"),
    CASE("general.handler_of_lost_header", default, handler_of_lost_header, GENERAL, OWNER, FREE,
         "damaged block header: merge with of *", "the handler was told"),
    CASE("general.handler_of_lost_header", report, handler_of_lost_header, GENERAL, OWNER, FREE,
         "damaged block header: merge with of *", "DAM cannot go on with this, whatever on_fault says",
         "the handler was told"),
    CASE("general.handler_of_lost_header", ignore, handler_of_lost_header, GENERAL, OWNER, FREE,
         "damaged block header: merge with of *", "DAM cannot go on with this, whatever on_fault says",
         "the handler was told"),

    CASE_GOES_ON("small.reads_behind", sampled_report, reads_behind_a_sampled_block, SMALL, OWNER, FREE,
                 "access past the end of a block: read of @place"),
    CASE_GOES_ON("small.reads_after_free", sampled_report, reads_a_released_sampled_block, SMALL, OWNER, FREE,
                 "access to a released block: read of @block"),
    CASE_SILENT("small.reads_after_free", sampled_ignore, reads_a_released_sampled_block, SMALL, OWNER, FREE),
    {.scene_name = NULL},
};

#else

/* A witness sees what the options make of its own misuse; there is nothing to see here. */
const struct specimen specimens[] = {{.scene_name = NULL}};

#endif
