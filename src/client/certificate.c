/* skeg certificate approve|deny: answers what somebody asks to be signed. */
#include "client/change.h"
#include "client/resources.h"
#include "client/verbs.h"

struct certificate_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	bool is_forced;
};

struct answer {
	const char *type, *opposite, *reason, *message, *done;
};

static const struct answer approval = {"Approved", "Denied", "KubectlApprove",
				       "This CSR was approved by kubectl certificate approve.",
				       "approved"};
static const struct answer denial = {"Denied", "Approved", "KubectlDeny",
				     "This CSR was denied by kubectl certificate deny.", "denied"};

struct answering {
	const struct answer *answer;
	bool is_forced;
	struct change change;
};

/* The request's conditions with the answer at the end in place of one of its type. */
static struct json *with_answer(struct arena *a, const struct answer *answer,
				const struct json *conditions)
{
	struct json *list = json_array(a), *condition = json_object(a);
	for (size_t i = 0; i < json_count(conditions); i++) {
		struct json *one = json_at(conditions, i);
		if (!str_is(json_path_str(one, "type"), answer->type))
			json_append(a, list, json_copy(a, one));
	}
	json_set_str(a, condition, STR("type"), str_of(answer->type));
	json_set_str(a, condition, STR("status"), STR("True"));
	json_set_str(a, condition, STR("reason"), str_of(answer->reason));
	json_set_str(a, condition, STR("message"), str_of(answer->message));
	json_append(a, list, condition);
	return list;
}

static bool has_condition(const struct json *conditions, const char *type)
{
	for (size_t i = 0; i < json_count(conditions); i++)
		if (str_is(json_path_str(json_at(conditions, i), "type"), type))
			return true;
	return false;
}

static enum rc answer_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct answering *w = ctx;
	struct arena *a = v->arena;
	const struct json *now = json_path(r->tree, "status.conditions");
	bool had = has_condition(now, w->answer->type);
	struct json *after = r->tree, *patch = json_object(a);
	if (has_condition(now, w->answer->opposite))
		return err_set(err, RC_CONFLICT,
			       "certificate signing request \"%.*s\" is already %s",
			       STR_FMT(r->name), w->answer->opposite);
	/* Only of the version that was looked at: the list is written as a whole. */
	json_set_str(a, json_need_object(a, patch, STR("metadata")), STR("resourceVersion"),
		     json_path_str(r->tree, "metadata.resourceVersion"));
	json_set(a, json_need_object(a, patch, STR("status")), STR("conditions"),
		 with_answer(a, w->answer, now));
	if (!had || w->is_forced)
		TRY(change_patch(&w->change, r->kind, r->namespace, r->name, "approval",
				 PATCH_MERGE, patch, &after, err));
	return change_tell(&w->change, r->kind, after, w->answer->done, err);
}

static enum rc body(struct verb *v, struct err *err)
{
	const struct certificate_options *o = v->line->values;
	struct answering w = {.answer = v->detail, .is_forced = o->is_forced};
	struct resources r;
	const struct resource_query q = {.options = &o->resources,
					 .words = verb_words(v, 0),
					 .default_type = "certificatesigningrequests"};
	TRY(change_open(&v->client, &o->change, NULL, &w.change, err));
	TRY(resources_find(v, &q, &r, err));
	resources_each(v, &r, answer_one, &w);
	return RC_OK;
}

static const struct option options[] = {
	{"force", 0, OPTION_FLAG, offsetof(struct certificate_options, is_forced), NULL,
	 "write the answer even if it has been given"},
	CHANGE_OPTIONS(struct certificate_options, change),
	RESOURCE_FILE_OPTIONS(struct certificate_options, resources),
	CLIENT_OPTIONS(struct certificate_options, client),
};

const struct command command_certificate_approve = {
	.name = "certificate approve",
	.arguments = "REQUEST…",
	.summary = "Let what a CertificateSigningRequest asks for be signed",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct certificate_options),
	VERB_RUN(body, &approval),
};

const struct command command_certificate_deny = {
	.name = "certificate deny",
	.arguments = "REQUEST…",
	.summary = "Refuse what a CertificateSigningRequest asks for",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct certificate_options),
	VERB_RUN(body, &denial),
};
