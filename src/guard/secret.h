// SPDX-License-Identifier: MIT
/* secret.h: the words that nobody outside the process can know.
 *
 * Everything DAM keeps inside or beside user memory is sealed: combined with its own address and a secret by one
 * multiplication with an odd number, which carries every input bit into the upper bits. Whoever overwrites it cannot know
 * the word that belongs there, so the next reader notices. The seals themselves are the layers' own: small/small_fast.h,
 * general/block.h. */
#ifndef DAM_GUARD_SECRET_H
#define DAM_GUARD_SECRET_H

#include <stdint.h>

/* Draws the seed from the system. Once, before the first block exists. */
void dam_secret_init(void);

/* A fresh odd word. Callers hold the central lock, or are the only thread there is. */
uint64_t dam_secret_odd_word(void);

#endif
