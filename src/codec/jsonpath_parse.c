#include <ctype.h>

#include "codec/jsonpath-int.h"

struct parser {
	struct arena *arena;
	struct str text;
	size_t at;
	int depth;
	struct err *err;
};

static struct jsonpath_node *node_add(struct parser *p, struct jsonpath *into,
				      enum jsonpath_form form)
{
	into->nodes =
		arena_grow(p->arena, into->nodes, into->count, &into->cap, sizeof(*into->nodes));
	struct jsonpath_node *node = &into->nodes[into->count++];
	*node = (struct jsonpath_node){.form = form};
	return node;
}

static int peek(const struct parser *p)
{
	return p->at < p->text.len ? (unsigned char)p->text.at[p->at] : -1;
}

static bool take(struct parser *p, const char *word)
{
	if (!str_has_prefix(str_skip(p->text, p->at), str_of(word)))
		return false;
	p->at += strlen(word);
	return true;
}

static enum rc parse_action(struct parser *p, struct jsonpath *into);

/* ---- words ---- */

static bool ends_name(int c)
{
	return c < 0 || (c && strchr(" .,[]$@{}", c));
}

/* A name after '.', in which '\' takes the next character as it is. */
static enum rc parse_field(struct parser *p, struct jsonpath *into)
{
	CLEANUP_BUF name = BUF_INIT(JSON_MAX_BYTES);
	while (!ends_name(peek(p))) {
		if (peek(p) == '\\' && p->at + 1 < p->text.len)
			p->at++;
		buf_add_char(&name, p->text.at[p->at++]);
	}
	if (str_is(buf_str(&name), "*")) {
		node_add(p, into, PATH_ALL);
		return RC_OK;
	}
	if (name.len) /* "{.}" is what there is already */
		node_add(p, into, PATH_FIELD)->text = arena_str(p->arena, buf_str(&name));
	return RC_OK;
}

static void add_escape(struct buf *out, char c)
{
	static const char from[] = "ntr0abfv", to[] = "\n\t\r\0\a\b\f\v";
	const char *at = c ? strchr(from, c) : NULL;
	buf_add_char(out, at ? to[at - from] : c);
}

static enum rc parse_quoted(struct parser *p, struct jsonpath *into)
{
	CLEANUP_BUF text = BUF_INIT(JSON_MAX_BYTES);
	int quote = p->text.at[p->at++];
	while (peek(p) != quote) {
		if (peek(p) < 0)
			return err_set(p->err, RC_BAD_REQUEST, "unterminated quoted string");
		char c = p->text.at[p->at++];
		if (c == '\\' && peek(p) >= 0)
			add_escape(&text, p->text.at[p->at++]);
		else
			buf_add_char(&text, c);
	}
	p->at++;
	node_add(p, into, PATH_TEXT)->text = arena_str(p->arena, buf_str(&text));
	return RC_OK;
}

static enum rc parse_number(struct parser *p, struct jsonpath *into)
{
	size_t from = p->at++;
	while (isdigit(peek(p)) || (peek(p) > 0 && strchr(".eE+-", peek(p))))
		p->at++;
	struct str text = str_n(p->text.at + from, p->at - from);
	if (text.at[0] == '+')
		text = str_skip(text, 1);
	struct json *value;
	if (json_parse(p->arena, text, &value, NULL, NULL) != RC_OK)
		return err_set(p->err, RC_BAD_REQUEST, "cannot parse number %.*s", STR_FMT(text));
	node_add(p, into, PATH_VALUE)->value = value;
	return RC_OK;
}

/* ---- brackets ---- */

/* The place behind what begins at `at`: a quoted text as a whole, else one character. */
static size_t skip_quoted(struct str text, size_t at)
{
	char quote = text.at[at++];
	if (quote != '\'' && quote != '"')
		return at;
	while (at < text.len && text.at[at] != quote)
		at += text.at[at] == '\\' ? 2 : 1;
	return MIN(at + 1, text.len);
}

/* The end of what begins after an opening bracket, past quotes and inner brackets. */
static bool find_close(const struct parser *p, size_t from, char open, char close, size_t *ret_end)
{
	int depth = 1;
	for (size_t i = from; i < p->text.len; i = skip_quoted(p->text, i)) {
		char c = p->text.at[i];
		if (c == open) {
			depth++;
		} else if (c == close && --depth == 0) {
			*ret_end = i;
			return true;
		}
	}
	return false;
}

static enum rc parse_part(struct parser *p, struct str text, struct jsonpath **ret_path)
{
	struct parser inner = {p->arena, text, 0, p->depth + 1, p->err};
	*ret_path = ARENA_NEW(p->arena, struct jsonpath);
	if (inner.depth > JSONPATH_DEPTH_MAX)
		return err_set(p->err, RC_TOO_LARGE,
			       "the template is nested deeper than %d levels; make it simpler",
			       JSONPATH_DEPTH_MAX);
	return parse_action(&inner, *ret_path);
}

