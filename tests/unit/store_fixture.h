/* What the programs that test the store share: a store with its loop, small objects, waiting. */
#ifndef SKEG_TESTS_STORE_FIXTURE_H
#define SKEG_TESTS_STORE_FIXTURE_H

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "api/api_ids.h"
#include "base/mem.h"
#include "store/store.h"

struct fixture {
	bool is_sqlite, is_inline;
	const char *vfs;
	char folder[64];
	struct loop *loop;
	struct store *store;
	int fatal_count;
	struct err err;
};

static inline void fixture_fatal(void *ctx, const struct err *err)
{
	struct fixture *f = ctx;
	f->fatal_count++;
}

[[maybe_unused]] static enum rc fixture_try_open(struct fixture *f)
{
	struct store_config config = {
		.api = api_builtin(),
		.loop = f->loop,
		.folder = f->is_sqlite ? f->folder : NULL,
		.vfs = f->vfs,
		.is_inline = f->is_inline,
		.on_fatal = fixture_fatal,
		.ctx = f,
	};
	return store_open(&config, &f->store, &f->err);
}

[[maybe_unused]] static void fixture_open(struct fixture *f)
{
	f->loop = loop_new();
	if (fixture_try_open(f) != RC_OK)
		fail_msg("%s", f->err.text);
}

[[maybe_unused]] static void fixture_close(struct fixture *f)
{
	store_close(TAKE_PTR(f->store));
	loop_run_once(f->loop, 0); /* nothing of the store may be left in it */
	loop_free(TAKE_PTR(f->loop));
}

[[maybe_unused]] static void fixture_restart(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

[[maybe_unused]] static void folder_make(char folder[64])
{
	snprintf(folder, 64, "/tmp/skeg-store-XXXXXX");
	assert_non_null(mkdtemp(folder));
}

[[maybe_unused]] static void folder_copy_file(const char *from, const char *to, const char *name)
{
	char path[512], bytes[65536];
	snprintf(path, sizeof(path), "%s/%s", from, name);
	CLEANUP(close_fd_p) int in = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "%s/%s", to, name);
	CLEANUP(close_fd_p) int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(in >= 0 && out >= 0);
	for (ssize_t n; (n = read(in, bytes, sizeof(bytes))) > 0;)
		assert_int_equal(write(out, bytes, (size_t)n), n);
}

/* Only files, as a database's folder has. */
[[maybe_unused]] static void folder_each(
	const char *folder, void (*fn)(const char *folder, const char *name, void *ctx), void *ctx)
{
	DIR *dir = opendir(folder);
	assert_non_null(dir);
	for (struct dirent *e; (e = readdir(dir));)
		if (e->d_name[0] != '.')
			fn(folder, e->d_name, ctx);
	closedir(dir);
}

static inline void folder_unlink_file(const char *folder, const char *name, void *ctx)
{
	char path[512];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	unlink(path);
}

static inline void folder_copy_one(const char *folder, const char *name, void *ctx)
{
	folder_copy_file(folder, ctx, name);
}

/* Of a database that may be open or dead: what a crash would leave. */
[[maybe_unused]] static void folder_copy(const char *from, char to[64])
{
	folder_make(to);
	folder_each(from, folder_copy_one, to);
}

[[maybe_unused]] static void folder_remove(const char *folder)
{
	folder_each(folder, folder_unlink_file, NULL);
	rmdir(folder);
}

/* --- objects: any kind will do, they carry one number --- */

static int object_padding; /* bytes more of each object */

[[maybe_unused]] static struct object *object_make(uint16_t kind, const char *namespace,
						   const char *name, int value)
{
	CLEANUP_BUF text = BUF_INIT(1 << 20);
	struct object *o;
	struct err err;
	buf_printf(&text, "{\"metadata\":{\"name\":\"%s\",", name);
	if (namespace)
		buf_printf(&text, "\"namespace\":\"%s\",", namespace);
	if (object_padding > 0)
		buf_printf(&text, "\"annotations\":{\"padding\":\"%0*d\"},", object_padding, 0);
	buf_printf(&text, "\"labels\":{\"value\":\"v%dv\"}}}", value);
	const struct api_kind *k = api_by_stored(api_builtin(), kind);
	if (object_parse(k, buf_str(&text), 0, &o, &err) != RC_OK)
		fail_msg("%s", err.text);
	return o;
}

