// SPDX-License-Identifier: MIT
/* The device's side of the queues: takes chains, has them served, reports them; in the layout and
 * with the features that the driver accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/virtio/fake_device.h"

#define DESC_F_NEXT     1u
#define DESC_F_WRITE    2u
#define DESC_F_INDIRECT 4u
#define DESC_F_AVAIL    (1u << 7)
#define DESC_F_USED     (1u << 15)
#define EVENT_DISABLE   1u
#define EVENT_DESC      2u
#define EVENT_WRAP      (1u << 15)

/* ---- Shared memory ----------------------------------------------------------------------------
 */

static uint64_t get(struct fake_device *device, uint64_t address, size_t width)
{
	uint64_t value = 0;
	memcpy(&value, fake_device_at(device, address, width), width);
	return value;
}

static void put(struct fake_device *device, uint64_t address, uint64_t value, size_t width)
{
	memcpy(fake_device_at(device, address, width), &value, width);
}

bool fake_device_has(const struct fake_device *device, uint64_t feature)
{
	return (device->accepted & feature) != 0;
}

static bool is_packed(const struct fake_device *device)
{
	return fake_device_has(device, VIRTIO_F_RING_PACKED);
}

bool fake_lies_fit(const struct fake_device *device, const struct fake_lies *lies)
{
	return !is_packed(device) || (lies->used_index_offset == 0 && lies->used_id <= UINT16_MAX);
}

void fake_queue_reset(struct fake_queue *queue)
{
	*queue = (struct fake_queue){
		.size_max = queue->size_max,
		.notify_count = queue->notify_count,
		.available_wrap = true,
		.used_wrap = true,
	};
}

/* ---- Taking chains -----------------------------------------------------------------------------
 */

struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t third; /* Split: flags, next. Packed: id, flags. */
	uint16_t fourth;
};

static struct descriptor descriptor_at(struct fake_device *device, uint64_t table, uint64_t index)
{
	struct descriptor descriptor;
	memcpy(&descriptor, fake_device_at(device, table + 16 * index, 16), 16);
	return descriptor;
}

/* An honest driver never makes a bad chain. */
static void segment_add(struct fake_device *device, struct fake_chain *chain,
			const struct descriptor *descriptor, uint16_t flags)
{
	const uint16_t count = chain->segment_count;
	const bool device_writes = (flags & DESC_F_WRITE) != 0;
	assert_true(count < FAKE_SEGMENTS_MAX);
	assert_true(descriptor->length > 0);
	assert_true(device_writes || count == 0 || !chain->segments[count - 1].device_writes);
	chain->segments[count].bytes =
		fake_device_at(device, descriptor->address, descriptor->length);
	chain->segments[count].len_bytes = descriptor->length;
	chain->segments[count].device_writes = device_writes;
	chain->segment_count++;
}

/* One entry of the ring that stands for a table. */
static void table_read(struct fake_device *device, struct fake_chain *chain,
		       const struct descriptor *entry)
{
	const uint32_t count = entry->length / 16;
	assert_true(fake_device_has(device, VIRTIO_F_INDIRECT_DESC));
	assert_true(entry->length % 16 == 0 && count > 0 && chain->segment_count == 0);
	chain->is_indirect = true;
	for (uint32_t i = 0; i < count; i++) {
		const struct descriptor descriptor = descriptor_at(device, entry->address, i);
		const uint16_t flags = is_packed(device) ? descriptor.fourth : descriptor.third;
		segment_add(device, chain, &descriptor, flags);
		if (is_packed(device)) {
			assert_int_equal(flags & (uint16_t)~DESC_F_WRITE, 0);
		} else {
			assert_int_equal(flags & DESC_F_NEXT, i + 1 < count ? DESC_F_NEXT : 0);
			assert_int_equal(descriptor.fourth, i + 1 < count ? i + 1 : 0);
		}
	}
}

