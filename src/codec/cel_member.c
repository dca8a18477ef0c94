/* Operands of CEL: literals, lists, maps, structures, names and calls, and what is selected or
 * indexed of them.  Each function is a rule of the reference grammar. */
#include <errno.h>
#include <stdlib.h>

#include "codec/cel-int.h"

#define FIRST_ENTRY (FIRST_EXPR | T(QUESTION))
#define FIRST_FIELD (T(QUESTION) | T(IDENT) | T(QUOTED_IDENT))

/* ---- literals ---- */

static struct cel_expr *new_literal(struct reader *r, struct cel_token token, enum cel_kind kind)
{
	struct cel_expr *e = cel_new(r->c, CEL_NODE_LITERAL, token.at);
	e->literal = kind;
	e->name = reader_text(r, token);
	return e;
}

static void read_integer(struct reader *r, struct cel_expr *e, struct str text, bool is_negative)
{
	bool is_hexadecimal = text.len > 2 && text.at[1] == 'x';
	int base = is_hexadecimal ? 16 : 10;
	char *digits = arena_cstr(r->c->arena, text);
	if (e->literal == CEL_UINT)
		digits[text.len - 1] = 0;
	errno = 0;
	uint64_t value = strtoull(is_hexadecimal ? digits + 2 : digits, NULL, base);
	bool is_ok = errno == 0;
	if (e->literal == CEL_UINT) {
		e->value.natural = value;
	} else {
		is_ok = is_ok && value <= (uint64_t)INT64_MAX + is_negative;
		e->value.integer = (int64_t)(is_negative ? -value : value);
	}
	if (!is_ok)
		cel_fault(r->c, e->at, "invalid %s literal",
			  e->literal == CEL_UINT ? "uint" : "int");
}

static void read_text(struct reader *r, struct cel_expr *e)
{
	const char *why = NULL;
	struct str content = STR("");
	if (!cel_unquote(r->c->arena, e->name, e->literal == CEL_BYTES, &content, &why))
		cel_fault(r->c, e->at, "%s", why);
	e->name = content;
}

/* Its first token is one, or a '-'. */
static struct cel_expr *read_literal(struct reader *r, const struct follow *up)
{
	static const enum cel_kind kinds[CEL_TOKEN_COUNT] = {
		[CEL_TOKEN_TRUE] = CEL_BOOL,	 [CEL_TOKEN_FALSE] = CEL_BOOL,
		[CEL_TOKEN_NULL] = CEL_NULL,	 [CEL_TOKEN_FLOAT] = CEL_DOUBLE,
		[CEL_TOKEN_INT] = CEL_INT,	 [CEL_TOKEN_UINT] = CEL_UINT,
		[CEL_TOKEN_STRING] = CEL_STRING, [CEL_TOKEN_BYTES] = CEL_BYTES};
	bool is_negative = reader_peek(r, 0) == CEL_TOKEN_MINUS;
	struct cel_token first = reader_here(r);
	if (is_negative && !((T(INT) | T(FLOAT)) >> reader_peek(r, 1) & 1)) {
		reader_refuse_forms(r, 1);
		reader_recover(r, 1, up);
		return NULL;
	}
	if (is_negative)
		reader_take_next(r);
	struct cel_token token = reader_take_next(r);
	struct cel_expr *e = new_literal(r, token, kinds[token.type]);
	e->at = first.at;
	if (e->literal == CEL_INT || e->literal == CEL_UINT)
		read_integer(r, e, reader_text(r, token), is_negative);
	else if (e->literal == CEL_DOUBLE)
		e->value.real = strtod(arena_cstr(r->c->arena, e->name), NULL) *
				(is_negative ? -1 : 1);
	else if (e->literal == CEL_BOOL)
		e->value.boolean = token.type == CEL_TOKEN_TRUE;
	else if (e->literal == CEL_STRING || e->literal == CEL_BYTES)
		read_text(r, e);
	return e;
}

/* ---- lists, maps, structures ---- */

struct entries {
	struct cel_expr **keys, **values;
	struct str *fields;
	bool *is_optional;
	size_t count, key_cap, value_cap, field_cap, optional_cap;
	bool is_broken; /* by an error */
};

static void add_entry(struct reader *r, struct entries *s, struct cel_expr *key,
		      struct cel_expr *value, struct str field, bool is_optional)
{
	struct arena *a = r->c->arena;
	s->keys = arena_grow(a, s->keys, s->count, &s->key_cap, sizeof(*s->keys));
	s->values = arena_grow(a, s->values, s->count, &s->value_cap, sizeof(*s->values));
	s->fields = arena_grow(a, s->fields, s->count, &s->field_cap, sizeof(*s->fields));
	s->is_optional =
		arena_grow(a, s->is_optional, s->count, &s->optional_cap, sizeof(*s->is_optional));
	s->keys[s->count] = key;
	s->values[s->count] = value;
	s->fields[s->count] = field;
	s->is_optional[s->count++] = is_optional;
}

