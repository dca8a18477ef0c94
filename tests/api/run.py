#!/usr/bin/env python3
"""Sends recorded requests to the real binary and compares the replies; README.md beside this file tells the format.

Ends with `N passed, N failed, N skipped`; exit code 1 when a case fails that known.txt does not list, or a listed one passes.
"""
import argparse
import copy
import glob
import json
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tools"))

from cluster_api import Cluster, wait_for  # noqa: E402
from own_server import OwnServer  # noqa: E402

UNTIL_S = 15

# ---------------------------------------------------------------- pointers and variables


def parts_of(pointer):
    return [p.replace("~1", "/").replace("~0", "~") for p in pointer.split("/")[1:]]


def at(document, pointer):
    """What a JSON pointer finds, or None."""
    for part in parts_of(pointer):
        if isinstance(document, list):
            if not part.isdigit() or int(part) >= len(document):
                return None
            document = document[int(part)]
        elif isinstance(document, dict):
            document = document.get(part)
        else:
            return None
    return document


def places(document, parts):
    """Yields (container, key) of every place a pointer with * names."""
    head, rest = parts[0], parts[1:]
    if isinstance(document, dict):
        keys = list(document) if head == "*" else [head] if head in document else []
    elif isinstance(document, list):
        keys = list(range(len(document)))
        if head != "*":
            keys = [int(head)] if head.isdigit() and int(head) in keys else []
    else:
        keys = []
    for key in keys:
        if rest:
            yield from places(document[key], rest)
        else:
            yield document, key


