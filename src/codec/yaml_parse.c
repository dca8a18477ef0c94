#include <math.h>
#include <stdlib.h>

#include <yaml.h>

#include "base/encode.h"
#include "base/map.h"
#include "codec/json-int.h"
#include "codec/yaml-int.h"
#include "codec/yaml.h"

#define TAG_PREFIX	   "tag:yaml.org,2002:"
#define MAX_TAG_DIRECTIVES 100

struct anchor {
	struct json *tree; /* NULL while its own content is read */
};

struct loader {
	yaml_parser_t parser;
	struct arena *arena;
	struct err *err;
	yaml_mark_t mark;   /* of the newest event */
	struct map anchors; /* of the current document */
	size_t node_count, alias_nodes, alias_bytes;
	int flow_levels;
	struct yaml_document *documents;
	size_t count, cap;
	struct json_stack stack; /* last: its bases are not initialised */
};

static uint32_t line_of(const yaml_event_t *event)
{
	return (uint32_t)event->start_mark.line + 1;
}

/* Upstream counts lines from 0 here, and adds one for the scanner only. */
static enum rc syntax_error(const yaml_parser_t *p, struct err *err)
{
	size_t line = p->problem_mark.line ? p->problem_mark.line : p->context_mark.line;
	const char *problem = p->problem ? p->problem : "unknown problem parsing YAML content";
	if (p->error == YAML_MEMORY_ERROR)
		return err_set(err, RC_TOO_LARGE, "yaml: out of memory");
	if (line == 0 || p->error == YAML_READER_ERROR)
		return err_set(err, RC_BAD_REQUEST, "yaml: %s", problem);
	return err_set(err, RC_BAD_REQUEST, "yaml: line %zu: %s",
		       line + (p->error == YAML_SCANNER_ERROR), problem);
}

static enum rc next_event(struct loader *l, yaml_event_t *event)
{
	if (!yaml_parser_parse(&l->parser, event))
		return syntax_error(&l->parser, l->err);
	l->mark = event->start_mark;
	return RC_OK;
}

static enum rc count_node(struct loader *l)
{
	if (++l->node_count > JSON_MAX_NODES)
		return err_set(l->err, RC_TOO_LARGE, "yaml: more than the limit of %u values",
			       JSON_MAX_NODES);
	return RC_OK;
}

static enum rc too_deep(struct loader *l, uint32_t line)
{
	return err_set(l->err, RC_BAD_REQUEST, "yaml: line %u: exceeded max depth of %d levels",
		       line, JSON_MAX_DEPTH);
}

/* ---- aliases ----------------------------------------------------------------------------------
 */

static enum rc charge_alias(struct loader *l, size_t bytes)
{
	l->alias_bytes += bytes;
	if (++l->alias_nodes > YAML_MAX_ALIAS_NODES || l->alias_bytes > YAML_MAX_BYTES)
		return err_set(l->err, RC_BAD_REQUEST,
			       "yaml: document contains excessive aliasing: more than %d values or "
			       "%u bytes repeated",
			       YAML_MAX_ALIAS_NODES, YAML_MAX_BYTES);
	return count_node(l);
}

/* A copy that shares the strings, as they are never changed in place. */
static enum rc copy_alias(struct loader *l, const struct json *tree, int depth, uint32_t line,
			  struct json **ret_copy)
{
	TRY(charge_alias(l, tree->type == JSON_STRING ? tree->string.len : 0));
	bool is_container = tree->type == JSON_ARRAY || tree->type == JSON_OBJECT;
	if (is_container && depth == JSON_MAX_DEPTH)
		return too_deep(l, line);
	struct json *copy = arena_copy(l->arena, tree, sizeof(*tree));
	if (tree->type == JSON_ARRAY && tree->array.count) {
		copy->array.items = ARENA_ARRAY(l->arena, struct json *, tree->array.count);
		copy->array.cap = tree->array.count;
		for (size_t i = 0; i < tree->array.count; i++)
			TRY(copy_alias(l, tree->array.items[i], depth + 1, line,
				       &copy->array.items[i]));
	} else if (tree->type == JSON_OBJECT && tree->object.count) {
		copy->object.members =
			ARENA_ARRAY(l->arena, struct json_member, tree->object.count);
		copy->object.cap = tree->object.count;
		for (size_t i = 0; i < tree->object.count; i++) {
			struct str key = tree->object.members[i].key;
			copy->object.members[i].key = key;
			l->alias_bytes += key.len;
			TRY(copy_alias(l, tree->object.members[i].value, depth + 1, line,
				       &copy->object.members[i].value));
		}
	}
	*ret_copy = copy;
	return RC_OK;
}

