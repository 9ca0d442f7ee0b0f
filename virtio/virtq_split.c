// SPDX-License-Identifier: MIT
/* The split layout, virtio 1.2, section 2.7: descriptor table, available ring, used ring.
 *
 *   descriptor  u64 address, u32 length, u16 flags, u16 next         (16 bytes each)
 *   available   u16 flags, u16 index, u16 head[size], u16 used_event
 *   used        u16 flags, u16 index, {u32 id, u32 length}[size], u16 avail_event
 *
 * The used ring starts where its elements are aligned to 8 bytes, so that one load takes id and
 * length together. Its index is loaded only when all completions that it announced are taken. */
#include "base/check.h"
#include "virtio/virtq_internal.h"

#define DRIVER_BYTES(n)            (6u + 2u * (size_t)(n))
#define DEVICE_BYTES(n)            (6u + 8u * (size_t)(n))
#define RING_FLAGS                 0u /* In the available and the used ring alike. */
#define RING_INDEX                 2u
#define RING_ENTRIES               4u
#define AVAILABLE_ENTRY_BYTES      ((size_t)2)
#define USED_ENTRY_BYTES           ((size_t)8)

#define VIRTQ_AVAIL_F_NO_INTERRUPT 1u
#define VIRTQ_USED_F_NO_NOTIFY     1u

void virtq_split_parts(uint16_t size, struct virtq_parts *parts)
{
	const size_t driver_offset = VIRTQ_DESC_BYTES * size;
	const size_t end = driver_offset + DRIVER_BYTES(size) + RING_ENTRIES;
	*parts = (struct virtq_parts){
		.driver_offset = driver_offset,
		.driver_bytes = DRIVER_BYTES(size),
		.device_offset =
			(end + USED_ENTRY_BYTES - 1) / USED_ENTRY_BYTES * USED_ENTRY_BYTES -
			RING_ENTRIES,
		.device_bytes = DEVICE_BYTES(size),
	};
}

/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns \nothing;
    ensures \result == queue->driver_offset + 4 + 2 * queue->size; */
static size_t used_event_offset(const struct virtq *queue)
{
	return queue->driver_offset + RING_ENTRIES + AVAILABLE_ENTRY_BYTES * queue->size;
}

/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns \nothing;
    ensures \result == queue->device_offset + 4 + 8 * queue->size; */
static size_t avail_event_offset(const struct virtq *queue)
{
	return queue->device_offset + RING_ENTRIES + USED_ENTRY_BYTES * queue->size;
}

/* Two 64-bit stores: address; then length, flags and next. Never read back. `flags` comes without
 * WRITE. */
/*@ requires \valid_read(queue) && \valid(queue->ring.owner) && \valid_read(segment);
    requires \separated(queue, queue->ring.owner) && flags < 65536 - VIRTQ_DESC_F_WRITE;
    requires at % 8 == 0 && at + VIRTQ_DESC_BYTES <= queue->ring.size_bytes;
    assigns queue->ring.owner->counters.stores; */
static void descriptor_write(const struct virtq *queue, size_t at,
			     const struct virtq_segment *segment, uint64_t flags, uint16_t next)
{
	flags += segment->device_writes ? VIRTQ_DESC_F_WRITE : 0u;
	shared_store_pair(&queue->ring, at, segment->at.raw,
			  segment->len_bytes | flags * 0x100000000u | next * 0x1000000000000u);
}

void virtq_split_table_write(const struct virtq *queue, size_t at,
			     const struct virtq_entries *entries)
{
	/*@ loop invariant i <= entries->count;
	    loop assigns i, queue->ring.owner->counters.stores;
	    loop variant entries->count - i; */
	for (uint16_t i = 0; i < entries->count; i++) {
		const bool has_next = i + 1 < entries->count;
		descriptor_write(queue, at + VIRTQ_DESC_BYTES * i, &entries->segments[i],
				 has_next ? VIRTQ_DESC_F_NEXT : 0u,
				 (uint16_t)(has_next ? i + 1 : 0));
	}
}

