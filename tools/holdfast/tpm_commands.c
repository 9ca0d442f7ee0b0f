// SPDX-License-Identifier: MIT
/* holdfast tpm: one TPM of a service VM, for others. */
#include <stdio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tools/bridge/bridge.h"
#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"

/* What to tell about a TPM that cannot be reached. */
static enum status unreachable(struct report *report, const struct link *link, enum status status)
{
	if (status != STATUS_TIMEOUT) {
		return status;
	}
	if (link->why == STATUS_TIMEOUT || link->state == LINK_HELLO) {
		return report_note(report, STATUS_BUSY, link->control_path,
				   "No answer: another program is connected (each socket takes one "
				   "at a time), or the service VM hangs.");
	}
	if (link->why == STATUS_INVALID) {
		return report_note(report, STATUS_INVALID, link->control_path,
				   "Not the control port of TPM %u, or a path that is too long.",
				   link->instance);
	}
	if (link->why == STATUS_BAD_HOST) {
		return report_note(report, STATUS_BAD_HOST, link->control_path,
				   "What is there does not speak the TPM control protocol.");
	}
	return report_note(report, STATUS_NO_DEVICE, link->control_path,
			   "Nobody listens there (%s): start the service VM first.",
			   status_name(link->why));
}

static enum status listen_everywhere(struct bridge *bridge, const struct options *options,
				     struct report *report)
{
	for (uint32_t i = 0; i < options->tpm.listener_count; i++) {
		const struct address *address = &options->tpm.listeners[i].address;
		const enum status status =
			bridge_listen(bridge, options->tpm.listeners[i].protocol, address);
		if (status == STATUS_OK) {
			continue;
		}
		if (address->is_tcp) {
			return report_note(report, status, NULL, "Cannot listen on port %u%s.",
					   address->port, " or the one behind it");
		}
		return report_note(report, status, address->path, "Cannot listen there.");
	}
	return STATUS_OK;
}

static enum status open_trace(struct bridge *bridge, const struct options *options,
			      struct report *report)
{
	const char *path = options->tpm.trace_path;
	if (path == NULL || trace_open(&bridge->trace, path) == STATUS_OK) {
		return STATUS_OK;
	}
	return report_note(report, STATUS_IO, path, "Cannot write the trace there.");
}

enum status tpm_serve(const struct options *options, struct report *report)
{
	static struct bridge bridge;
	bridge_init(&bridge, options->positional[0], options->positional[1], options->tpm.instance);
	enum status status = open_trace(&bridge, options, report);
	if (status == STATUS_OK) {
		status = listen_everywhere(&bridge, options, report);
	}
	if (status == STATUS_OK) {
		status = bridge_wait(&bridge, (uint64_t)options->tpm.wait_s * 1000);
		if (status != STATUS_AGAIN) {
			status = unreachable(report, &bridge.link, status);
		}
	}
	if (status == STATUS_OK) {
		(void)printf("ready: TPM %u\n", options->tpm.instance);
		(void)fflush(stdout);
		status = bridge_run(&bridge);
	}
	bridge_close(&bridge);
	return status == STATUS_AGAIN ? STATUS_OK : status; /* Ended before it began, as asked. */
}

/* One request without a body, from a bridge that has no clients. */
static enum status ask(struct bridge *bridge, enum tpm_control_command command,
		       struct link_outcome *outcome)
{
	const struct link_job job = {.is_control = true, .control = {.command = command}};
	return bridge_ask(bridge, &job, outcome);
}

static void print_status(const struct options *options, const struct tpm_control_status *status,
			 const struct tpm_control_counters *counters)
{
	static const char *const powers[] = {"off", "on", "unavailable"};
	const char *cause = status_name((enum status) - (int)status->cause);
	if (options->json) {
		struct json json;
		json_init(&json, stdout);
		json_result_open(&json, options->positional[0]);
		json_string(&json, "power", powers[status->power]);
		json_string(&json, "cause", cause);
		json_number(&json, "locality", status->locality);
		json_bool(&json, "established", status->established);
		json_bool(&json, "running", status->running);
		json_number(&json, "commands", counters->commands);
		json_number(&json, "restarts", counters->restarts);
		json_number(&json, "power_ons", counters->power_ons);
		json_number(&json, "cancels", counters->cancels);
		json_number(&json, "hashes", counters->hashes);
		json_result_close(&json);
		return;
	}
	(void)printf("power        %s%s%s\nlocality     %u\nestablished  %s\nrunning      %s\n",
		     powers[status->power], status->cause != 0 ? ": " : "",
		     status->cause != 0 ? cause : "", status->locality,
		     status->established ? "yes" : "no", status->running ? "yes" : "no");
	(void)printf("commands     %lu\nrestarts     %lu\npower-ons    %lu\ncancels      %lu\n"
		     "hashes       %lu\n",
		     counters->commands, counters->restarts, counters->power_ons, counters->cancels,
		     counters->hashes);
}

enum status tpm_status(const struct options *options, struct report *report)
{
	static struct bridge bridge;
	struct link_outcome outcome;
	struct tpm_control_status tpm;
	struct tpm_control_counters counters;
	bridge_init(&bridge, NULL, options->positional[0], options->tpm.instance);
	enum status status = bridge_wait(&bridge, (uint64_t)options->tpm.wait_s * 1000);
	status = unreachable(report, &bridge.link, status);
	if (status == STATUS_OK) {
		status = ask(&bridge, TPM_CONTROL_STATUS, &outcome);
	}
	if (status == STATUS_OK &&
	    !tpm_control_decode_status(outcome.bytes, outcome.size_bytes, &tpm)) {
		status = STATUS_BAD_HOST;
	}
	if (status == STATUS_OK) {
		status = ask(&bridge, TPM_CONTROL_COUNTERS, &outcome);
	}
	if (status == STATUS_OK &&
	    !tpm_control_decode_counters(outcome.bytes, outcome.size_bytes, &counters)) {
		status = STATUS_BAD_HOST;
	}
	if (status == STATUS_OK) {
		print_status(options, &tpm, &counters);
	}
	bridge_close(&bridge);
	return status;
}
