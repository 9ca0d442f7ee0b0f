// SPDX-License-Identifier: MIT
/* Keys from files. The bytes live in the caller's struct key_material and end in
 * key_material_erase(). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume.h"
#include "tools/holdfast/report.h"

#define KEY_PASSPHRASE_BYTES_MAX 1024u

struct key_material {
	enum volume_key_type type;
	size_t size_bytes;
	/* One more than the longest passphrase, so that one that is too long is noticed. */
	uint8_t bytes[KEY_PASSPHRASE_BYTES_MAX + 1];
};

/* Exactly 32 bytes, else STATUS_NO_KEY. Pipes are fine. */
MUST_CHECK
enum status key_material_read_raw(struct key_material *key, const char *path,
				  struct report *report);

/* The first line, without its newline: 1 to 1024 bytes, else STATUS_NO_KEY. */
MUST_CHECK
enum status key_material_read_passphrase(struct key_material *key, const char *path,
					 struct report *report);

/* A recovery key as recovery_key_format() wrote it, or as somebody typed it. STATUS_NO_KEY names
 * the row with the slip. */
MUST_CHECK
enum status key_material_read_recovery(struct key_material *key, const char *path,
				       struct report *report);

/* A new recovery key from the kernel's generator. STATUS_NO_ENTROPY. */
MUST_CHECK
enum status key_material_make_recovery(struct key_material *key);

/* Where a key comes from: at most one of them is set. */
struct key_choice {
	const char *raw_file;
	const char *passphrase_file;
	const char *recovery_file;
};

bool key_choice_is_made(const struct key_choice *choice);

/* Read the key that was chosen; without a choice STATUS_NO_KEY. `key` is zero on failure. */
MUST_CHECK
enum status key_material_read(struct key_material *key, const struct key_choice *choice,
			      struct report *report);

struct volume_key key_material_key(const struct key_material *key);
void key_material_erase(struct key_material *key);

/* A new key of 32 random bytes in a new file, mode 0600, durable. STATUS_EXISTS: something is at
 * `path` already; it is left alone. */
MUST_CHECK
enum status key_file_generate(const char *path, struct report *report);
