// SPDX-License-Identifier: MIT
/* Encoding and strict decoding of the store's two metadata blocks. */
#include "block/store_format.h"

#include <string.h>

#include "base/bytes.h"
#include "base/reader.h"

#define MAGIC_BYTES           8u
#define INDEX_HEADER_RESERVED 40u
#define INDEX_ENTRY_RESERVED  7u
#define INDEX_END             (STORE_INDEX_ENTRIES_AT + STORE_OBJECTS_MAX * STORE_INDEX_ENTRY_BYTES)
#define OBJECT_END            (STORE_OBJECT_SIZE_AT + 16u)

static const uint8_t index_magic[MAGIC_BYTES] = {'H', 'F', 'I', 'N', 'D', 'E', 'X', 0};
static const uint8_t object_magic[MAGIC_BYTES] = {'H', 'F', 'O', 'B', 'J', 'E', 'C', 'T'};

STATIC_ASSERT(INDEX_END <= BLOCK_BYTES, "the index fits one block");
STATIC_ASSERT(STORE_INDEX_ENTRY_BYTES == 1 + INDEX_ENTRY_RESERVED + STORE_NAME_BYTES_MAX,
	      "an entry is its size, reserved bytes and a name");

static bool name_byte_valid(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '.' || byte == '_' || byte == '-';
}

bool store_name_valid(const char *name)
{
	if (name[0] == '.') {
		return false;
	}
	size_t size = 0;
	while (size <= STORE_NAME_BYTES_MAX && name[size] != '\0') {
		if (!name_byte_valid(name[size])) {
			return false;
		}
		size++;
	}
	return size >= 1 && size <= STORE_NAME_BYTES_MAX;
}

int store_name_compare(const char *a, const char *b)
{
	size_t at = 0;
	while (at < STORE_NAME_BYTES_MAX && a[at] == b[at] && a[at] != '\0') {
		at++;
	}
	return (int)(uint8_t)a[at] - (int)(uint8_t)b[at];
}

/* Read magic and format. A later format may have changed everything behind it, so nothing else is
 * looked at before this has said OK. */
static enum status decode_head(struct reader *reader, const uint8_t magic[MAGIC_BYTES])
{
	const uint8_t *found = reader_bytes(reader, MAGIC_BYTES);
	if (found == NULL || memcmp(found, magic, MAGIC_BYTES) != 0) {
		return STATUS_AUTH_META;
	}
	uint32_t format = reader_le32(reader);
	if (format > STORE_FORMAT_VERSION) {
		return STATUS_NEWER_FORMAT;
	}
	return format == STORE_FORMAT_VERSION ? STATUS_OK : STATUS_AUTH_META;
}

static bool is_padded(const uint8_t name[STORE_NAME_BYTES_MAX], size_t size)
{
	for (size_t at = size; at < STORE_NAME_BYTES_MAX; at++) {
		if (name[at] != 0) {
			return false;
		}
	}
	return true;
}

/* Read the zero-padded name field. Size 0 is a free entry and leaves an empty name. */
static enum status decode_name(struct reader *reader, uint32_t size,
			       char name[STORE_NAME_BYTES_MAX + 1])
{
	const uint8_t *bytes = reader_bytes(reader, STORE_NAME_BYTES_MAX);
	if (bytes == NULL || size > STORE_NAME_BYTES_MAX || !is_padded(bytes, size)) {
		return STATUS_AUTH_META;
	}
	memcpy(name, bytes, size);
	name[size] = '\0';
	/* The second test catches a zero byte inside the name, which would shorten it. */
	if (size > 0 && (!store_name_valid(name) || strlen(name) != size)) {
		return STATUS_AUTH_META;
	}
	return STATUS_OK;
}

static enum status decode_reserved(struct reader *reader, size_t size)
{
	const uint8_t *bytes = reader_bytes(reader, size);
	return bytes != NULL && bytes_are_zero(bytes, size) ? STATUS_OK : STATUS_AUTH_META;
}

static bool name_is_duplicate(const struct store_index *index, uint32_t slot)
{
	for (uint32_t earlier = 0; earlier < slot; earlier++) {
		if (store_name_compare(index->names[earlier], index->names[slot]) == 0) {
			return true;
		}
	}
	return false;
}

static enum status decode_entry(struct reader *reader, uint32_t slot, uint32_t slot_count,
				struct store_index *index)
{
	uint32_t size = reader_u8(reader);
	enum status status = decode_reserved(reader, INDEX_ENTRY_RESERVED);
	if (status == STATUS_OK) {
		status = decode_name(reader, size, index->names[slot]);
	}
	if (status == STATUS_OK && size > 0 &&
	    (slot >= slot_count || name_is_duplicate(index, slot))) {
		status = STATUS_AUTH_META;
	}
	return status;
}

