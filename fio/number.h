// SPDX-License-Identifier: MIT
/* Numbers as fio writes them (fio 3.33, HOWTO, "Parameter types"). */
#pragma once

#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

/* "4k", "128K", "1m", "2g", "512": powers of 1024, as with fio's default kb_base.
 * STATUS_BAD_CONFIG: no number, another suffix, or more than 2^63. */
MUST_CHECK enum status fio_size_parse(const char *text, uint64_t *bytes);

/* "5", "5s", "200ms", "50us", "2m", "1h": without a suffix seconds. */
MUST_CHECK enum status fio_time_parse(const char *text, uint64_t *us);

/* "1.1" as 1100. At most three digits behind the point. */
MUST_CHECK enum status fio_milli_parse(const char *text, uint32_t *milli);
