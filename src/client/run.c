/* skeg run: one pod of an image, perhaps joined at once and removed at its end. */
#include <stdio.h>

#include "api/strategic.h"
#include "client/api_path.h"
#include "client/change.h"
#include "client/create.h"
#include "client/delete_wait.h"
#include "client/exec_session.h"
#include "client/logs_pod.h"
#include "client/object_watch.h"
#include "client/resource_types.h"
#include "client/verb.h"
#include "client/verbs.h"

struct run_options {
	struct client_options client;
	struct change_options change;
	struct text_list env, annotations, labels;
	const char *image, *image_pull_policy, *port, *restart, *overrides, *timeout;
	bool is_command, has_input, is_terminal, attaches, removes, exposes, is_privileged,
		is_quiet;
};

struct run {
	struct verb *verb;
	const struct run_options *options;
	struct arena *arena;
	const struct api_kind *kind;
	struct change change;
	struct str name, namespace;
	int64_t start_timeout_ms;
};

/* ---- the pod ---- */

/* "a=b,c=d" of every text of the list. */
static enum rc add_pairs(struct arena *a, struct json *object, const struct text_list *texts,
			 const char *option, struct err *err)
{
	const struct json *pairs = create_texts(a, texts);
	for (size_t i = 0; i < json_count(pairs); i++) {
		struct str key, value;
		if (!str_cut(json_str(json_at(pairs, i)), '=', &key, &value) || !key.len)
			return err_set(err, RC_BAD_REQUEST,
				       "option '--%s': '%.*s' is not KEY=VALUE", option,
				       STR_FMT(json_str(json_at(pairs, i))));
		json_set_str(a, object, key, value.at ? value : STR(""));
	}
	return RC_OK;
}

static enum rc add_env(struct run *r, struct json *container, struct err *err)
{
	const struct text_list *list = &r->options->env;
	struct json *env = json_array(r->arena);
	for (size_t i = 0; i < list->count; i++) {
		struct str name, value;
		if (!str_cut(str_of(list->at[i]), '=', &name, &value) || !name.len)
			return err_set(err, RC_BAD_REQUEST, "invalid env: %s", list->at[i]);
		json_append(r->arena, env, create_variable(r->arena, name, value));
	}
	if (list->count)
		json_set(r->arena, container, STR("env"), env);
	return RC_OK;
}

static void add_words(struct run *r, struct json *container)
{
	struct text_list words = verb_words(r->verb, 1);
	if (words.count)
		json_set(r->arena, container, r->options->is_command ? STR("command") : STR("args"),
			 create_words(r->arena, &words));
}

static enum rc add_port(struct run *r, struct json *container, struct err *err)
{
	int64_t number;
	struct json *port = json_object(r->arena), *ports = json_array(r->arena);
	if (!r->options->port)
		return RC_OK;
	if (!str_to_i64(str_of(r->options->port), &number) || number < 1 || number > 65535)
		return err_set(err, RC_BAD_REQUEST, "option '--port': '%s' is no port",
			       r->options->port);
	json_set(r->arena, port, STR("containerPort"), json_int(r->arena, number));
	json_append(r->arena, ports, port);
	json_set(r->arena, container, STR("ports"), ports);
	return RC_OK;
}

static void add_flag(struct run *r, struct json *object, const char *key, bool is_set)
{
	if (is_set)
		json_set(r->arena, object, str_of(key), json_bool(r->arena, true));
}

static enum rc add_container(struct run *r, struct json *spec, struct err *err)
{
	struct arena *a = r->arena;
	const struct run_options *o = r->options;
	struct json *container = json_object(a), *list = json_array(a);
	json_set_str(a, container, STR("name"), r->name);
	create_set(a, container, "image", o->image);
	create_set(a, container, "imagePullPolicy", o->image_pull_policy);
	add_words(r, container);
	TRY(add_env(r, container, err));
	TRY(add_port(r, container, err));
	add_flag(r, container, "stdin", o->has_input);
	add_flag(r, container, "stdinOnce", o->has_input && o->attaches);
	add_flag(r, container, "tty", o->is_terminal);
	if (o->is_privileged)
		add_flag(r, create_at(a, container, "securityContext"), "privileged", true);
	json_set(a, container, STR("resources"), json_object(a));
	json_append(a, list, container);
	json_set(a, spec, STR("containers"), list);
	return RC_OK;
}

static enum rc override(struct run *r, struct json **tree, struct err *err)
{
	struct json *patch;
	struct field_errors errors = {};
	if (!r->options->overrides)
		return RC_OK;
	if (json_parse(r->arena, str_of(r->options->overrides), &patch, NULL, err) != RC_OK)
		return err_wrap(err, "option '--overrides'");
	return strategic_merge(r->arena, api_type(api_builtin(), r->kind->type), *tree, patch, tree,
			       &errors, err);
}

