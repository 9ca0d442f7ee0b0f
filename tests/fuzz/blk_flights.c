// SPDX-License-Identifier: MIT
/* Requests in flight, each with memory of its own. */
#include "tests/fuzz/blk_user.h"

/* Kinds from here on are in place. */
#define IN_PLACE_FROM 0x80u

static uint8_t flight_bytes[BLK_USER_FLIGHTS][BLK_MODEL_TRANSFER_MAX * BLOCK_BYTES];

/* Two requests for one block, one of them a write, have no order. */
static bool overlaps(const struct block_request *request)
{
	for (size_t i = 0; i < BLK_USER_FLIGHTS; i++) {
		const struct block_request *other = &blk_user.flights[i].request;
		if (blk_user.flights[i].in_flight &&
		    request->first.n < other->first.n + other->count.n &&
		    other->first.n < request->first.n + request->count.n &&
		    (request->kind != BLOCK_REQUEST_READ || other->kind != BLOCK_REQUEST_READ)) {
			return true;
		}
	}
	return false;
}

/* What the device refuses to take, and why. */
static enum status refusal(const struct block_request *request)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	const bool changes =
		request->kind == BLOCK_REQUEST_WRITE || request->kind == BLOCK_REQUEST_DISCARD;
	if (device->queue == NULL) {
		return STATUS_UNSUPPORTED;
	}
	if (request->kind == BLOCK_REQUEST_FLUSH && !device->has_flush) {
		return STATUS_NO_FLUSH;
	}
	if (changes && device->read_only) {
		return STATUS_READ_ONLY;
	}
	if (request->kind != BLOCK_REQUEST_FLUSH &&
	    !addr_within(request->first.n, request->count.n, device->capacity.n)) {
		return STATUS_INVALID;
	}
	if (request->kind == BLOCK_REQUEST_DISCARD && blk_driver.discard_blocks_max == 0) {
		return STATUS_UNSUPPORTED;
	}
	if (blk_user.dead) {
		return STATUS_BAD_HOST;
	}
	return STATUS_OK;
}

/* What virtio_blk_submit_in_place() refuses, and why. A device that was given up has no loan. */
static enum status place_refusal(const struct blk_flight *flight)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	const struct block_request *request = &flight->request;
	if (request->kind != BLOCK_REQUEST_READ && request->kind != BLOCK_REQUEST_WRITE) {
		return STATUS_INVALID;
	}
	if (request->kind == BLOCK_REQUEST_WRITE && device->read_only) {
		return STATUS_READ_ONLY;
	}
	if (!addr_within(request->first.n, request->count.n, device->capacity.n) ||
	    flight->place_offset % BLOCK_BYTES != 0 ||
	    flight->place_offset / BLOCK_BYTES >= BLK_USER_LENT_PAGES ||
	    request->count.n > BLK_USER_LENT_PAGES - flight->place_offset / BLOCK_BYTES ||
	    virtio_blk_lent_bytes(&blk_driver) == 0) {
		return STATUS_INVALID;
	}
	return STATUS_OK;
}

/* ---- The loan ----------------------------------------------------------------------------------
 */

/* Is [at, at + size) of the loan what this request has of it? */
static bool place_holds(const struct blk_flight *flight, size_t at, size_t size)
{
	return flight->in_place && at >= flight->place_offset &&
	       addr_within(at - flight->place_offset, size, flight->request.count.n * BLOCK_BYTES);
}

/* The driver submits a part of the loan: some request put its data there, going that way. */
static bool loan_is_used(size_t at, size_t size, bool device_writes)
{
	for (size_t i = 0; i < BLK_USER_FLIGHTS; i++) {
		const struct blk_flight *flight = &blk_user.flights[i];
		if (at >= hostile.loan_at && flight->in_flight &&
		    place_holds(flight, at - hostile.loan_at, size) &&
		    device_writes == (flight->request.kind == BLOCK_REQUEST_READ)) {
			return true;
		}
	}
	return false;
}

