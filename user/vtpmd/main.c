// SPDX-License-Identifier: MIT
/* vtpmd: libtpms in ring 3.
 *
 *   fd 0   read() gives exactly one message          fd 2   log lines
 *   fd 1   write() takes exactly one response        /store/   non-volatile state
 *
 * A message is a TPM command with its locality, or a signal of the platform
 * (vtpm/service_message.h). It runs under our kernel (docs/system-calls.md) and, for its tests, on
 * Linux, where the other end must write one message a write(2). Arguments:
 *
 *   --restarted          an earlier vtpmd of this boot died: extend PCR 0-15 so that they are not
 *                        those of a fresh start
 *   --ephemeral          keep the state in memory only
 *   --no-startup         leave TPM2_Startup to the TPM's user, after all self-tests
 *   --instance=N         which TPM of the volume it is; 0 if not given
 *   --buffer-size=N      the largest command and response, in bytes
 *   --crash-on=0xNNN     die when this command code arrives (not in production builds)
 *   --store-dir=DIR/     instead of /store/ (not in production builds)
 *
 * It ends with a code of vtpm/service_exit.h. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/bytes.h"
#include "user/vtpmd/entropy.h"
#include "user/vtpmd/log.h"
#include "user/vtpmd/nv.h"
#include "user/vtpmd/platform.h"
#include "user/vtpmd/tpm.h"
#include "vtpm/instance.h"
#include "vtpm/response.h"
#include "vtpm/service_exit.h"
#include "vtpm/service_message.h"

struct options {
	const char *store_directory;
	struct tpm_start_options start;
	uint32_t instance;
	bool ephemeral;
	uint32_t crash_on; /* 0: never. No command has this code. */
};

static const char *value_after(const char *argument, const char *prefix)
{
	size_t size = strlen(prefix);

	return strncmp(argument, prefix, size) == 0 ? argument + size : NULL;
}

static bool parse_development(const char *argument, struct options *options)
{
#if HOLDFAST_PRODUCTION
	(void)argument;
	(void)options;
	return false;
#else
	const char *value = value_after(argument, "--store-dir=");
	char *end = NULL;
	unsigned long code;

	if (value != NULL && value[0] != '\0' && value[strlen(value) - 1] == '/') {
		options->store_directory = value;
		return true;
	}
	value = value_after(argument, "--crash-on=");
	if (value == NULL) {
		return false;
	}
	code = strtoul(value, &end, 16);
	options->crash_on = (uint32_t)code;
	return end != value && *end == '\0' && code <= UINT32_MAX;
#endif
}

/* "--name=N" with min <= N <= max. */
static bool parse_number(const char *argument, const char *prefix, uint32_t min, uint32_t max,
			 uint32_t *number)
{
	const char *value = value_after(argument, prefix);
	char *end = NULL;
	unsigned long parsed;

	if (value == NULL) {
		return false;
	}
	parsed = strtoul(value, &end, 10);
	if (end == value || *end != '\0' || parsed < min || parsed > max) {
		return false;
	}
	*number = (uint32_t)parsed;
	return true;
}

static bool parse(int argc, char **argv, struct options *options)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--restarted") == 0) {
			options->start.restarted = true;
		} else if (strcmp(argv[i], "--ephemeral") == 0) {
			options->ephemeral = true;
		} else if (strcmp(argv[i], "--no-startup") == 0) {
			options->start.without_startup = true;
		} else if (parse_number(argv[i], "--buffer-size=", SERVICE_BUFFER_BYTES_MIN,
					SERVICE_BUFFER_BYTES_MAX, &options->start.buffer_bytes) ||
			   parse_number(argv[i], "--instance=", 0, INSTANCE_COUNT_MAX - 1,
					&options->instance)) {
			continue;
		} else if (!parse_development(argv[i], options)) {
			log_line("unknown argument %s", argv[i]);
			return false;
		}
	}
	return true;
}

