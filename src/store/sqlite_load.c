/* What a start reads from SQLite: the objects that exist, the durable ring, and where revisions
 * begin.
 *
 * After a clean stop the run begins at the last revision given.  Otherwise it begins at the end of
 * the reserved block, and lazy writes may be lost: the history of a kind that has them starts anew,
 * and who read it gets 410.  Every other kind is whole, also for a reader whose newest revision was
 * that of a lazy write to another kind. */
#include "base/log.h"
#include "base/mem.h"
#include "store/sqlite.h"

#define REPLAY_BYTES (4 << 20)

struct row {
	int64_t id, prev_id;
	bool is_delete;
	struct str key, payload;
	uint32_t crc;
};

struct loading {
	struct backend *b;
	struct backend_load *load;
	int64_t row_kind_max;
	int32_t *stored_ids; /* by kinds.id; -1: a kind that this program does not know */
	struct map states;   /* id → struct object *, of the ring */
	sqlite3_stmt *by_id;
	bool is_clean;
};

static enum rc prepare(struct backend *b, const char *sql, sqlite3_stmt **ret_statement,
		       struct err *err)
{
	if (sqlite3_prepare_v2(b->db, sql, -1, ret_statement, NULL) != SQLITE_OK)
		return sqlite_failed(b, "read", err);
	return RC_OK;
}

static void finalize_p(sqlite3_stmt **s)
{
	sqlite3_finalize(*s);
}

/* --- kinds --- */

static int stored_id_by_name(const struct backend_load *load, const char *name)
{
	char resource[RESOURCE_NAME_MAX];
	for (uint32_t i = 0; i < load->api->stored_count; i++)
		if (resource_name(load->api, (uint16_t)i, resource) && !strcmp(resource, name))
			return (int)i;
	return -1;
}

static void take_kind(struct loading *l, int64_t row, const char *name, bool has_lazy)
{
	if (row > l->row_kind_max) {
		l->stored_ids =
			mem_resize(l->stored_ids, (size_t)(row + 1) * sizeof(l->stored_ids[0]));
		while (l->row_kind_max < row)
			l->stored_ids[++l->row_kind_max] = -1;
	}
	int stored_id = stored_id_by_name(l->load, name);
	l->stored_ids[row] = stored_id;
	if (stored_id < 0) {
		log_warn("store", "objects of '%s' are kept but not served: unknown kind", name);
		return;
	}
	l->b->kind_rows[stored_id] = row;
	l->load->is_kind_lazy[stored_id] = has_lazy;
}

static enum rc read_kinds(struct loading *l, struct err *err)
{
	CLEANUP(finalize_p) sqlite3_stmt *s = NULL;
	int step;
	TRY(prepare(l->b, "SELECT id, name, has_lazy FROM kinds ORDER BY id", &s, err));
	for (;;) {
		TRY(sqlite_step(l->b, s, &step, err));
		if (step != SQLITE_ROW)
			return RC_OK;
		int64_t row = sqlite3_column_int64(s, 0);
		if (row < 0 || row > UINT16_MAX)
			return err_set(err, RC_UNAVAILABLE,
				       "'%s' is damaged: kind number %lld; restore a backup",
				       l->b->path, (long long)row);
		take_kind(l, row, (const char *)sqlite3_column_text(s, 1),
			  sqlite3_column_int(s, 2));
	}
}

/* Every kind of the program gets its number. */
static enum rc add_kinds(struct loading *l, struct err *err)
{
	CLEANUP(finalize_p) sqlite3_stmt *s = NULL;
	char resource[RESOURCE_NAME_MAX];
	int step;
	TRY(prepare(l->b, "INSERT INTO kinds(name) VALUES(?1)", &s, err));
	for (uint32_t i = 0; i < l->load->api->stored_count; i++) {
		if (l->b->kind_rows[i] || !resource_name(l->load->api, (uint16_t)i, resource))
			continue;
		sqlite3_bind_text(s, 1, resource, -1, SQLITE_STATIC);
		TRY(sqlite_step(l->b, s, &step, err));
		sqlite3_reset(s);
		l->b->kind_rows[i] = sqlite3_last_insert_rowid(l->b->db);
	}
	return RC_OK;
}

