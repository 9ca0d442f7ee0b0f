// SPDX-License-Identifier: MIT
/* Instead of arch/cpu.h, whose instructions EVA cannot read: the entry program is the hardware. */
#pragma once

#include <stdint.h>

uint8_t cpu_in8(uint16_t port);
void cpu_out16(uint16_t port, uint16_t value);
