/* repeats: has an item of a list stood in it before?  Asked of each in turn, a list of any length
 * costs its length, where looking back from each would cost its square.
 *
 * Owns: nothing; its tables lie in the arena.  Zeroed, it is ready, and as many lists as it holds
 * may be asked by turns.  A list may not change while it is asked about.  Threads: one at a time.
 */
#ifndef SKEG_API_REPEATS_H
#define SKEG_API_REPEATS_H

#include "codec/json.h"

#define REPEATS_LISTS 8

struct repeats {
	struct repeats_list {
		const struct json *list;
		const char *key;
		uint32_t *slots; /* index + 1 of items that differ, by hash; 0: free */
		size_t slot_count, next;
		uint64_t asked;
	} lists[REPEATS_LISTS];
	uint64_t asked;
};

/* key: of the string that counts of each item; NULL: the whole item, by value_equal(). */
bool repeats_has(struct repeats *r, struct arena *a, const struct json *list, size_t i,
		 const char *key);

#endif
