#include "server/audit.h"

#include <pthread.h>

#include "base/log.h"
#include "http/client.h"
#include "io/file.h"
#include "server/audit_event.h"
#include "server/audit_file.h"
#include "server/server.h"

#define AUDIT_QUEUE_BYTES   (16u << 20) /* a sink */
#define AUDIT_EVENT_MAX	    (8u << 20)
#define AUDIT_BATCH_EVENTS  400 /* a webhook call, as upstream */
#define AUDIT_WEBHOOK_MS    30000
#define AUDIT_WEBHOOK_TRIES 5
#define AUDIT_RETRY_MS	    1000 /* doubled with each try */
#define AUDIT_COMPLAINT_MS  60000

struct sink_kind {
	const char *name;
	bool may_lose; /* what does not fit is lost, else waited for */
	void (*write)(struct audit *t, struct str lines);
};

/* A place for events, with a queue and a thread of its own, so that a slow one holds up no other.
 */
struct sink {
	const struct sink_kind *kind;
	struct audit *audit;
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock;		 /* of what follows */
	pthread_cond_t changed, drained; /* lines were added or it is ending; lines were taken */
	struct buf lines;
	uint64_t lost; /* events that nobody was told of yet */
	bool is_ending;
	int64_t complained_ms; /* thread */
};

enum { SINK_FILE, SINK_WEBHOOK, SINK_COUNT };

struct audit {
	struct audit_policy *policy;
	struct audit_file file;
	struct str webhook_url;
	struct http_session *webhook;
	struct sink sinks[SINK_COUNT];
};

/* --- sinks: their threads --- */

static void complain(struct sink *k, const char *text)
{
	int64_t now_ms = world_mono_ms();
	if (k->complained_ms && now_ms - k->complained_ms < AUDIT_COMPLAINT_MS)
		return;
	pthread_mutex_lock(&k->lock);
	uint64_t lost = k->lost;
	k->lost = 0;
	pthread_mutex_unlock(&k->lock);
	k->complained_ms = now_ms;
	log_error("audit", "%s: %s; %llu events lost", k->kind->name, text,
		  (unsigned long long)lost);
}

static void lose(struct sink *k, size_t count)
{
	pthread_mutex_lock(&k->lock);
	k->lost += count;
	pthread_mutex_unlock(&k->lock);
}

static void write_file(struct audit *t, struct str lines)
{
	struct err err;
	if (audit_file_write(&t->file, lines, &err) != RC_OK)
		complain(&t->sinks[SINK_FILE], err.text);
}

/* False when it is ending: then nobody waits for another try. */
static bool wait_before_retry(struct sink *k, int64_t delay_ms)
{
	int64_t until_ms = world_mono_ms() + delay_ms;
	struct timespec until = {until_ms / 1000, until_ms % 1000 * 1000000};
	pthread_mutex_lock(&k->lock);
	while (!k->is_ending && pthread_cond_timedwait(&k->changed, &k->lock, &until) == 0)
		;
	bool goes_on = !k->is_ending;
	pthread_mutex_unlock(&k->lock);
	return goes_on;
}

static void webhook_post(struct audit *t, struct str events, size_t count)
{
	static const struct http_header type = {STR_INIT("content-type"),
						STR_INIT("application/json")};
	struct sink *k = &t->sinks[SINK_WEBHOOK];
	CLEANUP_ARENA a = {};
	struct http_request q = {
		.url = t->webhook_url.at,
		.headers = &type,
		.header_count = 1,
		.body = arena_printf(&a,
				     "{\"kind\":\"EventList\",\"apiVersion\":\"audit.k8s.io/v1\","
				     "\"metadata\":{},\"items\":[%.*s]}",
				     STR_FMT(events)),
		.timeout_ms = AUDIT_WEBHOOK_MS,
	};
	for (int i = 0; i < AUDIT_WEBHOOK_TRIES; i++) {
		struct http_response response;
		struct err err;
		enum rc rc = http_fetch(t->webhook, &q, NULL, &a, &response, &err);
		if (rc == RC_OK && response.status < 300)
			return;
		complain(k, rc == RC_OK ? "it refuses events" : err.text);
		if (!wait_before_retry(k, (int64_t)AUDIT_RETRY_MS << i))
			break;
	}
	lose(k, count);
}

