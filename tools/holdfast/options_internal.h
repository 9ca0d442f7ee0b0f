// SPDX-License-Identifier: MIT
/* The option groups of options.h, as argp wants them. */
#pragma once

#include <argp.h>
#include <stdint.h>

#include "tools/holdfast/options.h"

#define OPTIONS_GROUPS_MAX 19u

/* What a command's parsers share: the input of each. */
struct parse {
	const struct command *command;
	struct options *options;
	uint32_t positional_count;
	uint32_t group_count;
	bool has_instance;
};

/* TPMs and their certificates (options_certificate.c). */
extern const struct argp options_subject_argp;
extern const struct argp options_days_argp;
extern const struct argp options_authority_argp;
extern const struct argp options_instance_argp;
/* Of the commands that talk to a TPM (options_tpm.c). */
extern const struct argp options_tpm_argp;
extern const struct argp options_tpm_listen_argp;

/* The groups of the command's row; a row whose argp is NULL ends them. Returns how many. */
uint32_t options_groups_of(const struct command *command,
			   struct argp_child children[OPTIONS_GROUPS_MAX + 1]);
