// SPDX-License-Identifier: MIT
/* A program of ring 3: an ELF file of any length. */
#include "kernel/user_elf.h"
#include "tests/proofs/eva/reader.h"

static uint8_t memory[64];

static void take(const uint8_t *file, size_t size)
{
	struct user_elf elf;
	if (user_elf_decode(file, size, &elf) == STATUS_OK) {
		//@ assert bounded: elf.segment_count <= USER_ELF_SEGMENTS_MAX;
	}
}

int main(void)
{
	EACH_FILE(take, memory);
	return 0;
}
