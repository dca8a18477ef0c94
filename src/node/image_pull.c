#include "node/image_pull.h"

#include <stdio.h>

#include "base/log.h"
#include "node/registry.h"
#include "node/registry_keyring.h"

/* One pull, over all attempts. */
struct pull {
	struct image_store *store;
	struct image_ref ref;
	char name[IMAGE_REF_MAX];
	struct image_pull_progress *progress;
	struct arena *a;
	/* of the attempt that reached so far: */
	struct image_descriptor top;
	struct image_manifest manifest;
	char manifest_digest[IMAGE_DIGEST_MAX];
	bool is_resolved;
};

static enum rc document_keep(struct pull *p, const struct registry_document *document,
			     struct err *err)
{
	char digest[IMAGE_DIGEST_MAX];
	return image_store_write_blob(p->store, document->bytes, document->digest, digest, err);
}

/* From a name to the manifest of this machine's platform. */
static enum rc resolve(struct pull *p, struct registry_session *session, struct err *err)
{
	struct registry_document document;
	struct image_descriptor chosen;
	struct json *tree;
	const char *reference = p->ref.digest[0] ? p->ref.digest : p->ref.tag;
	TRY(registry_manifest(session, reference, p->a, &document, err));
	TRY(json_parse(p->a, document.bytes, &tree, NULL, err));
	TRY(document_keep(p, &document, err));
	p->top = (struct image_descriptor){
		.media_type = document.media_type,
		.size_bytes = (int64_t)document.bytes.len,
	};
	memcpy(p->top.digest, document.digest, sizeof(document.digest));
	if (image_is_index(document.media_type, tree)) {
		TRY(image_index_choose(tree, &chosen, err));
		TRY(registry_manifest(session, chosen.digest, p->a, &document, err));
		TRY(json_parse(p->a, document.bytes, &tree, NULL, err));
		TRY(document_keep(p, &document, err));
	}
	memcpy(p->manifest_digest, document.digest, sizeof(document.digest));
	TRY(image_manifest_read(p->a, tree, &p->manifest, err));
	p->is_resolved = true;
	return RC_OK;
}

static enum rc blob_need(struct pull *p, struct registry_session *session,
			 const struct image_descriptor *blob, struct err *err)
{
	if (!image_store_has_blob(p->store, blob->digest))
		return registry_blob(session, p->store, blob, err);
	if (p->progress)
		atomic_fetch_add(&p->progress->done_bytes, blob->size_bytes);
	return RC_OK;
}

static enum rc fetch(struct pull *p, struct registry_session *session, struct err *err)
{
	struct image_config config;
	if (p->manifest.config.size_bytes > MANIFEST_BYTES_MAX)
		return err_set(err, RC_TOO_LARGE, "config of the image is larger than %u bytes",
			       MANIFEST_BYTES_MAX);
	if (p->progress) {
		atomic_store(&p->progress->done_bytes, 0);
		atomic_store(&p->progress->total_bytes, p->manifest.size_bytes);
	}
	TRY(blob_need(p, session, &p->manifest.config, err));
	TRY(image_store_config(p->store, str_of(p->manifest.config.digest), p->a, &config, err));
	for (size_t i = 0; i < p->manifest.layer_count; i++)
		TRY(blob_need(p, session, &p->manifest.layers[i], err));
	TRY(image_store_unpack(p->store, &p->manifest, &config, err));
	return image_store_name(p->store, p->name, &p->top, p->manifest_digest, &p->manifest, err);
}

static enum rc attempt(struct pull *p, const struct registry_endpoint *endpoint,
		       const struct registry_auth *auth, struct err *err)
{
	p->is_resolved = false;
	struct registry_session *session =
		registry_open(endpoint, auth, p->progress ? &p->progress->done_bytes : NULL);
	enum rc rc = resolve(p, session, err);
	if (rc == RC_OK)
		rc = fetch(p, session, err);
	registry_close(session);
	return rc;
}

/* Secrets are for the registry that the image's name names; a mirror gets what registries.yaml
 * holds for it, so that nobody's password travels to another host than its owner meant. */
