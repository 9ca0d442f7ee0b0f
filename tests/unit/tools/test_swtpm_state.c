// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/bytes.h"
#include "tools/holdfast/swtpm_state.h"

/* A state of 5 bytes, as swtpm 0.7 writes it. */
static const uint8_t good[] = {2, 1, 0, 10, 0, 0,   0,   0,   0,   21, 0,
			       1, 0, 0, 0,  5, 'h', 'e', 'l', 'l', 'o'};
static uint8_t file[64];

static enum status decode(const uint8_t *bytes, size_t size)
{
	const uint8_t *state = NULL;
	size_t state_bytes = 0;
	return swtpm_state_decode(bytes, size, &state, &state_bytes);
}

static void test_finds_the_state(void **state)
{
	const uint8_t *found = NULL;
	size_t size = 0;
	(void)state;
	assert_int_equal(swtpm_state_decode(good, sizeof(good), &found, &size), STATUS_OK);
	assert_ptr_equal(found, good + 16);
	assert_int_equal(size, 5);
}

static void test_header_is_swtpms(void **state)
{
	uint8_t header[SWTPM_STATE_HEADER_BYTES];
	(void)state;
	swtpm_state_header(header, 5);
	assert_memory_equal(header, good, sizeof(header));
}

static void test_first_version_has_no_entries(void **state)
{
	static const uint8_t old[] = {1, 1, 0, 10, 0, 0, 0, 0, 0, 12, 'h', 'i'};
	const uint8_t *found = NULL;
	size_t size = 0;
	(void)state;
	assert_int_equal(swtpm_state_decode(old, sizeof(old), &found, &size), STATUS_OK);
	assert_ptr_equal(found, old + 10);
	assert_int_equal(size, 2);
}

static void test_passes_over_other_entries(void **state)
{
	static const uint8_t more[] = {2, 1, 0, 10, 0, 0, 0, 0, 0, 25, 0,   9,  0,
				       0, 0, 1, 7,  0, 1, 0, 0, 0, 2,  'h', 'i'};
	(void)state;
	assert_int_equal(decode(more, sizeof(more)), STATUS_OK);
}

static void test_names_what_is_wrong(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		enum status status;
	} cases[] = {
		{0, 0, STATUS_INVALID},        {0, 3, STATUS_OK}, /* Later, but compatible. */
		{1, 0, STATUS_INVALID},        {1, 3, STATUS_INVALID},
		{3, 11, STATUS_INVALID},       {2, 1, STATUS_INVALID},
		{5, 1, STATUS_UNSUPPORTED},    /* Encrypted. */
		{5, 9, STATUS_UNSUPPORTED},    /* With a key of 256 bits. */
		{5, 2, STATUS_UNSUPPORTED},    /* Encrypted for a migration. */
		{5, 4, STATUS_UNSUPPORTED},    /* Wrapped for one. */
		{4, 0x80, STATUS_UNSUPPORTED}, /* A flag that nobody knows. */
		{9, 20, STATUS_INVALID},       {9, 22, STATUS_INVALID},
		{11, 2, STATUS_INVALID}, /* No entry is the state. */
		{15, 4, STATUS_INVALID},       {15, 6, STATUS_INVALID},
		{12, 0xFF, STATUS_INVALID},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		memcpy(file, good, sizeof(good));
		file[cases[i].at] = cases[i].value;
		assert_int_equal(decode(file, sizeof(good)), cases[i].status);
	}
	memcpy(file, good, sizeof(good));
	file[0] = 4;
	file[1] = 3;
	assert_int_equal(decode(file, sizeof(good)), STATUS_NEWER_FORMAT);
}

/* Also with a total size that fits the cut. */
static void test_refuses_every_truncation(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(good); size++) {
		memcpy(file, good, sizeof(good));
		assert_int_equal(decode(file, size), STATUS_INVALID);
		bytes_store_be32(file + 6, (uint32_t)size);
		assert_int_equal(decode(file, size), STATUS_INVALID);
	}
}

static void test_refuses_two_states(void **state)
{
	memcpy(file, good, sizeof(good));
	memcpy(file + sizeof(good), good + 10, sizeof(good) - 10);
	bytes_store_be32(file + 6, (uint32_t)(2 * sizeof(good) - 10));
	(void)state;
	assert_int_equal(decode(file, 2 * sizeof(good) - 10), STATUS_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_state),
		cmocka_unit_test(test_header_is_swtpms),
		cmocka_unit_test(test_first_version_has_no_entries),
		cmocka_unit_test(test_passes_over_other_entries),
		cmocka_unit_test(test_names_what_is_wrong),
		cmocka_unit_test(test_refuses_every_truncation),
		cmocka_unit_test(test_refuses_two_states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
