/* The storage group. */
#include "api/validate-int.h"

static struct str lower(struct arena *a, struct str s)
{
	char *out = arena_cstr(a, s);
	for (size_t i = 0; i < s.len; i++)
		if (out[i] >= 'A' && out[i] <= 'Z')
			out[i] = (char)(out[i] - 'A' + 'a');
	return str_n(out, s.len);
}

static void check_provisioner(struct check *v, const struct path *at, struct str name)
{
	if (name.len == 0)
		required(v, at, "%s", "");
	else
		check_name(v, at, NAME_QUALIFIED, lower(v->arena, name));
}

#define PARAMETERS_MAX	     512
#define PARAMETERS_MAX_BYTES (256 << 10)

static void check_parameters(struct check *v, const struct path *at, const struct json *parameters)
{
	size_t total = 0;
	if (json_count(parameters) > PARAMETERS_MAX) {
		too_long(v, at, PARAMETERS_MAX);
		return;
	}
	for (size_t i = 0; i < json_count(parameters); i++) {
		struct json_member m = parameters->object.members[i];
		if (m.key.len == 0)
			bad_text(v, at, m.key, "field can not be empty.");
		total += m.key.len + json_str(m.value).len;
	}
	if (total > PARAMETERS_MAX_BYTES)
		too_long(v, at, PARAMETERS_MAX_BYTES);
}

/* ---- StorageClass ---- */

static void check_topology_term(struct check *v, const struct path *at, const struct json *term)
{
	const struct json *list = GET(term, "matchLabelExpressions");
	const struct path *list_at = MEMBER(at, "matchLabelExpressions");
	FOR_ITEMS(i, e, list)
	{
		const struct path *here = ITEM(list_at, i);
		const struct json *values = GET(e, "values");
		if (json_count(values) == 0)
			required(v, MEMBER(here, "values"), "%s", "");
		FOR_ITEMS(k, value, values)
		{
			if (is_repeated(v, values, k))
				duplicate_value(v, ITEM(MEMBER(here, "values"), k), value);
		}
		check_name(v, MEMBER(here, "key"), NAME_QUALIFIED, TEXT(e, "key"));
		if (is_text_repeated(v, list, i, "key"))
			duplicate(v, MEMBER(here, "key"), TEXT(e, "key"));
	}
}

static void check_topologies(struct check *v, const struct path *at, const struct json *terms)
{
	FOR_ITEMS(i, term, terms)
	{
		check_topology_term(v, ITEM(at, i), term);
		if (is_repeated(v, terms, i) || COUNT(term, "matchLabelExpressions") == 0)
			duplicate(v, MEMBER(ITEM(at, i), "matchLabelExpressions"), STR(""));
	}
}

static void storage_class_rules(struct check *v, const struct json *tree)
{
	check_provisioner(v, ROOT("provisioner"), TEXT(tree, "provisioner"));
	check_parameters(v, ROOT("parameters"), GET(tree, "parameters"));
	if (TEXT(tree, "reclaimPolicy").len > 0)
		check_enum(v, ROOT("reclaimPolicy"), TEXT(tree, "reclaimPolicy"), "Delete,Retain");
	if (!GET(tree, "volumeBindingMode"))
		required(v, ROOT("volumeBindingMode"), "%s", "");
	else
		check_enum(v, ROOT("volumeBindingMode"), TEXT(tree, "volumeBindingMode"),
			   "Immediate,WaitForFirstConsumer");
	check_topologies(v, ROOT("allowedTopologies"), GET(tree, "allowedTopologies"));
}

static void storage_class_update_rules(struct check *v, const struct json *old,
				       const struct json *tree)
{
	storage_class_rules(v, tree);
	if (!value_equal(GET(old, "parameters"), GET(tree, "parameters")))
		forbidden(v, ROOT("parameters"), "updates to parameters are forbidden.");
	if (!value_equal(GET(old, "provisioner"), GET(tree, "provisioner")))
		forbidden(v, ROOT("provisioner"), "updates to provisioner are forbidden.");
	if (!value_equal(GET(old, "reclaimPolicy"), GET(tree, "reclaimPolicy")))
		forbidden(v, ROOT("reclaimPolicy"), "updates to reclaimPolicy are forbidden.");
	check_immutable(v, ROOT("volumeBindingMode"), GET(tree, "volumeBindingMode"),
			GET(old, "volumeBindingMode"));
}

/* ---- CSIDriver, CSINode, CSIStorageCapacity ---- */

