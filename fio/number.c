// SPDX-License-Identifier: MIT
#include "fio/number.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/compiler.h"

#define NUMBER_MAX (UINT64_C(1) << 63)

struct suffix {
	const char *text;
	uint64_t factor;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool equal_any_case(const char *a, const char *b)
{
	while (*a != '\0' && lower(*a) == *b) {
		a++;
		b++;
	}
	return *a == '\0' && *b == '\0';
}

/* Decimal digits; `*rest` is what follows them. */
static enum status digits_take(const char *text, uint64_t *number, const char **rest)
{
	uint64_t value = 0;
	const char *at = text;
	for (; *at >= '0' && *at <= '9'; at++) {
		if (value > (NUMBER_MAX - 9) / 10) {
			return STATUS_BAD_CONFIG;
		}
		value = value * 10 + (uint64_t)(*at - '0');
	}
	*number = value;
	*rest = at;
	return at == text ? STATUS_BAD_CONFIG : STATUS_OK;
}

static enum status scaled_parse(const char *text, const struct suffix *suffixes, size_t count,
				uint64_t *scaled)
{
	uint64_t number = 0;
	const char *rest = NULL;
	enum status status = digits_take(text, &number, &rest);
	if (status != STATUS_OK) {
		return status;
	}
	for (size_t i = 0; i < count; i++) {
		if (equal_any_case(rest, suffixes[i].text)) {
			if (number > NUMBER_MAX / suffixes[i].factor) {
				return STATUS_BAD_CONFIG;
			}
			*scaled = number * suffixes[i].factor;
			return STATUS_OK;
		}
	}
	return STATUS_BAD_CONFIG;
}

enum status fio_size_parse(const char *text, uint64_t *bytes)
{
	static const struct suffix suffixes[] = {
		{"", 1},
		{"b", 1},
		{"k", UINT64_C(1) << 10},
		{"ki", UINT64_C(1) << 10},
		{"kib", UINT64_C(1) << 10},
		{"m", UINT64_C(1) << 20},
		{"mi", UINT64_C(1) << 20},
		{"mib", UINT64_C(1) << 20},
		{"g", UINT64_C(1) << 30},
		{"gi", UINT64_C(1) << 30},
		{"gib", UINT64_C(1) << 30},
		{"t", UINT64_C(1) << 40},
	};
	return scaled_parse(text, suffixes, ARRAY_COUNT(suffixes), bytes);
}

enum status fio_time_parse(const char *text, uint64_t *us)
{
	static const struct suffix suffixes[] = {
		{"", 1000000},
		{"s", 1000000},
		{"ms", 1000},
		{"us", 1},
		{"m", UINT64_C(60) * 1000000},
		{"h", UINT64_C(3600) * 1000000},
	};
	return scaled_parse(text, suffixes, ARRAY_COUNT(suffixes), us);
}

enum status fio_milli_parse(const char *text, uint32_t *milli)
{
	uint64_t whole = 0;
	uint64_t part = 0;
	const char *rest = NULL;
	enum status status = digits_take(text, &whole, &rest);
	if (status != STATUS_OK || whole > 1000000) {
		return STATUS_BAD_CONFIG;
	}
	if (*rest == '.') {
		const char *begin = rest + 1;
		status = digits_take(begin, &part, &rest);
		if (status != STATUS_OK || rest - begin > 3) {
			return STATUS_BAD_CONFIG;
		}
		for (ptrdiff_t places = rest - begin; places < 3; places++) {
			part *= 10;
		}
	}
	if (*rest != '\0') {
		return STATUS_BAD_CONFIG;
	}
	*milli = (uint32_t)(whole * 1000 + part);
	return STATUS_OK;
}
