// SPDX-License-Identifier: MIT
/* A split virtqueue against a device that lies (virtio 1.2, section 2.7).
 *
 * All bookkeeping is private: free list, chains, in-flight set, both ring indices. The shared ring
 * is written and never read back, except the used ring, of which each poll loads the index once
 * and each element once. The first lie poisons the queue: every later call returns
 * STATUS_BAD_HOST, and the owner resets the device.
 *
 * Invariant: free_count + descriptors of all chains in flight == size. One caller at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_transport.h"

#define VIRTQ_SIZE_MAX 256u

/* What a device was caught at; for logs and tests. */
enum virtq_lie {
	VIRTQ_LIE_NONE,
	VIRTQ_LIE_USED_INDEX,    /* More completions than chains in flight, or fewer than before. */
	VIRTQ_LIE_ID_RANGE,      /* An id at or above the queue size. */
	VIRTQ_LIE_NOT_IN_FLIGHT, /* Not a chain head, or completed twice, or never submitted. */
	VIRTQ_LIE_LENGTH,        /* More bytes written than there was room for. */
};

/* One piece of a chain. The device reads it or writes it, never both. */
struct virtq_segment {
	struct shared_addr at;
	uint32_t len_bytes;
	bool device_writes;
};

/* Names a chain from submit to completion. `head` is below the queue's size and unique among the
 * chains in flight: callers may index by it. */
struct virtq_token {
	uint16_t head;
	uint32_t serial; /* Differs when a head is used again. */
};

/* Caller's storage; fields are private. */
struct virtq {
	const struct virtio_transport *transport;
	struct shared_region ring;
	size_t available_offset;
	size_t used_offset;
	uint16_t queue_index;
	uint16_t size;
	uint16_t available_index; /* Shadow of what we published. */
	uint16_t used_index;      /* Completions taken so far, modulo 2^16. */
	uint16_t chains_in_flight;
	uint16_t free_count;
	enum virtq_lie lie;
	uint32_t next_serial;
	/* The stack of free descriptors: free_stack[0 .. free_count). */
	uint16_t free_stack[VIRTQ_SIZE_MAX];
	/* By head: a count of 0 says that no chain in flight starts there. */
	uint16_t chain_count[VIRTQ_SIZE_MAX];
	uint32_t chain_serial[VIRTQ_SIZE_MAX];
	uint32_t chain_writable_bytes[VIRTQ_SIZE_MAX];
	/* By descriptor: the next one of its chain. */
	uint16_t chain_next[VIRTQ_SIZE_MAX];
};

/* The size to use: the largest power of two that is not above `wanted`, VIRTQ_SIZE_MAX and the
 * device's claim; 0 if the device has no such queue. */
uint16_t virtq_size_choose(uint32_t device_size_max, uint16_t wanted);

/* Whole pages of ring for a queue of `size`. */
size_t virtq_ring_pages(uint16_t size);

/* Takes over *ring (zeroed, at least virtq_ring_pages) and clears the caller's handle. The size is
 * one that virtq_size_choose gave. Interrupts start suppressed. */
void virtq_init(struct virtq *queue, const struct virtio_transport *transport, uint16_t queue_index,
		uint16_t size, struct shared_region *ring);

/* Where the queue lies, for the transport. */
void virtq_place(const struct virtq *queue, struct virtio_queue_place *place);

/* Hand a chain to the device: first all segments that it reads, then all that it writes. It is
 * visible to the device when this returns, but the device may sleep until virtq_kick().
 * STATUS_NO_MEMORY: not enough free descriptors; poll first. STATUS_INVALID: no segment, an empty
 * one, more than the queue has, a wrong order, or more than 4 GiB to write.
 * STATUS_BAD_HOST: poisoned. */
MUST_CHECK
enum status virtq_chain_submit(struct virtq *queue, const struct virtq_segment *segments,
			       uint16_t segment_count, struct virtq_token *token);

/* Tell the device that there is work, unless it asked not to be told. It may lie there or its
 * request may race with ours: whoever waits calls virtq_kick_always() now and then. */
void virtq_kick(struct virtq *queue);
void virtq_kick_always(struct virtq *queue);

/* Take one completion, in whatever order the device finished. The chain's memory is ours again.
 * STATUS_AGAIN: nothing finished. STATUS_BAD_HOST: the queue is now poisoned.
 * `written_bytes` is the device's claim, at most the chain's writable bytes; it says nothing about
 * what was written. */
MUST_CHECK
enum status virtq_used_poll(struct virtq *queue, struct virtq_token *token,
			    uint32_t *written_bytes);

/* How many completions the device claims to have for us: one load, not validated (the polls are). 0
 * when poisoned. */
uint16_t virtq_used_pending(const struct virtq *queue);

/* Ask for interrupts or for none; a hint to the device. After switching on, check
 * virtq_used_pending() before sleeping. */
void virtq_interrupts_want(struct virtq *queue, bool wanted);

bool virtq_is_poisoned(const struct virtq *queue);
const char *virtq_lie_name(enum virtq_lie lie);
