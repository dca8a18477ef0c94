#include <inttypes.h>

#include "api/api_ids.h"
#include "api/gotext.h"
#include "api/protobuf.h"
#include "base/encode.h"
#include "codec/protobuf.h"

static void put_struct(struct buf *out, const struct api_type *type, const struct json *v);

static const struct api_type *type_of(const struct api_field *f)
{
	return api_type(api_builtin(), f->type);
}

/* ---- One value as a field ---- */

static void put_bytes(struct buf *out, uint32_t tag, const struct json *v)
{
	CLEANUP_ARENA a = {};
	struct str bytes = STR("");
	if (v && gotext_base64(&a, json_str(v), &bytes, NULL) != RC_OK)
		bytes = STR("");
	protobuf_put_bytes(out, tag, bytes);
}

/* Timestamp {seconds = 1, nanos = 2}; the zero time is an empty message. */
static void put_time(struct buf *out, uint32_t tag, const struct json *v, bool is_micro)
{
	int64_t time_us;
	bool is_zero = true;
	size_t mark = protobuf_open(out, tag);
	if (v && gotext_time(json_str(v), is_micro, &time_us, &is_zero, NULL) == RC_OK &&
	    !is_zero) {
		int64_t micros = (time_us % 1000000 + 1000000) % 1000000;
		protobuf_put_int(out, 1, (time_us - micros) / 1000000);
		protobuf_put_int(out, 2, micros * 1000);
	}
	protobuf_close(out, mark);
}

/* metav1.Duration {duration = 1}, in nanoseconds, of text such as "1h2m3.5s". */
static int64_t duration_ns(struct str text)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};
	double total = 0;
	bool is_negative = text.len && text.at[0] == '-';
	text = str_skip(text, is_negative);
	while (text.len) {
		char number[32];
		size_t digits = 0, letters = 0;
		while (digits < text.len && digits < sizeof(number) - 1 &&
		       (text.at[digits] == '.' ||
			(text.at[digits] >= '0' && text.at[digits] <= '9')))
			digits++;
		memcpy(number, text.at, digits);
		number[digits] = 0;
		text = str_skip(text, digits);
		while (letters < text.len && text.at[letters] >= 'a' && text.at[letters] <= 'z')
			letters++;
		if (!digits || !letters)
			break;
		for (size_t i = 0; i < ARRAY_LEN(units); i++)
			if (str_is(str_n(text.at, letters), units[i].unit))
				total += atof(number) * units[i].ns;
		text = str_skip(text, letters);
	}
	return (int64_t)(is_negative ? -total : total);
}

static void put_int_or_string(struct buf *out, uint32_t tag, const struct json *v)
{
	bool is_string = v && v->type == JSON_STRING;
	size_t mark = protobuf_open(out, tag);
	protobuf_put_int(out, 1, is_string);
	protobuf_put_int(out, 2, is_string ? 0 : json_i64(v));
	protobuf_put_bytes(out, 3, is_string ? v->string : STR(""));
	protobuf_close(out, mark);
}

/* RawExtension, JSON and FieldsV1: {raw = 1}. */
static void put_raw(struct buf *out, uint32_t tag, const struct json *v)
{
	size_t mark = protobuf_open(out, tag);
	if (v && v->type != JSON_NULL) {
		CLEANUP_BUF text = BUF_INIT(out->max_bytes);
		json_write(&text, v);
		protobuf_put_bytes(out, 1, buf_str(&text));
	}
	protobuf_close(out, mark);
}

static void put_schema(struct buf *out, uint32_t tag, const struct json *v)
{
	size_t mark = protobuf_open(out, tag);
	put_struct(out, api_type(api_builtin(), TYPE_APIEXTENSIONS_V1_JSON_SCHEMA_PROPS), v);
	protobuf_close(out, mark);
}

static void put_schema_or(struct buf *out, uint32_t tag, enum field_form form, const struct json *v)
{
	size_t mark = protobuf_open(out, tag);
	if (form == FORM_SCHEMA_OR_BOOL) {
		protobuf_put_bool(out, 1, v->type == JSON_OBJECT || json_is_true(v));
		if (v->type == JSON_OBJECT)
			put_schema(out, 2, v);
	} else if (v->type == JSON_OBJECT) {
		put_schema(out, 1, v);
	}
	for (size_t i = 0;
	     form == FORM_SCHEMA_OR_ARRAY && v->type == JSON_ARRAY && i < json_count(v); i++)
		put_schema(out, 2, json_at(v, i));
	for (size_t i = 0;
	     form == FORM_SCHEMA_OR_STRINGS && v->type == JSON_ARRAY && i < json_count(v); i++)
		protobuf_put_bytes(out, 2, json_str(json_at(v, i)));
	protobuf_close(out, mark);
}

static void put_text_message(struct buf *out, uint32_t tag, struct str text)
{
	size_t mark = protobuf_open(out, tag);
	protobuf_put_bytes(out, 1, text);
	protobuf_close(out, mark);
}

static void put_duration(struct buf *out, uint32_t tag, struct str text)
{
	size_t mark = protobuf_open(out, tag);
	protobuf_put_int(out, 1, duration_ns(text));
	protobuf_close(out, mark);
}

