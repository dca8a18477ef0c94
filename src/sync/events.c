#include "sync/events.h"

#include "api/api_ids.h"
#include "api/views.h"
#include "base/arena.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/timefmt.h"

#define SAME_EVENT_US  (600 * INT64_C(1000000))
#define SIMILAR_MOST   10
#define SPAM_BURST     25
#define SPAM_REFILL_US (300 * INT64_C(1000000))
#define SPAM_TOKEN     1000 /* tokens are counted in thousandths */
#define COMBINED       "(combined from similar events): "

enum memory_kind { MEMORY_SAME, MEMORY_SIMILAR, MEMORY_SPAM, MEMORY_KINDS };

/* What is remembered under one key, least recently used first. */
struct memory {
	struct list link;
	char *key;
	int64_t last_us, first_us;
	char *name, *namespace; /* SAME: of the Event */
	uint32_t count;		/* SAME: its count; SIMILAR: different messages */
	int64_t tokens;		/* SPAM */
	bool is_written;	/* SAME: the server has it */
};

struct memories {
	struct map by_key;
	struct list recent;
};

struct event_recorder {
	struct memories kinds[MEMORY_KINDS];
	uint32_t refs; /* one of the user, one a request in flight */
	int64_t last_name_ns;
	bool is_closed;
};

struct event_recorder *event_recorder_new(void)
{
	struct event_recorder *r = NEW(struct event_recorder);
	r->refs = 1;
	for (int i = 0; i < MEMORY_KINDS; i++)
		list_init(&r->kinds[i].recent);
	return r;
}

static void memory_free(struct memories *m, struct memory *memory)
{
	map_remove(&m->by_key, str_of(memory->key));
	list_remove(&memory->link);
	free(memory->key);
	free(memory->name);
	free(memory->namespace);
	free(memory);
}

static void recorder_unref(struct event_recorder *r)
{
	if (--r->refs > 0)
		return;
	for (int i = 0; i < MEMORY_KINDS; i++) {
		struct memory *memory;
		LIST_FOR_EACH (memory, &r->kinds[i].recent, link)
			memory_free(&r->kinds[i], memory);
		map_done(&r->kinds[i].by_key);
	}
	free(r);
}

void event_recorder_free(struct event_recorder *r)
{
	if (!r)
		return;
	r->is_closed = true;
	recorder_unref(r);
}

static struct memory *recall(struct memories *m, struct str key)
{
	struct memory *memory = map_get(&m->by_key, key);
	if (memory) {
		list_remove(&memory->link);
	} else {
		if (m->by_key.count >= EVENTS_REMEMBERED)
			memory_free(m, LIST_FIRST(&m->recent, struct memory, link));
		memory = NEW(struct memory);
		memory->key = mem_strndup(key.at, key.len);
		map_set(&m->by_key, key, memory);
	}
	list_append(&m->recent, &memory->link);
	return memory;
}

void event_note_about(struct event_note *note, const struct object *o)
{
	note->kind = o->kind->kind;
	note->api_version = o->kind->api_version;
	note->namespace = o->namespace;
	note->name = o->name;
	note->uid = o->uid;
	note->revision = o->revision;
}

static struct str source_key(struct arena *a, const struct event_note *n)
{
	return arena_printf(a, "%.*s|%.*s|%.*s|%.*s|%.*s|%.*s|%.*s", STR_FMT(n->component),
			    STR_FMT(n->host), STR_FMT(n->kind), STR_FMT(n->namespace),
			    STR_FMT(n->name), STR_FMT(n->uid), STR_FMT(n->api_version));
}

/* A token bucket for each source and object. */
static bool is_spam(struct event_recorder *r, struct str source, int64_t now_us)
{
	struct memory *m = recall(&r->kinds[MEMORY_SPAM], source);
	if (!m->first_us) {
		m->first_us = now_us;
		m->tokens = SPAM_BURST * SPAM_TOKEN;
	} else {
		int64_t more = (now_us - m->last_us) * SPAM_TOKEN / SPAM_REFILL_US;
		if (more <= 0 && m->tokens < SPAM_TOKEN)
			return true;
		m->tokens = MIN(m->tokens + MAX(more, 0), SPAM_BURST * (int64_t)SPAM_TOKEN);
	}
	m->last_us = now_us;
	if (m->tokens < SPAM_TOKEN)
		return true;
	m->tokens -= SPAM_TOKEN;
	return false;
}

