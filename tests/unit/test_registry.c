/* Pulls from a small registry in a thread of this program, which can lie in every way a hostile one
 * could; and the store that keeps what is pulled and loaded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "../cluster/image_build.h"
#include "codec/yaml.h"
#include "node/image_archive.h"
#include "node/image_pull.h"
#include "node/image_store-int.h"

#define REQUEST_MAX 16384

static struct arena a;
static char folder[64];
static struct image_store *store;

/* --- the image --- */

static struct {
	struct str layer, config, manifest, index, foreign;
	char layer_digest[IMAGE_DIGEST_MAX], config_digest[IMAGE_DIGEST_MAX];
	char manifest_digest[IMAGE_DIGEST_MAX], index_digest[IMAGE_DIGEST_MAX];
} image;

static struct str manifest_of(const char *layer_digest, size_t layer_size)
{
	return arena_printf(&a,
			    "{\"schemaVersion\":2,\"config\":{\"digest\":\"%s\",\"size\":%zu},"
			    "\"layers\":[{\"mediaType\":\"" MEDIA_OCI_LAYER "\",\"digest\":\"%s\","
			    "\"size\":%zu}]}",
			    image.config_digest, image.config.len, layer_digest, layer_size);
}

static void image_make(void)
{
	struct tar tar;
	tar_open(&tar, 64u << 10);
	tar_add(&tar, "hello", AE_IFREG, 0644, STR("world"));
	image.layer = arena_str(&a, tar_close(&tar));
	free(tar.bytes);
	image_digest_of(image.layer, image.layer_digest);
	image.config =
		arena_printf(&a,
			     "{\"rootfs\":{\"diff_ids\":[\"%s\"]},\"config\":{\"Cmd\":[\"x\"],"
			     "\"User\":\"65532:65532\"}}",
			     image.layer_digest);
	image_digest_of(image.config, image.config_digest);
	image.manifest = manifest_of(image.layer_digest, image.layer.len);
	image_digest_of(image.manifest, image.manifest_digest);
	image.index = arena_printf(
		&a,
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\",\"manifests\":["
		"{\"digest\":\"sha256:%064d\",\"size\":1,\"platform\":{\"os\":\"windows\","
		"\"architecture\":\"%s\"}},{\"digest\":\"%s\",\"size\":%zu,\"platform\":{"
		"\"os\":\"linux\",\"architecture\":\"%s\"}}]}",
		1, image_architecture(), image.manifest_digest, image.manifest.len,
		image_architecture());
	image_digest_of(image.index, image.index_digest);
	image.foreign =
		STR("{\"schemaVersion\":2,\"manifests\":[{\"digest\":\"sha256:"
		    "0000000000000000000000000000000000000000000000000000000000000000\","
		    "\"size\":1,\"platform\":{\"os\":\"plan9\",\"architecture\":\"mips\"}}]}");
}

/* --- the registry --- */

static struct server {
	int fd;
	int port;
	pthread_t thread;
	int requests, moved;
	bool saw_credentials_at_other_host;
} server;

struct reply {
	int status;
	struct str headers, body;
};

static bool has(struct str text, const char *words)
{
	return memmem(text.at, text.len, words, strlen(words)) != NULL;
}

static struct reply manifest_reply(struct arena *scratch, struct str path)
{
	struct reply r = {.status = 200,
			  .headers = STR("Content-Type: " MEDIA_OCI_MANIFEST "\r\n")};
	if (has(path, "/manifests/index") || has(path, image.index_digest)) {
		r.headers = STR("Content-Type: " MEDIA_OCI_INDEX "; charset=utf-8\r\n");
		r.body = image.index;
	} else if (has(path, "/manifests/foreign")) {
		r.headers = STR("Content-Type: " MEDIA_OCI_INDEX "\r\n");
		r.body = image.foreign;
	} else if (has(path, "/manifests/old")) {
		r.body = STR("{\"schemaVersion\":1,\"fsLayers\":[]}");
	} else if (has(path, "/manifests/longer")) { /* announces less than it sends */
		r.body = manifest_of(image.layer_digest, image.layer.len - 1);
	} else if (has(path, "/manifests/shorter")) {
		r.body = manifest_of(image.layer_digest, image.layer.len + 1);
	} else if (has(path, "/manifests/wrong")) {
		r.body =
			manifest_of("sha256:1111111111111111111111111111111111111111111111111111111"
				    "111111111",
				    image.layer.len);
	} else if (has(path, "/manifests/rubbish")) {
		r.body = STR("<html>");
	} else if (has(path, "/manifests/huge")) {
		char *bytes = arena_alloc(scratch, MANIFEST_BYTES_MAX + 10);
		memset(bytes, ' ', MANIFEST_BYTES_MAX + 10);
		r.body = str_n(bytes, MANIFEST_BYTES_MAX + 10);
	} else if (has(path, "/manifests/sick")) {
		r.status = 503;
		r.body = STR("{\"errors\":[{\"code\":\"UNAVAILABLE\",\"message\":\"come back\"}]}");
	} else if (has(path, "/manifests/busy")) {
		r.status = 429;
	} else if (has(path, "/manifests/v1") || has(path, image.manifest_digest)) {
		r.body = image.manifest;
	} else {
		r.status = 404;
		r.body = STR(
			"{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"unknown\"}]}");
	}
	return r;
}

