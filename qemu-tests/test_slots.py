# SPDX-License-Identifier: GPL-2.0-or-later
"""Slots: a system that doesn't become healthy makes way for the last good one; what changes on the disk is repaired."""
import json
import os
import re
import shutil

import firmware
import fleet as fleet_module
from fleet import BUILD, ROOT, run


def publish_variant(fleet, name, version, change=None, kernel=None):
    """A further version of a built image, with another description or another kernel, signed into this fleet's repository."""
    folder = fleet.folder / f"{name}-{version}"
    folder.mkdir()
    source = BUILD / "rootfs" / name
    run(["cp", "-al", source / "tree", folder / "tree"])
    shutil.copy(source / "packages.tsv", folder)
    meta = json.loads((source / "meta.json").read_text())
    meta["version"] = version
    if change:
        change(meta)
    if kernel:
        os.unlink(folder / "tree/boot/vmlinuz")  # a link to the built one
        shutil.copyfile(kernel, folder / "tree/boot/vmlinuz")
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


def default_by_version(fleet):
    """What is assigned, by version: a variant that is published isn't taken for newer."""
    fleet.default(f"minimal@{fleet_module.description_of('os-minimal')['version']}",
                  f"web@{fleet_module.description_of('app-web-minimal')['version']}")


def test_unhealthy_application_makes_way(fleet):
    server = fleet.server(medium="direct", cmdline="repave.tries=2 repave.health=25")
    publish_variant(fleet, "app-web-minimal", "9.9", deaf)
    fleet.control.start()
    default_by_version(fleet)
    server.start()
    server.wait_for(r"^repave: healthy")
    assigned = ["--os", "minimal", "--app", "web@9.9"]
    fleet.control.repave("assign", server.id, *assigned)
    server.reset()
    # Two tries and the fallback: the guest restarts by itself.
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


def silent(meta):
    """Its kernel finds no init, panics, and stands still."""
    meta["os"]["cmdline"] = (meta["os"].get("cmdline", "") + " rdinit=/nonexistent panic=0").strip()


def test_kernels_that_hang_are_reset_by_the_hardware(fleet):
    server = fleet.server(medium="direct", cmdline="repave.tries=1 repave.watchdog=30")
    server.append += firmware.watchdog(server.folder)
    publish_variant(fleet, "os-minimal", "9.9", silent)
    fleet.control.start()
    default_by_version(fleet)
    server.start()
    server.wait_for(r"^repave: healthy")
    left = [int(word) for word in fleet.ssh(server, "for i in 1 2 3 4 5 6 7 8; do cat /sys/class/watchdog/watchdog0/timeleft; "
                                                    "sleep 1; done").split()]
    print(left)
    assert any(later > earlier for earlier, later in zip(left, left[1:])), f"the OS doesn't pat the watchdog: {left}"
    # In the running OS …
    fleet.control.repave("assign", server.id, "--os", "minimal@9.9")
    stopped = fleet_module.time.monotonic()
    fleet.ssh(server, "kill -STOP $(pidof healthy)")
    server.wait_for(r"(?s)^repave: healthy.*stage 1 starts")
    print(f"the system that hung was reset after {fleet_module.time.monotonic() - stopped:.0f} s")
    # … and after the jump: this kernel has no driver of its own, so it is stage 1 that armed it.
    server.wait_for(r"(?s)starting it.*starting it.*end Kernel panic")
    stopped = fleet_module.time.monotonic()
    server.wait_for(r"(?s)end Kernel panic.*stage 1 starts")
    print(f"the kernel that never came up was reset after {fleet_module.time.monotonic() - stopped:.0f} s")
    server.wait_for(r"(?s)the last good system boots instead.*^repave: healthy")
    boot = fleet.control.node(server.id)["last_boot"]
    assert "after 1 start; the last good system boots instead" in boot["error"], boot


def flip(server, part, blocks):
    """Changes a bit in each of these blocks of a partition of the running server's disk."""
    with open(server.disk, "r+b") as disk:
        for block in blocks:
            disk.seek(part * 512 + block * 4096 + 7)
            old = disk.read(1)
            disk.seek(-1, 1)
            disk.write(bytes([old[0] ^ 1]))


def test_blocks_that_change_at_run_time_are_repaired(fleet):
    server = fleet.server(medium="direct")
    server.append += firmware.error_records(server.folder)
    # Under lazy the next boot would look at the trees only, if the system hadn't stopped as it will.
    start_healthy(fleet, server, "--verify", "lazy")
    # The kernel in C0, which nobody reads but stage 1; something in D0.
    words = fleet.ssh(server, "sed 's/.*repave.c=//; s/ .*//' /proc/cmdline").split(":")
    c, d = (int(word) for word in fleet.ssh(server, "cat /sys/class/block/vda2/start /sys/class/block/vda4/start").split())
    first = int(words[1]) // 4
    flip(server, c, range(first, first + 16))
    flip(server, d, [5])
    reader = fleet_module.subprocess.Popen([str(w) for w in fleet.ssh_words(
        server, "echo 3 >/proc/sys/vm/drop_caches; cat /dev/mapper/repave-c >/dev/null")],
        stdin=fleet_module.subprocess.DEVNULL, stdout=fleet_module.subprocess.DEVNULL,
        stderr=fleet_module.subprocess.DEVNULL)
    server.wait_for(r"(?i)kernel panic")
    reader.kill()
    reader.wait()
    server.wait_for(rf"16 blocks of C0 had changed on disk vda and were repaired: {first}-{first + 15}\s")
    server.wait_for(r"1 blocks of D0 had changed on disk vda and were repaired: 5\s")
    server.wait_for(r"(?s)were repaired.*^repave: healthy")
    boot = fleet.control.node(server.id)["last_boot"]
    print(boot["error"])
    reason = r"stopped: Kernel panic - not syncing: dm-verity device corrupted \(device-mapper: verity: \S+ data block \d+ is corrupted\)"
    assert re.search(reason, boot["error"]) and "16 blocks of C0 had changed" in boot["error"], boot
    assert [(image["repaired"], image["changed"]) for image in boot["images"]] == [(16, [[first, first + 15]]), (1, [[5, 5]])], boot
    shown = fleet.control.repave("node", "show", server.id)
    assert f"repaired: {first}-{first + 15}" in shown and "Kernel panic" in shown, shown
    # In full, and beside it what stage 1 said of the boot that repaired it.
    crash = fleet.control.repave("node", "logs", server.id, "--last", "--kind", "crash")
    assert re.search(r"device-mapper: verity: .* is corrupted(?s:.*)Kernel panic - not syncing: dm-verity device corrupted", crash), crash
    said = fleet.control.repave("node", "logs", server.id, "--last", "--kind", "boot")
    assert "16 blocks of C0 had changed" in said and "starting it" in said, said
    assert "starting it" in fleet.control.repave("node", "logs", server.id, "--boot", "1", "--kind", "boot")
    # Told once: the record is gone.
    assert fleet.ssh(server, "mount -t pstore pstore /mnt && ls /mnt").strip() == ""


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
