/* schema: the Kubernetes API as data.
 *
 * The files in api/ are compiled at build time (tools/apigen.py) to constant tables that refer to
 * each other by index, and to C structs, one a type (api/views.h, generated).  Everything generic
 * (routes, discovery, OpenAPI, decoding, defaulting, pruning, patching, tables of columns) walks
 * these tables; code that knows one kind uses its view.
 *
 * A *stored kind* is what the store keeps (one B-tree each); a *served kind* is one group-version
 * of it.  Two served kinds may share a stored kind (HorizontalPodAutoscaler v1 and v2, Event of
 * core and events.k8s.io); the first one listed for a stored kind is its storage version.
 *
 * Owns: constant data.  Threads: all calls safe.  Errors: none; lookups return NULL. */
#ifndef SKEG_API_SCHEMA_H
#define SKEG_API_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum field_form { /* what one value is */
		  FORM_BOOL,
		  FORM_INT32,
		  FORM_INT64,
		  FORM_DOUBLE,
		  FORM_STRING,
		  FORM_BYTES,	      /* base64 in JSON */
		  FORM_TIME,	      /* metav1.Time */
		  FORM_MICRO_TIME,    /* metav1.MicroTime */
		  FORM_DURATION,      /* metav1.Duration, a string in JSON */
		  FORM_QUANTITY,      /* resource.Quantity */
		  FORM_INT_OR_STRING, /* intstr.IntOrString */
		  FORM_RAW,	      /* runtime.RawExtension, JSON, FieldsV1: any document */
		  FORM_STRUCT,
		  /* A CustomResourceDefinition's schema, or in its place: */
		  FORM_SCHEMA_OR_BOOL,	  /* true or false */
		  FORM_SCHEMA_OR_ARRAY,	  /* a list of schemas */
		  FORM_SCHEMA_OR_STRINGS, /* a list of strings */
};

enum field_shape { SHAPE_ONE, SHAPE_LIST, SHAPE_MAP /* keys are strings */, SHAPE_MAP_OF_LISTS };

enum list_type { LIST_NONE, LIST_ATOMIC, LIST_SET, LIST_MAP };

enum field_flag {
	FIELD_REQUIRED = 1 << 0,   /* absent is an error of validation */
	FIELD_OMIT_EMPTY = 1 << 1, /* the zero value is not written */
	FIELD_POINTER = 1 << 2,	   /* absent differs from zero */
	FIELD_IMMUTABLE = 1 << 3,
	FIELD_PATCH_MERGE = 1 << 4,	  /* strategic merge: merge */
	FIELD_PATCH_REPLACE = 1 << 5,	  /* strategic merge: replace */
	FIELD_PATCH_RETAIN_KEYS = 1 << 6, /* strategic merge: retainKeys */
	FIELD_MAP_ATOMIC = 1 << 7,	  /* mapType or structType atomic */
	FIELD_HAS_DEFAULT = 1 << 8,
	/* Protobuf nests it, JSON does not: the field_count fields of its type follow in this very
	 * list, with tags of the nested message and view offsets of the parent. */
	FIELD_INLINE = 1 << 9,
	FIELD_WRAPPED = 1 << 10,      /* protobuf puts the list into a message {items = 1} */
	FIELD_GATED_OFF = 1 << 11,    /* of a feature that this release leaves off */
	FIELD_MAP_GRANULAR = 1 << 13, /* said of a map that is merged anyway */
	FIELD_KEEP_EMPTY = 1 << 12,   /* an empty list is kept when a document is normalised */
};

struct api_field {
	struct str name; /* JSON name; absent for FIELD_INLINE */
	uint32_t tag;	 /* protobuf; 0: not there */
	uint16_t form, shape;
	uint32_t flags;
	int32_t type;		 /* index of the api_type when FORM_STRUCT, else -1 */
	uint16_t list_type;	 /* enum list_type */
	struct str merge_key;	 /* strategic merge */
	struct str list_keys;	 /* keys of LIST_MAP, comma separated */
	struct str format;	 /* "int32", "byte", "date-time" … or absent */
	struct str enum_values;	 /* comma separated (the first may be empty), or absent */
	struct str default_json; /* a JSON value when FIELD_HAS_DEFAULT */
	struct str go_type;	 /* as upstream's error messages name it: "int32", "v1.PodSpec" */
	struct str element_go_type; /* of a list or map */
	uint32_t view_offset;	    /* in the C struct */
};

#define API_FIELDS_MAX 64 /* of one type */

