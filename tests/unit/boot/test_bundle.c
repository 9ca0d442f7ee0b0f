// SPDX-License-Identifier: MIT
/* The bundle manifest: what the encoder writes the decoder takes, and it takes nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "boot/bundle.h"

#define AT_ENTRY(i)     (32u + 96u * (i))
#define OFFSET_OF_PLACE 32u
#define OFFSET_OF_SIZE  40u

static void add(struct bundle *bundle, const char *name, uint64_t size_bytes)
{
	struct bundle_entry *entry = &bundle->entries[bundle->entry_count++];
	memset(entry, 0, sizeof(*entry));
	memcpy(entry->name, name, strlen(name));
	entry->size_bytes = size_bytes;
	memset(entry->sha256, (int)bundle->entry_count, sizeof(entry->sha256));
}

/* vtpmd 5000 bytes, kernel 4096, init 1: pages 1-2, 3, 4; five pages in all. */
static size_t build(uint8_t manifest[BUNDLE_MANIFEST_BYTES])
{
	struct bundle bundle = {.entry_count = 0};
	const char *problem = NULL;
	add(&bundle, "vtpmd", 5000);
	add(&bundle, "kernel", 4096);
	add(&bundle, "init-1.x_y", 1);
	assert_int_equal(bundle_encode(&bundle, manifest, &problem), STATUS_OK);
	return (size_t)bundle.size_bytes;
}

static void test_bundle_round_trip(void **state)
{
	(void)state;
	uint8_t manifest[BUNDLE_MANIFEST_BYTES];
	struct bundle bundle;
	const char *problem = NULL;
	const size_t size = build(manifest);
	assert_int_equal(size, 5 * 4096);
	assert_int_equal(bundle_decode(manifest, size, &bundle, &problem), STATUS_OK);
	assert_int_equal(bundle.entry_count, 3);
	assert_int_equal(bundle.kernel_index, 1);
	assert_int_equal(bundle.size_bytes, size);
	assert_string_equal(bundle.entries[0].name, "vtpmd");
	assert_int_equal(bundle.entries[0].offset_bytes, 4096);
	assert_int_equal(bundle.entries[0].size_bytes, 5000);
	assert_int_equal(bundle.entries[1].offset_bytes, 3 * 4096);
	assert_int_equal(bundle.entries[2].offset_bytes, 4 * 4096);
	assert_int_equal(bundle.entries[2].sha256[31], 3);
}

static void expect_refused(const uint8_t *manifest, size_t size)
{
	struct bundle bundle = {.entry_count = 99};
	const char *problem = NULL;
	assert_int_equal(bundle_decode(manifest, size, &bundle, &problem), STATUS_BAD_CONFIG);
	assert_non_null(problem);
	assert_int_equal(bundle.entry_count, 99);
}

static void test_bundle_refuses_truncation_and_extension(void **state)
{
	(void)state;
	uint8_t manifest[BUNDLE_MANIFEST_BYTES];
	const size_t size = build(manifest);
	expect_refused(manifest, size - 1);
	expect_refused(manifest, size - 4096);
	expect_refused(manifest, size + 1);
	expect_refused(manifest, size + 4096);
	expect_refused(manifest, SIZE_MAX);
	expect_refused(manifest, BUNDLE_MANIFEST_BYTES);
	for (size_t shorter = 0; shorter < BUNDLE_MANIFEST_BYTES; shorter += 7) {
		uint8_t *copy = malloc(shorter + 1); /* So that ASan sees an over-read. */
		assert_non_null(copy);
		memcpy(copy + 1, manifest, shorter);
		expect_refused(copy + 1, shorter);
		free(copy);
	}
}

/* Each row changes one integer of a good manifest. */
static void test_bundle_refuses_each_wrong_field(void **state)
{
	(void)state;
	const struct {
		size_t offset;
		uint64_t value;
	} rows[] = {
		{0, 0},                                             /* Magic. */
		{16, 6 * 4096},                                     /* Size in the manifest. */
		{24, 1},                                            /* Reserved. */
		{AT_ENTRY(0) + OFFSET_OF_PLACE, 0},                 /* Over the manifest. */
		{AT_ENTRY(0) + OFFSET_OF_PLACE, 4097},              /* Not aligned. */
		{AT_ENTRY(1) + OFFSET_OF_PLACE, 2 * 4096},          /* Overlaps. */
		{AT_ENTRY(1) + OFFSET_OF_PLACE, 4 * 4096},          /* Leaves a gap. */
		{AT_ENTRY(2) + OFFSET_OF_PLACE, 5 * 4096},          /* Out of range. */
		{AT_ENTRY(2) + OFFSET_OF_PLACE, UINT64_MAX - 4095}, /* Wraps. */
		{AT_ENTRY(0) + OFFSET_OF_SIZE, 0},
		{AT_ENTRY(0) + OFFSET_OF_SIZE, 8193},
		{AT_ENTRY(2) + OFFSET_OF_SIZE, 4097},
		{AT_ENTRY(2) + OFFSET_OF_SIZE, UINT64_MAX},
		{AT_ENTRY(2) + OFFSET_OF_SIZE, BUNDLE_BYTES_MAX + 1},
		{AT_ENTRY(0) + 80, 1ull << 56}, /* Unused bytes of an entry. */
		{AT_ENTRY(3), 1},               /* Behind the last entry. */
		{4088, 1ull << 56},             /* The manifest's last byte. */
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t manifest[BUNDLE_MANIFEST_BYTES];
		const size_t size = build(manifest);
		bytes_store_le64(manifest + rows[i].offset, rows[i].value);
		expect_refused(manifest, size);
	}
}