static void split_chain_read(struct fake_device *device, const struct fake_queue *queue,
			     uint16_t head, struct fake_chain *chain)
{
	uint16_t index = head;
	chain->head = head;
	for (;;) {
		assert_true(index < queue->size);
		const struct descriptor entry = descriptor_at(device, queue->descriptors, index);
		chain->ring_entries++;
		if ((entry.third & DESC_F_INDIRECT) != 0) {
			assert_int_equal(entry.third, DESC_F_INDIRECT);
			table_read(device, chain, &entry);
			return;
		}
		segment_add(device, chain, &entry, entry.third);
		if ((entry.third & DESC_F_NEXT) == 0) {
			return;
		}
		/* Section 2.7.10: with IN_ORDER the table is used in ring order. */
		assert_true(!fake_device_has(device, VIRTIO_F_IN_ORDER) ||
			    entry.fourth == (index + 1u) % queue->size);
		index = entry.fourth;
	}
}

static bool packed_chain_read(struct fake_device *device, struct fake_queue *queue,
			      struct fake_chain *chain)
{
	for (;;) {
		const struct descriptor entry =
			descriptor_at(device, queue->descriptors, queue->available_taken);
		const bool available = (entry.fourth & DESC_F_AVAIL) != 0;
		const bool used = (entry.fourth & DESC_F_USED) != 0;
		if (available != queue->available_wrap || used == queue->available_wrap) {
			assert_int_equal(chain->ring_entries, 0); /* Never half a chain. */
			return false;
		}
		assert_true(chain->ring_entries < queue->size);
		chain->ring_entries++;
		chain->head = entry.third;
		if ((entry.fourth & DESC_F_INDIRECT) != 0) {
			table_read(device, chain, &entry);
		} else {
			segment_add(device, chain, &entry, entry.fourth);
		}
		queue->available_taken++;
		if (queue->available_taken == queue->size) {
			queue->available_taken = 0;
			queue->available_wrap = !queue->available_wrap;
		}
		if ((entry.fourth & DESC_F_NEXT) == 0) {
			return true;
		}
	}
}

static bool chain_take(struct fake_device *device, struct fake_queue *queue)
{
	assert_true(device->pending_count < FAKE_PENDING_MAX);
	struct fake_chain *chain = &device->pending[device->pending_count];
	memset(chain, 0, sizeof(*chain));
	chain->queue_index = (uint16_t)(queue - device->queues);
	if (is_packed(device)) {
		if (!packed_chain_read(device, queue, chain)) {
			return false;
		}
	} else {
		if (queue->available_taken == get(device, queue->available + 2, 2)) {
			return false;
		}
		const uint64_t slot = queue->available_taken % queue->size;
		split_chain_read(device, queue,
				 (uint16_t)get(device, queue->available + 4 + 2 * slot, 2), chain);
		queue->available_taken++;
	}
	device->pending_count++;
	return true;
}

/* When does the device want to be told? At the next chain; or never again. */
static void notifications_want(struct fake_device *device, struct fake_queue *queue)
{
	const bool never = device->lies.no_notify_stuck;
	const bool has_events = fake_device_has(device, VIRTIO_F_EVENT_IDX);
	if (is_packed(device)) {
		const uint64_t at = queue->available_taken |
				    (queue->available_wrap ? EVENT_WRAP : 0u) |
				    (has_events ? EVENT_DESC << 16 : 0u);
		put(device, queue->used, never ? EVENT_DISABLE << 16 : at, 4);
	} else if (has_events) {
		put(device, queue->used + 4 + 8ull * queue->size,
		    (uint16_t)(queue->available_taken - (never ? 1u : 0u)), 2);
	} else {
		put(device, queue->used, never ? 1 : 0, 2);
	}
}

/* All that the driver wrote, but for its wish for interrupts, which the fake checks, and the flags
 * of a packed ring, which are reports. A real device keeps its own index; so do we, in
 * available_taken. */
static void ring_scribble(struct fake_device *device, struct fake_queue *queue)
{
	for (uint32_t i = 0; i < queue->size; i++) {
		memset(fake_device_at(device, queue->descriptors + 16ull * i, 16), 0xff,
		       is_packed(device) ? 14 : 16);
	}
	if (!is_packed(device)) {
		memset(fake_device_at(device, queue->available + 2, 2 + 2ull * queue->size), 0xff,
		       2 + 2u * queue->size);
	}
}

