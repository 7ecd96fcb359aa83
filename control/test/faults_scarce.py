# SPDX-License-Identifier: GPL-2.0-or-later
"""A control unit with few descriptors, little memory, few threads: it starts and works, or says in a line what it lacks."""
import contextlib
import os
import random
import signal
import socket
import subprocess
import time

from daemon import check, must
from faultbed import GONE, Bed, wait

USER = 64999


def judge(bed, what, counts):
    """One start: it works, or says why not."""
    status, said = bed.unit.try_start()
    lines = [line for line in said.splitlines() if "error" in line]
    if status == 127 and "shared libraries" in said:
        return  # the linker's word, before any of ours
    if status is None:
        counts["works"] = counts.get("works", 0) + 1
        with contextlib.suppress(*GONE):
            got = bed.unit.call("GET", "/v1/status")
            check(f"{what}: who asks is answered", got[0] in (200, 500), got)
        bed.unit.stop()
        return
    counts["says why"] = counts.get("says why", 0) + 1
    check(f"{what}: it ends, and doesn't crash", status == 1, (status, said[-600:]))
    check(f"{what}: with a line that says why", 1 <= len(lines) <= 2, said[-600:])


def limits(bed, count):
    rising = {}
    for name, word, low, high in (("descriptors", "--nofile", 4, 60), ("memory", "--as", 30 << 20, 700 << 20), ("threads", "--nproc", 1, 45)):
        counts = {}
        for number in range(count):
            limit = low + (high - low) * number // max(1, count - 1)
            bed.unit.before = ["prlimit", f"{word}={limit}"]
            if word == "--nproc":
                # Root has as many as it wants.
                bed.unit.before = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *bed.unit.before]
            judge(bed, f"{name} {limit}", counts)
        rising[name] = counts
    bed.unit.before = []
    return rising


def flood(port, count):
    """Connections that are held open and say nothing."""
    held = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=1))
    return held


def few_descriptors(bed):
    """More connections than it may have descriptors: those who are there go on, and others come in again when it is over."""
    bed.unit.before = ["prlimit", "--nofile=90"]
    bed.unit.start()
    bed.wait_serving()
    held = flood(bed.unit.port, 60) + flood(bed.unit.repository_port, 60)
    time.sleep(3)
    check("out of descriptors: it lives", bed.unit.process.poll() is None, bed.unit.process.poll())
    for connection in held:
        connection.close()
    wait("and works when they are free again", lambda: bed.unit.call("POST", "/v1/tokens", {"note": "x"})[0] == 200, 40)
    bed.wait_serving()
    bed.unit.stop()
    bed.unit.before = []


def start_with_memory(bed, megabytes):
    """The first limit from there on with which it starts."""
    status = 1
    while status is not None and megabytes < 4000:
        bed.unit.before = ["prlimit", f"--as={megabytes << 20}"]
        status, said = bed.unit.try_start()
        check("a start without enough memory says so", status is None or status == 1 and "memory" in said, (status, said))
        megabytes += 20
    return megabytes


def little_memory(bed):
    """Big requests into little more memory than it starts with: some are refused, and it goes on."""
    least = start_with_memory(bed, 200)
    # What a start needs is at times more, at times less: threads take their share of addresses as it comes.
    bed.unit.stop()
    start_with_memory(bed, least + 200)
    bed.wait_serving()
    statuses = {}
    files = {f"file-{i}": "x" * 4000 for i in range(20)}
    for number in range(60):
        with contextlib.suppress(*GONE):
            status, answer = bed.unit.call("PUT", f"/v1/nodes/{bed.agents[number % len(bed.agents)].id}/assignment", {"os": "minimal", "config": {"files": files}})
            statuses[status] = statuses.get(status, 0) + 1
            bed.unit.call("GET", "/v1/audit?after=0&most=1000")
    check("little memory: it lives, and most is done", bed.unit.process.poll() is None and statuses.get(200, 0) > 30, statuses)
    check("and nothing was called damaged", "is damaged" not in bed.unit.log.read_text())
    bed.wait_serving()
    bed.unit.stop()
    bed.unit.before = []


def scarce(folder, count):
    os.chmod(folder, 0o755)
    bed = Bed(folder, agents=2)
    try:
        bed.unit.stop()
        for path in (bed.state, *bed.state.rglob("*"), bed.unit.log):
            os.chown(path, USER, USER)
        for path in (bed.folder / "repository").rglob("*"):
            path.chmod(0o755)
        counts = limits(bed, count)
        few_descriptors(bed)
        little_memory(bed)
        bed.unit.start()
        bed.check_events("with all it needs again")
        events = bed.unit.log_of("events")
        check("no server was taken for dead", not [e for e in events if e["kind"] == "life" and e["data"]["to"] == "failed"])
    finally:
        bed.close()
    return "; ".join(f"{name}: " + ", ".join(f"{n} {what}" for what, n in c.items()) for name, c in counts.items())
