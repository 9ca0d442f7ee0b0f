// SPDX-License-Identifier: MIT
#include "tools/holdfast/repair_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tools/holdfast/json.h"
#include "tools/holdfast/progress.h"
#include "tools/holdfast/session.h"

struct listing {
	struct session *session;
	struct progress progress;
	struct json json;
	bool as_json;
	uint64_t faults;
	uint64_t lost_blocks;
};

static const char *kind_name(enum volume_fault_kind kind)
{
	switch (kind) {
	case VOLUME_FAULT_COPY: return "copy";
	case VOLUME_FAULT_DATA: return "data";
	case VOLUME_FAULT_NODE: return "node";
	case VOLUME_FAULT_META: return "meta";
	}
	return "unknown";
}

static const char *kind_remedy(enum volume_fault_kind kind)
{
	switch (kind) {
	case VOLUME_FAULT_COPY: return "the next checkpoint repairs it from the other copy";
	case VOLUME_FAULT_DATA: return "overwrite or remove it, or restore a backup";
	case VOLUME_FAULT_NODE:
	case VOLUME_FAULT_META: return "save what can be read, and restore a backup";
	}
	return "";
}

/* Whose the first lost block is; "" if that is nobody's. */
static const char *owner_of(const struct listing *listing, const struct volume_fault *fault)
{
	const struct session *session = listing->session;
	if (fault->logical_count == 0) {
		return "";
	}
	if (session_profile(session) == VOLUME_PROFILE_BLOCK) {
		return DEVICE_NAME;
	}
	uint64_t slice = volume_slice_size(session->volume).n;
	/* A lost node can cover many objects. */
	bool is_one = fault->logical_count <= slice;
	return is_one && session->store.volume != NULL
		       ? store_slice_owner(&session->store, fault->first_logical / slice)
		       : "";
}

static void print_line(const struct listing *listing, const struct volume_fault *fault)
{
	const char *owner = owner_of(listing, fault);
	(void)printf("%s  %s", kind_name(fault->kind), status_name(fault->where.status));
	if (fault->where.physical != UINT64_MAX) {
		(void)printf(" at block %" PRIu64, fault->where.physical);
	}
	if (fault->logical_count != 0) {
		(void)printf(", lost: logical blocks %" PRIu64 " to %" PRIu64, fault->first_logical,
			     fault->first_logical + fault->logical_count - 1);
	}
	(void)printf("%s%s; %s\n", owner[0] != '\0' ? " of " : "", owner, kind_remedy(fault->kind));
}

static void print_object(struct listing *listing, const struct volume_fault *fault)
{
	struct json *json = &listing->json;
	json_open(json, NULL, '{');
	json_string(json, "kind", kind_name(fault->kind));
	json_string(json, "status", status_name(fault->where.status));
	json_number(json, "level", fault->where.level);
	json_number_or_null(json, "physical_block", fault->where.physical);
	json_number(json, "first_logical_block", fault->first_logical);
	json_number(json, "lost_blocks", fault->logical_count);
	json_string(json, "object", owner_of(listing, fault));
	json_string(json, "remedy", kind_remedy(fault->kind));
	json_close(json, '}');
}

static void list_fault(void *context, const struct volume_fault *fault)
{
	struct listing *listing = context;
	listing->faults++;
	listing->lost_blocks += fault->logical_count;
	if (listing->as_json) {
		print_object(listing, fault);
	} else {
		print_line(listing, fault);
	}
}

static void walked(void *context, uint64_t done, uint64_t total)
{
	struct listing *listing = context;
	progress_update(&listing->progress, done, total);
}

static enum status survey(struct listing *listing, const char *path)
{
	if (listing->as_json) {
		json_init(&listing->json, stdout);
		json_open(&listing->json, NULL, '{');
		json_string(&listing->json, "path", path);
		json_open(&listing->json, "faults", '[');
	}
	progress_init(&listing->progress, "survey");
	enum status status =
		volume_survey(listing->session->volume, list_fault, listing, walked, listing);
	progress_end(&listing->progress);
	if (listing->as_json) {
		json_close(&listing->json, ']');
		json_number(&listing->json, "lost_blocks", listing->lost_blocks);
		json_string(&listing->json, "status", status_name(status));
		json_close(&listing->json, '}');
		(void)fputc('\n', stdout);
	} else {
		(void)printf("%s: %" PRIu64 " faults, %" PRIu64 " blocks lost\n",
			     status_name(status), listing->faults, listing->lost_blocks);
	}
	return status;
}

enum status repair_report(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_READ, report);
	/* Without a readable index there are no names, but there is still a volume. */
	if (session.volume != NULL) {
		struct listing listing = {.session = &session, .as_json = options->json};
		enum status surveyed = survey(&listing, options->positional[0]);
		status = status != STATUS_OK ? status : surveyed;
		report->is_answered = true;
	}
	status = session_explain(&session, status, report);
	session_close(&session);
	return status;
}
