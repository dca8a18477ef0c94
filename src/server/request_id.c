#include "server/request_id.h"

#include "io/loop.h"

#define UUID_BYTES 16
#define UUID_TEXT  36

static const uint8_t *bytes_take(struct id_stock *stock)
{
	if (stock->left < UUID_BYTES) {
		world_random(stock->bytes, sizeof(stock->bytes));
		stock->left = sizeof(stock->bytes);
	}
	stock->left -= UUID_BYTES;
	return stock->bytes + stock->left;
}

static bool is_dash_before(int byte)
{
	return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

/* RFC 9562, version 4. */
static struct str uuid_write(struct arena *a, const uint8_t *random)
{
	static const char digits[] = "0123456789abcdef";
	char *text = arena_alloc(a, UUID_TEXT), *out = text;
	for (int i = 0; i < UUID_BYTES; i++) {
		uint8_t byte = random[i];
		if (i == 6)
			byte = (byte & 0x0f) | 0x40;
		if (i == 8)
			byte = (byte & 0x3f) | 0x80;
		if (is_dash_before(i))
			*out++ = '-';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	return str_n(text, UUID_TEXT);
}

struct str request_id_make(struct id_stock *stock, struct arena *a, struct str brought)
{
	if (brought.len > 0 && brought.len <= REQUEST_ID_MAX)
		return brought;
	return uuid_write(a, bytes_take(stock));
}
