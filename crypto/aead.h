// SPDX-License-Identifier: MIT
/* AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags, through libipsec-mb.
 *
 * Several implementations are linked in (SSE, AVX2, VAES-AVX512); aead_select() proves each usable
 * one against known answers and takes the fastest measured one. All buffers are private memory:
 * host-visible pages are copied first. Sealing and opening in place is allowed (plain == cipher);
 * any other overlap is not. The caller owns nonce uniqueness. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"

#define AEAD_KEY_BYTES   32u
#define AEAD_NONCE_BYTES 12u
#define AEAD_TAG_BYTES   16u
/* Longest text of one call. */
#define AEAD_TEXT_BYTES_MAX ((size_t)1 << 30)
/* Room for an expanded key of any implementation. */
#define AEAD_KEY_STORAGE_BYTES 1024u

/* What the CPU can run and the platform wants. */
struct aead_platform {
	bool has_aes_pclmul_sse41;
	bool has_avx2;            /* The CPU has it and XCR0 enables it. */
	bool has_vaes_avx512;     /* Likewise. */
	bool wide_vectors_wanted; /* False on an emulator that is slow or wrong there. */
};

struct aead_implementation; /* One row of the table in aead.c. */

/* The chosen implementation. Immutable after aead_select(); shared freely. */
struct aead {
	const struct aead_implementation *implementation;
};

/* An expanded key. The owner ends its life with aead_key_erase(). */
struct aead_key {
	_Alignas(64) uint8_t storage[AEAD_KEY_STORAGE_BYTES];
	const struct aead_implementation *implementation; /* NULL: not ready. */
};

/* Prove every implementation that `platform` allows against known answers, measure each for about
 * `budget_us` in all, take the fastest. `clock` may be NULL: then the widest proven one is taken.
 * STATUS_UNSUPPORTED: the CPU lacks AES/PCLMUL, or none passes. */
MUST_CHECK
enum status aead_select(struct aead *aead, const struct aead_platform *platform,
			const struct clock *clock, uint64_t budget_us);

/* "sse", "avx2", "vaes-avx512". */
const char *aead_name(const struct aead *aead);

void aead_key_expand(const struct aead *aead, struct aead_key *key,
		     const uint8_t raw[AEAD_KEY_BYTES]);
void aead_key_erase(struct aead_key *key);

/* STATUS_INVALID, and nothing written: key not ready, text or AAD too long, NULL where there are
 * bytes. */
MUST_CHECK
enum status aead_seal(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
		      const uint8_t *aad, size_t aad_size_bytes, const uint8_t *plain,
		      uint8_t *cipher, size_t size_bytes, uint8_t tag[AEAD_TAG_BYTES]);

/* STATUS_AUTH_FAILED: the tag does not match, and `plain` is all zero (in place, the ciphertext is
 * gone with it). The tag is compared in constant time. `plain` holds unauthenticated text while
 * the call runs, so it must be a buffer that nobody else reads. */
MUST_CHECK
enum status aead_open(const struct aead_key *key, const uint8_t nonce[AEAD_NONCE_BYTES],
		      const uint8_t *aad, size_t aad_size_bytes, const uint8_t *cipher,
		      uint8_t *plain, size_t size_bytes, const uint8_t tag[AEAD_TAG_BYTES]);
