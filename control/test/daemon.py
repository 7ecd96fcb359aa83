# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts the real repaved on loopback and speaks to it as nodes and operators do. For the scripts of this folder."""
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import openapi
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["B"]).resolve()
NODE = "5e70a7e0-0000-4000-8000-0000000000{:02x}"
failures = []
checked = []
complaints = set()


def check(what, ok, got=""):
    checked.append(what)
    if not ok:
        failures.append(what)
        print(f"FAILED: {what}: {got}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tool(name, *words):
    return subprocess.run([BUILD / "bin" / name, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False, timeout=60)


def must(done):
    if done.returncode:
        sys.exit(f"{' '.join(map(str, done.args))}: status {done.returncode}: {done.stdout}")
    return done.stdout


def make_key():
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def csr_of(key, digest=hashes.SHA256()):
    """What stage 1 sends: the names in it are without meaning."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "any")]))
    return request.sign(key, digest).public_bytes(serialization.Encoding.PEM).decode()


class Identity:
    """A machine's key and the certificate that it was given, in one file as TLS clients want it."""

    def __init__(self, path, key=None):
        self.path, self.key = Path(path), key or make_key()

    def keep(self, certificate):
        self.path.write_text(certificate + key_pem(self.key))

    def certificate(self):
        return x509.load_pem_x509_certificate(self.path.read_bytes())


def enrol_body(node, key, serial="S1", macs=("52:54:00:00:01:01",), csr=None):
    return json.dumps({"format": 1, "csr": csr or csr_of(key),
                       "inventory": {"uuid": node, "serial": serial, "macs": list(macs)}}).encode()


class Daemon:
    def __init__(self, folder, state, repository, port=None, repository_port=None):
        self.port, self.repository_port = port or free_port(), repository_port or free_port()
        self.operator_port, self.folder, self.identities = free_port(), folder, {}
        self.log = folder / "repaved.log"
        self.words = [BUILD / "bin/repaved", "--state", state, "--repository", repository, "--address", "127.0.0.1",
                      "--port", str(self.port), "--repository-port", str(self.repository_port),
                      "--operator-port", str(self.operator_port)]
        self.state = state
        self.process = None

    def start(self):
        starts = (self.log.read_text() if self.log.exists() else "").count("ready on") + 1
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while self.log.read_text().count("ready on") < starts:
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"repaved isn't ready: {self.log.read_text()}")
            time.sleep(0.02)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait(20)

    def tls(self, port, method, path, body=b"", identity=None, headers=None, source="127.0.0.1"):
        """(status, JSON or None, headers): TLS 1.2, the fleet's CA, the name in the certificate."""
        context = ssl.create_default_context(cafile=self.state / "ca.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        if identity:
            context.load_cert_chain(identity)
        connection = http.client.HTTPSConnection("control.repave.internal", port, timeout=20)
        raw = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
        connection.sock = context.wrap_socket(raw, server_hostname="control.repave.internal")
        self.cipher = connection.sock.cipher()
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        is_text = answer.getheader("Content-Type", "").startswith("text/plain")
        told = data.decode() if is_text else json.loads(data) if data else None
        wrong = openapi.complaint(method, path, body, answer.status, told)
        if wrong and wrong not in complaints:
            complaints.add(wrong)
            check("docs/openapi.yaml", False, wrong)
        return answer.status, told, dict(answer.getheaders())

    def enrol(self, node, token, key=None, identity=None, source="127.0.0.1", **more):
        """(status, answer) of an enrolment; a certificate that came is kept as the node's."""
        machine = Identity(self.folder / f"{node}-{len(self.identities)}.pem", key)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        status, answer, _ = self.tls(self.port, "POST", f"/v1/nodes/{node}/enrol", enrol_body(node, machine.key, **more),
                                     identity, headers, source)
        if status == 200:
            machine.keep(answer["certificate"])
            self.identities[node] = machine
        return status, answer

    def node(self, method, path, body=b"", token=None, headers=None, identity=None):
        """(status, JSON or None) of a call as a node makes it. With a token, a node that has no certificate yet enrols first."""
        node = re.fullmatch(r"/v1/nodes/([0-9a-f-]{36})/(boot|report|log|agent|attest|quote)", path)
        if node and token and not identity:
            if node[1] not in self.identities:
                status, answer = self.enrol(node[1], token)
                if status != 200:
                    return status, answer
            identity = self.identities[node[1]].path
        headers = dict(headers or {})
        if token and not node:
            headers["Authorization"] = f"Bearer {token}"
        return self.tls(self.port, method, path, body, identity, headers)[:2]

    def operator(self, method, path, token=None, body=None, source="127.0.0.1"):
        """(status, JSON, headers) of a call at the operator's port."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self.tls(self.operator_port, method, path, json.dumps(body).encode() if body is not None else b"", None, headers,
                        source)

    def file(self, path, method="GET", headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.repository_port, timeout=20)
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data, dict(answer.getheaders())

    def repave(self, *words):
        return tool("repave", "--state", self.state, *words)

    def repave_json(self, *words):
        return json.loads(must(self.repave(*words, "--json")))


def boot_body(node, nonce, **more):
    return json.dumps({
        "format": 1, "nonce": nonce, "stage1_version": "test",
        "inventory": {"uuid": node, "serial": "S1", "vendor": "QEMU", "product": "q35", "macs": ["52:54:00:00:01:01"],
                      "memory_bytes": 536870912, "cpus": 1, "firmware": "bios",
                      "disks": [{"name": "vda", "size_bytes": 8589934592}]},
        "slots": {"C0": None, "C1": None, "D0": None, "D1": None}, **more}).encode()


def report_body(nonce, assignment, event, stage, **more):
    return json.dumps({"format": 1, "nonce": nonce, "assignment": assignment, "event": event, "stage": stage,
                       "stages": [{"name": "identify", "seconds": 0.02}], "images": [], **more}).encode()


def add_images(folder, images):
    made = []
    for image in images:
        path = folder / "-".join(image)
        subprocess.run([HERE / "../../signing/test/make-image", path, *image], check=True)
        made.append(f"{path}.json")
    must(tool("repave-sign", "add", "--repository", folder / "repository", "--keys", folder / "keys", *made))
    must(tool("repave-sign", "publish", "--repository", folder / "repository", "--keys", folder / "keys"))
