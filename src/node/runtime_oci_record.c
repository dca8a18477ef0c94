/* A container's folder as its memory: what is written at creation, and how a later process of ours
 * finds its way back. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#include "base/log.h"
#include "codec/json.h"
#include "io/file.h"
#include "node/runtime_oci-int.h"

#define EXIT_CODE_LOST 137 /* as upstream reports a container whose end nobody saw */

/* --- writing --- */

static struct json *annotations_build(struct arena *a,
				      const struct runtime_container_config *config)
{
	struct json *object = json_object(a);
	for (size_t i = 0; i < config->annotation_count; i++)
		json_set_str(a, object, config->annotations[i].name, config->annotations[i].value);
	return object;
}

enum rc oci_record_write(const struct runtime_oci *oci, const char *id,
			 const struct runtime_container_config *config, int64_t created_us,
			 struct err *err)
{
	CLEANUP_ARENA arena = {};
	CLEANUP_BUF text = BUF_INIT(OCI_STATE_MAX);
	char path[RUNTIME_PATH_MAX];
	struct json *state = json_object(&arena);
	json_set(&arena, state, STR("version"), json_int(&arena, 1));
	json_set_str(&arena, state, STR("podUID"), config->pod_uid);
	json_set_str(&arena, state, STR("podNamespace"), config->pod_namespace);
	json_set_str(&arena, state, STR("podName"), config->pod_name);
	json_set_str(&arena, state, STR("name"), config->name);
	json_set_str(&arena, state, STR("imageID"), config->image_id);
	json_set_str(&arena, state, STR("logPath"), config->log_path);
	json_set(&arena, state, STR("attempt"), json_int(&arena, config->attempt));
	json_set(&arena, state, STR("createdMicroseconds"), json_int(&arena, created_us));
	json_set(&arena, state, STR("annotations"), annotations_build(&arena, config));
	json_write(&text, state);
	TRY(buf_check(&text, "state of a container", err));
	oci_path(oci, id, "state.json", path);
	return file_write_volatile(path, buf_str(&text), 0600, err);
}

enum rc oci_mark(const struct runtime_oci *oci, const char *id, const char *file, int64_t value,
		 struct err *err)
{
	char path[RUNTIME_PATH_MAX], text[32];
	oci_path(oci, id, file, path);
	snprintf(text, sizeof(text), "%lld\n", (long long)value);
	return file_write_volatile(path, str_of(text), 0600, err);
}

static bool number_read(const struct runtime_oci *oci, const char *id, const char *file,
			int64_t *ret_value)
{
	CLEANUP_ARENA arena = {};
	char path[RUNTIME_PATH_MAX];
	struct str text;
	oci_path(oci, id, file, path);
	return file_read(path, 64, &arena, &text, NULL) == RC_OK &&
	       str_to_i64(str_trim(text), ret_value);
}

bool oci_exit_read(const struct runtime_oci *oci, const char *id, int *ret_exit_code,
		   int64_t *ret_finished_us)
{
	char path[RUNTIME_PATH_MAX];
	struct stat st;
	int64_t code;
	oci_path(oci, id, "exit", path);
	if (!number_read(oci, id, "exit", &code) || stat(path, &st) < 0)
		return false;
	*ret_exit_code = (int)code;
	*ret_finished_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000;
	return true;
}

/* --- the containers in memory --- */

struct oci_container *oci_container_new(struct runtime_oci *oci, const char *id)
{
	struct oci_container *c = NEW(struct oci_container);
	c->oci = oci;
	c->monitor_fd = c->init_fd = -1;
	snprintf(c->status.id, sizeof(c->status.id), "%s", id);
	return c;
}

void oci_container_free(struct oci_container *c)
{
	if (!c)
		return;
	loop_watch_stop(&c->watch);
	close_fd_p(&c->monitor_fd);
	close_fd_p(&c->init_fd);
	arena_done(&c->arena);
	free(c);
}

static const struct runtime_name_value *annotations_copy(struct arena *a,
							 const struct runtime_name_value *items,
							 size_t count)
{
	struct runtime_name_value *copy = ARENA_ARRAY(a, struct runtime_name_value, count + 1);
	for (size_t i = 0; i < count; i++)
		copy[i] = (struct runtime_name_value){arena_str(a, items[i].name),
						      arena_str(a, items[i].value)};
	return copy;
}

void oci_status_copy(struct arena *a, const struct runtime_container_status *from,
		     struct runtime_container_status *to)
{
	*to = *from;
	struct str *strings[] = {&to->pod_uid, &to->pod_namespace, &to->pod_name,
				 &to->name,    &to->image_id,	   &to->log_path};
	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		*strings[i] = arena_str(a, *strings[i]);
	to->annotations = annotations_copy(a, from->annotations, from->annotation_count);
}

