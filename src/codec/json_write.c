#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json-int.h"

/* Parsers and patches keep trees within JSON_MAX_DEPTH; code may wrap one into a few levels more.
 */
#define MAX_WRITE_DEPTH (JSON_MAX_DEPTH + 64)

struct writer {
	struct buf *out;
	int indent_columns; /* 0: compact */
	int depth;
};

static void write_value(struct writer *w, const struct json *value);

/* Writes what stands at at, which is not plain, and returns what follows. */
static const char *write_escape(struct buf *out, const char *at, const char *end)
{
	static const char letters[] = "btn?fr"; /* 0x08 … 0x0d; 0x0b has none */
	unsigned char c = (unsigned char)*at;
	if (c >= 0x80) {
		size_t len = utf8_length(at, end);
		if (len == 0)
			buf_add(out, "\\ufffd", 6);
		else if (len == 3 && c == 0xe2 && at[1] == '\x80' && (at[2] & ~1) == '\xa8')
			buf_printf(out, "\\u202%d", at[2] & 1 ? 9 : 8);
		else
			buf_add(out, at, len);
		return at + MAX(len, (size_t)1);
	}
	if (c == '"' || c == '\\')
		buf_add(out, (char[]){'\\', *at}, 2);
	else if (c >= '\b' && c <= '\r' && c != '\v')
		buf_add(out, (char[]){'\\', letters[c - '\b']}, 2);
	else
		buf_printf(out, "\\u%04x", c);
	return at + 1;
}

static void write_plain(struct buf *out, struct str s)
{
	char *room = buf_reserve(out, s.len + 2);
	if (!room)
		return;
	room[0] = '"';
	memcpy(room + 1, s.at, s.len);
	room[s.len + 1] = '"';
	buf_grew(out, s.len + 2);
}

void json_write_string(struct buf *out, struct str s)
{
	const char *at = s.at ? s.at : "", *end = at + s.len;
	const char *special = text_scan_plain(at, end, true);
	if (special == end) {
		write_plain(out, str_n(at, s.len));
		return;
	}
	buf_add_char(out, '"');
	while (at < end) {
		buf_add(out, at, (size_t)(special - at));
		at = special < end ? write_escape(out, special, end) : end;
		special = text_scan_plain(at, end, true);
	}
	buf_add_char(out, '"');
}

/* The fewest digits that give the same double again, as "d.ddde±XX". */
static void shortest_digits(double value, char out[40])
{
	int precision = fabs(value) < 2.3e-308 ? 0 : 14;
	do
		snprintf(out, 40, "%.*e", precision, value);
	while (strtod(out, NULL) != value && precision++ < 17);
}

static int significant_digits(const char *text, char digits[24])
{
	int count = 0;
	for (const char *c = text; *c != 'e'; c++)
		if (*c != '.')
			digits[count++] = *c;
	while (count > 1 && digits[count - 1] == '0')
		count--;
	return count;
}

void double_write(struct buf *out, double value, int low, int high, int exponent_digits)
{
	char text[40], digits[24];
	ASSERT(isfinite(value));
	shortest_digits(fabs(value), text);
	int count = significant_digits(text, digits), exponent = atoi(strchr(text, 'e') + 1);
	if (signbit(value))
		buf_add_char(out, '-');
	if (value != 0 && (exponent < low || exponent >= high)) {
		buf_printf(out, "%c%s%.*se%c%0*d", digits[0], count > 1 ? "." : "", count - 1,
			   digits + 1, exponent < 0 ? '-' : '+', exponent_digits, abs(exponent));
		return;
	}
	for (int i = MIN(exponent, 0); i < MAX(count, exponent + 1); i++) {
		if (i == exponent + 1)
			buf_add_char(out, '.');
		buf_add_char(out, i >= 0 && i < count ? digits[i] : '0');
	}
}

static void write_double(struct buf *out, double value)
{
	if (isnan(value))
		buf_add_cstr(out, "null");
	else if (isinf(value))
		buf_add_cstr(out, value > 0 ? "1e999" : "-1e999");
	else
		double_write(out, value, -6, 21, 1);
}

static void new_line(struct writer *w)
{
	if (w->indent_columns == 0)
		return;
	size_t columns = (size_t)(w->depth * w->indent_columns);
	char *room = buf_reserve(w->out, columns + 1);
	if (!room)
		return;
	room[0] = '\n';
	memset(room + 1, ' ', columns);
	buf_grew(w->out, columns + 1);
}

static void write_array(struct writer *w, const struct json *array)
{
	buf_add_char(w->out, '[');
	w->depth++;
	for (size_t i = 0; i < array->array.count; i++) {
		if (i)
			buf_add_char(w->out, ',');
		new_line(w);
		write_value(w, array->array.items[i]);
	}
	w->depth--;
	if (array->array.count)
		new_line(w);
	buf_add_char(w->out, ']');
}

static void write_object(struct writer *w, const struct json *object)
{
	buf_add_char(w->out, '{');
	w->depth++;
	for (size_t i = 0; i < object->object.count; i++) {
		if (i)
			buf_add_char(w->out, ',');
		new_line(w);
		json_write_string(w->out, object->object.members[i].key);
		buf_add(w->out, ": ", w->indent_columns ? 2 : 1);
		write_value(w, object->object.members[i].value);
	}
	w->depth--;
	if (object->object.count)
		new_line(w);
	buf_add_char(w->out, '}');
}

static void write_value(struct writer *w, const struct json *value)
{
	ASSERT(w->depth <= MAX_WRITE_DEPTH);
	switch (value->type) {
	case JSON_NULL:
		buf_add(w->out, "null", 4);
		break;
	case JSON_BOOL:
		buf_add_cstr(w->out, value->boolean ? "true" : "false");
		break;
	case JSON_INT:
		buf_add_i64(w->out, value->integer);
		break;
	case JSON_DOUBLE:
		write_double(w->out, value->number);
		break;
	case JSON_STRING:
		json_write_string(w->out, value->string);
		break;
	case JSON_ARRAY:
		write_array(w, value);
		break;
	case JSON_OBJECT:
		write_object(w, value);
		break;
	}
}

void json_write(struct buf *out, const struct json *tree)
{
	write_value(&(struct writer){.out = out}, tree);
}

void json_write_indent(struct buf *out, const struct json *tree, int indent_columns)
{
	write_value(&(struct writer){.out = out, .indent_columns = indent_columns}, tree);
}
