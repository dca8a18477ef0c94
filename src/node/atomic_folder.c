#include "node/atomic_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "io/file.h"
#include "io/loop.h"

#define DATA_LINK     "..data"
#define DATA_LINK_NEW "..data_tmp"
#define NAME_BYTES    64
#define COMPARE_MAX   (4u << 20)

void folder_files_add(struct arena *a, struct folder_files *files, struct folder_file file)
{
	files->items =
		arena_grow(a, files->items, files->count, &files->cap, sizeof(*files->items));
	files->items[files->count++] = file;
}

static bool is_path_inside(struct str path)
{
	struct str part, rest = path;
	if (!path.len || path.at[0] == '/')
		return false;
	while (rest.len) {
		str_cut(rest, '/', &part, &rest);
		if (str_is(part, "..") ||
		    (part.len >= 2 && memcmp(part.at, "..", 2) == 0 && part.at == path.at))
			return false;
	}
	return true;
}

/* ---- is it there already? ---- */

static bool is_same_file(int dir_fd, const struct folder_file *f)
{
	CLEANUP_ARENA a = {};
	CLEANUP(close_fd_p) int fd = -1;
	struct str bytes;
	if (file_open_beneath(dir_fd, arena_cstr(&a, f->path), O_RDONLY, 0, &fd, NULL) != RC_OK)
		return false;
	return file_read_fd(fd, "file", COMPARE_MAX, &a, &bytes, NULL) == RC_OK &&
	       str_eq(bytes, f->bytes);
}

static size_t count_files(int dir_fd, const char *name)
{
	size_t count = 0;
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	for (struct dirent *e; dir && (e = readdir(dir));) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		count += e->d_type == DT_DIR ? count_files(dirfd(dir), e->d_name) : 1;
	}
	if (dir)
		closedir(dir);
	return count;
}

static bool is_current(int dir_fd, const char *current, const struct folder_files *files)
{
	CLEANUP(close_fd_p)
	int fd = openat(dir_fd, current, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 || count_files(fd, ".") != files->count)
		return false;
	for (size_t i = 0; i < files->count; i++)
		if (!is_same_file(fd, &files->items[i]))
			return false;
	return true;
}

/* ---- writing ---- */

static enum rc make_parents(int dir_fd, const char *path, int64_t group, struct err *err)
{
	CLEANUP(free_p) char *copy = mem_strdup(path);
	for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdirat(dir_fd, copy, 0755) != 0 && errno != EEXIST)
			return err_sys(err, RC_IO, errno, "make folder '%s'", copy);
		if (group >= 0 && fchownat(dir_fd, copy, (uid_t)-1, (gid_t)group, 0) != 0)
			return err_sys(err, RC_IO, errno, "set the group of folder '%s'", copy);
		*slash = '/';
	}
	return RC_OK;
}

static enum rc write_file(int dir_fd, const struct folder_file *f, int64_t group, struct err *err)
{
	CLEANUP_ARENA a = {};
	CLEANUP(close_fd_p) int fd = -1;
	const char *path = arena_cstr(&a, f->path);
	mode_t mode = group >= 0 ? f->mode | 0440 : f->mode;
	TRY(make_parents(dir_fd, path, group, err));
	TRY(file_open_beneath(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600, &fd, err));
	for (size_t done = 0; done < f->bytes.len;) {
		ssize_t n = write(fd, f->bytes.at + done, f->bytes.len - done);
		if (n < 0 && errno != EINTR)
			return err_sys(err, RC_IO, errno, "write '%s'", path);
		done += n > 0 ? (size_t)n : 0;
	}
	if ((f->owner >= 0 || group >= 0) &&
	    fchown(fd, f->owner >= 0 ? (uid_t)f->owner : 0, group >= 0 ? (gid_t)group : 0) != 0)
		return err_sys(err, RC_IO, errno, "set the owner of '%s'", path);
	if (fchmod(fd, mode) != 0)
		return err_sys(err, RC_IO, errno, "set the mode of '%s'", path);
	return RC_OK;
}

