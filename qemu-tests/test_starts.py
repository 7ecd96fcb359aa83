# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting the verified system in another way than by kexec, and what the control unit remembers of it."""
import re

import firmware
from fleet import BUILD, run, wait_until

SECRET = "s3cret-of-this-node-that-no-disk-may-hold"
EFIVARS = "/sys/firmware/efi/efivars"


def disk_holds(path, text):
    """Whether a disk image has these bytes anywhere; an overlap for what lies across two pieces."""
    wanted, before = text.encode(), b""
    with open(path, "rb") as disk:
        while piece := disk.read(1 << 22):
            if wanted in before[-len(wanted):] + piece:
                return True
            before = piece
    return False


def test_reset_instead_of_kexec_boots_the_same_system(fleet):
    secret = fleet.folder / "secret"
    secret.write_text(SECRET)
    server = fleet.server(medium="uki")
    server.append += firmware.watchdog(server.folder)
    fleet.control.start()
    fleet.default("minimal", "web", "--hostname", "web1", "--file", f"secret={secret}", "--start", "reset")
    server.start()
    server.wait_for(r"assignment 1")
    assert firmware.watchdog_runs(server), "stage 1 didn't arm the watchdog"
    server.wait_for(r"by reset")
    # Firmware may take longer than it waits.
    wait_until("the watchdog stops before the reset", 5, lambda: not firmware.watchdog_runs(server), every=0.05)
    server.wait_for(r"^repave: healthy")
    assert firmware.watchdog_runs(server), "stage 2 didn't arm the watchdog"
    # The same system as by kexec, with all of its configuration.
    words = fleet.ssh(server, "cat /proc/cmdline")
    assert "repave.start=reset:" in words and "initrd=" in words, words
    assert fleet.ssh(server, "cat /run/repave/config/secret; echo; hostname").split() == [SECRET, "web1"]
    assert "repave-c" in fleet.ssh(server, "cat /sys/block/dm-*/dm/name")
    # Nothing stays that could be read or started again.
    names = fleet.ssh(server, f"mount -t efivarfs none {EFIVARS} 2>/dev/null; ls {EFIVARS}")
    assert "BootOrder" in names and "RepaveKey" not in names and "BootNext" not in names, names
    assert "Repave" not in fleet.ssh(server, f"cat {EFIVARS}/Boot0* | tr -d '\\000' | tr -c ' -~' ' '")
    assert SECRET not in words
    device = fleet.ssh(server, "sed -n 's/^DEVNAME=//p' $(grep -l PARTNAME=ESP /sys/class/block/*/uevent)").strip()
    assert fleet.ssh(server, f"head -c 65536 /dev/{device} | tr -d '\\000' | wc -c").strip() == "0"
    assert not disk_holds(server.disk, SECRET)
    boot = fleet.control.node(server.id)["last_boot"]
    assert boot["event"] == "reset" and boot["error"] is None, boot
    # The next stage 1 finds the mark; and the operator may want kexec again.
    fleet.control.repave("assign", server.id, "--start", "kexec")
    server.reset()
    server.wait_for(r"by kexec")
    server.wait_for(r"^repave: healthy")
    node = fleet.control.node(server.id)
    assert node["starts"]["reset"] == {"arrived": 1, "lost": 0, "lost_in_row": 0}, node["starts"]
    assert node["last_boot"]["event"] == "kexec", node["last_boot"]
    assert "1 start(s) arrived, 0 didn't" in fleet.control.repave("node", "show", server.id)
    # The mark of a start by kexec.
    server.reset()
    server.wait_for(r"by kexec")
    assert fleet.control.node(server.id)["starts"]["kexec"]["arrived"] == 1


def esp_with(folder, words):
    """The EFI medium with another kernel command line of stage 1; it must be no longer than the real one."""
    run(["objcopy", "-O", "binary", "--only-section=.cmdline", BUILD / "boot/repave.efi", folder / "cmdline"])
    line, medium = (folder / "cmdline").read_bytes(), (BUILD / "boot/repave-esp.img").read_bytes()
    assert medium.count(line) == 1 and len(words) <= len(line), line
    (folder / "esp.img").write_bytes(medium.replace(line, words.encode().ljust(len(line))))
    return folder / "esp.img"


def test_kernel_that_refuses_kexec_leaves_the_start_to_the_firmware(fleet):
    server = fleet.server(medium="uki", memory=1024)
    server.esp = esp_with(fleet.folder, "console=ttyS0,115200 sysctl.kernel.kexec_load_disabled=1")
    fleet.control.start()
    fleet.default("debian", "web")
    server.start()
    server.wait_for(r"the firmware starts it after a reset: ")
    server.wait_for(r"by reset")
    fleet.answer(server, "debian", "web")
    assert "repave.start=reset:" in fleet.ssh(server, "cat /proc/cmdline")
    boot = fleet.control.node(server.id)["last_boot"]
    assert boot["event"] == "reset", boot
    assert re.search("the firmware starts it after a reset: the kernel refuses to load .*: kexec is switched off", boot["error"]), boot
