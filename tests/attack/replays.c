// SPDX-License-Identifier: MIT
/* replays.c: the strongest attacker: one who has read words of DAM's while they were right, and writes them back, or
 * others computed from them, when they are wrong. A word that is right for its place and its past cannot be told from
 * the past by looking at it alone, so here is where the yardstick of attack.h is hard to meet.
 *
 * Each replay is a short program with chosen, few misdeeds; the program that it misuses does what it likes with its own
 * blocks, in particular leave a fresh block's content as it found it. It ends in a report, in nothing, or in malloc
 * returning what it must not (ground.h). The table at the end says which; a replay that ends otherwise, for better or
 * worse, fails the test, so that the table stays true.
 *
 * Nothing here asks DAM for its secrets. What the last group computes of them comes from words that it has read. */
#include "attack/attack.h"

#include "attack/ground.h"
#include "general/block.h"
#include "small/small_fast.h"
#include "support/child.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define PATIENCE_SECONDS 60
#define SMALL ((size_t)48)
#define LARGE ((size_t)1000)
#define LARGE_GRANULES 64u
#define LARGE_STEP ((size_t)(LARGE_GRANULES + 1) * GRANULE_BYTES)

/* ---- Misdeeds ---------------------------------------------------------------------------------------------------- */

__attribute__((no_sanitize("address", "undefined"))) static uint64_t read_word(const volatile void *place) {
    uint64_t word = 0;
    for (size_t i = 0; i < sizeof word; i++)
        word |= (uint64_t)((const volatile unsigned char *)place)[i] << (8 * i);
    return word;
}

__attribute__((no_sanitize("address", "undefined"))) static void write_word(volatile void *place, uint64_t word) {
    for (size_t i = 0; i < sizeof word; i++)
        ((volatile unsigned char *)place)[i] = (unsigned char)(word >> (8 * i));
}

struct pair {
    uint64_t first, second;
};

static struct pair read_pair(const char *place) {
    return (struct pair){read_word(place), read_word(place + sizeof(uint64_t))};
}

static void write_pair(char *place, struct pair pair) {
    write_word(place, pair.first);
    write_word(place + sizeof(uint64_t), pair.second);
}

static char *header_of(char *block) {
    return block - BLOCK_HEADER_BYTES;
}

/* ---- What any program may do ------------------------------------------------------------------------------------- */

static char *fresh(size_t size) {
    return ground_malloc(size);
}

/* A block whose holder has not written to it yet. */
static char *fresh_untouched(size_t size) {
    return ground_malloc_untouched(size);
}

static void expect_block(const char *block, const char *expected) {
    SCENE_CHECK(block == expected);
}

/* Merges what is quick. */
static void settle(void) {
    dam_trim();
}

static void lay(char **blocks, size_t count, size_t size) {
    for (size_t i = 0; i < count; i++)
        blocks[i] = fresh(size);
}

/* ---- Small blocks ------------------------------------------------------------------------------------------------ */

/* first -> second on the list, and first's word noted; then both are live. */
static uint64_t note_link(char *first, char *second) {
    ground_free(second);
    ground_free(first);
    uint64_t link = read_word(first);
    expect_block(fresh(SMALL), first);
    expect_block(fresh(SMALL), second);
    return link;
}

static void small_link_to_a_block_with_content(void) {
    char *blocks[3];
    lay(blocks, 3, SMALL);
    uint64_t link = note_link(blocks[0], blocks[1]);
    ground_free(blocks[0]);
    write_word(blocks[0], link);
    fresh(SMALL);
    fresh(SMALL);
}

static void small_link_to_an_untouched_block(void) {
    char *blocks[3];
    lay(blocks, 3, SMALL);
    ground_free(blocks[1]);
    ground_free(blocks[0]);
    uint64_t link = read_word(blocks[0]);
    expect_block(fresh_untouched(SMALL), blocks[0]);
    expect_block(fresh_untouched(SMALL), blocks[1]);
    ground_free(blocks[0]);
    write_word(blocks[0], link);
    fresh_untouched(SMALL);
    fresh_untouched(SMALL);
}

