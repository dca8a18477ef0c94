/* skeg exec, attach: talk to what runs in a container. */
#include <stdio.h>

#include "client/exec_session.h"
#include "client/logs_pod.h"
#include "client/verb.h"
#include "client/verbs.h"

struct exec_options {
	struct client_options client;
	const char *container;
	bool has_input, is_terminal, is_quiet;
};

/* Without a terminal of our own -t asks for nothing. */
static bool wants_terminal(const struct exec_options *o)
{
	if (!o->is_terminal || isatty(STDIN_FILENO))
		return o->is_terminal;
	if (!o->is_quiet)
		fprintf(stderr,
			"Unable to use a TTY - input is not a terminal or the right kind of "
			"file\n");
	return false;
}

static enum rc talk(struct verb *v, const char *subresource, const struct text_list *command,
		    struct err *err)
{
	const struct exec_options *o = v->line->values;
	struct str path;
	const struct json *pod;
	struct resource_target target;
	TRY(logs_target_parse(v->arena, v->line->words.at[0], &target, err));
	TRY(logs_pod_find(&v->client, &target, &pod, err));
	TRY(logs_pod_check(pod, subresource, err));
	struct str container =
		logs_choose_container(v->arena, pod, str_of(o->container), o->is_quiet);
	bool is_terminal = wants_terminal(o);
	const struct exec_request request = {
		.namespace = v->client.namespace,
		.pod = json_path_str(pod, "metadata.name"),
		.container = container,
		.subresource = subresource,
		.command = *command,
		.has_input = o->has_input,
		.is_terminal = is_terminal,
	};
	TRY(exec_path(v->arena, &request, &path, err));
	const struct exec_session session = {
		.client = &v->client,
		.path = path,
		.in_fd = o->has_input ? STDIN_FILENO : -1,
		.out_fd = STDOUT_FILENO,
		.err_fd = STDERR_FILENO,
		.is_terminal = is_terminal,
	};
	return exec_session_run(&session, &v->code, err);
}

static enum rc exec_body(struct verb *v, struct err *err)
{
	const struct command_line *line = v->line;
	size_t from = line->has_dash ? line->words_before_dash : 1;
	struct text_list command = verb_words(v, from);
	if (line->words.count == 0 || from == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "pod, type/name or --filename must be specified");
	if (command.count == 0)
		return err_set(err, RC_BAD_REQUEST,
			       "you must specify at least one command for the container");
	if (!line->has_dash || from > 1)
		return err_set(err, RC_BAD_REQUEST,
			       "exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- "
			       "[COMMAND] instead");
	TRY(talk(v, "exec", &command, err));
	if (v->code)
		fprintf(stderr, "command terminated with exit code %d\n", v->code);
	return RC_OK;
}

static enum rc attach_body(struct verb *v, struct err *err)
{
	const struct exec_options *o = v->line->values;
	if (v->line->words.count != 1)
		return err_set(err, RC_BAD_REQUEST,
			       "at least 1 argument is required for attach: POD or TYPE/NAME");
	if (!o->is_quiet)
		fprintf(stderr, "If you don't see a command prompt, try pressing enter.\n");
	return talk(v, "attach", &(struct text_list){}, err);
}

#define AT(member) offsetof(struct exec_options, member)
static const struct option options[] = {
	{"container", 'c', OPTION_TEXT, AT(container), "NAME", "which one of the pod (the first)"},
	{"stdin", 'i', OPTION_FLAG, AT(has_input), NULL, "pass standard input"},
	{"tty", 't', OPTION_FLAG, AT(is_terminal), NULL, "with a terminal"},
	{"quiet", 'q', OPTION_FLAG, AT(is_quiet), NULL, "only what the command writes"},
	CLIENT_OPTIONS(struct exec_options, client),
};

const struct command command_exec = {
	.name = "exec",
	.arguments = "POD | TYPE/NAME -- COMMAND…",
	.summary = "Run a command in a container",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct exec_options),
	VERB_RUN(exec_body),
};

const struct command command_attach = {
	.name = "attach",
	.arguments = "POD | TYPE/NAME",
	.summary = "Join the streams of a container's own process",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct exec_options),
	VERB_RUN(attach_body),
};