void blk_user_loan_begin(void)
{
	const size_t size = virtio_blk_lent_bytes(&blk_driver);
	FUZZ_REQUIRE(size == (blk_user.dead ? 0 : BLK_USER_LENT_PAGES * PAGE_BYTES));
	hostile.loan_bytes = size;
	hostile.loan_at = size > 0 ? hostile_offset(blk_driver.lent.at.raw) : 0;
	hostile.loan_is_used = loan_is_used;
}

/* Two requests with one page of the loan, one of which fills it, have no order either. */
static bool places_overlap(const struct blk_flight *flight)
{
	for (size_t i = 0; i < BLK_USER_FLIGHTS; i++) {
		const struct blk_flight *other = &blk_user.flights[i];
		if (other->in_flight && other->in_place &&
		    other->place_offset <
			    flight->place_offset + flight->request.count.n * BLOCK_BYTES &&
		    flight->place_offset <
			    other->place_offset + other->request.count.n * BLOCK_BYTES) {
			return true;
		}
	}
	return false;
}

/* The first bytes of each block are its tag; the rest is what lies there. */
static void place_fill(const struct blk_flight *flight)
{
	hostile.user_stores = true;
	for (uint64_t i = 0; i < flight->request.count.n; i++) {
		virtio_blk_lent_store(&blk_driver, flight->place_offset + i * BLOCK_BYTES,
				      flight->tag * (uint64_t)0x0101010101010101u);
	}
	hostile.user_stores = false;
}

/* An offset is mostly a page, of which some are none; or it is odd, or enormous. */
static size_t place_from(struct fuzz_input *input)
{
	const uint8_t choice = fuzz_u8(input);
	const size_t page = choice % (BLK_USER_LENT_PAGES + 2);
	if (choice >= 0xf8) {
		return page * BLOCK_BYTES - BLOCK_BYTES;
	}
	return page * BLOCK_BYTES + (choice >= 0xf0 ? BLOCK_BYTES / 8 : 0);
}

/* ---- Submit ------------------------------------------------------------------------------------
 */

/* The request's memory ends where the array does. */
static void flight_prepare(struct blk_flight *flight, struct fuzz_input *input)
{
	static const enum block_request_kind kinds[] = {BLOCK_REQUEST_READ, BLOCK_REQUEST_WRITE,
							BLOCK_REQUEST_FLUSH, BLOCK_REQUEST_DISCARD};
	const size_t which = (size_t)(flight - blk_user.flights);
	const uint64_t first = blk_user_first(input);
	const uint8_t choice = fuzz_u8(input);
	const enum block_request_kind kind = kinds[choice % 4];
	const uint64_t count = kind == BLOCK_REQUEST_FLUSH ? 0 : blk_user_count(input);
	uint8_t *bytes = flight_bytes[which] + sizeof(flight_bytes[which]) - count * BLOCK_BYTES;
	flight->in_place = choice >= IN_PLACE_FROM;
	flight->place_offset = flight->in_place ? place_from(input) : 0;
	flight->request = (struct block_request){
		.kind = kind,
		.status = STATUS_AGAIN,
		.first = {first},
		.count = {count},
		.bytes = flight->in_place ? NULL : bytes,
		.owner = flight,
	};
	if (kind == BLOCK_REQUEST_WRITE) {
		flight->tag = blk_user_tag_next();
		for (uint64_t i = 0; i < count && !flight->in_place; i++) {
			blk_model_content(flight->tag, first + i, bytes + i * BLOCK_BYTES);
		}
	}
}

/* A lie may be found out at any time, and is then known here only when a request is reaped; so may
 * a completion, so the device may have room again although none was reaped. */
static void refusal_check(enum status status, enum status expected)
{
	FUZZ_REQUIRE(status == expected || (status == STATUS_BAD_HOST && hostile.lied) ||
		     (status == STATUS_BUSY && expected == STATUS_OK &&
		      blk_user.flight_count >= BLK_USER_DEPTH));
}

