/* cordon: one node, for cordon, uncordon and drain. */
#ifndef SKEG_CLIENT_CORDON_H
#define SKEG_CLIENT_CORDON_H

#include "client/change.h"
#include "client/resources.h"

[[nodiscard]] enum rc cordon_set(struct change *ch, struct resource *node, bool is_cordoned,
				 struct err *err);

#endif
