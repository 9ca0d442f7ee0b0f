// SPDX-License-Identifier: MIT
/* The device's side of virtio-mmio (fake_device.c) and of queues in both layouts (fake_queue.c),
 * for tests, over the very memory that the driver shares.
 *
 * Nasty by default: it does nothing when it is notified, completes later and in reverse order, and
 * sees memory only at addresses that are unlike the host's pointers, so that a pointer (or any
 * private address) in a descriptor is caught as a failed test. Lies are scripted by setting the
 * fields of `lies`. Time is virtual and passes only when the driver asks for it or waits. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_mmio.h"

#define FAKE_QUEUES_MAX   44u
#define FAKE_SEGMENTS_MAX 40u
#define FAKE_PENDING_MAX  256u
#define FAKE_CONFIG_WORDS 16u
#define FAKE_POOL_PAGES   192u
#define FAKE_PHYS_BASE    0x40000000u

/* A chain as the device sees it. */
struct fake_chain {
	uint16_t queue_index;
	uint16_t head;
	uint16_t ring_entries;
	bool is_indirect;
	uint16_t segment_count;
	struct {
		uint8_t *bytes;
		uint32_t len_bytes;
		bool device_writes;
	} segments[FAKE_SEGMENTS_MAX];
};

struct fake_queue {
	uint32_t size_max;
	uint32_t size;
	uint32_t ready;
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
	uint16_t available_taken; /* Split: indices. Packed: positions, with wrap counters. */
	uint16_t used_index;
	bool available_wrap;
	bool used_wrap;
	unsigned int notify_count;
	unsigned int interrupt_count; /* Those that the driver had asked for. */
};

/* Each lie is off when its field is zero. */
struct fake_lies {
	uint32_t magic; /* Instead of the right ones. */
	uint32_t version;
	bool all_ones;        /* Every register reads so. */
	bool features_differ; /* Every second look at the features shows others. */
	bool features_ok_dropped;
	bool reset_unconfirmed;
	bool generation_unstable;
	bool queue_ready_already;
	bool queue_ready_refused;
	bool needs_reset;
	bool reset_behind_our_back;
	bool silent;                /* Nothing is ever completed. */
	bool no_notify_stuck;       /* Notifications are never wanted. */
	unsigned int notify_needed; /* A queue sleeps until it was notified this often. */
	int32_t used_index_offset;  /* Added to what is published. */
	bool used_id_set;
	uint32_t used_id; /* Instead of the chain's head. */
	bool complete_twice;
	bool length_set;
	uint32_t length;
	bool scribble_ring;      /* Rewrites descriptors and the available ring. */
	bool write_flag_omitted; /* Packed: as QEMU does. */
	bool report_each;        /* In order: no batches. */
};

struct fake_device {
	uint8_t *pool;
	uint32_t device_id;
	uint64_t offered;
	uint64_t accepted;
	uint32_t status;
	uint32_t device_features_select;
	uint32_t driver_features_select;
	unsigned int feature_reads;
	uint32_t queue_select;
	uint32_t generation;
	uint32_t interrupts;
	unsigned int resets;
	uint8_t status_log[32];
	unsigned int status_writes;
	uint32_t config[FAKE_CONFIG_WORDS];
	struct fake_queue queues[FAKE_QUEUES_MAX];
	struct fake_lies lies;
	/* Does what the chain asks for; returns the bytes written. False: keep it for later. */
	bool (*serve)(struct fake_device *device, const struct fake_chain *chain,
		      uint32_t *written_bytes);
	/* Called when time passes; may be NULL. */
	void (*tick)(struct fake_device *device);
	void *model;
	struct fake_chain pending[FAKE_PENDING_MAX];
	size_t pending_count;
	uint64_t now_us;
	struct register_ops registers;
	struct clock clock;
};

/* Of VIRTQ_FEATURES, what every fake device offers from now on. */
extern uint64_t fake_ring_features;

struct CMUnitTest;
/* Run a program's tests once for each kind of queue: both layouts, plain, with event indices and
 * indirect tables, and in order. Returns what main() returns. */
int fake_run_variants(const struct CMUnitTest *tests, size_t count);
/* Only the variants with this layout. */
int fake_run_layout(const struct CMUnitTest *tests, size_t count, bool packed);

/* The pool that driver and device share, and a no-op platform. */
struct fake_platform {
	uint8_t *pages;
	struct page_state_ops ops;
	struct sharedmem memory;
};

void fake_platform_init(struct fake_platform *platform);

void fake_device_init(struct fake_device *device, struct fake_platform *platform,
		      uint32_t device_id, uint64_t offered);

/* The device's pointer to a shared address; fails the test if it is not wholly in the pool. */
uint8_t *fake_device_at(struct fake_device *device, uint64_t address, uint64_t size_bytes);

/* Take new chains and complete what can be completed. Happens in clock.relax, too. */
void fake_device_step(struct fake_device *device);

/* Can such lies be told in the layout that was accepted? A packed ring has neither an index nor ids
 * of 32 bits. */
bool fake_lies_fit(const struct fake_device *device, const struct fake_lies *lies);

/* What was accepted of the features that concern rings. */
bool fake_device_has(const struct fake_device *device, uint64_t feature);
void fake_queue_reset(struct fake_queue *queue);

/* Copy between a flat buffer and the chain's readable or writable segments; returns the count. */
size_t fake_chain_gather(const struct fake_chain *chain, uint8_t *to, size_t size_bytes);
size_t fake_chain_scatter(const struct fake_chain *chain, const uint8_t *from, size_t size_bytes);
size_t fake_chain_room(const struct fake_chain *chain, bool device_writes);

/* Oldest chain of a queue that is pending; NULL. For models that complete when they like. */
const struct fake_chain *fake_device_pending(const struct fake_device *device, uint16_t queue);
void fake_device_complete(struct fake_device *device, const struct fake_chain *chain,
			  uint32_t written_bytes);
