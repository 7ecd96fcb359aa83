# SPDX-License-Identifier: GPL-2.0-or-later
"""Small inputs for the build scripts, and a way to call them. What goes into an archive is opaque to them."""
import os
import random
import subprocess
from pathlib import Path

INITRAMFS = Path(__file__).resolve().parent.parent
EPOCH = "1735689600"
TOKEN = "T0kenThatMustStayInItsOwnArchive"


def call(program, *arguments, epoch=EPOCH):
    """Exit status and what was printed on stderr."""
    environment = dict(os.environ, SOURCE_DATE_EPOCH=epoch)
    done = subprocess.run([INITRAMFS / program, *map(str, arguments)], env=environment, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def write(path, data, mode=0o644):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    path.chmod(mode)
    return path


def noise(size, seed):
    """Bytes that no compressor makes smaller, the same each time."""
    return random.Random(seed).randbytes(size)


class Inputs:
    """Files below `folder`; the applets are those of a program that answers --list as busybox does."""
    def __init__(self, folder):
        self.folder = folder
        self.busybox = write(folder / "busybox", "#!/bin/sh\nprintf 'ash\\nbusybox\\nip\\nmount\\nsh\\n'\n", 0o755)
        self.provision = write(folder / "provision", noise(5000, 1), 0o755)
        self.root = write(folder / "1.root.json", "{}\n")
        self.ca = write(folder / "ca.pem", "-----BEGIN CERTIFICATE-----\n")
        self.token = write(folder / "join-token", TOKEN + "\n", 0o600)
        self.dropbear = write(folder / "dropbear", noise(3000, 2), 0o755)
        self.keys = write(folder / "keys.pub", "ssh-ed25519 AAAA operator\n")

    def base(self, output, *more, compress="gzip", **changed):
        values = {"busybox": self.busybox, "provision": self.provision, "root": self.root, "ca": self.ca,
                  "control-unit": "10.0.2.2", "port": 8443, "repository-port": 8080, "slot-c-mib": 1024,
                  "slot-d-mib": 512, "compress": compress, "output": output}
        values.update({name.replace("_", "-"): value for name, value in changed.items()})
        options = [word for name, value in values.items() for word in ("--" + name, value)]
        return call("build-initramfs", "base", *options, *more)
