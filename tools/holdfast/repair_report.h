// SPDX-License-Identifier: MIT
/* `holdfast image verify --repair-report`: every fault, what it costs, and what ends it. */
#pragma once

#include "base/compiler.h"
#include "base/status.h"
#include "tools/holdfast/options.h"
#include "tools/holdfast/report.h"

/* Prints a line (with --json, one object) about each fault. Returns the first one's status; what
 * could not be mounted is in the general report alone. Writes nothing to the image. */
MUST_CHECK
enum status repair_report(const struct options *options, struct report *report);
