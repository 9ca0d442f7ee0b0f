// SPDX-License-Identifier: MIT
/* HMAC-SHA-256 (RFC 2104) under a key that is used again and again. The library's own begins each
 * MAC with two compressions that see nothing but the key, and allocates; here the states behind
 * them are kept, and each MAC goes on from copies. The hash is the library's. */
#include "crypto/hash.h"

#include <mbedtls/sha256.h>

#include <string.h>

#include "base/bytes.h"
#include "crypto/library_status_internal.h"

#define HASH_BLOCK_BYTES 64u
#define INNER_PAD        0x36u
#define OUTER_PAD        0x5cu

STATIC_ASSERT(sizeof(mbedtls_sha256_context) <= HMAC_STATE_BYTES, "a state's storage is too small");
STATIC_ASSERT(_Alignof(mbedtls_sha256_context) <= _Alignof(struct hmac_key),
	      "a state is misaligned");

/* The state of a hash that has seen the key's block, each byte xored with `pad`. */
static int state_make(uint8_t state[HMAC_STATE_BYTES], const uint8_t block[HASH_BLOCK_BYTES],
		      uint8_t pad)
{
	uint8_t padded[HASH_BLOCK_BYTES];
	mbedtls_sha256_context *context = (mbedtls_sha256_context *)(void *)state;
	for (size_t i = 0; i < sizeof(padded); i++) {
		padded[i] = block[i] ^ pad;
	}
	mbedtls_sha256_init(context);
	int result = mbedtls_sha256_starts_ret(context, 0);
	if (result == 0) {
		result = mbedtls_sha256_update_ret(context, padded, sizeof(padded));
	}
	secure_zero(padded, sizeof(padded));
	return result;
}

enum status hmac_key_expand(struct hmac_key *key, const uint8_t *raw, size_t raw_size_bytes)
{
	uint8_t block[HASH_BLOCK_BYTES] = {0};
	int result = 0;
	hmac_key_erase(key);
	if (raw_size_bytes > sizeof(block)) {
		result = mbedtls_sha256_ret(raw, raw_size_bytes, block, 0);
	} else if (raw_size_bytes > 0) {
		memcpy(block, raw, raw_size_bytes);
	}
	if (result == 0) {
		result = state_make(key->inner, block, INNER_PAD);
	}
	if (result == 0) {
		result = state_make(key->outer, block, OUTER_PAD);
	}
	secure_zero(block, sizeof(block));
	if (result != 0) {
		hmac_key_erase(key);
	}
	key->ready = result == 0;
	return library_status(result);
}

void hmac_key_erase(struct hmac_key *key)
{
	secure_zero(key, sizeof(*key));
}

/* Go on from `state`, which stays as it is. */
static int hash_from(const uint8_t state[HMAC_STATE_BYTES], const struct hash_input *inputs,
		     size_t count, uint8_t out[SHA256_BYTES])
{
	mbedtls_sha256_context context;
	int result = 0;
	mbedtls_sha256_init(&context);
	mbedtls_sha256_clone(&context, (const mbedtls_sha256_context *)(const void *)state);
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = mbedtls_sha256_update_ret(&context, inputs[i].bytes, inputs[i].size_bytes);
	}
	if (result == 0) {
		result = mbedtls_sha256_finish_ret(&context, out);
	}
	mbedtls_sha256_free(&context); /* Erases. */
	return result;
}

enum status hmac_compute(const struct hmac_key *key, const struct hash_input *inputs, size_t count,
			 uint8_t out[SHA256_BYTES])
{
	uint8_t digest[SHA256_BYTES];
	const struct hash_input of_inner = {.bytes = digest, .size_bytes = sizeof(digest)};
	if (!key->ready) {
		return STATUS_INVALID; /* A MAC that anybody could make. */
	}
	int result = hash_from(key->inner, inputs, count, digest);
	if (result == 0) {
		result = hash_from(key->outer, &of_inner, 1, out);
	}
	secure_zero(digest, sizeof(digest));
	return library_status(result);
}
