// SPDX-License-Identifier: MIT
/* The store's index and object blocks, and object names. Input: a mode, a limit, then the block. */
#include "block/store_format.h"

#include <string.h>

#include "base/bytes.h"
#include "tests/fuzz/fuzz.h"

enum mode {
	MODE_INDEX,
	MODE_OBJECT,
	MODE_NAME,
	MODE_COUNT
};

/* An independent reading of the rule in store.h. */
static bool name_is_proper(const char *name)
{
	const char *allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	const size_t length = strlen(name);
	return length >= 1 && length <= STORE_NAME_BYTES_MAX && name[0] != '.' &&
	       strspn(name, allowed) == length;
}

static void index_check(const struct store_index *index, uint32_t slot_count)
{
	uint64_t names = 0;
	for (uint32_t i = 0; i < STORE_OBJECTS_MAX; i++) {
		if (index->names[i][0] == '\0') {
			continue;
		}
		names++;
		FUZZ_REQUIRE(i < slot_count && name_is_proper(index->names[i]));
		for (uint32_t j = 0; j < i; j++) {
			FUZZ_REQUIRE(strcmp(index->names[i], index->names[j]) != 0);
		}
	}
	FUZZ_REQUIRE(index->changes >= names);
}

static void index_run(struct fuzz_input *input)
{
	uint8_t block[BLOCK_BYTES];
	uint8_t again[BLOCK_BYTES];
	struct store_index index;
	const uint32_t slot_count = fuzz_u8(input);
	(void)fuzz_fill(input, block, sizeof(block));
	fuzz_stain(&index, sizeof(index));
	const enum status status = store_decode_index(block, slot_count, &index);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_AUTH_META || status == STATUS_NEWER_FORMAT);
		FUZZ_REQUIRE(bytes_are_zero((const uint8_t *)&index, sizeof(index)));
		return;
	}
	index_check(&index, slot_count);
	store_encode_index(&index, again);
	FUZZ_REQUIRE(memcmp(block, again, sizeof(block)) == 0);
}

static bool object_is_empty(const struct store_object_info *object)
{
	return bytes_are_zero((const uint8_t *)object->name, sizeof(object->name)) &&
	       object->size_bytes == 0 && object->version == 0;
}

static void object_run(struct fuzz_input *input)
{
	uint8_t block[BLOCK_BYTES];
	uint8_t again[BLOCK_BYTES];
	struct store_object_info object;
	const uint64_t size_bytes_max = fuzz_u32(input);
	(void)fuzz_fill(input, block, sizeof(block));
	fuzz_stain(&object, sizeof(object));
	const enum status status = store_decode_object(block, size_bytes_max, &object);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(status == STATUS_AUTH_META || status == STATUS_NEWER_FORMAT);
		FUZZ_REQUIRE(object_is_empty(&object));
		return;
	}
	FUZZ_REQUIRE(name_is_proper(object.name) && object.version >= 1);
	FUZZ_REQUIRE(object.size_bytes <= size_bytes_max);
	store_encode_object(&object, again);
	FUZZ_REQUIRE(memcmp(block, again, sizeof(block)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	char name[STORE_NAME_BYTES_MAX + 2] = {0};
	switch (fuzz_u8(&input) % MODE_COUNT) {
	case MODE_INDEX: index_run(&input); break;
	case MODE_OBJECT: object_run(&input); break;
	default:
		(void)fuzz_fill(&input, (uint8_t *)name, sizeof(name) - 1);
		FUZZ_REQUIRE(store_name_valid(name) == name_is_proper(name));
		break;
	}
	return 0;
}
