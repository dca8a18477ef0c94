/* Life of a container.  Its folder is made first and the mark "created" in it last, so that
 * whatever a crash leaves in between is found and removed at the next start. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "base/log.h"
#include "io/file.h"
#include "io/spawn.h"
#include "node/oci_capabilities.h"
#include "node/oci_seccomp.h"
#include "node/oci_spec.h"
#include "node/runtime_oci-int.h"

#define CREATE_TIMEOUT_MS   120000
#define MONITOR_END_MS	    5000
#define MONITOR_MESSAGE_MAX (32u << 10)
#define SECCOMP_PROFILE_MAX (1u << 20)
#define DEVICES_MAX	    1024
#define LOG_SUFFIX_MAX	    32
#define CTL_REOPEN_LOG	    "2 0 0\n" /* conmon's message on its control pipe */

/* --- running runc or crun --- */

enum rc oci_command(const struct runtime_oci *oci, const char *const *words, struct err *err)
{
	char root[RUNTIME_PATH_MAX];
	const char *argv[16] = {oci->program, "--root", root};
	size_t argc = 3;
	snprintf(root, sizeof(root), "%s/runtime", oci->dir);
	for (; *words; words++) {
		ASSERT(argc + 1 < ARRAY_LEN(argv));
		argv[argc++] = *words;
	}
	struct spawn_opts opts = {
		.argv = argv,
		.timeout_ms = OCI_COMMAND_TIMEOUT_MS,
		.output_max = MONITOR_MESSAGE_MAX,
	};
	return spawn_check(&opts, NULL, err);
}

/* --- the specification --- */

static enum rc devices_add(struct arena *a, const char *folder, struct oci_device *devices,
			   size_t *count, struct err *err)
{
	DIR *dir = opendir(folder);
	if (!dir)
		return err_sys(err, RC_IO, errno, "list %s", folder);
	for (struct dirent *d = readdir(dir); d && *count < DEVICES_MAX; d = readdir(dir)) {
		struct stat st;
		static const char *const own[] = {"ptmx", "tty",  "console", "null",
						  "zero", "full", "random",  "urandom"};
		bool is_own = false;
		for (size_t i = 0; i < ARRAY_LEN(own); i++)
			is_own |= strcmp(d->d_name, own[i]) == 0;
		if (is_own || fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)))
			continue;
		devices[(*count)++] = (struct oci_device){
			.path = arena_printf(a, "%s/%s", folder, d->d_name).at,
			.type = S_ISCHR(st.st_mode) ? 'c' : 'b',
			.major = major(st.st_rdev),
			.minor = minor(st.st_rdev),
			.mode = st.st_mode & 07777,
			.uid = st.st_uid,
			.gid = st.st_gid,
		};
	}
	closedir(dir);
	return RC_OK;
}

static enum rc seccomp_find(struct arena *a, const struct runtime_security *s,
			    uint64_t capabilities, struct json **ret_profile, struct err *err)
{
	struct str text;
	*ret_profile = NULL;
	if (s->is_privileged || s->seccomp == RUNTIME_SECCOMP_UNCONFINED)
		return RC_OK;
	if (s->seccomp == RUNTIME_SECCOMP_DEFAULT) {
		*ret_profile = oci_seccomp_default(a, capabilities);
		return RC_OK;
	}
	if (s->seccomp_path.len == 0 || s->seccomp_path.at[0] != '/')
		return err_set(err, RC_INVALID, "seccomp: localhostProfile names no file");
	TRY(file_read(arena_cstr(a, s->seccomp_path), SECCOMP_PROFILE_MAX, a, &text, err));
	return oci_seccomp_parse(a, text, ret_profile, err);
}

static const char *sandbox_file(const struct runtime_oci *oci, struct arena *a, struct str pod_uid,
				const char *file)
{
	char path[RUNTIME_PATH_MAX];
	oci_sandbox_path(oci, pod_uid, file, path);
	return file_exists(path) ? arena_cstr(a, str_of(path)) : NULL;
}

static struct str sandbox_hostname(struct arena *a, const char *path)
{
	struct str text;
	if (!path || file_read(path, 256, a, &text, NULL) != RC_OK)
		return (struct str){};
	return str_trim(text);
}

