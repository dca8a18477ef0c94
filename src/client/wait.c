/* skeg wait: until objects are deleted, there, or in a condition. */
#include <stdio.h>

#include "client/api_path.h"
#include "client/object_output.h"
#include "client/object_watch.h"
#include "client/resources.h"
#include "client/verbs.h"
#include "codec/jsonpath.h"

#define TIMEOUT_DEFAULT "30s"

struct wait_options {
	struct client_options client;
	struct resource_options resources;
	struct text_list conditions;
	const char *timeout, *output;
};

enum goal_form { GOAL_DELETE, GOAL_CREATE, GOAL_CONDITION, GOAL_PATH };

struct goal {
	enum goal_form form;
	struct str condition, value; /* of GOAL_PATH: absent: any */
	struct jsonpath *path;
};

struct waiting {
	struct verb *verb;
	const struct wait_options *options;
	struct goal goal;
	int64_t timeout_ms;
	const struct resource *resource;
};

/* ---- --for ---- */

/* "jsonpath={.a[?(@.b=="c")].d}=value" */
static enum rc parse_path(struct arena *a, struct str text, struct goal *g, struct err *err)
{
	const char *end = text.len ? memrchr(text.at, '}', text.len) : NULL;
	struct str path = text, value = {};
	g->form = GOAL_PATH;
	if (end) {
		path = str_n(text.at, (size_t)(end - text.at) + 1);
		value = str_skip(text, path.len);
		if (value.len && value.at[0] != '=')
			return err_set(
				err, RC_BAD_REQUEST,
				"jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'");
		value = value.len ? str_skip(value, 1) : (struct str){};
	} else {
		str_cut_last(text, '=', &path, &value);
		if (!path.at)
			path = text, value = (struct str){};
	}
	if (value.len >= 2 && (value.at[0] == '"' || value.at[0] == '\'') &&
	    value.at[value.len - 1] == value.at[0])
		value = str_n(value.at + 1, value.len - 2);
	g->value = value;
	return jsonpath_parse_relaxed(a, path, &g->path, err);
}

static enum rc parse_goal(struct arena *a, const char *word, struct goal *g, struct err *err)
{
	struct str text = str_of(word), name, rest;
	*g = (struct goal){};
	if (str_eq_nocase(text, STR("delete"))) {
		g->form = GOAL_DELETE;
		return RC_OK;
	}
	if (str_eq_nocase(text, STR("create"))) {
		g->form = GOAL_CREATE;
		return RC_OK;
	}
	if (str_has_prefix(text, STR("jsonpath=")))
		return parse_path(a, str_skip(text, 9), g, err);
	if (!str_has_prefix(text, STR("condition=")))
		return err_set(err, RC_BAD_REQUEST,
			       "unrecognized condition: \"%s\"; it is one of delete, create, "
			       "condition=NAME, condition=NAME=VALUE, jsonpath='{PATH}'=VALUE",
			       word);
	str_cut(str_skip(text, 10), '=', &name, &rest);
	g->form = GOAL_CONDITION;
	g->condition = name;
	g->value = rest.len ? rest : STR("true");
	return RC_OK;
}

/* ---- looking ---- */

/* A condition of an older generation says nothing of the present. */
static bool has_condition(const struct goal *g, const struct json *object)
{
	const struct json *list = json_path(object, "status.conditions");
	int64_t generation = json_i64(json_path(object, "metadata.generation"));
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *c = json_at(list, i);
		const struct json *seen = json_get(c, STR("observedGeneration"));
		if (!str_eq_nocase(json_path_str(c, "type"), g->condition))
			continue;
		if (!seen)
			seen = json_path(object, "status.observedGeneration");
		if (seen && json_i64(seen) < generation)
			return false;
		return str_eq_nocase(json_path_str(c, "status"), g->value);
	}
	return false;
}

static enum rc has_value(struct waiting *w, const struct json *object, bool *ret_has,
			 struct err *err)
{
	struct jsonpath_results found;
	CLEANUP_BUF text = BUF_INIT(OBJECT_OUTPUT_BYTES_MAX);
	*ret_has = false;
	if (jsonpath_find(w->goal.path, w->verb->arena, object, &found, err) != RC_OK)
		return RC_OK; /* an item that is not there yet */
	if (found.count > 1)
		return err_set(err, RC_BAD_REQUEST,
			       "given jsonpath expression matches more than one value");
	if (found.count == 0)
		return RC_OK;
	jsonpath_value_print(&text, found.items[0]);
	*ret_has = !w->goal.value.at || str_eq(buf_str(&text), w->goal.value);
	return RC_OK;
}

