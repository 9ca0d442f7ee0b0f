// SPDX-License-Identifier: MIT
/* The packed layout, virtio 1.2, section 2.8: one ring of descriptors that both sides write, and
 * two event suppression structures.
 *
 *   descriptor   u64 address, u32 length, u16 id, u16 flags          (16 bytes each)
 *   suppression  u16 offset and wrap, u16 flags                      (the driver's, the device's)
 *
 * A descriptor is available when its AVAIL flag equals the driver's wrap counter and USED does not,
 * used when both equal the device's. Length, id and flags are one aligned word, so one store makes
 * a chain available and one load tells all about a completion: nothing can change in between. */
#include "base/check.h"
#include "virtio/virtq_internal.h"

#define SUPPRESSION_BYTES ((size_t)4)
/* Apart, so that the two sides do not write into one cache line. */
#define SUPPRESSION_STRIDE       ((size_t)64)

#define VIRTQ_DESC_F_AVAIL       (1u << 7)
#define VIRTQ_DESC_F_USED        (1u << 15)
#define RING_EVENT_FLAGS_ENABLE  0u
#define RING_EVENT_FLAGS_DISABLE 1u
#define RING_EVENT_FLAGS_DESC    2u
#define EVENT_WRAP               (1u << 15)

void virtq_packed_parts(uint16_t size, struct virtq_parts *parts)
{
	const size_t end = VIRTQ_DESC_BYTES * size + SUPPRESSION_STRIDE - 1;
	//@ assert end == VIRTQ_DESC_BYTES * size + SUPPRESSION_STRIDE - 1;
	const size_t lines = end / SUPPRESSION_STRIDE;
	const size_t driver_offset = lines * SUPPRESSION_STRIDE;
	//@ assert driver_offset == SUPPRESSION_STRIDE * lines <= end < 0x10000;
	*parts = (struct virtq_parts){
		.driver_offset = driver_offset,
		.driver_bytes = SUPPRESSION_BYTES,
		.device_offset = driver_offset + SUPPRESSION_STRIDE,
		.device_bytes = SUPPRESSION_BYTES,
	};
}

/* Address first; the word that the device looks at last. */
/*@ requires \valid_read(queue) && \valid(queue->ring.owner) && \valid_read(segment);
    requires \separated(queue, queue->ring.owner);
    requires at % 8 == 0 && at + VIRTQ_DESC_BYTES <= queue->ring.size_bytes;
    assigns queue->ring.owner->counters.stores; */
static void descriptor_write(const struct virtq *queue, size_t at,
			     const struct virtq_segment *segment, uint16_t id, uint64_t flags)
{
	flags |= segment->device_writes ? VIRTQ_DESC_F_WRITE : 0u;
	shared_store_pair(&queue->ring, at, segment->at.raw,
			  segment->len_bytes | (uint64_t)id << 32 | flags << 48);
}

/* Section 2.8.7: only the WRITE flag means anything there, order is the link. */
void virtq_packed_table_write(const struct virtq *queue, size_t at,
			      const struct virtq_entries *entries)
{
	/*@ loop invariant i <= entries->count;
	    loop assigns i, queue->ring.owner->counters.stores;
	    loop variant entries->count - i; */
	for (uint16_t i = 0; i < entries->count; i++) {
		descriptor_write(queue, at + VIRTQ_DESC_BYTES * i, &entries->segments[i], 0, 0);
	}
}

/*@ requires \valid_read(queue) && packed_is_sound(queue) && entries_are_sound(queue, entries);
    requires which < entries->count;
    assigns queue->ring.owner->counters.stores; */
static void entry_write(const struct virtq *queue, const struct virtq_entries *entries,
			uint16_t which, uint16_t id)
{
	const uint32_t place = (uint32_t)queue->available_index + which;
	const bool wrapped = place >= queue->size;
	const bool wrap = queue->available_wrap != wrapped;
	const uint64_t flags = (wrap ? VIRTQ_DESC_F_AVAIL : VIRTQ_DESC_F_USED) |
			       (which + 1 < entries->count ? VIRTQ_DESC_F_NEXT : 0u) |
			       (entries->is_table ? VIRTQ_DESC_F_INDIRECT : 0u);
	descriptor_write(queue, VIRTQ_DESC_BYTES * (wrapped ? place - queue->size : place),
			 &entries->segments[which], id, flags);
}

