// SPDX-License-Identifier: MIT
#include "crypto/library_status_internal.h"

#include <mbedtls/hkdf.h>
#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>
#include <mbedtls/pkcs5.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

enum status library_status(int result)
{
	/* A switch over the library's numbers, not over an enum of ours: it needs the default. */
	switch (result) {
	case 0: return STATUS_OK;
	case MBEDTLS_ERR_MD_ALLOC_FAILED: return STATUS_NO_MEMORY;
	case MBEDTLS_ERR_HMAC_DRBG_ENTROPY_SOURCE_FAILED: return STATUS_NO_ENTROPY;
	case MBEDTLS_ERR_MD_BAD_INPUT_DATA:
	case MBEDTLS_ERR_HKDF_BAD_INPUT_DATA:
	case MBEDTLS_ERR_PKCS5_BAD_INPUT_DATA:
	case MBEDTLS_ERR_SHA256_BAD_INPUT_DATA:
	case MBEDTLS_ERR_SHA512_BAD_INPUT_DATA:
	case MBEDTLS_ERR_HMAC_DRBG_REQUEST_TOO_BIG:
	case MBEDTLS_ERR_HMAC_DRBG_INPUT_TOO_BIG: return STATUS_INVALID;
	default: return STATUS_UNSUPPORTED;
	}
}
