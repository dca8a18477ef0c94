#include "node/grpc_health.h"

#include "codec/protobuf.h"
#include "node/go_duration.h"

#define MESSAGE_MAX	   (64u << 10)
#define FRAME_HEAD	   5 /* compressed or not, and the length in four bytes */
#define SERVICE_FIELD	   1
#define STATUS_FIELD	   1
#define STATUS_SERVING	   1
#define CODE_OK		   0
#define CODE_DEADLINE	   4
#define CODE_UNIMPLEMENTED 12
#define CODE_UNKNOWN	   2

struct grpc_health {
	struct arena arena;
	struct http_call *call;
	struct str address; /* "10.42.0.7:8080" */
	int64_t timeout_ms;
	struct str problem; /* it could not even be asked */
	struct loop_msg told;
	grpc_health_done_fn *done;
	void *ctx;
};

static void health_free(struct grpc_health *h)
{
	if (h->call)
		http_call_cancel(h->call);
	loop_defer_cancel(&h->told);
	arena_done(&h->arena);
	free(h);
}

static void tell(struct grpc_health *h, bool is_healthy, struct str message)
{
	h->done(h->ctx, is_healthy, message.at);
	health_free(h);
}

/* ---- the reply ---- */

static struct str code_name(struct arena *a, int64_t code)
{
	static const char *const names[] = {
		"OK",
		"Canceled",
		"Unknown",
		"InvalidArgument",
		"DeadlineExceeded",
		"NotFound",
		"AlreadyExists",
		"PermissionDenied",
		"ResourceExhausted",
		"FailedPrecondition",
		"Aborted",
		"OutOfRange",
		"Unimplemented",
		"Internal",
		"Unavailable",
		"DataLoss",
		"Unauthenticated",
	};
	if (code >= 0 && code < (int64_t)ARRAY_LEN(names))
		return str_of(names[code]);
	return arena_printf(a, "Code(%lld)", (long long)code);
}

static struct str status_name(struct arena *a, uint64_t status)
{
	static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
	if (status < ARRAY_LEN(names))
		return str_of(names[status]);
	return arena_printf(a, "%llu", (unsigned long long)status);
}

/* The status of a HealthCheckResponse in its frame; false when it is none. */
static bool status_read(struct str body, uint64_t *ret_status)
{
	struct protobuf_field field;
	*ret_status = 0;
	if (body.len < FRAME_HEAD || body.at[0] != 0)
		return false;
	const unsigned char *head = (const unsigned char *)body.at;
	size_t len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
	body = str_skip(body, FRAME_HEAD);
	if (len > body.len)
		return false;
	struct protobuf_reader r = protobuf_reader(str_n(body.at, len));
	while (protobuf_next(&r, &field))
		if (field.number == STATUS_FIELD && field.wire == PROTOBUF_VARINT)
			*ret_status = field.value;
	return protobuf_check(&r, "HealthCheckResponse", NULL) == RC_OK;
}

static void tell_code(struct grpc_health *h, int64_t code, struct str words)
{
	struct arena *a = &h->arena;
	char timeout[GO_DURATION_MAX];
	struct str message;
	if (code == CODE_UNIMPLEMENTED)
		message = arena_printf(a,
				       "error: this server does not implement the grpc health "
				       "protocol (grpc.health.v1.Health): %.*s",
				       STR_FMT(words));
	else if (code == CODE_DEADLINE)
		message = arena_printf(a, "timeout: health rpc did not complete within %s",
				       go_duration(h->timeout_ms, timeout));
	else
		message = arena_printf(
			a, "error: health rpc probe failed: rpc error: code = %.*s desc = %.*s",
			STR_FMT(code_name(a, code)), STR_FMT(words));
	tell(h, false, message);
}

static void tell_broken(struct grpc_health *h, const struct err *err)
{
	char timeout[GO_DURATION_MAX];
	if (err->rc == RC_TIMEOUT) {
		tell(h, false,
		     arena_printf(&h->arena,
				  "timeout: failed to connect service \"%.*s\" within %s: "
				  "context deadline exceeded",
				  STR_FMT(h->address), go_duration(h->timeout_ms, timeout)));
		return;
	}
	tell(h, false,
	     arena_printf(&h->arena, "error: failed to connect service at \"%.*s\": %s",
			  STR_FMT(h->address), err->text));
}

