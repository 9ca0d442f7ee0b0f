// SPDX-License-Identifier: MIT
#include "user/vtpmd/tpm.h"

#include <stdlib.h>
#include <string.h>

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>

#include "base/bytes.h"
#include "user/vtpmd/log.h"
#include "user/vtpmd/nv.h"
#include "user/vtpmd/self_test.h"
#include "user/vtpmd/tpm_clock.h"
#include "user/vtpmd/tpm_internal.h"
#include "vtpm/provision.h"
#include "vtpm/response.h"

#define TPM_CC_PCR_EVENT 0x13Cu

/* PCRs that the static chain of trust of the PC client platform uses and that only a TPM Reset
 * sets to zero. 16 and 23 may be reset by anybody, 17 to 22 belong to a dynamic launch. */
#define CAPPED_PCR_COUNT 16u

/* The event that a restart leaves in PCR 0 to 15: each bank is extended with its own hash of these
 * bytes, without a terminator. Documented in docs/system-calls.md; a verifier may look for it. */
static const char cap_event[] = "HOLDFAST vTPM RESTARTED";

static uint8_t *response_buffer;
static uint32_t response_buffer_bytes;

/* Set while the store said that there is no TPM. */
static bool manufacture_allowed;

/* libtpms decides to make a new TPM in more than one place. Whatever the reason, it happens only if
 * the store gave an authentic "no such object": --wrap=TPM_Manufacture brings the call here. */
int __real_TPM_Manufacture(int first_time);
int __wrap_TPM_Manufacture(int first_time);

int __wrap_TPM_Manufacture(int first_time)
{
	if (nv_outcome() != NV_ABSENT || !manufacture_allowed) {
		log_line("refused: libtpms wanted to make a new TPM over an existing one");
		return -1;
	}
	return __real_TPM_Manufacture(first_time);
}

bool tpm_process(const uint8_t *command, size_t command_bytes, const uint8_t **response,
		 size_t *response_bytes)
{
	uint32_t size = 0;
	/* The library takes a pointer to non-const and does not write through it. */
	uint8_t *input = (uint8_t *)(uintptr_t)command;
	TPM_RESULT result = TPMLIB_Process(&response_buffer, &size, &response_buffer_bytes, input,
					   (uint32_t)command_bytes);

	if (result != TPM_SUCCESS || size < TPM_HEADER_BYTES) {
		log_line("library: no response, result %x", (unsigned int)result);
		return false;
	}
	*response = response_buffer;
	*response_bytes = size;
	return true;
}

bool tpm_execute_own(const char *what, const uint8_t *command, size_t command_bytes)
{
	const uint8_t *response = NULL;
	size_t response_bytes = 0;

	if (!tpm_process(command, command_bytes, &response, &response_bytes)) {
		return false;
	}
	if (response_code(response) != TPM_RC_SUCCESS) {
		log_line("%s: TPM_RC %x", what, (unsigned int)response_code(response));
		return false;
	}
	return true;
}

static bool execute_for_client(void *context, const uint8_t *command, size_t command_bytes,
			       const uint8_t **response, size_t *response_bytes)
{
	(void)context;
	return tpm_process(command, command_bytes, response, response_bytes);
}

struct tpm_client tpm_own_client(void)
{
	return (struct tpm_client){.execute = execute_for_client};
}

bool tpm_succeeded(enum status status, const struct tpm_client *client)
{
	if (status != STATUS_OK) {
		log_line("%s: %s, TPM_RC %x", client->step, status_name(status),
			 (unsigned int)client->response_code);
	}
	return status == STATUS_OK;
}

/* PCR_Event hashes in every active bank itself, so that no bank can be forgotten. */
static bool cap_pcr(uint32_t pcr)
{
	struct tpm_client client = tpm_own_client();
	struct tpm_command command;
	struct reader reader;

	tpm_command_begin_authorised(&command, TPM_CC_PCR_EVENT, &pcr, 1);
	writer_be16(&command.writer, sizeof(cap_event) - 1);
	writer_copy(&command.writer, (const uint8_t *)cap_event, sizeof(cap_event) - 1);
	return tpm_succeeded(tpm_client_run(&client, "PCR_Event", &command, &reader), &client);
}

/* The search for the primes of an RSA key is a matter of luck, and takes seconds on an emulator:
 * whoever waits for the first boot is told what it does. */
static bool make_keys(struct tpm_client *client)
{
	for (size_t key = 0; key < PROVISION_KEYS; key++) {
		log_line("making %s", provision_keys[key].name);
		if (!tpm_succeeded(provision_key_make(client, (enum provision_key)key), client)) {
			return false;
		}
	}
	return true;
}

/* A new TPM is complete when its banks are chosen, its keys are made and it has been switched off
 * in order; only then is it stored, in one piece. It has no EK certificates: the authority that
 * signs them is not here. "holdfast tpm manufacture" makes a TPM that has. */
