// SPDX-License-Identifier: MIT
/* Inside the AEAD: what one implementation consists of, and the parts of aead_select() that tests
 * drive with tables of their own (a table with a wrong row shows that the row is rejected). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <intel-ipsec-mb.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "crypto/aead.h"

/* What the CPU must have for a row. Ordered: each level includes those before it. */
enum aead_level {
	AEAD_LEVEL_SSE,
	AEAD_LEVEL_AVX2,
	AEAD_LEVEL_VAES_AVX512,
};

/* One implementation. Function pointers are unavoidable here: which code runs is known only once
 * the machine is. The types of the last three are libipsec-mb's. */
struct aead_implementation {
	const char *name;
	enum aead_level level;
	void (*expand_round_keys)(const void *raw, void *round_keys);
	aes_gcm_precomp_t precompute_hash_keys; /* After the round keys. */
	aes_gcm_enc_dec_t seal;
	aes_gcm_enc_dec_t open; /* Writes the computed tag; compares nothing. */
};

#define AEAD_IMPLEMENTATION_COUNT 3u

/* Narrowest first. */
extern const struct aead_implementation aead_implementations[AEAD_IMPLEMENTATION_COUNT];

/* The text of the timing trial: one volume block. */
#define AEAD_TRIAL_BYTES 4096u

/* Known answers over patterned input: byte i of each field is a fixed function of i, so a case is
 * its lengths and its tag. */
enum aead_pattern {
	AEAD_PATTERN_KEY,
	AEAD_PATTERN_NONCE,
	AEAD_PATTERN_AAD,
	AEAD_PATTERN_TEXT,
};
struct aead_pattern_case {
	size_t size_bytes;
	size_t aad_size_bytes;
	uint8_t tag[AEAD_TAG_BYTES];
};
#define AEAD_PATTERN_CASE_COUNT    15u
#define AEAD_PATTERN_AAD_BYTES_MAX 100u
extern const struct aead_pattern_case aead_pattern_cases[AEAD_PATTERN_CASE_COUNT];

void aead_pattern_fill(uint8_t *out, size_t size_bytes, enum aead_pattern pattern);

/* STATUS_OK: every known answer was right in both directions, and forged tags were refused.
 * STATUS_UNSUPPORTED: one was not. Uses about 5.5 KiB of stack. */
MUST_CHECK
enum status aead_self_test(const struct aead_implementation *implementation);

/* aead_select() on another table, narrowest row first. */
MUST_CHECK
enum status aead_select_from(struct aead *aead, const struct aead_implementation *table,
			     size_t count, const struct aead_platform *platform,
			     const struct clock *clock, uint64_t budget_us);
