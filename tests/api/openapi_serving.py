#!/usr/bin/env python3
"""How OpenAPI documents are served: forms, ETag, ?hash=, redirects, compression.  What they say is tests/unit/test_openapi.c's.

    openapi_serving.py [--build build]

Ends with `N passed, N failed, N skipped`.
"""
import gzip
import hashlib
import http.client
import json
import os
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser  # noqa: E402
from own_control import OwnControl  # noqa: E402

APPS = "/openapi/v3/apis/apps/v1"
V2_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
FRESH, KEPT = "no-cache, private", "public, immutable"


class Server:
    def __init__(self, control):
        self.connection = http.client.HTTPSConnection("127.0.0.1", control.port, context=control.tls(), timeout=30)
        with open(os.path.join(control.data_dir, "tls", "admin.token"), encoding="utf-8") as f:
            self.head = {"Authorization": "Bearer " + f.read().strip()}

    def ask(self, path, **headers):
        """(status, headers, body)"""
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.connection.request("GET", path, headers={**self.head, **named})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()


def rows(index):
    """Path, headers of the request, status, headers of the reply."""
    url = index["paths"]["apis/apps/v1"]["serverRelativeURL"]
    etag = f'"{url.partition("hash=")[2]}"'
    json_type = {"Content-Type": "application/json"}
    return [
        ("plain", APPS, {}, 200, {**json_type, "ETag": etag, "Cache-Control": FRESH, "Content-Encoding": None, "Expires": None}),
        ("by its hash", url, {}, 200, {**json_type, "ETag": etag, "Cache-Control": KEPT}),
        ("by another hash", APPS + "?hash=ABC", {}, 301, {"Location": url}),
        ("known already", APPS, {"If_None_Match": etag}, 304, {"ETag": etag, "Content-Type": None}),
        ("known, weakly", APPS, {"If_None_Match": f'"x", W/{etag}'}, 304, {"ETag": etag}),
        ("known, by its hash", url, {"If_None_Match": etag}, 304, {"Cache-Control": KEPT}),
        ("not known", APPS, {"If_None_Match": '"x"'}, 200, json_type),
        ("gzip", APPS, {"Accept_Encoding": "gzip"}, 200, {"Content-Encoding": "gzip", "Vary": "Accept, Accept-Encoding"}),
        ("no gzip", APPS, {"Accept_Encoding": "gzip;q=0, identity"}, 200, {"Content-Encoding": None}),
        ("protobuf of version 3", APPS, {"Accept": "application/com.github.proto-openapi.spec.v3@v1.0+protobuf"}, 406, {}),
        ("a form that is there too", APPS, {"Accept": "application/xml, application/json"}, 200, json_type),
        ("absent", "/openapi/v3/apis/apps/v2", {}, 404, {}),
        ("version 2", "/openapi/v2", {}, 200, json_type),
        ("version 2 in protobuf", "/openapi/v2", {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"}, 200,
         {"Content-Type": V2_PROTOBUF}),
        ("version 2, as clients ask", "/openapi/v2",
         {"Accept": "application/com.github.proto-openapi.spec.v2@v1.0+protobuf, application/json"}, 200, {"Content-Type": V2_PROTOBUF}),
        ("version 2 in another form", "/openapi/v2", {"Accept": "application/xml"}, 406, {}),
    ]


def fault(server, path, headers, status, expected):
    got, found, body = server.ask(path, **headers)
    wrong = [f"{key}: {found[key]}" for key, value in expected.items() if found[key] != value]
    if got != status or wrong:
        return f"{got} {', '.join(wrong)}"
    if status == 200:
        plain = gzip.decompress(body) if found["Content-Encoding"] == "gzip" else body
        if found["ETag"] != f'"{hashlib.sha512(plain).hexdigest().upper()}"':
            return "the ETag is not that of the bytes"
    return "a body" if status in (304, 406) and body else None


def every_document(server, index):
    """Each is there under its hash, and is JSON of version 3."""
    for name, entry in index["paths"].items():
        status, _, body = server.ask(entry["serverRelativeURL"])
        if status != 200 or json.loads(body)["openapi"] != "3.0.0":
            return f"{name}: {status}"
    return None


def main():
    args = option_parser("Serving of OpenAPI documents.").parse_args()
    outcomes = Outcomes()
    with OwnControl(args.build, simulated_nodes=0, is_memory=True) as control:
        server = Server(control)
        index = json.loads(server.ask("/openapi/v3")[2])
        for name, *row in rows(index):
            outcomes.add(name, fault(server, *row))
        outcomes.add("every document", every_document(server, index))
        outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
