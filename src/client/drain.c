/* skeg drain: a node without pods, by evictions that respect disruption budgets. */
#include <stdio.h>
#include <time.h>

#include "client/api_path.h"
#include "client/cordon.h"
#include "client/delete_wait.h"
#include "client/logs_pod.h"
#include "client/verb.h"
#include "client/verbs.h"
#include "io/loop.h"

#define RETRY_MS      5000
#define PROBLEM_BYTES 1024

struct drain_options {
	struct client_options client;
	struct resource_options resources;
	const char *dry_run, *timeout, *pod_selector;
	int64_t grace_s;
	bool ignores_daemon_sets, deletes_data, is_forced, skips_eviction;
};

struct drain {
	struct verb *verb;
	const struct drain_options *options;
	struct change change;
	int64_t until_ms;
};

/* ---- which pods ---- */

static bool has_local_data(const struct json *pod)
{
	const struct json *volumes = json_path(pod, "spec.volumes");
	for (size_t i = 0; i < json_count(volumes); i++)
		if (json_get(json_at(volumes, i), STR("emptyDir")))
			return true;
	return false;
}

enum fate { FATE_LEAVE, FATE_GO, FATE_DAEMON, FATE_DATA, FATE_ALONE };

static enum fate fate_of(const struct drain_options *o, const struct json *pod)
{
	const struct json *owner = json_controller(pod);
	bool is_over = logs_pod_has_ended(pod);
	if (json_get(json_path(pod, "metadata.annotations"), STR("kubernetes.io/config.mirror")))
		return FATE_LEAVE;
	if (str_is(json_path_str(owner, "kind"), "DaemonSet"))
		return FATE_DAEMON;
	if (!is_over && has_local_data(pod) && !o->deletes_data)
		return FATE_DATA;
	if (!is_over && !owner && !o->is_forced)
		return FATE_ALONE;
	return FATE_GO;
}

static void add_name(struct buf *out, const struct json *pod)
{
	buf_printf(out, "%s%.*s/%.*s", out->len ? ", " : "",
		   STR_FMT(json_path_str(pod, "metadata.namespace")),
		   STR_FMT(json_path_str(pod, "metadata.name")));
}

/* Takes out of the list what stays; says why the node can't be drained. */
static enum rc choose(struct drain *d, struct json *pods, struct err *err)
{
	static const struct {
		enum fate fate;
		const char *problem;
	} rows[] = {
		{FATE_DAEMON,
		 "cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)"},
		{FATE_DATA,
		 "cannot delete Pods with local storage (use --delete-emptydir-data to override)"},
		{FATE_ALONE,
		 "cannot delete Pods that declare no controller (use --force to override)"},
	};
	const struct drain_options *o = d->options;
	CLEANUP_BUF problems = BUF_INIT(PROBLEM_BYTES), ignored = BUF_INIT(1u << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_BUF names = BUF_INIT(1u << 20);
		bool is_ignored = rows[i].fate == FATE_DAEMON && o->ignores_daemon_sets;
		for (size_t k = 0; k < json_count(pods); k++)
			if (fate_of(o, json_at(pods, k)) == rows[i].fate)
				add_name(is_ignored ? &ignored : &names, json_at(pods, k));
		if (names.len)
			buf_printf(&problems, "%s%s: %.*s", problems.len ? ", " : "",
				   rows[i].problem, STR_FMT(buf_str(&names)));
	}
	if (problems.len || problems.is_full)
		return err_set(err, RC_BAD_REQUEST, "%s", problems.data);
	if (ignored.len)
		fprintf(stderr, "Warning: ignoring DaemonSet-managed Pods: %s\n", ignored.data);
	for (size_t k = json_count(pods); k > 0; k--)
		if (fate_of(o, json_at(pods, k - 1)) != FATE_GO)
			json_remove_at(pods, k - 1);
	return RC_OK;
}

static enum rc find_pods(struct drain *d, struct str node, struct json **ret_pods, struct err *err)
{
	struct arena *a = d->verb->arena;
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&url, api_path(a, resource_type_find(STR("pods")), (struct str){},
				   (struct str){}, NULL));
	query_add(&url, "fieldSelector", arena_printf(a, "spec.nodeName=%.*s", STR_FMT(node)));
	query_add(&url, "labelSelector", str_of(d->options->pod_selector));
	TRY(api_client_items(&d->verb->client, a, buf_str(&url), ret_pods, err));
	return choose(d, *ret_pods, err);
}

/* ---- away with them ---- */

static struct json *eviction(struct drain *d, const struct json *pod)
{
	struct arena *a = d->verb->arena;
	struct json *e = json_object(a), *metadata = json_object(a);
	json_set_str(a, e, STR("apiVersion"), STR("policy/v1"));
	json_set_str(a, e, STR("kind"), STR("Eviction"));
	json_set_str(a, metadata, STR("name"), json_path_str(pod, "metadata.name"));
	json_set_str(a, metadata, STR("namespace"), json_path_str(pod, "metadata.namespace"));
	json_set(a, e, STR("metadata"), metadata);
	if (d->options->grace_s >= 0)
		json_set(a, json_need_object(a, e, STR("deleteOptions")), STR("gracePeriodSeconds"),
			 json_int(a, d->options->grace_s));
	return e;
}

