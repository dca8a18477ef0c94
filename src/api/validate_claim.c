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
	if (group.len == 0 && kind.len > 0 && !str_is(kind, "PersistentVolumeClaim"))
		bad(v, at, json_cstring(v->arena, ""),
		    "apiGroup must be specified when kind is not "
		    "PersistentVolumeClaim");
	else if (group.len > 0)
		check_name(v, MEMBER(at, "apiGroup"), NAME_DNS_SUBDOMAIN, group);
}

static bool has_same_source(const struct json *spec)
{
	static const char *const parts[] = {"apiGroup", "kind", "name"};
	const struct json *a = GET(spec, "dataSource"), *b = GET(spec, "dataSourceRef");
	if (!a || !b)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		if (!value_equal(json_get(a, str_of(parts[i])), json_get(b, str_of(parts[i]))))
			return false;
	return true;
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

static void keep(struct check *v, struct json *spec, const struct json *old, const char *name)
{
	struct json *value = json_get(old, str_of(name));
	if (value)
		json_set(v->arena, spec, str_of(name), value);
	else
		json_remove(spec, str_of(name));
}

void claim_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec");
	struct json *spec = json_copy(v->arena, GET(tree, "spec"));
	struct quantity was, is;
	bool is_bound = str_is(TEXT(GET(old_tree, "status"), "phase"), "Bound");
	claim_rules(v, tree);
	if (TEXT(old, "volumeName").len == 0)
		keep(v, spec, old, "volumeName");
	if (!GET(old, "storageClassName") && GET(spec, "storageClassName"))
		keep(v, spec, old, "storageClassName");
	if (is_bound) {
		keep(v, spec, old, "resources");
		keep(v, spec, old, "volumeAttributesClassName");
	}
	if (!value_equal(old, spec)) {
		struct str diff = go_diff(v, "PersistentVolumeClaimSpec", old, spec);
		forbidden(v, ROOT("spec"),
			  "spec is immutable after creation except resources.requests and "
			  "volumeAttributesClassName for bound claims\n%.*s",
			  STR_FMT(diff));
	}
	if (is_bound && quantity_at(GET(GET(old, "resources"), "requests"), "storage", &was) &&
	    quantity_at(GET(GET(GET(tree, "spec"), "resources"), "requests"), "storage", &is) &&
	    quantity_cmp(is, was) < 0)
		forbidden(v,
			  MEMBER(MEMBER(MEMBER(ROOT("spec"), "resources"), "requests"), "storage"),
			  "field can not be less than status.capacity");
	check_immutable(v, MEMBER(ROOT("spec"), "volumeMode"), GET(GET(tree, "spec"), "volumeMode"),
			GET(old, "volumeMode"));
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
		if (quantity_sign(q) < 0)
			bad(v, KEY(at, m.key), json_int(v->arena, quantity_value(q)),
			    "must be a valid resource quantity");
		check_positive(v, KEY(at, m.key), m.value);
	}
}

static void check_volume_affinity(struct check *v, const struct path *at, const struct json *spec)
{
	const struct json *affinity = GET(spec, "nodeAffinity");
	const struct path *here = MEMBER(at, "nodeAffinity");
	if (!affinity) {
		if (GET(spec, "local"))
			required(v, here, "Local volume requires node affinity");
		return;
	}
	if (!GET(affinity, "required"))
		required(v, MEMBER(here, "required"), "must specify required node constraints");
	else
		check_node_selector(v, MEMBER(here, "required"), GET(affinity, "required"));
}

void volume_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	struct str reclaim = TEXT(spec, "persistentVolumeReclaimPolicy");
	const struct path *reclaim_at = MEMBER(at, "persistentVolumeReclaimPolicy");
	if (COUNT(spec, "accessModes") == 0)
		required(v, MEMBER(at, "accessModes"), "%s", "");
	check_modes(v, MEMBER(at, "accessModes"), GET(spec, "accessModes"));
	check_capacity(v, MEMBER(at, "capacity"), GET(spec, "capacity"));
	if (reclaim.len > 0)
		check_enum(v, reclaim_at, reclaim, "Delete,Recycle,Retain");
	size_t before = v->errors->count;
	check_persistent_source(v, at, spec, TEXT(GET(tree, "metadata"), "name"));
	if (v->errors->count == before || GET(spec, "nodeAffinity") || GET(spec, "local"))
		check_volume_affinity(v, at, spec);
	if (GET(spec, "hostPath") && str_is(TEXT(GET(spec, "hostPath"), "path"), "/") &&
	    str_is(reclaim, "Recycle"))
		forbidden(v, reclaim_at, "may not be 'recycle' for a hostPath mount of '/'");
	if (TEXT(spec, "storageClassName").len > 0)
		check_name(v, MEMBER(at, "storageClassName"), NAME_DNS_SUBDOMAIN,
			   TEXT(spec, "storageClassName"));
	check_optional_enum(v, MEMBER(at, "volumeMode"), GET(spec, "volumeMode"),
			    "Block,Filesystem");
	if (GET(spec, "volumeAttributesClassName")) {
		check_required_name(v, MEMBER(at, "volumeAttributesClassName"), NAME_DNS_SUBDOMAIN,
				    TEXT(spec, "volumeAttributesClassName"));
		if (!GET(spec, "csi"))
			required(v, MEMBER(at, "csi"),
				 "has to be specified when using volumeAttributesClassName");
	}
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

void volume_update_rules(struct check *v, const struct json *old_tree, const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	struct json *was = source_of(v, old), *is = source_of(v, spec);
	volume_rules(v, tree);
	if (!value_equal(was, is)) {
		struct str diff = go_diff(v, "PersistentVolumeSource", was, is);
		forbidden(v, MEMBER(ROOT("spec"), "persistentvolumesource"),
			  "spec.persistentvolumesource is immutable after creation\n%.*s",
			  STR_FMT(diff));
	}
	check_immutable(v, MEMBER(ROOT("spec"), "volumeMode"), GET(spec, "volumeMode"),
			GET(old, "volumeMode"));
}
