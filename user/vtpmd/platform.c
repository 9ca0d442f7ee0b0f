// SPDX-License-Identifier: MIT
#include "user/vtpmd/platform.h"

#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_tis.h>

#include "base/bytes.h"

/* libtpms' callbacks carry no context; there is one TPM in a process. */
static uint8_t current_locality;

/* Between _TPM_Hash_Start and _TPM_Hash_End. libtpms ignores data that nobody announced; the one
 * who sends it should hear that. */
static bool hashing;

void platform_set_locality(uint8_t locality)
{
	current_locality = locality;
}

uint8_t platform_locality(void)
{
	return current_locality;
}

/* libtpms asks this between two candidates for a prime, and before each self-test. Its own flag
 * would have to be set by a signal or a thread, and ring 3 has neither: the linker brings the
 * question here (--wrap), and the kernel answers it. POLLPRI on the commands' descriptor says that
 * whoever sent the command does not want it any more. */
int __wrap__plat__IsCanceled(void);

int __wrap__plat__IsCanceled(void)
{
	struct pollfd descriptor = {.fd = STDIN_FILENO, .events = POLLPRI};

	return poll(&descriptor, 1, 0) == 1 && (descriptor.revents & POLLPRI) != 0 ? 1 : 0;
}

static uint32_t code_of(TPM_RESULT result)
{
	if (result == TPM_SUCCESS) {
		return TPM_RC_SUCCESS;
	}
	return result == TPM_BAD_LOCALITY ? SERVICE_RC_LOCALITY : TPM_RC_FAILURE;
}

static uint32_t hash_start(void)
{
	const TPM_RESULT result = TPM_IO_Hash_Start();

	hashing = result == TPM_SUCCESS;
	return code_of(result);
}

static uint32_t hash_data(const struct service_message *message)
{
	if (!hashing) {
		return SERVICE_RC_SEQUENCE;
	}
	return code_of(TPM_IO_Hash_Data(message->bytes, (uint32_t)message->size_bytes));
}

static uint32_t hash_end(void)
{
	if (!hashing) {
		return SERVICE_RC_SEQUENCE;
	}
	hashing = false;
	return code_of(TPM_IO_Hash_End());
}

static size_t get_established(uint8_t response[PLATFORM_RESPONSE_BYTES_MAX])
{
	TPM_BOOL established = FALSE;
	const TPM_RESULT result = TPM_IO_TpmEstablished_Get(&established);
	const size_t size_bytes = response_error(response, code_of(result));

	if (result != TPM_SUCCESS) {
		return size_bytes;
	}
	response[size_bytes] = established ? 1 : 0;
	bytes_store_be32(response + 2, (uint32_t)size_bytes + 1);
	return size_bytes + 1;
}

size_t platform_signal(const struct service_message *message,
		       uint8_t response[PLATFORM_RESPONSE_BYTES_MAX])
{
	uint32_t code = TPM_RC_FAILURE;

	switch (message->kind) {
	case SERVICE_HASH_START: code = hash_start(); break;
	case SERVICE_HASH_DATA: code = hash_data(message); break;
	case SERVICE_HASH_END: code = hash_end(); break;
	case SERVICE_GET_ESTABLISHED: return get_established(response);
	case SERVICE_RESET_ESTABLISHED: code = code_of(TPM_IO_TpmEstablished_Reset()); break;
	case SERVICE_COMMAND: break; /* Not a signal. */
	}
	return response_error(response, code);
}
