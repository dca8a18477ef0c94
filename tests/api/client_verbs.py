#!/usr/bin/env python3
"""skeg's own client verbs against two simulated nodes: what they say, and that kubectl says the same.

    client_verbs.py [--kubectl PATH] [--build build-release] [-v]

A step is a command and a regular expression (re.search, multi-line) that its output must match; a leading '!' means that it must fail. Steps of
SAME change nothing: output and exit code of kubectl must be those of skeg. Without a kubectl they are skipped.
"""
import argparse
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TOP, "tools"))

from kubectl_day import words_of  # noqa: E402
from own_server import OwnServer  # noqa: E402

STEPS = [
    ("create namespace day", r"namespace/day created"),
    ("create configmap c --from-literal=a=1 -n day", r"configmap/c created"),
    ("!create configmap c --from-literal=a=1 -n day", r"failed to create configmap: configmaps \"c\" already exists"),
    ("create secret generic s --from-literal=p=q -n day", r"secret/s created"),
    ("create serviceaccount robot -n day", r"serviceaccount/robot created"),
    ("create role reader --verb=get,list --resource=pods,pods/log -n day", r"role\.rbac\.authorization\.k8s\.io/reader created"),
    ("create rolebinding reads --role=reader --serviceaccount=day:robot -n day", r"reads created"),
    ("create token robot -n day", r"^ey"),
    ("create deployment web --image=registry.example/web:1 --replicas=3 -n day", r"deployment\.apps/web created"),
    ("create cronjob nightly --image=registry.example/job:1 --schedule=@daily -n day", r"cronjob\.batch/nightly created"),
    ("create ingress site --rule=site.example/*=web:80 -n day", r"site created"),
    ("rollout status deployment/web -n day --timeout=30s", r"successfully rolled out"),
    ("expose deployment web --port=80 --target-port=8080 -n day", r"service/web exposed"),
    ("scale deployment web --replicas=4 -n day", r"deployment\.apps/web scaled"),
    ("!scale deployment web --replicas=4 --current-replicas=9 -n day", r"error: Expected replicas to be 9, was 4"),
    ("set image deployment/web web=registry.example/web:2 -n day", r"image updated"),
    ("rollout status deployment/web -n day --timeout=60s", r"successfully rolled out"),
    ("rollout undo deployment/web -n day", r"rolled back"),
    ("rollout restart deployment/web -n day", r"restarted"),
    ("rollout pause deployment/web -n day", r"paused"),
    ("!rollout pause deployment/web -n day", r"already paused"),
    ("rollout resume deployment/web -n day", r"resumed"),
    ("rollout status deployment/web -n day --timeout=60s", r"successfully rolled out"),
    ("label deployment web tier=front -n day", r"deployment\.apps/web labeled"),
    ("!label deployment web tier=back -n day", r"error: 'tier' already has a value \(front\), and --overwrite is false"),
    ("label deployment web tier- -n day", r"unlabeled"),
    ("label deployment web --list -n day", r"^app=web$"),
    ("annotate deployment web note=hello -n day", r"annotated"),
    ("api-resources -o wide --api-group=apps --verbs=watch --categories=all --sort-by=kind",
     r"(?s)NAME.*VERBS +CATEGORIES\n(daemonsets).*(deployments).*create,delete.* all\n"),
    ("!get --raw /nothing/here", r"\(NotFound\): the server could not find the requested resource"),
    ("!apply --server-side --dry-run=client -f examples/prerequisites.yaml", r"did you mean --dry-run=server"),
    ("!apply --overwrite=false -f examples/prerequisites.yaml", r"--server-side tells of fields that others have set"),
    ("!certificate approve nothere", r'certificatesigningrequests.certificates.k8s.io "nothere" not found'),
    ("apply -f tests/api/signing_request.yaml", r"certificatesigningrequest.certificates.k8s.io/jane created"),
    ("certificate approve jane", r"certificatesigningrequest.certificates.k8s.io/jane approved"),
    ("certificate approve jane", r"certificatesigningrequest.certificates.k8s.io/jane approved"),
    ("!certificate deny jane", r'error: certificate signing request "jane" is already Approved'),
    ("get csr jane -o jsonpath={.status.conditions[*].reason}", r"^KubectlApprove$"),
    ("delete -f tests/api/signing_request.yaml", r'"jane" deleted'),
    ('patch deployment web -n day -p {"spec":{"minReadySeconds":0}}', r"patched \(no change\)"),
    ("taint nodes n2 a=b:NoExecute", r"node/n2 tainted"),
    ("taint nodes n2 a-", r"node/n2 untainted"),
    ("cordon n2", r"node/n2 cordoned"),
    ("cordon n2", r"node/n2 already cordoned"),
    ("uncordon n2", r"node/n2 uncordoned"),
    ("drain n2 --force", r"(?s)node/n2 cordoned.*node/n2 drained"),
    ("uncordon n2", r"uncordoned"),
    ("wait deployment/web -n day --for=condition=Available --timeout=30s", r"deployment\.apps/web condition met"),
    ("!wait deployment/web -n day --for=jsonpath={.spec.replicas}=9 --timeout=1s", r"timed out waiting for the condition on deployments/web"),
    ("apply -f examples/prerequisites.yaml", r"(?s)namespace/production created.*configmap/redis-config created"),
    ("apply -f examples/prerequisites.yaml", r"(?s)namespace/production unchanged.*configmap/redis-config unchanged"),
    ("apply --server-side -f examples/prerequisites.yaml --force-conflicts", r"serverside-applied"),
    ("!replace --force --dry-run=server -f examples/prerequisites.yaml", r"--dry-run can not be used when --force is set"),
    ("get configmap redis-config -n production -o name", r"^configmap/redis-config$"),
    ("apply --server-side --field-manager=kubectl -f examples/prerequisites.yaml", r"serverside-applied"),
    ("!get pods -o go-template={{.x}}", r"jsonpath"),
    ("!get pods -o xml", r"allowed formats are: "),
    ("get pods -n day --sort-by=.metadata.name -o jsonpath={.items[*].metadata.name}", r"^web-"),
    ("--namespace day get deploy", r"^web "),
    ("set resources deployment web -n day -c=web --limits=cpu=200m,memory=64Mi", r"deployment.apps/web resource requirements updated"),
    ("set env deployment/web MODE=fast LEVEL=3 -n day", r"deployment.apps/web env updated"),
    ("set env deployment/web --list -n day", r"(?s)# Deployment web, container web.*MODE=fast"),
    ("set env deployment/web LEVEL- -n day", r"env updated"),
    ("!set env deployment/web MODE=slow --overwrite=false -n day", r"'MODE' already has a value \(fast\), and --overwrite is false"),
    ("set env deployment/web --from=configmap/c --prefix=C_ -n day", r"env updated"),
    ("set env deployment/web --list --resolve -n day", r"^C_A=1$"),
    ("set serviceaccount deployment web robot -n day", r"serviceaccount updated"),
    ("set sa deployment/web robot -n day", r"serviceaccount updated"),
    ("set selector service web app=web,tier=front -n day", r"service/web selector updated"),
    ("get service web -n day -o jsonpath={.spec.selector}", r'{"app":"web","tier":"front"}'),
    ("set subject rolebinding reads --user=jane --group=ops -n day", r"subjects updated"),
    ("describe rolebinding reads -n day", r"(?s)User\s+jane.*Group\s+ops"),
    ("set image deployment/web web=registry.example/web:9 -n day --dry-run=client -o jsonpath={..image}", r"^registry.example/web:9$"),
    ("autoscale deployment web --min=2 --max=6 --cpu-percent=80 -n day", r"horizontalpodautoscaler.autoscaling/web autoscaled"),
    ("!autoscale deployment web --max=0 -n day", r"--max=MAXPODS is required and must be at least 1"),
    ("run one --image=registry.example/one:1 -n day --labels=app=one --env=A=b", r"pod/one created"),
    ("wait --for=condition=Ready pod/one -n day --timeout=30s", r"pod/one condition met"),
    ("get pod one -n day -o jsonpath={.spec.containers[0].env[0].value}", r"^b$"),
    ("delete pod one -n day --grace-period=0 --force", r'pod "one" force deleted'),
    ("!diff -f examples/prerequisites.yaml -n day", r"the namespace from the provided object"),
    ("diff -f examples/prerequisites.yaml", r"^$"),
    ("auth can-i --list -n day", r"^\*\.\*\s+\[\]\s+\[\]\s+\[\*\]"),
    ("config view", r"(?s)certificate-authority-data: DATA\+OMITTED.*current-context: skeg"),
    ("config set-context other --namespace=elsewhere --cluster=skeg --user=skeg", r'Context "other" created'),
    ("config set-context other --namespace=day", r'Context "other" modified'),
    ("--context other get deploy", r"^web "),
    ("config rename-context other second", r'Context "other" renamed to "second"'),
    ("!config use-context other", r'error: no context exists with the name: "other"'),
    ("config use-context second", r'Switched to context "second"'),
    ("config current-context", r"^second$"),
    ("config view --minify -o jsonpath={.contexts[*].context.namespace}", r"^day$"),
    ("config set contexts.second.namespace kube-system", r'Property "contexts.second.namespace" set'),
    ("config get-contexts", r"^\*\s+second\s+skeg\s+skeg\s+kube-system"),
    ("config unset contexts.second.namespace", r"unset"),
    ("config use-context skeg", r"Switched"),
    ("config delete-context second", r"deleted context second from "),
    ("!config delete-context second", r"cannot delete context second, not in "),
    ("config set-cluster far --server=https://far.example:6443 --insecure-skip-tls-verify", r'Cluster "far" set'),
    ("config get-clusters", r"(?s)NAME.*far.*skeg"),
    ("config set-credentials jane --token=secret", r'User "jane" set'),
    ("config view", r"token: REDACTED"),
    ("config view --raw", r"token: secret"),
    ("config delete-user jane", r"deleted user jane from "),
    ("config delete-cluster far", r"deleted cluster far from "),
    ("!config set nothing.a b", r"error: unable to parse nothing\.a"),
]

