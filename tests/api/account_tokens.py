#!/usr/bin/env python3
"""Tokens of service accounts: options, bound objects, Secrets, discovery of the issuer.

    account_tokens.py [--build build]

Ends with `N passed, N failed, N skipped`.
"""
import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser  # noqa: E402
from own_control import OwnControl  # noqa: E402

WAIT_S = 10
ACCOUNT = "/api/v1/namespaces/default/serviceaccounts/builder"
SECRETS = "/api/v1/namespaces/default/secrets"
PODS = "/api/v1/namespaces/default/pods"


class Client:
    def __init__(self, control):
        self.control, self.headers = control, {}

    def ask(self, method, path, body=None, token=None, kind="application/json"):
        """(status, document); the headers of the answer stay in self.headers."""
        connection = http.client.HTTPSConnection("127.0.0.1", self.control.port, context=self.control.tls(), timeout=20)
        connection.request(method, path, json.dumps(body) if body else None,
                           {"Content-Type": kind, "Authorization": "Bearer " + (token or self.control.token())})
        answer = connection.getresponse()
        text = answer.read()
        self.headers = dict(answer.getheaders())
        connection.close()
        try:
            return answer.status, json.loads(text)
        except ValueError:
            return answer.status, text

    def token(self, seconds=None, audiences=None, bound=None):
        spec = {"audiences": audiences, "expirationSeconds": seconds, "boundObjectRef": bound}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {k: v for k, v in spec.items() if v}}
        return self.ask("POST", ACCOUNT + "/token", body)[1]

    def who(self, token):
        """Name of the token's user, or the status."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        status, answer = self.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, token)
        return answer["status"]["userInfo"]["username"] if status == 201 else status

    def until(self, path, good):
        end = time.monotonic() + WAIT_S
        while not good(self.ask("GET", path)[1]) and time.monotonic() < end:
            time.sleep(0.1)
        return self.ask("GET", path)[1]


def claims(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


BUILDER = "system:serviceaccount:default:builder"


def make_account(client):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "builder"}}
    return client.ask("POST", "/api/v1/namespaces/default/serviceaccounts", account)


def make_pod(client, name):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
           "spec": {"serviceAccountName": "builder", "schedulerName": "none", "containers": [{"name": "c", "image": "a/b:1"}]}}
    return client.ask("POST", PODS, pod)[1]["metadata"]["uid"]


def bound(client, check):
    """A token ends with what it is bound to, and with another of that name as well."""
    uid = make_pod(client, "p")
    pod = {"kind": "Pod", "apiVersion": "v1", "name": "p"}
    token = client.token(bound=pod)["status"]["token"]
    check.same("bound to a pod", client.who(token), BUILDER)
    check.same("claims name it", claims(token)["kubernetes.io"]["pod"], {"name": "p", "uid": uid})
    check.same("another uid", client.token(bound=pod | {"uid": "x"})["code"], 409)
    client.ask("DELETE", PODS + "/p?gracePeriodSeconds=0")
    check.same("the pod has gone", client.who(token), 401)
    make_pod(client, "p")
    check.same("another pod of that name", client.who(token), 401)
    client.ask("POST", SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}})
    token = client.token(bound={"kind": "Secret", "apiVersion": "v1", "name": "s"})["status"]["token"]
    check.same("bound to a Secret", client.who(token), BUILDER)
    client.ask("DELETE", SECRETS + "/s")
    check.same("the Secret has gone", client.who(token), 401)
    client.ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    token = client.token(bound={"kind": "Node", "apiVersion": "v1", "name": "n"})["status"]["token"]
    check.same("bound to a node", client.who(token), BUILDER)
    client.ask("DELETE", "/api/v1/nodes/n")
    check.same("the node has gone", client.who(token), 401)
    check.same("bound to something else", client.token(bound={"kind": "Service", "apiVersion": "v1", "name": "x"})["code"], 400)


def in_secret(client, check):
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
              "metadata": {"name": "old", "annotations": {"kubernetes.io/service-account.name": "builder"}}}
    client.ask("POST", SECRETS, secret)
    filled = client.until(SECRETS + "/old", lambda o: "token" in o.get("data", {}))
    check.same("a Secret is filled", sorted(filled.get("data", {})), ["ca.crt", "namespace", "token"])
    token = base64.b64decode(filled["data"]["token"]).decode()
    label = "kubernetes.io/legacy-token-last-used"
    check.same("its token is good", client.who(token), BUILDER)
    used = client.until(SECRETS + "/old", lambda o: label in o["metadata"].get("labels", {}))
    check.same("its use is noted", used["metadata"].get("labels", {}).get(label), time.strftime("%Y-%m-%d", time.gmtime()))
    patch = {"metadata": {"labels": {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}}}
    client.ask("PATCH", SECRETS + "/old", patch, kind="application/merge-patch+json")
    check.same("marked invalid", client.who(token), 401)
    patch["metadata"]["labels"]["kubernetes.io/legacy-token-invalid-since"] = None
    client.ask("PATCH", SECRETS + "/old", patch, kind="application/merge-patch+json")
    check.same("no longer marked", client.who(token), BUILDER)
    client.ask("DELETE", SECRETS + "/old")
    check.same("its Secret has gone", client.who(token), 401)


def account(client, check):
    token = client.token()["status"]["token"]
    check.same("a token", client.who(token), BUILDER)
    check.same("for others", client.who(client.token(audiences=["vault"])["status"]["token"]), 401)
    check.same("too short a life", client.token(seconds=60)["code"], 422)
    client.ask("DELETE", ACCOUNT)
    check.same("the account has gone", client.who(token), 401)
    make_account(client)
    check.same("another account of that name", client.who(token), 401)


def options(build, check, folder):
    log = os.path.join(folder, "audit.log")
    policy = os.path.join(folder, "policy.yaml")
    with open(policy, "w", encoding="ascii") as out:
        out.write("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n")
    flags = ["--service-account-issuer", "https://issuer.example", "--service-account-issuer", "https://former.example",
             "--api-audiences", "skeg", "--api-audiences", "also", "--service-account-max-token-expiration", "2h",
             "--service-account-jwks-uri", "https://keys.example/jwks", "--audit-log-path", log, "--audit-policy-file", policy]
    with OwnControl(build, simulated_nodes=0, is_memory=True, options=flags) as control:
        client = Client(control)
        make_account(client)
        answer = client.token(seconds=7300)
        check.same("shortened", answer["spec"]["expirationSeconds"], 7200)
        check.same("with a warning", "shortened to 7200 seconds" in client.headers.get("Warning", ""), True)
        said = claims(answer["status"]["token"])
        check.same("issuer and audiences", (said["iss"], said["aud"]), ("https://issuer.example", ["skeg", "also"]))
        check.same("life", said["exp"] - said["iat"], 7200)
        check.same("one of the audiences", client.who(client.token(audiences=["also"])["status"]["token"]), BUILDER)
        check.same("an issuer is no audience", client.who(client.token(audiences=["https://issuer.example"])["status"]["token"]), 401)
        make_pod(client, "p")
        usual = client.token(seconds=3607, bound={"kind": "Pod", "apiVersion": "v1", "name": "p"})
        said = claims(usual["status"]["token"])
        check.same("extended", (said["exp"] - said["iat"], said["kubernetes.io"].get("warnafter", 0) - said["iat"]), (365 * 86400, 3607))
        check.same("the pod is told the nominal end", usual["spec"]["expirationSeconds"], 3607)
        status, document = client.ask("GET", "/.well-known/openid-configuration")
        check.same("discovery", (status, document["issuer"], document["jwks_uri"]),
              (200, "https://issuer.example", "https://keys.example/jwks"))
        check.same("discovery may be kept", client.headers.get("Cache-Control"), "public, max-age=3600")
        status, document = client.ask("GET", "/openid/v1/jwks")
        check.same("keys", (status, document["keys"][0]["alg"], client.headers.get("Content-Type")), (200, "ES256", "application/jwk-set+json"))
        check.same("keys may be kept", client.headers.get("Cache-Control"), "public, max-age=3600")
        control.stop()
    flags = ["--service-account-extend-token-expiration=false"]
    with OwnControl(build, simulated_nodes=0, is_memory=True, options=flags) as control:
        client = Client(control)
        make_account(client)
        make_pod(client, "p")
        said = claims(client.token(seconds=3607, bound={"kind": "Pod", "apiVersion": "v1", "name": "p"})["status"]["token"])
        check.same("not extended", (said["exp"] - said["iat"], "warnafter" in said["kubernetes.io"]), (3607, False))
        control.stop()


def refused(build, check, folder):
    for words, flags in (
            ("contained a ':' but was not a valid URL", ["--service-account-issuer", "a:b"]),
            ("requires https scheme", ["--service-account-jwks-uri", "http://a"]),
            ("must be between 1 hour and 2^32 seconds", ["--service-account-max-token-expiration", "30m"]),
            ("is not a duration", ["--cluster-signing-duration", "1s"])):
        command = [os.path.join(os.path.abspath(build), "src", "skeg"), "control", "--data-dir", os.path.join(folder, "no")]
        done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=30)
        check.same(f"refused: {words}", (done.returncode, words in done.stderr), (1, True))


def main():
    args = option_parser("Tokens of service accounts.").parse_args()
    check = Outcomes()
    with tempfile.TemporaryDirectory(prefix="skeg-tokens-") as folder:
        with OwnControl(args.build, simulated_nodes=0, is_memory=True) as control:
            client = Client(control)
            make_account(client)
            bound(client, check)
            in_secret(client, check)
            account(client, check)
            check.stop(control)
        options(args.build, check, folder)
        refused(args.build, check, folder)
    return check.end()


if __name__ == "__main__":
    sys.exit(main())
