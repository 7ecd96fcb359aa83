# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's initramfs format ("newc" cpio), written reproducibly and without root, and read back.

    entry:  "070701" | 13 numbers of 8 hex digits: ino mode uid gid nlink mtime filesize
            devmajor devminor rdevmajor rdevminor namesize check
            name, NUL, zeros up to a multiple of 4 | data, zeros up to a multiple of 4
    end:    an entry named "TRAILER!!!"
"""
import stat
from dataclasses import dataclass

MAGIC = b"070701"
HEADER_SIZE = 110
TRAILER = "TRAILER!!!"


@dataclass(frozen=True)
class Entry:
    """One file, folder, link or device; the owner is always root. `mode` includes the type."""
    name: str
    mode: int
    data: bytes = b""
    rdev: tuple = (0, 0)


def folder(name, mode=0o755):
    return Entry(name, stat.S_IFDIR | mode)


def file(name, data, mode=0o644):
    return Entry(name, stat.S_IFREG | mode, data)


def symlink(name, target):
    return Entry(name, stat.S_IFLNK | 0o777, target.encode())


def character_device(name, major, minor, mode):
    return Entry(name, stat.S_IFCHR | mode, b"", (major, minor))


def padding(size):
    return b"\0" * (-size % 4)


def _record(inode, entry, mtime):
    name = entry.name.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    numbers = (inode, entry.mode, 0, 0, links, mtime, len(entry.data),
               0, 0, *entry.rdev, len(name), 0)
    head = MAGIC + b"".join(b"%08x" % n for n in numbers) + name
    return head + padding(len(head)) + entry.data + padding(len(entry.data))


def write(entries, mtime):
    """The archive as bytes, a multiple of 4 long: sorted by name (so a folder comes before what it
    holds), numbered from 1, with one time stamp for everything."""
    ordered = sorted(entries, key=lambda entry: entry.name)
    names = [entry.name for entry in ordered]
    if len(set(names)) != len(names):
        raise ValueError("two entries of one name: " + ", ".join(names))
    records = [_record(inode, entry, mtime) for inode, entry in enumerate(ordered, 1)]
    # The kernel takes the trailer's inode for the key of its hard-link table: 0, and time 0.
    return b"".join(records) + _record(0, Entry(TRAILER, 0), 0)


def read(archive):
    """Yields (entry, uid, gid, mtime) until the trailer; ValueError where the archive is damaged."""
    at = 0
    while True:
        head = archive[at:at + HEADER_SIZE]
        if len(head) < HEADER_SIZE or head[:6] != MAGIC:
            raise ValueError(f"no newc header at byte {at}")
        numbers = [int(head[6 + 8 * i:14 + 8 * i], 16) for i in range(13)]
        _, mode, uid, gid, _, mtime, size, _, _, major, minor, name_size, _ = numbers
        name_at = at + HEADER_SIZE
        data_at = name_at + name_size + (-(HEADER_SIZE + name_size) % 4)
        if data_at + size > len(archive):
            raise ValueError(f"entry at byte {at} ends beyond the archive")
        name = archive[name_at:name_at + name_size - 1].decode()
        if name == TRAILER:
            return
        yield Entry(name, mode, archive[data_at:data_at + size], (major, minor)), uid, gid, mtime
        at = data_at + size + (-size % 4)
