// SPDX-License-Identifier: MIT
/* The packed queue of virtio/virtq_packed.c against an honest device that runs at the same time, on
 * x86's memory (tso.pml). Chains have one or two entries. Shown, for every interleaving:
 *
 *  - the device never sees half a chain: the first entry, which makes the chain available, is
 *    visible after the others (virtio 1.2, section 2.8.21);
 *  - the wrap counters keep used, available and old entries apart on every lap;
 *  - nobody sleeps for ever, with the event structures as with their flags alone.
 *
 * As in split_queue.pml the driver does not knock again, and the device does not lie.
 *
 * -DEVENTS=1  with VIRTIO_F_EVENT_IDX; 0: the flags alone
 * Faults, each of which has to be found:
 * -DNO_KICK_FENCE   virtq_kick() looks whether the device sleeps before its entries are visible
 * -DNO_WANT_FENCE   virtq_interrupts_want() lets the look for completions pass its own store
 * -DNO_LAST_LOOK    the driver sleeps without another look
 * -DFIRST_FIRST     the chain's first entry is written before the second
 * -DNO_WRAP         an entry behind the ring's end gets the wrap counter of the lap before it */

#define SIZE     3
#ifndef REQUESTS
#define REQUESTS 3
#endif

#ifndef EVENTS
#define EVENTS 1
#endif

#define ADDRESS       0
#define WORD          SIZE /* id and flags: one store in the code */
#define DRIVER_EVENT  (2 * SIZE)
#define DEVICE_EVENT  (2 * SIZE + 1)
#define MEMORY_PLACES (2 * SIZE + 2)
#include "tso.pml"

#define AVAIL 1
#define USED  2
#define NEXT  4
#define ID(word) (word >> 3)
#define WORD_OF(id, wrap, next) ((id << 3) | (wrap -> AVAIL : USED) | (next -> NEXT : 0))
#define is_available(word, wrap) \
	((((word & AVAIL) != 0) == wrap) && (((word & USED) != 0) != wrap))
#define is_used(word, wrap) \
	((((word & AVAIL) != 0) == wrap) && (((word & USED) != 0) == wrap))

/* An event structure: what to do, and for "at that entry" the entry and its lap. */
#define EVENT_ENABLE  0
#define EVENT_DISABLE 1
#define EVENT_AT      2
#define EVENT(what, place, wrap) (what | (place << 2) | (wrap << 6))
#define WHAT(event)  (event & 3)
#define PLACE(event) ((event >> 2) & 15)
#define WRAP(event)  (event >> 6)

/* virtq_event_is_due(): an entry of the lap before lies that much behind. Modulo 16 here. */
#define behind(event, now, wrap) \
	((now + 31 - PLACE(event) + ((WRAP(event) == wrap) -> 0 : SIZE)) % 16)

bit notified;
bit interrupted;

inline advance(position, its_wrap, count) {
	d_step {
		position = position + count;
		if
		:: position >= SIZE -> position = position - SIZE; its_wrap = 1 - its_wrap
		:: else
		fi
	}
}

