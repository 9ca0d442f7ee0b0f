// SPDX-License-Identifier: MIT
#include "tools/nbdkit/errno_of.h"

#include <errno.h>

int errno_of(enum status status)
{
	switch (status) {
	case STATUS_OK: return 0;
	case STATUS_NO_SPACE: return ENOSPC;
	case STATUS_NO_MEMORY: return ENOMEM;
	case STATUS_INVALID:
	case STATUS_TOO_LARGE: return EINVAL;
	case STATUS_READ_ONLY: return EROFS;
	case STATUS_TIMEOUT:
	case STATUS_AGAIN:
	case STATUS_NOT_FOUND:
	case STATUS_EXISTS:
	case STATUS_BUSY:
	case STATUS_LIMIT:
	case STATUS_BAD_HOST:
	case STATUS_BAD_GUEST:
	case STATUS_BAD_USER:
	case STATUS_BAD_CONFIG:
	case STATUS_IO:
	case STATUS_NO_DEVICE:
	case STATUS_NO_FLUSH:
	case STATUS_UNSUPPORTED:
	case STATUS_NO_ENTROPY:
	case STATUS_NOT_A_VOLUME:
	case STATUS_NEWER_FORMAT:
	case STATUS_WRONG_KEY:
	case STATUS_NO_KEY:
	case STATUS_AUTH_DATA:
	case STATUS_AUTH_META:
	case STATUS_TAMPER:
	case STATUS_ROLLBACK:
	case STATUS_FORK:
	case STATUS_UNANCHORED:
	case STATUS_DUPLICATE_VOLUME:
	case STATUS_TRUNCATED:
	case STATUS_FAULTED:
	case STATUS_NOT_ENROLLED:
	case STATUS_AUTH_FAILED: return EIO;
	}
	return EIO;
}
