# SPDX-License-Identifier: GPL-2.0-or-later
"""Agents that lie: other servers' orders answered, old statuses and old boots' certificates shown again."""
import json
import random
import time

from daemon import boot_body, check
from faultbed import GONE, Agent, Bed, wait


def status_body(agent, sequence, answers=(), health="none", alarms=()):
    return json.dumps({"format": 1, "boot_id": agent.boot_id, "sequence": sequence, "uptime": 5.0, "alarms": list(alarms), "answers": list(answers),
                       "measures": {"load": [9, 9, 9], "cpu": {"count": 1, "busy": 0}, "memory": {"total": 1, "available": 1},
                                    "health": {"state": health}}}).encode()


class Forger:
    """Two honest servers, of which one is in an attacker's hand; he has its present and former credentials, and what it ever sent."""

    def __init__(self, bed, victim, taken, old):
        self.bed, self.unit, self.victim, self.taken, self.old = bed, bed.unit, victim, taken, old

    def post(self, path, body, identity):
        return self.unit.tls(self.unit.port, "POST", path, body, identity)[0]

    def victims_order(self):
        """One that waits at the victim, whose agent doesn't listen for a while."""
        return self.unit.must_call("POST", f"/v1/nodes/{self.victim.id}/orders", {"action": "notice", "arguments": {"text": "real"}, "seconds": 600})["order"]

    def answer_for_another(self):
        status = self.post(f"/v1/agents/{self.victim.id}/status", status_body(self.victim, 10**9, [{"order": self.order, "result": "done", "text": "lie"}]),
                           self.taken.agent.path)
        return status == 403

    def answer_anothers_number(self):
        """Its own channel, the victim's number."""
        status = self.post(f"/v1/agents/{self.taken.id}/status", status_body(self.taken, self.taken.sequence, [
            {"order": self.order, "result": "done", "text": "lie"}]), self.taken.agent.path)
        return status == 200

    def answer_never_given(self):
        status = self.post(f"/v1/agents/{self.taken.id}/status", status_body(self.taken, self.taken.sequence, [
            {"order": random.randrange(1, 1 << 60), "result": "done", "text": "lie"}]), self.taken.agent.path)
        return status == 200

    def replay(self):
        """An old status, which said that it was unhealthy."""
        status = self.post(f"/v1/agents/{self.taken.id}/status", status_body(self.taken, random.randrange(1, max(2, self.taken.sequence - 5)),
                                                                           health="unhealthy"), self.taken.agent.path)
        return status == 200

    def old_certificate(self):
        return self.post(f"/v1/agents/{self.taken.id}/status", status_body(self.taken, 10**9), self.old) == 403

    def agent_as_stage1(self):
        return self.post(f"/v1/nodes/{self.taken.id}/boot", boot_body(self.taken.id, "f" * 32), self.taken.agent.path) == 403

    def agent_boots_another(self):
        return self.post(f"/v1/nodes/{self.victim.id}/boot", boot_body(self.victim.id, "f" * 32), self.unit.identities[self.taken.id].path) == 403

    def stage1_as_agent(self):
        return self.post(f"/v1/agents/{self.taken.id}/status", status_body(self.taken, 10**9), self.unit.identities[self.taken.id].path) == 403

    def nobody(self):
        return self.post(f"/v1/agents/{self.taken.id}/status", status_body(self.taken, 10**9), None) in (401, 403)

    ways = (answer_for_another, answer_anothers_number, answer_never_given, replay, old_certificate, agent_as_stage1, agent_boots_another,
            stage1_as_agent, nobody)


def forged(folder, count):
    bed = Bed(folder, agents=2)
    victim, taken = bed.agents
    counts = {}
    try:
        old = folder / "old.pem"
        old.write_bytes(taken.agent.path.read_bytes())
        bed.unit.must_call("POST", f"/v1/nodes/{taken.id}/restart", {"kind": "reboot", "urgency": "evict"})
        wait("the taken server starts anew", lambda: taken.reboots == 1)
        bed.wait_serving()
        forger = Forger(bed, victim, taken, old)
        bed.unit.must_call("PUT", "/v1/settings", {"interval": 300})
        wait("the victim knows how long it may be silent", lambda: victim.interval == 300)
        victim.deaf = True
        time.sleep(1.5)
        events = len(bed.check_events("before"))
        forger.order = forger.victims_order()
        for number in range(count):
            way = forger.ways[number % len(forger.ways)]
            if way in (Forger.answer_anothers_number, Forger.answer_never_given, Forger.replay):
                # Else they were held for an interval each.
                bed.unit.must_call("POST", f"/v1/nodes/{taken.id}/orders", {"action": "notice", "arguments": {"text": "awake"}, "seconds": 5})
            check(f"{way.__name__}: refused, or without effect", way(forger), number)
            counts[way.__name__] = counts.get(way.__name__, 0) + 1
        orders = bed.unit.must_call("GET", f"/v1/nodes/{victim.id}/orders?order={forger.order}")["orders"]
        check("the victim's order is as it was", orders[0]["state"] in ("waiting", "sent") and orders[0]["text"] == "", orders)
        news = bed.unit.log_of("events", events)
        check("no server's life was changed by a lie", not [e for e in news if e["kind"] == "life"], news[:3])
        check("no order was taken for answered that the agent didn't do", not victim.executed, victim.executed)
        bed.unit.must_call("PUT", "/v1/settings", {"interval": 1})
        victim.deaf = False
        wait("the victim does it when it is back", lambda: forger.order in [number for number, _, _ in victim.executed], 75)
    finally:
        bed.close()
    return "; ".join(f"{name.replace('_', ' ')} {n}" for name, n in counts.items())
