# SPDX-License-Identifier: GPL-2.0-or-later
"""First light: power-on to a verified OS and application, and the faults that must not get that far."""
import json
import os
import random
import re
import shutil

import pytest

import fleet as fleet_module
from rights import check_rights

# Each OS and each application in `make test`.
PAIRS = [("debian", "web"), pytest.param("debian", "cache", marks=pytest.mark.long), ("minimal", "web"), ("minimal", "cache")]
EXPECTED = {"web": "<html", "cache": "PONG"}
PROGRAM = {"web": "nginx", "cache": "redis-server"}


def boot(fleet, server, os_name="minimal", app="web", **options):
    """Boots a server to its application's answer."""
    fleet.control.start()
    fleet.default(os_name, app)
    server.start()
    return fleet.answer(server, os_name, app, **options)


def image_blocks(fleet, server):
    images = fleet.control.node(server.id)["last_boot"]["images"]
    return {image["slot"][0]: image for image in images}


@pytest.mark.parametrize("os_name,app", PAIRS)
def test_pair_boots_from_verified_images(fleet, os_name, app):
    server = fleet.server()
    answer = boot(fleet, server, os_name, app)
    assert EXPECTED[app] in answer
    root = fleet_module.description_of(f"os-{os_name}")["verity"]["root_hash"]
    app_root = fleet_module.description_of(f"app-{app}-{os_name}")["verity"]["root_hash"]
    command_line = fleet.ssh(server, "cat /proc/cmdline")
    assert root in command_line and app_root in command_line
    tables = fleet.ssh(server, "cat /sys/block/dm-*/dm/name; mount")
    assert "repave-c" in tables and "repave-d" in tables
    assert re.search(r"^/dev/mapper/repave-d on /app type squashfs \(ro", tables, re.M), tables
    assert re.search(r"^overlay on / type overlay", tables, re.M), tables
    if os_name == "debian":  # minimal has no dmsetup
        table = fleet.ssh(server, "dmsetup table")
        assert re.search(rf"^repave-c: .* verity 1 .* {root} ", table, re.M), table
        assert re.search(rf"^repave-d: .* verity 1 .* {app_root} ", table, re.M), table
    server.wait_for(r"^repave: healthy")
    release = fleet.ssh(server, "cat /etc/os-release")
    assert f"IMAGE_VERSION={fleet_module.description_of(f'os-{os_name}')['version']}" in release.replace('"', "")
    # The application runs, and not as root.
    processes = fleet.ssh(server, "for p in /proc/[0-9]*; do sed -n 's/^Name:[[:space:]]*//p; s/^Uid:[[:space:]]*//p' "
                                  "$p/status | tr '\\n\\t' '  '; echo; done 2>/dev/null")
    users = [line.split()[1] for line in processes.splitlines() if line.startswith(PROGRAM[app])]
    assert users and "0" not in users, processes
    check_rights(fleet, server, PROGRAM[app], f"app-{app}-{os_name}")


@pytest.mark.parametrize("medium", ["iso", "disk", "uki"])
def test_boots_by_medium(fleet, medium):
    server = fleet.server(medium=medium)
    assert EXPECTED["web"] in boot(fleet, server)
    assert fleet.control.node(server.id)["inventory"]["firmware"] == ("uefi" if medium == "uki" else "bios")


def test_small_memory_is_enough_for_stage_1(fleet):
    server = fleet.server(memory=256)
    assert EXPECTED["web"] in boot(fleet, server)


def test_unchanged_second_boot_downloads_no_image_data(fleet):
    server = fleet.server()
    boot(fleet, server)
    first = image_blocks(fleet, server)
    assert all(image["fetched"] > 0 for image in first.values()), first
    server.stop()
    server.start()
    fleet.answer(server, "minimal", "web")
    second = image_blocks(fleet, server)
    assert [image["fetched"] for image in second.values()] == [0, 0], second
    assert [image["wire_bytes"] for image in second.values()] == [0, 0], second


def test_planted_file_is_gone_after_reboot_and_c_is_read_only(fleet):
    server = fleet.server()
    boot(fleet, server)
    fleet.ssh(server, "echo evil >/etc/planted && echo evil >/usr/bin/planted && cat /etc/planted")
    refused = fleet.ssh(server, "touch /run/repave/c/planted 2>&1; touch /app/planted 2>&1; "
                                "dd if=/dev/zero of=/dev/mapper/repave-c bs=4096 count=1 2>&1; true")
    assert refused.count("Read-only file system") >= 2, refused
    assert "not permitted" in refused or refused.count("Read-only") >= 3, refused
    server.reset()
    fleet.answer(server, "minimal", "web")
    assert fleet.ssh(server, "ls /etc/planted /usr/bin/planted 2>&1; true").count("No such file") == 2


