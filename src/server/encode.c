#include "server/encode.h"

#include "api/api_ids.h"
#include "api/convert.h"
#include "api/decode.h"
#include "api/print.h"
#include "api/protobuf.h"
#include "codec/protobuf.h"
#include "codec/yaml.h"

#define INDENT_COLUMNS 2
#define LIST_HEAD_MAX  (64u << 10)

struct encoder encoder_for(struct request *r, struct buf *out)
{
	return (struct encoder){
		.arena = &r->arena,
		.out = out,
		.pieces = &r->reply.pieces,
		.output = &r->output,
		.kind = r->route.kind,
		.include = r->options.include_object,
		.now_us = world_wall_us(),
		.is_pretty = r->options.wants_pretty || r->output.is_pretty,
		.has_columns = true,
	};
}

struct json *served_tree(struct arena *a, const struct api_kind *kind, const struct object *o)
{
	struct json *tree = object_tree(a, o);
	return kind->stored_id == o->stored_id ? convert_tree(a, o->kind, kind, tree) : tree;
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
		{"APIGroup", TYPE_META_V1_API_GROUP},
		{"APIGroupList", TYPE_META_V1_API_GROUP_LIST},
		{"APIResourceList", TYPE_META_V1_API_RESOURCE_LIST},
		{"APIVersions", TYPE_META_V1_API_VERSIONS},
		{"APIGroupDiscoveryList", TYPE_APIDISCOVERY_V2_API_GROUP_DISCOVERY_LIST},
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
static void sort_keys(struct json *tree)
{
	for (size_t i = 0; tree->type == JSON_ARRAY && i < json_count(tree); i++)
		sort_keys(json_at(tree, i));
	if (tree->type != JSON_OBJECT || json_count(tree) == 0)
		return;
	for (size_t i = 0; i < json_count(tree); i++)
		sort_keys(tree->object.members[i].value);
	qsort(tree->object.members, tree->object.count, sizeof(tree->object.members[0]), by_key);
}

static void write_yaml(struct encoder *e, const struct json *tree)
{
	struct json *sorted = json_copy(e->arena, tree);
	sort_keys(sorted);
	yaml_write(e->out, sorted);
}

/* Lists have no type of their own: ListMeta is field 1, items are field 2. */
static void write_list_message(struct encoder *e, const struct json *tree)
{
	CLEANUP_BUF message = BUF_INIT(e->out->max_bytes);
	const struct api_type *type = api_type(api_builtin(), e->kind->type);
	const struct json *items = json_get(tree, STR("items"));
	size_t mark = protobuf_open(&message, 1);
	api_protobuf_encode(&message, api_type(api_builtin(), TYPE_META_V1_LIST_META),
			    json_get(tree, STR("metadata")));
	protobuf_close(&message, mark);
	for (size_t i = 0; i < json_count(items); i++) {
		mark = protobuf_open(&message, 2);
		api_protobuf_encode(&message, type, json_at(items, i));
		protobuf_close(&message, mark);
	}
	api_protobuf_wrap(e->out, e->kind->api_version, e->kind->list_kind, buf_str(&message));
}

static void write_message(struct encoder *e, const struct json *tree, const struct api_kind *kind)
{
	bool is_list = e->kind && e->output->shape == AS_OBJECT &&
		       str_eq(json_path_str(tree, "kind"), e->kind->list_kind);
	if (is_list)
		write_list_message(e, tree);
	else
		api_protobuf_write(e->out, message_type(kind, tree), tree);
}

void encode_tree(struct encoder *e, const struct json *tree, const struct api_kind *kind)
{
	if (e->output->media == MEDIA_YAML) {
		write_yaml(e, tree);
	} else if (e->output->media == MEDIA_PROTOBUF) {
		write_message(e, tree, kind);
	} else if (e->is_pretty) {
		json_write_indent(e->out, tree, INDENT_COLUMNS);
	} else {
		json_write(e->out, tree);
		buf_add_char(e->out, '\n');
	}
}

/* ---- shapes, as JSON text ---- */

static void add_string_member(struct buf *out, const char *before, struct str value)
{
	buf_add_cstr(out, before);
	json_write_string(out, value);
}

/* `{"kind":"Pod","apiVersion":"v1",` as object.h has it. */
static size_t type_meta_bytes(const struct object *o)
{
	return strlen("{\"kind\":\"\",\"apiVersion\":\"\",") + o->kind->kind.len +
	       o->kind->api_version.len;
}

/* Head (or what is left of it), revision, middle and managedFields.  An object that was never
 * stored (a dry run) has no resourceVersion at all. */
static void write_front(struct buf *out, struct str head, const struct object *o, int64_t revision)
{
	static const char key[] = "\"resourceVersion\":\"";
	if (revision) {
		buf_add_str(out, head);
		buf_add_i64(out, revision);
		buf_add_str(out, o->middle);
	} else {
		buf_add(out, head.at, head.len - (sizeof(key) - 1));
		buf_add_str(out, str_skip(o->middle, strlen("\",")));
	}
	buf_add_str(out, o->managed);
}

static void write_whole(struct encoder *e, struct buf *out, const struct object *o,
			int64_t revision)
{
	if (e->kind == o->kind || e->kind->stored_id != o->stored_id) {
		write_front(out, o->head, o, revision);
		buf_add_str(out, o->tail);
		return;
	}
	struct json *tree = served_tree(e->arena, e->kind, o);
	struct json *meta = json_get(tree, STR("metadata"));
	if (revision)
		json_set(e->arena, meta, STR("resourceVersion"),
			 json_printf(e->arena, "%lld", (long long)revision));
	else
		json_remove(meta, STR("resourceVersion"));
	json_write(out, tree);
}

static void write_meta_kind(struct encoder *e, struct buf *out, const char *kind)
{
	buf_add_cstr(out, "{\"kind\":\"");
	buf_add_cstr(out, kind);
	buf_add_cstr(out, "\",\"apiVersion\":\"meta.k8s.io/");
	buf_add_str(out, e->output->meta_version);
	buf_add_cstr(out, "\",\"metadata\":");
}

static void write_partial(struct encoder *e, struct buf *out, const struct object *o,
			  int64_t revision)
{
	write_meta_kind(e, out, "PartialObjectMetadata");
	write_front(out, str_skip(o->head, type_meta_bytes(o) + strlen("\"metadata\":")), o,
		    revision);
	buf_add_cstr(out, "}}");
}

static void write_columns(struct encoder *e, struct buf *out)
{
	for (uint32_t i = 0; i < e->kind->column_count; i++) {
		const struct api_column *c = &e->kind->columns[i];
		add_string_member(out, i ? ",{\"name\":" : "{\"name\":", c->name);
		add_string_member(out, ",\"type\":", c->type);
		add_string_member(out, ",\"format\":", c->format);
		add_string_member(out, ",\"description\":", c->description);
		buf_printf(out, ",\"priority\":%d}", c->priority);
	}
}

static void open_table(struct encoder *e, struct buf *out, struct str metadata)
{
	write_meta_kind(e, out, "Table");
	buf_add_str(out, metadata);
	buf_add_cstr(out, ",\"columnDefinitions\":");
	if (e->has_columns) {
		buf_add_char(out, '[');
		write_columns(e, out);
		buf_add_char(out, ']');
	} else {
		buf_add_cstr(out, "null");
	}
	buf_add_cstr(out, ",\"rows\":[");
}

static void write_row(struct encoder *e, struct buf *out, const struct object *o, int64_t revision)
{
	buf_add_char(out, '{');
	api_print_row(out, e->kind, o, e->now_us);
	buf_add_cstr(out, ",\"object\":");
	if (str_is(e->include, "None"))
		buf_add_cstr(out, "null");
	else if (str_is(e->include, "Object"))
		write_whole(e, out, o, revision);
	else
		write_partial(e, out, o, revision);
	buf_add_char(out, '}');
}

static struct str revision_meta(struct arena *a, int64_t revision)
{
	return arena_printf(a, "{\"resourceVersion\":\"%lld\"}", (long long)revision);
}

static void write_shape(struct encoder *e, struct buf *out, const struct object *o,
			int64_t revision)
{
	switch (e->output->shape) {
	case AS_OBJECT:
		write_whole(e, out, o, revision);
		break;
	case AS_TABLE:
		open_table(e, out, revision_meta(e->arena, revision));
		write_row(e, out, o, revision);
		buf_add_cstr(out, "]}");
		break;
	default:
		write_partial(e, out, o, revision);
	}
}

static bool is_plain_json(const struct encoder *e)
{
	return e->output->media == MEDIA_JSON && !e->is_pretty;
}

/* Other media from the text of a shape. */
static struct json *parsed(struct encoder *e, const struct buf *text)
{
	struct json *tree;
	enum rc rc = json_parse(e->arena, arena_str(e->arena, buf_str(text)), &tree, NULL, NULL);
	ASSERT(rc == RC_OK); /* it is our own */
	return tree;
}

void encode_object(struct encoder *e, const struct object *o)
{
	if (is_plain_json(e)) {
		write_shape(e, e->out, o, o->revision);
		buf_add_char(e->out, '\n');
		return;
	}
	CLEANUP_BUF text = BUF_INIT(e->out->max_bytes);
	write_shape(e, &text, o, o->revision);
	encode_tree(e, parsed(e, &text), e->kind);
}

/* ---- lists ---- */

void encode_list_item(struct encoder *e, const struct object *o)
{
	if (e->out->len >= PIECE_BYTES)
		pieces_add(e->pieces, e->out);
	if (e->item_count++)
		buf_add_char(e->out, ',');
	if (e->output->shape == AS_TABLE) {
		write_row(e, e->out, o, o->revision);
	} else if (e->output->shape != AS_OBJECT) {
		write_partial(e, e->out, o, o->revision);
	} else if (e->kind == o->kind) {
		/* Lists of typed objects leave out what every item would repeat. */
		buf_add_char(e->out, '{');
		write_front(e->out, str_skip(o->head, type_meta_bytes(o)), o, o->revision);
		buf_add_str(e->out, o->tail);
	} else {
		struct json *tree = served_tree(e->arena, e->kind, o);
		json_remove(tree, STR("kind"));
		json_remove(tree, STR("apiVersion"));
		json_write(e->out, tree);
	}
}

static struct str list_metadata(struct encoder *e, const struct list_meta *meta)
{
	CLEANUP_BUF out = BUF_INIT(64u << 10);
	buf_printf(&out, "{\"resourceVersion\":\"%lld\"", (long long)meta->revision);
	if (meta->continue_token.len)
		add_string_member(&out, ",\"continue\":", meta->continue_token);
	if (meta->remaining)
		buf_printf(&out, ",\"remainingItemCount\":%lld", (long long)meta->remaining);
	buf_add_char(&out, '}');
	return arena_str(e->arena, buf_str(&out));
}

static void open_list(struct encoder *e, struct buf *out, struct str metadata)
{
	if (e->output->shape == AS_TABLE) {
		open_table(e, out, metadata);
		return;
	}
	if (e->output->shape == AS_OBJECT) {
		add_string_member(out, "{\"kind\":", e->kind->list_kind);
		add_string_member(out, ",\"apiVersion\":", e->kind->api_version);
		buf_add_cstr(out, ",\"metadata\":");
	} else {
		write_meta_kind(e, out, "PartialObjectMetadataList");
	}
	buf_add_str(out, metadata);
	buf_add_cstr(out, ",\"items\":[");
}

/* Upstream's table for kinds without one of their own has no rows at all when it is empty. */
static bool has_null_rows(const struct encoder *e)
{
	return e->output->shape == AS_TABLE && e->item_count == 0 && e->kind->has_default_columns;
}

void encode_list_end(struct encoder *e, const struct list_meta *meta)
{
	CLEANUP_BUF head = BUF_INIT(LIST_HEAD_MAX);
	struct pieces *pieces = e->pieces;
	open_list(e, &head, list_metadata(e, meta));
	if (has_null_rows(e)) {
		buf_cut(&head, head.len - 1);
		buf_add_cstr(e->out, "null");
	} else {
		buf_add_char(e->out, ']');
	}
	buf_add_cstr(e->out, is_plain_json(e) ? "}\n" : "}");
	pieces_add(pieces, e->out);
	pieces_first(pieces, &head);
	if (is_plain_json(e) || pieces->is_full)
		return;
	CLEANUP_BUF text = BUF_INIT(pieces->max_bytes);
	pieces_join(pieces, &text);
	encode_tree(e, parsed(e, &text), e->kind);
	pieces_add(pieces, e->out);
}

/* ---- events ---- */

void encode_event_tree(struct encoder *e, const char *type, const struct json *tree,
		       const struct api_kind *kind)
{
	if (e->output->media == MEDIA_PROTOBUF) {
		CLEANUP_BUF document = BUF_INIT(e->out->max_bytes);
		api_protobuf_write(&document, message_type(kind, tree), tree);
		api_protobuf_watch_frame(e->out, str_of(type), buf_str(&document));
		return;
	}
	buf_printf(e->out, "{\"type\":\"%s\",\"object\":", type);
	json_write(e->out, tree);
	buf_add_cstr(e->out, "}\n");
}

void encode_event(struct encoder *e, const char *type, const struct object *o, int64_t revision)
{
	if (e->output->media == MEDIA_JSON) {
		buf_printf(e->out, "{\"type\":\"%s\",\"object\":", type);
		write_shape(e, e->out, o, revision);
		buf_add_cstr(e->out, "}\n");
		return;
	}
	CLEANUP_BUF text = BUF_INIT(e->out->max_bytes);
	write_shape(e, &text, o, revision);
	encode_event_tree(e, type, parsed(e, &text), e->kind);
}

/* As Go writes an object with nothing in it but metadata. */
static struct json *with_zero_values(struct encoder *e, struct json *tree)
{
	struct json *full;
	const struct api_type *type = api_type(api_builtin(), e->kind->type);
	enum rc rc = api_normalise(e->arena, type, tree, NULL, &full, NULL);
	ASSERT(rc == RC_OK); /* it is our own */
	return full;
}

void encode_bookmark(struct encoder *e, int64_t revision, bool is_end_of_initial)
{
	CLEANUP_BUF text = BUF_INIT(64u << 10);
	struct str meta = arena_printf(
		e->arena, "{\"resourceVersion\":\"%lld\"%s}", (long long)revision,
		is_end_of_initial ? ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}"
				  : "");
	if (e->output->shape == AS_TABLE) {
		open_table(e, &text, revision_meta(e->arena, revision));
		buf_add_cstr(&text, "{\"cells\":");
		api_print_cells(
			&text, e->kind,
			arena_alloc(e->arena, api_type(api_builtin(), e->kind->type)->view_size),
			e->now_us);
		buf_add_cstr(&text, ",\"object\":");
	}
	if (e->output->shape == AS_OBJECT)
		buf_printf(&text, "{\"kind\":\"%.*s\",\"apiVersion\":\"%.*s\",\"metadata\":",
			   STR_FMT(e->kind->kind), STR_FMT(e->kind->api_version));
	else
		write_meta_kind(e, &text, "PartialObjectMetadata");
	buf_printf(&text, "%.*s}", STR_FMT(meta));
	if (e->output->shape == AS_TABLE)
		buf_add_cstr(&text, "}]}");
	struct json *tree = parsed(e, &text);
	if (e->output->shape == AS_OBJECT)
		tree = with_zero_values(e, tree);
	encode_event_tree(e, "BOOKMARK", tree, e->kind);
}
