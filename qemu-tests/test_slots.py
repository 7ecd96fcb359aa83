# SPDX-License-Identifier: GPL-2.0-or-later
"""Slots: a system that doesn't become healthy makes way for the last good one; what changes on the disk is repaired."""
import json
import os
import re
import shutil

import pytest

import fleet as fleet_module
from fleet import BUILD, ROOT, run


def publish_variant(fleet, name, version, change):
    """A further version of a built image, with another description, signed into this fleet's repository."""
    folder = fleet.folder / f"{name}-{version}"
    folder.mkdir()
    source = BUILD / "rootfs" / name
    run(["cp", "-al", source / "tree", folder / "tree"])
    shutil.copy(source / "packages.tsv", folder)
    meta = json.loads((source / "meta.json").read_text())
    meta["version"] = version
    change(meta)
    (folder / "meta.json").write_text(json.dumps(meta))
    if meta["kind"] == "app":
        # The OS reads the image's own copy; the links belong to the built tree.
        inside = folder / "tree/app.json"
        os.unlink(inside)
        inside.write_text(json.dumps({**meta["app"], "format": 1, "name": meta["name"], "version": version,
                                      "requires_os": meta["requires_os"]}))
    else:
        (folder / "tree/etc/variant").write_text(version)
    environment = dict(os.environ, SOURCE_DATE_EPOCH=str(int((BUILD / "rootfs/epoch").read_text())))
    out = fleet.folder / f"image-{name}-{version}"
    run([ROOT / "images/build-image", "--bin", BUILD / "bin", "--compression", "wire", folder, out], env=environment)
    sign = [BUILD / "bin/repave-sign"]
    where = ["--repository", fleet.control.repository, "--keys", BUILD / "keys"]
    run([*sign, "add", *where, f"{out}.json"])
    run([*sign, "publish", *where])
    run([ROOT / "images/make-patches", "--bin", BUILD / "bin", fleet.control.repository])
    shutil.rmtree(folder)


def deaf(meta):
    """Its health check asks a port that nobody serves."""
    meta["app"]["health"]["port"] = 9


def without_init(meta):
    meta["os"]["cmdline"] = (meta["os"].get("cmdline", "") + " rdinit=/nonexistent").strip()


def start_healthy(fleet, server, *more):
    fleet.control.start()
    fleet.default("minimal", "web", *more)
    server.start()
    server.wait_for(r"^repave: healthy")


def little_was_fetched(server):
    """Of an image that hardly differs from the one in the other slot: copies and some frames, or a patch that makes it all."""
    line = re.search(r"^.* 9\.9 in [CD]1: (\d+) blocks, .*, (\d+) fetched \((.*)\)", server.console(), re.M)
    assert line, server.console()
    print(line[0])
    assert int(line[2]) < int(line[1]) * 0.1 or re.fullmatch(r"\d+ B, of it \d+ B as a patch|.* KiB, of it .* KiB as a patch", line[3])


@pytest.mark.parametrize("name,change,assigned", [("app-web-minimal", deaf, ["--os", "minimal", "--app", "web@9.9"]),
                                                  ("os-minimal", without_init, ["--os", "minimal@9.9", "--app", "web"])],
                         ids=["application", "kernel"])
def test_unhealthy_system_makes_way(fleet, name, change, assigned):
    server = fleet.server(medium="direct", cmdline="repave.tries=2 repave.health=45")
    publish_variant(fleet, name, "9.9", change)
    fleet.control.start()
    good = {"os-minimal": fleet_module.description_of("os-minimal")["version"],
            "app-web-minimal": fleet_module.description_of("app-web-minimal")["version"]}
    fleet.control.repave("default", "--os", f"minimal@{good['os-minimal']}", "--app", f"web@{good['app-web-minimal']}",
                         "--ssh-key", f"{fleet.key}.pub")
    server.start()
    server.wait_for(r"^repave: healthy")
    fleet.control.repave("assign", server.id, *assigned)
    server.reset()
    # Two tries and the fallback: the guest restarts by itself, by stage 2's or the kernel's own doing.
    match = server.wait_for(r"the last good system boots instead[^\n]*", seconds=400)
    server.wait_for(r"(?s)the last good system boots instead.*^repave: healthy", seconds=200)
    text = server.console()
    assert text.count("starting it") == 3, text
    assert "after 2 starts" in text
    boot = fleet.control.node(server.id)["last_boot"]
    assert "last good system boots instead" in boot["error"] and boot["event"] == "kexec", boot
    assert f"To try it again: repave assign {server.id} --os " in match[0]
    print(match[0])
    little_was_fetched(server)
    # And it stays there, without another try of the broken one.
    server.reset()
    server.wait_for(r"(?s)the last good system boots instead.*^repave: healthy", seconds=200)
    assert server.console().count("starting it") == 1
    # An operator's new assignment is tried again.
    fleet.control.repave("assign", server.id, *assigned)
    server.reset()
    server.wait_for("starting it")
    assert "last good" not in server.console()