void oci_status_fill(struct oci_container *c, const struct runtime_container_config *config,
		     int64_t created_us)
{
	struct runtime_container_status status = {
		.state = RUNTIME_CREATED,
		.pod_uid = config->pod_uid,
		.pod_namespace = config->pod_namespace,
		.pod_name = config->pod_name,
		.name = config->name,
		.image_id = config->image_id,
		.attempt = config->attempt,
		.created_us = created_us,
		.log_path = config->log_path,
		.annotations = config->annotations,
		.annotation_count = config->annotation_count,
	};
	memcpy(status.id, c->status.id, sizeof(status.id));
	oci_status_copy(&c->arena, &status, &c->status);
}

/* --- processes --- */

/* A number may have been given to another process since: ours names the container in its command
 * line, or is a child of the monitor. */
static bool process_mentions(pid_t pid, const char *id)
{
	CLEANUP_ARENA arena = {};
	char path[64];
	struct str text;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	return file_read(path, 64u << 10, &arena, &text, NULL) == RC_OK &&
	       memmem(text.at, text.len, id, strlen(id)) != NULL;
}

static int64_t process_parent(pid_t pid)
{
	CLEANUP_ARENA arena = {};
	char path[64];
	struct str text, head, tail, word;
	int64_t parent;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (file_read(path, 4096, &arena, &text, NULL) != RC_OK ||
	    !str_cut_last(text, ')', &head, &tail))
		return -1;
	tail = str_skip(tail, 3); /* " S " */
	str_cut(tail, ' ', &word, &tail);
	return str_to_i64(word, &parent) ? parent : -1;
}

/* The check comes after the opening: a descriptor cannot change to another process. */
void oci_pids_open(const struct runtime_oci *oci, const char *id, int *ret_monitor_fd,
		   int *ret_init_fd)
{
	int64_t monitor = 0, init = 0;
	*ret_monitor_fd = *ret_init_fd = -1;
	if (!number_read(oci, id, "conmon.pid", &monitor) || monitor <= 1)
		return;
	CLEANUP(close_fd_p) int monitor_fd = pidfd_open((pid_t)monitor, 0);
	if (monitor_fd < 0 || !process_mentions((pid_t)monitor, id))
		return;
	*ret_monitor_fd = TAKE_FD(monitor_fd);
	if (!number_read(oci, id, "pid", &init) || init <= 1)
		return;
	CLEANUP(close_fd_p) int init_fd = pidfd_open((pid_t)init, 0);
	if (init_fd >= 0 && process_parent((pid_t)init) == monitor)
		*ret_init_fd = TAKE_FD(init_fd);
}

/* The number may belong to somebody else by the time it is used: it is checked afterwards. */
enum rc oci_pid_namespace_open(const struct runtime_oci *oci, const char *id, int *ret_fd,
			       struct err *err)
{
	CLEANUP(close_fd_p) int monitor_fd = -1;
	CLEANUP(close_fd_p) int init_fd = -1;
	int64_t init = 0;
	char path[64];
	oci_pids_open(oci, id, &monitor_fd, &init_fd);
	if (init_fd < 0 || !number_read(oci, id, "pid", &init))
		return err_set(err, RC_INVALID, "target container \"%s\" is not running", id);
	snprintf(path, sizeof(path), "/proc/%lld/ns/pid", (long long)init);
	CLEANUP(close_fd_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pidfd_send_signal(init_fd, 0, NULL, 0) < 0)
		return err_sys(err, RC_INVALID, errno,
			       "process namespace of target container \"%s\"", id);
	*ret_fd = TAKE_FD(fd);
	return RC_OK;
}

/* --- exits --- */

static enum rc exit_run(struct oci_job *job, struct err *err)
{
	struct runtime_container_status *status = job->result;
	status->is_lost =
		!oci_exit_read(job->oci, job->id, &status->exit_code, &status->finished_us);
	if (status->is_lost) {
		/* Without its monitor nobody would ever learn of its end: it ends now. */
		cgroup_kill(&job->oci->cgroups, job->cgroup);
		status->exit_code = EXIT_CODE_LOST;
		status->finished_us = world_wall_us();
	}
	status->is_oom_killed = status->exit_code != 0 &&
				cgroup_had_oom_kill(&job->oci->cgroups, job->cgroup);
	return RC_OK;
}

static void exit_finish(struct oci_job *job)
{
	const struct runtime_container_status *end = job->result;
	struct oci_container *c = oci_find(job->oci, str_of(job->id));
	struct runtime_listener *listener = job->oci->base.listener;
	if (!c || c->status.state == RUNTIME_EXITED)
		return;
	c->status.state = RUNTIME_EXITED;
	c->status.exit_code = end->exit_code;
	c->status.finished_us = end->finished_us;
	c->status.is_lost = end->is_lost;
	c->status.is_oom_killed = end->is_oom_killed;
	if (listener)
		listener->exited(listener, &c->status);
}

static void monitor_on(struct loop_watch *watch)
{
	struct oci_container *c = CONTAINER_OF(watch, struct oci_container, watch);
	loop_watch_stop(watch);
	if (c->is_starting) {
		c->has_pending_exit = true;
		return;
	}
	if (c->oci->is_closing)
		return;
	struct oci_job *job = oci_job_new(c->oci, NULL, exit_run, exit_finish);
	memcpy(job->id, c->status.id, sizeof(job->id));
	oci_cgroup_path(c->oci, c->status.pod_uid, c->status.id, job->cgroup);
	job->result = ARENA_NEW(&job->arena, struct runtime_container_status);
	oci_job_start(job);
}

