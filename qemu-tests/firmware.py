# SPDX-License-Identifier: GPL-2.0-or-later
"""What the firmware of servers has and QEMU's doesn't: words for QEMU that add it to a guest."""
import struct

# The TCO watchdog of Intel's ICH9, as SeaBIOS and OVMF place it on a q35 machine.
TCO = 0x660
REBOOT_STRAP = 0xFED1F410
MEMORY, PORT = 0, 1
READ_VALUE, READ_COUNT, WRITE_VALUE, WRITE_COUNT, PRESERVE = 0, 1, 2, 3, 0x80


def instruction(action, kind, address, value, mask, space=PORT, bits=16):
    """One entry of a WDAT table: an action, how it is done, and on which register."""
    return struct.pack("<BBHBBBBQII", action, kind, 0, space, bits, 0, bits.bit_length() - 3, address, value, mask)


def watchdog(folder):
    """A hardware watchdog that every kernel choice has a driver for: QEMU's TCO, described by a WDAT table ("Hardware Watchdog
    Timers Design Specification") as server vendors do. It resets at its second time-out of 0.6 s for each count."""
    entries = [
        instruction(1, WRITE_VALUE, TCO, 1, 0x3FF),                              # pat
        instruction(4, READ_COUNT, TCO, 0, 0x3FF),                               # count left
        instruction(5, READ_COUNT, TCO + 0x12, 0, 0x3FF),                        # count it begins with
        instruction(6, WRITE_COUNT | PRESERVE, TCO + 0x12, 0, 0x3FF),
        instruction(8, READ_VALUE, TCO + 8, 0, 0x800),                           # does it run?
        instruction(9, WRITE_VALUE | PRESERVE, TCO + 8, 0, 0x800),               # run
        instruction(10, READ_VALUE, TCO + 8, 0x800, 0x800),                      # does it stand?
        instruction(11, WRITE_VALUE | PRESERVE, TCO + 8, 0x800, 0x800),          # stop
        instruction(17, WRITE_VALUE | PRESERVE, REBOOT_STRAP, 0, 0x20, MEMORY, 32),  # reset at its end
        instruction(32, READ_VALUE, TCO + 6, 2, 2),                              # was it the cause of the last reset?
        instruction(33, WRITE_VALUE, TCO + 6, 2, 2),
    ]
    # Not a PCI device; milliseconds for each count, most and least counts, enabled.
    header = struct.pack("<IHBBB3xIIIB3xI", 32, 0xFF, 0xFF, 0xFF, 0xFF, 1200, 0x3FF, 4, 1, len(entries))
    table = folder / "wdat.bin"
    table.write_bytes(header + b"".join(entries))
    return ["-machine", "q35", "-global", "ICH9-LPC.noreboot=false", "-acpitable", f"sig=WDAT,rev=1,data={table}",
            "-action", "watchdog=reset"]


def watchdog_runs(server):
    """Whether that watchdog is counting."""
    answer = server.qmp("human-monitor-command", **{"command-line": f"i /xh {TCO + 8:#x}"})
    return not int(answer.split("=")[1], 16) & 0x800


def error_records(folder):
    """ERST: memory of the firmware for records of errors, where the kernel keeps its last words (pstore)."""
    return ["-object", f"memory-backend-file,id=erst,mem-path={folder}/erst.bin,size=64K,share=on",
            "-device", "acpi-erst,memdev=erst"]