static void read_arguments(struct reader *r, struct entries *s, const struct follow *up)
{
	do {
		struct cel_expr *arg = cel_read_expr(r, FOLLOW(T(COMMA), true));
		s->is_broken |= !arg;
		add_entry(r, s, arg, NULL, (struct str){}, false);
	} while (reader_is_next(r, T(COMMA)) && !r->is_stopped && (reader_take_next(r), true));
}

/* "?a": false on an error */
static bool read_optional(struct reader *r, const struct follow *up, bool *ret_is,
			  struct cel_expr **ret_e)
{
	*ret_is = false;
	*ret_e = NULL;
	if (!reader_begin(r, FIRST_ENTRY)) {
		reader_recover(r, 2, up);
		return false;
	}
	*ret_is = reader_is_next(r, T(QUESTION));
	if (*ret_is)
		reader_take_next(r);
	*ret_e = cel_read_expr(r, FOLLOW(0, true));
	return *ret_e != NULL;
}

/* Is there a comma, and after it more than the end? */
static bool next_entry(struct reader *r, token_set first)
{
	if (r->is_stopped || !reader_is_next(r, T(COMMA)) || !(first >> reader_peek(r, 1) & 1))
		return false;
	reader_take_next(r);
	return true;
}

static void read_items(struct reader *r, struct entries *s, const struct follow *up)
{
	do {
		bool is_optional;
		struct cel_expr *item;
		s->is_broken |= !read_optional(r, FOLLOW(T(COMMA), true), &is_optional, &item);
		add_entry(r, s, item, NULL, (struct str){}, is_optional);
	} while (next_entry(r, FIRST_ENTRY));
}

static void read_pairs(struct reader *r, struct entries *s, const struct follow *up)
{
	do {
		bool is_optional;
		struct cel_token colon;
		struct cel_expr *key, *value;
		s->is_broken |= !read_optional(r, FOLLOW(T(COLON), false), &is_optional, &key);
		if (!reader_take(r, T(COLON), FIRST_EXPR, false, up, &colon)) {
			s->is_broken = true;
			reader_recover(r, 3, up);
			return;
		}
		value = cel_read_expr(r, FOLLOW(T(COMMA), true));
		s->is_broken |= !value;
		add_entry(r, s, key, value, (struct str){}, is_optional);
	} while (next_entry(r, FIRST_ENTRY));
}

static struct str word_of(const struct reader *r, struct cel_token token)
{
	struct str text = reader_text(r, token);
	return token.type == CEL_TOKEN_QUOTED_IDENT ? str_n(text.at + 1, text.len - 2) : text;
}

/* An identifier that may stand in backquotes. */
static bool read_word(struct reader *r, const struct follow *up, struct str *ret_word)
{
	if (!reader_begin(r, T(IDENT) | T(QUOTED_IDENT)) ||
	    !reader_is_next(r, T(IDENT) | T(QUOTED_IDENT))) {
		reader_recover(r, 4, up);
		return false;
	}
	*ret_word = word_of(r, reader_take_next(r));
	return true;
}

static void read_fields(struct reader *r, struct entries *s, const struct follow *up)
{
	do {
		struct cel_token colon;
		struct str field = STR("");
		const struct follow *after = FOLLOW(T(COLON), false);
		bool is_optional = false;
		if (!reader_begin(r, FIRST_FIELD)) {
			reader_recover(r, 5, after);
		} else {
			is_optional = reader_is_next(r, T(QUESTION));
			if (is_optional)
				reader_take_next(r);
			s->is_broken |= !read_word(
				r, &(struct follow){.may_end = true, .up = after}, &field);
		}
		if (!reader_take(r, T(COLON), FIRST_EXPR, false, up, &colon)) {
			s->is_broken = true;
			reader_recover(r, 6, up);
			return;
		}
		struct cel_expr *value = cel_read_expr(r, FOLLOW(T(COMMA), true));
		s->is_broken |= !value;
		add_entry(r, s, NULL, value, field, is_optional);
	} while (next_entry(r, FIRST_FIELD));
}

typedef void read_entries(struct reader *r, struct entries *s, const struct follow *up);

