# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody is root in a running OS and wants the next boot to be his: every place that he can write to, and every way past the firmware.
And what the data disk is when it is alone, and who else's images such a server gets."""
import json
import re
import socket
import struct
import subprocess
import time

from fleet import BUILD, CONTROL_UNIT, Process, description_of, http_get, near, run, wait_until
from test_netboot import netboot

EFIVARS = "/sys/firmware/efi/efivars"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
IMAGES = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"  # of db and dbx
LOADER = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi"  # a program that nobody of ours signed
OTHER = "5e70a7e0-0000-4000-8000-0000000000ff"
EVIL = "evil-4711"

# Each must be refused; its name is printed when it isn't.
REFUSED = r"""
try() { name=$1; shift; if "$@" >/tmp/out 2>&1 </dev/null; then echo "WORKED: $name"; else echo "refused: $name: $(head -n1 /tmp/out)"; fi; }
set_variable() { chattr -i "$1" 2>/dev/null; printf "$2" >/tmp/value; ls "$1" >/dev/null && dd if=/tmp/value of="$1" bs=64; }
try "the image C:" dd if=/dev/zero of=/dev/mapper/repave-c bs=4096 count=1
try "the image D:" dd if=/dev/zero of=/dev/mapper/repave-d bs=4096 count=1
try "a file of C:" touch /run/repave/c/x
try "a file of D:" touch /app/x
try "C: writable" mount -o remount,rw /run/repave/c
try "D: writable" mount -o remount,rw /app
try "the kernel command line" sh -c 'echo x >/proc/cmdline'
try "the platform key removed" set_variable @EFIVARS@/PK-@GLOBAL@ '\047\000\000\000'
try "another key in db" set_variable @EFIVARS@/db-@IMAGES@ '\047\000\000\000evil'
try "Secure Boot off" set_variable @EFIVARS@/SecureBoot-@GLOBAL@ '\006\000\000\000\000'
try "set-up mode" set_variable @EFIVARS@/SetupMode-@GLOBAL@ '\006\000\000\000\001'
ls @EFIVARS@/PK-@GLOBAL@ @EFIVARS@/db-@IMAGES@ @EFIVARS@/SecureBoot-@GLOBAL@ @EFIVARS@/SetupMode-@GLOBAL@ >/dev/null || echo "WORKED: nothing was tried"
try "a program on H:" sh -c 'cp /usr/bin/busybox /h/@EVIL@ && chmod 4755 /h/@EVIL@ && /h/@EVIL@ true'
""".replace("@EFIVARS@", EFIVARS).replace("@GLOBAL@", GLOBAL).replace("@IMAGES@", IMAGES).replace("@EVIL@", EVIL)

# What root can write, and what stage 1 reads or a system would run. Nothing of it fails; nothing of it may be there after the reset.
PLANTED = r"""
for place in /etc/rc /etc/inittab /etc/profile /etc/sysctl.d/99-repave.conf /usr/lib/repave/agent /usr/lib/repave/app-run /usr/sbin/dropbear; do
	cp -a $place /tmp/kept; { echo "# @EVIL@"; cat /tmp/kept; } >$place.new; chmod 755 $place.new; mv $place.new $place
done
cp /bin/busybox /usr/bin/@EVIL@; chmod 4755 /usr/bin/@EVIL@
echo "@EVIL@:x:0:0::/:/bin/sh" >>/etc/passwd
echo "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f @EVIL@" >>/root/.ssh/authorized_keys
echo '{"assignment": 99, "@EVIL@": 1}' >/run/repave/boot.json
mkdir -p /h/users/root; echo "touch /@EVIL@" | tee /h/.profile /h/rc /h/users/root/.profile >/dev/null; chmod 755 /h/.profile /h/rc
[ ! -c /dev/pmsg0 ] || printf '\033[2J@EVIL@ Kernel panic - not syncing: @EVIL@\n' >/dev/pmsg0
[ ! -c /dev/watchdog ] || printf V >/dev/watchdog
echo planted
""".replace("@EVIL@", EVIL)


def put(fleet, server, data, path):
    """A file of the host into the guest."""
    subprocess.run([str(w) for w in fleet.ssh_words(server, f"cat >{path} && chmod 755 {path}")], input=data, check=True, timeout=120)


