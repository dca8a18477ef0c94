/* Links of proxied services: which are changed, in one URL and in a page however it is cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "server/proxy_rewrite.h"

static const struct proxy_links links = {
	.prefix = STR_INIT("/p/proxy"),
	.server_host = STR_INIT("10.42.0.5:80"),
	.request_host = STR_INIT("api.test:6443"),
};

static const struct {
	const char *url, *want;
} urls[] = {
	{"/", "/p/proxy/"},
	{"/a/b?c=/d#/e", "/p/proxy/a/b?c=/d#/e"},
	{"/a/../b//c/./", "/p/proxy/b/c/"},
	{"/../../a", "/p/proxy/a"},
	{"/p/proxy/a", "/p/proxy/a"},
	{"a/b", "a/b"},
	{"?a", "?a"},
	{"#a", "#a"},
	{"", ""},
	{"http://10.42.0.5:80/a", "/p/proxy/a"},
	{"https://api.test:6443/a", "https://api.test:6443/p/proxy/a"},
	{"//api.test:6443/a", "//api.test:6443/p/proxy/a"},
	{"http://other.test/a", "http://other.test/a"},
	{"//other.test/a", "//other.test/a"},
	{"mailto:somebody@other.test", "mailto:somebody@other.test"},
	{"javascript:f('/a')", "javascript:f('/a')"},
};

static void test_urls(void **state)
{
	CLEANUP_ARENA a = {};
	for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
		struct str got = proxy_rewrite_url(&a, &links, str_of(urls[i].url));
		if (!str_is(got, urls[i].want))
			fail_msg("%s: got '%.*s', want '%s'", urls[i].url, STR_FMT(got),
				 urls[i].want);
	}
}

static const struct {
	const char *page, *want;
} pages[] = {
	{"text only", "text only"},
	{"<a href=\"/a\">", "<a href=\"/p/proxy/a\">"},
	{"<A\n HREF = '/a' class=x>", "<A\n HREF = '/p/proxy/a' class=x>"},
	{"<a href=/a>", "<a href=/p/proxy/a>"},
	{"<img src=/a/>", "<img src=/p/proxy/a/>"},
	{"<img src=\"/a\" longdesc=\"/b\"/>", "<img src=\"/p/proxy/a\" longdesc=\"/p/proxy/b\"/>"},
	{"<a title=\"/a\" href=\"b\">", "<a title=\"/a\" href=\"b\">"},
	{"<a title=\">\" href=\"/b\">", "<a title=\">\" href=\"/p/proxy/b\">"},
	{"<div href=\"/a\">", "<div href=\"/a\">"},
	{"<!-- <a href=\"/a\"> --><a href=\"/b\">",
	 "<!-- <a href=\"/a\"> --><a href=\"/p/proxy/b\">"},
	{"<script src=\"/a\">'<a href=\"/b\">'</script><a href=\"/c\">",
	 "<script src=\"/p/proxy/a\">'<a href=\"/b\">'</script><a href=\"/p/proxy/c\">"},
	{"1 < 2 <a href=\"/a\">", "1 < 2 <a href=\"/p/proxy/a\">"},
	{"<!DOCTYPE html><html><body background='/a'>",
	 "<!DOCTYPE html><html><body background='/p/proxy/a'>"},
	{"</a href=\"/a\">", "</a href=\"/a\">"},
	{"<a href=\"/cut", "<a href=\"/cut"},
	{"<", "<"},
	{"<!", "<!"},
	{"<!-- cut", "<!-- cut"},
	{"<script>cut", "<script>cut"},
};

static void test_pages(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++)
		for (size_t piece = 1; piece < 40; piece += 3) {
			CLEANUP_BUF out = BUF_INIT(1u << 20);
			struct proxy_html h = {.links = links};
			struct str rest = str_of(pages[i].page);
			while (rest.len) {
				size_t len = MIN(piece, rest.len);
				proxy_html_feed(&h, str_n(rest.at, len), &out);
				rest = str_skip(rest, len);
			}
			proxy_html_feed(&h, STR(""), &out);
			proxy_html_done(&h);
			if (!str_is(buf_str(&out), pages[i].want))
				fail_msg("%s in pieces of %zu: got '%.*s', want '%s'",
					 pages[i].page, piece, STR_FMT(buf_str(&out)),
					 pages[i].want);
		}
}

/* A tag that never ends is text in the end, and no reason to keep all of it. */
static void test_endless_tag(void **state)
{
	CLEANUP_BUF out = BUF_INIT(4u << 20);
	struct proxy_html h = {.links = links};
	size_t fed = 0;
	for (int i = 0; i < 3000; i++) {
		struct str piece = i ? STR(" href=\"/a\" and so on without an end ") : STR("<a");
		proxy_html_feed(&h, piece, &out);
		fed += piece.len;
		assert_true(h.pending.len <= (64u << 10) + 64);
	}
	proxy_html_feed(&h, STR(""), &out);
	assert_int_equal(out.len, fed);
	proxy_html_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_endless_tag),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
