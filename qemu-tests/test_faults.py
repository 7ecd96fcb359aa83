# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that must be survived. Samples with fixed seeds run in `make test`, the counted campaigns in `make test-long`; both
leave rows for the table that faults.py prints. FAULT_SEED repeats one."""
import json
import os
import random
import re
import time

import pytest

from fleet import BUILD, PORT, ROOT, run
from faults import BLOCK, Bench, Disk, Image, Table, WriteLog, copy_disk, seed_of
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


def make_folder(path):
    path.mkdir(exist_ok=True)
    return path


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
        # Named like a server's disk, so that the fixture removes them.
        self.blank, self.base = (make_folder(fleet.folder / name) / "disk.img" for name in ("blank", "base"))
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
        # What it had isn't fetched again: to the block, but for those that a frame brings along that holds the end of one level of
        # the tree and the beginning of the next.
        along = sum(2 * (image.description["wire"]["frame_size"] // BLOCK - 1) for image in self.wanted(kind))
        # A patch makes blocks anew that could have been copied, out of a few bytes; and where leaves were lost it brings their data
        # too, before anybody can know which of it is there.
        most = figures["missing"] + along
        assert figures["fetched"] <= most or \
            any(i["patch_bytes"] for i in images) and figures["after"] <= self.clean[kind] * 3 // 2, (figures, self.clean, images)
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
@pytest.mark.parametrize("part", range(3))
def test_power_cuts(fleet, part):
    """Three parts of twenty cuts: eight of a first install, twelve of an update."""
    cut_series(fleet, part, seed_of(), ["install"] * 8 + ["update"] * 12)


# ---------------------------------------------------------------- power cuts that lose unflushed writes
def log_writes(cuts, kind):
    """Boots with QEMU's log of writes between the guest and its disk. Returns the log."""
    cuts.prepare(kind)
    server, path = cuts.server, make_folder(cuts.bench.fleet.folder / f"writes-{kind}") / "disk.img"
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


# ---------------------------------------------------------------- flipped bits
def header_bytes(start):
    return [(start, start + 92)]


def regions(disk, active, images):
    """Where a flipped bit means something: {region: [(first byte, end)]}. `active`: the slots in use, {"C": "C0", "D": "D1"}."""
    found = {"GPT, protective MBR": [(446, 462), (510, 512)], "GPT, primary header": header_bytes(512),
             "GPT, primary entries": [(1024, 1024 + 128 * 128)], "GPT, backup header": header_bytes(disk.size - 512),
             "GPT, backup entries": [(disk.size - 33 * 512, disk.size - 512)]}
    for half, state in enumerate(disk.states()):
        at = disk.parts["STATE"][0] + half * 8 * MIB
        length = int.from_bytes(disk.read(at + 16, 4), "little")
        found[f"STATE, record {half}"] = [(at, at + 56 + length)]
        assert state, "STATE isn't sound before the flip"
    for letter, slot in active.items():
        image, at = images[letter], disk.parts[slot][0]
        data = image.data_blocks * BLOCK
        found[f"{letter}:, data"] = [(at, at + data)]
        found[f"{letter}:, superblock"] = [(at + data, at + data + 120)]
        found[f"{letter}:, hash tree"] = [(at + data + BLOCK, at + len(image.bytes))]
    return found


