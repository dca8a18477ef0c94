/* The body of a request: collected up to the handler's limit, or handed on piece by piece. */
#include "http/http-int.h"

static void collect(struct http_exchange *x, struct str bytes)
{
	if (x->is_body_cut || x->is_asked)
		return;
	if (bytes.len > x->body_max - x->body.len) {
		x->is_body_cut = true;
		buf_done(&x->body);
		return;
	}
	buf_add_str(&x->body, bytes);
}

static bool is_received(const struct http_exchange *x)
{
	return x->receive && !x->is_body_paused && !x->is_handled && !x->is_gone;
}

static void end_tell(struct http_exchange *x)
{
	if (x->is_body_whole && x->body.len == 0 && is_received(x)) {
		void (*receive)(struct http_exchange * x, struct str bytes) = TAKE_PTR(x->receive);
		receive(x, STR(""));
	}
}

void exchange_body_add(struct http_exchange *x, struct str bytes)
{
	if (!x->is_body_streamed) {
		collect(x, bytes);
		if (x->conn)
			x->conn->protocol->body_taken(x, bytes.len);
	} else if (is_received(x) && bytes.len > 0) {
		x->receive(x, bytes);
		if (x->conn)
			x->conn->protocol->body_taken(x, bytes.len);
	} else if (!x->is_handled) {
		buf_add_str(&x->body, bytes); /* no more than the protocol's window */
	} else if (x->conn) {
		x->conn->protocol->body_taken(x, bytes.len);
	}
}

void exchange_body_end(struct http_exchange *x)
{
	x->is_body_whole = true;
	end_tell(x);
}

void exchange_body_drop(struct http_exchange *x)
{
	size_t kept = x->body.len;
	if (!x->is_body_streamed || kept == 0)
		return;
	buf_reset(&x->body);
	if (x->conn)
		x->conn->protocol->body_taken(x, kept);
}

void http_body_receive(struct http_exchange *x,
		       void (*receive)(struct http_exchange *x, struct str bytes))
{
	ASSERT(x->is_body_streamed && x->is_asked);
	x->receive = receive;
	http_body_resume(x);
}

void http_body_pause(struct http_exchange *x)
{
	x->is_body_paused = true;
}

void http_body_resume(struct http_exchange *x)
{
	if (!x->is_body_paused || !x->is_body_streamed)
		return;
	x->is_body_paused = false;
	struct buf kept = x->body;
	x->body = (struct buf)BUF_INIT(HTTP_BODY_WINDOW);
	if (kept.len > 0 && is_received(x))
		x->receive(x, buf_str(&kept));
	size_t taken = kept.len;
	buf_done(&kept);
	if (x->conn)
		x->conn->protocol->body_taken(x, taken);
	end_tell(x);
}

struct str http_body(const struct http_exchange *x)
{
	return x->is_asked && !x->is_body_cut && !x->is_body_streamed ? buf_str(&x->body) : STR("");
}

int64_t http_body_bytes(const struct http_exchange *x)
{
	return x->body_bytes;
}

bool http_body_is_cut(const struct http_exchange *x)
{
	return x->is_body_cut;
}
