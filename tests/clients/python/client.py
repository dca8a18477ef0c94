"""What programs built on the `kubernetes` package do, against a cluster that runs.

    client.py --kubeconfig FILE [--shell NAMESPACE/NAME] [--image NAME]

Ends with `N passed, N failed, N skipped`.
"""
import argparse
import sys
import threading
import time

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.stream import stream

SPACE = "python-client"
SKIP = object()


def labelled(name, data=None):
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"test": "python"}), data=data or {"a": "1"})


def deployment(image, replicas=2):
    labels = {"app": "web"}
    spec = client.V1PodSpec(containers=[client.V1Container(name="web", image=image, command=["sh", "-c", "sleep 1000"])], termination_grace_period_seconds=1)
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=labels), spec=spec)
    return client.V1Deployment(metadata=client.V1ObjectMeta(name="web"), spec=client.V1DeploymentSpec(
        replicas=replicas, selector=client.V1LabelSelector(match_labels=labels), template=template))


def until(what, probe, timeout=30):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if probe():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {timeout} s")


def refused(code, reason, call):
    try:
        call()
    except ApiException as error:
        assert error.status == code and f'"reason":"{reason}"' in error.body, f"{error.status} {error.body}"
        return
    raise AssertionError(f"want {code} {reason}, and it succeeded")


def versions(core, _):
    assert client.VersionApi(core.api_client).get_code().minor.startswith("35")
    groups = {g.name for g in client.ApisApi(core.api_client).get_api_versions().groups}
    assert {"apps", "batch", "networking.k8s.io"} <= groups, groups
    assert any(r.name == "pods" for r in core.get_api_resources().resources)


def life(core, _):
    """Create, read, replace, patch, delete; and what is refused."""
    made = core.create_namespaced_config_map(SPACE, labelled("life"))
    assert made.metadata.uid and made.metadata.creation_timestamp.tzinfo
    made.data["b"] = "ü"
    replaced = core.replace_namespaced_config_map("life", SPACE, made)
    assert replaced.data == {"a": "1", "b": "ü"}
    refused(409, "Conflict", lambda: core.replace_namespaced_config_map("life", SPACE, made))
    patched = core.patch_namespaced_config_map("life", SPACE, {"data": {"a": None, "c": "3"}})
    assert patched.data == {"b": "ü", "c": "3"}, patched.data
    patched = core.patch_namespaced_config_map("life", SPACE, [{"op": "remove", "path": "/data/c"}])
    assert patched.data == {"b": "ü"}, patched.data
    refused(409, "AlreadyExists", lambda: core.create_namespaced_config_map(SPACE, labelled("life")))
    refused(422, "Invalid", lambda: core.create_namespaced_config_map(SPACE, labelled("Not A Name")))
    core.delete_namespaced_config_map("life", SPACE)
    refused(404, "NotFound", lambda: core.read_namespaced_config_map("life", SPACE))


def pages(core, _):
    for i in range(11):
        core.create_namespaced_config_map(SPACE, labelled(f"page-{i:02}"))
    names, token, count = [], None, 0
    while token != "":
        found = core.list_namespaced_config_map(SPACE, label_selector="test=python", limit=3, _continue=token)
        names += [item.metadata.name for item in found.items]
        token, count = found.metadata._continue or "", count + 1
    assert names == [f"page-{i:02}" for i in range(11)] and count == 4, (names, count)
    core.delete_collection_namespaced_config_map(SPACE, label_selector="test=python")
    assert not core.list_namespaced_config_map(SPACE, label_selector="test=python").items


def watched(core, _):
    """From a list's revision on, and again from the last event's."""
    revision = core.list_namespaced_config_map(SPACE).metadata.resource_version

    def write():
        core.create_namespaced_config_map(SPACE, labelled("watched"))
        core.patch_namespaced_config_map("watched", SPACE, {"data": {"a": "2"}})
        core.delete_namespaced_config_map("watched", SPACE)

    thread = threading.Thread(target=write)
    thread.start()
    seen, events = [], watch.Watch()
    for event in events.stream(core.list_namespaced_config_map, SPACE, resource_version=revision, timeout_seconds=20):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 3:
            events.stop()
    thread.join()
    assert seen == [(kind, "watched") for kind in ("ADDED", "MODIFIED", "DELETED")], seen


