#!/usr/bin/env python3
"""Kills a real control plane with -9 under load, again and again, and proves that it kept its word.

    kill_control.py [--build build] [--rounds 50] [--writers 16] [--watchers 8] [--seed N]

Writers create, update, patch and delete ConfigMaps and Leases of their own; each change carries a content that
occurs once. A change whose reply never came is looked up after the restart: it happened as a whole or not at all.
Watchers of both kinds resume with the newest revision that they saw. After each restart:

- no acknowledged change is lost, what was deleted stays deleted, revisions only grow;
- each change is in the stream of each watcher of its kind exactly once, in order. A resume may be refused with 410
  only where the history may really be lost: Leases after a kill, because renewals of node leases do not wait for
  the disk. Such a watcher lists, and all but what lies in that gap must be in its stream;
- a list's revision is good for a resume after the kill, even when a node lease was renewed just before it;
- the pods of simulated nodes are the same, with the same restart counts.

Ends with `N passed, N failed, N skipped`.
"""
import argparse
import collections
import http.client
import json
import os
import random
import sys
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tools"))

from cluster_api import is_ready, wait_for  # noqa: E402
from own_control import OwnControl  # noqa: E402

NAMESPACE = "torture"
KEYS = 6  # of each writer
PODS = 12
CATCH_UP_S = 60
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"

Kind = collections.namedtuple("Kind", "name path api_version has_lazy")
CONFIG_MAP = Kind("ConfigMap", f"/api/v1/namespaces/{NAMESPACE}/configmaps", "v1", False)
LEASE = Kind("Lease", f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases", "coordination.k8s.io/v1", True)
NODE_LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"

# A change that a watcher must see. revision None: of a delete, whose reply does not tell it.
Change = collections.namedtuple("Change", "type revision content")


class Failed(Exception):
    """The server broke its word."""


class Clock:
    """What everybody knows about the server's life: how often it was killed, whether it should answer now."""

    def __init__(self):
        self.round = 0
        self.is_up, self.is_ending, self.is_over = threading.Event(), threading.Event(), threading.Event()
        self.lock, self.failures = threading.Lock(), []
        self.newest = 0  # revision that any reply has shown

    def fail(self, text):
        with self.lock:
            self.failures.append(f"round {self.round}: {text}")

    def saw(self, revision):
        with self.lock:
            self.newest = max(self.newest, revision)


class Connection:
    """Sends once and never again, so that an unanswered request is known as one."""

    def __init__(self, control):
        self.port, self.tls, self.token = control.port, control.tls(), control.token()
        self.http = None

    def open(self, timeout=30):
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self.tls)

    def send(self, method, path, body=None, media_type="application/json"):
        self.http = self.http or self.open()
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": media_type}
        try:
            self.http.request(method, path, json.dumps(body) if body is not None else None, headers)
            reply = self.http.getresponse()
            return reply.status, json.loads(reply.read())
        except (OSError, http.client.HTTPException, ValueError):
            self.http.close()
            self.http = None
            raise


def revision_of(document):
    return int(document["metadata"]["resourceVersion"])


def content_of(document):
    return document["metadata"]["annotations"]["content"]


# ---------------------------------------------------------------- writers


class Key:
    """One object as its writer knows it."""

    def __init__(self, kind, name):
        self.kind, self.name = kind, name
        self.state = None     # the newest (revision, content); None: absent
        self.changes = []     # all that happened, in order
        self.doubt = None     # the change whose reply never came

    def path(self):
        return f"{self.kind.path}/{self.name}"

    def document(self, content, revision=None):
        metadata = {"name": self.name, "namespace": NAMESPACE, "annotations": {"content": content}}
        if revision:
            metadata["resourceVersion"] = str(revision)
        body = {"data": {"text": content * 20}} if self.kind is CONFIG_MAP else {"spec": {"holderIdentity": content}}
        return {"apiVersion": self.kind.api_version, "kind": self.kind.name, "metadata": metadata, **body}

    def happened(self, change):
        self.changes.append(change)
        self.state = None if change.type == "DELETED" else (change.revision, change.content)


