// SPDX-License-Identifier: MIT
/* The device's side of the queues, in the layout and with the features that the driver accepted: it
 * takes chains, has them served, and reports them. */
#include <string.h>

#include "tests/fuzz/hostile.h"

#define DESC_F_NEXT     1u
#define DESC_F_WRITE    2u
#define DESC_F_INDIRECT 4u
#define DESC_F_AVAIL    (1u << 7)
#define DESC_F_USED     (1u << 15)

/* ---- Shared memory as the device sees it ------------------------------------------------------
 */

bool hostile_is_shared(uint64_t address, uint64_t size)
{
	return addr_within(address - HOSTILE_PHYS_BASE, size, hostile.pool_bytes);
}

size_t hostile_offset(uint64_t address)
{
	return (size_t)(address - HOSTILE_PHYS_BASE);
}

static uint64_t get(uint64_t address, size_t width)
{
	uint64_t value = 0;
	FUZZ_REQUIRE(hostile_is_shared(address, width));
	memcpy(&value, hostile_look(hostile_offset(address), width), width);
	return value;
}

void hostile_put(uint64_t address, uint64_t value, size_t width)
{
	FUZZ_REQUIRE(hostile_is_shared(address, width));
	hostile_device_write(hostile_offset(address), &value, width);
}

/* ---- What the layouts have in common ------------------------------------------------------------
 */

bool hostile_has(uint64_t feature)
{
	return (hostile.accepted & feature) != 0;
}

static bool is_packed(void)
{
	return hostile_has(VIRTIO_F_RING_PACKED);
}

void hostile_queue_reset(struct hostile_queue *queue)
{
	*queue = (struct hostile_queue){
		.size_max = queue->size_max,
		.available_wrap = true,
		.used_wrap = true,
	};
}

size_t hostile_driver_part_bytes(const struct hostile_queue *queue)
{
	return is_packed() ? 4 : 6 + 2 * (size_t)queue->size;
}

size_t hostile_device_part_bytes(const struct hostile_queue *queue)
{
	return is_packed() ? 4 : 6 + 8 * (size_t)queue->size;
}

/* In either layout: address, length, and two more fields. */
struct descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t third;
	uint16_t fourth;
};

static struct descriptor descriptor_get(uint64_t at)
{
	struct descriptor descriptor;
	FUZZ_REQUIRE(hostile_is_shared(at, sizeof(descriptor)));
	memcpy(&descriptor, hostile_look(hostile_offset(at), sizeof(descriptor)),
	       sizeof(descriptor));
	return descriptor;
}

static bool segment_add(struct hostile_chain *chain, const struct descriptor *descriptor,
			uint16_t flags)
{
	const uint16_t count = chain->segment_count;
	const uint64_t address = descriptor->address;
	const uint32_t length = descriptor->length;
	const bool device_writes = (flags & DESC_F_WRITE) != 0;
	const bool is_sound =
		count < HOSTILE_SEGMENTS && length > 0 && hostile_is_shared(address, length) &&
		(device_writes || count == 0 || !chain->segments[count - 1].device_writes);
	FUZZ_REQUIRE(is_sound || hostile.lied);
	if (!is_sound) {
		return false;
	}
	chain->segments[count].at = hostile_offset(address);
	chain->segments[count].len_bytes = length;
	chain->segments[count].device_writes = device_writes;
	chain->segment_count++;
	return true;
}

/* A table that one entry of the ring points to: the whole chain. */
static bool table_read(struct hostile_chain *chain, const struct descriptor *entry)
{
	const uint32_t count = entry->length / 16;
	const bool is_sound = hostile_has(VIRTIO_F_INDIRECT_DESC) && entry->length % 16 == 0 &&
			      count > 0 && count <= HOSTILE_SEGMENTS && chain->segment_count == 0 &&
			      hostile_is_shared(entry->address, entry->length);
	FUZZ_REQUIRE(is_sound || hostile.lied);
	if (!is_sound) {
		return false;
	}
	for (uint32_t i = 0; i < count; i++) {
		const struct descriptor descriptor = descriptor_get(entry->address + 16ull * i);
		const uint16_t flags = is_packed() ? descriptor.fourth : descriptor.third;
		const unsigned int next = is_packed() || i + 1 == count ? 0u : DESC_F_NEXT;
		FUZZ_REQUIRE((flags & ~DESC_F_WRITE) == next || hostile.lied);
		FUZZ_REQUIRE(is_packed() || next == 0 || descriptor.fourth == i + 1 ||
			     hostile.lied);
		if (!segment_add(chain, &descriptor, flags)) {
			return false;
		}
	}
	return true;
}