SAME = [
    "get nodes -o wide",
    "get pods -n day -o wide",
    "get pods -n day --show-labels",
    "get pods -n day -L app --sort-by=.metadata.name",
    "get deploy,svc,cm -n day",
    "get deploy web -n day -o yaml",
    "get deploy web -n day -o json",
    "get pods -n day -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName",
    "get pods -n day -o jsonpath={range.items[*]}{.metadata.name}{end}",
    "get pods nothere -n day",
    "describe node n1",
    "describe deployment web -n day",
    "describe rs -n day",
    "describe service web -n day",
    "describe cm -n day",
    "describe secret s -n day",
    "describe cronjob nightly -n day",
    "describe ingress site -n day",
    "describe sa robot -n day",
    "describe namespace day",
    "rollout status deployment/web -n day",
    "rollout history deployment/web -n day",
    "rollout history deployment/web --revision=3 -n day",
    "auth can-i list pods -n day",
    "auth can-i delete pods -n day --as=system:serviceaccount:day:robot",
    "auth whoami",
    "describe role reader -n day",
    "describe rolebinding reads -n day",
    "describe clusterrole edit",
    "describe clusterrolebinding cluster-admin",
    "auth can-i --list -n day",
    "auth can-i --list --as=system:serviceaccount:day:robot -n day",
    "set env deployment/web --list -n day",
    "get all -n day --chunk-size=2 -o name",
    "diff -f examples/prerequisites.yaml",
    "explain pods",
    "explain pods --recursive",
    "explain deployment.spec.strategy.rollingUpdate",
    "explain pod.spec.containers",
    "explain pod.spec.containers.imagePullPolicy",
    "explain hpa --api-version=autoscaling/v1",
    "explain pod.spec.nosuchfield",
    "explain crd.spec --recursive",
    "config view",
    "config view --minify --raw",
    "config get-contexts",
    "config get-users",
    "api-versions",
    "api-resources",
    "api-resources --namespaced=false",
    "top nodes",
    "create quota q --hard=pods=4 -n day --dry-run=server",
    "drain n1 --dry-run=client --force",
]

