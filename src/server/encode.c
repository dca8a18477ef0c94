#include "server/encode.h"

#include "api/api_ids.h"
#include "api/convert.h"
#include "api/print.h"
#include "api/protobuf.h"
#include "codec/protobuf.h"
#include "codec/yaml.h"
#include "server/route.h"

#define INDENT 2

struct json *served_tree(struct arena *a, const struct api_kind *kind, const struct object *o)
{
	struct json *tree = object_tree(a, o);
	return kind == o->kind || kind->stored_id != o->stored_id
		       ? tree
		       : convert_tree(a, o->kind, kind, tree);
}

static struct json *type_meta(struct arena *a, const char *kind, struct str api_version)
{
	struct json *t = json_object(a);
	json_set_str(a, t, STR("kind"), str_of(kind));
	json_set_str(a, t, STR("apiVersion"), api_version);
	return t;
}

static struct str meta_api_version(const struct encoder *e)
{
	return arena_printf(e->arena, "meta.k8s.io/%.*s", STR_FMT(e->output->meta_version));
}

/* ---- PartialObjectMetadata and Table ---- */

static struct json *partial_tree(struct encoder *e, const struct object *o, int64_t revision)
{
	struct json *t = type_meta(e->arena, "PartialObjectMetadata", meta_api_version(e));
	struct json *metadata = json_get(object_tree(e->arena, o), STR("metadata"));
	if (revision != o->revision)
		json_set(e->arena, metadata, STR("resourceVersion"),
			 json_printf(e->arena, "%lld", (long long)revision));
	json_set(e->arena, t, STR("metadata"), metadata);
	return t;
}

static struct json *column_definitions(struct encoder *e)
{
	struct arena *a = e->arena;
	struct json *list = json_array(a);
	for (uint32_t i = 0; i < e->kind->column_count; i++) {
		const struct api_column *c = &e->kind->columns[i];
		struct json *d = json_object(a);
		json_set_str(a, d, STR("name"), c->name);
		json_set_str(a, d, STR("type"), c->type);
		json_set_str(a, d, STR("format"), c->format.at ? c->format : STR(""));
		json_set_str(a, d, STR("description"),
			     c->description.at ? c->description : STR(""));
		json_set(a, d, STR("priority"), json_int(a, c->priority));
		json_append(a, list, d);
	}
	return list;
}

static struct json *row_object(struct encoder *e, const struct object *o, int64_t revision)
{
	struct str include = query_get(e->arena, e->query, "includeObject");
	if (str_is(include, "None"))
		return json_null(e->arena);
	if (str_is(include, "Object"))
		return served_tree(e->arena, e->kind, o);
	return partial_tree(e, o, revision);
}

static struct json *table_row(struct encoder *e, const struct object *o, int64_t revision)
{
	struct json *row = json_object(e->arena);
	json_set(e->arena, row, STR("cells"), api_print_row(e->arena, e->kind, o, e->now_us));
	json_set(e->arena, row, STR("object"), row_object(e, o, revision));
	return row;
}

static struct json *table(struct encoder *e, struct json *metadata, struct json *rows)
{
	struct json *t = type_meta(e->arena, "Table", meta_api_version(e));
	json_set(e->arena, t, STR("metadata"), metadata);
	json_set(e->arena, t, STR("columnDefinitions"),
		 e->has_columns ? column_definitions(e) : json_null(e->arena));
	json_set(e->arena, t, STR("rows"), rows);
	return t;
}

static struct json *revision_meta(struct encoder *e, int64_t revision)
{
	struct json *m = json_object(e->arena);
	json_set(e->arena, m, STR("resourceVersion"),
		 json_printf(e->arena, "%lld", (long long)revision));
	return m;
}

static struct json *one_row_table(struct encoder *e, const struct object *o, int64_t revision)
{
	struct json *rows = json_array(e->arena);
	json_append(e->arena, rows, table_row(e, o, revision));
	return table(e, revision_meta(e, revision), rows);
}