/* A budget that has nothing to give yet is asked again. */
static enum rc evict(struct drain *d, const struct json *pod, struct err *err)
{
	struct verb *v = d->verb;
	struct json *reply;
	struct str namespace = json_path_str(pod, "metadata.namespace");
	struct str name = json_path_str(pod, "metadata.name");
	bool is_plain = d->options->skips_eviction;
	struct str path = api_path(v->arena, resource_type_find(STR("pods")), namespace, name,
				   is_plain ? NULL : "eviction");
	printf("%s pod %.*s/%.*s\n", is_plain ? "deleting" : "evicting", STR_FMT(namespace),
	       STR_FMT(name));
	fflush(stdout);
	for (;;) {
		enum rc rc = api_client_send(&v->client, v->arena, is_plain ? "DELETE" : "POST",
					     path, NULL, is_plain ? NULL : eviction(d, pod), &reply,
					     err);
		if (rc == RC_NOT_FOUND)
			return RC_OK;
		if (rc != RC_TOO_MANY_REQUESTS || (d->until_ms && world_mono_ms() >= d->until_ms))
			return rc;
		fprintf(stderr,
			"error when evicting pods/\"%.*s\" -n \"%.*s\" (will retry after "
			"5s): %s\n",
			STR_FMT(name), STR_FMT(namespace), err->text);
		world_sleep_ms(RETRY_MS);
	}
}

static enum rc wait_gone(struct drain *d, const struct json *pod, struct err *err)
{
	const struct deleted_object gone = {
		.kind = resource_type_find(STR("pods")),
		.namespace = json_path_str(pod, "metadata.namespace"),
		.name = json_path_str(pod, "metadata.name"),
		.uid = json_path_str(pod, "metadata.uid"),
	};
	int64_t left_ms = d->until_ms ? MAX(d->until_ms - world_mono_ms(), (int64_t)1) : 0;
	TRY(delete_wait(&d->verb->client, &gone, left_ms, err));
	printf("pod/%.*s %s\n", STR_FMT(gone.name),
	       d->options->skips_eviction ? "deleted" : "evicted");
	fflush(stdout);
	return RC_OK;
}

static enum rc drain_node(struct drain *d, struct resource *r, struct err *err)
{
	struct json *pods;
	TRY(find_pods(d, r->name, &pods, err));
	if (d->change.dry_run != DRY_RUN_NONE) {
		for (size_t i = 0; i < json_count(pods); i++)
			printf("evicting pod %.*s/%.*s%s\n",
			       STR_FMT(json_path_str(json_at(pods, i), "metadata.namespace")),
			       STR_FMT(json_path_str(json_at(pods, i), "metadata.name")),
			       dry_run_suffix(d->change.dry_run));
		return change_tell(&d->change, r->kind, r->tree, "drained", err);
	}
	for (size_t i = 0; i < json_count(pods); i++)
		TRY(evict(d, json_at(pods, i), err));
	for (size_t i = 0; i < json_count(pods); i++)
		TRY(wait_gone(d, json_at(pods, i), err));
	return change_tell(&d->change, r->kind, r->tree, "drained", err);
}

static enum rc drain_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct drain *d = ctx;
	TRY(cordon_set(&d->change, r, true, err));
	if (drain_node(d, r, err) == RC_OK)
		return RC_OK;
	struct err cause = *err;
	return err_set(err, cause.rc, "unable to drain node \"%.*s\" due to error: %s",
		       STR_FMT(r->name), cause.text);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct drain d = {.verb = v, .options = v->line->values};
	struct resources r;
	int64_t timeout_ms;
	const struct change_options change = {.dry_run = d.options->dry_run};
	const struct resource_query q = {.options = &d.options->resources,
					 .words = verb_words(v, 0),
					 .default_type = "nodes"};
	TRY(option_duration("timeout", d.options->timeout, &timeout_ms, err));
	d.until_ms = timeout_ms ? world_mono_ms() + timeout_ms : 0;
	TRY(change_open(&v->client, &change, NULL, &d.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, drain_one, &d);
	return RC_OK;
}

#define AT(member) offsetof(struct drain_options, member)
static const struct option options[] = {
	{"ignore-daemonsets", 0, OPTION_FLAG, AT(ignores_daemon_sets), NULL,
	 "leave the pods of DaemonSets"},
	{"delete-emptydir-data", 0, OPTION_FLAG, AT(deletes_data), NULL,
	 "also pods whose emptyDir data is lost"},
	{"force", 0, OPTION_FLAG, AT(is_forced), NULL, "also pods that nothing would make again"},
	{"disable-eviction", 0, OPTION_FLAG, AT(skips_eviction), NULL,
	 "delete, without asking disruption budgets"},
	{"grace-period", 0, OPTION_NUMBER, AT(grace_s), "SECONDS",
	 "time for pods to end by themselves (their own)"},
	{"timeout", 0, OPTION_TEXT, AT(timeout), "DURATION", "give up after so long (0: never)"},
	{"pod-selector", 0, OPTION_TEXT, AT(pod_selector), "SELECTOR", "only pods of these labels"},
	{.name = "dry-run",
	 .form = OPTION_TEXT,
	 .offset = AT(dry_run),
	 .value = "none|client|server",
	 .help = "only show what would be done",
	 .bare = "client"},
	RESOURCE_SELECTOR_OPTIONS(struct drain_options, resources),
	CLIENT_OPTIONS(struct drain_options, client),
};

static const struct drain_options defaults = {.grace_s = -1};

const struct command command_drain = {
	.name = "drain",
	.arguments = "NODE…",
	.summary = "Move all pods away from a node",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct drain_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
