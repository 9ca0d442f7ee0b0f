// SPDX-License-Identifier: MIT
/* The plugin's parameters: what they may be, which go together. A refusal is in nbdkit's log, with
 * the parameter and what it has to be. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CHOICES_HELP                                                              \
	"image=<PATH>              (required) The volume.\n"                      \
	"key-file=<PATH>           A key of 32 bytes; or\n"                       \
	"passphrase-file=<PATH>    a passphrase, the file's first line; or\n"     \
	"recovery-key-file=<PATH>  a recovery key.\n"                             \
	"object=<NAME>             The object to serve; block profile: device.\n" \
	"size=<SIZE>               Make the object, or make it larger.\n"         \
	"cache=<SIZE>              Memory for metadata (default 32M).\n"          \
	"witness=<PATH>            The freshness witness of the volume.\n"        \
	"witness-sync=<SECONDS>    Tell it so often (default 5; 0: never).\n"     \
	"readonly=<BOOL>           Share the image with other readers."

/* Texts are from the heap, NULL if they were not given. */
struct choices {
	char *image;
	char *key_file;
	char *passphrase_file;
	char *recovery_key_file;
	char *witness;
	char *object;
	int64_t size_bytes; /* 0: as it is. */
	int64_t cache_bytes;
	unsigned int witness_sync_s; /* 0: at checkpoints only. */
	bool has_witness_sync;       /* It was chosen. */
	bool read_only;
};

/* Nothing given, and the defaults. */
void choices_init(struct choices *choices);
/* Take `key=value`. nbdkit's result: 0, or -1 with the reason in the log. */
int choices_set(struct choices *choices, const char *key, const char *value);
/* After the last one: what is missing, what excludes each other. The same result. */
int choices_check(const struct choices *choices);
void choices_free(struct choices *choices);
