#include "cli/complete.h"

#include <stdio.h>

#include "cli/verbs.h"
#include "client/api_path.h"
#include "client/kubeconfig_set.h"
#include "client/resource_types.h"
#include "client/verb.h"

#define NAMES_ACCEPT "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
#define TOKENS_MAX   16

struct completion {
	struct arena *arena;
	struct candidates *out;
	const struct command *command;
	struct command_line line;   /* of the words before the current one */
	struct str current, before; /* before: what stays in front of each candidate: "pod/" */
	bool was_cut;		    /* at '=', by the shell: nothing stays in front of it */
};

static void offer(struct completion *c, struct str word, const char *help)
{
	struct candidates *out = c->out;
	if (!str_has_prefix(word, c->current))
		return;
	out->at = arena_grow(c->arena, out->at, out->count, &out->cap, sizeof(*out->at));
	out->at[out->count++] = (struct candidate){
		arena_printf(c->arena, "%.*s%.*s", STR_FMT(c->before), STR_FMT(word)), help};
}

/* What follows is completed behind a part that stays: "--namespace=", "pod/". */
static void keep(struct completion *c, size_t len)
{
	c->before = arena_printf(c->arena, "%.*s%.*s", STR_FMT(c->before),
				 STR_FMT(str_n(c->current.at, len)));
	c->current = str_skip(c->current, len);
}

/* ---- verbs ---- */

static void offer_verbs(struct completion *c)
{
	struct str last = {};
	for (size_t i = 0; i < command_count; i++) {
		struct str head, tail;
		str_cut(str_of(commands[i]->name), ' ', &head, &tail);
		if (!commands[i]->is_internal && !str_eq(head, last))
			offer(c, head, commands[i]->summary);
		last = head;
	}
}

static void offer_members(struct completion *c, const char *family)
{
	for (size_t i = 0; i < command_count; i++) {
		struct str head, tail;
		if (str_cut(str_of(commands[i]->name), ' ', &head, &tail) && str_is(head, family))
			offer(c, tail, commands[i]->summary);
	}
}

/* ---- what a cluster or a kubeconfig knows ---- */

static const struct client_options *client_of(const struct completion *c)
{
	return c->command->run == verb_run ? c->line.values : NULL;
}

static void offer_names(struct completion *c, const struct api_kind *kind)
{
	struct api_client client;
	struct api_reply reply;
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	const struct client_options *o = client_of(c);
	if (!kind || !o || api_client_open(c->arena, o, &client, NULL) != RC_OK)
		return;
	buf_add_str(&url, api_path(c->arena, kind, client.namespace, (struct str){}, NULL));
	query_add(&url, "limit", arena_printf(c->arena, "%d", COMPLETE_NAMES_MAX));
	const struct api_request request = {
		.path = buf_str(&url), .accept = NAMES_ACCEPT, .timeout_ms = COMPLETE_TIMEOUT_MS};
	if (api_client_call(&client, c->arena, &request, &reply, NULL) == RC_OK) {
		const struct json *items = json_get(reply.tree, STR("items"));
		for (size_t i = 0; i < json_count(items); i++)
			offer(c, json_path_str(json_at(items, i), "metadata.name"), "");
	}
	api_client_close(&client);
}

static void offer_section(struct completion *c, enum kubeconfig_section section)
{
	struct kubeconfig_set set;
	const char *const *path = command_value(&c->line, "kubeconfig");
	size_t count;
	if (kubeconfig_set_load(c->arena, path ? *path : NULL, &set, NULL) != RC_OK)
		return;
	const struct str *names = kubeconfig_set_names(&set, section, &count);
	for (size_t i = 0; i < count; i++)
		offer(c, names[i], "");
}

/* ---- words of a command ---- */

/* "pods", or behind "pods/" their names. */
static void offer_types(struct completion *c)
{
	const struct api *api = api_builtin();
	struct str type, name;
	if (str_cut(c->current, '/', &type, &name)) {
		keep(c, type.len + 1);
		offer_names(c, resource_type_find(type));
		return;
	}
	const char *comma = c->current.len ? memrchr(c->current.at, ',', c->current.len) : NULL;
	if (comma)
		keep(c, (size_t)(comma - c->current.at) + 1);
	for (size_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *kind = &api->kinds[i];
		/* A plural of several groups is offered once. */
		if ((kind->verbs & VERB_LIST) && resource_type_find(kind->plural) == kind)
			offer(c, kind->plural, "");
	}
}

