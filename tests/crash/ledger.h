// SPDX-License-Identifier: MIT
/* Two hooks under the volume, put there by the linker (--wrap), so that the code under test is the
 * very code that ships:
 *
 * - every seal is entered in a ledger of (key, nonce). A pair that comes again with another text is
 *   the one thing AES-GCM does not forgive; the ledger runs over all branches of a case, because
 *   the host can show the same volume two futures and keep both;
 * - every random byte comes from a stream that depends on the seed alone, so that a case can be
 *   replayed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A new case: a new volume, so no key of an earlier case can come again. */
void ledger_begin(uint64_t seed);
/* Seals with a nonce that was used before for another text. */
uint64_t ledger_repeats(void);
uint64_t ledger_seals(void);
/* Let the k-th draw from now on find the entropy source dry; 0: none. */
void ledger_entropy_fail_at(uint64_t k);
/* Draws since then. */
uint64_t ledger_entropy_draws(void);
