// SPDX-License-Identifier: MIT
/* The options of `holdfast tpm`. */
#include <stdlib.h>

#include "tools/holdfast/options_internal.h"

#define WAIT_S_MAX 3600u

enum long_option {
	LONG_QEMU = 512,
	LONG_SWTPM,
	LONG_MSSIM,
	LONG_RAW,
	LONG_TRACE,
	LONG_INSTANCE,
	LONG_WAIT,
};

static uint32_t parse_number(const char *option, const char *argument, uint32_t largest,
			     struct argp_state *state)
{
	char *end = NULL;
	const unsigned long number = strtoul(argument, &end, 10);
	if (argument[0] < '0' || argument[0] > '9' || *end != '\0' || number > largest) {
		argp_error(state, "%s=%s: a number from 0 to %u", option, argument, largest);
	}
	return (uint32_t)number;
}

static void add_listener(struct tpm_options *tpm, enum bridge_protocol protocol,
			 const char *argument, struct argp_state *state)
{
	if (tpm->listener_count == BRIDGE_LISTENERS_MAX) {
		argp_error(state, "at most %u addresses", BRIDGE_LISTENERS_MAX);
		return;
	}
	if (address_parse(argument, &tpm->listeners[tpm->listener_count].address) != STATUS_OK) {
		argp_error(state, "%s: an address is unix:PATH, of at most %u bytes, or tcp:PORT",
			   argument, ADDRESS_PATH_BYTES - 1);
		return;
	}
	tpm->listeners[tpm->listener_count].protocol = protocol;
	tpm->listener_count++;
}

static error_t parse_listen(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct tpm_options *tpm = &parse->options->tpm;
	switch (key) {
	case LONG_QEMU: add_listener(tpm, BRIDGE_QEMU, argument, state); return 0;
	case LONG_SWTPM: add_listener(tpm, BRIDGE_SWTPM, argument, state); return 0;
	case LONG_MSSIM: add_listener(tpm, BRIDGE_MSSIM, argument, state); return 0;
	case LONG_RAW: add_listener(tpm, BRIDGE_RAW, argument, state); return 0;
	case LONG_TRACE: tpm->trace_path = argument; return 0;
	case ARGP_KEY_SUCCESS:
		if (tpm->listener_count == 0) {
			argp_error(state, "give at least one of --qemu, --swtpm, --mssim and "
					  "--raw");
		}
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_tpm(int key, char *argument, struct argp_state *state)
{
	struct parse *parse = state->input;
	struct tpm_options *tpm = &parse->options->tpm;
	switch (key) {
	case LONG_INSTANCE:
		tpm->instance = (uint16_t)parse_number("--instance", argument, UINT16_MAX, state);
		return 0;
	case LONG_WAIT: tpm->wait_s = parse_number("--wait", argument, WAIT_S_MAX, state); return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option listen_options[] = {
	{"qemu", LONG_QEMU, "ADDRESS", 0,
	 "For QEMU's '-tpmdev emulator': swtpm's control channel, the commands beside it", 0},
	{"swtpm", LONG_SWTPM, "ADDRESS", 0,
	 "For tpm2-tools' 'swtpm:' TCTI; its control channel is PORT+1 or PATH.ctrl", 0},
	{"mssim", LONG_MSSIM, "ADDRESS", 0,
	 "For the 'mssim:' TCTI and the IBM TSS; the platform is PORT+1 or PATH.platform", 0},
	{"raw", LONG_RAW, "ADDRESS", 0, "Commands and responses, nothing around them", 0},
	{"trace", LONG_TRACE, "FILE", 0,
	 "Append a line for each request: time, code, result, how long it waited and took", 0},
	{0},
};
static const struct argp_option tpm_options[] = {
	{"instance", LONG_INSTANCE, "N", 0, "Which TPM the sockets belong to (default 0)", 0},
	{"wait", LONG_WAIT, "SECONDS", 0, "How long the service VM may take to answer (default 30)",
	 0},
	{0},
};

const struct argp options_tpm_argp = {.options = tpm_options, .parser = parse_tpm};
const struct argp options_tpm_listen_argp = {.options = listen_options, .parser = parse_listen};
