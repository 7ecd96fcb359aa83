# SPDX-License-Identifier: GPL-2.0-or-later
"""H: user data outlive reboots and images, on a server's own disk and on an NFS server."""
import hashlib
import os
import socket

import pytest

from faults import Disk
from fleet import BUILD, CONTROL_UNIT, Failure, Process, wait_until
from test_slots import publish_variant

KEEP = "dir /var/lib/cache\nsave 3600 1\n"
MIB = 1 << 20


def redis(server, *words):
    """One command, and its answer as text."""
    with socket.create_connection((server.address, 6379), timeout=20) as connection:
        connection.sendall((" ".join(words) + "\r\n").encode())
        return connection.recv(4096).decode()


def keep_data(fleet):
    """The configuration of a cache that stores what it has on H:."""
    path = fleet.folder / "redis.conf"
    path.write_text(KEEP)
    return ["--file", f"redis.conf={path}"]


def h_of(server):
    """(offset, SHA-256) of the partition H of a server that is off."""
    disk = Disk(server.disk)
    offset, size, _ = disk.parts["H"]
    digest = hashlib.sha256()
    with open(server.disk, "rb") as file:
        file.seek(offset)
        while size > 0 and (piece := file.read(min(size, 1 << 22))):
            digest.update(piece)
            size -= len(piece)
    return offset, digest.hexdigest()


def test_data_on_h_outlive_another_os_and_damage(fleet):
    publish_variant(fleet, "os-minimal", "9.9", lambda meta: None)
    server = fleet.server(medium="direct", disk_mib=3328)
    fleet.control.start()
    version = (BUILD / "rootfs/os-minimal/meta.json").read_text().split('"version": "')[1].split('"')[0]
    fleet.default(f"minimal@{version}", "cache", *keep_data(fleet))
    server.start()
    server.wait_for(r"^repave: H: partition H \(/dev/\w+\) was blank and has a file system now")
    server.wait_for(r"^repave: healthy")
    # An application's data, and a user's.
    assert "OK" in redis(server, "SET", "who", "anna") and "OK" in redis(server, "SAVE")
    fleet.ssh(server, "echo mine > /h/note && cp /usr/bin/busybox /h/busybox")
    mounts = fleet.ssh(server, "grep -E '^[^ ]+ (/h|/var/lib/cache) ext4 ' /proc/mounts").splitlines()
    assert len(mounts) == 2 and all({"rw", "nodev", "nosuid", "noexec"} <= set(line.split()[3].split(",")) for line in mounts), mounts
    with pytest.raises(Failure, match="Permission denied"):
        fleet.ssh(server, "/h/busybox true")
    fleet.power_off(server)
    offset, before = h_of(server)
    # Stage 1 installs another OS, and doesn't touch a byte of H:; with `wipe` neither, as long as the table fits.
    fleet.control.repave("assign", server.id, "--os", "minimal@9.9", "--wipe")
    server.start()
    server.wait_for(r"starting it", every=0.05)
    server.power_cut()
    assert h_of(server) == (offset, before)
    server.start()
    server.wait_for(r"^repave: healthy")
    assert fleet.ssh(server, "cat /etc/variant /h/note").split() == ["9.9mine"]
    assert "anna" in redis(server, "GET", "who")
    fleet.power_off(server)
    # A file system that can't be mended is left as it is.
    Disk(server.disk).write(offset, b"\xa5" * 65536)
    before = h_of(server)
    server.start()
    server.wait_for(r"^repave: H: .*can't be mounted")
    server.wait_for(r"^repave: healthy")
    assert "Read-only" in fleet.ssh(server, "touch /var/lib/cache/x /h/x 2>&1; true")
    assert '"failed"' in fleet.ssh(server, "cat /run/repave/h/state")
    fleet.power_off(server)
    assert h_of(server) == before


@pytest.mark.long
def test_data_on_h_go_from_minimal_to_debian(fleet):
    server = fleet.server(medium="direct", memory=1024)
    fleet.control.start()
    fleet.default("minimal", "cache", *keep_data(fleet))
    server.start()
    server.wait_for(r"^repave: healthy")
    assert "OK" in redis(server, "SET", "who", "anna") and "OK" in redis(server, "SAVE")
    assert "Ready to accept connections" in fleet.ssh(server, "/usr/lib/repave/hooks/log app")
    fleet.power_off(server)
    fleet.control.repave("assign", server.id, "--os", "debian")
    server.start()
    fleet.answer(server, "debian", "cache")
    assert "anna" in redis(server, "GET", "who")
    assert "Ready to accept connections" in fleet.ssh(server, "/usr/lib/repave/hooks/log app")
    assert '"mounted"' in fleet.ssh(server, "cat /run/repave/h/state")
    # Stopped in order, and back again.
    assert "OK" in redis(server, "SET", "who", "bert") and "OK" in redis(server, "SAVE")
    fleet.power_off(server)
    fleet.control.repave("assign", server.id, "--os", "minimal")
    server.start()
    server.wait_for(r"^repave: healthy")
    assert "bert" in redis(server, "GET", "who")
    assert "recover" not in fleet.ssh(server, "logread | grep home:")


