# SPDX-License-Identifier: GPL-2.0-or-later
"""Present users of an application that keeps their sessions on a shared H: go on at another server while theirs restarts."""
import http.client
import json
import os
import tempfile
import time

import pytest

from fleet import CONTROL_UNIT, description_of, wait_until
from test_home import NfsServer
from test_restarts import FRONT, follow, node_of, order, serves, start_balancer

# The web application counts by its log: each request of a session leaves a line in the session's file on H:, and gets those before it.
COUNTER = """
log_format hit "$cookie_user";
server {
	listen 8080;
	server_name counter;
	root /h/sessions;
	default_type text/plain;
	etag off;
	if_modified_since off;
	access_log /h/sessions/$cookie_user hit;
	add_header X-Server $server_addr always;
	location = /count {
		try_files /$cookie_user =404;
	}
}
"""


def describe(fleet, sockets, **more):
    port = description_of("app-web-minimal")["app"]["ports"][0]
    text = {"groups": {"web": {"os": "minimal", "app": "web", "minimum": 1,
                               "service": {"port": FRONT, "server_port": port, "check": "/", **more}}},
            "nodes": [{"node": server.id, "hostname": server.name, "group": "web"} for server in fleet.servers],
            "balancer": {"sockets": [f"unix:{sockets}/haproxy.sock"], "bind": CONTROL_UNIT}}
    file = fleet.folder / "fleet.yaml"
    file.write_text(json.dumps(text, indent=1))  # YAML, too
    print(fleet.control.repave("apply", "-f", file, "--yes"))


class User:
    """A browser: it keeps its cookies, and its connection while it can."""

    def __init__(self, name):
        self.cookies, self.connection, self.last = {"user": name}, http.client.HTTPConnection(CONTROL_UNIT, FRONT, timeout=20), 0

    def count(self):
        """(requests before this one, server)"""
        headers = {"Host": "counter", "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        # HAProxy ends a connection that was idle.
        if time.monotonic() - self.last > 2:
            self.connection.close()
        self.connection.request("GET", "/count", headers=headers)
        self.last = time.monotonic()
        answer = self.connection.getresponse()
        text = answer.read().decode()
        for value in answer.headers.get_all("Set-Cookie") or []:
            name, value = value.split(";")[0].split("=", 1)
            self.cookies[name] = value
        assert answer.status == 200 or (answer.status == 404 and self.cookies["user"] not in text), (answer.status, text)
        return len(text.split()) if answer.status == 200 else 0, answer.headers["X-Server"]


@pytest.mark.long
def test_counter_goes_on_at_another_server(fleet):
    with tempfile.TemporaryDirectory(prefix="repave-") as sockets:
        hand_over(fleet, sockets)


def hand_over(fleet, sockets):
    files = NfsServer(fleet)
    files.start()
    (files.folder / "sessions").mkdir()
    os.chown(files.folder / "sessions", 990, 990)
    config = fleet.folder / "counter.nginx.conf"
    config.write_text(COUNTER)
    servers = [fleet.server(n, medium="direct") for n in (1, 2)]
    fleet.control.start()
    fleet.default("minimal", "web", "--h", f"nfs:{CONTROL_UNIT}:/h", "--file", f"counter.nginx.conf={config}")
    for server in servers:
        server.start()
    for server in servers:
        server.wait_for(r"^repave: healthy")
    describe(fleet, sockets)
    start_balancer(fleet)
    for server in servers:
        wait_until(f"{server.name} serves", 60, lambda server=server: serves(fleet, server))
    user = User("anna")
    counts = []
    for _ in range(5):
        counts.append(user.count())
        time.sleep(0.3)
    place = counts[0][1]
    assert [count for count, _ in counts] == [0, 1, 2, 3, 4] and {name for _, name in counts} == {place}, counts
    here, there = sorted(servers, key=lambda server: server.address != place)
    # Nobody said that another server knows her session.
    status, said = fleet.control.repave_fails("node", "reboot", here.id, "--handover")
    assert "sessions: shared" in said and "web" in said, said
    assert node_of(fleet, here)["life"] == "serving"
    describe(fleet, sockets, sessions="shared")
    number = order(fleet, "reboot", here.id, "--handover")["id"]
    began = time.monotonic()
    while counts[-1][1] == place and time.monotonic() - began < 60:
        time.sleep(0.3)
        counts.append(user.count())
    moved = time.time()
    print(f"{counts} after {time.monotonic() - began:.1f} s")
    while len(counts) < 40:
        time.sleep(0.3)
        counts.append(user.count())
    assert [count for count, _ in counts] == list(range(40)), counts
    assert {name for _, name in counts[-20:]} == {there.address}, counts
    done = follow(fleet, number)
    release = next(step for step in done["steps"] if step["step"] == "release")
    # By the balancer, before her server stops.
    assert done["urgency"] == "handover" and moved - release["at"] < release["seconds"] < 15, (moved, done)
    # And back: her session isn't bound to where it was.
    order(fleet, "reboot", there.id, "--urgency", "handover")
    wait_until("she is back", 60, lambda: user.count()[1] == here.address)
    assert user.count()[0] > 40
