// SPDX-License-Identifier: MIT
/* The linker script's symbols (kernel/kernel.ld). All are page-aligned. */
#pragma once

#include <stdint.h>

extern const uint8_t image_start[];        /* Headers, dynamic section, read-only data. */
extern const uint8_t image_text_start[];   /* Code. */
extern const uint8_t image_text_end[];     /* Relocated constants. */
extern const uint8_t image_data_start[];   /* Writable from here to the end. */
extern const uint8_t image_sealed_start[]; /* Within the writable part: read-only after boot. */
extern const uint8_t image_sealed_end[];
extern const uint8_t image_end[];

/* Set during boot, never again: kernel_memory_seal() makes the section read-only. */
#define FIXED_AFTER_BOOT __attribute__((section(".data.sealed")))
