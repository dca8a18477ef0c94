#include "api/gotext.h"
#include "api/typed.h"

/* Complaints quote values as Go prints them: `%v`, `%#v` and `%T`. */

#define FAULTS_MAX_TEXT 8192

struct check {
	struct arena arena;
	struct buf faults; /* lines, each with two spaces before it */
	size_t count;
};

struct check_place {
	const struct check_place *up;
	struct path_element step;
};

static void add_place(struct buf *out, const struct check_place *p)
{
	if (!p)
		return;
	add_place(out, p->up);
	path_write(out, &p->step);
}

static void add_fault(struct check *c, const struct check_place *p, struct str text)
{
	buf_add_cstr(&c->faults, c->count++ ? "\n  " : "");
	add_place(&c->faults, p);
	buf_printf(&c->faults, "%s%.*s", p ? ": " : "", STR_FMT(text));
}

static void write_plain(struct buf *out, const struct json *v);

static void write_plain_items(struct buf *out, const struct json *v)
{
	buf_add_cstr(out, v->type == JSON_ARRAY ? "[" : "map[");
	for (size_t i = 0; i < json_count(v); i++) {
		if (i)
			buf_add_char(out, ' ');
		if (v->type == JSON_OBJECT)
			buf_printf(out, "%.*s:", STR_FMT(v->object.members[i].key));
		write_plain(out, json_child(v, i));
	}
	buf_add_char(out, ']');
}

/* %v */
static void write_plain(struct buf *out, const struct json *v)
{
	if (v->type == JSON_NULL)
		buf_add_cstr(out, "<nil>");
	else if (v->type == JSON_STRING)
		buf_add_str(out, v->string);
	else if (v->type == JSON_ARRAY || v->type == JSON_OBJECT)
		write_plain_items(out, v);
	else
		json_write(out, v);
}

/* %#v */
static void write_go(struct buf *out, const struct json *v)
{
	if (v->type == JSON_STRING) {
		gotext_quote(out, v->string);
		return;
	}
	if (v->type != JSON_ARRAY && v->type != JSON_OBJECT) {
		write_plain(out, v);
		return;
	}
	buf_add_cstr(out, v->type == JSON_ARRAY ? "[]interface {}{" : "map[string]interface {}{");
	for (size_t i = 0; i < json_count(v); i++) {
		buf_add_cstr(out, i ? ", " : "");
		if (v->type == JSON_OBJECT) {
			gotext_quote(out, v->object.members[i].key);
			buf_add_char(out, ':');
		}
		if (json_child(v, i)->type == JSON_NULL)
			buf_add_cstr(out, "interface {}(nil)");
		else
			write_go(out, json_child(v, i));
	}
	buf_add_char(out, '}');
}

static const char *go_type(const struct json *v)
{
	switch (v->type) {
	case JSON_BOOL:
		return "bool";
	case JSON_INT:
		return "int64";
	case JSON_DOUBLE:
		return "float64";
	case JSON_STRING:
		return "string";
	case JSON_ARRAY:
		return "[]interface {}";
	case JSON_OBJECT:
		return "map[string]interface {}";
	case JSON_NULL:
		break;
	}
	return "<nil>";
}

static void check_scalar(struct check *c, const struct check_place *p, enum scalar_kind scalar,
			 const struct json *v)
{
	CLEANUP_BUF text = BUF_INIT(FAULTS_MAX_TEXT);
	bool is_number = v->type == JSON_INT || v->type == JSON_DOUBLE;
	if (scalar == SCALAR_NUMERIC && !is_number) {
		buf_printf(&text, "expected numeric (int or float), got %s", go_type(v));
	} else if (scalar == SCALAR_STRING && v->type != JSON_STRING) {
		buf_add_cstr(&text, "expected string, got &value.valueUnstructured{Value:");
		write_go(&text, v);
		buf_add_char(&text, '}');
	} else if ((scalar == SCALAR_BOOLEAN && v->type != JSON_BOOL) ||
		   (scalar == SCALAR_UNTYPED &&
		    (v->type == JSON_ARRAY || v->type == JSON_OBJECT))) {
		buf_printf(&text, "expected %s, got &{",
			   scalar == SCALAR_BOOLEAN ? "boolean" : "any scalar");
		write_plain(&text, v);
		buf_add_char(&text, '}');
	}
	if (text.len)
		add_fault(c, p, buf_str(&text));
}

