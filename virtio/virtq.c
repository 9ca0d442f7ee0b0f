// SPDX-License-Identifier: MIT
/* The books of a virtqueue: which ids are in flight, how much each chain lets the device write, and
 * what of the device's reports is believed.
 *
 * The device can rewrite the ring at any time. What we wrote is therefore never read again, and of
 * what the device writes, each value is loaded once (virtq_split.c, virtq_packed.c) and compared
 * with these books before it is used.
 *
 * With IN_ORDER a device may report only the last chain of a batch (section 2.7.10): those before
 * it, by our own record of the order, are done too. */
#include "virtio/virtq.h"

#include "base/check.h"
#include "virtio/virtq_internal.h"

/* ---- Lay out and set up ------------------------------------------------------------------------
 */

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
	/*@ loop invariant 1 <= size <= limit;
	    loop assigns size;
	    loop variant limit - size; */
	while (size * 2 <= limit) {
		size *= 2;
	}
	return (uint16_t)size;
}

static bool is_packed(const struct virtq_config *config)
{
	return (config->features & VIRTIO_F_RING_PACKED) != 0;
}

static bool has_tables(const struct virtq_config *config)
{
	return (config->features & VIRTIO_F_INDIRECT_DESC) != 0;
}

static void parts_find(const struct virtq_config *config, struct virtq_parts *parts)
{
	if (is_packed(config)) {
		virtq_packed_parts(config->size, parts);
	} else {
		virtq_split_parts(config->size, parts);
	}
}

/* Tables are aligned as descriptors are. */
static size_t tables_offset(const struct virtq_config *config)
{
	struct virtq_parts parts;
	parts_find(config, &parts);
	const size_t end = parts.device_offset + parts.device_bytes;
	return (end + VIRTQ_DESC_BYTES - 1) / VIRTQ_DESC_BYTES * VIRTQ_DESC_BYTES;
}

static size_t ring_bytes(const struct virtq_config *config)
{
	const size_t tables =
		has_tables(config) ? (size_t)config->table_count * config->table_segments : 0;
	return tables_offset(config) + VIRTQ_DESC_BYTES * tables;
}

size_t virtq_ring_pages(const struct virtq_config *config)
{
	return (ring_bytes(config) + PAGE_BYTES - 1) / PAGE_BYTES;
}

void virtq_init(struct virtq *queue, const struct virtio_transport *transport,
		const struct virtq_config *config, struct shared_region *ring)
{
	const uint16_t size = config->size;
	CHECK(size > 0 && size <= VIRTQ_SIZE_MAX && (size & (size - 1)) == 0);
	CHECK(config->table_count <= size && ring->size_bytes >= ring_bytes(config));
	struct virtq_parts parts;
	parts_find(config, &parts);
	*queue = (struct virtq){
		.transport = transport,
		.ring = *ring,
		.slots = config->slots,
		.driver_offset = parts.driver_offset,
		.device_offset = parts.device_offset,
		.tables_offset = tables_offset(config),
		.queue_index = config->queue_index,
		.size = size,
		.table_count = has_tables(config) ? config->table_count : 0,
		.table_segments = config->table_segments,
		.direct_segments = config->direct_segments,
		.is_packed = is_packed(config),
		.has_events = (config->features & VIRTIO_F_EVENT_IDX) != 0,
		.is_in_order = (config->features & VIRTIO_F_IN_ORDER) != 0,
		.free_count = size,
		.available_wrap = true, /* Both counters start at 1: section 2.8.1. */
		.used_wrap = true,
	};
	*ring = (struct shared_region){0};
	queue->free_tables = queue->table_count;
	for (uint16_t i = 0; i < size; i++) {
		queue->slots[i] = (struct virtq_slot){.free_table = i};
	}
	virtq_ids_init(queue);
	virtq_interrupts_want(queue, false);
}

