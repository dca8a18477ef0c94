/* Further commands in a container: `runc exec` (or crun) as our child, its stdio pipes or a
 * terminal of ours; its end is seen through a pidfd.  The runtime copies between our terminal and
 * the one inside, and follows SIGWINCH. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/log.h"
#include "io/file.h"
#include "node/oci_spec.h"
#include "node/runtime_oci-int.h"

#define EXEC_LOG_MAX (64u << 10)
#define FD_FLOOR     64 /* copies stay clear of 0, 1, 2 */
#define KEY_MAX	     40

struct oci_exec {
	struct runtime_exec base;
	struct runtime_oci *oci;
	char id[RUNTIME_ID_MAX];
	char key[KEY_MAX]; /* of its files in the container's folder */
	pid_t pid;	   /* of runc; 0: waited for */
	int pid_fd;
	struct loop_watch watch;
	bool is_tty;
};

static struct oci_exec *exec_of(struct runtime_exec *exec)
{
	return CONTAINER_OF(exec, struct oci_exec, base);
}

static void exec_path(const struct oci_exec *exec, const char *suffix, char out[RUNTIME_PATH_MAX])
{
	char file[KEY_MAX + 16];
	snprintf(file, sizeof(file), "%s%s", exec->key, suffix);
	oci_path(exec->oci, exec->id, file, out);
}

/* --- starting, on the pool --- */

static enum rc process_write(const struct oci_exec *exec, const struct runtime_exec_config *config,
			     struct err *err)
{
	CLEANUP_ARENA arena = {};
	CLEANUP_BUF text = BUF_INIT(OCI_SPEC_MAX);
	char path[RUNTIME_PATH_MAX];
	struct str spec_text;
	struct json *spec = NULL, *process = NULL;
	oci_path(exec->oci, exec->id, "config.json", path);
	TRY(file_read(path, OCI_SPEC_MAX, &arena, &spec_text, err));
	TRY(json_parse(&arena, spec_text, &spec, NULL, err));
	TRY(oci_process_build(&arena, spec, config->argv, config->argc, config->is_tty, &process,
			      err));
	json_write(&text, process);
	TRY(buf_check(&text, "configuration of a command", err));
	exec_path(exec, ".json", path);
	return file_write_volatile(path, buf_str(&text), 0600, err);
}

struct stdio {
	int theirs[3]; /* -1: /dev/null */
};

static void stdio_done(struct stdio *s)
{
	for (int i = 0; i < 3; i++)
		close_fd_p(&s->theirs[i]);
}

static enum rc pipe_make(int *ret_ours, int *ret_theirs, bool we_write, struct err *err)
{
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, RC_IO, errno, "make a pipe");
	*ret_ours = fds[we_write ? 1 : 0];
	*ret_theirs = fds[we_write ? 0 : 1];
	fcntl(*ret_ours, F_SETFL, O_NONBLOCK);
	return RC_OK;
}

static enum rc terminal_make(struct runtime_exec *exec, struct stdio *s, struct err *err)
{
	char name[64];
	CLEANUP(close_fd_p) int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    ptsname_r(master, name, sizeof(name)) != 0)
		return err_sys(err, RC_IO, errno, "make a terminal");
	for (int i = 0; i < 3; i++) {
		s->theirs[i] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
		if (s->theirs[i] < 0)
			return err_sys(err, RC_IO, errno, "open terminal %s", name);
	}
	fcntl(master, F_SETFL, O_NONBLOCK);
	exec->stdout_fd = TAKE_FD(master);
	return RC_OK;
}

static enum rc stdio_make(struct runtime_exec *exec, const struct runtime_exec_config *config,
			  struct stdio *s, struct err *err)
{
	if (config->is_tty)
		return terminal_make(exec, s, err);
	if (config->has_stdin)
		TRY(pipe_make(&exec->stdin_fd, &s->theirs[0], true, err));
	if (config->has_stdout)
		TRY(pipe_make(&exec->stdout_fd, &s->theirs[1], false, err));
	if (config->has_stderr)
		TRY(pipe_make(&exec->stderr_fd, &s->theirs[2], false, err));
	return RC_OK;
}

