#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What fault campaigns need: what a disk holds, seen from outside; ways to spoil it; and the table of what came of it.

Run as a program it prints the table of all campaigns that were run in this build folder."""
import hashlib
import json
import os
import random
import re
import struct
import sys
import time
import zlib
from pathlib import Path

import fleet as fleet_module
from fleet import BUILD, Failure, run

BLOCK = 4096
SECTOR = 512
MIB = 1 << 20
RESULTS = BUILD / "faults"


# ---------------------------------------------------------------- images
class Image:
    """A built image: its bytes are what a slot must hold."""

    def __init__(self, stem):
        self.description = json.loads(Path(f"{stem}.json").read_text())
        self.bytes = Path(f"{stem}.img").read_bytes()
        self.root = self.description["verity"]["root_hash"]
        self.data_blocks = self.description["verity"]["data_blocks"]
        self.wire_size = self.description["wire"]["size"]
        self.name = f"{self.description['name']} {self.description['version']}"

    def block(self, index):
        return self.bytes[index * BLOCK:(index + 1) * BLOCK]

    def __len__(self):
        return len(self.bytes) // BLOCK

    def missing_in(self, slot, donor=b""):
        """Blocks of this image that `slot` hasn't in their places, and that aren't anywhere in `donor`. The superblock is made
        by the node itself."""
        elsewhere = {hashlib.sha256(donor[at:at + BLOCK]).digest() for at in range(0, len(donor), BLOCK)}
        return [i for i in range(len(self)) if i != self.data_blocks and slot[i * BLOCK:(i + 1) * BLOCK] != self.block(i)
                and hashlib.sha256(self.block(i)).digest() not in elsewhere]


# ---------------------------------------------------------------- disks
class Disk:
    """A raw disk image with Repave's partition table, while no guest writes it or after the guest has synced."""

    def __init__(self, path):
        self.path = Path(path)
        self.size = self.path.stat().st_size
        self.parts = {}
        head = self.read(2 * SECTOR, 128 * 128)
        for at in range(0, len(head), 128):
            entry = head[at:at + 128]
            if any(entry[:16]):
                first, last = struct.unpack_from("<QQ", entry, 32)
                name = entry[56:].decode("utf-16-le").rstrip("\0")
                self.parts[name] = (first * SECTOR, (last - first + 1) * SECTOR, guid(entry[16:32]))

    def read(self, offset, size):
        with open(self.path, "rb") as file:
            file.seek(offset)
            return file.read(size)

    def write(self, offset, data):
        with open(self.path, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def part(self, name, size=None):
        start, length, _ = self.parts[name]
        return self.read(start, length if size is None else size)

    def flip(self, offset, bit):
        self.write(offset, bytes([self.read(offset, 1)[0] ^ 1 << bit]))

    def table(self):
        """(primary, backup): MBR, header and entries; entries and header."""
        return self.read(0, 34 * SECTOR), self.read(self.size - 33 * SECTOR, 33 * SECTOR)

    def states(self):
        """The content of each half of STATE: (sequence number, JSON), or None where it isn't sound."""
        return [state_record(self.part("STATE")[half * 8 * MIB:(half + 1) * 8 * MIB]) for half in range(2)]


def guid(raw):
    a, b, c = struct.unpack_from("<IHH", raw)
    return f"{a:08x}-{b:04x}-{c:04x}-{raw[8:10].hex()}-{raw[10:].hex()}"


def state_record(half):
    """docs/protocol.md, "STATE partition"."""
    sequence, length, reserved = struct.unpack_from("<QII", half, 8)
    payload = half[56:56 + length]
    if half[:8] != b"REPAVEST" or reserved or hashlib.sha256(payload).digest() != half[24:56]:
        return None
    return sequence, json.loads(payload)


def table_is_sound(table):
    """Both copies, by their checksums, and that they say the same."""
    primary, backup = table
    headers = primary[SECTOR:2 * SECTOR], backup[32 * SECTOR:]
    entries = primary[2 * SECTOR:], backup[:32 * SECTOR]
    for header, table_bytes in zip(headers, entries):
        zeroed = header[:16] + bytes(4) + header[20:92]
        if header[:8] != b"EFI PART" or zlib.crc32(zeroed) != struct.unpack_from("<I", header, 16)[0]:
            return False
        if zlib.crc32(table_bytes) != struct.unpack_from("<I", header, 88)[0]:
            return False
    return entries[0] == entries[1] and primary[510:512] == b"\x55\xaa" and primary[450] == 0xee


def copy_disk(source, target):
    run(["cp", "--sparse=always", source, target])


# ---------------------------------------------------------------- writes that never got to the disk
FLUSH, FUA, DISCARD = 1, 2, 4


class WriteLog:
    """What QEMU's blklogwrites recorded (the format of the kernel's dm-log-writes): a power cut may lose any of the writes
    after the last flush, whole or in part."""

    def __init__(self, path):
        self.path, self.entries = Path(path), []
        with open(path, "rb") as file:
            magic, version, _, size = struct.unpack("<QQQI", file.read(28))
            if magic != 0x6A736677736872 or version != 1:
                raise Failure(f"{path} isn't a log of writes")
            at, end = size, self.path.stat().st_size
            while at + 32 <= end:
                file.seek(at)
                sector, count, flags, length = struct.unpack("<QQQQ", file.read(32))
                data = 0 if flags & DISCARD else count * size
                if length or at + size + data > end or not (count or flags):
                    break
                self.entries.append((sector * size, count * size, flags, at + size))
                at += size + data

    def flushes(self):
        return [i for i, entry in enumerate(self.entries) if entry[2] & FLUSH]

    def apply(self, disk, upto, rng):
        """Writes the first `upto` entries to the file `disk`; of those after the last flush each may be lost, and one may be
        torn. Returns (writes kept for sure, writes that were lost)."""
        flushed = max((i for i in self.flushes() if i < upto), default=0)
        lost = 0
        with open(self.path, "rb") as log, open(disk, "r+b") as out:
            for i, (offset, size, flags, at) in enumerate(self.entries[:upto]):
                if flags & DISCARD:
                    continue
                log.seek(at)
                data = log.read(size)
                if i > flushed and size:
                    if rng.random() < 0.5:
                        lost += 1
                        continue
                    if rng.random() < 0.2:
                        data = data[:rng.randrange(0, size + 1, SECTOR)]
                out.seek(offset)
                out.write(data)
        return flushed, lost


# ---------------------------------------------------------------- a server under test
class Bench:
    """One server, two versions of its OS and application, and what is to be found on its disk after each fault."""

    def __init__(self, fleet, publish, **options):
        self.fleet = fleet
        self.server = fleet.server(medium="direct", **options)
        self.images = {}
        self.systems = {"old": ("os-minimal", "app-web-minimal")}
        for name in self.systems["old"]:
            self.learn(BUILD / "images" / name)
        if publish:
            self.systems["new"] = ("os-minimal@9.9", "app-web-minimal@9.9")
            for name in ("os-minimal", "app-web-minimal"):
                publish(fleet, name, "9.9")
                self.learn(fleet.folder / f"image-{name}-9.9")
        fleet.control.start()
        old = [fleet_module.description_of(name)["version"] for name in self.systems["old"]]
        self.words = {"old": ["--os", f"minimal@{old[0]}", "--app", f"web@{old[1]}"],
                      "new": ["--os", "minimal@9.9", "--app", "web@9.9"]}
        fleet.control.repave("default", *self.words["old"], "--ssh-key", f"{fleet.key}.pub")

    def learn(self, stem):
        image = Image(stem)
        self.images[image.root] = image

    def image(self, kind, which):
        """kind: "os" or "app"; which: "old" or "new"."""
        return next(i for i in self.images.values() if i.description["kind"] == kind
                    and (i.description["version"] == "9.9") == (which == "new"))

    def assign(self, which):
        self.fleet.control.repave("assign", self.server.id, *self.words[which])

    def boot(self, seconds=300):
        self.server.start()
        self.server.wait_for(r"^repave: healthy", seconds=seconds, every=0.1)

    def sent(self):
        """Bytes that went to the server over its cable since it is there."""
        links = json.loads(run(["ip", "-j", "-s", "link", "show", "dev", f"tap{self.server.index}"]))
        return links[0]["stats64"]["tx"]["bytes"]

    def last_boot(self):
        return self.fleet.control.node(self.server.id)["last_boot"]

    def evidence(self):
        """The running system is signed, and the slots that its command line names hold it, byte by byte. Returns the roots."""
        cmdline = self.fleet.ssh(self.server, "cat /proc/cmdline")
        disk, found = Disk(self.server.disk), {}
        for letter, partuuid, root in re.findall(r"repave\.([cd])=([0-9a-f-]{36}):\d+:([0-9a-f]{64}):", cmdline):
            image = self.images.get(root)
            if not image:
                raise Failure(f"the command line has a root hash that nobody signed: {cmdline}")
            names = [name for name, part in disk.parts.items() if part[2] == partuuid]
            if not names or names[0][0] != letter.upper():
                raise Failure(f"the command line names a partition that isn't there: {cmdline}")
            if disk.part(names[0], len(image.bytes)) != image.bytes:
                raise Failure(f"{names[0]} isn't {image.name}, though it runs from there")
            found[names[0]] = image
        if len(found) != 2:
            raise Failure(f"the command line names no two slots: {cmdline}")
        if not table_is_sound(disk.table()):
            raise Failure("the partition table isn't sound")
        if None in disk.states():
            raise Failure(f"STATE isn't sound: {[state and state[0] for state in disk.states()]}")
        return found


# ---------------------------------------------------------------- results
def seed_of(default=None):
    """FAULT_SEED, or the fixed one of a sample, or a new one; printed, so that a failure can be had again."""
    text = os.environ.get("FAULT_SEED")
    seed = int(text) if text else default if default is not None else random.SystemRandom().randrange(1 << 32)
    print("seed", seed)
    return seed


class Table:
    """The rows of one campaign; written after each fault, so that an interrupted one counts what it did."""

    def __init__(self, campaign, part, seed):
        self.path = RESULTS / f"{campaign}-{part}.json"
        self.document = {"campaign": campaign, "part": str(part), "seed": seed, "begun": time.strftime("%FT%TZ", time.gmtime()),
                         "rows": []}
        RESULTS.mkdir(parents=True, exist_ok=True)

    def add(self, fault, outcome, count=1, **figures):
        self.document["rows"].append(dict(fault=fault, outcome=outcome, count=count, **figures))
        self.document["load"] = os.getloadavg()[0]
        self.path.write_text(json.dumps(self.document, indent=1) + "\n")
        print(f"{fault}: {outcome} ({count})", figures or "")


def print_table():
    groups = {}
    for path in sorted(RESULTS.glob("*.json")):
        document = json.loads(path.read_text())
        for row in document["rows"]:
            seeds, outcomes = groups.setdefault((document["campaign"], row["fault"]), (set(), {}))
            seeds.add(document["seed"])
            outcomes[row["outcome"]] = outcomes.get(row["outcome"], 0) + row["count"]
    wide = 2 + max(len(fault) for _, fault in groups)
    lines = [f"{'CAMPAIGN':17}{'FAULT':{wide}}{'COUNT':>6}  OUTCOMES"]
    for (campaign, fault), (seeds, outcomes) in groups.items():
        text = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        lines.append(f"{campaign:17}{fault:{wide}}{sum(outcomes.values()):6}  {text}")
    seeds = {document["seed"] for document in (json.loads(p.read_text()) for p in RESULTS.glob("*.json"))}
    lines.append(f"seeds: {', '.join(map(str, sorted(seeds)))}")
    text = "\n".join(lines) + "\n"
    (RESULTS / "table.txt").write_text(text)
    print(f"\nFaults survived ({RESULTS}/table.txt; each fault in {RESULTS}/*.json)\n{text}")


if __name__ == "__main__":
    if not list(RESULTS.glob("*.json")):
        sys.exit(f"faults: no campaign was run yet in {RESULTS}: make test-long")
    print_table()
