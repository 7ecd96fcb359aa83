# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody becomes root on a server: it is out of the balancer and off before he can do much, and comes back clean; with evidence where that is
wanted. Two servers, users throughout."""
import json
import socket
import tarfile
import tempfile
import threading
import time

from fleet import wait_until
from power import Machine, give_power_control
from test_restarts import Load, describe_fleet, node_of, reach, serves, start_balancer


class Timed(Machine):
    off = None

    def switch_off(self):
        if self.pid():
            self.off = time.time()
        super().switch_off()


class Watch:
    """When the control unit's log first has the alarm, and when HAProxy first has the server in maintenance, or not at all."""

    def __init__(self, fleet, path, server, text):
        self.log, self.path, self.id, self.text = fleet.control.log, path, server.id, text
        self.alarm = self.out = None
        self.size = len(self.log())
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def ready(self):
        with socket.socket(socket.AF_UNIX) as api:
            api.connect(self.path)
            api.sendall(b"show servers state web\n")
            lines = b"".join(iter(lambda: api.recv(65536), b"")).decode().splitlines()
        return any(words[3] == self.id and not int(words[6]) & 1 for words in map(str.split, lines) if len(words) > 6 and words[3] == self.id)

    def run(self):
        end = time.monotonic() + 120
        while time.monotonic() < end and not (self.alarm and self.out):
            now = time.time()
            if not self.alarm and self.text in self.log()[self.size:]:
                self.alarm = now
            if not self.ready():
                self.out = now
            time.sleep(0.02)


def images_of(node):
    return [(image["slot"], image["target"]) for image in node["boots"][0]["images"]] if "images" in node["boots"][0] else None


def intrude(fleet, path, server, machine, command, alarm):
    """As root, from inside. Returns the restart, and how long it took from the alarm on."""
    before = node_of(fleet, server)
    watch = Watch(fleet, path, server, alarm)
    fleet.ssh(server, command)
    watch.thread.join(120)
    assert watch.alarm and watch.out, (watch.alarm, watch.out, fleet.control.log()[-3000:])
    wait_until("its power is off", 60, lambda: machine.off and machine.off >= watch.alarm, every=0.05)
    number = next(one["id"] for one in json.loads(fleet.control.repave("restart", "list", "--json")) if one["node"] == server.id)
    done = reach(fleet, number, "done")
    assert done["step"] == "done" and done["kind"] == "cut" and done["by"] == "rule alarm", done
    print([(step["step"], round(step["seconds"], 1)) for step in done["steps"]])
    wait_until(f"{server.name} serves again", 60, lambda: serves(fleet, server))
    after = node_of(fleet, server)
    assert (after["os"], after["app"], after["assignment"]) == (before["os"], before["app"], before["assignment"]), (before, after)
    assert images_of(after) == images_of(before) and after["agent"]["boot_id"] != before["agent"]["boot_id"]
    return number, watch.out - watch.alarm, machine.off - watch.alarm


def test_intruder_is_cut_off_and_what_he_left_is_gone(fleet):
    # A build folder's path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="repave-") as sockets:
        first, second = servers = fleet.server(1, medium="direct"), fleet.server(2, medium="direct")
        fleet.control.start()
        fleet.control.repave("settings", "interval=1")
        fleet.default("minimal", "web")
        for server in servers:
            server.start()
        for server in servers:
            server.wait_for(r"^repave: healthy")
        describe_fleet(fleet, sockets)
        start_balancer(fleet)
        machines = [Timed(server) for server in servers]
        for server, machine in zip(servers, machines):
            give_power_control(fleet, server, machine)
            wait_until(f"{server.name} serves", 60, lambda server=server: serves(fleet, server))
        load = Load()
        path = f"{sockets}/haproxy.sock"

        _, out, off = intrude(fleet, path, first, machines[0], "cp /bin/busybox /root/planted; chmod 4755 /root/planted", "/root/planted gives rights")
        print(f"out of the balancer {out:.2f} s after the alarm, its power off after {off:.2f} s")
        assert out <= 1 and off <= 2, (out, off)
        assert fleet.ssh(first, "ls /root/planted 2>&1 || true").strip().endswith("No such file or directory")

        file = fleet.folder / "evidence.yaml"
        file.write_text("decisions: {evidence: 4MiB}\n")
        fleet.control.repave("apply", "-f", file, "--yes")
        number, out, off = intrude(fleet, path, second, machines[1], "echo evil >/usr/bin/evil; sleep 1000 </dev/null >/dev/null 2>&1 &",
                                   "/usr/bin/evil isn't of the image")
        print(f"with evidence: out of the balancer {out:.2f} s after the alarm, its power off after {off:.2f} s")
        assert out <= 1 and off <= 23, (out, off)
        archive = fleet.folder / "evidence.tar"
        fleet.control.repave("node", "evidence", second.id, "--fetch", str(number), archive)
        with tarfile.open(archive) as tar:
            names = tar.getnames()
            print(f"{archive.stat().st_size} bytes of evidence: {len(names)} files")
            evil = tar.extractfile("run/repave/overlay/upper/usr/bin/evil").read()
            processes = tar.extractfile("run/repave/evidence/processes").read().decode(errors="replace")
        assert evil == b"evil\n" and "sleep 1000" in processes, processes
        assert not any("shadow" in name or "host_" in name or name.startswith("run/repave/agent") for name in names), names
        assert "No such file" in fleet.ssh(second, "ls /usr/bin/evil 2>&1 || true")
        load.stop()
