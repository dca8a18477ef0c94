/* PersistentVolumeClaim and PersistentVolume. */
#include "api/validate-int.h"

#define MODES "ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod"

static void check_modes(struct check *v, const struct path *at, const struct json *modes)
{
	bool once_pod = false, others = false;
	FOR_ITEMS(i, mode, modes)
	{
		check_enum(v, at, json_str(mode), MODES);
		once_pod |= str_is(json_str(mode), "ReadWriteOncePod");
		others |= !str_is(json_str(mode), "ReadWriteOncePod");
	}
	if (once_pod && others)
		forbidden(v, at, "may not use ReadWriteOncePod with other access modes");
}

static void check_positive(struct check *v, const struct path *at, const struct json *value)
{
	struct quantity q;
	if (quantity_parse(json_str(value), &q, NULL) == RC_OK && quantity_sign(q) <= 0)
		bad_text(v, at, quantity_text(v, value), "must be greater than zero");
}

static void check_source_ref(struct check *v, const struct path *at, const struct json *ref)
{
	struct str group = TEXT(ref, "apiGroup"), kind = TEXT(ref, "kind");
	if (!ref)
		return;
	check_required(v, MEMBER(at, "name"), TEXT(ref, "name"));
	check_required(v, MEMBER(at, "kind"), kind);
	if (group.len == 0 && !str_is(kind, "PersistentVolumeClaim"))
		bad_text(v, at, kind.at ? kind : STR(""),
			 "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
	else if (group.len > 0)
		check_name(v, MEMBER(at, "apiGroup"), NAME_DNS_SUBDOMAIN, group);
}

/* A pointer that is not set differs from one to "". */
static bool is_same_text(const struct json *a, const struct json *b)
{
	return (a != NULL) == (b != NULL) && str_eq(json_str(a), json_str(b));
}

static bool has_same_source(const struct json *spec)
{
	const struct json *a = GET(spec, "dataSource"), *b = GET(spec, "dataSourceRef");
	if (!a || !b)
		return true;
	return is_same_text(GET(a, "apiGroup"), GET(b, "apiGroup")) &&
	       str_eq(TEXT(a, "kind"), TEXT(b, "kind")) && str_eq(TEXT(a, "name"), TEXT(b, "name"));
}

void check_claim_spec(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *storage = GET(GET(GET(spec, "resources"), "requests"), "storage");
	if (COUNT(spec, "accessModes") == 0)
		required(v, MEMBER(at, "accessModes"), "at least 1 access mode is required");
	check_label_selector(v, MEMBER(at, "selector"), GET(spec, "selector"));
	check_modes(v, MEMBER(at, "accessModes"), GET(spec, "accessModes"));
	if (!storage)
		required(v, KEY(MEMBER(at, "resources"), STR("storage")), "%s", "");
	else
		check_positive(v, KEY(MEMBER(at, "resources"), STR("storage")), storage);
	if (TEXT(spec, "storageClassName").len > 0)
		check_name(v, MEMBER(at, "storageClassName"), NAME_DNS_SUBDOMAIN,
			   TEXT(spec, "storageClassName"));
	check_optional_enum(v, MEMBER(at, "volumeMode"), GET(spec, "volumeMode"),
			    "Block,Filesystem");
	check_source_ref(v, MEMBER(at, "dataSource"), GET(spec, "dataSource"));
	check_source_ref(v, MEMBER(at, "dataSourceRef"), GET(spec, "dataSourceRef"));
	if (!has_same_source(spec))
		bad(v, at, json_object(v->arena), "must match dataSourceRef");
	if (TEXT(spec, "volumeAttributesClassName").len > 0)
		check_name(v, MEMBER(at, "volumeAttributesClassName"), NAME_DNS_SUBDOMAIN,
			   TEXT(spec, "volumeAttributesClassName"));
}

void check_claim_template_spec(struct check *v, const struct path *at, const struct json *template)
{
	const struct json *meta = GET(template, "metadata");
	check_labels(v, MEMBER(MEMBER(at, "metadata"), "labels"), GET(meta, "labels"));
	check_annotations(v, MEMBER(MEMBER(at, "metadata"), "annotations"),
			  GET(meta, "annotations"));
	check_claim_spec(v, MEMBER(at, "spec"), GET(template, "spec"));
}

void claim_rules(struct check *v, const struct json *tree)
{
	check_claim_spec(v, ROOT("spec"), GET(tree, "spec"));
}

static const struct json *storage_request(const struct json *spec)
{
	return GET(GET(GET(spec, "resources"), "requests"), "storage");
}

/* A claim may shrink again after a failed expansion, but not below what it has. */
static void check_claim_size(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *had = GET(GET(old_tree, "status"), "capacity");
	struct quantity was = {}, is = {}, has = {};
	const struct json *before = storage_request(GET(old_tree, "spec"));
	const struct json *now = storage_request(GET(tree, "spec"));
	if ((before && quantity_parse(json_str(before), &was, NULL) != RC_OK) ||
	    (now && quantity_parse(json_str(now), &is, NULL) != RC_OK))
		return;
	if (!quantity_at(had, "storage", &has))
		has.nano = 0;
	if (quantity_cmp(is, was) < 0 && quantity_cmp(is, has) <= 0)
		forbidden(v,
			  MEMBER(MEMBER(MEMBER(ROOT("spec"), "resources"), "requests"), "storage"),
			  "field can not be less than status.capacity");
}

/* A class that the claim's volume has by now can be changed, and not be taken away. */
static void check_claim_class(struct check *v, const struct json *old_tree, const struct json *spec)
{
	const struct json *is = GET(spec, "volumeAttributesClassName");
	const struct json *current =
		GET(GET(old_tree, "status"), "currentVolumeAttributesClassName");
	const struct path *at = MEMBER(ROOT("spec"), "volumeAttributesClassName");
	if (!GET(GET(old_tree, "spec"), "volumeAttributesClassName") || !current)
		return;
	if (!is)
		forbidden(v, at,
			  "update to nil is forbidden when "
			  "status.currentVolumeAttributesClassName is not nil");
	else if (json_str(is).len == 0)
		forbidden(v, at,
			  "update to empty string is forbidden when "
			  "status.currentVolumeAttributesClassName is not nil");
}

/* Once there is a class, there is always one. */
static void check_volume_class_change(struct check *v, const struct json *old,
				      const struct json *spec)
{
	if (GET(old, "volumeAttributesClassName") && !GET(spec, "volumeAttributesClassName"))
		forbidden(v, MEMBER(ROOT("spec"), "volumeAttributesClassName"),
			  "update from non-nil value to nil is forbidden");
}

void claim_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec");
	struct json *spec = json_copy(v->arena, GET(tree, "spec"));
	bool is_bound = str_is(TEXT(GET(old_tree, "status"), "phase"), "Bound");
	claim_rules(v, tree);
	if (TEXT(old, "volumeName").len == 0)
		keep_member(v, spec, old, "volumeName");
	if (!GET(old, "storageClassName") && GET(spec, "storageClassName"))
		keep_member(v, spec, old, "storageClassName");
	if (is_bound) {
		keep_member(v, spec, old, "resources");
		keep_member(v, spec, old, "volumeAttributesClassName");
	}
	if (!value_equal(old, spec)) {
		struct str diff = go_diff(v, "PersistentVolumeClaimSpec", old, spec);
		forbidden(v, ROOT("spec"),
			  "spec is immutable after creation except resources.requests and "
			  "volumeAttributesClassName for bound claims\n%.*s",
			  STR_FMT(diff));
	}
	check_claim_size(v, old_tree, tree);
	check_immutable(v, ROOT("volumeMode"), GET(GET(tree, "spec"), "volumeMode"),
			GET(old, "volumeMode"));
	check_claim_class(v, old_tree, GET(tree, "spec"));
}

