/* container_log: entries, the end of a file, times, limits, rotation. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/timefmt.h"
#include "node/container_log.h"

#define T(second, rest) "2026-01-02T03:04:0" #second ".5+00:00 " rest "\n"
#define PATH_BYTES	128

static char folder[PATH_BYTES - 32], path[PATH_BYTES];

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/skeg-log-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/0.log", folder);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	return rmdir(folder);
}

static void append(const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* Everything up to the end of what is there. */
static enum container_log_state read_all(struct container_log *log, struct buf *out)
{
	enum container_log_state state;
	struct err err = {};
	do
		assert_int_equal(container_log_read(log, out, &state, &err), RC_OK);
	while (state == CONTAINER_LOG_MORE);
	return state;
}

static const struct container_log_options all = {.tail_lines = -1, .limit_bytes = -1};

static void test_parse(void **state)
{
	static const struct {
		const char *line;
		bool is_entry, is_partial;
		const char *stream, *text;
	} rows[] = {
		{"2016-10-06T00:17:09.669794202Z stdout F some text", true, false, "stdout",
		 "some text"},
		{"2016-10-06T00:17:09.669794202Z stderr P ", true, true, "stderr", ""},
		{"2016-10-06T00:17:09.669794202Z stderr F", true, false, "stderr", ""},
		{"2016-10-06T00:17:09Z stdout P:x:y part", true, true, "stdout", "part"},
		{"2016-10-06T00:17:09Z stdin F x", false, false, NULL, NULL},
		{"2016-10-06T00:17:09Z stdout X x", false, false, NULL, NULL},
		{"2016-10-06T00:17:09Z stdout", false, false, NULL, NULL},
		{" stdout F x", false, false, NULL, NULL},
		{"", false, false, NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct container_log_entry e;
		if (container_log_parse(str_of(rows[i].line), &e) != rows[i].is_entry)
			fail_msg("row %zu", i);
		if (!rows[i].is_entry)
			continue;
		assert_int_equal(e.is_partial, rows[i].is_partial);
		assert_true(str_is(e.stream, rows[i].stream));
		assert_true(str_is(e.text, rows[i].text));
	}
}

static void test_read(void **state)
{
	static const char text[] = T(1, "stdout F one") T(2, "stdout P tw")
		T(3, "stderr F o") "nonsense\n" T(
			4, "stdout F three") "2026-01-02T03:04:05.25Z stdout F four";
	static const struct {
		struct container_log_options options;
		const char *since, *out;
	} rows[] = {
		{{-1, 0, -1}, NULL, "one\ntwo\nthree\nfour"},
		{{0, 0, -1}, NULL, ""},
		{{1, 0, -1}, NULL, "four"},
		{{2, 0, -1}, NULL, "three\nfour"},
		{{99, 0, -1}, NULL, "one\ntwo\nthree\nfour"},
		{{-1, 0, 5}, NULL, "one\nt"},
		{{-1, 0, -1}, "2026-01-02T03:04:03.5Z", "o\nthree\nfour"},
		{{-1, 0, -1, true},
		 NULL,
		 "2026-01-02T03:04:01.500000000Z one\n2026-01-02T03:04:02.500000000Z two\n"
		 "2026-01-02T03:04:04.500000000Z three\n2026-01-02T03:04:05.250000000Z four"},
		{{1, 0, 12, true}, NULL, "2026-01-02T0"},
	};
	append(text);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct container_log_options options = rows[i].options;
		CLEANUP(container_log_free_p) struct container_log *log = NULL;
		CLEANUP_BUF out = BUF_INIT(1 << 20);
		struct err err = {};
		if (rows[i].since)
			assert_true(time_parse(str_of(rows[i].since), &options.since_us));
		assert_int_equal(container_log_open(path, &options, &log, &err), RC_OK);
		read_all(log, &out);
		if (!str_is(buf_str(&out), rows[i].out))
			fail_msg("row %zu: '%s'", i, out.data);
	}
	unlink(path);
}

static void test_tail_of_a_large_file(void **state)
{
	CLEANUP_BUF text = BUF_INIT(4 << 20), out = BUF_INIT(4 << 20);
	CLEANUP(container_log_free_p) struct container_log *log = NULL;
	struct container_log_options options = all;
	struct err err = {};
	for (int i = 0; i < 20000; i++)
		buf_printf(&text, "2026-01-02T03:04:05Z stdout F line %d\n", i);
	append(text.data);
	options.tail_lines = 10000;
	assert_int_equal(container_log_open(path, &options, &log, &err), RC_OK);
	assert_int_equal(read_all(log, &out), CONTAINER_LOG_FULL);
	assert_true(str_has_prefix(buf_str(&out), STR("line 10000\n")));
	assert_true(str_has_suffix(buf_str(&out), STR("\nline 19999\n")));
	unlink(path);
}

static void test_follow_through_rotation(void **state)
{
	CLEANUP(container_log_free_p) struct container_log *log = NULL;
	CLEANUP_BUF out = BUF_INIT(1 << 20);
	struct container_log_options options = all;
	struct err err = {};
	char old[PATH_BYTES + 8];
	options.is_follow = true;
	options.tail_lines = 1; /* limits the start only */
	append(T(1, "stdout F zero") T(1, "stdout F one"));
	assert_int_equal(container_log_open(path, &options, &log, &err), RC_OK);
	assert_int_equal(read_all(log, &out), CONTAINER_LOG_AT_END);
	append("2026-01-02T03:04:05Z stdout F tw");
	assert_int_equal(read_all(log, &out), CONTAINER_LOG_AT_END);
	assert_string_equal(out.data, "one\n");
	append("o\n");
	snprintf(old, sizeof(old), "%s.old", path);
	assert_int_equal(rename(path, old), 0);
	append(T(2, "stdout F three"));
	assert_int_equal(read_all(log, &out), CONTAINER_LOG_AT_END);
	assert_string_equal(out.data, "one\ntwo\nthree\n");
	append("2026-01-02T03:04:05Z stdout F end");
	container_log_finish(log);
	assert_int_equal(read_all(log, &out), CONTAINER_LOG_AT_END);
	assert_string_equal(out.data, "one\ntwo\nthree\nend");
	unlink(old);
	unlink(path);
}

static void test_entry_that_is_too_long(void **state)
{
	CLEANUP_BUF text = BUF_INIT(8 << 20), out = BUF_INIT(1 << 20);
	CLEANUP(container_log_free_p) struct container_log *log = NULL;
	struct err err = {};
	buf_add_cstr(&text, "2026-01-02T03:04:05Z stdout F ");
	while (text.len < 3 * CONTAINER_LOG_ENTRY_MAX)
		buf_add_cstr(&text, "0123456789abcdef");
	buf_add_cstr(&text, "\n" T(1, "stdout F next"));
	append(text.data);
	assert_int_equal(container_log_open(path, &all, &log, &err), RC_OK);
	read_all(log, &out);
	assert_string_equal(out.data, "next\n");
	unlink(path);
}

static void test_no_file(void **state)
{
	struct container_log *log;
	struct err err = {};
	assert_int_equal(container_log_open(path, &all, &log, &err), RC_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_tail_of_a_large_file),
		cmocka_unit_test(test_follow_through_rotation),
		cmocka_unit_test(test_entry_that_is_too_long),
		cmocka_unit_test(test_no_file),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
