# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs on a booted server has the rights that docs/hardening.md says, and no more; asked as root, by ssh."""
import json
import re

import fleet as fleet_module
from fleet import ROOT

# Numbers of /proc/net: a server's own questions to DHCP servers and routers wait for their answers there.
DHCP_CLIENTS = {68, 546}
ICMPV6 = 0x3A
SYSCTL = ROOT / "rootfs/overlay/common/etc/sysctl.d/99-repave.conf"

# As the application, in its own view: prints where it can make a file, and which files it can write to. Of what its account may write to by
# modes and owners, which no mount can add to.
WHERE_IT_WRITES = r"""
MAY="-perm -o+w -o -user app -o -group app"
find / -path /proc -prune -o -path /sys -prune -o -type d \( $MAY \) -print 2>/dev/null | while read -r folder; do
	(: >"$folder/.tried") 2>/dev/null && { echo "$folder"; rm -f "$folder/.tried"; }
done
find / -path /proc -prune -o -path /sys -prune -o -type f \( $MAY \) -print 2>/dev/null | while read -r file; do [ ! -w "$file" ] || echo "$file"; done
for folder in / /etc /usr /usr/lib /var /var/lib /var/tmp /run /run/lock /run/repave /app /h; do
	(: >"$folder/.tried") 2>/dev/null && echo "$folder"
done
(echo 1 >/proc/self/oom_score_adj) 2>/dev/null && echo /proc/self/oom_score_adj
(echo core >/proc/sys/kernel/core_pattern) 2>/dev/null && echo /proc/sys/kernel/core_pattern
for process in /proc/[0-9]*; do [ "$(stat -c %u "$process" 2>/dev/null || echo 990)" = 990 ] || echo "$process"; done
echo done
"""


def sockets(fleet, server):
    """{(protocol, port)} that wait for somebody."""
    found = set()
    for protocol in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in fleet.ssh(server, f"cat /proc/net/{protocol} 2>/dev/null || true").splitlines()[1:]:
            words = line.split()
            address, port = words[1].split(":")
            loopback = address in ("0100007F", "00000000000000000000000001000000")
            if not loopback and (protocol[:3] != "tcp" or words[3] == "0A"):
                found.add((protocol.rstrip("6") if protocol != "raw6" else protocol, int(port, 16)))
    return found


def check_ports(fleet, server, app, ssh=True):
    """Only what the application declares, and ssh where there is a key."""
    declared = {("tcp", port) for port in fleet_module.description_of(app)["app"]["ports"]}
    allowed = declared | ({("tcp", 22)} if ssh else set()) | {("udp", port) for port in DHCP_CLIENTS} | {("raw6", ICMPV6)}
    found = sockets(fleet, server)
    assert found <= allowed and declared <= found, found


def status_of(fleet, server, name):
    """The lines of /proc/PID/status of each process with that name."""
    text = fleet.ssh(server, f"for p in /proc/[0-9]*; do grep -qx 'Name:[[:space:]]*{name}' $p/status 2>/dev/null && "
                             "{ cat $p/status; echo; }; done; true")
    return [dict(re.findall(r"^(\w+):\t(.*)$", block, re.M)) for block in text.split("\n\n") if block.strip()]


def check_settings(fleet, server):
    wanted = dict(line.split(" = ") for line in SYSCTL.read_text().splitlines() if " = " in line)
    found = fleet.ssh(server, "; ".join(f"echo {name} $(cat /proc/sys/{name.replace('.', '/')} 2>/dev/null || echo none)" for name in wanted))
    differs = {name: value for name, value in map(str.split, found.splitlines()) if value not in (wanted[name], "none")}
    absent = [line.split()[0] for line in found.splitlines() if line.endswith(" none")]
    assert not differs and len(absent) <= 2, (differs, absent)
    locked = fleet.ssh(server, "mount -t securityfs none /sys/kernel/security 2>/dev/null; cat /sys/kernel/security/lockdown")
    assert "[integrity]" in locked, locked
    words = fleet.ssh(server, "cat /proc/cmdline").split()
    assert {"lockdown=integrity", "slab_nomerge", "vsyscall=none"} <= set(words), words


def check_application(fleet, server, program, app):
    """No right at all, and nothing to write to but what it declares."""
    processes = status_of(fleet, server, program)
    assert processes, f"{program} doesn't run"
    for status in processes:
        assert status["Uid"].split() == ["990"] * 4 and status["Groups"].strip() == "", status
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
        assert all(int(status[name], 16) == 0 for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")), status
    home = fleet_module.description_of(app)["app"].get("home")
    declared = ["/run/app", "/tmp", "/dev/shm"] + ([home["path"]] if home else [])
    script = "/run/repave/where.sh"
    fleet.ssh(server, f"cat >{script} <<'END'\n{WHERE_IT_WRITES}END\nchmod 644 {script}")
    # Each has one of the two ways into a process's view as another account.
    become = f"-S 990 -G 990 -- sh {script}" if app.endswith("-debian") else f"-- su -s /bin/sh app -c 'sh {script}'"
    said = fleet.ssh(server, f"nsenter -t {processes[0]['Pid']} -m {become} 2>&1; rm {script}").splitlines()
    assert said and said[-1] == "done", said
    elsewhere = [path for path in said[:-1] if not any(path == place or path.startswith(place + "/") for place in declared)]
    assert not elsewhere, elsewhere
    assert {"/run/app", "/tmp"} <= set(said) and (not home or home["path"] in said), said
    # Not the account's doing alone: root of that view can't write there either.
    refused = fleet.ssh(server, f"nsenter -t {processes[0]['Pid']} -m -- sh -c 'for f in /etc /usr /var/tmp /run /; do touch $f/x 2>&1; done; true'")
    assert refused.count("Read-only file system") == 5, refused


def check_agent(fleet, server):
    """Root's process can't mount, load or unshare; the one at the network is nobody, and so is the one that asks dm-verity."""
    processes = status_of(fleet, server, "agent")
    by_user = {status["Uid"].split()[0]: status for status in processes}
    assert set(by_user) == {"0", "65534"}, processes
    for status in processes:
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", status
    for name in ("CapEff", "CapBnd"):
        # CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYS_ADMIN, CAP_SYS_TIME, CAP_MKNOD, CAP_BPF
        assert not int(by_user["0"][name], 16) & sum(1 << number for number in (16, 17, 21, 25, 27, 39)), by_user["0"]
        assert int(by_user["65534"][name], 16) == 0, by_user["65534"]
    asking = status_of(fleet, server, "agent-verity")
    assert len(asking) == 1 and asking[0]["Uid"].split() == ["65534"] * 4 and asking[0]["Groups"].strip() == "", asking
    assert asking[0]["NoNewPrivs"] == "1" and asking[0]["Seccomp"] == "2", asking
    assert [int(asking[0][name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0, 1 << 21, 1 << 21, 1 << 21, 0], asking
    # And that is enough for an answer: both are sound.
    images = json.loads(fleet.ssh(server, "/usr/lib/repave/agent --print"))["images"]
    assert {name: image["verity"] for name, image in images.items()} == {"c": "V", "d": "V"}, images


def check_rights(fleet, server, program, app):
    check_ports(fleet, server, app)
    check_settings(fleet, server)
    check_application(fleet, server, program, app)
    check_agent(fleet, server)
