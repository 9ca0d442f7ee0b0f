// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "script_tpm.h"
#include "vtpm/provision.h"

#define PROPERTIES 12u

static struct script_tpm script;
static struct tpm_client client;

/* As libtpms answers. */
static void answer(void)
{
	static const uint32_t values[PROPERTIES] = {
		0x322E3000, 0,          164,        75, 2022, 0x49424D00,
		0x53572020, 0x2054504D, 0x00000000, 0,  1,    0x20191023,
	};
	script_tpm_init(&script, &client);
	script.body[0] = 1; /* More data. */
	bytes_store_be32(script.body + 1, 6);
	bytes_store_be32(script.body + 5, PROPERTIES);
	for (size_t i = 0; i < PROPERTIES; i++) {
		bytes_store_be32(script.body + 9 + 8 * i, (uint32_t)(0x100 + i));
		bytes_store_be32(script.body + 13 + 8 * i, values[i]);
	}
	script.body_size = 9 + 8 * PROPERTIES;
}

static enum status read_identity(struct provision_identity *identity)
{
	return provision_identity_read(&client, identity);
}

static void test_reads_who_the_tpm_is(void **state)
{
	struct provision_identity identity;
	(void)state;
	answer();
	assert_int_equal(read_identity(&identity), STATUS_OK);
	assert_string_equal(identity.family, "2.0");
	assert_string_equal(identity.model, "SW   TPM");
	assert_int_equal(identity.manufacturer, 0x49424D00);
	assert_int_equal(identity.firmware_version, 0x20191023);
	assert_int_equal(identity.level, 0);
	assert_int_equal(identity.revision, 164);
}

static void test_model_may_fill_its_field(void **state)
{
	struct provision_identity identity;
	(void)state;
	answer();
	for (size_t i = 6; i < 10; i++) {
		bytes_store_be32(script.body + 13 + 8 * i, 0x41424344);
	}
	assert_int_equal(read_identity(&identity), STATUS_OK);
	assert_string_equal(identity.model, "ABCDABCDABCDABCD");
}

/* What would end in a certificate has to be what was asked for, and text. */
static void test_refuses_other_answers(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} cases[] = {
		{1, 5},           /* Another capability. */
		{5, 11},          /* Fewer properties. */
		{5, 13},          /* More. */
		{9, 0x101},       /* Not the first. */
		{9 + 8 * 5, 0},   /* Not in order. */
		{13, 0x322E0030}, /* A zero within text. */
		{13, 0x0A2E3000}, /* A control character. */
		{13 + 8 * 6, 0x80414141},
	};
	struct provision_identity identity;
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		answer();
		bytes_store_be32(script.body + cases[i].at, cases[i].value);
		assert_int_equal(read_identity(&identity), STATUS_BAD_USER);
	}
	answer();
	bytes_store_be32(script.body + 13 + 8 * 8, 0x41000000);
	assert_int_equal(read_identity(&identity), STATUS_OK);
	/* Text after the end of the text. */
	bytes_store_be32(script.body + 13 + 8 * 9, 0x41000000);
	assert_int_equal(read_identity(&identity), STATUS_BAD_USER);
}

static void test_refuses_every_truncation(void **state)
{
	struct provision_identity identity;
	(void)state;
	for (size_t size = 0; size < 9 + 8 * PROPERTIES; size++) {
		answer();
		script.body_size = size;
		assert_int_equal(read_identity(&identity), STATUS_BAD_USER);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_who_the_tpm_is),
		cmocka_unit_test(test_model_may_fill_its_field),
		cmocka_unit_test(test_refuses_other_answers),
		cmocka_unit_test(test_refuses_every_truncation),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
