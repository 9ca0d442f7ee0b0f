// SPDX-License-Identifier: MIT
/* What went wrong, for people and for scripts. A command returns a status; whoever knows more than
 * the status says notes it here at the place of failure, and main() prints it once. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume.h"

#define REPORT_TEXT_BYTES    256u
#define REPORT_SUBJECT_BYTES 4096u

struct report {
	const char *subject;              /* The file that the failure is about; may be NULL. */
	char noted[REPORT_SUBJECT_BYTES]; /* Where a note's subject is kept. */
	char detail[REPORT_TEXT_BYTES];   /* Replaces the status' general advice if not empty. */
	bool has_failure;
	struct volume_failure failure; /* Where in the volume. */
	bool is_answered; /* The command has printed its JSON object, failure and all. */
};

void report_init(struct report *report, const char *subject);

/* Note the cause, with a hint what to do; both texts are copied. The first note stays: later ones
 * are consequences. Returns `status`. */
PRINTF_LIKE(4, 5)
enum status report_note(struct report *report, enum status status, const char *subject,
			const char *format, ...);

/* Where in the volume it failed; ignored if the failure is unknown. */
void report_place(struct report *report, const struct volume_failure *failure);

/* "holdfast: SUBJECT: STATUS: text" to stderr; with `json` also an object to stdout. */
void report_print(const struct report *report, enum status status, bool json);
