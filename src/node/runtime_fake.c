#include "node/runtime_fake.h"

#include <signal.h>
#include <stdio.h>

#include "base/map.h"

struct fake_container {
	struct runtime_fake *fake;
	struct runtime_container_status status; /* strings in arena */
	struct arena arena;
	int64_t run_ms; /* < 0: until killed */
	int exit_code;
	int64_t cpu_milli, memory_bytes;
	struct loop_timer ends;
	struct runtime_call *start_call;
	int64_t *ret_started_us;
	struct loop_timer starts;
};

struct runtime_fake {
	struct runtime base;
	int64_t start_delay_ms;
	struct map sandboxes;  /* a set of pod uids */
	struct map containers; /* id -> struct fake_container */
};

static struct runtime_fake *fake_of(struct runtime *r)
{
	return CONTAINER_OF(r, struct runtime_fake, base);
}

static void fake_done(struct runtime *r, struct runtime_call *call, enum rc rc)
{
	runtime_call_finish(r->loop, call, rc);
}

static struct fake_container *fake_find(struct runtime *r, struct str id)
{
	return map_get(&fake_of(r)->containers, id);
}

static enum rc fake_missing(struct runtime_call *call, struct str id)
{
	return err_set(&call->err, RC_NOT_FOUND, "container \"%.*s\" not found", STR_FMT(id));
}

static void container_free(struct fake_container *c)
{
	loop_timer_stop(&c->ends);
	loop_timer_stop(&c->starts);
	arena_done(&c->arena);
	free(c);
}

static void fake_free(struct runtime *r)
{
	struct runtime_fake *fake = fake_of(r);
	for (struct map_entry *e = map_next(&fake->containers, NULL); e;
	     e = map_next(&fake->containers, e))
		container_free(e->value);
	map_done(&fake->containers);
	map_done(&fake->sandboxes);
	free(fake);
}

static const char *fake_version(struct runtime *r)
{
	return "skeg-fake://" SKEG_VERSION;
}

static void fake_check(struct runtime *r, struct runtime_call *call)
{
	fake_done(r, call, RC_OK);
}

/* --- sandboxes --- */

static void fake_sandbox_create(struct runtime *r, const struct runtime_sandbox_config *config,
				struct runtime_sandbox *ret_sandbox, struct runtime_call *call)
{
	struct map *sandboxes = &fake_of(r)->sandboxes;
	*ret_sandbox = (struct runtime_sandbox){.was_there = map_has(sandboxes, config->pod_uid)};
	map_set(sandboxes, config->pod_uid, r);
	fake_done(r, call, RC_OK);
}

static void fake_sandbox_remove(struct runtime *r, struct str pod_uid, struct runtime_call *call)
{
	map_remove(&fake_of(r)->sandboxes, pod_uid);
	fake_done(r, call, RC_OK);
}

static void fake_sandbox_list(struct runtime *r, struct arena *a, struct str **ret_pod_uids,
			      size_t *ret_count, struct runtime_call *call)
{
	const struct map *sandboxes = &fake_of(r)->sandboxes;
	struct str *uids = ARENA_ARRAY(a, struct str, sandboxes->count + 1);
	size_t count = 0;
	for (struct map_entry *e = map_next(sandboxes, NULL); e; e = map_next(sandboxes, e))
		uids[count++] = arena_str(a, e->key);
	*ret_pod_uids = uids;
	*ret_count = count;
	fake_done(r, call, RC_OK);
}

/* --- containers --- */

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

static int64_t annotation_i64(const struct runtime_container_config *config, const char *name,
			      int64_t otherwise)
{
	for (size_t i = 0; i < config->annotation_count; i++) {
		int64_t value;
		if (str_is(config->annotations[i].name, name) &&
		    str_to_i64(config->annotations[i].value, &value))
			return value;
	}
	return otherwise;
}

