#include "api/selector.h"

#include "api/gotext.h"

/* Paths that are not where their name says, and what an absent field counts as. */
static const struct {
	const char *label, *path, *absent;
} places[] = {
	{"spec.unschedulable", "spec.unschedulable", "false"},
	{"spec.hostNetwork", "spec.hostNetwork", "false"},
	{"status.replicas", "status.replicas", "0"},
	{"status.successful", "status.succeeded", "0"},
	{"source", "source.component", ""},
	{"reportingController", "reportingComponent", ""},
	{"regarding.kind", "involvedObject.kind", ""},
	{"regarding.namespace", "involvedObject.namespace", ""},
	{"regarding.name", "involvedObject.name", ""},
	{"regarding.uid", "involvedObject.uid", ""},
	{"regarding.apiVersion", "involvedObject.apiVersion", ""},
	{"regarding.resourceVersion", "involvedObject.resourceVersion", ""},
	{"regarding.fieldPath", "involvedObject.fieldPath", ""},
};

static enum rc refuse_term(struct str text, struct str term, struct err *err)
{
	return err_set(err, RC_BAD_REQUEST, "invalid selector: '%.*s'; can't understand '%.*s'",
		       STR_FMT(text), STR_FMT(term));
}

/* The length of the term at the start: up to a comma that has no backslash before it. */
static size_t term_len(struct str text)
{
	size_t n = 0;
	while (n < text.len && text.at[n] != ',')
		n += text.at[n] == '\\' && n + 1 < text.len ? 2 : 1;
	return n;
}

/* text begins with a backslash. */
static enum rc bad_escape(struct str text, struct err *err)
{
	size_t len = MIN(text.len, (size_t)2);
	while (len < text.len && ((unsigned char)text.at[len] & 0xc0) == 0x80)
		len++;
	return err_set(err, RC_BAD_REQUEST, "invalid field selector: invalid escape sequence: %.*s",
		       (int)len, text.at);
}

static enum rc value_unescape(struct arena *a, struct str value, struct str *ret_value,
			      struct err *err)
{
	char *out = arena_alloc(a, value.len + 1);
	size_t len = 0;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];
		if (c == '=' || c == ',')
			return err_set(err, RC_BAD_REQUEST,
				       "invalid field selector: unescaped character in value: %d",
				       c);
		if (c == '\\') {
			size_t next = i++;
			c = i < value.len ? value.at[i] : '\0';
			if (!c || !strchr("\\,=", c))
				return bad_escape(str_skip(value, next), err);
		}
		out[len++] = c;
	}
	*ret_value = str_n(out, len);
	return RC_OK;
}

/* False when there is no operator in it. */
static bool term_cut(struct str term, struct field_requirement *r)
{
	for (size_t i = 0; i < term.len; i++) {
		struct str rest = str_skip(term, i);
		r->is_negated = str_has_prefix(rest, STR("!="));
		if (!r->is_negated && rest.at[0] != '=')
			continue;
		r->path = str_n(term.at, i);
		r->value = str_skip(rest, r->is_negated || str_has_prefix(rest, STR("==")) ? 2 : 1);
		return true;
	}
	return false;
}

/* The terms, not the empty ones, in upstream's order: by their bytes. */
static struct str *terms_sorted(struct arena *a, struct str text, size_t *ret_count)
{
	struct str *terms = NULL;
	size_t count = 0, cap = 0;
	for (struct str rest = text; rest.len > 0;) {
		struct str term = str_n(rest.at, term_len(rest));
		rest = str_skip(rest, term.len + 1);
		if (term.len == 0)
			continue;
		if (count == cap)
			terms = arena_grow(a, terms, count, &cap, sizeof(*terms));
		size_t at = count++;
		for (; at > 0 && str_cmp(term, terms[at - 1]) < 0; at--)
			terms[at] = terms[at - 1];
		terms[at] = term;
	}
	*ret_count = count;
	return terms;
}