class Writer(threading.Thread):
    def __init__(self, number, control, clock, seed):
        super().__init__(daemon=True)
        self.clock, self.random = clock, random.Random(seed * 1000 + number)
        self.connection = Connection(control)
        kind = LEASE if number % 2 else CONFIG_MAP
        self.keys = [Key(kind, f"w{number}-{k}") for k in range(KEYS)]
        self.count, self.number = 0, number
        self.acknowledged = self.doubtful = self.doubtful_done = 0

    def run(self):
        while not self.clock.is_over.is_set():
            if not self.clock.is_up.wait(1):
                continue
            try:
                self.settle()
                while self.clock.is_up.is_set():
                    if self.clock.is_ending.is_set():
                        return
                    self.change(self.random.choice(self.keys))
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.01)
            except Failed as error:
                self.clock.fail(f"writer {self.number}: {error}")
                return

    def change(self, key):
        self.count += 1
        content = f"{self.number}.{self.count}"
        method, path, body, media_type, change_type = self.request(key, content)
        key.doubt = Change(change_type, None, content)
        code, reply = self.connection.send(method, path, body, media_type)
        key.doubt = None
        if code not in (200, 201):
            raise Failed(f"{method} {path} when it was {key.state}: {code} {reply.get('message')}")
        self.acknowledged += 1
        revision = None if change_type == "DELETED" else revision_of(reply)
        if revision:
            self.check_order(key, revision)
            if content_of(reply) != content:
                raise Failed(f"{method} {path}: the reply holds {content_of(reply)}, not {content}")
        key.happened(Change(change_type, revision, content if revision else key.state[1]))

    def check_order(self, key, revision):
        if key.state and revision <= key.state[0]:
            raise Failed(f"{key.path()}: revision {revision} after {key.state[0]}")
        self.clock.saw(revision)

    def request(self, key, content):
        """(method, path, body, media type, what watchers see)"""
        plain = "application/json"
        if not key.state:
            return "POST", key.kind.path, key.document(content), plain, "ADDED"
        choice = self.random.random()
        if choice < 0.3:
            return "PUT", key.path(), key.document(content, key.state[0]), plain, "MODIFIED"
        if choice < 0.5 and key.kind is not LEASE:  # a Lease is never updated unconditionally
            return "PUT", key.path(), key.document(content), plain, "MODIFIED"
        if choice < 0.7:
            return "PATCH", key.path(), {"metadata": {"annotations": {"content": content}}}, MERGE, "MODIFIED"
        if choice < 0.85:
            patch = [{"op": "test", "path": "/metadata/annotations/content", "value": key.state[1]},
                     {"op": "replace", "path": "/metadata/annotations/content", "value": content}]
            return "PATCH", key.path(), patch, JSON_PATCH, "MODIFIED"
        return "DELETE", key.path(), {"preconditions": {"resourceVersion": str(key.state[0])}}, plain, "DELETED"

    def settle(self):
        """After a restart: every object is as acknowledged, or as the unanswered change made it."""
        for key in self.keys:
            code, document = self.connection.send("GET", key.path())
            if code not in (200, 404):
                raise Failed(f"GET {key.path()}: {code}")
            found = (revision_of(document), content_of(document)) if code == 200 else None
            doubt, key.doubt = key.doubt, None
            self.doubtful += doubt is not None
            if found == key.state:
                continue
            if not doubt or (found[1] if found else None) != (None if doubt.type == "DELETED" else doubt.content):
                raise Failed(f"{key.path()} was acknowledged as {key.state} and is {found}; in doubt: {doubt}")
            self.doubtful_done += 1
            if found:
                self.check_order(key, found[0])
            key.happened(Change(doubt.type, found and found[0], found[1] if found else key.state[1]))


# ---------------------------------------------------------------- watchers


class Watcher(threading.Thread):
    """Keeps what it saw as (type, revision, name, content), and the gaps where a 410 was legitimate."""

    def __init__(self, number, control, clock, kind, is_namespaced):
        super().__init__(daemon=True)
        self.clock, self.kind, self.number = clock, kind, number
        self.connection = Connection(control)
        self.path = kind.path if is_namespaced else kind.path.replace(f"/namespaces/{NAMESPACE}", "")
        self.events, self.gaps = [], []
        self.after, self.start_after = 0, 0
        self.resumes = self.relists = 0
        self.last_round = -1

    def run(self):
        while not self.clock.is_over.is_set():
            if not self.clock.is_up.wait(1):
                continue
            stream = self.connection.open()
            try:
                self.follow(stream)
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.01)
            except Failed as error:
                self.clock.fail(f"watcher {self.number} of {self.kind.name}: {error}")
                return
            finally:
                stream.close()

    def follow(self, stream):
        if not self.after:
            self.after = self.start_after = self.list_revision()
        query = f"?watch=1&resourceVersion={self.after}&allowWatchBookmarks=true"
        stream.request("GET", self.path + query, headers={"Authorization": "Bearer " + self.connection.token})
        reply = stream.getresponse()
        if reply.status != 200:
            raise Failed(f"watch from {self.after}: {reply.status} {reply.read()}")
        self.resumes += 1
        for line in reply:
            if not line.endswith(b"\n"):
                return  # torn by the kill
            self.take(json.loads(line))

    def take(self, event):
        document = event["object"]
        if event["type"] == "ERROR":
            return self.refused(document)
        revision = revision_of(document)
        is_bookmark = event["type"] == "BOOKMARK"
        if revision < self.after or (revision == self.after and not is_bookmark):
            raise Failed(f"{event['type']} of revision {revision} after {self.after}")
        self.after = revision
        self.clock.saw(revision)
        if not is_bookmark and document["metadata"]["namespace"] == NAMESPACE:
            name = document["metadata"]["name"]
            if name.startswith("w"):
                self.events.append((event["type"], revision, name, content_of(document)))

    def refused(self, status):
        is_after_kill = self.last_round != self.clock.round
        if status.get("code") != 410 or not self.kind.has_lazy or not is_after_kill:
            raise Failed(f"resume from {self.after} refused: {status.get('message')}")
        former, self.after = self.after, self.list_revision()
        self.last_round = self.clock.round
        self.gaps.append((former, self.after))
        self.relists += 1
        raise OSError("again")

    def list_revision(self):
        code, found = self.connection.send("GET", self.path + "?limit=1")
        if code != 200:
            raise OSError(f"list: {code}")
        return revision_of(found)

    def covers(self, revision):
        return revision > self.start_after and not any(a < revision <= b for a, b in self.gaps)


