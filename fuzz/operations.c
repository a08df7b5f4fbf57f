// SPDX-License-Identifier: MIT
/* operations.c: a libFuzzer target. An input is a play: which actor (actors.h) does what with which block, in which
 * order, where it stands still inside DAM meanwhile, and what it does that a program must not do (misuse.h).
 *
 *     | setup | step | step | ...        setup: how often everything is audited, what on_fault says, options
 *
 * Demanded is, of every play: each block is where DAM's pools are, aligned, and apart from all others; it keeps its
 * bytes, the first min(old, new) of them when it is resized; calloc's are zero; what must be refused is refused with
 * the right errno and errno is left alone otherwise; faults are reported where there are some, and nowhere else; the
 * heap verifier finds nothing (src/inspect/verify.h). At the end everything is released, all threads end, and no pool
 * is left.
 *
 * Repeatable: threads take turns, the clock stands unless a step moves it, and the next input finds DAM as this one
 * did, but for addresses and secrets. Not repeatable is only what hangs on those.
 *
 * Not here: the shadow of the blocks (shadow.c), misuse (misuse.c), damage to DAM's memory at large (corruption.c). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz/actors.h"
#include "fuzz/misuse.h"
#include "fuzz/world.h"
#include "heap/heap.h"
#include "inspect/verify.h"
#include "pool/pool_map.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * 1024)
#define GIB ((size_t)1024 * 1024 * 1024)

/* The input being played, and the step that is next: a child goes on where it forked. */
static struct input input;
static unsigned steps_played;
static unsigned audit_interval;
static bool may_fork;

/* In the child of a fork, when others stood still inside calls: what they were at is never finished, and the verifier
 * would say so. */
static bool stays_half_way;

static size_t plays, steps_skipped, forks, writes_after_free;

/* ---- Findings ---------------------------------------------------------------------------------------------------- */

static void tell_where(void) {
    unsigned actor = actor_self();
    if (steps_played < input.records - 1)
        fprintf(stderr, "  in step %u, ", steps_played + 1);
    else
        fprintf(stderr, "  after the last step, ");
    if (actor < ACTOR_COUNT)
        fprintf(stderr, "by actor %u", actor);
    else
        fprintf(stderr, "by the driver");
    fprintf(stderr, "%s; errno %d; %zu actors inside calls\n", actors_are_alone() ? ", in the child of a fork" : "",
            errno, actors_in_calls());
}

_Noreturn void finding(const char *what) {
    fprintf(stderr, "FINDING: %s\n", what);
    tell_where();
    fflush(NULL);
    if (said.reports > 0) {
        fprintf(stderr, "  the last report was:\n");
        said_show();
    }
    abort();
}

static void require(bool holds, const char *what) {
    if (!holds)
        finding(what);
}

static void require_of(const struct slot *slot, bool holds, const char *what) {
    if (holds)
        return;
    shadow_tell(slot);
    finding(what);
}

static void audit(void) {
    actors_finish_calls();
    if (!stays_half_way)
        require(dam_verify_all() == 0, "the heap verifier found something broken");
    shadow_audit();
}

/* ---- Making blocks ----------------------------------------------------------------------------------------------- */

