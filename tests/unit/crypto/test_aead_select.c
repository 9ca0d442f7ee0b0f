// SPDX-License-Identifier: MIT
/* The choice of an implementation: wrong ones are rejected whatever is wrong with them, and of the
 * right ones the fastest is taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "crypto_support.h"

/* A virtual clock: each fake implementation's work moves it by that implementation's cost. */
static uint64_t virtual_now_us;

static uint64_t virtual_clock_now(void *context)
{
	(void)context;
	return virtual_now_us;
}

static const struct clock virtual_clock = {.now_us = virtual_clock_now};

static const struct aead_platform everything = {
	.has_aes_pclmul_sse41 = true,
	.has_avx2 = true,
	.has_vaes_avx512 = true,
	.wide_vectors_wanted = true,
};

static void good_seal(const struct gcm_key_data *key, struct gcm_context_data *context,
		      uint8_t *out, const uint8_t *in, uint64_t size_bytes, const uint8_t *iv,
		      const uint8_t *aad, uint64_t aad_size_bytes, uint8_t *tag, uint64_t tag_bytes)
{
	aes_gcm_enc_256_sse(key, context, out, in, size_bytes, iv, aad, aad_size_bytes, tag,
			    tag_bytes);
}

static void good_open(const struct gcm_key_data *key, struct gcm_context_data *context,
		      uint8_t *out, const uint8_t *in, uint64_t size_bytes, const uint8_t *iv,
		      const uint8_t *aad, uint64_t aad_size_bytes, uint8_t *tag, uint64_t tag_bytes)
{
	aes_gcm_dec_256_sse(key, context, out, in, size_bytes, iv, aad, aad_size_bytes, tag,
			    tag_bytes);
}

/* Ways of being wrong. Each starts from the right code. The thresholds are those of wide code:
 * a second lane, a stride of 16 blocks, a stride of 48 blocks. */
#define WRONG_WHEN(name, condition, spoil)                                                        \
	static void name(const struct gcm_key_data *key, struct gcm_context_data *context,        \
			 uint8_t *out, const uint8_t *in, uint64_t size_bytes, const uint8_t *iv, \
			 const uint8_t *aad, uint64_t aad_size_bytes, uint8_t *tag,               \
			 uint64_t tag_bytes)                                                      \
	{                                                                                         \
		BASE(key, context, out, in, size_bytes, iv, aad, aad_size_bytes, tag, tag_bytes); \
		if (condition) {                                                                  \
			spoil;                                                                    \
		}                                                                                 \
	}

#define BASE good_seal
WRONG_WHEN(seal_wrong_upper_lane, size_bytes > 16, out[16] ^= 1u)
WRONG_WHEN(seal_wrong_upper_lane_and_tag, size_bytes > 16, (out[16] ^= 1u, tag[3] ^= 9u))
WRONG_WHEN(seal_wrong_in_long_texts, size_bytes > 2048, out[size_bytes - 1] ^= 0x80u)
WRONG_WHEN(seal_wrong_in_odd_tails, size_bytes == 60, out[59] ^= 1u)
WRONG_WHEN(seal_wrong_tag_in_long_texts, size_bytes > 768, tag[15] ^= 1u)
#undef BASE
#define BASE good_open
WRONG_WHEN(open_wrong_in_long_texts, size_bytes > 255, out[size_bytes - 1] ^= 4u)
WRONG_WHEN(open_wrong_tag_in_long_texts, size_bytes > 255, tag[0] ^= 4u)
#undef BASE

static void seal_nothing(const struct gcm_key_data *key, struct gcm_context_data *context,
			 uint8_t *out, const uint8_t *in, uint64_t size_bytes, const uint8_t *iv,
			 const uint8_t *aad, uint64_t aad_size_bytes, uint8_t *tag,
			 uint64_t tag_bytes)
{
	(void)key;
	(void)context;
	(void)iv;
	(void)aad;
	(void)aad_size_bytes;
	(void)tag;
	(void)tag_bytes;
	memmove(out, in, size_bytes);
}

static void precompute_wrong(struct gcm_key_data *key)
{
	aead_implementations[0].precompute_hash_keys(key);
	/* A power of the hash key that only long texts need. */
	key->ghash_keys.sse_avx.shifted_hkey[0] ^= 1u;
}

