// SPDX-License-Identifier: MIT
#include "tools/holdfast/options.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/volume.h"
#include "tools/holdfast/size.h"

#define COMMAND_NAME_BYTES 64u
#define GROUPS_MAX         4u

const char *argp_program_version = "holdfast " HOLDFAST_VERSION;

/* What a command's parsers share. */
struct parse {
	const struct command *command;
	struct options *options;
	uint32_t positional_count;
};

static error_t parse_key(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	switch (key) {
	case 'k': options->key_file = argument; return 0;
	case 'p': options->passphrase_file = argument; return 0;
	case ARGP_KEY_SUCCESS:
		if (options->key_file != NULL && options->passphrase_file != NULL) {
			argp_error(state, "give --key-file or --passphrase-file, not both");
		} else if ((parse->command->option_groups & OPTIONS_KEY_REQUIRED) != 0 &&
			   options->key_file == NULL && options->passphrase_file == NULL) {
			argp_error(state, "--key-file or --passphrase-file is needed");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_json(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	struct parse *parse = state->input;
	if (key != 'j') {
		return ARGP_ERR_UNKNOWN;
	}
	parse->options->json = true;
	return 0;
}

static error_t parse_long(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	struct parse *parse = state->input;
	if (key != 'l') {
		return ARGP_ERR_UNKNOWN;
	}
	parse->options->long_listing = true;
	return 0;
}

static void parse_size(const char *argument, struct options *options, struct argp_state *state)
{
	uint64_t smallest = (uint64_t)VOLUME_STATE_BLOCKS_MIN * BLOCK_BYTES;
	uint64_t largest = (uint64_t)VOLUME_STATE_BLOCKS_MAX * BLOCK_BYTES;
	uint64_t size_bytes = 0;
	if (size_parse(argument, &size_bytes) != STATUS_OK) {
		argp_error(state, "--size=%s: give a number with K, M or G, such as 64M", argument);
	} else if (size_bytes < smallest || size_bytes > largest || size_bytes % BLOCK_BYTES != 0) {
		argp_error(state, "--size=%s: a volume has 8M to 1G, in steps of 4K", argument);
	}
	options->size_bytes = size_bytes;
}

static error_t parse_create(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	switch (key) {
	case 's': parse_size(argument, parse->options, state); return 0;
	case 'f': parse->options->force = true; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option key_options[] = {
	{"key-file", 'k', "FILE", 0, "The volume's key: a file of exactly 32 bytes", 0},
	{"passphrase-file", 'p', "FILE", 0, "A passphrase: the first line of FILE", 0},
	{0},
};
static const struct argp_option json_options[] = {
	{"json", 'j', NULL, 0, "Print one JSON object, on failure too", 0},
	{0},
};
static const struct argp_option long_options[] = {
	{"long", 'l', NULL, 0, "Size in bytes, version, name", 0},
	{0},
};
static const struct argp_option create_options[] = {
	{"size", 's', "SIZE", 0, "Size of the volume, 8M to 1G (default 64M)", 0},
	{"force", 'f', NULL, 0, "Destroy what PATH holds", 0},
	{0},
};
static const struct argp key_argp = {.options = key_options, .parser = parse_key};
static const struct argp json_argp = {.options = json_options, .parser = parse_json};
static const struct argp long_argp = {.options = long_options, .parser = parse_long};
static const struct argp create_argp = {.options = create_options, .parser = parse_create};

static error_t parse_positional(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	switch (key) {
	case ARGP_KEY_INIT:
		/* argp hands nothing to children unless told. */
		for (uint32_t i = 0; i < GROUPS_MAX; i++) {
			if (state->root_argp->children[i].argp == NULL) {
				break;
			}
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

/* The option groups of the command's row, as argp wants them. */
static void children_of(const struct command *command, struct argp_child children[GROUPS_MAX + 1])
{
	static const struct {
		uint32_t group;
		const struct argp *argp;
	} groups[GROUPS_MAX] = {
		{OPTIONS_KEY, &key_argp},
		{OPTIONS_JSON, &json_argp},
		{OPTIONS_LONG, &long_argp},
		{OPTIONS_CREATE, &create_argp},
	};
	uint32_t count = 0;
	for (uint32_t i = 0; i < GROUPS_MAX; i++) {
		if ((command->option_groups & groups[i].group) != 0) {
			children[count].argp = groups[i].argp;
			count++;
		}
	}
}

/* argc and argv begin with the command's own name. */
static void parse_command(const struct command *command, int argc, char **argv,
			  struct options *options)
{
	char name[COMMAND_NAME_BYTES];
	char text[1024];
	struct argp_child children[GROUPS_MAX + 1] = {0};
	struct parse parse = {.command = command, .options = options};
	(void)snprintf(name, sizeof(name), "holdfast %s %s", command->group, command->name);
	(void)snprintf(text, sizeof(text), "%s.\v%s", command->summary, command->text);
	children_of(command, children);
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
		    "do; 2 the command line is wrong.\n",
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
	*options = (struct options){.size_bytes = (uint64_t)64 << 20};
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
