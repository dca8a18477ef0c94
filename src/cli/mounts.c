#include "cli/mounts.h"

#include <errno.h>
#include <sys/mount.h>

#include "io/file.h"

#define POINT_FIELD 4 /* of a line, counted from 0 */

/* Space, tab, newline and backslash stand as three octal digits. */
static struct str unescape(struct arena *a, struct str text)
{
	char *out = arena_alloc(a, text.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < text.len; i++) {
		const char *at = text.at + i;
		bool is_escape = at[0] == '\\' && i + 3 < text.len && at[1] >= '0' &&
				 at[1] <= '3' && at[2] >= '0' && at[2] <= '7' && at[3] >= '0' &&
				 at[3] <= '7';
		if (is_escape) {
			out[len++] = (char)((at[1] - '0') * 64 + (at[2] - '0') * 8 + (at[3] - '0'));
			i += 3;
		} else {
			out[len++] = *at;
		}
	}
	return str_n(out, len);
}

static struct str field_of(struct str line, int index)
{
	struct str field, rest = line;
	do {
		str_cut(rest, ' ', &field, &rest);
	} while (index-- > 0 && rest.at);
	return field;
}

static bool is_below(struct str path, struct str folder)
{
	return str_eq(path, folder) || (str_has_prefix(path, folder) && path.at[folder.len] == '/');
}

void mounts_below(struct arena *a, struct str mountinfo, struct str folder, struct str **ret_points,
		  size_t *ret_count)
{
	struct str line, rest = mountinfo, *points = NULL;
	size_t count = 0, cap = 0;
	while (rest.len) {
		str_cut(rest, '\n', &line, &rest);
		struct str point = unescape(a, field_of(line, POINT_FIELD));
		if (!point.len || !is_below(point, folder))
			continue;
		points = arena_grow(a, points, count, &cap, sizeof(*points));
		points[count++] = point;
	}
	for (size_t i = 0; i < count / 2; i++) {
		struct str other = points[count - 1 - i];
		points[count - 1 - i] = points[i];
		points[i] = other;
	}
	*ret_points = points;
	*ret_count = count;
}

enum rc mounts_remove(const char *folder, size_t *ret_removed, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct str text, *points;
	size_t count, removed = 0;
	enum rc rc = RC_OK;
	TRY(file_read("/proc/self/mountinfo", MOUNTINFO_MAX, &a, &text, err));
	mounts_below(&a, text, str_of(folder), &points, &count);
	for (size_t i = 0; i < count; i++) {
		const char *point = arena_cstr(&a, points[i]);
		if (umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
			removed++;
		else if (errno != EINVAL && errno != ENOENT && rc == RC_OK)
			rc = err_sys(err, errno == EPERM ? RC_FORBIDDEN : RC_IO, errno,
				     "unmount '%s'", point);
	}
	*ret_removed = removed;
	return rc;
}
