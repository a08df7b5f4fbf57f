// SPDX-License-Identifier: MIT
/* corruption.c: a libFuzzer target. An input allocates and releases, and meanwhile damages DAM's memory: what lies in
 * front of blocks and behind them, what was released, and any other byte of a pool that is not a live block's own.
 *
 *     | setup | step | step | ...        setup: what on_fault says
 *
 * Demanded is that DAM does no harm, whatever was damaged. Each input must end in one of these ways:
 *
 *     a report       SIGABRT, and the last word on stderr is one that begins "dam: fault: "
 *     harmless       all steps are done, and then everything is released and some of everything allocated again
 *
 * and on the way no block may be handed out outside of DAM's pools or over another live block, and no live block's
 * contents may change. A crash inside DAM, a loop without end and a block that two owners have are findings, and so is
 * a message of UndefinedBehaviorSanitizer's. That damage goes unnoticed is none: what is not met again does no harm.
 *
 * An input that ends in abort() would end libFuzzer, too. So each is played in a child of its own. The price: a fork
 * and the copies of the pages that the child touches (more than all else together), and what libFuzzer learns from
 * comparisons inside DAM is lost with the child. What code was reached is not: the child hands its counters back
 * through shared memory.
 *
 * Covered: every byte of pools: headers, canaries, slack, free links, boundary tags, index links, quick and remote
 * links, cornerstones, fences, memory not given out yet. By value: flipped bits, zeroes, ones, anything, addresses of
 * live blocks and of the target's own memory, words of DAM's from elsewhere, long overruns. Not covered: descriptors,
 * heaps, the pool map and other metadata, which lie apart from all blocks (region/metadata.h) and out of reach of an
 * overrun; and a word of DAM's that is put back at a place where it once stood for something else, which no check of
 * place and value can tell.
 *
 * Not here: misuse as such, and what exactly is reported (operations.c). */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sanitizer/common_interface_defs.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/actors.h"
#include "fuzz/world.h"
#include "pool/pool_map.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* The child's exit status after a finding, which it has told about. */
#define EXIT_FOUND 88

/* For loops without end; a child needs some milliseconds. */
#define PATIENCE_SECONDS 30

/* ---- What the child hands back ----------------------------------------------------------------------------------- */

/* libFuzzer's counters of the code that was reached: one byte for each edge. The names are the linker's. */
extern uint8_t __start___sancov_cntrs[];
extern uint8_t __stop___sancov_cntrs[];

struct outcome {
    size_t reports;
    size_t text_bytes;
    size_t damages;
    char text[SAID_BYTES_MAX];
    uint8_t counters[]; /* as many as there are */
};

static struct outcome *outcome;

static size_t counter_count(void) {
    return (size_t)(__stop___sancov_cntrs - __start___sancov_cntrs);
}

static size_t damages;

static void hand_back_outcome(void) {
    outcome->reports = said.reports;
    outcome->text_bytes = said.bytes;
    outcome->damages = damages;
    memcpy(outcome->text, said.text, said.bytes);
    memcpy(outcome->counters, __start___sancov_cntrs, counter_count());
}

static void take_counters(void) {
    for (size_t i = 0; i < counter_count(); i++) {
        unsigned sum = __start___sancov_cntrs[i] + (unsigned)outcome->counters[i];
        __start___sancov_cntrs[i] = (uint8_t)(sum > 255 ? 255 : sum);
    }
}

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

static unsigned steps_played;

_Noreturn static void tell_and_exit(const char *what) {
    fprintf(stderr, "FINDING: %s\n  step %u, errno %d\n", what, steps_played, errno);
    if (said.reports > 0) {
        fprintf(stderr, "  the last report was:\n");
        fflush(NULL);
        said_show();
    }
    fflush(NULL);
    __sanitizer_print_stack_trace();
    _exit(EXIT_FOUND);
}

_Noreturn void finding(const char *what) {
    tell_and_exit(what);
}

static void on_crash(int signal_number) {
    (void)signal_number;
    tell_and_exit("a crash");
}