static void stdio_plan(posix_spawn_file_actions_t *actions, const struct stdio *s)
{
	for (int i = 0; i < 3; i++) {
		if (s->theirs[i] < 0)
			posix_spawn_file_actions_addopen(actions, i, "/dev/null",
							 i == 0 ? O_RDONLY : O_WRONLY, 0);
		else
			posix_spawn_file_actions_adddup2(actions, s->theirs[i], i);
	}
	posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

/* Above the targets, so that no dup2() overwrites a later source. */
static enum rc stdio_lift(struct stdio *s, struct err *err)
{
	for (int i = 0; i < 3; i++) {
		if (s->theirs[i] < 0 || s->theirs[i] >= FD_FLOOR)
			continue;
		int copy = fcntl(s->theirs[i], F_DUPFD_CLOEXEC, FD_FLOOR);
		if (copy < 0)
			return err_sys(err, RC_IO, errno, "copy a descriptor");
		close(s->theirs[i]);
		s->theirs[i] = copy;
	}
	return RC_OK;
}

static void attributes_plan(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(attributes);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &all);
	posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						     POSIX_SPAWN_SETSID);
}

static enum rc exec_spawn(struct oci_exec *exec, struct stdio *s, struct err *err)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
	char root[RUNTIME_PATH_MAX], log[RUNTIME_PATH_MAX], process[RUNTIME_PATH_MAX],
		pid_file[RUNTIME_PATH_MAX];
	const char *argv[] = {exec->oci->program, "--root", root,     "--log",	   log,
			      "--log-format",	  "json",   "exec",   "--process", process,
			      "--pid-file",	  pid_file, exec->id, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	snprintf(root, sizeof(root), "%s/runtime", exec->oci->dir);
	exec_path(exec, ".log", log);
	exec_path(exec, ".json", process);
	exec_path(exec, ".pid", pid_file);
	TRY(stdio_lift(s, err));
	posix_spawn_file_actions_init(&actions);
	stdio_plan(&actions, s);
	attributes_plan(&attributes);
	int failed = posix_spawn(&exec->pid, exec->oci->program, &actions, &attributes,
				 (char *const *)argv, (char *const *)env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (failed)
		return err_sys(err, RC_IO, failed, "start %s", exec->oci->program);
	exec->pid_fd = pidfd_open(exec->pid, 0);
	ASSERT(exec->pid_fd >= 0); /* we have not waited for it yet */
	return RC_OK;
}

static enum rc exec_run(struct oci_job *job, struct err *err)
{
	struct oci_exec *exec = job->result;
	CLEANUP(stdio_done) struct stdio s = {{-1, -1, -1}};
	TRY(process_write(exec, job->config, err));
	TRY(stdio_make(&exec->base, job->config, &s, err));
	return exec_spawn(exec, &s, err);
}

/* --- the end, on the loop --- */

static void files_remove(const struct oci_exec *exec)
{
	static const char *const suffixes[] = {".json", ".log", ".pid"};
	char path[RUNTIME_PATH_MAX];
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		exec_path(exec, suffixes[i], path);
		unlink(path);
	}
}

/* runc writes there only when the command could not be run: {"level":"error","msg":"..."}. */
static void failure_read(struct oci_exec *exec)
{
	CLEANUP_ARENA arena = {};
	char path[RUNTIME_PATH_MAX];
	struct str text, line;
	struct json *entry;
	exec_path(exec, ".log", path);
	if (file_read(path, EXEC_LOG_MAX, &arena, &text, NULL) != RC_OK)
		return;
	while (text.len > 0) {
		str_cut(text, '\n', &line, &text);
		if (line.len == 0 || json_parse(&arena, line, &entry, NULL, NULL) != RC_OK ||
		    !str_is(json_path_str(entry, "level"), "error"))
			continue;
		exec->base.rc = err_set(&exec->base.err, RC_INVALID,
					"OCI runtime exec failed: %.*s",
					STR_FMT(json_path_str(entry, "msg")));
	}
}

/* The runtime logs why before it prints it. */
bool oci_exec_is_refused(struct runtime_exec *base)
{
	failure_read(exec_of(base));
	return base->rc != RC_OK;
}

