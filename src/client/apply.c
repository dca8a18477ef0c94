/* skeg apply: objects become as files say, by a three-way merge with what was applied last, or
 * server-side.  All files are read and checked before the first object is sent; what the server
 * refuses afterwards doesn't keep the other objects from being applied. */
#include <stdio.h>

#include "client/api_error.h"
#include "client/api_path.h"
#include "client/change.h"
#include "client/prune.h"
#include "client/resources.h"
#include "client/three_way.h"
#include "client/verbs.h"

#define OBJECT_BYTES_MAX (16u << 20)

struct apply_options {
	struct client_options client;
	struct resource_options resources;
	struct change_options change;
	struct text_list prune_allowed;
	bool is_server_side, is_forced, prunes, is_overwriting;
};

struct apply {
	struct verb *verb;
	const struct apply_options *options;
	struct arena *arena;
	struct change change;
	struct json *printed; /* a List, for -o with several objects */
	struct prune prune;
};

/* The object as it is now; NULL when there is none. */
static enum rc read_current(struct apply *p, struct str path, struct json **ret_object,
			    struct err *err)
{
	enum rc rc = api_client_get(&p->verb->client, p->arena, path, ret_object, err);
	if (rc == RC_NOT_FOUND)
		*ret_object = NULL;
	return rc == RC_NOT_FOUND ? RC_OK : rc;
}

/* ---- client-side ---- */

/* The file's object with itself as the annotation of the last apply. */
static enum rc annotated(struct apply *p, const struct resource *r, struct json **ret_tree,
			 struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(OBJECT_BYTES_MAX);
	struct json *plain = json_clone(p->arena, r->file->tree);
	if (r->namespace.len)
		json_set_str(p->arena, json_need_object(p->arena, plain, STR("metadata")),
			     STR("namespace"), r->namespace);
	struct json *annotations = json_path(plain, "metadata.annotations");
	if (annotations && annotations->type == JSON_OBJECT)
		json_remove(annotations, STR(LAST_APPLIED));
	annotations = json_need_object(p->arena, json_need_object(p->arena, plain, STR("metadata")),
				       STR("annotations"));
	json_sort_keys(plain);
	json_write(&text, plain);
	buf_add_char(&text, '\n');
	TRY(buf_check(&text, "the object", err));
	json_set_str(p->arena, annotations, STR(LAST_APPLIED), arena_str(p->arena, buf_str(&text)));
	*ret_tree = plain;
	return RC_OK;
}

static struct json *last_applied(struct apply *p, const struct resource *r,
				 const struct json *current)
{
	struct json *tree = NULL;
	struct str text =
		json_str(json_get(json_path(current, "metadata.annotations"), STR(LAST_APPLIED)));
	if (!text.len)
		fprintf(stderr,
			"Warning: resource %.*s/%.*s is missing the " LAST_APPLIED
			" annotation which is required by skeg apply. It was not created by apply; "
			"the missing annotation will be patched automatically.\n",
			STR_FMT(resource_type_plural(p->arena, r->kind)), STR_FMT(r->name));
	else if (json_parse(p->arena, text, &tree, NULL, NULL) != RC_OK)
		tree = NULL;
	return tree;
}

/* What the server keeps about an object is nobody's to apply. */
static void drop_kept(struct json *patch)
{
	json_remove(patch, STR("status"));
}

static enum rc apply_client_side(struct apply *p, struct resource *r, struct json *current,
				 const char **ret_what, struct json **ret_after, struct err *err)
{
	struct json *modified;
	TRY(annotated(p, r, &modified, err));
	if (!current) {
		*ret_what = "created";
		return change_create(&p->change, r->kind, r->namespace, modified, ret_after, err);
	}
	const struct api_type *type = api_type(api_builtin(), r->kind->type);
	struct json *patch =
		three_way_patch(p->arena, type, last_applied(p, r, current), modified, current);
	if (patch)
		drop_kept(patch);
	*ret_after = current;
	*ret_what = patch && json_count(patch) ? "configured" : "unchanged";
	if (!patch || !json_count(patch) || p->change.dry_run == DRY_RUN_CLIENT)
		return RC_OK;
	return change_patch(&p->change, r->kind, r->namespace, r->name, NULL, PATCH_STRATEGIC,
			    patch, ret_after, err);
}

