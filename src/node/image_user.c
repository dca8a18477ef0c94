#include "node/image_user.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "io/file.h"

#define ID_MAX INT32_MAX

static bool id_parse(struct str text, int64_t *ret_id)
{
	int64_t id = 0;
	if (text.len == 0 || text.len > 10)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		id = id * 10 + (text.at[i] - '0');
	}
	*ret_id = id;
	return id <= ID_MAX;
}

/* Anything that begins like a number is meant to be one. */
static bool looks_numeric(struct str text)
{
	return text.len > 0 && strchr("0123456789+- \t", text.at[0]) != NULL;
}

void image_user_split(struct str user, int64_t *ret_uid, struct str *ret_name)
{
	struct str name, group;
	str_cut(user, ':', &name, &group);
	*ret_uid = -1;
	*ret_name = (struct str){};
	if (name.len == 0)
		*ret_uid = 0;
	else if (!id_parse(name, ret_uid)) {
		*ret_uid = -1;
		*ret_name = name;
	}
}

/* --- lines of passwd(5) and group(5) --- */

static struct str line_take(struct str *text)
{
	struct str line, rest;
	str_cut(*text, '\n', &line, &rest);
	*text = rest;
	return line;
}

static struct str field_at(struct str line, int index)
{
	struct str field = {}, rest = line;
	for (int i = 0; i <= index; i++)
		str_cut(rest, ':', &field, &rest);
	return field;
}

/* The line whose field `index` is value; comments and NIS lines never fit. */
static bool line_find(struct str text, int index, struct str value, struct str *ret_line)
{
	while (text.len > 0) {
		struct str line = line_take(&text);
		if (line.len > 0 && !strchr("#+-", line.at[0]) &&
		    str_eq(field_at(line, index), value)) {
			*ret_line = line;
			return true;
		}
	}
	return false;
}

static bool list_has(struct str list, struct str name)
{
	while (list.len > 0) {
		struct str item, rest;
		str_cut(list, ',', &item, &rest);
		if (str_eq(item, name))
			return true;
		list = rest;
	}
	return false;
}

static void groups_find(struct str group, struct str name, struct image_user *out)
{
	while (group.len > 0 && out->group_count < USER_GROUPS_MAX) {
		struct str line = line_take(&group);
		int64_t gid;
		if (list_has(field_at(line, 3), name) && id_parse(field_at(line, 2), &gid) &&
		    gid != out->gid)
			out->groups[out->group_count++] = gid;
	}
}

/* --- resolving --- */

static enum rc uid_resolve(struct str passwd, struct str user, struct str *ret_line,
			   int64_t *ret_uid, struct err *err)
{
	if (id_parse(user, ret_uid)) {
		char digits[24];
		snprintf(digits, sizeof(digits), "%lld", (long long)*ret_uid);
		if (!line_find(passwd, 2, str_of(digits), ret_line))
			*ret_line = (struct str){};
		return RC_OK;
	}
	if (looks_numeric(user))
		return err_set(err, RC_INVALID,
			       "user '%.*s' of the image is no number from 0 to %d and no name",
			       STR_FMT(user), ID_MAX);
	if (!line_find(passwd, 0, user, ret_line) || !id_parse(field_at(*ret_line, 2), ret_uid))
		return err_set(err, RC_INVALID,
			       "unable to find user %.*s: no matching entries in passwd file",
			       STR_FMT(user));
	return RC_OK;
}

static enum rc gid_resolve(struct str group, struct str name, int64_t *ret_gid, struct err *err)
{
	struct str line;
	if (id_parse(name, ret_gid))
		return RC_OK;
	if (looks_numeric(name))
		return err_set(err, RC_INVALID,
			       "group '%.*s' of the image is no number from 0 to %d and no name",
			       STR_FMT(name), ID_MAX);
	if (!line_find(group, 0, name, &line) || !id_parse(field_at(line, 2), ret_gid))
		return err_set(err, RC_INVALID,
			       "unable to find group %.*s: no matching entries in group file",
			       STR_FMT(name));
	return RC_OK;
}

enum rc image_user_resolve(struct str passwd, struct str group, struct str user,
			   int64_t run_as_user, int64_t run_as_group, struct image_user *ret_user,
			   struct err *err)
{
	char digits[24];
	struct str name, group_name = {}, line = {};
	*ret_user = (struct image_user){};
	if (run_as_user >= 0) {
		snprintf(digits, sizeof(digits), "%lld", (long long)run_as_user);
		name = str_of(digits);
	} else {
		str_cut(user, ':', &name, &group_name);
	}
	TRY(uid_resolve(passwd, name.len ? name : STR("0"), &line, &ret_user->uid, err));
	if (!id_parse(field_at(line, 3), &ret_user->gid))
		ret_user->gid = 0;
	if (run_as_group >= 0)
		ret_user->gid = run_as_group;
	else if (group_name.len > 0)
		TRY(gid_resolve(group, group_name, &ret_user->gid, err));
	if (line.len > 0) {
		groups_find(group, field_at(line, 0), ret_user);
		ret_user->home = field_at(line, 5);
	}
	return RC_OK;
}

/* --- reading the container's files --- */

/* The file may be a symbolic link, but one that stays in the container's root. */
static enum rc text_read(int root_fd, const char *path, struct arena *a, struct str *ret_text,
			 struct err *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	struct stat st;
	CLEANUP(close_fd_p) int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	*ret_text = (struct str){};
	if (fd < 0)
		return RC_OK;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(err, RC_INVALID, "/%s of the image is no regular file", path);
	return file_read_fd(fd, path, USER_FILE_MAX, a, ret_text, err);
}

enum rc image_user_find(int root_fd, struct str user, int64_t run_as_user, int64_t run_as_group,
			struct arena *a, struct image_user *ret_user, struct err *err)
{
	struct str passwd, group;
	TRY(text_read(root_fd, "etc/passwd", a, &passwd, err));
	TRY(text_read(root_fd, "etc/group", a, &group, err));
	return image_user_resolve(passwd, group, user, run_as_user, run_as_group, ret_user, err);
}
