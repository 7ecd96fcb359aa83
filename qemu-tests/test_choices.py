# SPDX-License-Identifier: GPL-2.0-or-later
"""Each choice of the configuration builds and boots (make test-long)."""
import os
import subprocess

import pytest

import fleet as fleet_module
import test_attest
import test_secure
from fleet import BUILD, ROOT

pytestmark = pytest.mark.long

CHOICES = [
    ["KERNEL_GENERIC"], ["KERNEL_MINIMAL"],
    ["IMAGE_COMPRESSION_LZO"], ["IMAGE_COMPRESSION_ZSTD"], ["IMAGE_COMPRESSION_XZ"],
    ["INITRAMFS_LZO"], ["INITRAMFS_XZ"], ["INITRAMFS_GZIP"], ["INITRAMFS_ZSTD"],
    ["INITRAMFS_RESCUE_SHELL", "INITRAMFS_DROPBEAR"],
]


def make_with(folder, symbols):
    """Builds all with these symbols set, in the same build folder, so that only what depends on them is made again."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config"
    lines = [f"CONFIG_{symbol}=y" for symbol in symbols]
    if "INITRAMFS_DROPBEAR" in symbols:
        key = folder / "id_ed25519"
        if not key.exists():
            fleet_module.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", key])
        lines.append(f'CONFIG_INITRAMFS_AUTHORIZED_KEYS="{key}.pub"')
    config.write_text("\n".join([(ROOT / "configs/defconfig").read_text(), *lines]) + "\n")
    environment = dict(os.environ, KCONFIG_CONFIG=str(config))
    for variable in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        environment.pop(variable, None)
    fleet_module.run(["kconfig-conf", "--olddefconfig", "Kconfig"], cwd=ROOT, env=environment)
    for symbol in symbols:
        assert f"CONFIG_{symbol}=y\n" in config.read_text(), f"{symbol} isn't possible"
    with open(folder / "make.log", "w", encoding="utf-8") as log:
        done = subprocess.run(["make", "-j2", f"O={BUILD}", "all"], cwd=ROOT, env=environment, stdout=log,
                              stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, fleet_module.tail(folder / "make.log")


@pytest.mark.parametrize("symbols", CHOICES, ids="+".join)
def test_choice_builds_and_boots(symbols):
    folder = BUILD / "qemu-tests" / f"choice-{'+'.join(symbols)}"
    make_with(folder, symbols)
    fleet = fleet_module.Fleet(folder / "fleet")
    try:
        # What only stage 1 differs in needs one system to prove it.
        systems = ("minimal",) if symbols[0].startswith("INITRAMFS") else ("minimal", "debian")
        for index, os_name in enumerate(systems, 1):
            server = fleet.server(index, memory=768)
            if index == 1:
                fleet.control.start()
            fleet.default(os_name, "web")
            server.start()
            assert "<html" in fleet.answer(server, os_name, "web", seconds=600)
            print(symbols, os_name, fleet.ssh(server, "uname -r; cat /proc/cmdline"))
            server.stop()
    finally:
        fleet.close()


@pytest.mark.parametrize("kernel", ["KERNEL_GENERIC", "KERNEL_MINIMAL"])
def test_kernel_comes_up_under_secure_boot(kernel):
    """The firmware's memory map, its keys and the TPM go over the jump with each kernel, and each refuses kernels that nobody signed."""
    folder = BUILD / "qemu-tests" / f"secure-{kernel}"
    make_with(folder, [kernel])
    for scene in (test_attest.attested_from_power_on, test_secure.kexec_takes_signed_kernels_only):
        fleet = fleet_module.Fleet(folder / scene.__name__)
        try:
            scene(fleet)
        finally:
            fleet.close()
