// SPDX-License-Identifier: MIT
#include "vtpm/frame.h"

#include <string.h>

#include "base/check.h"

/*@ requires \valid(frame) && frame->stored_bytes <= TPM_COMMAND_BYTES_MAX;
    assigns frame->bytes[0 .. frame->stored_bytes - 1], frame->stored_bytes, frame->size_bytes,
      frame->state;
    ensures frame->state == FRAME_HEADER && frame->stored_bytes == 0;
    ensures \forall integer i; 0 <= i < \old(frame->stored_bytes) ==> frame->bytes[i] == 0; */
static void begin_header(struct frame *frame)
{
	secure_zero(frame->bytes, frame->stored_bytes);
	frame->stored_bytes = 0;
	frame->size_bytes = 0;
	frame->state = FRAME_HEADER;
}

void frame_init(struct frame *frame, uint32_t generation)
{
	memset(frame->bytes, 0, sizeof(frame->bytes));
	frame->stored_bytes = 0;
	frame->size_bytes = 0;
	frame->generation = generation;
	frame->state = FRAME_HEADER;
	frame->last_byte_us = 0;
}

bool frame_set_generation(struct frame *frame, uint32_t generation)
{
	if (frame->generation == generation) {
		return false;
	}
	frame->generation = generation;
	begin_header(frame);
	return true;
}

/* Store up to `goal` bytes in all. Returns how many of `bytes` were used. */
/*@ requires \valid(frame) && frame->stored_bytes <= goal <= TPM_COMMAND_BYTES_MAX;
    requires \valid_read(bytes + (0 .. size - 1));
    requires \separated(frame, bytes + (0 .. size - 1));
    assigns frame->bytes[frame->stored_bytes .. goal - 1], frame->stored_bytes;
    ensures \result <= size && frame->stored_bytes == \old(frame->stored_bytes) + \result <= goal;
    ensures frame->stored_bytes < goal ==> \result == size; */
static size_t store_up_to(struct frame *frame, uint32_t goal, const uint8_t *bytes, size_t size)
{
	size_t wanted = goal - frame->stored_bytes;
	size_t part = size < wanted ? size : wanted;

	CHECK(goal <= TPM_COMMAND_BYTES_MAX && frame->stored_bytes <= goal);
	if (part > 0) {
		memcpy(frame->bytes + frame->stored_bytes, bytes, part);
		frame->stored_bytes += (uint32_t)part;
	}
	return part;
}

/*@ requires \valid(frame) && frame->stored_bytes == TPM_HEADER_BYTES;
    assigns frame->bytes[0 .. TPM_HEADER_BYTES - 1], frame->stored_bytes, frame->size_bytes,
      frame->state;
    ensures frame_is_sound(frame) && frame->state != FRAME_HEADER;
    ensures frame->state == FRAME_COMPLETE ==> frame->size_bytes == TPM_HEADER_BYTES; */
static void leave_header(struct frame *frame)
{
	uint32_t size = bytes_load_be32(frame->bytes + 2);

	if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {
		begin_header(frame);
		frame->state = FRAME_DISCARD;
		return;
	}
	frame->size_bytes = size;
	frame->state = size == TPM_HEADER_BYTES ? FRAME_COMPLETE : FRAME_BODY;
}

/* One step: use some of `bytes`, of which there is at least one, in the present state. Zero means
 * that nothing more can be used. */
/*@ requires \valid(frame) && frame_is_sound(frame) && size > 0;
    requires \valid_read(bytes + (0 .. size - 1));
    requires \separated(frame, bytes + (0 .. size - 1));
    assigns *frame;
    ensures frame_is_sound(frame) && \result <= size;
    ensures \result == 0 <==> \old(frame->state) == FRAME_COMPLETE;
    ensures \result == 0 ==> frame->state == FRAME_COMPLETE; */
static size_t feed_step(struct frame *frame, const uint8_t *bytes, size_t size, uint64_t now_us)
{
	size_t used = 0;

	switch (frame->state) {
	case FRAME_HEADER:
		used = store_up_to(frame, TPM_HEADER_BYTES, bytes, size);
		if (frame->stored_bytes == TPM_HEADER_BYTES) {
			frame->last_byte_us = now_us;
			leave_header(frame);
		}
		break;
	case FRAME_BODY:
		used = store_up_to(frame, frame->size_bytes, bytes, size);
		if (frame->stored_bytes == frame->size_bytes) {
			frame->state = FRAME_COMPLETE;
		}
		break;
	case FRAME_DISCARD:
		used = size;
		frame->last_byte_us = now_us;
		break;
	case FRAME_COMPLETE: break;
	}
	return used;
}

enum frame_event frame_feed(struct frame *frame, const uint8_t *bytes, size_t size_bytes,
			    uint64_t now_us, size_t *taken)
{
	size_t at = 0;

	/* Each step but the last uses a byte: at most size_bytes + 1 turns. */
	/*@ loop invariant frame_is_sound(frame) && at <= size_bytes;
	    loop invariant \at(frame->state, Pre) == FRAME_COMPLETE ==>
	      at == 0 && frame->state == FRAME_COMPLETE;
	    loop assigns at, *frame;
	    loop variant size_bytes - at; */
	while (at < size_bytes) {
		size_t used = feed_step(frame, bytes + at, size_bytes - at, now_us);

		if (used == 0) {
			break;
		}
		at += used;
	}
	*taken = at;
	return frame->state == FRAME_COMPLETE ? FRAME_COMMAND : FRAME_NEED_MORE;
}

enum frame_event frame_poll(struct frame *frame, uint64_t now_us)
{
	uint64_t at_us = 0;

	if (frame->state == FRAME_COMPLETE) {
		return FRAME_COMMAND;
	}
	if (!frame_deadline(frame, &at_us) || now_us < at_us) {
		return FRAME_NEED_MORE;
	}
	begin_header(frame);
	return FRAME_MALFORMED;
}

bool frame_deadline(const struct frame *frame, uint64_t *at_us)
{
	if (frame->state != FRAME_DISCARD) {
		return false;
	}
	/* A clock that starts near its end is no concern, but an early answer would be. */
	*at_us = frame->last_byte_us > UINT64_MAX - FRAME_QUIET_US
			 ? UINT64_MAX
			 : frame->last_byte_us + FRAME_QUIET_US;
	return true;
}

const uint8_t *frame_command(const struct frame *frame, uint32_t *size_bytes)
{
	if (frame->state != FRAME_COMPLETE) {
		return NULL;
	}
	*size_bytes = frame->size_bytes;
	return frame->bytes;
}

void frame_release(struct frame *frame)
{
	if (frame->state == FRAME_COMPLETE) {
		begin_header(frame);
	}
}
