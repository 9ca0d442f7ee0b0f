// SPDX-License-Identifier: MIT
/* The image locks of file_device.h. */
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/file_device.h"

/* Held until the descriptor is closed. STATUS_BUSY, or STATUS_IO with errno. */
MUST_CHECK
enum status file_lock_take(int fd, enum file_access access);
