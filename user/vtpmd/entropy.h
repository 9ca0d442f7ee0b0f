// SPDX-License-Identifier: MIT
/* Where vtpmd's randomness comes from: getrandom(2) of our kernel and nothing else.
 *
 * libtpms' _plat__GetEntropy() calls RAND_bytes() and quietly goes on with rand() when that fails.
 * Two things keep this from ever happening:
 *  - OpenSSL's random method is replaced by one that calls getrandom(2), so no second generator
 *    with a seed, a reseed interval and a fallback of its own sits in between; and
 *  - that method does not return without bytes: it ends the process (SERVICE_EXIT_NO_ENTROPY).
 * The linker option --wrap=RAND_bytes routes libtpms' calls through a check of the result too, in
 * case a later OpenSSL should refuse before it asks the method. */
#pragma once

#include <stdbool.h>

#include "base/compiler.h"

/* Call before libtpms is touched. False: getrandom(2) does not work. */
MUST_CHECK
bool entropy_install(void);
