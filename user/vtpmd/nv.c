// SPDX-License-Identifier: MIT
#include "user/vtpmd/nv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libtpms/tpm_error.h>
#include <libtpms/tpm_library.h>
#include <libtpms/tpm_nvfilename.h>

#include "base/format.h"
#include "user/vtpmd/log.h"
#include "vtpm/instance.h"
#include "user/vtpmd/platform.h"

/* The kernel's limit on an object; a full permall has 151 KB. */
#define OBJECT_BYTES_MAX (256u * 1024u)
#define PATH_BYTES       512

static struct {
	char permall_path[PATH_BYTES];
	bool ephemeral;
	/* A TPM is being made: stores go to memory, and reach the store as one transaction when
	 * nv_keep_manufactured() says that the TPM is complete. */
	bool holding;
	/* Kept open: the kernel then still has the committed content at hand and can tell which
	 * blocks a store changes. -1 until the first store. */
	int permall_fd;
	enum nv_outcome outcome;
	bool store_failed;
	int first_errno;
	/* Ephemeral or holding. */
	unsigned char *memory;
	uint32_t memory_bytes;
} nv = {.permall_fd = -1};

static void note_failure(const char *what, int error)
{
	if (nv.first_errno == 0) {
		nv.first_errno = error;
	}
	log_line("%s failed: errno %d", what, error);
}

static TPM_RESULT nvram_init(void)
{
	return TPM_SUCCESS;
}

static bool is_permall(uint32_t tpm_number, const char *name)
{
	return tpm_number == 0 && strcmp(name, TPM_PERMANENT_ALL_NAME) == 0;
}

static bool read_all(int fd, unsigned char *out, size_t size)
{
	size_t at = 0;

	while (at < size) {
		ssize_t got = pread(fd, out + at, size - at, (off_t)at);

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			/* Shorter than fstat(2) said: somebody lies, and an error it is. */
			errno = got == 0 ? EIO : errno;
			return false;
		}
		at += (size_t)got;
	}
	return true;
}

/* Reads all of `fd`. The library frees what it gets, with free(3). malloc(3) and not TPM_Malloc(),
 * which refuses more than 128 KiB: a permall with full NV is larger, and could never be loaded
 * again. */
static bool read_object(int fd, unsigned char **data, uint32_t *length)
{
	struct stat info;
	unsigned char *bytes = NULL;

	if (fstat(fd, &info) != 0) {
		return false;
	}
	/* An empty object is not an absent one. */
	if (info.st_size <= 0 || info.st_size > (off_t)OBJECT_BYTES_MAX) {
		errno = info.st_size <= 0 ? EBADMSG : EFBIG;
		return false;
	}
	bytes = malloc((size_t)info.st_size);
	if (bytes == NULL) {
		errno = ENOMEM;
		return false;
	}
	if (!read_all(fd, bytes, (size_t)info.st_size)) {
		int error = errno;

		free(bytes);
		errno = error;
		return false;
	}
	*data = bytes;
	*length = (uint32_t)info.st_size;
	return true;
}

static TPM_RESULT load_failed(const char *what)
{
	int error = errno;

	note_failure(what, error);
	nv.outcome = error == EBADMSG ? NV_REFUSED : NV_UNREADABLE;
	return TPM_FAIL;
}

static TPM_RESULT load_from_store(unsigned char **data, uint32_t *length)
{
	int fd = open(nv.permall_path, O_RDONLY);
	bool good;

	if (fd < 0 && errno == ENOENT) {
		/* libtpms asks more than once; "absent" may not follow on anything else. */
		if (nv.outcome != NV_NOT_ASKED && nv.outcome != NV_ABSENT) {
			errno = EIO;
			return load_failed("second load");
		}
		nv.outcome = NV_ABSENT;
		nv.holding = true;
		return TPM_RETRY;
	}
	if (fd < 0) {
		return load_failed("open");
	}
	good = read_object(fd, data, length);
	if (!good) {
		TPM_RESULT result = load_failed("load");

		close(fd);
		return result;
	}
	close(fd);
	nv.outcome = NV_LOADED;
	return TPM_SUCCESS;
}

static TPM_RESULT load_from_memory(unsigned char **data, uint32_t *length)
{
	if (nv.memory == NULL) {
		nv.outcome = NV_ABSENT;
		return TPM_RETRY;
	}
	*data = malloc(nv.memory_bytes);
	if (*data == NULL) {
		errno = ENOMEM;
		return load_failed("load");
	}
	memcpy(*data, nv.memory, nv.memory_bytes);
	*length = nv.memory_bytes;
	return TPM_SUCCESS;
}

static TPM_RESULT nvram_loaddata(unsigned char **data, uint32_t *length, uint32_t tpm_number,
				 const char *name)
{
	*data = NULL;
	*length = 0;
	if (!is_permall(tpm_number, name)) {
		/* Volatile state is never kept, so its absence is a fact. */
		return TPM_RETRY;
	}
	if (nv.ephemeral || nv.memory != NULL) {
		return load_from_memory(data, length);
	}
	return load_from_store(data, length);
}

/* Stage all of `data`. The kernel compares; blocks that do not change cost nothing. */
static bool stage(int fd, const unsigned char *data, size_t length)
{
	size_t at = 0;

	while (at < length) {
		ssize_t put = pwrite(fd, data + at, length - at, (off_t)at);

		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put <= 0) {
			errno = put == 0 ? EIO : errno;
			return false;
		}
		at += (size_t)put;
	}
	return ftruncate(fd, (off_t)length) == 0;
}

static TPM_RESULT store_failed(const char *what)
{
	note_failure(what, errno);
	nv.store_failed = true;
	/* What was staged must not ride along with a later store. */
	if (nv.permall_fd >= 0) {
		close(nv.permall_fd);
		nv.permall_fd = -1;
	}
	return TPM_FAIL;
}

