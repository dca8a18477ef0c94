/* Commits, their keys, and the overlay of those that are not durable yet. */
#include "base/mem.h"
#include "store/store-int.h"

struct commit *commit_new(size_t count)
{
	struct commit *c = mem_alloc(sizeof(*c) + count * sizeof(c->entries[0]));
	c->count = count;
	return c;
}

void commit_free(struct commit *c)
{
	if (!c)
		return;
	ASSERT(!list_is_linked(&c->link) && !list_is_linked(&c->queue_link));
	for (size_t i = 0; i < c->count; i++) {
		object_unref(c->entries[i].object);
		object_unref(c->entries[i].former);
	}
	free(c);
}

bool commit_frees_space(const struct commit *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (!c->entries[i].is_delete && !c->entries[i].object->is_deleting)
			return false;
	return true;
}

size_t key_pack(char out[STORE_KEY_MAX + 8], struct str namespace, struct str name)
{
	if (namespace.len + name.len > STORE_KEY_MAX || name.len == 0)
		return 0;
	if (memchr(name.at, 0, name.len) ||
	    (namespace.len > 0 && memchr(namespace.at, 0, namespace.len)))
		return 0;
	if (namespace.len > 0)
		memcpy(out, namespace.at, namespace.len);
	out[namespace.len] = 0;
	memcpy(out + namespace.len + 1, name.at, name.len);
	return namespace.len + 1 + name.len;
}

const char *resource_name(const struct api *api, uint16_t stored_id, char out[RESOURCE_NAME_MAX])
{
	const struct api_kind *kind = api_by_stored(api, stored_id);
	if (!kind)
		return NULL;
	snprintf(out, RESOURCE_NAME_MAX, "%.*s%s%.*s", STR_FMT(kind->plural),
		 kind->group.len > 0 ? "." : "", STR_FMT(kind->group));
	return out;
}

/* --- the overlay --- */

struct str overlay_key(struct overlay_key *key, uint16_t stored_id, struct str namespace,
		       struct str name)
{
	memcpy(key->bytes, &stored_id, sizeof(stored_id));
	size_t len = key_pack(key->bytes + sizeof(stored_id), namespace, name);
	return len ? str_n(key->bytes, len + sizeof(stored_id)) : (struct str){};
}

struct str entry_key(struct overlay_key *key, const struct entry *e)
{
	struct str s = overlay_key(key, e->stored_id, e->object->namespace, e->object->name);
	ASSERT(s.at);
	return s;
}

void overlay_add(struct overlay *o, struct commit *c)
{
	struct overlay_key key;
	for (size_t i = 0; i < c->count; i++)
		map_set(&o->newest, entry_key(&key, &c->entries[i]), &c->entries[i]);
	o->writes += c->count;
	o->bytes += c->bytes;
}

void overlay_remove(struct overlay *o, struct commit *c)
{
	struct overlay_key key;
	for (size_t i = 0; i < c->count; i++) {
		struct str s = entry_key(&key, &c->entries[i]);
		if (map_get(&o->newest, s) == &c->entries[i])
			map_remove(&o->newest, s);
	}
	ASSERT(o->writes >= c->count && o->bytes >= c->bytes);
	o->writes -= c->count;
	o->bytes -= c->bytes;
}

const struct entry *overlay_get(const struct overlay *o, uint16_t stored_id, struct str namespace,
				struct str name)
{
	struct overlay_key key;
	if (o->newest.count == 0)
		return NULL;
	struct str s = overlay_key(&key, stored_id, namespace, name);
	return s.at ? map_get(&o->newest, s) : NULL;
}

void overlay_reset(struct overlay *o)
{
	map_done(&o->newest);
	*o = (struct overlay){};
}
