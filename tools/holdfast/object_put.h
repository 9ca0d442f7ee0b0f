// SPDX-License-Identifier: MIT
/* Make bytes the content of an object: one durable transaction. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/report.h"
#include "tools/holdfast/session.h"

/* Creates or replaces. STATUS_TOO_LARGE: more than one transaction can change. */
MUST_CHECK
enum status object_put(struct session *session, const char *name, const uint8_t *bytes,
		       size_t size_bytes, struct report *report);
