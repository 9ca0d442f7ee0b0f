// SPDX-License-Identifier: MIT
/* ca_issue(): an EK certificate, TCG EK Credential Profile for TPM Family 2.0, section 3.
 *
 *   subject                   empty; what there is to say is in the alternative name
 *   subjectAltName            critical; one directoryName: manufacturer, model, version
 *   basicConstraints          critical; not an authority
 *   keyUsage                  critical; keyEncipherment for RSA, keyAgreement for ECC
 *   extKeyUsage               tcg-kp-EKCertificate
 *   subjectDirectoryAttributes the TPM specification: family, level, revision
 *   authorityKeyIdentifier */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <mbedtls/asn1write.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/rsa.h>

#include "tools/holdfast/ca_internal.h"

/* 2.23.133: joint-iso-itu-t(2) international-organizations(23) tcg(133). */
#define OID_TCG               "\x67\x81\x05"
#define OID_TPM_MANUFACTURER  OID_TCG "\x02\x01"
#define OID_TPM_MODEL         OID_TCG "\x02\x02"
#define OID_TPM_VERSION       OID_TCG "\x02\x03"
#define OID_TPM_SPECIFICATION OID_TCG "\x02\x10"
#define OID_EK_CERTIFICATE    OID_TCG "\x08\x01"
/* id-ce-subjectDirectoryAttributes, 2.5.29.9. */
#define OID_DIRECTORY       "\x55\x1D\x09"

#define EXTENSION_BYTES_MAX 256u
#define NAME_BYTES_MAX      4096u
#define RSA_EXPONENT        65537

/* DER is written from its end to its beginning: `at` moves down. The first error stays. */
struct der {
	uint8_t bytes[EXTENSION_BYTES_MAX];
	unsigned char *at;
	int error;
};

static void der_init(struct der *der)
{
	der->at = der->bytes + sizeof(der->bytes);
	der->error = 0;
}

static size_t der_size(const struct der *der)
{
	return (size_t)(der->bytes + sizeof(der->bytes) - der->at);
}

static void der_keep(struct der *der, int written)
{
	if (written < 0 && der->error == 0) {
		der->error = written;
	}
}

/* Wrap all that was written since `size_before` bytes were there. */
static void der_wrap(struct der *der, size_t size_before, unsigned char tag)
{
	der_keep(der, mbedtls_asn1_write_len(&der->at, der->bytes, der_size(der) - size_before));
	der_keep(der, mbedtls_asn1_write_tag(&der->at, der->bytes, tag));
}

static void der_sequence(struct der *der, size_t size_before)
{
	der_wrap(der, size_before, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE);
}

static void der_set(struct der *der, size_t size_before)
{
	der_wrap(der, size_before, MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SET);
}

static void der_oid(struct der *der, const char *oid)
{
	der_keep(der, mbedtls_asn1_write_oid(&der->at, der->bytes, oid, strlen(oid)));
}

static void der_text(struct der *der, const char *text)
{
	der_keep(der, mbedtls_asn1_write_utf8_string(&der->at, der->bytes, text, strlen(text)));
}

static enum status add_extension(mbedtls_x509write_cert *writer, const char *oid, bool critical,
				 const struct der *der)
{
	if (der->error != 0) {
		return STATUS_TOO_LARGE;
	}
	return mbedtls_x509write_crt_set_extension(writer, oid, strlen(oid), critical ? 1 : 0,
						   der->at, der_size(der)) == 0
		       ? STATUS_OK
		       : STATUS_NO_MEMORY;
}

/* ---- Extensions ---------------------------------------------------------------------------- */

/* RelativeDistinguishedName ::= SET OF AttributeTypeAndValue, here of one. */
static void write_name_part(struct der *der, const char *oid, const char *text)
{
	const size_t before = der_size(der);
	der_text(der, text);
	der_oid(der, oid);
	der_sequence(der, before);
	der_set(der, before);
}

/* GeneralNames ::= SEQUENCE OF GeneralName, here of one directoryName, [4] EXPLICIT Name. */
static enum status add_alternative_name(mbedtls_x509write_cert *writer,
					const struct provision_identity *identity)
{
	char manufacturer[16];
	char version[16];
	struct der der;
	der_init(&der);
	(void)snprintf(manufacturer, sizeof(manufacturer), "id:%08" PRIX32, identity->manufacturer);
	(void)snprintf(version, sizeof(version), "id:%08" PRIX32, identity->firmware_version);
	write_name_part(&der, OID_TPM_VERSION, version);
	write_name_part(&der, OID_TPM_MODEL, identity->model);
	write_name_part(&der, OID_TPM_MANUFACTURER, manufacturer);
	der_sequence(&der, 0);
	der_wrap(&der, 0, MBEDTLS_ASN1_CONTEXT_SPECIFIC | MBEDTLS_ASN1_CONSTRUCTED | 4);
	der_sequence(&der, 0);
	return add_extension(writer, MBEDTLS_OID_SUBJECT_ALT_NAME, true, &der);
}

