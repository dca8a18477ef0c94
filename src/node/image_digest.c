#include "node/image_digest.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/buf.h"
#include "base/encode.h"

void image_digest_init(struct image_digest *d)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ASSERT(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
	d->context = context;
}

void image_digest_add(struct image_digest *d, const void *bytes, size_t len)
{
	int ok = EVP_DigestUpdate(d->context, bytes, len);
	ASSERT(ok == 1);
}

void image_digest_finish(struct image_digest *d, char out[IMAGE_DIGEST_MAX])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned int len = 0;
	int ok = EVP_DigestFinal_ex(d->context, sum, &len);
	ASSERT(ok == 1 && len == 32);
	image_digest_done(d);
	CLEANUP_BUF text = BUF_INIT(IMAGE_DIGEST_MAX);
	buf_add_cstr(&text, "sha256:");
	hex_add(&text, str_n((const char *)sum, len));
	memcpy(out, text.data, IMAGE_DIGEST_MAX);
}

void image_digest_done(struct image_digest *d)
{
	EVP_MD_CTX_free(d->context);
	d->context = NULL;
}

void image_digest_of(struct str bytes, char out[IMAGE_DIGEST_MAX])
{
	struct image_digest d;
	image_digest_init(&d);
	image_digest_add(&d, bytes.at, bytes.len);
	image_digest_finish(&d, out);
}
