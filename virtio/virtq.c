// SPDX-License-Identifier: MIT
/* The driver's side of a split virtqueue, virtio 1.2, section 2.7.
 *
 * Layout of the ring's pages: descriptor table, available ring, used ring, one after the other.
 *
 *   descriptor  u64 address, u32 length, u16 flags, u16 next         (16 bytes each)
 *   available   u16 flags, u16 index, u16 head[size], u16 used_event
 *   used        u16 flags, u16 index, {u32 id, u32 length}[size], u16 avail_event
 *
 * The device can rewrite all of it at any time. What we wrote is therefore never read again, chains
 * are followed only in `chain_next`, and of what the device writes, each value is loaded once and
 * compared with the private books before it is used. */
#include "virtio/virtq.h"

#include "base/check.h"

#define DESC_BYTES       ((size_t)16)
#define AVAIL_BYTES(n)   (6u + 2u * (size_t)(n))
#define USED_BYTES(n)    (6u + 8u * (size_t)(n))
#define USED_ALIGN       ((size_t)4)
#define RING_FLAGS       0u /* In the available and the used ring alike. */
#define RING_INDEX       2u
#define RING_ENTRIES     4u
#define USED_ENTRY_BYTES ((size_t)8)

/* Flags, in the specification's spelling. */
#define VIRTQ_DESC_F_NEXT          1u
#define VIRTQ_DESC_F_WRITE         2u
#define VIRTQ_AVAIL_F_NO_INTERRUPT 1u
#define VIRTQ_USED_F_NO_NOTIFY     1u

static size_t available_offset(uint16_t size)
{
	return DESC_BYTES * size;
}

static size_t used_offset(uint16_t size)
{
	const size_t end = available_offset(size) + AVAIL_BYTES(size);
	return (end + USED_ALIGN - 1) / USED_ALIGN * USED_ALIGN;
}

static size_t ring_bytes(uint16_t size)
{
	return used_offset(size) + USED_BYTES(size);
}

uint16_t virtq_size_choose(uint32_t device_size_max, uint16_t wanted)
{
	uint32_t limit = VIRTQ_SIZE_MAX;
	if (limit > wanted) {
		limit = wanted;
	}
	if (limit > device_size_max) {
		limit = device_size_max;
	}
	if (limit == 0) {
		return 0;
	}
	uint32_t size = 1;
	while (size * 2 <= limit) {
		size *= 2;
	}
	return (uint16_t)size;
}

size_t virtq_ring_pages(uint16_t size)
{
	return (ring_bytes(size) + PAGE_BYTES - 1) / PAGE_BYTES;
}

void virtq_init(struct virtq *queue, const struct virtio_transport *transport, uint16_t queue_index,
		uint16_t size, struct shared_region *ring)
{
	CHECK(size > 0 && size <= VIRTQ_SIZE_MAX && (size & (size - 1)) == 0);
	CHECK(ring->size_bytes >= ring_bytes(size));
	*queue = (struct virtq){
		.transport = transport,
		.ring = *ring,
		.available_offset = available_offset(size),
		.used_offset = used_offset(size),
		.queue_index = queue_index,
		.size = size,
		.free_count = size,
	};
	*ring = (struct shared_region){0};
	for (uint16_t i = 0; i < size; i++) {
		queue->free_stack[i] = (uint16_t)(size - 1 - i); /* Descriptor 0 comes first. */
	}
	virtq_interrupts_want(queue, false);
}

void virtq_place(const struct virtq *queue, struct virtio_queue_place *place)
{
	const uint16_t size = queue->size;
	*place = (struct virtio_queue_place){
		.queue_index = queue->queue_index,
		.size = size,
		.descriptors = shared_region_addr(&queue->ring, 0, DESC_BYTES * size),
		.available = shared_region_addr(&queue->ring, queue->available_offset,
						AVAIL_BYTES(size)),
		.used = shared_region_addr(&queue->ring, queue->used_offset, USED_BYTES(size)),
	};
}

