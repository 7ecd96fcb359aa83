#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make run`: a control unit and servers in QEMU, from power-on to the application's answer.

Choices come from the environment: OS, APP, NODES, MEDIUM, MEMORY, SECURE, ONCE, FRESH.
Exit status: 0 all servers answered, 1 something failed, 2 a wrong choice.
"""
import json
import os
import re
import shutil
import signal
import sys
import time

import fleet
import secure
from fleet import BUILD, Failure
from front import Front

FOLDER = BUILD / "run"
SECONDS = int(os.environ.get("SECONDS_MOST", "600"))
# Console lines that mark the hand-overs, as the host's clock sees them.
MARKS = [("stage 1", r"^repave: stage 1"), ("stage 2", r"^stage 2: ")]


def choice(name, default, allowed):
    value = os.environ.get(name) or default
    if value not in allowed:
        print(f"error: {name}={value}: not configured; there are: {', '.join(allowed)} ('make menuconfig' chooses)",
              file=sys.stderr)
        sys.exit(2)
    return value


def number(name, default, least, most):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or not least <= int(text) <= most:
        print(f"error: {name}={text}: a number from {least} to {most} is expected", file=sys.stderr)
        sys.exit(2)
    return int(text)


class View:
    """Shows the new part of each server's console, with the server's name where there are several."""

    def __init__(self, servers):
        self.shown = {server: 0 for server in servers}
        self.several = len(servers) > 1

    def update(self):
        for server in self.shown:
            text = server.console()
            new = text[self.shown[server]:]
            if self.several:
                new = new[:new.rfind("\n") + 1]
            self.shown[server] += len(new)
            # A console clears the screen and moves the cursor; here it shares the terminal with others.
            clean = re.sub(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|c)", "", new).replace("\r\n", "\n")
            if self.several:
                clean = "".join(f"{server.name} | {line}\n" for line in clean.splitlines())
            sys.stdout.write(clean)
        sys.stdout.flush()


def follow(servers, description, view):
    """Watches until each server's application answered. Returns {server: {"times": …, "answer": …}}."""
    found = {server: {"times": {}, "answer": None} for server in servers}
    end = time.monotonic() + SECONDS
    while any(result["answer"] is None for result in found.values()):
        view.update()
        for server, result in found.items():
            if not server.process.alive():
                raise Failure(f"{server.name}: QEMU ended\n{fleet.tail(server.process.log)}")
            at = time.monotonic() - server.started
            for name, pattern in MARKS:
                if name not in result["times"] and re.search(pattern, server.console(), re.M):
                    result["times"][name] = at
            if result["answer"] is None and "stage 2" in result["times"]:
                answer = fleet.ask_application(description, "127.0.0.1", server.app_port)
                if answer is not None:
                    result["times"]["answer"] = time.monotonic() - server.started
                    result["answer"] = answer
        if time.monotonic() > end:
            raise Failure(f"no answer of the application after {SECONDS} s; the consoles are in {FOLDER}/node-*/console.log")
        time.sleep(0.2)
    view.update()
    return found


def stages_of(times, reported):
    """One list of (stage, seconds): the hand-overs on the host's clock, and between them what stage 1 measured."""
    before_kernel = times["stage 1"] - sum(stage["seconds"] for stage in reported if stage["name"] == "kernel")
    rows = [("firmware, boot loader", before_kernel)]
    rows += [(stage["name"], stage["seconds"]) for stage in reported]
    rest = times["stage 2"] - before_kernel - sum(stage["seconds"] for stage in reported)
    rows.append(("kexec, second kernel", max(rest, 0.0)))
    rows.append(("operating system, application", times["answer"] - times["stage 2"]))
    return rows


def size(count):
    return f"{count / 1048576:.1f} MiB"


