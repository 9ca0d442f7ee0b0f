// SPDX-License-Identifier: MIT
/* The decoders of the store's metadata: strict, canonical, and never "empty" for a damaged index.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "block/store_format.h"

#define SIZE_MAX_BYTES (127u * (uint64_t)BLOCK_BYTES)

/* xorshift64: the same numbers in every run. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void sample_index(struct store_index *index)
{
	memset(index, 0, sizeof(*index));
	index->changes = 7;
	memcpy(index->names[0], "vtpm0.permall", 14);
	memcpy(index->names[2], "b", 2);
	memset(index->names[63], 'x', STORE_NAME_BYTES_MAX);
}

static void sample_object(struct store_object_info *object)
{
	*object = (struct store_object_info){
		.name = "vtpm0.permall", .size_bytes = 4400, .version = 3};
}

static void test_format_names(void **state)
{
	(void)state;
	char name[STORE_NAME_BYTES_MAX + 2];
	memset(name, 'a', sizeof(name));
	name[STORE_NAME_BYTES_MAX] = '\0';
	assert_true(store_name_valid(name));
	name[STORE_NAME_BYTES_MAX] = 'a';
	name[STORE_NAME_BYTES_MAX + 1] = '\0';
	assert_false(store_name_valid(name));
	static const char *const good[] = {"a", "A.b_c-9", "0", "_", "-"};
	for (size_t i = 0; i < ARRAY_COUNT(good); i++) {
		assert_true(store_name_valid(good[i]));
	}
	static const char *const bad[] = {"", ".", "..", ".a", "a/b", "a b", "\x80", "a\n", "a*"};
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		assert_false(store_name_valid(bad[i]));
	}
}

static void test_format_name_order(void **state)
{
	(void)state;
	static const char *const sorted[] = {"",  "-",  "0",  "A",  "Z", "_",
					     "a", "a-", "aa", "ab", "b", "\xe4"};
	for (size_t i = 0; i < ARRAY_COUNT(sorted); i++) {
		for (size_t j = 0; j < ARRAY_COUNT(sorted); j++) {
			int order = store_name_compare(sorted[i], sorted[j]);
			assert_int_equal(order < 0, i < j);
			assert_int_equal(order == 0, i == j);
		}
	}
	char a[STORE_NAME_BYTES_MAX + 1] = {0};
	char b[STORE_NAME_BYTES_MAX + 1] = {0};
	memset(a, 'x', STORE_NAME_BYTES_MAX);
	memset(b, 'x', STORE_NAME_BYTES_MAX);
	assert_int_equal(store_name_compare(a, b), 0);
	b[STORE_NAME_BYTES_MAX - 1] = 'y';
	assert_true(store_name_compare(a, b) < 0);
}

static void test_format_index_round_trip(void **state)
{
	(void)state;
	struct store_index index;
	struct store_index decoded;
	uint8_t block[BLOCK_BYTES];
	sample_index(&index);
	store_encode_index(&index, block);
	assert_int_equal(store_decode_index(block, STORE_OBJECTS_MAX, &decoded), STATUS_OK);
	assert_memory_equal(&index, &decoded, sizeof(index));
}

static void test_format_never_written_index_is_empty(void **state)
{
	(void)state;
	struct store_index index;
	uint8_t block[BLOCK_BYTES] = {0};
	memset(&index, 0xff, sizeof(index));
	assert_int_equal(store_decode_index(block, STORE_OBJECTS_MAX, &index), STATUS_OK);
	assert_int_equal(index.changes, 0);
	assert_int_equal(index.names[0][0], 0);
	store_encode_index(&index, block);
	assert_true(bytes_are_zero(block, sizeof(block)));
}

/* An index of which objects were removed is not the same as one that was never written. */
static void test_format_emptied_index_is_not_all_zero(void **state)
{
	(void)state;
	struct store_index index = {.changes = 2};
	uint8_t block[BLOCK_BYTES];
	store_encode_index(&index, block);
	assert_false(bytes_are_zero(block, sizeof(block)));
	assert_int_equal(store_decode_index(block, STORE_OBJECTS_MAX, &index), STATUS_OK);
	assert_int_equal(index.changes, 2);
}

