// SPDX-License-Identifier: MIT
#include "tools/holdfast/host_crypto.h"

#include <cpuid.h>
#include <sys/random.h>

/* Not every compiler's __builtin_cpu_supports() knows these two (CPUID leaf 7, ECX). They need the
 * same register state as AVX-512, whose test looks at XCR0. */
static bool has_vaes_and_vpclmulqdq(void)
{
	unsigned int eax = 0;
	unsigned int ebx = 0;
	unsigned int ecx = 0;
	unsigned int edx = 0;
	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ecx >> 9 & 1) != 0 &&
	       (ecx >> 10 & 1) != 0;
}

struct aead_platform host_aead_platform(void)
{
	__builtin_cpu_init();
	bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
	return (struct aead_platform){
		.has_aes_pclmul_sse41 = __builtin_cpu_supports("aes") &&
					__builtin_cpu_supports("pclmul") &&
					__builtin_cpu_supports("sse4.1"),
		.has_avx2 = __builtin_cpu_supports("avx2"),
		.has_vaes_avx512 = avx512 && has_vaes_and_vpclmulqdq(),
		.wide_vectors_wanted = true,
	};
}

static bool read_word(void *context, uint64_t *word)
{
	(void)context;
	return getrandom(word, sizeof(*word), 0) == (ssize_t)sizeof(*word);
}

const struct entropy_port host_entropy = {.read_word = read_word, .context = NULL};
