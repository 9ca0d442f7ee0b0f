// SPDX-License-Identifier: MIT
/* Commit, background checkpoint and recovery of a volume (docs/volume-format.md, block profile) on
 * a device that loses any part of what was not flushed, and tears the rest. A crash comes between
 * any two device operations, also before a mount has flushed. Steps are named as in the code
 * (enum volume_phase, block/volume_replay.c). Shown, for every interleaving of a committer with a
 * checkpoint and for every crash:
 *
 *  - what was acknowledged, or shown by an earlier mount, is there;
 *  - what is there was issued, in the order in which it was issued, whole: never a mix;
 *  - no honest crash is taken for damage: not AUTH_META, AUTH_DATA or TAMPER.
 *
 * A transaction is a block of data out of line and a record that refers to it; the content of the
 * volume after transaction n is the pair (n, mount that issued it), which stands for its tag. The
 * tree holds the pair of the transaction that it includes last. Hostile changes to a disk are not
 * modelled: tests/crash tries them on the code.
 *
 * Faults, each of which has to be found:
 * -DACK_EARLY       a commit is acknowledged before its flush
 * -DNO_TREE_FLUSH   a superblock is written before what it names is durable
 * -DNO_COPY_FLUSH   the second copy is written before the first is durable
 * -DNO_HEAL         a bad copy is not made good before the next one is written
 * -DEARLY_RELEASE   log and old tree are released before the superblock is durable
 * -DLATE_HEAD       the head is noted when the superblock is sealed, not when the overlay is frozen
 * -DEARLY_EPOCH     records get the new epoch before its superblock is durable
 * -DONE_EPOCH       a mount takes no records of the epoch before
 * -DNO_TAIL_RULE    a mount takes the last record without looking at its data
 * -DDURABLE_EARLY   a record claims that it is durable itself
 * -DNO_MOUNT_FLUSH  a mount goes on before what it saw is durable */

#ifndef TRANSACTIONS
#define TRANSACTIONS 5
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef CHECKPOINTS
#define CHECKPOINTS 3
#endif

#define RING 3
#define LOG  0
#define DATA RING
#define COPY (2 * RING) /* superblock copies: slot * 2 + copy */
#define TREE (2 * RING + 4)
#define PLACES (2 * RING + 6)

/* What a place holds. Authenticated: nothing but what was written there reads as anything. */
#define NONE -1
#define TORN 0
#define CONTENT_OF(n, mount)        (1 << 6 | n << 3 | mount)
#define RECORD_OF(e, n, durable, mount, before) \
	(e << 12 | n << 9 | durable << 6 | mount << 3 | before)
#define RECORD_EPOCH(value)      (value >> 12)
#define RECORD_N(value)          (value >> 9 & 7)
#define RECORD_DURABLE(value)    (value >> 6 & 7)
#define RECORD_MOUNT(value)      (value >> 3 & 7)
#define RECORD_BEFORE(value)     (value & 7)
#define SUPERBLOCK_OF(e, n, mount, offset, place) \
	(e << 9 | n << 6 | mount << 3 | offset << 1 | place)
#define SUPERBLOCK_EPOCH(value)  (value >> 9)
#define SUPERBLOCK_N(value)      (value >> 6 & 7)
#define SUPERBLOCK_MOUNT(value)  (value >> 3 & 7)
#define SUPERBLOCK_OFFSET(value) (value >> 1 & 3)
#define SUPERBLOCK_PLACE(value)  (value & 1)

short disk[PLACES];   /* what a power cut leaves */
short cached[PLACES]; /* written since, or NONE */
#define seen(place) (cached[place] != NONE -> cached[place] : disk[place])

/* What the world knows. */
byte acknowledged;
byte issued_by[8]; /* of transaction n: the mount that issued it last */

/* The mount's own memory. */
mtype = {
	IDLE, HEAL, REHOME, FLUSH, SUPERBLOCK, COPY_0, COPY_0_FLUSH, COPY_1, COPY_1_FLUSH, ACCEPT
};
mtype = { MOUNTED, READY, STAGED, WRITTEN };
mtype phase = IDLE;
mtype commit = MOUNTED;
byte mount, crashes, checkpoints;
byte epoch, last, last_mount, durable, offset, used;
byte head, head_mount, head_offset, head_used, place;
short superblock;

/* A second write to a place before a flush: the first may have reached the disk, or not. */
inline write(where, what) {
	atomic {
		if
		:: cached[where] != NONE -> disk[where] = cached[where]
		:: true
		fi;
		cached[where] = what
	}
}

