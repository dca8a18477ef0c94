/* skeg status: what runs here. */
#include <stdio.h>

#include "cli/cluster_files.h"
#include "cli/cluster_processes.h"
#include "cli/verbs.h"
#include "client/api_client.h"
#include "client/api_path.h"
#include "client/kubeconfig.h"
#include "client/resource_types.h"

#define STATUS_TIMEOUT_MS 5000

struct status_options {
	const char *data_dir;
};

struct status {
	struct arena *arena;
	const char *data;
	struct api_client client;
};

static void row(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void row(const char *name, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	printf("%-15s", name);
	vprintf(fmt, ap);
	printf("\n");
	va_end(ap);
}

static enum rc ask(struct status *s, const char *path, struct api_reply *ret_reply, struct err *err)
{
	const struct api_request request = {
		.path = str_of(path), .accept = "*/*", .timeout_ms = STATUS_TIMEOUT_MS};
	return api_client_call(&s->client, s->arena, &request, ret_reply, err);
}

/* ---- counting ---- */

struct tally {
	bool (*counts)(const struct json *object);
	size_t counted, total;
};

static enum rc count_items(struct json *list, void *ctx, struct err *err)
{
	struct tally *t = ctx;
	const struct json *items = json_get(list, STR("items"));
	t->total += json_count(items);
	for (size_t i = 0; i < json_count(items); i++)
		t->counted += t->counts(json_at(items, i));
	return RC_OK;
}

static bool is_node_ready(const struct json *node)
{
	const struct json *conditions = json_path(node, "status.conditions");
	for (size_t i = 0; i < json_count(conditions); i++)
		if (str_is(json_path_str(json_at(conditions, i), "type"), "Ready"))
			return str_is(json_path_str(json_at(conditions, i), "status"), "True");
	return false;
}

static bool is_pod_running(const struct json *pod)
{
	return str_is(json_path_str(pod, "status.phase"), "Running");
}

static enum rc show_count(struct status *s, const char *type, const char *word,
			  bool (*counts)(const struct json *), struct err *err)
{
	struct tally t = {.counts = counts};
	struct str url = api_path(s->arena, resource_type_find(str_of(type)), (struct str){},
				  (struct str){}, NULL);
	TRY(api_client_list(&s->client, s->arena, url, NULL, count_items, &t, err));
	row(type, "%zu/%zu %s", t.counted, t.total, word);
	return RC_OK;
}

/* ---- rows ---- */

static enum rc show_control(struct status *s, struct err *err)
{
	struct api_reply version, ready;
	const struct client_options options = {
		.kubeconfig = cluster_path(s->arena, s->data, "server/admin.kubeconfig")};
	TRY(api_client_open(s->arena, &options, &s->client, err));
	TRY(ask(s, "/version", &version, err));
	TRY(ask(s, "/readyz", &ready, err));
	row("control plane", "ready at %.*s, version %.*s", STR_FMT(s->client.server),
	    STR_FMT(json_path_str(version.tree, "gitVersion")));
	TRY(show_count(s, "nodes", "ready", is_node_ready, err));
	return show_count(s, "pods", "running", is_pod_running, err);
}

static void show_kubeconfig(struct status *s)
{
	struct kubeconfig_target target;
	struct err err;
	const char *path = kubeconfig_default_path(s->arena);
	bool has_context = kubeconfig_load(s->arena, path, KUBECONFIG_NAME, &target, &err) == RC_OK;
	if (has_context && str_eq(target.server, s->client.server))
		row("kubeconfig", "%s, context " KUBECONFIG_NAME, path);
	else
		row("kubeconfig", "%s/server/admin.kubeconfig ('skeg kubeconfig' prints it)",
		    s->data);
}

static int nothing_runs(struct status *s)
{
	pid_t left[CLUSTER_PROCESSES_MAX];
	size_t count = cluster_processes(s->data, left);
	printf("No cluster runs from %s; start one with 'skeg up'.\n", s->data);
	if (count)
		printf("%zu process%s of it outlived the supervisor (the first is %d); 'skeg "
		       "reset' ends them.\n",
		       count, count == 1 ? "" : "es", left[0]);
	return EXIT_FAILED;
}

static int run(struct command_line *line)
{
	struct status_options *o = line->values;
	struct err err;
	struct status s = {.arena = &line->arena, .data = cluster_data(&line->arena, o->data_dir)};
	pid_t pid = cluster_supervisor(s.data);
	if (!pid)
		return nothing_runs(&s);
	row("supervisor", "process %d", pid);
	enum rc rc = show_control(&s, &err);
	if (rc != RC_OK)
		row("control plane", "not ready: %s", err.text);
	row("data", "%s", s.data);
	if (rc == RC_OK)
		show_kubeconfig(&s);
	api_client_close(&s.client);
	return rc == RC_OK ? EXIT_OK : EXIT_FAILED;
}

static const struct option options[] = {
	{"data-dir", 0, OPTION_TEXT, offsetof(struct status_options, data_dir), "DIR",
	 "of the cluster (/var/lib/skeg)"},
};

const struct command command_status = {
	.name = "status",
	.summary = "Show what runs on this machine; exit code 1 when nothing does",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct status_options),
	.run = run,
};
