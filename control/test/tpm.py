# SPDX-License-Identifier: GPL-2.0-or-later
"""TPMs for tests: swtpm with an endorsement certificate of a CA of our own, what firmware and boot images measure, and a node that proves itself with
tpm2-tools as stage 1 and agent do. For the scripts of this folder."""
import base64
import contextlib
import datetime
import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11]
EK_HANDLE = "0x81010001"
EK_CERTIFICATE = "0x01c00002"
AK_ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign"
EFI_GLOBAL = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
EFI_IMAGE_SECURITY = bytes.fromhex("cbb219d73a3d9645a3bcdad00e67656f")
NO_ACTION, SEPARATOR, TAG, CRTM_VERSION, IPL = 3, 4, 6, 8, 13
VARIABLE, BOOT_VARIABLE, APPLICATION, ACTION, BLOB, AUTHORITY = (0x80000001, 0x80000002, 0x80000003, 0x80000007, 0x80000008, 0x800000e0)
SHA256 = 0x000b


def b64(data):
    return base64.b64encode(data).decode()


def sha256(data):
    return hashlib.sha256(data).digest()


def listens(path):
    """A socket has a name before it takes connections. To connect for a try would end swtpm."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text(encoding="utf-8", errors="replace").splitlines()]
    return any(row[-1] == str(path) and int(row[3], 16) & 0x10000 for row in rows[1:])


class Tpm:
    """A swtpm, manufactured once; `folder/../ca` is its CA's unless another is named."""

    def __init__(self, folder, ca=None):
        self.folder = Path(folder).resolve()
        self.ca_folder = Path(ca or self.folder.parent / "ca").resolve()
        self.state = self.folder / "state"
        self.state.mkdir(parents=True)
        self.ca_folder.mkdir(exist_ok=True)
        self.process, self.ek = None, EK_HANDLE
        config, localca, options = (self.folder / name for name in ("setup.conf", "localca.conf", "options.conf"))
        config.write_text(f"create_certs_tool=/usr/bin/swtpm_localca\ncreate_certs_tool_config={localca}\n"
                          f"create_certs_tool_options={options}\nactive_pcr_banks=sha256\n")
        localca.write_text("".join(f"{key} = {self.ca_folder}/{value}\n" for key, value in
                                   (("statedir", ""), ("signingkey", "signkey.pem"), ("issuercert", "issuercert.pem"),
                                    ("certserial", "certserial"))))
        options.write_text("--platform-manufacturer Repave\n--platform-version 1\n--platform-model test\n")
        done = subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", self.state, "--create-ek-cert", "--config", config, "--overwrite",
                               "--logfile", self.folder / "setup.log"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"swtpm_setup: {done.stdout} {(self.folder / 'setup.log').read_text()}")
        self.ca = self.ca_folder / "issuercert.pem"

    def start(self):
        """Also a power-on: all PCRs begin anew."""
        self.stop()
        socket = self.folder / "s"
        for path in (socket, Path(f"{socket}.ctrl")):
            path.unlink(missing_ok=True)
        with open(self.folder / "swtpm.log", "ab") as log:
            self.process = subprocess.Popen(
                ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.state}", "--server", f"type=unixio,path={socket}",
                 "--ctrl", f"type=unixio,path={socket}.ctrl", "--flags", "not-need-init,startup-clear"], stdout=log, stderr=log)
        end = time.monotonic() + 10
        while not (listens(socket) and listens(f"{socket}.ctrl")):
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError((self.folder / "swtpm.log").read_text())
            time.sleep(0.01)
        return self

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def run(self, *words, check=True):
        environment = dict(os.environ, TPM2TOOLS_TCTI=f"swtpm:path={self.folder}/s", TPM2TOOLS_ENABLE_ERRATA="1")
        for _ in range(20):  # swtpm takes one client after the other
            done = subprocess.run(list(map(str, words)), cwd=self.folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  check=False, timeout=60)
            if b"Could not load tcti" not in done.stderr:
                break
            time.sleep(0.05)
        if check and done.returncode:
            raise RuntimeError(f"{words}: {done.stderr.decode(errors='replace')}")
        return done

    def file(self, name):
        return (self.folder / name).read_bytes()

    def endorsement(self, with_certificate=True):
        """(TPMT_PUBLIC, certificate or None)"""
        self.run("tpm2_readpublic", "-c", self.ek, "-f", "tss", "-o", "ek.pub")
        certificate = None
        if with_certificate and self.ek == EK_HANDLE:
            self.run("tpm2_nvread", EK_CERTIFICATE, "-o", "ek.der")
            certificate = self.file("ek.der")
        return self.file("ek.pub")[2:], certificate

    def elliptic(self):
        """From now on its endorsement key is the one on P-256, for which it has no certificate."""
        self.ek = "0x81010020"
        self.run("tpm2_createek", "-G", "ecc", "-c", self.ek, "-u", "ecc.pub")
        self.run("tpm2_flushcontext", "-t")

    def key(self, attributes=AK_ATTRIBUTES, algorithm="ecc256:ecdsa-sha256:null", name="ak"):
        """TPMT_PUBLIC of a primary key in the endorsement hierarchy."""
        self.run("tpm2_createprimary", "-C", "e", "-G", algorithm, "-a", attributes, "-c", f"{name}.ctx")
        self.run("tpm2_readpublic", "-c", f"{name}.ctx", "-f", "tss", "-o", f"{name}.pub")
        self.run("tpm2_flushcontext", "-t")
        return self.file(f"{name}.pub")[2:]

    def activate(self, answer, name="ak"):
        """What the control unit encrypted, or b"" when this TPM can't open it."""
        (self.folder / "credential").write_bytes(struct.pack(">II", 0xBADCC0DE, 1) + base64.b64decode(answer["credential"]) +
                                                 base64.b64decode(answer["secret"]))
        self.run("tpm2_startauthsession", "--policy-session", "-S", "session.ctx")
        self.run("tpm2_policysecret", "-S", "session.ctx", "-c", "e")
        done = self.run("tpm2_activatecredential", "-c", f"{name}.ctx", "-C", self.ek, "-i", "credential", "-o", "opened", "-P",
                        "session:session.ctx", check=False)
        self.run("tpm2_flushcontext", "session.ctx")
        self.run("tpm2_flushcontext", "-t")
        return self.file("opened") if done.returncode == 0 else b""

    def quote(self, nonce, pcrs=PCRS, name="ak"):
        """(TPMS_ATTEST, TPMT_SIGNATURE)"""
        self.run("tpm2_quote", "-c", f"{name}.ctx", "-l", "sha256:" + ",".join(map(str, pcrs)), "-q", nonce.hex(), "-m", "quote", "-s", "signature",
                 "-g", "sha256")
        self.run("tpm2_flushcontext", "-t")
        return self.file("quote"), self.file("signature")

    def values(self, pcrs=PCRS):
        text = self.run("tpm2_pcrread", "sha256:" + ",".join(map(str, pcrs))).stdout.decode()
        return {number: value.lower() for number, value in re.findall(r"^\s*(\d+)\s*: 0x([0-9A-Fa-f]{64})", text, re.M)}

    def extend(self, measured):
        """[(pcr, digest)]"""
        words = [f"{pcr}:sha256={digest.hex()}" for pcr, digest in measured]
        for start in range(0, len(words), 16):
            self.run("tpm2_pcrextend", *words[start:start + 16])


