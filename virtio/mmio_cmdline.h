// SPDX-License-Identifier: MIT
/* The words `virtio_mmio.device=<size>@<base>[:<irq>]` that QEMU's microvm adds to the command
 * line, one for each device that exists. The host writes them: a bounded, validated list comes out.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/compiler.h"
#include "base/status.h"
#include "base/text.h"

#define MMIO_CMDLINE_DEVICES_MAX 32u
#define MMIO_CMDLINE_IRQ_MAX     255u
#define MMIO_CMDLINE_IRQ_NONE    UINT32_MAX

struct mmio_cmdline_device {
	struct phys_range window; /* 512-byte aligned, at least VIRTIO_MMIO_WINDOW_BYTES_MIN. */
	uint32_t irq;             /* MMIO_CMDLINE_IRQ_NONE if not given. */
};

struct mmio_cmdline_list {
	struct mmio_cmdline_device devices[MMIO_CMDLINE_DEVICES_MAX];
	size_t count;
	/* After a failure: what is wrong, in words, for the log; static storage. Else NULL. */
	const char *complaint;
};

/* Collect all such words of `command_line` (other words are not looked at). Numbers are decimal or
 * 0x-hexadecimal, the size may end in K. The list is empty after a failure.
 * STATUS_BAD_CONFIG: a malformed word, a window that is too small, unaligned, wraps, lies above the
 * physical address space or overlaps another one. STATUS_TOO_LARGE: too many devices.
 * The caller still has to refuse windows that overlap memory. */
/*@ requires is_text(command_line) && \valid(list);
    assigns *list;
    ensures list->count <= MMIO_CMDLINE_DEVICES_MAX; */
MUST_CHECK
enum status mmio_cmdline_parse(const char *command_line, struct mmio_cmdline_list *list);
