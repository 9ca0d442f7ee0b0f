// SPDX-License-Identifier: MIT
/* The freshness witness: somebody the host cannot turn back, who remembers for each volume how far
 * its history has come. docs/volume-format.md, section "Freshness".
 *
 * A volume names its history by a mark: the sequence number of its last commit, and the running
 * anchor, a hash chain over all of them. The order is always disk first, then witness: a witness
 * that is ahead of a crashed disk would look like a rollback. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define WITNESS_UUID_BYTES   16u
#define WITNESS_ANCHOR_BYTES 32u

struct volume;

struct witness_mark {
	uint64_t sequence; /* 0: none. */
	uint8_t anchor[WITNESS_ANCHOR_BYTES];
};

/* The port. Calls end within a deadline of the witness's own. STATUS_OK and the statuses named here
 * are the witness's word; any other (IO, TIMEOUT, ...) means that it could not be asked, and
 * whether a change was made is then unknown. */
struct witness_ops {
	/* What it remembers. Fences nobody. STATUS_NOT_FOUND: it never heard of that volume. */
	enum status (*peek)(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			    struct witness_mark *mark);
	/* The same, for somebody who is going to write: earlier openers can advance no more.
	 * `token` names this session to the witness. */
	enum status (*open)(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			    struct witness_mark *mark, uint64_t *token);
	/* Compare and set, durable when it returns. OK as well if `to` is what it remembers: the
	 * answer to an earlier call may have been lost. STATUS_FORK: fenced, or it remembers
	 * something else, or `to` is not later than `from`. */
	enum status (*advance)(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			       uint64_t token, const struct witness_mark *from,
			       const struct witness_mark *to);
	/* First contact, and open. STATUS_EXISTS: it knows that volume. */
	enum status (*enrol)(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			     const struct witness_mark *mark, uint64_t *token);
	/* As advance, but also to what is not later: somebody decided so. */
	enum status (*replace)(void *context, const uint8_t uuid[WITNESS_UUID_BYTES],
			       uint64_t token, const struct witness_mark *from,
			       const struct witness_mark *to);
};

struct witness {
	const struct witness_ops *ops;
	void *context;
};

/* What a volume asks of its witness. Sealed in the volume; the values are those on the disk. */
enum volume_witness_policy_kind {
	VOLUME_WITNESS_OPEN = 0,    /* Best effort, at checkpoints. */
	VOLUME_WITNESS_STRICT = 1,  /* No commit is acknowledged before the witness has it. */
	VOLUME_WITNESS_BOUNDED = 2, /* So many commits may be, or for so long. */
};

struct volume_witness_policy {
	enum volume_witness_policy_kind kind;
	uint32_t commits; /* BOUNDED: at least 1. 0 for the others. */
	uint32_t seconds; /* BOUNDED; 0: not limited. 0 for the others. */
};

/* What the caller of a mount answers for. Never the volume's own decision. */
enum volume_witness_decision {
	VOLUME_WITNESS_CHECK = 0, /* Nothing. */
	/* This volume, which no witness ever acknowledged, is the right one: enrol it. */
	VOLUME_WITNESS_ENROL,
	/* This image is to be the history from now on, whatever the witness remembers, and also if
	 * there is none to be asked. */
	VOLUME_WITNESS_ACCEPT,
};

enum volume_freshness {
	VOLUME_FRESHNESS_UNANCHORED = 0, /* No witness has been asked. */
	VOLUME_FRESHNESS_NOT_ENROLLED,   /* The witness does not know the volume. */
	VOLUME_FRESHNESS_ANCHORED,       /* The witness has all that is committed. */
	VOLUME_FRESHNESS_BEHIND,         /* It has an earlier part of this history. */
};

struct volume_freshness_info {
	struct volume_witness_policy policy;
	enum volume_freshness freshness;
	uint64_t acknowledged_sequence; /* 0: never. As far as the volume knows. */
	uint64_t commits_behind;        /* Upper bound of the commits since then. */
	enum status cause; /* The witness's last word. STATUS_NO_DEVICE: there is none. */
};

/* "unanchored", "not-enrolled", "anchored", "behind". */
const char *volume_freshness_name(enum volume_freshness freshness);

void volume_freshness_get(const struct volume *volume, struct volume_freshness_info *info);

/* True if the kind is known and the bounds fit it. */
/*@ predicate policy_is_sane{L}(struct volume_witness_policy *p) =
      p->kind == VOLUME_WITNESS_BOUNDED ? p->commits != 0 :
      (p->kind == VOLUME_WITNESS_OPEN || p->kind == VOLUME_WITNESS_STRICT) &&
      p->commits == 0 && p->seconds == 0; */
/*@ requires \valid_read(policy);
    assigns \nothing;
    ensures \result <==> policy_is_sane(policy); */
bool volume_witness_policy_is_sane(const struct volume_witness_policy *policy);

/* Seal another policy, durable in both superblock slots when it returns OK. Anything but OPEN needs
 * a witness that has all that is committed: STATUS_UNANCHORED, and nothing has changed. To loosen a
 * policy whose witness is lost takes a mount with VOLUME_WITNESS_ACCEPT. */
MUST_CHECK
enum status volume_witness_policy_set(struct volume *volume,
				      const struct volume_witness_policy *policy);

/* Let the witness have all that is committed; for timers and orderly ends. STATUS_UNANCHORED: it
 * could not be asked, and nothing is lost. STATUS_FORK, STATUS_ROLLBACK: writing has ended. */
MUST_CHECK
enum status volume_witness_sync(struct volume *volume);
