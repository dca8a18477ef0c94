/* node_images: what images a node has, for its status, and room for new ones.
 *
 * Every five minutes: when the file system of the images is full to 85 %, images that no container
 * uses and that are older than two minutes go until it is full to 80 %, the longest unused first;
 * loaded ones stay, because no registry has them.  Too little found: Event FreeDiskSpaceFailed
 * about the node.  The list is read again then, and after each pull.
 *
 * Source: kubelet's defaults (imageGCHighThresholdPercent, imageGCLowThresholdPercent,
 * imageMinimumGCAge) and nodeStatusMaxImages.
 *
 * Owns: the list.  Threads: the agent's loop.  Limits: NODE_IMAGES_MAX in the status. */
#ifndef SKEG_NODE_NODE_IMAGES_H
#define SKEG_NODE_NODE_IMAGES_H

#include "api/views.h"

#define NODE_IMAGES_MAX	      50
#define NODE_IMAGE_NAMES_MAX  5
#define NODE_IMAGES_PERIOD_MS (5 * 60 * INT64_C(1000))

struct node_agent;
struct node_images;

[[nodiscard]] struct node_images *node_images_new(struct node_agent *agent); /* reads them */
void node_images_free(struct node_images *n);
void node_images_changed(struct node_images *n); /* NULL is fine */
/* The largest ones, as status.images; none before they are known. */
struct container_image_array node_images_view(struct arena *a, const struct node_images *n);

#endif
