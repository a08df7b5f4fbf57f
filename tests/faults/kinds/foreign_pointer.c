// SPDX-License-Identifier: MIT
/* foreign_pointer.c: an address that no allocation ever returned is released, resized or asked for its size. */
#include "faults/specimen.h"

#include <sys/mman.h>

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

/* The twin gives a block. There are blocks in use, as in any program. */
static void give_foreign(const struct act *act, void *pointer) {
    hold(obtain(act->size), act->size);
    tell_place("given", pointer);
    give(act, act->is_misuse ? pointer : obtain(act->size));
}

static void on_the_stack(const struct act *act) {
    unsigned char variable[64] = {1};
    hold_unfilled(variable, sizeof variable);
    give_foreign(act, variable);
}

static void misaligned_on_the_stack(const struct act *act) {
    unsigned char variable[64] = {1};
    hold_unfilled(variable, sizeof variable);
    give_foreign(act, variable + 1);
}

static void of_a_variable(const struct act *act) {
    static _Alignas(16) unsigned char variable[64];
    hold_unfilled(variable, sizeof variable);
    give_foreign(act, variable);
}

/* Around it are the words that some allocators keep before their blocks. */
static void of_a_forged_block(const struct act *act) {
    static _Alignas(16) size_t forged[64];
    for (size_t i = 0; i < COUNT_OF(forged); i++)
        forged[i] = 0x91;
    hold_unfilled(forged, sizeof forged);
    give_foreign(act, &forged[2]);
}

static void of_a_thread_variable(const struct act *act) {
    static _Thread_local _Alignas(16) unsigned char variable[64];
    hold_unfilled(variable, sizeof variable);
    give_foreign(act, variable);
}

static void of_a_string(const struct act *act) {
    static const char text[] = "a string that nobody allocated";
    void *pointer;
    memcpy(&pointer, &(const char *){text}, sizeof pointer);
    give_foreign(act, pointer);
}

static void of_a_function(const struct act *act) {
    void *pointer;
    scene *function = of_a_function;
    memcpy(&pointer, &function, sizeof pointer);
    give_foreign(act, pointer);
}

static void of_mapped_memory(const struct act *act) {
    void *pages = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    hold_unfilled(pages, 65536);
    give_foreign(act, (char *)pages + 16);
}

static void give_number(const struct act *act, uintptr_t number) {
    give_foreign(act, (void *)number); // NOLINT(performance-no-int-to-ptr)
}

static void of_a_wild_number(const struct act *act) {
    give_number(act, 0xDEADBEEFDEADBEE0);
}

static void of_a_wild_address(const struct act *act) {
    give_number(act, 0x123456789000);
}

static void near_null(const struct act *act) {
    give_number(act, 8);
}

static void near_null_by_a_page(const struct act *act) {
    give_number(act, 4096);
}

static void of_minus_one(const struct act *act) {
    give_number(act, UINTPTR_MAX);
}

#ifndef SPECIMEN_ON_LIBC
static void of_libc(const struct act *act) {
    void *block = malloc(100);
    give_foreign(act, block);
    free(block);
}
#endif

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define BY_FREE "not a DAM pointer: free of @given", "in thread @doer of process *"
#define BY_REALLOC "not a DAM pointer: realloc of @given"
#define BY_USABLE_SIZE "not a DAM pointer: malloc_usable_size of @given"
#define BY_FREE_SIZED "not a DAM pointer: free_sized of @given"