static bool is_zero(const unsigned char *bytes, size_t count) {
    return count == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* Mostly up to 4 KiB; now and then to 4 MiB, and 1 GiB once in a while (of address space). */
static size_t alignment_of(const struct step *step) {
    unsigned exponent = step->extra >> 3;
    if (exponent == 31)
        return step->choice == 0xff ? GIB : 4 * MIB;
    return (size_t)1 << (exponent < 24 ? exponent % 13 : exponent % 13 + 9);
}

static int heap_of(const struct step *step) {
    int heap = (step->extra & 7) - 8 + HEAP_COUNT;
    return heap >= 0 && world.heaps[heap] != NULL ? heap : HEAP_OF_THREAD;
}

static void *posix_aligned(size_t alignment, size_t size) {
    void *place = &place;
    void *block = place;
    int answer = dam_posix_memalign(&block, alignment, size);
    require(answer == 0 || block == place, "posix_memalign failed and wrote to where the block was to be");
    if (answer != 0)
        errno = answer;
    return answer == 0 ? block : NULL;
}

/* Fills in the slot's alignment and release. */
static void *allocate_from_thread_heap(const struct step *step, struct slot *slot) {
    switch (step->choice % 9) {
    case 0:
        return dam_calloc(1, slot->size);
    case 1:
        return slot->size % 8 == 0 ? dam_calloc(slot->size / 8, 8) : dam_calloc(slot->size, 1);
    case 2:
        slot->alignment = alignment_of(step);
        slot->release = RELEASE_ALIGNED_SIZED;
        return dam_aligned_alloc(slot->alignment, slot->size);
    case 3:
        slot->alignment = alignment_of(step) < 8 ? 8 : alignment_of(step);
        slot->release = RELEASE_PLAIN;
        return posix_aligned(slot->alignment, slot->size);
    case 4:
        return dam_realloc(NULL, slot->size);
    case 5:
        return dam_reallocarray(NULL, slot->size, 1);
    default:
        return dam_malloc(slot->size);
    }
}

static void *allocate_from_heap(const struct step *step, struct slot *slot, dam_heap *heap) {
    switch (step->choice % 9) {
    case 0:
    case 1:
        return dam_heap_calloc(heap, 1, slot->size);
    case 2:
    case 3:
        slot->alignment = alignment_of(step);
        slot->release = RELEASE_ALIGNED_SIZED;
        return dam_heap_aligned_alloc(heap, slot->alignment, slot->size);
    case 4:
        return dam_heap_realloc(heap, NULL, slot->size);
    default:
        return dam_heap_malloc(heap, slot->size);
    }
}

/* Programs write all of a block, the first half, or nothing yet, and at times all that they were told is theirs. */
static void write_as_told(const struct step *step, struct slot *slot) {
    switch (step->choice >> 6) {
    case 0:
    case 1:
        shadow_write(slot, slot->size);
        break;
    case 2:
        shadow_write(slot, slot->size / 2);
        break;
    default:
        shadow_write(slot, 0);
        break;
    }
    if ((step->choice & 32) != 0) {
        size_t usable = dam_malloc_usable_size(slot->start);
        require_of(slot, usable >= slot->size, "the usable size is less than what was asked for");
        if (usable - slot->size <= 64 * KIB)
            memset(slot->start + slot->size, 0xA5, usable - slot->size);
    }
}

static void make_block(const struct step *step, uint8_t pause) {
    struct slot *slot = shadow_find_absent(step->slot);
    if (slot == NULL)
        return;
    *slot = (struct slot){
        .state = SLOT_BUSY,
        .size = shadow_size(step->size),
        .alignment = 16,
        .release = RELEASE_SIZED,
        .heap = heap_of(step),
    };
    errno = ERRNO_MARK;
    calls_begin(pause);
    void *block = slot->heap == HEAP_OF_THREAD ? allocate_from_thread_heap(step, slot)
                                               : allocate_from_heap(step, slot, world.heaps[slot->heap]);
    calls_end();
    require_of(slot, block != NULL, "an allocation was refused");
    require_of(slot, errno == ERRNO_MARK, "an allocation that succeeded changed errno");
    shadow_arrived(slot, block);
    if (step->choice % 9 < 2)
        require_of(slot, is_zero(slot->start, slot->size), "calloc gave a block that is not zero");
    write_as_told(step, slot);
}

static void make(const struct step *step) {
    make_block(step, step->pause);
}

/* Enough of one size to fill pools. A pause is in the last. */
static void make_many(const struct step *step) {
    struct step one = *step;
    one.extra = (uint8_t)((step->slot & 7) | (step->extra & 0xc0));
    for (unsigned i = step->extra & 63; i > 0; i--)
        make_block(&one, 0);
    make_block(&one, step->pause);
}

/* ---- Releasing --------------------------------------------------------------------------------------------------- */

static void call_release(const struct step *step, const struct slot *slot) {
    unsigned way = step->choice % 8;
    if (way == 0) {
        require(dam_realloc(slot->start, 0) == NULL, "realloc to no bytes gave a block");
    } else if (way < 4 && slot->release == RELEASE_SIZED) {
        dam_free_sized(slot->start, slot->size);
    } else if (way < 4 && slot->release == RELEASE_ALIGNED_SIZED) {
        dam_free_aligned_sized(slot->start, slot->alignment, slot->size);
    } else {
        dam_free(slot->start);
    }
}

static void release_block(const struct step *step, struct slot *slot, uint8_t pause) {
    shadow_leaving(slot);
    errno = ERRNO_MARK;
    calls_begin(pause);
    call_release(step, slot);
    calls_end();
    require_of(slot, errno == ERRNO_MARK, "a release changed errno");
    shadow_gone(slot, actor_self());
}

static void release(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot != NULL)
        release_block(step, slot, step->pause);
}

