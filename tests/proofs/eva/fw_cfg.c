// SPDX-License-Identifier: MIT
/* QEMU's fw_cfg device: every byte that its port gives is the host's. */
#include "kernel/fw_cfg.h"
#include "tests/proofs/eva/entry.h"

#define KEY_BYTES 32u

uint8_t cpu_in8(uint16_t port)
{
	return (uint8_t)any_up_to(UINT8_MAX);
}

void cpu_out16(uint16_t port, uint16_t value)
{
}

int main(void)
{
	uint8_t key[KEY_BYTES];
	size_t size = 0;
	if (fw_cfg_read("opt/org.example/key", key, sizeof(key), &size) == STATUS_OK) {
		//@ assert fits: size <= KEY_BYTES;
	}
	return 0;
}
