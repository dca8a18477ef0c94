#!/usr/bin/env python3
"""Documents that are no stored objects, in protobuf: each must say what its JSON form says.

    protobuf_forms.py [--build build]

Discovery (legacy and aggregated), Status, PartialObjectMetadata and its list, Scale, events of a watch; and what has no protobuf form.
Message numbers are those of k8s.io/apimachinery/pkg/apis/meta/v1/generated.proto and k8s.io/api/apidiscovery/v2/generated.proto.
Ends with `N passed, N failed, N skipped`.
"""
import datetime
import http.client
import json
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser  # noqa: E402
from own_control import OwnControl  # noqa: E402

PROTOBUF = "application/vnd.kubernetes.protobuf"
STREAM = PROTOBUF + ";stream=watch"
AGGREGATED = ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

# name:number:type of each field; * repeats, ! is a number, ? a boolean, @ a time, % a map of strings, = bytes, else a message or text.
FIELDS = {
    "APIVersions": "versions:1:* serverAddressByClientCIDRs:2:*Address",
    "Address": "clientCIDR:1: serverAddress:2:",
    "APIGroupList": "groups:1:*APIGroup",
    "APIGroup": "name:1: versions:2:*GroupVersion preferredVersion:3:GroupVersion serverAddressByClientCIDRs:4:*Address",
    "GroupVersion": "groupVersion:1: version:2:",
    "APIResourceList": "groupVersion:1: resources:2:*APIResource",
    "APIResource": "name:1: namespaced:2:? kind:3: verbs:4:Verbs shortNames:5:* singularName:6: categories:7:* group:8: version:9: "
                   "storageVersionHash:10:",
    "Verbs": "items:1:*",
    "APIGroupDiscoveryList": "metadata:1:ListMeta items:2:*APIGroupDiscovery",
    "APIGroupDiscovery": "metadata:1:ObjectMeta versions:2:*APIVersionDiscovery",
    "APIVersionDiscovery": "version:1: resources:2:*APIResourceDiscovery freshness:3:",
    "APIResourceDiscovery": "resource:1: responseKind:2:Kind scope:3: singularResource:4: verbs:5:* shortNames:6:* categories:7:* "
                            "subresources:8:*APISubresourceDiscovery",
    "APISubresourceDiscovery": "subresource:1: responseKind:2:Kind acceptedTypes:3:*Kind verbs:4:*",
    "Kind": "group:1: version:2: kind:3:",
    "Status": "metadata:1:ListMeta status:2: message:3: reason:4: details:5:Details code:6:!",
    "Details": "name:1: group:2: kind:3: causes:4:*Cause retryAfterSeconds:5:! uid:6:",
    "Cause": "reason:1: message:2: field:3:",
    "ListMeta": "selfLink:1: resourceVersion:2: continue:3: remainingItemCount:4:!",
    "ObjectMeta": "name:1: generateName:2: namespace:3: selfLink:4: uid:5: resourceVersion:6: generation:7:! creationTimestamp:8:@ "
                  "labels:11:% annotations:12:% finalizers:14:* managedFields:17:*Manager",
    "Manager": "manager:1: operation:2: apiVersion:3: time:4:@ fieldsType:6: fieldsV1:7:Raw subresource:8:",
    "Raw": "Raw:1:=",
    "PartialObjectMetadata": "metadata:1:ObjectMeta",
    "PartialObjectMetadataList": "metadata:1:ListMeta items:2:*PartialObjectMetadata",
    "Scale": "metadata:1:ObjectMeta spec:2:ScaleSpec status:3:ScaleStatus",
    "ScaleSpec": "replicas:1:!",
    "ScaleStatus": "replicas:1:! selector:2:",
    "Unknown": "typeMeta:1:TypeMeta raw:2:= contentEncoding:3: contentType:4:",
    "TypeMeta": "apiVersion:1: kind:2:",
    "WatchEvent": "type:1: object:2:Extension",
    "Extension": "raw:1:=",
    "Entry": "key:1: value:2:",
    "Time": "seconds:1:! nanos:2:!",
}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def wire(data):
    """(number, value) of each field: an int or bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            value, at = data[at:at + value], at + value
        elif tag & 7:
            raise ValueError(f"wire type {tag & 7}")
        yield tag >> 3, value


def value_of(form, value):
    if form == "!":
        return value
    if form == "?":
        return bool(value)
    if form == "=":
        return value
    if form == "@":
        seconds = decode("Time", value).get("seconds")
        return seconds and datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return decode(form, value) if form else value.decode()


def decode(name, data):
    fields = {int(number): (key, form) for key, number, form in (f.split(":") for f in FIELDS[name].split())}
    out = {}
    for number, value in wire(data):
        key, form = fields[number]
        if form == "%":
            entry = decode("Entry", value)
            out.setdefault(key, {})[entry["key"]] = entry.get("value", "")
        elif form.startswith("*"):
            out.setdefault(key, []).append(value_of(form[1:], value))
        else:
            out[key] = value_of(form, value)
    return simplified(name, out)


def simplified(name, out):
    """What only protobuf wraps."""
    if name == "Verbs":
        return out.get("items", [])
    if name == "Raw":
        return json.loads(out["Raw"])
    return out


def document(data):
    if data[:4] != b"k8s\0":
        raise ValueError(f"no envelope: {data[:40]}")
    envelope = decode("Unknown", data[4:])
    meta = envelope["typeMeta"]
    return {**decode(meta["kind"], envelope["raw"]), **meta}


def without_empty(tree):
    """Zero values, which JSON leaves out here and protobuf there."""
    if isinstance(tree, dict):
        members = {key: without_empty(value) for key, value in tree.items()}
        return {key: value for key, value in members.items() if value not in ("", {}, [], None, 0, False)}
    return [without_empty(item) for item in tree] if isinstance(tree, list) else tree


def without_meta(tree, depth=0):
    """Kind and apiVersion of items stand in JSON alone."""
    if isinstance(tree, dict):
        inner = {key: without_meta(value, depth + 1) for key, value in tree.items()}
        return {k: v for k, v in inner.items() if not (depth and "metadata" in inner and k in ("kind", "apiVersion"))}
    return [without_meta(item, depth + 1) for item in tree] if isinstance(tree, list) else tree


class Server:
    def __init__(self, control):
        self.connection = http.client.HTTPSConnection("127.0.0.1", control.port, context=control.tls(), timeout=30)
        with open(os.path.join(control.data_dir, "tls", "admin.token"), encoding="utf-8") as f:
            self.head = {"Authorization": "Bearer " + f.read().strip()}

    def ask(self, path, accept, method="GET", body=None, **headers):
        """(status, headers, body)"""
        kind = {"Content-Type": "application/json"} if body else {}
        self.connection.request(method, path, body and json.dumps(body), {**self.head, **kind, "Accept": accept, **headers})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()


# Path, and what follows the media type.
SAME = [
    *[(path, "") for path in ("/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/apis/autoscaling/v2", "/apis/policy/v1")],
    ("/api", AGGREGATED),
    ("/apis", AGGREGATED),
    ("/api/v1/namespaces/default/configmaps/absent", ""),
    ("/api/v1/namespaces/default/absent", ""),
    ("/api/v1/namespaces/default/configmaps?limit=x", ""),
    ("/api/v1/namespaces/default/configmaps/form", ";g=meta.k8s.io;v=v1;as=PartialObjectMetadata"),
    ("/api/v1/namespaces/default/configmaps?labelSelector=a%3Db", ";g=meta.k8s.io;v=v1;as=PartialObjectMetadataList"),
    ("/apis/apps/v1/namespaces/default/deployments/form/scale", ""),
]
# Path, Accept, status, Content-Type, words of the message.
HEADS = [
    ("/api/v1/namespaces/default/configmaps", PROTOBUF + ";g=meta.k8s.io;v=v1;as=Table", 406, "application/json",
     b"only the following media types are accepted"),
    ("/api/v1/namespaces/default/configmaps", f"{PROTOBUF};g=meta.k8s.io;v=v1;as=Table,application/json", 200, "application/json", b"ConfigMapList"),
    ("/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1", PROTOBUF + ";g=meta.k8s.io;v=v1;as=Table", 406, "application/json",
     b"only the following media types are accepted"),
    ("/version", PROTOBUF, 200, "application/json", b"gitVersion"),
    ("/apis", f"application/json,{PROTOBUF}{AGGREGATED}", 200, PROTOBUF + AGGREGATED, b"Current"),
    ("/apis", "application/yaml" + AGGREGATED, 200, "application/yaml" + AGGREGATED, b"freshness: Current"),
    ("/apis/apps/v1", PROTOBUF + AGGREGATED, 406, "application/json", b"only the following media types are accepted"),
]


def same(server, path, form):
    status, _, text = server.ask(path, "application/json" + form)
    other, headers, data = server.ask(path, PROTOBUF + form)
    want, got = without_meta(without_empty(json.loads(text))), without_empty(document(data))
    if status != other or headers["Content-Type"] != PROTOBUF + (form if AGGREGATED == form else ""):
        return f"{status}, {other}, {headers['Content-Type']}"
    return None if want == got else f"\n  JSON     {json.dumps(want, sort_keys=True)[:1500]}\n  protobuf {json.dumps(got, sort_keys=True)[:1500]}"


def head(server, path, accept, status, media, words):
    got, headers, body = server.ask(path, accept)
    is_good = got == status and headers["Content-Type"] == media and words in body
    return None if is_good else f"{got} {headers['Content-Type']} {body[:200]}"


def events(server, form):
    """Frames of a watch against its JSON lines."""
    path = "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&labelSelector=a%3Db"
    text = server.ask(path, "application/json;stream=watch" + form)[2]
    _, headers, data = server.ask(path, STREAM + form)
    frames = []
    while data:
        size = int.from_bytes(data[:4], "big")
        event = decode("WatchEvent", data[4:4 + size])
        frames.append({"type": event["type"], "object": document(event["object"]["raw"])})
        data = data[4 + size:]
    want = without_empty([json.loads(line) for line in text.splitlines()])
    if headers["Content-Type"] != STREAM or not frames:
        return f"{headers['Content-Type']}, {len(frames)} events"
    return None if want == without_empty(frames) else f"\n  JSON     {want}\n  protobuf {frames}"


def etag(server):
    """Who has the aggregated document already gets none."""
    for accept in ("application/json" + AGGREGATED, PROTOBUF + AGGREGATED):
        _, headers, _ = server.ask("/apis", accept)
        status, again, body = server.ask("/apis", accept, **{"If-None-Match": headers["ETag"]})
        if status != 304 or body or again["ETag"] != headers["ETag"] or headers["Vary"] != "Accept":
            return f"{status} {body[:100]}"
    status = server.ask("/apis", "application/json" + AGGREGATED, **{"If-None-Match": '"other"'})[0]
    return None if status == 200 else f"{status} for another ETag"


def prepare(server):
    meta = {"name": "form", "labels": {"a": "b"}, "annotations": {"c": ""}}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    for path, thing in (("/api/v1/namespaces/default/configmaps", {"metadata": meta}),
                        ("/apis/apps/v1/namespaces/default/deployments",
                         {"metadata": meta, "spec": {"selector": {"matchLabels": {"a": "b"}}, "replicas": 0, "template": template}})):
        status, _, body = server.ask(path, "application/json", "POST", thing)
        if status != 201:
            raise RuntimeError(f"{path}: {status} {body}")


def run(server, outcomes):
    prepare(server)
    partial = ";g=meta.k8s.io;v=v1;as=PartialObjectMetadata"
    for path, form in SAME:
        outcomes.add(f"{path} {form}", same(server, path, form))
    for row in HEADS:
        outcomes.add(f"{row[0]} as {row[1]}", head(server, *row))
    outcomes.add("watch, metadata only", events(server, partial))
    outcomes.add("aggregated discovery is not sent twice", etag(server))


def main():
    args = option_parser("Documents in protobuf.").parse_args()
    outcomes = Outcomes()
    with OwnControl(args.build, simulated_nodes=0, is_memory=True) as control:
        run(Server(control), outcomes)
        outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
