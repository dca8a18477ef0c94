#include "server/pod_references.h"

struct row {
	enum pod_reference kind;
	const char *path;
};

static const struct row volume_rows[] = {
	{POD_SECRET, "azureFile.secretName"},
	{POD_SECRET, "cephfs.secretRef.name"},
	{POD_SECRET, "cinder.secretRef.name"},
	{POD_SECRET, "csi.nodePublishSecretRef.name"},
	{POD_SECRET, "flexVolume.secretRef.name"},
	{POD_SECRET, "iscsi.secretRef.name"},
	{POD_SECRET, "rbd.secretRef.name"},
	{POD_SECRET, "scaleIO.secretRef.name"},
	{POD_SECRET, "secret.secretName"},
	{POD_SECRET, "storageos.secretRef.name"},
	{POD_CONFIG_MAP, "configMap.name"},
	{POD_VOLUME_CLAIM, "persistentVolumeClaim.claimName"},
};
static const struct row projection_rows[] = {
	{POD_SECRET, "secret.name"},
	{POD_CONFIG_MAP, "configMap.name"},
};
static const struct row env_rows[] = {
	{POD_SECRET, "valueFrom.secretKeyRef.name"},
	{POD_CONFIG_MAP, "valueFrom.configMapKeyRef.name"},
};
static const struct row env_from_rows[] = {
	{POD_SECRET, "secretRef.name"},
	{POD_CONFIG_MAP, "configMapRef.name"},
};
static const struct row pull_secret_rows[] = {{POD_SECRET, "name"}};
static const struct row own_claim_rows[] = {{POD_RESOURCE_CLAIM, "resourceClaimName"}};
static const struct row account_rows[] = {{POD_SERVICE_ACCOUNT, "serviceAccountName"}};
static const struct row extended_rows[] = {
	{POD_RESOURCE_CLAIM, "extendedResourceClaimStatus.resourceClaimName"}};

struct visit {
	void (*fn)(void *ctx, enum pod_reference kind, struct str name);
	void *ctx;
};

static void visit_rows(const struct visit *v, const struct json *item, const struct row *rows,
		       size_t count)
{
	for (size_t i = 0; item && i < count; i++) {
		struct str name = json_path_str(item, rows[i].path);
		if (name.len)
			v->fn(v->ctx, rows[i].kind, name);
	}
}

static void visit_list(const struct visit *v, const struct json *list, const struct row *rows,
		       size_t count)
{
	for (size_t i = 0; i < json_count(list); i++)
		visit_rows(v, json_at(list, i), rows, count);
}

static void visit_containers(const struct visit *v, const struct json *list)
{
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *c = json_at(list, i);
		visit_list(v, json_get(c, STR("env")), env_rows, ARRAY_LEN(env_rows));
		visit_list(v, json_get(c, STR("envFrom")), env_from_rows, ARRAY_LEN(env_from_rows));
	}
}

static void visit_volumes(const struct visit *v, struct arena *a, const struct json *pod)
{
	const struct json *list = json_path(pod, "spec.volumes");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *volume = json_at(list, i);
		visit_rows(v, volume, volume_rows, ARRAY_LEN(volume_rows));
		visit_list(v, json_path(volume, "projected.sources"), projection_rows,
			   ARRAY_LEN(projection_rows));
		if (json_get(volume, STR("ephemeral")))
			v->fn(v->ctx, POD_VOLUME_CLAIM,
			      arena_printf(a, "%.*s-%.*s",
					   STR_FMT(json_path_str(pod, "metadata.name")),
					   STR_FMT(json_path_str(volume, "name"))));
	}
}

void pod_references_each(struct arena *a, const struct json *pod,
			 void (*fn)(void *ctx, enum pod_reference kind, struct str name), void *ctx)
{
	static const char *const containers[] = {"initContainers", "containers",
						 "ephemeralContainers"};
	const struct visit v = {fn, ctx};
	const struct json *spec = json_get(pod, STR("spec")),
			  *status = json_get(pod, STR("status"));
	visit_rows(&v, spec, account_rows, ARRAY_LEN(account_rows));
	visit_list(&v, json_get(spec, STR("imagePullSecrets")), pull_secret_rows,
		   ARRAY_LEN(pull_secret_rows));
	for (size_t i = 0; i < ARRAY_LEN(containers); i++)
		visit_containers(&v, json_get(spec, str_of(containers[i])));
	visit_volumes(&v, a, pod);
	/* Claims made from templates have their names in the status. */
	visit_list(&v, json_get(spec, STR("resourceClaims")), own_claim_rows,
		   ARRAY_LEN(own_claim_rows));
	visit_list(&v, json_get(status, STR("resourceClaimStatuses")), own_claim_rows,
		   ARRAY_LEN(own_claim_rows));
	visit_rows(&v, status, extended_rows, ARRAY_LEN(extended_rows));
}

bool pod_is_mirror(const struct json *pod)
{
	return json_get(json_path(pod, "metadata.annotations"),
			STR("kubernetes.io/config.mirror")) != NULL;
}
