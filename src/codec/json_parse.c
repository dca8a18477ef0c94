#include <stdio.h>
#include <stdlib.h>

#include "codec/json-int.h"

struct parser {
	const char *at, *end;
	struct arena *arena;
	struct err *err;
	size_t node_count;
	struct json_stack stack; /* last: its bases are not initialised */
};

/* As Go quotes a byte (taken as a Latin-1 character) in its messages. */
static void quote_byte(char c, char out[16])
{
	static const struct {
		char c, letter;
	} escapes[] = {{'\'', '\''}, {'\\', '\\'}, {'\a', 'a'}, {'\b', 'b'}, {'\f', 'f'},
		       {'\n', 'n'},  {'\r', 'r'},  {'\t', 't'}, {'\v', 'v'}};
	unsigned char byte = (unsigned char)c;
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
		if (escapes[i].c == c) {
			snprintf(out, 16, "'\\%c'", escapes[i].letter);
			return;
		}
	if (byte < 0x20 || byte == 0x7f)
		snprintf(out, 16, "'\\x%02x'", byte);
	else if (byte < 0x7f)
		snprintf(out, 16, "'%c'", c);
	else if (byte <= 0xa0 || byte == 0xad)
		snprintf(out, 16, "'\\u%04x'", byte);
	else
		snprintf(out, 16, "'%c%c'", 0xc0 | byte >> 6, 0x80 | (byte & 0x3f));
}

/* The byte at p->at does not belong there. */
static enum rc refuse(struct parser *p, const char *context)
{
	char quoted[16];
	if (p->at >= p->end)
		return err_set(p->err, RC_BAD_REQUEST, "unexpected end of JSON input");
	quote_byte(*p->at, quoted);
	return err_set(p->err, RC_BAD_REQUEST, "invalid character %s %s", quoted, context);
}

static int peek(const struct parser *p)
{
	return p->at < p->end ? (unsigned char)*p->at : -1;
}

static int peek_after_space(struct parser *p)
{
	while (p->at < p->end &&
	       (*p->at == ' ' || *p->at == '\n' || *p->at == '\t' || *p->at == '\r'))
		p->at++;
	return peek(p);
}

static enum rc node_new(struct parser *p, enum json_type type, struct json **ret_node)
{
	if (++p->node_count > JSON_MAX_NODES)
		return err_set(p->err, RC_TOO_LARGE, "JSON has more than the limit of %u values",
			       JSON_MAX_NODES);
	struct json *node = ARENA_NEW(p->arena, struct json);
	node->type = type;
	*ret_node = node;
	return RC_OK;
}

