/* signer: approves and signs the certificates of nodes, and signs what others approved.
 *
 * kubernetes.io/kube-apiserver-client-kubelet is approved for joining nodes (bootstrap token) and
 * for a node's own renewal; kubernetes.io/kubelet-serving for a node's own name and addresses;
 * kubernetes.io/kube-apiserver-client is signed once somebody has approved it.
 * What a signer does not take (subject, alternative names, usages) is never signed, whoever
 * approved it: it gets the condition Failed, reason SignerValidationFailure. Threads: core. Source:
 * https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/ */
#ifndef SKEG_SERVER_SIGNER_H
#define SKEG_SERVER_SIGNER_H

#include "server/server.h"

struct signer *signer_new(struct server *server);
void signer_free(struct signer *s);

#endif
