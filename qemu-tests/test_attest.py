# SPDX-License-Identifier: GPL-2.0-or-later
"""What a server's TPM proves and remembers: from the signed stage 1 to the running system, and over a disk that was turned back."""
import hashlib
import json
import shutil

import pytest

import fleet as fleet_module
import forge
import secure
from fleet import BUILD, ROOT
from test_rescue import rescue_base
from test_trust import keys_folder, refusal, replace_metadata, sign


def copy_disk(source, to):
    fleet_module.run(["cp", "--sparse=always", source, to])


def test_restored_state_with_older_signed_images_is_refused_by_the_tpm(fleet):
    """Whoever is root in the OS, or at the disk, puts the STATE of last week back, and a mirror offers last week's images, signed and not
    expired. To the disk all of that fits; the TPM remembers. Without it the same server would boot."""
    keys = keys_folder(fleet)
    mirrored = fleet.mirror()
    old, before = fleet.folder / "old-metadata", fleet.folder / "disk-before.img"
    shutil.copytree(mirrored / "metadata", old)
    fleet.control.start()
    fleet.default("minimal", None)
    server = fleet.server(medium="direct", tpm=True)
    server.start()
    server.wait_for(r"^stage 2: ")
    server.power_cut()
    copy_disk(server.disk, before)
    sign("publish", "--repository", mirrored, "--keys", keys)
    attack = forge.Forge(mirrored, forge.load_keys(keys))
    attack.publish()
    newest = attack.snapshot()["version"]
    server.start()
    server.wait_for(r"^stage 2: ")
    server.power_cut()
    copy_disk(before, server.disk)
    replace_metadata(mirrored, old)
    oldest = attack.snapshot()["version"]
    assert oldest < newest
    server.start()
    refusal(fleet, server, rf"snapshot\.json has version {oldest}, and this server's TPM remembers version {newest}")
    server.power_cut()
    tpm, server.tpm = server.tpm, None
    server.start()
    server.wait_for(r"^stage 2: ")
    assert "no TPM: what boots here can't be proved" in server.console()
    tpm.close()
    before.unlink()


def replayed(events):
    """PCR 8 after these events, and their types and data; each digest must be that of what it says."""
    value = bytes(32)
    for number, event in enumerate(events):
        data = event["content"]["data"].encode()
        digest = hashlib.sha256(data).digest()
        assert event["recnum"] == number and event["pcr"] == 8 and event["digests"] == [{"hashAlg": "sha256", "digest": digest.hex()}], event
        value = hashlib.sha256(value + digest).digest()
    return value.hex(), {event["content"]["type"]: event["content"]["data"] for event in events}


def trust_tpms(fleet, server, pcrs=BUILD / "boot/repave.pcrs.json"):
    """The operator's part: whose TPMs, and which boot image."""
    fleet.control.repave("tpm", "ca", "add", server.tpm.ca)
    fleet.control.repave("tpm", "expect", "add", pcrs, "--signature", pcrs.with_suffix(".sig"), "--certificate", secure.keys() / "db.crt")


def require_proof(fleet, server):
    """And what the group's servers have to prove. A fleet file names servers that have enrolled."""
    fleet_module.wait_until(f"{server.name} has enrolled", 240, lambda: server.id in fleet.control.repave("nodes"), alive=server.process)
    file = fleet.folder / "fleet.yaml"
    file.write_text(json.dumps({
        "groups": {"guarded": {"os": "minimal", "app": "web", "attestation": "required"}},
        "nodes": [{"node": server.id, "group": "guarded", "ssh_authorized_keys": [fleet.key.with_suffix(".pub").read_text().strip()]}]}))
    fleet.control.repave("apply", "-f", file, "--yes")


def proved(fleet, server, level, stage, seconds=120):
    """Waits until the control unit says so of the server, and returns the record."""
    def question():
        record = fleet.control.node(server.id)["attestation"]
        return record if (record["level"], record["stage"]) == (level, stage) else None
    return fleet_module.wait_until(f"{server.name}: {level} by its {stage}", seconds, question, alive=server.process)


def attested_from_power_on(fleet, model="tpm-tis"):
    """From power-on to the application, in a group that asks for a proof: each link is what the TPM says of it. Returns the server."""
    fleet.control.start()
    server = fleet.server(medium="uki", firmware="secure", tpm=model)
    trust_tpms(fleet, server)
    server.start()
    require_proof(fleet, server)
    server.wait_for(r"attest +attested: ", 300)
    server.wait_for(r"^stage 2: C: and D: are open", 300)
    record = proved(fleet, server, "attested", "system", 180)
    assert record["ek_by"] == "certificate" and record["expected"]["name"] == secure.expected()["name"], record
    text = fleet.ssh(server, "cat /run/repave/events.json; echo; cat /sys/class/tpm/tpm0/pcr-sha256/8 /sys/class/tpm/tpm0/pcr-sha256/11 /proc/cmdline; "
                     "sha256sum /run/repave/c/boot/vmlinuz; stat -c '%a %s' /run/repave/firmware-log")
    events, pcr_8, pcr_11, cmdline, kernel, log = text.strip().splitlines()
    value, said = replayed(json.loads(events))
    assert value == pcr_8.lower() and secure.expected()["pcr11"] == pcr_11.lower(), (value, pcr_8, pcr_11)
    assert list(said) == ["repave.assignment", "repave.os", "repave.app", "repave.cmdline", "repave.kernel"], said
    assert said["repave.cmdline"] == cmdline and said["repave.kernel"] == kernel.split()[0], (said, cmdline, kernel)
    assert said["repave.assignment"] == str(fleet.control.node(server.id)["assignment"]["number"])
    for name, kind in (("os-minimal", "os"), ("app-web-minimal", "app")):
        assert said[f"repave.{kind}"] == json.loads((BUILD / f"images/{name}.json").read_text())["verity"]["root_hash"]
    mode, size = log.split()
    assert mode == "600" and int(size) > 1000, log
    assert fleet.answer(server, "minimal", "web")
    return server