def print_table(results):
    print(f"\n{'STAGE':32}" + "".join(f"{result['name']:>12}" for result in results))
    for row, (stage, _) in enumerate(results[0]["stages"]):
        cells = [dict(result["stages"]).get(stage) for result in results]
        print(f"{stage:32}" + "".join(f"{cell:10.2f} s" if cell is not None else f"{'–':>12}" for cell in cells))
    print(f"{'power-on to answer':32}" + "".join(f"{result['seconds']:10.2f} s" for result in results))
    print(f"\n{'NODE':8}{'SLOT':6}{'IMAGE':44}{'BLOCKS':>9}{'KEPT':>9}{'COPIED':>9}{'FETCHED':>9}{'ON THE WIRE':>13}")
    for result in results:
        for image in result["images"]:
            print(f"{result['name']:8}{image['slot']:6}{image['target']:44}{image['blocks']:9}{image['kept']:9}"
                  f"{image['copied']:9}{image['fetched']:9}{size(image['wire_bytes']):>13}")
    print()


def report(results, settings):
    document = dict(settings, format=1, ok=True, nodes=[
        dict(result, stages=[{"name": name, "seconds": round(seconds, 3)} for name, seconds in result["stages"]])
        for result in results])
    (FOLDER / "report.json").write_text(json.dumps(document, indent=2) + "\n")


def first_line(answer):
    title = re.search(r"<title>(.*?)</title>", answer, re.S)
    return (title[1] if title else answer.strip().splitlines()[0] if answer.strip() else "(empty)").strip()


def print_addresses(results, settings, front_answer, stays):
    for result in results:
        print(f"{result['name']}: {settings['app']} on {settings['os']} answered at {result['address']}: {first_line(result['answer'])}")
        if "proved" in result:
            print(f"  {result['proved']}")
        if stays:
            print(f"  ssh -i {FOLDER}/id_ed25519 -p {result['ssh_port']} -o UserKnownHostsFile=/dev/null root@127.0.0.1")
    print(f"HAProxy in front of them answered: {first_line(front_answer)}")
    # What would be tried at servers that end now would fail.
    if not stays:
        return
    if settings["app"] == "web":
        print(f"  curl http://127.0.0.1:{fleet.APP_HOST_PORT}/")
    else:
        print(f"  redis-cli -p {fleet.APP_HOST_PORT} ping    # Debian package redis-tools")
    print(f"  {BUILD}/bin/repave --state {FOLDER}/fleet nodes\n  {BUILD}/bin/repave --state {FOLDER}/fleet balancer show")
    if settings["secure"]:
        print(f"  {BUILD}/bin/repave --state {FOLDER}/fleet node show {results[0]['id']}    # what its TPM proved")
    print()


def make_servers(settings, ports):
    servers = []
    for index in range(1, settings["nodes_wanted"] + 1):
        # The first is HAProxy's.
        app_port, ssh_port = fleet.APP_HOST_PORT + index, fleet.SSH_HOST_PORT + index - 1
        netdev = (f"user,id=net0,tftp={BUILD}/boot/tftp,bootfile=pxelinux.0,"
                  f"hostfwd=tcp:127.0.0.1:{app_port}-:{ports[0]},hostfwd=tcp:127.0.0.1:{ssh_port}-:22")
        words = {"firmware": "secure", "tpm": True} if settings["secure"] else {}
        server = fleet.Server(FOLDER / f"node-{index}", index, netdev, medium=settings["medium"], memory=settings["memory_mib"], **words)
        server.app_port, server.ssh_port = app_port, ssh_port
        servers.append(server)
    return servers


def settings_from_environment():
    # What is configured; an image that was built before and left out since may still lie there.
    images = (BUILD / "images/names").read_text().split()
    systems = [name[3:] for name in images if name.startswith("os-")]
    os_name = choice("OS", "debian" if "debian" in systems else systems[0], systems)
    apps = [name.split("-")[1] for name in images if name.startswith("app-") and name.endswith(f"-{os_name}")]
    if not apps:
        print(f"error: no application image for {os_name} is built; choose one with 'make menuconfig'", file=sys.stderr)
        sys.exit(2)
    media = [medium for medium, file in (("pxe", "tftp/pxelinux.0"), ("iso", "repave.iso"), ("disk", "repave-disk.img"),
                                         ("uki", "repave-esp.img")) if (BUILD / "boot" / file).exists()]
    is_secure = os.environ.get("SECURE") == "1"
    if is_secure:
        media = [medium for medium in ("uki", "iso") if medium in media and (BUILD / "boot/repave.pcrs.json").exists()]
        if not media:
            print("error: SECURE=1 needs MEDIA_UKI and SECURE_BOOT ('make menuconfig')", file=sys.stderr)
            sys.exit(2)
    return {"os": os_name, "app": choice("APP", "web" if "web" in apps else apps[0], apps),
            "medium": choice("MEDIUM", media[0], media), "nodes_wanted": number("NODES", 1, 1, 16),
            "memory_mib": number("MEMORY", 768, 256, 65536), "secure": is_secure}


