// SPDX-License-Identifier: MIT
/* The AEAD's face, on each implementation that this host can run: published vectors, forgeries,
 * refused arguments, nothing read or written outside the buffers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "crypto_support.h"

struct vector {
	const char *key;
	const char *nonce;
	const char *aad;
	const char *plain;
	const char *cipher;
	const char *tag;
};

#define SPEC_KEY "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
#define ZERO_KEY "0000000000000000000000000000000000000000000000000000000000000000"

/* Cases 13 to 16 of the GCM specification, appendix B (17 and 18 have nonces of other lengths,
 * which this AEAD does not offer), and two of NIST's CAVP file gcmEncryptExtIV256.rsp. */
static const struct vector vectors[] = {
	{ZERO_KEY, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
	{ZERO_KEY, "000000000000000000000000", "", "00000000000000000000000000000000",
	 "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
	{SPEC_KEY, "cafebabefacedbaddecaf888", "",
	 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
	 "b094dac5d93471bdec1a502270e3cc6c"},
	{SPEC_KEY, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
	 "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
	 "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
	 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
	 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
	 "76fc6ece0f4e1768cddf8853bb2d551b"},
	{"b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4",
	 "516c33929df5a3284ff463d7", "", "", "", "bdc1ac884d332457a1d2664f168c76f0"},
	{"31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22",
	 "0d18e06c7c725ac9e362e1ce", "", "2db5168e932556f8089a0622981d017d",
	 "fa4362189661d163fcd6a56d8bf0405a", "d636ac1bbedd5cc3ee727dc2ab4a9489"},
};

static struct aead implementation_at(size_t index)
{
	const struct aead aead = {.implementation = &aead_implementations[index]};
	return aead;
}

static void check_vector(const struct aead *aead, const struct vector *vector)
{
	uint8_t raw[AEAD_KEY_BYTES];
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t aad[32];
	uint8_t plain[64];
	uint8_t text[64];
	uint8_t tag[AEAD_TAG_BYTES];
	(void)hex_decode(raw, sizeof(raw), vector->key);
	(void)hex_decode(nonce, sizeof(nonce), vector->nonce);
	const size_t aad_size_bytes = hex_decode(aad, sizeof(aad), vector->aad);
	const size_t size_bytes = hex_decode(plain, sizeof(plain), vector->plain);

	struct aead_key key;
	aead_key_expand(aead, &key, raw);
	assert_int_equal(aead_seal(&key, nonce, aad, aad_size_bytes, plain, text, size_bytes, tag),
			 STATUS_OK);
	assert_hex(text, size_bytes, vector->cipher);
	assert_hex(tag, sizeof(tag), vector->tag);
	assert_int_equal(aead_open(&key, nonce, aad, aad_size_bytes, text, text, size_bytes, tag),
			 STATUS_OK);
	assert_hex(text, size_bytes, vector->plain);
	aead_key_erase(&key);
}

static void test_aead_published_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < host_implementation_count(); i++) {
		const struct aead aead = implementation_at(i);
		for (size_t v = 0; v < ARRAY_COUNT(vectors); v++) {
			check_vector(&aead, &vectors[v]);
		}
	}
}

/* A sealed message that tests may spoil. */
#define FORGERY_TEXT_BYTES 300u
#define FORGERY_AAD_BYTES  40u
struct message {
	struct aead_key key;
	uint8_t nonce[AEAD_NONCE_BYTES];
	uint8_t aad[FORGERY_AAD_BYTES];
	uint8_t plain[FORGERY_TEXT_BYTES];
	uint8_t cipher[FORGERY_TEXT_BYTES];
	uint8_t tag[AEAD_TAG_BYTES];
};

static void message_seal(struct message *message, const struct aead *aead)
{
	uint64_t sequence = 1;
	uint8_t raw[AEAD_KEY_BYTES];
	sequence_fill(&sequence, raw, sizeof(raw));
	sequence_fill(&sequence, message->nonce, sizeof(message->nonce));
	sequence_fill(&sequence, message->aad, sizeof(message->aad));
	sequence_fill(&sequence, message->plain, sizeof(message->plain));
	aead_key_expand(aead, &message->key, raw);
	assert_int_equal(aead_seal(&message->key, message->nonce, message->aad,
				   sizeof(message->aad), message->plain, message->cipher,
				   sizeof(message->plain), message->tag),
			 STATUS_OK);
}

