# SPDX-License-Identifier: GPL-2.0-or-later
"""Users who log in to a server: what they see, and what they try."""
import json
import socket
import subprocess

import pytest

from fleet import BUILD, CONTROL_UNIT, PORT, description_of, http_get, run, wait_until

ANNA, BERT = 20001, 20002
# What a system needs to run programs; all but C, D and H are links into C, or this session's alone.
MINIMAL = {"C", "D", "H", "bin", "dev", "etc", "lib", "proc", "sbin", "tmp", "usr", "var"}

# Each must fail; its name is printed when it doesn't.
TRIES = r"""
try() { name=$1; shift; if "$@" >/tmp/out 2>&1 </dev/null; then echo "WORKED: $name: $(head -c 200 /tmp/out)"; fi; }
seen() { for path in "$@"; do [ ! -e "$path" ] || echo "SEEN: $path"; done; }
try "read a disk" head -c 1 /dev/vda
try "make a device" mknod /tmp/disk b 254 0
try "make a device on H" mknod /H/disk b 254 0
try "kernel messages" dmesg
seen /h /app /run /sys /boot /home /root /mnt /run/repave /repave /dev/vda /dev/mem /dev/mapper /dev/kmsg /C/run/repave /D/run /H/users /proc/1 /H/../run
for process in /proc/[0-9]*; do
	[ ! -e "$process/root/run/repave" ] || echo "SEEN: $process/root/run/repave"
	try "$process/cwd" test -e "$process/cwd/run/repave"
	[ "$(stat -c %u $process 2>/dev/null || echo 20001)" = 20001 ] || echo "SEEN: $process of somebody else"
done
try "partitions" grep -q . /proc/partitions
try "command line" grep -q . /proc/cmdline
try "file systems' devices" ls /proc/fs/ext4
try "another one's folder" ls /H/../bert
try "shadow" cat /C/etc/shadow
try "mount" mount -t tmpfs none /tmp
try "unmount" umount /tmp
try "unmount H" umount /H
try "remount" mount -o remount,rw /C
try "proc again" mount -t proc none /tmp
try "chroot" chroot /C /bin/sh -c true
try "user namespace" unshare -r true
try "mount namespace" unshare -m true
try "the first process's namespace" nsenter -t 1 -m true
try "write to C" touch /C/x
try "write to the system" touch /usr/x /bin/x /etc/x /x /dev/x
try "write to settings" sh -c 'echo x >>/etc/passwd'
try "a kernel setting" sh -c 'echo 1 >/proc/sys/kernel/sysrq'
try "a session in the session" /usr/lib/repave/session -c id
try "a program on H" sh -c 'cp /C/usr/bin/[bl]*s* /H/ 2>/dev/null; cp /bin/sh /H/program && /H/program -c true'
try "a program in tmp" sh -c 'cp /bin/sh /tmp/program && /tmp/program -c true'
try "become root" su -c true
try "kill a process of the system" kill -9 1
try "a module" modprobe loop
try "raise a limit" sh -c 'ulimit -u 100000'
"""


class Keys:
    """Two users with a key each."""

    def __init__(self, fleet):
        self.fleet, self.files = fleet, {}
        for name in ("anna", "bert"):
            self.files[name] = fleet.folder / f"{name}.key"
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.files[name]])

    def options(self):
        return ["--user", f"anna:{ANNA}:{self.files['anna']}.pub", "--user", f"bert:{BERT}:{self.files['bert']}.pub"]

    def ssh_options(self, name):
        return [str(w) for w in ("-i", self.files[name], "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
                                 "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=20")]

    def run(self, words, text=None, seconds=60):
        return subprocess.run([str(w) for w in words], input=text, stdin=None if text is not None else subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, check=False, timeout=seconds)

    def ssh(self, name, server, *command, text=None, before=()):
        return self.run(["ssh", *self.ssh_options(name), *before, f"{name}@{server.address}", *command], text)

    def said(self, name, server, *command, text=None):
        done = self.ssh(name, server, *command, text=text)
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        return done.stdout


