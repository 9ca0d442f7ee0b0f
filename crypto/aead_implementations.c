// SPDX-License-Identifier: MIT
/* The only file that names libipsec-mb's functions.
 *
 * These are its direct functions: no job manager, no CPU detection, no allocation. The public
 * aes_gcm_pre_256_*() are avoided, since they sit in one object with every other variant and key
 * size and would pull 26 objects (6 MB) into the kernel. They do exactly two things, which we
 * call one by one: expand the round keys, then precompute the hash keys. The second half and the
 * VAES functions are exported by the archive but not declared in its header, so they are declared
 * here; aead_select() proves at each boot that they compute what they must. */
#include "crypto/aead_internal.h"

#define DECLARE_PRECOMPUTE(function) void function(struct gcm_key_data *key)
#define DECLARE_CIPHER(function)                                                               \
	void function(const struct gcm_key_data *key, struct gcm_context_data *context,        \
		      uint8_t *out, const uint8_t *in, uint64_t size_bytes, const uint8_t *iv, \
		      const uint8_t *aad, uint64_t aad_size_bytes, uint8_t *tag,               \
		      uint64_t tag_size_bytes)

DECLARE_PRECOMPUTE(aes_gcm_precomp_256_sse);
DECLARE_PRECOMPUTE(aes_gcm_precomp_256_avx_gen4);
DECLARE_PRECOMPUTE(aes_gcm_precomp_256_vaes_avx512);
DECLARE_CIPHER(aes_gcm_enc_256_vaes_avx512);
DECLARE_CIPHER(aes_gcm_dec_256_vaes_avx512);

STATIC_ASSERT(sizeof(struct gcm_key_data) <= AEAD_KEY_STORAGE_BYTES, "key storage is too small");
STATIC_ASSERT(_Alignof(struct gcm_key_data) <= _Alignof(struct aead_key), "key is misaligned");

/* The key schedule is the same for all, and the SSE one runs everywhere. */
const struct aead_implementation aead_implementations[AEAD_IMPLEMENTATION_COUNT] = {
	{
		.name = "sse",
		.level = AEAD_LEVEL_SSE,
		.expand_round_keys = aes_keyexp_256_enc_sse,
		.precompute_hash_keys = aes_gcm_precomp_256_sse,
		.seal = aes_gcm_enc_256_sse,
		.open = aes_gcm_dec_256_sse,
	},
	{
		.name = "avx2",
		.level = AEAD_LEVEL_AVX2,
		.expand_round_keys = aes_keyexp_256_enc_sse,
		.precompute_hash_keys = aes_gcm_precomp_256_avx_gen4,
		.seal = aes_gcm_enc_256_avx_gen4,
		.open = aes_gcm_dec_256_avx_gen4,
	},
	{
		.name = "vaes-avx512",
		.level = AEAD_LEVEL_VAES_AVX512,
		.expand_round_keys = aes_keyexp_256_enc_sse,
		.precompute_hash_keys = aes_gcm_precomp_256_vaes_avx512,
		.seal = aes_gcm_enc_256_vaes_avx512,
		.open = aes_gcm_dec_256_vaes_avx512,
	},
};
