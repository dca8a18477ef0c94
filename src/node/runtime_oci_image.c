/* Images for the runtime's callers.  Reads go to the pool; a pull gets a thread of its own, since
 * it lasts as long as the network likes, and may have to run in another network namespace.  Calls
 * for the same image with the same keys share one pull. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include "base/list.h"
#include "base/log.h"
#include "node/image_pull.h"
#include "node/runtime_oci-int.h"

#define PULLS_AT_ONCE	 3
#define PROGRESS_MS	 500
#define PULL_WAITERS_MAX 4096
#define PULL_STACK_BYTES (512u << 10)

struct pull_waiter {
	struct list link;
	struct runtime_call *call;
	struct arena *a;
	struct runtime_pull_result *result;
	void (*progress)(void *arg, int64_t done_bytes, int64_t total_bytes);
	void *progress_arg;
};

struct oci_pull {
	struct loop_msg ended;
	struct runtime_oci *oci;
	char *key;
	struct arena arena;
	struct runtime_pull_config config; /* copied */
	struct image_pull_progress progress;
	struct runtime_pull_result result;
	enum rc rc;
	struct err err;
	struct list waiters;
	size_t waiter_count;
	struct loop_timer tick;
	pthread_t thread;
	bool is_running;
};

/* --- status, list, remove --- */

struct status_args {
	struct str ref;
	struct arena *a;
};

static enum rc status_run(struct oci_job *job, struct err *err)
{
	const struct status_args *args = job->config;
	return image_store_find(job->oci->images, args->ref, args->a, job->result, err);
}

void oci_image_status(struct runtime *r, struct str ref, struct arena *a,
		      struct runtime_image_info *ret_info, struct runtime_call *call)
{
	struct oci_job *job = oci_job_new(oci_of(r), call, status_run, NULL);
	struct status_args *args = ARENA_NEW(&job->arena, struct status_args);
	*args = (struct status_args){arena_str(&job->arena, ref), a};
	job->config = args;
	job->result = ret_info;
	oci_job_start(job);
}

static enum rc list_run(struct oci_job *job, struct err *err)
{
	const struct status_args *args = job->config;
	return image_store_list(job->oci->images, args->a, job->result, err);
}

void oci_image_list(struct runtime *r, struct arena *a, struct runtime_image_list *ret_list,
		    struct runtime_call *call)
{
	struct oci_job *job = oci_job_new(oci_of(r), call, list_run, NULL);
	struct status_args *args = ARENA_NEW(&job->arena, struct status_args);
	args->a = a;
	job->config = args;
	job->result = ret_list;
	oci_job_start(job);
}

static enum rc remove_run(struct oci_job *job, struct err *err)
{
	const struct status_args *args = job->config;
	return image_store_remove(job->oci->images, args->ref, err);
}

void oci_image_remove(struct runtime *r, struct str ref, struct runtime_call *call)
{
	struct oci_job *job = oci_job_new(oci_of(r), call, remove_run, NULL);
	struct status_args *args = ARENA_NEW(&job->arena, struct status_args);
	args->ref = arena_str(&job->arena, ref);
	job->config = args;
	oci_job_start(job);
}

/* Thresholds are kubelet's. */
static enum rc trim_run(struct oci_job *job, struct err *err)
{
	static const struct image_trim_policy policy = {
		.high_percent = 85, .low_percent = 80, .min_age_us = 120 * INT64_C(1000000)};
	return image_store_trim(job->oci->images, &policy, job->result, err);
}

void oci_image_trim(struct runtime *r, struct runtime_trim_result *ret_result,
		    struct runtime_call *call)
{
	struct oci_job *job = oci_job_new(oci_of(r), call, trim_run, NULL);
	job->result = ret_result;
	oci_job_start(job);
}

/* --- pulls --- */

static void pull_free(struct oci_pull *p)
{
	loop_timer_stop(&p->tick);
	arena_done(&p->arena);
	free(p->key);
	free(p);
}

static enum rc namespace_enter(const struct runtime_oci *oci, struct err *err)
{
	if (oci->pull_netns_fd >= 0 && setns(oci->pull_netns_fd, CLONE_NEWNET) < 0)
		return err_sys(err, RC_UNAVAILABLE, errno, "enter the network for pulls");
	return RC_OK;
}

static void *pull_main(void *arg)
{
	struct oci_pull *p = arg;
	p->result.reason = IMAGE_REASON_PULL;
	p->rc = namespace_enter(p->oci, &p->err);
	if (p->rc == RC_OK)
		p->rc = image_pull(p->oci->images, p->oci->registries, &p->config, &p->progress,
				   &p->arena, &p->result, &p->err);
	loop_post(p->oci->base.loop, &p->ended);
	return NULL;
}

static void waiter_answer(struct oci_pull *p, struct pull_waiter *w)
{
	*w->result = p->result;
	w->result->image_id = arena_str(w->a, p->result.image_id);
	w->call->err = p->err;
	runtime_call_finish(p->oci->base.loop, w->call, p->rc);
	list_remove(&w->link);
	free(w);
}