static void crash_if_asked(const struct options *options, const uint8_t *command)
{
#if HOLDFAST_PRODUCTION
	(void)options;
	(void)command;
#else
	if (options->crash_on != 0 && command_code(command) == options->crash_on) {
		log_line("crashing, as asked");
		*(volatile int *)NULL = 0;
	}
#endif
}

/* One response is one write: the kernel frames by it. A short write would be a bug of its. */
static bool send_response(const uint8_t *response, size_t size)
{
	ssize_t written;

	do {
		written = write(STDOUT_FILENO, response, size);
	} while (written < 0 && errno == EINTR);
	return written == (ssize_t)size;
}

static enum service_exit serve_command(const struct options *options,
				       const struct service_message *message)
{
	uint8_t refusal[TPM_HEADER_BYTES];
	const uint8_t *response = refusal;
	size_t response_bytes = sizeof(refusal);

	if (message->size_bytes < TPM_HEADER_BYTES) {
		response_bytes = response_error(refusal, TPM_RC_COMMAND_SIZE);
	} else {
		crash_if_asked(options, message->bytes);
		if (!tpm_execute(message->bytes, message->size_bytes, &response, &response_bytes)) {
			return SERVICE_EXIT_LIBRARY;
		}
	}
	return send_response(response, response_bytes) ? SERVICE_EXIT_ORDERLY : SERVICE_EXIT_PORT;
}

static enum service_exit serve_one(const struct options *options, const uint8_t *bytes,
				   size_t size_bytes)
{
	struct service_message message;
	uint8_t response[PLATFORM_RESPONSE_BYTES_MAX];

	if (service_message_decode(bytes, size_bytes, &message) != STATUS_OK) {
		log_line("a message that is none");
		return SERVICE_EXIT_PORT;
	}
	platform_set_locality(message.locality);
	if (message.kind == SERVICE_COMMAND) {
		return serve_command(options, &message);
	}
	size_bytes = platform_signal(&message, response);
	return send_response(response, size_bytes) ? SERVICE_EXIT_ORDERLY : SERVICE_EXIT_PORT;
}

static enum service_exit serve(const struct options *options)
{
	static uint8_t message[SERVICE_MESSAGE_BYTES_MAX];
	enum service_exit result = SERVICE_EXIT_ORDERLY;

	while (result == SERVICE_EXIT_ORDERLY) {
		ssize_t got = read(STDIN_FILENO, message, sizeof(message));

		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got <= 0) {
			return got == 0 ? SERVICE_EXIT_ORDERLY : SERVICE_EXIT_PORT;
		}
		result = serve_one(options, message, (size_t)got);
	}
	return result;
}

static enum service_exit run(int argc, char **argv)
{
	struct options options = {.store_directory = "/store/",
				  .start.buffer_bytes = SERVICE_BUFFER_BYTES_MAX};
	enum service_exit result;

	if (!parse(argc, argv, &options)) {
		return SERVICE_EXIT_USAGE;
	}
	/* No configuration file, no strings for error messages, no clean-up at exit: nothing here
	 * reads the one or prints the other, and start-up time counts. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
					OPENSSL_INIT_NO_ATEXIT,
				NULL) != 1) {
		return SERVICE_EXIT_LIBRARY;
	}
	if (!entropy_install()) {
		log_line("no entropy");
		return SERVICE_EXIT_NO_ENTROPY;
	}
	if (!nv_install(options.store_directory, options.instance, options.ephemeral)) {
		return SERVICE_EXIT_USAGE;
	}
	result = tpm_start(&options.start);
	if (result != SERVICE_EXIT_ORDERLY) {
		return result;
	}
	log_line("ready");
	return serve(&options);
}

int main(int argc, char **argv)
{
	enum service_exit result = run(argc, argv);

	if (result != SERVICE_EXIT_ORDERLY) {
		log_line("ending with code %d", (int)result);
	}
	/* Everything durable is durable already, so there is nothing for exit handlers to do. */
	_exit((int)result);
}
