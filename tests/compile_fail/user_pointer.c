// SPDX-License-Identifier: MIT
/* expect: (incompatible|invalid|integer|pointer).*(user_addr|uint64_t|unsigned long|pointer) */
#include "mm/user_copy.h"

/* A pointer is not a user address, nor the other way round. */
enum status compile_case(const struct user_space *space, struct user_addr from, void *to);

enum status compile_case(const struct user_space *space, struct user_addr from, void *to)
{
#ifdef MISUSE
	return user_copy_in(space, to, to, 1);
#else
	return user_copy_in(space, to, from, 1);
#endif
}
