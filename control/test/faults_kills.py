# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of the control unit at any moment, while people, servers and BMCs work with it."""
import contextlib
import json
import random
import signal
import threading
import time

from daemon import NODE, boot_body, check, make_key
from faultbed import GONE, Bed, give_bmc, wait


class Worker(threading.Thread):
    """Does one thing after the other, through all kills. `step` notes what was acknowledged; it is never interrupted in the middle by a
    check, which takes the worker's lock."""

    def __init__(self, bed):
        super().__init__(daemon=True)
        self.bed, self.unit, self.lock, self.ending = bed, bed.unit, threading.Lock(), False
        self.count, self.odd = 0, []

    def run(self):
        while not self.ending:
            with self.lock:
                self.step()
            time.sleep(random.uniform(0, 0.02))

    def try_call(self, method, path, body=None, good=(200, 202)):
        """The answer; None when nobody knows whether it was done."""
        with contextlib.suppress(*GONE):
            status, answer = self.unit.call(method, path, body)
            if status in good:
                self.count += 1
                return answer
            self.odd.append((method, path, status, answer))
        time.sleep(0.02)
        return None

    def verify(self):
        """With the control unit up and this worker at rest: a list of what is wrong."""
        return []


class Tokens(Worker):
    def __init__(self, bed):
        super().__init__(bed)
        self.made, self.revoked, self.doubtful = set(), set(), set()

    def step(self):
        answer = self.try_call("POST", "/v1/tokens", {"note": "under kills"})
        if answer:
            self.made.add(answer["id"])
        if self.made and random.random() < 0.3:
            victim = random.choice(sorted(self.made - self.revoked) or sorted(self.made))
            self.doubtful.add(victim)
            if self.try_call("DELETE", f"/v1/tokens/{victim}", good=(200, 404)) is not None:
                self.revoked.add(victim)

    def verify(self):
        listed = {t["id"]: t for t in self.unit.must_call("GET", "/v1/tokens")["tokens"]}
        wrong = [("lost", i) for i in self.made if i not in listed]
        wrong += [("not revoked", i) for i in self.revoked if i in listed and not listed[i]["revoked"]]
        return wrong + [("revoked", i) for i in self.made - self.doubtful if i in listed and listed[i]["revoked"]]


class Assignments(Worker):
    """Each change has a name of its own; what counts is the last that was acknowledged, or one that was tried since."""

    def __init__(self, bed, node):
        super().__init__(bed)
        self.node, self.known, self.tried, self.number = node, None, [], 0

    def step(self):
        self.number += 1
        name = f"{'minimal' if self.number % 2 else 'other'}"
        host = f"host-{self.node[-2:]}-{self.number}"
        self.tried.append(host)
        answer = self.try_call("PUT", f"/v1/nodes/{self.node}/assignment", {"os": name, "config": {"hostname": host}})
        if answer:
            self.known, self.tried = host, []

    def verify(self):
        found = self.unit.must_call("GET", f"/v1/nodes/{self.node}")
        host, image = found["assignment"]["config"]["hostname"] if found["assignment"] else None, found["assignment"] and found["assignment"]["os"]
        wrong = [] if host in (self.known, *self.tried) else [("assignment", self.node, host, self.known, self.tried)]
        if host and image != ("minimal" if int(host[8:]) % 2 else "other"):
            wrong.append(("half an assignment", host, image))
        return wrong


class Groups(Worker):
    """A document of three groups: wholly or not at all."""

    def __init__(self, bed):
        super().__init__(bed)
        self.known, self.tried, self.number = 0, [], 0

    def step(self):
        self.number += 1
        self.tried.append(self.number)
        document = {"groups": {name: {"os": "minimal", "minimum": self.number} for name in ("one", "two", "three")}}
        if self.try_call("PUT", "/v1/fleet", {"fleet": document}):
            self.known, self.tried = self.number, []

    def verify(self):
        groups = self.unit.must_call("GET", "/v1/groups")["groups"]
        minima = {g.get("minimum", 0) for g in groups}
        if not groups and not self.known:
            return []
        return [] if len(minima) == 1 and len(groups) == 3 and minima <= {self.known, *self.tried} else [("groups", groups, self.known, self.tried)]


