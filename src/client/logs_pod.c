#include "client/logs_pod.h"

#include <stdio.h>

#include "client/api_path.h"

#define SELECTOR_BYTES_MAX (64u << 10)
#define DEFAULT_CONTAINER  "kubectl.kubernetes.io/default-container"
#define SCORE_READY	   2
#define SCORE_RUNNING	   1

/* ---- the labels ---- */

static void add_comma(struct buf *out)
{
	if (out->len)
		buf_add_char(out, ',');
}

static void add_labels(struct buf *out, const struct json *labels)
{
	for (size_t i = 0; labels && labels->type == JSON_OBJECT && i < json_count(labels); i++) {
		add_comma(out);
		buf_printf(out, "%.*s=%.*s", STR_FMT(labels->object.members[i].key),
			   STR_FMT(json_str(labels->object.members[i].value)));
	}
}

static void add_expression(struct buf *out, const struct json *e)
{
	static const struct {
		const char *operator, * before, *between;
	} forms[] = {{"In", "", " in "},
		     {"NotIn", "", " notin "},
		     {"Exists", "", ""},
		     {"DoesNotExist", "!", ""}};
	const struct json *values = json_get(e, STR("values"));
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (!str_is(json_path_str(e, "operator"), forms[i].operator))
			continue;
		add_comma(out);
		buf_printf(out, "%s%.*s%s", forms[i].before, STR_FMT(json_path_str(e, "key")),
			   forms[i].between);
		for (size_t k = 0; *forms[i].between && k < json_count(values); k++)
			buf_printf(out, "%c%.*s", k ? ',' : '(',
				   STR_FMT(json_str(json_at(values, k))));
		if (*forms[i].between)
			buf_add_char(out, ')');
	}
}

enum rc logs_selector(struct arena *a, const struct json *workload, struct str *ret_selector,
		      struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(SELECTOR_BYTES_MAX);
	const struct json *selector = json_path(workload, "spec.selector");
	const struct json *labels = json_get(selector, STR("matchLabels"));
	const struct json *expressions = json_get(selector, STR("matchExpressions"));
	bool is_plain = !labels && !expressions; /* Service, ReplicationController */
	add_labels(&text, is_plain ? selector : labels);
	for (size_t i = 0; i < json_count(expressions); i++)
		add_expression(&text, json_at(expressions, i));
	TRY(buf_check(&text, "the selector", err));
	if (text.len == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "%.*s \"%.*s\" selects no pods; name a pod, or a Deployment, "
			       "StatefulSet, DaemonSet, ReplicaSet, Job or Service",
			       STR_FMT(json_path_str(workload, "kind")),
			       STR_FMT(json_path_str(workload, "metadata.name")));
	*ret_selector = arena_str(a, buf_str(&text));
	return RC_OK;
}

/* ---- pods and containers ---- */

static int score(const struct json *pod)
{
	const struct json *conditions = json_path(pod, "status.conditions");
	for (size_t i = 0; i < json_count(conditions); i++)
		if (str_is(json_path_str(json_at(conditions, i), "type"), "Ready") &&
		    str_is(json_path_str(json_at(conditions, i), "status"), "True"))
			return SCORE_READY;
	return str_is(json_path_str(pod, "status.phase"), "Running") ? SCORE_RUNNING : 0;
}

const struct json *logs_best_pod(const struct json *pods)
{
	const struct json *best = NULL;
	for (size_t i = 0; i < json_count(pods); i++) {
		const struct json *pod = json_at(pods, i);
		int difference = best ? score(pod) - score(best) : 1;
		bool is_older = best &&
				str_cmp(json_path_str(pod, "metadata.creationTimestamp"),
					json_path_str(best, "metadata.creationTimestamp")) < 0;
		if (difference > 0 || (difference == 0 && is_older))
			best = pod;
	}
	return best;
}

struct str logs_default_container(const struct json *pod, bool *ret_is_guess)
{
	const struct json *containers = json_path(pod, "spec.containers");
	const struct json *annotations = json_path(pod, "metadata.annotations");
	struct str wanted = json_str(json_get(annotations, STR(DEFAULT_CONTAINER)));
	*ret_is_guess = false;
	for (size_t i = 0; wanted.len && i < json_count(containers); i++)
		if (str_eq(json_path_str(json_at(containers, i), "name"), wanted))
			return wanted;
	*ret_is_guess = json_count(containers) + json_count(json_path(pod, "spec.initContainers")) >
			1;
	return json_path_str(json_at(containers, 0), "name");
}

