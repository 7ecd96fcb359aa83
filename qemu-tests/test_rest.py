# SPDX-License-Identifier: GPL-2.0-or-later
"""C: and D: at rest: with `encryption` in a server's group its disk shows nothing of any image, and without the control unit's key it starts nothing."""
import json
import os
import random
import re

import pytest

from faults import Disk
from fleet import BUILD, description_of
from test_slots import deaf, little_was_fetched, publish_variant

BLOCK = 4096
PIECE = 4 << 20


def written(path):
    """(offset, bytes) of what a sparse file holds, in whole blocks."""
    with open(path, "rb") as file:
        size, at = os.fstat(file.fileno()).st_size, 0
        while at < size:
            try:
                begin = os.lseek(file.fileno(), at, os.SEEK_DATA) // BLOCK * BLOCK
            except OSError:  # a hole up to the end
                return
            end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            for at in range(begin, end, PIECE):
                piece = os.pread(file.fileno(), min(PIECE, end - at), at)
                if piece.count(0) < len(piece):
                    yield at, piece
            at = end


class Traces:
    """What of images could be on a disk in the clear: blocks of data and of trees, text, and what superblocks begin with."""

    def __init__(self, *stems):
        self.blocks, self.texts, numbers = set(), [], random.Random(7)
        for stem in stems:
            image = (BUILD / f"images/{stem}.img").read_bytes()
            self.blocks |= {block for at in range(0, len(image) - BLOCK + 1, BLOCK) if len(set(block := image[at:at + BLOCK])) > 32}
            texts = sorted(set(re.findall(rb"[A-Za-z][A-Za-z0-9 ,.'/_-]{40,60}(?=[^A-Za-z0-9 ,.'/_-])", image)))
            assert len(texts) > 20, stem
            self.texts += numbers.sample(texts, 8)

    def on(self, path):
        """Of each kind, which are on the disk; all of it is looked at."""
        blocks, texts, magics, before = set(), set(), [], b""
        for at, piece in written(path):
            window = before + piece
            texts |= {text for text in self.texts if text in window}
            before = window[-64:]
            for i in range(0, len(piece), BLOCK):
                block = piece[i:i + BLOCK]
                if block[:4] == b"hsqs" or block[:6] == b"verity":
                    magics.append((at + i, block[:6]))
                if block in self.blocks:
                    blocks.add(block)
        return blocks, texts, magics


def versions():
    return (f"minimal@{description_of('os-minimal')['version']}", f"web@{description_of('app-web-minimal')['version']}")


def encrypt(fleet, servers, on, **more):
    file = fleet.folder / "fleet.json"
    file.write_text(json.dumps({"groups": {"web": {**dict(zip(("os", "app"), versions())), "encryption": on, **more}},
                                "nodes": [{"node": server.id, "group": "web"} for server in servers]}))
    fleet.control.repave("apply", "-f", file, "--yes")


def mappings(fleet, server):
    """Which mapped device lies on which."""
    lines = fleet.ssh(server, "for d in /sys/block/dm-*; do echo $(cat $d/dm/name) $(for s in $d/slaves/*; do"
                              " cat $s/dm/name 2>/dev/null || basename $s; done); done").splitlines()
    return dict(line.split() for line in lines)


def decrypted_below_verity(fleet, server):
    below = mappings(fleet, server)
    assert below["repave-c"] == "repave-c-slot" and below["repave-c-slot"].startswith("vda"), below
    assert below["repave-d"] == "repave-d-slot" and below["repave-d-slot"].startswith("vda"), below
    # Nobody reads a key back, root neither.
    assert fleet.ssh(server, "ls -d /repave 2>/dev/null; find / -xdev -name '[cd].key'; find /run -xdev -name '[cd].key'; grep repave:disk /proc/keys; true") == ""


def kept_whole(server):
    """Nothing of C: and D: came over the network."""
    lines = re.findall(r"in [CD][01]: (\d+) blocks, (\d+) kept, (\d+) copied, (\d+) fetched \((.*)\)", server.console())
    assert len(lines) == 2 and all(line[0] == line[1] and line[2:] == ("0", "0", "0 B") for line in lines), lines


def healthy(server):
    server.wait_for(r"^repave: healthy")


