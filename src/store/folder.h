/* folder: the data folder of a database: made, locked, and with a ballast against a full disk.
 *
 * The ballast is a file of BALLAST_BYTES that is given up when the disk is full, so that deletes
 * find room for their own records, and made again when there is room for it and a quarter more.
 *
 * Owns: descriptors.  Threads: one at a time.  Errors: name the path and the remedy. */
#ifndef SKEG_STORE_FOLDER_H
#define SKEG_STORE_FOLDER_H

#include <stdbool.h>

#include "base/err.h"

#define BALLAST_BYTES (4 << 20)

struct folder {
	char *path;
	int dir_fd, lock_fd;
	bool has_ballast;
};

/* Makes the folder (and its parents), takes its lock: RC_CONFLICT when another process has it. */
[[nodiscard]] enum rc folder_open(struct folder *f, const char *path, struct err *err);
void folder_done(struct folder *f); /* accepts a zeroed one */

/* Private to the user, made when absent; SQLite would make it readable to all. */
[[nodiscard]] enum rc folder_make_file(struct folder *f, const char *name, struct err *err);

bool folder_drop_ballast(struct folder *f);    /* false when there is none */
void folder_restore_ballast(struct folder *f); /* when it is missing and there is room */

#endif
