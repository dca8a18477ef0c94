/* create: what the verbs of the family "create" share: their options, and how the object that one
 * built is sent and told. */
#ifndef SKEG_CLIENT_CREATE_H
#define SKEG_CLIENT_CREATE_H

#include "client/change.h"
#include "client/verb.h"

struct create_options {
	struct client_options client;
	struct change_options change;
	struct text_list images, from_literal, from_file, from_env_file, verbs, resources,
		resource_names, users, groups, service_accounts, tcp, rules, audiences, annotations;
	const char *schedule, *from, *restart, *type, *cluster_ip, *external_name, *node_port,
		*role, *cluster_role, *hard, *scopes, *selector, *min_available, *max_unavailable,
		*value, *description, *preemption, *duration, *docker_server, *docker_username,
		*docker_password, *docker_email, *cert, *key, *ingress_class, *default_backend;
	int64_t replicas, port;
	bool is_global_default;
};

struct create {
	struct verb *verb;
	const struct create_options *options;
	struct arena *arena;
	struct text_list words; /* the name, or what stands for it, and what follows it */
	const char *name;
	struct str namespace; /* absent: of a kind without */
};

/* Builds the object; tree has apiVersion, kind and metadata.name already. */
typedef enum rc create_build(struct create *c, struct json *tree, struct err *err);

/* What a member of the family makes.  One name is expected, behind a first word that `takes_type`
 * says is there ("generic"). */
struct create_kind {
	const char *api_version, *kind;
	bool takes_type;
	create_build *build;
};

/* The body of each of them. */
[[nodiscard]] enum rc create_body(struct verb *v, struct err *err);

/* "a.b.c" of objects, made where they are not. */
struct json *create_at(struct arena *a, struct json *tree, const char *dotted);
void create_set(struct arena *a, struct json *tree, const char *dotted, const char *value);
/* A member that is a number when the text is one. */
void create_number_or_text(struct arena *a, struct json *object, struct str key, struct str text);
/* "a,b,c" as a list. */
struct json *create_list(struct arena *a, const char *commas);
struct json *create_texts(struct arena *a, const struct text_list *list); /* each may have commas */
struct json *create_words(struct arena *a, const struct text_list *list); /* as they are */
/* An entry of an environment. */
struct json *create_variable(struct arena *a, struct str name, struct str value);
/* A subject of a binding; namespace absent: a user or a group. */
struct json *create_subject(struct arena *a, const char *kind, struct str name,
			    struct str namespace);
/* "namespace:name" */
[[nodiscard]] enum rc create_account(struct arena *a, struct str text, struct json **ret_subject,
				     struct err *err);
/* metadata.labels.app of the object's name, as kubectl gives it. */
struct json *create_app_labels(struct arena *a, const char *name);
/* "deployment", "image=…" … */
[[nodiscard]] enum rc create_containers(struct create *c, struct json *pod_spec, struct err *err);
/* spec.ports of "80", "80:8080" or a list of them. */
[[nodiscard]] enum rc create_ports(struct create *c, const struct text_list *pairs,
				   const char *node_port, struct json **ret_ports, struct err *err);

#define CREATE_COMMON                                                                              \
	CHANGE_OPTIONS(struct create_options, change), CLIENT_OPTIONS(struct create_options, client)
#define CREATE_AT(member) offsetof(struct create_options, member)
#define CREATE_TEXT(name, member, value, help)                                                     \
	{                                                                                          \
		name, 0, OPTION_TEXT, CREATE_AT(member), value, help                               \
	}
#define CREATE_LIST(name, member, value, help)                                                     \
	{                                                                                          \
		name, 0, OPTION_LIST, CREATE_AT(member), value, help                               \
	}

extern const struct create_options create_defaults;

/* The last arguments are a struct create_kind. */
#define CREATE_COMMAND(id, words, aliases_, args, text, table, ...)                                \
	const struct command command_create_##id = {                                               \
		.name = words,                                                                     \
		.aliases = aliases_,                                                               \
		.arguments = args,                                                                 \
		.summary = text,                                                                   \
		.options = table,                                                                  \
		.option_count = ARRAY_LEN(table),                                                  \
		.values_size = sizeof(struct create_options),                                      \
		.defaults = &create_defaults,                                                      \
		VERB_RUN(create_body, &(const struct create_kind){__VA_ARGS__}),                   \
	}

#endif
