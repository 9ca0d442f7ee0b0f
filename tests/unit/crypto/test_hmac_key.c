// SPDX-License-Identifier: MIT
/* MACs under an expanded key against the library's own: every length of key and message at which a
 * block begins or ends. The published vectors are in test_hash.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto_support.h"
#include "failing_heap.h"

#define KEY_BYTES_MAX  130u
#define TEXT_BYTES_MAX 200u

static void test_hmac_key_computes_what_the_library_does(void **state)
{
	(void)state;
	uint64_t sequence = 1;
	for (size_t key_size = 0; key_size <= KEY_BYTES_MAX; key_size++) {
		uint8_t raw[KEY_BYTES_MAX];
		uint8_t text[TEXT_BYTES_MAX];
		struct hmac_key key;
		sequence_fill(&sequence, raw, sizeof(raw));
		sequence_fill(&sequence, text, sizeof(text));
		assert_int_equal(hmac_key_expand(&key, raw, key_size), STATUS_OK);
		/* One key for all: no MAC leaves anything behind in it. */
		for (size_t size = 0; size <= sizeof(text); size++) {
			const size_t cut = sequence_below(&sequence, size + 1);
			const struct hash_input inputs[] = {
				{.bytes = text, .size_bytes = cut},
				{.bytes = text + cut, .size_bytes = size - cut},
			};
			uint8_t plain[SHA256_BYTES];
			uint8_t mac[SHA256_BYTES];
			assert_int_equal(hash_hmac_sha256(raw, key_size, inputs, 2, plain),
					 STATUS_OK);
			assert_int_equal(hmac_compute(&key, inputs, 2, mac), STATUS_OK);
			assert_memory_equal(mac, plain, sizeof(mac));
		}
		hmac_key_erase(&key);
	}
}

static void test_hmac_compute_writes_over_its_input(void **state)
{
	(void)state;
	const uint8_t raw[] = {1, 2, 3};
	uint8_t chained[SHA256_BYTES] = {7};
	uint8_t wanted[SHA256_BYTES];
	const struct hash_input input = {.bytes = chained, .size_bytes = sizeof(chained)};
	struct hmac_key key;
	assert_int_equal(hmac_key_expand(&key, raw, sizeof(raw)), STATUS_OK);
	assert_int_equal(hash_hmac_sha256(raw, sizeof(raw), &input, 1, wanted), STATUS_OK);
	assert_int_equal(hmac_compute(&key, &input, 1, chained), STATUS_OK);
	assert_memory_equal(chained, wanted, sizeof(wanted));
}

static void test_hmac_key_that_is_not_ready_makes_no_mac(void **state)
{
	(void)state;
	const struct hash_input input = {.bytes = (const uint8_t *)"abc", .size_bytes = 3};
	uint8_t mac[SHA256_BYTES] = {0x5a};
	uint8_t zeroes[sizeof(struct hmac_key)] = {0};
	struct hmac_key key = {.ready = false};
	assert_int_equal(hmac_compute(&key, &input, 1, mac), STATUS_INVALID);
	assert_int_equal(hmac_key_expand(&key, input.bytes, input.size_bytes), STATUS_OK);
	assert_memory_not_equal(key.inner, zeroes, sizeof(key.inner));
	hmac_key_erase(&key);
	assert_memory_equal(&key, zeroes, sizeof(key));
	assert_int_equal(hmac_compute(&key, &input, 1, mac), STATUS_INVALID);
	assert_int_equal(mac[0], 0x5a);
}

static void test_hmac_key_allocates_nothing(void **state)
{
	(void)state;
	const struct hash_input input = {.bytes = (const uint8_t *)"abc", .size_bytes = 3};
	uint8_t mac[SHA256_BYTES];
	struct hmac_key key;
	heap_fail_nth(0);
	assert_int_equal(hmac_key_expand(&key, input.bytes, input.size_bytes), STATUS_OK);
	assert_int_equal(hmac_compute(&key, &input, 1, mac), STATUS_OK);
	assert_int_equal(heap_call_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hmac_key_computes_what_the_library_does),
		cmocka_unit_test(test_hmac_compute_writes_over_its_input),
		cmocka_unit_test(test_hmac_key_that_is_not_ready_makes_no_mac),
		cmocka_unit_test(test_hmac_key_allocates_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
