// SPDX-License-Identifier: MIT
/* wrong_size.c: free_sized and free_aligned_sized are told a size or an alignment that is not the block's. */
#include "faults/specimen.h"

/* ---- Scenes ------------------------------------------------------------------------------------------------------ */

struct sized {
    void *block;
    size_t size;
};

static void release_as_told(void *argument) {
    const struct sized *sized = argument;
    tell_thread("doer");
    release_sized(sized->block, sized->size);
}

/* The twin tells the right size. */
static void tell_size(const struct act *act, size_t wrong_size) {
    struct sized sized = {obtain(act->size), act->is_misuse ? wrong_size : act->size};
    tell_block(sized.block, act->size);
    perform(act, release_as_told, &sized);
}

static void one_less(const struct act *act) {
    tell_size(act, act->size - 1);
}

static void one_more(const struct act *act) {
    tell_size(act, act->size + 1);
}

static void half(const struct act *act) {
    tell_size(act, act->size / 2);
}

static void zero(const struct act *act) {
    tell_size(act, 0);
}

/* Sizes that another layer serves. */

static void tenfold(const struct act *act) {
    tell_size(act, act->size * 10);
}

static void thousandfold(const struct act *act) {
    tell_size(act, act->size * 1000);
}

static void thousandth(const struct act *act) {
    tell_size(act, act->size / 1000);
}

static void absurd(const struct act *act) {
    tell_size(act, SIZE_MAX);
}

/* Told an alignment that the block happens not to have. */
static void alignment(const struct act *act) {
    unsigned char *block = obtain_aligned(64, act->size);
    size_t wrong = 128;
    tell_block(block, act->size);
    while (is_aligned(block, wrong))
        wrong *= 2;
    release_aligned_sized(block, act->is_misuse ? wrong : 64, act->size);
}

static void size_of_aligned(const struct act *act) {
    unsigned char *block = obtain_aligned(512, act->size);
    tell_block(block, act->size);
    release_aligned_sized(block, 512, act->is_misuse ? act->size - 1 : act->size);
}

/* ---- Cases ------------------------------------------------------------------------------------------------------- */

#define WRONG_SIZE "wrong size: free_sized of @block", "in thread @doer of process *"
#define WRONG_OF_ALIGNED "wrong size: free_aligned_sized of @block"
#define IN_SMALL "pool of 65536 bytes at * (small layer)", "block at @block of 128 bytes, live"
#define IN_GENERAL "pool of * bytes at * (general layer)", "block at @block of @size bytes, requested @size bytes, live"
#define IN_DIRECT "pool of * bytes at * (direct layer)", "block at @block of @size bytes, requested @size bytes, live"
#define HINT "the size or alignment given at release is not what the block was requested with"
#define STACK_OF_OWNER "allocated by thread @owner:", "  #* (@program+0x*)"