static void test_format_newer(void **state)
{
	(void)state;
	struct store_index index;
	struct store_object_info object;
	uint8_t block[BLOCK_BYTES];
	sample_index(&index);
	store_encode_index(&index, block);
	bytes_store_le32(block + 8, STORE_FORMAT_VERSION + 1);
	block[BLOCK_BYTES - 1] = 1; /* A later format may use what is reserved here. */
	assert_int_equal(store_decode_index(block, 64, &index), STATUS_NEWER_FORMAT);
	assert_int_equal(index.changes, 0);
	sample_object(&object);
	store_encode_object(&object, block);
	bytes_store_le32(block + 8, UINT32_MAX);
	assert_int_equal(store_decode_object(block, SIZE_MAX_BYTES, &object), STATUS_NEWER_FORMAT);
	assert_int_equal(object.version, 0);
	bytes_store_le32(block + 8, 0);
	assert_int_equal(store_decode_object(block, SIZE_MAX_BYTES, &object), STATUS_AUTH_META);
}

/* One field spoilt in an otherwise good block. */
struct spoilt {
	const char *what;
	uint32_t at;
	uint8_t value;
};

static void test_format_malformed_index(void **state)
{
	(void)state;
	static const struct spoilt cases[] = {
		{"magic", 0, 'X'},
		{"count too small", 12, 2},
		{"count too large", 12, 4},
		{"fewer changes than objects", 16, 2},
		{"reserved in the header", 63, 1},
		{"reserved in an entry", 64 + 1, 1},
		{"name size cuts the name", 64, 12},
		{"name size beyond the name", 64, 14},
		{"name size beyond the field", 64, 49},
		{"name byte", 64 + 8, '/'},
		{"name begins with a dot", 64 + 8, '.'},
		{"zero inside the name", 64 + 8 + 3, 0},
		{"bytes in a free entry", 64 + 56 + 8, 'a'},
		{"name without bytes", 64 + 56, 1},
		{"reserved at the end", 3648, 1},
		{"last byte", 4095, 0x80},
	};
	struct store_index index;
	uint8_t block[BLOCK_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		sample_index(&index);
		store_encode_index(&index, block);
		assert_int_not_equal(block[cases[i].at], cases[i].value);
		block[cases[i].at] = cases[i].value;
		if (store_decode_index(block, 64, &index) != STATUS_AUTH_META) {
			fail_msg("accepted: %s", cases[i].what);
		}
		assert_true(bytes_are_zero((const uint8_t *)&index, sizeof(index)));
	}
}

static void test_format_index_refuses_duplicates_and_missing_slices(void **state)
{
	(void)state;
	struct store_index index;
	uint8_t block[BLOCK_BYTES];
	sample_index(&index);
	memcpy(index.names[1], "b", 2);
	store_encode_index(&index, block);
	assert_int_equal(store_decode_index(block, 64, &index), STATUS_AUTH_META);
	sample_index(&index);
	store_encode_index(&index, block);
	assert_int_equal(store_decode_index(block, 63, &index), STATUS_AUTH_META);
	assert_int_equal(store_decode_index(block, 64, &index), STATUS_OK);
}

/* Written, but with a magic of zeroes, or all entries lost: never an empty store. */
static void test_format_lost_index_is_not_an_empty_store(void **state)
{
	(void)state;
	struct store_index index;
	uint8_t block[BLOCK_BYTES];
	sample_index(&index);
	store_encode_index(&index, block);
	memset(block + STORE_INDEX_ENTRIES_AT, 0, BLOCK_BYTES - STORE_INDEX_ENTRIES_AT);
	assert_int_equal(store_decode_index(block, 64, &index), STATUS_AUTH_META);
	sample_index(&index);
	store_encode_index(&index, block);
	memset(block, 0, STORE_INDEX_ENTRIES_AT);
	assert_int_equal(store_decode_index(block, 64, &index), STATUS_AUTH_META);
	memset(&index, 0, sizeof(index));
	index.changes = 1;
	store_encode_index(&index, block);
	bytes_store_le64(block + 16, 0);
	assert_int_equal(store_decode_index(block, 64, &index), STATUS_AUTH_META);
}