static void sandbox_fill(const struct runtime_oci *oci, struct arena *a, struct oci_spec_input *in)
{
	struct str uid = in->config->pod_uid;
	in->net_path = sandbox_file(oci, a, uid, "net");
	in->ipc_path = sandbox_file(oci, a, uid, "ipc");
	in->uts_path = sandbox_file(oci, a, uid, "uts");
	in->shm_path = sandbox_file(oci, a, uid, "shm");
	if (!in->shm_path)
		in->shm_path = "/dev/shm";
	in->hostname_path = sandbox_file(oci, a, uid, "hostname");
	in->hostname = sandbox_hostname(a, in->hostname_path);
}

static enum rc rights_fill(const struct runtime_oci *oci, struct arena *a,
			   struct oci_spec_input *in, struct err *err)
{
	const struct runtime_security *s = &in->config->security;
	TRY(capabilities_of(s, &in->capabilities, err));
	uint64_t missing = in->capabilities & ~oci->capabilities;
	for (int n = 0; capability_name(n) && missing && !s->is_privileged; n++) {
		if (missing >> n & 1)
			log_warn("runtime", "container %.*s: %s is not ours to give",
				 STR_FMT(in->config->name), capability_name(n));
	}
	in->capabilities &= oci->capabilities;
	in->oom_score_adj = MAX(in->config->oom_score_adj, oci->oom_score_min);
	if (s->is_privileged) {
		struct oci_device *devices = ARENA_ARRAY(a, struct oci_device, DEVICES_MAX);
		TRY(devices_add(a, "/dev", devices, &in->device_count, err));
		in->devices = devices;
	}
	return seccomp_find(a, s, in->capabilities, &in->seccomp, err);
}

static enum rc user_find(const struct runtime_oci *oci, struct arena *a, const char *rootfs,
			 const struct oci_spec_input *in, struct image_user *ret_user,
			 struct err *err)
{
	const struct runtime_security *s = &in->config->security;
	CLEANUP(close_fd_p) int root_fd = -1;
	TRY(dir_open(rootfs, &root_fd, err));
	return image_user_find(root_fd, in->image->user, s->run_as_user, s->run_as_group, a,
			       ret_user, err);
}

/* target_fd: of a process namespace to share, or -1. */
static enum rc spec_write(const struct runtime_oci *oci, const char *id, const char *cgroup,
			  const struct runtime_container_config *config,
			  const struct image_config *image, int target_fd, struct err *err)
{
	CLEANUP_ARENA arena = {};
	CLEANUP_BUF text = BUF_INIT(OCI_SPEC_MAX);
	char rootfs[RUNTIME_PATH_MAX], path[RUNTIME_PATH_MAX];
	struct image_user user;
	struct json *spec = NULL;
	struct oci_spec_input in = {
		.config = config,
		.image = image,
		.user = &user,
		.can_limit_swap = cgroups_limit_swap(&oci->cgroups),
		.has_cgroup_namespace = oci->cgroups.is_v2,
		.rootfs_path = rootfs,
		.cgroups_path = arena_printf(&arena, "/%s", cgroup).at,
		.is_host_pid = config->is_host_pid,
	};
	if (target_fd >= 0)
		in.pid_path = arena_printf(&arena, "/proc/%d/fd/%d", (int)getpid(), target_fd).at;
	oci_path(oci, id, "rootfs", rootfs);
	TRY(user_find(oci, &arena, rootfs, &in, &user, err));
	sandbox_fill(oci, &arena, &in);
	TRY(rights_fill(oci, &arena, &in, err));
	TRY(oci_spec_build(&arena, &in, &spec, err));
	json_write(&text, spec);
	TRY(buf_check(&text, "configuration of a container", err));
	oci_path(oci, id, "config.json", path);
	return file_write_volatile(path, buf_str(&text), 0600, err);
}

/* --- starting the monitor --- */

