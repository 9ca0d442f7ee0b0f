// SPDX-License-Identifier: MIT
#include "base/status.h"

/* One row per value. The switch below has no default, so a value without a row does not compile. */
struct status_text {
	const char *name;
	const char *advice;
};

static struct status_text text_of(enum status status)
{
	switch (status) {
	case STATUS_OK: return (struct status_text){"OK", "Nothing is wrong."};
	case STATUS_AGAIN:
		return (struct status_text){"AGAIN", "Nothing to report yet; ask again."};
	case STATUS_NOT_FOUND: return (struct status_text){"NOT_FOUND", "There is no such object."};
	case STATUS_EXISTS:
		return (struct status_text){"EXISTS", "It is already there; choose another name."};
	case STATUS_NO_MEMORY: return (struct status_text){"NO_MEMORY", "Give the VM more memory."};
	case STATUS_NO_SPACE:
		return (struct status_text){"NO_SPACE", "The volume is full; use a larger one."};
	case STATUS_TOO_LARGE:
		return (struct status_text){"TOO_LARGE",
					    "The request is above a documented limit."};
	case STATUS_BUSY:
		return (struct status_text){"BUSY", "Somebody else holds it; try again later."};
	case STATUS_LIMIT:
		return (struct status_text){"LIMIT",
					    "A counter or the number of attempts is used up."};
	case STATUS_INVALID:
		return (struct status_text){"INVALID",
					    "The caller passed an argument it must not."};
	case STATUS_BAD_HOST:
		return (struct status_text){"BAD_HOST",
					    "The host or its device lied; do not trust this host."};
	case STATUS_BAD_GUEST:
		return (struct status_text){"BAD_GUEST", "The guest passed an invalid request."};
	case STATUS_BAD_USER:
		return (struct status_text){"BAD_USER", "A ring-3 service passed a bad argument."};
	case STATUS_BAD_CONFIG:
		return (struct status_text){
			"BAD_CONFIG", "The command line, bundle or configuration is malformed."};
	case STATUS_IO:
		return (struct status_text){"IO", "The device reported an error; check the disk."};
	case STATUS_TIMEOUT:
		return (struct status_text){"TIMEOUT", "The device did not answer in time."};
	case STATUS_NO_DEVICE:
		return (struct status_text){"NO_DEVICE",
					    "Attach the missing device; for state, the disk."};
	case STATUS_NO_FLUSH:
		return (struct status_text){
			"NO_FLUSH", "The disk offers no FLUSH; nothing on it could be durable."};
	case STATUS_READ_ONLY:
		return (struct status_text){"READ_ONLY", "Attach the disk writable."};
	case STATUS_UNSUPPORTED:
		return (struct status_text){"UNSUPPORTED", "This is known but not offered here."};
	case STATUS_NO_ENTROPY:
		return (struct status_text){
			"NO_ENTROPY", "The CPU has no healthy RDRAND or RDSEED; use another."};
	case STATUS_NOT_A_VOLUME:
		return (struct status_text){
			"NOT_A_VOLUME",
			"No volume is on this disk; make one with 'holdfast image create'."};
	case STATUS_NEWER_FORMAT:
		return (struct status_text){"NEWER_FORMAT",
					    "A newer version wrote this volume; update Holdfast."};
	case STATUS_WRONG_KEY:
		return (struct status_text){"WRONG_KEY",
					    "This key opens no keyslot of the volume."};
	case STATUS_NO_KEY: return (struct status_text){"NO_KEY", "Supply a key of 32 bytes."};
	case STATUS_AUTH_DATA:
		return (struct status_text){"AUTH_DATA",
					    "A data block fails authentication; restore a backup."};
	case STATUS_AUTH_META:
		return (struct status_text){"AUTH_META",
					    "Metadata fails authentication; restore a backup."};
	case STATUS_TAMPER:
		return (struct status_text){
			"TAMPER", "Acknowledged history is missing; somebody changed the disk."};
	case STATUS_ROLLBACK:
		return (struct status_text){"ROLLBACK",
					    "The disk is older than the witness remembers."};
	case STATUS_FORK:
		return (struct status_text){"FORK",
					    "The disk holds another history than the witness."};
	case STATUS_UNANCHORED:
		return (struct status_text){"UNANCHORED", "The freshness witness cannot be asked."};
	case STATUS_DUPLICATE_VOLUME:
		return (struct status_text){"DUPLICATE_VOLUME",
					    "Two disks carry the same volume; detach one of them."};
	case STATUS_TRUNCATED:
		return (struct status_text){"TRUNCATED",
					    "The disk is smaller than the volume on it."};
	case STATUS_FAULTED:
		return (struct status_text){"FAULTED", "A service crashed; see the log."};
	case STATUS_NOT_ENROLLED:
		return (struct status_text){
			"NOT_ENROLLED",
			"The witness does not know this volume; see 'holdfast witness init'."};
	case STATUS_AUTH_FAILED:
		return (struct status_text){"AUTH_FAILED", "An authentication tag does not match."};
	}
	return (struct status_text){"UNKNOWN", "This is a defect of Holdfast."};
}

const char *status_name(enum status status)
{
	return text_of(status).name;
}

const char *status_advice(enum status status)
{
	return text_of(status).advice;
}