static struct fake_container *container_new(struct runtime_fake *fake,
					    const struct runtime_container_config *config)
{
	struct fake_container *c = NEW(struct fake_container);
	struct arena *a = &c->arena;
	c->fake = fake;
	c->run_ms = annotation_i64(config, FAKE_ANNOTATION_RUN_MS, -1);
	c->exit_code = (int)annotation_i64(config, FAKE_ANNOTATION_EXIT_CODE, 0) & 0xff;
	c->cpu_milli = config->resources.cpu_request_milli;
	c->memory_bytes = config->resources.memory_request_bytes;
	c->status = (struct runtime_container_status){
		.state = RUNTIME_CREATED,
		.pod_uid = arena_str(a, config->pod_uid),
		.pod_namespace = arena_str(a, config->pod_namespace),
		.pod_name = arena_str(a, config->pod_name),
		.name = arena_str(a, config->name),
		.image_id = arena_str(a, config->image_id),
		.attempt = config->attempt,
		.created_us = world_wall_us(),
		.log_path = arena_str(a, config->log_path),
		.annotations = annotations_copy(a, config->annotations, config->annotation_count),
		.annotation_count = config->annotation_count,
	};
	for (int i = 0; i < 4; i++)
		snprintf(c->status.id + 16 * i, 17, "%016llx",
			 (unsigned long long)world_random_u64());
	return c;
}

static void fake_create(struct runtime *r, const struct runtime_container_config *config,
			char ret_id[RUNTIME_ID_MAX], struct runtime_call *call)
{
	struct runtime_fake *fake = fake_of(r);
	if (fake->containers.count >= FAKE_CONTAINERS_MAX) {
		fake_done(r, call,
			  err_set(&call->err, RC_TOO_LARGE, "more than %d containers on this node",
				  FAKE_CONTAINERS_MAX));
		return;
	}
	struct fake_container *c = container_new(fake, config);
	memcpy(ret_id, c->status.id, RUNTIME_ID_MAX);
	map_set(&fake->containers, str_of(c->status.id), c);
	fake_done(r, call, RC_OK);
}

static void container_exit(struct fake_container *c, int exit_code)
{
	loop_timer_stop(&c->ends);
	c->status.state = RUNTIME_EXITED;
	c->status.exit_code = exit_code;
	c->status.finished_us = world_wall_us();
	struct runtime_listener *listener = c->fake->base.listener;
	if (listener)
		listener->exited(listener, &c->status);
}

static void container_ends(struct loop_timer *timer)
{
	struct fake_container *c = CONTAINER_OF(timer, struct fake_container, ends);
	container_exit(c, c->exit_code);
}

static void container_starts(struct loop_timer *timer)
{
	struct fake_container *c = CONTAINER_OF(timer, struct fake_container, starts);
	struct runtime_call *call = TAKE_PTR(c->start_call);
	c->status.state = RUNTIME_RUNNING;
	c->status.started_us = world_wall_us();
	*c->ret_started_us = c->status.started_us;
	if (c->run_ms >= 0)
		loop_timer_start(c->fake->base.loop, &c->ends, c->run_ms, container_ends);
	fake_done(&c->fake->base, call, RC_OK);
}

static void fake_start(struct runtime *r, struct str id, int64_t *ret_started_us,
		       struct runtime_call *call)
{
	struct fake_container *c = fake_find(r, id);
	if (!c) {
		fake_done(r, call, fake_missing(call, id));
		return;
	}
	if (c->status.state != RUNTIME_CREATED || c->start_call) {
		fake_done(r, call,
			  err_set(&call->err, RC_INVALID, "container \"%.*s\" was started before",
				  STR_FMT(id)));
		return;
	}
	c->start_call = call;
	c->ret_started_us = ret_started_us;
	loop_timer_start(r->loop, &c->starts, fake_of(r)->start_delay_ms, container_starts);
}

static void fake_resize(struct runtime *r, const struct runtime_resize *config,
			struct runtime_call *call)
{
	for (size_t i = 0; i < config->count; i++) {
		struct fake_container *c = fake_find(r, config->items[i].id);
		if (!c) {
			fake_done(r, call, fake_missing(call, config->items[i].id));
			return;
		}
		c->cpu_milli = config->items[i].resources.cpu_request_milli;
		c->memory_bytes = config->items[i].resources.memory_request_bytes;
	}
	fake_done(r, call, RC_OK);
}