/* A size that wraps the running end backwards, so that all places agree again. */
static void test_bundle_refuses_sizes_that_cancel_out(void **state)
{
	(void)state;
	uint8_t manifest[BUNDLE_MANIFEST_BYTES];
	(void)build(manifest);
	bytes_store_le64(manifest + AT_ENTRY(1) + OFFSET_OF_SIZE, 0ull - 4096);
	bytes_store_le64(manifest + AT_ENTRY(2) + OFFSET_OF_PLACE, 2 * 4096);
	bytes_store_le64(manifest + 16, 3 * 4096);
	expect_refused(manifest, 3 * 4096);
}

static void test_bundle_refuses_versions_and_counts(void **state)
{
	(void)state;
	const struct {
		size_t offset;
		uint32_t value;
	} rows[] = {{8, 0}, {8, 2}, {12, 0}, {12, 2}, {12, 4}, {12, 9}, {12, UINT32_MAX}};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t manifest[BUNDLE_MANIFEST_BYTES];
		const size_t size = build(manifest);
		bytes_store_le32(manifest + rows[i].offset, rows[i].value);
		expect_refused(manifest, size);
	}
}

static void test_bundle_refuses_bad_names(void **state)
{
	(void)state;
	static const char names[][BOOT_MODULE_NAME_BYTES + 1] = {
		"",
		"UPPER",
		"sp ace",
		"a/b",
		"new\nline",
		"high\x80",
		"thirty-two-characters-are-one-to", /* No terminator. */
		"junk\0after",
		"kernel", /* A duplicate. */
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint8_t manifest[BUNDLE_MANIFEST_BYTES];
		const size_t size = build(manifest);
		memcpy(manifest + AT_ENTRY(0), names[i], BOOT_MODULE_NAME_BYTES);
		expect_refused(manifest, size);
	}
	uint8_t manifest[BUNDLE_MANIFEST_BYTES];
	const size_t size = build(manifest);
	memcpy(manifest + AT_ENTRY(1), "kernal", 6); /* No kernel. */
	expect_refused(manifest, size);
	memcpy(manifest + AT_ENTRY(1), "kernel2", 7);
	expect_refused(manifest, size);
}

static void test_bundle_encode_refuses(void **state)
{
	(void)state;
	uint8_t manifest[BUNDLE_MANIFEST_BYTES];
	const char *problem = NULL;
	struct bundle none = {.entry_count = 0};
	assert_int_equal(bundle_encode(&none, manifest, &problem), STATUS_BAD_CONFIG);
	struct bundle many = {.entry_count = BUNDLE_ENTRIES_MAX + 1};
	assert_int_equal(bundle_encode(&many, manifest, &problem), STATUS_BAD_CONFIG);
	struct bundle empty = {.entry_count = 0};
	add(&empty, "kernel", 0);
	assert_int_equal(bundle_encode(&empty, manifest, &problem), STATUS_BAD_CONFIG);
	struct bundle headless = {.entry_count = 0};
	add(&headless, "vtpmd", 1);
	assert_int_equal(bundle_encode(&headless, manifest, &problem), STATUS_BAD_CONFIG);
	struct bundle full = {.entry_count = 0};
	const char *names[] = {"a", "b", "c", "d", "e", "f", "g", "kernel"};
	for (size_t i = 0; i < BUNDLE_ENTRIES_MAX; i++) {
		add(&full, names[i], BUNDLE_BYTES_MAX);
	}
	struct bundle decoded;
	assert_int_equal(bundle_encode(&full, manifest, &problem), STATUS_OK);
	assert_int_equal(bundle_decode(manifest, (size_t)full.size_bytes, &decoded, &problem),
			 STATUS_OK);
	assert_int_equal(decoded.kernel_index, 7);
}

/* Flip every bit of the manifest: all but the digests' bits and some of a name's, or of a size
 * within its last page, must be refused; what is taken must still be in bounds. */
static void test_bundle_survives_every_bit_flip(void **state)
{
	(void)state;
	uint8_t manifest[BUNDLE_MANIFEST_BYTES];
	const size_t size = build(manifest);
	size_t taken = 0;
	for (size_t bit = 0; bit < sizeof(manifest) * 8; bit++) {
		struct bundle bundle;
		const char *problem = NULL;
		manifest[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (bundle_decode(manifest, size, &bundle, &problem) == STATUS_OK) {
			taken++;
			for (uint32_t i = 0; i < bundle.entry_count; i++) {
				assert_true(bundle.entries[i].offset_bytes +
						    bundle.entries[i].size_bytes <=
					    size);
			}
		}
		manifest[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* 3 digests, at most 15 name bytes and 3 times 13 bits of size. */
	assert_in_range(taken, 3 * 256, 3 * 256 + 15 * 8 + 3 * 13);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bundle_round_trip),
		cmocka_unit_test(test_bundle_refuses_truncation_and_extension),
		cmocka_unit_test(test_bundle_refuses_each_wrong_field),
		cmocka_unit_test(test_bundle_refuses_sizes_that_cancel_out),
		cmocka_unit_test(test_bundle_refuses_versions_and_counts),
		cmocka_unit_test(test_bundle_refuses_bad_names),
		cmocka_unit_test(test_bundle_encode_refuses),
		cmocka_unit_test(test_bundle_survives_every_bit_flip),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