def check_watcher(watcher, keys):
    """Every change of every key, once and in order, as far as the stream covers it."""
    seen = collections.defaultdict(list)
    for event_type, revision, name, content in watcher.events:
        seen[name].append((event_type, revision, content))
    for key in keys:
        if key.kind is watcher.kind:
            check_key(watcher, key, seen.pop(key.name, []))
    if any(name for name in seen):
        raise Failed(f"watcher {watcher.number} saw changes of unknown objects: {sorted(seen)[:3]}")


def check_key(watcher, key, seen):
    at = 0
    for number, change in enumerate(key.changes):
        wanted = (change.type, change.revision, change.content)
        have = seen[at] if at < len(seen) else None
        if change.revision is None:
            low = key.changes[number - 1].revision
            high = key.changes[number + 1].revision if number + 1 < len(key.changes) else None
            if have and have[0] == "DELETED" and have[2] == change.content and low < have[1] < (high or have[1] + 1):
                at += 1
                continue
            # Its revision lies somewhere between its neighbours; it may have fallen into a gap between them.
            if any(b > low and (high is None or a < high) for a, b in [(0, watcher.start_after), *watcher.gaps]):
                continue
        elif not watcher.covers(change.revision):
            continue
        elif have == wanted:
            at += 1
            continue
        raise Failed(f"watcher {watcher.number}: {key.path()}: expected {wanted}, saw {have}")
    if at < len(seen):
        raise Failed(f"watcher {watcher.number}: {key.path()}: {seen[at]} was never acknowledged")


# ---------------------------------------------------------------- rounds


def prepare(cluster):
    cluster.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    labels = {"app": "torture"}
    container = {"name": "c", "image": "registry.invalid/c:1"}
    cluster.create(DEPLOYMENTS, {"metadata": {"name": "torture"}, "spec": {
        "replicas": PODS, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}}})
    cluster.create(NODE_LEASE, {"metadata": {"name": "torture"}, "spec": {"holderIdentity": "0"}})
    return wait_for(f"{PODS} ready pods", lambda: ready_pods(cluster), 60)


def pods_of(cluster):
    found = {}
    for pod in cluster.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dtorture")["items"]:
        counts = [c["restartCount"] for c in pod["status"].get("containerStatuses", [])]
        found[pod["metadata"]["uid"]] = (pod["metadata"]["name"], pod["spec"].get("nodeName"), counts, is_ready(pod))
    return found


def ready_pods(cluster):
    pods = pods_of(cluster)
    return pods if len(pods) == PODS and all(p[3] for p in pods.values()) else None


def check_resume(cluster, revision, number):
    """What a list told just before the kill is good for a watch after it."""
    marker = revision_of(cluster.create(CONFIG_MAP.path, Key(CONFIG_MAP, f"round-{number}").document("marker")))
    for event in cluster.watch(CONFIG_MAP.path, f"resourceVersion={revision}"):
        if event["type"] == "ERROR":
            raise Failed(f"list told revision {revision}, and a watch from there: {event['object'].get('message')}")
        if revision_of(event["object"]) >= marker:
            return


def list_after_renewal(cluster, number):
    """The revision of a list whose newest change was one that does not wait for the disk."""
    code, renewed = cluster.call("PATCH", NODE_LEASE + "/torture", {"spec": {"holderIdentity": str(number)}}, MERGE)
    if code != 200:
        raise Failed(f"renewal of a node lease: {code}")
    revision = revision_of(cluster.get(CONFIG_MAP.path + "?limit=1"))
    if revision < revision_of(renewed):
        raise Failed(f"a list tells revision {revision} after one of {revision_of(renewed)} was acknowledged")
    return revision


