// SPDX-License-Identifier: MIT
/* What each request of the control port does. */
#include "base/log.h"
#include "kernel/svsm.h"
#include "kernel/tpm_control.h"

/* Give the TPM a signal; its answer's parameters are borrowed. */
static enum tpm_control_result signal_tpm(struct vtpm_service *service,
					  const struct service_message *message,
					  const uint8_t **parameters, size_t *size_bytes)
{
	size_t response_bytes;
	const uint8_t *response = vtpm_service_execute(service, message, &response_bytes);
	*parameters = response + TPM_HEADER_BYTES;
	*size_bytes = response_bytes - TPM_HEADER_BYTES;
	switch (response_code(response)) {
	case TPM_RC_SUCCESS: return TPM_CONTROL_OK;
	case SERVICE_RC_LOCALITY: return TPM_CONTROL_BAD_LOCALITY;
	case SERVICE_RC_SEQUENCE: return TPM_CONTROL_BAD_SEQUENCE;
	default: return TPM_CONTROL_FAILED; /* Not an enum of ours: ring 3 says what it likes. */
	}
}

static enum tpm_control_result plain_signal(struct vtpm_service *service,
					    enum service_message_kind kind,
					    const struct tpm_control_request *request)
{
	const struct service_message message = {
		.kind = kind,
		.locality = request->locality,
		.bytes = request->bytes,
		.size_bytes = request->byte_count,
	};
	const uint8_t *parameters;
	size_t size_bytes;
	return signal_tpm(service, &message, &parameters, &size_bytes);
}

/* The flag is the platform's and outlives a TPM's power, so it is kept here; what libtpms says only
 * adds to it. */
static enum tpm_control_result get_established(struct vtpm_service *service, uint8_t *body,
					       size_t *body_bytes)
{
	const struct service_message message = {.kind = SERVICE_GET_ESTABLISHED};
	const uint8_t *parameters;
	size_t size_bytes;
	const enum tpm_control_result result =
		signal_tpm(service, &message, &parameters, &size_bytes);
	if (result != TPM_CONTROL_OK || size_bytes != 1) {
		return result != TPM_CONTROL_OK ? result : TPM_CONTROL_FAILED;
	}
	service->established |= parameters[0] != 0;
	body[0] = service->established ? 1 : 0;
	*body_bytes = 1;
	return TPM_CONTROL_OK;
}

static enum tpm_control_result reset_established(struct vtpm_service *service,
						 const struct tpm_control_request *request)
{
	const enum tpm_control_result result =
		plain_signal(service, SERVICE_RESET_ESTABLISHED, request);
	if (result == TPM_CONTROL_OK) {
		service->established = false;
	}
	return result;
}

static enum tpm_control_result hash_end(struct vtpm_service *service,
					const struct tpm_control_request *request)
{
	const enum tpm_control_result result = plain_signal(service, SERVICE_HASH_END, request);
	if (result == TPM_CONTROL_OK) {
		service->control.hashes++;
		service->established = true;
	}
	return result;
}

static enum tpm_control_result power_on(struct vtpm_service *service,
					const struct tpm_control_request *request, uint8_t *body,
					size_t *body_bytes)
{
	if (!service->powered || (request->flags & TPM_CONTROL_POWER_IF_OFF) == 0) {
		vtpm_service_power_on(service, (request->flags & TPM_CONTROL_POWER_STARTUP) != 0);
		log_write(LOG_NOTICE, "tpm-control", "power on: %s", status_name(service->status));
	}
	const struct tpm_control_status status = {.power = TPM_CONTROL_POWER_IS_ON,
						  .locality = service->locality,
						  .established = service->established,
						  .power_id = service->power_id};
	*body_bytes = tpm_control_encode_status(body, &status);
	return service->status == STATUS_OK ? TPM_CONTROL_OK : TPM_CONTROL_UNAVAILABLE;
}

static enum tpm_control_result power_off(struct vtpm_service *service)
{
	if (service->powered) {
		vtpm_service_power_off(service);
		log_write(LOG_NOTICE, "tpm-control", "power off");
	}
	return service->status == STATUS_OK ? TPM_CONTROL_OK : TPM_CONTROL_UNAVAILABLE;
}

/* The next power-on gives the TPM buffers of this size; what is out of range becomes what is in
 * it, for a machine asks for its own size and takes what it gets. */
static enum tpm_control_result buffer_size(struct vtpm_service *service, uint32_t wanted_bytes,
					   uint8_t *body, size_t *body_bytes)
{
	if (wanted_bytes != 0 && service->powered) {
		return TPM_CONTROL_IS_ON;
	}
	if (wanted_bytes != 0) {
		uint32_t size = wanted_bytes;
		size = size > SERVICE_BUFFER_BYTES_MAX ? SERVICE_BUFFER_BYTES_MAX : size;
		service->buffer_bytes =
			size < SERVICE_BUFFER_BYTES_MIN ? SERVICE_BUFFER_BYTES_MIN : size;
	}
	const struct tpm_control_buffer_size sizes = {
		.size_bytes = service->buffer_bytes,
		.min_bytes = SERVICE_BUFFER_BYTES_MIN,
		.max_bytes = SERVICE_BUFFER_BYTES_MAX,
	};
	*body_bytes = tpm_control_encode_buffer_size(body, &sizes);
	return TPM_CONTROL_OK;
}