/* From the opening bracket to the closing one. */
static bool read_bracketed(struct reader *r, struct entries *s, read_entries *read, token_set first,
			   token_set close, bool has_trailing_comma, const struct follow *up)
{
	struct cel_token end;
	token_set trailing = has_trailing_comma ? T(COMMA) : 0;
	reader_take_next(r);
	if (!reader_begin(r, first | trailing | close))
		return false;
	if (reader_is_next(r, first))
		read(r, s, FOLLOW(trailing | close, false));
	if (has_trailing_comma && !reader_begin(r, trailing | close))
		return false;
	if (reader_is_next(r, trailing))
		reader_take_next(r);
	return reader_take(r, close, 0, true, up, &end);
}

static struct cel_expr *new_entries(struct reader *r, enum cel_node node, uint32_t at,
				    const struct entries *s)
{
	struct cel_expr *e = cel_new(r->c, node, at);
	e->args = s->keys;
	e->values = s->values;
	e->fields = s->fields;
	e->is_optional = s->is_optional;
	e->count = s->count;
	return e;
}

static struct cel_expr *read_list(struct reader *r, const struct follow *up)
{
	struct entries s = {};
	uint32_t at = reader_here(r).at;
	if (!read_bracketed(r, &s, read_items, FIRST_ENTRY, T(RBRACKET), true, up))
		return NULL;
	return s.is_broken ? NULL : new_entries(r, CEL_NODE_LIST, at, &s);
}

static struct cel_expr *read_map(struct reader *r, const struct follow *up)
{
	struct entries s = {};
	uint32_t at = reader_here(r).at;
	if (!read_bracketed(r, &s, read_pairs, FIRST_ENTRY, T(RBRACE), true, up))
		return NULL;
	return s.is_broken ? NULL : new_entries(r, CEL_NODE_MAP, at, &s);
}

/* ---- names and calls ---- */

bool cel_is_reserved(struct str name)
{
	static const char *const words[] = {
		"as",	    "break",   "const",	 "continue", "else", "false", "for",
		"function", "if",      "import", "in",	     "let",  "loop",  "namespace",
		"null",	    "package", "return", "true",     "var",  "void",  "while"};
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (str_is(name, words[i]))
			return true;
	return false;
}

/* "a.b.c{": how many tokens there are before the brace; 0: it is no structure. */
static size_t structure_name_len(const struct reader *r)
{
	size_t i = reader_peek(r, 0) == CEL_TOKEN_DOT;
	for (;;) {
		if (reader_peek(r, i++) != CEL_TOKEN_IDENT)
			return 0;
		if (reader_peek(r, i) == CEL_TOKEN_LBRACE)
			return i;
		if (reader_peek(r, i++) != CEL_TOKEN_DOT)
			return 0;
	}
}

static struct cel_expr *read_structure(struct reader *r, size_t name_len, const struct follow *up)
{
	struct entries s = {};
	CLEANUP_BUF name = BUF_INIT(CEL_TEXT_MAX * 4);
	for (size_t i = 0; i < name_len; i++)
		buf_add_str(&name, reader_text(r, reader_take_next(r)));
	uint32_t at = reader_here(r).at;
	if (!read_bracketed(r, &s, read_fields, FIRST_FIELD, T(RBRACE), true, up) || s.is_broken)
		return NULL;
	struct cel_expr *e = new_entries(r, CEL_NODE_STRUCT, at, &s);
	e->name = arena_str(r->c->arena, buf_str(&name));
	return e;
}

static struct cel_expr *read_name(struct reader *r, const struct follow *up)
{
	size_t name_len = structure_name_len(r);
	uint32_t start = reader_here(r).at;
	bool has_dot = reader_peek(r, 0) == CEL_TOKEN_DOT;
	struct entries s = {};
	if (name_len > 0)
		return read_structure(r, name_len, up);
	if (has_dot)
		reader_take_next(r);
	struct cel_token token = reader_take_next(r);
	struct str name = reader_text(r, token);
	if (cel_is_reserved(name))
		cel_fault(r->c, start, "reserved identifier: %.*s", STR_FMT(name));
	if (has_dot)
		name = arena_printf(r->c->arena, ".%.*s", STR_FMT(name));
	if (!reader_is_next(r, T(LPAREN))) {
		struct cel_expr *e = cel_new(r->c, CEL_NODE_IDENT, token.at);
		e->name = name;
		return e;
	}
	uint32_t at = reader_here(r).at;
	if (!read_bracketed(r, &s, read_arguments, FIRST_EXPR, T(RPAREN), false, up) || s.is_broken)
		return NULL;
	return cel_macro(r->c, cel_new_call(r->c, at, name, s.count, s.keys));
}

static struct cel_expr *read_nested(struct reader *r, const struct follow *up)
{
	struct cel_token end;
	reader_take_next(r);
	struct cel_expr *e = cel_read_expr(r, FOLLOW(T(RPAREN), false));
	return reader_take(r, T(RPAREN), 0, true, up, &end) ? e : NULL;
}

