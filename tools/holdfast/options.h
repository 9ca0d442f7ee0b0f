// SPDX-License-Identifier: MIT
/* The command line, parsed: one struct for all commands, filled by what a command's row in
 * command_table allows. Usage errors end the program with EXIT_USAGE, as argp does. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/bridge/bridge.h"
#include "tools/holdfast/key_file.h"
#include "tools/holdfast/report.h"
#include "tools/holdfast/witness_file.h"

#define EXIT_FAILED            1
#define EXIT_USAGE             2
#define EXIT_ROLLBACK          3
#define EXIT_FORK              4
#define EXIT_UNANCHORED        5
#define EXIT_NOT_ENROLLED      6

#define OPTIONS_POSITIONAL_MAX 3u

/* tpm serve: where to listen, and for what. */
struct tpm_options {
	struct {
		enum bridge_protocol protocol;
		struct address address;
	} listeners[BRIDGE_LISTENERS_MAX];
	uint32_t listener_count;
	uint16_t instance;
	uint32_t wait_s;
	const char *trace_path; /* NULL: none. */
};

struct options {
	const char *positional[OPTIONS_POSITIONAL_MAX];
	struct key_choice key;     /* Opens the volume. */
	struct key_choice new_key; /* key add, key change. */
	bool new_recovery_key;     /* Instead of new_key: generate one and print it. */
	struct key_choice old_key; /* key remove. */
	struct key_choice also[VOLUME_KEYSLOTS_MAX - 1]; /* key rotate: of other slots. */
	uint32_t also_count;
	bool drop_others;
	bool resume;
	uint32_t slot; /* Instead of old_key; OPTIONS_NO_SLOT: not given. */
	struct witness_choice witness;
	struct volume_witness_policy policy;
	bool has_policy;
	uint64_t size_bytes;
	enum volume_profile profile; /* image create. */
	uint64_t rate_bytes;         /* A second; 0: unlimited. */
	const char *subject;         /* ca init; NULL: not given. */
	uint32_t days;               /* Validity of what is signed; 0: not given. */
	const char *authority;       /* tpm manufacture: the folder of a CA, or: */
	bool without_certificates;
	uint32_t instance; /* Which TPM of the volume; 0 if not given. */
	bool force;
	bool json;
	bool long_listing;
	bool repair_report;
	struct tpm_options tpm;
};

#define OPTIONS_NO_SLOT UINT32_MAX
#define TPM_WAIT_S      30u

/* Groups of options that a command accepts, as bits. */
#define OPTIONS_KEY             1u
#define OPTIONS_KEY_REQUIRED    2u /* With OPTIONS_KEY. */
#define OPTIONS_JSON            4u
#define OPTIONS_CREATE          8u
#define OPTIONS_LONG            16u
#define OPTIONS_NEW_KEY         32u
#define OPTIONS_OLD_KEY         64u
#define OPTIONS_FORCE           128u
#define OPTIONS_RATE            256u
#define OPTIONS_REPORT          512u
#define OPTIONS_GROW            1024u
#define OPTIONS_ROTATE          2048u
#define OPTIONS_ACCEPT          4096u
#define OPTIONS_POLICY          8192u
#define OPTIONS_POLICY_REQUIRED 16384u /* With OPTIONS_POLICY. */
#define OPTIONS_WITNESS         32768u /* With OPTIONS_KEY: a witness is needed. */
#define OPTIONS_SUBJECT         65536u
#define OPTIONS_DAYS            131072u
#define OPTIONS_AUTHORITY       262144u
#define OPTIONS_TPM             524288u
#define OPTIONS_TPM_LISTEN      1048576u
#define OPTIONS_INSTANCE        2097152u
#define OPTIONS_INSTANCE_NEEDED 4194304u /* With OPTIONS_INSTANCE. */

struct command {
	const char *group;
	const char *name;
	const char *arguments; /* "PATH NAME", as help shows it; one word an argument. */
	const char *summary;
	const char *text; /* More help; may be empty. */
	uint32_t option_groups;
	uint32_t positional_count;
	/* The report's subject is the first argument. Prints its result to stdout itself. */
	enum status (*run)(const struct options *options, struct report *report);
};

/* Ends with a row whose name is NULL. */
extern const struct command command_table[];

/* Find the command and parse what belongs to it. Does not return on a usage error or --help. */
const struct command *options_parse(int argc, char **argv, struct options *options);
