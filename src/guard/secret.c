// SPDX-License-Identifier: MIT
/* secret.c: where the secrets come from. */
#include "guard/secret.h"

#include "os/os.h"

static uint64_t generator_state;

void dam_secret_init(void) {
    dam_os_random(&generator_state, sizeof generator_state);
}

/* splitmix64: a counter run through a mixer. Whoever sees one word cannot tell the next without inverting products he does
 * not see; the words need be no better than the address space they protect. */
uint64_t dam_secret_odd_word(void) {
    generator_state += 0x9e3779b97f4a7c15u;
    uint64_t mixed = generator_state;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return (mixed ^ mixed >> 31) | 1;
}