void virtq_place(const struct virtq *queue, struct virtio_queue_place *place)
{
	const struct virtq_config config = {
		.features = queue->is_packed ? VIRTIO_F_RING_PACKED : 0,
		.size = queue->size,
	};
	struct virtq_parts parts;
	parts_find(&config, &parts);
	*place = (struct virtio_queue_place){
		.queue_index = queue->queue_index,
		.size = queue->size,
		.descriptors = shared_region_addr(&queue->ring, 0, VIRTQ_DESC_BYTES * queue->size),
		.available =
			shared_region_addr(&queue->ring, parts.driver_offset, parts.driver_bytes),
		.used = shared_region_addr(&queue->ring, parts.device_offset, parts.device_bytes),
	};
}

/* ---- Submit ------------------------------------------------------------------------------------
 */

/* What the specification demands of a chain; section 2.7.4.2 for the order. */
/*@ requires \valid_read(queue) && \valid_read(segments + (0 .. segment_count - 1));
    requires \valid(writable_bytes);
    requires \separated(writable_bytes, segments + (0 .. segment_count - 1), queue);
    assigns *writable_bytes;
    ensures \result == STATUS_OK ==> 0 < segment_count <= queue->size &&
      (\forall integer i; 0 <= i < segment_count ==> segments[i].len_bytes > 0) &&
      (\forall integer i; 0 < i < segment_count ==>
	segments[i - 1].device_writes ==> segments[i].device_writes);
    ensures \result != STATUS_OK ==> \result == STATUS_INVALID; */