def test_block_that_changes_at_run_time_is_repaired(fleet):
    server = fleet.server(medium="direct")
    start_healthy(fleet, server)
    # Somewhere in the squashfs of C0, behind what the boot has read: the kernel, which nobody reads but stage 1.
    words = fleet.ssh(server, "sed 's/.*repave.c=//; s/ .*//' /proc/cmdline").split(":")
    start = fleet.ssh(server, "cat /sys/class/block/vda2/start").strip()
    print(words, start)
    blocks = int(words[1])
    with open(server.disk, "r+b") as disk:
        for block in range(blocks // 4, blocks // 4 + 16):
            disk.seek(int(start) * 512 + block * 4096 + 7)
            old = disk.read(1)
            disk.seek(-1, 1)
            disk.write(bytes([old[0] ^ 1]))
    run(["sync"])
    reader = fleet_module.subprocess.Popen([str(w) for w in fleet.ssh_words(
        server, "echo 3 >/proc/sys/vm/drop_caches; cat /dev/mapper/repave-c >/dev/null")],
        stdin=fleet_module.subprocess.DEVNULL, stdout=fleet_module.subprocess.DEVNULL,
        stderr=fleet_module.subprocess.DEVNULL)
    server.wait_for(r"(?i)kernel panic")
    reader.kill()
    reader.wait()
    server.wait_for(r"16 blocks of C0 had changed on disk vda and were repaired")
    server.wait_for(r"(?s)were repaired.*^repave: healthy")
    assert "16 blocks of C0 had changed" in fleet.control.node(server.id)["last_boot"]["error"]


def test_slots_in_memory(fleet):
    server = fleet.server(medium="direct", disk_mib=0)
    start_healthy(fleet, server)
    assert "this server has no disk: C: and D: are in RAM" in server.console()
    mounts = fleet.ssh(server, "mount; cat /proc/cmdline")
    assert "/dev/mapper/repave-d on /app type squashfs (ro" in mounts and "repave.c=ram:" in mounts, mounts
    assert fleet.control.node(server.id)["inventory"]["disks"] == []
    server.stop()
    # What can't fit fails with the figures, before the download.
    server.memory = 208
    server.start()
    server.wait_for(r"FAILED: this server has no disk, and images of \d+\.\d MiB need \d+\.\d MiB of memory .* but \d+\.\d MiB are available")
    assert "fetch-c" not in server.console() and "Out of memory" not in server.console()
    server.stop()
    # By policy, on a server with a disk: that stays as it is.
    server.memory, server.cmdline = 512, "repave.slots=ram"
    with open(server.disk, "wb") as disk:
        disk.truncate(4096 << 20)
    server.start()
    server.wait_for(r"(?s)repave\.slots=ram: C: and D: are in RAM.*^repave: healthy")
    fleet.ssh(server, "poweroff")
    server.process.child.wait(60)
    assert server.disk.stat().st_blocks == 0, "something was written to the disk"


def test_progress_shows_on_screen_and_serial_line(fleet):
    server = fleet.server(medium="direct", cmdline="console=tty0 console=ttyS0,115200", append=["-vga", "std"])
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"minimal \S+ in C0: ")
    screen = server.screen()
    print(screen)
    assert "assignment 1: os/minimal" in screen and "fetch-c" in screen, screen
    assert re.search(r"^fetching minimal \S+ +100% .* MiB/s$", screen, re.M), screen
    assert len(re.findall("^fetching minimal", screen, re.M)) == 1, f"rows that progress left behind:\n{screen}"
    server.wait_for(r"^repave: healthy")


def has_watchdog():
    return any((BUILD / "kernel/lib/modules").rglob("i6300esb.ko*")) or (BUILD / "kernel/version").read_text().endswith("repave\n")


WATCHDOG = pytest.mark.skipif(not has_watchdog(), reason="the configured kernel has no driver for QEMU's watchdog (take KERNEL_GENERIC)")


def silent_without_init(meta):
    """Its kernel panics before its first program and stands still."""
    meta["os"]["cmdline"] = (meta["os"].get("cmdline", "") + " rdinit=/nonexistent panic=0").strip()


@WATCHDOG
def test_kernel_that_hangs_after_kexec_is_reset_by_the_hardware(fleet):
    server = fleet.server(medium="direct", memory=768, cmdline="repave.tries=1",
                          append=["-device", "i6300esb", "-action", "watchdog=reset"])
    publish_variant(fleet, "os-minimal", "9.9", silent_without_init)
    fleet.control.start()
    version = fleet_module.description_of("os-minimal")["version"]
    fleet.control.repave("default", "--os", f"minimal@{version}", "--app", "web", "--ssh-key", f"{fleet.key}.pub")
    server.start()
    server.wait_for(r"^repave: healthy")
    # The OS pats it: a minute is what the hardware would wait.
    fleet_module.time.sleep(90)
    assert server.console().count("stage 1 starts") == 1
    fleet.control.repave("assign", server.id, "--os", "minimal@9.9", "--app", "web")
    server.reset()
    server.wait_for(r"(?s)Kernel panic.*stage 1 starts", seconds=400)
    server.wait_for(r"(?s)the last good system boots instead.*^repave: healthy")


@WATCHDOG
def test_system_that_hangs_is_reset_by_the_hardware(fleet):
    server = fleet.server(medium="direct", memory=768, append=["-device", "i6300esb", "-action", "watchdog=reset"])
    start_healthy(fleet, server)
    fleet.ssh(server, "kill -STOP $(pidof healthy)")
    server.wait_for(r"(?s)^repave: healthy.*stage 1 starts", seconds=200)
