// SPDX-License-Identifier: MIT
#include "kernel/user_elf.h"

#include <string.h>

#include "base/addr.h"
#include "base/reader.h"

/* ELF-64 (System V ABI, AMD64 supplement). */
#define ELF_TYPE_EXECUTABLE 2u
#define ELF_TYPE_DYNAMIC    3u
#define ELF_MACHINE_X86_64  62u
#define ELF_HEADER_BYTES    64u
#define ELF_SEGMENT_BYTES   56u
#define ELF_HEADERS_MAX     32u
#define PT_LOAD             1u
#define PT_INTERP           3u
#define PF_EXECUTE          1u
#define PF_WRITE            2u

static const uint8_t elf_identity[8] = {
	0x7f, 'E', 'L', 'F', 2 /* 64-bit */, 1 /* little-endian */, 1 /* version */, 0};

struct elf_header {
	uint16_t type;
	uint16_t machine;
	uint64_t entry;
	uint64_t headers_offset;
	uint16_t header_size;
	uint16_t header_count;
};

struct program_header {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t file_bytes;
	uint64_t memory_bytes;
};

static bool decode_header(const uint8_t *file, size_t size_bytes, struct elf_header *header)
{
	struct reader reader;
	reader_init(&reader, file, size_bytes);
	const uint8_t *identity = reader_bytes(&reader, 16);
	if (identity == NULL || memcmp(identity, elf_identity, 7) != 0) {
		return false;
	}
	header->type = reader_le16(&reader);
	header->machine = reader_le16(&reader);
	reader_skip(&reader, 4);
	header->entry = reader_le64(&reader);
	header->headers_offset = reader_le64(&reader);
	reader_skip(&reader, 8 + 4 + 2);
	header->header_size = reader_le16(&reader);
	header->header_count = reader_le16(&reader);
	return reader_ok(&reader) && header->machine == ELF_MACHINE_X86_64 &&
	       (header->type == ELF_TYPE_EXECUTABLE || header->type == ELF_TYPE_DYNAMIC) &&
	       header->header_size == ELF_SEGMENT_BYTES && header->header_count > 0 &&
	       header->header_count <= ELF_HEADERS_MAX &&
	       addr_within(header->headers_offset,
			   (uint64_t)header->header_count * ELF_SEGMENT_BYTES, size_bytes);
}

static struct program_header decode_program_header(struct reader *reader)
{
	struct program_header header;
	header.type = reader_le32(reader);
	header.flags = reader_le32(reader);
	header.offset = reader_le64(reader);
	header.address = reader_le64(reader);
	reader_skip(reader, 8); /* Physical address: of no meaning here. */
	header.file_bytes = reader_le64(reader);
	header.memory_bytes = reader_le64(reader);
	reader_skip(reader, 8); /* Alignment: segments begin where their pages do. */
	return header;
}

static bool segment_is_sound(const struct program_header *header, size_t file_size)
{
	return header->memory_bytes > 0 && header->file_bytes <= header->memory_bytes &&
	       addr_within(header->offset, header->file_bytes, file_size) &&
	       addr_within(header->address, header->memory_bytes, USER_ELF_ADDRESS_MAX) &&
	       header->memory_bytes <= USER_ELF_BYTES_MAX &&
	       (header->flags & (PF_WRITE | PF_EXECUTE)) != (PF_WRITE | PF_EXECUTE);
}

/* Segments come in ascending order (the ABI asks for it) and never share a page: pages have one
 * set of permissions. */
static bool add_segment(const struct program_header *header, struct user_elf *elf)
{
	uint64_t first = addr_page_floor(header->address);
	uint64_t end;
	if (!addr_page_ceil(header->address + header->memory_bytes, &end) || first < elf->end ||
	    elf->segment_count >= USER_ELF_SEGMENTS_MAX) {
		return false;
	}
	elf->segments[elf->segment_count++] = (struct user_elf_segment){
		.address = first,
		.size_bytes = end - first,
		.data_at = header->address,
		.file_offset = header->offset,
		.file_bytes = header->file_bytes,
		.writable = (header->flags & PF_WRITE) != 0,
		.executable = (header->flags & PF_EXECUTE) != 0,
	};
	elf->end = end;
	return true;
}

static void find_headers(const struct elf_header *header, const struct program_header *segment,
			 struct user_elf *elf)
{
	uint64_t size_bytes = (uint64_t)header->header_count * ELF_SEGMENT_BYTES;
	if (header->headers_offset >= segment->offset &&
	    addr_within(header->headers_offset - segment->offset, size_bytes,
			segment->file_bytes)) {
		elf->headers_address =
			segment->address + (header->headers_offset - segment->offset);
	}
}

static bool entry_is_executable(const struct user_elf *elf)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const struct user_elf_segment *segment = &elf->segments[i];
		if (segment->executable && elf->entry >= segment->data_at &&
		    elf->entry - segment->data_at < segment->file_bytes) {
			return true;
		}
	}
	return false;
}

enum status user_elf_decode(const uint8_t *file, size_t size_bytes, struct user_elf *elf)
{
	struct elf_header header;
	struct user_elf found = {0};
	if (!decode_header(file, size_bytes, &header)) {
		return STATUS_BAD_CONFIG;
	}
	found.relocatable = header.type == ELF_TYPE_DYNAMIC;
	found.entry = header.entry;
	found.header_count = header.header_count;
	struct reader headers;
	reader_init(&headers, file, size_bytes);
	reader_skip(&headers, header.headers_offset);
	for (uint16_t i = 0; i < header.header_count; i++) {
		struct program_header segment = decode_program_header(&headers);
		if (segment.type == PT_INTERP) {
			return STATUS_BAD_CONFIG;
		}
		if (segment.type != PT_LOAD) {
			continue;
		}
		if (!segment_is_sound(&segment, size_bytes) || !add_segment(&segment, &found)) {
			return STATUS_BAD_CONFIG;
		}
		find_headers(&header, &segment, &found);
	}
	if (!entry_is_executable(&found)) {
		return STATUS_BAD_CONFIG;
	}
	*elf = found;
	return STATUS_OK;
}
