/* Volume sources of pods and persistent volumes. */
#include "api/validate-int.h"
#include "base/map.h"

#define QUOBYTE_TENANT_MAX 64

typedef void source_check(struct check *v, const struct path *at, const struct json *s);

void check_no_backsteps(struct check *v, const struct path *at, struct str text)
{
	struct str part, rest = text;
	for (bool more = true; more;) {
		more = str_cut(rest, '/', &part, &rest);
		if (str_is(part, "..")) {
			bad_text(v, at, text, "must not contain '..'");
			return;
		}
	}
}

void check_descending_path(struct check *v, const struct path *at, struct str text)
{
	if (str_has_prefix(text, STR("/")))
		bad_text(v, at, text, "must be a relative path");
	check_no_backsteps(v, at, text);
}

static void check_empty_dir(struct check *v, const struct path *at, const struct json *s)
{
	struct quantity q;
	if (quantity_at(s, "sizeLimit", &q) && quantity_sign(q) < 0)
		forbidden(v, MEMBER(at, "sizeLimit"),
			  "SizeLimit field must be a valid resource quantity");
}

static void check_host_path(struct check *v, const struct path *at, const struct json *s)
{
	struct str path = TEXT(s, "path");
	if (path.len == 0)
		required(v, MEMBER(at, "path"), "%s", "");
	if (path.len == 0)
		return;
	check_no_backsteps(v, MEMBER(at, "path"), path);
	check_optional_enum(v, MEMBER(at, "type"), GET(s, "type"),
			    ",BlockDevice,CharDevice,Directory,DirectoryOrCreate,File,FileOrCreate,"
			    "Socket");
}

static void check_git(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "repository");
	check_descending_path(v, MEMBER(at, "directory"), TEXT(s, "directory"));
}

static void check_gce(struct check *v, const struct path *at, const struct json *s)
{
	int64_t partition = INT(s, "partition");
	check_member(v, at, s, "pdName");
	if (partition < 0 || partition > 255)
		bad(v, MEMBER(at, "partition"), GET(s, "partition"),
		    "must be between 1 and 255, inclusive");
}

static void check_aws(struct check *v, const struct path *at, const struct json *s)
{
	int64_t partition = INT(s, "partition");
	check_member(v, at, s, "volumeID");
	if (partition < 0 || partition > 255)
		bad(v, MEMBER(at, "partition"), GET(s, "partition"),
		    "must be between 1 and 255, inclusive");
}

static void check_nfs(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "server");
	check_member(v, at, s, "path");
	if (!str_has_prefix(TEXT(s, "path"), STR("/")))
		bad_text(v, MEMBER(at, "path"), TEXT(s, "path"), "must be an absolute path");
}

static bool is_alnum(struct str s, const char *others)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    !(c && strchr(others, c)))
			return false;
	}
	return s.len > 0;
}

/* "iqn.2001-04.test.example:name" */
static bool is_iqn(struct str name)
{
	struct str head, tail, date, authority;
	if (!str_cut(name, ':', &head, &tail) || tail.len == 0 ||
	    !str_cut(str_skip(head, strlen("iqn.")), '.', &date, &authority))
		return false;
	for (size_t i = 0; i < tail.len; i++)
		if (strchr(",;*&$| \t\n\r\f", tail.at[i]))
			return false;
	for (size_t i = 0; i < date.len; i++)
		if (i == 4 ? date.at[i] != '-' : date.at[i] < '0' || date.at[i] > '9')
			return false;
	return str_has_prefix(name, STR("iqn.")) && date.len == 7 && is_alnum(authority, "-.");
}

static void check_iscsi_name(struct check *v, const struct path *at, struct str name)
{
	bool is_good;
	if (str_has_prefix(name, STR("iqn"))) {
		is_good = is_iqn(name);
	} else if (str_has_prefix(name, STR("eui"))) {
		is_good = name.len == 20 && is_alnum(str_skip(name, 4), "");
	} else if (str_has_prefix(name, STR("naa"))) {
		is_good = name.len == 36 && is_alnum(str_skip(name, 4), "");
	} else {
		bad_text(v, at, name, "must be valid format starting with iqn, eui, or naa");
		return;
	}
	if (!is_good)
		bad_text(v, at, name, "must be valid format");
}

