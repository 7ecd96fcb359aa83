# SPDX-License-Identifier: GPL-2.0-or-later
"""What a server's TPM proves and remembers: from the signed stage 1 to the running system, and over a disk that was turned back."""
import hashlib
import json
import shutil

import fleet as fleet_module
import forge
from fleet import BUILD
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


def test_attested_boot(fleet):
    """From the signed UKI by Secure Boot to the running OS: PCR 8 holds what stage 1 started, and the log tells what."""
    fleet.control.start()
    fleet.default("minimal", "web")
    server = fleet.server(medium="uki", firmware="secure", tpm=True)
    server.start()
    server.wait_for(r"^stage 2: C: and D: are open", 300)
    assert "TPM 2.0, firmware's log" in server.console()
    text = fleet.ssh(server, "cat /run/repave/events.json; echo; cat /sys/class/tpm/tpm0/pcr-sha256/8 /proc/cmdline; "
                     "sha256sum /run/repave/c/boot/vmlinuz; stat -c '%a %s' /run/repave/firmware-log")
    events, pcr, cmdline, kernel, log = text.strip().splitlines()
    value, said = replayed(json.loads(events))
    assert value == pcr.lower(), (value, pcr)
    assert list(said) == ["repave.assignment", "repave.os", "repave.app", "repave.cmdline", "repave.kernel"], said
    assert said["repave.cmdline"] == cmdline, (said, cmdline)
    assert said["repave.kernel"] == kernel.split()[0]
    node = fleet.control.node(server.id)
    assert said["repave.assignment"] == str(node["assignment"]["number"]), node["assignment"]
    for name, kind in (("os-minimal", "os"), ("app-web-minimal", "app")):
        assert said[f"repave.{kind}"] == json.loads((BUILD / f"images/{name}.json").read_text())["verity"]["root_hash"]
    mode, size = log.split()
    assert mode == "600" and int(size) > 1000, log
