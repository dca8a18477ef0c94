/* Short texts that a user writes into a field: quantities, schedules, addresses, times, names of
 * images.  What is taken is written, and read to the same again. */
#include "api/gotext.h"
#include "api/quantity.h"
#include "base/ipaddr.h"
#include "base/timefmt.h"
#include "control/cron_schedule.h"
#include "fuzz.h"
#include "node/image_ref.h"

#define NOW_US	   1767225600000000 /* 2026-01-01T00:00:00Z */
#define MINUTE_US  60000000
#define TEXT_BYTES 4096

static void quantity_check(struct str text)
{
	struct quantity q, again, sum;
	char out[QUANTITY_TEXT_MAX], once_more[QUANTITY_TEXT_MAX];
	struct err err = {};
	if (quantity_parse(text, &q, &err) != RC_OK) {
		FUZZ_CHECK(err.text[0]);
		return;
	}
	size_t len = quantity_format(q, out);
	FUZZ_CHECK(len > 0 && len < QUANTITY_TEXT_MAX && out[len] == 0);
	FUZZ_CHECK(quantity_parse(str_n(out, len), &again, NULL) == RC_OK);
	FUZZ_CHECK(quantity_cmp(q, again) == 0);
	FUZZ_CHECK(quantity_format(again, once_more) == len && str_is(str_n(out, len), once_more));
	sum = quantity_sub(quantity_add(q, quantity_of(1, QUANTITY_DECIMAL)), q);
	FUZZ_CHECK(quantity_sign(sum) >= 0);
	(void)quantity_milli(quantity_round_milli(q));
	(void)quantity_value(q);
}

static void cron_check(struct str text)
{
	struct cron_schedule s;
	if (!cron_parse(text, &s))
		return;
	int64_t next = cron_next(&s, NOW_US), last = cron_last(&s, NOW_US);
	FUZZ_CHECK(next == 0 || (next > NOW_US && next % MINUTE_US == 0));
	FUZZ_CHECK(last == 0 || (last <= NOW_US && last % MINUTE_US == 0));
	FUZZ_CHECK(next == 0 || cron_last(&s, next) == next);
	FUZZ_CHECK(last == 0 || cron_next(&s, last - 1) == last);
}

static void address_check(struct str text)
{
	struct ipaddr addr, next;
	struct ipnet net;
	if (ipaddr_parse(text, &addr))
		(void)ipaddr_add(addr, 1, &next);
	if (ipnet_parse(text, &net)) {
		uint64_t n;
		FUZZ_CHECK(ipnet_contains(net, net.addr) && ipnet_overlaps(net, net));
		(void)ipnet_index(net, net.addr, &n);
	}
}

static void time_check(struct str text)
{
	int64_t time_us, again_us;
	bool is_zero;
	char out[TIME_TEXT_MAX];
	struct err err = {};
	for (int is_micro = 0; is_micro < 2; is_micro++) {
		if (gotext_time(text, is_micro, &time_us, &is_zero, &err) != RC_OK) {
			FUZZ_CHECK(err.text[0]);
			continue;
		}
		size_t len = is_micro ? time_format_micro(time_us, out) : time_format(time_us, out);
		FUZZ_CHECK(gotext_time(str_n(out, len), is_micro, &again_us, &is_zero, NULL) ==
			   RC_OK);
		FUZZ_CHECK(is_micro ? again_us == time_us
				    : again_us / 1000000 == time_us / 1000000);
	}
}

static void words_check(struct str text)
{
	CLEANUP_ARENA a = {};
	struct image_ref image;
	struct str bytes;
	struct err err = {};
	int64_t number;
	FUZZ_CHECK(image_ref_parse(text, &image, &err) == RC_OK || err.text[0]);
	FUZZ_CHECK(gotext_base64(&a, text, &bytes, &err) == RC_OK || err.text[0]);
	FUZZ_CHECK(gotext_int(text, &number, &err) == RC_OK || err.text[0]);
	FUZZ_CHECK(gotext_quoted(&a, text).len >= text.len + 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct str text = str_n((const char *)bytes, size < TEXT_BYTES ? size : TEXT_BYTES);
	quantity_check(text);
	cron_check(text);
	address_check(text);
	time_check(text);
	words_check(text);
	return 0;
}
