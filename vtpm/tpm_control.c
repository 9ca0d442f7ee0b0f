// SPDX-License-Identifier: MIT
#include "vtpm/tpm_control.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/reader.h"

#define HELLO_BYTES       6u
#define STATUS_BYTES      16u
#define COUNTERS_BYTES    40u
#define BUFFER_SIZE_BYTES 12u

/* Part 2 of the TPM 2.0 Library has no name for these two numbers of 64 bits: high word first. */
static void write_be64(struct writer *writer, uint64_t value)
{
	writer_be32(writer, (uint32_t)(value >> 32));
	writer_be32(writer, (uint32_t)value);
}

static uint64_t read_be64(struct reader *reader)
{
	const uint64_t high = reader_be32(reader);
	return high << 32 | reader_be32(reader);
}

enum status tpm_control_decode_header(const uint8_t bytes[TPM_CONTROL_HEADER_BYTES], uint16_t magic,
				      struct tpm_control_header *header)
{
	struct reader reader;
	struct tpm_control_header decoded;
	reader_init(&reader, bytes, TPM_CONTROL_HEADER_BYTES);
	decoded.magic = reader_be16(&reader);
	decoded.version = reader_u8(&reader);
	decoded.command = reader_u8(&reader);
	decoded.instance = reader_be16(&reader);
	decoded.result = reader_be16(&reader);
	decoded.tag = reader_be32(&reader);
	decoded.body_bytes = reader_be16(&reader);
	decoded.reserved = reader_be16(&reader);
	if (decoded.magic != magic || decoded.body_bytes > TPM_CONTROL_BODY_BYTES_MAX) {
		return STATUS_BAD_HOST;
	}
	*header = decoded;
	return STATUS_OK;
}

/* What each command wants as its body. */
static const struct {
	uint16_t min_bytes;
	uint16_t max_bytes;
} body_sizes[] = {
	[TPM_CONTROL_HELLO] = {0, TPM_CONTROL_BODY_BYTES_MAX},
	[TPM_CONTROL_STATUS] = {0, 0},
	[TPM_CONTROL_COUNTERS] = {0, 0},
	[TPM_CONTROL_POWER_ON] = {1, 1},
	[TPM_CONTROL_POWER_OFF] = {0, 0},
	[TPM_CONTROL_SET_LOCALITY] = {1, 1},
	[TPM_CONTROL_GET_ESTABLISHED] = {0, 0},
	[TPM_CONTROL_RESET_ESTABLISHED] = {1, 1},
	[TPM_CONTROL_HASH_START] = {0, 0},
	[TPM_CONTROL_HASH_DATA] = {1, TPM_CONTROL_BODY_BYTES_MAX},
	[TPM_CONTROL_HASH_END] = {0, 0},
	[TPM_CONTROL_CANCEL] = {0, 0},
	[TPM_CONTROL_BUFFER_SIZE] = {4, 4},
};

static bool is_command(uint8_t number)
{
	return number >= TPM_CONTROL_HELLO && number < ARRAY_COUNT(body_sizes);
}

static enum tpm_control_result judge_header(const struct tpm_control_header *header,
					    uint16_t instance)
{
	/* A later version may add fields to HELLO, and must be able to hear which we speak. */
	if (header->version != TPM_CONTROL_VERSION && header->command != TPM_CONTROL_HELLO) {
		return TPM_CONTROL_BAD_VERSION;
	}
	if (!is_command(header->command)) {
		return TPM_CONTROL_BAD_COMMAND;
	}
	if (header->instance != instance) {
		return TPM_CONTROL_BAD_INSTANCE;
	}
	if (header->body_bytes < body_sizes[header->command].min_bytes ||
	    header->body_bytes > body_sizes[header->command].max_bytes) {
		return TPM_CONTROL_BAD_LENGTH;
	}
	return header->result == 0 && header->reserved == 0 ? TPM_CONTROL_OK
							    : TPM_CONTROL_BAD_VALUE;
}