/* Returns the key under which the event is the same as one before; may change the message. */
static struct str same_key(struct event_recorder *r, struct arena *a, struct event_note *n,
			   struct str source, int64_t now_us)
{
	struct str similar = arena_printf(a, "%.*s|%.*s|%.*s|%.*s", STR_FMT(source),
					  STR_FMT(n->field_path), STR_FMT(n->type),
					  STR_FMT(n->reason));
	struct str key = arena_printf(a, "%.*s|%.*s", STR_FMT(similar), STR_FMT(n->message));
	struct memory *m = recall(&r->kinds[MEMORY_SIMILAR], similar);
	if (now_us - m->last_us > SAME_EVENT_US)
		m->count = 0;
	m->last_us = now_us;
	if (!map_has(&r->kinds[MEMORY_SAME].by_key, key))
		m->count++;
	if (m->count < SIMILAR_MOST)
		return key;
	n->message = arena_printf(a, COMBINED "%.*s", STR_FMT(n->message));
	return similar;
}

static struct str time_text(struct arena *a, int64_t time_us, bool is_micro)
{
	char text[TIME_TEXT_MAX];
	size_t len = is_micro ? time_format_micro(time_us, text) : time_format(time_us, text);
	return arena_str(a, str_n(text, len));
}

static struct json *reference_tree(struct arena *a, const struct event_note *n)
{
	struct json *ref = json_object(a);
	const struct {
		const char *key;
		struct str value;
	} rows[] = {{"kind", n->kind},
		    {"namespace", n->namespace},
		    {"name", n->name},
		    {"uid", n->uid},
		    {"apiVersion", n->api_version},
		    {"resourceVersion",
		     n->revision ? arena_printf(a, "%lld", (long long)n->revision) : STR("")},
		    {"fieldPath", n->field_path}};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].value.len)
			json_set_str(a, ref, str_of(rows[i].key), rows[i].value);
	return ref;
}

static void times_add(struct arena *a, struct json *event, const struct event_note *n,
		      int64_t now_us)
{
	if (n->action.len) {
		json_set_str(a, event, STR("eventTime"), time_text(a, now_us, true));
		json_set_str(a, event, STR("action"), n->action);
		json_set(a, event, STR("source"), json_object(a));
		json_set(a, event, STR("firstTimestamp"), json_null(a));
		json_set(a, event, STR("lastTimestamp"), json_null(a));
		return;
	}
	json_set(a, event, STR("eventTime"), json_null(a));
	json_set_str(a, event, STR("firstTimestamp"), time_text(a, now_us, false));
	json_set_str(a, event, STR("lastTimestamp"), time_text(a, now_us, false));
	json_set(a, event, STR("count"), json_int(a, 1));
	struct json *source = json_need_object(a, event, STR("source"));
	json_set_str(a, source, STR("component"), n->component);
	if (n->host.len)
		json_set_str(a, source, STR("host"), n->host);
}

static struct json *event_tree(struct arena *a, const struct event_note *n, const struct memory *m)
{
	struct json *event = json_object(a);
	json_set_str(a, event, STR("kind"), STR("Event"));
	json_set_str(a, event, STR("apiVersion"), STR("v1"));
	struct json *meta = json_need_object(a, event, STR("metadata"));
	json_set_str(a, meta, STR("name"), arena_str(a, str_of(m->name)));
	json_set_str(a, meta, STR("namespace"), arena_str(a, str_of(m->namespace)));
	json_set(a, event, STR("involvedObject"), reference_tree(a, n));
	json_set_str(a, event, STR("reason"), n->reason);
	json_set_str(a, event, STR("message"), n->message);
	json_set_str(a, event, STR("type"), n->type);
	times_add(a, event, n, m->first_us);
	json_set_str(a, event, STR("reportingComponent"), n->component);
	struct str instance = n->host;
	if (n->action.len)
		instance = arena_printf(a, "%.*s-skeg", STR_FMT(n->component));
	json_set_str(a, event, STR("reportingInstance"), instance.len ? instance : STR(""));
	return event;
}

