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

/* What each function here finds: positions within the ring, which is ours. The books' counts and
 * lists are not part of it. */
/*@ predicate ring_is_sound{L}(struct virtq *q) =
      0 < q->size <= VIRTQ_SIZE_MAX && \valid(q->slots + (0 .. q->size - 1)) &&
      \valid(q->ring.owner) &&
      \separated(q, q->ring.owner, q->slots + (0 .. q->size - 1)) &&
      q->device_offset < 0x10000 && q->driver_offset < 0x10000;
    predicate split_is_sound{L}(struct virtq *q) =
      ring_is_sound(q) && q->device_offset % 8 == 4 && q->driver_offset % 2 == 0 &&
      VIRTQ_DESC_BYTES * q->size <= q->ring.size_bytes &&
      q->device_offset + 6 + 8 * q->size <= q->ring.size_bytes &&
      q->driver_offset + 6 + 2 * q->size <= q->ring.size_bytes;
    predicate packed_is_sound{L}(struct virtq *q) =
      ring_is_sound(q) && q->device_offset % 4 == 0 && q->driver_offset % 4 == 0 &&
      q->used_index < q->size && q->available_index < q->size &&
      VIRTQ_DESC_BYTES * q->size <= q->ring.size_bytes &&
      q->device_offset + 4 <= q->ring.size_bytes && q->driver_offset + 4 <= q->ring.size_bytes;
    predicate queue_is_sound{L}(struct virtq *q) =
      q->is_packed ? packed_is_sound(q) : split_is_sound(q);
    // How far an index is ahead of another, both modulo 2^16.
    logic integer distance(integer from, integer to) = to >= from ? to - from : to - from + 65536;
    // Chains in flight were submitted in the last turns.
    predicate turns_are_sound{L}(struct virtq *q) =
      \forall integer i; 0 <= i < q->size && q->slots[i].is_head ==>
	distance(distance(q->chains_in_flight, q->next_turn), q->slots[i].turn) <
	  q->chains_in_flight;
    logic integer announced{L}(struct virtq *q) = distance(q->used_index, q->used_seen); */

/* How far `to` is ahead of `from`: an index that went backwards is very far ahead. */
//@ assigns \nothing; ensures \result == distance(from, to);
static inline uint16_t virtq_distance(uint16_t from, uint16_t to)
{
	return (uint16_t)(to >= from ? to - from : to + 65536 - from);
}

//@ assigns \nothing; ensures \result == (index + 1) % 65536;
static inline uint16_t virtq_index_after(uint16_t index)
{
	return (uint16_t)((index + 1u) % 65536u);
}

/*@ requires \valid_read(queue);
    assigns \nothing;
    ensures \result == distance(queue->chains_in_flight, queue->next_turn); */
static inline uint16_t virtq_oldest_turn(const struct virtq *queue)
{
	return virtq_distance(queue->chains_in_flight, queue->next_turn);
}

/* Where in a ring an index points; sizes are powers of two. */
//@ requires 0 < size; assigns \nothing; ensures \result < size;
static inline uint16_t virtq_place_in(uint16_t size, uint16_t index)
{
	const uint16_t place = (uint16_t)(index & (size - 1u));
	//@ admit low_bits: place <= size - 1;
	return place;
}

/* What goes into the ring: the chain itself, or one segment that is its indirect table. */
struct virtq_entries {
	const struct virtq_segment *segments;
	uint16_t count;
	bool is_table;
};

/*@ predicate entries_are_sound{L}(struct virtq *q, struct virtq_entries *e) =
      \valid_read(e) && 0 < e->count <= q->size &&
      \valid_read(e->segments + (0 .. e->count - 1)) &&
      \separated(q, q->ring.owner, q->slots + (0 .. q->size - 1), e,
	e->segments + (0 .. e->count - 1));
    // A table lies within the region, where descriptors can.
    predicate table_fits{L}(struct virtq *q, integer at, struct virtq_entries *e) =
      \valid_read(q) && \valid(q->ring.owner) && \separated(q, q->ring.owner, e) &&
      0 <= at && at % 8 == 0 && at + VIRTQ_DESC_BYTES * e->count <= q->ring.size_bytes &&
      \valid_read(e) && \valid_read(e->segments + (0 .. e->count - 1)) &&
      \separated(q->ring.owner, e->segments + (0 .. e->count - 1)); */

