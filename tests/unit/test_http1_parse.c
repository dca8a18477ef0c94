/* http1_parse: heads and chunked bodies, above all the shapes that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "http/http1_parse.h"

static void test_refused_requests(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *why;
	} rows[] = {
		/* request smuggling: two readings of where the body ends */
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n",
		 400, "both Content-Length and Transfer-Encoding"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: "
		 "0\r\n\r\n",
		 400, "both Content-Length and Transfer-Encoding"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		 400, "more than one Content-Length"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
		 400, "more than one Content-Length"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n", 400, "not a number"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n", 400, "not a number"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "not a number"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\n", 400, "not a number"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3 4\r\n\r\n", 400, "not a number"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400, "not a number"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999999999999\r\n\r\n", 400,
		 "not a number"},
		{"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\n", 400,
		 "malformed header"},
		{"POST / HTTP/1.1\r\nHost: x\r\n Content-Length: 3\r\n\r\n", 400, "folded"},
		{"POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n", 400, "folded"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n", 400,
		 "malformed"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501,
		 "other than"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0b"
		 "chunked\r\n\r\n",
		 400, "malformed header"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501,
		 "other"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n", 501,
		 ""},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n",
		 400, "more than one Transfer-Encoding"},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \"chunked\"\r\n\r\n", 501, ""},
		{"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n", 501, ""},
		{"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
		 "HTTP/1.0"},
		/* lines */
		{"GET / HTTP/1.1\r\nHost: x\r\nA\rB: c\r\n\r\n", 400, "malformed header"},
		{"GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400, "malformed header"},
		{"GET / HTTP/1.1\r\nHost: x\r\nNoColon\r\n\r\n", 400, "malformed header"},
		{"GET / HTTP/1.1\r\nHost: x\r\n: empty\r\n\r\n", 400, "malformed header"},
		{"GET / HTTP/1.1\r\nHost: x\r\nA(b: c\r\n\r\n", 400, "malformed header"},
		/* first lines */
		{"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request line"},
		{"GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 505, "version"},
		{"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request line"},
		{"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request line"},
		{"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request line"},
		{"GET / http/1.1\r\nHost: x\r\n\r\n", 400, "request line"},
		{"GET / HTTP/1.10\r\nHost: x\r\n\r\n", 505, "version"},
		{"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "version"},
		{"GET /\r\n\r\n", 400, "request line"},
		{"\r\nGET / HTTP/1.1\r\n\r\n", 400, "request line"},
		/* host */
		{"GET / HTTP/1.1\r\n\r\n", 400, "Host"},
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "more than one Host"},
		{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "malformed Host"},
		{"GET / HTTP/1.1\r\nHost: user@a\r\n\r\n", 400, "malformed Host"},
		{"GET / HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n", 417, "Expect"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct http1_head head;
		const char *why = "";
		int status = http1_parse_request(str_of(rows[i].text), &a, &head, &why);
		if (status != rows[i].status || !strstr(why, rows[i].why))
			fail_msg("row %zu: %d %s", i, status, why);
	}
}

static void test_accepted_requests(void **state)
{
	static const struct {
		const char *text;
		int64_t length;
		bool is_chunked, keeps_alive, wants_upgrade, expects_continue;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", -1, false, true, false, false},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", -1, false, true, false, false},
		{"GET / HTTP/1.0\r\n\r\n", -1, false, false, false, false},
		{"PUT / HTTP/1.1\r\nhOST: x\r\ncontent-LENGTH:\t 007 \r\n\r\n", 7, false, true,
		 false, false},
		{"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n", -1, true, true,
		 false, false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: a, Close\r\n\r\n", -1, false, false,
		 false, false},
		{"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
		 "y\r\n\r\n",
		 -1, false, true, true, false},
		{"PUT / HTTP/1.1\r\nHost: [::1]:80\r\nExpect: 100-Continue\r\nX: \xc3\xa9\r\n\r\n",
		 -1, false, true, false, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct http1_head head;
		const char *why = "";
		if (http1_parse_request(str_of(rows[i].text), &a, &head, &why) != 0 ||
		    head.content_length != rows[i].length ||
		    head.is_chunked != rows[i].is_chunked ||
		    head.keeps_alive != rows[i].keeps_alive ||
		    head.wants_upgrade != rows[i].wants_upgrade ||
		    head.expects_continue != rows[i].expects_continue)
			fail_msg("row %zu: %s", i, why);
	}
}

static void test_many_fields(void **state)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF text = BUF_INIT(1 << 20);
	struct http1_head head;
	const char *why = "";
	buf_add_cstr(&text, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "x%d: y\r\n", i);
	buf_add_cstr(&text, "\r\n");
	assert_int_equal(http1_parse_request(buf_str(&text), &a, &head, &why), 431);
}

