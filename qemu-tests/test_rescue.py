# SPDX-License-Identifier: GPL-2.0-or-later
"""A server whose provisioning fails is reached by ssh, from afar, with the operator's key alone; repaired; and imaged anew."""
import subprocess

from fleet import BUILD, CONTROL_UNIT, PORT, REPOSITORY_PORT, ROOT, run, wait_until

DATA = b"somebody's data" * 1000


def rescue_base(fleet):
    """The build's stage 1 with dropbear and the operator's key in it, without modules and token."""
    base = fleet.folder / "base.img"
    run([ROOT / "initramfs/build-initramfs", "base", "--busybox", BUILD / "packages/busybox-initramfs/bin/busybox", "--provision",
         BUILD / "target/provision", "--root", BUILD / "repository/metadata/1.root.json", "--ca", BUILD / "fleet/ca.pem", "--control-unit",
         CONTROL_UNIT, "--port", PORT, "--repository-port", REPOSITORY_PORT, "--slot-c-mib", (BUILD / "config/SLOT_C_MIB").read_text().strip(),
         "--slot-d-mib", (BUILD / "config/SLOT_D_MIB").read_text().strip(), "--compress", "zstd", "--dropbear",
         BUILD / "packages/dropbear/sbin/dropbear", "--authorized-keys", f"{fleet.key}.pub", "--output", base])
    return base


def rescue_medium(fleet, server):
    base = rescue_base(fleet)
    token = fleet.folder / "archives.cpio"
    token.write_bytes(server.token.read_bytes())
    # The later archive's files are those that count.
    server.token = fleet.folder / "rescue.img"
    server.token.write_bytes(base.read_bytes() + token.read_bytes())


def test_failed_stage_1_is_repaired_by_ssh_and_imaged_anew(fleet):
    server = fleet.server(medium="direct")
    rescue_medium(fleet, server)
    run(["sfdisk", "-q", server.disk], input="label: gpt\n- - linux -\n")
    with open(server.disk, "r+b") as disk:
        disk.seek(1 << 20)
        disk.write(DATA)
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"FAILED: .*isn't Repave's: not touched", 120)
    server.wait_for(r"dropbear listens on port 22", 60)
    # Stage 1, and nobody but who has the key; no passwords, no forwarding.
    said = fleet.ssh(server, "cat /proc/version; ls -d /etc/repave /C 2>/dev/null; dd if=/dev/vda1 bs=15 count=1 2>/dev/null")
    assert "/etc/repave" in said and "/C" not in said.split() and "somebody's data" in said, said
    other = fleet.folder / "other"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other])
    words = ["ssh", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    for key, more in ((other, []), (fleet.key, ["-W", "127.0.0.1:22"])):
        done = subprocess.run([str(w) for w in (*words, "-i", key, *more, f"root@{server.address}", *([] if more else ["true"]))],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=30)
        assert done.returncode != 0 and "SSH-2.0" not in done.stdout, done.stdout
    # What was in the way is cleared from afar, and the server starts anew.
    fleet.ssh(server, "dd if=/dev/zero of=/dev/vda bs=1M count=2 && dd if=/dev/zero of=/dev/vda bs=1M seek=4095 count=1 && sync && "
                      "{ (sleep 1; reboot -f) </dev/null >/dev/null 2>&1 & }")
    server.wait_for(r"(?s)dropbear listens.*^repave: healthy", 120)
    assert fleet.control.node(server.id)["last_boot"]["event"] == "kexec"
    wait_until("the system's own ssh server", 60, lambda: "repave-c" in fleet.ssh(server, "cat /sys/block/dm-*/dm/name"))
