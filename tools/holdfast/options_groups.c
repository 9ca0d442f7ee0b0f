// SPDX-License-Identifier: MIT
#include "tools/holdfast/options_internal.h"

#include <stddef.h>
#include <string.h>

#include "block/volume.h"
#include "tools/holdfast/profile.h"
#include "tools/holdfast/policy.h"
#include "tools/holdfast/size.h"

/* Options without a letter; those with one use it. */
enum long_option {
	LONG_NEW_KEY_FILE = 256,
	LONG_NEW_PASSPHRASE_FILE,
	LONG_NEW_RECOVERY_KEY,
	LONG_OLD_KEY_FILE,
	LONG_OLD_PASSPHRASE_FILE,
	LONG_OLD_RECOVERY_KEY_FILE,
	LONG_SLOT,
	LONG_RATE,
	LONG_WITNESS,
	LONG_ACCEPT,
	LONG_POLICY,
	LONG_REPAIR_REPORT,
	LONG_PROFILE,
	LONG_ALSO_KEY_FILE,
	LONG_ALSO_PASSPHRASE_FILE,
	LONG_ALSO_RECOVERY_KEY_FILE,
	LONG_DROP_OTHERS,
	LONG_RESUME,
};

static uint32_t choices(const struct key_choice *choice)
{
	return (choice->raw_file != NULL ? 1u : 0u) + (choice->passphrase_file != NULL ? 1u : 0u) +
	       (choice->recovery_file != NULL ? 1u : 0u);
}

