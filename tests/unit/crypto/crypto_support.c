// SPDX-License-Identifier: MIT
#include "crypto_support.h"

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

struct aead_platform host_platform(void)
{
	const bool narrow = __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") &&
			    __builtin_cpu_supports("sse4.1");
	const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
			  __builtin_cpu_supports("avx512bw") &&
			  __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("vaes") &&
			  __builtin_cpu_supports("vpclmulqdq");
	const struct aead_platform platform = {
		.has_aes_pclmul_sse41 = narrow,
		.has_avx2 = __builtin_cpu_supports("avx2") != 0,
		.has_vaes_avx512 = wide,
		.wide_vectors_wanted = true,
	};
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
