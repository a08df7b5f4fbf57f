// SPDX-License-Identifier: MIT
/* options_table.h: every option, once. The parser, the defaults, dam_option_get/set and the command's help are all made
 * from this table.
 *
 * X(name, kind, default, min, max, when, help)
 *   kind   OPTION_NUMBER, OPTION_BYTES (takes K, M, G), OPTION_SWITCH (0 or 1), or one of those that take a word
 *          (dam_option_words): the value is the word's place among them
 *   when   OPTION_AT_START: only from DAM_OPTIONS; OPTION_ANY_TIME: dam_option_set too */
#ifndef DAM_BASE_OPTIONS_TABLE_H
#define DAM_BASE_OPTIONS_TABLE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define DAM_OPTION_TABLE(X)                                                                                           \
    X(size_classes, OPTION_SIZE_CLASSES, SIZE_CLASSES_STEPS4, 0, 1, OPTION_AT_START,                                  \
      "size classes of the small layer: steps4 (16 to 256, four steps per doubling) or pow2 (32, 64, 128, 256)")      \
    X(direct_shrink_percent, OPTION_NUMBER, 75, 0, 100, OPTION_ANY_TIME,                                              \
      "realloc of a large block to less than this share of its size gives memory back; 0 never, 100 always")          \
    X(purge_delay_ms, OPTION_NUMBER, 1000, 0, 3600000, OPTION_ANY_TIME,                                               \
      "free memory untouched for this long is given back to the system at the next pool's coming or going")           \
    X(dirty_max, OPTION_BYTES, (uint64_t)32 << 20, 0, (uint64_t)1 << 40, OPTION_ANY_TIME,                             \
      "free memory kept for reuse is at most this much; beyond it is given back at once")                             \
    X(guard, OPTION_GUARD, GUARD_DEFAULT, 0, GUARD_FULL, OPTION_AT_START,                                             \
      "how much misuse is looked for: off, default, tail (a canary behind every block of every layer) or full "       \
      "(tail, and quarantine, released memory wiped and checked, guard pages, random placement, stacks)")             \
    X(on_fault, OPTION_ON_FAULT, ON_FAULT_ABORT, 0, ON_FAULT_IGNORE, OPTION_ANY_TIME,                                 \
      "what follows a fault: abort (report it and end the process), report (and go on without the faulty call) or "   \
      "ignore (go on in silence); damage that DAM cannot go on with is always reported and ends the process")         \
    X(sample_every, OPTION_NUMBER, 0, 0, 1000000000, OPTION_AT_START,                                                 \
      "about one allocation in this many, up to a page large, stands alone between guard pages, with its stacks "     \
      "recorded; 0: none")                                                                                            \
    X(stack_every, OPTION_NUMBER, 10, 1, 1000000000, OPTION_AT_START,                                                 \
      "guard=full records who allocates and who releases one block in this many; 1: every one")                       \
    X(stats_at_exit, OPTION_SWITCH, 0, 0, 1, OPTION_ANY_TIME, "print a summary of the heap on stderr at exit")

enum option_kind { OPTION_NUMBER, OPTION_BYTES, OPTION_SWITCH, OPTION_SIZE_CLASSES, OPTION_GUARD, OPTION_ON_FAULT };
enum option_when { OPTION_AT_START, OPTION_ANY_TIME };
enum size_classes { SIZE_CLASSES_STEPS4, SIZE_CLASSES_POW2 };
enum guard_profile { GUARD_OFF, GUARD_DEFAULT, GUARD_TAIL, GUARD_FULL };
enum on_fault { ON_FAULT_ABORT, ON_FAULT_REPORT, ON_FAULT_IGNORE };

/* The words that an option of this kind takes, in the order of their values, NULL behind the last; NULL if it takes a
 * number. */
static inline const char *const *dam_option_words(enum option_kind kind) {
    static const char *const size_classes[] = {"steps4", "pow2", NULL};
    static const char *const guard[] = {"off", "default", "tail", "full", NULL};
    static const char *const on_fault[] = {"abort", "report", "ignore", NULL};
    switch (kind) {
    case OPTION_SIZE_CLASSES:
        return size_classes;
    case OPTION_GUARD:
        return guard;
    case OPTION_ON_FAULT:
        return on_fault;
    case OPTION_NUMBER:
    case OPTION_BYTES:
    case OPTION_SWITCH:
        break;
    }
    return NULL;
}

/* The values in force. Relaxed atomics: an option stands for itself, nothing else is published with it. */
struct dam_settings {
#define OPTION_FIELD(name, kind, initial, min, max, when, help) _Atomic(uint64_t) name;
    DAM_OPTION_TABLE(OPTION_FIELD)
#undef OPTION_FIELD
};

extern struct dam_settings dam_settings;

#define DAM_SETTING(name) atomic_load_explicit(&dam_settings.name, memory_order_relaxed)

#endif
