/* Descriptions of types and fields, from api/descriptions.txt, which is part of the program. */
#include <pthread.h>

#include "base/map.h"
#include "server/openapi-int.h"

#define TEXTS_MAX     4096
#define KEY_MAX_BYTES 256

extern const char openapi_descriptions[];
extern const size_t openapi_descriptions_len;

/* Made once, never freed. */
static struct {
	struct map by_key; /* "Type", "Type.field", "*.field" or "*Ending" to a struct str */
	struct str texts[TEXTS_MAX];
	size_t count;
} all;
static pthread_once_t all_once = PTHREAD_ONCE_INIT;

static void read_line(struct str line)
{
	struct str key, text;
	if (!line.len || line.at[0] == '#')
		return;
	bool has_text = str_cut(line, ':', &key, &text);
	ASSERT(has_text && all.count < TEXTS_MAX);
	all.texts[all.count] = str_trim(text);
	map_set(&all.by_key, key, &all.texts[all.count++]);
}

static void read_all(void)
{
	struct str rest = str_n(openapi_descriptions, openapi_descriptions_len);
	while (rest.at) {
		struct str line;
		str_cut(rest, '\n', &line, &rest);
		read_line(line);
	}
}

static struct str text_of(struct str type, struct str field)
{
	char key[KEY_MAX_BYTES];
	size_t len = type.len + field.len + 1;
	if (len > sizeof(key))
		return (struct str){};
	memcpy(key, type.at, type.len);
	key[type.len] = '.';
	memcpy(key + type.len + 1, field.at, field.len);
	const struct str *text = map_get(&all.by_key, str_n(key, len));
	return text ? *text : (struct str){};
}

/* Of "*Ending: … % …", the longest ending first; *ret_stem is what stands before it. */
static const struct str *text_of_ending(struct str type, struct str *ret_stem)
{
	char key[KEY_MAX_BYTES] = "*";
	for (size_t at = 1; at < type.len && type.len < sizeof(key); at++) {
		memcpy(key + 1, type.at + at, type.len - at);
		const struct str *text = map_get(&all.by_key, str_n(key, 1 + type.len - at));
		*ret_stem = str_n(type.at, at);
		if (text)
			return text;
	}
	return NULL;
}

void openapi_describe_type(struct buf *out, const struct api_type *t)
{
	pthread_once(&all_once, read_all);
	struct str stem, before, after;
	const struct str *text = map_get(&all.by_key, t->name);
	if (text) {
		openapi_string(out, "description", *text);
	} else if ((text = text_of_ending(t->name, &stem))) {
		CLEANUP_BUF whole = BUF_INIT(4 * KEY_MAX_BYTES);
		bool has_stem = str_cut(*text, '%', &before, &after);
		buf_add_str(&whole, before);
		if (has_stem)
			buf_add_str(&whole, stem);
		buf_add_str(&whole, after);
		openapi_string(out, "description", buf_str(&whole));
	}
}

void openapi_describe_field(struct buf *out, struct str type, struct str field)
{
	pthread_once(&all_once, read_all);
	struct str text = text_of(type, field);
	if (!text.at)
		text = text_of(STR("*"), field);
	if (text.at)
		openapi_string(out, "description", text);
}