[[maybe_unused]] static int object_value(const struct object *o)
{
	int64_t value = -1;
	struct str text = o ? object_label(o, STR("value")) : (struct str){};
	if (text.len > 2)
		str_to_i64(str_n(text.at + 1, text.len - 2), &value);
	return (int)value;
}

/* --- writing and waiting --- */

struct waiter {
	struct store_ticket ticket;
	bool is_done;
	char error[256];
};

static inline void waiter_done(struct store_ticket *ticket)
{
	struct waiter *w = CONTAINER_OF(ticket, struct waiter, ticket);
	assert_false(w->is_done);
	assert_int_equal(ticket->rc != RC_OK, ticket->err != NULL);
	if (ticket->err)
		snprintf(w->error, sizeof(w->error), "%.250s", ticket->err->text);
	w->is_done = true;
}

static inline struct waiter waiter_make(void)
{
	return (struct waiter){.ticket.done = waiter_done};
}

[[maybe_unused]] static enum rc waiter_wait(struct fixture *f, struct waiter *w)
{
	for (int i = 0; i < 2000 && !w->is_done; i++)
		loop_run_once(f->loop, 10);
	assert_true(w->is_done);
	return w->ticket.rc;
}

static inline struct store_write write_make(uint16_t kind, const char *namespace, const char *name,
					    int value, int64_t expect)
{
	struct object *o = object_make(kind, namespace, name, value);
	return (struct store_write){.stored_id = kind,
				    .namespace = o->namespace,
				    .name = o->name,
				    .expect = expect,
				    .object = o};
}

/* Accepted or not; w may be NULL. */
[[maybe_unused]] static enum rc put(struct fixture *f, uint16_t kind, const char *namespace,
				    const char *name, int value, int64_t expect, struct waiter *w)
{
	struct store_write write = write_make(kind, namespace, name, value, expect);
	return store_commit(f->store, &write, 1, w ? &w->ticket : NULL, &f->err);
}

[[maybe_unused]] static enum rc drop(struct fixture *f, uint16_t kind, const char *namespace,
				     const char *name, int64_t expect, struct waiter *w)
{
	struct store_write write = write_make(kind, namespace, name, -2, expect);
	write.is_delete = true;
	return store_commit(f->store, &write, 1, w ? &w->ticket : NULL, &f->err);
}

/* The revision, after it has become durable. */
[[maybe_unused]] static int64_t put_wait(struct fixture *f, uint16_t kind, const char *namespace,
					 const char *name, int value, int64_t expect)
{
	struct waiter w = waiter_make();
	if (put(f, kind, namespace, name, value, expect, &w) != RC_OK)
		fail_msg("%s", f->err.text);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	return w.ticket.revision;
}

[[maybe_unused]] static int64_t drop_wait(struct fixture *f, uint16_t kind, const char *namespace,
					  const char *name, int64_t expect)
{
	struct waiter w = waiter_make();
	if (drop(f, kind, namespace, name, expect, &w) != RC_OK)
		fail_msg("%s", f->err.text);
	assert_int_equal(waiter_wait(f, &w), RC_OK);
	return w.ticket.revision;
}

/* As of the newest snapshot; -1 when absent. */
[[maybe_unused]] static int get(struct fixture *f, uint16_t kind, const char *namespace,
				const char *name)
{
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(f->store);
	return object_value(snapshot_get(s, kind, str_of(namespace), str_of(name)));
}

[[maybe_unused]] static int64_t revision(struct fixture *f)
{
	CLEANUP(snapshot_unref_p) struct snapshot *s = store_snapshot(f->store);
	return snapshot_revision(s);
}

#endif
