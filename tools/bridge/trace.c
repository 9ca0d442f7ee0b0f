// SPDX-License-Identifier: MIT
#include "tools/bridge/trace.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "vtpm/response.h"

#define TEXT_BYTES 64u

enum status trace_open(struct trace *trace, const char *path)
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	trace->file = fd < 0 ? NULL : fdopen(fd, "a");
	if (trace->file == NULL) {
		if (fd >= 0) {
			(void)close(fd);
		}
		return STATUS_IO;
	}
	/* What was said is there if we are killed. */
	(void)setvbuf(trace->file, NULL, _IOLBF, 0);
	return STATUS_OK;
}

void trace_close(struct trace *trace)
{
	if (trace->file != NULL) {
		(void)fclose(trace->file);
	}
	trace->file = NULL;
}

static void format_now(char text[TEXT_BYTES])
{
	struct timespec now;
	struct tm utc;
	char seconds[TEXT_BYTES / 2] = "";
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &utc) != NULL) {
		(void)strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	}
	(void)snprintf(text, TEXT_BYTES, "%s.%06ldZ", seconds, now.tv_nsec / 1000);
}

static const char *client_name(const struct client *client)
{
	if (client->abandoned) {
		return "gone"; /* It left while its request was running. */
	}
	if (client->session->is_machine) {
		return "machine";
	}
	switch (client->kind) {
	case CLIENT_RAW: return "raw";
	case CLIENT_SWTPM_CONTROL: return "swtpm";
	case CLIENT_MSSIM_COMMAND:
	case CLIENT_MSSIM_PLATFORM: return "mssim";
	case CLIENT_FREE: break;
	}
	return "none";
}

/* What was asked for, by number alone: docs/tpm-control.md has those of control requests. */
static void format_job(char text[TEXT_BYTES], const struct link_job *job)
{
	if (job->is_control) {
		(void)snprintf(text, TEXT_BYTES, "control=%u", (unsigned)job->control.command);
	} else {
		(void)snprintf(text, TEXT_BYTES, "command=0x%08x locality=%u",
			       job->command_bytes < TPM_HEADER_BYTES ? 0
								     : command_code(job->command),
			       job->locality);
	}
}

static void format_result(char text[TEXT_BYTES], const struct link_job *job,
			  const struct link_outcome *outcome, uint32_t code)
{
	if (outcome != NULL && outcome->status != STATUS_OK) {
		(void)snprintf(text, TEXT_BYTES, "result=%s", status_name(outcome->status));
	} else if (outcome != NULL && job->is_control) {
		(void)snprintf(text, TEXT_BYTES, "result=%s",
			       tpm_control_result_name(outcome->result));
	} else {
		(void)snprintf(text, TEXT_BYTES, "result=0x%08x",
			       outcome != NULL && outcome->size_bytes >= TPM_HEADER_BYTES
				       ? response_code(outcome->bytes)
				       : code);
	}
}

static void write_line(struct trace *trace, const char *who, const struct link_job *job,
		       const char *result, const uint64_t times_us[2])
{
	char now[TEXT_BYTES];
	char what[TEXT_BYTES];
	format_now(now);
	format_job(what, job);
	if (fprintf(trace->file, "%s %s %s %s waited_us=%llu took_us=%llu\n", now, who, what,
		    result, (unsigned long long)times_us[0], (unsigned long long)times_us[1]) < 0) {
		(void)fprintf(stderr, "holdfast: tpm: the trace ends: it cannot be written\n");
		trace_close(trace);
	}
}

void trace_request(struct trace *trace, const struct client *client,
		   const struct link_outcome *outcome, uint32_t code, uint64_t now_us)
{
	char result[TEXT_BYTES];
	if (trace->file == NULL) {
		return;
	}
	const uint64_t began_us = client->running ? client->began_us : now_us;
	const uint64_t times_us[2] = {began_us - client->came_us, now_us - began_us};
	format_result(result, &client->job, outcome, code);
	write_line(trace, client_name(client), &client->job, result, times_us);
}

void trace_own(struct trace *trace, const struct link_job *job, const struct link_outcome *outcome,
	       uint64_t took_us)
{
	char result[TEXT_BYTES];
	if (trace->file == NULL) {
		return;
	}
	const uint64_t times_us[2] = {0, took_us};
	format_result(result, job, outcome, 0);
	write_line(trace, "bridge", job, result, times_us);
}
