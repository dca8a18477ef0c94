#include "client/rollout_history.h"

#include <stdlib.h>

#include "client/describe.h"
#include "client/tab_writer.h"

#define REVISION "deployment.kubernetes.io/revision"
#define CAUSE	 "kubernetes.io/change-cause"

struct revision {
	int64_t number;
	struct str cause;
	const struct json *object; /* a ReplicaSet or ControllerRevision */
};

struct history {
	struct revision *items;
	size_t count;
	bool is_deployment;
};

static int compare(const void *x, const void *y)
{
	const struct revision *a = x, *b = y;
	return a->number < b->number ? -1 : a->number > b->number;
}

static bool is_owned_by(const struct json *object, struct str uid)
{
	const struct json *owners = json_path(object, "metadata.ownerReferences");
	for (size_t i = 0; i < json_count(owners); i++)
		if (str_eq(json_path_str(json_at(owners, i), "uid"), uid))
			return true;
	return false;
}

static enum rc read_history(struct verb *v, const struct resource *r, struct history *h,
			    struct err *err)
{
	struct json *list;
	struct str uid = json_path_str(r->tree, "metadata.uid");
	struct str selector = describe_selector(v->arena, json_path(r->tree, "spec.selector"));
	*h = (struct history){.is_deployment = str_is(r->kind->plural, "deployments")};
	if (!str_is(r->kind->group, "apps") || str_is(r->kind->plural, "replicasets"))
		return err_set(err, RC_BAD_REQUEST,
			       "no history viewer has been implemented for \"%.*s\"",
			       STR_FMT(r->kind->kind));
	TRY(describe_list(v, h->is_deployment ? "replicasets.apps" : "controllerrevisions.apps",
			  r->namespace, "labelSelector", selector, &list, err));
	h->items = ARENA_ARRAY(v->arena, struct revision, json_count(list) + 1);
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *o = json_at(list, i);
		const struct json *annotations = json_path(o, "metadata.annotations");
		struct revision one = {.object = o,
				       .cause = json_str(json_get(annotations, STR(CAUSE)))};
		if (h->is_deployment)
			str_to_i64(json_str(json_get(annotations, STR(REVISION))), &one.number);
		else
			one.number = json_i64(json_get(o, STR("revision")));
		if (is_owned_by(o, uid) && one.number)
			h->items[h->count++] = one;
	}
	qsort(h->items, h->count, sizeof(*h->items), compare);
	return RC_OK;
}

static const struct revision *find(const struct history *h, int64_t number)
{
	for (size_t i = 0; i < h->count; i++)
		if (h->items[i].number == number)
			return &h->items[i];
	return NULL;
}

static const struct json *template_of(const struct history *h, const struct revision *r)
{
	return json_path(r->object, h->is_deployment ? "spec.template" : "data.spec.template");
}

enum rc rollout_history_text(struct verb *v, const struct resource *r, int64_t revision,
			     struct str *ret_text, struct err *err)
{
	struct history h;
	struct describe d = {.verb = v, .arena = v->arena, .indent = ""};
	CLEANUP_BUF text = BUF_INIT(TAB_WRITER_BYTES_MAX);
	TRY(read_history(v, r, &h, err));
	if (revision) {
		const struct revision *one = find(&h, revision);
		if (!one)
			return err_set(err, RC_NOT_FOUND, "unable to find the specified revision");
		d.text = text;
		describe_template(&d, template_of(&h, one));
		text = d.text;
	} else {
		buf_add_cstr(&text, "REVISION\tCHANGE-CAUSE\n");
	}
	for (size_t i = 0; !revision && i < h.count; i++)
		buf_printf(&text, "%lld\t%.*s\n", (long long)h.items[i].number,
			   STR_FMT(describe_or(h.items[i].cause, "<none>")));
	*ret_text = arena_str(v->arena, buf_str(&text));
	return RC_OK;
}

static struct json *operation(struct arena *a, const char *path, struct json *value)
{
	struct json *o = json_object(a);
	json_set_str(a, o, STR("op"), STR("replace"));
	json_set_str(a, o, STR("path"), str_of(path));
	json_set(a, o, STR("value"), value);
	return o;
}

static enum rc deployment_patch(struct verb *v, const struct resource *r, const struct json *then,
				struct json **ret_patch, struct err *err)
{
	struct arena *a = v->arena;
	struct json *wanted = json_clone(a, then), *patch = json_array(a);
	struct json *labels = json_path(wanted, "metadata.labels");
	if (labels)
		json_remove(labels, STR("pod-template-hash"));
	*ret_patch = NULL;
	if (json_equal(wanted, json_path(r->tree, "spec.template")))
		return RC_OK;
	json_append(a, patch, operation(a, "/spec/template", wanted));
	*ret_patch = patch;
	return RC_OK;
}

enum rc rollout_undo_patch(struct verb *v, const struct resource *r, int64_t *revision,
			   enum patch_form *ret_form, struct json **ret_patch, struct err *err)
{
	struct history h;
	TRY(read_history(v, r, &h, err));
	if (!*revision && h.count < 2)
		return err_set(err, RC_NOT_FOUND, "no rollout history found for %.*s \"%.*s\"",
			       STR_FMT(resource_type_label(v->arena, r->kind)), STR_FMT(r->name));
	const struct revision *then = *revision ? find(&h, *revision) : &h.items[h.count - 2];
	if (!then)
		return err_set(err, RC_NOT_FOUND,
			       "unable to find specified revision %lld in history",
			       (long long)*revision);
	*revision = then->number;
	if (h.is_deployment) {
		*ret_form = PATCH_JSON;
		return deployment_patch(v, r, template_of(&h, then), ret_patch, err);
	}
	/* A ControllerRevision is a strategic merge patch already. */
	*ret_form = PATCH_STRATEGIC;
	*ret_patch = json_clone(v->arena, json_get(then->object, STR("data")));
	return RC_OK;
}
