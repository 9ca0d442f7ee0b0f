// SPDX-License-Identifier: MIT
/* A keyslot area. */
#include "block/volume_format.h"
#include "tests/proofs/eva/entry.h"

static uint8_t block[BLOCK_BYTES];

int main(void)
{
	struct volume_keyslots keyslots;
	uint8_t digest[SHA256_BYTES];
	ANYTHING(block);
	if (volume_keyslots_decode(block, &keyslots, digest) == STATUS_OK) {
		(void)keyslots.slots[VOLUME_KEYSLOTS_MAX - 1].iterations;
	}
	return 0;
}