/* The block that the link leads to is the attacker's own, and holds what it held when it was free. */
static void small_link_to_a_block_that_pretends_to_be_free(void) {
    char *blocks[3];
    lay(blocks, 3, SMALL);
    ground_free(blocks[1]);
    uint64_t word_of_free = read_word(blocks[1]);
    expect_block(fresh(SMALL), blocks[1]);
    uint64_t link = note_link(blocks[0], blocks[1]);
    write_word(blocks[1], word_of_free);
    ground_accept(blocks[1]);
    ground_free(blocks[0]);
    write_word(blocks[0], link);
    fresh(SMALL);
    fresh(SMALL);
}

/* The pool has gone and come back, with another key. */
static void small_link_of_an_earlier_life_of_the_pool(void) {
    char *blocks[3];
    lay(blocks, 3, SMALL);
    ground_free(blocks[1]);
    ground_free(blocks[0]);
    uint64_t link = read_word(blocks[0]);
    ground_free(blocks[2]);
    settle();
    expect_block(fresh(SMALL), blocks[0]);
    expect_block(fresh(SMALL), blocks[1]);
    ground_free(blocks[0]);
    write_word(blocks[0], link);
    fresh(SMALL);
    fresh(SMALL);
}

/* Two blocks lead to each other. */
static void small_circle(void) {
    char *blocks[3];
    lay(blocks, 3, SMALL);
    uint64_t back = note_link(blocks[1], blocks[0]);
    ground_free(blocks[1]);
    ground_free(blocks[0]);
    write_word(blocks[1], back);
    for (int i = 0; i < 4; i++)
        fresh_untouched(SMALL);
}

static void small_freed_twice_after_its_word_was_written_over(void) {
    char *blocks[3];
    lay(blocks, 3, SMALL);
    ground_free(blocks[0]);
    write_word(blocks[0], 0);
    dam_free(blocks[0]);
    for (int i = 0; i < 4; i++)
        fresh_untouched(SMALL);
}

/* ---- General blocks: freed twice --------------------------------------------------------------------------------- */

static void header_of_live_on_a_quick_block_freed_again(void) {
    char *blocks[3];
    lay(blocks, 3, LARGE);
    uint64_t header = read_word(header_of(blocks[0]));
    ground_free(blocks[0]);
    write_word(header_of(blocks[0]), header);
    dam_free(blocks[0]);
    fresh_untouched(LARGE);
    fresh_untouched(LARGE);
}

static void header_of_live_on_a_merged_block_freed_again(void) {
    char *blocks[3];
    lay(blocks, 3, LARGE);
    uint64_t header = read_word(header_of(blocks[0]));
    ground_free(blocks[0]);
    settle();
    write_word(header_of(blocks[0]), header);
    dam_free(blocks[0]);
    fresh_untouched(LARGE);
    ground_free(blocks[1]);
    settle();
    fresh_untouched(2 * LARGE);
}

/* ---- General blocks: quick links --------------------------------------------------------------------------------- */

static void quick_link_to_a_block_with_content(void) {
    char *blocks[3];
    lay(blocks, 3, LARGE);
    ground_free(blocks[1]);
    ground_free(blocks[0]);
    struct pair link = read_pair(blocks[0]);
    expect_block(fresh(LARGE), blocks[0]);
    expect_block(fresh(LARGE), blocks[1]);
    ground_free(blocks[0]);
    write_pair(blocks[0], link);
    fresh(LARGE);
    fresh(LARGE);
}

