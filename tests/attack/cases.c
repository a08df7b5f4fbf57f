// SPDX-License-Identifier: MIT
/* cases.c: plays cases, judges them and sums them up. The yardstick is in attack.h. */
#include "attack/attack.h"

#include "attack/ground.h"
#include "support/child.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define PATIENCE_SECONDS 60
#define NO_SUCH_VALUE_EXIT 4
#define NO_SUCH_SEQUEL_EXIT 5

/* How many violations of one word are told in full, unless DAM_ATTACK_TOLD says otherwise. */
#define TOLD_MAX ((size_t)3)

/* What the main thread allocates when the attacking thread is gone: enough of every layer to get its pools, and those
 * that were given back. */
static const struct {
    size_t size, count;
} AFTERWARDS[] = {{16, 10},  {32, 10},  {48, 10},   {96, 10},  {128, 10},  {256, 10},
                  {300, 10}, {700, 10}, {1500, 10}, {5000, 4}, {40000, 2}, {70000, 1}};

struct attack_case {
    const struct word *word;
    const struct value *value;
    const struct sequel *sequel;
    size_t size;
    uint64_t seed;
};

enum outcome { REPORTED, HARMLESS, VIOLATION, NO_SUCH_VALUE, NO_SUCH_SEQUEL };

/* ---- Inside a case ----------------------------------------------------------------------------------------------- */

void sequel_not_applicable(void) {
    _exit(NO_SUCH_SEQUEL_EXIT);
}

static _Noreturn void value_not_applicable(void) {
    _exit(NO_SUCH_VALUE_EXIT);
}

/* What the word is at last is not an old value of it. */
static void forget_present_value(struct scene *scene) {
    size_t kept = 0;
    for (size_t i = 0; i < scene->old_count; i++) {
        if (memcmp(scene->old[i], scene->place, scene->bytes) != 0)
            memmove(scene->old[kept++], scene->old[i], WORD_BYTES_MAX);
    }
    scene->old_count = kept;
}

/* Byte by byte and unseen by sanitizers: the write is the one thing here that is wrong on purpose. */
__attribute__((no_sanitize("address", "undefined"))) static void overwrite(volatile char *place,
                                                                           const unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        place[i] = (char)bytes[i];
}

static void attack(struct scene *scene, const struct attack_case *played, struct random *random) {
    unsigned char bytes[WORD_BYTES_MAX];
    bool is_control = played->value == attack_values().of;
    memcpy(bytes, scene->place, scene->bytes);
    if (!played->value->make(scene, random, played->value->parameter, bytes))
        value_not_applicable();
    if (!is_control && memcmp(bytes, scene->place, scene->bytes) == 0)
        value_not_applicable();
    overwrite(scene->place, bytes, scene->bytes);
    void *standing = ground_at(scene->place);
    if (standing != NULL && scene->place + scene->bytes <= (char *)standing + scene->size)
        ground_accept(standing);
}

static void *attacking_thread(void *argument) {
    const struct attack_case *played = argument;
    struct random random = random_start(played->seed, 0);
    char bait[BAIT_BYTES] __attribute__((aligned(16)));
    memset(bait, 'b', sizeof bait);
    attack_stack_bait = opaque_pointer(bait);
    ground_add_bait(attack_stack_bait, sizeof bait);
    ground_add_bait(attack_bait, sizeof attack_bait);
    struct scene scene = {.size = played->size, .form = played->word->form, .bytes = played->word->bytes};
    played->word->stage(&scene, played->word->variant, played->word->block, played->word->spot);
    forget_present_value(&scene);
    attack(&scene, played, &random);
    played->sequel->play(&scene, &random);
    ground_check_all();
    ground_forget_baits();
    return NULL;
}

/* Another thread takes over what is left, and uses memory of every size. */
static void use_everything(size_t size) {
    size_t count = 1 + smaller_of(64 * KIB / size, 64);
    for (size_t i = 0; i < COUNT_OF(AFTERWARDS); i++) {
        for (size_t j = 0; j < AFTERWARDS[i].count; j++)
            ground_malloc(AFTERWARDS[i].size);
    }
    for (size_t i = 0; i < count; i++)
        ground_malloc(size);
    ground_free_all(); /* which looks at every content */
    dam_trim();
    for (size_t i = 0; i < count; i++)
        ground_malloc(size);
    ground_check_all();
}

static void play(void *argument) {
    const struct attack_case *played = argument;
    elsewhere(attacking_thread, argument);
    use_everything(played->size);
}

/* ---- Judging ----------------------------------------------------------------------------------------------------- */

static bool is_misuse(const struct attack_case *played) {
    return !played->word->block_is_live && played->sequel->frees_it;
}

/* Whether the case may end without a report, and whether it may end with one. */
static bool may_be_silent(const struct attack_case *played, bool is_control) {
    if (is_control)
        return !is_misuse(played);
    switch (played->word->must_be_seen) {
    case NEVER:
        return true;
    case WHEN_FREED:
        return !played->sequel->frees_it;
    case ALWAYS:
        return false;
    }
    return false;
}

static bool may_be_reported(const struct attack_case *played, bool is_control) {
    return !is_control || is_misuse(played);
}

