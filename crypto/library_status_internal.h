// SPDX-License-Identifier: MIT
/* What mbedtls returns, as a status. */
#pragma once

#include "base/status.h"

/* Total: 0 is OK, allocation failures are NO_MEMORY, a refused argument is INVALID, a failed
 * entropy source is NO_ENTROPY, and whatever else the library may say means that it cannot do
 * here what we asked for: UNSUPPORTED. */
enum status library_status(int result);
