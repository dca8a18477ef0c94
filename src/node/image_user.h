/* image_user: who the first process of a container is.
 *
 * An image names its user as "user", "uid", "user:group", "uid:gid" or a mix.  A number is digits
 * only, at most 2^31 - 1: no sign, no hexadecimal, no space (CVE-2022-27650, CVE-2024-40635); what
 * is not a number is a name and must stand in the container's own /etc/passwd or /etc/group, which
 * are read beneath the root file system, regular files of at most USER_FILE_MAX bytes. Threads:
 * any; image_user_find() blocks. */
#ifndef SKEG_NODE_IMAGE_USER_H
#define SKEG_NODE_IMAGE_USER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#define USER_FILE_MAX	(1u << 20)
#define USER_GROUPS_MAX 256

struct image_user {
	int64_t uid, gid;
	int64_t groups[USER_GROUPS_MAX]; /* further ones, of /etc/group */
	size_t group_count;
	struct str home; /* absent: not known */
};

/* Of the image's user: the number (-1 when it has none) and the name (absent when it has none); for
 * "" 0, since that means root. */
void image_user_split(struct str user, int64_t *ret_uid, struct str *ret_name);

/* run_as_user and run_as_group (-1: not set) go before the image's user. */
[[nodiscard]] enum rc image_user_find(int root_fd, struct str user, int64_t run_as_user,
				      int64_t run_as_group, struct arena *a,
				      struct image_user *ret_user, struct err *err);

/* The same on the texts of the two files (absent: no file). */
[[nodiscard]] enum rc image_user_resolve(struct str passwd, struct str group, struct str user,
					 int64_t run_as_user, int64_t run_as_group,
					 struct image_user *ret_user, struct err *err);

#endif
