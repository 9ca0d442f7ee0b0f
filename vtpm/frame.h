// SPDX-License-Identifier: MIT
/* A raw TPM byte stream, cut into commands.
 *
 * Bytes arrive from a virtio-serial port in arbitrary pieces. A command starts with the header
 * tag:be16 size:be32 code:be32 (TPM 2.0 Library, Part 1, section 18) and `size` counts the header.
 * No body byte is stored before 10 <= size <= 4096 is known.
 *
 * A size outside that range leaves no way to tell where the next command starts. Then
 *  - every following byte is thrown away (nothing is stored, so this needs no limit), until
 *  - the stream has been quiet for FRAME_QUIET_US: frame_poll() gives FRAME_MALFORMED exactly
 *    once, the caller sends one TPM_RC_COMMAND_SIZE answer, and the next byte starts a header. The
 *    answer comes last on purpose: a client that waits for its answer before it sends again is in
 *    step from then on, however long its bad command was; or until
 *  - the client closes or reopens the port: all is forgotten, and the answer with it.
 *
 * A well-formed but incomplete command waits as long as its client keeps the port open: dropping
 * it after a while would make its tail look like a header.
 *
 * PURE: time is an argument. The caller owns the storage. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"

#define TPM_HEADER_BYTES      10u
#define TPM_COMMAND_BYTES_MAX 4096u

/* How long nothing may arrive before a stream out of step counts as quiet. */
#define FRAME_QUIET_US 20000u

enum frame_state {
	FRAME_HEADER,   /* Fewer than 10 bytes so far. May go to BODY, COMPLETE, DISCARD. */
	FRAME_BODY,     /* The size is known and good. To COMPLETE. */
	FRAME_COMPLETE, /* The caller holds the command. To HEADER by frame_release(). */
	FRAME_DISCARD,  /* Out of step. To HEADER by frame_poll(). */
			/* Any of them goes to HEADER when the generation changes. */
};

enum frame_event {
	FRAME_NEED_MORE, /* Nothing to do for the caller. */
	FRAME_COMMAND,   /* frame_command() has it; call frame_release() when it is answered. */
	FRAME_MALFORMED, /* Send one answer with TPM_RC_COMMAND_SIZE. */
};

struct frame {
	uint8_t bytes[TPM_COMMAND_BYTES_MAX];
	uint32_t stored_bytes;
	uint32_t size_bytes; /* From the header; meaningful in BODY and COMPLETE. */
	uint32_t generation;
	enum frame_state state;
	uint64_t last_byte_us; /* When the latest byte was thrown away; in DISCARD. */
};

/*@ predicate frame_is_sound(struct frame *f) =
      f->stored_bytes <= TPM_COMMAND_BYTES_MAX &&
      (f->state == FRAME_HEADER || f->state == FRAME_BODY || f->state == FRAME_COMPLETE ||
       f->state == FRAME_DISCARD) &&
      (f->state == FRAME_HEADER ==> f->stored_bytes < TPM_HEADER_BYTES) &&
      (f->state == FRAME_BODY ==> f->stored_bytes < f->size_bytes) &&
      (f->state == FRAME_COMPLETE ==> f->stored_bytes == f->size_bytes) &&
      (f->state == FRAME_BODY || f->state == FRAME_COMPLETE ==>
	TPM_HEADER_BYTES <= f->size_bytes <= TPM_COMMAND_BYTES_MAX &&
	TPM_HEADER_BYTES <= f->stored_bytes && f->size_bytes == be32(f->bytes + 2)) &&
      (f->state == FRAME_DISCARD ==> f->stored_bytes == 0); */

/*@ requires \valid(frame);
    assigns *frame;
    ensures frame_is_sound(frame) && frame->state == FRAME_HEADER; */
void frame_init(struct frame *frame, uint32_t generation);

/* The port's generation changes with each open or close that its client does. If it differs from
 * the last one, whatever was collected is dropped and true is returned: a command that is being
 * executed for the earlier client must then not be answered to the new one. */
/*@ requires \valid(frame) && frame_is_sound(frame);
    assigns *frame;
    ensures frame_is_sound(frame) && frame->generation == generation;
    ensures \result <==> \old(frame->generation) != generation;
    ensures \result ==> frame->state == FRAME_HEADER && frame->stored_bytes == 0; */
bool frame_set_generation(struct frame *frame, uint32_t generation);

/* Take bytes up to the end of one command; *taken says how many were used. While a command is held
 * (FRAME_COMPLETE) nothing is taken and FRAME_COMMAND is returned again. Never FRAME_MALFORMED. */
/*@ requires \valid(frame) && frame_is_sound(frame) && \valid(taken);
    requires \valid_read(bytes + (0 .. size_bytes - 1));
    requires \separated(frame, bytes + (0 .. size_bytes - 1), taken);
    assigns *frame, *taken;
    ensures frame_is_sound(frame) && *taken <= size_bytes;
    ensures frame->state != FRAME_COMPLETE ==> *taken == size_bytes;
    ensures \result == (frame->state == FRAME_COMPLETE ? FRAME_COMMAND : FRAME_NEED_MORE);
    ensures \old(frame->state) == FRAME_COMPLETE ==> *taken == 0; */
enum frame_event frame_feed(struct frame *frame, const uint8_t *bytes, size_t size_bytes,
			    uint64_t now_us, size_t *taken);

/* FRAME_MALFORMED once, when a stream out of step has been quiet long enough; else NEED_MORE, or
 * COMMAND while one is held. Cheap enough for every turn of the service loop. */
/*@ requires \valid(frame) && frame_is_sound(frame);
    assigns *frame;
    ensures frame_is_sound(frame);
    ensures \result == FRAME_COMMAND <==> \old(frame->state) == FRAME_COMPLETE;
    ensures \result == FRAME_MALFORMED ==>
      \old(frame->state) == FRAME_DISCARD && frame->state == FRAME_HEADER;
    ensures \result != FRAME_MALFORMED ==> frame->state == \old(frame->state); */
enum frame_event frame_poll(struct frame *frame, uint64_t now_us);

/* True if frame_poll() has to be called by *at_us even if no byte arrives. */
/*@ requires \valid_read(frame) && \valid(at_us) && \separated(frame, at_us);
    assigns *at_us;
    ensures \result <==> frame->state == FRAME_DISCARD;
    ensures \result ==> frame->last_byte_us <= *at_us; */
bool frame_deadline(const struct frame *frame, uint64_t *at_us);

/* The command that is held: borrowed until frame_release(). NULL if there is none. */
/*@ requires \valid_read(frame) && frame_is_sound(frame) && \valid(size_bytes);
    requires \separated(frame, size_bytes);
    assigns *size_bytes;
    ensures frame->state != FRAME_COMPLETE ==> \result == \null;
    ensures frame->state == FRAME_COMPLETE ==> \result == &frame->bytes[0] &&
      TPM_HEADER_BYTES <= *size_bytes <= TPM_COMMAND_BYTES_MAX &&
      *size_bytes == frame->stored_bytes; */
const uint8_t *frame_command(const struct frame *frame, uint32_t *size_bytes);

/* The command has been answered (or given up): erase it, as it may carry authorisation values. */
/*@ requires \valid(frame) && frame_is_sound(frame);
    assigns *frame;
    ensures frame_is_sound(frame) && frame->state != FRAME_COMPLETE;
    ensures \old(frame->state) == FRAME_COMPLETE ==>
      \forall integer i; 0 <= i < \old(frame->stored_bytes) ==> frame->bytes[i] == 0; */
void frame_release(struct frame *frame);
