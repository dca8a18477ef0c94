/* Any other kind: its fields as they are, with names as words. */
#include <ctype.h>
#include <stdio.h>

#include "client/describe.h"

#define LABEL_BYTES_MAX 512

/* "podCIDR" is "Pod CIDR", "apiVersion" is "API Version". */
static struct str label_of(struct arena *a, struct str key)
{
	static const char *const acronyms[] = {"API", "CIDR", "DNS", "HTTP", "ID",
					       "IP",  "TLS",  "UID", "URL"};
	CLEANUP_BUF out = BUF_INIT(LABEL_BYTES_MAX);
	for (size_t i = 0; i < key.len;) {
		size_t from = i++;
		while (i < key.len &&
		       (!isupper((unsigned char)key.at[i]) ||
			(isupper((unsigned char)key.at[i - 1]) &&
			 (i + 1 == key.len || isupper((unsigned char)key.at[i + 1])))))
			i++;
		struct str word = str_n(key.at + from, i - from);
		if (out.len)
			buf_add_char(&out, ' ');
		size_t k = 0;
		while (k < ARRAY_LEN(acronyms) && !str_eq_nocase(word, str_of(acronyms[k])))
			k++;
		if (k < ARRAY_LEN(acronyms)) {
			buf_add_cstr(&out, acronyms[k]);
			continue;
		}
		buf_add_char(&out, (char)toupper((unsigned char)word.at[0]));
		buf_add_str(&out, str_skip(word, 1));
	}
	return out.is_full ? key : arena_str(a, buf_str(&out));
}

static void describe_tree(struct describe *d, int level, struct str label,
			  const struct json *value);

static void describe_members(struct describe *d, int level, const struct json *object)
{
	size_t count;
	const struct json_member *sorted = json_sorted_members(d->arena, object, &count);
	for (size_t i = 0; i < count; i++)
		describe_tree(d, level, label_of(d->arena, sorted[i].key), sorted[i].value);
}

/* As deep as the parser let the tree become. */
static void describe_tree(struct describe *d, int level, struct str label, const struct json *value)
{
	if (value->type == JSON_OBJECT) {
		describe_line(d, level, "%.*s:", STR_FMT(label));
		describe_members(d, level + 1, value);
	} else if (value->type == JSON_ARRAY) {
		describe_line(d, level, "%.*s:", STR_FMT(label));
		for (size_t i = 0; i < json_count(value); i++) {
			const struct json *item = json_at(value, i);
			if (item->type == JSON_OBJECT)
				describe_members(d, level + 1, item);
			else
				describe_line(d, level + 1, "%.*s",
					      STR_FMT(describe_value(d->arena, item)));
		}
	} else if (value->type == JSON_NULL) {
		describe_line(d, level, "%.*s:\t<nil>", STR_FMT(label));
	} else {
		describe_line(d, level, "%.*s:\t%.*s", STR_FMT(label),
			      STR_FMT(describe_value(d->arena, value)));
	}
}

enum rc describe_generic(struct describe *d, const struct resource *r, struct err *err)
{
	static const char *const shown[] = {"name", "namespace", "labels", "annotations",
					    "managedFields"};
	struct json *rest = json_clone(d->arena, r->tree);
	struct json *metadata = json_get(rest, STR("metadata"));
	describe_line(d, 0, "Name:\t%.*s", STR_FMT(r->name));
	describe_line(d, 0, "Namespace:\t%.*s", STR_FMT(r->namespace));
	describe_map(d, 0, "Labels", json_path(r->tree, "metadata.labels"), "=");
	describe_annotations(d, 0, json_path(r->tree, "metadata.annotations"));
	for (size_t i = 0; metadata && i < ARRAY_LEN(shown); i++)
		json_remove(metadata, str_of(shown[i]));
	describe_members(d, 0, rest);
	return describe_events(d, r, err);
}
