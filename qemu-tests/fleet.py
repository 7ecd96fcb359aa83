# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet on one machine: a control unit and servers in QEMU. Used by the tests and by `make run`.

Everything started here is a child process known by its pid, and ends with close(). Nothing else of the machine is
touched: a test fleet lives in a network namespace of its own, which goes away with its last process.
"""
import ctypes
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import secure

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("B", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
CLONE_NEWNET = 0x40000000
# The address that boot media for these tests know: QEMU's user networking gives it to the host.
CONTROL_UNIT = "10.0.2.2"
PORT = int(os.environ.get("CONTROL_UNIT_PORT") or 8443)
REPOSITORY_PORT = int(os.environ.get("REPOSITORY_PORT") or 8080)
APP_HOST_PORT = 18080
SSH_HOST_PORT = 10022


def check_address():
    """Boot media for other networks can't find this control unit."""
    configured = os.environ.get("CONTROL_UNIT_ADDRESS") or CONTROL_UNIT
    if configured != CONTROL_UNIT:
        raise Failure(f"the boot media ask for a control unit at {configured}, and QEMU's network has it at "
                      f"{CONTROL_UNIT}; set the control unit's address with 'make menuconfig'")
    if os.environ.get("FLEET_FOLDER"):
        raise Failure(f"the boot media belong to the fleet in {os.environ['FLEET_FOLDER']}, and this control unit has another one; "
                      "empty FLEET_FOLDER with 'make menuconfig'")


class Failure(Exception):
    """Something that should have happened didn't; the text says what, with the end of the log that shows why."""


def run(words, **options):
    """Runs a command to its end; its output is in the exception when it fails."""
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, **options)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, words))}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


def tail(path, lines=25):
    try:
        text = Path(path).read_text(errors="replace")
    except FileNotFoundError:
        return "(no output)"
    return "\n".join(text.splitlines()[-lines:])


LIBC = ctypes.CDLL(None, use_errno=True)


def near(path):
    """The shorter of a path's two forms: a Unix socket's may have 107 bytes, and a checkout may lie deep."""
    return min(str(path), os.path.relpath(path), key=len)


def enter_new_network():
    """Moves this process (and what it starts) to a new network namespace. Needs root. Returns the old one, open."""
    old = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if LIBC.unshare(CLONE_NEWNET):
        raise Failure(f"no network namespace: {os.strerror(ctypes.get_errno())}; run the QEMU tests as root")
    run(["ip", "link", "set", "lo", "up"])
    return old


def return_to_network(old):
    if LIBC.setns(old, CLONE_NEWNET):
        raise Failure(f"can't go back to the first network namespace: {os.strerror(ctypes.get_errno())}")
    os.close(old)


class Process:
    """A child with its output in a file."""

    def __init__(self, words, log):
        self.log = Path(log)
        self.words = [str(w) for w in words]
        with open(self.log, "ab") as out:
            self.child = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def alive(self):
        return self.child.poll() is None

    def stop(self, seconds=10):
        if self.alive():
            self.child.terminate()
            try:
                self.child.wait(seconds)
            except subprocess.TimeoutExpired:
                self.child.kill()
        self.child.wait()

    def kill(self):
        self.child.kill()
        self.child.wait()


def signs_for(path):
    """The roles that a key file of repave-sign is for."""
    file = json.loads(path.read_text())
    return set(file.get("roles") or [file.get("role")])


