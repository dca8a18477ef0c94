/* One start of a container: find or pull its image, make its configuration, create it, start it.
 * A chain of calls; each step begins when the one before is done.  Whatever fails leaves the
 * container as it was, with a waiting reason and a time for the next attempt. */
#include <signal.h>

#include "base/log.h"
#include "node/agent-int.h"
#include "node/go_duration.h"
#include "node/pod_config.h"
#include "node/pod_message.h"
#include "node/pod_setup.h"
#include "node/pod_sources.h"
#include "node/pod_worker.h"

#define PULL_FIRST_MS	10000
#define PULL_LAST_MS	300000
#define CONFIG_RETRY_MS 10000

struct container_job {
	struct pod_container *c; /* NULL: given up while its pull went on */
	struct arena arena;
	struct object *object; /* config points into its view */
	enum container_stage stage_before;
	struct str image; /* as the pod names it */
	struct runtime_image_info info;
	struct runtime_pull_config pull;
	struct runtime_pull_result pulled;
	bool is_pulling;
	int64_t pull_began_ms;
	struct runtime_container_config config;
	struct allotment given; /* what config rests on */
	char id[RUNTIME_ID_MAX];
	int64_t started_us;
	struct runtime_call call;
};

static struct runtime *runtime_of(const struct container_job *job)
{
	return job->c->worker->agent->config.runtime;
}

static struct container_job *job_of(struct runtime_call *call)
{
	return CONTAINER_OF(call, struct container_job, call);
}

void pod_job_free(struct container_job *job)
{
	if (!job)
		return;
	loop_defer_cancel(&job->call.msg);
	allotment_done(&job->given);
	object_unref(job->object);
	arena_done(&job->arena);
	free(job);
}

[[gnu::format(printf, 4, 5)]] static void job_event(const struct container_job *job,
						    const char *type, const char *reason,
						    const char *fmt, ...)
{
	CLEANUP_ARENA a = {};
	va_list ap;
	va_start(ap, fmt);
	struct str text = arena_vprintf(&a, fmt, ap);
	va_end(ap);
	agent_event(job->c->worker->agent, job->object, container_field_path(job->c, (char[128]){}),
		    type, reason, "%.*s", STR_FMT(text));
}

/* ---- how a start ends ---- */

static void job_end(struct container_job *job)
{
	struct pod_container *c = job->c;
	c->job = NULL;
	pod_worker_wake(c->worker);
	pod_job_free(job);
}

/* The next attempt is due at due_ms. */
static void job_give_up(struct container_job *job, int64_t due_ms)
{
	job->c->stage = job->stage_before;
	job->c->worker->is_adopted = false;
	pod_container_wait_until(job->c, due_ms);
	job_end(job);
}

/* The pod is to end meanwhile: leave it as if nothing had been begun. */
static bool job_is_stale(struct container_job *job)
{
	struct pod_container *c = job->c;
	if (c->worker->stage < POD_ENDING && !c->worker->is_left)
		return false;
	c->stage = job->stage_before;
	job_end(job);
	return true;
}

/* A pull takes as long as a registry likes: nobody waits for it. */
void pod_job_give_up_pull(struct pod_container *c)
{
	struct container_job *job = c->job;
	if (!job || !job->is_pulling)
		return;
	job->c = NULL;
	c->job = NULL;
	c->stage = job->stage_before;
}

/* ---- start ---- */

static void fail_start(struct container_job *job)
{
	struct pod_container *c = job->c;
	int64_t now_us = world_wall_us();
	struct container_end end = {
		.is_set = true,
		.exit_code = 128,
		.reason = mem_strdup("StartError"),
		.message = mem_strdup(job->call.err.text),
		.started_us = now_us,
		.finished_us = now_us,
	};
	memcpy(end.id, c->id, sizeof(end.id));
	job_event(job, "Warning", "Failed", "Error: %s", job->call.err.text);
	pod_container_end_run(c, &end);
	job_end(job);
}

static void started(struct runtime_call *call)
{
	struct container_job *job = job_of(call);
	struct pod_container *c = job->c;
	if (call->rc != RC_OK) {
		fail_start(job);
		return;
	}
	c->started_us = job->started_us;
	for (size_t i = 0; i < job->config.annotation_count; i++)
		if (str_is(job->config.annotations[i].name, POD_ANNOTATION_STOP_SIGNAL))
			c->stop_signal = signal_number(job->config.annotations[i].value);
	pod_container_run(c);
	job_event(job, "Normal", "Started", "Container started");
	job_end(job);
}

