/* The checks that all kinds share. */
#include <stdio.h>

#include "api/validate-int.h"
#include "base/ipaddr.h"

static void path_write(struct buf *out, const struct path *at)
{
	if (at->parent)
		path_write(out, at->parent);
	if (at->index >= 0)
		buf_printf(out, "[%td]", at->index);
	else if (at->key.at)
		buf_printf(out, "[%.*s]", STR_FMT(at->key));
	else
		buf_printf(out, "%s%s", out->len ? "." : "", at->name);
}

struct str path_text(struct check *v, const struct path *at)
{
	CLEANUP_BUF text = BUF_INIT(64u << 10);
	if (at)
		path_write(&text, at);
	return arena_str(v->arena, buf_str(&text));
}

static void add(struct check *v, enum field_error_type type, const struct path *at,
		const struct json *value, const char *fmt, va_list ap)
{
	struct str detail = arena_vprintf(v->arena, fmt, ap);
	field_error_add(v->errors, type, path_text(v, at), value, "%.*s", STR_FMT(detail));
}

void bad(struct check *v, const struct path *at, const struct json *value, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(v, FIELD_ERROR_INVALID, at, value ? value : json_null(v->arena), fmt, ap);
	va_end(ap);
}

void bad_text(struct check *v, const struct path *at, struct str value, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(v, FIELD_ERROR_INVALID, at, json_string(v->arena, value), fmt, ap);
	va_end(ap);
}

void required(struct check *v, const struct path *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(v, FIELD_ERROR_REQUIRED, at, NULL, fmt, ap);
	va_end(ap);
}

void forbidden(struct check *v, const struct path *at, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(v, FIELD_ERROR_FORBIDDEN, at, NULL, fmt, ap);
	va_end(ap);
}

void not_found(struct check *v, const struct path *at, struct str value, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	add(v, FIELD_ERROR_NOT_FOUND, at, json_string(v->arena, value), fmt, ap);
	va_end(ap);
}

void duplicate(struct check *v, const struct path *at, struct str value)
{
	duplicate_value(v, at, json_string(v->arena, value));
}

void duplicate_value(struct check *v, const struct path *at, const struct json *value)
{
	field_error_add(v->errors, FIELD_ERROR_DUPLICATE, path_text(v, at), value, "%s", "");
}

void too_long(struct check *v, const struct path *at, int64_t max)
{
	field_error_add(v->errors, FIELD_ERROR_TOO_LONG, path_text(v, at), NULL,
			"may not be more than %lld byte%s", (long long)max, max == 1 ? "" : "s");
}

void too_many(struct check *v, const struct path *at, size_t count, size_t max)
{
	field_error_add(v->errors, FIELD_ERROR_TOO_MANY, path_text(v, at),
			json_int(v->arena, (int64_t)count), "must have at most %zu items", max);
}

void unsupported(struct check *v, const struct path *at, struct str value, const char *supported)
{
	field_error_not_supported(v->errors, path_text(v, at), json_string(v->arena, value),
				  str_of(supported));
}

void check_name(struct check *v, const struct path *at, enum name_rule rule, struct str text)
{
	struct faults f;
	name_check(&f, rule, text);
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, at, text, "%s", f.at[i]);
}

void check_required(struct check *v, const struct path *at, struct str text)
{
	if (text.len == 0)
		required(v, at, "%s", "");
}

void check_member(struct check *v, const struct path *at, const struct json *s, const char *name)
{
	check_required(v, MEMBER(at, name), json_str(json_get(s, str_of(name))));
}

void check_required_name(struct check *v, const struct path *at, enum name_rule rule,
			 struct str text)
{
	if (text.len == 0)
		required(v, at, "%s", "");
	else
		check_name(v, at, rule, text);
}

bool text_in(struct str text, const char *list)
{
	struct str item, rest = str_of(list);
	for (bool more = true; more;) {
		more = str_cut(rest, ',', &item, &rest);
		if (str_eq(item, text))
			return true;
	}
	return false;
}

bool check_enum(struct check *v, const struct path *at, struct str text, const char *supported)
{
	if (text_in(text, supported))
		return true;
	unsupported(v, at, text, supported);
	return false;
}

