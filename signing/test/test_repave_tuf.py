# SPDX-License-Identifier: GPL-2.0-or-later
"""repave-tuf as its user runs it, against forged repositories: each attack that TUF names, and each kind of repository
that it allows. The same ground as the public conformance suite covers."""
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest

sys.path.insert(0, os.path.dirname(__file__))
from tuf_repository import Client, Key, Repository, in_days  # noqa: E402

PROGRAM = os.environ["REPAVE_TUF"]
TOP1 = {"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}


@pytest.fixture(name="repo")
def fixture_repo():
    return Repository()


@pytest.fixture(name="client")
def fixture_client(repo):
    client = Client(PROGRAM, repo)
    yield client
    client.close()


def ok(client, status):
    assert status == 0, client.said


def refused(client, status, sentence=""):
    assert status == 1, client.said
    assert sentence in client.said, client.said
    assert client.said.startswith("repave-tuf: ") and client.said.count("\n") == 1, client.said


# ------------------------------------------------------------------ the plain way

def test_init_asks_nothing_and_refresh_asks_in_order(client, repo):
    ok(client, client.init())
    assert repo.asked == [] and client.trusted() == {"root": 1}
    ok(client, client.refresh())
    assert repo.asked_roles() == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]
    assert client.trusted() == TOP1
    for role, name in [("root", "1.root"), ("timestamp", "timestamp"), ("snapshot", "1.snapshot"), ("targets", "1.targets")]:
        assert client.bytes_of(role) == repo.files[f"metadata/{name}.json"]
    repo.asked.clear()
    ok(client, client.refresh())
    assert repo.asked_roles() == [("root", 2), ("timestamp", None)]


def test_download_refreshes_first(client, repo):
    ok(client, client.init())
    refused(client, client.download("nothing of that name"), "nobody signed")
    assert repo.asked_roles() == [("root", 2), ("timestamp", None), ("snapshot", 1), ("targets", 1)]
    assert client.trusted() == TOP1


def test_without_consistent_snapshots(client, repo):
    repo.body["root"]["consistent_snapshot"] = False
    repo.add_target("targets", "a/b", b"content")
    repo.delegate("targets", "role", ["x/*"])
    repo.add_target("role", "x/y", b"more")
    repo.publish("role", "targets", "snapshot", "timestamp", "root")
    ok(client, client.init())
    ok(client, client.download("a/b", "x/y"))
    assert [path for path in repo.asked if "root" not in path] == [
        "metadata/timestamp.json", "metadata/snapshot.json", "metadata/targets.json", "targets/a/b",
        "metadata/role.json", "targets/x/y"]
    assert client.downloaded() == {"a%2Fb": b"content", "x%2Fy": b"more"}


def test_unknown_fields_are_signed_and_kept(client, repo):
    ok(client, client.init())
    ok(client, client.refresh())
    root = repo.body["root"]
    root["custom-field"] = "välue \u2028 \"\\\n\t"
    root["keys"][root["roles"]["root"]["keyids"][0]]["extra"] = {"a": 1, "b": [True, None, -2]}
    root["roles"]["root"]["another"] = "value"
    repo.publish("root")
    ok(client, client.refresh())
    assert client.version("root") == 2


@pytest.mark.parametrize("spec", ["1.0.0", "1.0.31", "1.0.99"])
def test_specification_versions(client, repo, spec):
    repo.body["timestamp"]["spec_version"] = spec
    repo.publish("timestamp")
    ok(client, client.init())
    ok(client, client.refresh())


def test_other_major_specification_is_refused(client, repo):
    repo.body["timestamp"]["spec_version"] = "2.0.0"
    repo.publish("timestamp")
    ok(client, client.init())
    refused(client, client.refresh(), "specification version")


def test_same_timestamp_version_is_not_looked_at_again(client, repo):
    ok(client, client.init())
    ok(client, client.refresh())
    before = client.bytes_of("timestamp")
    repo.body["timestamp"]["meta"]["snapshot.json"]["version"] = 100
    repo.publish("timestamp", version=1)
    ok(client, client.refresh())
    assert repo.asked_roles()[-1] == ("timestamp", None)
    assert client.bytes_of("timestamp") == before


def test_targets_that_the_snapshot_does_not_name_are_not_fetched(client, repo):
    ok(client, client.init())
    ok(client, client.refresh())
    repo.publish("targets")
    ok(client, client.refresh())
    assert client.version("targets") == 1 and repo.asked_roles()[-1] == ("timestamp", None)


def test_hashes_and_lengths_of_metadata(client, repo):
    repo.with_hashes = True
    repo.publish_all()
    ok(client, client.init())
    ok(client, client.refresh())
    repo.publish("targets")
    repo.body["snapshot"]["meta"]["targets.json"]["hashes"]["sha256"] = "46" * 32
    repo.publish("snapshot", "timestamp")
    refused(client, client.refresh(), "sha256")
    assert client.version("snapshot") == 3 and client.version("targets") == 2


# ------------------------------------------------------------------ the first root

