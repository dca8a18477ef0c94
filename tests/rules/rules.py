#!/usr/bin/env python3
"""rules.py: runs recorded requests (JSON lines of {"id", "request", "reply"} or {"id", "steps"}) through
the program api_rules, which holds only the rules of src/api, and compares with the recorded replies.

    rules.py PROGRAM CASES.jsonl [--only TEXT] [-v]

What admission, allocators and the store add is left out of the comparison (see IGNORED). Replies that
other layers decide (400, 403, 404, 409, 415 …) are skipped."""
import argparse, copy, json, re, subprocess, sys
from collections import Counter
from urllib.parse import parse_qs

IGNORED = re.compile(
    r"/metadata/(uid|creationTimestamp|resourceVersion|managedFields|generateName|selfLink)"
    r"|/spec/(clusterIPs?|ipFamil|healthCheckNodePort)|/nodePort|/kind$|/apiVersion$"
    r"|^/spec/(serviceAccount|serviceAccountName|tolerations|priority|preemptionPolicy|automount)"
    r"|lastPhaseTransitionTime|kube-api-access|controller-uid")


class Rules:
    def __init__(self, program):
        self.p = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request):
        self.p.stdin.write(json.dumps(request) + "\n")
        self.p.stdin.flush()
        return json.loads(self.p.stdout.readline())


def route(path):
    parts = path.strip("/").split("/")
    group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
    namespace = ""
    if rest and rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    return dict(group=group, version=version, plural=rest[0], namespace=namespace), \
        (rest[1] if len(rest) > 1 else ""), (rest[2] if len(rest) > 2 else "")


def merge(target, patch):
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for k, v in patch.items():
        if v is None:
            target.pop(k, None)
        else:
            target[k] = merge(target.get(k), v)
    return target


def json_patch(doc, ops):
    doc = copy.deepcopy(doc)
    for op in ops:
        parts = [p.replace("~1", "/").replace("~0", "~") for p in op["path"].split("/")[1:]]
        at = doc
        for p in parts[:-1]:
            at = at[int(p)] if isinstance(at, list) else at[p]
        last = parts[-1]
        if op["op"] == "remove":
            at.pop(int(last) if isinstance(at, list) else last)
        elif op["op"] in ("add", "replace"):
            if isinstance(at, list):
                i = len(at) if last == "-" else int(last)
                at[i:i + (op["op"] == "replace")] = [op["value"]]
            else:
                at[last] = op["value"]
        else:
            raise KeyError(op["op"])
    return doc


def admit_pod(spec):
    """What the admission plugins ServiceAccount, Priority and DefaultTolerationSeconds do."""
    spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    if isinstance(tolerations, list) and not tolerations:
        for key in ("not-ready", "unreachable"):
            tolerations.append({"key": "node.kubernetes.io/" + key, "operator": "Exists",
                                "effect": "NoExecute", "tolerationSeconds": 300})


