# SPDX-License-Identifier: GPL-2.0-or-later
"""A control unit for the agent's tests: a real TLS server with client certificates that speaks the channel of docs/protocol.md, and
misbehaves on request. Each status that came is in `statuses`."""
import datetime
import json
import os
import socket
import ssl
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NAME = "control.repave.internal"


class Authority:
    """A fleet CA: P-256, as control/pki.c makes it."""

    def __init__(self):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Repave fleet CA")])
        self.certificate = self.sign(self.key.public_key(), self.name, ca=True)

    def sign(self, public, name, ca=False, usage=None, dns=None, start=-60, end=3600):
        now = datetime.datetime.utcnow()
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(public).serial_number(
            x509.random_serial_number()).not_valid_before(now + datetime.timedelta(seconds=start)).not_valid_after(
            now + datetime.timedelta(seconds=end)).add_extension(x509.BasicConstraints(ca, None), True)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        if dns:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, folder, dns=NAME, usage=ExtendedKeyUsageOID.SERVER_AUTH, **dates):
        return self._pair(folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, dns)]), usage=usage, dns=dns, **dates)

    def agent(self, folder, node, **dates):
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "agent"),
                          x509.NameAttribute(NameOID.COMMON_NAME, node)])
        return self._pair(folder, name, usage=ExtendedKeyUsageOID.CLIENT_AUTH, **dates)

    def _pair(self, folder, name, **more):
        """Writes ca.pem, certificate.pem and key.pem."""
        os.makedirs(folder, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        pem = serialization.Encoding.PEM
        texts = {"ca.pem": self.certificate.public_bytes(pem),
                 "certificate.pem": self.sign(key.public_key(), name, **more).public_bytes(pem),
                 "key.pem": key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())}
        for file, text in texts.items():
            with open(os.open(f"{folder}/{file}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
                out.write(text)
        return folder

    def renew(self, csr_pem):
        csr = x509.load_pem_x509_csr(csr_pem.encode())
        if not csr.is_signature_valid:
            raise ValueError("the request isn't signed by its key")
        return csr, self.sign(csr.public_key(), csr.subject, usage=ExtendedKeyUsageOID.CLIENT_AUTH,
                              end=86400).public_bytes(serialization.Encoding.PEM).decode()


class ControlUnit:
    def __init__(self, folder, client_ca, port=0, interval=1):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{folder}/certificate.pem", f"{folder}/key.pem")
        self.context.load_verify_locations(f"{client_ca}/ca.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.interval = interval
        self.lock = threading.Condition()
        self.statuses = []      # (time, status)
        self.orders = []        # sent until answered, or `sticky` times
        self.sent = set()       # these don't end the holding of a status again
        self.sticky = {}
        self.answers = {}       # order -> all its answers
        self.acknowledge = True
        self.raw = None         # bytes instead of the next answer
        self.behaviour = "hold" # hold, silent, drip
        self.connections = 0
        self.refused = []       # TLS failures
        self.renewals = []
        self.logs = []
        self.verdict = None     # on what a user asks for
        self.task = None        # what a TPM is to prove; None: this control unit knows nothing of TPMs
        self.proofs = []        # ("attest" or "quote", body)
        self.judgement = {"format": 1, "attested": True, "text": "all is as expected"}
        self.authority = None
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", port))
        self.port = self.listener.getsockname()[1]
        self.alive = True
        threading.Thread(target=self._accept, daemon=True).start()

    # ---------------------------------------------------------------- what tests say and ask
    def order(self, number, action, seconds=60, times=0, **more):
        with self.lock:
            self.orders.append({"order": number, "expires": int(time.time()) + seconds, "action": action, **more})
            self.sticky[number] = times
            self.lock.notify_all()

    def answer_to(self, number, timeout=10.0):
        """The first answer to an order."""
        self.wait(lambda: number in self.answers, timeout, f"an answer to order {number}")
        return self.answers[number][0]

    def wait(self, condition, timeout, what):
        end = time.monotonic() + timeout
        with self.lock:
            while True:
                result = condition()
                if result:
                    return result
                if not self.lock.wait(max(0.0, min(0.2, end - time.monotonic()))) and time.monotonic() >= end:
                    raise AssertionError(f"no {what} in {timeout} s")

    def alarms(self, kind=None):
        seen = {}
        for _, status in self.statuses:
            for alarm in status["alarms"]:
                seen[alarm["sequence"]] = alarm
        return [alarm for alarm in seen.values() if kind in (None, alarm["kind"])]

    def alarm(self, kind, text, timeout=15.0):
        return self.wait(lambda: [a for a in self.alarms(kind) if text in a["text"]], timeout, f"alarm {kind} with {text!r}")

    def next_status(self, timeout=15.0):
        count = len(self.statuses)
        self.wait(lambda: len(self.statuses) > count, timeout, "status")
        return self.statuses[-1][1]

    def stop(self):
        if not self.alive:
            return
        self.alive = False
        # shutdown: only that wakes the thread that waits in accept.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    # ---------------------------------------------------------------- connections
    def _accept(self):
        while self.alive:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(raw,), daemon=True).start()

    def _serve(self, raw):
        try:
            with self.context.wrap_socket(raw, server_side=True) as connection:
                with self.lock:
                    self.connections += 1
                    self.open.add(connection)
                while self.alive and self._request(connection):
                    pass
        except (OSError, ssl.SSLError, ValueError) as error:
            with self.lock:
                self.refused.append(str(error))

    @staticmethod
    def _read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return None, None, None
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        while len(body) < int(fields["content-length"]):
            body += connection.recv(65536)
        return lines[0], fields, body

    def _request(self, connection):
        line, fields, body = self._read(connection)
        if line is None:
            return False
        assert fields["host"] == NAME, fields
        assert len(body) <= 65536
        subject = dict(item[0] for item in connection.getpeercert()["subject"])
        method, path, version = line.split(" ")
        base = f"/v1/agents/{subject['commonName']}/"
        assert (method, version) == ("POST", "HTTP/1.1") and subject["organizationalUnitName"] == "agent", line
        if path in (base + "attest", base + "quote"):
            return self._proof(connection, path[len(base):], json.loads(body))
        return {base + "certificate": self._certificate, base + "status": self._status, base + "log": self._log}[path](connection, json.loads(body))

    def _proof(self, connection, kind, body):
        with self.lock:
            self.proofs.append((kind, body))
            self.lock.notify_all()
        if self.task is None:
            return self._send(connection, {"error": "no such call"}, "404 Not Found")
        return self._send(connection, self.task if kind == "attest" else self.judgement)

    def _log(self, connection, log):
        with self.lock:
            self.logs.append(log)
        return self._send(connection, {"format": 1})

    def _certificate(self, connection, request):
        csr, pem = self.authority.renew(request["csr"])
        with self.lock:
            self.renewals.append(csr)
        return self._send(connection, {"format": 1, "certificate": pem})

    def _status(self, connection, status):
        with self.lock:
            self.statuses.append((time.monotonic(), status))
            for answer in status["answers"]:
                self.answers.setdefault(answer["order"], []).append(answer)
            self.lock.notify_all()
            end = time.monotonic() + (1 if self._due() else self.interval)
            while self.alive and all(o["order"] in self.sent for o in self._due()) and time.monotonic() < end and self.raw is None:
                self.lock.wait(0.05)
            while self.alive and self.behaviour == "silent":
                self.lock.wait(0.2)
            due = self._due()
            self.sent.update(order["order"] for order in due)
            for order in due:
                self.sticky[order["order"]] -= 1
            raw, self.raw = self.raw, None
        if not self.alive:
            return False
        if raw is not None:
            connection.sendall(raw)
            return False
        acknowledged = max((a["sequence"] for a in status["alarms"]), default=0) if self.acknowledge else 0
        answer = {"format": 1, "acknowledged": acknowledged, "interval": self.interval, "orders": due}
        if "request" in status and self.verdict:
            answer["request"] = self.verdict
        return self._send(connection, answer)

    def _due(self):
        """Until answered, and `times` times in any case."""
        return [o for o in self.orders if o["order"] not in self.answers or self.sticky[o["order"]] > 0]

    def _send(self, connection, answer, status="200 OK"):
        body = json.dumps(answer).encode()
        data = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status.encode(), len(body)) + body
        if self.behaviour == "drip":
            for byte in data:
                connection.sendall(bytes([byte]))
                time.sleep(0.01)
        else:
            connection.sendall(data)
        return True
