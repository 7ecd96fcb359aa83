# SPDX-License-Identifier: GPL-2.0-or-later
"""What befalls the fleet of fig4.py, and what the control unit does about it. Each scene prints what happens while it happens, checks
that it came out well, and returns what it measured."""
import contextlib
import copy
import time

import clients
from fleet import Failure, wait_until

PATIENCE = 900  # seconds for anything: the machine may be busy; bounds are judged by what was measured


def require(condition, text):
    if not condition:
        raise Failure(text)


@contextlib.contextmanager
def scene(figure, title):
    print(f"\n== {title}", flush=True)
    figure.watch.begin()
    yield
    if figure.watch.trouble:
        raise Failure(f"the control unit or HAProxy couldn't be watched: {figure.watch.trouble!r}")


def result(text):
    print(f"   -> {text}", flush=True)


def met(seconds, bound):
    return f"{seconds:.1f} s, bound {bound} s: {'met' if seconds <= bound else 'NOT MET'}"


def served_by(figure, group):
    """Sessions that each server of the group had since HAProxy knows it."""
    return {row["name"]: int(row["stot"]) for row in figure.haproxy_servers() if row["pxname"] == group}


def users_of(figure, group):
    entry = figure.document["groups"][group]
    port = entry["service"]["port"]
    return clients.web_users(port, entry["os"]) if entry["app"] == "web" else clients.cache_users(port)


def port_of(figure, group):
    return figure.document["groups"][group]["service"]["port"]


# ---------------------------------------------------------------- failure

STAGES = {"shutdown": "the spare is off", "boot": "it boots: kernel, stage 1, its disk is made equal to the images",
          "healthy": "kexec, operating system, application", "ready": "HAProxy sends users"}


def print_stages(figure, name, begun, noticed):
    """From the failure to service, as the control unit measured it for the one that came."""
    # One that runs the images already needs no restart.
    restarts = figure.api(f"/restarts?node={figure.servers[name].id}")["restarts"]
    steps = {step["step"]: step for step in restarts[0]["steps"]} if restarts else {}
    rows = [("silent for 6 intervals: given up", noticed - begun)]
    rows += [(text, steps[step]["seconds"]) for step, text in STAGES.items() if step in steps]
    for text, seconds in rows:
        print(f"   {text:64} {seconds:6.1f} s")


def failure(figure, name):
    """The server's power supply breaks. Another server must do its work."""
    group = figure.node(name)["group"]
    with scene(figure, f"Failure: the power supply of {name} ({group}) breaks"):
        users = users_of(figure, group)
        time.sleep(2)
        require(users.count and not users.failures, f"{group} didn't serve before: {users.failures[:3]}")
        begun = figure.watch.begin()
        figure.machines[name].break_down()
        came = wait_until(f"another server serves {group}", PATIENCE,
                          lambda: next((n for n in figure.servers if n != name and figure.serves(n, group)), None), every=0.1)
        wait_until("users are served again", 30, lambda: users.answered > begun + 1 and not (users.failures and users.failures[-1][0] > users.answered),
                   every=0.05)
        served = max((at for at, _ in users.failures), default=begun) - begun
        before = served_by(figure, group)
        time.sleep(3)
        users.stop()
        after = served_by(figure, group)
        new = {server: after[server] - before.get(server, 0) for server in after}
        require(new.get(came, 0) > 5 and not new.get(name), f"new users of {group} went to {new}")
        noticed = figure.watch.when(name, "^failed", begun) or begun
        print_stages(figure, came, begun, noticed)
        result(f"{came} serves {group}: new users went to {', '.join(f'{s}: {n}' for s, n in new.items())}; {name}: none")
        result(f"given up {noticed - begun:.1f} s after the failure; last user turned away after {met(served, 60)}")
        return {"came": came, "seconds": served, "noticed": noticed - begun}


def repair(figure, name):
    """A person puts a new power supply in, and says so."""
    with scene(figure, f"A person repairs {name}, and clears it"):
        wait_until(f"{name} isn't restarted any more", PATIENCE,
                   lambda: not figure.api(f"/restarts?active=1&node={figure.servers[name].id}")["restarts"])
        require(figure.node(name)["life"] == "failed", f"{name} has no power, and is {figure.node(name)['life']}")
        figure.machines[name].repair()
        figure.control.repave("node", "clear", figure.servers[name].id)
        figure.control.repave("node", "power", "on", figure.servers[name].id)
        wait_until(f"{name} is a spare", PATIENCE, lambda: figure.node(name)["life"] == "spare", every=0.2)


# ---------------------------------------------------------------- peak and lull

def peak(figure, group, crowd, count):
    """So many users come that the group's servers are too few."""
    with scene(figure, f"Peak: {count} users of {group} at once"):
        begun = time.monotonic()
        before = figure.members(group)
        crowd.grow(count)
        came = wait_until(f"another server joins {group}", PATIENCE,
                          lambda: next((n for n in figure.servers if n not in before and figure.serves(n, group)), None), every=0.1)
        seconds = time.monotonic() - begun
        crowd.grow(count + 5)
        crowd.ask_all()
        now = {row["name"]: int(row["scur"]) for row in figure.haproxy_servers() if row["pxname"] == group}
        require(now.get(came), f"new users of {group} went elsewhere: {now}")
        result(f"{came} serves {group} after {seconds:.1f} s; of 5 more users it has {now[came]}; nobody lost his session: {now}")
        return {"came": came, "seconds": seconds}


