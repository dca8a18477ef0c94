/* Which kinds a schema belongs to: x-kubernetes-group-version-kind. */
#include "server/openapi-int.h"

/* DeleteOptions and WatchEvent belong to every group-version that upstream's type registry knows,
 * served or not. */
static const char *const registered_versions[] = {
	"/v1",
	"admission.k8s.io/v1",
	"admission.k8s.io/v1beta1",
	"admissionregistration.k8s.io/v1",
	"admissionregistration.k8s.io/v1alpha1",
	"admissionregistration.k8s.io/v1beta1",
	"apiextensions.k8s.io/v1",
	"apiextensions.k8s.io/v1beta1",
	"apiregistration.k8s.io/v1",
	"apiregistration.k8s.io/v1beta1",
	"apps/v1",
	"apps/v1beta1",
	"apps/v1beta2",
	"authentication.k8s.io/v1",
	"authentication.k8s.io/v1alpha1",
	"authentication.k8s.io/v1beta1",
	"authorization.k8s.io/v1",
	"authorization.k8s.io/v1beta1",
	"autoscaling/v1",
	"autoscaling/v2",
	"autoscaling/v2beta1",
	"autoscaling/v2beta2",
	"batch/v1",
	"batch/v1beta1",
	"certificates.k8s.io/v1",
	"certificates.k8s.io/v1alpha1",
	"certificates.k8s.io/v1beta1",
	"coordination.k8s.io/v1",
	"coordination.k8s.io/v1alpha2",
	"coordination.k8s.io/v1beta1",
	"discovery.k8s.io/v1",
	"discovery.k8s.io/v1beta1",
	"events.k8s.io/v1",
	"events.k8s.io/v1beta1",
	"extensions/v1beta1",
	"flowcontrol.apiserver.k8s.io/v1",
	"flowcontrol.apiserver.k8s.io/v1beta1",
	"flowcontrol.apiserver.k8s.io/v1beta2",
	"flowcontrol.apiserver.k8s.io/v1beta3",
	"imagepolicy.k8s.io/v1alpha1",
	"internal.apiserver.k8s.io/v1alpha1",
	"networking.k8s.io/v1",
	"networking.k8s.io/v1beta1",
	"node.k8s.io/v1",
	"node.k8s.io/v1alpha1",
	"node.k8s.io/v1beta1",
	"policy/v1",
	"policy/v1beta1",
	"rbac.authorization.k8s.io/v1",
	"rbac.authorization.k8s.io/v1alpha1",
	"rbac.authorization.k8s.io/v1beta1",
	"resource.k8s.io/v1",
	"resource.k8s.io/v1alpha3",
	"resource.k8s.io/v1beta1",
	"resource.k8s.io/v1beta2",
	"scheduling.k8s.io/v1",
	"scheduling.k8s.io/v1alpha1",
	"scheduling.k8s.io/v1beta1",
	"storage.k8s.io/v1",
	"storage.k8s.io/v1alpha1",
	"storage.k8s.io/v1beta1",
	"storagemigration.k8s.io/v1beta1",
};

static void write_gvk(struct buf *out, struct str group, struct str version, struct str kind)
{
	openapi_open(out, NULL, '{');
	openapi_string(out, "group", group.at ? group : STR(""));
	openapi_string(out, "kind", kind);
	openapi_string(out, "version", version);
	openapi_close(out, '}');
}

/* DeleteOptions and WatchEvent have all registered versions, other kinds of meta/v1 the first. */
static bool write_meta_kinds(struct buf *out, const struct api_type *t)
{
	static const struct {
		const char *name;
		bool is_everywhere;
	} rows[] = {
		{"APIGroup", false},	{"APIGroupList", false}, {"APIResourceList", false},
		{"APIVersions", false}, {"DeleteOptions", true}, {"Status", false},
		{"WatchEvent", true},
	};
	if (!str_is(t->package, "meta/v1"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_is(t->name, rows[i].name))
			continue;
		size_t count = rows[i].is_everywhere ? ARRAY_LEN(registered_versions) : 1;
		openapi_open(out, "x-kubernetes-group-version-kind", '[');
		for (size_t v = 0; v < count; v++) {
			struct str group, version;
			str_cut(str_of(registered_versions[v]), '/', &group, &version);
			write_gvk(out, group, version, t->name);
		}
		openapi_close(out, ']');
		return true;
	}
	return true;
}

/* The kind whose type this is: its own, its list's, or a subresource's. */
static bool kind_of_type(const struct api *api, int32_t type, struct api_subresource *ret_kind)
{
	for (uint32_t i = 0; i < api->kind_count; i++) {
		const struct api_kind *k = &api->kinds[i];
		if (k->type == type || k->list_type == type) {
			*ret_kind = (struct api_subresource){
				.group = k->group,
				.version = k->version,
				.kind = k->type == type ? k->kind : k->list_kind};
			return true;
		}
		for (uint32_t s = 0; s < k->subresource_count; s++)
			if (k->subresources[s].type == type &&
			    !str_eq(k->subresources[s].kind, k->kind)) {
				*ret_kind = k->subresources[s];
				return true;
			}
	}
	return false;
}

void openapi_write_kinds(struct openapi *o, int32_t type)
{
	struct api_subresource kind;
	if (write_meta_kinds(o->out, api_type(o->api, type)) || !kind_of_type(o->api, type, &kind))
		return;
	openapi_open(o->out, "x-kubernetes-group-version-kind", '[');
	write_gvk(o->out, kind.group, kind.version, kind.kind);
	openapi_close(o->out, ']');
}
