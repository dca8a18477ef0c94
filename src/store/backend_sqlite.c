/* The SQLite backend: opening, checking and closing the file; sqlite_load.c reads it,
 * sqlite_commit.c writes it, sqlite.h tells the schema.
 *
 * WAL with synchronous=FULL: a commit is one append and one sync.  The file belongs to this process
 * (exclusive lock, so the WAL's index is plain memory).  Checkpoints run right after a commit that
 * left the WAL long, when its writers have been told; never by a timer. */
#include <errno.h>

#include "base/encode.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite.h"

#define CHECKPOINT_PAGES      1000
#define CHECKPOINT_PAGES_FULL 50 /* on a full disk the WAL must not take what deletes need */

static const char *const statement_texts[STATEMENT_COUNT] = {
	[STATEMENT_BEGIN] = "BEGIN IMMEDIATE",
	[STATEMENT_COMMIT] = "COMMIT",
	[STATEMENT_ROLLBACK] = "ROLLBACK",
	[STATEMENT_INSERT] = "INSERT INTO log(id, kind, key, prev_id, time_s, flags, crc, "
			     "payload) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[STATEMENT_DROP] = "DELETE FROM log WHERE id = ?1",
	[STATEMENT_OLDEST] = "SELECT id, prev_id, flags FROM log WHERE id > ?1 ORDER BY id LIMIT 1",
	[STATEMENT_SET_META] = "UPDATE meta SET reserved_until = ?1, clean_revision = ?2, "
			       "floor_id = ?3",
	[STATEMENT_SET_LAZY] = "UPDATE kinds SET has_lazy = 1 WHERE id = ?1",
};

static const char schema[] =
	"CREATE TABLE log(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, key BLOB NOT NULL, "
	"prev_id INTEGER NOT NULL, time_s INTEGER NOT NULL, flags INTEGER NOT NULL, crc INTEGER "
	"NOT NULL, "
	"payload BLOB NOT NULL);"
	"CREATE TABLE kinds(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, "
	"has_lazy INTEGER NOT NULL DEFAULT 0);"
	"CREATE TABLE meta(reserved_until INTEGER NOT NULL, clean_revision INTEGER NOT NULL, "
	"floor_id INTEGER NOT NULL);"
	/* 0 has a meaning of its own in the API: the first revision is 1. */
	"INSERT INTO meta VALUES(1, 1, 0);";

/* --- errors and statements --- */

static bool is_full_error(sqlite3 *db, int code)
{
	int sys = sqlite3_system_errno(db);
	return (code & 0xff) == SQLITE_FULL ||
	       ((code & 0xff) == SQLITE_IOERR && code != SQLITE_IOERR_FSYNC &&
		(sys == ENOSPC || sys == EDQUOT));
}

enum rc sqlite_failed(struct backend *b, const char *what, struct err *err)
{
	int code = sqlite3_extended_errcode(b->db);
	if (is_full_error(b->db, code)) {
		b->is_full = true;
		return err_set(err, RC_INTERNAL,
			       "cannot %s '%s': the disk is full; free space on it or delete "
			       "objects (deletes still work)",
			       what, b->path);
	}
	b->is_broken = true;
	return err_set(err, RC_IO,
		       "cannot %s '%s': %s (SQLite code %d); check the disk, then start again",
		       what, b->path, sqlite3_errmsg(b->db), code);
}

