#include <inttypes.h>

#include "api/api_ids.h"
#include "api/decode.h"
#include "api/protobuf.h"
#include "base/encode.h"
#include "base/timefmt.h"
#include "codec/protobuf.h"

/* A message becomes the tree that its JSON would have been parsed to; api_normalise() does the
 * rest: order, empty values, canonical quantities. */

struct reading {
	struct arena *a;
	unsigned depth;
	struct err *err;
};

static enum rc read_struct(struct reading *r, const struct api_type *type, struct str bytes,
			   struct json *object);

static const struct api_type *type_of(const struct api_field *f)
{
	return api_type(api_builtin(), f->type);
}

static enum rc bad(struct reading *r, const struct api_field *f, const char *what)
{
	return err_set(r->err, RC_BAD_REQUEST, "proto: field %.*s: %s", STR_FMT(f->name), what);
}

/* ---- One value ---- */

static enum rc read_text(struct reading *r, const struct api_field *f, struct str bytes,
			 struct json **ret_out)
{
	if (!utf8_is_valid(bytes))
		return bad(r, f, "string field contains invalid UTF-8");
	*ret_out = json_string(r->a, bytes);
	return RC_OK;
}

static struct json *read_bytes(struct reading *r, struct str bytes)
{
	CLEANUP_BUF text = BUF_INIT(SIZE_MAX);
	base64_add(&text, bytes);
	return json_string(r->a, arena_str(r->a, buf_str(&text)));
}

#define YEAR_1_SECONDS	   INT64_C(-62135596800)
#define YEAR_10000_SECONDS INT64_C(253402300800)

static enum rc read_time(struct reading *r, const struct api_field *f, struct str bytes,
			 struct json **ret_out)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	int64_t seconds = YEAR_1_SECONDS, nanos = 0;
	char text[TIME_TEXT_MAX];
	while (protobuf_next(&in, &field)) {
		if (field.number == 1 && protobuf_expect(&in, &field, PROTOBUF_VARINT))
			seconds = (int64_t)field.value;
		else if (field.number == 2 && protobuf_expect(&in, &field, PROTOBUF_VARINT))
			nanos = (int32_t)field.value;
	}
	TRY(protobuf_check(&in, "Timestamp", r->err));
	if (seconds < YEAR_1_SECONDS || seconds >= YEAR_10000_SECONDS || nanos < 0 ||
	    nanos >= 1000000000)
		return bad(r, f, "time is out of range");
	if (seconds == YEAR_1_SECONDS) {
		*ret_out = json_null(r->a);
		return RC_OK;
	}
	int64_t time_us = seconds * 1000000 + nanos / 1000;
	size_t len = f->form == FORM_MICRO_TIME ? time_format_micro(time_us, text)
						: time_format(time_us, text);
	*ret_out = json_string(r->a, arena_str(r->a, str_n(text, len)));
	return RC_OK;
}

static enum rc read_duration(struct reading *r, struct str bytes, struct json **ret_out)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	int64_t ns = 0;
	while (protobuf_next(&in, &field))
		if (field.number == 1 && protobuf_expect(&in, &field, PROTOBUF_VARINT))
			ns = (int64_t)field.value;
	TRY(protobuf_check(&in, "Duration", r->err));
	*ret_out = json_string(r->a, arena_printf(r->a, "%.9gs", (double)ns / 1e9));
	return RC_OK;
}

/* Messages whose field 1 is all there is: Quantity, RawExtension, JSON, FieldsV1. */
static enum rc read_first(struct reading *r, const struct api_field *f, struct str bytes,
			  struct str *ret_first)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	struct str first = {};
	while (protobuf_next(&in, &field))
		if (field.number == 1 && protobuf_expect(&in, &field, PROTOBUF_BYTES))
			first = field.bytes;
	TRY(protobuf_check(&in, f->go_type.at, r->err));
	*ret_first = first;
	return RC_OK;
}

static enum rc read_quantity(struct reading *r, const struct api_field *f, struct str bytes,
			     struct json **ret_out)
{
	struct str text;
	TRY(read_first(r, f, bytes, &text));
	return read_text(r, f, text.at ? text : STR("0"), ret_out);
}

static enum rc read_raw(struct reading *r, const struct api_field *f, struct str bytes,
			struct json **ret_out)
{
	struct str text;
	TRY(read_first(r, f, bytes, &text));
	if (text.len)
		return json_parse(r->a, text, ret_out, NULL, r->err);
	*ret_out = json_null(r->a);
	return RC_OK;
}

