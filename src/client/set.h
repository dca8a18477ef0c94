/* set: what the verbs of the family "set" share: a patch for each of the named objects, and that
 * nothing is said of those that were so already. */
#ifndef SKEG_CLIENT_SET_H
#define SKEG_CLIENT_SET_H

#include "client/change.h"
#include "client/resources.h"

struct set_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	struct text_list env, users, groups, service_accounts, keys;
	const char *containers, *limits, *requests, *from, *prefix;
	bool lists, is_overwriting, resolves;
};

struct setting {
	struct verb *verb;
	const struct set_options *options;
	struct arena *arena;
	struct change change;
	struct text_list words;		 /* those that name no objects */
	const struct resource *resource; /* the present one */
	bool tells_unchanged;		 /* objects that were so already are told as well */
	struct str value;		 /* of the verb, as ctx */
	const void *ctx;		 /* of the verb */
};

/* Fills in the patch of one object: an empty object becomes it. */
typedef enum rc set_patch(struct setting *s, const struct resource *r, struct json *patch,
			  struct err *err);

/* Of the objects that the first words name, or files: patches, sends, and says what ("image
 * updated").  object_words: how many words name objects. */
[[nodiscard]] enum rc set_run(struct setting *s, size_t object_words, enum patch_form form,
			      set_patch *fill, const char *what, struct err *err);
[[nodiscard]] enum rc set_open(struct verb *v, struct setting *ret_setting, struct err *err);
/* The objects, without changing them. */
[[nodiscard]] enum rc set_find(struct setting *s, size_t object_words, struct resources *ret,
			       struct err *err);

/* How many of the first words have none of the letters in marks: "web" but not "web=nginx". */
size_t set_words_before(const struct verb *v, const char *marks);
/* "spec.template.spec" of a Deployment; where pods are described in objects of the kind.
 * RC_BAD_REQUEST when they are not. */
[[nodiscard]] enum rc set_pod_spec(const struct resource *r, const char **ret_path,
				   struct err *err);
/* Calls fn for each container whose name fits ('*' in names stands for anything); are there any?
 * fn fills in a patch of the container, which has its name already; one without more is left out.
 */
enum set_lists { SET_CONTAINERS = 1, SET_INIT_CONTAINERS = 2 };
[[nodiscard]] enum rc set_containers(struct setting *s, const struct resource *r, unsigned lists,
				     const char *names, struct json *patch,
				     enum rc (*fn)(struct setting *s, const struct json *container,
						   struct json *patch, struct err *err),
				     bool *ret_is_found, struct err *err);

#define SET_AT(member) offsetof(struct set_options, member)
#define SET_COMMON                                                                                 \
	CHANGE_OPTIONS(struct set_options, change),                                                \
		RESOURCE_FILE_OPTIONS(struct set_options, resources),                              \
		RESOURCE_SELECTOR_OPTIONS(struct set_options, resources),                          \
		CLIENT_OPTIONS(struct set_options, client)
#define SET_COMMAND(id, words, aliases_, args, text, table, body)                                  \
	const struct command command_set_##id = {                                                  \
		.name = words,                                                                     \
		.aliases = aliases_,                                                               \
		.arguments = args,                                                                 \
		.summary = text,                                                                   \
		.options = table,                                                                  \
		.option_count = ARRAY_LEN(table),                                                  \
		.values_size = sizeof(struct set_options),                                         \
		.defaults = &set_defaults,                                                         \
		VERB_RUN(body),                                                                    \
	}
extern const struct set_options set_defaults;

#endif
