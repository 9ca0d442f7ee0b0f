// SPDX-License-Identifier: MIT
/* ELF-64 (System V gABI, chapters 4 and 5; x86-64 psABI, section 4.4 for relocations). */
#include "boot/kernel_image.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "base/reader.h"

#define ELF_HEADER_BYTES  64u
#define PROGRAM_BYTES     56u
#define PROGRAMS_MAX      32u
#define DYNAMIC_BYTES     16u
#define DYNAMIC_MAX       64u
#define RELA_BYTES        24u
#define ALIGNMENT_MAX     ((uint64_t)2 * 1024 * 1024)

#define ET_DYN            3u
#define EM_X86_64         62u
#define R_X86_64_RELATIVE 8u
#define PF_X              1u
#define PF_W              2u

enum program_type {
	PT_NULL = 0,
	PT_LOAD = 1,
	PT_DYNAMIC = 2,
	PT_NOTE = 4,
	PT_PHDR = 6,
	PT_GNU_EH_FRAME = 0x6474e550,
	PT_GNU_STACK = 0x6474e551,
	PT_GNU_RELRO = 0x6474e552,
	PT_GNU_PROPERTY = 0x6474e553,
};

enum dynamic_tag {
	DT_NULL = 0,
	DT_PLTRELSZ = 2,
	DT_HASH = 4,
	DT_STRTAB = 5,
	DT_SYMTAB = 6,
	DT_RELA = 7,
	DT_RELASZ = 8,
	DT_RELAENT = 9,
	DT_STRSZ = 10,
	DT_SYMENT = 11,
	DT_DEBUG = 21,
	DT_FLAGS = 30,
	DT_GNU_HASH = 0x6ffffef5,
	DT_RELACOUNT = 0x6ffffff9,
	DT_FLAGS_1 = 0x6ffffffb,
};
#define DF_TEXTREL 4u

struct program {
	uint32_t type;
	uint32_t flags;
	uint64_t offset;
	uint64_t address;
	uint64_t file_size;
	uint64_t memory_size;
	uint64_t alignment;
};

struct program_table {
	uint64_t offset;
	uint16_t count;
};

/* What decoding passes along. */
struct decoder {
	const uint8_t *file;
	size_t file_size;
	struct kernel_image *image;
	const char **problem;
	struct program dynamic; /* type PT_NULL: none seen. */
	struct program relro;
};

static enum status refuse(const char **problem, enum status status, const char *text)
{
	*problem = text;
	return status;
}

static enum status malformed(const struct decoder *decoder, const char *text)
{
	return refuse(decoder->problem, STATUS_BAD_CONFIG, text);
}

static enum status unsupported(const struct decoder *decoder, const char *text)
{
	return refuse(decoder->problem, STATUS_UNSUPPORTED, text);
}

static void read_program(struct reader *reader, struct program *program)
{
	program->type = reader_le32(reader);
	program->flags = reader_le32(reader);
	program->offset = reader_le64(reader);
	program->address = reader_le64(reader);
	reader_skip(reader, 8); /* Physical address: of no meaning in a PIE. */
	program->file_size = reader_le64(reader);
	program->memory_size = reader_le64(reader);
	program->alignment = reader_le64(reader);
}

static bool alignment_is_sound(uint64_t alignment)
{
	return alignment >= PAGE_BYTES && alignment <= ALIGNMENT_MAX &&
	       (alignment & (alignment - 1)) == 0;
}

