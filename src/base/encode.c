#include "base/encode.h"

#include <endian.h>
#include <pthread.h>

static const char STANDARD[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char URL[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void add_base64(struct buf *out, struct str bytes, const char *alphabet, bool is_padded)
{
	const uint8_t *in = (const uint8_t *)bytes.at;
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t n = MIN(bytes.len - i, (size_t)3);
		uint32_t word = (uint32_t)in[i] << 16 | (n > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
				(n > 2 ? in[i + 2] : 0);
		char four[4] = {alphabet[word >> 18], alphabet[word >> 12 & 63],
				n > 1 ? alphabet[word >> 6 & 63] : '=',
				n > 2 ? alphabet[word & 63] : '='};
		buf_add(out, four, is_padded ? 4 : n + 1);
	}
}

void base64_add(struct buf *out, struct str bytes)
{
	add_base64(out, bytes, STANDARD, true);
}

void base64url_add(struct buf *out, struct str bytes)
{
	add_base64(out, bytes, URL, false);
}

static bool decode(struct arena *a, struct str text, const char *alphabet, struct str *ret_bytes)
{
	if (text.len % 4 == 1)
		return false;
	uint8_t *out = arena_alloc(a, text.len / 4 * 3 + 3);
	size_t len = 0;
	uint32_t word = 0;
	for (size_t i = 0; i < text.len; i++) {
		const char *hit = text.at[i] ? strchr(alphabet, text.at[i]) : NULL;
		if (!hit)
			return false;
		word = word << 6 | (uint32_t)(hit - alphabet);
		if (i % 4 != 0)
			out[len++] = (uint8_t)(word >> (6 - 2 * (i % 4)));
	}
	*ret_bytes = str_n((char *)out, len);
	return true;
}

static struct str without_padding(struct str text)
{
	for (int i = 0; i < 2 && text.len && text.at[text.len - 1] == '='; i++)
		text.len--;
	return text;
}

bool base64_decode(struct arena *a, struct str text, struct str *ret_bytes)
{
	return text.len % 4 == 0 && decode(a, without_padding(text), STANDARD, ret_bytes);
}

bool base64url_decode(struct arena *a, struct str text, struct str *ret_bytes)
{
	return decode(a, without_padding(text), URL, ret_bytes);
}

void hex_add(struct buf *out, struct str bytes)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes.len; i++) {
		buf_add_char(out, digits[(uint8_t)bytes.at[i] >> 4]);
		buf_add_char(out, digits[(uint8_t)bytes.at[i] & 15]);
	}
}

/* Eight bytes a step with eight tables ("slicing by 8"); tables[k] carries a byte over k more. */
#define CRC32C_POLYNOMIAL 0x82f63b78u

static uint32_t crc_tables[8][256];

static void crc_tables_make(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
		crc_tables[0][i] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t i = 0; i < 256; i++) {
			uint32_t crc = crc_tables[k - 1][i];
			crc_tables[k][i] = crc >> 8 ^ crc_tables[0][crc & 0xff];
		}
}

static uint32_t crc_step(uint32_t crc, const uint8_t *in)
{
	uint64_t word;
	memcpy(&word, in, sizeof(word));
	word = le64toh(word) ^ crc;
	crc = 0;
	for (int k = 0; k < 8; k++)
		crc ^= crc_tables[7 - k][word >> (8 * k) & 0xff];
	return crc;
}

static uint32_t crc_by_tables(uint32_t crc, const uint8_t *in, size_t len)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, crc_tables_make);
	for (; len >= 8; len -= 8, in += 8)
		crc = crc_step(crc, in);
	for (; len > 0; len--, in++)
		crc = crc >> 8 ^ crc_tables[0][(crc ^ *in) & 0xff];
	return crc;
}

#ifdef __x86_64__

[[gnu::target("sse4.2")]] static uint32_t crc_by_cpu(uint32_t crc, const uint8_t *in, size_t len)
{
	uint64_t word, wide = crc;
	for (; len >= 8; len -= 8, in += 8) {
		memcpy(&word, in, sizeof(word));
		wide = __builtin_ia32_crc32di(wide, word);
	}
	crc = (uint32_t)wide;
	for (; len > 0; len--, in++)
		crc = __builtin_ia32_crc32qi(crc, *in);
	return crc;
}

static bool cpu_has_crc(void)
{
	return __builtin_cpu_supports("sse4.2");
}

#else

static uint32_t crc_by_cpu(uint32_t crc, const uint8_t *in, size_t len)
{
	return crc_by_tables(crc, in, len);
}

static bool cpu_has_crc(void)
{
	return false;
}

#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t len)
{
	return ~(cpu_has_crc() ? crc_by_cpu : crc_by_tables)(~crc, bytes, len);
}
