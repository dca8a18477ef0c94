/* fault_vfs: a SQLite VFS over the default one that knows what is synced, and fails on demand.
 *
 * It keeps, for every file, the writes since its last sync, so that a crash can be played: they are
 * taken back from the file, all of them or a random half.  Texts of the form v<number>v in the
 * bytes written are markers; fault_is_durable(number) tells whether a sync has covered one.
 *
 * Owns: global state, one plan at a time.  Threads: all calls safe. */
#ifndef SKEG_TESTS_FAULT_VFS_H
#define SKEG_TESTS_FAULT_VFS_H

#include <stdbool.h>

#define FAULT_VFS     "fault"
#define FAULT_MARKERS 65536

enum fault {
	FAULT_NONE,
	FAULT_FULL_ONCE,    /* the n-th write finds no room */
	FAULT_FULL_FOREVER, /* and so do all later ones */
	FAULT_WRITE_EIO,
	FAULT_SYNC_EIO,	  /* the n-th sync fails, what it should have covered is lost */
	FAULT_CRASH,	  /* at the n-th write or sync everything stops */
	FAULT_CRASH_TORN, /* the same, but half of what was not synced arrives all the same */
};

void fault_register(void);
void fault_plan(enum fault fault,
		int n); /* what is written counts as synced; markers are forgotten */
bool fault_has_struck(void);
/* After the database was closed: takes back what no sync covered, ends the plan. */
void fault_settle(unsigned seed);
bool fault_is_durable(int marker);

/* While closed, syncs wait; fault_gate_waiting() counts those that do. */
void fault_gate(bool is_closed);
int fault_gate_waiting(void);

#endif
