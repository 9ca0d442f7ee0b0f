// SPDX-License-Identifier: MIT
/* Encoding and strict decoding of the store's two metadata blocks. */
#include "block/store_format.h"

#include <string.h>

#include "base/bytes.h"

#define MAGIC_BYTES 8u
/* Both blocks begin with magic and format. */
#define FORMAT_AT 8u
/* The index: its header's fields, and those of an entry. */
#define COUNT_AT          12u
#define CHANGES_AT        16u
#define INDEX_RESERVED_AT 24u
#define ENTRY_RESERVED_AT 1u
#define ENTRY_NAME_AT     8u
#define INDEX_END         (STORE_INDEX_ENTRIES_AT + STORE_OBJECTS_MAX * STORE_INDEX_ENTRY_BYTES)
/* An object. */
#define NAME_SIZE_AT 12u
#define NAME_AT      16u
#define VERSION_AT   (STORE_OBJECT_SIZE_AT + 8u)
#define OBJECT_END   (STORE_OBJECT_SIZE_AT + 16u)

static const uint8_t index_magic[MAGIC_BYTES] = {'H', 'F', 'I', 'N', 'D', 'E', 'X', 0};
static const uint8_t object_magic[MAGIC_BYTES] = {'H', 'F', 'O', 'B', 'J', 'E', 'C', 'T'};

STATIC_ASSERT(INDEX_END <= BLOCK_BYTES, "the index fits one block");
STATIC_ASSERT(STORE_INDEX_ENTRY_BYTES == ENTRY_NAME_AT + STORE_NAME_BYTES_MAX,
	      "an entry is its size, reserved bytes and a name");
STATIC_ASSERT(STORE_OBJECT_SIZE_AT == NAME_AT + STORE_NAME_BYTES_MAX,
	      "a name is followed by a size");

/* ---- Names --------------------------------------------------------------------------------- */

/* Of a text or of a block. */
//@ assigns \nothing; ensures \result <==> is_name_byte(byte);
static bool name_byte_valid(int byte)
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
	/*@ loop invariant 0 <= size <= STORE_NAME_BYTES_MAX;
	    loop invariant \forall integer i; 0 <= i < size ==> is_name_byte(name[i]);
	    loop assigns size;
	    loop variant STORE_NAME_BYTES_MAX - size; */
	while (size < STORE_NAME_BYTES_MAX && name[size] != '\0') {
		if (!name_byte_valid(name[size])) {
			return false;
		}
		size++;
	}
	return size >= 1 && name[size] == '\0';
}

//@ assigns \nothing; ensures \result == (c < 0 ? c + 256 : c);
static int byte_of(char c)
{
	return c < 0 ? c + 256 : c;
}

int store_name_compare(const char *a, const char *b)
{
	size_t at = 0;
	/*@ loop invariant 0 <= at <= STORE_NAME_BYTES_MAX;
	    loop invariant \forall integer i; 0 <= i < at ==> a[i] == b[i] && a[i] != 0;
	    loop assigns at;
	    loop variant STORE_NAME_BYTES_MAX - at; */
	while (at < STORE_NAME_BYTES_MAX && a[at] == b[at] && a[at] != '\0') {
		at++;
	}
	return byte_of(a[at]) - byte_of(b[at]);
}

/*@ requires \valid(name + (0 .. STORE_NAME_BYTES_MAX));
    assigns name[0 .. STORE_NAME_BYTES_MAX];
    ensures \forall integer i; 0 <= i <= STORE_NAME_BYTES_MAX ==> name[i] == 0; */
static void name_clear(char *name)
{
	/*@ loop invariant 0 <= i <= STORE_NAME_BYTES_MAX + 1;
	    loop invariant \forall integer j; 0 <= j < i ==> name[j] == 0;
	    loop assigns i, name[0 .. STORE_NAME_BYTES_MAX];
	    loop variant STORE_NAME_BYTES_MAX + 1 - i; */
	for (uint32_t i = 0; i <= STORE_NAME_BYTES_MAX; i++) {
		name[i] = '\0';
	}
}

/* A zero-padded name field of which `size` bytes are the name. Size 0 is a free entry. */
/*@ requires \valid_read(from + (0 .. STORE_NAME_BYTES_MAX - 1));
    requires \valid(name + (0 .. STORE_NAME_BYTES_MAX));
    assigns name[0 .. STORE_NAME_BYTES_MAX];
    ensures \result ==> name_is_sound(name) && (name[0] == 0 <==> size == 0); */
