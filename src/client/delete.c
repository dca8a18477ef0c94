/* skeg delete: objects by name, by selector or by file; returns when they are gone. */
#include <stdio.h>

#include "client/api_client.h"
#include "client/api_error.h"
#include "client/api_path.h"
#include "client/change.h"
#include "client/delete_wait.h"
#include "client/object_output.h"
#include "client/resource_types.h"
#include "client/resources.h"
#include "client/verbs.h"

#define GRACE_UNSET -1
#define GRACE_NOW   1

struct delete_options {
	struct client_options client;
	struct resource_options resources;
	const char *cascade, *timeout, *dry_run, *output;
	int64_t grace_s;
	bool is_now, is_forced, waits, ignores_missing;
};

struct deletion {
	struct verb *verb;
	struct api_client *client;
	const struct delete_options *options;
	struct arena *arena;
	const char *propagation;
	int64_t timeout_ms;
	enum dry_run dry_run;
	struct deleted_object *done; /* what has been asked to go */
	size_t count, cap;
};

static int64_t grace_seconds(const struct delete_options *o)
{
	return o->is_now ? GRACE_NOW : o->is_forced && o->grace_s == GRACE_UNSET ? 0 : o->grace_s;
}

static struct str delete_body(struct deletion *d)
{
	struct arena *a = d->arena;
	CLEANUP_BUF body = BUF_INIT(4096);
	struct json *t = json_object(a);
	int64_t grace_s = grace_seconds(d->options);
	json_set_str(a, t, STR("kind"), STR("DeleteOptions"));
	json_set_str(a, t, STR("apiVersion"), STR("v1"));
	json_set_str(a, t, STR("propagationPolicy"), str_of(d->propagation));
	if (d->dry_run) {
		struct json *all = json_array(a);
		json_append(a, all, json_cstring(a, "All"));
		json_set(a, t, STR("dryRun"), all);
	}
	if (grace_s != GRACE_UNSET)
		json_set(a, t, STR("gracePeriodSeconds"), json_int(a, grace_s));
	json_write(&body, t);
	return arena_str(a, buf_str(&body));
}

static void tell(const struct deletion *d, const struct deleted_object *o)
{
	if (d->options->output) {
		object_print_name(d->arena, o->kind, o->name);
		return;
	}
	printf("%.*s \"%.*s\" %s%s\n", STR_FMT(resource_type_label(d->arena, o->kind)),
	       STR_FMT(o->name), d->options->is_forced ? "force deleted" : "deleted",
	       dry_run_suffix(d->dry_run));
	fflush(stdout);
}

static enum rc delete_one(struct deletion *d, const struct api_kind *kind, struct str namespace,
			  struct str name, struct err *err)
{
	struct api_reply reply;
	const struct api_request request = {
		.method = "DELETE",
		.path = api_path(d->arena, kind, namespace, name, NULL),
		.content_type = "application/json",
		.body = delete_body(d),
	};
	if (d->dry_run == DRY_RUN_CLIENT) {
		const struct api_request look = {.path = request.path};
		TRY(api_client_call(d->client, d->arena, &look, &reply, err));
	} else {
		TRY(api_client_call(d->client, d->arena, &request, &reply, err));
	}
	d->done = arena_grow(d->arena, d->done, d->count, &d->cap, sizeof(*d->done));
	d->done[d->count] =
		(struct deleted_object){kind, namespace, name, delete_reply_uid(reply.tree)};
	tell(d, &d->done[d->count++]);
	return RC_OK;
}

/* What is gone already is an error, but doesn't keep the others from going. */
static void try_one(struct deletion *d, const struct api_kind *kind, struct str namespace,
		    struct str name)
{
	struct err err;
	enum rc rc = delete_one(d, kind, namespace, name, &err);
	if (rc == RC_OK || (rc == RC_NOT_FOUND && d->options->ignores_missing))
		return;
	verb_note(d->verb, &err);
}

/* ---- by selector ---- */

struct collection {
	struct deletion *deletion;
	const struct api_kind *kind;
};

static enum rc delete_items(struct json *list, void *ctx, struct err *err)
{
	struct collection *c = ctx;
	const struct json *items = json_get(list, STR("items"));
	for (size_t i = 0; i < json_count(items); i++)
		try_one(c->deletion, c->kind,
			json_path_str(json_at(items, i), "metadata.namespace"),
			json_path_str(json_at(items, i), "metadata.name"));
	return RC_OK;
}

static enum rc delete_selected(struct deletion *d, const struct api_kind *kind, struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	struct collection c = {d, kind};
	size_t before = d->count;
	const struct resource_options *o = &d->options->resources;
	buf_add_str(&url,
		    api_path(d->arena, kind, o->is_everywhere ? STR("") : d->client->namespace,
			     (struct str){}, NULL));
	query_add(&url, "labelSelector", str_of(o->label_selector));
	query_add(&url, "fieldSelector", str_of(o->field_selector));
	TRY(api_client_list(d->client, d->arena, buf_str(&url), NULL, delete_items, &c, err));
	if (d->count == before && d->verb->failed == 0)
		printf("No resources found\n");
	return RC_OK;
}