static enum rc read_int_or_string(struct reading *r, const struct api_field *f, struct str bytes,
				  struct json **ret_out)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	int64_t is_string = 0, number = 0;
	struct str text = STR("");
	while (protobuf_next(&in, &field)) {
		if (field.number == 1 && protobuf_expect(&in, &field, PROTOBUF_VARINT))
			is_string = (int64_t)field.value;
		else if (field.number == 2 && protobuf_expect(&in, &field, PROTOBUF_VARINT))
			number = (int32_t)field.value;
		else if (field.number == 3 && protobuf_expect(&in, &field, PROTOBUF_BYTES))
			text = field.bytes;
	}
	TRY(protobuf_check(&in, "IntOrString", r->err));
	if (is_string != 0 && is_string != 1)
		return bad(r, f, "impossible IntOrString.Type");
	if (is_string)
		return read_text(r, f, text, ret_out);
	*ret_out = json_int(r->a, number);
	return RC_OK;
}

static enum rc read_nested(struct reading *r, const struct api_type *type, struct str bytes,
			   struct json **ret_out)
{
	struct json *object = json_object(r->a);
	if (r->depth >= JSON_MAX_DEPTH)
		return err_set(r->err, RC_BAD_REQUEST, "exceeded max depth");
	r->depth++;
	TRY(read_struct(r, type, bytes, object));
	r->depth--;
	*ret_out = object;
	return RC_OK;
}

static enum rc read_schema(struct reading *r, struct str bytes, struct json **ret_out)
{
	return read_nested(r, api_type(api_builtin(), TYPE_APIEXTENSIONS_V1_JSON_SCHEMA_PROPS),
			   bytes, ret_out);
}

static enum rc read_schema_or_bool(struct reading *r, struct str bytes, struct json **ret_out)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	struct json *schema = NULL;
	bool is_allowed = false;
	while (protobuf_next(&in, &field)) {
		if (field.number == 1 && protobuf_expect(&in, &field, PROTOBUF_VARINT))
			is_allowed = field.value;
		else if (field.number == 2 && protobuf_expect(&in, &field, PROTOBUF_BYTES))
			TRY(read_schema(r, field.bytes, &schema));
	}
	TRY(protobuf_check(&in, "JSONSchemaPropsOrBool", r->err));
	*ret_out = schema ? schema : json_bool(r->a, is_allowed);
	return RC_OK;
}

/* {schema = 1, list = 2} of schemas or of strings. */
static enum rc read_schema_or_list(struct reading *r, const struct api_field *f, struct str bytes,
				   struct json **ret_out)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	struct json *schema = NULL, *list = json_array(r->a), *item;
	while (protobuf_next(&in, &field)) {
		if (!protobuf_expect(&in, &field, PROTOBUF_BYTES) || field.number > 2)
			continue;
		if (field.number == 2 && f->form == FORM_SCHEMA_OR_STRINGS)
			TRY(read_text(r, f, field.bytes, &item));
		else
			TRY(read_schema(r, field.bytes, &item));
		if (field.number == 1)
			schema = item;
		else
			json_append(r->a, list, item);
	}
	TRY(protobuf_check(&in, "JSONSchemaPropsOrArray", r->err));
	*ret_out = list->array.count ? list : schema ? schema : json_null(r->a);
	return RC_OK;
}

static enum protobuf_wire wire_of(const struct api_field *f)
{
	if (f->form == FORM_BOOL || f->form == FORM_INT32 || f->form == FORM_INT64)
		return PROTOBUF_VARINT;
	return f->form == FORM_DOUBLE ? PROTOBUF_FIXED64 : PROTOBUF_BYTES;
}

static struct json *read_number(struct reading *r, const struct api_field *f, uint64_t value)
{
	if (f->form == FORM_BOOL)
		return json_bool(r->a, value != 0);
	return json_int(r->a, f->form == FORM_INT32 ? (int32_t)value : (int64_t)value);
}

static enum rc read_value(struct reading *r, const struct api_field *f,
			  const struct protobuf_field *field, struct json **ret_out)
{
	switch ((enum field_form)f->form) {
	case FORM_BOOL:
	case FORM_INT32:
	case FORM_INT64:
		*ret_out = read_number(r, f, field->value);
		return RC_OK;
	case FORM_DOUBLE:
		*ret_out = json_double(r->a, protobuf_double(field));
		return RC_OK;
	case FORM_STRING:
		return read_text(r, f, field->bytes, ret_out);
	case FORM_BYTES:
		*ret_out = read_bytes(r, field->bytes);
		return RC_OK;
	case FORM_TIME:
	case FORM_MICRO_TIME:
		return read_time(r, f, field->bytes, ret_out);
	case FORM_DURATION:
		return read_duration(r, field->bytes, ret_out);
	case FORM_QUANTITY:
		return read_quantity(r, f, field->bytes, ret_out);
	case FORM_INT_OR_STRING:
		return read_int_or_string(r, f, field->bytes, ret_out);
	case FORM_RAW:
		return read_raw(r, f, field->bytes, ret_out);
	case FORM_STRUCT:
		return read_nested(r, type_of(f), field->bytes, ret_out);
	case FORM_SCHEMA_OR_BOOL:
		return read_schema_or_bool(r, field->bytes, ret_out);
	case FORM_SCHEMA_OR_ARRAY:
	case FORM_SCHEMA_OR_STRINGS:
		return read_schema_or_list(r, f, field->bytes, ret_out);
	}
	return RC_OK;
}

