/* Documents as they are kept: made when first asked for, gzipped, immutable. */
#include <openssl/evp.h>
#include <pthread.h>
#include <zlib.h>

#include "server/openapi-int.h"

#define ENTRIES_MAX	256
#define GZIP_WINDOW	(15 + 16) /* 16: with gzip's header */
#define GZIP_LEVEL	4
#define INDEX_MAX_BYTES (1u << 20)

/* One name.  The index needs the hash of every document, but the bytes of few are ever asked for.
 */
struct entry {
	char name[128];
	char hash[OPENAPI_HASH_CHARS + 1]; /* empty until known */
	struct openapi_document *document; /* NULL until asked for */
};

static struct {
	pthread_mutex_t lock; /* held while one document is made */
	struct entry entries[ENTRIES_MAX];
	size_t count;
	struct openapi_document *index, *v2, *v2_protobuf;
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};

void openapi_hash(struct str bytes, char ret_hash[OPENAPI_HASH_CHARS + 1])
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int done = EVP_Digest(bytes.at, bytes.len, sum, &len, EVP_sha512(), NULL);
	ASSERT(done == 1 && len * 2 == OPENAPI_HASH_CHARS);
	for (unsigned int i = 0; i < len; i++) {
		ret_hash[2 * i] = digits[sum[i] >> 4];
		ret_hash[2 * i + 1] = digits[sum[i] & 15];
	}
	ret_hash[OPENAPI_HASH_CHARS] = '\0';
}

/* ---- one document ---- */

static struct openapi_document *document_ref(struct openapi_document *d)
{
	atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
	return d;
}

void openapi_document_unref(struct openapi_document *d)
{
	if (d && atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1)
		free(d);
}

static struct openapi_document *document_new(struct str plain)
{
	z_stream z = {};
	int rc = deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY);
	ASSERT(rc == Z_OK);
	size_t bound = deflateBound(&z, plain.len);
	struct openapi_document *d = mem_alloc(sizeof(*d) + bound);
	z.next_in = (unsigned char *)(uintptr_t)plain.at;
	z.avail_in = (uInt)plain.len;
	z.next_out = d->gzip;
	z.avail_out = (uInt)bound;
	rc = deflate(&z, Z_FINISH);
	ASSERT(rc == Z_STREAM_END);
	d->refs = 1;
	d->plain_bytes = (uint32_t)plain.len;
	d->gzip_bytes = (uint32_t)z.total_out;
	deflateEnd(&z);
	openapi_hash(plain, d->hash);
	return mem_resize(d, sizeof(*d) + d->gzip_bytes);
}

char *openapi_document_plain(const struct openapi_document *d)
{
	char *plain = mem_alloc(d->plain_bytes + 1);
	z_stream z = {};
	int rc = inflateInit2(&z, GZIP_WINDOW);
	ASSERT(rc == Z_OK);
	z.next_in = (unsigned char *)(uintptr_t)d->gzip;
	z.avail_in = d->gzip_bytes;
	z.next_out = (unsigned char *)plain;
	z.avail_out = d->plain_bytes;
	rc = inflate(&z, Z_FINISH);
	ASSERT(rc == Z_STREAM_END && z.total_out == d->plain_bytes);
	inflateEnd(&z);
	return plain;
}

/* ---- the cache; the lock is held ---- */

static void add_entry(struct str name, void *ctx)
{
	ASSERT(cache.count < ENTRIES_MAX && name.len < sizeof(cache.entries[0].name));
	memcpy(cache.entries[cache.count++].name, name.at, name.len);
}

static struct entry *entry_of(struct str name)
{
	if (!cache.count)
		openapi_each_name(add_entry, NULL);
	for (size_t i = 0; i < cache.count; i++)
		if (str_is(name, cache.entries[i].name))
			return &cache.entries[i];
	return NULL;
}

/* Our own tables made it, so it fits. */
static struct str checked(const struct buf *b)
{
	ASSERT(b->len && !b->is_full);
	return buf_str(b);
}

static void fill_entry(struct entry *e)
{
	CLEANUP_BUF b = BUF_INIT(OPENAPI_MAX_BYTES);
	bool is_there = openapi_write_v3(&b, str_of(e->name));
	ASSERT(is_there);
	e->document = document_new(checked(&b));
	memcpy(e->hash, e->document->hash, sizeof(e->hash));
}

static struct openapi_document *make_index(void)
{
	CLEANUP_BUF b = BUF_INIT(INDEX_MAX_BYTES);
	CLEANUP_BUF one = BUF_INIT(OPENAPI_MAX_BYTES);
	entry_of(STR(""));
	openapi_open(&b, NULL, '{');
	openapi_open(&b, "paths", '{');
	for (size_t i = 0; i < cache.count; i++) {
		struct entry *e = &cache.entries[i];
		if (!e->hash[0]) {
			buf_reset(&one);
			openapi_write_v3(&one, str_of(e->name));
			openapi_hash(checked(&one), e->hash);
		}
		openapi_open(&b, e->name, '{');
		buf_printf(&b, "\"serverRelativeURL\":\"/openapi/v3/%s?hash=%s\"}", e->name,
			   e->hash);
	}
	buf_add_cstr(&b, "}}");
	return document_new(checked(&b));
}

static struct openapi_document *make_v2(void)
{
	CLEANUP_BUF b = BUF_INIT(OPENAPI_MAX_BYTES);
	openapi_write_v2(&b);
	return document_new(checked(&b));
}

static struct openapi_document *make_v2_protobuf(void)
{
	CLEANUP_BUF b = BUF_INIT(OPENAPI_MAX_BYTES);
	openapi_write_v2_protobuf(&b);
	return document_new(checked(&b));
}

/* ---- for readers ---- */

bool openapi_has_v3(struct str name)
{
	pthread_mutex_lock(&cache.lock);
	bool is_there = entry_of(name) != NULL;
	pthread_mutex_unlock(&cache.lock);
	return is_there;
}

struct openapi_document *openapi_v3(struct str name)
{
	pthread_mutex_lock(&cache.lock);
	struct entry *e = entry_of(name);
	if (e && !e->document)
		fill_entry(e);
	struct openapi_document *d = e ? document_ref(e->document) : NULL;
	pthread_mutex_unlock(&cache.lock);
	return d;
}

static struct openapi_document *kept(struct openapi_document **slot,
				     struct openapi_document *(*make)(void))
{
	pthread_mutex_lock(&cache.lock);
	if (!*slot)
		*slot = make();
	struct openapi_document *d = document_ref(*slot);
	pthread_mutex_unlock(&cache.lock);
	return d;
}

struct openapi_document *openapi_v3_index(void)
{
	return kept(&cache.index, make_index);
}

struct openapi_document *openapi_v2(void)
{
	return kept(&cache.v2, make_v2);
}

struct openapi_document *openapi_v2_protobuf(void)
{
	return kept(&cache.v2_protobuf, make_v2_protobuf);
}