static enum rc build(struct run *r, struct json **ret_tree, struct err *err)
{
	struct arena *a = r->arena;
	const struct run_options *o = r->options;
	struct json *t = json_object(a), *labels = json_object(a);
	create_set(a, t, "apiVersion", "v1");
	create_set(a, t, "kind", "Pod");
	json_set_str(a, create_at(a, t, "metadata"), STR("name"), r->name);
	if (o->labels.count)
		TRY(add_pairs(a, labels, &o->labels, "labels", err));
	else
		json_set_str(a, labels, STR("run"), r->name);
	json_set(a, create_at(a, t, "metadata"), STR("labels"), labels);
	if (o->annotations.count)
		TRY(add_pairs(a, create_at(a, t, "metadata.annotations"), &o->annotations,
			      "annotations", err));
	TRY(add_container(r, create_at(a, t, "spec"), err));
	create_set(a, t, "spec.restartPolicy", o->restart);
	create_set(a, t, "spec.dnsPolicy", "ClusterFirst");
	*ret_tree = t;
	return override(r, ret_tree, err);
}

/* ---- --expose ---- */

static enum rc expose(struct run *r, const struct json *pod, struct err *err)
{
	struct arena *a = r->arena;
	struct json *t = json_object(a), *port = json_object(a), *ports = json_array(a), *after;
	const struct api_kind *services = resource_type_find(STR("services"));
	create_set(a, t, "apiVersion", "v1");
	create_set(a, t, "kind", "Service");
	json_set_str(a, create_at(a, t, "metadata"), STR("name"), r->name);
	json_set(a, create_at(a, t, "spec"), STR("selector"),
		 json_clone(a, json_path(pod, "metadata.labels")));
	create_number_or_text(a, port, STR("port"), str_of(r->options->port));
	create_set(a, port, "protocol", "TCP");
	create_number_or_text(a, port, STR("targetPort"), str_of(r->options->port));
	json_append(a, ports, port);
	json_set(a, create_at(a, t, "spec"), STR("ports"), ports);
	TRY(change_create(&r->change, services, r->namespace, t, &after, err));
	return change_tell(&r->change, services, after, "created", err);
}

/* ---- joining it ---- */

static enum rc look_for_start(const struct json *pod, void *ctx, bool *ret_is_done, struct err *err)
{
	bool *is_running = ctx;
	const struct json *state = json_at(json_path(pod, "status.containerStatuses"), 0);
	if (!pod)
		return err_set(err, RC_NOT_FOUND, "the pod was deleted");
	*is_running = json_path(state, "state.running") != NULL;
	*ret_is_done = *is_running || logs_pod_has_ended(pod);
	return RC_OK;
}

static enum rc look_for_end(const struct json *pod, void *ctx, bool *ret_is_done, struct err *err)
{
	int64_t *code = ctx;
	const struct json *state = json_at(json_path(pod, "status.containerStatuses"), 0);
	if (!pod)
		return err_set(err, RC_NOT_FOUND, "the pod was deleted");
	*ret_is_done = logs_pod_has_ended(pod);
	*code = json_i64(json_path(state, "state.terminated.exitCode"));
	return RC_OK;
}

static enum rc print_logs(struct run *r, struct err *err)
{
	const struct api_request request = {
		.path = api_path(r->arena, r->kind, r->namespace, r->name, "log"),
		.is_endless = true};
	return api_client_print(&r->verb->client, &request, err);
}

static enum rc attach(struct run *r, struct err *err)
{
	const struct run_options *o = r->options;
	bool is_terminal = o->is_terminal && isatty(STDIN_FILENO);
	struct exec_session session = {
		.client = &r->verb->client,
		.in_fd = o->has_input ? STDIN_FILENO : -1,
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.is_terminal = is_terminal,
	};
	const struct exec_request request = {
		.namespace = r->namespace,
		.pod = r->name,
		.container = r->name,
		.subresource = "attach",
		.has_input = o->has_input,
		.is_terminal = o->is_terminal,
	};
	if (!o->is_quiet)
		fprintf(stderr, "If you don't see a command prompt, try pressing enter.\n");
	TRY(exec_path(r->arena, &request, &session.path, err));
	return exec_session_run(&session, &r->verb->code, err);
}

/* Joins a pod that runs, shows what one has said that has ended already; then its exit code is
 * ours. */
static enum rc join(struct run *r, struct err *err)
{
	bool is_running = false;
	int64_t code = 0;
	struct object_watch watch = {.kind = r->kind,
				     .namespace = r->namespace,
				     .name = r->name,
				     .timeout_ms = r->start_timeout_ms,
				     .look = look_for_start,
				     .ctx = &is_running};
	TRY(object_watch(&r->verb->client, &watch, err));
	TRY(is_running ? attach(r, err) : print_logs(r, err));
	if (strcmp(r->options->restart, "Always") == 0)
		return RC_OK;
	watch.timeout_ms = 0;
	watch.look = look_for_end;
	watch.ctx = &code;
	TRY(object_watch(&r->verb->client, &watch, err));
	if (code)
		fprintf(stderr, "pod %.*s/%.*s terminated (Error)\n", STR_FMT(r->namespace),
			STR_FMT(r->name));
	r->verb->code = (int)code;
	return RC_OK;
}

