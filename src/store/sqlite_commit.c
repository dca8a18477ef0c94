/* One transaction of the SQLite backend: the writes of a batch, a step of compaction, a new block
 * of revisions when the old one runs out. */
#include "base/mem.h"
#include "store/sqlite.h"

#define COMPACT_SLACK 64 /* rows over the ring's length before compaction starts */

static enum rc drop_row(struct backend *b, int64_t id, struct err *err)
{
	sqlite3_stmt *s = b->statements[STATEMENT_DROP];
	int step;
	sqlite3_bind_int64(s, 1, id);
	TRY(sqlite_step(b, s, &step, err));
	sqlite3_reset(s);
	return RC_OK;
}

static struct str make_payload(struct backend *b, const struct object *o)
{
	static const char header[PAYLOAD_HEADER] = {PAYLOAD_FORMAT, PAYLOAD_JSON, 0, 0};
	buf_reset(&b->payload);
	buf_add(&b->payload, header, sizeof(header));
	object_write(&b->payload, o);
	ASSERT(!b->payload.is_full);
	return buf_str(&b->payload);
}

static enum rc insert_row(struct backend *b, const struct entry *e, struct str key, int64_t id,
			  int64_t prev_id, uint64_t *bytes, struct err *err)
{
	sqlite3_stmt *s = b->statements[STATEMENT_INSERT];
	struct str payload = make_payload(b, e->object);
	int step;
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, b->kind_rows[e->stored_id]);
	sqlite3_bind_blob(s, 3, key.at, (int)key.len, SQLITE_STATIC);
	sqlite3_bind_int64(s, 4, prev_id);
	sqlite3_bind_int64(s, 5, world_wall_us() / 1000000);
	sqlite3_bind_int64(s, 6, e->is_delete ? ROW_DELETE : 0);
	sqlite3_bind_int64(s, 7, sqlite_crc(key, payload));
	sqlite3_bind_blob(s, 8, payload.at, (int)payload.len, SQLITE_STATIC);
	TRY(sqlite_step(b, s, &step, err));
	sqlite3_reset(s);
	*bytes += payload.len;
	return RC_OK;
}

static enum rc mark_lazy(struct backend *b, uint16_t stored_id, struct err *err)
{
	sqlite3_stmt *s = b->statements[STATEMENT_SET_LAZY];
	int step;
	sqlite3_bind_int64(s, 1, b->kind_rows[stored_id]);
	TRY(sqlite_step(b, s, &step, err));
	sqlite3_reset(s);
	return RC_OK;
}

/* A lazy write may come to the disk when its event has already left the ring: then no later step of
 * compaction passes by to drop the state it replaced. */
static enum rc write_behind_floor(struct backend *b, const struct entry *e, struct str key,
				  int64_t id, int64_t prev_id, uint64_t *bytes, struct err *err)
{
	if (prev_id)
		TRY(drop_row(b, prev_id, err));
	return e->is_delete ? RC_OK : insert_row(b, e, key, id, 0, bytes, err);
}

static enum rc write_entry(struct backend *b, const struct entry *e, uint64_t *bytes,
			   struct err *err)
{
	char packed[STORE_KEY_MAX + 8];
	struct str key = str_n(packed, key_pack(packed, e->object->namespace, e->object->name));
	int64_t id = STATE_ID(e->revision, e->sequence);
	int64_t prev_id = sqlite_current(b, e->stored_id, key);
	ASSERT(key.len > 0 && prev_id < id);
	if (e->is_first_lazy)
		TRY(mark_lazy(b, e->stored_id, err));
	sqlite_change_current(b, e->stored_id, key, e->is_delete ? 0 : id);
	if (id <= b->numbers.floor_id)
		return write_behind_floor(b, e, key, id, prev_id, bytes, err);
	b->numbers.ring_count++;
	return insert_row(b, e, key, id, prev_id, bytes, err);
}

/* --- compaction --- */

static enum rc compact_oldest(struct backend *b, struct err *err)
{
	sqlite3_stmt *s = b->statements[STATEMENT_OLDEST];
	int step;
	sqlite3_bind_int64(s, 1, b->numbers.floor_id);
	TRY(sqlite_step(b, s, &step, err));
	ASSERT(step == SQLITE_ROW);
	int64_t id = sqlite3_column_int64(s, 0), prev_id = sqlite3_column_int64(s, 1);
	bool is_delete = sqlite3_column_int64(s, 2) & ROW_DELETE;
	sqlite3_reset(s);
	if (prev_id)
		TRY(drop_row(b, prev_id, err));
	if (is_delete)
		TRY(drop_row(b, id, err));
	b->numbers.floor_id = id;
	b->numbers.ring_count--;
	return RC_OK;
}

/* Twice as many rows as were written leave the ring, so it never grows and no commit waits long.
 * On a full disk all history goes: its room is for those who delete. */
static enum rc compact(struct backend *b, int64_t written, struct err *err)
{
	int64_t keep = b->is_full ? 0 : STORE_RING_EVENTS;
	if (b->numbers.ring_count <= keep + COMPACT_SLACK)
		return RC_OK;
	for (int64_t steps = 2 * written + COMPACT_SLACK; steps > 0 && b->numbers.ring_count > keep;
	     steps--)
		TRY(compact_oldest(b, err));
	return RC_OK;
}

/* --- the transaction --- */

static enum rc write_all(struct backend *b, const struct list *commits, uint64_t *bytes,
			 struct err *err)
{
	int64_t written = 0, newest = 0;
	struct commit *c;
	LIST_FOR_EACH (c, commits, queue_link) {
		for (size_t i = 0; i < c->count; i++) {
			TRY(write_entry(b, &c->entries[i], bytes, err));
			newest = MAX(newest, c->entries[i].revision);
		}
		written += (int64_t)c->count;
	}
	TRY(compact(b, written, err));
	if (newest + STATE_BLOCK / 2 > b->numbers.reserved_until)
		b->numbers.reserved_until = newest + STATE_BLOCK;
	if (memcmp(&b->numbers, &b->written_numbers, offsetof(struct sqlite_numbers, ring_count)))
		TRY(sqlite_write_meta(b, err));
	return RC_OK;
}

static enum rc transaction(struct backend *b, const struct list *commits, uint64_t *bytes,
			   struct err *err)
{
	*bytes = 0;
	enum rc rc = sqlite_begin(b, err);
	if (rc == RC_OK)
		rc = write_all(b, commits, bytes, err);
	if (rc == RC_OK)
		rc = sqlite_end(b, err);
	if (rc != RC_OK)
		sqlite_undo(b);
	return b->is_broken ? RC_IO : rc;
}

static bool all_free_space(const struct list *commits)
{
	struct commit *c;
	LIST_FOR_EACH (c, commits, queue_link)
		if (!commit_frees_space(c))
			return false;
	return true;
}

enum rc sqlite_commit(struct backend *b, const struct list *commits, int64_t *ret_reserved_until,
		      uint64_t *ret_bytes, struct err *err)
{
	ASSERT(!b->is_broken);
	bool was_full = b->is_full, is_freeing = all_free_space(commits);
	enum rc rc = transaction(b, commits, ret_bytes, err);
	if (rc == RC_INTERNAL && is_freeing && folder_drop_ballast(&b->folder))
		rc = transaction(b, commits, ret_bytes, err);
	if (rc != RC_OK)
		return rc;
	if (was_full && !is_freeing) {
		b->is_full = false;
		folder_restore_ballast(&b->folder);
	}
	*ret_reserved_until = b->numbers.reserved_until;
	return RC_OK;
}
