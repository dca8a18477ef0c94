#!/usr/bin/env python3
"""Users whom an issuer names in ID tokens: an issuer of our own, with its own authority, and every token that must not pass.

    oidc.py [--build build]

Ends with `N passed, N failed, N skipped`.  Needs the program openssl, which makes keys and signatures.
"""
import base64
import http.client
import http.server
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser, skipped  # noqa: E402
from own_control import OwnControl  # noqa: E402
from own_server import free_port  # noqa: E402

REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
WAIT_S = 30


def openssl(folder, *arguments, data=None):
    return subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, input=data).stdout


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size):
    return base64url(value.to_bytes(size, "big"))


class Key:
    """A signing key, RSA or P-256."""

    def __init__(self, folder, name, kind):
        self.folder, self.name, self.kind = folder, name, kind
        options = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if kind == "RSA" else \
            ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        openssl(folder, "genpkey", *options, "-out", name + ".pem")

    def public(self, key_id=None):
        jwk = {"use": "sig", "kid": key_id or self.name, "kty": self.kind}
        if self.kind == "RSA":
            text = openssl(self.folder, "rsa", "-in", self.name + ".pem", "-noout", "-modulus").decode()
            return jwk | {"alg": "RS256", "n": number(int(text.strip().split("=")[1], 16), 256), "e": number(65537, 3)}
        point = openssl(self.folder, "pkey", "-in", self.name + ".pem", "-pubout", "-outform", "DER")[-64:]
        return jwk | {"alg": "ES256", "crv": "P-256", "x": base64url(point[:32]), "y": base64url(point[32:])}

    def signature(self, data):
        der = openssl(self.folder, "dgst", "-sha256", "-sign", self.name + ".pem", data=data)
        if self.kind == "RSA":
            return der
        halves, at = b"", 2
        for _ in range(2):  # SEQUENCE of two INTEGERs
            size = der[at + 1]
            halves += int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big")
            at += 2 + size
        return halves

    def token(self, claims, **header):
        head = {"alg": "RS256" if self.kind == "RSA" else "ES256", "kid": self.name} | header
        text = base64url(json.dumps(head).encode()) + "." + base64url(json.dumps(claims).encode())
        return text + "." + base64url(self.signature(text.encode()))