enum rc sqlite_run(struct backend *b, const char *sql, struct err *err)
{
	if (sqlite3_exec(b->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return sqlite_failed(b, "prepare", err);
	return RC_OK;
}

enum rc sqlite_step(struct backend *b, sqlite3_stmt *statement, int *ret_step, struct err *err)
{
	int code = sqlite3_step(statement);
	if (code != SQLITE_ROW && code != SQLITE_DONE) {
		bool is_query = sqlite3_column_count(statement) > 0;
		enum rc rc = sqlite_failed(b, is_query ? "read" : "write", err);
		sqlite3_reset(statement);
		return rc;
	}
	*ret_step = code;
	return RC_OK;
}

static enum rc run_statement(struct backend *b, enum statement which, struct err *err)
{
	int step;
	TRY(sqlite_step(b, b->statements[which], &step, err));
	sqlite3_reset(b->statements[which]);
	return RC_OK;
}

/* --- which rows are current --- */

int64_t sqlite_current(const struct backend *b, uint16_t stored_id, struct str key)
{
	return (intptr_t)map_get(&b->current[stored_id], key);
}

void sqlite_set_current(struct backend *b, uint16_t stored_id, struct str key, int64_t id)
{
	if (id)
		map_set(&b->current[stored_id], key, (void *)(intptr_t)id);
	else
		map_remove(&b->current[stored_id], key);
}

void sqlite_change_current(struct backend *b, uint16_t stored_id, struct str key, int64_t id)
{
	b->undo = arena_grow(&b->undo_arena, b->undo, b->undo_count, &b->undo_cap,
			     sizeof(b->undo[0]));
	b->undo[b->undo_count++] = (struct former_state){stored_id, arena_str(&b->undo_arena, key),
							 sqlite_current(b, stored_id, key)};
	sqlite_set_current(b, stored_id, key, id);
}

static void forget_undo(struct backend *b)
{
	arena_reset(&b->undo_arena);
	b->undo = NULL;
	b->undo_count = b->undo_cap = 0;
}

static void undo_current(struct backend *b)
{
	while (b->undo_count > 0) {
		const struct former_state *former = &b->undo[--b->undo_count];
		sqlite_set_current(b, former->stored_id, former->key, former->id);
	}
	forget_undo(b);
}

enum rc sqlite_begin(struct backend *b, struct err *err)
{
	return run_statement(b, STATEMENT_BEGIN, err);
}

enum rc sqlite_end(struct backend *b, struct err *err)
{
	TRY(run_statement(b, STATEMENT_COMMIT, err));
	b->written_numbers = b->numbers;
	forget_undo(b);
	return RC_OK;
}

void sqlite_undo(struct backend *b)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_reset(b->statements[i]);
	b->numbers = b->written_numbers;
	undo_current(b);
	if (!sqlite3_get_autocommit(b->db) && run_statement(b, STATEMENT_ROLLBACK, NULL) != RC_OK)
		b->is_broken = true;
}

enum rc sqlite_write_meta(struct backend *b, struct err *err)
{
	sqlite3_stmt *s = b->statements[STATEMENT_SET_META];
	sqlite3_bind_int64(s, 1, b->numbers.reserved_until);
	sqlite3_bind_int64(s, 2, b->numbers.clean_revision);
	sqlite3_bind_int64(s, 3, b->numbers.floor_id);
	return run_statement(b, STATEMENT_SET_META, err);
}

uint32_t sqlite_crc(struct str key, struct str payload)
{
	return crc32c(crc32c(0, key.at, key.len), payload.at, payload.len);
}

/* --- opening --- */

static int wal_on(void *ctx, sqlite3 *db, const char *name, int pages)
{
	((struct backend *)ctx)->wal_pages = pages;
	return SQLITE_OK;
}

static enum rc read_number(struct backend *b, const char *sql, int64_t *ret_value, struct err *err)
{
	sqlite3_stmt *s;
	int step = SQLITE_DONE;
	if (sqlite3_prepare_v2(b->db, sql, -1, &s, NULL) != SQLITE_OK)
		return sqlite_failed(b, "read", err);
	enum rc rc = sqlite_step(b, s, &step, err);
	*ret_value = rc == RC_OK && step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
	sqlite3_finalize(s);
	return rc;
}

/* *ret_format 0: the file is new. */
static enum rc check_identity(struct backend *b, int64_t *ret_format, struct err *err)
{
	int64_t application, format, tables;
	TRY(read_number(b, "PRAGMA application_id", &application, err));
	TRY(read_number(b, "PRAGMA user_version", &format, err));
	TRY(read_number(b, "SELECT count(*) FROM sqlite_schema", &tables, err));
	*ret_format = 0;
	if (tables == 0)
		return RC_OK;
	if (application != STATE_APPLICATION)
		return err_set(err, RC_UNAVAILABLE,
			       "'%s' is a database of another program; move it away or give "
			       "another folder with --data-dir",
			       b->path);
	if (format > STATE_FORMAT)
		return err_set(err, RC_UNAVAILABLE,
			       "'%s' has format %lld, this skeg (%s) knows formats up to %d; start "
			       "the newer skeg that wrote it, or restore a backup of format %d",
			       b->path, (long long)format, SKEG_VERSION, STATE_FORMAT,
			       STATE_FORMAT);
	*ret_format = format;
	return RC_OK;
}

static enum rc write_identity(struct backend *b, struct err *err)
{
	char numbers[128];
	snprintf(numbers, sizeof(numbers),
		 "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", STATE_APPLICATION,
		 STATE_FORMAT);
	return sqlite_run(b, numbers, err);
}

static enum rc make_schema(struct backend *b, struct err *err)
{
	TRY(sqlite_run(b, "BEGIN IMMEDIATE", err));
	TRY(sqlite_run(b, schema, err));
	return write_identity(b, err);
}

/* Format 1 kept the current rows in a table. */
static enum rc migrate(struct backend *b, int64_t format, struct err *err)
{
	if (format == STATE_FORMAT)
		return RC_OK;
	log_info("store", "'%s' is brought from format %lld to %d", b->path, (long long)format,
		 STATE_FORMAT);
	TRY(sqlite_run(b, "BEGIN IMMEDIATE; DROP TABLE current;", err));
	return write_identity(b, err);
}

static enum rc open_file(struct backend *b, const char *vfs, struct err *err)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		    SQLITE_OPEN_EXRESCODE;
	b->path = mem_printf("%s/" STATE_FILE, b->folder.path);
	TRY(folder_make_file(&b->folder, STATE_FILE, err));
	if (sqlite3_open_v2(b->path, &b->db, flags, vfs) != SQLITE_OK)
		return sqlite_failed(b, "open", err);
	sqlite3_wal_hook(b->db, wal_on, b);
	return sqlite_run(b,
			  "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
			  "PRAGMA synchronous = FULL; PRAGMA cache_size = -2048;"
			  "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
			  /* Zeroing each freed page would cost a page of WAL each. */
			  "PRAGMA secure_delete = FAST;",
			  err);
}

