// SPDX-License-Identifier: MIT
/* What this device can be told to do wrong. `item` is the number in docs/virtio-threats.md. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lie {
	LIE_NONE,
	LIE_INDEX_AHEAD,
	LIE_INDEX_BACK,
	LIE_ID_RANGE,
	LIE_ID_ALIAS,
	LIE_ID_NOT_HEAD,
	LIE_DOUBLE,
	LIE_NOT_SUBMITTED,
	LIE_EARLY,
	LIE_LENGTH_LONG,
	LIE_LENGTH_SHORT,
	LIE_DESCRIPTORS,
	LIE_AVAILABLE,
	LIE_NO_NOTIFY,
	LIE_STORM,
	LIE_SILENCE,
	LIE_STATUS_UNSET,
	LIE_STATUS_ERROR,
	LIE_STATUS_ODD,
	LIE_NOTHING_READ,
	LIE_CORRUPT,
	LIE_DROP,
	LIE_MISDIRECT,
	LIE_TORN,
	LIE_STALL,
	LIE_DRIP,
	LIE_LATE_WRITE,
	LIE_GARBAGE_ID,
	LIE_DISCONNECT,
	LIE_COUNT,
};

/* Which requests a lie can be told about. */
enum lie_about {
	ABOUT_READ = 1u,
	ABOUT_WRITE = 2u,
	ABOUT_FLUSH = 4u,
	ABOUT_ID = 8u,
	ABOUT_IO = ABOUT_READ | ABOUT_WRITE | ABOUT_FLUSH,
	ABOUT_ANY = ABOUT_IO | ABOUT_ID,
};

struct lie_row {
	const char *name;
	unsigned item;
	unsigned about; /* enum lie_about bits. */
	const char *what;
};

/* By enum lie; the row of LIE_NONE is empty. */
extern const struct lie_row lie_rows[LIE_COUNT];

/* LIE_NONE: there is no such lie. */
enum lie lie_find(const char *name);

/* The lies that are still to be told. */
struct lie_script {
	enum lie lie;
	uint64_t left;  /* How often. */
	uint64_t after; /* Honest requests of a fitting kind before the first. */
};

/* Parse "NAME [COUNT [AFTER]]" (COUNT 1 and AFTER 0 by default; COUNT 0: for ever) or "honest".
 * False: not understood, nothing changed. */
bool lie_script_parse(struct lie_script *script, const char *line);

/* The lie to tell about this request; counts it. */
enum lie lie_script_next(struct lie_script *script, enum lie_about about);