/* The list of free ids is a ring of its own within the slots: `free_ids` places from `free_first`
 * on. Ids are handed out in the order in which they became free: with IN_ORDER that makes the split
 * layout use its descriptors in ring order, as section 2.7.10 demands, and otherwise it puts off
 * the reuse of an id for as long as possible. */
/*@ predicate is_listed(integer size, integer first, integer count, integer place) =
      0 <= place < size && (place >= first ? place - first : place + size - first) < count;
    predicate list_is_sound{L}(struct virtq_slot *s, integer size, integer first, integer count) =
      (\forall integer p; is_listed(size, first, count, p) ==>
	s[p].free_id < size && s[s[p].free_id].ring_entries == 0) &&
      (\forall integer p, r; is_listed(size, first, count, p) &&
	is_listed(size, first, count, r) && p != r ==> s[p].free_id != s[r].free_id);
    predicate ids_are_sound{L}(struct virtq *q) =
      0 < q->size <= VIRTQ_SIZE_MAX && \valid(q->slots + (0 .. q->size - 1)) &&
      \separated(q, q->slots + (0 .. q->size - 1)) &&
      q->free_first < q->size && q->free_ids <= q->size &&
      list_is_sound(q->slots, q->size, q->free_first, q->free_ids);
    predicate other_ids_kept{A, B}(struct virtq *q, integer id) =
      \forall integer i; 0 <= i < \at(q->size, A) && i != id ==>
	\at(q->slots[i].ring_entries, A) == \at(q->slots[i].ring_entries, B); */

/* Split: each entry of a chain but its last has a next one, which is the next one of no other and
 * no chain's first. Since the entries left count down along the links, a chain in flight has
 * exactly the entries that its id says, none of them twice, none free, and none is another's.
 * `a` and `b`: entries whose links are not written yet; -1 for none. */
/*@ predicate has_next{L}(struct virtq_slot *s, integer size, integer a, integer b, integer i) =
      0 <= i < size && i != a && i != b && s[i].ring_entries > 1;
    predicate is_unlinked{L}(struct virtq_slot *s, integer size, integer a, integer b,
      integer id) = \forall integer i; has_next(s, size, a, b, i) ==> s[i].next != id;
    predicate links_count{L}(struct virtq_slot *s, integer size, integer a, integer b) =
      \forall integer i; has_next(s, size, a, b, i) ==> s[i].next < size &&
	s[s[i].next].ring_entries == s[i].ring_entries - 1 && !s[s[i].next].is_head;
    predicate links_differ{L}(struct virtq_slot *s, integer size, integer a, integer b) =
      \forall integer i, j; has_next(s, size, a, b, i) && has_next(s, size, a, b, j) &&
	i != j ==> s[i].next != s[j].next;
    predicate links_are_sound{L}(struct virtq_slot *s, integer size, integer a, integer b) =
      links_count(s, size, a, b) && links_differ(s, size, a, b) &&
      (\forall integer i; 0 <= i < size && s[i].is_head ==> s[i].ring_entries != 0);
    predicate chains_are_sound{L}(struct virtq *q) = links_are_sound(q->slots, q->size, -1, -1);
    predicate other_heads_kept{A, B}(struct virtq_slot *s, integer size, integer id) =
      \forall integer i; 0 <= i < size && i != id && \at(s[i].is_head, A) ==>
	\at(s[i].ring_entries, B) == \at(s[i].ring_entries, A);
    predicate links_kept{A, B}(struct virtq_slot *s, integer size) =
      \forall integer i; 0 <= i < size ==> \at(s[i].next, A) == \at(s[i].next, B);
    predicate ids_kept{A, B}(struct virtq_slot *s, integer size) =
      \forall integer i; 0 <= i < size ==> \at(s[i].free_id, A) == \at(s[i].free_id, B) &&
	\at(s[i].ring_entries, A) == \at(s[i].ring_entries, B);
    // What was taken before is as it was.
    predicate chains_kept{A, B}(struct virtq_slot *s, integer size) =
      \forall integer i; 0 <= i < size && \at(s[i].ring_entries, A) != 0 ==>
	\at(s[i].ring_entries, B) == \at(s[i].ring_entries, A) &&
	\at(s[i].next, B) == \at(s[i].next, A);
    predicate slots_kept{A, B}(struct virtq_slot *s, integer size) =
      ids_kept{A, B}(s, size) && links_kept{A, B}(s, size) &&
      (\forall integer i; 0 <= i < size ==>
	(\at(s[i].is_head, A) <==> \at(s[i].is_head, B))); */

