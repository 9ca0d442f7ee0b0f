// SPDX-License-Identifier: MIT
/* QEMU's fw_cfg, through its port interface (QEMU, docs/specs/fw_cfg). What it holds comes from the
 * host and is untrusted. */
#pragma once

#include <stdbool.h>

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

/* Read the named file. *size_bytes is its size, also when it is above `capacity_bytes`
 * (STATUS_TOO_LARGE). STATUS_NO_DEVICE: no fw_cfg. STATUS_NOT_FOUND: no such file. */
MUST_CHECK enum status fw_cfg_read(const char *name, uint8_t *out, size_t capacity_bytes,
				   size_t *size_bytes);
