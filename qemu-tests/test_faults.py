# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that must be survived. Samples with fixed seeds run in `make test`, the counted campaigns in `make test-long`; both
leave rows for the table that faults.py prints. FAULT_SEED repeats one."""
import random
import shutil
import time

import pytest

import fleet as fleet_module
from fleet import Failure
from faults import Bench, Disk, Table, WriteLog, copy_disk, seed_of
from test_slots import publish_variant

MIB = 1 << 20
# What may be on its way when the power goes: the 6 MiB of ranges that memory holds (arrival.c), sockets, and a block or two that the
# guest is about to write.
IN_FLIGHT = 8 * MIB


def publish(fleet, name, version):
    """A version with 6 MiB that no other has, so that an update takes its time."""
    def change(_meta):
        if name.startswith("os-"):
            (fleet.folder / f"{name}-{version}/tree/usr/share/fill").write_bytes(random.Random(99).randbytes(6 * MIB))
    publish_variant(fleet, name, version, change)


# ---------------------------------------------------------------- power cuts
# (name, console line that begins it, weight): writing phases are cut more often than the others.
PHASES = [("before the assignment", None, 1), ("disk, partition table", r"\] assign ", 2), ("fetch and write C:", r"\] disk ", 5),
          ("fetch and write D:", r" in C\d: ", 2), ("STATE, kexec", r" in D\d: ", 2), ("start of the OS", "starting it", 2)]
END = r"^repave: healthy"


def watch(server):
    """Seconds from power-on at which each phase began, and the end."""
    server.start()
    begun = [0.0]
    for pattern in [phase[1] for phase in PHASES[1:]] + [END]:
        server.wait_for(pattern, every=0.02)
        begun.append(time.monotonic() - server.started)
    return begun


class Cuts:
    def __init__(self, fleet):
        self.bench = Bench(fleet, publish)
        self.server = self.bench.server
        self.blank, self.base = fleet.folder / "blank.img", fleet.folder / "base.img"
        copy_disk(self.server.disk, self.blank)
        self.begun, self.clean = {}, {}
        for kind in ("install", "update"):
            before = self.bench.sent()
            self.prepare(kind)
            self.begun[kind] = watch(self.server)
            self.bench.evidence()
            self.clean[kind] = self.bench.sent() - before
            self.server.power_cut()
            if kind == "install":
                copy_disk(self.server.disk, self.base)

    def prepare(self, kind):
        copy_disk(self.blank if kind == "install" else self.base, self.server.disk)
        if kind == "update" or self.begun:
            self.bench.assign("old" if kind == "install" else "new")

    def wanted(self, kind):
        which = "old" if kind == "install" else "new"
        return self.bench.image("os", which), self.bench.image("app", which)

    def missing(self, kind):
        """Blocks that neither the slots' right places nor the old system's slots hold, per letter."""
        disk = Disk(self.server.disk)
        if not disk.parts:
            return {"C": len(self.wanted(kind)[0]), "D": len(self.wanted(kind)[1])}
        old = self.bench.image("os", "old"), self.bench.image("app", "old")
        donors = [image.bytes if kind == "update" else b"" for image in old]
        return {letter: min(len(image.missing_in(disk.part(f"{letter}{i}", len(image.bytes)), donor)) for i in range(2))
                for letter, image, donor in zip("CD", self.wanted(kind), donors)}

    def cut(self, kind, rng):
        """Power goes at a random moment of a random phase. Returns the phase, and bytes sent until then."""
        self.prepare(kind)
        phase = rng.choices(range(len(PHASES)), [p[2] for p in PHASES])[0]
        begun, sent = self.begun[kind], self.bench.sent()
        wait = rng.random() * (begun[phase + 1] - begun[phase])
        self.server.start()
        if PHASES[phase][1]:
            self.server.wait_for(PHASES[phase][1], every=0.02)
        time.sleep(wait)
        self.server.power_cut()
        return PHASES[phase][0], self.bench.sent() - sent

    def recover(self, kind):
        """Boots what the cut left. Returns (outcome, figures)."""
        missing, sent = self.missing(kind), self.bench.sent()
        self.bench.boot()
        running = set(image.root for image in self.bench.evidence().values())
        if running == {image.root for image in self.wanted(kind)}:
            outcome = "new system"
        else:
            assert kind == "update" and running == {self.bench.image(k, "old").root for k in ("os", "app")}
            outcome = "last good system"
        images = self.bench.last_boot()["images"]
        figures = {"fetched": sum(i["fetched"] for i in images), "kept": sum(i["kept"] for i in images),
                   "missing": sum(missing.values()), "after": self.bench.sent() - sent}
        self.server.power_cut()
        # What it had isn't fetched again: to the block.
        assert figures["fetched"] <= figures["missing"], figures
        return outcome, figures


def one_cut(cuts, table, kind, rng):
    phase, before = cuts.cut(kind, rng)
    outcome, figures = cuts.recover(kind)
    lost = before + figures["after"] - cuts.clean[kind]
    table.add(f"power cut, {'first install' if kind == 'install' else kind}: {phase}", outcome, before=before, lost=lost, **figures)
    assert lost <= IN_FLIGHT, (before, figures, cuts.clean)


def cut_series(fleet, part, seed, kinds):
    rng, table = random.Random(seed), Table("power cut", part, seed)
    cuts = Cuts(fleet)
    for kind in kinds:
        one_cut(cuts, table, kind, rng)


def test_power_cuts_sample(fleet):
    cut_series(fleet, "sample", seed_of(20261121), ["install", "update"])


@pytest.mark.long
@pytest.mark.parametrize("part", range(6))
def test_power_cuts(fleet, part):
    """Six parts of ten cuts: four of a first install, six of an update."""
    cut_series(fleet, part, seed_of(), ["install"] * 4 + ["update"] * 6)


# ---------------------------------------------------------------- power cuts that lose unflushed writes
def log_writes(cuts, kind):
    """Boots with QEMU's log of writes between the guest and its disk. Returns the log."""
    cuts.prepare(kind)
    server, path = cuts.server, cuts.bench.fleet.folder / f"{kind}.writes"
    with open(path, "wb") as file:
        file.truncate(0)
    real, server.disk = server.disk, server.folder / "by-blockdev"
    server.append = ["-blockdev", f"driver=file,filename={real},node-name=disk", "-blockdev", f"driver=file,filename={path},node-name=log",
                     "-blockdev", "driver=blklogwrites,node-name=data,file=disk,log=log",
                     "-device", "virtio-blk-pci,drive=data"]
    server.start()
    server.wait_for(END)
    server.power_cut()
    server.disk, server.append = real, []
    return WriteLog(path)


def lost_writes(fleet, part, seed, kinds):
    """The disk acknowledges writes and has them in a cache without power: what wasn't flushed is lost, in any combination."""
    rng, table = random.Random(seed), Table("lost writes", part, seed)
    cuts = Cuts(fleet)
    logs = {kind: log_writes(cuts, kind) for kind in set(kinds)}
    for kind in kinds:
        cuts.prepare(kind)
        upto = rng.randrange(1, len(logs[kind].entries) + 1)
        flushed, lost = logs[kind].apply(cuts.server.disk, upto, rng)
        outcome, figures = cuts.recover(kind)
        table.add(f"cut with lost writes, {'first install' if kind == 'install' else kind}", outcome, writes=upto, flushed=flushed,
                  lost=lost, **figures)


def test_lost_writes_sample(fleet):
    lost_writes(fleet, "sample", seed_of(20261122), ["update"])


@pytest.mark.long
@pytest.mark.parametrize("part", range(2))
def test_lost_writes(fleet, part):
    lost_writes(fleet, part, seed_of(), ["install", "update"] * 5)