static struct reply blob_reply(struct arena *scratch, struct str path)
{
	struct reply r = {.status = 200};
	if (has(path, "/redirected/") && !has(path, "moved")) {
		r.status = 307;
		r.headers = arena_printf(scratch, "Location: http://localhost:%d%.*s?moved\r\n",
					 server.port, STR_FMT(path));
	} else if (has(path, image.config_digest))
		r.body = image.config;
	else
		r.body = image.layer; /* whatever was asked for */
	return r;
}

static struct reply token_reply(struct str request)
{
	struct reply r = {.status = 200, .body = STR("{\"token\":\"good\"}")};
	bool is_right = has(request, "Authorization: Basic dTpw\r\n") &&
			has(request, "service=reg") && has(request, "scope=repository%3A");
	bool is_refresh = str_has_prefix(request, STR("POST ")) &&
			  has(request, "refresh_token=idtok");
	if (!is_right && !is_refresh)
		r.status = 401;
	return r;
}

static struct reply challenge(struct arena *scratch, const char *kind)
{
	struct reply r = {.status = 401};
	if (kind)
		r.headers = arena_printf(scratch, "WWW-Authenticate: %s\r\n", kind);
	return r;
}

static struct reply answer(struct arena *scratch, struct str request)
{
	struct str method, path, rest;
	str_cut(request, ' ', &method, &rest);
	str_cut(rest, ' ', &path, &rest);
	if (str_has_prefix(path, STR("/token")))
		return token_reply(request);
	if (has(path, "?moved")) {
		server.moved++;
		server.saw_credentials_at_other_host |= has(request, "Authorization:");
		return blob_reply(scratch, path);
	}
	if (has(path, "/private/") && !has(request, "Authorization: Bearer good\r\n"))
		return challenge(scratch,
				 arena_printf(scratch,
					      "Bearer realm=\"http://127.0.0.1:%d/token\",service="
					      "\"reg\",scope=\"repository:private/app:pull\"",
					      server.port)
					 .at);
	if (has(path, "/basic/") && !has(request, "Authorization: Basic dTpw\r\n"))
		return challenge(scratch, "Basic realm=\"r\"");
	if (has(path, "/nothing/"))
		return challenge(scratch, NULL);
	if (has(path, "/odd/"))
		return challenge(scratch, "Bearer realm=\"file:///etc/passwd\"");
	return has(path, "/manifests/") ? manifest_reply(scratch, path) : blob_reply(scratch, path);
}

static void serve_one(int fd)
{
	CLEANUP_ARENA scratch = {};
	char request[REQUEST_MAX];
	size_t len = 0;
	ssize_t got;
	while (len < sizeof(request) - 1 &&
	       (got = read(fd, request + len, sizeof(request) - 1 - len)) > 0) {
		len += (size_t)got;
		request[len] = '\0';
		const char *end = strstr(request, "\r\n\r\n");
		const char *body = strstr(request, "Content-Length: ");
		if (end && (!body || len >= (size_t)(end + 4 - request) + (size_t)atoi(body + 16)))
			break;
	}
	struct reply r = answer(&scratch, str_n(request, len));
	dprintf(fd, "HTTP/1.1 %d X\r\n%.*sContent-Length: %zu\r\nConnection: close\r\n\r\n",
		r.status, STR_FMT(r.headers), r.body.len);
	for (size_t at = 0; at < r.body.len; at += (size_t)got) {
		got = send(fd, r.body.at + at, r.body.len - at, MSG_NOSIGNAL);
		if (got <= 0)
			break;
	}
	close(fd);
}