/* One entry more, to which none has a link: so the others' links are as sound as before. */
/*@ predicate entry_taken{A, B}(struct virtq_slot *s, integer size, integer open, integer id) =
      0 <= id < size && \at(s[id].ring_entries, A) == 0 && links_kept{A, B}(s, size) &&
      (\forall integer i; 0 <= i < size && i != id ==>
	\at(s[i].ring_entries, A) == \at(s[i].ring_entries, B)) &&
      (\forall integer i; 0 <= i < size ==>
	(\at(s[i].is_head, A) <==> \at(s[i].is_head, B)));
    lemma taken_links_count{A, B}: \forall struct virtq_slot *s, integer size, open, id;
      entry_taken{A, B}(s, size, open, id) && links_count{A}(s, size, open, -1) ==>
      links_count{B}(s, size, open, id) && is_unlinked{B}(s, size, open, id, id);
    lemma taken_links_differ{A, B}: \forall struct virtq_slot *s, integer size, open, id;
      entry_taken{A, B}(s, size, open, id) && links_differ{A}(s, size, open, -1) ==>
      links_differ{B}(s, size, open, id);
    lemma taken_links{A, B}: \forall struct virtq_slot *s, integer size, open, id;
      entry_taken{A, B}(s, size, open, id) && links_are_sound{A}(s, size, open, -1) ==>
      links_are_sound{B}(s, size, open, id);
    lemma taken_unlinked{A, B}: \forall struct virtq_slot *s, integer size, open, id, other;
      entry_taken{A, B}(s, size, open, id) && is_unlinked{A}(s, size, open, -1, other) ==>
      is_unlinked{B}(s, size, open, id, other); */

/* Link the open entry `index` to `next`, in whose place that one is open. */
/*@ requires \valid(slots + (0 .. size - 1)) && index < size && next < size && index != next;
    requires links_are_sound(slots, size, index, next) && slots[index].ring_entries > 1;
    requires slots[next].ring_entries == slots[index].ring_entries - 1 && !slots[next].is_head;
    requires is_unlinked(slots, size, index, next, next);
    assigns slots[index].next;
    ensures links_count(slots, size, next, -1) && links_differ(slots, size, next, -1);
    ensures links_are_sound(slots, size, next, -1) && slots[index].next == next;
    ensures ids_kept{Pre, Post}(slots, size);
    ensures \forall integer first, count; list_is_sound{Pre}(slots, size, first, count) ==>
      list_is_sound(slots, size, first, count);
    ensures \forall integer i; 0 <= i < size && i != index ==>
      slots[i].next == \old(slots[i].next);
    ensures \forall integer id; id != next && is_unlinked{Pre}(slots, size, index, next, id) ==>
      is_unlinked(slots, size, next, -1, id); */
static inline void link_write(struct virtq_slot *slots, uint16_t size, uint16_t index,
			      uint16_t next)
{
	(void)size;
	slots[index].next = next;
	//@ assert ids_kept{Pre, Here}(slots, size);
	/*@ assert \forall integer i; has_next(slots, size, next, -1, i) && i != index ==>
	      has_next{Pre}(slots, size, index, next, i) &&
	      slots[i].next == \at(slots[i].next, Pre); */
}

/* Take a descriptor and link it behind `index`, the open one, in whose place it is open then. */
/*@ requires \valid(queue) && ids_are_sound(queue) && queue->free_ids > 0;
    requires index < queue->size && queue->slots[index].ring_entries > 1;
    requires links_are_sound(queue->slots, queue->size, index, -1);
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1].ring_entries,
      queue->slots[index].next;
    ensures ids_are_sound(queue) && queue->free_ids == \old(queue->free_ids) - 1;
    ensures queue->slots == \old(queue->slots) && queue->size == \old(queue->size);
    ensures \result < queue->size && links_are_sound(queue->slots, queue->size, \result, -1);
    ensures queue->slots[\result].ring_entries == \old(queue->slots[index].ring_entries) - 1;
    ensures \at(queue->slots[\at(\result, Post)].ring_entries, Pre) == 0;
    ensures queue->slots[index].next == \result && other_ids_kept{Pre, Post}(queue, \result);
    ensures \forall integer i; 0 <= i < queue->size && i != index ==>
      queue->slots[i].next == \old(queue->slots[i].next);
    ensures \forall integer id; 0 <= id < queue->size && id != \result &&
      is_unlinked{Pre}(queue->slots, queue->size, index, -1, id) ==>
      is_unlinked(queue->slots, queue->size, \result, -1, id); */