/* conmon reports once: {"pid": 123}, or {"pid": -1, "message": "..."}. */
static enum rc report_wait(int fd, struct buf *out, struct err *err)
{
	int64_t due_ms = world_mono_ms() + CREATE_TIMEOUT_MS;
	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int64_t left_ms = due_ms - world_mono_ms();
		int got = left_ms > 0 ? poll(&ready, 1, (int)left_ms) : 0;
		if (got == 0)
			return err_set(err, RC_TIMEOUT, "conmon did not report within %d s",
				       CREATE_TIMEOUT_MS / 1000);
		char chunk[4096];
		ssize_t len = read(fd, chunk, sizeof(chunk));
		if (len < 0 && errno == EINTR)
			continue;
		if (len <= 0)
			return RC_OK;
		buf_add(out, chunk, (size_t)len);
		if (memchr(chunk, '\n', (size_t)len) || out->is_full)
			return RC_OK;
	}
}

static enum rc report_read(const struct buf *text, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct json *report = NULL;
	if (text->len == 0 || json_parse(&arena, str_trim(buf_str(text)), &report, NULL, NULL))
		return err_set(err, RC_INTERNAL, "OCI runtime create failed: conmon reported '%s'",
			       text->data ? text->data : "");
	if (json_i64(json_get(report, STR("pid"))) > 0)
		return RC_OK;
	return err_set(err, RC_INVALID, "OCI runtime create failed: %.*s",
		       STR_FMT(str_trim(json_path_str(report, "message"))));
}

struct monitor_paths {
	char bundle[RUNTIME_PATH_MAX], root[RUNTIME_PATH_MAX + 8], pid[RUNTIME_PATH_MAX];
	char monitor_pid[RUNTIME_PATH_MAX], log[RUNTIME_PATH_MAX * 2];
};

static size_t monitor_words(const struct runtime_oci *oci, const char *id,
			    const struct runtime_container_config *config, struct monitor_paths *p,
			    const char **argv)
{
	size_t n = 0;
	oci_path(oci, id, "", p->bundle);
	oci_path(oci, id, "pid", p->pid);
	oci_path(oci, id, "conmon.pid", p->monitor_pid);
	snprintf(p->root, sizeof(p->root), "--root=%s/runtime", oci->dir);
	snprintf(p->log, sizeof(p->log), "k8s-file:%.*s", STR_FMT(config->log_path));
	const char *const words[] = {
		oci->monitor,
		"--full-attach",
		"--no-sync-log",
		"--cid",
		id,
		"--cuuid",
		id,
		"--name",
		id,
		"--bundle",
		p->bundle,
		"--persist-dir",
		p->bundle,
		"--runtime",
		oci->program,
		"--runtime-arg",
		p->root,
		"--log-path",
		p->log,
		"--conmon-pidfile",
		p->monitor_pid,
		"--container-pidfile",
		p->pid,
		"--log-level",
		"error",
	};
	for (; n < ARRAY_LEN(words); n++)
		argv[n] = words[n];
	if (config->is_tty)
		argv[n++] = "--terminal";
	if (config->has_stdin)
		argv[n++] = "--stdin";
	if (config->has_stdin && !config->is_stdin_once)
		argv[n++] = "--leave-stdin-open";
	return n;
}

static enum rc monitor_start(const struct runtime_oci *oci, const char *id,
			     const struct runtime_container_config *config, struct err *err)
{
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"_OCI_SYNCPIPE=3",
		NULL,
	};
	struct monitor_paths paths;
	const char *argv[40] = {};
	int pipe_fds[2];
	monitor_words(oci, id, config, &paths, argv);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(err, RC_IO, errno, "make a pipe for conmon");
	CLEANUP(close_fd_p) int read_end = pipe_fds[0];
	struct spawn_opts opts = {
		.argv = argv,
		.env = env,
		.pass_fds = &pipe_fds[1],
		.pass_fd_count = 1,
		.timeout_ms = CREATE_TIMEOUT_MS,
		.output_max = MONITOR_MESSAGE_MAX,
	};
	enum rc rc = spawn_check(&opts, NULL, err);
	close(pipe_fds[1]);
	TRY(rc);
	CLEANUP_BUF report = BUF_INIT(MONITOR_MESSAGE_MAX);
	TRY(report_wait(read_end, &report, err));
	return report_read(&report, err);
}