def partitions(fleet, server):
    """{name: device} of the data disk."""
    said = fleet.ssh(server, "for f in /sys/class/block/*/uevent; do sed -n 's/^DEVNAME=//p; s/^PARTNAME=//p' $f | tr '\\n' ' '; echo; done")
    return {words[1]: words[0] for words in map(str.split, said.splitlines()) if len(words) == 2}


def identity_of_system(fleet, server):
    """What must be the same after each boot: images, kernel, command line but for what names a slot or a start, programs, firmware."""
    words = fleet.ssh(server, "cat /proc/cmdline").split()
    hashes = [re.sub(r"=[0-9a-f-]{36}:", "=:", word) for word in words if word.startswith(("repave.c=", "repave.d="))]
    assert len(hashes) == 2, words
    return {"hashes": hashes, "words": [word for word in words if not word.startswith("repave.")],
            "programs": fleet.ssh(server, "cat /proc/version; sha256sum /usr/lib/repave/* /etc/rc /etc/inittab /etc/passwd /usr/sbin/dropbear "
                                          "/root/.ssh/authorized_keys 2>/dev/null; ls /usr/bin | wc -l"),
            "firmware": fleet.ssh(server, f"mount -t efivarfs none {EFIVARS} 2>/dev/null; for v in SecureBoot SetupMode PK; do "
                                          f"sha256sum <{EFIVARS}/$v-{GLOBAL}; done; sha256sum <{EFIVARS}/db-{IMAGES}"),
            "lockdown": fleet.ssh(server, "mount -t securityfs none /sys/kernel/security 2>/dev/null; cat /sys/kernel/security/lockdown"),
            "mounts": re.findall(r"^/dev/mapper/repave-\w on \S+ type squashfs \(ro", fleet.ssh(server, "mount"), re.M)}


def evil_esp(folder):
    """A file system with a program that isn't signed, where firmware looks for one, and under a name of its own."""
    image = folder / "evil-esp.img"
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    run(["mkfs.vfat", image])
    run(["mmd", "-i", image, "::EFI", "::EFI/BOOT"])
    run(["mcopy", "-i", image, LOADER, "::EFI/BOOT/BOOTX64.EFI"])
    run(["mcopy", "-i", image, LOADER, "::EVIL.EFI"])
    return image.read_bytes()


def boot_entry(fleet, server, device):
    """A boot entry for that program on the ESP of the data disk, as the firmware takes it, with its attributes in front."""
    def text(words):
        return words.encode("utf-16-le") + b"\0\0"
    number = int(re.search(r"\d+$", device)[0])
    with open(server.disk, "rb") as disk:
        disk.seek(2 * 512 + (number - 1) * 128)
        entry = disk.read(128)
    first, last = struct.unpack_from("<QQ", entry, 32)
    path = struct.pack("<BBHIQQ16sBB", 4, 1, 42, number, first, last - first + 1, entry[16:32], 2, 2)
    name = text("\\EVIL.EFI")
    path += struct.pack("<BBH", 4, 4, 4 + len(name)) + name + struct.pack("<BBH", 0x7F, 0xFF, 4)
    return struct.pack("<IIH", 7, 1, len(path)) + text(EVIL) + path


def take_boot_order(fleet, server, device):
    """The next boot, and all after it, from the ESP of the data disk, before anything else."""
    before = fleet.ssh(server, f"od -An -v -tx1 {EFIVARS}/BootOrder-{GLOBAL}").split()[4:]
    put(fleet, server, boot_entry(fleet, server, device), "/tmp/entry")
    put(fleet, server, struct.pack("<IH", 7, 0x99), "/tmp/next")
    put(fleet, server, struct.pack("<IH", 7, 0x99) + bytes.fromhex("".join(before)), "/tmp/order")
    for name in ("entry", "next", "order"):
        variable = {"entry": "Boot0099", "next": "BootNext", "order": "BootOrder"}[name]
        # One write for each: what a variable is.
        fleet.ssh(server, f"chattr -i {EFIVARS}/{variable}-{GLOBAL} 2>/dev/null; cat /tmp/{name} >{EFIVARS}/{variable}-{GLOBAL}")
    assert "9900" in fleet.ssh(server, f"od -An -v -tx1 {EFIVARS}/BootNext-{GLOBAL}").replace(" ", ""), "BootNext wasn't taken"


