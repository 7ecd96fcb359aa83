# SPDX-License-Identifier: GPL-2.0-or-later
"""The host's clock jumps by hours, forward and back, below a control unit at work."""
import random
import time

from daemon import BUILD, NODE, boot_body, check, must, tool
from faultbed import GONE, Bed, wait
from faults_kills import Assignments, Orders, Power, Restarts, Tokens

LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1"


class Clock:
    """The time of day that repaved sees. The clock that nobody sets, CLOCK_MONOTONIC, goes on."""

    def __init__(self, folder):
        self.file = folder / "clock"
        self.set(0)
        self.environment = {"LD_PRELOAD": LIBRARY, "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                            "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def set(self, seconds):
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        new.rename(self.file)


def jumps(folder, count):
    clock = Clock(folder)
    bed = Bed(folder, agents=6)
    bed.unit.stop()
    bed.unit.environment = clock.environment
    bed.unit.start()
    bed.wait_serving()
    workers = [Tokens(bed), Orders(bed, "a"), Orders(bed, "b"), Restarts(bed, bed.agents[0]), Restarts(bed, bed.agents[1]),
               Assignments(bed, bed.agents[2].id), Power(bed, bed.agents[3].id, "bmc")]
    offsets = [0]
    try:
        lasting = bed.unit.must_call("POST", "/v1/tokens", {"expires": "1d", "note": "lasting"})
        for worker in workers:
            worker.start()
        for _ in range(count):
            time.sleep(random.uniform(0.5, 2.5))
            # From one end to the other in less than a day: what an agent's certificate is valid before and after it was made.
            offsets.append(random.choice((0, 1, -1)) * random.randrange(1800, 11 * 3600))
            clock.set(offsets[-1])
            time.sleep(0.3)
            seen = bed.unit.must_call("POST", "/v1/tokens", {"note": "when"})
            made = [t for t in bed.unit.must_call("GET", "/v1/tokens")["tokens"] if t["id"] == seen["id"]][0]["created"]
            check("the jump arrives", abs(made - time.time() - offsets[-1]) < 5, (made - time.time(), offsets[-1]))
        time.sleep(2)
        clock.set(0)
        time.sleep(3)
        finish(bed, workers)
        check("a token is valid as long as was said", bed.unit.enrol(NODE.format(0x77), lasting["token"])[0] == 200)
        check("no thread was left behind", bed.unit.process.poll() is None)
    finally:
        for worker in workers:
            worker.ending = True
        bed.close()
    return (f"{count} jumps of up to 22 hours, {sum(a > b for a, b in zip(offsets, offsets[1:]))} of them back; acknowledged meanwhile: " +
            ", ".join(f"{w.count} {type(w).__name__.lower()}" for w in workers))


def finish(bed, workers):
    restarting = [w for w in workers if isinstance(w, Restarts)]
    for worker in workers:
        if worker not in restarting:
            worker.ending = True
    for worker in restarting:
        wait("the last restart ends", lambda w=worker: not [r for r in w.all().values() if not r["ended"]] and setattr(w, "ending", True) is None, 60)
    for worker in workers:
        worker.join(60)
    wait("and all end", lambda: not [r for w in restarting for r in w.all().values() if not r["ended"]], 60)
    bed.wait_serving(30)
    wrong, odd = [x for w in workers for x in w.verify()], [(type(w).__name__, *o) for w in workers for o in w.odd]
    check("nothing is lost, and nothing done twice", not wrong, wrong[:3])
    check("nothing odd was answered", not odd, odd[:3])
    for worker in restarting:
        ended = worker.all()
        errors = [(r["id"], r.get("error")) for r in ended.values() if r["step"] != "done"]
        check("every restart is done", not errors, errors[:3])
        check("each with one reboot", worker.agent.reboots == len(ended) or len(ended) == 100, (worker.agent.reboots, len(ended)))
    events = bed.check_events("after all jumps")
    failed = [e for e in events if e["kind"] == "life" and e["data"]["to"] in ("failed", "suspect") or e["kind"] in ("stall", "silence")]
    check("no server was taken for dead", not failed, failed[:3])
    check("no agent was refused", not any(a.failures for a in bed.agents), [a.failures for a in bed.agents])
