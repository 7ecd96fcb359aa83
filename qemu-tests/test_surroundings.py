# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers with wrong clocks, several networks, several control units, and none at all."""
import fcntl
import os
import re
import select
import shutil
import socket
import struct
import threading

import fleet as fleet_module
from fleet import run
from hostile import REQUEST, Dhcp, Ntp, option

DAY = 86400


def begin(fleet, server, pattern=r"^repave: healthy"):
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    return server.wait_for(pattern)


def in_days(days):
    time = fleet_module.time
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * DAY))


def restart(server, date, pattern):
    server.stop()
    server.append = ["-rtc", f"base={date}"]
    server.start()
    return server.wait_for(pattern)


def test_wrong_clocks_with_and_without_a_control_unit(fleet):
    server = fleet.server(medium="direct", append=["-rtc", "base=1970-01-01"])
    begin(fleet, server)
    assert re.search(r"(?s)this server's clock says 1970.*: impossible\s.*UTC, by the control unit", server.console())
    assert fleet.ssh(server, "date -u +%Y").strip() == in_days(0)[:4]
    # QEMU makes it 2063 for the guest; beyond the CA's end in any case.
    restart(server, "2099-06-01", r"(?s)clock says 20[6-9]\d.*: impossible.*UTC, by the control unit.*assignment 1: ")
    # A possible time, by which everything has expired.
    restart(server, in_days(3 * 366), r"(?s)UTC, by the control unit.*assignment 1: ")

    fleet.control.stop()
    server.cmdline = "repave.unreachable=1"
    restart(server, in_days(0), r"(?s)the last good system boots: os/minimal/.* with app/web/.*^repave: healthy")
    assert "FAILED" not in server.console()
    # Expired for some days, within the week of grace; and longer.
    restart(server, in_days(10), r"(?s)the last good system boots: .*starting it")
    restart(server, in_days(60), r"FAILED: the last good system can't boot without a control unit: its metadata expired longer ago")
    assert "starting it" not in server.console()

    # NTP is only asked by who has no time at all, and its lies have bounds.
    truth = fleet_module.time.time
    ntp = Ntp(lambda: truth() + 90 * 366 * DAY)
    ntp.start()
    server.cmdline = "repave.unreachable=1 repave.ntp=10.0.2.2"
    restart(server, "1970-01-01", r"NTP server 10\.0\.2\.2 tells an impossible time: not believed")
    ntp.clock = truth
    restart(server, "1970-01-01", r"(?s)UTC, by NTP.*the last good system boots: .*starting it")


def test_control_units_of_the_firmware_are_asked_in_turn(fleet):
    slow = fleet_module.time.strftime("%Y-%m-%dT%H:%M:%S", fleet_module.time.gmtime(fleet_module.time.time() - 300))
    server = fleet.server(medium="direct", cmdline="repave.unreachable=wait",
                          append=["-smbios", "type=11,value=repave.cu=10.0.2.9,,10.0.2.77", "-rtc", f"base={slow}"])
    server.start()
    server.wait_for(r"next is 10\.0\.2\.77")
    server.wait_for(r"10\.0\.2\.77 .*; next try in \d+ s\s")
    run(["ip", "address", "add", "10.0.2.77/24", "dev", "br0"])
    fleet.control.start()
    fleet.default("minimal", "web")
    # A clock that is a little slow makes nothing fresh that has expired.
    server.wait_for(r"(?s)UTC, by the control unit.*assignment 1: ")


def test_control_unit_over_ipv6_without_dhcp(fleet):
    fleet.processes.pop().stop()
    run(["ip", "-6", "address", "add", "fd00::1/64", "dev", "br0", "nodad"])
    fleet.processes.append(fleet_module.Process(
        ["dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--user=root", "--port=0", "--interface=br0", "--bind-interfaces",
         "--dhcp-range=fd00::,ra-only", "--enable-ra"], fleet.folder / "dnsmasq6.log"))
    server = fleet.server(medium="direct", cmdline="repave.cu=fd00::1")
    fleet.control.address = "fd00::1"
    begin(fleet, server, r"starting it")


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


