// SPDX-License-Identifier: MIT
/* What stage2 hands to the kernel. */
#include "boot/boot_params.h"
#include "tests/proofs/eva/entry.h"

static struct boot_params params;

int main(void)
{
	ANYTHING(params);
	if (boot_params_validate(&params) == STATUS_OK) {
		//@ assert bounded: params.module_count <= BOOT_MODULES_MAX;
	}
	return 0;
}