static bool name_decode(const uint8_t *from, uint32_t size, char *name)
{
	if (size > STORE_NAME_BYTES_MAX ||
	    !bytes_are_zero(from + size, STORE_NAME_BYTES_MAX - size)) {
		return false;
	}
	/*@ loop invariant 0 <= i <= STORE_NAME_BYTES_MAX + 1;
	    loop invariant \forall integer j; 0 <= j < i ==>
	      (j < size ? is_name_byte(name[j]) : name[j] == 0);
	    loop assigns i, name[0 .. STORE_NAME_BYTES_MAX];
	    loop variant STORE_NAME_BYTES_MAX + 1 - i; */
	for (uint32_t i = 0; i <= STORE_NAME_BYTES_MAX; i++) {
		/* A zero inside the name, which would shorten it, is none of its bytes. */
		if (i < size && !name_byte_valid(from[i])) {
			return false;
		}
		name[i] = i < size ? (char)from[i] : '\0';
	}
	return name[0] != '.';
}

/*@ requires \valid_read(name + (0 .. STORE_NAME_BYTES_MAX)) && name_is_sound(name);
    requires \valid(to + (0 .. STORE_NAME_BYTES_MAX - 1));
    assigns to[0 .. STORE_NAME_BYTES_MAX - 1];
    ensures \result <= STORE_NAME_BYTES_MAX; */
static uint32_t name_encode(const char *name, uint8_t *to)
{
	uint32_t size = 0;
	/*@ loop invariant 0 <= size <= i <= STORE_NAME_BYTES_MAX;
	    loop assigns i, size, to[0 .. STORE_NAME_BYTES_MAX - 1];
	    loop variant STORE_NAME_BYTES_MAX - i; */
	for (uint32_t i = 0; i < STORE_NAME_BYTES_MAX; i++) {
		to[i] = (uint8_t)name[i];
		size += name[i] != '\0' ? 1u : 0u;
	}
	return size;
}

/* ---- What both blocks begin with ----------------------------------------------------------- */

/* Magic and format. A later format may have changed everything behind it, so nothing else is
 * looked at before this has said OK. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1));
    requires \valid_read(magic + (0 .. MAGIC_BYTES - 1));
    assigns \nothing;
    ensures \result == STATUS_OK || \result == STATUS_AUTH_META || \result == STATUS_NEWER_FORMAT;
 */
static enum status head_decode(const uint8_t *block, const uint8_t magic[MAGIC_BYTES])
{
	if (memcmp(block, magic, MAGIC_BYTES) != 0) {
		return STATUS_AUTH_META;
	}
	const uint32_t format = bytes_load_le32(block + FORMAT_AT);
	if (format > STORE_FORMAT_VERSION) {
		return STATUS_NEWER_FORMAT;
	}
	return format == STORE_FORMAT_VERSION ? STATUS_OK : STATUS_AUTH_META;
}

/*@ requires \valid(block + (0 .. BLOCK_BYTES - 1));
    requires \valid_read(magic + (0 .. MAGIC_BYTES - 1));
    requires \separated(magic + (0 .. MAGIC_BYTES - 1), block + (0 .. BLOCK_BYTES - 1));
    assigns block[0 .. BLOCK_BYTES - 1]; */
static void head_encode(const uint8_t magic[MAGIC_BYTES], uint8_t *block)
{
	memset(block, 0, BLOCK_BYTES);
	memcpy(block, magic, MAGIC_BYTES);
	bytes_store_le32(block + FORMAT_AT, STORE_FORMAT_VERSION);
}

/* ---- Index --------------------------------------------------------------------------------- */

/*@ requires \valid(index);
    assigns *index;
    ensures index_is_empty(index); */
static void index_clear(struct store_index *index)
{
	index->changes = 0;
	/*@ loop invariant 0 <= slot <= STORE_OBJECTS_MAX;
	    loop invariant \forall integer i, j;
	      0 <= i < slot && 0 <= j <= STORE_NAME_BYTES_MAX ==> index->names[i][j] == 0;
	    loop assigns slot, index->names[0 .. STORE_OBJECTS_MAX - 1][0 .. STORE_NAME_BYTES_MAX];
	    loop variant STORE_OBJECTS_MAX - slot; */
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX; slot++) {
		name_clear(index->names[slot]);
	}
}

