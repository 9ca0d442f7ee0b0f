// SPDX-License-Identifier: MIT
#include "tools/holdfast/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "tools/holdfast/json.h"

#define NUMBER_BYTES 24u

void report_init(struct report *report, const char *subject)
{
	*report = (struct report){.subject = subject};
}

enum status report_note(struct report *report, enum status status, const char *subject,
			const char *format, ...)
{
	if (report->detail[0] == '\0') {
		va_list arguments;
		va_start(arguments, format);
		(void)vsnprintf(report->detail, sizeof(report->detail), format, arguments);
		va_end(arguments);
		report->subject = NULL;
		if (subject != NULL) {
			(void)snprintf(report->noted, sizeof(report->noted), "%s", subject);
			report->subject = report->noted;
		}
	}
	return status;
}

void report_place(struct report *report, const struct volume_failure *failure)
{
	if (failure->status != STATUS_OK) {
		report->has_failure = true;
		report->failure = *failure;
	}
}

static const char *number_text(uint64_t value, char out[NUMBER_BYTES])
{
	if (value == UINT64_MAX) {
		return "unknown";
	}
	(void)snprintf(out, NUMBER_BYTES, "%" PRIu64, value);
	return out;
}

static void print_place(const struct volume_failure *failure)
{
	char logical[NUMBER_BYTES];
	char physical[NUMBER_BYTES];
	char epoch[NUMBER_BYTES];
	(void)fprintf(stderr,
		      "  first failure: %s at level %" PRIu32
		      ", logical block %s, physical block %s, epoch %s\n",
		      status_name(failure->status), failure->level,
		      number_text(failure->logical, logical),
		      number_text(failure->physical, physical), number_text(failure->epoch, epoch));
}

static void print_json(const struct report *report, enum status status, const char *text)
{
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(status));
	if (report->subject != NULL) {
		json_string(&json, "subject", report->subject);
	}
	json_string(&json, "advice", text);
	if (report->has_failure) {
		json_open(&json, "failure", '{');
		json_string(&json, "status", status_name(report->failure.status));
		json_number(&json, "level", report->failure.level);
		json_number_or_null(&json, "logical_block", report->failure.logical);
		json_number_or_null(&json, "physical_block", report->failure.physical);
		json_number_or_null(&json, "epoch", report->failure.epoch);
		json_close(&json, '}');
	}
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

void report_print(const struct report *report, enum status status, bool json)
{
	const char *text = report->detail[0] != '\0' ? report->detail : status_advice(status);
	(void)fprintf(stderr, "holdfast: %s%s%s: %s\n",
		      report->subject != NULL ? report->subject : "",
		      report->subject != NULL ? ": " : "", status_name(status), text);
	if (report->has_failure) {
		print_place(&report->failure);
	}
	if (json && !report->is_answered) {
		print_json(report, status, text);
	}
}
