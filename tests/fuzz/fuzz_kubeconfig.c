/* A kubeconfig that somebody else wrote: it names a cluster or is refused in words, and a cluster
 * can be merged into it and taken out again. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "client/kubeconfig.h"
#include "fuzz.h"
#include "io/file.h"

static char folder[] = "/tmp/skeg-fuzz-XXXXXX";
static char theirs[64], ours[64];

static void remove_folder(void)
{
	(void)!dir_remove(folder, NULL);
}

static void start(void)
{
	static const struct kubeconfig_admin admin = {.host = "127.0.0.1", .port = 6443};
	log_setup(LOG_LEVEL_ERROR, false);
	FUZZ_CHECK(mkdtemp(folder));
	atexit(remove_folder);
	snprintf(theirs, sizeof(theirs), "%s/theirs", folder);
	snprintf(ours, sizeof(ours), "%s/ours", folder);
	FUZZ_CHECK(kubeconfig_write(ours, &admin, NULL) == RC_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	CLEANUP_ARENA a = {};
	struct kubeconfig_target target;
	struct err err = {};
	if (!ours[0])
		start();
	FUZZ_CHECK(file_write_volatile(theirs, str_n((const char *)bytes, size), 0600, NULL) ==
		   RC_OK);
	enum rc rc = kubeconfig_load(&a, theirs, NULL, &target, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	if (kubeconfig_merge(theirs, ours, "skeg", &err) != RC_OK) {
		FUZZ_CHECK(err.text[0]);
		return 0;
	}
	rc = kubeconfig_load(&a, theirs, NULL, &target, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	FUZZ_CHECK(kubeconfig_remove(theirs, "skeg", &err) == RC_OK);
	return 0;
}