static enum rc prepare_statements(struct backend *b, struct err *err)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (sqlite3_prepare_v3(b->db, statement_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &b->statements[i], NULL) != SQLITE_OK)
			return sqlite_failed(b, "read", err);
	return RC_OK;
}

static enum rc open_all(struct backend *b, const struct backend_config *config, struct err *err)
{
	int64_t format;
	TRY(folder_open(&b->folder, config->folder, err));
	TRY(open_file(b, config->vfs, err));
	TRY(check_identity(b, &format, err));
	TRY(format ? migrate(b, format, err) : make_schema(b, err));
	return prepare_statements(b, err);
}

static void backend_free(struct backend *b)
{
	for (int i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(b->statements[i]);
	if (b->db && b->is_broken)
		sqlite3_db_config(b->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	int code = sqlite3_close(b->db);
	ASSERT(code != SQLITE_BUSY); /* a statement was left */
	folder_done(&b->folder);
	buf_done(&b->payload);
	for (uint32_t i = 0; i < b->kind_count; i++)
		map_done(&b->current[i]);
	free(b->current);
	arena_done(&b->undo_arena);
	free(b->kind_rows);
	free(b->path);
	free(b);
}

static enum rc sqlite_open(const struct backend_config *config, struct backend **ret_backend,
			   struct err *err)
{
	struct backend *b = NEW(struct backend);
	b->payload.max_bytes = 2 * OBJECT_MAX_BYTES;
	b->kind_count = config->api->stored_count;
	b->kind_rows = mem_alloc(b->kind_count * sizeof(b->kind_rows[0]));
	b->current = mem_alloc(b->kind_count * sizeof(b->current[0]));
	enum rc rc = open_all(b, config, err);
	if (rc != RC_OK) {
		backend_free(b);
		return rc;
	}
	*ret_backend = b;
	return RC_OK;
}

/* --- afterwards --- */

static enum rc sqlite_tidy(struct backend *b, struct err *err)
{
	if (b->wal_pages < (b->is_full ? CHECKPOINT_PAGES_FULL : CHECKPOINT_PAGES))
		return RC_OK;
	int code = sqlite3_wal_checkpoint_v2(b->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	b->wal_pages = 0;
	if (code == SQLITE_OK || is_full_error(b->db, code))
		return RC_OK; /* when it is full, the next commit says so to those who write */
	return sqlite_failed(b, "checkpoint", err);
}

static enum rc write_clean(struct backend *b, int64_t revision, struct err *err)
{
	b->numbers.clean_revision = revision;
	TRY(sqlite_begin(b, err));
	TRY(sqlite_write_meta(b, err));
	return sqlite_end(b, err);
}

static void sqlite_close_backend(struct backend *b, int64_t revision)
{
	struct err err;
	if (revision > 0 && !b->is_broken && write_clean(b, revision, &err) != RC_OK) {
		log_warn("store", "the next start will be as after a crash: %s", err.text);
		sqlite_undo(b);
	}
	backend_free(b);
}

const struct backend_ops backend_sqlite = {
	.name = "sqlite",
	.needs_thread = true,
	.open = sqlite_open,
	.load = sqlite_load,
	.commit = sqlite_commit,
	.tidy = sqlite_tidy,
	.close = sqlite_close_backend,
};