def lull(figure, group, crowd, powered_off):
    """The users go. What is too much becomes a spare again, without power where the fleet file says so."""
    with scene(figure, f"Lull: the users of {group} go"):
        begun = time.monotonic()
        before = figure.members(group)
        crowd.leave()
        wait_until(f"{group} has one server", PATIENCE, lambda: len(figure.members(group)) == 1, every=0.2)
        went = next(name for name in before if name not in figure.members(group))
        wait_until(f"{went} is a spare", PATIENCE, lambda: figure.node(went)["life"] == "spare", every=0.2)
        seconds = time.monotonic() - begun
        if powered_off:
            wait_until(f"{went} is switched off", PATIENCE, lambda: not figure.machines[went].pid(), every=0.2)
        result(f"{went} is a spare after {seconds:.1f} s{', and switched off ' if powered_off else ''}"
               f"{f'after {time.monotonic() - begun:.1f} s' if powered_off else ''}")
        return {"went": went, "seconds": seconds}


# ---------------------------------------------------------------- scheduled reimage

class Load:
    """Requests to every group throughout: `hey` where it is HTTP."""

    def __init__(self, figure):
        self.hey, self.users = {}, {}
        for group, entry in figure.document["groups"].items():
            if entry["app"] == "web":
                self.hey[group] = clients.Hey(f"http://127.0.0.1:{port_of(figure, group)}/", figure.folder / f"hey-{group}.log",
                                              header=f"X-Repave-OS: {entry['os']}")
            else:
                self.users[group] = users_of(figure, group)

    def stop(self):
        """[(group, requests that were answered, [what else])]"""
        rows = [(group, *hey.stop()) for group, hey in self.hey.items()]
        for group, users in self.users.items():
            users.stop()
            rows.append((group, users.count - len(users.failures), [text for _, text in users.failures]))
        return rows


def boots(figure, names):
    return {name: figure.node(name)["agent"]["boot_id"] for name in names}


def set_age(figure, first):
    """The fleet file's groups with a maximum age; None: as they were. Its nodes would be put back to where they began."""
    groups = copy.deepcopy(figure.document["groups"])
    for group in groups.values() if first else ():
        group.setdefault("policy", {}).update(first=f"{first}s", second=f"{first + 10}s", grace="10s", jitter="0%")
    figure.apply({"groups": groups})


def reimage(figure, first=60):
    """Every server with work is due at once."""
    names = [name for name in figure.servers if figure.node(name)["group"]]
    with scene(figure, f"Scheduled reimage of {', '.join(names)}: the fleet file gets a maximum age of {first} s"):
        before, renewed, begun = boots(figure, names), set(), time.monotonic()
        load = Load(figure)
        try:
            set_age(figure, first)
            wait_until("every server was reimaged", 3 * PATIENCE, lambda: is_all_new(figure, before, renewed), every=0.5)
            set_age(figure, None)
            wait_until("no restart is under way", PATIENCE, lambda: not figure.api("/restarts?active=1")["restarts"], every=0.5)
            seconds = time.monotonic() - begun
        finally:
            rows = load.stop()
        for group, good, bad in rows:
            result(f"{group}: {good} requests answered, {len(bad)} failed{': ' + '; '.join(bad[:5]) if bad else ''}")
        require(all(good > 100 and not bad for _, good, bad in rows), f"requests failed during the reimage: {rows}")
        result(f"{len(names)} servers reimaged in {seconds:.0f} s")
        return {"seconds": seconds, "requests": {group: good for group, good, _ in rows}}


def is_all_new(figure, before, renewed):
    """Each has run another boot than before. Those who have are added to `renewed`: by the time that the last one has, the first may be due
    again, or be switched off as a spare that nobody needs."""
    for name in set(before) - renewed:
        agent = figure.node(name)["agent"]
        if agent and agent["boot_id"] != before[name]:
            renewed.add(name)
    return renewed == set(before)


# ---------------------------------------------------------------- intrusion

# Root's deed that no administrator of a server with an immutable system does.
INTRUSION = "printf evil >/usr/bin/evil; chmod 4755 /usr/bin/evil"


def intrusion(figure, name):
    """Somebody who became root changes a program. The alarm comes from inside."""
    node = figure.node(name)
    group, target = node["group"], node["boot_assignment"]
    with scene(figure, f"Intrusion on {name} ({group})"):
        boot = node["agent"]["boot_id"]
        begun = figure.watch.begin()
        figure.ssh(name, INTRUSION)
        alarm = wait_until("the alarm", 120, lambda: figure.watch.when(name, "evil", begun), every=0.05)
        out = wait_until("HAProxy has sent it away", 60, lambda: figure.watch.when(name, r"HAProxy: (\S+ (MAINT|DOWN)|no server)", begun), every=0.05)
        off = wait_until("its power is off", 60, lambda: figure.watch.when(name, "^power off", begun), every=0.05)
        result(f"alarm {alarm - begun:.1f} s after the deed; from the alarm to the balancer {met(max(out - alarm, 0), 1)}; "
               f"to the power cut {met(max(off - alarm, 0), 2)}")
        wait_until(f"{name} is back", PATIENCE, lambda: (figure.node(name)["agent"] or {}).get("boot_id") not in (None, boot)
                   and figure.is_settled(name), every=0.2)
        left = figure.ssh(name, "ls /usr/bin/evil 2>&1 || true")
        require("No such file" in left, f"{name} still has /usr/bin/evil: {left}")
        result(f"{name} is back, without what was planted{', with the same assignment' if figure.node(name)['boot_assignment'] == target else ''}")
        return {"balancer": out - alarm, "power": off - alarm}
