# SPDX-License-Identifier: GPL-2.0-or-later
"""Secure Boot and what follows from it: what the firmware starts, what kexec loads, and what a TPM holds afterwards."""
import hashlib
import re
import shutil
import struct

import fleet as fleet_module
import secure
from fleet import BUILD, run
from test_slots import flip, publish_variant

ASSIGNED = r"^\[ *(\d+\.\d) s\] assign +assignment \d+: "
SIGN = [BUILD / "bin/repave-sign", "secureboot"]


def foreign_keys(folder):
    """Somebody else's, as well made as ours."""
    keys = folder / "foreign-keys"
    if not keys.exists():
        run([*SIGN, "init", "--keys", keys, "--name", "Somebody else"])
    return keys


def flipped(source, target, part):
    """A copy with one bit changed in a section of a program."""
    run(["objcopy", "-O", "binary", f"--only-section={part}", source, f"{target}.part"])
    data, content = bytearray(source.read_bytes()), fleet_module.Path(f"{target}.part").read_bytes()
    at = data.find(content[:4096]) + len(content) // 2
    assert data.count(content[:4096]) == 1
    data[at] ^= 1
    target.write_bytes(data)
    return target


def refused_programs(folder):
    """Programs that the firmware must not start, with the answer that it gives."""
    good, denied = BUILD / "boot/repave.efi", "Access Denied"
    foreign, bare = folder / "foreign.efi", folder / "bare.efi"
    run([*SIGN, "sign", "--keys", foreign_keys(folder), "--output", foreign, good])
    shutil.copyfile(good, bare)
    run(["sbattach", "--remove", bare])
    # The kernel of the images is signed by our key, and firmware would give it any initrd and command line.
    return [(bare, denied), (foreign, denied), (flipped(good, folder / "flipped.efi", ".initrd"), denied),
            (BUILD / "boot/vmlinuz-os", "Not Found")]


def boot_entries(server, folder):
    """Boot entries of the firmware: each of those programs, and at last the right one with arguments that would make it another. Returns
    what the firmware says of the others, in a pattern."""
    variables, order = secure.enrolled_vars(server.folder), []
    programs = refused_programs(folder)
    disks = [secure.esp(folder / f"esp-{number}.img", program) for number, (program, _) in enumerate(programs)]
    for slot, disk in enumerate([*disks, BUILD / "boot/repave-esp.img"], 0x10):
        server.append += secure.disk_words(disk, slot)
        # /bin/sh as the first program; a kernel that isn't locked; a control unit of somebody else.
        secure.set_variable(variables, f"Boot00{slot:02X}", secure.load_option(slot, "rdinit=/bin/sh lockdown=none repave.cu=192.0.2.1"))
        order.append(slot)
    secure.set_variable(variables, "BootOrder", struct.pack(f"<{len(order)}H", *order))
    return r"[^\0]*".join(rf"failed to (?:load|start) Boot00{slot:02X} [^\n]*: {answer}" for slot, (_, answer) in zip(order, programs))


def extend(pcr, events):
    for event in events:
        pcr = hashlib.sha256(pcr + event).digest()
    return pcr


def check_pcrs(fleet, server, attempts):
    """The TPM holds what the build said, and the signature under that is of the key that the firmware knows."""
    run([*SIGN, "verify-file", "--keys", secure.keys(), "--signature", BUILD / "boot/repave.pcrs.sig", BUILD / "boot/repave.pcrs.json"])
    expected, digest = secure.expected(), lambda data: hashlib.sha256(data).digest()
    said = fleet.ssh(server, "cd /sys/class/tpm/tpm0/pcr-sha256; for n in 4 9 11; do cat $n; done").lower().split()
    assert said[1:] == [expected["pcr9"], expected["pcr11"]], (said, expected)
    # The firmware's own words for each boot entry (TCG PC Client Platform Firmware Profile, 3.3.4.5), then the program.
    calling, returning = digest(b"Calling EFI Application from Boot Option"), digest(b"Returning from EFI Application from Boot Option")
    events = [calling, digest(bytes(4)), *[returning, calling] * (attempts - 1), bytes.fromhex(expected["pcr4"][0])]
    assert said[0] == extend(bytes(32), events).hex(), said
    assert expected["rescue_shell"] is False