/* abort() goes on when this returns. */
static void on_abort(int signal_number) {
    (void)signal_number;
    hand_back_outcome();
}

/* ---- Allocating and releasing ------------------------------------------------------------------------------------ */

/* In a child every page costs a fault when it is first touched, so large blocks are only written at their beginning. */
#define WRITTEN_BYTES_MAX ((size_t)8192)

static void write_contents(struct slot *slot) {
    shadow_write(slot, slot->size < WRITTEN_BYTES_MAX ? slot->size : WRITTEN_BYTES_MAX);
}

/* Damage has been done: DAM may refuse anything, and its answers mean something only when they give memory. */
static void settle(struct slot *slot, void *block) {
    if (block == NULL) {
        slot->state = SLOT_ABSENT;
        return;
    }
    shadow_arrived(slot, block);
    write_contents(slot);
}

static void make(const struct step *step) {
    struct slot *slot = shadow_find_absent(step->slot);
    if (slot == NULL)
        return;
    unsigned heap = step->extra % 8;
    void *block;
    *slot = (struct slot){.state = SLOT_BUSY, .size = shadow_size(step->size), .alignment = 16, .heap = HEAP_OF_THREAD};
    if (heap < HEAP_COUNT && world.heaps[heap] != NULL) {
        slot->heap = (int)heap;
        block = dam_heap_malloc(world.heaps[heap], slot->size);
    } else if (step->choice % 8 == 0) {
        slot->alignment = (size_t)16 << step->extra / 8 % 10;
        block = dam_aligned_alloc(slot->alignment, slot->size);
    } else if (step->choice % 8 == 1) {
        block = dam_calloc(1, slot->size);
    } else {
        block = dam_malloc(slot->size);
    }
    settle(slot, block);
}

static void make_many(const struct step *step) {
    struct step one = *step;
    one.extra = step->slot;
    for (unsigned i = 0; i <= (step->extra & 63); i++)
        make(&one);
}

static void release_block(struct slot *slot) {
    shadow_leaving(slot);
    dam_free(slot->start);
    shadow_gone(slot, actor_self());
}

static void release(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot != NULL)
        release_block(slot);
}

static void release_many(const struct step *step) {
    size_t start = (size_t)step->slot * (SLOT_COUNT / 256);
    size_t count = 1 + (step->extra & 63);
    for (size_t i = 0; i < count; i++) {
        size_t place = (step->extra & 128) != 0 ? count - 1 - i : i;
        struct slot *slot = &shadow.slots[(start + place * (1 + (step->extra >> 6 & 1))) % SLOT_COUNT];
        if (slot->state == SLOT_PRESENT)
            release_block(slot);
    }
}

/* A resize that is refused leaves the block what it was. */
static void resize(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL)
        return;
    size_t size = (step->choice & 1) != 0 ? slot->size + step->size % 256 : shadow_size(step->size);
    if (size == 0)
        return;
    shadow_leaving(slot);
    void *block =
        (step->choice & 2) != 0 ? (dam_expand(slot->start, size) ? slot->start : NULL) : dam_realloc(slot->start, size);
    if (block == NULL) {
        shadow_stayed(slot);
        return;
    }
    if (block != slot->start)
        slot->heap = HEAP_OF_THREAD;
    size_t kept = slot->size < size ? slot->size : size;
    size_t written = slot->written < kept ? slot->written : kept;
    slot->size = size;
    slot->alignment = 16;
    shadow_arrived(slot, block);
    slot->written = written;
    shadow_check(slot, kept);
    write_contents(slot);
}

/* All that the program is told is its own it may write to. */
static void look(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL)
        return;
    size_t usable = dam_malloc_usable_size(slot->start);
    if (usable > slot->size && usable - slot->size < 65536)
        memset(slot->start + slot->size, 0xA5, usable - slot->size);
}

static void trim(const struct step *step) {
    (void)step;
    (void)dam_trim();
}

