# SPDX-License-Identifier: GPL-2.0-or-later
"""A fleet of agents as enrolment and boot would have made it: certificates by the fleet's authority, nodes in the store. All agents share
one key, which costs the control unit as much as a key for each. For the scripts of this folder and bench/control."""
import datetime
import hashlib
import json
import sqlite3
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NODE = "5e70a7e0-0000-4000-8000-{:012x}"
DAY = datetime.timedelta(days=1)


class Authority:
    """Signs as the fleet's does, or as a foreign one with the same name when `key` is given."""

    def __init__(self, state, key=None):
        self.name = x509.load_pem_x509_certificate((state / "ca.pem").read_bytes()).subject
        self.key = key or serialization.load_pem_private_key((state / "ca.key").read_bytes(), None)

    def sign(self, key, name, unit, since=-DAY, until=DAY):
        names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, name), x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, unit)]
        now = datetime.datetime.utcnow()
        builder = x509.CertificateBuilder().subject_name(x509.Name(names)).issuer_name(self.name)
        builder = builder.public_key(key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + since).not_valid_after(now + until)
        builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), True)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def make_fleet(folder, state, count, boots=0):
    """In `folder` ids, key.pem, ca.pem, agent-certificates.pem, and of the first `boots` node-certificates.pem. The daemon must not run; its
    default assignment is every node's. Returns the key."""
    authority, key = Authority(state), ec.generate_private_key(ec.SECP256R1())
    digest = hashlib.sha256(key.public_key().public_bytes(serialization.Encoding.DER,
                                                          serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    ids = [NODE.format(i) for i in range(count)]
    (folder / "ids").write_text("\n".join(ids) + "\n")
    (folder / "key.pem").write_bytes(pem(key))
    (folder / "ca.pem").write_bytes((state / "ca.pem").read_bytes())
    (folder / "agent-certificates.pem").write_text("".join(authority.sign(key, i, "agent") for i in ids))
    (folder / "node-certificates.pem").write_text("".join(authority.sign(key, i, "node") for i in ids[:boots]))
    inventory = json.dumps({"uuid": "", "serial": "S1", "vendor": "QEMU", "product": "q35", "macs": ["52:54:00:00:01:01"],
                            "memory_bytes": 536870912, "cpus": 1, "firmware": "bios", "disks": [{"name": "vda", "size_bytes": 8589934592}]})
    slots = json.dumps({name: "00" * 32 for name in ("C0", "C1", "D0", "D1")})
    with sqlite3.connect(state / "repave.db") as store:
        assignment = store.execute("SELECT value FROM settings WHERE name = 'default_assignment'").fetchone()[0]
        store.executemany("INSERT INTO nodes (id, enrolled, address, stage1_version, inventory, slots, assignment, starts, key, issued, way, serial,"
                          " macs, agent_key, agent_nonce, life, life_before, life_since, life_reason) VALUES (?, 1, '127.0.0.1', 'bench', ?, ?, ?,"
                          " '{}', ?, 1, 'bench', 'S1', '[\"52:54:00:00:01:01\"]', ?, '', 'booting', 'booting', ?, '')",
                          [(i, inventory, slots, assignment, digest, digest, int(time.time())) for i in ids])
    store.close()
    return key
