// SPDX-License-Identifier: MIT
#include "tools/holdfast/size.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

static bool suffix_shift(char suffix, uint32_t *shift)
{
	switch (suffix) {
	case 'k':
	case 'K': *shift = 10; return true;
	case 'm':
	case 'M': *shift = 20; return true;
	case 'g':
	case 'G': *shift = 30; return true;
	case 't':
	case 'T': *shift = 40; return true;
	default: return false;
	}
}

/* strtoull would accept a sign, white space and a wrapped negative number. */
enum status size_parse(const char *text, uint64_t *size_bytes)
{
	const char *at = text;
	uint64_t value = 0;
	while (*at >= '0' && *at <= '9') {
		uint64_t digit = (uint64_t)(*at - '0');
		if (value > ((uint64_t)INT64_MAX - digit) / 10) {
			return STATUS_INVALID;
		}
		value = value * 10 + digit;
		at++;
	}
	uint32_t shift = 0;
	if (at != text && *at != '\0' && suffix_shift(*at, &shift)) {
		at++;
	}
	if (*at != '\0' || value == 0 || value > (uint64_t)INT64_MAX >> shift) {
		return STATUS_INVALID;
	}
	*size_bytes = value << shift;
	return STATUS_OK;
}

void size_format(uint64_t size_bytes, char out[SIZE_TEXT_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	while (unit + 1 < ARRAY_COUNT(units) && size_bytes != 0 && size_bytes % 1024 == 0) {
		size_bytes /= 1024;
		unit++;
	}
	(void)snprintf(out, SIZE_TEXT_BYTES, "%" PRIu64 " %s", size_bytes, units[unit]);
}
