/* mounts: what is mounted in a folder, and taking it away. */
#ifndef SKEG_CLI_MOUNTS_H
#define SKEG_CLI_MOUNTS_H

#include "base/arena.h"
#include "base/err.h"

#define MOUNTINFO_MAX (16u << 20)

/* Mount points at or below folder (absolute, without '/' at its end), the newest first, out of the
 * text of a mountinfo file (proc(5)).  Pure. */
void mounts_below(struct arena *a, struct str mountinfo, struct str folder, struct str **ret_points,
		  size_t *ret_count);
/* Unmounts all of them; goes on after an error and returns the first. */
[[nodiscard]] enum rc mounts_remove(const char *folder, size_t *ret_removed, struct err *err);

#endif