static void pulls_start(struct runtime_oci *oci);

static void pull_ended(struct loop_msg *msg)
{
	struct oci_pull *p = CONTAINER_OF(msg, struct oci_pull, ended);
	struct runtime_oci *oci = p->oci;
	struct pull_waiter *w;
	if (p->is_running)
		pthread_join(p->thread, NULL);
	oci->pulls_running -= p->is_running;
	map_remove(&oci->pulls, str_of(p->key));
	LIST_FOR_EACH (w, &p->waiters, link)
		waiter_answer(p, w);
	pull_free(p);
	pulls_start(oci);
	oci_job_ended(oci);
}

static void pull_start(struct oci_pull *p)
{
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, PULL_STACK_BYTES);
	int failed = pthread_create(&p->thread, &attributes, pull_main, p);
	pthread_attr_destroy(&attributes);
	p->is_running = failed == 0;
	p->oci->pulls_running += p->is_running;
	if (!failed)
		return;
	p->result.reason = IMAGE_REASON_PULL;
	p->rc = err_sys(&p->err, RC_UNAVAILABLE, failed, "start a thread for a pull");
	loop_post(p->oci->base.loop, &p->ended);
}

static void pulls_start(struct runtime_oci *oci)
{
	for (struct map_entry *e = map_next(&oci->pulls, NULL); e; e = map_next(&oci->pulls, e)) {
		struct oci_pull *p = e->value;
		if (oci->pulls_running >= PULLS_AT_ONCE)
			return;
		if (!p->is_running)
			pull_start(p);
	}
}

static void tick_on(struct loop_timer *timer)
{
	struct oci_pull *p = CONTAINER_OF(timer, struct oci_pull, tick);
	struct pull_waiter *w;
	int64_t done = atomic_load(&p->progress.done_bytes);
	int64_t total = atomic_load(&p->progress.total_bytes);
	LIST_FOR_EACH (w, &p->waiters, link) {
		if (w->progress)
			w->progress(w->progress_arg, done, total);
	}
	loop_timer_start(p->oci->base.loop, timer, PROGRESS_MS, tick_on);
}

/* The name and, in a digest, the keys: who has other keys may be refused what others may see. */
static struct str pull_key(struct arena *a, const struct runtime_pull_config *config)
{
	struct image_digest d;
	char digest[IMAGE_DIGEST_MAX];
	image_digest_init(&d);
	for (size_t i = 0; i < config->secret_count; i++) {
		image_digest_add(&d, config->secrets[i].json.at, config->secrets[i].json.len);
		image_digest_add(&d, &config->secrets[i].is_legacy, 1);
	}
	image_digest_finish(&d, digest);
	return arena_printf(a, "%.*s %s", STR_FMT(config->ref), digest);
}

static void config_copy(struct arena *a, const struct runtime_pull_config *from,
			struct runtime_pull_config *to)
{
	struct runtime_pull_secret *secrets =
		ARENA_ARRAY(a, struct runtime_pull_secret, from->secret_count + 1);
	for (size_t i = 0; i < from->secret_count; i++)
		secrets[i] = (struct runtime_pull_secret){arena_str(a, from->secrets[i].json),
							  from->secrets[i].is_legacy};
	*to = (struct runtime_pull_config){
		.ref = arena_str(a, from->ref),
		.secrets = secrets,
		.secret_count = from->secret_count,
	};
}

static struct oci_pull *pull_new(struct runtime_oci *oci, struct str key,
				 const struct runtime_pull_config *config)
{
	struct oci_pull *p = NEW(struct oci_pull);
	p->ended.fn = pull_ended;
	p->oci = oci;
	p->key = mem_strndup(key.at, key.len);
	config_copy(&p->arena, config, &p->config);
	list_init(&p->waiters);
	oci->jobs++;
	map_set(&oci->pulls, key, p);
	loop_timer_start(oci->base.loop, &p->tick, PROGRESS_MS, tick_on);
	return p;
}

void oci_image_pull(struct runtime *r, const struct runtime_pull_config *config, struct arena *a,
		    struct runtime_pull_result *ret_result, struct runtime_call *call)
{
	struct runtime_oci *oci = oci_of(r);
	CLEANUP_ARENA scratch = {};
	struct str key = pull_key(&scratch, config);
	struct oci_pull *p = map_get(&oci->pulls, key);
	if (!p)
		p = pull_new(oci, key, config);
	if (p->waiter_count == PULL_WAITERS_MAX) {
		ret_result->reason = IMAGE_REASON_PULL;
		runtime_call_finish(r->loop, call,
				    err_set(&call->err, RC_TOO_MANY_REQUESTS,
					    "more than %d pods wait for this image",
					    PULL_WAITERS_MAX));
		return;
	}
	struct pull_waiter *w = NEW(struct pull_waiter);
	*w = (struct pull_waiter){
		.call = call,
		.a = a,
		.result = ret_result,
		.progress = config->progress,
		.progress_arg = config->progress_arg,
	};
	list_append(&p->waiters, &w->link);
	p->waiter_count++;
	pulls_start(oci);
}