static void quick_link_to_an_untouched_block(void) {
    char *blocks[3];
    lay(blocks, 3, LARGE);
    ground_free(blocks[1]);
    ground_free(blocks[0]);
    struct pair link = read_pair(blocks[0]);
    expect_block(fresh_untouched(LARGE), blocks[0]);
    expect_block(fresh_untouched(LARGE), blocks[1]);
    ground_free(blocks[0]);
    write_pair(blocks[0], link);
    fresh_untouched(LARGE);
    fresh_untouched(LARGE);
}

static void quick_link_to_a_block_that_pretends_to_be_free(void) {
    char *blocks[3];
    lay(blocks, 3, LARGE);
    ground_free(blocks[1]);
    struct pair end = read_pair(blocks[1]);
    ground_free(blocks[0]);
    struct pair link = read_pair(blocks[0]);
    expect_block(fresh(LARGE), blocks[0]);
    expect_block(fresh(LARGE), blocks[1]);
    write_pair(blocks[1], end);
    ground_accept(blocks[1]);
    ground_free(blocks[0]);
    write_pair(blocks[0], link);
    fresh(LARGE);
    fresh(LARGE);
}

/* A check vouches for the sum of place and link: the link of one block to another, with the distance added, stands in a
 * third, and in the attacker's own block, to which it leads. */
static void quick_link_moved_to_another_block(void) {
    char *blocks[5];
    lay(blocks, 5, LARGE);
    ground_free(blocks[2]);
    ground_free(blocks[3]);
    uint64_t check = read_pair(blocks[3]).second;
    uint64_t sum = (uintptr_t)blocks[2] + (uintptr_t)blocks[3];
    char *place = blocks[4];
    char *target = blocks[1];
    expect_block((char *)(uintptr_t)(sum - (uintptr_t)place), target); // NOLINT(performance-no-int-to-ptr)
    write_pair(target, (struct pair){(uintptr_t)place, check});
    ground_accept(target);
    ground_free(place);
    write_pair(place, (struct pair){(uintptr_t)target, check});
    fresh_untouched(LARGE);
    fresh_untouched(LARGE);
}

/* The same with the link that ends a list, which leads into the library's own data: malloc returns a place in the
 * program's data, if one lies at the right distance. */
static char data_target[64 * 1024] __attribute__((aligned(16))) = "data";

static void quick_link_moved_out_of_the_heap(void) {
    char *blocks[80];
    lay(blocks, COUNT_OF(blocks), LARGE);
    ground_free(blocks[0]);
    char *end = (char *)(uintptr_t)read_word(blocks[0]); // NOLINT(performance-no-int-to-ptr)
    expect_block(fresh(LARGE), blocks[0]);
    ptrdiff_t steps = (data_target - end) / (ptrdiff_t)LARGE_STEP + 2;
    char *target = end + steps * (ptrdiff_t)LARGE_STEP;
    SCENE_CHECK(target > data_target && target + 2 * LARGE < data_target + sizeof data_target);
    SCENE_CHECK(steps > -(ptrdiff_t)COUNT_OF(blocks) && steps < (ptrdiff_t)COUNT_OF(blocks) && steps != 0);
    char *last = blocks[steps > 0 ? steps : 0];
    char *place = last - steps * (ptrdiff_t)LARGE_STEP;
    ground_free(last);
    uint64_t check = read_pair(last).second;
    expect_block(fresh(LARGE), last);
    write_pair(target, (struct pair){(uintptr_t)place, check});
    ground_free(place);
    write_pair(place, (struct pair){(uintptr_t)target, check});
    fresh_untouched(LARGE);
    fresh_untouched(LARGE);
}

/* ---- General blocks: sizes of old -------------------------------------------------------------------------------- */

/* A block is live that was larger once; its header of then is written back, and the canary of then is where it was. */
static void header_of_a_larger_life_on_a_live_block(void) {
    char *whole = fresh(3900);
    fresh(LARGE);
    uint64_t header = read_word(header_of(whole));
    ground_free(whole);
    settle();
    char *part = fresh_untouched(LARGE);
    expect_block(part, whole);
    fresh_untouched(2800); /* on the ground that was the larger block's */
    write_word(header_of(part), header);
    ground_free(part);
    fresh_untouched(3900);
}

