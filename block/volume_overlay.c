// SPDX-License-Identifier: MIT
/* The overlay: blocks that the log holds and the tree does not yet. It only grows until a
 * checkpoint empties it, so a hash table without removal is enough. */
#include <string.h>

#include "block/volume_internal.h"

STATIC_ASSERT((VOLUME_OVERLAY_SLOTS & (VOLUME_OVERLAY_SLOTS - 1)) == 0, "a mask is used");
STATIC_ASSERT(VOLUME_OVERLAY_SLOTS >= 2 * VOLUME_OVERLAY_BLOCKS, "probing ends at an empty slot");

void volume_overlay_clear(struct volume *volume)
{
	volume->overlay.count = 0;
	memset(volume->overlay.slots, 0, sizeof(volume->overlay.slots));
}

/* The slot that holds `logical`, or the empty one where it belongs. */
static uint32_t slot_of(const struct volume_overlay *overlay, uint32_t logical)
{
	uint32_t slot = logical * 2654435761u >> 16;
	for (;;) { /* Ends: at most half of the slots are taken. */
		slot &= VOLUME_OVERLAY_SLOTS - 1;
		uint32_t index = overlay->slots[slot];
		if (index == 0 || overlay->entries[index - 1].logical == logical) {
			return slot;
		}
		slot++;
	}
}

struct volume_overlay_entry *volume_overlay_find(struct volume *volume, uint32_t logical)
{
	struct volume_overlay *overlay = &volume->overlay;
	uint32_t index = overlay->slots[slot_of(overlay, logical)];
	return index == 0 ? NULL : &overlay->entries[index - 1];
}

struct volume_overlay_entry *volume_overlay_take(struct volume *volume, uint32_t logical)
{
	struct volume_overlay *overlay = &volume->overlay;
	uint32_t slot = slot_of(overlay, logical);
	if (overlay->slots[slot] != 0) {
		return &overlay->entries[overlay->slots[slot] - 1];
	}
	if (overlay->count == VOLUME_OVERLAY_BLOCKS) {
		return NULL;
	}
	struct volume_overlay_entry *entry = &overlay->entries[overlay->count++];
	*entry = (struct volume_overlay_entry){.logical = logical, .kind = VOLUME_OVERLAY_HOLE};
	overlay->slots[slot] = (uint16_t)overlay->count;
	return entry;
}

uint8_t *volume_overlay_content(struct volume *volume, const struct volume_overlay_entry *entry)
{
	size_t index = (size_t)(entry - volume->overlay.entries);
	return volume->overlay.content + index * BLOCK_BYTES;
}

/* Insertion: at most 256 entries, mostly in order already, once a checkpoint. */
void volume_overlay_sort(const struct volume *volume, uint16_t order[VOLUME_OVERLAY_BLOCKS])
{
	const struct volume_overlay *overlay = &volume->overlay;
	for (uint32_t i = 0; i < overlay->count; i++) {
		uint32_t at = i;
		while (at > 0 &&
		       overlay->entries[order[at - 1]].logical > overlay->entries[i].logical) {
			order[at] = order[at - 1];
			at--;
		}
		order[at] = (uint16_t)i;
	}
}
