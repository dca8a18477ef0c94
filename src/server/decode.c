#include "server/decode.h"

#include "api/api_ids.h"
#include "api/gotext.h"
#include "api/protobuf.h"
#include "base/encode.h"
#include "codec/yaml.h"
#include "server/negotiate.h"
#include "server/pipeline.h"
#include "server/reviews.h"
#include "server/route.h"
#include "server/write_options.h"

#define BODY_HEAD_SHOWN 30
#define NO_TYPE		"couldn't get version/kind; json parse error: "

enum step decode_report(struct request *r, const struct decoded *d)
{
	if (str_is(r->options.field_validation, "Ignore"))
		return STEP_NEXT;
	struct strict_faults faults =
		api_strict_faults(&r->arena, d->parsed, &d->duplicates, &d->unknown, d->is_yaml);
	if (faults.count == 0)
		return STEP_NEXT;
	if (!str_is(r->options.field_validation, "Strict")) {
		for (size_t i = 0; i < faults.count; i++)
			request_warn(r, "%.*s", STR_FMT(faults.texts[i]));
		return STEP_NEXT;
	}
	const struct api_kind *kind = r->route.kind;
	struct str text = api_strict_error(&r->arena, &faults);
	return request_fail(
		r, RC_BAD_REQUEST, "%.*s in version \"%.*s\" cannot be handled as a %.*s: %.*s",
		STR_FMT(kind->kind), STR_FMT(kind->version), STR_FMT(kind->kind), STR_FMT(text));
}

/* ---- bodies of creates and updates ---- */

enum body_form { BODY_JSON, BODY_YAML, BODY_PROTOBUF, BODY_UNKNOWN };

static enum body_form body_form(struct str content_type)
{
	static const struct {
		const char *name;
		enum body_form form;
	} rows[] = {
		{"", BODY_JSON},
		{"application/json", BODY_JSON},
		{"application/yaml", BODY_YAML},
		{"application/vnd.kubernetes.protobuf", BODY_PROTOBUF},
	};
	struct str base = media_base(content_type);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_eq_nocase(base, str_of(rows[i].name)))
			return rows[i].form;
	return BODY_UNKNOWN;
}

static enum step unknown_body(struct request *r)
{
	return request_fail(
		r, RC_UNSUPPORTED_MEDIA_TYPE,
		"the body of the request was in an unknown format - accepted media types include: "
		"application/json, application/yaml, application/vnd.kubernetes.protobuf");
}

/* As upstream shows the beginning of a body that it cannot read: JSON as it is, all else in hex. */
static struct str body_head(struct request *r)
{
	CLEANUP_BUF out = BUF_INIT(BODY_HEAD_SHOWN * 4);
	struct str head = str_n(r->body.at, MIN(r->body.len, (size_t)BODY_HEAD_SHOWN));
	if (head.len == 0)
		return STR("<empty>");
	if (head.at[0] == '{')
		buf_add_str(&out, head);
	else
		hex_add(&out, head);
	if (r->body.len > BODY_HEAD_SHOWN)
		buf_add_cstr(&out, " ...");
	return arena_str(&r->arena, buf_str(&out));
}

static enum step unrecognized(struct request *r, struct str expected, const char *why)
{
	return request_fail(r, RC_BAD_REQUEST,
			    "the object provided is unrecognized (must be of type %.*s): %s (%.*s)",
			    STR_FMT(expected), why, STR_FMT(body_head(r)));
}

static enum step no_type(struct request *r, struct str expected, struct str why)
{
	return unrecognized(
		r, expected,
		arena_cstr(&r->arena, arena_printf(&r->arena, NO_TYPE "%.*s", STR_FMT(why))));
}

static const char *json_word(const struct json *v)
{
	static const char *const names[] = {
		[JSON_BOOL] = "bool",	  [JSON_INT] = "number",  [JSON_DOUBLE] = "number",
		[JSON_STRING] = "string", [JSON_ARRAY] = "array", [JSON_OBJECT] = "object"};
	return names[v->type];
}

