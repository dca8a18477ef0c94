/* A disk that is really full: writers get an error, deletes work, and afterwards there is room
 * again. Runs as root on a small tmpfs in a mount namespace of its own. */
#include <sched.h>
#include <sys/mount.h>

#include "store_fixture.h"

#define DISK_BYTES (24 << 20) /* ballast included */

static bool mount_small_disk(const char *folder)
{
	char options[32];
	snprintf(options, sizeof(options), "size=%d", DISK_BYTES);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", folder, "tmpfs", 0, options) == 0;
}

static enum rc put_big(struct fixture *f, int i)
{
	struct waiter w = waiter_make();
	char name[16];
	snprintf(name, sizeof(name), "o%d", i);
	assert_int_equal(put(f, KIND_SECRET, "n", name, i, EXPECT_ABSENT, &w), RC_OK);
	return waiter_wait(f, &w);
}

static void delete_all(struct fixture *f, int count)
{
	char name[16];
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "o%d", i);
		drop_wait(f, KIND_SECRET, "n", name, EXPECT_ANY);
	}
}

static void test_full_disk_can_be_emptied(void **state)
{
	struct fixture f = {.is_sqlite = true};
	char path[128];
	int count = 0;
	folder_make(f.folder);
	if (!mount_small_disk(f.folder))
		skip();
	snprintf(path, sizeof(path), "%s/ballast", f.folder);
	fixture_open(&f);
	assert_int_equal(access(path, F_OK), 0);
	object_padding = 100000;
	while (put_big(&f, count) == RC_OK)
		assert_true(++count < 1000);
	assert_true(count > 30);
	assert_int_equal(put_big(&f, count), RC_INTERNAL);
	object_padding = 0;
	delete_all(&f, count);
	assert_int_equal(put_big(&f, 0), RC_OK);
	put_wait(&f, KIND_SECRET, "n", "last", 1, EXPECT_ANY);
	assert_int_equal(f.fatal_count, 0);
	print_message("             full after %d objects\n", count);
	fixture_restart(&f);
	assert_int_equal(get(&f, KIND_SECRET, "n", "last"), 1);
	assert_int_equal(get(&f, KIND_SECRET, "n", "o1"), -1);
	fixture_close(&f);
	umount(f.folder);
	rmdir(f.folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full_disk_can_be_emptied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
