"""A control plane of the test's own: free port, folder of its own, ended with the test.

    with OwnServer("build-release") as server:
        server.cluster().get("/version")
"""
import os
import shutil
import socket
import subprocess
import tempfile

from cluster_api import Cluster


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class OwnServer:
    """is_memory False: a database in the folder, which is kept over stop() and start()."""

    def __init__(self, build, simulated_nodes=2, is_memory=True, options=()):
        self.skeg = os.path.join(os.path.abspath(build), "src", "skeg")
        self.folder = tempfile.mkdtemp(prefix="skeg-test-")
        self.kubeconfig = os.path.join(self.folder, "kubeconfig")
        self.port = free_port()
        self.options = [f"--simulated-nodes={simulated_nodes}", *(["--memory"] if is_memory else []), *options]

    def start(self):
        command = [self.skeg, "up", "--detach", "--data-dir", self.folder, "--port", str(self.port),
                   "--kubeconfig", self.kubeconfig, *self.options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: code {done.returncode}: {done.stderr}{done.stdout}{self.log()}")

    def stop(self):
        subprocess.run([self.skeg, "stop", "--data-dir", self.folder], capture_output=True, timeout=90, check=False)

    def log(self):
        try:
            return open(os.path.join(self.folder, "skeg.log"), encoding="utf-8", errors="replace").read()[-4000:]
        except OSError:
            return ""

    def cluster(self, **options):
        return Cluster.from_kubeconfig(os.path.join(self.folder, "server", "admin.kubeconfig"), **options)

    def token(self):
        """The admin's, for programs that cannot show a certificate."""
        return open(os.path.join(self.folder, "server", "tls", "admin.token"), encoding="ascii").read().strip()

    def control_pid(self):
        """The process that serves: the supervisor's child."""
        supervisor = int(open(os.path.join(self.folder, "supervisor.pid"), encoding="ascii").read())
        children = open(f"/proc/{supervisor}/task/{supervisor}/children", encoding="ascii").read().split()
        for child in children:
            if b"control" in open(f"/proc/{child}/cmdline", "rb").read().split(b"\0"):
                return int(child)
        raise RuntimeError("the supervisor has no control process")

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
