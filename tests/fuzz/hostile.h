// SPDX-License-Identifier: MIT
/* A virtio device that lies by script, in the driver's own process.
 *
 * Behind the driver's four accessors (shared load, shared store, register access, clock) stands a
 * device that is honest until the script says otherwise. The script is fuzz input: events, each due
 * after a number of accesses. So a load can return anything at any moment, memory can change
 * between two loads, and every double fetch is within reach, deterministically. A script that is
 * used up leaves an honest device: short inputs test that things work.
 *
 * What is watched all the time, whatever the script does:
 *  - the driver's work between two calls of hostile_call_begin() is bounded;
 *  - one virtq_used_poll() loads no byte of a ring twice (documented exceptions: none; the index of
 *    a split ring is loaded again by a later poll, and by virtq_used_pending());
 *  - outside the rings, each byte is loaded at most once after each time the driver wrote it;
 *  - no byte is accepted that neither the driver nor the device wrote for this very request;
 *  - the driver stores no pointer, and copies no canary, into shared memory;
 *  - descriptors name memory that is lent, readable ones first, none twice. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "sharedmem/sharedmem.h"
#include "tests/fuzz/fuzz.h"
#include "virtio/virtio_mmio.h"
#include "virtio/virtio_pci.h"
#include "virtio/virtio_wait.h"
#include "virtio/virtq.h"

#define HOSTILE_POOL_PAGES   128u
#define HOSTILE_PHYS_BASE    0x40000000u
#define HOSTILE_QUEUES       20u
#define HOSTILE_SEGMENTS     40u
#define HOSTILE_PENDING      64u
#define HOSTILE_CONFIG_WORDS 16u
/* The most accesses of one call into the driver: a write that waits for its deadline. */
#define HOSTILE_WORK_MAX 60000u

/* Private bytes that no device may ever see. */
#define HOSTILE_CANARY "<<private bytes>>"

/* A chain as the device sees it; offsets are into the pool. */
struct hostile_chain {
	uint16_t queue_index;
	uint16_t head;
	uint16_t ring_entries;
	uint16_t segment_count;
	struct {
		size_t at;
		uint32_t len_bytes;
		bool device_writes;
	} segments[HOSTILE_SEGMENTS];
};

struct hostile_queue {
	uint32_t size_max;
	uint32_t size;
	uint32_t ready;
	uint64_t descriptors;
	uint64_t available;
	uint64_t used;
	uint16_t available_taken; /* Split: indices. Packed: positions, with wrap counters. */
	uint16_t used_index;
	bool available_wrap;
	bool used_wrap;
};

struct hostile {
	/* Set by the target before hostile_start(). */
	uint32_t device_id;
	uint64_t offered;
	bool is_pci; /* The transport. */
	/* Each page is lent once, so what is in it is of no earlier request: a device that writes
	 * to it before it is asked to only answers early. */
	bool lends_once;
	uint32_t config[HOSTILE_CONFIG_WORDS];
	/* Does what a chain asks for and says how many bytes it wrote. False: keep it for later. */
	bool (*serve)(const struct hostile_chain *chain, uint32_t *written_bytes);

	/* To be read by the target. */
	bool lied;               /* Nothing honest can be expected any more. */
	bool features_confirmed; /* FEATURES_OK was read back. */
	bool reaches_memory;     /* It had a queue, and has not read as reset since. */
	bool reset_unconfirmed;  /* Status was made to read other than 0 after a reset. */
	uint64_t accepted;
	size_t pending_count;
	uint64_t now_us;
	/* Did the latest virtq_used_poll() load the index of a split ring; and what it got. */
	bool poll_index_loaded;
	uint16_t poll_index;
	/* What it said the device wrote, if it took a completion. */
	uint32_t poll_written;
	uint8_t byte_loaded; /* By the latest load of one byte: a request's status. */
	/* What the driver passes on, and neither reads nor writes, until it zeroes it as a whole:
	 * in the pool; then both are 0. The target says when its own user stores there. */
	size_t loan_at;
	size_t loan_bytes;
	bool user_stores;
	/* Asked of each part of the loan that is submitted: does a request have it, that way? */
	bool (*loan_is_used)(size_t at, size_t size, bool device_writes);
	/* For `serve`: misbehave like this, once; 0: honestly. */
	uint32_t misbehave;

	struct virtio_transport transport;
	struct register_ops registers;
	struct clock clock;
	struct sharedmem memory;

	/* Private. */
	size_t pool_bytes;
	struct virtio_wait_policy wait_policy;
	struct page_state_ops platform;
	struct virtio_pci pci;
	struct hostile_queue queues[HOSTILE_QUEUES];
	size_t queues_end; /* Those at or above were never selected: they are as after a reset. */
	uint32_t status;
	struct hostile_queue *selected; /* The queue that queue registers are of. */
	uint32_t features_select;
	uint32_t driver_features_select;
	uint32_t generation;
	uint32_t interrupts;
	bool silent;
	bool reversed;
	bool memory_changed; /* Since the device last looked for chains. */
	uint32_t delay;      /* Steps to sleep through. */
	uint32_t idle;       /* Steps in a row in which nothing happened. */
	uint64_t work;
	uint32_t sticky_register;
	uint32_t sticky_xor;
	/* The script, and the event that is due after `skip` more accesses. */
	struct fuzz_input script;
	bool has_event;
	uint8_t skip;
	uint8_t event;
	uint32_t argument;
	/* What an event left for the next access of its kind. */
	bool load_lies;
	bool load_adds;
	uint32_t load_value;
	bool register_lies;
	bool register_xors;
	uint32_t register_value;
	/* Where the pending chains are, the oldest first, and then the places that are free. */
	uint8_t pending_places[HOSTILE_PENDING];
	/* Last: not cleared for a new input. */
	struct hostile_chain chains[HOSTILE_PENDING];
};

