#include "api/selector.h"

#include "api/gotext.h"
#include "api/names.h"
#include "base/mem.h"

/* Upstream's grammar, by one function a rule; `in` and `notin` are words only where an operator may
 * stand, elsewhere they are identifiers. */
enum token {
	TOKEN_ERROR,
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_COMMA,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_NOT,
	TOKEN_EQUAL,
	TOKEN_NOT_EQUAL,
	TOKEN_GREATER,
	TOKEN_LESS,
	TOKEN_IN,
	TOKEN_NOT_IN,
};

struct parser {
	struct arena *arena;
	struct str rest;
	enum token token; /* the one ahead */
	struct str text;
	struct err *err;
};

struct values {
	struct str *at;
	size_t count, cap;
};

static const struct {
	const char *text;
	enum token token;
} symbols[] = {
	{"==", TOKEN_EQUAL}, {"!=", TOKEN_NOT_EQUAL}, {"=", TOKEN_EQUAL},
	{"!", TOKEN_NOT},    {",", TOKEN_COMMA},      {"(", TOKEN_OPEN},
	{")", TOKEN_CLOSE},  {">", TOKEN_GREATER},    {"<", TOKEN_LESS},
};

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
	return c && strchr("=!(),><", c);
}

static void parser_next(struct parser *p)
{
	while (p->rest.len > 0 && is_space(p->rest.at[0]))
		p->rest = str_skip(p->rest, 1);
	p->text = str_n(p->rest.at, 0);
	if (p->rest.len == 0) {
		p->token = TOKEN_END;
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++)
		if (str_has_prefix(p->rest, str_of(symbols[i].text))) {
			p->token = symbols[i].token;
			p->text.len = strlen(symbols[i].text);
			p->rest = str_skip(p->rest, p->text.len);
			return;
		}
	while (p->text.len < p->rest.len && !is_special(p->rest.at[p->text.len]) &&
	       !is_space(p->rest.at[p->text.len]))
		p->text.len++;
	p->rest = str_skip(p->rest, p->text.len);
	p->token = str_is(p->text, "in")      ? TOKEN_IN
		   : str_is(p->text, "notin") ? TOKEN_NOT_IN
					      : TOKEN_WORD;
}

static bool is_word(const struct parser *p)
{
	return p->token == TOKEN_WORD || p->token == TOKEN_IN || p->token == TOKEN_NOT_IN;
}

static enum rc found(struct parser *p, const char *expected)
{
	return err_set(p->err, RC_BAD_REQUEST, "found '%.*s'%s", STR_FMT(p->text), expected);
}

static void values_insert(struct arena *a, struct values *v, struct str value)
{
	size_t at = 0;
	while (at < v->count && str_cmp(v->at[at], value) < 0)
		at++;
	if (at < v->count && str_eq(v->at[at], value))
		return;
	if (v->count == v->cap)
		v->at = arena_grow(a, v->at, v->count, &v->cap, sizeof(*v->at));
	memmove(&v->at[at + 1], &v->at[at], (v->count - at) * sizeof(*v->at));
	v->at[at] = value;
	v->count++;
}

static void faults_join(struct buf *out, const struct faults *f)
{
	for (size_t i = 0; i < f->count; i++) {
		buf_add_cstr(out, i ? "; " : "");
		buf_add_cstr(out, f->at[i]);
	}
}

/* One sentence out of all faults, in the form of a field error. */
static enum rc refuse(struct err *err, const char *path, struct str value, const struct faults *f)
{
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX);
	gotext_quote(&text, value);
	buf_add_cstr(&text, ": ");
	faults_join(&text, f);
	return err_set(err, RC_BAD_REQUEST, "%s: Invalid value: %s", path, text.data);
}

static enum rc key_check(struct str key, struct err *err)
{
	struct faults f;
	name_check(&f, NAME_QUALIFIED, key);
	return f.count ? refuse(err, "<nil>", key, &f) : RC_OK;
}