/* Move a position on; true if it went past the end of the ring. */
/*@ requires \valid(position) && *position < size && count <= size;
    assigns *position;
    ensures *position < size && *position == moved(size, \old(*position), count); */
static bool position_advance(uint16_t size, uint16_t *position, uint16_t count)
{
	const uint32_t place = (uint32_t)*position + count;
	const bool wraps = place >= size;
	*position = (uint16_t)(wraps ? place - size : place);
	return wraps;
}

/* An id for the whole chain. */
/*@ requires \valid(queue) && packed_is_sound(queue) && ids_are_sound(queue);
    requires counts_fit(queue->slots, queue->size) && queue->free_ids > 0;
    requires 0 < count <= queue->size;
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1].ring_entries;
    ensures packed_is_sound(queue) && ids_are_sound(queue);
    ensures counts_fit(queue->slots, queue->size) && queue->slots == \old(queue->slots);
    ensures queue->size == \old(queue->size) && queue->free_ids == \old(queue->free_ids) - 1;
    ensures queue->available_index == \old(queue->available_index);
    ensures \result < queue->size && queue->slots[\result].ring_entries == count;
    ensures \at(queue->slots[\at(\result, Post)].ring_entries, Pre) == 0;
    ensures other_ids_kept{Pre, Post}(queue, \result); */
static uint16_t chain_id_take(struct virtq *queue, uint16_t count)
{
	const uint16_t id = virtq_id_take(queue, count);
	//@ assert queue->used_index == \at(queue->used_index, Pre);
	//@ assert queue->available_index == \at(queue->available_index, Pre);
	//@ assert ring_is_sound(queue);
	return id;
}

/* The next chain comes behind the one that was written. */
/*@ requires \valid(queue) && packed_is_sound(queue) && count <= queue->size;
    assigns queue->available_index, queue->available_wrap;
    ensures packed_is_sound(queue) && slots_kept{Pre, Post}(queue->slots, queue->size);
    ensures queue->available_index ==
      moved(queue->size, \old(queue->available_index), count);
    ensures ids_are_sound{Pre}(queue) ==> ids_are_sound(queue); */
static void available_advance(struct virtq *queue, uint16_t count)
{
	if (position_advance(queue->size, &queue->available_index, count)) {
		queue->available_wrap = !queue->available_wrap;
	}
	//@ assert slots_kept{Pre, Here}(queue->slots, queue->size);
}

/* The first entry makes the whole chain available: it is written last (section 2.8.21). */
uint16_t virtq_packed_publish(struct virtq *queue, const struct virtq_entries *entries)
{
	const uint16_t id = chain_id_take(queue, entries->count);
	/*@ loop invariant which <= entries->count;
	    loop assigns which, queue->ring.owner->counters.stores;
	    loop variant which; */
	for (uint16_t which = entries->count; which > 0; which--) {
		entry_write(queue, entries, (uint16_t)(which - 1), id);
	}
	available_advance(queue, entries->count);
	queue->unannounced += entries->count;
	queue->slots[id].is_head = true;
	return id;
}

/*@ requires \valid_read(queue) && packed_is_sound(queue);
    assigns queue->ring.owner->counters.loads; */
static uint64_t used_word_load(const struct virtq *queue)
{
	return shared_load_u64(&queue->ring, VIRTQ_DESC_BYTES * queue->used_index + 8);
}

//@ requires \valid_read(queue); assigns \nothing;
static bool is_used(const struct virtq *queue, uint64_t word)
{
	const bool available = (word >> 48 & VIRTQ_DESC_F_AVAIL) != 0;
	const bool used = (word >> 48 & VIRTQ_DESC_F_USED) != 0;
	return available == used && used == queue->used_wrap;
}

/* Section 2.8.5 has no length in a used descriptor without the WRITE flag. QEMU 7.2 never sets the
 * flag, so the length is ignored only where the device had nothing to write. */
enum status virtq_packed_used_load(struct virtq *queue, uint32_t *id, uint32_t *length)
{
	const uint64_t word = used_word_load(queue);
	if (!is_used(queue, word)) {
		return STATUS_AGAIN;
	}
	*id = (uint16_t)(word >> 32);
	const bool has_length = (word >> 48 & VIRTQ_DESC_F_WRITE) != 0 || *id >= queue->size ||
				queue->slots[*id].writable_bytes != 0;
	*length = has_length ? (uint32_t)word : 0;
	return STATUS_OK;
}

