# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers with wrong clocks, several networks, several control units, and none at all."""
import fcntl
import os
import select
import socket
import struct
import threading

import pytest

import fleet as fleet_module
from fleet import run


def start(fleet, server, pattern=r"^repave: healthy"):
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(pattern)


@pytest.mark.parametrize("base", ["1970-01-01", "2099-06-01"])
def test_impossible_clock_is_set_by_the_control_unit(fleet, base):
    server = fleet.server(medium="direct", append=["-rtc", f"base={base}"])
    start(fleet, server)
    text = server.console()
    assert f"this server's clock says {base[:2]}" in text and "UTC, by the control unit" in text, text
    year = fleet_module.time.strftime("%Y", fleet_module.time.gmtime())
    assert fleet.ssh(server, "date -u +%Y").strip() == year


def test_clock_a_few_years_ahead_does_not_expire_the_metadata(fleet):
    """A possible time, by which everything has expired."""
    later = fleet_module.time.strftime("%Y-%m-%d", fleet_module.time.gmtime(fleet_module.time.time() + 3 * 366 * 86400))
    server = fleet.server(medium="direct", append=["-rtc", f"base={later}"])
    start(fleet, server)
    assert "UTC, by the control unit" in server.console()


def test_no_control_unit_boots_the_last_good_system(fleet):
    server = fleet.server(medium="direct", cmdline="repave.unreachable=5")
    start(fleet, server)
    fleet.control.stop()
    server.reset()
    server.wait_for(r"(?s)the last good system boots: os/minimal/.* with app/web/.*^repave: healthy")
    assert "FAILED" not in server.console()
    # A week of grace after the metadata's end, and not a day more.
    server.stop()
    later = fleet_module.time.strftime("%Y-%m-%d", fleet_module.time.gmtime(fleet_module.time.time() + 400 * 86400))
    server.append = ["-rtc", f"base={later}"]
    server.start()
    server.wait_for(r"FAILED: the last good system can't boot without a control unit: its metadata expired longer ago")
    assert "starting it" not in server.console()


def test_ntp_sets_an_impossible_clock_while_no_control_unit_answers(fleet):
    server = fleet.server(medium="direct", cmdline="repave.unreachable=0 repave.ntp=10.0.2.2")
    start(fleet, server)
    fleet.control.stop()
    server.stop()
    # Without peers it serves this host's time, and sets nothing.
    fleet.processes.append(fleet_module.Process([fleet_module.BUILD / "packages/busybox-initramfs/bin/busybox", "ntpd", "-n", "-l"],
                                                fleet.folder / "ntpd.log"))
    server.append = ["-rtc", "base=1970-01-01"]
    server.start()
    server.wait_for(r"UTC, by NTP")
    server.wait_for(r"(?s)the last good system boots: .*^repave: healthy")


def test_no_control_unit_is_waited_for(fleet):
    server = fleet.server(medium="direct", cmdline="repave.unreachable=wait repave.cu=10.0.2.9,10.0.2.2")
    server.start()
    server.wait_for(r"next is 10\.0\.2\.2")
    server.wait_for(r"next try in \d+ s")
    fleet.control.start()
    fleet.default("minimal", "web")
    server.wait_for(r"^repave: healthy")


def test_smbios_string_names_the_control_unit(fleet):
    server = fleet.server(medium="direct", append=["-smbios", "type=11,value=repave.cu=10.0.2.77"])
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"10\.0\.2\.77")
    server.stop()
    run(["ip", "address", "add", "10.0.2.77/24", "dev", "br0"])
    server.start()
    server.wait_for(r"^repave: healthy")


def test_fixed_address_needs_no_dhcp(fleet):
    server = fleet.server(medium="direct", cmdline="repave.ip=10.0.2.55/24,10.0.2.2")
    start(fleet, server, r"^repave: eth0 has the fixed address 10\.0\.2\.55/24")
    server.wait_for(r"^repave: healthy")