static void chains_take(struct fake_device *device, struct fake_queue *queue)
{
	while (chain_take(device, queue)) {
	}
	if (device->lies.scribble_ring) {
		ring_scribble(device, queue);
	}
	notifications_want(device, queue);
}

/* ---- Reporting ---------------------------------------------------------------------------------
 */

/* Has the driver asked for an interrupt at one of the last `count` reports? */
static bool interrupt_is_due(struct fake_device *device, const struct fake_queue *queue,
			     uint16_t count)
{
	if (is_packed(device)) {
		const uint64_t word = get(device, queue->available, 4);
		if ((word >> 16) != EVENT_DESC) {
			return (word >> 16) != EVENT_DISABLE;
		}
		const bool same_lap = ((word & EVENT_WRAP) != 0) == queue->used_wrap;
		const uint64_t event =
			(word & (EVENT_WRAP - 1)) - (same_lap ? 0 : (uint64_t)queue->size);
		return (uint16_t)(queue->used_index - event - 1) < count;
	}
	if (fake_device_has(device, VIRTIO_F_EVENT_IDX)) {
		const uint64_t event = get(device, queue->available + 4 + 2ull * queue->size, 2);
		assert_int_equal(get(device, queue->available, 2), 0); /* Section 2.7.7.1. */
		return (uint16_t)(queue->used_index - event - 1) < count;
	}
	return get(device, queue->available, 2) == 0;
}

static void position_advance(struct fake_queue *queue, uint16_t count)
{
	queue->used_index = (uint16_t)(queue->used_index + count);
	if (queue->used_index >= queue->size) {
		queue->used_index = (uint16_t)(queue->used_index - queue->size);
		queue->used_wrap = !queue->used_wrap;
	}
}

/* A report where the driver expects the next one; it says nothing yet of those that it skips. */
static void report_write(struct fake_device *device, struct fake_queue *queue, uint32_t id,
			 uint32_t length)
{
	const struct fake_lies *lies = &device->lies;
	id = lies->used_id_set ? lies->used_id : id;
	length = lies->length_set ? lies->length : length;
	if (!is_packed(device)) {
		const uint64_t slot = queue->used + 4 + 8ull * (queue->used_index % queue->size);
		put(device, slot, id, 4);
		put(device, slot + 4, length, 4);
		return;
	}
	const uint64_t flags = (queue->used_wrap ? DESC_F_AVAIL | DESC_F_USED : 0u) |
			       (length > 0 && !lies->write_flag_omitted ? DESC_F_WRITE : 0u);
	put(device, queue->descriptors + 16ull * queue->used_index + 8,
	    length | (uint64_t)(uint16_t)id << 32 | flags << 48, 8);
}

/* Publish `chains` reports that take up `entries` entries of a packed ring. */
static void reports_publish(struct fake_device *device, struct fake_queue *queue, uint16_t chains,
			    uint16_t entries)
{
	if (is_packed(device)) {
		position_advance(queue, entries);
	} else {
		queue->used_index = (uint16_t)(queue->used_index + chains);
		put(device, queue->used + 2,
		    (uint16_t)(queue->used_index + device->lies.used_index_offset), 2);
	}
	queue->interrupt_count +=
		interrupt_is_due(device, queue, is_packed(device) ? entries : chains) ? 1 : 0;
	device->interrupts |= VIRTIO_INTERRUPT_QUEUE;
}

void fake_device_complete(struct fake_device *device, const struct fake_chain *chain,
			  uint32_t written_bytes)
{
	struct fake_queue *queue = &device->queues[chain->queue_index];
	const size_t at = (size_t)(chain - device->pending);
	const struct fake_chain copy = *chain;
	for (int i = 0; i < (device->lies.complete_twice ? 2 : 1); i++) {
		report_write(device, queue, copy.head, written_bytes);
		reports_publish(device, queue, 1, copy.ring_entries);
	}
	if (at < device->pending_count) {
		device->pending_count--;
		memmove(&device->pending[at], &device->pending[at + 1],
			(device->pending_count - at) * sizeof(device->pending[0]));
	}
}

