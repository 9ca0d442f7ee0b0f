// SPDX-License-Identifier: MIT
/* Keyslot areas to and from bytes. */
#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "block/volume_format.h"

#define MAGIC_BYTES     8u
#define SLOTS_AT        128u
#define SLOT_USED_BYTES (VOLUME_KEYSLOT_AAD_BYTES + VOLUME_KEY_BYTES + AEAD_TAG_BYTES)

STATIC_ASSERT(SLOTS_AT + VOLUME_KEYSLOTS_MAX * VOLUME_KEYSLOT_BYTES <=
		      VOLUME_KEYSLOTS_DIGEST_OFFSET,
	      "all slots fit before the digest");

static enum status area_digest(const uint8_t block[BLOCK_BYTES], uint8_t digest[SHA256_BYTES])
{
	const struct hash_input input = {
		.bytes = block + MAGIC_BYTES,
		.size_bytes = VOLUME_KEYSLOTS_DIGEST_OFFSET - MAGIC_BYTES,
	};
	return hash_sha256(&input, 1, digest);
}

void volume_keyslot_encode(uint8_t to[VOLUME_KEYSLOT_BYTES], const struct volume_keyslot *slot)
{
	memset(to, 0, VOLUME_KEYSLOT_BYTES);
	struct writer writer;
	writer_init(&writer, to, VOLUME_KEYSLOT_BYTES);
	writer_le32(&writer, slot->type);
	writer_le32(&writer, slot->generation);
	writer_le32(&writer, slot->iterations);
	writer_le32(&writer, 0);
	writer_copy(&writer, slot->salt, VOLUME_SALT_BYTES);
	writer_copy(&writer, slot->commitment, SHA256_BYTES);
	writer_copy(&writer, slot->wrapped, VOLUME_KEY_BYTES);
	writer_copy(&writer, slot->tag, AEAD_TAG_BYTES);
}

enum status volume_keyslots_encode(uint8_t block[BLOCK_BYTES],
				   const struct volume_keyslots *keyslots,
				   uint8_t digest[SHA256_BYTES])
{
	memset(block, 0, BLOCK_BYTES);
	memcpy(block, VOLUME_KEYSLOTS_MAGIC, MAGIC_BYTES);
	bytes_store_le32(block + 8, VOLUME_FORMAT_VERSION);
	bytes_store_le32(block + 12, VOLUME_KEYSLOTS_MAX);
	memcpy(block + 16, keyslots->uuid, VOLUME_UUID_BYTES);
	bytes_store_le64(block + 32, keyslots->size);
	bytes_store_le64(block + 40, keyslots->epoch);
	bytes_store_le32(block + 48, keyslots->profile == VOLUME_PROFILE_BLOCK
					     ? (uint32_t)VOLUME_PROFILE_BLOCK
					     : 0);
	for (size_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		volume_keyslot_encode(block + SLOTS_AT + i * VOLUME_KEYSLOT_BYTES,
				      &keyslots->slots[i]);
	}
	enum status status = area_digest(block, digest);
	if (status == STATUS_OK) {
		memcpy(block + VOLUME_KEYSLOTS_DIGEST_OFFSET, digest, SHA256_BYTES);
	}
	return status;
}

/*@ requires \valid_read(slot);
    assigns \nothing;
    ensures \result ==> keyslot_is_sound(slot); */
static bool slot_is_sane(const struct volume_keyslot *slot)
{
	switch (slot->type) {
	case 0: return slot->iterations == 0;
	case VOLUME_KEY_RAW:
	case VOLUME_KEY_RECOVERY: return slot->iterations == 0;
	case VOLUME_KEY_PASSPHRASE:
		return slot->iterations >= VOLUME_PBKDF2_ITERATIONS_MIN &&
		       slot->iterations <= VOLUME_PBKDF2_ITERATIONS_MAX;
	default: return false; /* A number from the disk, not one of our enums. */
	}
}

/*@ requires \valid_read(from + (0 .. VOLUME_KEYSLOT_BYTES - 1)) && \valid(slot);
    requires \separated(slot, from + (0 .. VOLUME_KEYSLOT_BYTES - 1));
    assigns *slot; */
static void slot_read(const uint8_t from[VOLUME_KEYSLOT_BYTES], struct volume_keyslot *slot)
{
	slot->type = bytes_load_le32(from);
	slot->generation = bytes_load_le32(from + 4);
	slot->iterations = bytes_load_le32(from + 8);
	memcpy(slot->salt, from + 16, VOLUME_SALT_BYTES);
	memcpy(slot->commitment, from + VOLUME_KEYSLOT_BOUND_BYTES, SHA256_BYTES);
	memcpy(slot->wrapped, from + VOLUME_KEYSLOT_AAD_BYTES, VOLUME_KEY_BYTES);
	memcpy(slot->tag, from + SLOT_USED_BYTES - AEAD_TAG_BYTES, AEAD_TAG_BYTES);
}