/* kind and apiVersion are read before anything else is: what stands in their way. */
static struct str type_meta_fault(struct arena *a, const struct json *tree)
{
	static const char *const keys[] = {"apiVersion", "kind"};
	if (tree->type != JSON_OBJECT && tree->type != JSON_NULL)
		return arena_printf(a,
				    "json: cannot unmarshal %s into Go value of type struct { "
				    "APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind "
				    "string \"json:\\\"kind,omitempty\\\"\" }",
				    json_word(tree));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct json *value = json_get(tree, str_of(keys[i]));
		if (value && value->type != JSON_NULL && value->type != JSON_STRING)
			return arena_printf(a,
					    "json: cannot unmarshal %s into Go struct field .%s of "
					    "type string",
					    json_word(value), keys[i]);
	}
	return (struct str){};
}

/* One document; more than one is upstream's error too. */
static enum rc parse_yaml(struct request *r, struct decoded *d, struct err *err)
{
	struct yaml_document *documents;
	size_t count;
	TRY(yaml_parse(&r->arena, r->body, &documents, &count, &d->duplicates, err));
	d->parsed = count ? documents[0].tree : json_null(&r->arena);
	return RC_OK;
}

static enum rc parse_text(struct request *r, enum body_form form, struct decoded *d,
			  struct err *err)
{
	d->is_yaml = form == BODY_YAML;
	if (d->is_yaml)
		return parse_yaml(r, d, err);
	return json_parse(&r->arena, r->body, &d->parsed, &d->duplicates, err);
}

/* What a body has to be: the kind of the path or of its subresource. */
struct expected {
	const struct api_type *type;
	struct str group, version, kind, api_version;
};

static struct expected expected_body(struct request *r)
{
	const struct api_kind *k = r->route.kind;
	const struct api_subresource *sub = r->route.sub;
	struct expected e = {api_type(api_builtin(), k->type), k->group, k->version, k->kind,
			     k->api_version};
	if (!sub || sub->kind.len == 0)
		return e;
	e = (struct expected){api_type(api_builtin(), sub->type), sub->group, sub->version,
			      sub->kind, sub->version};
	if (sub->version.len == 0) { /* of the same group-version */
		e.group = k->group;
		e.version = k->version;
		e.api_version = k->api_version;
	} else if (sub->group.len) {
		e.api_version = arena_printf(&r->arena, "%.*s/%.*s", STR_FMT(sub->group),
					     STR_FMT(sub->version));
	}
	return e;
}

/* Kinds that every version has, and lists of its own kinds. */
static bool is_registered(struct str api_version, struct str kind)
{
	static const char *const shared[] = {"CreateOptions", "DeleteOptions", "GetOptions",
					     "ListOptions",   "PatchOptions",  "UpdateOptions",
					     "WatchEvent"};
	const struct api *api = api_builtin();
	for (size_t i = 0; i < ARRAY_LEN(shared); i++)
		if (str_is(kind, shared[i]))
			return true;
	for (uint32_t i = 0; i < api->kind_count; i++)
		if (str_eq(api->kinds[i].api_version, api_version) &&
		    (str_eq(api->kinds[i].kind, kind) || str_eq(api->kinds[i].list_kind, kind)))
			return true;
	return false;
}

/* The package of a group's internal types upstream: "" is core, the rest the first label. */
static struct str internal_group(struct str group)
{
	struct str first, rest;
	str_cut(group, '.', &first, &rest);
	return group.len ? first : STR("core");
}

static struct str version_of(struct str api_version)
{
	struct str group, version;
	return str_cut(api_version, '/', &group, &version) ? version : api_version;
}

/* The document names a kind that is not the expected one. */
static struct str wrong_kind_text(struct arena *a, struct str expected_group,
				  struct str expected_kind, struct str api_version, struct str kind)
{
	if (is_registered(api_version, kind))
		return arena_printf(a, "converting (%.*s.%.*s) to (%.*s.%.*s): unknown conversion",
				    STR_FMT(version_of(api_version)), STR_FMT(kind),
				    STR_FMT(internal_group(expected_group)),
				    STR_FMT(expected_kind));
	return arena_printf(a,
			    "no kind \"%.*s\" is registered for version \"%.*s\" in scheme "
			    "\"pkg/runtime/scheme.go:111\"",
			    STR_FMT(kind), STR_FMT(api_version));
}

