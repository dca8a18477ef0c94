#include "server/admission_certificates.h"

#include "base/encode.h"
#include "http/pki.h"
#include "server/server.h"

void certificate_stamp(struct request *r, struct json *tree)
{
	static const char *const own[] = {"username", "uid", "groups", "extra"};
	struct arena *a = &r->arena;
	struct json *spec = json_need_object(a, tree, STR("spec")), *groups = json_array(a);
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		json_remove(spec, str_of(own[i])); /* nobody says of himself who he is */
	for (size_t i = 0; i < r->user.group_count; i++)
		json_append(a, groups, json_string(a, r->user.groups[i]));
	json_set_str(a, spec, STR("username"), r->user.name);
	if (r->user.uid.len)
		json_set_str(a, spec, STR("uid"), r->user.uid);
	if (r->user.group_count)
		json_set(a, spec, STR("groups"), groups);
	if (r->user.extra)
		json_set(a, spec, STR("extra"), json_copy(a, r->user.extra));
}

enum step certificate_subject_restriction(struct request *r, const struct json *old,
					  struct json *tree)
{
	struct pki_csr csr;
	struct str request;
	if (!str_is(json_path_str(tree, "spec.signerName"), "kubernetes.io/kube-apiserver-client"))
		return STEP_NEXT;
	if (!base64_decode(&r->arena, json_path_str(tree, "spec.request"), &request) ||
	    pki_csr_parse(&r->arena, request, &csr, NULL) != RC_OK)
		return STEP_NEXT; /* validation tells what is wrong with it */
	for (size_t i = 0; i < csr.organization_count; i++)
		if (str_is(csr.organizations[i], "system:masters"))
			return request_forbid(
				r, json_path_str(tree, "metadata.name"),
				"use of kubernetes.io/kube-apiserver-client signer with "
				"system:masters group is not allowed");
	return STEP_NEXT;
}

static bool may(struct request *r, const char *verb, struct str name)
{
	struct attributes what = {.verb = str_of(verb),
				  .is_resource = true,
				  .group = STR("certificates.k8s.io"),
				  .resource = STR("signers"),
				  .name = name};
	return authorizer_allows(r->server->authorizer, &r->user, &what);
}

/* A right on a signer, or on all of its domain. */
static enum step need_signer_right(struct request *r, const struct json *old, const char *verb)
{
	struct str signer = json_path_str(old, "spec.signerName"), domain, path;
	str_cut(signer, '/', &domain, &path);
	if (!r->exchange || may(r, verb, signer) ||
	    may(r, verb, arena_printf(&r->arena, "%.*s/*", STR_FMT(domain))))
		return STEP_NEXT;
	return request_forbid(r, json_path_str(old, "metadata.name"),
			      "user not permitted to %s requests with signerName \"%.*s\"", verb,
			      STR_FMT(signer));
}

enum step certificate_approval(struct request *r, const struct json *old, struct json *tree)
{
	return need_signer_right(r, old, "approve");
}

enum step certificate_signing(struct request *r, const struct json *old, struct json *tree)
{
	static const char *const paths[] = {"status.certificate", "status.conditions"};
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct json *before = json_path(old, paths[i]), *now = json_path(tree, paths[i]);
		bool is_same = before && now ? json_equal(before, now) : before == now;
		if (!is_same)
			return need_signer_right(r, old, "sign");
	}
	return STEP_NEXT;
}
