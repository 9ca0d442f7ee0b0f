// SPDX-License-Identifier: MIT
/* An opened image: file, key, volume, store. What every command that looks inside needs. */
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "block/store.h"
#include "block/volume.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "tools/holdfast/file_device.h"
#include "tools/holdfast/key_file.h"
#include "tools/holdfast/options.h"
#include "tools/holdfast/report.h"

/* Caller's storage. session_close() ends it, after a failed call as well. */
struct session {
	struct file_device file;
	struct aead aead;
	struct random random;
	struct volume_environment environment; /* The arena is from the heap. */
	struct volume *volume;                 /* NULL: not mounted. */
	struct store store;                    /* Open with the volume. */
};

void session_init(struct session *session);

/* The key that the options name. Read before the image is touched. */
MUST_CHECK
enum status session_key_read(struct key_material *key, const struct options *options,
			     struct report *report);

/* `file` is open: choose the AEAD, seed the generator, allocate the arena for `size`. */
MUST_CHECK
enum status session_prepare(struct session *session, struct block_count size);

/* Open the image at options->positional[0], mount it and open the store. */
MUST_CHECK
enum status session_open(struct session *session, const struct options *options,
			 enum file_access access, struct report *report);

/* Add what only the session knows about a failure: where in the volume, which system error.
 * Returns `status`. */
enum status session_explain(struct session *session, enum status status, struct report *report);

void session_close(struct session *session);
