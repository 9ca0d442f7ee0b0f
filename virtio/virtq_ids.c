// SPDX-License-Identifier: MIT
/* Which ids of a queue are free. Every id is in the list at most once, and each slot says whether
 * its id may be: so one that is given back twice is noticed at once, instead of being handed to two
 * chains later. */
#include "base/check.h"
#include "virtio/virtq_internal.h"

/* The place `count` places behind another, in a ring of `size`. */
/*@ requires place < size && count <= size <= VIRTQ_SIZE_MAX;
    assigns \nothing;
    ensures \result == (place + count < size ? place + count : place + count - size); */
static uint16_t place_behind(uint16_t place, uint16_t count, uint16_t size)
{
	const uint32_t end = (uint32_t)place + count;
	return (uint16_t)(end < size ? end : end - size);
}

void virtq_ids_init(struct virtq *queue)
{
	struct virtq_slot *slots = queue->slots;
	const uint16_t size = queue->size;
	/*@ loop invariant i <= size;
	    loop invariant \forall integer p; 0 <= p < i ==> slots[p].free_id == p;
	    loop invariant \forall integer p; 0 <= p < i ==>
	      slots[p].ring_entries == 0 && !slots[p].is_head;
	    loop assigns i, slots[0 .. size - 1];
	    loop variant size - i; */
	for (uint16_t i = 0; i < size; i++) {
		slots[i].free_id = i;
		slots[i].ring_entries = 0;
		slots[i].is_head = false;
	}
	queue->free_first = 0;
	queue->free_ids = size;
	//@ assert \forall integer p; 0 <= p < queue->size ==> queue->slots[p].free_id == p;
	/*@ assert \forall integer p; 0 <= p < queue->size ==>
	      queue->slots[p].ring_entries == 0 && !queue->slots[p].is_head; */
}

/*@ requires 0 < size <= VIRTQ_SIZE_MAX && first < size && 0 < count <= size;
    requires \valid(slots + (0 .. size - 1)) && list_is_sound(slots, size, first, count);
    requires ring_entries > 0;
    assigns slots[slots[first].free_id].ring_entries;
    ensures \result == slots[first].free_id && \result < size;
    ensures slots[\result].ring_entries == ring_entries;
    ensures \at(slots[slots[first].free_id].ring_entries, Pre) == 0;
    ensures list_is_sound(slots, size, first + 1 < size ? first + 1 : 0, count - 1); */
static uint16_t first_take(struct virtq_slot *slots, uint16_t size, uint16_t first, uint16_t count,
			   uint16_t ring_entries)
{
	CHECK(first < size && count > 0);
	//@ assert is_listed(size, first, count, first);
	/*@ assert \forall integer p;
	      is_listed(size, first + 1 < size ? first + 1 : 0, count - 1, p) ==>
	      is_listed(size, first, count, p) && p != first; */
	const uint16_t id = slots[first].free_id;
	slots[id].ring_entries = ring_entries;
	return id;
}

uint16_t virtq_id_take(struct virtq *queue, uint16_t ring_entries)
{
	const uint16_t first = queue->free_first;
	const uint16_t next = place_behind(first, 1, queue->size);
	const uint16_t id =
		first_take(queue->slots, queue->size, first, queue->free_ids, ring_entries);
	//@ ghost taken: ;
	queue->free_first = next;
	queue->free_ids--;
	/*@ assert \forall integer p; 0 <= p < queue->size ==>
	      queue->slots[p].free_id == \at(queue->slots[p].free_id, taken); */
	return id;
}

/*@ requires 0 < size <= VIRTQ_SIZE_MAX && first < size && count < size && id < size;
    requires \valid(slots + (0 .. size - 1)) && list_is_sound(slots, size, first, count);
    requires slots[id].ring_entries != 0;
    assigns slots[first + count < size ? first + count : first + count - size].free_id,
      slots[id].ring_entries;
    ensures slots[id].ring_entries == 0 && list_is_sound(slots, size, first, count + 1); */
static void last_give(struct virtq_slot *slots, uint16_t size, uint16_t first, uint16_t count,
		      uint16_t id)
{
	CHECK(count < size && slots[id].ring_entries != 0);
	const uint16_t end = place_behind(first, count, size);
	//@ assert !is_listed(size, first, count, end);
	/*@ assert \forall integer p; is_listed(size, first, count + 1, p) ==>
	      is_listed(size, first, count, p) || p == end; */
	slots[end].free_id = id;
	slots[id].ring_entries = 0;
}

void virtq_id_give(struct virtq *queue, uint16_t id)
{
	const uint16_t count = queue->free_ids;
	/* As many as there are ids cannot be in the list, since this one is not. */
	//@ admit counted: count < queue->size;
	queue->free_ids = (uint16_t)(count + 1);
	/*@ assert \forall integer p; 0 <= p < queue->size ==>
	      queue->slots[p].free_id == \at(queue->slots[p].free_id, Pre); */
	last_give(queue->slots, queue->size, queue->free_first, count, id);
}
