#include "node/runtime_oci.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/log.h"
#include "io/file.h"
#include "io/spawn.h"
#include "node/runtime_oci-int.h"

#define DIR_LENGTH_MAX 200

/* --- jobs --- */

static void job_work(struct loop_work *work)
{
	struct oci_job *job = CONTAINER_OF(work, struct oci_job, work);
	job->rc = job->run(job, &job->err);
}

static void runtime_close(struct runtime_oci *oci);

static void job_done(struct loop_work *work)
{
	struct oci_job *job = CONTAINER_OF(work, struct oci_job, work);
	struct runtime_oci *oci = job->oci;
	struct runtime_call *call = job->call;
	if (job->finish)
		job->finish(job);
	if (call) {
		call->rc = job->rc;
		call->err = job->err;
		call->err.rc = job->rc;
	}
	arena_done(&job->arena);
	free(job);
	if (call)
		call->done(call);
	oci_job_ended(oci);
}

void oci_job_ended(struct runtime_oci *oci)
{
	oci->jobs--;
	if (oci->is_closing && oci->jobs == 0)
		runtime_close(oci);
}

struct oci_job *oci_job_new(struct runtime_oci *oci, struct runtime_call *call,
			    enum rc (*run)(struct oci_job *, struct err *),
			    void (*finish)(struct oci_job *))
{
	struct oci_job *job = NEW(struct oci_job);
	job->oci = oci;
	job->call = call;
	job->run = run;
	job->finish = finish;
	memset(job->fds, 0xff, sizeof(job->fds));
	return job;
}

void oci_job_start(struct oci_job *job)
{
	ASSERT(!job->oci->is_closing);
	job->work.work = job_work;
	job->work.done = job_done;
	job->oci->jobs++;
	loop_work_start(job->oci->base.loop, &job->work);
}

/* --- names --- */

struct oci_container *oci_find(struct runtime_oci *oci, struct str id)
{
	return map_get(&oci->containers, id);
}

void oci_missing(struct runtime_oci *oci, struct runtime_call *call, struct str id)
{
	runtime_call_finish(
		oci->base.loop, call,
		err_set(&call->err, RC_NOT_FOUND, "container \"%.*s\" not found", STR_FMT(id)));
}

void oci_path(const struct runtime_oci *oci, const char *id, const char *file,
	      char out[RUNTIME_PATH_MAX])
{
	int len = snprintf(out, RUNTIME_PATH_MAX, "%s/containers/%s%s%s", oci->dir, id,
			   file[0] ? "/" : "", file);
	ASSERT(len > 0 && len < RUNTIME_PATH_MAX);
}

bool oci_uid_is_valid(struct str pod_uid)
{
	if (pod_uid.len == 0 || pod_uid.len > 63)
		return false;
	for (size_t i = 0; i < pod_uid.len; i++) {
		char c = pod_uid.at[i];
		bool is_fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			       (c >= '0' && c <= '9') || (c == '-' && i > 0);
		if (!is_fine)
			return false;
	}
	return true;
}

void oci_cgroup_path(const struct runtime_oci *oci, struct str pod_uid, const char *id,
		     char out[CGROUP_PATH_MAX])
{
	int len = snprintf(out, CGROUP_PATH_MAX, "%s/pod%.*s%s%s", oci->cgroup, STR_FMT(pod_uid),
			   id[0] ? "/" : "", id);
	ASSERT(len > 0 && len < CGROUP_PATH_MAX);
}

/* --- small operations --- */

static const char *oci_version(struct runtime *r)
{
	return oci_of(r)->version;
}

static enum rc check_run(struct oci_job *job, struct err *err)
{
	return programs_check(err);
}

static void oci_check(struct runtime *r, struct runtime_call *call)
{
	oci_job_start(oci_job_new(oci_of(r), call, check_run, NULL));
}

