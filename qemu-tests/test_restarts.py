# SPDX-License-Identifier: GPL-2.0-or-later
"""A server's way from its users to its next boot and back into service, with HAProxy and two servers. The applications are the real
ones, and the requests go on throughout."""
import json
import re
import subprocess
import tempfile
import threading
import time

from fleet import CONTROL_UNIT, Process, description_of, http_get, wait_until
from power import give_power_control

FRONT = 8000
STEPS = ["replace", "drain", "release", "shutdown", "select", "boot", "healthy", "ready"]


def start_balancer(fleet):
    config = fleet.folder / "haproxy.cfg"
    config.write_text(fleet.control.repave("balancer", "config"))
    process = Process(["haproxy", "-db", "-f", config], fleet.folder / "haproxy.log")
    fleet.processes.append(process)
    wait_until("HAProxy answers", 20, lambda: json.loads(fleet.control.repave("balancer", "show", "--json"))["haproxies"][0]["reachable"],
               alive=process)
    return process


def describe_fleet(fleet, sockets, spare=()):
    nodes = [{"node": server.id, "hostname": server.name, **({"spare": True} if server in spare else {"group": "web"})}
             for server in fleet.servers]
    text = {"groups": {"web": {"os": "minimal", "app": "web", "minimum": 1,
                               "service": {"port": FRONT, "server_port": description_of("app-web-minimal")["app"]["ports"][0], "check": "/"}}},
            "nodes": nodes, "balancer": {"sockets": [f"unix:{sockets}/haproxy.sock"], "bind": CONTROL_UNIT}}
    file = fleet.folder / "fleet.yaml"
    file.write_text(json.dumps(text, indent=1))  # YAML, too
    print(fleet.control.repave("apply", "-f", file, "--yes"))


def node_of(fleet, server):
    return json.loads(fleet.control.repave("node", "show", server.id, "--json"))


def serves(fleet, server):
    node = node_of(fleet, server)
    seen = node["balancer"] or {}
    return node["life"] == "serving" and seen.get("state") == "ready" and seen.get("up")


class Load:
    """Requests by new users, one after the other, until stop(); what failed is in `failures`."""

    def __init__(self):
        self.count, self.failures, self.ending = 0, [], False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ending:
            try:
                status, _ = http_get(CONTROL_UNIT, FRONT, seconds=20)
                if status != 200:
                    self.failures.append(f"{time.strftime('%T')} status {status}")
            except OSError as error:
                self.failures.append(f"{time.strftime('%T')} {error!r}")
            self.count += 1
            time.sleep(0.05)

    def stop(self):
        self.ending = True
        self.thread.join()
        assert self.count > 100 and not self.failures, (self.count, self.failures[:20])
        print(f"{self.count} requests, none failed")


def order(fleet, *words):
    return json.loads(fleet.control.repave("node", *words, "--json"))


def restart_now(fleet, number):
    return json.loads(fleet.control.repave("restart", "show", str(number), "--json"))


def reach(fleet, number, *steps, seconds=200):
    """Waits until the restart is at one of these steps, and returns it."""
    return wait_until(f"restart {number} at {steps}", seconds,
                      lambda: (now := restart_now(fleet, number))["step"] in (*steps, "failed", "cancelled") and now, every=0.2)


def follow(fleet, number):
    done = reach(fleet, number, "done", "cancelled")
    assert done["step"] == "done", done
    print([(step["step"], round(step["seconds"], 1)) for step in done["steps"]])
    assert [step["step"] for step in done["steps"]] == STEPS, done
    return done


class User:
    """Somebody who is logged in, with a terminal."""

    def __init__(self, fleet, server):
        self.log = fleet.folder / f"user-{server.index}.log"
        words = fleet.ssh_words(server, "echo here; sleep 1000")
        with open(self.log, "wb") as out:
            self.child = subprocess.Popen([*words[:1], "-tt", *words[1:]], stdin=subprocess.PIPE, stdout=out, stderr=out)
        wait_until("log-in", 60, lambda: "here" in self.said())

    def said(self):
        return self.log.read_text(errors="replace")


