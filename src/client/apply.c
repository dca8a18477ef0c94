/* skeg apply: objects become as files say, by a three-way merge with what was applied last, or
 * server-side.  All files are read and checked before the first object is sent; what the server
 * refuses afterwards doesn't keep the other objects from being applied. */
#include <stdio.h>

#include "client/api_error.h"
#include "client/apply_merge.h"
#include "client/change.h"
#include "client/prune.h"
#include "client/resources.h"
#include "client/verbs.h"

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
	bool has_several; /* objects: messages say which it is */
};

static enum rc apply_client_side(struct apply *p, struct resource *r, struct json *current,
				 const char **ret_what, struct json **ret_after, struct err *err)
{
	struct json *modified;
	TRY(apply_modified(p->arena, r, &modified, err));
	if (!current) {
		*ret_what = "created";
		return change_create(&p->change, r->kind, r->namespace, modified, ret_after, err);
	}
	struct json *patch = apply_patch(p->arena, r, modified, current);
	*ret_after = current;
	*ret_what = patch ? "configured" : "unchanged";
	if (!patch)
		return RC_OK;
	return change_patch(&p->change, r->kind, r->namespace, r->name, NULL, PATCH_STRATEGIC,
			    patch, ret_after, err);
}

/* ---- each object ---- */

/* What a user can do about a conflict between managers. */
static const char conflict_remedy[] =
	"Please review the fields above--they currently have other managers. Here\n"
	"are the ways you can resolve this warning:\n"
	"* If you intend to manage all of these fields, please re-run the apply\n"
	"  command with the `--force-conflicts` flag.\n"
	"* If you do not intend to manage all of the fields, please edit your\n"
	"  manifest to remove references to the fields that should keep their\n"
	"  current managers.\n"
	"* You may co-own fields by updating your manifest to match the existing\n"
	"  value; in this case, you'll become the manager if the other manager(s)\n"
	"  stop managing the field (remove it from their configuration).\n"
	"See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts";

/* The server's words, with what to do where they don't say it, and which of several objects it is.
 */
static enum rc refused(struct apply *p, const struct resource *r, struct err *err)
{
	struct err cause = *err;
	struct str head, rest;
	bool is_conflict = cause.rc == RC_CONFLICT && p->options->is_server_side;
	if (is_conflict && api_error_cut(str_of(cause.text), &head, &rest))
		return err_set(err, cause.rc, "%.*s\n%s", STR_FMT(rest), conflict_remedy);
	bool lacks_namespace = cause.rc == RC_NOT_FOUND && strstr(cause.text, "namespaces \"");
	err_set(err, cause.rc, "%s%s", cause.text,
		lacks_namespace
			? "\nApply a Namespace of this name first, or choose another with -n."
			: "");
	if (!p->has_several)
		return cause.rc;
	cause = *err;
	return err_set(err, cause.rc, "%s\n(%.*s, %.*s \"%.*s\")", cause.text,
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
	if (p->options->is_server_side) {
		rc = change_apply(&p->change, r->kind, r->namespace, r->name, r->file->tree,
				  p->options->is_forced, &after, err);
	} else {
		TRY(apply_live(v, r, &current, err));
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

static enum rc check_options(const struct apply_options *o, const struct change *change,
			     struct err *err)
{
	if (o->is_server_side && change->dry_run == DRY_RUN_CLIENT)
		return err_set(err, RC_BAD_REQUEST,
			       "--dry-run=client doesn't work with --server-side (did you mean "
			       "--dry-run=server instead?)");
	if (!o->is_overwriting)
		return err_set(err, RC_BAD_REQUEST,
			       "--overwrite=false: a client-side apply always overwrites; "
			       "--server-side tells of fields that others have set");
	if (o->prunes && !o->resources.label_selector && !o->resources.is_all)
		return err_set(
			err, RC_BAD_REQUEST,
			"all resources selected for prune without explicitly passing --all. "
			"To prune all resources, pass the --all flag. If you did not mean to "
			"prune all resources, specify a label selector");
	return RC_OK;
}

static enum rc nothing_applied(enum rc rc)
{
	fprintf(stderr, "Nothing was applied.\n");
	return rc;
}

static enum rc body(struct verb *v, struct err *err)
{
	struct apply p = {.verb = v, .options = v->line->values, .arena = v->arena};
	struct manifest m;
	struct resources r = {};
	TRY(apply_open(v, &p.options->resources, &p.options->change, p.options->is_server_side,
		       p.options->is_forced, &p.change, err));
	TRY(check_options(p.options, &p.change, err));
	p.printed = object_list_new(v->arena);
	p.prune = (struct prune){.verb = v,
				 .change = &p.change,
				 .label_selector = p.options->resources.label_selector,
				 .allowed = &p.options->prune_allowed};
	enum rc rc = resources_read_files(v, &p.options->resources, true, &m, err);
	if (rc == RC_OK)
		rc = apply_resources(v, &m, &r, err);
	if (rc != RC_OK)
		return nothing_applied(rc);
	p.has_several = r.count > 1;
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
	 "the file wins over what others set (always so; =false is refused)"},
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