inline flush() {
	d_step {
		i = 0;
		do
		:: i < PLACES && cached[i] != NONE -> disk[i] = cached[i]; cached[i] = NONE; i++
		:: i < PLACES && cached[i] == NONE -> i++
		:: i == PLACES -> break
		od;
		i = 0
	}
}

/* A killed process leaves the cache, a power cut leaves any part of it, torn or whole. */
inline crash() {
	i = 0;
	do
	:: i < PLACES && cached[i] == NONE -> i++
	:: i < PLACES && cached[i] != NONE ->
		if
		:: true /* still in the host's cache, still not durable */
		:: disk[i] = cached[i]; cached[i] = NONE
		:: disk[i] = TORN; cached[i] = NONE
		:: cached[i] = NONE
		fi;
		i++
	:: i == PLACES -> break
	od;
	i = 0
}

/* The newer copy of a slot that is whole: the one to be read, and to heal the other from. */
#define newer(a, b) \
	((a != TORN && (b == TORN || SUPERBLOCK_EPOCH(a) >= SUPERBLOCK_EPOCH(b))) -> a : b)
#define slot_value(slot) newer(seen(COPY + slot * 2), seen(COPY + slot * 2 + 1))

inline follows(value) {
	is_next = value != TORN && RECORD_N(value) == last + 1 &&
		RECORD_BEFORE(value) == last_mount && RECORD_EPOCH(value) <= epoch &&
#ifdef ONE_EPOCH
		RECORD_EPOCH(value) == epoch &&
#endif
		RECORD_EPOCH(value) + 1 >= epoch && RECORD_EPOCH(value) >= chain_epoch
}

/* Survey: how far the chain goes, and what it knows to be durable. */
inline survey() {
	chain_epoch = 0;
	i = 0;
	do
	:: i < RING ->
		record = seen(LOG + (head_offset + i) % RING);
		follows(record);
		if
		:: is_next ->
			last++;
			last_mount = RECORD_MOUNT(record);
			chain_epoch = RECORD_EPOCH(record);
			if
			:: RECORD_DURABLE(record) > durable -> durable = RECORD_DURABLE(record)
			:: else
			fi;
			i++
		:: else -> break
		fi
	:: else -> break
	od
}

/* Proof: data of what may have been in flight has to be whole, or the log ends before. */
inline prove_tail() {
	used = 0;
	last = head;
	last_mount = head_mount;
	do
	:: used < i ->
		record = seen(LOG + (head_offset + used) % RING);
		is_whole = seen(DATA + (head_offset + used) % RING) ==
			CONTENT_OF(RECORD_N(record), RECORD_MOUNT(record));
		assert(is_whole || RECORD_N(record) > durable); /* not AUTH_DATA */
		if
#ifndef NO_TAIL_RULE
		:: !is_whole -> break
#endif
		:: else ->
			assert(is_whole);
			last = RECORD_N(record);
			last_mount = RECORD_MOUNT(record);
			used++
		fi
	:: else -> break
	od
}

/* Outside the chain: nothing of a later epoch, and nothing that knows of more. */
inline search() {
	i = used;
	do
	:: i < RING ->
		record = seen(LOG + (head_offset + i) % RING);
		assert(record == TORN || /* not TAMPER */
		       (RECORD_EPOCH(record) <= epoch && RECORD_DURABLE(record) <= last));
		i++
	:: else -> break
	od;
	i = 0
}

inline mount_volume() {
	d_step {
		superblock = slot_value(0);
		record = slot_value(1);
		assert(superblock != TORN && record != TORN); /* not AUTH_META */
		assert(SUPERBLOCK_EPOCH(superblock) == SUPERBLOCK_EPOCH(record) + 1 ||
		       SUPERBLOCK_EPOCH(record) == SUPERBLOCK_EPOCH(superblock) + 1);
		superblock = newer(superblock, record);
		epoch = SUPERBLOCK_EPOCH(superblock);
		head = SUPERBLOCK_N(superblock);
		head_mount = SUPERBLOCK_MOUNT(superblock);
		head_offset = SUPERBLOCK_OFFSET(superblock);
		place = SUPERBLOCK_PLACE(superblock);
		assert(seen(TREE + place) == CONTENT_OF(head, head_mount)); /* not AUTH_META */
		last = head;
		last_mount = head_mount;
		durable = head;
		survey();
		prove_tail();
		search();
		offset = (head_offset + used) % RING;
		assert(last >= acknowledged);
		assert(last == 0 || issued_by[last] == last_mount);
		record = 0;
		superblock = 0;
		is_next = 0;
		is_whole = 0;
		chain_epoch = 0;
		head = 0;
		head_mount = 0;
		head_offset = 0;
		head_used = 0;
		phase = IDLE;
		commit = MOUNTED;
		mount++
	}
}

