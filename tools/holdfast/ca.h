// SPDX-License-Identifier: MIT
/* The local certificate authority that vouches for endorsement keys: a folder with a P-384 key and
 * its self-signed certificate. It signs EK certificates as the TCG EK Credential Profile describes
 * them and nothing else; X.509 is mbedtls' affair.
 *
 * There is no register of what was issued and no revocation: serial numbers are random, and whoever
 * trusts the authority trusts every TPM that it was used for. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>

#include "base/compiler.h"
#include "base/status.h"
#include "crypto/random.h"
#include "tools/holdfast/report.h"
#include "vtpm/provision.h"

#define CA_KEY_FILE           "ca.key"
#define CA_CERTIFICATE_FILE   "ca.pem"
#define CA_DAYS_MAX           36500u
#define CA_DAYS_DEFAULT       7300u
#define CA_ISSUE_DAYS_DEFAULT 3650u
#define CA_SUBJECT_DEFAULT    "CN=Holdfast local CA"
/* Of a certificate in DER, before anybody asks whether it fits a TPM's NV index. */
#define CA_CERTIFICATE_BYTES_MAX 8192u

/* Caller's storage. ca_close() ends it, after a failed call as well. */
struct ca {
	struct random random;
	mbedtls_pk_context key;
	mbedtls_x509_crt certificate;
};

void ca_init(struct ca *ca);

/* Make an authority in `folder`, which is created if it is not there. STATUS_EXISTS: one is there
 * already; it is left alone. STATUS_INVALID: `subject` is no X.500 name. */
MUST_CHECK
enum status ca_create(struct ca *ca, const char *folder, const char *subject, uint32_t days,
		      struct report *report);

/* Open one. STATUS_NO_KEY: key or certificate is missing, unreadable, or they do not belong
 * together. STATUS_INVALID: the certificate is not an authority's, or not valid now. */
MUST_CHECK
enum status ca_open(struct ca *ca, const char *folder, struct report *report);

void ca_close(struct ca *ca);

/* Sign a certificate for an endorsement key. `detail` gets a sentence if it fails.
 * STATUS_TOO_LARGE: it would have more than CA_CERTIFICATE_BYTES_MAX. STATUS_INVALID: the public
 * key is none (an even modulus, a point that is not on the curve). */
MUST_CHECK
enum status ca_issue(struct ca *ca, const struct provision_public *public,
		     const struct provision_identity *identity, uint32_t days,
		     uint8_t der[CA_CERTIFICATE_BYTES_MAX], size_t *der_bytes,
		     char detail[REPORT_TEXT_BYTES]);