class Flips:
    """A server with both systems on its disk, and either of them assigned when bits have flipped."""

    def __init__(self, fleet):
        self.bench = Bench(fleet, publish)
        self.server, self.base = self.bench.server, make_folder(fleet.folder / "base") / "disk.img"
        self.bench.boot()
        self.bench.assign("new")
        self.server.reset()
        self.server.wait_for(END)
        self.slots = self.slots_of(self.bench.evidence())
        self.server.power_cut()
        copy_disk(self.server.disk, self.base)
        self.assigned = "new"

    @staticmethod
    def slots_of(evidence):
        return {slot[0]: slot for slot in evidence}

    def flip(self, rng, names, which):
        """Flips one bit in each of the named regions (None: any). Returns the rows: region, byte, bit."""
        if which != self.assigned:
            self.bench.assign(which)
            self.assigned = which
        copy_disk(self.base, self.server.disk)
        disk = Disk(self.server.disk)
        active = self.slots if which == "new" else {letter: letter + "10"[int(slot[1])] for letter, slot in self.slots.items()}
        places = regions(disk, active, {"C": self.bench.image("os", which), "D": self.bench.image("app", which)})
        flipped = []
        for name in names or [rng.choice(list(places))]:
            first, end = rng.choice(places[name])
            at, bit = rng.randrange(first, end), rng.randrange(8)
            disk.flip(at, bit)
            flipped.append((name, at, bit))
        return flipped

    def check(self, flipped, which):
        """One boot later all of it is as it was, and it was said. Returns the outcome."""
        self.bench.boot()
        evidence = self.bench.evidence()
        text, last = self.server.console(), self.bench.last_boot()
        self.server.power_cut()
        assert {image.root for image in evidence.values()} == {self.bench.image(k, which).root for k in ("os", "app")}
        names = [name for name, _, _ in flipped]
        if any(name.startswith("GPT") for name in names):
            assert "partition table was damaged and was made good" in text, text
            assert "partition table was damaged" in last["error"], last
        blocks = {(name[0], at // BLOCK) for name, at, _ in flipped if name[1] == ":" and "superblock" not in name}
        good = sum(image["repaired"] for image in last["images"])
        # A slot whose record in STATE was lost counts as never complete: its blocks are made good without a word.
        if not any(name.startswith("STATE") for name in names):
            assert good == len(blocks), (flipped, last)
        return "repaired"


def flip_series(fleet, part, seed, boots):
    """boots: for each, the regions to flip in; None for one anywhere."""
    rng, table, flips = random.Random(seed), Table("bit flips", part, seed), Flips(fleet)
    for names in boots:
        which = rng.choice(["new", "new", "old"])
        flipped = flips.flip(rng, names, which)
        print(which, flipped)
        outcome = flips.check(flipped, which)
        for name, at, bit in flipped:
            table.add(f"flipped bit, {'one' if len(flipped) == 1 else 'one of ten'} in a boot: {name}", outcome, byte=at, bit=bit,
                      assigned=which)


# One in each region; of STATE and of the table one copy at a time can be lost.
TEN = ["GPT, primary header", "STATE, record 0", "C:, data", "C:, data", "C:, data", "C:, superblock", "C:, hash tree", "D:, data", "D:, superblock",
       "D:, hash tree"]
OTHER_TEN = ["GPT, backup entries", "STATE, record 1", "C:, data", "C:, data", "C:, data", "C:, hash tree", "C:, hash tree", "D:, data", "D:, data",
             "D:, hash tree"]


def test_bit_flips_sample(fleet):
    flip_series(fleet, "sample", seed_of(20261123), [TEN, ["GPT, protective MBR"]])


@pytest.mark.long
@pytest.mark.parametrize("part", range(2))
def test_bit_flips(fleet, part):
    """Two parts: eight boots after ten flips each, and twenty after one."""
    flip_series(fleet, part, seed_of(), [TEN, OTHER_TEN] * 4 + [None] * 20)


@pytest.mark.long
def test_power_cuts_in_bulk():
    """More, without a guest: the node's own installation is killed (provisioner/test/hostile-server-test)."""
    said = run([ROOT / "provisioner/test/hostile-server-test", "test_cuts_of"], env=dict(os.environ, CUT_RUNS="60"), cwd=ROOT)
    cuts, seed = re.search(r"cuts (\{.*\}) \(seed (\d+)\)", said).groups()
    table = Table("power cut", "bulk", int(seed))
    for kind, count in json.loads(cuts).items():
        table.add(f"installation killed outside a guest: {kind}", "resumed", count)


@pytest.mark.long
def test_bit_flips_in_bulk():
    """Thousands more, without a guest: the node's own installation on files (provisioner/test/hostile-server-test)."""
    said = run([ROOT / "provisioner/test/hostile-server-test", "flipped_bits"], env=dict(os.environ, FLIP_RUNS="200"), cwd=ROOT)
    slot, donor, seed = map(int, re.search(r"(\d+) bits flipped in a slot, (\d+) in the other \(seed (\d+)\): all repaired", said).groups())
    table = Table("bit flips", "bulk", seed)
    table.add("flipped bit, outside a guest: slot", "repaired", slot)
    table.add("flipped bit, outside a guest: other slot", "not copied", donor)


# ---------------------------------------------------------------- disks that fail
def rules(folder, *errors):
    """QEMU's blkdebug: errors of reading or writing at bytes of the disk. Returns the file."""
    path = folder / "blkdebug.conf"
    path.write_text("".join(f'[inject-error]\nevent = "none"\niotype = "{kind}"\nsector = "{at // 512}"\nerrno = "5"\nonce = "off"\n\n'
                            for kind, at in errors))
    return path


class FailingDisk:
    """Boots the same healthy disk again and again, each time with another fault."""

    def __init__(self, fleet, part):
        self.bench = Bench(fleet, publish)
        self.server, self.real = self.bench.server, self.bench.server.disk
        self.base = make_folder(fleet.folder / "base") / "disk.img"
        self.bench.boot()
        self.server.power_cut()
        copy_disk(self.real, self.base)
        self.table = Table("disk faults", part, 0)

    def place(self, slot, block):
        """Byte of a block of a slot's partition."""
        return Disk(self.base).parts[slot][0] + block * BLOCK

    def start(self, errors=(), words=None, fresh=True):
        """With blkdebug's errors, or with other words for QEMU."""
        if fresh:
            copy_disk(self.base, self.real)
        self.server.disk = self.server.folder / "by-blockdev"
        conf = rules(self.server.folder, *errors)
        # An error goes to the guest, as a disk's does; QEMU's default for a full disk is to stop.
        self.server.append = words or [
            "-drive", f"file=blkdebug:{conf}:{self.real},format=raw,if=none,id=data,cache=unsafe,rerror=report,werror=report",
            "-device", "virtio-blk-pci,drive=data"]
        self.server.start()

    def ends(self, fault, pattern, outcome, seconds=300):
        """Waits for the line that names the cause, and for what is to come of it."""
        line = self.server.wait_for(pattern, seconds=seconds, every=0.1)[0].strip().splitlines()[0]
        if outcome != "refused":
            self.server.wait_for(END, seconds=seconds)
            root = self.bench.fleet.ssh(self.server, "cat /proc/cmdline")
            assert sum(image.root in root for image in self.bench.images.values()) == 2, root
        else:
            assert "starting it" not in self.server.console()
        self.server.power_cut()
        self.table.add(fault, outcome, line=line)


def test_disk_faults_sample(fleet):
    disk = FailingDisk(fleet, "sample")
    middle = disk.bench.image("os", "old").data_blocks // 2
    # A sector of the slot that can't be read, and that writing doesn't mend.
    disk.start([("read", disk.place("C0", middle))])
    disk.ends("sector of C: can't be read", r"slot C0 has sectors that can't be read[^\n]*taking C1 instead", "the other slot")
    # The update can't be written, and the other slot is last good.
    disk.bench.assign("new")
    disk.start([("write", disk.place("C1", middle)), ("write", disk.place("C1", 100))])
    disk.ends("the update can't be written", r"slot C1 can't be written[^\n]*C: and D: are in RAM", "in RAM")
    with open(disk.real, "r+b") as file:
        file.truncate(3500 << 20)
    disk.start(fresh=False)
    disk.ends("disk that shrank", r"FAILED: disk vda[^\n]*holds a GPT partition table of a larger disk[^\n]*--wipe", "refused")


@pytest.mark.long
def test_disk_faults(fleet):
    disk = FailingDisk(fleet, "all")
    disk.start([("read", disk.place("C0", disk.bench.image("os", "old").data_blocks + 1))])
    disk.ends("top of C:'s tree can't be read", r"C0[^\n]*taking C1 instead", "the other slot")
    disk.start([("write", disk.place("STATE", 0)), ("write", disk.place("STATE", 2048))])
    disk.ends("STATE can't be written", r"STATE of disk vda can't be written: I/O error", "assigned system")
    disk.start([("read", disk.place("STATE", 0)), ("read", disk.place("STATE", 2048))])
    disk.ends("STATE can't be read", r"starting it", "assigned system")
    disk.start([("read", 512), ("read", 1024)])
    disk.ends("partition table can't be read", r"partition C0 of disk vda doesn't appear[^\n]*C: and D: are in RAM", "in RAM")
    disk.start(words=["-drive", f"file={disk.base},format=raw,if=none,id=data,readonly=on", "-device", "virtio-blk-pci,drive=data"])
    disk.ends("read-only disk", r"disk vda is read-only: only what is complete", "assigned system")


# ---------------------------------------------------------------- servers that lie
def certificate(folder, ca, key, name, days):
    """A folder like a control unit's state, with another certificate for its key. `days` from now on, or back."""
    folder.mkdir()
    run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=control",
         "-keyout", folder / "server.key", "-out", folder / "request.pem"])
    (folder / "extensions").write_text(f"subjectAltName=DNS:{name}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
    run(["openssl", "x509", "-req", "-in", folder / "request.pem", "-CA", ca, "-CAkey", key, "-set_serial", "77", "-days", days,
         "-extfile", folder / "extensions", "-out", folder / "server.pem"])
    return folder


NAME = "control.repave.internal"


def false_certificates(fleet):
    """(what is wrong, folder) of control units that a node mustn't listen to."""
    own, other = BUILD / "fleet/ca", fleet.folder / "other-ca"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Another CA",
         "-days", "10", "-keyout", f"{other}.key", "-out", f"{other}.pem"])
    return [("certificate of another CA", certificate(fleet.folder / "by-other", f"{other}.pem", f"{other}.key", NAME, "10")),
            ("expired certificate", certificate(fleet.folder / "expired", f"{own}.pem", f"{own}.key", NAME, "-1")),
            ("certificate for another name", certificate(fleet.folder / "other-name", f"{own}.pem", f"{own}.key", "other.invalid", "10"))]


