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
#include "tools/holdfast/options.h"
#include "tools/holdfast/report.h"

const struct command command_table[] = {
	{"image", "create", "PATH", "Make a new, empty volume",
	 "PATH becomes a sparse file with mode 0600. A volume of the block profile is one disk; "
	 "its "
	 "only object is called 'device'. A file that is not empty is refused with "
	 "EXISTS unless --force is given.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_CREATE | OPTIONS_POLICY | OPTIONS_FORCE |
		 OPTIONS_JSON,
	 1, image_create},
	{"image", "info", "PATH", "Show what a volume is",
	 "Without a key: what anybody can read, none of it authenticated. With a key: the "
	 "authenticated state as well.",
	 OPTIONS_KEY | OPTIONS_JSON, 1, image_info},
	{"image", "grow", "PATH", "Make a volume larger",
	 "The file grows first, then the volume in it; what is stored stays. A grow that was "
	 "interrupted is gone on with by the same command.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON | OPTIONS_GROW, 1, image_grow},
	{"image", "ls", "PATH", "List the objects", "",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON | OPTIONS_LONG, 1, image_ls},
	{"image", "cat", "PATH NAME", "Write an object to standard output",
	 "Nothing is written unless the whole object is authentic; the device of the block profile "
	 "is written as it is read.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED, 2, image_cat},
	{"image", "put", "PATH NAME FILE", "Make FILE the content of an object",
	 "Creates or replaces the object in one durable transaction. FILE may be '-', standard "
	 "input. The device of the block profile is overwritten as FILE is read; what FILE leaves "
	 "over becomes zeroes, and zeroes take no space.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON, 3, image_put},
	{"image", "rm", "PATH NAME", "Remove an object",
	 "Of a volume of the block profile: discards all that the device holds.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON, 2, image_rm},
	{"image", "verify", "PATH", "Authenticate everything in a volume",
	 "Walks all that is reachable and names the first failure, or with --repair-report "
	 "every one. Writes nothing.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON | OPTIONS_REPORT, 1, image_verify},
	{"image", "scrub", "PATH", "The same as verify, gently",
	 "Reads no faster than --rate, and says how much it read in what time.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON | OPTIONS_RATE, 1, image_scrub},
	{"image", "export", "PATH NAME FILE", "Copy an object to a file, in plain",
	 "FILE appears when it is complete and authentic, with mode 0600 and holes for zeroes.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_FORCE | OPTIONS_JSON, 3, image_export},
	{"image", "backup", "PATH FILE", "Copy a whole volume, sealed as it is",
	 "The image is locked meanwhile. FILE opens with the same keys, and appears when it has "
	 "been verified.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_FORCE | OPTIONS_JSON, 2, image_backup},
	{"image", "restore", "FILE PATH", "Make a backup an image again",
	 "FILE is copied, begins a new epoch and is verified. What PATH held is replaced then, in "
	 "one step, and only with --force.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_FORCE | OPTIONS_ACCEPT | OPTIONS_JSON, 2,
	 image_restore},
	{"image", "bench", "PATH", "Count what a scripted workload costs",
	 "Works in an object of its own, 'holdfast.bench', and removes it; on an empty device, if "
	 "the volume is of the block profile. Device writes, flushes "
	 "and bytes are exact and repeatable; times are of this machine.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON, 1, image_bench},
	{"image", "policy", "PATH", "Change what commits ask of the witness",
	 "To loosen the policy of a volume whose witness is lost takes --accept-rollback.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_POLICY | OPTIONS_POLICY_REQUIRED |
		 OPTIONS_ACCEPT,
	 1, image_policy},
	{"witness", "init", "PATH", "Enrol a volume with a witness",
	 "Makes the witness file if there is none. A volume that a witness knew before is enrolled "
	 "with another one only with --accept-rollback: nobody can tell then whether it is the "
	 "newest.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_WITNESS | OPTIONS_ACCEPT, 1, witness_init},
	{"witness", "show", "FILE", "Show what a witness remembers", "", OPTIONS_JSON, 1,
	 witness_show},
	{"key", "generate", "PATH", "Make a key file of 32 random bytes",
	 "PATH must not exist. Whoever has the key has the volumes made with it; without it they "
	 "are lost.",
	 OPTIONS_JSON, 1, key_generate},
	{"key", "list", "PATH", "Show which keys open a volume",
	 "Slot and type of each. The keys themselves are nowhere in the image.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON, 1, key_list},
	{"key", "add", "PATH", "Let another key open a volume",
	 "A volume takes up to 8 keys. --new-recovery-key prints a key that a person can write "
	 "down; it is shown this once.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_NEW_KEY | OPTIONS_JSON, 1, key_add},
	{"key", "change", "PATH", "Put a new key in the place of the one given",
	 "In one durable step. Only the given key is replaced; others go on opening the volume.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_NEW_KEY | OPTIONS_JSON, 1, key_change},
	{"key", "remove", "PATH", "Let a key no longer open a volume",
	 "The last key is never removed. Somebody who kept a copy of the image from before can "
	 "open that copy still.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_OLD_KEY | OPTIONS_JSON, 1, key_remove},
	{"key", "rotate", "PATH", "Replace the master key of a volume",
	 "All that is stored is sealed anew, and nothing opens with the old master key afterwards. "
	 "The keys of all keyslots are needed, or --drop-others. A rotation that was interrupted "
	 "is gone on with by the same command.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON | OPTIONS_ROTATE, 1, key_rotate},
	{"ca", "init", "FOLDER", "Make a certificate authority for TPMs",
	 "FOLDER gets the key, ca.key, with mode 0600, and the certificate, ca.pem, which those "
	 "who "
	 "are to believe the TPMs need. An authority that is there is left alone.",
	 OPTIONS_SUBJECT | OPTIONS_DAYS | OPTIONS_JSON, 1, authority_init},
	{"ca", "issue", "FOLDER PUBLIC FILE", "Certify an endorsement key",
	 "PUBLIC is its public area (TPM2B_PUBLIC), as 'tpm2_createek -u' or 'tpm2_readpublic -o' "
	 "writes it; only the keys of the TCG's templates L-1 (RSA 2048) and H-3 (P-384) are "
	 "certified. FILE gets the certificate in DER. See for yourself that the key is a TPM's: "
	 "a public area proves nothing.",
	 OPTIONS_DAYS | OPTIONS_FORCE | OPTIONS_JSON, 3, authority_issue},
	{"tpm", "manufacture", "PATH", "Make the TPM of a volume, with its certificates",
	 "The TPM has endorsement keys RSA 2048 (0x81010001) and P-384 (0x81010016), a storage "
	 "root key P-256 (0x81000001) and, with --ca, a certificate for each endorsement key. A "
	 "TPM that is there is replaced only with --force, and lost then. Without this command "
	 "the first boot makes TPM 0: the same, but without certificates. TPMs 1 to 7 exist when "
	 "they were made by this command or by 'tpm import'; each is served on a port of its own.",
	 OPTIONS_INSTANCE | OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_AUTHORITY | OPTIONS_DAYS |
		 OPTIONS_FORCE | OPTIONS_JSON,
	 1, tpm_manufacture},
	{"tpm", "list", "PATH", "Show the TPMs of a volume", "Number and port of each.",
	 OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_JSON, 1, tpm_list},
	{"tpm", "delete", "PATH", "Destroy a TPM of a volume",
	 "With all its keys, and what is sealed to it is lost. A next boot makes a new TPM 0.",
	 OPTIONS_INSTANCE | OPTIONS_INSTANCE_NEEDED | OPTIONS_KEY | OPTIONS_KEY_REQUIRED |
		 OPTIONS_JSON,
	 1, tpm_delete},
	{"tpm", "import", "PATH FOLDER", "Take over the TPM of a swtpm state folder",
	 "Reads tpm2-00.permall, which swtpm must not have in use, and has libtpms check it. An "
	 "encrypted state is refused. The folder stays as it is: do not run both TPMs.",
	 OPTIONS_INSTANCE | OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_FORCE | OPTIONS_JSON, 2,
	 tpm_import},
	{"tpm", "export", "PATH FOLDER", "Write the TPM as a swtpm state folder",
	 "FOLDER gets tpm2-00.permall, in plain: whoever can read it has the TPM and all its keys.",
	 OPTIONS_INSTANCE | OPTIONS_KEY | OPTIONS_KEY_REQUIRED | OPTIONS_FORCE | OPTIONS_JSON, 2,
	 tpm_export},
	{"tpm", "serve", "SERVICE CONTROL", "Offer a service VM's TPM to QEMU guests and programs",
	 "SERVICE and CONTROL are the sockets of the service VM's ports org.holdfast.tpm and "
	 "org.holdfast.tpm.0.ctrl (org.holdfast.tpm.N and .N.ctrl for TPM N). Serves until SIGINT "
	 "or SIGTERM. If the VM goes away, requests "
	 "fail and it is looked for until it is back. An ADDRESS is unix:PATH or tcp:PORT, on this "
	 "machine; each option may be given more than once.",
	 OPTIONS_TPM | OPTIONS_TPM_LISTEN, 2, tpm_serve},
	{"tpm", "status", "CONTROL", "Show a service VM's TPM from outside",
	 "Power, locality, established flag and counters, as the control port tells them.",
	 OPTIONS_TPM | OPTIONS_JSON, 1, tpm_status},
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

/* Scripts tell these apart: each asks for another answer. */
static int exit_of(enum status status)
{
	if (status == STATUS_ROLLBACK) {
		return EXIT_ROLLBACK;
	}
	if (status == STATUS_FORK) {
		return EXIT_FORK;
	}
	if (status == STATUS_UNANCHORED) {
		return EXIT_UNANCHORED;
	}
	return status == STATUS_NOT_ENROLLED ? EXIT_NOT_ENROLLED : EXIT_FAILED;
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
	return exit_of(status);
}
