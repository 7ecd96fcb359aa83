# SPDX-License-Identifier: GPL-2.0-or-later
"""A TUF repository that a test forges as it likes, served over HTTP, and a client that is run against it.

Independent of the C code: canonical form, key ids and signatures are made here, by another library."""
import hashlib
import http.server
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

TOP = ["root", "timestamp", "snapshot", "targets"]


def canonical(value):
    """As the reference does it (OLPC's canonical JSON): only quote and backslash are escaped."""
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(v) for v in value) + "]"
    return "{" + ",".join(canonical(k) + ":" + canonical(value[k]) for k in sorted(value)) + "}"


def in_days(days):
    return (datetime.now(timezone.utc) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Key:
    """`keytype` is of the key's type in metadata; the scheme follows from the kind."""

    def __init__(self, kind="ed25519", keytype=None):
        self.kind = kind
        if kind == "ed25519":
            self.private = ed25519.Ed25519PrivateKey.generate()
            public = self.private.public_key().public_bytes(serialization.Encoding.Raw,
                                                            serialization.PublicFormat.Raw).hex()
            self.scheme = "ed25519"
        else:
            if kind == "ecdsa":
                self.private = ec.generate_private_key(ec.SECP256R1())
                self.scheme = "ecdsa-sha2-nistp256"
            else:
                self.private = rsa.generate_private_key(65537, 2048)
                self.scheme = "rsassa-pss-sha256"
            public = self.private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        self.public = {"keytype": keytype or kind, "scheme": self.scheme, "keyval": {"public": public}}
        self.keyid = hashlib.sha256(canonical(self.public).encode()).hexdigest()

    def sign(self, data):
        if self.kind == "ed25519":
            signature = self.private.sign(data)
        elif self.kind == "ecdsa":
            signature = self.private.sign(data, ec.ECDSA(hashes.SHA256()))
        else:
            signature = self.private.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
        return {"keyid": self.keyid, "sig": signature.hex()}


class Repository:
    """Bodies in `body` are changed by tests; publish() signs the next version of the roles it is given and enters it in the
    body of snapshot or timestamp."""

    def __init__(self):
        self.body, self.signers, self.versions = {}, {}, {}
        self.files = {}   # path below the address of the test: bytes
        self.asked = []   # paths that were asked for
        self.with_hashes = False
        self.targets = {}
        for role in TOP:
            self.body[role] = {"_type": role, "spec_version": "1.0.31", "version": 1, "expires": in_days(30)}
        self.body["root"].update(consistent_snapshot=True, keys={}, roles={})
        self.body["targets"].update(targets={})
        self.body["snapshot"].update(meta={})
        self.body["timestamp"].update(meta={})
        for role in TOP:
            self.set_keys(role, [Key()])
        self.publish("targets", "snapshot", "timestamp", "root")

    # ---- keys
    def set_keys(self, role, keys, threshold=None, signers=None):
        self.body["root"]["roles"][role] = {"keyids": [], "threshold": threshold or len(keys)}
        self.signers[role] = list(keys if signers is None else signers)
        for key in keys:
            self.add_key(role, key, signs=False)

    def add_key(self, role, key, signs=True):
        self.body["root"]["keys"][key.keyid] = key.public
        self.body["root"]["roles"][role]["keyids"].append(key.keyid)
        if signs:
            self.signers[role].append(key)

    # ---- signing
    def signed(self, role):
        text = canonical(self.body[role]).encode()
        return {"signatures": [key.sign(text) for key in self.signers[role]], "signed": self.body[role]}

    def name_of(self, role, version):
        prefix = f"{version}." if role == "root" or (role != "timestamp" and
                                                     self.body["root"]["consistent_snapshot"]) else ""
        return f"metadata/{prefix}{quote(role, '')}.json"

    def put(self, role, document):
        data = json.dumps(document, indent=1).encode()
        self.files[self.name_of(role, document["signed"]["version"])] = data
        return data

    def publish(self, *roles, version=None):
        for role in roles:
            if version is not None:
                self.body[role]["version"] = version
            elif role in self.versions:
                self.body[role]["version"] = self.versions[role] + 1
            self.versions[role] = self.body[role]["version"]
            data = self.put(role, self.signed(role))
            meta = {"version": self.versions[role]}
            if self.with_hashes:
                meta.update(length=len(data), hashes={"sha256": hashlib.sha256(data).hexdigest()})
            if role == "snapshot":
                self.body["timestamp"]["meta"]["snapshot.json"] = meta
            elif role not in ("root", "timestamp"):
                self.body["snapshot"]["meta"][f"{role}.json"] = meta

    def publish_all(self):
        self.publish("targets", "snapshot", "timestamp")

    def change(self, role, edit):
        """Edits a published file without signing it anew."""
        name = self.name_of(role, self.versions[role])
        document = json.loads(self.files[name])
        edit(document)
        self.files[name] = json.dumps(document).encode()

    # ---- targets
    def delegate(self, delegator, role, paths=("*",), terminating=False, keys=None, **more):
        keys = keys or [Key()]
        delegations = self.body[delegator].setdefault("delegations", {"keys": {}, "roles": []})
        entry = {"name": role, "keyids": [key.keyid for key in keys], "threshold": len(keys),
                 "terminating": terminating, **({"paths": list(paths)} if paths is not None else {}), **more}
        delegations["keys"].update({key.keyid: key.public for key in keys})
        delegations["roles"].append(entry)
        self.signers.setdefault(role, []).extend(keys)
        self.body.setdefault(role, {"_type": "targets", "spec_version": "1.0.31", "version": 1,
                                    "expires": in_days(30), "targets": {}})

    def add_target(self, role, path, content, algorithms=("sha256",)):
        digests = {name: hashlib.new(name, content).hexdigest() for name in algorithms}
        self.body[role]["targets"][path] = {"length": len(content), "hashes": digests}
        folder, _, name = path.rpartition("/")
        folder = folder and quote(folder, "/!$&'()*+,;=:@%~") + "/"
        for prefix in [f"{digest}." for digest in digests.values()] + [""]:
            self.files[f"targets/{folder}{prefix}{quote(name, chr(33) + '$&()*+,;=:@%~' + chr(39))}"] = content

    # ---- what was asked
    def asked_roles(self):
        """(role, version or None) of each request for metadata, in order; role names as they stood in the URL."""
        found = []
        for path in self.asked:
            match = re.fullmatch(r"metadata/(?:(\d+)\.)?(.*)\.json", path)
            if match:
                found.append((match[2], int(match[1]) if match[1] else None))
        return found


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, repository):
        self.repository = repository
        self.slow = self.endless = self.cut = None  # paths
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = self.path.lstrip("/")
        server = self.server
        server.repository.asked.append(path)
        data = server.repository.files.get(path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        if path == server.endless:
            self.end_headers()
            try:
                for _ in range(100000):
                    self.wfile.write(data.ljust(65536))
            except OSError:
                pass
            return
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if path == server.slow:
            self.wfile.write(data[:1])
            time.sleep(3)
            data = data[1:]
        self.wfile.write(data[: len(data) // 2] if path == server.cut else data)

    def log_message(self, *arguments):
        pass


class Client:
    def __init__(self, program, repository, base=None):
        self.program = program
        self.repository = repository
        self.server = Server(repository)
        self.root = repository.files["metadata/1.root.json"]
        self.base = tempfile.TemporaryDirectory(dir=base)
        self.metadata = os.path.join(self.base.name, "metadata")
        self.target_dir = os.path.join(self.base.name, "targets")
        self.said = ""
        self.limits = None
        self.prefix = []

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.base.cleanup()

    def run(self, *words):
        done = subprocess.run([*self.prefix, self.program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=120, preexec_fn=self.limits, check=False)
        self.said = done.stdout
        return done.returncode

    def init(self, root=None):
        path = os.path.join(self.base.name, "first-root.json")
        with open(path, "wb") as file:
            file.write(self.root if root is None else root)
        return self.run("--metadata-dir", self.metadata, "init", path)

    def refresh(self):
        return self.run("--metadata-url", self.server.url + "metadata/", "--metadata-dir", self.metadata, "refresh")

    def download(self, *names):
        words = [word for name in names for word in ("--target-name", name)]
        return self.run("--metadata-url", self.server.url + "metadata", "--metadata-dir", self.metadata, *words,
                        "--target-dir", self.target_dir, "--target-base-url", self.server.url + "targets", "download")

    def trusted(self):
        """{file name without .json: version}; every file there must be trusted metadata."""
        found = {}
        for name in os.listdir(self.metadata):
            assert name.endswith(".json"), name
            with open(os.path.join(self.metadata, name), encoding="utf-8") as file:
                found[name[:-5]] = json.load(file)["signed"]["version"]
        return found

    def version(self, role):
        return self.trusted().get(role)

    def bytes_of(self, role):
        with open(os.path.join(self.metadata, f"{role}.json"), "rb") as file:
            return file.read()

    def downloaded(self):
        found = {}
        for name in os.listdir(self.target_dir) if os.path.isdir(self.target_dir) else []:
            with open(os.path.join(self.target_dir, name), "rb") as file:
                found[name] = file.read()
        return found