# ------------------------------------------------------------------ what is measured

def variable(owner, name, value):
    return owner + struct.pack("<QQ", len(name), len(value)) + name.encode("utf-16-le") + value


class Machine:
    """What a machine with this firmware and boot image measures: a list of (pcr, type, data, digest)."""

    def __init__(self, image, certificate, firmware=b"firmware 1.0", secure_boot=True, boot_order=b"\0\0", images=None):
        events = [(0, CRTM_VERSION, b"1\0\0\0", None), (0, BLOB, b"\x10" * 16, sha256(firmware)),
                  (7, VARIABLE, variable(EFI_GLOBAL, "SecureBoot", bytes([secure_boot])), None),
                  (7, VARIABLE, variable(EFI_GLOBAL, "PK", b"pk"), None),
                  (7, VARIABLE, variable(EFI_IMAGE_SECURITY, "db", b"owner" + certificate), None),
                  (1, BOOT_VARIABLE, variable(EFI_GLOBAL, "BootOrder", boot_order), sha256(boot_order)),
                  (2, BLOB, b"rom", sha256(b"option rom"))]
        events += [(pcr, SEPARATOR, b"\0\0\0\0", None) for pcr in (0, 1, 2, 3, 4, 5, 6, 7)]
        events += [(4, ACTION, b"Calling EFI Application from Boot Option", None),
                   (7, AUTHORITY, variable(EFI_IMAGE_SECURITY, "db", b"\x11" * 16 + certificate), None)]
        events += [(4, APPLICATION, b"device path", digest) for digest in images or image.images]
        events += [(11, IPL, b".linux\0", digest) for digest in image.parts]
        events += [(9, TAG, b"Linux initrd", image.initrd), (5, ACTION, b"Exit Boot Services Invocation", None)]
        self.events = [(pcr, kind, data, digest or sha256(data)) for pcr, kind, data, digest in events]

    def boots(self, tpm):
        """The machine is switched on."""
        tpm.start()
        tpm.extend([(pcr, digest) for pcr, kind, _, digest in self.events if kind != NO_ACTION])

    def log(self):
        header = b"Spec ID Event03\0" + struct.pack("<IBBBB", 0, 0, 2, 0, 2) + struct.pack("<IHH", 1, SHA256, 32) + b"\0"
        log = struct.pack("<II20xI", 0, NO_ACTION, len(header)) + header
        for pcr, kind, data, digest in self.events:
            log += struct.pack("<IIIH", pcr, kind, 1, SHA256) + digest + struct.pack("<I", len(data)) + data
        return log


