#include "server/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/loop.h"

static bool is_standard_output(const struct audit_file *f)
{
	return strcmp(f->path, "-") == 0;
}

enum rc audit_file_open(struct audit_file *f, struct err *err)
{
	struct stat st;
	f->fd = is_standard_output(f)
			? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
			: open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_set(err, RC_IO, "audit log %s: cannot open it: %s", f->path,
			       strerror(errno));
	f->bytes = fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
	return RC_OK;
}

void audit_file_close(struct audit_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

/* --- closed files --- */

/* "folder/audit" and ".log" of "folder/audit.log". */
static void split_path(const char *path, struct str *ret_stem, struct str *ret_ending)
{
	struct str all = str_of(path), folder, name, stem, ending;
	bool has_folder = str_cut_last(all, '/', &folder, &name);
	if (!has_folder)
		name = all;
	if (!str_cut_last(name, '.', &stem, &ending))
		stem = name;
	*ret_stem = str_n(all.at, (size_t)(stem.at - all.at) + stem.len);
	*ret_ending = str_skip(all, ret_stem->len);
}

static char *backup_path(const char *path)
{
	struct str stem, ending;
	struct tm tm;
	char when[32];
	int64_t now_us = world_wall_us();
	time_t now_s = now_us / 1000000;
	gmtime_r(&now_s, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H-%M-%S", &tm);
	split_path(path, &stem, &ending);
	return mem_printf("%.*s-%s.%03d%.*s", STR_FMT(stem), when, (int)(now_us / 1000 % 1000),
			  STR_FMT(ending));
}

#define WHEN_FORM "dddd-dd-ddTdd-dd-dd.ddd" /* d: a digit */

/* Of "audit.log" only what backup_path() made: other files are not ours to remove. */
static bool is_backup(struct str name, struct str stem, struct str ending)
{
	if (name.len != stem.len + 1 + strlen(WHEN_FORM) + ending.len ||
	    !str_has_prefix(name, stem) || name.at[stem.len] != '-' ||
	    !str_has_suffix(name, ending))
		return false;
	const char *when = name.at + stem.len + 1;
	for (size_t i = 0; i < strlen(WHEN_FORM); i++)
		if (WHEN_FORM[i] == 'd' ? when[i] < '0' || when[i] > '9' : when[i] != WHEN_FORM[i])
			return false;
	return true;
}

static bool is_too_old(int folder, const char *name, int64_t age_max_us)
{
	struct stat st;
	if (age_max_us == 0 || fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	return world_wall_us() - (int64_t)st.st_mtim.tv_sec * 1000000 > age_max_us;
}

static void backups_trim(const struct audit_file *f)
{
	CLEANUP_ARENA a = {};
	struct str stem, ending, folder, name;
	const char **names;
	size_t count;
	int64_t newer = 0;
	split_path(f->path, &stem, &ending);
	if (!str_cut_last(stem, '/', &folder, &name)) {
		name = stem;
		folder = STR(".");
	}
	const char *path = folder.len ? arena_cstr(&a, folder) : "/";
	CLEANUP(close_fd_p) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || dir_list(path, &a, &names, &count, NULL) != RC_OK)
		return;
	for (size_t i = count; i-- > 0;) { /* the newest first */
		if (!is_backup(str_of(names[i]), name, ending))
			continue;
		bool is_one_too_many = f->backups_max && newer++ >= f->backups_max;
		if (is_one_too_many || is_too_old(fd, names[i], f->age_max_us))
			unlinkat(fd, names[i], 0);
	}
}

static enum rc rotate(struct audit_file *f, struct err *err)
{
	CLEANUP(free_p) char *to = backup_path(f->path);
	audit_file_close(f);
	if (rename(f->path, to) != 0 && errno != ENOENT)
		return err_set(err, RC_IO, "audit log %s: cannot rename it to %s: %s", f->path, to,
			       strerror(errno));
	TRY(audit_file_open(f, err));
	backups_trim(f);
	return RC_OK;
}

/* --- writing --- */

static enum rc write_all(struct audit_file *f, struct str bytes, struct err *err)
{
	while (bytes.len) {
		ssize_t wrote = write(f->fd, bytes.at, bytes.len);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return err_set(err, RC_IO, "audit log %s: cannot write: %s", f->path,
				       strerror(errno));
		bytes = str_skip(bytes, (size_t)wrote);
		f->bytes += wrote;
	}
	return RC_OK;
}

enum rc audit_file_write(struct audit_file *f, struct str lines, struct err *err)
{
	bool is_full = f->bytes_max && f->bytes > 0 && f->bytes + (int64_t)lines.len > f->bytes_max;
	if (f->fd < 0)
		TRY(audit_file_open(f, err));
	if (is_full && !is_standard_output(f))
		TRY(rotate(f, err));
	return write_all(f, lines, err);
}
