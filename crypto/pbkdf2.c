// SPDX-License-Identifier: MIT
/* PBKDF2 (RFC 8018, section 5.2). A file of its own: mbedtls keeps PBKDF2 beside the rest of
 * PKCS #5, which pulls its cipher layer into the link. */
#include "crypto/hash.h"

#include <mbedtls/md.h>
#include <mbedtls/pkcs5.h>

#include "base/bytes.h"
#include "crypto/library_status_internal.h"

enum status pbkdf2_sha512(const uint8_t *passphrase, size_t passphrase_size_bytes,
			  const uint8_t *salt, size_t salt_size_bytes, uint32_t iterations,
			  uint8_t *out, size_t out_size_bytes)
{
	/* The library takes 0 iterations for 1 and counts its output in 32 bits. */
	if (iterations == 0 || out == NULL || out_size_bytes == 0 || out_size_bytes > UINT32_MAX) {
		return STATUS_INVALID;
	}
	mbedtls_md_context_t context;
	mbedtls_md_init(&context);
	int result = mbedtls_md_setup(&context, mbedtls_md_info_from_type(MBEDTLS_MD_SHA512), 1);
	if (result == 0) {
		result = mbedtls_pkcs5_pbkdf2_hmac(&context, passphrase, passphrase_size_bytes,
						   salt, salt_size_bytes, iterations,
						   (uint32_t)out_size_bytes, out);
	}
	mbedtls_md_free(&context);
	if (result != 0) {
		secure_zero(out, out_size_bytes);
	}
	return library_status(result);
}