/* The exit is told after `done`, as a real runtime does. */
static void fake_kill(struct runtime *r, struct str id, int signal, struct runtime_call *call)
{
	struct fake_container *c = fake_find(r, id);
	if (c && c->status.state == RUNTIME_RUNNING) {
		c->exit_code = 128 + signal;
		loop_timer_start(r->loop, &c->ends, 0, container_ends);
	}
	fake_done(r, call, RC_OK);
}

static void fake_remove(struct runtime *r, struct str id, struct runtime_call *call)
{
	struct fake_container *c = map_remove(&fake_of(r)->containers, id);
	struct runtime_call *start_call = c ? TAKE_PTR(c->start_call) : NULL;
	if (start_call)
		fake_done(r, start_call, fake_missing(start_call, id));
	if (c)
		container_free(c);
	fake_done(r, call, RC_OK);
}

static void status_copy(struct arena *a, const struct runtime_container_status *from,
			struct runtime_container_status *to)
{
	*to = *from;
	struct str *strings[] = {&to->pod_uid, &to->pod_namespace, &to->pod_name,
				 &to->name,    &to->image_id,	   &to->log_path};
	for (size_t i = 0; i < ARRAY_LEN(strings); i++)
		*strings[i] = arena_str(a, *strings[i]);
	to->annotations = annotations_copy(a, from->annotations, from->annotation_count);
}

static void fake_list(struct runtime *r, struct arena *a, struct runtime_container_list *ret_list,
		      struct runtime_call *call)
{
	const struct map *containers = &fake_of(r)->containers;
	struct runtime_container_status *items =
		ARENA_ARRAY(a, struct runtime_container_status, containers->count + 1);
	size_t count = 0;
	for (struct map_entry *e = map_next(containers, NULL); e; e = map_next(containers, e)) {
		const struct fake_container *c = e->value;
		status_copy(a, &c->status, &items[count++]);
	}
	*ret_list = (struct runtime_container_list){items, count};
	fake_done(r, call, RC_OK);
}

static void fake_stats(struct runtime *r, struct str id, struct runtime_stats *ret_stats,
		       struct runtime_call *call)
{
	const struct fake_container *c = fake_find(r, id);
	if (!c) {
		fake_done(r, call, fake_missing(call, id));
		return;
	}
	int64_t now_us = world_wall_us();
	int64_t ran_us = c->status.started_us ? now_us - c->status.started_us : 0;
	*ret_stats = (struct runtime_stats){
		.time_us = now_us,
		.cpu_usage_ns = (uint64_t)(ran_us * c->cpu_milli),
		.memory_usage_bytes = (uint64_t)c->memory_bytes,
		.memory_working_set_bytes = (uint64_t)c->memory_bytes,
		.memory_rss_bytes = (uint64_t)c->memory_bytes,
		.pids = c->status.state == RUNTIME_RUNNING,
	};
	fake_done(r, call, RC_OK);
}

static void fake_log_rotate(struct runtime *r, struct str id, int64_t max_bytes, int max_files,
			    struct runtime_call *call)
{
	fake_done(r, call, RC_OK);
}

/* --- exec: commands of a simulated container succeed at once and print nothing --- */

struct fake_exec {
	struct runtime_exec base;
	struct loop *loop;
	struct loop_timer ends;
};

static void exec_ends(struct loop_timer *timer)
{
	struct fake_exec *exec = CONTAINER_OF(timer, struct fake_exec, ends);
	if (exec->base.exited)
		exec->base.exited(&exec->base);
}

