/* Two readers of libarchive: the outer one undoes the compression ("raw" format) and feeds a digest
 * and the inner one, which knows tar only.  So the digest covers exactly the bytes that the image's
 * diff_id is about, and no other archive format is ever tried on hostile input. */
#include "node/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/mem.h"
#include "io/file.h"
#include "node/image_digest.h"

#define UNPACK_CHUNK_BYTES (128u << 10)
#define UNPACK_XATTR_MAX   (64u << 10)
#define UNPACK_PARTS_MAX   256 /* folders in a name */
#define WHITEOUT_PREFIX	   ".wh."
#define WHITEOUT_OPAQUE	   ".wh..wh..opq"

struct unpack {
	int root_fd;
	struct archive *outer, *inner;
	struct image_digest digest;
	const struct unpack_limits *limits;
	int64_t bytes, entries;
	char chunk[UNPACK_CHUNK_BYTES];
};

/* An entry's place: an open parent folder and the name in it. */
struct place {
	int parent_fd;
	char name[NAME_MAX + 1];
};

/* --- the two readers --- */

static la_ssize_t inner_read(struct archive *inner, void *client, const void **ret_bytes)
{
	struct unpack *u = client;
	la_ssize_t got = archive_read_data(u->outer, u->chunk, sizeof(u->chunk));
	if (got < 0) {
		archive_set_error(inner, EINVAL, "%s", archive_error_string(u->outer));
		return ARCHIVE_FATAL;
	}
	image_digest_add(&u->digest, u->chunk, (size_t)got);
	*ret_bytes = u->chunk;
	return got;
}

static enum rc archive_failed(struct archive *archive, const char *what, struct err *err)
{
	const char *text = archive_error_string(archive);
	return err_set(err, RC_INVALID, "%s: %s", what, text ? text : "damaged archive");
}

static enum rc outer_open(struct unpack *u, int fd, struct err *err)
{
	struct archive_entry *entry;
	archive_read_support_filter_gzip(u->outer);
	archive_read_support_filter_zstd(u->outer);
	archive_read_support_format_raw(u->outer);
	archive_read_support_format_empty(u->outer);
	if (archive_read_open_fd(u->outer, fd, UNPACK_CHUNK_BYTES) != ARCHIVE_OK)
		return archive_failed(u->outer, "open layer", err);
	int got = archive_read_next_header(u->outer, &entry);
	if (got != ARCHIVE_OK && got != ARCHIVE_EOF)
		return archive_failed(u->outer, "open layer", err);
	return RC_OK;
}

static enum rc inner_open(struct unpack *u, struct err *err)
{
	archive_read_support_filter_none(u->inner);
	archive_read_support_format_tar(u->inner);
	archive_read_support_format_empty(u->inner);
	if (archive_read_open(u->inner, u, NULL, inner_read, NULL) != ARCHIVE_OK)
		return archive_failed(u->inner, "open layer", err);
	return RC_OK;
}

/* Padding after the end of the tar counts for the digest too. */
static enum rc outer_drain(struct unpack *u, struct err *err)
{
	for (;;) {
		la_ssize_t got = archive_read_data(u->outer, u->chunk, sizeof(u->chunk));
		if (got < 0)
			return archive_failed(u->outer, "read layer", err);
		if (got == 0)
			return RC_OK;
		image_digest_add(&u->digest, u->chunk, (size_t)got);
	}
}

/* --- names --- */