def workload(core, args):
    apps = client.AppsV1Api(core.api_client)
    apps.create_namespaced_deployment(SPACE, deployment(args.image))
    until("two ready pods", lambda: apps.read_namespaced_deployment_status("web", SPACE).status.ready_replicas == 2)
    apps.patch_namespaced_deployment_scale("web", SPACE, {"spec": {"replicas": 3}})
    until("three ready pods", lambda: apps.read_namespaced_deployment("web", SPACE).status.ready_replicas == 3)
    assert len(core.list_namespaced_pod(SPACE, label_selector="app=web", field_selector="status.phase=Running").items) == 3
    apps.delete_namespaced_deployment("web", SPACE, propagation_policy="Foreground")
    until("no pods", lambda: not core.list_namespaced_pod(SPACE, label_selector="app=web").items)


def from_yaml(core, _):
    manifest = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "made", "namespace": SPACE},
                "spec": {"ports": [{"port": 80}], "selector": {"app": "made"}}}
    utils.create_from_dict(core.api_client, manifest)
    service = core.read_namespaced_service("made", SPACE)
    assert service.spec.cluster_ip.count(".") == 3 and service.spec.type == "ClusterIP"


def by_dynamic(core, _):
    """Discovery, server-side apply and unknown kinds by the dynamic client."""
    resources = dynamic.DynamicClient(core.api_client).resources
    maps = resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    made = maps.server_side_apply(body=body, name="applied", namespace=SPACE, field_manager="python")
    assert made.metadata.managedFields[0].manager == "python" and made.metadata.managedFields[0].operation == "Apply"
    other = dict(body, data={"a": "2"})
    try:
        maps.server_side_apply(body=other, name="applied", namespace=SPACE, field_manager="other")
        raise AssertionError("want a conflict")
    except dynamic.exceptions.ConflictError:
        pass
    maps.server_side_apply(body=other, name="applied", namespace=SPACE, field_manager="other", force_conflicts=True)
    assert maps.get(name="applied", namespace=SPACE).data.a == "2"


def rights(core, _):
    spec = client.V1SelfSubjectAccessReviewSpec(resource_attributes=client.V1ResourceAttributes(verb="get", resource="pods"))
    review = client.AuthorizationV1Api(core.api_client).create_self_subject_access_review(client.V1SelfSubjectAccessReview(spec=spec))
    assert review.status.allowed
    token = core.create_namespaced_service_account_token("default", SPACE, client.AuthenticationV1TokenRequest(
        spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600)))
    weak = client.Configuration.get_default_copy()
    weak.cert_file = weak.key_file = None
    weak.api_key = {"authorization": "Bearer " + token.status.token}
    refused(403, "Forbidden", lambda: client.CoreV1Api(client.ApiClient(weak)).list_namespaced_secret(SPACE))


def executed(core, args):
    if not args.shell:
        return SKIP
    namespace, name = args.shell.split("/")
    said = stream(core.connect_get_namespaced_pod_exec, name, namespace, command=["sh", "-c", "echo out; echo err >&2"], stdin=False,
                  stdout=True, stderr=True, tty=False)
    assert sorted(said.split()) == ["err", "out"], said
    session = stream(core.connect_get_namespaced_pod_exec, name, namespace, command=["sh", "-c", "read line; echo got $line; exit 4"],
                     stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False)
    session.write_stdin("hello\n")
    session.run_forever(timeout=20)
    assert session.read_stdout() == "got hello\n" and session.returncode == 4, session.returncode
    assert isinstance(core.read_namespaced_pod_log(name, namespace), str)
    return None


CHECKS = [versions, life, pages, watched, workload, from_yaml, by_dynamic, rights, executed]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", required=True)
    parser.add_argument("--shell", help="NAMESPACE/NAME of one that has a shell")
    parser.add_argument("--image", default="registry.test/web:1", help="of pods; has a shell where nodes are real")
    args = parser.parse_args()
    config.load_kube_config(args.kubeconfig)
    core = client.CoreV1Api()
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=SPACE)))
    until("the default service account", lambda: core.list_namespaced_service_account(SPACE).items)
    counts = [0, 0, 0]
    for check in CHECKS:
        try:
            counts[2 if check(core, args) is SKIP else 0] += 1
        except Exception as error:  # the next checks say more
            counts[1] += 1
            print(f"FAIL {check.__name__}: {type(error).__name__}: {error}", flush=True)
    core.delete_namespace(SPACE)
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    return 1 if counts[1] else 0


if __name__ == "__main__":
    sys.exit(main())
