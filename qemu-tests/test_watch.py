# SPDX-License-Identifier: GPL-2.0-or-later
"""A mirror serves the bytes of images, the control unit's own repository the metadata alone; an operator follows the boot."""
import json
import shutil
import subprocess

from fleet import BUILD, near, run, tail

MIRROR, PORT = "10.0.2.3", 8088


def test_mirror_serves_the_bytes_while_the_operator_watches(fleet):
    server = fleet.server(medium="direct")
    copy = fleet.folder / "mirrored"
    shutil.move(fleet.control.repository, copy)
    fleet.control.repository.mkdir()
    shutil.copytree(copy / "metadata", fleet.control.repository / "metadata")
    run(["ip", "address", "add", f"{MIRROR}/24", "dev", "br0"])
    mirror = fleet.attacker("mirror", "--folder", copy, "--port", PORT, "--rate", 400_000)
    fleet.control.start()
    fleet.default("minimal", "web", "--mirror", f"http://{MIRROR}:{PORT}/repository", "--verify", "lazy")
    with open(fleet.folder / "watch.json", "wb") as out:
        watch = subprocess.Popen([BUILD / "bin/repave", "--state", near(fleet.control.state), "node", "watch", "--json",
                                  "--until", "booted", "--timeout", "200"], stdin=subprocess.DEVNULL, stdout=out)
    server.start()
    server.wait_for(r"^repave: healthy")
    assert watch.wait(20) == 0
    lines = [json.loads(line) for line in (fleet.folder / "watch.json").read_text().splitlines()]
    fetching = [line["progress"] for line in lines if line["stage"] == "fetch-c" and (line["progress"] or {}).get("phase") == "fetch"]
    print([(p["percent"], p["done"], p["total"], p["rate"], p["seconds_left"]) for p in fetching])
    percents = [progress["percent"] for progress in fetching if progress["total"] > 1 << 20]
    assert len(percents) >= 2 and percents == sorted(percents) and percents[-1] > percents[0], lines
    assert all(progress["rate"] < 1 << 23 and progress["slot"] == "C0" for progress in fetching)
    assert lines[-1]["state"] == "booted" and lines[-1]["progress"] is None
    asked = tail(mirror.log, 10000)
    assert "GET /repository/targets/os/minimal/" in asked and "/metadata/" not in asked
    boot = fleet.control.node(server.id)["last_boot"]
    fetched = {image["slot"]: image["wire_bytes"] for image in boot["images"]}
    assert fetched["C0"] > 10_000_000 and boot["error"] is None, boot
    names = [stage["name"] for stage in boot["stages"]]
    assert names == ["kernel", "net", "identify", "clock", "enrol", "trust", "assign", "disk", "fetch-c", "fetch-d", "boot"], names
    print(fleet.control.repave("node", "show", server.id))