/* --- create --- */

static enum rc config_check(const struct runtime_container_config *config, struct err *err)
{
	if (!oci_uid_is_valid(config->pod_uid))
		return err_set(err, RC_INVALID, "pod uid '%.*s' has characters of no uid",
			       STR_FMT(config->pod_uid));
	if (config->log_path.len == 0 || config->log_path.at[0] != '/' ||
	    config->log_path.len >= RUNTIME_PATH_MAX)
		return err_set(err, RC_INVALID, "log path '%.*s' is not absolute or too long",
			       STR_FMT(config->log_path));
	return RC_OK;
}

/* A collection of garbage between the two steps would take the layers away. */
static enum rc image_take(const struct runtime_oci *oci, const char *id, struct str image_id,
			  struct arena *a, struct image_config *ret_image, struct err *err)
{
	CLEANUP(close_fd_p) int hold = -1;
	TRY(image_store_hold(oci->images, &hold, err));
	TRY(image_store_config(oci->images, image_id, a, ret_image, err));
	return image_store_use(oci->images, image_id, id, err);
}

static enum rc container_make(struct oci_job *job, const struct runtime_container_config *config,
			      struct err *err)
{
	const struct runtime_oci *oci = job->oci;
	CLEANUP(close_fd_p) int target_fd = -1; /* open until the container has joined it */
	struct image_config image;
	char path[RUNTIME_PATH_MAX];
	if (config->target_id.len)
		TRY(oci_pid_namespace_open(oci, arena_cstr(&job->arena, config->target_id),
					   &target_fd, err));
	oci_path(oci, job->id, "", path);
	if (mkdir(path, 0700) < 0)
		return err_sys(err, RC_IO, errno, "make folder %s", path);
	TRY(oci_record_write(oci, job->id, config, job->number, err));
	TRY(image_take(oci, job->id, config->image_id, &job->arena, &image, err));
	TRY(oci_root_mount(oci, job->id, &image, err));
	TRY(spec_write(oci, job->id, job->cgroup, config, &image, target_fd, err));
	TRY(monitor_start(oci, job->id, config, err));
	oci_pids_open(oci, job->id, &job->fds[0], &job->fds[1]);
	return oci_mark(oci, job->id, "created", job->number, err);
}

static enum rc create_run(struct oci_job *job, struct err *err)
{
	const struct runtime_container_config *config = job->config;
	TRY(config_check(config, err));
	oci_cgroup_path(job->oci, config->pod_uid, job->id, job->cgroup);
	enum rc rc = container_make(job, config, err);
	if (rc == RC_OK)
		return RC_OK;
	struct err cause = {};
	close_fd_p(&job->fds[0]);
	close_fd_p(&job->fds[1]);
	if (oci_container_destroy(job->oci, job->id, job->cgroup, &cause) != RC_OK)
		log_warn("runtime", "container %s: %s", job->id, cause.text);
	return rc;
}

static void create_finish(struct oci_job *job)
{
	if (job->rc != RC_OK)
		return;
	struct oci_container *c = oci_container_new(job->oci, job->id);
	oci_status_fill(c, job->config, job->number);
	c->monitor_fd = job->fds[0];
	c->init_fd = job->fds[1];
	map_set(&job->oci->containers, str_of(c->status.id), c);
	memcpy(job->result, c->status.id, RUNTIME_ID_MAX);
	oci_monitor_watch(c);
}

void oci_create(struct runtime *r, const struct runtime_container_config *config,
		char ret_id[RUNTIME_ID_MAX], struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	const struct oci_container *target =
		config->target_id.len ? oci_find(oci, config->target_id) : NULL;
	if (config->target_id.len && (!target || target->status.state != RUNTIME_RUNNING)) {
		runtime_call_finish(r->loop, call,
				    err_set(&call->err, RC_INVALID,
					    "target container \"%.*s\" is not running",
					    STR_FMT(config->target_id)));
		return;
	}
	struct oci_job *job = oci_job_new(oci, call, create_run, create_finish);
	for (int i = 0; i < 4; i++)
		snprintf(job->id + 16 * i, 17, "%016llx", (unsigned long long)world_random_u64());
	job->number = world_wall_us();
	job->config = config;
	job->result = ret_id;
	oci_job_start(job);
}

