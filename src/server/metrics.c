/* The document /metrics: requests, fairness, store, process. */
#include <sys/resource.h>

#include "api/schema.h"
#include "io/file.h"
#include "server/documents.h"
#include "server/fairness.h"
#include "server/pipeline.h"
#include "server/request_metrics.h"
#include "server/server.h"

#define METRICS_MAX_BYTES (32u << 20)

struct metric {
	const char *name, *type, *help;
	double value;
};

static void write_rows(struct buf *out, const struct metric *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		metric_head(out, rows[i].name, rows[i].type, rows[i].help);
		buf_printf(out, "%s %.17g\n", rows[i].name, rows[i].value);
	}
}

static void write_store(struct buf *out, struct store *store)
{
	struct store_stats stats;
	store_stats(store, &stats);
	const struct metric rows[] = {
		{"skeg_store_commits_total", "counter", "Commits accepted by the store.",
		 (double)stats.commits},
		{"skeg_store_transactions_total", "counter",
		 "Database transactions: one for all commits that arrived together.",
		 (double)stats.transactions},
		{"skeg_store_written_bytes_total", "counter", "Bytes of object states written.",
		 (double)stats.written_bytes},
		{"skeg_store_objects", "gauge", "Objects stored.", (double)stats.objects},
		{"skeg_store_object_bytes", "gauge", "Bytes of the stored objects.",
		 (double)stats.object_bytes},
		{"skeg_store_revision", "gauge", "Newest durable revision.",
		 (double)stats.revision},
	};
	write_rows(out, rows, ARRAY_LEN(rows));
}

/* One row a stored resource, under the name that dashboards know. */
static void write_objects(struct buf *out, const struct snapshot *s)
{
	const struct api *api = api_builtin();
	metric_head(out, "apiserver_storage_objects", "gauge", "Objects stored, by resource.");
	for (uint16_t id = 0; id < api->stored_count; id++) {
		const struct api_kind *kind = api_by_stored(api, id);
		if (!kind)
			continue;
		buf_printf(out, "apiserver_storage_objects{resource=\"%.*s%s%.*s\"} %zu\n",
			   STR_FMT(kind->plural), kind->group.len ? "." : "", STR_FMT(kind->group),
			   snapshot_count(s, id));
	}
}

static double open_descriptors(void)
{
	CLEANUP_ARENA a = {};
	const char **names;
	size_t count;
	struct err err;
	if (dir_list("/proc/self/fd", &a, &names, &count, &err) != RC_OK)
		return 0;
	return (double)count - 1; /* this one */
}

/* Resident bytes: the second number of statm, in pages. */
static double resident_bytes(void)
{
	CLEANUP_ARENA a = {};
	struct str text, size, rest;
	int64_t pages = 0;
	if (file_read("/proc/self/statm", 256, &a, &text, NULL) != RC_OK)
		return 0;
	str_cut(text, ' ', &size, &rest);
	str_cut(rest, ' ', &size, &rest);
	str_to_i64(size, &pages);
	return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static void write_process(struct buf *out, const struct server *server)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	double cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
	double up_s = (double)(world_mono_ms() - server->started_ms) / 1e3;
	const struct metric rows[] = {
		{"process_cpu_seconds_total", "counter", "CPU time used, user and system.", cpu_s},
		{"process_open_fds", "gauge", "Open file descriptors.", open_descriptors()},
		{"process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes()},
		{"process_start_time_seconds", "gauge", "Start, in seconds since the epoch.",
		 (double)world_wall_us() / 1e6 - up_s},
	};
	write_rows(out, rows, ARRAY_LEN(rows));
}

enum step serve_metrics(struct request *r)
{
	CLEANUP_BUF text = BUF_INIT(METRICS_MAX_BYTES);
	request_metrics_write(r->server->metrics, &text);
	fairness_write_metrics(r->server->fairness, &text);
	write_objects(&text, request_snapshot(r));
	write_store(&text, r->server->store);
	write_process(&text, r->server);
	request_text(r, 200, arena_str(&r->arena, buf_str(&text)));
	r->reply.content_type = STR("text/plain; version=0.0.4; charset=utf-8");
	return STEP_DONE;
}