/* In order, from behind, or with others left between. */
static void release_many(const struct step *step) {
    size_t start = (size_t)step->slot * (SLOT_COUNT / 256);
    size_t count = 1 + (step->extra & 63);
    size_t stride = 1 + (step->extra >> 6 & 1);
    for (size_t i = 0; i < count; i++) {
        size_t place = (step->extra & 128) != 0 ? count - 1 - i : i;
        struct slot *slot = &shadow.slots[(start + place * stride) % SLOT_COUNT];
        if (slot->state == SLOT_PRESENT)
            release_block(step, slot, i + 1 == count ? step->pause : 0);
    }
}

/* ---- Resizing ---------------------------------------------------------------------------------------------------- */

#define RESIZED_MAX (6 * MIB)

static size_t new_size(const struct step *step, size_t size) {
    size_t wanted;
    switch (step->extra % 8) {
    case 0:
        wanted = size + size / 2;
        break;
    case 1:
        wanted = size / 2;
        break;
    case 2:
        wanted = size + 1;
        break;
    case 3:
        wanted = size == 0 ? 0 : size - 1;
        break;
    case 4:
        wanted = size + step->size % 128;
        break;
    case 5:
        wanted = size - (size_t)step->size % (size + 1);
        break;
    default:
        wanted = shadow_size(step->size);
        break;
    }
    return wanted < RESIZED_MAX ? wanted : RESIZED_MAX;
}

/* The block now has `size` bytes, of which the first were there before. */
static void settle_resized(const struct step *step, struct slot *slot, void *block, size_t size) {
    size_t kept = slot->size < size ? slot->size : size;
    size_t written = slot->written < kept ? slot->written : kept;
    slot->size = size;
    slot->alignment = 16;
    shadow_arrived(slot, block);
    slot->written = written;
    shadow_check(slot, kept);
    write_as_told(step, slot);
}

static void resize(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL)
        return;
    size_t size = new_size(step, slot->size);
    bool keeps_heap = slot->heap != HEAP_OF_THREAD && (step->extra & 128) != 0;
    uintptr_t old_place = (uintptr_t)slot->start;
    void *block;
    shadow_leaving(slot);
    errno = ERRNO_MARK;
    calls_begin(step->pause);
    if (keeps_heap)
        block = dam_heap_realloc(world.heaps[slot->heap], slot->start, size);
    else if ((step->extra & 64) != 0)
        block = dam_reallocarray(slot->start, size, 1);
    else
        block = dam_realloc(slot->start, size);
    calls_end();
    require_of(slot, errno == ERRNO_MARK, "a resize changed errno");
    if (size == 0) {
        require_of(slot, block == NULL, "realloc to no bytes gave a block");
        shadow_gone(slot, actor_self());
        return;
    }
    require_of(slot, block != NULL, "a resize was refused");
    if (!keeps_heap && (uintptr_t)block != old_place)
        slot->heap = HEAP_OF_THREAD;
    slot->release = RELEASE_SIZED;
    settle_resized(step, slot, block, size);
}

static void expand(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL)
        return;
    size_t size = new_size(step, slot->size);
    size_t usable = dam_malloc_usable_size(slot->start);
    shadow_leaving(slot);
    errno = ERRNO_MARK;
    calls_begin(step->pause);
    bool done = dam_expand(slot->start, size);
    calls_end();
    require_of(slot, errno == ERRNO_MARK, "dam_expand changed errno");
    require_of(slot, !(done && size == 0), "dam_expand to no bytes succeeded");
    if (!done) {
        require_of(slot, dam_malloc_usable_size(slot->start) == usable, "dam_expand failed and changed the block");
        shadow_stayed(slot);
        return;
    }
    if (slot->release == RELEASE_ALIGNED_SIZED)
        slot->release = RELEASE_PLAIN;
    settle_resized(step, slot, slot->start, size);
}

/* ---- Looking, and what must be refused --------------------------------------------------------------------------- */

static void look(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    if (slot == NULL)
        return;
    shadow_check(slot, slot->size);
    size_t usable = dam_malloc_usable_size(slot->start);
    require_of(slot, usable >= slot->size, "the usable size is less than what was asked for");
    write_as_told(step, slot);
}

