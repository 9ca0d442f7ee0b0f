// SPDX-License-Identifier: MIT
#include "vtpm/tpm_control_stream.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

/* Invariants: used_bytes <= TPM_CONTROL_MESSAGE_BYTES_MAX; from the header on, what is held is no
 * more than the message that the header announces. */
void tpm_control_stream_init(struct tpm_control_stream *stream, uint16_t magic)
{
	memset(stream, 0, sizeof(*stream));
	stream->magic = magic;
}

void tpm_control_stream_reset(struct tpm_control_stream *stream)
{
	secure_zero(stream->bytes, stream->used_bytes);
	stream->used_bytes = 0;
	stream->doubtful = false;
	stream->lost = false;
}

/* The size of the message whose first bytes these are. 0: not known yet. SIZE_MAX: they are no
 * message's. */
static size_t announced_bytes(const struct tpm_control_stream *stream, const uint8_t *bytes,
			      size_t size_bytes)
{
	struct tpm_control_header header;
	if ((size_bytes >= 1 && bytes[0] != stream->magic >> 8) ||
	    (size_bytes >= 2 && bytes[1] != (stream->magic & 0xff))) {
		return SIZE_MAX;
	}
	if (size_bytes < TPM_CONTROL_HEADER_BYTES) {
		return 0;
	}
	if (tpm_control_decode_header(bytes, stream->magic, &header) != STATUS_OK) {
		return SIZE_MAX;
	}
	return TPM_CONTROL_HEADER_BYTES + header.body_bytes;
}

size_t tpm_control_stream_message(const struct tpm_control_stream *stream)
{
	const size_t size_bytes = announced_bytes(stream, stream->bytes, stream->used_bytes);
	const bool whole =
		stream->used_bytes >= TPM_CONTROL_HEADER_BYTES && stream->used_bytes == size_bytes;
	return whole ? size_bytes : 0;
}

size_t tpm_control_stream_wanted(const struct tpm_control_stream *stream)
{
	if (stream->lost || tpm_control_stream_message(stream) != 0) {
		return 0;
	}
	if (stream->used_bytes == 0) {
		return 1;
	}
	const size_t size_bytes = announced_bytes(stream, stream->bytes, stream->used_bytes);
	return (size_bytes == 0 ? TPM_CONTROL_HEADER_BYTES : size_bytes) - stream->used_bytes;
}

/* Do bytes that are the client's own start a message, rather than go on with what is held? */
static bool starts_message(const struct tpm_control_stream *stream, const uint8_t *bytes,
			   size_t size_bytes)
{
	return size_bytes > 0 && announced_bytes(stream, bytes, size_bytes) != SIZE_MAX;
}

static enum tpm_control_event lose_step(struct tpm_control_stream *stream, bool doubtful)
{
	tpm_control_stream_reset(stream);
	stream->lost = !doubtful;
	return doubtful ? TPM_CONTROL_NEED_MORE : TPM_CONTROL_OUT_OF_STEP;
}

enum tpm_control_event tpm_control_stream_feed(struct tpm_control_stream *stream,
					       const uint8_t *bytes, size_t size_bytes,
					       bool doubtful)
{
	if (stream->lost) {
		return TPM_CONTROL_OUT_OF_STEP;
	}
	if (!doubtful && stream->doubtful && starts_message(stream, bytes, size_bytes)) {
		tpm_control_stream_reset(stream);
	}
	stream->doubtful = doubtful;
	if (size_bytes > TPM_CONTROL_MESSAGE_BYTES_MAX - stream->used_bytes) {
		return lose_step(stream, doubtful);
	}
	if (size_bytes > 0) {
		memcpy(stream->bytes + stream->used_bytes, bytes, size_bytes);
		stream->used_bytes += size_bytes;
	}
	const size_t wanted = announced_bytes(stream, stream->bytes, stream->used_bytes);
	if (stream->used_bytes > 0 &&
	    (wanted == SIZE_MAX || (wanted != 0 && stream->used_bytes > wanted))) {
		return lose_step(stream, doubtful);
	}
	return tpm_control_stream_message(stream) != 0 ? TPM_CONTROL_MESSAGE
						       : TPM_CONTROL_NEED_MORE;
}

void tpm_control_stream_release(struct tpm_control_stream *stream)
{
	if (tpm_control_stream_message(stream) != 0) {
		tpm_control_stream_reset(stream);
	}
}