static void check_iscsi(struct check *v, const struct path *at, const struct json *s)
{
	struct str iqn = TEXT(s, "iqn");
	int64_t lun = INT(s, "lun");
	check_member(v, at, s, "targetPortal");
	if (iqn.len == 0)
		check_member(v, at, s, "iqn");
	else
		check_iscsi_name(v, MEMBER(at, "iqn"), iqn);
	if (lun < 0 || lun > 255)
		bad(v, MEMBER(at, "lun"), GET(s, "lun"), "must be between 0 and 255, inclusive");
	if ((IS(s, "chapAuthDiscovery") || IS(s, "chapAuthSession")) && !GET(s, "secretRef"))
		required(v, MEMBER(at, "secretRef"), "%s", "");
	if (GET(s, "initiatorName"))
		check_iscsi_name(v, MEMBER(at, "initiatorname"), TEXT(s, "initiatorName"));
}

static void check_glusterfs(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "endpoints");
	check_member(v, at, s, "path");
}

static void check_flocker(struct check *v, const struct path *at, const struct json *s)
{
	struct str name = TEXT(s, "datasetName");
	if (name.len == 0 && TEXT(s, "datasetUUID").len == 0)
		required(v, at, "one of datasetName and datasetUUID is required");
	if (name.len > 0 && TEXT(s, "datasetUUID").len > 0)
		bad_text(v, at, STR("resource"),
			 "datasetName and datasetUUID can not be specified "
			 "simultaneously");
	if (name.len > 0 && memchr(name.at, '/', name.len))
		bad_text(v, MEMBER(at, "datasetName"), name, "must not contain '/'");
}

static void check_claim_ref(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "claimName");
}

static void check_rbd(struct check *v, const struct path *at, const struct json *s)
{
	if (COUNT(s, "monitors") == 0)
		required(v, MEMBER(at, "monitors"), "%s", "");
	check_member(v, at, s, "image");
}

static void check_cinder(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "volumeID");
	if (GET(s, "secretRef"))
		check_member(v, MEMBER(at, "secretRef"), GET(s, "secretRef"), "name");
}

static void check_cephfs(struct check *v, const struct path *at, const struct json *s)
{
	if (COUNT(s, "monitors") == 0)
		required(v, MEMBER(at, "monitors"), "%s", "");
}

/* "host:port,host:port" */
static bool are_host_ports(struct str s)
{
	struct str pair, host, port, rest = s;
	for (bool more = true; more;) {
		more = str_cut(rest, ',', &pair, &rest);
		if (!str_cut(pair, ':', &host, &port) || host.len == 0 || port.len == 0 ||
		    memchr(port.at, ':', port.len))
			return false;
	}
	return true;
}

static void check_quobyte(struct check *v, const struct path *at, const struct json *s)
{
	struct str registry = TEXT(s, "registry");
	if (registry.len == 0)
		required(v, MEMBER(at, "registry"),
			 "must be a host:port pair or multiple pairs separated by commas");
	else if (!are_host_ports(registry))
		bad_text(v, MEMBER(at, "registry"), registry,
			 "must be a host:port pair or multiple pairs separated by commas");
	if (TEXT(s, "tenant").len > QUOBYTE_TENANT_MAX)
		required(v, MEMBER(at, "tenant"),
			 "must be a UUID and may not exceed a length of %d characters",
			 QUOBYTE_TENANT_MAX);
	check_member(v, at, s, "volume");
}

static void check_fc(struct check *v, const struct path *at, const struct json *s)
{
	size_t names = COUNT(s, "targetWWNs"), ids = COUNT(s, "wwids");
	const struct json *lun = GET(s, "lun");
	if (names == 0 && ids == 0)
		required(v, MEMBER(at, "targetWWNs"),
			 "must specify either targetWWNs or wwids, but not both");
	if (names > 0 && ids > 0)
		bad(v, MEMBER(at, "targetWWNs"), GET(s, "targetWWNs"),
		    "targetWWNs and wwids can not be specified simultaneously");
	if (names == 0)
		return;
	if (!lun)
		required(v, MEMBER(at, "lun"), "lun is required if targetWWNs is specified");
	else if (json_i64(lun) < 0 || json_i64(lun) > 255)
		bad(v, MEMBER(at, "lun"), lun, "must be between 0 and 255, inclusive");
}