/* The body's fields; its size fits. */
static enum tpm_control_result decode_body(struct reader *reader,
					   struct tpm_control_request *request)
{
	switch (request->command) {
	case TPM_CONTROL_POWER_ON:
		request->flags = reader_u8(reader);
		return (request->flags & ~TPM_CONTROL_POWER_FLAGS) == 0 ? TPM_CONTROL_OK
									: TPM_CONTROL_BAD_VALUE;
	case TPM_CONTROL_SET_LOCALITY:
	case TPM_CONTROL_RESET_ESTABLISHED:
		request->locality = reader_u8(reader);
		return request->locality <= TPM_CONTROL_LOCALITY_MAX ? TPM_CONTROL_OK
								     : TPM_CONTROL_BAD_VALUE;
	case TPM_CONTROL_HASH_DATA:
		request->byte_count = reader_left(reader);
		request->bytes = reader_bytes(reader, request->byte_count);
		return TPM_CONTROL_OK;
	case TPM_CONTROL_BUFFER_SIZE:
		request->size_bytes = reader_be32(reader);
		return TPM_CONTROL_OK;
	case TPM_CONTROL_HELLO:
	case TPM_CONTROL_STATUS:
	case TPM_CONTROL_COUNTERS:
	case TPM_CONTROL_POWER_OFF:
	case TPM_CONTROL_GET_ESTABLISHED:
	case TPM_CONTROL_HASH_START:
	case TPM_CONTROL_HASH_END:
	case TPM_CONTROL_CANCEL: break;
	}
	return TPM_CONTROL_OK;
}

enum tpm_control_result tpm_control_decode_request(const uint8_t *message, size_t size_bytes,
						   uint16_t instance,
						   struct tpm_control_request *request)
{
	struct reader reader;
	*request = (struct tpm_control_request){0};
	if (size_bytes < TPM_CONTROL_HEADER_BYTES ||
	    tpm_control_decode_header(message, TPM_CONTROL_MAGIC_REQUEST, &request->header) !=
		    STATUS_OK ||
	    size_bytes != TPM_CONTROL_HEADER_BYTES + request->header.body_bytes) {
		return TPM_CONTROL_BAD_FRAME;
	}
	const enum tpm_control_result result = judge_header(&request->header, instance);
	if (result != TPM_CONTROL_OK) {
		return result;
	}
	request->command = (enum tpm_control_command)request->header.command;
	reader_init(&reader, message, size_bytes);
	reader_skip(&reader, TPM_CONTROL_HEADER_BYTES);
	return decode_body(&reader, request);
}

size_t tpm_control_encode(uint8_t out[TPM_CONTROL_MESSAGE_BYTES_MAX],
			  const struct tpm_control_header *header, const uint8_t *body,
			  size_t body_bytes)
{
	struct writer writer;
	CHECK(body_bytes <= TPM_CONTROL_BODY_BYTES_MAX);
	writer_init(&writer, out, TPM_CONTROL_MESSAGE_BYTES_MAX);
	writer_be16(&writer, header->magic);
	writer_u8(&writer, header->version);
	writer_u8(&writer, header->command);
	writer_be16(&writer, header->instance);
	writer_be16(&writer, header->result);
	writer_be32(&writer, header->tag);
	writer_be16(&writer, (uint16_t)body_bytes);
	writer_be16(&writer, 0);
	if (body_bytes > 0) {
		memmove(out + TPM_CONTROL_HEADER_BYTES, body, body_bytes);
	}
	return TPM_CONTROL_HEADER_BYTES + body_bytes;
}

size_t tpm_control_encode_hello(uint8_t *out, const struct tpm_control_hello *hello)
{
	struct writer writer;
	writer_init(&writer, out, HELLO_BYTES);
	writer_u8(&writer, hello->version_min);
	writer_u8(&writer, hello->version_max);
	writer_be16(&writer, hello->instance);
	writer_be16(&writer, hello->body_bytes_max);
	return HELLO_BYTES;
}

bool tpm_control_decode_hello(const uint8_t *body, size_t size_bytes,
			      struct tpm_control_hello *hello)
{
	struct reader reader;
	reader_init(&reader, body, size_bytes);
	hello->version_min = reader_u8(&reader);
	hello->version_max = reader_u8(&reader);
	hello->instance = reader_be16(&reader);
	hello->body_bytes_max = reader_be16(&reader);
	/* A later version may say more. */
	return reader_ok(&reader) && hello->version_min <= hello->version_max;
}