/* Packed: an id stands for its whole chain, which is not longer than the ring. */
/*@ predicate counts_fit{L}(struct virtq_slot *s, integer size) =
      \forall integer i; 0 <= i < size ==> s[i].ring_entries <= size;
    logic integer moved(integer size, integer place, integer count) =
      place + count < size ? place + count : place + count - size; */

/* All ids are free, and there is no chain. */
/*@ requires \valid(queue) && 0 < queue->size <= VIRTQ_SIZE_MAX;
    requires \valid(queue->slots + (0 .. queue->size - 1));
    requires \separated(queue, queue->slots + (0 .. queue->size - 1));
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1];
    ensures ids_are_sound(queue) && queue->free_ids == queue->size;
    ensures chains_are_sound(queue); */
void virtq_ids_init(struct virtq *queue);
/* A free id, for the entry of a chain from which on it has `ring_entries`. It is not free any more:
 * whoever takes it is the only one. */
/*@ requires \valid(queue) && ids_are_sound(queue) && queue->free_ids > 0 && ring_entries > 0;
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1].ring_entries;
    ensures ids_are_sound(queue) && queue->free_ids == \old(queue->free_ids) - 1;
    ensures \result < queue->size && queue->slots[\result].ring_entries == ring_entries;
    ensures \at(queue->slots[\at(\result, Post)].ring_entries, Pre) == 0;
    ensures other_ids_kept{Pre, Post}(queue, \result);
    ensures queue->slots == \old(queue->slots) && queue->size == \old(queue->size);
    ensures links_kept{Pre, Post}(queue->slots, queue->size); */
uint16_t virtq_id_take(struct virtq *queue, uint16_t ring_entries);
/* An id that is free already ends in CHECK. */
/*@ requires \valid(queue) && ids_are_sound(queue) && id < queue->size;
    requires queue->slots[id].ring_entries != 0;
    assigns queue->free_ids, queue->slots[0 .. queue->size - 1].free_id,
      queue->slots[id].ring_entries;
    ensures ids_are_sound(queue) && queue->free_ids == \old(queue->free_ids) + 1;
    ensures queue->slots[id].ring_entries == 0 && other_ids_kept{Pre, Post}(queue, id);
    ensures queue->slots == \old(queue->slots) && queue->size == \old(queue->size);
    ensures links_kept{Pre, Post}(queue->slots, queue->size); */
void virtq_id_give(struct virtq *queue, uint16_t id);

/* Poisons the queue; STATUS_BAD_HOST. */
/*@ requires \valid(queue);
    assigns queue->lie;
    ensures \result == STATUS_BAD_HOST && queue->lie == lie; */
enum status virtq_poison(struct virtq *queue, enum virtq_lie lie);

/* Load the next report and judge it: the id of a chain in flight, which is done, and with it the
 * `batch_left` chains up to it. */
/*@ requires \valid(queue) && queue_is_sound(queue) && queue->lie == VIRTQ_LIE_NONE;
    requires queue->is_in_order ==> turns_are_sound(queue);
    requires !queue->is_packed ==> announced(queue) <= queue->chains_in_flight;
    requires \valid(id) && \separated(id, queue, queue->ring.owner,
      queue->slots + (0 .. queue->size - 1));
    assigns *id, queue->used_seen, queue->lie, queue->batch_left, queue->batch_length,
      queue->ring.owner->counters.loads;
    ensures queue_is_sound(queue);
    ensures \result == STATUS_OK || \result == STATUS_AGAIN || \result == STATUS_BAD_HOST;
    ensures \result == STATUS_BAD_HOST <==> queue->lie != VIRTQ_LIE_NONE;
    ensures \result == STATUS_OK ==> *id < queue->size && queue->slots[*id].is_head &&
      queue->batch_length <= queue->slots[*id].writable_bytes;
    ensures !queue->is_packed ==> announced(queue) <= queue->chains_in_flight;
    ensures \result == STATUS_OK && !queue->is_packed ==> 0 < announced(queue);
    ensures \result != STATUS_OK ==> queue->batch_left == \old(queue->batch_left) &&
      queue->batch_length == \old(queue->batch_length); */