/* --- start --- */

static enum rc start_run(struct oci_job *job, struct err *err)
{
	const char *words[] = {"start", job->id, NULL};
	if (oci_command(job->oci, words, err) != RC_OK) {
		if (err->rc == RC_IO)
			err->rc = RC_INVALID;
		return err_wrap(err, "OCI runtime start failed");
	}
	job->number = world_wall_us();
	return oci_mark(job->oci, job->id, "started", job->number, err);
}

static void start_finish(struct oci_job *job)
{
	struct oci_container *c = oci_find(job->oci, str_of(job->id));
	if (job->rc == RC_OK)
		*(int64_t *)job->result = job->number;
	if (!c)
		return;
	c->is_starting = false;
	if (job->rc == RC_OK && c->status.state == RUNTIME_CREATED) {
		c->status.state = RUNTIME_RUNNING;
		c->status.started_us = job->number;
	}
	/* An exit that was seen meanwhile is told after `done`. */
	if (c->has_pending_exit)
		oci_monitor_watch(c);
}

void oci_start(struct runtime *r, struct str id, int64_t *ret_started_us, struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	struct oci_container *c = oci_find(oci, id);
	if (!c) {
		oci_missing(oci, call, id);
		return;
	}
	struct oci_job *job = oci_job_new(oci, call, start_run, start_finish);
	memcpy(job->id, c->status.id, sizeof(job->id));
	job->result = ret_started_us;
	c->is_starting = true;
	oci_job_start(job);
}

/* --- kill --- */

static enum rc kill_all_run(struct oci_job *job, struct err *err)
{
	cgroup_kill(&job->oci->cgroups, job->cgroup);
	return RC_OK;
}

void oci_kill(struct runtime *r, struct str id, int signal, struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	struct oci_container *c = oci_find(oci, id);
	enum rc rc = RC_OK;
	if (c && c->init_fd >= 0 && pidfd_send_signal(c->init_fd, signal, NULL, 0) < 0 &&
	    errno != ESRCH)
		rc = err_sys(&call->err, RC_INTERNAL, errno, "signal %d to container %.*s", signal,
			     STR_FMT(id));
	if (!c || signal != SIGKILL || rc != RC_OK) {
		runtime_call_finish(r->loop, call, rc);
		return;
	}
	/* Those in the host's process namespace do not die with the first one. */
	struct oci_job *job = oci_job_new(oci, call, kill_all_run, NULL);
	oci_cgroup_path(oci, c->status.pod_uid, c->status.id, job->cgroup);
	oci_job_start(job);
}

/* --- remove --- */

static void monitor_end_wait(const struct runtime_oci *oci, const char *id)
{
	CLEANUP(close_fd_p) int monitor_fd = -1;
	CLEANUP(close_fd_p) int init_fd = -1;
	oci_pids_open(oci, id, &monitor_fd, &init_fd);
	struct pollfd ends = {.fd = monitor_fd, .events = POLLIN};
	if (monitor_fd < 0 || poll(&ends, 1, MONITOR_END_MS) > 0)
		return;
	log_warn("runtime", "conmon of container %s does not end: killed", id);
	pidfd_send_signal(monitor_fd, SIGKILL, NULL, 0);
	(void)poll(&ends, 1, MONITOR_END_MS);
}

static bool runtime_knows(const struct runtime_oci *oci, const char *id)
{
	char path[RUNTIME_PATH_MAX];
	snprintf(path, sizeof(path), "%s/runtime/%s", oci->dir, id);
	return file_exists(path);
}

/* In the order that leaves nothing behind when it fails in the middle: it can be called again. */
enum rc oci_container_destroy(const struct runtime_oci *oci, const char *id, const char *cgroup,
			      struct err *err)
{
	const char *words[] = {"delete", "--force", id, NULL};
	if (runtime_knows(oci, id))
		TRY(oci_command(oci, words, err));
	monitor_end_wait(oci, id);
	if (cgroup[0])
		TRY(cgroup_remove(&oci->cgroups, cgroup, err));
	TRY(oci_root_unmount(oci, id, err));
	image_store_unuse(oci->images, id);
	return dir_remove_at(oci->containers_fd, id, err);
}