static void oci_list(struct runtime *r, struct arena *a, struct runtime_container_list *ret_list,
		     struct runtime_call *call)
{
	const struct map *containers = &oci_of(r)->containers;
	struct runtime_container_status *items =
		ARENA_ARRAY(a, struct runtime_container_status, containers->count + 1);
	size_t count = 0;
	for (struct map_entry *e = map_next(containers, NULL); e; e = map_next(containers, e)) {
		const struct oci_container *c = e->value;
		oci_status_copy(a, &c->status, &items[count++]);
	}
	*ret_list = (struct runtime_container_list){items, count};
	runtime_call_finish(r->loop, call, RC_OK);
}

static enum rc stats_run(struct oci_job *job, struct err *err)
{
	return cgroup_stats(&job->oci->cgroups, job->cgroup, job->result, err);
}

static void oci_stats(struct runtime *r, struct str id, struct runtime_stats *ret_stats,
		      struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	const struct oci_container *c = oci_find(oci, id);
	if (!c) {
		oci_missing(oci, call, id);
		return;
	}
	struct oci_job *job = oci_job_new(oci, call, stats_run, NULL);
	oci_cgroup_path(oci, c->status.pod_uid, c->status.id, job->cgroup);
	job->result = ret_stats;
	oci_job_start(job);
}

/* --- opening --- */

static enum rc program_choose(struct runtime_oci *oci, const char *wanted, struct err *err)
{
	/* crun refuses hybrid trees; where it works it is several times faster. */
	bool can_crun = oci->cgroups.is_v2 && program_find("crun", oci->program, NULL) == RC_OK;
	const char *name = wanted ? wanted : can_crun ? "crun" : "runc";
	TRY(program_find(name, oci->program, err));
	return program_find("conmon", oci->monitor, err);
}

/* "runc version 1.1.5+ds1" -> "skeg-runc://1.1.5+ds1" */
static enum rc version_find(struct runtime_oci *oci, struct err *err)
{
	const char *argv[] = {oci->program, "--version", NULL};
	struct spawn_opts opts = {.argv = argv, .timeout_ms = OCI_COMMAND_TIMEOUT_MS};
	CLEANUP_BUF out = BUF_INIT(4096);
	TRY(spawn_check(&opts, &out, err));
	struct str line, rest, name, word;
	str_cut(buf_str(&out), '\n', &line, &rest);
	str_cut(line, ' ', &name, &rest);
	str_cut_last(line, ' ', &rest, &word);
	snprintf(oci->version, sizeof(oci->version), "skeg-%.*s://%.*s", (int)MIN(name.len, 20u),
		 name.at, (int)MIN(word.len, 50u), word.at);
	return RC_OK;
}

static uint64_t status_mask(struct str status, const char *key)
{
	const char *at = memmem(status.at, status.len, key, strlen(key));
	return at ? strtoull(at + strlen(key), NULL, 16) : 0;
}

/* What we may hand on: no more than what we hold. */
static enum rc rights_find(struct runtime_oci *oci, struct err *err)
{
	CLEANUP_ARENA arena = {};
	struct str status, score;
	int64_t own = 0;
	TRY(file_read("/proc/self/status", 1u << 20, &arena, &status, err));
	TRY(file_read("/proc/self/oom_score_adj", 64, &arena, &score, err));
	oci->capabilities = status_mask(status, "CapPrm:") & status_mask(status, "CapBnd:");
	bool has_sys_resource = oci->capabilities >> 24 & 1;
	oci->oom_score_min = has_sys_resource || !str_to_i64(str_trim(score), &own) ? -1000
										    : (int)own;
	if (!has_sys_resource)
		log_warn("runtime",
			 "CAP_SYS_RESOURCE is missing: oom_score_adj of containers is never below "
			 "%d",
			 oci->oom_score_min);
	return RC_OK;
}

