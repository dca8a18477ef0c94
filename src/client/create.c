/* skeg create: objects of files, and what the members of the family share. */
#include "client/create.h"

#include <stdio.h>

#include "client/api_error.h"
#include "client/api_path.h"
#include "client/resources.h"
#include "client/verbs.h"

const struct create_options create_defaults = {.replicas = 1, .port = -1};

/* ---- trees ---- */

struct json *create_at(struct arena *a, struct json *tree, const char *dotted)
{
	struct str rest = str_of(dotted), key;
	while (rest.len) {
		str_cut(rest, '.', &key, &rest);
		tree = json_need_object(a, tree, key);
	}
	return tree;
}

void create_set(struct arena *a, struct json *tree, const char *dotted, const char *value)
{
	struct str head, key;
	str_cut_last(str_of(dotted), '.', &head, &key);
	if (value)
		json_set_str(a, create_at(a, tree, arena_cstr(a, head)), key, str_of(value));
}

void create_number_or_text(struct arena *a, struct json *object, struct str key, struct str text)
{
	int64_t number;
	json_set(a, object, key,
		 str_to_i64(text, &number) ? json_int(a, number) : json_string(a, text));
}

static void add_commas(struct arena *a, struct json *list, const char *commas)
{
	struct str rest = str_of(commas), part;
	while (rest.len) {
		str_cut(rest, ',', &part, &rest);
		json_append(a, list, json_string(a, part));
	}
}

struct json *create_list(struct arena *a, const char *commas)
{
	struct json *list = json_array(a);
	add_commas(a, list, commas);
	return list;
}

struct json *create_texts(struct arena *a, const struct text_list *texts)
{
	struct json *list = json_array(a);
	for (size_t i = 0; i < texts->count; i++)
		add_commas(a, list, texts->at[i]);
	return list;
}

struct json *create_words(struct arena *a, const struct text_list *words)
{
	struct json *list = json_array(a);
	for (size_t i = 0; i < words->count; i++)
		json_append(a, list, json_cstring(a, words->at[i]));
	return list;
}

struct json *create_variable(struct arena *a, struct str name, struct str value)
{
	struct json *variable = json_object(a);
	json_set_str(a, variable, STR("name"), name);
	json_set_str(a, variable, STR("value"), value.at ? value : STR(""));
	return variable;
}

struct json *create_app_labels(struct arena *a, const char *name)
{
	struct json *labels = json_object(a);
	json_set_str(a, labels, STR("app"), str_of(name));
	return labels;
}

/* The name of an image's last part: "registry.example/web:1" runs as "web". */
static struct str container_name(struct str image)
{
	struct str head, name, rest;
	str_cut_last(image, '/', &head, &name);
	str_cut(name, '@', &name, &rest);
	str_cut(name, ':', &name, &rest);
	return name;
}

enum rc create_containers(struct create *c, struct json *pod_spec, struct err *err)
{
	struct arena *a = c->arena;
	struct json *images = create_texts(a, &c->options->images), *list = json_array(a);
	const struct text_list command = {.at = c->words.at + 1, .count = c->words.count - 1};
	if (json_count(images) == 0)
		return err_set(err, RC_BAD_REQUEST, "required flag(s) \"image\" not set");
	if (command.count && json_count(images) > 1)
		return err_set(err, RC_BAD_REQUEST,
			       "cannot specify multiple --image options and command");
	for (size_t i = 0; i < json_count(images); i++) {
		struct json *container = json_object(a);
		struct str image = json_str(json_at(images, i));
		json_set_str(a, container, STR("name"), container_name(image));
		json_set_str(a, container, STR("image"), image);
		if (command.count)
			json_set(a, container, STR("command"), create_words(a, &command));
		json_append(a, list, container);
	}
	json_set(a, pod_spec, STR("containers"), list);
	return RC_OK;
}

