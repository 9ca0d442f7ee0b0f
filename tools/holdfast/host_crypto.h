// SPDX-License-Identifier: MIT
/* The platform ports of crypto/ for host programs: which AEAD this CPU runs, and getrandom(2). */
#pragma once

#include "crypto/aead.h"
#include "crypto/random.h"

/* By cpuid, and by XCR0 for what needs the kernel to save wide registers. */
struct aead_platform host_aead_platform(void);

extern const struct entropy_port host_entropy;