/* ---- documents ---- */

/* The message of a document: that of its kind, or of one of the shared ones. */
static const struct api_type *message_type(const struct api_kind *kind, const struct json *tree)
{
	static const struct {
		const char *kind;
		int32_t type;
	} rows[] = {
		{"Status", TYPE_META_V1_STATUS},
		{"Scale", TYPE_AUTOSCALING_V1_SCALE},
		{"PartialObjectMetadata", TYPE_META_V1_PARTIAL_OBJECT_METADATA},
		{"PartialObjectMetadataList", TYPE_META_V1_PARTIAL_OBJECT_METADATA_LIST},
		{"TokenRequest", TYPE_AUTHENTICATION_V1_TOKEN_REQUEST},
	};
	struct str name = json_path_str(tree, "kind");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (str_is(name, rows[i].kind))
			return api_type(api_builtin(), rows[i].type);
	return kind ? api_type(api_builtin(), kind->type) : NULL;
}

bool encode_has_message(const struct api_kind *kind, const struct json *tree)
{
	return message_type(kind, tree) != NULL;
}

static int by_key(const void *a, const void *b)
{
	return str_cmp(((const struct json_member *)a)->key, ((const struct json_member *)b)->key);
}

/* Upstream's YAML goes through maps: keys are sorted at every level. */
static struct json *sorted_copy(struct arena *a, const struct json *tree)
{
	struct json *copy = json_copy(a, tree);
	if (copy->type == JSON_ARRAY)
		for (size_t i = 0; i < json_count(copy); i++)
			copy->array.items[i] = sorted_copy(a, copy->array.items[i]);
	if (copy->type != JSON_OBJECT || copy->object.count == 0)
		return copy;
	for (size_t i = 0; i < json_count(copy); i++)
		copy->object.members[i].value = sorted_copy(a, copy->object.members[i].value);
	qsort(copy->object.members, copy->object.count, sizeof(copy->object.members[0]), by_key);
	return copy;
}

void encode_tree(struct encoder *e, const struct json *tree, const struct api_kind *kind)
{
	switch (e->output->media) {
	case MEDIA_YAML:
		yaml_write(e->out, sorted_copy(e->arena, tree));
		break;
	case MEDIA_PROTOBUF:
		api_protobuf_write(e->out, message_type(kind, tree), tree);
		break;
	case MEDIA_JSON:
		if (e->is_pretty) {
			json_write_indent(e->out, tree, INDENT);
			break;
		}
		json_write(e->out, tree);
		buf_add_char(e->out, '\n');
		break;
	}
}

/* The object in the shape that was asked for; NULL: its stored bytes are the answer. */
static struct json *shaped(struct encoder *e, const struct object *o, int64_t revision)
{
	switch (e->output->shape) {
	case AS_TABLE:
		return one_row_table(e, o, revision);
	case AS_PARTIAL:
	case AS_PARTIAL_LIST:
		return partial_tree(e, o, revision);
	case AS_OBJECT:
		break;
	}
	bool is_bytes = e->output->media == MEDIA_JSON && !e->is_pretty && e->kind == o->kind &&
			revision == o->revision;
	if (is_bytes)
		return NULL;
	struct json *tree = served_tree(e->arena, e->kind, o);
	if (revision != o->revision)
		json_set(e->arena, json_get(tree, STR("metadata")), STR("resourceVersion"),
			 json_printf(e->arena, "%lld", (long long)revision));
	return tree;
}

/* What protobuf needs to know of a document: the kind, but not for shapes that have no message of
 * ours. */
static const struct api_kind *shape_kind(const struct encoder *e)
{
	return e->output->shape == AS_OBJECT ? e->kind : NULL;
}

void encode_object(struct encoder *e, const struct object *o)
{
	struct json *tree = shaped(e, o, o->revision);
	if (tree) {
		encode_tree(e, tree, shape_kind(e));
		return;
	}
	object_write(e->out, o);
	buf_add_char(e->out, '\n');
}

