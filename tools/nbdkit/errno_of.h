// SPDX-License-Identifier: MIT
#pragma once

#include "base/status.h"

/* Only errors that the protocol can carry; nbdkit turns others into EINVAL, which would blame the
 * client. The status itself is in nbdkit's log. */
int errno_of(enum status status);