static enum service_exit finish_manufacture(void)
{
	struct tpm_client client = tpm_own_client();
	/* Nothing of an ephemeral TPM is worth a persistent key, nor the wait at each boot. */
	bool good = tpm_execute_own("Startup", tpm_startup_clear, TPM_STARTUP_BYTES) &&
		    tpm_succeeded(provision_settings(&client), &client) &&
		    (nv_is_ephemeral() || make_keys(&client)) &&
		    tpm_execute_own("Shutdown", tpm_shutdown_clear, TPM_STARTUP_BYTES);

	if (!good) {
		return SERVICE_EXIT_MANUFACTURE;
	}
	TPMLIB_Terminate();
	manufacture_allowed = false;
	if (!nv_keep_manufactured()) {
		return SERVICE_EXIT_STORE;
	}
	if (TPMLIB_MainInit() != TPM_SUCCESS) {
		return SERVICE_EXIT_MANUFACTURE;
	}
	log_line("manufactured");
	return SERVICE_EXIT_ORDERLY;
}

bool tpm_execute(const uint8_t *command, size_t command_bytes, const uint8_t **response,
		 size_t *response_bytes)
{
	static uint8_t started[TPM_HEADER_BYTES];

	command = self_test_replace(command, command_bytes);
	if (!tpm_clock_keep() || !tpm_process(command, command_bytes, response, response_bytes)) {
		return false;
	}
	if (command_code(command) != TPM_CC_STARTUP || response_code(*response) != TPM_RC_SUCCESS) {
		return true;
	}
	/* Before its user has another turn. */
	*response = started;
	*response_bytes = response_error(started, TPM_RC_SUCCESS);
	return tpm_clock_start();
}

/* Why MainInit failed, in the order of what a person should know first. */
static enum service_exit init_failure(void)
{
	switch (nv_outcome()) {
	case NV_UNREADABLE: return SERVICE_EXIT_STATE_IO;
	case NV_REFUSED: return SERVICE_EXIT_STATE_AUTH;
	case NV_ABSENT: return SERVICE_EXIT_MANUFACTURE;
	case NV_LOADED: return nv_store_failed() ? SERVICE_EXIT_STORE : SERVICE_EXIT_STATE_REJECTED;
	case NV_NOT_ASKED: return SERVICE_EXIT_LIBRARY;
	}
	return SERVICE_EXIT_LIBRARY;
}

/* Before MainInit only. A size that libtpms does not take as it is would be another TPM than the
 * one that was asked for. */
static bool set_buffer_size(uint32_t wanted_bytes)
{
	uint32_t min_bytes = 0;
	uint32_t max_bytes = 0;

	return TPMLIB_SetBufferSize(wanted_bytes, &min_bytes, &max_bytes) == wanted_bytes;
}

static enum service_exit power_on(uint32_t buffer_bytes)
{
	TPM_RESULT result;

	if (TPMLIB_ChooseTPMVersion(TPMLIB_TPM_VERSION_2) != TPM_SUCCESS) {
		return SERVICE_EXIT_LIBRARY;
	}
	if (!set_buffer_size(buffer_bytes)) {
		log_line("library: no buffers of %u bytes", (unsigned int)buffer_bytes);
		return SERVICE_EXIT_USAGE;
	}
	manufacture_allowed = true;
	result = TPMLIB_MainInit();
	if (result != TPM_SUCCESS) {
		log_line("library: MainInit result %x", (unsigned int)result);
		return init_failure();
	}
	if (nv_outcome() == NV_ABSENT) {
		return finish_manufacture();
	}
	manufacture_allowed = false;
	return SERVICE_EXIT_ORDERLY;
}

enum service_exit tpm_start(const struct tpm_start_options *options)
{
	enum service_exit result = power_on(options->buffer_bytes);

	if (result != SERVICE_EXIT_ORDERLY) {
		return result;
	}
	if (options->without_startup) {
		return self_test_at_power_on() ? SERVICE_EXIT_ORDERLY : SERVICE_EXIT_LIBRARY;
	}
	if (!tpm_execute_own("Startup", tpm_startup_clear, TPM_STARTUP_BYTES)) {
		return nv_store_failed() ? SERVICE_EXIT_STORE : SERVICE_EXIT_START;
	}
	if (!tpm_clock_start()) {
		return nv_store_failed() ? SERVICE_EXIT_STORE : SERVICE_EXIT_START;
	}
	if (!options->restarted) {
		return SERVICE_EXIT_ORDERLY;
	}
	for (uint32_t pcr = 0; pcr < CAPPED_PCR_COUNT; pcr++) {
		if (!cap_pcr(pcr)) {
			return SERVICE_EXIT_START;
		}
	}
	log_line("PCRs capped");
	return SERVICE_EXIT_ORDERLY;
}