const struct fake_chain *fake_device_pending(const struct fake_device *device, uint16_t queue)
{
	for (size_t i = 0; i < device->pending_count; i++) {
		if (device->pending[i].queue_index == queue) {
			return &device->pending[i];
		}
	}
	return NULL;
}

/* ---- Working -----------------------------------------------------------------------------------
 */

/* IN_ORDER: the oldest first, and one report for all that were served in this turn. */
static void queue_serve_in_order(struct fake_device *device, uint16_t index)
{
	struct fake_queue *queue = &device->queues[index];
	uint16_t chains = 0;
	uint16_t entries = 0;
	uint16_t head = 0;
	uint32_t written_bytes = 0;
	for (;;) {
		const struct fake_chain *pending = fake_device_pending(device, index);
		if (pending == NULL) {
			break;
		}
		const struct fake_chain chain = *pending;
		const size_t at = (size_t)(pending - device->pending);
		if (!device->serve(device, &chain, &written_bytes)) {
			break;
		}
		chains++;
		entries = (uint16_t)(entries + chain.ring_entries);
		head = chain.head;
		device->pending_count--;
		memmove(&device->pending[at], &device->pending[at + 1],
			(device->pending_count - at) * sizeof(device->pending[0]));
	}
	if (chains > 0) {
		report_write(device, queue, head, written_bytes);
		reports_publish(device, queue, chains, entries);
	}
}

static void serve_all(struct fake_device *device)
{
	if (fake_device_has(device, VIRTIO_F_IN_ORDER) && !device->lies.report_each) {
		for (uint16_t i = 0; i < FAKE_QUEUES_MAX; i++) {
			queue_serve_in_order(device, i);
		}
		return;
	}
	const bool oldest_first = fake_device_has(device, VIRTIO_F_IN_ORDER);
	size_t kept = 0;
	for (size_t left = device->pending_count; left > 0; left--) {
		const size_t at = oldest_first ? kept : left - 1; /* Else the latest first. */
		const struct fake_chain chain = device->pending[at];
		uint32_t written_bytes = 0;
		if (device->serve(device, &chain, &written_bytes)) {
			fake_device_complete(device, &device->pending[at], written_bytes);
		} else {
			kept++;
		}
	}
}

void fake_device_step(struct fake_device *device)
{
	const struct fake_lies *lies = &device->lies;
	for (uint32_t i = 0; i < FAKE_QUEUES_MAX; i++) {
		struct fake_queue *queue = &device->queues[i];
		if (queue->ready == 0) {
			continue;
		}
		if (queue->notify_count < lies->notify_needed) {
			notifications_want(device, queue);
			continue;
		}
		chains_take(device, queue);
	}
	if (!lies->silent && device->serve != NULL) {
		serve_all(device);
	}
}

/* ---- For models --------------------------------------------------------------------------------
 */

size_t fake_chain_gather(const struct fake_chain *chain, uint8_t *to, size_t size_bytes)
{
	size_t done = 0;
	for (uint16_t i = 0; i < chain->segment_count; i++) {
		size_t count = chain->segments[i].len_bytes;
		if (chain->segments[i].device_writes) {
			break;
		}
		count = count < size_bytes - done ? count : size_bytes - done;
		memcpy(to + done, chain->segments[i].bytes, count);
		done += count;
	}
	return done;
}

size_t fake_chain_scatter(const struct fake_chain *chain, const uint8_t *from, size_t size_bytes)
{
	size_t done = 0;
	for (uint16_t i = 0; i < chain->segment_count; i++) {
		size_t count = chain->segments[i].len_bytes;
		if (!chain->segments[i].device_writes) {
			continue;
		}
		count = count < size_bytes - done ? count : size_bytes - done;
		memcpy(chain->segments[i].bytes, from + done, count);
		done += count;
	}
	return done;
}

size_t fake_chain_room(const struct fake_chain *chain, bool device_writes)
{
	size_t total = 0;
	for (uint16_t i = 0; i < chain->segment_count; i++) {
		if (chain->segments[i].device_writes == device_writes) {
			total += chain->segments[i].len_bytes;
		}
	}
	return total;
}