static enum rc values_check(const struct selector_requirement *r, struct err *err)
{
	CLEANUP_BUF text = BUF_INIT(ERR_TEXT_MAX);
	size_t bad = 0;
	for (size_t i = 0; i < r->count; i++) {
		struct faults f;
		struct err one;
		char path[512];
		snprintf(path, sizeof(path), "values[%zu][%.*s]", i, STR_FMT(r->key));
		name_check(&f, NAME_LABEL_VALUE, r->values[i]);
		if (f.count == 0 || refuse(&one, path, r->values[i], &f) == RC_OK)
			continue;
		buf_add_cstr(&text, bad++ ? ", " : "");
		buf_add_cstr(&text, one.text);
	}
	if (bad == 0)
		return RC_OK;
	return err_set(err, RC_BAD_REQUEST, bad > 1 ? "[%s]" : "%s", text.data);
}

static enum rc refuse_number(struct err *err, struct str value)
{
	CLEANUP_BUF quoted = BUF_INIT(ERR_TEXT_MAX);
	gotext_quote(&quoted, value);
	return err_set(err, RC_BAD_REQUEST,
		       "values[0]: Invalid value: %s: for 'Gt', 'Lt' operators, the value must be "
		       "an integer",
		       quoted.data);
}

static enum rc requirement_check(const struct selector_requirement *r, struct err *err)
{
	int64_t number;
	TRY(key_check(r->key, err));
	switch (r->op) {
	case SELECTOR_IN:
	case SELECTOR_NOT_IN:
		if (r->count == 0)
			return err_set(err, RC_BAD_REQUEST,
				       "values: Invalid value: []: for 'in', 'notin' operators, "
				       "values set "
				       "can't be empty");
		break;
	case SELECTOR_GREATER:
	case SELECTOR_LESS:
		if (r->count == 1 && !str_to_i64(r->values[0], &number))
			return refuse_number(err, r->values[0]);
		break;
	case SELECTOR_EXISTS:
	case SELECTOR_NOT_EXISTS:
		if (r->count)
			return err_set(
				err, RC_BAD_REQUEST,
				"values: Invalid value: [\"%.*s\"]: values set must be empty for "
				"exists and does not exist",
				STR_FMT(r->values[0]));
		break;
	}
	return values_check(r, err);
}

/* After '(': identifiers and commas, where an empty place is the empty value. */
static enum rc parse_list(struct parser *p, struct values *v)
{
	for (;;) {
		if (is_word(p)) {
			values_insert(p->arena, v, p->text);
			parser_next(p);
			if (p->token == TOKEN_CLOSE)
				return RC_OK;
			if (p->token != TOKEN_COMMA)
				return found(p, ", expected: ',' or ')'");
			continue;
		}
		if (p->token != TOKEN_COMMA)
			return found(p, ", expected: ',', or identifier");
		parser_next(p);
		if (v->count == 0)
			values_insert(p->arena, v, STR(""));
		if (p->token == TOKEN_CLOSE) {
			values_insert(p->arena, v, STR(""));
			return RC_OK;
		}
		if (p->token == TOKEN_COMMA) {
			parser_next(p);
			values_insert(p->arena, v, STR(""));
		}
	}
}

static enum rc parse_values(struct parser *p, struct values *v)
{
	if (p->token != TOKEN_OPEN)
		return found(p, " expected: '('");
	parser_next(p);
	if (!is_word(p) && p->token != TOKEN_COMMA && p->token != TOKEN_CLOSE)
		return found(p, ", expected: ',', ')' or identifier");
	if (p->token == TOKEN_CLOSE) /* upstream: "()" holds the empty value */
		values_insert(p->arena, v, STR(""));
	else
		TRY(parse_list(p, v));
	parser_next(p);
	return RC_OK;
}

static enum rc parse_value(struct parser *p, struct values *v)
{
	if (p->token == TOKEN_END || p->token == TOKEN_COMMA) {
		values_insert(p->arena, v, STR(""));
		return RC_OK;
	}
	if (!is_word(p))
		return found(p, ", expected: identifier");
	values_insert(p->arena, v, p->text);
	parser_next(p);
	return RC_OK;
}

