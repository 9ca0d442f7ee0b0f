// SPDX-License-Identifier: MIT
#include "tools/holdfast/ca.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>

#include "base/bytes.h"
#include "tools/holdfast/ca_internal.h"
#include "tools/holdfast/host_crypto.h"
#include "tools/holdfast/whole_file.h"

#define SECONDS_PER_DAY ((time_t)86400)
/* Of a key or a certificate in PEM, with its terminator. */
#define PEM_BYTES_MAX (2u * CA_CERTIFICATE_BYTES_MAX)
#define MODE_PUBLIC   0644u
#define MODE_PRIVATE  0600u

void ca_init(struct ca *ca)
{
	memset(ca, 0, sizeof(*ca));
	mbedtls_pk_init(&ca->key);
	mbedtls_x509_crt_init(&ca->certificate);
}

void ca_close(struct ca *ca)
{
	mbedtls_pk_free(&ca->key);
	mbedtls_x509_crt_free(&ca->certificate);
	random_erase(&ca->random);
	ca_init(ca);
}

int ca_random(void *context, unsigned char *out, size_t size)
{
	return random_fill(context, out, size) == STATUS_OK ? 0 : MBEDTLS_ERR_ECP_RANDOM_FAILED;
}

enum status ca_explain(enum status status, int error, const char *what,
		       char detail[REPORT_TEXT_BYTES])
{
	char text[128];
	mbedtls_strerror(error, text, sizeof(text));
	(void)snprintf(detail, REPORT_TEXT_BYTES, "%s: %s.", what, text);
	return status;
}

static enum status note_error(struct report *report, enum status status, const char *subject,
			      const char *what, int error)
{
	char detail[REPORT_TEXT_BYTES];
	(void)ca_explain(status, error, what, detail);
	return report_note(report, status, subject, "%s", detail);
}

/* ---- What every certificate has ------------------------------------------------------------ */

enum status ca_set_serial(struct ca *ca, mbedtls_x509write_cert *writer)
{
	uint8_t bytes[CA_SERIAL_BYTES];
	mbedtls_mpi serial;
	enum status status = random_fill(&ca->random, bytes, sizeof(bytes));
	if (status != STATUS_OK) {
		return status;
	}
	bytes[0] = (uint8_t)((bytes[0] & 0x7Fu) | 0x40u); /* Positive, and never short. */
	mbedtls_mpi_init(&serial);
	const bool good = mbedtls_mpi_read_binary(&serial, bytes, sizeof(bytes)) == 0 &&
			  mbedtls_x509write_crt_set_serial(writer, &serial) == 0;
	mbedtls_mpi_free(&serial);
	return good ? STATUS_OK : STATUS_NO_MEMORY;
}

static bool time_text(time_t at, char out[CA_TIME_BYTES])
{
	struct tm parts;
	return gmtime_r(&at, &parts) != NULL &&
	       strftime(out, CA_TIME_BYTES, "%Y%m%d%H%M%S", &parts) == CA_TIME_BYTES - 1;
}

enum status ca_set_validity(mbedtls_x509write_cert *writer, uint32_t days,
			    const mbedtls_x509_time *not_after_max)
{
	const time_t now = time(NULL);
	char from[CA_TIME_BYTES];
	char to[CA_TIME_BYTES];
	char latest[2 * CA_TIME_BYTES + 64];
	if (!time_text(now, from) || !time_text(now + (time_t)days * SECONDS_PER_DAY, to)) {
		return STATUS_INVALID;
	}
	if (not_after_max != NULL) {
		(void)snprintf(latest, sizeof(latest), "%04d%02d%02d%02d%02d%02d",
			       not_after_max->year, not_after_max->mon, not_after_max->day,
			       not_after_max->hour, not_after_max->min, not_after_max->sec);
		if (strcmp(to, latest) > 0) {
			memcpy(to, latest, CA_TIME_BYTES - 1);
		}
	}
	return mbedtls_x509write_crt_set_validity(writer, from, to) == 0 ? STATUS_OK
									 : STATUS_INVALID;
}

static enum status start_random(struct ca *ca)
{
	return random_init(&ca->random, &host_entropy, NULL, 0);
}

/* ---- Making -------------------------------------------------------------------------------- */

static enum status make_key(struct ca *ca)
{
	int error = mbedtls_pk_setup(&ca->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (error == 0) {
		error = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP384R1, mbedtls_pk_ec(ca->key),
					    ca_random, &ca->random);
	}
	return error == 0 ? STATUS_OK : STATUS_NO_ENTROPY;
}