static void expand_wrong(const void *raw, void *round_keys)
{
	aead_implementations[0].expand_round_keys(raw, round_keys);
	((uint8_t *)round_keys)[14 * 16] ^= 1u;
}

static struct aead_implementation good_row(void)
{
	struct aead_implementation row = aead_implementations[0];
	row.name = "good";
	row.seal = good_seal;
	row.open = good_open;
	return row;
}

static void assert_rejected(struct aead_implementation wrong)
{
	struct aead_implementation table[2] = {good_row(), wrong};
	table[1].name = "wrong";
	table[1].level = AEAD_LEVEL_VAES_AVX512;
	assert_int_equal(aead_self_test(&table[1]), STATUS_UNSUPPORTED);
	struct aead aead = {.implementation = NULL};
	/* Without a clock the widest is taken: had it passed, it would be. */
	assert_int_equal(aead_select_from(&aead, table, 2, &everything, NULL, 0), STATUS_OK);
	assert_string_equal(aead_name(&aead), "good");
	/* Alone, it leaves nothing to choose, and the output is untouched. */
	aead.implementation = &table[0];
	assert_int_equal(aead_select_from(&aead, &table[1], 1, &everything, NULL, 0),
			 STATUS_UNSUPPORTED);
	assert_ptr_equal(aead.implementation, &table[0]);
}

static void test_aead_select_rejects_wrong_seal(void **state)
{
	(void)state;
	const aes_gcm_enc_dec_t wrongs[] = {
		seal_wrong_upper_lane,    seal_wrong_upper_lane_and_tag,
		seal_wrong_in_long_texts, seal_wrong_tag_in_long_texts,
		seal_wrong_in_odd_tails,  seal_nothing,
	};
	for (size_t i = 0; i < ARRAY_COUNT(wrongs); i++) {
		struct aead_implementation row = good_row();
		row.seal = wrongs[i];
		assert_rejected(row);
	}
}

static void test_aead_select_rejects_wrong_open(void **state)
{
	(void)state;
	const aes_gcm_enc_dec_t wrongs[] = {
		open_wrong_in_long_texts,
		open_wrong_tag_in_long_texts,
		seal_nothing,
	};
	for (size_t i = 0; i < ARRAY_COUNT(wrongs); i++) {
		struct aead_implementation row = good_row();
		row.open = wrongs[i];
		assert_rejected(row);
	}
}

static void test_aead_select_rejects_wrong_key_schedule(void **state)
{
	(void)state;
	struct aead_implementation row = good_row();
	row.precompute_hash_keys = precompute_wrong;
	assert_rejected(row);
	row = good_row();
	row.expand_round_keys = expand_wrong;
	assert_rejected(row);
}

/* The cost in virtual microseconds of one timed seal; the known-answer tests cost nothing that
 * matters, as only differences inside a window count. */
#define COSTING(name, cost_us)                                                                    \
	static void name(const struct gcm_key_data *key, struct gcm_context_data *context,        \
			 uint8_t *out, const uint8_t *in, uint64_t size_bytes, const uint8_t *iv, \
			 const uint8_t *aad, uint64_t aad_size_bytes, uint8_t *tag,               \
			 uint64_t tag_bytes)                                                      \
	{                                                                                         \
		virtual_now_us += (cost_us);                                                      \
		good_seal(key, context, out, in, size_bytes, iv, aad, aad_size_bytes, tag,        \
			  tag_bytes);                                                             \
	}

COSTING(seal_in_3_us, 3)
COSTING(seal_in_5_us, 5)

static uint64_t uneven_seal_count;

/* As fast as 1 us, but interrupted for a long while now and then. */
static void seal_interrupted(const struct gcm_key_data *key, struct gcm_context_data *context,
			     uint8_t *out, const uint8_t *in, uint64_t size_bytes,
			     const uint8_t *iv, const uint8_t *aad, uint64_t aad_size_bytes,
			     uint8_t *tag, uint64_t tag_bytes)
{
	uneven_seal_count++;
	virtual_now_us += uneven_seal_count % 400 == 0 ? 5000 : 1;
	good_seal(key, context, out, in, size_bytes, iv, aad, aad_size_bytes, tag, tag_bytes);
}

