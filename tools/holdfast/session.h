// SPDX-License-Identifier: MIT
/* An opened image: file, key, volume, store. What every command that looks inside needs. */
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "block/store.h"
#include "block/volume.h"
#include "crypto/aead.h"
#include "crypto/random.h"
#include "tools/holdfast/device.h"
#include "tools/holdfast/file_device.h"
#include "tools/holdfast/key_file.h"
#include "tools/holdfast/report.h"
#include "tools/holdfast/witness_file.h"

/* Caller's storage. session_close() ends it, after a failed call as well. */
struct session {
	struct file_device file;
	struct aead aead;
	struct random random;
	struct witness_choice witness_choice; /* Set before the image is opened; path NULL: none. */
	struct witness_file witness;
	size_t cache_bytes;                    /* More arena than needed: node cache. */
	struct volume_environment environment; /* The arena is from the heap. */
	struct volume *volume;                 /* NULL: not mounted. */
	/* Open with the volume, one or the other: */
	struct store store;   /* State profile. */
	struct device device; /* Block profile. */
};

void session_init(struct session *session);

/* `file` is open: choose the AEAD, seed the generator, allocate the arena. */
MUST_CHECK
enum status session_prepare(struct session *session, size_t arena_bytes);

/* Of the mounted volume. */
enum volume_profile session_profile(const struct session *session);

/* Read the key, open the image at `path`, mount it and open the store. */
MUST_CHECK
enum status session_open(struct session *session, const char *path, const struct key_choice *choice,
			 enum file_access access, struct report *report);
/* The same for a file that is open already, and a key that was read. */
MUST_CHECK
enum status session_mount(struct session *session, const struct key_material *key,
			  struct report *report);

/* Add what only the session knows about a failure: where in the volume, which system error.
 * Returns `status`. */
enum status session_explain(struct session *session, enum status status, struct report *report);

/* The same for a status about the object `name`, where the general advice would mislead. */
enum status session_explain_object(struct session *session, enum status status, const char *name,
				   struct report *report);

void session_close(struct session *session);