/* Hides a value from the compiler, which knows what malloc and its kin promise. */
static size_t opaque(size_t value) {
    __asm__ volatile("" : "+r"(value));
    return value;
}

static void require_refusal(const void *block, int error, const char *what) {
    require(block == NULL, what);
    require(errno == error, "a refusal came with the wrong errno");
    errno = ERRNO_MARK;
}

/* Sizes that nobody has: more than can be said, more than there are addresses, or slices, granules and pages that
 * cannot be counted in 32 bits. */
static void ask_too_much(const struct step *step, struct slot *slot, dam_heap *heap) {
    static const size_t SIZES[] = {SIZE_MAX,        (size_t)PTRDIFF_MAX + 1,       PTRDIFF_MAX,    (size_t)1 << 62,
                                   (size_t)1 << 48, ((size_t)1 << 48) + 3 * 65536, (size_t)1 << 47};
    size_t size = opaque(SIZES[step->size % (sizeof SIZES / sizeof SIZES[0])] - step->extra);
    size_t half = opaque(size / 2);
    require_refusal(dam_malloc(size), ENOMEM, "malloc of more than there is gave a block");
    require_refusal(dam_calloc(half, 2), ENOMEM, "calloc of more than there is gave a block");
    require_refusal(dam_calloc(half, 5), ENOMEM, "calloc of more than there is gave a block");
    require_refusal(dam_aligned_alloc(64, size), ENOMEM, "aligned_alloc of more than there is gave a block");
    require_refusal(dam_reallocarray(NULL, half, 3), ENOMEM, "reallocarray of more than there is gave a block");
    void *block = NULL;
    require(dam_posix_memalign(&block, 64, size) == ENOMEM && block == NULL, "posix_memalign of more than there is");
    require(errno == ERRNO_MARK, "posix_memalign changed errno");
    if (heap != NULL) {
        require_refusal(dam_heap_malloc(heap, size), ENOMEM, "dam_heap_malloc of more than there is gave a block");
        require_refusal(dam_heap_calloc(heap, half, 3), ENOMEM, "dam_heap_calloc of more than there is gave a block");
        require_refusal(dam_heap_aligned_alloc(heap, 64, size), ENOMEM, "dam_heap_aligned_alloc of more than there is");
    }
    if (slot == NULL)
        return;
    require_refusal(dam_realloc(slot->start, size), ENOMEM, "realloc to more than there is gave a block");
    require_refusal(dam_reallocarray(slot->start, half, 3), ENOMEM, "reallocarray to more than there is gave a block");
    if (heap != NULL)
        require_refusal(dam_heap_realloc(heap, slot->start, size), ENOMEM, "dam_heap_realloc to more than there is");
    require(!dam_expand(slot->start, size), "dam_expand to more than there is succeeded");
}

static void ask_wrongly(const struct step *step, struct slot *slot, dam_heap *heap) {
    size_t alignment = opaque((step->size & 1) != 0 ? 2 * GIB : 48);
    require_refusal(dam_aligned_alloc(alignment, 100), EINVAL, "aligned_alloc took a bad alignment");
    require_refusal(dam_aligned_alloc(opaque(0), 100), EINVAL, "aligned_alloc took an alignment of 0");
    if (heap != NULL)
        require_refusal(dam_heap_aligned_alloc(heap, alignment, 100), EINVAL, "a heap took a bad alignment");
    void *block = NULL;
    require(dam_posix_memalign(&block, alignment, 100) == EINVAL, "posix_memalign took a bad alignment");
    require(dam_posix_memalign(&block, 4, 100) == EINVAL && block == NULL, "posix_memalign took an alignment of 4");
    require(!dam_expand(NULL, 100), "dam_expand of NULL succeeded");
    if (slot != NULL)
        require(!dam_expand(slot->start, 0), "dam_expand to no bytes succeeded");
    require(dam_malloc_usable_size(NULL) == 0, "NULL has a usable size");
    dam_free(NULL);
    dam_free_sized(NULL, step->size);
    dam_free_aligned_sized(NULL, 64, step->size);
    dam_heap_destroy(NULL);
}

static void be_refused(const struct step *step) {
    struct slot *slot = shadow_find_present(step->slot);
    dam_heap *heap = world.heaps[step->extra % HEAP_COUNT];
    errno = ERRNO_MARK;
    if (step->choice % 2 == 0)
        ask_too_much(step, slot, heap);
    else
        ask_wrongly(step, slot, heap);
    require(errno == ERRNO_MARK, "errno was changed by a call that may not");
    if (slot != NULL)
        shadow_check(slot, slot->size);
}

