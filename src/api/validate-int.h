/* validate-int: the vocabulary of validate_*.c.
 *
 * A path is a chain of stack nodes and becomes text only when there is an error to report:
 *
 *     check_required(v, MEMBER(at, "name"), GET(node, "name"));
 *
 * MEMBER, ITEM and KEY make nodes that live as long as the enclosing block. */
#ifndef SKEG_API_VALIDATE_INT_H
#define SKEG_API_VALIDATE_INT_H

#include "api/names.h"
#include "api/quantity.h"
#include "api/repeats.h"
#include "api/validate.h"

struct path {
	const struct path *parent;
	const char *name; /* ".name", unless index or key */
	ptrdiff_t index;  /* "[3]" when >= 0 */
	struct str key;	  /* "[key]" when present */
};

struct check {
	struct field_errors *errors;
	struct arena *arena;
	const struct api_kind *kind;
	bool is_update;
	size_t cel_bytes; /* of the expressions so far */
	struct repeats repeats;
};

#define MEMBER(up, member) (&(struct path){.parent = (up), .name = (member), .index = -1})
#define ITEM(up, i)	   (&(struct path){.parent = (up), .index = (ptrdiff_t)(i)})
#define KEY(up, text)	   (&(struct path){.parent = (up), .index = -1, .key = (text)})
#define ROOT(member)	   MEMBER(NULL, member)

#define GET(node, member)   member_of(node, STR(member))
#define TEXT(node, member)  json_str(json_get(node, STR(member)))
#define INT(node, member)   json_i64(json_get(node, STR(member)))
#define IS(node, member)    json_is_true(json_get(node, STR(member)))
#define COUNT(node, member) json_count(json_get(node, STR(member)))

/* NULL for null, too: a pointer that is not set. */
static inline struct json *member_of(const struct json *node, struct str name)
{
	struct json *value = json_get(node, name);
	return value && value->type != JSON_NULL ? value : NULL;
}