/* Lines become items of lists of at most AUDIT_BATCH_EVENTS. */
static void write_webhook(struct audit *t, struct str lines)
{
	CLEANUP_BUF batch = BUF_INIT(AUDIT_QUEUE_BYTES + AUDIT_EVENT_MAX);
	size_t count = 0;
	struct str line;
	while (lines.len) {
		str_cut(lines, '\n', &line, &lines);
		if (count++)
			buf_add_char(&batch, ',');
		buf_add_str(&batch, line);
		if (count < AUDIT_BATCH_EVENTS && lines.len)
			continue;
		webhook_post(t, buf_str(&batch), count);
		buf_reset(&batch);
		count = 0;
	}
}

/* Waits for lines; false when there are none and will be none. */
static bool lines_take(struct sink *k, struct buf *out)
{
	pthread_mutex_lock(&k->lock);
	while (k->lines.len == 0 && !k->is_ending)
		pthread_cond_wait(&k->changed, &k->lock);
	*out = k->lines;
	k->lines = (struct buf)BUF_INIT(AUDIT_QUEUE_BYTES + AUDIT_EVENT_MAX);
	pthread_cond_broadcast(&k->drained);
	pthread_mutex_unlock(&k->lock);
	return out->len > 0;
}

static void *run(void *arg)
{
	struct sink *k = arg;
	struct buf lines;
	while (lines_take(k, &lines)) {
		k->kind->write(k->audit, buf_str(&lines));
		buf_done(&lines);
	}
	return NULL;
}

static void sink_add(struct sink *k, struct str line)
{
	if (!k->has_thread)
		return;
	pthread_mutex_lock(&k->lock);
	while (k->lines.len + line.len > AUDIT_QUEUE_BYTES && !k->kind->may_lose)
		pthread_cond_wait(&k->drained, &k->lock);
	if (k->lines.len + line.len > AUDIT_QUEUE_BYTES)
		k->lost++;
	else
		buf_add_str(&k->lines, line);
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
}

static const struct sink_kind sink_kinds[SINK_COUNT] = {
	[SINK_FILE] = {"audit log", false, write_file},
	[SINK_WEBHOOK] = {"audit webhook", true, write_webhook},
};

/* Waits on it are not to last longer because somebody sets the clock. */
static void cond_init_monotonic(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

static enum rc sink_start(struct audit *t, int which, struct err *err)
{
	struct sink *k = &t->sinks[which];
	k->kind = &sink_kinds[which];
	k->audit = t;
	k->lines = (struct buf)BUF_INIT(AUDIT_QUEUE_BYTES + AUDIT_EVENT_MAX);
	pthread_mutex_init(&k->lock, NULL);
	cond_init_monotonic(&k->changed);
	pthread_cond_init(&k->drained, NULL);
	k->has_thread = pthread_create(&k->thread, NULL, run, k) == 0;
	if (!k->has_thread)
		return err_set(err, RC_INTERNAL, "cannot start the thread of the %s",
			       k->kind->name);
	pthread_setname_np(k->thread, "audit");
	return RC_OK;
}

/* Writes what waits; a webhook that does not answer is asked no more. */
static void sink_stop(struct sink *k)
{
	if (!k->has_thread)
		return;
	pthread_mutex_lock(&k->lock);
	k->is_ending = true;
	pthread_cond_signal(&k->changed);
	pthread_mutex_unlock(&k->lock);
	pthread_join(k->thread, NULL);
	buf_done(&k->lines);
	pthread_mutex_destroy(&k->lock);
	pthread_cond_destroy(&k->changed);
	pthread_cond_destroy(&k->drained);
}

/* --- life --- */

static enum rc open_file(struct audit *t, const struct audit_options *o, struct err *err)
{
	t->file = (struct audit_file){
		.path = o->log_path,
		.bytes_max = o->log_max_mib << 20,
		.backups_max = o->log_max_backups,
		.age_max_us = o->log_max_age_days * 24 * 3600 * 1000000,
		.fd = -1,
	};
	TRY(audit_file_open(&t->file, err));
	return sink_start(t, SINK_FILE, err);
}

static enum rc open_webhook(struct audit *t, const struct audit_options *o, struct err *err)
{
	struct http_client_opts opts = {
		.ca_pem = o->webhook_ca_pem,
		.cert_pem = o->webhook_cert_pem,
		.key_pem = o->webhook_key_pem,
		.bearer_token = o->webhook_token,
	};
	t->webhook_url = str_of(mem_strndup(o->webhook_url.at, o->webhook_url.len));
	TRY(http_session_new(&opts, &t->webhook, err));
	return sink_start(t, SINK_WEBHOOK, err);
}

static enum rc open_all(struct audit *t, const struct audit_options *o, struct err *err)
{
	CLEANUP_ARENA a = {};
	struct str text;
	if (!o->policy_path)
		return err_set(
			err, RC_INVALID,
			"an audit log without a policy records nothing: give --audit-policy-file");
	TRY(file_read(o->policy_path, AUDIT_POLICY_MAX_BYTES, &a, &text, err));
	TRY(audit_policy_parse(text, &t->policy, err));
	if (o->log_path)
		TRY(open_file(t, o, err));
	return o->webhook_url.len ? open_webhook(t, o, err) : RC_OK;
}

enum rc audit_new(const struct audit_options *o, struct audit **ret_audit, struct err *err)
{
	struct audit *t = NEW(struct audit);
	t->file.fd = -1;
	enum rc rc = open_all(t, o, err);
	if (rc != RC_OK) {
		audit_free(t);
		return rc;
	}
	*ret_audit = t;
	return RC_OK;
}

void audit_free(struct audit *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < SINK_COUNT; i++)
		sink_stop(&t->sinks[i]);
	audit_file_close(&t->file);
	http_session_free(t->webhook);
	audit_policy_free(t->policy);
	free((char *)t->webhook_url.at);
	free(t);
}

