// SPDX-License-Identifier: MIT
#include "tests/unit/virtio/fake_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define DESC_F_NEXT  1u
#define DESC_F_WRITE 2u

static _Alignas(4096) uint8_t pool_pages[FAKE_POOL_PAGES * PAGE_BYTES];

static enum status state_change_ok(void *context, struct phys_addr first, size_t page_count)
{
	(void)context;
	(void)first;
	(void)page_count;
	return STATUS_OK;
}

void fake_platform_init(struct fake_platform *platform)
{
	memset(pool_pages, 0xdd, sizeof(pool_pages));
	platform->pages = pool_pages;
	platform->ops = (struct page_state_ops){state_change_ok, state_change_ok, NULL};
	assert_int_equal(sharedmem_init(&platform->memory, &platform->ops,
					(struct phys_addr){FAKE_PHYS_BASE}, pool_pages,
					FAKE_POOL_PAGES),
			 STATUS_OK);
}

uint8_t *fake_device_at(struct fake_device *device, uint64_t address, uint64_t size_bytes)
{
	const uint64_t offset = address - FAKE_PHYS_BASE;
	assert_true(addr_within(offset, size_bytes, FAKE_POOL_PAGES * PAGE_BYTES));
	return device->pool + offset;
}

static uint16_t get16(struct fake_device *device, uint64_t address)
{
	uint16_t value;
	memcpy(&value, fake_device_at(device, address, sizeof(value)), sizeof(value));
	return value;
}

static void put16(struct fake_device *device, uint64_t address, uint16_t value)
{
	memcpy(fake_device_at(device, address, sizeof(value)), &value, sizeof(value));
}

static void put32(struct fake_device *device, uint64_t address, uint32_t value)
{
	memcpy(fake_device_at(device, address, sizeof(value)), &value, sizeof(value));
}

/* Follow a chain through the table; an honest driver never makes a bad one. */
static void chain_read(struct fake_device *device, struct fake_queue *queue, uint16_t head,
		       struct fake_chain *chain)
{
	bool writable_seen = false;
	uint16_t index = head;
	memset(chain, 0, sizeof(*chain));
	chain->queue_index = (uint16_t)(queue - device->queues);
	chain->head = head;
	for (;;) {
		uint64_t address;
		uint32_t length;
		uint16_t flags;
		uint16_t next;
		assert_true(index < queue->size);
		assert_true(chain->segment_count < FAKE_SEGMENTS_MAX);
		const uint8_t *entry =
			fake_device_at(device, queue->descriptors + 16ull * index, 16);
		memcpy(&address, entry, 8);
		memcpy(&length, entry + 8, 4);
		memcpy(&flags, entry + 12, 2);
		memcpy(&next, entry + 14, 2);
		const bool device_writes = (flags & DESC_F_WRITE) != 0;
		assert_true(length > 0);
		assert_true(device_writes || !writable_seen);
		writable_seen = device_writes;
		chain->segments[chain->segment_count].bytes =
			fake_device_at(device, address, length);
		chain->segments[chain->segment_count].len_bytes = length;
		chain->segments[chain->segment_count].device_writes = device_writes;
		chain->segment_count++;
		if ((flags & DESC_F_NEXT) == 0) {
			return;
		}
		index = next;
	}
}

static void chains_take(struct fake_device *device, struct fake_queue *queue)
{
	if (queue->ready == 0) {
		return;
	}
	const uint16_t index = get16(device, queue->available + 2);
	while (queue->available_taken != index) {
		const uint64_t slot = queue->available_taken % queue->size;
		const uint16_t head = get16(device, queue->available + 4 + 2 * slot);
		assert_true(device->pending_count < FAKE_PENDING_MAX);
		chain_read(device, queue, head, &device->pending[device->pending_count]);
		device->pending_count++;
		queue->available_taken++;
	}
	if (device->lies.scribble_ring) {
		memset(fake_device_at(device, queue->descriptors, 16ull * queue->size), 0xff,
		       16u * queue->size);
		memset(fake_device_at(device, queue->available, 4 + 2ull * queue->size), 0xff,
		       4 + 2u * queue->size);
		/* A real device keeps its own index; so do we, in available_taken. */
	}
}

