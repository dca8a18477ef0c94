"""What bad_input.py sends as bodies, patches, selectors and tokens, and how each must be refused."""
import base64
import json

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
KEPT = CONFIG_MAPS + "/kept"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
WEB = DEPLOYMENTS + "/web"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

JSON, YAML, PROTOBUF = "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"
JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"

DEEP = 100_000
BODY_MAX = 3 << 20


def nested(opening, closing, core=b"1", depth=DEEP):
    return opening * depth + core + closing * depth


def config_map(**fields):
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bad"}, **fields}).encode()


def deployment(**spec):
    labels = {"app": "bad"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bad"},
            "spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


def dumps(document):
    return json.dumps(document).encode()


def alias_bomb(levels=30):
    """Nine times the line before, and so on: 9^30 values when it is expanded."""
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata: {name: bad}", "a0: &a0 [x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, levels)]
    return "\n".join(lines).encode()


# ---------------------------------------------------------------- protobuf by hand


def varint(value):
    out = b""
    while value >= 128:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def envelope(raw, kind=b"ConfigMap", api_version=b"v1"):
    return b"k8s\0" + field(1, field(1, api_version) + field(2, kind)) + field(2, raw)


NAMED = field(1, field(1, b"bad"))  # metadata.name


def nested_protobuf(depth=5000):
    """JSONSchemaProps.not of JSONSchemaProps.not of ..., within a CustomResourceDefinition's version."""
    schema = b""
    for _ in range(depth):
        schema = field(28, schema)
    version = field(1, b"v1") + field(4, field(1, schema))
    return envelope(NAMED + field(2, field(7, version)), b"CustomResourceDefinition", b"apiextensions.k8s.io/v1")


# ---------------------------------------------------------------- continue tokens


def token(document):
    return base64.urlsafe_b64encode(dumps(document)).rstrip(b"=").decode()


def listed(parameter, value):
    return f"{CONFIG_MAPS}?limit=1&{parameter}={value}"


def continued(document):
    return listed("continue", token(document))


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NO_BODY = b""
JSON_DEPTH = "max depth|too deep|levels|nest"
INVALID_UTF8 = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"b\xff\xfed"}}'
UPDATED = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kept", "resourceVersion": "1"}}).encode()

# Name, method, target, media type, body, code, what the reply must say.
NESTING = [
    ("JSON arrays", "POST", CONFIG_MAPS, JSON, config_map()[:-1] + b',"data":' + nested(b"[", b"]") + b"}", 400, JSON_DEPTH),
    ("JSON objects", "POST", CONFIG_MAPS, JSON, nested(b'{"a":', b"}"), 400, JSON_DEPTH),
    ("JSON never closed", "POST", CONFIG_MAPS, JSON, b"[" * (1 << 20), 400, JSON_DEPTH),
    ("JSON in a schema", "POST", CRDS, JSON, nested(b'{"not":', b"}", b"{}", 400), 422, "spec.group: Required value"),
    ("YAML flow", "POST", CONFIG_MAPS, YAML, b"a: " + nested(b"[", b"]"), 400, JSON_DEPTH),
    ("YAML flow never closed", "POST", CONFIG_MAPS, YAML, b"{" * (1 << 20), 400, JSON_DEPTH),
    ("YAML block lists", "POST", CONFIG_MAPS, YAML, b"- " * DEEP + b"a", 400, JSON_DEPTH),
    ("YAML block maps", "POST", CONFIG_MAPS, YAML, b"".join(b" " * i + b"a:\n" for i in range(1500)), 400, JSON_DEPTH),
    ("YAML question marks", "POST", CONFIG_MAPS, YAML, b"? " * DEEP + b"a", 400, "."),
    ("protobuf", "POST", CRDS, PROTOBUF, nested_protobuf(), 400, JSON_DEPTH),
    ("JSON patch", "PATCH", KEPT, JSON_PATCH, b'[{"op":"add","path":"/data/a","value":' + nested(b"[", b"]") + b"}]", 400, JSON_DEPTH),
    ("merge patch", "PATCH", KEPT, MERGE, nested(b'{"data":', b"}"), 400, JSON_DEPTH),
    ("strategic patch", "PATCH", WEB, STRATEGIC, nested(b'{"spec":', b"}"), 400, JSON_DEPTH),
    ("apply", "PATCH", KEPT + "?fieldManager=a", APPLY, b"a: " + nested(b"{a: ", b"}"), 400, JSON_DEPTH),
    ("JSON patch that climbs", "PATCH", KEPT, JSON_PATCH,
     dumps([{"op": "add", "path": "/data" + "/a" * 50_000, "value": 1}]), 422, "."),
    ("label selector", "GET", f"{CONFIG_MAPS}?labelSelector=a+in+{'(' * 2000}", JSON, NO_BODY, 400, "labelSelector|unable to parse|found '\\('"),
    ("field selector", "GET", f"{CONFIG_MAPS}?fieldSelector={'metadata.' * 2000}name%3Da", JSON, NO_BODY, 400, "metadata.metadata"),
    ("path", "GET", "/api" * 4000, JSON, NO_BODY, 404, "."),
    ("delete options", "DELETE", CONFIG_MAPS + "/absent", JSON, nested(b'{"preconditions":', b"}"), 400, JSON_DEPTH),
]