def extended(digests):
    value = bytes(32)
    for digest in digests:
        value = sha256(value + digest)
    return value


class Image:
    """A boot image as its build describes it."""

    def __init__(self, name, version="1"):
        self.name, self.version = name, version
        self.images = [sha256(f"{name} {version} uki".encode()), sha256(f"{name} {version} kernel".encode())]
        self.parts = [sha256(f"{name} {version} {part}".encode()) for part in (".linux", ".osrel", ".cmdline", ".initrd")]
        self.initrd = sha256(f"{name} {version} initrd".encode())

    def document(self, **more):
        return json.dumps({"format": 1, "name": self.name, "version": self.version, "pcr4": [digest.hex() for digest in self.images],
                           "pcr9": extended([self.initrd]).hex(), "pcr11": extended(self.parts).hex(), "rescue_shell": False, **more})


class Signer:
    """A db key with its certificate."""

    def __init__(self, name="db"):
        self.key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.utcnow()
        certificate = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(self.key.public_key()).serial_number(
            x509.random_serial_number()).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(3650))
        self.certificate = certificate.sign(self.key, hashes.SHA256())
        self.der = self.certificate.public_bytes(serialization.Encoding.DER)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, document):
        return b64(self.key.sign(document.encode(), padding.PKCS1v15(), hashes.SHA256()))


def repave_events(contents):
    """The canonical event log of [(type, content)]."""
    return [{"recnum": number, "pcr": 8, "digests": [{"hashAlg": "sha256", "digest": sha256(data.encode()).hex()}], "content_type": "repave",
             "content": {"type": kind, "data": data}} for number, (kind, data) in enumerate(contents)]


def attest_body(tpm, ak=None, ek=None, with_certificate=True, certificate=None):
    own, own_certificate = tpm.endorsement(with_certificate)
    certificate = certificate or own_certificate
    return {"format": 1, "ek_certificate": b64(certificate) if certificate else None, "ek_public": b64(ek or own), "ak_public": b64(ak or tpm.key())}


def quote_body(tpm, answer, machine, contents=(), by_agent=False, pcrs=PCRS, **more):
    """The answer to a challenge."""
    body = {"format": 1, "session": answer["session"]}
    if not by_agent:
        body["activated"] = b64(tpm.activate(answer)) or b64(b"\0")
    quote, signature = tpm.quote(base64.b64decode(answer["nonce"]), pcrs)
    body.update(quote=b64(quote), signature=b64(signature), pcr_values=tpm.values(pcrs), firmware_log="" if by_agent else b64(machine.log()),
                events=repave_events(contents))
    body.update(more)
    return body


@contextlib.contextmanager
def tpms(folder, *names):
    """Several, each of its own CA "ca" beside it; names that begin with "foreign" are of another one."""
    made = []
    try:
        for name in names:
            made.append(Tpm(Path(folder) / name, Path(folder) / ("foreign-ca" if name.startswith("foreign") else "ca")).start())
        yield made
    finally:
        for tpm in made:
            tpm.stop()


def missing():
    return [name for name in ("swtpm", "swtpm_setup", "tpm2_quote") if not shutil.which(name)]
