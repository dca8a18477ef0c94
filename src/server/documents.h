/* documents: paths that are no resources: discovery, OpenAPI, version, health, metrics, issuer
 * keys. Threads: io.  Built lazily, kept. */
#ifndef SKEG_SERVER_DOCUMENTS_H
#define SKEG_SERVER_DOCUMENTS_H

#include "server/request.h"

#define KUBERNETES_VERSION "v1.35.4+skeg." SKEG_VERSION

struct document {
	const char *path;
	bool is_prefix; /* path is a beginning */
	enum step (*serve)(struct request *r);
};

enum step serve_api_versions(struct request *r); /* /api */
enum step serve_api_groups(struct request *r);	 /* /apis */
enum step serve_api_resources(
	struct request *r); /* /api/v1, /apis/<group>, /apis/<group>/<version> */
enum step serve_version(struct request *r);
enum step serve_health(struct request *r); /* /healthz, /livez, /readyz and below */
enum step serve_metrics(struct request *r);
enum step serve_openapi_v3(struct request *r);
enum step serve_openapi_v2(struct request *r);
enum step serve_issuer(struct request *r); /* /.well-known/openid-configuration */
enum step serve_jwks(struct request *r);   /* /openid/v1/jwks */

#endif