/* SEQUENCE OF Attribute, here of one: TPMSpecification ::= SEQUENCE { family, level, revision }. */
static enum status add_specification(mbedtls_x509write_cert *writer,
				     const struct provision_identity *identity)
{
	struct der der;
	der_init(&der);
	der_keep(&der, mbedtls_asn1_write_int(&der.at, der.bytes, (int)identity->revision));
	der_keep(&der, mbedtls_asn1_write_int(&der.at, der.bytes, (int)identity->level));
	der_text(&der, identity->family);
	der_sequence(&der, 0);
	der_set(&der, 0);
	der_oid(&der, OID_TPM_SPECIFICATION);
	der_sequence(&der, 0);
	der_sequence(&der, 0);
	return add_extension(writer, OID_DIRECTORY, false, &der);
}

static enum status add_key_purpose(mbedtls_x509write_cert *writer)
{
	struct der der;
	der_init(&der);
	der_oid(&der, OID_EK_CERTIFICATE);
	der_sequence(&der, 0);
	return add_extension(writer, MBEDTLS_OID_EXTENDED_KEY_USAGE, false, &der);
}

/* The library's own function would not mark it critical. */
static enum status add_constraints(mbedtls_x509write_cert *writer)
{
	struct der der;
	der_init(&der);
	der_sequence(&der, 0); /* cA: the default, FALSE, is left out. */
	return add_extension(writer, MBEDTLS_OID_BASIC_CONSTRAINTS, true, &der);
}

static enum status add_extensions(mbedtls_x509write_cert *writer, enum provision_key key,
				  const struct provision_identity *identity)
{
	const unsigned int usage = key == PROVISION_EK_RSA2048 ? MBEDTLS_X509_KU_KEY_ENCIPHERMENT
							       : MBEDTLS_X509_KU_KEY_AGREEMENT;
	enum status status = add_alternative_name(writer, identity);
	if (status == STATUS_OK) {
		status = add_key_purpose(writer);
	}
	if (status == STATUS_OK) {
		status = add_specification(writer, identity);
	}
	if (status == STATUS_OK) {
		status = add_constraints(writer);
	}
	if (status != STATUS_OK) {
		return status;
	}
	int error = mbedtls_x509write_crt_set_key_usage(writer, usage);
	if (error == 0) {
		error = mbedtls_x509write_crt_set_authority_key_identifier(writer);
	}
	return error == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

/* ---- The key that is certified ------------------------------------------------------------- */

static int rsa_from(const struct provision_public *public, mbedtls_pk_context *key)
{
	static const unsigned char exponent[] = {RSA_EXPONENT >> 16, RSA_EXPONENT >> 8 & 0xFF,
						 RSA_EXPONENT & 0xFF};
	int error = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA));
	if (error == 0) {
		mbedtls_rsa_context *rsa = mbedtls_pk_rsa(*key);
		error = mbedtls_rsa_import_raw(rsa, public->unique[0], public->unique_bytes, NULL,
					       0, NULL, 0, NULL, 0, exponent, sizeof(exponent));
		if (error == 0) {
			error = mbedtls_rsa_complete(rsa);
		}
		if (error == 0) {
			error = mbedtls_rsa_check_pubkey(rsa);
		}
	}
	return error;
}

static int ecc_from(const struct provision_public *public, mbedtls_pk_context *key)
{
	uint8_t point[1 + 2 * PROVISION_P384_BYTES] = {0x04}; /* Uncompressed (SEC 1, 2.3.3). */
	memcpy(point + 1, public->unique[0], PROVISION_P384_BYTES);
	memcpy(point + 1 + PROVISION_P384_BYTES, public->unique[1], PROVISION_P384_BYTES);
	int error = mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (error == 0) {
		mbedtls_ecp_keypair *pair = mbedtls_pk_ec(*key);
		error = mbedtls_ecp_group_load(&pair->grp, MBEDTLS_ECP_DP_SECP384R1);
		if (error == 0) {
			error = mbedtls_ecp_point_read_binary(&pair->grp, &pair->Q, point,
							      sizeof(point));
		}
		if (error == 0) {
			error = mbedtls_ecp_check_pubkey(&pair->grp, &pair->Q);
		}
	}
	return error;
}