/* --- rows --- */

static struct str column_bytes(sqlite3_stmt *s, int column)
{
	const char *bytes = sqlite3_column_blob(s, column);
	return str_n(bytes ? bytes : "", (size_t)sqlite3_column_bytes(s, column));
}

static struct row row_of(sqlite3_stmt *s)
{
	return (struct row){
		.id = sqlite3_column_int64(s, 0),
		.prev_id = sqlite3_column_int64(s, 1),
		.is_delete = sqlite3_column_int64(s, 2) & ROW_DELETE,
		.key = column_bytes(s, 3),
		.crc = (uint32_t)sqlite3_column_int64(s, 4),
		.payload = column_bytes(s, 5),
	};
}

#define ROW_COLUMNS "l.id, l.prev_id, l.flags, l.key, l.crc, l.payload"

static enum rc damaged(const struct loading *l, const struct row *row, const char *what,
		       struct err *err)
{
	struct str namespace, name;
	str_cut(row->key, 0, &namespace, &name);
	return err_set(err, RC_UNAVAILABLE,
		       "'%s' is damaged: revision %lld of '%.*s/%.*s' %s; restore a backup",
		       l->b->path, (long long)STATE_ID_REVISION(row->id), STR_FMT(namespace),
		       STR_FMT(name), what);
}

static enum rc parse_row(const struct loading *l, int stored_id, const struct row *row,
			 struct object **ret_object, struct err *err)
{
	if (row->payload.len < PAYLOAD_HEADER || row->crc != sqlite_crc(row->key, row->payload))
		return damaged(l, row, "has a wrong checksum", err);
	const unsigned char *header = (const unsigned char *)row->payload.at;
	if (header[0] > PAYLOAD_FORMAT)
		return err_set(err, RC_UNAVAILABLE,
			       "'%s' has objects of format %d, this skeg (%s) knows formats up to "
			       "%d; start the newer skeg that wrote it",
			       l->b->path, header[0], SKEG_VERSION, PAYLOAD_FORMAT);
	if (header[1] != PAYLOAD_JSON || header[2] || header[3])
		return damaged(l, row, "has an unknown encoding", err);
	enum rc rc = object_parse(api_by_stored(l->load->api, (uint16_t)stored_id),
				  str_skip(row->payload, PAYLOAD_HEADER),
				  STATE_ID_REVISION(row->id), ret_object, err);
	if (rc != RC_OK)
		err_wrap(err, "'%s', revision %lld", l->b->path,
			 (long long)STATE_ID_REVISION(row->id));
	return rc;
}

static int stored_id_of(const struct loading *l, int64_t kind)
{
	return kind >= 0 && kind <= l->row_kind_max ? l->stored_ids[kind] : -1;
}

/* The last row of a key is its state; a row that stays behind a delete is not there (compaction).
 */
static enum rc find_current(struct loading *l, struct err *err)
{
	CLEANUP(finalize_p) sqlite3_stmt *s = NULL;
	int step;
	TRY(prepare(l->b, "SELECT id, flags, kind, key FROM log ORDER BY id", &s, err));
	for (;;) {
		TRY(sqlite_step(l->b, s, &step, err));
		if (step != SQLITE_ROW)
			return RC_OK;
		int stored_id = stored_id_of(l, sqlite3_column_int64(s, 2));
		bool is_delete = sqlite3_column_int64(s, 1) & ROW_DELETE;
		if (stored_id >= 0)
			sqlite_set_current(l->b, (uint16_t)stored_id, column_bytes(s, 3),
					   is_delete ? 0 : sqlite3_column_int64(s, 0));
	}
}