static enum rc remove_pod(struct run *r, struct err *err)
{
	struct deleted_object gone;
	TRY(delete_object(&r->verb->client, r->kind, r->namespace, r->name, &gone, err));
	if (!r->options->is_quiet)
		printf("pod \"%.*s\" deleted\n", STR_FMT(r->name));
	return delete_wait(&r->verb->client, &gone, 0, err);
}

/* ---- the verb ---- */

static enum rc check(struct run *r, struct err *err)
{
	const struct run_options *o = r->options;
	static const char *const policies[] = {"Always", "OnFailure", "Never"};
	bool is_policy = false;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++)
		is_policy |= strcmp(o->restart, policies[i]) == 0;
	if (r->verb->line->words.count == 0)
		return err_set(err, RC_BAD_REQUEST, "NAME is required for run");
	if (!o->image || !*o->image)
		return err_set(err, RC_BAD_REQUEST, "required flag(s) \"image\" not set");
	if (!is_policy)
		return err_set(err, RC_BAD_REQUEST, "invalid restart policy: %s", o->restart);
	if (o->exposes && !o->port)
		return err_set(err, RC_BAD_REQUEST, "--port must be set when exposing a service");
	if (o->is_terminal && !o->has_input)
		return err_set(err, RC_BAD_REQUEST,
			       "-i/--stdin is required for containers with -t/--tty=true");
	if (o->removes && !o->attaches && !o->has_input)
		return err_set(err, RC_BAD_REQUEST,
			       "--rm should only be used for attached containers");
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct run_options *o = v->line->values;
	struct run r = {.verb = v,
			.options = o,
			.arena = v->arena,
			.kind = resource_type_find(STR("pods")),
			.namespace = v->client.namespace};
	struct json *pod, *after;
	TRY(check(&r, err));
	r.name = str_of(v->line->words.at[0]);
	o->attaches |= o->has_input;
	TRY(option_duration("pod-running-timeout", o->timeout, &r.start_timeout_ms, err));
	TRY(change_open(&v->client, &o->change, "kubectl-run", &r.change, err));
	TRY(build(&r, &pod, err));
	if (o->exposes)
		TRY(expose(&r, pod, err));
	TRY(change_create(&r.change, r.kind, r.namespace, pod, &after, err));
	if (!o->attaches || r.change.dry_run != DRY_RUN_NONE)
		return change_tell(&r.change, r.kind, after, "created", err);
	enum rc rc = join(&r, err);
	if (!o->removes)
		return rc;
	struct err second;
	fflush(stdout);
	if (remove_pod(&r, &second) != RC_OK)
		verb_note(v, &second);
	return rc;
}

#define AT(member) offsetof(struct run_options, member)
static const struct option options[] = {
	{"image", 0, OPTION_TEXT, AT(image), "IMAGE", "what it runs"},
	{"command", 0, OPTION_FLAG, AT(is_command), NULL,
	 "the words are the command, not arguments of the image's"},
	{"env", 0, OPTION_LIST, AT(env), "NAME=VALUE", "an environment variable"},
	{"labels", 'l', OPTION_LIST, AT(labels), "KEY=VALUE,…", "its labels (run=NAME)"},
	{"annotations", 0, OPTION_LIST, AT(annotations), "KEY=VALUE", "an annotation"},
	{"port", 0, OPTION_TEXT, AT(port), "PORT", "on which it listens"},
	{"expose", 0, OPTION_FLAG, AT(exposes), NULL, "make a Service for that port too"},
	{"restart", 0, OPTION_TEXT, AT(restart), "Always|OnFailure|Never",
	 "when its end means another start (Always)"},
	{"image-pull-policy", 0, OPTION_TEXT, AT(image_pull_policy), "Always|IfNotPresent|Never",
	 "when the image is fetched"},
	{"privileged", 0, OPTION_FLAG, AT(is_privileged), NULL, "with all rights on its node"},
	{"overrides", 0, OPTION_TEXT, AT(overrides), "JSON", "merged over the pod that is made"},
	{"stdin", 'i', OPTION_FLAG, AT(has_input), NULL, "pass standard input"},
	{"tty", 't', OPTION_FLAG, AT(is_terminal), NULL, "with a terminal"},
	{"attach", 0, OPTION_FLAG, AT(attaches), NULL, "show what it says until it ends"},
	{"rm", 0, OPTION_FLAG, AT(removes), NULL, "delete it at the end"},
	{"quiet", 'q', OPTION_FLAG, AT(is_quiet), NULL, "only what the container writes"},
	{"pod-running-timeout", 0, OPTION_TEXT, AT(timeout), "5m",
	 "how long to wait for its start"},
	CHANGE_OPTIONS(struct run_options, change),
	CLIENT_OPTIONS(struct run_options, client),
};

static const struct run_options defaults = {.restart = "Always", .timeout = "1m"};

const struct command command_run = {
	.name = "run",
	.arguments = "NAME --image=IMAGE [-- ARGUMENT…]",
	.summary = "Run one pod of an image",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct run_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