static void create_or_destroy_heap(const struct step *step) {
    unsigned heap = step->extra % HEAP_COUNT;
    if (world.heaps[heap] == NULL) {
        world.heaps[heap] = dam_heap_create();
        return;
    }
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &shadow.slots[i];
        if (slot->state != SLOT_PRESENT || slot->heap != (int)heap)
            continue;
        shadow_leaving(slot);
        shadow_gone(slot, actor_self());
    }
    dam_heap_destroy(world.heaps[heap]);
    world.heaps[heap] = NULL;
}

static void end_helper(const struct step *step) {
    (void)actor_end(step->actor % ACTOR_COUNT, step);
}

/* As a thread ends, and has no heap any more. */
static void act_late(const struct step *step) {
    if ((step->choice & 1) != 0)
        release(step);
    if ((step->choice & 2) != 0)
        make(step);
}

/* ---- Damage ------------------------------------------------------------------------------------------------------ */

static unsigned char of_targets[256]; /* where an attacker would like to have a block */

static const struct ghost *any_ghost(uint8_t from) {
    for (unsigned i = 0; i < GHOST_COUNT; i++) {
        const struct ghost *ghost = &shadow.ghosts[(from + i) % GHOST_COUNT];
        if (ghost->start != NULL && !pool_is_none(pool_of(ghost->start)))
            return ghost;
    }
    return NULL;
}

/* A place in a pool. Near a block that lives, near one that did, or anywhere; NULL if there is no such block. */
static unsigned char *choose_place(const struct step *step) {
    const struct slot *slot = shadow_find_present(step->slot);
    const struct ghost *ghost = any_ghost(step->slot);
    unsigned near = step->extra;
    bool of_ghost = (step->choice & 8) != 0 ? ghost != NULL : slot == NULL;
    if (of_ghost ? ghost == NULL : slot == NULL)
        return NULL;
    unsigned char *start = of_ghost ? ghost->start : slot->start;
    size_t size = of_ghost ? ghost->size : slot->size;
    struct pool *pool = pool_of(start);
    unsigned char *pool_begin = (unsigned char *)pool_start(pool);
    switch (step->choice % 8) {
    case 0:
    case 1:
        return start - 1 - near % 16; /* header, tail in front */
    case 2:
    case 3:
        return start + near % 24; /* links */
    case 4:
        return start + size + near % 32; /* canary, slack, tail, what is behind */
    case 5:
        return pool_begin + near % 48; /* cornerstone, first header */
    case 6:
        return pool_begin + pool->bytes - 1 - near % 48; /* fence, last tail */
    default:
        return pool_begin + ((size_t)step->size * pool->bytes >> 16);
    }
}

/* How many bytes at the place may be written: they are DAM's. */
static size_t writable_bytes(const unsigned char *place, size_t bytes) {
    const struct pool *pool = pool_of(place);
    if (pool_is_none(pool) || pool_offset(pool, place) >= pool->bytes)
        return 0;
    size_t room = pool->bytes - pool_offset(pool, place);
    return bytes < room ? bytes : room;
}

/* A live block's own bytes are the program's: what we change there is no damage, and not known any more. */
static void forget_contents(const unsigned char *place, size_t bytes) {
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &shadow.slots[i];
        if (slot->state != SLOT_PRESENT || place + bytes <= slot->start || place >= slot->start + slot->written)
            continue;
        slot->written = place <= slot->start ? 0 : (size_t)(place - slot->start);
    }
}

/* A word of DAM's own, from some other place. */
static uint64_t word_from_elsewhere(const struct step *step) {
    const struct ghost *ghost = any_ghost(step->pause);
    const struct slot *slot = shadow_find_present(step->pause);
    uint64_t word = 0;
    if (slot != NULL && writable_bytes(slot->start - 8, 8) == 8)
        memcpy(&word, slot->start - 8, 8);
    if (ghost != NULL && (step->size & 1) != 0)
        memcpy(&word, ghost->start + (step->size & 8), 8);
    return word;
}