/* ---- Lists and maps ---- */

/* Numbers may come packed, several in one field. */
static enum rc read_packed(struct reading *r, const struct api_field *f, struct str bytes,
			   struct json *list)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	uint64_t value;
	while (protobuf_next_varint(&in, &value))
		json_append(r->a, list, read_number(r, f, value));
	return protobuf_check(&in, f->go_type.at, r->err);
}

static enum rc read_wrapped(struct reading *r, const struct api_field *f, struct str bytes,
			    struct json *list)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	struct json *item;
	while (protobuf_next(&in, &field)) {
		if (field.number != 1 || !protobuf_expect(&in, &field, PROTOBUF_BYTES))
			continue;
		TRY(read_value(r, f, &field, &item));
		json_append(r->a, list, item);
	}
	return protobuf_check(&in, f->go_type.at, r->err);
}

static enum rc read_list_item(struct reading *r, struct protobuf_reader *in,
			      const struct api_field *f, const struct protobuf_field *field,
			      struct json *list)
{
	struct json *item;
	enum protobuf_wire wire = wire_of(f);
	if (f->flags & FIELD_WRAPPED)
		return protobuf_expect(in, field, PROTOBUF_BYTES)
			       ? read_wrapped(r, f, field->bytes, list)
			       : RC_OK;
	if (wire == PROTOBUF_VARINT && field->wire == PROTOBUF_BYTES)
		return read_packed(r, f, field->bytes, list);
	if (!protobuf_expect(in, field, wire))
		return RC_OK; /* the check at the end tells */
	TRY(read_value(r, f, field, &item));
	json_append(r->a, list, item);
	return RC_OK;
}

static enum rc read_entry_value(struct reading *r, struct protobuf_reader *in,
				const struct api_field *f, const struct protobuf_field *field,
				struct json **ret_value)
{
	if (!protobuf_expect(in, field,
			     f->shape == SHAPE_MAP_OF_LISTS ? PROTOBUF_BYTES : wire_of(f)))
		return RC_OK;
	if (f->shape != SHAPE_MAP_OF_LISTS)
		return read_value(r, f, field, ret_value);
	struct json *list = json_array(r->a);
	TRY(read_wrapped(r, f, field->bytes, list));
	*ret_value = list->array.count ? list : json_null(r->a);
	return RC_OK;
}

/* {key = 1, value = 2} */
static enum rc read_entry(struct reading *r, const struct api_field *f, struct str bytes,
			  struct json *map)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	struct json *value = json_null(r->a), *key;
	struct str name = STR("");
	while (protobuf_next(&in, &field)) {
		if (field.number == 1 && protobuf_expect(&in, &field, PROTOBUF_BYTES))
			name = field.bytes;
		else if (field.number == 2)
			TRY(read_entry_value(r, &in, f, &field, &value));
	}
	TRY(protobuf_check(&in, f->go_type.at, r->err));
	TRY(read_text(r, f, name, &key));
	json_add(r->a, map, name, value);
	return RC_OK;
}

/* ---- Structs ---- */

static const struct api_field *field_of_tag(const struct api_type *type, uint32_t tag)
{
	uint32_t low = 0, high = type->tag_count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		const struct api_field *f = &type->fields[type->by_tag[middle]];
		if (f->tag == tag)
			return f;
		if (f->tag < tag)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static enum rc read_field(struct reading *r, struct protobuf_reader *in, const struct api_field *f,
			  const struct protobuf_field *field, struct json **slot)
{
	if (f->shape == SHAPE_LIST) {
		*slot = *slot ? *slot : json_array(r->a);
		return read_list_item(r, in, f, field, *slot);
	}
	if (!protobuf_expect(in, field, f->shape == SHAPE_ONE ? wire_of(f) : PROTOBUF_BYTES))
		return RC_OK;
	if (f->shape == SHAPE_ONE)
		return read_value(r, f, field, slot);
	*slot = *slot ? *slot : json_object(r->a);
	return read_entry(r, f, field->bytes, *slot);
}

struct entry {
	struct json_member member;
	size_t order;
};

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;
	int order = str_cmp(a->member.key, b->member.key);
	return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* Of equal keys the last wins. */
static void drop_repeated_keys(struct reading *r, struct json *map)
{
	struct json_member *m = map->object.members;
	size_t kept = 0, count = map->object.count;
	bool is_sorted = true;
	for (size_t i = 1; i < count && is_sorted; i++)
		is_sorted = str_cmp(m[i - 1].key, m[i].key) < 0;
	if (is_sorted)
		return;
	struct entry *entries = ARENA_ARRAY(r->a, struct entry, count);
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct entry){m[i], i};
	qsort(entries, count, sizeof(*entries), compare_entries);
	for (size_t i = 0; i < count; i++) {
		bool is_repeated = kept && str_eq(m[kept - 1].key, entries[i].member.key);
		m[is_repeated ? kept - 1 : kept++] = entries[i].member;
	}
	map->object.count = kept;
}

