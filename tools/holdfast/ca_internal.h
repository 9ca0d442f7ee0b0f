// SPDX-License-Identifier: MIT
/* What making the authority and signing with it share. */
#pragma once

#include "tools/holdfast/ca.h"

#define CA_SERIAL_BYTES 16u
/* YYYYMMDDhhmmss, as mbedtls takes it. */
#define CA_TIME_BYTES 15u

/* mbedtls' generator callback; `context` is a struct random. */
int ca_random(void *context, unsigned char *out, size_t size);

/* A serial number (RFC 5280, section 4.1.2.2: positive, at most 20 bytes) and a validity that
 * begins now. */
MUST_CHECK
enum status ca_set_serial(struct ca *ca, mbedtls_x509write_cert *writer);
MUST_CHECK
enum status ca_set_validity(mbedtls_x509write_cert *writer, uint32_t days,
			    const mbedtls_x509_time *not_after_max);

/* A sentence about an error of mbedtls, in `detail`; returns `status`. */
enum status ca_explain(enum status status, int error, const char *what,
		       char detail[REPORT_TEXT_BYTES]);