struct hostile_chain *hostile_pending(size_t which)
{
	return &hostile.chains[hostile.pending_places[which]];
}

static bool head_is_pending(const struct hostile_chain *chain)
{
	for (size_t i = 0; i < hostile.pending_count; i++) {
		const struct hostile_chain *pending = hostile_pending(i);
		if (pending->queue_index == chain->queue_index && pending->head == chain->head) {
			return true;
		}
	}
	return false;
}

/* ---- Split -------------------------------------------------------------------------------------
 */

/* Follow a chain; only a scribbled ring may hold a bad one. */
static bool split_chain_read(const struct hostile_queue *queue, struct hostile_chain *chain)
{
	uint16_t index = chain->head;
	for (;;) {
		FUZZ_REQUIRE(index < queue->size || hostile.lied);
		if (index >= queue->size) {
			return false;
		}
		const struct descriptor entry = descriptor_get(queue->descriptors + 16ull * index);
		chain->ring_entries++;
		if ((entry.third & DESC_F_INDIRECT) != 0) {
			return table_read(chain, &entry);
		}
		if (!segment_add(chain, &entry, entry.third)) {
			return false;
		}
		if ((entry.third & DESC_F_NEXT) == 0) {
			return true;
		}
		FUZZ_REQUIRE(!hostile_has(VIRTIO_F_IN_ORDER) || hostile.lied ||
			     entry.fourth == (index + 1u) % queue->size);
		index = entry.fourth;
	}
}

/* *taken: there was one; the result: and it is sound. */
static bool split_chain_take(struct hostile_queue *queue, struct hostile_chain *chain, bool *taken)
{
	const uint16_t index = (uint16_t)get(queue->available + 2, 2);
	*taken = queue->available_taken != index;
	if (!*taken) {
		return false;
	}
	const uint64_t slot = queue->available_taken % queue->size;
	chain->head = (uint16_t)get(queue->available + 4 + 2 * slot, 2);
	queue->available_taken++;
	return split_chain_read(queue, chain);
}

/* ---- Packed ------------------------------------------------------------------------------------
 */

static void position_advance(struct hostile_queue *queue, uint16_t entries)
{
	const uint32_t place = (uint32_t)queue->used_index + entries;
	queue->used_wrap = queue->used_wrap != (place >= queue->size);
	queue->used_index = (uint16_t)(place % queue->size);
}

static bool packed_chain_take(struct hostile_queue *queue, struct hostile_chain *chain, bool *taken)
{
	*taken = false;
	for (;;) {
		const struct descriptor entry =
			descriptor_get(queue->descriptors + 16ull * queue->available_taken);
		const bool available = (entry.fourth & DESC_F_AVAIL) != 0;
		const bool used = (entry.fourth & DESC_F_USED) != 0;
		if (available != queue->available_wrap || used == queue->available_wrap ||
		    chain->ring_entries == queue->size) {
			FUZZ_REQUIRE(!*taken || hostile.lied); /* Never half a chain. */
			return false;
		}
		*taken = true;
		chain->head = entry.third;
		chain->ring_entries++;
		queue->available_taken++;
		if (queue->available_taken == queue->size) {
			queue->available_taken = 0;
			queue->available_wrap = !queue->available_wrap;
		}
		if ((entry.fourth & DESC_F_INDIRECT) != 0) {
			return table_read(chain, &entry);
		}
		if (!segment_add(chain, &entry, entry.fourth)) {
			return false;
		}
		if ((entry.fourth & DESC_F_NEXT) == 0) {
			return true;
		}
	}
}

/* ---- Queues ------------------------------------------------------------------------------------
 */

