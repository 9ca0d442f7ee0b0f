// SPDX-License-Identifier: MIT
/* The CPU's random number instructions as an entropy port: RDSEED where there is one, else RDRAND.
 * Each word is tried a bounded number of times. */
#pragma once

#include "crypto/random.h"

/* A port that always fails if the CPU has neither. */
struct entropy_port entropy_hardware_port(void);
