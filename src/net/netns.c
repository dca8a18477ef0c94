#include "net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/mem.h"

#define NSFS_MAGIC 0x6e736673
#define OWN_NETNS  "/proc/thread-self/ns/net"

enum rc netns_path(struct str name, char out[NETNS_PATH_MAX], struct err *err)
{
	if (name.len == 0 || name.len > NETNS_NAME_MAX || memchr(name.at, '/', name.len) ||
	    memchr(name.at, 0, name.len) || name.at[0] == '.')
		return err_set(err, RC_INVALID,
			       "'%.*s' can't name a network namespace: 1 to %d characters, no '/'",
			       STR_FMT(name), NETNS_NAME_MAX);
	snprintf(out, NETNS_PATH_MAX, NETNS_FOLDER "/%.*s", STR_FMT(name));
	return RC_OK;
}

static bool is_namespace(const char *path)
{
	struct statfs fs;
	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

/* --- work in a thread of its own --- */

struct call {
	int fd;
	enum rc (*fn)(void *arg, struct err *err);
	void *arg;
	struct err *err;
	enum rc rc;
};

static void *call_thread(void *arg)
{
	struct call *call = arg;
	call->rc = call->fd >= 0 ? netns_enter(call->fd, call->err) : RC_OK;
	if (call->rc == RC_OK)
		call->rc = call->fn(call->arg, call->err);
	return NULL;
}

static enum rc run_thread(struct call *call)
{
	pthread_t thread;
	sigset_t all, former;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	int sys = pthread_create(&thread, NULL, call_thread, call);
	pthread_sigmask(SIG_SETMASK, &former, NULL);
	if (sys)
		return err_sys(call->err, RC_IO, sys, "start a thread for a network namespace");
	pthread_join(thread, NULL);
	return call->rc;
}

enum rc netns_call(int fd, enum rc (*fn)(void *arg, struct err *err), void *arg, struct err *err)
{
	if (fd < 0)
		return fn(arg, err);
	struct call call = {.fd = fd, .fn = fn, .arg = arg, .err = err};
	return run_thread(&call);
}

/* --- making and removing --- */

enum rc netns_set_loopback_up(struct err *err)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	CLEANUP(close_fd_p) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return err_sys(err, RC_IO, errno, "set lo up in a network namespace");
	return RC_OK;
}

static enum rc make_and_mount(void *arg, struct err *err)
{
	const char *path = arg;
	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(err, errno == EPERM ? RC_FORBIDDEN : RC_IO, errno,
			       "make network namespace '%s' (needs root)", path);
	TRY(netns_set_loopback_up(err));
	if (mount(OWN_NETNS, path, "none", MS_BIND, NULL) < 0)
		return err_sys(err, RC_IO, errno, "keep network namespace at '%s'", path);
	return RC_OK;
}

enum rc netns_keep(const char *path, bool *ret_was_there, struct err *err)
{
	bool was_there = is_namespace(path);
	if (ret_was_there)
		*ret_was_there = was_there;
	if (was_there)
		return RC_OK;
	if (mkdir(NETNS_FOLDER, 0755) < 0 && errno != EEXIST)
		return err_sys(err, RC_IO, errno, "make folder '" NETNS_FOLDER "'");
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (fd < 0)
		return err_sys(err, RC_IO, errno, "make file '%s'", path);
	close(fd);
	struct call call = {.fd = -1, .fn = make_and_mount, .arg = (void *)path, .err = err};
	enum rc rc = run_thread(&call);
	if (rc != RC_OK)
		unlink(path);
	return rc;
}

enum rc netns_release(const char *path, struct err *err)
{
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(err, RC_IO, errno, "let go of network namespace '%s'", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, RC_IO, errno, "remove '%s'", path);
	(void)rmdir(NETNS_FOLDER); /* fails, as it should, while anybody else uses it */
	return RC_OK;
}

enum rc netns_open(const char *path, int *ret_fd, struct err *err)
{
	if (access(path, F_OK) == 0 && !is_namespace(path))
		return err_set(err, RC_NOT_FOUND, "'%s' keeps no network namespace", path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno == ENOENT ? RC_NOT_FOUND : RC_IO, errno,
			       "open network namespace '%s'", path);
	*ret_fd = fd;
	return RC_OK;
}

enum rc netns_open_own(int *ret_fd, struct err *err)
{
	return netns_open(OWN_NETNS, ret_fd, err);
}

enum rc netns_enter(int fd, struct err *err)
{
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_sys(err, errno == EPERM ? RC_FORBIDDEN : RC_IO, errno,
			       "enter a network namespace (needs root)");
	return RC_OK;
}
