#!/usr/bin/env python3
"""Users whom an authenticating proxy names, and everybody else who says such headers.

    request_header.py [--build build]

Ends with `N passed, N failed, N skipped`.  Needs the program openssl, which makes the proxy's certificates.
"""
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser, skipped  # noqa: E402
from own_control import OwnControl  # noqa: E402

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
HEADERS = {"X-Remote-User": "jane", "X-Remote-Group": "team", "X-Remote-Extra-Acme.com%2Fproject": "one", "X-Remote-Uid": "7"}


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder):
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=proxies", "-days", "2")
    for name in ("front", "other"):
        openssl(folder, "req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/O=system:masters/CN={name}")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-out", f"{name}.crt", "-days", "2")


def who(control, folder, certificate, headers, token=None):
    """(status, userInfo)"""
    context = control.tls()
    if certificate:
        context.load_cert_chain(os.path.join(folder, certificate + ".crt"), os.path.join(folder, certificate + ".key"))
    connection = http.client.HTTPSConnection("127.0.0.1", control.port, context=context, timeout=10)
    if token:
        headers = {**headers, "Authorization": "Bearer " + token}
    connection.request("POST", REVIEW, json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}),
                       {"Content-Type": "application/json", **headers})
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, body.get("status", {}).get("userInfo") if answer.status == 201 else None


def run(control, folder, outcomes):
    jane = {"username": "jane", "uid": "7", "groups": ["team", "system:authenticated"], "extra": {"acme.com/project": ["one"]}}
    admin = os.path.relpath(os.path.join(control.data_dir, "tls", "admin"), folder)
    cases = [
        ("proxy names a user", ("front", HEADERS), (201, jane)),
        ("proxy that is not listed", ("other", HEADERS), (401, None)),
        ("proxy without a user is nobody", ("front", {"X-Remote-Group": "system:masters"}), (403, None)),
        ("nobody's headers are not heeded", (None, HEADERS), (403, None)),
    ]
    for name, (certificate, headers), want in cases:
        outcomes.same(name, who(control, folder, certificate, headers), want)
    status, user = who(control, folder, admin, HEADERS)
    outcomes.add("another authority's certificate", None if user and user["username"] != "jane" else f"{status} {user}")
    status, user = who(control, folder, None, HEADERS, control.token())
    outcomes.add("a bearer token beside the headers", None if user and user["username"] == "admin" else f"{status} {user}")


def main():
    args = option_parser("Authenticating proxies.").parse_args()
    if not shutil.which("openssl"):
        return skipped(1, "openssl is not installed")
    outcomes = Outcomes()
    with tempfile.TemporaryDirectory(prefix="skeg-proxy-") as folder:
        make_certificates(folder)
        options = ["--requestheader-client-ca-file", os.path.join(folder, "ca.crt"), "--requestheader-allowed-names", "front"]
        with OwnControl(args.build, simulated_nodes=0, is_memory=True, options=options) as control:
            run(control, folder, outcomes)
            outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