static void check_flex(struct check *v, const struct path *at, const struct json *s)
{
	const struct json *options = GET(s, "options");
	check_member(v, at, s, "driver");
	for (size_t i = 0; i < json_count(options); i++) {
		struct str key = options->object.members[i].key, domain, rest;
		str_cut(key, '/', &domain, &rest);
		if (rest.at && (str_is(domain, "kubernetes.io") || str_is(domain, "k8s.io") ||
				str_has_suffix(domain, STR(".kubernetes.io")) ||
				str_has_suffix(domain, STR(".k8s.io"))))
			bad_text(v, KEY(MEMBER(at, "options"), key), key,
				 "kubernetes.io and k8s.io namespaces are reserved");
	}
}

static void check_azure_file(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "secretName");
	check_member(v, at, s, "shareName");
}

static void check_azure_disk(struct check *v, const struct path *at, const struct json *s)
{
	struct str uri = TEXT(s, "diskURI"), kind = TEXT(s, "kind");
	bool is_managed = str_is(kind, "Managed");
	check_member(v, at, s, "diskName");
	check_member(v, at, s, "diskURI");
	check_optional_enum(v, MEMBER(at, "cachingMode"), GET(s, "cachingMode"),
			    "None,ReadOnly,ReadWrite");
	check_optional_enum(v, MEMBER(at, "kind"), GET(s, "kind"), "Dedicated,Managed,Shared");
	if (is_managed && !str_has_prefix(uri, STR("/subscriptions/")))
		unsupported(v, MEMBER(at, "diskURI"), uri,
			    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/"
			    "microsoft.compute/disks/{disk-id}");
	if (!is_managed && kind.len > 0 && !str_has_prefix(uri, STR("https://")))
		unsupported(v, MEMBER(at, "diskURI"), uri,
			    "https://{account-name}.blob.core.windows.net/{container-name}/"
			    "{disk-name}.vhd");
}

static void check_storageos(struct check *v, const struct path *at, const struct json *s)
{
	check_required_name(v, MEMBER(at, "volumeName"), NAME_DNS_LABEL, TEXT(s, "volumeName"));
	if (TEXT(s, "volumeNamespace").len > 0)
		check_name(v, MEMBER(at, "volumeNamespace"), NAME_DNS_LABEL,
			   TEXT(s, "volumeNamespace"));
	if (GET(s, "secretRef"))
		check_member(v, MEMBER(at, "secretRef"), GET(s, "secretRef"), "name");
}

static void check_vsphere(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "volumePath");
}

static void check_photon(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "pdID");
}

static void check_portworx(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "volumeID");
}

static void check_scaleio(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "gateway");
	check_member(v, at, s, "system");
	check_member(v, at, s, "volumeName");
}

void check_driver_name(struct check *v, const struct path *at, struct str driver)
{
	struct faults f;
	if (driver.len == 0)
		required(v, at, "%s", "");
	if (driver.len > 63)
		too_long(v, at, 63);
	if (driver.len == 0)
		return;
	char *low = arena_cstr(v->arena, driver);
	for (size_t i = 0; i < driver.len; i++)
		if (low[i] >= 'A' && low[i] <= 'Z')
			low[i] = (char)(low[i] - 'A' + 'a');
	name_check(&f, NAME_DNS_SUBDOMAIN, str_n(low, driver.len));
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, at, driver, "%s", f.at[i]);
}

static void check_csi(struct check *v, const struct path *at, const struct json *s)
{
	check_driver_name(v, MEMBER(at, "driver"), TEXT(s, "driver"));
	const struct json *ref = GET(s, "nodePublishSecretRef");
	struct str name = TEXT(ref, "name");
	if (ref && name.len == 0)
		check_member(v, MEMBER(at, "nodePublishSecretRef"), ref, "name");
	else if (ref)
		check_name(v, MEMBER(at, "name"), NAME_DNS_SUBDOMAIN, name);
}

static void check_ephemeral(struct check *v, const struct path *at, const struct json *s)
{
	if (!GET(s, "volumeClaimTemplate"))
		required(v, MEMBER(at, "volumeClaimTemplate"), "%s", "");
	else
		check_claim_template_spec(v, MEMBER(at, "volumeClaimTemplate"),
					  GET(s, "volumeClaimTemplate"));
}

static void check_image(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "reference");
	check_required_enum(v, MEMBER(at, "pullPolicy"), TEXT(s, "pullPolicy"),
			    "Always,IfNotPresent,Never");
}

static void check_local(struct check *v, const struct path *at, const struct json *s)
{
	check_member(v, at, s, "path");
	if (TEXT(s, "path").len > 0)
		check_no_backsteps(v, MEMBER(at, "path"), TEXT(s, "path"));
}