def test_control_unit_over_ipv6_without_dhcp(fleet):
    fleet.processes.pop().stop()
    run(["ip", "-6", "address", "add", "fd00::1/64", "dev", "br0", "nodad"])
    fleet.processes.append(fleet_module.Process(
        ["dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--user=root", "--port=0", "--interface=br0", "--bind-interfaces",
         "--dhcp-range=fd00::,ra-only", "--enable-ra"], fleet.folder / "dnsmasq6.log"))
    server = fleet.server(medium="direct", cmdline="repave.cu=fd00::1")
    fleet.control.address = "fd00::1"
    start(fleet, server, r"assignment 1")
    server.wait_for(r"starting it")


class TaggedPort(threading.Thread):
    """A switch port that carries one VLAN, tagged: between br0 and a guest's UDP datagrams. Not every host kernel has VLANs."""

    def __init__(self, vid, local, remote):
        super().__init__(daemon=True)
        run(["ip", "tuntap", "add", "trunk0", "mode", "tap"])
        run(["ip", "link", "set", "trunk0", "master", "br0", "up"])
        self.tap = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.tap, 0x400454ca, struct.pack("16sH22x", b"trunk0", 0x1002))  # TUNSETIFF: IFF_TAP, IFF_NO_PI
        self.tag = struct.pack(">HH", 0x8100, vid)
        self.guest = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.guest.bind(("127.0.0.1", local))
        self.remote = ("127.0.0.1", remote)
        self.untagged = 0

    def run(self):
        while True:
            for ready in select.select([self.tap, self.guest], [], [])[0]:
                if ready is self.guest:
                    frame = self.guest.recv(4096)
                    if frame[12:16] == self.tag:
                        os.write(self.tap, frame[:12] + frame[16:])
                    else:
                        self.untagged += 1
                else:
                    frame = os.read(self.tap, 4096)
                    self.guest.sendto(frame[:12] + self.tag + frame[12:], self.remote)


def test_address_of_the_control_unit_by_dhcp_on_a_vlan(fleet):
    fleet.processes.pop().stop()
    run(["ip", "address", "add", "10.7.0.1/24", "dev", "br0"])
    fleet.processes.append(fleet_module.Process(
        ["dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--user=root", "--port=0", "--no-ping", "--interface=br0",
         "--bind-interfaces", "--leasefile-ro", "--dhcp-range=10.7.0.100,10.7.0.200,1h",
         "--dhcp-option-force=224,cu=10.7.0.9 10.7.0.1"], fleet.folder / "dnsmasq7.log"))
    server = fleet.server(medium="direct", cmdline="repave.vlan=7")
    server.netdev = ("dgram,id=net0,local.type=inet,local.host=127.0.0.1,local.port=23701,"
                     "remote.type=inet,remote.host=127.0.0.1,remote.port=23702")
    TaggedPort(7, 23702, 23701).start()
    start(fleet, server, r"^repave: eth0\.7 has address 10\.7\.0\.")
    server.wait_for(r"next is 10\.7\.0\.1")
    server.wait_for(r"starting it")


def test_dead_network_cards_cost_no_minutes(fleet):
    """One without a link, one with a link and no DHCP server, and the right one last."""
    words = ["-netdev", "hubport,id=dead,hubid=7", "-device", "virtio-net-pci,netdev=dead,mac=52:54:00:00:02:01,addr=0x10"]
    run(["ip", "tuntap", "add", "silent0", "mode", "tap"])
    run(["ip", "link", "set", "silent0", "up"])
    words += ["-netdev", "tap,id=silent,ifname=silent0,script=no,downscript=no",
              "-device", "virtio-net-pci,netdev=silent,mac=52:54:00:00:02:02,addr=0x11"]
    server = fleet.server(medium="direct", append=words)
    start(fleet, server, r"^repave: eth\d has address 10\.0\.2\.101")
    server.wait_for(r"^\[ *(\d+\.\d) s\] trust")
    begun = float(server.wait_for(r"^\[ *(\d+\.\d) s\] identify")[1])
    assert begun < 25, begun
    server.wait_for(r"^repave: healthy")
