#include "net/sysctl.h"

#include <errno.h>
#include <fcntl.h>

#include "base/mem.h"
#include "base/str.h"

#define SYSCTL_PATH_MAX 256

static enum rc sysctl_open(const char *name, int flags, int *ret_fd, struct err *err)
{
	char path[SYSCTL_PATH_MAX];
	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	int fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno == ENOENT ? RC_NOT_FOUND : RC_IO, errno, "open '%s'",
			       path);
	*ret_fd = fd;
	return RC_OK;
}

enum rc sysctl_get(const char *name, int64_t *ret_value, struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	char text[32];
	TRY(sysctl_open(name, O_RDONLY, &fd, err));
	ssize_t len = read(fd, text, sizeof(text));
	if (len < 0)
		return err_sys(err, RC_IO, errno, "read sysctl '%s'", name);
	if (!str_to_i64(str_trim(str_n(text, (size_t)len)), ret_value))
		return err_set(err, RC_IO, "sysctl '%s' is not a number", name);
	return RC_OK;
}

enum rc sysctl_set(const char *name, int64_t value, struct err *err)
{
	CLEANUP(close_fd_p) int fd = -1;
	int64_t now = 0;
	char text[32];
	enum rc rc = sysctl_get(name, &now, err);
	if (rc == RC_NOT_FOUND || (rc == RC_OK && now == value))
		return RC_OK;
	TRY(rc);
	TRY(sysctl_open(name, O_WRONLY, &fd, err));
	int len = snprintf(text, sizeof(text), "%lld\n", (long long)value);
	if (write(fd, text, (size_t)len) != len)
		return err_sys(err, RC_IO, errno, "set sysctl '%s' to %lld", name,
			       (long long)value);
	return RC_OK;
}