static uint64_t choose_word(const struct step *step, uint64_t was) {
    const struct slot *slot = shadow_find_present(step->pause);
    switch (step->pause % 12) {
    case 0:
        return 0;
    case 1:
        return UINT64_MAX;
    case 2:
        return slot == NULL ? 1 : (uintptr_t)slot->start;
    case 3:
        return (uintptr_t)&of_targets[128];
    case 4:
    case 5:
        return word_from_elsewhere(step);
    case 6:
        return was + 16;
    case 7:
        return was - 16;
    case 8:
        return was ^ step->size; /* the low half of the fields, or the link of a small block */
    case 9:
        return was ^ (uint64_t)step->size << 16;
    case 10:
        return was ^ (uint64_t)step->size << 32;
    default:
        return step->size * UINT64_C(0x9E3779B97F4A7C15);
    }
}

static void write_damage(unsigned char *place, const void *bytes, size_t count) {
    count = writable_bytes(place, count);
    forget_contents(place, count);
    memcpy(place, bytes, count);
    damages += count > 0;
}

static void flip_bit(const struct step *step) {
    unsigned char *place = choose_place(step);
    if (place == NULL || writable_bytes(place, 1) == 0)
        return;
    unsigned char changed = (unsigned char)(*place ^ 1u << step->pause % 8);
    write_damage(place, &changed, 1);
}

static void write_byte(const struct step *step) {
    unsigned char *place = choose_place(step);
    if (place != NULL)
        write_damage(place, &step->pause, 1);
}

/* Words of DAM's lie on multiples of 8, but for canaries. */
static void write_word(const struct step *step) {
    unsigned char *place = choose_place(step);
    if (place == NULL)
        return;
    if (step->choice % 8 != 4)
        place -= (uintptr_t)place % 8;
    uint64_t word = 0;
    if (writable_bytes(place, 8) < 8)
        return;
    memcpy(&word, place, 8);
    word = choose_word(step, word);
    write_damage(place, &word, 8);
}

/* As a loop that does not stop writes. */
static void overrun(const struct step *step) {
    unsigned char run[256];
    unsigned char *place = choose_place(step);
    memset(run, step->pause, sizeof run);
    if (place != NULL)
        write_damage(place, run, 1 + step->size % sizeof run);
}

/* What is no block is released all the same. */
static void release_wildly(const struct step *step) {
    unsigned char *place = choose_place(step);
    if (place == NULL)
        return;
    place -= (step->size & 1) != 0 ? (uintptr_t)place % 16 : 0;
    if (shadow_at(place) != NULL)
        return;
    switch (step->size >> 1 & 3) {
    case 0: {
        size_t usable = dam_malloc_usable_size(place);
        (void)usable;
        break;
    }
    case 1: /* if it succeeds, somebody has a block that nobody knows of; it is not used */
        if (dam_realloc(place, 1 + step->pause) == of_targets)
            finding("a block was handed out where an attacker wanted it");
        break;
    default:
        dam_free(place);
        break;
    }
}

/* ---- The play ---------------------------------------------------------------------------------------------------- */

static const struct operation {
    const char *name;
    actor_work *play;
    bool by_driver;
} OPERATIONS[] = {
    {"make", make, false},
    {"make", make, false},
    {"make many", make_many, false},
    {"release", release, false},
    {"release", release, false},
    {"release many", release_many, false},
    {"resize", resize, false},
    {"look", look, false},
    {"trim", trim, false},
    {"create or destroy heap", create_or_destroy_heap, false},
    {"end helper", end_helper, true},
    {"flip bit", flip_bit, true},
    {"write byte", write_byte, true},
    {"write word", write_word, true},
    {"write word", write_word, true},
    {"overrun", overrun, true},
    {"release wildly", release_wildly, false},
};

#define OPERATION_COUNT (sizeof OPERATIONS / sizeof OPERATIONS[0])

#define AUDIT_INTERVAL 16

/* The driver is one of two threads; the helper is made when it is first needed. */
static void play_step(const struct step *step) {
    const struct operation *operation = &OPERATIONS[step->code % OPERATION_COUNT];
    if (operation->by_driver || step->actor % 2 == 0)
        operation->play(step);
    else
        (void)actor_do(step->actor % ACTOR_COUNT, operation->play, step);
}