proctype driver() {
	byte sent, taken, unannounced, room = SIZE, which, place, value, id, length, scan;
	byte available_index, used_index;
	bit available_wrap = 1, used_wrap = 1, lap, wanted;
	byte entries[SIZE]; /* of the chain with that id; 0: not in flight */

	do
	:: sent < REQUESTS && room > 0 -> /* virtq_packed_publish() */
		if
		:: length = 1
		:: room > 1 -> length = 2
		fi;
		if
		:: entries[0] == 0 -> id = 0
		:: entries[0] != 0 && entries[1] == 0 -> id = 1
		:: else -> id = 2
		fi;
		sent++;
		entries[id] = length;
		room = room - length;
#ifdef FIRST_FIRST
		which = 0;
		do
		:: which < length ->
#else
		which = length;
		do
		:: which > 0 ->
			which--;
#endif
			place = available_index + which;
			lap = available_wrap;
			if
			:: place >= SIZE ->
				place = place - SIZE;
#ifndef NO_WRAP
				lap = 1 - lap
#endif
			:: else
			fi;
			store(DRIVER, ADDRESS + place, sent);
			store(DRIVER, WORD + place, WORD_OF(id, lap, (which + 1 < length)));
#ifdef FIRST_FIRST
			which++
		:: which == length -> break
#else
		:: which == 0 -> break
#endif
		od;
		which = 0;
		advance(available_index, available_wrap, length);
		unannounced = unannounced + length
	:: unannounced > 0 -> /* virtq_kick() */
#ifndef NO_KICK_FENCE
		fence(DRIVER);
#endif
		load(DRIVER, DEVICE_EVENT, value);
		if
		:: WHAT(value) == EVENT_ENABLE -> notified = 1
		:: WHAT(value) == EVENT_AT &&
		   behind(value, available_index, available_wrap) < unannounced -> notified = 1
		:: else
		fi;
		unannounced = 0
	:: room < SIZE && unannounced == 0 -> /* virtq_used_poll() */
		load(DRIVER, WORD + used_index, value);
		if
		:: is_used(value, used_wrap) ->
			id = ID(value);
			assert(id < SIZE && entries[id] != 0);
			advance(used_index, used_wrap, entries[id]);
			room = room + entries[id];
			entries[id] = 0;
			taken++;
#if EVENTS
			if
			:: wanted -> /* virtq_packed_interrupts_tell() */
				store(DRIVER, DRIVER_EVENT, EVENT(EVENT_AT, used_index, used_wrap));
#ifndef NO_WANT_FENCE
				fence(DRIVER)
#endif
			:: else
			fi
#endif
		:: !is_used(value, used_wrap) && !wanted -> /* arm, and look again */
#if EVENTS
			store(DRIVER, DRIVER_EVENT, EVENT(EVENT_AT, used_index, used_wrap));
#else
			store(DRIVER, DRIVER_EVENT, EVENT_ENABLE);
#endif
#ifndef NO_WANT_FENCE
			fence(DRIVER);
#endif
			wanted = 1;
#ifdef NO_LAST_LOOK
			atomic { interrupted -> interrupted = 0 }
#endif
		:: !is_used(value, used_wrap) && wanted -> /* sleep */
			atomic { interrupted -> interrupted = 0 }
		fi
	:: wanted && unannounced == 0 -> /* virtio_wait_end() */
		wanted = 0;
		store(DRIVER, DRIVER_EVENT, EVENT_DISABLE)
	:: taken == REQUESTS -> break
	od
}

proctype device() {
	byte next, word, id, value, done, length, place, scan;
	bit wrap = 1, lap;

	do
	:: load(DEVICE, WORD + next, word);
		if
		:: is_available(word, wrap) ->
			id = ID(word);
			done++;
			length = 1;
			load(DEVICE, ADDRESS + next, value);
			assert(value == done);
			if
			:: (word & NEXT) != 0 ->
				place = next;
				lap = wrap;
				advance(place, lap, 1);
				load(DEVICE, WORD + place, word);
				assert(is_available(word, lap) && ID(word) == id);
				load(DEVICE, ADDRESS + place, value);
				assert(value == done);
				length = 2
			:: else
			fi;
			store(DEVICE, WORD + next, (id << 3) | (wrap -> AVAIL | USED : 0));
			advance(next, wrap, length);
			fence(DEVICE);
			load(DEVICE, DRIVER_EVENT, value);
			if
			:: WHAT(value) == EVENT_ENABLE -> interrupted = 1
			:: WHAT(value) == EVENT_AT && behind(value, next, wrap) < length ->
				interrupted = 1
			:: else
			fi
		:: else -> /* no work: ask to be told, look again, sleep */
#if EVENTS
			store(DEVICE, DEVICE_EVENT, EVENT(EVENT_AT, next, wrap));
#else
			store(DEVICE, DEVICE_EVENT, EVENT_ENABLE);
#endif
			fence(DEVICE);
			load(DEVICE, WORD + next, word);
			if
			:: !is_available(word, wrap) ->
end_sleep:			atomic { notified -> notified = 0 }
			:: else
			fi;
			store(DEVICE, DEVICE_EVENT, EVENT_DISABLE)
		fi
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
