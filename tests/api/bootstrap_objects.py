#!/usr/bin/env python3
"""What every cluster has from its start, against what Kubernetes v1.35 makes (tests/data/bootstrap_objects.jsonl), and what a restart mends.

    bootstrap_objects.py [--build build]

Ends with `N passed, N failed, N skipped`.
"""
import json
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser  # noqa: E402
from own_control import OwnControl  # noqa: E402

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PATHS = {
    "APIService": "/apis/apiregistration.k8s.io/v1/apiservices",
    "ClusterRole": RBAC + "/clusterroles",
    "ClusterRoleBinding": RBAC + "/clusterrolebindings",
    "FlowSchema": "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "Namespace": "/api/v1/namespaces",
    "PriorityClass": "/apis/scheduling.k8s.io/v1/priorityclasses",
    "PriorityLevelConfiguration": "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
    "Role": RBAC + "/roles",
    "RoleBinding": RBAC + "/rolebindings",
    "ServiceCIDR": "/apis/networking.k8s.io/v1/servicecidrs",
}
CHOSEN = ("uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "selfLink")

# Objects of ours that upstream has not; docs/compatibility.md gives the reasons.
OWN = {
    ("ClusterRole", "", "skeg:agent"),
    ("ClusterRoleBinding", "", "skeg:agent"),
    ("ClusterRoleBinding", "", "skeg:node-bootstrapper"),
}
# Parts that each cluster has in its own way.
IGNORED = {"ServiceCIDR": ("metadata.finalizers",), "APIService": ("status",)}


def key_of(thing):
    return thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def without(tree, path):
    head, _, rest = path.partition(".")
    if rest and isinstance(tree.get(head), dict):
        without(tree[head], rest)
    elif not rest:
        tree.pop(head, None)


def comparable(thing):
    thing = json.loads(json.dumps(thing))
    for name in CHOSEN:
        thing["metadata"].pop(name, None)
    for path in ("status", *IGNORED.get(thing["kind"], ())):
        without(thing, path)
    return thing


def expected():
    with open(os.path.join(TOP, "tests/data/bootstrap_objects.jsonl"), encoding="utf-8") as lines:
        return {key_of(thing): thing for thing in map(json.loads, lines)}


def found(cluster):
    things = {}
    for kind, path in PATHS.items():
        answer = cluster.get(path)
        for item in answer["items"]:
            item.update(kind=kind, apiVersion=answer["apiVersion"])
            things[key_of(item)] = item
    return things


def compare(cluster):
    """What is wrong, one line an object."""
    want, have = expected(), found(cluster)
    wrong = [f"{key} is missing" for key in want if key not in have]
    wrong += [f"{key} is not upstream's and not listed" for key in have if key not in want and key not in OWN]
    wrong += [f"{key} is listed, yet absent" for key in OWN if key not in have]
    for key in want.keys() & have.keys():
        left, right = comparable(want[key]), comparable(have[key])
        if left != right:
            parts = [name for name in {*left, *right} if left.get(name) != right.get(name)]
            wrong.append(f"{key} differs in {', '.join(sorted(parts))}")
    return wrong


def damage(cluster):
    """Takes away what a start gives back, and leaves what it must not touch."""
    role = cluster.get(RBAC + "/clusterroles/system:discovery")
    role["rules"] = [{"verbs": ["get"], "nonResourceURLs": ["/own"]}]
    cluster.call("PUT", RBAC + "/clusterroles/system:discovery", role)
    binding = cluster.get(RBAC + "/clusterrolebindings/system:basic-user")
    binding["subjects"] = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "own"}]
    cluster.call("PUT", RBAC + "/clusterrolebindings/system:basic-user", binding)
    kept = cluster.get(RBAC + "/clusterroles/system:heapster")
    kept["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = "false"
    kept["rules"] = []
    cluster.call("PUT", RBAC + "/clusterroles/system:heapster", kept)
    cluster.call("DELETE", RBAC + "/clusterrolebindings/system:discovery")
    cluster.call("POST", RBAC + "/clusterrolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "system:discovery"},
        "subjects": [], "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}})
    cluster.call("DELETE", RBAC + "/clusterroles/system:node-problem-detector")


def mended(cluster):
    want, wrong = expected(), []
    rules = cluster.get(RBAC + "/clusterroles/system:discovery")["rules"]
    if {"verbs": ["get"], "nonResourceURLs": ["/own"]} not in rules:
        wrong.append("a rule that was added is gone")
    if any(rule not in rules for rule in want["ClusterRole", "", "system:discovery"]["rules"]):
        wrong.append("a rule that was taken away is not back")
    subjects = [s["name"] for s in cluster.get(RBAC + "/clusterrolebindings/system:basic-user")["subjects"]]
    if subjects != ["own", "system:authenticated"]:
        wrong.append(f"subjects are {subjects}")
    if cluster.get(RBAC + "/clusterroles/system:heapster").get("rules"):
        wrong.append("a role that says no was mended")
    if cluster.get(RBAC + "/clusterrolebindings/system:discovery")["roleRef"]["name"] != "system:discovery":
        wrong.append("a binding of another role was not replaced")
    if ("ClusterRole", "", "system:node-problem-detector") not in found(cluster):
        wrong.append("a role that was deleted is not back")
    return wrong


def main():
    args = option_parser("Objects that every cluster has.").parse_args()
    outcomes = Outcomes()
    with OwnControl(args.build, simulated_nodes=0) as control:
        outcomes.add("at the first start", "\n".join(compare(control.cluster())))
        damage(control.cluster())
        outcomes.stop(control)
        control.start()
        outcomes.add("after a restart", "\n".join(mended(control.cluster())))
        outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
