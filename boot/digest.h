// SPDX-License-Identifier: MIT
/* SHA-256 for stage2, by OpenSSL's libcrypto: its assembly does 90 MB/s under QEMU's emulator,
 * where mbedtls does 35, and uses the SHA instructions where a CPU has them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"
#include "boot/boot_params.h"

/* Choose the implementation; both candidates have to pass a known-answer test before use.
 * STATUS_UNSUPPORTED: neither does. */
MUST_CHECK
enum status digest_init(const char **problem);

void digest_sha256(const uint8_t *bytes, size_t size_bytes, uint8_t digest[BOOT_DIGEST_BYTES]);
