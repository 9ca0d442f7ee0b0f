// SPDX-License-Identifier: MIT
/* The one error type of the system.
 *
 * Closed: every switch over it names every value (-Wswitch-enum, no default), so a new value is a
 * compile error at each place that has to decide about it. A value says who is wrong and what
 * happened; causes are passed up unchanged, never replaced by a vaguer one. Outputs of a function
 * that returns anything but STATUS_OK are untouched unless its header says otherwise. */
#pragma once

#include "base/compiler.h"

enum status {
	STATUS_OK = 0,

	/* Not errors of anybody: the caller decides. */
	STATUS_AGAIN = -1,     /* Nothing to report yet; ask again. */
	STATUS_NOT_FOUND = -2, /* Authentically absent: the answer is known to be "no". */
	STATUS_EXISTS = -3,    /* Already there. */

	/* Limits of ours. */
	STATUS_NO_MEMORY = -4, /* A pool or the page allocator is empty. */
	STATUS_NO_SPACE = -5,  /* The volume is full. */
	STATUS_TOO_LARGE = -6, /* Above a documented limit. */
	STATUS_BUSY = -7,      /* A resource with one holder is held. */
	STATUS_LIMIT = -8,     /* A counter or a number of attempts is used up. */

	/* Who is wrong. */
	STATUS_INVALID = -9,     /* Our caller broke the contract in a way we can name. */
	STATUS_BAD_HOST = -10,   /* The host or its device lied. */
	STATUS_BAD_GUEST = -11,  /* A lower VMPL passed nonsense. */
	STATUS_BAD_USER = -12,   /* Ring 3 passed nonsense. */
	STATUS_BAD_CONFIG = -13, /* Command line, bundle or configuration is malformed. */

	/* Devices and platform. */
	STATUS_IO = -14,          /* The device reported an error. */
	STATUS_TIMEOUT = -15,     /* A deadline passed. */
	STATUS_NO_DEVICE = -16,   /* The device that was asked for is not there. */
	STATUS_NO_FLUSH = -17,    /* The device offers no FLUSH: nothing can be made durable. */
	STATUS_READ_ONLY = -18,   /* The device or the volume does not accept writes. */
	STATUS_UNSUPPORTED = -19, /* Known, but not offered here. */
	STATUS_NO_ENTROPY = -20,  /* No healthy hardware entropy source. */

	/* The volume. See docs/volume-format.md, "Errors". */
	STATUS_NOT_A_VOLUME = -21, /* No superblock of ours anywhere. */
	STATUS_NEWER_FORMAT = -22, /* Written by a later version of the format. */
	STATUS_WRONG_KEY = -23,    /* A volume, but this key opens no keyslot of it. */
	STATUS_NO_KEY = -24,       /* No key was supplied, or one of the wrong length. */
	STATUS_AUTH_DATA = -25,    /* A data block fails authentication. */
	STATUS_AUTH_META = -26,    /* A superblock, keyslot, node or bitmap fails authentication. */
	STATUS_TAMPER = -27,       /* Acknowledged history is missing or contradicted. */
	STATUS_ROLLBACK = -28,     /* Older than the witness remembers. */
	STATUS_FORK = -29,         /* Another history than the witness remembers. */
	STATUS_UNANCHORED = -30,   /* The witness cannot be asked. */
	STATUS_DUPLICATE_VOLUME = -31, /* Two devices carry one volume UUID. */
	STATUS_TRUNCATED = -32,        /* The device is smaller than the volume on it. */

	/* Services. */
	STATUS_FAULTED = -33, /* A ring-3 service crashed. */
	STATUS_AUTH_FAILED =
		-34, /* An AEAD tag does not match (crypto/ only; callers name what). */

	STATUS_NOT_ENROLLED = -35, /* The witness has never heard of this volume. */
};

/* Number of distinct values, STATUS_OK included. Values are 0 .. -(STATUS_COUNT - 1). */
#define STATUS_COUNT 36

/* A short upper-case name such as "WRONG_KEY", for logs and tests. Never NULL: a value outside
 * the enum gives "UNKNOWN". */
const char *status_name(enum status status);

/* One sentence that tells a person what it means and what to do. Never NULL. */
const char *status_advice(enum status status);