/* ---- server-side ---- */

static enum rc apply_server_side(struct apply *p, struct resource *r, struct json **ret_after,
				 struct err *err)
{
	CLEANUP_BUF url = BUF_INIT(URL_MAX_BYTES);
	buf_add_str(&url, api_path(p->arena, r->kind, r->namespace, r->name, NULL));
	query_add(&url, "fieldManager", p->change.field_manager);
	query_add(&url, "fieldValidation", STR("Strict"));
	query_add(&url, "force", p->options->is_forced ? STR("true") : STR("false"));
	query_add(&url, "dryRun", p->change.dry_run ? STR("All") : STR(""));
	return api_client_send(&p->verb->client, p->arena, "PATCH", buf_str(&url),
			       "application/apply-patch+yaml", r->file->tree, ret_after, err);
}

/* ---- each object ---- */

/* What a user can do about a refusal, where the server's words don't say it. */
static const char *remedy(const struct apply *p, const struct err *err)
{
	if (err->rc == RC_CONFLICT && p->options->is_server_side)
		return "\nOther managers own these fields: remove them from the file, or take them "
		       "over with --force-conflicts.";
	if (err->rc == RC_NOT_FOUND && strstr(err->text, "namespaces \""))
		return "\nApply a Namespace of this name first, or choose another with -n.";
	return "";
}

static enum rc refused(struct apply *p, const struct resource *r, struct err *err)
{
	struct err cause = *err;
	return err_set(err, cause.rc, "%s%s\n(%.*s, %.*s \"%.*s\")", cause.text, remedy(p, &cause),
		       STR_FMT(manifest_place(p->arena, r->file)), STR_FMT(r->kind->kind),
		       STR_FMT(r->name));
}

static enum rc tell(struct apply *p, const struct resource *r, struct json *after, const char *what,
		    struct err *err)
{
	if (output_is_table(&p->change.output) || p->change.output.form == OUTPUT_NAME)
		return change_tell(&p->change, r->kind, after, what, err);
	object_complete(p->arena, after, r->kind);
	json_append(p->arena, json_get(p->printed, STR("items")), after);
	return RC_OK;
}

static enum rc apply_one(struct verb *v, struct resource *r, void *ctx, struct err *err)
{
	struct apply *p = ctx;
	struct json *current = NULL, *after = NULL;
	const char *what = "serverside-applied";
	enum rc rc;
	struct str path = api_path(p->arena, r->kind, r->namespace, r->name, NULL);
	if (p->options->is_server_side) {
		rc = apply_server_side(p, r, &after, err);
	} else {
		TRY(read_current(p, path, &current, err));
		rc = apply_client_side(p, r, current, &what, &after, err);
	}
	if (rc != RC_OK)
		return refused(p, r, err);
	prune_keep(&p->prune, json_path_str(after, "metadata.uid"));
	prune_visit(&p->prune, r->namespace);
	return tell(p, r, after, what, err);
}

static enum rc print_all(struct apply *p, struct err *err)
{
	struct json *items = json_get(p->printed, STR("items"));
	if (json_count(items) == 0)
		return RC_OK;
	struct json *tree = json_count(items) == 1 ? json_at(items, 0) : p->printed;
	return output_print(&p->change.output, p->arena, tree, err);
}

/* ---- the verb ---- */

