/* atomic_folder: a folder of small files that changes as a whole, as kubelet's AtomicWriter does:
 *
 *   ..2026_01_01_00_00_00.123456/   the files
 *   ..data -> ..2026_…              swapped by rename
 *   name -> ..data/name             one for each first component of a path
 *
 * Readers see all of the old or all of the new.  Blocks for a few small writes.
 * Threads: one writer a folder.  Limits: those of Secrets and ConfigMaps (1 MiB each).
 * Errors: RC_INVALID for a path that leaves the folder, else RC_IO. */
#ifndef SKEG_NODE_ATOMIC_FOLDER_H
#define SKEG_NODE_ATOMIC_FOLDER_H

#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct folder_file {
	struct str path; /* relative, "a" or "a/b" */
	struct str bytes;
	mode_t mode;
	int64_t owner; /* uid; -1: root */
};

struct folder_files {
	struct folder_file *items;
	size_t count, cap;
};

void folder_files_add(struct arena *a, struct folder_files *files, struct folder_file file);

/* The folder exists.  group: fsGroup, which may read all of it; -1: none.  Writes nothing when the
 * folder already holds exactly these. */
[[nodiscard]] enum rc atomic_folder_write(const char *path, const struct folder_files *files,
					  int64_t group, struct err *err);

#endif