struct api_type {
	struct str name;		/* "PodSpec" */
	struct str package;		/* "core/v1", "meta/v1" …: with name, OpenAPI's
					   "io.k8s.api.core.v1.PodSpec" */
	struct str openapi;		/* the whole OpenAPI name */
	const struct api_field *fields; /* in Go's order, which is the order of JSON */
	uint32_t field_count;
	uint32_t view_size;
	/* Fields of its protobuf message, in the order of their tags; without what FIELD_INLINE
	 * nests. */
	const uint8_t *by_tag;
	uint32_t tag_count;
	bool is_atomic; /* server-side apply replaces it as a whole */
	/* x-kubernetes-unions: the discriminator, and "field:Value" comma separated; or absent. */
	struct str union_by, union_members;
};

enum api_verb {
	VERB_CREATE = 1 << 0,
	VERB_DELETE = 1 << 1,
	VERB_DELETE_COLLECTION = 1 << 2,
	VERB_GET = 1 << 3,
	VERB_LIST = 1 << 4,
	VERB_PATCH = 1 << 5,
	VERB_UPDATE = 1 << 6,
	VERB_WATCH = 1 << 7,
};

struct api_subresource {
	struct str name;		 /* "status", "scale", "log" … */
	struct str group, version, kind; /* of its body: "autoscaling/v1 Scale" */
	uint32_t verbs;
	int32_t type; /* index of the api_type of its body */
};

struct api_column { /* of a Table */
	struct str name, type, format, description;
	int32_t priority;
};

/* One served kind. */
struct api_kind {
	uint16_t served_id; /* enum served_id (generated) */
	uint16_t stored_id; /* enum kind_id (generated), KIND_NONE when it is never stored (reviews)
			     */
	struct str group, version, kind, plural, singular, list_kind;
	struct str api_version; /* "v1", "apps/v1" */
	bool is_namespaced;
	bool is_storage_version;
	bool has_default_columns; /* it has no table of its own: name and date */
	bool needs_revision;	  /* an update must say what it is based on */
	uint32_t verbs;
	struct str short_names, categories; /* comma separated */
	int32_t type;			    /* index of its api_type */
	int32_t list_type;		    /* of PodList and the like, or -1 */
	const struct api_subresource *subresources;
	uint32_t subresource_count;
	const struct api_column *columns;
	uint32_t column_count;
	struct str selectable_fields; /* comma separated dotted paths, beyond metadata.name and
					 .namespace */
};

/* Open-addressed tables of index + 1, 0: free; by FNV-1a of (group, version, name). */
struct api_index {
	const uint16_t *by_resource, *by_kind;
	uint32_t resource_slots, kind_slots; /* powers of two */
	const uint16_t *by_stored;	     /* by stored id */
};

/* A set of tables: the built-in ones, or later with those of CustomResourceDefinitions. */
struct api {
	const struct api_kind *kinds; /* ordered by group priority of discovery, version, plural */
	uint32_t kind_count;
	const struct api_type *types;
	uint32_t type_count;
	uint32_t stored_count;	       /* stored ids are below this */
	const struct api_index *index; /* NULL: lookups walk the kinds */
};

const struct api *api_builtin(void);

/* Lookups; group is "" for core. */
const struct api_kind *api_by_resource(const struct api *api, struct str group, struct str version,
				       struct str plural);
const struct api_kind *api_by_kind(const struct api *api, struct str group, struct str version,
				   struct str kind);
const struct api_kind *api_by_stored(const struct api *api,
				     uint16_t stored_id); /* storage version */
const struct api_kind *api_by_api_version(const struct api *api, struct str api_version,
					  struct str kind);
/* group + plural in its preferred version, for authorization and the command line. */
const struct api_kind *api_by_group_resource(const struct api *api, struct str group,
					     struct str plural);
/* The type a document of this apiVersion and kind has: kinds, their lists, bodies of subresources,
 * and meta/v1's own kinds (Status, DeleteOptions …) in every version; NULL when there is none. */
const struct api_type *api_type_by_kind(const struct api *api, struct str api_version,
					struct str kind);
const struct api_subresource *api_subresource(const struct api_kind *kind, struct str name);
const struct api_type *api_type(const struct api *api, int32_t type);
const struct api_field *api_field(const struct api_type *type, struct str json_name);
/* The same for a walk over the members of an object: looks from *hint on, so that members in the
 * order of the fields are found at once.  Begin with *hint = 0. */
const struct api_field *api_field_near(const struct api_type *type, struct str json_name,
				       uint32_t *hint);

#endif
