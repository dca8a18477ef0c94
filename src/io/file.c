#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "io/loop.h"

#define READ_STEP  (16u << 10)
#define NAME_BYTES 4096

static enum rc path_err(struct err *err, int sys, const char *verb, const char *path)
{
	enum rc rc = RC_IO;
	if (sys == ENOENT)
		rc = RC_NOT_FOUND;
	else if (sys == EEXIST)
		rc = RC_ALREADY_EXISTS;
	else if (sys == EACCES || sys == EPERM)
		rc = RC_FORBIDDEN;
	return err_sys(err, rc, sys, "%s '%s'", verb, path);
}

/* --- reading --- */

static ssize_t read_again(int fd, char *at, size_t room)
{
	ssize_t got;
	do
		got = read(fd, at, room);
	while (got < 0 && errno == EINTR);
	return got;
}

enum rc file_read_fd(int fd, const char *name, size_t max_bytes, struct arena *a,
		     struct str *ret_bytes, struct err *err)
{
	CLEANUP_BUF bytes = BUF_INIT(max_bytes + READ_STEP);
	for (;;) {
		char *at = buf_reserve(&bytes, READ_STEP);
		ssize_t got = read_again(fd, at, READ_STEP);
		if (got < 0)
			return path_err(err, errno, "read", name);
		if (got == 0)
			break;
		buf_grew(&bytes, (size_t)got);
		if (bytes.len > max_bytes)
			return err_set(err, RC_TOO_LARGE, "read '%s': more than %zu bytes", name,
				       max_bytes);
	}
	*ret_bytes = arena_str(a, buf_str(&bytes));
	return RC_OK;
}

