// SPDX-License-Identifier: MIT
/* expect: (enumeration value|switch-enum|not handled|not explicitly handled) */
#include "virtio/virtq.h"

/* A switch over one of our enums names every value. */
int compile_case(enum virtq_lie lie);

int compile_case(enum virtq_lie lie)
{
	switch (lie) {
	case VIRTQ_LIE_NONE: return 0;
	case VIRTQ_LIE_USED_INDEX:
	case VIRTQ_LIE_ID_RANGE:
	case VIRTQ_LIE_NOT_IN_FLIGHT:
#ifndef MISUSE
	case VIRTQ_LIE_LENGTH:
#endif
		break;
	}
	return 1;
}
