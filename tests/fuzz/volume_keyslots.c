// SPDX-License-Identifier: MIT
/* A keyslot area. Input: a mode, then the block; a mode bit repairs magic and digest, which no
 * fuzzer guesses. */
#include <string.h>

#include "block/volume_format.h"
#include "crypto/hash.h"
#include "tests/fuzz/fuzz.h"

#define MODE_REPAIR 1u
#define MAGIC_BYTES 8u

static void area_repair(uint8_t *block)
{
	const struct hash_input input = {block + MAGIC_BYTES,
					 VOLUME_KEYSLOTS_DIGEST_OFFSET - MAGIC_BYTES};
	memcpy(block, VOLUME_KEYSLOTS_MAGIC, MAGIC_BYTES);
	FUZZ_REQUIRE(hash_sha256(&input, 1, block + VOLUME_KEYSLOTS_DIGEST_OFFSET) == STATUS_OK);
}

static void slot_check(const struct volume_keyslot *slot)
{
	FUZZ_REQUIRE(slot->type <= VOLUME_KEY_RECOVERY);
	if (slot->type == VOLUME_KEY_PASSPHRASE) {
		/* A planted slot must neither be weak nor hang the boot. */
		FUZZ_REQUIRE(slot->iterations >= VOLUME_PBKDF2_ITERATIONS_MIN);
		FUZZ_REQUIRE(slot->iterations <= VOLUME_PBKDF2_ITERATIONS_MAX);
	} else {
		FUZZ_REQUIRE(slot->iterations == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	uint8_t block[BLOCK_BYTES];
	uint8_t again[BLOCK_BYTES];
	uint8_t digest[SHA256_BYTES];
	uint8_t digest_again[SHA256_BYTES];
	struct volume_keyslots keyslots;
	const bool repair = (fuzz_u8(&input) & MODE_REPAIR) != 0;
	(void)fuzz_fill(&input, block, sizeof(block));
	if (repair) {
		area_repair(block);
	}
	fuzz_stain(&keyslots, sizeof(keyslots));
	fuzz_stain(digest, sizeof(digest));
	const enum status status = volume_keyslots_decode(block, &keyslots, digest);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_AUTH_META || status == STATUS_NEWER_FORMAT ||
			     (status == STATUS_NOT_A_VOLUME && !repair));
		FUZZ_REQUIRE(fuzz_is_stained(&keyslots, sizeof(keyslots)));
		FUZZ_REQUIRE(fuzz_is_stained(digest, sizeof(digest)));
		return 0;
	}
	FUZZ_REQUIRE(keyslots.epoch != 0);
	for (size_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		slot_check(&keyslots.slots[i]);
	}
	FUZZ_REQUIRE(volume_keyslots_encode(again, &keyslots, digest_again) == STATUS_OK);
	FUZZ_REQUIRE(memcmp(digest, digest_again, sizeof(digest)) == 0);
	FUZZ_REQUIRE(memcmp(block, again, sizeof(block)) == 0);
	return 0;
}
