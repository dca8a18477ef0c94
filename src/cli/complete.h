/* complete: the words that could stand next on a command line, from the same tables that parse it:
 * verbs, their second words, options and their values, types; names of objects, namespaces and
 * contexts are asked for.  What shells show is made of it (completion.c). */
#ifndef SKEG_CLI_COMPLETE_H
#define SKEG_CLI_COMPLETE_H

#include "base/arena.h"
#include "client/command.h"

struct candidate {
	struct str word;
	const char *help; /* "": none */
};

struct candidates {
	struct candidate *at;
	size_t count, cap;
};

/* words: those behind "skeg", the last one is what is being written ("" when nothing yet is).
 * Only what begins with it is given.  Memory is the arena's.  A cluster that does not answer within
 * COMPLETE_TIMEOUT_MS is left out. */
#define COMPLETE_TIMEOUT_MS 3000
#define COMPLETE_NAMES_MAX  500
void complete_words(struct arena *a, const struct text_list *words, struct candidates *ret);

#endif
