/* The vocabulary of descriptions. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api/selector.h"
#include "base/timefmt.h"
#include "client/change.h"
#include "client/describe.h"

#define ANNOTATION_WIDTH 140
#define VALUE_BYTES_MAX	 (16u << 20)

void describe_line(struct describe *d, int level, const char *fmt, ...)
{
	va_list ap;
	buf_add_cstr(&d->text, d->indent);
	for (int i = 0; i < level; i++)
		buf_add_cstr(&d->text, "  ");
	va_start(ap, fmt);
	buf_vprintf(&d->text, fmt, ap);
	va_end(ap);
	buf_add_char(&d->text, '\n');
}

struct str describe_time(struct arena *a, struct str text)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	int64_t time_us;
	struct tm tm;
	if (!time_parse(text, &time_us))
		return text;
	time_t seconds = (time_t)(time_us / 1000000);
	localtime_r(&seconds, &tm);
	long zone = tm.tm_gmtoff / 60, size = labs(zone);
	return arena_printf(a, "%s, %02d %s %d %02d:%02d:%02d %c%02ld%02ld", days[tm.tm_wday],
			    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
			    tm.tm_sec, zone < 0 ? '-' : '+', size / 60, size % 60);
}

struct str describe_value(struct arena *a, const struct json *value)
{
	CLEANUP_BUF text = BUF_INIT(VALUE_BYTES_MAX);
	if (!value || value->type == JSON_NULL)
		return STR("");
	if (value->type == JSON_STRING)
		return value->string;
	json_write(&text, value);
	return arena_str(a, buf_str(&text));
}

struct str describe_or(struct str text, const char *otherwise)
{
	return text.len ? text : str_of(otherwise);
}

/* The first beside the label, the others below it. */
void describe_map(struct describe *d, int level, const char *label, const struct json *map,
		  const char *separator)
{
	size_t count;
	const struct json_member *sorted = json_sorted_members(d->arena, map, &count);
	if (count == 0)
		describe_line(d, level, "%s:\t<none>", label);
	for (size_t i = 0; i < count; i++)
		describe_line(d, i ? 0 : level, "%s%s\t%.*s%s%.*s", i ? "" : label, i ? "" : ":",
			      STR_FMT(sorted[i].key), separator,
			      STR_FMT(describe_value(d->arena, sorted[i].value)));
}

static void long_annotation(struct describe *d, int level, const char *label,
			    const struct json_member *m)
{
	struct str rest = json_str(m->value), line;
	describe_line(d, level, "%s\t%.*s:", label, STR_FMT(m->key));
	while (rest.len) {
		str_cut(rest, '\n', &line, &rest);
		if (line.len > ANNOTATION_WIDTH - 2)
			describe_line(d, level, "\t  %.*s...", ANNOTATION_WIDTH - 2, line.at);
		else
			describe_line(d, level, "\t  %.*s", STR_FMT(line));
	}
}

void describe_annotations(struct describe *d, int level, const struct json *map)
{
	size_t count, shown = 0;
	const struct json_member *sorted = json_sorted_members(d->arena, map, &count);
	for (size_t i = 0; i < count; i++) {
		const struct json_member *m = &sorted[i];
		struct str value = json_str(m->value);
		const char *label = shown ? "" : "Annotations:";
		if (str_is(m->key, LAST_APPLIED))
			continue;
		shown++;
		bool is_long = m->key.len + value.len + 2 > ANNOTATION_WIDTH ||
			       (value.len && memchr(value.at, '\n', value.len));
		if (is_long)
			long_annotation(d, level, label, m);
		else
			describe_line(d, level, "%s\t%.*s: %.*s", label, STR_FMT(m->key),
				      STR_FMT(value));
	}
	if (!shown)
		describe_line(d, level, "Annotations:\t<none>");
}

void describe_tolerations(struct describe *d, int level, const struct json *list)
{
	if (json_count(list) == 0)
		describe_line(d, level, "Tolerations:\t<none>");
	for (size_t i = 0; i < json_count(list); i++) {
		const struct json *t = json_at(list, i);
		CLEANUP_BUF text = BUF_INIT(VALUE_BYTES_MAX);
		struct str value = json_path_str(t, "value"), effect = json_path_str(t, "effect");
		const struct json *seconds = json_get(t, STR("tolerationSeconds"));
		buf_add_str(&text, json_path_str(t, "key"));
		if (value.len)
			buf_printf(&text, "=%.*s", STR_FMT(value));
		if (effect.len)
			buf_printf(&text, ":%.*s", STR_FMT(effect));
		if (str_is(json_path_str(t, "operator"), "Exists") && !value.len)
			buf_add_cstr(&text, json_path_str(t, "key").len || effect.len
						    ? " op=Exists"
						    : "op=Exists");
		if (seconds)
			buf_printf(&text, " for %llds", (long long)json_i64(seconds));
		describe_line(d, level, "%s\t%.*s",
			      i ? "" : "Tolerations:", STR_FMT(buf_str(&text)));
	}
}

