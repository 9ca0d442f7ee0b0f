// SPDX-License-Identifier: MIT
/* Integers to and from bytes, and the three byte-string operations that libc gets wrong for us
 * (a comparison in constant time, an erase that survives optimisation, a zero test). Pointers need
 * no alignment. On-disk and virtio data are little-endian, TPM data big-endian. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint16_t bytes_load_le16(const uint8_t *from);
uint32_t bytes_load_le32(const uint8_t *from);
uint64_t bytes_load_le64(const uint8_t *from);
uint16_t bytes_load_be16(const uint8_t *from);
uint32_t bytes_load_be32(const uint8_t *from);

void bytes_store_le16(uint8_t *to, uint16_t value);
void bytes_store_le32(uint8_t *to, uint32_t value);
void bytes_store_le64(uint8_t *to, uint64_t value);
void bytes_store_be16(uint8_t *to, uint16_t value);
void bytes_store_be32(uint8_t *to, uint32_t value);

/* Time depends on `size` only: for tags, MACs and keys. */
bool bytes_equal_constant_time(const uint8_t *a, const uint8_t *b, size_t size);

bool bytes_are_zero(const uint8_t *bytes, size_t size);

/* Erase a secret. The compiler may not drop it. */
void secure_zero(void *secret, size_t size);
