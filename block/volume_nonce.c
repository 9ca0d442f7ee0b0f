// SPDX-License-Identifier: MIT
#include "block/volume_nonce.h"

void volume_nonce_make(enum volume_domain domain, uint64_t counter, uint8_t nonce[AEAD_NONCE_BYTES])
{
	bytes_store_le32(nonce, (uint32_t)domain);
	bytes_store_le64(nonce + 4, counter);
}

enum status volume_counter_take(uint64_t *seals, uint64_t *counter)
{
	if (*seals >= VOLUME_SEALS_MAX) {
		return STATUS_LIMIT;
	}
	*counter = ++*seals;
	return STATUS_OK;
}
