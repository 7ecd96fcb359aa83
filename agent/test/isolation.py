# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of the agent hide from it in a mount namespace of their own."""
import subprocess
from pathlib import Path


def hide_root(*kept):
    """An empty /root, in which only the folders `kept` (a checkout, a build) are found again, where they are below it."""
    kept = [Path(path) for path in kept if Path(path).is_relative_to("/root")]
    words = [["mount", "-t", "tmpfs", "tmpfs", "/mnt"]]
    for i, path in enumerate(kept):
        words += [["mkdir", f"/mnt/{i}"], ["mount", "--bind", path, f"/mnt/{i}"]]
    words.append(["mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", "/root"])
    for i, path in enumerate(kept):
        words += [["mkdir", "-p", path], ["mount", "--bind", f"/mnt/{i}", path]]
    for command in [*words, ["umount", "-R", "/mnt"]]:
        subprocess.run(command, check=True)