static void on_done(struct http_call *call, const struct http_response *response,
		    const struct err *err, void *ctx)
{
	struct grpc_health *h = ctx;
	struct str code_text = http_response_header(response, "grpc-status");
	struct str words = http_response_header(response, "grpc-message");
	int64_t code = CODE_UNKNOWN;
	uint64_t status;
	h->call = NULL;
	if (err) {
		tell_broken(h, err);
		return;
	}
	if (!code_text.len || !str_to_i64(code_text, &code))
		words = arena_printf(&h->arena,
				     "unexpected HTTP status code received from server: %d",
				     response->status);
	if (code != CODE_OK)
		tell_code(h, code, words);
	else if (!status_read(response->body, &status))
		tell_code(h, CODE_UNKNOWN, STR("the reply is no HealthCheckResponse"));
	else if (status != STATUS_SERVING)
		tell(h, false,
		     arena_printf(&h->arena, "service unhealthy (responded with \"%.*s\")",
				  STR_FMT(status_name(&h->arena, status))));
	else
		tell(h, true, STR("service healthy"));
}

/* ---- the question ---- */

static void on_told(struct loop_msg *msg)
{
	struct grpc_health *h = CONTAINER_OF(msg, struct grpc_health, told);
	tell(h, false, h->problem);
}

/* A HealthCheckRequest in its frame. */
static void question_write(struct buf *out, struct str service)
{
	CLEANUP_BUF message = BUF_INIT(MESSAGE_MAX);
	if (service.len)
		protobuf_put_bytes(&message, SERVICE_FIELD, service);
	const char head[FRAME_HEAD] = {0, (char)(message.len >> 24), (char)(message.len >> 16),
				       (char)(message.len >> 8), (char)message.len};
	buf_add(out, head, FRAME_HEAD);
	buf_add_str(out, buf_str(&message));
}

static enum rc ask(struct grpc_health *h, struct http_client *client, struct str service,
		   struct err *err)
{
	static const struct http_call_ops ops = {.on_done = on_done};
	static const struct http_header headers[] = {
		{STR_INIT("content-type"), STR_INIT("application/grpc")},
		{STR_INIT("te"), STR_INIT("trailers")},
		{STR_INIT("user-agent"), STR_INIT("kube-probe/1.35")},
	};
	CLEANUP_BUF body = BUF_INIT(MESSAGE_MAX + FRAME_HEAD);
	question_write(&body, service);
	TRY(buf_check(&body, "name of a gRPC service", err));
	struct http_request q = {
		.method = "POST",
		.url = arena_printf(&h->arena, "http://%.*s/grpc.health.v1.Health/Check",
				    STR_FMT(h->address))
			       .at,
		.headers = headers,
		.header_count = ARRAY_LEN(headers),
		.body = buf_str(&body),
		.timeout_ms = h->timeout_ms,
		.body_max = MESSAGE_MAX,
	};
	return http_call_start(client, &q, &ops, h, &h->call, err);
}

struct grpc_health *grpc_health_start(struct loop *loop, struct http_client *client,
				      const char *host, uint16_t port, struct str service,
				      int64_t timeout_ms, grpc_health_done_fn *done, void *ctx)
{
	struct grpc_health *h = NEW(struct grpc_health);
	bool is_v6 = strchr(host, ':') != NULL;
	struct err err;
	h->done = done;
	h->ctx = ctx;
	h->timeout_ms = timeout_ms;
	h->address = arena_printf(&h->arena, "%s%s%s:%u", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
				  port);
	if (ask(h, client, service, &err) != RC_OK) {
		h->problem = arena_printf(&h->arena,
					  "error: failed to connect service at \"%.*s\": %s",
					  STR_FMT(h->address), err.text);
		h->told.fn = on_told;
		loop_defer(loop, &h->told);
	}
	return h;
}

void grpc_health_cancel(struct grpc_health *own_question)
{
	if (own_question)
		health_free(own_question);
}