def trust(control, server):
    """The operator's part of proofs by TPM: whose TPMs, and which boot image."""
    control.repave("tpm", "ca", "add", server.tpm.ca)
    control.repave("tpm", "expect", "add", BUILD / "boot/repave.pcrs.json", "--signature", BUILD / "boot/repave.pcrs.sig",
                   "--certificate", secure.keys() / "db.crt")


def proved(control, server):
    """What the running system proved; its agent begins with that when it was heard first."""
    def record():
        found = control.node(server.id)["attestation"]
        return found if found["stage"] == "system" else None
    found = fleet.wait_until(f"{server.name} proves what it runs", 120, record, alive=server.process)
    return f"{found['level']}: {found['text']}"


def boot(settings, servers, control, front, description):
    key = FOLDER / "id_ed25519"
    if not key.exists():
        fleet.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "make run", "-f", key])
    control.start()
    if settings["secure"]:
        trust(control, servers[0])
    control.repave("default", "--os", settings["os"], "--app", settings["app"], "--ssh-key", f"{key}.pub")
    front.start()
    known = {node["id"] for node in json.loads(control.repave("nodes", "--json"))}
    for server in servers:
        if server.id in known:
            control.repave("assign", server.id, "--os", settings["os"], "--app", settings["app"], "--ssh-key", f"{key}.pub")
        server.start()
        print(f"{server.name}: power on, boots by {settings['medium']}; console in {server.console_file}")
    found = follow(servers, description, View(servers))
    results = []
    for server in servers:
        last = control.node(server.id)["last_boot"]
        times = found[server]["times"]
        results.append({"name": server.name, "id": server.id, "seconds": round(times["answer"], 3),
                        "stages": stages_of(times, last["stages"]), "images": last["images"],
                        "address": f"http://127.0.0.1:{server.app_port}" if settings["app"] == "web"
                        else f"127.0.0.1:{server.app_port}",
                        "ssh_port": server.ssh_port, "answer": found[server]["answer"]})
        if settings["secure"]:
            results[-1]["proved"] = proved(control, server)
    return results


def stay(servers):
    view = View(servers)
    view.shown = {server: len(server.console()) for server in servers}
    print("The servers keep running; Ctrl-C ends them.")
    while all(server.process.alive() for server in servers):
        view.update()
        time.sleep(0.3)
    raise Failure("QEMU ended: " + fleet.tail(next(s for s in servers if not s.process.alive()).process.log))


def main():
    settings = settings_from_environment()
    # Whom to trust is said once, to a control unit that knows nobody yet.
    if os.environ.get("FRESH") == "1" or settings["secure"]:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "report.json").unlink(missing_ok=True)
    description = fleet.description_of(f"app-{settings['app']}-{settings['os']}")
    servers = make_servers(settings, description["app"]["ports"])
    control = fleet.ControlUnit(FOLDER, address="127.0.0.1", repository=BUILD / "repository")
    front = Front(FOLDER, control, settings, description)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        fleet.check_address()
        results = boot(settings, servers, control, front, description)
        print_table(results)
        stays = os.environ.get("ONCE") != "1"
        print_addresses(results, settings, front.join(servers), stays)
        report(results, settings)
        if stays:
            stay(servers)
    except Failure as failure:
        (FOLDER / "report.json").write_text(json.dumps(dict(settings, format=1, ok=False, error=str(failure)), indent=2))
        print(f"\nerror: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print()
    finally:
        for server in servers:
            server.stop()
            if server.tpm:
                server.tpm.close()
        front.stop()
        control.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