static int hex_value(int c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t hex_code(const char *at)
{
	uint32_t code = 0;
	for (int i = 0; i < 4; i++)
		code = code << 4 | (uint32_t)hex_value(at[i]);
	return code;
}

/* One or two \u escapes after the backslash at *at; a surrogate without its partner gives U+FFFD.
 */
static uint32_t unescape_unicode(const char **at, const char *end)
{
	uint32_t code = hex_code(*at + 2);
	*at += 6;
	if (code < 0xd800 || code > 0xdfff)
		return code;
	if (code < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
		uint32_t low = hex_code(*at + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*at += 6;
			return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

static char escape_byte(char letter)
{
	static const char letters[] = "bfnrt", bytes[] = "\b\f\n\r\t";
	const char *hit = strchr(letters, letter);
	return hit ? bytes[hit - letters] : letter;
}

/* raw was checked by scan_string. */
static struct str unescape(struct arena *a, struct str raw)
{
	const char *at = raw.at, *end = raw.at + raw.len;
	char *text = arena_alloc(a, raw.len + 1), *to = text;
	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
		} else if (at[1] == 'u') {
			uint32_t code = unescape_unicode(&at, end);
			to = utf8_put(to, code);
		} else {
			*to++ = escape_byte(at[1]);
			at += 2;
		}
	}
	return str_n(text, (size_t)(to - text));
}

static enum rc scan_escape(struct parser *p)
{
	p->at++;
	int letter = peek(p);
	if (letter <= 0 || !strchr("\"\\/bfnrtu", letter))
		return refuse(p, "in string escape code");
	p->at++;
	for (int i = 0; letter == 'u' && i < 4; i++, p->at++)
		if (hex_value(peek(p)) < 0)
			return refuse(p, "in \\u hexadecimal character escape");
	return RC_OK;
}

/* p->at is behind the opening quote; afterwards behind the closing one. */
static enum rc scan_string(struct parser *p, bool *ret_has_escape)
{
	bool has_escape = false;
	for (;;) {
		p->at = text_scan_plain(p->at, p->end, false);
		int c = peek(p);
		if (c == '"')
			break;
		if (c == '\\') {
			has_escape = true;
			TRY(scan_escape(p));
		} else if (c < 0x20) {
			return refuse(p, "in string literal");
		} else {
			size_t len = utf8_length(p->at, p->end);
			if (len == 0)
				return err_set(p->err, RC_BAD_REQUEST,
					       "invalid UTF-8 byte 0x%02x in string literal; text "
					       "must be UTF-8",
					       c);
			p->at += len;
		}
	}
	p->at++;
	*ret_has_escape = has_escape;
	return RC_OK;
}

static enum rc parse_string(struct parser *p, struct str *ret_text)
{
	const char *start = ++p->at;
	bool has_escape = false;
	TRY(scan_string(p, &has_escape));
	struct str raw = str_n(start, (size_t)(p->at - start) - 1);
	*ret_text = has_escape ? unescape(p->arena, raw) : raw;
	return RC_OK;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static enum rc scan_digits(struct parser *p, const char *context)
{
	if (!is_digit(peek(p)))
		return refuse(p, context);
	while (is_digit(peek(p)))
		p->at++;
	return RC_OK;
}

static enum rc scan_number(struct parser *p, bool *ret_is_integer)
{
	*ret_is_integer = true;
	if (peek(p) == '-')
		p->at++;
	if (peek(p) == '0')
		p->at++;
	else
		TRY(scan_digits(p, "in numeric literal"));
	if (peek(p) == '.') {
		*ret_is_integer = false;
		p->at++;
		TRY(scan_digits(p, "after decimal point in numeric literal"));
	}
	if (peek(p) == 'e' || peek(p) == 'E') {
		*ret_is_integer = false;
		p->at++;
		if (peek(p) == '+' || peek(p) == '-')
			p->at++;
		TRY(scan_digits(p, "in exponent of numeric literal"));
	}
	return RC_OK;
}

static double to_double(struct arena *a, struct str text)
{
	char shorter[64];
	if (text.len >= sizeof(shorter))
		return strtod(arena_cstr(a, text), NULL);
	memcpy(shorter, text.at, text.len);
	shorter[text.len] = '\0';
	return strtod(shorter, NULL);
}

static enum rc parse_number(struct parser *p, struct json **ret_value)
{
	const char *start = p->at;
	bool is_integer;
	TRY(scan_number(p, &is_integer));
	TRY(node_new(p, JSON_INT, ret_value));
	struct str text = str_n(start, (size_t)(p->at - start));
	if (!is_integer || !str_to_i64(text, &(*ret_value)->integer)) {
		(*ret_value)->type = JSON_DOUBLE;
		(*ret_value)->number = to_double(p->arena, text);
	}
	return RC_OK;
}

static enum rc parse_word(struct parser *p, const char *word, enum json_type type,
			  struct json **ret_value)
{
	p->at++;
	for (const char *expect = word + 1; *expect; expect++, p->at++) {
		char context[48];
		if (peek(p) == *expect)
			continue;
		snprintf(context, sizeof(context), "in literal %s (expecting '%c')", word, *expect);
		return refuse(p, context);
	}
	TRY(node_new(p, type, ret_value));
	(*ret_value)->boolean = type == JSON_BOOL && *word == 't';
	return RC_OK;
}

static enum rc parse_value(struct parser *p, struct json **ret_value);

static enum rc enter(struct parser *p)
{
	if (!json_stack_open(&p->stack))
		return err_set(p->err, RC_BAD_REQUEST, "exceeded max depth of %d levels",
			       JSON_MAX_DEPTH);
	p->at++;
	return RC_OK;
}

static enum rc parse_items(struct parser *p)
{
	if (peek_after_space(p) == ']')
		return RC_OK;
	for (;;) {
		size_t slot = json_stack_push(&p->stack, (struct str){}, 0);
		struct json *item;
		TRY(parse_value(p, &item));
		p->stack.members[slot].value = item;
		int c = peek_after_space(p);
		if (c == ']')
			return RC_OK;
		if (c != ',')
			return refuse(p, "after array element");
		p->at++;
	}
}

static enum rc parse_array(struct parser *p, struct json **ret_value)
{
	TRY(enter(p));
	TRY(parse_items(p));
	p->at++;
	TRY(node_new(p, JSON_ARRAY, ret_value));
	json_stack_array(&p->stack, *ret_value);
	return RC_OK;
}

static enum rc parse_members(struct parser *p)
{
	if (peek_after_space(p) == '}')
		return RC_OK;
	for (;;) {
		struct str key;
		struct json *value;
		if (peek_after_space(p) != '"')
			return refuse(p, "looking for beginning of object key string");
		TRY(parse_string(p, &key));
		if (peek_after_space(p) != ':')
			return refuse(p, "after object key");
		p->at++;
		size_t slot = json_stack_push(&p->stack, key, 0);
		TRY(parse_value(p, &value));
		p->stack.members[slot].value = value;
		int c = peek_after_space(p);
		if (c == '}')
			return RC_OK;
		if (c != ',')
			return refuse(p, "after object key:value pair");
		p->at++;
	}
}

static enum rc parse_object(struct parser *p, struct json **ret_value)
{
	TRY(enter(p));
	TRY(parse_members(p));
	p->at++;
	TRY(node_new(p, JSON_OBJECT, ret_value));
	json_stack_object(&p->stack, *ret_value);
	return RC_OK;
}

static enum rc parse_value(struct parser *p, struct json **ret_value)
{
	int c = peek_after_space(p);
	switch (c) {
	case '"':
		TRY(node_new(p, JSON_STRING, ret_value));
		return parse_string(p, &(*ret_value)->string);
	case '{':
		return parse_object(p, ret_value);
	case '[':
		return parse_array(p, ret_value);
	case 't':
		return parse_word(p, "true", JSON_BOOL, ret_value);
	case 'f':
		return parse_word(p, "false", JSON_BOOL, ret_value);
	case 'n':
		return parse_word(p, "null", JSON_NULL, ret_value);
	default:
		if (c == '-' || is_digit(c))
			return parse_number(p, ret_value);
		return refuse(p, "looking for beginning of value");
	}
}

enum rc json_parse(struct arena *a, struct str text, struct json **ret_tree,
		   struct json_duplicates *duplicates, struct err *err)
{
	if (text.len > JSON_MAX_BYTES)
		return err_set(err, RC_TOO_LARGE,
			       "JSON of %zu bytes is larger than the limit of %u bytes", text.len,
			       JSON_MAX_BYTES);
	struct parser p;
	memset(&p, 0, offsetof(struct parser, stack.bases));
	p.at = text.at ? text.at : "";
	p.end = p.at + text.len;
	p.arena = p.stack.arena = a;
	p.stack.duplicates = duplicates;
	p.err = err;
	struct json *tree;
	enum rc rc = parse_value(&p, &tree);
	json_stack_done(&p.stack);
	TRY(rc);
	if (peek_after_space(&p) >= 0)
		return refuse(&p, "after top-level value");
	*ret_tree = tree;
	return RC_OK;
}
