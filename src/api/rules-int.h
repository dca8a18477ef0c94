/* rules-int: shared by defaults_*.c: tables of values for absent fields, and walking of trees. */
#ifndef SKEG_API_RULES_INT_H
#define SKEG_API_RULES_INT_H

#include "api/schema.h"
#include "base/arena.h"
#include "codec/json.h"

/* "spec.ports[].protocol": members by name, `[]` every item of a list, `{}` every value of a map.
 * value is JSON; it is set where the parent exists and the member is absent or null, with `?`
 * before its name also where it is "" (strings that Go writes although they are empty). */
struct default_rule {
	const char *path, *value;
};

struct kind_defaults {
	const char *group, *version, *kind; /* version NULL: any */
	const struct default_rule *rules;
	size_t rule_count;
	const char *pod_spec;				  /* path of an embedded PodSpec, or NULL */
	void (*code)(struct arena *a, struct json *tree); /* after the rules; may be NULL */
};

#define DEFAULT_RULES(table) table, ARRAY_LEN(table)

/* Terminated by a row without kind. */
extern const struct kind_defaults defaults_core[], defaults_apps[], defaults_net[],
	defaults_other[];

void rules_apply(struct arena *a, struct json *tree, const struct default_rule *rules,
		 size_t count);
void rule_apply(struct arena *a, struct json *tree, const char *path, const char *value);

/* Calls visit with every node that path names, in order. */
void tree_visit(struct arena *a, struct json *tree, const char *path,
		void (*visit)(struct arena *a, struct json *node));

/* Whole milli units in canonical text, for every value of the map that path names. */
void tree_round_quantities(struct arena *a, struct json *tree, const char *path);
/* requests take what limits name and they do not. */
void requests_from_limits(struct arena *a, struct json *resources);

/* "Always" for the tag "latest" (also when no tag and no digest is given), else "IfNotPresent". */
struct str image_pull_policy(struct str image);

void pod_defaults(struct arena *a, struct json *pod);

bool json_is_absent(const struct json *value); /* NULL, null or "" */

#endif
