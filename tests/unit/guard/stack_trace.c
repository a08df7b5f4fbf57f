// SPDX-License-Identifier: MIT
/* stack_trace.c: stacks as they are taken: the callers, innermost first, as far as there is room. How a report shows
 * them is tested in fault.c. */
#include "guard/stack_trace.h"

#include "support/test.h"
#include "unit/support/threads.h"

#include <sys/syscall.h>

/* A chain of calls that notes, beside the stack, where each link returns to. */
struct climb {
    struct stack_trace stack;
    unsigned links;
    void *returns_to[64]; /* innermost last */
};

/* Kept as it is written: reached only through the pointer. */
static void (*volatile next_climb)(struct climb *all, unsigned link);

__attribute__((noinline)) static void climb(struct climb *all, unsigned link) {
    all->returns_to[link] = __builtin_extract_return_addr(__builtin_return_address(0));
    if (link + 1 < all->links)
        next_climb(all, link + 1);
    else
        dam_stack_capture(&all->stack);
    __asm__ volatile("" : : "r"(all) : "memory"); /* so that no call is the function's last act */
}

static void start_climb(struct climb *all) {
    next_climb = climb;
    next_climb(all, 0);
}

/* The place in the stack of the innermost link's return address; the frames in front of it are the link's own and,
 * perhaps, the one that looked. */
static uint32_t place_of_innermost(const struct climb *all) {
    for (uint32_t i = 0; i < all->stack.depth; i++) {
        if (all->stack.frames[i] == all->returns_to[all->links - 1])
            return i;
    }
    fail_msg("the innermost caller is not on the stack");
    return 0;
}

TEST(a_stack_holds_every_caller_innermost_first) {
    struct climb all = {.links = 5};
    start_climb(&all);
    uint32_t place = place_of_innermost(&all);
    assert_true(place <= 2);
    assert_true(place + all.links <= all.stack.depth);
    for (unsigned i = 0; i < all.links; i++)
        assert_ptr_equal(all.stack.frames[place + i], all.returns_to[all.links - 1 - i]);
}

TEST(a_stack_that_is_too_deep_is_cut_off_at_its_outer_end) {
    struct climb all = {.links = COUNT_OF(all.returns_to)};
    start_climb(&all);
    assert_int_equal(all.stack.depth, STACK_DEPTH_MAX);
    uint32_t place = place_of_innermost(&all);
    for (uint32_t i = place; i < STACK_DEPTH_MAX; i++)
        assert_ptr_equal(all.stack.frames[i], all.returns_to[all.links - 1 - (i - place)]);
}

TEST(a_stack_is_taken_anew_each_time) {
    struct climb all = {.links = 20};
    start_climb(&all);
    uint32_t first = all.stack.depth;
    start_climb(&all);
    assert_int_equal(all.stack.depth, first);
    all.links = 1;
    start_climb(&all);
    assert_true(all.stack.depth < first || first == STACK_DEPTH_MAX);
    (void)place_of_innermost(&all);
}

static void *climb_in_thread(void *argument) {
    struct climb *all = argument;
    start_climb(all);
    CHECK(all->stack.thread_id == (uint32_t)syscall(SYS_gettid));
    return NULL;
}

TEST(a_stack_names_the_thread_it_was_taken_in) {
    struct climb here = {.links = 3};
    struct climb there = {.links = 3};
    start_climb(&here);
    assert_int_equal(here.stack.thread_id, getpid());
    thread_join(thread_start(climb_in_thread, &there));
    assert_int_not_equal(there.stack.thread_id, here.stack.thread_id);
    (void)place_of_innermost(&there);
}

static void assert_described(void *frame, const char *beginning, const char *end) {
    static struct message message;
    message.length = 0;
    dam_stack_describe_frame(&message, frame);
    assert_true(message.length >= strlen(beginning) && message.length >= strlen(end));
    assert_memory_equal(message.text, beginning, strlen(beginning));
    assert_memory_equal(message.text + message.length - strlen(end), end, strlen(end));
}

TEST(a_frame_is_described_by_its_address_and_by_its_place_in_a_file_if_it_is_in_one) {
    char beginning[60];
    assert_described((void *)(uintptr_t)8, "0x8", "0x8");
    assert_true(snprintf(beginning, sizeof beginning, "0x%zx (/", (uintptr_t)climb) > 0);
    assert_described((void *)(uintptr_t)climb, beginning, ")"); // NOLINT(performance-no-int-to-ptr)
    int on_the_stack = 0;
    assert_true(snprintf(beginning, sizeof beginning, "0x%zx", (uintptr_t)&on_the_stack) > 0);
    assert_described(&on_the_stack, beginning, beginning);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stack_holds_every_caller_innermost_first),
        cmocka_unit_test(a_stack_that_is_too_deep_is_cut_off_at_its_outer_end),
        cmocka_unit_test(a_stack_is_taken_anew_each_time),
        cmocka_unit_test(a_stack_names_the_thread_it_was_taken_in),
        cmocka_unit_test(a_frame_is_described_by_its_address_and_by_its_place_in_a_file_if_it_is_in_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