static int open_beneath(int root_fd, const char *path, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	return (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
}

/* Walks down from the root, making folders that the archive does not list. */
static enum rc parent_make(int root_fd, const char *parent, int *ret_fd, struct err *err)
{
	CLEANUP(close_fd_p) int fd = open_beneath(root_fd, ".", O_PATH | O_DIRECTORY);
	struct str part, rest = str_of(parent);
	while (fd >= 0 && rest.len > 0) {
		char name[NAME_MAX + 1];
		str_cut(rest, '/', &part, &rest);
		if (part.len > NAME_MAX)
			return err_set(err, RC_INVALID, "a part of the name is too long");
		snprintf(name, sizeof(name), "%.*s", STR_FMT(part));
		int next = open_beneath(fd, name, O_PATH | O_DIRECTORY);
		if (next < 0 && errno == ENOENT && mkdirat(fd, name, 0755) == 0)
			next = open_beneath(fd, name, O_PATH | O_DIRECTORY);
		int sys = errno;
		close(fd);
		fd = next;
		errno = sys;
	}
	if (fd < 0)
		return err_sys(err, RC_INVALID, errno, "folder '%s'", parent);
	*ret_fd = TAKE_FD(fd);
	return RC_OK;
}

/* Without empty and "." parts; "" stands for the root folder itself. */
static enum rc name_clean(const char *name, char out[PATH_MAX], struct err *err)
{
	size_t len = 0, parts = 0;
	struct str part, rest = str_of(name);
	if (!name || rest.len >= PATH_MAX)
		return err_set(err, RC_INVALID, "its name is missing or too long");
	out[0] = '\0';
	while (rest.len > 0) {
		str_cut(rest, '/', &part, &rest);
		if (part.len == 0 || str_is(part, "."))
			continue;
		if (str_is(part, ".."))
			return err_set(err, RC_INVALID, "'..' in a name is not allowed");
		if (part.len > NAME_MAX || ++parts > UNPACK_PARTS_MAX)
			return err_set(err, RC_INVALID, "its name is too long or too deep");
		len += (size_t)snprintf(out + len, PATH_MAX - len, "%s%.*s", len ? "/" : "",
					STR_FMT(part));
	}
	return RC_OK;
}

static void place_done(struct place *place)
{
	close_fd_p(&place->parent_fd);
}

static enum rc place_find(struct unpack *u, const char *clean_name, struct place *ret_place,
			  struct err *err)
{
	char parent[PATH_MAX] = "";
	const char *slash = strrchr(clean_name, '/');
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - clean_name), clean_name);
	snprintf(ret_place->name, sizeof(ret_place->name), "%s", slash ? slash + 1 : clean_name);
	return parent_make(u->root_fd, parent, &ret_place->parent_fd, err);
}

/* A later entry replaces an earlier one; a folder stays when a folder comes. */
static enum rc place_clear(const struct place *place, bool is_folder, struct err *err)
{
	struct stat st;
	if (fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return RC_OK;
	if (S_ISDIR(st.st_mode) && is_folder)
		return RC_OK;
	if (!S_ISDIR(st.st_mode)) {
		if (unlinkat(place->parent_fd, place->name, 0) < 0)
			return err_sys(err, RC_IO, errno, "replace it");
		return RC_OK;
	}
	CLEANUP(close_fd_p) int fd = open_beneath(place->parent_fd, ".", O_RDONLY | O_DIRECTORY);
	return dir_remove_at(fd, place->name, err);
}

/* --- content and attributes --- */

static enum rc content_write(struct unpack *u, int fd, struct err *err)
{
	const void *bytes;
	size_t len;
	la_int64_t at;
	for (;;) {
		int got = archive_read_data_block(u->inner, &bytes, &len, &at);
		if (got == ARCHIVE_EOF)
			return RC_OK;
		if (got != ARCHIVE_OK)
			return archive_failed(u->inner, "read content", err);
		u->bytes += (int64_t)len;
		if (u->bytes > u->limits->bytes_max)
			return err_set(err, RC_TOO_LARGE, "the layer is larger than %lld bytes",
				       (long long)u->limits->bytes_max);
		for (const char *next = bytes; len > 0;) {
			ssize_t put = pwrite(fd, next, len, at);
			if (put <= 0)
				return err_sys(err, RC_IO, put < 0 ? errno : EIO, "write content");
			next += put;
			at += put;
			len -= (size_t)put;
		}
	}
}

static bool xattr_is_kept(const char *name)
{
	return strcmp(name, "security.capability") == 0 || strncmp(name, "user.", 5) == 0;
}

/* What the file system cannot hold is left out, as other runtimes do. */
static enum rc xattrs_set(int fd, struct archive_entry *entry, struct err *err)
{
	const char *name;
	const void *value;
	size_t len;
	archive_entry_xattr_reset(entry);
	while (archive_entry_xattr_next(entry, &name, &value, &len) == ARCHIVE_OK) {
		if (!xattr_is_kept(name) || len > UNPACK_XATTR_MAX)
			continue;
		if (fsetxattr(fd, name, value, len, 0) < 0 && errno != ENOTSUP && errno != EPERM)
			return err_sys(err, RC_IO, errno, "set attribute %s", name);
	}
	return RC_OK;
}

/* The owner first: chown() clears set-user-id bits and capabilities. */
static enum rc attributes_set(int fd, struct archive_entry *entry, struct err *err)
{
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
	if (uid < 0 || gid < 0 || uid > INT32_MAX || gid > INT32_MAX)
		return err_set(err, RC_INVALID, "owner %lld:%lld is out of range", (long long)uid,
			       (long long)gid);
	if (geteuid() == 0 && fchown(fd, (uid_t)uid, (gid_t)gid) < 0)
		return err_sys(err, RC_IO, errno, "set its owner");
	if (fchmod(fd, archive_entry_perm(entry) & 07777) < 0)
		return err_sys(err, RC_IO, errno, "set its mode");
	TRY(xattrs_set(fd, entry, err));
	struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)},
	};
	if (archive_entry_mtime_is_set(entry) && futimens(fd, times) < 0)
		return err_sys(err, RC_IO, errno, "set its time");
	return RC_OK;
}

