// SPDX-License-Identifier: MIT
#include "kernel/disk_choice.h"

#include <string.h>

static bool uuids_equal(const uint8_t *a, const uint8_t *b)
{
	return memcmp(a, b, DISK_UUID_BYTES) == 0; /* Public. */
}

static bool fits(const struct disk_candidate *candidate, const struct disk_wish *wish)
{
	return candidate->status == STATUS_OK &&
	       (!wish->has_uuid || uuids_equal(candidate->uuid, wish->uuid));
}

static enum status first_failure(const struct disk_candidate *candidates, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (candidates[i].status != STATUS_OK) {
			return candidates[i].status;
		}
	}
	return STATUS_NO_DEVICE;
}

enum status disk_choose(const struct disk_candidate *candidates, size_t count,
			const struct disk_wish *wish, size_t *chosen)
{
	size_t found = count;
	bool several = false;
	for (size_t i = 0; i < count; i++) {
		if (!fits(&candidates[i], wish)) {
			continue;
		}
		/* Each pair is looked at: a twin may come behind a stranger. */
		for (size_t j = 0; j < i; j++) {
			if (fits(&candidates[j], wish) &&
			    uuids_equal(candidates[i].uuid, candidates[j].uuid)) {
				return STATUS_DUPLICATE_VOLUME;
			}
		}
		several = several || found < count;
		found = i;
	}
	if (found == count) {
		return first_failure(candidates, count);
	}
	if (several) {
		return STATUS_BAD_CONFIG;
	}
	*chosen = found;
	return STATUS_OK;
}