static void new_name(char out[NAME_BYTES])
{
	int64_t now_us = world_wall_us();
	time_t seconds = (time_t)(now_us / 1000000);
	struct tm tm;
	char text[32];
	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y_%m_%d_%H_%M_%S", &tm);
	snprintf(out, NAME_BYTES, "..%s.%u", text, (unsigned)(world_random_u64() % 1000000000u));
}

static enum rc write_all(int dir_fd, const char *name, const struct folder_files *files,
			 int64_t group, struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	if (mkdirat(dir_fd, name, 0755) != 0)
		return err_sys(err, RC_IO, errno, "make folder '%s'", name);
	TRY(file_open_beneath(dir_fd, name, O_RDONLY | O_DIRECTORY, 0, &fd, err));
	if (fchmod(fd, group >= 0 ? 02775 : 0755) != 0 ||
	    (group >= 0 && fchown(fd, (uid_t)-1, (gid_t)group) != 0))
		return err_sys(err, RC_IO, errno, "set the owner of folder '%s'", name);
	for (size_t i = 0; i < files->count; i++)
		TRY(write_file(fd, &files->items[i], group, err));
	return RC_OK;
}

static enum rc swap(int dir_fd, const char *name, struct err *err)
{
	(void)unlinkat(dir_fd, DATA_LINK_NEW, 0);
	if (symlinkat(name, dir_fd, DATA_LINK_NEW) != 0 ||
	    renameat(dir_fd, DATA_LINK_NEW, dir_fd, DATA_LINK) != 0)
		return err_sys(err, RC_IO, errno, "swap '" DATA_LINK "'");
	return RC_OK;
}

static bool has_top(const struct folder_files *files, struct str name)
{
	for (size_t i = 0; i < files->count; i++) {
		struct str top, rest;
		str_cut(files->items[i].path, '/', &top, &rest);
		if (str_eq(top, name))
			return true;
	}
	return false;
}

static enum rc link_tops(int dir_fd, const struct folder_files *files, struct err *err)
{
	CLEANUP_ARENA a = {};
	for (size_t i = 0; i < files->count; i++) {
		struct str top, rest;
		str_cut(files->items[i].path, '/', &top, &rest);
		const char *name = arena_cstr(&a, top);
		const char *target = arena_printf(&a, DATA_LINK "/%s", name).at;
		if (symlinkat(target, dir_fd, name) != 0 && errno != EEXIST)
			return err_sys(err, RC_IO, errno, "link '%s'", name);
	}
	return RC_OK;
}

static void unlink_stale(int dir_fd, const struct folder_files *files)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir && fd >= 0)
		close(fd);
	for (struct dirent *e; dir && (e = readdir(dir));)
		if (e->d_type == DT_LNK && strncmp(e->d_name, "..", 2) != 0 &&
		    !has_top(files, str_of(e->d_name)))
			(void)unlinkat(dir_fd, e->d_name, 0);
	if (dir)
		closedir(dir);
}

enum rc atomic_folder_write(const char *path, const struct folder_files *files, int64_t group,
			    struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	char old[NAME_BYTES] = "", name[NAME_BYTES];
	for (size_t i = 0; i < files->count; i++)
		if (!is_path_inside(files->items[i].path))
			return err_set(err, RC_INVALID, "path '%.*s' leaves the volume",
				       STR_FMT(files->items[i].path));
	TRY(dir_open(path, &fd, err));
	ssize_t len = readlinkat(fd, DATA_LINK, old, sizeof(old) - 1);
	old[MAX(len, 0)] = '\0';
	if (old[0] && is_current(fd, old, files))
		return RC_OK;
	new_name(name);
	enum rc rc = write_all(fd, name, files, group, err);
	if (rc == RC_OK)
		rc = swap(fd, name, err);
	if (rc != RC_OK) {
		(void)dir_remove_at(fd, name, NULL);
		return rc;
	}
	TRY(link_tops(fd, files, err));
	unlink_stale(fd, files);
	return old[0] ? dir_remove_at(fd, old, err) : RC_OK;
}
