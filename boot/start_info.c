// SPDX-License-Identifier: MIT
#include "boot/start_info.h"

#include "base/reader.h"

#define MAGIC 0x336ec578u /* "xEn3" with bit 7 of the first byte set. */

enum status start_info_decode(const uint8_t *bytes, size_t size_bytes, struct start_info *info,
			      const char **problem)
{
	struct start_info found;
	struct reader reader;
	reader_init(&reader, bytes, size_bytes);
	const uint32_t magic = reader_le32(&reader);
	const uint32_t version = reader_le32(&reader);
	reader_skip(&reader, 4); /* Flags: for privileged domains. */
	found.module_count = reader_le32(&reader);
	found.modules.raw = reader_le64(&reader);
	found.cmdline.raw = reader_le64(&reader);
	found.rsdp.raw = reader_le64(&reader);
	found.memory_map.raw = reader_le64(&reader);
	found.memory_map_entries = reader_le32(&reader);
	reader_skip(&reader, 4); /* Reserved. */
	if (!reader_ok(&reader) || magic != MAGIC) {
		*problem = "the start_info has no magic";
		return STATUS_BAD_HOST;
	}
	if (version == 0) {
		*problem = "the start_info is of version 0 and has no memory map";
		return STATUS_UNSUPPORTED;
	}
	if (found.memory_map_entries == 0 ||
	    found.memory_map_entries > START_INFO_MEMORY_ENTRIES_MAX) {
		*problem = "the memory map is empty or too long";
		return STATUS_BAD_HOST;
	}
	*info = found;
	return STATUS_OK;
}

enum status start_info_decode_module(const uint8_t *bytes, size_t size_bytes,
				     struct phys_range *module, const char **problem)
{
	struct phys_range found;
	struct reader reader;
	reader_init(&reader, bytes, size_bytes);
	found.first.raw = reader_le64(&reader);
	found.size_bytes = reader_le64(&reader);
	reader_skip(&reader, 16); /* The module's own command line, and a reserved field. */
	if (!reader_ok(&reader) || !phys_range_valid(found)) {
		*problem = "the first module's address or size is not possible";
		return STATUS_BAD_HOST;
	}
	*module = found;
	return STATUS_OK;
}