static enum rc look(const struct json *object, void *ctx, bool *ret_is_done, struct err *err)
{
	struct waiting *w = ctx;
	switch (w->goal.form) {
	case GOAL_DELETE: {
		struct str uid = json_path_str(w->resource->tree, "metadata.uid");
		*ret_is_done = !object || !str_eq(json_path_str(object, "metadata.uid"), uid);
		return RC_OK;
	}
	case GOAL_CREATE:
		*ret_is_done = object != NULL;
		return RC_OK;
	case GOAL_CONDITION:
		*ret_is_done = object && has_condition(&w->goal, object);
		return RC_OK;
	case GOAL_PATH:
		return object ? has_value(w, object, ret_is_done, err) : RC_OK;
	}
	return RC_OK;
}

static enum rc wait_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct waiting *w = ctx;
	w->resource = r;
	const struct object_watch watch = {
		.kind = r->kind,
		.namespace = r->namespace,
		.name = r->name,
		.timeout_ms = w->timeout_ms,
		.look = look,
		.ctx = w,
	};
	enum rc rc = object_watch(&v->client, &watch, err);
	if (rc == RC_TIMEOUT)
		return err_set(err, rc, "timed out waiting for the condition on %.*s/%.*s",
			       STR_FMT(r->kind->plural), STR_FMT(r->name));
	TRY(rc);
	if (w->options->output && strcmp(w->options->output, "name") == 0)
		object_print_name(v->arena, r->kind, r->name);
	else
		printf("%.*s/%.*s condition met\n", STR_FMT(resource_type_label(v->arena, r->kind)),
		       STR_FMT(r->name));
	fflush(stdout);
	return RC_OK;
}

/* What is waited for to be created is not there yet, so only its name counts. */
static enum rc find_future(struct verb *v, struct resources *r, struct err *err)
{
	struct resource_targets t;
	struct text_list words = verb_words(v, 0);
	TRY(resource_targets_parse(v->arena, &words, &t, err));
	r->items = ARENA_ARRAY(v->arena, struct resource, t.count + 1);
	for (size_t i = 0; i < t.count; i++) {
		if (!t.items[i].name.len)
			return err_set(err, RC_BAD_REQUEST, "--for=create needs names");
		r->items[r->count++] = (struct resource){
			.kind = t.items[i].kind,
			.namespace = v->client.namespace,
			.name = t.items[i].name,
		};
	}
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct waiting w = {.verb = v, .options = v->line->values};
	struct resources r = {};
	const struct resource_query q = {.options = &w.options->resources,
					 .words = verb_words(v, 0)};
	if (w.options->conditions.count == 0)
		return err_set(err, RC_BAD_REQUEST, "required flag(s) \"for\" not set");
	TRY(option_duration("timeout", w.options->timeout, &w.timeout_ms, err));
	for (size_t i = 0; i < w.options->conditions.count; i++) {
		TRY(parse_goal(v->arena, w.options->conditions.at[i], &w.goal, err));
		r = (struct resources){};
		if (w.goal.form == GOAL_CREATE)
			TRY(find_future(v, &r, err));
		else
			TRY(resources_find(v, &q, &r, err));
		if (r.count == 0 && !v->failed && w.goal.form != GOAL_DELETE)
			return err_set(err, RC_NOT_FOUND, "no matching resources found");
		resources_each(v, &r, wait_one, &w);
	}
	return RC_OK;
}

#define AT(member) offsetof(struct wait_options, member)
static const struct option options[] = {
	{"for", 0, OPTION_LIST, AT(conditions), "WHAT",
	 "delete, create, condition=NAME[=VALUE], jsonpath='{PATH}'[=VALUE]"},
	{"timeout", 0, OPTION_TEXT, AT(timeout), "DURATION", "wait at most so long (30s)"},
	{"output", 'o', OPTION_TEXT, AT(output), "name", "say it shortly: TYPE/NAME"},
	RESOURCE_FILE_OPTIONS(struct wait_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct wait_options, resources),
	CLIENT_OPTIONS(struct wait_options, client),
};

static const struct wait_options defaults = {.timeout = TIMEOUT_DEFAULT};

const struct command command_wait = {
	.name = "wait",
	.arguments = "TYPE NAME… --for=WHAT",
	.summary = "Wait until objects are as wanted",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct wait_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