/* ---- First-class heaps ------------------------------------------------------------------------------------------- */

static void create_heap(const struct step *step) {
    unsigned heap = step->extra % HEAP_COUNT;
    if (world.heaps[heap] != NULL || world.heap_busy[heap])
        return;
    world.heap_busy[heap] = true;
    calls_begin(step->pause);
    dam_heap *created = dam_heap_create();
    calls_end();
    require(created != NULL, "dam_heap_create was refused");
    world.heaps[heap] = created;
    world.heap_busy[heap] = false;
}

static void destroy(unsigned heap, uint8_t pause) {
    dam_heap *destroyed = world.heaps[heap];
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct slot *slot = &shadow.slots[i];
        if (slot->state != SLOT_PRESENT || slot->heap != (int)heap)
            continue;
        shadow_leaving(slot);
        shadow_gone(slot, actor_self());
    }
    world.heaps[heap] = NULL;
    errno = ERRNO_MARK;
    calls_begin(pause);
    dam_heap_destroy(destroyed);
    calls_end();
    require(errno == ERRNO_MARK, "dam_heap_destroy changed errno");
}

/* Nobody is inside a call: no other thread may be using the heap. */
static void destroy_heap(const struct step *step) {
    unsigned heap = step->extra % HEAP_COUNT;
    if (world.heaps[heap] != NULL)
        destroy(heap, step->pause);
}

/* ---- The allocator as a whole ------------------------------------------------------------------------------------ */

static void trim(const struct step *step) {
    errno = ERRNO_MARK;
    calls_begin(step->pause);
    (void)dam_trim();
    calls_end();
    require(errno == ERRNO_MARK, "dam_trim changed errno");
}

static void move_clock(const struct step *step) {
    world.now_ms += step->size;
}

/* The settings of a heap that changes memory often; on_fault is the setup's. */
static const struct setting {
    const char *name;
    const char *usual;
    const char *values[6];
} SETTINGS[] = {
    {"direct_shrink_percent", "75", {"0", "100", "50", "75", "1", "99"}},
    {"purge_delay_ms", "1000", {"0", "1", "20", "1000", "3600000", "400"}},
    {"dirty_max", "33554432", {"0", "65536", "1048576", "33554432", "4194304", "131072"}},
    {"stats_at_exit", "0", {"0", "0", "0", "0", "0", "0"}},
};

#define SETTING_COUNT (sizeof SETTINGS / sizeof SETTINGS[0])

static void set_option(const struct step *step) {
    const struct setting *setting = &SETTINGS[step->extra % SETTING_COUNT];
    const char *value = setting->values[step->choice % 6];
    char text[64];
    require(dam_option_set(setting->name, value) == 0, "an option was refused");
    require(dam_option_get(setting->name, text, sizeof text) == 0 && strcmp(text, value) == 0,
            "an option is not what it was set to");
    require(dam_option_get(setting->name, text, 0) == ERANGE, "an option fitted into no bytes");
    require(dam_option_set("size_classes", "steps4") == EPERM, "an option was set that can only be set at start");
    require(dam_option_set("direct_shrink_percent", "101") == ERANGE, "an option was set out of its bounds");
    require(dam_option_set("dirty_max", "lots") == EINVAL, "an option was set to nonsense");
    require(dam_option_set("no_such_option", "1") == EINVAL, "an option was set that does not exist");
}

static void reset_options(void) {
    for (size_t i = 0; i < SETTING_COUNT; i++)
        require(dam_option_set(SETTINGS[i].name, SETTINGS[i].usual) == 0, "an option was refused");
}

/* ---- Threads and processes --------------------------------------------------------------------------------------- */

/* By the driver: the actor's thread ends, with all that its heap has. Its next work begins another. */
static void end_actor(const struct step *step) {
    (void)actor_end(step->actor % ACTOR_COUNT, step);
}

/* What destructors do after DAM's own has run: the thread has no heap any more. */
static void act_late(const struct step *step) {
    if ((step->choice & 1) != 0)
        release(step);
    if ((step->choice & 2) != 0)
        make_block(step, 0);
    if ((step->choice & 4) != 0)
        resize(step);
}