static void check_tokens(struct check *v, const struct path *at, const struct json *tokens)
{
	FOR_ITEMS(i, token, tokens)
	{
		const struct path *here = ITEM(at, i);
		const struct json *seconds = GET(token, "expirationSeconds");
		if (is_text_repeated(v, tokens, i, "audience")) {
			duplicate(v, MEMBER(here, "audience"), TEXT(token, "audience"));
			continue;
		}
		if (seconds && json_i64(seconds) < 600)
			bad(v, MEMBER(here, "expirationSeconds"), seconds,
			    "may not specify a duration less than 10 minutes");
		if (json_i64(seconds) > (1ll << 32))
			bad(v, MEMBER(here, "expirationSeconds"), seconds,
			    "may not specify a duration larger than 2^32 seconds");
	}
}

static void csi_driver_rules(struct check *v, const struct json *tree)
{
	static const char *const needed[] = {"attachRequired", "podInfoOnMount", "storageCapacity"};
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!json_get(spec, str_of(needed[i])))
			required(v, MEMBER(at, needed[i]), "%s", "");
	check_optional_enum(v, MEMBER(at, "fsGroupPolicy"), GET(spec, "fsGroupPolicy"),
			    "File,None,ReadWriteOnceWithFSType");
	check_tokens(v, MEMBER(at, "tokenRequests"), GET(spec, "tokenRequests"));
	FOR_ITEMS(i, mode, GET(spec, "volumeLifecycleModes"))
	{
		check_enum(v, MEMBER(at, "volumeLifecycleModes"), json_str(mode),
			   "Persistent,Ephemeral");
	}
	const struct json *in_secrets = GET(spec, "serviceAccountTokenInSecrets");
	if (in_secrets && COUNT(spec, "tokenRequests") == 0)
		bad(v, MEMBER(at, "serviceAccountTokenInSecrets"), in_secrets,
		    "serviceAccountTokenInSecrets is set but no tokenRequests are specified");
	const struct json *period = GET(spec, "nodeAllocatableUpdatePeriodSeconds");
	if (period && json_i64(period) < 10)
		bad(v, MEMBER(at, "nodeAllocatableUpdatePeriodSeconds"), period,
		    "must be greater than or equal to 10 seconds");
}

static void csi_driver_update_rules(struct check *v, const struct json *old_tree,
				    const struct json *tree)
{
	const struct json *old = GET(old_tree, "spec"), *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	csi_driver_rules(v, tree);
	check_immutable(v, MEMBER(at, "attachedRequired"), GET(spec, "attachRequired"),
			GET(old, "attachRequired"));
	check_immutable(v, MEMBER(at, "volumeLifecycleModes"), GET(spec, "volumeLifecycleModes"),
			GET(old, "volumeLifecycleModes"));
}

static void check_csi_node_driver(struct check *v, const struct path *at,
				  const struct json *drivers, size_t i)
{
	const struct json *driver = json_at(drivers, i), *keys = GET(driver, "topologyKeys");
	struct str name = TEXT(driver, "name"), id = TEXT(driver, "nodeID");
	const struct json *count = GET(GET(driver, "allocatable"), "count");
	check_driver_name(v, MEMBER(at, "name"), name);
	if (id.len == 0)
		required(v, MEMBER(at, "nodeID"), "%s", "");
	else if (id.len > 256)
		bad_text(v, MEMBER(at, "nodeID"), id, "must be 256 characters or less");
	if (count && json_i64(count) < 0)
		check_not_negative(v, MEMBER(MEMBER(at, "allocatable"), "count"), count);
	if (is_text_repeated(v, drivers, i, "name"))
		duplicate(v, MEMBER(at, "name"), name);
	FOR_ITEMS(m, key, keys)
	{
		if (is_repeated(v, keys, m))
			duplicate_value(v, at, key);
		check_required(v, at, json_str(key));
		check_name(v, at, NAME_QUALIFIED, json_str(key));
	}
}

static void csi_node_rules(struct check *v, const struct json *tree)
{
	const struct json *drivers = GET(GET(tree, "spec"), "drivers");
	for (size_t i = 0; i < json_count(drivers); i++)
		check_csi_node_driver(v, ITEM(MEMBER(ROOT("spec"), "drivers"), i), drivers, i);
}

/* How many volumes a node takes may change. */
static struct json *without_allocatable(struct check *v, const struct json *driver)
{
	struct json *copy = json_copy(v->arena, driver);
	json_remove(copy, STR("allocatable"));
	return copy;
}

static void csi_node_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	const struct json *was = GET(GET(old, "spec"), "drivers"),
			  *is = GET(GET(tree, "spec"), "drivers");
	csi_node_rules(v, tree);
	csi_node_rules(v, tree); /* upstream's strategy says it twice */
	FOR_ITEMS(i, before, was)
	{
		FOR_ITEMS(k, now, is)
		{
			struct json *had = without_allocatable(v, before);
			struct json *has = without_allocatable(v, now);
			if (str_eq(TEXT(before, "name"), TEXT(now, "name")) &&
			    !value_equal(had, has))
				bad(v, MEMBER(ROOT("spec"), "drivers"),
				    go_struct(v, "CSINodeDriver", has), "field is immutable");
		}
	}
}