struct source {
	const char *name, *path; /* path: in what the check says; NULL: as the name */
	source_check *check;
	const char *extra; /* where one too many is told of, as upstream spells it; NULL: path */
};

static const struct source pod_sources[] = {
	{"emptyDir", NULL, check_empty_dir},
	{"hostPath", NULL, check_host_path},
	{"gitRepo", NULL, check_git},
	{"gcePersistentDisk", "persistentDisk", check_gce, "gcePersistentDisk"},
	{"awsElasticBlockStore", NULL, check_aws},
	{"secret", NULL, check_secret_volume},
	{"nfs", NULL, check_nfs},
	{"iscsi", NULL, check_iscsi},
	{"glusterfs", NULL, check_glusterfs},
	{"flocker", NULL, check_flocker},
	{"persistentVolumeClaim", NULL, check_claim_ref},
	{"rbd", NULL, check_rbd},
	{"cinder", NULL, check_cinder},
	{"cephfs", NULL, check_cephfs, "cephFS"},
	{"quobyte", NULL, check_quobyte},
	{"downwardAPI", NULL, check_downward_volume, "downwarAPI"},
	{"fc", NULL, check_fc},
	{"flexVolume", NULL, check_flex},
	{"configMap", NULL, check_config_map_volume},
	{"azureFile", NULL, check_azure_file},
	{"vsphereVolume", NULL, check_vsphere},
	{"photonPersistentDisk", NULL, check_photon},
	{"portworxVolume", NULL, check_portworx},
	{"azureDisk", NULL, check_azure_disk},
	{"storageos", NULL, check_storageos},
	{"projected", NULL, check_projected_volume},
	{"scaleIO", NULL, check_scaleio},
	{"csi", NULL, check_csi},
	{"ephemeral", NULL, check_ephemeral},
	{"image", NULL, check_image},
};

/* ---- what a persistent volume is asked on top ---- */

/* The words for an initiator of an unknown form are others there. */
static void check_iscsi_persistent(struct check *v, const struct path *at, const struct json *s)
{
	size_t before = v->errors->count;
	check_iscsi(v, at, s);
	for (size_t i = before; i < v->errors->count; i++)
		if (str_has_prefix(v->errors->items[i].detail, STR("must be valid format")))
			v->errors->items[i].detail = STR("must be valid format");
	if (GET(s, "secretRef"))
		check_member(v, MEMBER(at, "secretRef"), GET(s, "secretRef"), "name");
}

static void check_secret_namespace(struct check *v, const struct path *at, const struct json *s)
{
	if (GET(s, "secretRef"))
		check_member(v, MEMBER(at, "secretRef"), GET(s, "secretRef"), "namespace");
}

static void check_cinder_persistent(struct check *v, const struct path *at, const struct json *s)
{
	check_cinder(v, at, s);
	check_secret_namespace(v, at, s);
}

static void check_storageos_persistent(struct check *v, const struct path *at, const struct json *s)
{
	check_storageos(v, at, s);
	check_secret_namespace(v, at, s);
}

static void check_azure_file_persistent(struct check *v, const struct path *at,
					const struct json *s)
{
	check_azure_file(v, at, s);
	if (GET(s, "secretNamespace"))
		check_member(v, at, s, "secretNamespace");
}

static void check_glusterfs_persistent(struct check *v, const struct path *at, const struct json *s)
{
	const struct json *namespace = GET(s, "endpointsNamespace");
	check_glusterfs(v, at, s);
	if (namespace && json_str(namespace).len == 0)
		bad(v, MEMBER(at, "endpointsNamespace"), namespace,
		    "if the endpointnamespace is set, it must be a valid namespace name");
}

static void check_expand_secret(struct check *v, const struct path *at, const struct json *ref)
{
	if (TEXT(ref, "name").len > 0)
		check_name(v, MEMBER(at, "name"), NAME_DNS_SUBDOMAIN, TEXT(ref, "name"));
	if (TEXT(ref, "namespace").len > 0)
		check_name(v, MEMBER(at, "namespace"), NAME_DNS_LABEL, TEXT(ref, "namespace"));
}