static enum rc parse_operator(struct parser *p, enum selector_op *ret_op, bool *ret_is_set)
{
	static const struct {
		enum token token;
		enum selector_op op;
		bool is_set;
	} operators[] = {
		{TOKEN_IN, SELECTOR_IN, true},
		{TOKEN_NOT_IN, SELECTOR_NOT_IN, true},
		{TOKEN_EQUAL, SELECTOR_IN, false},
		{TOKEN_NOT_EQUAL, SELECTOR_NOT_IN, false},
		{TOKEN_GREATER, SELECTOR_GREATER, false},
		{TOKEN_LESS, SELECTOR_LESS, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (operators[i].token == p->token) {
			*ret_op = operators[i].op;
			*ret_is_set = operators[i].is_set;
			parser_next(p);
			return RC_OK;
		}
	return found(p, ", expected: in, notin, =, ==, !=, gt, lt");
}

static enum rc parse_requirement(struct parser *p, struct selector_requirement *ret_requirement)
{
	struct selector_requirement r = {.op = SELECTOR_EXISTS};
	struct values values = {};
	bool is_set = false;
	if (p->token == TOKEN_NOT) {
		r.op = SELECTOR_NOT_EXISTS;
		parser_next(p);
	}
	if (!is_word(p))
		return found(p, ", expected: identifier");
	r.key = p->text;
	TRY(key_check(r.key, p->err));
	parser_next(p);
	if (r.op == SELECTOR_EXISTS && p->token != TOKEN_END && p->token != TOKEN_COMMA) {
		TRY(parse_operator(p, &r.op, &is_set));
		TRY(is_set ? parse_values(p, &values) : parse_value(p, &values));
	}
	r.values = values.at;
	r.count = values.count;
	TRY(requirement_check(&r, p->err));
	*ret_requirement = r;
	return RC_OK;
}

static void selector_append(struct arena *a, struct selector *s, size_t *cap,
			    struct selector_requirement r)
{
	struct selector_requirement *items = (struct selector_requirement *)s->requirements;
	if (s->count == *cap)
		items = arena_grow(a, items, s->count, cap, sizeof(*items));
	items[s->count++] = r;
	s->requirements = items;
}

enum rc selector_parse(struct arena *a, struct str text, struct selector *ret_selector,
		       struct err *err)
{
	struct parser p = {.arena = a, .rest = text, .err = err};
	struct selector s = {};
	size_t cap = 0;
	if (text.len > SELECTOR_TEXT_MAX)
		return err_set(err, RC_BAD_REQUEST, "labelSelector: must be no more than %u bytes",
			       SELECTOR_TEXT_MAX);
	parser_next(&p);
	while (p.token != TOKEN_END) {
		struct selector_requirement r = {};
		if (!is_word(&p) && p.token != TOKEN_NOT)
			return found(&p, s.count ? ", expected: identifier after ','"
						 : ", expected: !, identifier, or 'end of string'");
		if (parse_requirement(&p, &r) != RC_OK)
			return err_wrap(err, "unable to parse requirement"), RC_BAD_REQUEST;
		selector_append(a, &s, &cap, r);
		if (p.token == TOKEN_END)
			break;
		if (p.token != TOKEN_COMMA)
			return found(&p, ", expected: ',' or 'end of string'");
		parser_next(&p);
		if (p.token == TOKEN_END)
			return found(&p, ", expected: identifier after ','");
	}
	*ret_selector = s;
	return RC_OK;
}

static bool op_of(struct str name, enum selector_op *ret_op)
{
	static const char *const names[] = {"In", "NotIn", "Exists", "DoesNotExist"};
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i])) {
			*ret_op = (enum selector_op)i;
			return true;
		}
	return false;
}

static void add_equal(struct arena *a, struct selector *s, size_t *cap, struct str key,
		      struct str value)
{
	struct str *values = ARENA_NEW(a, struct str);
	*values = value;
	selector_append(a, s, cap, (struct selector_requirement){key, SELECTOR_IN, values, 1});
}

