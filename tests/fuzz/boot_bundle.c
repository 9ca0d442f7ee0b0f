// SPDX-License-Identifier: MIT
/* The bundle's manifest. Input: a mode, the file's size, the manifest. A mode bit takes the size
 * from the manifest. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "boot/bundle.h"
#include "tests/fuzz/fuzz.h"

#define MODE_SIZE_FITS 1u
#define MODE_TRUNCATED 2u
#define SIZE_AT        16u

static void bundle_check(const struct bundle *bundle, uint64_t size_bytes)
{
	uint64_t end = BUNDLE_MANIFEST_BYTES;
	FUZZ_REQUIRE(bundle->entry_count >= 1 && bundle->entry_count <= BUNDLE_ENTRIES_MAX);
	FUZZ_REQUIRE(bundle->size_bytes == size_bytes && size_bytes % PAGE_BYTES == 0);
	FUZZ_REQUIRE(bundle->kernel_index < bundle->entry_count);
	FUZZ_REQUIRE(strcmp(bundle->entries[bundle->kernel_index].name, BUNDLE_KERNEL_NAME) == 0);
	for (uint32_t i = 0; i < bundle->entry_count; i++) {
		const struct bundle_entry *entry = &bundle->entries[i];
		const size_t length = strnlen(entry->name, sizeof(entry->name));
		FUZZ_REQUIRE(length > 0 && length < sizeof(entry->name));
		/* In order, without gaps, hence without overlaps. */
		FUZZ_REQUIRE(entry->offset_bytes >= end && entry->offset_bytes - end < PAGE_BYTES);
		FUZZ_REQUIRE(entry->offset_bytes % PAGE_BYTES == 0 && entry->size_bytes > 0);
		FUZZ_REQUIRE(addr_within(entry->offset_bytes, entry->size_bytes, size_bytes));
		end = entry->offset_bytes + entry->size_bytes;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	struct bundle bundle;
	uint8_t again[BUNDLE_MANIFEST_BYTES];
	const char *problem = NULL;
	const uint8_t mode = fuzz_u8(&input);
	uint64_t size_bytes = fuzz_u32(&input);
	/* Only the manifest is there, whatever size is claimed: nothing else may be read. */
	const size_t there = (mode & MODE_TRUNCATED) != 0 ? size_bytes % BUNDLE_MANIFEST_BYTES
							  : BUNDLE_MANIFEST_BYTES;
	uint8_t *manifest = malloc(there > 0 ? there : 1);
	FUZZ_REQUIRE(manifest != NULL);
	(void)fuzz_fill(&input, manifest, there);
	if (there < BUNDLE_MANIFEST_BYTES) {
		size_bytes = there;
	} else if ((mode & MODE_SIZE_FITS) != 0) {
		size_bytes = bytes_load_le64(manifest + SIZE_AT);
	}
	fuzz_stain(&bundle, sizeof(bundle));
	const enum status status = bundle_decode(manifest, size_bytes, &bundle, &problem);
	if (status == STATUS_OK) {
		bundle_check(&bundle, size_bytes);
		FUZZ_REQUIRE(bundle_encode(&bundle, again, &problem) == STATUS_OK);
		FUZZ_REQUIRE(memcmp(manifest, again, sizeof(again)) == 0);
	} else {
		FUZZ_REQUIRE(status == STATUS_BAD_CONFIG && problem != NULL);
		FUZZ_REQUIRE(fuzz_is_stained(&bundle, sizeof(bundle)));
	}
	free(manifest);
	return 0;
}
