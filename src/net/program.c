#include "net/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "net/netns.h"

#define DEFAULT_TIMEOUT_MS 60000
#define PATH_MAX_BYTES	   512

static const char *const safe_folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					   "/usr/bin",	      "/sbin",		"/bin"};
static const char *const safe_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

/* A running child and our ends of its pipes. */
struct child {
	const struct program *program;
	char path[PATH_MAX_BYTES];
	int input_fd;	 /* a memfd, so that nothing has to be fed while reading */
	int pipes[2][2]; /* stdout, stderr: read end, write end */
	int pid_fd;
	pid_t pid;
};

static int64_t mono_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum rc find_program(const struct program *program, char out[PATH_MAX_BYTES],
			    struct err *err)
{
	if (strchr(program->path, '/')) {
		if (snprintf(out, PATH_MAX_BYTES, "%s", program->path) < PATH_MAX_BYTES &&
		    access(out, X_OK) == 0)
			return RC_OK;
	} else {
		for (size_t i = 0; i < ARRAY_LEN(safe_folders); i++) {
			snprintf(out, PATH_MAX_BYTES, "%s/%s", safe_folders[i], program->path);
			if (access(out, X_OK) == 0)
				return RC_OK;
		}
	}
	return err_set(err, RC_UNAVAILABLE,
		       "program '%s' is not there or not executable: install the package %s",
		       program->path, program->package);
}

static enum rc open_input(struct child *c, struct err *err)
{
	struct str text = c->program->input;
	c->input_fd = memfd_create("skeg-input", MFD_CLOEXEC);
	if (c->input_fd < 0)
		return err_sys(err, RC_IO, errno, "memory file for '%s'", c->path);
	while (text.len > 0) {
		ssize_t written = write(c->input_fd, text.at, text.len);
		if (written < 0 && errno != EINTR)
			return err_sys(err, RC_IO, errno, "write input of '%s'", c->path);
		text = str_skip(text, written < 0 ? 0 : (size_t)written);
	}
	lseek(c->input_fd, 0, SEEK_SET);
	return RC_OK;
}

static enum rc open_pipes(struct child *c, struct err *err)
{
	for (int i = 0; i < 2; i++) {
		if (pipe2(c->pipes[i], O_CLOEXEC) < 0)
			return err_sys(err, RC_IO, errno, "pipe to '%s'", c->path);
		fcntl(c->pipes[i][0], F_SETFL, O_NONBLOCK);
	}
	return RC_OK;
}

static void close_slot(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void child_done(struct child *c)
{
	close_slot(&c->input_fd);
	close_slot(&c->pid_fd);
	for (int i = 0; i < 4; i++)
		close_slot(&c->pipes[i / 2][i % 2]);
}

/* Runs in the namespace; the child inherits that of the thread which spawns it. */
static enum rc spawn_child(void *arg, struct err *err)
{
	struct child *c = arg;
	posix_spawnattr_t attr;
	posix_spawn_file_actions_t files;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_adddup2(&files, c->input_fd, STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&files, c->pipes[0][1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, c->pipes[1][1], STDERR_FILENO);
	const char *const *envp = c->program->envp ? c->program->envp : safe_env;
	int sys = posix_spawn(&c->pid, c->path, &files, &attr, (char *const *)c->program->argv,
			      (char *const *)envp);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return sys ? err_sys(err, RC_IO, sys, "start '%s'", c->path) : RC_OK;
}

/* Reads what is there; closes the pipe at its end.  buf NULL drops the bytes. */
static void drain(int *fd, struct buf *out, size_t *total)
{
	char bytes[16384];
	while (*fd >= 0) {
		ssize_t got = read(*fd, bytes, sizeof(bytes));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return;
		if (got <= 0) {
			close_slot(fd);
			return;
		}
		*total += (size_t)got;
		if (out && *total <= PROGRAM_OUTPUT_MAX)
			buf_add(out, bytes, (size_t)got);
	}
}

/* Until the process ends: a grandchild may keep the pipes open for longer. */
static enum rc read_until_exit(struct child *c, struct buf *outs[2], struct err *err)
{
	int64_t limit_ms = c->program->timeout_ms ? c->program->timeout_ms : DEFAULT_TIMEOUT_MS;
	int64_t due_ms = mono_ms() + limit_ms;
	size_t totals[2] = {};
	for (bool is_running = true; is_running;) {
		struct pollfd fds[] = {{.fd = c->pid_fd, .events = POLLIN},
				       {.fd = c->pipes[0][0], .events = POLLIN},
				       {.fd = c->pipes[1][0], .events = POLLIN}};
		int64_t left_ms = due_ms - mono_ms();
		int ready = left_ms > 0 ? poll(fds, 3, (int)left_ms) : 0;
		if (ready == 0)
			return err_set(err, RC_TIMEOUT, "'%s' didn't end within %lld ms", c->path,
				       (long long)limit_ms);
		is_running = !fds[0].revents;
		drain(&c->pipes[0][0], outs[0], &totals[0]);
		drain(&c->pipes[1][0], outs[1], &totals[1]);
	}
	if (totals[0] > PROGRAM_OUTPUT_MAX || totals[1] > PROGRAM_OUTPUT_MAX)
		return err_set(err, RC_TOO_LARGE, "'%s' wrote more than %u bytes", c->path,
			       PROGRAM_OUTPUT_MAX);
	return RC_OK;
}

static int reap(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static enum rc run_child(struct child *c, struct buf *outs[2], int *ret_status, struct err *err)
{
	TRY(find_program(c->program, c->path, err));
	TRY(open_input(c, err));
	TRY(open_pipes(c, err));
	TRY(netns_call(c->program->netns_fd, spawn_child, c, err));
	close_slot(&c->pipes[0][1]);
	close_slot(&c->pipes[1][1]);
	c->pid_fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	enum rc rc = c->pid_fd < 0 ? err_sys(err, RC_IO, errno, "watch '%s'", c->path)
				   : read_until_exit(c, outs, err);
	if (rc != RC_OK)
		kill(-c->pid, SIGKILL);
	int status = reap(c->pid);
	if (rc == RC_OK)
		*ret_status = status;
	return rc;
}

enum rc program_run(const struct program *program, struct buf *out, struct buf *error_out,
		    int *ret_status, struct err *err)
{
	struct child c = {
		.program = program, .input_fd = -1, .pid_fd = -1, .pipes = {{-1, -1}, {-1, -1}}};
	struct buf *outs[2] = {out, error_out};
	enum rc rc = run_child(&c, outs, ret_status, err);
	child_done(&c);
	return rc;
}