enum rc create_ports(struct create *c, const struct text_list *pairs, const char *node_port,
		     struct json **ret_ports, struct err *err)
{
	struct arena *a = c->arena;
	struct json *words = create_texts(a, pairs), *ports = json_array(a);
	for (size_t i = 0; i < json_count(words); i++) {
		struct json *port = json_object(a);
		struct str text = json_str(json_at(words, i)), from, to;
		int64_t number, at_node;
		bool has_target = str_cut(text, ':', &from, &to);
		if (!str_to_i64(from, &number) || number < 0 || number > 65535)
			return err_set(err, RC_BAD_REQUEST,
				       "'%.*s' is no port; write PORT or PORT:TARGET",
				       STR_FMT(text));
		json_set(a, port, STR("name"),
			 json_printf(a, "%.*s%s%.*s", STR_FMT(from), has_target ? "-" : "",
				     STR_FMT(to)));
		json_set_str(a, port, STR("protocol"), STR("TCP"));
		json_set(a, port, STR("port"), json_int(a, number));
		create_number_or_text(a, port, STR("targetPort"), has_target ? to : from);
		if (node_port && str_to_i64(str_of(node_port), &at_node) && at_node)
			json_set(a, port, STR("nodePort"), json_int(a, at_node));
		json_append(a, ports, port);
	}
	*ret_ports = ports;
	return RC_OK;
}

/* ---- the members of the family ---- */

enum rc create_body(struct verb *v, struct err *err)
{
	const struct create_kind *made = v->detail;
	struct create c = {.verb = v,
			   .options = v->line->values,
			   .arena = v->arena,
			   .words = verb_words(v, made->takes_type ? 1 : 0)};
	struct change ch;
	struct json *tree = json_object(v->arena), *after;
	const struct api_kind *kind =
		api_by_api_version(api_builtin(), str_of(made->api_version), str_of(made->kind));
	ASSERT(kind);
	if (c.words.count == 0)
		return err_set(err, RC_BAD_REQUEST, "exactly one NAME is required, got 0");
	c.name = c.words.at[0];
	c.namespace = kind->is_namespaced ? v->client.namespace : (struct str){};
	TRY(change_open(&v->client, &c.options->change, "kubectl-create", &ch, err));
	json_set_str(v->arena, tree, STR("apiVersion"), str_of(made->api_version));
	json_set_str(v->arena, tree, STR("kind"), str_of(made->kind));
	create_set(v->arena, tree, "metadata.name", c.name);
	if (kind->is_namespaced && v->client.is_namespace_given)
		json_set_str(v->arena, json_get(tree, STR("metadata")), STR("namespace"),
			     c.namespace);
	TRY(made->build(&c, tree, err));
	enum rc rc = change_create(&ch, kind, c.namespace, tree, &after, err);
	if (rc != RC_OK) {
		struct err cause = *err;
		struct str prefix, rest;
		if (!api_error_cut(str_of(cause.text), &prefix, &rest))
			return rc;
		return err_set(err, rc, "failed to create %.*s: %.*s", STR_FMT(kind->singular),
			       STR_FMT(rest));
	}
	return change_tell(&ch, kind, after, "created", err);
}

/* ---- create -f ---- */

struct file_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
};

static enum rc create_object(struct verb *v, struct change *ch, const struct manifest_object *o,
			     struct err *err)
{
	struct str namespace;
	struct json *after;
	TRY(manifest_namespace(o, v->client.namespace, v->client.is_namespace_given, &namespace,
			       err));
	if (change_create(ch, o->kind, o->kind->is_namespaced ? namespace : (struct str){}, o->tree,
			  &after, err) == RC_OK)
		return change_tell(ch, o->kind, after, "created", err);
	return manifest_refused(o, "creating", err);
}

static enum rc file_body(struct verb *v, struct err *err)
{
	const struct file_options *o = v->line->values;
	struct manifest m = {.is_strict = true,
			     .takes_generated = true,
			     .is_recursive = o->resources.is_recursive};
	struct change ch;
	if (o->resources.files.count == 0 && !o->resources.kustomize)
		return err_set(err, RC_BAD_REQUEST,
			       "must specify one of -f and -k, or what to create; see 'skeg create "
			       "--help'");
	TRY(change_open(&v->client, &o->change, "kubectl-create", &ch, err));
	if (o->resources.kustomize)
		TRY(resources_read_files(v, &o->resources, true, &m, err));
	else
		TRY(manifest_read(&m, v->arena, &o->resources.files, err));
	for (size_t i = 0; i < m.count; i++) {
		struct err one;
		if (create_object(v, &ch, &m.items[i], &one) != RC_OK)
			verb_note(v, &one);
	}
	return RC_OK;
}

static const struct option options[] = {
	RESOURCE_FILE_OPTIONS(struct file_options, resources),
	CHANGE_OPTIONS(struct file_options, change),
	CLIENT_OPTIONS(struct file_options, client),
};

const struct command command_create = {
	.name = "create",
	.arguments = "-f FILE | TYPE NAME",
	.summary = "Make objects: of files, or of a few options",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct file_options),
	VERB_RUN(file_body),
};