static enum outcome judge(const struct attack_case *played, const struct child_result *result) {
    bool is_control = played->value == attack_values().of;
    if (WIFSIGNALED(result->status)) {
        bool reported = WTERMSIG(result->status) == SIGABRT && strncmp(result->output, "dam: fault: ", 12) == 0;
        return reported && may_be_reported(played, is_control) ? REPORTED : VIOLATION;
    }
    int status = WEXITSTATUS(result->status);
    if (status == NO_SUCH_VALUE_EXIT)
        return NO_SUCH_VALUE;
    if (status == NO_SUCH_SEQUEL_EXIT)
        return NO_SUCH_SEQUEL;
    return status == 0 && result->output_bytes == 0 && may_be_silent(played, is_control) ? HARMLESS : VIOLATION;
}

static void tell(const struct attack_case *played, const struct child_result *result) {
    printf("  VIOLATION: '%s' '%s' '%s' %zu %" PRIu64 "\n    ", played->word->name, played->value->name,
           played->sequel->name, played->size, played->seed);
    if (WIFSIGNALED(result->status))
        printf("ended by signal %d", WTERMSIG(result->status));
    else
        printf("exit status %d", WEXITSTATUS(result->status));
    printf(", wrote: %s\n", result->output_bytes == 0 ? "nothing" : result->output);
}

/* ---- All of them ------------------------------------------------------------------------------------------------- */

struct tally {
    size_t cases;
    size_t of[VIOLATION + 1]; /* by outcome */
};

/* False: the value has no meaning for the word, whatever the sequel. */
static bool count_case(const struct attack_case *played, struct tally *tally) {
    struct attack_case copy = *played;
    struct child_result result = child_run(play, &copy, CHILD_STDERR, PATIENCE_SECONDS);
    enum outcome outcome = judge(played, &result);
    if (outcome == NO_SUCH_VALUE || outcome == NO_SUCH_SEQUEL)
        return outcome == NO_SUCH_SEQUEL;
    if (WIFEXITED(result.status) && WEXITSTATUS(result.status) == SCENE_FAILED_EXIT) {
        tell(played, &result);
        exit(1); /* what all others of this word would say, too */
    }
    if (outcome == VIOLATION && tally->of[VIOLATION] < test_count("DAM_ATTACK_TOLD", TOLD_MAX))
        tell(played, &result);
    tally->cases++;
    tally->of[outcome]++;
    return true;
}

static void play_value(size_t number, struct attack_case *played, uint64_t seed, struct tally *tally) {
    const struct value *value = &attack_values().of[number];
    struct sequels sequels = attack_sequels();
    played->value = value;
    for (size_t i = number % value->stride; i < sequels.count; i += value->stride) {
        for (unsigned repeat = 0; repeat < value->repeats; repeat++) {
            played->sequel = &sequels.of[i];
            played->seed = random_mix(seed + repeat);
            if (!count_case(played, tally))
                return;
        }
    }
}

/* A word with which nothing was found wrong, whatever was written there, was not where we thought it was. */
static bool play_word(const struct word *word, size_t size, uint64_t seed) {
    struct tally tally = {0};
    struct attack_case played = {.word = word, .size = size};
    for (size_t i = 0; i < attack_values().count; i++)
        play_value(i, &played, seed, &tally);
    printf("%-58s %5zu %6zu %9zu %9zu %11zu\n", word->name, size, tally.cases, tally.of[REPORTED], tally.of[HARMLESS],
           tally.of[VIOLATION]);
    bool seen_as_expected = (tally.of[REPORTED] == 0) == word->cannot_be_seen;
    if (!seen_as_expected)
        printf("  VIOLATION: %s\n", word->cannot_be_seen ? "reported, against expectation" : "never reported");
    fflush(stdout);
    return tally.of[VIOLATION] == 0 && seen_as_expected;
}

/* ---- One of them ------------------------------------------------------------------------------------------------- */

static const struct word *word_named(const struct word_table *table, const char *name) {
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->words[i].name, name) == 0)
            return &table->words[i];
    }
    return NULL;
}

static const struct value *value_named(const char *name) {
    struct values values = attack_values();
    for (size_t i = 0; i < values.count; i++) {
        if (strcmp(values.of[i].name, name) == 0)
            return &values.of[i];
    }
    return NULL;
}

static const struct sequel *sequel_named(const char *name) {
    struct sequels sequels = attack_sequels();
    for (size_t i = 0; i < sequels.count; i++) {
        if (strcmp(sequels.of[i].name, name) == 0)
            return &sequels.of[i];
    }
    return NULL;
}

/* In this very process, for a debugger: word, value, sequel, size, seed, as a violation is told. */
static int play_named(const struct word_table *table, char **names) {
    struct attack_case played = {
        .word = word_named(table, names[0]),
        .value = value_named(names[1]),
        .sequel = sequel_named(names[2]),
        .size = (size_t)strtoull(names[3], NULL, 10),
        .seed = strtoull(names[4], NULL, 10),
    };
    if (played.word == NULL || played.value == NULL || played.sequel == NULL) {
        fprintf(stderr, "no such word, value or sequel\n");
        return 2;
    }
    play(&played);
    return 0;
}

int attack_words(const struct word_table *table, int argc, char **argv) {
    if (argc == 6)
        return play_named(table, argv + 1);
    uint64_t seed = test_seed(table->name);
    bool held = true;
    printf("%-58s %5s %6s %9s %9s %11s\n", "word", "size", "cases", "reported", "harmless", "violations");
    for (size_t i = 0; i < table->count; i++) {
        const struct word *word = &table->words[i];
        for (size_t j = 0; j < (word->size != 0 ? 1 : table->size_count); j++)
            held &= play_word(word, word->size != 0 ? word->size : table->sizes[j], seed);
    }
    return held ? 0 : 1;
}