@pytest.mark.parametrize("model", ["tpm-tis", pytest.param("tpm-crb", marks=pytest.mark.long)])
def test_attested_from_the_signed_stage_1_to_the_application(fleet, model):
    """Secure Boot, TPM, a group that asks for a proof. Then the same server without its firmware's checks, and with another TPM."""
    server = attested_from_power_on(fleet, model)
    server.stop()

    # The same stage 1, by a boot loader that nobody checked.
    server.medium, server.firmware = "direct", None
    server.start()
    server.wait_for(r"attest +NOT attested: .*PCR [0-9]+", 240)
    server.wait_for(r"assign +.*refuses \(403\): .*PCR [0-9]+", 60)
    proved(fleet, server, "failed", "boot")
    assert "stage 2: " not in server.console() and "asking to be let in" not in server.console(), server.console()
    server.stop()

    server.medium, server.firmware = "uki", "secure"
    server.tpm.reset()
    server.start()
    server.wait_for(r"attest +not attested: ", 240)
    server.wait_for(r"assign +.*refuses \(403\): ", 60)
    assert "stage 2: " not in server.console() and "asking to be let in" not in server.console(), server.console()


def rescue_uki(fleet):
    """What a build with INITRAMFS_DROPBEAR makes: its ESP, and the values that are expected of it."""
    folder, initramfs = fleet.folder, fleet.folder / "rescue-initramfs.img"
    initramfs.write_bytes(rescue_base(fleet).read_bytes() + (BUILD / "boot/initramfs-modules.img").read_bytes())
    sign_with = [BUILD / "bin/repave-sign", "secureboot"]
    uki, esp, pcrs = (folder / f"rescue{suffix}" for suffix in (".efi", "-esp.img", ".pcrs.json"))
    for words in (
            [ROOT / "initramfs/build-media", "uki", "--kernel", BUILD / "boot/vmlinuz", "--initramfs", initramfs, "--token", BUILD / "boot/token.cpio",
             "--console", "ttyS0,115200", "--kernel-version", BUILD / "kernel/version", "--rescue", "--output", folder / "unsigned.efi"],
            [*sign_with, "sign", "--keys", secure.keys(), "--output", uki, folder / "unsigned.efi"],
            [ROOT / "initramfs/build-media", "esp", "--uki", uki, "--output", esp],
            [ROOT / "initramfs/build-media", "pcrs", "--uki", uki, "--repave-sign", BUILD / "bin/repave-sign", "--output", pcrs],
            [*sign_with, "sign-file", "--keys", secure.keys(), "--output", pcrs.with_suffix(".sig"), pcrs]):
        fleet_module.run(words)
    return esp, pcrs


@pytest.mark.long
def test_boot_in_which_a_rescue_shell_was_opened_never_attests(fleet):
    """A signed stage 1 with ssh, which its values say. Somebody may come in once it has failed; from then on PCR 8 says so."""
    fleet.control.start()
    fleet.default("minimal", "web")
    server = fleet.server(medium="uki", firmware="secure", tpm=True)
    server.esp, pcrs = rescue_uki(fleet)
    assert json.loads(pcrs.read_text())["rescue_shell"] is True
    trust_tpms(fleet, server, pcrs)
    fleet_module.run(["sfdisk", "-q", server.disk], input="label: gpt\n- - linux -\n")
    server.start()
    server.wait_for(r"attest +NOT attested: .*was built with a rescue shell or SSH", 300)
    server.wait_for(r"FAILED: .*isn't Repave's: not touched", 120)
    server.wait_for(r"dropbear listens on port 22", 60)
    fleet.ssh(server, "touch /run/repave/hold")
    events, pcr_8 = fleet.ssh(server, "cat /run/repave/events.json; echo; cat /sys/class/tpm/tpm0/pcr-sha256/8").split()
    value, said = replayed(json.loads(events))
    assert (value, said) == (pcr_8.lower(), {"repave.rescue": "ssh"}), (value, pcr_8, said)
    # Who is in there asks as stage 1 would.
    require_proof(fleet, server)
    fleet.ssh(server, "{ provision </dev/null >/dev/console 2>&1 & }")
    server.wait_for(r"attest +NOT attested: PCR 8, repave\.rescue: a rescue shell was opened in this boot \(ssh\)", 120)
    server.wait_for(r"assign +.*refuses \(403\): .*repave\.rescue", 60)
    record = proved(fleet, server, "failed", "boot")
    assert record["pcr"] == 8 and "repave.rescue" in record["text"], record
    assert "stage 2: " not in server.console(), server.console()
