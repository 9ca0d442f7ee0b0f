// SPDX-License-Identifier: MIT
/* The kernel's ELF file, of any length. */
#include "boot/kernel_image.h"
#include "tests/proofs/eva/reader.h"

static uint8_t memory[64];

static void take(const uint8_t *file, size_t size)
{
	struct kernel_image image;
	const char *problem = NULL;
	if (kernel_image_decode(file, size, &image, &problem) == STATUS_OK) {
		//@ assert bounded: image.segment_count <= KERNEL_SEGMENTS_MAX;
	}
}

int main(void)
{
	EACH_FILE(take, memory);
	return 0;
}
