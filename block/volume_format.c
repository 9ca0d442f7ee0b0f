// SPDX-License-Identifier: MIT
/* Superblock to and from bytes, but for its body from bytes, which is volume_format_superblock.c.
 * Decoders check reserved bytes: a bit that this version does not know is either a newer format,
 * which the clear header says, or damage. */
#include "block/volume_format.h"

#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"

#define MAGIC_BYTES            8u
#define CHECKSUM_BYTES         16u
#define SUPERBLOCK_CHECKSUM_AT 80u
#define SUPERBLOCK_TAG_AT      96u

static const uint8_t superblock_magic[MAGIC_BYTES] = VOLUME_SUPERBLOCK_MAGIC;

STATIC_ASSERT((VOLUME_FEATURES_KNOWN & (VOLUME_FEATURES_KNOWN + 1)) == 0,
	      "all bits up to the highest one that is known");
STATIC_ASSERT(SUPERBLOCK_CHECKSUM_AT + CHECKSUM_BYTES == VOLUME_SUPERBLOCK_AAD_BYTES,
	      "the checksum ends what the tag authenticates");
STATIC_ASSERT(SUPERBLOCK_TAG_AT + AEAD_TAG_BYTES == VOLUME_SUPERBLOCK_BODY_OFFSET,
	      "the tag is followed by the body");
STATIC_ASSERT(VOLUME_BODY_GROUPS_AT + VOLUME_GROUPS_MAX * VOLUME_ENTRY_BYTES <=
		      VOLUME_SUPERBLOCK_BODY_BYTES,
	      "all group entries fit");

/* ---- Superblock ---------------------------------------------------------------------------- */

/* Over everything between the magic and itself, so that a damaged magic is still recognised. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1));
    requires \valid(out + (0 .. CHECKSUM_BYTES - 1));
    assigns out[0 .. CHECKSUM_BYTES - 1]; */
static enum status header_checksum(const uint8_t block[BLOCK_BYTES], uint8_t out[CHECKSUM_BYTES])
{
	const struct hash_input input = {
		.bytes = block + MAGIC_BYTES,
		.size_bytes = SUPERBLOCK_CHECKSUM_AT - MAGIC_BYTES,
	};
	uint8_t digest[SHA256_BYTES];
	//@ assert \valid_read(input.bytes + (0 .. input.size_bytes - 1));
	enum status status = hash_sha256(&input, 1, digest);
	if (status == STATUS_OK) {
		memcpy(out, digest, CHECKSUM_BYTES);
	}
	return status;
}

enum status volume_superblock_header_encode(uint8_t block[BLOCK_BYTES],
					    const struct volume_superblock_header *header)
{
	memset(block, 0, BLOCK_BYTES);
	memcpy(block, superblock_magic, MAGIC_BYTES);
	bytes_store_le32(block + 8, header->version);
	bytes_store_le32(block + 12, header->features);
	memcpy(block + 16, header->uuid, VOLUME_UUID_BYTES);
	bytes_store_le64(block + 32, header->size);
	bytes_store_le32(block + 40, header->profile);
	bytes_store_le32(block + 44, header->generation);
	memcpy(block + 48, header->salt, VOLUME_SALT_BYTES);
	memcpy(block + SUPERBLOCK_TAG_AT, header->tag, AEAD_TAG_BYTES);
	return header_checksum(block, block + SUPERBLOCK_CHECKSUM_AT);
}

/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(header);
    requires \separated(header, block + (0 .. BLOCK_BYTES - 1));
    assigns *header;
    ensures header_is_of{Pre, Post}(header, block); */
static void header_read(const uint8_t block[BLOCK_BYTES], struct volume_superblock_header *header)
{
	header->version = bytes_load_le32(block + 8);
	header->features = bytes_load_le32(block + 12);
	header->size = bytes_load_le64(block + 32);
	header->profile = bytes_load_le32(block + 40);
	header->generation = bytes_load_le32(block + 44);
	memcpy(header->uuid, block + 16, VOLUME_UUID_BYTES);
	memcpy(header->salt, block + 48, VOLUME_SALT_BYTES);
	memcpy(header->tag, block + SUPERBLOCK_TAG_AT, AEAD_TAG_BYTES);
}

enum status volume_superblock_header_decode(const uint8_t block[BLOCK_BYTES],
					    struct volume_superblock_header *header)
{
	uint8_t checksum[CHECKSUM_BYTES];
	enum status status = header_checksum(block, checksum);
	if (status != STATUS_OK) {
		return status;
	}
	bool has_magic = memcmp(block, superblock_magic, MAGIC_BYTES) == 0;
	bool is_intact = memcmp(block + SUPERBLOCK_CHECKSUM_AT, checksum, CHECKSUM_BYTES) == 0;
	if (!has_magic || !is_intact) {
		return has_magic || is_intact ? STATUS_AUTH_META : STATUS_NOT_A_VOLUME;
	}
	const uint32_t version = bytes_load_le32(block + 8);
	const uint32_t features = bytes_load_le32(block + 12);
	const uint32_t profile = bytes_load_le32(block + 40);
	if (version > VOLUME_FORMAT_VERSION || features > VOLUME_FEATURES_KNOWN ||
	    profile > VOLUME_PROFILE_BLOCK) {
		return STATUS_NEWER_FORMAT;
	}
	if (version == 0 || profile == 0) {
		return STATUS_AUTH_META;
	}
	header_read(block, header);
	return STATUS_OK;
}