/* for each item of the list (or NULL) */
#define FOR_ITEMS(i, item, list)                                                                   \
	for (size_t i = 0, n_##i = json_count(list); i < n_##i; i++)                               \
		for (const struct json *item = json_at(list, i); item; item = NULL)

struct str path_text(struct check *v, const struct path *at);

/* ---- errors; value NULL where upstream prints none ---- */
[[gnu::format(printf, 4, 5)]] void bad(struct check *v, const struct path *at,
				       const struct json *value, const char *fmt, ...);
[[gnu::format(printf, 4, 5)]] void bad_text(struct check *v, const struct path *at,
					    struct str value, const char *fmt, ...);
[[gnu::format(printf, 3, 4)]] void required(struct check *v, const struct path *at, const char *fmt,
					    ...);
[[gnu::format(printf, 3, 4)]] void forbidden(struct check *v, const struct path *at,
					     const char *fmt, ...);
void duplicate(struct check *v, const struct path *at, struct str value);
void duplicate_value(struct check *v, const struct path *at, const struct json *value);
[[gnu::format(printf, 4, 5)]] void not_found(struct check *v, const struct path *at,
					     struct str value, const char *fmt, ...);
void too_long(struct check *v, const struct path *at, int64_t max);
void too_many(struct check *v, const struct path *at, size_t count, size_t max);
/* supported: comma separated, printed as they stand. */
void unsupported(struct check *v, const struct path *at, struct str value, const char *supported);

/* Sets the member of spec to what old has of it, or to none: it is not compared. */
void keep_member(struct check *v, struct json *spec, const struct json *old, const char *name);

/* ---- lists; NULL is an empty one ---- */
/* The first item whose string under key is text; NULL: there is none. */
const struct json *item_named(const struct json *list, const char *key, struct str text);
/* Does the i-th item, or its string under key, stand in the list before?  See repeats.h. */
bool is_repeated(struct check *v, const struct json *list, size_t i);
bool is_text_repeated(struct check *v, const struct json *list, size_t i, const char *key);
/* Every item that is_repeated(). */
void check_no_duplicates(struct check *v, const struct path *at, const struct json *list);
/* false: there are more than max, which is told; callers then leave the items alone */
bool check_count(struct check *v, const struct path *at, const struct json *list, size_t max);

/* ---- checks; an absent value counts as "" or 0 as it does in Go ---- */
void check_name(struct check *v, const struct path *at, enum name_rule rule, struct str text);
void check_required(struct check *v, const struct path *at, struct str text);
/* The string that s has under name. */
void check_member(struct check *v, const struct path *at, const struct json *s, const char *name);
void check_required_name(struct check *v, const struct path *at, enum name_rule rule,
			 struct str text);
/* "" is unsupported, too */
bool check_enum(struct check *v, const struct path *at, struct str text, const char *supported);
/* absent or "": required */
bool check_required_enum(struct check *v, const struct path *at, struct str text,
			 const char *supported);
/* only when the member is there */
void check_optional_enum(struct check *v, const struct path *at, const struct json *value,
			 const char *supported);
void check_not_negative(struct check *v, const struct path *at, const struct json *value);
void check_port(struct check *v, const struct path *at, const struct json *value);
/* IntOrString as a port: number or IANA name */
void check_port_or_name(struct check *v, const struct path *at, const struct json *value);
void check_immutable(struct check *v, const struct path *at, const struct json *value,
		     const struct json *old);
/* The string `name` of both; absent is "". */
void check_text_immutable(struct check *v, const struct path *at, const struct json *tree,
			  const struct json *old, const char *name);
bool value_equal(const struct json *a, const struct json *b); /* NULL equals null, "" , {} and [] */
bool text_in(struct str text, const char *list);	      /* comma separated */
bool is_ip(struct str text);
/* An address that can be an endpoint or an external one. */
void check_plain_ip(struct check *v, const struct path *at, struct str text);
void check_ip(struct check *v, const struct path *at, struct str text);
void check_cidr(struct check *v, const struct path *at, struct str text);
void check_cidr_strictly(struct check *v, const struct path *at, struct str text);

/* ---- shared structures (validate_meta.c, validate_resources.c) ---- */
void check_meta_create(struct check *v, const struct json *tree, enum name_rule rule);
void check_meta_path_segment(struct check *v, const struct json *tree);
/* What every kind's update is asked; check_meta_update() also asks for domains of finalizers. */
void check_meta_change(struct check *v, const struct json *old, const struct json *tree);
void check_meta_update(struct check *v, const struct json *old, const struct json *tree);
void check_labels(struct check *v, const struct path *at, const struct json *labels);
void check_annotations(struct check *v, const struct path *at, const struct json *annotations);
void check_label_selector(struct check *v, const struct path *at, const struct json *selector);
/* Do the labels satisfy the LabelSelector? */
bool selector_fits(struct check *v, const struct json *selector, const struct json *labels);
/* Can it be turned into a selector at all?  One that is absent can: it selects nothing. */
bool selector_is_sound(struct check *v, const struct json *selector);
void check_conditions(struct check *v, const struct path *at, const struct json *conditions);

struct str quantity_text(struct check *v, const struct json *value);
bool quantity_at(const struct json *map, const char *name, struct quantity *ret_q);
/* Not negative, and whole where only whole amounts make sense. */
void check_resource_amount(struct check *v, const struct path *at, struct str name,
			   const struct json *value);
void check_container_resource_name(struct check *v, const struct path *at, struct str name);
/* Limits and requests of what can not be shared must be equal. */
bool is_overcommit_allowed(struct str name);
void check_quantity_not_negative(struct check *v, const struct path *at, const struct json *value);
void check_resource_name(struct check *v, const struct path *at, struct str name);
void check_container_resources(struct check *v, const struct path *at, const struct json *resources,
			       const struct json *pod_claims);
/* Of the pod as a whole; at: of the spec. */
void check_pod_resources(struct check *v, const struct path *at, const struct json *spec);

/* ---- pods ---- */
struct pod_check {
	const struct json *spec, *meta; /* meta NULL in templates */
	struct json *volumes;		/* the valid ones, that mounts may name */
	bool shares_users;		/* hostUsers is not false */
};
void check_pod_template(struct check *v, const struct path *at, const struct json *template);
/* Those of a pod or of a template that have a form of their own. */
void check_pod_annotations(struct check *v, const struct path *at, const struct json *annotations,
			   const struct json *spec);
/* Annotations and fields of seccomp and AppArmor profiles say the same; at: of the spec. */
void check_profile_annotations(struct check *v, const struct path *at, const struct json *spec,
			       const struct json *annotations);
/* What of those annotations may change, and once more their forms, as upstream has it. */
void check_pod_annotation_updates(struct check *v, const struct json *old, const struct json *tree);
void check_image_spaces(struct check *v, const struct path *at, const struct json *list);
void check_containers(struct check *v, const struct path *at, const struct pod_check *pod);
struct json *check_volumes(struct check *v, const struct path *at, const struct json *volumes,
			   const struct json *meta);
void check_probe(struct check *v, const struct path *at, const struct json *probe,
		 const struct json *spec);
void check_lifecycle(struct check *v, const struct path *at, const struct json *lifecycle,
		     const struct json *spec);
void check_env(struct check *v, const struct path *at, const struct json *list);
/* Files of variables lie in volumes of the pod that are made for it. */
void check_env_files(struct check *v, const struct path *at, const struct json *list,
		     const struct json *volumes);
void check_env_from(struct check *v, const struct path *at, const struct json *list);
void check_field_ref(struct check *v, const struct path *at, const struct json *ref,
		     bool is_volume);
void check_resource_ref(struct check *v, const struct path *at, const struct json *ref,
			bool is_volume);
void check_mounts(struct check *v, const struct path *at, const struct json *container,
		  const struct pod_check *pod);
void check_devices(struct check *v, const struct path *at, const struct json *container,
		   const struct pod_check *pod);
void check_no_backsteps(struct check *v, const struct path *at, struct str text);
void check_descending_path(struct check *v, const struct path *at, struct str text);
void check_id(struct check *v, const struct path *at, const struct json *id); /* of a user */
void check_container_security(struct check *v, const struct path *at, const struct json *context,
			      const struct pod_check *pod);
void check_pod_security(struct check *v, const struct path *spec_at, const struct json *spec);
void check_windows_options(struct check *v, const struct path *at, const struct json *options);
void check_host_process(struct check *v, const struct path *at, const struct json *spec);
void check_os(struct check *v, const struct path *spec_at, const struct json *spec);
void check_affinity(struct check *v, const struct path *at, const struct json *affinity);
void check_node_selector(struct check *v, const struct path *at, const struct json *selector);
void check_tolerations(struct check *v, const struct path *at, const struct json *tolerations);
void check_spread(struct check *v, const struct path *at, const struct json *list);
void check_claim_spec(struct check *v, const struct path *at, const struct json *spec);
void check_claim_template_spec(struct check *v, const struct path *at, const struct json *template);
/* Volume sources that are made of objects. */
void check_secret_volume(struct check *v, const struct path *at, const struct json *s);
void check_config_map_volume(struct check *v, const struct path *at, const struct json *s);
void check_downward_volume(struct check *v, const struct path *at, const struct json *s);
void check_projected_volume(struct check *v, const struct path *at, const struct json *s);
/* One volume source of a PersistentVolume; the others are checked with their volume. */
void check_persistent_source(struct check *v, const struct path *at, const struct json *spec);
/* A volume that is described where it is attached, without an object of its own. */
void check_inline_volume(struct check *v, const struct path *at, const struct json *spec);

/* ---- devices ---- */
/* A name as drivers of storage and devices have it: a subdomain in any case, 63 bytes at most. */
void check_driver_name(struct check *v, const struct path *at, struct str driver);
/* "identifier" or "domain/identifier" */
void check_device_attribute_name(struct check *v, const struct path *at, struct str name);
/* The names of the items of a list: none twice. */
void check_named_once(struct check *v, const struct path *at, const struct json *list);
void check_pool_name(struct check *v, const struct path *at, struct str name);
/* "request" or "request/alternative" of the requests of a claim */
void check_request_name(struct check *v, const struct path *at, struct str name,
			const struct json *requests);
/* Free data of a driver: an object, and not too much. */
void check_raw_object(struct check *v, const struct path *at, const struct json *value);
void check_allocated_config(struct check *v, const struct path *at, const struct json *config,
			    const struct json *requests);

/* Webhooks of admission and of conversion. */
void check_webhook_client(struct check *v, const struct path *at, const struct json *client,
			  bool is_admission); /* else of conversion */
void check_review_versions(struct check *v, const struct path *at, const struct json *versions);

/* As upstream prints a value of its internal types: Go's field names, zero values included. */
struct json *go_struct(struct check *v, const char *type, const struct json *tree);
/* The unified difference of two values in that form, each line with its newline. */
struct str go_diff(struct check *v, const char *type, const struct json *old,
		   const struct json *tree);

/* validate_schema.c: the schema of a version of a CustomResourceDefinition. */
void check_root_schema(struct check *v, const struct path *at, const struct json *schema);

/* validate_core.c's kinds that have a file of their own */
void claim_rules(struct check *v, const struct json *tree);
void claim_update_rules(struct check *v, const struct json *old, const struct json *tree);
void volume_rules(struct check *v, const struct json *tree);
void volume_update_rules(struct check *v, const struct json *old, const struct json *tree);
void service_rules(struct check *v, const struct json *tree);
void service_update_rules(struct check *v, const struct json *old, const struct json *tree);
void quota_rules(struct check *v, const struct json *tree);
void quota_update_rules(struct check *v, const struct json *old, const struct json *tree);
void limit_range_rules(struct check *v, const struct json *tree);
void node_rules(struct check *v, const struct json *tree);
void node_update_rules(struct check *v, const struct json *old, const struct json *tree);
void core_event_rules(struct check *v, const struct json *tree);
void event_rules(struct check *v, const struct json *tree);
void event_update_rules(struct check *v, const struct json *old, const struct json *tree);
void device_slice_rules(struct check *v, const struct json *tree);
void device_slice_update_rules(struct check *v, const struct json *old, const struct json *tree);
void endpoints_rules(struct check *v, const struct json *tree);
void controller_rules(struct check *v, const struct json *tree);
void pod_create_rules(struct check *v, const struct json *tree);
void csr_rules(struct check *v, const struct json *tree);
void csr_update_rules(struct check *v, const struct json *old, const struct json *tree);
void slice_rules(struct check *v, const struct json *tree);
void slice_update_rules(struct check *v, const struct json *old, const struct json *tree);
void job_rules(struct check *v, const struct json *tree);
void job_update_rules(struct check *v, const struct json *old, const struct json *tree);
void cron_job_rules(struct check *v, const struct json *tree);
void autoscaler_rules(struct check *v, const struct json *tree);
void autoscaler_update_rules(struct check *v, const struct json *old, const struct json *tree);
void check_schedule(struct check *v, const struct path *at, struct str schedule);
void check_time_zone(struct check *v, const struct path *at, const struct json *zone);
int64_t int_or_percent(const struct json *value); /* its number, without the sign */
void pod_update_rules(struct check *v, const struct json *old, const struct json *tree);
void pod_template_rules(struct check *v, const struct json *tree);
void pod_parts(struct check *v, const struct json *tree); /* what create and update share */

/* validate_status.c: the part rules of kinds */
typedef void part_rules(struct check *v, const struct json *old, const struct json *tree,
			const char *subresource);
part_rules pod_part_rules, namespace_part_rules, service_part_rules, ingress_part_rules,
	deployment_part_rules, replica_set_part_rules, stateful_set_part_rules,
	autoscaler_part_rules, csr_part_rules, job_part_rules, daemon_set_part_rules,
	quota_part_rules, budget_part_rules, node_part_rules, claim_part_rules,
	device_claim_part_rules;

/* ---- tables of kinds ---- */
#define NAME_GENERIC                                                                               \
	NAME_NONE /* only what every object must have, and only when the rest is good */

struct kind_rules {
	const char *group, *kind;
	enum name_rule name;
	void (*create)(struct check *v, const struct json *tree);
	/* main updates; NULL: create's rules hold again */
	void (*update)(struct check *v, const struct json *old, const struct json *tree);
	/* "status" and others; NULL: metadata only */
	void (*part)(struct check *v, const struct json *old, const struct json *tree,
		     const char *subresource);
	/* Which rules an update goes through, after those of all kinds, and in which order: c:
	 * metadata as a create has it judged; u: as an update has; s: the kind's own; r: its own of
	 * a create.  NULL: "ucs", and "us" of a subresource. */
	const char *steps, *part_steps;
};

extern const struct kind_rules validate_core[], validate_apps[], validate_net[], validate_storage[],
	validate_rbac[], validate_flow[], validate_admission[], validate_device[], validate_crd[],
	validate_other[];

#endif