class NfsServer:
    """nfs-ganesha on the fleet's bridge; what it exports as /h lies in `folder`."""

    def __init__(self, fleet):
        self.fleet, self.home = fleet, fleet.folder / "nfs"
        self.folder = self.home / "h"
        self.folder.mkdir(parents=True)
        self.root = BUILD / "test/ganesha"
        (self.home / "ganesha.conf").write_text(f"""
            NFS_CORE_PARAM {{ Protocols = 4; Enable_NLM = false; Enable_RQUOTA = false; Plugins_Dir = "{self.root}/usr/lib/x86_64-linux-gnu/ganesha"; }}
            NFSV4 {{ Minor_Versions = 1, 2; Graceless = true; RecoveryRoot = "{self.home}"; Only_Numeric_Owners = true; UseGetpwnam = true;
                     DomainName = "localdomain"; }}
            EXPORT {{ Export_Id = 1; Path = "{self.folder}"; Pseudo = "/h"; Access_Type = RW; Squash = No_Root_Squash; SecType = sys;
                      Protocols = 4; Transports = TCP; FSAL {{ Name = VFS; }} }}""")
        self.process = None

    def start(self):
        libraries = f"{self.root}/usr/lib/x86_64-linux-gnu:{self.root}/lib/x86_64-linux-gnu:{self.root}/usr/lib/ganesha"
        self.process = Process(["env", f"LD_LIBRARY_PATH={libraries}", self.root / "usr/bin/ganesha.nfsd", "-F", "-f", self.home / "ganesha.conf",
                                "-p", self.home / "pid", "-L", "/dev/stderr", "-N", "NIV_EVENT"], self.home / "log")
        self.fleet.processes.append(self.process)
        wait_until("NFS server", 30, lambda: not socket.socket().connect_ex((CONTROL_UNIT, 2049)), alive=self.process)

    def stop(self):
        self.process.kill()


def test_h_over_nfs_is_shared_and_may_be_away(fleet):
    files = NfsServer(fleet)
    files.start()
    servers = [fleet.server(n, medium="direct") for n in (1, 2)]
    fleet.control.start()
    fleet.default("minimal", "cache", "--h", f"nfs:{CONTROL_UNIT}:/h", *keep_data(fleet))
    for server in servers:
        server.start()
    for server in servers:
        server.wait_for(r"^repave: healthy")
    first, second = servers
    fleet.ssh(first, "echo mine > /h/note")
    assert "OK" in redis(first, "SET", "who", "anna") and "OK" in redis(first, "SAVE")
    assert fleet.ssh(second, "cat /h/note; ls /var/lib/cache").split() == ["mine", "dump.rdb"]
    assert os.stat(files.folder / "app/cache").st_uid == 990
    assert "/h nfs4 rw,nosuid,nodev,noexec" in fleet.ssh(second, "cat /proc/mounts")
    # Away: the system runs all the same, and gets H: once the server is back. A folder of its own this time.
    fleet.control.repave("assign", second.id, "--h", f"nfs:{CONTROL_UNIT}:/h/{{node}}")
    fleet.power_off(second)
    files.stop()
    second.start()
    second.wait_for(r"^repave: H: 10.0.2.2:/h/\{node\}: .*tried again")
    second.wait_for(r"^repave: healthy")
    assert "Read-only" in fleet.ssh(second, "touch /var/lib/cache/x 2>&1; true")
    files.start()
    second.wait_for(r"^repave: H: 10.0.2.2:/h/\{node\} is there now")
    fleet.ssh(second, "echo own > /h/note")
    assert (files.folder / second.id / "note").read_text() == "own\n" and (files.folder / "note").read_text() == "mine\n"
    assert (files.folder / second.id / "app/cache").is_dir()
    assert second.id not in fleet.ssh(second, "cat /proc/mounts /proc/self/mountinfo | grep -v ' /h ' | grep -v /var/lib/cache; ls /run/repave/h/shared")
    # A server that doesn't answer keeps nobody from stopping.
    assert "OK" in redis(first, "SET", "who", "bert")
    files.stop()
    fleet.power_off(second)