static void assert_opens(const struct message *message)
{
	uint8_t out[FORGERY_TEXT_BYTES];
	assert_int_equal(aead_open(&message->key, message->nonce, message->aad,
				   sizeof(message->aad), message->cipher, out, sizeof(out),
				   message->tag),
			 STATUS_OK);
	assert_memory_equal(out, message->plain, sizeof(out));
}

/* Refused, and zero where plaintext would be: in a buffer of its own and in place. */
static void assert_refused(const struct message *message)
{
	uint8_t out[FORGERY_TEXT_BYTES];
	memset(out, 0x5a, sizeof(out));
	assert_int_equal(aead_open(&message->key, message->nonce, message->aad,
				   sizeof(message->aad), message->cipher, out, sizeof(out),
				   message->tag),
			 STATUS_AUTH_FAILED);
	assert_true(bytes_are_zero(out, sizeof(out)));
	memcpy(out, message->cipher, sizeof(out));
	assert_int_equal(aead_open(&message->key, message->nonce, message->aad,
				   sizeof(message->aad), out, out, sizeof(out), message->tag),
			 STATUS_AUTH_FAILED);
	assert_true(bytes_are_zero(out, sizeof(out)));
}

static void flip_each_bit(struct message *message, uint8_t *field, size_t size_bytes, size_t step)
{
	for (size_t bit = 0; bit < size_bytes * 8; bit += step) {
		const uint8_t mask = (uint8_t)(1u << (bit % 8));
		field[bit / 8] ^= mask;
		assert_refused(message);
		field[bit / 8] ^= mask;
	}
	assert_opens(message);
}

static void test_aead_refuses_every_flipped_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < host_implementation_count(); i++) {
		const struct aead aead = implementation_at(i);
		struct message message;
		message_seal(&message, &aead);
		assert_opens(&message);
		flip_each_bit(&message, message.tag, sizeof(message.tag), 1);
		flip_each_bit(&message, message.nonce, sizeof(message.nonce), 1);
		flip_each_bit(&message, message.aad, sizeof(message.aad), 3);
		flip_each_bit(&message, message.cipher, sizeof(message.cipher), 7);
	}
}

static void test_aead_refuses_other_lengths(void **state)
{
	(void)state;
	const struct aead aead = implementation_at(0);
	struct message message;
	uint8_t out[FORGERY_TEXT_BYTES];
	message_seal(&message, &aead);
	assert_int_equal(aead_open(&message.key, message.nonce, message.aad,
				   sizeof(message.aad) - 1, message.cipher, out, sizeof(out),
				   message.tag),
			 STATUS_AUTH_FAILED);
	assert_int_equal(aead_open(&message.key, message.nonce, message.aad, sizeof(message.aad),
				   message.cipher, out, sizeof(out) - 1, message.tag),
			 STATUS_AUTH_FAILED);
	assert_int_equal(aead_open(&message.key, message.nonce, NULL, 0, message.cipher, out,
				   sizeof(out), message.tag),
			 STATUS_AUTH_FAILED);
}

static void test_aead_refuses_another_key(void **state)
{
	(void)state;
	const struct aead aead = implementation_at(0);
	const uint8_t raw[AEAD_KEY_BYTES] = {1};
	struct message message;
	message_seal(&message, &aead);
	aead_key_expand(&aead, &message.key, raw);
	assert_refused(&message);
}