def check_round(cluster, clock, pods, listed):
    revision = revision_of(cluster.get(CONFIG_MAP.path + "?limit=1"))
    if revision < clock.newest:
        raise Failed(f"revision {revision} after {clock.newest} was seen")
    if cluster.call("GET", NODE_LEASE + "/torture")[0] != 200:
        raise Failed("a node lease whose creation was acknowledged is gone")
    check_resume(cluster, listed, clock.round)
    now = pods_of(cluster)
    if now != pods:
        changed = {uid: (pods.get(uid), now.get(uid)) for uid in pods.keys() | now.keys() if pods.get(uid) != now.get(uid)}
        raise Failed(f"pods changed: {list(changed.values())[:2]}")


def markers(cluster, number):
    """One more object of each kind, which shows that a stream has come so far."""
    last = {}
    for kind in (CONFIG_MAP, LEASE):
        document = Key(kind, f"marker-{number}").document("marker")
        last[kind] = revision_of(cluster.create(kind.path, document))
    return last


class Play:
    def __init__(self, args):
        self.args, self.random = args, random.Random(args.seed)
        self.clock = Clock()
        self.control = OwnControl(args.build)
        self.slowest_ms, self.writers, self.watchers = 0.0, [], []

    def begin(self):
        a = self.args
        self.writers = [Writer(n, self.control, self.clock, a.seed) for n in range(a.writers)]
        self.watchers = [Watcher(n, self.control, self.clock, LEASE if n % 2 else CONFIG_MAP, n % 4 < 2)
                         for n in range(a.watchers)]
        self.clock.is_up.set()
        for watcher in self.watchers:
            watcher.start()
        wait_for("every watcher's first list", lambda: all(w.resumes for w in self.watchers), 30)
        for writer in self.writers:
            writer.start()

    def round(self, cluster, pods):
        time.sleep(self.random.uniform(0.2, 1.5))
        listed = list_after_renewal(cluster, self.clock.round)
        self.control.kill()
        self.clock.is_up.clear()
        cluster.close()
        self.clock.round += 1
        if self.random.random() < 0.2:
            self.kill_while_starting()
        self.control.start()
        self.slowest_ms = max(self.slowest_ms, self.control.ready_ms)
        check_round(cluster, self.clock, pods, listed)
        self.clock.is_up.set()

    def kill_while_starting(self):
        os.close(self.control.spawn())
        time.sleep(self.random.uniform(0, 0.06))
        self.control.kill()

    def finish(self, cluster):
        """Lets everybody come to rest, then compares."""
        time.sleep(0.5)
        self.clock.is_ending.set()
        for writer in self.writers:
            writer.join(CATCH_UP_S)
        last = markers(cluster, self.clock.round)
        wait_for("watchers to catch up", lambda: all(w.after >= last[w.kind] or not w.is_alive() for w in self.watchers),
                 CATCH_UP_S)
        keys = [key for writer in self.writers for key in writer.keys]
        for watcher in self.watchers:
            try:
                check_watcher(watcher, keys)
            except Failed as error:
                self.clock.fail(str(error))

    def run(self):
        with self.control:
            cluster = self.control.cluster()
            pods = prepare(cluster)
            self.begin()
            try:
                for _ in range(self.args.rounds):
                    self.round(cluster, pods)
                    if self.clock.failures:
                        break
                self.finish(cluster)
            except (Failed, TimeoutError, RuntimeError, OSError) as error:
                self.clock.fail(str(error))
            self.clock.is_over.set()
            if self.clock.failures:
                print(self.control.log())
            return self.report()

    def report(self):
        acknowledged = sum(w.acknowledged for w in self.writers)
        doubtful, done = sum(w.doubtful for w in self.writers), sum(w.doubtful_done for w in self.writers)
        print(f"{self.clock.round} kills; {len(self.writers)} writers: {acknowledged} changes acknowledged, {doubtful} "
              f"unanswered ({done} of them had happened); {len(self.watchers)} watchers: "
              f"{sum(len(w.events) for w in self.watchers)} events, {sum(w.resumes for w in self.watchers)} resumes, "
              f"{sum(w.relists for w in self.watchers)} lists after a legitimate 410; slowest start {self.slowest_ms:.0f} ms")
        for failure in self.clock.failures[:20]:
            print("FAIL", failure)
        print(f"{self.clock.round} passed, {len(self.clock.failures)} failed, 0 skipped")
        return 1 if self.clock.failures else 0


def main():
    parser = argparse.ArgumentParser(description="Kill -9 of control under load.")
    parser.add_argument("--build", default=os.path.join(TOP, "build"))
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--watchers", type=int, default=8)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    return Play(args).run()


if __name__ == "__main__":
    sys.exit(main())