def replace_wire_file(fleet, name, change):
    """Replaces a served wire file by a changed copy (the built one stays as it is). Returns the path."""
    folder = next((fleet.control.repository / "targets").rglob(f"*.{name}.img.zst"), None)
    files = [path for path in (fleet.control.repository / "targets").rglob("*.img.zst")
             if path.stat().st_size == fleet_module.description_of(name)["wire"]["size"]]
    path = folder or files[0]
    data = bytearray(path.read_bytes())
    change(data)
    os.unlink(path)
    path.write_bytes(data)
    return path


def test_flipped_byte_in_a_served_image_is_refused(fleet):
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(1 << 32))
    print("seed", seed)
    description = fleet_module.description_of("os-minimal")

    def flip(data):
        # Not in the seek table: a hint that is checked by itself.
        at = random.Random(seed).randrange(len(data) - 8 * description["wire"]["frames"] - 17)
        data[at] ^= 1 << random.Random(seed + 1).randrange(8)

    server = fleet.server()
    replace_wire_file(fleet, "os-minimal", flip)
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"^repave: stage 1")
    fleet_module.wait_until("failure reported", 240, lambda: last_error(fleet, server), alive=server.process)
    assert "refused" in last_error(fleet, server), last_error(fleet, server)
    assert "stage 2: " not in server.console()


def last_error(fleet, server):
    status = {node["id"] for node in json.loads(fleet.control.repave("nodes", "--json"))}
    if server.id not in status:
        return None
    last = fleet.control.node(server.id).get("last_boot") or {}
    return last.get("error")


def test_unsigned_metadata_is_refused(fleet):
    """Targets metadata that names another image, with the old signature. The control unit wouldn't serve it: a mirror does."""
    server = fleet.server()
    mirrored = fleet.mirror()
    fleet.control.start()
    fleet.default("minimal", "web")
    metadata = mirrored / "metadata"
    newest = max(metadata.glob("*.targets.json"), key=lambda path: int(path.name.split(".")[0]))
    text = newest.read_text()
    digest = fleet_module.description_of("os-minimal")["verity"]["root_hash"]
    forged = text.replace(digest, "0" * 64)
    assert forged != text
    os.unlink(newest)
    newest.write_text(forged)
    server.start()
    server.wait_for(r"^repave: stage 1")
    server.wait_for(r"targets\.json")
    fleet_module.time.sleep(5)
    assert "stage 2: " not in server.console() and "fetch-c" not in server.console()


def test_unreachable_control_unit_gives_a_message_and_retries(fleet):
    server = fleet.server()
    server.start()
    server.wait_for(r"10\.0\.2\.2")
    server.wait_for(r"(?i)next try in|again in|retry")
    fleet.control.start()
    fleet.default("minimal", "web")
    assert EXPECTED["web"] in fleet.answer(server, "minimal", "web")


def test_foreign_disk_is_never_written(fleet):
    server = fleet.server()
    fleet_module.run(["sfdisk", "-q", server.disk], input="label: gpt\n- - linux -\n")
    with open(server.disk, "r+b") as disk:
        disk.seek(1 << 20)
        disk.write(b"somebody's data" * 1000)
    before = fleet_module.run(["sha256sum", server.disk])
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"--wipe")
    assert "stage 2: " not in server.console()
    assert fleet_module.run(["sha256sum", server.disk]) == before
    fleet.control.repave("assign", server.id, "--os", "minimal", "--app", "web", "--wipe")
    assert EXPECTED["web"] in fleet.answer(server, "minimal", "web")


def test_disk_too_small_names_both_sizes(fleet):
    server = fleet.server(disk_mib=512)
    fleet.control.start()
    fleet.default("minimal", "web")
    server.start()
    server.wait_for(r"512 MiB, but .* need 3\d{3} MiB")


def test_configuration_reaches_stage_2_in_memory_only(fleet):
    server = fleet.server()
    page = fleet.folder / "index.html"
    page.write_text("<html><title>configured</title>kilroy was here 4711</html>\n")
    fleet.control.start()
    fleet.default("minimal", "web", "--hostname", "web-test", "--file", f"index.html={page}")
    server.start()
    assert "kilroy was here 4711" in fleet.answer(server, "minimal", "web")
    assert fleet.ssh(server, "hostname").strip() == "web-test"
    server.stop()
    assert b"kilroy was here" not in server.disk.read_bytes()


def test_application_for_another_os_is_refused(fleet):
    fleet.control.start()
    status, said = fleet.control.repave_fails("default", "--os", "minimal", "--app", "nonsense")
    assert status == 1 and "nonsense" in said and len(said.strip().splitlines()) == 1, said
    status, said = fleet.control.repave_fails("assign", "no-such-node", "--os", "minimal")
    assert status == 1 and "no-such-node" in said and len(said.strip().splitlines()) == 1, said
