// SPDX-License-Identifier: MIT
/* fault.c: writes a fault's report into a buffer on the stack, then to stderr in one piece; then what the program chose.
 *
 * Nothing here allocates, locks, or trusts what the fault may have damaged: it prints what it is handed. */
#define _GNU_SOURCE
#include "guard/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/options_table.h"
#include "guard/freed_lately.h"
#include "guard/message.h"
#include "guard/stack_trace.h"
#include "os/os.h"

/* Both change together, and a fault may be found while they do: the pair is read as one. */
struct handler {
    dam_fault_handler *function;
    void *context;
};

static struct handler handlers[2];
static atomic_int handler_in_use;

static fault_stack_finder *stack_finder;

static const char *fault_words(enum dam_fault_kind kind) {
    switch (kind) {
#define FAULT_WORDS(name, words, hint)                                                                                \
    case name:                                                                                                        \
        return words;
        DAM_FAULT_TABLE(FAULT_WORDS)
#undef FAULT_WORDS
    }
    return "unknown fault";
}

static const char *fault_hint(enum dam_fault_kind kind) {
    switch (kind) {
#define FAULT_HINT(name, words, hint)                                                                                 \
    case name:                                                                                                        \
        return hint;
        DAM_FAULT_TABLE(FAULT_HINT)
#undef FAULT_HINT
    }
    return "";
}

static const char *layer_words(enum dam_layer layer) {
    switch (layer) {
    case DAM_LAYER_SMALL:
        return "small layer";
    case DAM_LAYER_GENERAL:
        return "general layer";
    case DAM_LAYER_DIRECT:
        return "direct layer";
    case DAM_LAYER_NONE:
        break;
    }
    return "guarded";
}

size_t dam_fault_request(size_t layer_request_bytes) {
    return DAM_SETTING(guard) >= GUARD_TAIL ? layer_request_bytes - TAIL_BYTES_MIN : layer_request_bytes;
}

/* An address at which no block starts may be a large block's that is gone: then this is a double free. */
static struct dam_fault named_better(const struct dam_fault *fault) {
    struct dam_fault named = *fault;
    bool no_block_there = fault->kind == DAM_FAULT_FOREIGN_POINTER || fault->kind == DAM_FAULT_NOT_A_BLOCK;
    size_t requested_bytes;
    if (no_block_there && dam_freed_lately_find(fault->address, &requested_bytes)) {
        named.kind = DAM_FAULT_DOUBLE_FREE;
        named.layer = DAM_LAYER_DIRECT;
        named.pool_start = NULL;
        named.block = fault->address;
        named.block_bytes = dam_fault_request(requested_bytes);
        named.requested_bytes = dam_fault_request(requested_bytes);
        named.state = "released, its memory given back";
    }
    return named;
}

void dam_fault_show_bytes(struct dam_fault *fault, const void *place, const void *should_be, size_t bytes) {
    fault->damaged = place;
    fault->damaged_bytes = bytes < FAULT_SHOWN_BYTES_MAX ? bytes : FAULT_SHOWN_BYTES_MAX;
    memcpy(fault->should_be, should_be, fault->damaged_bytes);
}

/* ---- The lines of a report --------------------------------------------------------------------------------------- */

static void describe_call(struct message *message, const struct dam_fault *fault) {
    dam_message_add(message, "dam: fault: ");
    dam_message_add(message, fault_words(fault->kind));
    dam_message_add(message, ": ");
    if (fault->operation != NULL) {
        dam_message_add(message, fault->operation);
        dam_message_add(message, " of ");
    }
    dam_message_add_address(message, fault->address);
    dam_message_add(message, "\ndam:   in thread ");
    dam_message_add_decimal(message, dam_os_thread_id());
    dam_message_add(message, " of process ");
    dam_message_add_decimal(message, dam_os_process_id());
    dam_message_add(message, "\n");
}

static void describe_pool(struct message *message, const struct dam_fault *fault) {
    dam_message_add(message, "dam:   pool of ");
    dam_message_add_size(message, fault->pool_bytes);
    dam_message_add(message, " at ");
    dam_message_add_address(message, fault->pool_start);
    dam_message_add(message, " (");
    dam_message_add(message, layer_words(fault->layer));
    dam_message_add(message, ")\n");
}

