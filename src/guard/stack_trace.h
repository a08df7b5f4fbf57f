// SPDX-License-Identifier: MIT
/* stack_trace.h: who was calling: return addresses, innermost first. Taken where stacks are recorded (guard=full, sampled
 * blocks) and never on the common way. Not here: names of functions; `dam symbolize` finds them, outside the process. */
#ifndef DAM_GUARD_STACK_TRACE_H
#define DAM_GUARD_STACK_TRACE_H

#include <stdint.h>

#include "guard/message.h"

#define STACK_DEPTH_MAX 18

struct stack_trace {
    uint32_t thread_id;
    uint32_t depth;
    void *frames[STACK_DEPTH_MAX];
};

/* Records the caller's stack. Takes no lock that allocation may hold. */
void dam_stack_capture(struct stack_trace *stack);

/* "0x55d0... (/usr/bin/python3.11+0x1234)": where the frame lies in which file. */
void dam_stack_describe_frame(struct message *message, void *frame);

#endif
