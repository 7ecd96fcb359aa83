# SPDX-License-Identifier: GPL-2.0-or-later
"""The HAProxy in front of the servers of `make run`: what an operator would do by hand, with the same commands."""
import json
import os
import shutil
import tempfile
import time

import fleet
from fleet import Failure


class Front:
    def __init__(self, folder, control, settings, description):
        self.folder, self.control, self.description = folder, control, description
        self.group, self.os, self.app = settings["app"], settings["os"], settings["app"]
        self.process, self.socket_folder = None, None

    def program(self):
        return shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "/usr/sbin/haproxy"

    def apply(self, document):
        file = self.folder / "fleet.yaml"
        file.write_text(json.dumps(document, indent=1) + "\n")  # JSON is YAML
        self.control.repave("apply", "-f", file, "--yes")

    def start(self):
        """Before any server asks: the group, and an HAProxy that waits for its servers."""
        # A build folder's path may be too long for a socket.
        self.socket_folder = tempfile.mkdtemp(prefix="repave-run-", dir="/tmp")
        health, port = self.description["app"]["health"], fleet.APP_HOST_PORT
        service = {"port": port, "mode": health["type"]}
        if health["type"] == "http":
            service["check"] = health.get("path", "/")
        self.apply({"groups": {self.group: {"os": self.os, "app": self.app, "service": service}},
                    "balancer": {"sockets": [f"unix:{self.socket_folder}/haproxy.sock"], "bind": "127.0.0.1"}})
        file = self.folder / "haproxy.cfg"
        file.write_text(self.control.repave("balancer", "config", "--unprivileged"))
        self.process = fleet.Process([self.program(), "-db", "-f", file], self.folder / "haproxy.log")

    def join(self, servers):
        """The servers, which have enrolled meanwhile, come into the group; returns what the application answers through HAProxy."""
        self.apply({"nodes": [{"node": server.id, "group": self.group, "address": f"127.0.0.1:{server.app_port}"} for server in servers]})
        end = time.monotonic() + 60
        while time.monotonic() < end:
            ready = [s for s in json.loads(self.control.repave("balancer", "show", "--json"))["servers"] if s["up"] and s["state"] == "ready"]
            answer = fleet.ask_application(self.description, "127.0.0.1", fleet.APP_HOST_PORT) if len(ready) == len(servers) else None
            if answer is not None:
                return answer
            if not self.process.alive():
                break
            time.sleep(0.2)
        raise Failure("HAProxy doesn't pass the application's answer on\n" + self.control.repave("balancer", "show") + fleet.tail(self.process.log))

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None
        if self.socket_folder:
            shutil.rmtree(self.socket_folder, ignore_errors=True)
