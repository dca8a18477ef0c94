#include "cli/cluster_processes.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "base/arena.h"
#include "io/file.h"
#include "io/loop.h"

#define COMMAND_LINE_MAX (64u << 10)
#define END_TIMEOUT_MS	 10000

/* "/proc/self/exe\0control\0--data-dir=/var/lib/skeg/server\0…" */
static bool is_ours(struct str command_line, struct str data_option, bool agents_only)
{
	struct str word, rest;
	str_cut(command_line, '\0', &word, &rest);
	if (!rest.len)
		return false;
	str_cut(rest, '\0', &word, &rest);
	if (!str_is(word, "agent") && (agents_only || !str_is(word, "control")))
		return false;
	while (rest.len) {
		str_cut(rest, '\0', &word, &rest);
		if (str_has_prefix(word, data_option))
			return true;
	}
	return false;
}

static bool belongs(struct arena *a, int64_t pid, struct str data_option, bool agents_only)
{
	struct str text;
	char path[64];
	snprintf(path, sizeof(path), "/proc/%lld/cmdline", (long long)pid);
	return file_read(path, COMMAND_LINE_MAX, a, &text, NULL) == RC_OK &&
	       is_ours(text, data_option, agents_only);
}

static size_t find(struct str data_option, bool agents_only, pid_t out[CLUSTER_PROCESSES_MAX])
{
	CLEANUP_ARENA a = {};
	const char **names;
	size_t count = 0, name_count = 0;
	int64_t pid;
	if (dir_list("/proc", &a, &names, &name_count, NULL) != RC_OK)
		return 0;
	for (size_t i = 0; i < name_count && count < CLUSTER_PROCESSES_MAX; i++)
		if (str_to_i64(str_of(names[i]), &pid) && pid > 1 &&
		    belongs(&a, pid, data_option, agents_only))
			out[count++] = (pid_t)pid;
	return count;
}

bool cluster_agents_run(void)
{
	pid_t pids[CLUSTER_PROCESSES_MAX];
	return find(STR("--data-dir=/"), true, pids) > 0;
}

size_t cluster_processes(const char *data, pid_t out[CLUSTER_PROCESSES_MAX])
{
	CLEANUP_ARENA a = {};
	return find(arena_printf(&a, "--data-dir=%s/", data), false, out);
}

static int pidfd_open_checked(const char *data, pid_t pid)
{
	CLEANUP_ARENA a = {};
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	/* The number may have gone to another process before it was opened. */
	if (fd >= 0 && !belongs(&a, pid, arena_printf(&a, "--data-dir=%s/", data), false)) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool wait_ended(int fd, int64_t until_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int64_t left = until_ms - world_mono_ms();
	return poll(&p, 1, (int)MAX(left, (int64_t)0)) > 0;
}

size_t cluster_processes_end(const char *data)
{
	pid_t pids[CLUSTER_PROCESSES_MAX];
	int fds[CLUSTER_PROCESSES_MAX];
	size_t count = cluster_processes(data, pids);
	int64_t until_ms = world_mono_ms() + END_TIMEOUT_MS;
	for (size_t i = 0; i < count; i++) {
		fds[i] = pidfd_open_checked(data, pids[i]);
		if (fds[i] >= 0)
			syscall(SYS_pidfd_send_signal, fds[i], SIGTERM, NULL, 0);
	}
	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0)
			continue;
		if (!wait_ended(fds[i], until_ms)) {
			syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
			wait_ended(fds[i], world_mono_ms() + END_TIMEOUT_MS);
		}
		close(fds[i]);
	}
	return count;
}
