// SPDX-License-Identifier: MIT
/* SHA-2, HMAC, HKDF and PBKDF2 against published vectors; limits; a heap that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <mbedtls/hkdf.h>
#include <mbedtls/hmac_drbg.h>
#include <mbedtls/md.h>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "crypto/library_status_internal.h"
#include "crypto_support.h"
#include "failing_heap.h"

static struct hash_input text_input(const char *text)
{
	const struct hash_input input = {
		.bytes = (const uint8_t *)text,
		.size_bytes = strlen(text),
	};
	return input;
}

static void assert_sha2(const struct hash_input *inputs, size_t count, const char *sha256,
			const char *sha512)
{
	uint8_t out[SHA512_BYTES];
	assert_int_equal(hash_sha256(inputs, count, out), STATUS_OK);
	assert_hex(out, SHA256_BYTES, sha256);
	assert_int_equal(hash_sha512(inputs, count, out), STATUS_OK);
	assert_hex(out, SHA512_BYTES, sha512);
}

#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_SHA512                                                         \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

/* FIPS 180-4's examples (published with FIPS 180-2, appendices B and C) and the empty message. */
static void test_hash_sha2_published_vectors(void **state)
{
	(void)state;
	struct hash_input input = text_input("");
	assert_sha2(&input, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		    "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
		    "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
	input = text_input("abc");
	assert_sha2(&input, 1, ABC_SHA256, ABC_SHA512);
	input = text_input("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
	assert_sha2(&input, 1, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
		    "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335"
		    "96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445");
	input = text_input("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
			   "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu");
	assert_sha2(&input, 1, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
		    "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
		    "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909");
}

static void test_hash_sha2_million_letters(void **state)
{
	(void)state;
	uint8_t letters[1000];
	struct hash_input inputs[1000];
	memset(letters, 'a', sizeof(letters));
	for (size_t i = 0; i < ARRAY_COUNT(inputs); i++) {
		inputs[i].bytes = letters;
		inputs[i].size_bytes = sizeof(letters);
	}
	assert_sha2(inputs, ARRAY_COUNT(inputs),
		    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
		    "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
		    "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b");
}

static void test_hash_inputs_are_joined(void **state)
{
	(void)state;
	const struct hash_input inputs[] = {
		text_input("a"),
		{.bytes = NULL, .size_bytes = 0},
		text_input("bc"),
	};
	assert_sha2(inputs, ARRAY_COUNT(inputs), ABC_SHA256, ABC_SHA512);
	uint8_t none[SHA256_BYTES];
	assert_int_equal(hash_sha256(NULL, 0, none), STATUS_OK);
	assert_hex(none, sizeof(none),
		   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

struct mac_vector {
	const char *key;
	const char *data;
	const char *mac;
};

#define TEN(byte)   byte byte byte byte byte byte byte byte byte byte
#define FIFTY(byte) TEN(byte) TEN(byte) TEN(byte) TEN(byte) TEN(byte)
#define AA131       FIFTY("aa") FIFTY("aa") TEN("aa") TEN("aa") TEN("aa") "aa"

/* RFC 4231, cases 1 to 4, 6 and 7 (5 is about truncation). */
static const struct mac_vector mac_vectors[] = {
	{TEN("0b") TEN("0b"), "4869205468657265",
	 "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
	{"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	 "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
	{TEN("aa") TEN("aa"), FIFTY("dd"),
	 "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
	{"0102030405060708090a0b0c0d0e0f10111213141516171819", FIFTY("cd"),
	 "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
	{AA131,
	 "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
	 "65204b6579202d2048617368204b6579204669727374",
	 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
	{AA131,
	 "5468697320697320612074657374207573696e672061206c6172676572207468"
	 "616e20626c6f636b2d73697a65206b657920616e642061206c61726765722074"
	 "68616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565"
	 "647320746f20626520686173686564206265666f7265206265696e6720757365"
	 "642062792074686520484d414320616c676f726974686d2e",
	 "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

static void test_hash_hmac_rfc4231(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(mac_vectors); i++) {
		uint8_t key[131];
		uint8_t data[152];
		uint8_t mac[SHA256_BYTES];
		const size_t key_size = hex_decode(key, sizeof(key), mac_vectors[i].key);
		const size_t data_size = hex_decode(data, sizeof(data), mac_vectors[i].data);
		/* In two pieces, one of them possibly empty. */
		const struct hash_input inputs[] = {
			{.bytes = data, .size_bytes = i * 3},
			{.bytes = data + i * 3, .size_bytes = data_size - i * 3},
		};
		assert_int_equal(hash_hmac_sha256(key, key_size, inputs, 2, mac), STATUS_OK);
		assert_hex(mac, sizeof(mac), mac_vectors[i].mac);
		struct hmac_key expanded;
		memset(mac, 0, sizeof(mac));
		assert_int_equal(hmac_key_expand(&expanded, key, key_size), STATUS_OK);
		assert_int_equal(hmac_compute(&expanded, inputs, 2, mac), STATUS_OK);
		assert_hex(mac, sizeof(mac), mac_vectors[i].mac);
	}
}

struct hkdf_vector {
	const char *ikm;
	const char *salt;
	const char *info;
	const char *prk;
	const char *okm;
};

/* RFC 5869, appendix A.1 to A.3. */
static const struct hkdf_vector hkdf_vectors[] = {
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
	 "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
	 "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
	{"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
	 "28292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
	 "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f8081828384858687"
	 "88898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
	 "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7"
	 "d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
	 "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
	 "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac78272"
	 "71cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f"
	 "1d87"},
	{"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
	 "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
	 "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
	 "9d201395faa4b61a96c8"},
};

static void test_hash_hkdf_rfc5869(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(hkdf_vectors); i++) {
		const struct hkdf_vector *vector = &hkdf_vectors[i];
		uint8_t ikm[80];
		uint8_t salt[80];
		uint8_t info[80];
		uint8_t okm[82];
		uint8_t prk[SHA256_BYTES];
		const size_t ikm_size = hex_decode(ikm, sizeof(ikm), vector->ikm);
		const size_t salt_size = hex_decode(salt, sizeof(salt), vector->salt);
		const size_t info_size = hex_decode(info, sizeof(info), vector->info);
		const size_t okm_size = strlen(vector->okm) / 2;
		assert_int_equal(
			hkdf_extract(salt_size == 0 ? NULL : salt, salt_size, ikm, ikm_size, prk),
			STATUS_OK);
		assert_hex(prk, sizeof(prk), vector->prk);
		assert_int_equal(hkdf_expand(prk, info, info_size, okm, okm_size), STATUS_OK);
		assert_hex(okm, okm_size, vector->okm);
	}
}

static void test_hash_hkdf_names_its_limit(void **state)
{
	(void)state;
	static uint8_t out[255 * SHA256_BYTES + 1];
	const uint8_t prk[SHA256_BYTES] = {1};
	assert_int_equal(hkdf_expand(prk, NULL, 0, out, sizeof(out) - 1), STATUS_OK);
	memset(out, 0x5a, sizeof(out));
	assert_int_equal(hkdf_expand(prk, NULL, 0, out, sizeof(out)), STATUS_INVALID);
	assert_true(bytes_are_zero(out, sizeof(out)));
	assert_int_equal(hkdf_expand(prk, NULL, 0, NULL, 1), STATUS_INVALID);
	uint8_t untouched[SHA256_BYTES];
	memset(untouched, 0x5a, sizeof(untouched));
	assert_int_equal(hkdf_extract(NULL, 3, prk, sizeof(prk), untouched), STATUS_INVALID);
	assert_int_equal(untouched[0], 0x5a);
}

struct pbkdf2_vector {
	const char *passphrase;
	const char *salt;
	uint32_t iterations;
	const char *key;
};

/* RFC 6070's inputs with SHA-512, whose answers are well known, too; the last is longer than one
 * block. Checked against OpenSSL. */
static const struct pbkdf2_vector pbkdf2_vectors[] = {
	{"password", "salt", 1,
	 "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
	 "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce"},
	{"password", "salt", 2,
	 "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c"
	 "f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e"},
	{"password", "salt", 4096,
	 "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5"
	 "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5"},
	{"passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
	 "8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71"
	 "115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8"},
	{"password", "salt", 3,
	 "b6b07cb2cebf4ad84468391a543824fccffe0e0769dbe6bddf10a65673c4b648"
	 "e612d44918f9ce9a19a1294cf5140628084ba994c3b21a4ef4741220b811c633"
	 "cfc0641fccbcc4164f1bbfcb1f33f595ae9aa4a33ddcce570157775980362c0e"
	 "e28aa340"},
};

static void test_hash_pbkdf2_known_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(pbkdf2_vectors); i++) {
		const struct pbkdf2_vector *vector = &pbkdf2_vectors[i];
		const struct hash_input passphrase = text_input(vector->passphrase);
		const struct hash_input salt = text_input(vector->salt);
		uint8_t key[128];
		const size_t key_size = strlen(vector->key) / 2;
		assert_int_equal(pbkdf2_sha512(passphrase.bytes, passphrase.size_bytes, salt.bytes,
					       salt.size_bytes, vector->iterations, key, key_size),
				 STATUS_OK);
		assert_hex(key, key_size, vector->key);
	}
}

static void test_hash_pbkdf2_names_invalid_arguments(void **state)
{
	(void)state;
	const uint8_t text[] = {'x'};
	uint8_t key[8] = {0x5a};
	assert_int_equal(pbkdf2_sha512(text, 1, text, 1, 0, key, sizeof(key)), STATUS_INVALID);
	assert_int_equal(pbkdf2_sha512(text, 1, text, 1, 1, NULL, sizeof(key)), STATUS_INVALID);
	assert_int_equal(pbkdf2_sha512(text, 1, text, 1, 1, key, 0), STATUS_INVALID);
	assert_int_equal(pbkdf2_sha512(text, 1, text, 1, 1, key, (size_t)UINT32_MAX + 1),
			 STATUS_INVALID);
	assert_int_equal(key[0], 0x5a);
}

/* The four calls that allocate, each into a filled buffer. */
static enum status call_allocating(size_t which, uint8_t out[SHA512_BYTES])
{
	const struct hash_input input = text_input("abc");
	const uint8_t prk[SHA256_BYTES] = {1};
	memset(out, 0x5a, SHA512_BYTES);
	switch (which) {
	case 0: return hash_hmac_sha256(input.bytes, 3, &input, 1, out);
	case 1: return hkdf_extract(input.bytes, 3, input.bytes, 3, out);
	case 2: return hkdf_expand(prk, NULL, 0, out, SHA512_BYTES);
	default: return pbkdf2_sha512(input.bytes, 3, input.bytes, 3, 2, out, SHA512_BYTES);
	}
}

static void test_hash_survives_a_failing_heap(void **state)
{
	(void)state;
	for (size_t which = 0; which < 4; which++) {
		uint8_t out[SHA512_BYTES];
		enum status status = STATUS_NO_MEMORY;
		size_t nth = 0;
		/* Fail the n-th allocation until a run completes. */
		while (status != STATUS_OK) {
			nth++;
			assert_true(nth < 20);
			heap_fail_nth(nth);
			status = call_allocating(which, out);
			if (status != STATUS_OK) {
				assert_int_equal(status, STATUS_NO_MEMORY);
				/* Untouched or zeroed, as hash.h says: never a half result. */
				assert_true(out[0] == (which < 2 ? 0x5a : 0));
				assert_int_equal(out[0], out[SHA512_BYTES - 1]);
			}
			assert_int_equal(heap_live_count(), 0);
		}
		assert_true(nth > 1);
	}
	heap_fail_nth(0);
}

/* The kernel sizes its arena by these numbers; docs/crypto.md states them. */
static void test_hash_heap_peaks(void **state)
{
	(void)state;
	const size_t wanted[] = {236, 236, 236, 472};
	for (size_t which = 0; which < 4; which++) {
		uint8_t out[SHA512_BYTES];
		heap_fail_nth(0);
		assert_int_equal(call_allocating(which, out), STATUS_OK);
		assert_int_equal(heap_peak_bytes(), wanted[which]);
		assert_int_equal(heap_call_count(), 2);
	}
	heap_fail_nth(0);
	const struct hash_input input = text_input("abc");
	assert_sha2(&input, 1, ABC_SHA256, ABC_SHA512);
	assert_int_equal(heap_call_count(), 0);
}

static void test_library_status_is_total(void **state)
{
	(void)state;
	assert_int_equal(library_status(0), STATUS_OK);
	assert_int_equal(library_status(MBEDTLS_ERR_MD_ALLOC_FAILED), STATUS_NO_MEMORY);
	assert_int_equal(library_status(MBEDTLS_ERR_MD_BAD_INPUT_DATA), STATUS_INVALID);
	assert_int_equal(library_status(MBEDTLS_ERR_HKDF_BAD_INPUT_DATA), STATUS_INVALID);
	assert_int_equal(library_status(MBEDTLS_ERR_HMAC_DRBG_ENTROPY_SOURCE_FAILED),
			 STATUS_NO_ENTROPY);
	assert_int_equal(library_status(MBEDTLS_ERR_MD_FEATURE_UNAVAILABLE), STATUS_UNSUPPORTED);
	for (int result = -0x7fff; result < 0; result++) {
		assert_int_not_equal(library_status(result), STATUS_OK);
	}
	assert_int_equal(library_status(1), STATUS_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_sha2_published_vectors),
		cmocka_unit_test(test_hash_sha2_million_letters),
		cmocka_unit_test(test_hash_inputs_are_joined),
		cmocka_unit_test(test_hash_hmac_rfc4231),
		cmocka_unit_test(test_hash_hkdf_rfc5869),
		cmocka_unit_test(test_hash_hkdf_names_its_limit),
		cmocka_unit_test(test_hash_pbkdf2_known_vectors),
		cmocka_unit_test(test_hash_pbkdf2_names_invalid_arguments),
		cmocka_unit_test(test_hash_survives_a_failing_heap),
		cmocka_unit_test(test_hash_heap_peaks),
		cmocka_unit_test(test_library_status_is_total),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
