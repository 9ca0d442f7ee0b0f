// SPDX-License-Identifier: MIT
/* The boot bundle's manifest, of a file of any size: only what is there is read. */
#include "boot/bundle.h"
#include "tests/proofs/eva/entry.h"

static uint8_t manifest[BUNDLE_MANIFEST_BYTES];

static void decode(const uint8_t *bytes, size_t size)
{
	struct bundle bundle;
	const char *problem = NULL;
	ANYTHING(manifest);
	if (bundle_decode(bytes, size, &bundle, &problem) == STATUS_OK) {
		(void)bundle.entries[bundle.kernel_index].size_bytes;
	}
}

int main(void)
{
	const size_t short_of_one = any_up_to(BUNDLE_MANIFEST_BYTES - 1);
	decode(FOREIGN(manifest, short_of_one), short_of_one);
	decode(manifest, any_within(BUNDLE_MANIFEST_BYTES, UINT64_MAX));
	return 0;
}