void oci_monitor_watch(struct oci_container *c)
{
	struct err err = {};
	if (c->monitor_fd >= 0 && !c->has_pending_exit &&
	    loop_watch_start(c->oci->base.loop, &c->watch, c->monitor_fd, monitor_on, &err) ==
		    RC_OK)
		return;
	/* No monitor, or no way to watch it: look at what is there. */
	c->has_pending_exit = false;
	monitor_on(&c->watch);
}

/* --- adoption --- */

static void annotations_read(struct oci_container *c, const struct json *object)
{
	size_t count = object && object->type == JSON_OBJECT ? object->object.count : 0;
	struct runtime_name_value *items =
		ARENA_ARRAY(&c->arena, struct runtime_name_value, count + 1);
	for (size_t i = 0; i < count; i++)
		items[i] = (struct runtime_name_value){object->object.members[i].key,
						       json_str(object->object.members[i].value)};
	c->status.annotations = items;
	c->status.annotation_count = count;
}

static enum rc state_read(struct oci_container *c, struct err *err)
{
	char path[RUNTIME_PATH_MAX];
	struct str text;
	struct json *state;
	oci_path(c->oci, c->status.id, "state.json", path);
	TRY(file_read(path, OCI_STATE_MAX, &c->arena, &text, err));
	TRY(json_parse(&c->arena, text, &state, NULL, err));
	struct runtime_container_status *s = &c->status;
	s->pod_uid = json_path_str(state, "podUID");
	s->pod_namespace = json_path_str(state, "podNamespace");
	s->pod_name = json_path_str(state, "podName");
	s->name = json_path_str(state, "name");
	s->image_id = json_path_str(state, "imageID");
	s->log_path = json_path_str(state, "logPath");
	s->attempt = (int)json_i64(json_get(state, STR("attempt")));
	s->created_us = json_i64(json_get(state, STR("createdMicroseconds")));
	annotations_read(c, json_get(state, STR("annotations")));
	if (!oci_uid_is_valid(s->pod_uid))
		return err_set(err, RC_INVALID, "%s names no pod", path);
	return RC_OK;
}

static void adopted_find_state(struct oci_container *c)
{
	struct runtime_container_status *s = &c->status;
	char cgroup[CGROUP_PATH_MAX];
	s->state = number_read(c->oci, s->id, "started", &s->started_us) ? RUNTIME_RUNNING
									 : RUNTIME_CREATED;
	oci_cgroup_path(c->oci, s->pod_uid, s->id, cgroup);
	oci_pids_open(c->oci, s->id, &c->monitor_fd, &c->init_fd);
	if (c->monitor_fd >= 0) {
		oci_monitor_watch(c);
		return;
	}
	s->state = RUNTIME_EXITED;
	if (oci_exit_read(c->oci, s->id, &s->exit_code, &s->finished_us)) {
		s->is_oom_killed = s->exit_code != 0 &&
				   cgroup_had_oom_kill(&c->oci->cgroups, cgroup);
		return;
	}
	cgroup_kill(&c->oci->cgroups, cgroup);
	s->is_lost = true;
	s->exit_code = EXIT_CODE_LOST;
	s->finished_us = world_wall_us();
}

/* Half made, or of a pod that cannot be told: it goes. */
static void remains_remove(struct runtime_oci *oci, const char *id, struct str pod_uid)
{
	char cgroup[CGROUP_PATH_MAX] = "";
	struct err err = {};
	if (oci_uid_is_valid(pod_uid))
		oci_cgroup_path(oci, pod_uid, id, cgroup);
	if (oci_container_destroy(oci, id, cgroup, &err) != RC_OK)
		log_warn("runtime", "remains of container %s: %s", id, err.text);
}

static bool id_is_valid(const char *id)
{
	return strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64;
}

static void container_adopt(struct runtime_oci *oci, const char *id)
{
	int64_t created;
	struct err err = {};
	if (!id_is_valid(id))
		return;
	struct oci_container *c = oci_container_new(oci, id);
	enum rc rc = state_read(c, &err);
	if (rc != RC_OK || !number_read(oci, id, "created", &created)) {
		remains_remove(oci, id, rc == RC_OK ? c->status.pod_uid : (struct str){});
		oci_container_free(c);
		return;
	}
	adopted_find_state(c);
	map_set(&oci->containers, str_of(id), c);
}

enum rc oci_adopt(struct runtime_oci *oci, struct err *err)
{
	int fd = openat(oci->containers_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	if (!dir) {
		close_fd_p(&fd);
		return err_sys(err, RC_IO, errno, "list %s/containers", oci->dir);
	}
	for (struct dirent *d = readdir(dir); d; d = readdir(dir))
		container_adopt(oci, d->d_name);
	closedir(dir);
	return RC_OK;
}