const struct specimen specimens[] = {
    CASE("small.half", default, half, SMALL, OWNER, FREE, WRONG_SIZE, IN_SMALL,
         "expected 0000000000000080, found 000000000000003c", HINT),
    CASE("general.half", default, half, GENERAL, OWNER, FREE, WRONG_SIZE, IN_GENERAL,
         "expected 0000000000000bb8, found 00000000000005dc", HINT),
    CASE("slices.half", default, half, SLICES, OWNER, FREE, WRONG_SIZE, IN_DIRECT,
         "expected 0000000000030d40, found 00000000000186a0", HINT),
    CASE("mapping.half", default, half, MAPPING, OWNER, FREE, WRONG_SIZE, IN_DIRECT, HINT),
    CASE("general.one_less", default, one_less, GENERAL, OWNER, FREE, WRONG_SIZE, IN_GENERAL, HINT),
    CASE("slices.one_less", default, one_less, SLICES, OWNER, FREE, WRONG_SIZE, IN_DIRECT, HINT),
    CASE("mapping.one_less", default, one_less, MAPPING, OWNER, FREE, WRONG_SIZE, IN_DIRECT, HINT),
    CASE("general.one_more", default, one_more, GENERAL, OWNER, FREE, WRONG_SIZE, IN_GENERAL, HINT),
    CASE("slices.one_more", default, one_more, SLICES, OWNER, FREE, WRONG_SIZE, IN_DIRECT, HINT),
    CASE("small.zero", default, zero, SMALL, OWNER, FREE, WRONG_SIZE, IN_SMALL, HINT),
    CASE("general.zero", default, zero, GENERAL, OWNER, FREE, WRONG_SIZE, IN_GENERAL, HINT),
    CASE("small.tenfold", default, tenfold, SMALL, OWNER, FREE, WRONG_SIZE, IN_SMALL, HINT),
    CASE("small.thousandfold", default, thousandfold, SMALL, OWNER, FREE, WRONG_SIZE, IN_SMALL, HINT),
    CASE("general.thousandth", default, thousandth, GENERAL, OWNER, FREE, WRONG_SIZE, IN_GENERAL, HINT),
    CASE("slices.thousandth", default, thousandth, SLICES, OWNER, FREE, WRONG_SIZE, IN_DIRECT, HINT),
    CASE("small.absurd", default, absurd, SMALL, OWNER, FREE, WRONG_SIZE, IN_SMALL, HINT),
    CASE("slices.absurd", default, absurd, SLICES, OWNER, FREE, WRONG_SIZE, IN_DIRECT, HINT),
    CASE("small.half_by_another_thread", default, half, SMALL, OTHER, FREE, WRONG_SIZE, IN_SMALL, HINT),
    CASE("general.half_by_another_thread", default, half, GENERAL, OTHER, FREE, WRONG_SIZE, IN_GENERAL, HINT),
    CASE("slices.half_by_another_thread", default, half, SLICES, OTHER, FREE, WRONG_SIZE, IN_DIRECT, HINT),
    CASE("small.alignment", default, alignment, SMALL, OWNER, FREE, WRONG_OF_ALIGNED, HINT),
    CASE("general.alignment", default, alignment, GENERAL, OWNER, FREE, WRONG_OF_ALIGNED, HINT),
    CASE("general.size_of_aligned", default, size_of_aligned, GENERAL, OWNER, FREE, WRONG_OF_ALIGNED, HINT),
    CASE("slices.size_of_aligned", default, size_of_aligned, SLICES, OWNER, FREE, WRONG_OF_ALIGNED, HINT),
    /* A small block knows its class, not its request, unless it has a tail. */
    CASE_SILENT("small.one_less", default, one_less, SMALL, OWNER, FREE),
    CASE("small.one_less", tail, one_less, SMALL, OWNER, FREE, WRONG_SIZE,
         "expected 0000000000000078, found 0000000000000077", HINT),
    CASE("small.one_more", tail, one_more, SMALL, OWNER, FREE, WRONG_SIZE, HINT),
    CASE("small.size_of_aligned", tail, size_of_aligned, 100, OWNER, FREE, WRONG_OF_ALIGNED, HINT),
    CASE("general.one_less", tail, one_less, GENERAL, OWNER, FREE, WRONG_SIZE, HINT),
    CASE("slices.one_more", tail, one_more, SLICES, OWNER, FREE, WRONG_SIZE, HINT),
    CASE("small.one_less", full, one_less, SMALL, OWNER, FREE, WRONG_SIZE, STACK_OF_OWNER, HINT),
    CASE("general.one_less", full, one_less, GENERAL, OWNER, FREE, WRONG_SIZE, STACK_OF_OWNER, HINT),
    CASE("slices.one_less", full, one_less, SLICES, OWNER, FREE, WRONG_SIZE, STACK_OF_OWNER, HINT),
    CASE("small.one_less", sampled, one_less, SMALL, OWNER, FREE, WRONG_SIZE, HINT),
    CASE("small.alignment", sampled, alignment, SMALL, OWNER, FREE, WRONG_OF_ALIGNED, HINT),
    CASE("general.half", sampled, half, GENERAL, OWNER, FREE, WRONG_SIZE, HINT),
    {.scene_name = NULL},
};
