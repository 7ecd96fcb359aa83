#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an attacker would run in place of a fleet's servers.

attacker.py mirror --folder REPOSITORY --port N [--lie] [--rate BYTES]
    Serves a repository's files as they are, with byte ranges and without any check: a mirror, a cache, or the network itself.
    A liar changes bytes of every part of an image; a rate is what each connection gets in a second.

attacker.py control --state DIR --port N --os TARGET [--app TARGET] [--mirror URL] [--name ID] [--no-agent] --reports FILE
    A control unit with the TLS key of DIR; with the fleet's own, no node can tell it from the real one. It lets every node in, whatever
    that shows, by a certificate of DIR's authority (of another name, if one is given), and orders it to boot these targets. Agents may
    get none. What nodes report goes to FILE, one JSON object a line.
"""
import argparse
import datetime
import json
import re
import ssl
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format, *arguments):  # noqa: A002
        print(self.address_string(), format % arguments, flush=True)

    def send(self, status, data=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class Throttled:
    """A tenth of a second's worth, ten times a second."""

    def __init__(self, to, rate):
        self.to, self.piece = to, max(1, rate // 10)

    def write(self, data):
        for at in range(0, len(data), self.piece):
            if at:
                time.sleep(0.1)
            self.to.write(data[at:at + self.piece])

    def __getattr__(self, name):
        return getattr(self.to, name)


class Mirror(Handler):
    folder, lie, rate = None, False, 0

    def setup(self):
        super().setup()
        if self.rate:
            self.wfile = Throttled(self.wfile, self.rate)

    def spoiled(self, data):
        return bytes(byte ^ 0x20 if at % 500 == 20 else byte for at, byte in enumerate(data)) if self.lie else data

    def do_GET(self):
        path = (self.folder / self.path.removeprefix("/repository/")).resolve()
        if not path.is_relative_to(self.folder) or not path.is_file():
            self.send(404)
            return
        with open(path, "rb") as file:
            size = path.stat().st_size
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            if not wanted:
                self.send(200, file.read())
                return
            first, last = int(wanted[1]), min(int(wanted[2]), size - 1)
            file.seek(first)
            self.send(206, self.spoiled(file.read(last + 1 - first)), [("Content-Range", f"bytes {first}-{last}/{size}")])

    do_HEAD = do_GET


class Liar(Handler):
    orders, reports, state, name, no_agent = None, None, None, None, False

    def certify(self, node, unit, request):
        if self.no_agent and unit == "agent":
            self.send(404, b'{"error": "no agents here"}', [("Content-Type", "application/json")])
            return
        authority = x509.load_pem_x509_certificate((self.state / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((self.state / "ca.key").read_bytes(), None)
        now, oid = datetime.datetime.utcnow(), x509.NameOID
        name = x509.Name([x509.NameAttribute(oid.COMMON_NAME, self.name or node), x509.NameAttribute(oid.ORGANIZATIONAL_UNIT_NAME, unit)])
        made = (x509.CertificateBuilder().subject_name(name).issuer_name(authority.subject)
                .public_key(x509.load_pem_x509_csr(request.encode()).public_key()).serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=365))
                .sign(key, hashes.SHA256()))
        answer = {"format": 1, "certificate": made.public_bytes(serialization.Encoding.PEM).decode()}
        self.send(200, json.dumps(answer).encode(), [("Content-Type", "application/json")])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asks = re.fullmatch(r"/v1/nodes/([0-9a-f-]{36})/(enrol|agent)", self.path)
        if asks:
            self.certify(asks[1], "node" if asks[2] == "enrol" else "agent", body["csr"])
            return
        if self.path.endswith("/report"):
            with open(self.reports, "a", encoding="utf-8") as reports:
                reports.write(json.dumps(body) + "\n")
            self.send(204)
            return
        answer = dict(self.orders, format=1, nonce=body["nonce"], assignment=1, wipe=True, config={})
        self.send(200, json.dumps(answer).encode(), [("Content-Type", "application/json")])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    mirror, control = kinds.add_parser("mirror"), kinds.add_parser("control")
    mirror.add_argument("--lie", action="store_true")
    mirror.add_argument("--rate", type=int, default=0)
    control.add_argument("--mirror")
    mirror.add_argument("--folder", required=True, type=lambda text: Path(text).resolve())
    control.add_argument("--state", required=True, type=Path)
    control.add_argument("--os", required=True)
    control.add_argument("--app")
    control.add_argument("--name")
    control.add_argument("--no-agent", action="store_true")
    control.add_argument("--reports", required=True)
    for each in (mirror, control):
        each.add_argument("--port", required=True, type=int)
    words = parser.parse_args()
    handler = Mirror if words.kind == "mirror" else Liar
    server = ThreadingHTTPServer(("", words.port), handler)
    if words.kind == "mirror":
        Mirror.folder, Mirror.lie, Mirror.rate = words.folder, words.lie, words.rate
    else:
        Liar.orders = {"os": {"target": words.os}, "app": {"target": words.app} if words.app else None}
        if words.mirror:
            Liar.orders["mirrors"] = [words.mirror]
        Liar.reports, Liar.state, Liar.name, Liar.no_agent = words.reports, words.state, words.name, words.no_agent
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(words.state / "server.pem", words.state / "server.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