/* v may be NULL or a null: then it is the zero value. */
static void put_value(struct buf *out, const struct api_field *f, uint32_t tag,
		      const struct json *v)
{
	size_t mark;
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
		protobuf_put_bool(out, tag, json_is_true(v));
		return;
	case FORM_INT32:
	case FORM_INT64:
		protobuf_put_int(out, tag, json_i64(v));
		return;
	case FORM_DOUBLE:
		protobuf_put_double(out, tag, json_f64(v));
		return;
	case FORM_STRING:
		protobuf_put_bytes(out, tag, json_str(v));
		return;
	case FORM_BYTES:
		put_bytes(out, tag, v);
		return;
	case FORM_TIME:
	case FORM_MICRO_TIME:
		put_time(out, tag, v, f->form == FORM_MICRO_TIME);
		return;
	case FORM_DURATION:
		put_duration(out, tag, json_str(v));
		return;
	case FORM_QUANTITY:
		put_text_message(out, tag, json_str(v).len ? json_str(v) : STR("0"));
		return;
	case FORM_INT_OR_STRING:
		put_int_or_string(out, tag, v);
		return;
	case FORM_RAW:
		put_raw(out, tag, v);
		return;
	case FORM_SCHEMA_OR_BOOL:
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		put_schema_or(out, tag, f->form, v);
		return;
	case FORM_STRUCT:
		mark = protobuf_open(out, tag);
		put_struct(out, type_of(f), v);
		protobuf_close(out, mark);
		return;
	}
}

/* ---- Lists and maps ---- */

static void put_list(struct buf *out, const struct api_field *f, uint32_t tag, const struct json *v)
{
	for (size_t i = 0; i < json_count(v); i++)
		put_value(out, f, tag, json_at(v, i));
}

static void put_wrapped_list(struct buf *out, const struct api_field *f, uint32_t tag,
			     const struct json *v)
{
	size_t mark = protobuf_open(out, tag);
	put_list(out, f, 1, v);
	protobuf_close(out, mark);
}

static void put_map(struct buf *out, const struct api_field *f, const struct json *v)
{
	for (size_t i = 0; i < json_count(v); i++) {
		const struct json_member *m = &v->object.members[i];
		size_t mark = protobuf_open(out, f->tag);
		protobuf_put_bytes(out, 1, m->key);
		if (f->shape == SHAPE_MAP_OF_LISTS)
			put_wrapped_list(out, f, 2, m->value);
		else if (f->form != FORM_BYTES || m->value->type != JSON_NULL)
			put_value(out, f, 2, m->value);
		protobuf_close(out, mark);
	}
}

/* ---- Structs ---- */

static void put_field(struct buf *out, const struct api_field *f, const struct json *v)
{
	bool is_absent = !v || v->type == JSON_NULL;
	if (f->shape == SHAPE_LIST && f->flags & FIELD_WRAPPED) {
		if (!is_absent)
			put_wrapped_list(out, f, f->tag, v);
	} else if (f->shape == SHAPE_LIST) {
		put_list(out, f, f->tag, v);
	} else if (f->shape != SHAPE_ONE) {
		if (!is_absent && v->type == JSON_OBJECT)
			put_map(out, f, v);
	} else if (!is_absent || !(f->flags & FIELD_POINTER || f->form == FORM_BYTES)) {
		put_value(out, f, f->tag, v);
	}
}

static void put_struct(struct buf *out, const struct api_type *type, const struct json *v)
{
	const struct json *slots[API_FIELDS_MAX] = {};
	uint32_t hint = 0;
	for (size_t i = 0; v && v->type == JSON_OBJECT && i < v->object.count; i++) {
		const struct api_field *f = api_field_near(type, v->object.members[i].key, &hint);
		if (f)
			slots[f - type->fields] = v->object.members[i].value;
	}
	for (uint32_t i = 0; i < type->tag_count; i++) {
		const struct api_field *f = &type->fields[type->by_tag[i]];
		if (f->flags & FIELD_INLINE) {
			size_t mark = protobuf_open(out, f->tag);
			put_struct(out, type_of(f), v);
			protobuf_close(out, mark);
		} else {
			put_field(out, f, slots[type->by_tag[i]]);
		}
	}
}

/* ---- Documents ---- */

void api_protobuf_encode(struct buf *out, const struct api_type *type, const struct json *tree)
{
	put_struct(out, type, tree);
}

static size_t open_document(struct buf *out, struct str api_version, struct str kind)
{
	buf_add(out, "k8s", 4);
	size_t mark = protobuf_open(out, 1);
	protobuf_put_bytes(out, 1, api_version);
	protobuf_put_bytes(out, 2, kind);
	protobuf_close(out, mark);
	return protobuf_open(out, 2);
}

static void close_document(struct buf *out, size_t mark)
{
	protobuf_close(out, mark);
	protobuf_put_bytes(out, 3, STR(""));
	protobuf_put_bytes(out, 4, STR(""));
}

void api_protobuf_write(struct buf *out, const struct api_type *type, const struct json *tree)
{
	size_t mark = open_document(out, json_str(json_get(tree, STR("apiVersion"))),
				    json_str(json_get(tree, STR("kind"))));
	put_struct(out, type, tree);
	close_document(out, mark);
}

void api_protobuf_wrap(struct buf *out, struct str api_version, struct str kind, struct str message)
{
	size_t mark = open_document(out, api_version, kind);
	buf_add_str(out, message);
	close_document(out, mark);
}

void api_protobuf_watch_frame(struct buf *out, struct str event_type, struct str document)
{
	size_t start = out->len;
	buf_add(out, "\0\0\0\0", 4);
	protobuf_put_bytes(out, 1, event_type);
	put_text_message(out, 2, document);
	if (out->is_full)
		return;
	size_t len = out->len - start - 4;
	for (int i = 0; i < 4; i++)
		out->data[start + (size_t)i] = (char)(len >> (24 - 8 * i));
}