/* --- hooks --- */

static void record_stage(struct request *r, enum audit_stage stage)
{
	if (!r->audit || (r->audit->decision.omitted_stages & 1u << stage))
		return;
	CLEANUP_BUF line = BUF_INIT(AUDIT_EVENT_MAX);
	audit_event_write(&line, r, r->audit, stage);
	if (line.is_full) {
		log_warn("audit", "%.*s: the event is larger than %u bytes and is left out",
			 STR_FMT(r->id), AUDIT_EVENT_MAX);
		return;
	}
	for (size_t i = 0; i < SINK_COUNT; i++)
		sink_add(&r->server->audit->sinks[i], buf_str(&line));
}

enum step stage_audit(struct request *r)
{
	if (!r->server->audit)
		return STEP_NEXT;
	struct audit_decision d = audit_policy_decide(r->server->audit->policy, r);
	if (d.level == AUDIT_NONE)
		return STEP_NEXT;
	r->audit = ARENA_NEW(&r->arena, struct audit_record);
	*r->audit = (struct audit_record){
		.decision = d,
		.user = r->user,
		.name = r->route.name,
		.received_us = r->started_us,
	};
	record_stage(r, AUDIT_RECEIVED);
	return STEP_NEXT;
}

enum step stage_audit_body(struct request *r)
{
	if (!r->audit || !r->tree)
		return STEP_NEXT;
	if (!r->audit->name.len)
		r->audit->name = json_path_str(r->tree, "metadata.name");
	if (r->audit->decision.level < AUDIT_REQUEST)
		return STEP_NEXT;
	CLEANUP_BUF text = BUF_INIT(AUDIT_EVENT_MAX);
	audit_object_write(&text, &r->arena, r->tree, r->audit->decision.omits_managed_fields);
	if (!text.is_full)
		r->audit->request_object = arena_str(&r->arena, buf_str(&text));
	return STEP_NEXT;
}

void audit_note_decision(struct request *r, bool is_allowed, struct str reason)
{
	if (!r->audit)
		return;
	r->audit->verdict = is_allowed ? STR("allow") : STR("forbid");
	r->audit->reason = reason;
}

/* Who is refused before the policy was asked is recorded by it all the same. */
static bool is_unknown_client(const struct request *r)
{
	return r->server->audit && !r->audit && r->reply.status == 401;
}

void audit_replied(struct request *r)
{
	if (is_unknown_client(r))
		stage_audit(r);
	if (r->audit)
		record_stage(r, r->reply.is_streaming ? AUDIT_STARTED : AUDIT_COMPLETE);
}

void audit_ended(struct request *r)
{
	record_stage(r, AUDIT_COMPLETE);
}
