// SPDX-License-Identifier: MIT
/* Check everything, then copy: the first pass proves that each byte is ring 3's, the second cannot
 * fail. Both walk the tables; nothing is remembered between them, since ranges have no limit. The
 * caller keeps the address space from changing in between (one kernel thread a process). */
#include "mm/user_copy.h"

#include <string.h>

#include "base/check.h"

/*@ requires \valid_read(space) && at % PAGE_BYTES == 0;
    assigns \nothing;
    ensures \result == STATUS_OK ==> page_is_user(space, at, for_writing ? 1 : 0);
    ensures \result == STATUS_OK || \result == STATUS_BAD_USER; */
static enum status check_page(const struct user_space *space, uint64_t at, bool for_writing)
{
	struct page_mapping mapping;
	if (page_table_lookup(space->table, at, &mapping) != STATUS_OK) {
		return STATUS_BAD_USER;
	}
	if (!mapping.access.user || (for_writing && !mapping.access.writable)) {
		return STATUS_BAD_USER;
	}
	return STATUS_OK;
}

enum status user_range_check(const struct user_space *space, struct user_addr first,
			     size_t size_bytes, bool for_writing)
{
	if (size_bytes == 0) {
		return STATUS_OK; /* No byte of it can be wrong, wherever it points. */
	}
	if (!addr_within(first.raw, size_bytes, PAGE_TABLE_USER_END)) {
		return STATUS_BAD_USER;
	}
	const uint64_t end = first.raw + size_bytes;
	/*@ loop invariant at % PAGE_BYTES == 0 && at < end + PAGE_BYTES;
	    loop invariant first.raw < at + PAGE_BYTES;
	    loop invariant range_is_user(space, first.raw, at, for_writing ? 1 : 0);
	    loop assigns at;
	    loop variant end - at; */
	for (uint64_t at = addr_page_floor(first.raw); at < end; at += PAGE_BYTES) {
		const enum status status = check_page(space, at, for_writing);
		if (status != STATUS_OK) {
			return status;
		}
	}
	return STATUS_OK;
}

/* The kernel's view of the bytes at `at` that lie in one page, at most `limit_bytes` of them. */
struct piece {
	uint8_t *bytes;
	size_t size_bytes;
};

static struct piece piece_at(const struct user_space *space, uint64_t at, size_t limit_bytes)
{
	struct page_mapping mapping;
	CHECK(page_table_lookup(space->table, at, &mapping) == STATUS_OK);
	const size_t left_in_page = PAGE_BYTES - (size_t)(at % PAGE_BYTES);
	const struct direct_map_port *port = space->direct_map;
	return (struct piece){
		.bytes = port->pointer(port->context, mapping.at),
		.size_bytes = left_in_page < limit_bytes ? left_in_page : limit_bytes,
	};
}

enum status user_copy_in(const struct user_space *space, void *to, struct user_addr from,
			 size_t size_bytes)
{
	const enum status status = user_range_check(space, from, size_bytes, false);
	if (status != STATUS_OK) {
		return status;
	}
	uint8_t *out = to;
	for (size_t done = 0; done < size_bytes;) {
		const struct piece piece = piece_at(space, from.raw + done, size_bytes - done);
		memcpy(out + done, piece.bytes, piece.size_bytes);
		done += piece.size_bytes;
	}
	return STATUS_OK;
}

enum status user_copy_out(const struct user_space *space, struct user_addr to, const void *from,
			  size_t size_bytes)
{
	const enum status status = user_range_check(space, to, size_bytes, true);
	if (status != STATUS_OK) {
		return status;
	}
	const uint8_t *in = from;
	for (size_t done = 0; done < size_bytes;) {
		const struct piece piece = piece_at(space, to.raw + done, size_bytes - done);
		memcpy(piece.bytes, in + done, piece.size_bytes);
		done += piece.size_bytes;
	}
	return STATUS_OK;
}

enum status user_zero(const struct user_space *space, struct user_addr to, size_t size_bytes)
{
	const enum status status = user_range_check(space, to, size_bytes, true);
	if (status != STATUS_OK) {
		return status;
	}
	for (size_t done = 0; done < size_bytes;) {
		const struct piece piece = piece_at(space, to.raw + done, size_bytes - done);
		memset(piece.bytes, 0, piece.size_bytes);
		done += piece.size_bytes;
	}
	return STATUS_OK;
}

/* Length of the string within its first `limit_bytes` bytes. Pages after the terminator are never
 * looked at: a string may end right before an unmapped page. */
static enum status string_length(const struct user_space *space, struct user_addr from,
				 size_t limit_bytes, size_t *length)
{
	for (size_t done = 0; done < limit_bytes;) {
		const struct user_addr at = {from.raw + done};
		const enum status status = user_range_check(space, at, 1, false);
		if (status != STATUS_OK) {
			return status;
		}
		const struct piece piece = piece_at(space, at.raw, limit_bytes - done);
		for (size_t i = 0; i < piece.size_bytes; i++) {
			if (piece.bytes[i] == 0) {
				*length = done + i;
				return STATUS_OK;
			}
		}
		done += piece.size_bytes;
	}
	return STATUS_TOO_LARGE;
}

enum status user_copy_string(const struct user_space *space, char *to, size_t size_bytes,
			     struct user_addr from)
{
	size_t length = 0;
	if (size_bytes == 0) {
		return STATUS_INVALID;
	}
	enum status status = string_length(space, from, size_bytes, &length);
	if (status != STATUS_OK) {
		return status;
	}
	status = user_copy_in(space, to, from, length);
	if (status != STATUS_OK) {
		return status;
	}
	to[length] = '\0';
	return STATUS_OK;
}