#define RESIZE_STATES                                                                              \
	"ControllerResizeInProgress,ControllerResizeInfeasible,NodeResizeInProgress,"              \
	"NodeResizeInfeasible,NodeResizePending"

/* false: an error has been told */
static bool check_claim_resource(struct check *v, const struct path *at, struct str name)
{
	size_t before = v->errors->count;
	check_name(v, at, NAME_QUALIFIED, name);
	if (v->errors->count == before && !memchr(name.at, '/', name.len) &&
	    !str_is(name, "storage"))
		unsupported(v, at, name, "storage");
	return v->errors->count == before;
}

/* false: an error has been told */
static bool check_basic_amount(struct check *v, const struct path *at, const struct json *value)
{
	struct quantity q;
	if (quantity_parse(json_str(value), &q, NULL) != RC_OK || quantity_sign(q) >= 0)
		return true;
	bad(v, at, json_int(v->arena, quantity_value(q)), "must be a valid resource quantity");
	return false;
}

void claim_part_rules(struct check *v, const struct json *old, const struct json *tree,
		      const char *subresource)
{
	const struct json *status = GET(tree, "status"), *capacity = GET(status, "capacity");
	const struct json *states = GET(status, "allocatedResourceStatuses");
	const struct json *allocated = GET(status, "allocatedResources");
	const struct path *at = ROOT("status"),
			  *states_at = MEMBER(at, "allocatedResourceStatuses");
	const struct path *allocated_at = MEMBER(at, "allocatedResources");
	for (size_t i = 0; i < json_count(capacity); i++) {
		struct json_member m = capacity->object.members[i];
		check_basic_amount(v, KEY(MEMBER(at, "capacity"), m.key), m.value);
	}
	for (size_t i = 0; i < json_count(states); i++) {
		struct json_member m = states->object.members[i];
		check_claim_resource(v, states_at, m.key);
		if (!text_in(json_str(m.value), RESIZE_STATES))
			unsupported(v, states_at, m.key, RESIZE_STATES);
	}
	for (size_t i = 0; i < json_count(allocated); i++) {
		struct json_member m = allocated->object.members[i];
		if (check_claim_resource(v, allocated_at, m.key))
			check_basic_amount(v, KEY(allocated_at, m.key), m.value);
	}
}