static struct cel_expr *read_atom_form(struct reader *r, const struct follow *up)
{
	if (!reader_begin(r, FIRST_ATOM))
		return NULL;
	switch (reader_peek(r, 0)) {
	case CEL_TOKEN_LPAREN:
		return read_nested(r, up);
	case CEL_TOKEN_LBRACKET:
		return read_list(r, up);
	case CEL_TOKEN_LBRACE:
		return read_map(r, up);
	case CEL_TOKEN_DOT:
		if (reader_peek(r, 1) == CEL_TOKEN_IDENT)
			return read_name(r, up);
		reader_refuse_forms(r, 1);
		return NULL;
	case CEL_TOKEN_IDENT:
		return read_name(r, up);
	default:
		if (reader_is_next(r, FIRST_ATOM))
			return read_literal(r, FOLLOW(0, true));
		reader_refuse_forms(r, 0);
		return NULL;
	}
}

static struct cel_expr *read_atom(struct reader *r, const struct follow *up)
{
	struct cel_expr *e = read_atom_form(r, up);
	if (!r->has_error)
		return e;
	reader_recover(r, 7, up);
	return NULL;
}

/* ---- members ---- */

static struct cel_expr *new_select(struct reader *r, struct cel_expr *of, struct cel_token dot,
				   struct str field, bool is_optional)
{
	if (!of)
		return NULL;
	if (is_optional) {
		struct cel_expr *name = cel_new(r->c, CEL_NODE_LITERAL, dot.at);
		name->literal = CEL_STRING;
		name->name = field;
		return cel_new_call(r->c, dot.at, STR("_?._"), 2, (struct cel_expr *[]){of, name});
	}
	struct cel_expr *e = cel_new(r->c, CEL_NODE_SELECT, dot.at);
	e->target = of;
	e->name = field;
	return e;
}

static struct cel_expr *read_member_call(struct reader *r, struct cel_expr *of,
					 const struct follow *up)
{
	struct entries s = {};
	reader_take_next(r);
	struct str name = reader_text(r, reader_take_next(r));
	uint32_t at = reader_here(r).at;
	if (!read_bracketed(r, &s, read_arguments, FIRST_EXPR, T(RPAREN), false,
			    FOLLOW(T(DOT) | T(LBRACKET), true)) ||
	    s.is_broken || !of)
		return NULL;
	struct cel_expr *call = cel_new_call(r->c, at, name, s.count, s.keys);
	call->target = of;
	return cel_macro(r->c, call);
}

static struct cel_expr *read_index(struct reader *r, struct cel_expr *of, const struct follow *up)
{
	struct cel_token end, open = reader_take_next(r);
	if (!reader_begin(r, FIRST_ENTRY))
		return NULL;
	bool is_optional = reader_is_next(r, T(QUESTION));
	if (is_optional)
		reader_take_next(r);
	struct cel_expr *index = cel_read_expr(r, FOLLOW(T(RBRACKET), false));
	if (!reader_take(r, T(RBRACKET), T(DOT) | T(LBRACKET), true, up, &end) || !index || !of)
		return NULL;
	return cel_new_call(r->c, open.at, is_optional ? STR("_[?_]") : STR("_[_]"), 2,
			    (struct cel_expr *[]){of, index});
}

static struct cel_expr *read_select(struct reader *r, struct cel_expr *of, const struct follow *up)
{
	struct cel_token dot = reader_here(r);
	struct str field;
	enum cel_token_type after = reader_peek(r, 1);
	if (after == CEL_TOKEN_IDENT && reader_peek(r, 2) == CEL_TOKEN_LPAREN)
		return read_member_call(r, of, up);
	if (after != CEL_TOKEN_IDENT && after != CEL_TOKEN_QUOTED_IDENT &&
	    after != CEL_TOKEN_QUESTION) {
		reader_refuse_forms(r, 1);
		return NULL;
	}
	reader_take_next(r);
	bool is_optional = reader_is_next(r, T(QUESTION));
	if (is_optional)
		reader_take_next(r);
	if (!read_word(r, FOLLOW(T(DOT) | T(LBRACKET), true), &field))
		return NULL;
	return new_select(r, of, dot, field, is_optional);
}

struct cel_expr *cel_read_member(struct reader *r, const struct follow *up)
{
	struct cel_expr *e = read_atom(r, FOLLOW(T(DOT) | T(LBRACKET), true));
	while (reader_is_next(r, T(DOT) | T(LBRACKET)) && !r->is_stopped) {
		e = reader_is_next(r, T(DOT)) ? read_select(r, e, up) : read_index(r, e, up);
		if (r->has_error) {
			reader_recover(r, 8, up);
			return NULL;
		}
	}
	return e;
}
