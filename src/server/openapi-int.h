/* Between the files that write OpenAPI documents.
 *
 * A document is written straight into a buffer.  Paths come first; every type they refer to is
 * marked, and the schemas of all marked types, and of those that they refer to in turn, follow. */
#ifndef SKEG_SERVER_OPENAPI_INT_H
#define SKEG_SERVER_OPENAPI_INT_H

#include "api/api_ids.h"
#include "api/schema.h"
#include "base/arena.h"
#include "server/openapi.h"

/* What the two versions of the format differ in, beyond where things stand. */
struct dialect {
	bool is_v2;
	const char *schemas; /* where references to types point */
};

extern const struct dialect openapi_dialect_v2, openapi_dialect_v3;

/* Schemas that are no struct of the tables. */
enum leaf {
	LEAF_JSON,
	LEAF_SCHEMA_OR_ARRAY,
	LEAF_SCHEMA_OR_BOOL,
	LEAF_SCHEMA_OR_STRINGS,
	LEAF_QUANTITY,
	LEAF_DURATION,
	LEAF_FIELDS_V1,
	LEAF_MICRO_TIME,
	LEAF_PATCH,
	LEAF_TIME,
	LEAF_RAW_EXTENSION,
	LEAF_INT_OR_STRING,
	LEAF_VERSION_INFO,
	LEAF_COUNT
};

enum type_mark { TYPE_UNUSED, TYPE_USED, TYPE_WRITTEN };

/* One document while it is written. */
struct openapi {
	const struct dialect *dialect;
	const struct api *api;
	struct buf *out;
	uint8_t *marks; /* enum type_mark by index of the type */
	bool is_leaf_used[LEAF_COUNT];
};

/* ---- JSON, written in place: a comma is due unless something was just opened ---- */

void openapi_key(struct buf *out, struct str key); /* plain ASCII; absent: the comma only */
void openapi_open(struct buf *out, const char *key, char bracket); /* key NULL: in a list */
void openapi_close(struct buf *out, char bracket);
void openapi_string(struct buf *out, const char *key, struct str value);
void openapi_literal(struct buf *out, const char *key, const char *json);

/* "$ref": "…" of a type (enum type_id), which is marked. */
void openapi_ref_type(struct openapi *o, int32_t type);
void openapi_ref_leaf(struct openapi *o, enum leaf leaf);

/* The schemas of all marked types and of what they need, as members of an open object. */
void openapi_write_schemas(struct openapi *o);
/* Which kinds have this type: x-kubernetes-group-version-kind, where there are any. */
void openapi_write_kinds(struct openapi *o, int32_t type);

/* "description": "…", where there is one. */
void openapi_describe_type(struct buf *out, const struct api_type *t);
void openapi_describe_field(struct buf *out, struct str type, struct str field);

/* What a document covers: the paths of one group-version, of one group, or one without kinds. */
struct part {
	struct str name;		    /* "apis/apps/v1" */
	struct str group, version;	    /* version absent: the group itself */
	const struct special_path *special; /* one that belongs to no group, or NULL */
};

/* The parts in the order of their names. */
void openapi_each_part(void (*fn)(const struct part *part, void *ctx), void *ctx);
/* The paths of a part, as members of an open object. */
void openapi_write_paths(struct openapi *o, const struct part *part);
/* The same of one kind. */
void openapi_write_kind_paths(struct openapi *o, const struct api_kind *kind);
/* "tags":["apps_v1"] of a group-version or, without version, a group. */
void openapi_write_tag(struct buf *out, struct str group, struct str version);
/* "rbac.authorization.k8s.io" is "RbacAuthorization", "" is "Core". */
void openapi_write_group(struct buf *out, struct str group, bool is_title);
void openapi_write_title(struct buf *out, struct str word); /* its first letter in upper case */

/* ---- parameters ---- */

/* In the order in which documents list them; an operation has a set of their bits. */
enum parameter {
	PARAMETER_ALLOW_WATCH_BOOKMARKS,
	PARAMETER_COMMAND,
	PARAMETER_CONTAINER,
	PARAMETER_CONTINUE,
	PARAMETER_DRY_RUN,
	PARAMETER_FIELD_MANAGER,
	PARAMETER_FIELD_SELECTOR,
	PARAMETER_FIELD_VALIDATION,
	PARAMETER_FOLLOW,
	PARAMETER_FORCE,
	PARAMETER_GRACE_PERIOD_SECONDS,
	PARAMETER_IGNORE_STORE_READ_ERROR,
	PARAMETER_INSECURE_SKIP_TLS_VERIFY,
	PARAMETER_LABEL_SELECTOR,
	PARAMETER_LIMIT,
	PARAMETER_LIMIT_BYTES,
	PARAMETER_NAME,
	PARAMETER_NAMESPACE,
	PARAMETER_ORPHAN_DEPENDENTS,
	PARAMETER_REST,
	PARAMETER_PATH,
	PARAMETER_PORTS,
	PARAMETER_PRETTY,
	PARAMETER_PREVIOUS,
	PARAMETER_PROPAGATION_POLICY,
	PARAMETER_RESOURCE_VERSION,
	PARAMETER_RESOURCE_VERSION_MATCH,
	PARAMETER_SEND_INITIAL_EVENTS,
	PARAMETER_SINCE_SECONDS,
	PARAMETER_STDERR,
	PARAMETER_STDIN,
	PARAMETER_STDOUT,
	PARAMETER_STREAM,
	PARAMETER_TAIL_LINES,
	PARAMETER_TIMEOUT_SECONDS,
	PARAMETER_TIMESTAMPS,
	PARAMETER_TTY,
	PARAMETER_WATCH,
	PARAMETER_COUNT
};

/* The members of a list of parameters; set has the bits 1 << enum parameter. */
void openapi_write_parameters(struct openapi *o, uint64_t set);
/* Version 2: the parameters that operations refer to, as members of an open object. */
void openapi_write_shared_parameters(struct openapi *o);

#endif
