#include "node/image_manifest.h"

#include <stdio.h>

#include "base/mem.h"

const char *image_architecture(void)
{
#if defined(__aarch64__)
	return "arm64";
#else
	return "amd64";
#endif
}

enum rc image_descriptor_read(const struct json *tree, struct image_descriptor *ret,
			      struct err *err)
{
	struct str digest = json_str(json_get(tree, STR("digest")));
	int64_t size_bytes = json_i64(json_get(tree, STR("size")));
	if (!image_digest_is_valid(digest))
		return err_set(err, RC_INVALID, "digest '%.*s' is not of the form sha256:<hex>",
			       (int)MIN(digest.len, 80u), digest.at ? digest.at : "");
	if (size_bytes < 0)
		return err_set(err, RC_INVALID, "size of %.*s is negative", STR_FMT(digest));
	*ret = (struct image_descriptor){
		.media_type = json_str(json_get(tree, STR("mediaType"))),
		.size_bytes = size_bytes,
	};
	snprintf(ret->digest, sizeof(ret->digest), "%.*s", STR_FMT(digest));
	return RC_OK;
}

bool image_is_index(struct str media_type, const struct json *tree)
{
	if (media_type.len == 0)
		media_type = json_str(json_get(tree, STR("mediaType")));
	if (str_is(media_type, MEDIA_OCI_INDEX) || str_is(media_type, MEDIA_DOCKER_LIST))
		return true;
	return json_get(tree, STR("manifests")) && !json_get(tree, STR("config"));
}

/* An entry without a platform fits when it is the only one. */
static bool platform_fits(const struct json *entry, bool is_only)
{
	const struct json *platform = json_get(entry, STR("platform"));
	if (!platform)
		return is_only;
	return json_str(json_get(platform, STR("os"))).len > 0 &&
	       str_is(json_str(json_get(platform, STR("os"))), "linux") &&
	       str_is(json_str(json_get(platform, STR("architecture"))), image_architecture());
}

enum rc image_index_choose(const struct json *tree, struct image_descriptor *ret, struct err *err)
{
	const struct json *entries = json_get(tree, STR("manifests"));
	size_t count = json_count(entries);
	for (size_t i = 0; i < count; i++) {
		const struct json *entry = json_at(entries, i);
		if (platform_fits(entry, count == 1))
			return image_descriptor_read(entry, ret, err);
	}
	return err_set(err, RC_NOT_FOUND, "no match for platform in manifest: linux/%s: not found",
		       image_architecture());
}

static bool layer_is_known(struct str media_type)
{
	static const char *const types[] = {
		MEDIA_OCI_LAYER,
		MEDIA_OCI_LAYER "+gzip",
		MEDIA_OCI_LAYER "+zstd",
		"application/vnd.docker.image.rootfs.diff.tar",
		"application/vnd.docker.image.rootfs.diff.tar.gzip",
		"application/vnd.docker.image.rootfs.diff.tar.zstd",
	};
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (str_is(media_type, types[i]))
			return true;
	}
	return false;
}

enum rc image_manifest_read(struct arena *a, const struct json *tree, struct image_manifest *ret,
			    struct err *err)
{
	const struct json *layers = json_get(tree, STR("layers"));
	if (json_i64(json_get(tree, STR("schemaVersion"))) == 1)
		return err_set(err, RC_INVALID,
			       "the image has a manifest of schema 1, which registries gave up: "
			       "push it again with a current tool");
	if (json_count(layers) > MANIFEST_LAYERS_MAX)
		return err_set(err, RC_TOO_LARGE, "the image has more than %d layers",
			       MANIFEST_LAYERS_MAX);
	struct image_descriptor *items =
		ARENA_ARRAY(a, struct image_descriptor, json_count(layers) + 1);
	*ret = (struct image_manifest){.layers = items, .layer_count = json_count(layers)};
	if (image_descriptor_read(json_get(tree, STR("config")), &ret->config, err) != RC_OK)
		return err_wrap(err, "config of the manifest");
	ret->size_bytes = ret->config.size_bytes;
	for (size_t i = 0; i < ret->layer_count; i++) {
		if (image_descriptor_read(json_at(layers, i), &items[i], err) != RC_OK)
			return err_wrap(err, "layer %zu of the manifest", i);
		if (!layer_is_known(items[i].media_type))
			return err_set(
				err, RC_INVALID,
				"layer %zu has media type '%.*s': only tar, gzip and zstd are "
				"known",
				i, STR_FMT(items[i].media_type));
		ret->size_bytes += MIN(items[i].size_bytes, INT64_MAX / 2 - ret->size_bytes);
	}
	return RC_OK;
}

static const struct str *strings_read(struct arena *a, const struct json *array, size_t *ret_count)
{
	size_t count = array && array->type == JSON_ARRAY ? json_count(array) : 0;
	struct str *items = ARENA_ARRAY(a, struct str, count + 1);
	for (size_t i = 0; i < count; i++)
		items[i] = json_str(json_at(array, i));
	*ret_count = count;
	return items;
}

static enum rc diff_ids_read(struct arena *a, const struct json *array, struct image_config *ret,
			     struct err *err)
{
	size_t count = json_count(array);
	if (count > MANIFEST_LAYERS_MAX)
		return err_set(err, RC_TOO_LARGE, "the image has more than %d layers",
			       MANIFEST_LAYERS_MAX);
	char(*ids)[IMAGE_DIGEST_MAX] = arena_alloc(a, (count + 1) * IMAGE_DIGEST_MAX);
	for (size_t i = 0; i < count; i++) {
		struct str id = json_str(json_at(array, i));
		if (!image_digest_is_valid(id))
			return err_set(err, RC_INVALID,
				       "rootfs.diff_ids[%zu] of the image's config is not of the "
				       "form sha256:<hex>",
				       i);
		snprintf(ids[i], IMAGE_DIGEST_MAX, "%.*s", STR_FMT(id));
	}
	ret->diff_ids = (const char(*)[IMAGE_DIGEST_MAX])ids;
	ret->diff_id_count = count;
	return RC_OK;
}

enum rc image_config_read(struct arena *a, struct str text, struct image_config *ret,
			  struct err *err)
{
	struct json *tree;
	*ret = (struct image_config){};
	if (json_parse(a, text, &tree, NULL, err) != RC_OK)
		return err_wrap(err, "config of the image");
	TRY(diff_ids_read(a, json_path(tree, "rootfs.diff_ids"), ret, err));
	const struct json *config = json_get(tree, STR("config"));
	ret->entrypoint =
		strings_read(a, json_get(config, STR("Entrypoint")), &ret->entrypoint_count);
	ret->cmd = strings_read(a, json_get(config, STR("Cmd")), &ret->cmd_count);
	ret->env = strings_read(a, json_get(config, STR("Env")), &ret->env_count);
	ret->user = json_str(json_get(config, STR("User")));
	ret->working_dir = json_str(json_get(config, STR("WorkingDir")));
	ret->stop_signal = json_str(json_get(config, STR("StopSignal")));
	return RC_OK;
}
