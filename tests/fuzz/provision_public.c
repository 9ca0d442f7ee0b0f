// SPDX-License-Identifier: MIT
/* A public area that somebody wants certified. Input: a mode (bit 0: begin with the RSA template,
 * bit 1: with that of P-384), then the rest. What is accepted is a template and a whole key. */
#include "vtpm/provision_templates.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = fuzz_input_of(data, size);
	const uint8_t mode = fuzz_u8(&input);
	struct provision_public public;
	size_t public_bytes = 0;
	uint8_t *bytes = fuzz_rest(&input, &public_bytes);
	for (unsigned int i = 0; i < 2; i++) {
		const struct provision_key_info *info = &provision_keys[i];
		if ((mode >> i & 1) != 0 && public_bytes >= info->template_bytes) {
			memcpy(bytes, info->template, info->template_bytes);
		}
	}
	fuzz_stain(&public, sizeof(public));
	const enum status status = provision_public_decode(bytes, public_bytes, &public);
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_INVALID ||
		     status == STATUS_UNSUPPORTED);
	if (status != STATUS_OK) {
		FUZZ_REQUIRE(fuzz_is_stained(&public, sizeof(public)));
		free(bytes);
		return 0;
	}
	const struct provision_key_info *info = &provision_keys[public.key];
	FUZZ_REQUIRE(info->certificate_index != 0);
	FUZZ_REQUIRE(memcmp(bytes, info->template, info->template_bytes) == 0);
	FUZZ_REQUIRE(public_bytes ==
		     info->template_bytes + info->unique_count * (2 + info->unique_bytes));
	for (size_t i = 0; i < info->unique_count; i++) {
		FUZZ_REQUIRE(public.unique[i] ==
			     bytes + info->template_bytes + 2 + i * (2 + info->unique_bytes));
	}
	free(bytes);
	return 0;
}