/* ---- lists ---- */

static bool is_direct(const struct encoder *e)
{
	return e->output->media == MEDIA_JSON && e->output->shape == AS_OBJECT && !e->is_pretty;
}

/* Lists of typed objects leave out what every item would repeat. */
static void write_item_bytes(struct encoder *e, const struct object *o)
{
	static const char closing[] = "\",";
	size_t prefix = strlen("{\"kind\":\"") + o->kind->kind.len +
			strlen("\",\"apiVersion\":\"") + o->kind->api_version.len + strlen(closing);
	buf_add_char(e->out, '{');
	buf_add_str(e->out, str_skip(o->head, prefix));
	buf_add_i64(e->out, o->revision);
	buf_add_str(e->out, o->middle);
	buf_add_str(e->out, o->managed);
	buf_add_str(e->out, o->tail);
}

static struct json *item_tree(struct encoder *e, const struct object *o)
{
	if (e->output->shape == AS_TABLE)
		return table_row(e, o, o->revision);
	if (e->output->shape != AS_OBJECT)
		return partial_tree(e, o, o->revision);
	struct json *tree = served_tree(e->arena, e->kind, o);
	json_remove(tree, STR("kind"));
	json_remove(tree, STR("apiVersion"));
	return tree;
}

static void write_list_head(struct encoder *e)
{
	buf_add_cstr(e->out, "{\"kind\":");
	json_write_string(e->out, e->kind->list_kind);
	buf_add_cstr(e->out, ",\"apiVersion\":");
	json_write_string(e->out, e->kind->api_version);
	buf_add_cstr(e->out, ",\"metadata\":");
}

/* Metadata comes first in the text, but its continue token is known last: items go to a buffer of
 * their own only when the caller has not promised that it knows. */
void encode_list_begin(struct encoder *e)
{
	e->item_count = 0;
	if (!is_direct(e))
		e->list = json_array(e->arena);
}

void encode_list_item(struct encoder *e, const struct object *o)
{
	if (!is_direct(e)) {
		json_append(e->arena, e->list, item_tree(e, o));
	} else {
		if (e->item_count)
			buf_add_char(e->out, ',');
		if (e->kind == o->kind)
			write_item_bytes(e, o);
		else
			json_write(e->out, item_tree(e, o));
	}
	e->item_count++;
}

static struct json *list_meta_tree(struct encoder *e, const struct list_meta *meta)
{
	struct json *m = revision_meta(e, meta->revision);
	if (meta->continue_token.len)
		json_set_str(e->arena, m, STR("continue"), meta->continue_token);
	if (meta->remaining)
		json_set(e->arena, m, STR("remainingItemCount"),
			 json_int(e->arena, meta->remaining));
	return m;
}

static struct json *list_tree(struct encoder *e, struct json *metadata)
{
	if (e->output->shape == AS_TABLE)
		return table(e, metadata, e->list);
	struct json *t =
		e->output->shape == AS_OBJECT
			? type_meta(e->arena, arena_cstr(e->arena, e->kind->list_kind),
				    e->kind->api_version)
			: type_meta(e->arena, "PartialObjectMetadataList", meta_api_version(e));
	json_set(e->arena, t, STR("metadata"), metadata);
	json_set(e->arena, t, STR("items"), e->list);
	return t;
}

/* Lists have no type of their own: ListMeta is field 1, items are field 2. */
static void write_list_message(struct encoder *e, const struct json *metadata)
{
	CLEANUP_BUF message = BUF_INIT(e->out->max_bytes);
	const struct api_type *type = api_type(api_builtin(), e->kind->type);
	size_t mark = protobuf_open(&message, 1);
	api_protobuf_encode(&message, api_type(api_builtin(), TYPE_META_V1_LIST_META), metadata);
	protobuf_close(&message, mark);
	for (size_t i = 0; i < json_count(e->list); i++) {
		mark = protobuf_open(&message, 2);
		api_protobuf_encode(&message, type, json_at(e->list, i));
		protobuf_close(&message, mark);
	}
	api_protobuf_wrap(e->out, e->kind->api_version, e->kind->list_kind, buf_str(&message));
}