static enum rc load_alias(struct loader *l, const yaml_event_t *event, struct json **ret_tree)
{
	const char *name = (const char *)event->data.alias.anchor;
	const struct anchor *anchor = map_get(&l->anchors, str_of(name));
	if (!anchor)
		return err_set(l->err, RC_BAD_REQUEST, "yaml: unknown anchor '%s' referenced",
			       name);
	if (!anchor->tree)
		return err_set(l->err, RC_BAD_REQUEST, "yaml: anchor '%s' value contains itself",
			       name);
	return copy_alias(l, anchor->tree, l->stack.depth, line_of(event), ret_tree);
}

/* Makes the anchor known before its content is read, so that it cannot contain itself. */
static enum rc open_anchor(struct loader *l, const unsigned char *name, struct anchor **ret_anchor)
{
	*ret_anchor = NULL;
	if (!name)
		return RC_OK;
	if (l->anchors.count >= YAML_MAX_ANCHORS)
		return err_set(l->err, RC_BAD_REQUEST, "yaml: more than the limit of %d anchors",
			       YAML_MAX_ANCHORS);
	*ret_anchor = ARENA_NEW(l->arena, struct anchor);
	map_set(&l->anchors, str_of((const char *)name), *ret_anchor);
	return RC_OK;
}

/* ---- scalars ----------------------------------------------------------------------------------
 */

static enum rc scalar_error(struct loader *l, const yaml_event_t *event, const char *tag)
{
	static const char *const tags[] = {
		[YAML_NULL] = "!!null",	  [YAML_BOOL] = "!!bool",      [YAML_INT] = "!!int",
		[YAML_FLOAT] = "!!float", [YAML_TIME] = "!!timestamp", [YAML_TEXT] = "!!str"};
	struct str text = str_n((const char *)event->data.scalar.value, event->data.scalar.length);
	return err_set(l->err, RC_BAD_REQUEST, "yaml: cannot decode %s `%.*s` as a !!%s",
		       tags[yaml_resolve(text).kind], STR_FMT(text), tag);
}

/* Applies an explicit tag of YAML's own to what the text means; false when it does not fit. */
static bool apply_tag(const char *tag, struct yaml_scalar *scalar)
{
	static const struct {
		const char *tag;
		enum yaml_kind kind;
	} rows[] = {{"null", YAML_NULL},
		    {"bool", YAML_BOOL},
		    {"int", YAML_INT},
		    {"float", YAML_FLOAT},
		    {"timestamp", YAML_TIME}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(tag, rows[i].tag) == 0) {
			if (rows[i].kind == YAML_FLOAT && scalar->kind == YAML_INT)
				return true;
			return rows[i].kind == scalar->kind;
		}
	scalar->kind = YAML_TEXT; /* !!str and tags of others */
	return true;
}

static enum rc resolve_event(struct loader *l, const yaml_event_t *event,
			     struct yaml_scalar *ret_scalar)
{
	const char *tag = (const char *)event->data.scalar.tag;
	struct str text = str_n((const char *)event->data.scalar.value, event->data.scalar.length);
	*ret_scalar = (struct yaml_scalar){.kind = YAML_TEXT};
	if (!tag && !event->data.scalar.plain_implicit)
		return RC_OK;
	if (tag && strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)) != 0)
		return RC_OK;
	*ret_scalar = yaml_resolve(text);
	if (tag && !apply_tag(tag + strlen(TAG_PREFIX), ret_scalar))
		return scalar_error(l, event, tag + strlen(TAG_PREFIX));
	return RC_OK;
}

/* JSON has no way to write these, and a whole number comes back from it as an integer. */
static enum rc set_number(struct loader *l, double number, struct json *ret_value)
{
	if (!isfinite(number))
		return err_set(l->err, RC_BAD_REQUEST, "json: unsupported value: %s",
			       isnan(number) ? "NaN"
			       : number > 0  ? "+Inf"
					     : "-Inf");
	bool is_whole = number >= -0x1p63 && number < 0x1p63 && trunc(number) == number;
	ret_value->type = is_whole ? JSON_INT : JSON_DOUBLE;
	if (is_whole)
		ret_value->integer = (int64_t)number;
	else
		ret_value->number = number;
	return RC_OK;
}

