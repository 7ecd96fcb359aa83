# SPDX-License-Identifier: GPL-2.0-or-later
"""A server stays in the operator's hands when its network is cut, and when its system hangs: out of band."""
import json
import time

from fleet import wait_until
from power import Machine, give_power_control


class CutOff(Machine):
    """A server whose cable is unplugged, and stays so over a power cycle, until somebody plugs it in."""
    cut = False

    def plug(self, is_in):
        self.cut = not is_in
        self.server.qmp("set_link", name="net0", up=is_in)

    def is_on(self):
        try:
            return self.server.qmp("query-status")
        except OSError:  # the socket is there, and isn't listened at yet
            return None

    def switch_on(self):
        super().switch_on()
        if self.cut:
            wait_until("the machine is on", 10, self.is_on, every=0.05)
            self.plug(False)


def show(fleet, server):
    return json.loads(fleet.control.repave("node", "show", server.id, "--json"))


def wait_for_life(fleet, server, *lives, seconds=60):
    begun = time.monotonic()
    node = wait_until(f"{server.name} is {lives}", seconds, lambda: (now := show(fleet, server))["life"] in lives and now, every=0.2)
    print(f"{node['life']} after {time.monotonic() - begun:.1f} s: {node['life_reason']}")
    return node


def restart(fleet, number):
    return json.loads(fleet.control.repave("restart", "show", str(number), "--json"))


def reach(fleet, number, step, seconds=120):
    now = wait_until(f"restart {number} at {step}", seconds, lambda: (now := restart(fleet, number))["step"] in (step, "failed") and now, every=0.2)
    assert now["step"] == step, now
    return now


def reboot(fleet, server, *words):
    return json.loads(fleet.control.repave("node", "reboot", server.id, *words, "--json"))["id"]


def test_cut_off_or_hung_it_is_restarted_out_of_band(fleet):
    """No hardware watchdog here, which would restart a hung system by itself after half a minute (test_slots): that is the first net,
    and this is the one for machines without it, and for operators who can't wait."""
    server = fleet.server(medium="direct")
    fleet.control.start()
    fleet.control.repave("settings", "interval=1")
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"^repave: healthy")
    machine = CutOff(server)
    first = wait_for_life(fleet, server, "serving", seconds=200)["agent"]["boot_id"]
    bmc = give_power_control(fleet, server, machine)

    # The cable of the only network card.
    machine.plug(False)
    wait_for_life(fleet, server, "suspect", seconds=30)
    wait_for_life(fleet, server, "failed", seconds=30)
    number = reboot(fleet, server, "--reason", "no network")
    now = reach(fleet, number, "boot")
    wait_until("the BMC switched it off and on", 10, lambda: bmc.posts() == ["ForceOff", "On"], every=0.1)
    print([(step["step"], round(step["seconds"], 1)) for step in now["steps"]])
    server.wait_for(r"stage 1 starts")
    assert restart(fleet, number)["step"] == "boot", "nothing says that it booted"
    machine.plug(True)
    reach(fleet, number, "done")
    second = wait_for_life(fleet, server, "serving")["agent"]["boot_id"]
    assert second != first

    # The kernel, which stays as it is: it doesn't even restart after a panic.
    fleet.ssh(server, "echo 0 >/proc/sys/kernel/panic; (sleep 1; echo c >/proc/sysrq-trigger) </dev/null >/dev/null 2>&1 &")
    server.wait_for(r"end Kernel panic")
    wait_for_life(fleet, server, "suspect", "failed", seconds=30)
    number = reboot(fleet, server, "--urgency", "evict")
    reach(fleet, number, "done")
    third = wait_for_life(fleet, server, "serving")["agent"]["boot_id"]
    # On a busy machine the boot takes so long that it is switched on once more, which changes nothing.
    posts = bmc.posts()
    assert third not in (first, second) and posts.count("ForceOff") == 2 and posts[-1] == "On", (first, second, third, posts)
    events = json.loads(fleet.control.repave("event", "list", "--node", server.id, "--most", "200", "--json"))
    lives = [event["data"]["to"] for event in events if event["kind"] == "life"]
    assert lives[lives.index("suspect"):][:2] == ["suspect", "failed"] and lives[-1] == "serving", lives
    assert [event["kind"] for event in events].count("power") >= 4, events