static void check_value(struct check *c, const struct check_place *p, struct schema_ref ref,
			const struct json *v);

static bool check_shape(struct check *c, const struct check_place *p, const struct json *v,
			enum json_type type, const char *name)
{
	CLEANUP_BUF text = BUF_INIT(FAULTS_MAX_TEXT);
	if (v->type == type)
		return true;
	buf_printf(&text, "expected %s, got &{", name);
	write_plain(&text, v);
	buf_add_char(&text, '}');
	add_fault(c, p, buf_str(&text));
	return false;
}

static void check_repeated(struct check *c, const struct check_place *p,
			   const struct path_element *step)
{
	CLEANUP_BUF text = BUF_INIT(FAULTS_MAX_TEXT);
	buf_add_cstr(&text, "duplicate entries for key ");
	path_write(&text, step);
	add_fault(c, p, buf_str(&text));
}

static void check_list(struct check *c, const struct check_place *p, struct schema_ref ref,
		       const struct atom *atom, const struct json *v)
{
	struct schema_ref element = schema_element(ref);
	struct field_set seen = {};
	for (size_t i = 0; i < v->array.count; i++) {
		struct check_place item = {.up = p};
		struct err err;
		if (atom->is_atomic) {
			item.step = path_index(&c->arena, i);
		} else if (schema_item_step(&c->arena, ref, atom, v->array.items[i], &item.step,
					    &err)) {
			CLEANUP_BUF text = BUF_INIT(FAULTS_MAX_TEXT);
			buf_printf(&text, "element %zu: %s", i, err.text);
			add_fault(c, p, buf_str(&text));
			return;
		} else if (field_set_find(&seen, &item.step)) {
			check_repeated(c, p, &item.step);
		}
		if (!atom->is_atomic)
			field_set_add(&c->arena, &seen, item.step, true, (struct field_set){});
		check_value(c, &item, element, v->array.items[i]);
	}
}

static void check_map(struct check *c, const struct check_place *p, struct schema_ref ref,
		      const struct json *v)
{
	for (size_t i = 0; i < v->object.count; i++) {
		const struct json_member *m = &v->object.members[i];
		struct check_place field = {.up = p, .step = path_field(m->key)};
		struct schema_ref child;
		if (!schema_child(ref, m->key, &child) && schema_is_closed(ref)) {
			add_fault(c, &field, STR("field not declared in schema"));
			return; /* of one map upstream names one */
		}
		check_value(c, &field, child, m->value);
	}
}

static void check_value(struct check *c, const struct check_place *p, struct schema_ref ref,
			const struct json *v)
{
	struct atom atom = schema_atom(ref, v);
	if (v->type == JSON_NULL)
		return;
	if (atom.kind == ATOM_SCALAR)
		check_scalar(c, p, atom.scalar, v);
	else if (atom.kind == ATOM_LIST && check_shape(c, p, v, JSON_ARRAY, "list"))
		check_list(c, p, ref, &atom, v);
	else if (atom.kind == ATOM_MAP && check_shape(c, p, v, JSON_OBJECT, "map"))
		check_map(c, p, ref, v);
}

enum rc typed_check(struct schema_ref ref, const struct json *value, struct err *err)
{
	struct check c = {.faults = BUF_INIT(FAULTS_MAX_TEXT)};
	enum rc rc = RC_OK;
	check_value(&c, NULL, ref, value);
	if (c.count)
		rc = err_set(err, RC_INTERNAL, "%s%.*s", c.count > 1 ? "errors:\n  " : "",
			     STR_FMT(buf_str(&c.faults)));
	arena_done(&c.arena);
	buf_done(&c.faults);
	return rc;
}