static void *server_main(void *arg)
{
	for (;;) {
		int fd = accept(server.fd, NULL, NULL);
		if (fd < 0)
			return NULL;
		server.requests++;
		serve_one(fd);
	}
}

static void server_start(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(address);
	server.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server.fd, 16), 0);
	assert_int_equal(getsockname(server.fd, (struct sockaddr *)&address, &len), 0);
	server.port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&server.thread, NULL, server_main, NULL), 0);
}

/* --- pulls --- */

static struct runtime_pull_result result;
static struct err err;

static enum rc pull_with(const char *registries, const char *ref, const char *secret)
{
	struct yaml_document *documents;
	size_t count;
	const struct registry_config *config;
	struct image_pull_progress progress = {};
	const struct runtime_pull_secret secrets[] = {{str_of(secret), false}};
	const struct runtime_pull_config pull = {
		.ref = arena_printf(&a, ref, server.port),
		.secrets = secrets,
		.secret_count = secret != NULL,
	};
	struct str text = arena_printf(&a, registries, server.port, server.port, server.port);
	err = (struct err){};
	assert_int_equal(yaml_parse(&a, text, &documents, &count, NULL, &err), RC_OK);
	assert_int_equal(registry_config_parse(&a, count ? documents[0].tree : NULL, &config, &err),
			 RC_OK);
	enum rc rc = image_pull(store, config, &pull, &progress, &a, &result, &err);
	if (rc == RC_OK)
		assert_int_equal(progress.done_bytes, progress.total_bytes);
	return rc;
}

static void assert_pulled(enum rc rc)
{
	if (rc != RC_OK)
		fail_msg("%s", err.text);
	assert_true(str_is(result.image_id, image.config_digest));
	CLEANUP_ARENA scratch = {};
	struct str text;
	char path[RUNTIME_PATH_MAX];
	image_store_layer_path(store, image.layer_digest, path);
	assert_int_equal(
		file_read(arena_printf(&scratch, "%s/hello", path).at, 64, &scratch, &text, NULL),
		RC_OK);
	assert_true(str_is(text, "world"));
}

/* So that every test downloads anew. */
static int forget(void **state)
{
	struct runtime_image_list list;
	assert_int_equal(image_store_list(store, &a, &list, NULL), RC_OK);
	for (size_t i = 0; i < list.count; i++)
		assert_int_equal(image_store_remove(store, list.items[i].id, NULL), RC_OK);
	assert_int_equal(image_store_collect(store, NULL), RC_OK);
	return image_store_has_blob(store, image.layer_digest) ||
	       image_store_has_layer(store, image.layer_digest);
}

static void test_tag_and_digest(void **state)
{
	struct runtime_image_info info;
	assert_pulled(pull_with("", "127.0.0.1:%d/app:index", NULL));
	int before = server.requests;
	char ref[IMAGE_REF_MAX];
	snprintf(ref, sizeof(ref), "127.0.0.1:%d/app@%s", server.port, image.index_digest);
	assert_pulled(pull_with("", ref, NULL));
	assert_int_equal(server.requests, before); /* known by its digest */
	assert_int_equal(image_store_find(store, str_of(ref), &a, &info, &err), RC_OK);
	assert_int_equal(info.user_id, 65532);
	assert_int_equal(info.tag_count, 1);
	assert_true(str_is(info.digests[0], ref));
	forget(NULL);
	snprintf(ref, sizeof(ref), "127.0.0.1:%d/app@%s", server.port, image.manifest_digest);
	assert_pulled(pull_with("", ref, NULL));
	assert_int_equal(image_store_find(store, str_of(image.config_digest + 7), &a, &info, &err),
			 RC_OK);
	assert_int_equal(info.tag_count, 0);
}

