#!/usr/bin/env python3
"""Make an image of one static program, and push it to a registry or write it as an OCI archive.

    image.py --program FILE --name web-application --tag v1.2.0 [--push http://127.0.0.1:5000] [--archive FILE.tar]

The same program gives the same digests, whenever and wherever it is made.
Formats: https://github.com/opencontainers/image-spec, https://github.com/opencontainers/distribution-spec
"""
import argparse
import gzip
import hashlib
import io
import json
import os
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
OPEN = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # the registry is on this machine


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encode(document):
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def entry(name, mode, kind=tarfile.REGTYPE, size=0):
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.size, info.mtime = mode, kind, size, 0
    return info


def make_tar(entries):
    """entries: (TarInfo, bytes or None)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


class Image:
    """Of one layer. blobs: {digest: bytes}; manifest: bytes."""

    def __init__(self, entries, config):
        """entries: as for make_tar(); config: how a container of it runs, as the specification of images names it."""
        tar = make_tar(entries)
        layer = gzip.compress(tar, compresslevel=6, mtime=0)
        config = encode({
            "architecture": ARCHITECTURES.get(os.uname().machine, os.uname().machine), "os": "linux", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(tar)]}})
        self.blobs = {digest(layer): layer, digest(config): config}
        self.manifest = encode({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": CONFIG, "digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": LAYER, "digest": digest(layer), "size": len(layer)}]})

    @classmethod
    def of_web_application(cls, program):
        data = open(program, "rb").read()
        folders = [entry(name, 0o755, tarfile.DIRTYPE) for name in ("app", "app/cache", "etc")]
        users = b"root:x:0:0:root:/:/sbin/nologin\nweb:x:1000:1000:web:/app:/sbin/nologin\n"
        entries = [(info, None) for info in folders] + [
            (entry("tmp", 0o1777, tarfile.DIRTYPE), None),
            (entry("etc/passwd", 0o644, size=len(users)), users),
            (entry("web-application", 0o755, size=len(data)), data)]
        return cls(entries, {"Entrypoint": ["/web-application"], "User": "1000", "WorkingDir": "/app", "Env": ["PATH=/"],
                             "ExposedPorts": {"8080/tcp": {}}})

    def push(self, registry, name, tag):
        """registry: base URL. Blobs that are there already are not sent again."""
        for blob_digest, data in self.blobs.items():
            if not self._has_blob(f"{registry}/v2/{name}/blobs/{blob_digest}"):
                self._send_blob(registry, name, blob_digest, data)
        call("PUT", f"{registry}/v2/{name}/manifests/{tag}", self.manifest, MANIFEST)

    def _has_blob(self, url):
        try:
            return call("HEAD", url).status == 200
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return False
            raise

    def _send_blob(self, registry, name, blob_digest, data):
        place = call("POST", f"{registry}/v2/{name}/blobs/uploads/", b"").headers["Location"]
        place = urllib.parse.urljoin(registry + "/", place)
        place += ("&" if "?" in place else "?") + "digest=" + urllib.parse.quote(blob_digest)
        call("PUT", place, data, "application/octet-stream")

    def write_archive(self, path, full_name):
        """A tar file with the OCI layout, as `skeg image load` takes it."""
        index = encode({"schemaVersion": 2, "manifests": [{
            "mediaType": MANIFEST, "digest": digest(self.manifest), "size": len(self.manifest),
            "annotations": {"io.containerd.image.name": full_name,
                            "org.opencontainers.image.ref.name": full_name.rpartition(":")[2]}}]})
        files = {"oci-layout": encode({"imageLayoutVersion": "1.0.0"}), "index.json": index}
        blobs = dict(self.blobs, **{digest(self.manifest): self.manifest})
        files.update({"blobs/sha256/" + key.split(":")[1]: data for key, data in sorted(blobs.items())})
        with open(path, "wb") as out:
            out.write(make_tar([(entry(name, 0o644, size=len(data)), data) for name, data in files.items()]))


def call(method, url, data=None, media_type=None):
    headers = {"Content-Type": media_type} if media_type else {}
    return OPEN(urllib.request.Request(url, data=data, method=method, headers=headers), timeout=20)


def main():
    parser = argparse.ArgumentParser(description="Make an image of one static program.")
    parser.add_argument("--program", required=True)
    parser.add_argument("--name", default="web-application")
    parser.add_argument("--tag", default="v1.2.0")
    parser.add_argument("--push", metavar="URL", help="of a registry")
    parser.add_argument("--archive", metavar="FILE")
    args = parser.parse_args()
    image = Image.of_web_application(args.program)
    try:
        if args.push:
            image.push(args.push.rstrip("/"), args.name, args.tag)
        if args.archive:
            image.write_archive(args.archive, f"myregistry.io/{args.name}:{args.tag}")
    except (OSError, urllib.error.URLError) as error:
        sys.exit(f"image.py: {args.push or args.archive}: {error}")
    print(digest(image.manifest))


if __name__ == "__main__":
    main()