def copy_online_keys(keys, folder):
    """The keys that belong on a control unit, in a folder of their own."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(Path(keys).glob("*.key")):
        if signs_for(path) & {"snapshot", "timestamp"}:
            shutil.copy2(path, folder)
    return folder


class ControlUnit:
    """repaved on a copy of the built fleet state and repository."""

    def __init__(self, folder, address=None, repository=None):
        self.folder = Path(folder)
        self.state = self.folder / "fleet"
        self.repository_port = REPOSITORY_PORT
        self.online_keys = copy_online_keys(BUILD / "keys", self.folder / "online-keys")
        self.repository = Path(repository or self.folder / "repository")
        self.address = address
        self.process = None
        self.state.mkdir(mode=0o700, exist_ok=True)
        # The identity that the boot media know; the nodes and their assignments belong to this folder.
        for source in (BUILD / "fleet").iterdir():
            if source.is_file() and not source.name.startswith("repave.db"):
                shutil.copy2(source, self.state / source.name)
        if not repository and not self.repository.exists():
            # Hard links: a test that changes a file replaces it and leaves the built one alone.
            shutil.copytree(BUILD / "repository", self.repository, copy_function=os.link)

    def start(self, seconds=30):
        words = [BUILD / "bin/repaved", "--state", near(self.state), "--repository", self.repository,
                 "--port", PORT, "--repository-port", self.repository_port]
        if self.online_keys:
            words += ["--online-keys", self.online_keys]
        if self.address:
            words += ["--address", self.address]
        log = self.folder / "repaved.log"
        before = log.stat().st_size if log.exists() else 0
        self.process = Process(words, log)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            said = log.read_bytes()[before:].decode(errors="replace")
            if re.search(r"^repaved: ready", said, re.M):
                # A server without a disk has a new key at each boot, and guests start again at once.
                self.repave("settings", "clone_seconds=1")
                return
            if not self.process.alive():
                raise Failure(said.strip() or f"repaved ended with status {self.process.child.returncode}")
            time.sleep(0.05)
        raise Failure(f"repaved isn't ready after {seconds} s\n{tail(log)}")

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None

    def repave(self, *arguments):
        return run([BUILD / "bin/repave", "--state", near(self.state), *arguments])

    def repave_fails(self, *arguments):
        """(exit status, what it said) of a command that must not succeed."""
        done = subprocess.run([str(w) for w in (BUILD / "bin/repave", "--state", near(self.state), *arguments)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        assert done.returncode != 0, done.stdout
        return done.returncode, done.stdout

    def node(self, node_id):
        return json.loads(self.repave("node", "show", node_id, "--json"))

    def log(self):
        return (self.folder / "repaved.log").read_text(errors="replace")


def wait_until(what, seconds, question, every=0.5, alive=None):
    """Asks until the answer is true, and returns it. `alive` is a process without which waiting makes no sense."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if alive and not alive.alive():
            raise Failure(f"{what}: the process ended with status {alive.child.returncode}\n{tail(alive.log)}")
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(every)


