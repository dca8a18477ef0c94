"""An image with a shell and a few programs of this machine, for what a static program alone cannot show."""
import os
import re
import shutil
import subprocess
import tarfile
import tempfile

import image

PROGRAMS = ("sh", "cat", "tar", "sleep", "stty", "ls", "rm", "test")


def libraries(program):
    """What the dynamic linker would load, by the names it asks for."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout)


def guest():
    """The program of the other tests here, which listens and answers."""
    with tempfile.TemporaryDirectory(prefix="skeg-guest-") as folder:
        path = os.path.join(folder, "guest")
        subprocess.run(["gcc", "-static", "-O1", "-w", "-o", path, os.path.join(os.path.dirname(__file__), "guest.c")], check=True)
        return open(path, "rb").read()


def tools_image():
    """Raises FileNotFoundError for a program that this machine does not have."""
    files = {}
    for name in PROGRAMS:
        path = shutil.which(name)
        if not path:
            raise FileNotFoundError(name)
        files["bin/" + name] = path
        files.update({library.lstrip("/"): library for library in libraries(path)})
    files["bin/guest"] = None
    folders = {"tmp", "etc", "data"}
    for name in files:
        while name := os.path.dirname(name):
            folders.add(name)
    entries = [(image.entry(name, 0o1777 if name in ("tmp", "data") else 0o755, tarfile.DIRTYPE), None)
               for name in sorted(folders)]
    for name, path in sorted(files.items()):
        data = open(path, "rb").read() if path else guest()
        entries.append((image.entry(name, 0o755, size=len(data)), data))
    return image.Image(entries, {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "WorkingDir": "/tmp"})