/* --- one function a type of entry --- */

static enum rc opaque_set(int parent_fd, const char *name, struct err *err)
{
	CLEANUP(close_fd_p) int fd = open_beneath(parent_fd, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_sys(err, RC_IO, errno, "mark the folder as opaque");
	return RC_OK;
}

static enum rc folder_add(struct unpack *u, struct archive_entry *entry, const struct place *place,
			  struct err *err)
{
	if (mkdirat(place->parent_fd, place->name, 0755) < 0 && errno != EEXIST)
		return err_sys(err, RC_IO, errno, "make folder");
	CLEANUP(close_fd_p)
	int fd = open_beneath(place->parent_fd, place->name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "open folder");
	return attributes_set(fd, entry, err);
}

static enum rc file_add(struct unpack *u, struct archive_entry *entry, const struct place *place,
			struct err *err)
{
	CLEANUP(close_fd_p)
	int fd = openat(place->parent_fd, place->name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "create file");
	TRY(content_write(u, fd, err));
	if (archive_entry_size_is_set(entry) && archive_entry_size(entry) <= u->limits->bytes_max &&
	    ftruncate(fd, archive_entry_size(entry)) < 0)
		return err_sys(err, RC_IO, errno, "set its length");
	return attributes_set(fd, entry, err);
}

static enum rc symlink_add(struct unpack *u, struct archive_entry *entry, const struct place *place,
			   struct err *err)
{
	const char *target = archive_entry_symlink(entry);
	if (!target || !target[0])
		return err_set(err, RC_INVALID, "symbolic link without a target");
	if (symlinkat(target, place->parent_fd, place->name) < 0)
		return err_sys(err, RC_IO, errno, "make symbolic link");
	int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
	if (geteuid() == 0 && uid >= 0 && gid >= 0 && uid <= INT32_MAX && gid <= INT32_MAX &&
	    fchownat(place->parent_fd, place->name, (uid_t)uid, (gid_t)gid, AT_SYMLINK_NOFOLLOW) <
		    0)
		return err_sys(err, RC_IO, errno, "set its owner");
	return RC_OK;
}

static enum rc hardlink_add(struct unpack *u, const char *target, const struct place *place,
			    struct err *err)
{
	char clean[PATH_MAX];
	struct stat st;
	CLEANUP(place_done) struct place from = {.parent_fd = -1};
	TRY(name_clean(target, clean, err));
	TRY(place_find(u, clean, &from, err));
	if (fstatat(from.parent_fd, from.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, RC_INVALID, errno, "hard link to '%s'", clean);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISFIFO(st.st_mode))
		return err_set(err, RC_INVALID, "hard link to '%s', which is no file", clean);
	if (linkat(from.parent_fd, from.name, place->parent_fd, place->name, 0) < 0)
		return err_sys(err, RC_INVALID, errno, "hard link to '%s'", clean);
	return RC_OK;
}

static enum rc fifo_add(struct archive_entry *entry, const struct place *place, struct err *err)
{
	mode_t mode = archive_entry_perm(entry) & 0777;
	if (mkfifoat(place->parent_fd, place->name, mode) < 0)
		return err_sys(err, RC_IO, errno, "make FIFO");
	return RC_OK;
}

static enum rc whiteout_add(struct place *place, struct err *err)
{
	char hidden[NAME_MAX + 1];
	snprintf(hidden, sizeof(hidden), "%s", place->name + strlen(WHITEOUT_PREFIX));
	if (hidden[0] == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return err_set(err, RC_INVALID, "whiteout of no name");
	memcpy(place->name, hidden, sizeof(hidden));
	/* What the same layer adds under that name stays; only what is below it is hidden. */
	struct stat st;
	if (fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? opaque_set(place->parent_fd, place->name, err) : RC_OK;
	if (mknodat(place->parent_fd, place->name, S_IFCHR, makedev(0, 0)) < 0)
		return err_sys(err, RC_IO, errno, "make whiteout");
	return RC_OK;
}

/* --- entries --- */

static enum rc root_set(struct unpack *u, struct archive_entry *entry, struct err *err)
{
	if (archive_entry_filetype(entry) != AE_IFDIR)
		return err_set(err, RC_INVALID, "the root must be a folder");
	CLEANUP(close_fd_p) int fd = open_beneath(u->root_fd, ".", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "open folder");
	return attributes_set(fd, entry, err);
}

static bool is_whiteout(const struct place *place)
{
	struct stat st;
	return fstatat(place->parent_fd, place->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0);
}

static bool is_left_out(unsigned int type)
{
	return type == AE_IFCHR || type == AE_IFBLK || type == AE_IFSOCK;
}

static enum rc node_add(struct unpack *u, struct archive_entry *entry, const struct place *place,
			struct err *err)
{
	const char *hardlink = archive_entry_hardlink(entry);
	unsigned int type = archive_entry_filetype(entry);
	if (is_left_out(type) && !hardlink)
		return RC_OK;
	bool hides_below = is_whiteout(place);
	TRY(place_clear(place, type == AE_IFDIR && !hardlink, err));
	if (hardlink)
		return hardlink_add(u, hardlink, place, err);
	switch (type) {
	case AE_IFDIR:
		TRY(folder_add(u, entry, place, err));
		return hides_below ? opaque_set(place->parent_fd, place->name, err) : RC_OK;
	case AE_IFREG:
		return file_add(u, entry, place, err);
	case AE_IFLNK:
		return symlink_add(u, entry, place, err);
	case AE_IFIFO:
		return fifo_add(entry, place, err);
	default:
		return err_set(err, RC_INVALID, "unknown type of entry");
	}
}

static enum rc entry_add(struct unpack *u, struct archive_entry *entry, struct err *err)
{
	char clean[PATH_MAX];
	CLEANUP(place_done) struct place place = {.parent_fd = -1};
	TRY(name_clean(archive_entry_pathname(entry), clean, err));
	if (!clean[0])
		return root_set(u, entry, err);
	TRY(place_find(u, clean, &place, err));
	if (strcmp(place.name, WHITEOUT_OPAQUE) == 0)
		return opaque_set(place.parent_fd, ".", err);
	if (strncmp(place.name, WHITEOUT_PREFIX ".wh.", 8) == 0)
		return RC_OK; /* bookkeeping of aufs */
	if (strncmp(place.name, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0)
		return whiteout_add(&place, err);
	return node_add(u, entry, &place, err);
}

static enum rc entries_add(struct unpack *u, struct err *err)
{
	struct archive_entry *entry;
	for (;;) {
		int got = archive_read_next_header(u->inner, &entry);
		if (got == ARCHIVE_EOF)
			return RC_OK;
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			return archive_failed(u->inner, "read layer", err);
		if (++u->entries > u->limits->entries_max)
			return err_set(err, RC_TOO_LARGE, "the layer has more than %lld entries",
				       (long long)u->limits->entries_max);
		const char *name = archive_entry_pathname(entry);
		enum rc rc = entry_add(u, entry, err);
		if (rc != RC_OK)
			return err_wrap(err, "entry '%.200s'", name ? name : "");
	}
}

static void unpack_free(struct unpack *u)
{
	archive_read_free(u->inner);
	archive_read_free(u->outer);
	image_digest_done(&u->digest);
	free(u);
}
DEFINE_CLEANUP(struct unpack *, unpack_free)

enum rc unpack_layer(int blob_fd, int dir_fd, const struct unpack_limits *limits,
		     char ret_diff_id[IMAGE_DIGEST_MAX], struct err *err)
{
	CLEANUP(unpack_free_p) struct unpack *u = NEW(struct unpack);
	*u = (struct unpack){
		.root_fd = dir_fd,
		.outer = archive_read_new(),
		.inner = archive_read_new(),
		.limits = limits,
	};
	ASSERT(u->outer && u->inner);
	image_digest_init(&u->digest);
	TRY(outer_open(u, blob_fd, err));
	TRY(inner_open(u, err));
	TRY(entries_add(u, err));
	TRY(outer_drain(u, err));
	image_digest_finish(&u->digest, ret_diff_id);
	return RC_OK;
}