/* Segments come in ascending order (gABI) and share no page: permissions are per page. */
static enum status add_segment(struct decoder *decoder, const struct program *program)
{
	struct kernel_image *image = decoder->image;
	if (image->segment_count >= KERNEL_SEGMENTS_MAX) {
		return unsupported(decoder, "the kernel has too many segments");
	}
	if (!addr_within(program->offset, program->file_size, decoder->file_size) ||
	    program->memory_size < program->file_size || program->memory_size == 0) {
		return malformed(decoder, "a kernel segment lies outside the file");
	}
	if (!alignment_is_sound(program->alignment)) {
		return unsupported(decoder, "a kernel segment is not page-aligned");
	}
	if ((program->flags & PF_W) != 0 && (program->flags & PF_X) != 0) {
		return refuse(decoder->problem, STATUS_INVALID,
			      "a kernel segment is writable and executable");
	}
	if (!addr_within(program->address, program->memory_size, KERNEL_IMAGE_BYTES_MAX)) {
		return unsupported(decoder, "the kernel is too large or not linked at 0");
	}
	const uint64_t begin = addr_page_floor(program->address);
	if (begin < image->size_bytes) {
		return malformed(decoder, "kernel segments share a page or are not in order");
	}
	const uint64_t end = addr_page_floor(program->address + program->memory_size + PAGE_OFFSET);
	image->segments[image->segment_count++] = (struct kernel_segment){
		.file_offset = program->offset,
		.file_size_bytes = program->file_size,
		.address = program->address,
		.begin = begin,
		.size_bytes = end - begin,
		.writable = (program->flags & PF_W) != 0,
		.executable = (program->flags & PF_X) != 0,
	};
	image->size_bytes = end;
	if (program->alignment > image->alignment) {
		image->alignment = program->alignment;
	}
	return STATUS_OK;
}

static enum status apply_program(struct decoder *decoder, const struct program *program)
{
	switch (program->type) {
	case PT_LOAD: return add_segment(decoder, program);
	case PT_DYNAMIC: decoder->dynamic = *program; return STATUS_OK;
	case PT_GNU_RELRO: decoder->relro = *program; return STATUS_OK;
	case PT_NULL:
	case PT_NOTE:
	case PT_PHDR:
	case PT_GNU_EH_FRAME:
	case PT_GNU_PROPERTY: return STATUS_OK;
	case PT_GNU_STACK:
		if ((program->flags & PF_X) != 0) {
			return unsupported(decoder, "the kernel asks for an executable stack");
		}
		return STATUS_OK;
	}
	return unsupported(decoder, "the kernel has a program header of an unknown type");
}

static const struct kernel_segment *segment_of(const struct kernel_image *image, uint64_t address,
					       uint64_t size)
{
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct kernel_segment *segment = &image->segments[i];
		if (address >= segment->begin &&
		    addr_within(address - segment->begin, size, segment->size_bytes)) {
			return segment;
		}
	}
	return NULL;
}

/* Tables for symbols and hashes are harmless: nothing of ours looks at them. A tag that asks the
 * loader to do something we do not do is refused, and so is a tag we do not know. */
static enum status apply_dynamic(struct decoder *decoder, uint64_t tag, uint64_t value,
				 uint64_t *table_bytes)
{
	switch (tag) {
	case DT_RELA: decoder->image->relocations = value; return STATUS_OK;
	case DT_RELASZ: *table_bytes = value; return STATUS_OK;
	case DT_RELAENT:
		if (value != RELA_BYTES) {
			return malformed(decoder, "the kernel's relocations have another size");
		}
		return STATUS_OK;
	case DT_FLAGS:
		if ((value & DF_TEXTREL) != 0) {
			return unsupported(decoder, "the kernel has text relocations");
		}
		return STATUS_OK;
	case DT_PLTRELSZ:
		if (value != 0) {
			return unsupported(decoder, "the kernel has PLT relocations");
		}
		return STATUS_OK;
	case DT_HASH:
	case DT_STRTAB:
	case DT_SYMTAB:
	case DT_STRSZ:
	case DT_SYMENT:
	case DT_DEBUG:
	case DT_GNU_HASH:
	case DT_RELACOUNT:
	case DT_FLAGS_1: return STATUS_OK;
	}
	return unsupported(decoder, "the kernel's dynamic section has a tag we do not offer");
}