static bool is_operator(char c)
{
	return c && strchr("!<>=", c);
}

/* "@.a == 'b'", or "@.a": it is there. */
static enum rc parse_condition(struct parser *p, struct str text, struct jsonpath *into)
{
	size_t at = 0, end;
	while (at < text.len && !is_operator(text.at[at]))
		at = skip_quoted(text, at);
	struct jsonpath_node *node = node_add(p, into, PATH_FILTER);
	struct jsonpath *left, *right = NULL;
	for (end = at; end < text.len && is_operator(text.at[end]); end++)
		;
	struct str op = str_n(text.at + at, end - at);
	TRY(parse_part(p, str_trim(str_n(text.at, at)), &left));
	if (op.len)
		TRY(parse_part(p, str_trim(str_skip(text, end)), &right));
	node->text = op.len ? op : (struct str){};
	node->inner = left;
	node->other = right;
	return RC_OK;
}

static bool parse_slice(struct str text, struct jsonpath_node *node)
{
	struct str part, rest = text;
	int parts = 0;
	do {
		if (parts == 3)
			return false;
		str_cut(rest, ':', &part, &rest);
		part = str_trim(part);
		node->slice[parts].is_given = part.len > 0;
		if (part.len && !str_to_i64(part, &node->slice[parts].number))
			return false;
		parts++;
	} while (rest.at);
	node->is_single = parts == 1;
	return parts > 1 || node->slice[0].is_given;
}

static enum rc parse_bracket(struct parser *p, struct str text, struct jsonpath *into);

/* The first comma outside of quotes, or the end. */
static size_t find_comma(struct str text)
{
	size_t at = 0;
	while (at < text.len && text.at[at] != ',')
		at = skip_quoted(text, at);
	return at;
}

static enum rc parse_union(struct parser *p, struct str text, struct jsonpath *into)
{
	struct jsonpath *parts = ARENA_NEW(p->arena, struct jsonpath);
	for (bool is_last = false; !is_last;) {
		size_t comma = find_comma(text);
		struct jsonpath_node *node = node_add(p, parts, PATH_ACTION);
		struct jsonpath *one = ARENA_NEW(p->arena, struct jsonpath);
		node->inner = one;
		TRY(parse_bracket(p, str_trim(str_n(text.at, comma)), one));
		is_last = comma == text.len;
		text = str_skip(text, comma + 1);
	}
	node_add(p, into, PATH_UNION)->inner = parts;
	return RC_OK;
}

static bool is_quoted(struct str text)
{
	char quote = text.len >= 2 ? text.at[0] : 0;
	return (quote == '\'' || quote == '"') && text.at[text.len - 1] == quote &&
	       skip_quoted(text, 0) == text.len;
}

/* A name in quotes, in which '\' takes the next character as it is. */
static struct str unquoted(struct arena *a, struct str text)
{
	char *name = arena_alloc(a, text.len);
	size_t len = 0;
	for (size_t i = 1; i + 1 < text.len; i++) {
		i += text.at[i] == '\\' && i + 2 < text.len;
		name[len++] = text.at[i];
	}
	return str_n(name, len);
}

static enum rc parse_bracket(struct parser *p, struct str text, struct jsonpath *into)
{
	if (str_has_prefix(text, STR("?(")) && str_has_suffix(text, STR(")")))
		return parse_condition(p, str_n(text.at + 2, text.len - 3), into);
	if (is_quoted(text)) {
		node_add(p, into, PATH_FIELD)->text = unquoted(p->arena, text);
		return RC_OK;
	}
	if (find_comma(text) < text.len)
		return parse_union(p, text, into);
	if (str_is(text, "*")) {
		node_add(p, into, PATH_ALL);
		return RC_OK;
	}
	struct jsonpath_node node = {.form = PATH_SLICE};
	if (!parse_slice(text, &node))
		return err_set(p->err, RC_BAD_REQUEST, "invalid array index %.*s", STR_FMT(text));
	*node_add(p, into, PATH_SLICE) = node;
	return RC_OK;
}

static enum rc parse_array(struct parser *p, struct jsonpath *into)
{
	size_t from = ++p->at, end;
	if (!find_close(p, from, '[', ']', &end))
		return err_set(p->err, RC_BAD_REQUEST, "unterminated array");
	p->at = end + 1;
	return parse_bracket(p, str_trim(str_n(p->text.at + from, end - from)), into);
}

/* ---- actions ---- */

static enum rc parse_word(struct parser *p, struct jsonpath *into)
{
	size_t from = p->at;
	while (!ends_name(peek(p)))
		p->at++;
	struct str word = str_n(p->text.at + from, p->at - from);
	if (!str_is(word, "true") && !str_is(word, "false"))
		return err_set(p->err, RC_BAD_REQUEST, "unrecognized identifier %.*s",
			       STR_FMT(word));
	node_add(p, into, PATH_VALUE)->value = json_bool(p->arena, str_is(word, "true"));
	return RC_OK;
}

