#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make bench`: what Repave's own parts cost, as ratios against a peer or a limit measured in the same run.

Each pair is run in turn, so that a change of the machine's load meets both; the median counts."""
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ.get("B", "build"))
ROUNDS = int(os.environ.get("ROUNDS", "5"))
IMAGE = BUILD / "images" / (sys.argv[1] if len(sys.argv) > 1 else "os-minimal.img")


def seconds(words):
    start = time.monotonic()
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - start


def pair(ours, peer):
    """Medians of both commands, run alternately."""
    taken = [(seconds(ours), seconds(peer)) for _ in range(ROUNDS)]
    return statistics.median(t[0] for t in taken), statistics.median(t[1] for t in taken)


def compressed_size(words):
    return len(subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE).stdout)


def measure(folder):
    description = json.loads(IMAGE.with_suffix(".json").read_text())
    wire = Path(f"{IMAGE}.zst")
    out = folder / "out"
    rows = []
    ours, peer = pair([BUILD / "bin/wire", "decode", wire, out], ["zstd", "-q", "-d", "-f", wire, "-o", out])
    rows.append(("decode the wire file", "zstd -d", f"{ours:.2f} s", f"{peer:.2f} s", ours / peer))
    repository, keys = folder / "repository", folder / "keys"
    sign = [BUILD / "bin/repave-sign"]
    paths = ["--repository", repository, "--keys", keys]
    seconds(sign + ["init", "--no-passphrase"] + paths)
    taken = []
    hash_offset = description["verity"]["data_blocks"] * 4096
    for _ in range(ROUNDS):
        ours = seconds(sign + ["add"] + paths + [IMAGE.with_suffix(".json")])
        subprocess.run([str(word) for word in sign + ["remove"] + paths + [target_path(description)]], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # The same work by other tools: hash the wire file, decode it, verify the tree.
        peer = (seconds(["sha256sum", wire]) + seconds(["zstd", "-q", "-d", "-f", wire, "-o", out])
                + seconds(["veritysetup", "verify", f"--hash-offset={hash_offset}", out, out,
                           description["verity"]["root_hash"]]))
        taken.append((ours, peer))
    ours, peer = (statistics.median(column) for column in zip(*taken))
    rows.append(("check and add an image", "sha256sum, zstd -d, veritysetup", f"{ours:.2f} s", f"{peer:.2f} s", ours / peer))
    whole = compressed_size(["zstd", "-q", "-c", "-15", "-T2", IMAGE])
    size = wire.stat().st_size
    rows.append(("size on the wire", "zstd -15, one frame", f"{size / 2**20:.1f} MiB", f"{whole / 2**20:.1f} MiB", size / whole))
    return rows


def target_path(description):
    if description["kind"] == "os":
        return f"os/{description['name']}/{description['version']}.img.zst"
    return f"app/{description['name']}/{description['requires_os']}/{description['version']}.img.zst"


def main():
    if not IMAGE.exists():
        sys.exit(f"error: there is no {IMAGE}; name one of build/images with IMAGE=, such as IMAGE=os-debian.img")
    print(f"{IMAGE.name}, {IMAGE.stat().st_size / 2**20:.1f} MiB, median of {ROUNDS}, "
          f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        rows = measure(Path(folder))
    print(f"{'WHAT':26}{'REPAVE':>10}  {'PEER':34}{'':>10}  RATIO")
    for what, peer, ours_text, peer_text, ratio in rows:
        print(f"{what:26}{ours_text:>10}  {peer:34}{peer_text:>10}  {ratio:.2f}")


if __name__ == "__main__":
    main()
