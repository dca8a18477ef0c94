/* skeg logs: what a container wrote. */
#include <stdio.h>

#include "base/duration.h"
#include "client/api_path.h"
#include "client/logs_pod.h"
#include "client/verb.h"
#include "client/verbs.h"

#define TAIL_ALL -1

struct logs_options {
	struct client_options client;
	const char *container, *since, *since_time;
	int64_t tail, limit_bytes;
	bool follows, is_previous, has_timestamps;
};

struct logs {
	struct api_client *client;
	const struct logs_options *options;
	struct arena *arena;
	struct resource_target target;
	struct str container;
	int64_t since_s;
};

/* POD | TYPE/NAME | TYPE NAME, or POD CONTAINER as kubectl has it. */
static enum rc parse_words(struct logs *l, const struct text_list *words, struct err *err)
{
	if (words->count == 0 || words->count > 2)
		return err_set(err, RC_BAD_REQUEST,
			       "name one pod or TYPE/NAME, for example deployment/web");
	l->container = str_of(l->options->container);
	if (words->count == 2 && l->container.len)
		return err_set(err, RC_BAD_REQUEST,
			       "only one of -c or an inline [CONTAINER] arg is allowed");
	if (words->count == 2)
		l->container = str_of(words->at[1]);
	return logs_target_parse(l->arena, words->at[0], &l->target, err);
}

static enum rc check(struct logs *l, const struct command_line *line, struct err *err)
{
	const struct logs_options *o = l->options;
	TRY(parse_words(l, &line->words, err));
	if (o->tail < TAIL_ALL)
		return err_set(err, RC_BAD_REQUEST,
			       "option '--tail': %lld is no number of lines; -1 is all of them",
			       (long long)o->tail);
	if (o->since && o->since_time)
		return err_set(err, RC_BAD_REQUEST,
			       "only one of --since and --since-time may be used");
	if (o->since && !duration_parse(str_of(o->since), &l->since_s))
		return err_set(err, RC_BAD_REQUEST,
			       "option '--since': '%s' is no duration; write it as 5s, 2m or 1h30m",
			       o->since);
	return RC_OK;
}

static void add_number(struct buf *url, const char *key, int64_t number)
{
	char text[24];
	snprintf(text, sizeof(text), "%lld", (long long)number);
	query_add(url, key, str_of(text));
}

static enum rc log_url(struct logs *l, struct str pod, struct buf *url, struct err *err)
{
	const struct logs_options *o = l->options;
	const struct {
		const char *key;
		bool is_on;
	} flags[] = {{"follow", o->follows},
		     {"previous", o->is_previous},
		     {"timestamps", o->has_timestamps}};
	buf_add_str(url, api_path(l->arena, resource_type_find(STR("pods")), l->client->namespace,
				  pod, "log"));
	query_add(url, "container", l->container);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		query_add(url, flags[i].key, flags[i].is_on ? STR("true") : STR(""));
	if (o->tail != TAIL_ALL)
		add_number(url, "tailLines", o->tail);
	if (o->since)
		add_number(url, "sinceSeconds", MAX(l->since_s, (int64_t)1));
	query_add(url, "sinceTime", str_of(o->since_time));
	if (o->limit_bytes > 0)
		add_number(url, "limitBytes", o->limit_bytes);
	return buf_check(url, "the request's URL", err);
}

static enum rc show(struct logs *l, struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	const struct json *pod;
	TRY(logs_pod_find(l->client, &l->target, &pod, err));
	l->container = logs_choose_container(l->arena, pod, l->container, false);
	TRY(log_url(l, json_path_str(pod, "metadata.name"), &url, err));
	const struct api_request request = {
		.path = buf_str(&url), .accept = "*/*", .is_endless = true};
	return api_client_print(l->client, &request, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	struct logs l = {.client = &v->client, .options = v->line->values, .arena = v->arena};
	TRY(check(&l, v->line, err));
	return show(&l, err);
}

#define AT(member) offsetof(struct logs_options, member)
static const struct option options[] = {
	CLIENT_OPTIONS(struct logs_options, client),
	{"container", 'c', OPTION_TEXT, AT(container), "NAME", "which one of the pod (the first)"},
	{"follow", 'f', OPTION_FLAG, AT(follows), NULL, "go on with what is written from now on"},
	{"previous", 'p', OPTION_FLAG, AT(is_previous), NULL,
	 "of the container before its last restart"},
	{"tail", 0, OPTION_NUMBER, AT(tail), "LINES", "only the last lines (-1: all)"},
	{"since", 0, OPTION_TEXT, AT(since), "DURATION", "only what is not older: 5s, 2m, 1h30m"},
	{"since-time", 0, OPTION_TEXT, AT(since_time), "TIME",
	 "only what is not older: 2026-01-31T12:00:00Z"},
	{"limit-bytes", 0, OPTION_NUMBER, AT(limit_bytes), "BYTES", "at most so much"},
	{"timestamps", 0, OPTION_FLAG, AT(has_timestamps), NULL, "each line with its time"},
};

static const struct logs_options defaults = {.tail = TAIL_ALL};

const struct command command_logs = {
	.name = "logs",
	.arguments = "POD | TYPE/NAME",
	.summary = "Print what a container wrote",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct logs_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