/* ---- PersistentVolume ---- */

static void check_capacity(struct check *v, const struct path *at, const struct json *capacity)
{
	if (json_count(capacity) == 0)
		required(v, at, "%s", "");
	if (!GET(capacity, "storage") || json_count(capacity) > 1)
		field_error_not_supported(v->errors, path_text(v, at),
					  capacity ? capacity : json_null(v->arena),
					  STR("storage"));
	for (size_t i = 0; i < json_count(capacity); i++) {
		struct json_member m = capacity->object.members[i];
		struct quantity q;
		if (!str_is(m.key, "storage") ||
		    quantity_parse(json_str(m.value), &q, NULL) != RC_OK)
			continue;
		check_basic_amount(v, KEY(at, m.key), m.value);
		check_positive(v, KEY(at, m.key), m.value);
	}
}

static const char not_inline[] = "may not be specified in the context of inline volumes";

static void bar_inline(struct check *v, const struct path *at, const struct json *spec,
		       const char *name)
{
	const struct json *value = member_of(spec, str_of(name));
	bool is_empty_text = value && value->type == JSON_STRING && value->string.len == 0;
	if (value && !is_empty_text)
		forbidden(v, MEMBER(at, name), "%s", not_inline);
}

static void check_volume_affinity(struct check *v, const struct path *at,
				  const struct json *affinity)
{
	if (!affinity)
		return;
	if (!GET(affinity, "required"))
		required(v, MEMBER(at, "required"), "must specify required node constraints");
	else
		check_node_selector(v, MEMBER(at, "required"), GET(affinity, "required"));
}

