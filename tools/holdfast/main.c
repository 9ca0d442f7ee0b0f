// SPDX-License-Identifier: MIT
/* holdfast: make, inspect and check volumes from the host. The same volume and store code as in the
 * kernel, over a file. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "tools/holdfast/commands.h"
#include "tools/holdfast/key_file.h"
#include "tools/holdfast/options.h"
#include "tools/holdfast/report.h"

static enum status run_key_generate(const struct options *options, struct report *report)
{
	return key_file_generate(options->positional[0], report);
}

const struct command command_table[] = {
	{"image", "create", "PATH", "Make a new, empty volume",
	 "PATH becomes a sparse file with mode 0600. A file that is not empty is refused with "
	 "EXISTS unless --force is given.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_CREATE, 1, image_create},
	{"image", "info", "PATH", "Show what a volume is",
	 "Without a key: what anybody can read, none of it authenticated. With a key: the "
	 "authenticated state as well.",
	 OPTIONS_KEY | OPTIONS_JSON, 1, image_info},
	{"image", "ls", "PATH", "List the objects", "",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON | OPTIONS_LONG, 1, image_ls},
	{"image", "cat", "PATH NAME", "Write an object to standard output",
	 "Nothing is written unless the whole object is authentic.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED, 2, image_cat},
	{"image", "put", "PATH NAME FILE", "Make FILE the content of an object",
	 "Creates or replaces the object in one durable transaction. FILE may be '-', standard "
	 "input.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED, 3, image_put},
	{"image", "rm", "PATH NAME", "Remove an object", "", OPTIONS_KEY | OPTIONS_KEY_REQUIRED, 2,
	 image_rm},
	{"image", "verify", "PATH", "Authenticate everything in a volume",
	 "Walks all that is reachable and names the first failure. Writes nothing.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON, 1, image_verify},
	{"key", "generate", "PATH", "Make a key file of 32 random bytes",
	 "PATH must not exist. Whoever has the key has the volumes made with it; without it they "
	 "are lost.",
	 0, 1, run_key_generate},
	{0},
};

/* Output that did not reach its file or pipe is a failure, however well the command went. */
static enum status check_output(enum status status, struct report *report)
{
	errno = 0;
	if (fflush(stdout) == 0 && ferror(stdout) == 0) {
		return status;
	}
	return status != STATUS_OK
		       ? status
		       : report_note(report, STATUS_IO, "standard output", "Cannot write: %s.",
				     strerror(errno != 0 ? errno : EIO));
}

int main(int argc, char **argv)
{
	/* Keys are in memory: no core dump. A write above the file size limit, or into a closed
	 * pipe, becomes an error that we can name. */
	const struct rlimit no_core = {.rlim_cur = 0, .rlim_max = 0};
	(void)setrlimit(RLIMIT_CORE, &no_core);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	struct options options;
	const struct command *command = options_parse(argc, argv, &options);
	struct report report;
	report_init(&report, options.positional[0]);
	enum status status = check_output(command->run(&options, &report), &report);
	if (status == STATUS_OK) {
		return EXIT_SUCCESS;
	}
	report_print(&report, status, options.json);
	return EXIT_FAILED;
}
