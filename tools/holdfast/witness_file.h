// SPDX-License-Identifier: MIT
/* A witness in a file of the host: for tests, and for hosts that are trusted with freshness.
 * Whoever can write the file can turn it back, and with it the volume; on the disk's own host it
 * protects from accidents (a copy used twice, a backup in the wrong place) and from nobody.
 *
 * Each change replaces the file (temporary file, fsync, rename, fsync of the directory) under an
 * advisory lock, so whoever is interrupted leaves the old one or the new one. */
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "block/volume_witness.h"
#include "tools/holdfast/report.h"
#include "tools/holdfast/witness_text.h"

/* What the command line says. */
struct witness_choice {
	const char *path; /* NULL: no witness. */
	enum volume_witness_decision decision;
};

struct witness_file {
	struct witness port;
	char *path; /* Symbolic links followed. */
};

/* Use the file at `path`, which has to be there and well-formed. STATUS_NOT_FOUND,
 * STATUS_BAD_CONFIG, STATUS_NEWER_FORMAT, STATUS_IO; noted. */
MUST_CHECK
enum status witness_file_open(struct witness_file *file, const char *path, struct report *report);
void witness_file_close(struct witness_file *file);
/* Make an empty one, mode 0600, unless something is there. */
MUST_CHECK
enum status witness_file_make(const char *path, struct report *report);
/* What it says now. */
MUST_CHECK
enum status witness_file_read(const char *path, struct witness_table *table, struct report *report);
