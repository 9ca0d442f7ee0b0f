// SPDX-License-Identifier: MIT
#include "tools/bridge/client.h"

#include <stdio.h>

#include "base/bytes.h"
#include "base/reader.h"
#include "vtpm/response.h"

/* Answer a command of `size_bytes` from here, with a code alone. */
static enum client_request refuse_command(struct client *client, size_t size_bytes, uint32_t code)
{
	client->request_bytes = size_bytes;
	client->job = (struct link_job){0};
	return client_fail(client, code) == STATUS_OK ? CLIENT_ANSWERED : CLIENT_LEAVES;
}

/* As the TPM itself answers. A machine waits for its answers, so what has arrived is this command;
 * anybody else is out of step for good. */
static enum client_request refuse_size(struct client *client)
{
	const enum client_request request =
		refuse_command(client, client->channel.received_bytes, TPM_RC_COMMAND_SIZE);
	return client->session->is_machine ? request : CLIENT_LEAVES;
}

/* A command of this client, or none yet. */
static enum client_request take_raw(struct client *client)
{
	const struct channel *channel = &client->channel;
	if (channel->received_bytes < TPM_HEADER_BYTES) {
		return CLIENT_NOTHING;
	}
	const uint32_t size = bytes_load_be32(channel->received + 2);
	if (size < TPM_HEADER_BYTES || size > TPM_COMMAND_BYTES_MAX) {
		return refuse_size(client);
	}
	if (channel->received_bytes < size) {
		return CLIENT_NOTHING;
	}
	/* A machine that has not been switched on asks what kind of TPM it has. QEMU waits a second
	 * for that, and the TPM may be busy longer with the machine before. A TPM without power
	 * gives no other answer. */
	if (client->session->is_machine && !client->session->used_power) {
		return refuse_command(client, size, TPM_RC_FAILURE);
	}
	client->job = (struct link_job){.locality = client->session->locality,
					.command = channel->received,
					.command_bytes = size};
	client->request_bytes = size;
	return CLIENT_JOB;
}

static enum client_request after(enum status status, enum client_request request)
{
	return status == STATUS_OK ? request : CLIENT_LEAVES;
}

static enum status answer_swtpm(struct client *client, uint32_t result)
{
	uint8_t reply[SWTPM_REPLY_BYTES_MAX];
	const size_t size = swtpm_encode_own(&client->swtpm, result, reply);
	return channel_send(&client->channel, reply, size);
}

/* Requests that the TPM does not see. */
static enum client_request serve_swtpm(struct client *client)
{
	const struct swtpm_request *request = &client->swtpm;
	switch (request->command) {
	case SWTPM_GET_CAPABILITY:
	case SWTPM_GET_CONFIG:
	case SWTPM_GET_INFO:
	case SWTPM_LOCK_STORAGE: /* It is: the service VM holds its disk. */
		return after(answer_swtpm(client, SWTPM_OK), CLIENT_ANSWERED);
	case SWTPM_SET_LOCALITY:
		if (request->locality > TPM_CONTROL_LOCALITY_MAX) {
			return after(answer_swtpm(client, SWTPM_BAD_LOCALITY), CLIENT_ANSWERED);
		}
		client->session->locality = request->locality;
		return after(answer_swtpm(client, SWTPM_OK), CLIENT_ANSWERED);
	case SWTPM_RESET_ESTABLISHED: /* Not translated: no such locality. */
		return after(answer_swtpm(client, SWTPM_BAD_LOCALITY), CLIENT_ANSWERED);
	case SWTPM_HASH_DATA: /* None. */
		return after(answer_swtpm(client, SWTPM_OK), CLIENT_ANSWERED);
	case SWTPM_CANCEL: return after(answer_swtpm(client, SWTPM_OK), CLIENT_CANCEL);
	case SWTPM_SET_DATAFD:
		if (client->channel.passed_fd < 0 || client->session->is_machine) {
			return after(answer_swtpm(client, SWTPM_BAD_PARAMETER), CLIENT_ANSWERED);
		}
		return after(answer_swtpm(client, SWTPM_OK), CLIENT_DATA_END);
	default: /* State blobs and what goes with them, and numbers that are none. */
		(void)fprintf(stderr,
			      "holdfast: tpm: refused %s: a TPM's state stays in its service VM\n",
			      swtpm_command_name(request->command));
		return after(answer_swtpm(client, SWTPM_BAD_ORDINAL), CLIENT_ANSWERED);
	}
}

/* QEMU sends this flag when a machine goes on with a TPM state that came with it (migration, a
 * snapshot), and nothing else does for a machine. There is no such state here: it would find PCRs
 * that it never measured. For everybody else there is never a state to delete. */
static bool wants_to_go_on(const struct client *client)
{
	return client->session->is_machine && client->swtpm.command == SWTPM_INIT &&
	       (client->swtpm.value & SWTPM_INIT_DELETE_VOLATILE) != 0;
}