bool check_required_enum(struct check *v, const struct path *at, struct str text,
			 const char *supported)
{
	if (text.len > 0)
		return check_enum(v, at, text, supported);
	required(v, at, "%s", "");
	return false;
}

void check_optional_enum(struct check *v, const struct path *at, const struct json *value,
			 const char *supported)
{
	if (value && value->type != JSON_NULL)
		check_enum(v, at, json_str(value), supported);
}

void check_not_negative(struct check *v, const struct path *at, const struct json *value)
{
	if (json_i64(value) < 0)
		bad(v, at, value, "must be greater than or equal to 0");
}

void check_port(struct check *v, const struct path *at, const struct json *value)
{
	if (!port_is_valid(json_i64(value)))
		bad(v, at, value ? value : json_int(v->arena, 0), PORT_RANGE_TEXT);
}

void check_port_or_name(struct check *v, const struct path *at, const struct json *value)
{
	if (value && value->type == JSON_STRING)
		check_name(v, at, NAME_PORT, json_str(value));
	else
		check_port(v, at, value);
}

static bool is_empty(const struct json *value)
{
	if (!value || value->type == JSON_NULL)
		return true;
	if (value->type == JSON_STRING)
		return value->string.len == 0;
	return (value->type == JSON_ARRAY || value->type == JSON_OBJECT) && json_count(value) == 0;
}

bool value_equal(const struct json *a, const struct json *b)
{
	if (is_empty(a) || is_empty(b))
		return is_empty(a) && is_empty(b);
	return json_equal(a, b);
}

void keep_member(struct check *v, struct json *spec, const struct json *old, const char *name)
{
	struct json *value = json_get(old, str_of(name));
	if (value)
		json_set(v->arena, spec, str_of(name), value);
	else
		json_remove(spec, str_of(name));
}

void check_immutable(struct check *v, const struct path *at, const struct json *value,
		     const struct json *old)
{
	if (!value_equal(value, old))
		bad(v, at, value, "field is immutable");
}

void check_text_immutable(struct check *v, const struct path *at, const struct json *tree,
			  const struct json *old, const char *name)
{
	struct str is = json_str(json_get(tree, str_of(name)));
	if (!str_eq(is, json_str(json_get(old, str_of(name)))))
		bad_text(v, MEMBER(at, name), is, "field is immutable");
}

/* Old fields take leading zeros in IPv4 and in lengths of prefixes, as Go once did:
 * "192.0.02.1/024". */
static struct str without_zeros(struct str text, char out[IPNET_TEXT_MAX])
{
	size_t len = 0;
	if (text.len == 0 || text.len >= IPNET_TEXT_MAX)
		return text;
	bool is_v6 = memchr(text.at, ':', text.len) != NULL;
	for (size_t i = 0; i < text.len; i++) {
		char before = len > 0 ? out[len - 1] : '.';
		bool is_start = before == '/' || (before == '.' && !is_v6);
		bool is_followed = i + 1 < text.len && text.at[i + 1] >= '0' &&
				   text.at[i + 1] <= '9';
		if (text.at[i] == '0' && is_start && is_followed)
			continue;
		out[len++] = text.at[i];
	}
	return str_n(out, len);
}

bool api_parse_ip(struct str text, struct ipaddr *ret_addr)
{
	char plain[IPNET_TEXT_MAX];
	return ipaddr_parse(without_zeros(text, plain), ret_addr);
}

bool is_ip(struct str text)
{
	struct ipaddr addr;
	return api_parse_ip(text, &addr);
}

bool api_parse_cidr(struct str text, struct ipnet *ret_net)
{
	char plain[IPNET_TEXT_MAX];
	return ipnet_parse(without_zeros(text, plain), ret_net);
}