def test_vlan_with_a_lease_and_with_a_fixed_address(fleet):
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
    begin(fleet, server, r"^repave: eth0\.7 has address 10\.7\.0\.")
    server.wait_for(r"(?s)next is 10\.7\.0\.1.*assignment 1: ")
    server.stop()
    server.cmdline = "repave.vlan=7 repave.ip=10.7.0.55/24,10.7.0.1"
    server.start()
    server.wait_for(r"(?s)^repave: eth0\.7 has the fixed address 10\.7\.0\.55/24.*assignment 1: ")


# What a shell would take for commands, and a DHCP server can send in any option; all in 548 bytes, as udhcpc takes no more.
SHELL = b"`touch /made`;$(touch /made)\ntouch /made\n'\"\\x00%n&|>/made"
NOWHERE = (option(1, b"\xff\xff\xff\0") + option(12, SHELL) + option(15, SHELL) + option(66, SHELL)
           + option(42, b"\1\2\3") + option(6, b"\1") + option(224, b"cu=" + SHELL) + bytes([43, 200]) + b"cut")


def test_wrong_networks_cost_no_minutes(fleet):
    """A card without a link, one with a link and no DHCP server, one from which the firmware booted, with a DHCP server and
    no control unit, and the right one last."""
    words = ["-netdev", "hubport,id=dead,hubid=7", "-device", "virtio-net-pci,netdev=dead,mac=52:54:00:00:02:01,addr=0x10"]
    for index, name in ((2, "silent"), (3, "wrong")):
        run(["ip", "tuntap", "add", f"{name}0", "mode", "tap"])
        run(["ip", "link", "set", f"{name}0", "up"])
        words += ["-netdev", f"tap,id={name},ifname={name}0,script=no,downscript=no",
                  "-device", f"virtio-net-pci,netdev={name},mac=52:54:00:00:02:0{index},addr=0x1{index}"]
    run(["ip", "address", "add", "10.66.0.1/24", "dev", "wrong0"])
    nowhere = option(1, b"\xff\xff\xff\0") + option(224, b"cu=10.66.0.9") + b"\xff"
    Dhcp("wrong0", lambda *_: ("10.66.0.5", "10.66.0.1", nowhere)).start()
    server = fleet.server(medium="direct", append=words, cmdline="BOOTIF=01-52-54-00-00-02-03")
    begin(fleet, server, r"^repave: eth\d has address 10\.66\.0\.5")
    begun = float(server.wait_for(r"^\[ *(\d+\.\d) s\] identify")[1])
    assert begun < 25, begun
    # The boot medium's own control unit comes after what the lease says.
    server.wait_for(r"next is 10\.0\.2\.2\s")
    server.wait_for(r"(?s)looking for another network.*has address 10\.0\.2\.101")
    seconds = float(server.wait_for(r"^\[ *(\d+\.\d) s\] assign +assignment 1: ")[1])
    print(f"the first network after {begun} s, the right one after {seconds} s")
    assert seconds < begun + 90, seconds