class Orders(Worker):
    """Orders with a text each, to agents in turn."""

    def __init__(self, bed, name):
        super().__init__(bed)
        self.name, self.given, self.tried, self.unanswered = name, {}, {}, set()

    def step(self):
        agent = random.choice(self.bed.agents)
        number = len(self.tried)
        text = f"{self.name}-{number}"
        self.tried[text] = agent.id
        self.unanswered.add(text)
        with contextlib.suppress(*GONE):
            status, answer = self.unit.call("POST", f"/v1/nodes/{agent.id}/orders", {"action": "notice", "arguments": {"text": text}, "seconds": 600})
            self.unanswered.discard(text)
            if status == 200:
                self.given[text] = (agent.id, answer["order"])
                self.count += 1
            elif status not in (409, 429):
                self.odd.append((status, answer))
        time.sleep(0.03)

    def done_by(self, agent):
        return [json.loads(arguments)["text"] for _, action, arguments in agent.executed if action == "notice" and f'"{self.name}-' in arguments]

    def verify(self):
        done = [text for agent in self.bed.agents for text in self.done_by(agent)]
        return [("done twice", text) for text in set(done) if done.count(text) > 1]


class Power(Worker):
    """One job after the other at a BMC that is slow, so that kills meet it at work."""

    def __init__(self, bed, node, name):
        super().__init__(bed)
        self.node, self.bmc, self.ends = node, give_bmc(bed.unit, node, bed.folder, name), {}
        self.bmc.mode, self.last, self.jobs = "slow", 0, 0

    def find(self):
        """The node's last job, once the control unit is there; None while it goes on."""
        while not self.ending:
            with contextlib.suppress(*GONE):
                status, answer = self.unit.call("GET", f"/v1/nodes/{self.node}/power")
                if status == 200 and answer["job"] and answer["job"]["result"] == "running":
                    time.sleep(0.05)
                    continue
                if status == 200:
                    return answer["job"]
            time.sleep(0.05)
        return None

    def step(self):
        before, action = len(self.bmc.posts()), "off" if self.bmc.machine.is_on else "on"
        acknowledged = None
        with contextlib.suppress(*GONE):
            status, answer = self.unit.call("POST", f"/v1/nodes/{self.node}/power-jobs", {"action": action})
            if status == 202:
                acknowledged = answer["job"]
        job = self.find()
        if self.ending:
            return
        sent = len(self.bmc.posts()) - before
        self.judge(job, acknowledged, sent, action)
        self.last = job["job"] if job else 0

    def judge(self, job, acknowledged, sent, action):
        is_new = job is not None and job["job"] > self.last
        if acknowledged and (not is_new or job["job"] != acknowledged):
            self.odd.append(("lost job", acknowledged, job))
        if sent > 1 or (sent and not is_new):
            self.odd.append(("commands", sent, job))
        if is_new:
            self.jobs += 1
            self.count += 1
            kind = "done" if job["result"] == "done" else "looked at" if "isn't done again" in job["text"] else job["text"]
            self.ends[kind] = self.ends.get(kind, 0) + 1
            if job["result"] == "done" and sent != 1:
                self.odd.append(("done without a command", job, action))
            if job["state"] != ("on" if self.bmc.machine.is_on else "off"):
                self.odd.append(("another state", job, self.bmc.machine.is_on))