void check_ip(struct check *v, const struct path *at, struct str text)
{
	if (!is_ip(text))
		bad_text(v, at, text,
			 "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
}

void check_cidr(struct check *v, const struct path *at, struct str text)
{
	struct ipnet net;
	if (!api_parse_cidr(text, &net))
		bad_text(v, at, text,
			 "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)");
}

/* New fields: one text for one prefix. */
void check_cidr_strictly(struct check *v, const struct path *at, struct str text)
{
	struct ipnet net;
	char canonical[IPNET_TEXT_MAX];
	if (!ipnet_parse(text, &net)) {
		check_cidr(v, at, text);
		return;
	}
	ipnet_format(ipnet_masked(net), canonical);
	if (!ipnet_eq(ipnet_masked(net), net))
		bad_text(v, at, text, "must not have bits set beyond the prefix length");
	else if (!str_is(text, canonical))
		bad_text(v, at, text, "must be in canonical form (\"%s\")", canonical);
}

/* ---- values of upstream's internal types ---- */

/* Go's name of a JSON member: the exceptions to a capital first letter. */
static struct str go_name(struct arena *a, const struct api_type *type, struct str name)
{
	static const struct {
		const char *json, *go;
		const char *type; /* how the only types begin that name it so; NULL: all */
	} names[] = {
		{"endpoints", "EndpointsName", "Glusterfs"},
		{"monitors", "CephMonitors", "RBD"},
		{"image", "RBDImage", "RBD"},
		{"pool", "RBDPool", "RBD"},
		{"user", "RadosUser", "RBD"},
		{"diskURI", "DataDiskURI", "AzureDisk"},
		{"fsType", "FSType"},
		{"pdName", "PDName"},
		{"wwids", "WWIDs"},
		{"sslEnabled", "SSLEnabled"},
		{"fsGroup", "FSGroup"},
		{"fsGroupChangePolicy", "FSGroupChangePolicy"},
		{"gmsaCredentialSpecName", "GMSACredentialSpecName"},
		{"gmsaCredentialSpec", "GMSACredentialSpec"},
		{"id", "ID"},
		{"$schema", "Schema"},
		{"$ref", "Ref"},
		{"x-kubernetes-preserve-unknown-fields", "XPreserveUnknownFields"},
		{"x-kubernetes-embedded-resource", "XEmbeddedResource"},
		{"x-kubernetes-int-or-string", "XIntOrString"},
		{"x-kubernetes-list-map-keys", "XListMapKeys"},
		{"x-kubernetes-list-type", "XListType"},
		{"x-kubernetes-map-type", "XMapType"},
		{"x-kubernetes-validations", "XValidations"},
		{"tty", "TTY"},
		{"uid", "UID"},
		{"ip", "IP"},
		{"iqn", "IQN"},
		{"nfs", "NFS"},
		{"csi", "CSI"},
		{"cel", "CEL"},
		{"pdName", "PDName"},
		{"fsType", "FSType"},
		{"rbd", "RBD"},
		{"fsType", "FSType"},
		{"pdName", "PDName"},
		{"wwids", "WWIDs"},
		{"chapAuthDiscovery", "DiscoveryCHAPAuth"},
		{"chapAuthSession", "SessionCHAPAuth"},
		{"iscsiInterface", "ISCSIInterface"},
		{"diskURI", "DataDiskURI"},
		{"endpoints", "EndpointsName"},
		{"fc", "FC"},
		{"iscsi", "ISCSI"},
		{"dnsPolicy", "DNSPolicy"},
		{"dnsConfig", "DNSConfig"},
		{"os", "OS"},
		{"hostIP", "HostIP"},
		{"seLinuxOptions", "SELinuxOptions"},
		{"httpGet", "HTTPGet"},
		{"tcpSocket", "TCPSocket"},
		{"grpc", "GRPC"},
		{"httpHeaders", "HTTPHeaders"},
		{"sleep", "Sleep"},
		{"apiVersion", "APIVersion"},
		{"apiGroup", "APIGroup"},
		{"seLinuxChangePolicy", "SELinuxChangePolicy"},
		{"gcePersistentDisk", "GCEPersistentDisk"},
		{"awsElasticBlockStore", "AWSElasticBlockStore"},
		{"cephfs", "CephFS"},
		{"scaleIO", "ScaleIO"},
		{"storageos", "StorageOS"},
		{"setHostnameAsFQDN", "SetHostnameAsFQDN"},
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i].json) &&
		    (!names[i].type || str_has_prefix(type->name, str_of(names[i].type))))
			return str_of(names[i].go);
	char *out = arena_cstr(a, name);
	if (out[0] >= 'a' && out[0] <= 'z')
		out[0] = (char)(out[0] - 'a' + 'A');
	return str_n(out, name.len);
}

static struct json *go_value(struct check *v, const struct api_field *f, const struct json *value);

