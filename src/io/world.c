/* The real clock and the kernel's random numbers behind a table that the simulator replaces. */
#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/mem.h"
#include "io/loop.h"

static int64_t clock_us(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t real_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

static int64_t real_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static void real_random(void *out, size_t len_bytes)
{
	char *at = out;
	while (len_bytes > 0) {
		ssize_t got = getrandom(at, len_bytes, 0);
		ASSERT(got > 0 || errno == EINTR);
		if (got < 0)
			continue;
		at += got;
		len_bytes -= (size_t)got;
	}
}

static void real_sleep_ms(int64_t ms)
{
	struct timespec left = {ms / 1000, ms % 1000 * 1000000};
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static const struct world_ops real_world = {real_wall_us, real_mono_us, real_random, real_sleep_ms};
static const struct world_ops *world = &real_world;

void world_set(const struct world_ops *ops)
{
	world = ops ? ops : &real_world;
}

int64_t world_wall_us(void)
{
	return world->wall_us();
}

int64_t world_mono_us(void)
{
	return world->mono_us();
}

int64_t world_mono_ms(void)
{
	return world_mono_us() / 1000;
}

void world_sleep_ms(int64_t ms)
{
	ASSERT(ms >= 0);
	if (world->sleep_ms)
		world->sleep_ms(ms);
}

/* getrandom() costs a system call; small requests (ids, suffixes) are cut from a block a thread,
 * and what was handed out is wiped.  A replaced world is asked each time, so that its seed decides.
 */
struct random_block {
	unsigned char bytes[512];
	size_t left;
};
static _Thread_local struct random_block block;

void world_random(void *out, size_t len_bytes)
{
	if (world != &real_world || len_bytes > sizeof(block.bytes) / 4) {
		world->random(out, len_bytes);
		return;
	}
	if (block.left < len_bytes) {
		world->random(block.bytes, sizeof(block.bytes));
		block.left = sizeof(block.bytes);
	}
	block.left -= len_bytes;
	memcpy(out, block.bytes + block.left, len_bytes);
	explicit_bzero(block.bytes + block.left, len_bytes);
}

uint64_t world_random_u64(void)
{
	uint64_t value;
	world_random(&value, sizeof(value));
	return value;
}

/* RFC 9562 §5.4. */
void world_uuid(char out[37])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char b[16];
	world_random(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	char *at = out;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = digits[b[i] >> 4];
		*at++ = digits[b[i] & 15];
	}
	*at = '\0';
}