struct str decode_kind_fault(struct request *r, const struct api_kind *kind,
			     const struct json *tree)
{
	struct arena *a = &r->arena;
	struct str fault = type_meta_fault(a, tree);
	struct str name = json_path_str(tree, "kind"),
		   api_version = json_path_str(tree, "apiVersion");
	if (fault.len)
		return arena_printf(a, NO_TYPE "%.*s", STR_FMT(fault));
	if ((!name.len || str_eq(name, kind->kind)) &&
	    (!api_version.len || str_eq(api_version, kind->api_version)))
		return (struct str){};
	return wrong_kind_text(a, kind->group, kind->kind,
			       api_version.len ? api_version : kind->api_version,
			       name.len ? name : kind->kind);
}

static enum step wrong_kind(struct request *r, const struct expected *expected,
			    struct str api_version, struct str kind)
{
	struct str version = version_of(api_version), rest;
	if (str_cut(version, '/', &rest, &rest))
		return unrecognized(
			r, expected->kind,
			arena_cstr(&r->arena,
				   arena_printf(&r->arena, "unexpected GroupVersion string: %.*s",
						STR_FMT(api_version))));
	struct str why =
		wrong_kind_text(&r->arena, expected->group, expected->kind, api_version, kind);
	return request_fail(r, RC_BAD_REQUEST,
			    "%.*s in version \"%.*s\" cannot be handled as a %.*s: %.*s",
			    STR_FMT(kind), STR_FMT(version), STR_FMT(expected->kind), STR_FMT(why));
}

/* Fills in what the path implies, refuses what contradicts it. */
static enum step check_kind(struct request *r, const struct expected *expected, struct json *tree)
{
	struct str kind = json_path_str(tree, "kind"),
		   api_version = json_path_str(tree, "apiVersion");
	if (kind.len == 0)
		kind = expected->kind;
	if (api_version.len == 0)
		api_version = expected->api_version;
	if (!str_eq(kind, expected->kind) || !str_eq(api_version, expected->api_version))
		return wrong_kind(r, expected, api_version, kind);
	return STEP_NEXT;
}

static enum step decode_protobuf(struct request *r, const struct expected *expected)
{
	struct protobuf_envelope envelope;
	struct err err;
	if (protobuf_envelope_open(r->body, &envelope, &err) != RC_OK)
		return unrecognized(r, expected->kind, err.text);
	struct str kind = envelope.kind.len ? envelope.kind : expected->kind;
	struct str api_version = envelope.api_version.len ? envelope.api_version
							  : expected->api_version;
	if (!str_eq(kind, expected->kind) || !str_eq(api_version, expected->api_version))
		return wrong_kind(r, expected, api_version, kind);
	if (api_protobuf_decode(&r->arena, expected->type, &envelope, &r->tree, &err) != RC_OK)
		return unrecognized(r, expected->kind, err.text);
	return STEP_NEXT;
}

static enum step decode_body(struct request *r, const struct expected *expected)
{
	struct decoded d = {};
	struct err err;
	enum body_form form = body_form(r->content_type);
	if (form == BODY_UNKNOWN)
		return unknown_body(r);
	if (form == BODY_PROTOBUF)
		return decode_protobuf(r, expected);
	if (parse_text(r, form, &d, &err) != RC_OK)
		return form == BODY_YAML ? unrecognized(r, expected->kind, err.text)
					 : no_type(r, expected->kind, str_of(err.text));
	if (d.parsed->type == JSON_NULL)
		d.parsed = json_object(&r->arena);
	struct str fault = type_meta_fault(&r->arena, d.parsed);
	if (fault.len)
		return no_type(r, expected->kind, fault);
	if (check_kind(r, expected, d.parsed) == STEP_DONE)
		return STEP_DONE;
	if (api_normalise(&r->arena, expected->type, d.parsed, &d.unknown, &r->tree, &err) != RC_OK)
		return request_fail(r, RC_BAD_REQUEST,
				    "%.*s in version \"%.*s\" cannot be handled as a %.*s: %s",
				    STR_FMT(expected->kind), STR_FMT(expected->version),
				    STR_FMT(expected->kind), err.text);
	return decode_report(r, &d);
}

