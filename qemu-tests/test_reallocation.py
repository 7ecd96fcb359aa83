# SPDX-License-Identifier: GPL-2.0-or-later
"""A server passes from one account to another: what the former one left is nowhere any more, neither on the disk nor in memory; and H: is a
ciphertext on the disk."""
import json
import os
import random
from pathlib import Path

import pytest

from faults import Disk
from fleet import BUILD, ask_application, description_of

MIB = 1 << 20
PIECE = 16 * MIB


def found(path, markers, blocks=()):
    """Which of the markers are anywhere in the file, and which of the blocks of 4 KiB where blocks are: all of it is searched."""
    seen, blocks, before = set(), set(blocks), b""
    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            window = before + piece
            seen |= {marker for marker in markers if marker in window}
            before = window[-64:]
            if piece.count(0) < len(piece):
                seen |= {block for at in range(0, len(piece), 4096) if (block := piece[at:at + 4096]) in blocks}
    return seen


def blocks_of_its_own(name, other, count=64):
    """Blocks that only this image has."""
    images = [(BUILD / f"images/{stem}.img").read_bytes() for stem in (name, other)]
    pieces = {images[0][at:at + 4096] for at in range(0, len(images[0]) - 4095, 4096)}
    theirs = {images[1][at:at + 4096] for at in range(0, len(images[1]) - 4095, 4096)}
    own = sorted(piece for piece in pieces - theirs if len(set(piece)) > 64)
    return random.Random(7).sample(own, min(count, len(own)))


class Accounts:
    def __init__(self, fleet, server):
        self.fleet, self.server = fleet, server
        self.groups = {"red": {"account": "red", "os": "minimal", "app": "cache", "h_encryption": "on"},
                       "blue": {"account": "blue", "os": "minimal", "app": "web"}}

    def give_to(self, group, **more):
        self.groups[group] |= more
        file = self.fleet.folder / "fleet.json"
        file.write_text(json.dumps({"groups": self.groups, "nodes": [{"node": self.server.id, "group": group}]}))
        return self.fleet.control.repave("apply", "-f", file, "--yes")


def plant(fleet, server, marker):
    """The former account's secret, wherever root of its system can put one."""
    text = marker.decode()
    fleet.ssh(server, f"echo {text} | tee /h/note /tmp/note /run/note /root/note /var/note >/dev/null; sync")


def plant_in_memory(fleet, server, marker):
    """Files of tmpfs and of the system's overlay, of tens of MiB: more than a new system overwrites by chance."""
    text = marker.decode()
    fleet.ssh(server, f"for file in /run/many /var/many; do yes {text} | head -c {24 * MIB} >$file; done; sync")


def memory(server):
    """All of its memory, seen from outside; a file that the caller removes."""
    file = server.folder / "memory"
    server.qmp("pmemsave", val=0, size=server.memory * MIB, filename=str(file))
    assert file.stat().st_size == server.memory * MIB
    return file


def found_in_memory(server, markers):
    """Which of the markers are anywhere in its memory."""
    file = memory(server)
    seen = found(file, markers)
    file.unlink()
    return seen


def reset_with_memory(server, marker):
    """The reset button, pressed while nothing runs. What lies in memory outlasts it here, as in many a machine."""
    server.qmp("stop")
    server.reset()
    assert found_in_memory(server, [marker]) == {marker}
    server.qmp("cont")


def plant_on_the_disk(fleet, server, disk, marker):
    """In the clear, in a gap of the table and in the slots that don't run."""
    places = [64 << 10, disk.parts["C1"][0] + 5 * MIB, disk.parts["D1"][0], disk.parts["H"][0] + disk.parts["H"][1] - 70000]
    for place in places:
        fleet.ssh(server, f"printf {marker.decode()} | dd of=/dev/vda bs=1 seek={place} conv=notrunc 2>/dev/null; sync")


def test_former_account_leaves_nothing_on_the_disk(fleet):
    own = blocks_of_its_own("app-cache-minimal", "app-web-minimal")
    secret, open_secret, memory_secret = (bytes(random.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=64)) for _ in range(3))
    # A disk that makes no zeros by itself, and isn't quick: they take long enough for a power cut.
    server = fleet.server(medium="direct", disk_mib=3328, disk_options=",discard=off,write-zeroes=off",
                          drive_options=f",throttling.bps-write={300 * MIB}")
    fleet.control.start()
    fleet.default("minimal", "cache", "--h", "local")
    accounts = Accounts(fleet, server)
    server.start()
    server.wait_for(r"assignment \d+: ")
    server.power_cut()
    accounts.give_to("red")
    server.start()
    server.wait_for(r"^repave: H: partition H \(/dev/mapper/repave-h\) was blank and has a file system now")
    server.wait_for(r"^repave: healthy")
    disk = Disk(server.disk)
    mounts = fleet.ssh(server, "grep ' /h ' /proc/mounts; ls /run/repave/h; cat /proc/cmdline")
    assert mounts.startswith("/dev/mapper/repave-h /h ext4 rw,") and "key" not in mounts.split("\n", 1)[1].split("BOOT")[0].split(), mounts
    plant(fleet, server, secret)
    # In use, H: shows nothing; what is in the clear shows.
    assert found(server.disk, [secret]) == set()
    assert found(server.disk, [], own) == set(own)
    key_check = disk.part("H")[-(64 << 10):][:512]
    assert key_check.startswith(b"REPAVEH1locked 512 "), key_check
    server.power_cut()
    server.start()
    server.wait_for(r"^repave: healthy")
    assert fleet.ssh(server, "cat /h/note").strip() == secret.decode()
    plant_on_the_disk(fleet, server, disk, open_secret)
    assert found(server.disk, [open_secret, secret]) == {open_secret}
    # Another account gets the server.
    assert "CLEARED" not in accounts.give_to("blue")
    plant_in_memory(fleet, server, memory_secret)
    reset_with_memory(server, memory_secret)
    server.wait_for(r"sanitize +.*cleared of what account red left")
    server.wait_for(r"clearing +[6-9]\d%", every=0.05)
    assert found_in_memory(server, [memory_secret]) == set()
    server.reset()
    server.wait_for(r"sanitize +goes on after \d")
    server.wait_for(r"cleared; a cold reset")
    server.wait_for(r"assignment \d+: os/minimal.*app/web")
    server.wait_for(r"^repave: healthy")
    assert found_in_memory(server, [memory_secret]) == set()
    assert fleet.ssh(server, "ls /h").split() == ["lost+found"] and ask_application(
        description_of("app-web-minimal"), server.address, description_of("app-web-minimal")["app"]["ports"][0])
    fleet.ssh(server, "sync")
    assert found(server.disk, [secret, open_secret], own) == set()
    record_verifies(fleet, server)
    # Encryption turned on over data in the clear: nothing is lost, and nobody is left in the dark.
    fleet.ssh(server, "echo blue > /h/note; sync")
    accounts.give_to("blue", h_encryption="on")
    fleet.power_off(server)
    before = Disk(server.disk).part("H")
    server.start()
    server.wait_for(r"^repave: H: it stays closed: partition H holds data that aren't encrypted")
    server.wait_for(r"^repave: healthy")
    assert '"failed"' in fleet.ssh(server, "cat /run/repave/h/state")
    assert Disk(server.disk).part("H") == before