static void add_expression(struct buf *out, const struct json *e)
{
	struct str op = json_path_str(e, "operator");
	const struct json *values = json_get(e, STR("values"));
	bool is_absent = str_is(op, "DoesNotExist");
	buf_printf(out, "%s%s%.*s", out->len ? "," : "", is_absent ? "!" : "",
		   STR_FMT(json_path_str(e, "key")));
	if (str_is(op, "In") || str_is(op, "NotIn"))
		buf_add_cstr(out, str_is(op, "In") ? " in (" : " notin (");
	else
		return;
	for (size_t i = 0; i < json_count(values); i++)
		buf_printf(out, "%s%.*s", i ? "," : "", STR_FMT(json_str(json_at(values, i))));
	buf_add_char(out, ')');
}

struct str describe_selector(struct arena *a, const struct json *selector)
{
	CLEANUP_BUF text = BUF_INIT(VALUE_BYTES_MAX);
	const struct json *labels = json_get(selector, STR("matchLabels"));
	const struct json *expressions = json_get(selector, STR("matchExpressions"));
	size_t count;
	const struct json_member *sorted =
		json_sorted_members(a, labels || expressions ? labels : selector, &count);
	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s%.*s=%.*s", text.len ? "," : "", STR_FMT(sorted[i].key),
			   STR_FMT(json_str(sorted[i].value)));
	for (size_t i = 0; i < json_count(expressions); i++)
		add_expression(&text, json_at(expressions, i));
	return text.len ? arena_str(a, buf_str(&text)) : STR("<none>");
}

void describe_controller(struct describe *d, const struct json *tree)
{
	const struct json *owner = json_controller(tree);
	if (owner)
		describe_line(d, 0, "Controlled By:\t%.*s/%.*s",
			      STR_FMT(json_path_str(owner, "kind")),
			      STR_FMT(json_path_str(owner, "name")));
}

void describe_quantities(struct describe *d, int level, const char *label, const struct json *map)
{
	size_t count;
	const struct json_member *sorted = json_sorted_members(d->arena, map, &count);
	if (count)
		describe_line(d, level, "%s:", label);
	for (size_t i = 0; i < count; i++)
		describe_line(d, level + 1, "%.*s:\t%.*s", STR_FMT(sorted[i].key),
			      STR_FMT(describe_value(d->arena, sorted[i].value)));
}

static void describe_row(struct describe *d, const struct json *value,
			 const struct describe_row *row)
{
	struct arena *a = d->arena;
	struct str text = describe_value(a, value);
	switch (row->form) {
	case ROW_LABELS:
		describe_map(d, 0, row->label, value, "=");
		return;
	case ROW_ANNOTATIONS:
		describe_annotations(d, 0, value);
		return;
	case ROW_SELECTOR:
		text = describe_selector(a, value);
		break;
	case ROW_TIME:
		text = describe_time(a, text);
		break;
	case ROW_NUMBER:
		text = arena_printf(a, "%lld", (long long)json_i64(value));
		break;
	case ROW_BOOL:
		text = json_is_true(value) ? STR("true") : STR("false");
		break;
	case ROW_FLAG:
		text = json_is_true(value) ? STR("True") : STR("False");
		break;
	case ROW_TEXT:
		break;
	}
	if (!text.len && row->absent)
		text = str_of(row->absent);
	describe_line(d, 0, "%s:\t%.*s", row->label, STR_FMT(text));
}

void describe_rows(struct describe *d, const struct json *tree, const struct describe_row *rows,
		   size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct json *value = json_path(tree, rows[i].path);
		if (!value && rows[i].absent && rows[i].form != ROW_LABELS)
			describe_line(d, 0, "%s:\t%s", rows[i].label, rows[i].absent);
		else if (value || !rows[i].is_optional)
			describe_row(d, value, &rows[i]);
	}
}

void describe_metadata(struct describe *d, const struct json *tree)
{
	static const struct describe_row rows[] = {
		{"Name", "metadata.name", ROW_TEXT, false, NULL},
		{"Namespace", "metadata.namespace", ROW_TEXT, true, NULL},
		DESCRIBE_LABELS,
	};
	describe_rows(d, tree, rows, ARRAY_LEN(rows));
}