def test_hostile_servers(fleet):
    """Three control units with a wrong certificate, then the fleet's own key with a mirror that lies beside a sound repository."""
    table, server = Table("hostile servers", "all", 0), fleet.server(medium="direct")
    fleet.mirror()
    fleet.attacker("mirror", "--lie", "--folder", fleet.control.repository, "--port", "8090")
    targets = [next(str(path.relative_to(fleet.control.repository / "targets").parent / path.name.split(".", 1)[1])
                    for path in (fleet.control.repository / "targets").rglob("*.img.zst")
                    if path.stat().st_size == Image(BUILD / "images" / name).wire_size) for name in ("os-minimal", "app-web-minimal")]
    reports = fleet.folder / "reports"
    words = ["control", "--port", PORT, "--os", targets[0], "--app", targets[1], "--mirror", "http://10.0.2.2:8090/repository",
             "--reports", reports]
    server.start()
    for wrong, folder in false_certificates(fleet):
        process = fleet.attacker(*words, "--state", folder)
        server.mark = server.console_file.stat().st_size
        line = server.wait_for(r"control unit can't be asked: [^\n]*", every=0.1)[0].strip()
        process.stop()
        assert "assignment" not in server.console() and not reports.exists()
        table.add(wrong, "refused", line=line)
    fleet.attacker(*words, "--state", BUILD / "fleet")
    blamed = server.wait_for(r"[^\n]*8090[^\n]*", every=0.1)[0].strip()
    server.wait_for(END)
    reported = reports.read_text().splitlines()[-1]
    disk = Disk(server.disk)
    for name in ("os-minimal", "app-web-minimal"):
        image = Image(BUILD / "images" / name)
        assert image.root in reported
        assert disk.part("C0" if name[0] == "o" else "D0", len(image.bytes)) == image.bytes
    table.add("mirror that lies, beside a sound repository", "blamed, assigned system", line=blamed)