/* What was damaged is met here, if not before: everything is released, and much is asked for again. */
static void play_epilogue(void) {
    static const uint16_t SIZES[] = {24,  250,   60,  1000,  3000, 120,   16,  200,
                                     600, 20000, 300, 40000, 90,   65000, 256, 5000};
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (shadow.slots[i].state == SLOT_PRESENT && i % 3 != 0)
            release_block(&shadow.slots[i]);
    }
    for (size_t i = 0; i < 8 * sizeof SIZES / sizeof SIZES[0]; i++) {
        struct slot *slot = shadow_find_absent(0);
        if (slot == NULL)
            break;
        *slot = (struct slot){.state = SLOT_BUSY,
                              .size = SIZES[i % (sizeof SIZES / sizeof SIZES[0])],
                              .alignment = 16,
                              .heap = HEAP_OF_THREAD};
        settle(slot, dam_malloc(slot->size));
    }
    shadow_audit();
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        if (shadow.slots[i].state == SLOT_PRESENT)
            release_block(&shadow.slots[i]);
    }
    (void)dam_trim();
}

_Noreturn static void play_in_child(struct input *input, const struct step *setup) {
    static const int CRASHES[] = {SIGFPE, SIGILL, SIGTRAP, SIGSEGV, SIGBUS};
    size_t crashes = sizeof CRASHES / sizeof CRASHES[0];
    if (world_has_quarantine()) /* there, guard pages are among what is written to, and DAM hears of the last two */
        crashes -= 2;
    for (size_t i = 0; i < crashes; i++)
        (void)signal(CRASHES[i], on_crash);
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)signal(SIGABRT, on_abort);
    (void)signal(SIGALRM, SIG_DFL);
    (void)alarm(PATIENCE_SECONDS);
    actors_init(act_late);
    shadow_begin();
    shadow.damaged = true;
    if (dam_option_set("on_fault", setup->choice % 4 == 3 ? "report" : "abort") != 0)
        finding("on_fault was refused");
    struct step step;
    while (input_next(input, &step)) {
        play_step(&step);
        if (++steps_played % AUDIT_INTERVAL == 0)
            shadow_audit();
    }
    shadow_audit();
    play_epilogue();
    hand_back_outcome();
    _exit(0);
}

/* ---- The parent -------------------------------------------------------------------------------------------------- */

static struct {
    size_t harmless;
    size_t harmless_after_reports;
    size_t reported;
    size_t undamaged;
    size_t damages;
} endings;

_Noreturn static void found(const char *what, int status) {
    fprintf(stderr, "FINDING: %s (wait status 0x%x)\n", what, (unsigned)status);
    if (outcome->text_bytes > 0)
        fprintf(stderr, "  its last report:\n%.*s", (int)outcome->text_bytes, outcome->text);
    abort();
}

static void judge(int status) {
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        endings.undamaged += outcome->damages == 0;
        endings.harmless += outcome->reports == 0;
        endings.harmless_after_reports += outcome->reports > 0;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) {
        if (outcome->reports == 0)
            found("the child was aborted without a report", status);
        endings.reported++;
    } else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        found("the child hangs", status);
    } else {
        found("the child ended badly; its own words are above", status);
    }
    endings.damages += outcome->damages;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct step setup = {0};
    struct input input = input_of(data, bytes);
    if (!input_next(&input, &setup))
        return 0;
    memset(outcome, 0, sizeof *outcome);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("fork");
        abort();
    }
    if (child == 0)
        play_in_child(&input, &setup);
    int status = 0;
    while (waitpid(child, &status, 0) != child)
        continue;
    judge(status);
    take_counters();
    return 0;
}

static pid_t parent;

static void print_endings(void) {
    if (getpid() != parent)
        return;
    fprintf(
        stderr,
        "%zu inputs ended in a report and abort, %zu went on after reports, %zu went on without (%zu did no damage);\n"
        "%zu times damage was done\n",
        endings.reported, endings.harmless_after_reports, endings.harmless, endings.undamaged, endings.damages);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    void *shared =
        mmap(NULL, sizeof *outcome + counter_count(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        abort();
    }
    outcome = shared;
    parent = getpid();
    (void)atexit(print_endings);
    return 0;
}
