#include "server/request_metrics.h"

#include <pthread.h>
#include <string.h>

enum scope { SCOPE_NONE, SCOPE_RESOURCE, SCOPE_NAMESPACE, SCOPE_CLUSTER };

static const char *const scope_names[] = {"", "resource", "namespace", "cluster"};

/* Upper bounds in milliseconds, upstream's. */
static const uint32_t buckets_ms[] = {5,    25,	   50,	  100,	 200,	400,   600,  800,
				      1000, 1250,  1500,  2000,	 3000,	4000,  5000, 6000,
				      8000, 10000, 15000, 20000, 30000, 45000, 60000};

/* What is counted together; compared as bytes, so every row is zeroed first. */
struct row_key {
	const struct api_kind *kind;
	const struct api_subresource *sub;
	uint16_t verb, code;
	uint8_t scope, is_dry_run;
};

struct row {
	struct row_key key;
	uint64_t count, terminated, running;
	uint64_t sum_us;
	uint64_t within[ARRAY_LEN(buckets_ms)]; /* of this bucket alone */
};

struct request_metrics {
	pthread_mutex_t lock;
	struct row *rows; /* in order of first use */
	uint32_t *slots;  /* index + 1 into rows, 0: free; open addressing */
	uint32_t count, capacity, slot_count;
};

enum { VERB_APPLY = DO_CONNECT + 1 };

static const char *const verb_labels[] = {
	[DO_GET] = "GET",	  [DO_LIST] = "LIST",
	[DO_WATCH] = "WATCH",	  [DO_CREATE] = "POST",
	[DO_UPDATE] = "PUT",	  [DO_PATCH] = "PATCH",
	[DO_DELETE] = "DELETE",	  [DO_DELETE_COLLECTION] = "DELETECOLLECTION",
	[DO_CONNECT] = "CONNECT", [VERB_APPLY] = "APPLY",
};

struct request_metrics *request_metrics_new(void)
{
	struct request_metrics *m = NEW(struct request_metrics);
	pthread_mutex_init(&m->lock, NULL);
	m->slot_count = 64;
	m->slots = mem_alloc(m->slot_count * sizeof(*m->slots));
	return m;
}

void request_metrics_free(struct request_metrics *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m->rows);
	free(m->slots);
	free(m);
}

/* --- the table --- */

static uint32_t *slot_of(const struct request_metrics *m, const struct row_key *key)
{
	uint64_t at = str_hash(str_n((const char *)key, sizeof(*key)));
	for (;; at++) {
		uint32_t *slot = &m->slots[at % m->slot_count];
		if (!*slot || memcmp(&m->rows[*slot - 1].key, key, sizeof(*key)) == 0)
			return slot;
	}
}

static void table_grow(struct request_metrics *m)
{
	m->capacity = MAX(2 * m->capacity, 32u);
	m->rows = mem_resize(m->rows, m->capacity * sizeof(*m->rows));
	m->slot_count = 2 * m->capacity;
	free(m->slots);
	m->slots = mem_alloc(m->slot_count * sizeof(*m->slots));
	for (uint32_t i = 0; i < m->count; i++)
		*slot_of(m, &m->rows[i].key) = i + 1;
}

static struct row *row_get(struct request_metrics *m, const struct row_key *key)
{
	uint32_t *slot = slot_of(m, key);
	if (!*slot && m->count == m->capacity) {
		table_grow(m);
		slot = slot_of(m, key);
	}
	if (!*slot) {
		m->rows[m->count] = (struct row){};
		memcpy(&m->rows[m->count].key, key, sizeof(*key));
		*slot = ++m->count;
	}
	return &m->rows[*slot - 1];
}

/* --- counting --- */

static enum scope scope_of(const struct route *route)
{
	if (!route->is_resource)
		return SCOPE_NONE;
	if (route->name.len)
		return SCOPE_RESOURCE;
	return route->namespace.len ? SCOPE_NAMESPACE : SCOPE_CLUSTER;
}

static void key_of(const struct request *r, struct row_key *ret_key)
{
	bool is_apply = r->route.verb == DO_PATCH && r->patch_type == PATCH_APPLY;
	memset(ret_key, 0, sizeof(*ret_key)); /* padding too */
	ret_key->kind = r->route.kind;
	ret_key->sub = r->route.sub;
	ret_key->verb = (uint16_t)(is_apply ? VERB_APPLY : r->route.verb);
	ret_key->code = (uint16_t)(r->reply.status ? r->reply.status : 200);
	ret_key->scope = (uint8_t)scope_of(&r->route);
	ret_key->is_dry_run = r->options.is_dry_run;
}

static size_t bucket_of(int64_t us)
{
	size_t i = 0;
	while (i < ARRAY_LEN(buckets_ms) && us > buckets_ms[i] * INT64_C(1000))
		i++;
	return i;
}

void request_metrics_note(struct request_metrics *m, const struct request *r)
{
	struct row_key key;
	key_of(r, &key);
	int64_t us = world_mono_us() - r->began_us;
	size_t bucket = bucket_of(us);
	pthread_mutex_lock(&m->lock);
	struct row *row = row_get(m, &key);
	row->count++;
	row->sum_us += (uint64_t)us;
	row->terminated += r->is_timed_out || key.code == 429;
	if (bucket < ARRAY_LEN(buckets_ms))
		row->within[bucket]++;
	pthread_mutex_unlock(&m->lock);
}