def look_around(fleet, keys, server, system):
    """What a user sees, and what he stores."""
    assert set(keys.said("anna", server, "ls /").split()) == system
    assert keys.said("anna", server, "id -un; pwd; echo $HOME; touch note; stat -c '%u %a' . note; echo $LD_PRELOAD").split() == [
        "anna", "/H", "/H", str(ANNA), "700", str(ANNA), "644"]
    users = keys.said("anna", server, "cut -d: -f1 /etc/passwd /etc/group; ls -d /proc/[0-9]* | wc -l")
    assert "anna" in users and "bert" not in users, users
    status = dict(line.split(":\t") for line in keys.said("anna", server, "cat /proc/self/status").splitlines() if ":\t" in line)
    assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and not int(status["CapEff"], 16) and not int(status["CapBnd"], 16), status
    assert status["Uid"].split() == [str(ANNA)] * 4 and status["Groups"].strip() == "", status
    mounts = [line.split() for line in keys.said("anna", server, "cat /proc/mounts").splitlines()]
    for _, place, _, options, *_ in mounts:
        options = set(options.split(","))
        assert "nosuid" in options and ("nodev" in options or place.startswith("/dev/") or place.startswith("/proc/")), (place, options)
        assert "ro" in options or place in ("/H", "/tmp") or place.startswith("/dev/"), (place, options)
    assert {"/", "/C", "/D", "/H", "/proc", "/tmp", "/dev/pts"} <= {words[1] for words in mounts}, mounts
    assert "hidepid=" in next(words[3] for words in mounts if words[1] == "/proc")


def try_everything(fleet, keys, server):
    # Beside what a user could bring: a program that gives root's rights, laid into his folder by somebody else.
    fleet.ssh(server, "mkdir -p /h/users/anna; cp /bin/sh /h/users/anna/setuid; chmod 4755 /h/users/anna/setuid; echo secret >/h/users/bert.txt")
    report = keys.said("anna", server, "sh", text=TRIES + "try setuid /H/setuid -c true\necho done\n")
    assert report == "done\n", report
    fleet.ssh(server, "rm /h/users/anna/setuid /h/users/bert.txt")
    # The same by root, who may: these tries can succeed.
    report = subprocess.run([str(w) for w in fleet.ssh_words(server, "mkdir -p /tmp/t && cd /tmp/t && sh")], text=True, errors="replace", stdout=subprocess.PIPE, check=True,
                            input=TRIES.split('try "mount"')[0]).stdout
    assert all(f"WORKED: {what}" in report for what in ("read a disk", "make a device", "kernel messages", "partitions", "command line")), report
    assert all(f"SEEN: {what}\n" in report for what in ("/h", "/run", "/dev/vda", "/proc/1", "/run/repave")), report
    assert keys.said("bert", server, "ls -A /H; ls /").split() == sorted(keys.said("anna", server, "ls /").split())
    # Not the shell alone: what the ssh server itself would do in a user's name.
    for way in (["-W", "127.0.0.1:22"], ["-N", "-R", "2222:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"]):
        done = keys.ssh("anna", server, before=way, text="")
        assert done.returncode != 0 and "SSH-2.0" not in done.stdout, (way, done)
    tunnel = subprocess.Popen(["ssh", *keys.ssh_options("anna"), "-N", "-L", f"{fleet.folder}/s:/run/repave/agent/state", f"anna@{server.address}"])
    tunnel.kill()
    tunnel.wait()
    # Root's keys let nobody else in, and users' keys not root.
    assert keys.run(["ssh", *keys.ssh_options("anna"), f"root@{server.address}", "true"]).returncode == 255
    assert keys.run(["ssh", *keys.ssh_options("bert"), f"anna@{server.address}", "true"]).returncode == 255


def copy_files(fleet, keys, server, *way):
    file = fleet.folder / "letter"
    file.write_text("dear\n")
    words = ["scp", "-q", *way, *keys.ssh_options("anna")]
    done = keys.run([*words, file, f"anna@{server.address}:letter"])
    assert done.returncode == 0, done
    assert fleet.ssh(server, "stat -c '%u %a' /h/users /h/users/anna; cat /h/users/anna/letter").split() == ["0", "711", str(ANNA), "700", "dear"]
    done = keys.run([*words, f"anna@{server.address}:/run/repave/c/etc/os-release", fleet.folder / "stolen"])
    assert done.returncode != 0 and not (fleet.folder / "stolen").exists(), done
    done = keys.run([*words, f"anna@{server.address}:/h/users/anna/letter", fleet.folder / "stolen"])
    assert done.returncode != 0 and not (fleet.folder / "stolen").exists(), done