static enum tpm_control_result hello(struct vtpm_service *service, uint8_t *body,
				     size_t *body_bytes)
{
	/* Who says it has just connected (docs/tpm-control.md). */
	service->locality = 0;
	const struct tpm_control_hello hello = {
		.version_min = TPM_CONTROL_VERSION,
		.version_max = TPM_CONTROL_VERSION,
		.instance = service->control.instance,
		.body_bytes_max = TPM_CONTROL_BODY_BYTES_MAX,
	};
	*body_bytes = tpm_control_encode_hello(body, &hello);
	return TPM_CONTROL_OK;
}

static enum tpm_control_result tell_status(const struct vtpm_service *service, uint8_t *body,
					   size_t *body_bytes)
{
	struct tpm_control_status status = {
		.power = service->powered ? TPM_CONTROL_POWER_IS_ON : TPM_CONTROL_POWER_IS_OFF,
		.locality = service->locality,
		.established = service->established,
		.running = service->running,
		.cause = (uint8_t)-service->status,
		.power_id = service->power_id,
	};
	if (service->status != STATUS_OK) {
		status.power = TPM_CONTROL_POWER_IS_UNAVAILABLE;
	}
	*body_bytes = tpm_control_encode_status(body, &status);
	return TPM_CONTROL_OK;
}

static enum tpm_control_result tell_counters(const struct vtpm_service *service, uint8_t *body,
					     size_t *body_bytes)
{
	const struct tpm_control_counters counters = {
		.commands = service->commands,
		.restarts = service->restarts,
		.power_ons = service->power_ons,
		.cancels = service->control.cancels,
		.hashes = service->control.hashes,
	};
	*body_bytes = tpm_control_encode_counters(body, &counters);
	return TPM_CONTROL_OK;
}

void tpm_control_cancel(struct vtpm_service *service)
{
	if (service->running && !service->process.cancelled) {
		service->process.cancelled = true;
		service->control.cancels++;
	}
}

/* Requests that reach the TPM itself need one. */
static enum tpm_control_result require_tpm(const struct vtpm_service *service)
{
	if (service->status != STATUS_OK) {
		return TPM_CONTROL_UNAVAILABLE;
	}
	return service->powered ? TPM_CONTROL_OK : TPM_CONTROL_IS_OFF;
}

static enum tpm_control_result apply_to_tpm(struct vtpm_service *service,
					    const struct tpm_control_request *request,
					    uint8_t *body, size_t *body_bytes)
{
	const enum tpm_control_result result = require_tpm(service);
	if (result != TPM_CONTROL_OK) {
		return result;
	}
	if (request->command == TPM_CONTROL_HASH_START) {
		return plain_signal(service, SERVICE_HASH_START, request);
	}
	if (request->command == TPM_CONTROL_HASH_DATA) {
		return plain_signal(service, SERVICE_HASH_DATA, request);
	}
	if (request->command == TPM_CONTROL_HASH_END) {
		return hash_end(service, request);
	}
	return request->command == TPM_CONTROL_RESET_ESTABLISHED
		       ? reset_established(service, request)
		       : get_established(service, body, body_bytes);
}

enum tpm_control_result tpm_control_apply(struct vtpm_service *service,
					  const struct tpm_control_request *request,
					  uint8_t body[TPM_CONTROL_BODY_BYTES_MAX],
					  size_t *body_bytes)
{
	*body_bytes = 0;
	switch (request->command) {
	case TPM_CONTROL_HELLO: return hello(service, body, body_bytes);
	case TPM_CONTROL_STATUS: return tell_status(service, body, body_bytes);
	case TPM_CONTROL_COUNTERS: return tell_counters(service, body, body_bytes);
	case TPM_CONTROL_POWER_ON: return power_on(service, request, body, body_bytes);
	case TPM_CONTROL_POWER_OFF: return power_off(service);
	case TPM_CONTROL_SET_LOCALITY: service->locality = request->locality; break;
	case TPM_CONTROL_CANCEL: tpm_control_cancel(service); break;
	case TPM_CONTROL_BUFFER_SIZE:
		return buffer_size(service, request->size_bytes, body, body_bytes);
	case TPM_CONTROL_GET_ESTABLISHED:
	case TPM_CONTROL_RESET_ESTABLISHED:
	case TPM_CONTROL_HASH_START:
	case TPM_CONTROL_HASH_DATA:
	case TPM_CONTROL_HASH_END: return apply_to_tpm(service, request, body, body_bytes);
	}
	return TPM_CONTROL_OK;
}
