// SPDX-License-Identifier: MIT
/* The public areas that a manufactured TPM's primary keys are made from, byte for byte.
 *
 * The endorsement keys are those of the TCG EK Credential Profile for TPM Family 2.0: template L-1
 * (RSA 2048, section B.3.3) and H-3 (ECC NIST P-384, section B.4.5). Whoever knows these templates
 * can make the same keys again from the TPM's endorsement seed, so a bit that differs here would
 * give an EK that no verifier finds. The storage root key is P-256 as the TCG Provisioning Guidance
 * describes it: an L-2 template without a policy, usable with its (empty) password.
 *
 * A template and the public area made from it agree in all but the last field, `unique`, which is
 * the public key. Both ends of that are here: writing the one, taking the other apart. PURE. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/reader.h"
#include "base/status.h"

enum provision_key {
	PROVISION_EK_RSA2048,
	PROVISION_EK_P384,
	PROVISION_SRK,
};

#define PROVISION_KEYS       3u

#define PROVISION_RSA_BYTES  256u
#define PROVISION_P384_BYTES 48u
/* TPMT_PUBLIC of the largest: the RSA key. */
#define PROVISION_PUBLIC_BYTES_MAX 512u

struct provision_key_info {
	const char *name;           /* For people. */
	uint32_t hierarchy;         /* TPM_RH whose seed it comes from. */
	uint32_t handle;            /* Where it is made persistent. */
	uint32_t certificate_index; /* NV index of its certificate; 0: it gets none. */
	const uint8_t *template;    /* TPMT_PUBLIC up to, and without, `unique`. */
	size_t template_bytes;
	uint16_t unique_sizes[2]; /* Zero bytes in the template's `unique`: n, or x and y. */
	size_t unique_count;
	size_t unique_bytes; /* Of each field of the key's `unique`. */
};

/* By enum provision_key. */
extern const struct provision_key_info provision_keys[PROVISION_KEYS];

/* Write the template, `unique` and all, as TPMT_PUBLIC. */
void provision_template_write(enum provision_key key, struct writer *writer);

/* What an endorsement key's public area says: its kind, and the key. Borrowed from the input. */
struct provision_public {
	enum provision_key key;
	const uint8_t *unique[2]; /* The modulus; or x and y. */
	size_t unique_bytes;      /* Of each. */
};

/* Take a TPMT_PUBLIC apart. STATUS_UNSUPPORTED: it was made from none of the endorsement templates
 * (another kind of key, or attributes and policy of somebody's own). STATUS_INVALID: it was, but is
 * cut off, too long, or its key has another size. */
MUST_CHECK
enum status provision_public_decode(const uint8_t *bytes, size_t size_bytes,
				    struct provision_public *out);