static uint16_t link_add(struct virtq *queue, uint16_t index)
{
	const uint16_t left = (uint16_t)(queue->slots[index].ring_entries - 1);
	const uint16_t next = virtq_id_take(queue, left);
	//@ ghost taken: ;
	//@ assert entry_taken{Pre, Here}(queue->slots, queue->size, index, next);
	link_write(queue->slots, queue->size, index, next);
	/*@ assert queue->slots == \at(queue->slots, taken) && queue->size == \at(queue->size,
	   taken) && queue->free_first == \at(queue->free_first, taken) && queue->free_ids ==
	   \at(queue->free_ids, taken); */
	/*@ assert \forall integer i; 0 <= i < queue->size && i != next ==>
	      queue->slots[i].ring_entries == \at(queue->slots[i].ring_entries, Pre); */
	return next;
}

/* The first entry of a chain of `count`, whose link is open. */
/*@ requires \valid(queue) && ids_are_sound(queue) && chains_are_sound(queue);
    requires 0 < count <= queue->free_ids;
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1].ring_entries;
    ensures ids_are_sound(queue) && queue->free_ids == \old(queue->free_ids) - 1;
    ensures queue->slots == \old(queue->slots) && queue->size == \old(queue->size);
    ensures \result < queue->size && queue->slots[\result].ring_entries == count;
    ensures \at(queue->slots[\at(\result, Post)].ring_entries, Pre) == 0;
    ensures links_are_sound(queue->slots, queue->size, \result, -1);
    ensures is_unlinked(queue->slots, queue->size, \result, -1, \result);
    ensures chains_kept{Pre, Post}(queue->slots, queue->size); */
static uint16_t chain_begin(struct virtq *queue, uint16_t count)
{
	const uint16_t head = virtq_id_take(queue, count);
	/*@ assert \forall integer i; has_next(queue->slots, queue->size, head, -1, i) ==>
	      has_next{Pre}(queue->slots, queue->size, -1, -1, i) &&
	      queue->slots[i].next == \at(queue->slots[i].next, Pre) &&
	      queue->slots[i].next != head; */
	//@ assert links_count(queue->slots, queue->size, head, -1);
	//@ assert links_differ(queue->slots, queue->size, head, -1);
	return head;
}

/* The open entry is the chain's last one, so the chain is complete. */
/*@ requires \valid(slots + (0 .. size - 1)) && head < size && last < size;
    requires links_are_sound(slots, size, last, -1) && slots[last].ring_entries == 1;
    requires is_unlinked(slots, size, last, -1, head) && slots[head].ring_entries != 0;
    assigns slots[head].is_head;
    ensures links_are_sound(slots, size, -1, -1) && slots[head].is_head; */
static inline void chain_close(struct virtq_slot *slots, uint16_t size, uint16_t head,
			       uint16_t last)
{
	(void)size;
	(void)last;
	/*@ assert \forall integer i; has_next(slots, size, -1, -1, i) ==>
	      has_next(slots, size, last, -1, i) && slots[i].next != head; */
	slots[head].is_head = true;
}

/* Take descriptors off the free list and link them, in private and in the table. */
/*@ requires \valid(queue) && split_is_sound(queue) && ids_are_sound(queue);
    requires chains_are_sound(queue) && entries_are_sound(queue, entries);
    requires queue->free_ids >= entries->count;
    assigns queue->free_first, queue->free_ids, queue->slots[0 .. queue->size - 1].ring_entries,
      queue->slots[0 .. queue->size - 1].next, queue->slots[0 .. queue->size - 1].is_head,
      queue->ring.owner->counters.stores;
    ensures ids_are_sound(queue) && chains_are_sound(queue);
    ensures queue->slots == \old(queue->slots) && queue->size == \old(queue->size);
    ensures queue->free_ids == \old(queue->free_ids - entries->count);
    ensures \result < queue->size && queue->slots[\result].is_head;
    ensures queue->slots[\result].ring_entries == \old(entries->count);
    ensures \at(queue->slots[\at(\result, Post)].ring_entries, Pre) == 0;
    ensures chains_kept{Pre, Post}(queue->slots, queue->size); */
