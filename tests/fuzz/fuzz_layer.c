/* A layer of an image, as a stranger packed it: it is unpacked or refused in words, and nothing
 * appears or changes beside the folder that it goes into. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "io/file.h"
#include "node/unpack.h"

#define BYTES_MAX   (1 << 20)
#define ENTRIES_MAX 100

static char folder[] = "/tmp/skeg-fuzz-XXXXXX";
static int folder_fd = -1;

static void remove_folder(void)
{
	(void)!dir_remove(folder, NULL);
}

static void start(void)
{
	FUZZ_CHECK(mkdtemp(folder));
	atexit(remove_folder);
	FUZZ_CHECK(dir_open(folder, &folder_fd, NULL) == RC_OK);
	FUZZ_CHECK(file_write_at(folder_fd, "beside", STR("untouched"), 0600, NULL) == RC_OK);
}

static void check_beside(void)
{
	CLEANUP_ARENA a = {};
	const char **names;
	size_t count;
	struct stat st;
	FUZZ_CHECK(dir_list(folder, &a, &names, &count, NULL) == RC_OK && count == 2);
	FUZZ_CHECK(fstatat(folder_fd, "beside", &st, AT_SYMLINK_NOFOLLOW) == 0);
	FUZZ_CHECK(st.st_size == 9 && st.st_nlink == 1 && (st.st_mode & 07777) == 0600);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const struct unpack_limits limits = {BYTES_MAX, ENTRIES_MAX};
	char digest[IMAGE_DIGEST_MAX];
	struct err err = {};
	if (folder_fd < 0)
		start();
	int blob = memfd_create("layer", MFD_CLOEXEC);
	FUZZ_CHECK(blob >= 0 && write(blob, bytes, size) == (ssize_t)size);
	FUZZ_CHECK(lseek(blob, 0, SEEK_SET) == 0 && mkdirat(folder_fd, "in", 0700) == 0);
	int in = openat(folder_fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum rc rc = unpack_layer(blob, in, &limits, digest, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	check_beside();
	close(in);
	close(blob);
	FUZZ_CHECK(dir_remove_at(folder_fd, "in", NULL) == RC_OK);
	return 0;
}