/* What the specification demands of a chain; section 2.7.4.2 for the order. */
static enum status chain_validate(const struct virtq *queue, const struct virtq_segment *segments,
				  uint16_t segment_count, uint32_t *writable_bytes)
{
	if (segment_count == 0 || segment_count > queue->size) {
		return STATUS_INVALID;
	}
	uint64_t writable = 0;
	for (uint16_t i = 0; i < segment_count; i++) {
		const bool after_writable = i > 0 && segments[i - 1].device_writes;
		if (segments[i].len_bytes == 0 || (after_writable && !segments[i].device_writes)) {
			return STATUS_INVALID;
		}
		if (segments[i].device_writes) {
			writable += segments[i].len_bytes;
		}
	}
	if (writable > UINT32_MAX) {
		return STATUS_INVALID;
	}
	*writable_bytes = (uint32_t)writable;
	return STATUS_OK;
}

/* Two 64-bit stores: address; then length, flags and next. Never read back. */
static void descriptor_write(const struct virtq *queue, uint16_t index,
			     const struct virtq_segment *segment, bool has_next, uint16_t next)
{
	const uint64_t flags = (segment->device_writes ? VIRTQ_DESC_F_WRITE : 0u) |
			       (has_next ? VIRTQ_DESC_F_NEXT : 0u);
	const size_t at = DESC_BYTES * index;
	shared_store_u64(&queue->ring, at, segment->at.raw);
	shared_store_u64(&queue->ring, at + 8,
			 segment->len_bytes | flags << 32 | (uint64_t)next << 48);
}

/* Take descriptors off the free stack and link them, in private and in the table. */
static uint16_t chain_build(struct virtq *queue, const struct virtq_segment *segments,
			    uint16_t segment_count)
{
	const uint16_t head = queue->free_stack[queue->free_count - 1];
	for (uint16_t i = 0; i < segment_count; i++) {
		const uint16_t index = queue->free_stack[queue->free_count - 1];
		const bool has_next = i + 1 < segment_count;
		queue->free_count--;
		const uint16_t next = has_next ? queue->free_stack[queue->free_count - 1] : 0;
		queue->chain_next[index] = next;
		descriptor_write(queue, index, &segments[i], has_next, next);
	}
	return head;
}

enum status virtq_chain_submit(struct virtq *queue, const struct virtq_segment *segments,
			       uint16_t segment_count, struct virtq_token *token)
{
	if (virtq_is_poisoned(queue)) {
		return STATUS_BAD_HOST;
	}
	uint32_t writable_bytes = 0;
	const enum status status = chain_validate(queue, segments, segment_count, &writable_bytes);
	if (status != STATUS_OK) {
		return status;
	}
	if (queue->free_count < segment_count) {
		return STATUS_NO_MEMORY;
	}
	const uint16_t head = chain_build(queue, segments, segment_count);
	queue->chain_count[head] = segment_count;
	queue->chain_writable_bytes[head] = writable_bytes;
	queue->chain_serial[head] = queue->next_serial++;
	queue->chains_in_flight++;
	*token = (struct virtq_token){.head = head, .serial = queue->chain_serial[head]};

	/* The index is stored last, and with release ordering: the device must not see it before
	 * the entry and the descriptors (section 2.7.13). */
	const size_t slot = queue->available_index & (queue->size - 1u);
	shared_store_u16(&queue->ring, queue->available_offset + RING_ENTRIES + 2 * slot, head);
	queue->available_index++;
	shared_store_u16(&queue->ring, queue->available_offset + RING_INDEX,
			 queue->available_index);
	return STATUS_OK;
}

void virtq_kick(struct virtq *queue)
{
	/* Our index must be visible before we look whether the device wants to be told: it sets the
	 * flag and then looks at the index (section 2.7.13.4). */
	shared_fence();
	const uint16_t flags = shared_load_u16(&queue->ring, queue->used_offset + RING_FLAGS);
	if ((flags & VIRTQ_USED_F_NO_NOTIFY) == 0) {
		queue->transport->ops->notify(queue->transport->context, queue->queue_index);
	}
}