static void chain_take(struct hostile_queue *queue, bool *taken)
{
	struct hostile_chain *chain = hostile_pending(hostile.pending_count);
	chain->queue_index = (uint16_t)(queue - hostile.queues);
	chain->ring_entries = 0;
	chain->segment_count = 0;
	const bool is_sound = is_packed() ? packed_chain_take(queue, chain, taken)
					  : split_chain_take(queue, chain, taken);
	/* A head is the driver's again only after its completion. */
	FUZZ_REQUIRE(!*taken || !head_is_pending(chain) || hostile.lied);
	hostile.pending_count += is_sound ? 1 : 0;
}

/* Tell the driver, if it is done in this way, that the next chain is of interest. */
static void notifications_want(struct hostile_queue *queue)
{
	if (is_packed()) {
		hostile_put(queue->used,
			    queue->available_taken | (uint64_t)queue->available_wrap << 15 |
				    (hostile_has(VIRTIO_F_EVENT_IDX) ? 2u : 0u) << 16,
			    4);
	} else {
		hostile_put(queue->used + hostile_device_part_bytes(queue) - 2,
			    queue->available_taken, 2);
	}
}

static void chains_take(struct hostile_queue *queue)
{
	bool any = false;
	bool taken = true;
	/* A ring that was scribbled over may seem to have no end. */
	for (uint32_t left = queue->size; taken && left > 0; left--) {
		if (hostile.pending_count == HOSTILE_PENDING) {
			hostile.memory_changed = true; /* Look again when there is room. */
			return;
		}
		chain_take(queue, &taken);
		any = any || taken;
	}
	hostile.memory_changed = hostile.memory_changed || taken;
	if (any && hostile_has(VIRTIO_F_EVENT_IDX)) {
		notifications_want(queue);
	}
}

/* A report where the next one belongs. */
static void report_write(const struct hostile_queue *queue, uint32_t id, uint32_t length)
{
	if (is_packed()) {
		const uint64_t flags = (queue->used_wrap ? DESC_F_AVAIL | DESC_F_USED : 0u) |
				       (length > 0 ? DESC_F_WRITE : 0u);
		hostile_put(queue->descriptors + 16ull * queue->used_index + 8,
			    length | (uint64_t)(uint16_t)id << 32 | flags << 48, 8);
	} else {
		const uint64_t slot = queue->used + 4 + 8ull * (queue->used_index % queue->size);
		hostile_put(slot, id | (uint64_t)length << 32, 8);
	}
}

static void reports_publish(struct hostile_queue *queue, uint16_t chains, uint16_t entries)
{
	if (is_packed()) {
		position_advance(queue, entries);
	} else {
		queue->used_index = (uint16_t)(queue->used_index + chains);
		hostile_put(queue->used + 2, queue->used_index, 2);
	}
	hostile.interrupts |= VIRTIO_INTERRUPT_QUEUE;
}

void hostile_used_push(struct hostile_queue *queue, uint32_t id, uint32_t length, uint16_t entries)
{
	report_write(queue, id, length);
	reports_publish(queue, 1, entries);
}

void hostile_index_jump(struct hostile_queue *queue, uint16_t by)
{
	if (is_packed()) {
		position_advance(queue, (uint16_t)(by % queue->size));
	} else {
		queue->used_index = (uint16_t)(queue->used_index + by);
		hostile_put(queue->used + 2, queue->used_index, 2);
	}
}

static void pending_remove(size_t at)
{
	hostile.pending_count--;
	const uint8_t place = hostile.pending_places[at];
	memmove(hostile.pending_places + at, hostile.pending_places + at + 1,
		hostile.pending_count - at);
	hostile.pending_places[hostile.pending_count] = place;
}

void hostile_pending_complete(size_t at, uint32_t length)
{
	const struct hostile_chain *chain = hostile_pending(at);
	struct hostile_queue *queue = &hostile.queues[chain->queue_index];
	const uint16_t head = chain->head;
	const uint16_t entries = chain->ring_entries;
	pending_remove(at);
	if (queue->ready != 0) {
		hostile_used_push(queue, head, length, entries);
	}
}

/* ---- Work --------------------------------------------------------------------------------------
 */

