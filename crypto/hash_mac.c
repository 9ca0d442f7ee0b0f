// SPDX-License-Identifier: MIT
/* HMAC-SHA-256 and HKDF. mbedtls allocates a hash context and two blocks of padding per MAC (236
 * bytes for SHA-256) and frees them before the call returns. */
#include "crypto/hash.h"

#include <mbedtls/hkdf.h>
#include <mbedtls/md.h>

#include <string.h>

#include "base/bytes.h"
#include "crypto/library_status_internal.h"

enum status hash_hmac_sha256(const uint8_t *key, size_t key_size_bytes,
			     const struct hash_input *inputs, size_t count,
			     uint8_t out[SHA256_BYTES])
{
	uint8_t mac[SHA256_BYTES];
	mbedtls_md_context_t context;
	mbedtls_md_init(&context);
	int result = mbedtls_md_setup(&context, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1);
	if (result == 0) {
		result = mbedtls_md_hmac_starts(&context, key, key_size_bytes);
	}
	for (size_t i = 0; result == 0 && i < count; i++) {
		result = mbedtls_md_hmac_update(&context, inputs[i].bytes, inputs[i].size_bytes);
	}
	if (result == 0) {
		result = mbedtls_md_hmac_finish(&context, mac);
	}
	mbedtls_md_free(&context); /* Erases, then frees. */
	if (result == 0) {
		memcpy(out, mac, sizeof(mac));
	}
	secure_zero(mac, sizeof(mac));
	return library_status(result);
}

enum status hkdf_extract(const uint8_t *salt, size_t salt_size_bytes, const uint8_t *ikm,
			 size_t ikm_size_bytes, uint8_t prk[SHA256_BYTES])
{
	uint8_t extracted[SHA256_BYTES];
	const int result = mbedtls_hkdf_extract(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), salt,
						salt_size_bytes, ikm, ikm_size_bytes, extracted);
	if (result == 0) {
		memcpy(prk, extracted, sizeof(extracted));
	}
	secure_zero(extracted, sizeof(extracted));
	return library_status(result);
}

enum status hkdf_expand(const uint8_t prk[SHA256_BYTES], const uint8_t *info,
			size_t info_size_bytes, uint8_t *out, size_t out_size_bytes)
{
	const int result =
		mbedtls_hkdf_expand(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), prk, SHA256_BYTES,
				    info, info_size_bytes, out, out_size_bytes);
	/* The library may have written whole blocks before it failed. */
	if (result != 0 && out != NULL) {
		secure_zero(out, out_size_bytes);
	}
	return library_status(result);
}