class Server:
    """One server: a QEMU guest with a data disk and one of the boot media."""

    def __init__(self, folder, index, netdev, medium="pxe", memory=512, disk_mib=4096, append=(),
                 cmdline="", firmware=None, tpm=None, disk_options="", drive_options=""):
        """`firmware`: "secure" is UEFI with Secure Boot and this build's keys enrolled, for the media that UEFI can start. `tpm`: True
        for a TPM of its own, QEMU's name of one, or a secure.Tpm that moves here. Its `ca` is the certificate of its maker's CA."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index = index
        self.name = f"node-{index}"
        self.id = str(uuid.UUID(int=0x5E70A7E0_0000_4000_8000_000000000000 + index))
        self.mac = f"52:54:00:00:01:{index:02x}"
        self.netdev, self.medium, self.memory = netdev, medium, memory
        self.disk = self.folder / "disk.img"
        self.console_file = self.folder / "console.log"
        self.qmp_file = self.folder / "qmp.sock"
        self.append = list(append)
        self.cmdline = cmdline
        self.disk_options, self.drive_options = disk_options, drive_options
        self.firmware = firmware
        self.tpm = secure.Tpm(self.folder, "tpm-tis" if tpm is True else tpm) if tpm is True or isinstance(tpm, str) else tpm
        self.esp = BUILD / "boot/repave-esp.img"
        self.token = BUILD / "boot/token.cpio"  # of the medium "direct"
        self.process = None
        self.mark = 0
        self.started = None
        if disk_mib and not self.disk.exists():
            with open(self.disk, "wb") as disk:
                disk.truncate(disk_mib << 20)

    def firmware_words(self):
        """UEFI, with its variables in vars.fd."""
        variables = self.folder / "vars.fd"
        if self.firmware == "secure":
            # What the firmware wrote there stays over power cuts.
            return secure.words(self.folder, variables if variables.exists() else None)
        shutil.copyfile("/usr/share/OVMF/OVMF_VARS_4M.fd", variables)
        return ["-machine", "q35", "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
                "-drive", f"if=pflash,format=raw,unit=1,file={variables}"]

    def medium_words(self):
        boot = BUILD / "boot"
        if self.medium == "pxe":
            return ["-boot", "n"]
        if self.medium == "direct":
            # QEMU as the boot loader: quicker than PXE, and each guest has a kernel command line of its own.
            whole = self.folder / "initrd.img"
            whole.write_bytes((boot / "initramfs.img").read_bytes() + self.token.read_bytes())
            return ["-kernel", boot / "vmlinuz", "-initrd", whole, "-append",
                    f"console=ttyS0,115200 loglevel=4 panic=30 init_on_free=1 watchdog.stop_on_reboot=0 {self.cmdline}"]
        if self.medium == "iso":
            return (self.firmware_words() if self.firmware else []) + [
                "-boot", "d", "-drive", f"file={boot}/repave.iso,media=cdrom,readonly=on"]
        if self.medium == "disk":
            return ["-drive", f"file={boot}/repave-disk.img,format=raw,if=none,id=boot,snapshot=on",
                    "-device", "virtio-blk-pci,drive=boot,bootindex=0"]
        if self.medium == "none":
            return self.firmware_words()  # UEFI, and what the test appends
        if self.medium in ("uki", "uefi-net"):
            return self.firmware_words() if self.medium == "uefi-net" else self.firmware_words() + [
                "-drive", f"file={self.esp},format=raw,if=none,id=boot,snapshot=on",
                "-device", "virtio-blk-pci,drive=boot,bootindex=0"]
        raise Failure(f"MEDIUM={self.medium}: no such boot medium; there are pxe, iso, disk, uki and direct")

    def start(self):
        words = ["qemu-system-x86_64", "-name", self.name, "-accel", "tcg,thread=multi", "-m", self.memory, "-smp", 1,
                 "-nodefaults", "-display", "none", "-uuid", self.id,
                 "-serial", f"file:{self.console_file}",
                 "-qmp", f"unix:{near(self.qmp_file)},server=on,wait=off",
                 "-netdev", self.netdev, "-device", f"virtio-net-pci,netdev=net0,mac={self.mac}" + (",bootindex=0,romfile=" if self.medium == "uefi-net" else ""),
                 "-device", "virtio-rng-pci"]
        if self.disk.exists():
            words += ["-drive", f"file={self.disk},format=raw,if=none,id=data,discard=unmap,cache=unsafe{self.drive_options}",
                      "-device", f"virtio-blk-pci,drive=data{self.disk_options}"]
        if self.tpm:
            self.tpm.start()
            words += self.tpm.words()
        for file in (self.console_file, self.qmp_file):  # of the start before
            file.unlink(missing_ok=True)
        self.mark = 0
        self.started = time.monotonic()
        self.process = Process(words + self.medium_words() + self.append, self.folder / "qemu.log")

    def stop(self):
        if self.process:
            self.process.stop()
            self.process = None
        if self.tpm:
            self.tpm.stop()

    def power_cut(self):
        self.process.kill()
        self.process = None
        if self.tpm:
            self.tpm.stop()

    def qmp(self, command, **arguments):
        """What QEMU answers."""
        with socket.socket(socket.AF_UNIX) as qmp:
            qmp.settimeout(10)
            qmp.connect(near(self.qmp_file))
            stream = qmp.makefile("rw")
            stream.readline()
            for words in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(words) + "\n")
                stream.flush()
                while "event" in (answer := json.loads(stream.readline())):
                    pass
            return answer.get("return")

    def reset(self):
        """The reset button."""
        self.mark = self.console_file.stat().st_size
        self.started = time.monotonic()
        self.qmp("system_reset")

    def screen(self):
        """The text on a VGA screen."""
        file = self.folder / "screen"
        self.qmp("pmemsave", val=0xB8000, size=80 * 25 * 2, filename=str(file))
        data = file.read_bytes()[::2].decode("cp437")
        return "\n".join(data[at:at + 80].rstrip() for at in range(0, 2000, 80))

    def console(self):
        """What the console said since the last start or reset."""
        try:
            return self.console_file.read_bytes()[self.mark:].decode(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for(self, pattern, seconds=300, every=0.5):
        """Waits for a line of the console that matches, and returns the match."""
        try:
            return wait_until(f"{self.name}: console line {pattern!r}", seconds,
                              lambda: re.search(pattern, self.console(), re.M), every=every, alive=self.process)
        except Failure as failure:
            raise Failure(f"{failure}\n--- end of the console ({self.console_file}):\n"
                          + "\n".join(self.console().splitlines()[-40:])) from None


def http_get(address, port, path="/", seconds=10):
    connection = http.client.HTTPConnection(address, port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


def ask_application(description, address, port):
    """The application's answer as its image description says to ask it, or None when there is none yet."""
    health = description["app"]["health"]
    try:
        if health["type"] == "http":
            status, body = http_get(address, port, health.get("path", "/"))
            return body if status == 200 else None
        with socket.create_connection((address, port), timeout=10) as connection:
            # Redis's inline command; any answer proves that a program is behind the port.
            connection.sendall(b"PING\r\n")
            return connection.recv(200).decode(errors="replace").strip() or None
    except (OSError, http.client.HTTPException):
        return None