size_t tpm_control_encode_status(uint8_t *out, const struct tpm_control_status *status)
{
	struct writer writer;
	writer_init(&writer, out, STATUS_BYTES);
	writer_u8(&writer, status->power);
	writer_u8(&writer, status->locality);
	writer_u8(&writer, status->established ? 1 : 0);
	writer_u8(&writer, status->running ? 1 : 0);
	writer_u8(&writer, status->cause);
	writer_u8(&writer, 0);
	writer_be16(&writer, 0);
	write_be64(&writer, status->power_id);
	return STATUS_BYTES;
}

bool tpm_control_decode_status(const uint8_t *body, size_t size_bytes,
			       struct tpm_control_status *status)
{
	struct reader reader;
	reader_init(&reader, body, size_bytes);
	status->power = reader_u8(&reader);
	status->locality = reader_u8(&reader);
	const uint8_t established = reader_u8(&reader);
	const uint8_t running = reader_u8(&reader);
	status->established = established == 1;
	status->running = running == 1;
	status->cause = reader_u8(&reader);
	reader_skip(&reader, 3);
	status->power_id = read_be64(&reader);
	return reader_ok(&reader) && size_bytes == STATUS_BYTES &&
	       status->power <= TPM_CONTROL_POWER_IS_UNAVAILABLE &&
	       status->locality <= TPM_CONTROL_LOCALITY_MAX && established <= 1 && running <= 1;
}

size_t tpm_control_encode_counters(uint8_t *out, const struct tpm_control_counters *counters)
{
	struct writer writer;
	writer_init(&writer, out, COUNTERS_BYTES);
	write_be64(&writer, counters->commands);
	write_be64(&writer, counters->restarts);
	write_be64(&writer, counters->power_ons);
	write_be64(&writer, counters->cancels);
	write_be64(&writer, counters->hashes);
	return COUNTERS_BYTES;
}

bool tpm_control_decode_counters(const uint8_t *body, size_t size_bytes,
				 struct tpm_control_counters *counters)
{
	struct reader reader;
	reader_init(&reader, body, size_bytes);
	counters->commands = read_be64(&reader);
	counters->restarts = read_be64(&reader);
	counters->power_ons = read_be64(&reader);
	counters->cancels = read_be64(&reader);
	counters->hashes = read_be64(&reader);
	return reader_ok(&reader) && size_bytes == COUNTERS_BYTES;
}

size_t tpm_control_encode_buffer_size(uint8_t *out, const struct tpm_control_buffer_size *size)
{
	struct writer writer;
	writer_init(&writer, out, BUFFER_SIZE_BYTES);
	writer_be32(&writer, size->size_bytes);
	writer_be32(&writer, size->min_bytes);
	writer_be32(&writer, size->max_bytes);
	return BUFFER_SIZE_BYTES;
}

bool tpm_control_decode_buffer_size(const uint8_t *body, size_t size_bytes,
				    struct tpm_control_buffer_size *size)
{
	struct reader reader;
	reader_init(&reader, body, size_bytes);
	size->size_bytes = reader_be32(&reader);
	size->min_bytes = reader_be32(&reader);
	size->max_bytes = reader_be32(&reader);
	return reader_ok(&reader) && size_bytes == BUFFER_SIZE_BYTES &&
	       size->min_bytes <= size->size_bytes && size->size_bytes <= size->max_bytes;
}

const char *tpm_control_result_name(uint16_t result)
{
	static const char *const names[] = {
		"OK",           "BAD_FRAME",   "BAD_VERSION", "BAD_COMMAND", "BAD_INSTANCE",
		"BAD_LENGTH",   "BAD_VALUE",   "IS_OFF",      "IS_ON",       "BAD_SEQUENCE",
		"BAD_LOCALITY", "UNAVAILABLE", "FAILED",
	};
	STATIC_ASSERT(ARRAY_COUNT(names) == TPM_CONTROL_FAILED + 1, "one for each result");
	return result < ARRAY_COUNT(names) ? names[result] : "UNKNOWN";
}