static enum rc delete_words(struct deletion *d, const struct command_line *line, struct err *err)
{
	struct resource_targets t;
	const struct resource_options *o = &d->options->resources;
	TRY(resource_targets_parse(d->arena, &line->words, &t, err));
	for (size_t i = 0; i < t.count; i++) {
		const struct resource_target *target = &t.items[i];
		bool is_selected = o->label_selector || o->field_selector || o->is_all;
		if (target->name.len && is_selected)
			return err_set(err, RC_BAD_REQUEST,
				       "a name together with --selector or --all; leave out one of "
				       "them");
		if (!target->name.len && !is_selected)
			return err_set(err, RC_BAD_REQUEST,
				       "resource(s) were provided, but no name was specified; name "
				       "the objects, or use --selector or --all");
	}
	for (size_t i = 0; i < t.count; i++) {
		if (t.items[i].name.len)
			try_one(d, t.items[i].kind, d->client->namespace, t.items[i].name);
		else
			TRY(delete_selected(d, t.items[i].kind, err));
	}
	return RC_OK;
}

/* ---- by file ---- */

static enum rc delete_files(struct deletion *d, struct err *err)
{
	struct manifest m;
	struct str namespace;
	const struct api_client *c = d->client;
	TRY(resources_read_files(d->verb, &d->options->resources, false, &m, err));
	for (size_t i = 0; i < m.count; i++)
		TRY(manifest_namespace(&m.items[i], c->namespace, c->is_namespace_given, &namespace,
				       err));
	for (size_t i = 0; i < m.count; i++) {
		const struct manifest_object *o = &m.items[i];
		try_one(d, o->kind, o->namespace.len ? o->namespace : c->namespace, o->name);
	}
	return RC_OK;
}

/* ---- the verb ---- */

static enum rc check_options(struct deletion *d, const struct command_line *line, struct err *err)
{
	static const struct {
		const char *word, *policy;
	} cascades[] = {
		{"background", "Background"}, {"foreground", "Foreground"}, {"orphan", "Orphan"}};
	const struct delete_options *o = d->options;
	for (size_t i = 0; i < ARRAY_LEN(cascades); i++)
		if (strcmp(o->cascade, cascades[i].word) == 0)
			d->propagation = cascades[i].policy;
	if (!d->propagation)
		return option_refused("cascade", o->cascade, "background, foreground, orphan", err);
	TRY(option_duration("timeout", o->timeout, &d->timeout_ms, err));
	if (o->output && strcmp(o->output, "name") != 0)
		return option_refused("output", o->output, "name", err);
	TRY(dry_run_parse(o->dry_run, &d->dry_run, err));
	if (o->resources.files.count && line->words.count)
		return err_set(err, RC_BAD_REQUEST,
			       "'%s' together with -f; delete either files or names",
			       line->words.at[0]);
	return RC_OK;
}

static enum rc wait_all(struct deletion *d, struct err *err)
{
	for (size_t i = 0; i < d->count; i++)
		TRY(delete_wait(d->client, &d->done[i], d->timeout_ms, err));
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct deletion d = {
		.verb = v, .client = &v->client, .options = v->line->values, .arena = v->arena};
	const struct delete_options *o = d.options;
	bool has_files = o->resources.files.count || o->resources.kustomize;
	TRY(check_options(&d, v->line, err));
	if (o->is_forced)
		fprintf(stderr,
			"Warning: Immediate deletion does not wait for confirmation that the "
			"running resource has been terminated. The resource may continue to "
			"run on the cluster indefinitely.\n");
	TRY(has_files ? delete_files(&d, err) : delete_words(&d, v->line, err));
	return o->waits && !d.dry_run ? wait_all(&d, err) : RC_OK;
}

#define AT(member) offsetof(struct delete_options, member)
static const struct option options[] = {
	{"now", 0, OPTION_FLAG, AT(is_now), NULL, "with a grace period of one second"},
	{"grace-period", 0, OPTION_NUMBER, AT(grace_s), "SECONDS",
	 "time to end by itself (the object's own)"},
	{"force", 0, OPTION_FLAG, AT(is_forced), NULL,
	 "without a grace period; the containers may run on for a while"},
	{.name = "cascade",
	 .form = OPTION_TEXT,
	 .offset = AT(cascade),
	 .value = "HOW",
	 .help = "what it owns goes in the background, foreground, or not: orphan",
	 .bare = "background"},
	{"wait", 0, OPTION_FLAG, AT(waits), NULL, "until they are gone (true)"},
	{"ignore-not-found", 0, OPTION_FLAG, AT(ignores_missing), NULL,
	 "what is not there is no error"},
	{"timeout", 0, OPTION_TEXT, AT(timeout), "DURATION", "wait at most so long (0: for ever)"},
	{.name = "dry-run",
	 .form = OPTION_TEXT,
	 .offset = AT(dry_run),
	 .value = "none|client|server",
	 .help = "only show what would go",
	 .bare = "client"},
	{"output", 'o', OPTION_TEXT, AT(output), "name", "say it shortly: TYPE/NAME"},
	RESOURCE_FILE_OPTIONS(struct delete_options, resources),
	RESOURCE_SELECTOR_OPTIONS(struct delete_options, resources),
	CLIENT_OPTIONS(struct delete_options, client),
};

static const struct delete_options defaults = {
	.grace_s = GRACE_UNSET,
	.cascade = "background",
	.waits = true,
};

const struct command command_delete = {
	.name = "delete",
	.arguments = "TYPE NAME… | TYPE/NAME… | TYPE -l SELECTOR | -f FILE",
	.summary = "Delete objects and wait until they are gone",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct delete_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