/* ---- patches ---- */

static enum step unknown_patch(struct request *r)
{
	request_fail(r, RC_UNSUPPORTED_MEDIA_TYPE, "415: Unsupported Media Type");
	json_set(&r->arena, r->reply.tree, STR("details"), json_object(&r->arena));
	return STEP_DONE;
}

/* A configuration is read before anything is known of the object. */
static enum step decode_apply(struct request *r, struct decoded *d)
{
	if (d->fault.len)
		return request_fail(r, RC_BAD_REQUEST,
				    "error decoding YAML: error converting YAML to JSON: %.*s",
				    STR_FMT(d->fault));
	if (d->parsed->type != JSON_OBJECT && d->parsed->type != JSON_NULL)
		return request_fail(r, RC_BAD_REQUEST,
				    "error decoding YAML: error unmarshaling JSON: while decoding "
				    "JSON: json: cannot unmarshal %s into Go value of type "
				    "map[string]interface {}",
				    json_word(d->parsed));
	return STEP_NEXT;
}

static bool patch_type_of(struct request *r)
{
	static const struct {
		const char *name;
		enum patch_type type;
	} rows[] = {
		{"application/json-patch+json", PATCH_JSON},
		{"application/merge-patch+json", PATCH_MERGE},
		{"application/strategic-merge-patch+json", PATCH_STRATEGIC},
		{"application/apply-patch+yaml", PATCH_APPLY},
	};
	struct str base = media_base(r->content_type);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(base, rows[i].name)) {
			r->patch_type = rows[i].type;
			return true;
		}
	return false;
}

/* What a patch says, and whether it is a document at all, is judged when it is laid over the
 * object: without one the answer is another. */
static enum step decode_patch(struct request *r)
{
	struct decoded *d = ARENA_NEW(&r->arena, struct decoded);
	struct err err;
	bool is_apply = r->patch_type == PATCH_APPLY;
	d->duplicates.keeps_last = true;
	if (parse_text(r, is_apply ? BODY_YAML : BODY_JSON, d, &err) != RC_OK) {
		d->fault = arena_str(&r->arena, str_of(err.text));
		d->parsed = json_null(&r->arena);
	}
	r->tree = d->parsed;
	r->patch = d;
	return is_apply ? decode_apply(r, d) : STEP_NEXT;
}

/* ---- deletes ---- */

static enum step read_delete_query(struct request *r)
{
	struct deletion *o = &r->deletion;
	struct str grace = query_get(&r->arena, r->query, "gracePeriodSeconds");
	struct str propagation = query_get(&r->arena, r->query, "propagationPolicy");
	struct str orphan = query_get(&r->arena, r->query, "orphanDependents");
	struct err err;
	if (grace.at && gotext_int(grace, &o->grace_s, &err) != RC_OK)
		return request_fail(r, RC_BAD_REQUEST, "%s", err.text);
	o->has_grace = grace.len > 0;
	if (propagation.at)
		o->propagation = propagation;
	o->uid = query_get(&r->arena, r->query, "uid");
	o->resource_version = query_get(&r->arena, r->query, "resourceVersion");
	if (orphan.len)
		o->propagation = str_is(orphan, "false") || str_is(orphan, "0") ? STR("Background")
										: STR("Orphan");
	return delete_options_check(r, NULL);
}

void delete_options_read(struct request *r, const struct json *tree)
{
	struct deletion *o = &r->deletion;
	struct json *grace = json_get(tree, STR("gracePeriodSeconds"));
	struct json *orphan = json_get(tree, STR("orphanDependents"));
	if (grace) {
		o->has_grace = true;
		o->grace_s = json_i64(grace);
	}
	o->propagation = json_path_str(tree, "propagationPolicy");
	if (orphan)
		o->propagation = json_is_true(orphan) ? STR("Orphan") : STR("Background");
	o->uid = json_path_str(tree, "preconditions.uid");
	o->resource_version = json_path_str(tree, "preconditions.resourceVersion");
	if (json_count(json_get(tree, STR("dryRun"))))
		r->options.is_dry_run = true;
}