class Issuer:
    """Serves discovery and keys over https, and counts who asks for keys."""

    def __init__(self, folder, keys):
        self.folder, self.port, self.asked, self.server = folder, free_port(), 0, None
        self.url = f"https://127.0.0.1:{self.port}/issuer"
        self.said = self.url
        self.keys = keys

    def start(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                documents = {
                    "/issuer/.well-known/openid-configuration": lambda: {"issuer": issuer.said, "jwks_uri": issuer.url + "/keys"},
                    "/issuer/keys": lambda: {"keys": issuer.keys},
                }
                issuer.asked += self.path == "/issuer/keys"
                body = json.dumps(documents[self.path]()).encode() if self.path in documents else b"{}"
                self.send_response(200 if self.path in documents else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.folder, "issuer.crt"), os.path.join(self.folder, "issuer.key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
        self.server = None


def make_certificates(folder):
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(folder, "req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=issuers", "-days", "2")
    openssl(folder, "req", *curve, "-keyout", "issuer.key", "-out", "issuer.csr", "-subj", "/CN=issuer")
    with open(os.path.join(folder, "san"), "w", encoding="ascii") as names:
        names.write("subjectAltName=IP:127.0.0.1\n")
    openssl(folder, "x509", "-req", "-in", "issuer.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-extfile", "san", "-out", "issuer.crt", "-days", "2")


def ask(control, token, path=REVIEW, body=None, method="POST"):
    """(status, body)"""
    connection = http.client.HTTPSConnection("127.0.0.1", control.port, context=control.tls(), timeout=20)
    headers = {"Content-Type": "application/json"} | ({"Authorization": "Bearer " + token} if token else {})
    body = body or json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    connection.request(method, path, body if method == "POST" else None, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def who(control, token):
    """userInfo, or the status."""
    status, text = ask(control, token)
    return json.loads(text)["status"]["userInfo"] if status == 201 else status


def wait_for(control, token, want):
    end = time.monotonic() + WAIT_S
    while who(control, token) != want and time.monotonic() < end:
        time.sleep(0.2)
    return who(control, token)


def review(control, token, audiences=()):
    """What a TokenReview says of a token."""
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token, "audiences": list(audiences)}}
    return json.loads(ask(control, control.token(), "/apis/authentication.k8s.io/v1/tokenreviews", json.dumps(body))[1])["status"]


class Run:
    def __init__(self, build, folder):
        self.build, self.folder = build, folder
        self.outcomes = Outcomes()
        self.check = self.outcomes.same
        self.first, self.second = Key(folder, "first", "RSA"), Key(folder, "second", "RSA")
        self.curve, self.stranger = Key(folder, "curve", "EC"), Key(folder, "stranger", "RSA")
        self.issuer = Issuer(folder, [self.first.public(), self.curve.public()])

    def claims(self, **more):
        claims = {"iss": self.issuer.url, "aud": "skeg", "sub": "u-1", "name": "jane", "groups": ["dev", "ops"],
                  "exp": int(time.time()) + 600, "tenant": "acme"} | more
        return {key: value for key, value in claims.items() if value is not None}

    def options(self, **changed):
        values = {"issuer-url": self.issuer.url, "client-id": "skeg", "ca-file": os.path.join(self.folder, "ca.crt"),
                  "username-claim": "name", "username-prefix": "sso:", "groups-claim": "groups", "groups-prefix": "sso:",
                  "signing-algs": "RS256,ES256", "required-claim": "tenant=acme"} | changed
        return [f"--oidc-{name.replace('_', '-')}={value}" for name, value in values.items() if value is not None]

    jane = {"username": "sso:jane", "groups": ["sso:dev", "sso:ops", "system:authenticated"]}

    def tokens(self, control):
        first, curve = self.first, self.curve
        now = int(time.time())
        self.check("RS256", who(control, first.token(self.claims())), self.jane)
        self.check("ES256", who(control, curve.token(self.claims())), self.jane)
        self.check("a list of audiences", who(control, first.token(self.claims(aud=["other", "skeg"]))), self.jane)
        self.check("one group as text", who(control, first.token(self.claims(groups="dev"))),
                   {"username": "sso:jane", "groups": ["sso:dev", "system:authenticated"]})
        self.check("no groups", who(control, first.token(self.claims(groups=None))),
                   {"username": "sso:jane", "groups": ["system:authenticated"]})
        unsigned = [base64url(json.dumps(part).encode()) for part in ({"alg": "none"}, self.claims())]
        head, body, signature = first.token(self.claims()).split(".")
        forged = base64url(json.dumps(self.claims(name="root")).encode())
        secret = {"alg": "HS256", "kid": "first"}
        for name, token in (
                ("expired", first.token(self.claims(exp=now - 1))),
                ("without an end", first.token(self.claims(exp=None))),
                ("not begun", first.token(self.claims(nbf=now + 900))),
                ("wrong audience", first.token(self.claims(aud="other"))),
                ("without audience", first.token(self.claims(aud=None))),
                ("wrong issuer", first.token(self.claims(iss="https://127.0.0.1:1"))),
                ("missing claim", first.token(self.claims(name=None))),
                ("claim is no text", first.token(self.claims(name=7))),
                ("groups are no texts", first.token(self.claims(groups=[1]))),
                ("required claim missing", first.token(self.claims(tenant=None))),
                ("required claim differs", first.token(self.claims(tenant="other"))),
                ("alg none", ".".join(unsigned) + "."),
                ("alg HS256", first.token(self.claims(), **secret)),
                ("alg of the other kind", first.token(self.claims(), alg="ES256")),
                ("algorithm that is not listed", first.token(self.claims(), alg="RS384")),
                ("changed body", ".".join((head, forged, signature))),
                ("changed signature", ".".join((head, body, signature[:-8] + "AAAAAAAA"))),
                ("key of somebody else", self.stranger.token(self.claims(), kid="first")),
                ("unknown key", self.stranger.token(self.claims())),
                ("header that must be understood", first.token(self.claims(), crit=["b64"])),
                ("no token at all", "a.b.c")):
            self.check(name, who(control, token), 401)
        self.check("TokenReview", review(control, first.token(self.claims()))["user"], self.jane)
        self.check("TokenReview for others", review(control, first.token(self.claims()), ["elsewhere"]).get("authenticated"), None)
        self.check("a service account beside", review(control, first.token(self.claims(exp=1))).get("authenticated"), None)

    def rotation(self, control):
        self.check("key before it is told", who(control, self.second.token(self.claims())), 401)
        self.issuer.keys = [self.second.public()]
        self.check("rotated key", who(control, self.second.token(self.claims())), self.jane)
        self.check("key that is gone", who(control, self.first.token(self.claims())), 401)
        self.issuer.keys = [self.first.public("second")]
        self.check("other key of the same id", who(control, self.first.token(self.claims(), kid="second")), self.jane)
        before, started = self.issuer.asked, time.monotonic()
        token = self.stranger.token(self.claims())
        threads = [threading.Thread(target=who, args=(control, token)) for _ in range(24)]
        for thread in threads:
            thread.start()
        self.check("served meanwhile", ask(control, control.token(), "/version", method="GET")[0], 200)
        for thread in threads:
            thread.join()
        self.check("one fetch for many", self.issuer.asked - before <= 2 + (time.monotonic() - started) / 2, True)

    def late(self):
        """The issuer comes after us, says first that it is another, and goes again."""
        token = self.first.token(self.claims())
        self.issuer.keys = [self.first.public()]
        with OwnControl(self.build, simulated_nodes=0, is_memory=True, options=self.options()) as control:
            self.check("issuer is down", who(control, token), 401)
            self.issuer.said = "https://elsewhere"
            self.issuer.start()
            time.sleep(1.5)
            self.check("issuer says it is another", who(control, token), 401)
            self.issuer.said = self.issuer.url
            self.check("issuer came", wait_for(control, token, self.jane), self.jane)
            self.issuer.stop()
            self.check("issuer went", who(control, token), self.jane)
            self.check("unknown key while it is gone", who(control, self.stranger.token(self.claims())), 401)
            self.outcomes.stop(control)

    def names(self):
        """How names are made without the options."""
        self.issuer.start()
        cases = (
            ({"username_claim": None, "username_prefix": None}, {}, self.issuer.url + "#u-1"),
            ({"username_claim": "sub", "username_prefix": "-"}, {}, "u-1"),
            ({"username_claim": "email", "username_prefix": None}, {"email": "a@b.c"}, "a@b.c"),
            ({"username_claim": "email", "username_prefix": None}, {"email": "a@b.c", "email_verified": False}, None),
        )
        for changed, more, want in cases:
            options = self.options(**{key.replace("_", "-"): value for key, value in changed.items()})
            with OwnControl(self.build, simulated_nodes=0, is_memory=True, options=options) as control:
                token = self.first.token(self.claims(**more))
                good = self.first.token(self.claims(**(more | {"email_verified": True})))
                end = time.monotonic() + WAIT_S
                while who(control, good) == 401 and time.monotonic() < end:
                    time.sleep(0.1)
                got = who(control, token)
                self.check(f"name with {changed}", got if isinstance(got, int) else got["username"], want or 401)
                control.stop()

    def file(self):
        """The same by a file, with anonymous requests for one path alone."""
        path = os.path.join(self.folder, "authentication.yaml")
        authority = open(os.path.join(self.folder, "ca.crt"), encoding="ascii").read()
        document = {
            "apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
            "anonymous": {"enabled": True, "conditions": [{"path": "/livez"}]},
            "jwt": [{"issuer": {"url": self.issuer.url, "audiences": ["skeg", "two"], "audienceMatchPolicy": "MatchAny",
                                "certificateAuthority": authority},
                     "claimMappings": {"username": {"claim": "name", "prefix": ""}, "groups": {"claim": "groups", "prefix": "g:"},
                                       "uid": {"claim": "sub"}},
                     "claimValidationRules": [{"claim": "tenant", "requiredValue": "acme"}]}]}
        with open(path, "w", encoding="utf-8") as out:
            json.dump(document, out)
        with OwnControl(self.build, simulated_nodes=0, is_memory=True, options=["--authentication-config", path]) as control:
            want = {"username": "jane", "uid": "u-1", "groups": ["g:dev", "g:ops", "system:authenticated"]}
            token = self.curve.token(self.claims(aud="two"))
            self.issuer.keys = [self.curve.public()]
            self.check("by a file", wait_for(control, token, want), want)
            self.check("anonymous where it may", ask(control, None, "/livez", method="GET")[0], 200)
            self.check("anonymous elsewhere", ask(control, None, "/version", method="GET")[0], 401)
            self.check("authorities for joining nodes", ask(control, None, "/cacerts", method="GET")[0], 200)
            control.stop()
        document["jwt"][0]["claimMappings"]["username"] = {"expression": "claims.sub"}
        with open(path, "w", encoding="utf-8") as out:
            json.dump(document, out)
        self.refused("expressions are not supported", "--authentication-config", path)

    def anonymous(self):
        """Bodies of nobody are small and never kept."""
        with OwnControl(self.build, simulated_nodes=0, is_memory=True) as control:
            big = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "big"}, "data": {"a": "x" * 100000}})
            path = "/api/v1/namespaces/default/configmaps"
            self.check("anonymous reads", ask(control, None, "/version", method="GET")[0], 200)
            self.check("anonymous body", ask(control, None, path, big)[0], 413)
            self.check("body with a made-up token", ask(control, "a.b.c", path, big)[0], 413)
            self.check("small anonymous body", ask(control, None, path)[0], 403)
            self.check("body of somebody", ask(control, control.token(), path, big)[0], 201)
            control.stop()
        with OwnControl(self.build, simulated_nodes=0, is_memory=True, options=["--anonymous-auth=false"]) as control:
            self.check("no anonymous requests", ask(control, None, "/livez", method="GET")[0], 401)
            self.check("somebody still", ask(control, control.token(), "/livez", method="GET")[0], 200)
            control.stop()

    def refused(self, words, *options, verb="control"):
        """It does not start, and says why."""
        folder = ["--data-dir", os.path.join(self.folder, "refused")]
        done = subprocess.run([os.path.join(os.path.abspath(self.build), "src", "skeg"), verb, *folder, *options], timeout=30,
                              capture_output=True, text=True)
        self.check(f"refused: {words}", (done.returncode, words in done.stderr), (1, True))

    def mistakes(self):
        url = ["--oidc-issuer-url", "https://a.example"]
        both = url + ["--oidc-client-id", "x"]
        together = "oidc-issuer-url and oidc-client-id must be specified together"
        empty = os.path.join(self.folder, "empty")
        with open(empty, "w", encoding="ascii") as out:
            out.write("nothing\n")
        self.refused(together, *url)
        self.refused(together, "--oidc-groups-claim", "groups")
        self.refused("URL scheme must be https", "--oidc-issuer-url", "http://a.example", "--oidc-client-id", "x")
        self.refused("must not contain a query", "--oidc-issuer-url", "https://a.example?b", "--oidc-client-id", "x")
        self.refused("unsupported signing alg", *both, "--oidc-signing-algs", "HS256")
        self.refused("not of the form name=value", *both, "--oidc-required-claim", "tenant")
        self.refused("does not contain any valid", *both, "--oidc-ca-file", empty)
        self.refused("mutually exclusive", *both, "--authentication-config", empty)
        self.refused("must not overlap", *both, "--service-account-issuer", "https://a.example")
        self.refused("URL scheme must be https", "--oidc-issuer-url", "http://a.example", "--oidc-client-id", "x",
                     "--simulated-nodes", "1", verb="up")

    def everything(self):
        self.anonymous()
        self.mistakes()
        self.issuer.start()
        with OwnControl(self.build, simulated_nodes=0, is_memory=True, options=self.options()) as control:
            wait_for(control, self.first.token(self.claims()), self.jane)
            self.tokens(control)
            self.rotation(control)
            self.outcomes.stop(control)
        self.issuer.stop()
        self.late()
        self.names()
        self.file()
        self.issuer.stop()


def main():
    args = option_parser("ID tokens of an issuer.").parse_args()
    if not shutil.which("openssl"):
        return skipped(1, "openssl is not installed")
    with tempfile.TemporaryDirectory(prefix="skeg-oidc-") as folder:
        make_certificates(folder)
        run = Run(args.build, folder)
        run.everything()
    return run.outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
