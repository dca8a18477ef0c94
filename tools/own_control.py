"""A bare `skeg control` of its own, for tests that kill it, starve it or ask it for nonsense.

    with OwnControl("build") as control:
        control.cluster().get("/version")
        control.kill()      # -9
        control.start()     # the same folder and port again
"""
import os
import select
import shutil
import signal
import ssl
import subprocess
import tempfile
import time

from cluster_api import Cluster
from own_server import free_port

READY_S = 60


class OwnControl:
    """Its database is kept over kill(), stop() and start(), unless is_memory. A folder that is given is not removed."""

    def __init__(self, build, simulated_nodes=2, is_memory=False, options=(), folder=None):
        self.skeg = os.path.join(os.path.abspath(build), "src", "skeg")
        self.is_own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="skeg-control-")
        self.data_dir = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.port = free_port()
        self.options = ["--simulated-nodes", str(simulated_nodes), *(["--memory"] if is_memory else []), *options]
        self.process = None
        self.ready_ms = 0.0

    def spawn(self):
        """Starts without waiting; gives the descriptor that tells when it is ready."""
        ready, notify = os.pipe()
        command = [self.skeg, "control", "--data-dir", self.data_dir, "--port", str(self.port),
                   "--notify-fd", str(notify), *self.options]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, pass_fds=[notify])
        os.close(notify)
        return ready

    def start(self):
        started = time.monotonic()
        ready = self.spawn()
        try:
            is_readable = select.select([ready], [], [], READY_S)[0]
            if not is_readable or os.read(ready, 16) != b"ready\n":
                raise RuntimeError(f"control did not become ready: {self.log()}")
        finally:
            os.close(ready)
        self.ready_ms = (time.monotonic() - started) * 1000

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout=60):
        """Asks it to stop, and gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def log(self, size=4000):
        return open(self.log_path, encoding="utf-8", errors="replace").read()[-size:]

    def token(self):
        return open(os.path.join(self.data_dir, "tls", "admin.token"), encoding="ascii").read().strip()

    def tls(self):
        """Trusts the cluster's CA; without a client certificate."""
        return ssl.create_default_context(cafile=os.path.join(self.data_dir, "tls", "server-ca.crt"))

    def cluster(self, **options):
        return Cluster.from_kubeconfig(os.path.join(self.data_dir, "admin.kubeconfig"), **options)

    def rss_kib(self):
        for line in open(f"/proc/{self.process.pid}/status", encoding="ascii"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0

    def pss_kib(self):
        for line in open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii"):
            if line.startswith("Pss:"):
                return int(line.split()[1])
        return 0

    def cpu_s(self):
        fields = open(f"/proc/{self.process.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def written_bytes(self):
        """What it gave to write(2), and what reached a block device."""
        io = dict(line.split(": ") for line in open(f"/proc/{self.process.pid}/io", encoding="ascii"))
        return int(io["wchar"]), int(io["write_bytes"])

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.kill()
        if self.is_own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)
