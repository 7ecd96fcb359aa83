#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet with spares that decides by itself: the requirements' figure 4 (docs/examples/fig4.yaml), or another fleet file of that kind.

Everything is real: repaved, QEMU guests, HAProxy, Redfish over TLS, nginx and Redis. Each guest has an address of the loopback of its
own, so that no privilege is needed, and whoever runs it can ask its application."""
import csv
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

import yaml

import fleet
import scenes
from fleet import BUILD, Failure, Process, near, wait_until
from power import Machine, give_power_control

# What stage 1 of Debian needs to hold kernel and initramfs twice while it jumps; minimal is half of that.
MEMORY = 768
# What the spares have on their disks beforehand, so that one of each kind is quickly there; either can become anything.
# s5 has what s3 runs: it takes its place without a boot. s6 has an OS alone, and boots for whatever it is to do.
WARM = {"s5": ("debian", "web"), "s6": ("minimal", None)}
# Events that say again what the watch sees by itself, or nothing to whoever looks on.
QUIET = ("power", "balancer-replayed", "balancer-back", "balancer-lost", "balancer-want", "balancer-configuration", "fleet-applied")


class Hardware(Machine):
    """A server whose power supply may break: its BMC answers, and nothing follows."""
    broken = False

    def switch_on(self):
        if not self.broken:
            super().switch_on()

    def break_down(self):
        self.broken = True
        self.server.power_cut()

    def repair(self):
        self.broken = False


class Watch(threading.Thread):
    """What happens, as an operator sees it, with the times at which this machine's clock saw it: decisions and events of the control
    unit, what HAProxy does with each server, and power. `moments` are (seconds, server or "", what)."""

    def __init__(self, figure):
        super().__init__(daemon=True)
        self.figure, self.moments, self.ending, self.trouble = figure, [], False, None
        self.decided, self.seen, self.powered = 0, {}, {name: bool(machine.pid()) for name, machine in figure.machines.items()}
        self.names = {server.id: name for name, server in figure.servers.items()}
        events = figure.api("/events?most=1")["events"]
        self.after = events[-1]["sequence"] if events else 0
        self.begun = time.monotonic()
        self.start()

    def begin(self):
        """Times count from now on."""
        self.begun = time.monotonic()
        return self.begun

    def note(self, name, text):
        now = time.monotonic()
        self.moments.append((now, name, text))
        print(f"{now - self.begun:7.1f} s  {name:3} {text}", flush=True)

    def look_at_events(self):
        for event in self.figure.api(f"/events?after={self.after}&most=100")["events"]:
            self.after = event["sequence"]
            if event["kind"] not in QUIET:
                name = self.names.get(event["node"], "")
                self.note(name, re.sub(rf"^(\w+) {name}(: |, )", r"\1\2", event["text"]))

    def look_at_decisions(self):
        for entry in self.figure.api(f"/decisions?after={self.decided}&most=100")["decisions"]:
            self.decided = entry["sequence"]
            by = f" by {entry['spare_name']}" if entry["spare"] else ""
            self.note(self.names.get(entry["node"], ""), f"DECISION ({entry['verdict']}, rule \"{entry['rule']}\"): {entry['action']}{by}: {entry['reason']}")

    def look_at_haproxy(self):
        now = {row["name"]: (row["pxname"], row["status"]) for row in self.figure.haproxy_servers()}
        for name in {**self.seen, **now}:
            if self.seen.get(name) != now.get(name):
                group, status = now.get(name, (None, None))
                self.note(name, f"HAProxy: {group}: {status}" if group else "HAProxy: no server any more")
        self.seen = now

    def look_at_power(self):
        for name, machine in self.figure.machines.items():
            if self.powered[name] != bool(machine.pid()):
                self.powered[name] = not self.powered[name]
                self.note(name, f"power {'on' if self.powered[name] else 'off'}")

    def run(self):
        while not self.ending:
            try:
                self.look_at_power()
                self.look_at_haproxy()
                self.look_at_decisions()
                self.look_at_events()
            except Exception as error:  # whatever it is, the scene that relies on it fails
                self.trouble = error
                return
            time.sleep(0.05)

    def when(self, name, pattern, since):
        """Seconds by the monotonic clock at which it was first seen after `since`; None: not yet."""
        return next((at for at, who, what in list(self.moments) if at >= since and who == name and re.search(pattern, what)), None)

    def stop(self):
        self.ending = True
        self.join()


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Figure:
    """The fleet of a fleet file. `warm`: images that spares are provisioned with beforehand, by host name."""

    def __init__(self, folder, document, warm=None, medium="direct", memory=MEMORY):
        self.folder, self.document, self.warm, self.medium, self.memory = Path(folder), document, warm or {}, medium, memory
        self.folder.mkdir(parents=True, exist_ok=True)
        self.control = fleet.ControlUnit(self.folder, address="127.0.0.1", repository=BUILD / "repository")
        self.haproxy = self.watch = None
        self.servers, self.machines, self.bmcs = {}, {}, {}
        # A build folder's path may be too long for a socket.
        self.sockets = tempfile.mkdtemp(prefix="repave-fig4-", dir="/tmp")
        self.key = self.folder / "id_ed25519"
        if not self.key.exists():
            fleet.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "fig4", "-f", self.key])
        key = self.key.with_suffix(".pub").read_text().strip()
        document["balancer"]["sockets"] = [f"unix:{self.sockets}/haproxy.sock"]
        for entry in document["nodes"]:
            entry["ssh_authorized_keys"] = [key]
            self.servers[entry["hostname"]] = self.make_server(entry)

    def make_server(self, entry):
        address, number = entry["address"], int(entry["mac"].split(":")[-1], 16)
        ports = {group["service"]["server_port"] for group in self.document["groups"].values()}
        forwards = "".join(f",hostfwd=tcp:{address}:{port}-:{port}" for port in sorted(ports))
        server = fleet.Server(self.folder / entry["hostname"], number,
                              f"user,id=net0,tftp={BUILD}/boot/tftp,bootfile=pxelinux.0,hostfwd=tcp:{address}:10022-:22{forwards}",
                              medium=self.medium, memory=self.memory)
        server.name, server.address = entry["hostname"], address
        return server

    def api(self, path):
        connection = Unix(near(self.control.state / "control.sock"))
        try:
            connection.request("GET", f"/v1{path}")
            answer = connection.getresponse()
            text = answer.read()
            if answer.status != 200:
                raise Failure(f"GET {path}: {answer.status} {text[:300]}")
            return json.loads(text)
        finally:
            connection.close()

    def apply(self, document=None):
        file = self.folder / "fleet.yaml"
        file.write_text(yaml.safe_dump(document or self.document, sort_keys=False))
        return self.control.repave("apply", "-f", file, "--yes")

    def node(self, name):
        return self.api(f"/nodes/{self.servers[name].id}")

    def start(self):
        """Power on to everybody at work. Returns the seconds that it took."""
        begun = time.monotonic()
        self.control.start()
        for server in self.servers.values():
            server.start()
        wait_until("all servers have enrolled", scenes.PATIENCE, lambda: len(self.api("/nodes")["nodes"]) == len(self.servers))
        print(f"{time.monotonic() - begun:7.1f} s  {len(self.servers)} servers have enrolled, and wait for work", flush=True)
        for name, server in self.servers.items():
            self.machines[name] = Hardware(server)
            self.bmcs[name] = give_power_control(self, server, self.machines[name])
        for name, (system, app) in self.warm.items():
            self.control.repave("assign", self.servers[name].id, "--os", system, *(["--app", app] if app else []), "--ssh-key", f"{self.key}.pub")
        # Six boots at once on two processors look like failures: until they are over it only says what it would do.
        self.apply({**self.document, "decisions": {**self.document["decisions"], "mode": "advise"}})
        self.start_haproxy()
        self.watch = Watch(self)
        waiting = list(self.servers)
        while waiting:
            name = wait_until(f"{', '.join(waiting)}: at work", scenes.PATIENCE, lambda: next((name for name in waiting if self.is_settled(name)), None))
            waiting.remove(name)
            node = self.node(name)
            print(f"{time.monotonic() - begun:7.1f} s  {name}: {node['life']}, {node['app'] or 'no application'} on {node['os']}", flush=True)
        self.apply({"decisions": self.document["decisions"]})
        return time.monotonic() - begun

    def start_haproxy(self):
        program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "/usr/sbin/haproxy"
        file = self.folder / "haproxy.cfg"
        file.write_text(self.control.repave("balancer", "config", "--unprivileged"))
        self.haproxy = Process([program, "-db", "-f", file], self.folder / "haproxy.log")
        wait_until("HAProxy listens", 20, lambda: os.path.exists(f"{self.sockets}/haproxy.sock"), every=0.05, alive=self.haproxy)

    def haproxy_servers(self):
        """The rows of HAProxy's servers in `show stat`."""
        with socket.socket(socket.AF_UNIX) as stats:
            stats.settimeout(10)
            stats.connect(f"{self.sockets}/haproxy.sock")
            stats.sendall(b"show stat\n")
            text = b"".join(iter(lambda: stats.recv(65536), b"")).decode().lstrip("# ")
        names = {server.id: name for name, server in self.servers.items()}
        rows = [dict(row, name=names.get(row["svname"])) for row in csv.DictReader(text.splitlines()) if row["pxname"] in self.document["groups"]]
        return [row for row in rows if row["name"]]

    def is_settled(self, name):
        """It serves users, or is a spare that has booted."""
        node = self.node(name)
        return node["life"] == "spare" and node["agent"] is not None if node["group"] is None else self.serves(name)

    def serves(self, name, group=None):
        node = self.node(name)
        seen = node["balancer"] or {}
        return bool(node["life"] == "serving" and seen.get("state") == "ready" and seen.get("up") and group in (None, node["group"]))

    def members(self, group):
        return [name for name in self.servers if self.node(name)["group"] == group]

    def spares(self):
        return [name for name in self.servers if self.node(name)["life"] == "spare"]

    def memory_of_guests(self):
        """MiB of this machine that the guests hold."""
        pids = [machine.pid() for machine in self.machines.values() if machine.pid()]
        sizes = [re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1] for pid in pids]
        return sum(map(int, sizes)) / 1024

    def ssh(self, name, command):
        """What the command printed, run as root on the server."""
        return fleet.run(["ssh", "-i", self.key, "-p", "10022", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                          "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20",
                          f"root@{self.servers[name].address}", command])

    def stop(self):
        if self.watch:
            self.watch.stop()
        for server in self.servers.values():
            server.stop()
        if self.haproxy:
            self.haproxy.stop()
        self.control.stop()
        shutil.rmtree(self.sockets, ignore_errors=True)