def test_root_without_version_is_no_anchor(client, repo):
    root = json.loads(client.root)
    del root["signed"]["version"]
    refused(client, client.init(json.dumps(root).encode()), "version")
    refused(client, client.refresh(), "init")
    assert repo.asked == []


def test_unsigned_root_is_no_anchor(client, repo):
    root = json.loads(client.root)
    root["signatures"][0]["sig"] = "30" * 64
    os.makedirs(client.metadata)
    with open(client.metadata + "/root.json", "w", encoding="utf-8") as file:
        json.dump(root, file)
    refused(client, client.refresh(), "0 valid signatures")
    refused(client, client.init(json.dumps(root).encode()), "0 valid signatures")
    assert repo.asked == []


@pytest.mark.parametrize("role, trusted", [
    ("root", {"root": 1}), ("timestamp", {"root": 1}), ("snapshot", {"root": 1, "timestamp": 2}),
    ("targets", {"root": 1, "timestamp": 2, "snapshot": 2})])
def test_unsigned_metadata_ends_the_update_there(client, repo, role, trusted):
    repo.signers[role] = []
    repo.publish(*(["root"] if role == "root" else ["targets", "snapshot", "timestamp"]))
    ok(client, client.init())
    refused(client, client.refresh(), "valid signature")
    assert client.trusted() == trusted


# ------------------------------------------------------------------ freeze

def test_expired_root_is_kept_and_ends_the_update(client, repo):
    ok(client, client.init())
    ok(client, client.refresh())
    repo.publish("root")
    repo.body["root"]["expires"] = in_days(-1)
    repo.publish("root", "timestamp")
    repo.asked.clear()
    refused(client, client.refresh(), "expired")
    assert client.trusted() == {**TOP1, "root": 3}
    assert repo.asked_roles() == [("root", 2), ("root", 3), ("root", 4)]


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_freeze_expired_metadata_is_refused(client, repo, role):
    ok(client, client.init())
    ok(client, client.refresh())
    repo.body[role]["expires"] = in_days(-5)
    repo.publish_all()
    refused(client, client.refresh(), "expired")
    assert client.version(role) == 1


