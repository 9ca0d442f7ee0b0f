// SPDX-License-Identifier: MIT
/* The kernel's options. Input: a mode (bit 0: a production build), then the command line. */
#include "kernel/options.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static bool is_terminated(const char *text, size_t size)
{
	return strnlen(text, size) < size;
}

static void options_check(const struct kernel_options *options, bool production)
{
	FUZZ_REQUIRE(options->state == STATE_REQUIRE || options->state == STATE_EPHEMERAL);
	FUZZ_REQUIRE(options->on_failure == FAILURE_SERVE || options->on_failure == FAILURE_EXIT);
	FUZZ_REQUIRE(options->log <= LOG_DEBUG);
	FUZZ_REQUIRE(is_terminated(options->run_module, sizeof(options->run_module)));
	FUZZ_REQUIRE(is_terminated(options->run_argument, sizeof(options->run_argument)));
	FUZZ_REQUIRE(is_terminated(options->panic, sizeof(options->panic)));
	FUZZ_REQUIRE(is_terminated(options->rejected, sizeof(options->rejected)));
	if (production) {
		FUZZ_REQUIRE(options->run_module[0] == '\0' && options->panic[0] == '\0');
		FUZZ_REQUIRE(options->vtpmd_crash_on == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	struct kernel_options options;
	const bool production = (fuzz_u8(&input) & 1) != 0;
	char *cmdline = fuzz_rest_text(&input);
	const enum status status = options_parse(cmdline, production, &options);
	options_check(&options, production);
	if (status == STATUS_OK) {
		FUZZ_REQUIRE(options.rejected[0] == '\0');
	} else {
		FUZZ_REQUIRE(status == STATUS_BAD_CONFIG);
		FUZZ_REQUIRE(strncmp(options.rejected, "holdfast.", 9) == 0);
		FUZZ_REQUIRE(strstr(cmdline, options.rejected) != NULL);
	}
	/* A line without a word of ours changes nothing. */
	if (strstr(cmdline, "holdfast.") == NULL) {
		FUZZ_REQUIRE(status == STATUS_OK && options.log == LOG_NOTICE);
		FUZZ_REQUIRE(options.state == STATE_REQUIRE);
	}
	free(cmdline);
	return 0;
}
