// SPDX-License-Identifier: MIT
/* A virtqueue against a device that lies: one interface, two layouts (virtio 1.2, section 2.7
 * split, section 2.8 packed), chosen by the negotiated features.
 *
 * All bookkeeping is private: free ids, chains, in-flight set, ring positions. The shared ring is
 * written and never read back, except what the device writes: each poll loads each location of it
 * at most once. The first lie poisons the queue: every later call returns STATUS_BAD_HOST, and the
 * owner resets the device.
 *
 * Invariant: free_count + ring entries of all chains in flight == size. One caller at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "sharedmem/sharedmem.h"
#include "virtio/virtio_transport.h"

#define VIRTQ_SIZE_MAX 1024u

/* What a queue can make use of. Each driver that uses queues allows them all. */
#define VIRTQ_FEATURES \
	(VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_RING_PACKED | VIRTIO_F_IN_ORDER)

/* What a device was caught at; for logs and tests. */
enum virtq_lie {
	VIRTQ_LIE_NONE,
	VIRTQ_LIE_USED_INDEX,    /* More completions than chains in flight, or fewer than before. */
	VIRTQ_LIE_ID_RANGE,      /* An id at or above the queue size. */
	VIRTQ_LIE_NOT_IN_FLIGHT, /* Not a chain's id, or completed twice, or never submitted. */
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

/* Private. Most fields belong to the chain whose id is the slot's index; the others are lists that
 * live here so that one array is all the storage a queue needs. */
struct virtq_slot {
	uint16_t ring_entries; /* Of its chain, from this one to the end. 0: the id is free. */
	uint16_t next;         /* Split: the descriptor after this one. */
	uint16_t table;        /* Its indirect table, or VIRTQ_NO_TABLE. */
	uint16_t turn;         /* When it was submitted, modulo 2^16. */
	uint32_t serial;
	uint32_t writable_bytes;
	uint16_t free_id;    /* Lists: ids that are free, in the order in which they became so; */
	uint16_t free_table; /* indirect tables that are; */
	uint16_t id_of_turn; /* and the ids in flight by their turn. */
	bool is_head;        /* A chain in flight has this id. */
};

/* What a queue is to be like. */
struct virtq_config {
	uint64_t features; /* Negotiated. */
	uint16_t queue_index;
	uint16_t size; /* Of virtq_size_choose(). */
	/* Indirect tables that lie behind the ring: chains of up to `table_segments` occupy one
	 * ring entry while there is a free table. 0 and 0: none. Ignored without the feature. */
	uint16_t table_count; /* At most `size`. */
	uint16_t table_segments;
	/* Chains of up to so many segments go into the ring itself while half of it is free: a
	 * table costs the device a look more. 0: wherever there is a table. */
	uint16_t direct_segments;
	struct virtq_slot *slots; /* Borrowed: `size` of them. */
};

struct virtq_counters {
	uint64_t chains;
	uint64_t notifications; /* Register writes; each costs an exit. */
	uint64_t suppressed;    /* Kicks that the device did not want. */
};

/* Caller's storage. Read `size`, `lie` and `counters`; the rest is private. */
struct virtq {
	const struct virtio_transport *transport;
	struct shared_region ring;
	struct virtq_slot *slots;
	size_t driver_offset; /* Available ring, or event suppression. */
	size_t device_offset;
	size_t tables_offset;
	uint16_t queue_index;
	uint16_t size;
	uint16_t table_count;
	uint16_t table_segments;
	uint16_t direct_segments;
	bool is_packed;
	bool has_events;
	bool is_in_order;
	bool interrupts_wanted;
	enum virtq_lie lie;

	uint16_t free_count; /* Ring entries. */
	uint16_t free_ids;
	uint16_t free_first; /* Where the list of free ids begins. */
	uint16_t free_tables;
	uint16_t chains_in_flight;
	uint16_t next_turn; /* Of the next chain; next_turn - chains_in_flight is the oldest. */
	uint32_t next_serial;
	uint32_t unannounced; /* Entries published since the last kick. */

	/* In order: chains before the one that was reported, and that one's length. */
	uint16_t batch_left;
	uint32_t batch_length;

	/* Split: shadow of the index that we published, completions taken, and the device's index
	 * as far as it was loaded and believed. All modulo 2^16. Packed: positions in the ring. */
	uint16_t available_index;
	uint16_t used_index;
	uint16_t used_seen;
	bool available_wrap; /* Packed: the wrap counters. */
	bool used_wrap;

	struct virtq_counters counters;
};

/* The size to use: the largest power of two that is not above `wanted`, VIRTQ_SIZE_MAX and the
 * device's claim; 0 if the device has no such queue. */
/*@ assigns \nothing;
    ensures \result <= VIRTQ_SIZE_MAX && \result <= wanted && \result <= device_size_max;
    ensures \result == 0 <==> wanted == 0 || device_size_max == 0; */
uint16_t virtq_size_choose(uint32_t device_size_max, uint16_t wanted);

/* Whole pages of ring and tables. */
size_t virtq_ring_pages(const struct virtq_config *config);

/* Takes over *ring (zeroed, at least virtq_ring_pages) and clears the caller's handle. Interrupts
 * start suppressed. */
void virtq_init(struct virtq *queue, const struct virtio_transport *transport,
		const struct virtq_config *config, struct shared_region *ring);

/* Where the queue lies, for the transport. */
void virtq_place(const struct virtq *queue, struct virtio_queue_place *place);

/* Hand a chain to the device: first all segments that it reads, then all that it writes. It is
 * visible to the device when this returns, but the device may sleep until virtq_kick().
 * STATUS_NO_MEMORY: not enough free entries; poll first. STATUS_INVALID: no segment, an empty
 * one, more than the queue has, a wrong order, or more than 4 GiB to write.
 * STATUS_BAD_HOST: poisoned. */
MUST_CHECK
enum status virtq_chain_submit(struct virtq *queue, const struct virtq_segment *segments,
			       uint16_t segment_count, struct virtq_token *token);

/* Would a chain of so many segments find room? */
bool virtq_has_room(const struct virtq *queue, uint16_t segment_count);

/* Tell the device of all that was submitted since the last kick, unless it asked not to be told;
 * one notification at most. It may lie there or its request may race with ours: whoever waits calls
 * virtq_kick_always() now and then. */
void virtq_kick(struct virtq *queue);
void virtq_kick_always(struct virtq *queue);

/* Take one completion, in whatever order the device finished. The chain's memory is ours again.
 * STATUS_AGAIN: nothing finished. STATUS_BAD_HOST: the queue is now poisoned.
 * `written_bytes` is the device's claim, at most the chain's writable bytes; it says nothing about
 * what was written. */
MUST_CHECK
enum status virtq_used_poll(struct virtq *queue, struct virtq_token *token,
			    uint32_t *written_bytes);

/* Does the device claim to have a completion for us? One load at most, not validated (the polls
 * are). False when poisoned. */
bool virtq_used_pending(const struct virtq *queue);

/* Ask for interrupts or for none; a hint to the device. After switching on, check
 * virtq_used_pending() before sleeping. */
void virtq_interrupts_want(struct virtq *queue, bool wanted);

bool virtq_is_poisoned(const struct virtq *queue);
const char *virtq_lie_name(enum virtq_lie lie);