def test_expired_trusted_metadata_is_replaced(client, repo):
    for role in ["timestamp", "snapshot", "targets"]:
        repo.body[role]["expires"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    repo.publish_all()
    ok(client, client.init())
    ok(client, client.refresh())
    for role in ["timestamp", "snapshot", "targets"]:
        repo.body[role]["expires"] = in_days(20)
    time.sleep(3.1)
    refused(client, client.refresh(), "expired")
    repo.publish_all()
    ok(client, client.refresh())
    assert client.trusted() == {"root": 1, "timestamp": 3, "snapshot": 3, "targets": 3}


# ------------------------------------------------------------------ roll-back and fast-forward

def test_older_timestamp_is_refused(client, repo):
    repo.publish("timestamp")
    ok(client, client.init())
    ok(client, client.refresh())
    repo.publish("timestamp", version=1)
    refused(client, client.refresh(), "older")
    assert client.version("timestamp") == 2 and repo.asked_roles()[-1] == ("timestamp", None)


@pytest.mark.parametrize("with_hashes", [False, True])
def test_older_snapshot_is_refused(client, repo, with_hashes):
    repo.with_hashes = with_hashes
    repo.publish("snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.refresh())
    repo.publish("snapshot", version=1)
    repo.publish("timestamp")
    refused(client, client.refresh(), "older")
    assert client.version("timestamp") == 2 and client.version("snapshot") == 2
    assert repo.asked_roles()[-1] == ("timestamp", None)


@pytest.mark.parametrize("with_hashes", [False, True])
def test_older_targets_are_refused(client, repo, with_hashes):
    repo.with_hashes = with_hashes
    repo.publish_all()
    ok(client, client.init())
    ok(client, client.refresh())
    repo.publish("targets", version=1)
    repo.publish("snapshot", "timestamp")
    refused(client, client.refresh(), "older")
    assert client.version("snapshot") == 2 and client.version("targets") == 2


def test_role_gone_from_the_snapshot_is_refused(client, repo):
    repo.delegate("targets", "delegated", ["delegated/*"])
    repo.publish("delegated", "targets", "snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.refresh())
    del repo.body["snapshot"]["meta"]["delegated.json"]
    repo.publish("snapshot", "timestamp")
    refused(client, client.refresh(), "delegated.json")
    assert client.version("snapshot") == 2


@pytest.mark.parametrize("role, rotated", [
    ("targets", ["snapshot"]), ("snapshot", ["snapshot", "timestamp"]), ("timestamp", ["timestamp"])])
def test_rotated_keys_end_a_fast_forward_attack(client, repo, role, rotated):
    repo.delegate("targets", "delegated", ["delegated/*"])
    repo.publish("delegated")
    repo.publish(role, version=100)
    repo.publish(*[later for later in ["snapshot", "timestamp"] if later != role])
    if role == "timestamp":
        repo.publish("timestamp", version=100)
    ok(client, client.init())
    ok(client, client.refresh())
    assert client.version(role) == 100
    for name in rotated:
        repo.set_keys(name, [Key()])
    del repo.body["snapshot"]["meta"]["delegated.json"]
    repo.publish("root")
    repo.publish(role, version=1)
    repo.publish(*[later for later in ["snapshot", "timestamp"] if later != role])
    if role == "timestamp":
        repo.publish("timestamp", version=1)
    ok(client, client.refresh())
    assert client.version(role) == 1


# ------------------------------------------------------------------ mix-and-match, endless data

def test_snapshot_of_another_version_is_refused(client, repo):
    ok(client, client.init())
    repo.body["snapshot"]["version"] = 2
    repo.put("snapshot", repo.signed("snapshot"))
    repo.files["metadata/1.snapshot.json"] = repo.files["metadata/2.snapshot.json"]
    refused(client, client.refresh(), "has version 2, but version 1 is signed")
    assert client.trusted() == {"root": 1, "timestamp": 1}


@pytest.mark.parametrize("name", ["timestamp", "1.snapshot", "1.targets", "2.root"])
def test_endless_metadata_is_cut(client, repo, name):
    repo.files.setdefault(f"metadata/{name}.json", b"{")
    client.server.endless = f"metadata/{name}.json"
    ok(client, client.init())
    refused(client, client.refresh(), "is longer than")
    assert name.split(".")[-1] not in client.trusted() or name == "2.root"


def test_metadata_longer_than_signed_is_refused(client, repo):
    repo.with_hashes = True
    repo.publish_all()
    repo.files["metadata/2.targets.json"] += b" "
    ok(client, client.init())
    refused(client, client.refresh(), "is longer than")


@pytest.mark.parametrize("role, trusted", [
    ("timestamp", TOP1), ("snapshot", {**TOP1, "timestamp": 2}), ("targets", {**TOP1, "timestamp": 2, "snapshot": 2})])
def test_missing_metadata_ends_the_update_there(client, repo, role, trusted):
    ok(client, client.init())
    ok(client, client.refresh())
    repo.publish_all()
    del repo.files[repo.name_of(role, 2)]
    repo.asked.clear()
    refused(client, client.refresh(), "the repository doesn't have it")
    assert repo.asked_roles()[-1] == (role, None if role == "timestamp" else 2)
    assert client.trusted() == trusted


def test_snapshot_is_no_timestamp(client, repo):
    """Signed by the timestamp's key and sound as a timestamp, but for its type."""
    repo.add_key("snapshot", repo.signers["timestamp"][0])
    repo.body["snapshot"]["meta"] = {"snapshot.json": {"version": 1}, "targets.json": {"version": 1}}
    repo.publish("root", "snapshot")
    repo.files["metadata/timestamp.json"] = repo.files["metadata/2.snapshot.json"]
    ok(client, client.init())
    refused(client, client.refresh(), 'has type "snapshot"')
    assert client.trusted() == {"root": 2}


def test_metadata_is_stored_byte_by_byte(client, repo):
    repo.files["metadata/timestamp.json"] += b" \n "
    ok(client, client.init())
    ok(client, client.refresh())
    assert client.bytes_of("timestamp") == repo.files["metadata/timestamp.json"]


# ------------------------------------------------------------------ keys

@pytest.mark.parametrize("kind, keytype", [("rsa", "rsa"), ("ecdsa", "ecdsa"), ("ed25519", "ed25519"),
                                           ("ecdsa", "ecdsa-sha2-nistp256")])
def test_key_types(client, repo, kind, keytype):
    ok(client, client.init())
    key = Key(kind, keytype)
    repo.add_key("root", key)
    repo.body["root"]["roles"]["root"]["threshold"] = 2
    repo.publish("root")
    ok(client, client.refresh())
    assert client.version("root") == 2
    repo.publish("root")

    def spoil(document):
        for signature in document["signatures"]:
            if signature["keyid"] == key.keyid:
                signature["sig"] = key.sign(b"something else")["sig"]

    repo.change("root", spoil)
    refused(client, client.refresh(), "1 valid signature of trusted keys, but 2 are needed")
    assert client.version("root") == 2


def test_wrong_signature_beside_enough_right_ones(client, repo):
    key = Key("ecdsa")
    repo.add_key("timestamp", key)
    repo.publish("root", "timestamp")
    ok(client, client.init())
    for sig in [key.sign(b"other")["sig"], "", "zz", "00", "no hex at all"]:
        repo.publish("timestamp")
        repo.change("timestamp", lambda document, sig=sig: [
            s.update(sig=sig) for s in document["signatures"] if s["keyid"] == key.keyid])
        ok(client, client.refresh())


def test_threshold_is_not_reached(client, repo):
    keys = [Key(), Key("ecdsa"), Key("rsa")]
    repo.set_keys("snapshot", keys)
    repo.publish("root", "targets", "snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.refresh())
    repo.signers["snapshot"] = keys[:2]
    repo.publish_all()
    refused(client, client.refresh(), "2 valid signatures of trusted keys, but 3 are needed")
    assert client.version("snapshot") == 2


def test_threshold_above_the_number_of_keys(client, repo):
    for _ in range(4):
        repo.add_key("snapshot", Key())
    repo.body["root"]["roles"]["snapshot"]["threshold"] = 6
    repo.publish("root", "snapshot", "timestamp")
    ok(client, client.init())
    refused(client, client.refresh())
    assert client.version("snapshot") is None


def test_keyid_many_times_counts_once(client, repo):
    key = Key()
    for _ in range(9):
        repo.add_key("snapshot", key, signs=False)
    repo.signers["snapshot"].append(key)
    repo.body["root"]["roles"]["snapshot"]["threshold"] = 6
    repo.publish("root", "snapshot", "timestamp")
    repo.change("snapshot", lambda document: document["signatures"].extend(document["signatures"][-1:] * 8))
    ok(client, client.init())
    refused(client, client.refresh())
    assert client.version("snapshot") is None


def test_one_key_under_two_keyids_counts_once(client, repo):
    key = Key("ecdsa")
    twin = Key("ecdsa")
    twin.private, twin.public = key.private, dict(key.public, keytype="ecdsa-sha2-nistp256")
    repo.set_keys("snapshot", [key, twin])
    repo.publish("root", "snapshot", "timestamp")
    ok(client, client.init())
    refused(client, client.refresh(), "1 valid signature of trusted keys, but 2 are needed")


def test_two_signatures_of_one_keyid_are_refused(client, repo):
    repo.change("snapshot", lambda document: document["signatures"].append(document["signatures"][0]))
    ok(client, client.init())
    refused(client, client.refresh())
    assert client.version("snapshot") is None


def test_unknown_key_type_is_tolerated(client, repo):
    future = Key()
    future.public = {"keytype": "sphincs", "scheme": "future", "keyval": {"public": "00"}, "more": 1}
    repo.add_key("timestamp", future)
    repo.add_key("root", future, signs=False)
    repo.publish("root", "timestamp")
    ok(client, client.init())
    ok(client, client.refresh())


def test_keyid_that_is_not_the_hash_of_its_key(client, repo):
    key = Key("ecdsa")
    key.keyid = "ab" * 32
    repo.set_keys("timestamp", [key])
    repo.publish("root", "timestamp")
    ok(client, client.init())
    ok(client, client.refresh())


ROOTS = {
    # keys, threshold, signing keys of each version; and whether the last one is accepted
    "new key": ([([1], 1, [1]), ([2], 1, [2, 1]), ([2], 1, [2])], True),
    "foreign signatures too": ([([1], 1, [3, 1, 4]), ([2], 1, [3, 2, 1, 4]), ([2], 1, [3, 2, 4])], True),
    "3 of 5 in turn": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 2, 3, 4], 3, [0, 4, 1]),
                        ([0, 1, 2, 3, 4], 3, [0, 1, 3])], True),
    "3 of 5, one rotated": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 1])], True),
    "3 of 5, all rotated": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([5, 6, 7, 8, 9], 3, [0, 2, 4, 5, 6, 7]),
                             ([5, 6, 7, 8, 9], 3, [5, 6, 7])], True),
    "threshold up": ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [1, 2])], True),
    "threshold down": ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1, 2]), ([1, 2, 3], 1, [1])], True),
    "second key": ([([1], 1, [1]), ([1, 2], 2, [1, 2])], True),
    "not by the old key": ([([1], 1, [1]), ([2], 1, [2, 3, 4])], False),
    "not by the new key": ([([1], 1, [1]), ([2], 1, [1, 3, 4])], False),
    "not by 3 new keys": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 2, 4])], False),
    "not by 3 old keys": ([([0, 1, 2, 3, 4], 3, [0, 2, 4]), ([0, 1, 3, 4, 5], 3, [0, 4, 5])], False),
    "new threshold not reached": ([([1, 2, 3], 1, [1]), ([1, 2, 3], 2, [2])], False),
    "old threshold not reached": ([([1, 2, 3], 2, [1, 2]), ([1, 2, 3], 1, [1])], False),
}


