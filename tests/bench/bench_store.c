/* What the store costs.  Prints rows of name, value, unit; arguments: [FOLDER] for the database,
 * else a new one below /tmp that is removed again. */
#include <malloc.h>
#include <sys/resource.h>
#include <time.h>

#include "api/api_ids.h"
#include "base/mem.h"
#include "store/store.h"

#define OBJECTS 10000
#define COMMITS 20000
#define READS	2000000

static struct store *store;
static struct loop *loop;
static struct err err;

static double now_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void row(const char *name, double value, const char *unit)
{
	printf("%-36s %12.2f %s\n", name, value, unit);
}

static void must(enum rc rc)
{
	if (rc == RC_OK)
		return;
	fprintf(stderr, "bench_store: %s\n", err.text);
	exit(1);
}

static void open_store(const char *folder)
{
	struct store_config config = {.api = api_builtin(), .loop = loop, .folder = folder};
	must(store_open(&config, &store, &err));
}

/* About 1 KB, as a small pod without its managed fields. */
static struct object *object_make(const char *name, int value)
{
	static char text[2048];
	struct object *o;
	int len = snprintf(text, sizeof(text),
			   "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"default\",\"labels\":{"
			   "\"app\":\"web\",\"value\":\"%d\"}},\"data\":{\"text\":\"%0*d\"}}",
			   name, value, 820, 0);
	must(object_parse(api_by_stored(api_builtin(), KIND_CONFIG_MAP), str_n(text, (size_t)len),
			  0, &o, &err));
	return o;
}

static void name_of(char name[32], int i)
{
	snprintf(name, 32, "web-7d9f6c5b4-%05d", i);
}

/* --- writing --- */

struct slot {
	struct store_ticket ticket;
	struct object *next; /* made before the clock runs */
};

static struct object **objects;
static int started, finished, total;

static void slot_write(struct slot *s)
{
	struct object *o = objects[started++];
	struct store_write write = {.stored_id = KIND_CONFIG_MAP,
				    .namespace = o->namespace,
				    .name = o->name,
				    .expect = EXPECT_ANY,
				    .object = o};
	must(store_commit(store, &write, 1, &s->ticket, &err));
}

static void slot_done(struct store_ticket *ticket)
{
	must(ticket->rc);
	finished++;
	if (started < total)
		slot_write(CONTAINER_OF(ticket, struct slot, ticket));
	if (finished == total)
		loop_stop(loop);
}

static void commit_all(const char *what, int count, int writers)
{
	static struct slot slots[256];
	struct store_stats before, after;
	char name[32], label[64];
	objects = mem_alloc((size_t)count * sizeof(struct object *));
	for (int i = 0; i < count; i++) {
		name_of(name, i * 7919 % OBJECTS);
		objects[i] = object_make(name, i);
	}
	started = finished = 0;
	total = count;
	store_stats(store, &before);
	double wall = now_s(), cpu = cpu_s();
	for (int i = 0; i < writers; i++) {
		slots[i].ticket.done = slot_done;
		slot_write(&slots[i]);
	}
	loop_run(loop);
	wall = now_s() - wall;
	cpu = cpu_s() - cpu;
	store_stats(store, &after);
	snprintf(label, sizeof(label), "store/commit_%s_x%d", what, writers);
	row(label, count / wall, "commits/s");
	snprintf(label, sizeof(label), "store/commit_%s_x%d_cpu", what, writers);
	row(label, cpu / count * 1e6, "us/commit");
	snprintf(label, sizeof(label), "store/commit_%s_x%d_group", what, writers);
	row(label, count / (double)MAX(1u, (unsigned)(after.transactions - before.transactions)),
	    "commits/transaction");
	free(objects);
}

/* --- reading --- */

static void read_all(void)
{
	char names[64][32];
	struct snapshot *s = store_snapshot(store);
	size_t found = 0, count = snapshot_count(s, KIND_CONFIG_MAP);
	for (int i = 0; i < 64; i++)
		name_of(names[i], i * 151 % OBJECTS);
	double start = now_s();
	for (int i = 0; i < READS; i++)
		found += snapshot_get(s, KIND_CONFIG_MAP, STR("default"),
				      str_n(names[i % 64], 19)) != NULL;
	row("store/get_hot", (now_s() - start) / READS * 1e9, "ns");
	start = now_s();
	char name[32];
	for (int i = 0; i < READS; i++) {
		memcpy(name, names[0], 32);
		int n = (int)((unsigned)i * 2654435761u % OBJECTS);
		for (int digit = 18; digit >= 14; digit--, n /= 10)
			name[digit] = (char)('0' + n % 10);
		found += snapshot_get(s, KIND_CONFIG_MAP, STR("default"), str_n(name, 19)) != NULL;
	}
	row("store/get_random", (now_s() - start) / READS * 1e9, "ns");
	struct snapshot_iter it;
	int64_t sum = 0;
	start = now_s();
	for (int round = 0; round < 20; round++) {
		snapshot_iter_init(&it, s, KIND_CONFIG_MAP, STR("default"), (struct str){},
				   (struct str){});
		for (struct object *o; (o = snapshot_next(&it));)
			sum += o->revision;
	}
	row("store/iterate", (now_s() - start) / 20 / (double)count * 1e9, "ns/object");
	start = now_s();
	for (int i = 0; i < READS; i++)
		snapshot_unref(store_snapshot(store));
	row("store/snapshot", (now_s() - start) / READS * 1e9, "ns");
	snapshot_unref(s);
	if (found == 0 || sum == 0)
		exit(1);
}

static void measure_memory(void)
{
	struct store_stats stats;
	struct mallinfo2 heap = mallinfo2();
	store_stats(store, &stats);
	row("store/memory_per_object", (double)heap.uordblks / (double)stats.objects, "bytes");
	row("store/bytes_per_object", (double)stats.object_bytes / (double)stats.objects, "bytes");
}

static void bench_backend(const char *what, const char *folder)
{
	char label[64];
	loop = loop_new();
	open_store(folder);
	commit_all(what, OBJECTS, 256);
	commit_all(what, COMMITS, 64);
	commit_all(what, COMMITS / 10, 1);
	if (!folder)
		read_all();
	store_close(store);
	if (folder) {
		double start = now_s();
		open_store(folder);
		snprintf(label, sizeof(label), "store/start_%d_objects", OBJECTS);
		row(label, (now_s() - start) * 1e3, "ms");
		measure_memory();
		store_close(store);
	}
	loop_free(loop);
}

static void remove_files(const char *folder)
{
	static const char *const names[] = {"state.db", "state.db-wal", "ballast", "lock"};
	char path[256];
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	rmdir(folder);
}

int main(int argc, char **argv)
{
	char made[] = "/tmp/skeg-bench-XXXXXX";
	const char *folder = argc > 1 ? argv[1] : mkdtemp(made);
	bench_backend("memory", NULL);
	bench_backend("durable", folder);
	if (argc < 2)
		remove_files(folder);
	return 0;
}