enum rc file_read(const char *path, size_t max_bytes, struct arena *a, struct str *ret_bytes,
		  struct err *err)
{
	CLEANUP(close_fd_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return path_err(err, errno, "open", path);
	return file_read_fd(fd, path, max_bytes, a, ret_bytes, err);
}

/* --- writing --- */

static int write_all(int fd, struct str bytes)
{
	while (bytes.len > 0) {
		ssize_t put = write(fd, bytes.at, bytes.len);
		if (put < 0 && errno != EINTR)
			return errno;
		if (put > 0)
			bytes = str_skip(bytes, (size_t)put);
	}
	return 0;
}

static int temporary_fill(int fd, struct str bytes, mode_t mode, bool syncs)
{
	int sys = write_all(fd, bytes);
	if (sys)
		return sys;
	if (fchmod(fd, mode) < 0) /* whatever the umask */
		return errno;
	return syncs && fsync(fd) < 0 ? errno : 0;
}

static enum rc write_at(int dir_fd, const char *name, const char *shown, struct str bytes,
			mode_t mode, bool syncs, struct err *err)
{
	char temporary[NAME_BYTES];
	snprintf(temporary, sizeof(temporary), "%s.tmp-%016llx", name,
		 (unsigned long long)world_random_u64());
	CLEANUP(close_fd_p) int fd = -1;
	TRY(file_open_beneath(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err));
	int sys = temporary_fill(fd, bytes, mode, syncs);
	if (sys == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		sys = errno;
	if (sys == 0 && syncs && fsync(dir_fd) < 0)
		sys = errno;
	if (sys == 0)
		return RC_OK;
	unlinkat(dir_fd, temporary, 0);
	return path_err(err, sys, "write", shown);
}

static enum rc write_path(const char *path, struct str bytes, mode_t mode, bool syncs,
			  struct err *err)
{
	struct str folder, name;
	char text[NAME_BYTES];
	if (strlen(path) >= sizeof(text))
		return path_err(err, ENAMETOOLONG, "write", path);
	if (!str_cut_last(str_of(path), '/', &folder, &name))
		folder = STR(".");
	else if (folder.len == 0)
		folder = STR("/");
	snprintf(text, sizeof(text), "%.*s", STR_FMT(folder));
	CLEANUP(close_fd_p) int dir_fd = -1;
	TRY(dir_open(text, &dir_fd, err));
	return write_at(dir_fd, name.at, path, bytes, mode, syncs, err);
}

enum rc file_write(const char *path, struct str bytes, mode_t mode, struct err *err)
{
	return write_path(path, bytes, mode, true, err);
}

enum rc file_write_volatile(const char *path, struct str bytes, mode_t mode, struct err *err)
{
	return write_path(path, bytes, mode, false, err);
}

enum rc file_write_at(int dir_fd, const char *name, struct str bytes, mode_t mode, struct err *err)
{
	if (strchr(name, '/') || strcmp(name, "..") == 0)
		return err_set(err, RC_INVALID, "write '%s': want a name without '/'", name);
	return write_at(dir_fd, name, name, bytes, mode, false, err);
}

enum rc file_write_temp(struct arena *a, const char *prefix, const char *suffix, struct str bytes,
			const char **ret_path, struct err *err)
{
	const char *set = getenv("TMPDIR");
	const char *path =
		arena_cstr(a, arena_printf(a, "%s/%s%016llx%s", set && *set ? set : "/tmp", prefix,
					   (unsigned long long)world_random_u64(), suffix));
	CLEANUP(close_fd_p) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return path_err(err, errno, "make", path);
	int sys = write_all(fd, bytes);
	if (sys) {
		unlink(path);
		return path_err(err, sys, "write", path);
	}
	*ret_path = path;
	return RC_OK;
}

enum rc file_look(const char *path, bool follows, struct file_facts *ret_facts, struct err *err)
{
	struct stat st;
	if (fstatat(AT_FDCWD, path, &st, follows ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return path_err(err, errno, "look at", path);
	*ret_facts = (struct file_facts){
		.kind = S_ISREG(st.st_mode)   ? FILE_REGULAR
			: S_ISDIR(st.st_mode) ? FILE_FOLDER
			: S_ISLNK(st.st_mode) ? FILE_LINK
					      : FILE_OTHER,
		.permissions = st.st_mode & 07777,
		.size_bytes = st.st_size,
		.modified_s = st.st_mtime,
	};
	return RC_OK;
}

bool file_exists(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0;
}

enum rc file_open_beneath(int dir_fd, const char *name, int flags, mode_t mode, int *ret_fd,
			  struct err *err)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	if (fd < 0)
		return path_err(err, errno, "open", name);
	*ret_fd = fd;
	return RC_OK;
}

/* --- folders --- */

enum rc dir_open(const char *path, int *ret_fd, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return path_err(err, errno, "open folder", path);
	*ret_fd = fd;
	return RC_OK;
}

static bool is_dir(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

enum rc dir_make(const char *path, mode_t mode, struct err *err)
{
	char text[NAME_BYTES];
	if (strlen(path) >= sizeof(text))
		return path_err(err, ENAMETOOLONG, "make folder", path);
	strcpy(text, path);
	for (char *at = text + 1;; at++) {
		bool is_last = *at == '\0';
		if (*at != '/' && !is_last)
			continue;
		*at = '\0';
		if (mkdir(text, mode) < 0 && !(errno == EEXIST && is_dir(text)))
			return path_err(err, errno, "make folder", text);
		if (is_last)
			return RC_OK;
		*at = '/';
	}
}

static void close_dir_p(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum rc dir_list(const char *path, struct arena *a, const char ***ret_names, size_t *ret_count,
		 struct err *err)
{
	const char **names = NULL;
	size_t count = 0, cap = 0;
	CLEANUP(close_dir_p) DIR *dir = opendir(path);
	if (!dir)
		return path_err(err, errno, "read folder", path);
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(dir);
		if (!entry && errno)
			return path_err(err, errno, "read folder", path);
		if (!entry)
			break;
		if (is_dots(entry->d_name))
			continue;
		if (count == DIR_NAMES_MAX)
			return err_set(err, RC_TOO_LARGE, "folder '%s' has more than %d entries",
				       path, DIR_NAMES_MAX);
		names = arena_grow(a, names, count, &cap, sizeof(*names));
		names[count++] = arena_cstr(a, str_of(entry->d_name));
	}
	if (count)
		qsort(names, count, sizeof(*names), by_bytes);
	*ret_names = names;
	*ret_count = count;
	return RC_OK;
}

/* --- removing --- */

static enum rc remove_in(int dir_fd, const char *name, int depth, struct err *err);

static enum rc entries_remove(int own_fd, const char *name, int depth, struct err *err)
{
	CLEANUP(close_dir_p) DIR *dir = fdopendir(own_fd);
	if (!dir) {
		close(own_fd);
		return path_err(err, errno, "read folder", name);
	}
	for (;;) {
		errno = 0;
		struct dirent *entry = readdir(dir);
		if (!entry)
			return errno ? path_err(err, errno, "read folder", name) : RC_OK;
		if (is_dots(entry->d_name))
			continue;
		enum rc rc = remove_in(dirfd(dir), entry->d_name, depth + 1, err);
		if (rc != RC_OK)
			return err ? err_wrap(err, "%s", name) : rc;
	}
}

/* Devices would not tell: a bind mount has that of the files it shows. */
static bool is_mount_point(int parent_fd, int fd)
{
	struct statx parent = {}, own = {};
	if (statx(parent_fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &parent) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &own) < 0)
		return true;
	return own.stx_mnt_id != parent.stx_mnt_id;
}

static enum rc remove_in(int dir_fd, const char *name, int depth, struct err *err)
{
	if (depth > DIR_DEPTH_MAX)
		return err_set(err, RC_TOO_LARGE, "remove '%s': more than %d levels deep", name,
			       DIR_DEPTH_MAX);
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return RC_OK;
	if (errno == EBUSY)
		return err_set(err, RC_CONFLICT, "remove '%s': something is mounted there", name);
	if (errno != EISDIR && errno != EPERM)
		return path_err(err, errno, "remove", name);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return path_err(err, errno, "remove", name);
	if (is_mount_point(dir_fd, fd)) {
		close(fd);
		return err_set(err, RC_CONFLICT, "remove '%s': something is mounted there", name);
	}
	TRY(entries_remove(fd, name, depth, err));
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return errno == EBUSY ? err_set(err, RC_CONFLICT,
						"remove '%s': something is mounted there", name)
				      : path_err(err, errno, "remove", name);
	return RC_OK;
}

enum rc dir_remove_at(int dir_fd, const char *name, struct err *err)
{
	if (name[0] == '\0' || strchr(name, '/') || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return err_set(err, RC_INVALID, "remove '%s': want a name without '/'", name);
	return remove_in(dir_fd, name, 0, err);
}

enum rc dir_remove(const char *path, struct err *err)
{
	struct str folder, name;
	char parent[NAME_BYTES];
	struct str text = str_of(path);
	while (text.len > 1 && text.at[text.len - 1] == '/')
		text.len--;
	if (text.len >= sizeof(parent))
		return path_err(err, ENAMETOOLONG, "remove", path);
	if (!str_cut_last(text, '/', &folder, &name)) {
		folder = STR(".");
		name = text;
	} else if (folder.len == 0) {
		folder = STR("/");
	}
	snprintf(parent, sizeof(parent), "%.*s", STR_FMT(folder));
	CLEANUP(free_p) char *last = mem_strndup(name.at, name.len);
	CLEANUP(close_fd_p) int fd = -1;
	enum rc rc = dir_open(parent, &fd, err);
	if (rc == RC_NOT_FOUND)
		return RC_OK;
	return rc == RC_OK ? dir_remove_at(fd, last, err) : rc;
}