class Server:
    """Enough of an API server to bring the rules what they judge."""

    def __init__(self, rules):
        self.rules, self.objects = rules, {}

    def do(self, request):
        kind, name, sub = route(request["path"].split("?")[0])
        method = request["method"]
        body = json.loads(re.sub(r"\$\{fill:(\d+)\}", lambda m: "x" * int(m.group(1)),
                                 json.dumps(request.get("body"))))
        if isinstance(body, str):
            try:
                body = json.loads(body)
            except ValueError:
                return 400, None
        key = (kind["group"], kind["plural"], kind["namespace"], name)
        if method == "POST" and not name:
            if kind["plural"] == "pods" and isinstance(body.get("spec"), dict):
                admit_pod(body["spec"])
            answer = self.rules.ask(op="create", body=body, **kind)
            if "body" in answer and "dryRun=All" not in (request.get("query") or ""):
                made = answer["body"]
                made["metadata"].setdefault("resourceVersion", "1")
                self.objects[key[:3] + (made["metadata"]["name"],)] = made
            return (201, answer) if "body" in answer else (400 if "error" in answer else 422, answer)
        old = self.objects.get(key)
        accept = request.get("headers", {}).get("Accept", "")
        if method == "GET" and "as=Table" in accept:
            made = [o for k, o in self.objects.items() if k[:2] == key[:2] and (not name or k[3] == name)]
            if not made:
                return 404, None
            return 200, {"body": {"rows": [self.rules.ask(op="row", body=made[0], **kind)]}, "table": True}
        if method == "GET":
            return (200, {"body": old}) if old else (404, None)
        if method == "DELETE":
            self.objects.pop(key, None)
            return 200, None
        if old is None:
            return 404, None
        if method == "PATCH":
            media = request.get("headers", {}).get("Content-Type", "")
            if media.startswith("application/merge-patch"):
                body = merge(old, body)
            elif media.startswith("application/json-patch"):
                try:
                    body = json_patch(old, body)
                except Exception:
                    return 422, None
            elif media.startswith("application/strategic"):
                answer = self.rules.ask(op="strategic", old=old, patch=body, **kind)
                if "body" not in answer:
                    return answer.get("code", 422), answer
                body = answer["body"]
            else:
                return 415, None
        elif method != "PUT":
            return 405, None
        answer = self.rules.ask(op="update", old=old, body=body, subresource=sub, **kind)
        if "body" in answer and "dryRun=All" not in (request.get("query") or ""):
            self.objects[key] = answer["body"]
        return (200, answer) if "body" in answer else (400 if "error" in answer else 422, answer)


def flat(tree, path="", out=None):
    out = {} if out is None else out
    if isinstance(tree, dict) and tree:
        for k, v in tree.items():
            flat(v, path + "/" + k.replace("/", "~1"), out)
    elif isinstance(tree, list) and tree:
        for i, v in enumerate(tree):
            flat(v, path + "/" + str(i), out)
    else:
        out[path] = tree
    return out


def pick(tree, pointer):
    for p in pointer.split("/")[1:]:
        p = p.replace("~1", "/").replace("~0", "~")
        if isinstance(tree, list):
            tree = tree[int(p)] if p.isdigit() and int(p) < len(tree) else None
        else:
            tree = tree.get(p) if isinstance(tree, dict) else None
        if tree is None:
            return None
    return tree


MASKS = ("<uid>", "<time>", "<rv>", "<allocated>")


def compare_body(expected, got, only):
    diffs = []
    if only:
        pairs = {p: (expected.get(p), pick(got, p)) for p in only}
        for p, (e, g) in pairs.items():
            a, b = flat(e, p), flat(g, p)
            diffs += [(k, a.get(k, "-"), b.get(k, "-")) for k in sorted(set(a) | set(b))
                      if not IGNORED.search(k) and a.get(k, "-") != b.get(k, "-") and a.get(k) not in MASKS]
        return diffs
    a, b = flat(expected), flat(got)
    return [(k, a.get(k, "-"), b.get(k, "-")) for k in sorted(set(a) | set(b))
            if not IGNORED.search(k) and a.get(k, "-") != b.get(k, "-") and a.get(k) not in MASKS
            and not str(a.get(k, "")).endswith("<suffix>")]


