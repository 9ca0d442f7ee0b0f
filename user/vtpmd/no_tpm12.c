// SPDX-License-Identifier: MIT
/* Leaves the TPM 1.2 half of libtpms out of the program: 540 KB that nobody could reach, but that
 * every boot would have to hash and load.
 *
 * libtpms keeps one table of functions for each TPM version, TPM12Interface among them. As the name
 * is defined here, the linker does not fetch libtpms' own object, nor what that refers to. vtpmd
 * chooses version 2.0 before anything else, so the empty table is never looked at; if it were,
 * calling through it would be a null dereference and the service would end. */
#include <stddef.h>

/* More than libtpms' struct tpm_interface has (22 pointers in 0.9). */
#define INTERFACE_POINTERS 64

extern const void *const TPM12Interface[INTERFACE_POINTERS];
const void *const TPM12Interface[INTERFACE_POINTERS] = {NULL};
