# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that boot over the network, by what `repave netboot config` prints, as printed."""
import os
import re
import socket
import sys

import pytest

import fleet as fleet_module
from fleet import BUILD, run

ASSIGNED = r"^\[ *(\d+\.\d) s\] assign +assignment \d+: "
TFTP = BUILD / "boot/tftp"


def netboot(fleet, *words):
    """A dnsmasq with what `repave netboot config` prints, in the place of the fleet's own one."""
    conf = fleet.folder / "netboot.conf"
    conf.write_text(run([BUILD / "bin/repave", "netboot", "config", "--interface", "br0", "--tftp-root", TFTP, *words]))
    assert "syntax check OK" in run(["dnsmasq", "--test", f"--conf-file={conf}"])
    fleet.processes.pop().stop()
    fleet.processes.append(fleet_module.Process(["dnsmasq", f"--conf-file={conf}", "--no-daemon", "--user=root", "--leasefile-ro"],
                                                fleet.folder / "netboot.log"))


def begin(fleet, *media, **options):
    """Servers that got as far as their assignment, and dnsmasq's log."""
    fleet.control.start()
    fleet.default("minimal", "web")
    # Over the network too UEFI starts the signed stage 1 only.
    servers = [fleet.server(index, medium=medium, firmware="secure" if medium == "uefi-net" else None, **options)
               for index, medium in enumerate(media, 1)]
    for server in servers:
        server.start()
    for server in servers:
        server.wait_for(ASSIGNED)
        print(f"{server.medium}: {fleet_module.time.monotonic() - server.started:.1f} s")
    return (fleet.folder / "netboot.log").read_text()


def test_bios_and_uefi_boot_from_the_printed_dhcp_server(fleet):
    netboot(fleet, "--range", "10.0.2.50,10.0.2.60", "--control-unit", "10.0.2.2,10.0.2.77")
    log = begin(fleet, "pxe", "uefi-net")
    for name in ("pxelinux.0", "repave.efi"):
        assert re.search(rf"sent {TFTP}/{name} to 10\.0\.2\.[56]\d$", log, re.M), log
    assert re.search(r"option:224\s", log), log


class OtherServer:
    """A DHCP server that knows nothing of booting, on another machine of the network."""

    def __init__(self, fleet):
        machine = fleet_module.Process(["unshare", "--net", "sleep", "3600"], fleet.folder / "other-machine.log")
        fleet.processes.append(machine)
        own = os.stat("/proc/self/ns/net").st_ino
        fleet_module.wait_until("a second network namespace", 10,
                                lambda: os.stat(f"/proc/{machine.child.pid}/ns/net").st_ino != own, every=0.05, alive=machine)
        inside = ["nsenter", "--net", "--target", machine.child.pid]
        run(["ip", "link", "add", "other0", "type", "veth", "peer", "name", "eth0", "netns", machine.child.pid])
        run(["ip", "link", "set", "other0", "master", "br0", "up"])
        run([*inside, "ip", "link", "set", "lo", "up"])
        run([*inside, "ip", "address", "add", "10.0.2.3/24", "dev", "eth0"])
        run([*inside, "ip", "link", "set", "eth0", "up"])
        fleet.processes.append(fleet_module.Process(
            [*inside, "dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--user=root", "--port=0", "--no-ping", "--log-dhcp",
             "--interface=eth0", "--bind-interfaces", "--leasefile-ro", "--dhcp-range=10.0.2.50,10.0.2.60,1h"],
            fleet.folder / "other-dhcp.log"))


def test_bios_boots_by_proxy_dhcp_beside_another_server(fleet):
    netboot(fleet, "--proxy", "10.0.2.0/24")
    OtherServer(fleet)
    log = begin(fleet, "pxe")
    assert f"sent {TFTP}/pxelinux.0 to 10.0.2." in log and "DHCPACK" not in log, log
    assert "DHCPACK(eth0) 10.0.2." in (fleet.folder / "other-dhcp.log").read_text()


@pytest.mark.long
def test_uefi_boots_by_proxy_dhcp_beside_another_server(fleet):
    netboot(fleet, "--proxy", "10.0.2.0/24")
    OtherServer(fleet)
    log = begin(fleet, "uefi-net")
    assert f"sent {TFTP}/repave.efi to 10.0.2." in log, log


@pytest.mark.long
def test_uefi_boots_by_http(fleet):
    port = 8000
    fleet.processes.insert(0, fleet_module.Process([sys.executable, "-m", "http.server", str(port), "--bind", "10.0.2.2", "--directory", TFTP],
                                                   fleet.folder / "http.log"))

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("10.0.2.2", port)) == 0
    fleet_module.wait_until("a web server", 20, answers, every=0.1, alive=fleet.processes[0])
    netboot(fleet, "--range", "10.0.2.50,10.0.2.60", "--http", f"http://10.0.2.2:{port}")
    log = begin(fleet, "uefi-net", append=["-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n"])
    assert '"GET /repave.efi ' in (fleet.folder / "http.log").read_text() and "repave.efi to" not in log, log
