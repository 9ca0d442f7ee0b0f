// SPDX-License-Identifier: MIT
/* SHA-256 and SHA-512 (FIPS 180-4). No allocation: stage2 links this file too. */
#include "crypto/hash.h"

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

#include "crypto/library_status_internal.h"

enum status hash_sha256(const struct hash_input *inputs, size_t count, uint8_t out[SHA256_BYTES])
{
	mbedtls_sha256_context context;
	mbedtls_sha256_init(&context);
	int result = mbedtls_sha256_starts_ret(&context, 0);
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = mbedtls_sha256_update_ret(&context, inputs[i].bytes, inputs[i].size_bytes);
	}
	if (result == 0) {
		result = mbedtls_sha256_finish_ret(&context, out);
	}
	mbedtls_sha256_free(&context); /* Erases. */
	return library_status(result);
}

enum status hash_sha512(const struct hash_input *inputs, size_t count, uint8_t out[SHA512_BYTES])
{
	mbedtls_sha512_context context;
	mbedtls_sha512_init(&context);
	int result = mbedtls_sha512_starts_ret(&context, 0);
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = mbedtls_sha512_update_ret(&context, inputs[i].bytes, inputs[i].size_bytes);
	}
	if (result == 0) {
		result = mbedtls_sha512_finish_ret(&context, out);
	}
	mbedtls_sha512_free(&context);
	return library_status(result);
}
