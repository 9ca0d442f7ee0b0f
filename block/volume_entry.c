// SPDX-License-Identifier: MIT
/* Tree entries to and from bytes: what a node, a superblock and the group tree consist of. Each
 * lookup decodes several. */
#include <string.h>

#include "base/bytes.h"
#include "block/volume_format.h"

STATIC_ASSERT(VOLUME_NODE_ENTRIES *VOLUME_ENTRY_BYTES == BLOCK_BYTES, "a node is one block");

void volume_entry_encode(uint8_t to[VOLUME_ENTRY_BYTES], const struct volume_entry *entry)
{
	bytes_store_le64(to, entry->physical); /* flags and reserved: the zeroes above 40 bits. */
	bytes_store_le32(to + 8, entry->session);
	bytes_store_le32(to + 12, entry->counter);
	memcpy(to + 16, entry->tag, AEAD_TAG_BYTES);
}

/* Apart, so that the other entries, nearly all of them, need no call. */
/*@ requires \valid_read(from + (0 .. VOLUME_ENTRY_BYTES - 1)) && \valid(entry);
    requires \separated(from + (0 .. VOLUME_ENTRY_BYTES - 1), entry);
    assigns *entry;
    ensures \result == STATUS_OK ==> entry->physical == 0 &&
      (\forall integer i; 0 <= i < VOLUME_ENTRY_BYTES ==> from[i] == 0);
    ensures \result != STATUS_OK ==> \result == STATUS_AUTH_META; */
static enum status hole_decode(const uint8_t from[VOLUME_ENTRY_BYTES], struct volume_entry *entry)
{
	if (!bytes_are_zero(from, VOLUME_ENTRY_BYTES)) {
		return STATUS_AUTH_META;
	}
	entry->physical = 0;
	entry->session = 0;
	entry->counter = 0;
	memcpy(entry->tag, from + 16, AEAD_TAG_BYTES); /* Zeroes. */
	return STATUS_OK;
}

enum status volume_entry_decode(const uint8_t from[VOLUME_ENTRY_BYTES], struct volume_entry *entry)
{
	uint64_t first = bytes_load_le64(from);
	if (first >= VOLUME_ENTRY_PHYSICAL_END) {
		return STATUS_AUTH_META;
	}
	if (first == 0) {
		return hole_decode(from, entry);
	}
	entry->physical = first;
	entry->session = bytes_load_le32(from + 8);
	entry->counter = bytes_load_le32(from + 12);
	memcpy(entry->tag, from + 16, AEAD_TAG_BYTES);
	return STATUS_OK;
}

enum status volume_slots_decode(const struct volume_geometry *geometry, const uint8_t *node,
				uint32_t slot, uint32_t count, struct volume_entry *entries)
{
	/*@ loop invariant 0 <= i <= count;
	    loop invariant \forall integer j; 0 <= j < i ==>
	      entries[j].physical == 0 || is_allocatable(geometry, entries[j].physical);
	    loop assigns i, entries[0 .. count - 1];
	    loop variant count - i; */
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *from = node + (size_t)(slot + i) * VOLUME_ENTRY_BYTES;
		if (volume_entry_decode(from, &entries[i]) != STATUS_OK ||
		    (entries[i].physical != 0 &&
		     !volume_is_allocatable(geometry, entries[i].physical))) {
			return STATUS_AUTH_META;
		}
	}
	return STATUS_OK;
}
