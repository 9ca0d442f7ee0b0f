// SPDX-License-Identifier: MIT
/* Between the books of a queue (virtq.c) and its two layouts. The books decide what is true; a
 * layout only writes entries, and loads what the device wrote.
 *
 * Each layout answers the same six questions. Nothing that it returns from shared memory has been
 * compared with the books, unless it says so. */
#pragma once

#include "virtio/virtq.h"

#define VIRTQ_NO_TABLE   UINT16_MAX
#define VIRTQ_DESC_BYTES ((size_t)16)

/* Descriptor flags, in the specification's spelling. */
#define VIRTQ_DESC_F_NEXT     1u
#define VIRTQ_DESC_F_WRITE    2u
#define VIRTQ_DESC_F_INDIRECT 4u

/* Where the three parts lie in the region; descriptors come first. */
struct virtq_parts {
	size_t driver_offset;
	size_t driver_bytes;
	size_t device_offset;
	size_t device_bytes;
};

/* What goes into the ring: the chain itself, or one segment that is its indirect table. */
struct virtq_entries {
	const struct virtq_segment *segments;
	uint16_t count;
	bool is_table;
};

/* Ids are handed out in the order in which they became free: with IN_ORDER that makes the split
 * layout use its descriptors in ring order, as section 2.7.10 demands, and otherwise it puts off
 * the reuse of an id for as long as possible. */
uint16_t virtq_id_take(struct virtq *queue);
void virtq_id_give(struct virtq *queue, uint16_t id);

/* Poisons the queue; STATUS_BAD_HOST. */
enum status virtq_poison(struct virtq *queue, enum virtq_lie lie);

/* Is `event`, where the other side wants to be told, among the last `count` of the entries up to
 * `now`? (Section 2.7.7.2.) All modulo 2^16. */
bool virtq_event_is_due(uint16_t event, uint16_t now, uint32_t count);

void virtq_split_parts(uint16_t size, struct virtq_parts *parts);
/* Publishes; returns the chain's id. Takes its own ids; the books count the entries. */
uint16_t virtq_split_publish(struct virtq *queue, const struct virtq_entries *entries);
/* The same segments as a table at `at`, to which one entry of the ring will point. */
void virtq_split_table_write(const struct virtq *queue, size_t at,
			     const struct virtq_entries *entries);
/* The next completion as the device reports it. STATUS_AGAIN: none. STATUS_BAD_HOST: it claims more
 * of them than there are chains in flight. */
enum status virtq_split_used_load(struct virtq *queue, uint32_t *id, uint32_t *length);
/* The chain's completion has been taken: its ids are free, the next completion comes behind it. */
void virtq_split_used_advance(struct virtq *queue, uint16_t id);
bool virtq_split_used_pending(const struct virtq *queue);
bool virtq_split_notify_wanted(const struct virtq *queue);
void virtq_split_interrupts_tell(const struct virtq *queue);

void virtq_packed_parts(uint16_t size, struct virtq_parts *parts);
uint16_t virtq_packed_publish(struct virtq *queue, const struct virtq_entries *entries);
void virtq_packed_table_write(const struct virtq *queue, size_t at,
			      const struct virtq_entries *entries);
enum status virtq_packed_used_load(struct virtq *queue, uint32_t *id, uint32_t *length);
void virtq_packed_used_advance(struct virtq *queue, uint16_t id);
bool virtq_packed_used_pending(const struct virtq *queue);
bool virtq_packed_notify_wanted(const struct virtq *queue);
void virtq_packed_interrupts_tell(const struct virtq *queue);