class Stage1Network:
    """Stage 1's network script and its busybox, in a root of their own; without a virtual machine, which would only be slower."""

    def __init__(self, fleet):
        self.root = fleet.folder / "root"
        self.run = self.root / "run/repave"
        for name in ("bin", "dev", "etc", "lib/repave", "proc", "sys", "run/repave"):
            (self.root / name).mkdir(parents=True)
        busybox = fleet_module.BUILD / "packages/busybox-initramfs/bin/busybox"
        shutil.copy2(busybox, self.root / "bin/busybox")
        for name in run([busybox, "--list"]).split():
            if name != "busybox":
                (self.root / "bin" / name).symlink_to("busybox")
        shutil.copy2(fleet_module.ROOT / "initramfs/udhcpc-script", self.root / "lib/repave")
        # Virtual interfaces have no hardware behind them, and the bridge's ends aren't this machine's.
        text = (fleet_module.ROOT / "initramfs/network").read_text()
        text = text.replace('[ -e "$folder/device" ] && ', "").replace("in /sys/class/net/*;", "in /sys/class/net/eth*;")
        (self.root / "init").write_text('say() { echo "repave: $*"; }\nparameter() { :; }\n' + text + "network_begin\nnetwork_wait\nsleep 600\n")
        inside = 'mount -t sysfs s "$0/sys" && mount -t proc p "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /bin/sh /init'
        fleet.processes.append(fleet_module.Process(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside,
                                                     self.root], fleet.folder / "network.log"))

    def said(self, name):
        try:
            return (self.run / name).read_text()
        except FileNotFoundError:
            return ""

    def wait_for(self, interface, seconds):
        fleet_module.wait_until(f"network over {interface}", seconds, lambda: self.said("interface") == f"{interface}\n")
        addresses = [run(["ip", "-4", "-brief", "address", "show", f"eth{n}"]).split()[2:] for n in (0, 1)]
        return addresses, self.said("lease-words").strip()


def test_hostile_dhcp_servers_cost_time_and_nothing_else(fleet):
    """One network with a server that offers an address that no host can have, and then one that leads nowhere with options made for a
    shell; another one, silent at first, then dead between offer and acknowledgement, then with options of wrong lengths."""
    for index in (0, 1):
        run(["ip", "link", "add", f"eth{index}", "type", "veth", "peer", "name", f"port{index}"])
        run(["ip", "link", "set", f"port{index}", "up"])
    right = (option(1, b"\xff\xff\xff") + option(3, b"\1\2\3\4\5") + option(42) + option(12) + option(26, b"\0")
             + option(224, b"a" * 255) + b"\xff")
    acknowledged = []

    def rogue(_, kind, __):
        if kind == REQUEST:
            acknowledged.append(kind)
        return "224.0.0.1" if len(acknowledged) < 2 else "10.66.0.5", "10.66.0.1", NOWHERE

    def late(_, kind, seconds):
        if seconds < 12 or (kind == REQUEST and seconds < 20):
            return None
        return "10.0.9.9", "10.0.9.1", right

    Dhcp("port0", rogue).start()
    Dhcp("port1", late).start()
    network = Stage1Network(fleet)
    addresses, words = network.wait_for("eth0", 30)
    assert addresses == [["10.66.0.5/24"], []] and words == "repave.cu=touch,madetouch,made,touch,made,x00nmade", (addresses, words)
    (network.run / "look-again").write_text("")
    addresses, words = network.wait_for("eth1", 60)
    assert addresses == [[], ["10.0.9.9/8"]] and words == "repave.cu=" + 255 * "a", (addresses, words)
    log = (fleet.folder / "network.log").read_text()
    print(log)
    assert "the lease of 224.0.0.1" in log and not list(network.root.rglob("made")), log


def test_only_a_proxy_reaches_the_control_unit(fleet):
    conf = fleet.folder / "tinyproxy.conf"
    conf.write_text(f'Port 3128\nListen {fleet_module.CONTROL_UNIT}\nLogFile "{fleet.folder}/tinyproxy.log"\nLogLevel Connect\nTimeout 60\n')
    fleet.processes.append(fleet_module.Process(["tinyproxy", "-d", "-c", conf], fleet.folder / "tinyproxy.out"))
    # For a guest, that address is the guest itself; for the proxy, the machine of the control unit.
    server = fleet.server(medium="direct", cmdline=f"repave.cu=127.0.0.1 repave.proxy=http://{fleet_module.CONTROL_UNIT}:3128")
    begin(fleet, server)
    log = (fleet.folder / "tinyproxy.log").read_text()
    assert re.search(r"CONNECT 127\.0\.0\.1:\d+ ", log) and re.search(r"GET http://127\.0\.0\.1:\d+/repository/targets/os/minimal/", log), log
    assert fleet.control.node(server.id)["last_boot"]["error"] is None