static enum rc read_current(struct loading *l, struct err *err)
{
	CLEANUP(finalize_p) sqlite3_stmt *s = NULL;
	int step;
	TRY(find_current(l, err));
	TRY(prepare(l->b, "SELECT " ROW_COLUMNS ", l.kind FROM log l ORDER BY l.id", &s, err));
	for (;;) {
		TRY(sqlite_step(l->b, s, &step, err));
		if (step != SQLITE_ROW)
			return RC_OK;
		struct row row = row_of(s);
		int stored_id = stored_id_of(l, sqlite3_column_int64(s, 6));
		if (stored_id < 0 || sqlite_current(l->b, (uint16_t)stored_id, row.key) != row.id)
			continue;
		struct object *o;
		TRY(parse_row(l, stored_id, &row, &o, err));
		object_unref(btree_set(&l->load->trees[stored_id], o));
	}
}

/* --- the durable ring --- */

static void keep_state(struct loading *l, int64_t id, struct object *own_object)
{
	object_unref(map_set(&l->states, str_n((const char *)&id, sizeof(id)), own_object));
}

static struct object *known_state(const struct loading *l, int stored_id, const struct row *row)
{
	struct object *o = map_get(&l->states, str_n((const char *)&row->id, sizeof(row->id)));
	if (o)
		return object_ref(o);
	struct str namespace, name;
	str_cut(row->key, 0, &namespace, &name);
	o = btree_get(&l->load->trees[stored_id], (struct btree_key){namespace, name});
	return o && o->revision == STATE_ID_REVISION(row->id) ? object_ref(o) : NULL;
}

static enum rc state_of(struct loading *l, int stored_id, const struct row *row,
			struct object **ret_object, struct err *err)
{
	*ret_object = known_state(l, stored_id, row);
	if (!*ret_object)
		TRY(parse_row(l, stored_id, row, ret_object, err));
	keep_state(l, row->id, object_ref(*ret_object));
	return RC_OK;
}

/* *ret_object NULL: there was none, or the row is gone. */
static enum rc state_by_id(struct loading *l, int stored_id, int64_t id, struct object **ret_object,
			   struct err *err)
{
	int step;
	*ret_object = NULL;
	if (id == 0)
		return RC_OK;
	sqlite3_bind_int64(l->by_id, 1, id);
	TRY(sqlite_step(l->b, l->by_id, &step, err));
	struct row row = {};
	enum rc rc = RC_OK;
	if (step == SQLITE_ROW) {
		row = row_of(l->by_id);
		rc = state_of(l, stored_id, &row, ret_object, err);
	}
	sqlite3_reset(l->by_id);
	return rc;
}

static enum rc replay(struct loading *l, int stored_id, const struct row *row, struct err *err)
{
	struct ring *ring = &l->load->rings[stored_id];
	struct ring_event event = {.revision = STATE_ID_REVISION(row->id),
				   .time_ms = world_mono_ms(),
				   .is_delete = row->is_delete};
	TRY(state_by_id(l, stored_id, row->prev_id, &event.old, err));
	if (row->prev_id && !event.old) { /* history before it is of no use */
		ring_set_floor(ring, event.revision);
		return RC_OK;
	}
	enum rc rc = state_of(l, stored_id, row, &event.object, err);
	if (rc != RC_OK) {
		object_unref(event.old);
		return rc;
	}
	if (row->is_delete && !event.old) /* only lazy writes came before, none reached the disk */
		event.old = object_ref(event.object);
	ring_append(ring, &event);
	return RC_OK;
}

/* The row after which replaying begins: no older than rings would keep it, no more than is read in
 * the blink of an eye. */
static enum rc find_replay_start(struct loading *l, int64_t *ret_after_id, struct err *err)
{
	CLEANUP(finalize_p) sqlite3_stmt *s = NULL;
	int64_t oldest_s = (world_wall_us() / 1000 - STORE_RING_AGE_MS) / 1000, bytes = 0;
	int64_t floor_id = l->b->numbers.floor_id;
	int step;
	TRY(prepare(l->b,
		    "SELECT id, time_s, length(payload) FROM log WHERE id > ?1 ORDER BY id DESC",
		    &s, err));
	sqlite3_bind_int64(s, 1, floor_id);
	*ret_after_id = floor_id;
	for (;;) {
		TRY(sqlite_step(l->b, s, &step, err));
		if (step != SQLITE_ROW)
			return RC_OK;
		l->b->numbers.ring_count++;
		bytes += sqlite3_column_int64(s, 2);
		bool is_too_much = bytes > REPLAY_BYTES || sqlite3_column_int64(s, 1) < oldest_s;
		if (is_too_much && *ret_after_id == floor_id)
			*ret_after_id = sqlite3_column_int64(s, 0);
	}
}