static enum rc text_of(struct loader *l, const yaml_event_t *event, struct str *ret_text)
{
	const char *tag = (const char *)event->data.scalar.tag;
	struct str text = str_n((const char *)event->data.scalar.value, event->data.scalar.length);
	if (!tag || strcmp(tag, TAG_PREFIX "binary") != 0) {
		*ret_text = arena_str(l->arena, text);
		return RC_OK;
	}
	if (!base64_decode(l->arena, text, ret_text) || !utf8_is_valid(*ret_text))
		return err_set(l->err, RC_BAD_REQUEST,
			       "yaml: line %u: !!binary value is not base64 of UTF-8 text",
			       line_of(event));
	return RC_OK;
}

static enum rc load_scalar(struct loader *l, const yaml_event_t *event, struct json **ret_tree)
{
	struct yaml_scalar scalar;
	TRY(count_node(l));
	TRY(resolve_event(l, event, &scalar));
	struct json *value = json_null(l->arena);
	*ret_tree = value;
	switch (scalar.kind) {
	case YAML_NULL:
		return RC_OK;
	case YAML_BOOL:
		value->type = JSON_BOOL;
		value->boolean = scalar.boolean;
		return RC_OK;
	case YAML_INT:
		value->type = JSON_INT;
		value->integer = scalar.integer;
		return RC_OK;
	case YAML_FLOAT:
		return set_number(l, scalar.number, value);
	default:
		value->type = JSON_STRING;
		return text_of(l, event, &value->string);
	}
}

/* ---- containers -------------------------------------------------------------------------------
 */

static enum rc load_value(struct loader *l, const yaml_event_t *event, struct json **ret_tree);

static enum rc load_next(struct loader *l, uint32_t *ret_line, struct json **ret_tree)
{
	CLEANUP(yaml_event_delete) yaml_event_t event = {};
	TRY(next_event(l, &event));
	*ret_line = line_of(&event);
	return load_value(l, &event, ret_tree);
}

static enum rc open_level(struct loader *l, uint32_t line, bool is_flow)
{
	l->flow_levels += is_flow;
	if (l->flow_levels > YAML_MAX_FLOW_LEVELS)
		return err_set(
			l->err, RC_BAD_REQUEST,
			"yaml: line %u: more than the limit of %d levels in braces or brackets",
			line, YAML_MAX_FLOW_LEVELS);
	return json_stack_open(&l->stack) ? RC_OK : too_deep(l, line);
}

static enum rc load_items(struct loader *l)
{
	for (;;) {
		CLEANUP(yaml_event_delete) yaml_event_t event = {};
		struct json *item;
		TRY(next_event(l, &event));
		if (event.type == YAML_SEQUENCE_END_EVENT)
			return RC_OK;
		size_t slot = json_stack_push(&l->stack, (struct str){}, line_of(&event));
		TRY(load_value(l, &event, &item));
		l->stack.members[slot].value = item;
	}
}

static enum rc load_sequence(struct loader *l, const yaml_event_t *event, struct json **ret_tree)
{
	struct anchor *anchor;
	TRY(count_node(l));
	TRY(open_anchor(l, event->data.sequence_start.anchor, &anchor));
	bool is_flow = event->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	TRY(open_level(l, line_of(event), is_flow));
	TRY(load_items(l));
	l->flow_levels -= is_flow;
	*ret_tree = json_array(l->arena);
	json_stack_array(&l->stack, *ret_tree);
	if (anchor)
		anchor->tree = *ret_tree;
	return RC_OK;
}

static enum rc key_text(struct loader *l, uint32_t line, const struct json *key,
			struct str *ret_key)
{
	CLEANUP_BUF text = BUF_INIT(64);
	switch (key->type) {
	case JSON_STRING:
		*ret_key = key->string;
		return RC_OK;
	case JSON_BOOL:
		*ret_key = key->boolean ? STR("true") : STR("false");
		return RC_OK;
	case JSON_INT:
		buf_add_i64(&text, key->integer);
		break;
	case JSON_DOUBLE:
		double_write(&text, key->number, -4, 21, 2);
		break;
	default:
		return err_set(
			l->err, RC_BAD_REQUEST,
			"yaml: line %u: unsupported map key: %s; keys are strings, numbers or "
			"booleans",
			line, key->type == JSON_NULL ? "null" : "a list or map");
	}
	*ret_key = arena_str(l->arena, buf_str(&text));
	return RC_OK;
}

