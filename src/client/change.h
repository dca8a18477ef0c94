/* change: what verbs that change objects have in common: dry runs, the field manager, -o, and the
 * line that says what was done. */
#ifndef SKEG_CLIENT_CHANGE_H
#define SKEG_CLIENT_CHANGE_H

#include "client/api_client.h"
#include "client/output.h"
#include "client/resource_types.h"

/* The annotation with which a client-side apply says what it applied. */
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

enum dry_run { DRY_RUN_NONE, DRY_RUN_CLIENT, DRY_RUN_SERVER };

struct change_options {
	const char *dry_run, *field_manager, *output;
	bool shows_managed_fields;
};

/* text NULL: none. */
[[nodiscard]] enum rc dry_run_parse(const char *text, enum dry_run *ret_dry_run, struct err *err);
const char *dry_run_suffix(enum dry_run dry_run); /* " (dry run)", behind what would be done */

#define CHANGE_OPTIONS(type, member)                                                               \
	{.name = "dry-run",                                                                        \
	 .form = OPTION_TEXT,                                                                      \
	 .offset = offsetof(type, member.dry_run),                                                 \
	 .value = "none|client|server",                                                            \
	 .help = "client: only show it; server: check it there, store nothing",                    \
	 .bare = "client"},                                                                        \
		{"field-manager", 0,                                                               \
		 OPTION_TEXT,	  offsetof(type, member.field_manager),                            \
		 "NAME",	  "who owns the fields that are set"},                             \
		{"output",    'o',                                                                 \
		 OPTION_TEXT, offsetof(type, member.output),                                       \
		 "FORM",      "yaml, json, name, jsonpath=…: what came of it"},                    \
	{                                                                                          \
		"show-managed-fields", 0, OPTION_FLAG,                                             \
			offsetof(type, member.shows_managed_fields), NULL,                         \
			"keep managedFields in yaml and json"                                      \
	}

struct change {
	struct api_client *client;
	struct arena *arena;
	enum dry_run dry_run;
	struct str field_manager;
	struct output output;
};

enum patch_form { PATCH_STRATEGIC, PATCH_MERGE, PATCH_JSON };

/* default_manager: "kubectl-label" and the like, for those who say none. */
[[nodiscard]] enum rc change_open(struct api_client *c, const struct change_options *o,
				  const char *default_manager, struct change *ret_change,
				  struct err *err);

/* Nothing is sent in a dry run of the client: the result is then what was given, for patches what
 * they make of the server's object here. */
[[nodiscard]] enum rc change_create(struct change *ch, const struct api_kind *kind,
				    struct str namespace, struct json *tree, struct json **ret_tree,
				    struct err *err);
[[nodiscard]] enum rc change_replace(struct change *ch, const struct api_kind *kind,
				     struct str namespace, struct json *tree,
				     struct json **ret_tree, struct err *err);
/* patch is an object, or for PATCH_JSON an array; subresource may be NULL. */
[[nodiscard]] enum rc change_patch(struct change *ch, const struct api_kind *kind,
				   struct str namespace, struct str name, const char *subresource,
				   enum patch_form form, const struct json *patch,
				   struct json **ret_tree, struct err *err);
/* Server-side apply; a conflict with other managers is RC_CONFLICT unless forced. */
[[nodiscard]] enum rc change_apply(struct change *ch, const struct api_kind *kind,
				   struct str namespace, struct str name, const struct json *tree,
				   bool is_forced, struct json **ret_tree, struct err *err);
/* "deployment.apps/web scaled (server dry run)", or the object in the form that was asked for. */
[[nodiscard]] enum rc change_tell(struct change *ch, const struct api_kind *kind, struct json *tree,
				  const char *what, struct err *err);

/* The smallest merge patch that makes before into after (RFC 7386); NULL when they are equal. */
struct json *merge_patch_between(struct arena *a, const struct json *before,
				 const struct json *after);

#endif
