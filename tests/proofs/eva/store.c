// SPDX-License-Identifier: MIT
/* The store's index of names, and an object's metadata. */
#include "block/store_format.h"
#include "tests/proofs/eva/entry.h"

static uint8_t block[BLOCK_BYTES];

int main(void)
{
	struct store_index index;
	struct store_object_info object;
	ANYTHING(block);
	if (store_decode_index(block, any_up_to(UINT32_MAX), &index) == STATUS_OK) {
		//@ loop unroll STORE_OBJECTS_MAX;
		for (uint32_t i = 0; i < STORE_OBJECTS_MAX; i++) {
			(void)store_name_valid(index.names[i]);
		}
	}
	if (store_decode_object(block, any_u64(), &object) == STATUS_OK) {
		(void)store_name_valid(object.name);
	}
	return 0;
}
