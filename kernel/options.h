// SPDX-License-Identifier: MIT
/* The kernel command line. It comes from the host: on a confidential machine it is measured, here
 * it is what the operator asked for. Every "holdfast." word must be known. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/status.h"
#include "kernel/disk_choice.h"
#include "virtio/virtio_wait.h"

#define OPTIONS_MODULE_BYTES 32u
#define OPTIONS_WORD_BYTES   64u

enum state_policy {
	STATE_REQUIRE,   /* Without a mounted volume there is no TPM. */
	STATE_EPHEMERAL, /* No disk is touched; nothing survives. An explicit choice. */
};

enum failure_policy {
	FAILURE_SERVE, /* Answer every TPM command with TPM_RC_FAILURE. */
	FAILURE_EXIT,  /* Power off with an exit code that names the cause. */
};

enum fio_choice {
	FIO_NONE,
	FIO_RAW,        /* On the disk as it is. */
	FIO_RAW_COPIED, /* Likewise, data always copied to and from private memory. */
	FIO_VOLUME,     /* On the volume that it carries. */
};

struct kernel_options {
	enum state_policy state;
	enum failure_policy on_failure;
	enum virtio_wait_mode completion;
	struct disk_wish disk;
	enum log_level log;
	char run_module[OPTIONS_MODULE_BYTES];   /* Development: "" or a ring-3 test module. */
	char run_argument[OPTIONS_MODULE_BYTES]; /* What follows its ':'. */
	char panic[OPTIONS_MODULE_BYTES];        /* Development: "" or how to die. */
	bool place_windows;                      /* Development: place PCI windows ourselves. */
	enum fio_choice fio;                     /* Development: run fio jobs and exit. */
	uint32_t vtpmd_crash_on;                 /* Development: 0 or a TPM command code. */
	char rejected[OPTIONS_WORD_BYTES];       /* The word that was refused. */
};

/* STATUS_BAD_CONFIG, with `rejected` filled in: an unknown word, a bad value, or a development
 * option in a production build. */
MUST_CHECK enum status options_parse(const char *cmdline, bool production,
				     struct kernel_options *options);