struct str logs_container_names(struct arena *a, const struct json *pod)
{
	static const struct {
		const char *path, *mark;
	} lists[] = {{"spec.containers", ""},
		     {"spec.ephemeralContainers", " (ephem)"},
		     {"spec.initContainers", " (init)"}};
	CLEANUP_BUF text = BUF_INIT(SELECTOR_BYTES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct json *list = json_path(pod, lists[i].path);
		for (size_t k = 0; k < json_count(list); k++)
			buf_printf(&text, "%s%.*s%s", text.len ? ", " : "",
				   STR_FMT(json_path_str(json_at(list, k), "name")), lists[i].mark);
	}
	return arena_str(a, buf_str(&text));
}

struct str logs_choose_container(struct arena *a, const struct json *pod, struct str given,
				 bool is_quiet)
{
	bool is_guess;
	struct str chosen = logs_default_container(pod, &is_guess);
	if (given.len)
		return given;
	if (is_guess && !is_quiet)
		fprintf(stderr, "Defaulted container \"%.*s\" out of: %.*s\n", STR_FMT(chosen),
			STR_FMT(logs_container_names(a, pod)));
	return chosen;
}

bool logs_pod_has_ended(const struct json *pod)
{
	struct str phase = json_path_str(pod, "status.phase");
	return str_is(phase, "Succeeded") || str_is(phase, "Failed");
}

enum rc logs_pod_check(const struct json *pod, const char *what, struct err *err)
{
	if (!logs_pod_has_ended(pod))
		return RC_OK;
	return err_set(err, RC_BAD_REQUEST,
		       "cannot %s a container in a completed pod; current phase is %.*s", what,
		       STR_FMT(json_path_str(pod, "status.phase")));
}

/* ---- asking ---- */

static enum rc find_by_labels(struct api_client *c, const struct resource_target *t,
			      const struct json *workload, const struct json **ret_pod,
			      struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	struct str selector;
	struct json *list;
	const struct api_kind *pods = resource_type_find(STR("pods"));
	ASSERT(pods);
	TRY(logs_selector(c->arena, workload, &selector, err));
	buf_add_str(&url, api_path(c->arena, pods, c->namespace, (struct str){}, NULL));
	query_add(&url, "labelSelector", selector);
	TRY(api_client_get(c, c->arena, buf_str(&url), &list, err));
	const struct json *items = json_get(list, STR("items"));
	const struct json *best = logs_best_pod(items);
	if (!best)
		return err_set(err, RC_NOT_FOUND,
			       "%.*s/%.*s has no pods now; 'skeg get pods -n %.*s' and 'skeg get "
			       "events -n %.*s' tell more",
			       STR_FMT(resource_type_label(c->arena, t->kind)), STR_FMT(t->name),
			       STR_FMT(c->namespace), STR_FMT(c->namespace));
	if (json_count(items) > 1)
		fprintf(stderr, "Found %zu pods, using pod/%.*s\n", json_count(items),
			STR_FMT(json_path_str(best, "metadata.name")));
	*ret_pod = best;
	return RC_OK;
}

enum rc logs_target_parse(struct arena *a, const char *word, struct resource_target *ret_target,
			  struct err *err)
{
	struct resource_targets targets;
	const struct text_list one = {.at = &word, .count = 1};
	*ret_target = (struct resource_target){resource_type_find(STR("pods")), str_of(word)};
	if (!strchr(word, '/'))
		return RC_OK;
	TRY(resource_targets_parse(a, &one, &targets, err));
	*ret_target = targets.items[0];
	return RC_OK;
}

enum rc logs_pod_find(struct api_client *c, const struct resource_target *t,
		      const struct json **ret_pod, struct err *err)
{
	struct json *tree;
	struct str path = api_path(c->arena, t->kind, c->namespace, t->name, NULL);
	TRY(api_client_get(c, c->arena, path, &tree, err));
	if (str_is(t->kind->plural, "pods")) {
		*ret_pod = tree;
		return RC_OK;
	}
	return find_by_labels(c, t, tree, ret_pod, err);
}