static int child_wait(pid_t pid)
{
	int status = 0;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 255;
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void exec_end(struct oci_exec *exec)
{
	loop_watch_stop(&exec->watch);
	exec->base.exit_code = child_wait(exec->pid);
	exec->pid = 0;
	if (exec->base.exit_code != 0)
		failure_read(exec);
	files_remove(exec);
}

static void exec_on(struct loop_watch *watch)
{
	struct oci_exec *exec = CONTAINER_OF(watch, struct oci_exec, watch);
	exec_end(exec);
	if (exec->base.exited)
		exec->base.exited(&exec->base);
}

static struct oci_exec *exec_new(struct runtime_oci *oci, const char *id, bool is_tty)
{
	struct oci_exec *exec = NEW(struct oci_exec);
	exec->base = (struct runtime_exec){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	exec->oci = oci;
	exec->pid_fd = -1;
	exec->is_tty = is_tty;
	snprintf(exec->id, sizeof(exec->id), "%s", id);
	snprintf(exec->key, sizeof(exec->key), "exec-%016llx",
		 (unsigned long long)world_random_u64());
	return exec;
}

/* The command inside is the runtime's child and would live on without it: it is killed by its
 * number, which cannot be given away while its parent has not waited for it. */
static void exec_kill(struct oci_exec *exec)
{
	CLEANUP_ARENA arena = {};
	char path[RUNTIME_PATH_MAX];
	struct str text;
	int64_t inner;
	exec_path(exec, ".pid", path);
	if (file_read(path, 64, &arena, &text, NULL) == RC_OK &&
	    str_to_i64(str_trim(text), &inner) && inner > 1)
		kill((pid_t)inner, SIGKILL);
}

void oci_exec_free(struct runtime_exec *base)
{
	if (!base)
		return;
	struct oci_exec *exec = exec_of(base);
	if (exec->pid > 0) {
		exec_kill(exec);
		kill(exec->pid, SIGKILL);
		exec_end(exec);
	}
	close_fd_p(&exec->pid_fd);
	free(exec);
}

static void fds_close(struct runtime_exec *exec)
{
	close_fd_p(&exec->stdin_fd);
	close_fd_p(&exec->stdout_fd);
	close_fd_p(&exec->stderr_fd);
}

static void exec_finish(struct oci_job *job)
{
	struct oci_exec *exec = job->result;
	struct runtime_exec **ret_exec = (struct runtime_exec **)job->number;
	if (job->rc == RC_OK)
		job->rc = loop_watch_start(job->oci->base.loop, &exec->watch, exec->pid_fd, exec_on,
					   &job->err);
	if (job->rc == RC_OK) {
		*ret_exec = &exec->base;
		return;
	}
	fds_close(&exec->base);
	files_remove(exec);
	oci_exec_free(&exec->base);
}

void oci_exec(struct runtime *r, const struct runtime_exec_config *config,
	      struct runtime_exec **ret_exec, struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	const struct oci_container *c = oci_find(oci, config->container_id);
	if (!c) {
		oci_missing(oci, call, config->container_id);
		return;
	}
	if (c->status.state != RUNTIME_RUNNING) {
		runtime_call_finish(r->loop, call,
				    err_set(&call->err, RC_INVALID,
					    "container \"%.*s\" is not running",
					    STR_FMT(config->container_id)));
		return;
	}
	struct oci_job *job = oci_job_new(oci, call, exec_run, exec_finish);
	job->config = config;
	job->result = exec_new(oci, c->status.id, config->is_tty);
	job->number = (int64_t)(intptr_t)ret_exec;
	oci_job_start(job);
}

void oci_exec_resize(struct runtime_exec *base, uint16_t columns, uint16_t rows)
{
	struct oci_exec *exec = exec_of(base);
	struct winsize size = {.ws_col = columns, .ws_row = rows};
	if (!exec->is_tty || exec->pid == 0 || base->stdout_fd < 0)
		return;
	if (ioctl(base->stdout_fd, TIOCSWINSZ, &size) == 0)
		pidfd_send_signal(exec->pid_fd, SIGWINCH, NULL, 0);
}

/* --- exec_sync: a command to its end, with what it prints --- */

struct exec_sync {
	struct runtime_call inner; /* of the exec it rests on */
	struct runtime_call *call;
	struct runtime *runtime;
	struct runtime_exec *exec;
	struct runtime_exec_config config;
	struct runtime_exec_result *result;
	struct loop_watch watches[2];
	struct loop_timer timer;
	int64_t timeout_ms;
};

static void sync_read(struct exec_sync *sync, int *fd, struct loop_watch *watch)
{
	char chunk[4096];
	ssize_t got;
	while ((got = read(*fd, chunk, sizeof(chunk))) > 0) {
		size_t room = RUNTIME_EXEC_OUTPUT_MAX - sync->result->output_len;
		size_t len = MIN((size_t)got, room);
		memcpy(sync->result->output + sync->result->output_len, chunk, len);
		sync->result->output_len += len;
	}
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	loop_watch_stop(watch);
	close(TAKE_FD(*fd));
}

static void sync_stdout_on(struct loop_watch *watch)
{
	struct exec_sync *sync = CONTAINER_OF(watch, struct exec_sync, watches[0]);
	sync_read(sync, &sync->exec->stdout_fd, watch);
}

static void sync_stderr_on(struct loop_watch *watch)
{
	struct exec_sync *sync = CONTAINER_OF(watch, struct exec_sync, watches[1]);
	sync_read(sync, &sync->exec->stderr_fd, watch);
}

static void sync_end(struct exec_sync *sync, enum rc rc)
{
	struct runtime_exec *exec = sync->exec;
	loop_timer_stop(&sync->timer);
	if (exec) {
		if (exec->stdout_fd >= 0)
			sync_read(sync, &exec->stdout_fd, &sync->watches[0]);
		if (exec->stderr_fd >= 0)
			sync_read(sync, &exec->stderr_fd, &sync->watches[1]);
		for (size_t i = 0; i < ARRAY_LEN(sync->watches); i++)
			loop_watch_stop(&sync->watches[i]);
		fds_close(exec);
		oci_exec_free(exec);
	}
	sync->result->output[sync->result->output_len] = '\0';
	runtime_call_finish(sync->runtime->loop, sync->call, rc);
	free(sync);
}

static void sync_exited(struct runtime_exec *exec)
{
	struct exec_sync *sync = exec->owner;
	sync->result->exit_code = exec->exit_code;
	if (exec->rc != RC_OK)
		sync->call->err = exec->err;
	sync_end(sync, exec->rc);
}

static void sync_late(struct loop_timer *timer)
{
	struct exec_sync *sync = CONTAINER_OF(timer, struct exec_sync, timer);
	sync->result->is_timed_out = true;
	sync_end(sync, RC_OK);
}

static void sync_started(struct runtime_call *inner)
{
	struct exec_sync *sync = CONTAINER_OF(inner, struct exec_sync, inner);
	struct loop *loop = sync->runtime->loop;
	if (inner->rc != RC_OK) {
		sync->call->err = inner->err;
		sync_end(sync, inner->rc);
		return;
	}
	sync->exec->owner = sync;
	sync->exec->exited = sync_exited;
	enum rc rc = loop_watch_start(loop, &sync->watches[0], sync->exec->stdout_fd,
				      sync_stdout_on, &sync->call->err);
	if (rc == RC_OK)
		rc = loop_watch_start(loop, &sync->watches[1], sync->exec->stderr_fd,
				      sync_stderr_on, &sync->call->err);
	if (rc != RC_OK)
		sync_end(sync, rc);
	else
		loop_timer_start(loop, &sync->timer, sync->timeout_ms, sync_late);
}

void oci_exec_sync(struct runtime *r, struct str id, const struct str *argv, size_t argc,
		   int64_t timeout_ms, struct runtime_exec_result *ret_result,
		   struct runtime_call *call)
{
	struct exec_sync *sync = NEW(struct exec_sync);
	*sync = (struct exec_sync){
		.inner = {.done = sync_started},
		.call = call,
		.runtime = r,
		.config = {.container_id = id,
			   .argv = argv,
			   .argc = argc,
			   .has_stdout = true,
			   .has_stderr = true},
		.result = ret_result,
		.timeout_ms = timeout_ms,
	};
	ret_result->is_timed_out = false;
	ret_result->exit_code = 0;
	ret_result->output_len = 0;
	oci_exec(r, &sync->config, &sync->exec, &sync->inner);
}

/* --- attach --- */

/* The name of a socket has 107 bytes at most: the folder is named through its descriptor. */
static enum rc attach_run(struct oci_job *job, struct err *err)
{
	char folder[RUNTIME_PATH_MAX];
	CLEANUP(close_fd_p) int folder_fd = -1;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	oci_path(job->oci, job->id, "", folder);
	TRY(dir_open(folder, &folder_fd, err));
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/attach", folder_fd);
	CLEANUP(close_fd_p)
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return err_sys(err, RC_IO, errno, "attach to container %s", job->id);
	job->fds[0] = TAKE_FD(fd);
	return RC_OK;
}

static void attach_finish(struct oci_job *job)
{
	if (job->rc == RC_OK)
		*(int *)job->result = job->fds[0];
}

void oci_attach(struct runtime *r, struct str id, int *ret_fd, struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	const struct oci_container *c = oci_find(oci, id);
	if (!c) {
		oci_missing(oci, call, id);
		return;
	}
	struct oci_job *job = oci_job_new(oci, call, attach_run, attach_finish);
	memcpy(job->id, c->status.id, sizeof(job->id));
	job->result = ret_fd;
	oci_job_start(job);
}

/* conmon's control pipe: "1 <rows> <columns>". */
void oci_attach_resize(struct runtime *r, struct str id, uint16_t columns, uint16_t rows)
{
	struct runtime_oci *oci = oci_of(r);
	const struct oci_container *c = oci_find(oci, id);
	char line[32];
	struct err err;
	if (!c || c->status.state != RUNTIME_RUNNING)
		return;
	snprintf(line, sizeof(line), "1 %u %u\n", rows, columns);
	if (oci_monitor_tell(oci, c->status.id, line, &err) != RC_OK)
		log_warn("runtime", "%s", err.text);
}
