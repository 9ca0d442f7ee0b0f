// SPDX-License-Identifier: MIT
/* The kernel's ELF: a static PIE for x86-64, linked at 0, whose segments are page-aligned and
 * either writable or executable, and whose only relocations are R_X86_64_RELATIVE. Anything else is
 * refused by name: *problem gets a text on failure.
 *
 * Three steps: decode (checks the file), load (copies), relocate (patches). All are total on any
 * bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define KERNEL_SEGMENTS_MAX    8u
#define KERNEL_IMAGE_BYTES_MAX ((uint64_t)64 * 1024 * 1024)

struct kernel_segment {
	uint64_t file_offset;
	uint64_t file_size_bytes;
	uint64_t address;    /* Link address of the first byte from the file. */
	uint64_t begin;      /* Page of `address`; ascending, not overlapping. */
	uint64_t size_bytes; /* In memory from `begin`, whole pages. */
	bool writable;
	bool executable;
};

struct kernel_image {
	uint64_t size_bytes; /* From link address 0; whole pages. */
	uint64_t alignment;  /* The largest p_align: a power of two, 4 KiB to 2 MiB. */
	uint64_t entry;      /* Link address, in an executable segment. */
	uint32_t segment_count;
	struct kernel_segment segments[KERNEL_SEGMENTS_MAX];
	/* Read-only once relocated; whole pages of a writable segment. Empty: none. */
	uint64_t relro_begin;
	uint64_t relro_end;
	uint64_t relocations; /* Link address of the RELA table. */
	uint64_t relocation_count;
};

/* STATUS_BAD_CONFIG: not an ELF, or inconsistent; STATUS_UNSUPPORTED: an ELF that uses something we
 * do not offer; STATUS_INVALID: a segment that is writable and executable. */
MUST_CHECK
enum status kernel_image_decode(const uint8_t *file, size_t file_size_bytes,
				struct kernel_image *image, const char **problem);

/* Copy the segments to `memory` (image->size_bytes bytes) and zero the rest of it. `file` is the
 * one that was decoded. */
void kernel_image_load(const struct kernel_image *image, const uint8_t *file, uint8_t *memory);

/* Apply the relocations to the loaded image, as if it ran at `virtual_base`. STATUS_UNSUPPORTED:
 * another type of relocation; STATUS_BAD_CONFIG: one that lies outside the writable segments or
 * points outside the image. `memory` is half-patched then and must not be run. */
MUST_CHECK
enum status kernel_image_relocate(const struct kernel_image *image, uint8_t *memory,
				  uint64_t virtual_base, const char **problem);
