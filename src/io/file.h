/* file: whole files, safe replacement, folders.
 *
 * Names below a folder descriptor are single components or relative paths without symlinks and
 * "..": they are opened with openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS). Blocking: worker
 * threads, start-up and commands only, or small local files.  Every descriptor is O_CLOEXEC.
 * Errors: RC_NOT_FOUND for ENOENT, RC_ALREADY_EXISTS for EEXIST, RC_TOO_LARGE, RC_FORBIDDEN for
 * EACCES and EPERM, else RC_IO; each names the path. */
#ifndef SKEG_IO_FILE_H
#define SKEG_IO_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* path may be anything open() takes. */
[[nodiscard]] enum rc file_read(const char *path, size_t max_bytes, struct arena *a,
				struct str *ret_bytes, struct err *err);
[[nodiscard]] enum rc file_read_fd(int fd, const char *name, size_t max_bytes, struct arena *a,
				   struct str *ret_bytes, struct err *err);
/* Writes name.tmp-<random>, syncs it, renames it over path and syncs the folder. */
[[nodiscard]] enum rc file_write(const char *path, struct str bytes, mode_t mode, struct err *err);
/* The same without syncing, for what is made again after a crash. */
[[nodiscard]] enum rc file_write_volatile(const char *path, struct str bytes, mode_t mode,
					  struct err *err);

/* A file of a name of its own in $TMPDIR or /tmp, for its owner only: <prefix><random><suffix>. */
[[nodiscard]] enum rc file_write_temp(struct arena *a, const char *prefix, const char *suffix,
				      struct str bytes, const char **ret_path, struct err *err);

bool file_exists(const char *path); /* of any type; does not follow a last symlink */

enum file_kind { FILE_REGULAR, FILE_FOLDER, FILE_LINK, FILE_OTHER };
struct file_facts {
	enum file_kind kind;
	mode_t permissions; /* the lower twelve bits */
	int64_t size_bytes, modified_s;
};
/* What a path names; a last symlink is followed when asked. */
[[nodiscard]] enum rc file_look(const char *path, bool follows, struct file_facts *ret_facts,
				struct err *err);

/* Beneath a folder. */
[[nodiscard]] enum rc file_open_beneath(int dir_fd, const char *name, int flags, mode_t mode,
					int *ret_fd, struct err *err);
[[nodiscard]] enum rc file_write_at(int dir_fd, const char *name, struct str bytes, mode_t mode,
				    struct err *err); /* atomically, not synced */

/* mkdir -p; mode is that of folders it makes; existing ones stay as they are. */
[[nodiscard]] enum rc dir_make(const char *path, mode_t mode, struct err *err);
[[nodiscard]] enum rc dir_open(const char *path, int *ret_fd, struct err *err);

/* The names in a folder, sorted bytewise, "." and ".." left out.  Limit: DIR_NAMES_MAX. */
#define DIR_NAMES_MAX 1000000
[[nodiscard]] enum rc dir_list(const char *path, struct arena *a, const char ***ret_names,
			       size_t *ret_count, struct err *err);

/* Removes what is called name in the folder, with all below it.  Never follows a symlink and never
 * crosses into another file system: RC_CONFLICT when something is still mounted there.  Nothing of
 * that name is no error.  Limit: DIR_DEPTH_MAX levels. */
#define DIR_DEPTH_MAX 256
[[nodiscard]] enum rc dir_remove_at(int dir_fd, const char *name, struct err *err);
[[nodiscard]] enum rc dir_remove(const char *path, struct err *err);

#endif
