// SPDX-License-Identifier: MIT
/* expect: incompatible type.*(guest_addr|user_addr) */
#include "base/addr.h"

/* Two kinds of untrusted addresses with two kinds of checks. */
struct guest_addr compile_case(struct user_addr from, struct guest_addr to);

struct guest_addr compile_case(struct user_addr from, struct guest_addr to)
{
	(void)from;
#ifdef MISUSE
	to = from;
#endif
	return to;
}