static enum client_request take_swtpm(struct client *client)
{
	struct channel *channel = &client->channel;
	switch (swtpm_decode(channel->received, channel->received_bytes, &client->swtpm)) {
	case SWTPM_NEED_MORE: return CLIENT_NOTHING;
	case SWTPM_MALFORMED: return CLIENT_LEAVES;
	case SWTPM_REQUEST: break;
	}
	/* All that has arrived belongs to it (swtpm_wire.h). */
	client->request_bytes = channel->received_bytes;
	client->job = (struct link_job){.is_control = true};
	if (!wants_to_go_on(client) && swtpm_translate(&client->swtpm, &client->job.control)) {
		return CLIENT_JOB;
	}
	const enum client_request request = serve_swtpm(client);
	channel_consume(channel, client->request_bytes);
	return request;
}

static enum status answer_mssim(struct client *client, bool good)
{
	uint8_t reply[MSSIM_OWN_BYTES_MAX];
	const size_t size = mssim_encode_own(&client->mssim, good, reply);
	return channel_send(&client->channel, reply, size);
}

static enum client_request serve_mssim(struct client *client)
{
	if (client->mssim.command == MSSIM_SESSION_END || client->mssim.command == MSSIM_STOP) {
		return CLIENT_LEAVES;
	}
	return after(answer_mssim(client, true),
		     client->mssim.command == MSSIM_CANCEL_ON ? CLIENT_CANCEL : CLIENT_ANSWERED);
}

static enum client_request take_mssim(struct client *client)
{
	struct channel *channel = &client->channel;
	switch (mssim_decode(client->kind == CLIENT_MSSIM_PLATFORM, channel->received,
			     channel->received_bytes, &client->mssim, &client->request_bytes)) {
	case MSSIM_NEED_MORE: return CLIENT_NOTHING;
	case MSSIM_MALFORMED: return CLIENT_LEAVES;
	case MSSIM_REQUEST: break;
	}
	client->job = (struct link_job){.is_control = true};
	if (client->mssim.command == MSSIM_SEND_COMMAND) {
		client->job = (struct link_job){.locality = client->mssim.locality,
						.command = client->mssim.bytes,
						.command_bytes = client->mssim.size_bytes};
		return CLIENT_JOB;
	}
	if (mssim_translate(&client->mssim, &client->job.control)) {
		return CLIENT_JOB;
	}
	const enum client_request request = serve_mssim(client);
	channel_consume(channel, client->request_bytes);
	return request;
}

enum client_request client_next(struct client *client)
{
	if (client->channel.received_bytes == 0) {
		return CLIENT_NOTHING;
	}
	switch (client->kind) {
	case CLIENT_RAW: return take_raw(client);
	case CLIENT_SWTPM_CONTROL: return take_swtpm(client);
	case CLIENT_MSSIM_COMMAND:
	case CLIENT_MSSIM_PLATFORM: return take_mssim(client);
	case CLIENT_FREE: break;
	}
	return CLIENT_NOTHING;
}

static enum status send_response(struct client *client, const uint8_t *response, size_t size_bytes)
{
	uint8_t around[4];
	if (client->kind != CLIENT_MSSIM_COMMAND) {
		return channel_send(&client->channel, response, size_bytes);
	}
	bytes_store_be32(around, (uint32_t)size_bytes);
	enum status status = channel_send(&client->channel, around, sizeof(around));
	if (status == STATUS_OK) {
		status = channel_send(&client->channel, response, size_bytes);
	}
	if (status == STATUS_OK) {
		bytes_store_be32(around, 0);
		status = channel_send(&client->channel, around, sizeof(around));
	}
	return status;
}

static enum status send_control_reply(struct client *client, uint16_t result, const uint8_t *body,
				      size_t body_bytes)
{
	uint8_t reply[SWTPM_REPLY_BYTES_MAX];
	if (client->kind != CLIENT_SWTPM_CONTROL) {
		return answer_mssim(client, result == TPM_CONTROL_OK);
	}
	const size_t size =
		swtpm_encode_translated(&client->swtpm, result, body, body_bytes, reply);
	return channel_send(&client->channel, reply, size);
}

/* A machine's INIT ties it to the TPM's present power cycle. */
static void note_power(struct client *client, const struct link_outcome *outcome)
{
	struct tpm_control_status status;
	if (client->job.control.command == TPM_CONTROL_POWER_ON &&
	    outcome->result == TPM_CONTROL_OK &&
	    tpm_control_decode_status(outcome->bytes, outcome->size_bytes, &status)) {
		client->session->has_power_id = true;
		client->session->power_id = status.power_id;
	}
}

/* The request has been dealt with. */
static void release(struct client *client)
{
	channel_consume(&client->channel, client->request_bytes);
	client->request_bytes = 0;
	client->busy = false;
	client->running = false;
}

enum status client_complete(struct client *client, const struct link_outcome *outcome)
{
	enum status status;
	if (outcome->status != STATUS_OK) {
		return client_fail(client, TPM_RC_FAILURE);
	}
	if (client->job.is_control) {
		note_power(client, outcome);
		status = send_control_reply(client, outcome->result, outcome->bytes,
					    outcome->size_bytes);
	} else {
		status = send_response(client, outcome->bytes, outcome->size_bytes);
	}
	release(client);
	return status;
}

enum status client_fail(struct client *client, uint32_t code)
{
	uint8_t response[TPM_HEADER_BYTES];
	enum status status;
	if (client->job.is_control) {
		status = send_control_reply(client, TPM_CONTROL_FAILED, NULL, 0);
	} else {
		status = send_response(client, response, response_error(response, code));
	}
	release(client);
	return status;
}