static void slots_to_object(struct reading *r, const struct api_type *type,
			    struct json *const *slots, struct json *object)
{
	for (uint32_t i = 0; i < type->tag_count; i++) {
		const struct api_field *f = &type->fields[type->by_tag[i]];
		struct json *value = slots[type->by_tag[i]];
		if (!value || f->flags & FIELD_INLINE)
			continue;
		if (f->shape != SHAPE_ONE && value->type == JSON_OBJECT)
			drop_repeated_keys(r, value);
		json_add(r->a, object, f->name, value);
	}
}

static enum rc read_struct(struct reading *r, const struct api_type *type, struct str bytes,
			   struct json *object)
{
	struct json *slots[API_FIELDS_MAX] = {};
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	ASSERT(type->field_count <= API_FIELDS_MAX);
	while (protobuf_next(&in, &field)) {
		const struct api_field *f = field_of_tag(type, field.number);
		if (!f)
			continue;
		if (!(f->flags & FIELD_INLINE))
			TRY(read_field(r, &in, f, &field, &slots[f - type->fields]));
		else if (protobuf_expect(&in, &field, PROTOBUF_BYTES))
			TRY(read_struct(r, type_of(f), field.bytes, object));
	}
	TRY(protobuf_check(&in, type->name.at, r->err));
	slots_to_object(r, type, slots, object);
	return RC_OK;
}

/* ---- Documents ---- */

static enum rc read_type_meta(struct str bytes, struct protobuf_envelope *e, struct err *err)
{
	struct protobuf_reader in = protobuf_reader(bytes);
	struct protobuf_field field;
	while (protobuf_next(&in, &field)) {
		if (field.number == 1 && protobuf_expect(&in, &field, PROTOBUF_BYTES))
			e->api_version = field.bytes;
		else if (field.number == 2 && protobuf_expect(&in, &field, PROTOBUF_BYTES))
			e->kind = field.bytes;
	}
	return protobuf_check(&in, "TypeMeta", err);
}

enum rc protobuf_envelope_open(struct str document, struct protobuf_envelope *ret_envelope,
			       struct err *err)
{
	struct protobuf_envelope e = {.api_version = STR(""), .kind = STR(""), .raw = STR("")};
	struct protobuf_field field;
	if (!str_has_prefix(document, str_n("k8s", 4)))
		return err_set(err, RC_BAD_REQUEST,
			       "provided data does not appear to be a protobuf message, expected "
			       "prefix [107 56 115 0]");
	struct protobuf_reader in = protobuf_reader(str_skip(document, 4));
	while (protobuf_next(&in, &field)) {
		if (field.number > 4 || !field.number ||
		    !protobuf_expect(&in, &field, PROTOBUF_BYTES))
			continue;
		if (field.number == 1)
			TRY(read_type_meta(field.bytes, &e, err));
		else if (field.number == 2)
			e.raw = field.bytes;
		else if (field.number == 3)
			e.content_encoding = field.bytes;
		else
			e.content_type = field.bytes;
	}
	TRY(protobuf_check(&in, "Unknown", err));
	if (!utf8_is_valid(e.api_version) || !utf8_is_valid(e.kind))
		return err_set(err, RC_BAD_REQUEST, "proto: string field contains invalid UTF-8");
	*ret_envelope = e;
	return RC_OK;
}

static void set_type_meta(struct arena *a, const struct api_type *type,
			  const struct protobuf_envelope *e, struct json *object)
{
	if (!api_field(type, STR("apiVersion")) || api_field(type, STR("apiVersion"))->tag)
		return; /* it is a field like any other, or none */
	json_set_str(a, object, STR("kind"), e->kind);
	json_set_str(a, object, STR("apiVersion"), e->api_version);
}

enum rc api_protobuf_decode(struct arena *a, const struct api_type *type,
			    const struct protobuf_envelope *e, struct json **ret_tree,
			    struct err *err)
{
	struct reading r = {.a = a, .err = err};
	struct json *object = json_object(a);
	TRY(read_struct(&r, type, e->raw, object));
	set_type_meta(a, type, e, object);
	return api_normalise(a, type, object, NULL, ret_tree, err);
}