/* Where in the input a target has the length of its program; the program and then the script are
 * behind it. Each target defines it. */
extern const size_t hostile_length_at;

/* One device at a time. */
extern struct hostile hostile;

/* Features of the queues, from a byte of the input; zero bits: a split ring with nothing to it. */
uint64_t hostile_ring_features(uint8_t choice);

/* Forget the last input. Then fill in the device, then hostile_start(). */
void hostile_reset(void);
/* Share the pool's first `pages`, and open the transport; `script` is consumed from here on. The
 * result is virtio_mmio_open's; a PCI function was found and decoded before. */
MUST_CHECK
enum status hostile_start(struct fuzz_input script, size_t pages);
/* How the driver waits from now on: 0 as it is without a policy, 1 to 3 as the modes. */
void hostile_wait_choose(uint8_t choice);
/* A call into the driver starts: its work is counted from here. */
void hostile_call_begin(void);
/* The page balance of a driver that has closed: nothing lent, leaks only after a lie. */
void hostile_balance_check(void);

/* The device's own time slice: take chains, serve them. Happens in clock.relax as well. */
void hostile_step(void);
/* Nothing more happens, however long one waits: no script is left, and the device has no work. */
bool hostile_is_still(void);
/* Copy between a flat buffer and a chain's segments; returns the count. */
size_t hostile_gather(const struct hostile_chain *chain, uint8_t *to, size_t size);
size_t hostile_scatter(const struct hostile_chain *chain, const uint8_t *from, size_t size);
size_t hostile_room(const struct hostile_chain *chain, bool device_writes);

/* Does the range touch the loan? */
static inline bool hostile_is_loan(size_t at, size_t size)
{
	return at < hostile.loan_at + hostile.loan_bytes && hostile.loan_at < at + size;
}

/* ---- Between hostile_device.c, hostile_pci.c, hostile_queue.c and hostile_memory.c -------------
 */

/* Registers, by the offsets of virtio-mmio and these, which it does not have. */
#define HOSTILE_QUEUE_COUNT   0x03cu
#define HOSTILE_NOTIFY_OFFSET 0x048u
/* As the device answers, lies and all; the driver takes the bits of `mask`. */
uint32_t hostile_register_load(uint32_t offset, uint32_t mask);
void hostile_register_store(uint32_t offset, uint32_t value);
/* The transport of a PCI function. */
void hostile_pci_open(void);

/* The pool has so many pages from here on, and nothing is written yet. */
void hostile_memory_reset(size_t pages);
/* For sharedmem_init() only: the bytes may not be there yet. */
void *hostile_pool(void);
/* The bytes of a range, as they are now. */
const uint8_t *hostile_look(size_t at, size_t size);
/* The event that is due takes place, and the next one is read. */
void hostile_events_run(void);

/* An access happens: nearly always a step closer to the next event, and no more. */
static inline void hostile_access(void)
{
	hostile.work++;
	FUZZ_REQUIRE(hostile.work < HOSTILE_WORK_MAX); /* It terminates. */
	if (hostile.has_event && hostile.skip > 0) {
		hostile.skip--;
	} else if (hostile.has_event || fuzz_left(&hostile.script) > 0) {
		hostile_events_run();
	}
}
/* The device writes; the caller has checked the range. */
void hostile_device_write(size_t at, const void *bytes, size_t size);
void hostile_ring_page_set(size_t at, size_t size);

/* Is it wholly in the pool, as the device numbers it; and where. */
bool hostile_is_shared(uint64_t address, uint64_t size);
size_t hostile_offset(uint64_t address);
void hostile_put(uint64_t address, uint64_t value, size_t width);
/* Was this feature accepted? */
bool hostile_has(uint64_t feature);
/* A queue as after a reset; what the device may take stays. */
void hostile_queue_reset(struct hostile_queue *queue);
/* The sizes of the parts of a queue in the layout that was accepted. */
size_t hostile_driver_part_bytes(const struct hostile_queue *queue);
size_t hostile_device_part_bytes(const struct hostile_queue *queue);
/* Report a completion, whatever was submitted; `entries` is what a packed ring goes on by. */
void hostile_used_push(struct hostile_queue *queue, uint32_t id, uint32_t length, uint16_t entries);
/* Claim so many completions more, or fewer. */
void hostile_index_jump(struct hostile_queue *queue, uint16_t by);
/* One of the pending chains, or the place for the next; the oldest is 0. */
struct hostile_chain *hostile_pending(size_t which);
void hostile_pending_complete(size_t at, uint32_t length);
