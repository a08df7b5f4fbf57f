// SPDX-License-Identifier: MIT
/* options_table.h: every option, once. The parser, the defaults, dam_option_get/set and the command's help are all made
 * from this table.
 *
 * X(name, kind, default, min, max, when, help)
 *   kind   OPTION_NUMBER, OPTION_BYTES (takes K, M, G), OPTION_SWITCH (0 or 1), OPTION_SIZE_CLASSES (steps4 or pow2)
 *   when   OPTION_AT_START: only from DAM_OPTIONS; OPTION_ANY_TIME: dam_option_set too */
#ifndef DAM_BASE_OPTIONS_TABLE_H
#define DAM_BASE_OPTIONS_TABLE_H

#include <stdatomic.h>
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
    X(stats_at_exit, OPTION_SWITCH, 0, 0, 1, OPTION_ANY_TIME, "print a summary of the heap on stderr at exit")

enum option_kind { OPTION_NUMBER, OPTION_BYTES, OPTION_SWITCH, OPTION_SIZE_CLASSES };
enum option_when { OPTION_AT_START, OPTION_ANY_TIME };
enum size_classes { SIZE_CLASSES_STEPS4 = 0, SIZE_CLASSES_POW2 = 1 };

/* The values in force. Relaxed atomics: an option stands for itself, nothing else is published with it. */
struct dam_settings {
#define OPTION_FIELD(name, kind, initial, min, max, when, help) _Atomic(uint64_t) name;
    DAM_OPTION_TABLE(OPTION_FIELD)
#undef OPTION_FIELD
};

extern struct dam_settings dam_settings;

#define DAM_SETTING(name) atomic_load_explicit(&dam_settings.name, memory_order_relaxed)

#endif
