/* backend: where the store's commits become durable.
 *
 * An ops table with one conformance suite (tests/unit/test_store.c).  A backend is opened and
 * loaded on the owner's thread; commit() and tidy() then run on the store thread (or on the
 * owner's, when the backend needs no thread); close() on the owner's after that thread has ended.
 * No two calls at once.
 *
 * Errors of commit(): nothing of the batch was kept.  RC_IO: what is on disk is unknown, the
 * process must end; anything else goes to the writers. */
#ifndef SKEG_STORE_BACKEND_H
#define SKEG_STORE_BACKEND_H

#include "base/btree.h"
#include "base/err.h"
#include "base/list.h"

struct api;
struct ring;
struct backend;

struct backend_config {
	const struct api *api;
	const char *folder, *vfs;
};

/* What a start finds; load() fills it. */
struct backend_load {
	const struct api *api;
	struct btree *trees;	/* by stored id, empty */
	struct ring *rings;	/* by stored id, empty */
	bool *is_kind_lazy;	/* by stored id */
	int64_t revision;	/* where this run begins */
	int64_t reserved_until; /* revisions below may be given without asking the disk */
};

struct backend_ops {
	const char *name;
	bool needs_thread;
	enum rc (*open)(const struct backend_config *config, struct backend **ret_backend,
			struct err *err);
	enum rc (*load)(struct backend *b, struct backend_load *load, struct err *err);
	/* One transaction; commits is a list of struct commit by queue_link. */
	enum rc (*commit)(struct backend *b, const struct list *commits,
			  int64_t *ret_reserved_until, uint64_t *ret_bytes, struct err *err);
	/* After the writers of a batch have been told: checkpoints. */
	enum rc (*tidy)(struct backend *b, struct err *err);
	/* revision: the last one given, when everything is on disk; 0 after an error. */
	void (*close)(struct backend *b, int64_t revision);
};

extern const struct backend_ops backend_memory;
extern const struct backend_ops backend_sqlite;

#endif