void fake_device_complete(struct fake_device *device, const struct fake_chain *chain,
			  uint32_t written_bytes)
{
	struct fake_queue *queue = &device->queues[chain->queue_index];
	const struct fake_lies *lies = &device->lies;
	const uint16_t head = chain->head;
	const size_t at = (size_t)(chain - device->pending);
	for (int i = 0; i < (lies->complete_twice ? 2 : 1); i++) {
		const uint64_t slot = queue->used + 4 + 8ull * (queue->used_index % queue->size);
		put32(device, slot, lies->used_id_set ? lies->used_id : head);
		put32(device, slot + 4, lies->length_set ? lies->length : written_bytes);
		queue->used_index++;
	}
	put16(device, queue->used + 2, (uint16_t)(queue->used_index + lies->used_index_offset));
	device->interrupts |= VIRTIO_INTERRUPT_QUEUE;
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

void fake_device_step(struct fake_device *device)
{
	const struct fake_lies *lies = &device->lies;
	for (uint32_t i = 0; i < FAKE_QUEUES_MAX; i++) {
		struct fake_queue *queue = &device->queues[i];
		if (queue->ready != 0 && lies->no_notify_stuck) {
			put16(device, queue->used, 1);
		}
		if (queue->notify_count < lies->notify_needed) {
			continue;
		}
		chains_take(device, queue);
	}
	if (lies->silent || device->serve == NULL) {
		return;
	}
	for (size_t i = device->pending_count; i > 0; i--) { /* Latest first. */
		const struct fake_chain chain = device->pending[i - 1];
		uint32_t written_bytes = 0;
		if (device->serve(device, &chain, &written_bytes)) {
			fake_device_complete(device, &device->pending[i - 1], written_bytes);
		}
	}
}

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

static void device_reset(struct fake_device *device)
{
	device->resets++;
	device->lies.needs_reset = false; /* Cured. */
	device->status = device->lies.reset_unconfirmed ? VIRTIO_STATUS_FAILED : 0;
	device->accepted = 0;
	device->pending_count = 0;
	for (uint32_t i = 0; i < FAKE_QUEUES_MAX; i++) {
		struct fake_queue *queue = &device->queues[i];
		*queue = (struct fake_queue){.size_max = queue->size_max,
					     .notify_count = queue->notify_count};
	}
}

static void status_write(struct fake_device *device, uint32_t value)
{
	if (device->status_writes < sizeof(device->status_log)) {
		device->status_log[device->status_writes] = (uint8_t)value;
	}
	device->status_writes++;
	if (value == 0) {
		device_reset(device);
		return;
	}
	if (device->lies.features_ok_dropped) {
		value &= ~VIRTIO_STATUS_FEATURES_OK;
	}
	device->status = value;
}

static uint32_t features_read(struct fake_device *device)
{
	uint64_t offered = device->offered;
	device->feature_reads++;
	if (device->lies.features_differ && device->feature_reads > 2) {
		offered = ~offered;
	}
	return (uint32_t)(device->device_features_select == 0 ? offered : offered >> 32);
}

static uint32_t status_read(const struct fake_device *device)
{
	if (device->lies.reset_behind_our_back) {
		return 0;
	}
	return device->status | (device->lies.needs_reset ? VIRTIO_STATUS_NEEDS_RESET : 0);
}

static uint32_t read32(void *context, uint32_t offset)
{
	struct fake_device *device = context;
	struct fake_queue *queue = &device->queues[device->queue_select % FAKE_QUEUES_MAX];
	if (device->lies.all_ones) {
		return UINT32_MAX;
	}
	switch (offset) {
	case 0x000: return device->lies.magic != 0 ? device->lies.magic : 0x74726976u;
	case 0x004: return device->lies.version != 0 ? device->lies.version : 2;
	case 0x008: return device->device_id;
	case 0x010: return features_read(device);
	case 0x034: return queue->size_max;
	case 0x044:
		if (device->lies.queue_ready_refused) {
			return 0;
		}
		return device->lies.queue_ready_already ? 1 : queue->ready;
	case 0x060: return device->interrupts;
	case 0x070: return status_read(device);
	case 0x0fc:
		device->generation += device->lies.generation_unstable ? 1 : 0;
		return device->generation;
	default: break;
	}
	assert_true(offset >= 0x100 && offset < 0x100 + 4 * FAKE_CONFIG_WORDS && offset % 4 == 0);
	return device->config[(offset - 0x100) / 4];
}

static void half_write(uint64_t *address, bool high, uint32_t value)
{
	const unsigned int shift = high ? 32 : 0;
	*address = (*address & ~((uint64_t)UINT32_MAX << shift)) | (uint64_t)value << shift;
}

static void write32(void *context, uint32_t offset, uint32_t value)
{
	struct fake_device *device = context;
	struct fake_queue *queue = &device->queues[device->queue_select % FAKE_QUEUES_MAX];
	switch (offset) {
	case 0x014: device->device_features_select = value; break;
	case 0x020:
		half_write(&device->accepted, device->driver_features_select != 0, value);
		break;
	case 0x024: device->driver_features_select = value; break;
	case 0x030: device->queue_select = value; break;
	case 0x038: queue->size = value; break;
	case 0x044: queue->ready = value; break;
	case 0x050:
		assert_true(value < FAKE_QUEUES_MAX);
		assert_true((device->status & VIRTIO_STATUS_DRIVER_OK) != 0);
		device->queues[value].notify_count++;
		break;
	case 0x064: device->interrupts &= ~value; break;
	case 0x070: status_write(device, value); break;
	case 0x080: half_write(&queue->descriptors, false, value); break;
	case 0x084: half_write(&queue->descriptors, true, value); break;
	case 0x090: half_write(&queue->available, false, value); break;
	case 0x094: half_write(&queue->available, true, value); break;
	case 0x0a0: half_write(&queue->used, false, value); break;
	case 0x0a4: half_write(&queue->used, true, value); break;
	default: fail_msg("write to register 0x%x", offset);
	}
}

static uint64_t clock_now(void *context)
{
	struct fake_device *device = context;
	device->now_us++;
	return device->now_us;
}

static void clock_relax(void *context)
{
	struct fake_device *device = context;
	device->now_us += 1000;
	if (device->tick != NULL) {
		device->tick(device);
	}
	fake_device_step(device);
}

void fake_device_init(struct fake_device *device, struct fake_platform *platform,
		      uint32_t device_id, uint64_t offered)
{
	memset(device, 0, sizeof(*device));
	device->pool = platform->pages;
	device->device_id = device_id;
	device->offered = offered;
	device->registers = (struct register_ops){read32, write32, device};
	device->clock = (struct clock){clock_now, clock_relax, device};
	for (uint32_t i = 0; i < FAKE_QUEUES_MAX; i++) {
		device->queues[i].size_max = 128;
	}
}
