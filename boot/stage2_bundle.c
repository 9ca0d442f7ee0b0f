// SPDX-License-Identifier: MIT
/* From a file in memory to a kernel in memory. Nothing of an entry is used before its digest has
 * been compared. */
#include <string.h>

#include "boot/cmdline.h"
#include "boot/console.h"
#include "boot/digest.h"
#include "boot/stage2_internal.h"
#include "base/format.h"

static enum status refuse(struct stage2 *stage2, enum status status, const char *problem)
{
	stage2->problem = problem;
	return status;
}

/* The module has to lie in RAM that we can reach and that nothing else uses. */
static enum status claim_bundle(struct stage2 *stage2)
{
	struct phys_range range = stage2->bundle_at;
	const uint64_t exact_bytes = range.size_bytes;
	range.size_bytes = addr_page_floor(exact_bytes + PAGE_OFFSET);
	if (!addr_is_page_aligned(range.first.raw) ||
	    !memory_map_contains(&stage2->memory, range) ||
	    range.first.raw + range.size_bytes > STAGE2_REACH ||
	    phys_range_overlaps(range, stage2->image)) {
		return refuse(stage2, STATUS_BAD_HOST, "the bundle lies where it cannot be");
	}
	stage2->used[stage2->used_count++] = range;
	return STATUS_OK;
}

/* Compare an entry's digest, then clear the rest of its last page: no digest covers that. */
static enum status check_entry(struct stage2 *stage2, const struct bundle_entry *entry)
{
	uint8_t digest[BOOT_DIGEST_BYTES];
	uint8_t *bytes = stage2_bytes(stage2->bundle_at.first) + entry->offset_bytes;
	digest_sha256(bytes, (size_t)entry->size_bytes, digest);
	if (memcmp(digest, entry->sha256, sizeof(digest)) != 0) {
		return refuse(stage2, STATUS_BAD_CONFIG,
			      "a bundle entry does not match its SHA-256");
	}
	const uint64_t padding_bytes = (0 - entry->size_bytes) % PAGE_BYTES;
	memset(bytes + entry->size_bytes, 0, (size_t)padding_bytes);
	return STATUS_OK;
}

static void announce(const uint8_t digest[BOOT_DIGEST_BYTES])
{
	char hex[2 * BOOT_DIGEST_BYTES + 1];
	for (size_t i = 0; i < BOOT_DIGEST_BYTES; i++) {
		(void)format_text(hex + 2 * i, 3, "%02x", digest[i]);
	}
	console_write("boot: bundle OK sha256=");
	console_write(hex);
	console_write("\n");
}

enum status stage2_check_bundle(struct stage2 *stage2)
{
	enum status status = digest_init(&stage2->problem);
	if (status != STATUS_OK) {
		return status;
	}
	status = claim_bundle(stage2);
	if (status != STATUS_OK) {
		return status;
	}
	const uint8_t *bytes = stage2_bytes(stage2->bundle_at.first);
	status = bundle_decode(bytes, (size_t)stage2->bundle_at.size_bytes, &stage2->bundle,
			       &stage2->problem);
	if (status != STATUS_OK) {
		return status;
	}
	for (uint32_t i = 0; i < stage2->bundle.entry_count; i++) {
		status = check_entry(stage2, &stage2->bundle.entries[i]);
		if (status != STATUS_OK) {
			return status;
		}
	}
	digest_sha256(bytes, BUNDLE_MANIFEST_BYTES, stage2->bundle_sha256);
	announce(stage2->bundle_sha256);
	return STATUS_OK;
}

/* A production build does not know the option: it slides always, and the kernel then refuses the
 * word like any other that it does not know. */
static bool wants_fixed_slide(const struct stage2 *stage2)
{
	return !HOLDFAST_PRODUCTION && cmdline_has(stage2->cmdline, "holdfast.slide=fixed");
}

/* Where the kernel runs has to be unpredictable, or be asked for in a development build. */
static enum status choose_slide(struct stage2 *stage2)
{
	uint64_t random = 0;
	if (wants_fixed_slide(stage2)) {
		stage2->kernel_slide = 0;
		return STATUS_OK;
	}
	const enum status status = stage2_random(&random);
	if (status != STATUS_OK) {
		return refuse(stage2, status, "no random place for the kernel");
	}
	stage2->kernel_slide = handover_pick_slide(random, stage2->kernel_image.size_bytes,
						   stage2->kernel_image.alignment);
	return STATUS_OK;
}

enum status stage2_load_kernel(struct stage2 *stage2)
{
	const struct bundle_entry *entry = &stage2->bundle.entries[stage2->bundle.kernel_index];
	const uint8_t *file = stage2_bytes(stage2->bundle_at.first) + entry->offset_bytes;
	struct kernel_image *image = &stage2->kernel_image;
	enum status status =
		kernel_image_decode(file, (size_t)entry->size_bytes, image, &stage2->problem);
	if (status != STATUS_OK) {
		return status;
	}
	status = choose_slide(stage2);
	if (status != STATUS_OK) {
		return status;
	}
	status = stage2_place(stage2, image->size_bytes, image->alignment, &stage2->kernel);
	if (status != STATUS_OK) {
		return status;
	}
	uint8_t *memory = stage2_bytes(stage2->kernel.first);
	kernel_image_load(image, file, memory);
	return kernel_image_relocate(image, memory, HANDOVER_KERNEL_LOWEST + stage2->kernel_slide,
				     &stage2->problem);
}
