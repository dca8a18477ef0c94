#include "server/audit.h"

#include <pthread.h>

#include "base/log.h"
#include "http/client.h"
#include "io/file.h"
#include "server/audit_event.h"
#include "server/audit_file.h"
#include "server/server.h"

#define AUDIT_QUEUE_BYTES   (16u << 20)
#define AUDIT_EVENT_MAX	    (8u << 20)
#define AUDIT_BATCH_EVENTS  400 /* a webhook call, as upstream */
#define AUDIT_WEBHOOK_MS    30000
#define AUDIT_WEBHOOK_TRIES 5
#define AUDIT_COMPLAINT_MS  60000

struct audit {
	struct audit_policy *policy;
	struct audit_file file;
	bool has_file, has_thread;
	struct str webhook_url;
	struct http_session *webhook;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t filled, drained;
	struct buf lines;
	uint64_t dropped; /* by the webhook */
	bool is_ending;
	int64_t complained_ms; /* thread */
};

/* --- the thread --- */

static void complain(struct audit *t, const char *text)
{
	int64_t now_ms = world_mono_ms();
	if (t->complained_ms && now_ms - t->complained_ms < AUDIT_COMPLAINT_MS)
		return;
	t->complained_ms = now_ms;
	log_error("audit", "%s", text);
}

/* Waits for lines; false when there are none and will be none. */
static bool lines_take(struct audit *t, struct buf *out)
{
	pthread_mutex_lock(&t->lock);
	while (t->lines.len == 0 && !t->is_ending)
		pthread_cond_wait(&t->filled, &t->lock);
	struct buf taken = t->lines;
	t->lines = (struct buf)BUF_INIT(AUDIT_QUEUE_BYTES + AUDIT_EVENT_MAX);
	pthread_cond_broadcast(&t->drained);
	pthread_mutex_unlock(&t->lock);
	*out = taken;
	return taken.len > 0;
}

static void webhook_post(struct audit *t, struct str events, size_t count)
{
	static const struct http_header type = {STR_INIT("content-type"),
						STR_INIT("application/json")};
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
		complain(t, rc == RC_OK ? "the webhook refuses events" : err.text);
	}
	pthread_mutex_lock(&t->lock);
	t->dropped += count;
	pthread_mutex_unlock(&t->lock);
}

/* Lines become items of lists of at most AUDIT_BATCH_EVENTS. */
static void webhook_send(struct audit *t, struct str lines)
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

static void *run(void *arg)
{
	struct audit *t = arg;
	struct buf lines;
	while (lines_take(t, &lines)) {
		struct err err;
		if (t->has_file && audit_file_write(&t->file, buf_str(&lines), &err) != RC_OK)
			complain(t, err.text);
		if (t->webhook)
			webhook_send(t, buf_str(&lines));
		buf_done(&lines);
	}
	return NULL;
}

/* A file that falls behind is waited for; a webhook is not. */
static void lines_add(struct audit *t, struct str line)
{
	pthread_mutex_lock(&t->lock);
	while (t->lines.len + line.len > AUDIT_QUEUE_BYTES && !t->webhook)
		pthread_cond_wait(&t->drained, &t->lock);
	if (t->lines.len + line.len > AUDIT_QUEUE_BYTES)
		t->dropped++;
	else
		buf_add_str(&t->lines, line);
	pthread_cond_signal(&t->filled);
	pthread_mutex_unlock(&t->lock);
}

/* --- life --- */

static enum rc open_sinks(struct audit *t, const struct audit_options *o, struct err *err)
{
	if (o->log_path) {
		t->has_file = true;
		t->file = (struct audit_file){
			.path = o->log_path,
			.bytes_max = o->log_max_mib << 20,
			.backups_max = o->log_max_backups,
			.age_max_us = o->log_max_age_days * 24 * 3600 * 1000000,
			.fd = -1,
		};
		TRY(audit_file_open(&t->file, err));
	}
	if (!o->webhook_url.len)
		return RC_OK;
	t->webhook_url = str_of(mem_strndup(o->webhook_url.at, o->webhook_url.len));
	struct http_client_opts opts = {
		.ca_pem = o->webhook_ca_pem,
		.cert_pem = o->webhook_cert_pem,
		.key_pem = o->webhook_key_pem,
		.bearer_token = o->webhook_token,
	};
	return http_session_new(&opts, &t->webhook, err);
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
	TRY(open_sinks(t, o, err));
	t->has_thread = pthread_create(&t->thread, NULL, run, t) == 0;
	if (!t->has_thread)
		return err_set(err, RC_INTERNAL, "cannot start the audit thread");
	pthread_setname_np(t->thread, "audit");
	return RC_OK;
}

enum rc audit_new(const struct audit_options *o, struct audit **ret_audit, struct err *err)
{
	struct audit *t = NEW(struct audit);
	t->file.fd = -1;
	t->lines = (struct buf)BUF_INIT(AUDIT_QUEUE_BYTES + AUDIT_EVENT_MAX);
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->filled, NULL);
	pthread_cond_init(&t->drained, NULL);
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
	pthread_mutex_lock(&t->lock);
	t->is_ending = true;
	pthread_cond_signal(&t->filled);
	pthread_mutex_unlock(&t->lock);
	if (t->has_thread)
		pthread_join(t->thread, NULL);
	audit_file_close(&t->file);
	http_session_free(t->webhook);
	audit_policy_free(t->policy);
	buf_done(&t->lines);
	free((char *)t->webhook_url.at);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->filled);
	pthread_cond_destroy(&t->drained);
	free(t);
}

/* --- hooks --- */

static void record_stage(struct request *r, enum audit_stage stage)
{
	if (!r->audit || (r->audit->decision.omitted_stages & 1u << stage))
		return;
	CLEANUP_BUF line = BUF_INIT(AUDIT_EVENT_MAX);
	audit_event_write(&line, r, r->audit, stage);
	if (line.is_full)
		log_warn("audit", "%.*s: the event is larger than %u bytes and is left out",
			 STR_FMT(r->id), AUDIT_EVENT_MAX);
	else
		lines_add(r->server->audit, buf_str(&line));
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
		.received_us = world_wall_us() - (world_mono_ms() - r->started_ms) * 1000,
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
