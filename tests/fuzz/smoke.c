/* smoke: runs one target without a fuzzing engine: smoke CORPUS_FOLDER ROUNDS.
 * Every file of the corpus is run as it is, then ROUNDS mutations, always the same ones.  A failing
 * round is named on standard error, and its input stands in fuzz-failure.bin. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "fuzz.h"

#define MAX_INPUT_BYTES (64u << 10)
#define MAX_FILES	256

static struct {
	uint8_t *bytes;
	size_t size;
} files[MAX_FILES];
static size_t file_count;

static uint8_t input[MAX_INPUT_BYTES];
static size_t input_size;
static uint64_t random_state = 0x9e3779b97f4a7c15u;

static size_t random_below(size_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return limit ? (size_t)(random_state % limit) : 0;
}

static void keep_input(void)
{
	int fd = open("fuzz-failure.bin", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0)
		(void)!write(fd, input, input_size);
}

static void keep_failure(int signal_number)
{
	keep_input();
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* AddressSanitizer calls it before it reports. */
[[gnu::visibility("default")]] void __asan_on_error(void);
void __asan_on_error(void)
{
	keep_input();
}

/* A sanitizer's own handlers stay. */
static void watch_signals(void)
{
	static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL};
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
		void (*before)(int) = signal(fatal[i], keep_failure);
		if (before != SIG_DFL)
			signal(fatal[i], before);
	}
}

/* libFuzzer gives exact sizes as well, so that sanitizers see a read behind the end. */
static void run(void)
{
	uint8_t *exact = mem_resize(NULL, input_size + 1);
	memcpy(exact, input, input_size);
	exact = mem_resize(exact, input_size ? input_size : 1);
	LLVMFuzzerTestOneInput(exact, input_size);
	free(exact);
}

static void load_file(const char *folder, const char *name)
{
	CLEANUP(free_p) char *path = mem_printf("%s/%s", folder, name);
	CLEANUP(close_file_p) FILE *f = fopen(path, "rbe");
	if (!f || file_count == MAX_FILES)
		return;
	files[file_count].bytes = mem_alloc(MAX_INPUT_BYTES);
	files[file_count].size = fread(files[file_count].bytes, 1, MAX_INPUT_BYTES, f);
	file_count++;
}

static void load_corpus(const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			load_file(folder, entries[i]->d_name);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

static void take_file(size_t index)
{
	input_size = files[index].size;
	memcpy(input, files[index].bytes, input_size);
}

static void insert(size_t at, const void *bytes, size_t len)
{
	if (input_size + len > MAX_INPUT_BYTES)
		return;
	memmove(input + at + len, input + at, input_size - at);
	memmove(input + at, bytes, len);
	input_size += len;
}

static void mutate_bytes(size_t at)
{
	static const uint8_t odd[] = "\0\1\x7f\x80\xc0\xe2\xed\xf0\xff\"\\{}[]:,-#&*!|>'%@~0";
	uint8_t byte = odd[random_below(sizeof(odd) - 1)];
	if (random_below(3) == 0)
		insert(at, &byte, 1);
	else if (input_size && random_below(2))
		input[at % input_size] = byte;
	else if (input_size)
		input[at % input_size] ^= (uint8_t)(1u << random_below(8));
}

static void mutate_ranges(size_t at)
{
	size_t len = random_below(MIN(input_size - at, (size_t)64) + 1);
	uint8_t piece[64];
	size_t other = random_below(file_count);
	switch (random_below(4)) {
	case 0: /* drop a range */
		memmove(input + at, input + at + len, input_size - at - len);
		input_size -= len;
		break;
	case 1: /* repeat a range */
		memcpy(piece, input + at, len);
		for (size_t times = random_below(8); times > 0; times--)
			insert(at, piece, len);
		break;
	case 2: /* cut the end off */
		input_size = at;
		break;
	default: /* a piece of another file */
		len = random_below(files[other].size + 1);
		insert(at, files[other].bytes, MIN(len, sizeof(piece)));
	}
}

static void mutate(void)
{
	take_file(random_below(file_count));
	for (size_t changes = 1 + random_below(6); changes > 0; changes--) {
		size_t at = random_below(input_size + 1);
		if (random_below(2))
			mutate_bytes(at);
		else
			mutate_ranges(at);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s CORPUS_FOLDER ROUNDS\n", argv[0]);
		return 2;
	}
	watch_signals();
	load_corpus(argv[1]);
	if (file_count == 0) {
		fprintf(stderr, "%s: no corpus in '%s'\n", argv[0], argv[1]);
		return 1;
	}
	for (size_t i = 0; i < file_count; i++) {
		take_file(i);
		run();
	}
	long rounds = strtol(argv[2], NULL, 10);
	for (long round = 0; round < rounds; round++) {
		mutate();
		run();
	}
	printf("%zu files and %ld mutations\n", file_count, rounds);
	for (size_t i = 0; i < file_count; i++)
		free(files[i].bytes);
	return 0;
}
