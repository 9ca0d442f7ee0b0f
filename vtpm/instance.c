// SPDX-License-Identifier: MIT
#include "vtpm/instance.h"

#include <stddef.h>
#include <string.h>

#include "base/format.h"

STATIC_ASSERT(INSTANCE_NAME_BYTES <= STORE_NAME_BYTES_MAX + 1, "an object has to have such a name");

void instance_names_make(uint32_t instance, struct instance_names *names)
{
	if (instance == 0) {
		(void)format_text(names->process, sizeof(names->process), "vtpmd");
		(void)format_text(names->port, sizeof(names->port), "org.holdfast.tpm");
	} else {
		(void)format_text(names->process, sizeof(names->process), "vtpmd.%u", instance);
		(void)format_text(names->port, sizeof(names->port), "org.holdfast.tpm.%u",
				  instance);
	}
	(void)format_text(names->control_port, sizeof(names->control_port),
			  "org.holdfast.tpm.%u.ctrl", instance);
	(void)format_text(names->object, sizeof(names->object), "vtpm%u.permall", instance);
}

bool instance_of_object(const char *name, uint32_t *instance)
{
	for (uint32_t i = 0; i < INSTANCE_COUNT_MAX; i++) {
		struct instance_names names;
		instance_names_make(i, &names);
		if (strcmp(name, names.object) == 0) {
			*instance = i;
			return true;
		}
	}
	return false;
}
