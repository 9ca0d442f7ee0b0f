// SPDX-License-Identifier: MIT
/* The boot bundle: one file with the kernel and the ring-3 programs.
 *
 *   offset  size
 *        0     8  magic "HFBUNDLE"
 *        8     4  version, 1 (all integers little-endian)
 *       12     4  number of entries, 1 .. 8
 *       16     8  size of the whole file, a multiple of 4096
 *       24     8  zero
 *       32  8*96  entries: name[32], offset 8, size 8, sha256[32], zero[16]
 *      800  3296  zero
 *     4096        the first entry's bytes; each entry starts a page, in order, without gaps
 *
 * There is exactly one way to write a given bundle, so entries can neither overlap nor leave
 * uncovered pages, and the SHA-256 of the manifest (the first 4096 bytes) names everything in it
 * except the padding after each entry, which the loader zeroes. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "boot/boot_params.h"

#define BUNDLE_MANIFEST_BYTES 4096u
#define BUNDLE_ENTRIES_MAX    8u
#define BUNDLE_BYTES_MAX      ((uint64_t)1 << 30)
#define BUNDLE_KERNEL_NAME    "kernel"

struct bundle_entry {
	char name[BOOT_MODULE_NAME_BYTES]; /* Terminated: [a-z0-9._-], not empty. */
	uint64_t offset_bytes;
	uint64_t size_bytes; /* Not zero. */
	uint8_t sha256[BOOT_DIGEST_BYTES];
};

struct bundle {
	uint64_t size_bytes;
	uint32_t entry_count;
	uint32_t kernel_index;
	struct bundle_entry entries[BUNDLE_ENTRIES_MAX];
};

/* Check everything but the digests. `size_bytes` is the size of the whole file; only the manifest
 * is read. STATUS_BAD_CONFIG, and *problem says what. */
MUST_CHECK
enum status bundle_decode(const uint8_t *bytes, size_t size_bytes, struct bundle *bundle,
			  const char **problem);

/* Write the manifest for entries whose names, sizes and digests are set; fills in their offsets,
 * size_bytes and kernel_index. STATUS_BAD_CONFIG if bundle_decode would not take it. */
MUST_CHECK
enum status bundle_encode(struct bundle *bundle, uint8_t manifest[BUNDLE_MANIFEST_BYTES],
			  const char **problem);