static bool is_merge_key(const yaml_event_t *event)
{
	if (event->type != YAML_SCALAR_EVENT || event->data.scalar.length != 2 ||
	    memcmp(event->data.scalar.value, "<<", 2) != 0)
		return false;
	const char *tag = (const char *)event->data.scalar.tag;
	return tag ? strcmp(tag, TAG_PREFIX "merge") == 0 : event->data.scalar.plain_implicit;
}

static enum rc load_members(struct loader *l, struct json *merges)
{
	for (;;) {
		CLEANUP(yaml_event_delete) yaml_event_t event = {};
		struct json *key_tree, *value;
		struct str key = STR("<<");
		uint32_t line;
		TRY(next_event(l, &event));
		if (event.type == YAML_MAPPING_END_EVENT)
			return RC_OK;
		bool is_merge = is_merge_key(&event);
		/* The slot is kept while the key is read, as a key may open levels of its own. */
		size_t slot = json_stack_push(&l->stack, key, line_of(&event));
		if (!is_merge) {
			TRY(load_value(l, &event, &key_tree));
			TRY(key_text(l, line_of(&event), key_tree, &key));
			l->stack.members[slot].key = key;
		}
		TRY(load_next(l, &line, &value));
		l->stack.members[slot].value = value;
		l->stack.lines[slot] = line;
		if (!is_merge)
			continue;
		json_append(l->arena, merges, value);
		l->stack.count = slot;
	}
}

static enum rc add_merge(struct loader *l, const struct json *source, struct json *all)
{
	if (source->type != JSON_OBJECT)
		return err_set(l->err, RC_BAD_REQUEST,
			       "yaml: map merge requires map or sequence of maps as the value");
	for (size_t i = 0; i < source->object.count; i++) {
		all->object.members = arena_grow(l->arena, all->object.members, all->object.count,
						 &all->object.cap, sizeof(struct json_member));
		all->object.members[all->object.count++] = source->object.members[i];
	}
	return RC_OK;
}

/* Own keys win over merged ones, earlier merged maps over later ones: so all are put in a row from
 * the weakest to the strongest, and the last of each key stays. */
static enum rc merge_members(struct loader *l, const struct json *merges, struct json *object)
{
	struct json *all = json_object(l->arena);
	for (size_t i = merges->array.count; i-- > 0;) {
		const struct json *source = merges->array.items[i];
		if (source->type != JSON_ARRAY) {
			TRY(add_merge(l, source, all));
			continue;
		}
		for (size_t j = source->array.count; j-- > 0;)
			TRY(add_merge(l, source->array.items[j], all));
	}
	TRY(add_merge(l, object, all));
	all->object.count =
		json_unique(l->arena, all->object.members, all->object.count, false, NULL, NULL);
	*object = *all;
	return RC_OK;
}

static enum rc load_mapping(struct loader *l, const yaml_event_t *event, struct json **ret_tree)
{
	struct anchor *anchor;
	struct json merges = {.type = JSON_ARRAY};
	TRY(count_node(l));
	TRY(open_anchor(l, event->data.mapping_start.anchor, &anchor));
	bool is_flow = event->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
	TRY(open_level(l, line_of(event), is_flow));
	TRY(load_members(l, &merges));
	l->flow_levels -= is_flow;
	*ret_tree = json_object(l->arena);
	json_stack_object(&l->stack, *ret_tree);
	if (merges.array.count)
		TRY(merge_members(l, &merges, *ret_tree));
	if (anchor)
		anchor->tree = *ret_tree;
	return RC_OK;
}

static enum rc load_value(struct loader *l, const yaml_event_t *event, struct json **ret_tree)
{
	struct anchor *anchor;
	switch (event->type) {
	case YAML_ALIAS_EVENT:
		return load_alias(l, event, ret_tree);
	case YAML_SEQUENCE_START_EVENT:
		return load_sequence(l, event, ret_tree);
	case YAML_MAPPING_START_EVENT:
		return load_mapping(l, event, ret_tree);
	default:
		ASSERT(event->type == YAML_SCALAR_EVENT);
		TRY(open_anchor(l, event->data.scalar.anchor, &anchor));
		TRY(load_scalar(l, event, ret_tree));
		if (anchor)
			anchor->tree = *ret_tree;
		return RC_OK;
	}
}

