# SPDX-License-Identifier: GPL-2.0-or-later
"""HAProxy and BMCs go away, hang, and come back, while orders and agents go on."""
import contextlib
import os
import random
import signal
import time
from importlib.machinery import SourceFileLoader
from pathlib import Path

from bmc import IpmiSim
from daemon import NODE, add_images, check, free_port, must
from faultbed import GONE, PASSWORD, Bed, wait
from faults_kills import Orders

balancer = SourceFileLoader("balancer_works", str(Path(__file__).resolve().parent / "balancer-works")).load_module()


class Timed(Orders):
    """Orders, with how long the slowest answer took."""

    slowest = 0.0

    def step(self):
        begun = time.monotonic()
        super().step()
        self.slowest = max(self.slowest, time.monotonic() - begun)


def check_others(bed, orders, what):
    orders.ending = True
    orders.join(30)
    wait("every order is done", lambda: set(orders.given) <= {t for a in bed.agents for t in orders.done_by(a)}, 75)
    check(f"{what}: nobody else waits for it", orders.slowest < 2, orders.slowest)
    check(f"{what}: orders go on, none twice", orders.count > 10 and not orders.verify() and not orders.odd, (orders.count, orders.odd[:2]))
    check(f"{what}: agents are answered", not any(a.failures for a in bed.agents), [a.failures for a in bed.agents])


# ------------------------------------------------------------------ HAProxy

def workers_of(haproxy):
    return [int(pid) for pid in Path(f"/proc/{haproxy.process.pid}/task/{haproxy.process.pid}/children").read_text().split()]


def hang(haproxy):
    """The socket is there and takes connections, and nobody answers."""
    pids = workers_of(haproxy)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(random.uniform(2.5, 5))
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def die(haproxy):
    haproxy.kill()
    time.sleep(random.uniform(0, 2))
    haproxy.start()


def lose_worker(haproxy):
    """The master takes all of it down; systemd would start it again."""
    for pid in workers_of(haproxy):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    haproxy.process.wait(20)
    haproxy.start()


def reload(haproxy):
    before = set(workers_of(haproxy))
    haproxy.reload()
    # One that is stopped while it hands its socket over loses it, which no control unit can mend.
    wait("HAProxy has reloaded", lambda: set(workers_of(haproxy)) - before)
    time.sleep(2)


FAULTS = {"killed": die, "worker killed": lose_worker, "reloaded": reload, "hung": hang}


def served(port, count):
    """Who answered new users; what wasn't answered is None."""
    answers = [balancer.ask(port)[:2] for _ in range(count)]
    return {word if status == 200 else None for status, word in answers}


def haproxy_away(folder, count):
    bed = Bed(folder, agents=2)
    haproxy = balancer.HAProxy(bed.unit, folder, "one", free_port())
    servers = {n: balancer.Server(n, f"s{n}") for n in (11, 12)}
    orders, counts, back = Timed(bed, "haproxy"), {}, []
    group = {"os": "minimal", "app": "web", "service": {"port": haproxy.port, "server_port": balancer.SERVER_PORT, "check": "/"}}
    try:
        add_images(bed.folder, [("app", "web", "1.0", "minimal")])
        for server in servers.values():
            server.boot(bed.unit, bed.token, up=False)
        bed.unit.must_call("PUT", "/v1/fleet", {"fleet": {"groups": {"web": group}, "balancer": {"sockets": [haproxy.socket], "bind": "127.0.0.1"},
                                                          "nodes": [{"node": s.node, "group": "web"} for s in servers.values()]}})
        haproxy.configure()
        haproxy.start()
        for server in servers.values():
            server.boot(bed.unit, bed.token)
            server.start()
        want = {server.address: balancer.READY for server in servers.values()}
        balancer.wait_states(bed.unit, "web", want, "both serve")
        orders.start()
        for number in range(count):
            name = list(FAULTS)[number % len(FAULTS)]
            victim = random.choice(list(servers.values()))
            wish = random.choice(("ready", "drain"))
            bed.unit.must_call("PUT", f"/v1/nodes/{victim.node}/balancer", {"want": wish})
            want[victim.address] = balancer.READY if wish == "ready" else balancer.DRAIN
            FAULTS[name](haproxy)
            if not any(state == balancer.READY for state in want.values()):
                bed.unit.must_call("PUT", f"/v1/nodes/{victim.node}/balancer", {"want": "ready"})
                want[victim.address] = balancer.READY
            begun, ready = time.monotonic(), {s.word for s in servers.values() if want[s.address] == balancer.READY}
            wait(f"{name}: as wanted again", lambda: balancer.states(bed.unit, "web", haproxy) == want and served(haproxy.port, 12) == ready)
            back.append(time.monotonic() - begun)
            counts[name] = counts.get(name, 0) + 1
            got = served(haproxy.port, 12)
            check(f"{name}: users reach who is ready, and nobody else", got == ready, (got, ready))
        check_others(bed, orders, "HAProxy away")
        kinds = [e["kind"] for e in bed.check_events("after HAProxy's faults")]
        check("events tell of it", {"balancer-lost", "balancer-back", "balancer-replayed"} <= set(kinds), set(kinds))
    finally:
        orders.ending = True
        for one in [haproxy, *servers.values()]:
            one.stop()
        bed.close()
    return (", ".join(f"{n} times {name}" for name, n in counts.items()) + f"; as wanted again after at most {max(back):.1f} s; {orders.count} orders"
            f" meanwhile, the slowest taken in {orders.slowest:.2f} s")