static TPM_RESULT store_to_store(const unsigned char *data, uint32_t length)
{
	if (nv.permall_fd < 0) {
		/* Without O_CREAT when the object exists: if it has gone, that is an error. */
		int flags = nv.outcome == NV_ABSENT ? O_RDWR | O_CREAT : O_RDWR;

		nv.permall_fd = open(nv.permall_path, flags, 0600);
		if (nv.permall_fd < 0) {
			return store_failed("store failed: open");
		}
	}
	if (!stage(nv.permall_fd, data, length)) {
		return store_failed("store failed: write");
	}
	if (fsync(nv.permall_fd) != 0) {
		return store_failed("store failed: fsync");
	}
	nv.outcome = NV_LOADED;
	return TPM_SUCCESS;
}

static TPM_RESULT store_to_memory(const unsigned char *data, uint32_t length)
{
	unsigned char *bytes = malloc(length);

	if (bytes == NULL) {
		errno = ENOMEM;
		return store_failed("store failed: malloc");
	}
	memcpy(bytes, data, length);
	if (nv.memory != NULL) {
		explicit_bzero(nv.memory, nv.memory_bytes);
		free(nv.memory);
	}
	nv.memory = bytes;
	nv.memory_bytes = length;
	return TPM_SUCCESS;
}

static TPM_RESULT nvram_storedata(const unsigned char *data, uint32_t length, uint32_t tpm_number,
				  const char *name)
{
	if (!is_permall(tpm_number, name)) {
		/* Nobody asks libtpms to save anything else; if it does, it is told the truth. */
		errno = ENOTSUP;
		return store_failed("store failed: volatile state");
	}
	/* After one failed store the TPM is in failure mode and should not come here. If it did:
	 * nothing may be stored on top, nor over a state that could not be read. */
	if (nv.store_failed || nv.outcome == NV_UNREADABLE || nv.outcome == NV_REFUSED) {
		return TPM_FAIL;
	}
	if (length == 0 || length > OBJECT_BYTES_MAX) {
		errno = EFBIG;
		return store_failed("store failed: size");
	}
	if (nv.ephemeral || nv.holding) {
		return store_to_memory(data, length);
	}
	return store_to_store(data, length);
}

bool nv_keep_manufactured(void)
{
	TPM_RESULT result;

	if (nv.ephemeral) {
		return true;
	}
	nv.holding = false;
	if (nv.memory == NULL) {
		errno = EIO;
		(void)store_failed("store failed: nothing was made");
		return false;
	}
	result = store_to_store(nv.memory, nv.memory_bytes);
	explicit_bzero(nv.memory, nv.memory_bytes);
	free(nv.memory);
	nv.memory = NULL;
	return result == TPM_SUCCESS;
}

bool nv_store_now(void)
{
	unsigned char *data = NULL;
	uint32_t length = 0;
	TPM_RESULT result = TPMLIB_GetState(TPMLIB_STATE_PERMANENT, &data, &length);

	if (result == TPM_SUCCESS) {
		result = nvram_storedata(data, length, 0, TPM_PERMANENT_ALL_NAME);
		explicit_bzero(data, length);
	}
	free(data);
	return result == TPM_SUCCESS;
}

static TPM_RESULT nvram_deletename(uint32_t tpm_number, const char *name, TPM_BOOL must_exist)
{
	if (is_permall(tpm_number, name)) {
		/* No command of a TPM 2.0 deletes the permanent state; libtpms has no say in it. */
		errno = EPERM;
		note_failure("delete of the permanent state", errno);
		return TPM_FAIL;
	}
	return must_exist ? TPM_FAIL : TPM_SUCCESS;
}

static TPM_RESULT io_init(void)
{
	return TPM_SUCCESS;
}

static TPM_RESULT io_getlocality(TPM_MODIFIER_INDICATOR *locality, uint32_t tpm_number)
{
	(void)tpm_number;
	*locality = platform_locality();
	return TPM_SUCCESS;
}

static TPM_RESULT io_getphysicalpresence(TPM_BOOL *present, uint32_t tpm_number)
{
	(void)tpm_number;
	*present = FALSE;
	return TPM_SUCCESS;
}

/* The group is complete: with a callback missing libtpms would use files of its own choice. */
static struct libtpms_callbacks callbacks = {
	.sizeOfStruct = (int)sizeof(struct libtpms_callbacks),
	.tpm_nvram_init = nvram_init,
	.tpm_nvram_loaddata = nvram_loaddata,
	.tpm_nvram_storedata = nvram_storedata,
	.tpm_nvram_deletename = nvram_deletename,
	.tpm_io_init = io_init,
	.tpm_io_getlocality = io_getlocality,
	.tpm_io_getphysicalpresence = io_getphysicalpresence,
};

bool nv_install(const char *directory, uint32_t instance, bool ephemeral)
{
	struct instance_names names;
	size_t size;

	instance_names_make(instance, &names);
	size = format_text(nv.permall_path, sizeof(nv.permall_path), "%s%s", directory,
			   names.object);
	nv.ephemeral = ephemeral;
	/* A path that was cut would name another object. */
	return size == strlen(directory) + strlen(names.object) &&
	       TPMLIB_RegisterCallbacks(&callbacks) == TPM_SUCCESS;
}

enum nv_outcome nv_outcome(void)
{
	return nv.outcome;
}

bool nv_is_ephemeral(void)
{
	return nv.ephemeral;
}

bool nv_store_failed(void)
{
	return nv.store_failed;
}

int nv_errno(void)
{
	return nv.first_errno;
}