/* The same with a block that was made smaller in place. */
static void header_from_before_a_shrinking_on_a_live_block(void) {
    char *whole = fresh(3900);
    fresh(LARGE);
    uint64_t header = read_word(header_of(whole));
    expect_block(ground_realloc(whole, LARGE), whole);
    fresh_untouched(2800);
    write_word(header_of(whole), header);
    ground_free(whole);
    fresh_untouched(3900);
}

/* A free block's header, of when it was part of a larger free block. */
static void header_of_a_larger_free_block_on_a_free_block(void) {
    char *blocks[4];
    lay(blocks, 4, LARGE);
    ground_free(blocks[0]);
    ground_free(blocks[1]);
    settle();
    uint64_t header = read_word(header_of(blocks[0]));
    expect_block(fresh_untouched(LARGE), blocks[0]);
    expect_block(fresh_untouched(LARGE), blocks[1]);
    ground_free(blocks[0]);
    settle();
    write_word(header_of(blocks[0]), header);
    fresh_untouched(LARGE);
    fresh_untouched(LARGE);
    fresh_untouched(LARGE);
}

/* The same with a size that no block ever had: the header of a free block in a pool far above, its fields changed by
 * half the distance, since a seal knows only the sum of address and twice the fields. */
static void header_of_a_free_block_moved_from_afar(void) {
    enum { MANY = 1400 };
    char *low = fresh(LARGE);
    char *high = low;
    fresh(LARGE);
    for (int i = 0; i < MANY; i++) {
        char *block = fresh_untouched(60000);
        low = block < low ? block : low;
        high = block > high ? block : high;
    }
    ground_free(low);
    ground_free(high);
    settle();
    struct block_header header = *block_header(high);
    header.fields += (uint32_t)((high - low) / 2);
    memcpy(header_of(low), &header, sizeof header);
    for (int i = 0; i < 8; i++)
        fresh_untouched(60000);
}

/* ---- General blocks: live ones that look free -------------------------------------------------------------------- */

/* The neighbour in front of a live, untouched block is freed; the live block's header is what it was when it was free.
 * With the tag, its last word is, too. */
static void free_header_on_an_untouched_block(bool with_tag) {
    char *blocks[4];
    lay(blocks, 4, LARGE);
    uint64_t *tail = block_tail(blocks[1], LARGE_GRANULES);
    ground_free(blocks[1]);
    settle();
    uint64_t header = read_word(header_of(blocks[1]));
    uint64_t tag = read_word(tail);
    expect_block(fresh_untouched(LARGE), blocks[1]);
    write_word(header_of(blocks[1]), header);
    if (with_tag)
        write_word(tail, tag);
    ground_free(blocks[0]);
    settle();
    fresh_untouched(2 * LARGE);
}

static void header_of_free_on_an_untouched_block(void) {
    free_header_on_an_untouched_block(false);
}

static void header_and_tag_of_free_on_an_untouched_block(void) {
    free_header_on_an_untouched_block(true);
}

/* The last word of a live, untouched block is written over with a tag of a free block that once ended there; what DAM
 * left of that block, header and links, lies in the live one. */
static void tag_of_free_behind_the_remains_of_a_block(void) {
    const size_t third = 18 * GRANULE_BYTES; /* three of them, and what is between them, are a class */
    char *blocks[5];
    lay(blocks, 5, third);
    uint64_t *tail = block_tail(blocks[2], 18);
    ground_free(blocks[2]);
    settle();
    uint64_t tag = read_word(tail);
    ground_free(blocks[1]);
    ground_free(blocks[0]);
    settle();
    expect_block(fresh_untouched(55 * GRANULE_BYTES), blocks[0]);
    write_word(tail, tag);
    ground_free(blocks[3]);
    settle();
    for (int i = 0; i < 4; i++)
        fresh_untouched(third);
}