static void add_labels(struct arena *a, struct selector *s, size_t *cap, const struct json *labels)
{
	for (size_t i = 0; i < json_count(labels); i++)
		add_equal(a, s, cap, labels->object.members[i].key,
			  json_str(labels->object.members[i].value));
}

static enum rc add_expression(struct arena *a, struct selector *s, size_t *cap,
			      const struct json *e, struct err *err)
{
	struct selector_requirement r = {.key = json_path_str(e, "key")};
	struct str op = json_path_str(e, "operator");
	const struct json *list = json_path(e, "values");
	struct values values = {};
	if (!op_of(op, &r.op))
		return err_set(err, RC_BAD_REQUEST,
			       "\"%.*s\" is not a valid label selector operator", STR_FMT(op));
	for (size_t i = 0; i < json_count(list); i++)
		values_insert(a, &values, json_str(json_at(list, i)));
	r.values = values.at;
	r.count = values.count;
	TRY(requirement_check(&r, err));
	selector_append(a, s, cap, r);
	return RC_OK;
}

enum rc selector_from_tree(struct arena *a, const struct json *tree, struct selector *ret_selector,
			   struct err *err)
{
	struct selector s = {.is_nothing = !tree || tree->type != JSON_OBJECT};
	size_t cap = 0;
	add_labels(a, &s, &cap, json_path(tree, "matchLabels"));
	const struct json *expressions = json_path(tree, "matchExpressions");
	for (size_t i = 0; i < json_count(expressions); i++)
		TRY(add_expression(a, &s, &cap, json_at(expressions, i), err));
	*ret_selector = s;
	return RC_OK;
}

struct selector selector_from_labels(struct arena *a, const struct json *labels)
{
	struct selector s = {.is_nothing = json_count(labels) == 0};
	size_t cap = 0;
	add_labels(a, &s, &cap, labels);
	return s;
}

struct selector selector_from_map(struct arena *a, const struct str_map *labels)
{
	struct selector s = {.is_nothing = labels->count == 0};
	size_t cap = 0;
	for (uint32_t i = 0; i < labels->count; i++)
		add_equal(a, &s, &cap, labels->at[i].key, labels->at[i].value);
	return s;
}

static bool requirement_has(const struct selector_requirement *r, struct str value)
{
	for (size_t i = 0; i < r->count; i++)
		if (str_eq(r->values[i], value))
			return true;
	return false;
}

static bool compares(const struct selector_requirement *r, struct str value)
{
	int64_t have, want;
	if (r->count != 1 || !str_to_i64(value, &have) || !str_to_i64(r->values[0], &want))
		return false;
	return r->op == SELECTOR_GREATER ? have > want : have < want;
}

/* value is absent when the object has no such label. */
static bool requirement_holds(const struct selector_requirement *r, struct str value)
{
	bool has = value.at != NULL;
	switch (r->op) {
	case SELECTOR_IN:
		return has && requirement_has(r, value);
	case SELECTOR_NOT_IN:
		return !has || !requirement_has(r, value);
	case SELECTOR_EXISTS:
		return has;
	case SELECTOR_NOT_EXISTS:
		return !has;
	case SELECTOR_GREATER:
	case SELECTOR_LESS:
		return has && compares(r, value);
	}
	return false;
}

bool selector_matches_object(const struct selector *s, const struct object *o)
{
	for (size_t i = 0; i < s->count; i++)
		if (!requirement_holds(&s->requirements[i],
				       object_label(o, s->requirements[i].key)))
			return false;
	return !s->is_nothing;
}

bool selector_matches_map(const struct selector *s, const struct str_map *labels)
{
	for (size_t i = 0; i < s->count; i++)
		if (!requirement_holds(&s->requirements[i],
				       str_map_get(labels, s->requirements[i].key)))
			return false;
	return !s->is_nothing;
}

bool selector_matches_tree(const struct selector *s, const struct json *labels)
{
	for (size_t i = 0; i < s->count; i++) {
		struct str value = json_str(json_get(labels, s->requirements[i].key));
		if (!requirement_holds(&s->requirements[i], value))
			return false;
	}
	return !s->is_nothing;
}