static enum rc replay_all(struct loading *l, int64_t after_id, struct err *err)
{
	CLEANUP(finalize_p) sqlite3_stmt *s = NULL;
	int step;
	TRY(prepare(l->b, "SELECT " ROW_COLUMNS ", l.kind FROM log l WHERE l.id > ?1 ORDER BY l.id",
		    &s, err));
	sqlite3_bind_int64(s, 1, after_id);
	for (;;) {
		TRY(sqlite_step(l->b, s, &step, err));
		if (step != SQLITE_ROW)
			return RC_OK;
		struct row row = row_of(s);
		int stored_id = stored_id_of(l, sqlite3_column_int64(s, 6));
		if (stored_id >= 0 && (l->is_clean || !l->load->is_kind_lazy[stored_id]))
			TRY(replay(l, stored_id, &row, err));
	}
}

static void set_floors(struct loading *l, int64_t after_id)
{
	int64_t floor = STATE_ID_REVISION(after_id);
	for (uint32_t i = 0; i < l->load->api->stored_count; i++) {
		bool is_lost = !l->is_clean && l->load->is_kind_lazy[i];
		ring_set_floor(&l->load->rings[i], is_lost ? l->load->revision : floor);
	}
}

static enum rc read_ring(struct loading *l, struct err *err)
{
	int64_t after_id;
	TRY(find_replay_start(l, &after_id, err));
	set_floors(l, after_id);
	TRY(prepare(l->b, "SELECT " ROW_COLUMNS " FROM log l WHERE l.id = ?1", &l->by_id, err));
	enum rc rc = replay_all(l, after_id, err);
	for (struct map_entry *e = map_next(&l->states, NULL); e; e = map_next(&l->states, e))
		object_unref(e->value);
	return rc;
}

/* --- numbers --- */

static enum rc read_meta(struct loading *l, struct err *err)
{
	CLEANUP(finalize_p) sqlite3_stmt *s = NULL;
	int step;
	TRY(prepare(l->b, "SELECT reserved_until, clean_revision, floor_id FROM meta", &s, err));
	TRY(sqlite_step(l->b, s, &step, err));
	if (step != SQLITE_ROW)
		return err_set(err, RC_UNAVAILABLE,
			       "'%s' is damaged: no meta row; restore a backup", l->b->path);
	struct sqlite_numbers *n = &l->b->numbers;
	n->reserved_until = sqlite3_column_int64(s, 0);
	n->clean_revision = sqlite3_column_int64(s, 1);
	n->floor_id = sqlite3_column_int64(s, 2);
	l->is_clean = n->clean_revision > 0;
	l->load->revision = l->is_clean ? n->clean_revision : n->reserved_until;
	return RC_OK;
}

/* From here on a crash is a crash. */
static enum rc start_run(struct loading *l, struct err *err)
{
	struct sqlite_numbers *n = &l->b->numbers;
	n->clean_revision = 0;
	n->reserved_until = l->load->revision + STATE_BLOCK;
	l->load->reserved_until = n->reserved_until;
	TRY(sqlite_begin(l->b, err));
	TRY(add_kinds(l, err));
	TRY(sqlite_write_meta(l->b, err));
	return sqlite_end(l->b, err);
}

static enum rc load_all(struct loading *l, struct err *err)
{
	TRY(read_meta(l, err));
	TRY(read_kinds(l, err));
	TRY(read_current(l, err));
	TRY(read_ring(l, err));
	return start_run(l, err);
}

enum rc sqlite_load(struct backend *b, struct backend_load *load, struct err *err)
{
	struct loading l = {.b = b, .load = load, .row_kind_max = -1};
	enum rc rc = load_all(&l, err);
	sqlite3_finalize(l.by_id);
	map_done(&l.states);
	free(l.stored_ids);
	if (rc != RC_OK)
		sqlite_undo(b);
	sqlite3_db_release_memory(b->db);
	return rc;
}
