#include <math.h>
#include <string.h>

#include <yaml.h>

#include "base/encode.h"
#include "codec/json-int.h"
#include "codec/yaml-int.h"
#include "codec/yaml.h"

#define MAX_WRITE_DEPTH (JSON_MAX_DEPTH + 64)
#define BINARY_TAG	"tag:yaml.org,2002:binary"

/* Events are refused for invalid UTF-8 and exhausted memory only; the first never gets here. */
static void emit(yaml_emitter_t *e, int is_made, yaml_event_t *event)
{
	ASSERT(is_made);
	/* Fails after the buffer is full, which the caller finds out from the buffer. */
	(void)yaml_emitter_emit(e, event);
}

static int write_bytes(void *out, unsigned char *bytes, size_t len)
{
	buf_add(out, bytes, len);
	return !((struct buf *)out)->is_full;
}

static void write_scalar(yaml_emitter_t *e, struct str text, yaml_scalar_style_t style)
{
	yaml_event_t event;
	int is_made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text.at,
						   (int)text.len, 1, 1, style);
	emit(e, is_made, &event);
}

static void write_binary(yaml_emitter_t *e, struct str bytes)
{
	yaml_event_t event;
	CLEANUP_BUF text = BUF_INIT(2 * JSON_MAX_BYTES);
	base64_add(&text, bytes);
	int is_made = yaml_scalar_event_initialize(&event, NULL, (const yaml_char_t *)BINARY_TAG,
						   (const yaml_char_t *)text.data, (int)text.len, 0,
						   0, YAML_PLAIN_SCALAR_STYLE);
	emit(e, is_made, &event);
}

static void write_text(yaml_emitter_t *e, struct str text)
{
	if (text.len && !utf8_is_valid(text))
		write_binary(e, text);
	else if (text.len && memchr(text.at, '\n', text.len))
		write_scalar(e, text, YAML_LITERAL_SCALAR_STYLE);
	else if (yaml_is_ambiguous(text))
		write_scalar(e, text.at ? text : STR(""), YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	else
		write_scalar(e, text, YAML_PLAIN_SCALAR_STYLE);
}

static void write_key(yaml_emitter_t *e, struct str key)
{
	/* Plain it would be read as a merge key. */
	if (str_is(key, "<<"))
		write_scalar(e, key, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	else
		write_text(e, key);
}

static void write_number(yaml_emitter_t *e, const struct json *value)
{
	CLEANUP_BUF text = BUF_INIT(64);
	if (value->type == JSON_INT)
		buf_add_i64(&text, value->integer);
	else if (isnan(value->number))
		buf_add_cstr(&text, ".nan");
	else if (isinf(value->number))
		buf_add_cstr(&text, value->number > 0 ? ".inf" : "-.inf");
	else if (trunc(value->number) == value->number && fabs(value->number) < 0x1p64)
		double_write(&text, value->number, -6, 21, 1);
	else
		double_write(&text, value->number, -4, 6, 2);
	write_scalar(e, buf_str(&text), YAML_PLAIN_SCALAR_STYLE);
}

static void write_node(yaml_emitter_t *e, const struct json *value, int depth);

static void write_array(yaml_emitter_t *e, const struct json *array, int depth)
{
	yaml_event_t event;
	int is_made = yaml_sequence_start_event_initialize(&event, NULL, NULL, 1,
							   YAML_BLOCK_SEQUENCE_STYLE);
	emit(e, is_made, &event);
	for (size_t i = 0; i < array->array.count; i++)
		write_node(e, array->array.items[i], depth + 1);
	is_made = yaml_sequence_end_event_initialize(&event);
	emit(e, is_made, &event);
}

static void write_object(yaml_emitter_t *e, const struct json *object, int depth)
{
	yaml_event_t event;
	int is_made = yaml_mapping_start_event_initialize(&event, NULL, NULL, 1,
							  YAML_BLOCK_MAPPING_STYLE);
	emit(e, is_made, &event);
	for (size_t i = 0; i < object->object.count; i++) {
		write_key(e, object->object.members[i].key);
		write_node(e, object->object.members[i].value, depth + 1);
	}
	is_made = yaml_mapping_end_event_initialize(&event);
	emit(e, is_made, &event);
}

static void write_node(yaml_emitter_t *e, const struct json *value, int depth)
{
	ASSERT(depth <= MAX_WRITE_DEPTH);
	switch (value->type) {
	case JSON_NULL:
		write_scalar(e, STR("null"), YAML_PLAIN_SCALAR_STYLE);
		break;
	case JSON_BOOL:
		write_scalar(e, value->boolean ? STR("true") : STR("false"),
			     YAML_PLAIN_SCALAR_STYLE);
		break;
	case JSON_INT:
	case JSON_DOUBLE:
		write_number(e, value);
		break;
	case JSON_STRING:
		write_text(e, value->string);
		break;
	case JSON_ARRAY:
		write_array(e, value, depth);
		break;
	case JSON_OBJECT:
		write_object(e, value, depth);
		break;
	}
}

void yaml_write(struct buf *out, const struct json *tree)
{
	yaml_emitter_t e;
	yaml_event_t event;
	ASSERT(yaml_emitter_initialize(&e));
	yaml_emitter_set_output(&e, write_bytes, out);
	yaml_emitter_set_unicode(&e, 1);
	int is_made = yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
	emit(&e, is_made, &event);
	is_made = yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
	emit(&e, is_made, &event);
	write_node(&e, tree, 0);
	/* Upstream ends no document with '...', not even behind a block that keeps its blank lines.
	 */
	is_made = yaml_document_end_event_initialize(&event, 1);
	emit(&e, is_made, &event);
	e.open_ended = 0;
	is_made = yaml_stream_end_event_initialize(&event);
	emit(&e, is_made, &event);
	yaml_emitter_delete(&e);
}