enum status virtq_completion_load(struct virtq *queue, uint16_t *id);

/* Is `event`, where the other side wants to be told, among the last `count` of the entries up to
 * `now`? (Section 2.7.7.2.) All modulo 2^16. */
//@ assigns \nothing;
bool virtq_event_is_due(uint16_t event, uint16_t now, uint32_t count);

/*@ requires 0 < size <= VIRTQ_SIZE_MAX && \valid(parts);
    assigns *parts;
    ensures parts->driver_offset == VIRTQ_DESC_BYTES * size && parts->device_offset % 8 == 4;
    ensures parts->driver_offset + parts->driver_bytes <= parts->device_offset;
    ensures parts->driver_bytes == 6 + 2 * size && parts->device_bytes == 6 + 8 * size; */
void virtq_split_parts(uint16_t size, struct virtq_parts *parts);
/* Publishes; returns the chain's id. Takes its own ids; the books count the entries. */
/*@ requires \valid(queue) && split_is_sound(queue) && ids_are_sound(queue);
    requires chains_are_sound(queue) && entries_are_sound(queue, entries);
    requires queue->free_ids >= entries->count;
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1].ring_entries,
      queue->slots[0 .. queue->size - 1].next, queue->slots[0 .. queue->size - 1].is_head,
      queue->available_index, queue->unannounced, queue->ring.owner->counters.stores;
    ensures ids_are_sound(queue) && chains_are_sound(queue);
    ensures queue->free_ids == \old(queue->free_ids - entries->count);
    ensures \result < queue->size && queue->slots[\result].is_head;
    ensures queue->slots[\result].ring_entries == \old(entries->count);
    ensures \at(queue->slots[\at(\result, Post)].ring_entries, Pre) == 0;
    ensures chains_kept{Pre, Post}(queue->slots, queue->size); */
uint16_t virtq_split_publish(struct virtq *queue, const struct virtq_entries *entries);
/* The same segments as a table at `at`, to which one entry of the ring will point. */
/*@ requires table_fits(queue, at, entries);
    assigns queue->ring.owner->counters.stores; */
void virtq_split_table_write(const struct virtq *queue, size_t at,
			     const struct virtq_entries *entries);
/* The next completion as the device reports it. STATUS_AGAIN: none. STATUS_BAD_HOST: it claims more
 * of them than there are chains in flight. */
/*@ requires \valid(queue) && split_is_sound(queue) && queue->lie == VIRTQ_LIE_NONE;
    requires \valid(id) && \valid(length) && announced(queue) <= queue->chains_in_flight;
    requires \separated(id, length, queue, queue->ring.owner,
      queue->slots + (0 .. queue->size - 1));
    assigns *id, *length, queue->used_seen, queue->lie, queue->ring.owner->counters.loads;
    ensures \result == STATUS_OK || \result == STATUS_AGAIN || \result == STATUS_BAD_HOST;
    ensures \result == STATUS_BAD_HOST <==> queue->lie != VIRTQ_LIE_NONE;
    ensures announced(queue) <= queue->chains_in_flight;
    ensures \result == STATUS_OK ==> announced(queue) > 0;
    ensures \result != STATUS_OK ==> queue->used_seen == \old(queue->used_seen); */
enum status virtq_split_used_load(struct virtq *queue, uint32_t *id, uint32_t *length);
/* The chain's completion has been taken: its ids are free, the next completion comes behind it. */
/*@ requires \valid(queue) && split_is_sound(queue) && ids_are_sound(queue);
    requires chains_are_sound(queue) && id < queue->size && queue->slots[id].is_head;
    assigns queue->free_ids, queue->slots[0 .. queue->size - 1].free_id,
      queue->slots[0 .. queue->size - 1].ring_entries, queue->slots[id].is_head,
      queue->used_index, queue->ring.owner->counters.stores;
    ensures ids_are_sound(queue) && chains_are_sound(queue) && !queue->slots[id].is_head;
    ensures queue->free_ids == \old(queue->free_ids + queue->slots[id].ring_entries);
    ensures queue->used_index == (\old(queue->used_index) + 1) % 65536;
    ensures other_heads_kept{Pre, Post}(queue->slots, queue->size, id); */