/*@ requires \valid(queue) && packed_is_sound(queue) && ids_are_sound(queue);
    requires counts_fit(queue->slots, queue->size);
    requires id < queue->size && queue->slots[id].ring_entries != 0;
    assigns queue->free_ids, queue->slots[0 .. queue->size - 1].free_id,
      queue->slots[id].ring_entries, queue->slots[id].is_head;
    ensures packed_is_sound(queue) && ids_are_sound(queue);
    ensures counts_fit(queue->slots, queue->size) && queue->slots == \old(queue->slots);
    ensures queue->size == \old(queue->size) && queue->free_ids == \old(queue->free_ids) + 1;
    ensures queue->used_index == \old(queue->used_index);
    ensures queue->slots[id].ring_entries == 0 && !queue->slots[id].is_head;
    ensures other_ids_kept{Pre, Post}(queue, id); */
static void chain_id_give(struct virtq *queue, uint16_t id)
{
	queue->slots[id].is_head = false;
	virtq_id_give(queue, id);
	//@ assert queue->used_index == \at(queue->used_index, Pre);
	//@ assert queue->available_index == \at(queue->available_index, Pre);
	//@ assert ring_is_sound(queue);
}

/* The next completion comes behind the one that was taken. */
/*@ requires \valid(queue) && packed_is_sound(queue) && count <= queue->size;
    assigns queue->used_index, queue->used_wrap;
    ensures packed_is_sound(queue) && slots_kept{Pre, Post}(queue->slots, queue->size);
    ensures queue->used_index == moved(queue->size, \old(queue->used_index), count);
    ensures ids_are_sound{Pre}(queue) ==> ids_are_sound(queue); */
static void used_position_advance(struct virtq *queue, uint16_t count)
{
	if (position_advance(queue->size, &queue->used_index, count)) {
		queue->used_wrap = !queue->used_wrap;
	}
	//@ assert slots_kept{Pre, Here}(queue->slots, queue->size);
}

void virtq_packed_used_advance(struct virtq *queue, uint16_t id)
{
	const uint16_t count = queue->slots[id].ring_entries;
	chain_id_give(queue, id);
	//@ assert queue->slots == \at(queue->slots, Pre) && queue->size == \at(queue->size, Pre);
	used_position_advance(queue, count);
	//@ assert counts_fit(queue->slots, queue->size);
	/*@ assert \forall integer i; 0 <= i < queue->size && i != id ==>
	      queue->slots[i].ring_entries == \at(queue->slots[i].ring_entries, Pre); */
	if (queue->has_events && queue->interrupts_wanted) {
		virtq_packed_interrupts_tell(queue);
	}
}

bool virtq_packed_used_pending(const struct virtq *queue)
{
	return is_used(queue, used_word_load(queue));
}

bool virtq_packed_notify_wanted(const struct virtq *queue)
{
	const uint32_t word = shared_load_u32(&queue->ring, queue->device_offset);
	const uint32_t flags = word >> 16 & 3u;
	if (flags != RING_EVENT_FLAGS_DESC || !queue->has_events) {
		return flags != RING_EVENT_FLAGS_DISABLE;
	}
	/* An entry of the lap before lies that much behind. A nonsensical offset costs what any lie
	 * here costs: a notification too many, or one that comes with the next knock. */
	const bool same_lap = ((word & EVENT_WRAP) != 0) == queue->available_wrap;
	const uint32_t offset = word & (EVENT_WRAP - 1u);
	return virtq_event_is_due((uint16_t)(offset - (same_lap ? 0u : queue->size)),
				  queue->available_index, queue->unannounced);
}

void virtq_packed_interrupts_tell(const struct virtq *queue)
{
	uint32_t flags = RING_EVENT_FLAGS_DISABLE;
	if (queue->interrupts_wanted) {
		flags = queue->has_events ? RING_EVENT_FLAGS_DESC : RING_EVENT_FLAGS_ENABLE;
	}
	shared_store_u32(&queue->ring, queue->driver_offset,
			 queue->used_index | (queue->used_wrap ? EVENT_WRAP : 0u) | flags << 16);
	shared_fence();
}
