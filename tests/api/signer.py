#!/usr/bin/env python3
"""Certificates: what is approved without a human, what is signed, and what is never signed, whoever approves it.

    signer.py [--build build]

Ends with `N passed, N failed, N skipped`.  Needs the program openssl, which makes the signing requests.
"""
import base64
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from cluster_api import Cluster, wait_for  # noqa: E402
from outcomes import Outcomes, option_parser, skipped  # noqa: E402
from own_control import OwnControl  # noqa: E402

PATH = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
NODE = "/O=system:nodes/CN=system:node:n7"
CLIENT, SERVER = ["digital signature", "client auth"], ["digital signature", "server auth"]
FAILED = "SignerValidationFailure"

# name, subject, signer, usages, by the join token, approved by a human, (signed, reason of the last condition)
CASES = [
    ("join", NODE, "kube-apiserver-client-kubelet", CLIENT, True, False, (True, "AutoApproved")),
    ("join-as-admin", "/O=system:masters/CN=system:node:n7", "kube-apiserver-client-kubelet", CLIENT, True, True, (False, FAILED)),
    ("join-as-user", "/O=system:nodes/CN=jane", "kube-apiserver-client-kubelet", CLIENT, True, True, (False, FAILED)),
    ("other-usage", NODE, "kube-apiserver-client-kubelet", SERVER, True, True, (False, FAILED)),
    ("by-somebody-else", NODE, "kube-apiserver-client-kubelet", CLIENT, False, True, (True, "Human")),
    ("client", "/O=team/CN=jane", "kube-apiserver-client", ["client auth"], False, True, (True, "Human")),
    ("client-usage", "/O=team/CN=jane", "kube-apiserver-client", SERVER, False, True, (False, FAILED)),
    ("serving-without-names", NODE, "kubelet-serving", SERVER, False, True, (False, FAILED)),
]


def signing_request(folder, subject):
    done = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                           os.path.join(folder, "key"), "-subj", subject], check=True, capture_output=True)
    return base64.b64encode(done.stdout).decode()


def run(control, folder, case):
    name, subject, signer, usages, is_joining, is_approved, want = case
    cluster = control.cluster()
    secret = open(os.path.join(control.data_dir, "token"), encoding="ascii").read().strip()
    asker = Cluster(f"https://127.0.0.1:{control.port}", control.tls(), secret) if is_joining else cluster
    asker.create(PATH, {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
                        "spec": {"request": signing_request(folder, subject), "signerName": "kubernetes.io/" + signer,
                                 "usages": usages}})
    if is_approved:
        cluster.call("PATCH", f"{PATH}/{name}/approval", {"status": {"conditions": [
            {"type": "Approved", "status": "True", "reason": "Human", "message": "m"}]}}, "application/merge-patch+json")
    status = {}

    def is_settled():
        status.update(cluster.get(f"{PATH}/{name}")["status"])
        return "certificate" in status or any(c["type"] == "Failed" for c in status.get("conditions", []))

    wait_for(f"{name} is settled", is_settled, 10)
    got = "certificate" in status, status["conditions"][-1]["reason"]
    return None if got == want else f"{got}, {status['conditions']}"


def main():
    args = option_parser("Signers.").parse_args()
    if not shutil.which("openssl"):
        return skipped(len(CASES), "openssl is not installed")
    outcomes = Outcomes()
    with tempfile.TemporaryDirectory(prefix="skeg-signer-") as folder:
        with OwnControl(args.build, simulated_nodes=0, is_memory=True) as control:
            for case in CASES:
                outcomes.add(case[0], run(control, folder, case))
            outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