static void created(struct runtime_call *call)
{
	struct container_job *job = job_of(call);
	struct pod_container *c = job->c;
	if (call->rc != RC_OK) {
		job_event(job, "Warning", "Failed", "Error: %s", call->err.text);
		pod_container_wait(c, "CreateContainerError", "%s", call->err.text);
		job_give_up(job, world_mono_ms() + CONFIG_RETRY_MS);
		return;
	}
	if (c->end.is_set) {
		container_end_done(&c->last);
		c->last = c->end;
		c->end = (struct container_end){};
	}
	if (c->has_container) /* its log stays */
		pod_setup_leftover(c->worker, str_of(c->id));
	memcpy(c->id, job->id, sizeof(c->id));
	allotment_set(&c->actual, job->given.owner, job->given.amounts);
	c->has_container = true;
	c->attempt = job->config.attempt;
	job->stage_before = CONTAINER_WAITING;
	job_event(job, "Normal", "Created", "Container created");
	if (job_is_stale(job))
		return;
	call->done = started;
	runtime_of(job)->ops->start(runtime_of(job), str_of(c->id), &job->started_us, call);
}

/* ---- configuration ---- */

static void create(struct container_job *job)
{
	struct runtime *r = runtime_of(job);
	job->call.done = created;
	r->ops->create(r, &job->config, job->id, &job->call);
}

static void configure(struct container_job *job)
{
	struct pod_container *c = job->c;
	struct err err;
	int attempt = job->stage_before == CONTAINER_EXITED ? c->attempt + 1 : c->attempt;
	if (job_is_stale(job))
		return;
	allotment_set(&job->given, c->allocated.owner, c->allocated.amounts);
	free(c->image_id);
	c->image_id = mem_strndup(job->info.id.at, job->info.id.len);
	if (pod_config_make(&job->arena, c, &job->info, attempt, &job->config, &err) != RC_OK) {
		job_event(job, "Warning", "Failed", "Error: %s", err.text);
		pod_container_wait(c, "CreateContainerConfigError", "%s", err.text);
		job_give_up(job, world_mono_ms() + CONFIG_RETRY_MS);
		return;
	}
	create(job);
}

/* ---- image ---- */

static void pull_failed(struct container_job *job, const char *reason, const char *message)
{
	struct pod_container *c = job->c;
	c->pull_delay_ms = c->pull_delay_ms ? MIN(c->pull_delay_ms * 2, PULL_LAST_MS)
					    : PULL_FIRST_MS;
	c->pull_due_ms = world_mono_ms() + c->pull_delay_ms;
	job_event(job, "Warning", "Failed", "Failed to pull image \"%.*s\": %s",
		  STR_FMT(job->image), message);
	job_event(job, "Warning", "Failed", "Error: %s", reason);
	pod_container_wait(c, reason, "failed to pull and unpack image \"%.*s\": %s",
			   STR_FMT(job->image), message);
	/* The step after this one says ImagePullBackOff and waits. */
	job_give_up(job, world_mono_ms() + 1000);
}

static void pull_info(struct runtime_call *call)
{
	struct container_job *job = job_of(call);
	if (call->rc != RC_OK)
		pull_failed(job, "ErrImagePull", call->err.text);
	else
		configure(job);
}

static void pulled(struct runtime_call *call)
{
	struct container_job *job = job_of(call);
	struct pod_container *c = job->c;
	job->is_pulling = false;
	if (!c) {
		pod_job_free(job);
		return;
	}
	if (call->rc != RC_OK) {
		pull_failed(job, job->pulled.reason ? job->pulled.reason : "ErrImagePull",
			    call->err.text);
		return;
	}
	char took[GO_DURATION_MAX];
	c->pull_delay_ms = 0;
	node_images_changed(c->worker->agent->images);
	go_duration(world_mono_ms() - job->pull_began_ms, took);
	job_event(job, "Normal", "Pulled",
		  "Successfully pulled image \"%.*s\" in %s (%s including waiting). "
		  "Image size: %lld bytes.",
		  STR_FMT(job->image), took, took, (long long)job->pulled.size_bytes);
	call->done = pull_info;
	runtime_of(job)->ops->image_status(runtime_of(job), job->pulled.image_id, &job->arena,
					   &job->info, call);
}