void virtq_kick_always(struct virtq *queue)
{
	shared_fence();
	queue->transport->ops->notify(queue->transport->context, queue->queue_index);
}

static enum status poison(struct virtq *queue, enum virtq_lie lie)
{
	queue->lie = lie;
	return STATUS_BAD_HOST;
}

/* How many completions the device claims, from one load of its index. The difference is modular, so
 * an index that went backwards is a huge claim. */
static uint16_t completions_claimed(const struct virtq *queue)
{
	const uint16_t index = shared_load_u16(&queue->ring, queue->used_offset + RING_INDEX);
	return (uint16_t)(index - queue->used_index);
}

/* Give the chain's descriptors back. Follows private links only. */
static void chain_free(struct virtq *queue, uint16_t head)
{
	const uint16_t count = queue->chain_count[head];
	uint16_t index = head;
	for (uint16_t i = 0; i < count; i++) {
		CHECK(queue->free_count < queue->size);
		queue->free_stack[queue->free_count] = index;
		queue->free_count++;
		index = queue->chain_next[index];
	}
	queue->chain_count[head] = 0;
	queue->chains_in_flight--;
}

enum status virtq_used_poll(struct virtq *queue, struct virtq_token *token, uint32_t *written_bytes)
{
	if (virtq_is_poisoned(queue)) {
		return STATUS_BAD_HOST;
	}
	const uint16_t claimed = completions_claimed(queue);
	if (claimed == 0) {
		return STATUS_AGAIN;
	}
	if (claimed > queue->chains_in_flight) {
		return poison(queue, VIRTQ_LIE_USED_INDEX);
	}
	const size_t slot = queue->used_index & (queue->size - 1u);
	const size_t entry = queue->used_offset + RING_ENTRIES + USED_ENTRY_BYTES * slot;
	/* The id has 32 bits: cut to 16, 0x10003 would pass for 3. */
	const uint32_t id = shared_load_u32(&queue->ring, entry);
	const uint32_t length = shared_load_u32(&queue->ring, entry + 4);
	if (id >= queue->size) {
		return poison(queue, VIRTQ_LIE_ID_RANGE);
	}
	if (queue->chain_count[id] == 0) {
		return poison(queue, VIRTQ_LIE_NOT_IN_FLIGHT);
	}
	if (length > queue->chain_writable_bytes[id]) {
		return poison(queue, VIRTQ_LIE_LENGTH);
	}
	*token = (struct virtq_token){.head = (uint16_t)id, .serial = queue->chain_serial[id]};
	*written_bytes = length;
	chain_free(queue, (uint16_t)id);
	queue->used_index++;
	return STATUS_OK;
}

uint16_t virtq_used_pending(const struct virtq *queue)
{
	return virtq_is_poisoned(queue) ? 0 : completions_claimed(queue);
}

void virtq_interrupts_want(struct virtq *queue, bool wanted)
{
	shared_store_u16(&queue->ring, queue->available_offset + RING_FLAGS,
			 (uint16_t)(wanted ? 0u : VIRTQ_AVAIL_F_NO_INTERRUPT));
	/* Against the caller's check for completions that slipped in before. */
	shared_fence();
}

bool virtq_is_poisoned(const struct virtq *queue)
{
	return queue->lie != VIRTQ_LIE_NONE;
}

const char *virtq_lie_name(enum virtq_lie lie)
{
	switch (lie) {
	case VIRTQ_LIE_NONE: return "no lie";
	case VIRTQ_LIE_USED_INDEX: return "used index out of range";
	case VIRTQ_LIE_ID_RANGE: return "used id out of range";
	case VIRTQ_LIE_NOT_IN_FLIGHT: return "completion of nothing in flight";
	case VIRTQ_LIE_LENGTH: return "more written than there is room for";
	}
	return "unknown";
}
