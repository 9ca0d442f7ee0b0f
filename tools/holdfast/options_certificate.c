// SPDX-License-Identifier: MIT
/* The options of what makes TPMs, and of what signs their certificates. */
#include "tools/holdfast/options_internal.h"

#include <errno.h>
#include <stdlib.h>

#include "tools/holdfast/ca.h"
#include "vtpm/instance.h"

enum long_option {
	LONG_SUBJECT = 512,
	LONG_DAYS,
	LONG_CA,
	LONG_WITHOUT_CERTIFICATES,
	LONG_TPM,
};

static error_t parse_subject(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	if (key != LONG_SUBJECT) {
		return ARGP_ERR_UNKNOWN;
	}
	parse->options->subject = argument;
	return 0;
}

static error_t parse_days(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	char *end = NULL;
	if (key != LONG_DAYS) {
		return ARGP_ERR_UNKNOWN;
	}
	errno = 0;
	const unsigned long days = strtoul(argument, &end, 10);
	if (argument[0] < '0' || argument[0] > '9' || *end != '\0' || errno != 0 || days == 0 ||
	    days > CA_DAYS_MAX) {
		argp_error(state, "--days=%s: a number from 1 to %u", argument, CA_DAYS_MAX);
		return 0;
	}
	parse->options->days = (uint32_t)days;
	return 0;
}

static error_t parse_authority(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	switch (key) {
	case LONG_CA: options->authority = argument; return 0;
	case LONG_WITHOUT_CERTIFICATES: options->without_certificates = true; return 0;
	case ARGP_KEY_SUCCESS:
		if ((options->authority != NULL) == options->without_certificates) {
			argp_error(state, "give one of --ca and --without-certificates");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void parse_instance_number(const char *argument, struct parse *parse,
				  struct argp_state *state)
{
	if (argument[0] < '0' || argument[0] >= '0' + (int)INSTANCE_COUNT_MAX ||
	    argument[1] != '\0') {
		argp_error(state, "--instance=%s: a number from 0 to %u", argument,
			   INSTANCE_COUNT_MAX - 1);
		return;
	}
	parse->options->instance = (uint32_t)(argument[0] - '0');
	parse->has_instance = true;
}

static error_t parse_instance(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	switch (key) {
	case LONG_TPM: parse_instance_number(argument, parse, state); return 0;
	case ARGP_KEY_SUCCESS:
		if ((parse->command->option_groups & OPTIONS_INSTANCE_NEEDED) != 0 &&
		    !parse->has_instance) {
			argp_error(state, "--instance is needed");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option subject_options[] = {
	{"subject", LONG_SUBJECT, "NAME", 0,
	 "Name of the authority (default '" CA_SUBJECT_DEFAULT "')", 0},
	{0},
};
static const struct argp_option days_options[] = {
	{"days", LONG_DAYS, "DAYS", 0,
	 "How long it is valid (default 7300 for an authority, 3650 for a TPM; never longer than "
	 "the authority)",
	 0},
	{0},
};
static const struct argp_option authority_options[] = {
	{"ca", LONG_CA, "FOLDER", 0, "The authority that signs, as 'ca init' made it", 0},
	{"without-certificates", LONG_WITHOUT_CERTIFICATES, NULL, 0,
	 "Make the keys, and no certificates", 0},
	{0},
};
static const struct argp_option instance_options[] = {
	{"instance", LONG_TPM, "N", 0, "Which TPM of the volume, 0 to 7 (default 0)", 0},
	{0},
};

const struct argp options_subject_argp = {.options = subject_options, .parser = parse_subject};
const struct argp options_days_argp = {.options = days_options, .parser = parse_days};
const struct argp options_authority_argp = {.options = authority_options,
					    .parser = parse_authority};
const struct argp options_instance_argp = {.options = instance_options, .parser = parse_instance};
