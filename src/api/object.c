#include "api/object.h"

#include <inttypes.h>

#include "api/api_ids.h"
#include "api/views.h"

/* The parts are written one after the other, so that the bytes without a revision are a valid
 * document whose resourceVersion is empty: it can be parsed where it lies. */

#define REVISION_KEY	    "\"resourceVersion\":\""
#define REVISION_DIGITS_MAX 20

static const char *const meta_before_revision[] = {"name", "generateName", "namespace", "selfLink",
						   "uid"};
static const char *const meta_after_revision[] = {
	"generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
	"labels",     "annotations",	   "ownerReferences",	"finalizers",
};

struct view_holder {
	struct arena arena;
	void *view;
	const struct object_meta *meta;
};

/* ---- Construction ---- */

static bool is_known_meta(struct str key)
{
	if (str_is(key, "resourceVersion") || str_is(key, "managedFields"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(meta_before_revision); i++)
		if (str_is(key, meta_before_revision[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(meta_after_revision); i++)
		if (str_is(key, meta_after_revision[i]))
			return true;
	return false;
}

static void write_member(struct buf *out, struct str key, const struct json *value)
{
	json_write_string(out, key);
	buf_add_char(out, ':');
	json_write(out, value);
}

struct parts {
	size_t head, middle, managed, tail; /* lengths */
};

static void write_head(struct buf *out, const struct api_kind *kind, const struct json *meta)
{
	buf_add_cstr(out, "{\"kind\":");
	json_write_string(out, kind->kind);
	buf_add_cstr(out, ",\"apiVersion\":");
	json_write_string(out, kind->api_version);
	buf_add_cstr(out, ",\"metadata\":{");
	for (size_t i = 0; i < ARRAY_LEN(meta_before_revision); i++) {
		struct str key = str_of(meta_before_revision[i]);
		const struct json *value = json_get(meta, key);
		if (!value)
			continue;
		write_member(out, key, value);
		buf_add_char(out, ',');
	}
	buf_add_cstr(out, REVISION_KEY);
}

static void write_middle(struct buf *out, const struct json *meta)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < ARRAY_LEN(meta_after_revision); i++) {
		struct str key = str_of(meta_after_revision[i]);
		const struct json *value = json_get(meta, key);
		if (!value)
			continue;
		buf_add_char(out, ',');
		write_member(out, key, value);
	}
	for (size_t i = 0; i < json_count(meta); i++) {
		const struct json_member *m = &meta->object.members[i];
		if (is_known_meta(m->key))
			continue;
		buf_add_char(out, ',');
		write_member(out, m->key, m->value);
	}
}

static void write_managed(struct buf *out, const struct json *meta)
{
	const struct json *managed = json_get(meta, STR("managedFields"));
	if (!json_count(managed))
		return;
	buf_add_char(out, ',');
	write_member(out, STR("managedFields"), managed);
}

static void write_tail(struct buf *out, const struct json *tree)
{
	buf_add_char(out, '}');
	for (size_t i = 0; i < tree->object.count; i++) {
		const struct json_member *m = &tree->object.members[i];
		if (str_is(m->key, "kind") || str_is(m->key, "apiVersion") ||
		    str_is(m->key, "metadata"))
			continue;
		buf_add_char(out, ',');
		write_member(out, m->key, m->value);
	}
	buf_add_char(out, '}');
}

static struct parts write_parts(struct buf *out, const struct api_kind *kind,
				const struct json *tree)
{
	const struct json *meta = json_get(tree, STR("metadata"));
	struct parts p;
	if (meta && meta->type != JSON_OBJECT)
		meta = NULL;
	write_head(out, kind, meta);
	p.head = out->len;
	write_middle(out, meta);
	p.middle = out->len - p.head;
	write_managed(out, meta);
	p.managed = out->len - p.head - p.middle;
	write_tail(out, tree);
	p.tail = out->len - p.head - p.middle - p.managed;
	return p;
}

/* Copies a string behind the labels and gives it a NUL. */
static struct str keep(char **at, struct str s)
{
	char *copy = *at;
	if (s.len)
		memcpy(copy, s.at, s.len);
	copy[s.len] = 0;
	*at += s.len + 1;
	return str_n(copy, s.len);
}

static struct str meta_str(const struct json *meta, const char *key)
{
	return json_str(json_get(meta, str_of(key)));
}

static size_t kept_bytes(const struct json *meta, const struct json *labels)
{
	size_t bytes = meta_str(meta, "name").len + meta_str(meta, "namespace").len +
		       meta_str(meta, "uid").len + 3;
	for (size_t i = 0; i < json_count(labels); i++)
		bytes += labels->object.members[i].key.len +
			 json_str(labels->object.members[i].value).len + 2;
	return bytes;
}

static void fill_index(struct object *o, const struct json *meta, const struct json *labels,
		       struct object_label *slots, char *at)
{
	o->name = keep(&at, meta_str(meta, "name"));
	o->namespace = keep(&at, meta_str(meta, "namespace"));
	o->uid = keep(&at, meta_str(meta, "uid"));
	o->generation = json_i64(json_get(meta, STR("generation")));
	o->is_deleting = meta_str(meta, "deletionTimestamp").len > 0;
	o->labels = slots;
	o->label_count = (uint16_t)json_count(labels);
	for (uint16_t i = 0; i < o->label_count; i++) {
		slots[i].key = keep(&at, labels->object.members[i].key);
		slots[i].value = keep(&at, json_str(labels->object.members[i].value));
	}
}

static void fill_parts(struct object *o, const char *at, const struct parts *p)
{
	o->head = str_n(at, p->head);
	o->middle = str_n(at + p->head, p->middle);
	o->managed = str_n(at + p->head + p->middle, p->managed);
	o->tail = str_n(at + p->head + p->middle + p->managed, p->tail);
}

enum rc object_new(const struct api_kind *kind, const struct json *tree, int64_t revision,
		   struct object **ret_object, struct err *err)
{
	CLEANUP_BUF bytes = BUF_INIT(OBJECT_MAX_BYTES);
	if (!tree || tree->type != JSON_OBJECT)
		return err_set(err, RC_BAD_REQUEST, "%.*s is not an object", STR_FMT(kind->kind));
	struct parts parts = write_parts(&bytes, kind, tree);
	TRY(buf_check(&bytes, "object", err));

	const struct json *meta = json_get(tree, STR("metadata"));
	const struct json *labels = json_get(meta, STR("labels"));
	if (labels && (labels->type != JSON_OBJECT || labels->object.count > UINT16_MAX))
		labels = NULL;
	size_t label_bytes = json_count(labels) * sizeof(struct object_label);
	size_t kept = kept_bytes(meta, labels);
	struct object *o = mem_resize(NULL, sizeof(*o) + label_bytes + kept + bytes.len);
	struct object_label *slots = (struct object_label *)(o + 1);
	char *text = (char *)slots + label_bytes + kept;
	*o = (struct object){.kind = kind, .stored_id = kind->stored_id, .revision = revision};
	atomic_init(&o->refs, 1);
	memcpy(text, bytes.data, bytes.len);
	fill_parts(o, text, &parts);
	fill_index(o, meta, labels, slots, text - kept);
	*ret_object = o;
	return RC_OK;
}

enum rc object_parse(const struct api_kind *kind, struct str bytes, int64_t revision,
		     struct object **ret_object, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct json *tree;
	TRY(json_parse(&a, bytes, &tree, NULL, err));
	return object_new(kind, tree, revision, ret_object, err);
}

static struct str document(const struct object *o)
{
	return str_n(o->head.at, o->head.len + o->middle.len + o->managed.len + o->tail.len);
}

void object_share(struct object **object, struct object *former)
{
	struct object *o = *object, *base = former->base ? former->base : former;
	ASSERT(atomic_load(&o->refs) == 1);
	if (o->kind != base->kind || o->head.len != base->head.len ||
	    !str_eq(document(o), document(base)))
		return;
	struct object *same = mem_alloc(sizeof(*same));
	*same = (struct object){
		.kind = base->kind,
		.stored_id = base->stored_id,
		.is_deleting = base->is_deleting,
		.label_count = base->label_count,
		.revision = o->revision,
		.generation = base->generation,
		.namespace = base->namespace,
		.name = base->name,
		.uid = base->uid,
		.labels = base->labels,
		.head = base->head,
		.middle = base->middle,
		.managed = base->managed,
		.tail = base->tail,
		.base = object_ref(base),
	};
	atomic_init(&same->refs, 1);
	object_unref(o);
	*object = same;
}

struct object *object_ref(struct object *o)
{
	if (o)
		atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
	return o;
}

static void holder_free(struct view_holder *holder)
{
	if (!holder)
		return;
	struct arena arena = holder->arena; /* it holds the holder too */
	arena_done(&arena);
}

void object_unref(struct object *o)
{
	if (!o || atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1)
		return;
	holder_free(atomic_load(&o->view));
	free(atomic_load(&o->row));
	object_unref(o->base);
	free(o);
}

void object_set_revision(struct object *o, int64_t revision)
{
	ASSERT(!atomic_load(&o->view) && !atomic_load(&o->row));
	o->revision = revision;
}

/* ---- Bytes ---- */

/* Without a revision (before the commit, and after a dry run) its member is left out. */
static void write_unversioned(struct buf *out, const struct object *o)
{
	struct str head = str_n(o->head.at, o->head.len - strlen(REVISION_KEY));
	struct str rest = str_skip(document(o), o->head.len + 1);
	if (head.at[head.len - 1] == ',')
		head.len--;
	else if (rest.at[0] == ',')
		rest = str_skip(rest, 1);
	buf_add_str(out, head);
	buf_add_str(out, rest);
}

void object_write(struct buf *out, const struct object *o)
{
	if (!o->revision) {
		write_unversioned(out, o);
		return;
	}
	buf_add_str(out, o->head);
	buf_add_i64(out, o->revision);
	buf_add_str(out, str_skip(document(o), o->head.len));
}

size_t object_size(const struct object *o)
{
	size_t digits = 0;
	if (!o->revision) {
		bool has_comma = o->head.at[o->head.len - strlen(REVISION_KEY) - 1] == ',' ||
				 document(o).at[o->head.len + 1] == ',';
		return document(o).len - strlen(REVISION_KEY) - 1 - has_comma;
	}
	for (int64_t rest = o->revision; rest; rest /= 10)
		digits++;
	return document(o).len + digits;
}

struct json *object_tree(struct arena *a, const struct object *o)
{
	struct json *tree = NULL;
	struct err err;
	enum rc rc = json_parse(a, document(o), &tree, NULL, &err);
	ASSERT(rc == RC_OK); /* we wrote it */
	struct json *meta = json_get(tree, STR("metadata"));
	if (o->revision)
		json_set(a, meta, STR("resourceVersion"), json_printf(a, "%" PRId64, o->revision));
	else
		json_remove(meta, STR("resourceVersion"));
	return tree;
}

struct str object_label(const struct object *o, struct str key)
{
	for (uint16_t i = 0; i < o->label_count; i++)
		if (str_eq(o->labels[i].key, key))
			return o->labels[i].value;
	return (struct str){};
}

/* ---- View ---- */

static const struct api_type *view_type(const struct api_kind *kind)
{
	const struct api *api = api_builtin();
	bool is_builtin = kind >= api->kinds && kind < api->kinds + api->kind_count;
	return api_type(api, is_builtin ? kind->type : TYPE_META_V1_PARTIAL_OBJECT_METADATA);
}

static struct view_holder *holder_make(struct arena *a, const struct object *o,
				       const struct json *tree)
{
	struct view_holder *holder = ARENA_NEW(a, struct view_holder);
	const struct api_type *type = view_type(o->kind);
	const struct api_field *meta = api_field(type, STR("metadata"));
	ASSERT(meta);
	holder->view = view_from_text(a, type, tree, document(o));
	holder->meta = (const struct object_meta *)((char *)holder->view + meta->view_offset);
	return holder;
}

/* Made twice: once to see how large it is, then in one block of that size, since many are kept. */
static struct view_holder *holder_new(const struct object *o)
{
	CLEANUP_ARENA scratch = {};
	struct arena a = {};
	struct json *tree = object_tree(&scratch, o);
	json_remove(json_get(tree, STR("metadata")), STR("managedFields"));
	size_t before = scratch.used_bytes;
	(void)holder_make(&scratch, o, tree);
	arena_reserve(&a, scratch.used_bytes - before);
	struct view_holder *holder = holder_make(&a, o, tree);
	holder->arena = a;
	return holder;
}

static const struct view_holder *holder_of(const struct object *o)
{
	_Atomic(void *) *slot = &((struct object *)o)->view; /* a cache, not state */
	void *holder = atomic_load_explicit(slot, memory_order_acquire);
	if (holder)
		return holder;
	struct view_holder *mine = holder_new(o);
	if (atomic_compare_exchange_strong(slot, &holder, mine))
		return mine;
	holder_free(mine); /* another thread was faster */
	return holder;
}

const void *object_view(const struct object *o)
{
	return holder_of(o)->view;
}

const struct object_meta *object_meta(const struct object *o)
{
	return holder_of(o)->meta;
}
