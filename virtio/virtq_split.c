// SPDX-License-Identifier: MIT
/* The split layout, virtio 1.2, section 2.7: descriptor table, available ring, used ring.
 *
 *   descriptor  u64 address, u32 length, u16 flags, u16 next         (16 bytes each)
 *   available   u16 flags, u16 index, u16 head[size], u16 used_event
 *   used        u16 flags, u16 index, {u32 id, u32 length}[size], u16 avail_event
 *
 * The used ring starts where its elements are aligned to 8 bytes, so that one load takes id and
 * length together. Its index is loaded only when all completions that it announced are taken. */
#include "base/check.h"
#include "virtio/virtq_internal.h"

#define DRIVER_BYTES(n)            (6u + 2u * (size_t)(n))
#define DEVICE_BYTES(n)            (6u + 8u * (size_t)(n))
#define RING_FLAGS                 0u /* In the available and the used ring alike. */
#define RING_INDEX                 2u
#define RING_ENTRIES               4u
#define AVAILABLE_ENTRY_BYTES      ((size_t)2)
#define USED_ENTRY_BYTES           ((size_t)8)

#define VIRTQ_AVAIL_F_NO_INTERRUPT 1u
#define VIRTQ_USED_F_NO_NOTIFY     1u

void virtq_split_parts(uint16_t size, struct virtq_parts *parts)
{
	const size_t driver_offset = VIRTQ_DESC_BYTES * size;
	const size_t end = driver_offset + DRIVER_BYTES(size) + RING_ENTRIES;
	*parts = (struct virtq_parts){
		.driver_offset = driver_offset,
		.driver_bytes = DRIVER_BYTES(size),
		.device_offset =
			(end + USED_ENTRY_BYTES - 1) / USED_ENTRY_BYTES * USED_ENTRY_BYTES -
			RING_ENTRIES,
		.device_bytes = DEVICE_BYTES(size),
	};
}

/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns \nothing;
    ensures \result == queue->driver_offset + 4 + 2 * queue->size; */
static size_t used_event_offset(const struct virtq *queue)
{
	return queue->driver_offset + RING_ENTRIES + AVAILABLE_ENTRY_BYTES * queue->size;
}

/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns \nothing;
    ensures \result == queue->device_offset + 4 + 8 * queue->size; */
static size_t avail_event_offset(const struct virtq *queue)
{
	return queue->device_offset + RING_ENTRIES + USED_ENTRY_BYTES * queue->size;
}

/* Two 64-bit stores: address; then length, flags and next. Never read back. `flags` comes without
 * WRITE. */
/*@ requires \valid_read(queue) && \valid(queue->ring.owner) && \valid_read(segment);
    requires \separated(queue, queue->ring.owner) && flags < 65536 - VIRTQ_DESC_F_WRITE;
    requires at % 8 == 0 && at + VIRTQ_DESC_BYTES <= queue->ring.size_bytes;
    assigns queue->ring.owner->counters.stores; */
static void descriptor_write(const struct virtq *queue, size_t at,
			     const struct virtq_segment *segment, uint64_t flags, uint16_t next)
{
	flags += segment->device_writes ? VIRTQ_DESC_F_WRITE : 0u;
	shared_store_pair(&queue->ring, at, segment->at.raw,
			  segment->len_bytes | flags * 0x100000000u | next * 0x1000000000000u);
}

void virtq_split_table_write(const struct virtq *queue, size_t at,
			     const struct virtq_entries *entries)
{
	/*@ loop invariant i <= entries->count;
	    loop assigns i, queue->ring.owner->counters.stores;
	    loop variant entries->count - i; */
	for (uint16_t i = 0; i < entries->count; i++) {
		const bool has_next = i + 1 < entries->count;
		descriptor_write(queue, at + VIRTQ_DESC_BYTES * i, &entries->segments[i],
				 has_next ? VIRTQ_DESC_F_NEXT : 0u,
				 (uint16_t)(has_next ? i + 1 : 0));
	}
}

