#!/usr/bin/env python3
"""Certificates that end soon: the control plane renews its own while it serves, and reads them again at SIGHUP.

    renewal.py [--build build]

Ends with `N passed, N failed, N skipped`.
"""
import http.client
import json
import os
import signal
import socket
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from outcomes import Outcomes, option_parser  # noqa: E402
from own_control import OwnControl  # noqa: E402

LIFE_S = 20
WATCH = "/api/v1/namespaces/default/configmaps?watch=true"


def serving(control):
    """DER of the serving certificate of a new connection, which has to verify."""
    with socket.create_connection(("127.0.0.1", control.port), 10) as plain:
        with control.tls().wrap_socket(plain, server_hostname="localhost") as tls:
            return tls.getpeercert(binary_form=True)


def read(control, name):
    return open(os.path.join(control.data_dir, *name.split("/")), encoding="ascii").read()


def as_admin(control):
    """Status of a request with the client certificate in <data>/tls."""
    context = control.tls()
    context.load_cert_chain(*(os.path.join(control.data_dir, "tls", "admin." + end) for end in ("crt", "key")))
    connection = http.client.HTTPSConnection("127.0.0.1", control.port, context=context, timeout=10)
    connection.request("GET", "/api/v1/namespaces/kube-system")
    status = connection.getresponse().status
    connection.close()
    return status


def changed(look, before, within_s):
    end = time.monotonic() + within_s
    while look() == before and time.monotonic() < end:
        time.sleep(0.25)
    return look() != before


def begin_watch(control):
    connection = http.client.HTTPSConnection("127.0.0.1", control.port, context=control.tls(), timeout=30)
    connection.request("GET", WATCH, headers={"Authorization": "Bearer " + control.token()})
    return connection, connection.getresponse()


def make_config_map(control, name):
    connection = http.client.HTTPSConnection("127.0.0.1", control.port, context=control.tls(), timeout=10)
    connection.request("POST", "/api/v1/namespaces/default/configmaps",
                       json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}),
                       {"Content-Type": "application/json", "Authorization": "Bearer " + control.token()})
    status = connection.getresponse().status
    connection.close()
    return status


def by_themselves(build, check):
    options = ["--cluster-signing-duration", f"{LIFE_S}s"]
    with OwnControl(build, simulated_nodes=0, is_memory=True, options=options) as control:
        first, kubeconfig = serving(control), read(control, "admin.kubeconfig")
        _, watch = begin_watch(control)
        check.same("new serving certificate before the end", changed(lambda: serving(control), first, LIFE_S), True)
        check.same("new kubeconfig", changed(lambda: read(control, "admin.kubeconfig"), kubeconfig, LIFE_S), True)
        second = serving(control)
        check.same("and again", changed(lambda: serving(control), second, LIFE_S), True)
        check.same("admin's certificate is good", as_admin(control), 200)
        check.same("a write", make_config_map(control, "later"), 201)
        while json.loads(line := watch.readline())["object"]["metadata"]["name"] != "later":
            pass
        check.same("a watch has outlived them", b"later" in line, True)
        check.stop(control)


def at_sighup(build, check):
    with OwnControl(build, simulated_nodes=0, is_memory=True) as control:
        before = serving(control)
        control.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        check.same("nothing is due", serving(control) == before, True)
        for end in ("crt", "key"):
            os.remove(os.path.join(control.data_dir, "tls", "serving." + end))
        control.process.send_signal(signal.SIGHUP)
        check.same("files that are gone are made", changed(lambda: serving(control), before, 10), True)
        check.stop(control)


def main():
    args = option_parser("Certificates that end soon.").parse_args()
    check = Outcomes()
    by_themselves(args.build, check)
    at_sighup(args.build, check)
    return check.end()


if __name__ == "__main__":
    sys.exit(main())