def fill_in(value, variables):
    """${name} becomes what was captured, ${fill:N} N letters."""
    if isinstance(value, dict):
        return {fill_in(k, variables): fill_in(v, variables) for k, v in value.items()}
    if isinstance(value, list):
        return [fill_in(v, variables) for v in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    def one(found):
        name = found.group(1)
        return "a" * int(name[5:]) if name.startswith("fill:") else str(variables.get(name, found.group(0)))

    return re.sub(r"\$\{(fill:\d+|\w+)\}", one, value)


# ---------------------------------------------------------------- masks: what differs from run to run

YEAR = r"20(?:2[1-9]|[3-9]\d)"
TEXT_MASKS = [(re.compile(pattern), mask) for pattern, mask in [
    (r"\b(?!0{8})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
    (rf"\b{YEAR}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{{6}}Z", "<microtime>"),
    (rf"\b{YEAR}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z| \+0000 UTC)", "<time>"),
    (r"kube-api-access-[a-z0-9]{5}\b", "kube-api-access-<suffix>"),
    (r"(resource version: \d+, current: )\d+", r"\1<rv>"),
    (r"(too old resource version: \d+ \()\d+", r"\1<rv>"),
    (r"(ResourceVersion in record \()\d+", r"\1<rv>"),
    (r"(range of valid IPs is )[0-9a-f.:/]+", r"\1<range>"),
    (r"(resourceVersion\W{1,6})[1-9]\d*", r"\1<rv>"),
    (r"(audit-id|Audit-Id): \S+", r"\1: <id>"),
]]
CHOSEN_BY_SERVER = {"clusterIP", "clusterIPs", "podIP", "podIPs", "hostIP", "hostIPs", "ip", "nodePort", "healthCheckNodePort"}
REQUESTER = {"username", "uid", "groups", "extra"}
AGE = re.compile(r"(<invalid>|<unknown>|\d+[smhdy](\d+[smhd])?)( ago)?")


def mask_text(text):
    for pattern, mask in TEXT_MASKS:
        text = pattern.sub(mask, text)
    return text


def mask_string(text, key, asked):
    """asked: the text of the requests; what they name is kept."""
    if key == "resourceVersion" and re.fullmatch(r"[1-9]\d*", text):
        return "<rv>"
    if key == "continue" and text:
        return "<continue>"
    if key == "token" and text and text not in asked:
        return "<token>"
    if key == "cells" and AGE.fullmatch(text):
        return "<age>"
    if key in ("cells", "message"):
        text = re.sub(r":(3\d{4})/", lambda m: m[0] if m[1] in asked else ":<allocated>/", text)
        text = re.sub(r"\b\d+\.\d+\.\d+\.\d+\b", lambda m: m[0] if m[0] in asked else "<allocated>", text)
    return mask_text(text)


def mask(value, asked, key=""):
    if isinstance(value, dict):
        left_out = REQUESTER if "signerName" in value and "request" in value else set()
        return {k: mask(v, asked, k) for k, v in value.items() if k != "selfLink" and k not in left_out}
    if isinstance(value, list):
        return [mask(v, asked, key) for v in value]
    if key in CHOSEN_BY_SERVER and value not in (None, "", "None", 0) and str(value) not in asked:
        return "<allocated>"
    return mask_string(value, key, asked) if isinstance(value, str) else value


# ---------------------------------------------------------------- one step


def send(cluster, request):
    target = request["path"] + ("?" + request["query"] if request.get("query") else "")
    body = request.get("body")
    if body is not None:
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    # The field manager of a write is taken from it.
    headers = {"User-Agent": "reference/1", **request.get("headers", {})}
    return cluster.exchange(request["method"], target, headers, body)


def send_until(cluster, step, request):
    deadline = time.monotonic() + UNTIL_S
    while True:
        raw = send(cluster, request)
        try:
            document = json.loads(raw[2])
        except ValueError:
            document = None
        if all(at(document, p) == v for p, v in step.get("until", {}).items()) or time.monotonic() > deadline:
            return raw, document
        time.sleep(0.1)


def masked_reply(raw, request, step, asked):
    """The comparable form of a reply: {code, headers, body}."""
    code, headers, text = raw
    for prefix in set(re.findall(r'"generateName": "([^"]+)"', asked)):
        text = re.sub(re.escape(prefix) + r"[a-z0-9]{5}\b", prefix + "<suffix>", text)
    kept = {"Content-Type": headers.get("Content-Type", "")}
    if headers.get_all("Warning"):
        kept["Warning"] = [mask_text(w) for w in headers.get_all("Warning")]
    body = mask_text(text)
    if "json" in kept["Content-Type"] and not step.get("raw"):
        is_watch = code == 200 and re.search(r"(^|&)watch=(1|true)", request.get("query", ""))
        try:
            parsed = [json.loads(line) for line in text.splitlines() if line] if is_watch else json.loads(text)
            body = mask(parsed, asked)
        except ValueError:
            pass
    return {"code": code, "headers": kept, "body": body}


def name_of(item):
    return (item.get("name") or at(item, "/metadata/name")) if isinstance(item, dict) else item


def keep_known(mine, recorded):
    """Drops from a list or map what the recorded one does not name."""
    if isinstance(mine, dict) and isinstance(recorded, dict):
        for key in [k for k in mine if k not in recorded]:
            del mine[key]
    elif isinstance(mine, list) and isinstance(recorded, list):
        names = [name_of(r) for r in recorded]
        mine[:] = [m for m in mine if name_of(m) in names]


def narrowed(seen, step, recorded):
    """Applies subset, ignore, unordered and only."""
    body = copy.deepcopy(seen["body"])
    for pointer in step.get("subset", []):
        keep_known(at(body, pointer), at(recorded, pointer))
    for pointer in step.get("ignore", []):
        for container, key in list(places(body, parts_of(pointer))):
            if isinstance(container, dict):
                container.pop(key, None)
            else:
                container[key] = None
    for pointer in step.get("unordered", []):
        for container, key in places(body, parts_of(pointer)):
            if isinstance(container[key], list):
                container[key].sort(key=lambda item: json.dumps(item, sort_keys=True))
    if "only" in step:
        body = {pointer: at(body, pointer) for pointer in step["only"]}
    return {"code": seen["code"], "headers": seen["headers"], "body": body}


def differences(want, have, path=""):
    """Yields (where, wanted, had)."""
    if isinstance(want, dict) and isinstance(have, dict):
        for key in sorted(want.keys() | have.keys()):
            yield from differences(want.get(key, ABSENT), have.get(key, ABSENT), f"{path}/{key}")
    elif isinstance(want, list) and isinstance(have, list) and len(want) == len(have):
        for number, (w, h) in enumerate(zip(want, have)):
            yield from differences(w, h, f"{path}/{number}")
    elif type(want) is not type(have) or want != have:
        yield path or "/", want, have


ABSENT = type("Absent", (), {"__repr__": lambda self: "(absent)", "__deepcopy__": lambda self, memo: self})()

# ---------------------------------------------------------------- one case


def steps_of(case):
    if "steps" in case:
        return case["steps"]
    setup = [r if "request" in r else {"request": r} for r in case.get("setup", [])]
    return setup + [case]


def run_once(cluster, case):
    """[(step, reply)], and whether a preparing step met an object that is still going away."""
    steps, variables, seen = steps_of(case), {}, []
    asked = json.dumps([s["request"] for s in steps])
    is_blocked = False
    try:
        for step in steps:
            request = fill_in(step["request"], variables)
            raw, document = send_until(cluster, step, request)
            variables.update({name: at(document, p) for name, p in step.get("capture", {}).items()})
            seen.append((step, masked_reply(raw, request, step, asked)))
            is_blocked = is_blocked or ("reply" not in step and raw[0] == 409)
    finally:
        for request in case.get("teardown", []):
            send(cluster, fill_in(request, variables))
    return seen, is_blocked


def check(cluster, case):
    """What differs: [(where, wanted, had)]."""
    for pause in (0.2, 0.5, 1, 2, 3, 4):
        seen, is_blocked = run_once(cluster, case)
        if not is_blocked:
            break
        time.sleep(pause)
    found = []
    for number, (step, reply) in enumerate(seen):
        if "reply" not in step:
            continue
        want, have = dict(step["reply"]), narrowed(reply, step, step["reply"]["body"])
        if "match" in step:
            want["body"] = step["match"]
            have["body"] = step["match"] if re.search(step["match"], str(reply["body"])) else reply["body"]
        where = f"[{number}]" if "steps" in case else ""
        found += [(where + path, w, h) for path, w, h in differences(want, have)]
    return found


def prepare_family(cluster, family):
    name = "ref-" + family
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for path in ("serviceaccounts/default", "configmaps/kube-root-ca.crt"):
        try:
            wait_for(path, lambda path=path: cluster.call("GET", f"/api/v1/namespaces/{name}/{path}")[0] == 200, 10)
        except TimeoutError as error:
            print(f"family {family}: {error}")


def short(value, limit):
    text = repr(value) if value is ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= limit else text[:limit] + "…"


def load_known():
    """{case id: reason}; a reason that begins with `race:` may go either way."""
    known = {}
    for line in open(os.path.join(HERE, "known.txt"), encoding="utf-8"):
        if line.strip() and not line.startswith("#"):
            case_id, _, reason = line.strip().partition(" ")
            known[case_id] = reason.strip()
    return known


def load_cases(args):
    for path in sorted(glob.glob(os.path.join(args.dir, "*.jsonl"))):
        family = os.path.basename(path)[:-6]
        if args.family and family not in args.family.split(","):
            continue
        for line in open(path, encoding="utf-8"):
            case = json.loads(line)
            if args.case in case["id"]:
                yield family, case


def play(cluster, args):
    """Returns {family: [passed, failed, skipped]}."""
    known, tally, prepared = load_known(), {}, set()
    for family, case in load_cases(args):
        if family not in prepared:
            prepare_family(cluster, family)
            prepared.add(family)
        try:
            found = check(cluster, case)
        except OSError as error:
            found = [("connection", "a reply", str(error))]
        row = tally.setdefault(family, [0, 0, 0])
        if case["id"] in known and args.known:
            is_race = known[case["id"]].startswith("race:")  # how it ends depends on who is first
            if found or is_race:
                row[2 if found else 0] += 1
                continue
            found = [("known.txt", "a difference", "none: take its line out")]
        row[1 if found else 0] += 1
        for where, want, have in found if args.v else found[:1]:
            limit = 100000 if args.v else 160
            more = f" (+{len(found) - 1} more)" if len(found) > 1 and not args.v else ""
            print(f"FAIL {case['id']}: {where}: expected {short(want, limit)} got {short(have, limit)}{more}", flush=True)
    return tally


def self_test(cluster):
    """A reply that differs must be seen, and one that does not must not."""
    case = {"id": "self", "request": {"method": "GET", "path": "/api/v1/namespaces/default"}, "only": ["/metadata/name"],
            "reply": {"code": 200, "headers": {"Content-Type": "application/json"}, "body": {"/metadata/name": "default"}}}
    wrong_value, wrong_code = copy.deepcopy(case), copy.deepcopy(case)
    wrong_value["reply"]["body"]["/metadata/name"] = "other"
    wrong_code["reply"]["code"] = 201
    outcomes = [not check(cluster, case), bool(check(cluster, wrong_value)), bool(check(cluster, wrong_code))]
    print(f"{sum(outcomes)} passed, {len(outcomes) - sum(outcomes)} failed, 0 skipped")
    return all(outcomes)


def main():
    parser = argparse.ArgumentParser(description="Replay recorded API requests.")
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("--kubeconfig", help="of a server that runs already")
    parser.add_argument("--dir", default=os.path.join(HERE, "cases"))
    parser.add_argument("--family", help="comma-separated; default: all")
    parser.add_argument("--case", default="", help="only cases whose id contains this")
    parser.add_argument("--all", dest="known", action="store_false", help="without regard to known.txt")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("-v", action="store_true", help="every difference in full")
    args = parser.parse_args()
    if args.kubeconfig:
        return run(Cluster.from_kubeconfig(args.kubeconfig), args)
    with OwnServer(args.build) as server:
        return run(server.cluster(), args)


def run(cluster, args):
    if args.self_test:
        return 0 if self_test(cluster) else 1
    tally = play(cluster, args)
    print(f"{'family':<14} {'passed':>6} {'failed':>6} {'known':>6}")
    for family, row in tally.items():
        print(f"{family:<14} {row[0]:>6} {row[1]:>6} {row[2]:>6}")
    passed, failed, skipped = (sum(column) for column in zip(*tally.values())) if tally else (0, 0, 0)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not tally else 0


if __name__ == "__main__":
    sys.exit(main())
