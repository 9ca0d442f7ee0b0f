// SPDX-License-Identifier: MIT
#include "crypto_support.h"

#include <cpuid.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static uint8_t digit_value(char digit)
{
	const char *const digits = "0123456789abcdef";
	const char *found = strchr(digits, digit);
	assert_non_null(found);
	return (uint8_t)(found - digits);
}

size_t hex_decode(uint8_t *out, size_t out_size_bytes, const char *hex)
{
	const size_t size_bytes = strlen(hex) / 2;
	assert_int_equal(strlen(hex) % 2, 0);
	assert_true(size_bytes <= out_size_bytes);
	for (size_t i = 0; i < size_bytes; i++) {
		const unsigned int value =
			digit_value(hex[2 * i]) * 16u + digit_value(hex[2 * i + 1]);
		out[i] = (uint8_t)value;
	}
	return size_bytes;
}

void assert_hex(const uint8_t *bytes, size_t size_bytes, const char *hex)
{
	uint8_t wanted[512];
	assert_int_equal(hex_decode(wanted, sizeof(wanted), hex), size_bytes);
	if (size_bytes > 0) {
		assert_memory_equal(bytes, wanted, size_bytes);
	}
}

uint64_t sequence_next(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15u;
	uint64_t mixed = *state;
	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
	return mixed ^ (mixed >> 31);
}

void sequence_fill(uint64_t *state, uint8_t *out, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++) {
		out[i] = (uint8_t)(sequence_next(state) & 0xffu);
	}
}

size_t sequence_below(uint64_t *state, size_t limit)
{
	return (size_t)(sequence_next(state) % limit);
}

/* Compilers differ in the names that __builtin_cpu_supports() knows, so instruction bits come from
 * CPUID; it is asked for what needs the system's consent (XCR0). */
struct aead_platform host_platform(void)
{
	unsigned int eax = 0;
	unsigned int ebx = 0;
	unsigned int ecx = 0;
	unsigned int edx = 0;
	struct aead_platform platform = {.wide_vectors_wanted = true};
	if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
		const unsigned int needed = bit_AES | bit_PCLMUL | bit_SSE4_1;
		platform.has_aes_pclmul_sse41 = (ecx & needed) == needed;
	}
	platform.has_avx2 = __builtin_cpu_supports("avx2") != 0;
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	    __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) {
		const unsigned int needed = bit_VAES | bit_VPCLMULQDQ;
		platform.has_vaes_avx512 = (ecx & needed) == needed;
	}
	return platform;
}

size_t host_implementation_count(void)
{
	const struct aead_platform platform = host_platform();
	if (!platform.has_aes_pclmul_sse41) {
		return 0;
	}
	if (!platform.has_avx2) {
		return 1;
	}
	return platform.has_vaes_avx512 ? 3 : 2;
}