static void test_failures(void **state)
{
	static const struct {
		const char *ref, *reason, *words;
		enum rc rc;
	} rows[] = {
		{"127.0.0.1:%d/app:none", "ErrImagePull",
		 "app:none: not found: MANIFEST_UNKNOWN: unknown", RC_NOT_FOUND},
		{"127.0.0.1:%d/app:foreign", "ErrImagePull", "no match for platform in manifest",
		 RC_NOT_FOUND},
		{"127.0.0.1:%d/app:old", "ErrImagePull", "manifest of schema 1", RC_INVALID},
		{"127.0.0.1:%d/app:longer", "ErrImagePull", "larger than the", RC_TOO_LARGE},
		{"127.0.0.1:%d/app:shorter", "ErrImagePull", "the manifest announced", RC_INVALID},
		{"127.0.0.1:%d/app:wrong", "ErrImagePull", "content has digest", RC_INVALID},
		{"127.0.0.1:%d/app:rubbish", "ErrImagePull", "failed to resolve reference",
		 RC_BAD_REQUEST},
		{"127.0.0.1:%d/app:huge", "ErrImagePull", "is larger than", RC_TOO_LARGE},
		{"127.0.0.1:%d/app:sick", "RegistryUnavailable", "503: UNAVAILABLE: come back",
		 RC_UNAVAILABLE},
		{"127.0.0.1:%d/app:busy", "ErrImagePull", "429 Too Many Requests",
		 RC_TOO_MANY_REQUESTS},
		{"127.0.0.1:%d/nothing/app:v1", "ErrImagePull", "pull access denied",
		 RC_UNAUTHORIZED},
		{"127.0.0.1:%d/private/app:v1", "ErrImagePull", "pull access denied",
		 RC_UNAUTHORIZED},
		{"127.0.0.1:%d/odd/app:v1", "ErrImagePull", "is not https", RC_INVALID},
		{"127.0.0.1:1/app:v1", "RegistryUnavailable", "failed to resolve reference",
		 RC_UNAVAILABLE},
		{"Bad%%d", "InvalidImageName", "couldn't parse image name", RC_INVALID},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum rc rc = pull_with("", rows[i].ref, NULL);
		if (rc != rows[i].rc || !strstr(err.text, rows[i].words))
			fail_msg("%s gave %d, '%s'", rows[i].ref, rc, err.text);
		assert_string_equal(result.reason, rows[i].reason);
		assert_int_equal(image_store_collect(store, NULL), RC_OK);
		assert_false(image_store_has_layer(store, image.layer_digest));
	}
}

static const char secret_right[] =
	"{\"auths\":{\"127.0.0.1:*\":{},\"*.0.0.1:%d\":{\"auth\":\"dTpw\"}}}";

static void test_credentials(void **state)
{
	const char *right = arena_printf(&a, secret_right, server.port).at;
	const char *wrong =
		arena_printf(&a, "{\"auths\":{\"127.0.0.1:%d\":{\"auth\":\"dTp4\"}}}", server.port)
			.at;
	const char *refresh = arena_printf(&a,
					   "{\"auths\":{\"127.0.0.1:%d\":{\"identitytoken\":"
					   "\"idtok\"}}}",
					   server.port)
				      .at;
	assert_pulled(pull_with("", "127.0.0.1:%d/private/app:v1", right));
	forget(NULL);
	assert_pulled(pull_with("", "127.0.0.1:%d/private/app:v1", refresh));
	forget(NULL);
	assert_pulled(pull_with("", "127.0.0.1:%d/basic/app:v1", right));
	forget(NULL);
	assert_int_equal(pull_with("", "127.0.0.1:%d/basic/app:v1", wrong), RC_UNAUTHORIZED);
	assert_int_equal(pull_with("", "127.0.0.1:%d/private/app:v1", wrong), RC_UNAUTHORIZED);
	/* From registries.yaml. */
	assert_pulled(pull_with("configs: {\"127.0.0.1:%d\": {auth: {username: u, password: p}}}",
				"127.0.0.1:%d/basic/app:v1", NULL));
}

static void test_mirror(void **state)
{
	const char *yaml = "mirrors: {\"example.invalid\": {endpoint: [\"http://127.0.0.1:1\", "
			   "\"http://127.0.0.1:%d\"], rewrite: {\"^team/(.*)\": \"$1\"}}}";
	assert_pulled(pull_with(yaml, "example.invalid/team/app:v1", NULL));
	struct runtime_image_info info;
	assert_int_equal(
		image_store_find(store, STR("example.invalid/team/app:v1"), &a, &info, &err),
		RC_OK);
	/* Secrets for the origin stay away from its mirror. */
	const char *secret = "{\"auths\":{\"example.invalid\":{\"auth\":\"dTpw\"}}}";
	assert_int_not_equal(pull_with(yaml, "example.invalid/team/basic/app:v1", secret), RC_OK);
	assert_non_null(strstr(err.text, "pull access denied"));
}

