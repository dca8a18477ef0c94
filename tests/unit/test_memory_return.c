/* memory_return: a burst's memory leaves the process, once it is quiet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "io/file.h"
#include "server/memory_return.h"

#define PIECES	    1500
#define PIECE_BYTES (64u << 10)

static size_t resident_bytes(void)
{
	CLEANUP_ARENA a = {};
	struct str text, size, pages;
	assert_int_equal(file_read("/proc/self/statm", 4096, &a, &text, NULL), RC_OK);
	str_cut(text, ' ', &size, &pages);
	return (size_t)strtoull(pages.at, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

/* What stays lies between what goes, so that malloc cannot shorten its heap. */
static void burst(void *kept[PIECES])
{
	static struct arena arenas[PIECES];
	for (size_t i = 0; i < PIECES; i++) {
		memset(arena_alloc(&arenas[i], PIECE_BYTES), 1, PIECE_BYTES);
		kept[i] = mem_alloc(64);
	}
	for (size_t i = 0; i < PIECES; i++)
		arena_done(&arenas[i]);
}

static void test_a_burst_goes_back(void **state)
{
	static void *kept[PIECES];
	if (MEM_IS_WATCHED)
		skip(); /* the sanitizer's malloc keeps what it wants */
	struct memory_return m = {};
	struct loop *loop = loop_new();
	memory_return_start(&m, loop);
	burst(kept);
	size_t before = resident_bytes();
	memory_return_note(&m);
	assert_true(m.is_waiting);
	for (int i = 0; i < 1000 && m.is_waiting; i++)
		loop_run_once(loop, 20);
	assert_false(m.is_waiting);
	assert_true(resident_bytes() + (size_t)PIECES * PIECE_BYTES / 2 < before);
	for (size_t i = 0; i < PIECES; i++)
		free(kept[i]);
	memory_return_stop(&m);
	loop_free(loop);
}

static void test_little_is_left_alone(void **state)
{
	struct memory_return m = {};
	struct loop *loop = loop_new();
	memory_return_start(&m, loop);
	memory_return_note(&m);
	assert_false(m.is_waiting);
	memory_return_stop(&m);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_goes_back),
		cmocka_unit_test(test_little_is_left_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
