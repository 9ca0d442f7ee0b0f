// SPDX-License-Identifier: MIT
/* Every implementation against mbedtls' own GCM, which shares no code with them, over random
 * lengths; and the boot-time known answers, recomputed with mbedtls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <mbedtls/gcm.h>

#include "crypto_support.h"

#define TEXT_BYTES_MAX 5000u
#define AAD_BYTES_MAX  300u
#define SWEEP_COUNT    1300u /* Every length below: more than one stride of the widest code. */
#define RANDOM_COUNT   1500u

struct message {
	uint8_t raw[AEAD_KEY_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t aad[AAD_BYTES_MAX];
	uint8_t plain[TEXT_BYTES_MAX];
	uint8_t cipher[TEXT_BYTES_MAX]; /* By mbedtls. */
	uint8_t tag[AEAD_TAG_BYTES];    /* By mbedtls. */
	size_t aad_size_bytes;
	size_t size_bytes;
};

static void seal_with_mbedtls(struct message *message)
{
	mbedtls_gcm_context gcm;
	mbedtls_gcm_init(&gcm);
	assert_int_equal(mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, message->raw, 256), 0);
	assert_int_equal(mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, message->size_bytes,
						   message->nonce, sizeof(message->nonce),
						   message->aad, message->aad_size_bytes,
						   message->plain, message->cipher,
						   sizeof(message->tag), message->tag),
			 0);
	mbedtls_gcm_free(&gcm);
}

static void assert_agrees(const struct aead_implementation *implementation,
			  const struct message *message, bool in_place)
{
	static uint8_t sealed[TEXT_BYTES_MAX];
	static uint8_t opened[TEXT_BYTES_MAX];
	const struct aead aead = {.implementation = implementation};
	uint8_t tag[AEAD_TAG_BYTES];
	struct aead_key key;
	aead_key_expand(&aead, &key, message->raw);
	memcpy(sealed, message->plain, message->size_bytes);
	assert_int_equal(aead_seal(&key, message->nonce, message->aad, message->aad_size_bytes,
				   in_place ? sealed : message->plain, sealed, message->size_bytes,
				   tag),
			 STATUS_OK);
	assert_memory_equal(sealed, message->cipher, message->size_bytes);
	assert_memory_equal(tag, message->tag, sizeof(tag));
	uint8_t *const out = in_place ? sealed : opened;
	assert_int_equal(aead_open(&key, message->nonce, message->aad, message->aad_size_bytes,
				   sealed, out, message->size_bytes, message->tag),
			 STATUS_OK);
	assert_memory_equal(out, message->plain, message->size_bytes);
}

static void check_length(uint64_t *sequence, size_t size_bytes)
{
	static struct message message;
	message.size_bytes = size_bytes;
	message.aad_size_bytes = sequence_below(sequence, AAD_BYTES_MAX + 1u);
	sequence_fill(sequence, message.raw, sizeof(message.raw));
	sequence_fill(sequence, message.nonce, sizeof(message.nonce));
	sequence_fill(sequence, message.aad, message.aad_size_bytes);
	sequence_fill(sequence, message.plain, message.size_bytes);
	seal_with_mbedtls(&message);
	for (size_t i = 0; i < host_implementation_count(); i++) {
		assert_agrees(&aead_implementations[i], &message, false);
		assert_agrees(&aead_implementations[i], &message, true);
	}
}

static void test_aead_agrees_with_mbedtls(void **state)
{
	(void)state;
	uint64_t sequence = 7;
	for (size_t size_bytes = 0; size_bytes < SWEEP_COUNT; size_bytes++) {
		check_length(&sequence, size_bytes);
	}
	for (size_t round = 0; round < RANDOM_COUNT; round++) {
		check_length(&sequence, sequence_below(&sequence, TEXT_BYTES_MAX + 1u));
	}
}

static void test_aead_known_answers_are_right(void **state)
{
	(void)state;
	static struct message message;
	aead_pattern_fill(message.raw, sizeof(message.raw), AEAD_PATTERN_KEY);
	aead_pattern_fill(message.nonce, sizeof(message.nonce), AEAD_PATTERN_NONCE);
	aead_pattern_fill(message.aad, AEAD_PATTERN_AAD_BYTES_MAX, AEAD_PATTERN_AAD);
	aead_pattern_fill(message.plain, AEAD_TRIAL_BYTES, AEAD_PATTERN_TEXT);
	for (size_t i = 0; i < AEAD_PATTERN_CASE_COUNT; i++) {
		message.size_bytes = aead_pattern_cases[i].size_bytes;
		message.aad_size_bytes = aead_pattern_cases[i].aad_size_bytes;
		assert_true(message.size_bytes <= AEAD_TRIAL_BYTES);
		assert_true(message.aad_size_bytes <= AEAD_PATTERN_AAD_BYTES_MAX);
		seal_with_mbedtls(&message);
		assert_memory_equal(message.tag, aead_pattern_cases[i].tag, AEAD_TAG_BYTES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aead_agrees_with_mbedtls),
		cmocka_unit_test(test_aead_known_answers_are_right),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
