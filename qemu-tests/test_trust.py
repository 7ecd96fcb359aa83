# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom a server believes: old, frozen and foreign signatures, in front of a machine that asks what to run."""
import os
import re
import shutil
import time

import fleet as fleet_module
import forge
from fleet import BUILD

DAY = 86400


def sign(*words):
    return fleet_module.run([BUILD / "bin/repave-sign", *words])


def keys_folder(fleet):
    """All the keys of the built repository: what the holders of the offline keys have."""
    folder = fleet.folder / "keys"
    if not folder.exists():
        shutil.copytree(BUILD / "keys", folder)
    return folder


def replace_metadata(folder, source):
    """Puts other metadata into a repository that is being served, in one move."""
    fresh = folder / "metadata.new"
    shutil.copytree(source, fresh, copy_function=os.link)
    (folder / "metadata").rename(folder / f"metadata.{time.monotonic_ns()}")
    fresh.rename(folder / "metadata")


def refusal(fleet, server, pattern, seconds=240):
    """Waits until the server refused on its console, and said the same to the control unit."""
    server.wait_for(pattern, seconds)
    # A server that never got as far as asking isn't in the list of nodes, but in the log.
    fleet_module.wait_until(f"{server.name}: failure reported", 60,
                            lambda: re.search(f"node {server.id}.* (failed|reports) .*{pattern}", fleet.control.log()),
                            alive=server.process)
    assert "stage 2: " not in server.console() and "fetch-c" not in server.console(), server.console()


def test_older_signed_image_set_is_refused(fleet):
    """A server that ran version 2 of the images gets version 1, correctly signed: first as the older copy of everything, then in
    a new snapshot by whoever has the control unit's keys."""
    keys = keys_folder(fleet)
    mirrored = fleet.mirror()
    old = fleet.folder / "old-metadata"
    shutil.copytree(mirrored / "metadata", old, copy_function=os.link)
    attack = forge.Forge(mirrored, forge.load_keys(keys))
    version = attack.targets()["version"]
    gone = next(path for path in attack.targets()["targets"] if path.startswith("app/cache/minimal/"))
    sign("remove", "--repository", mirrored, "--keys", keys, gone)
    sign("publish", "--repository", mirrored, "--keys", keys)
    assert attack.targets()["version"] == version + 1 and gone not in attack.targets()["targets"]
    replace_metadata(fleet.control.repository, mirrored / "metadata")
    fleet.control.start()
    fleet.default("minimal", "web")
    server = fleet.server()
    server.start()
    server.wait_for(r"^stage 2: ")
    server.reset()
    replace_metadata(mirrored, old)
    refusal(fleet, server, r"timestamp\.json: version \d+ is older than version \d+.*rolled back")
    # With the online keys, but without those for targets: a fresh timestamp and snapshot for the old set.
    new = attack.timestamp()["version"] + 10
    online = [key for role in ("snapshot", "timestamp") for key in attack.keys_of(role)]
    forged = forge.Forge(mirrored, online)
    snapshot, timestamp = forged.snapshot(), forged.timestamp()
    snapshot["version"] = timestamp["version"] = new
    data = forge.signed(snapshot, online[:1])
    forged.put(f"{new}.snapshot.json", data)
    timestamp["meta"]["snapshot.json"] = forged.meta(snapshot, data)
    forged.put("timestamp.json", forge.signed(timestamp, online[1:]))
    server.reset()
    refusal(fleet, server, r"snapshot\.json: names version \d+ of targets\.json, older than version \d+.*rolled back")


def test_expired_timestamp_is_refused(fleet):
    """A mirror keeps offering what was fresh eight days ago. Nothing else is wrong: with a new timestamp the server boots."""
    mirrored = fleet.mirror()
    fleet.control.start()
    fleet.default("minimal", "web")
    later = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 8 * DAY))
    server = fleet.server(append=["-rtc", f"base={later}"])
    server.start()
    refusal(fleet, server, r"timestamp\.json: version \d+ expired at")
    sign("renew", "--repository", mirrored, "--keys", fleet.control.online_keys, "--expires-timestamp", "20",
         "--expires-snapshot", "40")
    server.wait_for(r"^stage 2: ")