static void describe_block(struct message *message, const struct dam_fault *fault) {
    dam_message_add(message, "dam:   block at ");
    dam_message_add_address(message, fault->block);
    dam_message_add(message, " of ");
    dam_message_add_size(message, fault->block_bytes);
    if (fault->requested_bytes != 0) {
        dam_message_add(message, ", requested ");
        dam_message_add_size(message, fault->requested_bytes);
    }
    if (fault->state != NULL) {
        dam_message_add(message, ", ");
        dam_message_add(message, fault->state);
    }
    dam_message_add(message, "\n");
}

/* "3 bytes past its end" */
static void describe_distance(struct message *message, const struct dam_fault *fault) {
    const char *words = fault->kind == DAM_FAULT_ACCESS_PAST_END       ? " past the end\n"
                        : fault->kind == DAM_FAULT_ACCESS_BEFORE_START ? " before its start\n"
                        : fault->kind == DAM_FAULT_ACCESS_AFTER_FREE   ? " into it\n"
                                                                       : NULL;
    if (words == NULL)
        return;
    dam_message_add(message, "dam:   ");
    dam_message_add_size(message, fault->distance_bytes);
    dam_message_add(message, words);
}

static void describe_words(struct message *message, const struct dam_fault *fault) {
    dam_message_add(message, "dam:   expected ");
    dam_message_add_hex(message, fault->expected, 16);
    dam_message_add(message, ", found ");
    dam_message_add_hex(message, fault->found, 16);
    dam_message_add(message, "\n");
}

#define DUMP_ROW_BYTES 16

static void dump_row(struct message *message, const char *title, const unsigned char *bytes, size_t count) {
    dam_message_add(message, title);
    for (size_t i = 0; i < count; i++) {
        dam_message_add(message, " ");
        dam_message_add_hex(message, bytes[i], 2);
    }
    dam_message_add(message, "\n");
}

static void mark_row(struct message *message, const unsigned char *found, const unsigned char *should_be,
                     size_t count) {
    dam_message_add(message, "dam:     changed  ");
    for (size_t i = 0; i < count; i++)
        dam_message_add(message, found[i] == should_be[i] ? "   " : " ^^");
    dam_message_add(message, "\n");
}

/* Four lines for the first sixteen bytes and every sixteen more that were changed. */
static void dump_damage(struct message *message, const struct dam_fault *fault) {
    for (size_t i = 0; i < fault->damaged_bytes; i += DUMP_ROW_BYTES) {
        size_t rest = fault->damaged_bytes - i;
        size_t count = rest < DUMP_ROW_BYTES ? rest : DUMP_ROW_BYTES;
        const unsigned char *found = fault->damaged + i;
        const unsigned char *should_be = fault->should_be + i;
        if (i > 0 && memcmp(found, should_be, count) == 0)
            continue;
        dam_message_add(message, "dam:   at ");
        dam_message_add_address(message, found);
        dam_message_add(message, ":\n");
        dump_row(message, "dam:     expected ", should_be, count);
        dump_row(message, "dam:     found    ", found, count);
        mark_row(message, found, should_be, count);
    }
}

static void describe_neighbour(struct message *message, const struct fault_neighbour *neighbour) {
    dam_message_add(message, "dam:   in front of it: block at ");
    dam_message_add_address(message, neighbour->block);
    if (neighbour->requested_bytes != 0) {
        dam_message_add(message, ", requested ");
        dam_message_add_size(message, neighbour->requested_bytes);
    }
    dam_message_add(message, ", ");
    dam_message_add(message, neighbour->state);
    dam_message_add(message, "; it most likely ran over\n");
}

static void describe_stack(struct message *message, const char *title, const struct stack_trace *stack) {
    if (stack == NULL || stack->depth == 0)
        return;
    dam_message_add(message, title);
    dam_message_add_decimal(message, stack->thread_id);
    dam_message_add(message, ":\n");
    for (uint32_t i = 0; i < stack->depth; i++) {
        dam_message_add(message, "dam:     #");
        dam_message_add_decimal(message, i);
        dam_message_add(message, " ");
        dam_stack_describe_frame(message, stack->frames[i]);
        dam_message_add(message, "\n");
    }
}

/* The stack of whoever met the fault is shown where stacks are asked for: it takes an unwinder, and the program may be in a state
 * that it does not survive. */
static void describe_stacks(struct message *message, const struct dam_fault *fault) {
    if (DAM_SETTING(guard) == GUARD_FULL || DAM_SETTING(sample_every) > 0) {
        struct stack_trace here;
        dam_stack_capture(&here);
        describe_stack(message, "dam:   found in thread ", &here);
    }
    const struct stack_trace *allocated_by = fault->allocated_by;
    const struct stack_trace *released_by = fault->released_by;
    if (allocated_by == NULL && stack_finder != NULL && fault->block != NULL)
        stack_finder(fault->block, &allocated_by, &released_by);
    describe_stack(message, "dam:   allocated by thread ", allocated_by);
    describe_stack(message, "dam:   released by thread ", released_by);
}

