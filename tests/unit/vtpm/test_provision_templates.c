// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "crypto/hash.h"
#include "vtpm/provision_templates.h"

static uint8_t public[PROVISION_PUBLIC_BYTES_MAX];
static size_t public_size;

/* A public area as a TPM makes it from a template: `unique` has its full size. */
static void make_public(enum provision_key key)
{
	const struct provision_key_info *info = &provision_keys[key];
	struct writer writer;
	writer_init(&writer, public, sizeof(public));
	writer_copy(&writer, info->template, info->template_bytes);
	for (size_t i = 0; i < info->unique_count; i++) {
		writer_be16(&writer, (uint16_t)info->unique_bytes);
		for (size_t j = 0; j < info->unique_bytes; j++) {
			writer_u8(&writer, (uint8_t)(16 * i + j));
		}
	}
	assert_true(writer_ok(&writer));
	public_size = writer.at;
}

/* Sizes of the profile's templates: one byte more or less would be another key. */
static void test_templates_have_their_sizes(void **state)
{
	static const size_t sizes[PROVISION_KEYS] = {314, 74, 90};
	(void)state;
	for (size_t i = 0; i < PROVISION_KEYS; i++) {
		struct writer writer;
		writer_init(&writer, public, sizeof(public));
		provision_template_write((enum provision_key)i, &writer);
		assert_true(writer_ok(&writer));
		assert_int_equal(writer.at, sizes[i]);
	}
}

/* PolicyA is TPM2_PolicySecret with TPM_RH_ENDORSEMENT: computed from its definition (TPM 2.0
 * Library, Part 3, section 23.4), it is what the template holds. */
static void test_policy_of_the_rsa_key_is_policy_secret(void **state)
{
	static const uint8_t zeroes[SHA256_BYTES];
	static const uint8_t command_and_name[] = {0x00, 0x00, 0x01, 0x51, 0x40, 0x00, 0x00, 0x0B};
	const struct hash_input first[] = {{zeroes, sizeof(zeroes)},
					   {command_and_name, sizeof(command_and_name)}};
	uint8_t digest[SHA256_BYTES];
	uint8_t policy[SHA256_BYTES];
	(void)state;
	assert_int_equal(hash_sha256(first, ARRAY_COUNT(first), digest), STATUS_OK);
	const struct hash_input second = {digest, sizeof(digest)}; /* policyRef is empty. */
	assert_int_equal(hash_sha256(&second, 1, policy), STATUS_OK);
	assert_memory_equal(provision_keys[PROVISION_EK_RSA2048].template + 10, policy,
			    sizeof(policy));
}

static void test_decodes_endorsement_keys(void **state)
{
	struct provision_public out;
	(void)state;
	make_public(PROVISION_EK_RSA2048);
	assert_int_equal(provision_public_decode(public, public_size, &out), STATUS_OK);
	assert_int_equal(out.key, PROVISION_EK_RSA2048);
	assert_int_equal(out.unique_bytes, 256);
	assert_ptr_equal(out.unique[0], public + public_size - 256);
	make_public(PROVISION_EK_P384);
	assert_int_equal(provision_public_decode(public, public_size, &out), STATUS_OK);
	assert_int_equal(out.key, PROVISION_EK_P384);
	assert_int_equal(out.unique_bytes, 48);
	assert_ptr_equal(out.unique[0], public + public_size - 98);
	assert_ptr_equal(out.unique[1], public + public_size - 48);
}

/* Every bit of the template counts: who asks for an EK with other attributes gets no certificate.
 */
static void test_refuses_every_other_template(void **state)
{
	static const enum provision_key keys[] = {PROVISION_EK_RSA2048, PROVISION_EK_P384};
	struct provision_public out;
	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(keys); k++) {
		for (size_t bit = 0; bit < 8 * provision_keys[keys[k]].template_bytes; bit++) {
			make_public(keys[k]);
			public[bit / 8] ^= (uint8_t)(1u << bit % 8);
			assert_int_equal(provision_public_decode(public, public_size, &out),
					 STATUS_UNSUPPORTED);
		}
	}
	make_public(PROVISION_SRK);
	assert_int_equal(provision_public_decode(public, public_size, &out), STATUS_UNSUPPORTED);
}

static void test_refuses_every_other_size(void **state)
{
	static const enum provision_key keys[] = {PROVISION_EK_RSA2048, PROVISION_EK_P384};
	struct provision_public out;
	(void)state;
	for (size_t k = 0; k < ARRAY_COUNT(keys); k++) {
		const size_t template_bytes = provision_keys[keys[k]].template_bytes;
		make_public(keys[k]);
		for (size_t size = 0; size <= public_size + 1; size++) {
			const enum status expected = size == public_size     ? STATUS_OK
						     : size < template_bytes ? STATUS_UNSUPPORTED
									     : STATUS_INVALID;
			assert_int_equal(provision_public_decode(public, size, &out), expected);
		}
		/* A coordinate, or a modulus, of another length in a field of the right one. */
		public[template_bytes + 1] ^= 1;
		assert_int_equal(provision_public_decode(public, public_size, &out),
				 STATUS_INVALID);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates_have_their_sizes),
		cmocka_unit_test(test_policy_of_the_rsa_key_is_policy_secret),
		cmocka_unit_test(test_decodes_endorsement_keys),
		cmocka_unit_test(test_refuses_every_other_template),
		cmocka_unit_test(test_refuses_every_other_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
