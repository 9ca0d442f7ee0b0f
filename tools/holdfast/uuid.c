// SPDX-License-Identifier: MIT
#include "tools/holdfast/uuid.h"

#include <stdbool.h>
#include <stddef.h>

void uuid_format(const uint8_t uuid[VOLUME_UUID_BYTES], char out[UUID_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;
	for (size_t i = 0; i < VOLUME_UUID_BYTES; i++) {
		bool group_begins = i == 4 || i == 6 || i == 8 || i == 10;
		if (group_begins) {
			out[at++] = '-';
		}
		out[at++] = digits[uuid[i] >> 4];
		out[at++] = digits[uuid[i] & 15];
	}
	out[at] = '\0';
}
