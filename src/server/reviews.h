/* reviews: kinds that are asked, not stored: access reviews, token reviews, who am I; and tokens of
 * service accounts.  Threads: io; everything comes from the snapshot. */
#ifndef SKEG_SERVER_REVIEWS_H
#define SKEG_SERVER_REVIEWS_H

#include "server/request.h"

bool is_review(const struct request *r);
enum step review(struct request *r);

#endif
