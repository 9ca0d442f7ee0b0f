// SPDX-License-Identifier: MIT
/* SHA-2, HMAC, HKDF (RFC 5869) and PBKDF2 (RFC 8018): thin faces over mbedtls.
 *
 * SHA-2 and a MAC under an expanded key allocate nothing and do not fail in practice. The others
 * take two heap blocks of the library for the duration of the call; without them:
 * STATUS_NO_MEMORY. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define SHA256_BYTES 32u
#define SHA512_BYTES 64u

/* A piece of input: hashes and MACs take lists of them, so that callers need no joined copy. */
struct hash_input {
	const uint8_t *bytes;
	size_t size_bytes;
};

/*@ requires \valid_read(inputs + (0 .. count - 1)) && \valid(out + (0 .. SHA256_BYTES - 1));
    assigns out[0 .. SHA256_BYTES - 1]; */
MUST_CHECK
enum status hash_sha256(const struct hash_input *inputs, size_t count, uint8_t out[SHA256_BYTES]);
MUST_CHECK
enum status hash_sha512(const struct hash_input *inputs, size_t count, uint8_t out[SHA512_BYTES]);
MUST_CHECK
enum status hash_hmac_sha256(const uint8_t *key, size_t key_size_bytes,
			     const struct hash_input *inputs, size_t count,
			     uint8_t out[SHA256_BYTES]);

/* The same MAC under a key that is used more than once: what both of its hashes make of the key is
 * computed once, which saves each MAC two compressions (of five, for 96 bytes). */
#define HMAC_STATE_BYTES 112u

/* As secret as the key itself. The owner ends its life with hmac_key_erase(). */
struct hmac_key {
	_Alignas(8) uint8_t inner[HMAC_STATE_BYTES]; /* The library's contexts. */
	_Alignas(8) uint8_t outer[HMAC_STATE_BYTES];
	bool ready;
};

/* A failure leaves no key. */
MUST_CHECK
enum status hmac_key_expand(struct hmac_key *key, const uint8_t *raw, size_t raw_size_bytes);
void hmac_key_erase(struct hmac_key *key);

/* `out` may be one of the inputs. STATUS_INVALID: the key is not ready. */
MUST_CHECK
enum status hmac_compute(const struct hmac_key *key, const struct hash_input *inputs, size_t count,
			 uint8_t out[SHA256_BYTES]);

/* HKDF-Extract and HKDF-Expand with SHA-256. `out_size_bytes` is at most 255 * 32, else
 * STATUS_INVALID. When hkdf_expand() fails, `out` is zeroed. */
MUST_CHECK
enum status hkdf_extract(const uint8_t *salt, size_t salt_size_bytes, const uint8_t *ikm,
			 size_t ikm_size_bytes, uint8_t prk[SHA256_BYTES]);
MUST_CHECK
enum status hkdf_expand(const uint8_t prk[SHA256_BYTES], const uint8_t *info,
			size_t info_size_bytes, uint8_t *out, size_t out_size_bytes);

/* PBKDF2-HMAC-SHA512. STATUS_INVALID, and `out` untouched: no iterations, no output, or more than
 * 2^32 - 1 bytes of it. On any other failure `out` is zeroed. */
MUST_CHECK
enum status pbkdf2_sha512(const uint8_t *passphrase, size_t passphrase_size_bytes,
			  const uint8_t *salt, size_t salt_size_bytes, uint32_t iterations,
			  uint8_t *out, size_t out_size_bytes);
