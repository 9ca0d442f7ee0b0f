// SPDX-License-Identifier: MIT
/* For Eva: every decoder of what a disk holds, on arbitrary bytes. The digest is any digest, so
 * that the paths behind a checksum that matches are reached. */
#include <__fc_builtin.h>

#include "base/reader.h"
#include "block/store_format.h"
#include "block/volume_format.h"
#include "block/volume_record.h"
#include "crypto/hash.h"

/* The largest record, opened. */
#define BODY_BYTES_MAX (VOLUME_RECORD_BYTES_MAX + BLOCK_BYTES)

static uint8_t block[BLOCK_BYTES];
static uint8_t body[BODY_BYTES_MAX];

enum status hash_sha256(const struct hash_input *inputs, size_t count, uint8_t out[SHA256_BYTES])
{
	(void)inputs;
	(void)count;
	for (unsigned i = 0; i < SHA256_BYTES; i++) {
		out[i] = (uint8_t)Frama_C_interval(0, 255);
	}
	return Frama_C_nondet(STATUS_OK, STATUS_INVALID);
}

static void superblock(void)
{
	struct volume_superblock_header header;
	struct volume_superblock decoded;
	(void)volume_superblock_header_decode(block, &header);
	(void)volume_superblock_body_decode(block, (uint32_t)Frama_C_unsigned_int_interval(0, 3),
					    Frama_C_unsigned_long_interval(0, UINT64_MAX),
					    &decoded);
}

static void keys_and_sessions(void)
{
	struct volume_keyslots keyslots;
	struct volume_session_table table;
	struct volume_entry entry;
	uint8_t digest[SHA256_BYTES];
	(void)volume_keyslots_decode(block, &keyslots, digest);
	(void)volume_table_decode(block, &table);
	(void)volume_entry_decode(block, &entry);
}

static void records(void)
{
	struct volume_geometry geometry;
	struct volume_record_header header;
	struct volume_record record;
	const size_t size = Frama_C_unsigned_long_interval(0, BODY_BYTES_MAX);
	(void)volume_record_header_decode(block, &header);
	if (volume_geometry_make((uint32_t)Frama_C_unsigned_int_interval(0, 3),
				 Frama_C_unsigned_long_interval(0, UINT64_MAX),
				 &geometry) == STATUS_OK) {
		(void)volume_record_body_decode(&geometry, body, size, &record);
	}
}

static void objects(void)
{
	struct store_index index;
	struct store_object_info object;
	(void)store_decode_index(
		block, (uint32_t)Frama_C_unsigned_int_interval(0, STORE_OBJECTS_MAX), &index);
	(void)store_decode_object(block, Frama_C_unsigned_long_interval(0, UINT64_MAX), &object);
}

int main(void)
{
	Frama_C_make_unknown((char *)block, sizeof(block));
	Frama_C_make_unknown((char *)body, sizeof(body));
	superblock();
	keys_and_sessions();
	records();
	objects();
	return 0;
}