/* Types whose internal members stand in another order than those of the API. */
static const struct {
	const char *type, *order;
} layouts[] = {
	{"PodSpec",
	 "volumes,initContainers,containers,ephemeralContainers,restartPolicy,"
	 "terminationGracePeriodSeconds,activeDeadlineSeconds,dnsPolicy,nodeSelector,"
	 "serviceAccountName,"
	 "automountServiceAccountToken,nodeName,securityContext,imagePullSecrets,hostname,"
	 "subdomain,"
	 "setHostnameAsFQDN,affinity,schedulerName,tolerations,hostAliases,priorityClassName,"
	 "priority,"
	 "preemptionPolicy,dnsConfig,readinessGates,runtimeClassName,overhead,enableServiceLinks,"
	 "topologySpreadConstraints,os,schedulingGates,resourceClaims,resources,hostnameOverride,"
	 "workloadRef"},
	{"PodSecurityContext",
	 "hostNetwork,hostPID,hostIPC,shareProcessNamespace,hostUsers,seLinuxOptions,"
	 "windowsOptions,"
	 "runAsUser,runAsGroup,runAsNonRoot,supplementalGroups,supplementalGroupsPolicy,fsGroup,"
	 "fsGroupChangePolicy,sysctls,seccompProfile,appArmorProfile,seLinuxChangePolicy"},
	{"PersistentVolumeSpec",
	 "capacity,gcePersistentDisk,awsElasticBlockStore,hostPath,glusterfs,nfs,rbd,quobyte,iscsi,"
	 "flexVolume,cinder,cephfs,fc,flocker,azureFile,vsphereVolume,azureDisk,"
	 "photonPersistentDisk,portworxVolume,scaleIO,local,storageos,csi,accessModes,claimRef,"
	 "persistentVolumeReclaimPolicy,storageClassName,mountOptions,volumeMode,nodeAffinity,"
	 "volumeAttributesClassName"},
	{"Volume",
	 "name,hostPath,emptyDir,gcePersistentDisk,awsElasticBlockStore,gitRepo,secret,nfs,"
	 "iscsi,glusterfs,persistentVolumeClaim,rbd,quobyte,flexVolume,cinder,cephfs,"
	 "flocker,downwardAPI,fc,azureFile,configMap,vsphereVolume,azureDisk,"
	 "photonPersistentDisk,projected,portworxVolume,scaleIO,storageos,csi,ephemeral,"
	 "image"},
	{"PersistentVolumeSource", "gcePersistentDisk,awsElasticBlockStore,hostPath,glusterfs,nfs,"
				   "rbd,quobyte,iscsi,flexVolume,"
				   "cinder,cephfs,fc,flocker,azureFile,vsphereVolume,azureDisk,"
				   "photonPersistentDisk,portworxVolume,"
				   "scaleIO,local,storageos,csi"},
	{"JSONSchemaProps",
	 "id,$schema,$ref,description,type,nullable,format,title,default,maximum,exclusiveMaximum,"
	 "minimum,exclusiveMinimum,maxLength,minLength,pattern,maxItems,minItems,uniqueItems,"
	 "multipleOf,enum,maxProperties,minProperties,required,items,allOf,oneOf,anyOf,not,"
	 "properties,additionalProperties,patternProperties,dependencies,additionalItems,"
	 "definitions,externalDocs,example,x-kubernetes-preserve-unknown-fields,"
	 "x-kubernetes-embedded-resource,x-kubernetes-int-or-string,x-kubernetes-list-map-keys,"
	 "x-kubernetes-list-type,x-kubernetes-map-type,x-kubernetes-validations"},
	{"PersistentVolumeClaimSpec", "accessModes,selector,resources,volumeName,storageClassName,"
				      "volumeMode,dataSource,dataSourceRef,"
				      "volumeAttributesClassName"},
};

/* Members that the internal security context of a pod took over from its spec. */
#define HOST_FLAGS "hostNetwork,hostPID,hostIPC,shareProcessNamespace,hostUsers"

static const struct api_field *field_of(const struct api_type *type, struct str name)
{
	const struct api_field *f = api_field(type, name);
	const struct api *api = api_builtin();
	if (f || !text_in(name, HOST_FLAGS))
		return f;
	for (uint32_t i = 0; i < api->type_count; i++)
		if (str_is(api->types[i].name, "PodSpec"))
			return api_field(&api->types[i], name);
	return NULL;
}