static void test_format_object_round_trip(void **state)
{
	(void)state;
	struct store_object_info object;
	struct store_object_info decoded;
	uint8_t block[BLOCK_BYTES];
	sample_object(&object);
	store_encode_object(&object, block);
	assert_int_equal(store_decode_object(block, 4400, &decoded), STATUS_OK);
	assert_string_equal(decoded.name, object.name);
	assert_int_equal(decoded.size_bytes, 4400);
	assert_int_equal(decoded.version, 3);
	assert_int_equal(store_decode_object(block, 4399, &decoded), STATUS_AUTH_META);
	assert_int_equal(decoded.size_bytes, 0);
}

static void test_format_malformed_object(void **state)
{
	(void)state;
	static const struct spoilt cases[] = {
		{"magic", 7, 'X'},      {"name size", 12, 12},
		{"no name", 12, 0},     {"huge name size", 15, 0x80},
		{"name byte", 16, ' '}, {"padding", 63, 1},
		{"huge size", 71, 1},   {"version 0", 72, 0},
		{"reserved", 80, 1},    {"last byte", 4095, 1},
	};
	struct store_object_info object;
	uint8_t block[BLOCK_BYTES];
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		sample_object(&object);
		store_encode_object(&object, block);
		block[cases[i].at] = cases[i].value;
		if (store_decode_object(block, SIZE_MAX_BYTES, &object) != STATUS_AUTH_META) {
			fail_msg("accepted: %s", cases[i].what);
		}
	}
	memset(block, 0, sizeof(block));
	assert_int_equal(store_decode_object(block, SIZE_MAX_BYTES, &object), STATUS_AUTH_META);
	store_encode_object(&(struct store_object_info){.name = "", .version = 1}, block);
	assert_int_equal(store_decode_object(block, SIZE_MAX_BYTES, &object), STATUS_AUTH_META);
}

/* Whatever decodes encodes to the same bytes: nothing is hidden in a block that was accepted. */
static void test_format_is_canonical_under_random_damage(void **state)
{
	(void)state;
	uint64_t random = 0x9e3779b97f4a7c15u;
	struct store_index index;
	struct store_object_info object;
	uint8_t block[BLOCK_BYTES];
	uint8_t again[BLOCK_BYTES];
	for (uint32_t round = 0; round < 20000; round++) {
		uint32_t limit = (round & 1) != 0 ? 128 : 3700;
		sample_index(&index);
		store_encode_index(&index, block);
		block[next_random(&random) % limit] ^= (uint8_t)(1u << next_random(&random) % 8);
		if (store_decode_index(block, 64, &index) == STATUS_OK) {
			store_encode_index(&index, again);
			assert_memory_equal(block, again, BLOCK_BYTES);
		}
		sample_object(&object);
		store_encode_object(&object, block);
		block[next_random(&random) % 96] ^= (uint8_t)(1u << next_random(&random) % 8);
		if (store_decode_object(block, SIZE_MAX_BYTES, &object) == STATUS_OK) {
			store_encode_object(&object, again);
			assert_memory_equal(block, again, BLOCK_BYTES);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_names),
		cmocka_unit_test(test_format_name_order),
		cmocka_unit_test(test_format_index_round_trip),
		cmocka_unit_test(test_format_never_written_index_is_empty),
		cmocka_unit_test(test_format_emptied_index_is_not_all_zero),
		cmocka_unit_test(test_format_newer),
		cmocka_unit_test(test_format_malformed_index),
		cmocka_unit_test(test_format_index_refuses_duplicates_and_missing_slices),
		cmocka_unit_test(test_format_lost_index_is_not_an_empty_store),
		cmocka_unit_test(test_format_object_round_trip),
		cmocka_unit_test(test_format_malformed_object),
		cmocka_unit_test(test_format_is_canonical_under_random_damage),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
