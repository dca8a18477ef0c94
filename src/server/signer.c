#include "server/signer.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "base/encode.h"
#include "base/log.h"
#include "server/write.h"
#include "sync/client.h"

#define VALIDITY_S	 (365LL * 86400)
#define LEAST_VALIDITY_S 600

struct signer {
	struct server *server;
	struct client_watch *watch;
};

enum signer_kind { SIGN_CLIENT, SIGN_KUBELET_CLIENT, SIGN_KUBELET_SERVING, SIGN_UNKNOWN };

static enum signer_kind kind_of(struct str name)
{
	static const char *const names[] = {
		[SIGN_CLIENT] = "kubernetes.io/kube-apiserver-client",
		[SIGN_KUBELET_CLIENT] = "kubernetes.io/kube-apiserver-client-kubelet",
		[SIGN_KUBELET_SERVING] = "kubernetes.io/kubelet-serving",
	};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i]))
			return (enum signer_kind)i;
	return SIGN_UNKNOWN;
}

static bool has_condition(const struct certificate_signing_request *csr, const char *type)
{
	for (uint32_t i = 0; i < csr->status.conditions.count; i++)
		if (str_is(csr->status.conditions.at[i].type, type))
			return true;
	return false;
}

static bool is_in(const struct str_array *groups, const char *group)
{
	for (uint32_t i = 0; i < groups->count; i++)
		if (str_is(groups->at[i], group))
			return true;
	return false;
}

static bool is_node_subject(const struct pki_csr *p)
{
	return str_has_prefix(p->common_name, STR("system:node:")) && p->organization_count == 1 &&
	       str_is(p->organizations[0], "system:nodes");
}

static bool may_approve(const struct certificate_signing_request *csr, const struct pki_csr *p)
{
	bool is_own = str_eq(csr->spec.username, p->common_name);
	switch (kind_of(csr->spec.signer_name)) {
	case SIGN_KUBELET_CLIENT:
		return is_node_subject(p) && p->dns_name_count == 0 && p->address_count == 0 &&
		       (is_own || is_in(&csr->spec.groups, "system:bootstrappers"));
	case SIGN_KUBELET_SERVING:
		return is_node_subject(p) && is_own && p->dns_name_count + p->address_count > 0;
	default:
		return false;
	}
}

static void answered(void *ctx, const struct client_reply *reply)
{
	if (reply->rc != RC_OK && reply->rc != RC_CONFLICT)
		log_warn("signer", "certificate signing request: %s", reply->err.text);
}

static void submit(struct signer *s, const struct object *o, const char *subresource,
		   const struct json *tree)
{
	struct client_request q = {.verb = CLIENT_UPDATE,
				   .kind = o->kind,
				   .name = o->name,
				   .subresource = str_of(subresource),
				   .body = tree,
				   .field_manager = STR("skeg"),
				   .grace_period_s = -1};
	s->server->local->ops->submit(s->server->local, &q, answered, s);
}

static void approve(struct signer *s, struct arena *a, const struct object *o)
{
	struct json *tree = object_tree(a, o), *status = json_need_object(a, tree, STR("status"));
	struct json *list = json_array(a), *c = json_object(a);
	json_set_str(a, c, STR("type"), STR("Approved"));
	json_set_str(a, c, STR("status"), STR("True"));
	json_set_str(a, c, STR("reason"), STR("AutoApproved"));
	json_set_str(a, c, STR("message"),
		     STR("Auto approving kubelet certificate after SubjectAccessReview."));
	json_set_time(a, c, "lastUpdateTime", world_wall_us());
	json_set_time(a, c, "lastTransitionTime", world_wall_us());
	json_append(a, list, c);
	json_set(a, status, STR("conditions"), list);
	submit(s, o, "approval", tree);
}

static int64_t validity_of(const struct certificate_signing_request *csr)
{
	int64_t wanted = csr->spec.expiration_seconds ? *csr->spec.expiration_seconds : VALIDITY_S;
	return MAX((int64_t)LEAST_VALIDITY_S, MIN(wanted, VALIDITY_S));
}

static struct str *alt_names(struct arena *a, const struct pki_csr *p, size_t *ret_count)
{
	struct str *names = ARENA_ARRAY(a, struct str, p->dns_name_count + p->address_count + 1);
	*ret_count = 0;
	for (size_t i = 0; i < p->dns_name_count; i++)
		names[(*ret_count)++] = p->dns_names[i];
	for (size_t i = 0; i < p->address_count; i++)
		names[(*ret_count)++] = p->addresses[i];
	return names;
}

static void sign(struct signer *s, struct arena *a, const struct object *o,
		 const struct certificate_signing_request *csr, const struct pki_csr *p)
{
	struct err err;
	struct str cert;
	bool is_serving = kind_of(csr->spec.signer_name) == SIGN_KUBELET_SERVING;
	struct pki_subject subject = {
		.common_name = p->common_name,
		.organizations = p->organizations,
		.organization_count = p->organization_count,
		.for_server = is_serving,
		.for_client = !is_serving,
		.key_encipherment = p->is_rsa,
		.validity_s = validity_of(csr),
	};
	subject.alt_names = alt_names(a, p, &subject.alt_name_count);
	const struct pki_pair *ca = is_serving ? &s->server->keys->server_ca
					       : &s->server->keys->client_ca;
	if (pki_csr_sign(a, ca, csr->spec.request, &subject, &cert, &err) != RC_OK) {
		log_warn("signer", "certificate signing request '%.*s': %s", STR_FMT(o->name),
			 err.text);
		return;
	}
	CLEANUP_BUF text = BUF_INIT(PKI_PEM_MAX);
	base64_add(&text, cert);
	struct json *tree = object_tree(a, o), *status = json_need_object(a, tree, STR("status"));
	json_set_str(a, status, STR("certificate"), buf_str(&text));
	submit(s, o, "status", tree);
}

static void on_event(void *ctx, struct object *old, struct object *new)
{
	struct signer *s = ctx;
	const struct certificate_signing_request *csr = new ? object_view(new) : NULL;
	if (!csr || csr->status.certificate.len || has_condition(csr, "Denied") ||
	    has_condition(csr, "Failed") || kind_of(csr->spec.signer_name) == SIGN_UNKNOWN)
		return;
	CLEANUP_ARENA a = {};
	struct pki_csr p;
	if (pki_csr_parse(&a, csr->spec.request, &p, NULL) != RC_OK)
		return;
	if (has_condition(csr, "Approved"))
		sign(s, &a, new, csr, &p);
	else if (may_approve(csr, &p))
		approve(s, &a, new);
}

static const struct client_watch_ops ops = {.on_event = on_event};

struct signer *signer_new(struct server *server)
{
	struct signer *s = NEW(struct signer);
	s->server = server;
	const struct api_kind *kind =
		api_by_stored(api_builtin(), KIND_CERTIFICATE_SIGNING_REQUEST);
	s->watch = server->local->ops->watch(server->local, kind, (struct str){}, (struct str){},
					     &ops, s);
	return s;
}

void signer_free(struct signer *s)
{
	if (!s)
		return;
	s->server->local->ops->unwatch(s->server->local, s->watch);
	free(s);
}