# ------------------------------------------------------------------ BMCs

CHASSIS = """#!/bin/sh
# FOLDER ADDRESS get|set WORD...: the chassis of ipmi_sim, a server that a file stands for.
folder=$1 what=$3
shift 3
while [ $# -gt 0 ]; do
	if [ "$what" = get ]; then
		echo "$1:$([ "$1" = power ] && cat "$folder/power" || echo 0)"
		shift
	else
		echo "$1 $2" >>"$folder/commands"
		[ "$1" = power ] && echo "$2" >"$folder/power"
		shift 2
	fi
done
exit 0
"""


class Chassis:
    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        (folder / "power").write_text("0\n")
        (folder / "commands").write_text("")
        self.program = folder / "chassis"
        self.program.write_text(CHASSIS)
        self.program.chmod(0o755)

    def commands(self):
        return (self.folder / "commands").read_text().split("\n")[:-1]

    def is_on(self):
        return (self.folder / "power").read_text().strip() == "1"


def gone_meanwhile(sim):
    time.sleep(random.uniform(0, 1.2))
    sim.stop()


def mute(sim):
    time.sleep(random.uniform(0, 0.8))
    sim.lose = "answers"


def deaf(sim):
    time.sleep(random.uniform(0, 0.8))
    sim.lose = "requests"


def gone_before(sim):
    sim.stop()


BMC_FAULTS = {"killed in a job": gone_meanwhile, "answers lost": mute, "requests lost": deaf, "gone before": gone_before}


def bmc_away(folder, count):
    bed = Bed(folder, agents=2)
    chassis, orders, counts, longest = Chassis(folder / "chassis"), Timed(bed, "bmc"), {}, 0.0
    sim = IpmiSim(folder / "sim", chassis, "fleet", PASSWORD, chassis.program)
    node = bed.agents[0].id
    ends = {}
    try:
        bed.unit.must_call("PUT", f"/v1/nodes/{node}/power", {"driver": "ipmi", "address": f"127.0.0.1:{sim.port}", "user": "fleet", "cipher": 3,
                                                              "password": PASSWORD, "timeout": 6})
        orders.start()
        for number in range(count):
            name, action = list(BMC_FAULTS)[number % len(BMC_FAULTS)], "off" if chassis.is_on() else "on"
            sim.delay, before, begun = random.uniform(0, 0.05), len(chassis.commands()), time.monotonic()
            if name == "gone before":
                gone_before(sim)
            job = bed.unit.must_call("POST", f"/v1/nodes/{node}/power-jobs", {"action": action})["job"]
            if name != "gone before":
                BMC_FAULTS[name](sim)
            end = wait("the job ends in its time", lambda j=job: (lambda found: found if found["result"] != "running" else None)(
                bed.unit.must_call("GET", f"/v1/power-jobs/{j}")), 12)
            longest = max(longest, time.monotonic() - begun)
            sent = len(chassis.commands()) - before
            check("one command at most", sent <= 1, (name, sent, end))
            check("what is called done was done", not end or end["result"] != "done" or (end["state"] == "on") == chassis.is_on(), (end, chassis.is_on()))
            check("what failed says why", not end or end["result"] == "done" or len(end["text"]) > 10, end)
            counts[name] = counts.get(name, 0) + 1
            if end:
                ends[end["result"]] = ends.get(end["result"], 0) + 1
            sim.lose, sim.delay = None, 0
            if sim.process.poll() is not None:
                sim.start()
            job = wait("a BMC that is back is asked", lambda: bed.unit.call("POST", f"/v1/nodes/{node}/power-jobs", {"action": "status"})[1].get("job"))
            state = wait("and answers", lambda j=job: (lambda found: found if found["result"] != "running" else None)(
                bed.unit.must_call("GET", f"/v1/power-jobs/{j}")), 12)
            check("with the state", state and state["result"] == "done" and (state["state"] == "on") == chassis.is_on(), (state, chassis.is_on()))
        check_others(bed, orders, "BMC away")
        bed.check_events("after the BMC's faults")
    finally:
        orders.ending = True
        sim.stop()
        bed.close()
    return (", ".join(f"{n} times {name}" for name, n in counts.items()) + f"; jobs {ends}, the longest {longest:.1f} s of 6; {orders.count} orders meanwhile,"
            f" the slowest taken in {orders.slowest:.2f} s")