/* A root: it may sign certificates, but not other authorities. */
static enum status fill_root(struct ca *ca, mbedtls_x509write_cert *writer, const char *subject,
			     uint32_t days, struct report *report)
{
	mbedtls_x509write_crt_set_version(writer, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(writer, MBEDTLS_MD_SHA384);
	mbedtls_x509write_crt_set_subject_key(writer, &ca->key);
	mbedtls_x509write_crt_set_issuer_key(writer, &ca->key);
	int error = mbedtls_x509write_crt_set_subject_name(writer, subject);
	if (error == 0) {
		error = mbedtls_x509write_crt_set_issuer_name(writer, subject);
	}
	if (error != 0) {
		return note_error(report, STATUS_INVALID, subject,
				  "Not a name such as 'CN=Lab CA,O=Example'", error);
	}
	enum status status = ca_set_serial(ca, writer);
	if (status == STATUS_OK) {
		status = ca_set_validity(writer, days, NULL);
	}
	if (status != STATUS_OK) {
		return status;
	}
	error = mbedtls_x509write_crt_set_basic_constraints(writer, 1, 0);
	if (error == 0) {
		error = mbedtls_x509write_crt_set_key_usage(
			writer, MBEDTLS_X509_KU_KEY_CERT_SIGN | MBEDTLS_X509_KU_CRL_SIGN);
	}
	if (error == 0) {
		error = mbedtls_x509write_crt_set_subject_key_identifier(writer);
	}
	if (error == 0) {
		error = mbedtls_x509write_crt_set_authority_key_identifier(writer);
	}
	return error == 0 ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status make_root(struct ca *ca, const char *subject, uint32_t days, char *pem,
			     struct report *report)
{
	mbedtls_x509write_cert writer;
	mbedtls_x509write_crt_init(&writer);
	enum status status = fill_root(ca, &writer, subject, days, report);
	if (status == STATUS_OK) {
		const int error = mbedtls_x509write_crt_pem(&writer, (unsigned char *)pem,
							    PEM_BYTES_MAX, ca_random, &ca->random);
		if (error != 0) {
			status = note_error(report, STATUS_TOO_LARGE, subject,
					    "Cannot write the certificate", error);
		}
	}
	mbedtls_x509write_crt_free(&writer);
	return status;
}

/* How many attributes a name is meant to have: commas that are not escaped part them. */
static size_t count_parts(const char *subject)
{
	size_t count = 1;
	for (const char *at = subject; *at != '\0'; at++) {
		if (*at == '\\' && at[1] != '\0') {
			at++;
		} else if (*at == ',') {
			count++;
		}
	}
	return count;
}

/* The library's parser of names takes a text without any attribute for an empty name, and of two
 * attributes of one kind keeps one. */
static enum status check_name(const char *certificate, const char *subject, struct report *report)
{
	mbedtls_x509_crt parsed;
	mbedtls_x509_crt_init(&parsed);
	bool good = mbedtls_x509_crt_parse(&parsed, (const unsigned char *)certificate,
					   strlen(certificate) + 1) == 0;
	size_t count = 0;
	for (const mbedtls_x509_name *part = &parsed.subject; good && part != NULL;
	     part = part->next) {
		good = part->oid.len > 0 && part->val.len > 0;
		count++;
	}
	mbedtls_x509_crt_free(&parsed);
	return good && count == count_parts(subject)
		       ? STATUS_OK
		       : report_note(report, STATUS_INVALID, subject,
				     "Not a name such as 'CN=Lab CA,O=Example', with each "
				     "attribute once.");
}

/* Never in the place of another: a key that is lost cannot be made again. */
static enum status publish_both(struct ca *ca, const char *folder, const char *certificate,
				struct report *report)
{
	char key[PEM_BYTES_MAX];
	char *key_path = NULL;
	char *certificate_path = NULL;
	enum status status = whole_file_path(folder, CA_KEY_FILE, &key_path);
	if (status == STATUS_OK) {
		status = whole_file_path(folder, CA_CERTIFICATE_FILE, &certificate_path);
	}
	if (status == STATUS_OK &&
	    mbedtls_pk_write_key_pem(&ca->key, (unsigned char *)key, sizeof(key)) != 0) {
		status = STATUS_NO_MEMORY;
	}
	if (status == STATUS_OK && access(certificate_path, F_OK) == 0) {
		status = report_note(report, STATUS_EXISTS, certificate_path,
				     "An authority is here already; choose another folder.");
	}
	if (status == STATUS_OK) {
		status = whole_file_write(key_path, (const uint8_t *)key, strlen(key), MODE_PRIVATE,
					  false, report);
	}
	if (status == STATUS_OK) {
		status = whole_file_write(certificate_path, (const uint8_t *)certificate,
					  strlen(certificate), MODE_PUBLIC, false, report);
	}
	secure_zero(key, sizeof(key));
	free(key_path);
	free(certificate_path);
	return status;
}

enum status ca_create(struct ca *ca, const char *folder, const char *subject, uint32_t days,
		      struct report *report)
{
	char certificate[PEM_BYTES_MAX];
	enum status status = start_random(ca);
	if (status == STATUS_OK) {
		status = make_key(ca);
	}
	if (status == STATUS_OK) {
		status = make_root(ca, subject, days, certificate, report);
	}
	if (status == STATUS_OK) {
		status = check_name(certificate, subject, report);
	}
	if (status == STATUS_OK && mkdir(folder, S_IRWXU) != 0 && errno != EEXIST) {
		status = report_note(report, STATUS_IO, folder, "Cannot create: %s.",
				     strerror(errno));
	}
	return status == STATUS_OK ? publish_both(ca, folder, certificate, report) : status;
}

/* ---- Opening ------------------------------------------------------------------------------- */

/* mbedtls takes PEM with its terminator. */
static enum status read_pem(const char *path, char pem[PEM_BYTES_MAX], size_t *size,
			    struct report *report)
{
	*size = 0;
	enum status status = whole_file_read(path, (uint8_t *)pem, PEM_BYTES_MAX - 1, size,
					     STATUS_NO_KEY, report);
	pem[*size] = '\0';
	*size += 1;
	return status;
}

static enum status read_key(struct ca *ca, const char *path, struct report *report)
{
	char pem[PEM_BYTES_MAX];
	size_t size = 0;
	enum status status = read_pem(path, pem, &size, report);
	if (status == STATUS_OK) {
		const int error =
			mbedtls_pk_parse_key(&ca->key, (const unsigned char *)pem, size, NULL, 0);
		if (error != 0) {
			status =
				note_error(report, STATUS_NO_KEY, path, "Not a private key", error);
		}
	}
	secure_zero(pem, sizeof(pem));
	return status;
}

static enum status read_certificate(struct ca *ca, const char *path, struct report *report)
{
	char pem[PEM_BYTES_MAX];
	size_t size = 0;
	enum status status = read_pem(path, pem, &size, report);
	if (status != STATUS_OK) {
		return status;
	}
	const int error =
		mbedtls_x509_crt_parse(&ca->certificate, (const unsigned char *)pem, size);
	return error == 0 ? STATUS_OK
			  : note_error(report, STATUS_NO_KEY, path, "Not a certificate", error);
}

static enum status judge(struct ca *ca, const char *folder, struct report *report)
{
	const mbedtls_x509_crt *certificate = &ca->certificate;
	if (mbedtls_pk_check_pair(&certificate->pk, &ca->key) != 0) {
		return report_note(report, STATUS_NO_KEY, folder,
				   "The key is not the certificate's.");
	}
	if (certificate->ca_istrue == 0 ||
	    mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_KEY_CERT_SIGN) != 0) {
		return report_note(report, STATUS_INVALID, folder,
				   "The certificate is not an authority's.");
	}
	if (mbedtls_x509_time_is_past(&certificate->valid_to) != 0 ||
	    mbedtls_x509_time_is_future(&certificate->valid_from) != 0) {
		return report_note(report, STATUS_INVALID, folder,
				   "The certificate is not valid now; make a new authority.");
	}
	return STATUS_OK;
}

enum status ca_open(struct ca *ca, const char *folder, struct report *report)
{
	char *path = NULL;
	enum status status = start_random(ca);
	if (status == STATUS_OK) {
		status = whole_file_path(folder, CA_KEY_FILE, &path);
	}
	if (status == STATUS_OK) {
		status = read_key(ca, path, report);
		free(path);
		path = NULL;
	}
	if (status == STATUS_OK) {
		status = whole_file_path(folder, CA_CERTIFICATE_FILE, &path);
	}
	if (status == STATUS_OK) {
		status = read_certificate(ca, path, report);
		free(path);
	}
	return status == STATUS_OK ? judge(ca, folder, report) : status;
}
