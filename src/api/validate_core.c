/* Small kinds of the core group, and the table of the group. */
#include "api/validate-int.h"
#include "base/encode.h"

#define DATA_MAX_BYTES (1 << 20)

/* ---- ConfigMap and Secret ---- */

static size_t check_data_keys(struct check *v, const char *name, const struct json *data)
{
	const struct path *at = ROOT(name);
	size_t total = 0;
	for (size_t i = 0; i < json_count(data); i++) {
		struct json_member m = data->object.members[i];
		check_name(v, KEY(at, m.key), NAME_CONFIG_KEY, m.key);
		total += json_str(m.value).len;
	}
	return total;
}

static size_t decoded_bytes(const struct json *data)
{
	size_t total = 0;
	for (size_t i = 0; i < json_count(data); i++) {
		struct str text = json_str(data->object.members[i].value);
		size_t padding = str_has_suffix(text, STR("==")) ? 2
								 : str_has_suffix(text, STR("="));
		total += text.len / 4 * 3 - MIN(padding, text.len / 4 * 3);
	}
	return total;
}

static void config_map_rules(struct check *v, const struct json *tree)
{
	const struct json *data = GET(tree, "data"), *binary = GET(tree, "binaryData");
	size_t total = 0;
	for (size_t i = 0; i < json_count(data); i++) {
		struct str key = data->object.members[i].key;
		const struct path *at = KEY(ROOT("data"), key);
		check_name(v, at, NAME_CONFIG_KEY, key);
		if (json_get(binary, key))
			bad_text(v, at, key, "duplicate of key present in binaryData");
		total += json_str(data->object.members[i].value).len;
	}
	check_data_keys(v, "binaryData", binary);
	total += decoded_bytes(binary);
	if (total > DATA_MAX_BYTES)
		too_long(v, ROOT("[]"), DATA_MAX_BYTES);
}

static bool is_frozen(struct check *v, const struct json *old, const struct json *tree)
{
	static const char message[] = "field is immutable when `immutable` is set";
	if (!IS(old, "immutable"))
		return false;
	if (!IS(tree, "immutable"))
		forbidden(v, ROOT("immutable"), "%s", message);
	if (!value_equal(GET(old, "data"), GET(tree, "data")))
		forbidden(v, ROOT("data"), "%s", message);
	if (!value_equal(GET(old, "binaryData"), GET(tree, "binaryData")))
		forbidden(v, ROOT("binaryData"), "%s", message);
	return true;
}

static void config_map_update_rules(struct check *v, const struct json *old,
				    const struct json *tree)
{
	is_frozen(v, old, tree);
	config_map_rules(v, tree);
}

/* type, the keys it must have */
static const struct {
	const char *type, *keys[2];
	bool needs_all, needs_text;
} secret_types[] = {
	{"kubernetes.io/dockercfg", {".dockercfg"}, true, false},
	{"kubernetes.io/dockerconfigjson", {".dockerconfigjson"}, true, false},
	{"kubernetes.io/basic-auth", {"username", "password"}, false, false},
	{"kubernetes.io/ssh-auth", {"ssh-privatekey"}, true, true},
	{"kubernetes.io/tls", {"tls.crt", "tls.key"}, true, false},
};

/* What encoding/json says about text that is no document. */
static void check_json_text(struct check *v, const struct path *at, struct str encoded)
{
	struct str text;
	struct json *tree;
	if (!base64_decode(v->arena, encoded, &text))
		return;
	text = str_trim(text);
	if (json_parse(v->arena, text, &tree, NULL, NULL) == RC_OK)
		return;
	if (text.len == 0 || strchr("{[\"tfn-", text.at[0]))
		bad_text(v, at, STR("<secret contents redacted>"), "unexpected end of JSON input");
	else
		bad_text(v, at, STR("<secret contents redacted>"),
			 "invalid character '%c' looking for beginning of value", text.at[0]);
}

static void check_secret_type(struct check *v, const struct json *tree, size_t type)
{
	const struct json *data = GET(tree, "data");
	const struct path *at = ROOT("data");
	bool has_any = false;
	for (size_t k = 0; k < 2 && secret_types[type].keys[k]; k++)
		has_any |= json_get(data, str_of(secret_types[type].keys[k])) != NULL;
	for (size_t k = 0; k < 2 && secret_types[type].keys[k]; k++) {
		struct str key = str_of(secret_types[type].keys[k]);
		const struct json *value = json_get(data, key);
		if (secret_types[type].needs_text && json_str(value).len == 0)
			value = NULL;
		if (!value && (secret_types[type].needs_all || !has_any))
			required(v, KEY(at, key), "%s", "");
		else if (value && key.at[0] == '.')
			check_json_text(v, KEY(at, key), json_str(value));
	}
}

static void secret_rules(struct check *v, const struct json *tree)
{
	const struct json *data = GET(tree, "data");
	struct str type = TEXT(tree, "type");
	check_data_keys(v, "data", data);
	if (decoded_bytes(data) > DATA_MAX_BYTES)
		too_long(v, ROOT("data"), DATA_MAX_BYTES);
	if (str_is(type, "kubernetes.io/service-account-token") &&
	    TEXT(GET(GET(tree, "metadata"), "annotations"), "kubernetes.io/service-account.name")
			    .len == 0)
		required(v,
			 KEY(MEMBER(ROOT("metadata"), "annotations"),
			     STR("kubernetes.io/service-account.name")),
			 "%s", "");
	for (size_t i = 0; i < ARRAY_LEN(secret_types); i++)
		if (str_is(type, secret_types[i].type))
			check_secret_type(v, tree, i);
}

