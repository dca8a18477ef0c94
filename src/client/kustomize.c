#include "client/kustomize.h"

#include "codec/yaml.h"
#include "io/spawn.h"

enum rc kustomize_build(struct arena *a, const char *folder, struct str *ret_yaml, struct err *err)
{
	const char *const own[] = {"kustomize", "build", folder, NULL};
	const char *const of_kubectl[] = {"kubectl", "kustomize", folder, NULL};
	const char *const *const programs[] = {own, of_kubectl};
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		CLEANUP_BUF out = BUF_INIT(YAML_MAX_BYTES);
		const struct spawn_opts opts = {.argv = programs[i], .output_max = YAML_MAX_BYTES};
		enum rc rc = spawn_check(&opts, &out, err);
		if (rc == RC_NOT_FOUND)
			continue;
		*ret_yaml = arena_str(a, buf_str(&out));
		return rc;
	}
	return err_set(err, RC_NOT_FOUND,
		       "-k needs the program kustomize, which is not installed; put it on PATH, or "
		       "build elsewhere and apply the result with -f");
}