uint32_t volume_superblock_features(const struct volume_superblock *superblock)
{
	uint32_t features = 0;
	if (!volume_geometry_is_plain(&superblock->geometry)) {
		features |= VOLUME_FEATURE_GROWN;
	}
	if (superblock->rotation != VOLUME_ROTATION_NONE) {
		features |= VOLUME_FEATURE_ROTATION;
	}
	if (superblock->witness_policy.kind != VOLUME_WITNESS_OPEN ||
	    superblock->witness_sequence != 0 || superblock->witness_doubt_sequence != 0) {
		features |= VOLUME_FEATURE_WITNESS;
	}
	if ((superblock->flags & VOLUME_SUPERBLOCK_LATE) != 0) {
		features |= VOLUME_FEATURE_LATE;
	}
	if ((superblock->flags & VOLUME_SUPERBLOCK_CARRIES) != 0) {
		features |= VOLUME_FEATURE_CARRIES;
	}
	return features;
}

static void entry_write(struct writer *writer, const struct volume_entry *entry)
{
	uint8_t bytes[VOLUME_ENTRY_BYTES];
	volume_entry_encode(bytes, entry);
	writer_copy(writer, bytes, sizeof(bytes));
}

/* Growing and rotating: zero, and so what it was before there was either, while nothing is. */
static void life_write(struct writer *writer, const struct volume_superblock *superblock)
{
	const struct volume_geometry *geometry = &superblock->geometry;
	writer_zero(writer, VOLUME_BODY_LIFE_AT - writer->at);
	writer_le64(writer, geometry->usable == geometry->size ? 0 : geometry->usable);
	writer_le32(writer, (uint32_t)superblock->rotation);
	writer_le32(writer, 0);
	writer_copy(writer, superblock->previous_key, VOLUME_KEY_BYTES);
}

void volume_superblock_body_encode(uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES],
				   const struct volume_superblock *superblock)
{
	memset(body, 0, VOLUME_SUPERBLOCK_BODY_BYTES);
	struct writer writer;
	writer_init(&writer, body, VOLUME_SUPERBLOCK_BODY_BYTES);
	writer_le64(&writer, superblock->epoch);
	writer_le64(&writer, superblock->geometry.ring_first);
	writer_le32(&writer, (uint32_t)superblock->geometry.ring_blocks);
	writer_le32(&writer, superblock->geometry.group_count);
	writer_le64(&writer, superblock->geometry.group_first);
	writer_le32(&writer, superblock->log_offset);
	writer_le32(&writer, superblock->session);
	writer_le64(&writer, superblock->log_sequence);
	writer_copy(&writer, superblock->log_tag, AEAD_TAG_BYTES);
	writer_copy(&writer, superblock->anchor, VOLUME_ANCHOR_BYTES);
	entry_write(&writer, &superblock->tree);
	entry_write(&writer, &superblock->table);
	writer_copy(&writer, superblock->session_salt, VOLUME_SALT_BYTES);
	writer_le32(&writer, superblock->session_generation);
	writer_le32(&writer, superblock->next_session);
	writer_le64(&writer, superblock->keyslot_epoch);
	writer_copy(&writer, superblock->keyslot_digest, SHA256_BYTES);
	writer_le64(&writer, superblock->witness_sequence);
	writer_copy(&writer, superblock->witness_anchor, VOLUME_ANCHOR_BYTES);
	writer_le32(&writer, (uint32_t)superblock->witness_policy.kind);
	writer_le32(&writer, superblock->flags);
	writer_le64(&writer, superblock->sweep_cursor);
	writer_le32(&writer, superblock->witness_policy.commits);
	writer_le32(&writer, superblock->witness_policy.seconds);
	writer_zero(&writer, VOLUME_BODY_GROUPS_AT - writer.at);
	for (uint32_t i = 0; i < VOLUME_GROUPS_MAX; i++) {
		entry_write(&writer, &superblock->groups[i]);
	}
	if (superblock->geometry.profile == VOLUME_PROFILE_BLOCK) {
		writer_le64(&writer, superblock->cursor);
		writer_le64(&writer, superblock->free_count);
	}
	life_write(&writer, superblock);
	writer_zero(&writer, VOLUME_BODY_DOUBT_AT - writer.at);
	writer_le64(&writer, superblock->witness_doubt_sequence);
	writer_copy(&writer, superblock->witness_doubt_anchor, VOLUME_ANCHOR_BYTES);
}