def overwrite_disk(fleet, server, devices, esp):
    """All of it that isn't in use, then what is: the last thing that root does."""
    put(fleet, server, esp, "/tmp/esp")
    script = f"""
dd if=/tmp/esp of=/dev/{devices['ESP']} conv=fsync
head -c 440 /dev/urandom | dd of=/dev/vda conv=notrunc,fsync
dd if=/dev/zero of=/dev/vda bs=512 count=1 seek=$(($(cat /sys/block/vda/size) - 1)) conv=notrunc,fsync
dd if=/dev/urandom of=/dev/{devices['STATE']} bs=64k count=256 conv=notrunc,fsync
for slot in {devices['C0']} {devices['C1']} {devices['D0']} {devices['D1']}; do
	dd if=/dev/urandom of=/dev/$slot bs=64k count=8 seek=1 conv=notrunc,fsync
	dd if=/dev/urandom of=/dev/$slot bs=64k count=4 seek=100 conv=notrunc,fsync
done
"""
    fleet.ssh(server, f"({script}) >/dev/null 2>&1; sync; echo overwritten")


def ask_for_others(fleet, server):
    """Another account's images by the server's address, another server's assignment and keys by what its agent holds."""
    port = fleet.control.repository_port
    image = next((BUILD / "repository/targets/app/cache/minimal").glob("*.img.zst"))
    path = f"/repository/targets/app/cache/minimal/{image.name}"
    assert http_get(CONTROL_UNIT, port, path)[0] == 200
    said = fleet.ssh(server, f"wget -O /tmp/image http://{CONTROL_UNIT}:{port}{path} 2>&1; ls -l /tmp/image 2>&1; true")
    assert "403" in said and "No such file" in said, said
    events = [e for e in json.loads(fleet.control.repave("event", "list", "--node", server.id, "--json")) if e["kind"] == "foreign"]
    assert events and events[0]["severity"] == "alarm" and "app/cache/minimal, which isn't assigned to it" in events[0]["text"], events
    for name in ("key", "certificate"):
        (fleet.folder / f"{name}.pem").write_text(fleet.ssh(server, f"cat /run/repave/agent/{name}.pem"))
    words = ["curl", "-s", "-o", fleet.folder / "answer", "-w", "%{http_code}", "--cacert", fleet.control.state / "ca.pem", "--cert",
             fleet.folder / "certificate.pem", "--key", fleet.folder / "key.pem", "--resolve", f"control.repave.internal:8443:{CONTROL_UNIT}"]
    for call in (f"nodes/{OTHER}/boot", f"nodes/{OTHER}/agent", f"agents/{OTHER}/status", f"nodes/{server.id}/boot"):
        assert run([*words, "-d", "{}", f"https://control.repave.internal:8443/v1/{call}"]).strip() == "403", call


