#include "node/image_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "io/file.h"
#include "io/loop.h"
#include "node/image_store-int.h"

/* --- folders and locks --- */

void store_ingest_name(char out[STORE_NAME_MAX])
{
	snprintf(out, STORE_NAME_MAX, "%016llx%016llx", (unsigned long long)world_random_u64(),
		 (unsigned long long)world_random_u64());
}

enum rc store_lock(int dir_fd, const char *name, int flock_operation, int *ret_fd, struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	TRY(file_open_beneath(dir_fd, name, O_RDWR | O_CREAT, 0600, &fd, err));
	while (flock(fd, flock_operation) < 0) {
		if (errno == EWOULDBLOCK)
			return err_set(err, RC_CONFLICT, "%s is locked", name);
		if (errno != EINTR)
			return err_sys(err, RC_IO, errno, "lock %s", name);
	}
	*ret_fd = TAKE_FD(fd);
	return RC_OK;
}

static enum rc folder_open(const char *dir, const char *name, int *ret_fd, struct err *err)
{
	char path[RUNTIME_PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s%s%s", dir, name[0] ? "/" : "", name);
	if (len < 0 || len >= (int)sizeof(path))
		return err_set(err, RC_TOO_LARGE, "path of the image store is too long: %s", dir);
	TRY(dir_make(path, 0700, err));
	return dir_open(path, ret_fd, err);
}

static enum rc folders_open(struct image_store *store, struct err *err)
{
	const struct {
		const char *name;
		int *fd;
	} folders[] = {
		{"", &store->dir_fd},	       {"blobs/sha256", &store->blobs_fd},
		{"layers", &store->layers_fd}, {"ingest", &store->ingest_fd},
		{"inuse", &store->inuse_fd},   {"pulls", &store->pulls_fd},
	};
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		TRY(folder_open(store->dir, folders[i].name, folders[i].fd, err));
	return RC_OK;
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* What a killed process left half made; only when nobody else is at work.  The folder itself stays:
 * other agents of this machine have it open. */
static enum rc ingest_clean(struct image_store *store, struct err *err)
{
	CLEANUP(close_fd_p) int lock = -1;
	if (store_lock(store->dir_fd, "gc.lock", LOCK_EX | LOCK_NB, &lock, NULL) != RC_OK)
		return RC_OK;
	int fd = openat(store->ingest_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	if (!folder)
		return err_sys(err, RC_IO, errno, "read %s/ingest", store->dir);
	enum rc rc = RC_OK;
	for (struct dirent *e; rc == RC_OK && (e = readdir(folder));)
		if (!is_dots(e->d_name))
			rc = dir_remove_at(store->ingest_fd, e->d_name, err);
	closedir(folder);
	return rc;
}

enum rc image_store_open(const char *dir, struct image_store **ret_store, struct err *err)
{
	struct image_store *store = NEW(struct image_store);
	*store = (struct image_store){mem_strdup(dir), -1, -1, -1, -1, -1, -1};
	enum rc rc = folders_open(store, err);
	if (rc == RC_OK && faccessat(store->dir_fd, "oci-layout", F_OK, 0) < 0)
		rc = file_write_at(store->dir_fd, "oci-layout",
				   STR("{\"imageLayoutVersion\":\"1.0.0\"}"), 0600, err);
	if (rc == RC_OK)
		rc = ingest_clean(store, err);
	if (rc != RC_OK) {
		image_store_free(store);
		return err_wrap(err, "image store %s", dir);
	}
	*ret_store = store;
	return RC_OK;
}

void image_store_free(struct image_store *store)
{
	if (!store)
		return;
	int fds[] = {store->dir_fd,    store->blobs_fd, store->layers_fd,
		     store->ingest_fd, store->inuse_fd, store->pulls_fd};
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close_fd_p(&fds[i]);
	free(store->dir);
	free(store);
}

const char *image_store_dir(const struct image_store *store)
{
	return store->dir;
}

enum rc image_store_lock_pull(struct image_store *store, const char *name, int *ret_fd,
			      struct err *err)
{
	char file[32];
	snprintf(file, sizeof(file), "%016llx", (unsigned long long)str_hash(str_of(name)));
	return store_lock(store->pulls_fd, file, LOCK_EX, ret_fd, err);
}

enum rc image_store_hold(struct image_store *store, int *ret_fd, struct err *err)
{
	return store_lock(store->dir_fd, "gc.lock", LOCK_SH, ret_fd, err);
}

/* --- blobs --- */

enum rc blob_open(struct image_store *store, int64_t max_bytes, struct blob_writer *ret_writer,
		  struct err *err)
{
	*ret_writer = (struct blob_writer){.store = store, .fd = -1, .max_bytes = max_bytes};
	store_ingest_name(ret_writer->name);
	TRY(file_open_beneath(store->ingest_fd, ret_writer->name, O_WRONLY | O_CREAT | O_EXCL, 0600,
			      &ret_writer->fd, err));
	image_digest_init(&ret_writer->digest);
	return RC_OK;
}

enum rc blob_add(struct blob_writer *w, const void *bytes, size_t len, struct err *err)
{
	if ((int64_t)len > w->max_bytes - w->size_bytes)
		return err_set(err, RC_TOO_LARGE, "it is larger than the %lld bytes announced",
			       (long long)w->max_bytes);
	image_digest_add(&w->digest, bytes, len);
	w->size_bytes += (int64_t)len;
	for (const char *next = bytes; len > 0;) {
		ssize_t put = write(w->fd, next, len);
		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return err_sys(err, RC_IO, put < 0 ? errno : EIO, "write to %s/ingest",
				       w->store->dir);
		next += put;
		len -= (size_t)put;
	}
	return RC_OK;
}

enum rc blob_commit(struct blob_writer *w, const char *expected, char ret_digest[IMAGE_DIGEST_MAX],
		    struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];
	image_digest_finish(&w->digest, digest);
	if (expected && strcmp(expected, digest) != 0) {
		blob_abort(w);
		return err_set(err, RC_INVALID, "content has digest %s, expected %s", digest,
			       expected);
	}
	close(TAKE_FD(w->fd));
	if (renameat(w->store->ingest_fd, w->name, w->store->blobs_fd, digest_hex(digest)) < 0) {
		int sys = errno;
		unlinkat(w->store->ingest_fd, w->name, 0);
		return err_sys(err, RC_IO, sys, "keep blob %s", digest);
	}
	memcpy(ret_digest, digest, IMAGE_DIGEST_MAX);
	return RC_OK;
}

void blob_abort(struct blob_writer *w)
{
	if (!w->store)
		return;
	image_digest_done(&w->digest);
	if (w->fd < 0)
		return;
	close(TAKE_FD(w->fd));
	unlinkat(w->store->ingest_fd, w->name, 0);
}

bool image_store_has_blob(struct image_store *store, const char *digest)
{
	return faccessat(store->blobs_fd, digest_hex(digest), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum rc image_store_write_blob(struct image_store *store, struct str bytes, const char *expected,
			       char ret_digest[IMAGE_DIGEST_MAX], struct err *err)
{
	struct blob_writer w;
	TRY(blob_open(store, MANIFEST_BYTES_MAX, &w, err));
	enum rc rc = blob_add(&w, bytes.at, bytes.len, err);
	if (rc == RC_OK)
		rc = blob_commit(&w, expected, ret_digest, err);
	blob_abort(&w);
	return rc;
}

enum rc image_store_read_blob(struct image_store *store, const char *digest, struct arena *a,
			      struct str *ret_bytes, struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	TRY(file_open_beneath(store->blobs_fd, digest_hex(digest), O_RDONLY, 0, &fd, err));
	return file_read_fd(fd, digest, MANIFEST_BYTES_MAX, a, ret_bytes, err);
}
