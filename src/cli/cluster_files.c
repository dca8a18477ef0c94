#include "cli/cluster_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "io/file.h"

#define PID_TEXT_MAX 32

const char *cluster_default_data(struct arena *a)
{
	const char *home = getenv("HOME");
	if (geteuid() == 0 || !home)
		return "/var/lib/skeg";
	return arena_cstr(a, arena_printf(a, "%s/.local/share/skeg", home));
}

/* Processes of a cluster are told apart by it, so "." must not mean another one elsewhere. */
const char *cluster_data(struct arena *a, const char *given)
{
	if (!given)
		return cluster_default_data(a);
	CLEANUP(free_p) char *here = given[0] == '/' ? NULL : getcwd(NULL, 0);
	struct str path = here ? arena_printf(a, "%s/%s", here, given) : str_of(given);
	while (path.len > 1 && str_has_suffix(path, STR("/")))
		path.len--;
	return arena_cstr(a, path);
}

const char *cluster_path(struct arena *a, const char *data, const char *name)
{
	return arena_cstr(a, arena_printf(a, "%s/%s", data, name));
}

void cluster_node_cgroup(const char *node, char out[CLUSTER_CGROUP_MAX])
{
	snprintf(out, CLUSTER_CGROUP_MAX, CLUSTER_CGROUP "/%s", node);
}

static pid_t read_pid(int fd)
{
	char text[PID_TEXT_MAX] = {};
	int64_t pid = 0;
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);
	if (len <= 0 || !str_to_i64(str_trim(str_n(text, (size_t)len)), &pid))
		return 0;
	return (pid_t)pid;
}

static enum rc runs_already(const char *data, pid_t pid, struct err *err)
{
	return err_set(err, RC_CONFLICT,
		       "a cluster runs already from '%s' (process %d); end it with 'skeg stop' or "
		       "choose another --data-dir",
		       data, pid);
}

enum rc cluster_lock(const char *data, struct err *err)
{
	CLEANUP_ARENA a = {};
	TRY(dir_make(data, 0700, err));
	const char *path = cluster_path(&a, data, "supervisor.pid");
	CLEANUP(close_fd_p) int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return runs_already(data, read_pid(fd), err);
	if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", getpid()) < 0)
		return err_sys(err, RC_IO, errno, "write '%s'", path);
	(void)TAKE_FD(fd); /* the lock lives as long as the process */
	return RC_OK;
}

pid_t cluster_supervisor(const char *data)
{
	CLEANUP_ARENA a = {};
	CLEANUP(close_fd_p)
	int fd = open(cluster_path(&a, data, "supervisor.pid"), O_RDWR | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	return read_pid(fd);
}

enum rc cluster_check_idle(const char *data, struct err *err)
{
	pid_t pid = cluster_supervisor(data);
	return pid ? runs_already(data, pid, err) : RC_OK;
}
