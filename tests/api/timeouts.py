#!/usr/bin/env python3
"""Time-outs of requests: what the client gets, and what becomes of the request, while a thread of the server stands still.

    timeouts.py [--build build]

Ends with `N passed, N failed, N skipped`; everything is skipped where ptrace is not allowed.
"""
import contextlib
import ctypes
import glob
import json
import os
import re
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from cluster_api import wait_for  # noqa: E402
from outcomes import Outcomes, option_parser, skipped  # noqa: E402
from own_control import OwnControl  # noqa: E402

PATH = "/api/v1/namespaces/default/configmaps"
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WALL = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        raise PermissionError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def frozen(control, name):
    """One thread of the server stands still; the others go on."""
    threads = {open(path, encoding="ascii").read().strip(): int(path.split("/")[-2])
               for path in glob.glob(f"/proc/{control.process.pid}/task/*/comm")}
    thread = threads[name] if name != "core" else control.process.pid
    ptrace(PTRACE_SEIZE, thread)
    ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH, thread)


def same(got, want):
    assert got == want, f"got {got!r}, want {want!r}"


def create(cluster, name, query=""):
    began = time.monotonic()
    code, headers, text = cluster.exchange("POST", PATH + query, {}, json.dumps({"metadata": {"name": name}}).encode())
    return code, headers, text, time.monotonic() - began


def check_answer(code, headers, text):
    same((code, headers["Content-Type"]), (504, "text/plain; charset=utf-8"))
    status = json.loads(text)
    same((status["reason"], status["message"]), ("Timeout", "Timeout: request did not complete within the allotted timeout"))


def metric(cluster, pattern):
    text = cluster.exchange("GET", "/metrics")[2]
    return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE))


def test_not_begun(control):
    """It waits for the core thread: never begun."""
    cluster = control.cluster()
    with frozen(control, "core"):
        code, headers, text, took = create(cluster, "not-begun", "?timeout=300ms")
        check_answer(code, headers, text)
        assert 0.25 < took < 3, took
        same(cluster.exchange("GET", "/version")[0], 200)  # the connection serves on
    same(create(cluster, "marker-1")[0], 201)
    same(cluster.exchange("GET", PATH + "/not-begun")[0], 404)


def test_begun(control):
    """It waits for the disk: the client is told nothing, and it comes to be."""
    cluster = control.cluster()
    with frozen(control, "store"):
        check_answer(*create(cluster, "begun", "?timeout=300ms")[:3])
    wait_for("the object", lambda: cluster.exchange("GET", PATH + "/begun")[0] == 200, 10)


def test_default(control):
    """--request-timeout 2s holds for everybody, and nobody may ask for more."""
    answers = []

    def ask(query):
        answers.append(create(control.cluster(), "default" + str(len(query)), query))

    with frozen(control, "core"):
        threads = [threading.Thread(target=ask, args=(query,)) for query in ("", "?timeout=1h", "?timeout=0s", "?timeout=-1s")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for code, headers, text, took in answers:
        check_answer(code, headers, text)
        assert 1.8 < took < 5, took


def test_client_gone(control):
    """Who is answered, or leaves, while the request waits, is missed by nobody."""
    with frozen(control, "core"):
        for i in range(20):
            cluster = control.cluster(timeout=0.4)
            with contextlib.suppress(ConnectionError, OSError):
                check_answer(*create(cluster, f"gone-{i}", "?timeout=200ms" if i % 2 else "?timeout=1s")[:3])
            cluster.close()
    same(create(control.cluster(), "marker-2")[0], 201)


def test_refused(control):
    cluster = control.cluster()
    for text, why in (("abc", 'time: invalid duration "abc"'), ("5", 'time: missing unit in duration "5"'),
                      ("5x", 'time: unknown unit "x" in duration "5x"')):
        code, _, body = cluster.exchange("GET", PATH + "?timeout=" + text)
        same((code, json.loads(body)["message"]), (400, "invalid timeout specified in the request URL - " + why))
    same(cluster.exchange("GET", PATH + "?timeout=")[0], 200)
    same(cluster.exchange("GET", "/api?timeout=32s")[0], 200)


def test_watch(control):
    """A watch is no request that times out; it ends after once to twice --min-request-timeout."""
    cluster, labels = control.cluster(), r'apiserver_longrunning_requests\{[^}]*resource="configmaps"[^}]*verb="WATCH"[^}]*\}'
    began = time.monotonic()
    ended = threading.Thread(target=lambda: control.cluster().exchange("GET", PATH + "?watch=1&timeout=100ms"))
    ended.start()
    wait_for("the watch", lambda: metric(cluster, labels) == 1, 3, 0.05)
    ended.join()
    assert 2.9 < time.monotonic() - began < 7.5, time.monotonic() - began
    wait_for("its end", lambda: metric(cluster, labels) == 0, 3, 0.05)


def test_metrics(control):
    count = metric(control.cluster(), r'apiserver_request_terminations_total\{code="504"[^}]*resource="configmaps"[^}]*\}')
    assert count >= 6, count


TESTS = [test_not_begun, test_begun, test_default, test_client_gone, test_refused, test_watch, test_metrics]


def main():
    args = option_parser("Time-outs of requests.").parse_args()
    outcomes = Outcomes()
    with OwnControl(args.build, simulated_nodes=0, options=["--request-timeout", "2s", "--min-request-timeout", "3"]) as control:
        try:
            with frozen(control, "store"):
                pass
        except PermissionError as error:
            return skipped(len(TESTS), error)
        outcomes.each(TESTS, control)
        outcomes.stop(control)
    return outcomes.end()


if __name__ == "__main__":
    sys.exit(main())
