// SPDX-License-Identifier: MIT
/* Names of the volume's profiles, for the command line and for output. */
#pragma once

#include <stdbool.h>

#include "block/volume.h"

const char *profile_name(enum volume_profile profile);
/* False: no profile is called that; `profile` is untouched. */
bool profile_parse(const char *text, enum volume_profile *profile);