BOMBS = [
    ("YAML aliases", "POST", CONFIG_MAPS, YAML, alias_bomb(), 400, "alias"),
    ("YAML aliases in apply", "PATCH", KEPT + "?fieldManager=a", APPLY, alias_bomb(), 400, "alias"),
    ("YAML alias of itself", "POST", CONFIG_MAPS, YAML, b"a: &a [*a]", 400, "anchor"),
    ("YAML merge keys", "POST", CONFIG_MAPS, YAML,
     b"\n".join([b"a0: &a0 {x: 1, y: 2}"] + [b"a%d: &a%d {<<: [%s]}" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9))
                                              for i in range(1, 30)]), 422, "name or generateName is required"),
    ("YAML anchors", "POST", CONFIG_MAPS, YAML, b"".join(b"a%d: &b%d 1\n" % (i, i) for i in range(50_000)), 400, "anchor"),
    ("JSON patch copies", "PATCH", KEPT, JSON_PATCH,
     dumps([{"op": "add", "path": "/data/x", "value": "y" * 1000}]
           + [{"op": "copy", "from": "/data", "path": f"/data/a{i}"} for i in range(40)]), 422, "."),
    ("JSON patch of many", "PATCH", KEPT, JSON_PATCH,
     dumps([{"op": "add", "path": "/data/x", "value": "y"}] * 10_001), 413, "10,?000"),
    ("values without end", "POST", CONFIG_MAPS, JSON, b'{"data":[' + b"1," * ((BODY_MAX - 20) // 2) + b"1]}", 400, "."),
    ("keys without end", "POST", CONFIG_MAPS, JSON, b'{"a":1' + b',"a":1' * 400_000 + b"}", 422, "name or generateName is required"),
    ("unknown fields without end", "POST", CONFIG_MAPS + "?fieldValidation=Strict", JSON,
     b'{"a0":1' + b"".join(b',"a%d":1' % i for i in range(1, 200_000)) + b"}", 400, "unknown field"),
    ("warnings without end", "POST", CONFIG_MAPS + "?dryRun=All", JSON,
     config_map()[:-1] + b"".join(b',"a%d":1' % i for i in range(200_000)) + b"}", 201, "."),
    ("a number of a million digits", "POST", CONFIG_MAPS, JSON, b'{"data":{"a":' + b"9" * 1_000_000 + b"}}", 400, "."),
    ("containers without end", "POST", DEPLOYMENTS, JSON,
     dumps(deployment(template={"metadata": {"labels": {"app": "bad"}}, "spec": {
         "containers": [{"name": "a"}] * 60_000}})), 422, "Duplicate value"),
    ("selector of many", "GET", f"{CONFIG_MAPS}?labelSelector=a+in+({','.join(str(i) for i in range(9000))})", JSON, NO_BODY, 200, "."),
    ("annotations too long", "POST", CONFIG_MAPS, JSON,
     config_map(metadata={"name": "bad", "annotations": {"a": "x" * 300_000}}), 422, "may not be more than 262144 bytes"),
    ("data too long", "POST", CONFIG_MAPS, JSON, config_map(data={"a": "x" * 1_100_000}), 422, "may not be more than 1048576 bytes"),
]

TOO_LARGE = "Request entity too large: limit is 3145728"
SIZES = [
    (f"4 MiB of {name}", method, target, media_type, b"{" + b" " * (4 << 20) + b"}", 413, TOO_LARGE)
    for name, method, target, media_type in [
        ("JSON", "POST", CONFIG_MAPS, JSON), ("YAML", "POST", CONFIG_MAPS, YAML), ("protobuf", "POST", CONFIG_MAPS, PROTOBUF),
        ("update", "PUT", KEPT, JSON), ("JSON patch", "PATCH", KEPT, JSON_PATCH), ("merge patch", "PATCH", KEPT, MERGE),
        ("strategic patch", "PATCH", WEB, STRATEGIC), ("apply", "PATCH", KEPT + "?fieldManager=a", APPLY),
        ("review", "POST", REVIEWS, JSON), ("delete options", "DELETE", CONFIG_MAPS + "/absent", JSON)]
] + [
    ("just too large", "POST", CONFIG_MAPS, JSON, b"{" + b" " * (BODY_MAX - 1) + b"}", 413, TOO_LARGE),
    ("just not too large", "POST", CONFIG_MAPS, JSON, b"{" + b" " * (BODY_MAX - 2) + b"}", 422, "name or generateName is required"),
]

CONTENT = [
    ("UTF-8 in JSON", "POST", CONFIG_MAPS, JSON, INVALID_UTF8, 400, "invalid UTF-8"),
    ("UTF-8 in YAML", "POST", CONFIG_MAPS, YAML, b"metadata:\n  name: b\xff\xfed\n", 400, "UTF-8"),
    ("UTF-8 in protobuf", "POST", CONFIG_MAPS, PROTOBUF, envelope(field(1, field(1, b"b\xff\xfed"))), "4..", "."),
    ("UTF-8 in a patch", "PATCH", KEPT, MERGE, b'{"metadata":{"labels":{"a":"\xc0\x80"}}}', 400, "invalid UTF-8"),
    ("UTF-8 in a query", "GET", CONFIG_MAPS + "?labelSelector=%ff%fe", JSON, NO_BODY, 400, "."),
    ("UTF-8 in a path", "GET", CONFIG_MAPS + "/%ff%c0%80", JSON, NO_BODY, 404, "."),
    ("surrogate", "POST", CONFIG_MAPS, JSON, config_map(metadata={"name": "\ud800"}), 422, "metadata.name"),
    ("NUL in a name", "POST", CONFIG_MAPS, JSON, config_map(metadata={"name": "a\0b"}), 422, "metadata.name"),
    ("NUL in a path", "GET", CONFIG_MAPS + "/a%00b", JSON, NO_BODY, 400, "malformed"),
    ("UTF-16", "POST", CONFIG_MAPS, JSON, config_map().decode().encode("utf-16"), 400, "."),
    ("no document", "POST", CONFIG_MAPS, JSON, NO_BODY, 400, "unexpected end of JSON input"),
    ("an array", "POST", CONFIG_MAPS, JSON, b"[]", 400, "array"),
    ("half a document", "POST", CONFIG_MAPS, JSON, config_map()[:-5], 400, "unexpected end of JSON input"),
    ("two documents", "POST", CONFIG_MAPS, JSON, config_map() * 2, 400, "after top-level value"),
    ("form data", "POST", CONFIG_MAPS, "application/x-www-form-urlencoded", b"a=b", 415, "unknown format"),
    ("patch without type", "PATCH", KEPT, JSON, b"{}", 415, "."),
    ("a patch that is text", "PATCH", KEPT, MERGE, b"text", 400, "."),
    ("a patch that is a list", "PATCH", KEPT, MERGE, b"[]", "4..", "."),
    ("a patch that is null", "PATCH", KEPT, STRATEGIC, b"null", "[24]..", "."),
]

MESSAGE = envelope(NAMED + field(2, field(1, b"k") + field(2, b"v")))
PROTOBUFS = [
    (f"cut after {n} bytes", "POST", CONFIG_MAPS, PROTOBUF, MESSAGE[:n], 400, "unrecognized|protobuf")
    for n in (1, 3, 5, 8, 12, len(MESSAGE) - 1)
] + [
    ("nothing", "POST", CONFIG_MAPS, PROTOBUF, NO_BODY, 400, "."),
    ("magic alone", "POST", CONFIG_MAPS, PROTOBUF, b"k8s\0", "4..", "."),
    ("wrong magic", "POST", CONFIG_MAPS, PROTOBUF, b"k8z\0" + MESSAGE[4:], 400, r"expected prefix \[107 56 115 0\]"),
    ("JSON called protobuf", "POST", CONFIG_MAPS, PROTOBUF, config_map(), 400, r"expected prefix \[107 56 115 0\]"),
    ("protobuf called JSON", "POST", CONFIG_MAPS, JSON, MESSAGE, 400, "."),
    ("wrong kind", "POST", CONFIG_MAPS, PROTOBUF, envelope(NAMED, b"Secret"), 400, "cannot be handled as a ConfigMap"),
    ("unknown kind", "POST", CONFIG_MAPS, PROTOBUF, envelope(NAMED, b"Nothing"), 400, 'no kind ..Nothing.. is registered'),
    ("wrong version", "POST", CONFIG_MAPS, PROTOBUF, envelope(NAMED, b"ConfigMap", b"v9"), 400, "v9"),
    ("overlong varint", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\x0a" + b"\x80" * 11 + b"\x01"), 400, "."),
    ("length beyond the end", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\x0a\xff\xff\xff\xff\x0f"), 400, "."),
    ("length of 2^63", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\x0a" + b"\xff" * 9 + b"\x01"), 400, "."),
    ("field zero", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\x02\x00"), 400, "."),
    ("wire type 7", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\x0f"), 400, "."),
    ("wrong wire type", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\x08\x01"), 400, "."),
    ("group that ends nowhere", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\xfb\x07" * 50_000), 400, "."),
    ("groups in groups", "POST", CONFIG_MAPS, PROTOBUF, envelope(b"\xfb\x07" * 50_000 + b"\xfc\x07" * 50_000), 400, "."),
    ("message as a patch", "PATCH", KEPT + "?fieldManager=a", APPLY, MESSAGE, 400, "."),
]

CONCURRENCY = [
    ("stale update", "PUT", KEPT, JSON, UPDATED, 409, "the object has been modified; please apply your changes to the latest version"),
    ("stale merge patch", "PATCH", KEPT, MERGE, b'{"metadata":{"resourceVersion":"1"}}', 409, "the object has been modified"),
    ("stale strategic patch", "PATCH", WEB, STRATEGIC, b'{"metadata":{"resourceVersion":"1"}}', 409, "the object has been modified"),
    ("stale apply", "PATCH", KEPT + "?fieldManager=a", APPLY, UPDATED, 409, "the object has been modified"),
    ("stale delete", "DELETE", KEPT, JSON, b'{"preconditions":{"resourceVersion":"1"}}', 409, "does not match the ResourceVersion in record"),
    ("foreign uid", "DELETE", KEPT, JSON, b'{"preconditions":{"uid":"1"}}', 409, "does not match the UID in record"),
    ("revision of a create", "POST", CONFIG_MAPS, JSON, config_map(metadata={"name": "bad", "resourceVersion": "1"}), 500,
     "resourceVersion should not be set on objects to be created"),
    ("revision that is text", "PUT", KEPT, JSON, UPDATED.replace(b'"1"', b'"one"'), "4..", "."),
    ("revision of two lines", "GET", CONFIG_MAPS + "?resourceVersion=1%0A2", JSON, NO_BODY, 400, "resourceVersion"),
    ("revision to come", "GET", CONFIG_MAPS + "?resourceVersion=999999999999", JSON, NO_BODY, 504, "Too large resource version"),
    ("revision of 2^70", "GET", CONFIG_MAPS + "?resourceVersion=1180591620717411303424", JSON, NO_BODY, 400, "."),
    ("watch from a forgotten revision", "GET", CONFIG_MAPS + "?watch=1&timeoutSeconds=1&resourceVersion=1", JSON, NO_BODY, "[24]..", "."),
]

CONTINUE = [
    ("expired", "GET", continued({"v": "meta.k8s.io/v1", "rv": 1, "start": "default/a\0"}), JSON, NO_BODY, 410,
     "The provided continue parameter is too old"),
    ("to come", "GET", continued({"v": "meta.k8s.io/v1", "rv": 1 << 60, "start": "default/a\0"}), JSON, NO_BODY, "[45]..", "."),
    ("negative", "GET", continued({"v": "meta.k8s.io/v1", "rv": -5, "start": "default/a\0"}), JSON, NO_BODY, "[245]..", "."),
    ("revision zero", "GET", continued({"v": "meta.k8s.io/v1", "rv": 0, "start": "a"}), JSON, NO_BODY, 400, "incorrect encoded start resourceVersion"),
    ("no start", "GET", continued({"v": "meta.k8s.io/v1", "rv": 5}), JSON, NO_BODY, 400, "encoded start key empty"),
    ("version", "GET", continued({"v": "v2", "rv": 5, "start": "a"}), JSON, NO_BODY, 400, "does not recognize this encoded version v2"),
    ("climbing", "GET", continued({"v": "meta.k8s.io/v1", "rv": 5, "start": "../../secrets/"}), JSON, NO_BODY, 400, "continue key is not valid"),
    ("mistyped", "GET", continued({"v": 5, "rv": "x", "start": []}), JSON, NO_BODY, 400, "continue key is not valid"),
    ("list", "GET", continued([1, 2]), JSON, NO_BODY, 400, "continue key is not valid"),
    ("nested", "GET", listed("continue", base64.urlsafe_b64encode(b"[" * 3000).rstrip(b"=").decode()), JSON, NO_BODY, 400, "continue key is not valid"),
    ("no base64", "GET", listed("continue", "%25%25%25"), JSON, NO_BODY, 400, "illegal base64"),
    ("long", "GET", listed("continue", "A" * 20_000), JSON, NO_BODY, 400, "continue key is not valid"),
    ("with a revision", "GET", continued({"v": "meta.k8s.io/v1", "rv": 5, "start": "a"}) + "&resourceVersion=7", JSON, NO_BODY, 400,
     "specifying resource version is not allowed when using continue"),
    ("limit that is text", "GET", CONFIG_MAPS + "?limit=some", JSON, NO_BODY, 400, "invalid syntax"),
    ("limit of 2^70", "GET", CONFIG_MAPS + "?limit=1180591620717411303424", JSON, NO_BODY, 400, "out of range"),
]

STRICT = "?fieldValidation=Strict"
FIELDS = [
    ("unknown", "POST", CONFIG_MAPS + STRICT, JSON, config_map(dta={}), 400, 'strict decoding error: unknown field \\\\"dta\\\\"'),
    ("unknown, deep", "POST", DEPLOYMENTS + STRICT, JSON, dumps(deployment(strategy={"rollingUpdat": {}})), 400,
     'unknown field \\\\"spec.strategy.rollingUpdat\\\\"'),
    ("unknown in YAML", "POST", CONFIG_MAPS + STRICT, YAML, b"metadata: {name: bad}\ndta: {}\n", 400, "unknown field"),
    ("duplicate", "POST", CONFIG_MAPS + STRICT, JSON, config_map()[:-1] + b',"data":{},"data":{}}', 400, 'duplicate field \\\\"data\\\\"'),
    ("duplicate in YAML", "POST", CONFIG_MAPS + STRICT, YAML, b"metadata: {name: bad}\ndata: {}\ndata: {}\n", 400, "already set in map"),
    ("duplicate in apply", "PATCH", KEPT + STRICT + "&fieldManager=a", APPLY,
     b"apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\ndata: {}\n", 400, "already set in map"),
    ("mistyped", "POST", DEPLOYMENTS + STRICT, JSON, dumps(deployment(replicas="three")), 400,
     "cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"),
    ("number too large", "POST", DEPLOYMENTS, JSON, dumps(deployment(replicas=1 << 40)), 400, "replicas of type int32"),
    ("negative", "POST", DEPLOYMENTS, JSON, dumps(deployment(replicas=-1)), 422, "must be greater than or equal to 0"),
    ("object for a list", "POST", DEPLOYMENTS, JSON, dumps(deployment(template={"spec": {"containers": {}}})), 400, "cannot unmarshal object"),
    ("list for an object", "POST", CONFIG_MAPS, JSON, config_map(data=[]), 400, "cannot unmarshal array"),
    ("object for text", "POST", CONFIG_MAPS, JSON, config_map(data={"a": {"b": 1}}), 400, "cannot unmarshal object"),
    ("kind of another", "POST", CONFIG_MAPS, JSON, config_map(kind="Secret"), 400, "cannot be handled as a ConfigMap"),
    ("kind that is a number", "POST", CONFIG_MAPS, JSON, config_map(kind=5), 400, "cannot unmarshal number"),
    ("namespace of another", "POST", CONFIG_MAPS, JSON, config_map(metadata={"name": "bad", "namespace": "kube-system"}), 400,
     "does not match the namespace"),
    ("namespace that is not there", "POST", CONFIG_MAPS.replace("default", "absent"), JSON, config_map(), 404, 'namespaces \\\\"absent\\\\" not found'),
    ("validation that is not there", "POST", CONFIG_MAPS + "?fieldValidation=Maybe", JSON, config_map(), 422, "fieldValidation"),
    ("dry run of some", "POST", CONFIG_MAPS + "?dryRun=Some", JSON, config_map(), 422, "dryRun"),
    ("manager too long", "PATCH", KEPT + "?fieldManager=" + "a" * 129, MERGE, b"{}", 422, "may not be more than 128"),
    ("apply without manager", "PATCH", KEPT, APPLY, b"{}", "4..", "."),
]

DOCUMENTS = [("nesting", NESTING), ("bombs", BOMBS), ("sizes", SIZES), ("content", CONTENT), ("protobuf", PROTOBUFS),
             ("concurrency", CONCURRENCY), ("continue", CONTINUE), ("fields", FIELDS)]