static const char *choose(aes_gcm_enc_dec_t narrow, aes_gcm_enc_dec_t wide,
			  const struct clock *clock)
{
	static struct aead_implementation table[2];
	table[0] = good_row();
	table[0].name = "narrow";
	table[0].seal = narrow;
	table[1] = good_row();
	table[1].name = "wide";
	table[1].level = AEAD_LEVEL_AVX2;
	table[1].seal = wide;
	struct aead aead = {.implementation = NULL};
	assert_int_equal(aead_select_from(&aead, table, 2, &everything, clock, 2000), STATUS_OK);
	return aead_name(&aead);
}

static void test_aead_select_takes_the_fastest(void **state)
{
	(void)state;
	assert_string_equal(choose(seal_in_3_us, seal_in_5_us, &virtual_clock), "narrow");
	assert_string_equal(choose(seal_in_5_us, seal_in_3_us, &virtual_clock), "wide");
	assert_string_equal(choose(seal_in_3_us, seal_in_3_us, &virtual_clock), "wide");
	/* A stolen time slice does not decide. */
	assert_string_equal(choose(seal_in_3_us, seal_interrupted, &virtual_clock), "wide");
	assert_string_equal(choose(seal_interrupted, seal_in_3_us, &virtual_clock), "narrow");
}

static void test_aead_select_keeps_to_its_budget(void **state)
{
	(void)state;
	const uint64_t start_us = virtual_now_us;
	(void)choose(seal_in_3_us, seal_in_5_us, &virtual_clock);
	/* 2,000 us for measuring; the rest is known answers at 31 seals each. */
	assert_true(virtual_now_us - start_us < 2000 + 40 * (3 + 5));
}

static void test_aead_select_without_a_running_clock_takes_the_widest(void **state)
{
	(void)state;
	assert_string_equal(choose(seal_in_3_us, seal_in_5_us, NULL), "wide");
	/* A clock that stands still must not hang the boot. */
	assert_string_equal(choose(good_seal, good_seal, &virtual_clock), "wide");
}

static void assert_choice_on(struct aead_platform platform, const char *name)
{
	const struct aead_platform host = host_platform();
	platform.has_aes_pclmul_sse41 = platform.has_aes_pclmul_sse41 && host.has_aes_pclmul_sse41;
	struct aead aead = {.implementation = NULL};
	const enum status status = aead_select(&aead, &platform, NULL, 0);
	assert_int_equal(status, name == NULL ? STATUS_UNSUPPORTED : STATUS_OK);
	assert_string_equal(aead_name(&aead), name == NULL ? "none" : name);
}

static void test_aead_select_obeys_the_platform(void **state)
{
	(void)state;
	const size_t usable = host_implementation_count();
	struct aead_platform platform = {.has_aes_pclmul_sse41 = true};
	if (usable == 0) {
		skip();
	}
	assert_choice_on(platform, "sse");
	if (usable < 3) {
		skip();
	}
	platform.has_avx2 = true;
	platform.has_vaes_avx512 = true;
	assert_choice_on(platform, "sse"); /* Not wanted. */
	platform.wide_vectors_wanted = true;
	assert_choice_on(platform, "vaes-avx512");
	platform.has_vaes_avx512 = false;
	assert_choice_on(platform, "avx2");
	platform.has_aes_pclmul_sse41 = false;
	assert_choice_on(platform, NULL);
}

static void test_aead_self_test_passes_what_the_host_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < host_implementation_count(); i++) {
		assert_int_equal(aead_self_test(&aead_implementations[i]), STATUS_OK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aead_select_rejects_wrong_seal),
		cmocka_unit_test(test_aead_select_rejects_wrong_open),
		cmocka_unit_test(test_aead_select_rejects_wrong_key_schedule),
		cmocka_unit_test(test_aead_select_takes_the_fastest),
		cmocka_unit_test(test_aead_select_keeps_to_its_budget),
		cmocka_unit_test(test_aead_select_without_a_running_clock_takes_the_widest),
		cmocka_unit_test(test_aead_select_obeys_the_platform),
		cmocka_unit_test(test_aead_self_test_passes_what_the_host_runs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
