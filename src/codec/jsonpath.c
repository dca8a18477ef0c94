#include "codec/jsonpath-int.h"

struct evaluation {
	struct arena *arena;
	struct err *err;
};

static enum rc result_add(struct evaluation *e, struct jsonpath_results *r,
			  const struct json *value)
{
	if (r->count == JSONPATH_RESULTS_MAX)
		return err_set(e->err, RC_TOO_LARGE,
			       "the template finds more than %u values; narrow it",
			       JSONPATH_RESULTS_MAX);
	r->items = arena_grow(e->arena, r->items, r->count, &r->cap, sizeof(*r->items));
	r->items[r->count++] = value;
	return RC_OK;
}

static enum rc evaluate(struct evaluation *e, const struct jsonpath *steps, const struct json *from,
			struct jsonpath_results *out);

/* ---- members and items ---- */

static bool has_children(const struct json *value)
{
	return value->type == JSON_OBJECT || value->type == JSON_ARRAY;
}

static enum rc all_children(struct evaluation *e, const struct json *value,
			    struct jsonpath_results *out)
{
	for (size_t i = 0; has_children(value) && i < json_count(value); i++)
		TRY(result_add(e, out, json_child(value, i)));
	return RC_OK;
}

/* The value itself and all below that have something below; as deep as the parser allows. */
static enum rc all_below(struct evaluation *e, const struct json *value,
			 struct jsonpath_results *out)
{
	if (!has_children(value) || json_count(value) == 0)
		return RC_OK;
	TRY(result_add(e, out, value));
	for (size_t i = 0; i < json_count(value); i++)
		TRY(all_below(e, json_child(value, i), out));
	return RC_OK;
}

static enum rc slice(struct evaluation *e, const struct jsonpath_node *n, const struct json *value,
		     struct jsonpath_results *out)
{
	if (value->type == JSON_NULL)
		return RC_OK;
	if (value->type != JSON_ARRAY)
		return err_set(e->err, RC_BAD_REQUEST, "a %s is not array or slice",
			       json_type_name(value));
	int64_t len = (int64_t)json_count(value);
	int64_t from = n->slice[0].is_given ? n->slice[0].number : 0;
	from += from < 0 ? len : 0;
	if (n->is_single) {
		if (from < 0 || from >= len)
			return err_set(e->err, RC_BAD_REQUEST,
				       "array index out of bounds: index %lld, length %lld",
				       (long long)n->slice[0].number, (long long)len);
		return result_add(e, out, json_at(value, (size_t)from));
	}
	int64_t to = n->slice[1].is_given ? n->slice[1].number : len;
	int64_t step = n->slice[2].is_given ? n->slice[2].number : 1;
	to += to < 0 ? len : 0;
	if (step <= 0)
		return err_set(e->err, RC_BAD_REQUEST, "step must be > 0");
	for (int64_t i = MAX(from, (int64_t)0); i < MIN(to, len); i += MIN(step, len))
		TRY(result_add(e, out, json_at(value, (size_t)i)));
	return RC_OK;
}

/* ---- conditions ---- */

static bool is_number(const struct json *v)
{
	return v->type == JSON_INT || v->type == JSON_DOUBLE;
}

/* <0, 0, >0; false when the two cannot be compared. */
static bool compare(const struct json *a, const struct json *b, int *ret_order)
{
	if (is_number(a) && is_number(b)) {
		double x = json_f64(a), y = json_f64(b);
		*ret_order = x < y ? -1 : x > y;
		return true;
	}
	if (a->type != b->type || (a->type != JSON_STRING && a->type != JSON_BOOL))
		return false;
	*ret_order = a->type == JSON_BOOL ? (int)a->boolean - (int)b->boolean
					  : str_cmp(a->string, b->string);
	return true;
}

static enum rc holds(struct evaluation *e, struct str op, int order, bool *ret_holds)
{
	static const struct {
		const char *op;
		bool less, equal, more;
	} rows[] = {
		{"==", false, true, false}, {"!=", true, false, true}, {"<", true, false, false},
		{"<=", true, true, false},  {">", false, false, true}, {">=", false, true, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!str_is(op, rows[i].op))
			continue;
		*ret_holds = order < 0 ? rows[i].less : order > 0 ? rows[i].more : rows[i].equal;
		return RC_OK;
	}
	return err_set(e->err, RC_BAD_REQUEST, "unrecognized filter operator %.*s", STR_FMT(op));
}

static enum rc passes(struct evaluation *e, const struct jsonpath_node *n, const struct json *item,
		      bool *ret_passes)
{
	struct jsonpath_results left = {}, right = {};
	int order = 0;
	*ret_passes = false;
	TRY(evaluate(e, n->inner, item, &left));
	if (!n->text.len) {
		*ret_passes = left.count > 0;
		return RC_OK;
	}
	TRY(evaluate(e, n->other, item, &right));
	if (left.count > 1 || right.count > 1)
		return err_set(e->err, RC_BAD_REQUEST, "can only compare one element at a time");
	if (left.count == 0 || right.count == 0)
		return RC_OK;
	if (!compare(left.items[0], right.items[0], &order))
		return err_set(e->err, RC_BAD_REQUEST, "incompatible types for comparison");
	return holds(e, n->text, order, ret_passes);
}