static void test_redirect(void **state)
{
	const char *right = arena_printf(&a, secret_right, server.port).at;
	assert_pulled(pull_with("", "127.0.0.1:%d/redirected/basic/app:v1", right));
	assert_int_equal(server.moved, 2);
	assert_false(server.saw_credentials_at_other_host);
}

/* Two at once share the work. */
static void *pull_main(void *arg)
{
	CLEANUP_ARENA scratch = {};
	struct runtime_pull_result own;
	const struct registry_config *config;
	const struct runtime_pull_config pull = {
		.ref = arena_printf(&scratch, "127.0.0.1:%d/app:v1", server.port)};
	if (registry_config_parse(&scratch, NULL, &config, NULL) != RC_OK)
		return arg;
	return image_pull(store, config, &pull, NULL, &scratch, &own, NULL) == RC_OK ? NULL : arg;
}

static void test_at_once(void **state)
{
	pthread_t threads[4];
	void *failed;
	int before = server.requests;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pull_main, threads), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	/* Four manifests (a tag may have moved), one config, one layer. */
	assert_int_equal(server.requests - before, 6);
}

/* --- the store --- */

static int archive_fd(struct tar *tar)
{
	struct str bytes = tar_close(tar);
	int fd = memfd_create("archive", MFD_CLOEXEC);
	assert_int_equal(write(fd, bytes.at, bytes.len), (ssize_t)bytes.len);
	lseek(fd, 0, SEEK_SET);
	free(tar->bytes);
	return fd;
}

static enum rc load(int fd, struct str name, struct str **names, size_t *count)
{
	err = (struct err){};
	enum rc rc = image_archive_load(store, fd, name, &a, names, count, &err);
	close(fd);
	return rc;
}

static void test_docker_archive(void **state)
{
	struct tar tar;
	struct str *names;
	size_t count;
	tar_open(&tar, 256u << 10);
	tar_add(&tar, "abc/layer.tar", AE_IFREG, 0644, image.layer);
	tar_add(&tar, "def/layer.tar", AE_IFLNK, 0777, STR("../abc/layer.tar"));
	tar_add(&tar, "c.json", AE_IFREG, 0644, image.config);
	tar_add(&tar, "manifest.json", AE_IFREG, 0644,
		STR("[{\"Config\":\"c.json\",\"RepoTags\":[\"app:1\",\"r.example/app:2\"],"
		    "\"Layers\":[\"def/layer.tar\"]}]"));
	assert_int_equal(load(archive_fd(&tar), STR(""), &names, &count), RC_OK);
	assert_int_equal(count, 2);
	assert_true(str_is(names[0], "docker.io/library/app:1"));
	assert_true(str_is(names[1], "r.example/app:2"));
	struct runtime_image_list list;
	assert_int_equal(image_store_list(store, &a, &list, &err), RC_OK);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].tag_count, 2);
	/* One name goes, the image stays; the last name takes it along, unless it is in use. */
	assert_int_equal(image_store_remove(store, STR("app:1"), &err), RC_OK);
	assert_true(image_store_has_layer(store, image.layer_digest));
	assert_int_equal(image_store_use(store, list.items[0].id, "someone", &err), RC_OK);
	assert_int_equal(image_store_remove(store, STR("r.example/app:2"), &err), RC_OK);
	assert_true(image_store_has_layer(store, image.layer_digest));
	image_store_unuse(store, "someone");
	assert_int_equal(image_store_collect(store, &err), RC_OK);
	assert_false(image_store_has_layer(store, image.layer_digest));
	assert_false(image_store_has_blob(store, image.config_digest));
}