# ---------------------------------------------------------------- make run FLEET=fig4

FOLDER = BUILD / "run-fig4"
EXAMPLE = fleet.ROOT / "docs/examples/fig4.yaml"
MEMORY_OF_GUEST = 1.15  # what a guest of MEMORY takes of this machine, with QEMU's own


def refuse(text):
    print(f"error: {text}", file=sys.stderr)
    sys.exit(2)


def check_machine(document, memory):
    """What is missing is said before anything starts."""
    images = (BUILD / "images/names").read_text().split()
    for group in document["groups"].values():
        for image in (f"os-{group['os']}", f"app-{group['app']}-{group['os']}"):
            if image not in images:
                refuse(f"FLEET=fig4 needs the image {image}, which isn't configured; choose it with 'make menuconfig'")
    needed = len(document["nodes"]) * memory * MEMORY_OF_GUEST
    available = int(re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())[1]) / 1024
    if available < needed:
        refuse(f"{len(document['nodes'])} guests need {needed:.0f} MiB of memory, and {available:.0f} MiB are free; none was started")
    if not shutil.which("hey"):
        refuse("hey, which sends the requests, isn't installed; 'make deps' installs it")


def play(figure):
    """All scenes, in the order of the requirements. Returns what was measured."""
    measured = {"failure": scenes.failure(figure, "s3")}
    crowd = scenes.clients.Crowd(scenes.port_of(figure, "cache-minimal"))
    measured["peak"] = scenes.peak(figure, "cache-minimal", crowd, 25)
    measured["lull"] = scenes.lull(figure, "cache-minimal", crowd, powered_off=True)
    scenes.repair(figure, "s3")
    measured["reimage"] = scenes.reimage(figure, first=240)
    measured["intrusion"] = scenes.intrusion(figure, "s1")
    return measured