static void check_volume_modes(struct check *v, const struct path *at, const struct json *spec)
{
	if (COUNT(spec, "accessModes") == 0)
		required(v, MEMBER(at, "accessModes"), "%s", "");
	check_modes(v, MEMBER(at, "accessModes"), GET(spec, "accessModes"));
}

void check_inline_volume(struct check *v, const struct path *at, const struct json *spec)
{
	bar_inline(v, at, spec, "claimRef");
	bar_inline(v, at, spec, "capacity");
	if (!GET(spec, "csi"))
		required(v, MEMBER(at, "csi"),
			 "has to be specified in the context of inline volumes");
	check_volume_modes(v, at, spec);
	if (TEXT(spec, "persistentVolumeReclaimPolicy").len > 0 &&
	    !str_is(TEXT(spec, "persistentVolumeReclaimPolicy"), "Retain"))
		forbidden(v, MEMBER(at, "persistentVolumeReclaimPolicy"),
			  "may only be Retain in the context of inline volumes");
	bar_inline(v, at, spec, "nodeAffinity");
	check_persistent_source(v, at, spec);
	bar_inline(v, at, spec, "storageClassName");
	if (GET(spec, "volumeMode") && !str_is(TEXT(spec, "volumeMode"), "Filesystem"))
		forbidden(v, MEMBER(at, "volumeMode"),
			  "may not specify volumeMode other than Filesystem in the context of "
			  "inline volumes");
}

/* "/", however it is written */
static bool is_root(struct str path)
{
	struct str part, rest = path;
	size_t depth = 0;
	for (bool more = str_has_prefix(path, STR("/")); more;) {
		more = str_cut(rest, '/', &part, &rest);
		if (str_is(part, ".."))
			depth -= depth > 0;
		else if (part.len > 0 && !str_is(part, "."))
			depth++;
	}
	return str_has_prefix(path, STR("/")) && depth == 0;
}

static void check_volume_class(struct check *v, const struct path *at, const struct json *spec)
{
	const struct path *here = MEMBER(at, "volumeAttributesClassName");
	if (TEXT(spec, "storageClassName").len > 0)
		check_name(v, MEMBER(at, "storageClassName"), NAME_DNS_SUBDOMAIN,
			   TEXT(spec, "storageClassName"));
	check_optional_enum(v, MEMBER(at, "volumeMode"), GET(spec, "volumeMode"),
			    "Block,Filesystem");
	if (!GET(spec, "volumeAttributesClassName"))
		return;
	if (TEXT(spec, "volumeAttributesClassName").len == 0)
		required(v, here, "an empty string is disallowed");
	else
		check_name(v, here, NAME_DNS_SUBDOMAIN, TEXT(spec, "volumeAttributesClassName"));
	if (!GET(spec, "csi"))
		required(v, MEMBER(at, "csi"),
			 "has to be specified when using volumeAttributesClassName");
}

static const char *const source_names[] = {
	"gcePersistentDisk",
	"awsElasticBlockStore",
	"hostPath",
	"glusterfs",
	"nfs",
	"rbd",
	"quobyte",
	"iscsi",
	"flexVolume",
	"cinder",
	"cephfs",
	"fc",
	"flocker",
	"azureFile",
	"vsphereVolume",
	"azureDisk",
	"photonPersistentDisk",
	"portworxVolume",
	"scaleIO",
	"local",
	"storageos",
	"csi",
};

static bool is_first_source(const struct json *spec, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(source_names) && !str_is(str_of(source_names[i]), name);
	     i++)
		if (member_of(spec, str_of(source_names[i])))
			return false;
	return true;
}

#define MOUNT_OPTIONS "volume.beta.kubernetes.io/mount-options"