void blk_user_submit(struct fuzz_input *input)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	size_t which = 0;
	while (which + 1 < BLK_USER_FLIGHTS && blk_user.flights[which].in_flight) {
		which++;
	}
	struct blk_flight *flight = &blk_user.flights[which];
	if (flight->in_flight) {
		return;
	}
	flight_prepare(flight, input);
	if (overlaps(&flight->request) || (flight->in_place && places_overlap(flight))) {
		return;
	}
	const enum status expected =
		flight->in_place ? place_refusal(flight) : refusal(&flight->request);
	if (flight->in_place && expected == STATUS_OK &&
	    flight->request.kind == BLOCK_REQUEST_WRITE) {
		place_fill(flight);
	}
	flight->in_flight = true; /* It may be issued at once. */
	const enum status status =
		flight->in_place ? virtio_blk_submit_in_place(&blk_driver, &flight->request,
							      flight->place_offset)
				 : block_submit(device, &flight->request);
	refusal_check(status, expected);
	flight->in_flight = status == STATUS_OK;
	blk_user.flight_count += status == STATUS_OK ? 1 : 0;
}

/* What an honest device read is where it was asked for. */
static void read_check(const struct blk_flight *flight)
{
	const struct block_request *request = &flight->request;
	if (!flight->in_place) {
		blk_user_read_check(request->first.n, request->count.n, request->bytes);
	} else if (!hostile.lied && hostile.loan_bytes > 0) {
		blk_user_read_check(request->first.n, request->count.n,
				    hostile_look(hostile.loan_at + flight->place_offset,
						 request->count.n * BLOCK_BYTES));
	}
}

static void flight_judge(const struct blk_flight *flight)
{
	const struct block_request *request = &flight->request;
	const enum status status = request->status;
	FUZZ_REQUIRE(status == STATUS_OK || status == STATUS_IO || status == STATUS_BAD_HOST ||
		     status == STATUS_TIMEOUT);
	FUZZ_REQUIRE(status == STATUS_OK || hostile.lied || blk_model.strange || blk_user.dead);
	blk_user.dead = blk_user.dead || status == STATUS_BAD_HOST || status == STATUS_TIMEOUT;
	const uint64_t first = request->first.n;
	const uint64_t count = request->count.n;
	if (request->kind == BLOCK_REQUEST_WRITE) {
		blk_user_wrote(first, count, flight->tag, status);
	} else if (request->kind == BLOCK_REQUEST_READ && status == STATUS_OK) {
		read_check(flight);
	} else if (request->kind == BLOCK_REQUEST_READ && !flight->in_place) {
		FUZZ_REQUIRE(request->bytes[0] == 0);
		FUZZ_REQUIRE(request->bytes[count * BLOCK_BYTES - 1] == 0);
	}
}

bool blk_user_reap(bool wait)
{
	const struct block_device *device = virtio_blk_device(&blk_driver);
	struct block_request *done = NULL;
	const enum status status = block_reap(device, wait, &done);
	if (device->queue == NULL) { /* The last open failed early. */
		FUZZ_REQUIRE(status == STATUS_UNSUPPORTED && blk_user.flight_count == 0);
		return false;
	}
	if (status == STATUS_AGAIN) {
		FUZZ_REQUIRE(!wait || blk_user.flight_count == 0);
		return false;
	}
	FUZZ_REQUIRE(status == STATUS_OK);
	struct blk_flight *flight = done->owner;
	FUZZ_REQUIRE(flight->in_flight && done == &flight->request); /* Each exactly once. */
	flight->in_flight = false;
	blk_user.flight_count--;
	flight_judge(flight);
	return true;
}

void blk_user_drain(void)
{
	while (blk_user_reap(true)) {
		hostile_call_begin();
	}
}
