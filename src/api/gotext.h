/* gotext: texts as Go's standard library reads and quotes them, with its words for what is wrong.
 * Pure functions.  Errors: RC_BAD_REQUEST with Go's sentence.
 * Source: Go's encoding/base64, time.Parse and strconv.Quote. */
#ifndef SKEG_API_GOTEXT_H
#define SKEG_API_GOTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* base64.StdEncoding: line ends inside are skipped.
 * Error: `illegal base64 data at input byte 3`. */
[[nodiscard]] enum rc gotext_base64(struct arena *a, struct str text, struct str *ret_bytes,
				    struct err *err);

/* metav1.Time (fractions of a second are dropped) and metav1.MicroTime (exactly six digits of it).
 * *ret_is_zero: it was the year 1, Go's zero time, which stands for none.
 * Error: `parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"`. */
[[nodiscard]] enum rc gotext_time(struct str text, bool is_micro, int64_t *ret_time_us,
				  bool *ret_is_zero, struct err *err);

/* strconv.Quote, %q: in double quotes, with \n, \x00, é … for what does not print. */
void gotext_quote(struct buf *out, struct str text);
[[nodiscard]] struct str gotext_quoted(struct arena *a, struct str text);

/* strconv.ParseInt(text, 10, 64).
 * Error: `strconv.ParseInt: parsing "x": invalid syntax`, or `value out of range`. */
[[nodiscard]] enum rc gotext_int(struct str text, int64_t *ret_value, struct err *err);
/* A field error of a text that strconv.ParseUint(text, 10, 64) refuses:
 * `Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax`. */
[[nodiscard]] struct str gotext_uint_fault(struct arena *a, struct str text);

#endif