static enum rc folders_open(struct runtime_oci *oci, struct err *err)
{
	char path[RUNTIME_PATH_MAX];
	static const char *const names[] = {"runtime", "containers", "sandboxes"};
	if (strlen(oci->dir) > DIR_LENGTH_MAX || oci->dir[0] != '/')
		return err_set(err, RC_INVALID,
			       "data folder '%s' must be absolute and at most %d bytes", oci->dir,
			       DIR_LENGTH_MAX);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", oci->dir, names[i]);
		TRY(dir_make(path, 0700, err));
	}
	snprintf(path, sizeof(path), "%s/containers", oci->dir);
	TRY(dir_open(path, &oci->containers_fd, err));
	snprintf(path, sizeof(path), "%s/sandboxes", oci->dir);
	return dir_open(path, &oci->sandboxes_fd, err);
}

static enum rc runtime_open(struct runtime_oci *oci, const struct runtime_oci_config *config,
			    struct err *err)
{
	TRY(cgroups_find(&oci->cgroups, err));
	TRY(program_choose(oci, config->program, err));
	TRY(version_find(oci, err));
	TRY(rights_find(oci, err));
	TRY(folders_open(oci, err));
	TRY(oci_upper_find(oci, err));
	return oci_adopt(oci, err);
}

/* --- closing --- */

static void runtime_close(struct runtime_oci *oci)
{
	for (struct map_entry *e = map_next(&oci->containers, NULL); e;
	     e = map_next(&oci->containers, e))
		oci_container_free(e->value);
	map_done(&oci->containers);
	map_done(&oci->pulls);
	close_fd_p(&oci->containers_fd);
	close_fd_p(&oci->sandboxes_fd);
	free(oci->dir);
	free(oci->cgroup);
	free(oci->upper_dir);
	free(oci);
}

/* Containers go on; work under way is waited for, its calls are still answered. */
static void oci_free(struct runtime *r)
{
	struct runtime_oci *oci = oci_of(r);
	oci->base.listener = NULL;
	oci->is_closing = true;
	if (oci->jobs == 0)
		runtime_close(oci);
}

static const struct runtime_ops oci_ops = {
	.name = "oci",
	.free = oci_free,
	.version = oci_version,
	.check = oci_check,
	.sandbox_create = oci_sandbox_create,
	.sandbox_remove = oci_sandbox_remove,
	.sandbox_list = oci_sandbox_list,
	.create = oci_create,
	.start = oci_start,
	.resize = oci_resize,
	.kill = oci_kill,
	.remove = oci_remove,
	.list = oci_list,
	.stats = oci_stats,
	.log_rotate = oci_log_rotate,
	.exec = oci_exec,
	.exec_resize = oci_exec_resize,
	.exec_is_refused = oci_exec_is_refused,
	.exec_free = oci_exec_free,
	.exec_sync = oci_exec_sync,
	.attach = oci_attach,
	.attach_resize = oci_attach_resize,
	.image_status = oci_image_status,
	.image_pull = oci_image_pull,
	.image_list = oci_image_list,
	.image_remove = oci_image_remove,
	.image_trim = oci_image_trim,
};

enum rc runtime_oci_new(struct loop *loop, const struct runtime_oci_config *config,
			struct runtime_listener *listener, struct runtime **ret_runtime,
			struct err *err)
{
	struct runtime_oci *oci = NEW(struct runtime_oci);
	*oci = (struct runtime_oci){
		.base = {.ops = &oci_ops, .loop = loop, .listener = listener},
		.dir = mem_strdup(config->dir),
		.cgroup = mem_strdup(config->cgroup),
		.images = config->images,
		.registries = config->registries,
		.pull_netns_fd = config->pull_netns_fd,
		.pids_limit = config->pids_limit,
		.containers_fd = -1,
		.sandboxes_fd = -1,
	};
	enum rc rc = runtime_open(oci, config, err);
	if (rc != RC_OK) {
		runtime_close(oci);
		return rc;
	}
	*ret_runtime = &oci->base;
	return RC_OK;
}
