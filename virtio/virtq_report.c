// SPDX-License-Identifier: MIT
/* What of the device's reports is believed: each is loaded once and compared with the books before
 * anything is done with it. */
#include "virtio/virtq_internal.h"

/* In order, `last` is the last chain of a batch. The split layout's index announced a number of
 * completions; the packed one has none. */
/*@ requires \valid(queue) && queue_is_sound(queue) && turns_are_sound(queue);
    requires last < queue->size && queue->slots[last].is_head;
    requires queue->lie == VIRTQ_LIE_NONE;
    assigns queue->batch_left, queue->batch_length, queue->lie;
    ensures \result == STATUS_OK || \result == STATUS_BAD_HOST;
    ensures \result == STATUS_BAD_HOST <==> queue->lie != VIRTQ_LIE_NONE;
    ensures \result == STATUS_OK ==> queue->batch_length == length;
    ensures \result == STATUS_OK && !queue->is_packed ==>
      0 < queue->batch_left <= announced(queue);
    ensures \result != STATUS_OK ==> queue->batch_left == \old(queue->batch_left) &&
      queue->batch_length == \old(queue->batch_length); */
static enum status batch_begin(struct virtq *queue, uint16_t last, uint32_t length)
{
	const uint16_t before = virtq_distance(virtq_oldest_turn(queue), queue->slots[last].turn);
	if (!queue->is_packed && before >= virtq_distance(queue->used_index, queue->used_seen)) {
		return virtq_poison(queue, VIRTQ_LIE_USED_INDEX);
	}
	queue->batch_left = (uint16_t)(before + 1u);
	queue->batch_length = length;
	return STATUS_OK;
}

/* What the device reports next, as it says it. */
/*@ requires \valid(queue) && queue_is_sound(queue) && queue->lie == VIRTQ_LIE_NONE;
    requires !queue->is_packed ==> announced(queue) <= queue->chains_in_flight;
    requires \valid(id) && \valid(length) && \separated(id, length, queue, queue->ring.owner,
      queue->slots + (0 .. queue->size - 1));
    assigns *id, *length, queue->used_seen, queue->lie, queue->ring.owner->counters.loads;
    ensures queue_is_sound(queue);
    ensures turns_are_sound{Pre}(queue) ==> turns_are_sound(queue);
    ensures \result == STATUS_OK || \result == STATUS_AGAIN || \result == STATUS_BAD_HOST;
    ensures \result == STATUS_BAD_HOST <==> queue->lie != VIRTQ_LIE_NONE;
    ensures !queue->is_packed ==> announced(queue) <= queue->chains_in_flight;
    ensures \result == STATUS_OK && !queue->is_packed ==> 0 < announced(queue); */
static enum status report_load(struct virtq *queue, uint32_t *id, uint32_t *length)
{
	const enum status status = queue->is_packed ? virtq_packed_used_load(queue, id, length)
						    : virtq_split_used_load(queue, id, length);
	/*@ assert \forall integer i; 0 <= i < queue->size ==>
	      queue->slots[i].turn == \at(queue->slots[i].turn, Pre) &&
	      queue->slots[i].is_head == \at(queue->slots[i].is_head, Pre); */
	return status;
}

/* Is it the completion of a chain in flight, with a length that fits? */
/*@ requires \valid(queue) && queue_is_sound(queue) && queue->lie == VIRTQ_LIE_NONE;
    requires queue->is_in_order ==> turns_are_sound(queue);
    requires \valid(id) && \separated(id, queue, queue->slots + (0 .. queue->size - 1));
    assigns *id, queue->lie, queue->batch_left, queue->batch_length;
    ensures queue_is_sound(queue);
    ensures \result == STATUS_OK || \result == STATUS_BAD_HOST;
    ensures \result == STATUS_BAD_HOST <==> queue->lie != VIRTQ_LIE_NONE;
    ensures queue->used_seen == \old(queue->used_seen);
    ensures queue->used_index == \old(queue->used_index);
    ensures queue->chains_in_flight == \old(queue->chains_in_flight);
    ensures queue->is_packed == \old(queue->is_packed);
    ensures \result == STATUS_OK ==> *id == claimed_id && *id < queue->size &&
      queue->slots[*id].is_head && queue->batch_length == length &&
      queue->batch_length <= queue->slots[*id].writable_bytes;
    ensures \result != STATUS_OK ==> queue->batch_left == \old(queue->batch_left) &&
      queue->batch_length == \old(queue->batch_length); */
static enum status report_judge(struct virtq *queue, uint32_t claimed_id, uint32_t length,
				uint16_t *id)
{
	if (claimed_id >= queue->size) {
		return virtq_poison(queue, VIRTQ_LIE_ID_RANGE);
	}
	const struct virtq_slot *slot = &queue->slots[claimed_id];
	if (!slot->is_head) {
		return virtq_poison(queue, VIRTQ_LIE_NOT_IN_FLIGHT);
	}
	if (length > slot->writable_bytes) {
		return virtq_poison(queue, VIRTQ_LIE_LENGTH);
	}
	const uint16_t head = (uint16_t)claimed_id;
	if (queue->is_in_order) {
		const enum status status = batch_begin(queue, head, length);
		if (status != STATUS_OK) {
			return status;
		}
	} else {
		queue->batch_left = 1;
		queue->batch_length = length;
	}
	*id = head;
	return STATUS_OK;
}

enum status virtq_completion_load(struct virtq *queue, uint16_t *id)
{
	uint32_t claimed_id = 0;
	uint32_t length = 0;
	const enum status status = report_load(queue, &claimed_id, &length);
	if (status != STATUS_OK) {
		return status;
	}
	return report_judge(queue, claimed_id, length, id);
}