def description_of(name):
    return json.loads((BUILD / f"images/{name}.json").read_text())


class Fleet:
    """A control unit and servers on a bridge, in a network namespace of their own."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.servers = []
        self.processes = []
        self.old_network = enter_new_network()
        run(["ip", "link", "add", "br0", "type", "bridge"])
        run(["ip", "address", "add", f"{CONTROL_UNIT}/24", "dev", "br0"])
        run(["ip", "link", "set", "br0", "up"])
        self.control = ControlUnit(self.folder)
        self.key = self.folder / "id_ed25519"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", self.key])
        tftp = BUILD / "boot/tftp"
        self.processes.append(Process(
            ["dnsmasq", "--conf-file=/dev/null", "--no-daemon", "--user=root", "--port=0", "--no-ping",
             "--interface=br0", "--bind-interfaces", "--leasefile-ro", "--log-dhcp",
             "--dhcp-range=10.0.2.100,10.0.2.200,1h", "--dhcp-boot=pxelinux.0",
             "--enable-tftp", f"--tftp-root={tftp}"]
            + [f"--dhcp-host=52:54:00:00:01:{n:02x},10.0.2.{100 + n}" for n in range(1, 20)],
            self.folder / "dnsmasq.log"))

    def server(self, index=1, **options):
        tap = f"tap{index}"
        run(["ip", "tuntap", "add", tap, "mode", "tap"])
        run(["ip", "link", "set", tap, "master", "br0", "up"])
        server = Server(self.folder / f"node-{index}", index,
                        f"tap,id=net0,ifname={tap},script=no,downscript=no", **options)
        server.address = f"10.0.2.{100 + index}"
        self.servers.append(server)
        return server

    def default(self, os_name, app, *more):
        self.control.repave("default", "--os", os_name, *(["--app", app] if app else []),
                            "--ssh-key", f"{self.key}.pub", *more)

    def answer(self, server, os_name, app, seconds=300):
        """The application's answer on a server."""
        description = description_of(f"app-{app}-{os_name}")
        port = description["app"]["ports"][0]
        try:
            return wait_until(f"{server.name}: answer of {app} on {os_name}", seconds,
                              lambda: ask_application(description, server.address, port), alive=server.process)
        except Failure as failure:
            raise Failure(f"{failure}\n--- end of the console ({server.console_file}):\n"
                          + "\n".join(server.console().splitlines()[-40:])) from None

    def attacker(self, *words, seconds=20):
        """Starts attacker.py, which ends with the fleet. Returns its process."""
        log = self.folder / f"attacker-{len(self.processes)}.log"
        process = Process([sys.executable, ROOT / "qemu-tests/attacker.py", *words], log)
        self.processes.append(process)
        wait_until(f"attacker: {' '.join(map(str, words))}", seconds, lambda: "ready" in tail(log), every=0.1, alive=process)
        return process

    def mirror(self):
        """A copy of the repository, and an attacker's server that offers it to the nodes in the place of the control unit's own
        files: that one, not started yet, gets another port. Returns the copy's folder."""
        folder = self.folder / "mirrored"
        shutil.copytree(self.control.repository, folder, copy_function=os.link)
        self.attacker("mirror", "--folder", folder, "--port", REPOSITORY_PORT)
        self.control.repository_port = REPOSITORY_PORT + 1000
        return folder

    def ssh_words(self, server, *command):
        return ["ssh", "-i", self.key, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20",
                f"root@{server.address}", *command]

    def ssh(self, server, command, seconds=120):
        """Runs a shell command as root on a server and returns what it printed. Waits until sshd answers."""
        def attempt():
            done = subprocess.run([str(w) for w in self.ssh_words(server, command)], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=seconds)
            attempt.last = done
            return done.returncode != 255
        wait_until(f"{server.name}: ssh", seconds, attempt, every=1, alive=server.process)
        if attempt.last.returncode:
            raise Failure(f"{server.name}: {command}: exit status {attempt.last.returncode}\n"
                          f"{attempt.last.stdout}{attempt.last.stderr}")
        return attempt.last.stdout

    def power_off(self, server, seconds=120):
        """An orderly stop; after the session, which would wait for an answer."""
        self.ssh(server, "(sleep 1; poweroff) </dev/null >/dev/null 2>&1 &")
        server.process.child.wait(seconds)

    def close(self):
        for server in self.servers:
            server.stop()
            if server.tpm:
                server.tpm.close()
        self.control.stop()
        for process in self.processes:
            process.stop()
        return_to_network(self.old_network)