/* A row is never moved to another number. */
uint32_t request_metrics_begin_long(struct request_metrics *m, const struct request *r)
{
	struct row_key key;
	key_of(r, &key);
	key.code = 0;
	pthread_mutex_lock(&m->lock);
	struct row *row = row_get(m, &key);
	row->running++;
	uint32_t number = (uint32_t)(row - m->rows) + 1;
	pthread_mutex_unlock(&m->lock);
	return number;
}

void request_metrics_end_long(struct request_metrics *m, uint32_t number)
{
	if (!number)
		return;
	pthread_mutex_lock(&m->lock);
	m->rows[number - 1].running--;
	pthread_mutex_unlock(&m->lock);
}

/* --- text --- */

static void write_labels(struct buf *out, const struct row_key *key)
{
	struct str group = key->kind ? key->kind->group : STR(""),
		   version = key->kind ? key->kind->version : STR(""),
		   resource = key->kind ? key->kind->plural : STR(""),
		   subresource = key->sub ? key->sub->name : STR("");
	buf_printf(
		out,
		"component=\"apiserver\",dry_run=\"%s\",group=\"%.*s\",resource=\"%.*s\",scope=\"%s\","
		"subresource=\"%.*s\",verb=\"%s\",version=\"%.*s\"",
		key->is_dry_run ? "All" : "", STR_FMT(group), STR_FMT(resource),
		scope_names[key->scope], STR_FMT(subresource), verb_labels[key->verb],
		STR_FMT(version));
}

void metric_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_durations(struct buf *out, const struct row *row)
{
	static const char name[] = "apiserver_request_duration_seconds";
	uint64_t so_far = 0;
	for (size_t i = 0; i < ARRAY_LEN(buckets_ms); i++) {
		so_far += row->within[i];
		buf_printf(out, "%s_bucket{", name);
		write_labels(out, &row->key);
		buf_printf(out, ",le=\"%g\"} %llu\n", buckets_ms[i] / 1000.0,
			   (unsigned long long)so_far);
	}
	buf_printf(out, "%s_bucket{", name);
	write_labels(out, &row->key);
	buf_printf(out, ",le=\"+Inf\"} %llu\n%s_sum{", (unsigned long long)row->count, name);
	write_labels(out, &row->key);
	buf_printf(out, "} %g\n%s_count{", (double)row->sum_us / 1e6, name);
	write_labels(out, &row->key);
	buf_printf(out, "} %llu\n", (unsigned long long)row->count);
}

/* Durations are not told apart by code: rows that differ in nothing else are one. */
static void merge_codes(const struct request_metrics *m, struct request_metrics *into)
{
	for (uint32_t i = 0; i < m->count; i++) {
		struct row_key key;
		memcpy(&key, &m->rows[i].key, sizeof(key));
		key.code = 0;
		if (!m->rows[i].count)
			continue;
		struct row *row = row_get(into, &key);
		row->count += m->rows[i].count;
		row->sum_us += m->rows[i].sum_us;
		for (size_t j = 0; j < ARRAY_LEN(buckets_ms); j++)
			row->within[j] += m->rows[i].within[j];
	}
}

/* Of each row one number, where it has any. */
static void write_counts(const struct request_metrics *m, struct buf *out)
{
	static const struct {
		const char *name, *type, *help;
		size_t offset;
		bool has_code;
	} metrics[] = {
		{"apiserver_request_total", "counter", "Requests that were answered.",
		 offsetof(struct row, count), true},
		{"apiserver_request_terminations_total", "counter",
		 "Requests that were ended for their time or the server's load.",
		 offsetof(struct row, terminated), true},
		{"apiserver_longrunning_requests", "gauge",
		 "Watches and streams to nodes that run now.", offsetof(struct row, running)},
	};
	for (size_t k = 0; k < ARRAY_LEN(metrics); k++) {
		metric_head(out, metrics[k].name, metrics[k].type, metrics[k].help);
		for (uint32_t i = 0; i < m->count; i++) {
			const struct row *row = &m->rows[i];
			uint64_t value = *(const uint64_t *)((const char *)row + metrics[k].offset);
			if (!value)
				continue;
			buf_printf(out, "%s{", metrics[k].name);
			if (metrics[k].has_code)
				buf_printf(out, "code=\"%u\",", row->key.code);
			write_labels(out, &row->key);
			buf_printf(out, "} %llu\n", (unsigned long long)value);
		}
	}
}

void request_metrics_write(struct request_metrics *m, struct buf *out)
{
	struct request_metrics *merged = request_metrics_new();
	pthread_mutex_lock(&m->lock);
	write_counts(m, out);
	merge_codes(m, merged);
	pthread_mutex_unlock(&m->lock);
	metric_head(out, "apiserver_request_duration_seconds", "histogram",
		    "Time from a whole request to its reply.");
	for (uint32_t i = 0; i < merged->count; i++)
		write_durations(out, &merged->rows[i]);
	request_metrics_free(merged);
}
