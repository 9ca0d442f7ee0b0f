// SPDX-License-Identifier: MIT
/* Inside the random generator: the health tests and their limits, for the tests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "crypto/random.h"

/* Limits of the health tests (SP 800-90B, section 4.4) for words that carry at least 16 bits of
 * min-entropy out of 64 - a quarter of what RDRAND and RDSEED promise, so that a sound source is
 * not accused - and a false alarm once in 2^40 words.
 *
 * Repetition count: 1 + ceil(40 / 16). Adaptive proportion: 1 + CRITBINOM(512, 2^-16, 1 - 2^-40).
 */
#define RANDOM_REPEAT_LIMIT     4u
#define RANDOM_WINDOW_WORDS     512u
#define RANDOM_PROPORTION_LIMIT 5u
/* SP 800-90B, section 4.3, requirement 4: at least 1,024 consecutive samples before first use. */
#define RANDOM_START_UP_WORDS 1024u

void random_health_reset(struct random *random);

/* Feed one word to both tests. False: the source is broken. */
bool random_health_accepts(struct random *random, uint64_t word);
