// SPDX-License-Identifier: MIT
/* Where the volume's key comes from. On `native` there is one source, for development: a file that
 * the host passes through fw_cfg. Production builds contain no source yet: key release by remote
 * attestation comes with the confidential platform. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define KEY_SOURCE_BYTES 32u

/* STATUS_NO_KEY: no source has one, or it is not exactly 32 bytes. The caller erases `key`. */
MUST_CHECK enum status key_source_read(uint8_t key[KEY_SOURCE_BYTES]);
