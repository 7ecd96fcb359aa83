# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet for faults-work: a repaved that can be started in bad surroundings, agents that speak the real protocol, a BMC, and people who
change one thing after the other and note what was acknowledged."""
import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

from bmc import Redfish
from daemon import NODE, Daemon, Identity, boot_body, check, csr_of, must, report_body

PASSWORD = "Geh3im-und-mehr"
GONE = (OSError, ValueError, http.client.HTTPException)  # what a caller sees of a control unit that is away


def wait(what, condition, timeout=20.0):
    """What the condition gave once it held; None, with a failed check, when it never did."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        with contextlib.suppress(*GONE):
            result = condition()
            if result:
                check(what, True)
                return result
        time.sleep(0.05)
    check(what, False, f"not within {timeout} s")
    return None


class Local(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("local", timeout=20)
        self.place = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.place)


class Unit(Daemon):
    """A control unit: `before` are words before its own (a shell with limits, an environment), `left` its end at the last start."""

    def __init__(self, folder, state, repository):
        super().__init__(folder, state, repository)
        self.before, self.environment, self.start_seconds = [], {}, []

    def spawn(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.before, *map(str, self.words)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=dict(os.environ, **self.environment))
        return self.process

    def start(self):
        begun, old = time.monotonic(), self.log.stat().st_size if self.log.exists() else 0
        self.spawn()
        while b"ready on" not in self.log.read_bytes()[old:]:
            if self.process.poll() is not None or time.monotonic() - begun > 30:
                raise RuntimeError(f"repaved isn't ready, status {self.process.poll()}: {self.log.read_bytes()[old:].decode()[-3000:]}")
            time.sleep(0.005)
        self.start_seconds.append(time.monotonic() - begun)

    def try_start(self, seconds=20):
        """(status, what it said): of one that mustn't start, or that ends by itself; status None when it runs."""
        old = self.log.stat().st_size if self.log.exists() else 0
        process, end = self.spawn(), time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < end and b"ready on" not in self.log.read_bytes()[old:]:
            time.sleep(0.02)
        return process.poll(), self.log.read_bytes()[old:].decode(errors="replace")

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)

    def call(self, method, path, body=None):
        """(status, answer) of the operator at the socket; raises one of GONE."""
        connection = Local(self.state / "control.sock")
        try:
            connection.request(method, path, json.dumps(body).encode() if body is not None else None)
            answer = connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data) if data else None
        finally:
            connection.close()

    def must_call(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        if status not in (200, 202):
            raise RuntimeError(f"{method} {path}: {status} {answer}")
        return answer

    def log_of(self, kind, after=0, **more):
        """The whole audit log or all events behind a sequence number."""
        found, words = [], "".join(f"&{name}={value}" for name, value in more.items())
        while True:
            some = self.must_call("GET", f"/v1/{kind}?after={after}&most=1000{words}")[kind]
            found += some
            if len(some) < 1000:
                return found
            after = some[-1]["sequence"]


class Agent(threading.Thread):
    """A server whose system runs: one connection, a status after each answer, every order carried out once, and told until it was taken.
    Told to restart, it boots as stage 1 does, and another agent of its begins."""

    def __init__(self, unit, number, token):
        super().__init__(daemon=True)
        self.unit, self.id, self.token = unit, NODE.format(number), token
        self.ending, self.deaf, self.connection = False, False, None
        self.done, self.answers, self.executed, self.reboots = {}, [], [], 0
        self.statuses, self.failures, self.late = 0, {}, 0.0
        self.alarms, self.acknowledged, self.interval = [], 0, 0
        self.boot()

    # Stage 1
    def boot(self):
        nonce, path = secrets.token_hex(16), f"/v1/nodes/{self.id}"
        status, answer = self.unit.node("POST", f"{path}/boot", boot_body(self.id, nonce), self.token)
        if status != 200 or "assignment" not in answer:
            raise OSError(f"boot: {status} {answer}")
        self.agent = Identity(self.unit.folder / f"agent-{self.id[-4:]}.pem")
        body = json.dumps({"format": 1, "nonce": nonce, "csr": csr_of(self.agent.key)}).encode()
        status, credential = self.unit.node("POST", f"{path}/agent", body, self.token)
        if status != 200:
            raise OSError(f"agent: {status} {credential}")
        self.agent.keep(credential["certificate"])
        if self.unit.node("POST", f"{path}/report", report_body(nonce, answer["assignment"], "kexec", "boot"), self.token)[0] != 204:
            raise OSError("report")
        self.boot_id = f"{secrets.token_hex(4)}-0000-4000-8000-{secrets.token_hex(6)}"
        self.sequence, self.done, self.answers, self.alarms = 1, {}, [], []
        self.disconnect()

    def boot_until_done(self):
        while not self.ending:
            with contextlib.suppress(*GONE):
                self.boot()
                return
            time.sleep(0.1)

    # The channel
    def disconnect(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def connect(self):
        context = ssl.create_default_context(cafile=self.unit.state / "ca.pem")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.agent.path)
        self.connection = http.client.HTTPSConnection("control.repave.internal", self.unit.port, timeout=20)
        raw = socket.create_connection(("127.0.0.1", self.unit.port), timeout=20)
        self.connection.sock = context.wrap_socket(raw, server_hostname="control.repave.internal")

    def say(self):
        self.sequence += 1
        answers = list(self.answers)
        body = {"format": 1, "boot_id": self.boot_id, "sequence": self.sequence, "uptime": 5.0, "alarms": self.alarms[:32], "answers": answers,
                "measures": {"load": [0, 0, 0], "cpu": {"count": 1, "busy": 0}, "memory": {"total": 1, "available": 1},
                             "health": {"state": "none"}}}
        if not self.connection:
            self.connect()
        self.connection.request("POST", f"/v1/agents/{self.id}/status", json.dumps(body).encode())
        answer = self.connection.getresponse()
        data = json.loads(answer.read())
        if answer.status != 200:
            self.failures[answer.status] = self.failures.get(answer.status, 0) + 1
            raise OSError(f"status: {answer.status} {data}")
        self.statuses += 1
        self.answers = [a for a in self.answers if a not in answers]
        self.acknowledged, self.interval = data["acknowledged"], data["interval"]
        self.alarms = [a for a in self.alarms if a["sequence"] > data["acknowledged"]]
        return data["orders"]

    def obey(self, order):
        if order["order"] not in self.done:
            self.executed.append((order["order"], order["action"], json.dumps(order["arguments"], sort_keys=True)))
            self.done[order["order"]] = {"order": order["order"], "result": "done", "text": "obeyed"}
        if self.done[order["order"]] not in self.answers:
            self.answers.append(self.done[order["order"]])
        return order["action"] == "reboot" and order.get("boot_id") == self.boot_id

    def run(self):
        while not self.ending:
            if self.deaf:
                time.sleep(0.05)
                continue
            begun = time.monotonic()
            try:
                orders = self.say()
            except GONE:
                self.disconnect()
                time.sleep(0.1)
                continue
            self.late = max(self.late, time.monotonic() - begun)
            if any([self.obey(order) for order in orders]):
                # The real one waits for its answer to be taken, for 15 s at most.
                with contextlib.suppress(*GONE):
                    self.say()
                self.reboots += 1
                self.boot_until_done()
            time.sleep(0.2)  # as the real one: who asks more often than ten times a second is refused
        self.disconnect()

    def alarm(self, text):
        self.alarms.append({"sequence": time.monotonic_ns(), "time": 1, "kind": "file", "text": text})

    def stop(self):
        self.ending = True
        self.join(30)


class Machine:
    """A server as its BMC sees it. Behind power-works' real guests this one is quick, and counts."""

    def __init__(self):
        self.is_on = False

    def pid(self):
        return int(self.is_on)

    def switch_on(self):
        self.is_on = True

    def switch_off(self):
        self.is_on = False

    def reset(self):
        self.is_on = True


def give_bmc(unit, node, folder, name, timeout=10):
    """A Redfish BMC for a node."""
    bmc = Redfish(folder, name, Machine(), "fleet", PASSWORD)
    unit.must_call("PUT", f"/v1/nodes/{node}/power", {"driver": "redfish", "address": f"127.0.0.1:{bmc.port}", "user": "fleet",
                                                      "password": PASSWORD, "timeout": timeout, "fingerprint": bmc.fingerprint})
    return bmc


class Bed:
    """A state folder, a repository with two images, a control unit, and agents."""

    def __init__(self, folder, agents=4, interval=1, state=None):
        from daemon import add_images, tool
        self.folder, self.state = Path(folder), Path(state or Path(folder) / "state")
        must(tool("repave-sign", "init", "--no-passphrase", "--repository", self.folder / "repository", "--keys", self.folder / "keys"))
        add_images(self.folder, [("os", "minimal", "1.0"), ("os", "other", "1.0")])
        must(tool("repave", "init", "--state", self.state))
        self.token = (self.state / "join-token").read_text().strip()
        self.unit = Unit(self.folder, self.state, self.folder / "repository")
        self.unit.start()
        self.unit.must_call("PUT", "/v1/default-assignment", {"os": "minimal"})
        self.unit.must_call("PUT", "/v1/settings", {"interval": interval})
        self.agents = [Agent(self.unit, i + 1, self.token) for i in range(agents)]
        for agent in self.agents:
            agent.start()
        self.wait_serving()

    def wait_serving(self, timeout=75):
        ids = {agent.id for agent in self.agents}
        wait("all serve", lambda: all(n["life"] == "serving" for n in self.nodes() if n["id"] in ids), timeout)

    def nodes(self):
        return self.unit.must_call("GET", "/v1/nodes")["nodes"]

    def problems(self):
        return self.unit.must_call("GET", "/v1/status")["problems"]

    def metric(self, name):
        connection = Local(self.state / "control.sock")
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        return [float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)]

    def check_events(self, what):
        events = self.unit.log_of("events")
        numbers = [e["sequence"] for e in events]
        check(f"{what}: events have no gap and no duplicate", numbers == list(range(1, len(numbers) + 1)), len(numbers))
        return events

    def close(self):
        for agent in self.agents:
            agent.ending = True
        for agent in self.agents:
            agent.join(30)
        self.unit.end()


def kill(process):
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait(20)