/*@ requires \valid_read(index);
    assigns \nothing;
    ensures \result == objects_before(index, STORE_OBJECTS_MAX) && \result <= STORE_OBJECTS_MAX; */
static uint32_t objects_count(const struct store_index *index)
{
	uint32_t count = 0;
	/*@ loop invariant 0 <= slot <= STORE_OBJECTS_MAX && 0 <= count <= slot;
	    loop invariant count == objects_before(index, slot);
	    loop assigns slot, count;
	    loop variant STORE_OBJECTS_MAX - slot; */
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX; slot++) {
		count += index->names[slot][0] != '\0' ? 1u : 0u;
	}
	return count;
}

/*@ requires \valid_read(index) && slot < STORE_OBJECTS_MAX;
    requires \forall integer i; 0 <= i <= slot ==> name_is_sound(&index->names[i][0]);
    assigns \nothing;
    ensures \result <==> is_known_before(index, slot); */
static bool name_is_duplicate(const struct store_index *index, uint32_t slot)
{
	/*@ loop invariant 0 <= earlier <= slot;
	    loop invariant \forall integer i; 0 <= i < earlier ==>
	      !names_agree(&index->names[i][0], &index->names[slot][0]);
	    loop assigns earlier;
	    loop variant slot - earlier; */
	for (uint32_t earlier = 0; earlier < slot; earlier++) {
		if (store_name_compare(index->names[earlier], index->names[slot]) == 0) {
			return true;
		}
	}
	return false;
}

/*@ requires \valid_read(from + (0 .. STORE_INDEX_ENTRY_BYTES - 1));
    requires \valid(name + (0 .. STORE_NAME_BYTES_MAX));
    assigns name[0 .. STORE_NAME_BYTES_MAX];
    ensures \result ==> name_is_sound(name); */
static bool entry_decode(const uint8_t *from, char *name)
{
	return bytes_are_zero(from + ENTRY_RESERVED_AT, ENTRY_NAME_AT - ENTRY_RESERVED_AT) &&
	       name_decode(from + ENTRY_NAME_AT, from[0], name);
}

/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(index);
    requires \separated(index, block + (0 .. BLOCK_BYTES - 1));
    assigns index->names[0 .. STORE_OBJECTS_MAX - 1][0 .. STORE_NAME_BYTES_MAX];
    ensures \result ==> names_are_sound(index); */
static bool names_decode(const uint8_t *block, struct store_index *index)
{
	/*@ loop invariant 0 <= slot <= STORE_OBJECTS_MAX;
	    loop invariant \forall integer i; 0 <= i < slot ==> name_is_sound(&index->names[i][0]);
	    loop assigns slot, index->names[0 .. STORE_OBJECTS_MAX - 1][0 .. STORE_NAME_BYTES_MAX];
	    loop variant STORE_OBJECTS_MAX - slot; */
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX; slot++) {
		const uint8_t *from =
			block + STORE_INDEX_ENTRIES_AT + slot * STORE_INDEX_ENTRY_BYTES;
		if (!entry_decode(from, index->names[slot])) {
			return false;
		}
	}
	return true;
}

/* Each name is there once, and in a slot that has a slice. */
/*@ requires \valid_read(index) && names_are_sound(index);
    assigns \nothing;
    ensures \result ==> places_are_sound(index, slot_count); */
static bool places_are_sane(const struct store_index *index, uint32_t slot_count)
{
	/*@ loop invariant 0 <= slot <= STORE_OBJECTS_MAX;
	    loop invariant \forall integer i; 0 <= i < slot && index->names[i][0] != 0 ==>
	      i < slot_count && !is_known_before(index, i);
	    loop assigns slot;
	    loop variant STORE_OBJECTS_MAX - slot; */
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX; slot++) {
		if (index->names[slot][0] != '\0' &&
		    (slot >= slot_count || name_is_duplicate(index, slot))) {
			return false;
		}
	}
	return true;
}

/* Everything behind magic and format. */
/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(index);
    requires \separated(index, block + (0 .. BLOCK_BYTES - 1));
    assigns *index;
    ensures \result ==> index_is_sound(index, slot_count) && index->changes != 0 &&
      objects_before(index, STORE_OBJECTS_MAX) == le32(block + COUNT_AT); */