static void fake_exec(struct runtime *r, const struct runtime_exec_config *config,
		      struct runtime_exec **ret_exec, struct runtime_call *call)
{
	const struct fake_container *c = fake_find(r, config->container_id);
	if (!c || c->status.state != RUNTIME_RUNNING) {
		fake_done(r, call, fake_missing(call, config->container_id));
		return;
	}
	struct fake_exec *exec = NEW(struct fake_exec);
	exec->base = (struct runtime_exec){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
	*ret_exec = &exec->base;
	loop_timer_start(r->loop, &exec->ends, 1, exec_ends);
	fake_done(r, call, RC_OK);
}

static void fake_exec_resize(struct runtime_exec *exec, uint16_t columns, uint16_t rows)
{
}

static void fake_exec_free(struct runtime_exec *exec)
{
	if (!exec)
		return;
	struct fake_exec *fake = CONTAINER_OF(exec, struct fake_exec, base);
	loop_timer_stop(&fake->ends);
	free(fake);
}

static void fake_exec_sync(struct runtime *r, struct str id, const struct str *argv, size_t argc,
			   int64_t timeout_ms, struct runtime_exec_result *ret_result,
			   struct runtime_call *call)
{
	const struct fake_container *c = fake_find(r, id);
	if (!c || c->status.state != RUNTIME_RUNNING) {
		fake_done(r, call, fake_missing(call, id));
		return;
	}
	ret_result->exit_code = 0;
	ret_result->is_timed_out = false;
	ret_result->output[0] = '\0';
	ret_result->output_len = 0;
	fake_done(r, call, RC_OK);
}

static void fake_attach_resize(struct runtime *r, struct str id, uint16_t columns, uint16_t rows)
{
}

static void fake_attach(struct runtime *r, struct str id, int *ret_fd, struct runtime_call *call)
{
	fake_done(r, call,
		  err_set(&call->err, RC_INVALID,
			  "container \"%.*s\" is simulated: there is nothing to attach to",
			  STR_FMT(id)));
}

/* --- images: whatever is asked for is there once it has been pulled; ids derive from names --- */

static struct str fake_image_id(struct arena *a, struct str ref)
{
	uint64_t hash = str_hash(ref);
	char hex[17];
	snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)hash);
	return arena_printf(a, "sha256:%s%s%s%s", hex, hex, hex, hex);
}

static void fake_image_status(struct runtime *r, struct str ref, struct arena *a,
			      struct runtime_image_info *ret_info, struct runtime_call *call)
{
	struct str *tags = ARENA_NEW(a, struct str);
	tags[0] = arena_str(a, ref);
	*ret_info = (struct runtime_image_info){
		.id = fake_image_id(a, ref),
		.tags = tags,
		.tag_count = 1,
		.user_id = 65532,
	};
	fake_done(r, call, RC_OK);
}

static void fake_image_pull(struct runtime *r, const struct runtime_pull_config *config,
			    struct arena *a, struct runtime_pull_result *ret_result,
			    struct runtime_call *call)
{
	*ret_result = (struct runtime_pull_result){.image_id = fake_image_id(a, config->ref)};
	fake_done(r, call, RC_OK);
}

static void fake_image_list(struct runtime *r, struct arena *a, struct runtime_image_list *ret_list,
			    struct runtime_call *call)
{
	*ret_list = (struct runtime_image_list){};
	fake_done(r, call, RC_OK);
}

static void fake_image_remove(struct runtime *r, struct str ref, struct runtime_call *call)
{
	fake_done(r, call, RC_OK);
}

static void fake_image_trim(struct runtime *r, struct runtime_trim_result *ret_result,
			    struct runtime_call *call)
{
	*ret_result = (struct runtime_trim_result){};
	fake_done(r, call, RC_OK);
}

static const struct runtime_ops fake_ops = {
	.name = "fake",
	.free = fake_free,
	.version = fake_version,
	.check = fake_check,
	.sandbox_create = fake_sandbox_create,
	.sandbox_remove = fake_sandbox_remove,
	.sandbox_list = fake_sandbox_list,
	.create = fake_create,
	.start = fake_start,
	.resize = fake_resize,
	.kill = fake_kill,
	.remove = fake_remove,
	.list = fake_list,
	.stats = fake_stats,
	.log_rotate = fake_log_rotate,
	.exec = fake_exec,
	.exec_resize = fake_exec_resize,
	.exec_free = fake_exec_free,
	.exec_sync = fake_exec_sync,
	.attach = fake_attach,
	.attach_resize = fake_attach_resize,
	.image_status = fake_image_status,
	.image_pull = fake_image_pull,
	.image_list = fake_image_list,
	.image_remove = fake_image_remove,
	.image_trim = fake_image_trim,
};

struct runtime *runtime_fake_new(struct loop *loop, int64_t start_delay_ms,
				 struct runtime_listener *listener)
{
	struct runtime_fake *fake = NEW(struct runtime_fake);
	fake->base = (struct runtime){.ops = &fake_ops, .loop = loop, .listener = listener};
	fake->start_delay_ms = start_delay_ms;
	return &fake->base;
}