/* Make a pair whole before any pair is written: a copy that differs is written again. */
inline heal(slot) {
	record = slot_value(slot);
	if
	:: seen(COPY + slot * 2) != record ->
		write(COPY + slot * 2, record);
		flush()
	:: seen(COPY + slot * 2 + 1) != record ->
		write(COPY + slot * 2 + 1, record);
		flush()
	:: else
	fi;
	record = 0
}

inline note_head() {
	head = last;
	head_mount = last_mount;
	head_offset = offset;
	head_used = used
}

inline release() {
	place = 1 - place;
	used = used - head_used;
	head_used = 0
}

inline checkpoint_step() {
	if
	:: phase == IDLE && checkpoints < CHECKPOINTS && commit == READY && used > 0 ->
		atomic { checkpoints++; note_head(); phase = HEAL }
	:: phase == HEAL ->
#ifndef NO_HEAL
		heal(0);
		heal(1);
#endif
		phase = REHOME
	:: phase == REHOME ->
		write(TREE + 1 - place, CONTENT_OF(head, head_mount));
		phase = FLUSH
	:: phase == FLUSH ->
#ifndef NO_TREE_FLUSH
		flush();
#endif
		phase = SUPERBLOCK
	:: phase == SUPERBLOCK ->
		d_step {
#ifdef LATE_HEAD
			note_head();
#endif
			superblock = SUPERBLOCK_OF((epoch + 1), head, head_mount, head_offset, (1 - place));
			phase = COPY_0
		}
	:: phase == COPY_0 ->
		write(COPY + (epoch + 1) % 2 * 2, superblock);
#ifdef EARLY_RELEASE
		release();
#endif
#ifdef EARLY_EPOCH
		epoch++;
#endif
		phase = COPY_0_FLUSH
	:: phase == COPY_0_FLUSH ->
#ifndef NO_COPY_FLUSH
		flush();
#endif
		phase = COPY_1
	:: phase == COPY_1 ->
#ifdef EARLY_EPOCH
		write(COPY + epoch % 2 * 2 + 1, superblock);
#else
		write(COPY + (epoch + 1) % 2 * 2 + 1, superblock);
#endif
		phase = COPY_1_FLUSH
	:: phase == COPY_1_FLUSH ->
		flush();
		phase = ACCEPT
	:: phase == ACCEPT ->
		d_step {
#ifndef EARLY_RELEASE
			release();
#endif
#ifndef EARLY_EPOCH
			epoch++;
#endif
			superblock = 0;
			head = 0;
			head_mount = 0;
			head_offset = 0;
			phase = IDLE
		}
	fi
}

inline commit_step() {
	if
	:: commit == MOUNTED -> /* what this mount shows must not be lost again */
#ifndef NO_MOUNT_FLUSH
		flush();
#endif
		d_step {
			durable = last;
			acknowledged = last;
			commit = READY
		}
	:: commit == READY && last < TRANSACTIONS && used < RING ->
		write(DATA + offset, CONTENT_OF((last + 1), mount));
		commit = STAGED
	:: commit == STAGED ->
		d_step {
			last++;
			issued_by[last] = mount;
			used++
		};
#ifdef DURABLE_EARLY
		write(LOG + offset, RECORD_OF(epoch, last, last, mount, last_mount));
#else
		write(LOG + offset, RECORD_OF(epoch, last, durable, mount, last_mount));
#endif
		d_step {
			last_mount = mount;
			offset = (offset + 1) % RING;
#ifdef ACK_EARLY
			acknowledged = last;
#endif
			commit = WRITTEN
		}
	:: commit == WRITTEN ->
		flush();
		d_step {
			durable = last;
			acknowledged = last;
			commit = READY
		}
	fi
}

init {
	byte i, chain_epoch;
	short record;
	bit is_next, is_whole;

	d_step {
		do
		:: i < PLACES -> cached[i] = NONE; i++
		:: else -> break
		od;
		i = 0;
		disk[COPY] = SUPERBLOCK_OF(2, 0, 0, 0, 0);
		disk[COPY + 1] = SUPERBLOCK_OF(2, 0, 0, 0, 0);
		disk[COPY + 2] = SUPERBLOCK_OF(1, 0, 0, 0, 0);
		disk[COPY + 3] = SUPERBLOCK_OF(1, 0, 0, 0, 0);
		disk[TREE] = CONTENT_OF(0, 0)
	};
	mount_volume();
	do
	:: commit_step()
	:: checkpoint_step()
	:: crashes < CRASHES ->
		atomic { crashes++; crash() };
		mount_volume()
	:: commit == READY && phase == IDLE && (last == TRANSACTIONS || used == RING) -> break
	od
}