static uint16_t chain_write(struct virtq *queue, const struct virtq_entries *entries)
{
	const struct virtq_segment *segments = entries->segments;
	const uint16_t count = entries->count;
	const uint64_t table = entries->is_table ? VIRTQ_DESC_F_INDIRECT : 0u;
	struct virtq_slot *slots = queue->slots;
	//@ ghost uint16_t size = queue->size;
	/*@ assert VIRTQ_DESC_BYTES * size <= queue->ring.size_bytes &&
	      \valid_read(segments + (0 .. count - 1)) && \valid(queue->ring.owner) &&
	      \valid(slots + (0 .. size - 1)) && \separated(queue, queue->ring.owner); */
	//@ assert \forall integer i; 0 <= i < count ==> \valid_read(segments + i);
	const uint16_t head = chain_begin(queue, count);
	//@ assert \valid(slots + head);
	uint16_t index = head;
	/*@ loop invariant i < count && index < queue->size && ids_are_sound(queue);
	    loop invariant queue->slots == \at(queue->slots, Pre);
	    loop invariant queue->size == \at(queue->size, Pre);
	    loop invariant queue->ring.size_bytes == \at(queue->ring.size_bytes, Pre);
	    loop invariant queue->free_ids == \at(queue->free_ids, Pre) - 1 - i;
	    loop invariant queue->slots[head].ring_entries == count;
	    loop invariant queue->slots[index].ring_entries == count - i;
	    loop invariant links_are_sound(queue->slots, queue->size, index, -1);
	    loop invariant is_unlinked(queue->slots, queue->size, index, -1, head);
	    loop invariant chains_kept{Pre, Here}(queue->slots, queue->size);
	    loop invariant \at(queue->slots[\at(index, Here)].ring_entries, Pre) == 0;
	    loop assigns i, index, queue->free_first, queue->free_ids, slots[0 .. size -
	   1].ring_entries, slots[0 .. size - 1].next, queue->ring.owner->counters.stores; loop
	   variant count - i; */
	for (uint16_t i = 0; i + 1 < count; i++) {
		//@ assert VIRTQ_DESC_BYTES * (index + 1) <= queue->ring.size_bytes;
		const uint16_t next = link_add(queue, index);
		//@ assert next != head;
		descriptor_write(queue, VIRTQ_DESC_BYTES * index, &segments[i],
				 VIRTQ_DESC_F_NEXT + table, next);
		index = next;
	}
	descriptor_write(queue, VIRTQ_DESC_BYTES * index, &segments[count - 1], table, 0);
	chain_close(slots, queue->size, head, index);
	return head;
}

/* A position that moves touches neither links nor the list of free ids. */
/*@ lemma kept_list{A, B}: \forall struct virtq_slot *s, integer size, first, count;
      slots_kept{A, B}(s, size) && list_is_sound{A}(s, size, first, count) ==>
      list_is_sound{B}(s, size, first, count);
    lemma kept_links{A, B}: \forall struct virtq_slot *s, integer size;
      slots_kept{A, B}(s, size) && links_are_sound{A}(s, size, -1, -1) ==>
      links_are_sound{B}(s, size, -1, -1);
    lemma kept_chains{A, B, C}: \forall struct virtq_slot *s, integer size;
      chains_kept{A, B}(s, size) && slots_kept{B, C}(s, size) ==> chains_kept{A, C}(s, size);
    lemma kept_heads{A, B, C}: \forall struct virtq_slot *s, integer size, id;
      other_heads_kept{A, B}(s, size, id) && slots_kept{B, C}(s, size) ==>
      other_heads_kept{A, C}(s, size, id); */

/* Show the device the chain that begins at `head`. */
/*@ requires \valid(queue) && split_is_sound(queue);
    assigns queue->available_index, queue->unannounced, queue->ring.owner->counters.stores;
    ensures slots_kept{Pre, Post}(queue->slots, queue->size); */
static void head_publish(struct virtq *queue, uint16_t head)
{
	/* The index is stored last, and with release ordering: the device must not see it before
	 * the entry and the descriptors (section 2.7.13). */
	const size_t slot = virtq_place_in(queue->size, queue->available_index);
	shared_store_u16(&queue->ring,
			 queue->driver_offset + RING_ENTRIES + AVAILABLE_ENTRY_BYTES * slot, head);
	const uint16_t index = virtq_index_after(queue->available_index);
	shared_store_u16(&queue->ring, queue->driver_offset + RING_INDEX, index);
	queue->available_index = index;
	//@ admit counter: queue->unannounced < UINT32_MAX;
	queue->unannounced++;
}

uint16_t virtq_split_publish(struct virtq *queue, const struct virtq_entries *entries)
{
	const uint16_t head = chain_write(queue, entries);
	head_publish(queue, head);
	return head;
}

/* The difference is modular, so an index that went backwards is a huge claim. */
/*@ requires \valid_read(queue) && split_is_sound(queue);
    assigns queue->ring.owner->counters.loads; */
static uint16_t index_load(const struct virtq *queue)
{
	return shared_load_u16(&queue->ring, queue->device_offset + RING_INDEX);
}