static enum rc endpoint_try(struct pull *p, const struct registry_endpoint *endpoint,
			    const struct registry_auth *keys, size_t key_count, struct err *err)
{
	bool has_own = endpoint->auth.username.len > 0 || endpoint->auth.identity_token.len > 0;
	enum rc rc = RC_UNAUTHORIZED;
	for (size_t i = 0; endpoint->origin.len == 0 && i < key_count && rc == RC_UNAUTHORIZED; i++)
		rc = attempt(p, endpoint, &keys[i], err);
	if (rc == RC_UNAUTHORIZED)
		rc = attempt(p, endpoint, has_own ? &endpoint->auth : NULL, err);
	return rc;
}

/* What went wrong at several endpoints, in the order tried. */
static void failure_add(const struct pull *p, struct buf *out, const struct err *err)
{
	buf_printf(out, "%sfailed to pull and unpack image \"%s\": ", out->len ? "; " : "",
		   p->name);
	if (!p->is_resolved)
		buf_printf(out, "failed to resolve reference \"%s\": ", p->name);
	if (!p->is_resolved && err->rc == RC_NOT_FOUND)
		buf_printf(out, "%s: ", p->name);
	buf_add_cstr(out, err->text);
}

static enum rc endpoints_try(struct pull *p, const struct registry_config *registries,
			     const struct runtime_pull_config *config, const char **ret_reason,
			     struct err *err)
{
	struct registry_endpoint endpoints[REGISTRY_ENDPOINTS_MAX];
	struct registry_auth keys[KEYRING_MATCHES_MAX];
	CLEANUP_BUF failures = BUF_INIT(ERR_TEXT_MAX * 4);
	size_t count = registry_config_endpoints(registries, p->a, &p->ref, endpoints);
	size_t key_count =
		registry_keyring_find(p->a, config->secrets, config->secret_count, &p->ref, keys);
	enum rc worst = RC_UNAVAILABLE;
	for (size_t i = 0; i < count; i++) {
		struct err cause = {};
		if (endpoint_try(p, &endpoints[i], keys, key_count, &cause) == RC_OK)
			return RC_OK;
		log_info("image", "%s from %.*s: %s", p->name, STR_FMT(endpoints[i].base),
			 cause.text);
		failure_add(p, &failures, &cause);
		if (cause.rc != RC_UNAVAILABLE)
			worst = cause.rc;
	}
	*ret_reason = worst == RC_UNAVAILABLE ? IMAGE_REASON_UNAVAILABLE : IMAGE_REASON_PULL;
	return err_set(err, worst, "%s", failures.is_full ? "failed" : failures.data);
}

/* A digest that is here already needs no network. */
static bool is_here(struct pull *p, struct runtime_pull_result *ret)
{
	struct runtime_image_info info;
	if (!p->ref.digest[0] ||
	    image_store_find(p->store, str_of(p->name), p->a, &info, NULL) != RC_OK)
		return false;
	*ret = (struct runtime_pull_result){.image_id = info.id, .size_bytes = info.size_bytes};
	return true;
}

enum rc image_pull(struct image_store *store, const struct registry_config *registries,
		   const struct runtime_pull_config *config, struct image_pull_progress *progress,
		   struct arena *a, struct runtime_pull_result *ret_result, struct err *err)
{
	struct pull p = {.store = store, .progress = progress, .a = a};
	CLEANUP(close_fd_p) int lock = -1;
	CLEANUP(close_fd_p) int hold = -1;
	*ret_result = (struct runtime_pull_result){.reason = IMAGE_REASON_INVALID};
	if (image_ref_parse(config->ref, &p.ref, err) != RC_OK)
		return err_wrap(err, "couldn't parse image name \"%.*s\"", STR_FMT(config->ref));
	image_ref_print(&p.ref, p.name);
	ret_result->reason = IMAGE_REASON_PULL;
	TRY(image_store_lock_pull(store, p.name, &lock, err));
	TRY(image_store_hold(store, &hold, err));
	if (is_here(&p, ret_result))
		return RC_OK;
	TRY(endpoints_try(&p, registries, config, &ret_result->reason, err));
	*ret_result = (struct runtime_pull_result){
		.image_id = arena_str(a, str_of(p.manifest.config.digest)),
		.size_bytes = p.manifest.size_bytes,
	};
	return RC_OK;
}
