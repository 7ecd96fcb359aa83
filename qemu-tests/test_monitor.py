# SPDX-License-Identifier: GPL-2.0-or-later
"""A monitor on a host of its own, between the control unit and a server: it is watched and restarted by way of that."""
import json
import os
import re

import pytest

from fleet import BUILD, Process, run, wait_until

HOST, PORT = "10.0.2.50", 8453


def other_host(fleet):
    """A process in a network namespace of its own, with a cable to the fleet's network."""
    own = os.readlink("/proc/self/ns/net")
    host = Process(["unshare", "-n", "sleep", "10000"], fleet.folder / "host.log")
    fleet.processes.append(host)
    wait_until("another host", 10, lambda: os.readlink(f"/proc/{host.child.pid}/ns/net") != own, every=0.05, alive=host)
    run(["ip", "link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns", str(host.child.pid)])
    run(["ip", "link", "set", "cable", "master", "br0", "up"])
    inside = ["nsenter", "-t", str(host.child.pid), "-n"]
    run([*inside, "ip", "address", "add", f"{HOST}/24", "dev", "eth0"])
    run([*inside, "ip", "link", "set", "eth0", "up"])
    return inside


def start_monitor(fleet, inside, credential):
    process = Process([*inside, BUILD / "bin/repave-monitor", "--credential", credential, "--control", "10.0.2.2", "--address", HOST],
                      fleet.folder / "monitor.log")
    fleet.processes.append(process)
    wait_until("the monitor is heard", 20, lambda: "connected to the control unit" in process.log.read_text(), every=0.1, alive=process)
    return process


def agent_of(fleet, server):
    return fleet.control.node(server.id)["agent"] or {}


# control/test/monitor-works has the real agent and another host in `make test`; here it is a whole server.
@pytest.mark.long
def test_server_is_restarted_by_way_of_a_monitor_on_another_host(fleet):
    server = fleet.server(1, medium="direct")
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    credential = fleet.folder / "m1.pem"
    fleet.control.repave("monitor", "create", "m1", "--address", f"{HOST}:{PORT}", "--file", credential)
    monitor = start_monitor(fleet, other_host(fleet), credential)
    server.wait_for(r"^repave: healthy")
    fleet.control.repave("node", "monitor", server.id, "m1")
    wait_until("it is heard by way of the monitor", 60, lambda: agent_of(fleet, server).get("monitor") == "m1")
    wait_until("it serves", 30, lambda: fleet.control.node(server.id)["life"] == "serving")
    before = agent_of(fleet, server)["boot_id"]

    fleet.control.repave("node", "reboot", server.id, "--urgency", "evict", "--follow")
    assert agent_of(fleet, server)["boot_id"] != before
    assert re.search(r"order \d+ \(reboot\): control unit -> monitor m1 -> agent", fleet.control.log())
    events = json.loads(fleet.control.repave("event", "list", "--node", server.id, "--most", "200", "--json"))
    assert [e for e in events if e["kind"] == "order" and e["data"]["action"] == "reboot" and e["data"]["monitor"] == "m1"], events
    wait_until("the next boot goes by it, too", 60, lambda: agent_of(fleet, server).get("monitor") == "m1")
    fleet.control.repave("node", "notice", server.id, "hello")

    # It dies: the server isn't lost.
    monitor.kill()
    wait_until("it is heard directly", 30, lambda: agent_of(fleet, server).get("monitor", "") is None and agent_of(fleet, server)["fresh"])
    fleet.control.repave("node", "notice", server.id, "hello")
    assert not re.search("ERROR|Sanitizer", fleet.control.log() + monitor.log.read_text()), fleet.control.log()
