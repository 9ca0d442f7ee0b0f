// SPDX-License-Identifier: MIT
#include "tools/holdfast/swtpm_state.h"

#include "base/reader.h"

#define VERSION      2u
#define HEADER_BYTES 10u
#define TAG_DATA     1u
#define ENTRY_BYTES  6u
/* More entries than a file of swtpm's ever has. */
#define ENTRIES_MAX 16u

STATIC_ASSERT(HEADER_BYTES + ENTRY_BYTES == SWTPM_STATE_HEADER_BYTES, "what encoding adds");

/* Exactly one entry may be the state; others are passed over, as swtpm does. */
static enum status find_state(struct reader *reader, const uint8_t **state, size_t *state_bytes)
{
	const uint8_t *found = NULL;
	size_t found_bytes = 0;
	for (size_t i = 0; i < ENTRIES_MAX && reader_left(reader) > 0; i++) {
		const uint16_t tag = reader_be16(reader);
		const uint32_t size = reader_be32(reader);
		const uint8_t *content = reader_bytes(reader, size);
		if (!reader_ok(reader) || (tag == TAG_DATA && found != NULL)) {
			return STATUS_INVALID;
		}
		if (tag == TAG_DATA) {
			found = content;
			found_bytes = size;
		}
	}
	if (reader_left(reader) > 0 || found_bytes == 0) {
		return STATUS_INVALID;
	}
	*state = found;
	*state_bytes = found_bytes;
	return STATUS_OK;
}

enum status swtpm_state_decode(const uint8_t *bytes, size_t size_bytes, const uint8_t **state,
			       size_t *state_bytes)
{
	struct reader reader;
	reader_init(&reader, bytes, size_bytes);
	const uint8_t version = reader_u8(&reader);
	const uint8_t version_min = reader_u8(&reader);
	const uint16_t header_size = reader_be16(&reader);
	const uint16_t flags = reader_be16(&reader);
	const uint32_t total_size = reader_be32(&reader);
	if (!reader_ok(&reader) || total_size != size_bytes || version == 0 || version_min == 0 ||
	    version_min > version) {
		return STATUS_INVALID;
	}
	if (version_min > VERSION) {
		return STATUS_NEWER_FORMAT;
	}
	if (header_size != HEADER_BYTES) {
		return STATUS_INVALID;
	}
	/* Every flag there is means a key, or a wrapping for migration. */
	if (flags != 0) {
		return STATUS_UNSUPPORTED;
	}
	if (version > 1) {
		return find_state(&reader, state, state_bytes);
	}
	if (reader_left(&reader) == 0) {
		return STATUS_INVALID;
	}
	*state_bytes = reader_left(&reader);
	*state = reader_bytes(&reader, *state_bytes);
	return STATUS_OK;
}

void swtpm_state_header(uint8_t out[SWTPM_STATE_HEADER_BYTES], size_t state_bytes)
{
	struct writer writer;
	writer_init(&writer, out, SWTPM_STATE_HEADER_BYTES);
	writer_u8(&writer, VERSION);
	writer_u8(&writer, 1); /* The version that a reader needs. swtpm says the same. */
	writer_be16(&writer, HEADER_BYTES);
	writer_be16(&writer, 0);
	writer_be32(&writer, (uint32_t)(SWTPM_STATE_HEADER_BYTES + state_bytes));
	writer_be16(&writer, TAG_DATA);
	writer_be32(&writer, (uint32_t)state_bytes);
}