static enum rc remove_run(struct oci_job *job, struct err *err)
{
	return oci_container_destroy(job->oci, job->id, job->cgroup, err);
}

static void remove_finish(struct oci_job *job)
{
	if (job->rc == RC_OK)
		oci_container_free(map_remove(&job->oci->containers, str_of(job->id)));
}

void oci_remove(struct runtime *r, struct str id, struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	const struct oci_container *c = oci_find(oci, id);
	if (!c) {
		runtime_call_finish(r->loop, call, RC_OK);
		return;
	}
	struct oci_job *job = oci_job_new(oci, call, remove_run, remove_finish);
	memcpy(job->id, c->status.id, sizeof(job->id));
	oci_cgroup_path(oci, c->status.pod_uid, c->status.id, job->cgroup);
	oci_job_start(job);
}

enum rc oci_monitor_tell(const struct runtime_oci *oci, const char *id, const char *line,
			 struct err *err)
{
	char path[RUNTIME_PATH_MAX];
	oci_path(oci, id, "ctl", path);
	CLEANUP(close_fd_p) int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	size_t len = strlen(line);
	if (fd < 0 || write(fd, line, len) != (ssize_t)len)
		return err_sys(err, RC_IO, errno, "tell conmon of container %s '%.*s'", id,
			       (int)len - 1, line);
	return RC_OK;
}

/* --- logs --- */

/* "<log>.20060102-150405", as kubelet names it; the oldest beyond max_files go. */
static enum rc log_prune(const char *log, int64_t keep, struct err *err)
{
	CLEANUP_ARENA arena = {};
	const char *base = strrchr(log, '/') + 1;
	const char *folder = arena_cstr(&arena, str_n(log, (size_t)(base - log)));
	struct str prefix = arena_printf(&arena, "%s.", base);
	const char **names;
	size_t count;
	int64_t old = 0;
	TRY(dir_list(folder, &arena, &names, &count, err));
	for (size_t i = count; i-- > 0;)
		if (str_has_prefix(str_of(names[i]), prefix) && ++old > keep)
			unlink(arena_printf(&arena, "%s%s", folder, names[i]).at);
	return RC_OK;
}

static enum rc log_run(struct oci_job *job, struct err *err)
{
	char log[RUNTIME_PATH_MAX], old[RUNTIME_PATH_MAX + LOG_SUFFIX_MAX], suffix[LOG_SUFFIX_MAX];
	struct stat st;
	struct tm now;
	time_t seconds = (time_t)(world_wall_us() / 1000000);
	struct str path = str_of(job->config);
	snprintf(log, sizeof(log), "%.*s", STR_FMT(path));
	if (stat(log, &st) < 0 || st.st_size <= job->number)
		return RC_OK;
	gmtime_r(&seconds, &now);
	strftime(suffix, sizeof(suffix), "%Y%m%d-%H%M%S", &now);
	snprintf(old, sizeof(old), "%s.%s", log, suffix);
	if (rename(log, old) < 0)
		return err_sys(err, RC_IO, errno, "rename %s", log);
	TRY(oci_monitor_tell(job->oci, job->id, CTL_REOPEN_LOG, err));
	return log_prune(log, MAX(job->number_two - 1, 1), err);
}

void oci_log_rotate(struct runtime *r, struct str id, int64_t max_bytes, int max_files,
		    struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	const struct oci_container *c = oci_find(oci, id);
	if (!c || c->status.state != RUNTIME_RUNNING) {
		runtime_call_finish(r->loop, call, RC_OK);
		return;
	}
	struct oci_job *job = oci_job_new(oci, call, log_run, NULL);
	memcpy(job->id, c->status.id, sizeof(job->id));
	job->config = arena_cstr(&job->arena, c->status.log_path);
	job->number = max_bytes;
	job->number_two = max_files;
	oci_job_start(job);
}
