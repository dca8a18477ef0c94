/* Tokens of CEL.  The longest token wins; where none fits, the text up to and with the byte that
 * spoilt it is reported and skipped, as the reference lexer does. */
#include "codec/cel-int.h"
#include "codec/json-int.h"

struct scan {
	struct str text;
	size_t best;	 /* end of the longest token so far; 0: none */
	size_t furthest; /* the byte at which the last attempt failed */
	enum cel_token_type type;
	bool is_hidden;
};

static int byte_at(const struct scan *s, size_t i)
{
	return i < s->text.len ? (unsigned char)s->text.at[i] : -1;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_letter(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void accept(struct scan *s, enum cel_token_type type, size_t end)
{
	if (end <= s->best)
		return;
	s->best = end;
	s->type = type;
}

static void fail(struct scan *s, size_t at)
{
	if (at > s->furthest)
		s->furthest = at;
}

static size_t skip_digits(const struct scan *s, size_t i)
{
	while (is_digit(byte_at(s, i)))
		i++;
	return i;
}

static size_t hex_run(const struct scan *s, size_t i, size_t count)
{
	size_t k = 0;
	while (k < count && is_hex(byte_at(s, i + k)))
		k++;
	return k;
}

/* The end of an escape whose backslash is at i; 0: none, *ret_bad is the byte that spoils it. */
static size_t escape_end(const struct scan *s, size_t i, size_t *ret_bad)
{
	static const char octal[] = "01234567";
	int c = byte_at(s, i + 1);
	size_t want = c == 'x' || c == 'X' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0, got;
	if (want > 0) {
		got = hex_run(s, i + 2, want);
		*ret_bad = i + 2 + got;
		return got == want ? i + 2 + want : 0;
	}
	if (c >= '0' && c <= '3') {
		for (got = 0; got < 2; got++) {
			int d = byte_at(s, i + 2 + got);
			if (d <= 0 || !strchr(octal, d))
				break;
		}
		*ret_bad = i + 2 + got;
		return got == 2 ? i + 4 : 0;
	}
	*ret_bad = i + 1;
	return c > 0 && strchr("abfnrtv\"'\\?`", c) ? i + 2 : 0;
}

static bool is_run(const struct scan *s, size_t i, int byte, size_t count)
{
	size_t k = 0;
	while (k < count && byte_at(s, i + k) == byte)
		k++;
	return k == count;
}

/* The rest of a string that begins behind its quotes, one or three, at i. */
static void scan_quoted(struct scan *s, enum cel_token_type type, size_t i, size_t quotes,
			bool is_raw)
{
	int quote = byte_at(s, i - 1);
	size_t bad;
	while (byte_at(s, i) >= 0 &&
	       (quotes > 1 || (byte_at(s, i) != '\n' && byte_at(s, i) != '\r'))) {
		if (is_run(s, i, quote, quotes)) {
			accept(s, type, i + quotes);
			return;
		}
		if (is_raw || byte_at(s, i) != '\\') {
			i++;
			continue;
		}
		i = escape_end(s, i, &bad);
		if (i == 0) {
			fail(s, bad);
			return;
		}
	}
	fail(s, i);
}

static void scan_string(struct scan *s)
{
	size_t i = 0;
	bool is_bytes = byte_at(s, 0) == 'b' || byte_at(s, 0) == 'B';
	i += is_bytes;
	bool is_raw = byte_at(s, i) == 'r' || byte_at(s, i) == 'R';
	i += is_raw;
	int quote = byte_at(s, i);
	enum cel_token_type type = is_bytes ? CEL_TOKEN_BYTES : CEL_TOKEN_STRING;
	if (quote != '"' && quote != '\'')
		return;
	if (is_run(s, i, quote, 3))
		scan_quoted(s, type, i + 3, 3, is_raw);
	scan_quoted(s, type, i + 1, 1, is_raw);
}

static size_t exponent_end(const struct scan *s, size_t i)
{
	if (byte_at(s, i) != 'e' && byte_at(s, i) != 'E')
		return i;
	size_t k = i + 1;
	if (byte_at(s, k) == '+' || byte_at(s, k) == '-')
		k++;
	return is_digit(byte_at(s, k)) ? skip_digits(s, k) : i;
}

static void accept_unsigned(struct scan *s, size_t i)
{
	accept(s, CEL_TOKEN_INT, i);
	if (byte_at(s, i) == 'u' || byte_at(s, i) == 'U')
		accept(s, CEL_TOKEN_UINT, i + 1);
}

static void scan_number(struct scan *s)
{
	size_t i = skip_digits(s, 0), end;
	if (i > 0) {
		accept_unsigned(s, i);
		end = exponent_end(s, i);
		if (end > i)
			accept(s, CEL_TOKEN_FLOAT, end);
		if (i == 1 && byte_at(s, 0) == '0' && byte_at(s, 1) == 'x' && is_hex(byte_at(s, 2)))
			accept_unsigned(s, 2 + hex_run(s, 2, s->text.len));
	}
	if (byte_at(s, i) == '.' && is_digit(byte_at(s, i + 1)))
		accept(s, CEL_TOKEN_FLOAT, exponent_end(s, skip_digits(s, i + 1)));
}

static void scan_word(struct scan *s)
{
	static const struct {
		const char *word;
		enum cel_token_type type;
	} words[] = {{"in", CEL_TOKEN_IN},
		     {"true", CEL_TOKEN_TRUE},
		     {"false", CEL_TOKEN_FALSE},
		     {"null", CEL_TOKEN_NULL}};
	size_t i = 0;
	enum cel_token_type type = CEL_TOKEN_IDENT;
	while (is_letter(byte_at(s, i)) || byte_at(s, i) == '_' || (i && is_digit(byte_at(s, i))))
		i++;
	for (size_t k = 0; k < ARRAY_LEN(words); k++)
		if (str_is(str_n(s->text.at, i), words[k].word))
			type = words[k].type;
	if (i > 0)
		accept(s, type, i);
}

static void scan_quoted_word(struct scan *s)
{
	size_t i = 1;
	int c = byte_at(s, i);
	while (is_letter(c) || is_digit(c) || (c > 0 && strchr("_.-/ ", c)))
		c = byte_at(s, ++i);
	if (c == '`' && i > 1)
		accept(s, CEL_TOKEN_QUOTED_IDENT, i + 1);
	else
		fail(s, i);
}

static void scan_hidden(struct scan *s)
{
	size_t i = 0;
	int c = byte_at(s, 0);
	if (c == '/' && byte_at(s, 1) == '/') {
		while (byte_at(s, i) >= 0 && byte_at(s, i) != '\n')
			i++;
	} else {
		while (c > 0 && strchr("\t \r\n\f", c))
			c = byte_at(s, ++i);
	}
	if (i > s->best) {
		s->best = i;
		s->is_hidden = true;
	}
}

static void scan_sign(struct scan *s)
{
	static const struct {
		const char *text;
		enum cel_token_type type;
	} signs[] = {
		{"==", CEL_TOKEN_EQUALS},      {"!=", CEL_TOKEN_NOT_EQUALS},
		{"<=", CEL_TOKEN_LESS_EQUALS}, {">=", CEL_TOKEN_GREATER_EQUALS},
		{"&&", CEL_TOKEN_AND},	       {"||", CEL_TOKEN_OR},
		{"<", CEL_TOKEN_LESS},	       {">", CEL_TOKEN_GREATER},
		{"[", CEL_TOKEN_LBRACKET},     {"]", CEL_TOKEN_RBRACKET},
		{"{", CEL_TOKEN_LBRACE},       {"}", CEL_TOKEN_RBRACE},
		{"(", CEL_TOKEN_LPAREN},       {")", CEL_TOKEN_RPAREN},
		{".", CEL_TOKEN_DOT},	       {",", CEL_TOKEN_COMMA},
		{"-", CEL_TOKEN_MINUS},	       {"!", CEL_TOKEN_EXCLAM},
		{"?", CEL_TOKEN_QUESTION},     {":", CEL_TOKEN_COLON},
		{"+", CEL_TOKEN_PLUS},	       {"*", CEL_TOKEN_STAR},
		{"/", CEL_TOKEN_SLASH},	       {"%", CEL_TOKEN_PERCENT},
	};
	int c = byte_at(s, 0);
	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		const char *sign = signs[i].text;
		if (c == sign[0] && (!sign[1] || byte_at(s, 1) == sign[1]))
			accept(s, signs[i].type, sign[1] ? 2 : 1);
	}
	if (c == '=' || c == '&' || c == '|')
		fail(s, 1);
}

static size_t code_point_len(struct str text, size_t i)
{
	size_t len = 1;
	while (i + len < text.len && ((unsigned char)text.at[i + len] & 0xc0) == 0x80)
		len++;
	return len;
}

static struct scan scan_token(struct str text)
{
	struct scan s = {.text = text};
	scan_hidden(&s);
	scan_sign(&s);
	scan_number(&s);
	scan_word(&s);
	scan_string(&s);
	if (byte_at(&s, 0) == '`')
		scan_quoted_word(&s);
	return s;
}

static void report_unknown(struct cel *c, size_t at, size_t len)
{
	CLEANUP_BUF shown = BUF_INIT(CEL_TEXT_MAX * 8);
	cel_add_shown(&shown, str_n(c->text.at + at, len));
	cel_fault(c, (int64_t)at, "Syntax error: token recognition error at: '%s'", shown.data);
}

struct cel_token *cel_lex(struct cel *c, size_t *ret_count)
{
	struct cel_token *tokens = NULL;
	size_t count = 0, cap = 0, at = 0;
	while (at < c->text.len) {
		struct scan s = scan_token(str_skip(c->text, at));
		if (s.best > 0) {
			if (!s.is_hidden) {
				tokens = arena_grow(c->arena, tokens, count, &cap, sizeof(*tokens));
				tokens[count++] =
					(struct cel_token){s.type, (uint32_t)at, (uint32_t)s.best};
			}
			at += s.best;
			continue;
		}
		size_t len = s.furthest;
		if (at + len < c->text.len)
			len += code_point_len(c->text, at + len);
		report_unknown(c, at, len);
		at += len;
	}
	tokens = arena_grow(c->arena, tokens, count, &cap, sizeof(*tokens));
	tokens[count++] = (struct cel_token){CEL_TOKEN_EOF, (uint32_t)c->text.len, 0};
	*ret_count = count;
	return tokens;
}

/* ---- literals ---- */

static uint32_t number_of(struct str digits, uint32_t base)
{
	uint32_t value = 0;
	for (size_t i = 0; i < digits.len; i++) {
		int c = digits.at[i];
		value = value * base + (uint32_t)(is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* Adds what the escape at text.at[i] stands for; the bytes it takes, 0: a fault. */
static size_t add_escape(struct buf *b, struct str text, size_t i, bool is_bytes,
			 const char **ret_why)
{
	static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
	char encoded[4], c = text.at[i + 1];
	const char *known = strchr(from, c);
	size_t digits = c == 'u' ? 4 : c == 'U' ? 8 : 2;
	bool is_octal = c >= '0' && c <= '3';
	if (known && c) {
		buf_add_char(b, to[known - from]);
		return 2;
	}
	if (!is_octal && c != 'x' && c != 'X' && c != 'u' && c != 'U') {
		buf_add_char(b, c);
		return 2;
	}
	uint32_t value = is_octal ? number_of(str_n(text.at + i + 1, 3), 8)
				  : number_of(str_n(text.at + i + 2, digits), 16);
	if (is_bytes && (c == 'u' || c == 'U')) {
		*ret_why = "unable to unescape string";
		return 0;
	}
	if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
		*ret_why = "invalid unicode code point";
		return 0;
	}
	if (is_bytes)
		buf_add_char(b, (char)value);
	else
		buf_add(b, encoded, (size_t)(utf8_put(encoded, value) - encoded));
	return is_octal ? 4 : 2 + digits;
}

bool cel_unquote(struct arena *a, struct str literal, bool is_bytes, struct str *ret_text,
		 const char **ret_why)
{
	CLEANUP_BUF b = BUF_INIT(CEL_TEXT_MAX * 8);
	size_t prefix = is_bytes ? 1 : 0, i = 0;
	bool is_raw = literal.at[prefix] == 'r' || literal.at[prefix] == 'R';
	struct str s = str_skip(literal, prefix + is_raw);
	size_t quote = s.len >= 6 && s.at[1] == s.at[0] && s.at[2] == s.at[0] ? 3 : 1;
	s = str_n(s.at + quote, s.len - 2 * quote);
	while (i < s.len) {
		if (is_raw || s.at[i] != '\\') {
			buf_add_char(&b, s.at[i++]);
			continue;
		}
		size_t taken = add_escape(&b, s, i, is_bytes, ret_why);
		if (taken == 0)
			return false;
		i += taken;
	}
	*ret_text = arena_str(a, buf_str(&b));
	return true;
}