static void test_where_heads_end(void **state)
{
	static const struct {
		const char *text;
		size_t end;
		bool is_bad;
	} rows[] = {
		{"", 0, false},
		{"GET / HTTP/1.1\r\nHost: x\r\n", 0, false},
		{"GET / HTTP/1.1\r\n\r\nrest", 18, false},
		{"GET / HTTP/1.1\nHost: x\r\n\r\n", 0, true},
		{"GET / HTTP/1.1\r\n\n", 0, true},
		{"\nGET", 0, true},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t scanned = 0, end = 0;
		const char *why = NULL;
		/* Byte by byte gives the same as at once. */
		for (size_t len = 0; len <= strlen(rows[i].text) && !why && end == 0; len++)
			end = http1_head_end(str_n(rows[i].text, len), &scanned, &why);
		assert_int_equal(why != NULL, rows[i].is_bad);
		if (!why)
			assert_int_equal(end, rows[i].end);
	}
}

/* What a chunked body gives when it comes in pieces of step bytes; NULL: refused; "...": not over.
 */
static const char *chunked(const char *text, size_t step, struct buf *out)
{
	struct http1_chunked c = {};
	struct str rest = str_of(text);
	buf_reset(out);
	buf_add_cstr(out, "");
	while (rest.len > 0) {
		struct str data, piece = str_n(rest.at, MIN(step, rest.len));
		size_t used = 0;
		switch (http1_chunked_feed(&c, piece, &used, &data)) {
		case HTTP1_CHUNK_BAD:
			return NULL;
		case HTTP1_CHUNK_END:
			buf_add(out, "", 1);
			return out->data;
		case HTTP1_CHUNK_DATA:
			buf_add_str(out, data);
			break;
		case HTTP1_CHUNK_MORE:
			assert_int_equal(used, piece.len);
			break;
		}
		rest = str_skip(rest, used);
	}
	return "...";
}

static void test_chunked_bodies(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"0\r\n\r\n", ""},
		{"3\r\nabc\r\n0\r\n\r\n", "abc"},
		{"A\r\n0123456789\r\n00b;ext=\"v\"\r\n0123456789x\r\n0\r\nT: r\r\nU: s\r\n\r\n",
		 "01234567890123456789x"},
		{"3 \r\nabc\r\n0\r\n\r\n", "abc"},
		{"3\r\nab", "..."},
		{"", "..."},
		{"\r\n", NULL},
		{"3\nabc\r\n0\r\n\r\n", NULL},
		{"3\r\nabcd\r\n0\r\n\r\n", NULL},
		{"3\r\nabc0\r\n\r\n", NULL},
		{"3\r\nabc\n0\r\n\r\n", NULL},
		{"-3\r\nabc\r\n0\r\n\r\n", NULL},
		{"+3\r\nabc\r\n0\r\n\r\n", NULL},
		{"0x3\r\nabc\r\n0\r\n\r\n", NULL},
		{" 3\r\nabc\r\n0\r\n\r\n", NULL},
		{"10000000000000000\r\n", NULL},
		{"0\r\nT: r\n\r\n", NULL},
		{"0\r\n\rX", NULL},
	};
	CLEANUP_BUF out = BUF_INIT(1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t step = 1; step < 40; step += 3) {
			const char *got = chunked(rows[i].text, step, &out);
			if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
				fail_msg("row %zu step %zu: %s", i, step, got);
		}
}

static void test_chunk_lines_are_bounded(void **state)
{
	CLEANUP_BUF text = BUF_INIT(1 << 20);
	CLEANUP_BUF out = BUF_INIT(1 << 20);
	buf_printf(&text, "3;%05000d", 0);
	assert_null(chunked(text.data, 100, &out));
	buf_reset(&text);
	buf_add_cstr(&text, "0\r\n");
	for (int i = 0; i < 1000; i++)
		buf_add_cstr(&text, "trailer: x\r\n");
	assert_null(chunked(text.data, 100, &out));
}

static void test_responses(void **state)
{
	static const struct {
		const char *text;
		int refused, status;
	} rows[] = {
		{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 0, 101},
		{"HTTP/1.1 200\r\n\r\n", 0, 200},
		{"HTTP/1.1 20x OK\r\n\r\n", 400, 0},
		{"HTTP/2 200 OK\r\n\r\n", 400, 0},
		{"HTTP/1.1 99 OK\r\n\r\n", 400, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CLEANUP_ARENA a = {};
		struct http1_head head;
		const char *why = "";
		int refused = http1_parse_response(str_of(rows[i].text), &a, &head, &why);
		assert_int_equal(refused, rows[i].refused);
		if (!refused)
			assert_int_equal(head.status, rows[i].status);
	}
}

static void test_tokens(void **state)
{
	assert_true(http_has_token(STR("a, b ,Upgrade"), "upgrade"));
	assert_false(http_has_token(STR("xupgrade"), "upgrade"));
	assert_true(http_is_token(STR("x-y_z")));
	assert_false(http_is_token(STR("")));
	assert_false(http_is_field_value(STR("a\nb")));
	assert_true(http_is_field_value(STR("a\tb")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_accepted_requests),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_where_heads_end),
		cmocka_unit_test(test_chunked_bodies),
		cmocka_unit_test(test_chunk_lines_are_bounded),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
