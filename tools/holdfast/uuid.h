// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>

#include "block/volume.h"

#define UUID_TEXT_BYTES 37u

/* Lower-case hexadecimal in groups of 8-4-4-4-12 (RFC 9562, section 4). */
void uuid_format(const uint8_t uuid[VOLUME_UUID_BYTES], char out[UUID_TEXT_BYTES]);