enum status virtq_split_used_load(struct virtq *queue, uint32_t *id, uint32_t *length)
{
	if (queue->used_seen == queue->used_index) {
		const uint16_t index = index_load(queue);
		if (index == queue->used_index) {
			return STATUS_AGAIN;
		}
		if (virtq_distance(queue->used_index, index) > queue->chains_in_flight) {
			return virtq_poison(queue, VIRTQ_LIE_USED_INDEX);
		}
		queue->used_seen = index;
	}
	//@ assert 0 < announced(queue) <= queue->chains_in_flight;
	const size_t slot = virtq_place_in(queue->size, queue->used_index);
	/* The id has 32 bits: cut to 16, 0x10003 would pass for 3. */
	const uint64_t element = shared_load_u64(&queue->ring, queue->device_offset + RING_ENTRIES +
								       USED_ENTRY_BYTES * slot);
	const uint32_t high = (uint32_t)(element / 0x100000000u);
	*id = (uint32_t)(element - high * (uint64_t)0x100000000u);
	*length = high;
	return STATUS_OK;
}

/* One entry less, to which none had a link: the links of the others are as sound as before. */
/*@ predicate entry_given{A, B}(struct virtq_slot *s, integer size, integer id) =
      0 <= id < size && \at(s[id].ring_entries, B) == 0 && links_kept{A, B}(s, size) &&
      (\forall integer i; 0 <= i < size && i != id ==>
	\at(s[i].ring_entries, A) == \at(s[i].ring_entries, B)) &&
      (\forall integer i; 0 <= i < size ==>
	(\at(s[i].is_head, A) <==> \at(s[i].is_head, B))) &&
      !\at(s[id].is_head, A) && is_unlinked{A}(s, size, -1, -1, id);
    lemma given_links_count{A, B}: \forall struct virtq_slot *s, integer size, id;
      entry_given{A, B}(s, size, id) && links_count{A}(s, size, -1, -1) ==>
      links_count{B}(s, size, -1, -1);
    lemma given_links_differ{A, B}: \forall struct virtq_slot *s, integer size, id;
      entry_given{A, B}(s, size, id) && links_differ{A}(s, size, -1, -1) ==>
      links_differ{B}(s, size, -1, -1);
    lemma given_next{A, B}: \forall struct virtq_slot *s, integer size, id;
      entry_given{A, B}(s, size, id) && links_differ{A}(s, size, -1, -1) &&
      \at(s[id].ring_entries, A) > 1 ==> is_unlinked{B}(s, size, -1, -1, \at(s[id].next, A));
    lemma given_heads{A, B, C}: \forall struct virtq_slot *s, integer size;
      other_heads_kept{A, B}(s, size, -1) && other_heads_kept{B, C}(s, size, -1) &&
      (\forall integer i; 0 <= i < size && \at(s[i].is_head, A) ==> \at(s[i].is_head, B)) ==>
      other_heads_kept{A, C}(s, size, -1); */

/* Give an entry back to which no other has a link. The one behind it, by its private link. */
/*@ requires \valid(queue) && ids_are_sound(queue) && chains_are_sound(queue);
    requires id < queue->size && queue->slots[id].ring_entries != 0 && !queue->slots[id].is_head;
    requires is_unlinked(queue->slots, queue->size, -1, -1, id);
    assigns queue->free_ids, queue->slots[0 .. queue->size - 1].free_id,
      queue->slots[id].ring_entries;
    ensures ids_are_sound(queue) && queue->free_ids == \old(queue->free_ids) + 1;
    ensures queue->slots == \old(queue->slots) && queue->size == \old(queue->size);
    ensures chains_are_sound(queue) && other_ids_kept{Pre, Post}(queue, id);
    ensures other_heads_kept{Pre, Post}(queue->slots, queue->size, -1);
    ensures \old(queue->slots[id].ring_entries) > 1 ==> \result < queue->size &&
      !queue->slots[\result].is_head &&
      queue->slots[\result].ring_entries == \old(queue->slots[id].ring_entries) - 1 &&
      is_unlinked(queue->slots, queue->size, -1, -1, \result); */
static uint16_t entry_give(struct virtq *queue, uint16_t id)
{
	const uint16_t next = queue->slots[id].next;
	/*@ assert queue->slots[id].ring_entries > 1 ==>
	      has_next(queue->slots, queue->size, -1, -1, id) && next != id && next < queue->size &&
	      queue->slots[next].ring_entries == queue->slots[id].ring_entries - 1; */
	virtq_id_give(queue, id);
	//@ assert entry_given{Pre, Here}(queue->slots, queue->size, id);
	/*@ assert \at(queue->slots[id].ring_entries, Pre) > 1 ==>
	      is_unlinked(queue->slots, queue->size, -1, -1, next); */
	return next;
}