def fetch_images(fleet, server):
    """Root of the running system asks for what stage 1 was given, with all that he finds there."""
    image = next((BUILD / "repository/targets/os/minimal").glob("*.img.zst"))
    path = f"/repository/targets/os/minimal/{image.name}"
    port = fleet.control.repository_port
    assert http_get(CONTROL_UNIT, port, path)[0] == 200
    said = fleet.ssh(server, f"wget -O /tmp/image http://{CONTROL_UNIT}:{port}{path} 2>&1; ls -l /tmp/image 2>&1; true")
    assert "403" in said and "No such file" in said, said
    for name in ("key", "certificate"):
        (fleet.folder / f"{name}.pem").write_text(fleet.ssh(server, f"cat /run/repave/agent/{name}.pem"))
    words = ["curl", "-s", "-o", fleet.folder / "answer", "-w", "%{http_code}", "--cacert", fleet.control.state / "ca.pem", "--cert",
             fleet.folder / "certificate.pem", "--key", fleet.folder / "key.pem", "--resolve",
             f"control.repave.internal:{PORT}:{CONTROL_UNIT}"]
    for what in ("boot", "agent", "report"):
        assert run([*words, "-d", "{}", f"https://control.repave.internal:{PORT}/v1/nodes/{server.id}/{what}"]).strip() == "403", what
    # What came with the boot medium, and with the answer, isn't there.
    assert not fleet.ssh(server, "find / -xdev -name token -o -xdev -name join-token -o -xdev -name sealed; ls -d /repave 2>/dev/null; true").split()


def told(fleet, server):
    """(log-ins, connections to the application, who is logged in) as the agent last said."""
    node = json.loads(fleet.control.repave("node", "show", server.id, "--json"))
    return node["agent"]["users"], node["agent"]["sessions"], [user["name"] for user in node["measures"]["users"]]


def test_user_sees_his_drives_and_never_gets_out(fleet):
    keys = Keys(fleet)
    fleet.control.start()
    # What isn't sound is refused where it is said.
    for user in (f"root:{ANNA}", "anna:0", "anna:990", "../anna:20001", "an na:20001"):
        fleet.control.repave_fails("default", "--os", "minimal", "--user", f"{user}:{keys.files['anna']}.pub")
    server = fleet.server(medium="direct")
    fleet.default("minimal", "web", "--h", "local", *keys.options())
    server.start()
    server.wait_for(r"^repave: healthy")
    fleet.ssh(server, "true")
    look_around(fleet, keys, server, MINIMAL)
    try_everything(fleet, keys, server)
    copy_files(fleet, keys, server, "-O")
    fetch_images(fleet, server)
    # A terminal, too; and the agent counts who is there: persons, and machines that use the application.
    wait_until("nobody is there", 30, lambda: told(fleet, server) == (0, 0, []))
    with open(fleet.folder / "terminal", "wb") as out:
        words = ["ssh", "-tt", *keys.ssh_options("anna"), f"anna@{server.address}"]
        terminal = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=out, stderr=out)
    terminal.stdin.write(b"echo I-am-$(id -un); ls / | tr '\\n' ' '; jobs; sleep 1000\n")
    terminal.stdin.flush()
    wait_until("a shell", 30, lambda: "I-am-anna" in (fleet.folder / "terminal").read_text(errors="replace"))
    with socket.create_connection((server.address, description_of("app-web-minimal")["app"]["ports"][0])):
        wait_until("the agent to see both", 30, lambda: told(fleet, server) == (1, 1, ["anna"]))
    terminal.kill()
    terminal.wait()
    # Where the view can't be built there is no log-in, and never another view.
    fleet.ssh(server, "mv /h/users /h/away; touch /h/users")
    done = keys.ssh("anna", server, "echo in; ls /")
    assert done.returncode == 1 and "in" not in done.stdout.split() and "no session for anna" in done.stderr, done
    fleet.ssh(server, "rm /h/users; mv /h/away /h/users; chown 12345 /h/users/anna")
    done = keys.ssh("anna", server, "echo in; ls /")
    assert done.returncode == 1 and not done.stdout and "belongs to number 12345" in done.stderr, done
    fleet.ssh(server, f"chown {ANNA} /h/users/anna; mount -t tmpfs none /run/repave/c/boot 2>/dev/null; umount -l /run/repave/c")
    done = keys.ssh("anna", server, "echo in; ls /")
    assert done.returncode == 1 and not done.stdout and "no session for anna" in done.stderr, done
    assert keys.ssh("bert", server).returncode == 1


@pytest.mark.long
def test_users_of_debian_see_the_same_and_what_they_stored(fleet):
    keys = Keys(fleet)
    server = fleet.server(medium="direct", memory=1024)
    fleet.control.start()
    fleet.default("minimal", "web", "--h", "local", *keys.options())
    server.start()
    server.wait_for(r"^repave: healthy")
    fleet.ssh(server, "true")
    keys.said("anna", server, "echo dear diary >diary")
    fleet.power_off(server)
    fleet.control.repave("assign", server.id, "--os", "debian")
    server.start()
    fleet.answer(server, "debian", "web")
    fleet.ssh(server, "true")
    assert keys.said("anna", server, "cat diary") == "dear diary\n"
    look_around(fleet, keys, server, MINIMAL | {"lib64"})
    try_everything(fleet, keys, server)
    copy_files(fleet, keys, server)
    copy_files(fleet, keys, server, "-O")