def test_stolen_disk_shows_nothing_of_c_and_d(fleet):
    traces = Traces("os-minimal", "app-web-minimal")
    server = fleet.server(medium="direct", disk_mib=3328)
    control = fleet.control
    control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"starting it", every=0.05)
    server.power_cut()
    # In the clear all of it shows: the search finds what is there.
    blocks, texts, magics = traces.on(server.disk)
    assert blocks == traces.blocks and texts == set(traces.texts) and len(magics) >= 4, (len(blocks), len(traces.blocks), texts, magics)
    # What was in the clear goes, and comes again as ciphertext.
    encrypt(fleet, [server], "on")
    server.start()
    server.wait_for(r"disk +C: and D: are to be encrypted: what their slots held was overwritten with zeros")
    healthy(server)
    decrypted_below_verity(fleet, server)
    fleet.ssh(server, "sync")
    assert traces.on(server.disk) == (set(), set(), [])
    fleet.power_off(server)
    # A control unit that can't open the key gives none, and nothing of the disk is started or changed.
    control.stop()
    sealing = control.state / "secret.key"
    right, before = sealing.read_text(), [Disk(server.disk).part(name) for name in ("C0", "D0")]
    sealing.write_text("00" * 32 + "\n")
    control.start()
    server.start()
    server.wait_for(r"FAILED: C: and D: of this server are to be encrypted, and the control unit gave no key: the control unit can't open its key")
    assert "starting it" not in server.console()
    server.power_cut()
    # Nor is anything without a control unit, though the policy lets servers start then.
    control.stop()
    server.cmdline = "repave.unreachable=1"
    server.start()
    server.wait_for(r"FAILED: C: and D: of this server are encrypted, and no control unit was there to give their key: .*Bring repaved")
    assert "starting it" not in server.console()
    server.power_cut()
    assert [Disk(server.disk).part(name) for name in ("C0", "D0")] == before
    sealing.write_text(right)
    control.start()
    server.start()
    healthy(server)
    kept_whole(server)
    assert "overwritten" not in server.console() and traces.on(server.disk) == (set(), set(), [])


@pytest.mark.long
def test_encrypted_slots_update_roll_back_move_and_go_back_to_plain(fleet):
    traces = Traces("os-minimal", "app-web-minimal")
    publish_variant(fleet, "app-web-minimal", "9.9", deaf)
    server, other = (fleet.server(number, medium="direct", disk_mib=3328, cmdline="repave.tries=1 repave.health=25") for number in (1, 2))
    fleet.control.start()
    fleet.default(*versions())
    for one in (server, other):
        one.start()
        one.wait_for(r"assignment \d+: ")
        one.power_cut()
    encrypt(fleet, [server, other], True)
    server.start()
    healthy(server)
    # An update takes over what the other slot has, and the way back finds the last good system in its slot.
    fleet.control.repave("assign", server.id, "--app", "web@9.9")
    server.reset()
    server.wait_for(r"(?s)the last good system boots instead.*^repave: healthy", seconds=400)
    little_was_fetched(server)
    decrypted_below_verity(fleet, server)
    fleet.ssh(server, "sync")
    assert traces.on(server.disk) == (set(), set(), [])
    fleet.power_off(server)
    # In another server the disk is a disk of no use.
    other.disk = server.disk
    other.start()
    other.wait_for(r"what their slots held was overwritten with zeros")
    healthy(other)
    fleet.ssh(other, "sync")
    assert traces.on(other.disk) == (set(), set(), [])
    fleet.power_off(other)
    # The reverse: a ciphertext isn't taken for an image.
    encrypt(fleet, [server, other], "off")
    other.start()
    other.wait_for(r"C: and D: were encrypted, and aren't to be any more: they are installed anew")
    healthy(other)
    assert mappings(fleet, other)["repave-c"].startswith("vda")
    assert traces.on(other.disk)[0] == traces.blocks
    fleet.power_off(other)
    other.start()
    healthy(other)
    kept_whole(other)


@pytest.mark.long
def test_debian_by_reset_becomes_encrypted_by_kexec(fleet):
    traces = Traces("os-debian", "app-cache-debian")
    server = fleet.server(medium="uki", memory=1024)
    fleet.control.start()
    fleet.default("debian", "cache", "--start", "reset")
    server.start()
    fleet.answer(server, "debian", "cache")
    fleet.power_off(server)
    encrypt(fleet, [server], "on", os="debian", app="cache")
    server.start()
    server.wait_for(r"started by kexec, not by a reset: C: and D: are encrypted")
    fleet.answer(server, "debian", "cache")
    decrypted_below_verity(fleet, server)
    fleet.ssh(server, "sync")
    # The EFI system partition, where a kernel and an initrd lay, included.
    assert traces.on(server.disk) == (set(), set(), [])