@pytest.mark.parametrize("versions, accepted", ROOTS.values(), ids=ROOTS.keys())
def test_root_rotation(client, repo, versions, accepted):
    keys = [Key("ed25519" if number % 2 else "ecdsa") for number in range(10)]
    del repo.versions["root"]
    for listed, threshold, signing in versions:
        repo.set_keys("root", [keys[i] for i in listed], threshold, [keys[i] for i in signing])
        repo.publish("root")
    ok(client, client.init(repo.files["metadata/1.root.json"]))
    status = client.refresh()
    last = len(versions) if accepted else len(versions) - 1
    assert status == (0 if accepted else 1), client.said
    assert client.bytes_of("root") == repo.files[f"metadata/{last}.root.json"]


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
@pytest.mark.parametrize("listed, threshold, signing, accepted", [
    ([2], 1, [2], True), ([1], 1, [3, 1, 4], True), ([2], 1, [1, 3, 4], False),
    ([0, 1, 3, 4, 5], 3, [0, 2, 4], False), ([0, 1, 3, 4, 5], 3, [0, 4], False), ([0, 1, 2, 3, 4], 3, [4, 1, 2], True)])
def test_rotation_of_other_roles(client, repo, role, listed, threshold, signing, accepted):
    keys = [Key() for _ in range(6)]
    ok(client, client.init())
    repo.set_keys(role, [keys[i] for i in listed], threshold, [keys[i] for i in signing])
    repo.publish("root", "targets", "snapshot", "timestamp")
    if accepted:
        ok(client, client.refresh())
    else:
        refused(client, client.refresh(), "valid signature")
    assert client.version(role) == (2 if accepted else None)


