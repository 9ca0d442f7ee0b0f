// SPDX-License-Identifier: MIT
/* The device's side of the split queues: it takes chains, has them served, and completes them. */
#include <string.h>

#include "tests/fuzz/hostile.h"

#define POOL_BYTES   (HOSTILE_POOL_PAGES * PAGE_BYTES)
#define DESC_F_NEXT  1u
#define DESC_F_WRITE 2u

/* ---- Shared memory as the device sees it ------------------------------------------------------
 */

bool hostile_is_shared(uint64_t address, uint64_t size)
{
	return addr_within(address - HOSTILE_PHYS_BASE, size, POOL_BYTES);
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

/* ---- Queues -----------------------------------------------------------------------------------
 */

static bool segment_add(struct hostile_chain *chain, uint64_t address, uint32_t length,
			bool device_writes)
{
	const uint16_t count = chain->segment_count;
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

/* Follow a chain; only a scribbled ring may hold a bad one. */
static bool chain_read(const struct hostile_queue *queue, uint16_t head,
		       struct hostile_chain *chain)
{
	uint16_t index = head;
	*chain = (struct hostile_chain){
		.queue_index = (uint16_t)(queue - hostile.queues),
		.head = head,
	};
	for (;;) {
		FUZZ_REQUIRE(index < queue->size || hostile.lied);
		if (index >= queue->size) {
			return false;
		}
		const uint64_t entry = queue->descriptors + 16ull * index;
		const uint16_t flags = (uint16_t)get(entry + 12, 2);
		if (!segment_add(chain, get(entry, 8), (uint32_t)get(entry + 8, 4),
				 (flags & DESC_F_WRITE) != 0)) {
			return false;
		}
		if ((flags & DESC_F_NEXT) == 0) {
			return true;
		}
		index = (uint16_t)get(entry + 14, 2);
	}
}

static bool head_is_pending(const struct hostile_queue *queue, uint16_t head)
{
	for (size_t i = 0; i < hostile.pending_count; i++) {
		if (&hostile.queues[hostile.pending[i].queue_index] == queue &&
		    hostile.pending[i].head == head) {
			return true;
		}
	}
	return false;
}

static void chains_take(struct hostile_queue *queue)
{
	const uint16_t index = (uint16_t)get(queue->available + 2, 2);
	while (queue->available_taken != index && hostile.pending_count < HOSTILE_PENDING) {
		const uint64_t slot = queue->available_taken % queue->size;
		const uint16_t head = (uint16_t)get(queue->available + 4 + 2 * slot, 2);
		/* A head is the driver's again only after its completion. */
		FUZZ_REQUIRE(!head_is_pending(queue, head) || hostile.lied);
		queue->available_taken++;
		if (chain_read(queue, head, &hostile.pending[hostile.pending_count])) {
			hostile.pending_count++;
		}
	}
}

void hostile_used_push(struct hostile_queue *queue, uint32_t id, uint32_t length)
{
	const uint64_t slot = queue->used + 4 + 8ull * (queue->used_index % queue->size);
	hostile_put(slot, id, 4);
	hostile_put(slot + 4, length, 4);
	queue->used_index++;
	hostile_put(queue->used + 2, queue->used_index, 2);
	hostile.interrupts |= VIRTIO_INTERRUPT_QUEUE;
}

void hostile_pending_complete(size_t at, uint32_t length)
{
	const struct hostile_chain *chain = &hostile.pending[at];
	struct hostile_queue *queue = &hostile.queues[chain->queue_index];
	const uint16_t head = chain->head;
	hostile.pending_count--;
	memmove(&hostile.pending[at], &hostile.pending[at + 1],
		(hostile.pending_count - at) * sizeof(hostile.pending[0]));
	if (queue->ready != 0) {
		hostile_used_push(queue, head, length);
	}
}

void hostile_step(void)
{
	bool moved = false;
	if (hostile.delay > 0) {
		hostile.delay--;
		hostile.idle++;
		return;
	}
	for (size_t i = 0; i < hostile.queues_end; i++) {
		if (hostile.queues[i].ready != 0) {
			chains_take(&hostile.queues[i]);
		}
	}
	/* Backwards when reversed; a stream's model keeps its own order. */
	size_t at = 0;
	for (size_t left = hostile.silent ? 0 : hostile.pending_count; left > 0; left--) {
		const size_t which = hostile.reversed ? left - 1 : at;
		uint32_t written_bytes = 0;
		const struct hostile_chain chain = hostile.pending[which];
		if (hostile.serve(&chain, &written_bytes)) {
			hostile_pending_complete(which, written_bytes);
			moved = true;
		} else {
			at++;
		}
	}
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
