// SPDX-License-Identifier: MIT
/* stack_trace.c: stacks by the unwinder that the C++ runtime uses, linked into the library: it needs no frame pointers, and
 * finds its tables without a lock (glibc 2.35 and later) or under the dynamic linker's own, which no allocation waits for
 * while it holds one of ours. Frame pointers are not tried: distributions build without them, and following what is not
 * one reads anywhere. */
#include "guard/stack_trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <unwind.h>

#include "os/os.h"

static _Unwind_Reason_Code add_frame(struct _Unwind_Context *context, void *stack_trace) {
    struct stack_trace *stack = stack_trace;
    void *frame = (void *)_Unwind_GetIP(context); // NOLINT(performance-no-int-to-ptr)
    if (frame == NULL || stack->depth == STACK_DEPTH_MAX)
        return _URC_END_OF_STACK;
    stack->frames[stack->depth++] = frame;
    return _URC_NO_REASON;
}

void dam_stack_capture(struct stack_trace *stack) {
    stack->thread_id = dam_os_thread_id();
    stack->depth = 0;
    _Unwind_Backtrace(add_frame, stack);
}

void dam_stack_describe_frame(struct message *message, void *frame) {
    char path[160];
    uint64_t offset;
    dam_message_add_address(message, frame);
    if (!dam_os_find_mapped_file(frame, path, sizeof path, &offset))
        return;
    dam_message_add(message, " (");
    dam_message_add(message, path);
    dam_message_add(message, "+0x");
    dam_message_add_hex(message, offset, 1);
    dam_message_add(message, ")");
}