/*@ requires \valid(queue) && ids_are_sound(queue) && chains_are_sound(queue);
    requires id < queue->size && queue->slots[id].is_head;
    assigns queue->free_ids, queue->slots[0 .. queue->size - 1].free_id,
      queue->slots[0 .. queue->size - 1].ring_entries, queue->slots[id].is_head;
    ensures ids_are_sound(queue) && chains_are_sound(queue) && !queue->slots[id].is_head;
    ensures queue->slots == \old(queue->slots) && queue->size == \old(queue->size);
    ensures queue->free_ids == \old(queue->free_ids + queue->slots[id].ring_entries);
    ensures other_heads_kept{Pre, Post}(queue->slots, queue->size, id); */
static void chain_give(struct virtq *queue, uint16_t id)
{
	const uint16_t count = queue->slots[id].ring_entries;
	struct virtq_slot *slots = queue->slots;
	//@ ghost uint16_t size = queue->size;
	//@ assert is_unlinked(slots, size, -1, -1, id);
	slots[id].is_head = false;
	//@ ghost cleared: ;
	/*@ assert \forall integer i; 0 <= i < size && i != id &&
	      \at(queue->slots[i].is_head, Pre) ==> slots[i].is_head; */
	/*@ loop invariant i <= count && ids_are_sound(queue) && chains_are_sound(queue);
	    loop invariant queue->slots == \at(queue->slots, Pre);
	    loop invariant queue->size == \at(queue->size, Pre);
	    loop invariant queue->free_ids == \at(queue->free_ids, Pre) + i;
	    loop invariant i < count ==> id < queue->size && !queue->slots[id].is_head &&
	      queue->slots[id].ring_entries == count - i &&
	      is_unlinked(queue->slots, queue->size, -1, -1, id);
	    loop invariant other_heads_kept{cleared, Here}(slots, size, -1);
	    loop assigns i, id, queue->free_ids, slots[0 .. size - 1].free_id,
	      slots[0 .. size - 1].ring_entries;
	    loop variant count - i; */
	for (uint16_t i = 0; i < count; i++) {
		id = entry_give(queue, id);
	}
}

/* The next completion comes behind the one that was taken. */
/*@ requires \valid(queue) && split_is_sound(queue);
    assigns queue->used_index;
    ensures queue->used_index == (\old(queue->used_index) + 1) % 65536;
    ensures slots_kept{Pre, Post}(queue->slots, queue->size); */
static void used_index_advance(struct virtq *queue)
{
	queue->used_index = virtq_index_after(queue->used_index);
}

void virtq_split_used_advance(struct virtq *queue, uint16_t id)
{
	chain_give(queue, id);
	used_index_advance(queue);
	if (queue->has_events && queue->interrupts_wanted) {
		virtq_split_interrupts_tell(queue);
	}
}

bool virtq_split_used_pending(const struct virtq *queue)
{
	return queue->used_seen != queue->used_index || index_load(queue) != queue->used_index;
}

bool virtq_split_notify_wanted(const struct virtq *queue)
{
	if (queue->has_events) {
		const uint16_t event = shared_load_u16(&queue->ring, avail_event_offset(queue));
		return virtq_event_is_due(event, queue->available_index, queue->unannounced);
	}
	const uint16_t flags = shared_load_u16(&queue->ring, queue->device_offset + RING_FLAGS);
	return (flags & VIRTQ_USED_F_NO_NOTIFY) == 0;
}

/* With event indices the flags stay 0 (section 2.7.7.1), and "none" is the completion that is
 * farthest away. */
void virtq_split_interrupts_tell(const struct virtq *queue)
{
	if (queue->has_events) {
		shared_store_u16(&queue->ring, used_event_offset(queue),
				 queue->interrupts_wanted ? queue->used_index
							  : virtq_distance(1, queue->used_index));
	} else {
		shared_store_u16(
			&queue->ring, queue->driver_offset + RING_FLAGS,
			(uint16_t)(queue->interrupts_wanted ? 0u : VIRTQ_AVAIL_F_NO_INTERRUPT));
	}
	/* Against the caller's check for completions that slipped in before. */
	shared_fence();
}