static enum rc check(struct apply *p, struct err *err)
{
	const struct apply_options *o = p->options;
	const struct text_list *words = &p->verb->line->words;
	if (words->count)
		return err_set(err, RC_BAD_REQUEST,
			       "'%s' belongs to no option; name each file with -f", words->at[0]);
	if (o->resources.files.count == 0 && !o->resources.kustomize)
		return err_set(err, RC_BAD_REQUEST,
			       "must specify one of -f and -k: a file, a "
			       "folder, or '-' for standard input");
	if (o->is_forced && !o->is_server_side)
		return err_set(err, RC_BAD_REQUEST,
			       "--force-conflicts only works with --server-side");
	if (o->prunes && !o->resources.label_selector && !o->resources.is_all)
		return err_set(
			err, RC_BAD_REQUEST,
			"all resources selected for prune without explicitly passing --all. "
			"To prune all resources, pass the --all flag. If you did not mean to "
			"prune all resources, specify a label selector");
	return change_open(&p->verb->client, &o->change,
			   o->is_server_side ? "kubectl" : "kubectl-client-side-apply", &p->change,
			   err);
}

static enum rc nothing_applied(enum rc rc)
{
	fprintf(stderr, "Nothing was applied.\n");
	return rc;
}

static enum rc add_resources(struct apply *p, const struct manifest *m, struct resources *r,
			     struct err *err)
{
	r->items = ARENA_ARRAY(p->arena, struct resource, m->count + 1);
	for (size_t i = 0; i < m->count; i++) {
		const struct manifest_object *o = &m->items[i];
		const struct api_client *c = &p->verb->client;
		struct str namespace;
		TRY(manifest_namespace(o, c->namespace, c->is_namespace_given, &namespace, err));
		r->items[r->count++] = (struct resource){
			.kind = o->kind,
			.namespace = o->kind->is_namespaced ? namespace : (struct str){},
			.name = o->name,
			.file = o,
		};
	}
	return RC_OK;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct apply p = {.verb = v, .options = v->line->values, .arena = v->arena};
	struct manifest m;
	struct resources r = {};
	TRY(check(&p, err));
	p.printed = object_list_new(v->arena);
	p.prune = (struct prune){.verb = v,
				 .change = &p.change,
				 .label_selector = p.options->resources.label_selector,
				 .allowed = &p.options->prune_allowed};
	enum rc rc = resources_read_files(v, &p.options->resources, true, &m, err);
	if (rc == RC_OK)
		rc = add_resources(&p, &m, &r, err);
	if (rc != RC_OK)
		return nothing_applied(rc);
	resources_each(v, &r, apply_one, &p);
	TRY(print_all(&p, err));
	return p.options->prunes && !v->failed ? prune_rest(&p.prune, err) : RC_OK;
}

#define AT(member) offsetof(struct apply_options, member)
static const struct option options[] = {
	RESOURCE_FILE_OPTIONS(struct apply_options, resources),
	{"server-side", 0, OPTION_FLAG, AT(is_server_side), NULL,
	 "let the server merge and remember who owns which field"},
	{"force-conflicts", 0, OPTION_FLAG, AT(is_forced), NULL,
	 "take over fields that others manage"},
	{"prune", 0, OPTION_FLAG, AT(prunes), NULL,
	 "delete what was applied before, has the labels of -l, and is in no file now"},
	{"prune-allowlist", 0, OPTION_LIST, AT(prune_allowed), "GROUP/VERSION/KIND",
	 "prune only these kinds (core/v1/ConfigMap)"},
	{"overwrite", 0, OPTION_FLAG, AT(is_overwriting), NULL,
	 "the file wins over what others set (always)"},
	CHANGE_OPTIONS(struct apply_options, change),
	RESOURCE_SELECTOR_OPTIONS(struct apply_options, resources),
	CLIENT_OPTIONS(struct apply_options, client),
};

static const struct apply_options defaults = {.is_overwriting = true};

const struct command command_apply = {
	.name = "apply",
	.arguments = "-f FILE|FOLDER|-",
	.summary = "Make objects be as files say",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.values_size = sizeof(struct apply_options),
	.defaults = &defaults,
	VERB_RUN(body),
};
