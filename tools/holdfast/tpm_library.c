// SPDX-License-Identifier: MIT
#include "tools/holdfast/tpm_library.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_nvfilename.h>

#include "base/bytes.h"

/* libtpms' callbacks carry no context, so there is one of these; a process has one TPM anyway. */
static struct {
	uint8_t *permall; /* NULL: none yet. */
	size_t permall_bytes;
	bool may_make; /* No state was given: libtpms may make one. */
	uint8_t *response;
	uint32_t response_buffer_bytes;
} library;

/* ---- What the linker brings here (--wrap) --------------------------------------------------- */

int __real_RAND_bytes(unsigned char *out, int size);
int __wrap_RAND_bytes(unsigned char *out, int size);
int __real_TPM_Manufacture(int first_time);
int __wrap_TPM_Manufacture(int first_time);
void __wrap_TPMLIB_LogPrintfA(unsigned int indent, const char *format, ...);
void __wrap_TPMLIB_LogArray(unsigned int indent, const unsigned char *bytes, size_t size);

/* libtpms quietly goes on with rand(3) when this fails. */
int __wrap_RAND_bytes(unsigned char *out, int size)
{
	if (__real_RAND_bytes(out, size) != 1) {
		_exit(TPM_LIBRARY_EXIT_NO_ENTROPY);
	}
	return 1;
}

/* A state that libtpms cannot read it would replace by a new TPM. */
int __wrap_TPM_Manufacture(int first_time)
{
	return library.may_make ? __real_TPM_Manufacture(first_time) : -1;
}

/* The library prints commands and states when it fails; both hold secrets. */
void __wrap_TPMLIB_LogPrintfA(unsigned int indent, const char *format, ...)
{
	(void)indent;
	(void)format;
}

void __wrap_TPMLIB_LogArray(unsigned int indent, const unsigned char *bytes, size_t size)
{
	(void)indent;
	(void)bytes;
	(void)size;
}

/* ---- The NVRAM, in memory ------------------------------------------------------------------- */

static TPM_RESULT nothing_to_do(void)
{
	return TPM_SUCCESS;
}

static TPM_RESULT keep(const unsigned char *data, size_t size)
{
	uint8_t *copy = malloc(size);
	if (copy == NULL) {
		return TPM_FAIL;
	}
	memcpy(copy, data, size);
	if (library.permall != NULL) {
		secure_zero(library.permall, library.permall_bytes);
		free(library.permall);
	}
	library.permall = copy;
	library.permall_bytes = size;
	return TPM_SUCCESS;
}

static TPM_RESULT load(unsigned char **data, uint32_t *length, uint32_t tpm_number,
		       const char *name)
{
	*data = NULL;
	*length = 0;
	if (tpm_number != 0 || strcmp(name, TPM_PERMANENT_ALL_NAME) != 0 ||
	    library.permall == NULL) {
		return TPM_RETRY; /* There is none. */
	}
	*data = malloc(library.permall_bytes); /* The library frees it. */
	if (*data == NULL) {
		return TPM_FAIL;
	}
	memcpy(*data, library.permall, library.permall_bytes);
	*length = (uint32_t)library.permall_bytes;
	return TPM_SUCCESS;
}

static TPM_RESULT store(const unsigned char *data, uint32_t length, uint32_t tpm_number,
			const char *name)
{
	const bool known = tpm_number == 0 && strcmp(name, TPM_PERMANENT_ALL_NAME) == 0;
	return known && length > 0 ? keep(data, length) : TPM_FAIL;
}

static TPM_RESULT forget(uint32_t tpm_number, const char *name, TPM_BOOL must_exist)
{
	(void)tpm_number;
	(void)name;
	return must_exist ? TPM_FAIL : TPM_SUCCESS;
}

static TPM_RESULT locality(TPM_MODIFIER_INDICATOR *out, uint32_t tpm_number)
{
	(void)tpm_number;
	*out = 0;
	return TPM_SUCCESS;
}

static TPM_RESULT presence(TPM_BOOL *out, uint32_t tpm_number)
{
	(void)tpm_number;
	*out = FALSE;
	return TPM_SUCCESS;
}

static struct libtpms_callbacks callbacks = {
	.sizeOfStruct = (int)sizeof(struct libtpms_callbacks),
	.tpm_nvram_init = nothing_to_do,
	.tpm_nvram_loaddata = load,
	.tpm_nvram_storedata = store,
	.tpm_nvram_deletename = forget,
	.tpm_io_init = nothing_to_do,
	.tpm_io_getlocality = locality,
	.tpm_io_getphysicalpresence = presence,
};

enum status tpm_library_power_on(const uint8_t *state, size_t state_bytes)
{
	if (state_bytes > 0 && keep(state, state_bytes) != TPM_SUCCESS) {
		return STATUS_NO_MEMORY;
	}
	library.may_make = state_bytes == 0;
	if (TPMLIB_ChooseTPMVersion(TPMLIB_TPM_VERSION_2) != TPM_SUCCESS ||
	    TPMLIB_RegisterCallbacks(&callbacks) != TPM_SUCCESS) {
		return STATUS_FAULTED;
	}
	if (state_bytes > 0 && TPMLIB_ValidateState(TPMLIB_STATE_PERMANENT, 0) != TPM_SUCCESS) {
		return STATUS_INVALID;
	}
	if (TPMLIB_MainInit() != TPM_SUCCESS) {
		return state_bytes > 0 ? STATUS_INVALID : STATUS_FAULTED;
	}
	return STATUS_OK;
}

bool tpm_library_execute(void *context, const uint8_t *command, size_t command_bytes,
			 const uint8_t **response, size_t *response_bytes)
{
	uint32_t size = 0;
	(void)context;
	/* The library takes a pointer to non-const and does not write through it. */
	if (TPMLIB_Process(&library.response, &size, &library.response_buffer_bytes,
			   (uint8_t *)(uintptr_t)command, (uint32_t)command_bytes) != TPM_SUCCESS) {
		return false;
	}
	*response = library.response;
	*response_bytes = size;
	return true;
}

enum status tpm_library_power_off(uint8_t *out, size_t size_max, size_t *size_bytes)
{
	TPMLIB_Terminate();
	if (library.permall == NULL) {
		return STATUS_FAULTED;
	}
	if (library.permall_bytes > size_max) {
		return STATUS_TOO_LARGE;
	}
	memcpy(out, library.permall, library.permall_bytes);
	*size_bytes = library.permall_bytes;
	return STATUS_OK;
}
