/* Layers of the image store: unpacked once each, deleted when nothing uses them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/map.h"
#include "io/file.h"
#include "node/image_store-int.h"
#include "node/unpack.h"

bool image_store_has_layer(struct image_store *store, const char *diff_id)
{
	return faccessat(store->layers_fd, digest_hex(diff_id), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void image_store_layer_path(const struct image_store *store, const char *diff_id,
			    char out[RUNTIME_PATH_MAX])
{
	snprintf(out, RUNTIME_PATH_MAX, "%s/layers/%s", store->dir, digest_hex(diff_id));
}

/* --- unpacking --- */

static enum rc layer_unpack_into(struct image_store *store, const char *name, const char *digest,
				 const char *diff_id, struct err *err)
{
	static const struct unpack_limits limits = UNPACK_LIMITS_DEFAULT;
	char found[IMAGE_DIGEST_MAX];
	CLEANUP(close_fd_p) int blob_fd = -1;
	CLEANUP(close_fd_p) int dir_fd = -1;
	TRY(file_open_beneath(store->blobs_fd, digest_hex(digest), O_RDONLY, 0, &blob_fd, err));
	if (mkdirat(store->ingest_fd, name, 0755) < 0)
		return err_sys(err, RC_IO, errno, "make folder in %s/ingest", store->dir);
	TRY(file_open_beneath(store->ingest_fd, name, O_RDONLY | O_DIRECTORY, 0, &dir_fd, err));
	if (fchmod(dir_fd, 0755) < 0)
		return err_sys(err, RC_IO, errno, "set mode of a layer's folder");
	TRY(unpack_layer(blob_fd, dir_fd, &limits, found, err));
	if (strcmp(found, diff_id) != 0)
		return err_set(err, RC_INVALID, "unpacked it has digest %s, the image says %s",
			       found, diff_id);
	return RC_OK;
}

static enum rc layer_unpack(struct image_store *store, const char *digest, const char *diff_id,
			    struct err *err)
{
	char name[STORE_NAME_MAX];
	store_ingest_name(name);
	enum rc rc = layer_unpack_into(store, name, digest, diff_id, err);
	if (rc == RC_OK &&
	    renameat(store->ingest_fd, name, store->layers_fd, digest_hex(diff_id)) == 0)
		return RC_OK;
	int sys = errno;
	if (dir_remove_at(store->ingest_fd, name, NULL) != RC_OK)
		log_warn("image", "%s/ingest/%s cannot be removed", store->dir, name);
	if (rc != RC_OK)
		return err_wrap(err, "unpack layer %s", digest);
	if (sys == EEXIST || sys == ENOTEMPTY) /* another image brought the same layer meanwhile */
		return RC_OK;
	return err_sys(err, RC_IO, sys, "keep layer %s", diff_id);
}

enum rc image_store_unpack(struct image_store *store, const struct image_manifest *m,
			   const struct image_config *config, struct err *err)
{
	if (m->layer_count != config->diff_id_count)
		return err_set(err, RC_INVALID,
			       "the manifest has %zu layers, the image's config %zu diff_ids",
			       m->layer_count, config->diff_id_count);
	bool has_new = false;
	for (size_t i = 0; i < m->layer_count; i++) {
		if (image_store_has_layer(store, config->diff_ids[i]))
			continue;
		TRY(layer_unpack(store, m->layers[i].digest, config->diff_ids[i], err));
		has_new = true;
	}
	/* Before the image gets its name: after a power cut a name must not promise torn files. */
	if (has_new && syncfs(store->layers_fd) < 0)
		return err_sys(err, RC_IO, errno, "sync %s", store->dir);
	return RC_OK;
}

/* --- use by containers --- */