def show(figure):
    print(f"\nThe guests hold {figure.memory_of_guests() / 1024:.1f} GiB of memory.\n" + figure.control.repave("nodes"))
    state = figure.control.state
    print(f"  {BUILD}/bin/repave --state {state} decisions\n  {BUILD}/bin/repave --state {state} balancer show\n"
          f"  curl -H 'X-Repave-OS: debian' http://127.0.0.1:{fleet.APP_HOST_PORT}/\n", flush=True)


def main():
    fleet_name, memory = os.environ.get("FLEET"), os.environ.get("MEMORY") or str(MEMORY)
    if fleet_name != "fig4":
        refuse(f"FLEET={fleet_name}: no such fleet; there is: fig4")
    if not memory.isdigit() or not 512 <= int(memory) <= 65536:
        refuse(f"MEMORY={memory}: a number of MiB from 512 to 65536 is expected")
    document = yaml.safe_load(EXAMPLE.read_text())
    check_machine(document, int(memory))
    shutil.rmtree(FOLDER, ignore_errors=True)
    figure = Figure(FOLDER, document, WARM, os.environ.get("MEDIUM") or "direct", int(memory))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        fleet.check_address()
        print(f"Six servers in QEMU, each with {memory} MiB; load of this machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
        figure.start()
        show(figure)
        measured = play(figure)
        show(figure)
        (FOLDER / "report.json").write_text(json.dumps(measured, indent=2) + "\n")
        if os.environ.get("ONCE") != "1":
            print("The servers keep running; Ctrl-C ends them.", flush=True)
            signal.pause()
    except Failure as failure:
        print(f"\nerror: {failure}\nThe consoles are in {FOLDER}/s*/console.log, the control unit's log is {FOLDER}/repaved.log", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    finally:
        figure.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
