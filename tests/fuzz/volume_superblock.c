// SPDX-License-Identifier: MIT
/* The superblock's clear header and its sealed body.
 *
 * Input: a mode, then the bytes. SHA-256 hides everything behind the header's checksum from a
 * fuzzer, so a mode bit repairs magic and checksum; another repairs the body's geometry. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_format.h"
#include "crypto/hash.h"
#include "tests/fuzz/fuzz.h"

#define MODE_BODY      1u
#define MODE_REPAIR    2u
#define MODE_BLOCK     4u /* Profile of the body. */
#define MAGIC_BYTES    8u
#define CHECKSUM_AT    80u
#define CHECKSUM_BYTES 16u
#define HEADER_BYTES   (VOLUME_SUPERBLOCK_AAD_BYTES + AEAD_TAG_BYTES)
#define GEOMETRY_AT    8u
#define GEOMETRY_BYTES 24u
#define USABLE_AT      848u
#define USABLE_BYTES   8u

static void header_repair(uint8_t *block)
{
	const struct hash_input input = {block + MAGIC_BYTES, CHECKSUM_AT - MAGIC_BYTES};
	uint8_t digest[SHA256_BYTES];
	memcpy(block, VOLUME_SUPERBLOCK_MAGIC, MAGIC_BYTES);
	FUZZ_REQUIRE(hash_sha256(&input, 1, digest) == STATUS_OK);
	memcpy(block + CHECKSUM_AT, digest, CHECKSUM_BYTES);
}

static void header_run(struct fuzz_input *input, bool repair)
{
	uint8_t block[BLOCK_BYTES];
	uint8_t again[BLOCK_BYTES];
	struct volume_superblock_header header;
	(void)fuzz_fill(input, block, sizeof(block));
	if (repair) {
		header_repair(block);
	}
	fuzz_stain(&header, sizeof(header));
	const enum status status = volume_superblock_header_decode(block, &header);
	if (status == STATUS_OK) {
		FUZZ_REQUIRE(header.version == VOLUME_FORMAT_VERSION);
		FUZZ_REQUIRE(header.profile == VOLUME_PROFILE_STATE ||
			     header.profile == VOLUME_PROFILE_BLOCK);
		FUZZ_REQUIRE(volume_superblock_header_encode(again, &header) == STATUS_OK);
		FUZZ_REQUIRE(memcmp(block, again, HEADER_BYTES) == 0);
		return;
	}
	FUZZ_REQUIRE(fuzz_is_stained(&header, sizeof(header)));
	FUZZ_REQUIRE(status == STATUS_AUTH_META || status == STATUS_NEWER_FORMAT ||
		     (status == STATUS_NOT_A_VOLUME && !repair));
}

/* What a decoded body promises to the mount that uses it. */
static void body_check(const struct volume_superblock *superblock, uint64_t size)
{
	const struct volume_geometry *geometry = &superblock->geometry;
	FUZZ_REQUIRE(geometry->size == size && geometry->group_count >= 1);
	const bool is_block = geometry->profile == VOLUME_PROFILE_BLOCK;
	const uint32_t entries = is_block ? 1 : geometry->group_count;
	FUZZ_REQUIRE(entries <= VOLUME_GROUPS_MAX);
	FUZZ_REQUIRE(geometry->group_end < size);
	FUZZ_REQUIRE(geometry->usable <= size);
	FUZZ_REQUIRE(superblock->rotation <= VOLUME_ROTATION_ERASE);
	FUZZ_REQUIRE((superblock->rotation == VOLUME_ROTATION_NONE) ==
		     bytes_are_zero(superblock->previous_key, VOLUME_KEY_BYTES));
	FUZZ_REQUIRE(superblock->epoch != 0 && superblock->session != 0);
	FUZZ_REQUIRE(superblock->log_offset < geometry->ring_blocks);
	FUZZ_REQUIRE(superblock->next_session > superblock->session);
	FUZZ_REQUIRE(volume_is_allocatable(geometry, superblock->table.physical));
	FUZZ_REQUIRE(superblock->tree.physical < size);
	for (uint32_t i = 0; i < VOLUME_GROUPS_MAX; i++) {
		const uint64_t at = superblock->groups[i].physical;
		FUZZ_REQUIRE(at < size && (at == 0 || i < entries));
		FUZZ_REQUIRE(is_block || at != 0 || i >= entries);
		FUZZ_REQUIRE(!volume_is_allocatable(geometry, at));
	}
	FUZZ_REQUIRE(!is_block || (superblock->cursor >= geometry->group_first &&
				   superblock->cursor < geometry->group_end));
	FUZZ_REQUIRE(superblock->free_count <= volume_allocatable_count(geometry));
}

/* Nobody finds half of a body in it; the key of a rotation least of all. */
static void body_is_empty(const struct volume_superblock *superblock)
{
	FUZZ_REQUIRE(superblock->epoch == 0 && superblock->session == 0);
	FUZZ_REQUIRE(superblock->geometry.size == 0 && superblock->table.physical == 0);
	FUZZ_REQUIRE(bytes_are_zero(superblock->previous_key, VOLUME_KEY_BYTES));
	for (uint32_t i = 0; i < VOLUME_GROUPS_MAX; i++) {
		FUZZ_REQUIRE(superblock->groups[i].physical == 0);
	}
}

static void body_run(struct fuzz_input *input, bool repair, uint32_t profile)
{
	uint8_t body[VOLUME_SUPERBLOCK_BODY_BYTES];
	uint8_t again[VOLUME_SUPERBLOCK_BODY_BYTES];
	struct volume_superblock superblock;
	struct volume_superblock expected = {0};
	const uint64_t size = fuzz_u32(input);
	(void)fuzz_fill(input, body, sizeof(body));
	if (repair && volume_geometry_make(profile, size, &expected.geometry) == STATUS_OK) {
		volume_superblock_body_encode(again, &expected);
		memcpy(body + GEOMETRY_AT, again + GEOMETRY_AT, GEOMETRY_BYTES);
		/* Now and then not growing: most other numbers are no size. */
		if (body[USABLE_AT] < 128) {
			memset(body + USABLE_AT, 0, USABLE_BYTES);
		}
	}
	fuzz_stain(&superblock, sizeof(superblock));
	const enum status status = volume_superblock_body_decode(body, profile, size, &superblock);
	if (status == STATUS_OK) {
		body_check(&superblock, size);
		volume_superblock_body_encode(again, &superblock);
		FUZZ_REQUIRE(memcmp(body, again, sizeof(body)) == 0);
	} else {
		FUZZ_REQUIRE(status == STATUS_AUTH_META);
		body_is_empty(&superblock);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	const uint8_t mode = fuzz_u8(&input);
	if ((mode & MODE_BODY) != 0) {
		body_run(&input, (mode & MODE_REPAIR) != 0,
			 (mode & MODE_BLOCK) != 0 ? VOLUME_PROFILE_BLOCK : VOLUME_PROFILE_STATE);
	} else {
		header_run(&input, (mode & MODE_REPAIR) != 0);
	}
	return 0;
}