def mask(text):
    """Example addresses in sentences are masked in the recording; uids differ."""
    text = re.sub(r"\b(10\.9\.8\.[70]|127\.0\.0\.0|169\.254\.0\.0)\b", "<allocated>", text)
    return re.sub(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", "<uid>", text)


def compare_errors(expected, answer, only):
    if only:
        message = expected.get("/message") or ""
        want = [(c["field"], c["message"]) for c in (expected.get("/details") or {}).get("causes", [])] \
            if "/details" in expected else None
    else:
        message = expected.get("message") or ""
        want = [(c.get("field"), c["message"]) for c in (expected.get("details") or {}).get("causes", [])]
    got = [(e["field"], mask(e["message"])) for e in answer.get("errors", [])]
    if want is not None:
        if [(f, mask(m)) for f, m in want] == got:
            return []
        return [("errors", "\n      " + "\n      ".join("%s: %s" % w for w in want),
                 "\n      " + "\n      ".join("%s: %s" % g for g in got))]
    return [] if all(m in message for _, m in got) and got else [("message", message, got)]


def cells_equal(want, got):
    """Ages, times and addresses are masked in the recording."""
    if len(want) != len(got or []):
        return False
    for w, g in zip(want, got):
        if isinstance(w, str):
            pattern = re.escape(w)
            for m in ("<age>", "<time>", "<uid>", "<allocated>"):
                pattern = pattern.replace(re.escape(m), ".*")
            if not re.fullmatch(re.sub(r"\d+y\d*d?", ".*", pattern), g if isinstance(g, str) else ""):
                return False
        elif w != g:
            return False
    return True


def run_case(server, case):
    """None: skipped; [] passed; else the differences."""
    steps = case.get("steps") or [case]
    result = None
    for step in steps:
        request = step["request"]
        reply = step.get("reply")
        code, answer = server.do(request)
        if not reply:
            continue
        expected = reply["body"]
        only = step.get("only") or case.get("only")
        if not isinstance(expected, dict):
            continue
        if reply["code"] in (400, 500) and "error" in (answer or {}) and code in (400, 500):
            message = expected.get("message") or expected.get("/message")
            result = (result or []) + ([] if code == reply["code"] and message.strip().endswith(answer["error"].strip()) else
                                       [("error", "%d %s" % (reply["code"], message), "%d %s" % (code, answer["error"]))])
            continue
        if reply["code"] not in (200, 201, 422):
            continue
        if code == 404 or code == 405:
            continue
        if reply["code"] == 422:
            diffs = compare_errors(expected, answer or {}, only) if code == 422 else \
                [("code", "422 " + str(expected.get("message"))[:600], code)]
        elif code == 422 or "error" in (answer or {}):
            diffs = [("code", reply["code"], json.dumps(answer)[:600])]
        elif not answer or not answer.get("body"):
            continue
        else:
            if "as=Table" in request.get("headers", {}).get("Accept", "") and "rows" not in answer["body"]:
                kind = route(request["path"].split("?")[0])[0]
                row = server.rules.ask(op="row", body=answer["body"], **kind)
                answer = {"table": True, "body": {"rows": [row]}}
            if answer.get("table"):
                want = expected.get("/rows/0/cells")
                got = answer["body"]["rows"][0].get("cells")
                result = (result or []) + ([] if want is None or cells_equal(want, got) else
                                           [("cells", json.dumps(want), json.dumps(got))])
                continue
            diffs = compare_body(expected, answer["body"], only)
            if step.get("subset") or case.get("subset") or case["family"] == "validation":
                diffs = [d for d in diffs if d[1] != "-"]
        result = (result or []) + diffs
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("cases")
    parser.add_argument("--only", default="")
    parser.add_argument("-v", action="store_true")
    options = parser.parse_args()
    rules, per, total = Rules(options.program), {}, Counter()
    for line in open(options.cases):
        case = json.loads(line)
        if options.only not in case["id"]:
            continue
        server = Server(rules)
        diffs = run_case(server, case)
        state = "skip" if diffs is None else "fail" if diffs else "pass"
        total[state] += 1
        per.setdefault(case["id"].split("/")[1], Counter())[state] += 1
        if diffs and options.v:
            print(case["id"])
            for path, e, g in diffs[:12]:
                print("   ", path, "want", e if isinstance(e, str) else json.dumps(e), "got",
                      g if isinstance(g, str) else json.dumps(g))
    for kind, counts in sorted(per.items()):
        if counts["fail"]:
            print("%-40s pass %3d fail %3d skip %3d" % (kind, counts["pass"], counts["fail"], counts["skip"]))
    print("total: pass %d, fail %d, skip %d" % (total["pass"], total["fail"], total["skip"]))
    return 1 if total["fail"] else 0


if __name__ == "__main__":
    sys.exit(main())
