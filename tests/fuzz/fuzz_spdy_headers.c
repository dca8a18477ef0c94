/* A compressed block of SPDY headers, and the same bytes as its inside; what is read is written and
 * read to the same again. */
#include "http/spdy_headers.h"

#include "fuzz.h"

static void check_round_trip(const struct http_header *headers, size_t count)
{
	CLEANUP_ARENA a = {};
	CLEANUP_BUF out = BUF_INIT(1u << 20);
	struct spdy_headers h;
	const struct http_header *again;
	size_t again_count;
	spdy_headers_init(&h);
	spdy_headers_write(&h, headers, count, &out);
	if (spdy_headers_read(&h, buf_str(&out), &a, &again, &again_count, NULL) == RC_OK) {
		FUZZ_CHECK(again_count == count);
		for (size_t i = 0; i < count; i++)
			FUZZ_CHECK(str_eq(again[i].name, headers[i].name) &&
				   str_eq(again[i].value, headers[i].value));
	}
	spdy_headers_done(&h);
}

/* Deflated as a peer would, so that most inputs get as far as the list. */
static void deflate_into(struct spdy_headers *h, struct str block, struct buf *out)
{
	unsigned char room[1 << 17];
	h->deflater.next_in = (unsigned char *)block.at;
	h->deflater.avail_in = (unsigned)block.len;
	h->deflater.next_out = room;
	h->deflater.avail_out = sizeof(room);
	deflate(&h->deflater, Z_SYNC_FLUSH);
	buf_add(out, room, sizeof(room) - h->deflater.avail_out);
}

static void read_block(struct spdy_headers *h, struct str block)
{
	CLEANUP_ARENA a = {};
	const struct http_header *headers;
	size_t count;
	struct err err = {};
	enum rc rc = spdy_headers_read(h, block, &a, &headers, &count, &err);
	FUZZ_CHECK(rc == RC_OK || (rc == err.rc && err.text[0]));
	if (rc == RC_OK)
		check_round_trip(headers, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str block = str_n((const char *)bytes, MIN(size, (size_t)SPDY_BLOCK_MAX));
	CLEANUP_BUF packed = BUF_INIT(1u << 18);
	struct spdy_headers h;
	spdy_headers_init(&h);
	read_block(&h, block);
	spdy_headers_done(&h);
	spdy_headers_init(&h);
	deflate_into(&h, block, &packed);
	read_block(&h, buf_str(&packed));
	spdy_headers_done(&h);
	return 0;
}
