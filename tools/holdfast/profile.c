// SPDX-License-Identifier: MIT
#include "tools/holdfast/profile.h"

#include <stddef.h>
#include <string.h>

const char *profile_name(enum volume_profile profile)
{
	switch (profile) {
	case VOLUME_PROFILE_STATE: return "state";
	case VOLUME_PROFILE_BLOCK: return "block";
	}
	return "unknown";
}

bool profile_parse(const char *text, enum volume_profile *profile)
{
	static const enum volume_profile profiles[] = {VOLUME_PROFILE_STATE, VOLUME_PROFILE_BLOCK};
	for (size_t i = 0; i < ARRAY_COUNT(profiles); i++) {
		if (strcmp(text, profile_name(profiles[i])) == 0) {
			*profile = profiles[i];
			return true;
		}
	}
	return false;
}
