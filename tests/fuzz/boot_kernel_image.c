// SPDX-License-Identifier: MIT
/* The kernel's ELF: decode, load, relocate. Input: the file. */
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "boot/kernel_image.h"
#include "tests/fuzz/fuzz.h"

/* Larger images are decoded, not loaded: the time would go into memset. */
#define LOAD_BYTES_MAX ((uint64_t)1 << 18)
#define BASE           0xffffffff80000000ull

static bool is_in_segment(const struct kernel_image *image, uint64_t first, uint64_t size,
			  bool writable)
{
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct kernel_segment *segment = &image->segments[i];
		if (first >= segment->begin && segment->writable == writable &&
		    addr_within(first - segment->begin, size, segment->size_bytes)) {
			return true;
		}
	}
	return false;
}

static void image_check(const struct kernel_image *image, size_t file_size)
{
	uint64_t end = 0;
	bool entry_is_executable = false;
	FUZZ_REQUIRE(image->segment_count >= 1 && image->segment_count <= KERNEL_SEGMENTS_MAX);
	FUZZ_REQUIRE(image->size_bytes <= KERNEL_IMAGE_BYTES_MAX + PAGE_BYTES);
	FUZZ_REQUIRE((image->alignment & (image->alignment - 1)) == 0);
	FUZZ_REQUIRE(image->alignment >= PAGE_BYTES && image->alignment <= 2u << 20);
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct kernel_segment *segment = &image->segments[i];
		FUZZ_REQUIRE(segment->begin >= end && segment->begin % PAGE_BYTES == 0);
		FUZZ_REQUIRE(segment->size_bytes > 0 && segment->size_bytes % PAGE_BYTES == 0);
		end = segment->begin + segment->size_bytes;
		FUZZ_REQUIRE(!(segment->writable && segment->executable));
		FUZZ_REQUIRE(
			addr_within(segment->file_offset, segment->file_size_bytes, file_size));
		FUZZ_REQUIRE(segment->address - segment->begin < PAGE_BYTES);
		FUZZ_REQUIRE(segment->address + segment->file_size_bytes <= end);
		entry_is_executable = entry_is_executable ||
				      (segment->executable && image->entry >= segment->begin &&
				       image->entry < end);
	}
	FUZZ_REQUIRE(end == image->size_bytes && entry_is_executable);
	FUZZ_REQUIRE(image->relro_begin <= image->relro_end);
	FUZZ_REQUIRE(image->relro_begin == image->relro_end ||
		     is_in_segment(image, image->relro_begin, image->relro_end - image->relro_begin,
				   true));
	FUZZ_REQUIRE(image->relocation_count == 0 ||
		     is_in_segment(image, image->relocations, image->relocation_count * 24, false));
}

/* Relocation changes writable segments only, and by no more than 8 bytes for each entry. */
static void relocate_run(const struct kernel_image *image, const uint8_t *file)
{
	const size_t size = (size_t)image->size_bytes;
	const char *problem = NULL;
	uint8_t *memory = malloc(size);
	uint8_t *before = malloc(size);
	FUZZ_REQUIRE(memory != NULL && before != NULL);
	kernel_image_load(image, file, memory);
	memcpy(before, memory, size);
	const enum status status = kernel_image_relocate(image, memory, BASE, &problem);
	FUZZ_REQUIRE(status == STATUS_OK || problem != NULL);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_BAD_CONFIG ||
		     status == STATUS_UNSUPPORTED);
	uint64_t changed = 0;
	for (size_t i = 0; i < size; i++) {
		if (memory[i] != before[i]) {
			FUZZ_REQUIRE(is_in_segment(image, i, 1, true));
			changed++;
		}
	}
	FUZZ_REQUIRE(changed <= 8 * image->relocation_count);
	free(memory);
	free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kernel_image image;
	const char *problem = NULL;
	fuzz_stain(&image, sizeof(image));
	const enum status status = kernel_image_decode(data, size, &image, &problem);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_BAD_CONFIG || status == STATUS_UNSUPPORTED ||
			     status == STATUS_INVALID);
		FUZZ_REQUIRE(problem != NULL && fuzz_is_stained(&image, sizeof(image)));
		return 0;
	}
	image_check(&image, size);
	if (image.size_bytes <= LOAD_BYTES_MAX) {
		relocate_run(&image, data);
	}
	return 0;
}
