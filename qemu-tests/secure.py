# SPDX-License-Identifier: GPL-2.0-or-later
"""Firmware that checks signatures, with this build's keys enrolled, and TPMs with a certificate, for guests of the tests."""
import fcntl
import json
import os
import shutil
import struct
import subprocess
import tempfile
import uuid
from pathlib import Path

import fleet as fleet_module

OVMF = Path("/usr/share/OVMF")
CODE, VARIABLES = OVMF / "OVMF_CODE_4M.secboot.fd", OVMF / "OVMF_VARS_4M.fd"
NON_VOLATILE_BOOT_SERVICE = 3
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
ENROLLED_AT = "2020-01-01 00:00:00"  # the time stamp of the variables; an update has to be newer


def keys():
    """The build's folder of Secure Boot keys: PK, KEK and db."""
    return Path(os.environ.get("SECURE_BOOT_KEYS") or fleet_module.BUILD / "secureboot")


def enrolled_vars(folder, key_folder=None):
    """A variable store of OVMF in `folder` with PK, KEK and db enrolled: no boot, no menu. Returns its path."""
    path = Path(folder) / "vars.fd"
    shutil.copyfile(VARIABLES, path)
    for name in ("db", "KEK", "PK"):  # PK last: with it the firmware leaves set-up mode
        fleet_module.run(["flash-var", "-t", ENROLLED_AT, path, name, Path(key_folder or keys()) / f"{name}.esl"])
    return path


def shim_vars(folder, certificates):
    """A variable store of OVMF in `folder` as makers ship it, with Microsoft's keys, in which somebody has given shim these machine owner
    keys (an EFI_SIGNATURE_LIST). Returns its path."""
    path = Path(folder) / "vars.fd"
    shutil.copyfile(OVMF / "OVMF_VARS_4M.ms.fd", path)
    set_variable(path, "MokList", Path(certificates).read_bytes(), "605dab50-e046-4300-abb6-3dd810dd8b23")
    # Shim believes it only where no running system could have written it. In front of the name: attributes 4 bytes after the header's
    # beginning (AUTHENTICATED_VARIABLE_HEADER of EDK II, 60 bytes).
    data = bytearray(path.read_bytes())
    at = data.find(b"MokList\0".decode().encode("utf-16le")) - 60
    assert at > 0 and data[at:at + 2] == b"\xaa\x55" and data[at + 4] == 0x27
    data[at + 4] = NON_VOLATILE_BOOT_SERVICE
    path.write_bytes(data)
    return path


def words(folder, variables=None, tpm=None):
    """What makes QEMU a machine with Secure Boot; without `variables` the build's keys are enrolled first."""
    variables = variables or enrolled_vars(folder)
    return ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on",
            "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={CODE}",
            "-drive", f"if=pflash,format=raw,unit=1,file={variables}"] + (tpm.words() if tpm else [])


class Tpm:
    """A TPM 2.0 (swtpm) as its maker ships it: an endorsement key with a certificate of a CA. Its memory stays over power cuts of the
    guest; start() is needed before each start of QEMU, which ends it with its own end."""

    def __init__(self, folder, model="tpm-tis"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.folder = (Path(folder) / "tpm").resolve()
        self.model = model
        self.process = None
        # The name of a socket may have 107 bytes, and the folder may lie deep.
        self.sockets = Path(tempfile.mkdtemp(prefix="repave-tpm-"))
        self.ca = make_ca()
        if not (self.folder / "tpm2-00.permall").exists():
            self.reset()

    def reset(self):
        """Another TPM in its place: new seeds, a new endorsement key, empty NV memory."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        place = self.ca.parent
        with open(place / "lock", "w", encoding="ascii") as lock:  # its serial number is a file
            fcntl.flock(lock, fcntl.LOCK_EX)
            fleet_module.run(["swtpm_setup", "--tpm2", "--tpmstate", self.folder, "--create-ek-cert", "--lock-nvram",
                              "--pcr-banks", "sha256", "--config", place / "setup.conf", "--vmid", uuid.uuid4(),
                              "--logfile", self.folder / "setup.log"])

    def socket(self):
        return self.sockets / "control"

    def words(self):
        """For QEMU."""
        return ["-chardev", f"socket,id=tpm,path={self.socket()}", "-tpmdev", "emulator,id=tpm0,chardev=tpm",
                "-device", f"{self.model},tpmdev=tpm0"]

    def start(self, seconds=10):
        self.stop()
        self.socket().unlink(missing_ok=True)
        self.process = fleet_module.Process(["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}",
                                             "--ctrl", f"type=unixio,path={self.socket()}"], self.folder / "swtpm.log")
        fleet_module.wait_until("swtpm", seconds, self.socket().exists, every=0.02, alive=self.process)

    def stop(self):
        """QEMU's end lets it end by itself; without QEMU it is told to."""
        if self.process:
            try:
                self.process.child.wait(1)
            except subprocess.TimeoutExpired:
                self.process.stop()
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.sockets, ignore_errors=True)