/* Options in the old annotation are only for volumes that a kernel mounts. */
static void check_mount_options(struct check *v, const struct json *tree)
{
	static const char *const mounted[] = {"gcePersistentDisk",
					      "awsElasticBlockStore",
					      "glusterfs",
					      "nfs",
					      "rbd",
					      "iscsi",
					      "cinder",
					      "cephfs",
					      "azureFile",
					      "vsphereVolume",
					      "quobyte",
					      "azureDisk",
					      "photonPersistentDisk"};
	const struct path *at = MEMBER(ROOT("metadata"), "annotations");
	if (!json_get(GET(GET(tree, "metadata"), "annotations"), STR(MOUNT_OPTIONS)))
		return;
	for (size_t i = 0; i < ARRAY_LEN(mounted); i++)
		if (member_of(GET(tree, "spec"), str_of(mounted[i])))
			return;
	forbidden(v, MEMBER(at, MOUNT_OPTIONS),
		  "may not specify mount options for this volume type");
}

void volume_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	struct str reclaim = TEXT(spec, "persistentVolumeReclaimPolicy");
	const struct path *reclaim_at = MEMBER(at, "persistentVolumeReclaimPolicy");
	check_volume_modes(v, at, spec);
	check_capacity(v, MEMBER(at, "capacity"), GET(spec, "capacity"));
	if (reclaim.len > 0)
		check_enum(v, reclaim_at, reclaim, "Delete,Recycle,Retain");
	check_volume_affinity(v, MEMBER(at, "nodeAffinity"), GET(spec, "nodeAffinity"));
	check_persistent_source(v, at, spec);
	if (GET(spec, "local") && !GET(spec, "nodeAffinity") && is_first_source(spec, "local"))
		required(v, MEMBER(at, "nodeAffinity"), "Local volume requires node affinity");
	if (str_is(reclaim, "Recycle") && is_root(TEXT(GET(spec, "hostPath"), "path")))
		forbidden(v, reclaim_at, "may not be 'recycle' for a hostPath mount of '/'");
	check_volume_class(v, at, spec);
	check_mount_options(v, tree);
}

static struct json *source_of(struct check *v, const struct json *spec)
{
	struct json *source = json_object(v->arena);
	for (size_t i = 0; i < ARRAY_LEN(source_names); i++) {
		struct json *value = json_get(spec, str_of(source_names[i]));
		if (value)
			json_set(v->arena, source, str_of(source_names[i]), value);
	}
	return source;
}

/* A secret for expansion may be named once. */
static struct json *without_new_secret(struct check *v, const struct json *old,
				       const struct json *spec)
{
	struct json *source = source_of(v, spec);
	const struct json *csi = GET(source, "csi"), *old_csi = GET(old, "csi");
	if (!old_csi || GET(old_csi, "controllerExpandSecretRef") ||
	    !GET(csi, "controllerExpandSecretRef"))
		return source;
	struct json *copy = json_copy(v->arena, csi);
	json_remove(copy, STR("controllerExpandSecretRef"));
	json_set(v->arena, source, STR("csi"), copy);
	return source;
}

void volume_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const struct json *affinity = GET(spec, "nodeAffinity"), *had = GET(old, "nodeAffinity");
	struct json *was = source_of(v, old), *is = without_new_secret(v, old, spec);
	volume_rules(v, tree);
	if (!value_equal(was, is)) {
		struct str diff = go_diff(v, "PersistentVolumeSource", was, is);
		forbidden(v, MEMBER(ROOT("spec"), "persistentvolumesource"),
			  "spec.persistentvolumesource is immutable after creation\n%.*s",
			  STR_FMT(diff));
	}
	check_immutable(v, ROOT("volumeMode"), GET(spec, "volumeMode"), GET(old, "volumeMode"));
	if (had && !value_equal(affinity, had))
		bad(v, ROOT("nodeAffinity"),
		    affinity ? go_struct(v, "VolumeNodeAffinity", affinity) : NULL,
		    "field is immutable, except for updating from beta label to GA");
	check_volume_class_change(v, old, spec);
}
