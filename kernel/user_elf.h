// SPDX-License-Identifier: MIT
/* A ring-3 program: what its ELF file asks for. Pure, total over any bytes. Accepts static
 * x86-64 executables (ET_EXEC, or ET_DYN that relocates itself) and nothing else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define USER_ELF_SEGMENTS_MAX 8u
/* Programs live below this; mappings and the stack are above. */
#define USER_ELF_ADDRESS_MAX 0x0000100000000000ull
#define USER_ELF_BYTES_MAX   ((uint64_t)64 * 1024 * 1024)

struct user_elf_segment {
	uint64_t address;     /* Page-aligned down; of the first page. */
	uint64_t size_bytes;  /* Whole pages in memory. */
	uint64_t data_at;     /* Where file bytes start, within [address, address + size). */
	uint64_t file_offset; /* Of these bytes. */
	uint64_t file_bytes;
	bool writable;
	bool executable;
};

struct user_elf {
	struct user_elf_segment segments[USER_ELF_SEGMENTS_MAX];
	size_t segment_count;
	bool relocatable; /* ET_DYN: all addresses are relative to a base of the loader's choice. */
	uint64_t entry;
	uint64_t headers_address; /* AT_PHDR; 0 if no segment contains them. */
	uint16_t header_count;
	uint64_t end; /* First page behind the highest segment: where brk starts. */
};

/* STATUS_BAD_CONFIG for anything that is not as described, for segments that overlap, exceed the
 * file, wrap, or are both writable and executable. */
MUST_CHECK enum status user_elf_decode(const uint8_t *file, size_t size_bytes,
				       struct user_elf *elf);