static enum status subject_key(const struct provision_public *public, mbedtls_pk_context *key,
			       char detail[REPORT_TEXT_BYTES])
{
	const int error =
		public->key == PROVISION_EK_RSA2048 ? rsa_from(public, key) : ecc_from(public, key);
	return error == 0 ? STATUS_OK
			  : ca_explain(STATUS_INVALID, error, "Not a public key", detail);
}

/* ---- Signing ------------------------------------------------------------------------------- */

static enum status name_issuer(struct ca *ca, mbedtls_x509write_cert *writer,
			       char detail[REPORT_TEXT_BYTES])
{
	char name[NAME_BYTES_MAX];
	int error = mbedtls_x509_dn_gets(name, sizeof(name), &ca->certificate.subject);
	if (error > 0) {
		error = mbedtls_x509write_crt_set_issuer_name(writer, name);
	}
	return error == 0 ? STATUS_OK
			  : ca_explain(STATUS_INVALID, error, "The authority's name", detail);
}

static enum status fill(struct ca *ca, mbedtls_x509write_cert *writer, mbedtls_pk_context *key,
			uint32_t days, char detail[REPORT_TEXT_BYTES])
{
	mbedtls_x509write_crt_set_version(writer, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(writer, MBEDTLS_MD_SHA384);
	mbedtls_x509write_crt_set_subject_key(writer, key);
	mbedtls_x509write_crt_set_issuer_key(writer, &ca->key);
	enum status status = name_issuer(ca, writer, detail);
	if (status == STATUS_OK) {
		status = ca_set_serial(ca, writer);
	}
	return status == STATUS_OK ? ca_set_validity(writer, days, &ca->certificate.valid_to)
				   : status;
}

/* What was written is read and verified as a stranger would, with the authority's certificate
 * alone. An authority of somebody else's making may have a name that this library writes otherwise
 * than it was; such a certificate would verify nowhere. */
static enum status verify(struct ca *ca, const uint8_t *der, size_t der_bytes,
			  char detail[REPORT_TEXT_BYTES])
{
	mbedtls_x509_crt certificate;
	uint32_t flags = 0;
	mbedtls_x509_crt_init(&certificate);
	int error = mbedtls_x509_crt_parse_der(&certificate, der, der_bytes);
	if (error == 0) {
		error = mbedtls_x509_crt_verify(&certificate, &ca->certificate, NULL, NULL, &flags,
						NULL, NULL);
	}
	mbedtls_x509_crt_free(&certificate);
	return error == 0
		       ? STATUS_OK
		       : ca_explain(STATUS_INVALID, error,
				    "The certificate does not verify with the authority's", detail);
}

static enum status sign(struct ca *ca, mbedtls_x509write_cert *writer, uint8_t *der,
			size_t *der_bytes, char detail[REPORT_TEXT_BYTES])
{
	/* The library writes at the end of the buffer. */
	const int size = mbedtls_x509write_crt_der(writer, der, CA_CERTIFICATE_BYTES_MAX, ca_random,
						   &ca->random);
	if (size < 0) {
		return ca_explain(STATUS_TOO_LARGE, size, "Cannot write the certificate", detail);
	}
	memmove(der, der + CA_CERTIFICATE_BYTES_MAX - (size_t)size, (size_t)size);
	*der_bytes = (size_t)size;
	return verify(ca, der, *der_bytes, detail);
}

enum status ca_issue(struct ca *ca, const struct provision_public *public,
		     const struct provision_identity *identity, uint32_t days,
		     uint8_t der[CA_CERTIFICATE_BYTES_MAX], size_t *der_bytes,
		     char detail[REPORT_TEXT_BYTES])
{
	mbedtls_x509write_cert writer;
	mbedtls_pk_context key;
	mbedtls_pk_init(&key);
	mbedtls_x509write_crt_init(&writer);
	enum status status = subject_key(public, &key, detail);
	if (status == STATUS_OK) {
		status = fill(ca, &writer, &key, days, detail);
	}
	if (status == STATUS_OK) {
		status = add_extensions(&writer, public->key, identity);
	}
	if (status == STATUS_OK) {
		status = sign(ca, &writer, der, der_bytes, detail);
	}
	mbedtls_x509write_crt_free(&writer);
	mbedtls_pk_free(&key);
	return status;
}
