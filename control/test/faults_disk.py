# SPDX-License-Identifier: GPL-2.0-or-later
"""The state folder's disk: full, read-only, and a database that was damaged."""
import contextlib
import errno
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from daemon import check, must, tool
from faultbed import GONE, Bed, wait
from faults_kills import Orders, Tokens


class Disk:
    """A small ext4 of its own."""

    def __init__(self, folder, megabytes=24):
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", "512", self.image], check=True)
        self.mount()

    def mount(self, *options):
        words = [word for option in ("loop", *options) for word in ("-o", option)]
        subprocess.run(["mount", *words, self.image, self.place], check=True)

    def remount(self, options):
        subprocess.run(["mount", "-o", f"remount,{options}", self.place], check=False, stderr=subprocess.DEVNULL)

    def unmount(self):
        end = time.monotonic() + 10
        while subprocess.run(["umount", self.place], check=False, stderr=subprocess.DEVNULL).returncode and time.monotonic() < end:
            time.sleep(0.2)

    def repair(self):
        done = subprocess.run(["e2fsck", "-fy", self.image], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        check("the file system can be repaired", done.returncode in (0, 1), done.stdout)

    def fill(self):
        with contextlib.suppress(OSError), open(self.place / f"ballast-{random.randrange(1 << 30)}", "wb", buffering=0) as ballast:
            for size in (1 << 20, 1 << 16, 1 << 12, 512, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(b"x" * size):
                        pass
            with contextlib.suppress(OSError):
                os.fsync(ballast.fileno())

    def empty(self):
        for ballast in self.place.glob("ballast-*"):
            ballast.unlink()
        os.sync()


def until_refused(unit, disk, status):
    """Changes something until it is refused: the answer. What is free in the files that are there can still be used."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        disk()
        got, answer = unit.call("POST", "/v1/tokens", {"note": "x" * 60})
        if got != 200:
            check(f"a change is refused with {status}", got == status, (got, answer))
            return answer["error"]
    check(f"a change is refused with {status}", False, "never")
    return ""


def while_full(bed, answer):
    check("the answer names the cause and the next step", "is full" in answer and "make room" in answer, answer)
    check("status tells", any(p["severity"] == "alarm" and "is full" in p["text"] for p in bed.problems()), bed.problems())
    check("so do the metrics", bed.metric('repave_store_trouble{trouble="full"}') == [1.0], bed.metric("repave_store"))
    told = bed.unit.log.read_text().count("the disk of")
    before = [(a.statuses, dict(a.failures)) for a in bed.agents]
    text = f"in hard times {time.monotonic_ns()}"
    bed.agents[0].alarm(text)
    number = bed.agents[0].alarms[0]["sequence"]
    time.sleep(2.5)
    for agent, (statuses, failures) in zip(bed.agents, before):
        check("agents are answered", agent.statuses >= statuses + 2 and agent.failures == failures, (agent.statuses - statuses, agent.failures))
    # Where little is left, it may just fit.
    check("an alarm is acknowledged only when it is stored", bed.agents[0].acknowledged < number or any(
        e["text"] == text for e in bed.unit.log_of("events")))
    check("what is there can be read", len(bed.nodes()) == len(bed.agents))
    check("the log isn't filled with it", bed.unit.log.read_text().count("the disk of") - told <= 1)
    return number


def rest(workers):
    for worker in workers:
        worker.ending = True
    for worker in workers:
        worker.join(30)


def full(folder, count):
    disk = Disk(folder)
    bed = Bed(folder, agents=3, state=disk.place / "state")
    refused, back = 0, []
    try:
        for number in range(count):
            workers = [Tokens(bed), Orders(bed, f"full-{number}")]
            for worker in workers:
                worker.start()
            time.sleep(random.uniform(0.1, 0.6))
            answer = until_refused(bed.unit, disk.fill, 507)
            alarm = while_full(bed, answer)
            if number % 2:
                bed.unit.stop(signal.SIGKILL)
                status, said = bed.unit.try_start()
                if status is not None:
                    check("a control unit that can't start on a full disk says so", status == 1 and "is full" in said and "make room" in said, said)
                disk.empty()
                if status is not None:
                    bed.unit.start()
            else:
                disk.empty()
            begun = time.monotonic()
            wait("it goes on by itself", lambda: bed.unit.call("POST", "/v1/tokens", {"note": "again"})[0] == 200, 10)
            back.append(time.monotonic() - begun)
            wait("the sign of it goes", lambda: bed.metric('repave_store_trouble{trouble="full"}') == [0.0] and not any(
                "is full" in p["text"] for p in bed.problems()), 5)
            wait("the alarm is taken", lambda a=alarm: bed.agents[0].acknowledged >= a)
            time.sleep(0.5)
            rest(workers)
            odd = [o for w in workers for o in w.odd if o[-2] != 507]
            refused += sum(len(w.odd) - len(odd) for w in workers) + 1
            check("only the disk was complained of", not odd, odd[:2])
            bed.unit.stop(signal.SIGKILL)
            bed.unit.start()
            check("nothing that was acknowledged is lost", not [x for w in workers for x in w.verify()], [x for w in workers for x in w.verify()][:3])
            orders = workers[1]
            wait("every order that was taken is done", lambda o=orders: set(o.given) <= {t for a in bed.agents for t in o.done_by(a)}, 75)
            check("no order that was refused is done", {t for a in bed.agents for t in orders.done_by(a)} <= set(orders.given) | orders.unanswered)
        events = bed.check_events("after full disks")
        check("each alarm is an event, once", len([e for e in events if "in hard times" in e["text"]]) == count)
        check("no server was taken for dead", not [e for e in events if e["kind"] == "life" and e["data"]["to"] in ("failed", "suspect")])
        at_start(bed, disk)
    finally:
        bed.close()
        disk.unmount()
    return f"{count} times full under load, {refused} changes refused with 507; back after at most {max(back):.1f} s"


def at_start(bed, disk):
    for how in (signal.SIGTERM, signal.SIGKILL):
        bed.unit.stop(how)
        disk.fill()
        status, said = bed.unit.try_start()
        lines = [line for line in said.splitlines() if "is full" in line]
        check("filled at the start: it works for those who only ask, or says what to do", status is None or (
            status == 1 and len(lines) == 1 and "make room" in lines[0]), (status, said))
        disk.empty()
        if status is not None:
            bed.unit.start()
        wait("and starts with room", lambda: bed.unit.call("POST", "/v1/tokens", {"note": "room"})[0] == 200)
    bed.wait_serving()


# ------------------------------------------------------------------ a disk that can't be written

def read_only(folder, count):
    disk = Disk(folder)
    bed = Bed(folder, agents=3, state=disk.place / "state")
    refused = 0
    try:
        for number in range(count):
            workers = [Tokens(bed), Orders(bed, f"read-only-{number}")]
            for worker in workers:
                worker.start()
            time.sleep(random.uniform(0.1, 0.6))
            # As the kernel does it by itself after an error of the device.
            answer = until_refused(bed.unit, lambda: disk.remount("abort"), 503)
            check("the answer names the cause and the next step", "can't be written" in answer and "mount it writable" in answer, answer)
            check("status and metrics tell", any("can't be written" in p["text"] for p in bed.problems()) and
                  bed.metric('repave_store_trouble{trouble="read-only"}') == [1.0], bed.problems())
            before = [a.statuses for a in bed.agents]
            time.sleep(2.5)
            check("agents are answered", all(a.statuses >= b + 2 and not a.failures for a, b in zip(bed.agents, before)),
                  [(a.statuses, b, a.failures) for a, b in zip(bed.agents, before)])
            rest(workers)
            odd = [o for w in workers for o in w.odd if o[-2] != 503]
            refused += sum(len(w.odd) - len(odd) for w in workers) + 1
            check("only the disk was complained of", not odd, odd[:2])
            bed.unit.stop(signal.SIGKILL)
            status, said = bed.unit.try_start()
            lines = [line for line in said.splitlines() if "error" in line or "can't" in line]
            check("on a read-only disk it doesn't start, and says why in one line", status == 1 and len(lines) == 1 and
                  ("read-only" in said.lower() or "can't be written" in said), (status, said))
            disk.unmount()
            disk.repair()
            disk.mount()
            bed.unit.start()
            wrong = [x for w in workers for x in w.verify()]
            check("after a repair nothing that was acknowledged is lost", not wrong, wrong[:3])
            orders = workers[1]
            wait("every order that was taken is done", lambda o=orders: set(o.given) <= {t for a in bed.agents for t in o.done_by(a)}, 75)
            check("no order that was refused is done", {t for a in bed.agents for t in orders.done_by(a)} <= set(orders.given) | orders.unanswered)
        check("no server was taken for dead", not [e for e in bed.check_events("after read-only disks") if e["kind"] == "life" and
                                                   e["data"]["to"] in ("failed", "suspect")])
    finally:
        bed.close()
        disk.unmount()
    return f"{count} times read-only under load, {refused} changes refused with 503"


# ------------------------------------------------------------------ damage

def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << random.randrange(8)]))


def scribble(path, at, data):
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def one_bit(state):
    flip(state / "repave.db", random.randrange((state / "repave.db").stat().st_size))


def page_of_noise(state):
    pages = (state / "repave.db").stat().st_size // 4096
    scribble(state / "repave.db", 4096 * random.randrange(pages), random.randbytes(4096))


def lost_page(state):
    pages = (state / "repave.db").stat().st_size // 4096
    scribble(state / "repave.db", 4096 * random.randrange(pages), bytes(4096))


def no_header(state):
    scribble(state / "repave.db", 0, bytes(100))


def cut(state):
    size = (state / "repave.db").stat().st_size
    os.truncate(state / "repave.db", random.randrange(1, size))


def nothing_left(state):
    os.truncate(state / "repave.db", 0)


def something_else(state):
    (state / "repave.db").write_bytes(b"hello\n" * 5000)


def log_of_noise(state):
    log = state / "repave.db-wal"
    if log.stat().st_size > 64:
        flip(log, random.randrange(32, log.stat().st_size))


def foreign_log(state):
    """The write-ahead log of another database, sound in itself."""
    other = state.parent / "other.db"
    for path in state.parent.glob("other.db*"):
        path.unlink()
    writer = sqlite3.connect(other, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.execute("CREATE TABLE x (y)")
    for _ in range(200):
        writer.execute("INSERT INTO x VALUES (randomblob(300))")
    shutil.copy(f"{other}-wal", state / "repave.db-wal")
    writer.close()


KINDS = (one_bit, page_of_noise, lost_page, no_header, cut, nothing_left, something_else, log_of_noise, foreign_log)


class Store:
    """A state folder with a week of use in it, for damage to be done to copies."""

    def __init__(self, bed):
        self.bed, self.unit, self.state = bed, bed.unit, bed.state
        self.kept = bed.folder / "kept"
        self.counts = {}

    def prepare(self, in_log):
        """Stopped: with all of it in the database, or with changes in its log as kill -9 leaves them."""
        self.unit.stop()
        for old in (self.state / "backup").glob("*.db"):
            old.unlink()
        self.unit.start()
        wait("a backup is made by itself", lambda: list((self.state / "backup").glob("*.db")))
        self.unit.must_call("POST", "/v1/tokens", {"note": f"after the backup, {in_log}"})
        self.note_made = f"after the backup, {in_log}"
        self.unit.stop(signal.SIGKILL if in_log else signal.SIGTERM)
        shutil.rmtree(self.kept, ignore_errors=True)
        shutil.copytree(self.state, self.kept, ignore=lambda _, names: [n for n in names if "sock" in n or n == "lock"])

    def put_back(self):
        self.unit.end()
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state)

    def note(self, kind, what):
        self.counts.setdefault(kind.__name__.replace("_", " "), {}).setdefault(what, 0)
        self.counts[kind.__name__.replace("_", " ")][what] += 1

    def restore(self, kind, said):
        """The command that the message names, as it names it."""
        command = re.search(r"repave (restore --latest --state \S+)", said)
        lines = [line for line in said.splitlines() if "damaged" in line]
        check(f"{kind.__name__}: one line with the command", command and len(lines) == 1, said)
        if not command:
            return
        done = tool("repave", *command[1].split())
        check(f"{kind.__name__}: which works", done.returncode == 0 and len(done.stdout.splitlines()) <= 3, done.stdout)
        status, said = self.unit.try_start()
        check(f"{kind.__name__}: and with it repaved starts", status is None, said[-600:])
        if status is None:
            check(f"{kind.__name__}: with its nodes", {a.id for a in self.bed.agents} <= {n["id"] for n in self.bed.nodes()})
            check(f"{kind.__name__}: the damaged one is kept", list(self.state.glob("repave.db.damaged-*")))

    def at_start(self, kind):
        kind(self.state)
        status, said = self.unit.try_start()
        if status is not None:
            self.note(kind, "refused at the start, put back")
            check(f"{kind.__name__}: status 1", status == 1, status)
            self.restore(kind, said)
            return
        tokens = self.unit.call("GET", "/v1/tokens")
        kept = tokens[0] == 200 and any(t["note"] == self.note_made for t in tokens[1]["tokens"])
        self.note(kind, "harmless" if kept else "lost what was newest, unnoticed")
        self.unit.stop(signal.SIGKILL)


def damage(folder, count):
    bed = Bed(folder, agents=2)
    store = Store(bed)
    try:
        for i in range(60):
            bed.unit.must_call("POST", f"/v1/nodes/{bed.agents[i % 2].id}/orders", {"action": "notice", "arguments": {"text": f"order {i}"}})
            bed.unit.must_call("PUT", f"/v1/nodes/{bed.agents[i % 2].id}/assignment", {"os": "minimal", "config": {"hostname": f"h{i}"}})
            time.sleep(0.02)
        for in_log in (False, True):
            store.prepare(in_log)
            for kind in KINDS:
                if in_log == (kind in (log_of_noise, foreign_log)) or in_log and kind in (one_bit, cut):
                    for _ in range(count if kind is not nothing_left else 1):
                        store.put_back()
                        store.at_start(kind)
            store.put_back()
            bed.unit.start()
        while_running(bed, store, count)
    finally:
        bed.close()
    return "; ".join(f"{kind}: " + ", ".join(f"{n} {what}" for what, n in counts.items()) for kind, counts in store.counts.items())


def while_running(bed, store, count):
    """Damage below a control unit that runs: told as soon as it meets it."""
    for number in range(count):
        bed.wait_serving()
        wait("a backup is there", lambda: list((bed.state / "backup").glob("*.db")))
        for _ in range(4):
            page_of_noise(bed.state)
        # What it has in its cache isn't read again. A backup reads all.
        done = bed.unit.repave("backup", bed.folder / f"backup-{number}")
        if done.returncode:
            store.note(while_running, "told by the next backup")
            check("with the command", f"repave restore --latest --state {bed.state}" in done.stdout, done.stdout)
        else:
            store.note(while_running, "met nothing")
        check("agents are answered", not any(a.failures for a in bed.agents), [a.failures for a in bed.agents])
        bed.unit.stop(signal.SIGKILL)
        status, said = bed.unit.try_start()
        if status is None:
            store.note(while_running, "harmless")
        else:
            store.restore(while_running, said)
        store.put_back()
        bed.unit.start()
