# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting the verified system in another way than by kexec, and what the control unit remembers of it."""
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
    fleet.control.start()
    fleet.default("minimal", "web", "--hostname", "web1", "--file", f"secret={secret}", "--start", "reset")
    server.start()
    server.wait_for(r"by reset")
    server.wait_for(r"^repave: healthy")
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