static bool user_id_is_valid(const char *id)
{
	return id[0] && id[strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz-")] == '\0';
}

enum rc image_store_use(struct image_store *store, struct str image_id, const char *user_id,
			struct err *err)
{
	ASSERT(user_id_is_valid(user_id));
	store_touch(store, image_id);
	return file_write_at(store->inuse_fd, user_id, image_id, 0600, err);
}

static bool user_read(struct image_store *store, const char *user_id, struct arena *a,
		      struct str *ret_id)
{
	CLEANUP(close_fd_p) int fd = -1;
	if (file_open_beneath(store->inuse_fd, user_id, O_RDONLY, 0, &fd, NULL) != RC_OK ||
	    file_read_fd(fd, user_id, 4096, a, ret_id, NULL) != RC_OK)
		return false;
	*ret_id = str_trim(*ret_id);
	return true;
}

void image_store_unuse(struct image_store *store, const char *user_id)
{
	CLEANUP_ARENA arena = {};
	struct str id;
	ASSERT(user_id_is_valid(user_id));
	if (user_read(store, user_id, &arena, &id))
		store_touch(store, id);
	unlinkat(store->inuse_fd, user_id, 0);
}

/* --- collecting --- */

struct marks {
	struct map blobs, layers; /* sets of hexadecimal digests */
};

static void marks_done(struct marks *m)
{
	map_done(&m->blobs);
	map_done(&m->layers);
}

static void mark_blob(struct marks *m, struct str digest)
{
	if (image_digest_is_valid(digest))
		map_set(&m->blobs, str_skip(digest, 7), m);
}

static enum rc mark_config(struct image_store *store, struct marks *m, struct str id,
			   struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct image_config config;
	mark_blob(m, id);
	enum rc rc = image_store_config(store, id, &arena, &config, err);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	TRY(rc);
	for (size_t i = 0; i < config.diff_id_count; i++)
		map_set(&m->layers, str_of(digest_hex(config.diff_ids[i])), m);
	return RC_OK;
}

static enum rc mark_entry(struct image_store *store, struct marks *m, const struct json *entry,
			  struct err *err)
{
	CLEANUP_ARENA arena = {};
	const struct json *notes = json_get(entry, STR("annotations"));
	struct str digest = json_str(json_get(notes, STR(STORE_ANNOTATION_MANIFEST)));
	struct str text;
	struct json *tree;
	struct image_manifest manifest;
	mark_blob(m, json_str(json_get(entry, STR("digest"))));
	mark_blob(m, digest);
	TRY(mark_config(store, m, json_str(json_get(notes, STR(STORE_ANNOTATION_CONFIG))), err));
	if (!image_digest_is_valid(digest))
		return RC_OK;
	TRY(image_store_read_blob(store, arena_cstr(&arena, digest), &arena, &text, err));
	TRY(json_parse(&arena, text, &tree, NULL, err));
	TRY(image_manifest_read(&arena, tree, &manifest, err));
	for (size_t i = 0; i < manifest.layer_count; i++)
		mark_blob(m, str_of(manifest.layers[i].digest));
	return RC_OK;
}

/* fn for each name in a folder but those that begin with a dot; a fresh descriptor each time, since
 * the position of a shared one is shared too. */
static enum rc names_visit(struct image_store *store, const char *folder,
			   enum rc (*fn)(struct image_store *, void *ctx, const char *name,
					 struct err *),
			   void *ctx, struct err *err)
{
	int fd = -1;
	TRY(file_open_beneath(store->dir_fd, folder, O_RDONLY | O_DIRECTORY, 0, &fd, err));
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return err_sys(err, RC_IO, errno, "list %s/%s", store->dir, folder);
	}
	enum rc rc = RC_OK;
	for (struct dirent *d = readdir(dir); d && rc == RC_OK; d = readdir(dir)) {
		if (d->d_name[0] != '.')
			rc = fn(store, ctx, d->d_name, err);
	}
	closedir(dir);
	return rc;
}

static enum rc mark_user(struct image_store *store, void *marks, const char *name, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct str id;
	return user_read(store, name, &arena, &id) ? mark_config(store, marks, id, err) : RC_OK;
}

static enum rc sweep_blob(struct image_store *store, void *marks, const char *name, struct err *err)
{
	const struct marks *m = marks;
	if (!map_has(&m->blobs, str_of(name)))
		unlinkat(store->blobs_fd, name, 0);
	return RC_OK;
}

static enum rc sweep_layer(struct image_store *store, void *marks, const char *name,
			   struct err *err)
{
	const struct marks *m = marks;
	return map_has(&m->layers, str_of(name)) ? RC_OK
						 : dir_remove_at(store->layers_fd, name, err);
}

static enum rc mark_all(struct image_store *store, struct marks *m, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct json *index;
	TRY(store_index_read(store, &arena, &index, err));
	const struct json *entries = json_get(index, STR("manifests"));
	for (size_t i = 0; i < json_count(entries); i++)
		TRY(mark_entry(store, m, json_at(entries, i), err));
	return names_visit(store, "inuse", mark_user, m, err);
}

enum rc store_sweep(struct image_store *store, struct err *err)
{
	CLEANUP(marks_done) struct marks m = {};
	TRY(mark_all(store, &m, err));
	TRY(names_visit(store, "blobs/sha256", sweep_blob, &m, err));
	return names_visit(store, "layers", sweep_layer, &m, err);
}

enum rc image_store_collect(struct image_store *store, struct err *err)
{
	CLEANUP(close_fd_p) int lock = -1;
	enum rc rc = store_lock(store->dir_fd, "gc.lock", LOCK_EX | LOCK_NB, &lock, err);
	if (rc == RC_CONFLICT)
		return RC_OK;
	TRY(rc);
	return store_sweep(store, err);
}

/* --- users --- */

static enum rc user_add(struct image_store *store, void *ids, const char *name, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct str id;
	if (user_read(store, name, &arena, &id))
		map_set(ids, id, store);
	return RC_OK;
}

enum rc store_users_read(struct image_store *store, struct map *ret_ids, struct err *err)
{
	return names_visit(store, "inuse", user_add, ret_ids, err);
}