static void play_rest(void);
static void release_everything(void);

/* In the child: goes on with the play, as everybody. */
_Noreturn static void play_on_alone(const struct step *step) {
    (void)step;
    play_rest();
    audit();
    release_everything();
    (void)dam_trim();
    audit();
    _exit(0);
}

/* Once in a play, and in one of four: a fork costs as much as some hundred steps. Returns the child's exit status, or
 * -1 if there was none. */
static int fork_child(const struct step *step, void (*act_in_child)(const struct step *step)) {
    if (!may_fork || actors_are_alone())
        return -1;
    may_fork = false;
    forks++;
    fflush(NULL);
    calls_begin(step->pause);
    pid_t child = fork();
    calls_end();
    require(child >= 0, "fork failed; this says nothing about DAM");
    if (child == 0) {
        stays_half_way = actors_in_calls() > 1;
        actors_alone();
        act_in_child(step);
    }
    int status = 0;
    while (waitpid(child, &status, 0) != child)
        require(errno == EINTR, "the child is gone");
    require(WIFEXITED(status), "the child of a fork crashed");
    return WEXITSTATUS(status);
}

static void fork_off(const struct step *step) {
    require(fork_child(step, play_on_alone) <= 0, "the child of a fork failed (its words are above)");
}

static void fork_and_write(const struct step *step) {
    int status = fork_child(step, write_after_free);
    require(status <= 0 || status == WRITE_AFTER_FREE_FOUND, "the child of a fork failed (its words are above)");
    writes_after_free += status == WRITE_AFTER_FREE_FOUND;
}

/* ---- The play ---------------------------------------------------------------------------------------------------- */

enum condition {
    AT_ANY_TIME, /* others may stand still inside calls */
    WHEN_QUIET,  /* nobody does */
    BY_DRIVER,   /* not a call of an actor's */
};

/* What a play is mostly made of stands here several times. */
static const struct operation {
    const char *name;
    actor_work *play;
    enum condition condition;
} OPERATIONS[] = {
    {"make", make, AT_ANY_TIME},
    {"make", make, AT_ANY_TIME},
    {"make many", make_many, AT_ANY_TIME},
    {"release", release, AT_ANY_TIME},
    {"release", release, AT_ANY_TIME},
    {"release many", release_many, AT_ANY_TIME},
    {"resize", resize, AT_ANY_TIME},
    {"expand", expand, AT_ANY_TIME},
    {"look", look, AT_ANY_TIME},
    {"be refused", be_refused, WHEN_QUIET},
    {"create heap", create_heap, AT_ANY_TIME},
    {"destroy heap", destroy_heap, WHEN_QUIET},
    {"trim", trim, AT_ANY_TIME},
    {"move clock", move_clock, AT_ANY_TIME},
    {"set option", set_option, AT_ANY_TIME},
    {"end actor", end_actor, BY_DRIVER},
    {"fork", fork_off, AT_ANY_TIME},
    {"write after free", fork_and_write, WHEN_QUIET},
    {"double free", double_free, WHEN_QUIET},
    {"foreign pointer", foreign_pointer, WHEN_QUIET},
    {"interior pointer", interior_pointer, WHEN_QUIET},
    {"overflow", overflow, WHEN_QUIET},
    {"underflow", underflow, WHEN_QUIET},
    {"wrong size", wrong_size, WHEN_QUIET},
};

#define OPERATION_COUNT (sizeof OPERATIONS / sizeof OPERATIONS[0])

static size_t played[OPERATION_COUNT];

static void play_step(const struct step *step) {
    size_t index = step->code % OPERATION_COUNT;
    const struct operation *operation = &OPERATIONS[index];
    played[index]++;
    if (operation->condition == WHEN_QUIET)
        actors_finish_calls();
    if (operation->condition == BY_DRIVER)
        operation->play(step);
    else
        steps_skipped += !actor_do(step->actor % ACTOR_COUNT, operation->play, step);
}

static void play_rest(void) {
    struct step step;
    while (input_next(&input, &step)) {
        play_step(&step);
        if (++steps_played % audit_interval == 0)
            audit();
    }
}

/* One of `size` actors has its share of the slots: every size-th, from `slot` on. */
static void release_share(const struct step *step) {
    for (size_t i = step->slot; i < SLOT_COUNT; i += step->size) {
        if (shadow.slots[i].state == SLOT_PRESENT)
            release_block(step, &shadow.slots[i], 0);
    }
}

