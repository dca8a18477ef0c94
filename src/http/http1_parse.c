#include "http/http1_parse.h"

#include "base/mem.h"
#include "http/http-int.h"

#define METHOD_MAX     32
#define CHUNK_LINE_MAX 4096
#define TRAILER_MAX    8192

/* RFC 9110 §5.6.2: tchar. */
static const bool token_chars[256] = {
	['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1,	    ['&'] = 1,	       ['\''] = 1,
	['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,	    ['^'] = 1,	       ['_'] = 1,
	['`'] = 1, ['|'] = 1, ['~'] = 1, ['0' ... '9'] = 1, ['a' ... 'z'] = 1, ['A' ... 'Z'] = 1,
};

bool http_is_token(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!token_chars[(unsigned char)s.at[i]])
			return false;
	return s.len > 0;
}

bool http_is_field_value(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.at[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

static struct str trim_blanks(struct str s)
{
	while (s.len && (s.at[0] == ' ' || s.at[0] == '\t'))
		s = str_skip(s, 1);
	while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

bool http_has_token(struct str list, const char *token)
{
	struct str item;
	for (bool has_more = true; has_more;) {
		has_more = str_cut(list, ',', &item, &list);
		if (str_eq_nocase(trim_blanks(item), str_of(token)))
			return true;
	}
	return false;
}

/* --- where the head ends --- */

size_t http1_head_end(struct str bytes, size_t *scanned, const char **ret_why)
{
	while (*scanned < bytes.len) {
		const char *hit = memchr(bytes.at + *scanned, '\n', bytes.len - *scanned);
		if (!hit) {
			*scanned = bytes.len;
			return 0;
		}
		size_t at = (size_t)(hit - bytes.at);
		*scanned = at + 1;
		if (at == 0 || hit[-1] != '\r') {
			*ret_why = "line feed without carriage return";
			return 1;
		}
		if (at >= 3 && hit[-2] == '\n')
			return at + 1;
	}
	return 0;
}

/* --- fields --- */

static struct str line_next(struct str *rest)
{
	const char *lf = memchr(rest->at, '\n', rest->len);
	ASSERT(lf && lf > rest->at);
	struct str line = str_n(rest->at, (size_t)(lf - rest->at) - 1);
	*rest = str_skip(*rest, line.len + 2);
	return line;
}

static int content_length_set(struct http1_head *head, struct str value, const char **ret_why)
{
	if (head->content_length >= 0) {
		*ret_why = "more than one Content-Length";
		return 400;
	}
	int64_t length = 0;
	*ret_why = "Content-Length is not a number";
	if (value.len == 0 || value.len > 18)
		return 400;
	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9')
			return 400;
		length = length * 10 + (value.at[i] - '0');
	}
	head->content_length = length;
	return 0;
}

static int transfer_encoding_set(struct http1_head *head, struct str value, const char **ret_why)
{
	*ret_why = "more than one Transfer-Encoding";
	if (head->is_chunked)
		return 400;
	*ret_why = "Transfer-Encoding other than chunked";
	if (!str_eq_nocase(value, STR("chunked")))
		return 501;
	*ret_why = "Transfer-Encoding in HTTP/1.0";
	if (head->version != 11)
		return 400;
	head->is_chunked = true;
	return 0;
}

static bool is_host(struct str value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.at[i];
		if (c <= ' ' || c >= 0x7f || strchr("/?#@\\\"<>", c))
			return false;
	}
	return true;
}

static int host_set(struct http1_head *head, struct str value, const char **ret_why)
{
	*ret_why = "more than one Host";
	if (head->host.at)
		return 400;
	*ret_why = "malformed Host header";
	if (!is_host(value))
		return 400;
	head->host = value;
	return 0;
}

static int connection_set(struct http1_head *head, struct str value, const char **ret_why)
{
	if (http_has_token(value, "close"))
		head->keeps_alive = false;
	if (http_has_token(value, "upgrade"))
		head->wants_upgrade = true;
	return 0;
}

static int expect_set(struct http1_head *head, struct str value, const char **ret_why)
{
	*ret_why = "Expect other than 100-continue";
	if (!str_eq_nocase(value, STR("100-continue")))
		return 417;
	head->expects_continue = true;
	return 0;
}

/* Fields that decide how the message is read. */
static const struct {
	struct str name;
	int (*set)(struct http1_head *head, struct str value, const char **ret_why);
	bool is_of_requests;
} framing_fields[] = {
	{STR_INIT("content-length"), content_length_set, false},
	{STR_INIT("transfer-encoding"), transfer_encoding_set, false},
	{STR_INIT("connection"), connection_set, false},
	{STR_INIT("host"), host_set, true},
	{STR_INIT("expect"), expect_set, true},
};

static int framing_look(struct http1_head *head, const struct http_header *field,
			const char **ret_why)
{
	for (size_t i = 0; i < ARRAY_LEN(framing_fields); i++)
		if (str_eq(field->name, framing_fields[i].name) &&
		    !(framing_fields[i].is_of_requests && head->status))
			return framing_fields[i].set(head, field->value, ret_why);
	return 0;
}

/* line is in the arena: its name is put into lower case where it stands. */
static int field_parse(struct str line, struct http_header *ret_field, const char **ret_why)
{
	struct str name, value;
	*ret_why = "folded header line";
	if (line.at[0] == ' ' || line.at[0] == '\t')
		return 400;
	*ret_why = "malformed header line";
	if (!str_cut(line, ':', &name, &value) || !http_is_token(name) ||
	    !http_is_field_value(value))
		return 400;
	char *at = (char *)name.at;
	for (size_t i = 0; i < name.len; i++)
		if (at[i] >= 'A' && at[i] <= 'Z')
			at[i] = (char)(at[i] + ('a' - 'A'));
	ret_field->name = name;
	ret_field->value = trim_blanks(value);
	return 0;
}

static int fields_parse(struct str lines, struct arena *a, struct http1_head *head,
			const char **ret_why)
{
	size_t cap = 0;
	for (;;) {
		struct str line = line_next(&lines);
		if (line.len == 0)
			break;
		*ret_why = "too many header fields";
		if (head->header_count == HTTP_HEADERS_MAX)
			return 431;
		if (head->header_count == cap)
			head->headers = arena_grow(a, head->headers, head->header_count, &cap,
						   sizeof(struct http_header));
		struct http_header *field = &head->headers[head->header_count++];
		int status = field_parse(line, field, ret_why);
		if (status == 0)
			status = framing_look(head, field, ret_why);
		if (status != 0)
			return status;
	}
	*ret_why = "both Content-Length and Transfer-Encoding";
	return head->is_chunked && head->content_length >= 0 ? 400 : 0;
}

/* --- first lines --- */

static bool version_parse(struct str text, int *ret_version)
{
	*ret_version = str_is(text, "HTTP/1.1") ? 11 : str_is(text, "HTTP/1.0") ? 10 : 0;
	return *ret_version != 0;
}

static bool is_target(struct str target)
{
	for (size_t i = 0; i < target.len; i++) {
		unsigned char c = (unsigned char)target.at[i];
		if (c <= ' ' || c == 0x7f)
			return false;
	}
	return target.len > 0;
}

static int request_line(struct str line, struct http1_head *head, const char **ret_why)
{
	struct str rest, version;
	*ret_why = "malformed request line";
	if (!str_cut(line, ' ', &head->method, &rest) ||
	    !str_cut(rest, ' ', &head->target, &version))
		return 400;
	if (!http_is_token(head->method) || head->method.len > METHOD_MAX ||
	    !is_target(head->target) || !str_has_prefix(version, STR("HTTP/")))
		return 400;
	*ret_why = "HTTP version other than 1.0 and 1.1";
	return version_parse(version, &head->version) ? 0 : 505;
}

static int status_line(struct str line, struct http1_head *head, const char **ret_why)
{
	struct str version, rest, code, reason;
	*ret_why = "malformed status line";
	if (!str_cut(line, ' ', &version, &rest) || !version_parse(version, &head->version))
		return 400;
	str_cut(rest, ' ', &code, &reason);
	if (code.len != 3 || !http_is_field_value(reason))
		return 400;
	for (size_t i = 0; i < 3; i++) {
		if (code.at[i] < '0' || code.at[i] > '9')
			return 400;
		head->status = head->status * 10 + (code.at[i] - '0');
	}
	return head->status >= 100 ? 0 : 400;
}

static int head_parse(struct str text, struct arena *a, struct http1_head *head,
		      int (*first)(struct str, struct http1_head *, const char **),
		      const char **ret_why)
{
	*head = (struct http1_head){.content_length = -1};
	struct str lines = arena_str(a, text);
	int status = first(line_next(&lines), head, ret_why);
	head->keeps_alive = head->version == 11;
	return status ? status : fields_parse(lines, a, head, ret_why);
}

int http1_parse_request(struct str text, struct arena *a, struct http1_head *ret_head,
			const char **ret_why)
{
	int status = head_parse(text, a, ret_head, request_line, ret_why);
	if (status != 0)
		return status;
	*ret_why = "missing required Host header";
	return ret_head->version == 11 && !ret_head->host.at ? 400 : 0;
}

int http1_parse_response(struct str text, struct arena *a, struct http1_head *ret_head,
			 const char **ret_why)
{
	return head_parse(text, a, ret_head, status_line, ret_why);
}

/* --- chunked bodies (RFC 9112 §7.1) --- */

enum chunk_stage {
	CHUNK_SIZE,	 /* hex digits */
	CHUNK_EXTENSION, /* up to CR */
	CHUNK_SIZE_LF,
	CHUNK_DATA,
	CHUNK_DATA_CR,
	CHUNK_DATA_LF,
	CHUNK_TRAILER,	    /* at the start of a line */
	CHUNK_TRAILER_LINE, /* within one */
	CHUNK_TRAILER_LF,
	CHUNK_LAST_LF,
	CHUNK_OVER,
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int size_char(struct http1_chunked *c, char ch)
{
	int digit = hex_digit(ch);
	if (digit >= 0) {
		c->left = c->left * 16 + (uint64_t)digit;
		return ++c->digits <= 15 ? CHUNK_SIZE : -1;
	}
	if (c->digits == 0)
		return -1;
	if (ch == '\r')
		return CHUNK_SIZE_LF;
	return ch == ';' || ch == ' ' || ch == '\t' ? CHUNK_EXTENSION : -1;
}

static bool is_text(char ch)
{
	return http_is_field_value(str_n(&ch, 1));
}

/* The stage after ch, or -1. */
static int chunk_char(struct http1_chunked *c, char ch)
{
	switch (c->stage) {
	case CHUNK_SIZE:
		return size_char(c, ch);
	case CHUNK_EXTENSION:
		return ch == '\r' ? CHUNK_SIZE_LF : is_text(ch) ? CHUNK_EXTENSION : -1;
	case CHUNK_SIZE_LF:
		c->line_bytes = c->digits = 0;
		return ch != '\n' ? -1 : c->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
	case CHUNK_DATA_CR:
		return ch == '\r' ? CHUNK_DATA_LF : -1;
	case CHUNK_DATA_LF:
		return ch == '\n' ? CHUNK_SIZE : -1;
	case CHUNK_TRAILER:
		return ch == '\r' ? CHUNK_LAST_LF : is_text(ch) ? CHUNK_TRAILER_LINE : -1;
	case CHUNK_TRAILER_LINE:
		return ch == '\r' ? CHUNK_TRAILER_LF : is_text(ch) ? CHUNK_TRAILER_LINE : -1;
	case CHUNK_TRAILER_LF:
		return ch == '\n' ? CHUNK_TRAILER : -1;
	case CHUNK_LAST_LF:
		return ch == '\n' ? CHUNK_OVER : -1;
	default:
		return -1;
	}
}

static bool line_is_too_long(struct http1_chunked *c)
{
	if (c->stage >= CHUNK_TRAILER)
		return ++c->line_bytes > TRAILER_MAX;
	return (c->stage == CHUNK_SIZE || c->stage == CHUNK_EXTENSION) &&
	       ++c->line_bytes > CHUNK_LINE_MAX;
}

enum http1_chunk http1_chunked_feed(struct http1_chunked *c, struct str in, size_t *ret_used,
				    struct str *ret_data)
{
	size_t at = 0;
	for (; at < in.len && c->stage != CHUNK_DATA && c->stage != CHUNK_OVER; at++) {
		int next = line_is_too_long(c) ? -1 : chunk_char(c, in.at[at]);
		if (next < 0)
			return HTTP1_CHUNK_BAD;
		c->stage = next;
	}
	*ret_used = at;
	if (c->stage == CHUNK_OVER)
		return HTTP1_CHUNK_END;
	if (c->stage != CHUNK_DATA || at == in.len)
		return HTTP1_CHUNK_MORE;
	size_t take = (size_t)MIN(c->left, (uint64_t)(in.len - at));
	*ret_data = str_n(in.at + at, take);
	*ret_used = at + take;
	c->left -= take;
	if (c->left == 0)
		c->stage = CHUNK_DATA_CR;
	return HTTP1_CHUNK_DATA;
}
