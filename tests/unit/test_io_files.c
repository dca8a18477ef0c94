/* io: files, folders and programs. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/spawn.h"

static char top[] = "/tmp/skeg-test-XXXXXX";

static int setup(void **state)
{
	return mkdtemp(top) ? 0 : -1;
}

static int teardown(void **state)
{
	return dir_remove(top, NULL) == RC_OK && !file_exists(top) ? 0 : -1;
}

static const char *in_top(const char *name)
{
	static char text[4][256];
	static int turn;
	char *out = text[turn++ % 4];
	snprintf(out, 256, "%s/%s", top, name);
	return out;
}

/* --- files --- */

static void test_write_replaces_whole(void **state)
{
	CLEANUP_ARENA a = {};
	struct err err = {};
	struct str got;
	struct stat st;
	assert_int_equal(file_write(in_top("f"), STR("one"), 0600, &err), RC_OK);
	assert_int_equal(file_write(in_top("f"), STR("second"), 0644, &err), RC_OK);
	assert_int_equal(file_read(in_top("f"), 6, &a, &got, &err), RC_OK);
	assert_true(str_is(got, "second"));
	assert_int_equal(stat(in_top("f"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(file_read(in_top("f"), 5, &a, &got, &err), RC_TOO_LARGE);
	assert_int_equal(file_read(in_top("none"), 5, &a, &got, &err), RC_NOT_FOUND);
	assert_non_null(strstr(err.text, "none"));
	assert_int_equal(file_write(in_top("none/f"), STR(""), 0600, &err), RC_NOT_FOUND);
	assert_int_equal(file_write_volatile(in_top("g"), STR(""), 0600, &err), RC_OK);
	assert_int_equal(file_read(in_top("g"), 5, &a, &got, &err), RC_OK);
	assert_int_equal(got.len, 0);
}

static void test_folders(void **state)
{
	struct err err = {};
	assert_int_equal(dir_make(in_top("a/b/c"), 0755, &err), RC_OK);
	assert_int_equal(dir_make(in_top("a/b/c"), 0755, &err), RC_OK);
	assert_int_equal(dir_make(in_top("a/b/d/"), 0755, &err), RC_OK);
	assert_int_equal(file_write(in_top("a/b/c/f"), STR("x"), 0600, &err), RC_OK);
	assert_int_equal(dir_make(in_top("a/b/c/f/g"), 0755, &err), RC_ALREADY_EXISTS);
	assert_int_equal(dir_make(in_top("a/b/c/f"), 0755, &err), RC_ALREADY_EXISTS);
	assert_int_equal(dir_remove(in_top("a"), &err), RC_OK);
	assert_false(file_exists(in_top("a")));
	assert_int_equal(dir_remove(in_top("a"), &err), RC_OK);
}

static void test_beneath_is_beneath(void **state)
{
	struct err err = {};
	int dir, fd;
	assert_int_equal(dir_make(in_top("w/in"), 0755, &err), RC_OK);
	assert_int_equal(file_write(in_top("outside"), STR("secret"), 0600, &err), RC_OK);
	assert_int_equal(symlink("../outside", in_top("w/link")), 0);
	assert_int_equal(symlink("in", in_top("w/dirlink")), 0);
	assert_int_equal(dir_open(in_top("w"), &dir, &err), RC_OK);
	assert_int_not_equal(file_open_beneath(dir, "../outside", O_RDONLY, 0, &fd, &err), RC_OK);
	assert_int_not_equal(file_open_beneath(dir, "link", O_RDONLY, 0, &fd, &err), RC_OK);
	assert_int_not_equal(
		file_open_beneath(dir, "dirlink/x", O_WRONLY | O_CREAT, 0600, &fd, &err), RC_OK);
	assert_int_not_equal(file_open_beneath(dir, "/etc/passwd", O_RDONLY, 0, &fd, &err), RC_OK);
	assert_int_equal(file_open_beneath(dir, "in/x", O_WRONLY | O_CREAT, 0600, &fd, &err),
			 RC_OK);
	close(fd);
	assert_int_equal(file_write_at(dir, "y", STR("z"), 0600, &err), RC_OK);
	assert_int_equal(file_write_at(dir, "../y", STR("z"), 0600, &err), RC_INVALID);
	/* A symlink is removed, what it points to is not. */
	assert_int_equal(symlink(top, in_top("w/up")), 0);
	close(dir);
	assert_int_equal(dir_remove(in_top("w"), &err), RC_OK);
	assert_true(file_exists(in_top("outside")));
}

static void test_deep_trees_are_refused(void **state)
{
	struct err err = {};
	char at[64] = "";
	int fd, up;
	assert_int_equal(dir_open(top, &fd, &err), RC_OK);
	for (int i = 0; i < DIR_DEPTH_MAX + 2; i++) {
		strcpy(at, "d");
		assert_int_equal(mkdirat(fd, at, 0700), 0);
		up = openat(fd, at, O_RDONLY | O_DIRECTORY);
		close(fd);
		fd = up;
	}
	close(fd);
	assert_int_equal(dir_remove(in_top("d"), &err), RC_TOO_LARGE);
	/* From the middle it works. */
	CLEANUP_BUF path = BUF_INIT(4096);
	buf_add_cstr(&path, top);
	for (int i = 0; i < 10; i++)
		buf_add_cstr(&path, "/d");
	assert_int_equal(dir_remove(path.data, &err), RC_OK);
	assert_int_equal(dir_remove(in_top("d"), &err), RC_OK);
}

/* --- programs --- */

static void test_run_captures(void **state)
{
	struct spawn_result r;
	struct err err = {};
	const char *const cat[] = {"cat", NULL};
	struct spawn_opts opts = {.argv = cat, .stdin_bytes = STR("through the pipe")};
	assert_int_equal(spawn_run(&opts, &r, &err), RC_OK);
	assert_int_equal(r.exit_code, 0);
	assert_true(str_is(buf_str(&r.out), "through the pipe"));
	spawn_result_done(&r);
}

static void test_run_cwd_env_and_codes(void **state)
{
	struct spawn_result r;
	struct err err = {};
	const char *const env[] = {"A=b", NULL};
	const char *const argv[] = {"/bin/sh", "-c", "pwd; echo $A $B; echo bad >&2; exit 7", NULL};
	struct spawn_opts opts = {.argv = argv, .env = env, .cwd = "/usr"};
	assert_int_equal(spawn_run(&opts, &r, &err), RC_OK);
	assert_int_equal(r.exit_code, 7);
	assert_true(str_is(buf_str(&r.out), "/usr\nb\n"));
	assert_true(str_is(buf_str(&r.err), "bad\n"));
	spawn_result_done(&r);
	assert_int_equal(spawn_check(&opts, NULL, &err), RC_IO);
	assert_string_equal(err.text, "'/bin/sh' exited with 7: bad");
	opts.argv = (const char *const[]){"no-such-program-here", NULL};
	assert_int_equal(spawn_run(&opts, &r, &err), RC_NOT_FOUND);
}

static void test_run_limits(void **state)
{
	struct spawn_result r;
	struct err err = {};
	const char *const noise[] = {"/bin/sh", "-c", "head -c 300000 /dev/zero", NULL};
	struct spawn_opts opts = {.argv = noise, .output_max = 1000};
	assert_int_equal(spawn_run(&opts, &r, &err), RC_OK);
	assert_true(r.is_cut);
	assert_int_equal(r.out.len, 1000);
	assert_int_equal(r.exit_code, 0);
	spawn_result_done(&r);
	const char *const slow[] = {"/bin/sh", "-c", "sleep 100 & sleep 100", NULL};
	opts = (struct spawn_opts){.argv = slow, .timeout_ms = 50};
	assert_int_equal(spawn_run(&opts, &r, &err), RC_OK);
	assert_true(r.is_timed_out);
	assert_int_equal(r.exit_code, 128 + SIGKILL);
	spawn_result_done(&r);
}

/* A child has 0, 1, 2 and what it was given, nothing else. */
static void test_run_descriptors(void **state)
{
	struct spawn_result r;
	struct err err = {};
	int leak = open("/dev/null", O_RDONLY); /* not O_CLOEXEC */
	int given[2];
	assert_int_equal(pipe(given), 0);
	const char *const argv[] = {"/bin/sh", "-c", "echo /proc/self/fd/*; echo hello >&3", NULL};
	struct spawn_opts opts = {.argv = argv, .pass_fds = &given[1], .pass_fd_count = 1};
	assert_int_equal(spawn_run(&opts, &r, &err), RC_OK);
	assert_int_equal(strncmp(r.out.data,
				 "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 "
				 "/proc/self/fd/3",
				 63),
			 0);
	char text[16] = "";
	assert_int_equal(read(given[0], text, sizeof(text)), 6);
	assert_string_equal(text, "hello\n");
	spawn_result_done(&r);
	close(leak);
	close(given[0]);
	close(given[1]);
}

struct run {
	struct loop *loop;
	int exit_code;
	char out[64];
	int left;
};

static void run_done(struct spawn *sp, struct spawn_result *result, void *ctx)
{
	struct run *run = ctx;
	run->exit_code = result->exit_code;
	snprintf(run->out, sizeof(run->out), "%.*s", STR_FMT(buf_str(&result->out)));
	if (--run->left == 0)
		loop_stop(run->loop);
}

static void test_start_on_a_loop(void **state)
{
	struct err err = {};
	struct run run = {.loop = loop_new(), .left = 3};
	struct spawn *sp;
	const char *const wait_for_it[] = {"sleep", "100", NULL};
	const char *const rev[] = {"tr", "a-z", "A-Z", NULL};
	struct spawn_opts opts = {.argv = wait_for_it};
	assert_int_equal(spawn_start(run.loop, &opts, run_done, &run, &sp, &err), RC_OK);
	assert_true(spawn_pid(sp) > 0);
	spawn_signal(sp, SIGTERM);
	opts.timeout_ms = 20;
	assert_int_equal(spawn_start(run.loop, &opts, run_done, &run, &sp, &err), RC_OK);
	opts = (struct spawn_opts){.argv = rev, .stdin_bytes = STR("upper"), .merge_stderr = true};
	struct run other = {.loop = run.loop, .left = 2};
	assert_int_equal(spawn_start(run.loop, &opts, run_done, &other, &sp, &err), RC_OK);
	assert_int_equal(spawn_start(run.loop, &opts, run_done, &run, &sp, &err), RC_OK);
	loop_run(run.loop);
	while (other.left == 2)
		loop_run_once(run.loop, 10);
	assert_string_equal(other.out, "UPPER");
	loop_free(run.loop);
}

static void test_names_and_facts(void **state)
{
	CLEANUP_ARENA a = {};
	struct err err = {};
	struct file_facts facts;
	const char **names, *path;
	size_t count = 0;
	assert_int_equal(dir_make(in_top("l/sub"), 0755, &err), RC_OK);
	assert_int_equal(dir_list(in_top("l/sub"), &a, &names, &count, &err), RC_OK);
	assert_int_equal(count, 0);
	assert_int_equal(file_write(in_top("l/b"), STR("four"), 0640, &err), RC_OK);
	assert_int_equal(file_write(in_top("l/.a"), STR(""), 0600, &err), RC_OK);
	assert_int_equal(symlink("b", in_top("l/link")), 0);
	assert_int_equal(dir_list(in_top("l"), &a, &names, &count, &err), RC_OK);
	assert_int_equal(count, 4);
	assert_string_equal(names[0], ".a");
	assert_string_equal(names[1], "b");
	assert_string_equal(names[2], "link");
	assert_string_equal(names[3], "sub");
	assert_int_equal(dir_list(in_top("l/b"), &a, &names, &count, &err), RC_IO);
	assert_int_equal(dir_list(in_top("nowhere"), &a, &names, &count, &err), RC_NOT_FOUND);
	assert_int_equal(file_look(in_top("l/b"), false, &facts, &err), RC_OK);
	assert_int_equal(facts.kind, FILE_REGULAR);
	assert_int_equal(facts.permissions, 0640);
	assert_int_equal(facts.size_bytes, 4);
	assert_int_equal(file_look(in_top("l/link"), false, &facts, &err), RC_OK);
	assert_int_equal(facts.kind, FILE_LINK);
	assert_int_equal(file_look(in_top("l/link"), true, &facts, &err), RC_OK);
	assert_int_equal(facts.kind, FILE_REGULAR);
	assert_int_equal(file_look(in_top("l/sub"), false, &facts, &err), RC_OK);
	assert_int_equal(facts.kind, FILE_FOLDER);
	assert_int_equal(file_look("/dev/null", false, &facts, &err), RC_OK);
	assert_int_equal(facts.kind, FILE_OTHER);
	assert_int_equal(file_look(in_top("nowhere"), true, &facts, &err), RC_NOT_FOUND);
	assert_int_equal(setenv("TMPDIR", top, 1), 0);
	assert_int_equal(file_write_temp(&a, "p-", ".yaml", STR("text"), &path, &err), RC_OK);
	assert_int_equal(file_look(path, false, &facts, &err), RC_OK);
	assert_int_equal(facts.permissions, 0600);
	assert_int_equal(facts.size_bytes, 4);
	assert_int_equal(setenv("TMPDIR", in_top("nowhere"), 1), 0);
	assert_int_equal(file_write_temp(&a, "p-", "", STR("text"), &path, &err), RC_NOT_FOUND);
	unsetenv("TMPDIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_replaces_whole),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_names_and_facts),
		cmocka_unit_test(test_beneath_is_beneath),
		cmocka_unit_test(test_deep_trees_are_refused),
		cmocka_unit_test(test_run_captures),
		cmocka_unit_test(test_run_cwd_env_and_codes),
		cmocka_unit_test(test_run_limits),
		cmocka_unit_test(test_run_descriptors),
		cmocka_unit_test(test_start_on_a_loop),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
