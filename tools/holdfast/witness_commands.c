// SPDX-License-Identifier: MIT
/* witness init, witness show, image policy. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/session.h"
#include "tools/holdfast/uuid.h"
#include "tools/holdfast/witness_file.h"

enum status witness_enrol(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	if (session.witness_choice.decision == VOLUME_WITNESS_CHECK) {
		session.witness_choice.decision = VOLUME_WITNESS_ENROL;
	}
	enum status status = witness_file_make(options->witness.path, report);
	if (status == STATUS_OK) {
		status = session_open(&session, options->positional[0], &options->key,
				      FILE_ACCESS_WRITE, report);
	}
	session_close(&session);
	return status;
}

enum status witness_init(const struct options *options, struct report *report)
{
	enum status status = witness_enrol(options, report);
	if (status == STATUS_OK) {
		(void)printf("%s: enrolled with %s\n", options->positional[0],
			     options->witness.path);
	}
	return status;
}

static void show(const struct witness_table *table, const struct options *options)
{
	struct json json;
	char uuid[UUID_TEXT_BYTES];
	if (options->json) {
		json_result_open(&json, options->positional[0]);
		json_open(&json, "volumes", '[');
	}
	for (uint32_t i = 0; i < table->count; i++) {
		const struct witness_row *row = &table->rows[i];
		uuid_format(row->uuid, uuid);
		if (options->json) {
			json_open(&json, NULL, '{');
			json_string(&json, "uuid", uuid);
			json_number(&json, "sequence", row->mark.sequence);
			json_number(&json, "opened", row->fence);
			json_close(&json, '}');
		} else {
			(void)printf("%s sequence %" PRIu64 ", opened %" PRIu64 " times\n", uuid,
				     row->mark.sequence, row->fence);
		}
	}
	if (options->json) {
		json_close(&json, ']');
		json_result_close(&json);
	}
}

enum status witness_show(const struct options *options, struct report *report)
{
	struct witness_table *table = malloc(sizeof(*table));
	enum status status = table != NULL
				     ? witness_file_read(options->positional[0], table, report)
				     : STATUS_NO_MEMORY;
	if (status == STATUS_OK) {
		show(table, options);
	}
	free(table);
	return status;
}

enum status image_policy(const struct options *options, struct report *report)
{
	struct session session;
	session_init(&session);
	session.witness_choice = options->witness;
	enum status status = session_open(&session, options->positional[0], &options->key,
					  FILE_ACCESS_WRITE, report);
	if (status == STATUS_OK) {
		status = session_explain(
			&session, volume_witness_policy_set(session.volume, &options->policy),
			report);
	}
	session_close(&session);
	return status;
}
