# SPDX-License-Identifier: GPL-2.0-or-later
"""Whom a server believes: old, frozen and foreign signatures, in front of a machine that asks what to run."""
import json
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
    """A mirror keeps offering what was fresh yesterday. Nothing else is wrong: with a new timestamp the server boots."""
    mirrored = fleet.mirror()
    forge.Forge(mirrored, forge.load_keys(keys_folder(fleet))).publish(expires={"timestamp": time.time() - DAY})
    fleet.control.start()
    fleet.default("minimal", "web")
    server = fleet.server()
    server.start()
    refusal(fleet, server, r"timestamp\.json: version \d+ expired at")
    sign("refresh", "--repository", mirrored, "--keys", fleet.control.online_keys)
    server.reset()
    server.wait_for(r"^stage 2: ")


def delegate_web(repository, keys, account):
    """The account acme gets a key of its own, and signs for the application web instead of the fleet's own signers. Returns the
    target's path."""
    description = BUILD / "images/app-web-minimal.json"
    version = json.loads(description.read_text())["version"]
    path = f"app/web/minimal/{version}.img.zst"
    sign("key", "new", "acme", "--keys", account, "--no-passphrase")
    sign("delegate", "--repository", repository, "--keys", keys, "acme", "--app", "web", "--key", account / "acme.key")
    sign("remove", "--repository", repository, "--keys", keys, path)
    sign("add", "--repository", repository, "--role", "acme", description)
    sign("publish", "--repository", repository, "--keys", keys, "--key", account / "acme.key")
    return path


def sign_as_acme(repository, online, account, genuine):
    """acme's real key signs for a path of another account, and the fleet's real online keys make it part of the repository: what
    acme and a taken control unit can do together. The image is sound too. Returns the path."""
    attack = forge.Forge(repository, forge.load_keys(online, account))
    body = attack.targets("acme")
    path = "app/cache/minimal/99.img.zst"
    entry = json.loads(json.dumps(body["targets"][genuine]))
    entry["custom"].update(name="cache", version="99")
    body["targets"][path] = entry
    body["version"] += 1
    digest = entry["hashes"]["sha256"]
    wire = next((repository / "targets").rglob(f"{digest}.*"))
    stolen = repository / f"targets/app/cache/minimal/{digest}.99.img.zst"
    stolen.parent.mkdir(parents=True, exist_ok=True)
    os.link(wire, stolen)
    attack.publish([("acme", body, forge.load_keys(account))])
    return path


def test_account_key_cannot_sign_another_accounts_application(fleet):
    """acme's own application boots. With acme's key on another account's application the control unit doesn't offer it, and a
    server that a lying control unit orders to boot it refuses."""
    keys, account, control = keys_folder(fleet), fleet.folder / "acme-keys", fleet.control
    account.mkdir(mode=0o700)
    genuine = delegate_web(control.repository, keys, account)
    control.start()
    signers = {image["target"]: image["signed_by"] for image in json.loads(control.repave("images", "--json"))}
    assert signers[genuine] == "acme" and set(signers.values()) == {"acme", "targets"}, signers
    fleet.default("minimal", "web")
    server = fleet.server()
    server.start()
    server.wait_for(r"^stage 2: ")
    assert control.node(server.id)["last_boot"]["app_target"] == genuine

    stolen = sign_as_acme(control.repository, control.online_keys, account, genuine)
    offered = {image["target"] for image in json.loads(control.repave("images", "--json"))}
    assert stolen not in offered and genuine in offered, offered
    status, said = control.repave_fails("assign", server.id, "--os", "minimal", "--app", "cache@99")
    assert status == 1 and "cache@99" in said, said
    control.stop()
    reports = fleet.folder / "reports"
    system = next(target for target in offered if target.startswith("os/minimal/"))
    fleet.attacker("mirror", "--folder", control.repository, "--port", fleet_module.REPOSITORY_PORT)
    fleet.attacker("control", "--state", control.state, "--port", fleet_module.PORT, "--os", system, "--app", stolen,
                   "--reports", reports)
    server.reset()
    server.wait_for(rf"FAILED: image {re.escape(stolen)}: nobody signed for it")
    assert "stage 2: " not in server.console() and "fetch-" not in server.console(), server.console()
    assert "nobody signed for it" in reports.read_text()


def rotate_all(repository, keys, turn):
    """New keys for all four roles; the old ones are gone afterwards."""
    old = forge.Forge(repository, []).root()["roles"]
    for role in ("root", "targets", "snapshot", "timestamp"):
        name = f"turn-{turn}-{role}"
        sign("key", "new", name, "--keys", keys, "--role", role, "--no-passphrase")
        removed = [word for keyid in old[role]["keyids"] for word in ("--remove", keyid)]
        sign("rotate", "--repository", repository, "--keys", keys, role, "--add", keys / f"{name}.key", *removed)
    sign("publish", "--repository", repository, "--keys", keys)
    gone = {keyid for role in old.values() for keyid in role["keyids"]}
    for path in keys.glob("*.key"):
        if forge.Key(path).keyid in gone:
            path.unlink()


def test_node_that_slept_through_three_rotations_follows(fleet):
    """All keys change three times while the server is off. It knows none of the keys that sign now, and follows root by root."""
    keys, control = keys_folder(fleet), fleet.control
    control.start()
    fleet.default("minimal", "web")
    server = fleet.server()
    server.start()
    server.wait_for(r"^stage 2: ")
    server.stop()
    control.stop()
    first = forge.Forge(control.repository, []).root()
    for turn in (1, 2, 3):
        rotate_all(control.repository, keys, turn)
    last = forge.Forge(control.repository, []).root()
    assert last["version"] >= first["version"] + 3
    for role in last["roles"]:
        assert not set(first["roles"][role]["keyids"]) & set(last["roles"][role]["keyids"]), role
    shutil.rmtree(control.online_keys)
    fleet_module.copy_online_keys(keys, control.online_keys)
    control.start()
    server.start()
    server.wait_for(rf"trust +root {last['version']}, ")
    server.wait_for(r"^stage 2: ")