def record_verifies(fleet, server):
    record, key = fleet.folder / "record.json", fleet.folder / "key.pem"
    fleet.control.repave("report", "sanitize", server.id, "--sign", record)
    key.write_text(fleet.control.repave("report", "key"))
    assert "is as the control unit" in fleet.control.repave("report", "verify", record, "--key", key)
    told = json.loads(record.read_text())
    disk_size = os.stat(server.disk).st_size
    assert (told["from"], told["to"], told["step"], told["keys_destroyed"]) == ("red", "blue", "ended", 1), told
    assert told["memory_zeroed_by_kernel"] is True, told
    assert told["node_key_renewed"] is True and told["disk"]["cleared"] > disk_size - 20 * MIB, told
    record.write_text(record.read_text().replace('"red"', '"tan"'))
    assert fleet.control.repave_fails("report", "verify", record, "--key", key)[0] != 0


@pytest.mark.long
def test_h_is_encrypted_on_debian_and_an_operator_has_it_cleared(fleet):
    secret = bytes(random.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=64))
    server = fleet.server(medium="uki", memory=1024)
    fleet.control.start()
    fleet.default("debian", "cache", "--h", "local")
    accounts = Accounts(fleet, server)
    accounts.groups["red"]["os"] = "debian"
    server.start()
    server.wait_for(r"assignment \d+: ")
    server.power_cut()
    accounts.give_to("red")
    server.start()
    fleet.answer(server, "debian", "cache")
    assert fleet.ssh(server, "grep -o '^[^ ]* /h ext4' /proc/mounts").strip() == "/dev/mapper/repave-h /h ext4"
    fleet.ssh(server, f"echo {secret.decode()} > /h/note; sync")
    # No program reads the key back, root's neither.
    assert fleet.ssh(server, "ls /run/repave/h; grep -l repave:disk /proc/keys || true").split() == ["choice", "device", "node", "partition", "state"]
    assert found(server.disk, [secret]) == set()
    fleet.control.repave("sanitize", server.id, "--yes")
    fleet.power_off(server)
    server.start()
    server.wait_for(r"cleared; a cold reset")
    fleet.answer(server, "debian", "cache")
    assert fleet.ssh(server, "ls /h").split() == ["app", "lost+found"]
    assert found(server.disk, [secret]) == set()
    told = json.loads(fleet.control.repave("report", "sanitize", server.id, "--json"))["sanitizings"][0]
    # OVMF knows no such request and takes none: the record says so.
    assert (told["step"], told["memory"], told["memory_after_reset"]) == ("ended", "no firmware", None), told
    assert told["memory_zeroed_by_kernel"] is True, told


@pytest.mark.long
def test_data_behind_a_table_that_the_former_root_destroyed_are_cleared(fleet):
    secret = bytes(random.choices(b"abcdefghijklmnopqrstuvwxyz0123456789", k=64))
    server = fleet.server(medium="direct", disk_mib=3328)
    fleet.control.start()
    fleet.default("minimal", "cache", "--h", "local")
    accounts = Accounts(fleet, server)
    accounts.groups["red"]["h_encryption"] = "off"
    server.start()
    server.wait_for(r"assignment \d+: ")
    server.power_cut()
    accounts.give_to("red")
    server.start()
    server.wait_for(r"^repave: healthy")
    disk = Disk(server.disk)
    plant_on_the_disk(fleet, server, disk, secret)
    # With both copies of its table gone, the disk looks like a new one.
    end = os.stat(server.disk).st_size // MIB - 1
    fleet.ssh(server, f"for at in 0 {end}; do dd if=/dev/zero of=/dev/vda bs=1M seek=$at count=1 conv=notrunc,fsync 2>/dev/null; done")
    accounts.give_to("blue")
    fleet.power_off(server)
    server.start()
    server.wait_for(r"sanitize +.*cleared of what account red left")
    server.wait_for(r"cleared; a cold reset")
    server.wait_for(r"^repave: healthy")
    assert found(server.disk, [secret]) == set()
    told = json.loads(fleet.control.repave("report", "sanitize", server.id, "--json"))["sanitizings"][0]
    assert told["disk"]["cleared"] > os.stat(server.disk).st_size - 20 * MIB, told
