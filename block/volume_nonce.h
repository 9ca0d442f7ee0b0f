// SPDX-License-Identifier: MIT
/* Which nonce comes next. A session draws keys of its own, so its counters start at 0; under one
 * key a nonce is a domain and a counter, and no counter is handed out twice. */
#pragma once

#include <stdint.h>

#include "base/bytes.h"
#include "base/compiler.h"
#include "base/status.h"
#include "crypto/aead.h"

/* Seals under one session key (NIST SP 800-38D, section 8.3, asks for at most 2^32). A new session
 * is drawn when fewer than the margin are left. */
#define VOLUME_SEALS_MAX    UINT32_MAX
#define VOLUME_SEALS_MARGIN (1u << 20)

/* First word of every nonce; keeps the uses of one key apart. */
enum volume_domain {
	VOLUME_DOMAIN_LOG = 1,
	VOLUME_DOMAIN_NODE = 2,
	VOLUME_DOMAIN_DATA = 3,
	VOLUME_DOMAIN_SUPERBLOCK = 4,
	VOLUME_DOMAIN_KEYSLOT = 5,
};

/* Both can be read back from the nonce: so equal nonces have equal domains and counters. */
/*@ requires \valid(nonce + (0 .. AEAD_NONCE_BYTES - 1)) && 1 <= domain <= 5;
    assigns nonce[0 .. AEAD_NONCE_BYTES - 1];
    ensures le32(nonce) == domain && le64(nonce + 4) == counter; */
void volume_nonce_make(enum volume_domain domain, uint64_t counter,
		       uint8_t nonce[AEAD_NONCE_BYTES]);

/* The next counter value of a key of which `seals` were used. STATUS_LIMIT: used up. */
/*@ requires \valid(seals) && \valid(counter) && \separated(seals, counter);
    assigns *seals, *counter;
    ensures \result == STATUS_OK <==> \old(*seals) < VOLUME_SEALS_MAX;
    ensures \result == STATUS_OK ==>
      \old(*seals) < *counter <= VOLUME_SEALS_MAX && *seals == *counter;
    ensures \result != STATUS_OK ==> \result == STATUS_LIMIT && *seals == \old(*seals) &&
      *counter == \old(*counter); */
MUST_CHECK
enum status volume_counter_take(uint64_t *seals, uint64_t *counter);