static error_t parse_key(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct key_choice *choice = &parse->options->key;
	switch (key) {
	case 'k': choice->raw_file = argument; return 0;
	case 'p': choice->passphrase_file = argument; return 0;
	case 'r': choice->recovery_file = argument; return 0;
	case LONG_WITNESS: parse->options->witness.path = argument; return 0;
	case ARGP_KEY_SUCCESS:
		if (choices(choice) > 1) {
			argp_error(state, "give one of --key-file, --passphrase-file and "
					  "--recovery-key-file");
		} else if ((parse->command->option_groups & OPTIONS_KEY_REQUIRED) != 0 &&
			   choices(choice) == 0) {
			argp_error(state, "--key-file, --passphrase-file or --recovery-key-file is "
					  "needed");
		} else if ((parse->command->option_groups & OPTIONS_WITNESS) != 0 &&
			   parse->options->witness.path == NULL) {
			argp_error(state, "--witness is needed");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_new_key(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	switch (key) {
	case LONG_NEW_KEY_FILE: options->new_key.raw_file = argument; return 0;
	case LONG_NEW_PASSPHRASE_FILE: options->new_key.passphrase_file = argument; return 0;
	case LONG_NEW_RECOVERY_KEY: options->new_recovery_key = true; return 0;
	case ARGP_KEY_SUCCESS:
		if (choices(&options->new_key) + (options->new_recovery_key ? 1u : 0u) != 1) {
			argp_error(state, "give one of --new-key-file, --new-passphrase-file and "
					  "--new-recovery-key");
		} else if (options->new_recovery_key && options->json) {
			argp_error(state, "--new-recovery-key prints the key itself: not with "
					  "--json");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static void parse_slot(const char *argument, struct options *options, struct argp_state *state)
{
	if (argument[0] < '0' || argument[0] >= '0' + (int)VOLUME_KEYSLOTS_MAX ||
	    argument[1] != '\0') {
		argp_error(state, "--slot=%s: a number from 0 to %u, as 'key list' shows it",
			   argument, VOLUME_KEYSLOTS_MAX - 1);
		return;
	}
	options->slot = (uint32_t)(argument[0] - '0');
}

static error_t parse_old_key(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	switch (key) {
	case LONG_OLD_KEY_FILE: options->old_key.raw_file = argument; return 0;
	case LONG_OLD_PASSPHRASE_FILE: options->old_key.passphrase_file = argument; return 0;
	case LONG_OLD_RECOVERY_KEY_FILE: options->old_key.recovery_file = argument; return 0;
	case LONG_SLOT: parse_slot(argument, options, state); return 0;
	case ARGP_KEY_SUCCESS:
		if (choices(&options->old_key) + (options->slot != OPTIONS_NO_SLOT ? 1u : 0u) !=
		    1) {
			argp_error(state, "give one of --old-key-file, --old-passphrase-file, "
					  "--old-recovery-key-file and --slot");
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
	if (size_parse(argument, &options->size_bytes) != STATUS_OK) {
		argp_error(state, "--size=%s: give a number with K, M, G or T, such as 64M",
			   argument);
	}
}

static void parse_profile(const char *argument, struct options *options, struct argp_state *state)
{
	if (!profile_parse(argument, &options->profile)) {
		argp_error(state, "--profile=%s: 'state' or 'block'", argument);
	}
}

/* The size's bounds are the profile's, and that may come last. */
static void check_size(struct options *options, struct argp_state *state)
{
	bool is_block = options->profile == VOLUME_PROFILE_BLOCK;
	uint64_t smallest = is_block ? VOLUME_BLOCK_BLOCKS_MIN : VOLUME_STATE_BLOCKS_MIN;
	uint64_t largest = is_block ? VOLUME_BLOCK_BLOCKS_MAX : VOLUME_STATE_BLOCKS_MAX;
	if (options->size_bytes == 0) {
		options->size_bytes = (uint64_t)(is_block ? 1024 : 64) << 20;
	}
	uint64_t blocks = options->size_bytes / BLOCK_BYTES;
	if (options->size_bytes % BLOCK_BYTES != 0 || blocks < smallest || blocks > largest) {
		argp_error(state, "--size: a volume of the %s profile has %s, in steps of 4K",
			   profile_name(options->profile), is_block ? "16M to 16T" : "8M to 1G");
	}
}

static error_t parse_create(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	switch (key) {
	case 's': parse_size(argument, parse->options, state); return 0;
	case LONG_PROFILE: parse_profile(argument, parse->options, state); return 0;
	case ARGP_KEY_SUCCESS: check_size(parse->options, state); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_force(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	struct parse *parse = state->input;
	if (key != 'f') {
		return ARGP_ERR_UNKNOWN;
	}
	parse->options->force = true;
	return 0;
}

static error_t parse_rate(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	if (key != LONG_RATE) {
		return ARGP_ERR_UNKNOWN;
	}
	if (size_parse(argument, &parse->options->rate_bytes) != STATUS_OK ||
	    parse->options->rate_bytes < BLOCK_BYTES) {
		argp_error(state, "--rate=%s: bytes a second, at least 4K, such as 20M", argument);
	}
	return 0;
}

static error_t parse_accept(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	struct parse *parse = state->input;
	if (key != LONG_ACCEPT) {
		return ARGP_ERR_UNKNOWN;
	}
	parse->options->witness.decision = VOLUME_WITNESS_ACCEPT;
	return 0;
}

static error_t parse_policy(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	if (key == ARGP_KEY_SUCCESS && options->policy.kind != VOLUME_WITNESS_OPEN &&
	    options->witness.path == NULL) {
		argp_error(state, "--policy: only 'open' does without --witness");
	} else if (key == ARGP_KEY_SUCCESS && !options->has_policy &&
		   (parse->command->option_groups & OPTIONS_POLICY_REQUIRED) != 0) {
		argp_error(state, "--policy is needed");
	}
	if (key != LONG_POLICY) {
		return key == ARGP_KEY_SUCCESS ? 0 : ARGP_ERR_UNKNOWN;
	}
	if (policy_parse(argument, &options->policy) != STATUS_OK) {
		argp_error(state, "--policy=%s: 'strict', 'open' or 'bounded:COMMITS[,SECONDS]'",
			   argument);
	}
	options->has_policy = true;
	return 0;
}

static error_t parse_report(int key, char *argument, struct argp_state *state)
{
	(void)argument;
	struct parse *parse = state->input;
	if (key != LONG_REPAIR_REPORT) {
		return ARGP_ERR_UNKNOWN;
	}
	parse->options->repair_report = true;
	return 0;
}

static error_t parse_grow(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	switch (key) {
	case 's': parse_size(argument, options, state); return 0;
	case ARGP_KEY_SUCCESS:
		if (options->size_bytes == 0 || options->size_bytes % BLOCK_BYTES != 0) {
			argp_error(state, "--size is needed, in steps of 4K");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static struct key_choice *also_next(struct options *options, struct argp_state *state)
{
	if (options->also_count == VOLUME_KEYSLOTS_MAX - 1) {
		argp_error(state, "a volume has %u keys at most", VOLUME_KEYSLOTS_MAX);
	}
	return &options->also[options->also_count++];
}

static error_t parse_rotate(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct options *options = parse->options;
	switch (key) {
	case LONG_ALSO_KEY_FILE: also_next(options, state)->raw_file = argument; return 0;
	case LONG_ALSO_PASSPHRASE_FILE:
		also_next(options, state)->passphrase_file = argument;
		return 0;
	case LONG_ALSO_RECOVERY_KEY_FILE:
		also_next(options, state)->recovery_file = argument;
		return 0;
	case LONG_DROP_OTHERS: options->drop_others = true; return 0;
	case LONG_RESUME: options->resume = true; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option key_options[] = {
	{"key-file", 'k', "FILE", 0, "The volume's key: a file of exactly 32 bytes", 0},
	{"passphrase-file", 'p', "FILE", 0, "A passphrase: the first line of FILE", 0},
	{"recovery-key-file", 'r', "FILE", 0, "A recovery key, as 'key add' printed it", 0},
	{"witness", LONG_WITNESS, "FILE", 0, "The freshness witness of the volume", 0},
	{0},
};
static const struct argp_option new_key_options[] = {
	{"new-key-file", LONG_NEW_KEY_FILE, "FILE", 0, "New: a file of exactly 32 bytes", 0},
	{"new-passphrase-file", LONG_NEW_PASSPHRASE_FILE, "FILE", 0,
	 "New: a passphrase, the first line of FILE", 0},
	{"new-recovery-key", LONG_NEW_RECOVERY_KEY, NULL, 0,
	 "New: a recovery key, generated and printed once", 0},
	{0},
};
static const struct argp_option old_key_options[] = {
	{"old-key-file", LONG_OLD_KEY_FILE, "FILE", 0, "Remove the key in FILE", 0},
	{"old-passphrase-file", LONG_OLD_PASSPHRASE_FILE, "FILE", 0,
	 "Remove the passphrase in FILE", 0},
	{"old-recovery-key-file", LONG_OLD_RECOVERY_KEY_FILE, "FILE", 0,
	 "Remove the recovery key in FILE", 0},
	{"slot", LONG_SLOT, "NUMBER", 0, "Remove a key that is lost, by its keyslot", 0},
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
	{"profile", LONG_PROFILE, "PROFILE", 0,
	 "'state' (default): small objects; 'block': one disk, the object 'device'", 0},
	{"size", 's', "SIZE", 0,
	 "Size of the volume: 8M to 1G (default 64M); block profile 16M to 16T (default 1G)", 0},
	{0},
};
static const struct argp_option force_options[] = {
	{"force", 'f', NULL, 0, "Destroy what the target holds", 0},
	{0},
};
static const struct argp_option rate_options[] = {
	{"rate", LONG_RATE, "BYTES", 0, "Read at most BYTES (K, M, G) a second", 0},
	{0},
};
static const struct argp_option report_options[] = {
	{"repair-report", LONG_REPAIR_REPORT, NULL, 0,
	 "Do not end at the first failure: name each, what it costs and what ends it", 0},
	{0},
};
static const struct argp_option grow_options[] = {
	{"size", 's', "SIZE", 0, "New size of the volume, such as 128M", 0},
	{0},
};
static const struct argp_option rotate_options[] = {
	{"also-key-file", LONG_ALSO_KEY_FILE, "FILE", 0, "Another key that is to be kept", 0},
	{"also-passphrase-file", LONG_ALSO_PASSPHRASE_FILE, "FILE", 0, "Another passphrase", 0},
	{"also-recovery-key-file", LONG_ALSO_RECOVERY_KEY_FILE, "FILE", 0, "Another recovery key",
	 0},
	{"drop-others", LONG_DROP_OTHERS, NULL, 0, "Give up the keys that are not given", 0},
	{"resume", LONG_RESUME, NULL, 0, "Only go on with a rotation that was interrupted", 0},
	{0},
};

static const struct argp_option accept_options[] = {
	{"accept-rollback", LONG_ACCEPT, NULL, 0,
	 "This image is to be the history from now on, whatever the witness remembers", 0},
	{0},
};
static const struct argp_option policy_options[] = {
	{"policy", LONG_POLICY, "POLICY", 0,
	 "What a commit asks of the witness: 'strict', 'bounded:COMMITS[,SECONDS]' or 'open' "
	 "(default)",
	 0},
	{0},
};

static const struct argp key_argp = {.options = key_options, .parser = parse_key};
static const struct argp new_key_argp = {.options = new_key_options, .parser = parse_new_key};
static const struct argp old_key_argp = {.options = old_key_options, .parser = parse_old_key};
static const struct argp json_argp = {.options = json_options, .parser = parse_json};
static const struct argp long_argp = {.options = long_options, .parser = parse_long};
static const struct argp create_argp = {.options = create_options, .parser = parse_create};
static const struct argp force_argp = {.options = force_options, .parser = parse_force};
static const struct argp rate_argp = {.options = rate_options, .parser = parse_rate};
static const struct argp accept_argp = {.options = accept_options, .parser = parse_accept};
static const struct argp policy_argp = {.options = policy_options, .parser = parse_policy};
static const struct argp report_argp = {.options = report_options, .parser = parse_report};
static const struct argp grow_argp = {.options = grow_options, .parser = parse_grow};
static const struct argp rotate_argp = {.options = rotate_options, .parser = parse_rotate};

uint32_t options_groups_of(const struct command *command,
			   struct argp_child children[OPTIONS_GROUPS_MAX + 1])
{
	static const struct {
		uint32_t group;
		const struct argp *argp;
	} groups[OPTIONS_GROUPS_MAX] = {
		{OPTIONS_KEY, &key_argp},
		{OPTIONS_NEW_KEY, &new_key_argp},
		{OPTIONS_OLD_KEY, &old_key_argp},
		{OPTIONS_JSON, &json_argp},
		{OPTIONS_LONG, &long_argp},
		{OPTIONS_CREATE, &create_argp},
		{OPTIONS_FORCE, &force_argp},
		{OPTIONS_RATE, &rate_argp},
		{OPTIONS_REPORT, &report_argp},
		{OPTIONS_GROW, &grow_argp},
		{OPTIONS_ROTATE, &rotate_argp},
		{OPTIONS_ACCEPT, &accept_argp},
		{OPTIONS_POLICY, &policy_argp},
		{OPTIONS_SUBJECT, &options_subject_argp},
		{OPTIONS_DAYS, &options_days_argp},
		{OPTIONS_AUTHORITY, &options_authority_argp},
		{OPTIONS_TPM, &options_tpm_argp},
		{OPTIONS_TPM_LISTEN, &options_tpm_listen_argp},
		{OPTIONS_INSTANCE, &options_instance_argp},
	};
	uint32_t count = 0;
	for (uint32_t i = 0; i < OPTIONS_GROUPS_MAX; i++) {
		if ((command->option_groups & groups[i].group) != 0) {
			children[count].argp = groups[i].argp;
			count++;
		}
	}
	return count;
}
