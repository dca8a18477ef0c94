#include "store/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define REMEDY "give another folder with --data-dir or make this one usable"

static enum rc unusable(struct err *err, const char *path, int sys)
{
	return err_set(err, RC_UNAVAILABLE, "cannot use data folder '%s': %s; " REMEDY, path,
		       strerror(sys));
}

static enum rc make_parents(const char *path, struct err *err)
{
	CLEANUP(free_p) char *copy = mem_strdup(path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		if (mkdir(copy, 0755) != 0 && errno != EEXIST)
			return unusable(err, copy, errno);
		*slash = '/';
	}
	if (mkdir(copy, 0700) != 0 && errno != EEXIST)
		return unusable(err, path, errno);
	return RC_OK;
}

static int lock_holder(int lock_fd)
{
	char text[16] = {};
	if (pread(lock_fd, text, sizeof(text) - 1, 0) <= 0)
		return 0;
	return atoi(text);
}

static void write_pid(int lock_fd)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* The number is only for the error that the next one gets. */
	if (ftruncate(lock_fd, 0) != 0 || pwrite(lock_fd, text, (size_t)len, 0) != len)
		log_warn("store", "the lock file has no process number: %s", strerror(errno));
}

static enum rc take_lock(struct folder *f, struct err *err)
{
	f->lock_fd = openat(f->dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (f->lock_fd < 0)
		return unusable(err, f->path, errno);
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return unusable(err, f->path, errno);
		return err_set(err, RC_CONFLICT,
			       "data folder '%s' is in use by process %d; stop it first "
			       "(skeg stop) or give another folder with --data-dir",
			       f->path, lock_holder(f->lock_fd));
	}
	write_pid(f->lock_fd);
	return RC_OK;
}

enum rc folder_open(struct folder *f, const char *path, struct err *err)
{
	*f = (struct folder){.path = mem_strdup(path), .dir_fd = -1, .lock_fd = -1};
	TRY(make_parents(path, err));
	f->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return unusable(err, path, errno);
	TRY(take_lock(f, err));
	folder_restore_ballast(f);
	return RC_OK;
}

void folder_done(struct folder *f)
{
	if (!f->path)
		return;
	close_fd_p(&f->lock_fd);
	close_fd_p(&f->dir_fd);
	free(f->path);
	*f = (struct folder){};
}

enum rc folder_make_file(struct folder *f, const char *name, struct err *err)
{
	int fd = openat(f->dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, RC_UNAVAILABLE, "cannot open '%s/%s': %s; " REMEDY, f->path,
			       name, strerror(errno));
	close(fd);
	return RC_OK;
}

bool folder_drop_ballast(struct folder *f)
{
	if (!f->has_ballast)
		return false;
	f->has_ballast = false;
	return unlinkat(f->dir_fd, "ballast", 0) == 0;
}

static bool has_room(const struct folder *f)
{
	struct statvfs disk;
	if (fstatvfs(f->dir_fd, &disk) != 0)
		return false;
	return (uint64_t)disk.f_bavail * disk.f_frsize >= BALLAST_BYTES / 4 * 5ull;
}

void folder_restore_ballast(struct folder *f)
{
	struct stat st;
	if (f->has_ballast)
		return;
	if (fstatat(f->dir_fd, "ballast", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size == BALLAST_BYTES) {
		f->has_ballast = true;
		return;
	}
	if (!has_room(f))
		return;
	CLEANUP(close_fd_p)
	int fd = openat(f->dir_fd, "ballast", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return;
	f->has_ballast = posix_fallocate(fd, 0, BALLAST_BYTES) == 0;
	if (!f->has_ballast)
		unlinkat(f->dir_fd, "ballast", 0);
}