/* Take descriptors off the free list and link them, in private and in the table. */
static uint16_t chain_write(struct virtq *queue, const struct virtq_entries *entries)
{
	const uint16_t head = virtq_id_take(queue);
	uint16_t index = head;
	for (uint16_t i = 0; i < entries->count; i++) {
		const bool has_next = i + 1 < entries->count;
		const uint16_t next = has_next ? virtq_id_take(queue) : 0;
		queue->slots[index].next = next;
		descriptor_write(queue, VIRTQ_DESC_BYTES * index, &entries->segments[i],
				 (has_next ? VIRTQ_DESC_F_NEXT : 0u) |
					 (entries->is_table ? VIRTQ_DESC_F_INDIRECT : 0u),
				 next);
		index = next;
	}
	return head;
}

uint16_t virtq_split_publish(struct virtq *queue, const struct virtq_entries *entries)
{
	const uint16_t head = chain_write(queue, entries);
	/* The index is stored last, and with release ordering: the device must not see it before
	 * the entry and the descriptors (section 2.7.13). */
	const size_t slot = queue->available_index & (queue->size - 1u);
	shared_store_u16(&queue->ring,
			 queue->driver_offset + RING_ENTRIES + AVAILABLE_ENTRY_BYTES * slot, head);
	queue->available_index++;
	shared_store_u16(&queue->ring, queue->driver_offset + RING_INDEX, queue->available_index);
	queue->unannounced++;
	return head;
}

/* The difference is modular, so an index that went backwards is a huge claim. */
/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns queue->ring.owner->counters.loads; */
static uint16_t index_load(const struct virtq *queue)
{
	return shared_load_u16(&queue->ring, queue->device_offset + RING_INDEX);
}

enum status virtq_split_used_load(struct virtq *queue, uint32_t *id, uint32_t *length)
{
	if (queue->used_seen == queue->used_index) {
		const uint16_t index = index_load(queue);
		if (index == queue->used_index) {
			return STATUS_AGAIN;
		}
		if (virtq_distance(queue->used_index, index) > queue->chains_in_flight) {
			return virtq_poison(queue, VIRTQ_LIE_USED_INDEX);
		}
		queue->used_seen = index;
	}
	//@ assert 0 < announced(queue) <= queue->chains_in_flight;
	const size_t slot = virtq_place_in(queue->size, queue->used_index);
	/* The id has 32 bits: cut to 16, 0x10003 would pass for 3. */
	const uint64_t element = shared_load_u64(&queue->ring, queue->device_offset + RING_ENTRIES +
								       USED_ENTRY_BYTES * slot);
	const uint32_t high = (uint32_t)(element / 0x100000000u);
	*id = (uint32_t)(element - high * (uint64_t)0x100000000u);
	*length = high;
	return STATUS_OK;
}

/* Follows private links only. */
void virtq_split_used_advance(struct virtq *queue, uint16_t id)
{
	const uint16_t count = queue->slots[id].ring_entries;
	for (uint16_t i = 0; i < count; i++) {
		virtq_id_give(queue, id);
		id = queue->slots[id].next;
	}
	queue->used_index++;
	if (queue->has_events && queue->interrupts_wanted) {
		virtq_split_interrupts_tell(queue);
	}
}

bool virtq_split_used_pending(const struct virtq *queue)
{
	return queue->used_seen != queue->used_index || index_load(queue) != queue->used_index;
}

bool virtq_split_notify_wanted(const struct virtq *queue)
{
	if (queue->has_events) {
		const uint16_t event = shared_load_u16(&queue->ring, avail_event_offset(queue));
		return virtq_event_is_due(event, queue->available_index, queue->unannounced);
	}
	const uint16_t flags = shared_load_u16(&queue->ring, queue->device_offset + RING_FLAGS);
	return (flags & VIRTQ_USED_F_NO_NOTIFY) == 0;
}

/* With event indices the flags stay 0 (section 2.7.7.1), and "none" is the completion that is
 * farthest away. */
void virtq_split_interrupts_tell(const struct virtq *queue)
{
	if (queue->has_events) {
		shared_store_u16(&queue->ring, used_event_offset(queue),
				 queue->interrupts_wanted ? queue->used_index
							  : virtq_distance(1, queue->used_index));
	} else {
		shared_store_u16(
			&queue->ring, queue->driver_offset + RING_FLAGS,
			(uint16_t)(queue->interrupts_wanted ? 0u : VIRTQ_AVAIL_F_NO_INTERRUPT));
	}
	/* Against the caller's check for completions that slipped in before. */
	shared_fence();
}