def boot_id(fleet, server):
    return node_of(fleet, server)["agent"]["boot_id"]


def test_restarts_lose_no_request_and_obey_their_operator(fleet):
    # A build folder's path may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="repave-") as sockets:
        restart_servers(fleet, sockets)


def restart_servers(fleet, sockets):
    first, second = servers = fleet.server(1, medium="direct"), fleet.server(2, medium="direct")
    fleet.control.start()
    fleet.default("minimal", "web")
    for server in servers:
        server.start()
    for server in servers:
        server.wait_for(r"^repave: healthy")
    describe_fleet(fleet, sockets)
    start_balancer(fleet)
    for server in servers:
        wait_until(f"{server.name} serves", 60, lambda server=server: serves(fleet, server))
    load = Load()
    before = [boot_id(fleet, server) for server in servers]

    # One of two: users go to the other one, and it comes back by itself.
    done = follow(fleet, order(fleet, "reimage", first.id, "--reason", "test")["id"])
    assert done["spare"] is None and done["by"] == "uid 0" and done["reason"] == "test"
    assert boot_id(fleet, first) != before[0] and boot_id(fleet, second) == before[1]

    # A cancelled drain cancels the reboot.
    user = User(fleet, second)
    wait_until("the user is counted", 30, lambda: node_of(fleet, second)["agent"]["users"] == 1)
    number = order(fleet, "reboot", second.id)["id"]
    reach(fleet, number, "release")
    wait_until("drained", 10, lambda: not serves(fleet, second))
    time.sleep(3)
    assert restart_now(fleet, number)["step"] == "release" and user.child.poll() is None
    assert order(fleet, "cancel", second.id)["step"] == "cancelled"
    wait_until("it serves again", 20, lambda: serves(fleet, second))
    user.child.stdin.write(b"\n")
    assert boot_id(fleet, second) == before[1] and user.child.poll() is None

    # The urgency is raised while it waits: asked first, then thrown out.
    number = order(fleet, "reboot", second.id)["id"]
    reach(fleet, number, "release")
    order(fleet, "urgency", second.id, "notify")
    wait_until("notice on the terminal", 15, lambda: "This server restarts" in user.said())
    assert user.child.poll() is None
    raised = time.monotonic()
    order(fleet, "urgency", second.id, "evict")
    user.child.wait(20)
    reach(fleet, number, "shutdown", "select", "boot", "healthy", "ready", "done")
    print(f"thrown out and shutting down {time.monotonic() - raised:.1f} s after the order")
    follow(fleet, number)

    # The only server: its spare serves before it is drained, and is a spare again afterwards.
    describe_fleet(fleet, sockets, spare=[second])
    wait_until("the other one is a spare", 30, lambda: node_of(fleet, second)["life"] == "spare")
    bmc = give_power_control(fleet, first)
    done = follow(fleet, order(fleet, "reboot", first.id)["id"])
    assert done["spare"] == second.id and bmc.posts() in (["On"], ["ForceOff", "On"]), bmc.posts()
    wait_until("the other one is a spare again", 60, lambda: node_of(fleet, second)["life"] == "spare")

    # An agent that doesn't obey: the power is cut, and it is verified by another boot id.
    before = boot_id(fleet, first)
    fleet.ssh(first, "killall -STOP agent")
    done = follow(fleet, order(fleet, "reboot", first.id, "--urgency", "evict", "--limit", "stop=3s")["id"])
    assert boot_id(fleet, first) != before and bmc.posts()[-2:] == ["ForceOff", "On"], bmc.posts()
    load.stop()
    events = json.loads(fleet.control.repave("event", "list", "--node", first.id, "--most", "200", "--json"))
    told = [event["data"]["step"] for event in events if event["kind"] == "restart" and event["data"]["restart"] == done["id"]]
    assert told == ["begin", *STEPS[1:], "done"], told
    assert not re.search("ERROR|Sanitizer", fleet.control.log()), fleet.control.log()