/* ---- Seals that are computed ------------------------------------------------------------------------------------- */

/* A block's seal is also that of an address inside it and a smaller request: a live block made of what was read right
 * behind the request, and freed. */
static void seal_moved_into_the_block(void) {
    char *blocks[3];
    lay(blocks, 3, LARGE);
    char *inside = blocks[1] + GRANULE_BYTES;
    uint64_t canary = read_word(blocks[1] + LARGE);
    struct block_header header = *block_header(blocks[1]);
    header.fields -= (uint32_t)GRANULE_BYTES / 2;
    memcpy(header_of(inside), &header, sizeof header);
    ground_accept(blocks[1]);
    write_word(inside + LARGE - GRANULE_BYTES / 2, canary);
    dam_free(inside);
    fresh_untouched(LARGE);
}

/* Undoes a multiplication. */
static uint64_t secret_of(uint64_t product, uint64_t odd_factor) {
    return product * inverse_of_odd(odd_factor);
}

/* One canary gives the secret of all headers: a live block in the attacker's own, of any size. */
static void header_secret_computed_from_a_canary(void) {
    char *blocks[3];
    lay(blocks, 3, LARGE);
    uint64_t canary = read_word(blocks[1] + LARGE);
    uint32_t fields = LARGE_GRANULES << REQUEST_BITS | (uint32_t)(LARGE - 1);
    uint64_t secret = secret_of(canary, (uintptr_t)blocks[1] + 2 * (uint64_t)fields + 1);
    char *inside = blocks[1] + 64;
    uint32_t forged_fields = 32u << REQUEST_BITS | (500 - 1);
    uint64_t seal = ((uintptr_t)inside + 2 * (uint64_t)forged_fields + 1) * secret;
    struct block_header header = {.fields = forged_fields, .check = (uint32_t)(seal >> 32) ^ (uint32_t)BLOCK_LIVE};
    memcpy(header_of(inside), &header, sizeof header);
    write_word(inside + 500, seal);
    ground_accept(blocks[1]);
    dam_free(inside);
    fresh_untouched(500);
}

/* One free block's word gives the pool's key, but for four bits that no tag shows: a live block is made to look free,
 * and the free one to lead to it. */