/* What is used, young, or nowhere else stays. */
static void test_trim(void **state)
{
	static const struct image_trim_policy never = {101, 100, 0}, young = {0, 0, 3600000000},
					      now = {0, 0, 0};
	struct runtime_trim_result trimmed;
	struct runtime_image_info info;
	assert_pulled(pull_with("", "127.0.0.1:%d/app:index", NULL));
	struct str id = arena_str(&a, result.image_id);
	assert_int_equal(image_store_trim(store, &never, &trimmed, &err), RC_OK);
	assert_int_equal(trimmed.wanted_bytes, 0);
	assert_int_equal(image_store_trim(store, &young, &trimmed, &err), RC_OK);
	assert_int_equal(trimmed.image_count, 0);
	assert_true(trimmed.wanted_bytes > 0);
	assert_int_equal(image_store_use(store, id, "someone", &err), RC_OK);
	assert_int_equal(image_store_trim(store, &now, &trimmed, &err), RC_OK);
	assert_int_equal(trimmed.image_count, 0);
	image_store_unuse(store, "someone");
	assert_int_equal(image_store_find(store, id, &a, &info, &err), RC_OK);
	assert_false(info.is_pinned);
	assert_int_equal(image_store_pin(store, arena_cstr(&a, info.tags[0]), &err), RC_OK);
	assert_int_equal(image_store_trim(store, &now, &trimmed, &err), RC_OK);
	assert_int_equal(trimmed.image_count, 0);
	assert_int_equal(image_store_remove(store, id, &err), RC_OK);
	assert_pulled(pull_with("", "127.0.0.1:%d/app:index", NULL)); /* a pull pins nothing */
	int pull;
	assert_int_equal(image_store_hold(store, &pull, &err), RC_OK);
	assert_int_equal(image_store_trim(store, &now, &trimmed, &err), RC_OK);
	assert_int_equal(trimmed.image_count, 0);
	close(pull);
	assert_int_equal(image_store_trim(store, &now, &trimmed, &err), RC_OK);
	assert_int_equal(trimmed.image_count, 1);
	assert_int_equal(image_store_find(store, id, &a, &info, &err), RC_NOT_FOUND);
	assert_false(image_store_has_layer(store, image.layer_digest));
}

static void test_bad_archives(void **state)
{
	struct str *names;
	size_t count;
	struct tar tar;
	tar_open(&tar, 64u << 10);
	tar_add(&tar, "readme", AE_IFREG, 0644, STR("hi"));
	assert_int_equal(load(archive_fd(&tar), STR(""), &names, &count), RC_INVALID);
	assert_non_null(strstr(err.text, "neither index.json (OCI) nor manifest.json"));
	tar_open(&tar, 64u << 10);
	tar_add(&tar,
		"blobs/sha256/0000000000000000000000000000000000000000000000000000000000000000",
		AE_IFREG, 0644, STR("hi"));
	assert_int_equal(load(archive_fd(&tar), STR(""), &names, &count), RC_INVALID);
	assert_non_null(strstr(err.text, "content has digest"));
	tar_open(&tar, 64u << 10);
	tar_add(&tar, "manifest.json", AE_IFREG, 0644,
		STR("[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]"));
	assert_int_equal(load(archive_fd(&tar), STR("a"), &names, &count), RC_INVALID);
	assert_non_null(strstr(err.text, "'../../etc/passwd' is not in the archive"));
	tar_open(&tar, 64u << 10);
	tar_add(&tar, "a", AE_IFLNK, 0777, STR("b"));
	tar_add(&tar, "b", AE_IFLNK, 0777, STR("a"));
	tar_add(&tar, "manifest.json", AE_IFREG, 0644, STR("[{\"Config\":\"a\",\"Layers\":[]}]"));
	assert_int_equal(load(archive_fd(&tar), STR("a"), &names, &count), RC_INVALID);
}

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/skeg-registry-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	image_make();
	server_start();
	return image_store_open(folder, &store, NULL) != RC_OK;
}

static int teardown(void **state)
{
	shutdown(server.fd, SHUT_RDWR);
	pthread_join(server.thread, NULL);
	close(server.fd);
	image_store_free(store);
	arena_done(&a);
	return dir_remove(folder, NULL) != RC_OK;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_tag_and_digest, forget),
		cmocka_unit_test_teardown(test_failures, forget),
		cmocka_unit_test_teardown(test_credentials, forget),
		cmocka_unit_test_teardown(test_mirror, forget),
		cmocka_unit_test_teardown(test_redirect, forget),
		cmocka_unit_test_teardown(test_at_once, forget),
		cmocka_unit_test_teardown(test_docker_archive, forget),
		cmocka_unit_test_teardown(test_trim, forget),
		cmocka_unit_test_teardown(test_bad_archives, forget),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
