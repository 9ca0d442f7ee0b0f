// SPDX-License-Identifier: MIT
/* A ring-3 program's ELF. Input: the file. */
#include "kernel/user_elf.h"

#include "base/addr.h"
#include "tests/fuzz/fuzz.h"

static void elf_check(const struct user_elf *elf, size_t file_size)
{
	uint64_t end = 0;
	bool entry_is_code = false;
	FUZZ_REQUIRE(elf->segment_count >= 1 && elf->segment_count <= USER_ELF_SEGMENTS_MAX);
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct user_elf_segment *segment = &elf->segments[i];
		FUZZ_REQUIRE(segment->address % PAGE_BYTES == 0 && segment->size_bytes > 0);
		FUZZ_REQUIRE(segment->size_bytes % PAGE_BYTES == 0 && segment->address >= end);
		FUZZ_REQUIRE(segment->size_bytes <= USER_ELF_BYTES_MAX + 2 * PAGE_BYTES);
		end = segment->address + segment->size_bytes;
		FUZZ_REQUIRE(end <= USER_ELF_ADDRESS_MAX);
		FUZZ_REQUIRE(!(segment->writable && segment->executable));
		FUZZ_REQUIRE(addr_within(segment->file_offset, segment->file_bytes, file_size));
		FUZZ_REQUIRE(segment->data_at >= segment->address);
		FUZZ_REQUIRE(addr_within(segment->data_at - segment->address, segment->file_bytes,
					 segment->size_bytes));
		entry_is_code =
			entry_is_code ||
			(segment->executable && elf->entry >= segment->address && elf->entry < end);
	}
	FUZZ_REQUIRE(elf->end == end && entry_is_code && elf->header_count > 0);
	FUZZ_REQUIRE(elf->headers_address == 0 || elf->headers_address < end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct user_elf elf;
	fuzz_stain(&elf, sizeof(elf));
	const enum status status = user_elf_decode(data, size, &elf);
	if (status == STATUS_OK) {
		elf_check(&elf, size);
	} else {
		FUZZ_REQUIRE(status == STATUS_BAD_CONFIG);
		FUZZ_REQUIRE(fuzz_is_stained(&elf, sizeof(elf)));
	}
	return 0;
}
