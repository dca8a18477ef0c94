/* view: typed C structs of API objects, for code that knows a kind.
 *
 * views.h (generated) holds one struct a type: `struct pod`, `struct deployment_spec`, … with the
 * rules string, Quantity, Duration -> struct str        bool, int32, int64, double -> themselves
 *   *bool, *int -> const T * (NULL: absent)         *string, *Quantity -> struct str (absent or
 * not) struct -> embedded; *struct -> const struct x * Time, MicroTime (also by pointer) -> int64_t
 * microseconds since the epoch, 0: absent
 *   []T -> struct t_array { const struct t *at; uint32_t count; }; []string -> struct str_array
 *   map[string]string, map[string][]byte, map[string]Quantity -> struct str_map
 *   map[string]T -> struct t_map { const struct t_pair { struct str key; struct t value; } *at; … }
 *   map[string][]string -> struct str_array_map     IntOrString -> struct int_or_string
 *   []byte -> struct str (decoded)                  RawExtension, JSON, FieldsV1 -> const struct
 * json * inlined structs -> their fields, in place (VolumeSource in Volume) Names are snake_case of
 * Go's (`DeploymentSpec` -> `struct deployment_spec`, `nodeName` -> `node_name`, `clusterIPs` ->
 * `cluster_ips`); a C keyword gets a trailing underscore.  Where two groups use a type name, the
 * stored kind has it plain (`struct resource_claim`), else core or meta has; the others are
 * prefixed with the group (`struct core_resource_claim`, `struct flowcontrol_subject`).
 *
 * Both directions are driven by the tables: no code per type.  Threads: pure functions. */
#ifndef SKEG_API_VIEW_H
#define SKEG_API_VIEW_H

#include <stdint.h>

#include "api/schema.h"
#include "base/arena.h"
#include "codec/json.h"

struct str_array {
	const struct str *at;
	uint32_t count;
};

struct str_pair {
	struct str key, value;
};

struct str_map {
	const struct str_pair *at;
	uint32_t count;
};

struct str_array_pair {
	struct str key;
	struct str_array value;
};

struct str_array_map {
	const struct str_array_pair *at;
	uint32_t count;
};

struct int32_array {
	const int32_t *at;
	uint32_t count;
};

struct int64_array {
	const int64_t *at;
	uint32_t count;
};

struct int64_pair { /* also times */
	struct str key;
	int64_t value;
};

struct int64_map {
	const struct int64_pair *at;
	uint32_t count;
};

struct json_array {
	const struct json *const *at;
	uint32_t count;
};

struct json_pair {
	struct str key;
	const struct json *value;
};

struct json_map {
	const struct json_pair *at;
	uint32_t count;
};

struct int_or_string {
	bool is_string;
	int32_t number;
	struct str text;
};

/* A struct of type->view_size bytes in the arena; values of a wrong type are left zero (the tree
 * has been checked before). Strings point into the tree. */
[[nodiscard]] void *view_from_tree(struct arena *a, const struct api_type *type,
				   const struct json *tree);
/* The same for a view that outlives the tree: strings point into the text that the tree was parsed
 * from, or are copied. */
[[nodiscard]] void *view_from_text(struct arena *a, const struct api_type *type,
				   const struct json *tree, struct str text);
/* The tree in Go's field order with omitempty applied. Strings are not copied. */
[[nodiscard]] struct json *view_to_tree(struct arena *a, const struct api_type *type,
					const void *view);

struct str str_map_get(const struct str_map *map, struct str key); /* absent when there is none */
struct str str_map_cget(const struct str_map *map, const char *key);

#endif