static void secret_update_rules(struct check *v, const struct json *old, const struct json *tree)
{
	check_immutable(v, ROOT("type"), GET(tree, "type"), GET(old, "type"));
	is_frozen(v, old, tree);
	secret_rules(v, tree);
}

/* ---- Namespace ---- */

static void namespace_rules(struct check *v, const struct json *tree)
{
	FOR_ITEMS(i, item, GET(GET(tree, "spec"), "finalizers"))
	{
		const struct path *at = MEMBER(ROOT("spec"), "finalizers");
		struct str name = json_str(item);
		check_name(v, at, NAME_QUALIFIED, name);
		if (!memchr(name.at, '/', name.len) &&
		    !text_in(name, "kubernetes,orphan,foregroundDeletion"))
			bad_text(v, at, name,
				 "name is neither a standard finalizer name nor is it fully "
				 "qualified");
	}
}

/* ---- ReplicationController ---- */

static bool labels_fit(const struct json *selector, const struct json *labels)
{
	for (size_t i = 0; i < json_count(selector); i++)
		if (!value_equal(json_get(labels, selector->object.members[i].key),
				 selector->object.members[i].value) ||
		    !json_get(labels, selector->object.members[i].key))
			return false;
	return json_count(selector) > 0;
}

static void check_controller_template(struct check *v, const struct json *spec)
{
	const struct path *at = MEMBER(ROOT("spec"), "template");
	const struct json *template = GET(spec, "template");
	const struct json *labels = GET(GET(template, "metadata"), "labels");
	struct str restart = TEXT(GET(template, "spec"), "restartPolicy");
	if (!template) {
		required(v, at, "%s", "");
		return;
	}
	if (COUNT(spec, "selector") > 0 && !labels_fit(GET(spec, "selector"), labels))
		bad(v, MEMBER(MEMBER(at, "metadata"), "labels"), labels,
		    "`selector` does not match template `labels`");
	check_pod_template(v, at, template);
	if (!str_is(restart, "Always"))
		unsupported(v, MEMBER(MEMBER(at, "spec"), "restartPolicy"), restart, "Always");
	if (GET(GET(template, "spec"), "activeDeadlineSeconds"))
		forbidden(v, MEMBER(MEMBER(at, "spec"), "activeDeadlineSeconds"),
			  "activeDeadlineSeconds in ReplicationController is not Supported");
}

void controller_rules(struct check *v, const struct json *tree)
{
	const struct json *spec = GET(tree, "spec");
	const struct path *at = ROOT("spec");
	check_not_negative(v, MEMBER(at, "minReadySeconds"), GET(spec, "minReadySeconds"));
	if (COUNT(spec, "selector") == 0)
		required(v, MEMBER(at, "selector"), "%s", "");
	check_not_negative(v, MEMBER(at, "replicas"), GET(spec, "replicas"));
	check_controller_template(v, spec);
}

const struct kind_rules validate_core[] = {
	{"", "Pod", NAME_DNS_SUBDOMAIN, pod_create_rules, pod_update_rules, pod_part_rules},
	{"", "PodTemplate", NAME_DNS_SUBDOMAIN, pod_template_rules, NULL, NULL, .steps = "us"},
	{"", "ReplicationController", NAME_DNS_SUBDOMAIN, controller_rules, NULL,
	 replica_set_part_rules, .steps = "us"},
	{"", "ConfigMap", NAME_DNS_SUBDOMAIN, config_map_rules, config_map_update_rules, NULL},
	{"", "Secret", NAME_DNS_SUBDOMAIN, secret_rules, secret_update_rules, NULL},
	{"", "Namespace", NAME_DNS_LABEL, namespace_rules, NULL, namespace_part_rules,
	 .steps = "csu"},
	{"", "Node", NAME_DNS_SUBDOMAIN, node_rules, node_update_rules, node_part_rules,
	 .steps = "crus"},
	{"", "Event", NAME_GENERIC, core_event_rules, NULL, NULL, .steps = "s", .part_steps = "s"},
	{"", "ServiceAccount", NAME_DNS_SUBDOMAIN, NULL, NULL, NULL},
	{"", "Service", NAME_DNS_1035, service_rules, service_update_rules, service_part_rules,
	 .steps = "us"},
	{"", "Endpoints", NAME_DNS_SUBDOMAIN, endpoints_rules, NULL, NULL},
	{"", "LimitRange", NAME_DNS_SUBDOMAIN, limit_range_rules, NULL, NULL, .steps = "cs"},
	{"", "ResourceQuota", NAME_DNS_SUBDOMAIN, quota_rules, quota_update_rules, quota_part_rules,
	 .steps = "us"},
	{"", "PersistentVolumeClaim", NAME_DNS_SUBDOMAIN, claim_rules, claim_update_rules,
	 claim_part_rules},
	{"", "PersistentVolume", NAME_DNS_SUBDOMAIN, volume_rules, volume_update_rules, NULL,
	 .steps = "crcs"},
	{},
};