static struct json *repeat_tree(struct arena *a, const struct event_note *n, const struct memory *m)
{
	struct json *patch = json_object(a);
	if (n->action.len) {
		struct json *series = json_need_object(a, patch, STR("series"));
		json_set(a, series, STR("count"), json_int(a, m->count));
		json_set_str(a, series, STR("lastObservedTime"), time_text(a, m->last_us, true));
		return patch;
	}
	json_set(a, patch, STR("count"), json_int(a, m->count));
	json_set_str(a, patch, STR("message"), n->message);
	json_set_str(a, patch, STR("lastTimestamp"), time_text(a, m->last_us, false));
	return patch;
}

/* One write on its way; the memory may be forgotten meanwhile, hence by key. */
struct sending {
	struct event_recorder *recorder;
	char *key;
};

static void sent(void *ctx, const struct client_reply *reply)
{
	struct sending *s = ctx;
	struct memory *m = map_get(&s->recorder->kinds[MEMORY_SAME].by_key, str_of(s->key));
	if (m && reply->rc == RC_OK)
		m->is_written = true;
	if (reply->rc != RC_OK) {
		log_debug("sync", "event not written: %s", reply->err.text);
		if (m && !s->recorder->is_closed)
			memory_free(&s->recorder->kinds[MEMORY_SAME], m);
	}
	recorder_unref(s->recorder);
	free(s->key);
	free(s);
}

static void memory_start(struct event_recorder *r, struct memory *m, const struct event_note *n,
			 int64_t now_us)
{
	free(m->name);
	free(m->namespace);
	/* Events about objects without a namespace live in "default". */
	struct str namespace = n->namespace.len ? n->namespace : STR("default");
	m->namespace = mem_strndup(namespace.at, namespace.len);
	r->last_name_ns = MAX(now_us * 1000, r->last_name_ns + 1);
	m->name = mem_printf("%.*s.%llx", STR_FMT(n->name), (unsigned long long)r->last_name_ns);
	m->first_us = now_us;
	m->count = 1;
	m->is_written = false;
}

static void note_clean(struct arena *a, struct event_note *n)
{
	if (n->message.len > EVENTS_MESSAGE_BYTES) {
		size_t len = EVENTS_MESSAGE_BYTES - 3;
		while (len > 0 && ((unsigned char)n->message.at[len] & 0xc0) == 0x80)
			len--;
		n->message = arena_printf(a, "%.*s...", (int)len, n->message.at);
	}
	if (!n->message.at)
		n->message = STR("");
}

void event_record(struct event_recorder *r, struct client *client, const struct event_note *note)
{
	CLEANUP_ARENA a = {};
	struct event_note n = *note;
	int64_t now_us = world_wall_us();
	struct str source = source_key(&a, &n);
	if (is_spam(r, source, now_us))
		return;
	struct str key = same_key(r, &a, &n, source, now_us);
	note_clean(&a, &n);
	struct memory *m = recall(&r->kinds[MEMORY_SAME], key);
	bool is_repeat = m->is_written && now_us - m->last_us <= SAME_EVENT_US;
	m->last_us = now_us;
	struct client_request request = {.kind = api_by_stored(client->api, KIND_EVENT),
					 .grace_period_s = -1,
					 .field_manager = n.component};
	if (is_repeat) {
		m->count++;
		request.verb = CLIENT_PATCH_MERGE;
		request.body = repeat_tree(&a, &n, m);
	} else {
		memory_start(r, m, &n, now_us);
		request.verb = CLIENT_CREATE;
		request.body = event_tree(&a, &n, m);
	}
	request.name = str_of(m->name);
	request.namespace = str_of(m->namespace);
	struct sending *s = NEW(struct sending);
	s->recorder = r;
	s->key = mem_strndup(key.at, key.len);
	r->refs++;
	client->ops->submit(client, &request, sent, s);
}
