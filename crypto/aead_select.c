// SPDX-License-Identifier: MIT
/* Which implementation to use: the fastest of those that this machine computes correctly.
 *
 * Neither half can be left out. QEMU 7.2 advertises VAES and computes its upper lanes wrongly, so
 * a feature bit proves nothing; and emulators run wide vectors slower than narrow ones, so width
 * says nothing about speed. */
#include "crypto/aead_internal.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"

/* A candidate's share of the budget is cut into windows and the best one counts: a host that
 * takes the CPU away for a while spoils one window, not the choice. */
#define WINDOW_COUNT 4u
/* Ends a window even if the clock stands still. */
#define SEALS_PER_WINDOW_MAX 4096u

static bool platform_allows(const struct aead_platform *platform, enum aead_level level)
{
	if (!platform->has_aes_pclmul_sse41) {
		return false;
	}
	switch (level) {
	case AEAD_LEVEL_SSE: return true;
	case AEAD_LEVEL_AVX2: return platform->wide_vectors_wanted && platform->has_avx2;
	case AEAD_LEVEL_VAES_AVX512:
		return platform->wide_vectors_wanted && platform->has_vaes_avx512;
	}
	return false;
}

/* Nanoseconds per sealed block in one window; 0 if the clock did not move. */
static uint64_t window_cost_ns(const struct aead_key *key, uint8_t *text, const struct clock *clock,
			       uint64_t window_us)
{
	const uint8_t nonce[AEAD_NONCE_BYTES] = {0};
	uint8_t tag[AEAD_TAG_BYTES];
	const uint64_t start_us = clock->now_us(clock->context);
	uint64_t elapsed_us = 0;
	uint64_t count = 0;
	do {
		const enum status status = aead_seal(key, nonce, nonce, sizeof(nonce), text, text,
						     AEAD_TRIAL_BYTES, tag);
		CHECK(status == STATUS_OK);
		count++;
		elapsed_us = clock->now_us(clock->context) - start_us;
	} while (elapsed_us < window_us && count < SEALS_PER_WINDOW_MAX);
	return elapsed_us * 1000u / count;
}

/* The best window; 0 if there is no usable clock. The key is a throw-away one: nonce reuse in
 * here hurts nobody. */
static uint64_t measure_cost_ns(const struct aead_implementation *implementation,
				const struct clock *clock, uint64_t budget_us)
{
	if (clock == NULL) {
		return 0;
	}
	const struct aead aead = {.implementation = implementation};
	const uint8_t raw[AEAD_KEY_BYTES] = {0};
	uint8_t text[AEAD_TRIAL_BYTES];
	struct aead_key key;
	memset(text, 0, sizeof(text));
	aead_key_expand(&aead, &key, raw);
	uint64_t best_ns = UINT64_MAX;
	for (unsigned int window = 0; window < WINDOW_COUNT; window++) {
		const uint64_t cost_ns =
			window_cost_ns(&key, text, clock, budget_us / WINDOW_COUNT);
		best_ns = cost_ns < best_ns ? cost_ns : best_ns;
	}
	aead_key_erase(&key);
	return best_ns;
}

static bool is_candidate(const struct aead_implementation *implementation,
			 const struct aead_platform *platform)
{
	if (!platform_allows(platform, implementation->level)) {
		return false;
	}
	if (aead_self_test(implementation) != STATUS_OK) {
		log_write(LOG_WARNING, "crypto", "AES-GCM %s computes wrong answers here: not used",
			  implementation->name);
		return false;
	}
	return true;
}

enum status aead_select_from(struct aead *aead, const struct aead_implementation *table,
			     size_t count, const struct aead_platform *platform,
			     const struct clock *clock, uint64_t budget_us)
{
	const struct aead_implementation *best = NULL;
	uint64_t best_ns = 0;
	for (size_t i = 0; i < count; i++) {
		if (!is_candidate(&table[i], platform)) {
			continue;
		}
		const uint64_t cost_ns = measure_cost_ns(&table[i], clock, budget_us / count);
		log_write(LOG_DEBUG, "crypto", "AES-GCM %s: %llu ns per 4 KiB", table[i].name,
			  (unsigned long long)cost_ns);
		/* On a tie, and so without a clock, the later and wider one. */
		if (best == NULL || cost_ns <= best_ns) {
			best = &table[i];
			best_ns = cost_ns;
		}
	}
	if (best == NULL) {
		return STATUS_UNSUPPORTED;
	}
	aead->implementation = best;
	return STATUS_OK;
}

enum status aead_select(struct aead *aead, const struct aead_platform *platform,
			const struct clock *clock, uint64_t budget_us)
{
	return aead_select_from(aead, aead_implementations, AEAD_IMPLEMENTATION_COUNT, platform,
				clock, budget_us);
}
