// SPDX-License-Identifier: MIT
/* A recovery key as a person keeps it: four rows of hexadecimal groups, each ending in a check of
 * its own, so that a slip of the pen is found and the row named.
 *
 *   3f2a-91bc-77aa-0102-c1c2     8 bytes of the key, 2 of the check
 *
 * The check is the beginning of SHA-256 over a label, the row's number and its bytes, so rows in
 * the wrong order are found too. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume.h"

#define RECOVERY_KEY_ROWS       4u
#define RECOVERY_KEY_TEXT_BYTES 128u /* Enough for the rows, their newlines and a 0. */

MUST_CHECK
enum status recovery_key_format(const uint8_t key[VOLUME_KEY_BYTES],
				char out[RECOVERY_KEY_TEXT_BYTES]);

/* Upper and lower case, with or without dashes and white space; lines that begin with '#' are
 * skipped. STATUS_NO_KEY: not a recovery key; `row` is then the one that is wrong, counted from 1,
 * or 0 if the text as a whole is too short, too long, or holds something else. */
MUST_CHECK
enum status recovery_key_parse(const uint8_t *text, size_t size, uint8_t key[VOLUME_KEY_BYTES],
			       uint32_t *row);