const struct specimen specimens[] = {
    CASE("any.on_the_stack", default, on_the_stack, SMALL, OWNER, FREE, BY_FREE,
         "to see more, run it again: *guard=full *"),
    CASE("any.misaligned_on_the_stack", default, misaligned_on_the_stack, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_a_variable", default, of_a_variable, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_a_forged_block", default, of_a_forged_block, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_a_thread_variable", default, of_a_thread_variable, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_a_string", default, of_a_string, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_a_function", default, of_a_function, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_mapped_memory", default, of_mapped_memory, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_a_wild_number", default, of_a_wild_number, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.of_a_wild_address", default, of_a_wild_address, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.near_null", default, near_null, SMALL, OWNER, FREE, "not a DAM pointer: free of 0x8"),
    CASE("any.near_null_by_a_page", default, near_null_by_a_page, SMALL, OWNER, FREE,
         "not a DAM pointer: free of 0x1000"),
    CASE("any.of_minus_one", default, of_minus_one, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.on_the_stack_by_another_thread", default, on_the_stack, SMALL, OTHER, FREE, BY_FREE),
    CASE("any.of_a_variable_by_another_thread", default, of_a_variable, SMALL, OTHER, FREE, BY_FREE),
    CASE("any.realloc_on_the_stack", default, on_the_stack, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE("any.realloc_of_a_variable", default, of_a_variable, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE("any.realloc_of_a_wild_number", default, of_a_wild_number, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE("any.realloc_near_null", default, near_null, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE("any.usable_size_on_the_stack", default, on_the_stack, SMALL, OWNER, USABLE_SIZE, BY_USABLE_SIZE),
    CASE("any.usable_size_of_a_wild_number", default, of_a_wild_number, SMALL, OWNER, USABLE_SIZE, BY_USABLE_SIZE),
    CASE("any.free_sized_on_the_stack", default, on_the_stack, SMALL, OWNER, FREE_SIZED, BY_FREE_SIZED),
    CASE("any.free_sized_of_a_wild_number", default, of_a_wild_number, SMALL, OWNER, FREE_SIZED, BY_FREE_SIZED),
    CASE("any.on_the_stack", tail, on_the_stack, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.realloc_on_the_stack", tail, on_the_stack, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE("any.on_the_stack", full, on_the_stack, SMALL, OWNER, FREE, BY_FREE,
         "found in thread @doer:", "  #* (@program+0x*)"),
    CASE("any.of_a_wild_number", full, of_a_wild_number, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.realloc_of_a_variable", full, of_a_variable, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE("any.usable_size_on_the_stack", full, on_the_stack, SMALL, OWNER, USABLE_SIZE, BY_USABLE_SIZE),
    CASE("any.on_the_stack", sampled, on_the_stack, SMALL, OWNER, FREE, BY_FREE,
         "found in thread @doer:", "  #* (@program+0x*)"),
    CASE("any.of_a_wild_number", sampled, of_a_wild_number, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.realloc_of_a_variable", sampled, of_a_variable, SMALL, OWNER, REALLOC, BY_REALLOC),
#ifndef SPECIMEN_ON_LIBC
    CASE("any.of_libc", default, of_libc, SMALL, OWNER, FREE, BY_FREE),
    CASE("any.realloc_of_libc", default, of_libc, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE("any.expand_on_the_stack", default, on_the_stack, SMALL, OWNER, EXPAND, "not a DAM pointer: expand of @given"),
    CASE("any.heap_realloc_on_the_stack", default, on_the_stack, SMALL, OWNER, HEAP_REALLOC, BY_REALLOC),
#endif

    /* The program goes on, and nothing comes of it. */
    CASE_GOES_ON("any.on_the_stack", report, on_the_stack, SMALL, OWNER, FREE, BY_FREE),
    CASE_GOES_ON("any.of_a_wild_number", report, of_a_wild_number, SMALL, OWNER, FREE, BY_FREE),
    CASE_GOES_ON("any.realloc_on_the_stack", report, on_the_stack, SMALL, OWNER, REALLOC, BY_REALLOC),
    CASE_SILENT("any.on_the_stack", ignore, on_the_stack, SMALL, OWNER, FREE),
    CASE_SILENT("any.of_a_wild_number", ignore, of_a_wild_number, SMALL, OWNER, FREE),
    CASE_SILENT("any.on_the_stack", off, on_the_stack, SMALL, OWNER, FREE),
    {.scene_name = NULL},
};
