// SPDX-License-Identifier: MIT
/* Statuses as Linux errno values, for the system calls of ring 3. */
#pragma once

#include "base/status.h"

/* Linux numbers, x86-64. The kernel has no <errno.h>, and the host's need not be Linux's. */
enum linux_errno {
	LINUX_EPERM = 1,
	LINUX_ENOENT = 2,
	LINUX_EINTR = 4,
	LINUX_EIO = 5,
	LINUX_EBADF = 9,
	LINUX_EAGAIN = 11,
	LINUX_ENOMEM = 12,
	LINUX_EACCES = 13,
	LINUX_EFAULT = 14,
	LINUX_EBUSY = 16,
	LINUX_EEXIST = 17,
	LINUX_ENODEV = 19,
	LINUX_EINVAL = 22,
	LINUX_EMFILE = 24,
	LINUX_EFBIG = 27,
	LINUX_ENOSPC = 28,
	LINUX_EROFS = 30,
	LINUX_ENOSYS = 38,
	LINUX_EBADMSG = 74,
	LINUX_EOVERFLOW = 75,
	LINUX_EOPNOTSUPP = 95,
	LINUX_ETIMEDOUT = 110,
	LINUX_ENOKEY = 126,
};

/* Total. 0 for STATUS_OK, else positive (a system call returns the negative). ENOENT stands for
 * STATUS_NOT_FOUND and for nothing else: vtpmd makes a new TPM when it sees it. EBADMSG stands for
 * everything that says "this is not what we wrote". */
int errno_of_status(enum status status);
