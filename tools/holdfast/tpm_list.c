// SPDX-License-Identifier: MIT
/* tpm list, tpm delete. */
#include <inttypes.h>
#include <stdio.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/json.h"
#include "tools/holdfast/tpm_object.h"
#include "vtpm/instance.h"

static void print_json(const struct options *options, uint32_t found)
{
	struct json json;
	json_result_open(&json, options->positional[0]);
	json_open(&json, "tpms", '[');
	for (uint32_t i = 0; i < INSTANCE_COUNT_MAX; i++) {
		if ((found >> i & 1) != 0) {
			struct instance_names names;
			instance_names_make(i, &names);
			json_open(&json, NULL, '{');
			json_number(&json, "number", i);
			json_string(&json, "port", names.port);
			json_close(&json, '}');
		}
	}
	json_close(&json, ']');
	json_result_close(&json);
}

static void print_text(uint32_t found)
{
	for (uint32_t i = 0; i < INSTANCE_COUNT_MAX; i++) {
		if ((found >> i & 1) != 0) {
			struct instance_names names;
			instance_names_make(i, &names);
			(void)printf("%" PRIu32 " %s\n", i, names.port);
		}
	}
}

enum status tpm_list(const struct options *options, struct report *report)
{
	uint32_t found = 0;
	enum status status = tpm_object_list(options, &found, report);
	if (status == STATUS_OK && options->json) {
		print_json(options, found);
	} else if (status == STATUS_OK) {
		print_text(found);
	}
	return status;
}

enum status tpm_delete(const struct options *options, struct report *report)
{
	enum status status = tpm_object_remove(options, report);
	if (status == STATUS_OK && options->json) {
		struct json json;
		json_result_open(&json, options->positional[0]);
		json_number(&json, "number", options->instance);
		json_result_close(&json);
	}
	return status;
}