static void pull_back_off(struct container_job *job)
{
	struct pod_container *c = job->c;
	const char *why = c->waiting_message ? c->waiting_message : "";
	CLEANUP(free_p) char *cause = mem_strdup(why);
	bool is_known = c->waiting_reason && strcmp(c->waiting_reason, "ImagePullBackOff") == 0;
	if (!is_known) {
		job_event(job, "Normal", "BackOff", "Back-off pulling image \"%.*s\"",
			  STR_FMT(job->image));
		job_event(job, "Warning", "Failed", "Error: ImagePullBackOff");
		pod_container_wait(c, "ImagePullBackOff",
				   "Back-off pulling image \"%.*s\": ErrImagePull: %s",
				   STR_FMT(job->image), cause);
	}
	job_give_up(job, c->pull_due_ms);
}

static void add_pull_secret(struct container_job *job, struct runtime_pull_secret *list,
			    const struct secret *s)
{
	static const struct {
		const char *type, *key;
		bool is_legacy;
	} rows[] = {
		{"kubernetes.io/dockerconfigjson", ".dockerconfigjson", false},
		{"kubernetes.io/dockercfg", ".dockercfg", true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str text = str_map_cget(&s->data, rows[i].key);
		if (str_is(s->type, rows[i].type) && text.len)
			list[job->pull.secret_count++] = (struct runtime_pull_secret){
				arena_str(&job->arena, text), rows[i].is_legacy};
	}
}

static void set_pull_secrets(struct container_job *job)
{
	const struct pod_worker *w = job->c->worker;
	const struct local_object_reference_array *refs = &w->pod->spec.image_pull_secrets;
	struct runtime_pull_secret *list =
		ARENA_ARRAY(&job->arena, struct runtime_pull_secret, refs->count);
	for (uint32_t i = 0; i < refs->count; i++) {
		const struct secret *s = pod_secret(w, refs->at[i].name);
		if (s)
			add_pull_secret(job, list, s);
	}
	job->pull.secrets = list;
}

static void pull(struct container_job *job)
{
	struct runtime *r = runtime_of(job);
	if (job->c->pull_due_ms > world_mono_ms()) {
		pull_back_off(job);
		return;
	}
	job_event(job, "Normal", "Pulling", "Pulling image \"%.*s\"", STR_FMT(job->image));
	job->pull = (struct runtime_pull_config){.ref = job->image};
	set_pull_secrets(job);
	job->is_pulling = true;
	job->pull_began_ms = world_mono_ms();
	job->call.done = pulled;
	r->ops->image_pull(r, &job->pull, &job->arena, &job->pulled, &job->call);
}

static void image_known(struct runtime_call *call)
{
	struct container_job *job = job_of(call);
	struct str policy = job->c->spec->image_pull_policy;
	if (job_is_stale(job))
		return;
	if (call->rc == RC_OK && !str_is(policy, "Always")) {
		job_event(job, "Normal", "Pulled",
			  "Container image \"%.*s\" already present on machine and can be "
			  "accessed by the pod",
			  STR_FMT(job->image));
		configure(job);
		return;
	}
	if (call->rc == RC_INVALID) {
		job_event(job, "Warning", "InspectFailed",
			  "Failed to apply default image tag \"%.*s\": %s", STR_FMT(job->image),
			  call->err.text);
		pod_container_wait(job->c, "InvalidImageName",
				   "Failed to apply default image tag \"%.*s\": %s",
				   STR_FMT(job->image), call->err.text);
		job_give_up(job, world_mono_ms() + PULL_LAST_MS);
		return;
	}
	if (str_is(policy, "Never")) {
		job_event(job, "Warning", "ErrImageNeverPull",
			  "Container image \"%.*s\" is not present with pull policy of Never",
			  STR_FMT(job->image));
		pod_container_wait(
			job->c, "ErrImageNeverPull",
			"Container image \"%.*s\" is not present with pull policy of Never",
			STR_FMT(job->image));
		job_give_up(job, world_mono_ms() + PULL_FIRST_MS);
		return;
	}
	pull(job);
}

void pod_job_start(struct pod_container *c)
{
	struct container_job *job = NEW(struct container_job);
	struct runtime *r = c->worker->agent->config.runtime;
	ASSERT(!c->job);
	job->c = c;
	job->object = object_ref(c->worker->object);
	job->stage_before = c->stage;
	job->image = c->spec->image;
	job->call.done = image_known;
	c->job = job;
	c->stage = CONTAINER_STARTING;
	r->ops->image_status(r, job->image, &job->arena, &job->info, &job->call);
}
