#include "server/signer.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "base/encode.h"
#include "base/log.h"
#include "server/write.h"
#include "sync/client.h"

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

static bool is_in(const struct str_array *list, const char *text)
{
	for (uint32_t i = 0; i < list->count; i++)
		if (str_is(list->at[i], text))
			return true;
	return false;
}

/* ---- what a signer takes ---- */

/* "digital signature" and the use are needed, "key encipherment" may come with them. */
static bool has_usages(const struct certificate_signing_request *csr, const char *use)
{
	uint32_t known = is_in(&csr->spec.usages, "digital signature") +
			 is_in(&csr->spec.usages, use) +
			 is_in(&csr->spec.usages, "key encipherment");
	return is_in(&csr->spec.usages, "digital signature") && is_in(&csr->spec.usages, use) &&
	       known == csr->spec.usages.count;
}

/* Any of them, "client auth" among them. */
static bool has_client_usages(const struct certificate_signing_request *csr)
{
	static const char *const allowed[] = {"client auth", "digital signature",
					      "key encipherment"};
	uint32_t known = 0;
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		known += is_in(&csr->spec.usages, allowed[i]);
	return is_in(&csr->spec.usages, "client auth") && known == csr->spec.usages.count;
}

static const char *node_subject_problem(const struct pki_csr *p)
{
	if (p->organization_count != 1 || !str_is(p->organizations[0], "system:nodes"))
		return "subject organization is not system:nodes";
	if (p->email_count)
		return "email subjectAltNames are not allowed";
	if (p->uri_count)
		return "URI subjectAltNames are not allowed";
	if (!str_has_prefix(p->common_name, STR("system:node:")))
		return "subject common name does not begin with system:node: ";
	return NULL;
}

static const char *kubelet_client_problem(const struct certificate_signing_request *csr,
					  const struct pki_csr *p)
{
	if (p->dns_name_count)
		return "DNS subjectAltNames are not allowed";
	if (p->address_count)
		return "IP subjectAltNames are not allowed";
	const char *problem = node_subject_problem(p);
	if (problem)
		return problem;
	return has_usages(csr, "client auth")
		       ? NULL
		       : "usages did not match [client auth digital signature key encipherment]";
}

static const char *kubelet_serving_problem(const struct certificate_signing_request *csr,
					   const struct pki_csr *p)
{
	const char *problem = node_subject_problem(p);
	if (problem)
		return problem;
	if (p->dns_name_count + p->address_count == 0)
		return "DNS or IP subjectAltName is required";
	return has_usages(csr, "server auth")
		       ? NULL
		       : "usages did not match [digital signature key encipherment server auth]";
}

/* What forbids to sign it, whoever has approved it; NULL: nothing. */
static const char *problem_of(const struct certificate_signing_request *csr,
			      const struct pki_csr *p)
{
	switch (kind_of(csr->spec.signer_name)) {
	case SIGN_KUBELET_CLIENT:
		return kubelet_client_problem(csr, p);
	case SIGN_KUBELET_SERVING:
		return kubelet_serving_problem(csr, p);
	case SIGN_CLIENT:
		return has_client_usages(csr) ? NULL
					      : "usages are not valid for a client certificate";
	default:
		return "no such signer";
	}
}

/* Why it is approved without a human, as upstream says it; NULL: a human decides. */
static const char *approval_of(const struct certificate_signing_request *csr,
			       const struct pki_csr *p)
{
	bool is_own = str_eq(csr->spec.username, p->common_name);
	if (problem_of(csr, p))
		return NULL;
	switch (kind_of(csr->spec.signer_name)) {
	case SIGN_KUBELET_CLIENT:
		if (is_own)
			return "Auto approving self kubelet client certificate after "
			       "SubjectAccessReview.";
		return is_in(&csr->spec.groups, "system:bootstrappers")
			       ? "Auto approving kubelet client certificate after "
				 "SubjectAccessReview."
			       : NULL;
	case SIGN_KUBELET_SERVING:
		return is_own ? "Auto approving kubelet serving certificate of the node itself."
			      : NULL;
	default:
		return NULL;
	}
}

/* ---- acts ---- */

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

/* Adds a condition that is true now. */
static void add_condition(struct arena *a, struct json *tree, const char *type, const char *reason,
			  const char *message)
{
	struct json *status = json_need_object(a, tree, STR("status")), *c = json_object(a);
	struct json *list = json_need_array(a, status, STR("conditions"));
	json_set_str(a, c, STR("type"), str_of(type));
	json_set_str(a, c, STR("status"), STR("True"));
	json_set_str(a, c, STR("reason"), str_of(reason));
	json_set_str(a, c, STR("message"), str_of(message));
	json_set_time(a, c, "lastUpdateTime", world_wall_us());
	json_set_time(a, c, "lastTransitionTime", world_wall_us());
	json_append(a, list, c);
}

static void approve(struct signer *s, struct arena *a, const struct object *o, const char *message)
{
	struct json *tree = object_tree(a, o);
	add_condition(a, tree, "Approved", "AutoApproved", message);
	submit(s, o, "approval", tree);
}

static void fail(struct signer *s, struct arena *a, const struct object *o, const char *message)
{
	struct json *tree = object_tree(a, o);
	add_condition(a, tree, "Failed", "SignerValidationFailure", message);
	submit(s, o, "status", tree);
}

static int64_t validity_of(const struct signer *s, const struct certificate_signing_request *csr)
{
	int64_t most_s = s->server->config.signing_life_s;
	return csr->spec.expiration_seconds ? MIN(*csr->spec.expiration_seconds, most_s) : most_s;
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
		.validity_s = validity_of(s, csr),
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
	const char *problem = problem_of(csr, &p), *approval = approval_of(csr, &p);
	if (!has_condition(csr, "Approved") && approval)
		approve(s, &a, new, approval);
	else if (has_condition(csr, "Approved") && problem)
		fail(s, &a, new, problem);
	else if (has_condition(csr, "Approved"))
		sign(s, &a, new, csr, &p);
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