static bool needs_no_quotes(const char *options) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=,";
    return options[strspn(options, plain)] == '\0';
}

/* The line to type for a closer look. */
static void describe_next_step(struct message *message, const struct dam_fault *fault) {
    dam_message_add(message, "dam:   ");
    dam_message_add(message, fault_hint(fault->kind));
    dam_message_add(message, "\n");
    bool is_full = DAM_SETTING(guard) == GUARD_FULL;
    if (is_full && DAM_SETTING(stack_every) == 1)
        return;
    char command[512];
    size_t length = dam_os_command_line(command, sizeof command);
    dam_message_add(message, "dam:   to see more, run it again: ");
    const char *options = secure_getenv("DAM_OPTIONS");
    dam_message_add(message, "DAM_OPTIONS=");
    if (options != NULL && *options != '\0' && needs_no_quotes(options)) {
        dam_message_add(message, options);
        dam_message_add(message, ",");
    }
    dam_message_add(message, is_full ? "stack_every=1 " : "guard=full ");
    dam_message_add_text(message, command, length);
    dam_message_add(message, length == sizeof command ? " ...\n" : "\n");
}

static void describe(struct message *message, const struct dam_fault *fault) {
    describe_call(message, fault);
    if (fault->pool_start != NULL)
        describe_pool(message, fault);
    if (fault->block != NULL)
        describe_block(message, fault);
    describe_distance(message, fault);
    if (fault->has_words)
        describe_words(message, fault);
    dump_damage(message, fault);
    if (fault->in_front.block != NULL)
        describe_neighbour(message, &fault->in_front);
    if (fault->detail != NULL) {
        dam_message_add(message, "dam:   ");
        dam_message_add(message, fault->detail);
        dam_message_add(message, "\n");
    }
    describe_stacks(message, fault);
    describe_next_step(message, fault);
}

void dam_fault_set_stack_finder(fault_stack_finder *finder) {
    stack_finder = finder;
}

/* ---- What follows ------------------------------------------------------------------------------------------------ */

void dam_fault_set_handler(dam_fault_handler *handler, void *context) {
    int next = 1 - atomic_load_explicit(&handler_in_use, memory_order_relaxed);
    handlers[next] = (struct handler){handler, context};
    /* Release: who sees the number sees the pair. */
    atomic_store_explicit(&handler_in_use, next, memory_order_release);
}

/* True if there is a handler, and it has returned. A release keeps errno, whatever the handler does to it. */
static bool call_handler(const struct dam_fault *fault, const struct message *message, bool can_continue) {
    const struct handler *handler = &handlers[atomic_load_explicit(&handler_in_use, memory_order_acquire)];
    if (handler->function == NULL)
        return false;
    struct dam_fault_info info = {
        .struct_bytes = sizeof info,
        .kind = fault->kind,
        .operation = fault->operation,
        .address = fault->address,
        .block = fault->block,
        .requested_bytes = fault->requested_bytes,
        .layer = fault->layer,
        .can_continue = can_continue,
        .report = message->text,
        .report_bytes = message->length,
    };
    int saved_errno = errno;
    handler->function(&info, handler->context);
    errno = saved_errno;
    return true;
}

void dam_fault_report(const struct dam_fault *found) {
    struct dam_fault named = named_better(found);
    const struct dam_fault *fault = &named;
    if (DAM_SETTING(on_fault) == ON_FAULT_IGNORE || DAM_SETTING(guard) == GUARD_OFF)
        return;
    struct message message;
    message.length = 0;
    describe(&message, fault);
    dam_message_write(&message);
    bool handled = call_handler(fault, &message, true);
    if (!handled && DAM_SETTING(on_fault) == ON_FAULT_ABORT)
        abort();
}

void dam_fault_report_damage(const struct dam_fault *fault) {
    struct message message;
    message.length = 0;
    describe(&message, fault);
    if (DAM_SETTING(on_fault) != ON_FAULT_ABORT)
        dam_message_add(&message, "dam:   DAM cannot go on with this, whatever on_fault says\n");
    dam_message_write(&message);
    (void)call_handler(fault, &message, false);
    abort();
}