static enum rc load_stream(struct loader *l)
{
	for (;;) {
		CLEANUP(yaml_event_delete) yaml_event_t event = {};
		struct yaml_document document;
		TRY(next_event(l, &event));
		if (event.type == YAML_STREAM_END_EVENT)
			return RC_OK;
		if (event.type != YAML_DOCUMENT_START_EVENT)
			continue;
		map_done(&l->anchors);
		TRY(load_next(l, &document.line, &document.tree));
		l->documents =
			arena_grow(l->arena, l->documents, l->count, &l->cap, sizeof(document));
		l->documents[l->count++] = document;
	}
}

/* libyaml looks through all known tag directives for each new one. */
static enum rc check_size(struct str text, struct err *err)
{
	static const char directive[] = "\n%TAG";
	const char *at = text.at ? text.at : "", *end = at + text.len;
	int count = 0;
	if (text.len > YAML_MAX_BYTES)
		return err_set(err, RC_TOO_LARGE,
			       "YAML of %zu bytes is larger than the limit of %u bytes", text.len,
			       YAML_MAX_BYTES);
	while ((at = memmem(at, (size_t)(end - at), directive, strlen(directive)))) {
		at++;
		if (++count > MAX_TAG_DIRECTIVES)
			return err_set(err, RC_BAD_REQUEST,
				       "yaml: more than the limit of %d %%TAG directives",
				       MAX_TAG_DIRECTIVES);
	}
	return RC_OK;
}

static void loader_init(struct loader *l, struct arena *a, struct str text, struct err *err)
{
	memset(l, 0, offsetof(struct loader, stack.bases));
	l->arena = l->stack.arena = a;
	l->err = err;
	l->stack.has_lines = true;
	ASSERT(yaml_parser_initialize(&l->parser));
	yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)(text.at ? text.at : ""),
				     text.len);
}

static void loader_done(struct loader *l)
{
	yaml_parser_delete(&l->parser);
	map_done(&l->anchors);
	json_stack_done(&l->stack);
}

enum rc yaml_parse(struct arena *a, struct str text, struct yaml_document **ret_documents,
		   size_t *ret_count, struct json_duplicates *duplicates, struct err *err)
{
	struct loader l;
	TRY(check_size(text, err));
	loader_init(&l, a, text, err);
	l.stack.duplicates = duplicates;
	enum rc rc = load_stream(&l);
	loader_done(&l);
	TRY(rc);
	*ret_documents = l.documents;
	*ret_count = l.count;
	return RC_OK;
}

uint32_t yaml_second_document_line(const struct json_duplicates *duplicates)
{
	uint32_t first = 0;
	for (size_t i = 0; i < duplicates->count; i++) {
		struct str path = duplicates->paths[i];
		bool is_start = str_is(path, "apiVersion") || str_is(path, "kind") ||
				str_is(path, "metadata");
		if (is_start && (first == 0 || duplicates->lines[i] < first))
			first = duplicates->lines[i];
	}
	return first;
}

static struct yaml_place place_of_offset(struct str text, size_t offset)
{
	struct yaml_place place = {1, 1};
	for (size_t i = 0; i < offset && i < text.len; i++) {
		place.column++;
		if (text.at[i] == '\n')
			place = (struct yaml_place){place.line + 1, 1};
	}
	return place;
}

bool yaml_find_error(struct str text, struct yaml_place *ret_place)
{
	CLEANUP_ARENA scratch = {};
	struct loader l;
	if (check_size(text, NULL) != RC_OK)
		return false;
	loader_init(&l, &scratch, text, NULL);
	bool is_wrong = load_stream(&l) != RC_OK;
	yaml_mark_t mark = l.parser.error == YAML_NO_ERROR ? l.mark : l.parser.problem_mark;
	if (is_wrong && l.parser.error == YAML_READER_ERROR)
		*ret_place = place_of_offset(text, l.parser.problem_offset);
	else if (is_wrong)
		*ret_place =
			(struct yaml_place){(uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
	loader_done(&l);
	return is_wrong;
}
