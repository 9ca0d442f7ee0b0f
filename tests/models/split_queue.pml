// SPDX-License-Identifier: MIT
/* The split queue of virtio/virtq_split.c against an honest device that runs at the same time, on
 * x86's memory (tso.pml). Functions of the driver are named as in the code. Shown, for every
 * interleaving:
 *
 *  - the device reads a descriptor and an available entry only when they are written;
 *  - the driver reads a used element only when it is written, and of a chain in flight;
 *  - nobody sleeps for ever: no notification and no interrupt is lost, although both sides tell the
 *    other when they want none (virtio 1.2, sections 2.7.7 and 2.7.10).
 *
 * The code knocks again after a while (virtio/virtio_wait.c); here it does not, or a lost
 * notification would not be seen. Lies of a device are not modelled: tests/fuzz and the proofs are
 * for these. Indices have 16 bits in the ring and LAP values here: a multiple of the size.
 *
 * -DEVENTS=1  with VIRTIO_F_EVENT_IDX; 0: the flags alone
 * Faults, each of which has to be found:
 * -DNO_KICK_FENCE   virtq_kick() looks whether the device sleeps before its index is visible
 * -DNO_WANT_FENCE   virtq_interrupts_want() lets the look for completions pass its own store
 * -DNO_LAST_LOOK    the driver sleeps without another look
 * -DINDEX_FIRST     the index is stored before the entry
 * -DOLD_EVENT       virtq_event_is_due() compares only with the newest entry of a batch */

#define SIZE     2
#define LAP      8
#ifndef REQUESTS
#define REQUESTS 4
#endif

#ifndef EVENTS
#define EVENTS 1
#endif

#define DESCRIPTOR      0
#define AVAILABLE       SIZE
#define USED            (2 * SIZE)
#define AVAILABLE_INDEX (3 * SIZE)
#define USED_INDEX      (3 * SIZE + 1)
#define DRIVER_WISH     (3 * SIZE + 2) /* used_event, or the available ring's flags */
#define DEVICE_WISH     (3 * SIZE + 3) /* avail_event, or the used ring's flags */
#define MEMORY_PLACES   (3 * SIZE + 4)
#include "tso.pml"

#define NOBODY 255
#define behind(event, now) ((now + 2 * LAP - event - 1) % LAP)

bit notified;
bit interrupted;

proctype driver() {
	byte sent, taken, unannounced, in_flight;
	byte available_index, used_index, seen, value, id, scan;
	byte number[SIZE]; /* of the request that a descriptor belongs to; 0: free */
	bit wanted;

	do
	:: sent < REQUESTS && in_flight < SIZE -> /* virtq_split_publish() */
		if
		:: number[0] == 0 -> id = 0
		:: number[1] == 0 -> id = 1
		fi;
		sent++;
		number[id] = sent;
		in_flight++;
		store(DRIVER, DESCRIPTOR + id, sent);
#ifdef INDEX_FIRST
		store(DRIVER, AVAILABLE_INDEX, (available_index + 1) % LAP);
		store(DRIVER, AVAILABLE + available_index % SIZE, id);
#else
		store(DRIVER, AVAILABLE + available_index % SIZE, id);
		store(DRIVER, AVAILABLE_INDEX, (available_index + 1) % LAP);
#endif
		available_index = (available_index + 1) % LAP;
		unannounced++
	:: unannounced > 0 -> /* virtq_kick() */
#ifndef NO_KICK_FENCE
		fence(DRIVER);
#endif
		load(DRIVER, DEVICE_WISH, value);
		if
#if EVENTS
#ifdef OLD_EVENT
		:: behind(value, available_index) < 1 -> notified = 1
#else
		:: behind(value, available_index) < unannounced -> notified = 1
#endif
#else
		:: value == 0 -> notified = 1
#endif
		:: else
		fi;
		unannounced = 0
	:: in_flight > 0 && unannounced == 0 -> /* virtq_used_poll() */
		if
		:: seen == used_index -> load(DRIVER, USED_INDEX, seen)
		:: else
		fi;
		if
		:: seen != used_index ->
			assert((seen + LAP - used_index) % LAP <= in_flight);
			load(DRIVER, USED + used_index % SIZE, id);
			assert(id < SIZE && number[id] != 0);
			number[id] = 0;
			in_flight--;
			taken++;
			used_index = (used_index + 1) % LAP;
#if EVENTS
			if
			:: wanted -> /* virtq_split_interrupts_tell() */
				store(DRIVER, DRIVER_WISH, used_index);
#ifndef NO_WANT_FENCE
				fence(DRIVER)
#endif
			:: else
			fi
#endif
		:: seen == used_index && !wanted -> /* virtio_wait_turn(): arm, and look again */
#if EVENTS
			store(DRIVER, DRIVER_WISH, used_index);
#else
			store(DRIVER, DRIVER_WISH, 0);
#endif
#ifndef NO_WANT_FENCE
			fence(DRIVER);
#endif
			wanted = 1;
#ifdef NO_LAST_LOOK
			atomic { interrupted -> interrupted = 0 }
#endif
		:: seen == used_index && wanted -> /* sleep */
			atomic { interrupted -> interrupted = 0 }
		fi
	:: wanted && unannounced == 0 -> /* virtio_wait_end() */
		wanted = 0;
#if EVENTS
		store(DRIVER, DRIVER_WISH, (used_index + LAP - 1) % LAP);
#else
		store(DRIVER, DRIVER_WISH, 1);
#endif
	:: taken == REQUESTS -> break
	od
}

proctype device() {
	byte next, used_index, seen, id, value, done, scan;

	do
	:: seen != next ->
		load(DEVICE, AVAILABLE + next % SIZE, id);
		assert(id < SIZE);
		load(DEVICE, DESCRIPTOR + id, value);
		done++;
		assert(value == done);
		next = (next + 1) % LAP;
		store(DEVICE, USED + used_index % SIZE, id);
		used_index = (used_index + 1) % LAP;
		store(DEVICE, USED_INDEX, used_index);
		fence(DEVICE);
		load(DEVICE, DRIVER_WISH, value);
		if
#if EVENTS
		:: behind(value, used_index) < 1 -> interrupted = 1
#else
		:: value == 0 -> interrupted = 1
#endif
		:: else
		fi
	:: seen == next -> /* no work: ask to be told, look again, sleep */
#if EVENTS
		store(DEVICE, DEVICE_WISH, next);
#else
		store(DEVICE, DEVICE_WISH, 0);
#endif
		fence(DEVICE);
		load(DEVICE, AVAILABLE_INDEX, seen);
		if
		:: seen == next ->
end_sleep:		atomic { notified -> notified = 0 };
			load(DEVICE, AVAILABLE_INDEX, seen)
		:: else
		fi;
#if !EVENTS
		store(DEVICE, DEVICE_WISH, 1);
#endif
	od
}

init {
	atomic {
		run drain(DRIVER);
		run drain(DEVICE);
		run driver();
		run device()
	}
}