void virtq_split_used_advance(struct virtq *queue, uint16_t id);
/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns queue->ring.owner->counters.loads; */
bool virtq_split_used_pending(const struct virtq *queue);
/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns queue->ring.owner->counters.loads; */
bool virtq_split_notify_wanted(const struct virtq *queue);
/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns queue->ring.owner->counters.stores; */
void virtq_split_interrupts_tell(const struct virtq *queue);

/*@ requires 0 < size <= VIRTQ_SIZE_MAX && \valid(parts);
    assigns *parts;
    ensures VIRTQ_DESC_BYTES * size <= parts->driver_offset && parts->driver_offset % 64 == 0;
    ensures parts->driver_offset + parts->driver_bytes <= parts->device_offset;
    ensures parts->device_offset % 64 == 0 && parts->device_bytes == 4; */
void virtq_packed_parts(uint16_t size, struct virtq_parts *parts);
/* As virtq_split_publish(), but that one id is all that a chain takes. */
/*@ requires \valid(queue) && packed_is_sound(queue) && ids_are_sound(queue);
    requires counts_fit(queue->slots, queue->size);
    requires entries_are_sound(queue, entries) && queue->free_ids > 0;
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1].ring_entries,
      queue->slots[0 .. queue->size - 1].is_head, queue->available_index, queue->available_wrap,
      queue->unannounced, queue->ring.owner->counters.stores;
    ensures packed_is_sound(queue) && ids_are_sound(queue);
    ensures counts_fit(queue->slots, queue->size);
    ensures queue->free_ids == \old(queue->free_ids) - 1;
    ensures queue->available_index ==
      moved(queue->size, \old(queue->available_index), \old(entries->count));
    ensures \result < queue->size && queue->slots[\result].is_head;
    ensures queue->slots[\result].ring_entries == \old(entries->count);
    ensures \at(queue->slots[\at(\result, Post)].ring_entries, Pre) == 0;
    ensures other_ids_kept{Pre, Post}(queue, \result); */
uint16_t virtq_packed_publish(struct virtq *queue, const struct virtq_entries *entries);
/*@ requires table_fits(queue, at, entries);
    assigns queue->ring.owner->counters.stores; */
void virtq_packed_table_write(const struct virtq *queue, size_t at,
			      const struct virtq_entries *entries);
/*@ requires \valid(queue) && packed_is_sound(queue) && \valid(id) && \valid(length);
    requires \separated(id, length, queue, queue->ring.owner,
      queue->slots + (0 .. queue->size - 1));
    assigns *id, *length, queue->ring.owner->counters.loads;
    ensures \result == STATUS_OK || \result == STATUS_AGAIN; */
enum status virtq_packed_used_load(struct virtq *queue, uint32_t *id, uint32_t *length);
/* The next completion comes behind as many entries as the chain has. */
/*@ requires \valid(queue) && packed_is_sound(queue) && ids_are_sound(queue);
    requires counts_fit(queue->slots, queue->size);
    requires id < queue->size && queue->slots[id].ring_entries != 0;
    assigns queue->free_ids, queue->slots[0 .. queue->size - 1].free_id,
      queue->slots[id].ring_entries, queue->slots[id].is_head, queue->used_index,
      queue->used_wrap, queue->ring.owner->counters.stores;
    ensures packed_is_sound(queue) && ids_are_sound(queue);
    ensures counts_fit(queue->slots, queue->size);
    ensures queue->free_ids == \old(queue->free_ids) + 1;
    ensures queue->used_index ==
      moved(queue->size, \old(queue->used_index), \old(queue->slots[id].ring_entries));
    ensures queue->slots[id].ring_entries == 0 && !queue->slots[id].is_head;
    ensures other_ids_kept{Pre, Post}(queue, id); */
void virtq_packed_used_advance(struct virtq *queue, uint16_t id);
/*@ requires \valid_read(queue) && packed_is_sound(queue);
    assigns queue->ring.owner->counters.loads; */
bool virtq_packed_used_pending(const struct virtq *queue);
/*@ requires \valid_read(queue) && packed_is_sound(queue);
    assigns queue->ring.owner->counters.loads; */
bool virtq_packed_notify_wanted(const struct virtq *queue);
/*@ requires \valid_read(queue) && packed_is_sound(queue);
    assigns queue->ring.owner->counters.stores; */
void virtq_packed_interrupts_tell(const struct virtq *queue);