static void capacity_rules(struct check *v, const struct json *tree)
{
	check_label_selector(v, ROOT("nodeTopology"), GET(tree, "nodeTopology"));
	check_name(v, ROOT("storageClassName"), NAME_DNS_SUBDOMAIN, TEXT(tree, "storageClassName"));
	if (GET(tree, "capacity"))
		check_quantity_not_negative(v, ROOT("capacity"), GET(tree, "capacity"));
}

static void capacity_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	check_immutable(v, ROOT("nodeTopology"), GET(tree, "nodeTopology"),
			GET(old, "nodeTopology"));
	check_immutable(v, ROOT("storageClassName"), GET(tree, "storageClassName"),
			GET(old, "storageClassName"));
	capacity_rules(v, tree);
}

/* ---- VolumeAttachment, VolumeAttributesClass ---- */

static void attachment_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec"), *source = GET(spec, "source");
	const struct json *name = GET(source, "persistentVolumeName");
	const struct json *volume = GET(source, "inlineVolumeSpec");
	const struct path *at = ROOT("spec"), *source_at = MEMBER(at, "source");
	check_required(v, MEMBER(at, "attacher"), TEXT(spec, "attacher"));
	if (!name && !volume)
		required(v, source_at,
			 "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
	else if (name && volume)
		forbidden(v, source_at,
			  "must specify exactly one of inlineVolumeSpec and persistentVolumeName");
	else if (volume)
		check_inline_volume(v, MEMBER(source_at, "inlineVolumeSpec"), volume);
	else if (json_str(name).len == 0)
		required(v, MEMBER(source_at, "persistentVolumeName"),
			 "must specify non empty persistentVolumeName");
	check_name(v, MEMBER(at, "nodeName"), NAME_DNS_SUBDOMAIN, TEXT(spec, "nodeName"));
}

static void attachment_create_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct json *name = GET(GET(spec, "source"), "persistentVolumeName");
	const struct path *at = ROOT("spec");
	attachment_rules(v, tree);
	check_driver_name(v, MEMBER(at, "attacher"), TEXT(spec, "attacher"));
	if (name)
		check_name(v, MEMBER(MEMBER(at, "source"), "persistentVolumeName"),
			   NAME_DNS_SUBDOMAIN, json_str(name));
}

static void attachment_update_rules(struct check *v, const struct json *old,
				    const struct json *tree)
{
	attachment_rules(v, tree);
	if (!value_equal(GET(old, "spec"), GET(tree, "spec")))
		bad(v, ROOT("spec"), go_struct(v, "VolumeAttachmentSpec", GET(tree, "spec")),
		    "field is immutable");
}

static void attributes_class_rules(struct check *v, const struct json *tree)
{
	check_provisioner(v, ROOT("driverName"), TEXT(tree, "driverName"));
	if (COUNT(tree, "parameters") == 0)
		required(v, ROOT("parameters"), "must contain at least one key/value pair");
	check_parameters(v, ROOT("parameters"), GET(tree, "parameters"));
}

static void attributes_class_update_rules(struct check *v, const struct json *old,
					  const struct json *tree)
{
	if (!value_equal(GET(old, "driverName"), GET(tree, "driverName")))
		forbidden(v, ROOT("driverName"), "updates to driverName are forbidden.");
	if (!value_equal(GET(old, "parameters"), GET(tree, "parameters")))
		forbidden(v, ROOT("parameters"), "updates to parameters are forbidden.");
	attributes_class_rules(v, tree);
}

#define STORAGE "storage.k8s.io"

const struct kind_rules validate_storage[] = {
	{STORAGE, "StorageClass", NAME_DNS_SUBDOMAIN, storage_class_rules,
	 storage_class_update_rules, NULL, .steps = "csu"},
	{STORAGE, "CSIDriver", NAME_DNS_SUBDOMAIN, csi_driver_rules, csi_driver_update_rules, NULL,
	 .steps = "us"},
	{STORAGE, "CSINode", NAME_DNS_SUBDOMAIN, csi_node_rules, csi_node_update_rules, NULL,
	 .steps = "csc"},
	{STORAGE, "CSIStorageCapacity", NAME_DNS_SUBDOMAIN, capacity_rules, capacity_update_rules,
	 NULL, .steps = "csu"},
	{STORAGE, "VolumeAttachment", NAME_DNS_SUBDOMAIN, attachment_create_rules,
	 attachment_update_rules, NULL, .steps = "cs", .part_steps = "cs"},
	{STORAGE, "VolumeAttributesClass", NAME_DNS_SUBDOMAIN, attributes_class_rules,
	 attributes_class_update_rules, NULL},
	{},
};