def test_at_most_256_roots_at_once(client, repo):
    for _ in range(258):
        repo.publish("root")
    repo.asked.clear()
    ok(client, client.init())
    ok(client, client.refresh())
    assert client.version("root") == 257
    assert [version for role, version in repo.asked_roles() if role == "root"] == list(range(2, 258))
    ok(client, client.refresh())
    assert client.version("root") == 259


# ------------------------------------------------------------------ delegations

GRAPHS = {
    # (delegator, role, terminating, paths), and the roles visited for "missingpath"
    "one": ([("targets", "A")], "A"),
    "two": ([("targets", "A"), ("targets", "B")], "AB"),
    "two levels": ([("targets", "A"), ("targets", "B"), ("B", "C")], "ABC"),
    "depth first": ([("targets", "A"), ("targets", "B"), ("A", "C"), ("A", "D")], "ACDB"),
    "three levels": ([("targets", "A"), ("targets", "B"), ("A", "C"), ("C", "D")], "ACDB"),
    "terminating ends at its siblings": ([("targets", "A"), ("targets", "B"), ("A", "C", True), ("A", "D")], "AC"),
    "terminating goes deeper": ([("targets", "A"), ("targets", "B"), ("A", "C", True), ("C", "D")], "ACD"),
    "other paths": ([("targets", "A", False, ["*.py"]), ("targets", "B"), ("A", "C")], "B"),
    "other paths below": ([("targets", "A"), ("targets", "B"), ("A", "C", False, ["*.py"]), ("C", "D")], "AB"),
    "terminating for other paths": ([("targets", "A", True, ["*.py"]), ("targets", "B")], "B"),
    "cycle": ([("targets", "A"), ("targets", "B"), ("B", "C"), ("C", "D"), ("D", "B")], "ABCD"),
    "cycle of one": ([("targets", "A"), ("A", "A"), ("targets", "B")], "AB"),
    "back to the top": ([("targets", "A"), ("A", "B")], "AB"),
    "one role of two": ([("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C")], "ACB"),
    "one role of two, other paths": ([("targets", "A"), ("targets", "B"), ("B", "C"), ("A", "C", False, ["*.py"])],
                                     "ABC"),
}


def delegate_all(repo, delegations):
    for delegator, role, *more in delegations:
        repo.delegate(delegator, role, terminating=bool(more and more[0]), paths=more[1] if len(more) > 1 else ["*"])
    repo.publish(*dict.fromkeys(role for _, role, *_ in delegations))
    repo.publish_all()


@pytest.mark.parametrize("delegations, visited", GRAPHS.values(), ids=GRAPHS.keys())
def test_delegations_are_searched_in_pre_order(client, repo, delegations, visited):
    ok(client, client.init())
    delegate_all(repo, delegations)
    refused(client, client.download("missingpath"), "nobody signed")
    assert repo.asked_roles()[4:] == [(role, 1) for role in visited]
    assert set(client.trusted()) == {*TOP1, *visited}
    repo.asked.clear()
    refused(client, client.download("missingpath"))
    assert repo.asked_roles() == [("root", 2), ("timestamp", None)]


@pytest.mark.parametrize("path, found, visited", [
    ("targetfile", True, ""), ("README.md", True, "A"), ("releases/x/x_v1", True, "BC"),
    ("releases/y/y_v1.zip", True, "BD"), ("releases/z/z_v1.zip", False, "B"), ("sub/README.md", False, "")])
def test_target_is_found_where_it_is_delegated(client, repo, path, found, visited):
    ok(client, client.init())
    delegate_all(repo, [("targets", "A", False, ["*.doc", "*.md"]), ("targets", "B", False, ["releases/*/*"]),
                        ("B", "C", False, ["releases/x/*"]), ("B", "D", False, ["releases/y/*.zip"])])
    for role, name in [("targets", "targetfile"), ("A", "README.md"), ("A", "sub/README.md"), ("C", "releases/x/x_v1"),
                       ("D", "releases/y/y_v1.zip"), ("D", "releases/z/z_v1.zip")]:
        repo.add_target(role, name, f"{name} of {role}".encode())
    for role in ["A", "B", "C", "D"]:
        repo.publish(role)
    repo.publish_all()
    status = client.download(path)
    assert status == (0 if found else 1), client.said
    assert [role for role, _ in repo.asked_roles()[4:]] == list(visited)
    assert list(client.downloaded().values()) == ([f"{path} of {visited[-1:] or 'targets'}".encode()] if found else [])


