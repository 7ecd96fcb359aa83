#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Baseboard management controllers for tests: OpenIPMI's ipmi_sim and a Redfish service, each before a real QEMU guest.

As a program it is the chassis of ipmi_sim: bmc.py FOLDER ADDRESS get|set WORD..."""
import base64
import contextlib
import datetime
import http.server
import ipaddress
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path


class Machine:
    """A server: a guest without a disk, whose firmware waits. It is on while its process lives."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)

    def pid(self):
        """0 when it is off."""
        try:
            pid = int((self.folder / "pid").read_text())
            return pid if b"qemu-system" in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
        except (OSError, ValueError):
            return 0

    def monitor(self, name="control"):
        """A QMP connection that is ready for commands, as a file."""
        end = time.monotonic() + 10
        while True:
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(20)
            try:
                sock.connect(str(self.folder / name))
                break
            except OSError:
                sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        file = sock.makefile("rw")
        sock.close()
        file.readline()
        self.say(file, "qmp_capabilities")
        return file

    @staticmethod
    def say(file, command):
        file.write(json.dumps({"execute": command}) + "\n")
        file.flush()
        while True:
            line = json.loads(file.readline() or '{"return": null}')
            if "return" in line or "error" in line:
                return line.get("return")

    def switch_on(self):
        if self.pid():
            return
        subprocess.run(["qemu-system-x86_64", "-accel", "tcg", "-machine", "pc", "-m", "16", "-nodefaults", "-display", "none",
                        "-pidfile", self.folder / "pid", "-daemonize",
                        *[word for name in ("control", "watch") for word in ("-qmp", f"unix:{self.folder / name},server=on,wait=off")]],
                       check=True, timeout=20, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def switch_off(self):
        pid = self.pid()
        if not pid:
            return
        with self.monitor() as file:
            self.say(file, "quit")
        end = time.monotonic() + 10
        while self.pid():
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def reset(self):
        if self.pid():
            with self.monitor() as file:
                self.say(file, "system_reset")


class Resets:
    """Counts the guest's resets, by its own word, from now on."""

    def __init__(self, machine):
        self.count = 0
        file = machine.monitor("watch")
        threading.Thread(target=self.follow, args=(file,), daemon=True).start()

    def follow(self, file):
        for line in file:
            event = json.loads(line)
            # The firmware resets the machine too.
            self.count += event.get("event") == "RESET" and event["data"]["reason"] == "host-qmp-system-reset"

    def reach(self, count):
        end = time.monotonic() + 5
        while self.count < count and time.monotonic() < end:
            time.sleep(0.01)
        return self.count == count


def chassis(folder, words):
    """What ipmi_sim asks its chassis for."""
    machine = Machine(folder)
    if words[0] == "get":
        print("".join(f"{word}:{int(word == 'power' and machine.pid() != 0)}\n" for word in words[1:]), end="")
    elif words[0] == "set":
        for word, value in zip(words[1::2], words[2::2]):
            if word == "power":
                machine.switch_on() if value == "1" else machine.switch_off()
            elif word == "reset":
                machine.reset()
            elif word == "shutdown":
                machine.switch_off()


def udp_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class IpmiSim:
    """A real ipmi_sim behind a relay that can slow down or lose what passes, and counts attempts to log in."""

    def __init__(self, folder, machine, user, password, program=Path(__file__).resolve()):
        self.folder, self.inner, self.port = Path(folder), udp_port(), None
        self.folder.mkdir()
        (self.folder / "state").mkdir()
        (self.folder / "lan.conf").write_text(f"""name "sim"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {self.inner}
    priv_limit admin
    allowed_auths_callback none md5
    allowed_auths_user none md5
    allowed_auths_operator none md5
    allowed_auths_admin none md5
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{program} {machine.folder} 0x20"
  user 2 true "{user}" "{password}" operator 10 none md5
""")
        (self.folder / "commands").write_text("mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\nmc_enable 0x20\n")
        self.start()
        self.delay, self.lose, self.logins, self.packets = 0, None, 0, 0
        self.relay()

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(["ipmi_sim", "-c", self.folder / "lan.conf", "-f", self.folder / "commands", "-s",
                                             self.folder / "state", "-n", "-d"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def relay(self):
        self.front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind(("127.0.0.1", 0))
        self.port = self.front.getsockname()[1]
        self.backs = {}
        threading.Thread(target=self.forward, daemon=True).start()

    def forward(self):
        while True:
            data, peer = self.front.recvfrom(4096)
            self.packets += 1
            # RMCP, class IPMI, RMCP+ format, payload RAKP message 1.
            self.logins += len(data) > 5 and data[4] == 6 and data[5] & 0x3f == 0x12
            if peer not in self.backs:
                back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                back.connect(("127.0.0.1", self.inner))
                self.backs[peer] = back
                threading.Thread(target=self.backward, args=(back, peer), daemon=True).start()
            if self.lose != "requests":
                time.sleep(self.delay)
                with contextlib.suppress(ConnectionRefusedError):  # it is gone
                    self.backs[peer].send(data)

    def backward(self, back, peer):
        while True:
            try:
                data = back.recv(4096)
            except ConnectionRefusedError:
                continue
            if self.lose != "answers":
                self.front.sendto(data, peer)

    def stop(self):
        self.process.kill()
        self.process.wait()


def make_ca(folder, name):
    """(CA certificate's path, server certificate and key's path) for 127.0.0.1."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    now = datetime.datetime.utcnow()

    def sign(subject, key, issuer, issuer_key, is_ca):
        builder = x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        builder = builder.issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)])).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=30))
        builder = builder.add_extension(x509.BasicConstraints(is_ca, None), True)
        if not is_ca:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        return builder.sign(issuer_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca, server = Path(folder) / f"{name}-ca.pem", Path(folder) / f"{name}.pem"
    ca.write_bytes(sign(f"{name} CA", ca_key, f"{name} CA", ca_key, True).public_bytes(pem))
    certificate = sign(name, key, f"{name} CA", ca_key, False)
    server.write_bytes(certificate.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8,
                                                                         serialization.NoEncryption()))
    return ca, server, certificate.fingerprint(hashes.SHA256()).hex()


class Redfish:
    """A BMC that speaks Redfish. `mode` is its fault; `resets` what its system can do; `seen` who asked for what."""

    def __init__(self, folder, name, machine, user, password):
        self.machine, self.user, self.password = machine, user, password
        self.ca, certificate, self.fingerprint = make_ca(folder, name)
        self.mode, self.sessions, self.has_sessions = None, {}, True
        self.seen, self.logins = [], 0
        self.resets = ["On", "ForceOff", "ForceRestart", "GracefulShutdown"]
        self.systems = ["/redfish/v1/Systems/1"]
        bmc = self

        class Handler(RedfishHandler):
            pass
        Handler.bmc = bmc
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def posts(self):
        return [what for method, path, what in self.seen if method == "POST" and "Reset" in path]

    def act(self, reset):
        if self.mode == "slow-command":
            time.sleep(1.5)
        if self.mode == "deaf":
            return
        {"On": self.machine.switch_on, "ForceOff": self.machine.switch_off, "ForceRestart": self.machine.reset,
         "PowerCycle": self.machine.reset, "GracefulShutdown": self.machine.switch_off}[reset]()


class RedfishHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bmc = None

    def log_message(self, *_):
        pass

    def send(self, status, body=None, headers=()):
        data = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def allowed(self):
        bmc = self.bmc
        if self.headers.get("X-Auth-Token") in bmc.sessions:
            return True
        basic = self.headers.get("Authorization", "")
        if basic.startswith("Basic "):
            bmc.logins += 1
            return base64.b64decode(basic[6:]).decode() == f"{bmc.user}:{bmc.password}"
        return False

    def fault(self):
        """True when the fault of the day was shown in place of an answer."""
        mode = self.bmc.mode
        if mode == "slow":
            time.sleep(0.2)
        elif mode == "hang":
            time.sleep(30)
        elif mode == "redirect":
            self.send(307, {}, [("Location", f"https://127.0.0.1:{self.bmc.elsewhere}{self.path}")])
        elif mode == "malformed" and self.command == "GET":
            self.send_response(200)
            self.send_header("Content-Length", "9")
            self.end_headers()
            self.wfile.write(b'{"x": [1,')
        elif mode == "oversized":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b" " * 65536)
        elif mode == "error":
            self.send(500, {"error": {"@Message.ExtendedInfo": [{"Message": "fan\nforged: line \u001b[31m"}]}})
        return mode in ("redirect", "oversized", "error") or (mode == "malformed" and self.command == "GET")

    def handle_one(self, method, body):
        bmc = self.bmc
        bmc.seen.append((method, self.path, body.get("ResetType") if isinstance(body, dict) else None))
        if self.fault():
            return
        if self.path == "/redfish/v1/":
            links = {"Links": {"Sessions": {"@odata.id": "/redfish/v1/SessionService/Sessions"}}} if bmc.has_sessions else {}
            self.send(200, {"@odata.id": "/redfish/v1/", "Systems": {"@odata.id": "/redfish/v1/Systems"}, **links})
        elif self.path == "/redfish/v1/SessionService/Sessions" and method == "POST":
            self.log_in(body)
        elif not self.allowed():
            self.send(401, {"error": {"message": "who are you?"}}, [("WWW-Authenticate", 'Basic realm="bmc"')])
        elif method == "DELETE":
            bmc.sessions.pop(self.headers["X-Auth-Token"])
            self.send(204)
        elif self.path == "/redfish/v1/Systems":
            self.send(200, {"Members": [{"@odata.id": path} for path in bmc.systems]})
        elif self.path == bmc.systems[0]:
            self.send(200, {"PowerState": "On" if bmc.machine.pid() else "Off", "Actions": {"#ComputerSystem.Reset": {
                "target": f"{self.path}/Actions/ComputerSystem.Reset", "ResetType@Redfish.AllowableValues": bmc.resets}}})
        elif self.path.endswith("/Actions/ComputerSystem.Reset") and body.get("ResetType") in bmc.resets:
            bmc.act(body["ResetType"])
            self.send(204)
        else:
            self.send(404, {"error": {"message": "no such resource"}})

    def log_in(self, body):
        bmc = self.bmc
        bmc.logins += 1
        if (body.get("UserName"), body.get("Password")) != (bmc.user, bmc.password):
            self.send(401, {"error": {"message": "wrong"}})
            return
        token = secrets.token_hex(16)
        bmc.sessions[token] = f"/redfish/v1/SessionService/Sessions/{len(bmc.sessions) + 1}"
        self.send(201, {"@odata.id": bmc.sessions[token]}, [("X-Auth-Token", token), ("Location", bmc.sessions[token])])

    def answer(self, method):
        try:
            size = int(self.headers.get("Content-Length", 0))
            self.handle_one(method, json.loads(self.rfile.read(size)) if size else {})
        except (OSError, ssl.SSLError):
            self.close_connection = True

    def do_GET(self):
        self.answer("GET")

    def do_POST(self):
        self.answer("POST")

    def do_DELETE(self):
        self.answer("DELETE")


if __name__ == "__main__":
    chassis(sys.argv[1], sys.argv[3:])
