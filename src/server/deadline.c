#include "server/deadline.h"

#include <ctype.h>

#include "base/duration.h"
#include "server/route.h"
#include "server/server.h"

void deadlines_init(struct deadlines *d, struct loop *loop)
{
	d->loop = loop;
	list_init(&d->requests);
}

void deadlines_done(struct deadlines *d)
{
	loop_timer_stop(&d->timer);
}

/* ---- ?timeout= ---- */

/* Why Go's ParseDuration() takes it not. */
static struct str complaint(struct arena *a, struct str text)
{
	size_t i = 0;
	while (i < text.len && (isdigit((unsigned char)text.at[i]) || text.at[i] == '.'))
		i++;
	size_t end = i;
	while (end < text.len && !isdigit((unsigned char)text.at[end]) && text.at[end] != '.')
		end++;
	if (i == 0)
		return arena_printf(a, "time: invalid duration \"%.*s\"", STR_FMT(text));
	if (end == i)
		return arena_printf(a, "time: missing unit in duration \"%.*s\"", STR_FMT(text));
	return arena_printf(a, "time: unknown unit \"%.*s\" in duration \"%.*s\"", (int)(end - i),
			    text.at + i, STR_FMT(text));
}

/* 0 and what is negative ask for nothing. */
static enum step timeout_of(struct request *r, int64_t *ret_ms)
{
	struct str text = r->options.timeout;
	struct str amount = str_has_prefix(text, STR("-")) ? str_skip(text, 1) : text;
	int64_t most = r->server->config.request_timeout_ms, asked = 0;
	if (text.len && !duration_parse_ms(amount, &asked))
		return request_fail(r, RC_BAD_REQUEST,
				    "invalid timeout specified in the request URL - %.*s",
				    STR_FMT(complaint(&r->arena, text)));
	bool is_asked = asked > 0 && amount.len == text.len;
	*ret_ms = is_asked ? MIN(asked, most) : most;
	return STEP_NEXT;
}

/* ---- the answer ---- */

/* As upstream's, without a content type of its own: clients report it in words of their own. */
static void answer(struct request *r)
{
	static const struct http_header headers[] = {
		{STR_INIT("content-type"), STR_INIT("text/plain; charset=utf-8")},
		{STR_INIT("cache-control"), STR_INIT("no-cache, private")},
	};
	static const struct str text = STR_INIT(
		"{\"metadata\":{},\"status\":\"Failure\",\"message\":\"Timeout: request did not "
		"complete within the allotted timeout\",\"reason\":\"Timeout\",\"details\":{},"
		"\"code\":504}\n");
	struct http_chunk body = HTTP_CHUNK_STR(text);
	http_hold(r->exchange); /* the request still reads it */
	http_reply(r->exchange, &(struct http_reply){504, headers, ARRAY_LEN(headers), &body, 1});
}

static void due_on(struct loop_timer *timer);

static void wake_by(struct deadlines *d, int64_t due_ms, int64_t now_ms)
{
	if (!d->timer.loop || d->timer.due_ms > due_ms)
		loop_timer_start(d->loop, &d->timer, MAX(due_ms - now_ms, 1), due_on);
}

/* Most requests are through long before, so the timer is left where it is when one ends. */
static void due_on(struct loop_timer *timer)
{
	struct deadlines *d = CONTAINER_OF(timer, struct deadlines, timer);
	int64_t now_ms = world_mono_ms();
	struct request *r;
	LIST_FOR_EACH (r, &d->requests, deadline_link) {
		if (r->due_ms > now_ms) {
			wake_by(d, r->due_ms, now_ms);
			continue;
		}
		list_remove(&r->deadline_link);
		r->is_timed_out = true;
		answer(r);
	}
}

enum step deadline_begin(struct deadlines *d, struct request *r)
{
	int64_t timeout_ms = 0, now_ms = world_mono_ms();
	if (timeout_of(r, &timeout_ms) == STEP_DONE)
		return STEP_DONE;
	r->due_ms = now_ms + timeout_ms;
	list_append(&d->requests, &r->deadline_link);
	wake_by(d, r->due_ms, now_ms);
	return STEP_NEXT;
}

bool deadline_end(struct request *r)
{
	if (r->is_timed_out) {
		http_release(r->exchange);
		return true;
	}
	if (r->due_ms)
		list_remove(&r->deadline_link);
	return false;
}

bool deadline_is_over(const struct request *r)
{
	return r->due_ms && world_mono_ms() >= r->due_ms;
}