/* "bash|zsh|fish"; not of signs that stand for something ("NAME"). */
static bool is_literal(struct str token)
{
	for (size_t i = 0; i < token.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz-|", token.at[i]))
			return false;
	return token.len && token.at[0] != '-';
}

static void offer_choices(struct completion *c, struct str choices)
{
	struct str word;
	while (choices.len) {
		str_cut(choices, '|', &word, &choices);
		offer(c, word, "");
	}
}

/* What stands at each place of "VERB TYPE[/NAME] | VERB /PATH": the first form tells. */
static size_t argument_tokens(const struct command *command, struct str *tokens)
{
	struct str rest = str_of(command->arguments);
	size_t count = 0;
	while (rest.len && count < TOKENS_MAX) {
		str_cut(rest, ' ', &tokens[count], &rest);
		if (str_is(tokens[count], "|"))
			break;
		count++;
	}
	return count;
}

static const struct {
	const char *token;   /* what it begins with */
	const char *type;    /* whose names; NULL: see choices */
	const char *choices; /* NULL too: see section */
	enum kubeconfig_section section;
} places[] = {
	{"NODE", .type = "nodes"},
	{"POD", .type = "pods"},
	{"SERVICEACCOUNT", .type = "serviceaccounts"},
	{"VERB", .choices = "get|list|watch|create|update|patch|delete|deletecollection"},
	{"CLUSTER", .section = KUBECONFIG_CLUSTERS},
	{"CONTEXT", .section = KUBECONFIG_CONTEXTS},
	{"USER", .section = KUBECONFIG_USERS},
};

static void offer_place(struct completion *c, struct str token)
{
	if (str_has_prefix(token, STR("[")))
		token = str_skip(token, 1);
	if (str_has_prefix(token, STR("TYPE")) || (str_is(token, "POD") && c->current.len &&
						   memchr(c->current.at, '/', c->current.len))) {
		offer_types(c);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		if (!str_has_prefix(token, str_of(places[i].token)))
			continue;
		if (places[i].type)
			offer_names(c, resource_type_find(str_of(places[i].type)));
		else if (places[i].choices)
			offer_choices(c, str_of(places[i].choices));
		else
			offer_section(c, places[i].section);
		return;
	}
	if (is_literal(token))
		offer_choices(c, token);
}

static void offer_word(struct completion *c)
{
	struct str tokens[TOKENS_MAX];
	size_t count = argument_tokens(c->command, tokens), place = c->line.words.count;
	struct str first = place ? str_of(c->line.words.at[0]) : STR("");
	const struct api_kind *kind = memchr(first.at, '/', first.len) ? NULL
								       : resource_type_find(first);
	bool takes_names = c->command->arguments && (strstr(c->command->arguments, "NAME") ||
						     strstr(c->command->arguments, "NODE"));
	if (place && kind && takes_names)
		offer_names(c, kind);
	else if (place < count)
		offer_place(c, tokens[place]);
	else if (count && str_has_suffix(tokens[count - 1], STR("…")))
		offer_place(c, tokens[count - 1]);
}

/* ---- options ---- */

static void offer_options(struct completion *c)
{
	for (size_t i = 0; i < command_option_count(c->command); i++) {
		const struct option *o = command_option(c->command, i);
		offer(c, arena_printf(c->arena, "--%s", o->name), o->help);
	}
	offer(c, STR("--help"), "what the verb does and takes");
}

static void offer_value(struct completion *c, const struct option *o)
{
	if (strcmp(o->name, "namespace") == 0)
		offer_names(c, resource_type_find(STR("namespaces")));
	else if (strcmp(o->name, "context") == 0)
		offer_section(c, KUBECONFIG_CONTEXTS);
	else if (strcmp(o->name, "output") == 0)
		offer_choices(c, STR("yaml|json|name|wide|jsonpath=|custom-columns="));
	else if (o->value && strchr(o->value, '|'))
		offer_choices(c, str_of(o->value));
	else if (o->form == OPTION_FLAG)
		offer_choices(c, STR("true|false"));
}

/* The option that "--name", "-n" or a group of letters ends with; NULL when there is none. */
static const struct option *option_of(const struct command *command, struct str word)
{
	bool is_long = str_has_prefix(word, STR("--"));
	for (size_t i = 0; i < command_option_count(command); i++) {
		const struct option *o = command_option(command, i);
		if (is_long ? str_is(str_skip(word, 2), o->name)
			    : word.len > 1 && word.at[0] == '-' && o->letter &&
				      word.at[word.len - 1] == o->letter)
			return o;
	}
	return NULL;
}

static bool waits_for_value(const struct option *o)
{
	return o && o->form != OPTION_FLAG && !o->bare;
}

/* ---- the command line so far ---- */

/* Bash cuts words at '=': they are put together again. */
static void join_equals(struct arena *a, struct text_list *words, struct completion *c)
{
	struct text_list out = {.at = ARENA_ARRAY(a, const char *, words->count + 1)};
	size_t last = words->count - 1;
	bool was_cut = strcmp(words->at[last], "=") == 0 ||
		       (last && strcmp(words->at[last - 1], "=") == 0);
	for (size_t i = 0; i < words->count; i++) {
		bool joins = out.count && (strcmp(words->at[i], "=") == 0 ||
					   (i && strcmp(words->at[i - 1], "=") == 0));
		const char *text = words->at[i];
		if (joins)
			text = arena_cstr(a, arena_printf(a, "%s%s", out.at[--out.count], text));
		out.at[out.count++] = text;
	}
	*words = out;
	c->was_cut = was_cut;
	c->current = str_of(out.at[out.count - 1]);
}

/* Options before the verb; they are those of the client, which every verb of it has. */
static size_t verb_place(const struct text_list *words)
{
	size_t at = 0;
	while (at + 1 < words->count && words->at[at][0] == '-') {
		struct str word = str_of(words->at[at]);
		bool has_value = memchr(word.at, '=', word.len);
		at += waits_for_value(option_of(&command_get, word)) && !has_value ? 2 : 1;
	}
	return at;
}

static bool parse_before(struct completion *c, const struct text_list *words, size_t verb,
			 size_t from)
{
	size_t count = 0;
	char **argv = ARENA_ARRAY(c->arena, char *, words->count + 1);
	for (size_t i = 0; i < verb; i++)
		argv[count++] = arena_cstr(c->arena, str_of(words->at[i]));
	for (size_t i = from; i + 1 < words->count; i++)
		argv[count++] = arena_cstr(c->arena, str_of(words->at[i]));
	c->line = (struct command_line){.command = c->command,
					.values = arena_alloc(c->arena, c->command->values_size)};
	if (c->command->defaults)
		memcpy(c->line.values, c->command->defaults, c->command->values_size);
	if (count && waits_for_value(option_of(c->command, str_of(argv[count - 1]))) &&
	    !strchr(argv[count - 1], '='))
		count--; /* its value is what is being written */
	return command_parse(&c->line, (int)count, argv, NULL) == RC_OK && !c->line.has_dash;
}

static void complete_arguments(struct completion *c, const struct text_list *words, size_t from)
{
	struct str last = words->count >= from + 2 ? str_of(words->at[words->count - 2]) : STR("");
	const struct option *o = option_of(c->command, last);
	struct str name, value;
	if (waits_for_value(o) && !memchr(last.at, '=', last.len)) {
		offer_value(c, o);
	} else if (str_has_prefix(c->current, STR("--")) &&
		   str_cut(c->current, '=', &name, &value)) {
		o = option_of(c->command, name);
		keep(c, name.len + 1);
		if (c->was_cut)
			c->before = STR("");
		if (o)
			offer_value(c, o);
	} else if (str_has_prefix(c->current, STR("-"))) {
		offer_options(c);
	} else {
		offer_word(c);
	}
}

void complete_words(struct arena *a, const struct text_list *given, struct candidates *ret)
{
	struct text_list words = *given;
	*ret = (struct candidates){};
	struct completion c = {.arena = a, .out = ret};
	if (words.count == 0)
		return;
	join_equals(a, &words, &c);
	size_t verb = verb_place(&words), from = verb + 1;
	if (verb >= words.count || (verb + 1 == words.count && c.current.at[0] == '-')) {
		c.command = &command_get; /* its options of the client, before the verb */
		if (parse_before(&c, &words, words.count - 1, words.count - 1))
			complete_arguments(&c, &words, 0);
		arena_done(&c.line.arena);
		return;
	}
	if (verb + 1 == words.count) {
		offer_verbs(&c);
		return;
	}
	const char *first = words.at[verb];
	bool is_family = command_is_family(first);
	if (is_family && from + 1 == words.count && !str_has_prefix(c.current, STR("-")))
		offer_members(&c, first);
	c.command = command_find(first);
	if (is_family && from + 1 < words.count) {
		const struct command *member = command_find(
			arena_cstr(a, arena_printf(a, "%s %s", first, words.at[from])));
		from += member ? 1 : 0;
		c.command = member ? member : c.command;
	}
	if (!c.command || (is_family && from == verb + 1 && ret->count))
		return;
	if (parse_before(&c, &words, verb, from))
		complete_arguments(&c, &words, from);
	arena_done(&c.line.arena);
}