static enum status check_relocations(struct decoder *decoder, uint64_t table_bytes)
{
	struct kernel_image *image = decoder->image;
	if (table_bytes % RELA_BYTES != 0) {
		return malformed(decoder, "the kernel's relocation table has an odd size");
	}
	image->relocation_count = table_bytes / RELA_BYTES;
	if (image->relocation_count == 0) {
		return STATUS_OK;
	}
	/* A table that relocations could change would be read while it is being patched. */
	const struct kernel_segment *segment = segment_of(image, image->relocations, table_bytes);
	if (segment == NULL || segment->writable) {
		return malformed(decoder, "the kernel's relocation table is not in constant data");
	}
	return STATUS_OK;
}

static enum status decode_dynamic(struct decoder *decoder)
{
	uint64_t table_bytes = 0;
	if (decoder->dynamic.type == PT_NULL) {
		return malformed(decoder, "the kernel has no dynamic section");
	}
	if (!addr_within(decoder->dynamic.offset, decoder->dynamic.file_size, decoder->file_size)) {
		return malformed(decoder, "the kernel's dynamic section lies outside the file");
	}
	const uint64_t count = decoder->dynamic.file_size / DYNAMIC_BYTES;
	struct reader reader;
	reader_init(&reader, decoder->file, decoder->file_size);
	reader_skip(&reader, (size_t)decoder->dynamic.offset);
	for (uint64_t i = 0; i < DYNAMIC_MAX && i < count; i++) {
		const uint64_t tag = reader_le64(&reader);
		const uint64_t value = reader_le64(&reader);
		if (tag == DT_NULL) {
			return check_relocations(decoder, table_bytes);
		}
		const enum status status = apply_dynamic(decoder, tag, value, &table_bytes);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return malformed(decoder, "the kernel's dynamic section does not end");
}

/* Only pages that hold nothing else become read-only. The linker starts the region where it starts
 * the segment, so the bytes before it in its first page are nobody's. */
static enum status apply_relro(struct decoder *decoder)
{
	const struct program *relro = &decoder->relro;
	if (relro->type == PT_NULL || relro->memory_size == 0) {
		return STATUS_OK;
	}
	const struct kernel_segment *segment =
		segment_of(decoder->image, relro->address, relro->memory_size);
	if (segment == NULL || !segment->writable) {
		return malformed(decoder, "the kernel's RELRO region is not in writable data");
	}
	const bool starts_segment = relro->address == segment->address;
	const uint64_t begin =
		starts_segment ? segment->begin : addr_page_floor(relro->address + PAGE_OFFSET);
	const uint64_t end = addr_page_floor(relro->address + relro->memory_size);
	if (begin < end) {
		decoder->image->relro_begin = begin;
		decoder->image->relro_end = end;
	}
	return STATUS_OK;
}

static enum status decode_header(struct decoder *decoder, struct program_table *table)
{
	static const uint8_t ident[7] = {0x7f, 'E', 'L', 'F', 2 /* 64-bit */, 1 /* LSB */, 1};
	struct reader reader;
	reader_init(&reader, decoder->file, decoder->file_size);
	const uint8_t *found = reader_bytes(&reader, 16);
	const uint16_t type = reader_le16(&reader);
	const uint16_t machine = reader_le16(&reader);
	reader_skip(&reader, 4);
	decoder->image->entry = reader_le64(&reader);
	table->offset = reader_le64(&reader);
	reader_skip(&reader, 8 + 4 + 2); /* Sections, flags, the header's own size. */
	const uint16_t program_bytes = reader_le16(&reader);
	table->count = reader_le16(&reader);
	if (!reader_ok(&reader) || decoder->file_size < ELF_HEADER_BYTES ||
	    memcmp(found, ident, sizeof(ident)) != 0) {
		return malformed(decoder, "the kernel is not a 64-bit ELF file");
	}
	if (type != ET_DYN || machine != EM_X86_64) {
		return unsupported(decoder, "the kernel is not a PIE for x86-64");
	}
	if (program_bytes != PROGRAM_BYTES || table->count == 0 || table->count > PROGRAMS_MAX ||
	    !addr_within(table->offset, (uint64_t)table->count * PROGRAM_BYTES,
			 decoder->file_size)) {
		return malformed(decoder, "the kernel's program headers lie outside the file");
	}
	return STATUS_OK;
}

/* What depends on all program headers. */
static enum status finish(struct decoder *decoder)
{
	const struct kernel_image *image = decoder->image;
	if (image->segment_count == 0 || image->segments[0].begin != 0) {
		return unsupported(decoder, "the kernel is too large or not linked at 0");
	}
	const struct kernel_segment *segment = segment_of(image, image->entry, 1);
	if (segment == NULL || !segment->executable) {
		return malformed(decoder, "the kernel's entry point is not in its text");
	}
	const enum status status = decode_dynamic(decoder);
	if (status != STATUS_OK) {
		return status;
	}
	return apply_relro(decoder);
}

enum status kernel_image_decode(const uint8_t *file, size_t file_size_bytes,
				struct kernel_image *image, const char **problem)
{
	struct kernel_image found;
	struct program_table table;
	memset(&found, 0, sizeof(found));
	struct decoder decoder = {
		.file = file,
		.file_size = file_size_bytes,
		.image = &found,
		.problem = problem,
	};
	enum status status = decode_header(&decoder, &table);
	struct reader programs;
	reader_init(&programs, file, file_size_bytes);
	reader_skip(&programs, (size_t)table.offset);
	for (uint16_t i = 0; status == STATUS_OK && i < table.count; i++) {
		struct program program;
		read_program(&programs, &program);
		status = apply_program(&decoder, &program);
	}
	if (status == STATUS_OK) {
		status = finish(&decoder);
	}
	if (status == STATUS_OK) {
		*image = found;
	}
	return status;
}

void kernel_image_load(const struct kernel_image *image, const uint8_t *file, uint8_t *memory)
{
	memset(memory, 0, (size_t)image->size_bytes);
	for (uint32_t i = 0; i < image->segment_count; i++) {
		const struct kernel_segment *segment = &image->segments[i];
		memcpy(memory + segment->address, file + segment->file_offset,
		       (size_t)segment->file_size_bytes);
	}
}

/* One entry of the table, from the loaded image. */
static enum status relocate_one(const struct kernel_image *image, uint8_t *memory, uint64_t entry,
				uint64_t virtual_base, const char **problem)
{
	const uint64_t place = bytes_load_le64(memory + entry);
	const uint64_t info = bytes_load_le64(memory + entry + 8);
	const uint64_t addend = bytes_load_le64(memory + entry + 16);
	if (info != R_X86_64_RELATIVE) { /* Symbol index 0 in the upper half, as it must be. */
		return refuse(problem, STATUS_UNSUPPORTED,
			      "the kernel has a relocation other than R_X86_64_RELATIVE");
	}
	const struct kernel_segment *segment = segment_of(image, place, sizeof(uint64_t));
	if (segment == NULL || !segment->writable) {
		return refuse(problem, STATUS_BAD_CONFIG,
			      "a kernel relocation lies outside writable data");
	}
	if (addend > image->size_bytes) { /* One past the end is a fine pointer in C. */
		return refuse(problem, STATUS_BAD_CONFIG,
			      "a kernel relocation points outside the kernel");
	}
	bytes_store_le64(memory + place, virtual_base + addend);
	return STATUS_OK;
}

enum status kernel_image_relocate(const struct kernel_image *image, uint8_t *memory,
				  uint64_t virtual_base, const char **problem)
{
	for (uint64_t i = 0; i < image->relocation_count; i++) {
		const enum status status = relocate_one(
			image, memory, image->relocations + i * RELA_BYTES, virtual_base, problem);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}
