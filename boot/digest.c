// SPDX-License-Identifier: MIT
/* Only two members of libcrypto.a are linked (SHA256_* and the block function). They choose their
 * instructions by OPENSSL_ia32cap_P, which the library itself would fill from CPUID; here it stays
 * empty, which means plain integer code, except for the SHA instructions' bit. The SSSE3 and AVX
 * code paths are slower than plain code under emulation and hardly faster on real CPUs. */
#include "boot/digest.h"

#include <string.h>

#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include "arch/cpu.h"
#include "base/bytes.h"

/* The library's layout: CPUID.1:EDX, CPUID.1:ECX, CPUID.7:EBX, CPUID.7:ECX. */
#define WORD_LEAF7_EBX 2
#define LEAF7_EBX_SHA  ((uint32_t)1 << 29)

unsigned int OPENSSL_ia32cap_P[4];

/* The library's own would bring in its start-up code. */
void OPENSSL_cleanse(void *secret, size_t size_bytes);
void OPENSSL_cleanse(void *secret, size_t size_bytes)
{
	secure_zero(secret, size_bytes);
}

void digest_sha256(const uint8_t *bytes, size_t size_bytes, uint8_t digest[BOOT_DIGEST_BYTES])
{
	SHA256_CTX context;
	(void)SHA256_Init(&context); /* These three cannot fail: they only return 1. */
	(void)SHA256_Update(&context, bytes, size_bytes);
	(void)SHA256_Final(digest, &context);
}

/* FIPS 180-4's two-block example. */
static bool passes_known_answer(void)
{
	static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	static const uint8_t expected[BOOT_DIGEST_BYTES] = {
		0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26,
		0x93, 0x0c, 0x3e, 0x60, 0x39, 0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff,
		0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1,
	};
	uint8_t digest[BOOT_DIGEST_BYTES];
	digest_sha256((const uint8_t *)text, sizeof(text) - 1, digest);
	return memcmp(digest, expected, sizeof(digest)) == 0;
}

static bool cpu_has_sha(void)
{
	return cpu_id(0, 0).eax >= 7 && (cpu_id(7, 0).ebx & LEAF7_EBX_SHA) != 0;
}

enum status digest_init(const char **problem)
{
	if (cpu_has_sha()) {
		OPENSSL_ia32cap_P[WORD_LEAF7_EBX] = LEAF7_EBX_SHA;
		if (passes_known_answer()) {
			return STATUS_OK;
		}
		OPENSSL_ia32cap_P[WORD_LEAF7_EBX] = 0;
	}
	if (passes_known_answer()) {
		return STATUS_OK;
	}
	*problem = "SHA-256 fails its known-answer test on this processor";
	return STATUS_UNSUPPORTED;
}