def test_root_of_the_running_system_never_decides_the_next_boot(fleet):
    server = fleet.server(medium="uefi-net", firmware="secure", memory=768)
    netboot(fleet, "--range", f"{server.address},{server.address}")
    fleet.control.start()
    fleet.default("minimal", "web", "--h", "local")
    server.start()
    server.wait_for(r"^repave: healthy", 150)
    before = identity_of_system(fleet, server)
    assert "[integrity]" in before["lockdown"] and len(before["mounts"]) == 2, before
    devices = partitions(fleet, server)
    assert {"STATE", "C0", "C1", "D0", "D1", "H", "ESP"} <= set(devices), devices
    ask_for_others(fleet, server)
    # What is refused at once.
    put(fleet, server, (BUILD / "target/root-tries").read_bytes(), "/tmp/root-tries")
    put(fleet, server, b"070701" + bytes(4096), "/tmp/initrd")
    said = fleet.ssh(server, "mount -o remount,exec /tmp 2>/dev/null; /tmp/root-tries /run/repave/c/boot/vmlinuz /tmp/initrd "
                             "$(find /usr/lib/modules -name isofs.ko); modprobe isofs && echo the module as it is signed: loaded")
    print(said)
    assert "WORKED" not in said and said.count(": refused: ") == 12, said
    assert "the module as it is signed: loaded" in said, said
    said = fleet.ssh(server, f"mkdir -p /tmp/t; {REFUSED}")
    print(said)
    assert "WORKED" not in said and said.count("refused: ") == REFUSED.count("\ntry "), said
    # What is taken, and gains nothing.
    assert fleet.ssh(server, PLANTED).strip() == "planted"
    take_boot_order(fleet, server, devices["ESP"])
    overwrite_disk(fleet, server, devices, evil_esp(fleet.folder))
    server.reset()
    server.wait_for(r"^repave: healthy", 150)
    console = server.console()
    assert re.search(r"^repave: stage 1", console, re.M) and "systemd-boot" not in console, console[-2000:]
    assert "partition table was damaged and was made good" in console, console
    assert "EFI system partition of disk vda had something on it, and is empty now" in console, console
    after = identity_of_system(fleet, server)
    assert after == before, (before, after)
    left = fleet.ssh(server, f"ls -d /usr/bin/{EVIL} /{EVIL} 2>/dev/null; find /etc /root /usr/lib/repave /run/repave -xdev -type f "
                             f"-exec grep -l {EVIL} {{}} + 2>/dev/null; od -An -v -tx1 {EFIVARS}/BootCurrent-{GLOBAL}; "
                             f"ls {EFIVARS} | grep BootNext; true").splitlines()
    # BootNext was used up on a program that the firmware refused; what it started then is what it was told at first.
    assert len(left) == 1 and len(left[0].split()) == 6 and left[0].split()[4:] != ["99", "00"], left
    boot = fleet.control.node(server.id)["last_boot"]
    assert boot["event"] == "kexec" and {image["slot"][0] for image in boot["images"]} == {"C", "D"}, boot
    with open(server.disk, "rb") as disk:
        assert disk.read(440) == b"\xcd\x18" + bytes(438), "the boot area isn't as stage 1 makes it"


def closed(address, port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((address, port)) != 0


def alone(server):
    """What a BIOS says when there is nothing but the data disk."""
    words = ["qemu-system-x86_64", "-accel", "tcg", "-m", 64, "-nodefaults", "-display", "none", "-vga", "std", "-boot", "c", "-snapshot",
             "-qmp", f"unix:{near(server.qmp_file)},server=on,wait=off", "-drive", f"file={server.disk},format=raw,if=none,id=data",
             "-device", "virtio-blk-pci,drive=data"]
    server.process = Process(words, server.folder / "qemu-alone.log")
    wait_until("a monitor of QEMU", 20, server.qmp_file.exists, every=0.1, alive=server.process)
    time.sleep(1)
    try:
        wait_until("the firmware's word on the disk alone", 60, lambda: "No bootable device" in server.screen(), alive=server.process)
        return server.screen()
    finally:
        server.stop()
        server.qmp_file.unlink(missing_ok=True)


def test_data_disk_alone_boots_nothing_and_a_server_without_keys_has_no_ssh(fleet):
    server = fleet.server(medium="direct")
    fleet.control.start()
    fleet.control.repave("default", "--os", "minimal", "--app", "web")  # no key
    server.start()
    server.wait_for(r"^repave: healthy")
    declared = set(description_of("app-web-minimal")["app"]["ports"])
    begun = time.monotonic()
    opened = [port for port in sorted({*range(1, 1100), *declared, 2222, 3306, 5432, 6379, 8443, 9090, 9100}) if not closed(server.address, port)]
    print(f"ports asked for in {time.monotonic() - begun:.1f} s")
    assert set(opened) == declared, opened
    server.stop()
    assert "Booting from Hard Disk" in alone(server)
    # Root writes a boot sector, of the kind that any system's installer does: then it would start.
    with open("/usr/lib/syslinux/mbr/mbr.bin", "rb") as file, open(server.disk, "r+b") as disk:
        disk.write(file.read(440))
    server.start()
    server.wait_for(r"partition table was damaged and was made good")
    server.wait_for(r"^\[ *\d+\.\d s\] assign ")
    server.stop()
    with open(server.disk, "rb") as disk:
        assert disk.read(440) == b"\xcd\x18" + bytes(438)
    assert "Booting from Hard Disk" in alone(server)
