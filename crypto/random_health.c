// SPDX-License-Identifier: MIT
/* Continuous health tests of the hardware source (SP 800-90B, sections 4.4.1 and 4.4.2), on whole
 * 64-bit words. They catch what really happened to RDRAND and RDSEED: words stuck at all ones
 * after a resume, zeroes reported as success, a short cycle. They are no measure of entropy. */
#include "crypto/random_internal.h"

void random_health_reset(struct random *random)
{
	random->last_word = 0;
	random->repeat_count = 0; /* Of a first word 0 there has been none so far, either. */
	random->sample_word = 0;
	random->sample_seen = 0;
	random->sample_left = 0; /* 0: the next word opens a window. */
}

static bool repetition_accepts(struct random *random, uint64_t word)
{
	if (word == random->last_word) {
		random->repeat_count++;
	} else {
		random->last_word = word;
		random->repeat_count = 1;
	}
	return random->repeat_count < RANDOM_REPEAT_LIMIT;
}

/* The first word of a window is the one that is counted through the rest of it. */
static bool proportion_accepts(struct random *random, uint64_t word)
{
	if (random->sample_left == 0) {
		random->sample_word = word;
		random->sample_seen = 1;
		random->sample_left = RANDOM_WINDOW_WORDS - 1u;
		return true;
	}
	random->sample_left--;
	if (word == random->sample_word) {
		random->sample_seen++;
	}
	return random->sample_seen < RANDOM_PROPORTION_LIMIT;
}

bool random_health_accepts(struct random *random, uint64_t word)
{
	const bool repetition = repetition_accepts(random, word);
	const bool proportion = proportion_accepts(random, word);
	return repetition && proportion;
}
