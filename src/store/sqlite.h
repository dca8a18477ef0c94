/* sqlite: what the files of the SQLite backend share; nobody else includes it.
 *
 * The schema (format 2, in the file's user_version; application_id "skeg"):
 *
 *   log(id, kind, key, prev_id, time_s, flags, crc, payload)
 *       every state, once.  id is revision * 1024 + place in its commit; key is namespace, zero
 *       byte, name; prev_id is the state before, 0 for none; time_s is when it was written (UTC);
 *       a delete has the final state as payload.
 *
 *   kinds(id, name, has_lazy)
 *       numbers of this file for resource names.
 *
 *   meta (one row)
 *       reserved_until: revisions below it may be in use; clean_revision: the last one, after a
 *       clean stop, else 0; floor_id: rows up to it are compacted.
 *
 * The log from floor_id on is the durable ring.  Compaction walks it from the old end: a row that
 * leaves the ring takes with it the state it replaced and, when it is a delete, itself.  So garbage
 * is never searched for, and a compacted row is either current or gone.
 *
 * Which state of a key is its current one, the last row of the key tells; the process remembers it.
 * A table of them (format 1 had one) would cost a random page of WAL for each write.
 *
 * A payload starts with {format, encoding, key id (2 bytes)}, then the object's bytes. */
#ifndef SKEG_STORE_SQLITE_H
#define SKEG_STORE_SQLITE_H

#include <sqlite3.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "store/folder.h"
#include "store/store-int.h"

#define STATE_FILE		     "state.db"
#define STATE_APPLICATION	     0x736b6567 /* "skeg" */
#define STATE_FORMAT		     2
#define STATE_BLOCK		     100000 /* revisions reserved at once */
#define STATE_ID(revision, sequence) ((revision)*STORE_COMMIT_MAX + (sequence))
#define STATE_ID_REVISION(id)	     ((id) / STORE_COMMIT_MAX)

#define PAYLOAD_HEADER 4
enum { PAYLOAD_FORMAT = 1, PAYLOAD_JSON = 0 };
enum { ROW_DELETE = 1 };

enum statement {
	STATEMENT_BEGIN,
	STATEMENT_COMMIT,
	STATEMENT_ROLLBACK,
	STATEMENT_INSERT,
	STATEMENT_DROP,
	STATEMENT_OLDEST,
	STATEMENT_SET_META,
	STATEMENT_SET_LAZY,
	STATEMENT_COUNT,
};

struct former_state { /* what a transaction that fails puts back */
	uint16_t stored_id;
	struct str key;
	int64_t id; /* 0: there was none */
};

struct sqlite_numbers { /* of the meta row, and what follows from it */
	int64_t reserved_until, clean_revision, floor_id;
	int64_t ring_count; /* rows after floor_id */
};

struct backend {
	struct folder folder;
	char *path; /* of the database */
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];
	uint32_t kind_count;
	int64_t *kind_rows;  /* by stored id: kinds.id */
	struct map *current; /* by stored id: key → id of its newest row */
	struct arena undo_arena;
	struct former_state *undo;
	size_t undo_count, undo_cap;
	struct sqlite_numbers numbers, written_numbers; /* now; as on disk */
	struct buf payload;
	int wal_pages;
	bool is_full;	/* the last transaction found no room */
	bool is_broken; /* after an I/O error: touch nothing */
};

/* What went wrong in db.  RC_IO, or RC_INTERNAL when the disk is full. */
[[nodiscard]] enum rc sqlite_failed(struct backend *b, const char *what, struct err *err);
[[nodiscard]] enum rc sqlite_run(struct backend *b, const char *sql, struct err *err);

/* Binds the int64s given and steps once; SQLITE_ROW or SQLITE_DONE in *ret_step. */
[[nodiscard]] enum rc sqlite_step(struct backend *b, sqlite3_stmt *statement, int *ret_step,
				  struct err *err);
[[nodiscard]] enum rc sqlite_begin(struct backend *b, struct err *err);
[[nodiscard]] enum rc sqlite_end(struct backend *b, struct err *err); /* commits */
void sqlite_undo(struct backend *b);
[[nodiscard]] enum rc sqlite_write_meta(struct backend *b, struct err *err);
uint32_t sqlite_crc(struct str key, struct str payload);

/* The row of what exists now; 0: nothing does. */
int64_t sqlite_current(const struct backend *b, uint16_t stored_id, struct str key);
void sqlite_set_current(struct backend *b, uint16_t stored_id, struct str key, int64_t id);
/* The same in a transaction: when it fails, the former row is current again. */
void sqlite_change_current(struct backend *b, uint16_t stored_id, struct str key, int64_t id);

enum rc sqlite_load(struct backend *b, struct backend_load *load, struct err *err);
enum rc sqlite_commit(struct backend *b, const struct list *commits, int64_t *ret_reserved_until,
		      uint64_t *ret_bytes, struct err *err);

#endif
