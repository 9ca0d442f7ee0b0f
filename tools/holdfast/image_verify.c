// SPDX-License-Identifier: MIT
/* verify, scrub. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/repair_report.h"
#include "tools/holdfast/session.h"
#include "tools/holdfast/verify.h"

static void print_text(const struct verify_totals *totals, const struct volume_info *info,
		       bool timed)
{
	(void)printf("OK: %" PRIu64 " objects, %" PRIu64 " bytes, epoch %" PRIu64
		     ", sequence %" PRIu64 "\n",
		     totals->objects, totals->object_bytes, info->epoch, info->sequence);
	if (timed) {
		(void)printf("read %" PRIu64 " bytes in %" PRIu64 ".%03" PRIu64 " s\n",
			     totals->read_bytes, totals->elapsed_us / 1000000,
			     totals->elapsed_us / 1000 % 1000);
	}
}

static void print_json(const struct verify_totals *totals, const struct volume_info *info,
		       bool timed)
{
	struct json json;
	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_string(&json, "status", status_name(STATUS_OK));
	json_number(&json, "objects", totals->objects);
	json_number(&json, "object_bytes", totals->object_bytes);
	json_number(&json, "epoch", info->epoch);
	json_number(&json, "sequence", info->sequence);
	if (timed) {
		json_number(&json, "read_bytes", totals->read_bytes);
		json_number(&json, "elapsed_us", totals->elapsed_us);
	}
	json_close(&json, '}');
	(void)fputc('\n', stdout);
}

static enum status run(const struct options *options, bool timed, struct report *report)
{
	struct session session;
	struct verify_totals totals;
	struct volume_info info;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	if (status == STATUS_OK) {
		status = verify_session(&session, timed ? "scrub" : "verify", options->rate_bytes,
					&totals, report);
	}
	if (status == STATUS_OK) {
		volume_info_get(session.volume, &info);
		if (options->json) {
			print_json(&totals, &info, timed);
		} else {
			print_text(&totals, &info, timed);
		}
	}
	session_close(&session);
	return status;
}

enum status image_verify(const struct options *options, struct report *report)
{
	return options->repair_report ? repair_report(options, report)
				      : run(options, false, report);
}

enum status image_scrub(const struct options *options, struct report *report)
{
	return run(options, true, report);
}
