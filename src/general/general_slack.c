// SPDX-License-Identifier: MIT
/* general_slack.c: for guard=tail and guard=full: what lies behind a live block's canary, up to the block's end, is filled too,
 * and looked at. Not on the common way: see docs/decisions/05-one-seal.md for what it would cost there. */
#include <string.h>

#include "general/block.h"
#include "general/general.h"
#include "general/general_fault.h"
#include "guard/fault.h"

struct slack {
    unsigned char *start;
    size_t bytes;
    unsigned char filling; /* never 0, and another one for each block and request */
};

static struct slack slack_of(const void *block) {
    uint32_t fields = block_header(block)->fields;
    unsigned char *start = (unsigned char *)(uintptr_t)block + request_in(fields) + sizeof(uint64_t); // NOLINT(performance-no-int-to-ptr)
    const unsigned char *end =
        (const unsigned char *)block + block_bytes_of_granules(granules_in(fields)) + BLOCK_TAIL_BYTES;
    return (struct slack){
        .start = start,
        .bytes = (size_t)(end - start),
        .filling = (unsigned char)(block_seal(block, fields) >> 56 | 1),
    };
}

void dam_general_fill_slack(void *block) {
    struct slack slack = slack_of(block);
    memset(slack.start, slack.filling, slack.bytes);
}

bool dam_general_check_slack(const struct pool *pool, const void *block, const char *operation) {
    struct slack slack = slack_of(block);
    size_t intact = 0;
    while (intact < slack.bytes && slack.start[intact] == slack.filling)
        intact++;
    if (LIKELY(intact == slack.bytes))
        return true;
    unsigned char should_be[FAULT_SHOWN_BYTES_MAX];
    memset(should_be, slack.filling, sizeof should_be);
    dam_general_report_slack(pool, block, operation, slack.start + intact, should_be, slack.bytes - intact);
    return false;
}