def test_hash_prefixes(client, repo):
    import hashlib
    path = "some/where/file"
    digest = hashlib.sha256(path.encode()).hexdigest()
    other = f"{int(digest[0], 16) ^ 1:x}"
    repo.delegate("targets", "A", paths=None, path_hash_prefixes=[other])
    repo.delegate("targets", "B", paths=None, path_hash_prefixes=[other, digest[:3]])
    repo.add_target("A", path, b"of A")
    repo.add_target("B", path, b"of B")
    repo.publish("A", "B", "targets", "snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.download(path))
    assert list(client.downloaded().values()) == [b"of B"]
    assert [role for role, _ in repo.asked_roles()[4:]] == ["B"]


def test_same_role_of_two_delegators_with_other_keys(client, repo):
    """What one delegator vouches for doesn't count for the other: not from the repository, not from the store."""
    repo.delegate("targets", "A", ["a/*"])
    repo.delegate("targets", "B", ["b/*"])
    repo.delegate("A", "shared", ["*/*"])
    repo.delegate("B", "shared", ["*/*"], keys=[Key()])
    repo.signers["shared"].pop()
    repo.add_target("shared", "a/file", b"a")
    repo.add_target("shared", "b/file", b"b")
    repo.publish("shared", "A", "B", "targets", "snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.download("a/file"))
    refused(client, client.download("b/file"), "valid signature")
    refused(client, client.download("a/file", "b/file"), "valid signature")
    assert client.downloaded() == {"a%2Ffile": b"a"}


@pytest.mark.parametrize("name", ["?", "#", "/delegatedrole", "../delegatedrole", ".", "..", "a b", "100%", "%2F", "ä/ö\u20ac",
                                  "a.json", "1.targets", "\n", "x" * 80 + "\u20ac" * 50])
def test_unusual_role_names(client, repo, name):
    from urllib.parse import quote
    repo.delegate("targets", name)
    repo.add_target(name, "file", b"content")
    repo.publish(name, "targets", "snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.download("file"))
    assert (quote(name, ""), 1) in repo.asked_roles()
    assert len(client.trusted()) == 5
    repo.asked.clear()
    ok(client, client.download("file"))
    assert repo.asked_roles() == [("root", 2), ("timestamp", None)]


@pytest.mark.parametrize("name", ["root", "snapshot", "timestamp", "targets"])
def test_delegated_role_can_not_take_the_name_of_a_top_level_role(client, repo, name):
    root = client.root
    repo.body["targets"]["delegations"] = {"keys": {}, "roles": [
        {"name": name, "keyids": [], "threshold": 1, "terminating": False, "paths": ["*"]}]}
    repo.publish_all()
    ok(client, client.init())
    refused(client, client.download("file"))
    assert client.bytes_of("root") == root


def test_role_that_does_not_verify_ends_the_search(client, repo):
    repo.delegate("targets", "A")
    repo.delegate("targets", "B")
    repo.signers["A"] = []
    repo.add_target("B", "file", b"of B")
    repo.publish("A", "B", "targets", "snapshot", "timestamp")
    ok(client, client.init())
    refused(client, client.download("file"), "1.A.json: has 0 valid signatures")
    assert client.downloaded() == {} and "A" not in client.trusted()


def test_expired_delegated_role_is_refused(client, repo):
    repo.delegate("targets", "A")
    repo.add_target("A", "file", b"of A")
    repo.body["A"]["expires"] = in_days(-1)
    repo.publish("A", "targets", "snapshot", "timestamp")
    ok(client, client.init())
    refused(client, client.download("file"), "expired")
    assert client.downloaded() == {} and client.trusted() == {"root": 1, "timestamp": 2, "snapshot": 2, "targets": 2}


def test_trusted_delegated_role_expires_and_is_replaced(client, repo):
    repo.delegate("targets", "A")
    repo.add_target("A", "file", b"of A")
    repo.add_target("A", "more", b"of A too")
    repo.body["A"]["expires"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    repo.publish("A", "targets", "snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.download("file"))
    time.sleep(3.1)
    refused(client, client.download("more"), "expired")
    repo.body["A"]["expires"] = in_days(2)
    repo.publish("A", "snapshot", "timestamp")
    ok(client, client.download("more"))
    assert client.version("A") == 2


def test_delegated_role_of_another_version_or_hash_is_refused(client, repo):
    repo.delegate("targets", "A")
    repo.add_target("A", "file", b"of A")
    repo.publish("A", "targets", "snapshot", "timestamp")
    repo.body["A"]["version"] = 2
    repo.put("A", repo.signed("A"))
    right = repo.files["metadata/1.A.json"]
    repo.files["metadata/1.A.json"] = repo.files["metadata/2.A.json"]
    ok(client, client.init())
    refused(client, client.download("file"), "has version 2, but version 1 is signed")
    repo.files["metadata/1.A.json"] = right
    repo.body["snapshot"]["meta"]["A.json"]["hashes"] = {"sha256": "00" * 32}
    repo.publish("snapshot", "timestamp")
    refused(client, client.download("file"), "sha256")
    assert "A" not in client.trusted()


def test_delegated_role_that_the_snapshot_does_not_name(client, repo):
    repo.delegate("targets", "A")
    repo.publish("A", "targets")
    del repo.body["snapshot"]["meta"]["A.json"]
    repo.publish("snapshot", "timestamp")
    ok(client, client.init())
    refused(client, client.download("file"), "snapshot doesn't name")


def test_search_is_bounded(client, repo):
    names = [f"role{number:03}" for number in range(40)]
    for name in names:
        repo.delegate("targets", name)
    repo.add_target(names[31], "near", b"near")
    repo.add_target(names[32], "far", b"far")
    repo.publish(*names, "targets", "snapshot", "timestamp")
    ok(client, client.init())
    ok(client, client.download("near"))
    refused(client, client.download("far"), "32 delegated roles")
    assert len(client.trusted()) == 4 + 32


# ------------------------------------------------------------------ targets

def test_targets_are_fetched_once(client, repo):
    repo.add_target("targets", "file", b"content")
    repo.publish_all()
    ok(client, client.init())
    ok(client, client.download("file"))
    ok(client, client.download("file"))
    assert sum(path.startswith("targets/") for path in repo.asked) == 1


def test_changed_target_replaces_the_old_one(client, repo):
    ok(client, client.init())
    for number in range(3):
        repo.add_target("targets", "file", b"content %d" % number)
        repo.publish_all()
        ok(client, client.download("file"))
        assert client.downloaded() == {"file": b"content %d" % number}


def test_substituted_target_is_refused(client, repo):
    repo.add_target("targets", "one", b"content of one")
    repo.add_target("targets", "two", b"content of two")
    repo.publish_all()
    ok(client, client.init())
    ok(client, client.download("one"))
    for path in repo.files:
        if path.startswith("targets/"):
            repo.files[path] = b"malicious cont"
    ok(client, client.download("one"))
    refused(client, client.download("two"), "SHA-256 differs")
    assert client.downloaded() == {"one": b"content of one"}


@pytest.mark.parametrize("wrong", ["longer", "shorter", "cut", "endless", "gone"])
def test_target_of_another_length_is_refused(client, repo, wrong):
    repo.add_target("targets", "file", b"content" * 10000)
    repo.publish_all()
    name = next(path for path in repo.files if path.endswith(".file"))
    if wrong == "gone":
        del repo.files[name]
    elif wrong in ("cut", "endless"):
        setattr(client.server, wrong, name)
    else:
        repo.files[name] = b"content" * (10001 if wrong == "longer" else 9999)
    ok(client, client.init())
    refused(client, client.download("file"))
    assert client.downloaded() == {}


@pytest.mark.parametrize("algorithms", [["sha256"], ["sha512"], ["sha256", "sha512"]])
def test_hashes_of_targets(client, repo, algorithms):
    repo.add_target("targets", "folder/file", b"content", algorithms)
    repo.publish_all()
    ok(client, client.init())
    ok(client, client.download("folder/file"))
    digests = repo.body["targets"]["targets"]["folder/file"]["hashes"].values()
    assert repo.asked[-1] in [f"targets/folder/{digest}.file" for digest in digests]
    assert client.downloaded() == {"folder%2Ffile": b"content"}


def test_one_wrong_hash_of_two_is_refused(client, repo):
    repo.add_target("targets", "file", b"content", ["sha256", "sha512"])
    repo.body["targets"]["targets"]["file"]["hashes"]["sha512"] = "00" * 64
    repo.publish_all()
    ok(client, client.init())
    refused(client, client.download("file"), "SHA-512 differs")


def test_unknown_hashes_only_are_refused(client, repo):
    repo.add_target("targets", "file", b"content")
    repo.body["targets"]["targets"]["file"]["hashes"] = {"future": "00" * 32}
    repo.publish_all()
    ok(client, client.init())
    refused(client, client.download("file"), "unknown kinds")
    assert client.downloaded() == {}


@pytest.mark.parametrize("path, name", [
    ("with space", "with%20space"), ("ä\u20ac", "%C3%A4%E2%82%AC"), ("a?b#c", "a%3Fb%23c"), ("a%20b", "a%2520b"),
    ("..", "%2E."), (".hidden", "%2Ehidden"), ("a+b&c=d;e@f:g", "a%2Bb%26c%3Dd%3Be%40f%3Ag"),
    ("a\"<>\\^`{|}", "a%22%3C%3E%5C%5E%60%7B%7C%7D"), ("root.json", "root.json")])
def test_unusual_target_names(client, repo, path, name):
    repo.add_target("targets", path, b"content")
    repo.publish_all()
    ok(client, client.init())
    ok(client, client.download(path))
    assert client.downloaded() == {name: b"content"}


def test_several_targets_stop_at_the_first_failure(client, repo):
    for name in ["one", "two", "three"]:
        repo.add_target("targets", name, name.encode())
    repo.publish_all()
    ok(client, client.init())
    refused(client, client.download("two", "nothing", "one"), "nothing")
    assert client.downloaded() == {"two": b"two"}
    ok(client, client.download("one", "two", "three"))
    assert len(client.downloaded()) == 3


def test_targets_do_not_go_among_the_metadata(client, repo):
    repo.add_target("targets", "root.json", b"content")
    repo.publish_all()
    ok(client, client.init())
    client.target_dir = os.path.join(client.metadata, "..", "metadata")
    refused(client, client.download("root.json"), "two folders")
    assert client.trusted() == {"root": 1}


# ------------------------------------------------------------------ the disk and the network

def test_failure_keeps_what_was_learned(client, repo):
    ok(client, client.init())
    repo.publish("root")
    repo.publish_all()
    del repo.files["metadata/2.targets.json"]
    refused(client, client.refresh(), "2.targets.json")
    assert client.trusted() == {"root": 2, "timestamp": 2, "snapshot": 2}
    repo.publish("timestamp", version=1)
    refused(client, client.refresh(), "older")


def test_full_disk_changes_nothing(client, repo):
    ok(client, client.init())
    ok(client, client.refresh())
    before = {role: client.bytes_of(role) for role in TOP1}
    repo.body["timestamp"]["filler"] = "x" * 10000
    repo.publish_all()

    def few_bytes():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    client.limits = few_bytes
    refused(client, client.refresh(), "trusted timestamp.json can't be stored: File too large")
    assert {role: client.bytes_of(role) for role in TOP1} == before and len(client.trusted()) == 4
    client.limits = None
    repo.add_target("targets", "big", b"x" * 10000)
    del repo.body["timestamp"]["filler"]
    repo.publish_all()
    ok(client, client.refresh())
    client.limits = few_bytes
    refused(client, client.download("big"), "big can't be written: File too large")
    assert client.downloaded() == {}


def test_unusable_folders(client, repo):
    with open(os.path.join(client.base.name, "file"), "w", encoding="utf-8"):
        pass
    right = client.metadata
    client.metadata = os.path.join(client.base.name, "file", "metadata")
    refused(client, client.init(), "Not a directory")
    client.metadata = right
    ok(client, client.init())
    client.target_dir = os.path.join(client.base.name, "file")
    refused(client, client.download("x"), "Not a directory")
    assert repo.asked == []


def test_what_a_killed_run_left_is_overwritten(client, repo):
    ok(client, client.init())
    os.symlink("/dev/null", os.path.join(client.metadata, ".repave-tuf.new"))
    ok(client, client.refresh())
    assert client.trusted() == TOP1


def test_second_run_waits_for_the_first(client, repo):
    repo.add_target("targets", "file", b"content" * 1000)
    repo.publish_all()
    ok(client, client.init())
    client.server.slow = next(path for path in repo.files if path.endswith(".file"))
    first = threading.Thread(target=client.download, args=("file",))
    first.start()
    time.sleep(1)
    start = time.monotonic()
    ok(client, client.refresh())
    assert time.monotonic() - start > 1
    first.join()
    assert client.downloaded() == {"file": b"content" * 1000}


def test_damaged_trusted_metadata_is_fetched_again(client, repo):
    ok(client, client.init())
    ok(client, client.refresh())
    for role in ["timestamp", "snapshot", "targets"]:
        with open(os.path.join(client.metadata, f"{role}.json"), "r+b") as file:
            file.seek(100)
            file.write(b"#")
    ok(client, client.refresh())
    assert client.trusted() == TOP1
    assert client.bytes_of("targets") == repo.files["metadata/1.targets.json"]


def test_server_out_of_reach(client, repo):
    ok(client, client.init())
    client.server.shutdown()
    client.server.server_close()
    refused(client, client.refresh(), "http://127.0.0.1")
    assert client.trusted() == {"root": 1} and repo.asked == []


# ------------------------------------------------------------------ the command line

@pytest.mark.parametrize("words, says", [
    ([], "command"), (["refresh"], "--metadata-dir"), (["--metadata-dir", "x", "refresh"], "--metadata-url"),
    (["--metadata-dir", "x", "--metadata-url", "ftp://x", "refresh"], "http"),
    (["--metadata-dir", "x", "init"], "root.json"), (["--metadata-dir", "x", "init", "/nonexistent"], "/nonexistent"),
    (["--metadata-dir", "x", "frobnicate"], "frobnicate"), (["--metadata-dir", "x", "--nonsense"], "nonsense"),
    (["--metadata-dir", "x", "--metadata-url", "http://x", "download"], "--target-name"),
    (["--metadata-dir", "x", "--metadata-url", "http://x", "refresh", "more"], "more")])
def test_wrong_usage(words, says, tmp_path):
    done = subprocess.run([os.path.abspath(PROGRAM), *words], stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1 and says in done.stderr and not list(tmp_path.iterdir())


def test_help_and_version():
    for word in ["--help", "--version"]:
        done = subprocess.run([PROGRAM, word], stdout=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 0 and "repave-tuf" in done.stdout