static void check_csi_persistent(struct check *v, const struct path *at, const struct json *s)
{
	static const char *const refs[] = {"controllerPublishSecretRef",
					   "controllerExpandSecretRef", "nodePublishSecretRef",
					   "nodeExpandSecretRef"};
	check_driver_name(v, MEMBER(at, "driver"), TEXT(s, "driver"));
	check_member(v, at, s, "volumeHandle");
	for (size_t i = 0; i < ARRAY_LEN(refs); i++) {
		const struct json *ref = json_get(s, str_of(refs[i]));
		const struct path *here = MEMBER(at, refs[i]);
		if (!ref)
			continue;
		check_member(v, here, ref, "name");
		check_member(v, here, ref, "namespace");
		if (i == 1)
			check_expand_secret(v, here, ref);
	}
}

static const struct source persistent_sources[] = {
	{"hostPath", NULL, check_host_path},
	{"gcePersistentDisk", "persistentDisk", check_gce, "gcePersistentDisk"},
	{"awsElasticBlockStore", NULL, check_aws},
	{"glusterfs", NULL, check_glusterfs_persistent},
	{"flocker", NULL, check_flocker},
	{"nfs", NULL, check_nfs},
	{"rbd", NULL, check_rbd},
	{"quobyte", NULL, check_quobyte},
	{"cephfs", NULL, check_cephfs, "cephFS"},
	{"iscsi", NULL, check_iscsi_persistent},
	{"cinder", NULL, check_cinder_persistent},
	{"fc", NULL, check_fc},
	{"flexVolume", NULL, check_flex},
	{"azureFile", NULL, check_azure_file_persistent},
	{"vsphereVolume", NULL, check_vsphere},
	{"photonPersistentDisk", NULL, check_photon},
	{"portworxVolume", NULL, check_portworx},
	{"azureDisk", NULL, check_azure_disk},
	{"scaleIO", NULL, check_scaleio},
	{"local", NULL, check_local},
	{"storageos", NULL, check_storageos_persistent},
	{"csi", NULL, check_csi_persistent},
};

static void check_sources(struct check *v, const struct path *at, const struct json *holder,
			  const struct source *sources, size_t source_count)
{
	size_t count = 0;
	for (size_t i = 0; i < source_count; i++) {
		const struct json *s = json_get(holder, str_of(sources[i].name));
		const struct path *here =
			MEMBER(at, sources[i].path ? sources[i].path : sources[i].name);
		if (!s)
			continue;
		/* upstream forgets to look at the count of this one of a persistent volume */
		bool is_forgiven = sources == persistent_sources && sources[i].check == check_flex;
		if (count++ > 0 && !is_forgiven)
			forbidden(v, sources[i].extra ? MEMBER(at, sources[i].extra) : here,
				  "may not specify more than 1 volume type");
		else
			sources[i].check(v, here, s);
	}
	if (count == 0)
		required(v, at, "must specify a volume type");
}

void check_persistent_source(struct check *v, const struct path *at, const struct json *spec)
{
	check_sources(v, at, spec, persistent_sources, ARRAY_LEN(persistent_sources));
}

/* The claim that an ephemeral volume makes is named after the pod. */
static void check_ephemeral_name(struct check *v, const struct path *at, struct str name,
				 const struct json *volume, const struct json *meta)
{
	struct faults f;
	if (!GET(volume, "ephemeral") || !GET(GET(volume, "ephemeral"), "volumeClaimTemplate") ||
	    TEXT(meta, "name").len == 0)
		return;
	struct str claim =
		arena_printf(v->arena, "%.*s-%.*s", STR_FMT(TEXT(meta, "name")), STR_FMT(name));
	name_check(&f, NAME_DNS_SUBDOMAIN, claim);
	for (size_t i = 0; i < f.count; i++)
		bad_text(v, at, name, "PVC name \"%.*s\": %s", STR_FMT(claim), f.at[i]);
}

struct json *check_volumes(struct check *v, const struct path *at, const struct json *volumes,
			   const struct json *meta)
{
	struct json *valid = json_array(v->arena);
	struct map names = {}; /* of those */
	FOR_ITEMS(i, volume, volumes)
	{
		const struct path *here = ITEM(at, i), *name_at = MEMBER(here, "name");
		struct str name = TEXT(volume, "name");
		size_t before = v->errors->count;
		check_sources(v, here, volume, pod_sources, ARRAY_LEN(pod_sources));
		check_ephemeral_name(v, name_at, name, volume, meta);
		check_required_name(v, name_at, NAME_DNS_LABEL, name);
		if (map_has(&names, name))
			duplicate(v, name_at, name);
		if (v->errors->count > before)
			continue;
		map_set(&names, name, valid);
		json_append(v->arena, valid, (struct json *)volume);
	}
	map_done(&names);
	return valid;
}
