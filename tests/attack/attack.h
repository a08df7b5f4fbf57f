// SPDX-License-Identifier: MIT
/* attack.h: the attack pass: every word that DAM keeps in or beside the program's memory is overwritten, and whatever
 * the program does next, no harm must come of it.
 *
 *   word     a place where DAM keeps something of its own, and how it came to lie there     *_words.c
 *   value    what is written over it                                                        values.c
 *   sequel   what the program does then                                                     sequels.c
 *
 * Every word x value x sequel is a case, and every case a process of its own (cases.c). In it a thread of its own sets
 * the scene, overwrites the word and plays the sequel; then the thread ends, and the main thread uses memory of every
 * size and frees all that is left. The yardstick: the process is ended by SIGABRT with a report of DAM's, or runs to
 * its end while ground.h finds nothing wrong: every block lies in DAM's memory and on no other block, and keeps its
 * content. Death by another signal, silence that lasts, an abort without a report: all of that fails the case.
 *
 * The attacker knows the sources and every address, may have read the word, older values of it and the same word of
 * other blocks, but not DAM's secrets: nothing here is sealed by DAM's own functions. What is written exists already,
 * in the word's own place or a neighbour's, or is made from that by shifting bits, or is arbitrary.
 *
 * Not here: several words overwritten together, by an attacker who has read them before (replays.c). */
#ifndef DAM_TESTS_ATTACK_ATTACK_H
#define DAM_TESTS_ATTACK_ATTACK_H

#include "dam/dam.h"
#include "support/random.h"
#include "support/test.h"

struct pool;

#define WORD_BYTES_MAX ((size_t)16)
#define OLD_VALUES_MAX ((size_t)10)

/* What the word says, as far as values.c must know to make it say something else. */
enum word_form {
    FORM_PLAIN,
    FORM_SMALL_LINK, /* a small free block's: tag XOR offset of the next */
    FORM_LINK,       /* a quick or remote block's: next, or next and check */
    FORM_OFFSETS,    /* an indexed block's: next or previous in granules, or both and the check */
    FORM_HEADER,     /* fields and check */
    FORM_TAG,        /* boundary tag */
};

struct scene {
    size_t size;    /* of the blocks in it */
    dam_heap *heap; /* where they come from; NULL: the thread's own heap */
    struct pool *pool;
    char *pool_start;
    char *pool_end;
    char *block;    /* whose word it is */
    char *in_front; /* live blocks beside it, or NULL */
    char *behind;
    char *own;      /* a live block of the attacker's, with forgeries in it, or NULL */
    char *on_stack; /* small: a free block that waits on the pool's remote stack */
    enum word_form form;
    char *place; /* the word */
    size_t bytes;
    char *same_of_neighbour;                           /* where another block has the same word, or NULL */
    unsigned char old[OLD_VALUES_MAX][WORD_BYTES_MAX]; /* what has stood there before */
    size_t old_count;
};

/* When a change of the word must be reported. Elsewhere harmless is as good. */
enum must_be_seen { NEVER, WHEN_FREED, ALWAYS };

struct word { // NOLINT(clang-analyzer-optin.performance.Padding): in the order in which the tables name them
    const char *name;
    enum word_form form;
    size_t bytes;
    bool block_is_live;
    enum must_be_seen must_be_seen; /* WHEN_FREED: when its block is freed */
    bool cannot_be_seen;            /* no value here is ever reported: only one with a right seal could do harm */
    void (*stage)(struct scene *scene, size_t variant, size_t block, size_t spot);
    size_t variant, block, spot; /* the words' own files say what these mean */
    size_t size;                 /* of the blocks; 0: the table's sizes */
};

struct value {
    const char *name;
    /* Changes `bytes`, which hold the word as it is. False: there is no such value for this word. */
    bool (*make)(const struct scene *scene, struct random *random, size_t parameter, unsigned char *bytes);
    size_t parameter;
    unsigned repeats; /* cases for each sequel */
    unsigned stride; /* 1: every sequel. 3: every third, and for the next value those behind them; for arbitrary values,
                        which are all alike to DAM */
};

struct sequel {
    const char *name;
    void (*play)(struct scene *scene, struct random *random);
    bool frees_it; /* the word's block: a misuse in itself if that is free already */
};

struct sequels {
    const struct sequel *of;
    size_t count;
};

struct values {
    const struct value *of;
    size_t count;
};

struct values attack_values(void);
struct sequels attack_sequels(void);

/* What is on the stack of the attacking thread, in the test's data, and nowhere: places that malloc must not return. */
#define BAIT_BYTES ((size_t)256)
extern char attack_bait[BAIT_BYTES];
extern char *attack_stack_bait;

/* ---- For scenes and sequels (scene.c) ---------------------------------------------------------------------------- */

/* Notes what the word is now, to be written back later. */
void scene_note(struct scene *scene);

/* A block of the scene's heap. */
void *scene_malloc(struct scene *scene, size_t size);

/* By a thread that begins and ends here. */
void elsewhere(void *(*body)(void *), void *argument);
void free_elsewhere(void *block);

/* Ends the case: the sequel has no meaning for this word. */
_Noreturn void sequel_not_applicable(void);

/* Ends the case: the scene is not as its file thinks, which fails the test. */
#define SCENE_FAILED_EXIT 6
#define SCENE_CHECK(condition) ((condition) ? (void)0 : scene_failed(__FILE__, __LINE__, #condition))
_Noreturn void scene_failed(const char *file, int line, const char *condition);

/* ---- For main ---------------------------------------------------------------------------------------------------- */

struct word_table {
    const char *name;
    const struct word *words;
    size_t count;
    const size_t *sizes;
    size_t size_count;
};

/* Plays all cases, or those whose names are given; says for each word how they ended. The program's exit status. */
int attack_words(const struct word_table *table, int argc, char **argv);

#endif
