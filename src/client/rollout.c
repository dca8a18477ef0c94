/* skeg rollout: see, undo, repeat, hold and resume the rollouts of workloads. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/timefmt.h"
#include "client/change.h"
#include "client/object_watch.h"
#include "client/resources.h"
#include "client/rollout_history.h"
#include "client/rollout_status.h"
#include "client/tab_writer.h"
#include "client/verbs.h"
#include "io/loop.h"

struct rollout_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	int64_t revision, to_revision;
	bool watches;
	const char *timeout;
};

struct rollout {
	struct verb *verb;
	const struct rollout_options *options;
	struct change change;
	struct str said;
	int64_t timeout_ms;
};

typedef enum rc rollout_fn(struct verb *v, struct resource *r, void *ctx, struct err *err);

static enum rc each_workload(struct verb *v, const char *manager, rollout_fn *fn, struct err *err)
{
	struct rollout ro = {.verb = v, .options = v->line->values};
	struct resources r;
	const struct resource_query q = {.options = &ro.options->resources,
					 .words = verb_words(v, 0)};
	TRY(change_open(&v->client, &ro.options->change, manager, &ro.change, err));
	TRY(option_duration("timeout", ro.options->timeout, &ro.timeout_ms, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, fn, &ro);
	return RC_OK;
}

/* ---- status ---- */

static enum rc look(const struct json *object, void *ctx, bool *ret_is_done, struct err *err)
{
	struct rollout *ro = ctx;
	struct str text;
	bool is_done;
	if (!object)
		return err_set(err, RC_NOT_FOUND, "object has been deleted");
	TRY(rollout_status_text(ro->verb->arena, object, ro->options->revision, &text, &is_done,
				err));
	if (!str_eq(text, ro->said))
		printf("%.*s", STR_FMT(text));
	fflush(stdout);
	ro->said = text;
	*ret_is_done = is_done || !ro->options->watches;
	return RC_OK;
}

static enum rc status_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct rollout *ro = ctx;
	const struct object_watch watch = {
		.kind = r->kind,
		.namespace = r->namespace,
		.name = r->name,
		.timeout_ms = ro->timeout_ms,
		.look = look,
		.ctx = ro,
	};
	ro->said = (struct str){};
	/* Lists come without kinds; the first look is at what is known already. */
	bool is_done = false;
	TRY(look(r->tree, ro, &is_done, err));
	return is_done ? RC_OK : object_watch(&v->client, &watch, err);
}

static enum rc status_body(struct verb *v, struct err *err)
{
	return each_workload(v, NULL, status_one, err);
}

/* ---- history and undo ---- */

static enum rc history_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct rollout *ro = ctx;
	CLEANUP_BUF out = BUF_INIT(TAB_WRITER_BYTES_MAX);
	struct str text;
	TRY(rollout_history_text(v, r, ro->options->revision, &text, err));
	printf("%.*s/%.*s ", STR_FMT(resource_type_label(v->arena, r->kind)), STR_FMT(r->name));
	if (ro->options->revision)
		printf("with revision #%lld", (long long)ro->options->revision);
	if (ro->options->revision)
		buf_add_str(&out, text); /* with its tabs, as kubectl has it */
	else
		tab_write(text, &out);
	printf("\n%s\n", out.data ? out.data : "");
	return RC_OK;
}

static enum rc history_body(struct verb *v, struct err *err)
{
	return each_workload(v, NULL, history_one, err);
}

static enum rc undo_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct rollout *ro = ctx;
	struct json *patch, *after = r->tree;
	enum patch_form form;
	if (json_is_true(json_path(r->tree, "spec.paused")))
		return err_set(err, RC_BAD_REQUEST,
			       "you cannot rollback a paused deployment; resume it first with "
			       "'skeg rollout resume deployment/%.*s' and try again",
			       STR_FMT(r->name));
	int64_t target = ro->options->to_revision;
	TRY(rollout_undo_patch(v, r, &target, &form, &patch, err));
	if (!patch) {
		char what[96];
		snprintf(what, sizeof(what),
			 "skipped rollback (current template already matches revision %lld)",
			 (long long)target);
		return change_tell(&ro->change, r->kind, r->tree, what, err);
	}
	TRY(change_patch(&ro->change, r->kind, r->namespace, r->name, NULL, form, patch, &after,
			 err));
	return change_tell(&ro->change, r->kind, after, "rolled back", err);
}

static enum rc undo_body(struct verb *v, struct err *err)
{
	return each_workload(v, "kubectl-rollout", undo_one, err);
}

/* ---- restart, pause, resume ---- */

static enum rc restart_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct rollout *ro = ctx;
	struct arena *a = v->arena;
	char now[TIME_TEXT_MAX];
	struct json *patch = json_object(a), *after;
	static const char *const path[] = {"spec", "template", "metadata", "annotations"};
	struct json *at = patch;
	if (json_is_true(json_path(r->tree, "spec.paused")))
		return err_set(err, RC_BAD_REQUEST,
			       "can't restart paused deployment (run rollout resume first)");
	if (!json_path(r->tree, "spec.template") || !str_is(r->kind->group, "apps"))
		return err_set(err, RC_BAD_REQUEST, "%.*s \"%.*s\": restarting is not supported",
			       STR_FMT(resource_type_plural(a, r->kind)), STR_FMT(r->name));
	for (size_t i = 0; i < ARRAY_LEN(path); i++)
		at = json_need_object(a, at, str_of(path[i]));
	json_set_str(a, at, STR("kubectl.kubernetes.io/restartedAt"),
		     arena_str(a, str_n(now, time_format(world_wall_us(), now))));
	TRY(change_patch(&ro->change, r->kind, r->namespace, r->name, NULL, PATCH_STRATEGIC, patch,
			 &after, err));
	return change_tell(&ro->change, r->kind, after, "restarted", err);
}

