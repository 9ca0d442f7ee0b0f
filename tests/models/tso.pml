// SPDX-License-Identifier: MIT
/* Memory that two processors share, as x86 orders it (AMD64 Architecture Programmer's Manual,
 * volume 2, section 7.2). A store goes to its processor's buffer and becomes visible some time
 * later, in the order of the stores; the processor's own loads see it at once. So a load may be
 * performed before an earlier store to another place: that, and nothing else, x86 reorders.
 *
 * With -DTSO=0 a store is visible at once, the other order that a processor may choose.
 * A model defines MEMORY_PLACES; each place holds a byte. */

#ifndef TSO
#define TSO 1
#endif
#define BUFFER_STORES 3

#define DRIVER 0
#define DEVICE 1

byte memory[MEMORY_PLACES];
byte buffer_place[2 * BUFFER_STORES];
byte buffer_value[2 * BUFFER_STORES];
byte buffer_count[2];

inline store(who, to_place, new_value) {
#if TSO
	atomic {
		buffer_count[who] < BUFFER_STORES ->
		buffer_place[who * BUFFER_STORES + buffer_count[who]] = to_place;
		buffer_value[who * BUFFER_STORES + buffer_count[who]] = new_value;
		buffer_count[who]++
	}
#else
	memory[to_place] = new_value
#endif
}

/* The newest of our own stores to that place, or what everybody sees. (Spin substitutes parameters
 * as text: no argument may contain a parameter's name.) */
inline load(who, from_place, result) {
	d_step {
		result = memory[from_place];
#if TSO
		scan = 0;
		do
		:: scan < buffer_count[who] && buffer_place[who * BUFFER_STORES + scan] == from_place ->
			result = buffer_value[who * BUFFER_STORES + scan];
			scan++
		:: scan < buffer_count[who] && buffer_place[who * BUFFER_STORES + scan] != from_place ->
			scan++
		:: scan >= buffer_count[who] -> break
		od;
		scan = 0
#endif
	}
}

/* shared_fence(): later loads see what the other side stored before it saw our stores. */
inline fence(who) {
	buffer_count[who] == 0
}

/* The oldest store of a buffer becomes visible. Nothing waits for this but a full buffer and a
 * fence, so it may always happen and never has to. */
proctype drain(byte who) {
	byte scan;
end:	do
	:: d_step {
		buffer_count[who] > 0 ->
		memory[buffer_place[who * BUFFER_STORES]] = buffer_value[who * BUFFER_STORES];
		scan = 0;
		do
		:: scan + 1 < buffer_count[who] ->
			buffer_place[who * BUFFER_STORES + scan] =
				buffer_place[who * BUFFER_STORES + scan + 1];
			buffer_value[who * BUFFER_STORES + scan] =
				buffer_value[who * BUFFER_STORES + scan + 1];
			scan++
		:: else -> break
		od;
		buffer_count[who]--;
		buffer_place[who * BUFFER_STORES + buffer_count[who]] = 0;
		buffer_value[who * BUFFER_STORES + buffer_count[who]] = 0;
		scan = 0
	   }
	od
}