static bool index_body_decode(const uint8_t *block, uint32_t slot_count, struct store_index *index)
{
	index->changes = bytes_load_le64(block + CHANGES_AT);
	if (!names_decode(block, index) || !places_are_sane(index, slot_count) ||
	    !bytes_are_zero(block + INDEX_RESERVED_AT,
			    STORE_INDEX_ENTRIES_AT - INDEX_RESERVED_AT) ||
	    !bytes_are_zero(block + INDEX_END, BLOCK_BYTES - INDEX_END)) {
		return false;
	}
	/* The count is redundant on purpose: a lost entry must not read as an absent object. Each
	 * object was created by one change, so there are at least as many of those. */
	const uint32_t count = objects_count(index);
	return count == bytes_load_le32(block + COUNT_AT) && index->changes >= count &&
	       index->changes != 0;
}

enum status store_decode_index(const uint8_t block[BLOCK_BYTES], uint32_t slot_count,
			       struct store_index *index)
{
	index_clear(index);
	if (bytes_are_zero(block, BLOCK_BYTES)) {
		return STATUS_OK;
	}
	enum status status = head_decode(block, index_magic);
	if (status == STATUS_OK && !index_body_decode(block, slot_count, index)) {
		index_clear(index);
		status = STATUS_AUTH_META;
	}
	return status;
}

void store_encode_index(const struct store_index *index, uint8_t block[BLOCK_BYTES])
{
	if (index->changes == 0) {
		memset(block, 0, BLOCK_BYTES);
		return;
	}
	head_encode(index_magic, block);
	bytes_store_le32(block + COUNT_AT, objects_count(index));
	bytes_store_le64(block + CHANGES_AT, index->changes);
	/*@ loop invariant 0 <= slot <= STORE_OBJECTS_MAX;
	    loop assigns slot, block[0 .. BLOCK_BYTES - 1];
	    loop variant STORE_OBJECTS_MAX - slot; */
	for (uint32_t slot = 0; slot < STORE_OBJECTS_MAX; slot++) {
		uint8_t *to = block + STORE_INDEX_ENTRIES_AT + slot * STORE_INDEX_ENTRY_BYTES;
		to[0] = (uint8_t)name_encode(index->names[slot], to + ENTRY_NAME_AT);
	}
}

/* ---- Object -------------------------------------------------------------------------------- */

/*@ requires \valid(object);
    assigns *object;
    ensures object_is_empty(object); */
static void object_clear(struct store_object_info *object)
{
	name_clear(object->name);
	object->size_bytes = 0;
	object->version = 0;
}

/*@ requires \valid_read(block + (0 .. BLOCK_BYTES - 1)) && \valid(object);
    requires \separated(object, block + (0 .. BLOCK_BYTES - 1));
    assigns *object;
    ensures \result ==> object_is_sound(object, size_bytes_max); */
static bool object_body_decode(const uint8_t *block, uint64_t size_bytes_max,
			       struct store_object_info *object)
{
	const uint32_t name_size = bytes_load_le32(block + NAME_SIZE_AT);
	object->size_bytes = bytes_load_le64(block + STORE_OBJECT_SIZE_AT);
	object->version = bytes_load_le64(block + VERSION_AT);
	return name_size != 0 && name_decode(block + NAME_AT, name_size, object->name) &&
	       bytes_are_zero(block + OBJECT_END, BLOCK_BYTES - OBJECT_END) &&
	       object->version != 0 && object->size_bytes <= size_bytes_max;
}

enum status store_decode_object(const uint8_t block[BLOCK_BYTES], uint64_t size_bytes_max,
				struct store_object_info *object)
{
	object_clear(object);
	enum status status = head_decode(block, object_magic);
	if (status == STATUS_OK && !object_body_decode(block, size_bytes_max, object)) {
		object_clear(object);
		status = STATUS_AUTH_META;
	}
	return status;
}

void store_encode_object(const struct store_object_info *object, uint8_t block[BLOCK_BYTES])
{
	head_encode(object_magic, block);
	bytes_store_le32(block + NAME_SIZE_AT, name_encode(object->name, block + NAME_AT));
	bytes_store_le64(block + STORE_OBJECT_SIZE_AT, object->size_bytes);
	bytes_store_le64(block + VERSION_AT, object->version);
}