static enum rc restart_body(struct verb *v, struct err *err)
{
	return each_workload(v, "kubectl-rollout", restart_one, err);
}

static enum rc set_paused(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct rollout *ro = ctx;
	struct arena *a = v->arena;
	bool is_paused = *(const bool *)v->detail;
	struct json *patch = json_object(a), *after;
	if (!str_is(r->kind->plural, "deployments"))
		return err_set(err, RC_BAD_REQUEST, "%.*s \"%.*s\": %s is not supported",
			       STR_FMT(resource_type_plural(a, r->kind)), STR_FMT(r->name),
			       is_paused ? "pausing" : "resuming");
	if (json_is_true(json_path(r->tree, "spec.paused")) == is_paused)
		return err_set(err, RC_BAD_REQUEST, "%.*s \"%.*s\" is %s",
			       STR_FMT(resource_type_plural(a, r->kind)), STR_FMT(r->name),
			       is_paused ? "already paused" : "not paused");
	json_set(a, json_need_object(a, patch, STR("spec")), STR("paused"),
		 is_paused ? json_bool(a, true) : json_null(a));
	TRY(change_patch(&ro->change, r->kind, r->namespace, r->name, NULL, PATCH_STRATEGIC, patch,
			 &after, err));
	return change_tell(&ro->change, r->kind, after, is_paused ? "paused" : "resumed", err);
}

static enum rc pause_body(struct verb *v, struct err *err)
{
	return each_workload(v, "kubectl-rollout", set_paused, err);
}

#define AT(member) offsetof(struct rollout_options, member)
#define TARGETS                                                                                    \
	RESOURCE_FILE_OPTIONS(struct rollout_options, resources),                                  \
		RESOURCE_SELECTOR_OPTIONS(struct rollout_options, resources),                      \
		CLIENT_OPTIONS(struct rollout_options, client)
static const struct option status_options[] = {
	{"watch", 'w', OPTION_FLAG, AT(watches), NULL, "until it is done (true)"},
	{"timeout", 0, OPTION_TEXT, AT(timeout), "DURATION", "wait at most so long (0: for ever)"},
	{"revision", 0, OPTION_NUMBER, AT(revision), "N", "of this revision only"},
	TARGETS,
};
static const struct option history_options[] = {
	{"revision", 0, OPTION_NUMBER, AT(revision), "N", "show the pod template of it"},
	TARGETS,
};
static const struct option undo_options[] = {
	{"to-revision", 0, OPTION_NUMBER, AT(to_revision), "N", "to this one (the last)"},
	CHANGE_OPTIONS(struct rollout_options, change),
	TARGETS,
};
static const struct option change_options[] = {
	CHANGE_OPTIONS(struct rollout_options, change),
	TARGETS,
};

static const struct rollout_options defaults = {.watches = true};

const struct command command_rollout_status = {
	.name = "rollout status",
	.arguments = "TYPE NAME | TYPE/NAME",
	.summary = "Follow a rollout until it is done",
	.options = status_options,
	.option_count = ARRAY_LEN(status_options),
	.values_size = sizeof(struct rollout_options),
	.defaults = &defaults,
	VERB_RUN(status_body),
};

const struct command command_rollout_history = {
	.name = "rollout history",
	.arguments = "TYPE NAME | TYPE/NAME",
	.summary = "Show former revisions",
	.options = history_options,
	.option_count = ARRAY_LEN(history_options),
	.values_size = sizeof(struct rollout_options),
	VERB_RUN(history_body),
};

const struct command command_rollout_undo = {
	.name = "rollout undo",
	.arguments = "TYPE NAME | TYPE/NAME",
	.summary = "Go back to a former revision",
	.options = undo_options,
	.option_count = ARRAY_LEN(undo_options),
	.values_size = sizeof(struct rollout_options),
	VERB_RUN(undo_body),
};

const struct command command_rollout_restart = {
	.name = "rollout restart",
	.arguments = "TYPE NAME | TYPE/NAME",
	.summary = "Replace all pods, in a rolling way",
	.options = change_options,
	.option_count = ARRAY_LEN(change_options),
	.values_size = sizeof(struct rollout_options),
	VERB_RUN(restart_body),
};

const struct command command_rollout_pause = {
	.name = "rollout pause",
	.arguments = "TYPE NAME | TYPE/NAME",
	.summary = "Hold a rollout",
	.options = change_options,
	.option_count = ARRAY_LEN(change_options),
	.values_size = sizeof(struct rollout_options),
	VERB_RUN(pause_body, &(const bool){true}),
};

const struct command command_rollout_resume = {
	.name = "rollout resume",
	.arguments = "TYPE NAME | TYPE/NAME",
	.summary = "Go on with a held rollout",
	.options = change_options,
	.option_count = ARRAY_LEN(change_options),
	.values_size = sizeof(struct rollout_options),
	VERB_RUN(pause_body, &(const bool){false}),
};
