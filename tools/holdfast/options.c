// SPDX-License-Identifier: MIT
#include "tools/holdfast/options.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/holdfast/options_internal.h"

#define COMMAND_NAME_BYTES 64u

const char *argp_program_version = "holdfast " HOLDFAST_VERSION;

static error_t parse_positional(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		/* argp hands nothing to children unless told. */
		for (uint32_t i = 0; i < parse->group_count; i++) {
			state->child_inputs[i] = parse;
		}
		return 0;
	case ARGP_KEY_ARG:
		if (parse->positional_count == parse->command->positional_count) {
			argp_error(state, "too many arguments: '%s'", argument);
			return 0;
		}
		parse->options->positional[parse->positional_count] = argument;
		parse->positional_count++;
		return 0;
	case ARGP_KEY_SUCCESS:
		if (parse->positional_count < parse->command->positional_count) {
			argp_error(state, "too few arguments: %s", parse->command->arguments);
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* argc and argv begin with the command's own name. */
static void parse_command(const struct command *command, int argc, char **argv,
			  struct options *options)
{
	char name[COMMAND_NAME_BYTES];
	char text[1024];
	struct argp_child children[OPTIONS_GROUPS_MAX + 1] = {0};
	struct parse parse = {.command = command, .options = options};
	(void)snprintf(name, sizeof(name), "holdfast %s %s", command->group, command->name);
	(void)snprintf(text, sizeof(text), "%s.\v%s", command->summary, command->text);
	parse.group_count = options_groups_of(command, children);
	const struct argp argp = {.parser = parse_positional,
				  .args_doc = command->arguments,
				  .doc = text,
				  .children = children};
	argv[0] = name; /* What usage messages call us. */
	(void)argp_parse(&argp, argc, argv, 0, NULL, &parse);
}

/* The first stage takes two words and leaves the rest to the command. */
struct words {
	const char *words[2];
	uint32_t count;
	int next;
};

static error_t parse_words(int key, char *argument, struct argp_state *state)
{
	struct words *words = state->input;
	switch (key) {
	case ARGP_KEY_ARG:
		words->words[words->count] = argument;
		words->count++;
		if (words->count == 2) {
			words->next = state->next;
			state->next = state->argc;
		}
		return 0;
	case ARGP_KEY_SUCCESS:
		if (words->count < 2) {
			argp_error(state, "a command is needed, such as 'image info'");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

/* The list of commands comes from the table, so that it cannot miss one. */
static char *help_text(int key, const char *text, void *input)
{
	(void)input;
	char *out = NULL;
	size_t size = 0;
	FILE *stream = key == ARGP_KEY_HELP_POST_DOC ? open_memstream(&out, &size) : NULL;
	if (stream == NULL) {
		return (char *)(uintptr_t)text;
	}
	(void)fputs("Commands:\n", stream);
	for (const struct command *at = command_table; at->name != NULL; at++) {
		(void)fprintf(stream, "  %-5s %-9s %-15s %s\n", at->group, at->name, at->arguments,
			      at->summary);
	}
	(void)fputs("\n'holdfast GROUP COMMAND --help' tells more.\n"
		    "\n"
		    "Exit status: 0 done; 1 the command failed, and a line on standard error names "
		    "the status (such as WRONG_KEY, NOT_A_VOLUME, TAMPER, BUSY) and says what to "
		    "do; 2 the command line is wrong; 3 ROLLBACK, 4 FORK, 5 UNANCHORED, 6 "
		    "NOT_ENROLLED, as "
		    "the freshness witness says.\n",
		    stream);
	return fclose(stream) == 0 ? out : NULL;
}

const struct command *options_parse(int argc, char **argv, struct options *options)
{
	static const struct argp argp = {
		.parser = parse_words,
		.args_doc = "GROUP COMMAND [ARGUMENT...]",
		.doc = "Make, inspect and check the secure volumes of Holdfast.\v",
		.help_filter = help_text,
	};
	struct words words = {.count = 0};
	*options = (struct options){
		.profile = VOLUME_PROFILE_STATE, .slot = OPTIONS_NO_SLOT, .tpm.wait_s = TPM_WAIT_S};
	static char program_name[] = "holdfast";
	argp_err_exit_status = EXIT_USAGE;
	if (argc > 0) {
		argv[0] = program_name; /* Messages begin with it, wherever the program lies. */
	}
	(void)argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &words);
	for (const struct command *at = command_table; at->name != NULL; at++) {
		if (strcmp(at->group, words.words[0]) == 0 &&
		    strcmp(at->name, words.words[1]) == 0) {
			parse_command(at, argc - words.next + 1, argv + words.next - 1, options);
			return at;
		}
	}
	(void)fprintf(stderr, "holdfast: no command '%s %s'; 'holdfast --help' lists them\n",
		      words.words[0], words.words[1]);
	exit(EXIT_USAGE);
}