/* In any order; a stream's model keeps its own. True if something moved. */
static bool serve_any(void)
{
	bool moved = false;
	size_t at = 0;
	for (size_t left = hostile.pending_count; left > 0; left--) {
		const size_t which = hostile.reversed ? left - 1 : at;
		uint32_t written_bytes = 0;
		if (hostile.serve(hostile_pending(which), &written_bytes)) {
			hostile_pending_complete(which, written_bytes);
			moved = true;
		} else {
			at++;
		}
	}
	return moved;
}

/* The oldest of a queue first, and none behind one that has to wait. With `reversed`, which has no
 * meaning here, one report for the whole batch. */
static bool serve_in_order(uint16_t index)
{
	struct hostile_queue *queue = &hostile.queues[index];
	uint16_t chains = 0;
	uint16_t entries = 0;
	uint16_t head = 0;
	uint32_t written_bytes = 0;
	bool moved = false;
	for (size_t at = 0; at < hostile.pending_count;) {
		const struct hostile_chain *chain = hostile_pending(at);
		if (chain->queue_index != index) {
			at++;
			continue;
		}
		/* What is not reported counts as full: such a one ends the batch before it. */
		const uint32_t room = (uint32_t)hostile_room(chain, true);
		uint32_t now_written = 0;
		if (!hostile.serve(chain, &now_written)) {
			break;
		}
		moved = true;
		chains++;
		entries = (uint16_t)(entries + chain->ring_entries);
		head = chain->head;
		written_bytes = now_written;
		pending_remove(at);
		if (!hostile.reversed || now_written != room) {
			report_write(queue, head, written_bytes);
			reports_publish(queue, chains, entries);
			chains = 0;
			entries = 0;
		}
	}
	if (chains > 0) {
		report_write(queue, head, written_bytes);
		reports_publish(queue, chains, entries);
	}
	return moved;
}

static bool serve_all(void)
{
	if (!hostile_has(VIRTIO_F_IN_ORDER)) {
		return serve_any();
	}
	bool moved = false;
	for (uint16_t i = 0; i < hostile.queues_end; i++) {
		moved = (hostile.queues[i].ready != 0 && serve_in_order(i)) || moved;
	}
	return moved;
}

void hostile_step(void)
{
	if (hostile.delay > 0) {
		hostile.delay--;
		hostile.idle = 0; /* A device that is slow is not idle: time keeps its pace. */
		return;
	}
	if (hostile.memory_changed) {
		hostile.memory_changed = false;
		for (size_t i = 0; i < hostile.queues_end; i++) {
			if (hostile.queues[i].ready != 0) {
				chains_take(&hostile.queues[i]);
			}
		}
	}
	const bool moved = !hostile.silent && hostile.pending_count > 0 && serve_all();
	hostile.idle = moved ? 0 : hostile.idle + 1;
}

size_t hostile_gather(const struct hostile_chain *chain, uint8_t *to, size_t size)
{
	size_t done = 0;
	for (uint16_t i = 0; i < chain->segment_count && !chain->segments[i].device_writes; i++) {
		const size_t length = chain->segments[i].len_bytes;
		const size_t count = length < size - done ? length : size - done;
		if (count > 0) {
			memcpy(to + done, hostile_look(chain->segments[i].at, count), count);
		}
		done += count;
	}
	return done;
}

size_t hostile_scatter(const struct hostile_chain *chain, const uint8_t *from, size_t size)
{
	size_t done = 0;
	for (uint16_t i = 0; i < chain->segment_count; i++) {
		const size_t length = chain->segments[i].len_bytes;
		const size_t count = length < size - done ? length : size - done;
		if (chain->segments[i].device_writes && count > 0) {
			hostile_device_write(chain->segments[i].at, from + done, count);
			done += count;
		}
	}
	return done;
}

size_t hostile_room(const struct hostile_chain *chain, bool device_writes)
{
	size_t total = 0;
	for (uint16_t i = 0; i < chain->segment_count; i++) {
		total += chain->segments[i].device_writes == device_writes
				 ? chain->segments[i].len_bytes
				 : 0;
	}
	return total;
}