class Restarts(Worker):
    """A server restarts by its agent's help, again and again. Each one that was begun comes to its end with one reboot."""

    def __init__(self, bed, agent):
        super().__init__(bed)
        self.agent, self.known, self.ended = agent, set(), {}
        self.reason = 0

    def all(self):
        return {r["id"]: r for r in self.unit.must_call("GET", f"/v1/restarts?node={self.agent.id}")["restarts"]}

    def step(self):
        begun, wait_until = None, time.monotonic() + 120
        with contextlib.suppress(*GONE):
            status, answer = self.unit.call("POST", f"/v1/nodes/{self.agent.id}/restart", {"kind": "reboot", "urgency": "evict"})
            if status in (200, 202):
                begun = answer["id"]
                self.known.add(begun)
                self.count += 1
            elif status != 409:
                self.odd.append((status, answer))
        while not self.ending and time.monotonic() < wait_until:
            with contextlib.suppress(*GONE, RuntimeError):
                if not any(r["ended"] is None or r["ended"] == 0 for r in self.all().values()):
                    return
            # The lock is given away: this one's end may take many kills.
            self.lock.release()
            time.sleep(0.2)
            self.lock.acquire()
        if not self.ending:
            self.odd.append(("restart without an end", begun))

    def verify(self):
        found = self.all()  # the newest 100
        return [("restart lost", i) for i in self.known if i not in found and i > max(found, default=0) - 100]


class Enrolments(Worker):
    """Machines with one-time tokens, whose first answer may get lost with the control unit."""

    def __init__(self, bed):
        super().__init__(bed)
        self.tokens, self.enrolled, self.index = [], {}, 0

    def step(self):
        if not self.tokens:
            answer = self.try_call("POST", "/v1/tokens", {"uses": 1, "note": "once"})
            if answer:
                self.tokens.append(answer)
            return
        token, key = self.tokens[-1], make_key()
        node = f"{0xe0 + self.index % 8:08x}-0000-4000-8000-{self.index:012x}"
        for _ in range(200):
            with contextlib.suppress(*GONE):
                status, answer = self.unit.enrol(node, token["token"], key, serial=f"E{self.index}", macs=[f"52:54:01:00:{self.index >> 8:02x}:{self.index & 255:02x}"])
                if status == 200:
                    self.enrolled[node] = (token["id"], answer["certificate"])
                    self.count += 1
                else:
                    self.odd.append((node, status, answer))
                break
            if self.ending:
                return
            time.sleep(0.02)
        self.tokens.pop()
        self.index += 1
        time.sleep(0.1)

    def verify(self):
        listed = {n["id"] for n in self.bed.nodes()}
        return [("identity lost", node) for node in self.enrolled if node not in listed]


def seconds(values):
    values = sorted(values)
    return f"median {values[len(values) // 2]:.2f} s, longest {values[-1]:.2f} s"


def check_rest(bed, workers, first):
    """While everybody stands still."""
    for worker in workers:
        worker.lock.acquire()
    try:
        wrong = [x for worker in workers for x in worker.verify()]
        events = bed.unit.log_of("events", first["event"])
        audit = bed.unit.log_of("audit", first["audit"])
    finally:
        for worker in workers:
            worker.lock.release()
    for kind, found in (("event", events), ("audit", audit)):
        numbers = [e["sequence"] for e in found]
        if numbers != list(range(first[kind] + 1, first[kind] + 1 + len(numbers))):
            wrong.append((kind, "gap or duplicate", first[kind], numbers[:3], len(numbers)))
        first[kind] += len(numbers)
    first["events"] += events
    return wrong


def one_kill(bed, in_start):
    if in_start:
        bed.unit.spawn()
        time.sleep(random.uniform(0, 0.15))
    else:
        time.sleep(random.uniform(0, 0.7))
    bed.unit.process.send_signal(signal.SIGKILL)
    bed.unit.process.wait(20)


