# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines whose keys can't be changed: Microsoft's in the firmware, Debian's shim, and our certificate as a machine owner key."""
import pytest

import secure
from fleet import BUILD, run
from test_attest import trust_tpms
from test_secure import SIGN, check_lockdown, foreign_keys

pytestmark = pytest.mark.long
SHIM = BUILD / "test/shim/usr/lib/shim"


def shim_server(fleet, index, program, **options):
    """A server as its maker ships it, whose disk has shim, and this program where shim looks for one."""
    server = fleet.server(index, medium="none", firmware="secure", memory=768, **options)
    secure.shim_vars(server.folder, secure.keys() / "db.esl")
    image = secure.esp(server.folder / "esp.img", SHIM / "shimx64.efi.signed", grubx64=program, mmx64=SHIM / "mmx64.efi.signed")
    server.append += secure.disk_words(image, 0x10, bootindex=0)
    return server


def test_shim_starts_what_the_machine_owner_key_signed(fleet):
    """The chain to the application under lockdown, kexec with the machine owner key among it. The TPM tells that shim, and Microsoft's
    signature on it, stood before stage 1: such a server isn't attested."""
    fleet.control.start()
    fleet.default("minimal", "web")
    server = shim_server(fleet, 1, BUILD / "boot/repave.efi", tpm=True)
    trust_tpms(fleet, server)
    server.start()
    server.wait_for(r"attest +NOT attested: .*PCR 4, event \d+")
    server.wait_for("by kexec")
    assert fleet.answer(server, "minimal", "web")
    check_lockdown(fleet, server)
    assert "MOK" in fleet.ssh(server, "dmesg | grep 'Loading X.509 certificate: UEFI:MokListRT'")
    record = fleet.control.node(server.id)["attestation"]
    assert record["level"] == "failed" and record["pcr"] == 4, record


def test_shim_starts_nothing_else(fleet):
    """Of another signer; and the signed kernel of an image, to which anybody could give an initrd."""
    foreign = fleet.folder / "foreign.efi"
    run([*SIGN, "sign", "--keys", foreign_keys(fleet.folder), "--output", foreign, BUILD / "boot/repave.efi"])
    for index, (program, said) in enumerate(((foreign, "Security Violation"), (BUILD / "boot/vmlinuz-os", "Security Violation")), 1):
        server = shim_server(fleet, index, program)
        server.start()
        server.wait_for(said)
        assert "EFI stub" not in server.console() and "stage 1 starts" not in server.console(), server.console()
        print(server.console())
        server.stop()