def make_ca(folder=None):
    """The CA of the TPMs' maker, made once for a build: root and issuer certificate in one PEM file. Returns its path."""
    folder = Path(folder or fleet_module.BUILD / "test/tpm-ca").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    bundle = folder / "ca.pem"
    with open(folder / "making", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not bundle.exists():
            (folder / "localca.conf").write_text(f"statedir = {folder}\nsigningkey = {folder}/issuer.key\nissuercert = {folder}/issuer.pem\n"
                                                 f"certserial = {folder}/serial\n")
            (folder / "options.conf").write_text("--platform-manufacturer Repave\n--platform-version 1.0\n--platform-model test\n")
            (folder / "setup.conf").write_text("create_certs_tool = /usr/bin/swtpm_localca\n"
                                               f"create_certs_tool_config = {folder}/localca.conf\n"
                                               f"create_certs_tool_options = {folder}/options.conf\n")
            # The first certificate makes the CA; whose it is doesn't matter.
            with tempfile.TemporaryDirectory(dir=folder) as first:
                fleet_module.run(["swtpm_setup", "--tpm2", "--tpmstate", first, "--create-ek-cert", "--pcr-banks", "sha256",
                                  "--config", folder / "setup.conf"])
            part = folder / "ca.part"
            part.write_bytes((folder / "swtpm-localca-rootca-cert.pem").read_bytes() + (folder / "issuer.pem").read_bytes())
            part.rename(bundle)
    return bundle


def expected():
    """What the build says a TPM will hold: the content of repave.pcrs.json."""
    return json.loads((fleet_module.BUILD / "boot/repave.pcrs.json").read_text())


# ---------------------------------------------------------------- what an attacker prepares
def esp(path, program, **others):
    """An EFI system partition, without a partition table, whose firmware's default program is this one; others beside it by their names."""
    size = (sum(Path(file).stat().st_size for file in (program, *others.values())) >> 10) + 4096
    fleet_module.run(["mkfs.vfat", "-F16", "-C", path, max(size, 16384)])
    fleet_module.run(["mmd", "-i", path, "::EFI", "::EFI/BOOT"])
    for name, file in {"BOOTX64": program, **others}.items():
        fleet_module.run(["mcopy", "-i", path, file, f"::EFI/BOOT/{name}.EFI"])
    return Path(path)


def disk_words(image, slot, **options):
    """QEMU's words for a disk in a PCI slot of its choice."""
    more = "".join(f",{name}={value}" for name, value in options.items())
    return ["-drive", f"file={image},format=raw,if=none,id=slot{slot},snapshot=on",
            "-device", f"virtio-blk-pci,drive=slot{slot},addr={slot:#x}{more}"]


def load_option(slot, arguments, path="\\EFI\\BOOT\\BOOTX64.EFI"):
    """EFI_LOAD_OPTION: a program on the disk in that slot, started with `arguments` (UEFI 2.10, 3.1.3 and 10.3)."""
    name = path.encode("utf-16le") + b"\0\0"
    device = (struct.pack("<BBHII", 2, 1, 12, 0x0A0341D0, 0) + struct.pack("<BBHBB", 1, 1, 6, 0, slot)
              + struct.pack("<BBH", 4, 4, 4 + len(name)) + name + bytes.fromhex("7fff0400"))
    return struct.pack("<IH", 1, len(device)) + "edited".encode("utf-16le") + b"\0\0" + device + arguments.encode("utf-16le") + b"\0\0"


def set_variable(variables, name, content, owner=GLOBAL):
    """Writes a variable of the firmware, as who has its flash can."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        fleet_module.run(["flash-var", "-g", owner, "-t", ENROLLED_AT, variables, name, file.name])