void encode_list_end(struct encoder *e, const struct list_meta *meta)
{
	struct json *metadata = list_meta_tree(e, meta);
	if (e->output->media == MEDIA_PROTOBUF && e->output->shape == AS_OBJECT) {
		write_list_message(e, metadata);
		return;
	}
	if (!is_direct(e)) {
		encode_tree(e, list_tree(e, metadata), shape_kind(e));
		return;
	}
	/* The items are in place; put the head before them. */
	struct buf items = *e->out;
	*e->out = (struct buf)BUF_INIT(items.max_bytes);
	e->out->is_full = items.is_full;
	(void)buf_reserve(e->out, items.len + 256);
	write_list_head(e);
	json_write(e->out, metadata);
	buf_add_cstr(e->out, ",\"items\":[");
	buf_add(e->out, items.data, items.len);
	buf_add_cstr(e->out, "]}\n");
	buf_done(&items);
}

/* ---- events ---- */

static void open_event(struct encoder *e, const char *type)
{
	buf_printf(e->out, "{\"type\":\"%s\",\"object\":", type);
}

void encode_event_tree(struct encoder *e, const char *type, const struct json *tree,
		       const struct api_kind *kind)
{
	if (e->output->media == MEDIA_PROTOBUF) {
		CLEANUP_BUF document = BUF_INIT(e->out->max_bytes);
		api_protobuf_write(&document, message_type(kind, tree), tree);
		api_protobuf_watch_frame(e->out, str_of(type), buf_str(&document));
		return;
	}
	open_event(e, type);
	json_write(e->out, tree);
	buf_add_cstr(e->out, "}\n");
}

void encode_event(struct encoder *e, const char *type, const struct object *o, int64_t revision)
{
	if (is_direct(e) && e->kind == o->kind) {
		open_event(e, type);
		buf_add_str(e->out, o->head);
		buf_add_i64(e->out, revision);
		buf_add_str(e->out, o->middle);
		buf_add_str(e->out, o->managed);
		buf_add_str(e->out, o->tail);
		buf_add_cstr(e->out, "}\n");
		return;
	}
	struct json *tree = shaped(e, o, revision);
	encode_event_tree(e, type, tree ? tree : served_tree(e->arena, e->kind, o), shape_kind(e));
}

static struct json *bookmark_tree(struct encoder *e, int64_t revision, bool is_end_of_initial)
{
	struct arena *a = e->arena;
	bool is_partial = e->output->shape != AS_OBJECT;
	struct json *t = is_partial
				 ? type_meta(a, "PartialObjectMetadata", meta_api_version(e))
				 : type_meta(a, arena_cstr(a, e->kind->kind), e->kind->api_version);
	struct json *m = revision_meta(e, revision);
	if (is_end_of_initial) {
		struct json *annotations = json_object(a);
		json_set_str(a, annotations, STR("k8s.io/initial-events-end"), STR("true"));
		json_set(a, m, STR("annotations"), annotations);
	}
	json_set(a, t, STR("metadata"), m);
	return t;
}

void encode_bookmark(struct encoder *e, int64_t revision, bool is_end_of_initial)
{
	struct json *tree = bookmark_tree(e, revision, is_end_of_initial);
	if (e->output->shape == AS_TABLE) {
		struct json *rows = json_array(e->arena), *row = json_object(e->arena);
		json_set(e->arena, row, STR("cells"), json_array(e->arena));
		json_set(e->arena, row, STR("object"), tree);
		json_append(e->arena, rows, row);
		tree = table(e, revision_meta(e, revision), rows);
	}
	encode_event_tree(e, "BOOKMARK", tree, shape_kind(e));
}
