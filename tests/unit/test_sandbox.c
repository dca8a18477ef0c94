/* What a sandboxed process can still do, and what not: each in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/sandbox.h"

static bool runs_program(void)
{
	char *const args[] = {(char *)"true", NULL};
	return execv("/bin/true", args) == 0; /* or never returns: the child ends with 0 */
}

static bool mounts(void)
{
	return mount("none", "/tmp", "tmpfs", 0, NULL) == 0;
}

static bool leaves_namespace(void)
{
	return unshare(CLONE_NEWUTS) == 0;
}

static bool traces(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool opens_raw_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0) >= 0;
}

static bool becomes_user(void)
{
	return setuid(65534) == 0;
}

static bool opens_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool reads_file(void)
{
	char byte;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &byte, 1) == 1;
}

static void *nothing(void *arg)
{
	return arg;
}

static bool starts_thread(void)
{
	pthread_t thread;
	return pthread_create(&thread, NULL, nothing, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static const struct {
	const char *name;
	bool (*act)(void);
	bool is_possible;
} rows[] = {
	{"run a program", runs_program, false},
	{"mount", mounts, false},
	{"leave a namespace", leaves_namespace, false},
	{"trace", traces, false},
	{"open a raw socket", opens_raw_socket, false},
	{"become another user", becomes_user, false},
	{"open a socket", opens_socket, true},
	{"read a file", reads_file, true},
	{"start a thread", starts_thread, true},
};

/* 0: it could; 1: it could not; 2: there is no sandbox here. */
static int try(bool (*act)(void))
{
	struct err err;
	pid_t pid = fork();
	if (pid == 0) {
		if (sandbox_enter(false, &err) != RC_OK)
			_exit(2);
		_exit(act() ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_acts(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int got = try(rows[i].act);
		if (got != (rows[i].is_possible ? 0 : 1))
			fail_msg("%s: exit code %d", rows[i].name, got);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_acts)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