static void release_everything(void) {
    struct step share = {.choice = (uint8_t)steps_played};
    bool has_share[ACTOR_COUNT];
    for (unsigned i = 0; i < ACTOR_COUNT; i++) {
        has_share[i] = actor_exists(i);
        share.size = (uint16_t)(share.size + has_share[i]);
    }
    if (share.size == 0) /* all have ended */
        share.size = has_share[0] = true;
    for (unsigned i = 0; i < ACTOR_COUNT; i++) {
        if (!has_share[i])
            continue;
        (void)actor_do(i, release_share, &share);
        share.slot++;
    }
    for (unsigned heap = 0; heap < HEAP_COUNT; heap++) {
        if (world.heaps[heap] != NULL)
            destroy(heap, 0);
    }
}

/* The owner of a pool that is left: only the heap that serves threads at their very end, and stays for the next ones.
 */
static void find_late_heap(struct pool *pool, void *found) {
    struct heap *owner = pool_layer(pool) == LAYER_SMALL ? pool->small_owner : pool->general_owner;
    require(owner != NULL && owner->is_first_class, "all blocks are released and all threads gone, and a pool is left");
    *(struct heap **)found = owner;
}

static void require_no_pool(struct pool *pool, void *context) {
    (void)context;
    fprintf(stderr, "  pool at %p, layer %d\n", (void *)pool->start, pool->layer);
    finding("all blocks are released, and a pool is left that has live ones");
}

/* What is left would make the next play depend on this one. */
static void require_nothing_left(void) {
    struct heap *late = NULL;
    dam_pool_map_visit(find_late_heap, &late);
    if (late != NULL)
        dam_heap_give_up(late);
    dam_pool_map_visit(require_no_pool, NULL);
}

static void begin_play(const struct step *setup) {
    static const unsigned INTERVALS[] = {64, 16, 64, 4, 256, 64, 16, 1};
    static const enum fault_mode MODES[] = {FAULTS_HANDLED,  FAULTS_HANDLED, FAULTS_HANDLED_AND_REPORTED,
                                            FAULTS_HANDLED,  FAULTS_HANDLED, FAULTS_HANDLED,
                                            FAULTS_REPORTED, FAULTS_IGNORED};
    shadow_begin();
    memset(&world.heaps, 0, sizeof world.heaps);
    memset(&world.heap_busy, 0, sizeof world.heap_busy);
    said.reports = 0;
    audit_interval = INTERVALS[setup->code % (sizeof INTERVALS / sizeof INTERVALS[0])];
    world.fault_mode = MODES[setup->actor % (sizeof MODES / sizeof MODES[0])];
    steps_played = 0;
    may_fork = setup->slot % 4 == 3;
    plays++;
    misuse_begin();
}

static void end_play(void) {
    static const struct step QUIETLY = {.choice = 0};
    audit();
    release_everything();
    if (world_has_quarantine())
        (void)actor_do(0, trim, &QUIETLY);
    audit();
    for (unsigned i = 0; i < ACTOR_COUNT; i++)
        (void)actor_end(i, &QUIETLY);
    actors_finish_calls();
    require_nothing_left();
    (void)dam_trim();
    require(dam_verify_all() == 0, "the heap verifier found something broken after the end");
    reset_options();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
    struct step setup = {0};
    input = input_of(data, bytes);
    (void)input_next(&input, &setup);
    begin_play(&setup);
    play_rest();
    end_play();
    return 0;
}

/* What all plays together were made of: a target that never gets to something cannot find anything there. */
static void print_counts(void) {
    if (actors_are_alone())
        return;
    fprintf(stderr,
            "%zu plays, %zu pauses inside calls, %zu waits for locks, %zu forks; %zu steps found their actor busy\n",
            plays, actors_paused, actors_waited, forks, steps_skipped);
    for (size_t i = 0; i < OPERATION_COUNT; i++) {
        size_t times = played[i];
        for (; i + 1 < OPERATION_COUNT && OPERATIONS[i].play == OPERATIONS[i + 1].play; i++)
            times += played[i + 1];
        fprintf(stderr, "%12zu %s\n", times, OPERATIONS[i].name);
    }
    misuse_print_counts();
    fprintf(stderr, "%12zu write after free, each in the child of a fork\n", writes_after_free);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    actors_init(act_late);
    (void)atexit(print_counts);
    return 0;
}