static enum status chain_validate(const struct virtq *queue, const struct virtq_segment *segments,
				  uint16_t segment_count, uint32_t *writable_bytes)
{
	if (segment_count == 0 || segment_count > queue->size) {
		return STATUS_INVALID;
	}
	uint64_t writable = 0;
	/*@ loop invariant i <= segment_count && writable <= i * UINT32_MAX;
	    loop invariant \forall integer k; 0 <= k < i ==> segments[k].len_bytes > 0;
	    loop invariant \forall integer k; 0 < k < i ==>
	      segments[k - 1].device_writes ==> segments[k].device_writes;
	    loop assigns i, writable;
	    loop variant segment_count - i; */
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

static uint16_t entries_publish(struct virtq *queue, const struct virtq_entries *entries)
{
	return queue->is_packed ? virtq_packed_publish(queue, entries)
				: virtq_split_publish(queue, entries);
}

/* The chain goes into a table of its own, and the ring gets the table. No other chain in flight
 * has the same one, so a device that is late reads nothing that belongs to another. */
static uint16_t table_publish(struct virtq *queue, const struct virtq_entries *chain,
			      uint16_t *table)
{
	queue->free_tables--;
	*table = queue->slots[queue->free_tables].free_table;
	const size_t at = queue->tables_offset + VIRTQ_DESC_BYTES * *table * queue->table_segments;
	const size_t size_bytes = VIRTQ_DESC_BYTES * chain->count;
	if (queue->is_packed) {
		virtq_packed_table_write(queue, at, chain);
	} else {
		virtq_split_table_write(queue, at, chain);
	}
	const struct virtq_segment whole = {
		.at = shared_region_addr(&queue->ring, at, size_bytes),
		.len_bytes = (uint32_t)size_bytes,
	};
	const struct virtq_entries entries = {.segments = &whole, .count = 1, .is_table = true};
	return entries_publish(queue, &entries);
}

static bool is_direct(const struct virtq *queue, uint16_t segment_count)
{
	return segment_count <= queue->direct_segments &&
	       queue->free_count >= queue->size / 2 + segment_count;
}

static bool goes_into_table(const struct virtq *queue, uint16_t segment_count)
{
	return segment_count > 1 && segment_count <= queue->table_segments &&
	       queue->free_tables > 0 && !is_direct(queue, segment_count);
}

static bool has_entries(const struct virtq *queue, uint16_t segment_count, bool in_table)
{
	return queue->free_count >= (in_table ? 1 : segment_count);
}

bool virtq_has_room(const struct virtq *queue, uint16_t segment_count)
{
	return has_entries(queue, segment_count, goes_into_table(queue, segment_count));
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
	const bool in_table = goes_into_table(queue, segment_count);
	if (!has_entries(queue, segment_count, in_table)) {
		return STATUS_NO_MEMORY;
	}
	const struct virtq_entries chain = {.segments = segments, .count = segment_count};
	uint16_t table = VIRTQ_NO_TABLE;
	const uint16_t id =
		in_table ? table_publish(queue, &chain, &table) : entries_publish(queue, &chain);
	struct virtq_slot *slot = &queue->slots[id];
	slot->table = table;
	slot->turn = queue->next_turn;
	slot->serial = queue->next_serial;
	slot->writable_bytes = writable_bytes;
	queue->slots[queue->next_turn & (queue->size - 1u)].id_of_turn = id;
	queue->next_turn++;
	queue->next_serial++;
	queue->free_count = (uint16_t)(queue->free_count - slot->ring_entries);
	queue->chains_in_flight++;
	queue->counters.chains++;
	*token = (struct virtq_token){.head = id, .serial = slot->serial};
	return STATUS_OK;
}

bool virtq_event_is_due(uint16_t event, uint16_t now, uint32_t count)
{
	return virtq_distance(event, virtq_distance(1, now)) < count;
}

static void notify(struct virtq *queue)
{
	queue->unannounced = 0;
	queue->counters.notifications++;
	queue->transport->ops->notify(queue->transport->context, queue->queue_index);
}

void virtq_kick_always(struct virtq *queue)
{
	shared_fence();
	notify(queue);
}

void virtq_kick(struct virtq *queue)
{
	if (queue->unannounced == 0) {
		return;
	}
	/* What we published must be visible before we look whether the device wants to be told: it
	 * says that it does, and then looks for work (section 2.7.13.4). */
	shared_fence();
	if (queue->is_packed ? virtq_packed_notify_wanted(queue)
			     : virtq_split_notify_wanted(queue)) {
		notify(queue);
	} else {
		queue->unannounced = 0;
		queue->counters.suppressed++;
	}
}

/* ---- Complete ----------------------------------------------------------------------------------
 */

enum status virtq_poison(struct virtq *queue, enum virtq_lie lie)
{
	queue->lie = lie;
	return STATUS_BAD_HOST;
}

static uint16_t oldest_id(const struct virtq *queue)
{
	return queue->slots[virtq_oldest_turn(queue) & (queue->size - 1u)].id_of_turn;
}

/* The chain's entries, its id and its table are ours again. */
static void chain_retire(struct virtq *queue, uint16_t id)
{
	const struct virtq_slot *slot = &queue->slots[id];
	queue->free_count = (uint16_t)(queue->free_count + slot->ring_entries);
	if (queue->is_packed) {
		virtq_packed_used_advance(queue, id);
	} else {
		virtq_split_used_advance(queue, id);
	}
	if (slot->table != VIRTQ_NO_TABLE) {
		queue->slots[queue->free_tables].free_table = slot->table;
		queue->free_tables++;
	}
	queue->chains_in_flight--;
}

enum status virtq_used_poll(struct virtq *queue, struct virtq_token *token, uint32_t *written_bytes)
{
	if (virtq_is_poisoned(queue)) {
		return STATUS_BAD_HOST;
	}
	uint16_t id = 0;
	if (queue->batch_left == 0) {
		const enum status status = virtq_completion_load(queue, &id);
		if (status != STATUS_OK) {
			return status;
		}
	}
	if (queue->is_in_order) {
		id = oldest_id(queue);
	}
	queue->batch_left--;
	/* Those of a batch that are not reported count as used completely. */
	*written_bytes =
		queue->batch_left == 0 ? queue->batch_length : queue->slots[id].writable_bytes;
	*token = (struct virtq_token){.head = id, .serial = queue->slots[id].serial};
	chain_retire(queue, id);
	return STATUS_OK;
}

bool virtq_used_pending(const struct virtq *queue)
{
	if (virtq_is_poisoned(queue)) {
		return false;
	}
	if (queue->batch_left > 0) {
		return true;
	}
	return queue->is_packed ? virtq_packed_used_pending(queue)
				: virtq_split_used_pending(queue);
}

void virtq_interrupts_want(struct virtq *queue, bool wanted)
{
	queue->interrupts_wanted = wanted;
	if (queue->is_packed) {
		virtq_packed_interrupts_tell(queue);
	} else {
		virtq_split_interrupts_tell(queue);
	}
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
