// SPDX-License-Identifier: MIT
/* What belongs to TPM number N: its ports and its object of the store. PURE. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "block/store_format.h"

/* TPMs have the numbers 0 to 7. */
#define INSTANCE_COUNT_MAX  8u
#define INSTANCE_NAME_BYTES 32u

struct instance_names {
	char process[INSTANCE_NAME_BYTES];      /* In the log. */
	char port[INSTANCE_NAME_BYTES];         /* Of its commands. */
	char control_port[INSTANCE_NAME_BYTES]; /* Of its platform. */
	char object[INSTANCE_NAME_BYTES];       /* Of its permanent state. */
};

/* TPM 0 has the names of the time when it was the only one. */
void instance_names_make(uint32_t instance, struct instance_names *names);

/* Is an object a TPM's permanent state, and whose? */
MUST_CHECK
bool instance_of_object(const char *name, uint32_t *instance);