def check_lockdown(fleet, server):
    """The OS is locked down as stage 1 was: its kernel heard of Secure Boot over the jump."""
    said = fleet.ssh(server, "mount -t securityfs none /sys/kernel/security 2>/dev/null; cat /sys/kernel/security/lockdown; dmesg | grep -i lockdown")
    assert "[integrity]" in said or "[confidentiality]" in said, said
    said = fleet.ssh(server, "dd if=/dev/mem of=/dev/null bs=4096 count=1 skip=1 2>&1 || true")
    assert "Operation not permitted" in said or "No such file" in said, said


def test_only_the_signed_stage_1_starts(fleet):
    """Unsigned, foreign-signed and changed programs, and the kernel of an image, are refused by the firmware; the signed one ignores
    the arguments of its boot entry, and the chain goes on to the application under lockdown."""
    server = fleet.server(medium="none", firmware="secure", tpm=True, memory=1024)
    refusals = boot_entries(server, fleet.folder)
    fleet.control.start()
    fleet.default("debian", "web")
    server.start()
    server.wait_for(ASSIGNED)
    assert re.search(refusals, server.console()), (refusals, server.console())
    server.wait_for("by kexec")
    fleet.answer(server, "debian", "web")
    check_lockdown(fleet, server)
    check_pcrs(fleet, server, attempts=5)


def block_of_initrd():
    """Where the initrd begins in the image of the OS `minimal`."""
    with open(BUILD / "rootfs/os-minimal/tree/boot/initrd", "rb") as file:
        begin = file.read(4096)
    data = (BUILD / "images/os-minimal.img").read_bytes()
    at = data.find(begin)
    assert at % 4096 == 0 and data.count(begin) == 1
    return at // 4096


def kexec_takes_signed_kernels_only(fleet):
    """From the ISO, under lockdown: an initrd that was changed on the disk isn't the one that starts; an image that its signers
    signed, but whose kernel nobody signed for Secure Boot, or somebody else, doesn't start, neither by kexec nor by a reset."""
    unsigned, foreign = fleet.folder / "unsigned", fleet.folder / "foreign"
    shutil.copyfile(BUILD / "boot/vmlinuz-os", unsigned)
    run(["sbattach", "--remove", unsigned])
    run([*SIGN, "sign", "--keys", foreign_keys(fleet.folder), "--for-kexec", "--output", foreign, BUILD / "kernel/vmlinuz"])
    publish_variant(fleet, "os-minimal", "9.1", kernel=unsigned)
    publish_variant(fleet, "os-minimal", "9.2", kernel=foreign)
    good = fleet_module.description_of("os-minimal")["version"]
    server = fleet.server(medium="iso", firmware="secure")
    fleet.control.start()
    fleet.default(f"minimal@{good}", "web")
    server.start()
    server.wait_for("by kexec")
    server.wait_for("^repave: healthy")
    check_lockdown(fleet, server)
    block, start = block_of_initrd(), int(fleet.ssh(server, "cat /sys/class/block/vda2/start"))
    flip(server, start, [block])
    server.reset()
    server.wait_for(rf"1 blocks of C0 had changed on disk vda and were repaired: {block}\s")
    server.wait_for("by kexec")
    for version, reason in (("9.1", "nobody signed it for Secure Boot"), ("9.2", "its signature isn't by a key this machine trusts")):
        fleet.control.repave("assign", server.id, "--os", f"minimal@{version}", "--app", "web")
        server.reset()
        # The minimal kernel has no IMA, and doesn't say which of both.
        server.wait_for(rf"FAILED: the kernel refuses to load /boot/vmlinuz of os/minimal/{version}\S*: "
                        rf"({reason}|lockdown takes only what a key this machine trusts signed)", seconds=120)
        assert "by reset" not in server.console() and "stage 2" not in server.console(), server.console()
        boot = fleet.control.node(server.id)["last_boot"]
        assert boot["event"] == "failed" and "refuses to load" in boot["error"], boot


def test_kexec_takes_signed_kernels_only(fleet):
    kexec_takes_signed_kernels_only(fleet)
