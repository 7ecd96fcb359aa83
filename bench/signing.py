#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench-signing`: what verifying metadata costs a node, against the bounds of the architecture.

A repository of TARGETS images, each with a whole image description, is verified twice by the node's own code in a static program:
first by a node that knows nothing, then by one that has the version before. Exit status 1 when a bound isn't kept."""
import copy
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

BUILD = Path(os.environ.get("B", "build"))
TARGETS = int(os.environ.get("TARGETS", "10000"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
EXPIRES = "2099-01-01T00:00:00Z"
# Bounds: bytes that verification adds to the provisioner, bytes of memory, seconds of one CPU.
SIZE_MOST, MEMORY_MOST, SECONDS_MOST = 200 * 1024, 16 * 2**20, 1.0

# An application's description as images/ writes it, with as many members as there can be.
DESCRIPTION = {
    "format": 1, "kind": "app", "name": "web", "requires_os": "debian",
    "verity": {"algorithm": "sha256", "block_size": 4096, "data_blocks": 60000, "uuid": "00112233-4455-6677-8899-aabbccddeeff"},
    "image": {"size": (60000 + 1 + 469 + 4 + 1) * 4096},
    "wire": {"encoding": "zstd-seekable", "size": 76000000, "frame_size": 32768, "frames": 7560},
    "app": {"command": ["/app/bin/nginx", "-c", "/app/etc/nginx.conf", "-g", "daemon off;"], "user": "app",
            "environment": {"TZ": "UTC", "LANG": "C.UTF-8"}, "ports": [8080, 8443],
            "health": {"type": "http", "port": 8080, "path": "/health"}},
}


def text_of(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Key:
    def __init__(self):
        self.key = Ed25519PrivateKey.generate()
        public = self.key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw).hex()
        self.public = {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}}
        self.id = hashlib.sha256(text_of(self.public)).hexdigest()

    def sign(self, body):
        return text_of({"signatures": [{"keyid": self.id, "sig": self.key.sign(text_of(body)).hex()}], "signed": body})


def body_of(role, version, **members):
    return {"_type": role, "spec_version": "1.0.31", "version": version, "expires": EXPIRES, **members}


def target_of(number, version):
    description = copy.deepcopy(DESCRIPTION)
    description["version"] = f"1.{number}.{version}"
    for name in ("salt", "root_hash"):
        description["verity"][name] = hashlib.sha256(f"{name}{number}{version}".encode()).hexdigest()
    path = f"app/web/debian/{description['version']}.img.zst"
    return path, {"length": description["wire"]["size"], "custom": description,
                  "hashes": {"sha256": hashlib.sha256(path.encode()).hexdigest()}}


def write_repository(folder, key, version):
    """Snapshot consistent; returns a path to look up and the size of the targets file."""
    targets = dict(target_of(number, version) for number in range(TARGETS))
    data = key.sign(body_of("targets", version, targets=targets))
    (folder / f"{version}.targets.json").write_bytes(data)
    for role, below in (("snapshot", "targets"), ("timestamp", "snapshot")):
        meta = {f"{below}.json": {"version": version, "length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}}
        size, data = (len(data), key.sign(body_of(role, version, meta=meta))) if role == "snapshot" else \
            (size, key.sign(body_of(role, version, meta=meta)))
        (folder / ("timestamp.json" if role == "timestamp" else f"{version}.{role}.json")).write_bytes(data)
    return f"app/web/debian/1.{TARGETS // 2}.{version}.img.zst", size


def write_root(folder, key):
    role = {"keyids": [key.id], "threshold": 1}
    root = body_of("root", 1, consistent_snapshot=True, keys={key.id: key.public},
                   roles={name: role for name in ("root", "timestamp", "snapshot", "targets")})
    (folder / "1.root.json").write_bytes(key.sign(root))


def run(metadata, store, path):
    words = [BUILD / "bench/tuf-verify", metadata, store, metadata / "1.root.json", path]
    done = subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def measure(folder):
    """Worst memory and CPU of both kinds of node over all rounds, and the size of the targets metadata."""
    worst = {"first": [0, 0], "next": [0, 0]}
    for number in range(ROUNDS):
        metadata, store = folder / f"metadata{number}", folder / f"store{number}"
        metadata.mkdir()
        store.mkdir()
        key = Key()
        write_root(metadata, key)
        for version, name in ((1, "first"), (2, "next")):
            path, size = write_repository(metadata, key, version)
            found = run(metadata, store, path)
            worst[name] = [max(worst[name][0], found["most_bytes"]), max(worst[name][1], found["seconds"])]
    return worst, size


def main():
    rows = []
    with_it, without = ((BUILD / name).stat().st_size for name in ("target/provision", "bench/provision-without"))
    rows.append(("added to the provisioner, stripped", f"{(with_it - without) / 1024:.0f} KiB", f"{SIZE_MOST // 1024} KiB",
                 with_it - without <= SIZE_MOST))
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        worst, size = measure(Path(folder))
    for name, what in (("first", "a new node"), ("next", "a node with the version before")):
        most, seconds = worst[name]
        rows.append((f"memory of {what}", f"{most / 2**20:.1f} MiB", f"{MEMORY_MOST // 2**20} MiB", most <= MEMORY_MOST))
        rows.append((f"CPU of {what}", f"{seconds:.2f} s", f"{SECONDS_MOST:.0f} s", seconds <= SECONDS_MOST))
    print(f"signing: {TARGETS} targets with image descriptions, targets.json {size / 2**20:.1f} MiB, worst of {ROUNDS}, "
          f"load {os.getloadavg()[0]:.1f}")
    print(f"{'WHAT':38}{'MEASURED':>12}{'BOUND':>12}")
    for what, value, bound, good in rows:
        print(f"{what:38}{value:>12}{bound:>12}{'' if good else '  NOT KEPT'}")
    return 0 if all(row[3] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