static void test_aead_names_invalid_arguments(void **state)
{
	(void)state;
	const struct aead aead = implementation_at(0);
	struct message message;
	message_seal(&message, &aead);
	struct aead_key *key = &message.key;
	uint8_t *text = message.cipher;
	uint8_t tag[AEAD_TAG_BYTES];
	memset(tag, 0x77, sizeof(tag));
	const uint8_t *nonce = message.nonce;
	const size_t too_long = AEAD_TEXT_BYTES_MAX + 1;

	assert_int_equal(aead_seal(key, nonce, NULL, 0, text, text, too_long, tag), STATUS_INVALID);
	assert_int_equal(aead_seal(key, nonce, text, too_long, text, text, 1, tag), STATUS_INVALID);
	assert_int_equal(aead_seal(key, nonce, NULL, 1, text, text, 1, tag), STATUS_INVALID);
	assert_int_equal(aead_seal(key, nonce, NULL, 0, NULL, text, 1, tag), STATUS_INVALID);
	assert_int_equal(aead_seal(key, nonce, NULL, 0, text, NULL, 1, tag), STATUS_INVALID);
	assert_int_equal(aead_open(key, nonce, NULL, 0, text, text, too_long, tag), STATUS_INVALID);
	assert_int_equal(aead_open(key, nonce, NULL, 0, NULL, text, 1, tag), STATUS_INVALID);
	assert_int_equal(aead_open(key, nonce, NULL, 0, text, NULL, 1, tag), STATUS_INVALID);
	/* An empty message needs no buffer. */
	assert_int_equal(aead_seal(key, nonce, NULL, 0, NULL, NULL, 0, tag), STATUS_OK);
	assert_int_equal(aead_open(key, nonce, NULL, 0, NULL, NULL, 0, tag), STATUS_OK);
	tag[0] ^= 1u;
	assert_int_equal(aead_open(key, nonce, NULL, 0, NULL, NULL, 0, tag), STATUS_AUTH_FAILED);

	aead_key_erase(key);
	assert_true(bytes_are_zero((const uint8_t *)key, sizeof(*key)));
	assert_int_equal(aead_seal(key, nonce, NULL, 0, text, text, 1, tag), STATUS_INVALID);
	assert_int_equal(aead_open(key, nonce, NULL, 0, text, text, 1, tag), STATUS_INVALID);
}

/* The last `size` bytes before a page that nobody may touch: assembly is invisible to ASan. */
static uint8_t *before_guard(uint8_t *two_pages, size_t size_bytes)
{
	return two_pages + 4096 - size_bytes;
}

static uint8_t *map_guarded(void)
{
	void *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(pages, MAP_FAILED);
	assert_int_equal(mprotect((uint8_t *)pages + 4096, 4096, PROT_NONE), 0);
	return pages;
}

static void test_aead_stays_inside_its_buffers(void **state)
{
	(void)state;
	uint8_t *const plain_pages = map_guarded();
	uint8_t *const cipher_pages = map_guarded();
	uint8_t *const aad_pages = map_guarded();
	uint8_t *const nonce = before_guard(map_guarded(), AEAD_NONCE_BYTES);
	uint8_t *const tag = before_guard(map_guarded(), AEAD_TAG_BYTES);
	uint8_t *const raw = before_guard(map_guarded(), AEAD_KEY_BYTES);
	memset(plain_pages, 0x31, 4096);
	for (size_t i = 0; i < host_implementation_count(); i++) {
		const struct aead aead = implementation_at(i);
		struct aead_key key;
		aead_key_expand(&aead, &key, raw);
		for (size_t size = 0; size <= 1100; size += size < 300 ? 1 : 37) {
			uint8_t *plain = before_guard(plain_pages, size);
			uint8_t *cipher = before_guard(cipher_pages, size);
			const size_t aad_size = size % 130;
			const uint8_t *aad = before_guard(aad_pages, aad_size);
			cipher[-1] = 0x42;
			plain[-1] = 0x42;
			assert_int_equal(
				aead_seal(&key, nonce, aad, aad_size, plain, cipher, size, tag),
				STATUS_OK);
			assert_int_equal(
				aead_open(&key, nonce, aad, aad_size, cipher, plain, size, tag),
				STATUS_OK);
			assert_int_equal(cipher[-1], 0x42);
			assert_int_equal(plain[-1], 0x42);
			plain[-1] = 0x31;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aead_published_vectors),
		cmocka_unit_test(test_aead_refuses_every_flipped_bit),
		cmocka_unit_test(test_aead_refuses_other_lengths),
		cmocka_unit_test(test_aead_refuses_another_key),
		cmocka_unit_test(test_aead_names_invalid_arguments),
		cmocka_unit_test(test_aead_stays_inside_its_buffers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
