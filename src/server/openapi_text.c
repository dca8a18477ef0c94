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
	struct map by_key; /* "Type", "Type.field" or "*.field" to a struct str */
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

void openapi_describe_type(struct buf *out, const struct api_type *t)
{
	pthread_once(&all_once, read_all);
	const struct str *text = map_get(&all.by_key, t->name);
	if (text)
		openapi_string(out, "description", *text);
}

void openapi_describe_field(struct buf *out, const struct api_type *t, const struct api_field *f)
{
	pthread_once(&all_once, read_all);
	struct str text = text_of(t->name, f->name);
	if (!text.at)
		text = text_of(STR("*"), f->name);
	if (text.at)
		openapi_string(out, "description", text);
}