static enum rc decode_protobuf_options(struct request *r, struct decoded *d, struct err *err)
{
	struct protobuf_envelope envelope;
	TRY(protobuf_envelope_open(r->body, &envelope, err));
	return api_protobuf_decode(&r->arena, api_type(api_builtin(), TYPE_META_V1_DELETE_OPTIONS),
				   &envelope, &d->parsed, err);
}

/* Why tree is no DeleteOptions, which every version has; nothing when it is. */
static struct str delete_options_fault(struct arena *a, const struct json *tree)
{
	struct str fault = type_meta_fault(a, tree), kind = json_path_str(tree, "kind"),
		   version = json_path_str(tree, "apiVersion");
	struct json *normal;
	struct err err = {};
	if (fault.len)
		return arena_printf(a, NO_TYPE "%.*s", STR_FMT(fault));
	if (tree->type == JSON_NULL)
		return (struct str){};
	if (kind.len && !str_is(kind, "DeleteOptions"))
		return arena_printf(a,
				    "no kind \"%.*s\" is registered for version \"%.*s\" in scheme "
				    "\"pkg/runtime/scheme.go:111\"",
				    STR_FMT(kind),
				    STR_FMT(version.len ? version : STR("meta.k8s.io/v1")));
	if (api_normalise(a, api_type(api_builtin(), TYPE_META_V1_DELETE_OPTIONS), tree, NULL,
			  &normal, &err) != RC_OK)
		return arena_printf(a, "%s", err.text);
	return (struct str){};
}

static enum step decode_delete(struct request *r)
{
	struct decoded d = {};
	struct err err;
	if (r->body.len == 0)
		return read_delete_query(r);
	enum body_form form = body_form(r->content_type);
	if (form == BODY_UNKNOWN)
		return unknown_body(r);
	enum rc rc = form == BODY_PROTOBUF ? decode_protobuf_options(r, &d, &err)
					   : parse_text(r, form, &d, &err);
	if (rc != RC_OK)
		return request_fail(r, RC_BAD_REQUEST, "%s%s", form == BODY_JSON ? NO_TYPE : "",
				    err.text);
	struct str fault = delete_options_fault(&r->arena, d.parsed);
	if (fault.len)
		return request_fail(r, RC_BAD_REQUEST, "%.*s", STR_FMT(fault));
	r->options.is_dry_run = false; /* with a body upstream looks at no parameter */
	delete_options_read(r, d.parsed);
	return delete_options_check(r, d.parsed);
}

/* POST …/bindings is the old form of pods/<name>/binding. */
static void route_old_binding(struct request *r)
{
	const struct api_kind *pods = api_by_stored(api_builtin(), KIND_POD);
	r->route.kind = pods;
	r->route.resource = pods->plural;
	r->route.name = json_path_str(r->tree, "metadata.name");
	r->route.subresource = STR("binding");
	r->route.sub = api_subresource(pods, r->route.subresource);
}

enum step stage_decode(struct request *r)
{
	struct expected expected;
	/* Upstream's router knows the types of patches; its handlers judge the rest. */
	if (r->route.verb == DO_PATCH && !patch_type_of(r))
		return unknown_patch(r);
	if (write_options_check(r) == STEP_DONE)
		return STEP_DONE;
	switch (r->route.verb) {
	case DO_CREATE:
	case DO_UPDATE:
		expected = expected_body(r);
		if (decode_body(r, &expected) == STEP_DONE)
			return STEP_DONE;
		if (is_review(r))
			return review(r);
		if (r->route.kind->stored_id == KIND_NONE)
			route_old_binding(r);
		return STEP_NEXT;
	case DO_PATCH:
		return decode_patch(r);
	default:
		return decode_delete(r);
	}
}