static void pool_key_computed_from_a_free_block(void) {
    char *blocks[4];
    lay(blocks, 4, SMALL);
    char *first = (uintptr_t)blocks[0] / GRANULE_BYTES % 2 == 1 ? blocks[0] : blocks[1];
    char *target = blocks[2];
    ground_free(blocks[3]);
    ground_free(first);
    uint64_t next = (uintptr_t)blocks[3] & (SLICE_BYTES - 1);
    uint64_t tag = read_word(first) ^ next;
    uint64_t key = secret_of(tag / GRANULE_BYTES, (uintptr_t)first / GRANULE_BYTES);
    write_word(first, ((uintptr_t)first * key) ^ ((uintptr_t)target & (SLICE_BYTES - 1)));
    write_word(target, ((uintptr_t)target * key) ^ next);
    ground_accept(target);
    fresh(SMALL);
    fresh(SMALL);
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

enum ending { STOPPED, SUCCEEDS, GOES_WRONG, EITHER };

static const struct replay {
    const char *name;
    void (*play)(void);
    enum ending expected;
} REPLAYS[] = {
    {"small: an old link, to a live block with content", small_link_to_a_block_with_content, STOPPED},
    {"small: an old link, to a live block not written yet", small_link_to_an_untouched_block, STOPPED},
    {"small: an old link, to a live block that pretends to be free", small_link_to_a_block_that_pretends_to_be_free,
     SUCCEEDS},
    {"small: a link from an earlier life of the pool", small_link_of_an_earlier_life_of_the_pool, STOPPED},
    {"small: old links that make a circle", small_circle, STOPPED},
    {"small: freed twice, its word written over between", small_freed_twice_after_its_word_was_written_over, STOPPED},
    {"general: a live header on a quick block, freed again", header_of_live_on_a_quick_block_freed_again, SUCCEEDS},
    {"general: a live header on a free block, freed again", header_of_live_on_a_merged_block_freed_again, STOPPED},
    {"general: an old quick link, to a live block with content", quick_link_to_a_block_with_content, STOPPED},
    {"general: an old quick link, to a live block not written yet", quick_link_to_an_untouched_block, SUCCEEDS},
    {"general: an old quick link, to a block that pretends to be free", quick_link_to_a_block_that_pretends_to_be_free,
     SUCCEEDS},
    {"general: a quick link moved to another block", quick_link_moved_to_another_block, STOPPED},
    {"general: a quick link moved out of the heap", quick_link_moved_out_of_the_heap, STOPPED},
    {"general: a larger life's header, and its canary as it lies", header_of_a_larger_life_on_a_live_block, SUCCEEDS},
    {"general: a header from before the block was shrunk", header_from_before_a_shrinking_on_a_live_block, SUCCEEDS},
    {"general: a larger free block's header on a free block", header_of_a_larger_free_block_on_a_free_block, STOPPED},
    {"general: a free block's header moved from afar", header_of_a_free_block_moved_from_afar, STOPPED},
    {"general: a free header on a live block not written yet", header_of_free_on_an_untouched_block, STOPPED},
    {"general: a free header and tag on a live block not written yet", header_and_tag_of_free_on_an_untouched_block,
     STOPPED},
    {"general: an old tag behind what is left of a free block", tag_of_free_behind_the_remains_of_a_block, STOPPED},
    {"computed: a seal moved into the block", seal_moved_into_the_block, SUCCEEDS},
    {"computed: the secret of headers, from a canary", header_secret_computed_from_a_canary, SUCCEEDS},
    {"computed: the key of a pool, from a free block", pool_key_computed_from_a_free_block, EITHER} /* four bits are guessed */,
};

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

static void *replaying_thread(void *argument) {
    const struct replay *replay = argument;
    replay->play();
    ground_check_all();
    return NULL;
}

static void play_in_child(void *argument) {
    elsewhere(replaying_thread, argument);
}

static enum ending ending_of(const struct child_result *result) {
    if (WIFSIGNALED(result->status)) {
        bool reported = WTERMSIG(result->status) == SIGABRT && strncmp(result->output, "dam: fault: ", 12) == 0;
        return reported ? STOPPED : GOES_WRONG;
    }
    switch (WEXITSTATUS(result->status)) {
    case 0:
        return STOPPED;
    case VIOLATION_EXIT:
        return SUCCEEDS;
    default:
        return GOES_WRONG;
    }
}

static bool ends_as_expected(const struct replay *replay) {
    static const char *const WORDS[] = {"stopped", "SUCCEEDS", "GOES WRONG", "either"};
    struct replay copy = *replay;
    struct child_result result = child_run(play_in_child, &copy, CHILD_STDERR, PATIENCE_SECONDS);
    enum ending ending = ending_of(&result);
    int line_bytes = (int)strcspn(result.output, "\n");
    printf("%-68s %-10s %.*s\n", replay->name, WORDS[ending], line_bytes, result.output);
    bool as_expected = replay->expected == EITHER ? ending != GOES_WRONG : ending == replay->expected;
    if (!as_expected)
        printf("  EXPECTED: %s (found: wait status %#x)\n", WORDS[replay->expected], (unsigned)result.status);
    return as_expected;
}

int main(void) {
    bool held = true;
    for (size_t i = 0; i < COUNT_OF(REPLAYS); i++)
        held &= ends_as_expected(&REPLAYS[i]);
    return held ? 0 : 1;
}