static enum rc parse_step(struct parser *p, struct jsonpath *into)
{
	int c = peek(p);
	if (take(p, "..")) {
		node_add(p, into, PATH_DEEP);
		return ends_name(peek(p)) ? RC_OK : parse_field(p, into);
	}
	if (take(p, "."))
		return parse_field(p, into);
	if (c == '[')
		return parse_array(p, into);
	if (c == '\'' || c == '"')
		return parse_quoted(p, into);
	if (isdigit(c) || c == '-' || c == '+')
		return parse_number(p, into);
	if (isalpha(c))
		return parse_word(p, into);
	if (c == '@' || c == '$' || c == ' ' || c == '\t' || c == '\n') { /* where we are */
		p->at++;
		return RC_OK;
	}
	return err_set(p->err, RC_BAD_REQUEST, "unrecognized character in action: U+%04X '%c'",
		       (unsigned)c, isprint(c) ? c : '?');
}

static enum rc parse_action(struct parser *p, struct jsonpath *into)
{
	while (peek(p) >= 0)
		TRY(parse_step(p, into));
	return RC_OK;
}

/* ---- templates ---- */

static enum rc parse_template(struct parser *p, struct jsonpath *into, bool is_range);

static enum rc parse_range(struct parser *p, struct str action, struct jsonpath *into)
{
	struct jsonpath *list, *body = ARENA_NEW(p->arena, struct jsonpath);
	if (++p->depth > JSONPATH_DEPTH_MAX)
		return err_set(p->err, RC_TOO_LARGE, "ranges are nested deeper than %d levels",
			       JSONPATH_DEPTH_MAX);
	TRY(parse_part(p, str_trim(action), &list));
	TRY(parse_template(p, body, true));
	p->depth--;
	struct jsonpath_node *node = node_add(p, into, PATH_RANGE);
	node->inner = list;
	node->other = body;
	return RC_OK;
}

/* The text between braces; *ret_is_end for "end". */
static enum rc parse_braces(struct parser *p, struct str action, struct jsonpath *into,
			    bool *ret_is_end)
{
	action = str_trim(action);
	*ret_is_end = str_is(action, "end");
	if (*ret_is_end)
		return RC_OK;
	if (str_has_prefix(action, STR("range")) && action.len > 5 && !isalnum(action.at[5]))
		return parse_range(p, str_skip(action, 5), into);
	struct jsonpath *inner;
	TRY(parse_part(p, action, &inner));
	node_add(p, into, PATH_ACTION)->inner = inner;
	return RC_OK;
}

static enum rc parse_template(struct parser *p, struct jsonpath *into, bool is_range)
{
	while (p->at < p->text.len) {
		struct str rest = str_skip(p->text, p->at);
		const char *brace = memchr(rest.at, '{', rest.len);
		size_t len = brace ? (size_t)(brace - rest.at) : rest.len, end;
		bool is_end;
		if (len)
			node_add(p, into, PATH_TEXT)->text = str_n(rest.at, len);
		p->at += len;
		if (!brace)
			break;
		size_t from = ++p->at;
		if (!find_close(p, from, '{', '}', &end))
			return err_set(p->err, RC_BAD_REQUEST, "unclosed action");
		p->at = end + 1;
		TRY(parse_braces(p, str_n(p->text.at + from, end - from), into, &is_end));
		if (is_end && !is_range)
			return err_set(p->err, RC_BAD_REQUEST, "not in range, nothing to end");
		if (is_end)
			return RC_OK;
	}
	return is_range ? err_set(p->err, RC_BAD_REQUEST, "unclosed range: {end} is missing")
			: RC_OK;
}

enum rc jsonpath_parse(struct arena *a, struct str text, struct jsonpath **ret_path,
		       struct err *err)
{
	struct parser p = {a, arena_str(a, text.at ? text : STR("")), 0, 0, err};
	*ret_path = ARENA_NEW(a, struct jsonpath);
	return parse_template(&p, *ret_path, false);
}

enum rc jsonpath_parse_relaxed(struct arena *a, struct str text, struct jsonpath **ret_path,
			       struct err *err)
{
	struct str inner = text;
	if (str_has_prefix(inner, STR("{")) && str_has_suffix(inner, STR("}")))
		inner = str_n(inner.at + 1, inner.len - 2);
	if (inner.len == 0 || memchr(inner.at, '{', inner.len) || memchr(inner.at, '}', inner.len))
		return err_set(err, RC_BAD_REQUEST,
			       "unexpected path string, expected a 'name1.name2' or "
			       "'.name1.name2' or '{name1.name2}' or '{.name1.name2}'");
	bool has_start = inner.at[0] == '.' || inner.at[0] == '[' || inner.at[0] == '$' ||
			 inner.at[0] == '@';
	return jsonpath_parse(a, arena_printf(a, "{%s%.*s}", has_start ? "" : ".", STR_FMT(inner)),
			      ret_path, err);
}