/* Reserved bytes are zero, and in a free slot all of them. */
//@ requires \valid_read(from + (0 .. VOLUME_KEYSLOT_BYTES - 1)); assigns \nothing;
static bool slot_rest_is_zero(const uint8_t from[VOLUME_KEYSLOT_BYTES])
{
	const uint32_t used = bytes_load_le32(from) == 0 ? 0 : SLOT_USED_BYTES;
	return bytes_load_le32(from + 12) == 0 &&
	       bytes_are_zero(from + used, VOLUME_KEYSLOT_BYTES - used);
}

/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1));
    requires \valid(slots + (0 .. VOLUME_KEYSLOTS_MAX - 1));
    requires \separated(slots + (0 .. VOLUME_KEYSLOTS_MAX - 1), block + (0 .. BLOCK_BYTES - 1));
    assigns slots[0 .. VOLUME_KEYSLOTS_MAX - 1];
    ensures \result ==>
      (\forall integer i; 0 <= i < VOLUME_KEYSLOTS_MAX ==> keyslot_is_sound(slots + i)); */
static bool slots_decode(const uint8_t block[BLOCK_BYTES], struct volume_keyslot *slots)
{
	/*@ loop invariant 0 <= i <= VOLUME_KEYSLOTS_MAX;
	    loop invariant \forall integer j; 0 <= j < i ==> keyslot_is_sound(slots + j);
	    loop assigns i, slots[0 .. VOLUME_KEYSLOTS_MAX - 1];
	    loop variant VOLUME_KEYSLOTS_MAX - i; */
	for (uint32_t i = 0; i < VOLUME_KEYSLOTS_MAX; i++) {
		const uint8_t *from = block + SLOTS_AT + i * VOLUME_KEYSLOT_BYTES;
		slot_read(from, &slots[i]);
		if (!slot_rest_is_zero(from) || !slot_is_sane(&slots[i])) {
			return false;
		}
	}
	return true;
}

/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(keyslots);
    requires \separated(keyslots, block + (0 .. BLOCK_BYTES - 1));
    assigns *keyslots;
    ensures \result ==> keyslots_are_sound(keyslots); */
static bool area_body_decode(const uint8_t block[BLOCK_BYTES], struct volume_keyslots *keyslots)
{
	const size_t slots_end = SLOTS_AT + VOLUME_KEYSLOTS_MAX * VOLUME_KEYSLOT_BYTES;
	memcpy(keyslots->uuid, block + 16, VOLUME_UUID_BYTES);
	keyslots->size = bytes_load_le64(block + 32);
	keyslots->epoch = bytes_load_le64(block + 40);
	/* 0 is what the first writers of the state profile left there. */
	uint32_t profile = bytes_load_le32(block + 48);
	keyslots->profile = profile == 0 ? VOLUME_PROFILE_STATE : VOLUME_PROFILE_BLOCK;
	if (bytes_load_le32(block + 8) == 0 || bytes_load_le32(block + 12) != VOLUME_KEYSLOTS_MAX ||
	    keyslots->epoch == 0 || (profile != 0 && profile != VOLUME_PROFILE_BLOCK) ||
	    !bytes_are_zero(block + 52, SLOTS_AT - 52) ||
	    !bytes_are_zero(block + slots_end, VOLUME_KEYSLOTS_DIGEST_OFFSET - slots_end)) {
		return false;
	}
	return slots_decode(block, keyslots->slots);
}

enum status volume_keyslots_decode(const uint8_t block[BLOCK_BYTES],
				   struct volume_keyslots *keyslots, uint8_t digest[SHA256_BYTES])
{
	uint8_t computed[SHA256_BYTES];
	enum status status = area_digest(block, computed);
	if (status != STATUS_OK) {
		return status;
	}
	bool has_magic = memcmp(block, VOLUME_KEYSLOTS_MAGIC, MAGIC_BYTES) == 0;
	bool is_intact = memcmp(block + VOLUME_KEYSLOTS_DIGEST_OFFSET, computed, SHA256_BYTES) == 0;
	if (!has_magic || !is_intact) {
		return has_magic || is_intact ? STATUS_AUTH_META : STATUS_NOT_A_VOLUME;
	}
	if (bytes_load_le32(block + 8) > VOLUME_FORMAT_VERSION) {
		return STATUS_NEWER_FORMAT;
	}
	struct volume_keyslots read;
	memset(&read, 0, sizeof(read)); /* Padding as well: it is compared and copied whole. */
	if (!area_body_decode(block, &read)) {
		return STATUS_AUTH_META;
	}
	*keyslots = read;
	memcpy(digest, computed, SHA256_BYTES);
	return STATUS_OK;
}
