#include "node/runtime_programs.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum program_kind { PROGRAM_SYSTEM, PROGRAM_CNI };

/* What a node starts, and where Debian has it. */
static const struct program {
	const char *name, *package;
	enum program_kind kind;
	bool is_optional; /* something else can do its work */
} programs[] = {
	{"runc", "runc", PROGRAM_SYSTEM, false},
	{"crun", "crun", PROGRAM_SYSTEM, true},
	{"conmon", "conmon", PROGRAM_SYSTEM, false},
	{"nft", "nftables", PROGRAM_SYSTEM, false},
	{"ptp", "containernetworking-plugins", PROGRAM_CNI, false},
	{"host-local", "containernetworking-plugins", PROGRAM_CNI, false},
	{"loopback", "containernetworking-plugins", PROGRAM_CNI, false},
};

static const char *const system_folders[] = {
	"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", NULL,
};
static const char *const cni_folders[] = {"/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni", NULL};

static const struct program *program_named(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	}
	return NULL;
}

static bool path_find(const char *const *folders, const char *name, char ret_path[PROGRAM_PATH_MAX])
{
	for (; *folders; folders++) {
		int len = snprintf(ret_path, PROGRAM_PATH_MAX, "%s/%s", *folders, name);
		if (len > 0 && len < PROGRAM_PATH_MAX && access(ret_path, X_OK) == 0)
			return true;
	}
	return false;
}

enum rc program_find(const char *name, char ret_path[PROGRAM_PATH_MAX], struct err *err)
{
	const struct program *p = program_named(name);
	bool is_cni = p && p->kind == PROGRAM_CNI;
	if (path_find(is_cni ? cni_folders : system_folders, name, ret_path))
		return RC_OK;
	if (!p)
		return err_set(err, RC_UNAVAILABLE, "program %s is not installed", name);
	return err_set(err, RC_UNAVAILABLE,
		       "%s%s (Debian package %s) is not installed: apt install %s",
		       is_cni ? "CNI plugin " : "", name, p->package, p->package);
}

static bool is_named_before(const struct program *p)
{
	for (const struct program *q = programs; q < p; q++) {
		if (!q->is_optional && strcmp(q->package, p->package) == 0)
			return true;
	}
	return false;
}

enum rc programs_check(struct err *err)
{
	char path[PROGRAM_PATH_MAX];
	CLEANUP_BUF names = BUF_INIT(512);
	CLEANUP_BUF packages = BUF_INIT(512);
	for (const struct program *p = programs; p < programs + ARRAY_LEN(programs); p++) {
		if (p->is_optional || program_find(p->name, path, NULL) == RC_OK)
			continue;
		buf_printf(&names, "%s%s (Debian package %s)", names.len ? ", " : "", p->name,
			   p->package);
		if (!is_named_before(p))
			buf_printf(&packages, " %s", p->package);
	}
	if (names.len == 0)
		return RC_OK;
	return err_set(err, RC_UNAVAILABLE, "%s: not installed: apt install%s", names.data,
		       packages.data ? packages.data : "");
}