enum rc field_selector_parse(struct arena *a, struct str text, struct field_selector *ret_selector,
			     struct err *err)
{
	size_t count;
	if (text.len > SELECTOR_TEXT_MAX)
		return err_set(err, RC_BAD_REQUEST, "fieldSelector: must be no more than %u bytes",
			       SELECTOR_TEXT_MAX);
	struct str *terms = terms_sorted(a, text, &count);
	struct field_requirement *items = arena_alloc(a, (count + 1) * sizeof(*items));
	for (size_t i = 0; i < count; i++) {
		struct field_requirement r = {};
		if (!term_cut(terms[i], &r))
			return refuse_term(text, terms[i], err);
		TRY(value_unescape(a, r.value, &r.value, err));
		items[i] = r;
	}
	*ret_selector = (struct field_selector){items, count};
	return RC_OK;
}

static bool list_has(struct str list, struct str item)
{
	struct str head;
	bool more = list.len > 0;
	while (more) {
		more = str_cut(list, ',', &head, &list);
		if (str_eq(head, item))
			return true;
	}
	return false;
}

enum rc field_selector_check(const struct field_selector *s, const struct api_kind *kind,
			     struct err *err)
{
	for (size_t i = 0; i < s->count; i++) {
		struct str path = s->requirements[i].path;
		if (str_is(path, "metadata.name") || str_is(path, "metadata.namespace") ||
		    list_has(kind->selectable_fields, path))
			continue;
		CLEANUP_BUF quoted = BUF_INIT(ERR_TEXT_MAX);
		gotext_quote(&quoted, path);
		if (kind->selectable_fields.len == 0)
			return err_set(err, RC_BAD_REQUEST,
				       "%s is not a known field selector: only \"metadata.name\", "
				       "\"metadata.namespace\"",
				       quoted.data);
		if (str_is(kind->kind, "Job"))
			return err_set(err, RC_BAD_REQUEST, "field label %s not supported for Job",
				       quoted.data);
		if (str_is(kind->kind, "ResourceSlice"))
			return err_set(err, RC_BAD_REQUEST,
				       "field label not supported for resource.k8s.io/v1, "
				       "Kind=ResourceSlice: %.*s",
				       STR_FMT(path));
		return err_set(err, RC_BAD_REQUEST, "field label not supported: %.*s",
			       STR_FMT(path));
	}
	return RC_OK;
}

/* Follows "a.b.c"; NULL when a part is absent. */
static const struct json *follow(const struct json *tree, struct str path)
{
	struct str head;
	bool more = true;
	while (more && tree) {
		more = str_cut(path, '.', &head, &path);
		tree = json_get(tree, head);
	}
	return tree;
}

static bool value_is(const struct json *value, struct str text, const char *absent)
{
	int64_t number;
	if (!value || value->type == JSON_NULL)
		return str_is(text, absent);
	if (value->type == JSON_BOOL)
		return str_is(text, value->boolean ? "true" : "false");
	if (value->type == JSON_INT)
		return str_to_i64(text, &number) && number == value->integer;
	return str_eq(json_str(value), text);
}

static bool requirement_holds(const struct field_requirement *r, const struct json *tree)
{
	struct str path = r->path;
	const char *absent = "";
	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (str_is(r->path, places[i].label)) {
			path = str_of(places[i].path);
			absent = places[i].absent;
		}
	return value_is(follow(tree, path), r->value, absent) != r->is_negated;
}

bool field_selector_matches_tree(const struct field_selector *s, const struct json *tree)
{
	for (size_t i = 0; i < s->count; i++)
		if (!requirement_holds(&s->requirements[i], tree))
			return false;
	return true;
}

bool field_selector_matches_object(const struct field_selector *s, const struct object *o,
				   struct arena *scratch)
{
	const struct json *tree = NULL;
	for (size_t i = 0; i < s->count; i++) {
		const struct field_requirement *r = &s->requirements[i];
		bool holds;
		if (str_is(r->path, "metadata.name"))
			holds = str_eq(o->name, r->value) != r->is_negated;
		else if (str_is(r->path, "metadata.namespace"))
			holds = str_eq(o->namespace, r->value) != r->is_negated;
		else {
			tree = tree ? tree : object_tree(scratch, o);
			holds = requirement_holds(r, tree);
		}
		if (!holds)
			return false;
	}
	return true;
}

struct str field_selector_exact(const struct field_selector *s, const char *path)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->requirements[i].is_negated && str_is(s->requirements[i].path, path))
			return s->requirements[i].value;
	return (struct str){};
}
