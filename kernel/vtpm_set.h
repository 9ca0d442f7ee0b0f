// SPDX-License-Identifier: MIT
/* All TPMs of this machine. TPM 0 is always there; the others are those whose state the volume
 * holds (docs/adr/0006-several-tpms.md): "vtpm<N>.permall". Each has a ring-3 process, one object
 * of the store, two ports and a fiber of its own, and takes its turns of about 10 ms beside the
 * others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/vtpm_service.h"

#define VTPM_COUNT_MAX INSTANCE_COUNT_MAX

struct vtpm_set {
	struct vtpm_service services[VTPM_COUNT_MAX]; /* In the order of their numbers. */
	size_t count;
	/* A port is stuck, and messages that are half read are waited for until then. */
	bool restart_waits;
	struct deadline restart_patience;
};

/* TPM 0 alone, so that its port can be opened before the volume is. */
void vtpm_set_init(struct svsm *svsm);

/* Open the ports of all: those of TPM 0 have to be there. */
MUST_CHECK enum status vtpm_set_open_ports(struct svsm *svsm);

/* Look into the store for more, open their ports, and give each TPM its fiber. A TPM that the host
 * gives no port is not started. The status is what a named resource was missing. */
MUST_CHECK enum status vtpm_set_start(struct svsm *svsm);

/* A turn for each: true if one of them did something. */
bool vtpm_set_turn(struct svsm *svsm);

/* One of them is in the middle of a command, or of a start. */
bool vtpm_set_is_busy(const struct svsm *svsm);

/* A port is stuck, and a new start of the serial device would lose nothing that was read: no
 * command runs, none has arrived in part, nor has a message on a control port, unless it does not
 * go on. */
bool vtpm_set_wants_restart(struct svsm *svsm);

/* When nothing arrives, the latest time at which one of them wants a turn. */
bool vtpm_set_deadline(const struct svsm *svsm, uint64_t *at_us);

/* Let each finish its command, shut its TPM down and give its memory back. */
void vtpm_set_stop(struct svsm *svsm);