/* Everything behind magic and format. */
static enum status decode_index_body(struct reader *reader, uint32_t slot_count,
				     struct store_index *index)
{
	uint32_t count = reader_le32(reader);
	index->changes = reader_le64(reader);
	enum status status = decode_reserved(reader, INDEX_HEADER_RESERVED);
	uint32_t found = 0;
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX && status == STATUS_OK; slot++) {
		status = decode_entry(reader, slot, slot_count, index);
		found += (uint32_t)(index->names[slot][0] != '\0');
	}
	if (status == STATUS_OK) {
		status = decode_reserved(reader, BLOCK_BYTES - INDEX_END);
	}
	/* The count is redundant on purpose: a lost entry must not read as an absent object. Each
	 * object was created by one change, so there are at least as many of those. */
	if (status == STATUS_OK && (!reader_ok(reader) || found != count ||
				    index->changes < count || index->changes == 0)) {
		status = STATUS_AUTH_META;
	}
	return status;
}

enum status store_decode_index(const uint8_t block[BLOCK_BYTES], uint32_t slot_count,
			       struct store_index *index)
{
	memset(index, 0, sizeof(*index));
	if (bytes_are_zero(block, BLOCK_BYTES)) {
		return STATUS_OK;
	}
	struct reader reader;
	reader_init(&reader, block, BLOCK_BYTES);
	enum status status = decode_head(&reader, index_magic);
	if (status == STATUS_OK) {
		status = decode_index_body(&reader, slot_count, index);
	}
	if (status != STATUS_OK) {
		memset(index, 0, sizeof(*index));
	}
	return status;
}

void store_encode_index(const struct store_index *index, uint8_t block[BLOCK_BYTES])
{
	uint32_t count = 0;
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX; slot++) {
		count += index->names[slot][0] != '\0' ? 1u : 0u;
	}
	memset(block, 0, BLOCK_BYTES);
	if (index->changes == 0) {
		return;
	}
	struct writer writer;
	writer_init(&writer, block, BLOCK_BYTES);
	writer_copy(&writer, index_magic, MAGIC_BYTES);
	writer_le32(&writer, STORE_FORMAT_VERSION);
	writer_le32(&writer, count);
	writer_le64(&writer, index->changes);
	writer_zero(&writer, INDEX_HEADER_RESERVED);
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX; slot++) {
		size_t size = strlen(index->names[slot]);
		writer_u8(&writer, (uint8_t)size);
		writer_zero(&writer, INDEX_ENTRY_RESERVED);
		writer_copy(&writer, (const uint8_t *)index->names[slot], size);
		writer_zero(&writer, STORE_NAME_BYTES_MAX - size);
	}
}

static enum status decode_object_body(struct reader *reader, uint64_t size_bytes_max,
				      struct store_object_info *object)
{
	uint32_t name_size = reader_le32(reader);
	enum status status = decode_name(reader, name_size, object->name);
	object->size_bytes = reader_le64(reader);
	object->version = reader_le64(reader);
	if (status == STATUS_OK) {
		status = decode_reserved(reader, BLOCK_BYTES - OBJECT_END);
	}
	if (status == STATUS_OK && (!reader_ok(reader) || name_size == 0 || object->version == 0 ||
				    object->size_bytes > size_bytes_max)) {
		status = STATUS_AUTH_META;
	}
	return status;
}

enum status store_decode_object(const uint8_t block[BLOCK_BYTES], uint64_t size_bytes_max,
				struct store_object_info *object)
{
	memset(object, 0, sizeof(*object));
	struct reader reader;
	reader_init(&reader, block, BLOCK_BYTES);
	enum status status = decode_head(&reader, object_magic);
	if (status == STATUS_OK) {
		status = decode_object_body(&reader, size_bytes_max, object);
	}
	if (status != STATUS_OK) {
		memset(object, 0, sizeof(*object));
	}
	return status;
}

void store_encode_object(const struct store_object_info *object, uint8_t block[BLOCK_BYTES])
{
	size_t size = strlen(object->name);
	memset(block, 0, BLOCK_BYTES);
	struct writer writer;
	writer_init(&writer, block, BLOCK_BYTES);
	writer_copy(&writer, object_magic, MAGIC_BYTES);
	writer_le32(&writer, STORE_FORMAT_VERSION);
	writer_le32(&writer, (uint32_t)size);
	writer_copy(&writer, (const uint8_t *)object->name, size);
	writer_zero(&writer, STORE_NAME_BYTES_MAX - size);
	writer_le64(&writer, object->size_bytes);
	writer_le64(&writer, object->version);
}
