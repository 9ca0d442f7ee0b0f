// SPDX-License-Identifier: MIT
#include "tests/unit/virtio/fake_device.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

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

static void device_reset(struct fake_device *device)
{
	device->resets++;
	device->lies.needs_reset = false; /* Cured. */
	device->status = device->lies.reset_unconfirmed ? VIRTIO_STATUS_FAILED : 0;
	device->accepted = 0;
	device->pending_count = 0;
	for (uint32_t i = 0; i < FAKE_QUEUES_MAX; i++) {
		fake_queue_reset(&device->queues[i]);
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
	device->offered = offered | fake_ring_features;
	device->registers = (struct register_ops){read32, write32, device};
	device->clock = (struct clock){clock_now, clock_relax, device};
	for (uint32_t i = 0; i < FAKE_QUEUES_MAX; i++) {
		device->queues[i].size_max = 128;
		fake_queue_reset(&device->queues[i]);
	}
}
