# SPDX-License-Identifier: GPL-2.0-or-later
"""TUF metadata as an attacker, or an impatient test, would make it: signed with real keys, but not by repave-sign."""
import hashlib
import json
import os
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


def canonical(value):
    """Canonical JSON as TUF signs it. Written from the specification, apart from the C code."""
    if isinstance(value, dict):
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    assert isinstance(value, int), value
    return str(value)


class Key:
    """The secret key of a file of repave-sign that isn't encrypted."""

    def __init__(self, path):
        file = json.loads(Path(path).read_text())
        if file["format"] == 1:
            secret = bytes.fromhex(file["seed"])
            keytype, scheme, keyval = file["keytype"], file["scheme"], {"public": file["public"]}
        else:
            secret = bytes.fromhex(file["secret"]["plain"])
            keytype, scheme, keyval = file["keytype"], file["scheme"], file["keyval"]
        self.public = {"keytype": keytype, "scheme": scheme, "keyval": keyval}
        self.keyid = hashlib.sha256(canonical(self.public).encode()).hexdigest()
        if keytype == "ed25519":
            self.secret = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
        else:
            self.secret = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())

    def sign(self, data):
        if isinstance(self.secret, ed25519.Ed25519PrivateKey):
            return self.secret.sign(data).hex()
        return self.secret.sign(data, ec.ECDSA(hashes.SHA256())).hex()

    def pem(self):
        return self.secret.public_key().public_bytes(serialization.Encoding.PEM,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo).decode()


def load_keys(*folders):
    return [Key(path) for folder in folders for path in sorted(Path(folder).glob("*.key"))]


def signed(body, keys):
    """The bytes of a metadata file with the signatures of all `keys`."""
    data = canonical(body).encode()
    signatures = [{"keyid": key.keyid, "sig": key.sign(data)} for key in keys]
    return json.dumps({"signatures": signatures, "signed": body}).encode()


def when(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class Forge:
    """The metadata folder of a repository, and keys."""

    def __init__(self, repository, keys):
        self.metadata = Path(repository) / "metadata"
        self.keys = keys

    def body(self, name):
        return json.loads((self.metadata / name).read_bytes())["signed"]

    def root(self):
        newest = max(self.metadata.glob("*.root.json"), key=lambda path: int(path.name.split(".")[0]))
        return self.body(newest.name)

    def timestamp(self):
        return self.body("timestamp.json")

    def snapshot(self):
        return self.body(f"{self.timestamp()['meta']['snapshot.json']['version']}.snapshot.json")

    def targets(self, role="targets"):
        return self.body(f"{self.snapshot()['meta'][role + '.json']['version']}.{role}.json")

    def keys_of(self, role):
        keyids = self.root()["roles"][role]["keyids"]
        return [key for key in self.keys if key.keyid in keyids]

    def put(self, name, data):
        """As a publication does: never changes a file in place."""
        temporary = self.metadata / f".{name}.new"
        temporary.write_bytes(data)
        os.replace(temporary, self.metadata / name)

    def publish(self, changed=(), expires=None):
        """The next versions of the (role, body, keys) in `changed`, then of snapshot and timestamp. `expires` is role ->
        seconds since 1970 for snapshot and timestamp."""
        expires = expires or {}
        snapshot, timestamp = self.snapshot(), self.timestamp()
        for role, body, keys in changed:
            data = signed(body, keys)
            self.put(f"{body['version']}.{role}.json", data)
            snapshot["meta"][f"{role}.json"] = self.meta(body, data)
        snapshot["version"] += 1
        snapshot["expires"] = when(expires["snapshot"]) if "snapshot" in expires else snapshot["expires"]
        data = signed(snapshot, self.keys_of("snapshot"))
        self.put(f"{snapshot['version']}.snapshot.json", data)
        timestamp["meta"]["snapshot.json"] = self.meta(snapshot, data)
        timestamp["version"] += 1
        timestamp["expires"] = when(expires["timestamp"]) if "timestamp" in expires else timestamp["expires"]
        self.put("timestamp.json", signed(timestamp, self.keys_of("timestamp")))

    @staticmethod
    def meta(body, data):
        return {"version": body["version"], "length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}

    def publish_targets(self, change=None, expires=None, online=None):
        """The next top-level targets, with `change` applied to its body and another expiry."""
        body = self.targets()
        body["version"] += 1
        if expires is not None:
            body["expires"] = when(expires)
        if change:
            change(body)
        self.publish([("targets", body, self.keys_of("targets"))], online)