/* The security context of a pod with the flags that the API has beside it. */
static const struct json *context_with_flags(struct check *v, const struct json *spec,
					     const struct json *context)
{
	struct str flag, flags = str_of(HOST_FLAGS);
	struct json *all = context ? json_copy(v->arena, context) : json_object(v->arena);
	for (bool more = true; more;) {
		more = str_cut(flags, ',', &flag, &flags);
		if (json_get(spec, flag))
			json_set(v->arena, all, flag, json_get(spec, flag));
	}
	return all;
}

static struct json *go_of_layout(struct check *v, const struct api_type *type, const char *order,
				 const struct json *tree)
{
	struct json *out = json_object(v->arena);
	struct str name, rest = str_of(order);
	for (bool more = true; more;) {
		more = str_cut(rest, ',', &name, &rest);
		const struct api_field *f = field_of(type, name);
		const struct json *value = json_get(tree, name);
		if (!f)
			continue;
		if (str_is(type->name, "PodSpec") && str_is(name, "securityContext"))
			value = context_with_flags(v, tree, value);
		json_set(v->arena, out, go_name(v->arena, type, name), go_value(v, f, value));
	}
	return out;
}

static void add_members(struct check *v, struct json *out, const struct json *from)
{
	for (size_t i = 0; i < json_count(from); i++)
		json_set(v->arena, out, from->object.members[i].key, from->object.members[i].value);
}

static struct json *go_of_type(struct check *v, const struct api_type *type,
			       const struct json *tree)
{
	struct json *out = json_object(v->arena);
	for (size_t i = 0; i < ARRAY_LEN(layouts); i++)
		if (str_is(type->name, layouts[i].type))
			return go_of_layout(v, type, layouts[i].order, tree);
	for (uint32_t i = 0; i < type->field_count; i++) {
		const struct api_field *f = &type->fields[i];
		if (f->name.at && str_is(f->name, "metadata"))
			add_members(v, out, json_get(tree, f->name)); /* embedded */
		else if (f->name.at)
			json_set(v->arena, out, go_name(v->arena, type, f->name),
				 go_value(v, f, json_get(tree, f->name)));
	}
	return out;
}

static struct json *go_zero(struct check *v, const struct api_field *f)
{
	if (f->shape != SHAPE_ONE || f->flags & FIELD_POINTER)
		return json_null(v->arena);
	switch (f->form) {
	case FORM_BOOL:
		return json_bool(v->arena, false);
	case FORM_INT32:
	case FORM_INT64:
	case FORM_DOUBLE:
	case FORM_INT_OR_STRING:
		return json_int(v->arena, 0);
	case FORM_STRING:
	case FORM_DURATION:
		return json_cstring(v->arena, "");
	case FORM_QUANTITY:
		return json_cstring(v->arena, "0");
	default:
		return json_null(v->arena);
	}
}

static bool is_meta(const struct api_type *type)
{
	return str_is(type->package, "meta/v1");
}

static struct json *go_value(struct check *v, const struct api_field *f, const struct json *value)
{
	const struct api_type *type = f->type >= 0 ? api_type(api_builtin(), f->type) : NULL;
	if (!value || value->type == JSON_NULL) {
		bool is_struct = type && f->shape == SHAPE_ONE && !(f->flags & FIELD_POINTER);
		return is_struct && !is_meta(type) ? go_of_type(v, type, NULL) : go_zero(v, f);
	}
	if (!type || is_meta(type))
		return (struct json *)value;
	if (f->shape == SHAPE_ONE)
		return go_of_type(v, type, value);
	if (f->shape != SHAPE_LIST)
		return (struct json *)value;
	struct json *list = json_array(v->arena);
	for (size_t i = 0; i < json_count(value); i++)
		json_append(v->arena, list, go_of_type(v, type, json_at(value, i)));
	return list;
}

struct json *go_struct(struct check *v, const char *type_name, const struct json *tree)
{
	const struct api *api = api_builtin();
	for (uint32_t i = 0; i < api->type_count; i++)
		if (str_is(api->types[i].name, type_name))
			return go_of_type(v, &api->types[i], tree);
	return (struct json *)tree;
}