def after_all(bed, workers, seen):
    """What was begun comes to its end, and is what everybody knows of it."""
    orders = [w for w in workers if isinstance(w, Orders)]
    for worker in orders:
        missing = lambda w=worker: [t for t, (node, _) in w.given.items() if t not in w.done_by(next(a for a in bed.agents if a.id == node))]
        # An order is void when its server restarted meanwhile.
        restarted = {w.agent.id for w in workers if isinstance(w, Restarts)}
        wait(f"{worker.name}: every order that was taken is done", lambda m=missing, w=worker: not [t for t in m() if w.given[t][0] not in restarted], 30)
        check(f"{worker.name}: none is done twice", not worker.verify(), worker.verify())
    for worker in [w for w in workers if isinstance(w, Restarts)]:
        ended = worker.all()
        states = [r["step"] for r in ended.values()]
        check("every restart that was begun is done", set(states) == {"done"} and not worker.verify(), (states, [r.get("error") for r in ended.values()][:3]))
        check("each with one reboot", worker.agent.reboots == max(ended), (worker.agent.reboots, max(ended)))
    for worker in [w for w in workers if isinstance(w, Enrolments)]:
        used = {t["id"]: t["used"] for t in bed.unit.must_call("GET", "/v1/tokens")["tokens"]}
        check("no one-time token was used twice", all(used[token] == 1 for token, _ in worker.enrolled.values()))
        lost = [node for node in worker.enrolled if bed.unit.node("POST", f"/v1/nodes/{node}/boot", json.dumps(
            {**json.loads(boot_body(node, "9" * 32)), "inventory": {**json.loads(boot_body(node, "9" * 32))["inventory"], "serial": serial_of(node),
             "macs": [mac_of(node)]}}).encode(), identity=bed.unit.identities[node].path)[0] != 200]
        check("no certificate that was given is void", not lost, lost)
    again = bed.check_events("after all kills")
    check("no event changed after it was read", again[:len(seen)] == seen)
    enrolled = [e["node"] for e in again if e["kind"] == "enrolled"]
    check("one event for each enrolment", len(enrolled) == len(set(enrolled)), len(enrolled))
    failed = [e for e in again if e["kind"] == "life" and e["data"]["to"] in ("failed", "suspect")]
    check("no server was taken for dead", not failed, failed[:2])


def serial_of(node):
    return f"E{int(node[-12:], 16)}"


def mac_of(node):
    index = int(node[-12:], 16)
    return f"52:54:01:00:{index >> 8:02x}:{index & 255:02x}"


def kills(folder, count):
    bed = Bed(folder, agents=6)
    workers = [Tokens(bed), Groups(bed), Enrolments(bed), Orders(bed, "a"), Orders(bed, "b"), Restarts(bed, bed.agents[0])]
    workers += [Assignments(bed, agent.id) for agent in bed.agents[1:3]]
    workers += [Power(bed, agent.id, f"bmc-{i}") for i, agent in enumerate(bed.agents[3:5])]
    first, wrong, in_start = {"event": 0, "audit": 0, "events": []}, [], 0
    bed.unit.start_seconds.clear()
    try:
        for worker in workers:
            worker.start()
        for number in range(count):
            early = number % 5 == 4
            in_start += early
            if early:
                one_kill(bed, False)
            one_kill(bed, early)
            bed.unit.start()
            wrong += [(number, *x) for x in check_rest(bed, workers, first)]
        # All goes on, and comes to its end.
        time.sleep(2)
        for worker in workers:
            if not isinstance(worker, Restarts):
                worker.ending = True
        restarting = [w for w in workers if isinstance(w, Restarts)]
        for worker in restarting:
            wait("the last restart ends", lambda w=worker: not [r for r in w.all().values() if not r["ended"]] and setattr(w, "ending", True) is None, 60)
        for worker in workers:
            worker.join(60)
        wait("and all end", lambda: not [r for w in restarting for r in w.all().values() if not r["ended"]], 60)
        bed.wait_serving()
        check("nothing that was acknowledged is lost after any kill", not wrong, wrong[:3])
        odd = [(type(w).__name__, *o) for w in workers for o in w.odd]
        check("nothing else was answered", not odd, odd[:3])
        after_all(bed, workers, first["events"])
    finally:
        for worker in workers:
            worker.ending = True
        bed.close()
    totals = {}
    for worker in workers:
        totals[type(worker).__name__.lower()] = totals.get(type(worker).__name__.lower(), 0) + worker.count
    ends = {}
    for worker in workers:
        for kind, n in getattr(worker, "ends", {}).items():
            ends[kind] = ends.get(kind, 0) + n
    return (f"{count + in_start} kills ({in_start} of them while it started); acknowledged: " + ", ".join(f"{n} {k}" for k, n in totals.items()) +
            f"; power jobs {ends}; {len(first['events'])} events; ready after {seconds(bed.unit.start_seconds)}")
