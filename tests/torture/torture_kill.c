/* Sudden death: a child commits and reports each acknowledgement, the parent kills it at any
 * moment, opens what it left, and compares.  The child is this program, started as `torture_kill
 * child FOLDER`. */
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>

#include "store_fixture.h"

extern char **environ;

#define KEYS   16
#define ROUNDS 40

/* --- the child: values of each key only grow --- */

struct writer_key {
	struct waiter waiter;
	struct fixture *f;
	char name[8];
	int value;
};

static void key_write(struct writer_key *k);

static void key_done(struct store_ticket *ticket)
{
	struct writer_key *k = CONTAINER_OF(ticket, struct writer_key, waiter.ticket);
	char line[64];
	ASSERT(ticket->rc == RC_OK);
	int len = snprintf(line, sizeof(line), "%s %d %lld\n", k->name + 1, k->value,
			   (long long)ticket->revision);
	/* A pipe takes a short line whole; when the parent is gone there is nothing to prove. */
	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		exit(0);
	key_write(k);
}

static void key_write(struct writer_key *k)
{
	k->value++;
	k->waiter.ticket.done = key_done;
	if (put(k->f, KIND_POD, "n", k->name, k->value, EXPECT_ANY, &k->waiter) != RC_OK)
		abort();
}

static int child(const char *folder)
{
	static struct writer_key keys[KEYS];
	struct fixture f = {.is_sqlite = true};
	snprintf(f.folder, sizeof(f.folder), "%s", folder);
	fixture_open(&f);
	for (int i = 0; i < KEYS; i++) {
		keys[i].f = &f;
		snprintf(keys[i].name, sizeof(keys[i].name), "k%d", i);
		keys[i].value = MAX(0, get(&f, KIND_POD, "n", keys[i].name));
		key_write(&keys[i]);
	}
	loop_run(f.loop);
	return 0;
}

/* --- the parent --- */

struct seen {
	int acknowledged[KEYS];
	int64_t revision;
	int count;
};

static pid_t start_child(const char *folder, int *ret_fd)
{
	int fds[2];
	pid_t pid;
	char *argv[] = {(char *)"torture_kill", (char *)"child", (char *)folder, NULL};
	posix_spawn_file_actions_t actions;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
	assert_int_equal(posix_spawn(&pid, "/proc/self/exe", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static void take_lines(struct seen *seen, FILE *lines)
{
	int key, value;
	long long at;
	while (fscanf(lines, "%d %d %lld\n", &key, &value, &at) == 3) {
		assert_true(key >= 0 && key < KEYS);
		seen->acknowledged[key] = value;
		seen->revision = MAX(seen->revision, (int64_t)at);
		seen->count++;
	}
}

static void sleep_ms(int ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000l}, NULL);
}

/* Death comes at any time after the first acknowledgement. */
static void live_and_die(const char *folder, struct seen *seen, int life_ms)
{
	int fd;
	pid_t pid = start_child(folder, &fd);
	struct pollfd first = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&first, 1, 20000), 1);
	sleep_ms(life_ms);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	FILE *lines = fdopen(fd, "r");
	take_lines(seen, lines);
	fclose(lines);
}

static void check_left(const char *folder, const struct seen *seen)
{
	struct fixture f = {.is_sqlite = true};
	char name[8];
	snprintf(f.folder, sizeof(f.folder), "%s", folder);
	fixture_open(&f);
	assert_true(revision(&f) >= seen->revision);
	for (int i = 0; i < KEYS; i++) {
		snprintf(name, sizeof(name), "k%d", i);
		int value = get(&f, KIND_POD, "n", name);
		/* One more than was acknowledged may have been on its way, in each of two lives. */
		if (value < seen->acknowledged[i] || value > seen->acknowledged[i] + 2)
			fail_msg("key %d: acknowledged %d, found %d", i, seen->acknowledged[i],
				 value);
	}
	fixture_close(&f);
}

static void test_acknowledged_writes_survive_kill(void **state)
{
	char folder[64];
	struct seen seen = {};
	folder_make(folder);
	for (int i = 0; i < ROUNDS; i++) {
		live_and_die(folder, &seen, (i * 13) % 47);
		if (i % 2) /* else the next child alone opens what a crash left */
			check_left(folder, &seen);
	}
	print_message("             %d writes acknowledged in %d lives\n", seen.count, ROUNDS);
	folder_remove(folder);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_acknowledged_writes_survive_kill),
	};
	if (argc == 3 && str_is(str_of(argv[1]), "child"))
		return child(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