static enum rc filter(struct evaluation *e, const struct jsonpath_node *n, const struct json *value,
		      struct jsonpath_results *out)
{
	if (value->type == JSON_NULL)
		return RC_OK;
	if (value->type != JSON_ARRAY)
		return err_set(e->err, RC_BAD_REQUEST,
			       "a %s is not array or slice and cannot be filtered",
			       json_type_name(value));
	for (size_t i = 0; i < json_count(value); i++) {
		bool is_in;
		TRY(passes(e, n, json_at(value, i), &is_in));
		if (is_in)
			TRY(result_add(e, out, json_at(value, i)));
	}
	return RC_OK;
}

/* ---- steps ---- */

static enum rc step_on(struct evaluation *e, const struct jsonpath_node *n,
		       const struct json *value, struct jsonpath_results *out)
{
	const struct json *member;
	switch (n->form) {
	case PATH_FIELD:
		member = json_get(value, n->text);
		return member ? result_add(e, out, member) : RC_OK;
	case PATH_ALL:
		return all_children(e, value, out);
	case PATH_DEEP:
		return all_below(e, value, out);
	case PATH_SLICE:
		return slice(e, n, value, out);
	case PATH_FILTER:
		return filter(e, n, value, out);
	case PATH_UNION:
		for (size_t i = 0; i < n->inner->count; i++)
			TRY(evaluate(e, n->inner->nodes[i].inner, value, out));
		return RC_OK;
	case PATH_TEXT:
		return result_add(e, out, json_string(e->arena, n->text));
	case PATH_VALUE:
		return result_add(e, out, n->value);
	case PATH_ACTION:
	case PATH_RANGE:
		return evaluate(e, n->inner, value, out);
	}
	return RC_OK;
}

static enum rc evaluate(struct evaluation *e, const struct jsonpath *steps, const struct json *from,
			struct jsonpath_results *out)
{
	struct jsonpath_results now = {}, next = {};
	TRY(result_add(e, &now, from));
	for (size_t i = 0; i < steps->count; i++) {
		next = (struct jsonpath_results){};
		for (size_t k = 0; k < now.count; k++)
			TRY(step_on(e, &steps->nodes[i], now.items[k], &next));
		now = next;
	}
	for (size_t k = 0; k < now.count; k++)
		TRY(result_add(e, out, now.items[k]));
	return RC_OK;
}

/* ---- templates ---- */

void jsonpath_value_print(struct buf *out, const struct json *value)
{
	if (value->type == JSON_STRING)
		buf_add_str(out, value->string);
	else
		json_write(out, value);
}

static enum rc print(struct evaluation *e, const struct jsonpath *path, const struct json *root,
		     struct buf *out)
{
	for (size_t i = 0; i < path->count; i++) {
		const struct jsonpath_node *n = &path->nodes[i];
		struct jsonpath_results found = {};
		if (n->form == PATH_TEXT) {
			buf_add_str(out, n->text);
			continue;
		}
		TRY(evaluate(e, n->inner, root, &found));
		for (size_t k = 0; k < found.count; k++) {
			if (n->form == PATH_RANGE) {
				TRY(print(e, n->other, found.items[k], out));
				continue;
			}
			if (k)
				buf_add_char(out, ' ');
			jsonpath_value_print(out, found.items[k]);
		}
	}
	return buf_check(out, "the output", e->err);
}

enum rc jsonpath_print(const struct jsonpath *path, struct arena *a, const struct json *root,
		       struct buf *out, struct err *err)
{
	struct evaluation e = {a, err};
	return print(&e, path, root, out);
}

static enum rc find(struct evaluation *e, const struct jsonpath *path, const struct json *root,
		    struct jsonpath_results *out)
{
	for (size_t i = 0; i < path->count; i++) {
		const struct jsonpath_node *n = &path->nodes[i];
		struct jsonpath_results each = {};
		if (n->form == PATH_ACTION)
			TRY(evaluate(e, n->inner, root, out));
		if (n->form != PATH_RANGE)
			continue;
		TRY(evaluate(e, n->inner, root, &each));
		for (size_t k = 0; k < each.count; k++)
			TRY(find(e, n->other, each.items[k], out));
	}
	return RC_OK;
}

enum rc jsonpath_find(const struct jsonpath *path, struct arena *a, const struct json *root,
		      struct jsonpath_results *ret_results, struct err *err)
{
	struct evaluation e = {a, err};
	*ret_results = (struct jsonpath_results){};
	return find(&e, path, root, ret_results);
}
