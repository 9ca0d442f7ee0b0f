// SPDX-License-Identifier: MIT
#include "vtpm/errno_map.h"

int errno_of_status(enum status status)
{
	switch (status) {
	case STATUS_OK: return 0;
	case STATUS_AGAIN: return LINUX_EAGAIN;
	case STATUS_NOT_FOUND: return LINUX_ENOENT;
	case STATUS_EXISTS: return LINUX_EEXIST;
	case STATUS_NO_MEMORY: return LINUX_ENOMEM;
	case STATUS_NO_SPACE: return LINUX_ENOSPC;
	case STATUS_TOO_LARGE: return LINUX_EFBIG;
	case STATUS_BUSY: return LINUX_EBUSY;
	case STATUS_LIMIT: return LINUX_EMFILE;
	case STATUS_INVALID: return LINUX_EINVAL;
	case STATUS_BAD_USER: return LINUX_EFAULT;
	case STATUS_READ_ONLY: return LINUX_EROFS;
	case STATUS_UNSUPPORTED: return LINUX_EOPNOTSUPP;

	case STATUS_BAD_HOST:
	case STATUS_BAD_GUEST:
	case STATUS_BAD_CONFIG:
	case STATUS_IO:
	case STATUS_TIMEOUT:
	case STATUS_NO_DEVICE:
	case STATUS_NO_FLUSH:
	case STATUS_NO_ENTROPY:
	case STATUS_FAULTED: return LINUX_EIO;

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
	case STATUS_NOT_ENROLLED:
	case STATUS_AUTH_FAILED: return LINUX_EBADMSG;
	}
	/* Not a value of ours: never success, never "absent". */
	return LINUX_EIO;
}