ATTEMPTS = 3
AGES = re.compile(r"\b\d+[smhd](\d+[smh])?\b")


def run(program, kubeconfig, command):
    words = [program, *words_of(command), "--kubeconfig", kubeconfig]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=90, cwd=TOP)
    except subprocess.TimeoutExpired:
        return None, "no end after 90 s"
    return done.returncode, done.stdout + done.stderr


def plain(text):
    """Ages differ by a second between two runs, and the width of their column with them."""
    return re.sub(r"[ \t]+", " ", AGES.sub("<age>", text))


def both(server, kubectl, command):
    """What the two say, and whether it is the same; asked again when it is not, for the cluster may have changed in between."""
    for _ in range(ATTEMPTS):
        code, text = run(server.skeg, server.kubeconfig, command)
        other_code, other = run(kubectl, server.kubeconfig, command)
        is_same = code is not None and code == other_code and plain(text) == plain(other)
        if is_same:
            break
    return is_same, f"skeg ({code}):\n{text}\nkubectl ({other_code}):\n{other}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubectl", default=shutil.which("kubectl"))
    parser.add_argument("--build", default=os.path.join(TOP, "build-release"))
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    passed = failed = 0
    with OwnServer(args.build) as server:
        for command, pattern in STEPS:
            must_fail = command.startswith("!")
            code, text = run(server.skeg, server.kubeconfig, command.lstrip("!"))
            is_right = code is not None and (code != 0) == must_fail and bool(re.search(pattern, text, re.MULTILINE))
            passed, failed = passed + is_right, failed + (not is_right)
            if args.v or not is_right:
                print(f"{'ok  ' if is_right else 'FAIL'} skeg {command.lstrip('!')} (code {code}): {text.strip()[:600]}", flush=True)
        for command in SAME if args.kubectl else []:
            is_right, said = both(server, args.kubectl, command)
            passed, failed = passed + is_right, failed + (not is_right)
            if args.v or not is_right:
                print(f"{'ok  ' if is_right else 'FAIL'} {command}: {said}", flush=True)
    print(f"{passed} passed, {failed} failed, {0 if args.kubectl else len(SAME)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
